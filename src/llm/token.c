/* SPDX-License-Identifier: Apache-2.0 */
/* token.c - see token.h.
 *
 *     refresh (when, one at a time)  ->  ask (what: the issuer's)  ->  fetch  ->  a header line
 *
 * The line is kept as a secret and handed out by reference; a run lives in its own arena on the
 * loop that asked first.  Source of the answers' shape: RFC 6749, 5.1 and 5.2.
 */
#include "llm/token.h"

#include <stdlib.h>

#include "base/crypto.h"
#include "base/time.h"
#include "http/json.h"
#include "llm/fetch.h"

#define EARLY_MS (5 * 60 * 1000)
#define TIMEOUT_MS 10000
#define TRIES 3
#define ANSWER_BYTES (256 * 1024)
#define RUN_BYTES (1024 * 1024)
#define LIFETIME_S 300 /* where the issuer does not say */
#define FORM_LINE "Content-Type: application/x-www-form-urlencoded\r\n"

struct token {
    struct km_refreshed base;
    struct km_secret line; /* "Authorization: Bearer ...\r\n" */
};

struct owner { /* shared by threads, constant */
    struct km_arena arena; /* holds it */
    struct km_token_args args;
    struct km_proxy_env proxies;
};

struct run {
    struct km_arena arena; /* holds it */
    struct km_refresh_run *run;
    const struct owner *owner;
    struct km_fetch *fetch;
};

static void token_free(struct km_refreshed *base)
{
    struct token *t = (struct token *)(void *)base;

    km_secret_done(&t->line);
    free(t);
}

static struct token *token_new(struct km_str access, int64_t lifetime_s, struct km_err *err)
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
    t->base.expires_us = km_wall_us() + lifetime_s * 1000000;
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
        km_fail(&why, err->code, "%s: %s", r->owner->args.issuer, err->text);
    km_arena_done(&arena);
    run->state = NULL;
    km_refresh_done(run, token ? &token->base : NULL, token ? NULL : &why);
}

/* The token, or what the issuer says of why not; never a piece of what was sent. */
static struct token *read_answer(struct run *r, int status, struct km_str body, struct km_err *err)
{
    struct km_str access = KM_STR_NONE, error = KM_STR_NONE, text = KM_STR_NONE;
    const struct km_json *root = NULL;
    int64_t lifetime = LIFETIME_S;

    if (km_json_parse(&r->arena, body, &root, NULL) < 0)
        root = NULL;
    (void)km_json_string(km_json_get(root, "access_token"), &access);
    (void)km_json_string(km_json_get(root, "error"), &error);
    (void)km_json_string(km_json_get(root, "error_description"), &text);
    (void)km_json_i64(km_json_get(root, "expires_in"), &lifetime);
    if (status == 200 && access.n)
        return token_new(access, lifetime > 0 && lifetime < 86400 ? lifetime : LIFETIME_S, err);
    km_fail(err, KM_E_UPSTREAM_STATUS, "no token, status %d%s%.*s%s%.*s", status,
            error.n ? ", " : "", KM_STR_ARG(km_str_sub(error, 0, 60)), text.n ? ": " : "",
            KM_STR_ARG(km_str_sub(text, 0, 200)));
    return NULL;
}

static void on_answer(void *ctx, const struct km_response *response, struct km_str body,
                      const struct km_err *why)
{
    struct run *r = ctx;
    struct km_err err = { 0 };
    struct token *token;

    r->fetch = NULL;
    if (why) {
        end(r, NULL, why);
        return;
    }
    token = read_answer(r, response->status, body, &err);
    end(r, token, token ? NULL : &err);
}

static int request(struct run *r, struct km_err *err)
{
    struct km_token_request q = { 0 };
    const struct owner *o = r->owner;
    int rc = o->args.ask(o->args.owner, &r->arena, &q, err);

    if (rc < 0)
        return rc;
    r->fetch = km_fetch_start(
        &(struct km_fetch_args){
            .loop = r->run->loop,
            .client = r->run->client,
            .tls = o->args.tls,
            .proxies = q.straight ? NULL : &o->proxies,
            .method = q.method ? km_str_c(q.method) : KM_STR("POST"),
            .url = q.url,
            .head = q.method ? q.head
                             : km_arena_cat(&r->arena,
                                            (struct km_str[]){ KM_STR(FORM_LINE), q.head }, 2),
            .body = q.form,
            .has_body = !q.method,
            .timeout_ms = TIMEOUT_MS,
            .tries = TRIES,
            .max_bytes = ANSWER_BYTES },
        on_answer, r, err);
    return r->fetch ? 0 : KM_E_CONFIG;
}

static void start(struct km_refresh_run *run)
{
    struct km_arena arena;
    struct km_err err = { 0 };
    struct run *r;

    km_arena_init(&arena, RUN_BYTES, km_loop_arenas(run->loop));
    r = km_arena_zalloc(&arena, sizeof *r);
    if (!r) {
        km_arena_done(&arena);
        km_fail(&err, KM_E_NOMEM, "out of memory");
        km_refresh_done(run, NULL, &err);
        return;
    }
    r->arena = arena;
    r->run = run;
    r->owner = run->owner;
    run->state = r;
    if (request(r, &err) < 0)
        end(r, NULL, &err);
}

static void abandon(struct km_refresh_run *run)
{
    struct run *r = run->state;
    struct km_arena arena;

    if (!r)
        return;
    km_fetch_abandon(r->fetch);
    arena = r->arena;
    km_arena_done(&arena);
    run->state = NULL;
}

static void owner_free(void *owner)
{
    struct owner *o = owner;
    struct km_arena arena;

    km_tls_client_unref(o->args.tls);
    if (o->args.free)
        o->args.free(o->args.owner);
    arena = o->arena;
    km_arena_done(&arena);
}

static const struct km_refresh_ops refresh_ops = { start, abandon, owner_free };

/* --- the authenticator --- */

struct token_auth {
    struct km_auth base;
    struct km_refresh *tokens;
};

static struct token_auth *of(struct km_auth *auth)
{
    return (struct token_auth *)(void *)auth;
}

static int head(struct km_auth *auth, const struct km_auth_args *args, struct km_auth_wait *wait,
                struct km_buf *out, struct km_err *err)
{
    struct km_refreshed *value;
    int r = km_refresh_get(of(auth)->tokens, args, wait, &value, err);

    if (r < 0)
        return r;
    km_buf_str(out, km_secret_view(&((struct token *)(void *)value)->line));
    km_refreshed_unref(value);
    return 0;
}

static void cancel(struct km_auth *auth, struct km_auth_wait *wait)
{
    km_refresh_cancel(of(auth)->tokens, wait);
}

/* 401: the token was revoked, or its signer changed. */
static bool refused(struct km_auth *auth, int status, const struct km_headers *headers,
                    struct km_str body)
{
    (void)headers;
    (void)body;
    return status == 401 && km_refresh_distrust(of(auth)->tokens);
}

static struct km_auth *auth_free(struct km_auth *auth)
{
    if (auth) {
        km_refresh_unref(of(auth)->tokens);
        free(of(auth));
    }
    return NULL;
}

static const struct km_auth_ops ops = { head, cancel, refused, auth_free };

static struct owner *owner_new(const struct km_token_args *args)
{
    struct km_arena arena;
    struct owner *o;

    km_arena_init(&arena, 64 * 1024, NULL);
    o = km_arena_zalloc(&arena, sizeof *o);
    if (!o) {
        km_arena_done(&arena);
        return NULL;
    }
    o->arena = arena;
    o->args = *args;
    o->args.tls = km_tls_client_ref(args->tls);
    if (args->proxies)
        o->proxies = (struct km_proxy_env){ km_arena_str(&o->arena, args->proxies->http),
                                            km_arena_str(&o->arena, args->proxies->https),
                                            km_arena_str(&o->arena, args->proxies->none) };
    return o;
}

struct km_auth *km_token_auth_new(const struct km_token_args *args, struct km_err *err)
{
    struct owner *o = owner_new(args);
    struct token_auth *a = calloc(1, sizeof *a);

    if (!o && args->free)
        args->free(args->owner);
    if (o && a)
        a->tokens = km_refresh_new(&refresh_ops, o, EARLY_MS);
    else if (o)
        owner_free(o);
    if (a && a->tokens) {
        a->base.ops = &ops;
        return &a->base;
    }
    free(a);
    km_fail(err, KM_E_NOMEM, "out of memory");
    return NULL;
}

void km_token_field(struct km_buf *form, const char *name, struct km_str value)
{
    if (!value.n)
        return;
    if (form->n)
        km_buf_byte(form, '&');
    km_buf_str(form, km_str_c(name));
    km_buf_byte(form, '=');
    km_url_encode(form, value);
}
