/* SPDX-License-Identifier: Apache-2.0 */
/* call.c - the MCP kind of call: what the steps of call.c do for a request to a server.
 *
 *     prepare   may this key give these arguments; what it may cost
 *     send      may it run at all; then the server is asked: a table of its own (flow.c)
 *     reply     the answer on the stream of whoever waits, and the record of the call
 *
 * A call is detached from its exchange from the beginning: it has a copy of the visit, and its
 * client may come back on another connection.
 */
#include "gateway/mcp/call.h"

#include <stdlib.h>

#include "base/encode.h"
#include "gateway/mcp/access.h"
#include "gateway/mcp/counts.h"
#include "door/oauth/access.h"
#include "mcp/schema.h"

#define ARENA_BYTES ((size_t)96 * 1024 * 1024)
#define ANSWER_BYTES (3 * KM_RPC_BYTES)
#define REQUESTED_BY_BYTES 128
#define SUBJECT_BYTES 256
#define NAME_BYTES 256 /* of a tool, in its record */

/* --- may it run --- */

static int prepare(struct km_call *call, struct km_err *err)
{
    struct km_mcp_work *w = km_mcp_work_of(call);

    if (!km_mcp_is_judged(w))
        return 0;
    w->cost = km_mcp_configured_cost(w->member->upstream, w->item->name);
    call->reserve = w->cost;
    if (km_mcp_needs_approval(w) && km_mcp_args_once(w->args, &call->arena, err) < 0)
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

/* --- kanmon's own tools --- */

static void on_own_reply(struct km_mcp_call *own, int http, struct km_str body)
{
    static const struct km_str names[] = { { "result", 6 }, { "error", 5 } };
    struct km_mcp_work *w = own->owner;
    struct km_json_span s[2];

    w->call->held = false;
    w->recorded = true;
    w->call->at->status = 200;
    w->call->first_us = km_wall_us();
    if (km_json_spans(body, names, 2, s, NULL, NULL) < 0)
        km_mcp_work_fault(w, KM_RPC_INTERNAL, "the tool's answer could not be read");
    else if (s[1].type != KM_JSON_ABSENT)
        km_mcp_work_error(w, km_json_value(body, &s[1]));
    else
        km_mcp_work_raw(w, km_json_value(body, &s[0]));
    w->http = http;
    km_mcp_flow_resume(&w->flow, KM_MCP_FLOW_ask, KM_MCP_FLOW_done, NULL);
}

static void on_recorded(void *own, const struct km_err *err)
{
    km_mcp_audited(own, err);
}

static void on_own_audit(struct km_mcp_call *own, const struct km_audit *record)
{
    struct km_mcp_work *w = own->owner;

    km_store_audit(w->hub->w->gw->store, w->hub->w->mailbox, record, on_recorded, own);
}

static const struct km_mcp_host own_host = { .audit = on_own_audit,
                                             .reply = on_own_reply };

int km_mcp_run_own(struct km_mcp_work *w, struct km_err *err)
{
    struct km_arena *arena = &w->call->arena;
    const struct km_visit *v = w->call->visit;
    struct km_mcp_endpoint *endpoint = km_arena_zalloc(arena, sizeof *endpoint);
    const struct km_mcp_server **server = km_arena_zalloc(arena, sizeof *server);
    struct km_mcp_call *own = km_arena_zalloc(arena, sizeof *own);
    enum km_rpc_fault fault;
    int r;

    if (!endpoint || !server || !own)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    *server = w->member->builtin;
    *endpoint = (struct km_mcp_endpoint){ .name = KM_STR("kanmon"),
                                          .title = KM_STR("kanmon"),
                                          .version = KM_STR(KM_VERSION),
                                          .servers = server,
                                          .nservers = 1 };
    *own = (struct km_mcp_call){
        .arena = arena,
        .host = &own_host,
        .endpoint = endpoint,
        .caller = { .who = km_str_c(v->who.who),
                    .principal = w->principal,
                    .admin = v->who.admin,
                    .ctx = w->call->visit },
        .approvals = w->hub->shared->approvals,
        .policy = &km_approval_default,
        .revision = w->revision,
        .owner = w,
    };
    r = km_rpc_parse(arena, w->text, &own->msg, &fault, err);
    if (r < 0)
        return r;
    w->call->at->began_ns = km_mono_ns();
    w->call->held = true; /* it works in the call's arena, and answers in any case */
    km_mcp_handle(own);
    return 0;
}

/* --- sending --- */

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

static void books(struct km_call *call, struct km_ledger_entry *e)
{
    struct km_mcp_work *w = km_mcp_work_of(call);

    e->audited = true;
    e->call_type = w->tool ? KM_STR("call_mcp_tool") : w->method;
    if (!w->group.n) /* asked for at each end of the call */
        w->group = km_arena_cat(&call->arena, (struct km_str[]){ KM_STR("MCP: "), w->shown }, 2);
    e->model_group = w->group;
    e->provider = KM_STR("mcp");
    e->deployment = w->member->name;
    e->api_base = w->member->upstream ? w->member->upstream->entry->url : KM_STR_NONE;
}

/* --- the end --- */

static void on_written(void *ctx, const struct km_err *err)
{
    struct km_mcp_work *w = ctx;

    w->call->held = false;
    if (err)
        km_mcp_work_fault(w, KM_RPC_INTERNAL,
                          "the call could not be recorded, so its result is withheld");
    km_call_resume(w->call, 0);
}

/* Who a token says its holder is: the issuer's word, where requestedBy is the client's. */
static void put_subject(const struct km_visit *v, struct km_buf *b)
{
    if (!v->who.subject.n)
        return;
    km_buf_str(b, KM_STR(",\"issuer\":"));
    km_buf_json(b, km_str_sub(v->who.issuer, 0, SUBJECT_BYTES));
    km_buf_str(b, KM_STR(",\"subject\":"));
    km_buf_json(b, km_str_sub(v->who.subject, 0, SUBJECT_BYTES));
}

/* How it ended, in the audit log and in /metrics. */
static const char *outcome(const struct km_mcp_work *w)
{
    const struct km_call *call = w->call;

    if (w->word)
        return w->word;
    if (!call->failed)
        return "failed";
    return call->client_gone ? "cancelled" : km_err_name(call->err.code);
}

/* Without a printf: each call has one of these. */
static void put_record(struct km_mcp_work *w, struct km_buf *b)
{
    struct km_call *call = w->call;
    char hex[65];

    km_hex(hex, w->digest, sizeof w->digest);
    km_buf_str(b, KM_STR("{\"server\":"));
    km_buf_json(b, w->member->name);
    km_buf_str(b, w->tool ? KM_STR(",\"tool\":") : KM_STR(",\"method\":"));
    km_buf_json(b, km_str_sub(w->item && w->tool ? w->item->name : w->method, 0, NAME_BYTES));
    km_buf_str(b, KM_STR(",\"arguments_sha256\":\""));
    km_buf_bytes(b, hex, sizeof hex - 1);
    km_buf_str(b, KM_STR("\",\"outcome\":\""));
    km_buf_str(b, km_str_c(outcome(w)));
    km_buf_str(b, KM_STR("\",\"duration_us\":"));
    km_buf_u64(b, call->total_ns / 1000);
    km_buf_str(b, KM_STR(",\"revision\":\""));
    km_buf_str(b, w->revision->name);
    km_buf_str(b, KM_STR("\",\"cost\":"));
    km_buf_decimal(b, call->cost, 9);
    if (w->noted.n) {
        km_buf_byte(b, ',');
        km_buf_str(b, w->noted);
    }
    if (w->approved_by.n) {
        km_buf_str(b, KM_STR(",\"approvedBy\":"));
        km_buf_json(b, w->approved_by);
    }
    put_subject(call->visit, b);
    if (w->requested_by.n) {
        km_buf_str(b, KM_STR(",\"requestedBy\":"));
        km_buf_json(b, w->requested_by);
    }
    km_buf_byte(b, '}');
}

/* One a call.  In strict accounting the answer to a call of a server's tool waits for it. */
static bool record(struct km_call *call)
{
    struct km_mcp_work *w = km_mcp_work_of(call);
    struct km_buf *b = &w->hub->w->scratch;
    struct km_audit audit = { .actor = km_str_c(call->visit->who.who),
                              .action = w->tool ? KM_STR("mcp.call") : KM_STR("mcp.ask") };
    bool wait = call->admitted && w->tool;

    if (w->recorded)
        return false;
    w->recorded = true;
    km_buf_reset(b);
    put_record(w, b);
    audit.target = km_str_sub(w->shown, 0, 128);
    audit.detail = km_buf_view(b);
    km_ledger_audit(w->hub->w->ledger, &audit, call->intent, wait ? on_written : NULL, w, &wait);
    call->held = wait;
    return wait;
}

void km_mcp_record_refused(struct km_mcp_turn *t, struct km_str server, struct km_str name,
                           const char *outcome)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(8 * 1024);
    struct km_audit audit = { .actor = km_str_c(t->in->visit->who.who),
                              .action = KM_STR("mcp.call") };
    uint8_t digest[32] = { 0 };
    bool waits;
    char hex[65];

    (void)(km_json_digest(km_json_get(t->msg.params, "arguments"), digest, NULL) == 0);
    km_hex(hex, digest, sizeof digest);
    km_buf_str(&b, KM_STR("{\"server\":"));
    km_buf_json(&b, server);
    km_buf_str(&b, KM_STR(",\"tool\":"));
    km_buf_json(&b, km_str_sub(name, 0, 128));
    km_buf_printf(&b, ",\"arguments_sha256\":\"%s\",\"outcome\":\"%s\",\"revision\":\"%.*s\"", hex,
                  outcome, KM_STR_ARG(t->revision->name));
    put_subject(t->in->visit, &b);
    km_buf_byte(&b, '}');
    audit.target = km_str_sub(name, 0, 128);
    audit.detail = km_buf_view(&b);
    km_ledger_audit(t->hub->w->ledger, &audit, false, NULL, NULL, &waits);
}

static bool reply(struct km_call *call)
{
    struct km_buf failure KM_CLEANUP(km_buf_done) = KM_BUF(ANSWER_BYTES);
    struct km_mcp_work *w = km_mcp_work_of(call);
    struct km_str message = KM_STR_NONE;
    int http = w->http ? w->http : 200;

    (void)record(call); /* of one that never was admitted */
    if (w->job.stream) {
        if (w->outcome != KM_MCP_OUT_NONE)
            message = km_mcp_work_message(w);
        if (!message.n) {
            km_rpc_failure(&failure, w->revision->era, w->job.id, &call->err);
            message = km_buf_view(&failure);
            http = km_mcp_stream_status(w->job.stream, &call->err, http);
        }
        km_mcp_job_answer(&w->job, http, message);
    }
    w->view = km_mcp_view_unref(w->view);
    return true;
}

static bool cost(const struct km_call *call, bool sent, int64_t *ret_cost)
{
    (void)sent;
    *ret_cost = call->first_us ? km_mcp_work_of(call)->cost : 0;
    return true;
}

static void count(struct km_call *call)
{
    struct km_mcp_work *w = km_mcp_work_of(call);
    struct km_mcp_count c = { .server = w->member->name,
                              .outcome = outcome(w),
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

const char km_mcp_work_name[] = "mcp";

static const struct km_call_kind mcp_kind = {
    .name = "mcp",
    .work_name = km_mcp_work_name,
    .placed = true,
    .cost = cost,
    .count = count,
    .log = log_names,
    .prepare = prepare,
    .attempt = attempt,
    .complete = complete,
    .send = send_call,
    .abandon = abandon,
    .books = books,
    .reply = reply,
    .record = record,
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

/* On whose behalf, in the client's own words; where it says nothing, its token's subject. */
static struct km_str requested_by(const struct km_mcp_turn *t)
{
    struct km_str who = km_header_get(&t->in->headers, KM_STR("x-kanmon-requested-by"));

    (void)km_json_string(km_json_get(km_json_get(t->msg.params, "_meta"), "kanmon/requestedBy"),
                         &who);
    if (!who.n)
        who = t->in->visit->who.subject;
    return km_str_sub(who, 0, REQUESTED_BY_BYTES);
}

static void copy_headers(struct km_mcp_work *w, const struct km_headers *h)
{
    if (w->member->upstream && km_mcp_headers_matter(w->member->upstream, h))
        w->headers = km_headers_copy(&w->call->arena, h);
}

static void fill(struct km_mcp_work *w, struct km_mcp_turn *t, const struct km_mcp_call_args *args)
{
    struct km_arena *arena = &w->call->arena;
    const struct km_json *a = km_json_get(t->msg.params, "arguments");

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
    w->requested_by = km_arena_str(arena, requested_by(t));
    if (args->member->upstream && args->member->upstream->oauth)
        w->base = km_oauth_base_of(t->in->visit, km_header_get(&t->in->headers, KM_STR("host")),
                                   t->in->secure, arena);
    copy_headers(w, &t->in->headers);
    w->tool = km_str_eq(args->method, KM_STR("tools/call"));
    w->args = a; /* the turn's: prepare runs before it ends */
    km_list_init(&w->questions);
    km_timer_init(&w->park_timer, t->hub->w->loop, NULL, w);
    km_mcp_flow_init(&w->flow, w->call);
    w->job.cancel = on_job_cancelled;
}

void km_mcp_call_begin(struct km_mcp_turn *t, const struct km_mcp_call_args *args)
{
    struct km_call *call = km_call_new(t->hub->w, &mcp_kind, ARENA_BYTES);
    struct km_mcp_work *w = call ? km_arena_zalloc(&call->arena, sizeof *w) : NULL;
    KM_ERR_NONE(err);

    if (w) {
        km_call_set_work(call, w);
        w->call = call;
        call->visit = km_visit_copy(t->in->visit, &call->arena);
    }
    if (!w || !call->visit || km_visit_seat(call->visit, &call->arena, t->hub->w) < 0) {
        if (call)
            km_call_drop(call);
        km_mcp_turn_fault(t, KM_RPC_OVERLOADED, "out of memory");
        return;
    }
    fill(w, t, args);
    if (km_json_digest(w->args, w->digest, &err) < 0 || km_arena_overflowed(&call->arena)) {
        km_mcp_view_unref(w->view);
        km_call_drop(call);
        km_mcp_turn_fault(t, KM_RPC_INTERNAL, "the arguments are too large");
        return;
    }
    km_mcp_job_begin(&w->job, t->stream, km_arena_str(&call->arena, t->msg.id));
    if (!t->stream->no_events && !t->stream->streaming)
        km_timer_start(&t->stream->late, KM_MCP_STREAM_LATE_MS);
    km_call_start(call);
}
