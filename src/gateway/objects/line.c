/* SPDX-License-Identifier: Apache-2.0 */
/* line.c - a line of a batch that is to be made: may its key ask for that, and what may it cost?
 *
 *     {"custom_id","method","url":"/v1/chat/completions","body":{"model",...}}
 *
 * A line is a request of its own, and is judged as a call of the same API is: by the same estimate
 * of what goes in, the same names of bounds, the same longest answer where none is said, at the
 * dearest price of a batch.  Only one thing is different: nothing in it can be lowered, for the
 * file is at the upstream already.  So what is left covers all lines, or the batch is refused.
 *
 * The 256 tokens that a reservation has beside its quarter more are added once: of many lines some
 * are longer than their estimate and others shorter.
 */
#include "gateway/objects/inside.h"
#include "kept/asks.h"
#include "kept/file_refs.h"
#include "kept/other_models.h"
#include "llm/api/media.h"
#include "llm/api/openai.h"
#include "llm/api/priced.h"
#include "llm/api/responses.h"
#include "llm/spellings.h"
#include "policy/pace.h"

static const struct km_str model_name = { "model", 5 };

struct line {
    struct km_call *call;
    struct km_arena *scratch;
    const struct km_llm_api *api; /* NULL: none that is known here */
    struct km_str body;
    const struct km_json *tree; /* of the body */
    struct km_llm_request req;
    const struct km_deployment *d; /* which of ours its model is */
    struct km_price price; /* of a call */
};

/* Azure's paths have no version. */
static bool is_path(struct km_str path, const char *of)
{
    struct km_str version = KM_STR("/v1");

    return km_str_eq(path, km_str_c(of)) ||
           (km_str_starts(path, version) && km_str_eq(km_str_skip(path, version.n), km_str_c(of)));
}

static const struct km_llm_api *api_of(struct km_str path)
{
    static const struct km_llm_api *const apis[] = {
        &km_api_chat,      &km_api_completion,       &km_api_embedding,
        &km_api_responses, &km_media_generations.api, &km_media_moderations.api,
    };

    for (size_t i = 0; i < sizeof apis / sizeof apis[0]; i++)
        if (is_path(path, apis[i]->path))
            return apis[i];
    return NULL;
}

/* Whether the upstream goes by the batch's endpoint or the line's own address: where they are two
 * it may be either, and is none that can be said to write nothing. */
static const struct km_llm_api *api_of_line(const struct km_call *call, const struct km_json *line)
{
    const struct km_llm_api *api = api_of(km_object_of(call)->endpoint);
    struct km_str url = KM_STR_NONE;

    (void)km_json_string(km_json_get(line, "url"), &url);
    return api_of(url) == api ? api : NULL;
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

/* What a star stands for is priced by its name. */
static struct km_price price_of(const struct line *l)
{
    const struct km_snapshot *snap = l->call->visit->view->snap;
    struct km_price price = KM_PRICE_NONE;

    if (km_str_chr(l->d->upstream_model, '*') == l->d->upstream_model.n ||
        !km_prices_find(snap->prices, l->d->provider_name, l->req.model, &price))
        return l->d->price;
    return km_price_merge(price, l->d->price);
}

/* The model, and how much it may write; a member that is there twice is refused, for the upstream
 * may take the other. */
static int read_request(struct line *l, struct km_err *err)
{
    struct km_llm_request *r = &l->req;
    int e;

    *r = (struct km_llm_request){ .api = l->api, .body = l->body, .max_tokens = -1, .choices = 1 };
    e = km_llm_read_members(r, l->scratch, &model_name, 1, err);
    if (e == 0 && r->spans[0].type != KM_JSON_STRING)
        e = km_fail_param(err, KM_E_INVALID, "input_file_id",
                          "A line of the batch's file names no model.");
    if (e < 0)
        return e;
    r->model = km_json_text(l->scratch, l->body, &r->spans[0]);
    e = km_spellings_read(r, l->scratch, 0, err);
    return e == 0 ? km_openai_count_prompts(r, l->scratch, err) : e;
}

static int find_model(struct line *l, struct km_err *err)
{
    l->d = model_of(l->call, l->req.model);
    if (!l->d)
        return km_fail_param(err, KM_E_MODEL_DENIED, "input_file_id",
                             "The batch's file asks for model '%.*s', which your key may not use.",
                             KM_STR_ARG(km_str_sub(l->req.model, 0, 100)));
    l->price = price_of(l);
    return km_other_models_line(l->call, l->tree, l->req.model, err);
}

/* What it asks for beside tokens, and may use of it: how it is served is the batch's affair. */
static int read_asks(struct line *l, struct km_usage *u, struct km_err *err)
{
    struct km_llm_priced *p = &l->req.priced;
    int r = km_llm_priced_object(l->body, KM_PRICED_ANY & ~(unsigned)KM_PRICED_REALTIME, l->scratch,
                                 p, err);

    if (p->container > 1 && !p->unpriced.n) { /* nobody knows which line had it, once it is over */
        p->unpriced = KM_STR("`memory_limit` in a line of a batch");
        p->remedy = "Leave it out: the smallest container has a price.";
    }
    if (r == 0)
        r = km_asks_judge(l->call, p, "input_file_id", err);
    if (r == 0 && p->background)
        r = km_fail_param(err, KM_E_INVALID, "input_file_id",
                          "A line of the batch's file says `background`: a batch is that already. "
                          "Leave it out.");
    km_llm_priced_usage(p, u);
    if (p->opens_input)
        u->prompt_tokens = 0; /* nobody knows how much it will be */
    return r;
}

static bool is_media(const struct line *l)
{
    return l->api && l->api->wire == KM_WIRE_MEDIA;
}

/* Images cost by what is made.  Without what a batch takes off: not all of these prices know it. */
static int cost_of_media(struct line *l, int64_t *ret_cost, struct km_err *err)
{
    const struct km_media_api *row = km_media_of(l->api);
    struct km_llm_request r;
    struct km_media_ask ask;
    struct km_price price;
    int e = km_llm_request_parse(&r, l->api, l->scratch, l->body, KM_STR_NONE, err);

    if (e == 0)
        e = km_media_read(&r, l->scratch, &ask, err);
    if (e < 0)
        return e;
    price =
        km_media_price(row, &ask, l->d, l->price, l->req.model, l->call->visit->view->snap->prices);
    return km_media_worst(row, &ask, &price, ret_cost) ? 0 : km_call_unpriced(l->call, err);
}

/* Tokens of all its answers. */
static int64_t output_of(struct line *l)
{
    int64_t output = l->req.max_tokens;

    if (l->api && !(l->api->wire & KM_WIRES_WRITE))
        return 0;
    if (output < 0) {
        km_object_of(l->call)->unbounded++;
        output = km_deployment_max_output(l->d, &l->price);
    }
    if (output < 0)
        output = l->call->visit->view->snap->keys->unknown_max_output;
    return output * km_llm_answers(&l->req);
}

static int64_t input_of(const struct line *l)
{
    struct km_text_size size = km_text_measure(l->body);
    int64_t n = km_pace_reserve(km_pace_input(l->d->pace, &size));

    return km_object_of(l->call)->most ? n - km_pace_reserve(0) : n;
}

static int cost_of_tokens(struct line *l, const struct km_usage *asks, int64_t *ret_cost,
                          struct km_err *err)
{
    struct km_price price = km_price_batch(&l->price);
    struct km_price_worst w = km_price_worst(&price, asks);

    *ret_cost = 0;
    if (price.input < 0 && price.output < 0)
        return km_call_unpriced(l->call, err);
    *ret_cost = km_price_worst_cost(&w, input_of(l), output_of(l));
    return 0;
}

/* What the line may cost at most, or why it may not be. */
static int judge_request(struct line *l, struct km_err *err)
{
    struct km_object_work *o = km_object_of(l->call);
    struct km_usage asks = { .prompt_tokens = km_tokens_upper(l->body.n) };
    int64_t cost = 0;
    int r = read_request(l, err);

    if (r == 0)
        r = find_model(l, err);
    if (r == 0)
        r = read_asks(l, &asks, err);
    if (r == 0)
        r = is_media(l) ? cost_of_media(l, &cost, err) : cost_of_tokens(l, &asks, &cost, err);
    if (r == 0)
        o->most = cost > INT64_MAX - o->most ? INT64_MAX : o->most + cost;
    return r;
}

/* Is the key held to models, tools or a budget? */
static bool held(const struct km_call *call)
{
    const struct km_key *key = call->visit->who.key;

    return key && (key->row.max_budget >= 0 || key->row.models.n > 0 ||
                   km_str_find(key->row.extra, KM_STR("\"hosted_tools\"")) < key->row.extra.n);
}

int km_object_judge_line(struct km_call *call, struct km_arena *scratch, struct km_str text,
                         struct km_err *err)
{
    static const struct km_str name = { "body", 4 };
    struct line l = { .call = call, .scratch = scratch };
    const struct km_json *root;
    struct km_json_span at;
    int r = km_json_parse(scratch, text, &root, NULL);

    if (r < 0 || km_json_kind(root) != KM_JSON_OBJECT)
        return km_fail_param(err, KM_E_INVALID, "input_file_id",
                             "A line of the batch's file is no JSON object.");
    r = km_json_spans(text, &name, 1, &at, NULL, err);
    if (r < 0 || at.type != KM_JSON_OBJECT)
        return r < 0 ? r
                     : km_fail_param(err, KM_E_INVALID, "input_file_id",
                                     "A line of the batch's file has no `body`.");
    l.tree = km_json_get(root, "body");
    l.body = km_json_value(text, &at);
    l.api = api_of_line(call, root);
    if (held(call))
        r = judge_request(&l, err);
    return r < 0 ? r : km_file_refs_add(call, l.tree, err);
}
