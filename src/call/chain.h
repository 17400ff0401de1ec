/* SPDX-License-Identifier: Apache-2.0 */
/* chain.h - units in a row, through which a request or an answer goes piece by piece.
 *
 *     owner ── km_chain_take ──> link ──> link ──> ... ──> sink
 *                                  │ a unit and what it keeps; it may rewrite a piece in its place,
 *                                  │ say more before it (km_link_emit), and answers
 *                                  │
 *                                  ├ PASS   the piece goes on
 *                                  ├ HOLD   not now, or never: the unit has of it what it needs
 *                                  ├ WAIT   for something outside: km_link_go_on() follows, and
 *                                  │        what comes behind stands in line at this link
 *                                  └ END    nothing more of the content goes on from here; a
 *                                           head, or the end, does (a head that said a length is
 *                                           then wrong: who may end a body changes that in time)
 *
 * An answer is HEAD (EVENT | BYTES)* (END | ERROR), a request BYTES* (END | ERROR).  A unit that
 * holds something flushes it when END or ERROR comes: emits it, then passes that piece, which no
 * unit holds for ever.
 *
 * A chain has one owner, which gives the pieces in, pauses whoever makes them while the chain
 * waits (km_chain_waits), and ends with it (km_chain_done).  Without a link it is its sink.  Loop
 * thread of its owner; links are put before the first piece.
 */
#ifndef KM_CALL_CHAIN_H
#define KM_CALL_CHAIN_H

#include "base/arena.h"
#include "base/err.h"

struct km_chat_event; /* llm/answer.h */
struct km_chain;
struct km_link;

enum km_piece_what {
    KM_PIECE_HEAD, /* bytes: header lines */
    KM_PIECE_EVENT, /* bytes: one event, or several, whole, as they are framed; or delta alone */
    KM_PIECE_BYTES, /* bytes: a part of a body that has no events */
    KM_PIECE_END, /* it is complete; bytes: what stands at its end */
    KM_PIECE_ERROR, /* it broke, err says why; bytes: what tells its reader */
};

/* Views live until the piece was taken; a unit that keeps one copies it. */
struct km_piece {
    enum km_piece_what what;
    int status; /* HEAD */
    uint64_t length; /* HEAD: bytes that follow; UINT64_MAX: not known.  A unit that may change how
                      * many they are says so here */
    struct km_str bytes;
    bool
        lasts; /* the bytes live as long as the chain: nobody copies them.  Who puts others in their
                 * place says it of those */
    struct km_str type, data; /* EVENT: its name and its data, where a reader took it apart */
    bool has_data; /* EVENT: and what it found was no comment */
    const struct km_chat_event *delta; /* EVENT: what it says; NULL: not known, and then nobody puts
                                        * one there or emits one (KM_E_UNSUPPORTED) */
    const struct km_err *err; /* ERROR */
    bool told; /* ERROR: its reader sees by the bytes how it ended */
};

enum km_unit_verdict { KM_UNIT_PASS, KM_UNIT_HOLD, KM_UNIT_WAIT, KM_UNIT_END };

struct km_unit {
    const char *name;
    size_t size; /* bytes at link->state, zeroed; 0: the state is whoever put it's own */
    /* A verdict, or an error: the call fails. */
    int (*take)(struct km_link *link, struct km_piece *piece, struct km_err *err);
    /* Once, with the chain, or as soon as there is no room for what it was to wait for: gives back
     * what it has beside the state; what it waits for may not call back any more.  NULL: nothing.
     */
    void (*done)(struct km_link *link);
};

struct km_waiting_piece;

struct km_link {
    const struct km_unit *unit;
    void *state;
    struct km_chain *chain;
    struct km_link *next;
    struct km_waiting_piece *line,
        **line_end; /* came while it waited; the first is what it waits for */
    bool waits, over, done;
    bool keeps_length; /* its owner's word: as many bytes pass it as come, so that a long request
                        * has its Content-Length upstream too */
};

struct km_chain_ops {
    /* What has passed all links. */
    int (*sink)(void *ctx, struct km_piece *piece, struct km_err *err);
    /* A wait is over, and what stood in line has gone on; err: or has failed.  May end the
     * chain. */
    void (*on_more)(void *ctx, const struct km_err *err);
};

/* Most bytes that stand in line in one chain, beside those of a body that lives as long; its owner
 * may set another bound. */
#define KM_CHAIN_LINE_BYTES ((size_t)16 * 1024 * 1024)

struct km_chain {
    struct km_link *first; /* NULL: it has no link */
    struct km_link **end;
    const struct km_chain_ops *ops;
    void *ctx; /* of ops */
    struct km_arena *arena; /* links and their states */
    size_t line_bytes, line_most; /* 0: KM_CHAIN_LINE_BYTES */
    unsigned nwaiting; /* links */
    bool over; /* a unit said END */
};

void km_chain_init(struct km_chain *chain, struct km_arena *arena, const struct km_chain_ops *ops,
                   void *ctx);
void km_chain_done(struct km_chain *chain); /* twice is as once */

/* Puts a unit at the chain's end; state: for a unit without a size.  NULL: no memory. */
struct km_link *km_chain_put(struct km_chain *chain, const struct km_unit *unit, void *state);

/* Gives a piece in; it may be rewritten.  0, or an error of a unit's or the sink's. */
int km_chain_take(struct km_chain *chain, struct km_piece *piece, struct km_err *err) KM_MUST_USE;

/* From within take, or before km_link_go_on(): another piece goes on behind this link. */
int km_link_emit(struct km_link *link, struct km_piece *piece, struct km_err *err) KM_MUST_USE;

/* The wait is over: how the piece that waited goes on (not WAIT), or why the call fails.  From a
 * callback of the loop, never from within take. */
void km_link_go_on(struct km_link *link, enum km_unit_verdict verdict, const struct km_err *why);

/* What a link that waits waits with, until it goes on. */
const struct km_piece *km_link_waiting(const struct km_link *link);

static inline bool km_chain_waits(const struct km_chain *chain)
{
    return chain->nwaiting > 0;
}

#endif
