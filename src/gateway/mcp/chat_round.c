/* SPDX-License-Identifier: Apache-2.0 */
/* chat_round.c - one round of a chat with MCP tools; see chat.h.
 *
 *     the caller's body          tools: ours as functions
 *          with                  messages (or input): and what came since
 *                                tool_choice: in the first round only, or a required tool would be
 *                                called for ever
 *       └──> a call within (ask.h) ──> whole, or events ──> tools to run, or the caller's answer
 *
 * All rounds' costs are added up in the header of the answer; its other x-... lines are those of
 * the last round.
 */
#include "gateway/mcp/chat.h"

void km_mcp_chat_reset(struct km_mcp_chat *c)
{
    km_arena_done(&c->inner);
    km_arena_init(&c->inner, KM_MCP_CHAT_BYTES, NULL);
    km_buf_reset(&c->answer);
    c->status = 0;
}

void km_mcp_chat_bytes(void *ctx, struct km_str bytes)
{
    struct km_mcp_chat *c = ctx;

    km_buf_str(&c->answer, bytes);
}

static void on_head(void *ctx, int status, struct km_str lines)
{
    struct km_mcp_chat *c = ctx;
    struct km_str name, value;
    int64_t cost;

    c->status = status;
    km_buf_reset(&c->head);
    while (km_header_next(&lines, &name, &value)) {
        if (km_str_ieq(name, KM_STR("x-litellm-response-cost"))) {
            if (km_str_decimal(value, 9, &cost) == 0)
                c->cost = (c->cost < 0 ? 0 : c->cost) + cost;
        } else if (km_str_ieq(name, KM_STR("retry-after")) ||
                   (name.n > 2 && (name.p[0] | 0x20) == 'x' && name.p[1] == '-' &&
                    !km_str_ieq(name, KM_STR("x-accel-buffering")))) {
            (void)(km_header_put(&c->head, name, value, NULL) == 0);
        }
    }
}

static int on_event(void *ctx, const struct km_sse_event *event)
{
    return km_mcp_chat_event(ctx, event);
}

static void on_round_bytes(void *ctx, struct km_str bytes)
{
    struct km_mcp_chat *c = ctx;

    if (!c->sse || c->status != 200)
        km_buf_str(&c->answer, bytes);
    else if (!c->done && km_sse_feed(c->sse, bytes.p, bytes.n, NULL) < 0)
        c->done = true; /* what it says is lost: it ends as broken */
}

static void end_stream(struct km_mcp_chat *c)
{
    if (km_mcp_chat_runs(c)) {
        km_buf_reset(&c->held);
        if (km_mcp_chat_say(c))
            km_mcp_chat_run(c);
        else
            km_mcp_chat_no_memory(c);
        return;
    }
    km_mcp_chat_release(c);
    km_mcp_chat_end_stream(c);
}

static void on_round_done(void *ctx, const struct km_err *broken)
{
    struct km_mcp_chat *c = ctx;
    const struct km_json *root = NULL;
    struct km_err err = { 0 };

    c->question = NULL;
    if (broken) {
        km_mcp_chat_fail(c, broken);
    } else if (c->status != 200) {
        km_mcp_chat_refused(c);
    } else if (c->sse && c->done) {
        km_fail(&err, KM_E_UPSTREAM_PROTOCOL, "a round of the chat could not be read");
        km_mcp_chat_fail(c, &err);
    } else if (c->sse) {
        end_stream(c);
    } else if (km_buf_failed(&c->answer) ||
               km_json_parse_answer(&c->inner, km_buf_view(&c->answer), &root, &err) < 0) {
        km_mcp_chat_no_memory(c);
    } else {
        km_mcp_chat_hear(c, root);
        if (km_mcp_chat_runs(c))
            km_mcp_chat_run(c);
        else
            km_mcp_chat_give(c, root);
    }
}

static const struct km_answer_events round_events = { .on_head = on_head,
                                                      .on_bytes = on_round_bytes,
                                                      .on_done = on_round_done };

/* The caller's messages with what came since; of a Responses request its input. */
static struct km_str all_turns(struct km_mcp_chat *c, struct km_str said)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_CHAT_BYTES);

    said = km_str_trim(said);
    if (said.n && said.p[0] == '"') {
        km_buf_str(&b, KM_STR("[{\"role\":\"user\",\"content\":"));
        km_buf_str(&b, said);
        km_buf_byte(&b, '}');
    } else if (said.n && said.p[said.n - 1] == ']') {
        km_buf_str(&b, km_str_trim(km_str_sub(said, 0, said.n - 1)));
    } else {
        return said; /* the round says what is wrong with it */
    }
    km_buf_str(&b, km_str_skip(km_buf_view(&c->turns), b.p[b.n - 1] == '[' && c->turns.n));
    km_buf_byte(&b, ']');
    return km_buf_failed(&b) ? KM_STR_NONE : km_arena_str(&c->arena, km_buf_view(&b));
}

static struct km_str round_body(struct km_mcp_chat *c)
{
    const struct km_str names[] = { KM_STR("tools"),
                                    c->responses ? KM_STR("input") : KM_STR("messages"),
                                    KM_STR("tool_choice"), KM_STR("stream") };
    struct km_json_span spans[4];
    struct km_json_object object;
    struct km_json_edits edits;
    struct km_str *parts;
    size_t n;

    if (km_json_spans(c->body, names, 4, spans, &object, NULL) < 0)
        return KM_STR_NONE;
    km_json_edits_init(&edits, c->body, &object);
    if (c->tools.n > 2)
        km_json_replace(&edits, &spans[0], c->tools);
    else
        km_json_cut(&edits, &spans[0]); /* no tool is left, and an empty list is refused */
    if (c->round > 1 && spans[1].type != KM_JSON_ABSENT)
        km_json_replace(&edits, &spans[1], all_turns(c, km_json_value(c->body, &spans[1])));
    if (spans[2].type != KM_JSON_ABSENT && (c->round > 1 || c->tools.n <= 2))
        km_json_cut(&edits, &spans[2]);
    if (c->responses && c->stream)
        km_json_replace(&edits, &spans[3], KM_STR("false"));
    if (km_json_parts(&edits, &c->arena, &parts, &n, NULL) < 0)
        return KM_STR_NONE;
    return km_arena_cat(&c->arena, parts, n);
}

void km_mcp_chat_round(struct km_mcp_chat *c)
{
    struct km_question_args args = { .path = c->call->request->path,
                                     .query = c->call->request->query };
    struct km_err err = { 0 };

    km_mcp_chat_forget(c);
    km_mcp_chat_reset(c);
    c->round++;
    c->sse = km_sse_free(c->sse);
    c->done = false;
    if (c->stream && !c->responses)
        c->sse = km_sse_new((size_t)c->v->view->snap->gateway->sse_event_bytes, on_event, c);
    args.body = round_body(c);
    if (!args.body.n || km_arena_overflowed(&c->arena) || (c->stream && !c->responses && !c->sse))
        km_mcp_chat_no_memory(c);
    else if (km_ask_call(&c->asker, km_call_kind_of_models(c->call), c->call->api, &args,
                         &round_events, c, &c->question, &err) < 0)
        km_mcp_chat_fail(c, &err);
}
