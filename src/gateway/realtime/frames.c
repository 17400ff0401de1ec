/* SPDX-License-Identifier: Apache-2.0 */
/* frames.c - what is written to a session's two sides, and who waits for whom.
 *
 *     relay.c, life.c ──> km_rt_down ──> line ──> client    full: the upstream is not read
 *                    ├──> km_rt_say ───> line ──> upstream  full: the client is not read
 *                    └──> km_rt_up ──────────────────┘
 *
 * While something of the upstream's waits for a commit or for the broker (km_rt_hold) neither side
 * is read, and what is on its way to the client stands in line.  While a message of the client's
 * waits for the broker the client is not read, and what it said already stands in line; only frames
 * that are no messages of it go past: a pong, our own words, the Close that ends it all.
 */
#include "gateway/realtime/realtime.h"

#define LINE_BYTES ((size_t)64 * 1024 * 1024) /* each way, and the longest message */

uint64_t km_rt_now(const struct km_rt_session *s)
{
    return km_loop_now_ms(s->call->w->loop);
}

/* --- writing --- */

/* A text's frame, or a frame that is one already. */
static int write_down(void *ctx, struct km_piece *piece, struct km_err *err)
{
    struct km_rt_session *s = ctx;
    char head[KM_WS_HEAD_MAX];
    struct km_str parts[] = { KM_STR_NONE, piece->bytes };

    (void)err;
    if (piece->what == KM_PIECE_EVENT)
        parts[0] = km_str(head, km_ws_head(head, KM_WS_TEXT, piece->bytes.n, NULL));
    if (!s->call->client_gone && !km_call_write(s->call, parts, 2))
        s->down_full = true;
    return 0;
}

static void give(struct km_rt_session *s, struct km_chain *line, struct km_piece *piece)
{
    struct km_err err = { 0 };

    if (km_chain_take(line, piece, &err) < 0)
        km_rt_end(s, KM_WS_TRY_LATER, &err, true);
}

void km_rt_down(struct km_rt_session *s, enum km_ws_opcode op, struct km_str payload)
{
    struct km_piece piece = { .what = KM_PIECE_EVENT, .bytes = payload };
    char frame[KM_WS_HEAD_MAX + KM_WS_CONTROL_MAX];
    size_t n;

    if (op != KM_WS_TEXT) {
        km_assert(payload.n <= KM_WS_CONTROL_MAX);
        n = km_ws_head(frame, op, payload.n, NULL);
        if (payload.n)
            memcpy(frame + n, payload.p, payload.n);
        piece = (struct km_piece){ .what = KM_PIECE_BYTES, .bytes = { frame, n + payload.n } };
    }
    give(s, &s->in, &piece);
}

void km_rt_say(struct km_rt_session *s, struct km_str text)
{
    struct km_piece piece = { .what = KM_PIECE_EVENT, .bytes = text };

    give(s, &s->out, &piece);
    if (!km_chain_waits(&s->out))
        return;
    km_exchange_pause(s->call->visit->x);
    if (!s->out_held_ms)
        s->out_held_ms = km_rt_now(s);
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
        km_rt_down(s, KM_WS_TEXT, text);
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

bool km_rt_waits(const struct km_rt_session *s)
{
    return !km_list_empty(&s->waits) || s->asking > 0;
}

void km_rt_resume(struct km_rt_session *s)
{
    if (km_rt_waits(s))
        return;
    if (!s->up_full && !km_chain_waits(&s->out))
        km_exchange_resume(s->call->visit->x);
    if (!s->down_full && s->call->at->up)
        km_http_resume(s->call->at->up);
}

void km_rt_hold(struct km_rt_session *s)
{
    if (!s->in_held_ms)
        s->in_held_ms = km_rt_now(s);
    km_exchange_pause(s->call->visit->x);
    if (s->call->at->up)
        km_http_pause(s->call->at->up);
}

/* Nobody listened since: silence is counted from a later time on. */
static void skip(uint64_t *heard_ms, uint64_t since_ms, uint64_t now_ms)
{
    *heard_ms += now_ms - since_ms;
    if (*heard_ms > now_ms)
        *heard_ms = now_ms;
}

void km_rt_go_on(struct km_rt_session *s)
{
    uint64_t now = km_rt_now(s);

    if (km_rt_waits(s))
        return;
    if (s->in_held_ms) {
        skip(&s->heard_ms, s->in_held_ms, now);
        skip(&s->up_heard_ms, s->in_held_ms, now);
        s->in_held_ms = 0;
    }
    if (km_chain_waits(&s->in))
        km_link_go_on(s->books, KM_UNIT_PASS, NULL);
    else
        km_rt_resume(s);
}

void km_rt_flush(struct km_rt_session *s)
{
    if (km_chain_waits(&s->in))
        km_link_go_on(s->books, KM_UNIT_PASS, NULL);
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

/* --- in line --- */

static int books(struct km_link *link, struct km_piece *piece, struct km_err *err)
{
    (void)piece;
    (void)err;
    return km_rt_waits(link->state) ? KM_UNIT_WAIT : KM_UNIT_PASS;
}

static void on_in_more(void *ctx, const struct km_err *err)
{
    struct km_rt_session *s = ctx;

    (void)err; /* what writes does not fail */
    if (s->state != KM_RT_OVER)
        km_rt_resume(s);
}

static int pass_on(void *ctx, struct km_piece *piece, struct km_err *err)
{
    (void)err;
    km_rt_pass_on(ctx, piece->bytes);
    return 0;
}

/* None waits any more: a session that leaves may have waited for that. */
static void on_out_more(void *ctx, const struct km_err *err)
{
    struct km_rt_session *s = ctx;

    if (err)
        km_rt_end(s, KM_WS_TRY_LATER, err, true);
    if (s->out_held_ms)
        skip(&s->heard_ms, s->out_held_ms, km_rt_now(s));
    s->out_held_ms = 0;
    km_rt_resume(s);
    km_rt_settle(s);
}

void km_rt_judged(struct km_rt_session *s, const struct km_err *why)
{
    bool open = s->state == KM_RT_OPEN;

    if (open && why)
        km_rt_refuse(s, why, km_link_waiting(s->permit)->bytes);
    km_link_go_on(s->permit, open && !why ? KM_UNIT_PASS : KM_UNIT_HOLD, NULL);
}

int km_rt_lines(struct km_rt_session *s, struct km_err *err)
{
    static const struct km_unit permit_unit = { .name = "permit", .take = km_rt_permit };
    static const struct km_unit books_unit = { .name = "books", .take = books };
    static const struct km_chain_ops out = { pass_on, on_out_more },
                                     in = { write_down, on_in_more };
    struct km_arena *arena = &s->call->arena;

    km_chain_init(&s->out, arena, &out, s);
    km_chain_init(&s->in, arena, &in, s);
    s->out.line_most = s->in.line_most =
        LINE_BYTES + (size_t)s->call->visit->view->snap->gateway->realtime_message_bytes;
    s->permit = km_chain_put(&s->out, &permit_unit, s);
    s->books = km_chain_put(&s->in, &books_unit, s);
    return s->permit && s->books ? 0 : km_fail(err, KM_E_NOMEM, "out of memory");
}

void km_rt_lines_done(struct km_rt_session *s)
{
    km_chain_done(&s->out);
    km_chain_done(&s->in);
}
