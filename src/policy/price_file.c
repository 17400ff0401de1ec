/* SPDX-License-Identifier: Apache-2.0 */
/* price_file.c - splits a price file into entries (price.h: km_prices_parse_file).
 *
 * Two formats, told apart by their first bracket:
 *
 *     LiteLLM            {"gpt-4o": {"input_cost_per_token": 2.5e-06, ...}, ...}
 *                        an entry is handed on as it stands
 *     genai-prices       [{id: "openai", models: [{id: "gpt-4o", match: {...},
 *                          prices: {input_mtok: 2.5, ...}}]}]
 *                        data.json, or the same array inside the package's JavaScript
 *
 * The second is rewritten entry by entry: USD a million tokens becomes pico-USD a token by
 * decimal arithmetic (x 10^6, exact) and is written as 2500000e-12.  Its match clauses become
 * names: equals as it is, starts_with, ends_with and contains as globs; regular expressions
 * and `and` are left out, the entry's own id always counts.  Of dated prices the last that has
 * begun holds; of prices by the hour of the day the dearest, because a budget must hold then too.
 */
#include <stdlib.h>

#include "base/time.h"
#include "policy/price.h"
#include "policy/price_text.h"

#define NAME_BYTES 400

/* Their names for providers, and LiteLLM's where they differ. */
static const char *const providers[][2] = {
    { "aws", "bedrock" },
    { "google", "gemini" },
    { "x-ai", "xai" },
    { "fireworks", "fireworks_ai" },
    { "together", "together_ai" },
    { "moonshotai", "moonshot" },
    { "voyageai", "voyage" },
    { "zhipuai", "zai" },
    { "github-copilot", "github_copilot" },
};

/* What one `prices` object says, in pico-USD a token. */
static const struct unit {
    const char *theirs, *ours, *tiered;
} units[] = {
    { "input_mtok", "input_cost_per_token", "input_cost_per_token_above_" },
    { "output_mtok", "output_cost_per_token", "output_cost_per_token_above_" },
    { "cache_read_mtok", "cache_read_input_token_cost", "cache_read_input_token_cost_above_" },
    { "cache_write_mtok", "cache_creation_input_token_cost",
      "cache_creation_input_token_cost_above_" },
    { "input_audio_mtok", "input_cost_per_audio_token", NULL },
    { "output_audio_mtok", "output_cost_per_audio_token", NULL },
    { "cache_audio_read_mtok", "cache_read_input_audio_token_cost", NULL },
    { "input_image_mtok", "input_cost_per_image_token", NULL },
    { "cache_image_read_mtok", "cache_read_input_image_token_cost", NULL },
};

struct splitter {
    km_price_each_fn *each;
    void *ctx;
    size_t n;
    struct km_str provider;
    struct km_buf json; /* of the model being read */
    struct km_err *err;
};

static int emit(struct splitter *sp, struct km_str before, struct km_str name, struct km_str after)
{
    char full[NAME_BYTES];
    struct km_str parts[] = { sp->provider, KM_STR("/"), before, name, after };
    size_t n = 0;

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (n + parts[i].n > sizeof full)
            return 0; /* no provider has a name like that */
        if (parts[i].n)
            memcpy(full + n, parts[i].p, parts[i].n);
        n += parts[i].n;
    }
    sp->n++;
    return sp->each(sp->ctx, km_str(full, n), km_buf_view(&sp->json), sp->err);
}

/* One clause, or the clauses of an `or`: {equals: "x"}, {or: [{...}, {...}]}. */
static int emit_match(struct splitter *sp, struct km_str text, bool nested)
{
    struct km_price_text t = { .s = text };
    struct km_str name, value;
    struct km_str star = KM_STR("*");
    bool more;
    int r;

    if (!km_price_text_open(&t, '{'))
        return 0;
    if ((r = km_price_text_member(&t, &name, &more, sp->err)) < 0 || !more)
        return r;
    if (km_str_eq(name, KM_STR("or")) && !nested && km_price_text_open(&t, '[')) {
        while ((r = km_price_text_item(&t, &more, sp->err)) == 0 && more) {
            if ((r = km_price_text_value(&t, &value, sp->err)) < 0 ||
                (r = emit_match(sp, value, true)) < 0)
                return r;
        }
        return r;
    }
    if ((r = km_price_text_value(&t, &value, sp->err)) < 0)
        return r;
    if (km_str_eq(name, KM_STR("equals")))
        return emit(sp, KM_STR_NONE, value, KM_STR_NONE);
    if (km_str_eq(name, KM_STR("starts_with")))
        return emit(sp, KM_STR_NONE, value, star);
    if (km_str_eq(name, KM_STR("ends_with")))
        return emit(sp, star, value, KM_STR_NONE);
    if (km_str_eq(name, KM_STR("contains")))
        return emit(sp, star, value, star);
    return 0;
}

static int add_number(struct splitter *sp, const char *name, int64_t tier, struct km_str mtok)
{
    int64_t pico;

    if (km_str_decimal(mtok, 6, &pico) < 0)
        return km_fail(sp->err, KM_E_INVALID, "price file: '%.*s' is not a price",
                       KM_STR_ARG(mtok));
    km_buf_printf(&sp->json, ",\"%s", name);
    if (tier > 0)
        km_buf_printf(&sp->json, "%lldk_tokens", (long long)tier);
    km_buf_printf(&sp->json, "\":%llde-12", (long long)pico);
    return 0;
}

/* {start: 200000, price: 2.5} */
static int add_tier(struct splitter *sp, const struct unit *u, struct km_str text)
{
    struct km_price_text t = { .s = text };
    struct km_str name, value, start = KM_STR_NONE, price = KM_STR_NONE;
    int64_t tokens;
    bool more = true;
    int r;

    if (!km_price_text_open(&t, '{'))
        return 0;
    while ((r = km_price_text_member(&t, &name, &more, sp->err)) == 0 && more) {
        if ((r = km_price_text_value(&t, &value, sp->err)) < 0)
            return r;
        if (km_str_eq(name, KM_STR("start")))
            start = value;
        else if (km_str_eq(name, KM_STR("price")))
            price = value;
    }
    if (r < 0 || !u->tiered || !start.n || !price.n || km_str_decimal(start, 0, &tokens) < 0 ||
        tokens <= 0)
        return r;
    /* 199999 and 271999 are there too: the last token below the step. */
    return add_number(sp, u->tiered, (tokens + 1) / 1000, price);
}

/* {base: 1.25, tiers: [{start: 200000, price: 2.5}, ...]} */
static int add_tiered(struct splitter *sp, const struct unit *u, struct km_str text)
{
    struct km_price_text t = { .s = text };
    struct km_str name, value;
    bool more = true, inner = true;
    int r;

    if (!km_price_text_open(&t, '{'))
        return 0;
    while ((r = km_price_text_member(&t, &name, &more, sp->err)) == 0 && more) {
        struct km_price_text list;

        if ((r = km_price_text_value(&t, &value, sp->err)) < 0)
            return r;
        if (km_str_eq(name, KM_STR("base")) && (r = add_number(sp, u->ours, 0, value)) < 0)
            return r;
        list = (struct km_price_text){ .s = value };
        if (!km_str_eq(name, KM_STR("tiers")) || !km_price_text_open(&list, '['))
            continue;
        while ((r = km_price_text_item(&list, &inner, sp->err)) == 0 && inner)
            if ((r = km_price_text_value(&list, &value, sp->err)) < 0 ||
                (r = add_tier(sp, u, value)) < 0)
                return r;
        if (r < 0)
            return r;
    }
    return r;
}

static int add_prices(struct splitter *sp, struct km_str text)
{
    struct km_price_text t = { .s = text };
    struct km_str name, value;
    bool more;
    int r;

    if (!km_price_text_open(&t, '{'))
        return 0;
    while ((r = km_price_text_member(&t, &name, &more, sp->err)) == 0 && more) {
        bool tiered = km_price_text_kind(&t) == '{';
        int64_t pico;

        if ((r = km_price_text_value(&t, &value, sp->err)) < 0)
            return r;
        for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
            if (!km_str_eq(name, km_str_c(units[i].theirs)))
                continue;
            r = tiered ? add_tiered(sp, &units[i], value) : add_number(sp, units[i].ours, 0, value);
            if (r < 0)
                return r;
        }
        /* USD a thousand requests. */
        if (km_str_eq(name, KM_STR("requests_kcount")) && km_str_decimal(value, 9, &pico) == 0)
            km_buf_printf(&sp->json, ",\"input_cost_per_request\":%llde-12", (long long)pico);
    }
    return r;
}

enum when { WHEN_ALWAYS, WHEN_BEGUN, WHEN_LATER };

/* {start_date: "2026-03-13"}; hours of the day say nothing about the date. */
static int read_constraint(struct splitter *sp, struct km_str text, enum when *ret)
{
    struct km_price_text t = { .s = text };
    struct km_str name, value;
    int64_t from;
    bool more;
    int r;

    if (!km_price_text_open(&t, '{'))
        return 0;
    while ((r = km_price_text_member(&t, &name, &more, sp->err)) == 0 && more) {
        if ((r = km_price_text_value(&t, &value, sp->err)) < 0)
            return r;
        if (km_str_eq(name, KM_STR("start_date")))
            *ret = km_time_parse_iso(value, &from) == 0 && from <= km_wall_us() ? WHEN_BEGUN
                                                                                : WHEN_LATER;
    }
    return r;
}

/* What input costs, to compare; -1 where it has no plain price. */
static int64_t input_of(struct km_str prices)
{
    struct km_price_text t = { .s = prices };
    struct km_str name, value;
    int64_t pico = -1;
    bool more;

    if (!km_price_text_open(&t, '{'))
        return -1;
    while (km_price_text_member(&t, &name, &more, NULL) == 0 && more) {
        if (km_price_text_value(&t, &value, NULL) < 0)
            return -1;
        if (km_str_eq(name, KM_STR("input_mtok")) && km_str_decimal(value, 6, &pico) < 0)
            pico = -1;
    }
    return pico;
}

/* [{prices: {...}}, {constraint: {start_date: "..."}, prices: {...}}]: the prices that hold. */
static int choose_prices(struct splitter *sp, struct km_str text, struct km_str *ret_prices)
{
    struct km_price_text list = { .s = text };
    bool more, inner, dated = false;
    int r;

    if (!km_price_text_open(&list, '[')) {
        *ret_prices = text;
        return 0;
    }
    while ((r = km_price_text_item(&list, &more, sp->err)) == 0 && more) {
        struct km_str name, value, prices = KM_STR_NONE;
        enum when when = WHEN_ALWAYS;

        if (!km_price_text_open(&list, '{'))
            return km_fail(sp->err, KM_E_INVALID, "price file: prices are not objects");
        while ((r = km_price_text_member(&list, &name, &inner, sp->err)) == 0 && inner) {
            if ((r = km_price_text_value(&list, &value, sp->err)) < 0)
                return r;
            if (km_str_eq(name, KM_STR("prices")))
                prices = value;
            else if (km_str_eq(name, KM_STR("constraint")) &&
                     (r = read_constraint(sp, value, &when)) < 0)
                return r;
        }
        if (r < 0)
            return r;
        if (when == WHEN_BEGUN ||
            (when == WHEN_ALWAYS && !dated && input_of(prices) >= input_of(*ret_prices)))
            *ret_prices = prices;
        dated = dated || when == WHEN_BEGUN;
    }
    return r;
}

static int split_model(struct splitter *sp, struct km_str text)
{
    struct km_price_text t = { .s = text };
    struct km_str name, value, id = KM_STR_NONE, match = KM_STR_NONE, prices = KM_STR_NONE;
    struct km_str window = KM_STR_NONE;
    int64_t tokens;
    bool more;
    int r;

    if (!km_price_text_open(&t, '{'))
        return km_fail(sp->err, KM_E_INVALID, "price file: a model is not an object");
    while ((r = km_price_text_member(&t, &name, &more, sp->err)) == 0 && more) {
        if ((r = km_price_text_value(&t, &value, sp->err)) < 0)
            return r;
        if (km_str_eq(name, KM_STR("id")))
            id = value;
        else if (km_str_eq(name, KM_STR("match")))
            match = value;
        else if (km_str_eq(name, KM_STR("context_window")))
            window = value;
        else if (km_str_eq(name, KM_STR("prices")) && (r = choose_prices(sp, value, &prices)) < 0)
            return r;
    }
    if (r < 0)
        return r;
    km_buf_reset(&sp->json);
    km_buf_printf(&sp->json, "{\"litellm_provider\":\"%.*s\"", KM_STR_ARG(sp->provider));
    if ((r = add_prices(sp, prices)) < 0)
        return r;
    if (window.n && km_str_decimal(window, 0, &tokens) == 0)
        km_buf_printf(&sp->json, ",\"max_input_tokens\":%lld", (long long)tokens);
    km_buf_byte(&sp->json, '}');
    if (km_buf_failed(&sp->json))
        return km_fail(sp->err, KM_E_NOMEM, "price file: out of memory");
    if ((r = emit(sp, KM_STR_NONE, id, KM_STR_NONE)) < 0)
        return r;
    return emit_match(sp, match, false);
}

static struct km_str provider_name(struct km_str theirs)
{
    for (size_t i = 0; i < sizeof providers / sizeof providers[0]; i++)
        if (km_str_eq(theirs, km_str_c(providers[i][0])))
            return km_str_c(providers[i][1]);
    return theirs;
}

static int split_provider(struct splitter *sp, struct km_price_text *list)
{
    struct km_str name, value, models = KM_STR_NONE;
    struct km_price_text t;
    bool more;
    int r;

    if (!km_price_text_open(list, '{'))
        return km_fail(sp->err, KM_E_INVALID, "price file: a provider is not an object");
    sp->provider = KM_STR_NONE;
    while ((r = km_price_text_member(list, &name, &more, sp->err)) == 0 && more) {
        if ((r = km_price_text_value(list, &value, sp->err)) < 0)
            return r;
        if (km_str_eq(name, KM_STR("id")))
            sp->provider = provider_name(value);
        else if (km_str_eq(name, KM_STR("models")))
            models = value;
    }
    t = (struct km_price_text){ .s = models };
    if (r < 0 || !km_price_text_open(&t, '['))
        return r;
    while ((r = km_price_text_item(&t, &more, sp->err)) == 0 && more) {
        if ((r = km_price_text_value(&t, &value, sp->err)) < 0 || (r = split_model(sp, value)) < 0)
            return r;
    }
    return r;
}

static int split_genai(struct splitter *sp, struct km_price_text *t)
{
    bool more;
    int r;

    while ((r = km_price_text_item(t, &more, sp->err)) == 0 && more)
        if ((r = split_provider(sp, t)) < 0)
            return r;
    return r;
}

static int split_litellm(struct splitter *sp, struct km_price_text *t)
{
    struct km_str name, value;
    bool more;
    int r;

    while ((r = km_price_text_member(t, &name, &more, sp->err)) == 0 && more) {
        bool object = km_price_text_kind(t) == '{';

        if ((r = km_price_text_value(t, &value, sp->err)) < 0)
            return r;
        /* "sample_spec" explains the format in words where the others have numbers. */
        if (!object || km_str_eq(name, KM_STR("sample_spec")))
            continue;
        sp->n++;
        if ((r = sp->each(sp->ctx, name, value, sp->err)) < 0)
            return r;
    }
    return r;
}

/* The array literal of providers in the package's code: `= [` and then an object with an id. */
static bool find_array(struct km_price_text *t)
{
    struct km_str rest = t->s;

    while (rest.n) {
        struct km_price_text probe;
        struct km_str name;
        bool more;

        rest = km_str_skip(rest, km_str_chr(rest, '['));
        probe = (struct km_price_text){ .s = rest };
        if (km_price_text_open(&probe, '[') && km_price_text_open(&probe, '{') &&
            km_price_text_member(&probe, &name, &more, NULL) == 0 && more &&
            km_str_eq(name, KM_STR("id"))) {
            t->s = rest;
            return km_price_text_open(t, '[');
        }
        rest = km_str_skip(rest, 1);
    }
    return false;
}

int km_prices_parse_file(struct km_str text, km_price_each_fn *each, void *ctx, size_t *ret_n,
                         struct km_err *err)
{
    struct splitter sp = { .each = each, .ctx = ctx, .json = KM_BUF(4096), .err = err };
    struct km_price_text t = { .s = text };
    int r;

    if (km_price_text_open(&t, '{'))
        r = split_litellm(&sp, &t);
    else if (km_price_text_open(&t, '[') || find_array(&t))
        r = split_genai(&sp, &t);
    else
        r = km_fail(err, KM_E_INVALID,
                    "price file: neither LiteLLM's JSON nor the data of genai-prices");
    km_buf_done(&sp.json);
    if (r == 0 && sp.n == 0)
        r = km_fail(err, KM_E_INVALID, "price file: it has no entry");
    if (r == 0)
        *ret_n = sp.n;
    return r;
}
