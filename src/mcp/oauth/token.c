/* SPDX-License-Identifier: Apache-2.0 */
/* token.c - a principal's token: asked for, made anew, refused (oauth.h).
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
#include "base/time.h"
#include "base/veil.h"
#include "llm/bearer.h"
#include "llm/refresh_work.h"
#include "llm/token.h"
#include "mcp/oauth/inside.h"

#define STEPS_MOST 3

struct run {
    struct km_refresh_work work; /* first */
    struct km_mcp_holder *h;
    struct km_oauth_net net;
    struct km_oauth_find *find;
    struct km_str scope; /* asked for */
    bool refreshing; /* by a refresh token */
};

static void end(struct run *r, struct km_refreshed *token, const struct km_err *err)
{
    struct km_err why = { 0 };

    if (err)
        km_fail(&why, err->code, "no token for '%.*s': %s", KM_STR_ARG(r->h->o->name), err->text);
    km_refresh_work_end(&r->work, token, err ? &why : NULL);
}

/* Nothing is left of a log-in, or there was none. */
static int login_needed(struct km_mcp_holder *h, struct km_err *err)
{
    pthread_mutex_lock(&h->lock);
    h->logged_in = false;
    pthread_mutex_unlock(&h->lock);
    return km_fail(err, KM_E_UNAUTHENTICATED,
                   "a login is needed: POST /v1/mcp/server/%.*s/login gives its address",
                   KM_STR_ARG(h->o->name));
}

static void on_tokens(void *ctx, const struct km_response *response, struct km_str body,
                      const struct km_err *why)
{
    struct run *r = ctx;
    struct km_mcp_holder *h = r->h;
    struct km_oauth_tokens t = { 0 };
    struct km_err err = { 0 };
    struct km_refreshed *token = NULL;
    bool over;

    r->work.fetch = NULL;
    if (why) {
        end(r, NULL, why);
        return;
    }
    if (km_oauth_tokens_read(&r->work.arena, response->status, body, &t, &err) == 0)
        token = km_bearer_new(t.access, km_wall_us() + t.lifetime_s * 1000000, &err);
    pthread_mutex_lock(&h->lock);
    if (token && t.refresh.n)
        km_mcp_keep(&h->refresh_token, t.refresh);
    if (token && r->refreshing) {
        km_mcp_keep(&h->access, t.access);
        h->access_expires_us = km_wall_us() + t.lifetime_s * 1000000;
    }
    if (token && (t.scope.n || !r->refreshing))
        km_mcp_keep(&h->granted, t.scope.n ? t.scope : r->scope);
    over = !token && r->refreshing && km_str_eq(t.error, KM_STR("invalid_grant"));
    if (over) { /* they will not become good again */
        km_secret_done(&h->refresh_token);
        km_secret_done(&h->access);
    }
    pthread_mutex_unlock(&h->lock);
    if (r->refreshing && (token || over))
        km_mcp_oauth_save(h);
    if (over)
        login_needed(h, &err);
    end(r, token, token ? NULL : &err);
}

static void post(struct run *r, struct km_str url, const struct km_mcp_client *client,
                 bool secret_post, struct km_str issuer, struct km_buf *form)
{
    struct km_err err = { 0 };
    struct km_str head;
    int rc =
        km_mcp_oauth_prove(r->h->o, &r->work.arena, client, secret_post, issuer, form, &head, &err);

    if (rc == 0) {
        r->work.fetch = km_oauth_fetch(&r->net, KM_STR("POST"), url, head, km_buf_view(form),
                                       on_tokens, r, &err);
        rc = r->work.fetch ? 0 : err.code;
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
    client.id = km_arena_str(&r->work.arena, km_secret_view(&h->client_id));
    client.secret = km_arena_str(&r->work.arena, km_secret_view(&h->client_secret));
    url = km_arena_str(&r->work.arena, km_secret_view(&h->token_url));
    issuer = km_arena_str(&r->work.arena, km_secret_view(&h->issuer));
    secret_post = h->secret_post;
    km_veil_add_passing(km_http_client_veil(r->work.run->client),
                        km_secret_view(&h->refresh_token));
    pthread_mutex_unlock(&h->lock);
    km_veil_add_passing(km_http_client_veil(r->work.run->client), client.secret);
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
    r->scope = km_mcp_oauth_scope(o, &r->work.arena, r->scope.n ? r->scope : found->scope,
                                  found->resource.scopes);
    km_token_field(&form, "scope", r->scope);
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
    struct km_refreshed *token = NULL;
    struct km_err err = { 0 };
    bool refresh, over;

    pthread_mutex_lock(&h->o->lock);
    over = h->o->next != NULL;
    pthread_mutex_unlock(&h->o->lock);
    pthread_mutex_lock(&h->lock);
    if (h->fresh && h->access.n && h->access_expires_us > km_wall_us())
        token = km_bearer_new(km_secret_view(&h->access), h->access_expires_us, &err);
    h->fresh = false;
    refresh = h->refresh_token.n > 0;
    r->scope = km_arena_str(&r->work.arena, km_secret_view(&h->scope));
    metadata_url = km_arena_str(&r->work.arena, km_secret_view(&h->metadata_url));
    pthread_mutex_unlock(&h->lock);
    if (token) {
        end(r, token, NULL);
    } else if (refresh && over) {
        km_fail(&err, KM_E_OVERLOADED, "its settings have changed: try again");
        end(r, NULL, &err);
    } else if (refresh) {
        by_refresh_token(r);
    } else if (!h->o->by_client) {
        login_needed(h, &err);
        end(r, NULL, &err);
    } else if (km_mcp_oauth_configured(h->o, &found)) {
        by_client(r, &found);
    } else {
        struct km_oauth_find *find =
            km_oauth_find(&r->work.arena, &r->net, metadata_url, on_found, r);

        if (find)
            r->find = find;
    }
}

static void start(struct km_refresh_run *run)
{
    struct run *r = km_refresh_work_new(run, KM_MCP_OAUTH_RUN_BYTES, sizeof *r);

    if (!r)
        return;
    r->h = run->owner;
    r->net = km_mcp_oauth_net(r->h->o, run->loop, run->client);
    begin(r);
}

static void abandon(struct km_refresh_run *run)
{
    struct run *r = run->state;

    if (r)
        km_oauth_find_abandon(r->find);
    km_refresh_work_abandon(run);
}

/* --- header lines --- */

static struct km_mcp_holder *of(struct km_auth *auth)
{
    return (struct km_mcp_holder *)(void *)auth;
}

static int head(struct km_auth *auth, const struct km_auth_args *args, struct km_auth_wait *wait,
                struct km_buf *out, struct km_err *err)
{
    return km_bearer_head(of(auth)->refresh, args, wait, out, err);
}

static void cancel(struct km_auth *auth, struct km_auth_wait *wait)
{
    km_refresh_cancel(of(auth)->refresh, wait);
}

/* More is wanted than the token is for: what it is for and what was named together.  false: it is
 * for that already, or it grew too often.  Under the lock. */
static bool grow(struct km_mcp_holder *h, struct km_arena *arena, struct km_str named)
{
    struct km_str both = km_mcp_oauth_join(arena, km_secret_view(&h->granted), named);

    if (h->steps >= STEPS_MOST || both.n <= h->granted.n)
        return false;
    h->steps++;
    h->step_up = true;
    km_mcp_keep(&h->scope, both);
    return true;
}

/* What the server says of itself counts for the next try; true: there is one. */
static bool refused(struct km_auth *auth, const struct km_auth_wait *wait, int status,
                    const struct km_headers *headers, struct km_str body)
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
    if (status == 403 && km_str_eq(c.error, KM_STR("insufficient_scope")) && c.scope.n)
        step = grow(h, &arena, c.scope);
    else if (status == 401 && c.scope.n && !h->step_up)
        km_mcp_keep(&h->scope, c.scope);
    pthread_mutex_unlock(&h->lock);
    km_arena_done(&arena);
    if (step)
        return h->o->by_client && km_refresh_renew(h->refresh);
    return status == 401 && km_refresh_distrust(h->refresh, wait->serial);
}

const struct km_auth_ops km_mcp_oauth_auth_ops = { head, cancel, refused, NULL };

const struct km_refresh_ops km_mcp_oauth_refresh_ops = { start, abandon, km_mcp_oauth_holder_free };
