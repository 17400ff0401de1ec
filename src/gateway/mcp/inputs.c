/* SPDX-License-Identifier: Apache-2.0 */
/* inputs.c - a stateless server asks by input_required, its client has a handshake: the
 * questions are put as real requests, and the call is sent again with the answers.
 *
 *     input_required {a, b, state} ──> question a, question b ──> both answered
 *         ^                                                            │
 *         └────────── same call, inputResponses {a, b}, state <────────┘   at most 8 rounds
 *
 * What the client refuses or cannot do ends the call: the server would only ask again.  A server
 * that asks nothing and gives a state alone wants to be called again; it is, after a moment.
 */
#include <stdlib.h>

#include "gateway/mcp/call.h"

#define PAUSE_MS 250

static void refuse(struct km_mcp_work *w, const char *text)
{
    km_mcp_work_text(w, "input_refused", text);
    km_mcp_flow_resume(&w->flow, KM_MCP_FLOW_inputs, KM_MCP_FLOW_done, NULL);
}

struct km_mcp_inputs {
    unsigned open;
    struct km_str answers; /* "key":json,... so far */
    struct km_str state; /* JSON string; empty: none */
};

static struct km_str quoted(struct km_arena *arena, struct km_str s)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);

    km_buf_json(&b, s);
    return km_buf_failed(&b) ? KM_STR("\"\"") : km_arena_str(arena, km_buf_view(&b));
}

/* The params of the first call with the answers. */
static struct km_str again(struct km_mcp_work *w)
{
    static const struct km_str names[] = { { "inputResponses", 14 }, { "requestState", 12 } };
    struct km_arena *arena = &w->call->arena;
    const struct km_mcp_inputs *in = w->inputs;
    struct km_str responses =
        km_arena_cat(arena, (struct km_str[]){ KM_STR("{"), in->answers, KM_STR("}") }, 3);
    struct km_str params = w->params.n ? w->params : KM_STR("{}");
    struct km_json_span s[2];
    struct km_json_object object;
    struct km_json_edits edits;
    struct km_str *parts;
    size_t n;

    if (km_json_spans(params, names, 2, s, &object, NULL) < 0)
        return KM_STR_NONE;
    km_json_edits_init(&edits, params, &object);
    if (s[0].type == KM_JSON_ABSENT)
        km_json_add(&edits, arena, names[0], responses);
    else
        km_json_replace(&edits, &s[0], responses);
    if (s[1].type == KM_JSON_ABSENT && in->state.n)
        km_json_add(&edits, arena, names[1], in->state);
    else if (in->state.n)
        km_json_replace(&edits, &s[1], in->state);
    else if (s[1].type != KM_JSON_ABSENT)
        km_json_cut(&edits, &s[1]);
    if (km_json_parts(&edits, arena, &parts, &n, NULL) < 0)
        return KM_STR_NONE;
    return km_arena_cat(arena, parts, n);
}

static void send_again(struct km_mcp_work *w)
{
    w->params = again(w);
    if (w->params.n)
        km_mcp_flow_resume(&w->flow, KM_MCP_FLOW_inputs, KM_MCP_FLOW_ask, NULL);
    else
        refuse(w, "out of memory");
}

static void on_answered(struct km_mcp_question *q, bool is_error, struct km_str json)
{
    struct km_mcp_work *w = q->w;
    struct km_mcp_inputs *in = w->inputs;
    struct km_arena *arena = &w->call->arena;

    if (is_error || !json.n) {
        refuse(w, q->late ? "the client did not answer in time what the server asked"
                          : "the client refused what the server asked");
        return;
    }
    in->answers =
        km_arena_cat(arena,
                     (struct km_str[]){ in->answers, in->answers.n ? KM_STR(",") : KM_STR_NONE,
                                        quoted(arena, q->key), KM_STR(":"), json },
                     5);
    if (--in->open == 0)
        send_again(w);
}

/* Nothing was asked: it was a moment's wait. */
void km_mcp_late_inputs(struct km_mcp_flow *f)
{
    send_again(km_mcp_work_of_flow(f));
}

/* Puts one; the params of roots/list may be missing. */
static int put_one(struct km_mcp_work *w, struct km_str key, const struct km_json *ask,
                   struct km_err *err)
{
    struct km_arena *arena = &w->call->arena;
    struct km_mcp_question like = { .answered = on_answered, .of_server = true }, *q;
    const struct km_json *params = km_json_get(ask, "params");

    if (!km_json_string(km_json_get(ask, "method"), &like.method))
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "the server asked without a method");
    like.key = km_arena_str(arena, key);
    like.params = params ? km_json_compact(params, arena) : KM_STR_NONE;
    w->inputs->open++;
    return km_mcp_question_put(w, &like, &q, err);
}

/* Puts all of them. */
static int put_all(struct km_mcp_work *w, struct km_err *err)
{
    struct km_arena *arena = &w->call->arena;
    const struct km_json *root, *asks, *ask;
    struct km_json_iter it;
    struct km_str key, state;
    int r = km_json_parse_answer(arena, w->required, &root, err);

    if (r == 0 && ++w->rounds > KM_MCP_ROUNDS)
        r = km_fail(err, KM_E_LIMIT, "the server asked more than %d times", KM_MCP_ROUNDS);
    if (r < 0)
        return r;
    w->inputs = km_arena_zalloc(arena, sizeof *w->inputs);
    if (!w->inputs)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    if (km_json_string(km_json_get(root, "requestState"), &state))
        w->inputs->state = quoted(arena, state);
    asks = km_json_get(root, "inputRequests");
    if (km_json_count(asks) > KM_MCP_INPUTS)
        return km_fail(err, KM_E_LIMIT, "the server asked more than %d questions", KM_MCP_INPUTS);
    if (!km_json_count(asks))
        km_mcp_flow_time(&w->flow, PAUSE_MS);
    for (km_json_iter(asks, &it); r == 0 && km_json_next(&it, &key, &ask);)
        r = put_one(w, key, ask, err);
    return r;
}

int km_mcp_begin_inputs(struct km_mcp_flow *f, struct km_err *err)
{
    struct km_mcp_work *w = km_mcp_work_of_flow(f);
    struct km_err why = { 0 };

    (void)err;
    if (put_all(w, &why) == 0)
        return KM_MCP_FLOW_wait;
    km_mcp_work_text(w, "input_required", why.text);
    return KM_MCP_FLOW_done;
}

void km_mcp_undo_inputs(struct km_mcp_flow *f)
{
    km_mcp_questions_free(km_mcp_work_of_flow(f));
}
