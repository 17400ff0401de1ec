/* SPDX-License-Identifier: Apache-2.0 */
/* openai.h - OpenAI's chat completions as an upstream's protocol: the pieces its rows share.
 *
 * km_codec_openai_compatible and km_codec_openai (codecs.h) are made of these; a provider with
 * the same bodies behind other paths (Azure) makes its own row of them.
 */
#ifndef KM_LLM_PROVIDER_OPENAI_H
#define KM_LLM_PROVIDER_OPENAI_H

#include "llm/codec.h"

/* What the body can carry. */
#define KM_OPENAI_MAPS ((UINT64_C(1) << KM_P_COUNT) - 1)
/* What those who only look like it do not know. */
#define KM_OPENAI_ONLY                                                                             \
    (KM_P_BIT(KM_P_METADATA) | KM_P_BIT(KM_P_STORE) | KM_P_BIT(KM_P_CACHE_KEY))
#define KM_OPENAI_COMPATIBLE_MAPS (KM_OPENAI_MAPS & ~KM_OPENAI_ONLY)

/* path and the escaped model behind it. */
struct km_str km_openai_realtime(struct km_str path, struct km_str model, struct km_arena *arena);
struct km_str km_openai_target(const struct km_target_args *args, struct km_arena *arena);
int km_openai_encode(const struct km_encode_args *args, const struct km_chat *chat,
                     struct km_json_out *out, struct km_err *err);
/* "messages": the array alone. */
int km_openai_messages(const struct km_encode_args *args, const struct km_chat *chat,
                       struct km_json_out *out, struct km_err *err);

/* Bytes of state of a stream being read: a bound, checked where the state is defined. */
#define KM_OPENAI_STATE 128
int km_openai_read(struct km_decode *d, struct km_str body, struct km_err *err);
int km_openai_read_event(struct km_decode *d, const struct km_frame_event *e, struct km_err *err);
int km_openai_read_end(struct km_decode *d, struct km_err *err);

/* --- shared by its files --- */
struct km_json;
/* {"prompt_tokens", "completion_tokens", details}; false where it is no object. */
bool km_openai_read_usage(const struct km_json *v, struct km_usage *ret);
enum km_finish km_openai_read_finish(struct km_str reason);
/* The error an upstream wrote where an answer should be. */
int km_openai_read_error(const struct km_json *error, struct km_err *err);

#define KM_OPENAI_CARRIES                                                                          \
    (KM_TRAIT_BIT(IMAGE_DETAIL) | KM_TRAIT_BIT(TOOL_STRICT) | KM_TRAIT_BIT(NAME) |                \
     KM_TRAIT_BIT(RETENTION))
/* Places of its answers that say nothing (llm/dropped.h). */
extern const struct km_str km_openai_idle[];

#endif
