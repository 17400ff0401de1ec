/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "llm/vendor.h"

enum { OPENAI, ANTHROPIC, GEMINI, BEDROCK, VERTEX, AZURE };

static const struct {
    int vendor;
    const char *method, *path;
    enum km_vendor_cost cost;
    const char *model;
} paths[] = {
    { OPENAI, "POST", "v1/chat/completions", KM_VENDOR_METERED, "" },
    { OPENAI, "POST", "chat/completions", KM_VENDOR_METERED, "" },
    { OPENAI, "GET", "v1/models/gpt-4o", KM_VENDOR_FREE, "" },
    { OPENAI, "HEAD", "v1/models", KM_VENDOR_FREE, "" },
    { OPENAI, "POST", "v1/images/generations", KM_VENDOR_UNPRICED, "" },
    { OPENAI, "GET", "v1/chat/completions", KM_VENDOR_UNLISTED, "" },
    { OPENAI, "POST", "v1/chat/completions/", KM_VENDOR_UNLISTED, "" },
    { OPENAI, "POST", "v1//chat/completions", KM_VENDOR_UNLISTED, "" },
    { OPENAI, "POST", "v1/chat%2Fcompletions", KM_VENDOR_UNLISTED, "" },
    { OPENAI, "POST", "v1/CHAT/completions", KM_VENDOR_UNLISTED, "" },
    { OPENAI, "POST", "v1/v1/chat/completions", KM_VENDOR_UNLISTED, "" },
    { OPENAI, "GET", "v1/files", KM_VENDOR_UNLISTED, "" },
    { OPENAI, "GET", "v1/responses/resp_1", KM_VENDOR_UNLISTED, "" },
    { ANTHROPIC, "POST", "v1/messages", KM_VENDOR_METERED, "" },
    { ANTHROPIC, "POST", "v1/messages/count_tokens", KM_VENDOR_FREE, "" },
    { ANTHROPIC, "POST", "v1/messages/batches", KM_VENDOR_UNLISTED, "" },
    { GEMINI, "POST", "v1beta/models/g-2:generateContent", KM_VENDOR_METERED, "g-2" },
    { GEMINI, "POST", "v1/models/a:b:countTokens", KM_VENDOR_FREE, "a:b" },
    { GEMINI, "POST", "v1beta/models/:generateContent", KM_VENDOR_UNLISTED, "" },
    { GEMINI, "POST", "v1beta/models/a/b:generateContent", KM_VENDOR_UNLISTED, "" },
    { GEMINI, "POST", "v1beta/tunedModels/t:generateContent", KM_VENDOR_UNLISTED, "" },
    { GEMINI, "POST", "upload/v1beta/files", KM_VENDOR_UNLISTED, "" },
    { BEDROCK, "POST", "model/arn%3Aaws%3Abedrock/converse", KM_VENDOR_METERED,
      "arn%3Aaws%3Abedrock" },
    { BEDROCK, "POST", "model/m/invoke-with-response-stream", KM_VENDOR_METERED, "m" },
    { BEDROCK, "POST", "model/a/b/converse", KM_VENDOR_UNLISTED, "" },
    { BEDROCK, "POST", "async-invoke", KM_VENDOR_UNLISTED, "" },
    { VERTEX, "POST", "v1/projects/p/locations/l/publishers/google/models/g:generateContent",
      KM_VENDOR_METERED, "g" },
    { VERTEX, "POST", "v1beta1/publishers/google/models/g:streamGenerateContent",
      KM_VENDOR_METERED, "g" },
    { VERTEX, "POST", "v1/projects/p/locations/l/publishers/anthropic/models/c@1:rawPredict",
      KM_VENDOR_METERED, "c@1" },
    { VERTEX, "POST",
      "v1/projects/p/locations/l/publishers/anthropic/models/count-tokens:rawPredict",
      KM_VENDOR_FREE, "" },
    { VERTEX, "POST", "v1/projects/p/locations/l/endpoints/7:generateContent", KM_VENDOR_METERED,
      "7" },
    { VERTEX, "GET", "v1/projects/p/locations/l/cachedContents", KM_VENDOR_UNLISTED, "" },
    { AZURE, "POST", "openai/deployments/d/chat/completions", KM_VENDOR_METERED, "d" },
    { AZURE, "POST", "openai/v1/responses", KM_VENDOR_METERED, "" },
    { AZURE, "GET", "openai/files", KM_VENDOR_UNLISTED, "" },
    { AZURE, "POST", "deployments/d/chat/completions", KM_VENDOR_METERED, "d" },
};

static void a_path_costs_what_its_row_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        const struct km_vendor *v = &km_vendors[paths[i].vendor];
        struct km_vendor_path path = { .rest = km_str_c(paths[i].path) };
        const struct km_vendor_rule *rule;
        struct km_str model;

        v->split(&path);
        rule = km_vendor_match(v, km_str_c(paths[i].method), &path, &model);
        if ((rule ? rule->cost : KM_VENDOR_UNLISTED) != paths[i].cost ||
            !km_str_eq(model, km_str_c(paths[i].model)))
            fail_msg("%s: %d '%.*s'", paths[i].path, rule ? (int)rule->cost : 0, KM_STR_ARG(model));
        assert_true(!rule || !!rule->meter == (rule->cost == KM_VENDOR_METERED));
    }
}

static const struct {
    int vendor;
    const char *base, *path, *target;
} targets[] = {
    { OPENAI, "/v1", "v1/chat/completions", "/v1/chat/completions" },
    { OPENAI, "/v1", "chat/completions", "/v1/chat/completions" },
    { ANTHROPIC, "/v1", "v1/messages", "/v1/messages" },
    { GEMINI, "/v1beta", "v1/models/g:generateContent", "/v1/models/g:generateContent" },
    { GEMINI, "/x/v1beta", "v1alpha/models", "/x/v1alpha/models" },
    { GEMINI, "/v1beta", "models/g:countTokens", "/v1beta/models/g:countTokens" },
    { BEDROCK, "", "model/a%3Ab/converse", "/model/a%3Ab/converse" },
    /* somebody else's project is not reached with our credentials */
    { VERTEX, "/v1/projects/ours/locations/here",
      "v1beta1/projects/theirs/locations/there/publishers/google/models/g:countTokens",
      "/v1beta1/projects/ours/locations/here/publishers/google/models/g:countTokens" },
    { VERTEX, "/v1/projects/ours/locations/here", "v1/publishers/google/models/g:countTokens",
      "/v1/projects/ours/locations/here/publishers/google/models/g:countTokens" },
    { AZURE, "", "openai/deployments/d/embeddings", "/openai/deployments/d/embeddings" },
    { AZURE, "/openai/v1", "openai/deployments/d/embeddings", "/openai/deployments/d/embeddings" },
};

static void a_path_is_found_at_the_deployments_base(void **state)
{
    struct km_arena arena;

    (void)state;
    km_arena_init(&arena, 1 << 20, NULL);
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        struct km_deployment d = { .base_path = km_str_c(targets[i].base) };
        struct km_vendor_path path = { .rest = km_str_c(targets[i].path) };
        struct km_str target;

        km_vendors[targets[i].vendor].split(&path);
        target = km_vendors[targets[i].vendor].target(&d, &path, &arena);
        assert_string_equal(km_arena_cstr(&arena, target), targets[i].target);
    }
    km_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_costs_what_its_row_says),
        cmocka_unit_test(a_path_is_found_at_the_deployments_base),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
