/* SPDX-License-Identifier: Apache-2.0 */
/* key_permission.c - a key's object_permission: is it what gateway/mcp/access.h enforces?
 *
 *     mcp_servers, mcp_access_groups   [name, ...]
 *     mcp_tool_permissions             {server: [tool, ...]}
 *     mcp_param_permissions            {server: {tool: [parameter, ...]}}
 *     mcp_modes                        {server: mode}
 *     mcp_values                       {server: {name: value, ...}}
 *
 * A part in another form would say nothing where it is read, and the key could do more than was
 * meant.  So it is refused here, with what it is to be.  null is "nothing said" for a whole part
 * only.
 */
#include "admin/key_permission.h"

enum form { NAMES, NAMES_OF, NAMES_OF_EACH, MODES, OF_SERVERS };

static const struct {
    struct km_str name;
    enum form form;
    const char *what;
} parts[] = {
    { { "mcp_servers", 11 }, NAMES, "a list of names" },
    { { "mcp_access_groups", 17 }, NAMES, "a list of names" },
    { { "mcp_tool_permissions", 20 }, NAMES_OF, "{server: [tool, ...]}" },
    { { "mcp_param_permissions", 21 }, NAMES_OF_EACH, "{server: {tool: [parameter, ...]}}" },
    { { "mcp_modes", 9 }, MODES, "{server: mode}, each mode a word" },
    { { "mcp_values", 10 }, OF_SERVERS, "a map of servers" },
};

static bool fits(const struct km_json *v, enum form form);

static bool fits_item(const struct km_json *v, enum form form)
{
    struct km_str text;

    switch (form) {
    case NAMES:
        return km_json_string(v, &text);
    case MODES: /* the server knows which there are; to it another word is the least of them */
        return km_json_string(v, &text) && text.n;
    case OF_SERVERS:
        return true; /* judged where it is used: what cannot be read there denies */
    default:
        return fits(v, form - 1);
    }
}

static bool fits(const struct km_json *v, enum form form)
{
    struct km_json_iter it;
    const struct km_json *item;
    struct km_str key;

    if (km_json_kind(v) != (form == NAMES ? KM_JSON_ARRAY : KM_JSON_OBJECT))
        return false;
    for (km_json_iter(v, &it); km_json_next(&it, &key, &item);)
        if (!fits_item(item, form))
            return false;
    return true;
}

static int part(struct km_str name, const struct km_json *v, struct km_err *err)
{
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (km_str_eq(name, parts[i].name))
            return fits(v, parts[i].form) || km_json_kind(v) == KM_JSON_NULL
                       ? 0
                       : km_fail_param(err, KM_E_INVALID, "object_permission",
                                       "'object_permission.%s' must be %s.", parts[i].name.p,
                                       parts[i].what);
    if (km_json_kind(v) == KM_JSON_NULL || km_json_kind(v) == KM_JSON_FALSE ||
        (km_json_kind(v) >= KM_JSON_ARRAY && km_json_count(v) == 0))
        return 0;
    return km_fail_param(err, KM_E_UNSUPPORTED, "object_permission",
                         "'object_permission.%.*s' would restrict the key, and this version does "
                         "not enforce it: leave it out.",
                         KM_STR_ARG(km_str_sub(name, 0, 80)));
}

int km_key_permission_check(const struct km_json *permission, struct km_arena *arena,
                            struct km_err *err)
{
    struct km_json_iter it;
    const struct km_json *v;
    struct km_str name;
    int r;

    if (km_json_kind(permission) == KM_JSON_NULL)
        return 0;
    if (km_json_kind(permission) != KM_JSON_OBJECT)
        return km_fail_param(err, KM_E_INVALID, "object_permission",
                             "'object_permission' must be an object, or null.");
    r = km_json_unique(permission, arena, err);
    for (km_json_iter(permission, &it); r == 0 && km_json_next(&it, &name, &v);)
        r = part(name, v, err);
    return r;
}
