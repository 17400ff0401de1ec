/* SPDX-License-Identifier: Apache-2.0 */
/* price_entry.c - an entry of LiteLLM's model_prices_and_context_window.json as a price.
 *
 *     {"litellm_provider": "openai", "max_input_tokens": 128000,
 *      "input_cost_per_token": 2.5e-06,                                    a column
 *      "search_context_cost_per_query": {"search_context_size_low": ...},  a dotted one
 *      "tiered_pricing": [{"range": [0, 32000], "input_cost_per_token": ...}]}
 *
 * The columns are those of price_columns.h; what is no column is passed over, for an entry says
 * much beside prices.  null is not set, as to LiteLLM; what is no number, or below zero, refuses
 * the entry.
 */
#include "policy/price_inside.h"
#include "policy/price_text.h"

#define NAME_BYTES 512

struct entry {
    struct km_price_draft *draft;
    struct km_str model, provider;
    struct km_err *err;
};

/* The provider that an entry is of, by its own word or by its name. */
static struct km_str provider_of(struct km_str model, struct km_str json)
{
    struct km_price_text t = { .s = json };
    struct km_str name, value;
    bool more = km_price_text_open(&t, '{');

    while (more && km_price_text_member(&t, &name, &more, NULL) == 0 && more &&
           km_price_text_value(&t, &value, NULL) == 0)
        if (km_str_eq(name, KM_STR("litellm_provider")))
            return value;
    return km_str_chr(model, '/') < model.n ? km_str_sub(model, 0, km_str_chr(model, '/'))
                                            : KM_STR_NONE;
}

static int odd(const struct entry *e, const struct km_err *why)
{
    return km_fail(e->err, KM_E_INVALID, "price of '%.*s': %s", KM_STR_ARG(e->model), why->text);
}

static int set_limit(struct entry *e, struct km_str name, struct km_str value, int64_t *to)
{
    struct km_err why;

    if (km_str_decimal(value, 0, to) == 0)
        return 0;
    km_fail(&why, KM_E_INVALID, "%.*s is '%.*s', not a number >= 0", KM_STR_ARG(name),
            KM_STR_ARG(km_str_sub(value, 0, 40)));
    return odd(e, &why);
}

static int set_member(struct entry *e, struct km_str name, struct km_str value)
{
    struct km_price *price = &e->draft->price;
    struct km_err why;

    if (km_str_eq(value, KM_STR("null")))
        return 0;
    if (km_str_eq(name, KM_STR("max_input_tokens")))
        return set_limit(e, name, value, &price->max_input_tokens);
    if (km_str_eq(name, KM_STR("max_output_tokens")))
        return set_limit(e, name, value, &price->max_output_tokens);
    return km_price_draft_set(e->draft, name, value, &why) < 0 ? odd(e, &why) : 0;
}

/* {"search_context_size_low": 0.01, ...}: dotted names. */
static int set_mapping(struct entry *e, struct km_str outer, struct km_str json)
{
    struct km_price_text t = { .s = json };
    struct km_str inner, value;
    char name[NAME_BYTES];
    bool more = true;
    int r = 0;

    if (!km_price_text_open(&t, '{'))
        return 0;
    while (r == 0 && (r = km_price_text_member(&t, &inner, &more, e->err)) == 0 && more) {
        if ((r = km_price_text_value(&t, &value, e->err)) < 0)
            return r;
        if (outer.n + 1 + inner.n > sizeof name)
            continue;
        memcpy(name, outer.p, outer.n);
        name[outer.n] = '.';
        if (inner.n)
            memcpy(name + outer.n + 1, inner.p, inner.n);
        r = set_member(e, km_str(name, outer.n + 1 + inner.n), value);
    }
    return r;
}

/* [256000.0, 1000000.0]: where it begins; -1: nowhere. */
static int64_t range_from(struct km_str json)
{
    struct km_price_text t = { .s = json };
    struct km_str value;
    int64_t from = -1;
    bool more;

    if (!km_price_text_open(&t, '[') || km_price_text_item(&t, &more, NULL) < 0 || !more ||
        km_price_text_value(&t, &value, NULL) < 0 || km_str_decimal(value, 0, &from) < 0)
        return -1;
    return from;
}

static int set_tier(struct entry *e, struct km_str json)
{
    struct km_price_text t = { .s = json };
    struct km_str name, value;
    struct km_err why;
    bool more = true;
    int r = 0;

    km_price_draft_tier(e->draft, -1);
    for (int pass = 0; pass < 2; pass++) { /* the range first, wherever it stands */
        t.s = json;
        if (!km_price_text_open(&t, '{'))
            return 0;
        while (r == 0 && (r = km_price_text_member(&t, &name, &more, e->err)) == 0 && more) {
            r = km_price_text_value(&t, &value, e->err);
            if (r == 0 && pass == 0 && km_str_eq(name, KM_STR("range")))
                km_price_draft_tier(e->draft, range_from(value));
            else if (r == 0 && pass == 1 && !km_str_eq(name, KM_STR("range")))
                r = set_member(e, name, value);
        }
        if (r < 0 || e->draft->from < 0)
            return r;
    }
    return km_price_draft_tier_end(e->draft, &why) < 0 ? odd(e, &why) : 0;
}

static int set_tiers(struct entry *e, struct km_str json)
{
    struct km_price_text t = { .s = json };
    struct km_str value;
    bool more = true;
    int r = 0;

    if (!km_price_text_open(&t, '['))
        return 0;
    while (r == 0 && (r = km_price_text_item(&t, &more, e->err)) == 0 && more) {
        r = km_price_text_value(&t, &value, e->err);
        if (r == 0)
            r = set_tier(e, value);
    }
    return r;
}

int km_price_read_entry(struct km_price_draft *d, struct km_str model, struct km_str json,
                        struct km_str *ret_provider, struct km_err *err)
{
    struct entry e = { .draft = d, .model = model, .err = err };
    struct km_price_text t = { .s = json };
    struct km_str name, value;
    bool more = true;
    int r = 0;

    if (!km_price_text_open(&t, '{'))
        return km_fail(err, KM_E_INVALID, "price of '%.*s': not a JSON object", KM_STR_ARG(model));
    e.provider = provider_of(model, json);
    km_price_draft_init(d, e.provider);
    while (r == 0 && (r = km_price_text_member(&t, &name, &more, err)) == 0 && more) {
        char kind = km_price_text_kind(&t);

        r = km_price_text_value(&t, &value, err);
        if (r == 0 && kind == '{')
            r = set_mapping(&e, name, value);
        else if (r == 0 && kind == '[' && km_str_eq(name, KM_STR("tiered_pricing")))
            r = set_tiers(&e, value);
        else if (r == 0 && kind != '[')
            r = set_member(&e, name, value);
    }
    if (r < 0)
        return r;
    km_price_draft_finish(d, e.provider);
    *ret_provider = e.provider;
    return 0;
}
