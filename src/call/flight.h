/* SPDX-License-Identifier: Apache-2.0 */
/* flight.h - one request to an upstream whose answer several take.
 *
 *     attempt ── km_flight_send ──> flight ──> upstream
 *     attempt ── km_flight_join ──>   │
 *                                     ├── head, bytes, done ──> taker   of who sent it
 *                                     └── head, bytes, done ──> taker   of another call's
 *
 * Calls that ask the same (single flight) each get the whole answer; calls whose requests were put
 * together (merged embeddings) each get their part of it, which `split` cuts.  A taker is told by
 * the events of http/client.h, as if the request were its own, and reads the answer by itself: so
 * its kind, its units and its dialect are its own.  The flight ends with the last that leaves.
 *
 * What it cost is divided by weight (tokens) among those that hear its end: their shares add up
 * to what the upstream reported, to the last nano-dollar.  Whoever leaves before pays on top of
 * that a share of an estimate, and one that hears the end later than it comes pays as much as if
 * only those were left that have not heard it either: leaving makes it cheaper for nobody.
 *
 * One worker's, loop thread.
 */
#ifndef KM_CALL_FLIGHT_H
#define KM_CALL_FLIGHT_H

#include "base/arena.h"
#include "http/client.h"
#include "http/server.h"

struct km_flight;

/* Most bytes that wait for a taker that reads more slowly than the others, as far as the bound of
 * all bodies allows; over it, it is broken off.  While nobody takes any the upstream is held up
 * instead. */
#define KM_TAKER_LINE_BYTES ((size_t)16 * 1024 * 1024)

/* How an answer is divided; NULL: everybody gets all of it. */
struct km_flight_split {
    size_t most; /* bytes of an answer that are gathered for it */
    /* Taker `index` (in the order they joined): its own answer, of a good one that is whole.  What
     * was used for it is said there: it is not divided once more. */
    int (*part)(void *ctx, unsigned index, struct km_str whole, struct km_buf *out,
                struct km_err *err);
};

struct km_flight_args {
    int64_t weight; /* of the attempt that sends it: > 0 */
    const struct km_flight_split *split;
    /* It is out: others may join from now on; then: they may not any more, it is answered or over,
     * and may be gone when this returns.  Either may be NULL.  They are kept by worker, in the
     * state of a module (host/module.h). */
    void (*opened)(void *ctx, struct km_flight *flight);
    void (*closed)(void *ctx);
    /* The last has left: ctx is not used any more.  NULL: nothing is to be given back.  It comes if
     * `opened` did; a call that ends before its request is out opens none. */
    void (*done)(void *ctx);
    void *ctx; /* of these and of split */
};

/* Sends it, with a copy of the request: whoever sends may leave before it was taken.  NULL: no
 * memory.  The taker lives in arena, until nobody asks for its share any more. */
struct km_taker *km_flight_send(struct km_http_client *client, struct km_loop *loop,
                                struct km_body_budget *bodies,
                                const struct km_http_request *request,
                                const struct km_flight_args *args, struct km_arena *arena,
                                const struct km_http_events *told, void *ctx);

/* Takes part; between `opened` and `closed` only.  NULL: no memory. */
struct km_taker *km_flight_join(struct km_flight *flight, int64_t weight, struct km_arena *arena,
                                const struct km_http_events *told, void *ctx);

bool km_taker_is_out(const struct km_taker *t); /* it will be told more */
/* It was given its part of an answer, which says what was used for it. */
bool km_taker_has_part(const struct km_taker *t);
bool km_taker_sent(const struct km_taker *t); /* the upstream may have read all of the request */
/* It wants no more for now, and again: what comes meanwhile waits. */
void km_taker_pause(struct km_taker *t);
void km_taker_resume(struct km_taker *t);
/* Nothing is told any more.  The last one cancels the request. */
void km_taker_leave(struct km_taker *t);
/* Of those that are told the same it is the one that tells others of it: a failure of one request
 * is one failure. */
bool km_taker_speaks(const struct km_taker *t);
/* Its part of a sum. */
int64_t km_taker_share(const struct km_taker *t, int64_t sum);

#endif
