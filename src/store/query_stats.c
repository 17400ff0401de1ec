/* SPDX-License-Identifier: Apache-2.0 */
/* query_stats.c - the tables of the store with their rows and bytes (store.h: km_store_stats).
 *
 * Counting is a walk over the tables, which takes its time on a large store; it is asked by a
 * person (`db stats`, the dashboard) and runs on a reader thread, so nobody else waits.
 */
#include "store/inside.h"
#include "store/reader.h"
#include "store/statements.h"

static const struct km_statement rows[] = {
    { "stats.min_reader",
      { "SELECT value FROM meta WHERE name = 'min_reader'" },
      .out = KM_NUMBER },
};
const struct km_statements km_query_stats_statements = KM_STATEMENTS(rows);

static int stats(struct km_db *db, const void *query, struct km_buf *out, struct km_err *err)
{
    const struct km_store *store;
    int64_t min_reader = 0;
    int r;

    memcpy(&store, query, sizeof store);
    km_buf_str(out, KM_STR("{\"tables\":["));
    r = db->driver->tables(db, out, err);
    if (r == 0)
        r = km_db_number(db, &rows[0], &min_reader, err);
    km_buf_printf(out,
                  "],\"bytes\":%llu,\"schema\":{\"reader\":%d,\"min_reader\":%lld,"
                  "\"last\":",
                  (unsigned long long)km_place_bytes(&store->place), KM_STORE_READER,
                  (long long)min_reader);
    km_buf_json(out, km_str_c(db->driver->last_migration()));
    km_buf_str(out, KM_STR("}}"));
    return r;
}

void km_store_stats(struct km_store *store, struct km_mailbox *reply, km_store_json_fn *fn,
                    void *ctx)
{
    km_reader_ask(store, reply, stats, &store, sizeof store, fn, ctx);
}
