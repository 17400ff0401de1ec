/* SPDX-License-Identifier: Apache-2.0 */
/* realtime.h - OpenAI's Realtime API: what the events of a session say that the gateway must
 * know.  GA's names and the beta's are read alike.
 *
 * Events pass through byte for byte; read here are the few that begin an answer, change the
 * model, or say what was used.  A member that is read and stands there twice is refused.
 *
 * Lifetime: views point into the text or the arena.  Thread: none of its own.
 */
#ifndef KM_LLM_API_REALTIME_H
#define KM_LLM_API_REALTIME_H

#include "http/json.h"
#include "llm/api.h"

enum km_rt_kind {
    KM_RT_OTHER,
    /* of the client */
    KM_RT_RESPONSE_CREATE,
    KM_RT_SESSION_UPDATE, /* also transcription_session.update */
    KM_RT_AUDIO_APPEND,
    /* of the upstream */
    KM_RT_SESSION, /* created or updated */
    KM_RT_RESPONSE_CREATED,
    KM_RT_RESPONSE_DONE,
    KM_RT_TRANSCRIBED,
    KM_RT_ERROR,
};

#define KM_RT_OUTPUT_NONE (-1) /* not said */
#define KM_RT_OUTPUT_INF INT64_MAX /* "inf" */

struct km_rt_event {
    enum km_rt_kind kind;
    struct km_str type;
    struct km_str event_id; /* of the client's event */
    struct km_str id; /* of the response; of the item that was transcribed */
    struct km_str model; /* session.model or response.model */
    struct km_str model_value; /* its place: the JSON value inside the text */
    struct km_str transcriber; /* the model that transcribes what is heard */
    int64_t max_output; /* of session or response: tokens, KM_RT_OUTPUT_... */
    struct km_str delta; /* a piece of an answer: its text as JSON has it, or base64 of audio */
    bool speaks; /* it is audio */
    struct km_llm_priced priced; /* what the client's session or response asks for */
    struct km_usage usage; /* known: it was there, and can be */
    bool usage_bad; /* it was there, and cannot be */
};

/* KM_E_INVALID: no JSON object, or ambiguous. */
int km_rt_read_client(struct km_arena *arena, struct km_str text, struct km_rt_event *ret,
                      struct km_err *err) KM_MUST_USE;
int km_rt_read_upstream(struct km_arena *arena, struct km_str text, struct km_rt_event *ret,
                        struct km_err *err) KM_MUST_USE;

/* The most tokens an event of the client can add to the conversation: the bytes of a text, of
 * audio a token for each 100 ms of the smallest format. */
int64_t km_rt_tokens_upper(const struct km_rt_event *e, struct km_str text);

/* {"type":"error", ...}: an error as an event of the API.  event_id: ours; about: the client's
 * event, or empty. */
void km_rt_error(const struct km_err *err, struct km_str event_id, struct km_str about,
                 struct km_buf *out);

extern const struct km_llm_api km_api_realtime; /* of a session, for the books */

#endif
