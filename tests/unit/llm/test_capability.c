/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "llm/capability.h"

static void one_model_has_one_plain_name(void **state)
{
    static const struct {
        const char *model, *plain;
    } rows[] = {
        { "claude-opus-4-8", "claude-opus-4-8" },
        { "us.anthropic.claude-opus-4-8", "claude-opus-4-8" },
        { "claude-opus-4-8@20260101", "claude-opus-4-8" },
        { "anthropic.claude-opus-4-8-v1:0", "claude-opus-4-8-v1" },
        { "converse/jp.anthropic.claude-haiku-4-5-20251001-v1:0", "claude-haiku-4-5-20251001-v1" },
        { "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-sonnet-4-6",
          "claude-sonnet-4-6" },
        { "gemini-2.5-pro", "gemini-2.5-pro" },
        { "", "" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_true(
            km_str_eq(km_model_plain_name(km_str_c(rows[i].model)), km_str_c(rows[i].plain)));
}

static void generations_of_claude_differ_as_their_notes_say(void **state)
{
    static const struct {
        const char *model;
        unsigned can, cannot;
    } rows[] = {
        { "us.anthropic.claude-3-7-sonnet-20250219-v1:0", KM_CAN_THINK_BUDGET | KM_CAN_PREFILL,
          KM_CAN_THINK_ADAPTIVE | KM_CAN_EFFORT },
        { "anthropic.claude-haiku-4-5-20251001-v1:0",
          KM_CAN_THINK_BUDGET | KM_CAN_SAMPLE | KM_CAN_FORCE_TOOL,
          KM_CAN_EFFORT | KM_CAN_SAMPLE_BOTH | KM_CAN_THINK_ADAPTIVE },
        { "claude-opus-4-5-20251101", KM_CAN_EFFORT | KM_CAN_THINK_BUDGET, KM_CAN_THINK_ADAPTIVE },
        { "claude-sonnet-4-6", KM_CAN_THINK_ADAPTIVE | KM_CAN_THINK_BUDGET | KM_CAN_SAMPLE,
          KM_CAN_PREFILL },
        { "claude-opus-4-7", KM_CAN_THINK_ADAPTIVE | KM_CAN_FORCE_TOOL,
          KM_CAN_THINK_BUDGET | KM_CAN_SAMPLE | KM_CAN_THINK_OFF | KM_CAN_PREFILL },
        { "global.anthropic.claude-opus-5-5", KM_CAN_THINK_ALWAYS | KM_CAN_EFFORT | KM_CAN_SCHEMA,
          KM_CAN_FORCE_TOOL | KM_CAN_SAMPLE | KM_CAN_THINK_OFF },
        { "claude-opus-5", KM_CAN_FORCE_TOOL | KM_CAN_THINK_OFF, KM_CAN_THINK_ALWAYS },
        { "claude-haiku-5-5", KM_CAN_THINK_OFF, KM_CAN_FORCE_TOOL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct km_capability *c = km_capability_find(km_str_c(rows[i].model));

        assert_int_equal(c->family, KM_FAMILY_CLAUDE);
        assert_int_equal(c->can & rows[i].can, rows[i].can);
        assert_int_equal(c->can & rows[i].cannot, 0);
    }
}

static void an_unknown_one_is_taken_for_the_newest_of_its_family(void **state)
{
    (void)state;
    assert_true(km_capability_find(KM_STR("claude-opus-9"))->can & KM_CAN_THINK_ALWAYS);
    assert_int_equal(km_capability_find(KM_STR("gemini-9-flash"))->family, KM_FAMILY_GEMINI);
    assert_true(km_capability_find(KM_STR("gemini-9-flash"))->can & KM_CAN_EFFORT);
    assert_int_equal(km_capability_find(KM_STR("whatever"))->family, KM_FAMILY_OTHER);
    assert_non_null(km_capability_find(KM_STR("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_model_has_one_plain_name),
        cmocka_unit_test(generations_of_claude_differ_as_their_notes_say),
        cmocka_unit_test(an_unknown_one_is_taken_for_the_newest_of_its_family),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
