/* SPDX-License-Identifier: Apache-2.0 */
/* batch.c - the lines of batches: what they ask for, and what they came to.
 *
 *     input    {"custom_id","method","url","body":{"model",...}}           checked before (line.c)
 *     output   {"custom_id","response":{"body":{"model","usage":{...}}}}   counted after
 *
 * A file may be long: it is read from the upstream as it comes, a line at a time, and nothing of
 * it is kept but sums and the first reason to say no.
 *
 * A line that came back is counted as the same call would be: by its API's own reader, with the
 * tools that its provider ran, at the price of the model that wrote it.  A file may name several
 * models, so what is summed is money, too.  What the batch itself reports (settle_report) is more
 * sure than lines that could not be read or counted nothing.
 */
#include "gateway/objects/inside.h"
#include "llm/answer.h"
#include "llm/api/openai.h"
#include "llm/api/responses.h"
#include "llm/provider/openai.h"
#include "llm/usage.h"
#include "policy/pace.h"

#define TOKENS_MOST INT64_C(1000000000000) /* of a batch: 50,000 lines of the largest windows */

/* --- what was used --- */

static int64_t count(const struct km_json *v, const char *name, bool due, bool *bad)
{
    const struct km_json *said = km_json_get(v, name);
    int64_t n = 0;

    if (!said && !due)
        return 0;
    if (km_json_i64(said, &n) && n >= 0 && n <= TOKENS_MOST)
        return n;
    *bad = true;
    return 0;
}

void km_object_read_report(const struct km_json *usage, struct km_usage *u)
{
    const struct km_json *in = km_json_get(usage, "input_tokens_details");
    const struct km_json *out = km_json_get(usage, "output_tokens_details");
    bool bad = false;

    *u = (struct km_usage){ .prompt_tokens = count(usage, "input_tokens", true, &bad),
                            .completion_tokens = count(usage, "output_tokens", false, &bad),
                            .cached_tokens = count(in, "cached_tokens", false, &bad),
                            .cache_write_tokens = count(in, "cache_write_tokens", false, &bad),
                            .reasoning_tokens = count(out, "reasoning_tokens", false, &bad) };
    km_usage_judge(u, bad);
}

static void add_usage(struct km_usage *to, const struct km_usage *u)
{
    to->prompt_tokens += u->prompt_tokens;
    to->completion_tokens += u->completion_tokens;
    to->cached_tokens += u->cached_tokens;
    to->cache_write_tokens += u->cache_write_tokens;
    to->reasoning_tokens += u->reasoning_tokens;
    for (size_t i = 0; i < KM_HOSTED_KINDS; i++)
        to->hosted[i] += u->hosted[i];
}

/* --- what it costs --- */

/* The same model, or a version of it: "-2024-07-18", "-0613". */
static bool is_version_of(struct km_str name, struct km_str model)
{
    struct km_str rest = km_str_skip(name, model.n);

    return km_str_starts(name, model) &&
           (!rest.n || (rest.n > 1 && rest.p[0] == '-' && rest.p[1] >= '0' && rest.p[1] <= '9'));
}

/* Of the one of ours that it is, or as it is listed; else of the one that its file is at. */
static struct km_price price_by_name(const struct km_call *call, struct km_str name)
{
    const struct km_snapshot *snap = call->visit->view->snap;
    struct km_price price = call->at->d->price;
    size_t best = 0;

    for (size_t i = 0; name.n && i < km_models_count(snap->models); i++) {
        const struct km_deployment *d = km_models_at(snap->models, i);

        if (d->upstream_model.n > best && is_version_of(name, d->upstream_model) &&
            km_str_eq(d->provider_name, call->at->d->provider_name)) {
            price = d->price;
            best = d->upstream_model.n;
        }
    }
    if (name.n && !best)
        (void)km_prices_find(snap->prices, call->at->d->provider_name, name, &price);
    return km_price_batch(&price);
}

/* Lines that follow each other mostly name the same model. */
static const struct km_price *price_of(struct km_call *call, struct km_str name)
{
    struct km_object_work *o = km_object_of(call);

    name = km_str_sub(name, 0, sizeof o->model);
    if (o->model_known && km_str_eq(km_str(o->model, o->model_n), name))
        return &o->line_price;
    o->line_price = price_by_name(call, name);
    o->model_known = true;
    o->model_n = name.n;
    if (name.n)
        memcpy(o->model, name.p, name.n);
    return &o->line_price;
}

static void add_cost(struct km_call *call, struct km_str model, const struct km_usage *u)
{
    struct km_object_work *o = km_object_of(call);
    int64_t cost = 0;

    if (!km_price_cost(price_of(call, model), u, &cost))
        return;
    o->priced = true;
    o->cost = cost > INT64_MAX - o->cost ? INT64_MAX : o->cost + cost;
}

/* --- a line that came back --- */

/* A chat that searched the web says so by what it cites, not how often: once, as it is billed. */
static bool cites_web(struct km_str line, const struct km_json *body)
{
    return km_json_get(body, "choices") && km_str_find(line, KM_STR("\"url_citation\"")) < line.n;
}

/* By the names of its API.  Images say of what comes out no more than that it does. */
static void read_usage(const struct km_object_work *o, const struct km_json *body,
                       struct km_usage *u)
{
    const struct km_json *usage = km_json_get(body, "usage");
    struct km_str line = km_buf_view(&o->line);

    if (km_json_get(usage, "input_tokens"))
        km_responses_read_usage(usage, u);
    else
        (void)km_openai_read_usage(usage, u);
    u->service = KM_SERVICE_STANDARD; /* the batch's own */
    if (km_str_find(o->endpoint, KM_STR("/images/")) < o->endpoint.n)
        u->media.image_tokens = u->completion_tokens;
    km_responses_hosted(km_json_get(body, "output"), u);
    if (!u->hosted[KM_HOSTED_WEB_SEARCH] && cites_web(line, body))
        u->hosted[KM_HOSTED_WEB_SEARCH] = 1;
}

/* An answer that nobody counted: what came out is there to be seen. */
static void estimate(struct km_call *call, struct km_usage *u)
{
    struct km_object_work *o = km_object_of(call);
    struct km_text_size size = km_text_measure(km_buf_view(&o->line));

    u->prompt_tokens = 1; /* no request is without a prompt */
    u->completion_tokens = km_pace_text(call->at->d->pace, &size);
    o->uncounted = true;
}

static void count_answer(struct km_call *call, const struct km_json *body)
{
    struct km_object_work *o = km_object_of(call);
    struct km_str model = KM_STR_NONE;
    struct km_usage u = { 0 };

    if (km_json_kind(body) != KM_JSON_OBJECT)
        return; /* it was not asked */
    read_usage(o, body, &u);
    if (!u.known && km_json_kind(km_json_get(body, "error")) == KM_JSON_OBJECT)
        return; /* it was refused */
    if (!u.known)
        estimate(call, &u);
    o->lines++;
    (void)km_json_string(km_json_get(body, "model"), &model);
    add_usage(&o->used, &u);
    add_cost(call, model, &u);
}

/* {"response":{"body":{"model":"...","usage":{...}}}} */
static void count_line(struct km_call *call)
{
    struct km_object_work *o = km_object_of(call);
    struct km_arena scratch KM_CLEANUP(km_arena_done);
    const struct km_json *root;

    km_arena_init(&scratch, 8 * KM_OBJECT_LINE, km_loop_arenas(call->w->loop));
    if (!km_buf_failed(&o->line) &&
        km_json_parse_answer(&scratch, km_buf_view(&o->line), &root, NULL) == 0)
        count_answer(call, km_json_get(km_json_get(root, "response"), "body"));
    else if (o->line.n)
        o->unread++;
    km_buf_reset(&o->line);
}

/* Those that could not be read are as long as the others. */
static void add_unread(struct km_object_work *o)
{
    int64_t lines = o->lines ? o->lines : 1;

    o->used.prompt_tokens += o->used.prompt_tokens / lines * o->unread;
    o->used.completion_tokens += o->used.completion_tokens / lines * o->unread;
    if (o->cost < INT64_MAX / 2)
        o->cost += o->cost / lines * o->unread;
    o->uncounted = o->uncounted || o->unread > 0;
}

static int64_t beyond(int64_t said, int64_t counted)
{
    return said > counted ? said - counted : 0;
}

void km_object_settle_report(struct km_call *call, struct km_str model)
{
    struct km_object_work *o = km_object_of(call);
    struct km_usage rest = o->report;

    if (!o->report.known) {
        add_unread(o);
        return;
    }
    if (o->uncounted || o->unread || !o->lines) { /* what it ran for them is only in its lines */
        memcpy(rest.hosted, o->used.hosted, sizeof rest.hosted);
        o->used = (struct km_usage){ 0 };
        o->cost = 0;
        o->uncounted = o->unread > 0 || o->blind;
    } else {
        rest.prompt_tokens = beyond(rest.prompt_tokens, o->used.prompt_tokens);
        rest.completion_tokens = beyond(rest.completion_tokens, o->used.completion_tokens);
        rest.cached_tokens = beyond(rest.cached_tokens, o->used.cached_tokens);
        rest.cache_write_tokens = beyond(rest.cache_write_tokens, o->used.cache_write_tokens);
        rest.reasoning_tokens = beyond(rest.reasoning_tokens, o->used.reasoning_tokens);
        if (rest.prompt_tokens + rest.completion_tokens == 0)
            return;
    }
    add_usage(&o->used, &rest);
    add_cost(call, model.n ? model : km_str(o->model, o->model_n), &rest);
}

/* --- lines, as they come --- */

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
