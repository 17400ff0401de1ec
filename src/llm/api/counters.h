/* SPDX-License-Identifier: Apache-2.0 */
/* counters.h - endpoints that count a prompt's tokens: OpenAI's for Responses, and LiteLLM's.
 *
 * Both are answered here, by estimate: no upstream is asked, and nothing is charged.
 */
#ifndef KM_LLM_API_COUNTERS_H
#define KM_LLM_API_COUNTERS_H

#include "llm/api.h"

/* POST /utils/token_counter: {"model", "messages" or "prompt" or "contents"}. */
extern const struct km_llm_api km_api_token_counter;

/* POST /v1/responses/input_tokens: a request of km_api_responses. */
extern const struct km_llm_api km_api_count_responses;

#endif
