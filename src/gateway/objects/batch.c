/* SPDX-License-Identifier: Apache-2.0 */
/* batch.c - the lines of batches: what they ask for, and what they came to.
 *
 *     input    {"custom_id","method","url","body":{"model",...}}           checked before
 *     output   {"custom_id","response":{"body":{"model","usage":{...}}}}   counted after
 *
 * A file may be long: it is read from the upstream as it comes, a line at a time, and nothing of
 * it is kept but sums, the first model's name and the first reason to say no.
 */
#include "kept/file_refs.h"
#include "gateway/objects/inside.h"
#include "kept/asks.h"
#include "kept/other_models.h"
#include "llm/answer.h"
#include "llm/api/priced.h"
#include "llm/api/responses.h"
#include "llm/spellings.h"
#include "llm/usage.h"

#define OUTPUT_DEFAULT 4096 /* tokens of a line that bounds its output nowhere */

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

/* Which of ours a line's model is, that this key may use. */
static const struct km_deployment *model_of(const struct km_call *call, struct km_str name)
{
    const struct km_models *models = call->visit->view->snap->models;
    const struct km_key *key = call->visit->who.key;

    for (size_t i = 0; i < km_models_count(models); i++) {
        const struct km_deployment *d = km_models_at(models, i);

        if (km_str_eq(d->provider_name, call->at->d->provider_name) &&
            km_str_glob(d->upstream_model, name, NULL) &&
            (!key || km_key_grants_model(key, d->group, KM_STR_NONE, NULL) == KM_GRANTED))
            return d;
    }
    return NULL;
}

/* Members of a line's body; one that is there twice is refused, for the upstream may take the
 * other. */
enum {
    KM_L_MODEL,
    KM_L_BOUNDS, /* in the order of enum km_spelling */
    KM_L_COUNT = KM_L_BOUNDS + KM_SPELLING_OPTIONS,
};
#define NAME(id, name) { name, sizeof(name) - 1 },
static const struct km_str line_names[] = { { "model", 5 }, KM_SPELLINGS(NAME) };
#undef NAME

/* The largest of those members that are numbers; `otherwise`: none is. */
static int64_t largest(struct km_str body, const struct km_json_span *at, size_t from, size_t to,
                       int64_t otherwise)
{
    int64_t n, most = -1;

    for (size_t i = from; i <= to; i++)
        if (at[i].type != KM_JSON_ABSENT && km_str_i64(km_json_value(body, &at[i]), &n) == 0 &&
            n > most)
            most = n;
    return most < 0 ? otherwise : most < TOKENS_MOST ? most : TOKENS_MOST;
}

/* Of all its answers. */
static int64_t output_of(struct km_str body, const struct km_json_span *at,
                         const struct km_price *price)
{
    int64_t output =
        largest(body, at, KM_L_BOUNDS, KM_L_BOUNDS + KM_SPELLING_N - 1,
                price->max_output_tokens > 0 ? price->max_output_tokens : OUTPUT_DEFAULT);
    int64_t answers =
        largest(body, at, KM_L_BOUNDS + KM_SPELLING_N, KM_L_BOUNDS + KM_SPELLING_BEST_OF, 1);

    return answers > KM_CHOICES_MOST ? TOKENS_MOST : output * (answers > 0 ? answers : 1);
}

/* What it asks for beside tokens, and may use of it: how it is served is the batch's affair. */
static int read_asks(struct km_call *call, struct km_arena *scratch, struct km_str body,
                     struct km_usage *u, struct km_err *err)
{
    struct km_llm_priced p = { 0 };
    int r =
        km_llm_priced_object(body, KM_PRICED_ANY & ~(unsigned)KM_PRICED_REALTIME, scratch, &p, err);

    if (p.container > 1 && !p.unpriced.n) { /* nobody knows which line had it, once it is over */
        p.unpriced = KM_STR("`memory_limit` in a line of a batch");
        p.remedy = "Leave it out: the smallest container has a price.";
    }
    if (r == 0)
        r = km_asks_judge(call, &p, "input_file_id", err);
    if (r == 0 && p.background)
        r = km_fail_param(err, KM_E_INVALID, "input_file_id",
                          "A line of the batch's file says `background`: a batch is that already. "
                          "Leave it out.");
    km_llm_priced_usage(&p, u);
    u->service = KM_SERVICE_STANDARD;
    return r;
}

/* What the line may cost at most, or why it may not be. */
static int check_request(struct km_call *call, struct km_arena *scratch, struct km_str body,
                         const struct km_json *tree, struct km_err *err)
{
    struct km_object_work *o = km_object_of(call);
    struct km_usage u = { .prompt_tokens = km_tokens_upper(o->line.n) };
    struct km_json_span at[KM_L_COUNT];
    const struct km_deployment *d;
    struct km_price price;
    struct km_str model;
    int64_t cost = 0;
    int r = km_json_spans(body, line_names, KM_L_COUNT, at, NULL, err);

    if (r < 0)
        return r;
    if (at[KM_L_MODEL].type != KM_JSON_STRING)
        return km_fail_param(err, KM_E_INVALID, "input_file_id",
                             "A line of the batch's file names no model.");
    model = km_json_text(scratch, body, &at[KM_L_MODEL]);
    d = model_of(call, model);
    if (!d)
        return km_fail_param(err, KM_E_MODEL_DENIED, "input_file_id",
                             "The batch's file asks for model '%.*s', which your key may not use.",
                             KM_STR_ARG(km_str_sub(model, 0, 100)));
    r = km_other_models_line(call, tree, model, err);
    if (r == 0)
        r = read_asks(call, scratch, body, &u, err);
    if (r < 0)
        return r;
    price = km_price_batch(&d->price);
    u.completion_tokens = output_of(body, at, &d->price);
    if (!km_price_cost(&price, &u, &cost))
        return km_call_unpriced(call, err);
    o->most = cost > INT64_MAX - o->most ? INT64_MAX : o->most + cost;
    return 0;
}

/* Is the key held to models, tools or a budget? */
static bool held(const struct km_call *call)
{
    const struct km_key *key = call->visit->who.key;

    return key && (key->row.max_budget >= 0 || key->row.models.n > 0 ||
                   km_str_find(key->row.extra, KM_STR("\"hosted_tools\"")) < key->row.extra.n);
}

static int check(struct km_call *call, struct km_arena *scratch, struct km_str line,
                 struct km_err *err)
{
    static const struct km_str name = { "body", 4 };
    const struct km_json *root;
    struct km_json_span at;
    int r = km_json_parse(scratch, line, &root, NULL);

    if (r < 0 || km_json_kind(root) != KM_JSON_OBJECT)
        return km_fail_param(err, KM_E_INVALID, "input_file_id",
                             "A line of the batch's file is no JSON object.");
    r = km_json_spans(line, &name, 1, &at, NULL, err);
    if (r < 0 || at.type != KM_JSON_OBJECT)
        return r < 0 ? r
                     : km_fail_param(err, KM_E_INVALID, "input_file_id",
                                     "A line of the batch's file has no `body`.");
    if (held(call))
        r = check_request(call, scratch, km_json_value(line, &at), km_json_get(root, "body"), err);
    return r < 0 ? r : km_file_refs_add(call, km_json_get(root, "body"), err);
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
        (void)check(call, &scratch, line, &o->denied);
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
