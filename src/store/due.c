/* SPDX-License-Identifier: Apache-2.0 */
/* due.c - see due.h for the contract.
 *
 *     made ──> due ──> look: due again later ──> ... ──> charged ──> settled ──> never
 *
 * The next look is written before one is taken, so a look that ends with the process is taken
 * again.  A charged batch stays due until its settlement is a row: if the process dies between
 * claim and settlement, whoever comes next may take the claim over (objects.c), and somebody
 * must come.  A call's intent may lie with its worker for some milliseconds while its claim is
 * committed: if the process dies then, nothing is known of the call, and its claim goes at the
 * next start.
 */
#include "store/due.h"

#include "base/encode.h"
#include "store/inside.h"
#include "store/reader.h"
#include "store/statements.h"
#include "store/writer.h"

#define INCOMPLETE "(SELECT 1 FROM spend WHERE spend.id = claim AND flags & ?2)"

struct query {
    int64_t now_us, incomplete;
};

/* What lies there. */
struct kept {
    struct km_str owner, id, kind, deployment, model, json; /* owner: in hex */
    int64_t created_us, looks;
    bool settled, charged;
};

struct op {
    struct km_op op; /* first: the writer's pointer is ours */
    int64_t due_us;
    uint8_t owner[32];
    struct km_str id;
};

struct claims {
    uint8_t before[6];
};

enum { NEXT, SET, RELEASE };

#define KEPT(member) KM_FIELD(struct kept, member)

static const struct km_statement rows[] = {
    [NEXT] = { "due.next",
               { "SELECT lower(hex(coalesce((SELECT hash FROM key_heirs WHERE old = owner),"
                 " owner))), id, created_us, looks,"
                 " EXISTS (SELECT 1 FROM spend WHERE spend.id = claim)"
                 " AND NOT EXISTS " INCOMPLETE ","
                 " kind, deployment, model, claim IS NOT NULL AND NOT EXISTS " INCOMPLETE ", json"
                 " FROM objects WHERE due_us <= ?1 ORDER BY due_us LIMIT 1" },
               .in = KM_FIELDS(KM_FIELD(struct query, now_us), KM_FIELD(struct query, incomplete)),
               .out = KM_FIELDS(KEPT(owner), KEPT(id), KEPT(created_us), KEPT(looks), KEPT(settled),
                                KEPT(kind), KEPT(deployment), KEPT(model), KEPT(charged),
                                KEPT(json)) },
    [SET] = { "due.set",
              { "UPDATE objects SET due_us = nullif(?3, 0), looks = looks + 1"
                " WHERE id = ?1 AND " KM_OBJECT_MINE },
              .in = KM_FIELDS(KM_FIELD(struct op, id), KM_FIELD(struct op, owner),
                              KM_FIELD(struct op, due_us)) },
    [RELEASE] = { "due.release",
                  { "UPDATE objects SET claim = NULL WHERE due_us IS NOT NULL"
                    " AND claim < ?1"
                    " AND NOT EXISTS (SELECT 1 FROM spend WHERE spend.id = claim)" },
                  .in = KM_FIELDS(KM_FIELD(struct claims, before)) },
};
const struct km_statements km_due_statements = KM_STATEMENTS(rows);

static void add_line(struct km_buf *out, struct km_str s)
{
    km_buf_str(out, s);
    km_buf_byte(out, '\n');
}

static int run_next(struct km_db *db, const void *asked, struct km_buf *out, struct km_err *err)
{
    struct km_ready *next KM_CLEANUP(km_ready_done) = NULL;
    struct kept row;
    enum km_row got = KM_ROW_END;
    int r = km_db_ask(db, &rows[NEXT], asked, &next, err);

    if (r == 0)
        r = km_ready_next(next, &row, &got, err);
    if (r < 0 || !got)
        return r < 0 ? r : km_fail(err, KM_E_NOT_FOUND, "nothing is due");
    add_line(out, row.owner);
    add_line(out, row.id);
    km_buf_printf(out, "%lld\n%lld\n%d\n", (long long)row.created_us, (long long)row.looks,
                  row.settled);
    add_line(out, row.kind);
    add_line(out, row.deployment);
    add_line(out, row.model);
    add_line(out, row.charged ? KM_STR("1") : KM_STR("0"));
    add_line(out, row.json);
    return 0;
}

void km_store_due_next(struct km_store *store, struct km_mailbox *reply, int64_t now_us,
                       km_store_json_fn *fn, void *ctx)
{
    const struct query q = { now_us, KM_CALL_INCOMPLETE };

    km_reader_ask(store, reply, run_next, &q, sizeof q, fn, ctx);
}

int km_due_read(struct km_str record, struct km_due *ret, struct km_err *err)
{
    struct km_str owner, id, created, looks, settled;
    int64_t created_us, n;
    int r;

    if (!km_str_split(&record, '\n', &owner) || !km_str_split(&record, '\n', &id) ||
        !km_str_split(&record, '\n', &created) || km_str_i64(created, &created_us) < 0 ||
        !km_str_split(&record, '\n', &looks) || km_str_i64(looks, &n) < 0 ||
        !km_str_split(&record, '\n', &settled))
        return km_fail(err, KM_E_STORE, "the record of a batch cannot be read");
    r = km_object_read(record, &ret->object, err);
    if (r == 0 && km_unhex(owner, ret->object.owner, sizeof ret->object.owner) < 0)
        r = km_fail(err, KM_E_STORE, "the owner of a batch cannot be read");
    ret->object.id = id;
    ret->created_us = created_us;
    ret->looks = n;
    ret->settled = km_str_eq(settled, KM_STR("1"));
    return r;
}

/* --- when again --- */

void km_store_due_set(struct km_store *store, struct km_mailbox *reply,
                      const struct km_object *object, int64_t due_us, km_store_done_fn *done,
                      void *ctx)
{
    struct op *op = km_op_new_row(sizeof *op, object->id.n, &rows[SET]);

    km_assert(op != NULL); /* without it the caller could never be answered */
    km_op_tell(&op->op, reply, done, ctx);
    op->due_us = due_us;
    memcpy(op->owner, object->owner, sizeof op->owner);
    op->id = km_op_keep(&op->op, object->id);
    km_writer_submit(store->writer, &op->op);
}

/* --- what the dead held --- */

/* A claim is a UUIDv7: its first six bytes are the milliseconds at which its call began. */
int km_due_release(struct km_db *db, int64_t before_us, struct km_err *err)
{
    uint64_t ms = before_us > 0 ? (uint64_t)before_us / 1000 : UINT64_MAX;
    struct claims claims;

    for (size_t i = 0; i < sizeof claims.before; i++)
        claims.before[i] = (uint8_t)(ms >> (40 - 8 * i));
    return km_db_run(db, &rows[RELEASE], &claims, NULL, err);
}
