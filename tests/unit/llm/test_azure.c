/* SPDX-License-Identifier: Apache-2.0 */
#include "codec_fixture.h"

static void expect_target(const char *base, enum km_wire wire, const char *want)
{
    struct km_arena arena KM_CLEANUP(km_arena_done);
    struct km_deployment d = { .base_path = km_str_c(base), .api_version = KM_STR("2024-10-21") };
    struct km_target_args args = { .d = &d, .model = KM_STR("my gpt"), .wire = wire };

    km_arena_init(&arena, 64 * 1024, NULL);
    assert_string_equal(km_arena_cstr(&arena, km_provider_azure.codec->target(&args, &arena)),
                        want);
}

static void a_classic_resource_has_the_deployment_in_the_path(void **state)
{
    (void)state;
    expect_target("", KM_WIRE_CHAT,
                  "/openai/deployments/my%20gpt/chat/completions?api-version=2024-10-21");
    expect_target("", KM_WIRE_EMBEDDING,
                  "/openai/deployments/my%20gpt/embeddings?api-version=2024-10-21");
    expect_target("", KM_WIRE_RESPONSES, "/openai/v1/responses");
}

static void a_v1_base_has_it_in_the_body(void **state)
{
    (void)state;
    expect_target("/openai/v1", KM_WIRE_CHAT, "/chat/completions");
    expect_target("/openai/v1", KM_WIRE_RESPONSES, "/responses");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_classic_resource_has_the_deployment_in_the_path),
        cmocka_unit_test(a_v1_base_has_it_in_the_body),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
