/* SPDX-License-Identifier: Apache-2.0 */
/* converse.h - Amazon Bedrock's Converse: private to its files and to bedrock.c.
 *
 *     bedrock.c          who it is: addresses, regions, credentials, refusals; InvokeModel
 *     converse_encode.c  a chat as a body: what depends on the model
 *     converse_turns.c   ... its conversation
 *     converse_tools.c   ... its tools
 *     converse_answer.c  answers as events
 */
#ifndef KM_LLM_PROVIDER_CONVERSE_H
#define KM_LLM_PROVIDER_CONVERSE_H

#include "llm/codec.h"
#include "llm/provider/anthropic.h"

#define KM_CONVERSE_NAME_MOST 64 /* bytes of a tool's name, and of a call's id */

struct km_converse_writer {
    const struct km_encode_args *args;
    const struct km_chat *chat;
    struct km_messages_plan plan; /* Claude's rules, which contain the others' */
    bool schema_hint; /* no other way to hold this model to a schema than to ask */
    struct km_json_out *out;
    unsigned documents; /* written so far: their names must differ */
};

static inline bool km_converse_is(const struct km_converse_writer *w, enum km_family family)
{
    return w->args->can->family == family;
}

/* Is what a writer would write a blank text, or somebody else's reasoning? */
bool km_converse_writes(const struct km_converse_writer *w, const struct km_part *p);

/* `messages` and `system`. */
int km_converse_write_turns(struct km_converse_writer *w, struct km_err *err) KM_MUST_USE;
/* `toolConfig`; hosted tools of Anthropic's go into *ret_hosted, a JSON array, or empty. */
int km_converse_write_tools(struct km_converse_writer *w, struct km_str *ret_hosted,
                            struct km_err *err) KM_MUST_USE;
/* {"cachePoint":...} behind what came before, where the model caches. */
void km_converse_write_cache(const struct km_converse_writer *w, int ttl_s);

/* The betas of the caller's header that Bedrock knows, and those of the chat's extras, as a JSON
 * array; empty: none. */
struct km_str km_bedrock_betas(const struct km_encode_args *args, const struct km_chat *chat,
                               bool invoke);

int km_converse_encode(const struct km_encode_args *args, const struct km_chat *chat,
                       struct km_json_out *out, struct km_err *err) KM_MUST_USE;

#define KM_CONVERSE_STATE 104 /* bytes of state */
/* What the answer's reading must know of the request: into the state. */
void km_converse_note(void *state, const struct km_chat *chat, bool json_tool,
                      struct km_arena *keep);
int km_converse_decode(struct km_decode *d, struct km_str body, struct km_err *err) KM_MUST_USE;
int km_converse_event(struct km_decode *d, const struct km_frame_event *e,
                      struct km_err *err) KM_MUST_USE;
int km_converse_end(struct km_decode *d, struct km_err *err) KM_MUST_USE;

/* Its `usage`; false: it is none. */
bool km_converse_usage(const struct km_json *usage, struct km_usage *ret);

/* An exception in a stream that began well. */
int km_bedrock_exception(const struct km_frame_event *e, struct km_arena *scratch,
                         struct km_err *err);
void km_bedrock_refusal(struct km_arena *arena, int status, const struct km_headers *headers,
                        struct km_str body, struct km_refusal *ret);

/* Places of its answers that say nothing (llm/dropped.h). */
extern const struct km_str km_converse_idle[];

#endif
