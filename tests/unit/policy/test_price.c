/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "policy/price.h"

/* Rates of which input alone is set. */
#define KM_RATES_NONE_BUT(input) input, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1

static struct km_price price(int64_t input, int64_t output)
{
    struct km_price p = KM_PRICE_NONE;

    p.input = input;
    p.output = output;
    return p;
}

static int64_t cost(const struct km_price *p, struct km_usage u)
{
    int64_t nano = -1;

    assert_true(km_price_cost(p, &u, &nano));
    return nano;
}

static void a_call_is_summed_in_pico_and_rounded_once(void **state)
{
    struct km_price p = price(150000, 600000); /* gpt-4o-mini */

    (void)state;
    assert_int_equal(cost(&p, (struct km_usage){ .prompt_tokens = 10, .completion_tokens = 20 }),
                     13500);
    p = price(499, 0);
    assert_int_equal(cost(&p, (struct km_usage){ .prompt_tokens = 1 }), 0);
    p = price(500, 0);
    assert_int_equal(cost(&p, (struct km_usage){ .prompt_tokens = 1 }), 1);
    p = price(250, 250); /* two halves of a half: added first, rounded once */
    assert_int_equal(cost(&p, (struct km_usage){ .prompt_tokens = 1, .completion_tokens = 1 }), 1);
}

static void cached_parts_have_their_own_price_or_inputs(void **state)
{
    struct km_price p = price(1000, 0);
    const struct km_usage u = { .prompt_tokens = 100,
                                .cached_tokens = 60,
                                .cache_write_tokens = 30 };

    (void)state;
    assert_int_equal(cost(&p, u), 100);
    p.cache_read = 100;
    assert_int_equal(cost(&p, u), 10 + 30 + 6);
    p.cache_write = 2000;
    assert_int_equal(cost(&p, u), 10 + 60 + 6);
}

static void audio_and_images_have_prices_of_their_own(void **state)
{
    struct km_price p = price(4000, 16000);
    struct km_usage u = { .prompt_tokens = 1000,
                          .cached_tokens = 400,
                          .completion_tokens = 200,
                          .audio_tokens = 700,
                          .image_tokens = 100,
                          .audio_cached_tokens = 300,
                          .image_cached_tokens = 50,
                          .audio_completion_tokens = 150 };

    (void)state;
    assert_int_equal(cost(&p, u), 4000 + 3200); /* no price of its own: as text */
    p.cache_read = 400;
    p.audio_input = 32000;
    p.audio_output = 64000;
    /* Text 300 of which 100 cached (of 400, 300 were audio); images are text here. */
    assert_int_equal(cost(&p, u), 200 * 4 + 100 * 0.4 + 700 * 32 + 50 * 16 + 150 * 64);
    p.audio_cache_read = 400;
    p.image_input = 5000;
    p.image_cache_read = 500;
    assert_int_equal(cost(&p, u), 150 * 4 + 50 * 0.4 + 400 * 32 + 300 * 0.4 + 50 * 5 + 50 * 0.5 +
                                      50 * 16 + 150 * 64);
    u.audio_tokens = 5000; /* more than there is: cut, and nothing is negative */
    u.audio_cached_tokens = 5000;
    assert_int_equal(cost(&p, u), 600 * 32 + 400 * 0.4 + 50 * 16 + 150 * 64);
}

static void seconds_of_audio_are_charged_where_they_are_what_counts(void **state)
{
    struct km_price p = KM_PRICE_NONE;
    int64_t nano;

    (void)state;
    p.second = 100000000; /* whisper-1: 0.0001 USD */
    assert_int_equal(cost(&p, (struct km_usage){ .audio_ms = 2500 }), 250000);
    assert_false(km_price_cost(&(struct km_price)KM_PRICE_NONE,
                               &(struct km_usage){ .audio_ms = 2500 }, &nano));
}

static void the_builtin_table_knows_realtime_models(void **state)
{
    struct km_prices *prices = km_prices_new();
    struct km_price p;

    (void)state;
    assert_true(km_prices_find(prices, KM_STR("openai"), KM_STR("gpt-realtime"), &p));
    assert_int_equal(p.input, 4000000);
    assert_int_equal(p.audio_input, 32000000);
    assert_int_equal(p.audio_output, 64000000);
    assert_int_equal(p.audio_cache_read, 400000);
    assert_int_equal(p.second, -1);
    assert_true(km_prices_find(prices, KM_STR("openai"), KM_STR("gpt-4o"), &p));
    assert_int_equal(p.audio_input, -1);
    km_prices_free(prices);
}

static void impossible_usage_is_cut_to_the_prompt(void **state)
{
    struct km_price p = price(1000, 1000);

    (void)state;
    p.cache_read = 500;
    assert_int_equal(cost(&p, (struct km_usage){ .prompt_tokens = 10, .cached_tokens = 1000 }), 5);
    assert_int_equal(cost(&p, (struct km_usage){ .prompt_tokens = -5, .completion_tokens = -7 }),
                     0);
}

static void a_sum_that_does_not_fit_saturates(void **state)
{
    struct km_price p = price(INT64_MAX, INT64_MAX);

    (void)state;
    assert_true(cost(&p, (struct km_usage){ .prompt_tokens = INT64_MAX,
                                            .completion_tokens = INT64_MAX }) == INT64_MAX);
}

static void no_price_is_not_a_price_of_nothing(void **state)
{
    struct km_price p = KM_PRICE_NONE;
    const struct km_usage u = { .prompt_tokens = 5 };
    int64_t nano = 77;

    (void)state;
    assert_false(km_price_cost(&p, &u, &nano));
    assert_int_equal(nano, 77);
    p.request = 2000;
    assert_int_equal(cost(&p, u), 2);
    p = price(0, -1);
    assert_int_equal(cost(&p, u), 0);
}

static void a_long_prompt_is_priced_by_its_tier_throughout(void **state)
{
    struct km_price p = price(1000, 2000);

    (void)state;
    p.steps = &(struct km_price_step){ 100, KM_SERVICE_STANDARD, { KM_RATES_NONE_BUT(3000) } };
    p.nsteps = 1;
    assert_int_equal(cost(&p, (struct km_usage){ .prompt_tokens = 100, .completion_tokens = 1 }),
                     102);
    assert_int_equal(cost(&p, (struct km_usage){ .prompt_tokens = 101, .completion_tokens = 1 }),
                     305);
}

static void what_is_set_over_wins(void **state)
{
    struct km_price base = price(1, 2), over = KM_PRICE_NONE, m;

    (void)state;
    base.max_input_tokens = 10;
    base.steps = &(struct km_price_step){ 5, KM_SERVICE_STANDARD, { KM_RATES_NONE_BUT(9) } };
    base.nsteps = 1;
    m = km_price_merge(base, over);
    assert_int_equal(m.nsteps, 1);
    over.output = 0;
    m = km_price_merge(base, over);
    assert_int_equal(m.input, 1);
    assert_int_equal(m.output, 0);
    assert_int_equal(m.max_input_tokens, 10);
    assert_int_equal(m.nsteps, 0);
}

static void tokens_are_bounded_and_estimated(void **state)
{
    (void)state;
    assert_int_equal(km_tokens_upper(1000), 1000);
    assert_int_equal(km_tokens_estimate(KM_STR("")), 0);
    assert_int_equal(km_tokens_estimate(KM_STR("hello")), 2);
    assert_int_equal(km_tokens_estimate(KM_STR("\xe9\x96\xa2\xe9\x96\x80 ok")), 3);
}

static struct km_price found(const struct km_prices *p, const char *provider, const char *model)
{
    struct km_price price;

    assert_true(km_prices_find(p, km_str_c(provider), km_str_c(model), &price));
    return price;
}

/* The plain price of longer prompts. */
static const struct km_price_step *tier_of(const struct km_price *p)
{
    for (unsigned i = 0; i < p->nsteps; i++)
        if (p->steps[i].above > 0 && p->steps[i].service == KM_SERVICE_STANDARD)
            return &p->steps[i];
    fail_msg("it has no tier");
    return NULL;
}

static void the_builtin_table_knows_current_models(void **state)
{
    struct km_prices *p = km_prices_new();
    struct km_price none, gemini = found(p, "gemini", "gemini-2.5-pro");

    (void)state;
    assert_int_equal(found(p, "openai", "gpt-4o-mini").input, 150000);
    assert_int_equal(found(p, "openai", "gpt-4o-2024-08-06").output, 10000000);
    assert_int_equal(tier_of(&gemini)->above, 200000);
    assert_int_equal(found(p, "bedrock", "us.anthropic.claude-3-7-sonnet-20250219-v1:0").output,
                     15000000);
    assert_int_equal(found(p, "bedrock", "apac.anthropic.claude-3-5-sonnet-20241022-v2:0").input,
                     3000000);
    assert_int_equal(
        found(p, "bedrock", "converse/global.anthropic.claude-sonnet-4-5-20250929-v1:0").input,
        3000000);
    assert_int_equal(found(p, "groq", "openai/gpt-oss-20b").input, 75000);
    assert_false(km_prices_find(p, KM_STR("hosted_vllm"), KM_STR("gpt-4o"), &none));
    assert_false(km_prices_find(p, KM_STR("openai"), KM_STR("no-such-model"), &none));
    assert_null(km_prices_free(p));
}

/* What a public configuration names, and what an unpriced one was found to be. */
static void the_builtin_table_has_the_models_people_use(void **state)
{
    static const char *const names[][2] = {
        { "openai", "gpt-4" },
        { "openai", "gpt-3.5-turbo" },
        { "openai", "text-embedding-3-small" },
        { "azure", "gpt-4o" },
        { "azure", "us/gpt-4o-2024-08-06" },
        { "azure", "eu/gpt-4o-2024-08-06" },
        { "azure", "gpt-4.1-mini" },
        { "bedrock", "amazon.nova-pro-v1:0" },
        { "bedrock", "us.amazon.nova-lite-v1:0" },
        { "bedrock", "amazon.titan-embed-text-v2:0" },
        { "bedrock", "us.meta.llama3-3-70b-instruct-v1:0" },
        { "bedrock", "mistral.mistral-large-2402-v1:0" },
        { "bedrock", "cohere.embed-english-v3" },
        { "bedrock", "us.deepseek.r1-v1:0" },
        { "bedrock", "openai.gpt-oss-120b-1:0" },
        { "mistral", "mistral-large-latest" },
        { "deepseek", "deepseek-chat" },
        { "deepseek", "deepseek-v4-pro" },
        { "perplexity", "sonar-pro" },
        { "together_ai", "meta-llama/Llama-3.3-70B-Instruct-Turbo" },
        { "fireworks_ai", "accounts/fireworks/models/deepseek-v3p1" },
        { "fireworks_ai", "glm-5p1" },
        { "vertex_ai", "gemini-2.5-pro" },
        { "cohere_chat", "command-r-plus-08-2024" },
    };
    struct km_prices *p = km_prices_new();
    struct km_price price;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!km_prices_find(p, km_str_c(names[i][0]), km_str_c(names[i][1]), &price) ||
            price.input < 0)
            fail_msg("%s/%s", names[i][0], names[i][1]);
    assert_int_equal(found(p, "azure", "gpt-4o").max_output_tokens, 16384);
    /* GovCloud has prices of its own, not those of any other place. */
    assert_int_equal(found(p, "bedrock", "us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0").input,
                     3600000);
    km_prices_free(p);
}

/* By docs.perplexity.ai/getting-started/pricing: a fee for each request by the size of what its
 * search gives the model; of deep research one for each query, and what it found and thought. */
static void perplexitys_calls_are_searches(void **state)
{
    struct km_prices *p = km_prices_new();
    struct km_price sonar = found(p, "perplexity", "sonar"), deep;
    struct km_usage u = { .prompt_tokens = 9, .completion_tokens = 402 };
    int64_t nano = 0;

    (void)state;
    assert_true(km_price_cost(&sonar, &u, &nano));
    assert_int_equal(nano, 411 * 1000 + 8000000);
    u.search = KM_SEARCH_LOW;
    u.hosted[KM_HOSTED_WEB_SEARCH] = 3; /* one fee for all of them */
    assert_true(km_price_cost(&sonar, &u, &nano));
    assert_int_equal(nano, 411 * 1000 + 5000000);
    assert_int_equal(km_price_worst(&sonar, &u).request, 5000000000);
    deep = found(p, "perplexity", "sonar-deep-research");
    u = (struct km_usage){ .prompt_tokens = 33,
                           .completion_tokens = 7163 + 73997,
                           .reasoning_tokens = 73997,
                           .citation_tokens = 19861,
                           .hosted = { [KM_HOSTED_WEB_SEARCH] = 18 } };
    assert_true(km_price_cost(&deep, &u, &nano));
    assert_int_equal(nano, 33 * 2000 + 7163 * 8000 + 73997 * 3000 + 19861 * 2000 + 18 * 5000000);
    u.hosted[KM_HOSTED_WEB_SEARCH] = 0;
    assert_true(km_price_cost(&deep, &u, &nano));
    assert_int_equal(nano, 33 * 2000 + 7163 * 8000 + 73997 * 3000 + 19861 * 2000 + 5000000);
    km_prices_free(p);
}

static void a_reranker_costs_by_its_units(void **state)
{
    struct km_prices *p = km_prices_new();
    struct km_price price = found(p, "cohere", "rerank-v3.5");
    struct km_usage u = { .queries = 10 };
    int64_t nano = 0;

    (void)state;
    assert_true(km_price_cost(&price, &u, &nano));
    assert_int_equal(nano, 20000000);
    assert_int_equal(km_price_worst(&price, &u).request, 20000000000);
    u.queries = 0;
    assert_true(km_price_cost(&price, &u, &nano));
    assert_int_equal(nano, 2000000);
    assert_int_equal(km_price_worst(&price, &u).request, 2000000000);
    km_prices_free(p);
}

static void hosted_tools_have_their_providers_price(void **state)
{
    struct km_prices *p = km_prices_new();
    struct km_price gpt = found(p, "openai", "gpt-5"), claude, mine = KM_PRICE_NONE;
    struct km_err err;

    (void)state;
    assert_int_equal(gpt.search[KM_SEARCH_MEDIUM], 10000000000);
    assert_int_equal(gpt.session, 30000000000);
    assert_int_equal(gpt.file_search, 2500000000);
    claude = found(p, "anthropic", "claude-opus-5");
    assert_int_equal(claude.search[KM_SEARCH_MEDIUM], 10000000000);
    assert_int_equal(claude.in_us, 1100);
    assert_int_equal(claude.fast, 2000);
    assert_int_equal(found(p, "gemini", "gemini-2.5-pro").search_by_query, 0);
    assert_int_equal(found(p, "gemini", "gemini-3.1-pro-preview").search_by_query, 1);
    /* web_search_preview of models that do not reason. */
    assert_int_equal(found(p, "openai", "gpt-4o").search[KM_SEARCH_MEDIUM], 25000000000);
    assert_int_equal(found(p, "openai", "gpt-4.1").search[KM_SEARCH_MEDIUM], 25000000000);
    km_prices_add_tools(p, KM_STR("openai"), &mine); /* a model that no table has */
    assert_int_equal(mine.session, 30000000000);
    /* An import says it of the provider, as LiteLLM's file does. */
    assert_int_equal(km_prices_add_json(p, KM_STR("openai/container"),
                                        KM_STR("{\"code_interpreter_cost_per_session\":0.04}"),
                                        &err),
                     0);
    assert_int_equal(found(p, "openai", "gpt-5").session, 40000000000);
    assert_int_equal(found(p, "openai", "gpt-5").file_search, 2500000000);
    km_prices_free(p);
}

static void imported_rows_win_and_a_bare_name_is_its_providers(void **state)
{
    struct km_prices *p = km_prices_new();
    struct km_price price;
    struct km_err err;

    (void)state;
    assert_int_equal(
        km_prices_add_json(p, KM_STR("gpt-4o-mini"),
                           KM_STR("{\"litellm_provider\":\"openai\",\"mode\":\"chat\","
                                  "\"input_cost_per_token\":1.5e-07,\"output_cost_per_token\":7E-7,"
                                  "\"cache_read_input_token_cost\":null,"
                                  "\"input_cost_per_token_above_200k_tokens\":3e-07,"
                                  "\"search\":{\"a\":[1,\"}\"]},\"max_input_tokens\":128000}"),
                           &err),
        0);
    price = found(p, "openai", "gpt-4o-mini");
    assert_int_equal(price.output, 700000);
    assert_int_equal(price.cache_read, -1);
    assert_int_equal(tier_of(&price)->above, 200000);
    assert_int_equal(tier_of(&price)->rates.input, 300000);
    assert_int_equal(price.max_input_tokens, 128000);
    assert_false(km_prices_find(p, KM_STR("hosted_vllm"), KM_STR("gpt-4o-mini"), &price));
    assert_int_equal(km_prices_add_json(p, KM_STR("x/*-large"),
                                        KM_STR("{\"input_cost_per_token\":\"0.1\"}"), &err),
                     0);
    assert_int_equal(found(p, "x", "very-large").input, 100000000000);
    assert_int_equal(
        km_prices_add_json(p, KM_STR("y"), KM_STR("{\"input_cost_per_token\":-1}"), &err),
        KM_E_INVALID);
    assert_int_equal(km_prices_add_json(p, KM_STR("y"), KM_STR("[]"), &err), KM_E_INVALID);
    km_prices_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_is_summed_in_pico_and_rounded_once),
        cmocka_unit_test(cached_parts_have_their_own_price_or_inputs),
        cmocka_unit_test(audio_and_images_have_prices_of_their_own),
        cmocka_unit_test(seconds_of_audio_are_charged_where_they_are_what_counts),
        cmocka_unit_test(the_builtin_table_knows_realtime_models),
        cmocka_unit_test(impossible_usage_is_cut_to_the_prompt),
        cmocka_unit_test(a_sum_that_does_not_fit_saturates),
        cmocka_unit_test(no_price_is_not_a_price_of_nothing),
        cmocka_unit_test(a_long_prompt_is_priced_by_its_tier_throughout),
        cmocka_unit_test(what_is_set_over_wins),
        cmocka_unit_test(tokens_are_bounded_and_estimated),
        cmocka_unit_test(the_builtin_table_knows_current_models),
        cmocka_unit_test(the_builtin_table_has_the_models_people_use),
        cmocka_unit_test(perplexitys_calls_are_searches),
        cmocka_unit_test(a_reranker_costs_by_its_units),
        cmocka_unit_test(hosted_tools_have_their_providers_price),
        cmocka_unit_test(imported_rows_win_and_a_bare_name_is_its_providers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
