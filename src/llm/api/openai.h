/* SPDX-License-Identifier: Apache-2.0 */
/* openai.h - OpenAI's chat completions, completions and embeddings, as callers speak them.
 *
 * A request's top-level members are found by place, and the body that goes to an upstream of the
 * same protocol is the client's own bytes except for the spans that change.  A response's `model`
 * is set back to the name the caller used; usage is read wherever it comes.
 */
#ifndef KM_LLM_API_OPENAI_H
#define KM_LLM_API_OPENAI_H

#include "llm/api.h"

extern const struct km_llm_api km_api_chat, km_api_completion, km_api_embedding;

/* --- shared by the two files of the pass-through --- */
int km_openai_answer(const struct km_llm_request *r, struct km_arena *arena, struct km_str body,
                     struct km_str **ret_parts, size_t *ret_n, struct km_usage *ret_usage,
                     struct km_err *err) KM_MUST_USE;
int km_openai_event(struct km_llm_stream *s, const struct km_sse_event *event, struct km_buf *out,
                    struct km_err *err) KM_MUST_USE;

#endif
