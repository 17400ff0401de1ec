/* SPDX-License-Identifier: Apache-2.0 */
/* account.c - the books: runs exactly once for every admitted call, whatever ended it.
 *
 * What each of its attempts cost is said by bill.c; here they are summed and written.  The permit
 * is given back here, so a key's room is right before the client has its last byte.  In strict mode
 * that last byte waits until the settlement is on disk.
 */
#include "call/call.h"
#include "call/caller.h"

#include "call/gateway_budget.h"
#include "call/hooks.h"
#include "call/veil.h"
#include "call/which.h"

#include "call/metrics.h"
#include "call/resume.h"
#include "call/run.h"
#include "policy/execution.h"

/* A wildcard deployment's entry names what was really called. */
static struct km_str model_name(struct km_call *call)
{
    struct km_str model = call->at->d->model;
    size_t at;

    if (call->kind->is_lent && call->kind->is_lent(call)) /* whoever lent the credentials */
        return km_arena_cat(
            &call->arena,
            (struct km_str[]){ call->at->d->provider_name, KM_STR("/"), call->req.model }, 3);
    if (call->at->d->plain)
        return model;
    at = km_str_chr(model, '*');
    if (at == model.n)
        return model;
    return km_arena_cat(
        &call->arena,
        (struct km_str[]){ km_str_sub(model, 0, at), call->match.star, km_str_skip(model, at + 1) },
        3);
}

struct km_str km_call_label(const struct km_call *call)
{
    if (call->req.model.n)
        return call->req.model;
    return call->kind->label ? call->kind->label(call) : KM_STR_NONE;
}

void km_call_name(struct km_call *call, char *ip, struct km_ledger_entry *e)
{
    km_visit_books(call->visit, ip, e);
    e->payers = km_call_payers_text(call);
    e->budgeted = km_call_is_budgeted(call);
    if (call->kind->books) {
        call->kind->books(call, e);
        return;
    }
    e->call_type =
        km_str_c(call->api && !call->kind->own ? call->api->call_type : call->kind->call_type);
    e->model_group = km_call_label(call);
}

void km_call_entry(struct km_call *call, struct km_ledger_entry *e, char *ip)
{
    km_call_name(call, ip, e);
    if (call->at->d) {
        e->model = model_name(call);
        e->deployment = call->at->d->id;
        e->provider = call->at->d->provider_name;
        e->api_base = call->at->d->api_base;
    } else if (call->kind->base) {
        e->api_base = call->kind->base(call);
    }
    e->user = km_call_end_user(call);
    e->metadata = call->req.metadata;
}

static void fill_numbers(const struct km_call *call, struct km_ledger_entry *e)
{
    e->id = call->visit->id;
    e->start_us = call->start_us;
    e->first_us = call->first_us;
    e->end_us = call->start_us + (int64_t)(call->total_ns / 1000);
    e->prompt_tokens = call->usage.prompt_tokens;
    e->completion_tokens = call->usage.completion_tokens;
    e->cached_tokens = call->usage.cached_tokens;
    e->reserved = km_broker_reserved(call);
    e->cost = call->cost;
    e->status = call->client_status;
    e->flags = call->flags;
    e->attempt = 0;
    e->deadline_us = 0;
    e->payers = km_call_payers_text(call);
    e->payers_kept = call->hold.payers_kept;
}

/* Does its intent name all that its settlement would? */
static bool is_named(const struct km_call *call)
{
    return call->nsent == 1 && call->at->money.number == 1 && !call->kind->books;
}

/* Mostly nothing but numbers has to be written any more. */
static void settle_call(struct km_call *call, km_store_done_fn *done, bool *ret_wait)
{
    struct km_ledger_entry e;
    char ip[KM_ADDR_TEXT];

    *ret_wait = false;
    fill_numbers(call, &e); /* all that is read of it in place */
    if (is_named(call) && km_ledger_settle_in_place(call->w->ledger, &e))
        return;
    e = (struct km_ledger_entry){ 0 };
    fill_numbers(call, &e);
    km_call_entry(call, &e, ip);
    e.payers = km_call_payers_books(call);
    e.attempts = km_call_attempts_json(call);
    e.unasked = !call->intent;
    km_ledger_settle(call->w->ledger, &e, done, call, ret_wait);
}

static void on_settled(void *ctx, const struct km_err *err)
{
    struct km_call *call = ctx;

    /* A settlement that cannot be written now stays queued and is written later: the client's
     * answer does not hang on it. */
    (void)err;
    call->held = false;
    km_call_resume(call, 0);
}

/* What the client was told, or will be. */
static int client_status(const struct km_call *call)
{
    if (call->client_gone && !call->streaming)
        return 499;
    if (call->streaming && km_resume_goes_on(call->resume))
        return 200;
    if (call->streaming && !(call->failed && call->deliver.first && !call->started))
        return call->at->status ? call->at->status : 200;
    if (call->failed) /* before anything of the answer has left */
        return km_err_http(&call->err);
    return call->at->status;
}

void km_call_log(struct km_call *call)
{
    struct km_line l;
    const struct km_visit *v = call->visit;
    struct km_str label = km_call_label(call);
    uint64_t total_us = call->total_ns / 1000;
    uint64_t up_us = call->upstream_ns / 1000;

    if (!km_log_begin(call->w->gw->log, &l, call->failed ? KM_LOG_WARN : KM_LOG_INFO, "call"))
        return;
    km_line_cstr(&l, "id", v->id_text);
    if (v->within.n)
        km_line_str(&l, "within", v->within);
    km_line_str(&l, "key", v->who.key ? v->who.key->alias_label : km_str_c(v->who.who));
    if (call->run && call->run->shown.n)
        km_line_str(&l, "run", call->run->shown);
    if (km_execution_says(call->execution, KM_EXECUTION_BY))
        km_line_str(&l, "requested_by", call->execution->requested_by);
    if (call->kind->log)
        call->kind->log(call, &l);
    if (label.n) /* a call may be refused before it was read */
        km_line_str(&l, "model", label);
    if (call->rule)
        km_line_str(&l, "route", call->rule->name);
    if (call->asked_model.n)
        km_line_str(&l, "instead_of", call->asked_model);
    if (call->at->d)
        km_line_str(&l, "deployment", call->at->d->id);
    if (call->route.left_out)
        km_call_which_log(call, &l);
    if (call->dry)
        km_line_cstr(&l, "dry_run", "true");
    if (call->resume)
        km_resume_log(call, &l);
    km_line_i64(&l, "status", call->client_status);
    km_line_i64(&l, "prompt_tokens", call->usage.prompt_tokens);
    km_line_i64(&l, "completion_tokens", call->usage.completion_tokens);
    km_line_decimal(&l, "cost", call->cost, 9);
    km_line_decimal(&l, "first_ms", (int64_t)(call->first_ns / 1000), 3);
    km_line_decimal(&l, "upstream_ms", (int64_t)up_us, 3);
    km_line_decimal(&l, "overhead_ms", (int64_t)(total_us > up_us ? total_us - up_us : 0), 3);
    if (call->queued_ms) {
        km_line_str(&l, "priority", km_priority_name(call->priority));
        km_line_i64(&l, "queued_ms", (int64_t)call->queued_ms);
    }
    if (call->failed) {
        km_line_cstr(&l, "error", km_err_name(call->err.code));
        km_line_cstr(&l, "why", call->err.text);
    }
    if (call->client_gone)
        km_line_cstr(&l, "client", "gone");
    if (v->view->snap->gateway->log_prompts)
        km_line_str(&l, "request", km_str_sub(call->body, 0, 8192));
    km_log_end(&l);
}

/* The settlement is where it has to be. */
static enum km_next closed(struct km_call *call)
{
    struct km_err ignored;

    if (call->kind->record && call->kind->record(call))
        return KM_WAIT;
    if (km_call_run_hooks(call, KM_HOOK_SETTLED, &ignored) == KM_E_AGAIN)
        return KM_WAIT;
    return km_call_go(call, KM_STEP_finish);
}

static void give_back(struct km_call *call)
{
    int64_t tokens = call->usage.prompt_tokens + call->usage.completion_tokens;

    if (call->visit->has_place)
        call->flags |= KM_CALL_WITHIN;
    if (!call->kind->own) {
        km_broker_settle(call, call->cost, tokens);
        return;
    }
    call->flags |= KM_CALL_PART; /* no permit was taken: nothing but its cost is to be settled */
    km_broker_charge(call, call->cost, tokens);
}

enum km_next km_step_account(struct km_call *call)
{
    bool wait = false;

    km_timer_stop(&call->deadline);
    if (call->settled) /* resumed: the settlement is on disk */
        return closed(call);
    call->settled = true;
    if (call->waiters)
        km_call_let_go(call);
    km_call_abandon(call);
    if (!call->failed)
        km_call_report(call, KM_OUTCOME_OK);
    call->total_ns = km_mono_ns() - call->began_ns;
    km_call_bill(call);
    km_call_sum(call);
    km_call_share_out(call);
    if (call->failed) {
        km_veil_failure(call);
        call->flags |= KM_CALL_FAILED;
    }
    if (call->req.stream)
        call->flags |= KM_CALL_STREAM;
    call->client_status = client_status(call);
    give_back(call);
    if (!call->kind->outer && !call->unbooked)
        settle_call(call, on_settled, &wait);
    km_count_call(call);
    km_call_log(call);
    call->held = wait;
    return wait ? KM_WAIT : closed(call);
}
