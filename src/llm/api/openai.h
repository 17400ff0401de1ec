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

extern const struct km_llm_api km_api_chat, km_api_completion, km_api_embedding, km_api_rerank;

/* --- shared by the two files of the pass-through --- */
int km_openai_answer(const struct km_llm_request *r, struct km_arena *arena, struct km_str body,
                     struct km_str **ret_parts, size_t *ret_n, struct km_usage *ret_usage,
                     struct km_err *err) KM_MUST_USE;
int km_openai_event(struct km_llm_stream *s, const struct km_sse_event *event, struct km_buf *out,
                    struct km_err *err) KM_MUST_USE;

/* r->prompts, of a body for completions that km_llm_read_members() has read: each is answered by
 * itself.  arena: an arena with the cap and pool of a scratch one. */
int km_openai_count_prompts(struct km_llm_request *r, const struct km_arena *arena,
                            struct km_err *err) KM_MUST_USE;

/* openai_cut.c: of an event with choices, what a cut needs; and the cut (api.h). */
void km_openai_keep(struct km_llm_stream *s, struct km_str data, struct km_str choices);
int km_openai_cut(struct km_llm_stream *s, const struct km_llm_cut *c,
                  struct km_err *err) KM_MUST_USE;

/* --- shared by the files of the translation --- */
struct km_place;
struct km_reading;

/* Sets one parameter by the name OpenAI or LiteLLM has for it; null sets nothing.
 * KM_E_NOT_FOUND, and nothing in err: no such parameter. */
int km_openai_param(struct km_chat *chat, struct km_arena *arena, struct km_str name,
                    const struct km_json *value, struct km_err *err) KM_MUST_USE;
/* All members of a body but messages and prompt; the unknown ones become extras. */
int km_openai_params(struct km_chat *chat, struct km_arena *arena, const struct km_json *root,
                     struct km_err *err) KM_MUST_USE;
/* Is it read elsewhere (model, stream, messages), or the gateway's own (metadata, tags)? */
bool km_openai_member(struct km_str name);
/* As km_openai_param, of a member that stands elsewhere. */
int km_openai_param_at(const struct km_reading *rd, struct km_chat *chat, struct km_str name,
                       const struct km_place *at, const struct km_json *value) KM_MUST_USE;

int km_openai_decode(const struct km_llm_request *req, const struct km_json *root,
                     struct km_arena *arena, struct km_chat *ret_chat,
                     struct km_err *err) KM_MUST_USE;
int km_openai_decode_prompt(const struct km_llm_request *req, const struct km_json *root,
                            struct km_arena *arena, struct km_chat *ret_chat,
                            struct km_err *err) KM_MUST_USE;
extern const struct km_encoder km_encoder_chat, km_encoder_completion;

/* {"name","description","parameters","strict"} into a tool. */
int km_openai_tool(const struct km_reading *rd, const struct km_place *at, const struct km_json *v,
                   struct km_tool *tool) KM_MUST_USE;
/* openai_choice.c: `tool_choice`, and the older form of it.  The tools are read before. */
int km_openai_choice(const struct km_reading *rd, struct km_chat *chat, const struct km_place *at,
                     const struct km_json *v) KM_MUST_USE;
int km_openai_function_call(const struct km_reading *rd, struct km_chat *chat,
                            const struct km_place *at, const struct km_json *v) KM_MUST_USE;
/* {"name","schema","description","strict"}: the form the answer must have. */
int km_openai_schema(const struct km_reading *rd, const struct km_place *at,
                     const struct km_json *v, struct km_chat *chat) KM_MUST_USE;

const char *km_openai_finish(const struct km_answer *a, enum km_finish finish);
const char *km_openai_tier(enum km_service service); /* "flex" */
void km_openai_usage(struct km_json_out *o, const struct km_usage *u);
void km_openai_call(struct km_json_out *o, const struct km_part *part); /* one of tool_calls */
/* The texts of all parts of a kind, one after another. */
struct km_str km_parts_text(const struct km_part *parts, enum km_part_kind kind,
                            struct km_arena *arena);
/* A whole answer up to its choices, and behind them. */
void km_openai_head(struct km_answer *a, struct km_json_out *o, const char *prefix,
                    const char *object);
int km_openai_tail(struct km_answer *a, struct km_json_out *o, struct km_err *err) KM_MUST_USE;
int km_openai_whole(struct km_answer *a, struct km_err *err) KM_MUST_USE;

#endif
