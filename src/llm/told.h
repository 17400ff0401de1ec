/* SPDX-License-Identifier: Apache-2.0 */
/* told.h - what a client has been told of a stream so far, so that another upstream can go on with
 * it when this one breaks.
 *
 *     events of a stream ──> text, and the place in the client's stream ──> struct km_told
 *                                   │                             │
 *     the request that goes on  <───┘  km_told_continue()         └──>  encoder->go_on()
 *
 * Only plain text can be gone on with.  Whatever else has begun (a tool's call, reasoning, a
 * citation, a second choice) makes the stream unfit, and says by what.  Nothing of it is undone:
 * a stream that is fit once more does not exist.
 *
 * Thread: the call's worker.  Memory: the call's arena.
 */
#ifndef KM_LLM_TOLD_H
#define KM_LLM_TOLD_H

#include "base/arena.h"
#include "base/err.h"

struct km_chat;
struct km_chat_event;

#define KM_TOLD_TEXT_BYTES ((size_t)256 * 1024) /* most of a text that is sent once more */

struct km_told {
    struct km_arena *arena;
    char *p; /* the text */
    size_t n, cap;
    const char *unfit; /* why nobody can go on with it, static; NULL: somebody can */

    /* The place in a stream that was passed on, whose events are its upstream's own. */
    bool native;
    bool begun; /* an event with content, or the one that begins the answer */
    struct km_str id; /* of the answer; empty: none was said */
    int64_t created_s; /* -1: not said */
    int64_t index; /* of the block or item; -1: none has begun */
    bool open; /* it is not over */
    bool part; /* Responses: its part has begun */
    bool progress; /* Responses: response.in_progress came */
    int64_t sequence; /* Responses: of the last event; -1: none */
    struct km_str item; /* Responses: the item's id */

    /* The place in the events of an answer (answer.h). */
    unsigned resumed; /* upstreams that went on with it */
    unsigned block; /* the last */
    bool any, open_block; /* there was one; the text may go on in it */
    bool placed; /* the upstream that goes on has begun a block */
    unsigned first; /* ... its first one */
    unsigned base; /* ... and what its number is for the client */
    struct km_str blank; /* the end of the text, which was not sent: said again, it is left out */
};

/* How the request is put that goes on. */
enum km_told_how {
    KM_TOLD_AGAIN, /* nothing was said yet: as it was */
    KM_TOLD_PREFILL, /* the answer's beginning is the last message */
    KM_TOLD_ASKED, /* behind it the user asks to go on */
};

void km_told_init(struct km_told *t, struct km_arena *arena);
static inline struct km_str km_told_text(const struct km_told *t)
{
    return km_str(t->p, t->n);
}

/* More of the text; what is too long makes it unfit. */
void km_told_add(struct km_told *t, struct km_str text);
/* Something that no other upstream could go on with; the first one counts. */
void km_told_spoil(struct km_told *t, const char *why);

/* An event of an answer, on its way to the client.  Of an upstream that goes on it is changed to be
 * the next of the stream.  false: the client is not to have it. */
bool km_told_take(struct km_told *t, struct km_chat_event *e);

/* An upstream goes on from here. */
void km_told_go_on(struct km_told *t);

/* The request, to be gone on with: prefill says whether its model takes an answer's beginning.
 * KM_E_UNSUPPORTED: what it asks for cannot be gone on with. */
int km_told_continue(struct km_told *t, struct km_chat *chat, bool prefill, struct km_arena *arena,
                     enum km_told_how *ret_how, struct km_err *err) KM_MUST_USE;

/* --- of streams that are passed on: an event's name and data.  Arena: for the event. --- */
typedef void km_told_note_fn(struct km_told *t, struct km_str type, struct km_str data,
                             struct km_arena *scratch);
km_told_note_fn km_told_note_chat, km_told_note_messages, km_told_note_responses;

#endif
