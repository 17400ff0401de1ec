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
#include "store/db.h"
#include "store/inside.h"
#include "store/writer.h"

#define PURPOSE KM_STR("mcp tokens")

struct op {
    struct km_op op; /* first: the writer's pointer is ours */
    struct km_store *store;
    uint8_t place[KM_SHA256_LEN];
    struct km_str server, issuer, record;
};

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

static int run_delete(struct km_op *base, sqlite3 *db, struct km_apply *apply, struct km_err *err)
{
    const struct op *op = op_of(base);
    sqlite3_stmt *s KM_CLEANUP(km_db_finalize) = NULL;
    int r = km_db_prepare(db, "DELETE FROM mcp_tokens WHERE place = ?1", &s, err);

    (void)apply;
    if (r < 0)
        return r;
    km_db_bind_blob(s, 1, op->place, sizeof op->place);
    return km_db_run(s, err);
}

static int run_put(struct km_op *base, sqlite3 *db, struct km_apply *apply, struct km_err *err)
{
    const struct op *op = op_of(base);
    struct km_buf sealed KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_TOKENS_BYTES + 64);
    struct km_buf aad KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_TOKENS_BYTES);
    sqlite3_stmt *s KM_CLEANUP(km_db_finalize) = NULL;
    uint8_t key[KM_AEAD_KEY_LEN];
    int r = km_answers_key_for(op->store->state_dir, true, PURPOSE, key, err);

    (void)apply;
    if (r == 0)
        r = km_aead_seal(key, op->record, bound_to(&aad, op->place, op->issuer), &sealed, err);
    km_wipe(key, sizeof key);
    if (r == 0)
        r = km_db_prepare(db,
                          "INSERT OR REPLACE INTO mcp_tokens (place, server, issuer, updated_us,"
                          " sealed) VALUES (?1, ?2, ?3, ?4, ?5)",
                          &s, err);
    if (r < 0)
        return r;
    km_db_bind_blob(s, 1, op->place, sizeof op->place);
    km_db_bind_text(s, 2, op->server);
    km_db_bind_text(s, 3, op->issuer);
    sqlite3_bind_int64(s, 4, km_wall_us());
    km_db_bind_blob(s, 5, sealed.p, sealed.n);
    return km_db_run(s, err);
}

void km_store_mcp_token_put(struct km_store *store, const struct km_mcp_token_row *row)
{
    size_t n = row->server.n + row->issuer.n + row->record.n;
    struct op *op = NULL;

    if (n <= KM_MCP_TOKENS_BYTES)
        op = km_op_new(sizeof *op, n, row->record.n ? run_put : run_delete);
    if (!op)
        return; /* after a restart another login is needed */
    op->store = store;
    place_of(row->server, row->principal, op->place);
    op->server = km_op_keep(&op->op, row->server);
    op->issuer = km_op_keep(&op->op, row->issuer);
    op->record = km_op_keep(&op->op, row->record);
    km_writer_submit(store->writer, &op->op);
}

/* A row that does not open costs its owner another login. */
static void open_row(sqlite3_stmt *s, const uint8_t key[KM_AEAD_KEY_LEN], km_mcp_token_fn *each,
                     void *ctx)
{
    struct km_buf record KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_TOKENS_BYTES + 64);
    struct km_buf aad KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_TOKENS_BYTES);
    struct km_str place = km_db_blob(s, 0);

    if (place.n != KM_SHA256_LEN ||
        km_aead_open(key, km_db_blob(s, 2),
                     bound_to(&aad, (const uint8_t *)place.p, km_db_text(s, 1)), &record, NULL) < 0)
        return;
    each(ctx, km_buf_view(&record));
    km_wipe(record.p, record.n);
}

int km_store_mcp_tokens(struct km_store *store, struct km_str server, km_mcp_token_fn *each,
                        void *ctx, struct km_err *err)
{
    sqlite3 *db KM_CLEANUP(km_db_done) = NULL;
    sqlite3_stmt *s KM_CLEANUP(km_db_finalize) = NULL;
    uint8_t key[KM_AEAD_KEY_LEN];
    bool row = false;
    int r = km_answers_key_for(store->state_dir, false, PURPOSE, key, err);

    if (r < 0)
        return r == KM_E_NOT_FOUND ? 0 : r; /* nothing was ever sealed */
    r = km_store_open_reader(store, &db, err);
    if (r == 0)
        r = km_db_prepare(db, "SELECT place, issuer, sealed FROM mcp_tokens WHERE server = ?1", &s,
                          err);
    if (r == 0)
        km_db_bind_text(s, 1, server);
    while (r == 0 && (r = km_db_next(s, &row, err)) == 0 && row)
        open_row(s, key, each, ctx);
    km_wipe(key, sizeof key);
    return r;
}
