/* SPDX-License-Identifier: Apache-2.0 */
/* narrow_text.c - what stands in the place of a narrowed relation; see narrow.h.
 *
 *     (SELECT "id", '***'::text AS "email" FROM "public"."orders")           columns alone
 *
 *     (SELECT CASE WHEN "tenant" = 'a' THEN "id" END AS "id", ...            with rows left out
 *      FROM "public"."orders" WHERE "tenant" = 'a' OFFSET 0)
 *
 * Values are quoted as literals here, since they come from the operator.
 *
 * Rows that are left out must not be met by what the caller wrote, or an error, a function that
 * tells, or an estimate would show their values.  PostgreSQL has views with security_barrier for
 * that; a role that may create nothing has two other means, and both are used.  OFFSET keeps the
 * subselect apart: no condition goes down into it.  And each column is an expression that is null
 * outside of the rows: should a planner find a way around the first, there is nothing to be met,
 * and since it is no plain column any more, no statistics of all rows belong to it, which planners
 * would try the caller's operators on and show in estimates.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "servers/postgres/narrow.h"
#include "servers/postgres/page.h"

#define CONDITION_BYTES ((size_t)16 * 1024)
#define ROW "kanmon_row" /* the whole row, where all columns are shown */
#define ALWAYS "pg_catalog.now() IS NOT NULL" /* true, but not to a planner */

static void put_literal(struct km_buf *b, struct km_str s)
{
    km_buf_str(b, KM_STR("'"));
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\'')
            km_buf_byte(b, '\'');
        km_buf_byte(b, s.p[i]);
    }
    km_buf_str(b, KM_STR("'"));
}

static void put_relation(struct km_buf *b, struct km_str relation)
{
    size_t dot = km_str_chr(relation, '.');

    km_pg_quote(b, km_str_sub(relation, 0, dot));
    km_buf_byte(b, '.');
    km_pg_quote(b, km_str_skip(relation, dot + 1));
}

static const struct km_json *member_of(const struct km_json *object, struct km_str name)
{
    const struct km_json *value;
    struct km_json_iter it;
    struct km_str key;

    for (km_json_iter(object, &it); km_json_next(&it, &key, &value);)
        if (km_str_eq(key, name))
            return value;
    return NULL;
}

/* condition: which rows are shown; empty: all. */
static void put_columns(struct km_buf *b, const struct km_json *by, struct km_str condition)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str unused, name, text;
    size_t n = 0;

    for (km_json_iter(km_json_get(by, "columns"), &it); km_json_next(&it, &unused, &item);) {
        const struct km_json *masked;

        if (!km_json_string(item, &name))
            continue;
        masked = member_of(km_json_get(by, "mask"), name);
        km_buf_str(b, n++ ? KM_STR(", ") : KM_STR(""));
        if (masked && km_json_string(masked, &text)) {
            put_literal(b, text);
        } else if (masked) {
            km_buf_str(b, KM_STR("NULL"));
        } else if (condition.n) {
            km_buf_printf(b, "CASE WHEN %.*s THEN ", KM_STR_ARG(condition));
            km_pg_quote(b, name);
            km_buf_str(b, KM_STR(" END AS "));
        }
        km_buf_str(b, masked ? KM_STR("::text AS ") : KM_STR(""));
        km_pg_quote(b, name);
    }
    if (!n && condition.n)
        km_buf_printf(b, "(CASE WHEN %.*s THEN " ROW " END).*", KM_STR_ARG(condition));
    else if (!n)
        km_buf_byte(b, '*');
}

/* A value of the file, of the environment, or of the caller's key.  Without a p: the variable is
 * not set, so there is no row for it. */
static int value_of(const struct km_json *v, const struct km_json *values, struct km_str *ret,
                    struct km_err *err)
{
    char name[128] = "";
    struct km_str word;

    *ret = KM_STR_NONE;
    if (km_json_string(v, ret) || km_json_number(v, ret))
        return 0;
    if (km_json_string(km_json_get(v, "key"), &word)) {
        const struct km_json *value = member_of(values, word);

        return km_json_string(value, ret) || km_json_number(value, ret)
                   ? 0
                   : km_fail(err, KM_E_FORBIDDEN,
                             "a relation of this statement is narrowed by '%.*s', which the key "
                             "does not have: its object_permission.mcp_values says it",
                             KM_STR_ARG(word));
    }
    if (km_json_string(km_json_get(v, "env"), &word) && word.n < sizeof name) {
        memcpy(name, word.p, word.n);
        *ret = km_str_c(getenv(name));
    }
    return 0;
}

static int put_condition(struct km_buf *b, const struct km_json *by, const struct km_json *values,
                         struct km_err *err)
{
    const struct km_json *value;
    struct km_json_iter it;
    struct km_str key, text;
    size_t n = 0;

    for (km_json_iter(km_json_get(by, "where"), &it); km_json_next(&it, &key, &value);) {
        if (value_of(value, values, &text, err) < 0)
            return KM_E_FORBIDDEN;
        km_buf_str(b, n++ ? KM_STR(" AND ") : KM_STR(""));
        if (!text.p) {
            km_buf_str(b, KM_STR("false"));
            continue;
        }
        km_pg_quote(b, key);
        km_buf_str(b, KM_STR(" = "));
        put_literal(b, text);
    }
    if (!n && km_json_get(by, "instead"))
        km_buf_str(b, KM_STR(ALWAYS)); /* its rows are the view's secret */
    return km_buf_failed(b) ? km_fail(err, KM_E_LIMIT, "a condition is too large") : 0;
}

int km_pg_narrow_put(struct km_buf *b, const struct km_json *by, struct km_str alias,
                     const struct km_json *values, struct km_err *err)
{
    struct km_buf condition KM_CLEANUP(km_buf_done) = KM_BUF(CONDITION_BYTES);
    struct km_str relation = KM_STR_NONE;

    if (put_condition(&condition, by, values, err) < 0)
        return KM_E_FORBIDDEN;
    if (!km_json_string(km_json_get(by, "instead"), &relation))
        (void)km_json_string(km_json_get(by, "relation"), &relation);
    km_buf_str(b, KM_STR("(SELECT "));
    put_columns(b, by, km_buf_view(&condition));
    km_buf_str(b, KM_STR(" FROM "));
    put_relation(b, relation);
    if (condition.n)
        km_buf_printf(b, " AS " ROW " WHERE %.*s OFFSET 0", KM_STR_ARG(km_buf_view(&condition)));
    km_buf_byte(b, ')');
    if (alias.n) {
        km_buf_str(b, KM_STR(" AS "));
        km_pg_quote(b, alias);
    }
    return 0;
}
