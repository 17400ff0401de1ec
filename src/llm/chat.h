/* SPDX-License-Identifier: Apache-2.0 */
/* chat.h - the canonical chat: what inbound codecs read into and outbound codecs write from.
 *
 *     OpenAI chat ─┐                        ┌─ OpenAI chat
 *     Responses   ─┤                        ├─ Anthropic Messages (API, Vertex, Bedrock invoke)
 *     Messages    ─┼─>  km_chat  ─────────> ┼─ Bedrock Converse
 *     Gemini      ─┘   (this file)          ├─ Gemini (API, Vertex)
 *                                           └─ Ollama
 *
 * N inbound and M outbound codecs meet here, never N times M.  Answers come back as a sequence of
 * events (answer.h), whole or streamed alike.
 *
 * A tree lives in one arena, belongs to one attempt and is built anew for the next from the
 * caller's own bytes: what one provider's rules took out must be there for the next.  Text is
 * decoded (no JSON escapes) and valid UTF-8; members named *_json are compact JSON text.
 * Lists are in the caller's order.
 */
#ifndef KM_LLM_CHAT_H
#define KM_LLM_CHAT_H

#include "base/arena.h"

struct km_json_out;
struct km_dropped;
struct km_citation;

enum km_role {
    KM_ROLE_SYSTEM, /* OpenAI's `developer` too; stands where the caller put it */
    KM_ROLE_USER, /* tool results are parts of a user's message, first in it */
    KM_ROLE_ASSISTANT,
};

enum km_part_kind {
    KM_PART_TEXT,
    KM_PART_IMAGE,
    KM_PART_DOCUMENT,
    KM_PART_AUDIO,
    KM_PART_TOOL_USE, /* assistant: a call of a tool */
    KM_PART_TOOL_RESULT, /* user: what came of it */
    KM_PART_REASONING, /* assistant: text with its signature, when it has one */
    KM_PART_REDACTED, /* assistant: reasoning sealed by its provider; text is its base64 */
    KM_PART_REFUSAL, /* assistant */
};

/* An image, a document or a sound: by value, by address, or by a provider's own id. */
struct km_media {
    struct km_str type; /* "image/png"; empty: unknown */
    struct km_str data; /* base64, standard alphabet, checked; or empty */
    struct km_str url; /* "https://...", "gs://...", "s3://..."; or empty */
    struct km_str file_id; /* of a provider's file store; or empty */
    struct km_str name; /* a document's file name or title */
    struct km_str detail; /* "low", "high", "auto" */
};

struct km_part {
    struct km_part *next;
    enum km_part_kind kind;
    int cache_ttl_s; /* a cache point behind this part: 0 none, 300 or 3600 */
    struct km_str text; /* TEXT, REASONING, REDACTED, REFUSAL */
    struct km_str signature; /* of REASONING; of a TOOL_USE where its provider signs those */
    struct km_str id; /* TOOL_USE, and the TOOL_RESULT that answers it */
    struct km_str name; /* TOOL_USE; TOOL_RESULT: the tool's, looked up, empty when unknown */
    struct km_str input_json; /* TOOL_USE: a JSON object, "{}" for none */
    struct km_part *content; /* TOOL_RESULT: text, images, documents */
    bool is_error; /* TOOL_RESULT */
    bool cite; /* DOCUMENT, or TEXT of a search result: the answer is to say what it takes of it */
    struct km_str context; /* DOCUMENT: what is said about it, and is not cited */
    struct km_citation *citations; /* TEXT of an answer: what it rests on */
    struct km_media media; /* IMAGE, DOCUMENT, AUDIO */
};

struct km_message {
    struct km_message *next;
    enum km_role role;
    struct km_part *parts; /* may be empty */
    struct km_str name; /* OpenAI's name of a participant; mostly empty */
};

struct km_tool {
    struct km_tool *next;
    struct km_str name, description;
    struct km_str schema_json; /* of its input; empty: it takes none */
    int strict; /* -1 not said, 0, 1 */
    int cache_ttl_s;
    struct km_str hosted_json; /* a tool of the provider's own ("web_search"), whole; else empty */
    struct km_str hosted_type; /* its type, for messages */
    struct km_str group, in_group; /* Responses: the group it is of, and its name there; or empty */
};

enum km_tool_choice { KM_CHOICE_AUTO, KM_CHOICE_NONE, KM_CHOICE_REQUIRED, KM_CHOICE_NAMED };
enum km_format { KM_FORMAT_TEXT, KM_FORMAT_JSON, KM_FORMAT_SCHEMA };
enum km_effort {
    KM_EFFORT_NONE,
    KM_EFFORT_MINIMAL,
    KM_EFFORT_LOW,
    KM_EFFORT_MEDIUM,
    KM_EFFORT_HIGH,
    KM_EFFORT_XHIGH,
    KM_EFFORT_MAX,
};
enum km_thinking { KM_THINKING_OFF, KM_THINKING_BUDGET, KM_THINKING_ADAPTIVE };

/* XX(NAME, OpenAI's name): every parameter of a request that a provider may not know.  The name
 * is what an error says where the caller's own API has no other (struct km_llm_api). */
#define KM_CHAT_PARAMS(XX)                                                                         \
    XX(MAX_TOKENS, "max_tokens")                                                                   \
    XX(TEMPERATURE, "temperature")                                                                 \
    XX(TOP_P, "top_p")                                                                             \
    XX(TOP_K, "top_k")                                                                             \
    XX(STOP, "stop")                                                                               \
    XX(N, "n")                                                                                     \
    XX(SEED, "seed")                                                                               \
    XX(FREQUENCY_PENALTY, "frequency_penalty")                                                     \
    XX(PRESENCE_PENALTY, "presence_penalty")                                                       \
    XX(LOGIT_BIAS, "logit_bias")                                                                   \
    XX(LOGPROBS, "logprobs")                                                                       \
    XX(TOP_LOGPROBS, "top_logprobs")                                                               \
    XX(FORMAT, "response_format")                                                                  \
    XX(TOOLS, "tools")                                                                             \
    XX(TOOL_CHOICE, "tool_choice")                                                                 \
    XX(PARALLEL_TOOLS, "parallel_tool_calls")                                                      \
    XX(EFFORT, "reasoning_effort")                                                                 \
    XX(THINKING, "thinking")                                                                       \
    XX(VERBOSITY, "verbosity")                                                                     \
    XX(USER, "user")                                                                               \
    XX(METADATA, "metadata")                                                                       \
    XX(SERVICE_TIER, "service_tier")                                                               \
    XX(STORE, "store")                                                                             \
    XX(PREDICTION, "prediction")                                                                   \
    XX(MODALITIES, "modalities")                                                                   \
    XX(AUDIO, "audio")                                                                             \
    XX(WEB_SEARCH, "web_search_options")                                                           \
    XX(CACHE_KEY, "prompt_cache_key")

enum km_chat_param {
#define XX(name, text) KM_P_##name,
    KM_CHAT_PARAMS(XX)
#undef XX
        KM_P_COUNT,
};
#define KM_P_BIT(p) (UINT64_C(1) << (p))

/* What becomes of a member that no parameter of ours is. */
enum km_extra_kind {
    KM_EXTRA_PLAIN, /* for a provider that knows it */
    KM_EXTRA_ADVICE, /* goes only where a codec names it, and else is left out without a word */
    KM_EXTRA_FOREIGN, /* means something in the caller's own protocol only: never carried */
    KM_EXTRA_AS_IS, /* of the configuration's extra_body: carried, known or not */
};

/* A member that is none of the above; its name may be a place ("generationConfig.speechConfig"). */
struct km_chat_extra {
    struct km_chat_extra *next;
    struct km_str name;
    struct km_str json;
    enum km_extra_kind kind;
};

struct km_chat {
    struct km_message *messages;
    struct km_tool *tools;
    uint64_t set; /* KM_P_BIT of each parameter the caller (or the deployment's defaults) gave */
    uint64_t hints; /* of those, what programs send unasked: who does not know it goes without */
    int64_t max_tokens; /* -1: not bounded */
    int64_t n; /* answers asked for; 1 */
    /* Numbers as the caller wrote them; empty: not given. */
    struct km_str temperature, top_p, top_k, seed, frequency_penalty, presence_penalty;
    struct km_str logit_bias_json, top_logprobs;
    bool logprobs;
    const struct km_str *stop;
    size_t nstop;
    enum km_tool_choice tool_choice;
    struct km_str tool_name; /* KM_CHOICE_NAMED */
    bool parallel_tools; /* false only when the caller forbade it */
    bool calls_validated; /* Google's: calls are held to their schemas, and are not forced */
    bool legacy_calls; /* it knows `functions` only: a call is told as function_call */
    enum km_format format;
    struct km_str schema_json, schema_name, schema_description; /* KM_FORMAT_SCHEMA */
    int schema_strict; /* -1 not said */
    enum km_effort effort; /* with KM_P_EFFORT set */
    enum km_thinking thinking; /* with KM_P_THINKING set */
    int64_t thinking_budget; /* KM_THINKING_BUDGET; tokens */
    struct km_str thinking_display; /* "summarized", "omitted"; mostly empty */
    struct km_str verbosity, service_tier, cache_key, user;
    struct km_str cache_retention; /* "24h" */
    struct km_str metadata_json, prediction_json, modalities_json, audio_json, web_search_json;
    bool store;
    int cache_ttl_s; /* cache all of it automatically (Anthropic's top-level cache_control) */
    struct km_chat_extra *extras;
    struct km_dropped *dropped; /* where it is noted what goes no further; or NULL */
    struct km_message *last_message; /* for appending */
    struct km_tool *last_tool;
};

void km_chat_init(struct km_chat *c);
static inline bool km_chat_has(const struct km_chat *c, enum km_chat_param p)
{
    return (c->set & KM_P_BIT(p)) != 0;
}
const char *km_chat_param_name(enum km_chat_param p);

/* Appending, all in the arena; NULL on overflow (checked once at the end: the arena says so). */
struct km_message *km_chat_message(struct km_chat *c, struct km_arena *a, enum km_role role);
struct km_part *km_chat_part(struct km_arena *a, struct km_part **list, enum km_part_kind kind);
struct km_tool *km_chat_tool(struct km_chat *c, struct km_arena *a);
struct km_chat_extra *km_chat_extra(struct km_chat *c, struct km_arena *a, struct km_str name,
                                    struct km_str json);

/* As members beside those that were written before.  What the gateway writes itself is not said a
 * second time: KM_E_INVALID names the member. */
int km_extras_write(struct km_json_out *o, const struct km_chat_extra *extras,
                    struct km_err *err) KM_MUST_USE;
int km_extra_write(struct km_json_out *o, const struct km_chat_extra *extra,
                   struct km_err *err) KM_MUST_USE; /* one of them */

/* Fills in the tools' names of results from the calls they answer (Gemini needs them). */
void km_chat_name_results(struct km_chat *c);

/* "data:image/png;base64,AAAA" into type and data, checked; any other scheme into url.
 * KM_E_INVALID with a reason. */
int km_media_from_url(struct km_media *m, struct km_str url, struct km_err *err) KM_MUST_USE;

/* Is that a place of the caller's own, and no id?  Files of Gemini's store have ids that look like
 * places: "https://generativelanguage.googleapis.com/v1beta/files/abc". */
bool km_media_is_place(struct km_str id);

/* Is it a place that a provider reads with the credentials of who pays it: "s3://", "gs://"? */
bool km_media_in_bucket(struct km_str place);
/* KM_E_FORBIDDEN, and what opens them. */
int km_media_refuse_bucket(struct km_str place, struct km_err *err);

/* Standard alphabet, padded, nothing else in it. */
bool km_base64_ok(struct km_str s);

/* Efforts and budgets where a provider knows only the other: LiteLLM's constants. */
int64_t km_effort_budget(enum km_effort e);
enum km_effort km_budget_effort(int64_t tokens);
const char *km_effort_name(enum km_effort e);
/* KM_E_INVALID when it is none. */
int km_effort_parse(struct km_str name, enum km_effort *ret) KM_MUST_USE;

#endif
