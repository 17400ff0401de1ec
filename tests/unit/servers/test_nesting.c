/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "servers/postgres/nesting.h"

/* `again` n times between head and tail. */
static int depth_ok(const char *head, const char *again, size_t n, const char *tail)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF((size_t)1 << 20);
    size_t at;

    km_buf_str(&b, km_str_c(head));
    for (size_t i = 0; i < n; i++)
        km_buf_str(&b, km_str_c(again));
    km_buf_str(&b, km_str_c(tail));
    return km_pg_nesting(km_buf_view(&b), &at, NULL);
}

static void chains_count(void **state)
{
    (void)state;
    assert_int_equal(depth_ok("SELECT ", "a + ", 900, "1"), 0);
    assert_int_equal(depth_ok("SELECT ", "a + ", 1100, "1"), KM_E_LIMIT);
    assert_int_equal(depth_ok("SELECT ", "a + a, ", 5000, "1"), 0);
    assert_int_equal(depth_ok("SELECT ", "a = 1 AND ", 5000, "1"), 0);
    assert_int_equal(depth_ok("SELECT a", " BETWEEN 1 AND 2 IS NULL", 1000, ""), KM_E_LIMIT);
    assert_int_equal(depth_ok("SELECT 1, 2", " UNION SELECT 1, 2", 2000, ""), KM_E_LIMIT);
}

static void what_stands_in_quotes_and_comments_does_not(void **state)
{
    static const char *const cases[] = {
        "'+(+(', ", "\"((\", ", "$$(((($$, ", "$a$ $$ ((( $b$ $a$, ", "E'\\'((', ",
        "/* (( /* (( */ (( */ 1, ", "-- ((((\n1, ", "'it''s (', ", "1$$(($$, ",
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (depth_ok("SELECT ", cases[i], 2000, "1") != 0)
            fail_msg("case %zu", i);
}

static void what_only_looks_quoted_does(void **state)
{
    static const char *const cases[] = {
        "'\\' + ", "1 /* */ + ", "1 --\n + ", "a$b$ + ", "E'\\\\' + ", "$1 + ", "xe'' + ",
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (depth_ok("SELECT ", cases[i], 2000, "1") != KM_E_LIMIT)
            fail_msg("case %zu", i);
}

static void brackets_have_a_bound_of_their_own(void **state)
{
    (void)state;
    assert_int_equal(depth_ok("SELECT          ", "(  ", 240, "1"), 0);
    assert_int_equal(depth_ok("SELECT          ", "(     ", 260, "1"), KM_E_LIMIT);
    assert_int_equal(depth_ok("SELECT ", "(1), ", 5000, "1"), 0);
    assert_int_equal(depth_ok("SELECT ", "a[1], ", 5000, "1"), 0);
    assert_int_equal(depth_ok("SELECT ", "CASE WHEN a THEN 1 END, ", 5000, "1"), 0);
    assert_int_equal(depth_ok("SELECT ", "))]] end ", 5000, "1"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chains_count),
        cmocka_unit_test(what_stands_in_quotes_and_comments_does_not),
        cmocka_unit_test(what_only_looks_quoted_does),
        cmocka_unit_test(brackets_have_a_bound_of_their_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
