/* SPDX-License-Identifier: Apache-2.0 */
/* oauth.c - logging in to the servers behind us: who asks, where the browser comes back.
 *
 *     POST /v1/mcp/server/{server}/login   {"url": ...}: to be opened in a browser by whoever asks
 *     GET  /oauth/mcp/callback             the browser comes back with a code, or a refusal
 *     GET  /oauth/mcp/client.json          who kanmon is, for servers that read such documents
 *
 * The callback asks for no key: its state is known to nobody but the browser that was sent away
 * by us and the authorization server.
 */
#include "gateway/mcp/oauth.h"

#include "base/encode.h"
#include "gateway/mcp/turn.h"
#include "door/oauth/access.h"
#include "gateway/mcp/access.h"
#include "gateway/mcp/login.h"
#include "door/reply.h"
#include "http/json_out.h"
#include "mcp/oauth/oauth.h"

static struct km_str own_url(const struct km_visit *v, const char *path)
{
    return km_arena_cat(km_exchange_arena(v->x),
                        (struct km_str[]){ km_oauth_base(v), km_str_c(path) }, 2);
}

/* By itself, or through a virtual server, which is what the caller's key names then. */
static bool may_use(const struct km_visit *v, const struct km_mcp_upstream *u)
{
    const struct km_mcp_rights *rights = km_mcp_rights_of(v, km_exchange_arena(v->x));
    const struct km_mcp_set *set = v->view->snap->mcp;
    enum km_right right = km_mcp_grants_server(rights, u);
    bool inside = km_mcp_inside(v, &km_exchange_request(v->x)->headers), said;

    for (size_t i = 0; right != KM_GRANTED && i < set->nvirtuals; i++)
        for (size_t k = 0; right != KM_GRANTED && k < set->virtuals[i]->nparts; k++)
            if (set->virtuals[i]->parts[k].upstream == u)
                right = km_mcp_grants_virtual(rights, set->virtuals[i], &said);
    return right == KM_GRANTED && km_mcp_grants_place(u, inside) == KM_GRANTED;
}

struct km_mcp_upstream *km_mcp_login_server(const struct km_visit *v, struct km_str name)
{
    struct km_mcp_upstream *u =
        v->view->snap->mcp ? km_mcp_set_find(v->view->snap->mcp, name) : NULL;

    return u && u->oauth && may_use(v, u) ? u : NULL;
}

static void login(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    struct km_visit *v = visit;
    struct km_mcp_upstream *u = km_mcp_login_server(v, match->params[0]);
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(20 * 1024);
    struct km_err err = { 0 };
    struct km_str url;

    if (!u) {
        km_fail(&err, KM_E_NOT_FOUND, "There is no server '%.*s' here that one can log in to.",
                KM_STR_ARG(km_str_sub(match->params[0], 0, 100)));
        km_reply_error(v, &err);
        return;
    }
    if (km_mcp_oauth_exchanges(u->oauth)) {
        (void)km_mcp_exchange_told(u->oauth, &err);
        err.code = KM_E_UNSUPPORTED; /* another login here would not help */
        km_reply_error(v, &err);
        return;
    }
    if (km_mcp_oauth_by_client(u->oauth)) {
        km_fail(&err, KM_E_UNSUPPORTED,
                "'%.*s' needs no login: kanmon has an account of its own there",
                KM_STR_ARG(u->name));
        km_reply_error(v, &err);
        return;
    }
    if (u->entry->oauth.shared && !u->personal && !v->who.admin) {
        km_fail(&err, KM_E_FORBIDDEN,
                "The login at '%.*s' serves all callers: the administrator makes it.",
                KM_STR_ARG(u->name));
        km_reply_error(v, &err);
        return;
    }
    url = km_mcp_login_url(v, km_oauth_base(v), u, km_exchange_arena(x));
    km_buf_str(&out, KM_STR("{\"url\":"));
    km_buf_json(&out, url);
    km_buf_byte(&out, '}');
    km_reply_json(v, 200, km_buf_view(&out));
}

struct back { /* a browser that came back */
    struct km_visit *v;
    struct km_mcp_upstream *u; /* referenced */
    struct km_mcp_callback said;
};

static void on_back(void *ctx, struct km_str principal, const struct km_err *err)
{
    struct back *b = ctx;
    struct km_mcp_upstream *u = b->u; /* the answer ends the exchange, and b with it */

    if (err) {
        km_oauth_page_error(b->v, err);
    } else {
        km_mcp_upstream_logged_in(b->v->w->gw->mcp, u, principal);
        km_oauth_page_done(b->v, "You are logged in",
                           "kanmon can reach the server for you now. Close this window.");
    }
    km_mcp_upstream_unref(u);
}

/* The server whose log-in it is of takes it; false: nobody's. */
static bool offer_back(struct back *b)
{
    const struct km_mcp_set *set = b->v->view->snap->mcp;
    const struct km_mcp_oauth_on on = { b->v->w->loop, b->v->w->client };

    for (size_t i = 0; b->said.state.n && set && i < set->n; i++) {
        if (!set->v[i]->oauth)
            continue;
        b->u = km_mcp_upstream_ref(set->v[i]);
        if (km_mcp_oauth_callback(b->u->oauth, &on, &b->said, on_back, b))
            return true;
        km_mcp_upstream_unref(b->u);
    }
    return false;
}

static void callback(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    static const struct {
        const char *name;
        size_t offset;
    } fields[] = { { "state", offsetof(struct km_mcp_callback, state) },
                   { "code", offsetof(struct km_mcp_callback, code) },
                   { "iss", offsetof(struct km_mcp_callback, iss) },
                   { "error", offsetof(struct km_mcp_callback, error) } };
    struct km_visit *v = visit;
    struct back *b = km_arena_zalloc(km_exchange_arena(x), sizeof *b);
    struct km_err err = { 0 };
    int r = b ? 0 : km_fail(&err, KM_E_NOMEM, "out of memory");

    (void)match;
    for (size_t i = 0; r == 0 && i < sizeof fields / sizeof fields[0]; i++)
        r = km_oauth_field(v, km_exchange_request(x)->query, fields[i].name, 4096,
                           (struct km_str *)(void *)((char *)&b->said + fields[i].offset), &err);
    if (r == 0) {
        b->v = v;
        b->said.browser = km_mcp_login_cookie(v);
        if (offer_back(b))
            return;
    }
    if (r == 0)
        km_fail(&err, KM_E_INVALID,
                "This login is not known here: it is over, was used already, or took longer than "
                "ten minutes.");
    km_oauth_page_error(v, &err);
}

static void document(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(8192);
    struct km_visit *v = visit;
    struct km_json_out o;

    (void)x;
    (void)match;
    km_json_out_init(&o, &out);
    km_out_open(&o, '{');
    km_out_member(&o, "client_id", own_url(v, "/oauth/mcp/client.json"));
    km_out_member(&o, "client_name", KM_STR("kanmon"));
    km_out_member(&o, "client_uri", km_oauth_base(v));
    km_out_key(&o, "redirect_uris");
    km_out_open(&o, '[');
    km_out_str(&o, own_url(v, KM_MCP_CALLBACK));
    km_out_close(&o, ']');
    km_out_member_raw(&o, "grant_types", KM_STR("[\"authorization_code\",\"refresh_token\"]"));
    km_out_member_raw(&o, "response_types", KM_STR("[\"code\"]"));
    km_out_member(&o, "token_endpoint_auth_method", KM_STR("none"));
    km_out_close(&o, '}');
    km_reply_json(v, 200, km_buf_view(&out));
}

static const struct km_route rows[] = {
    { "POST", "/v1/mcp/server/{server}/login", login, KM_AUTH_KEY, NULL },
    { "GET", KM_MCP_CALLBACK, callback, KM_AUTH_PUBLIC, NULL },
    { "GET", KM_MCP_LOGIN_PAGE, km_mcp_login_get, KM_AUTH_PUBLIC, NULL },
    { "POST", KM_MCP_LOGIN_PAGE, km_mcp_login_post, KM_AUTH_PUBLIC, NULL },
    { "GET", "/oauth/mcp/client.json", document, KM_AUTH_WEB, NULL },
};

const struct km_route_rows km_mcp_oauth_routes = { rows, sizeof rows / sizeof rows[0] };
