/* SPDX-License-Identifier: Apache-2.0 */
/* grants.c - see grants.h for the contract.
 *
 *     loop --put--> writer: INSERT OR REPLACE, audit record, DELETE what is over
 *     start --grants--> one pass over the table, blocking
 *
 * The table in memory (policy/grant.h) is what decides; these rows are what it is made of after a
 * restart.  So nothing is ever read here while loops run.
 */
#include "store/grants.h"

#include "base/time.h"
#include "store/audit.h"
#include "store/db.h"
#include "store/inside.h"
#include "store/writer.h"

#define FORGET_MOST "50" /* a put */

struct op {
    struct km_op op; /* first: the writer's pointer is ours */
    struct km_grant grant; /* of a delete: the id alone */
    struct km_audit audit;
    bool audited;
};

static struct op *op_of(struct km_op *op)
{
    return (struct op *)(void *)op;
}

static struct op *op_new(struct km_mailbox *reply, km_op_fn *run, const struct km_audit *audit,
                         km_store_done_fn *done, void *ctx)
{
    struct op *op = km_op_new(sizeof *op, audit ? km_op_audit_room(audit) : 0, run);

    km_assert(op != NULL); /* without it the caller could never be answered */
    km_op_tell(&op->op, reply, done, ctx);
    op->audited = audit != NULL;
    if (audit)
        op->audit = km_op_keep_audit(&op->op, audit);
    return op;
}

static int append_audit(struct op *op, struct km_apply *apply, struct km_err *err)
{
    return op->audited ? km_audit_append(km_apply_chain(apply), &op->audit, km_wall_us(), err) : 0;
}

static int forget_old(sqlite3 *db, struct km_err *err)
{
    sqlite3_stmt *s KM_CLEANUP(km_db_finalize) = NULL;
    int r = km_db_prepare(db,
                          "DELETE FROM oauth_grants WHERE id IN (SELECT id FROM oauth_grants"
                          " WHERE expires_us <= ?1 ORDER BY expires_us LIMIT " FORGET_MOST ")",
                          &s, err);

    if (r < 0)
        return r;
    sqlite3_bind_int64(s, 1, km_wall_us());
    return km_db_run(s, err);
}

static const char put_sql[] =
    "INSERT OR REPLACE INTO oauth_grants (id, key_hash, client, redirect, client_name, resource,"
    " scope, challenge, code, code_expires_us, code_used, access, access_expires_us,"
    " access_before_expires_us, refresh, rotated_us, created_us, expires_us) VALUES"
    " (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)";

static int run_put(struct km_op *base, sqlite3 *db, struct km_apply *apply, struct km_err *err)
{
    struct op *op = op_of(base);
    const struct km_grant *g = &op->grant;
    sqlite3_stmt *s KM_CLEANUP(km_db_finalize) = NULL;
    int r = km_db_prepare(db, put_sql, &s, err);

    if (r < 0)
        return r;
    km_db_bind_blob(s, 1, g->id, sizeof g->id);
    km_db_bind_blob(s, 2, g->key_hash, sizeof g->key_hash);
    km_db_bind_blob(s, 3, g->client, sizeof g->client);
    km_db_bind_blob(s, 4, g->redirect, sizeof g->redirect);
    km_db_bind_text(s, 5, km_str_c(g->client_name));
    km_db_bind_text(s, 6, km_str_c(g->resource));
    km_db_bind_text(s, 7, km_str_c(g->scope));
    km_db_bind_text(s, 8, km_str_c(g->challenge));
    km_db_bind_blob(s, 9, g->code, sizeof g->code);
    sqlite3_bind_int64(s, 10, g->code_expires_us);
    sqlite3_bind_int(s, 11, g->code_used);
    km_db_bind_blob(s, 12, g->access, sizeof g->access);
    sqlite3_bind_int64(s, 13, g->access_expires_us[0]);
    sqlite3_bind_int64(s, 14, g->access_expires_us[1]);
    km_db_bind_blob(s, 15, g->refresh, sizeof g->refresh);
    sqlite3_bind_int64(s, 16, g->rotated_us);
    sqlite3_bind_int64(s, 17, g->created_us);
    sqlite3_bind_int64(s, 18, g->expires_us);
    r = km_db_run(s, err);
    if (r == 0)
        r = append_audit(op, apply, err);
    return r == 0 ? forget_old(db, err) : r;
}

void km_store_grant_put(struct km_store *store, struct km_mailbox *reply,
                        const struct km_grant *grant, const struct km_audit *audit,
                        km_store_done_fn *done, void *ctx)
{
    struct op *op = op_new(reply, run_put, audit, done, ctx);

    op->grant = *grant;
    km_writer_submit(store->writer, &op->op);
}

static int run_delete(struct km_op *base, sqlite3 *db, struct km_apply *apply, struct km_err *err)
{
    struct op *op = op_of(base);
    sqlite3_stmt *s KM_CLEANUP(km_db_finalize) = NULL;
    int r = km_db_prepare(db, "DELETE FROM oauth_grants WHERE id = ?1", &s, err);

    if (r < 0)
        return r;
    km_db_bind_blob(s, 1, op->grant.id, sizeof op->grant.id);
    r = km_db_run(s, err);
    return r == 0 ? append_audit(op, apply, err) : r;
}

void km_store_grant_delete(struct km_store *store, struct km_mailbox *reply,
                           const uint8_t id[KM_GRANT_ID_LEN], const struct km_audit *audit,
                           km_store_done_fn *done, void *ctx)
{
    struct op *op = op_new(reply, run_delete, audit, done, ctx);

    memcpy(op->grant.id, id, sizeof op->grant.id);
    km_writer_submit(store->writer, &op->op);
}

/* --- reading --- */

static bool take_blob(sqlite3_stmt *s, int column, void *out, size_t n)
{
    struct km_str v = km_db_blob(s, column);

    if (v.n != n)
        return false;
    memcpy(out, v.p, n);
    return true;
}

static bool take_text(sqlite3_stmt *s, int column, char *out, size_t cap)
{
    struct km_str v = km_db_text(s, column);

    if (v.n >= cap)
        return false;
    if (v.n)
        memcpy(out, v.p, v.n);
    out[v.n] = 0;
    return true;
}

static bool read_row(sqlite3_stmt *s, struct km_grant *g)
{
    g->code_expires_us = sqlite3_column_int64(s, 9);
    g->code_used = sqlite3_column_int(s, 10) != 0;
    g->access_expires_us[0] = sqlite3_column_int64(s, 12);
    g->access_expires_us[1] = sqlite3_column_int64(s, 13);
    g->rotated_us = sqlite3_column_int64(s, 15);
    g->created_us = sqlite3_column_int64(s, 16);
    g->expires_us = sqlite3_column_int64(s, 17);
    return take_blob(s, 0, g->id, sizeof g->id) &&
           take_blob(s, 1, g->key_hash, sizeof g->key_hash) &&
           take_blob(s, 2, g->client, sizeof g->client) &&
           take_blob(s, 3, g->redirect, sizeof g->redirect) &&
           take_text(s, 4, g->client_name, sizeof g->client_name) &&
           take_text(s, 5, g->resource, sizeof g->resource) &&
           take_text(s, 6, g->scope, sizeof g->scope) &&
           take_text(s, 7, g->challenge, sizeof g->challenge) &&
           take_blob(s, 8, g->code, sizeof g->code) &&
           take_blob(s, 11, g->access, sizeof g->access) &&
           take_blob(s, 14, g->refresh, sizeof g->refresh);
}

static const char list_sql[] =
    "SELECT id, key_hash, client, redirect, client_name, resource, scope, challenge, code,"
    " code_expires_us, code_used, access, access_expires_us, access_before_expires_us, refresh,"
    " rotated_us, created_us, expires_us FROM oauth_grants WHERE expires_us > ?1";

int km_store_grants(struct km_store *store, km_grant_fn *each, void *ctx, struct km_err *err)
{
    sqlite3 *db KM_CLEANUP(km_db_done) = NULL;
    sqlite3_stmt *s KM_CLEANUP(km_db_finalize) = NULL;
    bool row = false;
    int r = km_store_open_reader(store, &db, err);

    if (r == 0)
        r = km_db_prepare(db, list_sql, &s, err);
    if (r == 0)
        sqlite3_bind_int64(s, 1, km_wall_us());
    while (r == 0 && (r = km_db_next(s, &row, err)) == 0 && row) {
        struct km_grant g = { 0 };

        /* A row that does not read is a log-in that is lost, which costs its owner another. */
        if (read_row(s, &g))
            each(ctx, &g);
    }
    return r;
}
