/* SPDX-License-Identifier: Apache-2.0 */
/* reference.c - "$ref" in an OpenAPI document: what it leads to, and what that is called in $defs.
 *
 *     "#/components/schemas/Pet"   a pointer (RFC 6901) from the document's root, maybe escaped
 *                                  as a URL's fragment
 *     "other.yaml#/Pet"            another document, which is not fetched: leads nowhere
 *
 * Private to openapi/: schema.h has the contracts.
 */
#include "mcp/openapi/schema.h"

#include "mcp/pointer.h"

#define CHAIN_MOST 8 /* references that lead to references */
#define NAME_MOST 64

const struct km_json *km_openapi_at(const struct km_openapi_refs *refs, struct km_str pointer)
{
    const struct km_json *v = km_map_get(refs->known, pointer);

    if (v)
        return v;
    v = km_json_pointer(refs->root, pointer);
    if (v) /* one that there is no room for is looked up again */
        (void)!km_map_set(refs->known, pointer, (void *)(uintptr_t)v, NULL);
    return v;
}

const struct km_json *km_openapi_follow(const struct km_openapi_refs *refs, const struct km_json *v)
{
    struct km_str pointer;

    for (int i = 0; v && i < CHAIN_MOST; i++) {
        if (!km_json_string(km_json_get(v, "$ref"), &pointer))
            return v;
        v = km_openapi_at(refs, pointer);
    }
    return NULL;
}

static bool name_taken(const struct km_openapi_schemas *s, struct km_str name)
{
    for (size_t i = 0; i < s->ndefs; i++)
        if (km_str_eq(s->defs[i].name, name))
            return true;
    return false;
}

struct km_str km_openapi_def(struct km_openapi_schemas *s, const struct km_json *schema,
                             struct km_str pointer)
{
    struct km_str last = km_str_skip(pointer, km_str_rchr(pointer, '/') + 1), name;
    char plain[NAME_MOST];
    size_t n = 0;

    for (size_t i = 0; i < s->ndefs; i++)
        if (s->defs[i].schema == schema)
            return s->defs[i].name;
    if (s->ndefs == KM_OPENAPI_DEFS)
        return KM_STR_NONE;
    for (; n < sizeof plain && n < last.n; n++) {
        char c = last.p[n];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '_' || c == '.' || c == '-';

        plain[n] = fine ? c : '_';
    }
    name = km_arena_str(s->arena, n ? km_str(plain, n) : KM_STR("schema"));
    for (int i = 2; name_taken(s, name); i++)
        name = km_arena_printf(s->arena, "%.*s_%d", (int)n, plain, i);
    if (!name.n)
        return KM_STR_NONE;
    s->defs[s->ndefs].schema = schema;
    s->defs[s->ndefs++].name = name;
    return name;
}
