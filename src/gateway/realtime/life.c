/* SPDX-License-Identifier: Apache-2.0 */
/* life.c - how a session begins, what is looked at each second, and every way it ends.
 *
 *     km_rt_start ─> OPEN ── km_rt_end, km_rt_leave, a Close ─> ENDING ─> CLOSING ─> OVER
 *
 * Every end takes the same way: ENDING (answers under way say what they used), CLOSING (the
 * upstream closes), then the call is settled and the client gets its Close as the last bytes.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/veil.h"
#include "gateway/realtime/realtime.h"

#define TICK_MS 1000
#define DEAD_PINGS 3 /* intervals of silence, and it is dead */

static const struct km_gateway_settings *settings(const struct km_rt_session *s)
{
    return s->call->visit->view->snap->gateway;
}

/* --- the end --- */

void km_rt_close_upstream(struct km_rt_session *s)
{
    char payload[KM_WS_CONTROL_MAX];
    size_t n = km_ws_close_payload(payload, KM_WS_NORMAL, KM_STR_NONE);

    if (s->state >= KM_RT_CLOSING)
        return;
    s->state = KM_RT_CLOSING;
    s->end_by_ms = km_rt_now(s) + KM_RT_CLOSE_MS;
    km_rt_up(s, KM_WS_CLOSE, km_str(payload, n));
    if (s->up_closed || !s->call->at->up)
        km_deferred_queue(&s->finish);
}

/* Nothing is under way any more? */
void km_rt_settle(struct km_rt_session *s)
{
    if (s->state == KM_RT_ENDING && s->active == 0)
        km_rt_close_upstream(s);
    else if (s->state == KM_RT_OPEN && s->leaving && s->active == 0 && s->asked == 0 &&
             !km_chain_waits(&s->out))
        km_rt_end(s, s->code, NULL, false);
}

void km_rt_end(struct km_rt_session *s, unsigned code, const struct km_err *err, bool cancel)
{
    if (s->state != KM_RT_OPEN)
        return;
    s->state = KM_RT_ENDING;
    s->end_by_ms = km_rt_now(s) + KM_RT_LAST_MS;
    s->code = code;
    if (err) {
        s->why = *err;
        km_veil_text(s->call->w->gw->veil, s->why.text, sizeof s->why.text);
        err = &s->why;
        snprintf(s->reason, sizeof s->reason, "%.120s", err->text);
        km_rt_tell(s, err, KM_STR_NONE);
    }
    for (size_t i = 0; cancel && i < KM_RT_RESPONSES; i++)
        if (s->responses[i].used)
            km_rt_cancel(s, &s->responses[i]);
    km_rt_settle(s);
}

void km_rt_revoked(struct km_call *call, const struct km_err *err)
{
    struct km_rt_session *s = km_rt_of(call);

    s->why = *err;
    s->code = KM_WS_UNAUTHORIZED;
    snprintf(s->reason, sizeof s->reason, "%.120s", err->text);
    km_rt_tell(s, err, KM_STR_NONE);
}

void km_rt_leave(struct km_rt_session *s)
{
    s->leaving = true;
    if (s->state == KM_RT_OPEN)
        s->code = s->call->w->pass_on ? KM_WS_RESTART : KM_WS_GOING_AWAY;
    snprintf(s->reason, sizeof s->reason, "%s",
             s->call->w->pass_on ? "kanmon restarts: connect again" : "kanmon stops");
    km_rt_settle(s);
}

/* Outside of every callback of a reader. */
static void on_finish(void *ctx)
{
    struct km_rt_session *s = ctx;
    struct km_err why = s->why;

    if (s->state == KM_RT_OVER || s->call->step != KM_STEP_relay)
        return; /* the call came to its end, or to another attempt, by itself */
    s->state = s->handshake_failed ? KM_RT_OPEN : KM_RT_OVER;
    km_call_abandon(s->call);
    if (s->handshake_failed) {
        s->handshake_failed = false;
        s->why = (struct km_err){ 0 };
        km_call_fail(s->call, &why);
    } else {
        km_call_resume(s->call, 0);
    }
}

void km_rt_done(void *session)
{
    struct km_rt_session *s = session;

    km_rt_forget_waits(s);
    km_timer_stop(&s->tick);
    km_deferred_cancel(&s->finish);
    s->down = km_ws_free(s->down);
    s->up = km_ws_free(s->up);
    km_rt_lines_done(s);
}

/* What the client is told last: why, where no event said so yet, and the Close. */
bool km_rt_reply(struct km_call *call)
{
    struct km_rt_session *s = km_rt_of(call);
    char payload[KM_WS_CONTROL_MAX];
    struct km_str part;

    if (!call->streaming)
        return false; /* it never began */
    s->state = KM_RT_OVER;
    km_rt_forget_waits(s);
    km_rt_flush(s);
    if (call->failed && !s->why.code) { /* the upstream broke */
        km_rt_tell(s, &call->err, KM_STR_NONE);
        s->code = KM_WS_BAD_GATEWAY;
        snprintf(s->reason, sizeof s->reason, "%.120s", call->err.text);
    }
    part = km_str(payload, km_ws_close_payload(payload, s->code ? s->code : KM_WS_NORMAL,
                                               km_str_c(s->reason)));
    km_rt_down(s, KM_WS_CLOSE, part);
    km_call_end_answer(call);
    return true;
}

/* --- time --- */

/* A side that is paused cannot be heard; the one that does not take bytes has its own time-out. */
static bool hears_client(const struct km_rt_session *s)
{
    return !s->down_full && !s->up_full && !km_rt_waits(s) && !km_chain_waits(&s->out);
}

static bool hears_upstream(const struct km_rt_session *s)
{
    return !s->down_full && !km_rt_waits(s);
}

static void keep_alive(struct km_rt_session *s, uint64_t now)
{
    uint64_t ping = (uint64_t)settings(s)->realtime_ping_ms;
    struct km_err err = { 0 };

    if (hears_client(s) && now - s->heard_ms >= DEAD_PINGS * ping) {
        km_fail(&err, KM_E_REQUEST_TIMEOUT, "The client does not answer pings.");
        km_rt_end(s, KM_WS_TIMEOUT, &err, true);
    } else if (hears_upstream(s) && now - s->up_heard_ms >= DEAD_PINGS * ping) {
        km_fail(&err, KM_E_UPSTREAM_TIMEOUT, "The upstream does not answer pings.");
        km_rt_end(s, KM_WS_BAD_GATEWAY, &err, false);
    }
    if (s->state != KM_RT_OPEN)
        return;
    if (!s->pinged && now - s->heard_ms >= ping) {
        km_rt_down(s, KM_WS_PING, KM_STR_NONE);
        s->pinged = true;
    }
    if (!s->up_pinged && now - s->up_heard_ms >= ping) {
        km_rt_up(s, KM_WS_PING, KM_STR_NONE);
        s->up_pinged = true;
    }
}

static void on_tick(void *ctx)
{
    struct km_rt_session *s = ctx;
    uint64_t now = km_rt_now(s);
    struct km_err err = { 0 };

    km_timer_start(&s->tick, TICK_MS);
    if (s->state != KM_RT_OVER)
        km_rt_tell_books(s);
    if (s->state == KM_RT_ENDING && now >= s->end_by_ms)
        km_rt_close_upstream(s);
    else if (s->state == KM_RT_CLOSING && now >= s->end_by_ms)
        km_deferred_queue(&s->finish);
    if (s->state != KM_RT_OPEN)
        return;
    if (km_rt_check_key(s, &err) < 0) {
        km_rt_end(s, err.code == KM_E_UNAUTHENTICATED ? KM_WS_UNAUTHORIZED : KM_WS_POLICY, &err,
                  true);
    } else if (now - s->began_ms >= (uint64_t)settings(s)->realtime_session_ms) {
        km_fail(&err, KM_E_LIMIT,
                "The session is over kanmon_settings.realtime_session. Open another.");
        err.reason = "session_expired";
        km_rt_end(s, KM_WS_GOING_AWAY, &err, true);
    } else {
        keep_alive(s, now);
    }
}

/* --- the beginning --- */

/* Of the subprotocols the client offers, one that carries no secret; "realtime" if it is there. */
static struct km_str protocol_of(const struct km_headers *h)
{
    struct km_str list = km_header_get(h, KM_STR("sec-websocket-protocol")), token;
    struct km_str found = KM_STR_NONE;

    while (km_ws_token(&list, &token)) {
        if (km_str_eq(token, KM_STR("realtime")))
            return token;
        if (!found.n && !km_str_starts(token, KM_STR("openai-")))
            found = token;
    }
    return found;
}

static int client_head(struct km_rt_session *s, struct km_buf *b, struct km_err *err)
{
    const struct km_headers *h = &s->call->request->headers;
    struct km_str protocol = protocol_of(h);
    char accept[KM_WS_ACCEPT_LEN + 1];

    km_ws_accept(km_header_get(h, KM_STR("sec-websocket-key")), accept);
    km_buf_printf(b, "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n",
                  accept);
    km_id_lines(s->call->visit, b);
    km_buf_str(b, s->call->at->d->reply_head);
    return protocol.n ? km_header_put(b, KM_STR("Sec-WebSocket-Protocol"), protocol, err) : 0;
}

int km_rt_start(struct km_rt_session *s, struct km_err *err)
{
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);
    struct km_call *call = s->call;
    struct km_body_budget *bodies = &call->w->gw->bodies;
    size_t most = (size_t)settings(s)->realtime_message_bytes;
    int r = client_head(s, &head, err);

    if (r < 0)
        return r;
    s->down = km_ws_new(KM_WS_SERVER, most, bodies, &km_rt_client_frames, s);
    s->up = km_ws_new(KM_WS_CLIENT, most, bodies, &km_rt_upstream_frames, s);
    r = km_rt_lines(s, err);
    if (r < 0 || !s->down || !s->up || km_buf_failed(&head)) {
        s->up = km_ws_free(s->up);
        s->down = km_ws_free(s->down);
        return km_fail(err, KM_E_NOMEM, "no memory for a session");
    }
    km_timer_stop(&call->deadline);
    s->began_ms = s->heard_ms = s->up_heard_ms = km_rt_now(s);
    s->started = call->at->relaying = call->streaming = true;
    km_exchange_listen(call->visit->x, &km_rt_exchange_events, s);
    km_exchange_upgrade(call->visit->x, km_buf_view(&head));
    km_timer_start(&s->tick, TICK_MS);
    if (call->w->draining)
        km_rt_leave(s);
    return 0;
}

void km_rt_init(struct km_rt_session *s)
{
    km_list_init(&s->waits);
    km_timer_init(&s->tick, s->call->w->loop, on_tick, s);
    km_deferred_init(&s->finish, s->call->w->loop, on_finish, s);
}
