/* SPDX-License-Identifier: Apache-2.0 */
/* mcp_tokens.c - see mcp_tokens.h.
 *
 *     any thread --put--> writer: seal, INSERT OR REPLACE; or DELETE
 *     main thread: those of one server, over a connection of its own
 *
 * The place is a digest: who has logged in where is nobody's business who only has the file.  The
 * key is the one that seals kept answers, made into another one so that neither opens the other's.
 */
#include "store/mcp_tokens.h"

#include "base/crypto.h"
#include "base/time.h"
#include "store/answers.h"
#include "store/inside.h"
#include "store/statements.h"
#include "store/writer.h"

#define PURPOSE KM_STR("mcp tokens")

struct op {
    struct km_op op; /* first: the writer's pointer is ours */
    struct km_store *store;
    uint8_t place[KM_SHA256_LEN];
    struct km_str server, issuer, record;
    struct km_str sealed; /* while it runs */
    int64_t now_us;
};

/* What lies there. */
struct kept {
    uint8_t place[KM_SHA256_LEN];
    struct km_str issuer, sealed;
};

enum { PUT, DELETE, LIST };

static const struct km_statement rows[] = {
    [PUT] = { "mcp_tokens.put",
              { "INSERT OR REPLACE INTO mcp_tokens (place, server, issuer, updated_us,"
                " sealed) VALUES (?1, ?2, ?3, ?4, ?5)" },
              .in = KM_FIELDS(KM_FIELD(struct op, place), KM_FIELD(struct op, server),
                              KM_FIELD(struct op, issuer), KM_FIELD(struct op, now_us),
                              KM_FIELD_AS(struct op, sealed, KM_FIELD_BLOB)) },
    [DELETE] = { "mcp_tokens.delete",
                 { "DELETE FROM mcp_tokens WHERE place = ?1" },
                 .in = KM_FIELDS(KM_FIELD(struct op, place)) },
    [LIST] = { "mcp_tokens.list",
               { "SELECT place, issuer, sealed FROM mcp_tokens WHERE server = ?1" },
               .in = KM_FIELDS({ KM_FIELD_TEXT, 0, sizeof(struct km_str) }),
               .out = KM_FIELDS(KM_FIELD(struct kept, place), KM_FIELD(struct kept, issuer),
                                KM_FIELD_AS(struct kept, sealed, KM_FIELD_BLOB)) },
};
const struct km_statements km_mcp_tokens_statements = KM_STATEMENTS(rows);

static struct op *op_of(struct km_op *op)
{
    return (struct op *)(void *)op;
}

static void place_of(struct km_str server, struct km_str principal, uint8_t out[KM_SHA256_LEN])
{
    km_sha256_parts((struct km_str[]){ server, km_str("", 1), principal }, 3, out);
}

static struct km_str bound_to(struct km_buf *b, const uint8_t place[KM_SHA256_LEN],
                              struct km_str issuer)
{
    km_buf_bytes(b, place, KM_SHA256_LEN);
    km_buf_str(b, issuer);
    return km_buf_view(b);
}

static int run_put(struct km_op *base, struct km_db *db, struct km_apply *apply, struct km_err *err)
{
    struct op *op = op_of(base);
    struct km_buf sealed KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_TOKENS_BYTES + 64);
    struct km_buf aad KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_TOKENS_BYTES);
    uint8_t key[KM_AEAD_KEY_LEN];
    int r = km_answers_key_for(op->store->state_dir, true, PURPOSE, key, err);

    (void)apply;
    if (r == 0)
        r = km_aead_seal(key, op->record, bound_to(&aad, op->place, op->issuer), &sealed, err);
    km_wipe(key, sizeof key);
    op->sealed = km_buf_view(&sealed);
    return r == 0 ? km_db_run(db, &rows[PUT], op, NULL, err) : r;
}

void km_store_mcp_token_put(struct km_store *store, const struct km_mcp_token_row *row)
{
    size_t n = row->server.n + row->issuer.n + row->record.n;
    struct op *op = NULL;

    if (n <= KM_MCP_TOKENS_BYTES)
        op = row->record.n ? km_op_new(sizeof *op, n, run_put)
                           : km_op_new_row(sizeof *op, n, &rows[DELETE]);
    if (!op)
        return; /* after a restart another login is needed */
    op->now_us = km_wall_us();
    op->store = store;
    place_of(row->server, row->principal, op->place);
    op->server = km_op_keep(&op->op, row->server);
    op->issuer = km_op_keep(&op->op, row->issuer);
    op->record = km_op_keep(&op->op, row->record);
    km_writer_submit(store->writer, &op->op);
}

/* A row that does not open costs its owner another login. */
static void open_row(const struct kept *row, const uint8_t key[KM_AEAD_KEY_LEN],
                     km_mcp_token_fn *each, void *ctx)
{
    struct km_buf record KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_TOKENS_BYTES + 64);
    struct km_buf aad KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_TOKENS_BYTES);

    if (km_aead_open(key, row->sealed, bound_to(&aad, row->place, row->issuer), &record, NULL) < 0)
        return;
    each(ctx, km_buf_view(&record));
    km_wipe(record.p, record.n);
}

int km_store_mcp_tokens(struct km_store *store, struct km_str server, km_mcp_token_fn *each,
                        void *ctx, struct km_err *err)
{
    struct km_db *db KM_CLEANUP(km_db_done) = NULL;
    struct km_ready *list KM_CLEANUP(km_ready_done) = NULL;
    uint8_t key[KM_AEAD_KEY_LEN];
    struct kept row;
    enum km_row got = KM_ROW_END;
    int r = km_answers_key_for(store->state_dir, false, PURPOSE, key, err);

    if (r < 0)
        return r == KM_E_NOT_FOUND ? 0 : r; /* nothing was ever sealed */
    r = km_store_ask(store, &rows[LIST], &server, &db, &list, err);
    while (r == 0 && (r = km_ready_next(list, &row, &got, err)) == 0 && got)
        if (got == KM_ROW)
            open_row(&row, key, each, ctx);
    km_wipe(key, sizeof key);
    return r;
}
