/* SPDX-License-Identifier: Apache-2.0 */
/* advise_index.c - one index that does not exist; see advise_inside.h.
 *
 *     is there one that does the same? ── its text, CREATE INDEX ... ── about how large it gets
 *
 * The text has quoted names and plain or quoted constants.  The size is of entries at nine tenths
 * of a page; what an inverted index holds nobody knows before it is made.
 */
#include "servers/postgres/advise_inside.h"

#include <math.h>

#include "servers/postgres/page.h"

#define PAGE 8192.0

/* --- what there is already --- */

static bool lists(const struct km_json *names, struct km_str name)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str unused, s;

    for (km_json_iter(names, &it); km_json_next(&it, &unused, &item);)
        if (km_json_string(item, &s) && km_str_eq(s, name))
            return true;
    return false;
}

static bool carries(const struct km_json *index, const struct km_pg_candidate *c)
{
    for (size_t i = 0; i < c->nincludes; i++)
        if (!lists(km_json_get(index, "columns"), c->includes[i]) &&
            !lists(km_json_get(index, "includes"), c->includes[i]))
            return false;
    return true;
}

/* Read forwards or backwards, it has the candidate's directions; behind a column that every row
 * found has the same of, a direction alone is none. */
static bool same_order(const struct km_json *index, const struct km_pg_candidate *c, size_t n)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str unused;
    bool turns = false, turned = false, before = false, down;

    km_json_iter(km_json_get(index, "down"), &it);
    for (size_t i = 0; i < n && km_json_next(&it, &unused, &item); i++) {
        if (!km_json_bool(item, &down))
            return false;
        turned |= i && (down != before) != (c->down[i] != c->down[i - 1]);
        turns |= c->down[i];
        before = down;
    }
    return !turns || !turned;
}

/* Byte by byte, for LIKE, or in the order of the language. */
static bool same_class(const struct km_json *index, const struct km_pg_candidate *c, size_t n)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str unused;
    bool bytes = false;

    km_json_iter(km_json_get(index, "patterns"), &it);
    for (size_t i = 0; i < n && km_json_next(&it, &unused, &item); i++)
        if (!km_json_bool(item, &bytes) || bytes != (c->opclass.n && i + 1 == c->n))
            return false;
    return true;
}

bool km_pg_index_begins(const struct km_json *index, const struct km_pg_candidate *c, size_t n)
{
    const struct km_json *name;
    struct km_json_iter it;
    struct km_str unused, s;
    size_t i = 0;

    for (km_json_iter(km_json_get(index, "columns"), &it);
         i < n && km_json_next(&it, &unused, &name); i++)
        if (!km_json_string(name, &s) || !km_str_eq(s, c->columns[i]))
            return false;
    return i == n && same_order(index, c, n) && same_class(index, c, n);
}

/* Of a condition the catalogue has its own spelling: column and value stand in it either way. */
static bool same_rows(struct km_str where, const struct km_pg_fixed *only)
{
    if (!only)
        return !where.n;
    return km_str_find(where, only->column) < where.n &&
           km_str_find(where, only->value.n ? only->value : km_str_trim(only->after)) < where.n;
}

static bool does_already(const struct km_json *index, const struct km_pg_candidate *c)
{
    static const char *const methods[] = { "btree", "gin", "brin" };
    struct km_str where = km_pg_fact_text(index, "where");

    if (!km_str_eq(km_pg_fact_text(index, "method"), km_str_c(methods[c->method])))
        return false;
    if (c->method != KM_PG_BTREE)
        return !where.n && lists(km_json_get(index, "columns"), c->columns[0]);
    return same_rows(where, c->only) && km_pg_index_begins(index, c, c->n) && carries(index, c);
}

/* An expression too has the catalogue's own spelling. */
static bool document_there(const struct km_pg_candidate *c)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str unused, s;

    for (km_json_iter(km_json_get(c->table, "documents"), &it); km_json_next(&it, &unused, &item);)
        if (km_json_string(item, &s) && km_str_find(s, c->config) < s.n &&
            km_str_find(s, c->columns[0]) < s.n)
            return true;
    return false;
}

bool km_pg_candidate_there(const struct km_pg_candidate *c)
{
    const struct km_json *index;
    struct km_json_iter it;
    struct km_str unused;

    if (c->config.n)
        return document_there(c);
    if (c->made) /* the planner would use it, and gain nothing by another */
        return false;
    for (km_json_iter(km_json_get(c->table, "indexes"), &it); km_json_next(&it, &unused, &index);)
        if (does_already(index, c))
            return true;
    return false;
}

/* --- how large --- */

static double width(const struct km_pg_candidate *c, struct km_str column)
{
    return km_pg_fact(km_pg_fact_column(c->table, column), "width", 8);
}

double km_pg_candidate_bytes(const struct km_pg_candidate *c)
{
    double rows = km_pg_fact(c->table, "rows", 0), each = 0;

    for (size_t i = 0; i < c->n; i++)
        each += width(c, c->columns[i]);
    for (size_t i = 0; i < c->nincludes; i++)
        each += width(c, c->includes[i]);
    if (c->method == KM_PG_BRIN) /* a range of 128 pages: its least and its greatest value */
        return 3 * PAGE + km_pg_fact(c->table, "pages", 0) / 128 * (2 * each + 24);
    if (c->method == KM_PG_GIN) /* its keys once, six bytes or fewer for each place; three letters
                                 * make a key of a trigram index */
        return 2 * PAGE +
               rows * (c->opclass.n &&
                               !km_pg_fact_flag(km_pg_fact_column(c->table, c->columns[0]), "gin")
                           ? 2 * each
                           : 0.5 * each + 6);
    /* header and pointer of a tuple; nine tenths full; the first page is about the index itself */
    return PAGE + fmax(PAGE, (each + 20) * rows * c->share / 0.9);
}

/* --- its text --- */

static void put_columns(struct km_buf *b, const struct km_pg_candidate *c)
{
    for (size_t i = 0; i < c->n; i++) {
        km_buf_str(b, i ? KM_STR(", ") : KM_STR(""));
        if (c->config.n)
            km_buf_printf(b, "to_tsvector('%.*s', ", KM_STR_ARG(c->config));
        if (c->made)
            km_buf_printf(b, "(%.*s", KM_STR_ARG(c->made->before));
        km_pg_quote(b, c->columns[i]);
        if (c->made)
            km_buf_printf(b, "%.*s)", KM_STR_ARG(c->made->after));
        km_buf_str(b, c->config.n ? KM_STR(")") : KM_STR(""));
        if (c->opclass.n && i + 1 == c->n)
            km_buf_printf(b, " %.*s", KM_STR_ARG(c->opclass));
        km_buf_str(b, c->down[i] ? KM_STR(" DESC") : KM_STR(""));
    }
    for (size_t i = 0; i < c->nincludes; i++) {
        km_buf_str(b, i ? KM_STR(", ") : KM_STR(") INCLUDE ("));
        km_pg_quote(b, c->includes[i]);
    }
    km_buf_byte(b, ')');
}

void km_pg_candidate_ddl(const struct km_pg_candidate *c, struct km_buf *b)
{
    static const char *const heads[] = { " USING btree (", " USING gin (", " USING brin (" };

    km_buf_str(b, KM_STR("CREATE INDEX ON "));
    km_pg_quote(b, km_pg_fact_text(c->table, "schema"));
    km_buf_byte(b, '.');
    km_pg_quote(b, km_pg_fact_text(c->table, "name"));
    km_buf_str(b, km_str_c(heads[c->method]));
    put_columns(b, c);
    if (!c->only)
        return;
    km_buf_str(b, c->only->not ? KM_STR(" WHERE NOT ") : KM_STR(" WHERE "));
    km_pg_quote(b, c->only->column);
    km_buf_str(b, c->only->after);
}
