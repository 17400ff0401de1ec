/* SPDX-License-Identifier: Apache-2.0 */
/* call_send.c - attempts: pick a deployment, send, and what to do when it fails.
 *
 *     route ──> send ──> (head 2xx) relay ──> account
 *       ^         │                     │
 *       └── recover <────── failure ────┘
 *
 * A failure is tried again on the next deployment of the group while nothing has reached the
 * client and the failure is one that another deployment may not share (no connection, time-out
 * of the first byte, 408, 409, 429, 5xx; 401, 403, 404 are the deployment's own too).  Each
 * attempt begins from the caller's original body.
 */
#include "gateway/call.h"

#include "gateway/metrics.h"
#include "gateway/translate.h"

#define RETRIES_DEFAULT 1

void km_call_abandon(struct km_call *call)
{
    if (!call->up)
        return;
    call->upstream_ns += km_mono_ns() - call->attempt_ns;
    km_http_cancel(call->up);
    call->up = NULL;
}

static unsigned retries_of(const struct km_call *call)
{
    const struct km_snapshot *snap = call->visit->view->snap;
    int64_t n = call->req.num_retries;

    if (n < 0 && call->d)
        n = call->d->num_retries;
    if (n < 0)
        n = snap->routing->num_retries;
    if (n < 0)
        n = snap->llm->num_retries;
    return n < 0 ? RETRIES_DEFAULT : (unsigned)n;
}

static int64_t deadline_of(const struct km_call *call)
{
    const struct km_snapshot *snap = call->visit->view->snap;

    if (call->req.timeout_ms > 0)
        return call->req.timeout_ms;
    if (call->d && call->d->timeout_ms > 0)
        return call->d->timeout_ms;
    return snap->routing->timeout_ms > 0 ? snap->routing->timeout_ms
                                         : snap->llm->request_timeout_ms;
}

static int pick(struct km_call *call, struct km_err *err)
{
    if (!call->route.rng)
        call->route.rng = call->w->rng = call->w->rng * 6364136223846793005U + 1442695040888963407U;
    call->candidate =
        km_route_pick(&call->route, call->match.v, call->match.n, km_loop_now_ms(call->w->loop));
    if (!call->candidate)
        return km_fail(err, KM_E_NO_DEPLOYMENT, "No deployment of model '%.*s' is available.",
                       KM_STR_ARG(km_str_sub(call->req.model, 0, 100)));
    call->d = call->candidate->deployment;
    if (call->d->unavailable.n) {
        km_fail(err, KM_E_NOT_IMPLEMENTED, "Model '%.*s' cannot be called: %.*s.",
                KM_STR_ARG(km_str_sub(call->req.model, 0, 100)), KM_STR_ARG(call->d->unavailable));
        return KM_E_NOT_IMPLEMENTED;
    }
    return 0;
}

enum km_next km_step_route(struct km_call *call)
{
    bool first = call->route.attempts == 0;
    int r = call->same_again || !call->api ? 0 : pick(call, &call->err);

    call->same_again = false;
    if (first) {
        call->retries = retries_of(call);
        km_timer_start(&call->deadline, (uint64_t)deadline_of(call));
    }
    if (r == 0)
        r = call->kind->attempt(call, &call->err);
    if (r < 0) {
        call->failed = true;
        return km_call_go(call, KM_STEP_recover);
    }
    return km_call_go(call, KM_STEP_send);
}

/* A redirect is none: where an upstream is, the configuration says. */
static bool good(int status)
{
    return status >= 200 && status < 300;
}

static void on_head(void *ctx, const struct km_response *response)
{
    struct km_call *call = ctx;

    call->up_status = response->status;
    call->first_ns = km_mono_ns() - km_exchange_began_ns(call->x);
    call->first_us = call->start_us + (int64_t)(call->first_ns / 1000);
    if (good(response->status) || !call->api) {
        km_call_go(call, KM_STEP_relay);
        call->kind->on_head(call, response);
        return;
    }
    /* An error: its Retry-After is kept, its body is read whole, then recover decides. */
    struct km_str after = km_header_get(&response->headers, KM_STR("retry-after"));
    uint64_t seconds;

    call->err.retry_after_ms = 0;
    if (km_str_u64(after, &seconds) == 0 && seconds > 0)
        call->err.retry_after_ms = (int)(seconds > 3600 ? 3600 : seconds) * 1000;
}

static void stop_with(struct km_call *call, const struct km_err *err)
{
    struct km_err copy = *err;

    km_call_abandon(call);
    km_call_fail(call, &copy);
}

/* A whole body, counted against the bound of all bodies. */
static int gather(struct km_call *call, const char *bytes, size_t n, struct km_err *err)
{
    if (!km_body_budget_take(&call->w->gw->bodies, (int64_t)n))
        return km_fail(err, KM_E_OVERLOADED, "Too much is being buffered right now; try again.");
    call->answer_taken += (int64_t)n;
    km_buf_bytes(&call->answer, bytes, n);
    return km_buf_failed(&call->answer)
               ? km_fail(err, KM_E_UPSTREAM_PROTOCOL,
                         "The upstream's answer is over kanmon_settings.response_bytes.")
               : 0;
}

static void on_body(void *ctx, const char *bytes, size_t n)
{
    struct km_call *call = ctx;
    struct km_err err = { 0 };
    int r = call->step == KM_STEP_relay && call->relaying
                ? call->kind->on_body(call, bytes, n, &err)
                : gather(call, bytes, n, &err);

    if (r < 0)
        stop_with(call, &err);
}

/* What broke, with whom: the connection knows only the first half. */
static void broken(struct km_call *call, const struct km_err *why)
{
    struct km_err err = *why;
    struct km_str name = call->d ? call->d->provider_name : call->pass->path;
    struct km_str base = call->d ? call->d->api_base : call->pass->api_base;

    km_fail(&err, why->code, "%.*s at %.*s: %s", KM_STR_ARG(name), KM_STR_ARG(base), why->text);
    err.http = why->http;
    err.retry_after_ms = why->retry_after_ms;
    err.type = why->type;
    km_call_fail(call, &err);
}

static void on_done(void *ctx, const struct km_http_result *result)
{
    struct km_call *call = ctx;

    call->up = NULL;
    call->upstream_ns += km_mono_ns() - call->attempt_ns;
    if (result->err)
        broken(call, result->err);
    else
        km_call_resume(call, 0);
}

static const struct km_http_events upstream_events = {
    .on_head = on_head,
    .on_body = on_body,
    .on_done = on_done,
};

/* The upstream said no: its status, its words, whose they are. */
static void upstream_error(struct km_call *call)
{
    int after = call->err.retry_after_ms, status = call->up_status;
    struct km_str text = km_llm_error_text(&call->arena, km_buf_view(&call->answer));
    const char *hint = status == 401   ? " (check the deployment's api_key)"
                       : status == 404 ? " (check litellm_params.model and api_base)"
                                       : "";

    km_fail(&call->err, KM_E_UPSTREAM_STATUS, "%.*s answered %d for model '%.*s'%s: %.*s",
            KM_STR_ARG(call->d->provider_name), status,
            KM_STR_ARG(km_str_sub(call->req.model, 0, 100)), hint, KM_STR_ARG(text));
    call->err.http = status >= 400 && status < 600 ? status : 502;
    call->err.type = status == 429   ? "throttling_error"
                     : status == 403 ? "permission_error"
                     : status >= 500 ? "internal_server_error"
                                     : "invalid_request_error";
    call->err.retry_after_ms = after;
}

enum km_next km_step_send(struct km_call *call)
{
    if (call->answered) {
        call->up_status = 200;
        call->first_us = km_wall_us();
        return km_call_go(call, KM_STEP_account);
    }
    if (call->up_status && call->attempt_ns && !call->up) { /* resumed: an error was read whole */
        upstream_error(call);
        call->failed = true;
        return km_call_go(call, KM_STEP_recover);
    }
    call->attempt_ns = km_mono_ns();
    call->up = km_http_send(call->w->client, &call->out, &upstream_events, call);
    if (!call->up) {
        km_fail(&call->err, KM_E_NOMEM, "out of memory");
        call->failed = true;
        return km_call_go(call, KM_STEP_recover);
    }
    return KM_WAIT;
}

/* May another deployment do better? */
static bool worth_another(const struct km_call *call)
{
    int code = call->err.code, status = call->up_status;

    if (code == KM_E_UPSTREAM_STATUS)
        return status == 401 || status == 403 || status == 404 || status == 408 || status == 409 ||
               status == 429 || status >= 500;
    return code == KM_E_UPSTREAM_CONNECT || code == KM_E_UPSTREAM_TIMEOUT ||
           code == KM_E_UPSTREAM_PROTOCOL || code == KM_E_NOT_IMPLEMENTED || code == KM_E_CLOSED ||
           code == KM_E_SYSTEM || code == KM_E_UNSUPPORTED;
}

static enum km_outcome outcome_of(const struct km_call *call)
{
    int code = call->err.code, status = call->up_status;

    if (code == KM_E_CANCELED || code == KM_E_NOT_IMPLEMENTED || code == KM_E_OVERLOADED ||
        code == KM_E_INVALID || code == KM_E_UNSUPPORTED || code == KM_E_LIMIT)
        return KM_OUTCOME_CALLER;
    if (code != KM_E_UPSTREAM_STATUS)
        return KM_OUTCOME_FAILED;
    return status == 429                                     ? KM_OUTCOME_RATE_LIMITED
           : status >= 500 || status == 401 || status == 408 ? KM_OUTCOME_FAILED
                                                             : KM_OUTCOME_CALLER;
}

static void report(struct km_call *call)
{
    if (!call->candidate || call->err.code == KM_E_NO_DEPLOYMENT)
        return;
    km_count_attempt_failed(call);
    km_route_report(call->candidate, outcome_of(call), km_loop_now_ms(call->w->loop));
}

/* A base of the user's own that does not know stream_options: once more without, and remember. */
static bool refused_options(struct km_call *call)
{
    if (call->err.code != KM_E_UPSTREAM_STATUS ||
        (call->up_status != 400 && call->up_status != 422) || !call->req.stream ||
        call->req.usage_asked || call->d->no_stream_options ||
        !km_llm_refused_stream_options(km_buf_view(&call->answer)))
        return false;
    call->d->no_stream_options = true;
    call->same_again = true;
    return true;
}

static void forget_attempt(struct km_call *call)
{
    km_body_budget_give(&call->w->gw->bodies, call->answer_taken);
    call->answer_taken = 0;
    km_buf_reset(&call->answer);
    call->tr = km_translation_free(call->tr);
    call->relaying = false;
    call->up_status = 0;
    call->attempt_ns = 0;
    call->failed = false;
    call->err = (struct km_err){ 0 };
}

enum km_next km_step_recover(struct km_call *call)
{
    bool again;

    call->failed = true;
    if (call->client_gone)
        return km_call_go(call, KM_STEP_account);
    if (call->api && !call->streaming && refused_options(call)) {
        forget_attempt(call);
        return km_call_go(call, KM_STEP_route);
    }
    report(call);
    if (call->streaming) {
        call->cut = true;
        return km_call_go(call, KM_STEP_account);
    }
    again = call->api && !call->timed_out && call->route.attempts <= call->retries &&
            call->route.attempts < call->match.n && worth_another(call);
    if (!again)
        return km_call_go(call, KM_STEP_account);
    forget_attempt(call);
    return km_call_go(call, KM_STEP_route);
}
