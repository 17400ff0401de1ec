/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "policy/key_routes.h"

struct fixture {
    struct km_arena arena;
    struct km_key_routes r;
};

static int setup(void **state)
{
    static struct fixture f;
    const struct km_key_row row = {
        .extra = KM_STR("{\"aliases\":{\"gpt-4\":\"small\"},"
                        "\"router_settings\":{\"num_retries\":4,"
                        "\"enable_tag_filtering\":true,"
                        "\"model_group_alias\":{\"a\":\"b\",\"c\":{\"model\":\"d\"}},"
                        "\"fallbacks\":[{\"x\":[\"y\",\"z\"]},{\"*\":[\"rest\"]}]},"
                        "\"budget_fallbacks\":{\"x\":[\"cheap\"]}}")
    };

    km_arena_init(&f.arena, (size_t)1 << 20, NULL);
    assert_true(km_key_row_routes(&row));
    km_key_routes_read(&row, &f.arena, &f.r);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    km_arena_done(&((struct fixture *)*state)->arena);
    return 0;
}

static void most_keys_say_nothing_of_it(void **state)
{
    const struct km_key_row none = { .extra = KM_STR_NONE },
                            other = { .extra = KM_STR("{\"agent_id\":\"a\"}") };

    (void)state;
    assert_false(km_key_row_routes(&none));
    assert_false(km_key_row_routes(&other));
}

static void aliases_come_before_those_of_router_settings(void **state)
{
    struct fixture *f = *state;

    assert_true(km_str_eq(km_key_routes_alias(&f->r, KM_STR("gpt-4")), KM_STR("small")));
    assert_true(km_str_eq(km_key_routes_alias(&f->r, KM_STR("a")), KM_STR("b")));
    assert_true(km_str_eq(km_key_routes_alias(&f->r, KM_STR("c")), KM_STR("d")));
    assert_int_equal(km_key_routes_alias(&f->r, KM_STR("small")).n, 0);
}

static void followers_are_those_of_the_name_its_group_or_all(void **state)
{
    struct fixture *f = *state;
    struct km_str_list list;

    assert_true(
        km_key_routes_follow(&f->r, "fallbacks", KM_STR("alias"), KM_STR("x"), &f->arena, &list));
    assert_int_equal(list.n, 2);
    assert_true(km_str_eq(list.v[1], KM_STR("z")));
    assert_true(
        km_key_routes_follow(&f->r, "fallbacks", KM_STR("q"), KM_STR("q"), &f->arena, &list));
    assert_int_equal(list.n, 1);
    assert_false(km_key_routes_follow(&f->r, "context_window_fallbacks", KM_STR("x"), KM_STR("x"),
                                      &f->arena, &list));
    assert_int_equal(km_key_routes_budget(&f->r, KM_STR("x"), KM_STR("x"), &f->arena).n, 1);
    assert_int_equal(km_key_routes_budget(&f->r, KM_STR("y"), KM_STR("y"), &f->arena).n, 0);
    assert_int_equal(km_key_routes_retries(&f->r), 4);
    assert_true(km_key_routes_tags(&f->r));
}

static void what_cannot_be_followed_is_refused(void **state)
{
    static const struct {
        const char *name, *value;
        bool fits;
    } cases[] = {
        { "aliases", "{\"a\":\"b\"}", true },
        { "aliases", "{\"a\":1}", false },
        { "aliases", "[\"a\"]", false },
        { "aliases", "null", true },
        { "budget_fallbacks", "{\"a\":[\"b\"]}", true },
        { "budget_fallbacks", "[{\"a\":[\"b\"]}]", false },
        { "budget_fallbacks", "{\"a\":\"b\"}", false },
        { "router_settings", "{\"fallbacks\":[{\"a\":[\"b\"]}],\"other\":1}", true },
        { "router_settings", "{\"fallbacks\":null}", true },
        { "router_settings", "{\"fallbacks\":[\"a\"]}", false },
        { "router_settings", "[]", false },
        { "tags", "[1]", true }, /* none of these */
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct km_json *v;
        struct km_err err = { 0 };

        assert_int_equal(km_json_parse(&f->arena, km_str_c(cases[i].value), &v, &err), 0);
        assert_int_equal(km_key_routes_check(km_str_c(cases[i].name), v, &err),
                         cases[i].fits ? 0 : KM_E_INVALID);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(most_keys_say_nothing_of_it),
        cmocka_unit_test_setup_teardown(aliases_come_before_those_of_router_settings, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(followers_are_those_of_the_name_its_group_or_all, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_followed_is_refused, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
