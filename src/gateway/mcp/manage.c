/* SPDX-License-Identifier: Apache-2.0 */
/* manage.c - LiteLLM's lists of MCP servers, for clients made for it.
 *
 *     GET /v1/mcp/server               those the key may use: [{"server_id", "server_name", ...}]
 *     GET /v1/mcp/server/health        [{"server_id", "status"}]; ?server_ids= chooses
 *     GET /v1/mcp/server/{server}      one, by id, name or alias
 *     GET /v1/mcp/access_groups        {"access_groups": [...]}
 *
 * A secret is in none of them; address and command are for the administrator.  Servers are added,
 * changed and removed by admin/mcp_servers.c, with the same paths.
 */
#include "gateway/mcp/manage.h"

#include "base/time.h"
#include "gateway/mcp/access.h"
#include "door/reply.h"
#include "http/json_out.h"
#include "gateway/mcp/turn.h"
#include "mcp/ask.h"
#include "mcp/oauth/oauth.h"

#define LIST_BYTES ((size_t)8 * 1024 * 1024)

static const char *const transports[] = { [KM_MCP_SSE] = "sse",
                                          [KM_MCP_HTTP] = "http",
                                          [KM_MCP_STDIO] = "stdio",
                                          [KM_MCP_BUILTIN] = "builtin" };
static const char *const auths[] = {
    "none", "api_key", "bearer_token", "basic", "authorization", "token", "oauth2",
    "oauth2_token_exchange", "aws_sigv4",
};

static const char *health_of(const struct km_mcp_status *s)
{
    if (s->state == KM_MCP_READY)
        return "healthy";
    return s->state == KM_MCP_DOWN || s->state == KM_MCP_DEGRADED ? "unhealthy" : "unknown";
}

static void put_texts(struct km_json_out *o, const char *name, const struct km_str_list *list)
{
    km_out_key(o, name);
    km_out_open(o, '[');
    for (size_t i = 0; i < list->n; i++)
        km_out_str(o, list->v[i]);
    km_out_close(o, ']');
}

static void put_server(struct km_json_out *o, const struct km_mcp_upstream *u, bool admin,
                       struct km_str principal)
{
    struct km_buf info KM_CLEANUP(km_buf_done) = KM_BUF(256 * 1024);
    struct km_str url = u->entry->url, spec = u->entry->spec_path;
    struct km_mcp_status s;
    char when[KM_TIME_ISO_LEN + 1];

    km_mcp_status(u, &s);
    km_out_open(o, '{');
    km_out_member(o, "server_id", u->id);
    km_out_member(o, "server_name", u->name);
    km_out_member(o, "alias", u->alias);
    km_out_member(o, "description", u->entry->description);
    km_out_member(o, "transport", km_str_c(transports[u->transport]));
    km_out_member(o, "auth_type", km_str_c(auths[u->entry->auth]));
    if (admin && url.n) /* behind '?' there may be a secret */
        km_out_member(o, "url", km_str_sub(url, 0, km_str_chr(url, '?')));
    if (admin && spec.n)
        km_out_member(o, "spec_path", km_str_sub(spec, 0, km_str_chr(spec, '?')));
    if (admin && u->entry->command.n)
        km_out_member(o, "command", u->entry->command);
    put_texts(o, "mcp_access_groups", &u->entry->access_groups);
    put_texts(o, "allowed_tools", &u->entry->allowed_tools);
    km_out_key(o, "allow_all_keys");
    km_out_raw(o, u->entry->allow_all_keys ? KM_STR("true") : KM_STR("false"));
    km_out_key(o, "is_byok");
    km_out_bool(o, u->entry->byok);
    if (u->entry->byok) {
        put_texts(o, "byok_description", &u->entry->byok_description);
        km_out_member(o, "byok_api_key_help_url", u->entry->byok_help_url);
    }
    if (u->entry->byok && u->oauth && principal.n) {
        km_out_key(o, "has_user_credential");
        km_out_bool(o, km_mcp_byok_since(u->oauth, principal) != 0);
    }
    if (u->entry->info) {
        km_node_json(u->entry->info, &info);
        km_out_key(o, "mcp_info");
        km_out_raw(o, km_buf_failed(&info) ? KM_STR("{}") : km_buf_view(&info));
    }
    km_out_member(o, "status", km_str_c(health_of(&s)));
    km_time_iso(s.last_ok_us, when);
    if (s.last_ok_us)
        km_out_member(o, "last_health_check", km_str_c(when));
    if (s.why[0])
        km_out_member(o, "health_check_error", km_str_c(s.why));
    km_out_close(o, '}');
}

void km_mcp_manage_json(const struct km_mcp_upstream *u, bool admin, struct km_str principal,
                        struct km_buf *out)
{
    struct km_json_out o;

    km_json_out_init(&o, out);
    put_server(&o, u, admin, principal);
}

static void put_health(struct km_json_out *o, const struct km_mcp_upstream *u)
{
    struct km_mcp_status s;

    km_mcp_status(u, &s);
    km_out_open(o, '{');
    km_out_member(o, "server_id", u->id);
    km_out_member(o, "status", km_str_c(health_of(&s)));
    km_out_close(o, '}');
}

/* Is it named in the query, where that names any? */
static bool asked_for(const struct km_visit *v, const struct km_mcp_upstream *u)
{
    struct km_str list, part;

    if (!km_query_get(km_exchange_arena(v->x), km_exchange_request(v->x)->query,
                      KM_STR("server_ids"), &list))
        return true;
    while (km_str_split(&list, ',', &part))
        if (km_str_eq(km_str_trim(part), u->id) || km_str_eq(km_str_trim(part), u->name))
            return true;
    return false;
}

static void give(struct km_visit *v, const struct km_buf *b)
{
    struct km_err err = { 0 };

    if (!km_buf_failed(b)) {
        km_reply_json(v, 200, km_buf_view(b));
        return;
    }
    km_fail(&err, KM_E_LIMIT, "the list of MCP servers is too large");
    km_reply_error(v, &err);
}

static void list_servers(struct km_visit *v, bool health)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(LIST_BYTES);
    const struct km_mcp_rights *rights = km_mcp_rights_of(v, km_exchange_arena(v->x));
    const struct km_mcp_set *set = v->view->snap->mcp;
    bool inside = km_mcp_inside(v, &km_exchange_request(v->x)->headers);
    struct km_str principal = km_mcp_principal(v, km_exchange_arena(v->x));
    struct km_json_out o;

    km_json_out_init(&o, &b);
    km_out_open(&o, '[');
    for (size_t i = 0; set && i < set->n; i++) {
        if (km_mcp_grants_place(set->v[i], inside) != KM_GRANTED ||
            km_mcp_grants_server(rights, set->v[i]) != KM_GRANTED ||
            (health && !asked_for(v, set->v[i])))
            continue;
        if (health)
            put_health(&o, set->v[i]);
        else
            put_server(&o, set->v[i], v->who.admin, principal);
    }
    km_out_close(&o, ']');
    give(v, &b);
}

static void on_list(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    (void)x;
    (void)match;
    list_servers(visit, false);
}

static void on_health(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    (void)x;
    (void)match;
    list_servers(visit, true);
}

static void on_one(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(LIST_BYTES);
    struct km_visit *v = visit;
    const struct km_mcp_rights *rights = km_mcp_rights_of(v, km_exchange_arena(x));
    struct km_mcp_upstream *u =
        v->view->snap->mcp ? km_mcp_set_find(v->view->snap->mcp, match->params[0]) : NULL;
    struct km_err err = { 0 };

    if (!u || km_mcp_grants_server(rights, u) != KM_GRANTED ||
        km_mcp_grants_place(u, km_mcp_inside(v, &km_exchange_request(x)->headers)) != KM_GRANTED) {
        km_fail(&err, KM_E_NOT_FOUND, "There is no MCP server '%.*s' here for this key.",
                KM_STR_ARG(km_str_sub(match->params[0], 0, 100)));
        km_reply_error(v, &err);
        return;
    }
    km_mcp_manage_json(u, v->who.admin, km_mcp_principal(v, km_exchange_arena(x)), &b);
    give(v, &b);
}

static bool before(const struct km_mcp_set *set, size_t server, size_t group)
{
    struct km_str name = set->v[server]->entry->access_groups.v[group];

    for (size_t i = 0; i <= server; i++)
        for (size_t k = 0; k < set->v[i]->entry->access_groups.n; k++) {
            if (i == server && k == group)
                return false;
            if (km_str_eq(set->v[i]->entry->access_groups.v[k], name))
                return true;
        }
    return false;
}

static void on_groups(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(LIST_BYTES);
    struct km_visit *v = visit;
    const struct km_mcp_set *set = v->view->snap->mcp;
    struct km_json_out o;

    (void)x;
    (void)match;
    km_json_out_init(&o, &b);
    km_out_open(&o, '{');
    km_out_key(&o, "access_groups");
    km_out_open(&o, '[');
    for (size_t i = 0; set && i < set->n; i++)
        for (size_t k = 0; k < set->v[i]->entry->access_groups.n; k++)
            if (!before(set, i, k))
                km_out_str(&o, set->v[i]->entry->access_groups.v[k]);
    km_out_close(&o, ']');
    km_out_close(&o, '}');
    give(v, &b);
}

static const struct km_route rows[] = {
    { "GET", "/v1/mcp/server", on_list, KM_AUTH_KEY, NULL },
    { "GET", "/v1/mcp/server/health", on_health, KM_AUTH_KEY, NULL },
    { "GET", "/v1/mcp/server/{server}", on_one, KM_AUTH_KEY, NULL },
    { "GET", "/v1/mcp/access_groups", on_groups, KM_AUTH_ADMIN, NULL },
};

const struct km_route_rows km_mcp_manage_routes = { rows, sizeof rows / sizeof rows[0] };
