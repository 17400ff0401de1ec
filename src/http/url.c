/* SPDX-License-Identifier: Apache-2.0 */
/* url.c - percent escapes, query parameters and http(s) URLs; contracts in message.h.
 *
 * Decoding refuses more than RFC 3986 does: %00 never comes out, because what is decoded here
 * ends up in logs, SQL and file names.  A URL that would mean different hosts to different
 * readers (control bytes, backslashes, several '@') is refused rather than read one way.
 */
#include <stdio.h>

#include "base/buf.h"
#include "base/encode.h"
#include "http/message.h"
#include "http/syntax.h"

static size_t decode(struct km_str s, bool plus, char *out, struct km_err *err, int *ret_code)
{
    size_t n = 0;

    *ret_code = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '%') {
            int hi = i + 2 < s.n ? km_hex_value(s.p[i + 1]) : -1;
            int lo = i + 2 < s.n ? km_hex_value(s.p[i + 2]) : -1;

            if (hi < 0 || lo < 0 || hi + lo == 0) {
                *ret_code =
                    km_fail(err, KM_E_INVALID,
                            hi + lo == 0 && hi == 0 ? "an escaped NUL" : "a bad percent escape");
                return 0;
            }
            out[n++] = (char)(hi * 16 + lo);
            i += 2;
        } else {
            out[n++] = plus && s.p[i] == '+' ? ' ' : s.p[i];
        }
    }
    return n;
}

int km_url_decode(struct km_arena *a, struct km_str s, bool plus, struct km_str *ret,
                  struct km_err *err)
{
    char *out = km_arena_alloc(a, s.n + 1);
    int code;
    size_t n;

    if (!out)
        return km_fail(err, KM_E_NOMEM, "no memory to decode %zu bytes", s.n);
    n = decode(s, plus, out, err, &code);
    if (code < 0)
        return code;
    out[n] = '\0';
    *ret = km_str(out, n);
    return 0;
}

void km_url_encode(struct km_buf *b, struct km_str s)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     c == '-' || c == '.' || c == '_' || c == '~';

        if (plain) {
            km_buf_byte(b, (char)c);
        } else {
            char text[3] = { '%', digits[c >> 4], digits[c & 15] };

            km_buf_bytes(b, text, sizeof text);
        }
    }
}

int km_target_check(struct km_str target, struct km_err *err)
{
    const char *why;

    if (km_path_ok(km_str_sub(target, 0, km_str_chr(target, '?')), &why))
        return 0;
    return km_fail(err, KM_E_INVALID,
                   "The upstream's path would hold %s: the name of the model or the object cannot "
                   "stand in a path. Correct it.",
                   why);
}

int km_target_check_filled(struct km_str path, struct km_err *err)
{
    const char *why;

    if (km_path_filled_ok(path, &why))
        return 0;
    return km_fail(err, KM_E_INVALID, "the path would hold %s", why);
}

bool km_query_get(struct km_arena *a, struct km_str query, struct km_str name,
                  struct km_str *ret_value)
{
    struct km_str pair;

    while (km_str_split(&query, '&', &pair)) {
        size_t eq = km_str_chr(pair, '=');
        struct km_str key = km_str(pair.p, eq);
        struct km_str value = km_str_skip(pair, eq + 1);

        /* An escaped name can only be longer than what it stands for. */
        if (key.n < name.n)
            continue;
        if (!km_str_eq(key, name) &&
            (km_url_decode(a, key, true, &key, NULL) < 0 || !km_str_eq(key, name)))
            continue;
        return km_url_decode(a, value, true, ret_value, NULL) == 0;
    }
    return false;
}

static int check_bytes(struct km_str s, struct km_err *err)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= 0x20 || s.p[i] > 0x7e || s.p[i] == '\\')
            return km_fail(err, KM_E_INVALID, "a URL holds a byte that must be escaped");
    return 0;
}

bool km_url_is_http(struct km_str s)
{
    return km_str_istarts(s, KM_STR("http://")) || km_str_istarts(s, KM_STR("https://"));
}

int km_url_parse(struct km_str s, struct km_url *ret_url, struct km_err *err)
{
    struct km_url url = { 0 };
    struct km_str rest, authority;
    size_t end = 0, at;
    int r = check_bytes(s, err);

    if (r < 0)
        return r;
    if (!km_url_is_http(s))
        return km_fail(err, KM_E_INVALID, "a URL must begin with http:// or https://");
    url.https = km_str_istarts(s, KM_STR("https://"));
    rest = km_str_skip(s, url.https ? 8 : 7);
    while (end < rest.n && rest.p[end] != '/' && rest.p[end] != '?' && rest.p[end] != '#')
        end++;
    authority = km_str(rest.p, end);
    url.path = km_str_skip(rest, end);
    if (url.path.n > 0 && url.path.p[0] != '/')
        return km_fail(err, KM_E_INVALID, "a URL needs a '/' between its host and its '%c'",
                       url.path.p[0]);
    if (km_str_chr(url.path, '#') < url.path.n)
        return km_fail(err, KM_E_INVALID, "a URL to send a request to has no fragment ('#')");
    at = km_str_chr(authority, '@');
    if (at < authority.n) {
        url.userinfo = km_str(authority.p, at);
        authority = km_str_skip(authority, at + 1);
    }
    if (!km_host_port(authority, &url.host, &url.port))
        return km_fail(err, KM_E_INVALID, "'%.*s' is no host[:port]", KM_STR_ARG(authority));
    if (url.port == 0)
        url.port = url.https ? 443 : 80;
    *ret_url = url;
    return 0;
}

bool km_url_host_listed(struct km_str url, const struct km_str_list *hosts)
{
    struct km_url u, listed;
    char text[512];

    if (km_url_parse(url, &u, NULL) < 0)
        return false;
    for (size_t i = 0; i < hosts->n; i++) {
        struct km_str host = hosts->v[i];
        int n = snprintf(text, sizeof text, "http://%.*s", KM_STR_ARG(host));

        if (km_str_ieq(host, u.host))
            return true;
        if (n > 0 && (size_t)n < sizeof text && km_str_rchr(host, ':') < host.n &&
            km_url_parse(km_str(text, (size_t)n), &listed, NULL) == 0 &&
            km_str_ieq(listed.host, u.host) && listed.port == u.port)
            return true;
    }
    return false;
}
