/* SPDX-License-Identifier: Apache-2.0 */
/* meta.c - what a client reads before it logs in, and the challenge that sends it there.
 *
 *     401  WWW-Authenticate: Bearer resource_metadata=".../oauth-protected-resource/mcp"
 *      -> {"resource", "authorization_servers"}       (RFC 9728)
 *      -> {"authorization_endpoint", ...}             (RFC 8414; ours, or another issuer's)
 *
 * Every path that asks for a key is a protected resource and has its document; of others there is
 * none, so that a wrong address is found at once.  The name of the issuer is the base alone.
 */
#include "door/oauth/oauth.h"

#include "door/jwt/auth.h"
#include "door/reply.h"
#include "http/json_out.h"
#include "sys/listener.h"

#define DOCUMENT_BYTES (64 * 1024)
#define NO_STORE "Cache-Control: no-store\r\n"

/* "http://127.0.0.1:4000": its first address; empty: it has none. */
static struct km_str listening(const struct km_worker *w, struct km_arena *arena)
{
    const struct km_listener *l = w->listeners;
    char url[KM_LISTEN_URL];

    if (!w->nlisteners || !km_listen_url(l->fd, l->entry < w->ntls && w->tls[l->entry], url))
        return KM_STR_NONE;
    return km_arena_str(arena, km_str_c(url));
}

struct km_str km_oauth_base_of(const struct km_visit *v, struct km_str host, bool secure,
                               struct km_arena *arena)
{
    struct km_str given = v->view->snap->oauth->public_url;

    while (given.n && given.p[given.n - 1] == '/')
        given.n--;
    if (given.n)
        return km_arena_str(arena, given);
    if (v->local)
        given = listening(v->w, arena);
    if (given.n)
        return given;
    return km_arena_cat(arena,
                        (struct km_str[]){ secure ? KM_STR("https://") : KM_STR("http://"),
                                           host.n ? host : KM_STR("localhost") },
                        2);
}

struct km_str km_oauth_base(const struct km_visit *v)
{
    return km_oauth_base_of(v, km_exchange_request(v->x)->host, km_exchange_secure(v->x),
                            km_exchange_arena(v->x));
}

bool km_oauth_can_log_in(const struct km_snapshot *snap)
{
    return km_oauth_serves(snap) || (!snap->auth_off && km_jwt_issuers(snap));
}

static bool asks_for_key(enum km_auth_level level)
{
    return level == KM_AUTH_KEY || level == KM_AUTH_LOGIN || level == KM_AUTH_CALL ||
           level == KM_AUTH_PASS;
}

/* Does some method of the path ask for a key? */
static bool is_protected(const struct km_visit *v, struct km_str path)
{
    static const char *const methods[] = { "POST", "GET" };
    struct km_route_match match;
    struct km_str allow;

    for (size_t i = 0; i < 2; i++)
        if (km_router_find(v->view->snap->router, km_str_c(methods[i]), path, &match, &allow) == 0)
            return asks_for_key(match.route->auth);
    return false;
}

static void nothing_here(struct km_visit *v, const char *what)
{
    struct km_err err = { 0 };

    km_fail(&err, KM_E_NOT_FOUND, "%s", what);
    km_reply_error(v, &err);
}

static void reply_document(struct km_visit *v, struct km_buf *out)
{
    struct km_err err = { 0 };

    if (!km_buf_failed(out)) {
        km_exchange_respond(v->x, 200, KM_STR("Content-Type: application/json\r\n" NO_STORE),
                            km_buf_view(out));
        return;
    }
    km_fail(&err, KM_E_NOMEM, "out of memory");
    km_reply_error(v, &err);
}

static void out_list(struct km_json_out *o, const char *key, const char *const *words, size_t n)
{
    km_out_key(o, key);
    km_out_open(o, '[');
    for (size_t i = 0; i < n; i++)
        km_out_cstr(o, words[i]);
    km_out_close(o, ']');
}

#define LIST(o, key, ...)                                                                          \
    out_list(o, key, (const char *const[]){ __VA_ARGS__ },                                         \
             sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *))

static void out_url(struct km_json_out *o, struct km_visit *v, const char *key, const char *path)
{
    km_out_member(o, key,
                  km_arena_cat(km_exchange_arena(v->x),
                               (struct km_str[]){ km_oauth_base(v), km_str_c(path) }, 2));
}

void km_oauth_resource_metadata(void *visit, struct km_exchange *x,
                                const struct km_route_match *match)
{
    struct km_visit *v = visit;
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(DOCUMENT_BYTES);
    struct km_json_out o;
    struct km_str path = KM_STR_NONE;

    if (match->nparams)
        path = km_arena_cat(km_exchange_arena(x),
                            (struct km_str[]){ KM_STR("/"), match->params[0] }, 2);
    if (!km_oauth_can_log_in(v->view->snap) || (path.n && !is_protected(v, path))) {
        nothing_here(v, "There is no protected resource at this path.");
        return;
    }
    km_json_out_init(&o, &out);
    km_out_open(&o, '{');
    km_out_member(
        &o, "resource",
        km_arena_cat(km_exchange_arena(x), (struct km_str[]){ km_oauth_base(v), path }, 2));
    km_out_key(&o, "authorization_servers");
    km_out_open(&o, '[');
    if (km_oauth_serves(v->view->snap))
        km_out_str(&o, km_oauth_base(v));
    else
        km_jwt_each_issuer(v->view->snap, &o);
    km_out_close(&o, ']');
    if (km_oauth_serves(v->view->snap))
        LIST(&o, "scopes_supported", KM_OAUTH_SCOPE);
    LIST(&o, "bearer_methods_supported", "header");
    km_out_member(&o, "resource_name", KM_STR("kanmon"));
    km_out_close(&o, '}');
    reply_document(v, &out);
}

void km_oauth_server_metadata(void *visit, struct km_exchange *x,
                              const struct km_route_match *match)
{
    struct km_visit *v = visit;
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(DOCUMENT_BYTES);
    struct km_json_out o;

    (void)x;
    /* The issuer has no path; older clients ask below the one of the endpoint all the same. */
    if (!km_oauth_serves(v->view->snap) ||
        (match->nparams &&
         !is_protected(v, km_arena_cat(km_exchange_arena(v->x),
                                       (struct km_str[]){ KM_STR("/"), match->params[0] }, 2)))) {
        nothing_here(v, "There is no authorization server here.");
        return;
    }
    km_json_out_init(&o, &out);
    km_out_open(&o, '{');
    km_out_member(&o, "issuer", km_oauth_base(v));
    out_url(&o, v, "authorization_endpoint", "/oauth/authorize");
    out_url(&o, v, "token_endpoint", "/oauth/token");
    out_url(&o, v, "registration_endpoint", "/oauth/register");
    out_url(&o, v, "revocation_endpoint", "/oauth/revoke");
    out_url(&o, v, "introspection_endpoint", "/oauth/introspect");
    LIST(&o, "scopes_supported", KM_OAUTH_SCOPE);
    LIST(&o, "response_types_supported", "code");
    LIST(&o, "response_modes_supported", "query");
    LIST(&o, "grant_types_supported", "authorization_code", "refresh_token");
    LIST(&o, "token_endpoint_auth_methods_supported", "none");
    LIST(&o, "revocation_endpoint_auth_methods_supported", "none");
    LIST(&o, "code_challenge_methods_supported", "S256");
    km_out_key(&o, "client_id_metadata_document_supported");
    km_out_bool(&o, true);
    km_out_key(&o, "authorization_response_iss_parameter_supported");
    km_out_bool(&o, true);
    km_out_close(&o, '}');
    reply_document(v, &out);
}
