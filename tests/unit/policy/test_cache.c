/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "policy/cache.h"

static void it_says_that_it_is_not_active(void **state)
{
    struct km_cache *c = km_cache_new();
    const uint8_t key[32] = { 1 };
    struct km_str body;
    struct km_err err;
    size_t n = 77;

    (void)state;
    assert_false(km_cache_active(c));
    assert_false(km_cache_active(NULL));
    assert_int_equal(km_cache_lookup(c, key, 1, &body, &err), KM_E_NOT_IMPLEMENTED);
    assert_non_null(strstr(err.text, "not active"));
    assert_int_equal(km_cache_store(c, key, KM_STR("x"), 1, 2, &err), KM_E_NOT_IMPLEMENTED);
    assert_int_equal(km_cache_clear(c, &n, &err), KM_E_NOT_IMPLEMENTED);
    assert_int_equal(n, 77);
    assert_null(km_cache_free(c));
    assert_null(km_cache_free(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(it_says_that_it_is_not_active) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
