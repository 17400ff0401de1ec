/* SPDX-License-Identifier: Apache-2.0 */
/* page.c - the one page of the authorization server: it asks for a virtual key.
 *
 * Plain HTML: no script, no frame, nothing from elsewhere, and a policy that says so to the
 * browser.  The style is named there by its digest.  `form-action` has the client's address too,
 * for browsers apply it to the redirect that answers the form.  Every text of a client's is
 * escaped; the name it gave itself stands beside where it really is, which it cannot choose
 * freely.
 */
#include "base/crypto.h"
#include "base/encode.h"
#include "door/oauth/oauth.h"

#define PAGE_BYTES (64 * 1024)

static const char style[] =
    "body{font:16px/1.5 system-ui,sans-serif;margin:0;background:#f4f4f2;color:#1b1b1b}"
    "main{max-width:26rem;margin:10vh auto;padding:2rem;background:#fff;border:1px solid #ddd;"
    "border-radius:8px}h1{font-size:1.25rem;margin:0 0 1rem}label{display:block;margin:1rem 0 "
    ".25rem}input{box-sizing:border-box;width:100%;padding:.5rem;font:inherit;border:1px solid "
    "#999;border-radius:4px}button{font:inherit;padding:.5rem 1rem;margin:1rem .5rem 0 0;border:"
    "1px solid #1b1b1b;border-radius:4px;background:#1b1b1b;color:#fff}button.no{background:#fff;"
    "color:#1b1b1b}code{word-break:break-all}.said{color:#a40000}";

static void put_html(struct km_buf *b, struct km_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        switch (s.p[i]) {
        case '&':
            km_buf_str(b, KM_STR("&amp;"));
            break;
        case '<':
            km_buf_str(b, KM_STR("&lt;"));
            break;
        case '>':
            km_buf_str(b, KM_STR("&gt;"));
            break;
        case '"':
            km_buf_str(b, KM_STR("&quot;"));
            break;
        case '\'':
            km_buf_str(b, KM_STR("&#39;"));
            break;
        default:
            km_buf_byte(b, s.p[i]);
        }
    }
}

/* "http://127.0.0.1:5000" of an address, "cursor:" of a private scheme. */
static struct km_str source_of(struct km_str redirect)
{
    size_t at = km_str_find(redirect, KM_STR("://"));
    struct km_url url;

    if (km_url_parse(redirect, &url, NULL) < 0)
        return km_str_sub(redirect, 0, km_str_chr(redirect, ':') + 1);
    return km_str_sub(redirect, 0, redirect.n - url.path.n > at ? redirect.n - url.path.n : 0);
}

static void put_head(struct km_buf *head, struct km_str redirect, struct km_str cookie)
{
    uint8_t digest[KM_SHA256_LEN];

    km_sha256(km_str_c(style), digest);
    km_buf_str(head, KM_STR("Content-Type: text/html; charset=utf-8\r\n"
                            "Content-Security-Policy: default-src 'none'; style-src 'sha256-"));
    km_buf_base64(head, km_str((const char *)digest, sizeof digest));
    km_buf_str(head, KM_STR("'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"));
    if (redirect.n) {
        km_buf_byte(head, ' ');
        km_buf_str(head, source_of(redirect));
    }
    km_buf_str(head, KM_STR("\r\nX-Frame-Options: DENY\r\nX-Content-Type-Options: nosniff\r\n"
                            "Referrer-Policy: same-origin\r\nCache-Control: no-store\r\n"));
    km_buf_str(head, cookie);
}

static void put_top(struct km_buf *b, const char *title)
{
    km_buf_printf(b,
                  "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><meta "
                  "name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>%s - "
                  "kanmon</title><style>%s</style></head>\n<body><main>\n<h1>%s</h1>\n",
                  title, style, title);
}

static void reply(struct km_visit *v, int status, struct km_buf *head, struct km_buf *page)
{
    km_buf_str(page, KM_STR("</main></body>\n</html>\n"));
    if (km_buf_failed(head) || km_buf_failed(page))
        km_exchange_respond(v->x, 503, KM_STR("Retry-After: 1\r\n"), KM_STR_NONE);
    else
        km_exchange_respond(v->x, status, km_buf_view(head), km_buf_view(page));
}

void km_oauth_page(struct km_visit *v, const struct km_oauth_request *q,
                   struct km_str signed_request, struct km_str cookie, int status, const char *said)
{
    struct km_buf page KM_CLEANUP(km_buf_done) = KM_BUF(PAGE_BYTES);
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    bool document = km_oauth_client_is_url(q->client.id);

    put_head(&head, q->redirect, cookie);
    put_top(&page, "Log in to kanmon");
    km_buf_str(&page, KM_STR("<p><b>"));
    put_html(&page, q->client.name.n ? q->client.name : KM_STR("A program"));
    km_buf_str(&page, KM_STR("</b> asks to use this gateway with the rights and the budget of your "
                             "virtual key.</p>\n<p>"));
    if (document) {
        km_buf_str(&page, KM_STR("It is described at <code>"));
        put_html(&page, q->client.id);
        km_buf_str(&page, KM_STR("</code>. "));
    }
    km_buf_str(&page, KM_STR("You will be sent to <code>"));
    put_html(&page, source_of(q->redirect));
    km_buf_str(&page, KM_STR("</code>; it will reach <code>"));
    put_html(&page, q->resource.n ? q->resource : q->base);
    km_buf_str(&page, KM_STR("</code>.</p>\n"));
    if (said) {
        km_buf_str(&page, KM_STR("<p class=\"said\" role=\"alert\">"));
        put_html(&page, km_str_c(said));
        km_buf_str(&page, KM_STR("</p>\n"));
    }
    km_buf_str(&page, KM_STR("<form method=\"post\" action=\"/oauth/authorize\">\n"
                             "<input type=\"hidden\" name=\"request\" value=\""));
    put_html(&page, signed_request);
    km_buf_str(&page,
               KM_STR("\">\n<label for=\"key\">Virtual key</label>\n<input id=\"key\" name=\"key\" "
                      "type=\"password\" autocomplete=\"off\" spellcheck=\"false\" autofocus "
                      "placeholder=\"sk-...\">\n<button name=\"decision\" value=\"allow\">Log in"
                      "</button><button class=\"no\" name=\"decision\" value=\"deny\">Refuse"
                      "</button>\n</form>\n"));
    reply(v, status, &head, &page);
}

static void put_said(struct km_buf *page, const char *said)
{
    if (!said)
        return;
    km_buf_str(page, KM_STR("<p class=\"said\" role=\"alert\">"));
    put_html(page, km_str_c(said));
    km_buf_str(page, KM_STR("</p>\n"));
}

/* What going on means: a log-in elsewhere, or that a credential is kept here. */
static void put_what(struct km_buf *page, const struct km_oauth_login_page *p)
{
    const bool link =
        km_str_starts(p->help, KM_STR("https://")) || km_str_starts(p->help, KM_STR("http://"));

    km_buf_str(page, p->credential
                         ? KM_STR("<p>You will leave your own credential for the server <b>")
                         : KM_STR("<p>You will log in at the server <b>"));
    put_html(page, p->server);
    if (!p->credential) {
        km_buf_str(page, KM_STR("</b>. From then on calls under your key use the account you log "
                                "in with.</p>\n"));
        return;
    }
    km_buf_str(page, KM_STR("</b>. It is kept sealed, and sent to that server with your calls "
                            "alone.</p>\n"));
    for (size_t i = 0; p->uses && i < p->uses->n; i++) {
        km_buf_str(page, KM_STR("<p>"));
        put_html(page, p->uses->v[i]);
        km_buf_str(page, KM_STR("</p>\n"));
    }
    if (!link)
        return;
    km_buf_str(page, KM_STR("<p>Where to have one: <a rel=\"noreferrer\" href=\""));
    put_html(page, p->help);
    km_buf_str(page, KM_STR("\">"));
    put_html(page, p->help);
    km_buf_str(page, KM_STR("</a></p>\n"));
}

void km_oauth_page_login(struct km_visit *v, const struct km_oauth_login_page *p)
{
    struct km_buf page KM_CLEANUP(km_buf_done) = KM_BUF(PAGE_BYTES);
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(4096);

    put_head(&head, KM_STR_NONE, p->cookie);
    put_top(&page, "Connect an account");
    put_what(&page, p);
    km_buf_str(&page, KM_STR("<p>Go on only if you began this yourself: a link "
                             "somebody sent you may be for their key.</p>\n"));
    put_said(&page, p->said);
    km_buf_str(&page, KM_STR("<form method=\"post\" action=\"/oauth/mcp/login\">\n"
                             "<input type=\"hidden\" name=\"ticket\" value=\""));
    put_html(&page, p->ticket);
    km_buf_str(&page, KM_STR("\">\n<input type=\"hidden\" name=\"check\" value=\""));
    put_html(&page, p->check);
    km_buf_str(&page, KM_STR("\">\n"));
    if (p->ask)
        km_buf_str(&page,
                   KM_STR("<label for=\"key\">Your key, or your token</label>\n<input id=\"key\" "
                          "name=\"key\" "
                          "type=\"password\" autocomplete=\"off\" spellcheck=\"false\" autofocus "
                          "placeholder=\"sk-...\">\n"));
    if (p->credential)
        km_buf_str(&page,
                   KM_STR("<label for=\"credential\">Your credential for the server</label>\n"
                          "<input id=\"credential\" name=\"credential\" type=\"password\" "
                          "autocomplete=\"off\" spellcheck=\"false\">\n"));
    km_buf_str(&page, KM_STR("<button name=\"decision\" value=\"allow\">Go on</button><button "
                             "class=\"no\" name=\"decision\" value=\"deny\">Refuse</button>\n"
                             "</form>\n"));
    reply(v, p->status, &head, &page);
}

void km_oauth_page_onward(struct km_visit *v, struct km_str url, struct km_str cookie)
{
    struct km_buf page KM_CLEANUP(km_buf_done) = KM_BUF(PAGE_BYTES);
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(4096);

    /* A redirect would answer the form, and form-action would have to name its whole chain. */
    put_head(&head, KM_STR_NONE, cookie);
    put_top(&page, "Log in there");
    km_buf_str(&page, KM_STR("<meta http-equiv=\"refresh\" content=\"0; url="));
    put_html(&page, url);
    km_buf_str(&page, KM_STR("\">\n<p>You are sent to <a id=\"onward\" href=\""));
    put_html(&page, url);
    km_buf_str(&page, KM_STR("\">"));
    put_html(&page, source_of(url));
    km_buf_str(&page, KM_STR("</a>.</p>\n"));
    reply(v, 200, &head, &page);
}

void km_oauth_page_error(struct km_visit *v, const struct km_err *err)
{
    struct km_buf page KM_CLEANUP(km_buf_done) = KM_BUF(PAGE_BYTES);
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(4096);

    put_head(&head, KM_STR_NONE, KM_STR_NONE);
    put_top(&page, "This log-in cannot go on");
    km_buf_str(&page, KM_STR("<p class=\"said\" role=\"alert\">"));
    put_html(&page, km_str_c(err->text));
    km_buf_str(&page,
               KM_STR("</p>\n<p>Go back to the program you came from and begin anew.</p>\n"));
    reply(v, km_err_http(err), &head, &page);
}

void km_oauth_page_done(struct km_visit *v, const char *title, const char *text)
{
    struct km_buf page KM_CLEANUP(km_buf_done) = KM_BUF(PAGE_BYTES);
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(4096);

    put_head(&head, KM_STR_NONE, KM_STR_NONE);
    put_top(&page, title);
    km_buf_printf(&page, "<p>%s</p>\n", text);
    reply(v, 200, &head, &page);
}
