/* SPDX-License-Identifier: Apache-2.0 */
/* call.c - tools/call: find the tool, look at its arguments, ask whether it may run, run
 * it, record it, answer.
 *
 *     name ──> tool ──> arguments fit ──> verdict ──> run ──> answer is kept ──> record ──> reply
 *      │                     │               │                     ^
 *      └── unknown           └── they do not └── ask, deny ────────┘
 *
 * Every way leads through the record, with its outcome: a call that was refused is as worth
 * knowing as one that ran.  The answer waits until the record is committed; if it cannot be, the
 * caller gets an error instead of the result.
 *
 * A tool the caller may not see does not exist for it: the answer is the same.
 */
#include "mcp/server/server.h"

#include <stdio.h>

#include "base/crypto.h"
#include "base/encode.h"
#include "base/time.h"
#include "mcp/schema.h"
#include "mcp/server/part.h"

#define NOTED_BYTES 1024

static void drop_buf(void *buf)
{
    km_buf_done(buf);
}

/* The answer is complete in call->out: now the record. */
static void record(struct km_mcp_call *call, const char *outcome)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(8 * 1024);
    struct km_str name = km_str_sub(call->asked_name, 0, 128);
    char hex[65];
    struct km_audit audit = { .actor = call->caller.who, .action = KM_STR("mcp.call") };

    if (call->tool && call->server->ended)
        call->server->ended(call, outcome);
    km_hex(hex, call->digest, sizeof call->digest);
    km_buf_str(&b, KM_STR("{\"server\":"));
    km_buf_json(&b, call->server ? call->server->name : KM_STR_NONE);
    km_buf_str(&b, KM_STR(",\"tool\":"));
    km_buf_json(&b, call->tool ? call->tool->name : name);
    km_buf_str(&b, KM_STR(",\"arguments_sha256\":\""));
    km_buf_str(&b, km_str(hex, sizeof hex - 1));
    km_buf_str(&b, KM_STR("\",\"outcome\":\""));
    km_buf_str(&b, km_str_c(outcome));
    km_buf_str(&b, KM_STR("\",\"duration_us\":"));
    km_buf_u64(&b, (km_mono_ns() - call->began_ns) / 1000);
    km_buf_str(&b, KM_STR(",\"revision\":\""));
    km_buf_str(&b, call->revision->name);
    km_buf_str(&b, call->noted.n ? KM_STR("\",") : KM_STR("\""));
    km_buf_str(&b, call->noted);
    km_buf_byte(&b, '}');
    audit.target = name;
    audit.detail = km_buf_view(&b);
    call->host->audit(call, &audit);
}

void km_mcp_call_note(struct km_mcp_call *call, struct km_str members)
{
    call->noted = members.n <= NOTED_BYTES ? members : KM_STR_NONE;
    if (call->host->noted)
        call->host->noted(call);
}

void km_mcp_audited(struct km_mcp_call *call, const struct km_err *err)
{
    if (err)
        km_mcp_fault(call, KM_RPC_INTERNAL,
                     "the call could not be recorded, so its result is withheld");
    else if (call->refused)
        km_mcp_fault(call, call->fault, km_buf_cstr(&call->out));
    else if (km_buf_failed(&call->out))
        km_mcp_fault(call, KM_RPC_INTERNAL, "the tool's result is over 4 MiB");
    else
        km_mcp_reply_result(call, km_buf_view(&call->out));
}

static void refuse(struct km_mcp_call *call, enum km_rpc_fault fault, const char *outcome,
                   const char *text)
{
    call->refused = true;
    call->fault = fault;
    km_buf_str(&call->out, km_str_c(text));
    record(call, outcome);
}

void km_mcp_end_fault(struct km_mcp_call *call, enum km_rpc_fault fault, const char *outcome,
                      const char *text, struct km_str data)
{
    call->fault_data = km_arena_str(call->arena, data);
    if (call->tool)
        refuse(call, fault, outcome, text);
    else
        km_mcp_fault(call, fault, text);
}

void km_mcp_end_raw(struct km_mcp_call *call, const char *outcome, struct km_str result)
{
    if (!call->tool) {
        km_mcp_reply_result(call, result);
        return;
    }
    km_buf_str(&call->out, result);
    record(call, outcome);
}

static void begin_result(struct km_mcp_call *call)
{
    km_buf_byte(&call->out, '{');
    if (call->revision->era == KM_MCP_STATELESS)
        km_buf_str(&call->out, KM_STR("\"resultType\":\"complete\","));
    km_buf_str(&call->out, KM_STR("\"content\":"));
}

static void end_result(struct km_mcp_call *call, const char *outcome, struct km_str structured,
                       bool is_error)
{
    struct km_buf *b = &call->out;

    if (structured.n && call->revision->structured) {
        km_buf_str(b, KM_STR(",\"structuredContent\":"));
        km_buf_str(b, structured);
    }
    km_buf_str(b, is_error ? KM_STR(",\"isError\":true") : KM_STR(",\"isError\":false"));
    km_mcp_put_meta(call, b);
    km_buf_byte(b, '}');
    record(call, outcome);
}

/* {"content":[{"type":"text"}],...}: text is what every client shows, structured (may be empty)
 * what newer ones read. */
static void end_with(struct km_mcp_call *call, const char *outcome, struct km_str text,
                     struct km_str structured, bool is_error)
{
    begin_result(call);
    km_buf_str(&call->out, KM_STR("[{\"type\":\"text\",\"text\":"));
    km_buf_json(&call->out, text);
    km_buf_str(&call->out, KM_STR("}]"));
    end_result(call, outcome, structured, is_error);
}

void km_mcp_call_result(struct km_mcp_call *call, struct km_str json)
{
    end_with(call, "ok", json, json, false);
}

void km_mcp_call_text(struct km_mcp_call *call, struct km_str text, bool is_error)
{
    end_with(call, is_error ? "error" : "ok", text, KM_STR_NONE, is_error);
}

void km_mcp_call_content(struct km_mcp_call *call, struct km_str content, bool is_error)
{
    begin_result(call);
    km_buf_str(&call->out, content);
    end_result(call, is_error ? "error" : "ok", KM_STR_NONE, is_error);
}

static void end_failed(struct km_mcp_call *call, const char *outcome, const struct km_err *err)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(8 * sizeof err->text);

    if (call->server->error_objects) {
        km_buf_printf(&b, "{\"error\":{\"code\":\"%s\",\"message\":", km_err_name(err->code));
        km_buf_json(&b, km_str_c(err->text));
        km_buf_str(&b, KM_STR("}}"));
    } else {
        km_buf_str(&b, km_str_c(err->text));
    }
    end_with(call, outcome, km_buf_view(&b), KM_STR_NONE, true);
}

void km_mcp_call_failed(struct km_mcp_call *call, const struct km_err *err)
{
    end_failed(call, "error", err);
}

void km_mcp_run_failed(struct km_mcp_call *call, const struct km_err *err)
{
    if (call->tool)
        end_failed(call, "error", err);
    else
        km_mcp_fault(call, KM_RPC_INVALID_PARAMS, err->text);
}

/* By look-up, never by splitting: the name may contain the separator.  The bare form is accepted
 * where names are prefixed, and the prefixed one where they are bare. */
static bool find_tool(struct km_mcp_call *call, struct km_str name)
{
    for (size_t i = 0; i < call->endpoint->nservers; i++) {
        const struct km_mcp_server *s = call->endpoint->servers[i];

        for (size_t k = 0; k < s->ntools; k++) {
            const struct km_mcp_tool *t = &s->tools[k];
            bool full = name.n == s->name.n + 1 + t->name.n && km_str_starts(name, s->name) &&
                        name.p[s->name.n] == '-' && km_str_ends(name, t->name);

            if ((!full && !km_str_eq(name, t->name)) || !km_mcp_visible(call, t))
                continue;
            call->server = s;
            call->tool = t;
            return true;
        }
    }
    return false;
}

static int check_arguments(struct km_mcp_call *call, struct km_err *err)
{
    const struct km_json *schema, *args = call->args;
    int r = km_json_parse(call->arena, call->tool->input, &schema, err);

    if (r == 0 && !args)
        r = km_json_parse(call->arena, KM_STR("{}"), &args, err);
    return r == 0 ? km_schema_check(schema, args, err) : r;
}

/* 0: run it.  Otherwise the answer was given. */
static int ask(struct km_mcp_call *call)
{
    enum km_risk risk = km_risk_of(call->tool->risk, &call->tool->hints);
    enum km_verdict verdict = km_approval_decide(call->policy, risk);
    struct km_buf shown KM_CLEANUP(km_buf_done) = KM_BUF(KM_ARGS_TEXT_BYTES);
    char id[KM_APPROVAL_ID_LEN + 1];
    struct km_err err = { 0 };
    struct km_approval_ask question = {
        .principal = call->caller.principal,
        .server = call->server->name,
        .tool = km_arena_printf(call->arena, "%.*s-%.*s", KM_STR_ARG(call->server->name),
                                KM_STR_ARG(call->tool->name)),
        .digest = call->digest,
        .risk = risk,
    };
    int r = verdict == KM_VERDICT_ALLOW ? 0 : KM_E_FORBIDDEN;

    if (verdict == KM_VERDICT_DENY)
        km_fail(&err, r, "this gateway does not run %.*s tools", KM_STR_ARG(km_risk_name(risk)));
    if (verdict == KM_VERDICT_ASK && km_args_showable(call->args, &err) == 0) {
        question.cut = km_args_show(call->args, KM_ARGS_SHOWN_BYTES, "", &shown);
        question.shown = km_buf_view(&shown);
        if (km_arena_overflowed(call->arena) || km_buf_failed(&shown))
            km_fail(&err, r, "out of memory to ask for approval"); /* never by half a name */
        else
            r = km_approvals_take(call->approvals, &question, km_mono_ms(), id, &err);
    }
    km_wipe(shown.p, shown.n);
    if (r < 0)
        end_with(call, r == KM_E_AGAIN ? "approval_required" : "denied", km_str_c(err.text),
                 KM_STR_NONE, true);
    return r;
}

static void run(struct km_mcp_call *call)
{
    struct km_err err = { 0 };
    int r = check_arguments(call, &err);

    if (r < 0 && call->revision->errors_in_result) {
        end_failed(call, "invalid_arguments", &err);
    } else if (r < 0) {
        refuse(call, KM_RPC_INVALID_PARAMS, "invalid_arguments", err.text);
    } else if (ask(call) == 0) {
        km_mcp_run(call, call->tool->run);
    }
}

void km_mcp_tools_call(struct km_mcp_call *call)
{
    struct km_err err = { 0 };
    char text[200];

    call->began_ns = km_mono_ns();
    km_buf_init(&call->out, 2 * KM_MCP_RESULT_BYTES + (1 << 16));
    if (km_arena_defer(call->arena, drop_buf, &call->out) < 0) {
        km_mcp_fault(call, KM_RPC_INTERNAL, "out of memory");
        return;
    }
    call->args = km_json_get(call->msg.params, "arguments");
    if (!km_json_string(km_json_get(call->msg.params, "name"), &call->asked_name)) {
        refuse(call, KM_RPC_INVALID_PARAMS, "unknown_tool", "tools/call needs params.name");
    } else if (call->args && km_json_kind(call->args) != KM_JSON_OBJECT) {
        refuse(call, KM_RPC_INVALID_PARAMS, "invalid_arguments", "arguments must be an object");
    } else if (km_json_digest(call->args, call->digest, &err) < 0) {
        refuse(call, KM_RPC_INTERNAL, "error", err.text);
    } else if (!find_tool(call, call->asked_name)) {
        snprintf(text, sizeof text, "Unknown tool: %.*s",
                 KM_STR_ARG(km_str_sub(call->asked_name, 0, 128)));
        refuse(call, KM_RPC_INVALID_PARAMS, "unknown_tool", text);
    } else {
        run(call);
    }
}
