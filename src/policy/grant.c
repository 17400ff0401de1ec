/* SPDX-License-Identifier: Apache-2.0 */
/* grant.c - see grant.h for the contract.
 *
 *     map: SHA-256 of a secret ──> struct held ── the grant, its place in the list
 *          (code, two access tokens, two refresh tokens lead to the same grant)
 *
 * A code that comes a second time, or a refresh token that was replaced more than a moment ago,
 * was stolen from somebody: whoever has it now, the grant ends (RFC 6749 4.1.2, RFC 9700 4.14).
 * For half a minute the replaced refresh token is still good: a client whose answer got lost, or
 * two windows of one program that refresh at once, are no thieves.  The access token before the
 * newest stays good to its own end, for calls that are under way with it.
 */
#include "policy/grant.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/crypto.h"
#include "base/encode.h"
#include "base/list.h"
#include "base/map.h"

#define SECRETS 5 /* of one grant: code, access, access before, refresh, refresh before */

struct held {
    struct km_list link;
    struct km_grant grant; /* the map's keys point into it */
};

struct km_grants {
    pthread_rwlock_t lock;
    struct km_map *map;
    struct km_list list;
    size_t n, most;
};

static struct km_str view(const uint8_t hash[32])
{
    return km_str((const char *)hash, 32);
}

static bool same(const uint8_t a[32], const uint8_t b[32])
{
    return km_secret_eq(a, b, 32);
}

static bool is_zero(const uint8_t hash[32])
{
    static const uint8_t zero[32];

    return same(hash, zero);
}

static const uint8_t *secret(const struct held *h, size_t i)
{
    const uint8_t *const all[SECRETS] = { h->grant.code, h->grant.access[0], h->grant.access[1],
                                          h->grant.refresh[0], h->grant.refresh[1] };

    return all[i];
}

struct km_grants *km_grants_new(size_t most)
{
    struct km_grants *g = calloc(1, sizeof *g);

    if (!g)
        return NULL;
    g->most = most;
    km_list_init(&g->list);
    g->map = km_map_new_borrowed(most * SECRETS);
    if (!g->map || pthread_rwlock_init(&g->lock, NULL) != 0) {
        if (g->map)
            km_map_free(g->map, NULL);
        free(g);
        return NULL;
    }
    return g;
}

static void unindex(struct km_grants *g, struct held *h)
{
    for (size_t i = 0; i < SECRETS; i++)
        if (!is_zero(secret(h, i)) && km_map_get(g->map, view(secret(h, i))) == h)
            km_map_del(g->map, view(secret(h, i)));
}

static int index_all(struct km_grants *g, struct held *h)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < SECRETS; i++)
        if (!is_zero(secret(h, i)))
            r = km_map_set(g->map, view(secret(h, i)), h, NULL);
    return r;
}

static void drop(struct km_grants *g, struct held *h)
{
    unindex(g, h);
    km_list_remove(&h->link);
    g->n--;
    free(h);
}

struct km_grants *km_grants_free(struct km_grants *g)
{
    if (!g)
        return NULL;
    while (!km_list_empty(&g->list))
        drop(g, KM_CONTAINER(g->list.next, struct held, link));
    km_map_free(g->map, NULL);
    pthread_rwlock_destroy(&g->lock);
    free(g);
    return NULL;
}

size_t km_grants_count(struct km_grants *g)
{
    size_t n;

    pthread_rwlock_rdlock(&g->lock);
    n = g->n;
    pthread_rwlock_unlock(&g->lock);
    return n;
}

static void sweep(struct km_grants *g, int64_t now_us)
{
    KM_LIST_EACH(at, &g->list)
    {
        struct held *h = KM_CONTAINER(at, struct held, link);

        if (h->grant.expires_us <= now_us)
            drop(g, h);
    }
}

int km_grants_add(struct km_grants *g, const struct km_grant *grant, int64_t now_us,
                  struct km_err *err)
{
    struct held *h = calloc(1, sizeof *h);
    int r = 0;

    if (!h)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    h->grant = *grant;
    pthread_rwlock_wrlock(&g->lock);
    if (g->n >= g->most)
        sweep(g, now_us);
    if (g->n >= g->most)
        r = KM_E_LIMIT;
    if (r == 0) {
        r = index_all(g, h);
        km_list_push(&g->list, &h->link);
        g->n++;
        if (r < 0)
            drop(g, h);
    } else {
        free(h);
    }
    pthread_rwlock_unlock(&g->lock);
    return r == 0 ? 0
                  : km_fail(err, r, "%zu log-ins are held already, and no more can be", g->most);
}

bool km_grants_remove(struct km_grants *g, const uint8_t id[KM_GRANT_ID_LEN])
{
    bool found = false;

    pthread_rwlock_wrlock(&g->lock);
    KM_LIST_EACH(at, &g->list)
    {
        struct held *h = KM_CONTAINER(at, struct held, link);

        if (memcmp(h->grant.id, id, sizeof h->grant.id) == 0) {
            drop(g, h);
            found = true;
        }
    }
    pthread_rwlock_unlock(&g->lock);
    return found;
}

bool km_grants_access(struct km_grants *g, const uint8_t token[32], int64_t now_us,
                      struct km_grant *ret, int64_t *ret_expires_us)
{
    struct held *h;
    int64_t expires = 0;

    pthread_rwlock_rdlock(&g->lock);
    h = km_map_get(g->map, view(token));
    for (size_t i = 0; h && i < 2; i++)
        if (same(h->grant.access[i], token))
            expires = h->grant.access_expires_us[i];
    if (h && expires > now_us) {
        *ret = h->grant;
        *ret_expires_us = expires;
    }
    pthread_rwlock_unlock(&g->lock);
    return expires > now_us;
}

bool km_grants_find(struct km_grants *g, const uint8_t token[32], struct km_grant *ret)
{
    struct held *h;

    pthread_rwlock_rdlock(&g->lock);
    h = km_map_get(g->map, view(token));
    if (h && same(h->grant.code, token))
        h = NULL;
    if (h)
        *ret = h->grant;
    pthread_rwlock_unlock(&g->lock);
    return h != NULL;
}

static int no_grant(struct km_err *err, const char *why)
{
    int r = km_fail(err, KM_E_FORBIDDEN, "%s", why);

    if (err) {
        err->http = 400;
        err->reason = "invalid_grant";
    }
    return r;
}

static int other_resource(struct km_err *err)
{
    int r = km_fail(err, KM_E_FORBIDDEN, "The resource is not the one that was authorized.");

    if (err) {
        err->http = 400;
        err->reason = "invalid_target";
    }
    return r;
}

/* A resource that was not named at the beginning may not be chosen later either. */
static bool resource_fits(const struct km_grant *grant, struct km_str asked)
{
    return !asked.n || km_str_eq(asked, km_str_c(grant->resource));
}

/* The fresh pair takes its place; what it replaces is remembered once. */
static int turn(struct km_grants *g, struct held *h, const struct km_grant_ask *ask)
{
    struct km_grant *x = &h->grant;
    int r;

    unindex(g, h);
    memcpy(x->access[1], x->access[0], 32);
    x->access_expires_us[1] = x->access_expires_us[0];
    memcpy(x->refresh[1], x->refresh[0], 32);
    memcpy(x->access[0], ask->access, 32);
    memcpy(x->refresh[0], ask->refresh, 32);
    x->access_expires_us[0] = ask->now_us + KM_GRANT_ACCESS_US;
    x->rotated_us = ask->now_us;
    x->expires_us = ask->now_us + KM_GRANT_IDLE_US;
    r = index_all(g, h);
    if (r < 0)
        drop(g, h);
    return r;
}

static void stolen(struct km_grants *g, struct held *h, struct km_grant *ret, bool *ret_revoked)
{
    *ret = h->grant;
    *ret_revoked = true;
    drop(g, h);
}

static int redeem(struct km_grants *g, const struct km_grant_ask *ask, struct km_grant *ret,
                  bool *ret_revoked, struct km_err *err)
{
    struct held *h = km_map_get(g->map, view(ask->secret));

    if (!h || !same(h->grant.code, ask->secret))
        return no_grant(err, "The code is unknown or was used up: log in again.");
    if (h->grant.code_used) {
        stolen(g, h, ret, ret_revoked);
        return no_grant(err, "The code came a second time; the log-in it began has been ended.");
    }
    if (h->grant.code_expires_us <= ask->now_us)
        return no_grant(err, "The code is too old: log in again.");
    if (!same(h->grant.client, ask->client) || !same(h->grant.redirect, ask->redirect))
        return no_grant(err, "The code was given to another client or redirect_uri.");
    if (!km_pkce_holds(ask->verifier, km_str_c(h->grant.challenge)))
        return no_grant(err, "The code_verifier does not fit the code_challenge.");
    if (!resource_fits(&h->grant, ask->resource))
        return other_resource(err);
    h->grant.code_used = true;
    if (turn(g, h, ask) < 0)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    *ret = h->grant;
    return 0;
}

int km_grants_redeem(struct km_grants *g, const struct km_grant_ask *ask, struct km_grant *ret,
                     bool *ret_revoked, struct km_err *err)
{
    int r;

    *ret_revoked = false;
    pthread_rwlock_wrlock(&g->lock);
    r = redeem(g, ask, ret, ret_revoked, err);
    pthread_rwlock_unlock(&g->lock);
    return r;
}

static int refresh(struct km_grants *g, const struct km_grant_ask *ask, struct km_grant *ret,
                   bool *ret_revoked, struct km_err *err)
{
    struct held *h = km_map_get(g->map, view(ask->secret));
    bool newest = h && same(h->grant.refresh[0], ask->secret);
    bool before = h && !newest && same(h->grant.refresh[1], ask->secret);

    if ((!newest && !before) || h->grant.expires_us <= ask->now_us)
        return no_grant(err, "The refresh token is unknown or too old: log in again.");
    if (!same(h->grant.client, ask->client))
        return no_grant(err, "The refresh token was given to another client.");
    if (before && h->grant.rotated_us + KM_GRANT_GRACE_US <= ask->now_us) {
        stolen(g, h, ret, ret_revoked);
        return no_grant(err, "The refresh token was replaced long ago; its log-in has been ended.");
    }
    if (!resource_fits(&h->grant, ask->resource))
        return other_resource(err);
    if (turn(g, h, ask) < 0)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    *ret = h->grant;
    return 0;
}

int km_grants_refresh(struct km_grants *g, const struct km_grant_ask *ask, struct km_grant *ret,
                      bool *ret_revoked, struct km_err *err)
{
    int r;

    *ret_revoked = false;
    pthread_rwlock_wrlock(&g->lock);
    r = refresh(g, ask, ret, ret_revoked, err);
    pthread_rwlock_unlock(&g->lock);
    return r;
}

bool km_grant_covers(struct km_str resource, struct km_str path)
{
    size_t at = km_str_find(resource, KM_STR("://"));
    struct km_str rest = at < resource.n ? km_str_skip(resource, at + 3) : resource;
    struct km_str base = km_str_skip(rest, km_str_chr(rest, '/'));

    while (base.n && base.p[base.n - 1] == '/')
        base.n--;
    return km_str_starts(path, base) && (path.n == base.n || path.p[base.n] == '/');
}

static bool unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

bool km_pkce_holds(struct km_str verifier, struct km_str challenge)
{
    struct km_buf made KM_CLEANUP(km_buf_done) = KM_BUF(64);
    uint8_t hash[KM_SHA256_LEN];

    if (verifier.n < 43 || verifier.n > 128)
        return false;
    for (size_t i = 0; i < verifier.n; i++)
        if (!unreserved(verifier.p[i]))
            return false;
    km_sha256(verifier, hash);
    km_buf_base64url(&made, km_str((const char *)hash, sizeof hash));
    return !km_buf_failed(&made) && km_secret_str_eq(km_buf_view(&made), challenge);
}
