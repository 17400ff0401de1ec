/* SPDX-License-Identifier: Apache-2.0 */
/* pins.c - see pins.h for the contract.
 *
 *     loop --put, drop--> writer: INSERT OR REPLACE, DELETE
 *     start: SELECT, over a connection of its own, as catalogues are read
 *
 * Nobody waits for a row: a definition that was seen and not written before a crash is seen again
 * at the next start.
 */
#include "store/pins.h"

#include "store/db.h"
#include "store/inside.h"
#include "store/writer.h"

struct op {
    struct km_op op; /* first: the writer's pointer is ours */
    struct km_pin_row row;
};

static struct op *op_of(struct km_op *op)
{
    return (struct op *)(void *)op;
}

static int bind_key(sqlite3_stmt *s, const struct km_pin_row *row)
{
    km_db_bind_text(s, 1, row->server);
    km_db_bind_text(s, 2, row->tool);
    return sqlite3_bind_blob(s, 3, row->hash, sizeof row->hash, SQLITE_STATIC);
}

static int run_put(struct km_op *base, sqlite3 *db, struct km_apply *apply, struct km_err *err)
{
    const struct op *op = op_of(base);
    sqlite3_stmt *s KM_CLEANUP(km_db_finalize) = NULL;
    int r = km_db_prepare(db,
                          "INSERT OR REPLACE INTO mcp_pins (server, tool, hash, accepted, flags,"
                          " first_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                          &s, err);

    (void)apply;
    if (r < 0)
        return r;
    bind_key(s, &op->row);
    sqlite3_bind_int(s, 4, (int)op->row.accepted);
    sqlite3_bind_int64(s, 5, op->row.flags);
    sqlite3_bind_int64(s, 6, op->row.first_us);
    return km_db_run(s, err);
}

static int run_drop(struct km_op *base, sqlite3 *db, struct km_apply *apply, struct km_err *err)
{
    sqlite3_stmt *s KM_CLEANUP(km_db_finalize) = NULL;
    int r =
        km_db_prepare(db, "DELETE FROM mcp_pins WHERE server=?1 AND tool=?2 AND hash=?3", &s, err);

    (void)apply;
    if (r < 0)
        return r;
    bind_key(s, &op_of(base)->row);
    return km_db_run(s, err);
}

static void submit(struct km_store *store, const struct km_pin_row *row, km_op_fn *run)
{
    struct op *op = km_op_new(sizeof *op, row->server.n + row->tool.n, run);

    if (!op)
        return; /* as after a crash: it is seen again */
    op->row = *row;
    op->row.server = km_op_keep(&op->op, row->server);
    op->row.tool = km_op_keep(&op->op, row->tool);
    km_writer_submit(store->writer, &op->op);
}

void km_store_pin_put(struct km_store *store, const struct km_pin_row *row)
{
    submit(store, row, run_put);
}

void km_store_pin_drop(struct km_store *store, const struct km_pin_row *row)
{
    submit(store, row, run_drop);
}

int km_store_pins(struct km_store *store, km_pin_row_fn *each, void *ctx, struct km_err *err)
{
    sqlite3 *db KM_CLEANUP(km_db_done) = NULL;
    sqlite3_stmt *s KM_CLEANUP(km_db_finalize) = NULL;
    bool row = false;
    int r = km_store_open_reader(store, &db, err);

    if (r == 0)
        r = km_db_prepare(db,
                          "SELECT server, tool, hash, accepted, flags, first_us FROM mcp_pins"
                          " ORDER BY first_us",
                          &s, err);
    while (r == 0 && (r = km_db_next(s, &row, err)) == 0 && row) {
        struct km_pin_row pin = { .server = km_db_text(s, 0),
                                  .tool = km_db_text(s, 1),
                                  .accepted = (enum km_pin_accepted)sqlite3_column_int(s, 3),
                                  .flags = (uint32_t)sqlite3_column_int64(s, 4),
                                  .first_us = sqlite3_column_int64(s, 5) };

        if (sqlite3_column_bytes(s, 2) != (int)sizeof pin.hash)
            continue;
        memcpy(pin.hash, sqlite3_column_blob(s, 2), sizeof pin.hash);
        each(ctx, &pin);
    }
    return r;
}
