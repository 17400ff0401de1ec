/* SPDX-License-Identifier: Apache-2.0 */
/* relay.c - a session's frames, both ways, and its end.
 *
 *     client ──> down: reader ──> judged ──> masked anew ──> upstream
 *     client <────────── as it came <── judged <── up: reader <── upstream
 *
 * A message is judged whole, so that nothing is passed on that was not understood: what the
 * gateway reads first-wins could be read last-wins over there.  Its bytes go on unchanged, in one
 * frame.  A side that takes bytes slowly pauses the other.
 *
 * Every end takes the same way: OPEN, ENDING (answers under way say what they used), CLOSING (the
 * upstream closes), then the call is settled and the client gets its Close as the last bytes.
 */
#include <stdio.h>
#include <stdlib.h>

#include "gateway/realtime/realtime.h"
#include "gateway/reply.h"

#define TICK_MS 1000
#define SCRATCH_BYTES ((size_t)96 * 1024 * 1024)
#define HELD_BYTES ((size_t)64 * 1024 * 1024)
#define DEAD_PINGS 3 /* intervals of silence, and it is dead */

static uint64_t now_of(const struct km_rt_session *s)
{
    return km_loop_now_ms(s->call->w->loop);
}

static const struct km_gateway_settings *settings(const struct km_rt_session *s)
{
    return s->call->visit->view->snap->gateway;
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
    if (!km_exchange_write(s->call->x, parts, n)) {
        s->down_full = true;
        if (s->call->up)
            km_http_pause(s->call->up);
    }
}

static void frame_down(struct km_rt_session *s, enum km_ws_opcode op, const struct km_str *parts,
                       size_t n)
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

static void frame_up(struct km_rt_session *s, enum km_ws_opcode op, struct km_str payload)
{
    struct km_buf *out = &s->call->w->scratch;
    struct km_err err = { 0 };
    struct km_str view;

    if (!s->call->up)
        return;
    km_buf_reset(out);
    if (km_ws_put(out, KM_WS_CLIENT, op, payload, &err) < 0) {
        km_rt_end(s, KM_WS_INTERNAL, &err, false);
        return;
    }
    view = km_buf_view(out);
    if (!km_http_write(s->call->up, &view, 1)) {
        s->up_full = true;
        km_exchange_pause(s->call->x);
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
        frame_down(s, KM_WS_TEXT, &text, 1);
}

void km_rt_cancel(struct km_rt_session *s, const struct km_rt_response *r)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1024);

    km_buf_str(&b, KM_STR("{\"type\":\"response.cancel\",\"response_id\":"));
    km_buf_json(&b, km_str(r->id, r->id_n));
    km_buf_byte(&b, '}');
    if (!km_buf_failed(&b))
        frame_up(s, KM_WS_TEXT, km_buf_view(&b));
}

/* --- back-pressure --- */

static void resume(struct km_rt_session *s)
{
    if (!km_list_empty(&s->waits))
        return;
    if (!s->up_full)
        km_exchange_resume(s->call->x);
    if (!s->down_full && s->call->up)
        km_http_resume(s->call->up);
}

void km_rt_hold(struct km_rt_session *s)
{
    km_exchange_pause(s->call->x);
    if (s->call->up)
        km_http_pause(s->call->up);
}

void km_rt_go_on(struct km_rt_session *s)
{
    struct km_str held = km_buf_view(&s->held);

    if (!km_list_empty(&s->waits))
        return;
    if (held.n)
        write_down(s, &held, 1);
    km_buf_done(&s->held);
    resume(s);
}

void km_rt_upstream_drained(struct km_rt_session *s)
{
    s->up_full = false;
    resume(s);
}

static void on_drain(void *ctx)
{
    struct km_rt_session *s = ctx;

    s->down_full = false;
    resume(s);
}

/* --- the end --- */

static void close_upstream(struct km_rt_session *s)
{
    char payload[KM_WS_CONTROL_MAX];
    size_t n = km_ws_close_payload(payload, KM_WS_NORMAL, KM_STR_NONE);

    if (s->state >= KM_RT_CLOSING)
        return;
    s->state = KM_RT_CLOSING;
    s->end_by_ms = now_of(s) + KM_RT_CLOSE_MS;
    frame_up(s, KM_WS_CLOSE, km_str(payload, n));
    if (s->up_closed || !s->call->up)
        km_deferred_queue(&s->finish);
}

/* Nothing is under way any more? */
static void settle_down(struct km_rt_session *s)
{
    if (s->state == KM_RT_ENDING && s->active == 0)
        close_upstream(s);
    else if (s->state == KM_RT_OPEN && s->leaving && s->active == 0 && s->asked == 0)
        km_rt_end(s, s->code, NULL, false);
}

void km_rt_end(struct km_rt_session *s, unsigned code, const struct km_err *err, bool cancel)
{
    if (s->state != KM_RT_OPEN)
        return;
    s->state = KM_RT_ENDING;
    s->end_by_ms = now_of(s) + KM_RT_LAST_MS;
    s->code = code;
    if (err) {
        s->why = *err;
        snprintf(s->reason, sizeof s->reason, "%.120s", err->text);
        km_rt_tell(s, err, KM_STR_NONE);
    }
    for (size_t i = 0; cancel && i < KM_RT_RESPONSES; i++)
        if (s->responses[i].used)
            km_rt_cancel(s, &s->responses[i]);
    settle_down(s);
}

void km_rt_leave(struct km_rt_session *s)
{
    s->leaving = true;
    if (s->state == KM_RT_OPEN)
        s->code = s->call->w->pass_on ? KM_WS_RESTART : KM_WS_GOING_AWAY;
    snprintf(s->reason, sizeof s->reason, "%s",
             s->call->w->pass_on ? "kanmon restarts: connect again" : "kanmon stops");
    settle_down(s);
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
    km_buf_done(&s->held);
}

/* What the client is told last: why, where no event said so yet, and the Close. */
bool km_rt_reply(struct km_call *call)
{
    struct km_rt_session *s = call->rt;
    char payload[KM_WS_CONTROL_MAX];
    struct km_str part;

    if (!call->streaming)
        return false; /* it never began */
    s->state = KM_RT_OVER;
    km_rt_forget_waits(s);
    part = km_buf_view(&s->held);
    if (part.n)
        (void)km_exchange_write(call->x, &part, 1);
    if (call->failed && !s->why.code) { /* the upstream broke */
        km_rt_tell(s, &call->err, KM_STR_NONE);
        s->code = KM_WS_BAD_GATEWAY;
        snprintf(s->reason, sizeof s->reason, "%.120s", call->err.text);
    }
    part = km_str(payload, km_ws_close_payload(payload, s->code ? s->code : KM_WS_NORMAL,
                                               km_str_c(s->reason)));
    frame_down(s, KM_WS_CLOSE, &part, 1);
    km_exchange_end(call->x);
    return true;
}

/* --- from the client --- */

static int wrong_model(const struct km_rt_session *s, struct km_err *err)
{
    return km_fail_param(err, KM_E_INVALID, "session.model",
                         "The session is bound to '%.*s', which its address named. Open another "
                         "session for another model.",
                         KM_STR_ARG(km_str_sub(s->call->req.model, 0, 100)));
}

/* The model's name as the upstream knows it. */
static struct km_str upstream_name(const struct km_rt_session *s, struct km_arena *arena)
{
    return km_llm_upstream_model(s->call->d, s->call->match.star, arena);
}

/* May it be passed on? */
static int judge(struct km_rt_session *s, const struct km_rt_event *e, struct km_str text,
                 struct km_err *err)
{
    int r = 0;

    if (e->model_value.n && !km_str_eq(e->model, s->call->req.model))
        return wrong_model(s, err);
    if (e->kind == KM_RT_SESSION_UPDATE && e->transcriber.n)
        r = km_rt_transcriber(s, e->transcriber, err);
    if (e->max_output > s->max_output)
        s->max_output = e->max_output;
    if (r == 0)
        r = km_rt_said(s, e, text, err);
    if (r == 0 && e->kind == KM_RT_RESPONSE_CREATE)
        r = km_rt_ask(s, err);
    return r;
}

/* The text with another name in the place of the model's. */
static struct km_str renamed(struct km_arena *arena, struct km_str text, struct km_str value,
                             struct km_str name)
{
    size_t at = (size_t)(value.p - text.p);

    return km_arena_cat(arena,
                        (struct km_str[]){ km_str_sub(text, 0, at), km_llm_json_string(arena, name),
                                           km_str_skip(text, at + value.n) },
                        3);
}

static void from_client(struct km_rt_session *s, struct km_arena *scratch, struct km_str text)
{
    struct km_rt_event e = { 0 };
    struct km_err err = { 0 };
    int r = km_rt_read_client(scratch, text, &e, &err);

    if (r == 0)
        r = judge(s, &e, text, &err);
    if (r == KM_E_BUDGET || r == KM_E_UNAUTHENTICATED) {
        km_rt_end(s, r == KM_E_BUDGET ? KM_WS_POLICY : KM_WS_UNAUTHORIZED, &err, true);
        return;
    }
    if (r < 0) {
        if (!err.code)
            km_fail(&err, r, "%s", km_err_meaning(r));
        km_rt_tell(s, &err, e.event_id);
        return;
    }
    if (e.model_value.n)
        text = renamed(scratch, text, e.model_value, upstream_name(s, scratch));
    frame_up(s, KM_WS_TEXT, text);
}

static int on_client_message(void *ctx, enum km_ws_opcode kind, struct km_str text)
{
    struct km_rt_session *s = ctx;
    struct km_arena scratch;
    struct km_err err = { 0 };

    if (s->state != KM_RT_OPEN)
        return 0;
    if (kind != KM_WS_TEXT) {
        km_fail(&err, KM_E_INVALID, "Events are text: audio goes as base64 inside of them.");
        km_rt_end(s, KM_WS_UNSUPPORTED, &err, true);
        return 0;
    }
    km_arena_init(&scratch, SCRATCH_BYTES, km_loop_arenas(s->call->w->loop));
    from_client(s, &scratch, text);
    km_arena_done(&scratch);
    return 0;
}

static void on_client_control(void *ctx, enum km_ws_opcode kind, struct km_str payload)
{
    if (kind == KM_WS_PING)
        frame_down(ctx, KM_WS_PONG, &payload, 1);
}

static void on_client_close(void *ctx, unsigned code, struct km_str reason)
{
    struct km_rt_session *s = ctx;

    (void)reason;
    km_rt_end(s, km_ws_code_valid(code) ? code : KM_WS_NORMAL, NULL, true);
}

static const struct km_ws_events client_frames = { on_client_message, on_client_control,
                                                   on_client_close };

static void on_bytes(void *ctx, const char *bytes, size_t n)
{
    struct km_rt_session *s = ctx;
    struct km_err err = { 0 };

    s->heard_ms = now_of(s);
    s->pinged = false;
    if (km_ws_feed(s->down, bytes, n, &err) < 0)
        km_rt_end(s, km_ws_fault(s->down), &err, true);
}

static void on_gone(void *ctx)
{
    struct km_rt_session *s = ctx;

    s->call->client_gone = true;
    s->call->flags |= KM_CALL_CLIENT_GONE;
    if (s->state == KM_RT_OVER)
        return;
    s->down_full = false; /* what still comes is read, and goes nowhere */
    resume(s);
    km_rt_end(s, KM_WS_GOING_AWAY, NULL, true);
    if (s->call->w->draining) /* nobody waits for the last numbers */
        km_deferred_queue(&s->finish);
}

static const struct km_exchange_events exchange_events = {
    .on_bytes = on_bytes,
    .on_drain = on_drain,
    .on_gone = on_gone,
};

/* --- from the upstream --- */

static void note_session(struct km_rt_session *s, const struct km_rt_event *e)
{
    if (e->max_output != KM_RT_OUTPUT_NONE)
        s->max_output = e->max_output;
    if (e->transcriber.n && e->transcriber.n < sizeof s->transcriber)
        snprintf(s->transcriber, sizeof s->transcriber, "%.*s", KM_STR_ARG(e->transcriber));
}

/* What an answer makes, for the estimate when nobody says. */
static void note_delta(struct km_rt_session *s, struct km_str type, struct km_str text)
{
    if (!km_str_starts(type, KM_STR("response.")) || !km_str_ends(type, KM_STR("delta")))
        return;
    if (km_str_eq(type, KM_STR("response.output_audio.delta")) ||
        km_str_eq(type, KM_STR("response.audio.delta")))
        s->audio_bytes += text.n;
    else
        s->text_bytes += text.n;
}

static int read_books(struct km_rt_session *s, const struct km_rt_event *e, struct km_str text,
                      struct km_err *err)
{
    switch (e->kind) {
    case KM_RT_SESSION:
        note_session(s, e);
        return 0;
    case KM_RT_RESPONSE_CREATED:
        return km_rt_begin(s, e, err);
    case KM_RT_RESPONSE_DONE:
        return km_rt_ended(s, e, err);
    case KM_RT_TRANSCRIBED:
        km_rt_transcribed(s, e);
        return 0;
    case KM_RT_ERROR: /* perhaps of the answer that was asked for: none will begin then */
        s->asked -= s->asked > 0;
        return 0;
    default:
        note_delta(s, e->type, text);
        return 0;
    }
}

static void from_upstream(struct km_rt_session *s, struct km_arena *scratch, struct km_str text)
{
    struct km_rt_event e = { 0 };
    struct km_err err = { 0 };
    int r = km_rt_read_upstream(scratch, text, &e, &err);

    if (r < 0) {
        err.code = KM_E_UPSTREAM_PROTOCOL;
        km_rt_end(s, KM_WS_BAD_GATEWAY, &err, false);
        return;
    }
    r = read_books(s, &e, text, &err);
    if (e.kind == KM_RT_SESSION && e.model.n)
        text = renamed(scratch, text, e.model_value, s->call->req.model);
    frame_down(s, KM_WS_TEXT, &text, 1);
    if (r < 0)
        km_rt_end(s, r == KM_E_BUDGET ? KM_WS_POLICY : KM_WS_TRY_LATER, &err, true);
    settle_down(s);
}

static int on_upstream_message(void *ctx, enum km_ws_opcode kind, struct km_str text)
{
    struct km_rt_session *s = ctx;
    struct km_arena scratch;
    struct km_err err = { 0 };

    if (kind != KM_WS_TEXT) {
        km_fail(&err, KM_E_UPSTREAM_PROTOCOL, "The upstream sent a message that is no text.");
        km_rt_end(s, KM_WS_BAD_GATEWAY, &err, false);
        return 0;
    }
    km_arena_init(&scratch, SCRATCH_BYTES, km_loop_arenas(s->call->w->loop));
    from_upstream(s, &scratch, text);
    km_arena_done(&scratch);
    return 0;
}

static void on_upstream_control(void *ctx, enum km_ws_opcode kind, struct km_str payload)
{
    if (kind == KM_WS_PING)
        frame_up(ctx, KM_WS_PONG, payload);
}

static void on_upstream_close(void *ctx, unsigned code, struct km_str reason)
{
    struct km_rt_session *s = ctx;
    char payload[KM_WS_CONTROL_MAX];

    s->up_closed = true;
    if (s->state == KM_RT_OPEN) { /* its own word for the client */
        s->code = km_ws_code_valid(code) ? code : KM_WS_NORMAL;
        snprintf(s->reason, sizeof s->reason, "%.*s", KM_STR_ARG(reason));
    }
    if (s->state < KM_RT_CLOSING)
        frame_up(s, KM_WS_CLOSE, km_str(payload, km_ws_close_payload(payload, code, KM_STR_NONE)));
    if (s->state < KM_RT_CLOSING)
        s->state = KM_RT_CLOSING;
    km_deferred_queue(&s->finish);
}

static const struct km_ws_events upstream_frames = { on_upstream_message, on_upstream_control,
                                                     on_upstream_close };

int km_rt_from_upstream(struct km_rt_session *s, const char *bytes, size_t n)
{
    struct km_err err = { 0 };

    if (!s->up)
        return 0; /* its handshake is being refused */
    s->up_heard_ms = now_of(s);
    s->up_pinged = false;
    if (km_ws_feed(s->up, bytes, n, &err) < 0) {
        err.code = KM_E_UPSTREAM_PROTOCOL;
        km_rt_end(s, KM_WS_BAD_GATEWAY, &err, false);
        close_upstream(s);
    }
    return 0;
}

/* --- time --- */

/* A side that is paused cannot be heard; the one that does not take bytes has its own time-out. */
static void keep_alive(struct km_rt_session *s, uint64_t now)
{
    uint64_t ping = (uint64_t)settings(s)->realtime_ping_ms;
    struct km_err err = { 0 };

    if (!s->down_full && !s->up_full && now - s->heard_ms >= DEAD_PINGS * ping) {
        km_fail(&err, KM_E_REQUEST_TIMEOUT, "The client does not answer pings.");
        km_rt_end(s, KM_WS_TIMEOUT, &err, true);
    } else if (!s->down_full && now - s->up_heard_ms >= DEAD_PINGS * ping) {
        km_fail(&err, KM_E_UPSTREAM_TIMEOUT, "The upstream does not answer pings.");
        km_rt_end(s, KM_WS_BAD_GATEWAY, &err, false);
    }
    if (s->state != KM_RT_OPEN)
        return;
    if (!s->pinged && now - s->heard_ms >= ping) {
        frame_down(s, KM_WS_PING, NULL, 0);
        s->pinged = true;
    }
    if (!s->up_pinged && now - s->up_heard_ms >= ping) {
        frame_up(s, KM_WS_PING, KM_STR_NONE);
        s->up_pinged = true;
    }
}

static void on_tick(void *ctx)
{
    struct km_rt_session *s = ctx;
    uint64_t now = now_of(s);
    struct km_err err = { 0 };

    km_timer_start(&s->tick, TICK_MS);
    if (s->state == KM_RT_ENDING && now >= s->end_by_ms)
        close_upstream(s);
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
    const struct km_headers *h = &km_exchange_request(s->call->x)->headers;
    struct km_str protocol = protocol_of(h);
    char accept[KM_WS_ACCEPT_LEN + 1];

    km_ws_accept(km_header_get(h, KM_STR("sec-websocket-key")), accept);
    km_buf_printf(b, "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n",
                  accept);
    km_id_lines(s->call->visit, b);
    km_buf_str(b, s->call->d->reply_head);
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
    s->down = km_ws_new(KM_WS_SERVER, most, bodies, &client_frames, s);
    s->up = km_ws_new(KM_WS_CLIENT, most, bodies, &upstream_frames, s);
    if (!s->down || !s->up || km_buf_failed(&head)) {
        s->up = km_ws_free(s->up);
        s->down = km_ws_free(s->down);
        return km_fail(err, KM_E_NOMEM, "no memory for a session");
    }
    km_buf_init(&s->held, HELD_BYTES);
    km_timer_stop(&call->deadline);
    s->began_ms = s->heard_ms = s->up_heard_ms = now_of(s);
    s->started = call->relaying = call->streaming = true;
    km_exchange_listen(call->x, &exchange_events, s);
    km_exchange_upgrade(call->x, km_buf_view(&head));
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
