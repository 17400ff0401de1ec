/* SPDX-License-Identifier: Apache-2.0 */
/* client.c - who a client says it is, and where its users may be sent back to.
 *
 * Anybody may register, so registering must cost us nothing: the id we give out is the
 * registration itself, signed.  Nothing is stored, nothing fills up, and an id is good for as long
 * as the state folder's key.  A client whose id is an https address keeps its document there
 * (cimd.c) and needs no registration at all.
 *
 * A redirect is compared byte by byte, but for the port of a loopback address: a program that is
 * started anew listens on another one (RFC 8252, 7.3).  Plain http leads to this machine only, and
 * schemes that a browser runs or reads itself lead nowhere.
 */
#include "door/oauth/oauth.h"

#include "base/encode.h"
#include "http/json_out.h"
#include "sys/dns.h"

#define PREFIX "kmoc_"
#define NAME_BYTES 100
#define PARSE_BYTES (16 * KM_OAUTH_BODY_BYTES)

static struct km_str scheme_of(struct km_str uri)
{
    return km_str_sub(uri, 0, km_str_chr(uri, ':'));
}

static bool is_loopback(struct km_str host)
{
    union km_addr addr;

    return km_str_ieq(host, KM_STR("localhost")) ||
           (km_addr_parse(host, 0, &addr) == 0 && km_addr_loopback(&addr));
}

/* A scheme of an application's own; those of browsers are none. */
static bool is_private_scheme(struct km_str scheme)
{
    static const char *const refused[] = { "javascript", "data",       "vbscript", "file",
                                           "blob",       "filesystem", "about",    "view-source",
                                           "ws",         "wss",        "ftp",      "mailto",
                                           "http",       "https",      "chrome",   "jar" };

    if (!scheme.n || scheme.n > 64)
        return false;
    for (size_t i = 0; i < scheme.n; i++) {
        char c = scheme.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

        if (!letter && (i == 0 || !((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.')))
            return false;
    }
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (km_str_ieq(scheme, km_str_c(refused[i])))
            return false;
    return true;
}

bool km_oauth_redirect_usable(struct km_str redirect)
{
    struct km_url url;

    if (!redirect.n || redirect.n > KM_OAUTH_REDIRECT_BYTES)
        return false;
    for (size_t i = 0; i < redirect.n; i++)
        if (redirect.p[i] <= 0x20 || redirect.p[i] > 0x7e || redirect.p[i] == '\\' ||
            redirect.p[i] == '"' || redirect.p[i] == '#')
            return false;
    if (km_url_parse(redirect, &url, NULL) == 0)
        return !url.userinfo.n && (url.https || is_loopback(url.host));
    return is_private_scheme(scheme_of(redirect)) &&
           km_str_find(redirect, KM_STR(":/")) == scheme_of(redirect).n;
}

static bool fits(struct km_str registered, struct km_str redirect)
{
    struct km_url a, b;

    if (km_str_eq(registered, redirect))
        return true;
    return km_url_parse(registered, &a, NULL) == 0 && km_url_parse(redirect, &b, NULL) == 0 &&
           !a.https && !b.https && is_loopback(a.host) && km_str_ieq(a.host, b.host) &&
           km_str_eq(a.path, b.path);
}

bool km_oauth_redirect_fits(const struct km_oauth_client *client, struct km_str redirect)
{
    for (size_t i = 0; i < client->nredirects; i++)
        if (fits(client->redirects[i], redirect))
            return km_oauth_redirect_usable(redirect);
    return false;
}

static int bad(struct km_err *err, const char *reason, const char *text)
{
    int r = km_fail(err, KM_E_INVALID, "%s", text);

    if (err)
        err->reason = reason;
    return r;
}

static int read_redirects(const struct km_json *list, struct km_oauth_client *c, struct km_err *err)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key, uri;

    for (km_json_iter(list, &it); km_json_next(&it, &key, &item);) {
        if (c->nredirects == KM_OAUTH_REDIRECTS)
            return bad(err, "invalid_redirect_uri", "A client may have 8 redirect_uris at most.");
        if (!km_json_string(item, &uri) || !km_oauth_redirect_usable(uri))
            return bad(err, "invalid_redirect_uri",
                       "A redirect_uri is an https address, http on this machine (localhost, "
                       "127.0.0.1, [::1]), or a scheme of the application's own; at most 512 "
                       "bytes, without a fragment.");
        c->redirects[c->nredirects++] = uri;
    }
    return c->nredirects
               ? 0
               : bad(err, "invalid_redirect_uri", "redirect_uris must name at least one.");
}

static int read_client(struct km_arena *arena, struct km_str json, struct km_str document,
                       struct km_oauth_client *c, struct km_err *err)
{
    const struct km_json *root;
    struct km_str id = KM_STR_NONE, secret;

    if (km_json_parse(arena, json, &root, NULL) < 0 || km_json_kind(root) != KM_JSON_OBJECT)
        return bad(err, "invalid_client_metadata", "The metadata is not a JSON object.");
    (void)km_json_string(km_json_get(root, "client_id"), &id);
    if (document.n && !km_str_eq(id, document))
        return bad(err, "invalid_client_metadata",
                   "The document names another client_id than its own address.");
    if (document.n && km_json_string(km_json_get(root, "client_secret"), &secret))
        return bad(err, "invalid_client_metadata", "The document holds a secret.");
    if (km_json_string(km_json_get(root, "client_name"), &c->name))
        c->name = km_str_sub(c->name, 0, NAME_BYTES);
    while (c->name.n && !km_utf8_valid(c->name))
        c->name.n--; /* cut inside a character */
    return read_redirects(km_json_get(root, "redirect_uris"), c, err);
}

int km_oauth_client_read(struct km_arena *arena, struct km_str json, struct km_str document,
                         struct km_oauth_client *ret, struct km_err *err)
{
    struct km_oauth_client c = { .id = km_arena_str(arena, document) };
    struct km_arena tree;
    int r;

    km_arena_init(&tree, PARSE_BYTES, NULL);
    r = read_client(&tree, json, document, &c, err);
    c.name = km_arena_str(arena, c.name);
    for (size_t i = 0; i < c.nredirects; i++)
        c.redirects[i] = km_arena_str(arena, c.redirects[i]);
    km_arena_done(&tree);
    if (r == 0 && km_arena_overflowed(arena))
        r = km_fail(err, KM_E_NOMEM, "out of memory");
    if (r == 0)
        *ret = c;
    return r;
}

int km_oauth_client_sign(const struct km_oauth *o, const struct km_oauth_client *client,
                         struct km_arena *arena, struct km_str *ret_id, struct km_err *err)
{
    struct km_buf json KM_CLEANUP(km_buf_done) = KM_BUF(KM_OAUTH_BODY_BYTES);
    struct km_buf id KM_CLEANUP(km_buf_done) = KM_BUF(KM_OAUTH_CLIENT_ID_BYTES);
    struct km_json_out out;

    km_json_out_init(&out, &json);
    km_out_open(&out, '{');
    km_out_key(&out, "redirect_uris");
    km_out_open(&out, '[');
    for (size_t i = 0; i < client->nredirects; i++)
        km_out_str(&out, client->redirects[i]);
    km_out_close(&out, ']');
    if (client->name.n)
        km_out_member(&out, "client_name", client->name);
    km_out_close(&out, '}');
    km_buf_str(&id, KM_STR(PREFIX));
    km_oauth_sign(o, "client", km_buf_view(&json), &id);
    if (km_buf_failed(&json) || km_buf_failed(&id))
        return bad(err, "invalid_client_metadata", "The redirect_uris are too long together.");
    *ret_id = km_arena_str(arena, km_buf_view(&id));
    return ret_id->p ? 0 : km_fail(err, KM_E_NOMEM, "out of memory");
}

bool km_oauth_client_is_url(struct km_str id)
{
    struct km_url url;

    /* A document lies at a path of its own, which leads nowhere else. */
    return km_str_starts(id, KM_STR("https://")) && km_url_parse(id, &url, NULL) == 0 &&
           url.path.n > 1 && !url.userinfo.n && km_str_find(url.path, KM_STR("/../")) == url.path.n;
}

int km_oauth_client_open(const struct km_oauth *o, struct km_arena *arena, struct km_str id,
                         struct km_oauth_client *ret, struct km_err *err)
{
    struct km_str json;
    int r;

    if (id.n > KM_OAUTH_CLIENT_ID_BYTES || !km_str_starts(id, KM_STR(PREFIX)) ||
        !km_oauth_open(o, "client", km_str_skip(id, sizeof PREFIX - 1), arena, &json))
        return bad(err, "invalid_client",
                   "The client_id was not given out by this gateway: register again (POST "
                   "/oauth/register), or use the https address of a client's document.");
    r = km_oauth_client_read(arena, json, KM_STR_NONE, ret, err);
    if (r == 0)
        ret->id = km_arena_str(arena, id);
    return r;
}
