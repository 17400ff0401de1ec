/* SPDX-License-Identifier: Apache-2.0 */
/* server.h - HTTP/1.1 server connections of one loop, and the exchange: one request and its
 * response.
 *
 *     on_request(ctx, x)                       the head is complete and valid
 *        km_exchange_body(x, max, ...)         0: here it is; KM_E_AGAIN: on_body follows
 *        km_exchange_respond(x, ...)           the whole answer, or
 *        km_exchange_start / _write / _end     piece by piece
 *
 * Every exchange ends exactly once: respond(), end() or abort().  After that the pointer is
 * dead.  Pipelined requests are handled one at a time, in order.  While an exchange runs the
 * connection keeps reading into a bounded look-ahead (16 KiB), so that the client's departure
 * is seen: on_gone.
 *
 * Answers of a status from 300 on leave by one function, which cuts credentials out of their
 * bodies (base/veil.h): such a body is gathered first, up to KM_REFUSAL_BYTES, and what is over
 * that is left out.
 *
 * Framing errors, limits and time-outs are answered here, in the shape km_http_error_fn gives.
 */
#ifndef KM_HTTP_SERVER_H
#define KM_HTTP_SERVER_H

#include <stdatomic.h>

#include "base/setting.h"
#include "http/message.h"
#include "net/tls.h"

#define KM_REFUSAL_BYTES ((size_t)1 << 20)

struct km_http_settings {
    int64_t header_bytes; /* 32 KiB */
    int64_t header_fields; /* 100 */
    int64_t line_bytes; /* 8 KiB: request line */
    int64_t body_bytes; /* 32 MiB */
    int64_t header_ms; /* 10 s to a whole head */
    int64_t body_min_rate; /* 1 KiB/s after the first 10 s */
    int64_t idle_ms; /* 75 s between requests */
    int64_t write_ms; /* 60 s without progress while bytes wait for the client */
    int64_t buffered_bytes; /* all bodies of the process; 0: 25 % of memory */
    int64_t stream_high_water; /* 256 KiB waiting for one client pauses its source */
    int64_t connections; /* open client connections of the process; over: 503 and close */
    int64_t upload_bytes; /* 512 MiB: of a form that is passed on as it comes */
    int64_t upload_ahead_bytes; /* 4 MiB: of it in memory, to know what it is */
    int64_t upload_spool_bytes; /* 64 MiB: of it on disk, where that does not say it */
};
extern const struct km_settings_table km_http_settings_table; /* kanmon_settings.limits */

/* One bound for all buffered bodies of the process, shared by its loops. */
struct km_body_budget {
    _Atomic int64_t used;
    _Atomic int64_t limit; /* may change while others take */
};
bool km_body_budget_take(struct km_body_budget *b, int64_t bytes); /* false: over the bound */
void km_body_budget_give(struct km_body_budget *b, int64_t bytes);
/* What settings->buffered_bytes stands for: itself, or 25 % of the memory we may use. */
int64_t km_body_budget_limit(const struct km_http_settings *settings);

struct km_http_server;
struct km_exchange;

struct km_exchange_events {
    /* The whole body arrived (err NULL), or it will not (err; the exchange must still be
     * answered).  Once, after KM_E_AGAIN. */
    void (*on_body)(void *ctx, struct km_str body, const struct km_err *err);
    /* What was queued for the client fell to zero after write() had said it is over the mark. */
    void (*on_drain)(void *ctx);
    /* After km_exchange_upgrade(): bytes of the client, which die with the callback.  It may not
     * end the exchange. */
    void (*on_bytes)(void *ctx, const char *bytes, size_t n);
    /* The client is gone: nothing can be delivered.  Still end the exchange. Once. */
    void (*on_gone)(void *ctx);
    /* After km_exchange_pieces(): body bytes, as they come; die with the callback.  last: the
     * body is whole.  err: the rest will not come.  Nothing follows last or err. */
    void (*on_piece)(void *ctx, struct km_str bytes, bool last, const struct km_err *err);
};

/* Fills a response body and content type for an error found below the handler. */
typedef void km_http_error_fn(void *ctx, const struct km_err *err, struct km_str path,
                              struct km_buf *out_body);

struct km_http_server_args {
    struct km_loop *loop;
    const struct km_http_settings *settings; /* copied */
    struct km_body_budget *bodies;
    _Atomic int64_t *connections; /* open in the process; the server counts itself */
    void (*on_request)(void *ctx, struct km_exchange *x);
    km_http_error_fn *on_error; /* JSON of an error answer */
    void (*on_count)(void *ctx, int status); /* an answer the handler did not make; may be NULL */
    void *ctx;
    struct km_veil *veil; /* what every answer from 300 on passes; NULL: none */
};

struct km_http_server *km_http_server_new(const struct km_http_server_args *args,
                                          struct km_err *err);
void km_http_server_configure(struct km_http_server *s, const struct km_http_settings *settings);
/* Takes the socket; tls NULL: plain. */
void km_http_server_accept(struct km_http_server *s, int fd, const union km_addr *peer,
                           struct km_tls_server *tls);
/* From now on: idle connections go to pass_on (plain TCP: their descriptor, still open, nothing
 * read from it is lost), busy ones after their answer; TLS ones, which cannot be passed, stay
 * for one more answer with Connection: close.  pass_on NULL: idle ones are closed at once, the
 * others after their answer.  done is called when none is left. */
void km_http_server_drain(struct km_http_server *s, void (*pass_on)(void *ctx, int fd),
                          void (*done)(void *ctx), void *ctx);
/* Closes all at once (exchanges get on_gone). */
void km_http_server_close(struct km_http_server *s);
struct km_http_server *km_http_server_free(struct km_http_server *s);
size_t km_http_server_connections(const struct km_http_server *s);

/* --- the exchange --- */

const struct km_request *km_exchange_request(const struct km_exchange *x);
/* Memory of the exchange: the head's views live in it; capped at header_bytes + 64 KiB. */
struct km_arena *km_exchange_arena(struct km_exchange *x);
const union km_addr *km_exchange_peer(const struct km_exchange *x);
bool km_exchange_secure(const struct km_exchange *x); /* it came by TLS */
uint64_t km_exchange_began_ns(const struct km_exchange *x); /* monotonic, head complete */
/* May be replaced at any time. */
void km_exchange_listen(struct km_exchange *x, const struct km_exchange_events *events, void *ctx);

/* Asks for the whole body (sends 100 Continue if expected).  0: *ret_body, valid until the
 * exchange ends, unchanged; KM_E_AGAIN: on_body follows; KM_E_BODY_TOO_LARGE, KM_E_OVERLOADED
 * (the bound on all bodies), KM_E_LENGTH_REQUIRED where a body is a must: answer with err. */
int km_exchange_body(struct km_exchange *x, int64_t max_bytes, struct km_str *ret_body,
                     struct km_err *err) KM_MUST_USE;

/* Instead: the body by pieces, none before this returns.  Sends 100 Continue if expected.  Its
 * length is bounded by max_bytes: KM_E_BODY_TOO_LARGE, here or by on_piece. */
int km_exchange_pieces(struct km_exchange *x, int64_t max_bytes, struct km_err *err) KM_MUST_USE;
/* No piece until _go_on(); of what the client sends meanwhile little is read, the rest waits
 * with it.  From on_piece too.  While it is stopped the client cannot be too slow. */
void km_exchange_stop(struct km_exchange *x);
void km_exchange_go_on(struct km_exchange *x);

/* Header lines (in memory that lives as long as the exchange) that its answer has beside those it
 * is given, whoever answers. */
void km_exchange_add_head(struct km_exchange *x, struct km_str lines);

/* The answer at once.  `head` is ready-made header lines (built with km_header_put) or empty;
 * Date, Content-Length, Connection are added here.  HEAD and 204/304 send no body. */
void km_exchange_respond(struct km_exchange *x, int status, struct km_str head, struct km_str body);

/* Piece by piece: length UINT64_MAX is chunked (until close for 1.0).  What is written in one
 * loop iteration, the head included, leaves together at its end; a large write at once. */
void km_exchange_start(struct km_exchange *x, int status, struct km_str head, uint64_t length);
/* true: go on; false: over the high-water mark, wait for on_drain (the bytes are taken). */
bool km_exchange_write(struct km_exchange *x, const struct km_str *parts, size_t n);
/* 101: from here the connection carries the handler's bytes both ways (write as above, on_bytes)
 * until end() or abort(), which close it.  head: ready lines, Upgrade and Connection among them.
 * What the client sent behind its request comes by on_bytes, never synchronously. */
void km_exchange_upgrade(struct km_exchange *x, struct km_str head);
void km_exchange_pause(struct km_exchange *x); /* on_bytes; back-pressure */
void km_exchange_resume(struct km_exchange *x);
void km_exchange_end(struct km_exchange *x); /* clean end */
/* Before either, where the upstream broke: true, and nothing of the answer has left, as of one that
 * is gathered for its veil.  It is forgotten; respond() is free again. */
bool km_exchange_take_back(struct km_exchange *x);
void km_exchange_abort(struct km_exchange *x); /* broken end: the connection closes, chunked
                                                   bodies stay without their last chunk */

#endif
