/* SPDX-License-Identifier: Apache-2.0 */
/* record.c - what the audit log keeps of an MCP call: one record each.
 *
 *     server, tool, digest of the arguments, outcome, time, revision, cost, who approved, for whom
 *
 * It tells no argument and no word of the answer: who may read the log need not know either.
 */
#include "base/encode.h"
#include "gateway/mcp/access.h"
#include "gateway/mcp/call.h"
#include "mcp/schema.h"

#define SUBJECT_BYTES 256
#define NAME_BYTES 256 /* of a tool */

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

const char *km_mcp_outcome(const struct km_mcp_work *w)
{
    const struct km_call *call = w->call;

    if (w->word)
        return w->word;
    if (call->answered)
        return "answered"; /* by a hook: no server heard of it */
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
    km_buf_str(b, km_str_c(km_mcp_outcome(w)));
    km_buf_str(b, KM_STR("\",\"duration_us\":"));
    km_buf_u64(b, call->total_ns / 1000);
    km_buf_str(b, KM_STR(",\"revision\":\""));
    km_buf_str(b, w->revision->name);
    km_buf_str(b, KM_STR("\",\"cost\":"));
    km_buf_decimal(b, call->cost, 9);
    if (call->nsent > 1) {
        km_buf_str(b, KM_STR(",\"attempts\":"));
        km_buf_u64(b, call->nsent);
    }
    if (w->instead_of.n) {
        km_buf_str(b, KM_STR(",\"instead_of\":"));
        km_buf_json(b, w->instead_of);
    }
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

/* One a call. */
bool km_mcp_record(struct km_call *call)
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
