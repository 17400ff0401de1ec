/* SPDX-License-Identifier: Apache-2.0 */
/* in.c - what a server says, and to which job it belongs (remote.h).
 *
 * Over HTTP most messages come on the stream of the request they belong to.  On stdio, and on the
 * standing stream, they carry no such sign:
 *
 *     progress        by its token, which is our id
 *     a question      questions.c
 *     log messages    of every job, where all are of one caller; where none runs, of whoever set a
 *                     level (hear.c)
 *     list changed    of the catalogue
 *
 * What is no message, answers nothing or asks what nobody offered is passed over, and counted: a
 * server that says nothing else is ended.
 */
#include "mcp/desk.h"
#include "mcp/salvage.h"

#define PARSE_BYTES ((size_t)64 * 1024 * 1024)

enum { JSONRPC, ID, METHOD, PARAMS, RESULT, ERROR, MEMBERS };

struct in {
    struct km_str text;
    struct km_json_span s[MEMBERS];
};

static struct km_str value(const struct in *m, int which)
{
    return km_json_value(m->text, &m->s[which]);
}

/* One JSON object, each member of interest once. */
static int read_message(struct km_str text, struct in *m, struct km_err *err)
{
    static const struct km_str names[MEMBERS] = {
        { "jsonrpc", 7 }, { "id", 2 },     { "method", 6 },
        { "params", 6 },  { "result", 6 }, { "error", 5 },
    };
    const struct km_json *root;
    struct km_arena arena;
    int r;

    *m = (struct in){ .text = text };
    if (km_json_sure_spans(text, names, MEMBERS, m->s, NULL, NULL))
        return 0;
    km_arena_init(&arena, PARSE_BYTES, NULL);
    r = km_json_parse_answer(&arena, text, &root, err);
    if (r == 0 && km_json_kind(root) != KM_JSON_OBJECT)
        r = km_fail(err, KM_E_INVALID, "a message is a JSON object");
    km_arena_done(&arena);
    return r == 0 ? km_json_spans(text, names, MEMBERS, m->s, NULL, err) : r;
}

static uint64_t number(struct km_str json)
{
    uint64_t n;

    return km_str_u64(json, &n) == 0 ? n : 0;
}

/* --- answers --- */

static void on_opening(struct km_remote *p, uint64_t id, struct km_str text)
{
    struct km_arena arena;
    struct km_rpc_message m;
    enum km_rpc_fault fault;

    km_arena_init(&arena, PARSE_BYTES, NULL);
    if (km_rpc_parse(&arena, text, &m, &fault, NULL) == 0)
        km_remote_opened(p, id, &m);
    km_arena_done(&arena);
}

/* {"resultType":"input_required", ...}: nothing waits there, the asker is to ask again. */
static bool asks_for_input(const struct km_remote *p, struct km_str result)
{
    static const struct km_str name = { "resultType", 10 };
    struct km_json_span span = { 0 };

    return p->revision->era == KM_MCP_STATELESS &&
           km_json_spans(result, &name, 1, &span, NULL, NULL) == 0 &&
           km_str_eq(km_json_value(result, &span), KM_STR("\"input_required\""));
}

/* Does it say that it did not understand what it was asked, or knows no such tool?  JSON-RPC 2.0,
 * 5.1: from -32700 to -32600. */
static bool refuses(struct km_str error)
{
    static const struct km_str name = { "code", 4 };
    struct km_json_span span = { 0 };
    int64_t code = 0;

    return km_json_spans(error, &name, 1, &span, NULL, NULL) == 0 &&
           km_str_i64(km_json_value(error, &span), &code) == 0 &&
           (code == -32700 || (code >= -32602 && code <= -32600));
}

static void on_response(struct km_remote *p, uint64_t about, const struct in *m)
{
    bool is_error = m->s[RESULT].type == KM_JSON_ABSENT;
    uint64_t id = number(value(m, ID));
    struct km_mcp_answer answer = { .kind = is_error ? KM_MCP_ERROR : KM_MCP_RESULT,
                                    .json = value(m, is_error ? ERROR : RESULT),
                                    .revision = p->revision };
    struct km_job *j;

    answer.maybe_executed = is_error && !refuses(answer.json);
    if (!id && is_error)
        id = about; /* an error that could not read our id */
    km_link_settle(p->wire, id, true);
    if (id && (id == p->opening_id || id == p->probe_id)) {
        on_opening(p, id, m->text);
        return;
    }
    if (id && id == p->introduced_id) {
        p->introduced_id = 0;
        km_remote_introduced(p);
        return;
    }
    if (id && id == p->settle_id) {
        km_remote_settled(p);
        return;
    }
    j = km_remote_job(p, id);
    if (!j) {
        km_remote_late(p, id);
        km_hear_leveled(p, id);
        return;
    }
    if (p->flood > 0)
        p->flood--; /* it was asked for, however many come */
    if (answer.json.n == 0 || answer.json.p[0] != '{') {
        struct km_err err;

        km_fail(&err, KM_E_UPSTREAM_PROTOCOL, "'%.*s' answered with something that is no object",
                KM_STR_ARG(p->upstream->name));
        km_job_fail(j, &err, true);
        return;
    }
    if (is_error)
        km_remote_doubt(p, j->method);
    if (!is_error && asks_for_input(p, answer.json))
        answer.kind = KM_MCP_INPUT_REQUIRED;
    if (!j->own && km_remote_declares(p)) {
        p->upstream->live->declared_calls++;
        p->upstream->live->declared_questions += answer.kind == KM_MCP_INPUT_REQUIRED;
    }
    km_desk_answered(p);
    km_job_done(j, &answer);
}

/* --- notifications --- */

/* The member of params, as its JSON. */
static struct km_str param(struct km_str params, const char *name)
{
    struct km_str wanted = km_str_c(name);
    struct km_json_span span = { 0 };

    if (!params.n || params.p[0] != '{' || km_json_spans(params, &wanted, 1, &span, NULL, NULL) < 0)
        return KM_STR_NONE;
    return km_json_value(params, &span);
}

static void notice(struct km_job *j, struct km_str method, struct km_str params)
{
    km_job_heard(j);
    if (j->forgotten || !j->events->on_notice || j->nnotices == KM_MCP_NOTICES)
        return;
    j->nnotices++;
    j->events->on_notice(j->ctx, method, params);
}

/* It says of no job: it is for everybody there, as long as that is one caller. */
static void notice_all(struct km_remote *p, struct km_str method, struct km_str params)
{
    const struct km_job *one = NULL;

    KM_LIST_EACH(it, &p->order)
    {
        const struct km_job *j = KM_CONTAINER(it, struct km_job, order);

        if (j->own)
            continue;
        if (one && !km_str_eq(one->principal, j->principal))
            return;
        one = j;
    }
    KM_LIST_EACH(it, &p->order)
    {
        struct km_job *j = KM_CONTAINER(it, struct km_job, order);

        if (!j->own)
            notice(j, method, params);
    }
}

static void on_progress(struct km_remote *p, struct km_str params)
{
    struct km_str token = param(params, "progressToken");
    struct km_job *j = km_remote_job(p, number(token));
    struct km_buf theirs KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_MESSAGE_BYTES);

    if (!j || !j->token.n)
        return;
    km_buf_bytes(&theirs, params.p, (size_t)(token.p - params.p));
    km_buf_str(&theirs, j->token);
    km_buf_str(&theirs, km_str_skip(params, (size_t)(token.p - params.p) + token.n));
    if (!km_buf_failed(&theirs))
        notice(j, KM_STR("notifications/progress"), km_buf_view(&theirs));
}

static struct km_remote_question *question_of(struct km_list *questions, struct km_str id)
{
    KM_LIST_EACH(it, questions)
    {
        struct km_remote_question *q = KM_CONTAINER(it, struct km_remote_question, link);

        if (km_str_eq(km_buf_view(&q->id), id))
            return q;
    }
    return NULL;
}

/* The job was asked it; true: it is withdrawn. */
static bool withdraw(struct km_job *j, struct km_str id)
{
    struct km_remote_question *q = question_of(&j->questions, id);
    uint64_t number;

    if (!q)
        return false;
    number = q->number;
    km_list_remove(&q->link);
    km_remote_question_free(q);
    km_job_heard(j);
    if (!j->forgotten && j->events->on_withdrawn)
        j->events->on_withdrawn(j->ctx, number);
    return true;
}

static void on_cancelled(struct km_remote *p, struct km_str params)
{
    struct km_str id = param(params, "requestId");
    struct km_remote_question *q = id.n ? question_of(&p->held, id) : NULL;

    if (q) {
        km_list_remove(&q->link);
        km_remote_question_free(q);
        p->nheld--;
        return;
    }
    for (struct km_list *it = p->order.next; id.n && it != &p->order; it = it->next)
        if (withdraw(KM_CONTAINER(it, struct km_job, order), id))
            return;
    for (struct km_list *it = p->waiting.next; id.n && it != &p->waiting; it = it->next)
        if (withdraw(KM_CONTAINER(it, struct km_job, link), id)) {
            km_remote_run(p); /* it waited for that */
            return;
        }
}

static bool ends(struct km_str method, const char *tail)
{
    return km_str_ends(method, km_str_c(tail));
}

static void on_notification(struct km_remote *p, uint64_t about, struct km_str method,
                            struct km_str params)
{
    struct km_job *j;

    if (km_str_eq(method, KM_STR("notifications/progress"))) {
        on_progress(p, params);
        return;
    }
    if (km_str_eq(method, KM_STR("notifications/cancelled"))) {
        on_cancelled(p, params);
        return;
    }
    if (ends(method, "/list_changed")) {
        km_refresh_changed(p);
        return;
    }
    if (km_str_eq(method, KM_STR("notifications/resources/updated"))) {
        km_subscriptions_updated(p, params);
        return;
    }
    if (km_str_eq(method, KM_STR("notifications/subscriptions/acknowledged"))) {
        km_listening_acknowledged(p, about, params);
        return;
    }
    j = km_remote_job(p, about);
    if (j)
        notice(j, method, params);
    else if (!about && km_remote_callers(p) == 0 &&
             km_str_eq(method, KM_STR("notifications/message")))
        km_hear_said(p, params);
    else if (!about)
        notice_all(p, method, params);
}

/* --- all of them --- */

static void end(struct km_remote *p, const char *why)
{
    struct km_err err;

    km_fail(&err, KM_E_UPSTREAM_PROTOCOL, "'%.*s' %s", KM_STR_ARG(p->upstream->name), why);
    km_desk_failed(p->desk, p->upstream, err.text);
    km_remote_over(p, &err);
}

static bool flooded(struct km_remote *p, uint64_t about)
{
    uint64_t now = km_loop_now_ms(p->desk->loop);

    if (about && km_remote_job(p, about))
        return false;
    if (now - p->flood_at_ms >= 1000) {
        p->flood_at_ms = now;
        p->flood = 0;
    }
    return ++p->flood > KM_REMOTE_FLOOD;
}

/* id: of what it would answer, if it were an answer; 0: that cannot be told. */
static void on_garbage(struct km_remote *p, uint64_t about, uint64_t id, const char *why)
{
    struct km_err err;
    const struct km_link_failure f = { .err = &err, .maybe_executed = true };
    struct km_job *j;

    id = about ? about : id;
    j = km_remote_job(p, id);
    km_fail(&err, KM_E_UPSTREAM_PROTOCOL,
            "the answer of '%.*s' cannot be read, it is no JSON-RPC message: %s",
            KM_STR_ARG(p->upstream->name), why);
    if (j) {
        km_link_settle(p->wire, id, false);
        km_job_fail(j, &err, true);
    } else if (!about && id && (id == p->opening_id || id == p->probe_id)) {
        km_remote_open_failed(p, id, &f);
    } else if (++p->garbage == KM_REMOTE_GARBAGE) {
        end(p, "writes what is no JSON-RPC message to its standard output");
    }
}

void km_remote_message_in(struct km_remote *p, uint64_t about, struct km_str text)
{
    struct km_arena arena;
    struct km_str method;
    KM_ERR_NONE(err);
    struct in m;

    if (p->state == KM_REMOTE_OVER && p->njobs == 0)
        return;
    if (flooded(p, about)) {
        end(p, "floods us with messages");
        return;
    }
    if (read_message(text, &m, &err) < 0) {
        on_garbage(p, about, km_mcp_salvage_id(text), err.text);
        return;
    }
    if (m.s[METHOD].type != KM_JSON_STRING &&
        (m.s[METHOD].type != KM_JSON_ABSENT ||
         (m.s[RESULT].type == KM_JSON_ABSENT) == (m.s[ERROR].type == KM_JSON_ABSENT))) {
        on_garbage(p, about, number(value(&m, ID)), "it has a result and an error, or neither");
        return;
    }
    p->garbage = 0;
    if (m.s[METHOD].type == KM_JSON_ABSENT) {
        km_hold_answered(p);
        on_response(p, about, &m);
        return;
    }
    km_arena_init(&arena, (size_t)64 * 1024, NULL);
    method = km_json_text(&arena, text, &m.s[METHOD]);
    if (m.s[ID].type == KM_JSON_ABSENT)
        on_notification(p, about, method, value(&m, PARAMS));
    else if (m.s[ID].type == KM_JSON_STRING || m.s[ID].type == KM_JSON_NUMBER)
        km_remote_question(p, about, value(&m, ID), method, value(&m, PARAMS));
    km_arena_done(&arena);
}
