/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena.h"
#include "config/scalar.h"
#include "config/value.h"

struct row {
    enum km_setting_type type;
    const char *text;
    int64_t value;
};

/* As it would come from a file without quotes. */
static int number_of(const struct km_setting *row, const char *text, int64_t *ret)
{
    struct km_arena arena;
    struct km_node node = { 0 };
    struct km_str s = km_str_c(text);
    int r;

    km_arena_init(&arena, 1 << 16, NULL);
    assert_int_equal(km_scalar_construct(&arena, km_scalar_resolve(s), s, &node, NULL), 0);
    r = km_value_number(row, &node, ret, NULL);
    km_arena_done(&arena);
    return r;
}

static void units_are_exact(void **state)
{
    static const struct row rows[] = {
        { KM_SET_INT, "7", 7 },
        { KM_SET_INT, "1_000", 1000 },
        { KM_SET_INT, "0x10", 16 },
        { KM_SET_INT, "10.0", 10 },
        { KM_SET_BYTES, "4096", 4096 },
        { KM_SET_BYTES, "32KiB", 32768 },
        { KM_SET_BYTES, "32 kib", 32768 },
        { KM_SET_BYTES, "1MB", 1000000 },
        { KM_SET_BYTES, "1.5GiB", 1610612736 },
        { KM_SET_MS, "10", 10000 },
        { KM_SET_MS, "2.5", 2500 },
        { KM_SET_MS, "0.0015", 2 },
        { KM_SET_MS, "75ms", 75 },
        { KM_SET_MS, "10min", 600000 },
        { KM_SET_MS, "1.5s", 1500 },
        { KM_SET_SECONDS, "30d", 2592000 },
        { KM_SET_SECONDS, "1mo", 2592000 },
        { KM_SET_SECONDS, "2h", 7200 },
        { KM_SET_SECONDS, "1w", 604800 },
        { KM_SET_PRICE, "0.0000025", 2500000 },
        { KM_SET_PRICE, "2.5e-06", 2500000 },
        { KM_SET_PRICE, "3e-06", 3000000 }, /* a string to YAML */
        { KM_SET_PRICE, "0", 0 },
        { KM_SET_MONEY, "2.9", 2900000000 },
        { KM_SET_MONEY, "1_000", 1000000000000 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct km_setting row = { .name = "x", .type = rows[i].type };
        int64_t value = -99;

        if (number_of(&row, rows[i].text, &value) < 0 || value != rows[i].value)
            fail_msg("'%s' is %lld", rows[i].text, (long long)value);
    }
}

static void what_is_no_such_value_is_refused(void **state)
{
    static const struct row rows[] = {
        { KM_SET_INT, "1.5", 0 },
        { KM_SET_INT, "abc", 0 },
        { KM_SET_INT, "yes", 0 },
        { KM_SET_INT, "99999999999999999999", 0 },
        { KM_SET_BYTES, "3 apples", 0 },
        { KM_SET_BYTES, "KiB", 0 },
        { KM_SET_BYTES, "9223372036854775807KiB", 0 },
        { KM_SET_MS, "10 parsecs", 0 },
        { KM_SET_MS, ".inf", 0 },
        { KM_SET_MS, ".nan", 0 },
        { KM_SET_MS, "99999999999999999", 0 },
        { KM_SET_SECONDS, "mo", 0 },
        { KM_SET_PRICE, "-1", 0 },
        { KM_SET_PRICE, "free", 0 },
        { KM_SET_MONEY, "99999999999999", 0 },
        { KM_SET_MONEY, "true", 0 },
        { KM_SET_PRICE, ".inf", 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct km_setting row = { .name = "x", .type = rows[i].type };
        int64_t value = -99;

        if (number_of(&row, rows[i].text, &value) == 0)
            fail_msg("'%s' is %lld", rows[i].text, (long long)value);
        assert_int_equal(value, -99); /* untouched */
    }
}

static void ranges_are_in_the_unit_of_the_field(void **state)
{
    const struct km_setting row = { .name = "x", .type = KM_SET_MS, .min = 100, .max = 2000 };
    int64_t value;

    (void)state;
    assert_int_equal(number_of(&row, "2", &value), 0);
    assert_int_equal(number_of(&row, "2.001", &value), KM_E_INVALID);
    assert_int_equal(number_of(&row, "99ms", &value), KM_E_INVALID);
}

static void booleans_in_quotes_are_refused_in_files_and_read_from_variables(void **state)
{
    struct km_node node = { .type = KM_NODE_STR, .text = KM_STR("FALSE") };
    bool value = true;

    (void)state;
    assert_int_equal(km_value_bool(&node, &value, NULL), KM_E_INVALID);
    node.from_env = true;
    assert_int_equal(km_value_bool(&node, &value, NULL), 0);
    assert_false(value);
    node.text = KM_STR("perhaps");
    assert_int_equal(km_value_bool(&node, &value, NULL), KM_E_INVALID);
}

static void numbers_and_dates_are_strings_where_a_string_is_asked_for(void **state)
{
    struct km_node node = { .type = KM_NODE_TIME, .text = KM_STR("2024-02-01") };
    struct km_str value;

    (void)state;
    assert_int_equal(km_value_str(&node, &value, NULL), 0);
    assert_true(km_str_eq(value, KM_STR("2024-02-01")));
    node.type = KM_NODE_BOOL;
    assert_int_equal(km_value_str(&node, &value, NULL), KM_E_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(units_are_exact),
        cmocka_unit_test(what_is_no_such_value_is_refused),
        cmocka_unit_test(ranges_are_in_the_unit_of_the_field),
        cmocka_unit_test(booleans_in_quotes_are_refused_in_files_and_read_from_variables),
        cmocka_unit_test(numbers_and_dates_are_strings_where_a_string_is_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
