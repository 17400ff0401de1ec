/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config/scalar.h"

struct row {
    const char *text;
    enum km_scalar kind;
};

static void plain_text_resolves_as_in_pyyaml(void **state)
{
    static const struct row rows[] = {
        { "yes", KM_SCALAR_BOOL },
        { "Off", KM_SCALAR_BOOL },
        { "y", KM_SCALAR_STR },
        { "yES", KM_SCALAR_STR },
        { "", KM_SCALAR_NULL },
        { "~", KM_SCALAR_NULL },
        { "nULL", KM_SCALAR_STR },
        { "0", KM_SCALAR_INT },
        { "-0", KM_SCALAR_INT },
        { "0777", KM_SCALAR_INT },
        { "0o777", KM_SCALAR_STR },
        { "08", KM_SCALAR_STR },
        { "1_000", KM_SCALAR_INT },
        { "_1", KM_SCALAR_STR },
        { "0x1F", KM_SCALAR_INT },
        { "0x", KM_SCALAR_STR },
        { "0b10", KM_SCALAR_INT },
        { "0b2", KM_SCALAR_STR },
        { "1:30", KM_SCALAR_INT },
        { "190:20:30", KM_SCALAR_INT },
        { "1:60", KM_SCALAR_STR },
        { "0:30", KM_SCALAR_STR },
        { "1:30.5", KM_SCALAR_FLOAT },
        { "1.", KM_SCALAR_FLOAT },
        { ".5", KM_SCALAR_FLOAT },
        { "-.5", KM_SCALAR_STR },
        { "1e3", KM_SCALAR_STR },
        { "1.5e3", KM_SCALAR_STR },
        { "1.5e+3", KM_SCALAR_FLOAT },
        { "2.5e-06", KM_SCALAR_FLOAT },
        { "-.inf", KM_SCALAR_FLOAT },
        { ".NaN", KM_SCALAR_FLOAT },
        { "-.nan", KM_SCALAR_STR },
        { "2024-02-01", KM_SCALAR_TIME },
        { "2024-2-1", KM_SCALAR_STR },
        { "2024-2-1 1:02:03", KM_SCALAR_TIME },
        { "2024-02-01T00:00:00Z", KM_SCALAR_TIME },
        { "2024-02-01 ", KM_SCALAR_STR },
        { "2024-02-01T00:00:00.5 +09:00", KM_SCALAR_TIME },
        { "2024-02-01-preview", KM_SCALAR_STR },
        { "<<", KM_SCALAR_MERGE },
        { "=", KM_SCALAR_VALUE },
        { "+", KM_SCALAR_STR },
        { ".", KM_SCALAR_STR },
        { "gpt-4o", KM_SCALAR_STR },
        { "1.2.3", KM_SCALAR_STR },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (km_scalar_resolve(km_str_c(rows[i].text)) != rows[i].kind)
            fail_msg("'%s' resolves to %d", rows[i].text,
                     (int)km_scalar_resolve(km_str_c(rows[i].text)));
}

static struct km_node constructed(struct km_arena *arena, const char *text)
{
    struct km_node node = { 0 };
    struct km_str s = km_str_c(text);

    assert_int_equal(km_scalar_construct(arena, km_scalar_resolve(s), s, &node, NULL), 0);
    return node;
}

static void integers_have_the_value_python_gives_them(void **state)
{
    struct km_arena arena;

    (void)state;
    km_arena_init(&arena, 1 << 16, NULL);
    assert_int_equal(constructed(&arena, "0777").i, 511);
    assert_int_equal(constructed(&arena, "-0x1_F").i, -31);
    assert_int_equal(constructed(&arena, "0b1_01").i, 5);
    assert_int_equal(constructed(&arena, "1:30").i, 90);
    assert_int_equal(constructed(&arena, "-190:20:30").i, -685230);
    assert_int_equal(constructed(&arena, "9223372036854775807").i, INT64_MAX);
    assert_false(constructed(&arena, "9223372036854775807").big);
    assert_true(constructed(&arena, "9223372036854775808").big);
    assert_int_equal(constructed(&arena, "-9223372036854775808").i, INT64_MIN);
    assert_false(constructed(&arena, "-9223372036854775808").big);
    assert_int_equal(constructed(&arena, "-99999999999999999999").i, INT64_MIN);
    assert_true(constructed(&arena, "-99999999999999999999").big);
    km_arena_done(&arena);
}

static void what_pyyaml_cannot_construct_is_refused(void **state)
{
    static const char *const texts[] = { "0b_",        "0x_",        "2024-13-01",
                                         "2023-02-29", "0000-01-01", "2024-01-01 24:00:00",
                                         "=",          "<<",         NULL };
    struct km_arena arena;
    struct km_node node = { 0 };

    (void)state;
    km_arena_init(&arena, 1 << 16, NULL);
    for (size_t i = 0; texts[i]; i++) {
        struct km_str s = km_str_c(texts[i]);

        if (km_scalar_construct(&arena, km_scalar_resolve(s), s, &node, NULL) == 0)
            fail_msg("'%s' was accepted", texts[i]);
    }
    km_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text_resolves_as_in_pyyaml),
        cmocka_unit_test(integers_have_the_value_python_gives_them),
        cmocka_unit_test(what_pyyaml_cannot_construct_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
