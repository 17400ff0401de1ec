/* SPDX-License-Identifier: Apache-2.0 */
/* call.h - a client call from the inside; for client.c, call_send.c and call_read.c only. */
#ifndef KM_HTTP_CALL_H
#define KM_HTTP_CALL_H

#include "base/buf.h"
#include "http/body.h"
#include "http/client.h"
#include "sys/loop.h"

enum km_http_call_state {
    KM_HTTP_CALL_FREE, /* in the free list */
    KM_HTTP_CALL_CONNECT, /* waits for a connection */
    KM_HTTP_CALL_HEAD, /* the request goes out, the response's head is awaited */
    KM_HTTP_CALL_BODY,
    KM_HTTP_CALL_OVER, /* on_done runs, or ran */
};

struct km_http_call {
    struct km_list link;
    struct km_http_client *client;
    enum km_http_call_state state;
    struct km_origin *origin;
    struct km_http_request request; /* views of the caller's */
    const struct km_http_events *events;
    void *ctx;

    struct km_pool_get *get;
    struct km_stream *stream;
    uint64_t sent_before; /* on the stream, before this request */
    bool reached; /* set when the stream is given up */
    bool reused; /* the connection served somebody before */
    bool resent;
    bool answered; /* at least one byte of a response has come */

    size_t part; /* of the body: what is sent next */
    size_t part_at;
    bool head_out; /* the request's head was written */
    bool sent;
    bool pushed; /* bytes came that cannot be had again */
    bool wants; /* it was told that there is room */
    bool last; /* its last byte was given */
    bool upgraded; /* 101: bytes both ways */
    bool want_drain; /* then: the owner waits */

    struct km_head *head;
    struct km_buf held; /* an incomplete head, or body bytes that came while paused */
    struct km_str in;
    struct km_arena arena; /* the response's head */
    struct km_response response;
    struct km_framing framing;
    struct km_body body;
    unsigned interim; /* 1xx responses seen */
    bool head_seen;
    bool begun; /* its stream has */
    bool paused;
    bool processing; /* inside km_http_call_process(): cancel only marks */
    bool cancelled;
    bool eof; /* the peer ended while bytes were held */
    struct km_err *broken; /* it broke while bytes were held; in the arena */

    uint64_t deadline_ms;
    struct km_timer timer; /* goes on running between calls: it only looks */
    struct km_deferred later; /* a failure at once; or going on after a pause */
    struct km_deferred room; /* on_room */
    struct km_err *failed; /* for `later`; in the arena */
};

struct km_http_client {
    struct km_loop *loop;
    struct km_pool *pool;
    struct km_head_limits limits;
    struct km_head *spare_head;
    struct km_list calls; /* alive */
    struct km_list free_calls;
    size_t nfree;
    struct km_veil *veil; /* for who makes credentials of answers */
};

/* --- client.c --- */
/* Ends the call with on_done.  err NULL: the response ended as it should. */
void km_http_call_done(struct km_http_call *call, const struct km_err *err, bool connect_failed);
/* The connection is lost or useless: once more, or the end. */
void km_http_call_lost(struct km_http_call *call, const struct km_err *err);
void km_http_call_drop_stream(struct km_http_call *call, bool reuse);
void km_http_call_release(struct km_http_call *call);
void km_http_call_deadline(struct km_http_call *call, uint64_t ms); /* 0: none */
/* Bytes of its body were read: what it may be silent for begins again, if that counts yet. */
void km_http_call_heard(struct km_http_call *call);

/* --- call_send.c --- */
void km_http_call_send(struct km_http_call *call); /* begins, or goes on */
void km_http_call_room(void *ctx); /* the call; deferred: all that was given is gone */
/* The peer may have read something of the request: all but a FIN with nothing acknowledged. */
bool km_http_call_reached(const struct km_http_call *call);

/* --- call_read.c --- */
extern const struct km_stream_events km_http_call_events;
void km_http_call_process(struct km_http_call *call); /* what is held */

#endif
