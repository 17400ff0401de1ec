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
#include "store/inside.h"
#include "store/statements.h"
#include "store/writer.h"

struct op {
    struct km_op op; /* first: the writer's pointer is ours */
    struct km_str server, shape, json;
    int64_t now_us;
};

struct row {
    struct km_str server, shape, json;
};

enum { PUT, LIST };

static const struct km_statement rows[] = {
    [PUT] = { "catalogues.put",
              { "INSERT OR REPLACE INTO mcp_catalogues (server, shape, updated_us, json)"
                " VALUES (?1, ?2, ?3, ?4)" },
              .in = KM_FIELDS(KM_FIELD(struct op, server), KM_FIELD(struct op, shape),
                              KM_FIELD(struct op, now_us), KM_FIELD(struct op, json)) },
    [LIST] = { "catalogues.list",
               { "SELECT server, shape, json FROM mcp_catalogues" },
               .out = KM_FIELDS(KM_FIELD(struct row, server), KM_FIELD(struct row, shape),
                                KM_FIELD(struct row, json)) },
};
const struct km_statements km_catalogues_statements = KM_STATEMENTS(rows);

void km_store_catalogue_put(struct km_store *store, struct km_mailbox *reply, struct km_str server,
                            struct km_str shape, struct km_str json, km_store_done_fn *done,
                            void *ctx)
{
    struct op *op = km_op_new_row(sizeof *op, server.n + shape.n + json.n, &rows[PUT]);

    km_assert(op != NULL); /* without it the caller could never be answered */
    km_op_tell(&op->op, reply, done, ctx);
    op->now_us = km_wall_us();
    op->server = km_op_keep(&op->op, server);
    op->shape = km_op_keep(&op->op, shape);
    op->json = km_op_keep(&op->op, json);
    km_writer_submit(store->writer, &op->op);
}

int km_store_catalogues(struct km_store *store, km_catalogue_row_fn *each, void *ctx,
                        struct km_err *err)
{
    struct km_db *db KM_CLEANUP(km_db_done) = NULL;
    struct km_ready *list KM_CLEANUP(km_ready_done) = NULL;
    struct row row;
    enum km_row got = KM_ROW_END;
    int r = km_store_ask(store, &rows[LIST], NULL, &db, &list, err);

    while (r == 0 && (r = km_ready_next(list, &row, &got, err)) == 0 && got)
        each(ctx, row.server, row.shape, row.json);
    return r;
}
