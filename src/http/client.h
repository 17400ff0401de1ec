/* SPDX-License-Identifier: Apache-2.0 */
/* client.h - HTTP/1.1 requests to origins over one loop's pool.
 *
 * A request's head block and body parts belong to the caller and stay valid until the call is
 * over (a silent resend needs them).  Responses are strict HTTP/1.1; 1xx are skipped (at most
 * 16); a head is at most 64 KiB; bytes after the end of a response discard the connection.
 *
 * Resend: a failed request on a reused connection is resent once, silently, only if its method
 * is idempotent or the peer closed (not: reset) having acknowledged no byte of it; otherwise
 * on_done reports the failure and whether bytes were sent.
 */
#ifndef KM_HTTP_CLIENT_H
#define KM_HTTP_CLIENT_H

#include "http/message.h"
#include "net/pool.h"

struct km_http_client;
struct km_http_call;

struct km_http_client *km_http_client_new(struct km_loop *loop, struct km_pool *pool);
/* What is told of credentials that the client's answers bring; NULL, as at first: nothing is. */
struct km_veil;
void km_http_client_set_veil(struct km_http_client *c, struct km_veil *veil);
struct km_veil *km_http_client_veil(const struct km_http_client *c);
struct km_http_client *km_http_client_free(struct km_http_client *c);
bool km_http_client_busy(const struct km_http_client *c); /* a call is under way */

/* What first_byte_ms bounds. */
enum km_http_until {
    KM_HTTP_UNTIL_HEAD,
    KM_HTTP_UNTIL_BEGUN, /* of an answer that is a stream: km_http_begun() */
    KM_HTTP_UNTIL_END, /* of one that is read as a whole: between_ms does not count */
};

/* Which time was over, for machines: err->reason. */
#define KM_TIMEOUT_CONNECT "connect_timeout"
#define KM_TIMEOUT_SEND "send_timeout"
#define KM_TIMEOUT_FIRST "first_event_timeout"
#define KM_TIMEOUT_ANSWER "answer_timeout"
#define KM_TIMEOUT_IDLE "stream_idle_timeout"

struct km_http_request {
    struct km_origin *origin; /* referenced while the call lives */
    struct km_str method;
    struct km_str target; /* path and query */
    struct km_str head; /* ready header lines, without Host, Content-Length, Connection */
    const struct km_str *body; /* parts, sent in order */
    size_t nbody;
    bool has_body; /* sends Content-Length even when it is 0 */
    /* The body has no parts: on_room asks for it, km_http_push() gives it. */
    bool more;
    uint64_t more_bytes; /* its length; UINT64_MAX: nobody knows, it is sent in chunks */
    uint64_t take_ms; /* with `more`: it takes nothing of what waits for it; 0: none */
    bool upgrade; /* 101 is the answer that is hoped for; head asks for it */
    uint64_t connect_ms; /* until there is a connection, where the pool's own time is longer; 0 */
    uint64_t first_byte_ms; /* request sent -> what `until` says; 0: none */
    enum km_http_until until;
    uint64_t between_ms; /* silence inside the body; 0: none */
};

struct km_http_result {
    const struct km_err *err; /* NULL: the response ended as it should */
    bool bytes_sent; /* the peer may have read a byte of the request */
    bool request_sent; /* it may have read all of it */
    bool head_seen; /* on_head was called */
    bool connect_failed; /* no connection could be had: safe to try elsewhere */
};

struct km_http_events {
    /* The head of the final response; its views die with the callback. */
    void (*on_head)(void *ctx, const struct km_response *response);
    /* Body bytes, as they come (dechunked); die with the callback.  After a 101: the peer's. */
    void (*on_body)(void *ctx, const char *bytes, size_t n);
    /* After a 101: all that km_http_write() was given has left, when that had said false.  May be
     * NULL. */
    void (*on_drain)(void *ctx);
    /* Last; exactly once unless cancelled. The call is gone after it. */
    void (*on_done)(void *ctx, const struct km_http_result *result);
    /* A request with `more`: all that was given has been taken, km_http_push() may follow. */
    void (*on_room)(void *ctx);
};

/* Never calls back synchronously.  NULL when out of memory. */
struct km_http_call *km_http_send(struct km_http_client *c, const struct km_http_request *request,
                                  const struct km_http_events *events, void *ctx);
/* Something of a stream has come: from now on between_ms counts. */
void km_http_begun(struct km_http_call *call);
void km_http_pause(struct km_http_call *call); /* stop reading: back-pressure */
void km_http_resume(struct km_http_call *call);
/* The next bytes of a body that goes on (after on_room); last: its end.  Taken whole.  false:
 * on_room says when the next may come.  A call that has been given any is never resent. */
bool km_http_push(struct km_http_call *call, struct km_str bytes, bool last);
/* After a 101: our bytes.  true: go on; false: much waits for the peer, on_drain follows (the
 * bytes are taken).  Each of n parts is copied where the kernel does not take it now. */
bool km_http_write(struct km_http_call *call, const struct km_str *parts, size_t n);
/* All of the request was taken by the connection and the answer has begun: its head and body
 * are not looked at any more. */
bool km_http_sent(const struct km_http_call *call);
/* All of the request was taken by the connection: the peer may have read it. */
bool km_http_taken(const struct km_http_call *call);
/* No callback follows; the connection is dropped (its peer sees it close). */
void km_http_cancel(struct km_http_call *call);

/* The CONNECT filter, for km_dialer_new(). */
struct km_stream *km_connect_tunnel(struct km_loop *loop, struct km_stream *under,
                                    const struct km_origin *origin, km_tls_ready_fn *on_ready,
                                    void *ctx, struct km_err *err);

#endif
