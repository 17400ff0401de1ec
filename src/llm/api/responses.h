/* SPDX-License-Identifier: Apache-2.0 */
/* responses.h - OpenAI's Responses, as callers speak it.
 *
 * Passed through by spans where the upstream has it too; else read into the canonical chat and
 * answered with the whole sequence of events its clients rely on.
 *
 * What was said before is the caller's to send, or ours to remember: a stored answer holds the
 * conversation up to and with itself as input items (km_responses_record), and a request that
 * names it is made whole again before anything else looks at it (km_responses_continue).
 */
#ifndef KM_LLM_API_RESPONSES_H
#define KM_LLM_API_RESPONSES_H

#include "llm/api.h"

extern const struct km_llm_api km_api_responses;
/* Below it: a conversation made shorter, where OpenAI's own does it. */
extern const struct km_llm_api km_api_compact;

/* Members of a request: places in km_llm_request.spans. */
enum km_responses_member {
    KM_R_MODEL,
    KM_R_STREAM,
    KM_R_INPUT,
    KM_R_PREVIOUS,
    KM_R_MAX_TOKENS,
    KM_R_STORE,
    KM_R_USER,
    KM_R_METADATA,
    KM_R_BACKGROUND,
    KM_R_CONVERSATION,
    KM_R_PROMPT,
    /* from here on: only given back in the answer */
    KM_R_INSTRUCTIONS,
    KM_R_PARALLEL,
    KM_R_REASONING,
    KM_R_TEMPERATURE,
    KM_R_TEXT,
    KM_R_TOOL_CHOICE,
    KM_R_TOOLS,
    KM_R_TOP_P,
    KM_R_TRUNCATION,
    KM_R_API_BASE,
    KM_R_BASE_URL,
    KM_R_OWN, /* from here on: the gateway's own, never sent upstream */
    KM_R_COUNT = KM_R_OWN + KM_LLM_OWN_COUNT,
};

/* Empty where it is absent or null. */
struct km_str km_responses_value(const struct km_llm_request *r, enum km_responses_member m);

/* previous_response_id, decoded; empty: none. */
struct km_str km_responses_previous(const struct km_llm_request *r, struct km_arena *arena);
/* Shall the answer be kept?  As OpenAI: unless `store` is false. */
bool km_responses_stored(const struct km_llm_request *r);

/* {"input":[everything said, the answer's output last],"response":{the answer}}: what is kept of
 * an answer.  response: the answer's object.  KM_E_UPSTREAM_PROTOCOL when it is none. */
int km_responses_record(const struct km_llm_request *r, struct km_str response,
                        struct km_arena *arena, struct km_str *ret_record,
                        struct km_err *err) KM_MUST_USE;
/* The request's body with what was said before, *ret_before items, in front of its input, and
 * without previous_response_id. */
int km_responses_continue(const struct km_llm_request *r, struct km_str record,
                          struct km_arena *arena, struct km_str *ret_body, size_t *ret_before,
                          struct km_err *err) KM_MUST_USE;
/* The answer kept in a record: a view of it. */
int km_responses_recorded(struct km_str record, struct km_str *ret_response,
                          struct km_err *err) KM_MUST_USE;
/* The id of an answer's object; empty: it has none. */
struct km_str km_responses_id(struct km_str response, struct km_arena *arena);
/* Is this item of `input` one that an upstream takes, by its id, from what it stored, and not from
 * the request?  *ret_id: views of the item's tree. */
bool km_responses_refers(const struct km_json *item, struct km_str *ret_id);
/* By its name, may an event be a stream's last?  Of most it says that they are not. */
bool km_responses_may_be_last(struct km_str type);
/* `usage` of an answer, an object: u is filled anew, u->known: it can be. */
void km_responses_read_usage(const struct km_json *usage, struct km_usage *u);
/* Adds the uses of tools that OpenAI ran, which are items of an answer's `output`. */
void km_responses_hosted(const struct km_json *output, struct km_usage *u);
/* The answer's object in the data of a stream's last event; empty: this is not the last. */
struct km_str km_responses_final(struct km_str data);

/* --- shared by its files --- */
int km_responses_decode(const struct km_llm_request *r, const struct km_json *root,
                        struct km_arena *arena, struct km_chat *ret_chat,
                        struct km_err *err) KM_MUST_USE;
int km_responses_answer(const struct km_llm_request *r, struct km_arena *arena, struct km_str body,
                        struct km_str **ret_parts, size_t *ret_n, struct km_usage *ret_usage,
                        struct km_err *err) KM_MUST_USE;
int km_responses_event(struct km_llm_stream *s, const struct km_sse_event *event,
                       struct km_buf *out, struct km_err *err) KM_MUST_USE;
extern const struct km_encoder km_encoder_responses;
/* responses_cut.c: the cut of a stream (api.h). */
int km_responses_cut(struct km_llm_stream *s, const struct km_llm_cut *c,
                     struct km_err *err) KM_MUST_USE;
/* What `usage` of a response is. */
void km_responses_usage(struct km_json_out *o, const struct km_usage *u);

/* --- responses_tools.c --- */
struct km_reading; /* read.h */
/* `tools` of the request into the chat's. */
int km_responses_tools(const struct km_reading *rd, struct km_chat *chat,
                       const struct km_json *root) KM_MUST_USE;
/* The name of a group's tool where there are no groups. */
struct km_str km_responses_flat(struct km_str group, struct km_str name, struct km_arena *arena);
/* What the request calls the tool that a model calls so. */
struct km_responses_tool {
    struct km_str group, name; /* group empty: in none */
    bool custom; /* its input is free text */
};
struct km_responses_tool km_responses_tool(const struct km_llm_request *r, struct km_str name,
                                           struct km_arena *arena);

/* A call's signature travels in its call_id, for nothing else of it comes back surely. */
#define KM_RESPONSES_SIGNED "__thought__"
/* Signed reasoning, in encrypted_content: ours, and of which kind. */
#define KM_RESPONSES_THINKING "kanmon:t:"
#define KM_RESPONSES_REDACTED "kanmon:r:"

/* Places of its requests that say nothing (llm/dropped.h). */
extern const struct km_str km_responses_idle[];

#endif
