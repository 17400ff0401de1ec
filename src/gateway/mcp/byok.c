/* SPDX-License-Identifier: Apache-2.0 */
/* byok.c - callers' own credentials for servers behind us, by LiteLLM's routes (is_byok).
 *
 *     POST   /v1/mcp/server/{server}/user-credential   {"credential": "..."}: kept, or replaced
 *     GET    ...                                       is there one, and since when
 *     DELETE ...                                       none is kept any more
 *
 * Whoever asks deals with its own credential alone, at servers it may use.  No answer has one.  The
 * page for people is login.c's.
 */
#include "base/time.h"
#include "gateway/mcp/oauth.h"
#include "gateway/mcp/turn.h"
#include "door/reply.h"
#include "http/json_out.h"
#include "mcp/oauth/oauth.h"

#define BODY_BYTES (8 * KM_MCP_BYOK_BYTES) /* its credential, escaped */

/* A request; in the exchange's arena. */
struct asked {
    struct km_visit *v;
    struct km_mcp_upstream *u; /* of the view, which stays as long */
    struct km_str principal;
};

static void answer(const struct asked *a)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    int64_t since = km_mcp_byok_since(a->u->oauth, a->principal);
    char when[KM_TIME_ISO_LEN + 1];
    struct km_json_out o;

    km_json_out_init(&o, &out);
    km_out_open(&o, '{');
    km_out_member(&o, "server_id", a->u->id);
    km_out_key(&o, "has_credential");
    km_out_bool(&o, since != 0);
    km_time_iso(since, when);
    if (since)
        km_out_member(&o, "updated_at", km_str_c(when));
    km_out_close(&o, '}');
    km_reply_json(a->v, 200, km_buf_view(&out));
}

/* NULL: it was answered. */
static struct asked *asked_new(struct km_visit *v, const struct km_route_match *match)
{
    struct asked *a = km_arena_zalloc(km_exchange_arena(v->x), sizeof *a);
    struct km_err err = { 0 };

    if (a) {
        a->v = v;
        a->principal = km_mcp_principal(v, km_exchange_arena(v->x));
        a->u = km_mcp_login_server(v, match->params[0]);
    }
    if (!a || !a->principal.n)
        km_fail(&err, KM_E_NOMEM, "out of memory");
    else if (!a->u || !km_mcp_oauth_by_key(a->u->oauth))
        km_fail(&err, KM_E_NOT_FOUND,
                "There is no server '%.*s' here that takes callers' own credentials (is_byok).",
                KM_STR_ARG(km_str_sub(match->params[0], 0, 100)));
    if (!err.code)
        return a;
    km_reply_error(v, &err);
    return NULL;
}

/* Sessions that began with another one end, and the caller's lists are others now. */
static void keep(const struct asked *a, struct km_str credential)
{
    struct km_err err = { 0 };

    if (km_mcp_byok_set(a->u->oauth, a->principal, credential, &err) < 0) {
        km_reply_error(a->v, &err);
        return;
    }
    km_mcp_upstream_logged_in(a->v->w->gw->mcp, a->u, a->principal);
    answer(a);
}

static void take(const struct asked *a, struct km_str body)
{
    struct km_str credential = KM_STR_NONE;
    const struct km_json *root = NULL;
    struct km_err err = { 0 };
    bool save = true;

    if (km_json_parse(km_exchange_arena(a->v->x), body, &root, &err) < 0)
        root = NULL;
    (void)km_json_bool(km_json_get(root, "save"), &save);
    (void)km_json_string(km_json_get(root, "credential"), &credential);
    credential = km_str_trim(credential);
    if (root && !save) { /* as LiteLLM has it: used by nobody */
        answer(a);
    } else if (!credential.n) {
        km_fail_param(&err, KM_E_INVALID, "credential",
                      "The body is to be {\"credential\": \"...\"}.");
        km_reply_error(a->v, &err);
    } else {
        keep(a, credential);
    }
}

static void on_body(void *ctx, struct km_str body, const struct km_err *err)
{
    const struct asked *a = ctx;

    if (err)
        km_reply_error(a->v, err);
    else
        take(a, body);
}

static void on_gone(void *ctx)
{
    const struct asked *a = ctx;

    km_exchange_abort(a->v->x);
}

static void on_post(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    static const struct km_exchange_events events = { .on_body = on_body, .on_gone = on_gone };
    struct asked *a = asked_new(visit, match);
    struct km_str body = KM_STR_NONE;
    struct km_err err = { 0 };
    int r;

    if (!a)
        return;
    km_exchange_listen(x, &events, a);
    r = km_exchange_body(x, BODY_BYTES, &body, &err);
    if (r == 0)
        take(a, body);
    else if (r != KM_E_AGAIN)
        km_reply_error(a->v, &err);
}

static void on_get(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    const struct asked *a = asked_new(visit, match);

    (void)x;
    if (a)
        answer(a);
}

static void on_delete(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    const struct asked *a = asked_new(visit, match);

    (void)x;
    if (a)
        keep(a, KM_STR_NONE);
}

#define PATH "/v1/mcp/server/{server}/user-credential"

static const struct km_route rows[] = {
    { "POST", PATH, on_post, KM_AUTH_KEY, NULL },
    { "GET", PATH, on_get, KM_AUTH_KEY, NULL },
    { "DELETE", PATH, on_delete, KM_AUTH_KEY, NULL },
};

const struct km_route_rows km_mcp_byok_routes = { rows, sizeof rows / sizeof rows[0] };
