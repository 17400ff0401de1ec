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

#include "store/inside.h"
#include "store/statements.h"
#include "store/writer.h"

struct op {
    struct km_op op; /* first: the writer's pointer is ours */
    struct km_pin_row row;
};

enum { PUT, DROP, LIST };

#define KEY                                                                                        \
    KM_FIELD(struct op, row.server), KM_FIELD(struct op, row.tool), KM_FIELD(struct op, row.hash)
#define FIELD(member) KM_FIELD(struct km_pin_row, member)

static const struct km_statement rows[] = {
    [PUT] = { "pins.put",
              { "INSERT OR REPLACE INTO mcp_pins (server, tool, hash, accepted, flags,"
                " first_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6)" },
              .in = KM_FIELDS(KEY, KM_FIELD(struct op, row.accepted),
                              KM_FIELD(struct op, row.flags), KM_FIELD(struct op, row.first_us)) },
    [DROP] = { "pins.drop",
               { "DELETE FROM mcp_pins WHERE server=?1 AND tool=?2 AND hash=?3" },
               .in = KM_FIELDS(KEY) },
    [LIST] = { "pins.list",
               { "SELECT server, tool, hash, accepted, flags, first_us FROM mcp_pins"
                 " ORDER BY first_us" },
               .out = KM_FIELDS(FIELD(server), FIELD(tool), FIELD(hash), FIELD(accepted),
                                FIELD(flags), FIELD(first_us)) },
};
const struct km_statements km_pins_statements = KM_STATEMENTS(rows);

static void submit(struct km_store *store, const struct km_pin_row *row, int statement)
{
    struct op *op = km_op_new_row(sizeof *op, row->server.n + row->tool.n, &rows[statement]);

    if (!op)
        return; /* as after a crash: it is seen again */
    op->row = *row;
    op->row.server = km_op_keep(&op->op, row->server);
    op->row.tool = km_op_keep(&op->op, row->tool);
    km_writer_submit(store->writer, &op->op);
}

void km_store_pin_put(struct km_store *store, const struct km_pin_row *row)
{
    submit(store, row, PUT);
}

void km_store_pin_drop(struct km_store *store, const struct km_pin_row *row)
{
    submit(store, row, DROP);
}

int km_store_pins(struct km_store *store, km_pin_row_fn *each, void *ctx, struct km_err *err)
{
    struct km_db *db KM_CLEANUP(km_db_done) = NULL;
    struct km_ready *list KM_CLEANUP(km_ready_done) = NULL;
    struct km_pin_row pin;
    enum km_row got = KM_ROW_END;
    int r = km_store_ask(store, &rows[LIST], NULL, &db, &list, err);

    while (r == 0 && (r = km_ready_next(list, &pin, &got, err)) == 0 && got)
        if (got == KM_ROW)
            each(ctx, &pin);
    return r;
}
