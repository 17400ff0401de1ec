/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "config/config.h"
#include "config/litellm.h"

static const struct km_settings_table *const tables[] = { &km_config_top_table,
                                                          &km_config_own_table,
                                                          &km_litellm_top_table,
                                                          &km_litellm_settings_table,
                                                          &km_litellm_general_table,
                                                          &km_litellm_newer_table,
                                                          &km_litellm_module_table,
                                                          &km_litellm_router_table,
                                                          NULL };

static void the_rows_of_this_layer_are_in_order(void **state)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(1 << 16);

    (void)state;
    km_config_check_rows(tables, &out);
    assert_string_equal(km_buf_cstr(&out), "");
}

struct values {
    int64_t a;
};

static const struct km_setting bad_rows[] = {
    { "a", KM_SET_INT, offsetof(struct values, a), .def = "9", .min = 1, .max = 3, .help = "A." },
    { "a", KM_SET_INT, offsetof(struct values, a), .help = "A again." },
    { "b", KM_SET_INT, offsetof(struct values, a), .def = "1" },
    { "below", KM_SET_INT, offsetof(struct values, a), .help = "Also a section." },
    { 0 },
};
static const struct km_settings_table bad_table = { .section = "kanmon_settings",
                                                    .rows = bad_rows,
                                                    .size = sizeof(struct values),
                                                    .extra = SIZE_MAX };
static const struct km_settings_table below_table = { .section = "kanmon_settings.below",
                                                      .rows = bad_rows + 4,
                                                      .size = sizeof(struct values),
                                                      .extra = SIZE_MAX };

static void rows_that_make_no_sense_are_named(void **state)
{
    const struct km_settings_table *const bad[] = { &bad_table, &below_table, NULL };
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(1 << 16);
    const char *text;

    (void)state;
    km_config_check_rows(bad, &out);
    text = km_buf_cstr(&out);
    assert_non_null(strstr(text, "kanmon_settings.a: occurs twice"));
    assert_non_null(strstr(text, "kanmon_settings.b: has no help"));
    assert_non_null(strstr(text, "kanmon_settings.b: has a default and the field of an earlier"));
    assert_non_null(strstr(text, "kanmon_settings.below: occurs twice"));
    assert_non_null(strstr(text, "kanmon_settings.a: out of range"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rows_of_this_layer_are_in_order),
        cmocka_unit_test(rows_that_make_no_sense_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
