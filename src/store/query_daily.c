/* SPDX-License-Identifier: Apache-2.0 */
/* query_daily.c - see daily.h.
 *
 * `daily` has a row a day, payer and route, and its key begins with the day: a range of days is a
 * range of keys, read from its end.  Names are looked up by the numbers that the row has.
 */
#include "store/daily.h"

#include "store/inside.h"
#include "store/payers.h"
#include "store/reader.h"
#include "store/statements.h"
#include "store/writer.h"

struct asked {
    struct km_daily_ask ask;
    struct km_str key; /* empty: any */
};

#define ROW(member) KM_FIELD(struct km_daily_row, member)

static const struct km_statement rows[] = {
    { "daily.rows",
      { "SELECT d.day, i.hash, r.call_type, r.model, r.model_group, r.deployment, r.provider,"
        " coalesce(p.text, ''), k.hash IS NOT NULL, coalesce(k.alias, ''), coalesce(k.user_id, ''),"
        " coalesce(k.team_id, ''), d.calls, d.failed, d.prompt_tokens, d.completion_tokens,"
        " d.cached_tokens, d.cost FROM daily d" KM_PAYER_JOIN("d.key")
        " JOIN routes r ON r.id = d.route LEFT JOIN keys k ON k.hash = i.hash"
        " WHERE d.day >= ?1 AND d.day <= ?2 AND (?3 IS NULL OR i.hash = ?3)"
        " ORDER BY d.day DESC, d.key, d.route" },
      .in = KM_FIELDS(KM_FIELD(struct asked, ask.from_day), KM_FIELD(struct asked, ask.to_day),
                      KM_FIELD_AS(struct asked, key, KM_FIELD_BLOB_NULL)),
      .out = KM_FIELDS(ROW(day), KM_FIELD_AS(struct km_daily_row, hash, KM_FIELD_BLOB),
                       ROW(call_type), ROW(model), ROW(group), ROW(deployment), ROW(provider),
                       ROW(payers), ROW(key_exists), ROW(key_alias), ROW(key_user), ROW(key_team),
                       ROW(calls), ROW(failed), ROW(prompt), ROW(completion), ROW(cached),
                       ROW(cost)) },
};
const struct km_statements km_query_daily_statements = KM_STATEMENTS(rows);

static int run(struct km_db *db, const void *query, struct km_buf *out, struct km_err *err)
{
    struct asked a = { .ask = *(const struct km_daily_ask *)query };
    struct km_ready *list KM_CLEANUP(km_ready_done) = NULL;
    struct km_daily_row row = { 0 };
    enum km_row got = KM_ROW_END;
    int r;

    a.key = km_str((const char *)a.ask.key_hash, a.ask.by_key ? sizeof a.ask.key_hash : 0);
    r = km_db_ask(db, &rows[0], &a, &list, err);
    while (r == 0 && (r = km_ready_next(list, &row, &got, err)) == 0 && got)
        r = a.ask.each(a.ask.ctx, &row, out, err);
    return r == 0 ? a.ask.end(a.ask.ctx, out, err) : r;
}

/* As for /spend/logs: behind what was appended before. */
struct question {
    struct km_op op;
    struct km_store *store;
    struct km_daily_ask ask;
    km_store_json_fn *fn;
    void *ctx;
};

static void on_written(void *ctx, const struct km_err *err)
{
    struct question *q = ctx;

    (void)err; /* a store that cannot be written can still be read */
    km_reader_ask(q->store, q->op.reply, run, &q->ask, sizeof q->ask, q->fn, q->ctx);
}

void km_store_daily(struct km_store *store, struct km_mailbox *reply,
                    const struct km_daily_ask *ask, km_store_json_fn *fn, void *ctx)
{
    struct question *q = km_op_new(sizeof *q, 0, km_op_nothing);

    km_assert(q != NULL); /* without it the caller could never be answered */
    km_op_tell(&q->op, reply, on_written, q);
    q->store = store;
    q->ask = *ask;
    q->fn = fn;
    q->ctx = ctx;
    km_writer_submit(store->writer, &q->op);
}
