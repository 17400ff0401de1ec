/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel.c - CONNECT through an HTTP proxy, as a filter (net/filter.h); contract in client.h.
 *
 *     tls -- tunnel -- tcp        to the proxy: CONNECT host:port, then the origin's own bytes
 *
 * It asks when it is made, reads one response head, and from then on only passes events up and
 * operations down.  Nobody may speak before the origin was spoken to: bytes right behind the
 * proxy's head are refused.  1xx responses are skipped, as everywhere.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "http/client.h"
#include "http/head.h"
#include "net/filter.h"

#define HEAD_BYTES ((size_t)16 * 1024)
#define HEAD_FIELDS 64
#define MAX_INTERIM 16

static const struct km_head_limits limits = { HEAD_BYTES, HEAD_BYTES, HEAD_FIELDS };

struct tunnel {
    struct km_stream s;
    struct km_head *head; /* while the proxy's answer is awaited */
    struct km_buf held;
    unsigned interim;
    km_tls_ready_fn *on_ready;
    void *ready_ctx;
    char name[128];
};

static void head_done(struct tunnel *t)
{
    t->head = km_head_free(t->head);
    km_buf_done(&t->held);
}

/* Tells the dialer once. */
static void tell(struct tunnel *t, const struct km_err *err)
{
    km_tls_ready_fn *fn = t->on_ready;

    t->on_ready = NULL;
    head_done(t);
    fn(t->ready_ctx, err);
}

static int refused(struct tunnel *t, int status, struct km_err *err)
{
    const char *why = status == 407 ? "; check the user and password in the proxy's URL" : "";

    return km_fail(err, KM_E_UPSTREAM_CONNECT, "the proxy %s refuses a tunnel: %d %s%s", t->name,
                   status, km_http_reason(status), why);
}

/* 0: a final 2xx; KM_E_AGAIN: an interim response was dropped. */
static int judge(struct tunnel *t, size_t used, struct km_err *err)
{
    struct km_response response;
    struct km_framing framing;
    struct km_arena a;
    int r;

    km_arena_init(&a, HEAD_BYTES + 8192, NULL);
    r = km_head_response(t->head, t->held.p, used, &a, KM_STR("CONNECT"), &response, &framing, err);
    km_arena_done(&a);
    if (r < 0)
        return r;
    km_buf_consume(&t->held, used);
    if (response.status == 101 || response.status >= 300)
        return refused(t, response.status, err);
    if (response.status < 200) {
        km_head_begin(t->head, KM_HEAD_RESPONSE, &limits);
        return ++t->interim > MAX_INTERIM ? refused(t, response.status, err) : KM_E_AGAIN;
    }
    if (t->held.n > 0)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL,
                       "the proxy %s sends bytes nobody asked for through its tunnel", t->name);
    return 0;
}

static void read_answer(struct tunnel *t, const char *bytes, size_t n)
{
    struct km_err err;
    int r = 0;

    km_buf_bytes(&t->held, bytes, n);
    if (km_buf_failed(&t->held))
        r = km_fail(&err, KM_E_UPSTREAM_PROTOCOL, "the answer of the proxy %s is too long",
                    t->name);
    while (r == 0 && t->head && t->held.n > 0) {
        size_t used;

        r = km_head_feed(t->head, t->held.p, t->held.n, &used, &err);
        if (r == 0)
            r = judge(t, used, &err);
        else if (r == KM_E_AGAIN)
            return;
        if (r == 0) {
            tell(t, NULL);
            return;
        }
        if (r == KM_E_AGAIN)
            r = 0;
    }
    if (r < 0) {
        err.code = KM_E_UPSTREAM_CONNECT;
        tell(t, &err);
    }
}

static void on_under_read(void *ctx, const char *bytes, size_t n)
{
    struct tunnel *t = ctx;

    if (t->head)
        read_answer(t, bytes, n);
    else
        (void)!km_stream_emit_read(&t->s, bytes, n);
}

static void on_under_eof(void *ctx)
{
    struct tunnel *t = ctx;
    struct km_err err;

    if (!t->head) {
        (void)!km_stream_emit_eof(&t->s);
        return;
    }
    km_fail(&err, KM_E_UPSTREAM_CONNECT, "the proxy %s closed without an answer", t->name);
    tell(t, &err);
}

static void on_under_closed(void *ctx, const struct km_err *under_err)
{
    struct tunnel *t = ctx;
    struct km_err err;

    if (!t->head) {
        km_stream_emit_closed(&t->s, under_err);
        return;
    }
    km_fail(&err, KM_E_UPSTREAM_CONNECT, "the proxy %s: %.200s", t->name, under_err->text);
    tell(t, &err);
}

static void on_under_drain(void *ctx)
{
    struct tunnel *t = ctx;

    if (!t->head)
        (void)!km_stream_emit_drain(&t->s);
}

static const struct km_stream_events under_events = {
    .on_read = on_under_read,
    .on_eof = on_under_eof,
    .on_closed = on_under_closed,
    .on_drain = on_under_drain,
};

/* It reads from the beginning: the proxy's answer. */
static void tunnel_start(struct km_stream *s)
{
    (void)s;
}

static void tunnel_pause(struct km_stream *s)
{
    km_stream_pause(s->under);
}

static void tunnel_resume(struct km_stream *s)
{
    km_stream_resume(s->under);
}

static void tunnel_release(void *ctx)
{
    free(ctx);
}

static void tunnel_close(struct km_stream *s)
{
    struct tunnel *t = (struct tunnel *)s;

    head_done(t);
    s->under = km_stream_free(s->under);
    km_stream_release(s, tunnel_release);
}

static int tunnel_detach(struct km_stream *s)
{
    (void)s;
    return -1;
}

static const struct km_stream_ops tunnel_ops = {
    .start = tunnel_start,
    .pause = tunnel_pause,
    .resume = tunnel_resume,
    .close = tunnel_close,
    .detach = tunnel_detach,
};

static void ask(struct tunnel *t, const struct km_origin *o)
{
    char port[8];
    bool literal6 = km_str_chr(o->host, ':') < o->host.n;
    struct km_str open = literal6 ? KM_STR("[") : KM_STR_NONE;
    struct km_str close = literal6 ? KM_STR("]") : KM_STR_NONE;
    struct km_str colon = km_str(port, (size_t)snprintf(port, sizeof port, ":%u", o->port));
    bool auth = o->proxy_auth.n > 0;
    const struct km_str parts[] = {
        KM_STR("CONNECT "),
        open,
        o->host,
        close,
        colon,
        KM_STR(" HTTP/1.1\r\nHost: "),
        open,
        o->host,
        close,
        colon,
        auth ? KM_STR("\r\nProxy-Authorization: ") : KM_STR_NONE,
        o->proxy_auth,
        KM_STR("\r\n\r\n"),
    };

    km_stream_write(t->s.under, parts, sizeof parts / sizeof *parts, NULL);
}

struct km_stream *km_connect_tunnel(struct km_loop *loop, struct km_stream *under,
                                    const struct km_origin *origin, km_tls_ready_fn *on_ready,
                                    void *ctx, struct km_err *err)
{
    struct tunnel *t = calloc(1, sizeof *t);
    struct km_head *head = km_head_new(HEAD_FIELDS);

    if (!t || !head) {
        free(t);
        km_head_free(head);
        km_stream_free(under);
        km_fail(err, KM_E_NOMEM, "no memory for a tunnel");
        return NULL;
    }
    km_stream_init(&t->s, &tunnel_ops, loop, under, tunnel_release);
    km_buf_init(&t->held, HEAD_BYTES + KM_LOOP_READ_BYTES);
    km_head_begin(head, KM_HEAD_RESPONSE, &limits);
    t->head = head;
    t->on_ready = on_ready;
    t->ready_ctx = ctx;
    snprintf(t->name, sizeof t->name, "%.*s:%u", KM_STR_ARG(origin->proxy_host),
             origin->proxy_port);
    km_stream_own(under, &under_events, t);
    ask(t, origin);
    return &t->s;
}
