/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "policy/route_rule.h"
#include "policy/sticky.h"

static struct km_str header(void *ctx, struct km_str name)
{
    (void)ctx;
    return km_str_eq(name, KM_STR("x-tier")) ? KM_STR("gold-1") : KM_STR_NONE;
}

static struct km_str metadata(void *ctx, struct km_str name)
{
    (void)ctx;
    return km_str_eq(name, KM_STR("feature")) ? KM_STR("search") : KM_STR_NONE;
}

static const struct km_route_call call = {
    .model = { "chat", 4 },
    .key = { "web", 3 },
    .team = { "t1", 2 },
    .tokens = 500,
    .header = header,
    .metadata = metadata,
};

static bool holds(struct km_route_rule rule)
{
    struct km_route_rules rules = { .v = &rule, .n = 1 };

    return km_route_rules_find(&rules, &call) == &rule;
}

#define ANY .tokens_from = -1, .tokens_to = -1
#define LIST(text)                                                                                 \
    {                                                                                              \
        (const struct km_str[]){ KM_STR(text) }, 1                                                 \
    }
#define MAP(key, text)                                                                             \
    {                                                                                              \
        (const struct km_str_pair[]){ { KM_STR(key), KM_STR(text) } }, 1                           \
    }

static void each_condition_must_hold(void **state)
{
    (void)state;
    assert_true(holds((struct km_route_rule){ ANY }));
    assert_true(holds((struct km_route_rule){ ANY, .models = LIST("ch*") }));
    assert_false(holds((struct km_route_rule){ ANY, .models = LIST("other") }));
    assert_true(holds((struct km_route_rule){ ANY, .keys = LIST("web") }));
    assert_false(holds((struct km_route_rule){ ANY, .keys = LIST("app") }));
    assert_false(holds((struct km_route_rule){ ANY, .teams = LIST("t2") }));
    assert_true(holds((struct km_route_rule){ ANY, .headers = MAP("x-tier", "gold*") }));
    assert_false(holds((struct km_route_rule){ ANY, .headers = MAP("x-tier", "silver") }));
    assert_false(holds((struct km_route_rule){ ANY, .headers = MAP("x-none", "gold*") }));
    assert_true(holds((struct km_route_rule){ ANY, .metadata = MAP("feature", "search") }));
    assert_false(holds((struct km_route_rule){ ANY, .metadata = MAP("feature", "chat") }));
    assert_false(holds(
        (struct km_route_rule){ ANY, .models = LIST("chat"), .metadata = MAP("feature", "chat") }));
}

static void a_prompts_length_has_both_its_ends(void **state)
{
    (void)state;
    assert_true(holds((struct km_route_rule){ .tokens_from = 500, .tokens_to = 500 }));
    assert_false(holds((struct km_route_rule){ .tokens_from = 501, .tokens_to = -1 }));
    assert_false(holds((struct km_route_rule){ .tokens_from = -1, .tokens_to = 499 }));
}

static void the_first_that_holds_decides(void **state)
{
    const struct km_route_rule v[] = { { ANY, .models = LIST("other") },
                                       { ANY, .models = LIST("chat") },
                                       { ANY } };
    const struct km_route_rules rules = { .v = v, .n = 3 };

    (void)state;
    assert_ptr_equal(km_route_rules_find(&rules, &call), &v[1]);
}

static void parts_are_given_in_per_cent_and_the_rest_stays(void **state)
{
    const struct km_route_part parts[] = { { KM_STR("a"), 10 }, { KM_STR("b"), 5 } };
    const struct km_route_rule rule = { .split = { .v = parts, .n = 2 } };

    (void)state;
    assert_true(km_str_eq(km_route_rule_target(&rule, 0), KM_STR("a")));
    assert_true(km_str_eq(km_route_rule_target(&rule, 999), KM_STR("a")));
    assert_true(km_str_eq(km_route_rule_target(&rule, 1000), KM_STR("b")));
    assert_true(km_str_eq(km_route_rule_target(&rule, 1499), KM_STR("b")));
    assert_int_equal(km_route_rule_target(&rule, 1500).n, 0);
}

/* --- who comes back to the same one --- */

static uint64_t key_of(int i)
{
    char text[24];

    snprintf(text, sizeof text, "session-%d", i);
    return km_sticky(KM_STR("key"), km_str_c(text));
}

static void a_part_is_the_same_again_and_even_over_many(void **state)
{
    int below = 0;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        unsigned part = km_sticky_part(key_of(i), KM_STR("canary"));

        assert_int_equal(part, km_sticky_part(key_of(i), KM_STR("canary")));
        assert_in_range(part, 0, 9999);
        below += part < 1000;
    }
    assert_in_range(below, 1800, 2200);
}

static int best(uint64_t key, const uint64_t *hashes, const uint64_t *weights, int n, int without)
{
    int found = -1;

    for (int i = 0; i < n; i++)
        if (i != without && (found < 0 || km_sticky_score(key, hashes[i], weights[i]) <
                                              km_sticky_score(key, hashes[found], weights[found])))
            found = i;
    return found;
}

static void each_has_its_weight_and_moves_only_what_it_had(void **state)
{
    const uint64_t hashes[] = { km_sticky(KM_STR("a"), KM_STR("")),
                                km_sticky(KM_STR("b"), KM_STR("")),
                                km_sticky(KM_STR("c"), KM_STR("")) };
    const uint64_t weights[] = { 5, 3, 2 };
    int count[3] = { 0 };

    (void)state;
    for (int i = 0; i < 20000; i++) {
        int at = best(key_of(i), hashes, weights, 3, -1);

        count[at]++;
        if (at != 0)
            assert_int_equal(best(key_of(i), hashes, weights, 3, 0), at);
    }
    assert_in_range(count[0], 9600, 10400);
    assert_in_range(count[1], 5700, 6300);
    assert_in_range(count[2], 3700, 4300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_condition_must_hold),
        cmocka_unit_test(a_prompts_length_has_both_its_ends),
        cmocka_unit_test(the_first_that_holds_decides),
        cmocka_unit_test(parts_are_given_in_per_cent_and_the_rest_stays),
        cmocka_unit_test(a_part_is_the_same_again_and_even_over_many),
        cmocka_unit_test(each_has_its_weight_and_moves_only_what_it_had),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
