/* SPDX-License-Identifier: Apache-2.0 */
/* json_take.h - reading a tree so that what nobody read can be told.
 *
 * Who translates a document takes its members by these and nothing else; what was not taken when it
 * is done is what the translation loses, and km_json_left() names it.  Taking marks the tree, so it
 * is for trees of one's own: never for one that several threads read.
 */
#ifndef KM_HTTP_JSON_TAKE_H
#define KM_HTTP_JSON_TAKE_H

#include "http/json.h"

/* As km_json_member(); the member counts as read, what is in it does not. */
const struct km_json *km_json_take_member(const struct km_json *object, struct km_str name);

static inline const struct km_json *km_json_take(const struct km_json *object, const char *name)
{
    return km_json_take_member(object, km_str_c(name));
}

/* A member that an iterator found: read, and what is in it not. */
void km_json_take_this(const struct km_json *member);
/* All that is in it is read. */
void km_json_take_all(const struct km_json *v);
/* As km_json_compact() and km_json_write(): all of it goes on. */
struct km_str km_json_take_compact(const struct km_json *v, struct km_arena *arena);
void km_json_take_write(const struct km_json *v, struct km_buf *out);

/* Where a member stands that nobody took: names with dots between, items of arrays without their
 * numbers ("messages.content.citations"); cut at KM_JSON_PLACE.  One that says nothing (null,
 * false, an empty text, array or object) is not told of, nor what is in one that is told of, nor
 * the places in idle (an empty one ends them; NULL: none). */
#define KM_JSON_PLACE 96
typedef void km_json_left_fn(void *ctx, struct km_str place);
void km_json_left(const struct km_json *root, const struct km_str *idle, km_json_left_fn *fn,
                  void *ctx);

/* Equal for two trees of one sequence of types whose members were taken alike: of the events of a
 * stream, which are many and of few shapes, only the first of a shape need be walked. */
uint64_t km_json_shape(const struct km_json *root);

#endif
