/* SPDX-License-Identifier: Apache-2.0 */
/* price_table.c - prices by model name (price.h: km_prices).
 *
 * Two shelves, asked in this order: what was imported, then the built-in rows.  Each is
 *
 *     exact   map of names without a star
 *     globs   names with one, in the order they came: first match wins; what stands before the
 *             star tells most of them from a name at its first and last byte
 *
 * A name is "provider/model" or, as LiteLLM's file writes many, the model alone; a row of the
 * second kind counts only for its own provider, because a model served by another (Azure, a
 * local vLLM) is another price or none.  LiteLLM calls some providers by finer names
 * ("bedrock_converse", "vertex_ai-language-models"), so a prefix is enough.
 */
#include "policy/price_table.h"

#include <stdlib.h>
#include <string.h>

#include "policy/price_inside.h"

#define MAX_ROWS 65536
#define NAME_BYTES 512

struct row {
    struct km_price price;
    struct km_str name, provider;
    size_t plain; /* bytes of name before its star */
    struct km_price_step steps[]; /* of price; behind them the bytes of both names */
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
    size_t steps = price->nsteps * sizeof *price->steps;
    struct row *row = malloc(sizeof *row + steps + name.n + provider.n + 1);
    char *at;

    if (!row)
        return NULL;
    at = (char *)row->steps + steps;
    memcpy(at, name.p, name.n);
    if (provider.n)
        memcpy(at + name.n, provider.p, provider.n);
    row->price = *price;
    row->price.steps = steps ? row->steps : NULL;
    if (steps)
        memcpy(row->steps, price->steps, steps);
    row->name = km_str(at, name.n);
    row->provider = km_str(at + name.n, provider.n);
    row->plain = km_str_chr(row->name, '*');
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
        struct km_str names = km_str_c(km_price_builtin[i].names), name, provider;
        struct km_price_draft draft;

        if (km_price_read_entry(&draft, names, km_str_c(km_price_builtin[i].json), &provider,
                                NULL) < 0)
            return km_prices_free(p);
        while (km_str_split(&names, ' ', &name))
            if (shelf_add(&p->builtin, name, KM_STR_NONE, &draft.price, NULL) < 0)
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

/* "provider/what"; empty where it has no room. */
static struct km_str join_name(char room[NAME_BYTES], struct km_str provider, struct km_str what)
{
    if (provider.n + 1 + what.n > NAME_BYTES)
        return KM_STR_NONE;
    if (provider.n)
        memcpy(room, provider.p, provider.n);
    room[provider.n] = '/';
    if (what.n)
        memcpy(room + provider.n + 1, what.p, what.n);
    return km_str(room, provider.n + 1 + what.n);
}

/* A shelf has dozens of them, and a call's name begins as few do. */
static bool glob_fits(const struct row *row, struct km_str name)
{
    const size_t n = row->plain;

    if (name.n < n || (n && (name.p[0] != row->name.p[0] || name.p[n - 1] != row->name.p[n - 1])))
        return false;
    return km_str_glob(row->name, name, NULL);
}

static bool shelf_find(const struct shelf *s, struct km_str provider, struct km_str model,
                       struct km_str full, struct km_price *ret)
{
    const struct row *row;

    if (!km_map_count(s->exact) && !s->nglobs) /* mostly nothing was imported */
        return false;
    row = full.n ? km_map_get(s->exact, full) : NULL;
    if (!row) {
        row = km_map_get(s->exact, model);
        if (row && row->provider.n && provider.n && !km_str_starts(row->provider, provider))
            row = NULL;
    }
    for (size_t i = 0; !row && i < s->nglobs; i++)
        if ((full.n && glob_fits(s->globs[i], full)) || glob_fits(s->globs[i], model))
            row = s->globs[i];
    if (row)
        *ret = row->price;
    return row != NULL;
}

/* Other names of a provider, which the tables do not have. */
static struct km_str listed_as(struct km_str provider)
{
    static const char *const names[][2] = { { "cohere_chat", "cohere" },
                                            { "vertex_ai_beta", "vertex_ai" } };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (km_str_eq(provider, km_str_c(names[i][0])))
            return km_str_c(names[i][1]);
    return provider;
}

bool km_prices_find(const struct km_prices *p, struct km_str provider, struct km_str model,
                    struct km_price *ret_price)
{
    char name[NAME_BYTES];
    struct km_str full = KM_STR_NONE;

    provider = listed_as(provider);
    if (provider.n)
        full = join_name(name, provider, model);
    if (!shelf_find(&p->imported, provider, model, full, ret_price) &&
        !shelf_find(&p->builtin, provider, model, full, ret_price))
        return false;
    km_prices_add_tools(p, provider, ret_price);
    return true;
}

void km_prices_add_tools(const struct km_prices *p, struct km_str provider, struct km_price *price)
{
    const struct shelf *shelves[] = { &p->imported, &p->builtin };
    char name[NAME_BYTES];
    const struct km_str full = join_name(name, provider, KM_STR("container"));

    for (size_t i = 0; full.n && i < 2; i++) {
        const struct row *row =
            km_map_count(shelves[i]->exact) ? km_map_get(shelves[i]->exact, full) : NULL;

        if (row && price->session < 0)
            price->session = row->price.session;
        if (row && price->file_search < 0)
            price->file_search = row->price.file_search;
        if (row && price->search[KM_SEARCH_MEDIUM] < 0)
            price->search[KM_SEARCH_MEDIUM] = row->price.search[KM_SEARCH_MEDIUM];
    }
}

int km_prices_add_json(struct km_prices *p, struct km_str model, struct km_str json,
                       struct km_err *err)
{
    struct km_price_draft draft;
    struct km_str provider;
    int r;

    if (!model.n || model.n > NAME_BYTES)
        return km_fail(err, KM_E_INVALID, "price: a model name has 1 to %d bytes", NAME_BYTES);
    r = km_price_read_entry(&draft, model, json, &provider, err);
    return r < 0 ? r : shelf_add(&p->imported, model, provider, &draft.price, err);
}
