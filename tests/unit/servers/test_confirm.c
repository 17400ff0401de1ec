/* SPDX-License-Identifier: Apache-2.0 */
/* test_confirm.c - words that confirm a change: once, in time, for one change, a share each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "servers/postgres/confirm.h"

static const uint8_t change[32] = { 1 }, other[32] = { 2 };

static int take(const char *word, const uint8_t digest[32], uint64_t now_ms)
{
    struct km_err err = { 0 };
    int64_t rows = -1;
    int r = km_pg_confirm_take(km_str_c(word), digest, now_ms, &rows, &err);

    if (r == 0)
        assert_int_equal(rows, 7);
    return r;
}

static void give(const char *who, uint64_t now_ms, char word[KM_PG_CONFIRM_WORD + 1])
{
    struct km_err err = { 0 };

    assert_int_equal(km_pg_confirm_give(change, km_str_c(who), 7, now_ms, word, &err), 0);
}

static void a_word_is_good_once_in_time_and_for_its_change(void **state)
{
    char word[KM_PG_CONFIRM_WORD + 1];

    (void)state;
    give("a", 1000, word);
    assert_int_equal(take(word, change, 1000 + KM_PG_CONFIRM_MS), 0);
    assert_int_equal(take(word, change, 1000), KM_E_FORBIDDEN);
    give("a", 1000, word);
    assert_int_equal(take(word, change, 1001 + KM_PG_CONFIRM_MS), KM_E_FORBIDDEN);
    give("a", 1000, word);
    assert_int_equal(take(word, other, 1000), KM_E_FORBIDDEN);
    assert_int_equal(take(word, change, 1000), KM_E_FORBIDDEN); /* used up */
}

static void who_asks_often_pushes_out_its_own_words(void **state)
{
    char others[KM_PG_CONFIRM_WORD + 1], first[KM_PG_CONFIRM_WORD + 1], word[sizeof first];

    (void)state;
    give("quiet", 1, others);
    give("loud", 2, first);
    for (uint64_t i = 0; i < 2 * (uint64_t)KM_PG_CONFIRM_MOST; i++)
        give("loud", 3 + i, word);
    assert_int_equal(take(first, change, 3), KM_E_FORBIDDEN);
    assert_int_equal(take(word, change, 3), 0);
    assert_int_equal(take(others, change, 3), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_word_is_good_once_in_time_and_for_its_change),
        cmocka_unit_test(who_asks_often_pushes_out_its_own_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
