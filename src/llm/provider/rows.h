/* SPDX-License-Identifier: Apache-2.0 */
/* rows.h - the rows of providers, by the file that holds them; provider.c makes one table of it. */
#ifndef KM_LLM_PROVIDER_ROWS_H
#define KM_LLM_PROVIDER_ROWS_H

#include "llm/provider.h"

/* openai_compatible.c: those that speak OpenAI's API */
extern const struct km_provider *const km_providers_openai;
extern const size_t km_providers_openai_count;

/* Those with a protocol of their own, a file each: listed in provider.c's `natives`. */
extern const struct km_provider km_provider_anthropic;
extern const struct km_provider km_provider_azure;
extern const struct km_provider km_provider_ollama, km_provider_ollama_chat;
extern const struct km_provider km_provider_gemini;
extern const struct km_provider km_provider_vertex_ai, km_provider_vertex_ai_beta;
extern const struct km_provider km_provider_bedrock, km_provider_bedrock_mantle;

#endif
