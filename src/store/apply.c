/* SPDX-License-Identifier: Apache-2.0 */
/* apply.c - see apply.h for the contract.
 *
 * The cost of the whole ledger is decided here, so a record takes the shortest way there is:
 * two look-ups in memory (key and route to their numbers), one INSERT of integers through a
 * prepared statement, a few additions in memory.  Roll-ups and the spend of keys are written
 * once a commit.
 *
 * Nothing is counted twice: the call's id is the primary key of `spend`, and only an INSERT
 * that put a row there adds to the sums.  A record that comes again (a retried commit, a
 * hand-over that sent it twice, a settlement of a call already charged as incomplete) changes
 * nothing.
 *
 * Numbers are clamped on their way in: an upstream may report any, and a sum that overflows
 * would turn into a float, which the STRICT table refuses, for ever.
 */
#include "store/apply.h"

#include <stdlib.h>

#include "store/dict.h"
#include "store/sums.h"

#define KEYS_KEPT 16384
#define ROUTES_KEPT 4096
#define MOST_COST ((int64_t)1 << 53) /* of one call: nine million USD */
#define MOST_TOKENS ((int64_t)1 << 40)
#define OPEN_PAGE 1000
#define MOST_SUM ((int64_t)1 << 61) /* of one commit, one row */
#define DAY_US (86400 * (int64_t)1000000)

enum {
    INSERT_SPEND,
    INSERT_INTENT,
    DELETE_INTENT,
    FIND_KEY,
    INSERT_KEY,
    FIND_ROUTE,
    INSERT_ROUTE,
    ADD_DAILY,
    ADD_SPEND,
    FIND_OPEN,
    STATEMENTS
};

#define ROUTE_COLUMNS "call_type, model_group, model, deployment, provider, api_base"

static const char *const sql[STATEMENTS] = {
    [INSERT_SPEND] = "INSERT INTO spend VALUES"
                     " (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"
                     " ON CONFLICT DO NOTHING",
    [INSERT_INTENT] = "INSERT INTO intents VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
                      " ON CONFLICT DO NOTHING",
    [DELETE_INTENT] = "DELETE FROM intents WHERE id = ?1",
    [FIND_KEY] = "SELECT i.id, coalesce(k.window_us, 0) FROM key_ids i LEFT JOIN keys k"
                 " ON k.hash = i.hash WHERE i.hash = ?1",
    [INSERT_KEY] = "INSERT INTO key_ids (hash) VALUES (?1)",
    [FIND_ROUTE] = "SELECT id FROM routes WHERE call_type = ?1 AND model_group = ?2 AND model = ?3"
                   " AND deployment = ?4 AND provider = ?5 AND api_base = ?6",
    [INSERT_ROUTE] = "INSERT INTO routes (" ROUTE_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [ADD_DAILY] = "INSERT INTO daily VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
                  " ON CONFLICT DO UPDATE SET calls = calls + excluded.calls,"
                  " failed = failed + excluded.failed,"
                  " prompt_tokens = min(prompt_tokens, 1 << 61) + excluded.prompt_tokens,"
                  " completion_tokens = min(completion_tokens, 1 << 61)"
                  " + excluded.completion_tokens,"
                  " cached_tokens = min(cached_tokens, 1 << 61) + excluded.cached_tokens,"
                  " cost = min(cost, 1 << 61) + excluded.cost",
    [ADD_SPEND] = "UPDATE keys SET spend = min(spend, 1 << 61) + ?2"
                  " WHERE hash = (SELECT hash FROM key_ids WHERE id = ?1)",
    [FIND_OPEN] = "SELECT i.id, k.hash, i.start_us, i.reserved, i.flags, coalesce(i.user, ''),"
                  " coalesce(i.metadata, ''), coalesce(i.client_ip, ''), " ROUTE_COLUMNS
                  " FROM intents i JOIN key_ids k ON k.id = i.key JOIN routes r ON r.id = i.route"
                  " WHERE ?1 = 0 OR i.start_us < ?1 LIMIT 1000", /* OPEN_PAGE */
};

struct km_apply {
    sqlite3 *db;
    sqlite3_stmt *s[STATEMENTS];
    struct km_dict *keys, *routes;
    struct km_sums sums;
};

int km_apply_new(sqlite3 *db, struct km_apply **ret_apply, struct km_err *err)
{
    struct km_apply *a = calloc(1, sizeof *a);

    if (!a)
        return km_fail(err, KM_E_NOMEM, "store: out of memory");
    a->db = db;
    a->keys = km_dict_new(KEYS_KEPT);
    a->routes = km_dict_new(ROUTES_KEPT);
    if (!a->keys || !a->routes) {
        km_apply_free(a);
        return km_fail(err, KM_E_NOMEM, "store: out of memory");
    }
    for (size_t i = 0; i < STATEMENTS; i++) {
        int r = km_db_prepare(db, sql[i], &a->s[i], err);

        if (r < 0) {
            km_apply_free(a);
            return r;
        }
    }
    *ret_apply = a;
    return 0;
}

struct km_apply *km_apply_free(struct km_apply *a)
{
    if (!a)
        return NULL;
    for (size_t i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(a->s[i]);
    km_dict_free(a->keys);
    km_dict_free(a->routes);
    km_sums_done(&a->sums);
    free(a);
    return NULL;
}

static int64_t clamp(int64_t v, int64_t most)
{
    if (v < 0)
        return 0;
    return v > most ? most : v;
}

static int64_t cost_of(int64_t v)
{
    return clamp(v, MOST_COST);
}

static int64_t tokens_of(int64_t v)
{
    return clamp(v, MOST_TOKENS);
}

/* Looks a row up by what is bound to find, or inserts it; both statements take the same values. */
static int number_of(struct km_apply *a, int find, int insert, struct km_dict_value *ret,
                     struct km_err *err)
{
    sqlite3_stmt *s = a->s[find];
    bool row = false;
    int r = km_db_next(s, &row, err);

    if (r == 0 && row) {
        ret->id = sqlite3_column_int64(s, 0);
        ret->window_us = sqlite3_column_count(s) > 1 ? sqlite3_column_int64(s, 1) : 0;
    }
    sqlite3_reset(s);
    if (r < 0 || row)
        return r;
    r = km_db_run(a->s[insert], err);
    ret->id = sqlite3_last_insert_rowid(a->db);
    ret->window_us = 0;
    return r;
}

static int key_of(struct km_apply *a, const struct km_record *rec, struct km_dict_value *ret,
                  struct km_err *err)
{
    struct km_str hash = km_str((const char *)rec->key_hash, sizeof rec->key_hash);
    const struct km_dict_value *known = km_dict_find(a->keys, KM_STR_NONE, hash);
    int r;

    if (known) {
        *ret = *known;
        return 0;
    }
    km_db_bind_blob(a->s[FIND_KEY], 1, hash.p, hash.n);
    km_db_bind_blob(a->s[INSERT_KEY], 1, hash.p, hash.n);
    r = number_of(a, FIND_KEY, INSERT_KEY, ret, err);
    if (r == 0)
        km_dict_add(a->keys, KM_STR_NONE, hash, *ret);
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
    int r;

    if (known) {
        *ret = known->id;
        return 0;
    }
    for (int i = 0; i < KM_RECORD_ROUTE_STRINGS; i++) {
        struct km_str name = km_record_text(rec, (enum km_record_string)i);

        km_db_bind_text(a->s[FIND_ROUTE], i + 1, name);
        km_db_bind_text(a->s[INSERT_ROUTE], i + 1, name);
    }
    r = number_of(a, FIND_ROUTE, INSERT_ROUTE, &value, err);
    if (r == 0) {
        km_dict_add(a->routes, lengths, names, value);
        *ret = value.id;
    }
    return r;
}

static int add_sums(struct km_apply *a, const struct km_record *rec,
                    const struct km_dict_value *key, int64_t route, struct km_err *err)
{
    int64_t cost = cost_of(rec->cost);
    struct km_sum *sum = km_sums_at(&a->sums, rec->start_us / DAY_US, key->id, route);

    if (!sum)
        return km_fail(err, KM_E_NOMEM, "store: out of memory");
    sum->failed += (rec->flags & KM_CALL_FAILED) != 0;
    sum->prompt_tokens += tokens_of(rec->prompt_tokens);
    sum->completion_tokens += tokens_of(rec->completion_tokens);
    sum->cached_tokens += tokens_of(rec->cached_tokens);
    if (sum->cost <= MOST_SUM)
        sum->cost += cost;
    /* What ended before the key's window turned was spent in the window before. */
    if ((rec->end_us == 0 || rec->end_us >= key->window_us) && sum->spend <= MOST_SUM)
        sum->spend += cost;
    return 0;
}

/* Microseconds from the start, or NULL when it never happened. */
static void bind_after(sqlite3_stmt *s, int at, int64_t start_us, int64_t us)
{
    if (us == 0)
        sqlite3_bind_null(s, at);
    else
        sqlite3_bind_int64(s, at, us > start_us ? us - start_us : 0);
}

static int insert_spend(struct km_apply *a, const struct km_record *rec, int64_t key, int64_t route,
                        bool *ret_new, struct km_err *err)
{
    sqlite3_stmt *s = a->s[INSERT_SPEND];
    int r;

    km_db_bind_blob(s, 1, rec->id.b, sizeof rec->id.b);
    sqlite3_bind_int64(s, 2, key);
    sqlite3_bind_int64(s, 3, route);
    sqlite3_bind_int64(s, 4, rec->start_us);
    bind_after(s, 5, rec->start_us, rec->first_us);
    bind_after(s, 6, rec->start_us, rec->end_us);
    sqlite3_bind_int64(s, 7, tokens_of(rec->prompt_tokens));
    sqlite3_bind_int64(s, 8, tokens_of(rec->completion_tokens));
    sqlite3_bind_int64(s, 9, tokens_of(rec->cached_tokens));
    sqlite3_bind_int64(s, 10, cost_of(rec->cost));
    sqlite3_bind_int64(s, 11, rec->status);
    sqlite3_bind_int64(s, 12, rec->flags);
    km_db_bind_text_null(s, 13, km_record_text(rec, KM_RECORD_USER));
    km_db_bind_text_null(s, 14, km_record_text(rec, KM_RECORD_METADATA));
    km_db_bind_text_null(s, 15, km_record_text(rec, KM_RECORD_CLIENT_IP));
    r = km_db_run(s, err);
    *ret_new = r == 0 && sqlite3_changes(a->db) > 0;
    return r;
}

static int insert_intent(struct km_apply *a, const struct km_record *rec, int64_t key,
                         int64_t route, struct km_err *err)
{
    sqlite3_stmt *s = a->s[INSERT_INTENT];

    km_db_bind_blob(s, 1, rec->id.b, sizeof rec->id.b);
    sqlite3_bind_int64(s, 2, key);
    sqlite3_bind_int64(s, 3, route);
    sqlite3_bind_int64(s, 4, rec->start_us);
    sqlite3_bind_int64(s, 5, cost_of(rec->reserved));
    sqlite3_bind_int64(s, 6, rec->flags);
    km_db_bind_text_null(s, 7, km_record_text(rec, KM_RECORD_USER));
    km_db_bind_text_null(s, 8, km_record_text(rec, KM_RECORD_METADATA));
    km_db_bind_text_null(s, 9, km_record_text(rec, KM_RECORD_CLIENT_IP));
    return km_db_run(s, err);
}

static int delete_intent(struct km_apply *a, const struct km_uuid *id, struct km_err *err)
{
    km_db_bind_blob(a->s[DELETE_INTENT], 1, id->b, sizeof id->b);
    return km_db_run(a->s[DELETE_INTENT], err);
}

int km_apply_record(struct km_apply *a, const struct km_record *rec, struct km_err *err)
{
    struct km_dict_value key;
    int64_t route;
    bool new = false;
    int r = key_of(a, rec, &key, err);

    if (r == 0)
        r = route_of(a, rec, &route, err);
    if (r < 0)
        return r;
    if (rec->kind == KM_RECORD_INTENT)
        return insert_intent(a, rec, key.id, route, err);
    if (!rec->alone)
        r = delete_intent(a, &rec->id, err);
    if (r == 0)
        r = insert_spend(a, rec, key.id, route, &new, err);
    if (r == 0 && new)
        r = add_sums(a, rec, &key, route, err);
    return r;
}

static int add_daily(struct km_apply *a, const struct km_sum *sum, struct km_err *err)
{
    const int64_t v[] = { sum->day,
                          sum->key,
                          sum->route,
                          sum->calls,
                          sum->failed,
                          sum->prompt_tokens,
                          sum->completion_tokens,
                          sum->cached_tokens,
                          sum->cost };

    for (int i = 0; i < 9; i++)
        sqlite3_bind_int64(a->s[ADD_DAILY], i + 1, v[i]);
    return km_db_run(a->s[ADD_DAILY], err);
}

int km_apply_finish(struct km_apply *a, struct km_err *err)
{
    const struct km_sum *sum;
    int r = 0;

    for (size_t it = 0; r == 0 && (sum = km_sums_next(&a->sums, &it));) {
        r = add_daily(a, sum, err);
        if (r < 0 || sum->spend == 0)
            continue;
        sqlite3_bind_int64(a->s[ADD_SPEND], 1, sum->key);
        sqlite3_bind_int64(a->s[ADD_SPEND], 2, sum->spend);
        r = km_db_run(a->s[ADD_SPEND], err);
    }
    return r;
}

void km_apply_committed(struct km_apply *a)
{
    km_sums_clear(&a->sums);
}

void km_apply_rolled_back(struct km_apply *a)
{
    for (size_t i = 0; i < STATEMENTS; i++)
        sqlite3_reset(a->s[i]);
    km_sums_clear(&a->sums);
    km_dict_clear(a->keys);
    km_dict_clear(a->routes);
}

void km_apply_forget_keys(struct km_apply *a)
{
    km_dict_clear(a->keys);
}

static void open_entry(sqlite3_stmt *s, struct km_ledger_entry *e)
{
    struct km_str id = km_db_blob(s, 0), hash = km_db_blob(s, 1);

    *e = (struct km_ledger_entry){
        .start_us = sqlite3_column_int64(s, 2),
        .cost = sqlite3_column_int64(s, 3),
        .reserved = sqlite3_column_int64(s, 3),
        .flags = (unsigned)sqlite3_column_int64(s, 4) | KM_CALL_INCOMPLETE,
        .user = km_db_text(s, 5),
        .metadata = km_db_text(s, 6),
        .client_ip = km_db_text(s, 7),
        .call_type = km_db_text(s, 8),
        .model_group = km_db_text(s, 9),
        .model = km_db_text(s, 10),
        .deployment = km_db_text(s, 11),
        .provider = km_db_text(s, 12),
        .api_base = km_db_text(s, 13),
    };
    if (id.n == sizeof e->id.b)
        memcpy(e->id.b, id.p, id.n);
    if (hash.n == sizeof e->key_hash)
        memcpy(e->key_hash, hash.p, hash.n);
}

/* One page of them: the statement may not run on while its table is written. */
static int charge_some(struct km_apply *a, int64_t before_us, size_t *ret_n, struct km_err *err)
{
    struct km_buf page KM_CLEANUP(km_buf_done) = KM_BUF(64u << 20);
    sqlite3_stmt *s = a->s[FIND_OPEN];
    bool row = true;
    int r;

    sqlite3_bind_int64(s, 1, before_us);
    while ((r = km_db_next(s, &row, err)) == 0 && row) {
        struct km_ledger_entry e;
        size_t size;
        char *at;

        open_entry(s, &e);
        size = km_record_size(&e);
        at = km_buf_reserve(&page, size);
        if (!at) {
            r = km_fail(err, KM_E_NOMEM, "store: out of memory");
            break;
        }
        km_record_write((struct km_record *)(void *)at, size, &e, KM_RECORD_SETTLED);
        page.n += size;
    }
    sqlite3_reset(s);
    for (size_t at = 0; r == 0 && at < page.n; ++*ret_n) {
        const struct km_record *rec = (const struct km_record *)(const void *)(page.p + at);

        r = km_apply_record(a, rec, err);
        at += rec->size;
    }
    return r;
}

int km_apply_incomplete(struct km_apply *a, int64_t before_us, size_t *ret_n, struct km_err *err)
{
    size_t all = 0, some;
    int r;

    do {
        some = 0;
        r = charge_some(a, before_us, &some, err);
        all += some;
    } while (r == 0 && some >= OPEN_PAGE);
    *ret_n = all;
    return r;
}
