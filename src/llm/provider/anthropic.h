/* SPDX-License-Identifier: Apache-2.0 */
/* anthropic.h - Anthropic's Messages, as upstreams speak it: the API itself, Claude on Vertex AI
 * and on Bedrock's InvokeModel.
 *
 * Those three differ in a few members of the body, in their addresses and in how they sign; a
 * codec of another provider fills struct km_messages_options and reuses the rest of the row.
 */
#ifndef KM_LLM_PROVIDER_ANTHROPIC_H
#define KM_LLM_PROVIDER_ANTHROPIC_H

#include "llm/codec.h"

struct km_messages_options {
    bool model; /* `model` is a member of the body; else the path has it */
    bool stream; /* `stream` is; else the path says it */
    const char *version; /* `anthropic_version` of the body; NULL: a header line says it */
    bool remote_media; /* it fetches images and documents by http(s) address itself */
};

/* KM_P_BITs and names for the rows of codecs that encode by this file. */
#define KM_MESSAGES_MAPS                                                                           \
    (KM_P_BIT(KM_P_MAX_TOKENS) | KM_P_BIT(KM_P_TEMPERATURE) | KM_P_BIT(KM_P_TOP_P) |               \
     KM_P_BIT(KM_P_TOP_K) | KM_P_BIT(KM_P_STOP) | KM_P_BIT(KM_P_FORMAT) | KM_P_BIT(KM_P_TOOLS) |   \
     KM_P_BIT(KM_P_TOOL_CHOICE) | KM_P_BIT(KM_P_PARALLEL_TOOLS) | KM_P_BIT(KM_P_EFFORT) |          \
     KM_P_BIT(KM_P_THINKING) | KM_P_BIT(KM_P_USER) | KM_P_BIT(KM_P_SERVICE_TIER))
#define KM_MESSAGES_DROPS                                                                          \
    (KM_P_BIT(KM_P_VERBOSITY) | KM_P_BIT(KM_P_METADATA) | KM_P_BIT(KM_P_STORE) |                   \
     KM_P_BIT(KM_P_PREDICTION) | KM_P_BIT(KM_P_CACHE_KEY))
extern const char *const km_messages_extras[];
extern const char *const km_messages_own[][2]; /* km_codec.own */

/* The version the gateway speaks where nobody says another. */
#define KM_ANTHROPIC_VERSION "2023-06-01"

int km_messages_encode(const struct km_messages_options *options, const struct km_encode_args *args,
                       const struct km_chat *chat, struct km_json_out *out,
                       struct km_err *err) KM_MUST_USE;

/* Of the row: for other rows too. */
#define KM_MESSAGES_STATE (112 + sizeof(struct km_usage)) /* bytes of state */
int km_messages_decode(struct km_decode *d, struct km_str body, struct km_err *err) KM_MUST_USE;
int km_messages_event(struct km_decode *d, const struct km_frame_event *e,
                      struct km_err *err) KM_MUST_USE;
int km_messages_end(struct km_decode *d, struct km_err *err) KM_MUST_USE;
void km_messages_refusal(struct km_arena *arena, int status, const struct km_headers *headers,
                         struct km_str body, struct km_refusal *ret);

/* --- shared by the files of this codec --- */

/* What becomes of the parameters whose fate depends on the model and on each other. */
struct km_messages_plan {
    enum {
        KM_MESSAGES_THINK_UNSAID,
        KM_MESSAGES_THINK_OFF,
        KM_MESSAGES_THINK_BUDGET,
        KM_MESSAGES_THINK_ADAPTIVE
    } think;
    int64_t budget, max_tokens;
    const char *effort; /* NULL: not said */
    enum km_tool_choice choice;
    bool choice_said;
    bool samples; /* temperature, top_p and top_k may be said */
    bool json_tool; /* a tool stands for the answer's schema */
};

int km_messages_plan(const struct km_encode_args *args, const struct km_chat *chat,
                     struct km_messages_plan *ret, struct km_err *err) KM_MUST_USE;

struct km_messages_writer {
    const struct km_messages_options *options;
    const struct km_encode_args *args;
    const struct km_chat *chat;
    const struct km_messages_plan *plan;
    struct km_json_out *out;
};

/* `system` and `messages`. */
int km_messages_write_turns(const struct km_messages_writer *w, struct km_err *err) KM_MUST_USE;
/* `tools` and `tool_choice`. */
int km_messages_write_tools(const struct km_messages_writer *w, struct km_err *err) KM_MUST_USE;
/* A member `cache_control`, when ttl_s says so. */
void km_messages_write_cache(struct km_json_out *out, int ttl_s);
/* A schema as Anthropic wants it for answers: every object says additionalProperties: false. */
void km_messages_write_schema(struct km_json_out *out, const struct km_json *schema);

/* The name of the tool that stands for an answer's schema; LiteLLM's. */
#define KM_JSON_TOOL "json_tool_call"
bool km_messages_needs_json_tool(const struct km_chat *chat, const struct km_capability *can);
/* What the answer's reading must know of the request: into the state. */
void km_messages_note(void *state, const struct km_chat *chat, bool json_tool,
                      struct km_arena *keep);
/* s as ids and names of tools may be spelled there: letters, digits, '_', '-', at most `most`
 * bytes (16 or more); s itself when it is so. */
struct km_str km_messages_clean(struct km_str s, size_t most, struct km_arena *arena);

/* Tools whose names had to be spelled otherwise, in the arena: NULL when there are none. */
struct km_tool_alias {
    const struct km_tool_alias *next;
    struct km_str said, name;
};
const struct km_tool_alias *km_tool_aliases(const struct km_chat *chat, size_t most,
                                            struct km_arena *arena);
/* The caller's own name of a tool. */
struct km_str km_tool_said(const struct km_tool_alias *aliases, struct km_str said);
#define KM_MESSAGES_NAME_MOST 128
#define KM_MESSAGES_ID_MOST 256

#define KM_MESSAGES_CARRIES                                                                        \
    (KM_TRAIT_BIT(RESULT_ERROR) | KM_TRAIT_BIT(CACHE_POINT) | KM_TRAIT_BIT(TOOL_STRICT) |          \
     KM_TRAIT_BIT(PREFILL) | KM_TRAIT_BIT(CITE) | KM_TRAIT_BIT(CONTEXT) |               \
     KM_TRAIT_BIT(THOUGHTS) | KM_TRAIT_BIT(CACHE_ALL) | KM_TRAIT_BIT(SPOKEN_IMAGE) |               \
     KM_TRAIT_BIT(SPOKEN_FILE) | KM_TRAIT_BIT(DISPLAY))
/* Places of its answers that say nothing (llm/dropped.h). */
extern const struct km_str km_messages_idle[];

#endif
