/* SPDX-License-Identifier: Apache-2.0 */
/* codecs.h - the codecs of upstreams' protocols, a file each. */
#ifndef KM_LLM_PROVIDER_CODECS_H
#define KM_LLM_PROVIDER_CODECS_H

#include "llm/codec.h"

extern const struct km_codec km_codec_messages; /* Anthropic Messages: anthropic.c */
extern const struct km_codec km_codec_ollama; /* ollama.c */
extern const struct km_codec km_codec_gemini, km_codec_gemini_vertex; /* gemini.c */
extern const struct km_codec km_codec_openai_compatible, km_codec_openai; /* openai.c */
extern const struct km_codec km_codec_openai_rerank, km_codec_vllm; /* ... and rerank */
extern const struct km_codec km_codec_cohere, km_codec_jina, km_codec_voyage; /* vectors.c */
extern const struct km_codec km_codec_converse; /* Bedrock Converse: bedrock.c */
extern const struct km_codec km_codec_bedrock_cohere; /* Cohere's embeddings: bedrock_embed.c */
extern const struct km_codec km_codec_bedrock_invoke; /* Claude by InvokeModel: bedrock_invoke.c */

#endif
