/* SPDX-License-Identifier: Apache-2.0 */
/* buf.h - an owned, growing byte buffer that names its limit at init.
 *
 *     struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);
 *     km_buf_str(&b, KM_STR("data: "));
 *     if (km_buf_failed(&b)) ...      check once, at the end of building
 *
 * Appending past `max` (or out of memory) sets a sticky `failed` bit and changes nothing
 * more; the content stays valid.  Pointers into it die with the next append.
 */
#ifndef KM_BASE_BUF_H
#define KM_BASE_BUF_H

#include <stdarg.h>

#include "base/str.h"

struct km_buf {
    char *p;
    size_t n;
    size_t cap;
    size_t end; /* cap, or 0 once it failed: what an append is held against */
    size_t max; /* never grows past this many bytes */
    bool failed; /* sticky: over max, or out of memory; set by km_buf_fail() alone */
};

#define KM_BUF(limit)                                                                              \
    {                                                                                              \
        .max = (limit)                                                                             \
    }

void km_buf_init(struct km_buf *b, size_t max);
void km_buf_done(struct km_buf *b); /* frees; usable again with the same max */
void km_buf_reset(struct km_buf *b); /* empties, keeps the memory, clears failed */

static inline struct km_str km_buf_view(const struct km_buf *b)
{
    return (struct km_str){ b->p, b->n };
}

/* What `from` holds is now `to`'s, limit and all; from is empty, to was. */
static inline void km_buf_move(struct km_buf *to, struct km_buf *from)
{
    *to = *from;
    *from = (struct km_buf)KM_BUF(from->max);
}

static inline bool km_buf_failed(const struct km_buf *b)
{
    return b->failed;
}

/* As if an append had gone past the limit. */
static inline void km_buf_fail(struct km_buf *b)
{
    b->failed = true;
    b->end = 0;
}

/* What failed was not needed: its content stands, and appends are taken again. */
static inline void km_buf_forgive(struct km_buf *b)
{
    b->failed = false;
    b->end = b->cap;
}

void km_buf_bytes_slow(struct km_buf *b, const void *p, size_t n); /* any n: grows, or fails */

/* Appends.  Here, because the size is nearly always a constant and there is nearly always room:
 * then it is a compare and a few moves. */
static inline void km_buf_bytes(struct km_buf *b, const void *p, size_t n)
{
    const size_t all = b->n + n; /* no memory is so large that this overflows */

    if (__builtin_expect(n == 0 || all > b->end, 0)) {
        km_buf_bytes_slow(b, p, n);
        return;
    }
    memcpy(b->p + b->n, p, n);
    b->n = all;
}

static inline void km_buf_str(struct km_buf *b, struct km_str s)
{
    km_buf_bytes(b, s.p, s.n);
}

static inline void km_buf_byte(struct km_buf *b, char c)
{
    km_buf_bytes(b, &c, 1);
}

void km_buf_u64(struct km_buf *b, uint64_t v);
void km_buf_i64(struct km_buf *b, int64_t v);
/* v / 10^scale without trailing zeros: (1500, 3) is "1.5"; scale 0..18. */
void km_buf_decimal(struct km_buf *b, int64_t v, int scale);
void km_buf_printf(struct km_buf *b, const char *fmt, ...) KM_PRINTF(2, 3);
void km_buf_vprintf(struct km_buf *b, const char *fmt, va_list ap) KM_PRINTF(2, 0);

char *km_buf_reserve_slow(struct km_buf *b, size_t n); /* any n: grows, or fails */

/* Room for n more bytes to be written by the caller, who then adds to b->n.
 * NULL when it would pass the limit (failed is set). */
static inline char *km_buf_reserve(struct km_buf *b, size_t n)
{
    size_t all;

    if (__builtin_expect(__builtin_add_overflow(b->n, n, &all) || all > b->end || !b->p, 0))
        return km_buf_reserve_slow(b, n);
    return b->p + b->n;
}

/* Drops n bytes from the front (memmove). */
void km_buf_consume(struct km_buf *b, size_t n);

/* A JSON string with its quotes; invalid UTF-8 becomes U+FFFD, control bytes escapes. */
void km_buf_json(struct km_buf *b, struct km_str s);
void km_buf_json_list(struct km_buf *b, const struct km_str *v, size_t n); /* an array of them */

/* NUL-terminates (not counted in n) and returns p, or "" when empty or failed. */
const char *km_buf_cstr(struct km_buf *b);

#endif
