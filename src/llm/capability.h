/* SPDX-License-Identifier: Apache-2.0 */
/* capability.h - what a model can do that its siblings cannot: data, not code.
 *
 * Rows match a model's name without its region and version ("us.anthropic.claude-opus-4-8",
 * "claude-opus-4-8@20260101" and "anthropic.claude-opus-4-8-v1:0" are one), most specific first;
 * the last row of each family says what an unknown newer one is taken for.  model_info of the
 * deployment wins over the table.
 */
#ifndef KM_LLM_CAPABILITY_H
#define KM_LLM_CAPABILITY_H

#include "base/str.h"

enum km_can {
    KM_CAN_THINK_BUDGET = 1, /* thinking: enabled with a budget */
    KM_CAN_THINK_ADAPTIVE = 2,
    KM_CAN_THINK_OFF = 4, /* `disabled` is accepted */
    KM_CAN_EFFORT = 8, /* output_config.effort, thinkingLevel */
    KM_CAN_SAMPLE = 16, /* temperature, top_p, top_k other than the default */
    KM_CAN_SAMPLE_BOTH = 32, /* temperature and top_p together */
    KM_CAN_PREFILL = 64, /* a conversation may end with the assistant */
    KM_CAN_FORCE_TOOL = 128, /* tool_choice any or a named one */
    KM_CAN_FORCE_TOOL_THINKING = 256, /* also while thinking */
    KM_CAN_SCHEMA = 512, /* structured output by schema */
    KM_CAN_THINK_ALWAYS = 1024, /* thinking cannot be asked for or turned off */
    KM_CAN_LEVEL_MINIMAL = 1 << 20, /* thinkingLevel MINIMAL; else LOW stands in */
    KM_CAN_LEVEL_MEDIUM = 1 << 21, /* thinkingLevel MEDIUM; else HIGH stands in */
    KM_CAN_EMBED = 1 << 22, /* gives embeddings, and those only */
    KM_CAN_DIMENSIONS = 1 << 23, /* of a length that is asked for */
};

enum km_family {
    KM_FAMILY_OTHER,
    KM_FAMILY_CLAUDE,
    KM_FAMILY_NOVA,
    KM_FAMILY_GEMINI,
    KM_FAMILY_GPT_OSS,
    KM_FAMILY_LLAMA,
    KM_FAMILY_MISTRAL,
    KM_FAMILY_COHERE,
    KM_FAMILY_TITAN,
};

struct km_capability {
    const char *pattern; /* glob with '*', on the normalised name */
    enum km_family family;
    unsigned can;
    int generation; /* within the family: 45 for 4.5, 25 for 2.5 */
    int64_t max_output; /* what the API wants to be told where the caller bounds nothing */
};

/* Never NULL.  model: as configured, without the provider's prefix. */
const struct km_capability *km_capability_find(struct km_str model);
/* The name without region prefix, vendor and version; a view of model. */
struct km_str km_model_plain_name(struct km_str model);

#endif
