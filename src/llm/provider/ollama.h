/* SPDX-License-Identifier: Apache-2.0 */
/* ollama.h - what the files of Ollama's codec share. */
#ifndef KM_LLM_PROVIDER_OLLAMA_H
#define KM_LLM_PROVIDER_OLLAMA_H

#include "llm/codec.h"
#include "llm/embed.h"

int km_ollama_embed_encode(const struct km_encode_args *args, const struct km_embed *e,
                           struct km_json_out *out, struct km_err *err) KM_MUST_USE;
int km_ollama_embed_decode(struct km_embed *e, struct km_arena *arena, struct km_str body,
                           struct km_err *err) KM_MUST_USE;

/* The member `options` of a chat. */
void km_ollama_options(const struct km_encode_args *args, const struct km_chat *chat,
                       struct km_json_out *o);
/* The members beside it; those that the chat itself has said are not said again. */
void km_ollama_members(const struct km_chat *chat, struct km_json_out *o);
/* Extras as both, where there is no chat. */
int km_ollama_extras(const struct km_chat_extra *extras, struct km_arena *arena,
                     struct km_json_out *o, struct km_err *err) KM_MUST_USE;

#endif
