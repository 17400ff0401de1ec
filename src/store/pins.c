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

#include <stdio.h>

#include "store/inside.h"
#include "store/reader.h"
#include "store/statements.h"
#include "store/writer.h"

struct op {
    struct km_op op; /* first: the writer's pointer is ours */
    struct km_pin_row row;
};

#define SERVER_BYTES 256 /* of a name that is asked for */

struct asked {
    char server[SERVER_BYTES + 1];
};

struct text {
    struct km_str hash, definition;
};

enum { PUT, DROP, LIST, TEXTS };

#define KEY                                                                                        \
    KM_FIELD(struct op, row.server), KM_FIELD(struct op, row.tool), KM_FIELD(struct op, row.hash)
#define FIELD(member) KM_FIELD(struct km_pin_row, member)

static const struct km_statement rows[] = {
    [PUT] = { "pins.put",
              { "INSERT INTO mcp_pins (server, tool, hash, accepted, flags, first_us, definition)"
                " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (server, tool, hash) DO UPDATE"
                " SET accepted = excluded.accepted, flags = excluded.flags,"
                " first_us = excluded.first_us,"
                " definition = iif(excluded.definition = '', definition, excluded.definition)" },
              .in = KM_FIELDS(KEY, KM_FIELD(struct op, row.accepted),
                              KM_FIELD(struct op, row.flags), KM_FIELD(struct op, row.first_us),
                              KM_FIELD(struct op, row.definition)) },
    [DROP] = { "pins.drop",
               { "DELETE FROM mcp_pins WHERE server=?1 AND tool=?2 AND hash=?3" },
               .in = KM_FIELDS(KEY) },
    [LIST] = { "pins.list",
               { "SELECT server, tool, hash, accepted, flags, first_us, definition <> ''"
                 " FROM mcp_pins ORDER BY first_us" },
               .out = KM_FIELDS(FIELD(server), FIELD(tool), FIELD(hash), FIELD(accepted),
                                FIELD(flags), FIELD(first_us), FIELD(kept)) },
    [TEXTS] = { "pins.texts",
                { "SELECT DISTINCT lower(hex(hash)), definition FROM mcp_pins"
                  " WHERE json_valid(definition) AND (?1 = '' OR server = ?1)"
                  " AND (server, tool) IN (SELECT server, tool FROM mcp_pins"
                  " WHERE accepted = 0 OR flags <> 0)" },
                .in = KM_FIELDS(KM_FIELD(struct asked, server)),
                .out = KM_FIELDS(KM_FIELD(struct text, hash), KM_FIELD(struct text, definition)) },
};
const struct km_statements km_pins_statements = KM_STATEMENTS(rows);

static void submit(struct km_store *store, const struct km_pin_row *row, int statement)
{
    struct op *op = km_op_new_row(sizeof *op, row->server.n + row->tool.n + row->definition.n,
                                  &rows[statement]);

    if (!op)
        return; /* as after a crash: it is seen again */
    op->row = *row;
    op->row.server = km_op_keep(&op->op, row->server);
    op->row.tool = km_op_keep(&op->op, row->tool);
    op->row.definition = km_op_keep(&op->op, row->definition);
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

static int texts(struct km_db *db, const void *query, struct km_buf *out, struct km_err *err)
{
    struct km_ready *list KM_CLEANUP(km_ready_done) = NULL;
    struct text text;
    enum km_row got = KM_ROW_END;
    int r = km_db_ask(db, &rows[TEXTS], query, &list, err);

    km_buf_byte(out, '{');
    while (r == 0 && (r = km_ready_next(list, &text, &got, err)) == 0 && got) {
        km_buf_str(out, out->n > 1 ? KM_STR(",") : KM_STR_NONE);
        km_buf_json(out, text.hash);
        km_buf_byte(out, ':');
        km_buf_str(out, text.definition);
    }
    km_buf_byte(out, '}');
    return r;
}

void km_store_pin_texts(struct km_store *store, struct km_mailbox *reply, struct km_str server,
                        km_store_json_fn *fn, void *ctx)
{
    struct asked asked = { "" };

    snprintf(asked.server, sizeof asked.server, "%.*s", KM_STR_ARG(server));
    km_reader_ask(store, reply, texts, &asked, sizeof asked, fn, ctx);
}
