/* SPDX-License-Identifier: Apache-2.0 */
/* commit.c - see commit.h.
 *
 * A transaction that fails is rolled back whole: the chunks' records go to the spill file and are
 * tried again with the next one.  The store is unhealthy until one succeeds; then the spill file is
 * emptied.
 *
 * Checkpoints are asked for, when nothing came for a while or the log has grown large.
 */
#include "store/commit.h"

#include <stdio.h>

#include "base/money.h"
#include "base/time.h"
#include "store/ahead.h"
#include "store/due.h"
#include "store/incomplete.h"
#include "store/inside.h"
#include "store/spill_ledger.h"
#include "store/statements.h"

#define EXPIRE_MS 60000 /* between two looks for holds that are over, which nobody counts */

/* --- one transaction --- */

enum { MARK, MARK_GONE, BACK_TO_MARK, TOUCH };

static const struct km_statement rows[] = {
    [MARK] = { .name = "commit.mark", .sql = { "SAVEPOINT op" } },
    [MARK_GONE] = { .name = "commit.mark_gone", .sql = { "RELEASE op" } },
    [BACK_TO_MARK] = { .name = "commit.back_to_mark", .sql = { "ROLLBACK TO op" } },
    [TOUCH] = { .name = "commit.touch", .sql = { "UPDATE meta SET value = value" } },
};
const struct km_statements km_commit_statements = KM_STATEMENTS(rows);

static void recovered(struct km_store *store)
{
    if (!km_outage_end(&store->outage))
        return;
    atomic_store(&store->outage.unspilled, false);
    km_log_msg(store->log, KM_LOG_INFO, "store.recovered", "the store can be written again");
    if (store->events)
        km_event_add(store->events, KM_LOG_INFO, "store.recovered", "the store works again");
}

static void failed(struct km_store *store, const struct km_db_trouble *trouble,
                   const struct km_err *err)
{
    char reason[KM_STORE_REASON];

    if (trouble->damaged) {
        km_store_lose(store, KM_OUTAGE_DAMAGED, "the store is damaged", err->text);
        return;
    }
    (void)snprintf(reason, sizeof reason, "the store cannot be written: %s", trouble->words);
    if (!km_outage_begin(&store->outage, KM_OUTAGE_UNWRITABLE, reason, err->text))
        return;
    km_log_msg(store->log, KM_LOG_ERROR, "store.failed", "%s", err->text);
    if (store->events)
        km_event_add(store->events, KM_LOG_ERROR, "store.failed", "%s", err->text);
}

/* Each in a savepoint: one that fails by itself (a key that exists) spoils nothing else.  One whose
 * failure is the transaction's needs none. */
static int run_op(struct km_commit *c, struct km_op *op, struct km_err *err)
{
    int r = op->whole ? 0 : km_db_run(c->db, &rows[MARK], NULL, NULL, err);

    if (r < 0)
        return r;
    op->result = op->run(op, c->db, c->apply, &op->err);
    if (op->result == 0)
        return op->whole ? 0 : km_db_run(c->db, &rows[MARK_GONE], NULL, NULL, err);
    /* Some errors (disk full) end the whole transaction, not only the statement. */
    if (op->whole || !c->db->driver->is_begun(c->db)) {
        *err = op->err;
        return op->result;
    }
    km_apply_op_undone(c->apply);
    r = km_db_run(c->db, &rows[BACK_TO_MARK], NULL, NULL, err);
    return r == 0 ? km_db_run(c->db, &rows[MARK_GONE], NULL, NULL, err) : r;
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

static int expire(struct km_commit *c, struct km_err *err)
{
    uint64_t now = km_mono_ms();

    if (c->expired_ms && now - c->expired_ms < EXPIRE_MS)
        return 0;
    c->expired_ms = now;
    return km_incomplete_expire(c->db, err);
}

static int transact(struct km_commit *c, struct km_op *ops, struct km_chunk *chunks,
                    struct km_db_trouble *trouble, struct km_err *err)
{
    const struct km_driver *driver = c->store->driver;
    int64_t spilled = km_spill_last_of(chunks);
    int r = driver->begin(c->db, err);

    /* After a failure something must really be written to know that it can be. */
    if (r == 0 && c->failed)
        r = km_db_run(c->db, &rows[TOUCH], NULL, NULL, err);
    if (r == 0)
        r = expire(c, err);
    if (r == 0)
        r = write_all(c, ops, chunks, err);
    if (r == 0 && spilled)
        r = km_spill_note(c->db, spilled, err);
    if (r == 0)
        r = driver->commit(c->db, err);
    if (r == 0) {
        km_apply_committed(c->apply);
        return 0;
    }
    driver->trouble(c->db, trouble);
    km_apply_rolled_back(c->apply);
    driver->rollback(c->db);
    return r;
}

static int catch_up(struct km_commit *c, struct km_err *err);

int km_commit(struct km_commit *c, struct km_op *ops, struct km_chunk *chunks, struct km_err *err)
{
    struct km_db_trouble trouble = { .words = "database or disk is full" };
    int r = c->behind ? catch_up(c, err) : 0;

    if (r == 0)
        r = transact(c, ops, chunks, &trouble, err);
    c->failed = r < 0;
    if (r < 0) {
        failed(c->store, &trouble, err);
    } else {
        km_commit_empty_spill(c);
        recovered(c->store);
    }
    for (struct km_op *op = ops; r < 0 && op; op = op->next) {
        if (op->result < 0)
            continue;
        op->result = r;
        op->err = *err;
    }
    return r;
}

void km_commit_rescue(struct km_commit *c)
{
    char file[KM_PLACE_PATH], text[320];
    struct km_err err = { 0 };

    if (c->store->driver->file->rescue(c->db, &c->store->place, file, &err) == 0)
        (void)snprintf(
            text, sizeof text,
            "A copy of all that was in it is '%.180s': stop the gateway, move the copy to "
            "the store's place, start.",
            file);
    else
        (void)snprintf(text, sizeof text,
                       "No copy of it could be made (%.160s): restore it from a backup.", err.text);
    km_outage_add(&c->store->outage, text);
    km_log_msg(c->store->log, KM_LOG_ERROR, "store.rescue", "%s", text);
}

/* --- the connection --- */

static int open_connection(struct km_commit *c, struct km_err *err)
{
    const struct km_driver *driver = c->store->driver;
    const char *path = c->store->place.path;
    int r = driver->open(path, KM_DB_WRITE, &c->db, err);

    if (r == 0)
        r = driver->to_writer(c->db, c->store->strict, err);
    if (r == 0)
        r = driver->migrate(c->db, path, err);
    if (r == 0)
        r = km_apply_new(c->db, &c->apply, err);
    if (r == 0)
        r = km_identity_keep(&c->store->identity, c->db, &c->store->place, c->store->log, err);
    return r;
}

static void tell_charged(struct km_store *store, const struct km_incomplete *done)
{
    char charged[KM_MONEY_LEN], held[KM_MONEY_LEN], until[KM_TIME_ISO_LEN + 1];

    km_money_text(done->charged, charged);
    km_money_text(done->held, held);
    km_time_iso(done->until_us, until);
    if (done->held)
        km_log_msg(store->log, KM_LOG_WARN, "store.incomplete",
                   "%zu calls had not ended when the last process did: charged %s USD by what was "
                   "known of them, %s USD of what they had reserved held until %s at the latest "
                   "(kanmon spend holds)",
                   done->n, charged, held, until);
    else if (done->n)
        km_log_msg(store->log, KM_LOG_WARN, "store.incomplete",
                   "%zu calls had not ended when the last process did: charged %s USD by what was "
                   "known of them, nothing is held",
                   done->n, charged);
}

/* Charges the calls of a process that ended without settling them. */
static int charge_open(struct km_commit *c, struct km_err *err)
{
    struct km_incomplete done = { 0 };
    int r = c->store->driver->begin(c->db, err);

    if (r == 0)
        r = km_incomplete_charge(c->db, c->apply, 0, c->store->hold_us, &done, err);
    if (r == 0)
        r = km_due_release(c->db, 0, err);
    if (r == 0)
        r = km_apply_finish(c->apply, err);
    if (r == 0)
        r = c->store->driver->commit(c->db, err);
    km_apply_committed(c->apply);
    if (r == 0)
        tell_charged(c->store, &done);
    km_incomplete_done(&done);
    return r;
}

/* What the process before could not commit, and what it left open. */
static int catch_up(struct km_commit *c, struct km_err *err)
{
    struct km_store *store = c->store;
    size_t n = 0;
    int64_t done = 0;
    int r = c->spill ? km_spill_replay(c->spill, c->db, c->apply, c->behind_to, &n, &done, err) : 0;

    if (r == 0 && n)
        km_log_msg(store->log, KM_LOG_WARN, "store.spill",
                   "%zu entries that could not be committed before were read from '%s'", n,
                   store->spill_path);
    if (r == 0 && c->spill &&
        km_spill_last(c->spill) <= (done > c->behind_to ? done : c->behind_to))
        km_commit_clear_spill(c, done);
    if (r == 0 && !c->handed_over)
        r = charge_open(c, err);
    c->behind = r < 0;
    if (r < 0)
        km_apply_rolled_back(c->apply);
    if (r < 0)
        store->driver->rollback(c->db);
    return r;
}

/* The disk is full, still: everything is there, and is written when there is room. */
static int begin_behind(struct km_commit *c, const struct km_err *why, struct km_err *err)
{
    struct km_store *store = c->store;
    char text[600];

    c->failed = true;
    (void)snprintf(text, sizeof text,
                   "%.400s. What the process before could not write waits in the spill file.",
                   why->text);
    atomic_store(&store->spilled_bytes, c->spill ? km_spill_bytes(c->spill) : 0);
    (void)km_outage_begin(&store->outage, KM_OUTAGE_UNWRITABLE,
                          "the store cannot be written: its disk is full or fails", text);
    km_log_msg(store->log, KM_LOG_ERROR, "store.failed", "%s", text);
    if (store->events)
        km_event_add(store->events, KM_LOG_ERROR, "store.failed", "%s", text);
    return c->handed_over ? 0 : km_ahead_open(store, c->spill, err);
}

int km_commit_open(struct km_commit *c, bool handed_over, struct km_err *err)
{
    struct km_err why = { 0 };
    int r = open_connection(c, err);

    if (r < 0)
        return r;
    c->handed_over = handed_over;
    km_commit_open_spill(c);
    r = catch_up(c, &why);
    if (r < 0 && why.retry_after_ms)
        return begin_behind(c, &why, err);
    if (r < 0 && err)
        *err = why;
    return r;
}

void km_commit_close(struct km_commit *c)
{
    const struct km_driver_file *file = c->store->driver->file;

    km_room_use(c->store, NULL, NULL);
    c->spill = km_spill_close(c->spill);
    if (file)
        file->rest(c->store->lookout);
    /* What is in the log may be no pages. */
    if (file && c->db && km_outage_final(&c->store->outage))
        file->leave(c->db);
    c->apply = km_apply_free(c->apply);
    c->db = km_db_close(c->db);
}

int km_commit_log_pages(const struct km_commit *c)
{
    const struct km_driver_file *file = c->store->driver->file;

    return file && c->db ? file->log_pages(c->db) : 0;
}

void km_commit_checkpoint(struct km_commit *c, int from_pages)
{
    const struct km_driver_file *file = c->store->driver->file;

    if (!c->db || c->failed || !file || file->log_pages(c->db) < from_pages ||
        km_outage_final(&c->store->outage))
        return;
    km_store_look(c->store); /* a hole in the log would be moved into the store */
    if (km_outage_final(&c->store->outage))
        return;
    atomic_fetch_add(&c->store->checkpoints, 1);
    file->checkpoint(c->db);
    atomic_fetch_add(&c->store->checkpoints, 1);
}
