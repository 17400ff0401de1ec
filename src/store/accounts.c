/* SPDX-License-Identifier: Apache-2.0 */
/* accounts.c - see accounts.h.  The rows of accounts, written and read.
 *
 *     main thread --put, delete--> writer: one statement of all columns, its audit record
 *     start: SELECT, as keys are read
 *
 * The statements are made of the list of columns, so that none can be left out.  Deleting takes
 * along what is nothing without it: who is a member of a team that is gone is no member any more.
 */
#include "store/accounts.h"

#include <stdlib.h>

#include "base/time.h"
#include "store/ahead.h"
#include "store/inside.h"
#include "store/key_row.h"
#include "store/op.h"
#include "store/statements.h"
#include "store/writer.h"

/* A row as statements bind and read it: lists are texts there. */
struct bound {
    struct km_account_row row;
    struct km_str models;
};

struct op {
    struct km_op op; /* first: the writer's pointer is ours */
    struct km_audit audit;
    struct km_account_row *row; /* of put */
    bool insert;
    int64_t now_us;
    struct km_account_row gone; /* of delete: its names */
    unsigned member; /* enum km_account_kind: of those that go along; they are `of` it */
    unsigned member_by_id; /* the same, by their id */
};

enum { INSERT, UPDATE, DELETE, DELETE_OF, DELETE_BY, LIST };

#define NAME(member, ...) #member ", "
#define HOLE(...) "?, "
#define CHANGE(member, ...) #member " = ?, "
#define TEXT_FIELD(member) KM_FIELD(struct bound, row.member)
#define OBJECT_FIELD TEXT_FIELD
#define EXTRA_FIELD TEXT_FIELD
#define COUNT_FIELD TEXT_FIELD
#define MONEY_FIELD TEXT_FIELD
#define FLAG_FIELD TEXT_FIELD
#define TIME_FIELD TEXT_FIELD
#define SECONDS_FIELD TEXT_FIELD
#define LIST_FIELD(member) KM_FIELD(struct bound, member)
#define FIELD(member, kind, ...) kind##_FIELD(member),
#define NAMED TEXT_FIELD(kind), TEXT_FIELD(id), TEXT_FIELD(of)
#define GONE(member) KM_FIELD(struct op, member)

static const struct km_statement rows[] = {
    [INSERT] = { "accounts.insert",
                 { "INSERT INTO accounts (" KM_ACCOUNT_COLUMNS(NAME) "kind, id, of) VALUES ("
                   KM_ACCOUNT_COLUMNS(HOLE) "?, ?, ?) ON CONFLICT DO NOTHING" },
                 .in = KM_FIELDS(KM_ACCOUNT_COLUMNS(FIELD) NAMED) },
    [UPDATE] = { "accounts.update",
                 { "UPDATE accounts SET " KM_ACCOUNT_COLUMNS(CHANGE)
                   "kind = kind WHERE kind = ? AND id = ? AND of = ?" },
                 .in = KM_FIELDS(KM_ACCOUNT_COLUMNS(FIELD) NAMED) },
    [DELETE] = { "accounts.delete",
                 { "DELETE FROM accounts WHERE kind = ?1 AND id = ?2 AND of = ?3" },
                 .in = KM_FIELDS(GONE(gone.kind), GONE(gone.id), GONE(gone.of)) },
    [DELETE_OF] = { "accounts.delete_members",
                    { "DELETE FROM accounts WHERE kind = ?1 AND of = ?2" },
                    .in = KM_FIELDS(GONE(member), GONE(gone.id)) },
    [DELETE_BY] = { "accounts.delete_memberships",
                    { "DELETE FROM accounts WHERE kind IN (?1, ?2) AND id = ?3" },
                    .in = KM_FIELDS(GONE(member), GONE(member_by_id), GONE(gone.id)) },
    [LIST] = { "accounts.list",
               { "SELECT " KM_ACCOUNT_COLUMNS(NAME) "kind, id, of FROM accounts"
                 " ORDER BY kind, id, of" },
               .out = KM_FIELDS(KM_ACCOUNT_COLUMNS(FIELD) NAMED) },
};
const struct km_statements km_accounts_statements = KM_STATEMENTS(rows);

static struct op *op_of(struct km_op *op)
{
    return (struct op *)(void *)op;
}

static void op_free(struct km_op *base)
{
    free(op_of(base)->row);
    km_op_free(base);
}

static struct op *op_new(struct km_mailbox *reply, km_op_fn *run, size_t texts,
                         const struct km_audit *audit, km_store_done_fn *done, void *ctx)
{
    struct op *op = km_op_new(sizeof *op, texts + km_op_audit_room(audit), run);

    km_assert(op != NULL); /* without it the caller could never be answered */
    op->op.free = op_free;
    km_op_tell(&op->op, reply, done, ctx);
    op->now_us = km_wall_us();
    op->audit = km_op_keep_audit(&op->op, audit);
    return op;
}

static int run_put(struct km_op *base, struct km_db *db, struct km_apply *apply, struct km_err *err)
{
    const struct op *op = op_of(base);
    struct km_buf models KM_CLEANUP(km_buf_done) = KM_BUF(1u << 20);
    struct bound bound = { .row = *op->row };
    const char *what = km_account_words[op->row->kind].kind;
    int64_t changed = 0;
    int r;

    km_buf_json_list(&models, op->row->models.v, op->row->models.n);
    if (km_buf_failed(&models))
        return km_fail_param(err, KM_E_LIMIT, "models", "the list of models is too long");
    bound.models = km_buf_view(&models);
    r = km_db_run(db, &rows[op->insert ? INSERT : UPDATE], &bound, &changed, err);
    if (r == 0 && changed == 0)
        r = op->insert ? km_fail(err, KM_E_EXISTS, "this %s exists already", what)
                       : km_fail(err, KM_E_NOT_FOUND, "this %s does not exist any more", what);
    return r == 0 ? km_audit_append(km_apply_chain(apply), &op->audit, op->now_us, err) : r;
}

void km_store_account_put(struct km_store *store, struct km_mailbox *reply,
                          const struct km_account_row *row, bool insert,
                          const struct km_audit *audit, km_store_done_fn *done, void *ctx)
{
    struct op *op = op_new(reply, run_put, 0, audit, done, ctx);

    op->row = km_account_row_new(row);
    km_assert(op->row != NULL);
    op->insert = insert;
    km_writer_submit(store->writer, &op->op);
}

static int run_delete(struct km_op *base, struct km_db *db, struct km_apply *apply,
                      struct km_err *err)
{
    const struct op *op = op_of(base);
    int64_t changed = 0;
    int r = km_db_run(db, &rows[DELETE], op, &changed, err);

    if (r == 0 && changed == 0)
        r = km_fail(err, KM_E_NOT_FOUND, "this %s does not exist",
                    km_account_words[op->gone.kind].kind);
    if (r == 0 && op->member)
        r = km_db_run(db, &rows[op->member_by_id ? DELETE_BY : DELETE_OF], op, NULL, err);
    return r == 0 ? km_audit_append(km_apply_chain(apply), &op->audit, op->now_us, err) : r;
}

void km_store_account_delete(struct km_store *store, struct km_mailbox *reply,
                             enum km_account_kind kind, struct km_str id, struct km_str of,
                             const struct km_audit *audit, km_store_done_fn *done, void *ctx)
{
    struct op *op = op_new(reply, run_delete, id.n + of.n, audit, done, ctx);

    op->gone.kind = kind;
    op->gone.id = km_op_keep(&op->op, id);
    op->gone.of = km_op_keep(&op->op, of);
    if (kind == KM_ACCOUNT_TEAM || kind == KM_ACCOUNT_USER)
        op->member = KM_ACCOUNT_MEMBER;
    if (kind == KM_ACCOUNT_ORGANIZATION)
        op->member = KM_ACCOUNT_ORG_MEMBER;
    if (kind == KM_ACCOUNT_USER)
        op->member_by_id = KM_ACCOUNT_ORG_MEMBER;
    km_writer_submit(store->writer, &op->op);
}

static int each_account(struct bound *bound, enum km_row got, km_account_row_fn *each, void *ctx,
                        struct km_err *err)
{
    struct km_account_row *row = &bound->row;
    struct km_str *models = NULL;

    if (row->kind <= KM_ACCOUNT_NONE || row->kind >= KM_ACCOUNT_KINDS)
        return 0; /* of a newer program, which this one took the place of */
    if (got == KM_ROW_TORN || km_key_models_parse(bound->models, &models, &row->models.n) < 0)
        return km_fail(err, KM_E_STORE, "store: the %s '%.*s' does not read: restore a backup",
                       km_account_words[row->kind].kind, KM_STR_ARG(row->id));
    row->models.v = models;
    each(ctx, row);
    free(models);
    return 0;
}

int km_store_accounts(struct km_store *store, km_account_row_fn *each, void *ctx,
                      struct km_err *err)
{
    struct km_db *db KM_CLEANUP(km_db_done) = NULL;
    struct km_ready *list KM_CLEANUP(km_ready_done) = NULL;
    struct bound bound = { 0 };
    enum km_row got = KM_ROW_END;
    int r = km_ahead_ask(store, &rows[LIST], &db, &list, err);

    while (r == 0 && (r = km_ready_next(list, &bound, &got, err)) == 0 && got)
        r = each_account(&bound, got, each, ctx, err);
    return r;
}
