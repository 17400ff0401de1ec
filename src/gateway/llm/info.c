/* SPDX-License-Identifier: Apache-2.0 */
/* info.c - see info.h.
 *
 * LiteLLM's members where the same is known here; what is not known is null, never a guess.  Of a
 * deployment's parameters only the model's name is told: addresses and credentials are the
 * operator's.  A key sees the models it may use and no others.
 */
#include "gateway/llm/info.h"

#include "base/time.h"
#include "door/reply.h"
#include "http/json_out.h"
#include "http/server.h"
#include "llm/model.h"
#include "llm/provider.h"
#include "policy/key.h"

#define LIST_MOST ((size_t)16 * 1024 * 1024)
#define CREATED "2023-02-28T18:56:42Z" /* of every model: nobody knows, and clients sort */
#define SCALE_PICO 12

bool km_info_may_use(const struct km_visit *v, struct km_str name)
{
    return !v->who.key || km_key_grants_model(v->who.key, name, KM_STR_NONE, NULL) == KM_GRANTED;
}

/* --- Anthropic's --- */

bool km_anthropic_asks(const struct km_visit *v)
{
    return km_header_get(&km_exchange_request(v->x)->headers, KM_STR("anthropic-version")).n > 0;
}

static void anthropic_model(struct km_json_out *o, struct km_str name)
{
    km_out_open(o, '{');
    km_out_member(o, "type", KM_STR("model"));
    km_out_member(o, "id", name);
    km_out_member(o, "display_name", name);
    km_out_member(o, "created_at", KM_STR(CREATED));
    km_out_close(o, '}');
}

static void name_or_null(struct km_json_out *o, const char *member, struct km_str name)
{
    if (name.n)
        km_out_member(o, member, name);
    else
        km_out_member_raw(o, member, KM_STR("null"));
}

void km_anthropic_models(struct km_visit *v, struct km_str name)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(LIST_MOST);
    struct km_str first = KM_STR_NONE, last = KM_STR_NONE;
    const struct km_str *names;
    size_t n = km_models_names(v->view->snap->models, &names);
    struct km_json_out o;

    km_json_out_init(&o, &out);
    if (name.n) {
        anthropic_model(&o, name);
        km_reply_json(v, 200, km_buf_view(&out));
        return;
    }
    km_out_open(&o, '{');
    km_out_key(&o, "data");
    km_out_open(&o, '[');
    for (size_t i = 0; i < n; i++) {
        if (!km_info_may_use(v, names[i]))
            continue;
        first = first.n ? first : names[i];
        last = names[i];
        anthropic_model(&o, names[i]);
    }
    km_out_close(&o, ']');
    km_out_key(&o, "has_more");
    km_out_bool(&o, false);
    name_or_null(&o, "first_id", first);
    name_or_null(&o, "last_id", last);
    km_out_close(&o, '}');
    km_reply_json(v, 200, km_buf_view(&out));
}

/* --- LiteLLM's --- */

static void count_or_null(struct km_json_out *o, const char *member, int64_t n)
{
    if (n >= 0)
        km_out_member_i64(o, member, n);
    else
        km_out_member_raw(o, member, KM_STR("null"));
}

static void price_or_null(struct km_json_out *o, const char *member, int64_t pico)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(64);

    if (pico >= 0)
        km_buf_decimal(&text, pico, SCALE_PICO);
    else
        km_buf_str(&text, KM_STR("null"));
    km_out_member_raw(o, member, km_buf_view(&text));
}

static void put_prices(struct km_json_out *o, const struct km_price *p)
{
    price_or_null(o, "input_cost_per_token", p->input);
    price_or_null(o, "output_cost_per_token", p->output);
    price_or_null(o, "cache_read_input_token_cost", p->cache_read);
    price_or_null(o, "cache_creation_input_token_cost", p->cache_write);
}

static const char *mode_of(const struct km_deployment *d)
{
    struct km_capability can;

    km_deployment_can(d, d->upstream_model, &can);
    return can.can & KM_CAN_EMBED ? "embedding" : "chat";
}

static void put_flag(struct km_json_out *o, const char *member, bool yes)
{
    km_out_key(o, member);
    km_out_bool(o, yes);
}

static void put_limits(struct km_json_out *o, const struct km_price *p, int64_t output)
{
    count_or_null(o, "max_tokens", output);
    count_or_null(o, "max_input_tokens", p->max_input_tokens);
    count_or_null(o, "max_output_tokens", output);
}

static void put_deployment(struct km_json_out *o, const struct km_deployment *d)
{
    struct km_capability can;

    km_deployment_can(d, d->upstream_model, &can);
    km_out_open(o, '{');
    km_out_member(o, "model_name", d->group);
    km_out_key(o, "litellm_params");
    km_out_open(o, '{');
    km_out_member(o, "model", d->model);
    km_out_close(o, '}');
    km_out_key(o, "model_info");
    km_out_open(o, '{');
    km_out_member(o, "id", d->id);
    put_flag(o, "db_model", d->stored);
    km_out_member(o, "key", d->model);
    km_out_member(o, "litellm_provider", d->provider_name);
    km_out_member(o, "mode", km_str_c(mode_of(d)));
    if (d->base_model.n)
        km_out_member(o, "base_model", d->base_model);
    put_limits(o, &d->price, km_deployment_max_output(d, &d->price));
    put_prices(o, &d->price);
    put_flag(o, "supports_response_schema", can.can & KM_CAN_SCHEMA);
    put_flag(o, "supports_reasoning",
             can.can & (KM_CAN_THINK_BUDGET | KM_CAN_THINK_ADAPTIVE | KM_CAN_EFFORT));
    km_out_close(o, '}');
    km_out_close(o, '}');
}

void km_info_models(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(LIST_MOST);
    struct km_visit *v = visit;
    const struct km_models *models = v->view->snap->models;
    struct km_json_out o;

    (void)x;
    (void)match;
    km_json_out_init(&o, &out);
    km_out_open(&o, '{');
    km_out_key(&o, "data");
    km_out_open(&o, '[');
    for (size_t i = 0; i < km_models_count(models); i++)
        if (km_info_may_use(v, km_models_at(models, i)->group))
            put_deployment(&o, km_models_at(models, i));
    km_out_close(&o, ']');
    km_out_close(&o, '}');
    km_reply_json(v, 200, km_buf_view(&out));
}

/* Whoever plans by it can rely on the least of a group's windows and pays at most the most. */
struct summary {
    struct km_price price;
    int64_t output;
    const char *mode;
};

static int64_t least(int64_t a, int64_t b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void add_deployment(struct summary *s, const struct km_deployment *d)
{
    s->price.max_input_tokens = least(s->price.max_input_tokens, d->price.max_input_tokens);
    s->output = least(s->output, km_deployment_max_output(d, &d->price));
    s->price.input = most(s->price.input, d->price.input);
    s->price.output = most(s->price.output, d->price.output);
    s->price.cache_read = most(s->price.cache_read, d->price.cache_read);
    s->price.cache_write = most(s->price.cache_write, d->price.cache_write);
    s->mode = mode_of(d);
}

static const struct km_deployment *deployment_of(const struct km_candidate *c)
{
    return c->deployment;
}

static void put_providers(struct km_json_out *o, const struct km_model_match *m)
{
    km_out_key(o, "providers");
    km_out_open(o, '[');
    for (size_t i = 0; i < m->n; i++) {
        bool told = false;

        for (size_t k = 0; k < i && !told; k++)
            told = km_str_eq(deployment_of(&m->v[k])->provider_name,
                             deployment_of(&m->v[i])->provider_name);
        if (!told)
            km_out_str(o, deployment_of(&m->v[i])->provider_name);
    }
    km_out_close(o, ']');
}

static void put_group(struct km_json_out *o, struct km_str name, const struct km_model_match *m)
{
    struct summary s = { .price = KM_PRICE_NONE, .output = -1, .mode = "chat" };

    for (size_t i = 0; i < m->n; i++)
        add_deployment(&s, deployment_of(&m->v[i]));
    km_out_open(o, '{');
    km_out_member(o, "model_group", name);
    put_providers(o, m);
    km_out_member(o, "mode", km_str_c(s.mode));
    put_limits(o, &s.price, s.output);
    put_prices(o, &s.price);
    km_out_close(o, '}');
}

void km_info_groups(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(LIST_MOST);
    struct km_visit *v = visit;
    const struct km_str *names;
    size_t n = km_models_names(v->view->snap->models, &names);
    struct km_model_match m;
    struct km_json_out o;

    (void)x;
    (void)match;
    km_json_out_init(&o, &out);
    km_out_open(&o, '{');
    km_out_key(&o, "data");
    km_out_open(&o, '[');
    for (size_t i = 0; i < n; i++)
        if (km_info_may_use(v, names[i]) &&
            km_models_find(v->view->snap->models, names[i], &m, NULL) == 0)
            put_group(&o, names[i], &m);
    km_out_close(&o, ']');
    km_out_close(&o, '}');
    km_reply_json(v, 200, km_buf_view(&out));
}
