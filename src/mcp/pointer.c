/* SPDX-License-Identifier: Apache-2.0 */
/* pointer.c - see pointer.h for the contract.
 *
 *     "#/paths/~1pets~1%7Bid%7D/get"  ──>  "paths"  "/pets/{id}"  "get"
 *
 * A segment is a member's name, or an item's place.
 */
#include "mcp/pointer.h"

#include "base/encode.h"

/* A segment of a pointer: %41 and ~1, ~0 undone.  false: it is none of ours. */
static bool segment(struct km_str raw, char *out, size_t cap, struct km_str *ret)
{
    uint8_t byte;
    size_t n = 0;

    for (size_t i = 0; i < raw.n; i++) {
        char c = raw.p[i];

        if (n == cap)
            return false;
        if (c == '%' && km_unhex(km_str_sub(raw, i + 1, 2), &byte, 1) == 0) {
            c = (char)byte;
            i += 2;
        }
        if (c == '~' && i + 1 < raw.n && (raw.p[i + 1] == '0' || raw.p[i + 1] == '1'))
            c = raw.p[++i] == '1' ? '/' : '~';
        out[n++] = c;
    }
    *ret = km_str(out, n);
    return true;
}

static const struct km_json *item_at(const struct km_json *list, struct km_str index)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key;
    uint64_t at;

    if (km_json_kind(list) != KM_JSON_ARRAY || km_str_u64(index, &at) < 0)
        return NULL;
    for (km_json_iter(list, &it); km_json_next(&it, &key, &item); at--)
        if (at == 0)
            return item;
    return NULL;
}

const struct km_json *km_json_pointer(const struct km_json *root, struct km_str pointer)
{
    const struct km_json *v = root;
    struct km_str rest = km_str_skip(pointer, 2), raw, name;
    char text[512];

    if (km_str_eq(pointer, KM_STR("#")))
        return root;
    if (!km_str_starts(pointer, KM_STR("#/")))
        return NULL; /* of another document */
    while (v && km_str_split(&rest, '/', &raw)) {
        if (!segment(raw, text, sizeof text, &name))
            return NULL;
        v = km_json_kind(v) == KM_JSON_ARRAY ? item_at(v, name) : km_json_member(v, name);
    }
    return v;
}
