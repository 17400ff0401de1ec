/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "sys/spool.h"

static void what_is_written_stays_at_its_place(void **state)
{
    struct km_spool *s = NULL;
    char *bytes;

    (void)state;
    assert_int_equal(km_spool_new("/tmp", 9 << 20, &s, NULL), 0);
    assert_int_equal(km_spool_room(s, 1000, NULL), 0);
    bytes = km_spool_bytes(s);
    memset(bytes, 'a', 1000);
    assert_int_equal(km_spool_room(s, 9 << 20, NULL), 0);
    assert_ptr_equal(km_spool_bytes(s), bytes);
    bytes[(9 << 20) - 1] = 'z';
    assert_int_equal(bytes[999], 'a');
    assert_null(km_spool_free(s));
}

static void bounds_and_missing_folders_are_errors(void **state)
{
    struct km_spool *s = NULL;
    struct km_err err = { 0 };

    (void)state;
    assert_int_equal(km_spool_new("/nowhere/at/all", 1, &s, &err), KM_E_SYSTEM);
    assert_non_null(strstr(err.text, "/nowhere/at/all"));
    assert_null(s);
    assert_int_equal(km_spool_new("/tmp", 1 << 20, &s, NULL), 0);
    assert_int_equal(km_spool_room(s, 64 << 20, &err), KM_E_LIMIT);
    assert_null(km_spool_free(s));
    assert_null(km_spool_free(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_stays_at_its_place),
        cmocka_unit_test(bounds_and_missing_folders_are_errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
