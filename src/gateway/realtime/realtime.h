/* SPDX-License-Identifier: Apache-2.0 */
/* realtime.h - one Realtime session from the inside; for the files of this folder only.
 *
 * A session is a call whose answer is a connection: it is admitted, routed and sent like any
 * other, until the upstream says 101.  From there events are relayed both ways:
 *
 *     call.c     how it begins: model, handshakes, its routes
 *     relay.c    messages both ways, judged before they go on
 *     frames.c   what is written to either side, what waits in line for that, and back-pressure
 *     life.c     how it begins, keep-alive, every way it ends
 *     books.c    what each answer did cost
 *     room.c     what may come, and must be reserved for it
 *     permit.c   limits in mid-session: what is asked of the broker
 *
 * All of it runs on the worker's loop thread and lives in the call's arena.
 */
#ifndef KM_GATEWAY_REALTIME_H
#define KM_GATEWAY_REALTIME_H

#include "call/call.h"
#include "http/websocket.h"
#include "llm/api/realtime.h"
#include "policy/pace.h"

#define KM_RT_RESPONSES 16 /* answers under way at once */
#define KM_RT_ID 96 /* bytes of a response's id */
#define KM_RT_LAST_MS 5000 /* for running answers to say what they used, at the end */
#define KM_RT_CLOSE_MS 2000 /* for the upstream to close */

enum km_rt_state {
    KM_RT_OPEN,
    KM_RT_ENDING, /* nothing of the client is passed on; answers under way come to their end */
    KM_RT_CLOSING, /* the upstream was told to close */
    KM_RT_OVER,
};

/* An answer under way: one row of the books. */
struct km_rt_response {
    bool used;
    bool asked; /* by the client; the upstream has not begun it */
    bool sent; /* the upstream has the question: false while its intent is not committed */
    char id[KM_RT_ID];
    size_t id_n;
    struct km_uuid row;
    int64_t bound; /* tokens that it writes at most */
    int64_t reserved, start_us;
    uint64_t unasked; /* its number among those, while the broker has not answered */
};

/* How far the client's message is that is judged: it may wait for the broker several times. */
struct km_rt_judged {
    unsigned step;
    bool asks; /* for an answer */
    bool counted; /* as one that is asked for */
    bool leaving; /* the session was already */
    int64_t max_output; /* of the answer that it asks for; KM_RT_OUTPUT_NONE: the session's */
    size_t name_at, name_n; /* in its text: the model's name, which goes on as another */
};

struct km_rt_wait; /* for a commit, in strict accounting */

struct km_rt_session {
    struct km_call *call;
    struct km_ws *down, *up; /* readers of the client's and the upstream's frames */
    struct km_timer tick;
    struct km_deferred finish;
    struct km_str query; /* what goes along to the upstream: "&intent=transcription" */
    struct km_chain out, in; /* messages for the upstream; messages and frames for the client */
    struct km_link *permit, *books; /* what may wait there */
    struct km_list waits; /* for commits */
    size_t asking; /* answers of the broker that the upstream's messages wait for */
    uint64_t end_by_ms, began_ms;
    uint64_t heard_ms, up_heard_ms; /* last bytes; time in which nobody listened is not counted */
    uint64_t out_held_ms, in_held_ms; /* since when; 0: nothing waits there */

    /* books */
    struct km_price worst; /* the dearest a token of input and of output can be */
    struct km_rt_response responses[KM_RT_RESPONSES];
    int64_t active, asked; /* answers under way; asked for by the client, not yet begun */
    int64_t context; /* tokens of the conversation, as last said by the upstream */
    int64_t added; /* at most, since */
    int64_t heard, heard_new; /* tokens of audio at most, not transcribed yet; of these, since the
                                 last transcript came */
    struct km_rt_judged judged; /* the client's message that is looked at */
    uint64_t unasked, unasked_told; /* answers nobody asked for: counted, and the broker said so */
    bool voice; /* it speaks: an answer may begin that nobody asks for */
    int64_t max_output; /* the session's own bound of an answer; KM_RT_OUTPUT_... */
    /* written by the answers under way, since there are any */
    struct km_text_heard written;
    uint64_t audio_bytes;
    bool slices; /* what they write is reserved as it comes: the key has a budget */
    int64_t written_for; /* tokens reserved for it, beyond a slice each */
    int64_t asked_for; /* that the broker was asked for: so many more */
    bool last_slice; /* there is no more: what is reserved is written yet */

    /* the end */
    struct km_err why;
    enum km_rt_state state;
    unsigned code; /* of our Close to the client; 0: none yet */
    bool leaving; /* the gateway drains: it ends with the running answers */
    bool handshake_failed; /* the upstream's 101 was none: `why` */

    bool started; /* the client's handshake was answered */
    bool up_closed; /* its Close came */
    bool up_full, down_full; /* much waits for them */
    bool pinged, up_pinged; /* since they were last heard */
    bool paid; /* the request that opening counted was used by an answer */
    char key[KM_WS_KEY_LEN + 1]; /* of our handshake with the upstream */
    char reason[KM_WS_CONTROL_MAX]; /* of our Close */
    char transcriber[128]; /* the model that transcribes what is heard */
};

/* --- call.c --- */
extern const char km_rt_work[]; /* kind->work_name */

static inline struct km_rt_session *km_rt_of(const struct km_call *call)
{
    return km_call_work(call, km_rt_work);
}

struct km_price km_rt_worst(const struct km_price *p);

/* --- life.c --- */
void km_rt_init(struct km_rt_session *s);
/* The upstream's handshake is good: answers the client's and begins. */
int km_rt_start(struct km_rt_session *s, struct km_err *err) KM_MUST_USE;
void km_rt_done(void *session); /* of the arena */
/* Ends it: err (NULL: nothing is wrong) is told as an event, then code.  cancel: running answers
 * are stopped; they still say what they used. */
void km_rt_end(struct km_rt_session *s, unsigned code, const struct km_err *err, bool cancel);
/* Its key may not be used any more: the client is told, and the call is ended by its owner. */
void km_rt_revoked(struct km_call *call, const struct km_err *err);
/* The gateway drains: ends now, or with the answers under way. */
void km_rt_leave(struct km_rt_session *s);
/* An answer ended: is it time for what waits for that? */
void km_rt_settle(struct km_rt_session *s);
/* Whatever is under way: the upstream is told to close. */
void km_rt_close_upstream(struct km_rt_session *s);
bool km_rt_reply(struct km_call *call); /* the last bytes for the client */

/* --- relay.c --- */
extern const struct km_ws_events km_rt_client_frames, km_rt_upstream_frames;
extern const struct km_exchange_events km_rt_exchange_events;
/* Of the line to the upstream: what judges a message, and what it lets pass. */
int km_rt_permit(struct km_link *link, struct km_piece *piece, struct km_err *err);
void km_rt_pass_on(struct km_rt_session *s, struct km_str text);
/* The client's event that waited is not passed on. */
void km_rt_refuse(struct km_rt_session *s, const struct km_err *why, struct km_str text);
int km_rt_from_upstream(struct km_rt_session *s, const char *bytes, size_t n);

/* --- frames.c --- */
uint64_t km_rt_now(const struct km_rt_session *s);
/* What goes to either side stands in line there. */
int km_rt_lines(struct km_rt_session *s, struct km_err *err) KM_MUST_USE;
void km_rt_lines_done(struct km_rt_session *s);
/* A frame for the client, behind what waits. */
void km_rt_down(struct km_rt_session *s, enum km_ws_opcode op, struct km_str payload);
/* A frame for the upstream, at once; a message of the client's, when the permit allows it. */
void km_rt_up(struct km_rt_session *s, enum km_ws_opcode op, struct km_str payload);
void km_rt_say(struct km_rt_session *s, struct km_str text);
/* An error the session survives; about: the client's event. */
void km_rt_tell(struct km_rt_session *s, const struct km_err *err, struct km_str about);
/* To the upstream, in our own words. */
void km_rt_cancel(struct km_rt_session *s, const struct km_rt_response *r);
/* Something of the upstream's waits, for a commit or the broker: nothing moves before. */
void km_rt_hold(struct km_rt_session *s);
void km_rt_go_on(struct km_rt_session *s);
/* The message of the client's that waited was judged: NULL: it goes on. */
void km_rt_judged(struct km_rt_session *s, const struct km_err *why);
/* It is over: what is in line for the client goes out as it is. */
void km_rt_flush(struct km_rt_session *s);
bool km_rt_waits(const struct km_rt_session *s); /* the upstream is not read for that */
/* Both sides are read again, unless something says otherwise. */
void km_rt_resume(struct km_rt_session *s);
void km_rt_client_drained(struct km_rt_session *s);
void km_rt_upstream_drained(struct km_rt_session *s);

/* --- room.c --- */
/* What must be reserved for what may come next, and so many tokens more of input, or of what is
 * written; nano-USD. */
int64_t km_rt_need(const struct km_rt_session *s, int64_t more);
int64_t km_rt_need_written(const struct km_rt_session *s, int64_t more);
/* The tokens that an answer of that bound (KM_RT_OUTPUT_NONE: the session's) may have. */
int64_t km_rt_bound(const struct km_rt_session *s, int64_t said);
/* Of answers under way: tokens that are to be reserved next, 0: none yet; is all written that is
 * reserved?; and what is reserved is so for each of them. */
int64_t km_rt_slice_due(const struct km_rt_session *s);
bool km_rt_past_reserved(const struct km_rt_session *s);
void km_rt_reserved(struct km_rt_session *s);
/* The client says something: what may come grows. */
void km_rt_add(struct km_rt_session *s, const struct km_rt_event *e, struct km_str text);
/* A piece of an answer came; what came in all; and no answer is under way any more. */
void km_rt_hear(struct km_rt_session *s, const struct km_rt_event *e);
struct km_usage km_rt_heard(const struct km_rt_session *s);
void km_rt_all_ended(struct km_rt_session *s);
/* false: none is known. */
bool km_rt_price(const struct km_rt_session *s, struct km_str model, struct km_price *ret);

/* --- books.c --- */
/* One is asked for: its intent, before the question goes out.  KM_E_AGAIN: booked is called, once
 * it is committed or could not be. */
int km_rt_ask(struct km_rt_session *s, km_broker_fn *booked, struct km_err *err) KM_MUST_USE;
/* One that was asked for will not begin. */
void km_rt_refused(struct km_rt_session *s);
/* Each second: how far those under way are. */
void km_rt_tell_books(struct km_rt_session *s);
int km_rt_begin(struct km_rt_session *s, const struct km_rt_event *e,
                struct km_err *err) KM_MUST_USE;
int km_rt_ended(struct km_rt_session *s, const struct km_rt_event *e,
                struct km_err *err) KM_MUST_USE;
void km_rt_transcribed(struct km_rt_session *s, const struct km_rt_event *e);
/* What transcribes has a price, or may go without. */
int km_rt_transcriber(struct km_rt_session *s, struct km_str model, struct km_err *err) KM_MUST_USE;
/* The session is over: answers that never said what they used are estimated. */
void km_rt_close_books(struct km_rt_session *s);
void km_rt_forget_waits(struct km_rt_session *s);

/* --- permit.c --- */
/* The key still holds: not revoked, not expired, for this model. */
int km_rt_check_key(struct km_rt_session *s, struct km_err *err) KM_MUST_USE;
/* The client says something, or asks for an answer: it is counted, and enough is reserved for what
 * it may bring about.  KM_E_AGAIN: km_rt_judged() follows. */
int km_rt_said(struct km_rt_session *s, const struct km_rt_event *e, struct km_str text,
               struct km_err *err) KM_MUST_USE;
/* Of the upstream's messages, which wait where the answer comes later: a refusal ends the session
 * then.  Enough is reserved for what may come: some to spare where there is; exactly; or what was
 * there before, if it does not fit: then the next word ends it. */
int km_rt_make_room(struct km_rt_session *s, struct km_err *err) KM_MUST_USE;
int km_rt_hold_need(struct km_rt_session *s, struct km_err *err) KM_MUST_USE;
/* An answer has more text: perhaps more is to be reserved. */
int km_rt_make_slice(struct km_rt_session *s, struct km_err *err) KM_MUST_USE;
void km_rt_hold_what_fits(struct km_rt_session *s);
/* An answer began that nobody asked for: one more request, or it is stopped. */
void km_rt_unasked(struct km_rt_session *s, struct km_rt_response *r);

extern const struct km_route_rows km_realtime_routes; /* call.c */

#endif
