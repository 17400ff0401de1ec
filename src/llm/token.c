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
#include "llm/bearer.h"
#include "llm/refresh_work.h"

#define EARLY_MS (5 * 60 * 1000)
#define TIMEOUT_MS 10000
#define TRIES 3
#define ANSWER_BYTES (256 * 1024)
#define RUN_BYTES (1024 * 1024)
#define LIFETIME_S 300 /* where the issuer does not say */
#define LIFETIME_MOST_S 86400
#define FORM_LINE "Content-Type: application/x-www-form-urlencoded\r\n"

struct owner { /* shared by threads, constant */
    struct km_arena arena; /* holds it */
    struct km_token_args args;
    struct km_proxy_env proxies;
};

struct run {
    struct km_refresh_work work; /* first */
    const struct owner *owner;
};

static void end(struct run *r, struct km_refreshed *token, const struct km_err *err)
{
    struct km_err why = { 0 };

    if (err)
        km_fail(&why, err->code, "%s: %s", r->owner->args.issuer, err->text);
    km_refresh_work_end(&r->work, token, err ? &why : NULL);
}

/* The token, or what the issuer says of why not; never a piece of what was sent. */
static struct km_refreshed *read_answer(struct run *r, int status, struct km_str body,
                                        struct km_err *err)
{
    struct km_str access = KM_STR_NONE, error = KM_STR_NONE, text = KM_STR_NONE;
    const struct km_json *root = NULL;
    int64_t lifetime = LIFETIME_S;

    if (km_json_parse_answer(&r->work.arena, body, &root, NULL) < 0)
        root = NULL;
    (void)km_json_string(km_json_get(root, "access_token"), &access);
    (void)km_json_string(km_json_get(root, "error"), &error);
    (void)km_json_string(km_json_get(root, "error_description"), &text);
    (void)km_json_i64(km_json_get(root, "expires_in"), &lifetime);
    if (status == 200 && access.n)
        return km_bearer_new(
            access,
            km_wall_us() +
                (lifetime > 0 && lifetime < LIFETIME_MOST_S ? lifetime : LIFETIME_S) * 1000000,
            err);
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
    struct km_refreshed *token;

    r->work.fetch = NULL;
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
    int rc = o->args.ask(o->args.owner, &r->work.arena, &q, err);

    if (rc < 0)
        return rc;
    r->work.fetch = km_fetch_start(
        &(struct km_fetch_args){
            .loop = r->work.run->loop,
            .client = r->work.run->client,
            .tls = o->args.tls,
            .proxies = q.straight ? NULL : &o->proxies,
            .method = q.method ? km_str_c(q.method) : KM_STR("POST"),
            .url = q.url,
            .head = q.method ? q.head
                             : km_arena_cat(&r->work.arena,
                                            (struct km_str[]){ KM_STR(FORM_LINE), q.head }, 2),
            .body = q.form,
            .has_body = !q.method,
            .timeout_ms = TIMEOUT_MS,
            .tries = TRIES,
            .max_bytes = ANSWER_BYTES },
        on_answer, r, err);
    return r->work.fetch ? 0 : KM_E_CONFIG;
}

static void start(struct km_refresh_run *run)
{
    struct run *r = km_refresh_work_new(run, RUN_BYTES, sizeof *r);
    struct km_err err = { 0 };

    if (!r)
        return;
    r->owner = run->owner;
    if (request(r, &err) < 0)
        end(r, NULL, &err);
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

static const struct km_refresh_ops refresh_ops = { start, km_refresh_work_abandon, owner_free };

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
    return km_bearer_head(of(auth)->tokens, args, wait, out, err);
}

static void cancel(struct km_auth *auth, struct km_auth_wait *wait)
{
    km_refresh_cancel(of(auth)->tokens, wait);
}

/* 401: the token was revoked, or its signer changed. */
static bool refused(struct km_auth *auth, const struct km_auth_wait *wait, int status,
                    const struct km_headers *headers, struct km_str body)
{
    (void)headers;
    (void)body;
    return status == 401 && km_refresh_distrust(of(auth)->tokens, wait->serial);
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
