/* SPDX-License-Identifier: Apache-2.0 */
/* wire.h - just enough HTTP/1.1 for the two ends of a benchmark.
 *
 * Reads one message, request or response, from bytes cut anywhere: the head is
 * looked at once, the body is handed over piece by piece without its framing.
 * It is written apart from the gateway's own HTTP code on purpose: a measuring
 * tool that shares a parser with what it measures would share its mistakes.
 *
 * Lifetime: storage is the caller's; wire_reset() before each message.
 * Limits: a head over WIRE_HEAD_MAX bytes is an error; a body has no limit here.
 * Thread: none of its own.
 */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WIRE_HEAD_MAX = 8192, WIRE_TARGET_MAX = 128 };

/* A piece of the body.  The bytes die when the callback returns. */
typedef void wire_body_fn(void *ctx, const char *bytes, size_t len);

struct wire {
    uint8_t state; /* enum in wire.c */
    bool response; /* what we read: a response or a request */
    bool chunked;
    bool keep_alive;
    bool done;           /* the message is complete */
    int status;          /* response: 200 ... */
    uint64_t remaining;  /* bytes left of the body, or of the current chunk */
    uint64_t body_bytes; /* body bytes seen so far */
    wire_body_fn *on_body;
    void *ctx;
    char method[8];               /* request */
    char target[WIRE_TARGET_MAX]; /* request; cut when longer */
    size_t head_len;              /* bytes of an unfinished head in head[] */
    char head[WIRE_HEAD_MAX];
};

/* Sets the kind and the callback (which may be NULL) and resets. */
void wire_init(struct wire *w, bool response, wire_body_fn *on_body, void *ctx);

/* Ready for the next message on the same connection. */
void wire_reset(struct wire *w);

/* Takes bytes until the message is complete or they end; *ret_used says how many
 * were taken, w->done whether the message is complete.  Returns 0, or -1 when the
 * bytes are no HTTP message we understand. */
int wire_feed(struct wire *w, const char *bytes, size_t len, size_t *ret_used);

/* The peer closed.  True when that is a legal end of the message. */
bool wire_eof(struct wire *w);

#endif
