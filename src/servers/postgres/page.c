/* SPDX-License-Identifier: Apache-2.0 */
/* page.c - see page.h.
 *
 * The next page of `SELECT id, name FROM t ORDER BY name DESC, id` after the row (7, 'x') is
 *
 *     SELECT * FROM (
 *     SELECT id, name FROM t ORDER BY name DESC, id
 *     ) AS page WHERE (page."name" < $1 OR (page."name" = $1 AND (page."id" > $2
 *     OR page."id" IS NULL OR (page."id" = $2)))) ORDER BY page."name" DESC, page."id" OFFSET 1
 *
 * The keys need not be unique: the page begins with the rows that are equal to the last one, and
 * as many of them as were given already are passed over.
 *
 *     cursor  base64url of {"s":"digest of sql and params","n":3,"k":[["name",1,"x"],["id",0,"7"]]}
 *
 * A cursor comes back from the client, so nothing rests on it: names are quoted, values are bound,
 * and the statement goes through the guard as any other.
 */
#include "servers/postgres/page.h"

#include <pg_query/pg_query.pb-c.h>

#include "base/encode.h"
#include "http/json_out.h"

#define CURSOR_BYTES ((size_t)64 * 1024)
#define HEAD "SELECT * FROM (\n"

void km_pg_quote(struct km_buf *out, struct km_str name)
{
    km_buf_byte(out, '"');
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '"')
            km_buf_byte(out, '"');
        km_buf_byte(out, name.p[i]);
    }
    km_buf_byte(out, '"');
}

/* --- what the statement is ordered by --- */

static bool take_key(const PgQuery__Node *node, struct km_pg_page_key *key)
{
    const PgQuery__SortBy *sort;
    const PgQuery__Node *by;

    if (node->node_case != PG_QUERY__NODE__NODE_SORT_BY)
        return false;
    sort = node->sort_by;
    if (!sort->node || sort->sortby_dir == PG_QUERY__SORT_BY_DIR__SORTBY_USING ||
        sort->sortby_nulls > PG_QUERY__SORT_BY_NULLS__SORTBY_NULLS_DEFAULT)
        return false;
    *key = (struct km_pg_page_key){
        .descending = sort->sortby_dir == PG_QUERY__SORT_BY_DIR__SORTBY_DESC,
    };
    by = sort->node;
    if (by->node_case == PG_QUERY__NODE__NODE_COLUMN_REF && by->column_ref->n_fields == 1 &&
        by->column_ref->fields[0]->node_case == PG_QUERY__NODE__NODE_STRING) {
        key->name = km_str_c(by->column_ref->fields[0]->string->sval);
        return true;
    }
    if (by->node_case == PG_QUERY__NODE__NODE_A_CONST && !by->a_const->isnull &&
        by->a_const->val_case == PG_QUERY__A__CONST__VAL_IVAL && by->a_const->ival->ival > 0) {
        key->place = (unsigned)by->a_const->ival->ival;
        return true;
    }
    return false;
}

void km_pg_page_find(const struct km_pg_parser *parser, struct km_arena *arena, struct km_str sql,
                     struct km_pg_page *ret)
{
    PgQuery__ParseResult *tree;
    const PgQuery__SelectStmt *select;
    const PgQuery__RawStmt *raw;
    size_t at;

    *ret = (struct km_pg_page){ 0 };
    if (km_pg_parse(parser, arena, sql, &tree, &at, NULL) < 0 || tree->n_stmts != 1)
        return;
    raw = tree->stmts[0];
    if (!raw->stmt || raw->stmt->node_case != PG_QUERY__NODE__NODE_SELECT_STMT)
        return;
    select = raw->stmt->select_stmt;
    if (select->into_clause || select->n_locking_clause)
        return;
    at = raw->stmt_location > 0 ? (size_t)raw->stmt_location : 0;
    ret->sql = km_str_sub(sql, at, raw->stmt_len ? (size_t)raw->stmt_len : sql.n);
    if (select->n_sort_clause > KM_PG_PAGE_KEYS)
        return;
    for (size_t i = 0; i < select->n_sort_clause; i++)
        if (!take_key(select->sort_clause[i], &ret->keys[i]))
            return;
    ret->nkeys = select->n_sort_clause;
}

/* --- the cursor of a page --- */

/* Which column of the result a key is: exactly one has its name.  -1: none, or several. */
static int column_of(const struct km_pg_page_key *key, const struct km_json *columns,
                     struct km_str *ret_name)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str unused, name, wanted = key->name;
    int found = -1, i = 0;

    for (km_json_iter(columns, &it); key->place && km_json_next(&it, &unused, &item); i++)
        if (i + 1 == (int)key->place)
            (void)km_json_string(km_json_get(item, "name"), &wanted);
    i = 0;
    for (km_json_iter(columns, &it); wanted.n && km_json_next(&it, &unused, &item); i++) {
        if (!km_json_string(km_json_get(item, "name"), &name) || !km_str_eq(name, wanted))
            continue;
        if (found >= 0)
            return -1;
        found = i;
    }
    *ret_name = wanted;
    return found;
}

static const struct km_json *item_of(const struct km_json *list, size_t place)
{
    const struct km_json *item = NULL;
    struct km_json_iter it;
    struct km_str unused;

    km_json_iter(list, &it);
    for (size_t i = 0; i <= place; i++)
        if (!km_json_next(&it, &unused, &item))
            return NULL;
    return item;
}

/* A value as the text PostgreSQL reads, without a p where it is null; false: no plain value. */
static bool text_of(const struct km_json *v, struct km_str *ret)
{
    bool on;

    *ret = KM_STR_NONE;
    if (km_json_kind(v) == KM_JSON_NULL)
        return true;
    if (km_json_bool(v, &on)) {
        *ret = on ? KM_STR("true") : KM_STR("false");
        return true;
    }
    return km_json_string(v, ret) || km_json_number(v, ret);
}

struct keyed {
    size_t n;
    int columns[KM_PG_PAGE_KEYS];
    struct km_str names[KM_PG_PAGE_KEYS], values[KM_PG_PAGE_KEYS];
};

static bool read_keys(const struct km_pg_page *page, const struct km_json *columns,
                      const struct km_json *row, struct keyed *k)
{
    for (k->n = 0; k->n < page->nkeys; k->n++) {
        const struct km_json *column;
        struct km_str type;

        k->columns[k->n] = column_of(&page->keys[k->n], columns, &k->names[k->n]);
        if (k->columns[k->n] < 0 ||
            !text_of(item_of(row, (size_t)k->columns[k->n]), &k->values[k->n]))
            return false;
        column = item_of(columns, (size_t)k->columns[k->n]);
        if (km_json_string(km_json_get(column, "type"), &type) && km_str_eq(type, KM_STR("bytea")))
            return false; /* the result has it as base64 */
    }
    return k->n > 0;
}

/* A null is no empty text. */
static bool same_text(struct km_str a, struct km_str b)
{
    return a.p && b.p ? km_str_eq(a, b) : a.p == b.p;
}

static bool same_keys(const struct keyed *k, const struct km_json *row)
{
    struct km_str text;

    for (size_t i = 0; i < k->n; i++)
        if (!text_of(item_of(row, (size_t)k->columns[i]), &text) || !same_text(text, k->values[i]))
            return false;
    return true;
}

/* Rows at the end that have the last one's keys; all: every row has. */
static int64_t count_ties(const struct keyed *k, const struct km_json *rows, bool *ret_all)
{
    const struct km_json *row;
    struct km_json_iter it;
    struct km_str unused;
    int64_t ties = 0, n = 0;

    for (km_json_iter(rows, &it); km_json_next(&it, &unused, &row); n++)
        ties = same_keys(k, row) ? ties + 1 : 0;
    *ret_all = ties == n;
    return ties;
}

static bool same_as_before(const struct keyed *k, const struct km_json *before)
{
    const struct km_json *keys = km_json_get(before, "k");
    struct km_str text;

    for (size_t i = 0; i < k->n; i++)
        if (!text_of(item_of(item_of(keys, i), 2), &text) || !same_text(text, k->values[i]))
            return false;
    return true;
}

static void put_keys(struct km_json_out *o, const struct km_pg_page *page, const struct keyed *k)
{
    km_out_key(o, "k");
    km_out_open(o, '[');
    for (size_t i = 0; i < k->n; i++) {
        km_out_open(o, '[');
        km_out_str(o, k->names[i]);
        km_out_i64(o, page->keys[i].descending);
        if (k->values[i].p)
            km_out_str(o, k->values[i]);
        else
            km_out_null(o);
        km_out_close(o, ']');
    }
    km_out_close(o, ']');
}

struct km_str km_pg_page_cursor(const struct km_pg_page *page, const struct km_json *columns,
                                const struct km_json *rows, const struct km_json *before,
                                struct km_str digest, struct km_arena *arena)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(CURSOR_BYTES);
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(2 * CURSOR_BYTES);
    size_t n = km_json_count(rows);
    int64_t given = 0, skip = (int64_t)n;
    bool all, counted = before && !km_json_get(before, "k");
    struct km_json_out o;
    struct keyed k;

    (void)km_json_i64(km_json_get(before, "n"), &given);
    if (counted || !n || !read_keys(page, columns, item_of(rows, n - 1), &k))
        k.n = 0;
    if (!k.n && before && !counted)
        return KM_STR_NONE; /* a key that was plain so far and is no more */
    if (k.n)
        skip = count_ties(&k, rows, &all);
    if (!k.n || (all && before && same_as_before(&k, before)))
        skip += given;
    km_json_out_init(&o, &b);
    km_out_open(&o, '{');
    km_out_member(&o, "s", digest);
    km_out_member_i64(&o, "n", skip);
    if (k.n)
        put_keys(&o, page, &k);
    km_out_close(&o, '}');
    km_buf_base64url(&text, km_buf_view(&b));
    return km_buf_failed(&b) || km_buf_failed(&text) ? KM_STR_NONE
                                                     : km_arena_str(arena, km_buf_view(&text));
}

/* --- the next page --- */

int km_pg_page_open(struct km_str cursor, struct km_str digest, struct km_arena *arena,
                    const struct km_json **ret, struct km_err *err)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(CURSOR_BYTES);
    struct km_str of = KM_STR_NONE;
    int64_t n = -1;

    if (km_buf_unbase64(&b, cursor) < 0 || km_json_parse(arena, km_buf_view(&b), ret, NULL) < 0 ||
        !km_json_string(km_json_get(*ret, "s"), &of) || !km_json_i64(km_json_get(*ret, "n"), &n) ||
        n < 0)
        return km_fail(err, KM_E_INVALID, "cursor: not one that was given here");
    if (!km_str_eq(of, digest))
        return km_fail(err, KM_E_INVALID,
                       "cursor: it continues another statement, or one with other params");
    return 0;
}

struct after {
    struct km_buf *b;
    const struct km_json *keys;
    unsigned n; /* the last $n used */
};

/* page."name" and what it is compared with. */
static void put_compare(struct after *a, struct km_str name, const char *with, unsigned n)
{
    km_buf_str(a->b, KM_STR("page."));
    km_pg_quote(a->b, name);
    km_buf_str(a->b, km_str_c(with));
    if (n)
        km_buf_printf(a->b, "$%u", n);
}

/* (a > $1 OR a IS NULL OR (a = $1 AND (...))): the rest of the order from key i on, rows equal in
 * all keys among it.  Nulls come last, and first where it descends. */
static void put_after(struct after *a, size_t i)
{
    const struct km_json *key = item_of(a->keys, i);
    bool null = km_json_kind(item_of(key, 2)) == KM_JSON_NULL;
    struct km_str name = KM_STR_NONE;
    unsigned n = null ? 0 : ++a->n;
    int64_t descending = 0;

    (void)km_json_string(item_of(key, 0), &name);
    (void)km_json_i64(item_of(key, 1), &descending);
    km_buf_byte(a->b, '(');
    if (!null)
        put_compare(a, name, descending ? " < " : " > ", n);
    else
        put_compare(a, name, descending ? " IS NOT NULL" : " IS NULL AND false", 0);
    if (!null && !descending) {
        km_buf_str(a->b, KM_STR(" OR "));
        put_compare(a, name, " IS NULL", 0);
    }
    km_buf_str(a->b, KM_STR(" OR ("));
    put_compare(a, name, null ? " IS NULL" : " = ", n);
    if (i + 1 < km_json_count(a->keys)) {
        km_buf_str(a->b, KM_STR(" AND "));
        put_after(a, i + 1);
    }
    km_buf_str(a->b, KM_STR("))"));
}

static void put_order(struct km_buf *b, const struct km_json *keys)
{
    const struct km_json *key;
    struct km_json_iter it;
    struct km_str unused, name = KM_STR_NONE;
    const char *comma = " ORDER BY page.";

    for (km_json_iter(keys, &it); km_json_next(&it, &unused, &key); comma = ", page.") {
        int64_t descending = 0;

        (void)km_json_string(item_of(key, 0), &name);
        (void)km_json_i64(item_of(key, 1), &descending);
        km_buf_str(b, km_str_c(comma));
        km_pg_quote(b, name);
        km_buf_str(b, descending ? KM_STR(" DESC") : KM_STR(""));
    }
}

int km_pg_page_sql(const struct km_pg_page *page, const struct km_json *cursor, unsigned nparams,
                   struct km_arena *arena, struct km_str *ret_sql, const char **ret_values,
                   unsigned *ret_nvalues, size_t *ret_prefix, struct km_err *err)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(KM_PG_SQL_BYTES + CURSOR_BYTES);
    const struct km_json *keys = km_json_get(cursor, "k");
    size_t n = km_json_count(keys);
    struct after after = { &b, keys, nparams };
    int64_t skip = 0;

    if (!page->sql.n || n > KM_PG_PAGE_KEYS)
        return km_fail(err, KM_E_INVALID, "cursor: this statement has no pages");
    (void)km_json_i64(km_json_get(cursor, "n"), &skip);
    km_buf_str(&b, KM_STR(HEAD));
    km_buf_str(&b, page->sql);
    km_buf_str(&b, KM_STR("\n) AS page"));
    if (n) {
        km_buf_str(&b, KM_STR(" WHERE "));
        put_after(&after, 0);
        put_order(&b, keys);
    }
    km_buf_printf(&b, " OFFSET %lld", (long long)skip);
    *ret_nvalues = 0;
    for (size_t i = 0; i < n; i++) {
        const struct km_json *v = item_of(item_of(keys, i), 2);
        struct km_str value;

        if (km_json_kind(v) == KM_JSON_NULL)
            continue;
        if (!km_json_string(v, &value) || km_str_chr(value, '\0') < value.n)
            return km_fail(err, KM_E_INVALID, "cursor: not one that was given here");
        ret_values[(*ret_nvalues)++] = km_arena_cstr(arena, value);
    }
    *ret_prefix = sizeof HEAD - 1;
    *ret_sql = km_arena_str(arena, km_buf_view(&b));
    return ret_sql->p && !km_buf_failed(&b) ? 0 : km_fail(err, KM_E_LIMIT, "cursor: too large");
}
