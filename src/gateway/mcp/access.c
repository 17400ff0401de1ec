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

/* Of a permission that cannot be read: to nothing at all. */
static const struct km_mcp_rights unreadable = { .text = { "null", 4 } };

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

/* A key's object_permission; empty: it has none, and may use everything.  KM_DENIED: what stands
 * there is no permission, and nobody knows what was meant. */
KM_MUST_USE static enum km_right find_permission(const struct km_visit *v, struct km_str *ret)
{
    static const struct km_str names[] = { { "object_permission", 17 } };
    const struct km_mcp_general *general =
        km_config_get(v->view->snap->config, &km_mcp_general_table);
    struct km_str extra = v->who.key->row.extra;
    struct km_json_span span = { .type = KM_JSON_ABSENT };

    if (extra.n && km_json_spans(extra, names, 1, &span, NULL, NULL) < 0)
        return KM_DENIED;
    switch (span.type) {
    case KM_JSON_OBJECT:
        *ret = km_json_value(extra, &span);
        return KM_GRANTED;
    case KM_JSON_ABSENT:
    case KM_JSON_NULL:
        *ret = general->keys_need_grant ? KM_STR("{}") : KM_STR_NONE;
        return KM_GRANTED;
    default:
        return KM_DENIED;
    }
}

const struct km_mcp_rights *km_mcp_rights_of(const struct km_visit *v, struct km_arena *arena)
{
    struct km_mcp_rights *r;
    struct km_str text;

    if (!v->who.key)
        return NULL;
    if (find_permission(v, &text) != KM_GRANTED)
        return &unreadable;
    if (!text.n)
        return NULL;
    r = km_arena_zalloc(arena, sizeof *r);
    if (!r || km_json_parse(arena, text, &r->json, NULL) < 0)
        return &unreadable;
    r->text = text;
    return r;
}

/* A permission without an object in it grants nothing. */
static bool is_read(const struct km_mcp_rights *r)
{
    return !r || km_json_kind(r->json) == KM_JSON_OBJECT;
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
                                  .era = in->era,
                                  .headers = &in->headers };
}

struct km_mcp_asker km_mcp_turn_asker(const struct km_mcp_turn *t)
{
    struct km_mcp_asker asker = km_mcp_arrival_asker(t->in, t->capabilities);

    asker.rights = km_mcp_rights_text(km_mcp_rights_of(t->in->visit, t->arena));
    asker.session = t->session ? km_str(t->session->id, KM_MCP_SESSION_ID_LEN) : t->client;
    return asker;
}

static bool names_server(struct km_str name, const struct km_mcp_upstream *u)
{
    return km_str_eq(name, u->name) || km_str_eq(name, u->alias) || km_str_eq(name, u->id);
}

/* A member of a map of servers, by any of its names. */
static const struct km_json *of_server(const struct km_json *map, const struct km_mcp_upstream *u)
{
    struct km_json_iter it;
    const struct km_json *v;
    struct km_str key;

    for (km_json_iter(map, &it); km_json_next(&it, &key, &v);)
        if (names_server(key, u))
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

/* One element of a list; of Forwarded only what it says in "for" (RFC 7239, 4).  *named: it names
 * an address. */
static bool private_element(struct km_str element, bool forwarded, bool *named)
{
    struct km_str pair;

    *named = *named || !forwarded;
    if (!forwarded)
        return private_text(element);
    while (km_str_split(&element, ';', &pair)) {
        pair = km_str_trim(pair);
        if (!km_str_istarts(pair, KM_STR("for=")))
            continue;
        *named = true;
        if (!private_text(km_str_skip(pair, 4)))
            return false;
    }
    return true;
}

bool km_mcp_inside(const struct km_visit *v, const struct km_headers *headers)
{
    const union km_addr *peer = v->x ? km_exchange_peer(v->x) : &v->peer;

    bool named = false;

    if (!v->local && !km_addr_private(peer))
        return false;
    for (size_t i = 0; i < headers->n; i++) {
        struct km_str name = headers->v[i].name, list = headers->v[i].value, element;
        bool forwarded = km_str_ieq(name, KM_STR("forwarded"));

        if (!forwarded && !km_str_ieq(name, KM_STR("x-forwarded-for")) &&
            !km_str_ieq(name, KM_STR("x-real-ip")))
            continue;
        while (km_str_split(&list, ',', &element))
            if (!private_element(element, forwarded, &named))
                return false;
    }
    return named || !km_forwarded_by(headers).n; /* it does not say for whom: for anybody */
}

enum km_right km_mcp_grants_place(const struct km_mcp_upstream *u, bool inside)
{
    return km_right_if(inside || u->entry->public_internet);
}

/* --- by what right --- */

/* A mode opens a server that is part of kanmon; what is no text opens none. */
static bool has_mode(const struct km_mcp_rights *r, const struct km_mcp_upstream *u)
{
    struct km_str mode;

    return u->builtin && km_json_string(of_server(km_json_get(r->json, "mcp_modes"), u), &mode) &&
           mode.n;
}

enum km_right km_mcp_grants_server(const struct km_mcp_rights *r, const struct km_mcp_upstream *u)
{
    const struct km_json *servers, *groups;

    if (!is_read(r))
        return KM_DENIED;
    if (!r || u->entry->allow_all_keys)
        return KM_GRANTED;
    servers = km_json_get(r->json, "mcp_servers");
    groups = km_json_get(r->json, "mcp_access_groups");
    if (in_json(servers, u->name) || in_json(servers, u->alias) || in_json(servers, u->id))
        return KM_GRANTED;
    for (size_t i = 0; i < u->entry->access_groups.n; i++)
        if (in_json(groups, u->entry->access_groups.v[i]))
            return KM_GRANTED;
    return km_right_if(of_server(km_json_get(r->json, "mcp_tool_permissions"), u) ||
                       has_mode(r, u));
}

enum km_right km_mcp_grants_virtual(const struct km_mcp_rights *r, const struct km_mcp_virtual *v,
                                    bool *ret_said)
{
    const struct km_json *groups = r ? km_json_get(r->json, "mcp_access_groups") : NULL;

    *ret_said = r && (in_json(km_json_get(r->json, "mcp_servers"), v->name) ||
                      of_name(km_json_get(r->json, "mcp_tool_permissions"), v->name));
    for (size_t i = 0; i < v->entry.access_groups.n; i++)
        *ret_said = *ret_said || in_json(groups, v->entry.access_groups.v[i]);
    return km_right_if(is_read(r) && (!r || v->entry.allow_all_keys || *ret_said));
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

/* A part of a permission that is there in another form than a map says nothing that can be
 * judged; null says nothing at all. */
static bool is_map(const struct km_json *v)
{
    enum km_json_type kind = km_json_kind(v);

    return kind == KM_JSON_OBJECT || kind == KM_JSON_ABSENT || kind == KM_JSON_NULL;
}

/* Is it in the list, by its own name or by the one it is shown under?  No list: yes; what is no
 * list has nothing in it. */
static bool permits(const struct km_json *list, const struct km_mcp_member *m, struct km_str tool)
{
    const struct km_mcp_pick *pick = m->part ? km_mcp_part_pick(m->part, KM_MCP_TOOLS, tool) : NULL;
    struct km_json_iter it;
    const struct km_json *v;
    struct km_str key, s;

    if (!list)
        return true;
    for (km_json_iter(list, &it); km_json_next(&it, &key, &v);)
        if (!key.n && km_json_string(v, &s) &&
            (same_tool(s, m->upstream, tool) || (pick && km_str_eq(s, pick->dress.name))))
            return true;
    return false;
}

/* A server may be named more than once, by its name, alias and id: then each of them holds. */
enum km_right km_mcp_grants_tool(const struct km_mcp_rights *r, const struct km_mcp_member *m,
                                 struct km_str tool)
{
    const struct km_json *tools = r ? km_json_get(r->json, "mcp_tool_permissions") : NULL, *v;
    struct km_json_iter it;
    struct km_str name;

    if (!is_read(r) || !is_map(tools) || !configured(m->upstream, tool))
        return KM_DENIED;
    for (km_json_iter(tools, &it); km_json_next(&it, &name, &v);)
        if ((names_server(name, m->upstream) ||
             (m->virtual && km_str_eq(name, m->virtual->name))) &&
            !permits(v, m, tool))
            return KM_DENIED;
    return KM_GRANTED;
}

/* --- its arguments --- */

static bool in_node(const struct km_node *list, struct km_str name)
{
    for (size_t i = 0; i < list->n; i++)
        if (km_str_eq(list->v[i]->text, name))
            return true;
    return false;
}

KM_MUST_USE static enum km_right refuse(struct km_str arg, struct km_str tool, struct km_err *err)
{
    km_fail(err, KM_E_FORBIDDEN, "Parameter '%.*s' of tool '%.*s' may not be given here.",
            KM_STR_ARG(km_str_sub(arg, 0, 80)), KM_STR_ARG(km_str_sub(tool, 0, 80)));
    return KM_DENIED;
}

/* One list of parameters: of the file, or of a key's permission. */
struct permitted {
    const struct km_node *node;
    const struct km_json *json;
};

static bool may_give(const struct permitted *p, struct km_str name)
{
    return p->node ? in_node(p->node, name)
                   : km_json_kind(p->json) == KM_JSON_ARRAY && in_json(p->json, name);
}

KM_MUST_USE static enum km_right grants_each(const struct permitted *p, const struct km_json *args,
                                             struct km_str tool, struct km_err *err)
{
    struct km_json_iter it;
    const struct km_json *v;
    struct km_str name;

    for (km_json_iter(args, &it); km_json_next(&it, &name, &v);)
        if (!may_give(p, name))
            return refuse(name, tool, err);
    return KM_GRANTED;
}

KM_MUST_USE static enum km_right fail_unreadable(struct km_str tool, struct km_err *err)
{
    km_fail(err, KM_E_FORBIDDEN,
            "What this key may give to tool '%.*s' cannot be read in its object_permission. Who "
            "runs this gateway can set it again.",
            KM_STR_ARG(km_str_sub(tool, 0, 80)));
    return KM_DENIED;
}

/* What one server's part of mcp_param_permissions says of the tool. */
KM_MUST_USE static enum km_right grants_params(const struct km_json *tools,
                                               const struct km_mcp_member *m, struct km_str tool,
                                               const struct km_json *args, bool *held,
                                               struct km_err *err)
{
    struct km_json_iter it;
    const struct km_json *v;
    struct km_str key;

    if (!is_map(tools))
        return fail_unreadable(tool, err);
    for (km_json_iter(tools, &it); km_json_next(&it, &key, &v);) {
        if (!same_tool(key, m->upstream, tool))
            continue;
        *held = true;
        if (grants_each(&(struct permitted){ .json = v }, args, tool, err) != KM_GRANTED)
            return KM_DENIED;
    }
    return KM_GRANTED;
}

KM_MUST_USE static enum km_right grants_configured(const struct km_mcp_upstream *u,
                                                   struct km_str tool, const struct km_json *args,
                                                   bool *held, struct km_err *err)
{
    const struct km_node *all = u->entry->allowed_params;

    for (size_t i = 0; all && i < all->n; i++) {
        if (!same_tool(all->k[i]->text, u, tool))
            continue;
        *held = true;
        if (grants_each(&(struct permitted){ .node = all->v[i] }, args, tool, err) != KM_GRANTED)
            return KM_DENIED;
    }
    return KM_GRANTED;
}

int km_mcp_args_once(const struct km_json *args, struct km_arena *arena, struct km_err *err)
{
    return km_json_unique_folded(args, km_json_fold_case, arena, err);
}

enum km_right km_mcp_grants_args(const struct km_mcp_rights *r, const struct km_mcp_member *m,
                                 struct km_str tool, const struct km_json *args,
                                 struct km_arena *arena, struct km_err *err)
{
    const struct km_json *all = r ? km_json_get(r->json, "mcp_param_permissions") : NULL, *v;
    enum km_json_type kind = km_json_kind(args);
    struct km_json_iter it;
    struct km_str name;
    bool held = false;

    /* In another form a server could take for parameters what nobody here did. */
    if (kind != KM_JSON_OBJECT && kind != KM_JSON_NULL && kind != KM_JSON_ABSENT) {
        km_fail(err, KM_E_INVALID, "arguments must be an object");
        return KM_DENIED;
    }
    if (!is_read(r) || !is_map(all))
        return fail_unreadable(tool, err);
    if (grants_configured(m->upstream, tool, args, &held, err) != KM_GRANTED)
        return KM_DENIED;
    for (km_json_iter(all, &it); km_json_next(&it, &name, &v);)
        if ((names_server(name, m->upstream) ||
             (m->virtual && km_str_eq(name, m->virtual->name))) &&
            grants_params(v, m, tool, args, &held, err) != KM_GRANTED)
            return KM_DENIED;
    if (held && km_mcp_args_once(args, arena, err) < 0)
        return KM_DENIED;
    return KM_GRANTED;
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
