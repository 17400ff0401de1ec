/* SPDX-License-Identifier: Apache-2.0 */
/* stream.h - one end of a byte stream, as a stack of filters (tcp, tls, CONNECT tunnel).
 *
 * The owner sees the top of the stack only.  All calls and callbacks belong to the loop's
 * thread.  Reading starts with the first km_stream_own() and goes on until paused; a paused
 * stream stops reading from the kernel (back-pressure reaches the peer).
 *
 * Lifetime: km_stream_free() may be called from inside any callback of the same stream; no
 * callback follows it.  After on_closed only km_stream_free() may be called.
 */
#ifndef KM_NET_STREAM_H
#define KM_NET_STREAM_H

#include "sys/dns.h"

struct km_stream;

struct km_stream_events {
    /* Bytes arrived; they lie in the loop's read buffer and die with the callback, or in what
     * was offered for them. */
    void (*on_read)(void *ctx, const char *bytes, size_t n);
    /* The peer sent its last byte (FIN, close_notify).  Writing may go on. */
    void (*on_eof)(void *ctx);
    /* Broken: reset, TLS failure (a truncation without close_notify is one).  Once; last. */
    void (*on_closed)(void *ctx, const struct km_err *err);
    /* Everything queued by km_stream_write() has been taken by the kernel, after a call that
     * could not be taken whole.  May be NULL. */
    void (*on_drain)(void *ctx);
};

/* Sets or replaces the owner (a pool lends a stream so). */
void km_stream_own(struct km_stream *s, const struct km_stream_events *events, void *ctx);

/* Gathers and writes.  What the kernel does not take now is copied and sent later; *ret_queued
 * (may be NULL) is how many bytes are waiting in all.  Never calls back synchronously; a write
 * failure arrives as on_closed. */
void km_stream_write(struct km_stream *s, const struct km_str *parts, size_t n, size_t *ret_queued);
size_t km_stream_queued(const struct km_stream *s);

/* Where the next read goes, which spares a copy of what is large; until then, or until the offer
 * is taken back by n = 0, the room belongs to the stream.  Only plain TCP takes it up: whoever
 * offers looks where the bytes lie. */
void km_stream_offer(struct km_stream *s, char *room, size_t n);

void km_stream_pause(struct km_stream *s); /* reading; nests not */
void km_stream_resume(struct km_stream *s);
void km_stream_shutdown(struct km_stream *s); /* FIN / close_notify after what is queued */

/* Closes at once.  What is queued is lost.  Returns NULL.  NULL is fine. */
struct km_stream *km_stream_free(struct km_stream *s);
/* As free, and the peer sees a reset: what it got so far must not look finished. */
struct km_stream *km_stream_reset(struct km_stream *s);
/* Closes gracefully: sends what is queued, FIN, then reads and drops until the peer closes or
 * timeout_ms, so that a last answer is not destroyed by a reset.  The owner is forgotten. */
void km_stream_linger(struct km_stream *s, uint64_t timeout_ms);

/* Request bytes the peer's kernel has acknowledged on this stream, ever (TCP_INFO). */
bool km_stream_acked(const struct km_stream *s, uint64_t *ret_bytes);
/* true: nothing to read, no FIN, no error is pending, as of a moment ago (a look before lending):
 * the kernel is asked, unless the loop has just looked for events. */
bool km_stream_healthy(const struct km_stream *s);
/* true: it has been idle in a pool, so it served somebody before. */
bool km_stream_reused(const struct km_stream *s);
/* Bytes the kernel has taken, ever; of TLS the encrypted ones.  What km_stream_acked() counts
 * (for the side that connected: and one for the SYN). */
uint64_t km_stream_sent(const struct km_stream *s);
const union km_addr *km_stream_peer(const struct km_stream *s);
bool km_stream_is_tls(const struct km_stream *s);

/* Takes the descriptor out of a plain TCP stream that has nothing queued (for a hand-over)
 * and frees the stream; -1 when it cannot (TLS, queued bytes): then nothing happened. */
int km_stream_detach(struct km_stream *s);

/* A connected socket (TCP, or the Unix socket of the command line) becomes a stream; it is made
 * non-blocking and TCP_NODELAY is set.  fd is the callee's, also when this fails: NULL. */
struct km_stream *km_tcp_from_fd(struct km_loop *loop, int fd, const union km_addr *peer,
                                 struct km_err *err);

#endif
