/* SPDX-License-Identifier: Apache-2.0 */
/* query_stats.c - the tables of the store with their rows and bytes (store.h: km_store_stats).
 *
 * Counting is a walk over the tables, which takes its time on a large store; it is asked by a
 * person (`db stats`, the dashboard) and runs on a reader thread, so nobody else waits.  Bytes
 * are whole pages, indices counted with their table.
 */
#include <stdio.h>

#include "store/db.h"
#include "store/inside.h"
#include "store/migrate.h"
#include "store/reader.h"

static int add_table(sqlite3 *db, struct km_str name, int64_t bytes, struct km_buf *out,
                     struct km_err *err)
{
    char sql[256];
    int64_t rows = 0;
    int r;

    /* The name is the store's own; quoted all the same. */
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM \"%.*s\"", KM_STR_ARG(name));
    r = km_db_int(db, sql, &rows, err);
    km_buf_str(out, KM_STR("{\"name\":"));
    km_buf_json(out, name);
    km_buf_printf(out, ",\"rows\":%lld,\"bytes\":%lld}", (long long)rows, (long long)bytes);
    return r;
}

static int stats(sqlite3 *db, const void *query, struct km_buf *out, struct km_err *err)
{
    sqlite3_stmt *s KM_CLEANUP(km_db_finalize) = NULL;
    const struct km_store *store;
    int64_t min_reader = 0;
    bool row = false, first = true;
    int r = km_db_prepare(db,
                          "SELECT t.name, (SELECT coalesce(sum(d.pgsize), 0) FROM dbstat d"
                          " JOIN sqlite_schema x ON x.name = d.name WHERE x.tbl_name = t.name"
                          " AND d.aggregate = 1)"
                          " FROM sqlite_schema t WHERE t.type = 'table' ORDER BY t.name",
                          &s, err);

    memcpy(&store, query, sizeof store);
    km_buf_str(out, KM_STR("{\"tables\":["));
    while (r == 0 && (r = km_db_next(s, &row, err)) == 0 && row) {
        if (!first)
            km_buf_byte(out, ',');
        first = false;
        r = add_table(db, km_db_text(s, 0), sqlite3_column_int64(s, 1), out, err);
    }
    if (r == 0)
        r = km_db_int(db, "SELECT value FROM meta WHERE name = 'min_reader'", &min_reader, err);
    km_buf_printf(out, "],\"bytes\":%llu,\"schema\":{\"reader\":%d,\"min_reader\":%lld,\"last\":",
                  (unsigned long long)km_place_bytes(&store->place), KM_STORE_READER,
                  (long long)min_reader);
    km_buf_json(out, km_str_c(km_migrations[km_migrations_n - 1].name));
    km_buf_str(out, KM_STR("}}"));
    return r;
}

void km_store_stats(struct km_store *store, struct km_mailbox *reply, km_store_json_fn *fn,
                    void *ctx)
{
    km_reader_ask(store, reply, stats, &store, sizeof store, fn, ctx);
}
