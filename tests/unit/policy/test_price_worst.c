/* SPDX-License-Identifier: Apache-2.0 */
/* What holds of every price and every usage, over many made by a fixed sequence of numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "policy/price.h"

#define ROUNDS 20000

static uint64_t next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static int64_t below(uint64_t *seed, int64_t n)
{
    return (int64_t)(next(seed) % (uint64_t)n);
}

/* Unset, nothing, or up to 100 USD a million. */
static int64_t any_price(uint64_t *seed)
{
    int64_t kind = below(seed, 4);

    return kind == 0 ? -1 : kind == 1 ? 0 : below(seed, 100000000);
}

static void any_rates(uint64_t *seed, struct km_rates *r)
{
    int64_t *v = &r->input;

    for (size_t i = 0; i < KM_RATES_COUNT; i++)
        v[i] = any_price(seed);
}

static struct km_price any(uint64_t *seed, struct km_price_step *steps, bool flat)
{
    struct km_price p = KM_PRICE_NONE;
    int64_t above = 0;

    any_rates(seed, &p.rates);
    p.input = below(seed, 100000000); /* it has a price */
    p.request = any_price(seed);
    for (size_t i = 0; i < KM_SEARCH_SIZES; i++)
        p.search[i] = any_price(seed);
    p.session = any_price(seed);
    p.file_search = any_price(seed);
    p.page = any_price(seed);
    p.fast = below(seed, 2) ? below(seed, 7000) : -1;
    p.in_us = below(seed, 2) ? below(seed, 2000) : -1;
    p.uplifts[KM_UPLIFT_EU] = below(seed, 2) ? 1100 : -1;
    p.uplift = below(seed, 2) ? KM_UPLIFT_EU : KM_UPLIFT_NONE;
    p.nsteps = flat ? 0 : (unsigned)below(seed, 6);
    for (unsigned i = 0; i < p.nsteps; i++) {
        steps[i].above = above;
        steps[i].service = (enum km_service)below(seed, KM_SERVICES);
        if (!above && steps[i].service == KM_SERVICE_STANDARD)
            steps[i].service = KM_SERVICE_FLEX;
        any_rates(seed, &steps[i].rates);
        above += 1 + below(seed, 100000);
    }
    p.steps = steps;
    return p;
}

/* Parts of parts, and now and then more than the whole. */
static struct km_usage used(uint64_t *seed)
{
    struct km_usage u = { .prompt_tokens = below(seed, 400000),
                          .completion_tokens = below(seed, 100000),
                          .cached_tokens = below(seed, 300000),
                          .cache_write_tokens = below(seed, 300000),
                          .cache_write_1h_tokens = 1 + below(seed, 100000),
                          .reasoning_tokens = below(seed, 100000),
                          .audio_tokens = 1 + below(seed, 100000),
                          .image_tokens = 1 + below(seed, 100000),
                          .audio_cached_tokens = below(seed, 50000),
                          .image_cached_tokens = below(seed, 50000),
                          .audio_completion_tokens = 1 + below(seed, 100000),
                          .media.image_tokens = 1 + below(seed, 100000),
                          .pages = below(seed, 100),
                          .search = (enum km_search)below(seed, KM_SEARCH_SIZES),
                          .service = (enum km_service)below(seed, KM_SERVICES),
                          .fast = below(seed, 2) == 0,
                          .in_us = below(seed, 2) == 0 };

    for (size_t i = 0; i < KM_HOSTED_KINDS; i++)
        u.hosted[i] = below(seed, 20);
    return u;
}

static int64_t cost(const struct km_price *p, const struct km_usage *u)
{
    int64_t nano = -1;

    assert_true(km_price_cost(p, u, &nano));
    assert_true(nano >= 0);
    return nano;
}

static void no_usage_costs_more_than_its_worst_price(void **state)
{
    uint64_t seed = 20261124;
    struct km_price_step steps[8];

    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        struct km_price p = any(&seed, steps, false);
        struct km_usage u = used(&seed);
        struct km_price_worst w = km_price_worst(&p, &u);
        int64_t most = 1;

        /* in nano-USD, each rounded up */
        most += w.input > 0 ? w.input * u.prompt_tokens / 1000 + 1 : 0;
        most += w.output > 0 ? w.output * u.completion_tokens / 1000 + 1 : 0;
        most += w.request > 0 ? w.request / 1000 + 1 : 0;
        assert_true(cost(&p, &u) <= most);
    }
}

static void more_output_never_costs_less(void **state)
{
    uint64_t seed = 7;
    struct km_price_step steps[8];

    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        struct km_price p = any(&seed, steps, false);
        struct km_usage u = used(&seed), more = u;

        more.completion_tokens += below(&seed, 1000);
        for (size_t k = 0; k < KM_HOSTED_KINDS; k++)
            more.hosted[k] += below(&seed, 3);
        u.reasoning_tokens = more.reasoning_tokens = 0;
        u.audio_completion_tokens = more.audio_completion_tokens = 0;
        u.media.image_tokens = more.media.image_tokens = 0;
        assert_true(cost(&p, &more) >= cost(&p, &u));
    }
}

/* The cost of two calls is that of one with both their usages, where no step is between them. */
static void a_flat_cost_is_the_sum_of_its_parts(void **state)
{
    uint64_t seed = 99;

    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        struct km_price p = any(&seed, NULL, true);
        struct km_usage input = { .prompt_tokens = below(&seed, 1000000) };
        struct km_usage output = { .completion_tokens = below(&seed, 1000000) };
        struct km_usage search = { .hosted = { [KM_HOSTED_WEB_SEARCH] = below(&seed, 100) } };
        struct km_usage all = { .prompt_tokens = input.prompt_tokens,
                                .completion_tokens = output.completion_tokens,
                                .hosted = { [KM_HOSTED_WEB_SEARCH] = search.hosted[0] } };
        int64_t parts, whole;

        p.request = -1;
        parts = cost(&p, &input) + cost(&p, &output) + cost(&p, &search);
        whole = cost(&p, &all);
        assert_true(parts - whole <= 2 && whole - parts <= 2); /* each is rounded */
    }
}

static void nothing_overflows(void **state)
{
    struct km_price p = KM_PRICE_NONE;
    struct km_usage u = { .prompt_tokens = INT64_MAX,
                          .completion_tokens = INT64_MAX,
                          .cached_tokens = INT64_MAX / 2,
                          .cache_write_tokens = INT64_MAX / 2,
                          .reasoning_tokens = INT64_MAX / 2,
                          .hosted = { INT64_MAX, INT64_MAX, INT64_MAX },
                          .pages = INT64_MAX,
                          .annotated_pages = INT64_MAX,
                          .fast = true,
                          .in_us = true };
    struct km_price_worst w;
    int64_t *v = &p.input;

    (void)state;
    for (size_t i = 0; i < KM_RATES_COUNT; i++)
        v[i] = INT64_MAX;
    p.request = p.search[0] = p.session = p.file_search = p.page = INT64_MAX;
    p.fast = p.in_us = INT64_MAX;
    assert_true(cost(&p, &u) == INT64_MAX);
    w = km_price_worst(&p, &u);
    assert_true(w.input == INT64_MAX && w.output == INT64_MAX && w.request == INT64_MAX);
    u = (struct km_usage){ .prompt_tokens = INT64_MIN,
                           .completion_tokens = INT64_MIN,
                           .cached_tokens = INT64_MIN,
                           .hosted = { INT64_MIN, INT64_MIN, INT64_MIN },
                           .pages = INT64_MIN };
    p.request = 0;
    assert_int_equal(cost(&p, &u), 0);
}

static void a_batchs_sum_of_calls_is_no_long_prompt(void **state)
{
    const struct km_price_step steps[] = {
        { 0, KM_SERVICE_BATCH, { 400, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1 } },
        { 200000, KM_SERVICE_STANDARD, { 9000, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1 } },
        { 200000, KM_SERVICE_BATCH, { 8000, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1 } },
    };
    struct km_price p = KM_PRICE_NONE, batch;

    (void)state;
    p.input = 1000;
    p.output = 2000;
    p.request = 5000;
    batch = km_price_batch(&p);
    assert_int_equal(
        cost(&batch, &(struct km_usage){ .prompt_tokens = 1000000, .completion_tokens = 10 }),
        500000 + 10);
    p.steps = steps;
    p.nsteps = 3;
    batch = km_price_batch(&p);
    assert_int_equal(cost(&batch, &(struct km_usage){ .prompt_tokens = 1000000 }), 400000);
    assert_int_equal(
        cost(&p, &(struct km_usage){ .prompt_tokens = 1000000, .service = KM_SERVICE_BATCH }),
        8000000 + 5);
}

static void what_is_asked_for_is_priced_or_not(void **state)
{
    struct km_price_step step = { 0, KM_SERVICE_PRIORITY, KM_RATES_NONE };
    struct km_price p = KM_PRICE_NONE;

    (void)state;
    p.input = 5;
    assert_true(km_price_has_service(&p, KM_SERVICE_STANDARD));
    assert_true(km_price_has_service(&p, KM_SERVICE_FLEX)); /* no dearer than the plain one */
    assert_false(km_price_has_service(&p, KM_SERVICE_PRIORITY));
    assert_false(km_price_has_fast(&p));
    assert_false(km_price_has_us(&p));
    for (int i = 0; i < KM_HOSTED_KINDS; i++)
        assert_false(km_price_has_hosted(&p, (enum km_hosted)i));
    step.rates.input = 9;
    p.steps = &step;
    p.nsteps = 1;
    p.fast = 6000;
    p.in_us = 1100;
    p.search[KM_SEARCH_MEDIUM] = p.session = p.file_search = 0;
    assert_true(km_price_has_service(&p, KM_SERVICE_PRIORITY));
    assert_false(km_price_has_service(&p, KM_SERVICE_ULTRAFAST));
    assert_true(km_price_has_fast(&p) && km_price_has_us(&p));
    for (int i = 0; i < KM_HOSTED_KINDS; i++)
        assert_true(km_price_has_hosted(&p, (enum km_hosted)i));
}

static void kinds_count_where_they_are_asked_for(void **state)
{
    struct km_price p = KM_PRICE_NONE;

    (void)state;
    p.input = 10;
    p.cache_write = 12;
    p.cache_write_1h = 20;
    p.output = 50;
    p.audio_input = 100;
    p.request = 3;
    p.search[KM_SEARCH_MEDIUM] = 7;
    assert_int_equal(km_price_worst(&p, &(struct km_usage){ 0 }).input, 12);
    assert_int_equal(km_price_worst(&p, &(struct km_usage){ .cache_write_1h_tokens = 1 }).input,
                     20);
    assert_int_equal(km_price_worst(&p, &(struct km_usage){ .audio_tokens = 1 }).input, 100);
    assert_int_equal(km_price_worst(&p, &(struct km_usage){ .hosted = { 5 } }).request, 38);
    assert_int_equal(km_price_worst(&p, &(struct km_usage){ 0 }).request, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_usage_costs_more_than_its_worst_price),
        cmocka_unit_test(more_output_never_costs_less),
        cmocka_unit_test(a_flat_cost_is_the_sum_of_its_parts),
        cmocka_unit_test(nothing_overflows),
        cmocka_unit_test(a_batchs_sum_of_calls_is_no_long_prompt),
        cmocka_unit_test(what_is_asked_for_is_priced_or_not),
        cmocka_unit_test(kinds_count_where_they_are_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
