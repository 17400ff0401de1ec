/* SPDX-License-Identifier: Apache-2.0 */
/* back.c - a browser comes back from a log-in (oauth.h): a code, or a refusal.
 *
 *     state -> pending, used up ── the same browser? the issuer that was asked? ──> no
 *                               └── code and verifier -> tokens, kept for whose log-in it is
 *
 * The answer is the browser's; the tokens are for the next request of the principal.
 */
#include "base/time.h"
#include "llm/token.h"
#include "mcp/oauth/inside.h"

#define TEXT_BYTES ((size_t)4096)

struct exchange {
    struct km_arena arena; /* holds it */
    struct km_mcp_oauth *o; /* referenced */
    struct km_mcp_pending *p;
    struct km_fetch *fetch;
    km_mcp_callback_fn *fn;
    void *ctx;
    struct km_deferred end; /* its loop ends */
};

static void exchange_free(struct exchange *x)
{
    struct km_arena arena = x->arena;

    km_deferred_cancel(&x->end);
    km_mcp_pending_free(x->p);
    km_mcp_oauth_unref(x->o);
    km_arena_done(&arena);
}

static void on_exchange_end(void *ctx)
{
    struct exchange *x = ctx;

    km_fetch_abandon(x->fetch);
    exchange_free(x);
}

static void over(struct exchange *x, const struct km_err *err)
{
    struct km_err why = { 0 };

    if (err)
        km_fail(&why, err->code, "The login at '%.*s' failed: %s", KM_STR_ARG(x->o->name),
                err->text);
    x->fn(x->ctx, km_secret_view(&x->p->h->principal), err ? &why : NULL);
    exchange_free(x);
}

/* The principal has tokens from now on; the next request takes them over. */
static void keep_tokens(const struct exchange *x, const struct km_oauth_tokens *t)
{
    const struct km_mcp_pending *p = x->p;
    struct km_mcp_holder *h = p->h;

    pthread_mutex_lock(&h->lock);
    km_mcp_keep(&h->access, t->access);
    h->fresh = true;
    h->access_expires_us = km_wall_us() + t->lifetime_s * 1000000;
    km_mcp_keep(&h->refresh_token, t->refresh);
    km_mcp_keep(&h->token_url, km_secret_view(&p->token_url));
    km_mcp_keep(&h->client_id, km_secret_view(&p->client_id));
    km_mcp_keep(&h->client_secret, km_secret_view(&p->client_secret));
    km_mcp_keep(&h->resource, km_secret_view(&p->resource));
    km_mcp_keep(&h->issuer, km_secret_view(&p->issuer));
    km_mcp_keep(&h->granted, t->scope.n ? t->scope : km_secret_view(&p->scope));
    h->secret_post = p->secret_post;
    h->steps = h->step_up ? h->steps : 0; /* a server that is never content is not followed */
    h->step_up = false;
    h->logged_in = true;
    pthread_mutex_unlock(&h->lock);
    km_mcp_oauth_save(h);
    (void)km_refresh_renew(h->refresh);
}

static void on_tokens(void *ctx, const struct km_response *response, struct km_str body,
                      const struct km_err *why)
{
    struct exchange *x = ctx;
    struct km_oauth_tokens t;
    struct km_err err = { 0 };

    x->fetch = NULL;
    if (why) {
        over(x, why);
        return;
    }
    if (km_oauth_tokens_read(&x->arena, response->status, body, &t, &err) < 0) {
        over(x, &err);
        return;
    }
    keep_tokens(x, &t);
    over(x, NULL);
}

/* The browser that comes back must be the one that agreed: else somebody's account would be kept
 * under another's key.  RFC 9207: who answers must be who was asked. */
static int check(const struct km_mcp_pending *p, const struct km_mcp_callback *back,
                 struct km_err *err)
{
    uint8_t browser[KM_SHA256_LEN];

    km_sha256(back->browser, browser);
    if (!back->browser.n || !km_secret_eq(browser, p->browser, sizeof browser))
        return km_fail(err, KM_E_FORBIDDEN, "it was begun in another browser");
    if ((back->iss.n || p->says_iss) && !km_str_eq(back->iss, km_secret_view(&p->issuer)))
        return km_fail(err, KM_E_FORBIDDEN, "another issuer than was asked answered");
    if (back->error.n)
        return km_fail(err, KM_E_FORBIDDEN, "it was refused (%.*s)",
                       KM_STR_ARG(km_str_sub(back->error, 0, 60)));
    if (!back->code.n || back->code.n > TEXT_BYTES)
        return km_fail(err, KM_E_INVALID, "no code came back");
    return 0;
}

static int redeem(struct exchange *x, const struct km_mcp_oauth_on *on,
                  const struct km_mcp_callback *back, struct km_err *err)
{
    struct km_buf form KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);
    const struct km_mcp_pending *p = x->p;
    struct km_mcp_client client = { km_secret_view(&p->client_id),
                                    km_secret_view(&p->client_secret) };
    struct km_oauth_net net = km_mcp_oauth_net(x->o, on->loop, on->client);
    struct km_str head;
    int r = check(p, back, err);

    if (r < 0)
        return r;
    km_token_field(&form, "grant_type", KM_STR("authorization_code"));
    km_token_field(&form, "code", back->code);
    km_token_field(&form, "redirect_uri", km_secret_view(&p->redirect));
    km_token_field(&form, "code_verifier", km_secret_view(&p->verifier));
    km_token_field(&form, "resource", km_secret_view(&p->resource));
    r = km_mcp_oauth_prove(x->o, &x->arena, &client, p->secret_post, km_secret_view(&p->issuer),
                           &form, &head, err);
    if (r < 0)
        return r;
    x->fetch = km_oauth_fetch(&net, KM_STR("POST"), km_secret_view(&p->token_url), head,
                              km_buf_view(&form), on_tokens, x, err);
    km_wipe(form.p, form.n);
    return x->fetch ? 0 : err->code;
}

bool km_mcp_oauth_callback(struct km_mcp_oauth *o, const struct km_mcp_oauth_on *on,
                           const struct km_mcp_callback *back, km_mcp_callback_fn *fn, void *ctx)
{
    struct km_mcp_pending *p = km_mcp_pending_take(o, back->state);
    struct km_arena arena;
    struct exchange *x;
    struct km_err err = { 0 };

    if (!p)
        return false;
    km_arena_init(&arena, KM_MCP_OAUTH_RUN_BYTES, km_loop_arenas(on->loop));
    x = km_arena_zalloc(&arena, sizeof *x);
    if (!x) {
        km_arena_done(&arena);
        km_mcp_pending_free(p);
        km_fail(&err, KM_E_NOMEM, "out of memory");
        fn(ctx, KM_STR_NONE, &err);
        return true;
    }
    *x =
        (struct exchange){ .arena = arena, .o = km_mcp_oauth_ref(o), .p = p, .fn = fn, .ctx = ctx };
    km_deferred_init(&x->end, on->loop, on_exchange_end, x);
    km_deferred_at_free(&x->end);
    if (redeem(x, on, back, &err) < 0)
        over(x, &err);
    return true;
}
