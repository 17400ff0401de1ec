/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "app/cli.h"
#include "config/config.h"

static void no_setting_is_named_twice_and_every_row_is_sound(void **state)
{
    struct km_buf wrong KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);

    (void)state;
    km_config_check_rows(km_app_tables, &wrong);
    if (wrong.n)
        fail_msg("%s", km_buf_cstr(&wrong));
}

static void every_command_has_a_summary_and_a_name_of_its_own(void **state)
{
    (void)state;
    for (const struct km_command *c = km_app_commands; c->name; c++) {
        assert_non_null(c->summary);
        assert_non_null(c->run);
        for (const struct km_command *d = c + 1; d->name; d++)
            assert_string_not_equal(c->name, d->name);
    }
}

static void all_routes_fit_into_one_router(void **state)
{
    struct km_router *router = km_router_new();
    struct km_err err = { 0 };

    (void)state;
    for (const struct km_route_rows *const *r = km_app_routes; *r; r++)
        if (km_router_add(router, (*r)->rows, (*r)->n, &err) < 0)
            fail_msg("%s", err.text);
    km_router_free(router);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_setting_is_named_twice_and_every_row_is_sound),
        cmocka_unit_test(every_command_has_a_summary_and_a_name_of_its_own),
        cmocka_unit_test(all_routes_fit_into_one_router),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
