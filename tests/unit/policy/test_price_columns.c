/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "policy/price_columns.h"

static struct km_prices *prices;

/* What an entry's one or few members make a usage cost, nano-USD; -1: nothing has a price. */
static int64_t cost(const char *json, struct km_usage u)
{
    struct km_price price;
    struct km_err err;
    int64_t nano = -1;

    if (km_prices_add_json(prices, KM_STR("made/up"), km_str_c(json), &err) < 0)
        fail_msg("%s: %s", json, err.text);
    assert_true(km_prices_find(prices, KM_STR("made"), KM_STR("up"), &price));
    if (!km_price_cost(&price, &u, &nano))
        nano = -1;
    return nano;
}

/* Those that are of no token. */
static struct km_usage one_unit_of(enum km_price_column column)
{
    struct km_usage u = { 0 };

    switch (column) {
    case KM_PRICE_SECOND:
    case KM_PRICE_OUTPUT_SECOND:
        u.audio_ms = 1000;
        u.media.one_way = true;
        break;
    case KM_PRICE_CHARACTER:
        u.media.characters = 1;
        u.media.one_way = true;
        break;
    case KM_PRICE_INPUT_IMAGE:
    case KM_PRICE_OUTPUT_IMAGE:
    case KM_PRICE_INPUT_PIXEL:
    case KM_PRICE_OUTPUT_PIXEL:
        u.media.images = u.media.pixels = 1;
        u.media.one_way = true;
        break;
    case KM_PRICE_PAGE:
        u.pages = 1;
        break;
    case KM_PRICE_ANNOTATED_PAGE:
        u.annotated_pages = 1;
        break;
    case KM_PRICE_SESSION:
        u.hosted[KM_HOSTED_CODE_INTERPRETER] = 1;
        break;
    case KM_PRICE_CITATION:
        u.citation_tokens = 1;
        break;
    case KM_PRICE_FILE_SEARCH:
        u.hosted[KM_HOSTED_FILE_SEARCH] = 1000;
        break;
    default: /* of a request */
        break;
    }
    return u;
}

/* Of each column a call that uses one of what it prices, and nothing else. */
static struct km_usage one_of(enum km_price_column column)
{
    struct km_usage u = { 0 };

    switch (column) {
    case KM_PRICE_INPUT:
        u.prompt_tokens = 1;
        break;
    case KM_PRICE_OUTPUT:
        u.completion_tokens = 1;
        break;
    case KM_PRICE_CACHE_READ:
    case KM_PRICE_CACHE_HIT:
        u.prompt_tokens = u.cached_tokens = 1;
        break;
    case KM_PRICE_CACHE_WRITE_1H:
        u.cache_write_1h_tokens = 1; /* fallthrough */
        u.prompt_tokens = u.cache_write_tokens = 1;
        break;
    case KM_PRICE_CACHE_WRITE:
        u.prompt_tokens = u.cache_write_tokens = 1;
        break;
    case KM_PRICE_REASONING:
        u.completion_tokens = u.reasoning_tokens = 1;
        break;
    case KM_PRICE_AUDIO_READ:
    case KM_PRICE_AUDIO_WRITE:
        u.cached_tokens = u.audio_cached_tokens = 1; /* fallthrough */
        u.prompt_tokens = u.audio_tokens = 1;
        break;
    case KM_PRICE_AUDIO_INPUT:
        u.prompt_tokens = u.audio_tokens = 1;
        break;
    case KM_PRICE_AUDIO_OUTPUT:
        u.completion_tokens = u.audio_completion_tokens = 1;
        break;
    case KM_PRICE_IMAGE_READ:
        u.cached_tokens = u.image_cached_tokens = 1;
        u.prompt_tokens = u.image_tokens = 1;
        break;
    case KM_PRICE_IMAGE_INPUT:
        u.prompt_tokens = u.image_tokens = 1;
        break;
    case KM_PRICE_IMAGE_OUTPUT:
        u.completion_tokens = u.media.image_tokens = 1;
        break;
    default:
        return one_unit_of(column);
    }
    return u;
}

struct named {
    const char *name;
    unsigned forms;
};

static const struct named columns[] = {
#define NAMED(id, name, member, forms, help) { name, forms },
    KM_PRICE_COLUMNS(NAMED)
#undef NAMED
};

/* Beside prices that make a call priced, and make audio and images kinds of their own. */
#define BESIDE                                                                                     \
    "\"input_cost_per_token\":0,\"output_cost_per_token\":0,\"input_cost_per_audio_token\":0,"     \
    "\"input_cost_per_image_token\":0"

static void each_column_prices_what_it_names(void **state)
{
    char json[400];

    (void)state;
    for (int i = 0; i < KM_PRICE_COLUMN_COUNT; i++) {
        struct km_usage u = one_of((enum km_price_column)i);

        snprintf(json, sizeof json, "{%s,\"%s\":\"0.000007\"}",
                 u.media.one_way ? "\"x\":1" : BESIDE, columns[i].name);
        assert_true(km_price_counts(km_str_c(columns[i].name)));
        if (cost(json, u) != 7000)
            fail_msg("%s: %lld", json, (long long)cost(json, u));
    }
}

/* Every tier and service that a column may have changes what it is for, and nothing else. */
static void tiers_and_services_stand_behind_a_name(void **state)
{
    static const int tiers[] = { 100, 128, 200, 256, 272, 512 };
    static const struct {
        const char *name;
        enum km_service service;
    } services[] = {
        { "", KM_SERVICE_STANDARD },          { "_flex", KM_SERVICE_FLEX },
        { "_priority", KM_SERVICE_PRIORITY }, { "_batches", KM_SERVICE_BATCH },
        { "_balanced", KM_SERVICE_BALANCED }, { "_ultrafast", KM_SERVICE_ULTRAFAST },
    };
    char json[400], tier[40];

    (void)state;
    for (int i = 0; i < KM_PRICE_COLUMN_COUNT; i++)
        for (size_t t = 0; t <= sizeof tiers / sizeof tiers[0]; t++)
            for (size_t s = 0; s < sizeof services / sizeof services[0]; s++) {
                struct km_usage u = one_of((enum km_price_column)i), other = u;

                tier[0] = 0;
                if (t)
                    snprintf(tier, sizeof tier, "_above_%dk_tokens", tiers[t - 1]);
                snprintf(json, sizeof json, "{%s,\"%s%s%s\":7e-6}", BESIDE, columns[i].name, tier,
                         services[s].name);
                if ((t && !(columns[i].forms & KM_PRICE_ABOVE)) ||
                    (s && !(columns[i].forms & KM_PRICE_SERVICE)) || (!t && !s))
                    continue;
                u.service = services[s].service;
                u.prompt_tokens += t ? tiers[t - 1] * 1000 + 1 : 0; /* at 0 each, but of INPUT */
                if (cost(json, u) != 7000 * (i == KM_PRICE_INPUT ? u.prompt_tokens : 1))
                    fail_msg("%s: %lld", json, (long long)cost(json, u));
                other.prompt_tokens = u.prompt_tokens;
                if (s && cost(json, other) != 0)
                    fail_msg("%s: another service", json);
                u.prompt_tokens = t ? tiers[t - 1] * 1000 : 0;
                if (t && cost(json, u) != 0)
                    fail_msg("%s: a shorter prompt", json);
            }
}

static void search_is_priced_by_its_size(void **state)
{
    static const char json[] = "{\"input_cost_per_token\":0,\"search_context_cost_per_query\":"
                               "{\"search_context_size_low\":1,\"search_context_size_medium\":2,"
                               "\"search_context_size_high\":3}}";
    struct km_usage u = { .hosted = { [KM_HOSTED_WEB_SEARCH] = 5 } };

    (void)state;
    assert_int_equal(cost(json, u), 10000000000);
    u.search = KM_SEARCH_LOW;
    assert_int_equal(cost(json, u), 5000000000);
    u.search = KM_SEARCH_HIGH;
    assert_int_equal(cost(json, u), 15000000000);
    assert_int_equal(cost("{\"input_cost_per_token\":0,\"web_search_billing_unit\":\"per_prompt\","
                          "\"search_context_cost_per_query\":{\"search_context_size_medium\":2}}",
                          u),
                     2000000000);
}

static void speed_and_place_multiply_tokens_alone(void **state)
{
    static const char json[] = "{\"input_cost_per_token\":1e-6,\"input_cost_per_request\":1,"
                               "\"provider_specific_entry\":{\"us\":1.1,\"fast\":6.0,\"x\":[1]}}";
    struct km_usage u = { .prompt_tokens = 1000 };

    (void)state;
    assert_int_equal(cost(json, u), 1001000000);
    u.fast = true;
    assert_int_equal(cost(json, u), 1006000000);
    u.in_us = true;
    assert_int_equal(cost(json, u), 1006600000);
}

static void names_that_count_for_nothing_say_why(void **state)
{
    static const char *const none[] = {
        "output_cost_per_second_1080p", "input_cost_per_video_token", "computer_use_cost_per_token",
        "input_cost_per_token_decisions", "cache_creation_input_token_cost_above_12hr",
        "input_cost_per_token_above_k_tokens", "input_cost_per_token_above_200k",
        "input_cost_per_token_fast", "ocr_cost_per_page_batches",
    };

    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        assert_false(km_price_counts(km_str_c(none[i])));
        assert_non_null(km_price_no_effect(km_str_c(none[i])));
    }
    assert_null(km_price_no_effect(KM_STR("input_cost_per_token_flex")));
    assert_null(km_price_no_effect(KM_STR("temperature")));
}

static void odd_values_refuse_an_entry_and_null_is_unset(void **state)
{
    static const char *const odd[] = { "-1", "\"-1e-6\"", "nan", "\"\"", "true", "\"x\"", "1e40" };
    struct km_err err;
    char json[100];

    (void)state;
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        snprintf(json, sizeof json, "{\"input_cost_per_token_flex\":%s}", odd[i]);
        assert_int_equal(km_prices_add_json(prices, KM_STR("m"), km_str_c(json), &err),
                         KM_E_INVALID);
        assert_non_null(strstr(err.text, "input_cost_per_token_flex"));
    }
    assert_int_equal(cost("{\"input_cost_per_token\":null}", (struct km_usage){ 0 }), -1);
}

static void a_models_steps_are_bounded(void **state)
{
    struct km_price_draft d;
    struct km_err err;
    char name[64];

    (void)state;
    km_price_draft_init(&d, KM_STR_NONE);
    for (int i = 1; i <= KM_PRICE_STEPS_MOST + 1; i++) {
        int n = snprintf(name, sizeof name, "input_cost_per_token_above_%dk_tokens", 100 - i);

        assert_int_equal(km_price_draft_set(&d, km_str(name, (size_t)n), KM_STR("1"), &err),
                         i <= KM_PRICE_STEPS_MOST ? 1 : KM_E_INVALID);
    }
    km_price_draft_finish(&d, KM_STR_NONE);
    for (unsigned i = 1; i < d.price.nsteps; i++)
        assert_true(d.price.steps[i - 1].above < d.price.steps[i].above);
}

static int setup(void **state)
{
    (void)state;
    prices = km_prices_new();
    return prices ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    prices = km_prices_free(prices);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_column_prices_what_it_names),
        cmocka_unit_test(tiers_and_services_stand_behind_a_name),
        cmocka_unit_test(search_is_priced_by_its_size),
        cmocka_unit_test(speed_and_place_multiply_tokens_alone),
        cmocka_unit_test(names_that_count_for_nothing_say_why),
        cmocka_unit_test(odd_values_refuse_an_entry_and_null_is_unset),
        cmocka_unit_test(a_models_steps_are_bounded),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
