/* SPDX-License-Identifier: Apache-2.0 */
/* client.c - requests to origins: a call's life and its ends; contract in client.h.
 *
 *     CONNECT ──> HEAD ──> BODY ──> OVER
 *        ^          │
 *        └── once ──┘   the connection was reused and died before an answer
 *
 * call_send.c brings the request out, call_read.c the response in.  Both come here when the
 * call ends, whichever way, so that giving back (connection, parser, buffers, arena) happens
 * in one place and on_done is the last thing that happens to a call.
 *
 * A connection that had served before may be dying at the moment it is lent.  Then, and only
 * if the request can do no harm twice, it is sent once more: its method is idempotent, or the
 * peer closed (FIN) before its kernel had acknowledged any of its bytes.  A reset proves less:
 * a peer that reads a request and dies within the delay of its acknowledgement looks the same
 * as one that was gone before.
 *
 * Time-outs are stored and looked at by one timer, which is left running between calls: a
 * recycled call that begins while it runs need not touch it.
 */
#include "http/client.h"

#include <stdlib.h>

#include "http/call.h"

#define HEAD_BYTES ((size_t)64 * 1024)
#define HEAD_FIELDS 256
#define ARENA_CAP (HEAD_BYTES + HEAD_FIELDS * sizeof(struct km_header) + 8192)
#define HELD_MAX (HEAD_BYTES + 8 * KM_LOOP_READ_BYTES)
#define FREE_CALLS 256
#define WRITE_HIGH ((size_t)256 * 1024) /* waiting for a peer after 101 */

struct km_http_client *km_http_client_new(struct km_loop *loop, struct km_pool *pool)
{
    struct km_http_client *c = calloc(1, sizeof *c);

    if (!c)
        return NULL;
    c->loop = loop;
    c->pool = pool;
    c->limits = (struct km_head_limits){ HEAD_BYTES, HEAD_BYTES, HEAD_FIELDS };
    km_list_init(&c->calls);
    km_list_init(&c->free_calls);
    return c;
}

void km_http_client_set_veil(struct km_http_client *c, struct km_veil *veil)
{
    c->veil = veil;
}

struct km_veil *km_http_client_veil(const struct km_http_client *c)
{
    return c ? c->veil : NULL;
}

bool km_http_client_busy(const struct km_http_client *c)
{
    return !km_list_empty(&c->calls);
}

struct km_http_client *km_http_client_free(struct km_http_client *c)
{
    struct km_list *node;

    if (!c)
        return NULL;
    KM_LIST_EACH(it, &c->calls)
    km_http_cancel(KM_CONTAINER(it, struct km_http_call, link));
    while ((node = km_list_pop(&c->free_calls)) != NULL) {
        struct km_http_call *call = KM_CONTAINER(node, struct km_http_call, link);

        km_timer_stop(&call->timer);
        free(call);
    }
    km_head_free(c->spare_head);
    free(c);
    return NULL;
}

/* --- time --- */

static bool is_under_way(const struct km_http_call *call);

static int late(struct km_err *err, const char *which, const char *what, uint64_t ms)
{
    km_fail(err, KM_E_UPSTREAM_TIMEOUT, "%s %llu ms", what, (unsigned long long)ms);
    err->reason = which;
    return err->code;
}

/* Which of its times is over. */
static int say_late(const struct km_http_call *call, struct km_err *err)
{
    const struct km_http_request *r = &call->request;

    if (call->state == KM_HTTP_CALL_CONNECT)
        return late(err, KM_TIMEOUT_CONNECT, "there was no connection to it within", r->connect_ms);
    if (call->state == KM_HTTP_CALL_BODY && is_under_way(call))
        return late(err, KM_TIMEOUT_IDLE, "the upstream was silent in its response for",
                    r->between_ms);
    if (!call->sent)
        return late(err, KM_TIMEOUT_SEND, "the upstream did not take the request for",
                    r->more ? r->take_ms : r->first_byte_ms);
    if (r->until == KM_HTTP_UNTIL_BEGUN)
        return late(err, KM_TIMEOUT_FIRST, "its stream did not begin within", r->first_byte_ms);
    return late(err, KM_TIMEOUT_ANSWER,
                call->state == KM_HTTP_CALL_BODY ? "its answer was not whole within"
                                                 : "no answer from the upstream within",
                r->first_byte_ms);
}

static void on_timer(void *ctx)
{
    struct km_http_call *call = ctx;
    uint64_t now = km_loop_now_ms(call->client->loop);
    struct km_err err;

    if (call->state == KM_HTTP_CALL_FREE || call->deadline_ms == UINT64_MAX)
        return;
    if (now < call->deadline_ms) {
        km_timer_start(&call->timer, call->deadline_ms - now);
        return;
    }
    say_late(call, &err);
    if (call->get)
        km_pool_cancel(call->get);
    call->get = NULL;
    km_http_call_drop_stream(call, false);
    km_http_call_done(call, &err, call->state == KM_HTTP_CALL_CONNECT);
}

/* Do bytes of the body begin its time of silence again? */
static bool is_under_way(const struct km_http_call *call)
{
    return call->request.until == KM_HTTP_UNTIL_HEAD ||
           (call->request.until == KM_HTTP_UNTIL_BEGUN && call->begun);
}

void km_http_call_heard(struct km_http_call *call)
{
    if (is_under_way(call))
        km_http_call_deadline(call, call->request.between_ms);
}

void km_http_begun(struct km_http_call *call)
{
    call->begun = true;
    if (call->state == KM_HTTP_CALL_BODY)
        km_http_call_heard(call);
}

void km_http_call_deadline(struct km_http_call *call, uint64_t ms)
{
    uint64_t now;

    if (ms == 0 || call->paused) {
        call->deadline_ms = UINT64_MAX;
        return;
    }
    now = km_loop_now_ms(call->client->loop);
    call->deadline_ms = now + ms;
    if (!km_timer_running(&call->timer) || call->timer.due_ms > call->deadline_ms)
        km_timer_start(&call->timer, ms);
}

/* --- ends --- */

void km_http_call_drop_stream(struct km_http_call *call, bool reuse)
{
    struct km_stream *stream = call->stream;

    if (stream && !reuse && !call->answered)
        call->reached = km_http_call_reached(call);
    call->stream = NULL;
    if (stream && reuse)
        km_pool_put(call->client->pool, call->origin, stream);
    else if (stream)
        km_pool_drop(call->client->pool, call->origin, stream);
}

void km_http_call_release(struct km_http_call *call)
{
    struct km_http_client *c = call->client;

    if (call->get)
        km_pool_cancel(call->get);
    call->get = NULL;
    km_http_call_drop_stream(call, false);
    km_deferred_cancel(&call->later);
    km_deferred_cancel(&call->room);
    if (call->head) {
        km_head_free(call->head);
        call->head = NULL;
    }
    if (call->held.p)
        km_buf_done(&call->held);
    km_arena_done(&call->arena);
    km_origin_unref(call->origin);
    call->state = KM_HTTP_CALL_FREE;
    call->deadline_ms = UINT64_MAX;
    km_list_remove(&call->link);
    if (c->nfree == FREE_CALLS) {
        km_timer_stop(&call->timer);
        free(call);
        return;
    }
    c->nfree++;
    km_list_push_front(&c->free_calls, &call->link);
}

void km_http_call_done(struct km_http_call *call, const struct km_err *err, bool connect_failed)
{
    struct km_http_result result = {
        .err = err,
        .head_seen = call->head_seen,
        .connect_failed = connect_failed,
    };

    km_http_call_drop_stream(call, false);
    result.bytes_sent = call->answered || call->reached;
    result.request_sent = result.bytes_sent && call->sent;
    call->state = KM_HTTP_CALL_OVER;
    call->deadline_ms = UINT64_MAX;
    call->events->on_done(call->ctx, &result);
    km_http_call_release(call);
}

/* --- a connection --- */

static void begin(struct km_http_call *call, struct km_stream *stream)
{
    call->stream = stream;
    call->deadline_ms = UINT64_MAX; /* that of the connection */
    call->reused = km_stream_reused(stream);
    call->sent_before = km_stream_sent(stream);
    call->state = KM_HTTP_CALL_HEAD;
    km_stream_own(stream, &km_http_call_events, call);
    if (call->paused)
        km_stream_pause(stream);
    km_http_call_send(call);
}

static void on_stream(void *ctx, struct km_stream *stream, const struct km_err *err)
{
    struct km_http_call *call = ctx;

    call->get = NULL;
    if (stream)
        begin(call, stream);
    else
        km_http_call_done(call, err, true);
}

static void fail_later(struct km_http_call *call, const struct km_err *err)
{
    call->failed = km_arena_alloc(&call->arena, sizeof *err);
    if (call->failed)
        *call->failed = *err;
    km_deferred_queue(&call->later);
}

static void connect_call(struct km_http_call *call)
{
    struct km_stream *stream = km_pool_take(call->client->pool, call->origin);
    struct km_err err;

    call->state = KM_HTTP_CALL_CONNECT;
    if (stream) {
        begin(call, stream);
        return;
    }
    call->get = km_pool_get(call->client->pool, call->origin, on_stream, call);
    if (call->get) {
        km_http_call_deadline(call, call->request.connect_ms);
        return;
    }
    km_fail(&err, KM_E_OVERLOADED, "too many requests wait for a connection to %.*s",
            KM_STR_ARG(call->origin->host_header));
    err.retry_after_ms = 1000;
    fail_later(call, &err);
}

static bool idempotent(struct km_str method)
{
    static const struct km_str safe[] = { { "GET", 3 },    { "HEAD", 4 },    { "PUT", 3 },
                                          { "DELETE", 6 }, { "OPTIONS", 7 }, { "TRACE", 5 } };

    for (size_t i = 0; i < sizeof safe / sizeof *safe; i++)
        if (km_str_eq(method, safe[i]))
            return true;
    return false;
}

static bool may_resend(const struct km_http_call *call)
{
    return call->reused && !call->resent && !call->answered && !call->pushed &&
           (idempotent(call->request.method) || !km_http_call_reached(call));
}

void km_http_call_lost(struct km_http_call *call, const struct km_err *err)
{
    struct km_err copy = *err;

    if (copy.code == KM_E_CLOSED)
        copy.code = call->answered ? KM_E_UPSTREAM_PROTOCOL : KM_E_UPSTREAM_CONNECT;
    if (!may_resend(call)) {
        km_http_call_done(call, &copy, false);
        return;
    }
    km_http_call_drop_stream(call, false);
    call->resent = true;
    call->head_out = call->sent = call->eof = call->wants = false;
    km_deferred_cancel(&call->room);
    call->part = call->part_at = 0;
    call->broken = NULL;
    call->reached = false;
    call->deadline_ms = UINT64_MAX;
    connect_call(call);
}

/* --- the contract --- */

/* What could not be told at once: a failure before anything began, or a pause's end. */
static void on_later(void *ctx)
{
    struct km_http_call *call = ctx;
    struct km_err err;

    if (call->state != KM_HTTP_CALL_CONNECT) {
        if (!call->paused)
            km_http_call_process(call);
        return;
    }
    km_fail(&err, KM_E_NOMEM, "no memory for a request");
    km_http_call_done(call, call->failed ? call->failed : &err, true);
}

static struct km_http_call *take_call(struct km_http_client *c)
{
    struct km_list *node = km_list_pop(&c->free_calls);
    struct km_http_call *call;

    if (node) {
        c->nfree--;
        call = KM_CONTAINER(node, struct km_http_call, link);
    } else {
        call = malloc(sizeof *call);
        if (!call)
            return NULL;
        km_timer_init(&call->timer, c->loop, on_timer, call);
    }
    memset(call, 0, offsetof(struct km_http_call, body));
    memset((char *)call + offsetof(struct km_http_call, interim), 0,
           offsetof(struct km_http_call, timer) - offsetof(struct km_http_call, interim));
    call->failed = NULL;
    call->client = c;
    call->deadline_ms = UINT64_MAX;
    km_list_init(&call->link);
    km_list_push(&c->calls, &call->link);
    km_arena_init(&call->arena, ARENA_CAP, km_loop_arenas(c->loop));
    km_buf_init(&call->held, HELD_MAX);
    km_deferred_init(&call->later, c->loop, on_later, call);
    km_deferred_init(&call->room, c->loop, km_http_call_room, call);
    return call;
}

struct km_http_call *km_http_send(struct km_http_client *c, const struct km_http_request *request,
                                  const struct km_http_events *events, void *ctx)
{
    struct km_http_call *call = take_call(c);

    if (!call)
        return NULL;
    call->origin = km_origin_ref(request->origin);
    call->request = *request;
    call->events = events;
    call->ctx = ctx;
    connect_call(call);
    return call;
}

void km_http_pause(struct km_http_call *call)
{
    if (call->paused || call->state == KM_HTTP_CALL_OVER)
        return;
    call->paused = true;
    call->deadline_ms = UINT64_MAX;
    if (call->stream)
        km_stream_pause(call->stream);
}

void km_http_resume(struct km_http_call *call)
{
    if (!call->paused || call->state == KM_HTTP_CALL_OVER)
        return;
    call->paused = false;
    km_http_call_deadline(call, call->state == KM_HTTP_CALL_BODY && is_under_way(call)
                                    ? call->request.between_ms
                                    : call->request.first_byte_ms);
    if (call->stream && !call->broken)
        km_stream_resume(call->stream);
    if (call->state == KM_HTTP_CALL_BODY && !call->processing)
        km_deferred_queue(&call->later);
}

bool km_http_write(struct km_http_call *call, const struct km_str *parts, size_t n)
{
    size_t queued;

    km_assert(call->upgraded);
    if (!call->stream)
        return true; /* it broke: on_done follows */
    km_stream_write(call->stream, parts, n, &queued);
    call->want_drain = queued > WRITE_HIGH;
    return !call->want_drain;
}

bool km_http_sent(const struct km_http_call *call)
{
    return call->sent && call->answered;
}

bool km_http_taken(const struct km_http_call *call)
{
    return call->sent;
}

void km_http_cancel(struct km_http_call *call)
{
    if (call->state == KM_HTTP_CALL_OVER)
        return;
    call->cancelled = true;
    km_http_call_drop_stream(call, false);
    if (!call->processing)
        km_http_call_release(call);
}
