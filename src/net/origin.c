/* SPDX-License-Identifier: Apache-2.0 */
/* origin.c - where a stream leads to: host, port, TLS and the proxy on the way.
 *
 * Made when the configuration is read and shared by all workers, so it is one block: the
 * struct, its count and the texts behind it.
 *
 * A guarded origin is always dialled directly.  A proxy would resolve the name itself, out of
 * our sight, and the guard would guard nothing.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "net/proxy.h"

#define TEXT_MAX 4096

struct origin {
    struct km_origin pub;
    atomic_int refs;
    char text[];
};

/* Where the texts lie in the buffer that is built first. */
struct layout {
    size_t key, host, header, proxy_host, proxy_auth, end;
};

static void put_host(struct km_buf *b, struct km_str host)
{
    bool v6 = km_str_chr(host, ':') < host.n;

    km_buf_printf(b, v6 ? "[%.*s]" : "%.*s", KM_STR_ARG(host));
}

static void put_key(struct km_buf *b, bool https, struct km_str host, uint16_t port,
                    const struct km_tls_client *tls, const struct km_proxy *proxy,
                    enum km_guard guard)
{
    km_buf_str(b, https ? KM_STR("https://") : KM_STR("http://"));
    put_host(b, host);
    km_buf_printf(b, ":%u", (unsigned)port);
    if (tls)
        km_buf_printf(b, " tls=%p", (const void *)tls);
    if (proxy->host.n)
        km_buf_printf(b, " via=%.*s:%u", KM_STR_ARG(proxy->host), (unsigned)proxy->port);
    if (guard)
        km_buf_str(b, guard == KM_GUARD_PUBLIC ? KM_STR(" guarded") : KM_STR(" guarded=metadata"));
}

static struct layout build(struct km_buf *b, bool https, struct km_str host, uint16_t port,
                           const struct km_tls_client *tls, const struct km_proxy *proxy,
                           enum km_guard guard)
{
    struct layout at = { .key = 0 };

    put_key(b, https, host, port, tls, proxy, guard);
    at.host = b->n;
    km_buf_str(b, host);
    at.header = b->n;
    put_host(b, host);
    if (port != (https ? 443 : 80))
        km_buf_printf(b, ":%u", (unsigned)port);
    at.proxy_host = b->n;
    km_buf_str(b, proxy->host);
    at.proxy_auth = b->n;
    km_buf_str(b, km_buf_view(&proxy->auth));
    at.end = b->n;
    return at;
}

static struct origin *origin_alloc(const struct km_buf *b, const struct layout *at)
{
    struct origin *o = calloc(1, sizeof *o + b->n);

    if (!o)
        return NULL;
    memcpy(o->text, b->p, b->n);
    atomic_init(&o->refs, 1);
    o->pub.key = km_str(o->text + at->key, at->host - at->key);
    o->pub.host = km_str(o->text + at->host, at->header - at->host);
    o->pub.host_header = km_str(o->text + at->header, at->proxy_host - at->header);
    o->pub.proxy_host = km_str(o->text + at->proxy_host, at->proxy_auth - at->proxy_host);
    o->pub.proxy_auth = km_str(o->text + at->proxy_auth, at->end - at->proxy_auth);
    return o;
}

static int check(bool https, struct km_str host, const struct km_tls_client *tls,
                 struct km_err *err)
{
    if (host.n == 0 || host.n > 255 || memchr(host.p, 0, host.n))
        return km_fail(err, KM_E_INVALID, "a host name of %zu bytes", host.n);
    if (https && !tls)
        return km_fail(err, KM_E_INTERNAL, "an https origin without a TLS context");
    return 0;
}

int km_origin_new(bool https, struct km_str host, uint16_t port, struct km_tls_client *tls,
                  const struct km_proxy_env *proxies, enum km_guard guard,
                  struct km_origin **ret_origin, struct km_err *err)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(TEXT_MAX);
    struct km_proxy proxy = { .auth = KM_BUF(1) };
    struct km_str via = KM_STR_NONE;
    struct layout at;
    struct origin *o;
    int r;

    if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        host = km_str_sub(host, 1, host.n - 2);
    r = check(https, host, tls, err);
    if (r == 0 && proxies && !guard && !km_proxy_bypass(proxies->none, host, port))
        via = https ? proxies->https : proxies->http;
    if (r == 0 && via.n)
        r = km_proxy_parse(via, &proxy, err);
    if (r < 0) {
        km_buf_done(&proxy.auth);
        return r;
    }
    at = build(&text, https, host, port, https ? tls : NULL, &proxy, guard);
    km_buf_done(&proxy.auth);
    o = km_buf_failed(&text) ? NULL : origin_alloc(&text, &at);
    if (!o)
        return km_fail(err, KM_E_NOMEM, "no memory for an origin");
    o->pub.port = port;
    o->pub.tls = https ? km_tls_client_ref(tls) : NULL;
    o->pub.proxy_port = proxy.host.n ? proxy.port : 0;
    o->pub.guard = guard;
    *ret_origin = &o->pub;
    return 0;
}

/* An origin on this machine: `kind` and name are its key, and it is called localhost. */
static struct origin *local_new(struct km_str kind, struct km_str name)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(TEXT_MAX);
    struct layout at = { .key = 0 };

    km_buf_str(&text, kind);
    km_buf_str(&text, name);
    at.host = text.n;
    km_buf_str(&text, KM_STR("localhost"));
    at.header = text.n;
    km_buf_str(&text, KM_STR("localhost"));
    at.proxy_host = at.proxy_auth = at.end = text.n;
    return km_buf_failed(&text) ? NULL : origin_alloc(&text, &at);
}

struct km_origin *km_origin_ref(struct km_origin *o)
{
    atomic_fetch_add_explicit(&((struct origin *)o)->refs, 1, memory_order_relaxed);
    return o;
}

struct km_origin *km_origin_unref(struct km_origin *o)
{
    struct origin *box = (struct origin *)o;

    if (!o || atomic_fetch_sub_explicit(&box->refs, 1, memory_order_acq_rel) != 1)
        return NULL;
    km_tls_client_unref(o->tls);
    explicit_bzero(box->text, (size_t)(o->proxy_auth.p - box->text) + o->proxy_auth.n);
    free(box);
    return NULL;
}

int km_origin_new_unix(struct km_str path, struct km_origin **ret_origin, struct km_err *err)
{
    struct origin *o;

    if (path.n == 0 || memchr(path.p, 0, path.n))
        return km_fail(err, KM_E_INVALID, "a socket path of %zu bytes", path.n);
    o = local_new(KM_STR("unix:"), path);
    if (!o)
        return km_fail(err, KM_E_NOMEM, "no memory for an origin");
    o->pub.unix_path = km_str_skip(o->pub.key, sizeof "unix:" - 1);
    *ret_origin = &o->pub;
    return 0;
}
