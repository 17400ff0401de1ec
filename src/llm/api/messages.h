/* SPDX-License-Identifier: Apache-2.0 */
/* messages.h - Anthropic's Messages and their count_tokens, as callers speak them.
 *
 *     messages.c          requests: the members the gateway reads, bodies passed on by spans
 *     messages_answer.c   answers and streams passed on
 *     messages_cut.c      ... and ended early
 *     messages_decode.c   requests into the canonical chat
 *     messages_blocks.c   ... the blocks of their messages
 *     messages_encode.c   events of an answer into Messages' own, and the whole object
 *     messages_count.c    count_tokens where the upstream has no such thing
 */
#ifndef KM_LLM_API_MESSAGES_H
#define KM_LLM_API_MESSAGES_H

#include "llm/api.h"
#include "llm/api/read.h"

extern const struct km_llm_api km_api_messages, km_api_count_messages;

/* --- shared by its files --- */

/* Is this top-level member the gateway's own? Then it is neither passed on nor an extra. */
bool km_messages_is_gateways(struct km_str name);

int km_messages_answer(const struct km_llm_request *r, struct km_arena *arena, struct km_str body,
                       struct km_str **ret_parts, size_t *ret_n, struct km_usage *ret_usage,
                       struct km_err *err) KM_MUST_USE;
int km_messages_count_answer(const struct km_llm_request *r, struct km_arena *arena,
                             struct km_str body, struct km_str **ret_parts, size_t *ret_n,
                             struct km_usage *ret_usage, struct km_err *err) KM_MUST_USE;
int km_messages_relay(struct km_llm_stream *s, const struct km_sse_event *event, struct km_buf *out,
                      struct km_err *err) KM_MUST_USE;

/* messages_cut.c: of an event about the message or about a block, what a cut needs; and the cut
 * (api.h). */
void km_messages_keep(struct km_llm_stream *s, struct km_str type, struct km_str data);
int km_messages_cut(struct km_llm_stream *s, const struct km_llm_cut *c,
                    struct km_err *err) KM_MUST_USE;
/* `usage` of a message. */
void km_messages_usage(struct km_json_out *o, const struct km_usage *u);

int km_messages_read(const struct km_llm_request *r, const struct km_json *root,
                     struct km_arena *arena, struct km_chat *ret_chat,
                     struct km_err *err) KM_MUST_USE;
/* The blocks of a message, or of `system`; results of tools come first in the list. */
int km_messages_read_blocks(const struct km_reading *rd, const struct km_place *at,
                            const struct km_json *content, enum km_role role,
                            struct km_part **ret_parts) KM_MUST_USE;
extern const struct km_encoder km_messages_encoder;

/* {"input_tokens":n} by estimate: text as km_tokens_estimate() has it, a fixed count an image or
 * a page of a document; `tokens` where the request cannot be read. */
void km_messages_count(const struct km_llm_request *r, int64_t tokens, struct km_buf *out);
int64_t km_messages_count_chat(const struct km_chat *chat);

/* Where a call's id carries its provider's signature, for APIs that have no place for one:
 * "toolu_1__thought__<signature>". */
#define KM_MESSAGES_SIGNED "__thought__"

#endif
