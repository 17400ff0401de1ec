/* SPDX-License-Identifier: Apache-2.0 */
/* ask.c - the server's side of a call: what it says while it works, what it asks its client,
 * and how it ends.
 *
 *     server ── notice ────> the call's stream (progress always, log messages from a level up)
 *            ── question ──> handshake-era client: a request on the stream, its response comes by
 *                            POST; stateless client: the call is parked (park.c)
 *            ── done ──────> result, error, or input_required: for a stateless client its own
 *                            affair, for an older one asked and answered here (inputs.c)
 *
 * A question the client did not say it can answer is refused in its name.
 */
#include <stdio.h>

#include "base/veil.h"
#include "call/place.h"
#include "gateway/mcp/access.h"
#include "gateway/mcp/call.h"
#include "llm/codec.h"

/* --- notices --- */

/* Does the client want this log message? */
static bool wanted(const struct km_mcp_work *w, struct km_str params)
{
    static const struct km_str names[] = { { "level", 5 } };
    struct km_json_span span;
    struct km_str level;
    unsigned least = km_mcp_level(w->log_level);

    if (!w->logs)
        return false;
    if (!least || km_json_spans(params, names, 1, &span, NULL, NULL) < 0)
        return true;
    level = km_json_value(params, &span);
    return level.n < 2 || km_mcp_level(km_str_sub(level, 1, level.n - 2)) >= least;
}

static void on_notice(void *ctx, struct km_str method, struct km_str params)
{
    struct km_mcp_work *w = ctx;
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(2 * KM_RPC_BYTES);
    bool log = km_str_eq(method, KM_STR("notifications/message"));

    if (!w->job.stream || (log && !wanted(w, params)))
        return;
    if (log && km_veil_cut(w->hub->w->gw->veil, params, &b))
        params = km_buf_view(&b);
    if (!km_buf_failed(&b))
        w->port.ops->progress(&w->port, method, params);
}

/* --- questions --- */

bool km_mcp_client_can(const struct km_mcp_work *w, struct km_str method)
{
    static const struct {
        struct km_str method, capability;
    } rows[] = {
        { { "elicitation/create", 18 }, { "elicitation", 11 } },
        { { "sampling/createMessage", 22 }, { "sampling", 8 } },
        { { "roots/list", 10 }, { "roots", 5 } },
    };
    struct km_json_span span;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (km_str_eq(rows[i].method, method))
            return km_json_spans(w->capabilities, &rows[i].capability, 1, &span, NULL, NULL) == 0 &&
                   span.type == KM_JSON_OBJECT;
    return km_str_starts(method, KM_STR("tasks/"));
}

void km_mcp_question_free(struct km_mcp_question *q)
{
    km_timer_stop(&q->timer);
    km_list_remove(&q->of_work);
    km_list_remove(&q->of_session);
}

void km_mcp_questions_free(struct km_mcp_work *w)
{
    while (!km_list_empty(&w->questions))
        km_mcp_question_free(KM_CONTAINER(w->questions.next, struct km_mcp_question, of_work));
}

static void on_unanswered(void *ctx)
{
    struct km_mcp_question *q = ctx;

    q->late = true;
    km_mcp_question_withdraw(q);
    q->answered(q, true,
                KM_STR("{\"code\":-32603,\"message\":\"the client did not answer in time\"}"));
}

/* A client with a session alone: for one without the call is parked, and that has its own bound. */
static void limit_question(struct km_mcp_question *q)
{
    const struct km_mcp_session_bounds *bounds = km_mcp_bounds(q->w->hub);

    if (q->of_server)
        km_timer_start(&q->timer, bounds ? (uint64_t)bounds->answer_ms : KM_MCP_ANSWER_MS);
}

static struct km_str id_of(struct km_mcp_question *q)
{
    return km_arena_printf(&q->w->call->arena, "\"k%u\"", (unsigned)q->number);
}

/* As a request on the stream of a session. */
static int send_question(struct km_mcp_question *q, struct km_err *err)
{
    struct km_port *port = &q->w->port;
    struct km_str id = id_of(q);

    if (!id.n || !port->ops->ask(port, id, q->method, q->params))
        return km_fail(err, KM_E_UNSUPPORTED, "the client cannot be asked now");
    return 0;
}

/* The token by which the client tells of its progress is ours: two servers may have the same. */
static void take_token(struct km_mcp_question *q)
{
    static const struct km_str metas[] = { { "_meta", 5 } }, tokens[] = { { "progressToken", 13 } };
    struct km_arena *arena = &q->w->call->arena;
    struct km_json_span meta, token;
    struct km_str inner, params;

    if (!q->params.n || km_json_spans(q->params, metas, 1, &meta, NULL, NULL) < 0 ||
        meta.type != KM_JSON_OBJECT)
        return;
    inner = km_json_value(q->params, &meta);
    if (km_json_spans(inner, tokens, 1, &token, NULL, NULL) < 0 || token.type == KM_JSON_ABSENT)
        return;
    q->token = km_json_value(inner, &token);
    if (km_mcp_with_member(arena, inner, tokens[0], id_of(q), &inner, NULL) < 0 ||
        km_mcp_with_member(arena, q->params, metas[0], inner, &params, NULL) < 0)
        params = KM_STR_NONE; /* never with a token that is the server's own */
    q->params = params;
}

int km_mcp_question_put(struct km_mcp_work *w, const struct km_mcp_question *like,
                        struct km_mcp_question **ret, struct km_err *err)
{
    struct km_mcp_session *session = w->job.stream ? w->job.stream->session : NULL;
    struct km_arena *arena = &w->call->arena;
    struct km_mcp_question *q;
    int r = 0;

    if (!km_mcp_client_can(w, like->method) || (w->revision->era == KM_MCP_HANDSHAKE && !session))
        return km_fail(err, KM_E_UNSUPPORTED, "the client cannot be asked %.*s",
                       KM_STR_ARG(km_str_sub(like->method, 0, 80)));
    q = km_arena_zalloc(arena, sizeof *q);
    if (!q)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    *q = *like;
    q->w = w;
    q->method = km_arena_str(arena, like->method);
    q->params = km_arena_str(arena, like->params);
    km_list_init(&q->of_work);
    km_list_init(&q->of_session);
    km_timer_init(&q->timer, w->hub->w->loop, on_unanswered, q);
    q->number = session ? ++session->questions_made : ++w->questions_made;
    km_list_push(&w->questions, &q->of_work);
    if (session) {
        take_token(q);
        km_list_push(&session->questions, &q->of_session);
        limit_question(q);
        r = send_question(q, err);
    }
    if (r < 0)
        km_mcp_question_free(q);
    else
        *ret = q;
    return r;
}

static void to_server(struct km_mcp_question *q, bool is_error, struct km_str json)
{
    struct km_mcp_work *w = q->w;
    uint64_t question = q->server_question;

    if (!w->ask)
        return;
    if (json.n)
        km_mcp_ask_answer(w->ask, question, is_error, json);
    else
        km_mcp_ask_answer(w->ask, question, true,
                          KM_STR("{\"code\":-32603,\"message\":\"the client is gone\"}"));
}

static void on_question(void *ctx, uint64_t question, struct km_str method, struct km_str params)
{
    struct km_mcp_question like = {
        .server_question = question,
        .method = method,
        .params = params,
        .answered = to_server,
        .of_server = true,
    };
    struct km_mcp_work *w = ctx;
    struct km_mcp_question *q;
    KM_ERR_NONE(err);
    char text[200];

    if (km_mcp_question_put(w, &like, &q, &err) < 0) {
        int n = snprintf(text, sizeof text, "{\"code\":-32601,\"message\":\"Method not found\"}");

        km_mcp_ask_answer(w->ask, question, true, km_str(text, (size_t)n));
        return;
    }
    if (w->revision->era == KM_MCP_STATELESS)
        km_mcp_flow_hold(&w->flow, KM_MCP_FLOW_parked);
}

void km_mcp_question_withdraw(struct km_mcp_question *q)
{
    struct km_mcp_work *w = q->w;
    struct km_str id = id_of(q), params = KM_STR_NONE;

    if (id.n)
        params = km_arena_cat(&w->call->arena,
                              (struct km_str[]){ KM_STR("{\"requestId\":"), id, KM_STR("}") }, 3);
    if (w->job.stream && w->job.stream->session && params.n)
        (void)w->port.ops->ask(&w->port, KM_STR_NONE, KM_STR("notifications/cancelled"), params);
    km_mcp_question_free(q);
}

static void on_withdrawn(void *ctx, uint64_t question)
{
    struct km_mcp_work *w = ctx;

    KM_LIST_EACH(it, &w->questions)
    {
        struct km_mcp_question *q = KM_CONTAINER(it, struct km_mcp_question, of_work);

        if (q->server_question != question || q->answered != to_server)
            continue;
        km_mcp_question_withdraw(q);
        return;
    }
}

static struct km_mcp_question *question_of(struct km_mcp_session *s, struct km_str id)
{
    char text[16];

    KM_LIST_EACH(it, &s->questions)
    {
        struct km_mcp_question *q = KM_CONTAINER(it, struct km_mcp_question, of_session);
        int n = snprintf(text, sizeof text, "\"k%u\"", (unsigned)q->number);

        if (km_str_eq(id, km_str(text, (size_t)n)))
            return q;
    }
    return NULL;
}

void km_mcp_call_response(struct km_mcp_turn *t)
{
    static const struct km_str names[] = { { "result", 6 }, { "error", 5 } };
    struct km_mcp_question *q = t->session ? question_of(t->session, t->msg.id) : NULL;
    struct km_json_span s[2];
    bool is_error;

    if (!q || km_json_spans(t->text, names, 2, s, NULL, NULL) < 0)
        return; /* a response to nothing */
    is_error = s[1].type != KM_JSON_ABSENT;
    km_mcp_question_free(q);
    q->answered(q, is_error, km_json_value(t->text, &s[is_error]));
}

void km_mcp_on_progress(struct km_mcp_turn *t)
{
    static const struct km_str params[] = { { "params", 6 } };
    static const struct km_str tokens[] = { { "progressToken", 13 } };
    struct km_mcp_question *q;
    struct km_json_span s, token;
    struct km_str text;

    if (!t->session || km_json_spans(t->text, params, 1, &s, NULL, NULL) < 0 ||
        s.type != KM_JSON_OBJECT)
        return;
    text = km_json_value(t->text, &s);
    if (km_json_spans(text, tokens, 1, &token, NULL, NULL) < 0 || token.type != KM_JSON_STRING)
        return;
    q = question_of(t->session, km_json_value(text, &token));
    if (!q || !q->token.n || q->answered != to_server || !q->w->ask)
        return; /* of nothing that is being asked */
    if (km_mcp_with_member(t->arena, text, tokens[0], q->token, &text, NULL) == 0)
        km_mcp_ask_note(q->w->ask, t->msg.method, text);
}

void km_mcp_call_forget_questions(struct km_mcp_session *s)
{
    while (!km_list_empty(&s->questions)) {
        struct km_mcp_question *q =
            KM_CONTAINER(s->questions.next, struct km_mcp_question, of_session);

        km_mcp_question_free(q);
        q->answered(q, true, KM_STR_NONE);
    }
}

/* --- the end --- */

static enum km_mcp_flow_step on_input_required(struct km_mcp_work *w, struct km_str json)
{
    if (w->revision->era == KM_MCP_STATELESS) {
        km_mcp_park_wrap(w, json);
        return KM_MCP_FLOW_done;
    }
    w->required = km_arena_str(&w->call->arena, json);
    return KM_MCP_FLOW_inputs;
}

/* An error that its transport calls a passing failure, of a call that another attempt may do
 * better: then it is one. */
static bool is_to_repeat(struct km_mcp_work *w, const struct km_mcp_answer *answer,
                         struct km_err *ret)
{
    if (km_again_of(answer->http) != KM_AGAIN_SAME || !km_mcp_may_repeat(w) ||
        (w->repeats >= km_mcp_repeats_most(w) && w->following >= w->nfollowers))
        return false;
    km_fail(ret, KM_E_UPSTREAM_STATUS, "'%.*s' answered with HTTP %d", KM_STR_ARG(w->member->name),
            answer->http);
    ret->http = w->call->at->status = answer->http;
    w->failed_there = true;
    return true;
}

/* For the books, and for whoever judges whether it is sent once more. */
static void note_end(struct km_mcp_work *w, const struct km_mcp_answer *answer)
{
    struct km_call *call = w->call;
    const uint64_t now_ns = km_mono_ns();

    w->failed_there = answer->kind == KM_MCP_FAILED && !answer->unproved;
    w->sent = answer->kind != KM_MCP_FAILED || answer->sent;
    call->upstream_ns += now_ns - call->at->began_ns;
    call->at->status = answer->kind != KM_MCP_FAILED               ? 200
                       : answer->err->code == KM_E_UPSTREAM_STATUS ? answer->err->http
                                                                   : 0;
    call->at->sent = answer->maybe_executed || answer->kind == KM_MCP_RESULT ||
                     answer->kind == KM_MCP_INPUT_REQUIRED;
    km_mcp_fuse_report(w, km_mcp_fuse_end(answer), answer->err);
    call->first_us = call->start_us + (int64_t)((now_ns - call->began_ns) / 1000);
}

static void on_done(void *ctx, const struct km_mcp_answer *answer)
{
    enum km_mcp_flow_step next = KM_MCP_FLOW_done;
    const struct km_err *why = NULL;
    struct km_mcp_work *w = ctx;
    KM_ERR_NONE(own);

    w->ask = NULL;
    km_call_leave_place(w->call->at);
    w->answered = answer->revision;
    note_end(w, answer);
    if (answer->kind == KM_MCP_FAILED && km_mcp_login_wanted(w, answer->err))
        next = KM_MCP_FLOW_login;
    else if (answer->kind == KM_MCP_FAILED)
        why = answer->err;
    else if (answer->kind == KM_MCP_INPUT_REQUIRED)
        next = on_input_required(w, answer->json);
    else if (answer->kind == KM_MCP_ERROR && is_to_repeat(w, answer, &own))
        why = &own;
    else if (answer->kind == KM_MCP_ERROR)
        km_mcp_work_error(w, answer->json);
    else
        km_mcp_work_result(w, answer->json);
    /* The client was told that input is required: it hears of the answer by its retry. */
    w->kept = next == KM_MCP_FLOW_done && !why && w->park.on && !w->job.stream;
    if (!w->kept)
        km_mcp_flow_resume(&w->flow, KM_MCP_FLOW_ask, next, why);
}

/* What a server of kanmon's own knows of the call: its record is ours to write. */
static void on_noted(void *ctx, struct km_str members)
{
    struct km_mcp_work *w = ctx;

    w->noted = km_arena_str(&w->call->arena, members);
}

static const struct km_mcp_ask_events events = { .on_notice = on_notice,
                                                 .on_question = on_question,
                                                 .on_withdrawn = on_withdrawn,
                                                 .on_noted = on_noted,
                                                 .on_done = on_done };

/* A client of the stateless era is asked by the answer to its request, which of these alone may say
 * that input is required. */
static const struct km_mcp_ask_events unasked = { .on_notice = on_notice,
                                                  .on_noted = on_noted,
                                                  .on_done = on_done };

static bool can_be_asked(const struct km_mcp_work *w)
{
    return w->revision->era == KM_MCP_HANDSHAKE || w->tool ||
           km_str_eq(w->method, KM_STR("prompts/get")) ||
           km_str_eq(w->method, KM_STR("resources/read"));
}

static int ask_server(struct km_mcp_work *w, struct km_err *err)
{
    struct km_mcp_asker asker = { .principal = w->principal,
                                  .subject = w->call->visit->who.token,
                                  .capabilities = w->capabilities,
                                  .headers = &w->headers,
                                  .log_level = w->log_level,
                                  .rights = km_mcp_rights_text(
                                      km_mcp_rights_of(w->call->visit, &w->call->arena)),
                                  .session = w->session,
                                  .era = w->revision->era };
    struct km_mcp_ask_args args = { .upstream = w->member->upstream,
                                    .asker = &asker,
                                    .method = w->method,
                                    .params = w->params,
                                    .times = km_mcp_times_of(w->member->upstream->entry,
                                                             w->tool && w->item ? w->item->name
                                                                                : KM_STR_NONE),
                                    .events = can_be_asked(w) ? &events : &unasked,
                                    .ctx = w };

    /* What was judged is what is sent, or nothing is. */
    if (w->tool && w->params.n < 2)
        return km_fail(err, KM_E_INTERNAL, "the parameters of this call were lost");
    w->call->at->began_ns = km_mono_ns();
    w->ask = km_mcp_ask(w->hub->w->desk, &args, err);
    w->call->at->sent = w->ask != NULL; /* as far as is known before it answers */
    return w->ask ? 0 : err->code;
}

static void on_own_over(struct km_mcp_work *w)
{
    km_call_leave_place(w->call->at);
    km_mcp_flow_resume(&w->flow, KM_MCP_FLOW_ask, KM_MCP_FLOW_done, NULL);
}

int km_mcp_begin_ask(struct km_mcp_flow *f, struct km_err *err)
{
    struct km_mcp_work *w = km_mcp_work_of_flow(f);
    /* A tool of kanmon's own may answer before this returns, but not before its record was asked
     * for, and that comes back by the mailbox. */
    int r = km_mcp_has_line(w) ? km_mcp_take_place(w, err) : 0;

    if (r == 0)
        r = km_mcp_fuse_enter(w, err);
    if (r == 0)
        r = km_call_intend(f->call, err);
    if (r == 0)
        r = w->member->builtin ? km_mcp_run_own(w, on_own_over, err) : ask_server(w, err);
    return r < 0 && r != KM_E_AGAIN ? r : (int)KM_MCP_FLOW_wait;
}

void km_mcp_undo_ask(struct km_mcp_flow *f)
{
    struct km_mcp_work *w = km_mcp_work_of_flow(f);
    const struct km_err *err = &w->call->err;

    km_mcp_questions_free(w);
    km_mcp_fuse_report(w, KM_MCP_CALL_SAYS_NOTHING, NULL);
    if (w->ask) {
        km_mcp_ask_cancel(w->ask, km_str_c(err->code ? err->text : "cancelled"));
        w->ask = NULL;
    }
}
