/* SPDX-License-Identifier: Apache-2.0 */
/* auth.c - see auth.h.
 *
 *     door   km_jwt_prepare      whose is it? are its keys here? else wait      (before routing)
 *     row    km_jwt_authenticate signature, claims, virtual key                 (as any credential)
 *
 * Between the two the keys are held by the visit.  The set that last worked is remembered beside
 * the refresh: a token with a kid that nobody knows makes the keys be fetched anew, and if the
 * issuer is down just then, tokens signed by known keys must not suffer for it.
 *
 * What was judged good is remembered (verdict.h); the door looks there before it reads a token, and
 * what it finds counts while the issuer's keys and the virtual keys are those it was judged by.
 */
#include "door/jwt/auth.h"

#include <stdio.h>

#include "base/crypto.h"
#include "base/encode.h"
#include "door/jwt/issuer.h"
#include "door/reply.h"

#define NAME_MOST 100 /* bytes of a foreign text in an error */
#define SHOWN_MOST 40 /* bytes of a subject in the name of an administrator */

#define HOLD_MAGIC 0x4b4a5754U /* "KJWT" */

/* What a visit holds between the door and its authentication. */
struct km_jwt_hold {
    uint32_t magic;
    struct km_visit *v;
    struct km_jwt_issuer *issuer;
    uint8_t digest[KM_SHA256_LEN]; /* of the token */
    struct km_jwt token; /* not read where it is judged */
    bool judged; /* before: verdict says what it leads to */
    struct km_jwt_verdict verdict;
    struct km_jwt_keys *keys;
    struct km_err why; /* where there are no keys */
    struct km_auth_wait wait;
    km_visit_fn *go_on;
};

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

    if (r == 0 && !knows(h, h->keys) &&
        km_refresh_distrust(h->issuer->refresh, h->keys->base.serial)) {
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

/* It was judged before, and all that it was judged by is as it was. */
static bool judged(struct km_jwt_hold *h, struct km_jwt_auth *a)
{
    struct km_visit *v = h->v;

    if (!km_jwt_verdict_find(a->verdicts, h->digest, v->came_us, km_exchange_arena(v->x),
                             &h->verdict) ||
        h->verdict.generation != km_keys_generation(v->w->gw->keys))
        return false;
    h->issuer = &a->v[h->verdict.issuer];
    if (ask(h) == 0 && memcmp(h->keys->digest, h->verdict.keys, sizeof h->verdict.keys) == 0)
        return true;
    if (h->keys)
        km_refreshed_unref(&h->keys->base);
    km_refresh_cancel(h->issuer->refresh, &h->wait); /* it is asked again, the token being read */
    h->keys = NULL;
    h->issuer = NULL;
    return false;
}

int km_jwt_prepare(struct km_visit *v, struct km_str token, km_visit_fn *go_on)
{
    struct km_arena *arena = km_exchange_arena(v->x);
    struct km_jwt_auth *a = km_jwt_auth_of(v->view->snap);
    struct km_jwt_hold *h;

    if (!a || !km_jwt_looks_like(token))
        return 0;
    h = km_arena_zalloc(arena, sizeof *h);
    if (!h || km_arena_defer(arena, drop_hold, h) < 0)
        return 0;
    h->magic = HOLD_MAGIC;
    v->hold = h;
    h->v = v;
    h->go_on = go_on;
    h->wait = (struct km_auth_wait){ .ready = on_ready, .ctx = h };
    km_sha256(token, h->digest);
    h->judged = judged(h, a);
    if (h->judged)
        return 0;
    if (km_jwt_parse(arena, token, &h->token, &h->why) < 0)
        return 0;
    h->issuer = km_jwt_issuer_of(a, h->token.issuer);
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

static int become_admin(struct km_visit *v)
{
    struct km_str who = km_str_sub(v->who.subject, 0, SHOWN_MOST);

    while (who.n && !km_utf8_valid(who))
        who.n--; /* cut inside a character */
    v->who.admin = true;
    snprintf(v->who.who, sizeof v->who.who, "token:%.*s", who.n ? (int)who.n : 5,
             who.n ? who.p : "admin");
    return 0;
}

static int become_known(struct km_visit *v, const struct km_jwt_verdict *verdict,
                        struct km_err *err)
{
    struct km_key *key;

    v->who.issuer = verdict->iss;
    v->who.subject = verdict->subject;
    if (verdict->admin)
        return become_admin(v);
    key = km_keys_find(v->w->gw->keys, verdict->key);
    return key ? km_visit_become_key(v, key, err)
               : km_fail(err, KM_E_FORBIDDEN,
                         "Authentication Error, the virtual key of this token has just gone.");
}

/* ret: what is to be remembered of it. */
static int become(struct km_visit *v, const struct km_jwt_hold *h, struct km_jwt_verdict *ret,
                  struct km_err *err)
{
    const struct km_jwt_entry *e = h->issuer->entry;
    struct km_key *key;
    struct km_str tried;

    v->who.issuer = h->token.issuer;
    if (!km_jwt_claim_text(km_jwt_claim(&h->token, e->subject_claim), 0, &v->who.subject))
        v->who.subject = KM_STR_NONE;
    ret->iss = v->who.issuer;
    ret->subject = v->who.subject;
    ret->generation = km_keys_generation(v->w->gw->keys);
    ret->admin = km_jwt_has_scope(&h->token, e->admin_scope);
    if (ret->admin)
        return become_admin(v);
    key = key_of(v, e, &h->token, &tried);
    if (!key)
        return km_fail(err, KM_E_FORBIDDEN,
                       "Authentication Error, the token is valid, but '%.*s' (its claim '%.*s') "
                       "leads to no virtual key here: make a key with that alias, or name one in "
                       "kanmon_settings.jwt.",
                       KM_STR_ARG(km_str_sub(tried, 0, NAME_MOST)),
                       KM_STR_ARG(e->key_claim.n ? e->key_claim : e->team_claim));
    memcpy(ret->key, key->row.hash, sizeof ret->key);
    return km_visit_become_key(v, key, err);
}

static int judge(struct km_visit *v, const struct km_jwt_hold *h, struct km_err *err)
{
    const struct km_jwt_entry *e = h->issuer->entry;
    struct km_jwt_auth *a = km_jwt_auth_of(v->view->snap);
    struct km_jwt_rules rules = {
        .issuer = h->issuer->any_issuer ? h->token.issuer : e->issuer,
        .audiences = &e->audience,
        .algorithms = &e->algorithms,
        .now_us = v->came_us,
        .skew_us = e->skew_ms * 1000,
    };
    struct km_jwt_verdict verdict = { .issuer = (size_t)(h->issuer - a->v) };
    struct km_err why = { 0 };
    int r = km_jwt_verify(&h->token, h->keys->set, &rules, &why);

    if (r < 0)
        return km_fail(err, r, "Authentication Error, %s.", why.text);
    r = become(v, h, &verdict, err);
    if (r < 0)
        return r;
    verdict.until_us = km_jwt_end_us(&h->token) + rules.skew_us;
    memcpy(verdict.keys, h->keys->digest, sizeof verdict.keys);
    km_jwt_verdict_keep(a->verdicts, h->digest, v->came_us, &verdict);
    return 0;
}

/* The token of somebody in particular is kept where a server exchanges it for its own.  That it is
 * not, for want of memory, is found out there. */
static void keep_token(struct km_visit *v, struct km_str token)
{
    const struct km_mcp_set *servers = v->view->snap->mcp;
    struct km_mcp_subject *s;

    if (!servers || !servers->exchanges || !v->who.subject.n)
        return;
    s = km_mcp_subject_new(token);
    if (km_mcp_subject_hold(s, km_exchange_arena(v->x)) == 0)
        v->who.token = s;
    km_mcp_subject_unref(s);
}

static int authenticate(struct km_visit *v, struct km_err *err)
{
    const struct km_jwt_hold *h = v->hold;

    if (!h)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    km_assert(h->magic == HOLD_MAGIC);
    if (h->judged)
        return become_known(v, &h->verdict, err);
    if (!h->issuer)
        return km_fail(err, KM_E_UNAUTHENTICATED, "Authentication Error, %s.",
                       h->why.code ? h->why.text : "the token's issuer is not trusted here");
    if (!h->keys) {
        if (err)
            *err = h->why;
        return h->why.code ? h->why.code : km_fail(err, KM_E_OVERLOADED, "no keys");
    }
    return judge(v, h, err);
}

int km_jwt_authenticate(struct km_visit *v, struct km_str token, struct km_err *err)
{
    int r = KM_E_AGAIN;

    if (km_jwt_auth_of(v->view->snap) && km_jwt_looks_like(token))
        r = authenticate(v, err);
    if (r == 0)
        keep_token(v, token);
    return r;
}

static bool has_issuers(const struct km_visit *v)
{
    return km_jwt_auth_of(v->view->snap) != NULL;
}

static int check(struct km_visit *v, const struct km_shown *shown, struct km_err *err)
{
    return km_jwt_authenticate(v, shown->text, err);
}

const struct km_authenticator km_jwt_authenticator = {
    .name = "jwt",
    .needs_credential = true,
    .applies = has_issuers,
    .prepare = km_jwt_prepare,
    .check = check,
};
