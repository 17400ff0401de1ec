/* SPDX-License-Identifier: Apache-2.0 */
/* correct.c - the cost of a call as a person who has the bill says it is (holds.h).
 *
 *     spend.cost = what it is       daily.cost, the key's window += what that is more
 *     spend.flags |= corrected      holds: the rest is known now, so it goes
 *
 * One transaction, and a difference, so the sums stay what their rows add up to; the same
 * correction once more is a difference of nothing.  It counts in the budget window that the call
 * was paid in, which need not be the current one, and in none where its key is gone.  Sums never
 * fall below zero: what an operator has reset is not owed back.
 */
#include "base/encode.h"
#include "base/money.h"
#include "base/time.h"
#include "store/holds.h"
#include "store/inside.h"
#include "store/payers.h"
#include "store/statements.h"
#include "store/windows.h"
#include "store/writer.h"

/* The row, as it is, and what statements are given. */
struct call {
    struct km_uuid id;
    struct km_payer payer;
    int64_t key, route, cost, start_us, day;
    int64_t duration_us; /* -1: it was never heard to end */
    bool known; /* there is such a key */
    int64_t window_us, length_s, end_us; /* of it */
    int64_t flag, more;
};

struct op {
    struct km_op op; /* first: the writer's pointer is ours */
    struct km_store *store;
    struct km_uuid id;
    int64_t cost, was;
    struct km_str reason, actor;
    km_store_json_fn *fn;
    void *ctx;
    struct km_correction done;
    struct km_spend_hold freed; /* amount 0: nothing was held */
    struct km_buf payers; /* the call's, once it is found */
};

enum { FIND, SET, DAILY, CURRENT, WINDOW, HELD, FREE };

#define CALL(member) KM_FIELD(struct call, member)
#define ADD(column) column " = max(0, min(" column ", 1 << 61) + ?1)"

static const struct km_statement rows[] = {
    [FIND] = { "correct.find",
               { "SELECT s.id, i.hash, " KM_KEY_HEIR("i.hash") ", coalesce(p.text, ''),"
                 " s.key, s.route, s.cost,"
                 " s.start_us, s.start_us / 86400000000, coalesce(s.duration_us, -1),"
                 " k.hash IS NOT NULL,"
                 " coalesce(k.window_us, 0), coalesce(k.budget_duration_s, 0),"
                 " coalesce(k.budget_reset_us, 0)"
                 " FROM spend s" KM_PAYER_JOIN("s.key")
                 " LEFT JOIN keys k ON k.hash = " KM_KEY_HEIR("i.hash") " WHERE s.id = ?1" },
               .in = KM_FIELDS(CALL(id.b)),
               .out = KM_FIELDS(CALL(id.b), CALL(payer.hash), CALL(payer.heir), CALL(payer.text),
                                CALL(key),
                                CALL(route), CALL(cost), CALL(start_us), CALL(day),
                                CALL(duration_us), CALL(known), CALL(window_us), CALL(length_s),
                                CALL(end_us)) },
    [SET] = { "correct.set",
              { "UPDATE spend SET cost = cost + ?1, flags = flags | ?3 WHERE id = ?2" },
              .in = KM_FIELDS(CALL(more), CALL(id.b), CALL(flag)) },
    [DAILY] = { "correct.daily",
                { "UPDATE daily SET " ADD("cost") " WHERE day = ?2 AND key = ?3 AND route = ?4" },
                .in = KM_FIELDS(CALL(more), CALL(day), CALL(key), CALL(route)) },
    [CURRENT] = { "correct.current",
                  { "UPDATE keys SET " ADD("spend") " WHERE hash = ?2" },
                  .in = KM_FIELDS(CALL(more), CALL(payer.heir)) },
    [WINDOW] = { "correct.window",
                 { "INSERT INTO budget_windows (hash, end_us, spend) VALUES (?2, ?3, max(0, ?1))"
                   " ON CONFLICT DO UPDATE SET " ADD("spend") },
                 .in = KM_FIELDS(CALL(more), CALL(payer.heir), CALL(end_us)) },
    [HELD] = { "correct.held",
               { "SELECT amount FROM holds WHERE id = ?1" },
               .in = KM_FIELDS(CALL(id.b)),
               .out = KM_NUMBER },
    [FREE] = { "correct.free",
               { "DELETE FROM holds WHERE id = ?1" },
               .in = KM_FIELDS(CALL(id.b)) },
};
const struct km_statements km_correct_statements = KM_STATEMENTS(rows);

static struct op *op_of(struct km_op *op)
{
    return (struct op *)(void *)op;
}

/* The sum of the window that the call was paid in, as apply.c chose it. */
static int add_spent(struct km_db *db, struct call *c, int64_t at_us, struct km_err *err)
{
    const struct km_window_now now = { c->window_us, c->length_s, c->end_us };

    switch (km_windows_place(&now, at_us, c->duration_us >= 0, &c->end_us)) {
    case KM_WINDOW_CURRENT:
        return km_db_run(db, &rows[CURRENT], c, NULL, err);
    case KM_WINDOW_OTHER:
        return km_db_run(db, &rows[WINDOW], c, NULL, err);
    case KM_WINDOW_NONE:
        break;
    }
    return 0;
}

static int free_hold(struct op *op, struct km_db *db, const struct call *c, struct km_err *err)
{
    enum km_row got = KM_ROW_END;
    int64_t amount = 0;
    int r = km_db_first(db, &rows[HELD], c, &amount, &got, err);

    if (r < 0 || !got)
        return r;
    op->freed = (struct km_spend_hold){ .id = c->id, .payer = c->payer, .amount = amount };
    return km_db_run(db, &rows[FREE], c, NULL, err);
}

static int record(struct op *op, struct km_apply *apply, struct km_err *err)
{
    struct km_buf detail KM_CLEANUP(km_buf_done) = KM_BUF(16 * 1024);
    char id[KM_UUID_LEN + 1], cost[KM_MONEY_LEN], was[KM_MONEY_LEN];
    struct km_audit audit = { .actor = op->actor, .action = KM_STR("spend.correct") };

    km_uuid_text(&op->id, id);
    km_money_text(op->cost, cost);
    km_money_text(op->was, was);
    km_buf_printf(&detail, "{\"cost\":%s,\"was\":%s,\"reason\":", cost, was);
    km_buf_json(&detail, op->reason);
    km_buf_byte(&detail, '}');
    audit.target = km_str_c(id);
    audit.detail = km_buf_view(&detail);
    return km_audit_append(km_apply_chain(apply), &audit, km_wall_us(), err);
}

/* The row, and a copy of who pays, which outlives its statement. */
static int find(struct op *op, struct km_db *db, struct call *c, enum km_row *ret_got,
                struct km_err *err)
{
    struct km_ready *row KM_CLEANUP(km_ready_done) = NULL;
    int r = km_db_ask(db, &rows[FIND], c, &row, err);

    if (r == 0)
        r = km_ready_next(row, c, ret_got, err);
    if (r == 0 && *ret_got) {
        km_buf_str(&op->payers, c->payer.text);
        c->payer.text = km_buf_view(&op->payers);
    }
    return r;
}

static int run_correct(struct km_op *base, struct km_db *db, struct km_apply *apply,
                       struct km_err *err)
{
    struct op *op = op_of(base);
    struct call c = { .id = op->id };
    enum km_row got = KM_ROW_END;
    int64_t at_us;
    int r = find(op, db, &c, &got, err);

    if (r == 0 && !got)
        return km_fail(err, KM_E_NOT_FOUND, "There is no call with this id.");
    if (r < 0)
        return r;
    at_us = c.start_us + (c.duration_us > 0 ? c.duration_us : 0);
    op->was = c.cost;
    c.flag = KM_CALL_CORRECTED;
    c.more = op->cost - c.cost;
    r = km_db_run(db, &rows[SET], &c, NULL, err);
    if (r == 0)
        r = km_db_run(db, &rows[DAILY], &c, NULL, err);
    if (r == 0)
        r = free_hold(op, db, &c, err);
    if (r == 0 && c.known && c.more)
        r = add_spent(db, &c, at_us, err);
    if (r == 0 && c.payer.text.n && c.more)
        r = km_payers_correct(db, c.key, c.more, at_us, err);
    op->done = (struct km_correction){ .payer = c.payer, .more = c.more, .at_us = at_us };
    return r == 0 ? record(op, apply, err) : r;
}

static void free_correction(struct km_op *base)
{
    km_buf_done(&op_of(base)->payers);
    km_op_free(base);
}

static void tell_corrected(struct km_op *base)
{
    const struct op *op = op_of(base);
    const struct km_store_books *books = op->store->books;

    if (!books)
        return;
    if (op->done.more)
        books->corrected(books->ctx, &op->done);
    if (op->freed.amount)
        books->released(books->ctx, &op->freed);
}

static void on_corrected(void *ctx, const struct km_err *err)
{
    struct op *op = ctx;
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(512);
    char id[KM_UUID_LEN + 1], cost[KM_MONEY_LEN], was[KM_MONEY_LEN];

    km_uuid_text(&op->id, id);
    km_money_text(op->cost, cost);
    km_money_text(op->was, was);
    km_buf_printf(&out, "{\"request_id\":\"%s\",\"spend\":%s,\"was\":%s}", id, cost, was);
    op->fn(op->ctx, err ? KM_STR_NONE : km_buf_view(&out), err);
}

void km_store_spend_correct(struct km_store *store, struct km_mailbox *reply,
                            const struct km_uuid *id, int64_t cost, struct km_str reason,
                            struct km_str actor, km_store_json_fn *fn, void *ctx)
{
    struct op *op = km_op_new(sizeof *op, reason.n + actor.n, run_correct);

    km_assert(op != NULL); /* without it the caller could never be answered */
    km_op_tell(&op->op, reply, on_corrected, op);
    op->op.committed = tell_corrected;
    op->op.free = free_correction;
    km_buf_init(&op->payers, KM_PAYERS_BYTES);
    op->store = store;
    op->id = *id;
    op->cost = cost;
    op->reason = km_op_keep(&op->op, reason);
    op->actor = km_op_keep(&op->op, actor);
    op->fn = fn;
    op->ctx = ctx;
    km_writer_submit(store->writer, &op->op);
}
