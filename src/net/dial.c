/* SPDX-License-Identifier: Apache-2.0 */
/* dial.c - see dial.h for the contract.  One dial goes through up to four stages:
 *
 *     resolve -> connect -> tunnel -> tls -> done
 *     (dns.h)    (tcp.h)    (http/)   (tls.h)
 *
 * resolve is left out for literal addresses, tunnel without a proxy or TLS, tls for plain
 * origins; a Unix socket is connected to at once, without any of them.  One timer covers all of
 * it, and its message names the stage.  Whatever is under way is in `query`, `race` or `stream`,
 * one of them at a time, so that end() can stop it.
 */
#include "net/dial.h"

#include <stdlib.h>

#include "base/buf.h"
#include "net/tcp.h"
#include "sys/unix.h"

#define UNIX_PATH_BYTES 1024 /* the kernel takes far less */

enum stage {
    RESOLVE,
    CONNECT,
    TUNNEL,
    TLS,
};

static const char *const stage_names[] = {
    [RESOLVE] = "resolving its name",
    [CONNECT] = "connecting",
    [TUNNEL] = "making a tunnel through the proxy",
    [TLS] = "the TLS handshake",
};

struct km_dialer {
    struct km_loop *loop;
    struct km_dns *dns;
    km_tunnel_fn *tunnel;
    struct km_list dials;
};

struct km_dial {
    struct km_list link;
    struct km_dialer *dialer;
    struct km_origin *origin;
    km_dial_fn *fn;
    void *ctx;
    enum stage stage;
    uint64_t timeout_ms;
    struct km_timer timer;
    struct km_deferred begun; /* it failed, or is there, before anything asynchronous could begin */
    struct km_err err; /* of the failure */
    struct km_dns_query *query;
    struct km_tcp_race *race;
    struct km_stream *stream;
};

struct km_dialer *km_dialer_new(struct km_loop *loop, struct km_dns *dns, km_tunnel_fn *tunnel)
{
    struct km_dialer *d = calloc(1, sizeof *d);

    if (!d)
        return NULL;
    d->loop = loop;
    d->dns = dns;
    d->tunnel = tunnel;
    km_list_init(&d->dials);
    return d;
}

struct km_dialer *km_dialer_free(struct km_dialer *d)
{
    if (!d)
        return NULL;
    KM_LIST_EACH(it, &d->dials)
    km_dial_cancel(KM_CONTAINER(it, struct km_dial, link));
    free(d);
    return NULL;
}

/* Stops what is under way and frees the dial. */
static void end(struct km_dial *dial)
{
    if (dial->query)
        km_dns_cancel(dial->query);
    km_tcp_race_free(dial->race);
    km_stream_free(dial->stream);
    km_timer_stop(&dial->timer);
    km_deferred_cancel(&dial->begun);
    km_list_remove(&dial->link);
    km_origin_unref(dial->origin);
    free(dial);
}

void km_dial_cancel(struct km_dial *dial)
{
    end(dial);
}

static void succeed(struct km_dial *dial)
{
    km_dial_fn *fn = dial->fn;
    void *ctx = dial->ctx;
    struct km_stream *stream = dial->stream;

    dial->stream = NULL;
    end(dial);
    fn(ctx, stream, NULL);
}

static void give_up(struct km_dial *dial, const struct km_err *err)
{
    km_dial_fn *fn = dial->fn;
    void *ctx = dial->ctx;
    struct km_err copy = *err;

    end(dial);
    fn(ctx, NULL, &copy);
}

static void on_begun(void *ctx)
{
    struct km_dial *dial = ctx;

    if (dial->stream)
        succeed(dial);
    else
        give_up(dial, &dial->err);
}

static void on_timeout(void *ctx)
{
    struct km_dial *dial = ctx;
    const struct km_origin *o = dial->origin;
    struct km_err err;

    km_fail(&err, KM_E_UPSTREAM_TIMEOUT, "no connection to %.*s:%u within %llu ms (%s)",
            KM_STR_ARG(o->host), (unsigned)o->port, (unsigned long long)dial->timeout_ms,
            stage_names[dial->stage]);
    give_up(dial, &err);
}

/* --- the stages, last one first --- */

static void on_tls(void *ctx, const struct km_err *err)
{
    struct km_dial *dial = ctx;

    if (err)
        give_up(dial, err);
    else
        succeed(dial);
}

static void start_tls(struct km_dial *dial)
{
    struct km_stream *under = dial->stream;
    struct km_origin *o = dial->origin;
    struct km_err err;

    if (!o->tls) {
        succeed(dial);
        return;
    }
    dial->stage = TLS;
    dial->stream = km_tls_connect(dial->dialer->loop, under, o->tls, o->host, on_tls, dial, &err);
    if (!dial->stream)
        give_up(dial, &err);
}

static void on_tunnel(void *ctx, const struct km_err *err)
{
    struct km_dial *dial = ctx;

    if (err)
        give_up(dial, err);
    else
        start_tls(dial);
}

static void start_tunnel(struct km_dial *dial)
{
    struct km_stream *under = dial->stream;
    struct km_err err;

    if (dial->origin->proxy_host.n == 0 || !dial->origin->tls) {
        start_tls(dial);
        return;
    }
    dial->stage = TUNNEL;
    if (!dial->dialer->tunnel) {
        km_fail(&err, KM_E_UNSUPPORTED, "an https origin behind a proxy, without CONNECT");
        give_up(dial, &err);
        return;
    }
    dial->stream =
        dial->dialer->tunnel(dial->dialer->loop, under, dial->origin, on_tunnel, dial, &err);
    if (!dial->stream)
        give_up(dial, &err);
}

static void on_race(void *ctx, struct km_stream *stream, const struct km_err *err)
{
    struct km_dial *dial = ctx;

    dial->race = NULL;
    dial->stream = stream;
    if (err)
        give_up(dial, err);
    else
        start_tunnel(dial);
}

static int start_race(struct km_dial *dial, const union km_addr *addrs, size_t n,
                      struct km_err *err)
{
    dial->stage = CONNECT;
    dial->race = km_tcp_race_new(dial->dialer->loop, addrs, n, dial->origin->guard, on_race, dial);
    return dial->race ? 0 : km_fail(err, KM_E_NOMEM, "no memory to connect");
}

static void on_resolved(void *ctx, const union km_addr *addrs, size_t n, const struct km_err *err)
{
    struct km_dial *dial = ctx;
    struct km_err own;

    dial->query = NULL;
    if (err) {
        own = *err;
        if (own.code == KM_E_INVALID) /* the upstream's name, not the client's request */
            own.code = KM_E_UPSTREAM_CONNECT;
        give_up(dial, &own);
    } else if (start_race(dial, addrs, n, &own) < 0) {
        give_up(dial, &own);
    }
}

/* A Unix socket takes the connection at once, or nobody listens. */
static int start_unix(struct km_dial *dial, struct km_err *err)
{
    struct km_buf path KM_CLEANUP(km_buf_done) = KM_BUF(UNIX_PATH_BYTES);
    const union km_addr nobody = { 0 };
    int fd, r;

    km_buf_str(&path, dial->origin->unix_path);
    r = km_unix_connect(km_buf_cstr(&path), &fd, err);
    if (r < 0)
        return r;
    dial->stream = km_tcp_from_fd(dial->dialer->loop, fd, &nobody, err);
    if (!dial->stream)
        return err->code;
    km_deferred_queue(&dial->begun);
    return 0;
}

static int start(struct km_dial *dial, struct km_err *err)
{
    const struct km_origin *o = dial->origin;
    struct km_str host = o->proxy_host.n ? o->proxy_host : o->host;
    uint16_t port = o->proxy_host.n ? o->proxy_port : o->port;
    union km_addr a;

    if (o->unix_path.n)
        return start_unix(dial, err);
    if (km_addr_parse(host, port, &a) == 0)
        return start_race(dial, &a, 1, err);
    dial->query =
        km_dns_resolve(dial->dialer->dns, host, port, dial->timeout_ms, on_resolved, dial);
    return dial->query ? 0 : km_fail(err, KM_E_NOMEM, "no memory to resolve a name");
}

struct km_dial *km_dial(struct km_dialer *d, struct km_origin *origin, uint64_t timeout_ms,
                        km_dial_fn *fn, void *ctx)
{
    struct km_dial *dial = calloc(1, sizeof *dial);

    if (!dial)
        return NULL;
    dial->dialer = d;
    dial->origin = km_origin_ref(origin);
    dial->fn = fn;
    dial->ctx = ctx;
    dial->timeout_ms = timeout_ms;
    km_list_push(&d->dials, &dial->link);
    km_timer_init(&dial->timer, d->loop, on_timeout, dial);
    km_timer_start(&dial->timer, timeout_ms);
    km_deferred_init(&dial->begun, d->loop, on_begun, dial);
    if (start(dial, &dial->err) < 0)
        km_deferred_queue(&dial->begun);
    return dial;
}
