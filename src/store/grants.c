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
#include "store/inside.h"
#include "store/statements.h"
#include "store/writer.h"

#define FORGET_MOST "50" /* a put */

struct op {
    struct km_op op; /* first: the writer's pointer is ours */
    struct km_grant grant; /* of a delete: the id alone */
    struct km_audit audit;
    bool audited;
};

enum { PUT, FORGET, DELETE, LIST };

/* The columns in their order. */
#define FIELD(member) KM_FIELD(struct km_grant, member)
#define TWO(member) KM_FIELD_AS(struct km_grant, member, KM_FIELD_BYTES)
#define COLUMNS                                                                                    \
    "id, key_hash, client, redirect, client_name, resource, scope, challenge, code,"               \
    " code_expires_us, code_used, access, access_expires_us, access_before_expires_us, refresh,"   \
    " rotated_us, created_us, expires_us"
#define FIELDS                                                                                     \
    KM_FIELDS(FIELD(id), FIELD(key_hash), FIELD(client), FIELD(redirect), FIELD(client_name),      \
              FIELD(resource), FIELD(scope), FIELD(challenge), FIELD(code),                        \
              FIELD(code_expires_us), FIELD(code_used), TWO(access), FIELD(access_expires_us[0]),  \
              FIELD(access_expires_us[1]), TWO(refresh), FIELD(rotated_us), FIELD(created_us),     \
              FIELD(expires_us))

static const struct km_statement rows[] = {
    [PUT] = { "grants.put",
              { "INSERT OR REPLACE INTO oauth_grants (" COLUMNS ") VALUES"
                " (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,"
                " ?18)" },
              .in = FIELDS },
    [FORGET] = { "grants.forget",
                 { "DELETE FROM oauth_grants WHERE id IN (SELECT id FROM oauth_grants"
                   " WHERE expires_us <= ?1 ORDER BY expires_us LIMIT " FORGET_MOST ")" },
                 .in = KM_NUMBER },
    [DELETE] = { "grants.delete",
                 { "DELETE FROM oauth_grants WHERE id = ?1" },
                 .in = KM_FIELDS(FIELD(id)) },
    [LIST] = { "grants.list",
               { "SELECT " COLUMNS " FROM oauth_grants WHERE expires_us > ?1" },
               .in = KM_NUMBER,
               .out = FIELDS },
};
const struct km_statements km_grants_statements = KM_STATEMENTS(rows);

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

static int run_put(struct km_op *base, struct km_db *db, struct km_apply *apply, struct km_err *err)
{
    struct op *op = op_of(base);
    const int64_t now_us = km_wall_us();
    int r = km_db_run(db, &rows[PUT], &op->grant, NULL, err);

    if (r == 0)
        r = append_audit(op, apply, err);
    return r == 0 ? km_db_run(db, &rows[FORGET], &now_us, NULL, err) : r;
}

void km_store_grant_put(struct km_store *store, struct km_mailbox *reply,
                        const struct km_grant *grant, const struct km_audit *audit,
                        km_store_done_fn *done, void *ctx)
{
    struct op *op = op_new(reply, run_put, audit, done, ctx);

    op->grant = *grant;
    km_writer_submit(store->writer, &op->op);
}

static int run_delete(struct km_op *base, struct km_db *db, struct km_apply *apply,
                      struct km_err *err)
{
    struct op *op = op_of(base);
    int r = km_db_run(db, &rows[DELETE], &op->grant, NULL, err);

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

int km_store_grants(struct km_store *store, km_grant_fn *each, void *ctx, struct km_err *err)
{
    struct km_db *db KM_CLEANUP(km_db_done) = NULL;
    struct km_ready *list KM_CLEANUP(km_ready_done) = NULL;
    const int64_t now_us = km_wall_us();
    struct km_grant g = { 0 };
    enum km_row got = KM_ROW_END;
    int r = km_store_ask(store, &rows[LIST], &now_us, &db, &list, err);

    /* A row that does not read is a log-in that is lost, which costs its owner another. */
    while (r == 0 && (r = km_ready_next(list, &g, &got, err)) == 0 && got)
        if (got == KM_ROW)
            each(ctx, &g);
    return r;
}
