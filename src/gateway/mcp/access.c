/* SPDX-License-Identifier: Apache-2.0 */
/* access.c - see access.h for the contract.
 *
 * The permission is a member of the key's row and is read from there for each request: a key that
 * was changed counts at once.  A list that is there and empty allows nothing; one that is not
 * there (or null) says nothing.  Names of tools are the server's own; LiteLLM's form with the
 * server's name before it means the same.
 */
#include "gateway/mcp/access.h"

#include "config/tree.h"
#include "gateway/mcp/turn.h"
#include "mcp/ask.h"
#include "net/dial.h"

/* To nothing but what everybody may use. */
static const struct km_mcp_rights none = { .text = { "{}", 2 } };

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

/* A key's object_permission; empty: it has none, and may use everything. */
static struct km_str permission(const struct km_visit *v)
{
    static const struct km_str names[] = { { "object_permission", 17 } };
    const struct km_mcp_general *general =
        km_config_get(v->view->snap->config, &km_mcp_general_table);
    struct km_str extra = v->who.key->row.extra;
    struct km_json_span span;

    if (extra.n && km_json_spans(extra, names, 1, &span, NULL, NULL) < 0)
        return none.text; /* cannot be: it is written here */
    if (extra.n && span.type == KM_JSON_OBJECT)
        return km_json_value(extra, &span);
    return general->keys_need_grant ? none.text : KM_STR_NONE;
}

const struct km_mcp_rights *km_mcp_rights_of(const struct km_visit *v, struct km_arena *arena)
{
    struct km_str text = v->who.key ? permission(v) : KM_STR_NONE;
    struct km_mcp_rights *r;

    if (!text.n)
        return NULL;
    r = km_arena_zalloc(arena, sizeof *r);
    if (!r)
        return &none;
    r->text = text;
    if (km_json_parse(arena, r->text, &r->json, NULL) < 0)
        r->json = NULL; /* cannot be: it was checked when it came.  Then nothing is allowed */
    return r;
}

struct km_str km_mcp_rights_text(const struct km_mcp_rights *r)
{
    return r ? r->text : KM_STR_NONE;
}

struct km_mcp_asker km_mcp_arrival_asker(const struct km_mcp_arrival *in,
                                         struct km_str capabilities)
{
    return (struct km_mcp_asker){ .principal = in->principal,
                                  .subject = in->visit->who.token,
                                  .capabilities = capabilities,
                                  .headers = &in->headers };
}

struct km_mcp_asker km_mcp_turn_asker(const struct km_mcp_turn *t)
{
    struct km_mcp_asker asker = km_mcp_arrival_asker(t->in, t->capabilities);

    asker.rights = km_mcp_rights_text(km_mcp_rights_of(t->in->visit, t->arena));
    asker.session = t->session ? km_str(t->session->id, KM_MCP_SESSION_ID_LEN) : t->client;
    return asker;
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

static const struct km_json *of_name(const struct km_json *map, struct km_str name)
{
    struct km_json_iter it;
    const struct km_json *v;
    struct km_str key;

    for (km_json_iter(map, &it); km_json_next(&it, &key, &v);)
        if (km_str_eq(key, name))
            return v;
    return NULL;
}

/* --- from where --- */

/* "10.0.0.1", "10.0.0.1:80", "[::1]:80", with quotes or without. */
static bool private_text(struct km_str text)
{
    union km_addr a;

    text = km_str_trim(text);
    if (text.n >= 2 && text.p[0] == '"' && text.p[text.n - 1] == '"')
        text = km_str_sub(text, 1, text.n - 2);
    if (text.n && text.p[0] == '[')
        text = km_str_sub(text, 0, km_str_chr(text, ']') + 1);
    else if (km_str_chr(text, '.') < km_str_chr(text, ':'))
        text = km_str_sub(text, 0, km_str_chr(text, ':'));
    return km_addr_parse(text, 0, &a) == 0 && km_addr_private(&a);
}

/* One element of a list; of Forwarded only what it says in "for" (RFC 7239, 4). */
static bool private_element(struct km_str element, bool forwarded)
{
    struct km_str pair;

    if (!forwarded)
        return private_text(element);
    while (km_str_split(&element, ';', &pair)) {
        pair = km_str_trim(pair);
        if (km_str_istarts(pair, KM_STR("for=")) && !private_text(km_str_skip(pair, 4)))
            return false;
    }
    return true;
}

bool km_mcp_inside(const struct km_visit *v, const struct km_headers *headers)
{
    const union km_addr *peer = v->x ? km_exchange_peer(v->x) : &v->peer;

    if (!v->local && !km_addr_private(peer))
        return false;
    for (size_t i = 0; i < headers->n; i++) {
        struct km_str name = headers->v[i].name, list = headers->v[i].value, element;
        bool forwarded = km_str_ieq(name, KM_STR("forwarded"));

        if (!forwarded && !km_str_ieq(name, KM_STR("x-forwarded-for")) &&
            !km_str_ieq(name, KM_STR("x-real-ip")))
            continue;
        while (km_str_split(&list, ',', &element))
            if (!private_element(element, forwarded))
                return false;
    }
    return true;
}

bool km_mcp_reachable(const struct km_mcp_upstream *u, bool inside)
{
    return inside || u->entry->public_internet;
}

/* --- by what right --- */

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
    return of_server(km_json_get(r->json, "mcp_tool_permissions"), u) ||
           of_server(km_json_get(r->json, "mcp_modes"), u);
}

bool km_mcp_rights_virtual(const struct km_mcp_rights *r, const struct km_mcp_virtual *v,
                           bool *ret_said)
{
    const struct km_json *groups = r ? km_json_get(r->json, "mcp_access_groups") : NULL;

    *ret_said = r && (in_json(km_json_get(r->json, "mcp_servers"), v->name) ||
                      of_name(km_json_get(r->json, "mcp_tool_permissions"), v->name));
    for (size_t i = 0; i < v->entry.access_groups.n; i++)
        *ret_said = *ret_said || in_json(groups, v->entry.access_groups.v[i]);
    return !r || v->entry.allow_all_keys || *ret_said;
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

/* Both lists hold: a tool that is in each is not there, as LiteLLM lists it. */
static bool configured(const struct km_mcp_upstream *u, struct km_str tool)
{
    return (!u->entry->allowed_tools.n || listed(&u->entry->allowed_tools, u, tool)) &&
           !listed(&u->entry->disallowed_tools, u, tool);
}

/* Is it in the list, by its own name or by the one it is shown under?  No list: yes. */
static bool permits(const struct km_json *list, const struct km_mcp_member *m, struct km_str tool)
{
    const struct km_mcp_pick *pick = m->part ? km_mcp_part_pick(m->part, KM_MCP_TOOLS, tool) : NULL;
    struct km_json_iter it;
    const struct km_json *v;
    struct km_str key, s;

    if (!list)
        return true;
    for (km_json_iter(list, &it); km_json_next(&it, &key, &v);)
        if (km_json_string(v, &s) &&
            (same_tool(s, m->upstream, tool) || (pick && km_str_eq(s, pick->dress.name))))
            return true;
    return false;
}

bool km_mcp_rights_tool(const struct km_mcp_rights *r, const struct km_mcp_member *m,
                        struct km_str tool)
{
    const struct km_json *tools = r ? km_json_get(r->json, "mcp_tool_permissions") : NULL;

    return configured(m->upstream, tool) && permits(of_server(tools, m->upstream), m, tool) &&
           (!m->virtual || permits(of_name(tools, m->virtual->name), m, tool));
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

/* What may be given to the tool by allowed_params; NULL: anything. */
static const struct km_node *configured_params(const struct km_mcp_upstream *u, struct km_str tool)
{
    const struct km_node *all = u->entry->allowed_params;

    for (size_t i = 0; all && i < all->n; i++)
        if (same_tool(all->k[i]->text, u, tool))
            return all->v[i];
    return NULL;
}

/* What may be given to the tool by one server's part of mcp_param_permissions; NULL: anything. */
static const struct km_json *params_of(const struct km_json *tools, const struct km_mcp_member *m,
                                       struct km_str tool)
{
    struct km_json_iter it;
    const struct km_json *v, *found = NULL;
    struct km_str key;

    for (km_json_iter(tools, &it); km_json_next(&it, &key, &v);)
        if (same_tool(key, m->upstream, tool))
            found = v;
    return found;
}

int km_mcp_rights_args(const struct km_mcp_rights *r, const struct km_mcp_member *m,
                       struct km_str tool, const struct km_json *args, struct km_err *err)
{
    const struct km_node *own = configured_params(m->upstream, tool);
    const struct km_json *all = r ? km_json_get(r->json, "mcp_param_permissions") : NULL, *v;
    const struct km_json *keys = params_of(of_server(all, m->upstream), m, tool);
    const struct km_json *seen = m->virtual ? params_of(of_name(all, m->virtual->name), m, tool)
                                            : NULL;
    enum km_json_type kind = km_json_kind(args);
    struct km_json_iter it;
    struct km_str key;

    /* In another form a server could take for parameters what nobody here did. */
    if (kind != KM_JSON_OBJECT && kind != KM_JSON_NULL && kind != KM_JSON_ABSENT)
        return km_fail(err, KM_E_INVALID, "arguments must be an object");
    for (km_json_iter(args, &it); km_json_next(&it, &key, &v);)
        if ((own && !in_node(own, key)) || (keys && !in_json(keys, key)) ||
            (seen && !in_json(seen, key)))
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
