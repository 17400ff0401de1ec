/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/id.h"
#include "base/time.h"

static void ids_have_version_variant_and_time(void **state)
{
    struct km_idgen g;
    uint64_t before = (uint64_t)(km_wall_us() / 1000), ms = 0;
    struct km_uuid id;

    (void)state;
    km_idgen_init(&g);
    id = km_uuid7(&g);
    for (int i = 0; i < 6; i++)
        ms = ms << 8 | id.b[i];
    assert_true(ms >= before && ms <= (uint64_t)(km_wall_us() / 1000));
    assert_int_equal(id.b[6] >> 4, 7);
    assert_int_equal(id.b[8] >> 6, 2);
}

/* 100,000 in a few milliseconds: the counter fills up and runs ahead of the clock. */
static void ids_of_one_generator_increase(void **state)
{
    struct km_idgen g;
    struct km_uuid last, id;

    (void)state;
    km_idgen_init(&g);
    last = km_uuid7(&g);
    for (int i = 0; i < 100000; i++) {
        id = km_uuid7(&g);
        assert_true(memcmp(id.b, last.b, 16) > 0);
        last = id;
    }
}

static void a_clock_that_goes_back_does_not_take_ids_back(void **state)
{
    struct km_idgen g;
    struct km_uuid last, id;

    (void)state;
    km_idgen_init(&g);
    g.last_ms = (uint64_t)(km_wall_us() / 1000) + 5000;
    last = km_uuid7(&g);
    for (int i = 0; i < 5000; i++) {
        id = km_uuid7(&g);
        assert_true(memcmp(id.b, last.b, 16) > 0);
        last = id;
    }
}

static void two_generators_never_meet(void **state)
{
    struct km_idgen a, b;
    struct km_uuid x, y;

    (void)state;
    km_idgen_init(&a);
    km_idgen_init(&b);
    x = km_uuid7(&a);
    y = km_uuid7(&b);
    assert_memory_not_equal(x.b + 8, y.b + 8, 8);
}

static void text_goes_both_ways(void **state)
{
    struct km_idgen g;
    struct km_uuid id, back;
    char text[KM_UUID_LEN + 1];

    (void)state;
    km_idgen_init(&g);
    id = km_uuid7(&g);
    km_uuid_text(&id, text);
    assert_int_equal(strlen(text), KM_UUID_LEN);
    assert_int_equal(km_uuid_parse(km_str_c(text), &back), 0);
    assert_memory_equal(id.b, back.b, 16);
    assert_int_equal(km_uuid_parse(KM_STR("01234567-89ab-7def-8123-456789ABCDEF"), &back), 0);
    km_uuid_text(&back, text);
    assert_string_equal(text, "01234567-89ab-7def-8123-456789abcdef");
}

static void what_is_not_a_uuid_is_refused(void **state)
{
    static const char whole[] = "01234567-89ab-7def-8123-456789abcdef";
    struct km_uuid id;

    (void)state;
    for (size_t n = 0; n < KM_UUID_LEN; n++) {
        char bad[] = "01234567-89ab-7def-8123-456789abcdef";

        assert_int_equal(km_uuid_parse(km_str(whole, n), &id), KM_E_INVALID);
        bad[n] = 'x';
        assert_int_equal(km_uuid_parse(km_str_c(bad), &id), KM_E_INVALID);
    }
    assert_int_equal(km_uuid_parse(KM_STR("{1234567-89ab-7def-8123-456789abcde}"), &id),
                     KM_E_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_have_version_variant_and_time),
        cmocka_unit_test(ids_of_one_generator_increase),
        cmocka_unit_test(a_clock_that_goes_back_does_not_take_ids_back),
        cmocka_unit_test(two_generators_never_meet),
        cmocka_unit_test(text_goes_both_ways),
        cmocka_unit_test(what_is_not_a_uuid_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
