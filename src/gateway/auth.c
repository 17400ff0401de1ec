/* SPDX-License-Identifier: Apache-2.0 */
/* auth.c - authentication as a table.
 *
 * A row looks at the request and says: it is mine and good (0), not mine (KM_E_AGAIN), or mine
 * and bad.  The first row that does not say "not mine" decides, so the order is the policy:
 *
 *     local    the control socket: its owner was checked by the kernel
 *     open     authentication is off, for all or for want of a master key: then for this machine
 *     master   the master key
 *     token    an access token of the built-in authorization server: the key that was shown to it
 *     jwt      a token of an issuer that is trusted: the key its claims lead to
 *     key      a virtual key, by the SHA-256 of what was sent
 *
 * Credentials may come in any header LiteLLM knows, to Google's routes as ?key=, to /bedrock as
 * the access key's id of a signed request, to WebSockets as a subprotocol or ?api-key=.  Two
 * different ones in a request are refused: taking the first would let a proxy and us disagree
 * about who is asking.
 */
#include "gateway/auth.h"

#include <stdio.h>

#include "base/crypto.h"
#include "base/encode.h"
#include "gateway/jwt/auth.h"
#include "gateway/oauth/oauth.h"
#include "http/fields.h"
#include "http/websocket.h"

static int refuse(struct km_err *err, const char *why)
{
    int r = km_fail(err, KM_E_UNAUTHENTICATED, "Authentication Error, %s", why);

    if (err)
        err->param = "None"; /* LiteLLM's own spelling of no parameter */
    return r;
}

static struct km_str after_bearer(struct km_str value)
{
    return km_str_istarts(value, KM_STR("bearer ")) ? km_str_trim(km_str_skip(value, 7))
                                                    : KM_STR_NONE;
}

/* A request that an AWS SDK signed: the id of its access key is the key here, and the signature,
 * made with a secret nobody here knows, proves nothing and is not looked at.
 *
 *     AWS4-HMAC-SHA256 Credential=sk-.../20261120/us-east-1/bedrock/aws4_request, ... */
static struct km_str of_signature(struct km_str value)
{
    static const struct km_str scheme = { "AWS4-HMAC-SHA256 ", 17 }, name = { "Credential=", 11 };
    size_t at = km_str_find(value, name);

    if (!km_str_starts(value, scheme) || at == value.n)
        return KM_STR_NONE;
    value = km_str_skip(value, at + name.n);
    value = km_str_sub(value, 0, km_str_chr(value, ','));
    for (unsigned i = 0; i < 4; i++) /* date, region, service, terminator */
        value = km_str_sub(value, 0, km_str_rchr(value, '/'));
    return value;
}

static int is_credential(struct km_str name, struct km_str custom)
{
    for (size_t i = 0; i < KM_KEY_FIELDS; i++)
        if (km_str_ieq(name, km_key_fields[i].name))
            return km_key_fields[i].bearer ? 2 : 1;
    return custom.n && km_str_ieq(name, custom) ? 1 : 0;
}

/* Browsers cannot set header fields of a WebSocket: OpenAI's client sends the key as a
 * subprotocol, Azure's in the query.  KM_E_INVALID: another one than was found. */
static int of_websocket(const struct km_visit *v, struct km_str *found)
{
    const struct km_request *req = km_exchange_request(v->x);
    struct km_str list = km_header_get(&req->headers, KM_STR("sec-websocket-protocol"));
    struct km_str token, key = KM_STR_NONE, in_query = KM_STR_NONE;

    while (km_ws_token(&list, &token))
        if (km_str_starts(token, KM_STR("openai-insecure-api-key.")))
            key = km_str_skip(token, sizeof "openai-insecure-api-key." - 1);
    (void)km_query_get(km_exchange_arena(v->x), req->query, KM_STR("api-key"), &in_query);
    if (key.n && in_query.n && !km_secret_str_eq(key, in_query))
        return KM_E_INVALID;
    key = key.n ? key : in_query;
    if (key.n && found->n && !km_secret_str_eq(key, *found))
        return KM_E_INVALID;
    if (key.n)
        *found = key;
    return 0;
}

int km_credential(const struct km_visit *v, struct km_str *ret, struct km_err *err)
{
    const struct km_headers *h = &km_exchange_request(v->x)->headers;
    struct km_str found = KM_STR_NONE, in_query = KM_STR_NONE;

    for (size_t i = 0; i < h->n; i++) {
        int kind = is_credential(h->v[i].name, v->view->snap->general->key_header);
        struct km_str value;

        if (!kind)
            continue;
        value = after_bearer(h->v[i].value);
        if (!value.n && kind == 2 && v->dialect == KM_DIALECT_AWS)
            value = of_signature(h->v[i].value);
        if (!value.n && kind == 2)
            return refuse(err, "Malformed API Key passed in. Ensure Key has `Bearer ` prefix.");
        if (!value.n)
            value = km_str_trim(h->v[i].value);
        if (found.n && !km_secret_str_eq(found, value))
            return refuse(err, "two different API keys were passed in. Send one.");
        found = value;
    }
    if (v->dialect == KM_DIALECT_GOOGLE &&
        km_query_get(km_exchange_arena(v->x), km_exchange_request(v->x)->query, KM_STR("key"),
                     &in_query) &&
        in_query.n) {
        if (found.n && !km_secret_str_eq(found, in_query))
            return refuse(err, "two different API keys were passed in. Send one.");
        found = in_query;
    }
    if (km_ws_asked(km_exchange_request(v->x)) && of_websocket(v, &found) < 0)
        return refuse(err, "two different API keys were passed in. Send one.");
    *ret = found;
    return 0;
}

struct km_str km_forwarded_by(const struct km_headers *h)
{
    static const struct km_str names[] = {
        { "forwarded", 9 },      { "via", 3 },          { "x-real-ip", 9 },
        { "x-client-ip", 11 },   { "true-client-ip", 14 }, { "cf-connecting-ip", 16 },
        { "x-cluster-client-ip", 19 }, { "x-original-forwarded-for", 24 },
    };

    for (size_t i = 0; i < h->n; i++)
        if (km_str_iamong(h->v[i].name, names, sizeof names / sizeof names[0]) ||
            km_str_istarts(h->v[i].name, KM_STR("x-forwarded")))
            return h->v[i].name;
    return KM_STR_NONE;
}

bool km_visit_is_local(const struct km_visit *v)
{
    return v->local || (km_addr_loopback(km_exchange_peer(v->x)) &&
                        !km_forwarded_by(&km_exchange_request(v->x)->headers).n);
}

/* What the request carries: the text, and its digest (made once). */
struct credential {
    struct km_str text;
    uint8_t hash[KM_SHA256_LEN];
};

static int by_local(struct km_visit *v, const struct credential *c, struct km_err *err)
{
    (void)c;
    (void)err;
    if (!v->local)
        return KM_E_AGAIN;
    v->who.admin = true;
    snprintf(v->who.who, sizeof v->who.who, "local:%u", v->uid);
    return 0;
}

static struct km_str forwarded_name(const struct km_visit *v)
{
    struct km_str name = km_forwarded_by(&km_exchange_request(v->x)->headers);

    return name.n ? km_str_sub(name, 0, 40) : KM_STR("another machine's address");
}

static int by_open(struct km_visit *v, const struct credential *c, struct km_err *err)
{
    const struct km_snapshot *snap = v->view->snap;

    (void)c;
    if (!snap->auth_off)
        return KM_E_AGAIN;
    if (snap->gateway->auth != KM_AUTH_MODE_NONE && !km_visit_is_local(v))
        return km_fail(err, KM_E_FORBIDDEN,
                       "A proxy passed this request on (it has %.*s), and without "
                       "general_settings.master_key only requests made on this machine are "
                       "served. Set a master key.",
                       KM_STR_ARG(forwarded_name(v)));
    v->who.admin = true;
    snprintf(v->who.who, sizeof v->who.who, "anonymous");
    return 0;
}

static int by_master(struct km_visit *v, const struct credential *c, struct km_err *err)
{
    (void)err;
    if (!v->view->snap->has_master ||
        !km_secret_eq(c->hash, v->view->snap->master_hash, sizeof c->hash))
        return KM_E_AGAIN;
    v->who.admin = true;
    snprintf(v->who.who, sizeof v->who.who, "master");
    return 0;
}

static void drop_key(void *key)
{
    km_key_unref(key);
}

static int become_key(struct km_visit *v, struct km_err *err)
{
    char text[9];
    int r;

    km_hex(text, v->who.key->row.hash, 4);
    memcpy(v->who.who, "key:", 4);
    memcpy(v->who.who + 4, text, sizeof text);
    r = km_arena_defer(km_exchange_arena(v->x), drop_key, v->who.key);
    return r < 0 ? r : km_right_code(km_key_grants_use(v->who.key, v->came_us, err), err);
}

static int by_token(struct km_visit *v, const struct credential *c, struct km_err *err)
{
    struct km_grant grant;
    int64_t expires;

    if (!km_str_starts(c->text, KM_STR(KM_OAUTH_TOKEN_PREFIX)))
        return KM_E_AGAIN;
    if (!km_grants_access(km_oauth_of(v->w->gw)->grants, c->hash, v->came_us, &grant, &expires))
        return refuse(err, "the access token is unknown or too old: refresh it, or log in again.");
    if (!km_grant_covers(km_str_c(grant.resource), km_exchange_request(v->x)->path))
        return refuse(err, "the access token was issued for another resource of this gateway.");
    v->who.key = km_keys_find(v->w->gw->keys, grant.key_hash);
    return v->who.key ? become_key(v, err)
                      : refuse(err, "the virtual key of this access token is gone: log in again.");
}

static int by_jwt(struct km_visit *v, const struct credential *c, struct km_err *err)
{
    return km_jwt_authenticate(v, c->text, err);
}

static int by_key(struct km_visit *v, const struct credential *c, struct km_err *err)
{
    struct km_str key = c->text;
    int r;

    if (!km_str_starts(key, KM_STR("sk-"))) {
        char why[120];
        bool show = key.n > 8;

        snprintf(why, sizeof why,
                 "LiteLLM Virtual Key expected. Received=%.*s****%.*s, expected to "
                 "start with 'sk-'.",
                 show ? 4 : 0, key.p, show ? 4 : 0, show ? key.p + key.n - 4 : "");
        return refuse(err, why);
    }
    v->who.key = km_keys_find(v->w->gw->keys, c->hash);
    if (!v->who.key) {
        r = km_fail_param(err, KM_E_UNAUTHENTICATED, "key",
                          "Authentication Error, Invalid proxy server token passed. It is unknown "
                          "here: ask your administrator for a key, or make one with POST "
                          "/key/generate.");
        if (err)
            err->type = "token_not_found_in_db";
        return r;
    }
    return become_key(v, err);
}

static const struct {
    const char *name;
    bool needs_key; /* not asked when the request carries none */
    int (*run)(struct km_visit *v, const struct credential *c, struct km_err *err);
} authenticators[] = {
    { "local", false, by_local }, { "open", false, by_open }, { "master", true, by_master },
    { "token", true, by_token },  { "jwt", true, by_jwt },    { "key", true, by_key },
};

static int identify(struct km_visit *v, struct km_err *err)
{
    struct credential c = { 0 };
    int r = v->local ? 0 : km_credential(v, &c.text, err);

    if (r < 0)
        return r;
    v->had_credential = c.text.n > 0;
    if (c.text.n)
        km_sha256(c.text, c.hash);
    for (size_t i = 0; i < sizeof authenticators / sizeof authenticators[0]; i++) {
        if (authenticators[i].needs_key && !c.text.n)
            continue;
        r = authenticators[i].run(v, &c, err);
        if (r != KM_E_AGAIN)
            return r;
    }
    return refuse(err, "No api key passed in.");
}

int km_authenticate(struct km_visit *v, enum km_auth_level level, struct km_err *err)
{
    int r;

    if (level == KM_AUTH_PUBLIC || level == KM_AUTH_WEB)
        return 0;
    if (level == KM_AUTH_METRICS && v->view->snap->metrics_open)
        return 0;
    r = identify(v, err);
    if (r == 0 && level == KM_AUTH_ADMIN && !v->who.admin)
        r = km_fail(err, KM_E_FORBIDDEN,
                    "Only the proxy admin can do this: use the master key, or `kanmon` on the "
                    "machine itself.");
    return r;
}

struct km_visit *km_visit_copy(const struct km_visit *v, struct km_arena *arena)
{
    struct km_visit *copy = km_arena_zalloc(arena, sizeof *copy);

    if (!copy)
        return NULL;
    *copy = *v;
    copy->peer = v->x ? *km_exchange_peer(v->x) : v->peer;
    copy->x = NULL;
    copy->view = NULL;
    copy->jwt = NULL;
    copy->match = (struct km_route_match){ 0 };
    copy->allow = copy->path_model = KM_STR_NONE;
    copy->own = NULL;
    copy->who.issuer = km_arena_str(arena, v->who.issuer);
    copy->who.subject = km_arena_str(arena, v->who.subject);
    if (copy->who.subject.n != v->who.subject.n || copy->who.issuer.n != v->who.issuer.n)
        return NULL; /* it would be somebody else */
    if (km_mcp_subject_hold(v->who.token, arena) < 0)
        return NULL;
    if (v->who.key) {
        copy->who.key = km_key_ref(v->who.key);
        if (km_arena_defer(arena, drop_key, copy->who.key) < 0)
            return NULL;
    }
    return copy;
}

static void drop_view(void *view)
{
    km_view_unref(view);
}

int km_visit_seat(struct km_visit *v, struct km_arena *arena, struct km_worker *w)
{
    v->w = w;
    v->view = km_view_ref(w->view);
    return km_arena_defer(arena, drop_view, v->view);
}

void km_visit_hash(const struct km_visit *v, uint8_t ret_hash[32])
{
    memset(ret_hash, 0, 32);
    if (v->who.key)
        km_key_books(v->who.key, ret_hash);
    else if (v->view->snap->has_master)
        memcpy(ret_hash, v->view->snap->master_hash, 32);
}

void km_visit_key(const struct km_visit *v, uint8_t ret_hash[32])
{
    memset(ret_hash, 0, 32);
    if (v->who.key)
        km_key_books(v->who.key, ret_hash);
}

void km_visit_books(const struct km_visit *v, char *ip, struct km_ledger_entry *e)
{
    e->id = v->id;
    km_visit_hash(v, e->key_hash);
    e->budgeted = v->who.key && v->who.key->row.max_budget >= 0;
    if (!ip)
        return;
    km_addr_host_text(v->x ? km_exchange_peer(v->x) : &v->peer, ip);
    e->client_ip = v->local ? KM_STR("local") : km_str_c(ip);
}

static bool listed(const struct km_str_list *list, struct km_str s)
{
    for (size_t i = 0; i < list->n; i++)
        if (km_str_ieq(list->v[i], s) || km_str_eq(list->v[i], KM_STR("*")))
            return true;
    return false;
}

/* "localhost:4000" -> "localhost", "[::1]:4000" -> "[::1]" */
static struct km_str without_port(struct km_str host)
{
    size_t colon = km_str_rchr(host, ':');

    return colon < host.n && km_str_chr(km_str_skip(host, colon), ']') == host.n - colon
               ? km_str_sub(host, 0, colon)
               : host;
}

/* "127.evil.example" is a name like any other: only what is an address counts as one. */
static bool loopback_name(struct km_str host)
{
    union km_addr addr;

    if (host.n > 2 && host.p[0] == '[')
        host = km_str_sub(host, 1, host.n - 2);
    return host.n == 0 || km_str_ieq(host, KM_STR("localhost")) ||
           (km_addr_parse(host, 0, &addr) == 0 && km_addr_loopback(&addr));
}

int km_check_host(const struct km_visit *v, struct km_err *err)
{
    const struct km_snapshot *snap = v->view->snap;
    struct km_str host = without_port(km_exchange_request(v->x)->host);

    if (v->local)
        return 0;
    if (snap->gateway->allowed_hosts.n
            ? !listed(&snap->gateway->allowed_hosts, host)
            : !snap->has_master && snap->gateway->auth == KM_AUTH_MODE_KEYS && !loopback_name(host))
        return km_fail(err, KM_E_FORBIDDEN,
                       "Host '%.*s' is not served here; kanmon_settings.allowed_hosts names those "
                       "that are.",
                       KM_STR_ARG(km_str_sub(host, 0, 100)));
    return 0;
}

bool km_origin_listed(const struct km_visit *v)
{
    struct km_str origin = km_header_get(&km_exchange_request(v->x)->headers, KM_STR("origin"));

    return origin.n && listed(&v->view->snap->gateway->allowed_origins, origin);
}

int km_check_origin(const struct km_visit *v, struct km_err *err)
{
    const struct km_request *req = km_exchange_request(v->x);
    struct km_str origin = km_header_get(&req->headers, KM_STR("origin"));
    size_t at = km_str_find(origin, KM_STR("://"));

    if (v->local || !origin.n || km_origin_listed(v))
        return 0;
    if (at < origin.n && km_str_ieq(km_str_skip(origin, at + 3), req->host))
        return 0;
    return km_fail(err, KM_E_FORBIDDEN,
                   "Pages of origin '%.*s' may not call this gateway; "
                   "kanmon_settings.allowed_origins names those that may.",
                   KM_STR_ARG(km_str_sub(origin, 0, 100)));
}
