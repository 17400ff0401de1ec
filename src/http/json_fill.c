/* SPDX-License-Identifier: Apache-2.0 */
/* json_fill.c - see json_fill.h.
 *
 *     body   {"generationConfig": {"topK": 3}}      value  {"topK": 9, "seed": 1}
 *     out    {"generationConfig": {"topK": 3, "seed": 1}}
 *
 * An encoder writes members of its own, and a file's extra_body may name the same: written twice,
 * one reader would take the first and another the last.  So what is there stays, and of the value
 * goes in what is not.
 */
#include "http/json_fill.h"

#include "http/json.h"

/* The members of `value` that `object` has not, behind its own. */
static int fill_object(struct km_arena *arena, struct km_str object, struct km_str value,
                       struct km_str *ret, struct km_err *err)
{
    const struct km_json *root, *item;
    struct km_json_iter it;
    struct km_json_edits edits;
    struct km_json_object place;
    struct km_json_span span;
    struct km_str key, *parts;
    size_t n;
    int r = km_json_parse(arena, value, &root, err);

    if (r < 0 || km_json_kind(root) != KM_JSON_OBJECT)
        return r;
    key = KM_STR("-"); /* any name: the place of the object is wanted */
    r = km_json_spans(object, &key, 1, &span, &place, err);
    if (r < 0)
        return r;
    km_json_edits_init(&edits, object, &place);
    for (km_json_iter(root, &it); r == 0 && km_json_next(&it, &key, &item);) {
        r = km_json_spans(object, &key, 1, &span, NULL, err);
        if (r == 0 && span.type == KM_JSON_ABSENT)
            km_json_add(&edits, arena, key, km_json_compact(item, arena));
    }
    if (r == 0)
        r = km_json_parts(&edits, arena, &parts, &n, err);
    if (r == 0)
        *ret = km_arena_cat(arena, parts, n);
    return r;
}

int km_json_fill(struct km_arena *arena, struct km_str body, struct km_str name,
                 struct km_str value, struct km_str *ret_body, struct km_err *err)
{
    struct km_json_edits edits;
    struct km_json_object place;
    struct km_json_span span;
    struct km_str *parts, inner;
    size_t n;
    int r = km_json_spans(body, &name, 1, &span, &place, err);

    *ret_body = body;
    if (r < 0 || (span.type != KM_JSON_ABSENT && span.type != KM_JSON_OBJECT))
        return r;
    km_json_edits_init(&edits, body, &place);
    if (span.type == KM_JSON_ABSENT) {
        km_json_add(&edits, arena, name, value);
    } else {
        inner = km_json_value(body, &span);
        r = fill_object(arena, inner, value, &inner, err);
        km_json_replace(&edits, &span, inner);
    }
    if (r == 0)
        r = km_json_parts(&edits, arena, &parts, &n, err);
    if (r == 0)
        *ret_body = km_arena_cat(arena, parts, n);
    return r;
}
