/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "llm/model_settings.h"
#include "llm/param.h"

static struct km_param judge(const char *name, bool text)
{
    struct km_param p;

    km_param_judge(km_str_c(name), text, &p);
    return p;
}

static void is(const char *name, enum km_param_kind kind)
{
    if (judge(name, true).kind != kind)
        fail_msg("%s: %d", name, judge(name, true).kind);
}

static void near_to(const char *name, const char *row)
{
    struct km_param p = judge(name, true);

    if (p.kind != KM_PARAM_MISSPELT || !km_str_eq(p.meant, km_str_c(row)))
        fail_msg("%s: %d %.*s", name, p.kind, KM_STR_ARG(p.meant));
}

/* They are searched for by halves. */
static void the_tables_are_in_order(void **state)
{
    (void)state;
    for (size_t i = 1; i < km_params_litellm_count; i++)
        assert_true(strcmp(km_params_litellm[i - 1].name, km_params_litellm[i].name) < 0);
    for (size_t i = 1; i < km_params_request_count; i++)
        assert_true(strcmp(km_params_request[i - 1].name, km_params_request[i].name) < 0);
}

static void no_name_is_of_two_kinds(void **state)
{
    (void)state;
    for (size_t i = 0; i < km_params_request_count; i++) {
        assert_true(km_params_request[i].apis != 0);
        is(km_params_request[i].name, KM_PARAM_REQUEST);
    }
    for (size_t i = 0; i < km_params_litellm_count; i++) {
        const struct km_param_litellm *own = &km_params_litellm[i];

        is(own->name, km_litellm_param_known(km_str_c(own->name)) ? KM_PARAM_ROW : own->kind);
    }
}

/* None is read by nobody in silence. */
static void every_price_of_litellms_counts_or_it_is_known_why_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < km_params_litellm_count; i++) {
        struct km_str name = km_str_c(km_params_litellm[i].name);

        if (km_params_litellm[i].kind == KM_PARAM_PRICE &&
            km_price_counts(name) == (km_price_no_effect(name) != NULL))
            fail_msg("%s", km_params_litellm[i].name);
    }
}

static void names_are_judged_in_their_order(void **state)
{
    (void)state;
    is("api_base", KM_PARAM_ROW);
    is("stream", KM_PARAM_CALL);
    is("Stream", KM_PARAM_CALL); /* read without case by servers in Go */
    is("messages", KM_PARAM_CALL);
    is("Model", KM_PARAM_CALL);
    is("use_litellm_proxy", KM_PARAM_OWN);
    is("user_config", KM_PARAM_OWN);
    is("input_cost_per_token_above_200k_tokens", KM_PARAM_ROW);
    is("google_maps_grounding_cost_per_query", KM_PARAM_PRICE);
    is("cache_creation_input_token_cost_above_12hr", KM_PARAM_PRICE); /* of later lists */
    is("output_cost_per_nothing_we_know", KM_PARAM_PRICE);
    is("output_cost_per_token_priorty", KM_PARAM_MISSPELT);
    is("allowed_model_region", KM_PARAM_LIMIT);
    is("top_k", KM_PARAM_REQUEST); /* as near to `tpm` as it looks */
    is("prompt_cache_key", KM_PARAM_REQUEST); /* sounds like a credential */
    is("max_new_tokens", KM_PARAM_REQUEST);
    is("num_ctx", KM_PARAM_REQUEST);
    is("context_window", KM_PARAM_OTHER);
    is("my_flag", KM_PARAM_OTHER);
    is("tokenizer", KM_PARAM_OTHER);
}

static void a_misspelled_credential_address_price_or_limit_is_found(void **state)
{
    (void)state;
    near_to("api_bse", "api_base");
    near_to("apibase", "api_base");
    near_to("API_BASE", "api_base");
    near_to("Api_Key", "api_key"); /* though a client's api_key is cut from requests */
    near_to("api_key\xc2\xa0", "api_key");
    near_to("base-url", "base_url");
    near_to("api_kye", "api_key");
    near_to("aws_secret_acces_key", "aws_secret_access_key");
    near_to("azure_ad_tokn", "azure_ad_token");
    near_to("organisation", "organization");
    near_to("vertex_projct", "vertex_project");
    near_to("input_cost_per_tokn", "input_cost_per_token");
    near_to("RPM", "rpm");
    near_to("tmp", "tpm");
    near_to("max_buget", "max_budget");
    near_to("alowed_model_region", "allowed_model_region");
}

static void what_sounds_like_a_credential_is_one_if_it_is_text(void **state)
{
    static const char *const names[] = {
        "hf_token", "company_api_key", "openaiKey", "proxy_password", "service_credentials",
        "client_secret_value", "Authorization", "private_pem", "basic_auth",
        "auth_header", "OPENAIAPIKEY", "api_key_of_mine", "company_key_2", "backup_key2", "db_pass",
        "accessTokenValue", "mysecretvalue",
    };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        is(names[i], KM_PARAM_SECRET);
        assert_int_equal(judge(names[i], false).kind, KM_PARAM_OTHER);
    }
    assert_int_equal(judge("max_token", false).kind, KM_PARAM_OTHER);
    is("token_healing", KM_PARAM_OTHER);
    is("keywords_mode", KM_PARAM_OTHER);
    is("compass", KM_PARAM_OTHER);
    is("authors", KM_PARAM_OTHER);
}

static void what_was_meant_is_said_where_it_can_be(void **state)
{
    (void)state;
    assert_true(km_str_eq(judge("rpm_limit", false).meant, KM_STR("rpm")));
    assert_true(km_str_eq(judge("tpm_limit", false).meant, KM_STR("tpm")));
    assert_true(km_str_eq(judge("max_token", false).meant, KM_STR("max_tokens")));
    assert_true(km_str_eq(judge("temprature", false).meant, KM_STR("temperature")));
    assert_int_equal(judge("context_window", false).meant.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tables_are_in_order),
        cmocka_unit_test(no_name_is_of_two_kinds),
        cmocka_unit_test(every_price_of_litellms_counts_or_it_is_known_why_not),
        cmocka_unit_test(names_are_judged_in_their_order),
        cmocka_unit_test(a_misspelled_credential_address_price_or_limit_is_found),
        cmocka_unit_test(what_sounds_like_a_credential_is_one_if_it_is_text),
        cmocka_unit_test(what_was_meant_is_said_where_it_can_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
