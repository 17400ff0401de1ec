/* SPDX-License-Identifier: Apache-2.0 */
/* loop.c - see loop.h for the contract.
 *
 *     user ── [call a, result] ── [call a, result] ── [call a, result] ──> here: a, three times
 *
 * What was called stands in the request itself, in every API, so no session is needed for it.  A
 * turn is what the assistant called before it got results; turns that called the same, in the same
 * order, are a row, and as many equal calls of one turn count as so many.  Anything the user says
 * begins a new row; what comes in the same message as a result is no new word of theirs.
 *
 * A request is read for that only where a limit is configured and it shows a call at all.  One that
 * cannot be read is not judged: its upstream says what is wrong with it.
 *
 * Of a tool that is run here (MCP) the model was told in the place of a result, and may still do
 * something else: then its answer is one call later.
 */
#include "gateway/llm/loop.h"

#include "base/encode.h"
#include "call/execution.h"
#include "call/run.h"
#include "llm/answer.h"
#include "llm/api.h"

#include <stdio.h>

struct row {
    const struct km_call *call;
    struct km_arena *arena;
    uint64_t turn; /* what was called in the last one */
    int64_t n; /* so many in a row */
    struct km_str tool; /* the first of them */
};

/* How calls are written, in one API or another. */
static bool shows_calls(struct km_str body)
{
    static const struct km_str words[] = {
        { "tool_calls", 10 }, { "function_call", 13 }, { "tool_use", 8 }, { "functionCall", 12 }
    };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (km_str_find(body, words[i]) < body.n)
            return true;
    return false;
}

static void forget(struct row *r)
{
    r->n = 0;
    r->turn = 0;
}

/* What one turn called: all of it as one, or so many times the same. */
static void add_turn(struct row *r, const struct km_message *m)
{
    const struct km_hash_seed *seed = km_call_run_seed(r->call);
    uint64_t first = 0, all = 0;
    int64_t n = 0, same = 0;

    for (const struct km_part *p = m->parts; p; p = p->next) {
        uint64_t one;

        if (p->kind != KM_PART_TOOL_USE)
            continue;
        if (km_call_may_repeat_tool(r->call, p->name)) {
            forget(r);
            return;
        }
        one = km_same_call_text(seed, p->name, p->input_json, r->arena);
        if (n++ == 0) {
            first = one;
            r->tool = p->name;
        }
        same += one == first;
        all = km_same_call_then(seed, all, one);
    }
    if (n == 0) {
        forget(r);
        return;
    }
    if (same < n)
        n = 1;
    else
        all = first;
    r->n = r->turn == all ? r->n + n : n;
    r->turn = all;
}

static bool brings_results(const struct km_message *m)
{
    for (const struct km_part *p = m->parts; p; p = p->next)
        if (p->kind == KM_PART_TOOL_RESULT)
            return true;
    return false;
}

static void read_row(struct row *r, const struct km_chat *chat)
{
    for (const struct km_message *m = chat->messages; m; m = m->next)
        if (m->role == KM_ROLE_ASSISTANT)
            add_turn(r, m);
        else if (m->role == KM_ROLE_USER && !brings_results(m))
            forget(r);
}

/* --- the answer --- */

static int put(struct km_answer *a, enum km_chat_event_kind kind, struct km_str text,
               struct km_err *err)
{
    const struct km_chat_event e = {
        .kind = kind, .text = text, .finish = KM_FINISH_STOP, .usage = { .known = true }
    };

    return km_answer_put(a, &e, err);
}

static int put_all(struct km_answer *a, struct km_str text, struct km_err *err)
{
    int r = put(a, KM_CHAT_START, KM_STR_NONE, err);

    if (r == 0)
        r = put(a, KM_CHAT_TEXT, text, err);
    if (r == 0)
        r = put(a, KM_CHAT_USAGE, KM_STR_NONE, err);
    if (r == 0)
        r = put(a, KM_CHAT_FINISH, KM_STR_NONE, err);
    if (r == 0 && !a->stream)
        return a->to->whole(a, err);
    if (r == 0 && a->to->end)
        a->to->end(a);
    return r;
}

/* In its caller's protocol, whole or as the stream that was asked for. */
static int say(struct km_call *call, struct km_str text, struct km_err *err)
{
    const struct km_encoder *to = call->api->encoder;
    struct km_buf out KM_CLEANUP(km_buf_done) =
        KM_BUF((size_t)call->visit->view->snap->gateway->response_bytes);
    struct km_answer answer = { .to = to,
                                .request = &call->req,
                                .arena = &call->arena,
                                .out = &out,
                                .stream = call->req.stream,
                                .usage_asked = call->req.usage_asked,
                                .gathers = to->gathers,
                                .cut = true, /* what is said of its use holds: nothing was used */
                                .model = call->req.model,
                                .id = km_str(call->visit->id_text, KM_UUID_LEN),
                                .created_s = call->start_us / 1000000 };
    int r;

    answer.state = to->state_size ? km_arena_zalloc(&call->arena, to->state_size) : NULL;
    call->parts = km_arena_alloc(&call->arena, sizeof *call->parts);
    if (!call->parts || (to->state_size && !answer.state))
        return km_fail(err, KM_E_NOMEM, "out of memory");
    r = put_all(&answer, text, err);
    if (r < 0)
        return r;
    call->parts[0] = km_arena_str(&call->arena, km_buf_view(&out));
    call->nparts = 1;
    call->at->head = KM_STR("x-kanmon-ended: max_identical_tool_calls\r\n");
    return km_buf_failed(&out) || !call->parts[0].n ? km_fail(err, KM_E_NOMEM, "out of memory")
                                                    : KM_HOOK_ANSWERED;
}

static int end_loop(struct km_call *call, const struct row *row, struct km_err *err)
{
    char text[KM_RUN_LOOP_TEXT];

    km_call_count_run_refused(call, KM_RUN_REFUSED_SAME_CALLS);
    (void)snprintf(
        text, sizeof text,
        "The gateway ended this loop: the tool '%.*s' was called %lld times in a row with "
        "the same arguments (max_identical_tool_calls). Its last result is all there is: "
        "answer with that, or do something else.",
        KM_STR_ARG(km_utf8_cut(row->tool, 128)), (long long)row->n);
    return say(call, km_str_c(text), err);
}

/* --- the hook --- */

/* One that is run here has been answered once by a text instead of its result. */
static int64_t most_of(const struct km_call *call)
{
    return km_call_same_calls(call) + 2 * call->visit->has_place;
}

static bool may_loop(const struct km_call *call)
{
    const struct km_llm_api *api = call->api;

    return km_call_same_calls(call) >= 0 && api && api->decode && api->encoder && !api->count &&
           !call->kind->outer && shows_calls(call->req.body);
}

static void look(const struct km_call *call, struct row *row)
{
    struct km_chat *chat = km_arena_alloc(row->arena, sizeof *chat);
    const struct km_json *root;

    if (!chat || km_json_parse(row->arena, call->req.body, &root, NULL) < 0)
        return;
    km_chat_init(chat);
    if (call->api->decode(&call->req, root, row->arena, chat, NULL) == 0)
        read_row(row, chat);
}

static int judge(struct km_call *call, struct km_err *err)
{
    struct km_arena scratch KM_CLEANUP(km_arena_done);
    struct row row = { .call = call, .arena = &scratch };

    km_arena_init(&scratch, km_call_arena_bytes(call->visit->view->snap),
                  km_loop_arenas(call->w->loop));
    look(call, &row);
    return row.n >= most_of(call) ? end_loop(call, &row, err) : KM_HOOK_PASS;
}

static int run(struct km_call *call, struct km_err *err)
{
    return may_loop(call) ? judge(call, err) : KM_HOOK_PASS;
}

const struct km_call_hook km_loop_hook = { .name = "loop", .run = run };
