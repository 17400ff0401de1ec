/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "llm/affinity.h"
#include "llm/model.h"
#include "llm/routes.h"
#include "policy/economy.h"
#include "policy/gateway_budget.h"

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
};

static void load(struct fixture *f, const char *yaml)
{
    static const char *const environ_[] = { "GROQ_API_KEY=gsk", "OPENAI_API_KEY=sk-o", NULL };
    char path[] = "/tmp/kanmon-model-XXXXXX";
    struct km_config_args args = { .file = path, .tables = tables, .environ = environ_ };
    struct km_models_args margs = { 0 };
    struct km_tls_client_args tls = { 0 };
    struct km_err err = { 0 };
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, yaml, strlen(yaml)), (ssize_t)strlen(yaml));
    close(fd);
    f->diags = km_diags_new();
    if (km_config_load(&args, f->diags, &f->config, &err) < 0)
        fail_msg("%s", err.text);
    unlink(path);
    margs.config = f->config;
    assert_int_equal(km_tls_client_new(&tls, &f->tls, &err), 0);
    margs.tls = margs.tls_insecure = f->tls;
    assert_int_equal(km_models_new(&margs, f->diags, &f->models, &err), 0);
}

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

static const struct km_deployment *found(struct fixture *f, const char *name, size_t n)
{
    struct km_model_match m;

    if (km_models_find(f->models, km_str_c(name), &m, NULL) < 0)
        return NULL;
    assert_int_equal(m.n, n);
    return m.v[0].deployment;
}

static const char list[] =
    "model_list:\n"
    "  - model_name: fast\n"
    "    litellm_params: {model: openai/gpt-4o-mini, api_base: 'http://127.0.0.1:9/v1', weight: 3, "
    "top_k: 5}\n"
    "    model_info: {id: one}\n"
    "  - model_name: fast\n"
    "    litellm_params: {model: groq/llama, weight: 1}\n"
    "    model_info: {id: two}\n"
    "  - model_name: openai/*\n"
    "    litellm_params: {model: openai/*}\n"
    "  - model_name: openai/gpt-*\n"
    "    litellm_params: {model: openai/gpt-*}\n"
    "    model_info: {id: specific}\n"
    "  - model_name: claude\n"
    "    litellm_params: {model: bedrock/anthropic.claude-3}\n"
    "  - model_name: vllm\n"
    "    litellm_params: {model: hosted_vllm/x}\n"
    "  - model_name: local\n"
    "    litellm_params: {model: ollama_chat/llama3, api_base: 'http://localhost:11434/'}\n"
    "router_settings:\n"
    "  model_group_alias: {quick: fast, secret: {model: fast, hidden: true}}\n";

static void names_are_found_exactly_by_alias_by_id_and_by_the_best_wildcard(void **state)
{
    struct fixture *f = *state;
    struct km_model_match m;

    load(f, list);
    assert_non_null(found(f, "fast", 2));
    assert_non_null(found(f, "quick", 2));
    assert_true(km_str_eq(found(f, "two", 1)->model, KM_STR("groq/llama")));
    assert_true(km_str_eq(found(f, "openai/gpt-5", 1)->id, KM_STR("specific")));
    assert_int_equal(km_models_find(f->models, KM_STR("openai/o3"), &m, NULL), 0);
    assert_true(km_str_eq(m.star, KM_STR("o3")));
    assert_null(found(f, "nothing", 0));
}

static void a_deployment_is_ready_to_call(void **state)
{
    struct fixture *f = *state;
    const struct km_deployment *d;

    load(f, list);
    d = found(f, "fast", 2);
    assert_true(km_str_eq(d->base_path, KM_STR("/v1")));
    assert_true(km_str_eq(d->upstream_model, KM_STR("gpt-4o-mini")));
    assert_int_equal(d->weight, 3000);
    assert_int_equal(d->ndefaults, 1);
    assert_true(km_str_eq(d->defaults[0].name, KM_STR("top_k")));
    assert_true(km_str_find(d->head, KM_STR("Authorization: Bearer sk-o\r\n")) < d->head.n);
    d = found(f, "two", 1);
    assert_true(km_str_eq(d->api_base, KM_STR("https://api.groq.com/openai/v1")));
    assert_true(km_str_find(d->head, KM_STR("Bearer gsk")) < d->head.n);
    assert_true(km_str_eq(found(f, "local", 1)->base_path, KM_STR_NONE));
}

static int64_t weight_of(const struct fixture *f, const char *group, size_t i)
{
    struct km_model_match m;

    assert_int_equal(km_models_find(f->models, km_str_c(group), &m, NULL), 0);
    return m.v[i].weight;
}

static void shares_are_of_one_kind_within_a_group_and_order(void **state)
{
    struct fixture *f = *state;

    load(f,
         "model_list:\n"
         "  - {model_name: a, litellm_params: {model: openai/x, api_key: k, weight: 0.9}}\n"
         "  - {model_name: a, litellm_params: {model: openai/y, api_key: k, weight: 0.1, rpm: 5}}\n"
         "  - {model_name: a, litellm_params: {model: openai/z, api_key: k, rpm: 7}}\n"
         "  - {model_name: a, litellm_params: {model: openai/o, api_key: k, rpm: 7, order: 1}}\n"
         "  - {model_name: b, litellm_params: {model: openai/x, api_key: k}}\n");
    assert_int_equal(weight_of(f, "a", 0), 900);
    assert_int_equal(weight_of(f, "a", 1), 100);
    assert_int_equal(weight_of(f, "a", 2), 0);
    assert_int_equal(weight_of(f, "a", 3), 7);
    assert_int_equal(weight_of(f, "b", 0), 1);
}

static void what_cannot_be_called_says_why_and_warns(void **state)
{
    struct fixture *f = *state;

    load(f, list);
    assert_true(km_str_find(found(f, "claude", 1)->unavailable, KM_STR("bedrock")) < 40);
    assert_true(km_str_find(found(f, "vllm", 1)->unavailable, KM_STR("api_base")) < 60);
    assert_int_equal(found(f, "fast", 2)->unavailable.n, 0);
    assert_true(km_diags_count(f->diags, KM_DIAG_WARNING) >= 2);
}

static void hidden_aliases_are_not_listed(void **state)
{
    struct fixture *f = *state;
    const struct km_str *names;
    size_t n;
    bool quick = false;

    load(f, list);
    n = km_models_names(f->models, &names);
    for (size_t i = 0; i < n; i++) {
        assert_false(km_str_eq(names[i], KM_STR("secret")));
        quick = quick || km_str_eq(names[i], KM_STR("quick"));
    }
    assert_true(quick);
    assert_non_null(found(f, "secret", 2));
}

static void a_star_offers_the_providers_that_have_a_key(void **state)
{
    struct fixture *f = *state;

    load(f, "model_list:\n  - model_name: '*'\n    litellm_params: {model: '*'}\n");
    assert_non_null(found(f, "openai/gpt-9", 1));
    assert_non_null(found(f, "groq/x", 1));
    assert_null(found(f, "mistral/x", 1));
}

static size_t said(const struct fixture *f, const char *code, const char *text)
{
    const struct km_diag *g;
    size_t n = 0;

    for (size_t i = 0; (g = km_diags_at(f->diags, i)) != NULL; i++)
        n += strcmp(g->code, code) == 0 && km_str_find(g->message, km_str_c(text)) < g->message.n;
    return n;
}

static void a_retry_policy_is_of_its_group_or_of_all(void **state)
{
    struct fixture *f = *state;
    struct km_model_match match;

    load(f, "model_list:\n"
            "- {model_name: a, litellm_params: {model: groq/x}}\n"
            "- {model_name: b, litellm_params: {model: groq/x}, model_info: {id: of-b}}\n"
            "router_settings:\n"
            "  retry_policy: {RateLimitErrorRetries: 5, DefaultRetries: 1}\n"
            "  model_group_retry_policy: {b: {TimeoutErrorRetries: 4}, c: {DefaultRetries: 1}}\n");
    assert_int_equal(km_models_find(f->models, KM_STR("a"), &match, NULL), 0);
    assert_int_equal(km_failure_count(match.retry, KM_FAILURE_RATE_LIMIT), 5);
    assert_int_equal(km_failure_count(match.retry, KM_FAILURE_TIMEOUT), 1);
    assert_int_equal(km_models_find(f->models, KM_STR("of-b"), &match, NULL), 0);
    assert_int_equal(km_failure_count(match.retry, KM_FAILURE_RATE_LIMIT), -1);
    assert_int_equal(km_failure_count(match.retry, KM_FAILURE_TIMEOUT), 4);
    assert_int_equal(said(f, "W0311", "for 'c', and there is no such model group"), 1);
    assert_int_equal(said(f, "W0311", ""), 1);
}

static void retries_are_said_to_nobody(void **state)
{
    struct fixture *f = *state;

    load(f, "model_list:\n"
            "- {model_name: a, litellm_params: {model: groq/x, num_retries: 2}}\n"
            "router_settings: {num_retries: 3, retry_after: 1}\n");
    assert_int_equal(said(f, "W0311", ""), 0);
}

static void a_misspelt_price_in_model_info_is_said(void **state)
{
    struct fixture *f = *state;

    load(f, "model_list:\n"
            "- model_name: a\n"
            "  litellm_params: {model: groq/x}\n"
            "  model_info: {input_cost_per_tokn: 1e-6, Base-Model: groq/y, input_cost: 1,\n"
            "    input_cost_per_token_flex: 1, output_cost_per_token: 1, output_cost_per_tokens: "
            "null}\n");
    assert_int_equal(said(f, "W0308", "model_info.input_cost_per_tokn is unknown"), 1);
    assert_int_equal(said(f, "W0308", "model_info.Base-Model is unknown"), 1);
    assert_int_equal(said(f, "W0308", ""), 2);
}

static void aliases_to_nowhere_and_ids_used_twice_are_found(void **state)
{
    struct fixture *f = *state;

    load(f, "model_list:\n"
            "- {model_name: a, litellm_params: {model: groq/x}, model_info: {id: one}}\n"
            "- {model_name: b, litellm_params: {model: groq/y}, model_info: {id: one}}\n"
            "- {model_name: g/*, litellm_params: {model: groq/*}, model_info: {id: two}}\n"
            "router_settings: {model_group_alias: {x: a, y: g/any, z: gone, w: {model: lost}}}\n"
            "litellm_settings: {model_group_alias: {v: one, u: nothing}}\n");
    assert_int_equal(said(f, "W0305", "alias 'z' leads nowhere: there is no model 'gone'"), 1);
    assert_int_equal(said(f, "W0305", "alias 'w' leads nowhere: there is no model 'lost'"), 1);
    assert_int_equal(said(f, "W0305", "alias 'u' leads nowhere"), 1);
    assert_int_equal(said(f, "W0305", ""), 3);
    assert_int_equal(said(f, "W0306", "'one' is that of another deployment too (line 2)"), 1);
    assert_int_equal(said(f, "W0306", ""), 1);
}

static void models_that_fail_for_one_reason_are_one_warning(void **state)
{
    struct fixture *f = *state;

    load(f, "model_list:\n"
            "- {model_name: a, litellm_params: {model: anthropic/x}}\n"
            "- {model_name: b, litellm_params: {model: anthropic/y}}\n"
            "- {model_name: c, litellm_params: {model: anthropic/z}}\n");
    assert_int_equal(said(f, "W0301",
                          "3 models cannot be called: no API key: ANTHROPIC_API_KEY is "
                          "not set: model 'a', model 'b' (line 3), model 'c' (line 4)"),
                     1);
    assert_int_equal(said(f, "W0301", ""), 1);
}

/* --- which deployments may serve a call --- */

static const char filtered[] =
    "model_list:\n"
    "  - model_name: m\n"
    "    litellm_params: {model: openai/a, api_base: 'http://127.0.0.1:9/v1', tags: [paid, "
    "eu],\n"
    "                     region_name: eu}\n"
    "    model_info: {id: a, max_input_tokens: 100, supports_vision: false,\n"
    "                 enable_tag_filtering: true}\n"
    "  - model_name: m\n"
    "    litellm_params: {model: openai/b, api_base: 'http://127.0.0.1:9/v1', tags: default,\n"
    "                     aws_region_name: us-east-1}\n"
    "    model_info: {id: b, supports_response_schema: false, supports_function_calling: "
    "false}\n"
    "  - model_name: other\n"
    "    litellm_params: {model: openai/c, api_base: 'http://127.0.0.1:9/v1'}\n"
    "  - model_name: other\n"
    "    litellm_params: {model: openai/d, api_base: 'http://127.0.0.1:9/v1'}\n"
    "router_settings:\n"
    "  optional_pre_call_checks: [session_affinity, responses_api_deployment_check]\n"
    "  model_group_affinity_config: {other: [deployment_affinity, prompt_caching]}\n";

static void what_filters_know_is_what_the_entry_says(void **state)
{
    struct fixture *f = *state;
    const struct km_candidate_facts *a, *b;
    struct km_model_match m, other;

    load(f, filtered);
    assert_int_equal(km_models_find(f->models, KM_STR("m"), &m, NULL), 0);
    a = m.v[0].about;
    b = m.v[1].about;
    assert_true(km_str_eq(a->id, KM_STR("a")) && km_str_eq(a->region, KM_STR("eu")));
    assert_int_equal(a->max_input, 100);
    assert_int_equal(a->cannot, KM_NEED_VISION);
    assert_int_equal(a->tags.n, 2);
    assert_int_equal(b->max_input, -1);
    assert_int_equal(b->cannot, KM_NEED_TOOLS | KM_NEED_SCHEMA);
    assert_int_equal(b->tags.n, 1); /* a single one counts as a list */
    assert_true(km_str_eq(b->region, KM_STR("us-east-1")));
    assert_true(a->hash != b->hash);
    assert_int_equal(m.filters, KM_FILTER_TAGS); /* its own word on it */
    assert_int_equal(m.affinity, KM_AFFINITY_SESSION);
    assert_int_equal(km_models_find(f->models, KM_STR("other"), &other, NULL), 0);
    assert_int_equal(other.filters, 0);
    assert_int_equal(other.affinity, KM_AFFINITY_KEY | KM_AFFINITY_PROMPT);
    assert_int_equal(km_models_find(f->models, KM_STR("a"), &m, NULL), 0);
    assert_int_equal(m.affinity, 0); /* it is but one */
}

static void settings_of_all_groups_switch_filters_on(void **state)
{
    struct fixture *f = *state;
    struct km_model_match m;

    load(f, "model_list:\n"
            "  - model_name: m\n"
            "    litellm_params: {model: openai/a, api_base: 'http://127.0.0.1:9/v1'}\n"
            "router_settings: {enable_pre_call_checks: true, enable_tag_filtering: true}\n"
            "kanmon_settings: {cost_optimization: {prefer_cost_efficient_models: true}}\n");
    assert_int_equal(km_models_find(f->models, KM_STR("m"), &m, NULL), 0);
    assert_int_equal(m.filters, KM_FILTER_FITS | KM_FILTER_TAGS | KM_FILTER_COSTS);
    assert_non_null(m.v[0].facts.load); /* latencies are measured for it */
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(what_filters_know_is_what_the_entry_says),
        T(settings_of_all_groups_switch_filters_on),
        T(names_are_found_exactly_by_alias_by_id_and_by_the_best_wildcard),
        T(a_deployment_is_ready_to_call),
        T(shares_are_of_one_kind_within_a_group_and_order),
        T(what_cannot_be_called_says_why_and_warns),
        T(hidden_aliases_are_not_listed),
        T(a_star_offers_the_providers_that_have_a_key),
        T(a_retry_policy_is_of_its_group_or_of_all),
        T(retries_are_said_to_nobody),
        T(a_misspelt_price_in_model_info_is_said),
        T(aliases_to_nowhere_and_ids_used_twice_are_found),
        T(models_that_fail_for_one_reason_are_one_warning),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
