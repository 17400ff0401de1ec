/* SPDX-License-Identifier: Apache-2.0 */
/* link.h - how messages get to one server and back: stdio, Streamable HTTP, HTTP+SSE,
 * a call within this process, or the requests of a REST interface.
 *
 * A link carries JSON-RPC messages and knows no more of them than it is told: ids, methods and
 * what they mean are the remote's (remote/remote.h).  What a transport knows beyond a message
 * is said along with it: `about`, the request on whose own stream a message came.
 *
 * Thread: its loop.  Events never come from inside a call of the link.
 */
#ifndef KM_MCP_LINK_H
#define KM_MCP_LINK_H

#include "llm/auth.h"
#include "mcp/ask.h"

struct km_link;

/* Why a request will have no answer. */
struct km_link_failure {
    const struct km_err *err;
    bool maybe_executed;
    bool session_gone; /* the server does not know our session (any more) */
    bool credentials; /* what proves the asker was refused, or could not be had */
    int status; /* HTTP; 0: none */
    struct km_str body; /* of such an answer, its beginning; dies with the callback */
    struct km_str challenge; /* WWW-Authenticate */
};

struct km_link_events {
    /* It can be sent on.  Once. */
    void (*on_up)(void *ctx);
    /* Where each message is an exchange of its own, and one can overtake another: the server has
     * taken notifications/initialized, or refused it.  At least once. */
    void (*on_introduced)(void *ctx);
    /* One message; about 0: it belongs to no request in particular. */
    void (*on_message)(void *ctx, uint64_t about, struct km_str text);
    void (*on_failed)(void *ctx, uint64_t id, const struct km_link_failure *failure);
    /* Of a server that is part of kanmon: as km_mcp_call_note(), of the request with that id. */
    void (*on_noted)(void *ctx, uint64_t id, struct km_str members);
    /* Nothing comes any more, for no request.  Once, last; only free may follow. */
    void (*on_down)(void *ctx, const struct km_err *err);
};

struct km_link_request {
    uint64_t id; /* of a request; 0: a notification or an answer, of which nothing is heard */
    struct km_str method; /* empty: an answer */
    struct km_str principal; /* who asks; empty: kanmon itself */
    struct km_auth *auth; /* of who asks, in place of the link's from here on; NULL: the link's */
    struct km_str values; /* of who asks, for a server that is part of kanmon; empty: none */
    struct km_buf *text; /* the whole message, on one line; may be taken */
    struct km_str head; /* more header lines, where there are headers */
    uint64_t timeout_ms; /* to the beginning of an answer; 0: none */
};

struct km_link_ops {
    /* Begins; on_up or on_down follows. */
    void (*open)(struct km_link *l);
    /* Copies what it needs, but for the text. */
    void (*send)(struct km_link *l, const struct km_link_request *q);
    /* It was answered (the stream may end by itself), or nobody wants the answer (its stream is
     * closed, which tells a stateless server).  NULL: it does not matter here. */
    void (*settle)(struct km_link *l, uint64_t id, bool answered);
    /* The protocol that was agreed on; a handshake is over.  NULL: it does not matter here. */
    void (*agreed)(struct km_link *l, const struct km_mcp_revision *revision);
    /* Something that has no answer, such as a cancellation, has not arrived yet.  NULL: it cannot
     * be known. */
    bool (*speaking)(const struct km_link *l);
    /* It has not read all that it was sent.  NULL: it cannot be known. */
    bool (*behind)(const struct km_link *l);
    /* Ends it; a session is taken leave of.  No event follows.  Returns NULL. */
    struct km_link *(*free)(struct km_link *l);
};

struct km_link { /* first member of each kind */
    const struct km_link_ops *ops;
    const struct km_link_events *events;
    void *ctx;
    bool unproved; /* it ends because what proves its asker was refused, or could not be had */
};

static inline void km_link_settle(struct km_link *l, uint64_t id, bool answered)
{
    if (l->ops->settle)
        l->ops->settle(l, id, answered);
}

static inline bool km_link_behind(const struct km_link *l)
{
    return l->ops->behind && l->ops->behind(l);
}

static inline void km_link_agreed(struct km_link *l, const struct km_mcp_revision *revision)
{
    if (l->ops->agreed)
        l->ops->agreed(l, revision);
}

/* The end of a link, told from the loop, once: link/end.c. */
struct km_link_end {
    struct km_link *link;
    bool is_down; /* it is told, or about to be */
    struct km_err why;
    struct km_deferred later;
};
void km_link_end_init(struct km_link_end *e, struct km_link *link, struct km_loop *loop);
void km_link_end(struct km_link_end *e, const struct km_err *why); /* the first one counts */
void km_link_end_cancel(struct km_link_end *e); /* the link is freed: nothing is told any more */

struct km_link_args {
    struct km_loop *loop;
    struct km_mailbox *mailbox;
    struct km_http_client *client;
    struct km_mcp_upstream *upstream; /* referenced */
    const struct km_mcp_asker *asker;
    struct km_auth *auth; /* makes header lines of each request; NULL: none.  Referenced */
    const struct km_link_events *events;
    void *ctx;
    const char *log_path; /* stdio: of standard error; NULL: none */
    struct km_log_writer *log_writer; /* stdio: who writes there */
    const char *work_dir; /* stdio: where cwd is not configured */
    const char *cgroup; /* stdio: where memory may be bounded; empty or NULL: nowhere */
    uint64_t delay_ms; /* stdio: not to be started before */
    _Atomic unsigned *living; /* stdio: processes of all servers; see struct km_child_spec */
    unsigned most; /* stdio: of them */
    size_t workers; /* builtin: see builtin.h */
    bool network; /* the same */
    struct km_log *log; /* the same */
    struct km_metrics *metrics; /* the same */
    size_t worker; /* the same */
};

/* NULL with err. */
struct km_link *km_link_http_new(const struct km_link_args *args, struct km_err *err);
struct km_link *km_link_sse_new(const struct km_link_args *args, struct km_err *err);
struct km_link *km_link_stdio_new(const struct km_link_args *args, struct km_err *err);
struct km_link *km_link_builtin_new(const struct km_link_args *args, struct km_err *err);
struct km_link *km_link_openapi_new(const struct km_link_args *args, struct km_err *err);
/* What each tool of such a link does (openapi/source.h is told). */
struct km_mcp_call;
int km_link_openapi_run(struct km_mcp_call *call, struct km_err *err);

#endif
