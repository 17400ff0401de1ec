/* SPDX-License-Identifier: Apache-2.0 */
/* str.h - a view of bytes, by value.  Never owns, never NUL-terminated.
 *
 * The empty view is {NULL, 0} or {p, 0}; both compare equal.  Comparison is by bytes;
 * the `i` forms fold ASCII case only (header names, schemes), never locale.
 */
#ifndef KM_BASE_STR_H
#define KM_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"

struct km_str {
    const char *p;
    size_t n;
};

#define KM_STR(literal) ((struct km_str){ "" literal "", sizeof(literal) - 1 })
#define KM_STR_NONE ((struct km_str){ NULL, 0 })
/* printf("%.*s", KM_STR_ARG(s)) */
#define KM_STR_ARG(s) ((int)((s).n > 0x7fffffff ? 0x7fffffff : (s).n)), ((s).p ? (s).p : "")

static inline struct km_str km_str(const char *p, size_t n)
{
    return (struct km_str){ p, n };
}

/* A view of a C string; NULL gives the empty view. */
static inline struct km_str km_str_c(const char *s)
{
    return (struct km_str){ s, s ? strlen(s) : 0 };
}

static inline bool km_str_eq(struct km_str a, struct km_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Is it worth a look whether two bytes are one letter in two cases?  Nearly no two names begin
 * alike, and what differs in another bit than that of the case is told apart without a call. */
static inline bool km_str_may_fold(char a, char b)
{
    return ((a ^ b) & 0xdf) == 0;
}

bool km_str_isame(const char *a, const char *b, size_t n); /* the bytes, but for ASCII's case */

static inline bool km_str_istarts(struct km_str s, struct km_str prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || (km_str_may_fold(s.p[0], prefix.p[0]) &&
                                                 km_str_isame(s.p, prefix.p, prefix.n)));
}

static inline bool km_str_ieq(struct km_str a, struct km_str b)
{
    return a.n == b.n && km_str_istarts(a, b);
}

bool km_str_iamong(struct km_str s, const struct km_str *v, size_t n); /* is it one of them? */
bool km_str_starts(struct km_str s, struct km_str prefix);
bool km_str_ends(struct km_str s, struct km_str suffix);
int km_str_cmp(struct km_str a, struct km_str b);

/* Offset of the first occurrence, or s.n when there is none. */
size_t km_str_find(struct km_str s, struct km_str needle);
size_t km_str_chr(struct km_str s, char c);
size_t km_str_rchr(struct km_str s, char c); /* the last one */

/* How many bytes from the front are printable ASCII other than '"' and '\\': what may stand
 * between quotes as it is, in JSON and in a log line. */
size_t km_str_plain(struct km_str s);

/* Are all its bytes so, and none a space or '='?  It stands in a log line without quotes then. */
bool km_str_is_bare(struct km_str s);

/* Bounds are clamped, never trusted. */
struct km_str km_str_sub(struct km_str s, size_t from, size_t n);
struct km_str km_str_skip(struct km_str s, size_t n);
struct km_str km_str_trim(struct km_str s); /* spaces and tabs at both ends */

/* Takes the part before the first `sep` off *rest.  false when *rest is exhausted:
 *     while (km_str_split(&rest, ',', &part)) ... */
bool km_str_split(struct km_str *rest, char sep, struct km_str *ret_part);

/* Whole-string decimal numbers; KM_E_INVALID on anything else, overflow included. */
int km_str_u64(struct km_str s, uint64_t *ret_value) KM_MUST_USE;
int km_str_i64(struct km_str s, int64_t *ret_value) KM_MUST_USE;

/* Decimal text ("0.0000025", "2.5e-06", "1") times 10^scale as an integer, without
 * floating point; more digits than fit the scale are rounded half up.  Negative
 * values, other text and overflow are KM_E_INVALID.  Money and prices come in here. */
int km_str_decimal(struct km_str s, int scale, int64_t *ret_value) KM_MUST_USE;

/* Writes v in decimal so that it ends right before `end`, at most 20 bytes; returns where it
 * begins. */
char *km_digits_before(char *end, uint64_t v);

/* Glob with '*' only, as LiteLLM's wildcards; on a match *ret_star (may be NULL) is what
 * the first '*' stood for. */
bool km_str_glob(struct km_str pattern, struct km_str s, struct km_str *ret_star);

/* Damerau-Levenshtein distance, for "did you mean"; cut at 255. */
unsigned km_str_distance(struct km_str a, struct km_str b);

#endif
