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
#include "store/incomplete.h"
#include "store/inside.h"
#include "store/key_bound.h"
#include "store/key_row.h"
#include "store/payers.h"
#include "store/statements.h"
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
    struct km_incomplete charged;
    struct km_store *store;
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
    km_incomplete_done(&op->charged);
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

/* A statement about one or two hashes. */
struct hashes {
    uint8_t one[32], two[32];
};

enum {
    INSERT,
    UPDATE,
    REPLACE,
    COMES_BACK,
    DELETE,
    HOLDS_DELETE,
    PRICES_DELETE,
    PRICES_PUT,
    HEIR,
    HEIRS = 4
};

#define HOLE(...) "?, "
#define HOLES KM_KEY_COLUMNS(HOLE)
#define CHANGE(member, ...) #member " = ?, "
#define CHANGES KM_KEY_COLUMNS(CHANGE)
#define HASH KM_FIELD(struct km_key_bound, row.hash)
#define ONE KM_FIELD(struct hashes, one)
#define TWO KM_FIELD(struct hashes, two)
#define PRICE(member) KM_FIELD(struct km_price_row, member)

static const struct km_statement statements[] = {
    [INSERT] = { "keys.insert",
                 { "INSERT INTO keys (" KM_KEY_NAMES "hash, spend, window_us) VALUES (" HOLES
                   "?, ?, 0) ON CONFLICT DO NOTHING" },
                 .in = KM_FIELDS(KM_KEY_FIELDS HASH, KM_FIELD(struct km_key_bound, row.spend)) },
    [UPDATE] = { "keys.update",
                 { "UPDATE keys SET " CHANGES "window_us = window_us WHERE hash = ?" },
                 .in = KM_FIELDS(KM_KEY_FIELDS HASH) },
    [REPLACE] = { "keys.replace",
                  { "UPDATE OR IGNORE keys SET " CHANGES "hash = ? WHERE hash = ?" },
                  .in = KM_FIELDS(KM_KEY_FIELDS HASH, KM_FIELD(struct km_key_bound, old)) },
    [COMES_BACK] = { "keys.comes_back",
                     { "DELETE FROM key_heirs WHERE old = ?1" },
                     .in = KM_FIELDS(ONE) },
    [DELETE] = { "keys.delete", { "DELETE FROM keys WHERE hash = ?1" }, .in = KM_FIELDS(ONE) },
    [HOLDS_DELETE] = { "keys.delete_holds",
                       { "DELETE FROM holds WHERE id IN (SELECT h.id FROM holds h"
                         KM_PAYER_JOIN("h.key") " WHERE " KM_KEY_HEIR("i.hash") " = ?1)" },
                       .in = KM_FIELDS(ONE) },
    [HEIR] = { "keys.heir_windows",
               { "UPDATE OR REPLACE budget_windows SET hash = ?2 WHERE hash = ?1" },
               .in = KM_FIELDS(ONE, TWO) },
    [HEIR + 1] = { "keys.heir_of_heirs",
                   { "UPDATE key_heirs SET hash = ?2 WHERE hash = ?1" },
                   .in = KM_FIELDS(ONE, TWO) },
    [HEIR + 2] = { "keys.heir",
                   { "INSERT OR REPLACE INTO key_heirs (old, hash) VALUES (?1, ?2)" },
                   .in = KM_FIELDS(ONE, TWO) },
    [HEIR + 3] = { "keys.heir_itself",
                   { "DELETE FROM key_heirs WHERE old = hash OR old = ?1" },
                   .in = KM_FIELDS(TWO) },
    [PRICES_DELETE] = { "prices.delete",
                       { "DELETE FROM prices WHERE source = ?1" },
                       .in = KM_FIELDS(PRICE(source)) },
    [PRICES_PUT] = { "prices.put",
                           { "INSERT OR REPLACE INTO prices (source, model, json)"
                             " VALUES (?1, ?2, ?3)" },
                           .in = KM_FIELDS(PRICE(source), PRICE(model), PRICE(json)) },
};
const struct km_statements km_ops_statements = KM_STATEMENTS(statements);

/* The row, its budget's window ending then. */
static int run_bound(const struct op *op, struct km_db *db, const struct km_statement *s,
                     int64_t end_us, int64_t *ret_changes, struct km_err *err)
{
    struct km_buf models KM_CLEANUP(km_buf_done) = KM_BUF(1u << 20);
    struct km_key_bound bound = { .row = *op->row };

    km_buf_json_list(&models, op->row->models.v, op->row->models.n);
    if (km_buf_failed(&models))
        return km_fail_param(err, KM_E_LIMIT, "models", "the list of models is too long");
    bound.models = km_buf_view(&models);
    bound.row.budget_reset_us = end_us;
    memcpy(bound.old, op->hash, sizeof bound.old);
    return km_db_run(db, s, &bound, ret_changes, err);
}

static struct hashes hashes_of(const uint8_t one[32], const uint8_t two[32])
{
    struct hashes h;

    memcpy(h.one, one, sizeof h.one);
    memcpy(h.two, two, sizeof h.two);
    return h;
}

static int key_put(struct km_op *base, struct km_db *db, struct km_apply *apply, struct km_err *err)
{
    struct op *op = op_of(base);
    const struct hashes h = hashes_of(op->row->hash, op->row->hash);
    int64_t end_us = op->row->budget_reset_us, changed = 0;
    int r = op->insert ? 0 : km_windows_keep(db, op->row->hash, op->row, &end_us, err);

    if (r < 0)
        return r;
    r = run_bound(op, db, &statements[op->insert ? INSERT : UPDATE], end_us, &changed, err);
    if (r == 0 && changed == 0)
        r = op->insert ? km_fail(err, KM_E_EXISTS, "this key exists already")
                       : km_fail(err, KM_E_NOT_FOUND, "this key does not exist any more");
    if (r == 0 && op->insert) /* a secret that comes back pays for itself again */
        r = km_db_run(db, &statements[COMES_BACK], &h, NULL, err);
    km_apply_forget_keys(apply);
    return r == 0 ? append_audit(op, apply, err) : r;
}

static int key_replace(struct km_op *base, struct km_db *db, struct km_apply *apply,
                       struct km_err *err)
{
    struct op *op = op_of(base);
    const struct hashes h = hashes_of(op->hash, op->row->hash);
    int64_t end_us = op->row->budget_reset_us, changed = 0;
    int r = km_windows_keep(db, op->hash, op->row, &end_us, err);

    if (r < 0)
        return r;
    r = run_bound(op, db, &statements[REPLACE], end_us, &changed, err);
    if (r == 0 && changed == 0)
        r = km_fail(err, KM_E_NOT_FOUND,
                    "this key does not exist any more, or its new one exists already");
    for (size_t i = 0; r == 0 && i < HEIRS; i++)
        r = km_db_run(db, &statements[HEIR + i], &h, NULL, err);
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

static int key_delete(struct km_op *base, struct km_db *db, struct km_apply *apply,
                      struct km_err *err)
{
    struct op *op = op_of(base);
    const struct hashes h = hashes_of(op->hash, op->hash);
    int64_t changed = 0;
    int r = km_db_run(db, &statements[DELETE], &h, &changed, err);

    if (r == 0 && changed == 0)
        r = km_fail(err, KM_E_NOT_FOUND, "this key does not exist");
    if (r == 0)
        r = km_windows_clear(db, op->hash, err);
    if (r == 0)
        r = km_db_run(db, &statements[HOLDS_DELETE], &h, NULL, err);
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

static int key_reset(struct km_op *base, struct km_db *db, struct km_apply *apply,
                     struct km_err *err)
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

static int audit_only(struct km_op *op, struct km_db *db, struct km_apply *apply,
                      struct km_err *err)
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

static int prices_put(struct km_op *base, struct km_db *db, struct km_apply *apply,
                      struct km_err *err)
{
    struct op *op = op_of(base);
    struct km_ready *put KM_CLEANUP(km_ready_done) = NULL;
    int r = km_db_ready(db, &statements[PRICES_PUT], &put, err);

    if (r == 0 && op->nprices)
        r = km_db_run(db, &statements[PRICES_DELETE], &op->prices[0], NULL, err);
    for (size_t i = 0; r == 0 && i < op->nprices; i++)
        r = km_ready_run(put, &op->prices[i], NULL, err);
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

static int charge_open(struct km_op *base, struct km_db *db, struct km_apply *apply,
                       struct km_err *err)
{
    struct op *op = op_of(base);
    int r = km_incomplete_charge(db, apply, op->number, op->store->hold_us, &op->charged, err);

    return r == 0 ? km_due_release(db, op->number, err) : r;
}

static void tell_charged(struct km_op *base)
{
    const struct op *op = op_of(base);
    const struct km_store_books *books = op->store->books;

    for (size_t i = 0; books && i < op->charged.nv; i++)
        books->charged(books->ctx, &op->charged.v[i]);
}

void km_store_charge_open(struct km_store *store, struct km_mailbox *reply, int64_t before_us,
                          km_store_done_fn *done, void *ctx)
{
    struct op *op = op_new(reply, charge_open, NULL, 0, done, ctx);

    op->number = before_us;
    op->store = store;
    op->charged.keep = true;
    op->op.committed = tell_charged;
    op->op.whole = true;
    submit(store, op);
}

/* An operation is in the same commit as what the ledgers hold when it comes, or in a later one. */
void km_store_sync(struct km_store *store, struct km_mailbox *reply, km_store_done_fn *done,
                   void *ctx)
{
    submit(store, op_new(reply, km_op_nothing, NULL, 0, done, ctx));
}
