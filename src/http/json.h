/* SPDX-License-Identifier: Apache-2.0 */
/* json.h - reading JSON: the only door to yyjson.
 *
 * A parsed tree is immutable and lives in the arena it was read into; strings are views (of the
 * arena's copy, never of the input).  Numbers keep their text, so nothing is rounded.
 * Accessors accept NULL and wrong types and say so, which makes walking straight.
 */
#ifndef KM_HTTP_JSON_H
#define KM_HTTP_JSON_H

#include "base/buf.h"
#include "http/json_span.h"

struct km_json;  /* a value */

/* Strict RFC 8259, valid UTF-8, one value and nothing after it but white space, and each member of
 * each object once: a look-up finds what every other reader of the same bytes finds.
 * KM_E_INVALID with line and column, or with the member that occurs twice; KM_E_NOMEM when the
 * arena overflows. */
int km_json_parse(struct km_arena *arena, struct km_str text, const struct km_json **ret_root,
                  struct km_err *err) KM_MUST_USE;
/* The same, but of members with one name a look-up finds the first.  For what upstreams answer:
 * nothing may be decided about a request by it (lint.judged knows who may call it). */
int km_json_parse_answer(struct km_arena *arena, struct km_str text,
                         const struct km_json **ret_root, struct km_err *err) KM_MUST_USE;

/* true: km_json_parse_answer() would take it and find an object of at most KM_JSON_DEPTH levels.
 * Much cheaper and without memory; false says nothing: ask the parser, which also knows why. */
bool km_json_surely_object(struct km_str text);

enum km_json_type km_json_kind(const struct km_json *v);  /* KM_JSON_ABSENT for NULL */

/* A member by its name: NULL where there is none, or where the value is no object.  In a tree of
 * km_json_parse() there is no other of that name. */
const struct km_json *km_json_member(const struct km_json *object, struct km_str name);

/* The same; here, so that a literal's length costs nothing. */
static inline const struct km_json *km_json_get(const struct km_json *object, const char *name)
{
    return km_json_member(object, km_str_c(name));
}

size_t km_json_count(const struct km_json *v);            /* items or members */
/* Are at most this many arrays and objects one in another, v counted? */
bool km_json_within(const struct km_json *v, int levels);
/* Has each object in it each member once?  KM_E_INVALID names one that occurs twice (json_unique.c
 * says why to ask); KM_E_NOMEM: the arena, which takes tables for large objects, is full.
 * km_json_parse() has asked. */
int km_json_unique(const struct km_json *v, struct km_arena *arena, struct km_err *err) KM_MUST_USE;
/* The same but inside of those members of v itself. */
int km_json_unique_but(const struct km_json *v, const struct km_str *names, size_t n,
                       struct km_arena *arena, struct km_err *err) KM_MUST_USE;
/* The same for names as a reader takes them that folds them: KM_E_INVALID where two of an object
 * are one to it.  fold() gives a name's folded form, in the arena or as it is; an empty one for a
 * name that is not: KM_E_NOMEM. */
typedef struct km_str km_json_fold_fn(struct km_arena *arena, struct km_str name);
struct km_str km_json_fold_case(struct km_arena *arena, struct km_str name);
int km_json_unique_folded(const struct km_json *v, km_json_fold_fn *fold, struct km_arena *arena,
                          struct km_err *err) KM_MUST_USE;

/* Items of an array (key is empty) or members of an object, in order:
 *     for (km_json_iter(v, &it); km_json_next(&it, &key, &item);) ... */
struct km_json_iter {
    const struct km_json *next;
    size_t left;
    bool object;
};
void km_json_iter(const struct km_json *v, struct km_json_iter *it);
bool km_json_next(struct km_json_iter *it, struct km_str *ret_key, const struct km_json **ret_item);

/* false when v is not of that type (or does not fit). */
bool km_json_string(const struct km_json *v, struct km_str *ret);
bool km_json_bool(const struct km_json *v, bool *ret);
bool km_json_i64(const struct km_json *v, int64_t *ret);           /* "5", "5.0", "5e0" */
bool km_json_number(const struct km_json *v, struct km_str *ret);  /* its text */

/* The value as compact JSON. */
void km_json_write(const struct km_json *v, struct km_buf *out);
/* The same as a text in the arena; empty on overflow. */
struct km_str km_json_compact(const struct km_json *v, struct km_arena *arena);

#endif
