/* SPDX-License-Identifier: Apache-2.0 */
/* authorize.c - the browser's part: a question, a form, a redirect with a code.
 *
 *     GET   client and redirect are checked first; until both are known to belong together nobody
 *           is redirected (an error is a page).  Then everything else, whose errors the client is
 *           told.  What was asked is signed into the form, with the browser's cookie.
 *     POST  only a form of ours, of this browser, of the last ten minutes.  The key must be a
 *           virtual key that may be used now; the master key would make a token without limits
 *           and is refused.  The grant is in the store before the browser hears of its code.
 */
#include "base/crypto.h"
#include "base/encode.h"
#include "door/credential.h"
#include "door/oauth/oauth.h"
#include "http/json_out.h"

#define FORM_US (INT64_C(600) * 1000000) /* how long a form is good */
#define COOKIE "km_login"
#define SIGNED_BYTES ((size_t)12 * 1024)

struct flow {
    struct km_visit *v;
    struct km_oauth_request q;
    struct km_str query; /* of a GET */
    struct km_cimd_ask *ask;
    struct km_grant grant;
    struct km_str code;
};

/* --- going back --- */

static void redirect(struct flow *f, const char *name, struct km_str value, const char *why)
{
    struct km_buf url KM_CLEANUP(km_buf_done) = KM_BUF(16 * 1024);
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(20 * 1024);
    const struct km_oauth_request *q = &f->q;
    struct km_err err = { 0 };

    km_buf_str(&url, q->redirect);
    km_buf_printf(&url, "%c%s=", km_str_chr(q->redirect, '?') < q->redirect.n ? '&' : '?', name);
    km_url_encode(&url, value);
    if (why) {
        km_buf_str(&url, KM_STR("&error_description="));
        km_url_encode(&url, km_str_c(why));
    }
    if (q->state.n) {
        km_buf_str(&url, KM_STR("&state="));
        km_url_encode(&url, q->state);
    }
    km_buf_str(&url, KM_STR("&iss="));
    km_url_encode(&url, q->base);
    km_buf_str(&head, KM_STR("Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n"));
    if (km_buf_failed(&url) ||
        km_header_put(&head, KM_STR("Location"), km_buf_view(&url), &err) < 0 ||
        km_buf_failed(&head)) {
        km_fail(&err, KM_E_INVALID, "The redirect would be too long.");
        km_oauth_page_error(f->v, &err);
        return;
    }
    km_exchange_respond(f->v->x, 303, km_buf_view(&head), KM_STR_NONE);
}

/* --- GET --- */

/* What only the client is told.  Its word for the error is err->reason. */
static int check_request(struct flow *f, struct km_err *err)
{
    struct km_oauth_request *q = &f->q;
    struct km_visit *v = f->v;
    struct km_str type, method;
    int r = km_oauth_field(v, f->query, "response_type", 64, &type, err);

    if (r == 0)
        r = km_oauth_field(v, f->query, "code_challenge_method", 64, &method, err);
    if (r == 0)
        r = km_oauth_field(v, f->query, "code_challenge", 256, &q->challenge, err);
    if (r == 0)
        r = km_oauth_field(v, f->query, "resource", KM_GRANT_RESOURCE_BYTES, &q->resource, err);
    if (r < 0)
        return r;
    if (!km_str_eq(type, KM_STR("code"))) {
        km_fail(err, KM_E_INVALID, "response_type must be code.");
        err->reason = "unsupported_response_type";
        return KM_E_INVALID;
    }
    if (!km_str_eq(method, KM_STR("S256")) || q->challenge.n != KM_GRANT_CHALLENGE_LEN)
        return km_fail(err, KM_E_INVALID,
                       "PKCE is needed: code_challenge of 43 characters and "
                       "code_challenge_method=S256.");
    while (q->resource.n && q->resource.p[q->resource.n - 1] == '/')
        q->resource.n--;
    if (q->resource.n && (!km_str_istarts(q->resource, q->base) ||
                          (q->resource.n > q->base.n && q->resource.p[q->base.n] != '/') ||
                          km_str_chr(q->resource, '#') < q->resource.n ||
                          km_str_chr(q->resource, '?') < q->resource.n)) {
        km_fail(err, KM_E_INVALID, "The resource is not of this gateway.");
        err->reason = "invalid_target";
        return KM_E_INVALID;
    }
    return 0;
}

/* __Host-: neither another host of this domain nor plain http can set it.  Browsers take that
 * prefix with TLS only. */
static struct km_str cookie_name(const struct km_visit *v)
{
    return km_str_starts(km_oauth_base(v), KM_STR("https://")) ? KM_STR("__Host-" COOKIE)
                                                               : KM_STR(COOKIE);
}

static struct km_str cookie_of(const struct km_visit *v)
{
    return km_cookie(v, cookie_name(v));
}

/* The request as it goes into the form. */
static int sign_request(struct flow *f, struct km_str cookie, struct km_buf *out,
                        struct km_err *err)
{
    struct km_buf json KM_CLEANUP(km_buf_done) = KM_BUF(SIGNED_BYTES);
    const struct km_oauth_request *q = &f->q;
    struct km_json_out o;

    km_json_out_init(&o, &json);
    km_out_open(&o, '{');
    km_out_member(&o, "id", q->client.id);
    km_out_member(&o, "name", q->client.name);
    km_out_member(&o, "redirect", q->redirect);
    km_out_member(&o, "state", q->state);
    km_out_member(&o, "challenge", q->challenge);
    km_out_member(&o, "resource", q->resource);
    km_out_member(&o, "cookie", cookie);
    km_out_member_i64(&o, "until", f->v->came_us + FORM_US);
    km_out_close(&o, '}');
    km_oauth_sign(km_oauth_of(f->v->w->gw), "form", km_buf_view(&json), out);
    return km_buf_failed(&json) || km_buf_failed(out)
               ? km_fail(err, KM_E_INVALID, "The request is too long.")
               : 0;
}

static void show(struct flow *f, struct km_str cookie, bool fresh, int status, const char *said)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(SIGNED_BYTES);
    struct km_str line = KM_STR_NONE;
    struct km_err err = { 0 };

    if (fresh)
        line = km_arena_printf(km_exchange_arena(f->v->x),
                               "Set-Cookie: %.*s=%.*s; Path=/; HttpOnly; SameSite=Lax; "
                               "Max-Age=600%s\r\n",
                               KM_STR_ARG(cookie_name(f->v)), KM_STR_ARG(cookie),
                               km_str_starts(f->q.base, KM_STR("https://")) ? "; Secure" : "");
    if (sign_request(f, cookie, &text, &err) < 0)
        km_oauth_page_error(f->v, &err);
    else
        km_oauth_page(f->v, &f->q, km_buf_view(&text), line, status, said);
}

static void ask_for_key(struct flow *f)
{
    struct km_str cookie = cookie_of(f->v);
    struct km_err err = { 0 };
    uint8_t hash[32];
    bool fresh = cookie.n != 43;
    int r = check_request(f, &err);

    if (r < 0) {
        redirect(f, "error", km_str_c(err.reason ? err.reason : "invalid_request"), err.text);
        return;
    }
    if (fresh)
        r = km_oauth_secret("", km_exchange_arena(f->v->x), &cookie, hash, &err);
    if (r < 0)
        km_oauth_page_error(f->v, &err);
    else
        show(f, cookie, fresh, 200, NULL);
}

/* The client is known: does the redirect belong to it? */
static int check_redirect(struct flow *f, struct km_err *err)
{
    struct km_oauth_request *q = &f->q;
    int r =
        km_oauth_field(f->v, f->query, "redirect_uri", KM_OAUTH_REDIRECT_BYTES, &q->redirect, err);

    if (r == 0)
        r = km_oauth_field(f->v, f->query, "state", KM_OAUTH_STATE_BYTES, &q->state, err);
    if (r < 0)
        return r;
    if (!q->redirect.n && q->client.nredirects == 1)
        q->redirect = q->client.redirects[0];
    if (!km_oauth_redirect_fits(&q->client, q->redirect))
        return km_fail(err, KM_E_INVALID,
                       "The program wants you to be sent back to an address that it did not "
                       "register (redirect_uri).");
    return 0;
}

static void go_on(struct flow *f)
{
    struct km_err err = { 0 };

    if (check_redirect(f, &err) < 0)
        km_oauth_page_error(f->v, &err);
    else
        ask_for_key(f);
}

static void on_document(void *ctx, const struct km_oauth_client *client, const struct km_err *err)
{
    struct flow *f = ctx;

    f->ask = NULL;
    if (err) {
        km_oauth_page_error(f->v, err);
        return;
    }
    f->q.client = *client;
    go_on(f);
}

static void on_gone(void *ctx)
{
    struct flow *f = ctx;
    struct km_err err = { 0 };

    if (!f->ask)
        return; /* the store answers */
    km_cimd_cancel(f->ask);
    f->ask = NULL;
    km_fail(&err, KM_E_CANCELED, "The client went away.");
    km_oauth_page_error(f->v, &err);
}

static const struct km_exchange_events events = { .on_gone = on_gone };

static struct flow *flow_new(struct km_visit *v, struct km_err *err)
{
    struct flow *f = km_arena_zalloc(km_exchange_arena(v->x), sizeof *f);

    if (!km_oauth_serves(v->view->snap)) {
        km_fail(err, KM_E_NOT_FOUND, "There is no log-in at this gateway.");
        return NULL;
    }
    if (!f) {
        km_fail(err, KM_E_NOMEM, "out of memory");
        return NULL;
    }
    f->v = v;
    f->q.base = km_oauth_base(v);
    return f;
}

void km_oauth_authorize_get(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    struct km_visit *v = visit;
    struct km_err err = { 0 };
    struct flow *f = flow_new(v, &err);
    struct km_str id;
    int r = f ? 0 : err.code;

    (void)match;
    if (r == 0) {
        f->query = km_exchange_request(x)->query;
        r = km_oauth_field(v, f->query, "client_id", KM_OAUTH_CLIENT_ID_BYTES, &id, &err);
    }
    if (r == 0 && km_oauth_client_is_url(id)) {
        f->ask = km_cimd_ask(v, id, on_document, f, &err);
        if (f->ask) {
            km_exchange_listen(x, &events, f);
            return;
        }
        r = err.code;
    } else if (r == 0) {
        r = km_oauth_client_open(km_oauth_of(v->w->gw), km_exchange_arena(x), id, &f->q.client,
                                 &err);
    }
    if (r < 0)
        km_oauth_page_error(v, &err);
    else
        go_on(f);
}

/* --- POST --- */

static int open_request(struct flow *f, struct km_str text, struct km_err *err)
{
    struct km_oauth_request *q = &f->q;
    struct km_arena *arena = km_exchange_arena(f->v->x);
    const struct km_json *root = NULL;
    struct km_str json, cookie = KM_STR_NONE;
    int64_t until = 0;

    if (km_oauth_open(km_oauth_of(f->v->w->gw), "form", text, arena, &json) &&
        km_json_parse(arena, json, &root, NULL) < 0)
        root = NULL;
    (void)km_json_string(km_json_get(root, "id"), &q->client.id);
    (void)km_json_string(km_json_get(root, "name"), &q->client.name);
    (void)km_json_string(km_json_get(root, "redirect"), &q->redirect);
    (void)km_json_string(km_json_get(root, "state"), &q->state);
    (void)km_json_string(km_json_get(root, "challenge"), &q->challenge);
    (void)km_json_string(km_json_get(root, "resource"), &q->resource);
    (void)km_json_string(km_json_get(root, "cookie"), &cookie);
    (void)km_json_i64(km_json_get(root, "until"), &until);
    if (!root || !cookie.n || !km_secret_str_eq(cookie, cookie_of(f->v)))
        return km_fail(err, KM_E_FORBIDDEN,
                       "The form is not one that this browser was shown. Cookies are needed to "
                       "log in.");
    return until > f->v->came_us ? 0
                                 : km_fail(err, KM_E_FORBIDDEN, "The form was open for too long.");
}

static void on_granted(void *ctx, const struct km_err *err)
{
    struct flow *f = ctx;

    if (err) {
        (void)km_grants_remove(km_oauth_of(f->v->w->gw)->grants, f->grant.id);
        redirect(f, "error", KM_STR("temporarily_unavailable"), "The store does not answer.");
        return;
    }
    redirect(f, "code", f->code, NULL);
}

static void copy_text(char *out, size_t cap, struct km_str s)
{
    s = km_str_sub(s, 0, cap - 1);
    while (s.n && !km_utf8_valid(s))
        s.n--;
    if (s.n)
        memcpy(out, s.p, s.n);
    out[s.n] = 0;
}

static int grant(struct flow *f, const struct km_key *key, struct km_err *err)
{
    struct km_grant *g = &f->grant;
    const struct km_oauth_request *q = &f->q;
    struct km_arena *arena = km_exchange_arena(f->v->x);
    struct km_buf detail KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    char actor[16] = "key:", hex[33];
    int r = km_random(g->id, sizeof g->id, err);

    if (r == 0)
        r = km_oauth_secret("kmac_", arena, &f->code, g->code, err);
    if (r < 0)
        return r;
    memcpy(g->key_hash, key->row.hash, sizeof g->key_hash);
    km_sha256(q->client.id, g->client);
    km_sha256(q->redirect, g->redirect);
    copy_text(g->client_name, sizeof g->client_name, q->client.name);
    copy_text(g->resource, sizeof g->resource, q->resource);
    copy_text(g->scope, sizeof g->scope, KM_STR(KM_OAUTH_SCOPE));
    copy_text(g->challenge, sizeof g->challenge, q->challenge);
    g->created_us = f->v->came_us;
    g->code_expires_us = g->expires_us = f->v->came_us + KM_GRANT_CODE_US;
    r = km_grants_add(km_oauth_of(f->v->w->gw)->grants, g, f->v->came_us, err);
    if (r < 0)
        return r;
    km_hex(actor + 4, g->key_hash, 4);
    km_hex(hex, g->id, sizeof g->id);
    km_buf_str(&detail, KM_STR("{\"client\":"));
    km_buf_json(&detail, km_str_c(g->client_name));
    km_buf_str(&detail, KM_STR(",\"redirect\":"));
    km_buf_json(&detail, km_str_sub(q->redirect, 0, 100));
    km_buf_str(&detail, KM_STR(",\"resource\":"));
    km_buf_json(&detail, km_str_c(g->resource));
    km_buf_byte(&detail, '}');
    km_store_grant_put(f->v->w->gw->store, f->v->w->mailbox, g,
                       &(struct km_audit){ km_str_c(actor), KM_STR("oauth.grant"), km_str_c(hex),
                                           km_buf_view(&detail) },
                       on_granted, f);
    return 0;
}

static void on_form(struct km_visit *v, struct km_str body)
{
    struct km_err err = { 0 };
    struct flow *f = flow_new(v, &err);
    struct km_str text = KM_STR_NONE, secret = KM_STR_NONE, decision = KM_STR_NONE;
    struct km_key *key = NULL;
    int r = f ? km_oauth_field(v, body, "request", SIGNED_BYTES, &text, &err) : err.code;

    if (r == 0)
        r = km_oauth_field(v, body, "key", 512, &secret, &err);
    if (r == 0)
        r = km_oauth_field(v, body, "decision", 16, &decision, &err);
    if (r == 0)
        r = open_request(f, text, &err);
    if (r < 0) {
        km_oauth_page_error(v, &err);
        return;
    }
    if (!km_str_eq(decision, KM_STR("allow"))) {
        redirect(f, "error", KM_STR("access_denied"), "The user refused.");
        return;
    }
    if (km_oauth_key(v, secret, &key, &err) == 0 && !key)
        km_fail(&err, KM_E_FORBIDDEN,
                "This is the master key. Programs get a virtual key: kanmon key generate");
    if (!key) {
        show(f, cookie_of(v), false, km_err_http(&err), err.text);
        return;
    }
    r = grant(f, key, &err);
    km_key_unref(key);
    if (r < 0)
        redirect(f, "error", KM_STR("temporarily_unavailable"), err.text);
}

void km_oauth_authorize_post(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    (void)x;
    (void)match;
    km_oauth_form(visit, KM_STR("application/x-www-form-urlencoded"), on_form);
}
