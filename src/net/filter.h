/* SPDX-License-Identifier: Apache-2.0 */
/* filter.h - how a kind of stream is made; for filters (tcp, tls, CONNECT) and pools only.
 *
 * A filter embeds struct km_stream as its first member and fills the table.  An operation
 * that is NULL is passed to `under`; the bottom of a stack (tcp) has all of them, and close()
 * everyone has.  start() and offer() are not passed on: a filter owns `under` from the beginning,
 * and what it reads there are not the bytes its owner gets.
 *
 * Rules every filter keeps:
 *   - operations never call events back; what must be told is told from the loop: an I/O
 *     callback, an event of `under`, or `later`;
 *   - after each km_stream_emit_*() it looks at what that returns: false means that the owner
 *     has freed the stream, and nothing but return is allowed;
 *   - close() gives back everything except the memory of the stream itself, which lives until
 *     km_stream_release() or a libuv close callback lets it go, so that the rule above can be
 *     kept.
 */
#ifndef KM_NET_FILTER_H
#define KM_NET_FILTER_H

#include "net/stream.h"

struct km_stream_ops {
    void (*start)(struct km_stream *s); /* begin to read: the first owner has come */
    void (*write)(struct km_stream *s, const struct km_str *parts, size_t n);
    size_t (*queued)(const struct km_stream *s);
    void (*offer)(struct km_stream *s, char *room, size_t n); /* NULL: it is not taken up */
    void (*pause)(struct km_stream *s); /* s->paused is already set */
    void (*resume)(struct km_stream *s); /* s->paused is already clear */
    void (*shutdown)(struct km_stream *s);
    void (*close)(struct km_stream *s); /* s->freed is already set; closes `under` too */
    bool (*acked)(const struct km_stream *s, uint64_t *ret_bytes);
    bool (*healthy)(const struct km_stream *s);
    const union km_addr *(*peer)(const struct km_stream *s);
    int (*detach)(struct km_stream *s);
    void (*reset)(struct km_stream *s); /* of the bottom: close() will send a reset */
    bool tls;
};

struct km_stream {
    const struct km_stream_ops *ops;
    const struct km_stream_events *events; /* NULL: nobody owns it yet */
    void *ctx;
    struct km_loop *loop;
    struct km_stream *under; /* NULL at the bottom */
    struct km_deferred later; /* the filter's own, until released */
    uint64_t sent; /* at the bottom: bytes the kernel has taken */
    bool started;
    bool paused;
    bool eof; /* on_eof was told */
    bool closed; /* on_closed was told */
    bool freed;

    /* For whoever keeps the stream (a pool). */
    void *holder;
    struct km_list link;
    uint64_t idle_since_ms;
};

/* later_fn(s) is what `later` runs; NULL when the filter has no use for it. */
void km_stream_init(struct km_stream *s, const struct km_stream_ops *ops, struct km_loop *loop,
                    struct km_stream *under, km_deferred_fn *later_fn);

/* Tell the owner, if there is one.  false: the stream was freed inside. */
bool km_stream_emit_read(struct km_stream *s, const char *bytes, size_t n) KM_MUST_USE;
bool km_stream_emit_eof(struct km_stream *s) KM_MUST_USE;
bool km_stream_emit_drain(struct km_stream *s) KM_MUST_USE;
void km_stream_emit_closed(struct km_stream *s, const struct km_err *err); /* last */

/* free_fn(s) at the end of the iteration. */
void km_stream_release(struct km_stream *s, km_deferred_fn *free_fn);

#endif
