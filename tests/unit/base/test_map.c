/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"

static struct km_str name_of(char text[16], unsigned n)
{
    return km_str(text, (size_t)snprintf(text, 16, "key-%u", n));
}

static void what_is_set_is_got_and_what_is_not_is_null(void **state)
{
    struct km_map *map = km_map_new(10);
    int a, b;
    void *old = &a;

    (void)state;
    assert_null(km_map_get(map, KM_STR("a")));
    assert_int_equal(km_map_set(map, KM_STR("a"), &a, &old), 0);
    assert_null(old);
    assert_int_equal(km_map_set(map, KM_STR("a"), &b, &old), 0);
    assert_ptr_equal(old, &a);
    assert_int_equal(km_map_set(map, KM_STR_NONE, &a, NULL), 0);
    assert_ptr_equal(km_map_get(map, KM_STR("a")), &b);
    assert_ptr_equal(km_map_get(map, KM_STR("")), &a);
    assert_null(km_map_get(map, KM_STR("a\0")));
    assert_int_equal(km_map_count(map), 2);
    assert_ptr_equal(km_map_del(map, KM_STR("a")), &b);
    assert_null(km_map_del(map, KM_STR("a")));
    assert_int_equal(km_map_count(map), 1);
    assert_null(km_map_free(map, NULL));
    assert_null(km_map_free(NULL, free));
}

static void the_limit_refuses_new_keys_but_not_old_ones(void **state)
{
    struct km_map *map = km_map_new(2);
    int v, w;

    (void)state;
    assert_int_equal(km_map_set(map, KM_STR("a"), &v, NULL), 0);
    assert_int_equal(km_map_set(map, KM_STR("b"), &v, NULL), 0);
    assert_int_equal(km_map_set(map, KM_STR("c"), &v, NULL), KM_E_LIMIT);
    assert_int_equal(km_map_set(map, KM_STR("a"), &w, NULL), 0);
    assert_ptr_equal(km_map_del(map, KM_STR("b")), &v);
    assert_int_equal(km_map_set(map, KM_STR("c"), &v, NULL), 0);
    km_map_free(map, NULL);
}

/* Random sets and removals agree with a plain array at every step. */
static void a_long_mixed_life_agrees_with_an_array(void **state)
{
    enum { KEYS = 400 };
    struct km_map *map = km_map_new(KEYS);
    static int values[KEYS];
    bool there[KEYS] = { false };
    size_t count = 0;
    unsigned seed = 12345;
    char text[16];

    (void)state;
    for (int step = 0; step < 40000; step++) {
        unsigned n;

        seed = seed * 1103515245 + 12345;
        n = seed >> 16 & 0x7fff;
        n %= KEYS;
        if (seed >> 31) {
            assert_int_equal(km_map_set(map, name_of(text, n), &values[n], NULL), 0);
            count += !there[n];
            there[n] = true;
        } else {
            assert_int_equal(km_map_del(map, name_of(text, n)) != NULL, there[n]);
            count -= there[n];
            there[n] = false;
        }
        assert_int_equal(km_map_count(map), count);
        if (step % 500 == 0)
            for (unsigned i = 0; i < KEYS; i++)
                assert_ptr_equal(km_map_get(map, name_of(text, i)), there[i] ? &values[i] : NULL);
    }
    km_map_free(map, NULL);
}

static void iteration_visits_each_once(void **state)
{
    struct km_map *map = km_map_new(100);
    int seen[100] = { 0 };
    char text[16];
    struct km_str key;
    void *value;

    (void)state;
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(km_map_set(map, name_of(text, i), &seen[i], NULL), 0);
    for (size_t it = 0; km_map_next(map, &it, &key, &value);) {
        ++*(int *)value;
        assert_ptr_equal(km_map_get(map, key), value);
    }
    for (size_t it = 0; km_map_next(map, &it, NULL, NULL);)
        seen[0]++;
    assert_int_equal(seen[0], 101);
    for (unsigned i = 1; i < 100; i++)
        assert_int_equal(seen[i], 1);
    km_map_free(map, NULL);
}

static void borrowed_keys_move_with_their_value(void **state)
{
    struct km_map *map = km_map_new_borrowed(10);
    char *first = strdup("name"), *second = strdup("name");
    void *old = NULL;

    (void)state;
    assert_int_equal(km_map_set(map, km_str_c(first), first, NULL), 0);
    assert_int_equal(km_map_set(map, km_str_c(second), second, &old), 0);
    free(old); /* the key of the first went with it */
    assert_ptr_equal(km_map_get(map, KM_STR("name")), second);
    km_map_free(map, free);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_set_is_got_and_what_is_not_is_null),
        cmocka_unit_test(the_limit_refuses_new_keys_but_not_old_ones),
        cmocka_unit_test(a_long_mixed_life_agrees_with_an_array),
        cmocka_unit_test(iteration_visits_each_once),
        cmocka_unit_test(borrowed_keys_move_with_their_value),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
