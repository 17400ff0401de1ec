/* SPDX-License-Identifier: Apache-2.0 */
/* capability.c - see capability.h: the table, and how a name is looked up in it.
 *
 * Sources, read 2026-11: Anthropic's migration notes of each generation, the price table's
 * supports_* flags, Google's notes on thinking levels.  A model nobody listed is taken for the
 * newest of its family, for that is what it will be like.
 */
#include "llm/capability.h"

#define OLD_CLAUDE (KM_CAN_PREFILL | KM_CAN_FORCE_TOOL | KM_CAN_SAMPLE)
#define THINKING_CLAUDE (OLD_CLAUDE | KM_CAN_THINK_BUDGET | KM_CAN_THINK_OFF)
#define ADAPTIVE (KM_CAN_THINK_ADAPTIVE | KM_CAN_EFFORT | KM_CAN_SCHEMA)
#define GEMINI                                                                                     \
    (KM_CAN_SAMPLE | KM_CAN_SAMPLE_BOTH | KM_CAN_PREFILL | KM_CAN_FORCE_TOOL |                     \
     KM_CAN_FORCE_TOOL_THINKING | KM_CAN_SCHEMA | KM_CAN_THINK_OFF)
#define PLAIN                                                                                      \
    (KM_CAN_SAMPLE | KM_CAN_SAMPLE_BOTH | KM_CAN_PREFILL | KM_CAN_FORCE_TOOL |                     \
     KM_CAN_FORCE_TOOL_THINKING)

static const struct km_capability table[] = {
    { "claude-3-7-sonnet*", KM_FAMILY_CLAUDE, THINKING_CLAUDE | KM_CAN_SAMPLE_BOTH, 37, 64000 },
    { "claude-3-5-*", KM_FAMILY_CLAUDE, OLD_CLAUDE | KM_CAN_SAMPLE_BOTH, 35, 8192 },
    { "claude-3-*", KM_FAMILY_CLAUDE, OLD_CLAUDE | KM_CAN_SAMPLE_BOTH, 30, 4096 },
    { "claude-2*", KM_FAMILY_CLAUDE, OLD_CLAUDE | KM_CAN_SAMPLE_BOTH, 20, 4096 },
    { "claude-instant*", KM_FAMILY_CLAUDE, OLD_CLAUDE | KM_CAN_SAMPLE_BOTH, 12, 4096 },
    { "claude-opus-4-1*", KM_FAMILY_CLAUDE, THINKING_CLAUDE | KM_CAN_SCHEMA, 41, 32000 },
    { "claude-sonnet-4-5*", KM_FAMILY_CLAUDE, THINKING_CLAUDE | KM_CAN_SCHEMA, 45, 64000 },
    { "claude-haiku-4-5*", KM_FAMILY_CLAUDE, THINKING_CLAUDE | KM_CAN_SCHEMA, 45, 64000 },
    { "claude-opus-4-5*", KM_FAMILY_CLAUDE, THINKING_CLAUDE | KM_CAN_SCHEMA | KM_CAN_EFFORT, 45,
      64000 },
    { "claude-opus-4-6*", KM_FAMILY_CLAUDE,
      ADAPTIVE | KM_CAN_THINK_BUDGET | KM_CAN_THINK_OFF | KM_CAN_SAMPLE | KM_CAN_FORCE_TOOL, 46,
      128000 },
    { "claude-sonnet-4-6*", KM_FAMILY_CLAUDE,
      ADAPTIVE | KM_CAN_THINK_BUDGET | KM_CAN_THINK_OFF | KM_CAN_SAMPLE | KM_CAN_FORCE_TOOL, 46,
      64000 },
    { "claude-opus-4-7*", KM_FAMILY_CLAUDE, ADAPTIVE | KM_CAN_FORCE_TOOL, 47, 128000 },
    { "claude-opus-4-8*", KM_FAMILY_CLAUDE, ADAPTIVE | KM_CAN_FORCE_TOOL | KM_CAN_THINK_OFF, 48,
      128000 },
    { "claude-opus-4*", KM_FAMILY_CLAUDE, THINKING_CLAUDE | KM_CAN_SAMPLE_BOTH, 40, 32000 },
    { "claude-sonnet-4*", KM_FAMILY_CLAUDE, THINKING_CLAUDE | KM_CAN_SAMPLE_BOTH, 40, 64000 },
    { "claude-opus-5-5*", KM_FAMILY_CLAUDE, ADAPTIVE | KM_CAN_THINK_ALWAYS, 55, 128000 },
    { "claude-sonnet-5-5*", KM_FAMILY_CLAUDE, ADAPTIVE | KM_CAN_THINK_ALWAYS, 55, 128000 },
    { "claude-haiku-5-5*", KM_FAMILY_CLAUDE, ADAPTIVE | KM_CAN_THINK_OFF, 55, 64000 },
    { "claude-fable-5-*", KM_FAMILY_CLAUDE, ADAPTIVE | KM_CAN_THINK_ALWAYS, 51, 128000 },
    { "claude-mythos-5-*", KM_FAMILY_CLAUDE, ADAPTIVE | KM_CAN_THINK_ALWAYS, 51, 128000 },
    { "claude-opus-5*", KM_FAMILY_CLAUDE, ADAPTIVE | KM_CAN_FORCE_TOOL | KM_CAN_THINK_OFF, 50,
      128000 },
    { "claude-sonnet-5*", KM_FAMILY_CLAUDE, ADAPTIVE | KM_CAN_FORCE_TOOL | KM_CAN_THINK_OFF, 50,
      128000 },
    { "claude-fable-5*", KM_FAMILY_CLAUDE, ADAPTIVE | KM_CAN_FORCE_TOOL, 50, 128000 },
    { "claude-mythos-5*", KM_FAMILY_CLAUDE, ADAPTIVE | KM_CAN_FORCE_TOOL, 50, 128000 },
    { "claude-*", KM_FAMILY_CLAUDE, ADAPTIVE | KM_CAN_THINK_ALWAYS, 55, 64000 },
    { "nova-2-multimodal-embeddings*", KM_FAMILY_NOVA, KM_CAN_EMBED | KM_CAN_DIMENSIONS, 20, 0 },
    { "nova-2-*", KM_FAMILY_NOVA, PLAIN | KM_CAN_THINK_OFF | KM_CAN_EFFORT, 20, 0 },
    { "nova-*", KM_FAMILY_NOVA, PLAIN, 10, 0 },
    { "titan-embed-text-v2*", KM_FAMILY_TITAN, KM_CAN_EMBED | KM_CAN_DIMENSIONS, 20, 0 },
    { "titan-embed-image*", KM_FAMILY_TITAN, KM_CAN_EMBED | KM_CAN_DIMENSIONS, 10, 0 },
    { "titan-embed*", KM_FAMILY_TITAN, KM_CAN_EMBED, 10, 0 },
    { "titan-*", KM_FAMILY_TITAN, PLAIN, 10, 0 },
    { "gpt-oss-*", KM_FAMILY_GPT_OSS, PLAIN | KM_CAN_EFFORT | KM_CAN_SCHEMA, 10, 0 },
    { "gemini-1*", KM_FAMILY_GEMINI, GEMINI, 15, 0 },
    { "gemini-2.0*", KM_FAMILY_GEMINI, GEMINI, 20, 0 },
    { "gemini-2.5-pro*", KM_FAMILY_GEMINI,
      (GEMINI | KM_CAN_THINK_BUDGET) & ~(unsigned)KM_CAN_THINK_OFF, 25, 0 },
    { "gemini-2.5*", KM_FAMILY_GEMINI, GEMINI | KM_CAN_THINK_BUDGET, 25, 0 },
    { "gemini-3-pro*", KM_FAMILY_GEMINI, GEMINI | KM_CAN_EFFORT, 30, 0 },
    { "gemini-pro*", KM_FAMILY_GEMINI, GEMINI | KM_CAN_EFFORT | KM_CAN_LEVEL_MEDIUM, 31, 0 },
    { "gemini-*-pro*", KM_FAMILY_GEMINI, GEMINI | KM_CAN_EFFORT | KM_CAN_LEVEL_MEDIUM, 31, 0 },
    { "gemini-*", KM_FAMILY_GEMINI,
      GEMINI | KM_CAN_EFFORT | KM_CAN_LEVEL_MEDIUM | KM_CAN_LEVEL_MINIMAL, 31, 0 },
    { "llama*", KM_FAMILY_LLAMA, PLAIN & ~(unsigned)KM_CAN_FORCE_TOOL, 30, 0 },
    { "mistral-large-3*", KM_FAMILY_MISTRAL, PLAIN | KM_CAN_SCHEMA, 30, 0 },
    { "mistral*", KM_FAMILY_MISTRAL, PLAIN, 10, 0 },
    { "command*", KM_FAMILY_COHERE, PLAIN, 10, 0 },
    { "embed-english-*", KM_FAMILY_COHERE, KM_CAN_EMBED, 30, 0 },
    { "embed-multilingual-*", KM_FAMILY_COHERE, KM_CAN_EMBED, 30, 0 },
    { "embed*", KM_FAMILY_COHERE, KM_CAN_EMBED | KM_CAN_DIMENSIONS, 40, 0 },
    { "r1-*", KM_FAMILY_OTHER, PLAIN & ~(unsigned)KM_CAN_FORCE_TOOL, 10, 0 },
    { "jamba*", KM_FAMILY_OTHER, PLAIN & ~(unsigned)KM_CAN_FORCE_TOOL, 10, 0 },
    { "*", KM_FAMILY_OTHER, PLAIN | KM_CAN_SCHEMA | KM_CAN_EFFORT, 0, 0 },
};

/* "us.", "jp." and the like: a region's prefix of Bedrock's inference profiles. */
static struct km_str without_region(struct km_str s)
{
    static const char *const regions[] = { "us-gov.", "us.",     "eu.", "apac.", "jp.",
                                           "au.",     "global.", "ca.", "sa." };

    for (size_t i = 0; i < sizeof regions / sizeof regions[0]; i++)
        if (km_str_starts(s, km_str_c(regions[i])))
            return km_str_skip(s, strlen(regions[i]));
    return s;
}

static struct km_str without_vendor(struct km_str s)
{
    static const char *const vendors[] = { "anthropic.", "amazon.", "meta.", "mistral.",
                                           "cohere.",    "openai.", "ai21.", "deepseek." };

    for (size_t i = 0; i < sizeof vendors / sizeof vendors[0]; i++)
        if (km_str_starts(s, km_str_c(vendors[i])))
            return km_str_skip(s, strlen(vendors[i]));
    return s;
}

struct km_str km_model_plain_name(struct km_str model)
{
    size_t slash = km_str_rchr(model, '/');

    if (slash < model.n) /* an ARN, "invoke/...", "publishers/anthropic/models/..." */
        model = km_str_skip(model, slash + 1);
    model = without_vendor(without_region(model));
    model = km_str_sub(model, 0, km_str_chr(model, '@'));
    return km_str_sub(model, 0, km_str_chr(model, ':'));
}

const struct km_capability *km_capability_find(struct km_str model)
{
    struct km_str name = km_model_plain_name(model);
    size_t i = 0;

    while (i + 1 < sizeof table / sizeof table[0] &&
           !km_str_glob(km_str_c(table[i].pattern), name, NULL))
        i++;
    return &table[i];
}
