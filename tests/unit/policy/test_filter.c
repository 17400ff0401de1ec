/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "policy/router.h"

#define N 4

struct group {
    struct km_breaker breakers[N];
    struct km_candidate_facts facts[N];
    struct km_candidate v[N];
    uint8_t why[N];
};

static void init(struct group *g)
{
    *g = (struct group){ .breakers = { { .failures = 0 } } };
    for (size_t i = 0; i < N; i++) {
        g->facts[i].max_input = -1;
        g->v[i] =
            (struct km_candidate){ .weight = 1, .breaker = &g->breakers[i], .about = &g->facts[i] };
    }
}

static size_t run(struct group *g, struct km_filter_ask ask)
{
    memset(g->why, 0, sizeof g->why);
    return km_filters_run(&ask, g->v, N, g->why);
}

/* --- what fits --- */

static void a_prompt_that_is_too_long_leaves_out_who_takes_less(void **state)
{
    struct group g;

    (void)state;
    init(&g);
    g.facts[0].max_input = 1000;
    g.facts[1].max_input = 1001;
    assert_int_equal(run(&g, (struct km_filter_ask){ .on = KM_FILTER_FITS, .tokens = 1001 }), 3);
    assert_int_equal(g.why[0], KM_LEFT_CONTEXT);
    assert_int_equal(g.why[1], KM_LEFT_NOT);
    assert_int_equal(g.why[2], KM_LEFT_NOT); /* nobody knows how many it takes */
    assert_string_equal(km_left_out_word(g.why[0]), "context_window");
}

static void a_filter_that_is_off_leaves_out_nothing(void **state)
{
    struct group g;

    (void)state;
    init(&g);
    g.facts[0].max_input = 1;
    assert_int_equal(run(&g, (struct km_filter_ask){ .on = KM_FILTER_TAGS, .tokens = 1001 }), N);
}

static void a_region_leaves_out_all_that_are_not_known_to_be_there(void **state)
{
    struct group g;

    (void)state;
    init(&g);
    g.facts[2].region = KM_STR("eu");
    g.facts[3].region = KM_STR("us");
    assert_int_equal(
        run(&g, (struct km_filter_ask){ .on = KM_FILTER_FITS, .region = KM_STR("eu") }), 1);
    assert_int_equal(g.why[0], KM_LEFT_REGION);
    assert_int_equal(g.why[2], KM_LEFT_NOT);
}

static void what_a_model_cannot_do_leaves_it_out(void **state)
{
    struct group g;

    (void)state;
    init(&g);
    g.facts[0].cannot = KM_NEED_VISION;
    g.facts[1].cannot = KM_NEED_TOOLS;
    g.facts[2].cannot = KM_NEED_SCHEMA | KM_NEED_TOOLS;
    assert_int_equal(run(&g, (struct km_filter_ask){ .on = KM_FILTER_FITS,
                                                     .needs = KM_NEED_VISION | KM_NEED_SCHEMA }),
                     2);
    assert_int_equal(g.why[0], KM_LEFT_VISION);
    assert_int_equal(g.why[1], KM_LEFT_NOT);
    assert_int_equal(g.why[2], KM_LEFT_SCHEMA);
}

static void where_none_is_left_the_prompts_length_is_told_first(void **state)
{
    struct group g;

    (void)state;
    init(&g);
    for (size_t i = 0; i < N; i++)
        g.facts[i].cannot = KM_NEED_TOOLS;
    g.facts[3].max_input = 10;
    assert_int_equal(
        run(&g,
            (struct km_filter_ask){ .on = KM_FILTER_FITS, .tokens = 11, .needs = KM_NEED_TOOLS }),
        0);
    assert_int_equal(km_filters_reason(g.why, N), KM_LEFT_CONTEXT);
    assert_int_equal(km_filters_reason(g.why, 3), KM_LEFT_TOOLS);
}

/* --- tags --- */

#define MOST 3

static struct km_tags tags(struct km_str room[MOST], const char *text)
{
    struct km_str rest = km_str_c(text), part;
    struct km_tags t = { .v = room };

    while (km_str_split(&rest, ' ', &part))
        room[t.n++] = part;
    return t;
}

/* As LiteLLM's get_deployments_for_tag() has them. */
static const struct {
    const char *of[N]; /* tags of the deployments; NULL: none */
    const char *call;
    bool all; /* match_any is off */
    unsigned left; /* bit i: deployment i may serve it */
} cases[] = {
    /* by one in common */
    { { "paid", "free", NULL, NULL }, "paid", false, 1 },
    { { "paid eu", "paid", "eu", NULL }, "paid eu", false, 7 },
    /* by all of them */
    { { "paid eu", "paid", "eu", NULL }, "paid eu", true, 1 },
    { { "paid", "free", "default", NULL }, "paid eu", true, 0 },
    /* nobody has it: those for the rest, else none */
    { { "paid", "free", "default", NULL }, "blue", false, 4 },
    { { "paid", "free", NULL, NULL }, "blue", false, 0 },
    /* no tags: those for the rest, else all */
    { { "paid", "default", "default x", NULL }, "", false, 6 },
    { { "paid", "free", NULL, NULL }, "", false, 15 },
    /* must and must not */
    { { "paid", "free", "eu", "paid eu" }, "&eu", false, 12 },
    { { "paid", "free", "eu", "paid eu" }, "!paid", false, 6 },
    { { "paid", "free", "default", "paid default" }, "!paid", false, 4 },
    { { "paid", "free", "default", "eu" }, "&eu", false, 8 },
    { { "paid", "free", "eu", "paid eu" }, "paid &eu", false, 8 },
    { { "paid", "free", "default", "paid eu" }, "paid !eu", false, 1 },
    { { "paid", "free", "default", NULL }, "paid !paid", false, 0 },
    { { "a", "b", NULL, NULL }, "&x", false, 0 },
    /* a mark alone says nothing */
    { { "paid", "free", NULL, NULL }, "&", false, 15 },
};

static void tags_choose_as_litellm_has_them(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct km_str room[N + 1][MOST];
        struct group g;
        unsigned left = 0;

        init(&g);
        for (size_t i = 0; i < N; i++)
            if (cases[k].of[i])
                g.facts[i].tags = tags(room[i], cases[k].of[i]);
        (void)run(&g, (struct km_filter_ask){
                          .on = KM_FILTER_TAGS,
                          .tags = tags(room[N], cases[k].call),
                          .tags_match_any = !cases[k].all,
                      });
        for (size_t i = 0; i < N; i++)
            left |= (unsigned)(g.why[i] == KM_LEFT_NOT) << i;
        if (left != cases[k].left)
            fail_msg("case %zu ('%s'): %u, not %u", k, cases[k].call, left, cases[k].left);
    }
}

/* --- and the router --- */

static void one_that_is_left_out_is_never_picked(void **state)
{
    struct group g;

    (void)state;
    init(&g);
    g.why[0] = KM_LEFT_TAGS;
    g.why[2] = KM_LEFT_CONTEXT;
    for (uint64_t seed = 0; seed < 30; seed++) {
        struct km_route_state s = { .rng = seed, .left_out = g.why };
        const struct km_candidate *a = km_route_pick(&s, g.v, N, 1),
                                  *b = km_route_pick(&s, g.v, N, 1);

        assert_true(a != b && (a - g.v) % 2 == 1 && (b - g.v) % 2 == 1);
        assert_false(km_route_has_other(&s, g.v, N, 1));
        assert_false(km_route_has_untried(&s, g.v, N));
        assert_null(km_route_pick(&s, g.v, N, 1)); /* not as the last resort either */
    }
}

static void it_is_said_what_would_be_picked(void **state)
{
    struct km_route_word words[N];
    struct group g;
    struct km_route_state s = { .rng = 1 };

    (void)state;
    init(&g);
    g.why[0] = KM_LEFT_TAGS;
    g.v[1].weight = 3;
    g.v[3].order = 2;
    s.left_out = g.why;
    km_route_explain(&s, g.v, N, 1, words);
    assert_int_equal(words[0].place, KM_ROUTE_LEFT_OUT);
    assert_int_equal(words[0].why, KM_LEFT_TAGS);
    assert_int_equal(words[1].place, KM_ROUTE_MAY);
    assert_int_equal(words[1].permille, 750);
    assert_int_equal(words[2].permille, 250);
    assert_int_equal(words[3].place, KM_ROUTE_LATER);
    km_breaker_rest(&g.breakers[1], 1000, 1);
    km_route_explain(&s, g.v, N, 2, words);
    assert_int_equal(words[1].place, KM_ROUTE_RESTS);
    assert_int_equal(words[2].permille, 1000);
    assert_int_equal(s.ntried, 0);
    assert_string_equal(km_route_place_word(words[1].place), "rests");
}

static size_t pick_of(struct group *g, uint64_t sticky, uint64_t seed, uint64_t now_ms)
{
    struct km_route_state s = { .rng = seed, .sticky = sticky };

    return (size_t)(km_route_pick(&s, g->v, N, now_ms) - g->v);
}

static void who_comes_back_is_served_by_the_same(void **state)
{
    struct km_route_word words[N];
    struct km_route_state s = { .rng = 1, .sticky = 77 };
    size_t first, count[N] = { 0 };
    struct group g;

    (void)state;
    init(&g);
    for (size_t i = 0; i < N; i++)
        g.facts[i].hash = (i + 1) * 0x9e3779b97f4a7c15u;
    for (uint64_t sticky = 1; sticky <= 400; sticky++) {
        first = pick_of(&g, sticky, 1, 1);
        assert_int_equal(pick_of(&g, sticky, 2, 1), first);
        count[first]++;
    }
    for (size_t i = 0; i < N; i++)
        assert_in_range(count[i], 60, 140);
    first = pick_of(&g, 77, 1, 1);
    km_route_explain(&s, g.v, N, 1, words);
    for (size_t i = 0; i < N; i++)
        assert_int_equal(words[i].permille, i == first ? 1000 : 0);
    km_breaker_rest(&g.breakers[first], 1000, 1); /* goes elsewhere meanwhile, and comes back */
    assert_true(pick_of(&g, 77, 1, 2) != first);
    assert_int_equal(pick_of(&g, 77, 1, 1002), first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_prompt_that_is_too_long_leaves_out_who_takes_less),
        cmocka_unit_test(a_filter_that_is_off_leaves_out_nothing),
        cmocka_unit_test(a_region_leaves_out_all_that_are_not_known_to_be_there),
        cmocka_unit_test(what_a_model_cannot_do_leaves_it_out),
        cmocka_unit_test(where_none_is_left_the_prompts_length_is_told_first),
        cmocka_unit_test(tags_choose_as_litellm_has_them),
        cmocka_unit_test(one_that_is_left_out_is_never_picked),
        cmocka_unit_test(who_comes_back_is_served_by_the_same),
        cmocka_unit_test(it_is_said_what_would_be_picked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
