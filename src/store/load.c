/* SPDX-License-Identifier: Apache-2.0 */
/* load.c - what is read whole before loops run: keys, their windows, prices (store.h).
 *
 * Blocking, each over a connection of its own: at start there is no one to wait for it, and at
 * a hand-over the writer is busy being handed over.  A row that does not read as one is named
 * and stops the loading: a gateway that starts with some of its keys has lost the others.
 */
#include <stdlib.h>

#include "store/ahead.h"
#include "store/inside.h"
#include "store/key_bound.h"
#include "store/key_row.h"
#include "store/statements.h"

struct window {
    uint8_t hash[32];
    int64_t end_us, spend;
};

enum { KEYS, WINDOWS, PRICES };

#define WINDOW(member) KM_FIELD(struct window, member)
#define PRICE(member) KM_FIELD(struct km_price_row, member)

static const struct km_statement rows[] = {
    [KEYS] = { "keys.list",
               { "SELECT " KM_KEY_NAMES "hash, spend FROM keys" },
               .out = KM_FIELDS(KM_KEY_FIELDS KM_FIELD(struct km_key_bound, row.hash),
                                KM_FIELD(struct km_key_bound, row.spend)) },
    [WINDOWS] = { "windows.list",
                  { "SELECT hash, end_us, spend FROM budget_windows" },
                  .out = KM_FIELDS(WINDOW(hash), WINDOW(end_us), WINDOW(spend)) },
    [PRICES] = { "prices.list",
                 { "SELECT source, model, json FROM prices ORDER BY seq" },
                 .out = KM_FIELDS(PRICE(source), PRICE(model), PRICE(json)) },
};
const struct km_statements km_load_statements = KM_STATEMENTS(rows);

static int each_key(struct km_key_bound *bound, enum km_row got, km_key_row_fn *each, void *ctx,
                    struct km_err *err)
{
    struct km_str *models = NULL;
    struct km_key_row *row = &bound->row;

    if (got == KM_ROW_TORN || km_key_models_parse(bound->models, &models, &row->models.n) < 0)
        return km_fail(err, KM_E_STORE, "store: the key '%.*s' does not read: restore a backup",
                       KM_STR_ARG(row->name));
    row->models.v = models;
    each(ctx, row);
    free(models);
    return 0;
}

int km_store_keys(struct km_store *store, km_key_row_fn *each, void *ctx, struct km_err *err)
{
    struct km_db *db KM_CLEANUP(km_db_done) = NULL;
    struct km_ready *list KM_CLEANUP(km_ready_done) = NULL;
    struct km_key_bound bound = { 0 };
    enum km_row got = KM_ROW_END;
    int r = km_ahead_ask(store, &rows[KEYS], &db, &list, err);

    while (r == 0 && (r = km_ready_next(list, &bound, &got, err)) == 0 && got)
        r = each_key(&bound, got, each, ctx, err);
    return r;
}

int km_store_windows(struct km_store *store, km_window_fn *each, void *ctx, struct km_err *err)
{
    struct km_db *db KM_CLEANUP(km_db_done) = NULL;
    struct km_ready *list KM_CLEANUP(km_ready_done) = NULL;
    struct window w;
    enum km_row got = KM_ROW_END;
    int r = km_ahead_ask(store, &rows[WINDOWS], &db, &list, err);

    while (r == 0 && (r = km_ready_next(list, &w, &got, err)) == 0 && got)
        if (got == KM_ROW)
            each(ctx, w.hash, w.end_us, w.spend);
    return r;
}

int km_store_prices(struct km_store *store, km_price_row_fn *each, void *ctx, struct km_err *err)
{
    struct km_db *db KM_CLEANUP(km_db_done) = NULL;
    struct km_ready *list KM_CLEANUP(km_ready_done) = NULL;
    struct km_price_row price;
    enum km_row got = KM_ROW_END;
    int r = km_ahead_ask(store, &rows[PRICES], &db, &list, err);

    while (r == 0 && (r = km_ready_next(list, &price, &got, err)) == 0 && got)
        each(ctx, &price);
    return r;
}
