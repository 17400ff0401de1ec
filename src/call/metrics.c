/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.c - rows and their counting.
 *
 * LiteLLM's names where it has one for the same thing, so that dashboards keep working; labels
 * are configuration (models, deployments, providers) and statuses, never callers.
 *
 * The series of a deployment are looked up once, when its snapshot is made, and kept as long as
 * that lives: a call that goes well adds to cells of its own worker and takes no lock.  What goes
 * wrong is looked up by name each time.  So a model that a reload takes away leaves /metrics
 * with the last of its calls, and its counts are those of "other"; statuses by model may stay
 * until room is needed.
 */
#include "call/metrics.h"

#include <stdio.h>
#include <stdlib.h>

#define SECONDS(name_, help_)                                                                      \
    {                                                                                              \
        .name = name_, .type = KM_HISTOGRAM, .help = help_, .labels = { "model", "model_id" },     \
        .scale = 6, .bounds = {                                                                    \
            5000,                                                                                  \
            10000,                                                                                 \
            25000,                                                                                 \
            50000,                                                                                 \
            100000,                                                                                \
            250000,                                                                                \
            500000,                                                                                \
            1000000,                                                                               \
            2500000,                                                                               \
            5000000,                                                                               \
            10000000,                                                                              \
            30000000,                                                                              \
            60000000,                                                                              \
            300000000                                                                              \
        }                                                                                          \
    }

static const struct km_metric_row requests = {
    .name = "litellm_proxy_total_requests_metric_total",
    .type = KM_COUNTER,
    .help = "Requests that reached the gateway's calls, by status.",
    .labels = { "requested_model", "status_code" }
};
static const struct km_metric_row failures = { .name = "litellm_proxy_failed_requests_metric_total",
                                               .type = KM_COUNTER,
                                               .help = "Calls that ended with an error, by status.",
                                               .labels = { "requested_model", "status_code" } };
static const struct km_metric_row attempts = { .name = "litellm_deployment_total_requests_total",
                                               .type = KM_COUNTER,
                                               .help = "Calls answered by a deployment.",
                                               .labels = { "model", "model_id", "api_provider" } };
static const struct km_metric_row attempts_failed = {
    .name = "litellm_deployment_failure_responses_total",
    .type = KM_COUNTER,
    .help = "Attempts at a deployment that failed.",
    .labels = { "model", "model_id", "exception_status" }
};
static const struct km_metric_row fallbacks_good = {
    .name = "litellm_deployment_successful_fallbacks_total",
    .type = KM_COUNTER,
    .help = "Calls that another model group answered, after the one that was asked for had failed.",
    .labels = { "requested_model", "fallback_model" }
};
static const struct km_metric_row fallbacks_failed = {
    .name = "litellm_deployment_failed_fallbacks_total",
    .type = KM_COUNTER,
    .help = "Model groups that were asked in the place of another, and failed too.",
    .labels = { "requested_model", "fallback_model" }
};
static const struct km_metric_row cooled_down = {
    .name = "litellm_deployment_cooled_down_total",
    .type = KM_COUNTER,
    .help = "Times a deployment's circuit breaker opened.",
    .labels = { "model", "model_id" }
};
static const struct km_metric_row retries = {
    .name = "kanmon_retries_total",
    .type = KM_COUNTER,
    .help = "Further attempts in the same model group, by what the one before failed of.",
    .labels = { "model", "model_id", "failure" }
};
static const struct km_metric_row retries_denied = {
    .name = "kanmon_retries_denied_total",
    .type = KM_COUNTER,
    .help = "Further attempts that were not made because the deployment's retry budget was spent.",
    .labels = { "model", "model_id" }
};
static const struct km_metric_row hedges = {
    .name = "kanmon_hedges_total",
    .type = KM_COUNTER,
    .help = "Second requests of calls whose deployment was slow to begin: sent; won, by the "
            "deployment that was faster; denied by the retry budget; no_budget of the key; "
            "not_now.",
    .labels = { "model", "model_id", "outcome" }
};
static const struct km_metric_row input_tokens = { .name = "litellm_input_tokens_metric_total",
                                                   .type = KM_COUNTER,
                                                   .help = "Input tokens.",
                                                   .labels = { "model", "model_id" } };
static const struct km_metric_row output_tokens = { .name = "litellm_output_tokens_metric_total",
                                                    .type = KM_COUNTER,
                                                    .help = "Output tokens.",
                                                    .labels = { "model", "model_id" } };
static const struct km_metric_row spend = { .name = "litellm_spend_metric_total",
                                            .type = KM_COUNTER,
                                            .help = "Spend in USD.",
                                            .labels = { "model", "model_id" },
                                            .scale = 9 };
static const struct km_metric_row over_reserved = {
    .name = "kanmon_over_reserved_total",
    .type = KM_COUNTER,
    .help = "Calls whose upstream reported more than was reserved; booked as reported.",
    .labels = { "model", "model_id" }
};
static const struct km_metric_row total_latency =
    SECONDS("litellm_request_total_latency_metric", "Seconds from request head to last byte.");
static const struct km_metric_row api_latency =
    SECONDS("litellm_llm_api_latency_metric", "Seconds spent waiting for the upstream.");
static const struct km_metric_row first_token =
    SECONDS("litellm_llm_api_time_to_first_token_metric", "Seconds to the first byte of a stream.");

/* The series of one deployment, found once. */
struct deployment_series {
    struct km_series *ok, *served, *input, *output, *spend, *total, *api, *first;
};

struct call_series { /* of a snapshot */
    struct km_metrics *metrics; /* they are kept there; NULL: nothing is counted */
    size_t n;
    struct deployment_series v[]; /* by deployment index */
};

static int series_init(struct km_snapshot *s, const struct km_snapshot_args *args,
                       struct km_diags *diags, void **ret_state, struct km_err *err)
{
    struct km_metrics *metrics = args->metrics;
    size_t n = metrics ? km_models_all(s->models) : 0;
    struct call_series *all = calloc(1, sizeof *all + n * sizeof all->v[0]);

    (void)diags;
    if (!all)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    all->metrics = metrics;
    all->n = n;
    for (size_t i = 0; i < n; i++) {
        const struct km_deployment *d = km_models_at(s->models, i);
        struct deployment_series *set = &all->v[i];
        struct km_str labels[3] = { d->group, d->id, d->provider_name };
        struct km_str status[2] = { d->group, KM_STR("200") };

        set->ok = km_metric_series(metrics, &requests, status);
        set->served = km_metric_series(metrics, &attempts, labels);
        set->input = km_metric_series(metrics, &input_tokens, labels);
        set->output = km_metric_series(metrics, &output_tokens, labels);
        set->spend = km_metric_series(metrics, &spend, labels);
        set->total = km_metric_series(metrics, &total_latency, labels);
        set->api = km_metric_series(metrics, &api_latency, labels);
        set->first = km_metric_series(metrics, &first_token, labels);
    }
    *ret_state = all;
    return 0;
}

static void series_free(void *state)
{
    struct call_series *all = state;

    for (size_t i = 0; i < all->n; i++) {
        const struct deployment_series *set = &all->v[i];
        struct km_series *const each[] = { set->ok,    set->served, set->input, set->output,
                                           set->spend, set->total,  set->api,   set->first };

        for (size_t k = 0; k < sizeof each / sizeof each[0]; k++)
            km_metric_release(all->metrics, each[k]);
    }
    free(all);
}

static const char place KM_MODULE_PLACE;

const struct km_module km_call_metrics_module = {
    .name = "metrics of calls",
    .place = &place,
    .snapshot_init = series_init,
    .snapshot_free = series_free,
};

static const struct deployment_series *series_of(const struct km_call *call)
{
    const struct call_series *all =
        km_module_state(call->visit->view->snap->slots, &km_call_metrics_module);

    return &all->v[call->at->d->index];
}

/* What requests are counted under: a model, or what the kind has instead. */
static struct km_str group_of(const struct km_call *call)
{
    if (call->at->d)
        return call->at->d->group;
    if (call->kind->label)
        return call->kind->label(call);
    return call->kind->count ? km_str_c(call->kind->name) : KM_STR("unknown");
}

/* By name: only what did not go well takes this way, so its lock does not matter. */
static void count_status(struct km_call *call, const struct km_metric_row *row, int status)
{
    char text[16];
    struct km_str labels[2] = { group_of(call), { text, 0 } };

    labels[1].n = (size_t)snprintf(text, sizeof text, "%d", status);
    km_metric_count(call->w->gw->metrics, row, labels, call->w->index, 1);
}

/* Calls of MCP that went well: as many as a model's, and so without the lock. */
static struct km_series *nameless(const struct km_call *call)
{
    const struct km_str labels[2] = { group_of(call), KM_STR("200") };
    struct km_worker *w = call->w;

    if (!w->nameless_ok)
        w->nameless_ok = km_metric_series(w->gw->metrics, &requests, labels);
    return w->nameless_ok;
}

void km_count_refused(struct km_call *call)
{
    int status = km_err_http(&call->err);

    count_status(call, &requests, status);
    count_status(call, &failures, status);
    if (call->kind->count)
        call->kind->count(call);
}

void km_count_attempt_failed(struct km_call *call)
{
    char text[16];
    struct km_str labels[3];

    if (!call->at->d)
        return;
    labels[0] = call->at->d->group;
    labels[1] = call->at->d->id;
    labels[2] = km_str(text, (size_t)snprintf(text, sizeof text, "%d", km_err_http(&call->err)));
    km_metric_count(call->w->gw->metrics, &attempts_failed, labels, call->w->index, 1);
}

/* Both are names of the configuration, for a match was found for them; a pattern's is its own. */
void km_count_fallback(struct km_call *call, bool good)
{
    struct km_model_match first;
    struct km_str labels[2] = { KM_STR_NONE, call->match.group };

    if (km_models_find(call->visit->view->snap->models, call->asked_model, &first, NULL) == 0)
        labels[0] = first.group;
    km_metric_count(call->w->gw->metrics, good ? &fallbacks_good : &fallbacks_failed, labels,
                    call->w->index, 1);
}

void km_count_retry(struct km_call *call, const char *failure)
{
    const struct km_deployment *d = call->at->d;
    struct km_str labels[3] = { d->group, d->id, km_str_c(failure) };

    km_metric_count(call->w->gw->metrics, &retries, labels, call->w->index, 1);
}

void km_count_hedge(struct km_call *call, const char *outcome)
{
    const struct km_deployment *d = call->at->d;
    struct km_str labels[3] = { d->group, d->id, km_str_c(outcome) };

    km_metric_count(call->w->gw->metrics, &hedges, labels, call->w->index, 1);
}

void km_count_cooled_down(struct km_call *call)
{
    struct km_str labels[2] = { call->at->d->group, call->at->d->id };

    km_metric_count(call->w->gw->metrics, &cooled_down, labels, call->w->index, 1);
}

void km_count_retry_denied(struct km_call *call)
{
    struct km_str labels[2] = { call->at->d->group, call->at->d->id };

    km_metric_count(call->w->gw->metrics, &retries_denied, labels, call->w->index, 1);
}

void km_count_over_reserved(struct km_call *call)
{
    const struct km_deployment *d = call->at->d;
    struct km_str labels[2] = { d ? d->group : KM_STR_NONE, d ? d->id : KM_STR_NONE };

    km_metric_count(call->w->gw->metrics, &over_reserved, labels, call->w->index, 1);
}

void km_count_call(struct km_call *call)
{
    const struct deployment_series *set;
    size_t w = call->w->index;
    int64_t total_us = (int64_t)(call->total_ns / 1000);

    if (call->client_status == 200 && !call->at->d && call->kind->count)
        km_metric_add(nameless(call), w, 1);
    else if (call->client_status != 200 || !call->at->d)
        count_status(call, &requests, call->client_status);
    if (call->failed)
        count_status(call, &failures, call->client_status);
    if (call->fallbacks)
        km_count_fallback(call, !call->failed);
    if (call->kind->count)
        call->kind->count(call);
    if (!call->at->d)
        return;
    set = series_of(call);
    if (call->client_status == 200)
        km_metric_add(set->ok, w, 1);
    if (!call->failed)
        km_metric_add(set->served, w, 1);
    km_metric_add(set->input, w, call->usage.prompt_tokens);
    km_metric_add(set->output, w, call->usage.completion_tokens);
    km_metric_add(set->spend, w, call->cost);
    if (call->kind->session) /* its length is the caller's choice */
        return;
    km_metric_observe(set->total, w, total_us);
    km_metric_observe(set->api, w, (int64_t)(call->upstream_ns / 1000));
    if (call->req.stream)
        km_metric_observe(set->first, w, (int64_t)(call->first_ns / 1000));
}

void km_count_part(struct km_call *call, const struct km_usage *used, int64_t cost)
{
    const struct deployment_series *set;
    size_t w = call->w->index;

    if (!call->at->d)
        return;
    set = series_of(call);
    km_metric_add(set->input, w, used->prompt_tokens);
    km_metric_add(set->output, w, used->completion_tokens);
    km_metric_add(set->spend, w, cost);
}
