/* SPDX-License-Identifier: Apache-2.0 */
/* execution.c - what a caller says of how its request is carried out (policy/execution.h), as it
 * comes to a call: where it stands, and what it does there.
 *
 *     head, body's `kanmon` ──> call->execution ─┬─ maxRetries        the request's num_retries
 *                                                ├─ fallbackProvider  first of its own fallbacks
 *                                                ├─ timeout           send.c, where time begins
 *                                                └─ requestedBy       log, books
 *
 * A call that says nothing has none, and pays a look at the names of its header fields.
 */
#include "call/execution.h"

#include "call/call.h"
#include "call/priority.h"
#include "http/json.h"
#include "policy/execution.h"
#include "store/record.h"

static struct km_execution *make(struct km_call *call)
{
    struct km_execution *x = km_arena_alloc(&call->arena, sizeof *x);

    if (x)
        *x = (struct km_execution){ 0 };
    return x;
}

/* In the books with what else the caller wants to have there; alone where both are too long. */
static struct km_str metadata_with(struct km_call *call, struct km_str who)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF((size_t)64 * 1024);
    struct km_str more = km_str_trim(call->req.metadata);

    km_buf_str(&b, KM_STR("{\"requestedBy\":"));
    km_buf_json(&b, who);
    if (more.n > 2 && more.n + b.n < KM_RECORD_METADATA_BYTES) {
        more = km_str_trim(km_str_skip(more, 1));
        km_buf_str(&b, more.n > 1 ? KM_STR(",") : KM_STR_NONE);
        km_buf_str(&b, more);
    } else {
        km_buf_byte(&b, '}');
    }
    return km_arena_str(&call->arena, km_buf_view(&b));
}

int km_call_set_execution(struct km_call *call, struct km_execution *x, struct km_err *err)
{
    km_execution_bound(x, call->visit->view->snap->execution);
    if (x->caching)
        x->inactive |= KM_EXECUTION_BIT(CACHING);
    if (x->batching && !(call->req.names & KM_NAMES_VECTORS))
        x->inactive |= KM_EXECUTION_BIT(BATCHING);
    if (km_execution_says(x, KM_EXECUTION_FALLBACK) && !call->kind->falls_back)
        x->inactive |= KM_EXECUTION_BIT(FALLBACK);
    if (x->resume && (!call->req.stream || !call->api || !call->api->note_told))
        x->inactive |= KM_EXECUTION_BIT(RESUME);
    if (km_execution_says(x, KM_EXECUTION_RETRIES))
        call->req.num_retries = x->max_retries;
    if (km_execution_says(x, KM_EXECUTION_PRIORITY))
        km_call_set_priority(call, x->priority);
    if (km_execution_says(x, KM_EXECUTION_BY))
        call->req.metadata = metadata_with(call, x->requested_by);
    if (x->dry_run && !call->kind->explain)
        return km_fail_param(err, KM_E_UNSUPPORTED, "dryRun",
                             "What would happen to this kind of request cannot be told before.");
    call->execution = x;
    return 0;
}

/* num_retries and its header have the ceiling of maxRetries, and it is said where that lowered
 * them. */
static int bound_retries(struct km_call *call, struct km_err *err)
{
    const int64_t most = call->visit->view->snap->execution->max_retries;

    if (call->req.num_retries <= most)
        return 0;
    if (!call->execution)
        call->execution = make(call);
    if (!call->execution)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    call->req.num_retries = call->execution->max_retries = most;
    call->execution->lowered |= KM_EXECUTION_BIT(RETRIES);
    return 0;
}

static int read_execution(struct km_call *call, struct km_err *err)
{
    struct km_execution *x;
    int r = 0;

    call->execution = NULL;
    if (!call->req.execution.n && !(call->request && km_execution_in_head(&call->request->headers)))
        return 0;
    x = make(call);
    if (!x)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    if (call->request)
        r = km_execution_read_head(x, &call->request->headers, &call->arena, err);
    if (r == 0 && call->req.execution.n)
        r = km_execution_read_text(x, call->req.execution, KM_EXECUTION_BODY, &call->arena, err);
    return r < 0 || !x->said ? r : km_call_set_execution(call, x, err);
}

int km_call_read_execution(struct km_call *call, struct km_err *err)
{
    const int r = read_execution(call, err);

    return r < 0 ? r : bound_retries(call, err);
}

int km_call_cut_execution(struct km_call *call, struct km_err *err)
{
    static const struct km_str name = { KM_EXECUTION_BODY, sizeof KM_EXECUTION_BODY - 1 };
    struct km_json_object object;
    struct km_json_edits edits;
    struct km_json_span span;
    struct km_str *parts;
    size_t n;
    int r;

    call->req.execution = KM_STR_NONE;
    if (km_str_find(call->body, KM_STR("\"" KM_EXECUTION_BODY "\"")) == call->body.n ||
        km_json_spans(call->body, &name, 1, &span, &object, NULL) < 0 ||
        span.type != KM_JSON_OBJECT) /* a word of a body that is no affair of ours */
        return 0;
    call->req.execution = km_json_value(call->body, &span);
    km_json_edits_init(&edits, call->body, &object);
    km_json_cut(&edits, &span);
    r = km_json_parts(&edits, &call->arena, &parts, &n, err);
    if (r < 0)
        return r;
    call->body = km_arena_cat(&call->arena, parts, n);
    return call->body.n ? 0 : km_fail(err, KM_E_NOMEM, "out of memory");
}

bool km_call_is_dry(const struct km_call *call)
{
    return call->execution && call->execution->dry_run;
}

int64_t km_call_bound_time(const struct km_call *call, int64_t ms)
{
    struct km_execution *x = call->execution;

    if (!km_execution_says(x, KM_EXECUTION_TIMEOUT))
        return ms;
    if (ms > 0 && x->timeout_ms > ms) {
        x->timeout_ms = ms;
        x->lowered |= KM_EXECUTION_BIT(TIMEOUT);
    }
    return x->timeout_ms;
}

void km_call_execution_line(const struct km_call *call, struct km_buf *head)
{
    if (!km_execution_differs(call->execution))
        return;
    km_buf_str(head, KM_STR("x-kanmon-adjusted: "));
    km_execution_put(call->execution, false, head);
    km_buf_str(head, KM_STR("\r\n"));
}
