/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "servers/postgres/cost.h"

static void only_what_has_a_plan_and_runs_it_is_asked(void **state)
{
    (void)state;
    assert_true(km_pg_cost_asks(&(struct km_pg_verdict){ .root = "SelectStmt" }));
    assert_true(km_pg_cost_asks(&(struct km_pg_verdict){ .root = "MergeStmt" }));
    assert_false(km_pg_cost_asks(&(struct km_pg_verdict){ .root = "VariableShowStmt" }));
    assert_false(km_pg_cost_asks(&(struct km_pg_verdict){ 0 }));
    assert_false(
        km_pg_cost_asks(&(struct km_pg_verdict){ .root = "SelectStmt", .explains = true }));
    assert_true(km_pg_cost_asks(
        &(struct km_pg_verdict){ .root = "ExplainStmt", .explains = true, .analyzes = true }));
}

/* expected NULL: refused.  place: a byte of the text that came, where it is in the one sent. */
static void becomes(const char *sql, const char *expected)
{
    struct km_pg_verdict v = { .sql = km_str_c(sql), .explains = sql[0] != 'S' };
    struct km_arena arena;
    struct km_err err = { 0 };
    const char *text;
    int shift = 0;

    km_arena_init(&arena, (size_t)64 * 1024, NULL);
    text = km_pg_cost_sql(&arena, &v, &shift, &err);
    if (expected) {
        size_t at = km_str_chr(km_str_c(sql), '#'); /* marks a place, after plain ASCII only */

        assert_string_equal(text, expected);
        if (at < v.sql.n)
            assert_int_equal(text[(int)at + shift], '#');
    } else {
        assert_null(text);
        assert_int_equal(err.code, KM_E_INVALID);
    }
    km_arena_done(&arena);
}

static void the_plan_is_asked_for_and_nothing_runs(void **state)
{
    (void)state;
    becomes("SELECT 1 # 2", "EXPLAIN (FORMAT JSON) SELECT 1 # 2");
    becomes("EXPLAIN ANALYZE SELECT 1 # 2", "EXPLAIN (FORMAT JSON) SELECT 1 # 2");
    becomes("explain analyse VERBOSE SELECT 1", "EXPLAIN (FORMAT JSON) SELECT 1");
    becomes("EXPLAIN (ANALYZE, BUFFERS) SELECT 1 # 2", "EXPLAIN (FORMAT JSON) SELECT 1 # 2");
    becomes("/* a /* b */ c */ EXPLAIN -- d\n (ANALYZE) /**/ SELECT 1",
            "EXPLAIN (FORMAT JSON) SELECT 1");
}

static void what_could_hide_a_bracket_is_refused(void **state)
{
    (void)state;
    becomes("EXPLAIN (ANALYZE 'on)') SELECT 1", NULL);
    becomes("EXPLAIN (ANALYZE /* ) */) SELECT 1", NULL);
    becomes("EXPLAIN (ANALYZE", NULL);
    becomes("(EXPLAIN ANALYZE SELECT 1)", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_has_a_plan_and_runs_it_is_asked),
        cmocka_unit_test(the_plan_is_asked_for_and_nothing_runs),
        cmocka_unit_test(what_could_hide_a_bracket_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
