/* SPDX-License-Identifier: Apache-2.0 */
/* filter.c - a typed tree of conditions as SQL; see relation.h.
 *
 *     {"and": [{"column": "qty", "op": "gt", "value": 5},
 *              {"not": {"column": "name", "op": "in", "value": ["a", "b"]}}]}
 *
 *     (("qty" OPERATOR(pg_catalog.>) $1) AND (NOT ("name" OPERATOR(pg_catalog.=) $2 OR ...)))
 *
 * Columns come from the catalogue, operators from the list below, values are bound; there is no
 * fourth kind of thing.  A group without conditions is refused: it would be true for every row.
 * A type that is an extension's has its operators elsewhere: they are written plainly, and the
 * guard looks up whose they are.
 */
#include "servers/postgres/relation.h"

#include <string.h>

enum shape { ONE, NONE, LIST, PAIR };

static const struct op {
    const char *word, *also, *sql;
    enum shape shape;
} ops[] = {
    { "eq", "=", "=", ONE },
    { "ne", "<>", "<>", ONE },
    { "lt", "<", "<", ONE },
    { "lte", "<=", "<=", ONE },
    { "gt", ">", ">", ONE },
    { "gte", ">=", ">=", ONE },
    { "like", NULL, "~~", ONE },
    { "not_like", NULL, "!~~", ONE },
    { "ilike", NULL, "~~*", ONE },
    { "contains", "@>", "@>", ONE },
    { "contained_by", "<@", "<@", ONE },
    { "overlaps", "&&", "&&", ONE },
    { "is_null", NULL, "IS NULL", NONE },
    { "is_not_null", NULL, "IS NOT NULL", NONE },
    { "in", NULL, "=", LIST },
    { "between", NULL, NULL, PAIR },
};

static const struct op *find(struct km_str word)
{
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        if (km_str_eq(word, km_str_c(ops[i].word)) ||
            (ops[i].also && km_str_eq(word, km_str_c(ops[i].also))))
            return &ops[i];
    return NULL;
}

/* "qty" OPERATOR(pg_catalog.>) $1 */
static int put_compare(struct km_pg_build *b, const struct km_pg_column *c, const char *op,
                       const struct km_json *value, struct km_err *err)
{
    if (km_json_kind(value) == KM_JSON_NULL || !value)
        return km_fail(err, KM_E_INVALID,
                       "filter: %.*s is compared with nothing: a value, or the op is_null",
                       KM_STR_ARG(c->name));
    km_pg_build_name(b, c);
    km_buf_printf(&b->sql, c->pinned ? " OPERATOR(pg_catalog.%s) " : " %s ", op);
    return km_pg_build_value(b, c, value, err);
}

static int put_list(struct km_pg_build *b, const struct km_pg_column *c, const struct op *op,
                    const struct km_json *list, struct km_err *err)
{
    bool pair = op->shape == PAIR;
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str unused;
    size_t n = km_json_count(list);
    int r = 0;

    if (km_json_kind(list) != KM_JSON_ARRAY || n == 0 || (pair && n != 2))
        return km_fail(err, KM_E_INVALID, "filter: %s takes a list of %s", op->word,
                       pair ? "two values" : "one value or more");
    km_json_iter(list, &it);
    for (size_t i = 0; r == 0 && km_json_next(&it, &unused, &item); i++) {
        if (i)
            km_pg_build_text(b, pair ? " AND " : " OR ");
        r = put_compare(b, c, !pair ? "=" : i ? "<=" : ">=", item, err);
    }
    return r;
}

static int put_condition(struct km_pg_build *b, const struct km_json *f, struct km_err *err)
{
    const struct km_json *value = km_json_get(f, "value");
    const struct km_pg_column *c;
    struct km_str column, word = KM_STR_NONE;
    const struct op *op;

    if (!km_json_string(km_json_get(f, "column"), &column))
        return km_fail(err, KM_E_INVALID,
                       "filter: a condition is {column, op, value}, {and: [...]}, {or: [...]} or "
                       "{not: {...}}");
    if (km_json_count(f) != (value ? 3u : 2u))
        return km_fail(err, KM_E_INVALID, "filter: a condition has column, op and value only");
    (void)km_json_string(km_json_get(f, "op"), &word);
    op = find(word);
    if (!op)
        return km_fail(err, KM_E_INVALID,
                       "filter: no operator '%.*s'; there are eq, ne, lt, lte, gt, gte, like, "
                       "not_like, ilike, in, between, contains, contained_by, overlaps, is_null, "
                       "is_not_null",
                       KM_STR_ARG(km_str_sub(word, 0, 32)));
    c = km_pg_relation_column(b->rel, column, err);
    if (!c)
        return KM_E_INVALID;
    if (op->shape == ONE)
        return put_compare(b, c, op->sql, value, err);
    if (op->shape != NONE)
        return put_list(b, c, op, value, err);
    km_pg_build_name(b, c);
    km_buf_printf(&b->sql, " %s", op->sql);
    return 0;
}

static int put_filter(struct km_pg_build *b, const struct km_json *f, unsigned depth,
                      struct km_err *err);

static int put_group(struct km_pg_build *b, const struct km_json *list, const char *between,
                     unsigned depth, struct km_err *err)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str unused;
    int r = 0;

    if (km_json_kind(list) != KM_JSON_ARRAY || !km_json_count(list))
        return km_fail(err, KM_E_INVALID,
                       "filter: and, or take a list of conditions, not an empty "
                       "one");
    km_json_iter(list, &it);
    for (size_t i = 0; r == 0 && km_json_next(&it, &unused, &item); i++) {
        if (i)
            km_pg_build_text(b, between);
        r = put_filter(b, item, depth + 1, err);
    }
    return r;
}

static int put_filter(struct km_pg_build *b, const struct km_json *f, unsigned depth,
                      struct km_err *err)
{
    const struct km_json *all = km_json_get(f, "and"), *any = km_json_get(f, "or");
    const struct km_json *no = km_json_get(f, "not");
    int r;

    if (depth > KM_PG_FILTER_DEPTH || ++b->nodes > KM_PG_FILTER_NODES)
        return km_fail(err, KM_E_LIMIT, "filter: at most %d conditions, %d deep",
                       KM_PG_FILTER_NODES, KM_PG_FILTER_DEPTH);
    if (km_json_kind(f) != KM_JSON_OBJECT || !km_json_count(f))
        return km_fail(err, KM_E_INVALID, "filter: an object with a condition, not an empty one");
    if ((all || any || no) && km_json_count(f) != 1)
        return km_fail(err, KM_E_INVALID, "filter: and, or, not stand alone in their object");
    km_pg_build_text(b, no ? "(NOT " : "(");
    if (all)
        r = put_group(b, all, " AND ", depth, err);
    else if (any)
        r = put_group(b, any, " OR ", depth, err);
    else if (no)
        r = put_filter(b, no, depth + 1, err);
    else
        r = put_condition(b, f, err);
    km_pg_build_text(b, ")");
    return r;
}

int km_pg_build_filter(struct km_pg_build *b, const struct km_json *filter, struct km_err *err)
{
    return put_filter(b, filter, 0, err);
}
