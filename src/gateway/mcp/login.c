/* SPDX-License-Identifier: Apache-2.0 */
/* login.c - see login.h.
 *
 *     POST /v1/mcp/server/x/login, or a call that needs it ──> address with a ticket
 *     GET  the address      ticket is good ──> a cookie, a page that says what is about to happen
 *     POST the form         of this browser, with the caller's key ──> the authorization server
 *     GET  the callback     by this browser (oauth.c)
 *
 * Nothing is kept of a ticket: it is signed by a key of the state folder, so it is good after a
 * restart too.  Whose it is stands in it as a digest.  A person who comes by tokens of an issuer
 * shows one of these at the page, for the key that such tokens lead to is many people's.  Where
 * nobody is asked for a key (development), everybody is the same caller, and the page asks for
 * none.
 */
#include "gateway/mcp/login.h"

#include "base/crypto.h"
#include "base/encode.h"
#include "door/credential.h"
#include "gateway/mcp/turn.h"
#include "door/oauth/access.h"
#include "http/json_out.h"
#include "mcp/oauth/oauth.h"

#define TICKET_US (INT64_C(600) * 1000000)
#define TICKET_BYTES ((size_t)2048)
#define PROOF_BYTES ((size_t)12 * 1024) /* a key, or a token */
#define COOKIE_LEN 43 /* 32 bytes as base64url */

struct ticket {
    struct km_str text; /* as it came */
    struct km_mcp_upstream *u; /* of the snapshot */
    struct km_str who; /* SHA-256 of the principal, hex */
    struct km_str principal; /* where it is no key */
};

static struct km_str digest_of(struct km_str s, struct km_arena *arena)
{
    uint8_t hash[KM_SHA256_LEN];
    char hex[2 * KM_SHA256_LEN + 1];

    km_sha256(s, hash);
    km_hex(hex, hash, sizeof hash);
    return km_arena_str(arena, km_str_c(hex));
}

/* base64url of the MAC of a text for one purpose, under the state folder's key. */
static struct km_str mac_of(const struct km_gateway *gw, const char *purpose, struct km_str text,
                            struct km_arena *arena)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(64);
    uint8_t mac[KM_SHA256_LEN];

    km_oauth_mac(km_oauth_of(gw), purpose, text, mac);
    km_buf_base64url(&out, km_str((const char *)mac, sizeof mac));
    return km_arena_str(arena, km_buf_view(&out));
}

/* --- tickets --- */

struct km_str km_mcp_login_url(const struct km_visit *v, struct km_str base,
                               const struct km_mcp_upstream *u, struct km_arena *arena)
{
    struct km_buf json KM_CLEANUP(km_buf_done) = KM_BUF(TICKET_BYTES);
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(2 * TICKET_BYTES);
    struct km_str principal = km_mcp_principal(v, arena);
    struct km_json_out o;

    km_json_out_init(&o, &json);
    km_out_open(&o, '{');
    km_out_member(&o, "server", u->name);
    km_out_member(&o, "who", digest_of(principal, arena));
    if (!v->who.key)
        km_out_member(&o, "principal", principal);
    km_out_member_i64(&o, "until", km_wall_us() + TICKET_US);
    km_out_close(&o, '}');
    km_buf_base64url(&text, km_buf_view(&json));
    return km_arena_cat(
        arena,
        (struct km_str[]){ base, KM_STR(KM_MCP_LOGIN_PAGE "?ticket=" KM_SIGNED_MARK),
                           km_buf_view(&text), KM_STR("."),
                           mac_of(v->w->gw, "mcp ticket", km_buf_view(&json), arena) },
        5);
}

static int ticket_open(struct km_visit *v, struct km_str text, struct ticket *ret,
                       struct km_err *err)
{
    struct km_buf json KM_CLEANUP(km_buf_done) = KM_BUF(TICKET_BYTES);
    struct km_arena *arena = km_exchange_arena(v->x);
    const struct km_mcp_set *set = v->view->snap->mcp;
    struct km_str sealed = km_signed_text(text);
    size_t dot = km_str_chr(sealed, '.');
    const struct km_json *root = NULL;
    struct km_str name = KM_STR_NONE;
    int64_t until = 0;

    *ret = (struct ticket){ .text = text };
    if (dot < sealed.n && km_buf_unbase64(&json, km_str_sub(sealed, 0, dot)) == 0 &&
        km_secret_str_eq(km_str_skip(sealed, dot + 1),
                         mac_of(v->w->gw, "mcp ticket", km_buf_view(&json), arena)) &&
        km_json_parse(arena, km_arena_str(arena, km_buf_view(&json)), &root, NULL) < 0)
        root = NULL;
    (void)km_json_string(km_json_get(root, "server"), &name);
    (void)km_json_string(km_json_get(root, "who"), &ret->who);
    (void)km_json_string(km_json_get(root, "principal"), &ret->principal);
    (void)km_json_i64(km_json_get(root, "until"), &until);
    ret->u = root && set ? km_mcp_set_find(set, name) : NULL;
    if (!ret->u || !ret->u->oauth || km_mcp_oauth_exchanges(ret->u->oauth) || until <= km_wall_us())
        return km_fail(
            err, KM_E_INVALID,
            "This address is not good any more: it is for ten minutes. Ask for another.");
    return 0;
}

/* --- the browser --- */

static bool asks(const struct km_visit *v)
{
    return !v->view->snap->auth_off;
}

static bool secure(const struct km_visit *v)
{
    return km_str_starts(km_oauth_base(v), KM_STR("https://"));
}

/* __Host-: no other host and no plain http can set it.  Browsers take that prefix with TLS only. */
static struct km_str cookie_name(const struct km_visit *v)
{
    return secure(v) ? KM_STR("__Host-kanmon-login") : KM_STR("kanmon-login");
}

struct km_str km_mcp_login_cookie(const struct km_visit *v)
{
    struct km_str said = km_cookie(v, cookie_name(v));

    return said.n == COOKIE_LEN ? said : KM_STR_NONE;
}

static struct km_str cookie_line(const struct km_visit *v, struct km_str value)
{
    return km_arena_printf(km_exchange_arena(v->x),
                           "Set-Cookie: %.*s=%.*s; Path=/; HttpOnly; SameSite=Lax; "
                           "Max-Age=600%s\r\n",
                           KM_STR_ARG(cookie_name(v)), KM_STR_ARG(value),
                           secure(v) ? "; Secure" : "");
}

static struct km_str check_of(const struct km_visit *v, struct km_str ticket, struct km_str cookie)
{
    struct km_arena *arena = km_exchange_arena(v->x);

    return mac_of(v->w->gw, "mcp form",
                  km_arena_cat(arena, (struct km_str[]){ ticket, KM_STR(" "), cookie }, 3), arena);
}

static void show(struct km_visit *v, const struct ticket *t, int status, const char *said)
{
    struct km_str cookie = km_mcp_login_cookie(v);
    struct km_oauth_login_page page = {
        .server = t->u->name,
        .ticket = t->text,
        .ask = asks(v),
        .status = status,
        .said = said,
        .credential = km_mcp_oauth_by_key(t->u->oauth),
        .help = km_mcp_byok_help(t->u->oauth),
        .uses = &t->u->entry->byok_description,
    };
    struct km_err err = { 0 };
    uint8_t hash[32];

    if (!cookie.n) {
        if (km_oauth_secret("", km_exchange_arena(v->x), &cookie, hash, &err) < 0) {
            km_oauth_page_error(v, &err);
            return;
        }
        page.cookie = cookie_line(v, cookie);
    }
    page.check = check_of(v, t->text, cookie);
    km_oauth_page_login(v, &page);
}

void km_mcp_login_get(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    struct km_visit *v = visit;
    struct km_err err = { 0 };
    struct km_str text;
    struct ticket t;
    int r =
        km_oauth_field(v, km_exchange_request(x)->query, "ticket", 2 * TICKET_BYTES, &text, &err);

    (void)match;
    if (r == 0)
        r = ticket_open(v, text, &t, &err);
    if (r != 0)
        km_oauth_page_error(v, &err);
    else
        show(v, &t, 200, NULL);
}

/* --- going on --- */

static int same(const struct ticket *t, struct km_str principal, struct km_arena *arena,
                struct km_err *err)
{
    if (principal.n && km_str_eq(digest_of(principal, arena), t->who))
        return 0;
    return km_fail(err, KM_E_FORBIDDEN,
                   "This address was made for another key, or another person. If somebody sent it "
                   "to you, do not go on.");
}

/* Is the person the one the ticket is for?  *ret: under what the log-in is kept. */
static int prove(struct km_visit *v, const struct ticket *t, struct km_str secret,
                 struct km_str *ret, struct km_err *err)
{
    struct km_arena *arena = km_exchange_arena(v->x);
    struct km_oauth_proof proof;
    uint8_t hash[32];
    char hex[65];
    int r;

    *ret = t->principal;
    if (!asks(v))
        return 0; /* nobody is asked for a key here */
    r = km_oauth_prove(v, secret, &proof, err);
    if (r < 0)
        return r;
    if (proof.token)
        *ret = km_mcp_principal(v, arena);
    if (proof.key) {
        km_key_books(proof.key, hash);
        km_key_unref(proof.key);
        km_hex(hex, hash, sizeof hash);
        *ret = km_arena_printf(arena, "key:%s", hex);
    }
    /* The master key stands for administrators only, whatever name they came by. */
    return same(t, *ret, arena, err);
}

static void on_url(void *ctx, struct km_str url, const struct km_err *err)
{
    struct km_visit *v = ctx;

    if (err)
        km_oauth_page_error(v, err);
    else
        km_oauth_page_onward(v, url, KM_STR_NONE);
}

struct form { /* a page that came back */
    struct ticket t;
    struct km_str secret, decision;
    struct km_str credential; /* is_byok: to be kept */
};

static int form_read(struct km_visit *v, struct km_str body, struct form *f, struct km_err *err)
{
    struct km_str text, check, cookie = km_mcp_login_cookie(v);
    int r = km_oauth_field(v, body, "ticket", 2 * TICKET_BYTES, &text, err);

    if (r == 0)
        r = km_oauth_field(v, body, "check", 64, &check, err);
    if (r == 0)
        r = km_oauth_field(v, body, "key", PROOF_BYTES, &f->secret, err);
    if (r == 0)
        r = km_oauth_field(v, body, "credential", KM_MCP_BYOK_BYTES, &f->credential, err);
    if (r == 0)
        r = km_oauth_field(v, body, "decision", 16, &f->decision, err);
    if (r == 0)
        r = ticket_open(v, text, &f->t, err);
    if (r == 0 && (!cookie.n || !km_secret_str_eq(check, check_of(v, text, cookie))))
        r = km_fail(err, KM_E_FORBIDDEN,
                    "The form is not one that this browser was shown. Cookies are needed to log "
                    "in.");
    f->secret = km_str_trim(f->secret);
    f->credential = km_str_trim(f->credential);
    return r;
}

static void keep_credential(struct km_visit *v, const struct form *f, struct km_str principal)
{
    struct km_err err = { 0 };

    if (!f->credential.n)
        km_fail(&err, KM_E_INVALID, "There is no credential in the form.");
    else if (km_mcp_byok_set(f->t.u->oauth, principal, f->credential, &err) == 0)
        km_mcp_upstream_logged_in(v->w->gw->mcp, f->t.u, principal);
    if (err.code)
        show(v, &f->t, km_err_http(&err), err.text);
    else
        km_oauth_page_done(v, "Your credential is kept",
                           "kanmon can reach the server for you now. Close this window.");
}

/* v->own: the form.  What proves the person is at hand. */
static void on_proof(struct km_visit *v)
{
    const struct km_mcp_oauth_on on = { v->w->loop, v->w->client };
    struct km_mcp_oauth_login_args args = { .browser = km_mcp_login_cookie(v) };
    struct form *f = v->own;
    struct km_err err = { 0 };

    if (prove(v, &f->t, f->secret, &args.principal, &err) < 0) {
        show(v, &f->t, km_err_http(&err), err.text);
        return;
    }
    if (km_mcp_oauth_by_key(f->t.u->oauth)) {
        keep_credential(v, f, args.principal);
        return;
    }
    args.redirect = km_arena_cat(km_exchange_arena(v->x),
                                 (struct km_str[]){ km_oauth_base(v), KM_STR(KM_MCP_CALLBACK) }, 2);
    km_mcp_oauth_login(f->t.u->oauth, &on, &args, on_url, v);
}

static void on_form(struct km_visit *v, struct km_str body)
{
    struct form *f = km_arena_zalloc(km_exchange_arena(v->x), sizeof *f);
    struct km_err err = { 0 };
    int r = f ? form_read(v, body, f, &err) : km_fail(&err, KM_E_NOMEM, "out of memory");

    if (r != 0) {
        km_oauth_page_error(v, &err);
        return;
    }
    if (!km_str_eq(f->decision, KM_STR("allow"))) {
        km_oauth_page_done(v, "Nothing was connected", "You refused. Close this window.");
        return;
    }
    v->own = f;
    if (km_oauth_prove_begin(v, f->secret, on_proof) != KM_E_AGAIN)
        on_proof(v);
}

void km_mcp_login_post(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    (void)x;
    (void)match;
    km_oauth_page_form(visit, KM_STR("application/x-www-form-urlencoded"), on_form);
}
