/* SPDX-License-Identifier: Apache-2.0 */
/* resume.c - see resume.h: whether a stream that broke goes on, and what it then costs.
 *
 * The further attempt is one like any other: reserved before it is sent, picked by the router, a
 * fallback where its group has no other deployment.  It has more input than the one before, for
 * what was heard is sent too, and less output to write, for the caller's bound is of all of it.
 */
#include "call/resume.h"

#include "call/call.h"
#include "policy/execution.h"
#include "policy/pace.h"

bool km_resume_is_asked(const struct km_call *call)
{
    if (!call->req.stream || !call->api || !call->api->note_told)
        return false;
    if (km_execution_says(call->execution, KM_EXECUTION_RESUME))
        return call->execution->resume;
    if (call->at->d && call->at->d->resume != KM_RESUME_UNSAID)
        return call->at->d->resume == KM_RESUME_YES;
    return call->visit->view->snap->gateway->resume;
}

bool km_resume_new(struct km_call *call)
{
    struct km_resume *r = km_arena_zalloc(&call->arena, sizeof *r);

    if (!r)
        return false;
    km_told_init(&r->told, &call->arena);
    r->said_tokens = call->req.max_tokens;
    call->resume = r;
    return true;
}

/* Tokens that the attempts so far wrote. */
static int64_t written(const struct km_call *call)
{
    int64_t n = 0;

    for (const struct km_attempt *at = call->newest; at; at = at->before)
        n += at->money.bill.usage.completion_tokens;
    return n;
}

static const char *obstacle(const struct km_call *call)
{
    const struct km_resume *r = call->resume;

    if (r->told.unfit)
        return r->told.unfit;
    if (r->told.resumed >= KM_RESUMES_MOST)
        return "attempts";
    if (call->deliver.over)
        return "guard";
    return call->req.choices > 1 ? "choices" : NULL;
}

bool km_resume_may(struct km_call *call)
{
    if (!call->resume)
        return false;
    call->resume->why_not = obstacle(call);
    return !call->resume->why_not;
}

int km_resume_prepare(struct km_call *call, struct km_err *err)
{
    struct km_resume *r = call->resume;
    int64_t left;

    km_call_bill(call);
    if (!km_resume_goes_on(r) || call->at->relaying)
        r->broke = call->err;
    left = r->said_tokens < 0 ? -1 : r->said_tokens - written(call);
    if (r->said_tokens >= 0 && left <= 0)
        return km_fail(err, KM_E_UNSUPPORTED, "The answer had come to its bound.");
    call->req.max_tokens = left;
    call->alone = true; /* what goes on is asked by nobody else */
    return km_call_price_anew(call, err);
}

/* Failures of the gateway's own, before anybody was asked. */
static bool says_nothing(const struct km_err *err)
{
    return err->code == KM_E_NO_DEPLOYMENT || err->code == KM_E_UNSUPPORTED ||
           err->code == KM_E_NOT_IMPLEMENTED || err->code == KM_E_RATE_LIMITED;
}

void km_resume_ends(struct km_call *call, const char *why)
{
    struct km_resume *r = call->resume;

    if (!r)
        return;
    if (!r->why_not)
        r->why_not = why;
    if (km_resume_goes_on(r) && !call->at->money.number && says_nothing(&call->err))
        call->err = r->broke;
}

static void add_usage(struct km_usage *sum, const struct km_usage *u)
{
    sum->prompt_tokens += u->prompt_tokens;
    sum->completion_tokens += u->completion_tokens;
    sum->cached_tokens += u->cached_tokens;
    sum->cache_write_tokens += u->cache_write_tokens;
    sum->cache_write_1h_tokens += u->cache_write_1h_tokens;
    sum->reasoning_tokens += u->reasoning_tokens;
}

void km_resume_sum(struct km_call *call, const struct km_usage *own)
{
    struct km_usage *sum = &call->resume->used;

    *sum = *own;
    for (const struct km_attempt *at = call->newest; at; at = at->before)
        if (at != call->at)
            add_usage(sum, &at->money.bill.usage);
}

void km_resume_log(const struct km_call *call, struct km_line *line)
{
    const struct km_resume *r = call->resume;

    if (r->told.resumed)
        km_line_i64(line, "resumed", r->told.resumed);
    if (r->why_not)
        km_line_cstr(line, "not_resumed", r->why_not);
}
