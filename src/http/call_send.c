/* SPDX-License-Identifier: Apache-2.0 */
/* call_send.c - the request's way out.
 *
 * Head and body leave as views of the caller's memory in one gathered write.  A long body is
 * written in steps: a stream copies what the kernel does not take, so no more than a step is
 * ever copied, and the next one waits until that is gone.
 *
 * A body may come from elsewhere while it is sent (`more`): its source is asked for the next
 * bytes when all before them are gone, so that nobody holds more than one piece of it.
 *
 * A plain-text origin behind a proxy is asked for in absolute-form, as a proxy expects.
 */
#include "http/call.h"

#include <stdio.h>

#define STEP_BYTES ((size_t)1024 * 1024) /* a write; of the last one, the rest is copied */
#define MAX_PARTS 48

struct gather {
    struct km_str v[MAX_PARTS];
    size_t n, bytes;
};

static void add(struct gather *g, struct km_str s)
{
    if (s.n == 0)
        return;
    g->v[g->n++] = s;
    g->bytes += s.n;
}

static uint64_t body_bytes(const struct km_http_request *r)
{
    uint64_t total = 0;

    for (size_t i = 0; i < r->nbody; i++)
        total += r->body[i].n;
    return total;
}

static struct km_str decimal(char out[20], uint64_t v)
{
    size_t at = 20;

    do {
        out[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    return km_str(out + at, 20 - at);
}

static void add_head(struct km_http_call *call, struct gather *g, char length[20])
{
    const struct km_http_request *r = &call->request;
    const struct km_origin *o = call->origin;
    bool proxied = o->proxy_host.n > 0 && !o->tls;

    add(g, r->method);
    add(g, proxied ? KM_STR(" http://") : KM_STR(" "));
    if (proxied)
        add(g, o->host_header);
    add(g, r->target);
    add(g, KM_STR(" HTTP/1.1\r\nHost: "));
    add(g, o->host_header);
    add(g, KM_STR("\r\n"));
    if (proxied && o->proxy_auth.n > 0) {
        add(g, KM_STR("Proxy-Authorization: "));
        add(g, o->proxy_auth);
        add(g, KM_STR("\r\n"));
    }
    add(g, r->head);
    if (r->more && r->more_bytes == UINT64_MAX) {
        add(g, KM_STR("Transfer-Encoding: chunked\r\n\r\n"));
    } else if (r->has_body || r->more) {
        add(g, KM_STR("Content-Length: "));
        add(g, decimal(length, r->more ? r->more_bytes : body_bytes(r)));
        add(g, KM_STR("\r\n\r\n"));
    } else {
        add(g, KM_STR("\r\n"));
    }
}

/* The next step of the body; false: there was nothing left. */
static bool add_body(struct km_http_call *call, struct gather *g)
{
    const struct km_http_request *r = &call->request;

    while (call->part < r->nbody && g->n < MAX_PARTS && g->bytes < STEP_BYTES) {
        struct km_str rest = km_str_skip(r->body[call->part], call->part_at);

        if (rest.n > STEP_BYTES) {
            rest.n = STEP_BYTES;
            call->part_at += rest.n;
        } else {
            call->part++;
            call->part_at = 0;
        }
        add(g, rest);
    }
    return g->bytes > 0;
}

/* Whoever has the next bytes may be slow: that is not the upstream's fault. */
void km_http_call_room(void *ctx)
{
    struct km_http_call *call = ctx;

    call->wants = true;
    km_http_call_deadline(call, 0);
    call->events->on_room(call->ctx);
}

static void head_of_more(struct km_http_call *call, size_t *queued)
{
    struct gather g = { .n = 0 };
    char length[20];

    call->head_out = true;
    add_head(call, &g, length);
    km_stream_write(call->stream, g.v, g.n, queued);
}

/* Never at once: the call's owner does not have it yet. */
static void send_more(struct km_http_call *call, size_t queued)
{
    if (!call->head_out)
        head_of_more(call, &queued);
    call->sent = call->last && queued == 0;
    if (!call->last && queued == 0 && !call->wants)
        km_deferred_queue(&call->room);
    else if (call->state == KM_HTTP_CALL_HEAD)
        km_http_call_deadline(call,
                              call->sent ? call->request.first_byte_ms : call->request.take_ms);
}

bool km_http_push(struct km_http_call *call, struct km_str bytes, bool last)
{
    bool chunks = call->request.more_bytes == UINT64_MAX;
    struct gather g = { .n = 0 };
    char size[24];
    size_t queued = 0;

    if (!call->stream || call->last)
        return false; /* it is over: whoever gave this hears of that by itself */
    if (chunks && bytes.n)
        add(&g, km_str(size, (size_t)snprintf(size, sizeof size, "%zx\r\n", bytes.n)));
    add(&g, bytes);
    if (chunks && bytes.n)
        add(&g, KM_STR("\r\n"));
    if (chunks && last)
        add(&g, KM_STR("0\r\n\r\n"));
    call->pushed = true;
    call->last = last;
    if (g.n)
        km_stream_write(call->stream, g.v, g.n, &queued);
    call->wants = queued == 0 && !last;
    if (!call->wants)
        send_more(call, queued);
    return call->wants;
}

void km_http_call_send(struct km_http_call *call)
{
    size_t queued = km_stream_queued(call->stream);

    if (call->request.more) {
        send_more(call, queued);
        return;
    }
    while (queued == 0 && !call->sent) {
        struct gather g = { .n = 0 };
        char length[20];

        if (!call->head_out)
            add_head(call, &g, length);
        call->head_out = true;
        if (add_body(call, &g))
            km_stream_write(call->stream, g.v, g.n, &queued);
        call->sent = call->part == call->request.nbody && queued == 0;
    }
    if (call->state == KM_HTTP_CALL_HEAD)
        km_http_call_deadline(call, call->request.first_byte_ms);
}

bool km_http_call_reached(const struct km_http_call *call)
{
    uint64_t now;

    if (!call->head_out)
        return false;
    if (!call->eof || !km_stream_acked(call->stream, &now))
        return true;
    return now > call->sent_before + 1; /* the SYN counts for one */
}
