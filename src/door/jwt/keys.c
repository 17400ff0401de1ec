/* SPDX-License-Identifier: Apache-2.0 */
/* keys.c - see keys.h.
 *
 *     issuer/.well-known/openid-configuration  ── not there ──> oauth-authorization-server
 *        └── names the same issuer, and jwks_uri ──> the keys
 *
 * The operator wrote the issuer and jwks_url, so they are dialled as they are; the address that
 * metadata name is another's word and goes through the guard, unless it is on the issuer's own
 * host or a trusted one.  No redirect is followed.
 */
#include "door/jwt/keys.h"

#include <stdlib.h>

#include "base/time.h"
#include "llm/refresh_work.h"

#define EARLY_MS (30 * 60 * 1000)
#define LIFETIME_US (INT64_C(3600) * 1000000)
#define TIMEOUT_MS 10000
#define TRIES 2
#define RUN_BYTES (32 * KM_JWKS_BYTES)
#define OWNER_BYTES (256 * 1024)

enum stage { OPENID, OAUTH, KEYS };

struct run {
    struct km_refresh_work work; /* first */
    const struct km_jwt_keys_args *args;
    enum stage stage;
};

static void keys_free(struct km_refreshed *base)
{
    struct km_jwt_keys *k = (struct km_jwt_keys *)(void *)base;

    km_jwks_free(k->set);
    free(k);
}

static void end(struct run *r, struct km_jwt_keys *keys, const struct km_err *err)
{
    struct km_err why = { 0 };

    if (err)
        km_fail(&why, KM_E_OVERLOADED, "The keys of the issuer %.*s cannot be had: %s",
                KM_STR_ARG(km_str_sub(r->args->issuer, 0, 100)), err->text);
    km_refresh_work_end(&r->work, keys ? &keys->base : NULL, err ? &why : NULL);
}

static void on_answer(void *ctx, const struct km_response *response, struct km_str body,
                      const struct km_err *why);

static bool same_host(struct km_str a, struct km_str b)
{
    struct km_url x, y;

    return km_url_parse(a, &x, NULL) == 0 && km_url_parse(b, &y, NULL) == 0 &&
           km_str_ieq(x.host, y.host) && x.port == y.port && x.https == y.https;
}

static int fetch(struct run *r, struct km_str url, bool own, struct km_err *err)
{
    bool trusted =
        own || same_host(url, r->args->issuer) || km_url_host_listed(url, r->args->trusted_hosts);

    r->work.fetch =
        km_fetch_start(&(struct km_fetch_args){ .loop = r->work.run->loop,
                                                .client = r->work.run->client,
                                                .tls = r->args->tls,
                                                .proxies = r->args->proxies,
                                                .guard = trusted ? KM_GUARD_NONE : KM_GUARD_PUBLIC,
                                                .method = KM_STR("GET"),
                                                .url = url,
                                                .head = KM_STR("Accept: application/json"
                                                               "\r\n"),
                                                .timeout_ms = TIMEOUT_MS,
                                                .tries = TRIES,
                                                .max_bytes = KM_JWKS_BYTES },
                       on_answer, r, err);
    return r->work.fetch ? 0 : err->code;
}

/* issuer + path for OpenID; path between host and issuer's path for OAuth (RFC 8414, 3.1). */
static struct km_str metadata_url(struct run *r)
{
    struct km_str issuer = r->args->issuer, path;
    struct km_url url;

    while (issuer.n && issuer.p[issuer.n - 1] == '/')
        issuer.n--;
    if (r->stage == OPENID)
        return km_arena_cat(
            &r->work.arena,
            (struct km_str[]){ issuer, KM_STR("/.well-known/openid-configuration") }, 2);
    path = km_url_parse(issuer, &url, NULL) == 0 ? url.path : KM_STR_NONE;
    return km_arena_cat(&r->work.arena,
                        (struct km_str[]){ km_str_sub(issuer, 0, issuer.n - path.n),
                                           KM_STR("/.well-known/oauth-authorization-server"),
                                           path },
                        3);
}

static void take_keys(struct run *r, struct km_str body)
{
    struct km_jwt_keys *keys = calloc(1, sizeof *keys);
    struct km_err err = { 0 };

    if (!keys) {
        km_fail(&err, KM_E_NOMEM, "out of memory");
        end(r, NULL, &err);
        return;
    }
    if (km_jwks_new(body, &keys->set, &err) < 0) {
        free(keys);
        end(r, NULL, &err);
        return;
    }
    km_sha256(body, keys->digest);
    atomic_init(&keys->base.refs, 1);
    keys->base.free = keys_free;
    keys->base.expires_us = km_wall_us() + LIFETIME_US;
    end(r, keys, NULL);
}

static int take_metadata(struct run *r, struct km_str body, struct km_err *err)
{
    const struct km_json *root = NULL;
    struct km_str issuer = KM_STR_NONE, url = KM_STR_NONE;

    if (km_json_parse(&r->work.arena, body, &root, NULL) < 0)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "its metadata are not JSON");
    (void)km_json_string(km_json_get(root, "issuer"), &issuer);
    (void)km_json_string(km_json_get(root, "jwks_uri"), &url);
    if (!km_str_eq(issuer, r->args->issuer))
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "its metadata name another issuer");
    if (!url.n)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "its metadata name no jwks_uri");
    r->stage = KEYS;
    return fetch(r, url, false, err);
}

static void on_answer(void *ctx, const struct km_response *response, struct km_str body,
                      const struct km_err *why)
{
    struct run *r = ctx;
    struct km_err err = { 0 };
    int rc = 0;

    r->work.fetch = NULL;
    if (why) {
        end(r, NULL, why);
    } else if (response->status == 200 && r->stage == KEYS) {
        take_keys(r, body);
    } else if (response->status == 200) {
        rc = take_metadata(r, body, &err);
    } else if (r->stage == OPENID && response->status < 500) {
        r->stage = OAUTH;
        rc = fetch(r, metadata_url(r), true, &err);
    } else {
        rc = km_fail(&err, KM_E_UPSTREAM_STATUS, "status %d", response->status);
    }
    if (rc < 0)
        end(r, NULL, &err);
}

static void start(struct km_refresh_run *run)
{
    struct run *r = km_refresh_work_new(run, RUN_BYTES, sizeof *r);
    struct km_err err = { 0 };
    bool given;

    if (!r)
        return;
    r->args = run->owner;
    given = r->args->jwks_url.n > 0;
    r->stage = given ? KEYS : OPENID;
    if (fetch(r, given ? r->args->jwks_url : metadata_url(r), true, &err) < 0)
        end(r, NULL, &err);
}

/* A run may outlive the configuration it came from: everything is the refresh's own. */
struct owner {
    struct km_jwt_keys_args args; /* first: what a run sees */
    struct km_arena arena; /* holds it */
    struct km_str_list hosts;
    struct km_proxy_env proxies;
};

static void owner_free(void *ctx)
{
    struct owner *o = ctx;
    struct km_arena arena = o->arena;

    km_tls_client_unref(o->args.tls);
    km_arena_done(&arena);
}

static const struct km_refresh_ops ops = { start, km_refresh_work_abandon, owner_free };

static struct km_str_list copy_list(struct km_arena *arena, const struct km_str_list *list)
{
    struct km_str *v = km_arena_alloc(arena, (list->n + 1) * sizeof *v);

    for (size_t i = 0; v && i < list->n; i++)
        v[i] = km_arena_str(arena, list->v[i]);
    return (struct km_str_list){ v, v ? list->n : 0 };
}

struct km_refresh *km_jwt_keys_new(const struct km_jwt_keys_args *args)
{
    struct km_arena arena;
    struct owner *o;

    km_arena_init(&arena, OWNER_BYTES, NULL);
    o = km_arena_zalloc(&arena, sizeof *o);
    if (!o) {
        km_arena_done(&arena);
        return NULL;
    }
    o->hosts = copy_list(&arena, args->trusted_hosts);
    if (args->proxies)
        o->proxies = (struct km_proxy_env){ km_arena_str(&arena, args->proxies->http),
                                            km_arena_str(&arena, args->proxies->https),
                                            km_arena_str(&arena, args->proxies->none) };
    o->args = (struct km_jwt_keys_args){ .issuer = km_arena_str(&arena, args->issuer),
                                         .jwks_url = km_arena_str(&arena, args->jwks_url),
                                         .trusted_hosts = &o->hosts,
                                         .tls = km_tls_client_ref(args->tls),
                                         .proxies = args->proxies ? &o->proxies : NULL };
    o->arena = arena;
    return km_refresh_new(&ops, o, EARLY_MS);
}
