/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "host/added.h"

static int make(void **state)
{
    *state = km_added_new(&km_added_servers);
    return *state ? 0 : -1;
}

static int unmake(void **state)
{
    km_added_free(*state);
    return 0;
}

static int set(struct km_added *a, const char *name, const char *json)
{
    struct km_err err = { 0 };
    int r = km_added_set(a, km_str_c(name), km_str_c(json), &err);

    assert_int_equal(err.code, r);
    return r;
}

static void assert_text(const struct km_added *a, const char *wanted)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1 << 16);

    km_added_text(a, &b);
    km_buf_byte(&b, '\0');
    assert_string_equal(b.p, wanted);
}

static void what_is_added_is_text_in_its_order(void **state)
{
    struct km_added *a = *state;

    assert_text(a, "");
    assert_int_equal(set(a, "one", "{\"url\":\"a\"}"), 0);
    assert_int_equal(set(a, "t\"wo", "{}"), 0);
    assert_text(a, "{\"mcp_servers\":{\n\"one\":{\"url\":\"a\"},\n\"t\\\"wo\":{}\n}}");
    assert_int_equal(km_added_count(a), 2);
    assert_true(km_str_eq(km_added_get(a, KM_STR("one")), KM_STR("{\"url\":\"a\"}")));
    assert_null(km_added_get(a, KM_STR("on")).p);
}

static void what_is_set_again_keeps_its_place(void **state)
{
    struct km_added *a = *state;

    assert_int_equal(set(a, "one", "{}"), 0);
    assert_int_equal(set(a, "two", "{}"), 0);
    assert_int_equal(set(a, "one", "{\"longer\":true}"), 0);
    assert_text(a, "{\"mcp_servers\":{\n\"one\":{\"longer\":true},\n\"two\":{}\n}}");
}

static void what_is_removed_is_gone_and_what_never_was_may_be_removed(void **state)
{
    struct km_added *a = *state;

    assert_int_equal(set(a, "one", "{}"), 0);
    assert_int_equal(set(a, "two", "{}"), 0);
    assert_int_equal(set(a, "three", "{}"), 0);
    assert_int_equal(set(a, "two", ""), 0);
    assert_int_equal(set(a, "two", ""), 0);
    assert_text(a, "{\"mcp_servers\":{\n\"one\":{},\n\"three\":{}\n}}");
    assert_int_equal(set(a, "one", ""), 0);
    assert_int_equal(set(a, "three", ""), 0);
    assert_int_equal(km_added_count(a), 0);
}

static void one_more_than_there_may_be_is_refused_and_changes_nothing(void **state)
{
    struct km_added *a = *state;
    char name[16];

    for (int i = 0; i < KM_MCP_ADDED_MOST; i++) {
        snprintf(name, sizeof name, "s%d", i);
        assert_int_equal(set(a, name, "{}"), 0);
    }
    assert_int_equal(set(a, "more", "{}"), KM_E_LIMIT);
    assert_null(km_added_get(a, KM_STR("more")).p);
    assert_int_equal(set(a, "s7", "{\"other\":1}"), 0); /* takes no place */
    assert_int_equal(set(a, "s8", ""), 0);
    assert_int_equal(set(a, "more", "{}"), 0);
}

static void their_bytes_are_bounded_and_come_back(void **state)
{
    struct km_added *a = *state;
    const size_t half = KM_MCP_ADDED_BYTES / 2;
    char *json = calloc(1, half + 1);

    memset(json, ' ', half);
    json[0] = '{';
    json[half - 1] = '}';
    assert_int_equal(set(a, "one", json), 0);
    assert_int_equal(set(a, "two", json), KM_E_LIMIT); /* the names count, too */
    assert_int_equal(km_added_count(a), 1);
    assert_int_equal(set(a, "one", "{}"), 0);
    assert_int_equal(set(a, "two", json), 0);
    assert_int_equal(set(a, "two", ""), 0);
    assert_int_equal(set(a, "three", json), 0);
    free(json);
}

static void models_are_a_list_an_entry_a_line(void **state)
{
    struct km_added *a = km_added_new(&km_added_models);

    (void)state;
    assert_int_equal(set(a, "id-1", "{\"model_name\":\"a\"}"), 0);
    assert_int_equal(set(a, "id-2", "{\"model_name\":\"b\"}"), 0);
    assert_text(a, "{\"model_list\":[\n{\"model_name\":\"a\"},\n{\"model_name\":\"b\"}\n]}");
    km_added_free(a);
}

static void a_line_that_is_wrong_is_left_out_until_it_is_set_again(void **state)
{
    struct km_added *a = *state;

    assert_int_equal(set(a, "one", "1"), 0);
    assert_int_equal(set(a, "two", "2"), 0);
    assert_int_equal(set(a, "three", "3"), 0);
    assert_null(km_added_leave_out(a, 1).p); /* the opening */
    assert_null(km_added_leave_out(a, 5).p); /* the end */
    assert_true(km_str_eq(km_added_leave_out(a, 3), KM_STR("two")));
    assert_text(a, "{\"mcp_servers\":{\n\"one\":1,\n\"three\":3\n}}");
    assert_true(km_str_eq(km_added_leave_out(a, 3), KM_STR("three"))); /* lines of today's text */
    assert_int_equal(km_added_count(a), 3);
    assert_true(km_str_eq(km_added_get(a, KM_STR("two")), KM_STR("2")));
    assert_int_equal(set(a, "two", "4"), 0);
    assert_text(a, "{\"mcp_servers\":{\n\"one\":1,\n\"two\":4\n}}");
    (void)km_added_leave_out(a, 0);
    assert_text(a, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, unmake)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_added_is_text_in_its_order),
        TEST(what_is_set_again_keeps_its_place),
        TEST(what_is_removed_is_gone_and_what_never_was_may_be_removed),
        TEST(one_more_than_there_may_be_is_refused_and_changes_nothing),
        TEST(their_bytes_are_bounded_and_come_back),
        TEST(a_line_that_is_wrong_is_left_out_until_it_is_set_again),
        cmocka_unit_test(models_are_a_list_an_entry_a_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
