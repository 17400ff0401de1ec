/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "llm/usage.h"

struct fixture {
    struct km_arena arena;
};

static const struct km_json *parse(struct fixture *f, const char *text)
{
    const struct km_json *root = NULL;

    assert_int_equal(km_json_parse(&f->arena, km_str_c(text), &root, NULL), 0);
    return root;
}

static void what_is_no_count_spoils_the_report(void **state)
{
    static const char *const values[] = {
        "-1",  "-5",   "1.5", "1e300",    "-1e300", "99999999999999999999", "100000001",
        "\"5\"", "true", "[]",  "{\"n\":1}", "1e-1",  "9223372036854775808",
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char text[64];
        bool count = false, due = false, replace = false;
        int64_t kept = 7;

        snprintf(text, sizeof text, "{\"n\":%s}", values[i]);
        assert_int_equal(km_usage_count(parse(f, text), "n", &count), 0);
        assert_int_equal(km_usage_due(parse(f, text), "n", &due), 0);
        km_usage_replace(parse(f, text), "n", &kept, &replace);
        assert_true(count && due && replace);
    }
}

static void seconds_are_judged_like_counts(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
        bool bad;
    } rows[] = {
        { "2.48", 2480, false },
        { "0", 0, false },
        { "null", 0, false },
        { "0.0001", 1, false },
        { "864000", KM_MS_SAID_MOST, false },
        { "-1", 0, true },
        { "9e12", 0, true },
        { "864000.1", 0, true },
        { "\"5\"", 0, true },
        { "true", 0, true },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[64];
        bool bad = false;

        snprintf(text, sizeof text, "{\"n\":%s}", rows[i].text);
        assert_int_equal(km_usage_ms(parse(f, text), "n", &bad), rows[i].ms);
        assert_int_equal(bad, rows[i].bad);
    }
}

static void a_count_is_taken_as_it_stands(void **state)
{
    static const struct {
        const char *text;
        int64_t n;
    } rows[] = {
        { "0", 0 }, { "7", 7 }, { "7.0", 7 }, { "1e3", 1000 }, { "100000000", KM_TOKENS_SAID_MOST }
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[64];
        bool bad = false;
        int64_t kept = 1;

        snprintf(text, sizeof text, "{\"n\":%s}", rows[i].text);
        assert_int_equal(km_usage_count(parse(f, text), "n", &bad), rows[i].n);
        assert_int_equal(km_usage_due(parse(f, text), "n", &bad), rows[i].n);
        km_usage_replace(parse(f, text), "n", &kept, &bad);
        assert_int_equal(kept, rows[i].n);
        assert_false(bad);
    }
}

static void null_and_absent_are_nothing_where_nothing_is_due(void **state)
{
    static const char *const texts[] = { "{}", "{\"n\":null}" };
    struct fixture *f = *state;

    for (size_t i = 0; i < 2; i++) {
        bool bad = false;
        int64_t kept = 7;

        assert_int_equal(km_usage_count(parse(f, texts[i]), "n", &bad), 0);
        km_usage_replace(parse(f, texts[i]), "n", &kept, &bad);
        assert_int_equal(kept, 7);
        assert_false(bad);
        assert_int_equal(km_usage_due(parse(f, texts[i]), "n", &bad), 0);
        assert_true(bad);
    }
}

static void a_header_is_a_count_or_nonsense(void **state)
{
    bool bad = false;

    (void)state;
    assert_int_equal(km_usage_text(KM_STR("12"), &bad), 12);
    assert_false(bad);
    assert_int_equal(km_usage_text(KM_STR("-12"), &bad), 0);
    assert_true(bad);
    bad = false;
    assert_int_equal(km_usage_text(KM_STR("twelve"), &bad), 0);
    assert_true(bad);
}

static int set_up(void **state)
{
    static struct fixture f;

    km_arena_init(&f.arena, 1 << 20, NULL);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    km_arena_done(&f->arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_no_count_spoils_the_report, set_up, tear_down),
        cmocka_unit_test_setup_teardown(seconds_are_judged_like_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_count_is_taken_as_it_stands, set_up, tear_down),
        cmocka_unit_test_setup_teardown(null_and_absent_are_nothing_where_nothing_is_due, set_up,
                                        tear_down),
        cmocka_unit_test(a_header_is_a_count_or_nonsense),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
