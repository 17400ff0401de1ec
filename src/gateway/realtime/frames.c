/* SPDX-License-Identifier: Apache-2.0 */
/* frames.c - what is written to a session's two sides, and who waits for whom.
 *
 *     relay.c, life.c ──> km_rt_down ──> client    full: the upstream is not read
 *                    └──> km_rt_up ────> upstream  full: the client is not read
 *
 * While something waits for a commit (km_rt_hold) neither side is read, and what was on its way
 * to the client is kept, within a bound.
 */
#include "gateway/realtime/realtime.h"

uint64_t km_rt_now(const struct km_rt_session *s)
{
    return km_loop_now_ms(s->call->w->loop);
}

/* --- writing --- */

static void write_down(struct km_rt_session *s, const struct km_str *parts, size_t n)
{
    if (s->call->client_gone)
        return;
    if (!km_list_empty(&s->waits)) {
        for (size_t i = 0; i < n; i++)
            km_buf_str(&s->held, parts[i]);
        return;
    }
    if (!km_call_write(s->call, parts, n))
        s->down_full = true;
}

void km_rt_down(struct km_rt_session *s, enum km_ws_opcode op, const struct km_str *parts, size_t n)
{
    char head[KM_WS_HEAD_MAX];
    struct km_str all[4];
    size_t bytes = 0;

    km_assert(n < 4);
    for (size_t i = 0; i < n; i++) {
        all[i + 1] = parts[i];
        bytes += parts[i].n;
    }
    all[0] = km_str(head, km_ws_head(head, op, bytes, NULL));
    write_down(s, all, n + 1);
}

void km_rt_up(struct km_rt_session *s, enum km_ws_opcode op, struct km_str payload)
{
    struct km_buf *out = &s->call->w->scratch;
    struct km_err err = { 0 };
    struct km_str view;

    if (!s->call->at->up)
        return;
    km_buf_reset(out);
    if (km_ws_put(out, KM_WS_CLIENT, op, payload, &err) < 0) {
        km_rt_end(s, KM_WS_INTERNAL, &err, false);
        return;
    }
    view = km_buf_view(out);
    if (!km_http_write(s->call->at->up, &view, 1)) {
        s->up_full = true;
        km_exchange_pause(s->call->visit->x);
    }
}

void km_rt_tell(struct km_rt_session *s, const struct km_err *err, struct km_str about)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(16 * 1024);
    char id[6 + KM_UUID_LEN + 1];
    struct km_uuid fresh = km_uuid7(km_loop_ids(s->call->w->loop));
    struct km_str text;

    memcpy(id, "event_", 6);
    km_uuid_text(&fresh, id + 6);
    km_rt_error(err, km_str_c(id), about, &b);
    text = km_buf_view(&b);
    if (!km_buf_failed(&b))
        km_rt_down(s, KM_WS_TEXT, &text, 1);
}

void km_rt_cancel(struct km_rt_session *s, const struct km_rt_response *r)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1024);

    km_buf_str(&b, KM_STR("{\"type\":\"response.cancel\",\"response_id\":"));
    km_buf_json(&b, km_str(r->id, r->id_n));
    km_buf_byte(&b, '}');
    if (!km_buf_failed(&b))
        km_rt_up(s, KM_WS_TEXT, km_buf_view(&b));
}

/* --- back-pressure --- */

void km_rt_resume(struct km_rt_session *s)
{
    if (!km_list_empty(&s->waits))
        return;
    if (!s->up_full)
        km_exchange_resume(s->call->visit->x);
    if (!s->down_full && s->call->at->up)
        km_http_resume(s->call->at->up);
}

void km_rt_hold(struct km_rt_session *s)
{
    km_exchange_pause(s->call->visit->x);
    if (s->call->at->up)
        km_http_pause(s->call->at->up);
}

void km_rt_go_on(struct km_rt_session *s)
{
    struct km_str held = km_buf_view(&s->held);

    if (!km_list_empty(&s->waits))
        return;
    if (held.n)
        write_down(s, &held, 1);
    km_buf_done(&s->held);
    km_rt_resume(s);
}

void km_rt_upstream_drained(struct km_rt_session *s)
{
    s->up_full = false;
    km_rt_resume(s);
}

void km_rt_client_drained(struct km_rt_session *s)
{
    s->down_full = false;
    km_rt_resume(s);
}
