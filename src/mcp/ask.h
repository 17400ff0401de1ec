/* SPDX-License-Identifier: Apache-2.0 */
/* ask.h - one request to an MCP server behind kanmon, and all that belongs to it.
 *
 *     ask = km_mcp_ask(desk, &(struct km_mcp_ask_args){ .upstream, .asker, .method, .params, ... })
 *        on_notice    progress, log messages: what the server says while it works
 *        on_question  it asks its client: elicitation/create, sampling/createMessage, roots/list;
 *                     km_mcp_ask_answer() answers
 *        on_done      once, last: a result, an error, input_required, or why there is none
 *
 * The era and the transport of the server are hidden: a server with a handshake gets a session
 * and real requests, a stateless one `_meta` and headers; ids and progress tokens are our own on
 * the server's side and the asker's again on this one.  Where a server runs on another worker's
 * loop (a stdio child) the messages go through mailboxes; the asker does not see it.
 *
 * Thread: all calls and callbacks on the desk's loop.  Nothing is called synchronously.
 */
#ifndef KM_MCP_ASK_H
#define KM_MCP_ASK_H

#include "mcp/upstream/upstream.h"

#define KM_MCP_MESSAGE_BYTES KM_RPC_BYTES /* 16 MiB: one message of a server over HTTP */
#define KM_MCP_LINE_BYTES ((size_t)10 * 1024 * 1024) /* one line of a stdio server */
#define KM_MCP_NOTICES 10000 /* of one ask; what comes beyond is dropped and counted */
#define KM_MCP_QUESTIONS 64 /* open or answered, of one ask */
#define KM_MCP_ASKS_MOST 4096 /* open at one desk; one more is OVERLOADED */

/* Who asks.  Two askers share a session or a child only where server, what the configuration
 * makes of their headers and credentials, and declared capabilities are equal. */
struct km_mcp_asker {
    struct km_str principal; /* complete: two callers never share one; empty: kanmon itself */
    struct km_str capabilities; /* JSON object: the client's, as far as they are to be relayed */
    const struct km_headers *headers; /* of the client's request; NULL: none */
    struct km_str log_level; /* wanted of the server; empty: none */
    struct km_str rights; /* JSON: object_permission of the caller's key; empty: it has none */
    struct km_str session; /* of a `stateful` server: askers with the same one share; or empty */
    enum km_mcp_era era; /* of the client, where it can be asked something (asker.h) */
    struct km_mcp_subject *subject; /* the token it came with, where one is exchanged; or NULL */
};

enum km_mcp_answer_kind {
    KM_MCP_RESULT, /* json: the result object as it came */
    KM_MCP_ERROR, /* json: the error object as it came */
    KM_MCP_INPUT_REQUIRED, /* json: a stateless server's result that asks; nothing waits there */
    KM_MCP_FAILED, /* err says why; json is empty */
};

struct km_mcp_answer {
    enum km_mcp_answer_kind kind;
    struct km_str json; /* dies with the callback */
    const struct km_err *err; /* FAILED: UPSTREAM_CONNECT, _TIMEOUT, _PROTOCOL, _STATUS (http is the
                                 server's status), LIMIT, OVERLOADED, CANCELED, UNAUTHENTICATED */
    bool maybe_executed; /* FAILED, ERROR: the server may have done it, or a part of it */
    bool unproved; /* FAILED: this asker could not prove itself, where each does: its own affair,
                      and no word about the server */
    bool sent; /* FAILED: the server may have read a byte of it */
    bool unasked; /* FAILED: it was not even tried, for its server rests, or is stopped or full */
    int http; /* ERROR: the status that it came with, where that is none of success; else 0 */
    const struct km_mcp_revision *revision; /* RESULT, ERROR, INPUT_REQUIRED: it is said in */
    struct km_str challenge; /* FAILED with 401 or 403: its WWW-Authenticate */
};

struct km_mcp_ask_events {
    /* params: JSON object or empty; both die with the callback. */
    void (*on_notice)(void *ctx, struct km_str method, struct km_str params);
    /* Open until answered, until on_withdrawn, or until on_done.  NULL: every question is answered
     * with "method not found". */
    void (*on_question)(void *ctx, uint64_t question, struct km_str method, struct km_str params);
    /* The server does not want the answer any more.  May be NULL. */
    void (*on_withdrawn)(void *ctx, uint64_t question);
    /* A server that is part of kanmon: members for the record of the call, the last ones count
     * (km_mcp_call_note()); they die with the callback.  May be NULL. */
    void (*on_noted)(void *ctx, struct km_str members);
    /* The ask is gone when this returns. */
    void (*on_done)(void *ctx, const struct km_mcp_answer *answer);
};

struct km_mcp_ask_args {
    struct km_mcp_upstream *upstream; /* referenced while the ask lives */
    const struct km_mcp_asker *asker; /* copied */
    struct km_str method;
    struct km_str params; /* JSON object as the server is to get it, names its own; empty: none.
                             `_meta` may be there: what belongs to an era is put right */
    uint64_t timeout_ms; /* without a word from the server; 0: as configured */
    struct km_mcp_times times; /* of a client's; silent_ms 0: see timeout_ms */
    bool standing; /* no session is begun for it: CANCELED where none is there */
    const struct km_mcp_ask_events *events;
    void *ctx;
};

struct km_mcp_ask;

/* Copies what it needs.  NULL only when there are KM_MCP_ASKS_MOST or memory is out (err says):
 * then no callback follows. */
struct km_mcp_ask *km_mcp_ask(struct km_mcp_desk *desk, const struct km_mcp_ask_args *args,
                              struct km_err *err);
/* json: the result object, or the error object where is_error.  A question that is not open (any
 * more) is passed over. */
void km_mcp_ask_answer(struct km_mcp_ask *ask, uint64_t question, bool is_error,
                       struct km_str json);
/* The client has said more about it: more to a request under way (notifications/progress ...). */
void km_mcp_ask_note(struct km_mcp_ask *ask, struct km_str method, struct km_str params);
/* The server is told (notifications/cancelled, or its stream is closed).  No callback follows. */
void km_mcp_ask_cancel(struct km_mcp_ask *ask, struct km_str reason);
/* Nobody wants the callbacks any more, but the server may finish (a handshake-era client went
 * away for good): on_done is not called, questions are refused. */
void km_mcp_ask_forget(struct km_mcp_ask *ask);

/* A notification of the client for the session this asker has there (roots/list_changed); nothing
 * where there is no session. */
void km_mcp_tell(struct km_mcp_desk *desk, struct km_mcp_upstream *u,
                 const struct km_mcp_asker *asker, struct km_str method, struct km_str params);

/* --- catalogues --- */

/* What the server shows to this asker, referenced; never NULL.  Where nothing is known of that yet
 * (known is false) or only what was kept in the store, finding out begins, in a session without
 * client capabilities: one that declares the asker's begins with its first call, and what that
 * lists otherwise is shown from then on.  asker NULL: what it shows to a client without
 * capabilities.  Any thread but it begins nothing where desk is NULL. */
struct km_mcp_catalogue *km_mcp_catalogue(struct km_mcp_desk *desk, struct km_mcp_upstream *u,
                                          const struct km_mcp_asker *asker);

/* Would a session that declares this asker's capabilities, and was never asked, list something
 * else?  Nobody knows. */
bool km_mcp_own_unheard(struct km_mcp_upstream *u, const struct km_mcp_asker *asker);

struct km_mcp_wait;

/* fn once, on the loop, never synchronously: when the catalogues of all n are known (each has been
 * heard, or is down for now), or after ms. */
struct km_mcp_wait *km_mcp_catalogue_wait(struct km_mcp_desk *desk,
                                          struct km_mcp_upstream *const *v, size_t n,
                                          const struct km_mcp_asker *asker, uint64_t ms,
                                          void (*fn)(void *ctx), void *ctx);
/* The same for the lists of a session that declares this asker's capabilities, which is begun where
 * there is none. */
struct km_mcp_wait *km_mcp_own_wait(struct km_mcp_desk *desk, struct km_mcp_upstream *u,
                                    const struct km_mcp_asker *asker, uint64_t ms,
                                    void (*fn)(void *ctx), void *ctx);
void km_mcp_wait_cancel(struct km_mcp_wait *wait); /* fn does not follow */

/* --- subscriptions to resources --- */

/* notifications/resources/updated of this uri for this asker.  Counted: the server is asked once
 * and told when the last is gone.  The first goes to the server, later ones share it; when the
 * server is restarted it is asked again, and so is the one that a reload puts in its place. */
struct km_mcp_subscription;

typedef void km_mcp_updated_fn(void *ctx, struct km_str uri, struct km_str params);

/* What the server says to the subscription: RESULT, ERROR or FAILED, which does not end it.  Once,
 * on the loop, never synchronously, and not after km_mcp_unsubscribe(), which it may call. */
typedef void km_mcp_subscribed_fn(void *ctx, const struct km_mcp_answer *answer);

struct km_mcp_subscribe_args {
    struct km_mcp_upstream *upstream; /* referenced while it is followed */
    const struct km_mcp_asker *asker; /* copied */
    struct km_str uri;
    km_mcp_updated_fn *updated;
    km_mcp_subscribed_fn *subscribed; /* NULL: nobody waits for it */
    void *ctx;
    bool relayed; /* of another desk, which follows a reload for it */
};

/* NULL: no memory, over 10,000 at this desk, or the server is not configured any more. */
struct km_mcp_subscription *km_mcp_subscribe(struct km_mcp_desk *desk,
                                             const struct km_mcp_subscribe_args *args);
/* Its server was taken out of the configuration: nothing follows any more. */
bool km_mcp_subscription_over(const struct km_mcp_subscription *s);
void km_mcp_unsubscribe(struct km_mcp_subscription *s); /* no callback follows; NULL is fine */

/* --- log messages that belong to no request --- */

struct km_mcp_hearing;

/* A notifications/message of the server while no client's request runs there, of the hearing's
 * level or above; params: a JSON object that dies with the callback.  On the loop. */
typedef void km_mcp_heard_fn(void *ctx, struct km_str params);

/* What is said in the session or child this asker has there, where it is the only one that used
 * it; also in those of the server that a reload puts in its place.  level: km_mcp_level(), not 0;
 * the server is told what the most eager want.  NULL: no memory, over 10,000 at this desk, or the
 * server is not configured any more. */
struct km_mcp_hearing *km_mcp_hear(struct km_mcp_desk *desk, struct km_mcp_upstream *u,
                                   const struct km_mcp_asker *asker, unsigned level,
                                   km_mcp_heard_fn *fn, void *ctx);
void km_mcp_unhear(struct km_mcp_hearing *h); /* no callback follows; NULL is fine */
/* Whom it hears now; NULL: that server was taken out, or others may use it than before. */
const struct km_mcp_upstream *km_mcp_hears(const struct km_mcp_hearing *h);

/* Does anything of a client's header lines reach this server?  Where not, an asker needs none. */
bool km_mcp_headers_matter(const struct km_mcp_upstream *u, const struct km_headers *headers);

/* What tells an asker from others at this server: 32 bytes, all zero for one that brings nothing of
 * its own there.  Askers with the same share sessions and lists. */
int km_mcp_asker_digest(const struct km_mcp_upstream *u, const struct km_mcp_asker *asker,
                        uint8_t ret[32], struct km_err *err) KM_MUST_USE;

#endif
