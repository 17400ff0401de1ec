/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "policy/usage_limits.h"

#define UNSAID \
    { .bound_sent = -1, .known_max = -1, .answers = 1, .bytes_sent = 1000, .window = -1 }

static bool output_is_possible(const struct km_usage_limits *l, int64_t tokens)
{
    const struct km_usage u = { .completion_tokens = tokens };

    return km_usage_is_possible(&u, l);
}

static bool input_is_possible(const struct km_usage_limits *l, int64_t tokens)
{
    const struct km_usage u = { .prompt_tokens = tokens };

    return km_usage_is_possible(&u, l);
}

static void output_may_be_twice_its_bound(void **state)
{
    struct km_usage_limits l = UNSAID;

    (void)state;
    assert_true(output_is_possible(&l, KM_OUTPUT_MOST));
    assert_false(output_is_possible(&l, KM_OUTPUT_MOST + 1));
    l.known_max = 8192;
    assert_true(output_is_possible(&l, 16384));
    assert_false(output_is_possible(&l, 16385));
    l.bound_sent = 10;
    assert_true(output_is_possible(&l, 20));
    assert_false(output_is_possible(&l, 21));
    l.bound_sent = 0;
    assert_true(output_is_possible(&l, 0));
    assert_false(output_is_possible(&l, 1));
    l.bound_sent = 10;
    l.answers = 3;
    assert_true(output_is_possible(&l, 60));
    assert_false(output_is_possible(&l, 61));
    l.answers = 0;
    assert_true(output_is_possible(&l, 20));
    l.bound_sent = INT64_MAX;
    assert_true(output_is_possible(&l, INT64_MAX));
}

static void input_is_what_was_sent(void **state)
{
    struct km_usage_limits l = UNSAID;

    (void)state;
    l.window = 1000000; /* says nothing where nothing else is read */
    assert_true(input_is_possible(&l, 1000 + KM_INPUT_SLACK));
    assert_false(input_is_possible(&l, 1001 + KM_INPUT_SLACK));
    l.bytes_sent = INT64_MAX;
    assert_true(input_is_possible(&l, INT64_MAX));
}

static void input_that_is_open_may_fill_the_window(void **state)
{
    struct km_usage_limits l = UNSAID;

    (void)state;
    l.opens_input = true;
    assert_true(input_is_possible(&l, KM_INPUT_MOST));
    assert_false(input_is_possible(&l, KM_INPUT_MOST + 1));
    l.window = 200000;
    assert_true(input_is_possible(&l, 200000));
    assert_false(input_is_possible(&l, 200001));
    l.window = 100; /* less than was sent: what was sent is possible */
    assert_true(input_is_possible(&l, 1000 + KM_INPUT_SLACK));
    assert_false(input_is_possible(&l, 1001 + KM_INPUT_SLACK));
}

static void no_count_is_negative(void **state)
{
    const struct km_usage_limits l = UNSAID;
    const struct km_usage impossible[] = {
        { .prompt_tokens = -1 },
        { .completion_tokens = -1 },
        { .cached_tokens = -1 },
        { .cache_write_tokens = -1 },
        { .cache_write_1h_tokens = INT64_MIN },
        { .reasoning_tokens = -1 },
        { .audio_tokens = -1 },
        { .image_tokens = -1 },
        { .audio_cached_tokens = -1 },
        { .image_cached_tokens = -1 },
        { .audio_completion_tokens = -1 },
        { .audio_ms = -1 },
        { .pages = -1 },
        { .annotated_pages = -1 },
        { .queries = -1 },
        { .hosted = { [KM_HOSTED_WEB_SEARCH] = -1 } },
        { .hosted = { [KM_HOSTED_FILE_SEARCH] = -1 } },
        { .media = { .images = -1 } },
        { .media = { .pixels = -1 } },
        { .media = { .characters = -1 } },
        { .media = { .image_tokens = -1 } },
    };
    const struct km_usage possible = { .prompt_tokens = 5,
                                       .cached_tokens = 5,
                                       .completion_tokens = 3,
                                       .reasoning_tokens = 9,
                                       .hosted = { [KM_HOSTED_WEB_SEARCH] = 2 } };

    (void)state;
    for (size_t i = 0; i < sizeof impossible / sizeof impossible[0]; i++)
        if (km_usage_is_possible(&impossible[i], &l))
            fail_msg("case %zu", i);
    assert_true(km_usage_is_possible(&possible, &l));
}

static void documents_have_ten_thousand_pages_at_most(void **state)
{
    const struct km_usage_limits l = UNSAID;
    struct km_usage u = { .pages = KM_PAGES_MOST, .annotated_pages = KM_PAGES_MOST };

    (void)state;
    assert_true(km_usage_is_possible(&u, &l));
    u.annotated_pages++;
    assert_false(km_usage_is_possible(&u, &l));
    u = (struct km_usage){ .pages = KM_PAGES_MOST + 1 };
    assert_false(km_usage_is_possible(&u, &l));
}

static void tools_run_a_thousand_times_at_most(void **state)
{
    struct km_usage_limits l = UNSAID;
    struct km_usage u = { 0 };

    (void)state;
    for (size_t i = 0; i < KM_HOSTED_KINDS; i++) {
        u.hosted[i] = KM_HOSTED_MOST;
        l.answers = 1;
        assert_true(km_usage_is_possible(&u, &l));
        u.hosted[i]++;
        assert_false(km_usage_is_possible(&u, &l));
        l.answers = 2;
        assert_true(km_usage_is_possible(&u, &l));
        u.hosted[i] = INT64_MAX;
        assert_false(km_usage_is_possible(&u, &l));
        u.hosted[i] = 0;
    }
    u.citation_tokens = KM_INPUT_MOST + 1;
    assert_false(km_usage_is_possible(&u, &l));
    u.citation_tokens = KM_INPUT_MOST;
    assert_true(km_usage_is_possible(&u, &l));
    u.queries = KM_HOSTED_MOST * 2;
    assert_true(km_usage_is_possible(&u, &l));
    u.queries++;
    assert_false(km_usage_is_possible(&u, &l));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output_may_be_twice_its_bound),
        cmocka_unit_test(input_is_what_was_sent),
        cmocka_unit_test(input_that_is_open_may_fill_the_window),
        cmocka_unit_test(no_count_is_negative),
        cmocka_unit_test(documents_have_ten_thousand_pages_at_most),
        cmocka_unit_test(tools_run_a_thousand_times_at_most),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
