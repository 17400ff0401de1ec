/* SPDX-License-Identifier: Apache-2.0 */
/* meter.h - what was used, read out of answers that are passed on as they are.
 *
 * A pass-through changes nothing of an answer, but must know what it cost.  A meter looks at the
 * bytes as they go by: a whole body, or a stream cut anywhere.  What it does not understand it
 * passes over: then the usage is an estimate of what was produced, and says so.
 *
 * One stream is not left as it is: OpenAI's chat says its usage only when asked.  It is asked
 * for the caller who did not, and that caller gets the stream without the answer to it.
 *
 * Thread: one loop's.  Lifetime: km_meter_init() ... km_meter_done().
 */
#ifndef KM_LLM_METER_H
#define KM_LLM_METER_H

#include "http/message.h"
#include "llm/api.h"

struct km_meter;
struct km_bounds; /* bounds.h */

struct km_meter_kind {
    const char *name;
    const struct km_llm_api *api; /* whose answers these are; NULL: read() and event() */
    enum km_framing framing; /* of its streams */
    bool asks_usage; /* its streams say it only when asked */
    /* The member of api's that bounds the output, and the object it stands in (NULL: at the top);
     * bound NULL: it writes none. */
    const char *bound_in, *bound;
    /* Where a body that api->parse() does not know has its bounds, which are read and lowered by
     * this; NULL: parse() does. */
    const struct km_bounds *bounds;
    /* A whole answer, where it is not api's own. */
    void (*read)(struct km_meter *m, const struct km_headers *headers, const struct km_json *root);
    /* One event of a stream without api. */
    void (*event)(struct km_meter *m, const struct km_frame_event *e);
    /* Says the events that end such a stream early; NULL: api's, or it cannot be. */
    int (*cut)(struct km_meter *m, const struct km_llm_cut *c, struct km_err *err);
};

extern const struct km_meter_kind km_meter_chat, km_meter_completion, km_meter_embedding,
    km_meter_responses, km_meter_messages, km_meter_gemini, km_meter_gemini_stream,
    km_meter_gemini_embed, km_meter_predict, km_meter_raw, km_meter_converse, km_meter_invoke;

struct km_meter {
    const struct km_meter_kind *kind;
    struct km_llm_stream stream; /* usage, and what an estimate needs */
    struct km_framer *framer;
    struct km_arena *like; /* whose bounds its own short-lived arenas have */
    struct km_buf *out; /* of the feeding under way; NULL: nobody wants it */
    bool lost; /* something was not understood: no more is read */
    bool raw; /* bytes were heard as they are */
};

/* Stream, bounds, and what changes the price, of a body that kind->api does not know. */
int km_meter_request(const struct km_meter_kind *kind, struct km_llm_request *r,
                     struct km_arena *arena, struct km_err *err) KM_MUST_USE;

/* request and arena live as long as the meter. */
void km_meter_init(struct km_meter *m, const struct km_meter_kind *kind,
                   const struct km_llm_request *request, struct km_arena *arena);
void km_meter_done(struct km_meter *m);

/* The answer is a stream.  KM_E_NOMEM. */
int km_meter_stream(struct km_meter *m, size_t max_event, struct km_err *err) KM_MUST_USE;
/* The stream ended as it should: what was said of a finished answer is all. */
void km_meter_end(struct km_meter *m);
/* Bytes of a stream.  Appends to out what the caller gets of them. */
void km_meter_feed(struct km_meter *m, const char *bytes, size_t n, struct km_buf *out);
/* Ends such a stream early (llm/api.h: km_llm_stream_cut); `last` is the caller's.  KM_E_AGAIN: its
 * client has the beginning of an event; ask again when more has come.  KM_E_UNSUPPORTED also where
 * nobody knows its last events. */
int km_meter_cut(struct km_meter *m, const struct km_llm_cut *c, struct km_err *err) KM_MUST_USE;
/* A whole answer. */
void km_meter_whole(struct km_meter *m, const struct km_headers *headers, struct km_str body);

/* So far; an estimate (known is false) when nobody said. */
struct km_usage km_meter_usage(const struct km_meter *m);

/* --- for kinds --- */

/* Output that went by, for the estimate. */
void km_meter_note(struct km_meter *m, struct km_str text);

#endif
