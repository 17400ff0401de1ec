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

#include <stdlib.h>

#include "base/time.h"
#include "store/db.h"
#include "store/inside.h"
#include "store/writer.h"

struct op {
    struct km_op op; /* first: the writer's pointer is ours */
    struct km_str server, shape, json; /* in bytes */
    char bytes[];
};

static struct op *op_of(struct km_op *op)
{
    return (struct op *)(void *)op;
}

static void op_free(struct km_op *base)
{
    free(op_of(base));
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

static struct km_str put(char **at, struct km_str s)
{
    struct km_str copy = { *at, s.n };

    if (s.n)
        memcpy(*at, s.p, s.n);
    *at += s.n;
    return copy;
}

void km_store_catalogue_put(struct km_store *store, struct km_mailbox *reply, struct km_str server,
                            struct km_str shape, struct km_str json, km_store_done_fn *done,
                            void *ctx)
{
    struct op *op = calloc(1, sizeof *op + server.n + shape.n + json.n);
    char *at;

    km_assert(op != NULL); /* without it the caller could never be answered */
    at = op->bytes;
    op->op.run = run_put;
    op->op.free = op_free;
    op->op.reply = done ? reply : NULL;
    op->op.done = done;
    op->op.ctx = ctx;
    op->server = put(&at, server);
    op->shape = put(&at, shape);
    op->json = put(&at, json);
    km_writer_submit(store->writer, &op->op);
}

int km_store_catalogues(struct km_store *store, km_catalogue_row_fn *each, void *ctx,
                        struct km_err *err)
{
    sqlite3 *db KM_CLEANUP(km_db_done) = NULL;
    sqlite3_stmt *s KM_CLEANUP(km_db_finalize) = NULL;
    bool row = false;
    int r = km_db_open(store->place.path, KM_DB_READ, &db, err);

    if (r == 0)
        r = km_db_prepare(db, "SELECT server, shape, json FROM mcp_catalogues", &s, err);
    while (r == 0 && (r = km_db_next(s, &row, err)) == 0 && row)
        each(ctx, km_db_text(s, 0), km_db_text(s, 1), km_db_text(s, 2));
    return r;
}
