/* SPDX-License-Identifier: Apache-2.0 */
/* translate.h - an attempt whose upstream speaks another protocol than the caller. */
#ifndef KM_GATEWAY_LLM_TRANSLATE_H
#define KM_GATEWAY_LLM_TRANSLATE_H

#include "base/setting.h"
#include "call/call.h"
#include "llm/dropped.h"
#include "llm/embed.h"
#include "llm/rank.h"

struct km_media_settings { /* kanmon_settings */
    bool fetch; /* fetch_remote_media: images by https, where an upstream fetches none itself */
};

extern const struct km_settings_table km_media_settings_table;

struct km_translation { /* translate.c's and translate_embed.c's */
    const struct km_codec *codec; /* NULL: a mock */
    struct km_capability can; /* of the model */
    struct km_arena request; /* until the upstream has it */
    struct km_framer *framer; /* streams */
    struct km_answer answer;
    bool legacy_calls; /* the request's, for its answer */
    bool
        cites; /* the answer may say what it rests on: the request asks for it, or lets it search */
    bool owes_start; /* units have not had the answer's beginning yet */
    struct km_decode decode;
    struct km_arena scratch; /* of the event under way */
    struct km_buf whole; /* a whole answer for the client */
    struct km_embed *embed; /* embeddings */
    struct km_rank *rank; /* of documents */
    struct km_dropped dropped; /* of the request, then of the answer */
    size_t asked, told; /* of its names: of the request; in the answer's head */
    uint64_t shape, shapes[7]; /* of documents of the answer that were looked through: the last */
    unsigned nshapes;
    size_t beside; /* bytes of the last event beside its text, when it had some; else 0 */
    struct km_chat *chat; /* in `request`: while its images are fetched */
    struct km_media_job *media;
};

/* Fills the attempt's request from the caller's body, by way of the canonical chat; makes its
 * `convert`. */
int km_translate_attempt(struct km_call *call, struct km_err *err) KM_MUST_USE;
/* A good head came: a stream is relayed as it comes, anything else gathered. */
void km_translate_head(struct km_call *call, const struct km_response *response);
int km_translate_feed(struct km_call *call, const char *bytes, size_t n,
                      struct km_err *err) KM_MUST_USE;
/* The upstream ended as its transport should.  KM_E_AGAIN: call->at->out is another request that
 * belongs to the same answer. */
int km_translate_complete(struct km_call *call, struct km_err *err) KM_MUST_USE;
/* The last bytes of a stream that is complete, or that broke (call->err says why). */
void km_translate_end(struct km_call *call, struct km_buf *out);
void km_translate_cut(struct km_call *call, struct km_buf *out);
/* As kind->cut_short, of a stream whose deltas are known. */
int km_translate_cut_short(struct km_call *call, const struct km_usage *told,
                           struct km_err *err) KM_MUST_USE;
/* What was used so far; false: nothing of an answer was understood. */
/* What was reported cannot be: km_translate_usage() says what was heard from now on. */
void km_translate_doubt(struct km_call *call);
bool km_translate_usage(const struct km_call *call, struct km_usage *ret);

/* The attempt is over: gives back what it held; its memory is the call's.  NULL. */
struct km_translation *km_translation_free(struct km_translation *tr);

/* A deployment that only says a text (mock_response), in the caller's protocol. */
int km_translate_mock(struct km_call *call, struct km_err *err) KM_MUST_USE;

/* The kind's on_event and encode, where call->at->convert is. */
int km_translate_event(struct km_call *call, const struct km_piece *piece,
                       struct km_err *err) KM_MUST_USE;
int km_translate_say(struct km_call *call, const struct km_chat_event *delta, struct km_buf *out,
                     struct km_err *err) KM_MUST_USE;

/* --- translate.c's two files between themselves --- */
int km_translate_begin(struct km_call *call, const struct km_codec *codec,
                       struct km_err *err) KM_MUST_USE; /* makes call->at->convert */
/* call->at->out from what was encoded, and the codec's own target and header lines. */
int km_translate_request(struct km_call *call, struct km_json_out *out, const struct km_chat *chat,
                         enum km_wire wire, struct km_err *err) KM_MUST_USE;
/* The caller's body without the last ndrop of what additional_drop_params names: its tree. */
int km_translate_body(struct km_call *call, size_t ndrop, const struct km_json **ret_root,
                      struct km_err *err) KM_MUST_USE;
void km_translate_encode_args(struct km_call *call, struct km_encode_args *ret);
int km_translate_whole(struct km_call *call, struct km_err *err) KM_MUST_USE; /* is the answer */
/* Images that the upstream would not fetch.  0: none; KM_E_AGAIN: on their way, km_call_resume()
 * follows and the attempt goes on with tr->chat. */
int km_media_begin(struct km_call *call, struct km_chat *chat, struct km_err *err) KM_MUST_USE;
struct km_media_job *km_media_job_free(struct km_media_job *job); /* stops; NULL */
int km_embed_attempt(struct km_call *call, struct km_err *err) KM_MUST_USE;
int km_embed_complete(struct km_call *call, struct km_err *err) KM_MUST_USE;
int km_rank_attempt(struct km_call *call, struct km_err *err) KM_MUST_USE;
int km_rank_complete(struct km_call *call, struct km_err *err) KM_MUST_USE;

/* --- translate_dropped.c: what went no further --- */
/* What the answer's document under way has that its decoder did not take. */
void km_translate_look(struct km_translation *tr);
/* Of a request that was rewritten: into the head, where its upstream's answer begins. */
void km_translate_tell_left(struct km_call *call);
/* The names so far, into the head of the answer. */
void km_translate_tell_dropped(struct km_call *call);
/* The answer is over: what its head did not say goes to the log, and all of it is counted. */
void km_translate_count_dropped(struct km_call *call);

#endif
