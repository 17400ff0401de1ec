/* SPDX-License-Identifier: Apache-2.0 */
/* dial.h - opens streams to origins: DNS, happy eyeballs (RFC 8305), proxy, TLS, guard.
 *
 * A guarded dial judges every resolved address at connect time (guard.h).
 */
#ifndef KM_NET_DIAL_H
#define KM_NET_DIAL_H

#include "net/guard.h"
#include "net/tls.h"

/* Where to; immutable and reference-counted, made when the configuration is read. */
struct km_origin {
    struct km_str key; /* "https://api.openai.com:443" and TLS variant: pools are by key */
    struct km_str host; /* without brackets */
    uint16_t port;
    struct km_tls_client *tls; /* NULL: plain */
    struct km_str host_header; /* host, or host:port when not the scheme's own */
    /* An https origin is dialled through a CONNECT tunnel.  The stream of a plain one ends at
     * the proxy, which wants the absolute form of the target and Proxy-Authorization in each
     * request: that is the HTTP client's to write. */
    struct km_str proxy_host; /* empty: direct */
    uint16_t proxy_port;
    struct km_str proxy_auth; /* "Basic ..." or empty; a secret */
    struct km_str unix_path; /* empty: host and port; else a socket of this machine, plain */
    enum km_guard guard;
};

/* Which proxy a target uses, from HTTP_PROXY, HTTPS_PROXY, NO_PROXY (either case). */
struct km_proxy_env {
    struct km_str http, https, none;
};

/* tls is used (referenced) when https. proxies may be NULL, and is not used when guarded: a
 * proxy would resolve the name where nothing checks it. */
int km_origin_new(bool https, struct km_str host, uint16_t port, struct km_tls_client *tls,
                  const struct km_proxy_env *proxies, enum km_guard guard,
                  struct km_origin **ret_origin, struct km_err *err) KM_MUST_USE;
/* Who listens on a Unix socket; the Host header is "localhost". */
int km_origin_new_unix(struct km_str path, struct km_origin **ret_origin,
                       struct km_err *err) KM_MUST_USE;
struct km_origin *km_origin_ref(struct km_origin *o); /* any thread */
struct km_origin *km_origin_unref(struct km_origin *o);

struct km_dialer; /* one a loop */
struct km_dial;

/* How an HTTP CONNECT tunnel is made is http/'s business: it registers itself here.  It is a
 * filter (net/filter.h) over `under`, which it takes over, also when it fails (NULL); on_ready
 * comes once, never synchronously, and not after the filter was freed. */
typedef struct km_stream *km_tunnel_fn(struct km_loop *loop, struct km_stream *under,
                                       const struct km_origin *origin, km_tls_ready_fn *on_ready,
                                       void *ctx, struct km_err *err);

struct km_dialer *km_dialer_new(struct km_loop *loop, struct km_dns *dns, km_tunnel_fn *tunnel);
struct km_dialer *km_dialer_free(struct km_dialer *d);

/* stream (the callee's) or err.  Exactly once, never synchronous. */
typedef void km_dial_fn(void *ctx, struct km_stream *stream, const struct km_err *err);

/* NULL only when out of memory. timeout_ms covers DNS, connect, tunnel and handshake. */
struct km_dial *km_dial(struct km_dialer *d, struct km_origin *origin, uint64_t timeout_ms,
                        km_dial_fn *fn, void *ctx);
void km_dial_cancel(struct km_dial *dial); /* no callback follows */

#endif
