/* SPDX-License-Identifier: Apache-2.0 */
/* recover.c - an attempt failed: whose fault it was, and whether another is made.
 *
 * A failure is tried again while nothing has reached the client: on the next deployment of the
 * group where that may not share it (no connection, time-out of the first byte, and of what
 * upstreams say, what the codec of that upstream takes for passing or for the deployment's own,
 * codec.h), and after a wait on the same where it may pass (retry.c).  Three refusals are of
 * something of ours, and the same deployment is asked once more at once: a signature,
 * `stream_options`, and a bound above the model's maximum.
 *
 *     failed -> billed -> is it worth another? -> wait? -> has the key as much left? -> route
 *                                 no                                no               -> account
 *                         another model group? (fallback.c)
 *
 * What the attempts before have cost stays reserved, so a further one is paid for before it is
 * made.
 */
#include "call/call.h"

#include "call/flight.h"
#include "call/metrics.h"
#include "call/model.h"
#include "call/place.h"
#include "call/resume.h"
#include "call/veil.h"
#include "llm/refusal_maximum.h"

static const char *type_of(int status)
{
    return status == 429   ? "throttling_error"
           : status == 403 ? "permission_error"
           : status >= 500 ? "internal_server_error"
                           : "invalid_request_error";
}

/* The upstream said no: its status, its words, whose they are, and what it means. */
void km_call_refused(struct km_call *call)
{
    const struct km_codec *codec = call->at->d->codec;
    struct km_str body;
    int status = call->at->status;
    const char *hint = status == 401 || status == 403 ? " (check the deployment's credentials)"
                       : status == 404                ? " (check litellm_params.model and api_base)"
                                                      : "";
    struct km_refusal no = { 0 };

    km_veil_answer(call);
    body = km_buf_view(&call->at->answer);
    (codec && codec->refusal ? codec->refusal : km_refusal_openai)(&call->arena, status,
                                                                   &call->at->refusal, body, &no);
    if (no.status < 400 || no.status > 599)
        no.status = 502;
    call->at->again = no.again;
    if (call->at->d->auth && call->at->d->auth->ops->refused &&
        call->at->d->auth->ops->refused(call->at->d->auth, &call->at->auth_wait, status,
                                        &call->at->refusal, body))
        call->at->again = KM_AGAIN_SIGN;
    km_fail(&call->err, KM_E_UPSTREAM_STATUS, "%.*s answered %d for model '%.*s'%s: %.*s",
            KM_STR_ARG(call->at->d->provider_name), status,
            KM_STR_ARG(km_str_sub(call->req.model, 0, 100)), hint, KM_STR_ARG(no.text));
    call->err.http = no.status;
    call->err.type = no.type ? no.type : type_of(no.status);
    call->err.kind = (unsigned char)no.kind;
    call->err.tokens = no.tokens;
    call->err.retry_after_ms = no.retry_after_ms;
    /* The statuses that client libraries take for a passing trouble, where it is none. */
    call->err.final = no.again == KM_AGAIN_NO || no.again == KM_AGAIN_OTHER;
}

/* What an upstream's no means, said as a status or as a stream's first event. */
static enum km_again again_of(const struct km_call *call)
{
    return call->at->status >= 200 && call->at->status < 300 ? km_again_of(km_err_http(&call->err))
                                                             : call->at->again;
}

/* May another deployment do better? */
static bool worth_another(const struct km_call *call)
{
    int code = call->err.code;

    if (code == KM_E_UPSTREAM_STATUS)
        return again_of(call) != KM_AGAIN_NO;
    return code == KM_E_UPSTREAM_CONNECT || code == KM_E_UPSTREAM_TIMEOUT ||
           code == KM_E_UPSTREAM_PROTOCOL || code == KM_E_NOT_IMPLEMENTED || code == KM_E_CLOSED ||
           code == KM_E_SYSTEM || code == KM_E_UNSUPPORTED;
}

static enum km_outcome outcome_of(const struct km_call *call)
{
    int code = call->err.code, status = call->err.http;

    if (call->unsaid) /* by a unit: the upstream did what it should */
        return KM_OUTCOME_CALLER;
    if (code == KM_E_FORBIDDEN || code == KM_E_CANCELED || code == KM_E_NOT_IMPLEMENTED ||
        code == KM_E_OVERLOADED || code == KM_E_INVALID || code == KM_E_UNAUTHENTICATED ||
        code == KM_E_UNSUPPORTED || code == KM_E_LIMIT || code == KM_E_REQUEST_TIMEOUT ||
        code == KM_E_BODY_TOO_LARGE || code == KM_E_HEADER_TOO_LARGE || code == KM_E_STORE ||
        code == KM_E_BUDGET)
        return KM_OUTCOME_CALLER;
    if (code == KM_E_RATE_LIMITED) /* by its line here: it was not asked */
        return KM_OUTCOME_OVERTAKEN;
    if (code != KM_E_UPSTREAM_STATUS)
        return KM_OUTCOME_FAILED;
    if (status == 429)
        return KM_OUTCOME_RATE_LIMITED;
    return again_of(call) != KM_AGAIN_NO && (status >= 500 || status == 401 || status == 408)
               ? KM_OUTCOME_FAILED
               : KM_OUTCOME_CALLER;
}

void km_call_report(struct km_call *call, enum km_outcome outcome)
{
    struct km_report report = { .outcome = outcome };
    unsigned changes;

    if (!call->at->candidate || (call->at->taker && !km_taker_speaks(call->at->taker)))
        return;
    if (outcome == KM_OUTCOME_FAILED || outcome == KM_OUTCOME_RATE_LIMITED)
        report.failure = km_call_failure(call);
    if (outcome == KM_OUTCOME_RATE_LIMITED) /* of a wildcard's models one is full */
        report.rest_ms =
            call->at->d && km_deployment_has_star(call->at->d) ? -1 : call->err.retry_after_ms;
    if (outcome == KM_OUTCOME_OK || outcome == KM_OUTCOME_RATE_LIMITED)
        km_call_report_quota(call, outcome);
    changes = km_route_report(call->at->candidate, &report, km_loop_now_ms(call->w->loop));
    if (changes)
        km_call_tell_breakers(call, changes);
}

static void report(struct km_call *call)
{
    if (!call->at->candidate || call->err.code == KM_E_NO_DEPLOYMENT)
        return;
    if (!call->unsaid && call->err.code != KM_E_RATE_LIMITED &&
        (!call->at->taker || km_taker_speaks(call->at->taker)))
        km_count_attempt_failed(call);
    km_call_report(call, outcome_of(call));
}

/* Its signature was refused: once more at once, with what was learnt. */
static bool refused_credentials(struct km_call *call)
{
    if (call->err.code != KM_E_UPSTREAM_STATUS || call->at->again != KM_AGAIN_SIGN ||
        call->at->resigned || !call->at->d->auth)
        return false;
    call->at->resigned = true;
    return true;
}

/* --- what a refusal teaches --- */

bool km_call_no_stream_options(const struct km_call *call)
{
    const struct km_deployment *d = call->at->d;

    return d->no_stream_options || (call->lesson.of == d && call->lesson.no_stream_options);
}

void km_lesson_holds(struct km_lesson *lesson, const struct km_deployment *answered)
{
    if (lesson->of != answered)
        return;
    if (lesson->no_stream_options)
        lesson->of->no_stream_options = true;
    km_deployment_learn_maximum(lesson->of, lesson->maximum);
    *lesson = (struct km_lesson){ .of = NULL };
}

/* Of this deployment; what another said is forgotten. */
static struct km_lesson *lesson_of(struct km_call *call)
{
    if (call->lesson.of != call->at->d)
        call->lesson = (struct km_lesson){ .of = call->at->d };
    return &call->lesson;
}

/* A base of the user's own that does not know stream_options: once more without, and remember. */
static bool refused_options(struct km_call *call)
{
    if (call->err.code != KM_E_UPSTREAM_STATUS ||
        (call->at->status != 400 && call->at->status != 422) || !call->req.stream ||
        call->req.usage_asked || km_call_no_stream_options(call) ||
        !km_llm_refused_stream_options(km_buf_view(&call->at->answer)))
        return false;
    lesson_of(call)->no_stream_options = true;
    return true;
}

/* A bound of ours that it takes for too large, and says what its largest is: that is learnt, and it
 * is asked once more, for as much.  Never again is one above it sent. */
static bool refused_bound(struct km_call *call)
{
    bool passing = false;
    int64_t most;

    if (call->err.code != KM_E_UPSTREAM_STATUS || call->bound_tokens < 0 || call->maximum_named ||
        (call->at->status != 400 && call->at->status != 416 && call->at->status != 422))
        return false;
    most = km_refusal_names_maximum(km_llm_error_text(&call->arena, km_buf_view(&call->at->answer)),
                                    call->bound_tokens, &passing);
    if (most <= 0)
        return false;
    if (!passing)
        lesson_of(call)->maximum = most;
    call->bound_tokens = most;
    call->maximum_named = true;
    return true;
}

/* A request of several calls was refused for what one of them asks: each asks for itself. */
static bool refused_together(struct km_call *call)
{
    if (call->err.code != KM_E_UPSTREAM_STATUS || !call->at->merged ||
        (call->at->status != 400 && call->at->status != 422))
        return false;
    call->alone = true;
    return true;
}

/* No further attempt is made.  A stream that has begun breaks. */
static enum km_next give_up(struct km_call *call, const char *why)
{
    if (call->streaming && !call->client_gone) {
        call->cut = true;
        km_resume_ends(call, why);
    }
    return km_call_go(call, KM_STEP_account);
}

static const char again_tag; /* a note: at the same deployment? */

/* Once more, or the end. */
static enum km_next try_again(struct km_call *call, bool same)
{
    struct km_err err = { 0 };

    if (km_attempt_next(call, same, &err) == 0) {
        if (call->streaming && call->resume)
            km_told_go_on(&call->resume->told);
        return km_call_go(call, KM_STEP_route);
    }
    call->err = err;
    return give_up(call, "memory");
}

static void on_covered(void *ctx, const struct km_err *err)
{
    struct km_call *call = ctx;

    call->covering = false;
    call->covered = !err; /* else its key has no more, and the failure is what its client is told */
    km_call_resume(call, 0);
}

/* What the attempts before have cost stays reserved, and as much as the next may cost is added: its
 * key may have no more for it.  Then the failure stands. */
static enum km_next cover(struct km_call *call, bool same)
{
    bool *again = km_call_make_note(call, &again_tag, sizeof *again);
    struct km_err err = { 0 };
    int r;

    km_call_bill(call);
    km_call_targets_of(call, NULL); /* where it goes next is not known yet */
    if (!again)
        return give_up(call, "memory");
    do {
        r = km_call_need(call) > call->reserve
                ? km_broker_top_up(call, km_call_need(call), on_covered, call, &err)
                : 0;
    } while (r < 0 && r != KM_E_AGAIN && km_call_fall_further(call));
    *again = same;
    call->covering = r == KM_E_AGAIN;
    if (r == KM_E_AGAIN)
        return KM_WAIT;
    return r < 0 ? give_up(call, "budget") : try_again(call, same);
}

/* The broker has answered. */
static enum km_next covered(struct km_call *call)
{
    const bool *again = km_call_note(call, &again_tag);

    call->covered = false;
    return try_again(call, *again);
}

static bool is_spent(const struct km_call *call)
{
    return call->kind->is_spent && call->kind->is_spent(call);
}

/* May the request be sent once more at all? */
static bool may_be_repeated(const struct km_call *call)
{
    return (call->match.n || call->kind->again) && !call->timed_out && !call->unsaid &&
           !is_spent(call);
}

/* Would another model do better?  Also at what an upstream says is wrong with the request: another
 * may know the parameter, the model or the file that this one does not. */
static bool worth_another_model(const struct km_call *call)
{
    return worth_another(call) || call->err.code == KM_E_NO_DEPLOYMENT ||
           call->err.code == KM_E_UPSTREAM_STATUS || call->err.code == KM_E_RATE_LIMITED ||
           km_call_is_target_spent(call) || km_call_failure(call) == KM_FAILURE_CONTEXT_WINDOW;
}

/* Those of a higher order, then other models. */
static bool go_elsewhere(struct km_call *call)
{
    return (worth_another(call) &&
            km_route_next_order(&call->route, call->match.v, call->match.n)) ||
           (worth_another_model(call) && km_call_fall_back(call));
}

static enum km_next try_on(struct km_call *call)
{
    enum km_call_retry retry = KM_CALL_RETRY_NO;

    if (!may_be_repeated(call))
        return km_call_go(call, KM_STEP_account);
    if (call->at->d)
        retry = km_call_retry(call, again_of(call), worth_another(call));
    else if (call->kind->again)
        retry = call->kind->again(call);
    if (retry == KM_CALL_RETRY_PAUSED)
        return KM_WAIT;
    if (retry == KM_CALL_RETRY_NOW || go_elsewhere(call))
        return cover(call, false);
    km_call_first_word(call, worth_another(call));
    return km_call_go(call, KM_STEP_account);
}

/* The client has a part of its answer: another deployment may go on with it. */
static enum km_next go_on(struct km_call *call)
{
    const struct km_err broke = call->err;
    struct km_err err = { 0 };
    bool passing = worth_another(call);

    if (!may_be_repeated(call) || !worth_another_model(call) || !km_resume_may(call))
        return give_up(call, "error");
    if (km_resume_prepare(call, &err) < 0)
        return give_up(call, err.code == KM_E_UNSUPPORTED ? "bound" : "budget");
    call->err = broke;
    if ((passing && km_route_has_other(&call->route, call->match.v, call->match.n,
                                       km_loop_now_ms(call->w->loop))) ||
        go_elsewhere(call))
        return cover(call, false);
    return give_up(call, "no_deployment");
}

enum km_next km_step_recover(struct km_call *call)
{
    if (call->covered)
        return covered(call);
    if (km_call_pause_over(call))
        return cover(call, false);
    call->failed = true;
    km_error_face(call->visit->dialect, &call->err);
    if (call->at->money.billed && !call->client_gone && km_call_fall_further(call))
        return cover(call, false);
    if (call->client_gone || call->at->money.billed) /* the key has no more for another */
        return give_up(call, "budget");
    if (call->beside) { /* one of those may still do better */
        report(call);
        km_attempt_drop(call);
        return KM_WAIT;
    }
    if (call->at->d && !call->streaming && !is_spent(call) &&
        (refused_options(call) || refused_credentials(call) || refused_bound(call) ||
         refused_together(call))) {
        return cover(call, true);
    }
    report(call);
    return call->streaming ? go_on(call) : try_on(call);
}
