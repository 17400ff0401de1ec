/* SPDX-License-Identifier: Apache-2.0 */
/* conn_end.c - when and how a client connection ends: deadlines, what waits for the client,
 * refusals, lingering.
 *
 * Deadlines are stored, not armed: the one timer fires at or before the earliest and looks.
 * A busy keep-alive connection so moves its idle time-out with each request for nothing.
 *
 * After a framing error there is no telling where the next request begins: the answer is sent,
 * then FIN, and what still arrives is read and dropped for a moment, because closing with
 * unread bytes would reset the connection and destroy the answer.
 */
#include <stdio.h>

#include "http/conn.h"

/* --- deadlines --- */

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void km_conn_arm(struct km_conn *c)
{
    uint64_t due = min_u64(c->deadline_ms, c->write_due_ms);
    uint64_t now;

    if (due == UINT64_MAX || (km_timer_running(&c->timer) && c->timer.due_ms <= due))
        return;
    now = km_loop_now_ms(c->server->loop);
    km_timer_start(&c->timer, due > now ? due - now : 0);
}

void km_conn_deadline(struct km_conn *c, int64_t ms)
{
    c->deadline_ms = km_loop_now_ms(c->server->loop) + (uint64_t)ms;
    km_conn_arm(c);
}

void km_conn_idle(struct km_conn *c)
{
    c->state = KM_CONN_IDLE;
    km_conn_deadline(c, c->server->set.idle_ms);
}

/* A bucket of header_ms that n bytes refill by n / rate seconds. */
void km_conn_body_deadline(struct km_conn *c, bool begin, size_t n)
{
    const struct km_http_settings *set = &c->server->set;
    uint64_t now = km_loop_now_ms(c->server->loop);
    uint64_t most = now + (uint64_t)(set->body_min_rate ? set->header_ms : set->idle_ms);

    if (begin || set->body_min_rate == 0)
        c->deadline_ms = most;
    else
        c->deadline_ms =
            min_u64(c->deadline_ms + (uint64_t)n * 1000 / (uint64_t)set->body_min_rate, most);
    km_conn_arm(c);
}

static void time_out(struct km_conn *c)
{
    struct km_err err;

    switch (c->state) {
    case KM_CONN_HEAD:
        km_fail(&err, KM_E_REQUEST_TIMEOUT, "the request header did not arrive in time");
        km_conn_refuse(c, &err, KM_STR_NONE);
        break;
    case KM_CONN_BUSY:
        if (!km_exchange_reads(c->x))
            break;
        c->deadline_ms = UINT64_MAX;
        km_fail(&err, KM_E_REQUEST_TIMEOUT, "the request body arrived too slowly");
        km_exchange_body_failed(c->x, &err);
        break;
    case KM_CONN_IDLE:
        if (km_stream_queued(c->stream) > 0)
            km_conn_idle(c); /* still taking its last answer: not idle yet */
        else
            km_conn_linger(c);
        break;
    case KM_CONN_SKIP:
        km_conn_linger(c);
        break;
    case KM_CONN_CLOSING:
        break;
    }
}

/* true: the client took something since we last looked. */
static bool write_progress(struct km_conn *c)
{
    uint64_t taken = c->out_total - km_stream_queued(c->stream);
    bool progress = taken > c->out_taken;

    c->out_taken = taken;
    return progress;
}

void km_conn_on_timer(void *ctx)
{
    struct km_conn *c = ctx;
    uint64_t now = km_loop_now_ms(c->server->loop);

    if (c->stream && now >= c->write_due_ms) {
        if (!write_progress(c)) {
            km_conn_drop(c);
            return;
        }
        c->write_due_ms = now + (uint64_t)c->server->set.write_ms;
    }
    if (c->stream && now >= c->deadline_ms)
        time_out(c); /* the connection may be gone after this */
    else
        km_conn_arm(c);
}

/* --- ends --- */

void km_conn_release(struct km_conn *c)
{
    if (c->x || c->processing)
        return;
    km_timer_stop(&c->timer);
    km_deferred_cancel(&c->later);
    km_buf_done(&c->held);
    if (c->head)
        km_server_give_head(c->server, c->head);
    c->head = NULL;
    km_conn_give(c);
}

void km_conn_gone(struct km_conn *c)
{
    struct km_exchange *x = c->x;

    if (!x || x->gone_told)
        return;
    x->gone = x->gone_told = true;
    if (x->events && x->events->on_gone)
        x->events->on_gone(x->ctx);
}

/* The stream is already given away. */
void km_conn_forget(struct km_conn *c)
{
    bool outside = !c->processing;

    c->stream = NULL;
    c->in = KM_STR_NONE;
    c->deadline_ms = c->write_due_ms = UINT64_MAX;
    c->processing = true; /* so that whoever on_gone ends does not release below us */
    km_conn_gone(c);
    if (outside) {
        c->processing = false;
        km_conn_release(c);
    }
}

void km_conn_drop(struct km_conn *c)
{
    km_stream_free(c->stream);
    km_conn_forget(c);
}

/* Lingering is bounded by time; what still waits for the client is bounded by its progress
 * (write_due_ms), so that comes first. */
void km_conn_linger(struct km_conn *c)
{
    km_assert(!c->x);
    if (km_stream_queued(c->stream) > 0) {
        c->state = KM_CONN_CLOSING;
        c->deadline_ms = UINT64_MAX;
        c->in = KM_STR_NONE;
        if (c->held.p)
            km_buf_done(&c->held);
        c->held_at = 0;
        km_stream_resume(c->stream);
        return;
    }
    if (c->reset)
        km_stream_reset(c->stream);
    else
        km_stream_linger(c->stream, KM_LINGER_MS);
    km_conn_forget(c);
}

/* --- writing --- */

void km_conn_write(struct km_conn *c, const struct km_str *parts, size_t n)
{
    size_t queued;

    for (size_t i = 0; i < n; i++)
        c->out_total += parts[i].n;
    km_stream_write(c->stream, parts, n, &queued);
    if (queued == 0)
        return;
    c->over = queued > (size_t)c->server->set.stream_high_water;
    if (c->write_due_ms == UINT64_MAX) {
        c->out_taken = c->out_total - queued;
        c->write_due_ms = km_loop_now_ms(c->server->loop) + (uint64_t)c->server->set.write_ms;
        km_conn_arm(c);
    }
}

void km_conn_refuse(struct km_conn *c, const struct km_err *err, struct km_str path)
{
    struct km_http_server *s = c->server;
    struct km_buf body KM_CLEANUP(km_buf_done) = KM_BUF(16 * 1024);
    struct km_answer a;
    char head[96];
    int status = km_err_http(err), n;

    s->args.on_error(s->args.ctx, err, path, &body);
    n = snprintf(head, sizeof head, "Content-Type: application/json\r\n");
    if (err->retry_after_ms > 0)
        n += snprintf(head + n, sizeof head - (size_t)n, "Retry-After: %d\r\n",
                      (err->retry_after_ms + 999) / 1000);
    km_answer_head(s, &a, status, km_str(head, (size_t)n), body.n, false, false);
    km_conn_write(c, (struct km_str[]){ a.parts[0], a.parts[1], a.parts[2], km_buf_view(&body) },
                  4);
    if (s->args.on_count)
        s->args.on_count(s->args.ctx, status);
    km_conn_linger(c);
}
