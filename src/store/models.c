/* SPDX-License-Identifier: Apache-2.0 */
/* models.c - see models.h.
 *
 *     a change --put--> writer: seal, INSERT or UPDATE; or DELETE; audit
 *     start: SELECT, over a connection of its own, in the order in which they were made
 *
 * The key is the one that seals kept answers, made into another one so that neither opens the
 * other's.  A replaced entry keeps its place: the order decides what /v1/models lists first.
 */
#include "store/models.h"

#include "base/crypto.h"
#include "base/time.h"
#include "store/answers.h"
#include "store/audit.h"
#include "store/inside.h"
#include "store/statements.h"
#include "store/writer.h"

#define PURPOSE KM_STR("models")

struct op {
    struct km_op op; /* first: the writer's pointer is ours */
    struct km_store *store;
    struct km_model_row row;
    struct km_audit audit;
    struct km_str sealed; /* while it runs */
    int64_t now_us;
};

/* What lies there. */
struct kept {
    struct km_str id, sealed;
};

enum { PUT, DELETE, LIST };

static const struct km_statement rows[] = {
    [PUT] = { "models.put",
              { "INSERT INTO models (id, created_us, updated_us, sealed) VALUES (?1, ?2, ?2, ?3)"
                " ON CONFLICT (id) DO UPDATE SET updated_us = ?2, sealed = ?3" },
              .in = KM_FIELDS(KM_FIELD(struct op, row.id), KM_FIELD(struct op, now_us),
                              KM_FIELD_AS(struct op, sealed, KM_FIELD_BLOB)) },
    [DELETE] = { "models.delete",
                 { "DELETE FROM models WHERE id = ?1" },
                 .in = KM_FIELDS(KM_FIELD(struct op, row.id)) },
    [LIST] = { "models.list",
               { "SELECT id, sealed FROM models ORDER BY created_us, id" },
               .out = KM_FIELDS(KM_FIELD(struct kept, id),
                                KM_FIELD_AS(struct kept, sealed, KM_FIELD_BLOB)) },
};
const struct km_statements km_models_statements = KM_STATEMENTS(rows);

static struct op *op_of(struct km_op *op)
{
    return (struct op *)(void *)op;
}

static int run_delete(struct km_op *base, struct km_db *db, struct km_apply *apply,
                      struct km_err *err)
{
    const struct op *op = op_of(base);
    int r = km_db_run(db, &rows[DELETE], op, NULL, err);

    return r == 0 ? km_audit_append(km_apply_chain(apply), &op->audit, op->now_us, err) : r;
}

static int run_put(struct km_op *base, struct km_db *db, struct km_apply *apply, struct km_err *err)
{
    struct op *op = op_of(base);
    struct km_buf sealed KM_CLEANUP(km_buf_done) = KM_BUF(KM_MODEL_BYTES + 64);
    uint8_t key[KM_AEAD_KEY_LEN];
    int r = km_answers_key_for(op->store->state_dir, true, PURPOSE, key, err);

    if (r == 0)
        r = km_aead_seal(key, op->row.json, op->row.id, &sealed, err);
    km_wipe(key, sizeof key);
    op->sealed = km_buf_view(&sealed);
    if (r == 0)
        r = km_db_run(db, &rows[PUT], op, NULL, err);
    return r == 0 ? km_audit_append(km_apply_chain(apply), &op->audit, op->now_us, err) : r;
}

void km_store_model_put(struct km_store *store, struct km_mailbox *reply,
                        const struct km_model_row *row, const struct km_audit *audit,
                        km_store_done_fn *done, void *ctx)
{
    const size_t room = row->id.n + row->json.n + km_op_audit_room(audit);
    struct op *op = km_op_new(sizeof *op, room, row->json.n ? run_put : run_delete);

    km_assert(op != NULL); /* without it the caller could never be answered */
    km_op_tell(&op->op, reply, done, ctx);
    op->store = store;
    op->now_us = km_wall_us();
    op->row.id = km_op_keep(&op->op, row->id);
    op->row.json = km_op_keep(&op->op, row->json);
    op->audit = km_op_keep_audit(&op->op, audit);
    km_writer_submit(store->writer, &op->op);
}

static int open_row(const struct kept *kept, const uint8_t key[KM_AEAD_KEY_LEN], km_model_fn *each,
                    void *ctx, size_t *lost, struct km_err *err)
{
    struct km_buf json KM_CLEANUP(km_buf_done) = KM_BUF(KM_MODEL_BYTES + 64);
    struct km_model_row row = { .id = kept->id };
    int r = 0;

    if (km_aead_open(key, kept->sealed, row.id, &json, NULL) < 0) {
        ++*lost;
        return 0;
    }
    row.json = km_buf_view(&json);
    r = each(ctx, &row, err);
    km_wipe(json.p, json.n);
    return r;
}

int km_store_models(struct km_store *store, km_model_fn *each, void *ctx, size_t *ret_lost,
                    struct km_err *err)
{
    struct km_db *db KM_CLEANUP(km_db_done) = NULL;
    struct km_ready *list KM_CLEANUP(km_ready_done) = NULL;
    uint8_t key[KM_AEAD_KEY_LEN];
    struct kept row;
    enum km_row got = KM_ROW_END;
    int r = km_answers_key_for(store->state_dir, false, PURPOSE, key, err);

    *ret_lost = 0;
    if (r < 0 && r != KM_E_NOT_FOUND)
        return r;
    if (r == KM_E_NOT_FOUND) /* then none opens */
        memset(key, 0, sizeof key);
    r = km_store_ask(store, &rows[LIST], NULL, &db, &list, err);
    while (r == 0 && (r = km_ready_next(list, &row, &got, err)) == 0 && got)
        r = open_row(&row, key, each, ctx, ret_lost, err);
    km_wipe(key, sizeof key);
    return r;
}
