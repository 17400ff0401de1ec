/* SPDX-License-Identifier: Apache-2.0 */
/* own.h - members of a request's body that are the gateway's own, whatever the API.
 *
 *     an API's table of members = { its own names, KM_LLM_OWN_NAMES }
 *     enum member               = { its own, KM_M_OWN, ..., KM_M_OWN + KM_LLM_OWN_COUNT }
 *
 * They are what LiteLLM's clients tell the gateway, and are cut before a body goes upstream; a
 * name that is added here is known, and cut, in every API.
 */
#ifndef KM_LLM_OWN_H
#define KM_LLM_OWN_H

#include "base/str.h"

/* The first of them, which are read (km_llm_read_own()); then the rest. */
enum {
    KM_LLM_OWN_TAGS,
    KM_LLM_OWN_NUM_RETRIES,
    KM_LLM_OWN_TIMEOUT,
    KM_LLM_OWN_METADATA,
    KM_LLM_OWN_FALLBACKS,
    KM_LLM_OWN_NO_FALLBACKS,
    KM_LLM_OWN_EXECUTION,
    KM_LLM_OWN_STREAM_TIMEOUT,
    KM_LLM_OWN_CONTEXT_FALLBACKS,
    KM_LLM_OWN_POLICY_FALLBACKS,
};

#define KM_LLM_OWN_NAMES                                                                           \
    { "tags", 4 }, { "num_retries", 11 }, { "timeout", 7 }, { "litellm_metadata", 16 },            \
        { "fallbacks", 9 }, { "disable_fallbacks", 17 }, { "kanmon", 6 },                          \
        { "stream_timeout", 14 }, { "context_window_fallbacks", 24 },                              \
        { "content_policy_fallbacks", 24 }, { "context_window_fallback_dict", 28 },                \
        { "caching", 7 }, { "cache", 5 }, { "guardrails", 10 }, { "guardrail_config", 16 },        \
        { "policies", 8 }, { "prompt_id", 9 }, { "prompt_variables", 16 },                         \
        { "litellm_session_id", 18 }, { "litellm_trace_id", 16 }, { "mock_response", 13 },         \
        { "mock_testing_fallbacks", 22 }, { "mock_timeout", 12 }, { "mock_delay", 10 },            \
        { "api_key", 7 }, { "custom_llm_provider", 19 }, { "no-log", 6 },                          \
        { "allowed_openai_params", 21 }, { "drop_params", 11 },       \
        { "user_config", 11 }, { "max_retries", 11 }, { "extra_headers", 13 }

#define KM_LLM_OWN_COUNT                                                                           \
    (sizeof((const struct km_str[]){ KM_LLM_OWN_NAMES }) / sizeof(struct km_str))

#endif
