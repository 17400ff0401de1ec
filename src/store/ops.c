/* SPDX-License-Identifier: Apache-2.0 */
/* ops.c - the operations on keys, prices and the audit chain (store.h).
 *
 * Each is one block that crosses to the writer: what to do, copies of everything it needs, and
 * the audit record that is committed with it or not at all.  An update never writes `spend`:
 * that column is the ledger's, and a row read a moment ago would bring an old sum back.  For
 * the same reason the end of a budget window stays while it tells the same windows (windows.h).
 */
#include <stdlib.h>

#include "base/time.h"
#include "store/audit.h"
#include "store/due.h"
#include "store/inside.h"
#include "store/key_row.h"
#include "store/windows.h"
#include "store/writer.h"

struct op {
    struct km_op op; /* first: the writer's pointer is ours */
    struct km_audit audit;
    bool audited;
    struct km_key_row *row;
    bool insert;
    uint8_t hash[32];
    int64_t number, now_us;
    struct km_price_row *prices;
    size_t nprices;
};

static struct op *op_of(struct km_op *op)
{
    return (struct op *)(void *)op;
}

static void op_free(struct km_op *base)
{
    struct op *op = op_of(base);

    km_key_row_free(op->row);
    free(op->prices);
    km_op_free(base);
}

static struct op *op_new(struct km_mailbox *reply, km_op_fn *run, const struct km_audit *audit,
                         size_t more_text, km_store_done_fn *done, void *ctx)
{
    struct op *op = km_op_new(sizeof *op, more_text + (audit ? km_op_audit_room(audit) : 0), run);

    km_assert(op != NULL); /* without it the caller could never be answered */
    op->op.free = op_free;
    km_op_tell(&op->op, reply, done, ctx);
    op->now_us = km_wall_us();
    op->audited = audit != NULL;
    if (audit)
        op->audit = km_op_keep_audit(&op->op, audit);
    return op;
}

static void submit(struct km_store *store, struct op *op)
{
    km_writer_submit(store->writer, &op->op);
}

static int append_audit(struct op *op, struct km_apply *apply, struct km_err *err)
{
    return op->audited ? km_audit_append(km_apply_chain(apply), &op->audit, op->now_us, err) : 0;
}

/* --- keys --- */

#define KEY_COLUMNS                                                                                \
    "hash, name, alias, models, user_id, team_id, metadata, extra, max_budget, soft_budget,"       \
    " budget_duration_s, budget_duration, budget_reset_us, rpm, tpm, max_parallel, expires_us,"    \
    " created_us, updated_us, created_by, updated_by, blocked"

static const char insert_sql[] =
    "INSERT INTO keys (" KEY_COLUMNS ", spend, window_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8,"
    " ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, 0)"
    " ON CONFLICT DO NOTHING";

#define CHANGES                                                                                    \
    "name = ?2, alias = ?3, models = ?4, user_id = ?5, team_id = ?6, metadata = ?7, extra = ?8,"   \
    " max_budget = ?9, soft_budget = ?10, budget_duration_s = ?11, budget_duration = ?12,"         \
    " budget_reset_us = ?13, rpm = ?14,"                                                           \
    " tpm = ?15, max_parallel = ?16, expires_us = ?17, created_us = ?18, updated_us = ?19,"        \
    " created_by = ?20, updated_by = ?21, blocked = ?22"

static const char update_sql[] = "UPDATE keys SET " CHANGES " WHERE hash = ?1";

static const char replace_sql[] =
    "UPDATE OR IGNORE keys SET hash = ?1, " CHANGES " WHERE hash = ?23";

static void bind_row(sqlite3_stmt *s, const struct km_key_row *row, struct km_str models)
{
    const struct {
        int at;
        int64_t v;
    } numbers[] = {
        { 9, row->max_budget },  { 10, row->soft_budget }, { 11, row->budget_duration_s },
        { 14, row->rpm },        { 15, row->tpm },         { 16, row->max_parallel },
        { 17, row->expires_us }, { 18, row->created_us },  { 19, row->updated_us },
        { 22, row->blocked },
    };
    const struct {
        int at;
        struct km_str v;
    } texts[] = {
        { 2, row->name },        { 3, row->alias },
        { 4, models },           { 5, row->user_id },
        { 6, row->team_id },     { 7, row->metadata },
        { 8, row->extra },       { 12, row->budget_duration },
        { 20, row->created_by }, { 21, row->updated_by },
    };

    km_db_bind_blob(s, 1, row->hash, sizeof row->hash);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        sqlite3_bind_int64(s, numbers[i].at, numbers[i].v);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        km_db_bind_text(s, texts[i].at, texts[i].v);
}

static int bind_and_run(sqlite3_stmt *s, const struct km_key_row *row, int64_t end_us,
                        struct km_err *err)
{
    struct km_buf models KM_CLEANUP(km_buf_done) = KM_BUF(1u << 20);

    km_key_models_json(&row->models, &models);
    if (km_buf_failed(&models))
        return km_fail_param(err, KM_E_LIMIT, "models", "the list of models is too long");
    bind_row(s, row, km_buf_view(&models));
    sqlite3_bind_int64(s, 13, end_us);
    return km_db_run(s, err);
}

/* A statement about one or two hashes: ?1, and ?2 where it has one. */
static int run_about(sqlite3 *db, const char *sql, const uint8_t one[32], const uint8_t two[32],
                     struct km_err *err)
{
    sqlite3_stmt *s KM_CLEANUP(km_db_finalize) = NULL;
    int r = km_db_prepare(db, sql, &s, err);

    if (r < 0)
        return r;
    km_db_bind_blob(s, 1, one, 32);
    if (sqlite3_bind_parameter_count(s) > 1)
        km_db_bind_blob(s, 2, two, 32);
    return km_db_run(s, err);
}

static int key_put(struct km_op *base, sqlite3 *db, struct km_apply *apply, struct km_err *err)
{
    struct op *op = op_of(base);
    sqlite3_stmt *s KM_CLEANUP(km_db_finalize) = NULL;
    int64_t end_us = op->row->budget_reset_us;
    int r = km_db_prepare(db, op->insert ? insert_sql : update_sql, &s, err);

    if (r == 0 && !op->insert)
        r = km_windows_keep(db, op->row->hash, op->row, &end_us, err);
    if (r < 0)
        return r;
    if (op->insert)
        sqlite3_bind_int64(s, 23, op->row->spend);
    r = bind_and_run(s, op->row, end_us, err);
    if (r == 0 && sqlite3_changes(db) == 0)
        r = op->insert ? km_fail(err, KM_E_EXISTS, "this key exists already")
                       : km_fail(err, KM_E_NOT_FOUND, "this key does not exist any more");
    if (r == 0 && op->insert) /* a secret that comes back pays for itself again */
        r = run_about(db, "DELETE FROM key_heirs WHERE old = ?1", op->row->hash, NULL, err);
    km_apply_forget_keys(apply);
    return r == 0 ? append_audit(op, apply, err) : r;
}

static int key_replace(struct km_op *base, sqlite3 *db, struct km_apply *apply, struct km_err *err)
{
    static const char *const heirs[] = {
        "UPDATE OR REPLACE budget_windows SET hash = ?2 WHERE hash = ?1",
        "UPDATE key_heirs SET hash = ?2 WHERE hash = ?1",
        "INSERT OR REPLACE INTO key_heirs (old, hash) VALUES (?1, ?2)",
        "DELETE FROM key_heirs WHERE old = hash OR old = ?2",
    };
    struct op *op = op_of(base);
    sqlite3_stmt *s KM_CLEANUP(km_db_finalize) = NULL;
    int64_t end_us = op->row->budget_reset_us;
    int r = km_db_prepare(db, replace_sql, &s, err);

    if (r == 0)
        r = km_windows_keep(db, op->hash, op->row, &end_us, err);
    if (r < 0)
        return r;
    km_db_bind_blob(s, 23, op->hash, sizeof op->hash);
    r = bind_and_run(s, op->row, end_us, err);
    if (r == 0 && sqlite3_changes(db) == 0)
        r = km_fail(err, KM_E_NOT_FOUND,
                    "this key does not exist any more, or its new one exists already");
    for (size_t i = 0; r == 0 && i < sizeof heirs / sizeof heirs[0]; i++)
        r = run_about(db, heirs[i], op->hash, op->row->hash, err);
    km_apply_forget_keys(apply);
    return r == 0 ? append_audit(op, apply, err) : r;
}

void km_store_key_put(struct km_store *store, struct km_mailbox *reply,
                      const struct km_key_row *row, bool insert, const struct km_audit *audit,
                      km_store_done_fn *done, void *ctx)
{
    struct op *op = op_new(reply, key_put, audit, 0, done, ctx);

    op->row = km_key_row_new(row);
    km_assert(op->row != NULL);
    op->insert = insert;
    submit(store, op);
}

void km_store_key_replace(struct km_store *store, struct km_mailbox *reply, const uint8_t old[32],
                          const struct km_key_row *row, const struct km_audit *audit,
                          km_store_done_fn *done, void *ctx)
{
    struct op *op = op_new(reply, key_replace, audit, 0, done, ctx);

    op->row = km_key_row_new(row);
    km_assert(op->row != NULL);
    memcpy(op->hash, old, sizeof op->hash);
    submit(store, op);
}

static int key_delete(struct km_op *base, sqlite3 *db, struct km_apply *apply, struct km_err *err)
{
    struct op *op = op_of(base);
    int r = run_about(db, "DELETE FROM keys WHERE hash = ?1", op->hash, NULL, err);

    if (r == 0 && sqlite3_changes(db) == 0)
        r = km_fail(err, KM_E_NOT_FOUND, "this key does not exist");
    if (r == 0)
        r = run_about(db, "DELETE FROM budget_windows WHERE hash = ?1", op->hash, NULL, err);
    km_apply_forget_keys(apply);
    return r == 0 ? append_audit(op, apply, err) : r;
}

void km_store_key_delete(struct km_store *store, struct km_mailbox *reply, const uint8_t hash[32],
                         const struct km_audit *audit, km_store_done_fn *done, void *ctx)
{
    struct op *op = op_new(reply, key_delete, audit, 0, done, ctx);

    memcpy(op->hash, hash, sizeof op->hash);
    submit(store, op);
}

static int key_reset(struct km_op *base, sqlite3 *db, struct km_apply *apply, struct km_err *err)
{
    struct op *op = op_of(base);

    km_apply_forget_keys(apply);
    return km_windows_turn(db, op->hash, op->number, op->now_us, err);
}

void km_store_key_reset(struct km_store *store, struct km_mailbox *reply, const uint8_t hash[32],
                        int64_t budget_reset_us, km_store_done_fn *done, void *ctx)
{
    struct op *op = op_new(reply, key_reset, NULL, 0, done, ctx);

    memcpy(op->hash, hash, sizeof op->hash);
    op->number = budget_reset_us;
    submit(store, op);
}

/* --- audit --- */

static int audit_only(struct km_op *op, sqlite3 *db, struct km_apply *apply, struct km_err *err)
{
    (void)db;
    return append_audit(op_of(op), apply, err);
}

void km_store_audit(struct km_store *store, struct km_mailbox *reply, const struct km_audit *audit,
                    km_store_done_fn *done, void *ctx)
{
    struct op *op = op_new(reply, audit_only, audit, 0, done, ctx);

    /* A call's record, for which nobody waits: it comes with the ledger's rows of that time, and
     * what keeps it from being written keeps everything from it. */
    op->op.eventual = op->op.whole = !reply;
    submit(store, op);
}

/* --- prices --- */

static int prices_put(struct km_op *base, sqlite3 *db, struct km_apply *apply, struct km_err *err)
{
    struct op *op = op_of(base);
    sqlite3_stmt *del KM_CLEANUP(km_db_finalize) = NULL;
    sqlite3_stmt *ins KM_CLEANUP(km_db_finalize) = NULL;
    int r = km_db_prepare(db, "DELETE FROM prices WHERE source = ?1", &del, err);

    if (r == 0)
        r = km_db_prepare(db,
                          "INSERT OR REPLACE INTO prices (source, model, json) VALUES (?1, ?2, ?3)",
                          &ins, err);
    if (r == 0 && op->nprices) {
        km_db_bind_text(del, 1, op->prices[0].source);
        r = km_db_run(del, err);
    }
    for (size_t i = 0; r == 0 && i < op->nprices; i++) {
        km_db_bind_text(ins, 1, op->prices[i].source);
        km_db_bind_text(ins, 2, op->prices[i].model);
        km_db_bind_text(ins, 3, op->prices[i].json);
        r = km_db_run(ins, err);
    }
    return r == 0 ? append_audit(op, apply, err) : r;
}

void km_store_prices_put(struct km_store *store, struct km_mailbox *reply,
                         const struct km_price_row *rows, size_t n, const struct km_audit *audit,
                         km_store_done_fn *done, void *ctx)
{
    size_t text = 0;
    struct op *op;

    for (size_t i = 0; i < n; i++)
        text += rows[i].model.n + rows[i].source.n + rows[i].json.n;
    op = op_new(reply, prices_put, audit, text, done, ctx);
    op->prices = calloc(n ? n : 1, sizeof *op->prices);
    km_assert(op->prices != NULL);
    op->nprices = n;
    for (size_t i = 0; i < n; i++) {
        op->prices[i].model = km_op_keep(&op->op, rows[i].model);
        op->prices[i].source = km_op_keep(&op->op, rows[i].source);
        op->prices[i].json = km_op_keep(&op->op, rows[i].json);
    }
    submit(store, op);
}

/* --- what the process before left open --- */

static int charge_open(struct km_op *base, sqlite3 *db, struct km_apply *apply, struct km_err *err)
{
    size_t n = 0;
    int r = km_apply_incomplete(apply, op_of(base)->number, &n, err);

    return r == 0 ? km_due_release(db, op_of(base)->number, err) : r;
}

void km_store_charge_open(struct km_store *store, struct km_mailbox *reply, int64_t before_us,
                          km_store_done_fn *done, void *ctx)
{
    struct op *op = op_new(reply, charge_open, NULL, 0, done, ctx);

    op->number = before_us;
    op->op.whole = true;
    submit(store, op);
}

/* An operation is in the same commit as what the ledgers hold when it comes, or in a later one. */
void km_store_sync(struct km_store *store, struct km_mailbox *reply, km_store_done_fn *done,
                   void *ctx)
{
    submit(store, op_new(reply, km_op_nothing, NULL, 0, done, ctx));
}
