/* SPDX-License-Identifier: Apache-2.0 */
/* stream.c - see stream.h for the owner's contract and filter.h for the filters'.
 *
 * What all streams share: the owner and the flags, finding the filter that implements an
 * operation, telling events, and lingering.
 *
 *     owner <- events -- tls -- CONNECT -- tcp -- kernel
 *                        under     under
 *
 * Lingering is an owner like any other: it lets the queue drain, has sent FIN, and drops what
 * still arrives until the peer closes.  Closing at once with unread bytes in the kernel would
 * make it send a reset, which destroys an answer the peer has not read yet.
 */
#include "net/filter.h"

#include <stdlib.h>

void km_stream_init(struct km_stream *s, const struct km_stream_ops *ops, struct km_loop *loop,
                    struct km_stream *under, km_deferred_fn *later_fn)
{
    *s = (struct km_stream){ .ops = ops, .loop = loop, .under = under };
    km_deferred_init(&s->later, loop, later_fn, s);
    km_list_init(&s->link);
}

/* The nearest filter, from the top, that has the operation. */
#define FIND(s, op)                                                                                \
    do {                                                                                           \
        while (!(s)->ops->op)                                                                      \
            (s) = (s)->under;                                                                      \
    } while (0)

void km_stream_own(struct km_stream *s, const struct km_stream_events *events, void *ctx)
{
    s->events = events;
    s->ctx = ctx;
    if (s->started || s->closed)
        return;
    s->started = true;
    if (s->ops->start)
        s->ops->start(s);
}

void km_stream_write(struct km_stream *s, const struct km_str *parts, size_t n, size_t *ret_queued)
{
    struct km_stream *f = s;

    FIND(f, write);
    if (!s->closed)
        f->ops->write(f, parts, n);
    if (ret_queued)
        *ret_queued = km_stream_queued(s);
}

void km_stream_offer(struct km_stream *s, char *room, size_t n)
{
    if (s->ops->offer)
        s->ops->offer(s, room, n);
}

size_t km_stream_queued(const struct km_stream *s)
{
    FIND(s, queued);
    return s->ops->queued(s);
}

/* A filter without an operation of its own for these passes them on with the flag. */
void km_stream_pause(struct km_stream *s)
{
    if (s->paused || s->closed)
        return;
    s->paused = true;
    if (s->ops->pause)
        s->ops->pause(s);
    else
        km_stream_pause(s->under);
}

void km_stream_resume(struct km_stream *s)
{
    if (!s->paused || s->closed)
        return;
    s->paused = false;
    if (s->ops->resume)
        s->ops->resume(s);
    else
        km_stream_resume(s->under);
}

void km_stream_shutdown(struct km_stream *s)
{
    if (s->closed)
        return;
    FIND(s, shutdown);
    s->ops->shutdown(s);
}

struct km_stream *km_stream_free(struct km_stream *s)
{
    if (!s)
        return NULL;
    km_assert(!s->freed);
    s->freed = true;
    s->events = NULL;
    km_list_remove(&s->link);
    km_deferred_cancel(&s->later);
    s->ops->close(s);
    return NULL;
}

struct km_stream *km_stream_reset(struct km_stream *s)
{
    struct km_stream *bottom = s;

    while (bottom->under)
        bottom = bottom->under;
    if (bottom->ops->reset && !bottom->closed)
        bottom->ops->reset(bottom);
    return km_stream_free(s);
}

bool km_stream_acked(const struct km_stream *s, uint64_t *ret_bytes)
{
    FIND(s, acked);
    return s->ops->acked(s, ret_bytes);
}

bool km_stream_healthy(const struct km_stream *s)
{
    if (s->closed || s->eof)
        return false;
    FIND(s, healthy);
    return s->ops->healthy(s);
}

uint64_t km_stream_sent(const struct km_stream *s)
{
    while (s->under)
        s = s->under;
    return s->sent;
}

bool km_stream_reused(const struct km_stream *s)
{
    return s->idle_since_ms > 0;
}

const union km_addr *km_stream_peer(const struct km_stream *s)
{
    FIND(s, peer);
    return s->ops->peer(s);
}

bool km_stream_is_tls(const struct km_stream *s)
{
    for (; s; s = s->under)
        if (s->ops->tls)
            return true;
    return false;
}

int km_stream_detach(struct km_stream *s)
{
    if (s->under || s->closed || !s->ops->detach || km_stream_queued(s) > 0)
        return -1;
    return s->ops->detach(s);
}

/* --- events --- */

bool km_stream_emit_read(struct km_stream *s, const char *bytes, size_t n)
{
    if (s->events)
        s->events->on_read(s->ctx, bytes, n);
    return !s->freed;
}

bool km_stream_emit_eof(struct km_stream *s)
{
    s->eof = true;
    if (s->events)
        s->events->on_eof(s->ctx);
    return !s->freed;
}

bool km_stream_emit_drain(struct km_stream *s)
{
    if (s->events && s->events->on_drain)
        s->events->on_drain(s->ctx);
    return !s->freed;
}

void km_stream_emit_closed(struct km_stream *s, const struct km_err *err)
{
    if (s->closed)
        return;
    s->closed = true;
    if (s->events)
        s->events->on_closed(s->ctx, err);
}

void km_stream_release(struct km_stream *s, km_deferred_fn *free_fn)
{
    km_deferred_cancel(&s->later);
    km_deferred_init(&s->later, s->loop, free_fn, s);
    km_deferred_queue(&s->later);
}

/* --- lingering --- */

struct lingering {
    struct km_stream *stream;
    struct km_timer timer;
    struct km_deferred at_free; /* the loop ends before the peer closes */
};

static void linger_end(void *ctx)
{
    struct lingering *l = ctx;

    km_timer_stop(&l->timer);
    km_deferred_cancel(&l->at_free);
    km_stream_free(l->stream);
    free(l);
}

static void linger_read(void *ctx, const char *bytes, size_t n)
{
    (void)ctx;
    (void)bytes;
    (void)n;
}

/* The peer has sent its last byte; it may still be reading ours. */
static void linger_eof_or_drain(void *ctx)
{
    struct lingering *l = ctx;

    if (l->stream->eof && km_stream_queued(l->stream) == 0)
        linger_end(l);
}

static void linger_closed(void *ctx, const struct km_err *err)
{
    (void)err;
    linger_end(ctx);
}

static const struct km_stream_events linger_events = {
    .on_read = linger_read,
    .on_eof = linger_eof_or_drain,
    .on_closed = linger_closed,
    .on_drain = linger_eof_or_drain,
};

void km_stream_linger(struct km_stream *s, uint64_t timeout_ms)
{
    struct lingering *l = s->closed ? NULL : malloc(sizeof *l);

    if (!l) {
        km_stream_free(s);
        return;
    }
    l->stream = s;
    km_timer_init(&l->timer, s->loop, linger_end, l);
    km_deferred_init(&l->at_free, s->loop, linger_end, l);
    km_deferred_at_free(&l->at_free);
    km_timer_start(&l->timer, timeout_ms);
    km_stream_own(s, &linger_events, l);
    km_stream_shutdown(s);
    km_stream_resume(s);
    if (s->eof && km_stream_queued(s) == 0)
        linger_end(l);
}
