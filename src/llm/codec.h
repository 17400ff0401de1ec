/* SPDX-License-Identifier: Apache-2.0 */
/* codec.h - what upstreams speak: one row a protocol, one file a row in provider/.
 *
 * A provider (provider.h) is a row of data that names its codec; several providers share one
 * (some thirty speak OpenAI's).  A codec turns the canonical chat into a request and an answer's
 * bytes into events.  Where the caller speaks the same protocol none of this runs: the body is
 * passed on by spans (api.h), and only target() is asked.
 *
 * All functions run on the worker's loop thread, never wait and keep nothing but what they put
 * into the arenas they are given.
 */
#ifndef KM_LLM_CODEC_H
#define KM_LLM_CODEC_H

#include "http/json.h"
#include "http/json_out.h"
#include "http/message.h"
#include "llm/answer.h"
#include "llm/capability.h"
#include "llm/framing.h"
#include "llm/model.h"
#include "llm/refusal.h"
#include "llm/traits.h"

/* Protocols and endpoints a caller may speak.  Bits: a codec says which of them its upstream
 * speaks too. */
enum km_wire {
    KM_WIRE_CHAT = 1, /* OpenAI chat completions */
    KM_WIRE_COMPLETION = 2, /* OpenAI completions */
    KM_WIRE_EMBEDDING = 4, /* OpenAI embeddings */
    KM_WIRE_RESPONSES = 8, /* OpenAI Responses */
    KM_WIRE_MESSAGES = 16, /* Anthropic Messages */
    KM_WIRE_GEMINI = 32, /* Google generateContent */
    KM_WIRE_COUNT_MESSAGES = 64, /* Anthropic count_tokens */
    KM_WIRE_COUNT_GEMINI = 128, /* Google countTokens */
    KM_WIRE_RERANK = 256, /* Cohere's rerank, as LiteLLM's /rerank */
    KM_WIRE_MEDIA = 512, /* OpenAI's images, audio and moderations: target's path says which */
    KM_WIRE_FILES = 1024, /* OpenAI's files and batches, likewise; no model in the path */
    KM_WIRE_REALTIME = 2048, /* OpenAI's Realtime API, by WebSocket */
    KM_WIRE_COUNT_HERE = 4096, /* counters that no upstream is asked for */
};

/* Of these, those whose answer is written by a model. */
#define KM_WIRES_WRITE                                                                             \
    ((unsigned)(KM_WIRE_CHAT | KM_WIRE_COMPLETION | KM_WIRE_RESPONSES | KM_WIRE_MESSAGES |         \
                KM_WIRE_GEMINI))

struct km_target_args {
    const struct km_deployment *d;
    struct km_str model; /* at the upstream, its star filled */
    struct km_str path; /* KM_WIRE_MEDIA, KM_WIRE_FILES: behind the base, "/audio/speech" */
    enum km_wire wire; /* the caller's when passed through, else KM_WIRE_CHAT and the like */
    bool stream;
};

struct km_encode_args {
    const struct km_deployment *d;
    struct km_str model; /* at the upstream */
    const struct km_capability *can; /* of that model */
    struct km_arena *arena;
    bool stream;
    bool no_stream_options; /* they were refused just now */
    bool buckets; /* the caller may have the provider read "s3://..." with our credentials */
    int64_t max_tokens; /* >= 0: bound the output so, whatever the caller said */
    int64_t
        *ret_bound; /* set to what is sent as the bound, where it is above the caller's; or NULL */
    const struct km_headers *caller; /* the caller's own header lines, for head(); NULL: none */
    /* The state that the answer's decoding will have, for what it must know of the request, and
     * the arena it lives in.  NULL: nobody will decode. */
    void *state;
    struct km_arena *keep;
};

/* An answer being read. */
struct km_decode {
    struct km_answer *answer;
    struct km_arena *arena; /* of the call: for what must last to the next event */
    struct km_arena *scratch; /* emptied between events */
    void *state; /* state_size bytes, zero but for what encode() put there */
    const struct km_capability *can;
    const struct km_json *read; /* the document under way, for who asks what is left of it */
};

/* A document of the answer, into its arena or the event's: the only way a decoder comes to one, for
 * what it does not take of it is told.  KM_E_UPSTREAM_PROTOCOL says where it is no JSON. */
int km_decode_json(struct km_decode *d, struct km_arena *arena, struct km_str text,
                   const struct km_json **ret_root, struct km_err *err) KM_MUST_USE;

/* What an upstream's refusal means. */
enum km_again {
    KM_AGAIN_NO, /* the request itself is at fault */
    KM_AGAIN_OTHER, /* another deployment may do better */
    KM_AGAIN_SAME, /* this one too, after a while */
    KM_AGAIN_SIGN, /* with new credentials or the clock set right, at once */
};

struct km_refusal {
    int status; /* for the client */
    const char *type; /* OpenAI's error type; NULL: of the status */
    enum km_refusal_kind kind;
    struct km_err_tokens tokens; /* that its words name */
    struct km_str text;
    int retry_after_ms;
    enum km_again again;
};

struct km_embed; /* embed.h */
struct km_rank; /* rank.h */

struct km_codec {
    const char *name; /* for messages: "Bedrock Converse" */
    unsigned native; /* KM_WIRE_ bits passed through by spans */
    enum km_framing framing; /* of its streams */
    uint64_t maps; /* KM_P_BIT of parameters it carries */
    uint64_t drops; /* of those it leaves out silently; the rest is refused unless drop_params */
    /* Members that its encoder writes, each with its other spelling or NULL; NULL ends.  In
     * extra_body they are put into what it wrote. */
    const char *const (*own)[2];
    const char *const *extras; /* names of other members it carries, NULL ends; NULL: all */
    unsigned apis; /* and those that param.h knows to be of one of these, KM_API_ bits */
    bool remote_images; /* fetches images by http(s) itself */
    /* Native Messages: the version its bodies hold, which name no model.  NULL: as at Anthropic. */
    const char *messages_version;
    bool path_streams; /* likewise: its path says whether the answer streams, its bodies do not */
    /* Native, its stream not SSE: the caller's event that lies inside one of the upstream's. */
    int (*unwrap)(const struct km_frame_event *e, struct km_arena *scratch, struct km_str *ret_data,
                  struct km_err *err);
    /* Native Messages whose betas are a member of the body: of the header's, as JSON.  false: some
     * of them are not known there, nor what comes with them. */
    bool (*betas)(struct km_str header, struct km_arena *arena, struct km_str *ret_json);
    /* Bodies may name what its account keeps (files, containers, caches), which callers have no
     * routes to make.  Where there are routes native has KM_WIRE_FILES. */
    bool account_files;
    unsigned carries; /* KM_TRAIT_BIT of what its encoder writes (traits.h) */
    const struct km_str *idle; /* places of its answers that say nothing (dropped.h), "" ends */
    bool top_k_by_row; /* takes `top_k` only where the provider's row says so */
    size_t state_size;

    /* Path and query below d->base_path (which its caller puts in front), escaped, in the
     * arena: "/messages", "/model/x/converse". */
    struct km_str (*target)(const struct km_target_args *args, struct km_arena *arena);
    /* Header lines beyond the deployment's own, for this request; NULL: none.  Also asked where
     * the body is passed on: chat is NULL then. */
    int (*head)(const struct km_encode_args *args, const struct km_chat *chat, struct km_buf *head,
                struct km_err *err);
    /* km_chat_check() has run: what is set is what maps has. */
    int (*encode)(const struct km_encode_args *args, const struct km_chat *chat,
                  struct km_json_out *out, struct km_err *err);
    /* A whole answer. */
    int (*decode)(struct km_decode *d, struct km_str body, struct km_err *err);
    /* One event of a stream. */
    int (*event)(struct km_decode *d, const struct km_frame_event *e, struct km_err *err);
    /* The upstream's stream is over: was it complete? KM_E_UPSTREAM_PROTOCOL when not. */
    int (*end)(struct km_decode *d, struct km_err *err);
    /* An answer that is no 2xx; body may be cut. */
    void (*refusal)(struct km_arena *arena, int status, const struct km_headers *headers,
                    struct km_str body, struct km_refusal *ret);

    /* Embeddings (embed.h), inputs embed->first and following; NULL: none.  embed_decode fills
     * embed->vectors (km_embed_put) and counts (km_embed_used). */
    size_t embed_most; /* inputs a request; 0: all */
    int (*embed_encode)(const struct km_encode_args *args, const struct km_embed *embed,
                        struct km_json_out *out, struct km_err *err);
    int (*embed_decode)(struct km_embed *embed, struct km_arena *arena, struct km_str body,
                        struct km_err *err);

    /* Ranking (rank.h); NULL: none, or Cohere's own (KM_WIRE_RERANK). */
    int (*rank_encode)(const struct km_encode_args *args, const struct km_rank *rank,
                       struct km_json_out *out, struct km_err *err);
    int (*rank_decode)(struct km_rank *rank, struct km_arena *arena, struct km_str body,
                       struct km_err *err);
};

/* Takes out what the codec or the deployment's drop settings leave out; what may not be left out
 * is KM_E_UNSUPPORTED naming the parameter (name_of: the caller's own word for it, or NULL), the
 * provider and the setting that would drop it. */
typedef const char *km_param_name_fn(enum km_chat_param p);
int km_chat_check(struct km_chat *chat, const struct km_codec *codec, const struct km_deployment *d,
                  km_param_name_fn *name_of, struct km_arena *arena,
                  struct km_err *err) KM_MUST_USE;

/* Would all that is set in it reach the upstream?  No drop settings are asked. */
bool km_chat_carried(const struct km_chat *chat, const struct km_codec *codec,
                     const struct km_deployment *d);

/* A tool that only its own provider runs, where it cannot be had: 0 when it may be left out, else
 * KM_E_UNSUPPORTED naming its type, the provider and the setting. */
int km_tool_refuse(const struct km_deployment *d, const struct km_tool *tool,
                   struct km_err *err) KM_MUST_USE;

/* What a status alone says about trying again. */
enum km_again km_again_of(int status);

/* The upstream refused the gateway's own credentials: the caller's key is not what is wrong, and a
 * 401 would have its client library say so.  One answer for all of them: 502,
 * upstream_auth_error, and another deployment may do better. */
void km_refusal_auth(struct km_refusal *ret);
/* How long an answer asks to wait: retry-after-ms, or Retry-After in seconds, with a fraction or
 * as a date.  0: it does not say; at most an hour. */
int km_retry_after_ms(const struct km_headers *headers, int64_t now_us);

/* OpenAI's shape of refusals, good for many others: {"error":{"message","type","code"}},
 * {"message"}, {"detail"}, text; statuses as OpenAI means them. */
void km_refusal_openai(struct km_arena *arena, int status, const struct km_headers *headers,
                       struct km_str body, struct km_refusal *ret);

/* The member that the codec writes itself under this name or its other spelling; empty: none. */
struct km_str km_codec_own_member(const struct km_codec *codec, struct km_str name);

/* Is it among the deployment's defaults?  Then its owner says that the provider takes it. */
bool km_deployment_has_default(const struct km_deployment *d, struct km_str name);

#endif
