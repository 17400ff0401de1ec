/* SPDX-License-Identifier: Apache-2.0 */
/* relay.c - a session's messages, both ways, each judged before it goes on.
 *
 *     client ──> down: reader ──> line: judged ──> masked anew ──> upstream
 *     client <── line: commits <── as it came <── judged <── up: reader <── upstream
 *
 * A message is judged whole, so that nothing is passed on that was not understood: what the
 * gateway reads first-wins could be read last-wins over there.  Its bytes go on unchanged, in one
 * frame.
 */
#include <stdio.h>

#include "base/veil.h"
#include "gateway/realtime/realtime.h"
#include "call/veil.h"
#include "kept/asks.h"

#define SCRATCH_BYTES ((size_t)96 * 1024 * 1024)

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
    return km_llm_upstream_model(s->call->at->d, s->call->match.star, arena);
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
    if (r == 0)
        r = km_asks_judge(s->call, &e->priced, "tools", err);
    if (e->kind == KM_RT_SESSION_UPDATE && e->max_output > s->max_output)
        s->max_output = e->max_output;
    return r == 0 ? km_rt_said(s, e, text, err) : r;
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

static void refuse(struct km_rt_session *s, const struct km_err *err, struct km_str about)
{
    if (err->code == KM_E_BUDGET || err->code == KM_E_UNAUTHENTICATED)
        km_rt_end(s, err->code == KM_E_BUDGET ? KM_WS_POLICY : KM_WS_UNAUTHORIZED, err, true);
    else
        km_rt_tell(s, err, about);
}

void km_rt_refuse(struct km_rt_session *s, const struct km_err *why, struct km_str text)
{
    struct km_rt_event e = { 0 };
    struct km_arena scratch;

    km_arena_init(&scratch, SCRATCH_BYTES, km_loop_arenas(s->call->w->loop));
    (void)!km_rt_read_client(&scratch, text, &e, NULL); /* it was read before */
    refuse(s, why, e.event_id);
    km_arena_done(&scratch);
}

static int from_client(struct km_rt_session *s, struct km_arena *scratch, struct km_str text)
{
    struct km_rt_event e = { 0 };
    struct km_err err = { 0 };
    int r = km_rt_read_client(scratch, text, &e, &err);

    s->judged = (struct km_rt_judged){ .max_output = KM_RT_OUTPUT_NONE };
    if (r == 0 && e.kind == KM_RT_RESPONSE_CREATE)
        s->judged.max_output = e.max_output;
    if (r == 0)
        r = judge(s, &e, text, &err);
    if (e.model_value.n)
        s->judged.name_at = (size_t)(e.model_value.p - text.p);
    s->judged.name_n = e.model_value.n;
    if (r == KM_E_AGAIN)
        return KM_UNIT_WAIT;
    if (r == 0)
        return KM_UNIT_PASS;
    if (!err.code)
        km_fail(&err, r, "%s", km_err_meaning(r));
    refuse(s, &err, e.event_id);
    return KM_UNIT_HOLD;
}

/* The unit of the line to the upstream: may it be passed on?  It waits where the broker does not
 * answer at once. */
int km_rt_permit(struct km_link *link, struct km_piece *piece, struct km_err *err)
{
    struct km_rt_session *s = link->state;
    struct km_arena scratch;
    int verdict;

    (void)err;
    if (s->state != KM_RT_OPEN)
        return KM_UNIT_HOLD;
    km_arena_init(&scratch, SCRATCH_BYTES, km_loop_arenas(s->call->w->loop));
    verdict = from_client(s, &scratch, piece->bytes);
    km_arena_done(&scratch);
    return verdict;
}

/* What it lets pass: in the words of the upstream. */
void km_rt_pass_on(struct km_rt_session *s, struct km_str text)
{
    const struct km_rt_judged *j = &s->judged;
    struct km_arena scratch;

    if (!j->name_n) {
        km_rt_up(s, KM_WS_TEXT, text);
        return;
    }
    km_arena_init(&scratch, SCRATCH_BYTES, km_loop_arenas(s->call->w->loop));
    text = renamed(&scratch, text, km_str_sub(text, j->name_at, j->name_n),
                   upstream_name(s, &scratch));
    km_rt_up(s, KM_WS_TEXT, text);
    km_arena_done(&scratch);
}

static int on_client_message(void *ctx, enum km_ws_opcode kind, struct km_str text)
{
    struct km_rt_session *s = ctx;
    struct km_err err = { 0 };

    if (s->state != KM_RT_OPEN)
        return 0;
    if (kind == KM_WS_TEXT) {
        km_rt_say(s, text);
    } else {
        km_fail(&err, KM_E_INVALID, "Events are text: audio goes as base64 inside of them.");
        km_rt_end(s, KM_WS_UNSUPPORTED, &err, true);
    }
    return 0;
}

static void on_client_control(void *ctx, enum km_ws_opcode kind, struct km_str payload)
{
    if (kind == KM_WS_PING)
        km_rt_down(ctx, KM_WS_PONG, payload);
}

static void on_client_close(void *ctx, unsigned code, struct km_str reason)
{
    struct km_rt_session *s = ctx;

    (void)reason;
    km_rt_end(s, km_ws_code_valid(code) ? code : KM_WS_NORMAL, NULL, true);
}

const struct km_ws_events km_rt_client_frames = { on_client_message, on_client_control,
                                                   on_client_close };

static void on_bytes(void *ctx, const char *bytes, size_t n)
{
    struct km_rt_session *s = ctx;
    struct km_err err = { 0 };

    s->heard_ms = km_rt_now(s);
    s->pinged = false;
    if (km_ws_feed(s->down, bytes, n, &err) < 0)
        km_rt_end(s, km_ws_fault(s->down), &err, true);
}

static void on_drain(void *ctx)
{
    km_rt_client_drained(ctx);
}

static void on_gone(void *ctx)
{
    struct km_rt_session *s = ctx;

    s->call->client_gone = true;
    s->call->flags |= KM_CALL_CLIENT_GONE;
    if (s->state == KM_RT_OVER)
        return;
    s->down_full = false; /* what still comes is read, and goes nowhere */
    km_rt_resume(s);
    km_rt_end(s, KM_WS_GOING_AWAY, NULL, true);
    if (s->call->w->draining) /* nobody waits for the last numbers */
        km_deferred_queue(&s->finish);
}

const struct km_exchange_events km_rt_exchange_events = {
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

static int read_books(struct km_rt_session *s, const struct km_rt_event *e, struct km_err *err)
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
        km_rt_refused(s);
        return 0;
    default:
        km_rt_hear(s, e);
        return km_rt_make_slice(s, err);
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
    r = read_books(s, &e, &err);
    if (e.kind == KM_RT_ERROR)
        text = km_veil_str(s->call->w->gw->veil, scratch, text);
    if (e.kind == KM_RT_SESSION && e.model.n)
        text = renamed(scratch, text, e.model_value, s->call->req.model);
    km_rt_down(s, KM_WS_TEXT, text);
    if (r < 0)
        km_rt_end(s, r == KM_E_BUDGET ? KM_WS_POLICY : KM_WS_TRY_LATER, &err, true);
    km_rt_settle(s);
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
        km_rt_up(ctx, KM_WS_PONG, payload);
}

static void on_upstream_close(void *ctx, unsigned code, struct km_str reason)
{
    struct km_rt_session *s = ctx;
    char payload[KM_WS_CONTROL_MAX];

    s->up_closed = true;
    if (s->state == KM_RT_OPEN) { /* its own word for the client */
        s->code = km_ws_code_valid(code) ? code : KM_WS_NORMAL;
        snprintf(s->reason, sizeof s->reason, "%.*s", KM_STR_ARG(reason));
        km_veil_text(s->call->w->gw->veil, s->reason, sizeof s->reason);
    }
    if (s->state < KM_RT_CLOSING)
        km_rt_up(s, KM_WS_CLOSE, km_str(payload, km_ws_close_payload(payload, code, KM_STR_NONE)));
    if (s->state < KM_RT_CLOSING)
        s->state = KM_RT_CLOSING;
    km_deferred_queue(&s->finish);
}

const struct km_ws_events km_rt_upstream_frames = { on_upstream_message, on_upstream_control,
                                                     on_upstream_close };

int km_rt_from_upstream(struct km_rt_session *s, const char *bytes, size_t n)
{
    struct km_err err = { 0 };

    if (!s->up)
        return 0; /* its handshake is being refused */
    s->up_heard_ms = km_rt_now(s);
    s->up_pinged = false;
    if (km_ws_feed(s->up, bytes, n, &err) < 0) {
        err.code = KM_E_UPSTREAM_PROTOCOL;
        km_rt_end(s, KM_WS_BAD_GATEWAY, &err, false);
        km_rt_close_upstream(s);
    }
    return 0;
}
