/* SPDX-License-Identifier: Apache-2.0 */
/* load.c - what is read whole before loops run: keys and prices (store.h).
 *
 * Blocking, each over a connection of its own: at start there is no one to wait for it, and at
 * a hand-over the writer is busy being handed over.  A row that does not read as one is named
 * and stops the loading: a gateway that starts with some of its keys has lost the others.
 */
#include <stdlib.h>

#include "store/ahead.h"
#include "store/db.h"
#include "store/inside.h"
#include "store/key_row.h"

static const char keys_sql[] =
    "SELECT hash, name, alias, models, user_id, team_id, metadata, extra, max_budget, soft_budget,"
    " budget_duration_s, budget_duration, budget_reset_us, rpm, tpm, max_parallel, expires_us,"
    " created_us, updated_us, created_by, updated_by, blocked, spend FROM keys";

static int each_key(sqlite3_stmt *s, km_key_row_fn *each, void *ctx, struct km_err *err)
{
    struct km_str *models = NULL;
    struct km_str hash = km_db_blob(s, 0);
    struct km_key_row row = {
        .name = km_db_text(s, 1),
        .alias = km_db_text(s, 2),
        .user_id = km_db_text(s, 4),
        .team_id = km_db_text(s, 5),
        .metadata = km_db_text(s, 6),
        .extra = km_db_text(s, 7),
        .max_budget = sqlite3_column_int64(s, 8),
        .soft_budget = sqlite3_column_int64(s, 9),
        .budget_duration_s = sqlite3_column_int64(s, 10),
        .budget_duration = km_db_text(s, 11),
        .budget_reset_us = sqlite3_column_int64(s, 12),
        .rpm = sqlite3_column_int64(s, 13),
        .tpm = sqlite3_column_int64(s, 14),
        .max_parallel = sqlite3_column_int64(s, 15),
        .expires_us = sqlite3_column_int64(s, 16),
        .created_us = sqlite3_column_int64(s, 17),
        .updated_us = sqlite3_column_int64(s, 18),
        .created_by = km_db_text(s, 19),
        .updated_by = km_db_text(s, 20),
        .blocked = sqlite3_column_int(s, 21) != 0,
        .spend = sqlite3_column_int64(s, 22),
    };

    if (hash.n != sizeof row.hash ||
        km_key_models_parse(km_db_text(s, 3), &models, &row.models.n) < 0)
        return km_fail(err, KM_E_STORE, "store: the key '%.*s' does not read: restore a backup",
                       KM_STR_ARG(row.name));
    memcpy(row.hash, hash.p, hash.n);
    row.models.v = models;
    each(ctx, &row);
    free(models);
    return 0;
}

int km_store_keys(struct km_store *store, km_key_row_fn *each, void *ctx, struct km_err *err)
{
    sqlite3 *db KM_CLEANUP(km_db_done) = NULL;
    sqlite3_stmt *s KM_CLEANUP(km_db_finalize) = NULL;
    bool row = false;
    int r = km_ahead_query(store, keys_sql, &db, &s, err);

    while (r == 0 && (r = km_db_next(s, &row, err)) == 0 && row)
        r = each_key(s, each, ctx, err);
    return r;
}

int km_store_prices(struct km_store *store, km_price_row_fn *each, void *ctx, struct km_err *err)
{
    sqlite3 *db KM_CLEANUP(km_db_done) = NULL;
    sqlite3_stmt *s KM_CLEANUP(km_db_finalize) = NULL;
    bool row = false;
    int r =
        km_ahead_query(store, "SELECT source, model, json FROM prices ORDER BY seq", &db, &s, err);

    while (r == 0 && (r = km_db_next(s, &row, err)) == 0 && row) {
        const struct km_price_row price = { .source = km_db_text(s, 0),
                                            .model = km_db_text(s, 1),
                                            .json = km_db_text(s, 2) };

        each(ctx, &price);
    }
    return r;
}
