/* SPDX-License-Identifier: Apache-2.0 */
/* holds.c - see holds.h.  Holds as they are loaded, shown and released; incomplete.c makes them.
 *
 * A hold is a row of the call's id.  Who counts it is the key whose books the call goes to now, so
 * a key with a new secret still has it, and with a key it goes (ops.c).  What is over is told to
 * nobody, though its row may lie there a minute longer.
 *
 * A release is one operation: the rows are read, deleted and recorded in one transaction, and
 * memory hears of those very rows.
 */
#include "store/holds.h"

#include "base/encode.h"
#include "base/money.h"
#include "base/time.h"
#include "store/ahead.h"
#include "store/inside.h"
#include "store/payers.h"
#include "store/reader.h"
#include "store/statements.h"
#include "store/windows.h"
#include "store/writer.h"

/* What statements are about; NULL: any. */
struct which {
    struct km_str id, key;
    int64_t now_us;
};

/* A hold, with the names of its call. */
struct shown {
    struct km_spend_hold hold;
    struct km_str alias, model, group, deployment;
};

enum { LOAD, LIST, FIND, DELETE };

#define WHICH                                                                                      \
    KM_FIELDS(KM_FIELD_AS(struct which, id, KM_FIELD_BLOB_NULL),                                   \
              KM_FIELD_AS(struct which, key, KM_FIELD_BLOB_NULL), KM_FIELD(struct which, now_us))
#define HOLD(T, at)                                                                                \
    KM_FIELD(T, at id.b), KM_FIELD(T, at payer.hash), KM_FIELD(T, at payer.heir),                  \
        KM_FIELD(T, at payer.text), KM_FIELD(T, at amount), KM_FIELD(T, at made_us),               \
        KM_FIELD(T, at until_us)
#define NOTHING
#define COLUMNS                                                                                    \
    "h.id, i.hash, " KM_KEY_HEIR("i.hash") ", coalesce(p.text, ''), h.amount, h.made_us, h.until_us"
#define FROM " FROM holds h" KM_PAYER_JOIN("h.key")
#define MATCHES                                                                                    \
    " (?1 IS NULL OR h.id = ?1) AND (?2 IS NULL OR " KM_KEY_HEIR("i.hash") " = ?2)"                \
    " AND h.until_us > ?3"

static const struct km_statement rows[] = {
    [LOAD] = { "holds.load",
               { "SELECT " COLUMNS FROM },
               .out = KM_FIELDS(HOLD(struct km_spend_hold, NOTHING)) },
    [LIST] = { "holds.list",
               { "SELECT " COLUMNS ", coalesce(k.alias, ''), r.model, r.model_group, r.deployment"
                 FROM " JOIN routes r ON r.id = h.route"
                 " LEFT JOIN keys k ON k.hash = " KM_KEY_HEIR("i.hash")
                 " WHERE h.until_us > ?1 ORDER BY h.made_us, h.id" },
               .in = KM_NUMBER,
               .out = KM_FIELDS(HOLD(struct shown, hold.), KM_FIELD(struct shown, alias),
                                KM_FIELD(struct shown, model), KM_FIELD(struct shown, group),
                                KM_FIELD(struct shown, deployment)) },
    [FIND] = { "holds.find",
               { "SELECT " COLUMNS FROM " WHERE" MATCHES " ORDER BY h.id" },
               .in = WHICH,
               .out = KM_FIELDS(HOLD(struct km_spend_hold, NOTHING)) },
    [DELETE] = { "holds.delete",
                 { "DELETE FROM holds WHERE id IN (SELECT h.id" FROM " WHERE" MATCHES ")" },
                 .in = WHICH },
};
const struct km_statements km_holds_statements = KM_STATEMENTS(rows);

int km_store_holds(struct km_store *store, km_spend_hold_fn *each, void *ctx, struct km_err *err)
{
    struct km_db *db KM_CLEANUP(km_db_done) = NULL;
    struct km_ready *list KM_CLEANUP(km_ready_done) = NULL;
    struct km_spend_hold hold;
    const int64_t now_us = km_wall_us();
    enum km_row got = KM_ROW_END;
    int r = km_ahead_ask(store, &rows[LOAD], &db, &list, err);

    while (r == 0 && (r = km_ready_next(list, &hold, &got, err)) == 0 && got)
        if (got == KM_ROW && hold.until_us > now_us)
            each(ctx, &hold);
    return r;
}

/* --- shown --- */

static void add_money(struct km_buf *out, int64_t nanousd)
{
    char text[KM_MONEY_LEN];

    km_money_text(nanousd, text);
    km_buf_str(out, km_str_c(text));
}

static void add_text(struct km_buf *out, const char *name, struct km_str v)
{
    km_buf_printf(out, "\"%s\":", name);
    km_buf_json(out, v);
    km_buf_byte(out, ',');
}

static void add_shown(struct km_buf *out, const struct shown *s)
{
    char id[KM_UUID_LEN + 1], hash[65], made[KM_TIME_ISO_LEN + 1], until[KM_TIME_ISO_LEN + 1];

    km_uuid_text(&s->hold.id, id);
    km_hex(hash, s->hold.payer.heir, 32);
    km_time_iso(s->hold.made_us, made);
    km_time_iso(s->hold.until_us, until);
    km_buf_printf(out, "{\"request_id\":\"%s\",\"api_key\":\"%s\",", id, hash);
    add_text(out, "key_alias", s->alias);
    add_text(out, "model", s->model);
    add_text(out, "model_group", s->group);
    add_text(out, "model_id", s->deployment);
    km_buf_str(out, KM_STR("\"amount\":"));
    add_money(out, s->hold.amount);
    km_buf_printf(out, ",\"made_at\":\"%s\",\"until\":\"%s\"}", made, until);
}

static int run_list(struct km_db *db, const void *query, struct km_buf *out, struct km_err *err)
{
    struct km_ready *list KM_CLEANUP(km_ready_done) = NULL;
    const int64_t now_us = km_wall_us();
    struct shown s;
    enum km_row got = KM_ROW_END;
    int64_t all = 0;
    int r = km_db_ask(db, &rows[LIST], &now_us, &list, err);

    (void)query;
    if (r < 0)
        return r;
    km_buf_str(out, KM_STR("{\"holds\":["));
    for (bool first = true; (r = km_ready_next(list, &s, &got, err)) == 0 && got; first = false) {
        if (!first)
            km_buf_byte(out, ',');
        add_shown(out, &s);
        all += s.hold.amount;
    }
    km_buf_str(out, KM_STR("],\"amount\":"));
    add_money(out, all);
    km_buf_byte(out, '}');
    return r;
}

/* One that only waits: what came before it is committed when it is answered. */
struct question {
    struct km_op op; /* first: the writer's pointer is ours */
    struct km_store *store;
    km_store_json_fn *fn;
    void *ctx;
};

/* A store that cannot be written can still be read. */
static void on_written(void *ctx, const struct km_err *err)
{
    const struct question *q = ctx;

    (void)err;
    km_reader_ask(q->store, q->op.reply, run_list, NULL, 0, q->fn, q->ctx);
}

void km_store_holds_list(struct km_store *store, struct km_mailbox *reply, km_store_json_fn *fn,
                         void *ctx)
{
    struct question *q = km_op_new(sizeof *q, 0, km_op_nothing);

    km_assert(q != NULL); /* without it the caller could never be answered */
    km_op_tell(&q->op, reply, on_written, q);
    q->store = store;
    q->fn = fn;
    q->ctx = ctx;
    km_writer_submit(store->writer, &q->op);
}

/* --- released --- */

struct release {
    struct km_op op; /* first: the writer's pointer is ours */
    struct km_store *store;
    struct km_spend_hold_which which;
    struct km_str actor, target;
    km_store_json_fn *fn;
    void *ctx;
    struct km_buf found; /* struct km_spend_hold, one behind the other */
    int64_t n, amount;
};

static struct release *release_of(struct km_op *op)
{
    return (struct release *)(void *)op;
}

static void release_free(struct km_op *op)
{
    km_buf_done(&release_of(op)->found);
    km_op_free(op);
}

static int find(struct release *d, struct km_db *db, const struct which *which, struct km_err *err)
{
    struct km_ready *found KM_CLEANUP(km_ready_done) = NULL;
    struct km_spend_hold hold;
    enum km_row got = KM_ROW_END;
    int r = km_db_ask(db, &rows[FIND], which, &found, err);

    while (r == 0 && (r = km_ready_next(found, &hold, &got, err)) == 0 && got) {
        hold.payer.text = KM_STR_NONE; /* it ends by its id, wherever it is */
        km_buf_bytes(&d->found, (const char *)&hold, sizeof hold);
        d->amount += hold.amount;
        d->n++;
    }
    if (r == 0 && km_buf_failed(&d->found))
        r = km_fail(err, KM_E_NOMEM, "store: out of memory");
    return r;
}

static void say(const struct release *d, struct km_buf *out)
{
    km_buf_printf(out, "{\"released\":%lld,\"amount\":", (long long)d->n);
    add_money(out, d->amount);
    km_buf_byte(out, '}');
}

static int run_release(struct km_op *op, struct km_db *db, struct km_apply *apply,
                       struct km_err *err)
{
    struct release *d = release_of(op);
    const struct which which = {
        .id = km_str((const char *)d->which.id.b, d->which.by_id ? sizeof d->which.id.b : 0),
        .key = km_str((const char *)d->which.key_hash, d->which.by_key ? 32 : 0),
        .now_us = km_wall_us(),
    };
    struct km_buf detail KM_CLEANUP(km_buf_done) = KM_BUF(256);
    struct km_audit audit = { .actor = d->actor,
                              .action = KM_STR("spend.release"),
                              .target = d->target };
    int r = find(d, db, &which, err);

    if (r == 0 && d->n == 0 && d->which.by_id)
        return km_fail(err, KM_E_NOT_FOUND, "Nothing is held of this call.");
    if (r == 0)
        r = km_db_run(db, &rows[DELETE], &which, NULL, err);
    if (r < 0)
        return r;
    say(d, &detail);
    audit.detail = km_buf_view(&detail);
    return km_audit_append(km_apply_chain(apply), &audit, which.now_us, err);
}

static void tell_released(struct km_op *op)
{
    struct release *d = release_of(op);
    const struct km_store_books *books = d->store->books;

    for (size_t at = 0; books && at < d->found.n; at += sizeof(struct km_spend_hold)) {
        struct km_spend_hold hold;

        memcpy(&hold, d->found.p + at, sizeof hold);
        books->released(books->ctx, &hold);
    }
}

static void on_released(void *ctx, const struct km_err *err)
{
    struct release *d = ctx;
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(256);

    say(d, &out);
    d->fn(d->ctx, err ? KM_STR_NONE : km_buf_view(&out), err);
}

void km_store_holds_release(struct km_store *store, struct km_mailbox *reply,
                            const struct km_spend_hold_which *which, struct km_str actor,
                            struct km_str target, km_store_json_fn *fn, void *ctx)
{
    struct release *d = km_op_new(sizeof *d, actor.n + target.n, run_release);

    km_assert(d != NULL); /* without it the caller could never be answered */
    km_op_tell(&d->op, reply, on_released, d);
    d->op.free = release_free;
    d->op.committed = tell_released;
    d->store = store;
    d->which = *which;
    d->actor = km_op_keep(&d->op, actor);
    d->target = km_op_keep(&d->op, target);
    d->fn = fn;
    d->ctx = ctx;
    km_buf_init(&d->found, 64u << 20);
    km_writer_submit(store->writer, &d->op);
}
