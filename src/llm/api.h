/* SPDX-License-Identifier: Apache-2.0 */
/* api.h - what callers speak: one row an endpoint, one file a protocol in api/.
 *
 * A request is read twice at most.  parse() finds the few top-level members that every call needs
 * (model, stream, bounds) by place, and checks that the body is one JSON object; nothing is kept
 * but places.  Where the upstream speaks the caller's protocol, body(), answer() and event() pass
 * the bytes on and change spans only.  Where it does not, decode() reads the whole request into
 * the canonical chat (chat.h) and the encoder writes the answer's events (answer.h).
 *
 * All functions run on the worker's loop thread and never wait.
 */
#ifndef KM_LLM_API_H
#define KM_LLM_API_H

#include "http/json.h"
#include "http/sse.h"
#include "llm/codec.h"
#include "llm/dialect.h"
#include "llm/model.h"
#include "llm/own.h"
#include "llm/told.h"
#include "policy/pace.h"

struct km_llm_request;
struct km_llm_stream;
struct km_llm_cut;
struct km_llm_body_args;
struct km_dropped;

/* One endpoint of an API: a row. */
struct km_llm_api {
    const char *path; /* behind the base, where the upstream speaks it: "/chat/completions" */
    const char *call_type; /* LiteLLM's, in the books: "acompletion" */
    const char *required; /* the member that must be there */
    bool streams;
    bool chat; /* messages and delta; else text */
    enum km_wire wire;
    enum km_dialect dialect;

    /* The body in the words of the API whose members parse() reads, before anything else looks at
     * it; NULL: it comes in them.  Notes in left what those have no words for. */
    int (*rewrite)(struct km_str body, struct km_arena *arena, struct km_dropped *left,
                   struct km_str *ret_body, struct km_err *err);
    /* Notes what body() takes out of the rewritten one.  NULL: nothing. */
    void (*left_out)(const struct km_llm_request *r, struct km_dropped *left);
    /* path_model: the model in the path, decoded, or empty.  KM_E_INVALID with the offending
     * member in err->param.  Views live as long as arena and body. */
    int (*parse)(struct km_llm_request *r, struct km_arena *arena, struct km_str path_model,
                 struct km_err *err);

    /* --- the upstream speaks it too --- */
    /* The body for one attempt, as parts in the arena. */
    int (*body)(const struct km_llm_request *r, const struct km_llm_body_args *args,
                struct km_arena *arena, struct km_str **ret_parts, size_t *ret_n,
                struct km_err *err);
    /* A whole answer: usage read, `model` set back.  KM_E_UPSTREAM_PROTOCOL when it is no JSON
     * object. */
    int (*answer)(const struct km_llm_request *r, struct km_arena *arena, struct km_str body,
                  struct km_str **ret_parts, size_t *ret_n, struct km_usage *ret_usage,
                  struct km_err *err);
    /* Appends to out what the client gets of this event (possibly nothing). */
    int (*event)(struct km_llm_stream *s, const struct km_sse_event *event, struct km_buf *out,
                 struct km_err *err);
    /* Says what a stream that is not complete still owes its client, but for `last`, so that it
     * ends as one whose output came to its bound; ask km_llm_stream_cut().  NULL: it has no such
     * end. */
    int (*cut)(struct km_llm_stream *s, const struct km_llm_cut *c, struct km_err *err);

    /* Notes an event that the client was told; NULL: its streams do not go on elsewhere. */
    km_told_note_fn *note_told;

    /* --- it does not --- */
    /* root: the body's tree, in the same arena. */
    int (*decode)(const struct km_llm_request *r, const struct km_json *root,
                  struct km_arena *arena, struct km_chat *ret_chat, struct km_err *err);
    const struct km_encoder *encoder;
    /* Embeddings in its own form; NULL: OpenAI's. */
    int (*embeds)(const struct km_llm_request *r, const struct km_embed *e, struct km_buf *out,
                  struct km_err *err);
    /* A counter of tokens (KM_WIRE_COUNT_...): the answer, where the upstream has none. */
    void (*count)(const struct km_llm_request *r, int64_t tokens, struct km_buf *out);
    const char *stream_type; /* Content-Type of its streams; NULL: text/event-stream */
    const char *last; /* a passed-through stream's last bytes, sent by its owner; NULL: none */
    const struct km_str *idle; /* places of its requests that say nothing (dropped.h), "" ends */
    km_param_name_fn *param_name; /* its own names of parameters; NULL: OpenAI's */
};

/* What a request may name, by the names of its members. */
enum km_llm_names {
    KM_NAMES_FILES = 1 << 0, /* a file, or what else a provider keeps */
    KM_NAMES_AUDIO = 1 << 1, /* its answer may be spoken, or go on from one that was */
    KM_NAMES_MODELS = 1 << 2, /* a further model (km_llm_names_model) */
    KM_NAMES_SERVERS = 1 << 3, /* an MCP server ("server_url") */
    KM_NAMES_PRICED = 1 << 4, /* what may change its price (llm/api/priced.h) */
    KM_NAMES_MEDIA = 1 << 5, /* media, or where they are */
    KM_NAMES_HOUR = 1 << 6, /* for how long a cache keeps something */
    KM_NAMES_VECTORS = 1 << 7, /* no member: it asks for embeddings */
};

/* What of a request changes its price, beside its length and its bound (llm/api/priced.h). */
#define KM_HOSTED_USES 5 /* of a tool whose caller says no number */

struct km_llm_priced {
    enum km_service service;
    bool fast, in_us;
    int64_t hosted[KM_HOSTED_KINDS]; /* most uses of each: as said, else KM_HOSTED_USES */
    enum km_search search; /* how much its searches give the model, the dearest that is said */
    int64_t queries; /* units of a reranker that its documents are */
    int64_t container; /* what its container costs times as much as the smallest one; 0: as that */
    bool hosts; /* it names a tool that the provider runs */
    unsigned tools; /* which, a bit each of enum km_hosted_tool */
    struct km_str tool; /* the first of them, as it is called there */
    unsigned said; /* enum km_said: these the caller chose, whatever a deployment adds */
    bool keeps_hour; /* what it writes to a cache may be kept for an hour */
    bool background; /* it is answered before it is done */
    /* The provider may read more than was sent: tools it runs, what it keeps, what is by reference,
     * media. */
    bool opens_input;
    /* A member, value or tool for which nobody has a price; empty: none.  And what to do about it,
     * static. */
    struct km_str unpriced;
    const char *remedy;
};

struct km_llm_request {
    const struct km_llm_api *api;
    struct km_str body;
    struct km_json_object object;
    struct km_json_span *spans; /* of the members the API reads; its own numbering */
    struct km_str model; /* as asked for; from the path when that names one */
    bool model_from_path;
    bool stream;
    unsigned names; /* enum km_llm_names: of some member, however deep */
    struct km_llm_priced priced;
    uint32_t spelled; /* bit i: the output may be bounded by that km_spelling, too */
    struct km_json_span *spellings; /* where, when one is; see llm/spellings.h */
    bool usage_asked; /* the client set stream_options.include_usage */
    int64_t max_tokens; /* -1: not bounded by the caller */
    int64_t choices; /* n, at least 1 */
    bool choices_said;
    int64_t prompts; /* each is answered by itself, with a bound of its own; 0: there is but one */
    int64_t num_retries; /* -1: not said */
    int64_t timeout_ms; /* 0: not said */
    int64_t stream_timeout_ms; /* of its first event; 0: not said */
    /* As JSON: models to ask when this one fails, in general and of these; or empty. */
    struct km_str fallbacks, context_fallbacks, policy_fallbacks;
    /* How it is to be carried out, as JSON (policy/execution.h); or empty. */
    struct km_str execution;
    bool no_fallbacks; /* none is to be asked in its place */
    struct km_str previous; /* the id of the answer it goes on from, as JSON; or empty */
    struct km_str prompt; /* JSON text of what is prompted with: for estimates */
    struct km_text_size size; /* of the body, once it was measured */
    const struct km_pace *pace; /* of the deployment that serves it; NULL: none does yet */
    struct km_str user;
    struct km_str metadata; /* JSON object or empty */
    struct km_str tags; /* JSON array or empty */
    struct km_dropped *left; /* what rewrite() had no words for; NULL: nothing was rewritten */
};

struct km_llm_body_args {
    const struct km_deployment *deployment;
    struct km_str star; /* the wildcard's rest */
    bool with_usage; /* ask a stream for usage */
    int64_t max_tokens; /* >= 0: bound the output so (a budget's rest) */
    struct km_str betas; /* Messages: anthropic_beta, as JSON; empty: none */
};

/* A passed-through stream on its way to the client. */
struct km_llm_stream {
    const struct km_llm_request *request;
    struct km_arena *scratch; /* its owner empties it between events: a stream has no end */
    struct km_str model_json; /* the name asked for, as JSON; empty: it stays as it came */
    struct km_usage usage;
    bool nonsense; /* a first piece of it could not be: its last is not believed either */
    uint64_t events; /* with choices */
    struct km_text_heard heard; /* content, reasoning and arguments */
    bool finished; /* a finish_reason came */
    bool ended; /* what was said of usage last is all that will be: its API says so */
    bool done; /* [DONE] came; it is not passed on here: its owner sends it */
    bool error; /* the upstream sent an error event */
    int no; /* the status of one that came before any output; 0: none, or it has no status */
    bool begun; /* Google's array form: its bracket was sent */
    bool usage_told; /* a chunk that is nothing but usage came */
    struct km_arena *arena; /* what a cut needs is kept there; NULL: it is never cut */
    void *tail; /* the API's own: what it has kept */
    bool keeps; /* its next event has something to keep: nearly none has */
    bool cut; /* it was cut: nothing more of it is passed on */
};

/* How a passed-through stream is ended before its upstream ends it. */
struct km_llm_cut {
    struct km_usage usage; /* what the client is told */
    struct km_str id; /* the gateway's own of the call: for a stream that has named none yet */
    int64_t created_s;
    /* Takes the events that end it, in order: type, data, and raw as the client gets it.  Views
     * live until it returns. */
    int (*say)(void *ctx, const struct km_sse_event *event, struct km_err *err);
    void *ctx;
};

/* An error event's data: the status that it would have been before the answer began, 0: none. */
int km_llm_error_status(const struct km_arena *like, struct km_str data);

/* Reads body by the API's own parse(), which begins with km_llm_read_members(). */
int km_llm_request_parse(struct km_llm_request *r, const struct km_llm_api *api,
                         struct km_arena *arena, struct km_str body, struct km_str path_model,
                         struct km_err *err) KM_MUST_USE;

/* The tree of a body, each member of each object in it once, but inside of logit_bias: what is read
 * of a body by tree is read by this one. */
int km_llm_parse_body(struct km_arena *arena, struct km_str body, const struct km_json **ret_root,
                      struct km_err *err) KM_MUST_USE;

/* Checks that the body is one JSON object and finds its members: spans, in the arena, object, and
 * what it may name.
 * KM_E_INVALID says what is wrong with it, or which member occurs twice, at whatever depth, or is
 * written in another case than the API's. */
int km_llm_read_members(struct km_llm_request *r, struct km_arena *arena,
                        const struct km_str *names, size_t n, struct km_err *err) KM_MUST_USE;

/* The same for an object inside a body: places are its own. */
int km_llm_read_inside(struct km_arena *arena, struct km_str object, const struct km_str *names,
                       size_t n, struct km_json_span *spans, struct km_err *err) KM_MUST_USE;

/* Of the members that were read; m: in the order of the API's names. */
static inline bool km_llm_present(const struct km_llm_request *r, size_t m)
{
    return r->spans[m].type != KM_JSON_ABSENT && r->spans[m].type != KM_JSON_NULL;
}

static inline struct km_str km_llm_value(const struct km_llm_request *r, size_t m)
{
    return km_json_value(r->body, &r->spans[m]);
}

/* KM_E_INVALID: "'param' why."  param is static. */
int km_llm_bad(struct km_err *err, const char *param, const char *why);

/* The model's name: of the path where that has one, else of member m.  missing: what the API says
 * where there is none; NULL: as OpenAI's says it. */
int km_llm_read_model(struct km_llm_request *r, struct km_arena *arena, struct km_str path_model,
                      size_t m, const char *missing, struct km_err *err) KM_MUST_USE;

/* An integer member in low..high; *value stays when it is absent or null.  name is static. */
int km_llm_read_count(const struct km_llm_request *r, const struct km_json_span *span,
                      const char *name, int64_t low, int64_t high, int64_t *value,
                      struct km_err *err) KM_MUST_USE;

/* The gateway's own members that mean the same in every API; own: their spans, in the order of
 * KM_LLM_OWN_NAMES (llm/own.h). */
int km_llm_read_own(struct km_llm_request *r, const struct km_json_span *own,
                    struct km_err *err) KM_MUST_USE;

/* Of the members read those from this one on, which are the gateway's own, are not sent. */
void km_llm_cut_from(const struct km_llm_request *r, size_t first, struct km_json_edits *e);

/* The deployment's own parameters, where neither the caller nor its budget set them; for APIs
 * that bound the output by `max_tokens` or `max_completion_tokens`. */
int km_llm_add_defaults(const struct km_llm_request *r, const struct km_llm_body_args *args,
                        struct km_json_edits *e, struct km_arena *arena,
                        struct km_err *err) KM_MUST_USE;

/* Sets `in.name` of the body that e edits to value, whatever stood there; the object is made where
 * there is none.  span: where `in` stands.  Names are plain ASCII. */
int km_llm_set_inner(struct km_json_edits *e, struct km_arena *arena,
                     const struct km_json_span *span, struct km_str in, struct km_str name,
                     struct km_str value, struct km_err *err) KM_MUST_USE;

/* Where a whole answer has its model and what was used; read() is given the object that stands
 * there. */
struct km_llm_whole {
    struct km_str model, usage;
    struct km_str service; /* how it was served, where that stands beside; or empty */
    void (*read)(const struct km_arena *like, struct km_str json, struct km_usage *u);
};

/* Behind the quote that ends a JSON string whose first byte is p; `end` where none does.
 * *ret_bytes: of its text, an escape counted as one: what estimates of output are made of. */
const char *km_llm_string_end(const char *p, const char *end, size_t *ret_bytes);
/* The same string as it is written, without its quotes. */
struct km_str km_llm_string_raw(const char *p, const char *end, const char **ret_after);

/* An answer of an upstream that speaks the caller's protocol, as parts in the arena: its bytes, the
 * model's name set back to the one asked for.  KM_E_UPSTREAM_PROTOCOL: it is no JSON object, or one
 * that says what failed. */
int km_llm_relay_whole(const struct km_llm_whole *names, const struct km_llm_request *r,
                       struct km_arena *arena, struct km_str body, struct km_str **ret_parts,
                       size_t *ret_n, struct km_usage *ret_usage, struct km_err *err) KM_MUST_USE;

/* The model's name at the upstream, its star filled. */
struct km_str km_llm_upstream_model(const struct km_deployment *d, struct km_str star,
                                    struct km_arena *arena);

/* s as a JSON string in the arena. */
struct km_str km_llm_json_string(struct km_arena *arena, struct km_str s);

/* The message of an upstream's error body ({"error":{"message"}}, {"message"}, {"detail"} or
 * the text itself, cut); never empty. */
struct km_str km_llm_error_text(struct km_arena *arena, struct km_str body);
/* Did this 400/422 refuse stream_options? */
bool km_llm_refused_stream_options(struct km_str body);

void km_llm_stream_init(struct km_llm_stream *s, const struct km_llm_request *r,
                        struct km_arena *arena, struct km_arena *scratch);
/* What was reported cannot be: it counts as not said. */
void km_llm_stream_doubt(struct km_llm_stream *s);
/* Ends it early, as one whose output came to its bound; s->scratch is the caller's, as with
 * event().  From then on s->done, s->cut, and its usage is what was told.  KM_E_UNSUPPORTED: it
 * cannot be ended so (its upstream has said an error, or its API has no such end). */
int km_llm_stream_cut(struct km_llm_stream *s, const struct km_llm_cut *c,
                      struct km_err *err) KM_MUST_USE;
/* What was produced so far, when the upstream did not say. */
struct km_usage km_llm_stream_usage(const struct km_llm_stream *s);

/* Of a whole answer: what the upstream said, if that can be, else an estimate by its text.  like:
 * an arena with the cap and pool of a scratch one. */
struct km_usage km_llm_whole_usage(const struct km_llm_request *r, const struct km_usage *said,
                                   const struct km_arena *like, struct km_str body);
/* Adds the text that a model wrote in it: in whatever API's form. */
void km_llm_whole_text(const struct km_arena *like, struct km_str body, struct km_text_heard *h);

/* Does a member of that name choose a model, beside the call's own?  inside: below the outermost
 * object. */
bool km_llm_names_model(struct km_str name, bool inside);

/* How often an answer is written: the choices of each prompt. */
static inline int64_t km_llm_answers(const struct km_llm_request *r)
{
    return r->choices * (r->prompts > 1 ? r->prompts : 1);
}

/* Prompt tokens by estimate, for missing usage. */
int64_t km_llm_prompt_estimate(const struct km_llm_request *r);

#endif
