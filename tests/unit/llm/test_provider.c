/* SPDX-License-Identifier: Apache-2.0 */
/* The table of providers, and how a configured model finds its row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "llm/provider.h"

static void rows_have_distinct_names_and_can_be_reached(void **state)
{
    size_t n = 0;

    (void)state;
    for (const struct km_provider *p = km_providers(); p->name; p++, n++) {
        assert_ptr_equal(km_provider_find(km_str_c(p->name)), p);
        assert_non_null(p->max_tokens);
        assert_true(p->base || p->base_env);
        assert_true(!p->key_needed || p->key_env[0]);
        if (p->base)
            assert_true(km_str_starts(km_str_c(p->base), KM_STR("http")) &&
                        !km_str_ends(km_str_c(p->base), KM_STR("/")));
        assert_false(km_provider_known_elsewhere(km_str_c(p->name)));
    }
    assert_true(n > 20);
}

static void keys_leave_the_machine_encrypted_only(void **state)
{
    (void)state;
    for (const struct km_provider *p = km_providers(); p->name; p++)
        if (p->base && p->key_needed)
            assert_true(km_str_starts(km_str_c(p->base), KM_STR("https://")));
}

static void names_are_found_whole_and_exactly(void **state)
{
    static const char *const absent[] = { "", "open", "openai2", "OpenAI", "openai/", " openai" };

    (void)state;
    assert_non_null(km_provider_find(KM_STR("openai")));
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
        assert_null(km_provider_find(km_str_c(absent[i])));
}

struct split_row {
    const char *model, *provider, *rest;
};

static void a_prefix_somebody_knows_is_taken_off(void **state)
{
    static const struct split_row rows[] = {
        { "openai/gpt-4o", "openai", "gpt-4o" },
        { "openrouter/openai/gpt-4o", "openrouter", "openai/gpt-4o" },
        { "hosted_vllm/meta/llama", "hosted_vllm", "meta/llama" },
        { "bedrock/anthropic.claude-v2", "bedrock", "anthropic.claude-v2" },
        { "openai/*", "openai", "*" },
        { "gpt-4o-mini", "openai", "gpt-4o-mini" },
        { "claude-haiku-4-5", "anthropic", "claude-haiku-4-5" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct km_str provider, model;

        km_provider_split(km_str_c(rows[i].model), &provider, &model);
        assert_true(km_str_eq(provider, km_str_c(rows[i].provider)));
        assert_true(km_str_eq(model, km_str_c(rows[i].rest)));
    }
}

static void what_nobody_knows_stays_whole(void **state)
{
    struct km_str provider, model;

    (void)state;
    km_provider_split(KM_STR("nobody/some-model"), &provider, &model);
    assert_int_equal(provider.n, 0);
    assert_true(km_str_eq(model, KM_STR("nobody/some-model")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_have_distinct_names_and_can_be_reached),
        cmocka_unit_test(keys_leave_the_machine_encrypted_only),
        cmocka_unit_test(names_are_found_whole_and_exactly),
        cmocka_unit_test(a_prefix_somebody_knows_is_taken_off),
        cmocka_unit_test(what_nobody_knows_stays_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
