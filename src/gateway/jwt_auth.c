/* SPDX-License-Identifier: Apache-2.0 */
/* jwt_auth.c - see jwt_auth.h.
 *
 *     door   km_jwt_prepare      whose is it? are its keys here? else wait      (before routing)
 *     row    km_jwt_authenticate signature, claims, virtual key                 (as any credential)
 *
 * Between the two the keys are held by the visit.  The set that last worked is remembered beside
 * the refresh: a token with a kid that nobody knows makes the keys be fetched anew, and if the
 * issuer is down just then, tokens signed by known keys must not suffer for it.
 */
#include "gateway/jwt_auth.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/crypto.h"
#include "base/encode.h"
#include "gateway/jwt_keys.h"
#include "gateway/oauth.h"
#include "gateway/reply.h"

#define NAME_MOST 100 /* bytes of a foreign text in an error */

struct issuer {
    const struct km_jwt_entry *entry; /* the configuration's, or own */
    struct km_jwt_entry own; /* LiteLLM's keys as an entry */
    bool any_issuer; /* LiteLLM's without JWT_ISSUER */
    struct km_refresh *refresh;
    pthread_mutex_t lock;
    struct km_jwt_keys *last; /* guarded by lock; referenced */
};

struct km_jwt_auth {
    struct km_str audience[1]; /* of LiteLLM's */
    size_t n;
    struct issuer v[];
};

/* What a visit holds between the door and its authentication. */
struct km_jwt_hold {
    struct km_visit *v;
    struct issuer *issuer;
    struct km_jwt token;
    struct km_jwt_keys *keys;
    struct km_err why; /* where there are no keys */
    struct km_auth_wait wait;
    void (*go_on)(struct km_visit *v);
};

/* --- issuers of a snapshot --- */

static int issuer_init(struct issuer *i, const struct km_snapshot *snap, struct km_err *err)
{
    const struct km_jwt_entry *e = i->entry;

    pthread_mutex_init(&i->lock, NULL);
    if (!e->issuer.n && !e->jwks_url.n)
        return km_fail(err, KM_E_CONFIG,
                       "enable_jwt_auth needs the address of the keys: set JWT_PUBLIC_KEY_URL");
    for (size_t k = 0; k < e->algorithms.n; k++)
        if (!km_signature_known(e->algorithms.v[k]))
            return km_fail(err, KM_E_CONFIG,
                           "kanmon_settings.jwt: '%.*s' is not a signature by public keys",
                           KM_STR_ARG(km_str_sub(e->algorithms.v[k], 0, NAME_MOST)));
    i->refresh = km_jwt_keys_new(
        &(struct km_jwt_keys_args){ .issuer = e->issuer,
                                    .jwks_url = e->jwks_url,
                                    .trusted_hosts = &snap->oauth->oauth.trusted_hosts,
                                    .tls = snap->tls,
                                    .proxies = &snap->proxies });
    return i->refresh ? 0 : km_fail(err, KM_E_NOMEM, "out of memory");
}

static void from_litellm(struct km_jwt_auth *a, struct issuer *i, const struct km_snapshot *snap,
                         const struct km_jwt_litellm *litellm)
{
    struct km_jwt_entry *e = &i->own;

    *e = (struct km_jwt_entry){ .admin_scope = litellm->fields.admin_scope,
                                .key_claim = litellm->fields.key_claim,
                                .team_claim = litellm->fields.team_claim };
    (void)km_config_getenv(snap->config, "JWT_PUBLIC_KEY_URL", &e->jwks_url);
    (void)km_config_getenv(snap->config, "JWT_ISSUER", &e->issuer);
    if (km_config_getenv(snap->config, "JWT_AUDIENCE", &a->audience[0]) && a->audience[0].n)
        e->audience = (struct km_str_list){ a->audience, 1 };
    i->any_issuer = e->issuer.n == 0;
    i->entry = e;
}

int km_jwt_auth_new(struct km_snapshot *snap, struct km_jwt_auth **ret, struct km_err *err)
{
    const struct km_jwt_settings *own = km_config_get(snap->config, &km_jwt_settings_table);
    const struct km_jwt_litellm *litellm = km_config_get(snap->config, &km_jwt_litellm_table);
    const struct km_jwt_entry *entries = own->jwt.v;
    size_t n = own->jwt.n + litellm->enabled;
    struct km_jwt_auth *a;
    int r = 0;

    *ret = NULL;
    if (!n)
        return 0;
    a = calloc(1, sizeof *a + n * sizeof *a->v);
    if (!a)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    for (size_t i = 0; r == 0 && i < n; i++) {
        if (i < own->jwt.n)
            a->v[i].entry = &entries[i];
        else
            from_litellm(a, &a->v[i], snap, litellm);
        a->n++;
        r = issuer_init(&a->v[i], snap, err);
    }
    if (r < 0)
        a = km_jwt_auth_free(a);
    *ret = a;
    return r;
}

struct km_jwt_auth *km_jwt_auth_free(struct km_jwt_auth *a)
{
    if (!a)
        return NULL;
    for (size_t i = 0; i < a->n; i++) {
        km_refresh_unref(a->v[i].refresh);
        if (a->v[i].last)
            km_refreshed_unref(&a->v[i].last->base);
        pthread_mutex_destroy(&a->v[i].lock);
    }
    free(a);
    return NULL;
}

bool km_jwt_issuers(const struct km_snapshot *snap)
{
    return snap->jwt != NULL;
}

void km_jwt_each_issuer(const struct km_snapshot *snap, struct km_json_out *o)
{
    for (size_t i = 0; snap->jwt && i < snap->jwt->n; i++)
        if (snap->jwt->v[i].entry->issuer.n)
            km_out_str(o, snap->jwt->v[i].entry->issuer);
}

static struct issuer *issuer_of(struct km_jwt_auth *a, struct km_str iss)
{
    for (size_t i = 0; i < a->n; i++)
        if (!a->v[i].any_issuer && km_str_eq(a->v[i].entry->issuer, iss))
            return &a->v[i];
    for (size_t i = 0; i < a->n; i++)
        if (a->v[i].any_issuer)
            return &a->v[i];
    return NULL;
}

/* --- at the door --- */

static bool knows(const struct km_jwt_hold *h, const struct km_jwt_keys *keys)
{
    return keys && km_jwks_has(keys->set, h->token.kid, h->token.alg);
}

/* The set that worked last, where the token's key is in it. */
static struct km_jwt_keys *last_keys(struct km_jwt_hold *h)
{
    struct km_jwt_keys *keys = NULL;

    pthread_mutex_lock(&h->issuer->lock);
    if (knows(h, h->issuer->last) && h->issuer->last->base.expires_us > h->v->came_us) {
        keys = h->issuer->last;
        atomic_fetch_add_explicit(&keys->base.refs, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&h->issuer->lock);
    return keys;
}

static void remember(struct km_jwt_hold *h)
{
    struct km_jwt_keys *old = NULL;

    pthread_mutex_lock(&h->issuer->lock);
    if (h->issuer->last != h->keys) {
        old = h->issuer->last;
        h->issuer->last = h->keys;
        atomic_fetch_add_explicit(&h->keys->base.refs, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&h->issuer->lock);
    if (old)
        km_refreshed_unref(&old->base);
}

static int ask(struct km_jwt_hold *h)
{
    struct km_worker *w = h->v->w;
    struct km_refreshed *value;
    struct km_auth_args args = {
        .loop = w->loop, .client = w->client, .mailbox = w->mailbox, .now_us = km_wall_us()
    };
    int r = km_refresh_get(h->issuer->refresh, &args, &h->wait, &value, &h->why);

    if (r < 0)
        return r;
    h->keys = (struct km_jwt_keys *)(void *)value;
    remember(h);
    return 0;
}

/* 0: what there is decides, be it nothing. */
static int get_keys(struct km_jwt_hold *h)
{
    int r = ask(h);

    if (r == 0 && !knows(h, h->keys) && km_refresh_distrust(h->issuer->refresh)) {
        km_refreshed_unref(&h->keys->base);
        h->keys = NULL;
        r = ask(h);
    }
    if (r < 0) {
        h->keys = last_keys(h);
        if (r == KM_E_AGAIN && h->keys)
            km_refresh_cancel(h->issuer->refresh, &h->wait);
    }
    return r == KM_E_AGAIN && !h->keys ? KM_E_AGAIN : 0;
}

static void drop_hold(void *ctx)
{
    struct km_jwt_hold *h = ctx;

    if (h->keys)
        km_refreshed_unref(&h->keys->base);
}

static void on_ready(void *ctx, const struct km_err *err)
{
    static const struct km_exchange_events none;
    struct km_jwt_hold *h = ctx;

    if (err)
        h->why = *err;
    else if (get_keys(h) == KM_E_AGAIN)
        return;
    km_exchange_listen(h->v->x, &none, NULL);
    h->go_on(h->v);
}

static void on_gone(void *ctx)
{
    struct km_jwt_hold *h = ctx;
    struct km_err err = { 0 };

    km_refresh_cancel(h->issuer->refresh, &h->wait);
    km_fail(&err, KM_E_CANCELED, "The client went away.");
    km_reply_error(h->v, &err);
}

static const struct km_exchange_events events = { .on_gone = on_gone };

int km_jwt_prepare(struct km_visit *v, struct km_str token, void (*go_on)(struct km_visit *v))
{
    struct km_arena *arena = km_exchange_arena(v->x);
    struct km_jwt_auth *a = v->view->snap->jwt;
    struct km_jwt_hold *h;

    if (!a || !km_jwt_looks_like(token))
        return 0;
    h = km_arena_zalloc(arena, sizeof *h);
    if (!h || km_arena_defer(arena, drop_hold, h) < 0)
        return 0;
    v->jwt = h;
    h->v = v;
    h->go_on = go_on;
    h->wait = (struct km_auth_wait){ .ready = on_ready, .ctx = h };
    if (km_jwt_parse(arena, token, &h->token, &h->why) < 0)
        return 0;
    h->issuer = issuer_of(a, h->token.issuer);
    if (!h->issuer || get_keys(h) == 0)
        return 0;
    km_exchange_listen(v->x, &events, h);
    return KM_E_AGAIN;
}

/* --- the authenticator --- */

/* The virtual key a name leads to; referenced. */
static struct km_key *by_name(struct km_visit *v, const struct km_jwt_entry *e, struct km_str name)
{
    for (size_t i = 0; i < e->keys.n; i++)
        if (km_str_eq(e->keys.v[i].name, name))
            return km_keys_by_alias(v->w->gw->keys, e->keys.v[i].value);
    return km_keys_by_alias(v->w->gw->keys, name);
}

static struct km_key *key_of(struct km_visit *v, const struct km_jwt_entry *e,
                             const struct km_jwt *t, struct km_str *ret_tried)
{
    struct km_key *key = NULL;
    struct km_str text;

    *ret_tried = KM_STR_NONE;
    for (size_t i = 0;
         !key && e->key_claim.n && km_jwt_claim_text(km_jwt_claim(t, e->key_claim), i, &text);
         i++) {
        *ret_tried = text;
        key = by_name(v, e, text);
    }
    for (size_t i = 0;
         !key && e->team_claim.n && km_jwt_claim_text(km_jwt_claim(t, e->team_claim), i, &text);
         i++) {
        *ret_tried = text;
        key = km_keys_by_team(v->w->gw->keys, text);
    }
    return key || !e->default_key.n ? key : km_keys_by_alias(v->w->gw->keys, e->default_key);
}

static void drop_key(void *key)
{
    km_key_unref(key);
}

static int become(struct km_visit *v, const struct km_jwt_hold *h, struct km_err *err)
{
    const struct km_jwt_entry *e = h->issuer->entry;
    struct km_str tried;
    char hex[9];
    int r;

    if (km_jwt_has_scope(&h->token, e->admin_scope)) {
        v->who.admin = true;
        snprintf(v->who.who, sizeof v->who.who, "token:admin");
        return 0;
    }
    v->who.key = key_of(v, e, &h->token, &tried);
    if (!v->who.key)
        return km_fail(err, KM_E_FORBIDDEN,
                       "Authentication Error, the token is valid, but '%.*s' (its claim '%.*s') "
                       "leads to no virtual key here: make a key with that alias, or name one in "
                       "kanmon_settings.jwt.",
                       KM_STR_ARG(km_str_sub(tried, 0, NAME_MOST)),
                       KM_STR_ARG(e->key_claim.n ? e->key_claim : e->team_claim));
    km_hex(hex, v->who.key->row.hash, 4);
    snprintf(v->who.who, sizeof v->who.who, "key:%s", hex);
    r = km_arena_defer(km_exchange_arena(v->x), drop_key, v->who.key);
    return r < 0 ? r : km_key_usable(v->who.key, v->came_us, err);
}

int km_jwt_authenticate(struct km_visit *v, struct km_str token, struct km_err *err)
{
    const struct km_jwt_hold *h = v->jwt;
    struct km_err why = { 0 };
    struct km_jwt_rules rules = { .now_us = v->came_us };
    int r;

    if (!v->view->snap->jwt || !km_jwt_looks_like(token))
        return KM_E_AGAIN;
    if (!h)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    if (!h->issuer)
        return km_fail(err, KM_E_UNAUTHENTICATED, "Authentication Error, %s.",
                       h->why.code ? h->why.text : "the token's issuer is not trusted here");
    if (!h->keys) {
        if (err)
            *err = h->why;
        return h->why.code ? h->why.code : km_fail(err, KM_E_OVERLOADED, "no keys");
    }
    rules.issuer = h->issuer->any_issuer ? h->token.issuer : h->issuer->entry->issuer;
    rules.audiences = &h->issuer->entry->audience;
    rules.algorithms = &h->issuer->entry->algorithms;
    rules.skew_us = h->issuer->entry->skew_ms * 1000;
    r = km_jwt_verify(&h->token, h->keys->set, &rules, &why);
    if (r < 0)
        return km_fail(err, r, "Authentication Error, %s.", why.text);
    return become(v, h, err);
}
