/* SPDX-License-Identifier: Apache-2.0 */
/* token.c - codes and refresh tokens become access tokens; tokens are revoked and looked at.
 *
 *     POST /oauth/token       authorization_code, refresh_token; public clients: PKCE proves them
 *     POST /oauth/revoke      whoever holds a token may end the log-in it belongs to (RFC 7009)
 *     POST /oauth/introspect  what a token is good for (RFC 7662); asks for a key, and tells a
 *                             virtual key of its own tokens only
 *     POST /oauth/register    an id for a client's redirects (RFC 7591)
 *
 * An answer leaves after its row is in the store: a token that the client has must be known after
 * a restart too.  A token is answered with the rights of its key as they are then, so a key that
 * was blocked or deleted since gets no new one.
 */
#include "base/crypto.h"
#include "base/encode.h"
#include "door/oauth/oauth.h"
#include "http/json_out.h"

#define FORM KM_STR("application/x-www-form-urlencoded")
#define NO_STORE "Content-Type: application/json\r\nCache-Control: no-store\r\nPragma: no-cache\r\n"
#define TOKEN_BYTES 256

struct issue {
    struct km_visit *v;
    struct km_grant_ask ask;
    struct km_grant grant;
    struct km_str access, refresh;
};

static int reason(struct km_err *err, const char *word)
{
    if (err) {
        err->reason = word;
        err->http = 400;
    }
    return err ? err->code : KM_E_INVALID;
}

static void on_stored(void *ctx, const struct km_err *err)
{
    struct issue *i = ctx;
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    struct km_json_out o;

    if (err) {
        km_oauth_refuse(i->v, err);
        return;
    }
    km_json_out_init(&o, &out);
    km_out_open(&o, '{');
    km_out_member(&o, "access_token", i->access);
    km_out_member(&o, "token_type", KM_STR("Bearer"));
    km_out_member_i64(&o, "expires_in", KM_GRANT_ACCESS_US / 1000000);
    km_out_member(&o, "refresh_token", i->refresh);
    km_out_member(&o, "scope", km_str_c(i->grant.scope));
    km_out_close(&o, '}');
    km_exchange_respond(i->v->x, 200, KM_STR(NO_STORE), km_buf_view(&out));
    km_wipe(out.p, out.n);
}

static struct km_audit audit_of(const struct km_visit *v, const struct km_grant *g,
                                const char *action)
{
    struct km_arena *arena = km_exchange_arena(v->x);
    char hash[9], id[2 * KM_GRANT_ID_LEN + 1];

    km_hex(hash, g->key_hash, 4);
    km_hex(id, g->id, sizeof g->id);
    return (struct km_audit){ km_arena_printf(arena, "key:%s", hash), km_str_c(action),
                              km_arena_printf(arena, "%s", id), KM_STR("{}") };
}

/* A secret came twice: its log-in is gone from memory, and goes from the store. */
static void forget(struct km_visit *v, const struct km_grant *g, const char *action)
{
    struct km_audit audit = audit_of(v, g, action);

    km_store_grant_delete(v->w->gw->store, v->w->mailbox, g->id, &audit, NULL, NULL);
}

static int usable(struct km_visit *v, const struct km_grant *g, struct km_err *err)
{
    struct km_key *key = km_keys_find(v->w->gw->keys, g->key_hash);
    int r = key ? km_right_code(km_key_grants_use(key, v->came_us, err), err)
                : km_fail(err, KM_E_FORBIDDEN, "The virtual key of this log-in is gone.");

    km_key_unref(key);
    return r < 0 ? reason(err, "invalid_grant") : 0;
}

/* The fields of both grants; *ret_refresh: which it is. */
static int read_ask(struct issue *i, struct km_str body, bool *ret_refresh, struct km_err *err)
{
    struct km_visit *v = i->v;
    struct km_str type, client, secret, redirect = KM_STR_NONE;
    int r = km_oauth_field(v, body, "grant_type", 64, &type, err);

    if (r == 0)
        r = km_oauth_field(v, body, "client_id", KM_OAUTH_CLIENT_ID_BYTES, &client, err);
    if (r == 0)
        r = km_oauth_field(v, body, "resource", KM_GRANT_RESOURCE_BYTES, &i->ask.resource, err);
    if (r < 0)
        return r;
    *ret_refresh = km_str_eq(type, KM_STR("refresh_token"));
    if (!*ret_refresh && !km_str_eq(type, KM_STR("authorization_code"))) {
        km_fail(err, KM_E_INVALID, "grant_type is authorization_code or refresh_token.");
        return reason(err, "unsupported_grant_type");
    }
    r = km_oauth_field(v, body, *ret_refresh ? "refresh_token" : "code", TOKEN_BYTES, &secret, err);
    if (r == 0 && !*ret_refresh)
        r = km_oauth_field(v, body, "redirect_uri", KM_OAUTH_REDIRECT_BYTES, &redirect, err);
    if (r == 0 && !*ret_refresh)
        r = km_oauth_field(v, body, "code_verifier", 128, &i->ask.verifier, err);
    if (r < 0)
        return r;
    if (!client.n || !secret.n)
        return km_fail(err, KM_E_INVALID, "client_id and %s are needed.",
                       *ret_refresh ? "refresh_token" : "code");
    while (i->ask.resource.n && i->ask.resource.p[i->ask.resource.n - 1] == '/')
        i->ask.resource.n--;
    km_sha256(client, i->ask.client);
    km_sha256(secret, i->ask.secret);
    km_sha256(redirect, i->ask.redirect);
    return 0;
}

static int exchange(struct issue *i, struct km_str body, struct km_err *err)
{
    struct km_visit *v = i->v;
    struct km_grants *grants = km_oauth_of(v->w->gw)->grants;
    struct km_arena *arena = km_exchange_arena(v->x);
    bool refresh = false, revoked = false;
    int r = read_ask(i, body, &refresh, err);

    if (r == 0)
        r = km_oauth_secret(KM_OAUTH_TOKEN_PREFIX, arena, &i->access, i->ask.access, err);
    if (r == 0)
        r = km_oauth_secret("kmrt_", arena, &i->refresh, i->ask.refresh, err);
    if (r < 0)
        return r;
    i->ask.now_us = v->came_us;
    r = refresh ? km_grants_refresh(grants, &i->ask, &i->grant, &revoked, err)
                : km_grants_redeem(grants, &i->ask, &i->grant, &revoked, err);
    if (revoked)
        forget(v, &i->grant, "oauth.reuse");
    if (r == 0) {
        r = usable(v, &i->grant, err);
        if (r < 0 && km_grants_remove(grants, i->grant.id))
            forget(v, &i->grant, "oauth.revoke");
    }
    if (r == 0)
        km_store_grant_put(v->w->gw->store, v->w->mailbox, &i->grant, NULL, on_stored, i);
    return r;
}

static void on_token_form(struct km_visit *v, struct km_str body)
{
    struct issue *i = km_arena_zalloc(km_exchange_arena(v->x), sizeof *i);
    struct km_err err = { 0 };
    int r = i ? 0 : km_fail(&err, KM_E_NOMEM, "out of memory");

    if (r == 0) {
        i->v = v;
        r = exchange(i, body, &err);
    }
    if (r < 0)
        km_oauth_refuse(v, &err);
}

void km_oauth_token(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    (void)x;
    (void)match;
    km_oauth_form(visit, FORM, on_token_form);
}

/* --- revocation, introspection --- */

static int token_of(struct km_visit *v, struct km_str body, struct km_grant *ret, bool *ret_found,
                    uint8_t hash[32], struct km_err *err)
{
    struct km_str token;
    int r = km_oauth_field(v, body, "token", TOKEN_BYTES, &token, err);

    if (r == 0 && !token.n)
        r = km_fail(err, KM_E_INVALID, "token is needed.");
    if (r < 0)
        return r;
    km_sha256(token, hash);
    *ret_found = km_grants_find(km_oauth_of(v->w->gw)->grants, hash, ret);
    return 0;
}

static void on_revoked(void *ctx, const struct km_err *err)
{
    struct km_visit *v = ctx;

    if (err)
        km_oauth_refuse(v, err);
    else
        km_exchange_respond(v->x, 200, KM_STR("Cache-Control: no-store\r\n"), KM_STR_NONE);
}

static void on_revoke_form(struct km_visit *v, struct km_str body)
{
    struct km_grant g;
    struct km_audit audit;
    struct km_err err = { 0 };
    uint8_t hash[32];
    bool found = false;

    if (token_of(v, body, &g, &found, hash, &err) < 0) {
        km_oauth_refuse(v, &err);
        return;
    }
    if (!found || !km_grants_remove(km_oauth_of(v->w->gw)->grants, g.id)) {
        on_revoked(v, NULL); /* RFC 7009, 2.2: what is not there is revoked */
        return;
    }
    audit = audit_of(v, &g, "oauth.revoke");
    km_store_grant_delete(v->w->gw->store, v->w->mailbox, g.id, &audit, on_revoked, v);
}

void km_oauth_revoke(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    (void)x;
    (void)match;
    km_oauth_form(visit, FORM, on_revoke_form);
}

static void on_introspect_form(struct km_visit *v, struct km_str body)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    struct km_err err = { 0 };
    struct km_json_out o;
    struct km_grant g;
    int64_t expires = 0;
    uint8_t hash[32];
    bool found = false;
    char sub[65];

    if (token_of(v, body, &g, &found, hash, &err) < 0) {
        km_oauth_refuse(v, &err);
        return;
    }
    found = found &&
            km_grants_access(km_oauth_of(v->w->gw)->grants, hash, v->came_us, &g, &expires) &&
            usable(v, &g, NULL) == 0 &&
            (v->who.admin ||
             (v->who.key && memcmp(v->who.key->row.hash, g.key_hash, sizeof g.key_hash) == 0));
    km_json_out_init(&o, &out);
    km_out_open(&o, '{');
    km_out_key(&o, "active");
    km_out_bool(&o, found);
    if (found) {
        km_hex(sub, g.key_hash, sizeof g.key_hash);
        km_out_member(&o, "sub", km_str_c(sub));
        km_out_member(&o, "scope", km_str_c(g.scope));
        km_out_member(&o, "token_type", KM_STR("Bearer"));
        km_out_member(&o, "iss", km_oauth_base(v));
        km_out_member(&o, "aud", g.resource[0] ? km_str_c(g.resource) : km_oauth_base(v));
        km_out_member_i64(&o, "iat", g.rotated_us / 1000000);
        km_out_member_i64(&o, "exp", expires / 1000000);
        if (g.client_name[0])
            km_out_member(&o, "client_name", km_str_c(g.client_name));
    }
    km_out_close(&o, '}');
    km_exchange_respond(v->x, 200, KM_STR(NO_STORE), km_buf_view(&out));
}

void km_oauth_introspect(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    (void)x;
    (void)match;
    km_oauth_form(visit, FORM, on_introspect_form);
}

/* --- registration --- */

static void put_client(struct km_visit *v, const struct km_oauth_client *c, struct km_str id)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(KM_OAUTH_BODY_BYTES);
    struct km_json_out o;

    km_json_out_init(&o, &out);
    km_out_open(&o, '{');
    km_out_member(&o, "client_id", id);
    km_out_member_i64(&o, "client_id_issued_at", v->came_us / 1000000);
    if (c->name.n)
        km_out_member(&o, "client_name", c->name);
    km_out_key(&o, "redirect_uris");
    km_out_open(&o, '[');
    for (size_t i = 0; i < c->nredirects; i++)
        km_out_str(&o, c->redirects[i]);
    km_out_close(&o, ']');
    km_out_member_raw(&o, "grant_types", KM_STR("[\"authorization_code\",\"refresh_token\"]"));
    km_out_member_raw(&o, "response_types", KM_STR("[\"code\"]"));
    km_out_member(&o, "token_endpoint_auth_method", KM_STR("none"));
    km_out_member(&o, "scope", KM_STR(KM_OAUTH_SCOPE));
    km_out_close(&o, '}');
    km_exchange_respond(v->x, 201, KM_STR(NO_STORE), km_buf_view(&out));
}

static void on_registration(struct km_visit *v, struct km_str body)
{
    struct km_arena *arena = km_exchange_arena(v->x);
    struct km_oauth *o = km_oauth_of(v->w->gw);
    struct km_oauth_client client = { 0 };
    char peer[KM_ADDR_TEXT];
    struct km_err err = { 0 };
    struct km_str id = KM_STR_NONE;
    int r;

    km_addr_host_text(km_exchange_peer(v->x), peer);
    r = km_throttle_take(o->registrations, km_str_c(peer), km_loop_now_ms(v->w->loop), &err);
    if (r == 0)
        r = km_oauth_client_read(arena, body, KM_STR_NONE, &client, &err);
    if (r == 0)
        r = km_oauth_client_sign(o, &client, arena, &id, &err);
    if (r < 0)
        km_oauth_refuse(v, &err);
    else
        put_client(v, &client, id);
}

void km_oauth_register(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    (void)x;
    (void)match;
    km_oauth_form(visit, KM_STR("application/json"), on_registration);
}
