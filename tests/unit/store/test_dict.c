/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store/dict.h"
#include "store/sums.h"

static void bytes_are_found_by_head_and_body(void **state)
{
    struct km_dict *d = km_dict_new(1000);

    (void)state;
    assert_null(km_dict_find(d, KM_STR_NONE, KM_STR("a")));
    km_dict_add(d, KM_STR("a"), KM_STR("bc"), (struct km_dict_value){ .id = 1 });
    km_dict_add(d, KM_STR("ab"), KM_STR("c"), (struct km_dict_value){ .id = 2 });
    km_dict_add(d, KM_STR_NONE, KM_STR("abc"), (struct km_dict_value){ .id = 3, .window_us = 4 });
    assert_int_equal(km_dict_find(d, KM_STR("a"), KM_STR("bc"))->id, 1);
    assert_int_equal(km_dict_find(d, KM_STR("ab"), KM_STR("c"))->id, 2);
    assert_int_equal(km_dict_find(d, KM_STR_NONE, KM_STR("abc"))->window_us, 4);
    km_dict_clear(d);
    assert_null(km_dict_find(d, KM_STR("a"), KM_STR("bc")));
    assert_null(km_dict_free(d));
    assert_null(km_dict_free(NULL));
}

static void a_full_dictionary_begins_anew(void **state)
{
    struct km_dict *d = km_dict_new(100);
    size_t found = 0;

    (void)state;
    for (int64_t i = 0; i < 1000; i++) {
        struct km_str key = km_str((const char *)&i, sizeof i);

        km_dict_add(d, KM_STR_NONE, key, (struct km_dict_value){ .id = i });
        assert_int_equal(km_dict_find(d, KM_STR_NONE, key)->id, i);
    }
    for (int64_t i = 0; i < 1000; i++)
        found += km_dict_find(d, KM_STR_NONE, km_str((const char *)&i, sizeof i)) != NULL;
    assert_in_range(found, 1, 100);
    km_dict_free(d);
}

static void sums_of_many_kinds_are_kept_apart(void **state)
{
    struct km_sums s = { 0 };
    const struct km_sum *sum;
    int64_t calls = 0, kinds = 0;

    (void)state;
    for (int round = 0; round < 3; round++)
        for (int64_t i = 0; i < 5000; i++)
            km_sums_at(&s, 20000 + i % 2, i % 50, i % 500)->cost += i;
    for (size_t it = 0; (sum = km_sums_next(&s, &it));) {
        calls += sum->calls;
        kinds++;
    }
    assert_int_equal(calls, 15000);
    assert_int_equal(kinds, 500);
    assert_int_equal(km_sums_at(&s, 20000, 4, 4)->cost, 3 * (4 * 10 + 500 * 45));
    km_sums_clear(&s);
    assert_null(km_sums_next(&s, &(size_t){ 0 }));
    assert_int_equal(km_sums_at(&s, 20000, 4, 4)->cost, 0);
    km_sums_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_found_by_head_and_body),
        cmocka_unit_test(a_full_dictionary_begins_anew),
        cmocka_unit_test(sums_of_many_kinds_are_kept_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
