/* SPDX-License-Identifier: Apache-2.0 */
/* batch.c - the lines of batches: what they ask for, and what they came to.
 *
 *     input    {"custom_id","method","url","body":{"model",...}}           checked before
 *     output   {"custom_id","response":{"body":{"model","usage":{...}}}}   counted after
 *
 * A file may be long: it is read from the upstream as it comes, a line at a time, and nothing of
 * it is kept but sums, the first model's name and the first reason to say no.
 */
#include "gateway/objects/inside.h"
#include "llm/answer.h"
#include "llm/api/responses.h"
#include "llm/usage.h"

#define TOKENS_MOST INT64_C(1000000000000) /* of a batch: 50,000 lines of the largest windows */

static int64_t count(const struct km_json *v, const char *name, const char *other, bool due,
                     bool *bad)
{
    const struct km_json *said = km_json_get(v, name);
    int64_t n = 0;

    said = said ? said : km_json_get(v, other);
    if (!said && !due)
        return 0;
    if (km_json_i64(said, &n) && n >= 0 && n <= TOKENS_MOST)
        return n;
    *bad = true;
    return 0;
}

/* What else the provider counts of it; how it was served is the batch's own price. */
static void add_beside(struct km_usage *to, const struct km_json *in, const struct km_json *usage)
{
    const struct km_json *out = km_json_get(usage, "completion_tokens_details");
    struct km_usage u = { 0 };
    bool ignored = false;

    out = out ? out : km_json_get(usage, "output_tokens_details");
    km_usage_extras(usage, &u, &ignored);
    to->cache_write_tokens += km_usage_count(in, "cache_write_tokens", &ignored);
    to->reasoning_tokens += km_usage_count(out, "reasoning_tokens", &ignored);
    for (size_t i = 0; i < KM_HOSTED_KINDS; i++)
        to->hosted[i] += u.hosted[i];
}

bool km_object_add_usage(struct km_object_work *o, const struct km_json *usage)
{
    const struct km_json *in = km_json_get(usage, "prompt_tokens_details");
    int64_t prompt, completion, cached;
    bool bad = false, ignored = false;

    in = in ? in : km_json_get(usage, "input_tokens_details");
    prompt = count(usage, "prompt_tokens", "input_tokens", true, &bad);
    completion = count(usage, "completion_tokens", "output_tokens", false, &bad);
    cached = count(in, "cached_tokens", "", false, &ignored);
    if (bad)
        return false;
    o->used.prompt_tokens += prompt;
    o->used.completion_tokens += completion;
    o->used.cached_tokens += cached;
    add_beside(&o->used, in, usage);
    return true;
}

/* An answer that nobody counted: what came out is there to be seen. */
static void estimate_line(struct km_object_work *o, const struct km_json *body)
{
    if (km_json_kind(body) != KM_JSON_OBJECT ||
        km_json_kind(km_json_get(body, "error")) == KM_JSON_OBJECT)
        return; /* it was refused */
    o->used.completion_tokens += km_tokens_estimate(km_buf_view(&o->line));
    o->uncounted = true;
}

/* {"response":{"body":{"model":"...","usage":{...}}}} */
static void count_line(struct km_call *call)
{
    struct km_object_work *o = km_object_of(call);
    struct km_arena scratch KM_CLEANUP(km_arena_done);
    const struct km_json *root, *body;
    struct km_str model;

    km_arena_init(&scratch, 8 * KM_OBJECT_LINE, km_loop_arenas(call->w->loop));
    if (!km_buf_failed(&o->line) &&
        km_json_parse_answer(&scratch, km_buf_view(&o->line), &root, NULL) == 0) {
        body = km_json_get(km_json_get(root, "response"), "body");
        if (!km_object_add_usage(o, km_json_get(body, "usage")))
            estimate_line(o, body);
        km_responses_hosted(km_json_get(body, "output"), &o->used);
        if (!o->model.n && km_json_string(km_json_get(body, "model"), &model))
            o->model = km_arena_str(&call->arena, model);
    } else if (o->line.n) {
        o->uncounted = true;
    }
    km_buf_reset(&o->line);
}

static void check_line(struct km_call *call)
{
    struct km_object_work *o = km_object_of(call);
    struct km_arena scratch KM_CLEANUP(km_arena_done);
    struct km_str line = km_str_trim(km_buf_view(&o->line));

    km_arena_init(&scratch, 8 * KM_OBJECT_LINE, km_loop_arenas(call->w->loop));
    if (o->denied.code == 0 && km_buf_failed(&o->line))
        (void)km_fail_param(&o->denied, KM_E_INVALID, "input_file_id",
                            "A line of the batch's file is over 4 MiB.");
    else if (o->denied.code == 0 && line.n)
        (void)!km_object_judge_line(call, &scratch, line, &o->denied);
    km_buf_reset(&o->line);
}

static void read_line(struct km_call *call)
{
    if (km_object_of(call)->checking)
        check_line(call);
    else
        count_line(call);
}

void km_object_lines(struct km_call *call, struct km_str bytes)
{
    while (bytes.n) {
        size_t end = km_str_chr(bytes, '\n');

        km_buf_str(&km_object_of(call)->line, km_str_sub(bytes, 0, end));
        if (end < bytes.n)
            read_line(call);
        bytes = km_str_skip(bytes, end + 1);
    }
}

void km_object_last_line(struct km_call *call)
{
    read_line(call);
}

struct km_price km_object_batch_price(const struct km_call *call)
{
    const struct km_snapshot *snap = call->visit->view->snap;
    struct km_str name = km_object_of(call)->model;
    struct km_price price = call->at->d->price;
    size_t best = 0;

    for (size_t i = 0; name.n && i < km_models_count(snap->models); i++) {
        const struct km_deployment *d = km_models_at(snap->models, i);

        if (d->upstream_model.n > best && km_str_starts(name, d->upstream_model) &&
            km_str_eq(d->provider_name, call->at->d->provider_name)) {
            price = d->price;
            best = d->upstream_model.n;
        }
    }
    if (name.n && !best)
        (void)km_prices_find(snap->prices, call->at->d->provider_name, name, &price);
    return km_price_batch(&price);
}
