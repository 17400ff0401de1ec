/* SPDX-License-Identifier: Apache-2.0 */
/* gemini.h - Google's generateContent, streamGenerateContent and countTokens, as callers speak
 * them.
 *
 *     gemini.c         requests: the members the gateway reads, bodies passed on by spans
 *     gemini_relay.c   answers and streams passed on
 *     gemini_cut.c     ... and ended early
 *     gemini_read.c    requests into the canonical chat
 *     gemini_params.c  ... its tools and generationConfig
 *     gemini_schema.c  ... Google's schemas, which are nearly JSON Schema
 *     gemini_write.c   events of an answer into Google's chunks, and the whole object
 */
#ifndef KM_LLM_API_GEMINI_H
#define KM_LLM_API_GEMINI_H

#include "llm/api.h"
#include "llm/api/read.h"

/* _stream with alt=sse; _array without: the same chunks as one JSON array that grows. */
extern const struct km_llm_api km_api_gemini, km_api_gemini_stream, km_api_gemini_array,
    km_api_gemini_count, km_api_gemini_embed, km_api_gemini_embed_batch;

/* Which of them "gemini-2.5-pro:generateContent" means, and the model's name before the colon.
 * NULL: none. */
const struct km_llm_api *km_gemini_action(struct km_str path_rest, bool sse,
                                          struct km_str *ret_model);

/* --- shared by its files --- */

/* A member by its name in JSON or in protobuf's own spelling ("fileData", "file_data"). */
const struct km_json *km_gemini_get(const struct km_json *object, const char *name);

int km_gemini_answer(const struct km_llm_request *r, struct km_arena *arena, struct km_str body,
                     struct km_str **ret_parts, size_t *ret_n, struct km_usage *ret_usage,
                     struct km_err *err) KM_MUST_USE;
int km_gemini_relay(struct km_llm_stream *s, const struct km_sse_event *event, struct km_buf *out,
                    struct km_err *err) KM_MUST_USE;

/* An object in the caller's framing. */
void km_gemini_frame(struct km_llm_stream *s, const struct km_str *parts, size_t n,
                     struct km_buf *out);
/* gemini_cut.c: of an event with candidates, what a cut needs; and the cut (api.h). */
void km_gemini_keep(struct km_llm_stream *s, struct km_str data, struct km_str candidates);
int km_gemini_cut(struct km_llm_stream *s, const struct km_llm_cut *c,
                  struct km_err *err) KM_MUST_USE;
/* `usageMetadata` of a chunk. */
void km_gemini_write_usage(struct km_json_out *o, const struct km_usage *u);

int km_gemini_read(const struct km_llm_request *q, const struct km_json *root,
                   struct km_arena *arena, struct km_chat *ret_chat,
                   struct km_err *err) KM_MUST_USE;
int km_gemini_read_tools(const struct km_reading *rd, const struct km_json *root,
                         struct km_chat *chat) KM_MUST_USE;
int km_gemini_read_config(const struct km_reading *rd, const struct km_llm_request *q,
                          const struct km_json *root, struct km_chat *chat) KM_MUST_USE;
/* Members of v that are given and not in names (NULL ends) become foreign extras, by their place:
 * whether they may be dropped is the deployment's to say. */
int km_gemini_keep_others(const struct km_reading *rd, struct km_chat *chat,
                          const struct km_place *at, const struct km_json *v,
                          const char *const *names) KM_MUST_USE;
/* Google's Schema as JSON Schema, compact. */
int km_gemini_schema(const struct km_reading *rd, const struct km_place *at,
                     const struct km_json *schema, struct km_str *ret) KM_MUST_USE;

extern const struct km_encoder km_gemini_encoder;

/* Places of its requests that say nothing (llm/dropped.h). */
extern const struct km_str km_gemini_idle_asked[];

#endif
