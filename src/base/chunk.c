/* SPDX-License-Identifier: Apache-2.0 */
/* chunk.c - see chunk.h.
 *
 * Each test is written once, for vectors of 32 bytes.  Where a processor may have them and need
 * not (x86-64) it is compiled twice, for those that do and for those that do not, and the
 * processor is asked; elsewhere the compiler makes of them what there is.
 *
 * What is odd about a chunk is gathered over its two halves and asked for once.  Bytes from 0x80
 * are negative here, and so below the space.
 */
#include "base/chunk.h"

typedef signed char wide __attribute__((vector_size(32)));
typedef int64_t quarters __attribute__((vector_size(32)));

#define INLINE static inline __attribute__((always_inline))

INLINE bool none(const wide *v)
{
    quarters q;

    memcpy(&q, v, sizeof q);
    return (q[0] | q[1] | q[2] | q[3]) == 0;
}

INLINE bool plain(const char *p)
{
    wide a, b, odd;

    memcpy(&a, p, sizeof a);
    memcpy(&b, p + sizeof a, sizeof b);
    odd = (a < ' ') | (a == '"') | (a == '\\') | (a == 0x7f) | (b < ' ') | (b == '"') |
          (b == '\\') | (b == 0x7f);
    return none(&odd);
}

/* v | 0x20 is a letter for letters only: '@' and '[' become '`' and '{'.  '/' is before '0'. */
INLINE bool base64(const char *p)
{
    wide a, b, odd;

    memcpy(&a, p, sizeof a);
    memcpy(&b, p + sizeof a, sizeof b);
    odd = ~((((a | 0x20) > 'a' - 1) & ((a | 0x20) < 'z' + 1)) | ((a > '/' - 1) & (a < '9' + 1)) |
            (a == '+')) |
          ~((((b | 0x20) > 'a' - 1) & ((b | 0x20) < 'z' + 1)) | ((b > '/' - 1) & (b < '9' + 1)) |
            (b == '+'));
    return none(&odd);
}

INLINE bool ascii(const char *p)
{
    wide a, b, odd;

    memcpy(&a, p, sizeof a);
    memcpy(&b, p + sizeof a, sizeof b);
    odd = (a | b) < 0;
    return none(&odd);
}

#define RUN(name, test, target)                                                                    \
    target static size_t name(const char *p, size_t n)                                             \
    {                                                                                              \
        size_t at = 0;                                                                             \
                                                                                                   \
        while (n - at >= KM_CHUNK_BYTES && test(p + at))                                           \
            at += KM_CHUNK_BYTES;                                                                  \
        return at;                                                                                 \
    }

RUN(run_plain, plain, )
RUN(run_base64, base64, )
RUN(run_ascii, ascii, )

#if defined(__x86_64__)
#define WIDE __attribute__((target("avx2")))
RUN(wide_plain, plain, WIDE)
RUN(wide_base64, base64, WIDE)
RUN(wide_ascii, ascii, WIDE)
#define HAS_WIDE __builtin_cpu_supports("avx2")
#else
#define wide_plain run_plain
#define wide_base64 run_base64
#define wide_ascii run_ascii
#define HAS_WIDE false
#endif

size_t km_run_plain(const char *p, size_t n)
{
    return HAS_WIDE ? wide_plain(p, n) : run_plain(p, n);
}

size_t km_run_base64(const char *p, size_t n)
{
    return HAS_WIDE ? wide_base64(p, n) : run_base64(p, n);
}

size_t km_run_ascii(const char *p, size_t n)
{
    return HAS_WIDE ? wide_ascii(p, n) : run_ascii(p, n);
}
