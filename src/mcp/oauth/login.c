/* SPDX-License-Identifier: Apache-2.0 */
/* login.c - a person logs in at the authorization server of an MCP server: the way there; see
 * oauth.h, and back.c for the way back.
 *
 *     login     find ── who are we there? ──> configured
 *                                        ──> the address of our document (CIMD)
 *                                        ──> registered before, else register (RFC 7591)
 *               pending {state, verifier, issuer, client} ── the address for the browser
 *     callback  state -> pending, used up; the same browser; iss as it must be;
 *               code and verifier -> tokens
 *
 * The state holds the log-in: nobody else knows it, and it is good once, for ten minutes.  PKCE is
 * always sent, and an authorization server that does not say it knows S256 is refused, for a code
 * could be stolen there.  What comes back is kept with the issuer it came from, and its refresh
 * token is never shown to another one.
 */
#include <stdlib.h>

#include "base/encode.h"
#include "base/time.h"
#include "http/json_out.h"
#include "llm/token.h"
#include "mcp/oauth/inside.h"

#define TEXT_BYTES ((size_t)4096)

/* --- the way there --- */

struct login {
    struct km_arena arena; /* holds it */
    struct km_mcp_oauth *o; /* referenced */
    struct km_mcp_holder *h;
    struct km_oauth_net net;
    struct km_str redirect, browser;
    km_mcp_oauth_url_fn *fn;
    void *ctx;
    struct km_oauth_find *find;
    struct km_fetch *fetch;
    struct km_oauth_found found;
    struct km_mcp_client client;
    struct km_deferred end; /* its loop ends */
};

static void login_free(struct login *l)
{
    struct km_arena arena = l->arena;

    km_deferred_cancel(&l->end);
    km_mcp_oauth_unref(l->o);
    km_arena_done(&arena);
}

static void finish(struct login *l, struct km_str url, const struct km_err *err)
{
    struct km_err why = { 0 };

    if (err)
        km_fail(&why, err->code, "no login at '%.*s': %s", KM_STR_ARG(l->o->name), err->text);
    l->fn(l->ctx, url, err ? &why : NULL);
    login_free(l);
}

static void on_loop_end(void *ctx)
{
    struct login *l = ctx;

    km_oauth_find_abandon(l->find);
    km_fetch_abandon(l->fetch);
    login_free(l);
}

static int random_text(struct km_arena *arena, struct km_str *ret, struct km_err *err)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(64);
    uint8_t bytes[32];
    int r = km_random(bytes, sizeof bytes, err);

    if (r < 0)
        return r;
    km_buf_base64url(&text, km_str((const char *)bytes, sizeof bytes));
    *ret = km_arena_str(arena, km_buf_view(&text));
    return ret->p ? 0 : km_fail(err, KM_E_NOMEM, "out of memory");
}

static struct km_mcp_pending *pending_new(const struct login *l, struct km_str state,
                                          struct km_str verifier)
{
    struct km_mcp_pending *p = calloc(1, sizeof *p);

    if (!p)
        return NULL;
    km_sha256(state, p->state);
    km_sha256(l->browser, p->browser);
    p->until_us = km_wall_us() + KM_MCP_OAUTH_LOGIN_US;
    p->h = l->h;
    km_mcp_keep(&p->verifier, verifier);
    km_mcp_keep(&p->redirect, l->redirect);
    km_mcp_keep(&p->token_url, l->found.server.token);
    km_mcp_keep(&p->client_id, l->client.id);
    km_mcp_keep(&p->client_secret, l->client.secret);
    km_mcp_keep(&p->resource, l->found.resource.resource);
    km_mcp_keep(&p->issuer, l->found.server.issuer);
    p->says_iss = l->found.server.says_iss;
    p->secret_post = l->found.server.secret_post;
    return p;
}

/* The address for the browser. */
static void ask_person(struct login *l)
{
    struct km_buf url KM_CLEANUP(km_buf_done) = KM_BUF(16 * 1024);
    struct km_buf query KM_CLEANUP(km_buf_done) = KM_BUF(12 * 1024);
    struct km_buf challenge KM_CLEANUP(km_buf_done) = KM_BUF(64);
    struct km_str state, verifier, scope, wanted = KM_STR_NONE;
    struct km_mcp_pending *p = NULL;
    struct km_err err = { 0 };
    uint8_t hash[KM_SHA256_LEN];
    int r = random_text(&l->arena, &state, &err);

    if (r == 0)
        r = random_text(&l->arena, &verifier, &err);
    if (r == 0)
        p = pending_new(l, state, verifier);
    if (!p) {
        if (r == 0)
            km_fail(&err, KM_E_NOMEM, "out of memory");
        finish(l, KM_STR_NONE, &err);
        return;
    }
    pthread_mutex_lock(&l->h->lock);
    wanted = km_arena_str(&l->arena, km_secret_view(&l->h->scope));
    pthread_mutex_unlock(&l->h->lock);
    if (!wanted.n)
        wanted = l->found.scope;
    scope = km_mcp_oauth_scope(l->o, &l->arena, wanted, l->found.resource.scopes);
    km_mcp_keep(&p->scope, scope);
    km_mcp_pending_save(l->o, p, false);
    km_mcp_pending_add(l->o, p);
    km_sha256(verifier, hash);
    km_buf_base64url(&challenge, km_str((const char *)hash, sizeof hash));
    km_token_field(&query, "response_type", KM_STR("code"));
    km_token_field(&query, "client_id", l->client.id);
    km_token_field(&query, "redirect_uri", l->redirect);
    km_token_field(&query, "state", state);
    km_token_field(&query, "code_challenge", km_buf_view(&challenge));
    km_token_field(&query, "code_challenge_method", KM_STR("S256"));
    km_token_field(&query, "resource", l->found.resource.resource);
    km_token_field(&query, "scope", scope);
    km_buf_str(&url, l->found.server.authorization);
    km_buf_byte(&url, km_str_chr(km_buf_view(&url), '?') < url.n ? '&' : '?');
    km_buf_str(&url, km_buf_view(&query));
    if (km_buf_failed(&url) || km_buf_failed(&query)) {
        km_fail(&err, KM_E_LIMIT, "the address would be too long");
        finish(l, KM_STR_NONE, &err);
        return;
    }
    finish(l, km_buf_view(&url), NULL);
}

static void on_registered(void *ctx, const struct km_response *response, struct km_str body,
                          const struct km_err *why)
{
    struct login *l = ctx;
    const struct km_json *root = NULL;
    struct km_err err = { 0 };

    l->fetch = NULL;
    if (!why && response->status / 100 == 2 && km_json_parse(&l->arena, body, &root, NULL) == 0)
        (void)km_json_string(km_json_get(root, "client_id"), &l->client.id);
    (void)km_json_string(km_json_get(root, "client_secret"), &l->client.secret);
    if (!l->client.id.n) {
        km_fail(&err, KM_E_UPSTREAM_STATUS,
                "its authorization server does not register kanmon (%s%d): set client_id",
                why ? why->text : "status ", why ? 0 : response->status);
        finish(l, KM_STR_NONE, &err);
        return;
    }
    pthread_mutex_lock(&l->o->lock);
    km_mcp_keep(&l->o->registered_id, l->client.id);
    km_mcp_keep(&l->o->registered_secret, l->client.secret);
    km_mcp_keep(&l->o->registered_at, l->found.server.issuer);
    km_mcp_keep(&l->o->registered_for, l->redirect);
    pthread_mutex_unlock(&l->o->lock);
    ask_person(l);
}

static void register_client(struct login *l)
{
    struct km_buf body KM_CLEANUP(km_buf_done) = KM_BUF(8192);
    struct km_err err = { 0 };
    struct km_json_out o;

    if (!l->found.server.registration.n) {
        km_fail(&err, KM_E_UNSUPPORTED,
                "its authorization server takes no registrations: set client_id");
        finish(l, KM_STR_NONE, &err);
        return;
    }
    km_json_out_init(&o, &body);
    km_out_open(&o, '{');
    km_out_member(&o, "client_name", KM_STR("kanmon"));
    km_out_key(&o, "redirect_uris");
    km_out_open(&o, '[');
    km_out_str(&o, l->redirect);
    km_out_close(&o, ']');
    km_out_member_raw(&o, "grant_types", KM_STR("[\"authorization_code\",\"refresh_token\"]"));
    km_out_member_raw(&o, "response_types", KM_STR("[\"code\"]"));
    km_out_member(&o, "token_endpoint_auth_method", KM_STR("none"));
    /* SEP-837: a redirect on this machine is a native application's. */
    km_out_member(&o, "application_type",
                  km_str_starts(l->redirect, KM_STR("https://")) ? KM_STR("web")
                                                                 : KM_STR("native"));
    km_out_close(&o, '}');
    l->fetch =
        km_oauth_fetch(&l->net, KM_STR("POST"), l->found.server.registration,
                       KM_STR("Content-Type: application/json\r\nAccept: application/json\r\n"),
                       km_buf_view(&body), on_registered, l, &err);
    if (!l->fetch)
        finish(l, KM_STR_NONE, &err);
}

/* Our own document, where the redirect is on a host of https that is not this machine. */
static bool by_document(struct login *l)
{
    struct km_str origin = km_oauth_origin(l->redirect);

    if (!l->found.server.documents)
        return false;
    if (l->o->document.n) {
        l->client.id = l->o->document;
        return true;
    }
    if (!km_str_starts(origin, KM_STR("https://")))
        return false;
    l->client.id =
        km_arena_cat(&l->arena, (struct km_str[]){ origin, KM_STR("/oauth/mcp/client.json") }, 2);
    return true;
}

static bool registered(struct login *l)
{
    struct km_mcp_oauth *o = l->o;

    pthread_mutex_lock(&o->lock);
    if (o->registered_id.n &&
        km_str_eq(km_secret_view(&o->registered_at), l->found.server.issuer) &&
        km_str_eq(km_secret_view(&o->registered_for), l->redirect)) {
        l->client.id = km_arena_str(&l->arena, km_secret_view(&o->registered_id));
        l->client.secret = km_arena_str(&l->arena, km_secret_view(&o->registered_secret));
    }
    pthread_mutex_unlock(&o->lock);
    return l->client.id.n > 0;
}

static void on_found(void *ctx, const struct km_oauth_found *found, const struct km_err *why)
{
    struct login *l = ctx;
    struct km_err err = { 0 };
    int r = 0;

    l->find = NULL;
    if (why) {
        finish(l, KM_STR_NONE, why);
        return;
    }
    l->found = *found;
    if (!found->server.authorization.n || !found->server.token.n)
        r = km_fail(&err, KM_E_UPSTREAM_PROTOCOL, "its authorization server names no endpoints");
    else if (!found->server.s256)
        r = km_fail(&err, KM_E_UPSTREAM_PROTOCOL,
                    "its authorization server does not say that it knows PKCE with S256");
    l->client = (struct km_mcp_client){ l->o->settings.client_id, l->o->settings.client_secret };
    if (r < 0)
        finish(l, KM_STR_NONE, &err);
    else if (l->client.id.n || by_document(l) || registered(l))
        ask_person(l);
    else
        register_client(l);
}

void km_mcp_oauth_login(struct km_mcp_oauth *o, const struct km_mcp_oauth_on *on,
                        const struct km_mcp_oauth_login_args *args, km_mcp_oauth_url_fn *fn,
                        void *ctx)
{
    struct km_mcp_holder *h = km_mcp_oauth_holder(o, args->principal);
    struct km_oauth_found found;
    struct km_arena arena;
    struct km_err err = { 0 };
    struct km_str metadata_url;
    struct login *l;

    km_arena_init(&arena, KM_MCP_OAUTH_RUN_BYTES, km_loop_arenas(on->loop));
    l = h && !o->by_client ? km_arena_zalloc(&arena, sizeof *l) : NULL;
    if (!l) {
        km_arena_done(&arena);
        km_fail(&err, o->by_client ? KM_E_UNSUPPORTED : KM_E_LIMIT,
                o->by_client ? "'%.*s' needs no login: kanmon has an account of its own there"
                             : "no more logins at '%.*s' can be held",
                KM_STR_ARG(o->name));
        fn(ctx, KM_STR_NONE, &err);
        return;
    }
    l->arena = arena;
    l->o = km_mcp_oauth_ref(o);
    l->h = h;
    l->net = km_mcp_oauth_net(o, on->loop, on->client);
    l->redirect = km_arena_str(&l->arena, args->redirect);
    l->browser = km_arena_str(&l->arena, args->browser);
    l->fn = fn;
    l->ctx = ctx;
    km_deferred_init(&l->end, on->loop, on_loop_end, l);
    km_deferred_at_free(&l->end);
    pthread_mutex_lock(&h->lock);
    metadata_url = km_arena_str(&l->arena, km_secret_view(&h->metadata_url));
    pthread_mutex_unlock(&h->lock);
    if (km_mcp_oauth_configured(o, &found)) {
        on_found(l, &found, NULL);
    } else {
        struct km_oauth_find *find = km_oauth_find(&l->arena, &l->net, metadata_url, on_found, l);

        if (find)
            l->find = find;
    }
}
