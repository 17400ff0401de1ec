/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "llm/model.h"
#include "llm/routes.h"
#include "policy/economy.h"
#include "policy/gateway_budget.h"
#include "llm/provider/codecs.h"

static const struct km_settings_table *const tables[] = {
    &km_model_settings_table,
    &km_llm_defaults_table,
    &km_router_settings_table,
    &km_route_settings_table,
    &km_economy_settings_table,
    &km_gateway_budget_settings_table,
    NULL,
};

struct fixture {
    struct km_config *config;
    struct km_diags *diags;
    struct km_models *models;
    struct km_tls_client *tls;
    struct km_proxy_env proxies;
};

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct fixture));
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    km_models_free(f->models);
    km_tls_client_unref(f->tls);
    km_config_unref(f->config);
    km_diags_free(f->diags);
    free(f);
    return 0;
}

/* The deployment of these litellm_params in that environment. */
static const struct km_deployment *build(struct fixture *f, const char *params,
                                         const char *const *environ_)
{
    char path[] = "/tmp/kanmon-bedrock-XXXXXX";
    struct km_config_args args = { .file = path, .tables = tables, .environ = environ_ };
    struct km_models_args margs = { 0 };
    struct km_tls_client_args tls = { 0 };
    struct km_err err = { 0 };
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_true(dprintf(fd, "model_list:\n  - model_name: m\n    litellm_params: {%s}\n", params) >
                0);
    close(fd);
    f->diags = km_diags_new();
    if (km_config_load(&args, f->diags, &f->config, &err) < 0)
        fail_msg("%s", err.text);
    unlink(path);
    assert_int_equal(km_tls_client_new(&tls, &f->tls, &err), 0);
    margs.config = f->config;
    margs.tls = margs.tls_insecure = f->tls;
    margs.proxies = &f->proxies;
    assert_int_equal(km_models_new(&margs, f->diags, &f->models, &err), 0);
    assert_int_equal(km_models_count(f->models), 1);
    return km_models_at(f->models, 0);
}

static const char *const nothing[] = { "HOME=/nonexistent", NULL };

static void expect_base(void **state, const char *params, const char *const *env, const char *want)
{
    const struct km_deployment *d = build(*state, params, env);
    char *base;

    assert_int_equal(d->unavailable.n, 0);
    base = strndup(d->api_base.p, d->api_base.n);
    assert_string_equal(base, want);
    free(base);
    assert_int_equal(teardown(state), 0);
    assert_int_equal(setup(state), 0);
}

static void the_region_comes_from_the_first_that_says_it(void **state)
{
    static const char *const env[] = { "AWS_REGION_NAME=eu-west-1", "AWS_REGION=eu-west-2",
                                       "AWS_DEFAULT_REGION=eu-west-3", NULL };
    static const char *const sdk[] = { "AWS_REGION=eu-west-2", "AWS_DEFAULT_REGION=eu-west-3",
                                       NULL };

    expect_base(state, "model: bedrock/anthropic.claude-x, aws_region_name: ap-northeast-1", env,
                "https://bedrock-runtime.ap-northeast-1.amazonaws.com");
    expect_base(state, "model: bedrock/us-east-1/anthropic.claude-x", env,
                "https://bedrock-runtime.us-east-1.amazonaws.com");
    expect_base(state, "model: 'bedrock/arn:aws:bedrock:us-west-2:1:inference-profile/x'", env,
                "https://bedrock-runtime.us-west-2.amazonaws.com");
    expect_base(state, "model: bedrock/anthropic.claude-x", env,
                "https://bedrock-runtime.eu-west-1.amazonaws.com");
    expect_base(state, "model: bedrock/anthropic.claude-x", sdk,
                "https://bedrock-runtime.eu-west-2.amazonaws.com");
    expect_base(state, "model: bedrock/anthropic.claude-x, aws_region_name: cn-north-1", env,
                "https://bedrock-runtime.cn-north-1.amazonaws.com.cn");
}

static void another_address_wins_over_the_regions(void **state)
{
    static const char *const env[] = { "AWS_BEDROCK_RUNTIME_ENDPOINT=https://vpce.example",
                                       "AWS_REGION=us-east-1", NULL };

    expect_base(state, "model: bedrock/x", env, "https://vpce.example");
    expect_base(state, "model: bedrock/x, aws_bedrock_runtime_endpoint: 'http://127.0.0.1:9/path/'",
                env, "http://127.0.0.1:9/path");
    expect_base(state, "model: bedrock/x, api_base: 'https://other.example'", env,
                "https://other.example");
}

static void without_a_region_it_says_so_and_cannot_be_called(void **state)
{
    const struct km_deployment *d = build(*state, "model: bedrock/anthropic.claude-x", nothing);

    assert_true(km_str_eq(d->unavailable, KM_STR("no AWS region is configured")));
}

static void a_bedrock_key_is_a_bearer_token_and_nothing_is_signed(void **state)
{
    static const char *const env[] = { "AWS_REGION=us-east-1", "AWS_BEARER_TOKEN_BEDROCK=ABSKtest",
                                       NULL };
    const struct km_deployment *d = build(*state, "model: bedrock/anthropic.claude-x", env);

    assert_null(d->auth);
    assert_true(km_str_find(d->head, KM_STR("Authorization: Bearer ABSKtest\r\n")) < d->head.n);
}

static void what_the_deployment_names_wins_over_a_key_of_the_environment(void **state)
{
    static const char *const env[] = { "AWS_REGION=us-east-1", "AWS_BEARER_TOKEN_BEDROCK=ABSKtest",
                                       NULL };
    const struct km_deployment *d = build(
        *state,
        "model: bedrock/anthropic.claude-x, aws_access_key_id: AKID, aws_secret_access_key: s",
        env);

    assert_non_null(d->auth);
    assert_int_equal(km_str_find(d->head, KM_STR("Authorization")), d->head.n);
}

static void the_codec_follows_the_models_name(void **state)
{
    static const struct {
        const char *params;
        const struct km_codec *codec;
    } cases[] = {
        { "model: bedrock/anthropic.claude-sonnet-4-6", &km_codec_converse },
        { "model: bedrock/converse/anthropic.claude-sonnet-4-6", &km_codec_converse },
        { "model: bedrock/invoke/anthropic.claude-sonnet-4-6", &km_codec_bedrock_invoke },
        { "model: bedrock/invoke/us-east-1/anthropic.claude-sonnet-4-6", &km_codec_bedrock_invoke },
        { "model: 'bedrock/amazon.titan-embed-text-v2:0'", &km_codec_converse },
        { "model: bedrock/cohere.embed-english-v3", &km_codec_bedrock_cohere },
        { "model: bedrock/cohere.command-r-v1:0", &km_codec_converse },
        { "model: bedrock_mantle/anthropic.claude-opus-4-8", &km_codec_messages },
    };
    static const char *const env[] = { "AWS_REGION=us-east-1", NULL };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_ptr_equal(build(*state, cases[i].params, env)->codec, cases[i].codec);
        assert_int_equal(teardown(state), 0);
        assert_int_equal(setup(state), 0);
    }
}

static void an_arn_stands_for_a_model_that_says_what_it_can(void **state)
{
    const struct km_deployment *d =
        build(*state,
              "model: bedrock/anthropic.claude-sonnet-4-6, model_id: "
              "'arn:aws:bedrock:eu-central-1:1:application-inference-profile/abc'",
              nothing);
    struct km_capability can;

    km_deployment_can(d, d->upstream_model, &can);
    assert_int_equal(can.family, KM_FAMILY_CLAUDE);
    assert_int_equal(can.generation, 46);
    assert_true(km_str_ends(d->upstream_model, KM_STR("application-inference-profile/abc")));
    assert_true(
        km_str_eq(d->api_base, KM_STR("https://bedrock-runtime.eu-central-1.amazonaws.com")));
}

static void the_mantle_speaks_openais_protocol_and_anthropics(void **state)
{
    static const char *const env[] = { "AWS_REGION=us-east-1", NULL };

    expect_base(state, "model: bedrock_mantle/openai.gpt-oss-120b", env,
                "https://bedrock-mantle.us-east-1.api.aws/v1");
    expect_base(state, "model: bedrock_mantle/anthropic.claude-opus-4-8", env,
                "https://bedrock-mantle.us-east-1.api.aws/anthropic/v1");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_region_comes_from_the_first_that_says_it),
        TEST(another_address_wins_over_the_regions),
        TEST(without_a_region_it_says_so_and_cannot_be_called),
        TEST(a_bedrock_key_is_a_bearer_token_and_nothing_is_signed),
        TEST(what_the_deployment_names_wins_over_a_key_of_the_environment),
        TEST(the_codec_follows_the_models_name),
        TEST(an_arn_stands_for_a_model_that_says_what_it_can),
        TEST(the_mantle_speaks_openais_protocol_and_anthropics),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
