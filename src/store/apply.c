/* SPDX-License-Identifier: Apache-2.0 */
/* apply.c - see apply.h for the contract.
 *
 * The cost of the whole ledger is decided here, so a record takes the shortest way there is:
 * two look-ups in memory (key and route to their numbers), a place in the batch; one INSERT for
 * the whole batch; a few additions in memory.  Roll-ups and the spend of keys are written once
 * a commit.
 *
 * Nothing is counted twice: the call's id is the primary key of `spend`, and only a row that
 * was put there adds to the sums.  A record that comes again (a retried commit, a hand-over
 * that sent it twice, a settlement of a call already charged as incomplete) changes nothing.
 * A batch tells only how many of its rows were new; in the rare case that it was not all of
 * them, it is undone and its rows are written one by one.
 */
#include "store/apply.h"

#include <stdlib.h>

#include "base/time.h"
#include "store/audit.h"
#include "store/batch.h"
#include "store/dict.h"
#include "store/payers.h"
#include "store/statements.h"
#include "store/windows.h"

#define KEYS_KEPT 16384
#define ROUTES_KEPT 4096
#define MOST_SUM ((int64_t)1 << 61) /* of one commit, one row */
#define DAY_US (86400 * (int64_t)1000000)

enum {
    MARK,
    MARK_GONE,
    BACK_TO_MARK,
    INSERT_SPEND,
    INSERT_ATTEMPTS,
    INSERT_OPEN,
    UPDATE_OPEN,
    DELETE_OPEN,
    DELETE_INTENT,
    FIND_KEY,
    INSERT_KEY,
    FIND_ROUTE,
    INSERT_ROUTE,
    ADD_DAILY,
    ADD_SPEND,
    ADD_WINDOW,
    STATEMENTS,
    ANY_INTENT = STATEMENTS, /* not kept ready */
    ROWS
};

#define ROUTE_COLUMNS "call_type, model_group, model, deployment, provider, api_base"

/* A key's number, and what was spent in the window with this end, or in the current one. */
struct key {
    int64_t id, end_us, spend;
};

struct route {
    struct km_str names[KM_RECORD_ROUTE_STRINGS];
};

/* A later state of an open call. */
struct progress {
    struct km_uuid id;
    int64_t route, reserved, key; /* who pays may be others than at first */
    struct km_str state, texts;
};

struct attempts {
    struct km_uuid id;
    struct km_str json;
};

#define HASH KM_FIELDS({ KM_FIELD_BYTES, 0, 32 })
#define PROGRESS(member) KM_FIELD(struct progress, member)
#define HEIR(hash) KM_KEY_HEIR(hash)
#define NAMES(T, at)                                                                               \
    KM_FIELD(T, at names[KM_RECORD_CALL_TYPE]), KM_FIELD(T, at names[KM_RECORD_MODEL_GROUP]),      \
        KM_FIELD(T, at names[KM_RECORD_MODEL]), KM_FIELD(T, at names[KM_RECORD_DEPLOYMENT]),       \
        KM_FIELD(T, at names[KM_RECORD_PROVIDER]), KM_FIELD(T, at names[KM_RECORD_API_BASE])
#define NOTHING

static const struct km_statement rows[ROWS] = {
    [MARK] = { .name = "ledger.mark", .sql = { "SAVEPOINT batch" } },
    [MARK_GONE] = { .name = "ledger.mark_gone", .sql = { "RELEASE batch" } },
    [BACK_TO_MARK] = { .name = "ledger.back_to_mark", .sql = { "ROLLBACK TO batch" } },
    /* `WHERE true`: SQLite's grammar needs it before ON CONFLICT. */
    [INSERT_SPEND] = { .name = "ledger.insert_spend",
                       .sql = { "INSERT INTO spend SELECT * FROM spend_rows WHERE true"
                         " ON CONFLICT DO NOTHING" } },
    [INSERT_ATTEMPTS] = { "ledger.insert_attempts",
                          { "INSERT INTO spend_attempts (id, attempts) VALUES (?1, ?2)"
                            " ON CONFLICT DO NOTHING" },
                          .in = KM_FIELDS(KM_FIELD(struct attempts, id.b),
                                          KM_FIELD(struct attempts, json)) },
    [INSERT_OPEN] = { .name = "ledger.insert_open",
                      .sql = { "INSERT INTO open_calls SELECT * FROM open_rows WHERE true"
                        " ON CONFLICT DO NOTHING" } },
    [UPDATE_OPEN] = { "ledger.update_open",
                      { "UPDATE open_calls SET route = ?2, reserved = ?3, state = ?4, texts = ?5,"
                        " key = ?6 WHERE id = ?1" },
                      .in = KM_FIELDS(PROGRESS(id.b), PROGRESS(route), PROGRESS(reserved),
                                      KM_FIELD_AS(struct progress, state, KM_FIELD_BLOB),
                                      KM_FIELD_AS(struct progress, texts, KM_FIELD_BLOB_NULL),
                                      PROGRESS(key)) },
    [DELETE_OPEN] = { "ledger.delete_open",
                      { "DELETE FROM open_calls WHERE id = ?1" },
                      .in = KM_FIELDS(KM_FIELD(struct km_record, id.b)) },
    [DELETE_INTENT] = { "ledger.delete_intent",
                        { "DELETE FROM intents WHERE id = ?1" },
                        .in = KM_FIELDS(KM_FIELD(struct km_record, id.b)) },
    [FIND_KEY] = { "ledger.find_key",
                   { "SELECT i.id, coalesce(k.budget_duration_s, 0),"
                     " coalesce(k.budget_reset_us, 0),"
                     " coalesce(k.window_us, 0) FROM key_ids i LEFT JOIN keys k"
                     " ON k.hash = " HEIR("i.hash") " WHERE i.hash = ?1" },
                   .in = HASH,
                   .out = KM_FIELDS(KM_FIELD(struct km_dict_value, id),
                                    KM_FIELD(struct km_dict_value, length_s),
                                    KM_FIELD(struct km_dict_value, end_us),
                                    KM_FIELD(struct km_dict_value, window_us)) },
    [INSERT_KEY] = { "ledger.insert_key",
                     { "INSERT INTO key_ids (hash) VALUES (?1)" },
                     .in = HASH },
    [FIND_ROUTE] = { "ledger.find_route",
                     { "SELECT id FROM routes WHERE call_type = ?1 AND model_group = ?2"
                       " AND model = ?3 AND deployment = ?4 AND provider = ?5 AND api_base = ?6" },
                     .in = KM_FIELDS(NAMES(struct route, NOTHING)),
                     .out = KM_FIELDS(KM_FIELD(struct km_dict_value, id)) },
    [INSERT_ROUTE] = { "ledger.insert_route",
                       { "INSERT INTO routes (" ROUTE_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6)" },
                       .in = KM_FIELDS(NAMES(struct route, NOTHING)) },
    [ADD_DAILY] = { .name = "ledger.add_daily",
                    .sql = { "INSERT INTO daily SELECT * FROM daily_rows WHERE true"
                      " ON CONFLICT DO UPDATE SET calls = calls + excluded.calls,"
                      " failed = failed + excluded.failed,"
                      " prompt_tokens = min(prompt_tokens, 1 << 61) + excluded.prompt_tokens,"
                      " completion_tokens = min(completion_tokens, 1 << 61)"
                      " + excluded.completion_tokens,"
                      " cached_tokens = min(cached_tokens, 1 << 61) + excluded.cached_tokens,"
                      " cost = min(cost, 1 << 61) + excluded.cost" } },
    [ADD_SPEND] = { "ledger.add_spend",
                    { "UPDATE keys SET spend = min(spend, 1 << 61) + ?2"
                      " WHERE hash = (SELECT " HEIR("i.hash") " FROM (SELECT ?1 AS n)"
                      KM_PAYER_JOIN("n") ")" },
                    .in = KM_FIELDS(KM_FIELD(struct key, id), KM_FIELD(struct key, spend)) },
    [ADD_WINDOW] = { "ledger.add_window",
                     { "INSERT INTO budget_windows (hash, end_us, spend) SELECT k.hash, ?2, ?3"
                       " FROM (SELECT ?1 AS n)" KM_PAYER_JOIN("n")
                       " JOIN keys k ON k.hash = " HEIR("i.hash") " WHERE true"
                       " ON CONFLICT DO UPDATE SET spend = min(spend, 1 << 61) + excluded.spend" },
                     .in = KM_FIELDS(KM_FIELD(struct key, id), KM_FIELD(struct key, end_us),
                                     KM_FIELD(struct key, spend)) },
    [ANY_INTENT] = { "ledger.any_intent",
                     { "SELECT EXISTS (SELECT 1 FROM intents)" },
                     .out = KM_NUMBER },
};
const struct km_statements km_apply_statements = KM_STATEMENTS(rows);

struct km_apply {
    struct km_ready *s[STATEMENTS];
    struct km_dict *keys, *routes;
    struct km_batch spend, open, progress; /* what is not written yet */
    struct km_batch gone; /* those of `spend` that may lie open */
    bool older; /* there are `intents`, which an older program left */
    struct km_sums sums;
    struct km_payer_books *payers;
    struct km_audit_chain chain;
};

int km_apply_new(struct km_db *db, struct km_apply **ret_apply, struct km_err *err)
{
    struct km_apply *a = calloc(1, sizeof *a);
    int64_t older = 0;
    int r;

    if (!a)
        return km_fail(err, KM_E_NOMEM, "store: out of memory");
    a->keys = km_dict_new(KEYS_KEPT);
    a->routes = km_dict_new(ROUTES_KEPT);
    if (!a->keys || !a->routes) {
        km_apply_free(a);
        return km_fail(err, KM_E_NOMEM, "store: out of memory");
    }
    r = db->driver->show(db, &km_spend_rows, &a->spend, err);
    if (r == 0)
        r = db->driver->show(db, &km_open_rows, &a->open, err);
    if (r == 0)
        r = db->driver->show(db, &km_gone_rows, &a->gone, err);
    if (r == 0)
        r = db->driver->show(db, &km_daily_rows, &a->sums, err);
    for (size_t i = 0; r == 0 && i < STATEMENTS; i++)
        r = km_db_ready(db, &rows[i], &a->s[i], err);
    if (r == 0)
        r = km_payer_books_new(db, &a->payers, err);
    if (r == 0)
        r = km_audit_chain_init(&a->chain, db, err);
    if (r == 0)
        r = km_db_number(db, &rows[ANY_INTENT], &older, err);
    a->older = older != 0;
    if (r < 0)
        km_apply_free(a);
    else
        *ret_apply = a;
    return r;
}

struct km_apply *km_apply_free(struct km_apply *a)
{
    if (!a)
        return NULL;
    for (size_t i = 0; i < STATEMENTS; i++)
        km_ready_done(&a->s[i]);
    km_audit_chain_done(&a->chain);
    km_dict_free(a->keys);
    km_dict_free(a->routes);
    km_batch_done(&a->spend);
    km_batch_done(&a->open);
    km_batch_done(&a->progress);
    km_batch_done(&a->gone);
    km_sums_done(&a->sums);
    km_payer_books_free(a->payers);
    free(a);
    return NULL;
}

static int run(struct km_apply *a, int statement, const void *in, struct km_err *err)
{
    return km_ready_run(a->s[statement], in, NULL, err);
}

static int look_up(struct km_apply *a, int find, const void *in, struct km_dict_value *ret,
                   enum km_row *ret_row, struct km_err *err)
{
    int r;

    *ret = (struct km_dict_value){ 0 };
    km_ready_ask(a->s[find], in);
    r = km_ready_next(a->s[find], ret, ret_row, err);
    km_ready_rest(a->s[find]);
    return r;
}

/* Looks a row up, or inserts it; both statements take the same values.  The number of a key is new
 * then, its windows need not be. */
static int number_of(struct km_apply *a, int find, int insert, const void *in,
                     struct km_dict_value *ret, struct km_err *err)
{
    enum km_row got = KM_ROW_END;
    int r = look_up(a, find, in, ret, &got, err);

    if (r < 0 || got)
        return r;
    r = run(a, insert, in, err);
    return r == 0 ? look_up(a, find, in, ret, &got, err) : r;
}

static int key_of(struct km_apply *a, const struct km_record *rec, struct km_dict_value *ret,
                  struct km_err *err)
{
    struct km_str hash = km_str((const char *)rec->key_hash, sizeof rec->key_hash);
    struct km_str payers = km_paying_whole(km_record_text(rec, KM_RECORD_PAYERS));
    const struct km_dict_value *known = km_dict_find(a->keys, payers, hash);
    int r;

    if (known) {
        *ret = *known;
        return 0;
    }
    r = number_of(a, FIND_KEY, INSERT_KEY, rec->key_hash, ret, err);
    if (r == 0 && payers.n)
        r = km_payer_books_number(a->payers, ret->id, rec->key_hash, payers, &ret->id, err);
    if (r == 0)
        km_dict_add(a->keys, payers, hash, *ret);
    return r;
}

static int route_of(struct km_apply *a, const struct km_record *rec, int64_t *ret,
                    struct km_err *err)
{
    struct km_str lengths =
        km_str((const char *)rec->len, KM_RECORD_ROUTE_STRINGS * sizeof rec->len[0]);
    struct km_str names = km_str(rec->text, km_record_offset(rec, KM_RECORD_ROUTE_STRINGS));
    const struct km_dict_value *known = km_dict_find(a->routes, lengths, names);
    struct km_dict_value value;
    struct route route;
    int r;

    if (known) {
        *ret = known->id;
        return 0;
    }
    for (int i = 0; i < KM_RECORD_ROUTE_STRINGS; i++)
        route.names[i] = km_record_text(rec, (enum km_record_string)i);
    r = number_of(a, FIND_ROUTE, INSERT_ROUTE, &route, &value, err);
    if (r == 0) {
        km_dict_add(a->routes, lengths, names, value);
        *ret = value.id;
    }
    return r;
}

/* To the key's sum, or to that of another of its windows: the call ended before the window turned,
 * or under a clock that was set wrong. */
static int add_spent(struct km_apply *a, const struct km_batch_row *row, struct km_sum *sum,
                     int64_t cost, struct km_err *err)
{
    const struct km_record *rec = row->rec;
    const struct km_window_now now = { row->window_us, row->length_s, row->end_us };
    int64_t at_us = rec->end_us ? rec->end_us : rec->start_us; /* it was never heard to end */
    struct key key = { .id = row->key, .spend = cost };
    enum km_window_place place = km_windows_place(&now, at_us, rec->end_us != 0, &key.end_us);
    int r = rec->len[KM_RECORD_PAYERS]
                ? km_payer_books_add(a->payers, row->key, at_us, cost,
                                     km_paying_parts(km_record_text(rec, KM_RECORD_PAYERS)), err)
                : 0;

    if (r < 0)
        return r;
    if (place == KM_WINDOW_OTHER)
        return cost ? run(a, ADD_WINDOW, &key, err) : 0;
    if (place == KM_WINDOW_CURRENT && sum->spend <= MOST_SUM)
        sum->spend += cost;
    return 0;
}

static int add_sums(struct km_apply *a, const struct km_batch_row *row, struct km_err *err)
{
    const struct km_record *rec = row->rec;
    int64_t cost = km_batch_cost(rec->cost);
    struct km_sum *sum = km_sums_at(&a->sums, rec->start_us / DAY_US, row->key, row->route);

    if (!sum)
        return km_fail(err, KM_E_NOMEM, "store: out of memory");
    sum->failed += (rec->flags & KM_CALL_FAILED) != 0;
    sum->prompt_tokens += km_batch_tokens(rec->prompt_tokens);
    sum->completion_tokens += km_batch_tokens(rec->completion_tokens);
    sum->cached_tokens += km_batch_tokens(rec->cached_tokens);
    if (sum->cost <= MOST_SUM)
        sum->cost += cost;
    return add_spent(a, row, sum, cost, err);
}

/* What a new row of `spend` brings beside itself. */
static int add_row(struct km_apply *a, const struct km_batch_row *row, struct km_err *err)
{
    struct attempts attempts = { .id = row->rec->id };
    int r = 0;

    if (row->rec->len[KM_RECORD_ATTEMPTS]) {
        attempts.json = km_record_text(row->rec, KM_RECORD_ATTEMPTS);
        r = run(a, INSERT_ATTEMPTS, &attempts, err);
    }
    return r == 0 ? add_sums(a, row, err) : r;
}

static int update_open(struct km_apply *a, struct km_err *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < a->progress.n; i++) {
        const struct km_batch_row *row = &a->progress.v[i];
        const struct progress p = {
            .id = row->rec->id,
            .route = row->route,
            .reserved = km_batch_cost(row->rec->reserved),
            .key = row->key,
            .state = km_str((const char *)row->state, row->state_n),
            .texts = km_open_texts(row->rec),
        };

        r = run(a, UPDATE_OPEN, &p, err);
    }
    return r;
}

static int delete_open(struct km_apply *a, struct km_err *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < a->gone.n; i++)
        r = run(a, DELETE_OPEN, a->gone.v[i].rec, err);
    for (size_t i = 0; r == 0 && a->older && i < a->gone.n; i++)
        r = run(a, DELETE_INTENT, a->gone.v[i].rec, err);
    return r;
}

static int insert_one_by_one(struct km_apply *a, struct km_err *err)
{
    struct km_batch_row *all = a->spend.v;
    size_t n = a->spend.n;
    int r = 0;

    a->spend.n = 1; /* the table has one row, and it is always the first */
    for (size_t i = 0; r == 0 && i < n; i++) {
        struct km_batch_row first = all[0];
        int64_t changed = 0;

        all[0] = all[i];
        r = km_ready_run(a->s[INSERT_SPEND], NULL, &changed, err);
        if (r == 0 && changed > 0)
            r = add_row(a, &all[0], err);
        all[0] = first;
    }
    a->spend.n = n;
    return r;
}

static int insert_spend(struct km_apply *a, struct km_err *err)
{
    int64_t changed = 0;
    bool all_new;
    int r = run(a, MARK, NULL, err);

    if (r == 0)
        r = km_ready_run(a->s[INSERT_SPEND], NULL, &changed, err);
    if (r < 0)
        return r; /* the whole transaction is given up */
    all_new = (size_t)changed == a->spend.n;
    if (!all_new)
        r = run(a, BACK_TO_MARK, NULL, err);
    if (r == 0)
        r = run(a, MARK_GONE, NULL, err);
    if (r == 0 && !all_new)
        return insert_one_by_one(a, err);
    for (size_t i = 0; r == 0 && i < a->spend.n; i++)
        r = add_row(a, &a->spend.v[i], err);
    return r;
}

/* Intents first, then what is newer of them: a settlement in the same batch takes its own away
 * again. */
int km_apply_flush(struct km_apply *a, struct km_err *err)
{
    int r = 0;

    if (a->open.n)
        r = run(a, INSERT_OPEN, NULL, err);
    if (r == 0)
        r = update_open(a, err);
    if (r == 0)
        r = delete_open(a, err);
    if (r == 0 && a->spend.n)
        r = insert_spend(a, err);
    km_batch_clear(&a->open);
    km_batch_clear(&a->progress);
    km_batch_clear(&a->gone);
    km_batch_clear(&a->spend);
    return r;
}

static struct km_batch *batch_of(struct km_apply *a, enum km_record_kind kind)
{
    if (kind == KM_RECORD_INTENT)
        return &a->open;
    return kind == KM_RECORD_PROGRESS ? &a->progress : &a->spend;
}

int km_apply_record(struct km_apply *a, const struct km_record *rec, struct km_err *err)
{
    struct km_batch *batch = batch_of(a, (enum km_record_kind)rec->kind);
    struct km_batch_row row = { .rec = rec };
    struct km_dict_value key = { 0 };
    int r;

    if (rec->kind == KM_RECORD_AUDIT)
        return km_audit_gather(&a->chain, rec, err);
    r = key_of(a, rec, &key, err);
    if (r == 0)
        r = route_of(a, rec, &row.route, err);
    if (r == 0 && batch->n == KM_BATCH_ROWS)
        r = km_apply_flush(a, err);
    if (r < 0)
        return r;
    row.key = key.id;
    row.length_s = key.length_s;
    row.end_us = key.end_us;
    row.window_us = key.window_us;
    if (rec->kind == KM_RECORD_SETTLED && !rec->alone)
        r = km_batch_add(&a->gone, &row, err);
    if (rec->kind == KM_RECORD_INTENT || rec->kind == KM_RECORD_PROGRESS)
        row.state_n = (uint8_t)km_open_state_pack(rec, row.state);
    return r == 0 ? km_batch_add(batch, &row, err) : r;
}

/* A key has a sum for each of its routes; its row is written once. */
static int add_spend(struct km_apply *a, struct km_err *err)
{
    const struct km_sums *s = &a->sums;
    int r = 0;

    for (size_t i = 0; r == 0 && i < s->nsorted;) {
        struct key key = { .id = s->sorted[i]->key };

        for (; i < s->nsorted && s->sorted[i]->key == key.id; i++)
            if (key.spend <= MOST_SUM)
                key.spend += s->sorted[i]->spend;
        if (key.spend == 0)
            continue;
        if (key.spend > MOST_SUM)
            key.spend = MOST_SUM;
        r = run(a, ADD_SPEND, &key, err);
    }
    return r;
}

int km_apply_finish(struct km_apply *a, struct km_err *err)
{
    int r = km_apply_flush(a, err);

    if (r == 0 && km_sums_sort(&a->sums) < 0)
        r = km_fail(err, KM_E_NOMEM, "store: out of memory");
    if (r == 0 && a->sums.nsorted)
        r = run(a, ADD_DAILY, NULL, err);
    if (r == 0)
        r = add_spend(a, err);
    if (r == 0)
        r = km_payer_books_finish(a->payers, err);
    return r == 0 ? km_audit_flush(&a->chain, err) : r;
}

void km_apply_committed(struct km_apply *a)
{
    km_sums_clear(&a->sums);
    km_payer_books_clear(a->payers);
    km_audit_chain_forget(&a->chain);
}

void km_apply_rolled_back(struct km_apply *a)
{
    for (size_t i = 0; i < STATEMENTS; i++)
        km_ready_rest(a->s[i]);
    km_batch_clear(&a->open);
    km_batch_clear(&a->progress);
    km_batch_clear(&a->gone);
    km_batch_clear(&a->spend);
    km_sums_clear(&a->sums);
    km_payer_books_clear(a->payers);
    km_payer_books_forget(a->payers);
    km_dict_clear(a->keys);
    km_dict_clear(a->routes);
    km_audit_chain_forget(&a->chain);
}

struct km_audit_chain *km_apply_chain(struct km_apply *a)
{
    return &a->chain;
}

void km_apply_op_undone(struct km_apply *a)
{
    km_audit_chain_forget(&a->chain);
}

void km_apply_forget_keys(struct km_apply *a)
{
    km_dict_clear(a->keys);
    km_payer_books_forget(a->payers);
}
