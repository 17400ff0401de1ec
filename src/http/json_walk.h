/* SPDX-License-Identifier: Apache-2.0 */
/* json_walk.h - what json_valid.c, json_span.c, json_name.c and json_edit.c share; nobody else
 * includes it. */
#ifndef KM_HTTP_JSON_WALK_H
#define KM_HTTP_JSON_WALK_H

#include "http/json_span.h"

/* Members looked for while a text is walked. */
struct km_json_wanted {
    const struct km_str *names; /* decoded */
    size_t n;
    struct km_json_span *spans; /* of the names; all absent at first */
    struct km_json_object object;
    struct km_json_watch *watch; /* or NULL: read by km_json_walk() only, as is: */
    bool unique; /* false where an object, however deep, may have a member twice */
};

enum km_json_type km_json_type_of(char c); /* the first of a value */

static inline bool km_json_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Is there a backslash in what stands between two quotes? */
bool km_json_escaped(struct km_str raw);

#define KM_JSON_CHUNK 16

static inline size_t km_json_first_byte(uint64_t w)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return (size_t)__builtin_clzll(w) / 8;
#else
    return (size_t)__builtin_ctzll(w) / 8;
#endif
}

/* Where in KM_JSON_CHUNK bytes a quote or a backslash is, or, if strict, any byte that is no plain
 * character of a string.  Vectors as gcc and clang have them, for any processor; bytes from 0x80
 * are negative, and so below the space too. */
static inline size_t km_json_chunk(const char *p, bool strict)
{
    typedef signed char bytes __attribute__((vector_size(KM_JSON_CHUNK)));
    typedef uint64_t halves __attribute__((vector_size(KM_JSON_CHUNK)));
    bytes v, special;
    halves found;

    memcpy(&v, p, KM_JSON_CHUNK);
    special = (v == '"') | (v == '\\');
    if (strict)
        special |= v < ' ';
    found = (halves)special;
    if (found[0])
        return km_json_first_byte(found[0]);
    return found[1] ? KM_JSON_CHUNK / 2 + km_json_first_byte(found[1]) : KM_JSON_CHUNK;
}

/* The member at `span`; key is what stands between its quotes, escaped: it has a backslash.
 * KM_E_INVALID: it is wanted and there was one already. */
int km_json_note(struct km_json_wanted *w, struct km_str key, bool escaped,
                 const struct km_json_span *span, struct km_err *err) KM_MUST_USE;

/* km_json_surely_object(), which notes the members it passes.  After `false` they say nothing:
 * besides what that leaves to the parser, a member that occurs twice is `false` here. */
bool km_json_walk(struct km_str text, struct km_json_wanted *w);

#endif
