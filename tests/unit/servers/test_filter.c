/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "servers/postgres/relation.h"

static struct km_pg_column columns[] = {
    { .name = { "qty", 3 }, .type = { "int4", 4 }, .oid = 23, .pinned = true },
    { .name = { "o\"dd", 4 }, .type = { "text", 4 }, .oid = 25, .pinned = true },
    { .name = { "place", 5 }, .type = { "geometry", 8 }, .oid = 99999 },
};
static const struct km_pg_relation relation = { .columns = columns, .ncolumns = 3 };

/* The filter as SQL; *ret_n: bound values.  NULL: refused, with err. */
static const char *made(struct km_arena *arena, const char *json, unsigned *ret_n,
                        struct km_err *err)
{
    const struct km_json *filter;
    struct km_pg_build *b = km_arena_zalloc(arena, sizeof *b); /* freed when the arena ends */

    assert_non_null(b);
    assert_int_equal(km_json_parse(arena, km_str_c(json), &filter, err), 0);
    assert_int_equal(km_pg_build_init(b, arena, &relation, err), 0);
    if (km_pg_build_filter(b, filter, err) < 0)
        return NULL;
    *ret_n = b->n;
    return km_arena_cstr(arena, km_buf_view(&b->sql));
}

static void becomes(const char *json, const char *expected, unsigned values)
{
    struct km_arena arena;
    struct km_err err = { 0 };
    unsigned n = 0;
    const char *sql;

    km_arena_init(&arena, (size_t)4 * 1024 * 1024, NULL);
    sql = made(&arena, json, &n, &err);
    assert_string_equal(sql ? sql : err.text, expected);
    assert_int_equal(n, values);
    km_arena_done(&arena);
}

static void is_refused(const char *json, int code, const char *word)
{
    struct km_arena arena;
    struct km_err err = { 0 };
    unsigned n;

    km_arena_init(&arena, (size_t)4 * 1024 * 1024, NULL);
    assert_null(made(&arena, json, &n, &err));
    assert_int_equal(err.code, code);
    assert_true(km_str_find(km_str_c(err.text), km_str_c(word)) < km_str_c(err.text).n);
    km_arena_done(&arena);
}

static void values_are_bound_and_names_are_quoted(void **state)
{
    (void)state;
    becomes("{\"column\": \"qty\", \"op\": \"gt\", \"value\": 5}",
            "(\"qty\" OPERATOR(pg_catalog.>) $1)", 1);
    becomes("{\"column\": \"o\\\"dd\", \"op\": \"eq\", \"value\": \"'; DROP TABLE t; --\"}",
            "(\"o\"\"dd\" OPERATOR(pg_catalog.=) $1)", 1);
    becomes("{\"column\": \"place\", \"op\": \"overlaps\", \"value\": \"x\"}", "(\"place\" && $1)",
            1);
    becomes("{\"column\": \"qty\", \"op\": \"is_null\"}", "(\"qty\" IS NULL)", 0);
}

static void conditions_are_bracketed_as_they_were_nested(void **state)
{
    (void)state;
    becomes("{\"or\": [{\"column\": \"qty\", \"op\": \"in\", \"value\": [1, 2]}, {\"not\": "
            "{\"and\": [{\"column\": \"qty\", \"op\": \"between\", \"value\": [3, 4]}, "
            "{\"column\": \"qty\", \"op\": \"is_not_null\"}]}}]}",
            "((\"qty\" OPERATOR(pg_catalog.=) $1 OR \"qty\" OPERATOR(pg_catalog.=) $2) OR (NOT "
            "((\"qty\" OPERATOR(pg_catalog.>=) $3 AND \"qty\" OPERATOR(pg_catalog.<=) $4) AND "
            "(\"qty\" IS NOT NULL))))",
            4);
}

/* Each would be true for every row, or say something that nobody reads. */
static void what_is_no_condition_is_refused(void **state)
{
    (void)state;
    is_refused("{}", KM_E_INVALID, "empty");
    is_refused("{\"and\": []}", KM_E_INVALID, "empty");
    is_refused("[]", KM_E_INVALID, "object");
    is_refused("{\"column\": \"qty\", \"op\": \"in\", \"value\": []}", KM_E_INVALID, "list");
    is_refused("{\"column\": \"qty\", \"op\": \"between\", \"value\": [1]}", KM_E_INVALID, "two");
    is_refused("{\"column\": \"qty\", \"op\": \"= 1 OR 1\", \"value\": 1}", KM_E_INVALID,
               "operator");
    is_refused("{\"column\": \"none\", \"op\": \"eq\", \"value\": 1}", KM_E_INVALID, "qty");
    is_refused("{\"column\": \"qty\", \"op\": \"eq\", \"value\": 1, \"or\": []}", KM_E_INVALID,
               "alone");
    is_refused("{\"column\": \"qty\", \"op\": \"eq\", \"value\": 1, \"x\": 1}", KM_E_INVALID,
               "only");
}

static void depth_and_number_have_a_bound(void **state)
{
    struct km_buf deep = KM_BUF(65536), wide = KM_BUF(65536);

    (void)state;
    for (int i = 0; i <= KM_PG_FILTER_DEPTH; i++)
        km_buf_str(&deep, KM_STR("{\"not\": "));
    km_buf_str(&deep, KM_STR("{\"column\": \"qty\", \"op\": \"is_null\"}"));
    for (int i = 0; i <= KM_PG_FILTER_DEPTH; i++)
        km_buf_byte(&deep, '}');
    km_buf_str(&wide, KM_STR("{\"and\": ["));
    for (int i = 0; i < KM_PG_FILTER_NODES; i++)
        km_buf_str(&wide, KM_STR("{\"column\": \"qty\", \"op\": \"is_null\"},"));
    km_buf_str(&wide, KM_STR("{\"column\": \"qty\", \"op\": \"is_null\"}]}"));
    km_buf_byte(&deep, '\0');
    km_buf_byte(&wide, '\0');
    is_refused(km_buf_view(&deep).p, KM_E_LIMIT, "deep");
    is_refused(km_buf_view(&wide).p, KM_E_LIMIT, "conditions");
    km_buf_done(&deep);
    km_buf_done(&wide);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_bound_and_names_are_quoted),
        cmocka_unit_test(conditions_are_bracketed_as_they_were_nested),
        cmocka_unit_test(what_is_no_condition_is_refused),
        cmocka_unit_test(depth_and_number_have_a_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
