/* SPDX-License-Identifier: Apache-2.0 */
/* price_table.c - prices by model name (price.h: km_prices).
 *
 * Two shelves, asked in this order: what was imported, then the built-in rows.  Each is
 *
 *     exact   map of names without a star
 *     globs   names with one, in the order they came: first match wins
 *
 * A name is "provider/model" or, as LiteLLM's file writes many, the model alone; a row of the
 * second kind counts only for its own provider, because a model served by another (Azure, a
 * local vLLM) is another price or none.  LiteLLM calls some providers by finer names
 * ("bedrock_converse", "vertex_ai-language-models"), so a prefix is enough.
 */
#include "policy/price_table.h"

#include <stdlib.h>

#include "policy/price_text.h"

#define MAX_ROWS 65536
#define NAME_BYTES 512

struct row {
    struct km_price price;
    struct km_str name, provider;
    char bytes[]; /* of both */
};

struct shelf {
    struct km_map *exact;
    struct row **globs;
    size_t nglobs, cap;
};

struct km_prices {
    struct shelf imported, builtin;
};

static void free_value(void *value)
{
    free(value);
}

static void shelf_done(struct shelf *s)
{
    if (s->exact)
        km_map_free(s->exact, free_value);
    for (size_t i = 0; i < s->nglobs; i++)
        free(s->globs[i]);
    free(s->globs);
}

static struct row *row_new(struct km_str name, struct km_str provider, const struct km_price *price)
{
    struct row *row = malloc(sizeof *row + name.n + provider.n + 1);
    char *at;

    if (!row)
        return NULL;
    at = row->bytes;
    memcpy(at, name.p, name.n);
    if (provider.n)
        memcpy(at + name.n, provider.p, provider.n);
    row->price = *price;
    row->name = km_str(at, name.n);
    row->provider = km_str(at + name.n, provider.n);
    return row;
}

static int add_glob(struct shelf *s, struct row *row)
{
    if (s->nglobs == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 16;
        struct row **grown = cap > MAX_ROWS ? NULL : realloc(s->globs, cap * sizeof *grown);

        if (!grown)
            return KM_E_LIMIT;
        s->globs = grown;
        s->cap = cap;
    }
    s->globs[s->nglobs++] = row;
    return 0;
}

static int shelf_add(struct shelf *s, struct km_str name, struct km_str provider,
                     const struct km_price *price, struct km_err *err)
{
    struct row *row = row_new(name, provider, price);
    void *old = NULL;
    int r;

    if (!row)
        return km_fail(err, KM_E_NOMEM, "prices: out of memory");
    r = km_str_chr(name, '*') < name.n ? add_glob(s, row) : km_map_set(s->exact, name, row, &old);
    if (r < 0) {
        free(row);
        return km_fail(err, KM_E_LIMIT, "prices: more than %d models", MAX_ROWS);
    }
    free(old);
    return 0;
}

/* A row of the built-in table: the columns stand in the order of the fields. */
static struct km_price price_of(const struct km_price_builtin *row)
{
    struct km_price price = KM_PRICE_NONE;
    int64_t *const fields[KM_PRICE_COLUMNS] = {
        &price.input,           &price.output,           &price.cache_read,
        &price.cache_write,     &price.request,          &price.max_input_tokens,
        &price.max_output_tokens, &price.tier_tokens,    &price.tier_input,
        &price.tier_output,     &price.tier_cache_read,  &price.tier_cache_write,
        &price.audio_input,     &price.audio_output,     &price.audio_cache_read,
        &price.image_input,     &price.image_cache_read,
    };

    for (size_t i = 0; i < KM_PRICE_COLUMNS; i++)
        if (row->v[i] != 0 || i < KM_PRICE_COLUMNS_SAID)
            *fields[i] = row->v[i];
    return price;
}

struct km_prices *km_prices_new(void)
{
    struct km_prices *p = calloc(1, sizeof *p);

    if (!p)
        return NULL;
    p->imported.exact = km_map_new(MAX_ROWS);
    p->builtin.exact = km_map_new(MAX_ROWS);
    if (!p->imported.exact || !p->builtin.exact)
        return km_prices_free(p);
    for (size_t i = 0; i < km_price_builtin_n; i++) {
        struct km_str names = km_str_c(km_price_builtin[i].names), name;
        struct km_price price = price_of(&km_price_builtin[i]);

        while (km_str_split(&names, ' ', &name))
            if (shelf_add(&p->builtin, name, KM_STR_NONE, &price, NULL) < 0)
                return km_prices_free(p);
    }
    return p;
}

struct km_prices *km_prices_free(struct km_prices *p)
{
    if (!p)
        return NULL;
    shelf_done(&p->imported);
    shelf_done(&p->builtin);
    free(p);
    return NULL;
}

static bool shelf_find(const struct shelf *s, struct km_str provider, struct km_str model,
                       struct km_str full, struct km_price *ret)
{
    const struct row *row = full.n ? km_map_get(s->exact, full) : NULL;

    if (!row) {
        row = km_map_get(s->exact, model);
        if (row && row->provider.n && provider.n && !km_str_starts(row->provider, provider))
            row = NULL;
    }
    for (size_t i = 0; !row && i < s->nglobs; i++)
        if ((full.n && km_str_glob(s->globs[i]->name, full, NULL)) ||
            km_str_glob(s->globs[i]->name, model, NULL))
            row = s->globs[i];
    if (row)
        *ret = row->price;
    return row != NULL;
}

bool km_prices_find(const struct km_prices *p, struct km_str provider, struct km_str model,
                    struct km_price *ret_price)
{
    char name[NAME_BYTES];
    struct km_str full = KM_STR_NONE;

    if (provider.n && provider.n + 1 + model.n <= sizeof name) {
        memcpy(name, provider.p, provider.n);
        name[provider.n] = '/';
        if (model.n)
            memcpy(name + provider.n + 1, model.p, model.n);
        full = km_str(name, provider.n + 1 + model.n);
    }
    return shelf_find(&p->imported, provider, model, full, ret_price) ||
           shelf_find(&p->builtin, provider, model, full, ret_price);
}

/* Members of LiteLLM's entries; scale 12 is USD to pico-USD, 0 a count. */
static const struct field {
    const char *name;
    size_t offset;
    int scale;
} fields[] = {
    { "input_cost_per_token", offsetof(struct km_price, input), 12 },
    { "output_cost_per_token", offsetof(struct km_price, output), 12 },
    { "cache_read_input_token_cost", offsetof(struct km_price, cache_read), 12 },
    { "cache_creation_input_token_cost", offsetof(struct km_price, cache_write), 12 },
    { "input_cost_per_request", offsetof(struct km_price, request), 12 },
    { "input_cost_per_query", offsetof(struct km_price, request), 12 }, /* of rerankers */
    { "input_cost_per_audio_token", offsetof(struct km_price, audio_input), 12 },
    { "output_cost_per_audio_token", offsetof(struct km_price, audio_output), 12 },
    { "cache_read_input_audio_token_cost", offsetof(struct km_price, audio_cache_read), 12 },
    /* LiteLLM's word for the same: nobody is charged for writing audio into a cache. */
    { "cache_creation_input_audio_token_cost", offsetof(struct km_price, audio_cache_read), 12 },
    { "input_cost_per_image_token", offsetof(struct km_price, image_input), 12 },
    { "cache_read_input_image_token_cost", offsetof(struct km_price, image_cache_read), 12 },
    { "input_cost_per_second", offsetof(struct km_price, second), 12 },
    { "output_cost_per_image_token", offsetof(struct km_price, media.image_token), 12 },
    { "input_cost_per_character", offsetof(struct km_price, media.character), 12 },
    { "output_cost_per_second", offsetof(struct km_price, media.output_second), 12 },
    { "input_cost_per_image", offsetof(struct km_price, media.input_image), 12 },
    { "output_cost_per_image", offsetof(struct km_price, media.output_image), 12 },
    { "input_cost_per_pixel", offsetof(struct km_price, media.input_pixel), 12 },
    { "output_cost_per_pixel", offsetof(struct km_price, media.output_pixel), 12 },
    { "input_cost_per_token_batches", offsetof(struct km_price, media.batch_input), 12 },
    { "output_cost_per_token_batches", offsetof(struct km_price, media.batch_output), 12 },
    { "max_input_tokens", offsetof(struct km_price, max_input_tokens), 0 },
    { "max_output_tokens", offsetof(struct km_price, max_output_tokens), 0 },
};

static const struct field tier_fields[] = {
    { "input_cost_per_token_above_", offsetof(struct km_price, tier_input), 12 },
    { "output_cost_per_token_above_", offsetof(struct km_price, tier_output), 12 },
    { "cache_read_input_token_cost_above_", offsetof(struct km_price, tier_cache_read), 12 },
    { "cache_creation_input_token_cost_above_", offsetof(struct km_price, tier_cache_write), 12 },
};

static int set_field(struct km_price *price, const struct field *f, struct km_str model,
                     struct km_str value, struct km_err *err)
{
    int64_t v;

    if (km_str_eq(value, KM_STR("null")))
        return 0;
    if (km_str_decimal(value, f->scale, &v) < 0)
        return km_fail(err, KM_E_INVALID, "price of '%.*s': %s is '%.*s', not a number >= 0",
                       KM_STR_ARG(model), f->name, KM_STR_ARG(value));
    memcpy((char *)price + f->offset, &v, sizeof v);
    return 0;
}

/* "200k_tokens" after the prefix: 200000.  Another unit ("1hr") or a form we do not read: no. */
static bool tier_tokens(struct km_str tail, int64_t *ret)
{
    size_t k = km_str_chr(tail, 'k');

    return km_str_eq(km_str_skip(tail, k), KM_STR("k_tokens")) &&
           km_str_i64(km_str_sub(tail, 0, k), ret) == 0 && *ret > 0 && *ret < 1000000;
}

/* Of several tiers the lowest is kept: nothing above it is priced too low by much, and the
 * files of today have one. */
static int set_tier(struct km_price *price, struct km_str name, struct km_str model,
                    struct km_str value, struct km_err *err)
{
    for (size_t i = 0; i < sizeof tier_fields / sizeof tier_fields[0]; i++) {
        struct km_str prefix = km_str_c(tier_fields[i].name);
        int64_t k;

        if (!km_str_starts(name, prefix) || !tier_tokens(km_str_skip(name, prefix.n), &k))
            continue;
        if (price->tier_tokens >= 0 && k * 1000 > price->tier_tokens)
            return 0;
        if (k * 1000 < price->tier_tokens) {
            struct km_price none = KM_PRICE_NONE;

            price->tier_input = none.tier_input;
            price->tier_output = none.tier_output;
            price->tier_cache_read = none.tier_cache_read;
            price->tier_cache_write = none.tier_cache_write;
        }
        price->tier_tokens = k * 1000;
        return set_field(price, &tier_fields[i], model, value, err);
    }
    return 0;
}

static int set_member(struct km_price *price, struct km_str name, struct km_str model,
                      struct km_str value, struct km_err *err)
{
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (km_str_eq(name, km_str_c(fields[i].name)))
            return set_field(price, &fields[i], model, value, err);
    return set_tier(price, name, model, value, err);
}

int km_prices_add_json(struct km_prices *p, struct km_str model, struct km_str json,
                       struct km_err *err)
{
    struct km_price_text t = { .s = json };
    struct km_price price = KM_PRICE_NONE;
    struct km_str provider = KM_STR_NONE, name, value;
    bool more = true;

    if (!model.n || model.n > NAME_BYTES)
        return km_fail(err, KM_E_INVALID, "price: a model name has 1 to %d bytes", NAME_BYTES);
    if (!km_price_text_open(&t, '{'))
        return km_fail(err, KM_E_INVALID, "price of '%.*s': not a JSON object", KM_STR_ARG(model));
    while (more) {
        int r = km_price_text_member(&t, &name, &more, err);

        if (r == 0 && more)
            r = km_price_text_value(&t, &value, err);
        if (r == 0 && more && km_str_eq(name, KM_STR("litellm_provider")))
            provider = value;
        else if (r == 0 && more)
            r = set_member(&price, name, model, value, err);
        if (r < 0)
            return r;
    }
    return shelf_add(&p->imported, model, provider, &price, err);
}
