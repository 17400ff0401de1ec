/* SPDX-License-Identifier: Apache-2.0 */
/* call.c - the MCP kind of call: what the steps of call.c do for a request to a server.
 *
 *     prepare   what the request is by now; may this key give these arguments; what it may cost
 *     send      may it run at all; then the server is asked: a table of its own (flow.c)
 *     reply     the answer by the port (client.c) on the stream of whoever waits
 *
 * A call is detached from its exchange from the beginning: it has a copy of the visit, and its
 * client may come back on another connection.
 */
#include "gateway/mcp/call.h"

#include "gateway/mcp/access.h"
#include "gateway/mcp/counts.h"
#include "gateway/mcp/explain.h"
#include "call/session.h"
#include "door/oauth/access.h"
#include "mcp/schema.h"

#define ARENA_BYTES ((size_t)96 * 1024 * 1024)

/* --- may it run --- */

/* Whom it is for was found by these: none of them is another by now. */
static int check_same(const struct km_json *old, const struct km_json *new, struct km_err *err)
{
    static const struct km_str names[] = {
        { "name", 4 }, { "uri", 3 }, { "ref", 3 }, { "taskId", 6 }, { "requestState", 12 },
    };
    uint8_t was[32], is[32];
    int r = 0;

    for (size_t i = 0; r == 0 && i < sizeof names / sizeof *names; i++) {
        r = km_json_digest(km_json_member(old, names[i]), was, err);
        if (r == 0)
            r = km_json_digest(km_json_member(new, names[i]), is, err);
        if (r == 0 && memcmp(was, is, sizeof was) != 0)
            r = km_fail(err, KM_E_INTERNAL, "'%s' of a request may not become another on its way.",
                        names[i].p);
    }
    return r;
}

/* What has passed the units of the request is what is judged, recorded and sent. */
static int take_params(struct km_mcp_work *w, struct km_str params, struct km_err *err)
{
    struct km_arena *arena = &w->call->arena;
    const struct km_json *old = NULL, *root = NULL;
    int r = km_json_parse(arena, w->params, &old, err);

    if (r == 0)
        r = km_json_parse(arena, params, &root, err);
    if (r == 0 && km_json_kind(root) != KM_JSON_OBJECT)
        r = km_fail(err, KM_E_INTERNAL, "What was made of the parameters is no JSON object.");
    if (r == 0)
        r = check_same(old, root, err);
    if (r == 0)
        r = km_json_digest(km_json_get(root, "arguments"), w->digest, err);
    if (r == 0 && w->member->builtin)
        r = km_mcp_with_member(arena, w->text, KM_STR("params"), params, &w->text, err);
    w->params = params;
    w->args = km_json_get(root, "arguments");
    return r;
}

/* The turn's arguments are gone once the call has waited. */
static int read_again(struct km_mcp_work *w, struct km_err *err)
{
    bool fresh = w->fresh && !w->call->intake;

    w->fresh = false;
    return fresh || !w->params.n ? 0 : take_params(w, w->call->body, err);
}

static int prepare(struct km_call *call, struct km_err *err)
{
    struct km_mcp_work *w = km_mcp_work_of(call);

    if (w->wrong) {
        *err = *w->wrong;
        return err->code;
    }
    if (read_again(w, err) < 0)
        return err->code;
    if (!km_mcp_is_judged(w))
        return 0;
    w->cost = km_mcp_configured_cost(w->member->upstream, w->item->name);
    call->reserve = w->cost;
    call->needs_yes = km_mcp_needs_approval(w);
    if (call->needs_yes && km_mcp_args_once(w->args, &call->arena, err) < 0)
        return KM_E_INVALID;
    return km_right_code(km_mcp_grants_args(km_mcp_rights_of(call->visit, &call->arena), w->member,
                                            w->item->name, w->args, &call->arena, err),
                         err);
}

/* Where it goes stands in the request; whether it may, the flow judges. */
static int attempt(struct km_call *call, struct km_err *err)
{
    (void)call;
    (void)err;
    return 0;
}

/* --- sending --- */

/* In strict accounting the server is asked once the intent is written. */
static void intended(struct km_call *call)
{
    km_mcp_flow_resume(&km_mcp_work_of(call)->flow, KM_MCP_FLOW_ask, KM_MCP_FLOW_ask, NULL);
}

static enum km_next send_call(struct km_call *call)
{
    return km_mcp_flow_run(&km_mcp_work_of(call)->flow);
}

static void abandon(struct km_call *call)
{
    km_mcp_flow_end(&km_mcp_work_of(call)->flow);
}

static int complete(struct km_call *call, struct km_err *err)
{
    (void)call;
    (void)err;
    return 0;
}

static struct km_str own_name(struct km_mcp_work *w)
{
    if (!w->own_name.n)
        w->own_name =
            km_arena_cat(&w->call->arena, (struct km_str[]){ KM_STR("MCP: "), w->item->name }, 2);
    return w->own_name;
}

static void books(struct km_call *call, struct km_ledger_entry *e)
{
    struct km_mcp_work *w = km_mcp_work_of(call);

    e->audited = true;
    e->call_type = w->tool ? KM_STR("call_mcp_tool") : w->method;
    if (!w->group.n) /* asked for at each end of the call */
        w->group = km_arena_cat(&call->arena, (struct km_str[]){ KM_STR("MCP: "), w->shown }, 2);
    e->model_group = w->group;
    if (w->tool && w->item) /* its server's own name, as in LiteLLM's rows */
        e->model = km_str_eq(w->shown, w->item->name) ? w->group : own_name(w);
    e->provider = KM_STR("mcp");
    e->deployment = w->member->name;
    e->api_base = w->member->upstream ? w->member->upstream->entry->url : KM_STR_NONE;
}

/* --- the end --- */

/* What a hook answered is a result.  The status is for units alone, and 200 of a result that can be
 * given to others; a client's is w->http. */
static bool reply(struct km_call *call)
{
    struct km_mcp_work *w = km_mcp_work_of(call);

    if (w->outcome == KM_MCP_OUT_NONE && call->nparts)
        km_mcp_work_result(w, call->parts[0]);
    if (call->failed || w->outcome == KM_MCP_OUT_NONE || !w->json.n)
        km_call_break_answer(call);
    else
        km_call_respond(call, strcmp(km_mcp_outcome(w), "ok") == 0 ? 200 : 500, KM_STR_NONE,
                        w->json);
    return true;
}

static bool cost(const struct km_call *call, bool sent, int64_t *ret_cost)
{
    /* Once it was answered: did it run at all? */
    *ret_cost = sent && (call->at->sent || !call->first_us) ? km_mcp_work_of(call)->cost : 0;
    return true;
}

static void count(struct km_call *call)
{
    struct km_mcp_work *w = km_mcp_work_of(call);
    struct km_mcp_count c = { .server = w->member->name,
                              .outcome = km_mcp_outcome(w),
                              .us = call->admitted ? (int64_t)(call->total_ns / 1000) : -1,
                              .cost = call->cost };

    if (!w->tool || !w->item)
        return;
    c.tool = w->item->name;
    km_mcp_count_call(w->hub->counts, &c);
}

static void log_names(struct km_call *call, struct km_line *l)
{
    struct km_ledger_entry e = { 0 };

    books(call, &e);
    km_line_str(l, "server", e.deployment);
    km_line_str(l, "target", e.model_group);
}

static const struct km_call_kind mcp_kind = {
    .explain = km_mcp_explain,
    .name = "mcp",
    .work_name = km_mcp_work_name,
    .placed = true,
    .needs_body = true,
    .cost = cost,
    .count = count,
    .log = log_names,
    .prepare = prepare,
    .attempt = attempt,
    .again = km_mcp_again,
    .complete = complete,
    .send = send_call,
    .intended = intended,
    .abandon = abandon,
    .books = books,
    .reply = reply,
    .record = km_mcp_record,
};

/* --- the beginning --- */

static void on_job_cancelled(struct km_mcp_job *job, struct km_str reason)
{
    struct km_mcp_work *w = KM_CONTAINER(job, struct km_mcp_work, job);
    const char *why = km_arena_cstr(&w->call->arena, km_str_sub(reason, 0, 200));

    w->call->client_gone = true;
    w->call->flags |= KM_CALL_CLIENT_GONE;
    km_call_cancel(w->call, reason.n ? why : "The client cancelled it.");
}

static struct km_str log_level(const struct km_mcp_turn *t)
{
    struct km_str level = KM_STR_NONE;

    if (t->session && t->session->log_level)
        return km_mcp_level_name(t->session->log_level);
    (void)km_json_string(
        km_json_get(km_json_get(t->msg.params, "_meta"), "io.modelcontextprotocol/logLevel"),
        &level);
    return level;
}

/* Said as nobody can understand it: the call is refused once it is prepared, and is in the log. */
static void read_execution(struct km_mcp_work *w, const struct km_mcp_turn *t)
{
    KM_ERR_NONE(err);

    if (km_mcp_read_execution(w, t, &err) == 0)
        return;
    w->wrong = km_arena_alloc(&w->call->arena, sizeof *w->wrong);
    if (w->wrong) /* else the arena is full, which is seen when it is begun */
        *w->wrong = err;
}

/* The run it is of: as the client names it, else its session of MCP. */
static void hear_session(struct km_mcp_work *w, const struct km_mcp_turn *t)
{
    w->call->session = km_arena_str(&w->call->arena, km_session_in_head(&t->in->headers));
    if (!w->call->session.n && !w->call->visit->has_place)
        w->call->session = w->session;
}

static void copy_headers(struct km_mcp_work *w, const struct km_headers *h)
{
    bool matter = w->member->upstream && km_mcp_headers_matter(w->member->upstream, h);

    for (size_t i = 0; i < w->nfollowers && !matter; i++)
        matter = km_mcp_headers_matter(w->followers[i].member->upstream, h);
    if (matter)
        w->headers = km_headers_copy(&w->call->arena, h);
}

static bool any_logs_in(const struct km_mcp_work *w)
{
    bool any = w->member->upstream && w->member->upstream->oauth;

    for (size_t i = 0; i < w->nfollowers && !any; i++)
        any = w->followers[i].member->upstream->oauth != NULL;
    return any;
}

static int fill(struct km_mcp_work *w, struct km_mcp_turn *t, const struct km_mcp_call_args *args)
{
    struct km_arena *arena = &w->call->arena;
    const struct km_json *a = km_json_get(t->msg.params, "arguments");
    int r;

    w->hub = t->hub;
    w->view = km_mcp_view_ref(args->view);
    w->member = args->member;
    w->item = args->item;
    w->revision = t->revision;
    w->method = km_arena_str(arena, args->method);
    w->params = km_arena_str(arena, args->params);
    w->shown = km_arena_str(arena, args->shown);
    if (t->revision->era == KM_MCP_STATELESS || args->member->builtin)
        w->text = km_arena_str(arena, t->text);
    w->principal = km_arena_str(arena, t->in->principal);
    w->capabilities = km_arena_str(arena, t->capabilities);
    w->log_level = km_arena_str(arena, log_level(t));
    w->logs = t->revision->era == KM_MCP_HANDSHAKE || w->log_level.n > 0;
    if (t->session)
        w->session = km_arena_str(arena, km_str(t->session->id, KM_MCP_SESSION_ID_LEN));
    else
        w->session = km_arena_str(arena, t->client);
    hear_session(w, t);
    read_execution(w, t);
    w->tool = km_str_eq(args->method, KM_STR("tools/call"));
    r = km_mcp_follow_find(w, t);
    if (any_logs_in(w))
        w->base = km_oauth_base_of(t->in->visit, km_header_get(&t->in->headers, KM_STR("host")),
                                   t->in->secure, arena);
    copy_headers(w, &t->in->headers);
    if (km_mcp_has_line(w))
        km_mcp_hear_priority(w, &t->in->headers);
    w->args = a;
    w->fresh = true;
    km_list_init(&w->questions);
    km_timer_init(&w->park_timer, t->hub->w->loop, NULL, w);
    km_mcp_flow_init(&w->flow, w->call);
    w->job.cancel = on_job_cancelled;
    return r;
}

static void drop_view(void *view)
{
    km_mcp_view_unref(view);
}

void km_mcp_call_begin(struct km_mcp_turn *t, const struct km_mcp_call_args *args)
{
    struct km_call *call = km_call_new(t->hub->w, &mcp_kind, ARENA_BYTES);
    struct km_mcp_work *w = call ? km_arena_zalloc(&call->arena, sizeof *w) : NULL;
    KM_ERR_NONE(err);

    if (w) {
        km_call_set_work(call, w);
        w->call = call;
        call->req.num_retries = -1; /* as configured */
        call->visit = km_visit_copy(t->in->visit, &call->arena);
        w->port.ops = &km_mcp_client_ops;
    }
    if (!w || !call->visit || km_visit_seat(call->visit, &call->arena, t->hub->w) < 0 ||
        km_arena_defer(&call->arena, drop_view, args->view) < 0) {
        if (call)
            km_call_drop(call);
        km_mcp_turn_fault(t, KM_RPC_OVERLOADED, "out of memory");
        return;
    }
    if (fill(w, t, args) < 0 || km_json_digest(w->args, w->digest, &err) < 0 ||
        km_arena_overflowed(&call->arena)) {
        km_call_drop(call);
        km_mcp_turn_fault(t, KM_RPC_INTERNAL, "the arguments are too large");
        return;
    }
    km_mcp_job_begin(&w->job, t->stream, km_arena_str(&call->arena, t->msg.id));
    if (!t->stream->no_events && !t->stream->streaming)
        km_timer_start(&t->stream->late, KM_MCP_STREAM_LATE_MS);
    km_call_take_port(call, call->visit, &w->port);
    km_call_start(call);
}
