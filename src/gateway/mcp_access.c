/* SPDX-License-Identifier: Apache-2.0 */
/* mcp_access.c - see mcp_access.h for the contract.
 *
 * The permission is a member of the key's row and is read from there for each request: a key that
 * was changed counts at once.  A list that is there and empty allows nothing; one that is not
 * there (or null) says nothing.  Names of tools are the server's own; LiteLLM's form with the
 * server's name before it means the same.
 */
#include "gateway/mcp_access.h"

#include "config/tree.h"

static bool in_json(const struct km_json *list, struct km_str name)
{
    struct km_json_iter it;
    const struct km_json *v;
    struct km_str key, s;

    for (km_json_iter(list, &it); km_json_next(&it, &key, &v);)
        if (km_json_string(v, &s) && km_str_eq(s, name))
            return true;
    return false;
}

const struct km_mcp_rights *km_mcp_rights_of(const struct km_visit *v, struct km_arena *arena)
{
    static const struct km_str names[] = { { "object_permission", 17 } };
    struct km_json_span span;
    struct km_mcp_rights *r;

    if (!v->who.key || !v->who.key->row.extra.n ||
        km_json_spans(v->who.key->row.extra, names, 1, &span, NULL, NULL) < 0 ||
        span.type != KM_JSON_OBJECT)
        return NULL;
    r = km_arena_zalloc(arena, sizeof *r);
    if (!r)
        return NULL;
    r->text = km_json_value(v->who.key->row.extra, &span);
    if (km_json_parse(arena, r->text, &r->json, NULL) < 0)
        r->json = NULL; /* cannot be: it was checked when it came.  Then nothing is allowed */
    return r;
}

struct km_str km_mcp_rights_text(const struct km_mcp_rights *r)
{
    return r ? r->text : KM_STR_NONE;
}

/* The member of a map of servers, by any of its names. */
static const struct km_json *of_server(const struct km_json *map, const struct km_mcp_upstream *u)
{
    struct km_json_iter it;
    const struct km_json *v;
    struct km_str key;

    for (km_json_iter(map, &it); km_json_next(&it, &key, &v);)
        if (km_str_eq(key, u->name) || km_str_eq(key, u->alias) || km_str_eq(key, u->id))
            return v;
    return NULL;
}

bool km_mcp_rights_server(const struct km_mcp_rights *r, const struct km_mcp_upstream *u)
{
    const struct km_json *servers, *groups;

    if (!r || u->entry->allow_all_keys)
        return true;
    servers = km_json_get(r->json, "mcp_servers");
    groups = km_json_get(r->json, "mcp_access_groups");
    if (in_json(servers, u->name) || in_json(servers, u->alias) || in_json(servers, u->id))
        return true;
    for (size_t i = 0; i < u->entry->access_groups.n; i++)
        if (in_json(groups, u->entry->access_groups.v[i]))
            return true;
    return of_server(km_json_get(r->json, "mcp_tool_permissions"), u) != NULL;
}

/* "list_issues", or "github-list_issues". */
static bool same_tool(struct km_str said, const struct km_mcp_upstream *u, struct km_str tool)
{
    if (km_str_eq(said, tool))
        return true;
    return said.n == u->alias.n + 1 + tool.n && km_str_starts(said, u->alias) &&
           said.p[u->alias.n] == '-' && km_str_ends(said, tool);
}

static bool listed(const struct km_str_list *list, const struct km_mcp_upstream *u,
                   struct km_str tool)
{
    for (size_t i = 0; i < list->n; i++)
        if (same_tool(list->v[i], u, tool))
            return true;
    return false;
}

static bool configured(const struct km_mcp_upstream *u, struct km_str tool)
{
    if (u->entry->allowed_tools.n)
        return listed(&u->entry->allowed_tools, u, tool);
    return !listed(&u->entry->disallowed_tools, u, tool);
}

bool km_mcp_rights_tool(const struct km_mcp_rights *r, const struct km_mcp_upstream *u,
                        struct km_str tool)
{
    const struct km_json *tools, *v;
    struct km_json_iter it;
    struct km_str key, s;

    if (!configured(u, tool))
        return false;
    tools = r ? of_server(km_json_get(r->json, "mcp_tool_permissions"), u) : NULL;
    if (km_json_kind(tools) != KM_JSON_ARRAY)
        return true;
    for (km_json_iter(tools, &it); km_json_next(&it, &key, &v);)
        if (km_json_string(v, &s) && same_tool(s, u, tool))
            return true;
    return false;
}

static int refuse(struct km_str arg, struct km_str tool, struct km_err *err)
{
    return km_fail(err, KM_E_FORBIDDEN, "Parameter '%.*s' of tool '%.*s' may not be given here.",
                   KM_STR_ARG(km_str_sub(arg, 0, 80)), KM_STR_ARG(km_str_sub(tool, 0, 80)));
}

static bool in_node(const struct km_node *list, struct km_str name)
{
    for (size_t i = 0; i < list->n; i++)
        if (km_str_eq(list->v[i]->text, name))
            return true;
    return false;
}

int km_mcp_rights_args(const struct km_mcp_rights *r, const struct km_mcp_upstream *u,
                       struct km_str tool, const struct km_json *args, struct km_err *err)
{
    const struct km_node *own = km_node_get(u->entry->allowed_params, tool);
    const struct km_json *keys = NULL, *v;
    struct km_json_iter it;
    struct km_str key;

    if (r) {
        const struct km_json *tools = of_server(km_json_get(r->json, "mcp_param_permissions"), u);

        for (km_json_iter(tools, &it); km_json_next(&it, &key, &v);)
            if (same_tool(key, u, tool))
                keys = v;
    }
    for (km_json_iter(args, &it); km_json_next(&it, &key, &v);)
        if ((own && own->type == KM_NODE_SEQ && !in_node(own, key)) ||
            (keys && !in_json(keys, key)))
            return refuse(key, tool, err);
    return 0;
}

void km_mcp_configured_dress(const struct km_mcp_upstream *u, struct km_str tool,
                             struct km_str *ret_name, struct km_str *ret_description)
{
    const struct km_node *name = km_node_get(u->entry->display_names, tool);
    const struct km_node *description = km_node_get(u->entry->descriptions, tool);

    if (name && name->type == KM_NODE_STR)
        *ret_name = name->text;
    if (description && description->type == KM_NODE_STR)
        *ret_description = description->text;
}

int64_t km_mcp_configured_cost(const struct km_mcp_upstream *u, struct km_str tool)
{
    const struct km_node *costs = km_node_get(u->entry->info, KM_STR("mcp_server_cost_info"));
    const struct km_node *own =
        km_node_get(km_node_get(costs, KM_STR("tool_name_to_cost_per_query")), tool);
    int64_t cost = 0;

    if (!own)
        own = km_node_get(costs, KM_STR("default_cost_per_query"));
    return own && km_str_decimal(own->text, 9, &cost) == 0 ? cost : 0;
}
