/* SPDX-License-Identifier: Apache-2.0 */
/* catalogues.c - see catalogues.h for the contract.
 *
 *     loop --put--> writer: INSERT OR REPLACE
 *     start: SELECT, over a connection of its own, as keys and prices are read
 *
 * Rows of servers that are no longer configured stay: they are few and small, and a server that
 * comes back is there at once.
 */
#include "store/catalogues.h"

#include "base/time.h"
#include "store/db.h"
#include "store/inside.h"
#include "store/writer.h"

struct op {
    struct km_op op; /* first: the writer's pointer is ours */
    struct km_str server, shape, json;
};

static struct op *op_of(struct km_op *op)
{
    return (struct op *)(void *)op;
}

static int run_put(struct km_op *base, sqlite3 *db, struct km_apply *apply, struct km_err *err)
{
    const struct op *op = op_of(base);
    sqlite3_stmt *s KM_CLEANUP(km_db_finalize) = NULL;
    int r = km_db_prepare(db,
                          "INSERT OR REPLACE INTO mcp_catalogues (server, shape, updated_us, json)"
                          " VALUES (?1, ?2, ?3, ?4)",
                          &s, err);

    (void)apply;
    if (r < 0)
        return r;
    km_db_bind_text(s, 1, op->server);
    km_db_bind_text(s, 2, op->shape);
    sqlite3_bind_int64(s, 3, km_wall_us());
    km_db_bind_text(s, 4, op->json);
    return km_db_run(s, err);
}

void km_store_catalogue_put(struct km_store *store, struct km_mailbox *reply, struct km_str server,
                            struct km_str shape, struct km_str json, km_store_done_fn *done,
                            void *ctx)
{
    struct op *op = km_op_new(sizeof *op, server.n + shape.n + json.n, run_put);

    km_assert(op != NULL); /* without it the caller could never be answered */
    km_op_tell(&op->op, reply, done, ctx);
    op->server = km_op_keep(&op->op, server);
    op->shape = km_op_keep(&op->op, shape);
    op->json = km_op_keep(&op->op, json);
    km_writer_submit(store->writer, &op->op);
}

int km_store_catalogues(struct km_store *store, km_catalogue_row_fn *each, void *ctx,
                        struct km_err *err)
{
    sqlite3 *db KM_CLEANUP(km_db_done) = NULL;
    sqlite3_stmt *s KM_CLEANUP(km_db_finalize) = NULL;
    bool row = false;
    int r = km_store_open_reader(store, &db, err);

    if (r == 0)
        r = km_db_prepare(db, "SELECT server, shape, json FROM mcp_catalogues", &s, err);
    while (r == 0 && (r = km_db_next(s, &row, err)) == 0 && row)
        each(ctx, km_db_text(s, 0), km_db_text(s, 1), km_db_text(s, 2));
    return r;
}
