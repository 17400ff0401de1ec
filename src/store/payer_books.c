/* SPDX-License-Identifier: Apache-2.0 */
/* payer_books.c - what accounts spent, beside what keys did (payers.h).
 *
 *     number ──> [ purse, windows ] [ purse, windows ] ...     remembered; asked of the tables once
 *     settled call: number, moment, cost ──> sums by purse and window ──> purse_spend
 *
 * It runs where a new row of `spend` is made and in the same transaction, so what is said there of
 * why nothing is counted twice (apply.c) holds here.  A purse has no current window here: each has
 * its row, and which one a moment is in follows from the moment (km_time_budget_end()).  Of a purse
 * that ends windows the latest KEPT stay.
 */
#include <stdlib.h>

#include "base/crypto.h"
#include "base/time.h"
#include "store/ahead.h"
#include "store/inside.h"
#include "store/op.h"
#include "store/payers.h"
#include "store/statements.h"
#include "store/windows.h"
#include "store/writer.h"

#define LISTS_KEPT 4096
#define MOST_SUM ((int64_t)1 << 61) /* of one commit, one row */

/* A purse as it is kept. */
struct purse {
    struct km_str name;
    int64_t id, length_s, end_us;
};

/* What statements are about. */
struct row {
    struct km_str text, name;
    uint8_t hash[32], pseudo[32];
    int64_t id, key, purse, end_us, spend, kept, window_us;
};

struct list {
    int64_t number; /* 0: a free slot */
    size_t n;
    struct purse *v; /* without names */
};

struct km_payer_books {
    struct km_db *db;
    struct list lists[LISTS_KEPT]; /* by number; another of the same slot takes its place */
    struct km_sums sums; /* day: the window's end, key: the purse */
};

enum {
    FIND,
    INSERT_ID,
    INSERT_HEIR,
    INSERT,
    TEXT,
    FIND_PURSE,
    INSERT_PURSE,
    HAS,
    ADD,
    FORGET_OLD,
    SPENT,
    DEFINE,
    CLEAR,
    SET,
    CORRECT,
    LIST
};

#define ROW(member) KM_FIELD(struct row, member)
#define PURSE(member) KM_FIELD(struct purse, member)
#define A_PURSE KM_FIELDS(PURSE(id), PURSE(length_s), PURSE(end_us))

/* What is loaded. */
struct loaded {
    struct km_paying purse;
    int64_t end_us, spend;
};

static const struct km_statement rows[] = {
    [FIND] = { "payers.find",
               { "SELECT id FROM payers WHERE key = ?1 AND text = ?2" },
               .in = KM_FIELDS(ROW(key), ROW(text)),
               .out = KM_NUMBER },
    /* A program that knows of no payers finds the key so. */
    [INSERT_ID] = { "payers.insert_id",
                    { "INSERT INTO key_ids (hash) VALUES (?1) ON CONFLICT DO NOTHING" },
                    .in = KM_FIELDS(ROW(pseudo)) },
    [INSERT_HEIR] = { "payers.insert_heir",
                      { "INSERT OR REPLACE INTO key_heirs (old, hash) SELECT ?1, "
                        KM_KEY_HEIR("?2") },
                      .in = KM_FIELDS(ROW(pseudo), ROW(hash)) },
    [INSERT] = { "payers.insert",
                 { "INSERT INTO payers (id, key, text) SELECT id, ?1, ?2 FROM key_ids"
                   " WHERE hash = ?3" },
                 .in = KM_FIELDS(ROW(key), ROW(text), ROW(pseudo)) },
    [TEXT] = { "payers.text",
               { "SELECT text FROM payers WHERE id = ?1" },
               .in = KM_FIELDS(ROW(id)),
               .out = KM_FIELDS(ROW(text)) },
    [FIND_PURSE] = { "purses.find",
                     { "SELECT id, length_s, end_us FROM purses WHERE name = ?1" },
                     .in = KM_FIELDS(PURSE(name)),
                     .out = A_PURSE },
    [INSERT_PURSE] = { "purses.insert",
                       { "INSERT INTO purses (name, length_s, end_us) VALUES (?1, ?2, ?3)" },
                       .in = KM_FIELDS(PURSE(name), PURSE(length_s), PURSE(end_us)) },
    [HAS] = { "payers.has",
              { "INSERT INTO payer_purses (purse, payer) VALUES (?1, ?2) ON CONFLICT DO NOTHING" },
              .in = KM_FIELDS(ROW(purse), ROW(id)) },
    [ADD] = { "purses.add",
              { "INSERT INTO purse_spend (purse, end_us, spend) VALUES (?1, ?2, ?3)"
                " ON CONFLICT DO UPDATE SET spend = min(spend, 1 << 61) + excluded.spend" },
              .in = KM_FIELDS(ROW(purse), ROW(end_us), ROW(spend)) },
    [FORGET_OLD] = { "purses.forget_old",
                     { "DELETE FROM purse_spend WHERE purse = ?1 AND end_us NOT IN"
                       " (SELECT end_us FROM purse_spend WHERE purse = ?1"
                       " ORDER BY end_us DESC LIMIT ?2)" },
                     .in = KM_FIELDS(ROW(purse), ROW(kept)) },
    [SPENT] = { "purses.spent",
                { "SELECT spend FROM purse_spend WHERE purse = ?1 AND end_us = ?2" },
                .in = KM_FIELDS(ROW(purse), ROW(end_us)),
                .out = KM_NUMBER },
    [DEFINE] = { "purses.define",
                 { "UPDATE purses SET length_s = ?2, end_us = ?3 WHERE name = ?1" },
                 .in = KM_FIELDS(PURSE(name), PURSE(length_s), PURSE(end_us)) },
    [CLEAR] = { "purses.clear",
                { "DELETE FROM purse_spend WHERE purse = ?1" },
                .in = KM_FIELDS(ROW(purse)) },
    [SET] = { "purses.set",
              { "INSERT OR REPLACE INTO purse_spend (purse, end_us, spend) VALUES (?1, ?2, ?3)" },
              .in = KM_FIELDS(ROW(purse), ROW(end_us), ROW(spend)) },
    [CORRECT] = { "purses.correct",
                  { "INSERT INTO purse_spend (purse, end_us, spend) VALUES (?1, ?2, max(0, ?3))"
                    " ON CONFLICT DO UPDATE SET spend = max(0, min(spend, 1 << 61) + ?3)" },
                  .in = KM_FIELDS(ROW(purse), ROW(end_us), ROW(spend)) },
    [LIST] = { "purses.list",
               { "SELECT u.name, u.length_s, u.end_us, coalesce(s.end_us, 0), coalesce(s.spend, 0)"
                 " FROM purses u LEFT JOIN purse_spend s ON s.purse = u.id"
                 " ORDER BY u.id, s.end_us" },
               .out = KM_FIELDS(KM_FIELD(struct loaded, purse.name),
                                KM_FIELD(struct loaded, purse.length_s),
                                KM_FIELD(struct loaded, purse.end_us),
                                KM_FIELD(struct loaded, end_us), KM_FIELD(struct loaded, spend)) },
};
const struct km_statements km_payers_statements = KM_STATEMENTS(rows);

int km_payer_books_new(struct km_db *db, struct km_payer_books **ret, struct km_err *err)
{
    struct km_payer_books *b = calloc(1, sizeof *b);

    if (!b)
        return km_fail(err, KM_E_NOMEM, "store: out of memory");
    b->db = db;
    *ret = b;
    return 0;
}

void km_payer_books_forget(struct km_payer_books *b)
{
    for (size_t i = 0; i < LISTS_KEPT; i++) {
        free(b->lists[i].v);
        b->lists[i] = (struct list){ 0 };
    }
}

void km_payer_books_clear(struct km_payer_books *b)
{
    km_sums_clear(&b->sums);
}

struct km_payer_books *km_payer_books_free(struct km_payer_books *b)
{
    if (!b)
        return NULL;
    km_payer_books_forget(b);
    km_sums_done(&b->sums);
    free(b);
    return NULL;
}

/* The purse of this name; made, with these windows, where it is new. */
static int find_purse(struct km_db *db, const struct km_paying *p, struct purse *ret,
                      struct km_err *err)
{
    struct purse asked = { .name = p->name, .length_s = p->length_s, .end_us = p->end_us };
    enum km_row got = KM_ROW_END;
    int r = km_db_first(db, &rows[FIND_PURSE], &asked, ret, &got, err);

    if (r < 0 || got)
        return r;
    r = km_db_run(db, &rows[INSERT_PURSE], &asked, NULL, err);
    return r == 0 ? km_db_first(db, &rows[FIND_PURSE], &asked, ret, &got, err) : r;
}

/* *ret_v is to be freed. */
static int read_list(struct km_db *db, struct km_str text, struct purse **ret_v, size_t *ret_n,
                     struct km_err *err)
{
    struct purse *v = calloc(KM_PAYERS_MOST, sizeof *v);
    struct km_paying paying;
    size_t n = 0;
    int r = v ? 0 : km_fail(err, KM_E_NOMEM, "store: out of memory");

    while (r == 0 && n < KM_PAYERS_MOST && km_paying_next(&text, &paying))
        r = find_purse(db, &paying, &v[n++], err);
    if (r < 0) {
        free(v);
        return r;
    }
    *ret_v = v;
    *ret_n = n;
    return 0;
}

/* Its text is a row's, which is read by a statement that ends here: it is copied. */
static int list_of_number(struct km_db *db, int64_t number, struct purse **ret_v, size_t *ret_n,
                          struct km_err *err)
{
    struct km_ready *find KM_CLEANUP(km_ready_done) = NULL;
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(KM_PAYERS_BYTES);
    struct row row = { .id = number };
    enum km_row got = KM_ROW_END;
    int r = km_db_ask(db, &rows[TEXT], &row, &find, err);

    *ret_v = NULL;
    *ret_n = 0;
    if (r == 0)
        r = km_ready_next(find, &row, &got, err);
    if (r < 0 || !got)
        return r;
    km_buf_str(&text, row.text);
    km_ready_rest(find);
    return read_list(db, km_buf_view(&text), ret_v, ret_n, err);
}

static int list_of(struct km_payer_books *b, int64_t number, struct list **ret, struct km_err *err)
{
    struct list *l = &b->lists[(uint64_t)number % LISTS_KEPT];
    int r;

    *ret = l;
    if (l->number == number)
        return 0;
    free(l->v);
    *l = (struct list){ 0 };
    r = list_of_number(b->db, number, &l->v, &l->n, err);
    if (r == 0)
        l->number = number;
    return r;
}

static int make_number(struct km_payer_books *b, struct row *row, int64_t *ret, struct km_err *err)
{
    const struct km_str parts[] = { km_str((const char *)row->hash, sizeof row->hash), row->text };
    struct purse *v = NULL;
    enum km_row got = KM_ROW_END;
    size_t n = 0;
    int r;

    km_sha256_parts(parts, 2, row->pseudo);
    r = km_db_run(b->db, &rows[INSERT_ID], row, NULL, err);
    if (r == 0)
        r = km_db_run(b->db, &rows[INSERT_HEIR], row, NULL, err);
    if (r == 0)
        r = km_db_run(b->db, &rows[INSERT], row, NULL, err);
    if (r == 0)
        r = km_db_first(b->db, &rows[FIND], row, ret, &got, err);
    if (r == 0)
        r = read_list(b->db, row->text, &v, &n, err);
    row->id = *ret;
    for (size_t i = 0; r == 0 && i < n; i++) {
        row->purse = v[i].id;
        r = km_db_run(b->db, &rows[HAS], row, NULL, err);
    }
    free(v);
    return r;
}

int km_payer_books_number(struct km_payer_books *b, int64_t key, const uint8_t hash[32],
                          struct km_str text, int64_t *ret, struct km_err *err)
{
    struct row row = { .key = key, .text = text };
    enum km_row got = KM_ROW_END;
    int64_t number = 0;
    int r;

    memcpy(row.hash, hash, sizeof row.hash);
    r = km_db_first(b->db, &rows[FIND], &row, &number, &got, err);
    if (r == 0 && !got)
        r = make_number(b, &row, &number, err);
    if (r == 0)
        *ret = number;
    return r;
}

static int64_t window_of(const struct purse *p, int64_t at_us)
{
    return p->length_s > 0 ? km_time_budget_end(at_us, p->length_s, p->end_us) : 0;
}

static int add_to(struct km_payer_books *b, const struct purse *p, int64_t at_us, int64_t cost,
                  struct km_err *err)
{
    struct km_sum *sum = km_sums_at(&b->sums, window_of(p, at_us), p->id, 0);

    if (!sum)
        return km_fail(err, KM_E_NOMEM, "store: out of memory");
    if (sum->spend <= MOST_SUM)
        sum->spend += cost;
    return 0;
}

/* What the i-th pays of that cost. */
static int64_t part_of(struct km_str parts, size_t i, int64_t cost)
{
    struct km_paying_part part;

    while (km_paying_next_part(&parts, &part))
        if (part.at == i)
            return part.paid < cost ? part.paid : cost;
    return cost;
}

int km_payer_books_add(struct km_payer_books *b, int64_t number, int64_t at_us, int64_t cost,
                       struct km_str parts, struct km_err *err)
{
    struct list *l;
    int r = cost > 0 ? list_of(b, number, &l, err) : 0;

    if (r < 0 || cost <= 0)
        return r;
    for (size_t i = 0; r == 0 && i < l->n; i++)
        r = add_to(b, &l->v[i], at_us, parts.n ? part_of(parts, i, cost) : cost, err);
    return r;
}

int km_payer_books_finish(struct km_payer_books *b, struct km_err *err)
{
    const struct km_sum *sum;
    int r = 0;

    for (size_t it = 0; r == 0 && (sum = km_sums_next(&b->sums, &it));) {
        const struct row row = { .purse = sum->key,
                                 .end_us = sum->day,
                                 .spend = sum->spend < MOST_SUM ? sum->spend : MOST_SUM,
                                 .kept = KM_WINDOWS_KEPT + 1 };

        r = km_db_run(b->db, &rows[ADD], &row, NULL, err);
        if (r == 0 && row.end_us)
            r = km_db_run(b->db, &rows[FORGET_OLD], &row, NULL, err);
    }
    return r;
}

int km_payers_correct(struct km_db *db, int64_t number, int64_t more, int64_t at_us,
                      struct km_err *err)
{
    struct purse *v = NULL;
    size_t n = 0;
    int r = list_of_number(db, number, &v, &n, err);

    for (size_t i = 0; r == 0 && i < n; i++) {
        const struct row row = { .purse = v[i].id,
                                 .end_us = window_of(&v[i], at_us),
                                 .spend = more };

        r = km_db_run(db, &rows[CORRECT], &row, NULL, err);
    }
    free(v);
    return r;
}

/* --- windows --- */

struct op {
    struct km_op op; /* first: the writer's pointer is ours */
    size_t n;
    struct km_paying v[];
};

/* Other windows than it had: what is spent in the current one goes along, unless it is another
 * purse of the same name. */
static int turn(struct km_db *db, const struct km_paying *p, const struct purse *had,
                struct km_err *err)
{
    const int64_t now_us = km_wall_us();
    const struct purse now = { .name = p->name, .length_s = p->length_s, .end_us = p->end_us };
    struct row row = { .purse = had->id, .end_us = window_of(had, now_us) };
    enum km_row got = KM_ROW_END;
    int r = km_db_first(db, &rows[SPENT], &row, &row.spend, &got, err);

    if (r == 0)
        r = km_db_run(db, &rows[CLEAR], &row, NULL, err);
    if (r == 0)
        r = km_db_run(db, &rows[DEFINE], &now, NULL, err);
    row.end_us = window_of(&now, now_us);
    return r == 0 && got && row.spend && !p->fresh ? km_db_run(db, &rows[SET], &row, NULL, err) : r;
}

static int define(struct km_db *db, const struct km_paying *p, struct km_err *err)
{
    struct purse had = { 0 };
    int r = find_purse(db, p, &had, err);

    if (r < 0 || (!p->fresh && had.length_s == p->length_s &&
                  (p->length_s == 0 || km_time_budget_same(p->length_s, had.end_us, p->end_us))))
        return r;
    return turn(db, p, &had, err);
}

static int run_define(struct km_op *base, struct km_db *db, struct km_apply *apply,
                      struct km_err *err)
{
    const struct op *op = (const struct op *)(const void *)base;
    int r = 0;

    for (size_t i = 0; r == 0 && i < op->n; i++)
        r = define(db, &op->v[i], err);
    km_apply_forget_keys(apply);
    return r;
}

void km_store_purses_define(struct km_store *store, const struct km_paying *purses, size_t n)
{
    struct op *op;
    size_t texts = 0;

    for (size_t i = 0; i < n; i++)
        texts += purses[i].name.n;
    op = km_op_new(sizeof *op + n * sizeof op->v[0], texts, run_define);
    km_assert(op != NULL); /* without it windows would be others than memory's */
    op->n = n;
    for (size_t i = 0; i < n; i++) {
        op->v[i] = purses[i];
        op->v[i].name = km_op_keep(&op->op, purses[i].name);
    }
    km_writer_submit(store->writer, &op->op);
}

int km_store_purses(struct km_store *store, km_purse_spend_fn *each, void *ctx, struct km_err *err)
{
    struct km_db *db KM_CLEANUP(km_db_done) = NULL;
    struct km_ready *list KM_CLEANUP(km_ready_done) = NULL;
    struct loaded l;
    enum km_row got = KM_ROW_END;
    int r = km_ahead_ask(store, &rows[LIST], &db, &list, err);

    while (r == 0 && (r = km_ready_next(list, &l, &got, err)) == 0 && got)
        if (got == KM_ROW)
            each(ctx, &l.purse, l.end_us, l.spend);
    return r;
}
