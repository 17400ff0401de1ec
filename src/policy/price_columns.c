/* SPDX-License-Identifier: Apache-2.0 */
/* price_columns.c - a price by LiteLLM's name of it: see price_columns.h.
 *
 *     cache_read_input_token_cost _above_272k_tokens _priority
 *     the longest column it begins with, then what may stand behind it:
 *                                  -> steps[above 272000, priority].rates.cache_read
 *
 * A name of the list without more is the plain price.  What else begins like one, or sounds like a
 * price, is none that counts, and km_price_no_effect() says why: a name that is passed over in
 * silence would be a budget that lasts longer than its owner thinks.
 */
#include "policy/price_columns.h"

#include "policy/price_inside.h"

#include <string.h>

struct column {
    const char *name;
    size_t offset;
    unsigned forms;
};

#define COLUMN(id, name, member, forms, help) { name, offsetof(struct km_price, member), forms },
static const struct column columns[] = { KM_PRICE_COLUMNS(COLUMN) };
#undef COLUMN

/* Names inside of mappings, and what is no amount of money: thousandths. */
#define AT(member) offsetof(struct km_price, member)
static const struct factor {
    const char *name;
    size_t offset;
} factors[] = {
    { "provider_specific_entry.fast", AT(fast) },
    { "provider_specific_entry.us", AT(in_us) },
    { "regional_endpoint_uplift_multiplier", AT(uplifts[KM_UPLIFT_LOCATION]) },
    { "regional_processing_uplift_multiplier_us", AT(uplifts[KM_UPLIFT_US]) },
    { "regional_processing_uplift_multiplier_eu", AT(uplifts[KM_UPLIFT_EU]) },
};
#undef AT

static const char *const searches[KM_SEARCH_SIZES] = {
    [KM_SEARCH_MEDIUM] = "search_context_cost_per_query.search_context_size_medium",
    [KM_SEARCH_LOW] = "search_context_cost_per_query.search_context_size_low",
    [KM_SEARCH_HIGH] = "search_context_cost_per_query.search_context_size_high",
};

/* A price by its name: which column, and which calls it is of. */
struct place {
    const struct column *column;
    int64_t above;
    enum km_service service;
};

bool km_service_find(struct km_str name, enum km_service *ret)
{
    static const struct {
        const char *name;
        enum km_service service;
    } services[] = {
        { "auto", KM_SERVICE_STANDARD },     { "default", KM_SERVICE_STANDARD },
        { "standard", KM_SERVICE_STANDARD }, { "flex", KM_SERVICE_FLEX },
        { "priority", KM_SERVICE_PRIORITY }, { "fast", KM_SERVICE_PRIORITY },
        { "batches", KM_SERVICE_BATCH },     { "batch", KM_SERVICE_BATCH },
        { "balanced", KM_SERVICE_BALANCED }, { "ultrafast", KM_SERVICE_ULTRAFAST },
    };

    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++) {
        if (!km_str_ieq(name, km_str_c(services[i].name)))
            continue;
        *ret = services[i].service;
        return true;
    }
    return false;
}

/* "_above_200k_tokens" off the front of *tail. */
static bool take_above(struct km_str *tail, int64_t *ret)
{
    struct km_str word = KM_STR("_above_"), end = KM_STR("_tokens"), number;
    size_t at;
    bool thousands;

    if (!km_str_starts(*tail, word))
        return false;
    number = km_str_skip(*tail, word.n);
    at = km_str_find(number, end);
    if (at == number.n)
        return false;
    *tail = km_str_skip(number, at + end.n);
    number = km_str_sub(number, 0, at);
    thousands = km_str_ends(number, KM_STR("k"));
    if (thousands)
        number.n--;
    if (km_str_i64(number, ret) < 0 || *ret <= 0 || *ret >= 1000000000)
        return false;
    *ret *= thousands ? 1000 : 1;
    return true;
}

static const struct column *longest(struct km_str name)
{
    const struct column *best = NULL;
    size_t n = 0;

    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        struct km_str column = km_str_c(columns[i].name);

        if (column.n > n && km_str_starts(name, column)) {
            best = &columns[i];
            n = column.n;
        }
    }
    return best;
}

static bool find_place(struct km_str name, struct place *ret)
{
    const struct column *column = longest(name);
    struct km_str tail;

    if (!column)
        return false;
    *ret = (struct place){ .column = column };
    tail = km_str_skip(name, strlen(column->name));
    if (tail.n && (column->forms & KM_PRICE_ABOVE) && km_str_starts(tail, KM_STR("_above_")) &&
        !take_above(&tail, &ret->above))
        return false;
    if (!tail.n)
        return true;
    return (column->forms & KM_PRICE_SERVICE) && tail.p[0] == '_' &&
           km_service_find(km_str_skip(tail, 1), &ret->service) &&
           ret->service != KM_SERVICE_STANDARD && !km_str_eq(tail, KM_STR("_batch")) &&
           !km_str_eq(tail, KM_STR("_fast"));
}

bool km_price_is_plain(struct km_str name)
{
    const struct column *column = longest(name);

    return column && strlen(column->name) == name.n;
}

bool km_price_counts(struct km_str name)
{
#define OTHER(name, help) name,
    static const char *const others[] = { KM_PRICE_OTHERS(OTHER) };
#undef OTHER
    struct place place;

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (km_str_eq(name, km_str_c(others[i])))
            return true;
    return find_place(name, &place);
}

const char *km_price_no_effect(struct km_str name)
{
    static const struct {
        const char *glob, *why;
    } reasons[] = {
        { "*_video_*", "kanmon counts no video" },
        { "output_cost_per_second_*", "kanmon makes no video" },
        { "*_audio_per_second*", "audio in a chat is counted in tokens" },
        { "output_cost_per_image_*", "an image is priced as one, by its pixels or its tokens" },
        { "output_cost_per_character*", "answers are counted in tokens" },
        { "cost_per_second", "no call is charged by the time it takes" },
        { "ocr_cost_per_credit", "no document is counted in credits" },
        { "*_per_page_batches", "no batch is counted in pages" },
        { "google_maps_*", "searches of Google Maps are not counted" },
        { "*_per_gb_per_day", "what is stored is not charged to calls" },
        { "computer_use_*", "the use of a computer is counted in the call's tokens" },
        { "*_above_128k_tokens", "it has one price for any length of prompt" },
        { "*_cost_per_*", "nothing that kanmon counts is priced by it" },
        { "*_token_cost*", "nothing that kanmon counts is priced by it" },
        { "*_uplift_multiplier*", "nothing that kanmon counts is priced by it" },
    };

    if (km_price_counts(name))
        return NULL;
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (km_str_glob(km_str_c(reasons[i].glob), name, NULL))
            return reasons[i].why;
    return NULL;
}

/* --- drafts --- */

void km_price_draft_init(struct km_price_draft *d, struct km_str provider)
{
    d->price = (struct km_price)KM_PRICE_NONE;
    d->from = -1;
    /* xAI bills the dearer price from the step's token on; others, above it. */
    d->inclusive = km_str_eq(provider, KM_STR("xai"));
}

static int64_t *at(struct km_price *price, size_t offset)
{
    return (int64_t *)((char *)price + offset);
}

static bool of_tokens(const struct column *c)
{
    return c->offset < sizeof(struct km_rates);
}

/* Where the price goes; NULL: nowhere, for there are too many steps. */
static int64_t *place_in(struct km_price_draft *d, const struct place *place)
{
    struct km_price_step *step;

    if (d->from >= 0 && of_tokens(place->column))
        return (int64_t *)((char *)&d->tier + place->column->offset);
    if (!place->above && place->service == KM_SERVICE_STANDARD)
        return at(&d->price, place->column->offset);
    step = km_price_step_at(d->steps, &d->price.nsteps,
                            place->above - (d->inclusive && place->above ? 1 : 0), place->service);
    return step ? (int64_t *)((char *)&step->rates + place->column->offset) : NULL;
}

static void put(const struct column *column, int64_t *to, int64_t pico)
{
    if (pico < 0 || ((column->forms & KM_PRICE_ALIAS) && *to >= 0))
        return;
    *to = column->forms & KM_PRICE_A_THOUSAND ? (pico + 500) / 1000 : pico;
}

void km_price_draft_put(struct km_price_draft *d, enum km_price_column column, int64_t pico)
{
    put(&columns[column], at(&d->price, columns[column].offset), pico);
}

static int number(struct km_str name, struct km_str value, int scale, int64_t *ret,
                  struct km_err *err)
{
    if (km_str_decimal(value, scale, ret) < 0)
        return km_fail(err, KM_E_INVALID, "%.*s is '%.*s', not a number >= 0", KM_STR_ARG(name),
                       KM_STR_ARG(km_str_sub(value, 0, 40)));
    return 1;
}

/* Those that are no amount of USD a unit; 0: none of them. */
static int set_other(struct km_price_draft *d, struct km_str name, struct km_str value,
                     struct km_err *err)
{
    for (size_t i = 0; i < sizeof factors / sizeof factors[0]; i++)
        if (km_str_eq(name, km_str_c(factors[i].name)))
            return number(name, value, 3, at(&d->price, factors[i].offset), err);
    for (size_t i = 0; i < KM_SEARCH_SIZES; i++)
        if (km_str_eq(name, km_str_c(searches[i])))
            return number(name, value, 12, &d->price.search[i], err);
    if (!km_str_eq(name, KM_STR("web_search_billing_unit")))
        return 0;
    if (!km_str_eq(value, KM_STR("per_query")) && !km_str_eq(value, KM_STR("per_prompt")))
        return km_fail(err, KM_E_INVALID, "%.*s is '%.*s', not per_query or per_prompt",
                       KM_STR_ARG(name), KM_STR_ARG(km_str_sub(value, 0, 40)));
    d->price.search_by_query = km_str_eq(value, KM_STR("per_query"));
    return 1;
}

int km_price_draft_set(struct km_price_draft *d, struct km_str name, struct km_str value,
                       struct km_err *err)
{
    struct place place;
    int64_t pico, *to;
    int r;

    if (!find_place(name, &place))
        return set_other(d, name, value, err);
    r = number(name, value, 12, &pico, err);
    if (r < 0)
        return r;
    to = place_in(d, &place);
    if (!to)
        return km_fail(err, KM_E_INVALID, "%.*s: a model has %d steps of prices at most",
                       KM_STR_ARG(name), KM_PRICE_STEPS_MOST);
    put(place.column, to, pico);
    return 1;
}

void km_price_draft_tier(struct km_price_draft *d, int64_t from)
{
    d->from = from;
    d->tier = (struct km_rates)KM_RATES_NONE;
}

/* What a tier does not say costs what its input does, and thinking what its output does: a request
 * never mixes tiers. */
int km_price_draft_tier_end(struct km_price_draft *d, struct km_err *err)
{
    struct km_price_step *step;
    struct km_rates *t = &d->tier;
    int64_t from = d->from;

    d->from = -1;
    if (t->input < 0)
        return 0;
    if (t->cache_read < 0)
        t->cache_read = t->input;
    if (t->cache_write < 0)
        t->cache_write = t->input;
    if (t->reasoning < 0)
        t->reasoning = t->output;
    if (from == 0) {
        t->output = t->output >= 0 ? t->output : d->price.output;
        d->price.rates = *t;
        return 0;
    }
    step = km_price_step_at(d->steps, &d->price.nsteps, from, KM_SERVICE_STANDARD);
    if (!step)
        return km_fail(err, KM_E_INVALID, "tiered_pricing: a model has %d steps of prices at most",
                       KM_PRICE_STEPS_MOST);
    step->rates = *t;
    return 0;
}

void km_price_draft_finish(struct km_price_draft *d, struct km_str provider)
{
    struct km_price *p = &d->price;

    p->steps = p->nsteps ? d->steps : NULL;
    if (p->search[KM_SEARCH_MEDIUM] >= 0 && p->search_by_query < 0 &&
        (km_str_starts(provider, KM_STR("gemini")) || km_str_starts(provider, KM_STR("vertex_ai"))))
        p->search_by_query = 0;
    /* Perplexity's models search for each call, whatever it says; those whose fee has sizes have
     * one fee for it, the others one for each query. */
    if (p->search[KM_SEARCH_MEDIUM] >= 0 && km_str_eq(provider, KM_STR("perplexity"))) {
        p->search_always = 1;
        if (p->search_by_query < 0 && p->search[KM_SEARCH_HIGH] >= 0)
            p->search_by_query = 0;
    }
    /* Fireworks bills half for what it has cached, where its list does not say more. */
    if (km_str_eq(provider, KM_STR("fireworks_ai")) && p->cache_read < 0 && p->input >= 0)
        p->cache_read = (p->input + 1) / 2;
}
