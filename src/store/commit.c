/* SPDX-License-Identifier: Apache-2.0 */
/* commit.c - see commit.h.
 *
 * A transaction that fails is rolled back whole: the chunks' records are tried again with the
 * next one.  The store is unhealthy until one succeeds.
 *
 * Checkpoints are asked for, when nothing came for a while or the log has grown large: left to
 * SQLite they would come inside a commit that somebody waits for, and each costs two syncs.
 */
#include "store/commit.h"

#include "store/due.h"
#include "store/inside.h"
#include "store/migrate.h"

/* --- one transaction --- */

static void set_health(struct km_commit *c, bool healthy, const struct km_err *err)
{
    struct km_store *store = c->store;

    if (atomic_exchange(&store->healthy, healthy) == healthy)
        return;
    if (healthy) {
        km_log_msg(store->log, KM_LOG_INFO, "store.recovered", "the store can be written again");
        if (store->events)
            km_event_add(store->events, KM_LOG_INFO, "store.recovered", "the store works again");
        return;
    }
    km_log_msg(store->log, KM_LOG_ERROR, "store.failed", "%s", err->text);
    if (store->events)
        km_event_add(store->events, KM_LOG_ERROR, "store.failed", "%s", err->text);
}

/* Each in a savepoint: one that fails by itself (a key that exists) spoils nothing else.  One whose
 * failure is the transaction's needs none. */
static int run_op(struct km_commit *c, struct km_op *op, struct km_err *err)
{
    int r = op->whole ? 0 : km_db_exec(c->db, "SAVEPOINT op", err);

    if (r < 0)
        return r;
    op->result = op->run(op, c->db, c->apply, &op->err);
    if (op->result == 0)
        return op->whole ? 0 : km_db_exec(c->db, "RELEASE op", err);
    /* Some errors (disk full) end the whole transaction, not only the statement. */
    if (op->whole || sqlite3_get_autocommit(c->db)) {
        *err = op->err;
        return op->result;
    }
    km_apply_op_undone(c->apply);
    return km_db_exec(c->db, "ROLLBACK TO op; RELEASE op", err);
}

static int write_all(struct km_commit *c, struct km_op *ops, struct km_chunk *chunks,
                     struct km_err *err)
{
    int r = 0;

    for (struct km_op *op = ops; r == 0 && op; op = op->next)
        r = run_op(c, op, err);
    for (struct km_chunk *chunk = chunks; r == 0 && chunk; chunk = chunk->next)
        for (struct km_record *rec = NULL; r == 0 && (rec = km_chunk_next(chunk, rec));)
            if (rec->kind != KM_RECORD_VOID)
                r = km_apply_record(c->apply, rec, err);
    return r == 0 ? km_apply_finish(c->apply, err) : r;
}

static int transact(struct km_commit *c, struct km_op *ops, struct km_chunk *chunks,
                    struct km_err *err)
{
    int r = km_db_run(c->begin, err);

    /* After a failure something must really be written to know that it can be. */
    if (r == 0 && c->failed)
        r = km_db_exec(c->db, "UPDATE meta SET value = value", err);
    if (r == 0)
        r = write_all(c, ops, chunks, err);
    if (r == 0)
        r = km_db_run(c->end, err);
    if (r == 0) {
        km_apply_committed(c->apply);
        return 0;
    }
    km_apply_rolled_back(c->apply);
    if (!sqlite3_get_autocommit(c->db))
        sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
    return r;
}

int km_commit(struct km_commit *c, struct km_op *ops, struct km_chunk *chunks, struct km_err *err)
{
    int r = transact(c, ops, chunks, err);

    c->failed = r < 0;
    set_health(c, r == 0, err);
    for (struct km_op *op = ops; r < 0 && op; op = op->next) {
        if (op->result < 0)
            continue;
        op->result = r;
        op->err = *err;
    }
    return r;
}

/* --- the connection --- */

static int on_wal(void *ctx, sqlite3 *db, const char *name, int pages)
{
    struct km_commit *c = ctx;

    (void)db;
    (void)name;
    c->wal_pages = pages;
    return SQLITE_OK;
}

static int open_connection(struct km_commit *c, struct km_err *err)
{
    const char *path = c->store->place.path;
    int r = km_db_open(path, KM_DB_WRITE, &c->db, err);

    if (r == 0)
        r = km_db_exec(c->db,
                       c->store->strict ? "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL"
                                        : "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL",
                       err);
    if (r == 0)
        r = km_db_exec(c->db,
                       "PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 67108864;"
                       "PRAGMA cache_size = -1024",
                       err);
    if (r == 0)
        r = km_migrate(c->db, path, err);
    if (r == 0)
        r = km_db_prepare(c->db, "BEGIN IMMEDIATE", &c->begin, err);
    if (r == 0)
        r = km_db_prepare(c->db, "COMMIT", &c->end, err);
    if (r == 0)
        r = km_apply_new(c->db, &c->apply, err);
    if (r == 0)
        sqlite3_wal_hook(c->db, on_wal, c);
    return r;
}

/* Charges the calls of a process that ended without settling them. */
static int charge_open(struct km_commit *c, struct km_err *err)
{
    size_t charged = 0;
    int r = km_db_exec(c->db, "BEGIN IMMEDIATE", err);

    if (r == 0)
        r = km_apply_incomplete(c->apply, 0, &charged, err);
    if (r == 0)
        r = km_due_release(c->db, 0, err);
    if (r == 0)
        r = km_apply_finish(c->apply, err);
    if (r == 0)
        r = km_db_exec(c->db, "COMMIT", err);
    km_apply_committed(c->apply);
    if (r == 0 && charged)
        km_log_msg(c->store->log, KM_LOG_WARN, "store.incomplete",
                   "%zu calls had not settled when the last process ended: charged as reserved",
                   charged);
    return r;
}

int km_commit_open(struct km_commit *c, bool handed_over, struct km_err *err)
{
    int r = open_connection(c, err);

    return r < 0 || handed_over ? r : charge_open(c, err);
}

void km_commit_close(struct km_commit *c)
{
    c->apply = km_apply_free(c->apply);
    km_db_finalize(&c->begin);
    km_db_finalize(&c->end);
    c->db = km_db_close(c->db);
}

void km_commit_checkpoint(struct km_commit *c, int from_pages)
{
    if (c->failed || c->wal_pages < from_pages)
        return;
    c->wal_pages = 0;
    if (c->db)
        sqlite3_wal_checkpoint_v2(c->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}
