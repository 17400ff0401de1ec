/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pg/silent.h"

#define A KM_STR("10.0.0.1 5432 db")
#define B KM_STR("10.0.0.2 5432 db")

static void one_that_was_silent_is_known_for_a_while(void **state)
{
    struct km_pg_silent s;

    (void)state;
    km_pg_silent_init(&s);
    assert_false(km_pg_silent_has(&s, A, 1000));
    km_pg_silent_note(&s, A, 1000);
    assert_true(km_pg_silent_has(&s, A, 1000 + KM_PG_SILENT_MS - 1));
    assert_false(km_pg_silent_has(&s, A, 1000 + KM_PG_SILENT_MS));
    assert_false(km_pg_silent_has(&s, B, 1001));
    km_pg_silent_note(&s, A, 1000 + KM_PG_SILENT_MS); /* silent once more: from here on anew */
    assert_true(km_pg_silent_has(&s, A, 1000 + 2 * KM_PG_SILENT_MS - 1));
}

static void one_that_answers_is_as_it_was(void **state)
{
    struct km_pg_silent s;

    (void)state;
    km_pg_silent_init(&s);
    km_pg_silent_note(&s, A, 1000);
    km_pg_silent_note(&s, B, 1000);
    km_pg_silent_heard(&s, A);
    assert_false(km_pg_silent_has(&s, A, 1001));
    assert_true(km_pg_silent_has(&s, B, 1001));
}

static void the_oldest_makes_room(void **state)
{
    struct km_pg_silent s;
    char name[KM_PG_SILENT_MOST + 1] = { 0 };

    (void)state;
    km_pg_silent_init(&s);
    for (size_t i = 0; i < KM_PG_SILENT_MOST; i++) {
        name[i] = 'x';
        km_pg_silent_note(&s, km_str(name, i + 1), 1000 + i);
    }
    km_pg_silent_note(&s, km_str(name, 1), 2000); /* known: it takes no other's place */
    assert_true(km_pg_silent_has(&s, km_str(name, 2), 2000));
    km_pg_silent_note(&s, A, 3000);
    assert_false(km_pg_silent_has(&s, km_str(name, 2), 3000));
    assert_true(km_pg_silent_has(&s, km_str(name, 1), 3000));
    assert_true(km_pg_silent_has(&s, km_str(name, 3), 3000));
    assert_true(km_pg_silent_has(&s, A, 3000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_was_silent_is_known_for_a_while),
        cmocka_unit_test(one_that_answers_is_as_it_was),
        cmocka_unit_test(the_oldest_makes_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
