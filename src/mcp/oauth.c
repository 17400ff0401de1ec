/* SPDX-License-Identifier: Apache-2.0 */
/* oauth.c - see oauth.h.  Tokens: kept, asked for, made anew.
 *
 *     link ── head() ──> km_refresh ── a run ──> a token of a log-in that has just ended
 *                        (one at a time,    ──> refresh_token          (a log-in some time ago)
 *                         all workers wait) ──> client_credentials     (find, then ask)
 *                                           ──> nobody has logged in: an error that says how
 *
 * A 401 makes the next request wait for another token, unless this one is brand-new.  A 403 with
 * insufficient_scope adds what the server named to what is asked for, at most three times: then
 * its error is the caller's.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/encode.h"
#include "base/time.h"
#include "http/json_out.h"
#include "llm/token.h"
#include "mcp/oauth_inside.h"

#define EARLY_MS 60000
#define STEPS_MOST 3
#define ASSERTION_S 300
#define FORM_LINE "Content-Type: application/x-www-form-urlencoded\r\nAccept: application/json\r\n"

struct token { /* what a refresh makes */
    struct km_refreshed base;
    struct km_secret line; /* "Authorization: Bearer ...\r\n" */
};

struct run {
    struct km_arena arena; /* holds it */
    struct km_refresh_run *run;
    struct km_mcp_holder *h;
    struct km_oauth_net net;
    struct km_oauth_find *find;
    struct km_fetch *fetch;
    struct km_str scope; /* asked for */
    bool refreshing; /* by a refresh token */
};

void km_mcp_keep(struct km_secret *at, struct km_str text)
{
    km_secret_done(at);
    if (text.n && km_secret_init(at, text) < 0)
        *at = (struct km_secret){ 0 };
}

/* --- a token --- */

static void token_free(struct km_refreshed *base)
{
    struct token *t = (struct token *)(void *)base;

    km_secret_done(&t->line);
    free(t);
}

static struct token *token_new(struct km_str access, int64_t expires_us, struct km_err *err)
{
    struct km_buf line KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);
    struct km_buf value KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);
    struct token *t = calloc(1, sizeof *t);
    int r;

    if (!t) {
        km_fail(err, KM_E_NOMEM, "out of memory");
        return NULL;
    }
    atomic_init(&t->base.refs, 1);
    t->base.expires_us = expires_us;
    t->base.free = token_free;
    km_buf_str(&value, KM_STR("Bearer "));
    km_buf_str(&value, access);
    r = km_header_put(&line, KM_STR("Authorization"), km_buf_view(&value), err);
    if (r == 0 && (km_buf_failed(&line) || km_secret_init(&t->line, km_buf_view(&line)) < 0))
        r = km_fail(err, KM_E_NOMEM, "the token is too long");
    km_wipe(value.p, value.n);
    km_wipe(line.p, line.n);
    if (r == 0)
        return t;
    token_free(&t->base);
    return NULL;
}

static void end(struct run *r, struct token *token, const struct km_err *err)
{
    struct km_refresh_run *run = r->run;
    struct km_err why = { 0 };
    struct km_arena arena = r->arena;

    if (err)
        km_fail(&why, err->code, "no token for '%.*s': %s", KM_STR_ARG(r->h->o->name), err->text);
    km_arena_done(&arena);
    run->state = NULL;
    km_refresh_done(run, token ? &token->base : NULL, token ? NULL : &why);
}

static int login_needed(const struct km_mcp_oauth *o, struct km_err *err)
{
    return km_fail(err, KM_E_UNAUTHENTICATED,
                   "a login is needed: POST /v1/mcp/server/%.*s/login gives its address",
                   KM_STR_ARG(o->name));
}

/* --- asking for one --- */

struct km_oauth_net km_mcp_oauth_net(const struct km_mcp_oauth *o, struct km_loop *loop,
                                     struct km_http_client *client)
{
    return (struct km_oauth_net){ .loop = loop,
                                  .client = client,
                                  .tls = o->tls,
                                  .proxies = &o->proxies,
                                  .trusted_hosts = &o->trusted_hosts,
                                  .server_url = o->server_url };
}

bool km_mcp_oauth_configured(const struct km_mcp_oauth *o, struct km_oauth_found *ret)
{
    const struct km_mcp_oauth_settings *s = &o->settings;

    if (!s->token_url.n)
        return false;
    *ret = (struct km_oauth_found){
        .resource = { .resource = o->server_url, .issuer = km_oauth_origin(s->token_url) },
        .server = { .issuer = km_oauth_origin(s->token_url),
                    .authorization = s->authorization_url,
                    .token = s->token_url,
                    .registration = s->registration_url,
                    .s256 = true },
    };
    return true;
}

static bool holds_word(struct km_str words, struct km_str word)
{
    struct km_str one;

    while (km_str_split(&words, ' ', &one))
        if (km_str_eq(one, word))
            return true;
    return false;
}

struct km_str km_mcp_oauth_scope(const struct km_mcp_oauth *o, struct km_arena *arena,
                                 struct km_str challenged, struct km_str supported)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    struct km_str one;

    for (size_t i = 0; i < o->settings.scopes.n; i++) {
        if (b.n)
            km_buf_byte(&b, ' ');
        km_buf_str(&b, o->settings.scopes.v[i]);
    }
    if (!b.n && !challenged.n)
        return supported;
    while (km_str_split(&challenged, ' ', &one)) {
        if (!one.n || holds_word(km_buf_view(&b), one))
            continue;
        if (b.n)
            km_buf_byte(&b, ' ');
        km_buf_str(&b, one);
    }
    return km_arena_str(arena, km_buf_view(&b));
}

/* RFC 7523: a token about ourselves, signed by our key. */
static int assertion(const struct km_mcp_oauth *o, struct km_str client, struct km_str issuer,
                     struct km_buf *out, struct km_err *err)
{
    struct km_buf probe KM_CLEANUP(km_buf_done) = KM_BUF(1024);
    struct km_buf sig KM_CLEANUP(km_buf_done) = KM_BUF(1024);
    struct km_buf claims KM_CLEANUP(km_buf_done) = KM_BUF(8192);
    int64_t now = km_wall_us() / 1000000;
    struct km_json_out j;
    const char *alg = "";
    uint8_t id[16];
    char jti[33], header[64];
    int r = km_random(id, sizeof id, err), n;

    if (r == 0) /* which algorithm the key is for */
        r = km_jws_sign(o->settings.private_key, KM_STR("x"), &probe, &alg, err);
    if (r < 0)
        return r;
    km_hex(jti, id, sizeof id);
    km_json_out_init(&j, &claims);
    km_out_open(&j, '{');
    km_out_member(&j, "iss", client);
    km_out_member(&j, "sub", client);
    km_out_member(&j, "aud", issuer);
    km_out_member(&j, "jti", km_str_c(jti));
    km_out_member_i64(&j, "iat", now);
    km_out_member_i64(&j, "exp", now + ASSERTION_S);
    km_out_close(&j, '}');
    n = snprintf(header, sizeof header, "{\"alg\":\"%s\",\"typ\":\"JWT\"}", alg);
    km_buf_base64url(out, km_str(header, (size_t)n));
    km_buf_byte(out, '.');
    km_buf_base64url(out, km_buf_view(&claims));
    r = km_jws_sign(o->settings.private_key, km_buf_view(out), &sig, &alg, err);
    km_buf_byte(out, '.');
    km_buf_base64url(out, km_buf_view(&sig));
    return r;
}

int km_mcp_oauth_prove(const struct km_mcp_oauth *o, struct km_arena *arena,
                       const struct km_mcp_client *client, bool secret_post, struct km_str issuer,
                       struct km_buf *form, struct km_str *ret_head, struct km_err *err)
{
    struct km_buf pair KM_CLEANUP(km_buf_done) = KM_BUF(8192);
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(16384);
    int r = 0;

    *ret_head = KM_STR(FORM_LINE);
    if (o->settings.private_key.n) {
        r = assertion(o, client->id, issuer, &text, err);
        km_token_field(form, "client_assertion_type",
                       KM_STR("urn:ietf:params:oauth:client-assertion-type:jwt-bearer"));
        km_token_field(form, "client_assertion", km_buf_view(&text));
        km_token_field(form, "client_id", client->id);
    } else if (!client->secret.n || secret_post) {
        km_token_field(form, "client_id", client->id);
        km_token_field(form, "client_secret", client->secret);
    } else {
        km_url_encode(&pair, client->id);
        km_buf_byte(&pair, ':');
        km_url_encode(&pair, client->secret);
        km_buf_str(&text, KM_STR(FORM_LINE "Authorization: Basic "));
        km_buf_base64(&text, km_buf_view(&pair));
        km_buf_str(&text, KM_STR("\r\n"));
        *ret_head = km_arena_str(arena, km_buf_view(&text));
        km_wipe(pair.p, pair.n);
    }
    if (r == 0 && (km_buf_failed(&text) || km_buf_failed(form) || !ret_head->p))
        r = km_fail(err, KM_E_LIMIT, "the request for a token is too long");
    km_wipe(text.p, text.n);
    return r;
}

static void on_tokens(void *ctx, const struct km_response *response, struct km_str body,
                      const struct km_err *why)
{
    struct run *r = ctx;
    struct km_mcp_holder *h = r->h;
    struct km_oauth_tokens t = { 0 };
    struct km_err err = { 0 };
    struct token *token = NULL;

    r->fetch = NULL;
    if (why) {
        end(r, NULL, why);
        return;
    }
    if (km_oauth_tokens_read(&r->arena, response->status, body, &t, &err) == 0)
        token = token_new(t.access, km_wall_us() + t.lifetime_s * 1000000, &err);
    pthread_mutex_lock(&h->lock);
    if (token && t.refresh.n)
        km_mcp_keep(&h->refresh_token, t.refresh);
    if (!token && r->refreshing && km_str_eq(t.error, KM_STR("invalid_grant")))
        km_secret_done(&h->refresh_token); /* it will not become good again */
    pthread_mutex_unlock(&h->lock);
    if (r->refreshing && ((token && t.refresh.n) || km_str_eq(t.error, KM_STR("invalid_grant"))))
        km_mcp_oauth_save(h);
    if (!token && r->refreshing && km_str_eq(t.error, KM_STR("invalid_grant")))
        login_needed(h->o, &err);
    end(r, token, token ? NULL : &err);
}

static void post(struct run *r, struct km_str url, const struct km_mcp_client *client,
                 bool secret_post, struct km_str issuer, struct km_buf *form)
{
    struct km_err err = { 0 };
    struct km_str head;
    int rc = km_mcp_oauth_prove(r->h->o, &r->arena, client, secret_post, issuer, form, &head, &err);

    if (rc == 0) {
        r->fetch = km_oauth_fetch(&r->net, KM_STR("POST"), url, head, km_buf_view(form), on_tokens,
                                  r, &err);
        rc = r->fetch ? 0 : err.code;
    }
    km_wipe(form->p, form->n);
    if (rc < 0)
        end(r, NULL, &err);
}

static void by_refresh_token(struct run *r)
{
    struct km_buf form KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);
    struct km_mcp_holder *h = r->h;
    struct km_mcp_client client;
    struct km_str url, issuer;
    bool secret_post;

    r->refreshing = true;
    pthread_mutex_lock(&h->lock);
    km_token_field(&form, "grant_type", KM_STR("refresh_token"));
    km_token_field(&form, "refresh_token", km_secret_view(&h->refresh_token));
    km_token_field(&form, "resource", km_secret_view(&h->resource));
    client.id = km_arena_str(&r->arena, km_secret_view(&h->client_id));
    client.secret = km_arena_str(&r->arena, km_secret_view(&h->client_secret));
    url = km_arena_str(&r->arena, km_secret_view(&h->token_url));
    issuer = km_arena_str(&r->arena, km_secret_view(&h->issuer));
    secret_post = h->secret_post;
    pthread_mutex_unlock(&h->lock);
    post(r, url, &client, secret_post, issuer, &form);
}

static void by_client(struct run *r, const struct km_oauth_found *found)
{
    struct km_buf form KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);
    const struct km_mcp_oauth *o = r->h->o;
    struct km_mcp_client client = { o->settings.client_id, o->settings.client_secret };
    struct km_err err = { 0 };

    if (!found->server.token.n) {
        km_fail(&err, KM_E_UPSTREAM_PROTOCOL, "its authorization server has no token endpoint");
        end(r, NULL, &err);
        return;
    }
    km_token_field(&form, "grant_type", KM_STR("client_credentials"));
    km_token_field(&form, "resource", found->resource.resource);
    km_token_field(&form, "scope",
                   km_mcp_oauth_scope(o, &r->arena, r->scope, found->resource.scopes));
    post(r, found->server.token, &client, found->server.secret_post, found->server.issuer, &form);
}

static void on_found(void *ctx, const struct km_oauth_found *found, const struct km_err *err)
{
    struct run *r = ctx;

    r->find = NULL;
    if (err)
        end(r, NULL, err);
    else
        by_client(r, found);
}

static void begin(struct run *r)
{
    struct km_mcp_holder *h = r->h;
    struct km_oauth_found found;
    struct km_str metadata_url;
    struct token *token = NULL;
    struct km_err err = { 0 };
    bool refresh;

    pthread_mutex_lock(&h->lock);
    if (h->access.n && h->access_expires_us > km_wall_us())
        token = token_new(km_secret_view(&h->access), h->access_expires_us, &err);
    km_secret_done(&h->access);
    refresh = h->refresh_token.n > 0;
    r->scope = km_arena_str(&r->arena, km_secret_view(&h->scope));
    metadata_url = km_arena_str(&r->arena, km_secret_view(&h->metadata_url));
    pthread_mutex_unlock(&h->lock);
    if (token) {
        end(r, token, NULL);
    } else if (refresh) {
        by_refresh_token(r);
    } else if (!h->o->by_client) {
        login_needed(h->o, &err);
        end(r, NULL, &err);
    } else if (km_mcp_oauth_configured(h->o, &found)) {
        by_client(r, &found);
    } else {
        struct km_oauth_find *find = km_oauth_find(&r->arena, &r->net, metadata_url, on_found, r);

        if (find)
            r->find = find;
    }
}

static void start(struct km_refresh_run *run)
{
    struct km_mcp_holder *h = run->owner;
    struct km_arena arena;
    struct km_err err = { 0 };
    struct run *r;

    km_arena_init(&arena, KM_MCP_OAUTH_RUN_BYTES, km_loop_arenas(run->loop));
    r = km_arena_zalloc(&arena, sizeof *r);
    if (!r) {
        km_arena_done(&arena);
        km_fail(&err, KM_E_NOMEM, "out of memory");
        km_refresh_done(run, NULL, &err);
        return;
    }
    r->arena = arena;
    r->run = run;
    r->h = h;
    r->net = km_mcp_oauth_net(h->o, run->loop, run->client);
    run->state = r;
    begin(r);
}

static void abandon(struct km_refresh_run *run)
{
    struct run *r = run->state;
    struct km_arena arena;

    if (!r)
        return;
    km_oauth_find_abandon(r->find);
    km_fetch_abandon(r->fetch);
    arena = r->arena;
    km_arena_done(&arena);
    run->state = NULL;
}

/* --- header lines --- */

static struct km_mcp_holder *of(struct km_auth *auth)
{
    return (struct km_mcp_holder *)(void *)auth;
}

static int head(struct km_auth *auth, const struct km_auth_args *args, struct km_auth_wait *wait,
                struct km_buf *out, struct km_err *err)
{
    struct km_refreshed *value;
    int r = km_refresh_get(of(auth)->refresh, args, wait, &value, err);

    if (r < 0)
        return r;
    km_buf_str(out, km_secret_view(&((struct token *)(void *)value)->line));
    km_refreshed_unref(value);
    return 0;
}

static void cancel(struct km_auth *auth, struct km_auth_wait *wait)
{
    km_refresh_cancel(of(auth)->refresh, wait);
}

/* What the server says of itself counts for the next try; true: there is one. */
static bool refused(struct km_auth *auth, int status, const struct km_headers *headers,
                    struct km_str body)
{
    struct km_mcp_holder *h = of(auth);
    struct km_oauth_challenge_parts c = { 0 };
    struct km_arena arena;
    bool step = false;

    (void)body;
    km_arena_init(&arena, 64 * 1024, NULL);
    (void)km_oauth_challenge_read(&arena, km_header_get(headers, KM_STR("www-authenticate")), &c);
    pthread_mutex_lock(&h->lock);
    if (c.resource_metadata.n)
        km_mcp_keep(&h->metadata_url, c.resource_metadata);
    if (c.scope.n && (status == 401 || km_str_eq(c.error, KM_STR("insufficient_scope")))) {
        step = h->steps < STEPS_MOST && status == 403;
        h->steps += step;
        if (status == 401 || step)
            km_mcp_keep(&h->scope, km_mcp_oauth_scope(h->o, &arena, c.scope, KM_STR_NONE));
    }
    pthread_mutex_unlock(&h->lock);
    km_arena_done(&arena);
    if (step)
        return h->o->by_client && km_refresh_renew(h->refresh);
    return status == 401 && km_refresh_distrust(h->refresh);
}

static const struct km_auth_ops auth_ops = { head, cancel, refused, NULL };

/* --- holders --- */

static void holder_free(void *owner)
{
    struct km_mcp_holder *h = owner;
    struct km_secret *const all[] = { &h->access,    &h->refresh_token, &h->token_url,
                                      &h->client_id, &h->client_secret, &h->resource,
                                      &h->issuer,    &h->scope,         &h->metadata_url,
                                      &h->principal };

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        km_secret_done(all[i]);
    pthread_mutex_destroy(&h->lock);
    km_mcp_oauth_unref(h->o);
    free(h);
}

static const struct km_refresh_ops refresh_ops = { start, abandon, holder_free };

static struct km_mcp_holder *holder_new(struct km_mcp_oauth *o, struct km_str principal)
{
    struct km_mcp_holder *h = calloc(1, sizeof *h);

    if (!h)
        return NULL;
    h->base.ops = &auth_ops;
    h->o = km_mcp_oauth_ref(o);
    km_mcp_keep(&h->principal, principal);
    pthread_mutex_init(&h->lock, NULL);
    h->refresh = km_refresh_new(&refresh_ops, h, EARLY_MS);
    return h->refresh ? h : NULL; /* it was freed with its refresh */
}

struct km_mcp_holder *km_mcp_oauth_holder(struct km_mcp_oauth *o, struct km_str principal)
{
    struct km_mcp_holder *h;

    if (o->by_client || o->settings.shared)
        principal = KM_STR_NONE;
    pthread_mutex_lock(&o->lock);
    h = km_map_get(o->holders, principal);
    if (!h && (h = holder_new(o, principal)) != NULL &&
        km_map_set(o->holders, principal, h, NULL) < 0) {
        km_refresh_unref(h->refresh);
        h = NULL;
    }
    pthread_mutex_unlock(&o->lock);
    return h;
}

struct km_auth *km_mcp_oauth_auth(struct km_mcp_oauth *o, struct km_str principal)
{
    struct km_mcp_holder *h = km_mcp_oauth_holder(o, principal);

    return h ? &h->base : NULL;
}

/* --- one server's --- */

static struct km_str_list copy_list(struct km_arena *arena, const struct km_str_list *list)
{
    struct km_str *v = km_arena_alloc(arena, (list->n + 1) * sizeof *v);

    for (size_t i = 0; v && i < list->n; i++)
        v[i] = km_arena_str(arena, list->v[i]);
    return (struct km_str_list){ v, v ? list->n : 0 };
}

static void copy_settings(struct km_mcp_oauth *o, const struct km_mcp_oauth_settings *from)
{
    struct km_mcp_oauth_settings *s = &o->settings;
    struct km_str *const texts[] = { &s->client_id, &s->client_secret,    &s->authorization_url,
                                     &s->token_url, &s->registration_url, &s->flow,
                                     &s->private_key };

    *s = *from;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        *texts[i] = km_arena_str(&o->arena, *texts[i]);
    s->scopes = copy_list(&o->arena, &from->scopes);
}

struct km_mcp_oauth *km_mcp_oauth_new(const struct km_mcp_oauth_args *args, struct km_err *err)
{
    struct km_arena arena;
    struct km_mcp_oauth *o;

    km_arena_init(&arena, 256 * 1024, NULL);
    o = km_arena_zalloc(&arena, sizeof *o);
    if (o) {
        o->arena = arena;
        o->holders = km_map_new(KM_MCP_OAUTH_PRINCIPALS);
    }
    if (!o || !o->holders) {
        km_arena_done(&arena);
        km_fail(err, KM_E_NOMEM, "out of memory");
        return NULL;
    }
    atomic_init(&o->refs, 1);
    pthread_mutex_init(&o->lock, NULL);
    km_list_init(&o->logins);
    o->name = km_arena_str(&o->arena, args->name);
    o->server_url = km_arena_str(&o->arena, args->server_url);
    copy_settings(o, args->settings);
    o->by_client = km_str_eq(o->settings.flow, KM_STR("client_credentials"));
    o->tls = km_tls_client_ref(args->tls);
    if (args->proxies)
        o->proxies = (struct km_proxy_env){ km_arena_str(&o->arena, args->proxies->http),
                                            km_arena_str(&o->arena, args->proxies->https),
                                            km_arena_str(&o->arena, args->proxies->none) };
    o->trusted_hosts = copy_list(&o->arena, args->trusted_hosts);
    return o;
}

struct km_mcp_oauth *km_mcp_oauth_ref(struct km_mcp_oauth *o)
{
    atomic_fetch_add_explicit(&o->refs, 1, memory_order_relaxed);
    return o;
}

void km_mcp_oauth_unref(struct km_mcp_oauth *o)
{
    struct km_arena arena;

    if (atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) != 1)
        return;
    km_mcp_pending_free_all(o);
    km_secret_done(&o->server);
    km_secret_done(&o->registered_id);
    km_secret_done(&o->registered_secret);
    km_secret_done(&o->registered_at);
    km_secret_done(&o->registered_for);
    km_tls_client_unref(o->tls);
    pthread_mutex_destroy(&o->lock);
    if (o->settings.client_secret.n)
        km_wipe((void *)(uintptr_t)o->settings.client_secret.p, o->settings.client_secret.n);
    if (o->settings.private_key.n)
        km_wipe((void *)(uintptr_t)o->settings.private_key.p, o->settings.private_key.n);
    arena = o->arena;
    km_arena_done(&arena);
}

static void close_holder(void *value)
{
    struct km_mcp_holder *h = value;

    km_refresh_unref(h->refresh); /* the last reference frees h */
}

void km_mcp_oauth_close(struct km_mcp_oauth *o)
{
    struct km_map *holders;

    if (!o)
        return;
    pthread_mutex_lock(&o->lock);
    holders = o->holders;
    o->holders = NULL;
    pthread_mutex_unlock(&o->lock);
    km_map_free(holders, close_holder);
    km_mcp_oauth_unref(o);
}
