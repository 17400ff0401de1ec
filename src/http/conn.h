/* SPDX-License-Identifier: Apache-2.0 */
/* conn.h - a server connection and its exchange from the inside; for server.c, conn.c and
 * exchange.c only. */
#ifndef KM_HTTP_CONN_H
#define KM_HTTP_CONN_H

#include "base/buf.h"
#include "http/body.h"
#include "http/server.h"
#include "sys/loop.h"

#define KM_LOOK_AHEAD (16 * 1024) /* bytes of later requests kept while one is answered */
#define KM_LINGER_MS 2000 /* for the peer to read a last answer */
#define KM_SKIP_BYTES (64 * 1024) /* of an unwanted body are read to keep the connection */

enum km_conn_state {
    KM_CONN_IDLE, /* between requests; nothing of the next one is there */
    KM_CONN_HEAD, /* a head has begun */
    KM_CONN_BUSY, /* an exchange lives */
    KM_CONN_SKIP, /* answered; the rest of the request's body is dropped */
    KM_CONN_CLOSING, /* the last answer is still being taken; what comes in is dropped */
};

struct km_conn {
    struct km_list link;
    struct km_http_server *server;
    struct km_stream *stream; /* NULL: gone; the conn waits for its exchange to end */
    struct km_exchange *x;
    struct km_head *head; /* while a head is incomplete */
    struct km_buf held; /* read and not used: an incomplete head, or look-ahead */
    size_t held_at; /* where its unused part begins */
    struct km_str in; /* while processing: bytes not used yet */
    struct km_timer timer; /* fires at or before the earliest deadline */
    struct km_deferred later; /* goes on with what is held */
    uint64_t skip; /* KM_CONN_SKIP: bytes of the body to drop */
    uint64_t deadline_ms; /* of the state; UINT64_MAX: none */
    uint64_t write_due_ms; /* while bytes wait for the client; UINT64_MAX: none */
    uint64_t out_total; /* bytes handed to the stream, ever */
    uint64_t out_taken; /* of these, taken by the kernel when last looked */
    union km_addr peer;
    enum km_conn_state state;
    unsigned char lead; /* CR and LF before a request line */
    bool tls;
    bool eof; /* the client has sent its last byte */
    bool over; /* more waits for the client than the high-water mark */
    bool processing; /* inside km_conn_process(): whoever ends it is below */
    bool in_held; /* `in` points into `held` */
    bool reset; /* the end must not look clean: no length, no chunks, and cut short */
    bool broken; /* framing is lost: close after the answer */
};

/* Bytes of one answer that leave together. */
#define KM_CORK_BYTES ((size_t)32 * 1024)
struct km_cork {
    struct km_cork *next;
    size_t n;
    char data[KM_CORK_BYTES];
};

enum km_want { KM_WANT_NOTHING, KM_WANT_BODY, KM_WANT_PIECES, KM_WANT_DONE };

struct km_exchange {
    struct km_list link; /* of the free list */
    struct km_conn *conn;
    struct km_arena arena;
    struct km_request request;
    struct km_framing framing;
    const struct km_exchange_events *events;
    void *ctx;
    uint64_t began_ns;
    struct km_str more_head; /* lines of every answer, km_exchange_add_head() */

    struct km_body body; /* of the request */
    enum km_want want;
    char *bytes; /* the body gathered */
    size_t n, cap;
    size_t max;
    int64_t budget; /* taken for it */
    size_t block; /* size of the block they lie in; 0: the arena's */
    bool stopped; /* pieces: not now */

    struct km_buf refusal; /* the body of an answer that is gathered because of its status */
    struct km_str refusal_head; /* of that answer */
    int refusal_status; /* 0: none is */

    struct km_cork *cork; /* written in this turn of the loop, not yet sent */
    struct km_deferred flush;
    uint64_t left; /* body bytes of the announced length */
    bool started;
    bool chunked;
    bool no_body; /* HEAD, 204, 304 */
    bool keep; /* the connection lives on */
    bool gone, gone_told;
    bool want_drain;
    bool upgraded; /* the connection is the handler's: bytes, not requests */
    bool paused; /* then: it takes none now */
};

struct km_http_server {
    struct km_loop *loop;
    struct km_http_server_args args;
    struct km_http_settings set;
    struct km_head_limits limits;
    struct km_list conns;
    size_t nconns;
    struct km_list free_conns, free_exchanges;
    size_t nfree_conns, nfree_exchanges;
    struct km_head *spare_head;
    char *spare_block; /* of a large body that is done: the next one's, for a moment */
    size_t spare_block_n;
    struct km_timer spare_timer;
    struct km_cork *corks; /* recycled */
    size_t ncorks;
    uint64_t date_until_ms; /* loop time until which `date` holds */
    char date[40]; /* "Date: ...\r\n" */
    size_t date_n;
    bool draining;
    void (*pass_on)(void *ctx, int fd);
    void (*drained_fn)(void *ctx);
    void *drain_ctx;
    struct km_deferred drained;
};

/* --- server.c: what is recycled --- */
struct km_exchange *km_exchange_take(struct km_http_server *s);
void km_exchange_give(struct km_http_server *s, struct km_exchange *x);
struct km_cork *km_cork_take(struct km_http_server *s);
void km_cork_give(struct km_http_server *s, struct km_cork *cork);
/* A block for a body, of at least n bytes: the one that is kept, or a new one.  NULL: no memory. */
char *km_server_take_block(struct km_http_server *s, size_t n, size_t *ret_size);
void km_server_give_block(struct km_http_server *s, char *block, size_t size);
struct km_head *km_server_take_head(struct km_http_server *s);
void km_server_give_head(struct km_http_server *s, struct km_head *head);
struct km_conn *km_conn_take(struct km_http_server *s);
void km_conn_give(struct km_conn *c); /* the conn is out of every list and timer after */

/* --- conn.c --- */
void km_conn_open(struct km_conn *c, struct km_stream *stream);
void km_conn_process(struct km_conn *c); /* c->in is set, or held bytes are */
/* Closes at once, or gracefully; the exchange, if there is one, learns that it is gone. */
void km_conn_drop(struct km_conn *c);
void km_conn_linger(struct km_conn *c);
/* The exchange is over and forgotten; keep: the next request may come, after `rest` bytes of
 * a body that nobody wanted. */
void km_conn_next(struct km_conn *c, bool keep, uint64_t rest);
/* Draining: passes an idle connection on or closes it. */
void km_conn_drain(struct km_conn *c);
void km_conn_write(struct km_conn *c, const struct km_str *parts, size_t n);
void km_conn_arm(struct km_conn *c);
/* Reading stops while the look-ahead is full and goes on when there is a use for bytes. */
void km_conn_flow(struct km_conn *c);
/* `in` for work outside km_conn_process(): what is held.  Pairs. */
void km_conn_in_begin(struct km_conn *c);
void km_conn_in_end(struct km_conn *c);
void km_conn_gone(struct km_conn *c);
/* Answers an error that no handler will see, and closes. path may be empty. */
void km_conn_refuse(struct km_conn *c, const struct km_err *err, struct km_str path);
/* A body makes progress or begins to: when it must have made more. */
void km_conn_body_deadline(struct km_conn *c, bool begin, size_t n);

/* --- conn_end.c, for conn.c --- */
void km_conn_on_timer(void *ctx);
void km_conn_deadline(struct km_conn *c, int64_t ms); /* of the state, from now */
void km_conn_idle(struct km_conn *c); /* between requests from now on */
/* The stream was given away: the exchange is told, the conn goes when that has ended. */
void km_conn_forget(struct km_conn *c);
void km_conn_release(struct km_conn *c); /* unless something still needs it */

/* --- exchange.c --- */
void km_exchange_begin(struct km_exchange *x);
/* Takes body bytes from conn->in; true: complete.  A negative *ret_code: failed. */
bool km_exchange_gather(struct km_exchange *x, int *ret_code, struct km_err *err);
/* Gives body bytes of conn->in as pieces; false: no more for now. */
bool km_exchange_give_pieces(struct km_exchange *x);
bool km_exchange_reads(const struct km_exchange *x); /* it has a use for body bytes now */
void km_exchange_body_done(struct km_exchange *x);
void km_exchange_body_failed(struct km_exchange *x, const struct km_err *err);
void km_exchange_done(struct km_exchange *x); /* gives back what it holds */

/* --- answer.c --- */
struct km_answer {
    char first[320], last[96];
    struct km_str parts[3]; /* status line and Date, the caller's lines, framing */
};
#define KM_LENGTH_NONE (UINT64_MAX - 1) /* no length field: 204, 304, until close */
/* length UINT64_MAX: chunked. */
void km_answer_head(struct km_http_server *s, struct km_answer *a, int status, struct km_str head,
                    uint64_t length, bool keep, bool old_version);

#endif
