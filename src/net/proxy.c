/* SPDX-License-Identifier: Apache-2.0 */
/* proxy.c - which proxy a host is reached through; the rules are in proxy.h.
 *
 * There is no standard for these variables.  Where curl, Go and Python differ we take what
 * surprises least: an entry covers the host and its subdomains with or without a leading dot,
 * networks count, and loopback never goes through a proxy.  Messages never repeat the URL of
 * a proxy, because it may hold a password.
 */
#include "net/proxy.h"

#include <arpa/inet.h>

#include "base/encode.h"

#define AUTH_MAX 2048

/* --- NO_PROXY --- */

static size_t addr_bytes(const union km_addr *a, const uint8_t **ret_bytes)
{
    if (a->sa.sa_family == AF_INET) {
        *ret_bytes = (const uint8_t *)&a->in.sin_addr;
        return 4;
    }
    *ret_bytes = a->in6.sin6_addr.s6_addr;
    return 16;
}

/* Both in one family and equal in their first `bits`. */
static bool same_network(const union km_addr *a, const union km_addr *b, size_t bits)
{
    const uint8_t *x, *y;
    size_t n = addr_bytes(a, &x);

    if (addr_bytes(b, &y) != n || bits > 8 * n || memcmp(x, y, bits / 8) != 0)
        return false;
    return bits % 8 == 0 || (x[bits / 8] ^ y[bits / 8]) >> (8 - bits % 8) == 0;
}

/* Splits ":port" off, if it has one ("::1" has none).  false: the port is not a number. */
static bool split_port(struct km_str *entry, uint64_t *ret_port)
{
    size_t colon = km_str_rchr(*entry, ':');

    *ret_port = 0;
    if (colon == entry->n)
        return true;
    if (entry->p[0] != '[' && km_str_chr(*entry, ':') != colon)
        return true; /* a bare IPv6 address */
    if (entry->p[0] == '[' && (colon == 0 || entry->p[colon - 1] != ']'))
        return true;
    if (km_str_u64(km_str_skip(*entry, colon + 1), ret_port) < 0)
        return false;
    *entry = km_str_sub(*entry, 0, colon);
    return true;
}

static bool covers_addr(struct km_str entry, const union km_addr *a)
{
    size_t slash = km_str_chr(entry, '/');
    union km_addr net;
    uint64_t bits;

    if (km_addr_parse(km_str_sub(entry, 0, slash), 0, &net) < 0)
        return false;
    if (slash == entry.n)
        return same_network(a, &net, net.sa.sa_family == AF_INET ? 32 : 128);
    return km_str_u64(km_str_skip(entry, slash + 1), &bits) == 0 && same_network(a, &net, bits);
}

static bool covers_name(struct km_str entry, struct km_str host)
{
    struct km_str tail;

    if (km_str_starts(entry, KM_STR("*.")))
        entry = km_str_skip(entry, 1);
    if (entry.n && entry.p[0] == '.')
        entry = km_str_skip(entry, 1);
    if (entry.n == 0 || host.n < entry.n)
        return false;
    tail = km_str_skip(host, host.n - entry.n);
    return km_str_ieq(tail, entry) && (host.n == entry.n || host.p[host.n - entry.n - 1] == '.');
}

static bool covers(struct km_str entry, struct km_str host, const union km_addr *a, uint16_t port)
{
    uint64_t only;

    if (km_str_eq(entry, KM_STR("*")))
        return true;
    if (!split_port(&entry, &only) || (only != 0 && only != port))
        return false;
    return a ? covers_addr(entry, a) : covers_name(entry, host);
}

static bool next_entry(struct km_str *rest, struct km_str *ret_entry)
{
    size_t n = 0;

    while (rest->n && strchr(", \t", rest->p[0]))
        *rest = km_str_skip(*rest, 1);
    while (n < rest->n && !strchr(", \t", rest->p[n]))
        n++;
    *ret_entry = km_str_sub(*rest, 0, n);
    *rest = km_str_skip(*rest, n);
    return n > 0;
}

bool km_proxy_bypass(struct km_str none, struct km_str host, uint16_t port)
{
    union km_addr a;
    bool literal;
    struct km_str entry;

    if (host.n && host.p[host.n - 1] == '.')
        host.n--;
    literal = km_addr_parse(host, port, &a) == 0;
    if (literal ? km_addr_loopback(&a) : km_str_ieq(host, KM_STR("localhost")))
        return true;
    while (next_entry(&none, &entry))
        if (covers(entry, host, literal ? &a : NULL, port))
            return true;
    return false;
}

/* --- the proxy's URL --- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void percent_decode(struct km_str s, struct km_buf *out)
{
    for (size_t i = 0; i < s.n; i++) {
        int hi = i + 2 < s.n && s.p[i] == '%' ? hex_digit(s.p[i + 1]) : -1;
        int lo = hi >= 0 ? hex_digit(s.p[i + 2]) : -1;

        if (lo >= 0) {
            km_buf_byte(out, (char)(hi << 4 | lo));
            i += 2;
        } else {
            km_buf_byte(out, s.p[i]);
        }
    }
}

/* "user:pass", percent-encoded, as the value of Proxy-Authorization. */
static int read_auth(struct km_str userinfo, struct km_buf *auth, struct km_err *err)
{
    struct km_buf plain KM_CLEANUP(km_buf_done) = KM_BUF(AUTH_MAX);

    percent_decode(userinfo, &plain);
    if (km_str_chr(userinfo, ':') == userinfo.n)
        km_buf_byte(&plain, ':');
    km_buf_str(auth, KM_STR("Basic "));
    km_buf_base64(auth, km_buf_view(&plain));
    if (km_buf_failed(&plain) || km_buf_failed(auth))
        return km_fail(err, KM_E_LIMIT, "the proxy's user and password are too long");
    return 0;
}

static int strip_scheme(struct km_str *url, struct km_err *err)
{
    size_t end = km_str_find(*url, KM_STR("://"));

    if (end == url->n)
        return 0;
    if (!km_str_ieq(km_str_sub(*url, 0, end), KM_STR("http")))
        return km_fail(err, KM_E_UNSUPPORTED,
                       "a proxy of scheme '%.*s' is not supported: use an http:// proxy",
                       KM_STR_ARG(km_str_sub(*url, 0, end)));
    *url = km_str_skip(*url, end + 3);
    return 0;
}

int km_proxy_parse(struct km_str url, struct km_proxy *p, struct km_err *err)
{
    uint64_t port;
    size_t at;
    int r;

    *p = (struct km_proxy){ .auth = KM_BUF(2 * AUTH_MAX) };
    url = km_str_trim(url);
    r = strip_scheme(&url, err);
    if (r < 0)
        return r;
    url = km_str_sub(url, 0, km_str_chr(url, '/'));
    at = km_str_rchr(url, '@');
    if (at < url.n) {
        r = read_auth(km_str_sub(url, 0, at), &p->auth, err);
        if (r < 0)
            return r;
        url = km_str_skip(url, at + 1);
    }
    if (url.n == 0 || !split_port(&url, &port) || port > UINT16_MAX)
        return km_fail(err, KM_E_INVALID,
                       "the proxy in HTTP_PROXY or HTTPS_PROXY is not http://host:port");
    if (url.n >= 2 && url.p[0] == '[' && url.p[url.n - 1] == ']')
        url = km_str_sub(url, 1, url.n - 2);
    p->host = url;
    p->port = port ? (uint16_t)port : 80;
    return 0;
}
