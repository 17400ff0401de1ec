/* SPDX-License-Identifier: Apache-2.0 */
/* openai.h - OpenAI's request and response bodies where client and upstream both speak them:
 * read the members that matter, pass everything else on untouched.
 *
 * A request is validated once, its top-level members are found by place, and the body that goes
 * upstream is the client's own bytes except for the spans that change.  A response's `model` is
 * set back to the name the caller used; usage is read wherever it comes.
 */
#ifndef KM_LLM_API_OPENAI_H
#define KM_LLM_API_OPENAI_H

#include "http/json.h"
#include "http/sse.h"
#include "llm/model.h"

/* One endpoint of the API: a row. */
struct km_llm_api {
    const char *path; /* behind the base: "/chat/completions" */
    const char *call_type; /* LiteLLM's, in the books: "acompletion" */
    const char *required; /* the member that must be there */
    bool streams;
    bool chat; /* messages and delta; else text */
};
extern const struct km_llm_api km_api_chat, km_api_completion, km_api_embedding;

/* Members of a request that are read, changed or taken out: places in km_llm_request.spans. */
enum km_member {
    KM_M_MODEL,
    KM_M_STREAM,
    KM_M_STREAM_OPTIONS,
    KM_M_MAX_TOKENS,
    KM_M_MAX_COMPLETION_TOKENS,
    KM_M_N,
    KM_M_BEST_OF,
    KM_M_MESSAGES,
    KM_M_PROMPT,
    KM_M_INPUT,
    KM_M_USER,
    KM_M_API_BASE,
    KM_M_BASE_URL,
    KM_M_FIRST_CUT, /* from here on: the gateway's own, never sent upstream */
    KM_M_METADATA = KM_M_FIRST_CUT,
    KM_M_TAGS,
    KM_M_NUM_RETRIES,
    KM_M_TIMEOUT,
    KM_M_OTHERS, /* the rest of the list in openai.c */
    KM_M_COUNT = KM_M_OTHERS + 26,
};

#define KM_LLM_RETRIES_MOST 10

struct km_llm_request {
    const struct km_llm_api *api;
    struct km_str body;
    struct km_json_object object;
    struct km_json_span spans[KM_M_COUNT];
    struct km_str model; /* as asked for; from the path when that names one */
    bool model_from_path;
    bool stream;
    bool usage_asked; /* the client set stream_options.include_usage */
    int64_t max_tokens; /* -1: not bounded by the caller */
    int64_t choices; /* n, at least 1 */
    int64_t num_retries; /* -1: not said */
    int64_t timeout_ms; /* 0: not said */
    struct km_str user;
    struct km_str metadata; /* JSON object or empty */
    struct km_str tags; /* JSON array or empty */
};

/* path_model: the model in the path, decoded, or empty.  KM_E_INVALID with the offending member
 * in err->param.  Views live as long as arena and body. */
int km_llm_request_parse(struct km_llm_request *r, const struct km_llm_api *api,
                         struct km_arena *arena, struct km_str body, struct km_str path_model,
                         struct km_err *err) KM_MUST_USE;

struct km_llm_body_args {
    const struct km_deployment *deployment;
    struct km_str star; /* the wildcard's rest */
    bool with_usage; /* ask a stream for usage */
    int64_t max_tokens; /* >= 0: bound the output so (a budget's rest) */
};

/* The body for one attempt, as parts in the arena. */
int km_llm_request_body(const struct km_llm_request *r, const struct km_llm_body_args *args,
                        struct km_arena *arena, struct km_str **ret_parts, size_t *ret_n,
                        struct km_err *err) KM_MUST_USE;

/* The model's name at the upstream, its star filled. */
struct km_str km_llm_upstream_model(const struct km_deployment *d, struct km_str star,
                                    struct km_arena *arena);

/* s as a JSON string in the arena. */
struct km_str km_llm_json_string(struct km_arena *arena, struct km_str s);

/* --- answers --- */

/* A whole answer: usage read, `model` set back.  KM_E_UPSTREAM_PROTOCOL when it is no JSON
 * object. *ret_parts as for requests. */
int km_llm_response(const struct km_llm_request *r, struct km_arena *arena, struct km_str body,
                    struct km_str **ret_parts, size_t *ret_n, struct km_usage *ret_usage,
                    struct km_err *err) KM_MUST_USE;

/* The message of an upstream's error body ({"error":{"message"}}, {"message"}, {"detail"} or
 * the text itself, cut); never empty. */
struct km_str km_llm_error_text(struct km_arena *arena, struct km_str body);
/* Did this 400/422 refuse stream_options? */
bool km_llm_refused_stream_options(struct km_str body);

/* A stream on its way to the client. */
struct km_llm_stream {
    const struct km_llm_request *request;
    struct km_arena *scratch; /* its owner empties it between events: a stream has no end */
    struct km_str model_json; /* the name asked for, as JSON */
    struct km_usage usage;
    uint64_t events; /* with choices */
    uint64_t text_bytes; /* of content, reasoning and arguments */
    bool finished; /* a finish_reason came */
    bool done; /* [DONE] came; it is not passed on here: its owner sends it */
    bool error; /* the upstream sent an error event */
};

void km_llm_stream_init(struct km_llm_stream *s, const struct km_llm_request *r,
                        struct km_arena *arena, struct km_arena *scratch);
/* Appends to out what the client gets of this event (possibly nothing). */
int km_llm_stream_event(struct km_llm_stream *s, const struct km_sse_event *event,
                        struct km_buf *out, struct km_err *err) KM_MUST_USE;
/* What was produced so far, when the upstream did not say. */
struct km_usage km_llm_stream_usage(const struct km_llm_stream *s);

/* Prompt tokens: upper bound for reserving, and a fair guess for missing usage. */
int64_t km_llm_prompt_upper(const struct km_llm_request *r);
int64_t km_llm_prompt_estimate(const struct km_llm_request *r);

#endif
