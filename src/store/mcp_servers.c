/* SPDX-License-Identifier: Apache-2.0 */
/* mcp_servers.c - see mcp_servers.h.
 *
 *     main thread --put--> writer: seal, INSERT OR REPLACE; or DELETE, with its tokens; audit
 *     start: SELECT, over a connection of its own, as pins are read
 *
 * The key is the one that seals kept answers, made into another one so that neither opens the
 * other's.
 */
#include "store/mcp_servers.h"

#include "base/crypto.h"
#include "base/time.h"
#include "store/answers.h"
#include "store/audit.h"
#include "store/db.h"
#include "store/inside.h"
#include "store/writer.h"

#define PURPOSE KM_STR("mcp servers")

struct op {
    struct km_op op; /* first: the writer's pointer is ours */
    struct km_store *store;
    struct km_mcp_server_row row;
    struct km_audit audit;
    int64_t now_us;
};

static struct op *op_of(struct km_op *op)
{
    return (struct op *)(void *)op;
}

static int run_one(sqlite3 *db, const char *sql, struct km_str name, struct km_err *err)
{
    sqlite3_stmt *s KM_CLEANUP(km_db_finalize) = NULL;
    int r = km_db_prepare(db, sql, &s, err);

    if (r < 0)
        return r;
    km_db_bind_text(s, 1, name);
    return km_db_run(s, err);
}

static int run_delete(struct km_op *base, sqlite3 *db, struct km_apply *apply, struct km_err *err)
{
    const struct op *op = op_of(base);
    int r = run_one(db, "DELETE FROM mcp_servers WHERE name = ?1", op->row.name, err);

    if (r == 0)
        r = run_one(db, "DELETE FROM mcp_tokens WHERE server = ?1", op->row.id, err);
    return r == 0 ? km_audit_append(km_apply_chain(apply), &op->audit, op->now_us, err) : r;
}

static int run_put(struct km_op *base, sqlite3 *db, struct km_apply *apply, struct km_err *err)
{
    const struct op *op = op_of(base);
    struct km_buf sealed KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_SERVER_BYTES + 64);
    sqlite3_stmt *s KM_CLEANUP(km_db_finalize) = NULL;
    uint8_t key[KM_AEAD_KEY_LEN];
    int r = km_answers_key_for(op->store->state_dir, true, PURPOSE, key, err);

    if (r == 0)
        r = km_aead_seal(key, op->row.json, op->row.name, &sealed, err);
    km_wipe(key, sizeof key);
    if (r == 0)
        r = km_db_prepare(db,
                          "INSERT OR REPLACE INTO mcp_servers (name, updated_us, sealed)"
                          " VALUES (?1, ?2, ?3)",
                          &s, err);
    if (r < 0)
        return r;
    km_db_bind_text(s, 1, op->row.name);
    sqlite3_bind_int64(s, 2, op->now_us);
    km_db_bind_blob(s, 3, sealed.p, sealed.n);
    r = km_db_run(s, err);
    return r == 0 ? km_audit_append(km_apply_chain(apply), &op->audit, op->now_us, err) : r;
}

void km_store_mcp_server_put(struct km_store *store, struct km_mailbox *reply,
                             const struct km_mcp_server_row *row, const struct km_audit *audit,
                             km_store_done_fn *done, void *ctx)
{
    const size_t room = row->name.n + row->json.n + row->id.n + km_op_audit_room(audit);
    struct op *op = km_op_new(sizeof *op, room, row->json.n ? run_put : run_delete);

    km_assert(op != NULL); /* without it the caller could never be answered */
    km_op_tell(&op->op, reply, done, ctx);
    op->store = store;
    op->now_us = km_wall_us();
    op->row.name = km_op_keep(&op->op, row->name);
    op->row.json = km_op_keep(&op->op, row->json);
    op->row.id = km_op_keep(&op->op, row->id);
    op->audit = km_op_keep_audit(&op->op, audit);
    km_writer_submit(store->writer, &op->op);
}

static int open_row(sqlite3_stmt *s, const uint8_t key[KM_AEAD_KEY_LEN], km_mcp_server_fn *each,
                    void *ctx, size_t *lost, struct km_err *err)
{
    struct km_buf json KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_SERVER_BYTES + 64);
    struct km_mcp_server_row row = { .name = km_db_text(s, 0) };
    int r = 0;

    if (km_aead_open(key, km_db_blob(s, 1), row.name, &json, NULL) < 0) {
        ++*lost;
        return 0;
    }
    row.json = km_buf_view(&json);
    r = each(ctx, &row, err);
    km_wipe(json.p, json.n);
    return r;
}

int km_store_mcp_servers(struct km_store *store, km_mcp_server_fn *each, void *ctx,
                         size_t *ret_lost, struct km_err *err)
{
    sqlite3 *db KM_CLEANUP(km_db_done) = NULL;
    sqlite3_stmt *s KM_CLEANUP(km_db_finalize) = NULL;
    uint8_t key[KM_AEAD_KEY_LEN];
    bool row = false;
    int r = km_answers_key_for(store->state_dir, false, PURPOSE, key, err);

    *ret_lost = 0;
    if (r < 0)
        return r == KM_E_NOT_FOUND ? 0 : r; /* nothing was ever sealed */
    r = km_store_open_reader(store, &db, err);
    if (r == 0)
        r = km_db_prepare(db, "SELECT name, sealed FROM mcp_servers ORDER BY name", &s, err);
    while (r == 0 && (r = km_db_next(s, &row, err)) == 0 && row)
        r = open_row(s, key, each, ctx, ret_lost, err);
    km_wipe(key, sizeof key);
    return r;
}
