/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "llm/provider.h"

static void expect_split(const char *model, const char *provider, const char *rest)
{
    struct km_str p, m;

    km_provider_split(km_str_c(model), &p, &m);
    assert_true(km_str_eq(p, km_str_c(provider)));
    assert_true(km_str_eq(m, km_str_c(rest)));
}

static void a_prefix_names_the_provider_only_when_somebody_knows_it(void **state)
{
    (void)state;
    expect_split("openai/gpt-4o", "openai", "gpt-4o");
    expect_split("hosted_vllm/meta/llama", "hosted_vllm", "meta/llama");
    expect_split("bedrock/anthropic.claude", "bedrock", "anthropic.claude");
    expect_split("meta/llama-3", "", "meta/llama-3");
}

static void a_bare_name_is_inferred(void **state)
{
    (void)state;
    expect_split("gpt-4o-mini", "openai", "gpt-4o-mini");
    expect_split("o3-mini", "openai", "o3-mini");
    expect_split("claude-sonnet-4", "anthropic", "claude-sonnet-4");
    expect_split("dall-e-3", "openai", "dall-e-3");
    expect_split("whisper-1", "openai", "whisper-1");
    expect_split("tts-1-hd", "openai", "tts-1-hd");
    expect_split("ft:gpt-4o-mini:me::x", "openai", "ft:gpt-4o-mini:me::x");
    expect_split("embed-english-v3.0", "cohere", "embed-english-v3.0");
    expect_split("rerank-english-v3.0", "cohere", "rerank-english-v3.0");
    expect_split("something", "", "something");
}

static void every_row_is_usable(void **state)
{
    const struct km_provider *p;

    (void)state;
    for (size_t i = 0; (p = km_provider_at(i)) != NULL; i++) {
        assert_ptr_equal(km_provider_find(km_str_c(p->name)), p); /* no name twice */
        assert_true(p->codec || p->max_tokens);
        assert_true(p->build || p->key_env[0]);
        assert_false(km_provider_known_elsewhere(km_str_c(p->name)));
        assert_true(p->base || p->base_env || p->build);
        assert_false(p->base && km_str_ends(km_str_c(p->base), KM_STR("/")));
        if (p->base && p->key_needed) /* a key goes over https only */
            assert_true(km_str_starts(km_str_c(p->base), KM_STR("https://")));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_prefix_names_the_provider_only_when_somebody_knows_it),
        cmocka_unit_test(a_bare_name_is_inferred),
        cmocka_unit_test(every_row_is_usable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
