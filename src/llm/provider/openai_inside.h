/* SPDX-License-Identifier: Apache-2.0 */
/* openai_inside.h - what the readers of OpenAI's whole and streamed answers share. */
#ifndef KM_LLM_PROVIDER_OPENAI_INSIDE_H
#define KM_LLM_PROVIDER_OPENAI_INSIDE_H

#include "llm/provider/openai.h"

/* A choice being read: which block is under way. */
struct km_openai_choice {
    unsigned index, block, blocks; /* blocks: begun so far */
    enum km_chat_event_kind kind; /* of the block: TEXT, REASONING, REDACTED, REFUSAL, TOOL */
    bool open, tools, finished;
};

/* An event of the block under way. */
int km_openai_put(struct km_decode *d, const struct km_openai_choice *c,
                  enum km_chat_event_kind kind, struct km_str text, struct km_err *err);
/* A piece of text of a kind; begins a block where another kind is under way.  Empty: nothing. */
int km_openai_piece(struct km_decode *d, struct km_openai_choice *c, enum km_chat_event_kind kind,
                    struct km_str text, struct km_err *err);
/* Begins a call; an empty id gets one. */
int km_openai_tool_event(struct km_decode *d, struct km_openai_choice *c, struct km_str id,
                         struct km_str name, struct km_str signature, struct km_err *err);
int km_openai_finish_event(struct km_decode *d, struct km_openai_choice *c, enum km_finish finish,
                           struct km_str text, struct km_err *err);

int km_openai_read_start(struct km_decode *d, const struct km_json *root, struct km_err *err);
/* ended: nothing comes behind it that would count. */
int km_openai_read_used(struct km_decode *d, const struct km_json *root, bool ended,
                        struct km_err *err);
/* Of a message or a delta: all but its calls. */
int km_openai_read_text(struct km_decode *d, struct km_openai_choice *c, const struct km_json *m,
                        struct km_err *err);
int km_openai_read_logprobs(struct km_decode *d, struct km_openai_choice *c,
                            const struct km_json *v, struct km_err *err);
/* finish_reason, where it is not null. */
int km_openai_read_end_of(struct km_decode *d, struct km_openai_choice *c, const struct km_json *v,
                          struct km_err *err);
struct km_str km_openai_signature(const struct km_json *call);
struct km_str km_openai_arguments(const struct km_json *function, struct km_arena *arena);

#endif
