/* SPDX-License-Identifier: Apache-2.0 */
/* server.h - the core of every MCP server that is part of kanmon: both eras, any transport.
 *
 * A server is a row with rows of tools.  An endpoint is what a client connects to: one server, or
 * several whose tools carry their server's name ("kanmon-list_models").  A transport reads a
 * message (jsonrpc.h), finds its revision (revision.h), fills a km_mcp_call and hands it to
 * km_mcp_handle(); the answer comes by host->reply, once, at once or later.
 *
 *     transport ── km_mcp_handle ── tools/call ── tool->run ── km_mcp_call_result
 *         ^                             │                            │
 *         └── host->reply <── km_mcp_audited <── host->audit <───────┘
 *
 * Nothing here keeps state between messages: a client of the handshake era is served without a
 * session (Mcp-Session-Id is the server's choice).  Thread: the call's own loop.
 */
#ifndef KM_MCP_SERVER_H
#define KM_MCP_SERVER_H

#include "mcp/approval.h"
#include "mcp/revision.h"
#include "store/store.h"

#define KM_MCP_RESULT_BYTES ((size_t)4 * 1024 * 1024) /* of one tool's result */

struct km_mcp_call;

/* Answers by km_mcp_call_result() or km_mcp_call_text(), now or later; or returns negative and
 * the tool's answer is an error with *err's text. */
typedef int km_mcp_tool_fn(struct km_mcp_call *call, struct km_err *err);

struct km_mcp_tool {
    struct km_str name; /* [a-zA-Z0-9_-], at most 64 with its server's name before it */
    struct km_str title, description;
    struct km_str input; /* JSON Schema of an object, in the words of schema.h */
    struct km_str output; /* of structuredContent; empty: the tool answers with text */
    struct km_mcp_hints hints;
    enum km_risk risk; /* UNKNOWN: as the hints say */
    bool admin; /* shown to and run by the administrator only */
    km_mcp_tool_fn *run;
};

/* A method besides those of tools that a server has of its own: resources/read, prompts/get ...
 * Answers by km_mcp_call_members() or km_mcp_fault(), now or later; or returns negative and the
 * answer is an error with *err's text. */
struct km_mcp_method {
    struct km_str name;
    km_mcp_tool_fn *run;
};

/* What goes on between the call of a tool and its answer is call->work, the tool's own. */
struct km_mcp_server {
    struct km_str name, title, version;
    struct km_str instructions; /* for the model; empty: none */
    const struct km_mcp_tool *tools;
    size_t ntools;
    const struct km_mcp_method *methods;
    size_t nmethods;
    struct km_str capabilities; /* what it has besides tools: "\"prompts\":{}"; empty: nothing */
    void *data; /* what its tools stand on; NULL: nothing of its own */
    /* Before instructions are told: brings them up to date and calls then(call), once and later.
     * Negative: they stay, and nothing follows.  NULL: they never change. */
    int (*prepare)(struct km_mcp_call *call, void (*then)(struct km_mcp_call *call));
    /* Of a call whose work is not NULL.  cancel: nobody wants the answer; it comes all the same,
     * soon.  drop: its memory is about to go; nothing follows.  NULL: its tools answer at once. */
    void (*cancel)(struct km_mcp_call *call);
    void (*drop)(struct km_mcp_call *call);
};

/* Rows must outlive the calls. */
struct km_mcp_endpoint {
    struct km_str name, title, version; /* who it says it is */
    const struct km_mcp_server *const *servers;
    size_t nservers;
    bool prefixed; /* tools are listed as {server}-{tool}; both forms are accepted */
};

struct km_mcp_caller {
    struct km_str who; /* short, for the audit log */
    struct km_str principal; /* complete, what approvals are bound to */
    bool admin;
    void *ctx; /* for tools: what the layer above knows */
};

/* What the layer above does for the core. */
struct km_mcp_host {
    /* Writes the record, then calls km_mcp_audited(), never synchronously. */
    void (*audit)(struct km_mcp_call *call, const struct km_audit *record);
    /* The end of the call.  http: the status where the transport is HTTP.  body is valid during
     * the call only; empty: nothing is to be said (202). */
    void (*reply)(struct km_mcp_call *call, int http, struct km_str body);
};

struct km_mcp_call {
    /* --- the transport fills these --- */
    struct km_arena *arena; /* ends with the call, not later; holds the message */
    const struct km_mcp_host *host;
    const struct km_mcp_endpoint *endpoint;
    struct km_mcp_caller caller;
    void *owner; /* the transport's own */
    struct km_approvals *approvals;
    const struct km_approval_policy *policy;
    struct km_rpc_message msg;
    const struct km_mcp_revision *revision;
    /* --- for the tool --- */
    const struct km_mcp_server *server;
    const struct km_mcp_tool *tool;
    const struct km_json *args; /* an object that fits the schema; NULL: none were sent */
    void *work; /* set by a tool that answers later, NULL again when it answers */
    /* --- the core's own --- */
    uint64_t began_ns;
    struct km_str asked_name;
    uint8_t digest[32]; /* of the arguments */
    bool refused; /* out is the message of a protocol error, fault its kind */
    enum km_rpc_fault fault;
    struct km_buf out; /* the result, until its record is written */
    bool ended;
};

/* Takes the message; call->host->reply follows. */
void km_mcp_handle(struct km_mcp_call *call);

/* Answers with a protocol error; for what a transport finds wrong. */
void km_mcp_fault(struct km_mcp_call *call, enum km_rpc_fault fault, const char *message);

/* --- the ends of a tool, exactly one --- */

/* json: the structured result; the same is given as text. */
void km_mcp_call_result(struct km_mcp_call *call, struct km_str json);
void km_mcp_call_text(struct km_mcp_call *call, struct km_str text, bool is_error);

/* Of a server's own method: the members of the result, without braces. */
void km_mcp_call_members(struct km_mcp_call *call, struct km_str members);

/* The record was written (err NULL), or was not: then the result is withheld. */
void km_mcp_audited(struct km_mcp_call *call, const struct km_err *err);

#endif
