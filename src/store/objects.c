/* SPDX-License-Identifier: Apache-2.0 */
/* objects.c - see objects.h for the contract.
 *
 *     loop --put, claim, delete--> writer
 *     loop --get, list-----------> writer (nothing: what came before is committed) --> reader
 *
 * A claim is exact across a crash because the claiming call's intent is in the ledger before it:
 * at the next start an intent without a settlement becomes a row that is marked incomplete, and
 * such a row's claim may be taken over.  A claim without any row is a call that still runs; at a
 * start nothing does, and what it left goes (due.c).
 */
#include "store/objects.h"

#include <stdio.h>
#include "base/time.h"
#include "store/inside.h"
#include "store/ledger.h"
#include "store/reader.h"
#include "store/statements.h"
#include "store/writer.h"

#define PARTS 5
#define KEPT_US (INT64_C(30) * 86400 * 1000000) /* what passes */
#define FORGET_MOST "50" /* a put */
#define MINE KM_OBJECT_MINE

/* What statements are about. */
struct about {
    struct km_str texts[PARTS];
    uint8_t owner[32];
    struct km_uuid call;
    int64_t now_us, limit, incomplete;
};

/* An operation's texts follow it, one behind the other: a reader is given a copy of the whole. */
struct op {
    struct km_op op; /* first: the writer's pointer is ours */
    struct km_store *store;
    uint8_t owner[32];
    struct km_uuid call;
    int64_t limit;
    km_reader_fn *ask; /* of a get or list, and whom it answers */
    km_store_json_fn *fn;
    void *ctx;
    size_t n[PARTS];
    char bytes[];
};

enum { ID, KIND, DEPLOYMENT, MODEL, JSON };
enum { AFTER = DEPLOYMENT, PURPOSE = MODEL };

/* What lies there. */
struct kept {
    struct km_str id, kind, deployment, model, json;
    bool charged;
};

enum { UPDATE, INSERT, FORGET, DELETE, CLAIM, GET, LIST };

#define ABOUT(member) KM_FIELD(struct about, member)
#define KEPT(member) KM_FIELD(struct kept, member)
#define MINE_IS ABOUT(texts[ID]), ABOUT(owner)

static const struct km_statement rows[] = {
    /* Also where it is an older key's that the owner stands for. */
    [UPDATE] = { "objects.update",
                 { "UPDATE objects SET json = ?3 WHERE id = ?1 AND " MINE },
                 .in = KM_FIELDS(MINE_IS, ABOUT(texts[JSON])) },
    [INSERT] = { "objects.insert",
                 { "INSERT INTO objects (id, owner, kind, deployment, model, created_us, json,"
                   " due_us)"
                   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, iif(?3 = 'batch', ?6, NULL))" },
                 .in = KM_FIELDS(MINE_IS, ABOUT(texts[KIND]), ABOUT(texts[DEPLOYMENT]),
                                 ABOUT(texts[MODEL]), ABOUT(now_us), ABOUT(texts[JSON])) },
    /* What answers were made of and nobody deletes. */
    [FORGET] = { "objects.forget",
                 { "DELETE FROM objects WHERE (owner, id) IN (SELECT owner, id FROM objects"
                   " WHERE kind IN ('item', 'audio') AND created_us <= ?1"
                   " ORDER BY created_us LIMIT " FORGET_MOST ")" },
                 .in = KM_NUMBER },
    [DELETE] = { "objects.delete",
                 { "DELETE FROM objects WHERE id = ?1 AND " MINE },
                 .in = KM_FIELDS(MINE_IS) },
    [CLAIM] = { "objects.claim",
                { "UPDATE objects SET claim = ?3 WHERE id = ?1 AND " MINE
                  " AND (claim IS NULL OR EXISTS (SELECT 1 FROM spend"
                  " WHERE spend.id = claim AND flags & ?4))" },
                .in = KM_FIELDS(MINE_IS, ABOUT(call.b), ABOUT(incomplete)) },
    [GET] = { "objects.get",
              { "SELECT kind, deployment, model, claim IS NOT NULL AND NOT EXISTS"
                " (SELECT 1 FROM spend WHERE spend.id = claim AND flags & ?4), json"
                " FROM objects WHERE id = ?1 AND kind = ?3 AND " MINE },
              .in = KM_FIELDS(MINE_IS, ABOUT(texts[KIND]), ABOUT(incomplete)),
              .out = KM_FIELDS(KEPT(kind), KEPT(deployment), KEPT(model), KEPT(charged),
                               KEPT(json)) },
    [LIST] = { "objects.list",
               { "SELECT id, json FROM objects WHERE kind = ?3 AND " MINE
                 " AND (?1 = '' OR (created_us, id) < (SELECT created_us, id FROM objects"
                 " WHERE id = ?1 AND " MINE "))"
                 " AND (?4 = '' OR json_extract(json, '$.purpose') = ?4)"
                 " ORDER BY created_us DESC, id DESC LIMIT ?5" },
               .in = KM_FIELDS(ABOUT(texts[AFTER]), ABOUT(owner), ABOUT(texts[KIND]),
                               ABOUT(texts[PURPOSE]), ABOUT(limit)),
               .out = KM_FIELDS(KEPT(id), KEPT(json)) },
};
const struct km_statements km_objects_statements = KM_STATEMENTS(rows);

static struct op *op_of(struct km_op *op)
{
    return (struct op *)(void *)op;
}

static const struct op *asked(const void *query)
{
    return query;
}

/* limit: one more tells whether there are more. */
static struct about about(const struct op *op)
{
    struct about a = { .call = op->call,
                       .now_us = km_wall_us(),
                       .limit = op->limit + 1,
                       .incomplete = KM_CALL_INCOMPLETE };
    const char *at = op->bytes;

    memcpy(a.owner, op->owner, sizeof a.owner);
    for (size_t i = 0; i < PARTS; at += op->n[i++])
        a.texts[i] = km_str(at, op->n[i]);
    return a;
}

static struct op *op_new(struct km_store *store, struct km_mailbox *reply, km_op_fn *run,
                         const uint8_t owner[32], const struct km_str texts[PARTS])
{
    size_t total = 0;
    struct op *op;

    for (size_t i = 0; i < PARTS; i++)
        total += texts[i].n;
    op = km_op_new(sizeof *op, total, run);
    km_assert(op != NULL); /* without it the caller could never be answered */
    op->op.reply = reply;
    op->store = store;
    memcpy(op->owner, owner, 32);
    for (size_t i = 0; i < PARTS; i++) {
        op->n[i] = texts[i].n;
        (void)km_op_keep(&op->op, texts[i]);
    }
    return op;
}

static struct km_str cut(struct km_str id)
{
    return km_str_sub(id, 0, KM_OBJECT_ID_BYTES + 1);
}

static int no_object(struct km_err *err)
{
    return km_fail(err, KM_E_NOT_FOUND, "there is no such object");
}

/* --- writing --- */

static bool is_passing(struct km_str kind)
{
    return km_str_eq(kind, KM_STR("item")) || km_str_eq(kind, KM_STR("audio"));
}

static int run_put(struct km_op *base, struct km_db *db, struct km_apply *apply, struct km_err *err)
{
    const struct about a = about(op_of(base));
    const int64_t passed_us = a.now_us - KEPT_US;
    int64_t changed = 0;
    int r = km_db_run(db, &rows[UPDATE], &a, &changed, err);

    (void)apply;
    if (r < 0 || changed > 0)
        return r;
    r = km_db_run(db, &rows[INSERT], &a, NULL, err);
    if (r < 0 || !is_passing(a.texts[KIND]))
        return r;
    return km_db_run(db, &rows[FORGET], &passed_us, NULL, err);
}

void km_store_object_put(struct km_store *store, struct km_mailbox *reply,
                         const struct km_object *object, km_store_done_fn *done, void *ctx)
{
    struct km_str json = object->json.n > KM_OBJECT_JSON_BYTES ? KM_STR("{}") : object->json;
    struct op *op = op_new(store, done ? reply : NULL, run_put, object->owner,
                           (struct km_str[]){ cut(object->id), object->kind, object->deployment,
                                              object->model, json });

    op->op.done = done;
    op->op.ctx = ctx;
    km_writer_submit(store->writer, &op->op);
}

static int run_delete(struct km_op *base, struct km_db *db, struct km_apply *apply,
                      struct km_err *err)
{
    const struct about a = about(op_of(base));

    (void)apply;
    return km_db_run(db, &rows[DELETE], &a, NULL, err);
}

void km_store_object_delete(struct km_store *store, struct km_mailbox *reply, struct km_str id,
                            const uint8_t owner[32], km_store_done_fn *done, void *ctx)
{
    struct op *op =
        op_new(store, done ? reply : NULL, run_delete, owner, (struct km_str[PARTS]){ cut(id) });

    op->op.done = done;
    op->op.ctx = ctx;
    km_writer_submit(store->writer, &op->op);
}

static int run_claim(struct km_op *base, struct km_db *db, struct km_apply *apply,
                     struct km_err *err)
{
    const struct about a = about(op_of(base));
    int64_t changed = 0;
    int r = km_db_run(db, &rows[CLAIM], &a, &changed, err);

    (void)apply;
    return r == 0 && changed == 0 ? km_fail(err, KM_E_EXISTS, "another call charges it, or did")
                                  : r;
}

void km_store_object_claim(struct km_store *store, struct km_mailbox *reply, struct km_str id,
                           const uint8_t owner[32], const struct km_uuid *call,
                           km_store_done_fn *done, void *ctx)
{
    struct op *op = op_new(store, reply, run_claim, owner, (struct km_str[PARTS]){ cut(id) });

    op->call = *call;
    op->op.done = done;
    op->op.ctx = ctx;
    km_writer_submit(store->writer, &op->op);
}

/* --- reading --- */

static void add_line(struct km_buf *out, struct km_str s)
{
    km_buf_str(out, s);
    km_buf_byte(out, '\n');
}

static int run_get(struct km_db *db, const void *query, struct km_buf *out, struct km_err *err)
{
    const struct about a = about(asked(query));
    struct km_ready *get KM_CLEANUP(km_ready_done) = NULL;
    struct kept row;
    enum km_row got = KM_ROW_END;
    int r = km_db_ask(db, &rows[GET], &a, &get, err);

    if (r == 0)
        r = km_ready_next(get, &row, &got, err);
    if (r < 0 || !got)
        return r < 0 ? r : no_object(err);
    add_line(out, row.kind);
    add_line(out, row.deployment);
    add_line(out, row.model);
    add_line(out, row.charged ? KM_STR("1") : KM_STR("0"));
    add_line(out, row.json);
    return 0;
}

int km_object_read(struct km_str record, struct km_object *ret, struct km_err *err)
{
    struct km_str charged;

    *ret = (struct km_object){ 0 };
    if (!km_str_split(&record, '\n', &ret->kind) ||
        !km_str_split(&record, '\n', &ret->deployment) ||
        !km_str_split(&record, '\n', &ret->model) || !km_str_split(&record, '\n', &charged))
        return km_fail(err, KM_E_STORE, "the record of an object cannot be read");
    ret->charged = km_str_eq(charged, KM_STR("1"));
    ret->json = km_str_sub(record, 0, record.n ? record.n - 1 : 0);
    return 0;
}

static int run_list(struct km_db *db, const void *query, struct km_buf *out, struct km_err *err)
{
    const struct about a = about(asked(query));
    struct km_ready *list KM_CLEANUP(km_ready_done) = NULL;
    struct km_buf first KM_CLEANUP(km_buf_done) = KM_BUF(KM_OBJECT_ID_BYTES * 8);
    struct km_buf last KM_CLEANUP(km_buf_done) = KM_BUF(KM_OBJECT_ID_BYTES * 8);
    struct kept row;
    int64_t shown = 0;
    enum km_row got = KM_ROW_END;
    int r = km_db_ask(db, &rows[LIST], &a, &list, err);

    if (r < 0)
        return r;
    km_buf_str(out, KM_STR("{\"object\":\"list\",\"data\":["));
    while ((r = km_ready_next(list, &row, &got, err)) == 0 && got && shown < a.limit - 1) {
        if (shown++)
            km_buf_byte(out, ',');
        km_buf_str(out, row.json);
        km_buf_reset(&last);
        km_buf_json(&last, row.id);
        if (shown == 1)
            km_buf_str(&first, km_buf_view(&last));
    }
    km_buf_printf(out, "],\"first_id\":%.*s,\"last_id\":%.*s,\"has_more\":%s}",
                  KM_STR_ARG(shown ? km_buf_view(&first) : KM_STR("null")),
                  KM_STR_ARG(shown ? km_buf_view(&last) : KM_STR("null")), got ? "true" : "false");
    return r;
}

/* A store that cannot be written can still be read. */
static void on_written(void *ctx, const struct km_err *err)
{
    struct op *op = ctx;
    size_t total = 0;

    (void)err;
    for (size_t i = 0; i < PARTS; i++)
        total += op->n[i];
    km_reader_ask(op->store, op->op.reply, op->ask, op, sizeof *op + total, op->fn, op->ctx);
}

static void ask_behind(struct op *op, km_reader_fn *ask, km_store_json_fn *fn, void *ctx)
{
    op->ask = ask;
    op->fn = fn;
    op->ctx = ctx;
    op->op.done = on_written;
    op->op.ctx = op;
    km_writer_submit(op->store->writer, &op->op);
}

void km_store_object_get(struct km_store *store, struct km_mailbox *reply, struct km_str kind,
                         struct km_str id, const uint8_t owner[32], km_store_json_fn *fn, void *ctx)
{
    ask_behind(op_new(store, reply, km_op_nothing, owner,
                      (struct km_str[PARTS]){ [ID] = cut(id), [KIND] = kind }),
               run_get, fn, ctx);
}

void km_store_object_list(struct km_store *store, struct km_mailbox *reply, struct km_str kind,
                          struct km_str after, struct km_str purpose, int64_t limit,
                          const uint8_t owner[32], km_store_json_fn *fn, void *ctx)
{
    struct op *op = op_new(
        store, reply, km_op_nothing, owner,
        (struct km_str[PARTS]){ [KIND] = kind, [AFTER] = cut(after), [PURPOSE] = cut(purpose) });

    op->limit = limit > 0 && limit < KM_OBJECTS_LIST_MOST ? limit : KM_OBJECTS_LIST_MOST;
    ask_behind(op, run_list, fn, ctx);
}
