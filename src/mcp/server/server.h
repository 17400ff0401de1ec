/* SPDX-License-Identifier: Apache-2.0 */
/* server.h - the core of every MCP server that is part of kanmon: both eras, any transport.
 *
 * A server is a row with rows of tools, resources and prompts.  An endpoint is what a client
 * connects to: one server, or
 * several whose tools carry their server's name ("kanmon-list_models").  A transport reads a
 * message (jsonrpc.h), finds its revision (revision.h), fills a km_mcp_call and hands it to
 * km_mcp_handle(); the answer comes by host->reply, once, at once or later.
 *
 *     transport ── km_mcp_handle ── tools/call ── tool->run ── km_mcp_call_result
 *         ^                             │                            │
 *         └── host->reply <── km_mcp_audited <── host->audit <───────┘
 *
 * While it runs, a tool (or a prompt, or a resource) may say how far it is, log, and ask the
 * client: ask.c.  What is asked is answered in both eras in one way: the function runs again from
 * its beginning and finds the answers there.
 *
 * Nothing here keeps state between messages: a client of the handshake era is served without a
 * session (Mcp-Session-Id is the server's choice).  What a client on a line of its own said before
 * is kept by peer.h.  Thread: the call's own loop.
 */
#ifndef KM_MCP_SERVER_H
#define KM_MCP_SERVER_H

#include "mcp/safety/approval.h"
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

/* What can be read by its address, or by an address made of this template ("test://{id}/data").
 * run answers by km_mcp_call_members() with "contents"; call->uri is the address. */
struct km_mcp_resource {
    struct km_str uri;
    struct km_str name, title, description, mime;
    bool is_template;
    km_mcp_tool_fn *run;
};

struct km_mcp_argument {
    struct km_str name, description;
    bool required;
};

/* run answers by km_mcp_call_members() with "messages"; call->args has what is required. */
struct km_mcp_prompt {
    struct km_str name, title, description;
    const struct km_mcp_argument *arguments;
    size_t narguments;
    const void *data; /* the server's own: call->prompt has it */
    km_mcp_tool_fn *run;
};

/* A method that a server has of its own, before what the rows would do: a list that is made of a
 * catalogue, completion/complete ...  Answers by km_mcp_call_members() or km_mcp_fault(), now or
 * later; or returns negative and the
 * answer is an error with *err's text. */
struct km_mcp_method {
    struct km_str name;
    km_mcp_tool_fn *run;
};

/* What goes on between the call of a tool and its answer is call->work, the tool's own. */
struct km_mcp_server {
    struct km_str name, title, version;
    struct km_str instructions; /* for the model; empty: none */
    bool passing; /* they say that something is not known yet: worth asking again soon */
    const struct km_mcp_tool *tools;
    size_t ntools;
    const struct km_mcp_resource *resources;
    size_t nresources;
    const struct km_mcp_prompt *prompts;
    size_t nprompts;
    const struct km_mcp_method *methods;
    size_t nmethods;
    struct km_str capabilities; /* what it has besides its rows: "\"completions\":{}"; or empty */
    bool error_objects; /* errors of its tools are {"error":{"code","message"}} */
    bool changes; /* its lists do, and what can be read: it says so */
    bool watched; /* of its lists that of resources alone; and it has resources/subscribe */
    const uint8_t *state_key; /* KM_AEAD_KEY_LEN: what its tools ask between two rounds of a
                                 stateless client is kept with that client, sealed; NULL: lost */
    void *data; /* what its tools stand on; NULL: nothing of its own */
    /* Before instructions are told: brings them up to date and calls then(call), once and later.
     * Negative: they stay, and nothing follows.  NULL: they never change. */
    int (*prepare)(struct km_mcp_call *call, void (*then)(struct km_mcp_call *call));
    /* Of a call whose work is not NULL.  cancel: nobody wants the answer; it comes all the same,
     * soon.  drop: its memory is about to go; nothing follows.  NULL: its tools answer at once. */
    void (*cancel)(struct km_mcp_call *call);
    void (*drop)(struct km_mcp_call *call);
    /* A call of one of its tools is answered, and call->out is complete; its record comes next and
     * says call->noted too.  outcome: "ok", "error", "invalid_arguments" ...  NULL: never mind. */
    void (*ended)(struct km_mcp_call *call, const char *outcome);
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
    struct km_auth *auth; /* what proves it elsewhere, as long as the call; NULL: nothing */
    bool admin;
    void *ctx; /* for tools: what the layer above knows */
    struct km_str values; /* JSON object: what its key says for this server; empty: nothing */
};

/* What the layer above does for the core. */
struct km_mcp_host {
    /* Writes the record, then calls km_mcp_audited(), never synchronously. */
    void (*audit)(struct km_mcp_call *call, const struct km_audit *record);
    /* The end of the call.  http: the status where the transport is HTTP.  body is valid during
     * the call only; empty: nothing is to be said (202). */
    void (*reply)(struct km_mcp_call *call, int http, struct km_str body);
    /* A notification or a request to the client, before the answer.  NULL: it hears the answer
     * only, and cannot be asked. */
    void (*send)(struct km_mcp_call *call, struct km_str message);
    /* call->noted has changed: for a layer above that writes the record itself.  NULL: the core's
     * record is the only one. */
    void (*noted)(struct km_mcp_call *call);
};

#define KM_MCP_CALL_QUESTIONS 8 /* of one call */

/* To the client's user, model or editor. */
struct km_mcp_call_question {
    struct km_str key; /* what its answer is found by */
    struct km_str method; /* elicitation/create, sampling/createMessage, roots/list */
    struct km_str params; /* JSON object */
};

/* One that was asked, or whose answer a stateless client brought. */
struct km_mcp_asked {
    struct km_str key;
    const struct km_json *answer; /* NULL: none yet */
    unsigned rounds; /* how often it was sent */
    bool open; /* sent, not answered */
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
    uint64_t number; /* of its messages on this line: ids of questions are made of it */
    const struct km_json *capabilities; /* what the client declared; NULL: nothing */
    unsigned char log_level; /* from which on it wants to hear, as km_mcp_level(); 0: nothing */
    /* --- for the tool --- */
    const struct km_mcp_server *server;
    const struct km_mcp_tool *tool;
    const struct km_json *args; /* an object that fits the schema; NULL: none were sent */
    struct km_str uri; /* of resources/read */
    const struct km_mcp_prompt *prompt; /* of prompts/get */
    void *work; /* set by a tool that answers later, NULL again when it answers */
    const struct km_err *unproved; /* set by a tool of another's interface before it fails: what
                                      proves the caller there was refused; in the call's arena */
    void *tally; /* the server's own, for its `ended`; NULL at first */
    /* --- the core's own --- */
    uint64_t began_ns;
    struct km_str asked_name;
    uint8_t digest[32]; /* of the arguments */
    struct km_str noted; /* members of the record that its server adds; empty: none */
    bool refused; /* out is the message of a protocol error, fault its kind */
    enum km_rpc_fault fault;
    struct km_str fault_data; /* JSON; empty: none */
    km_mcp_tool_fn *again; /* runs when what was asked is answered */
    struct km_mcp_asked asked[KM_MCP_CALL_QUESTIONS];
    size_t nasked;
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
/* The tool's answer is this error. */
void km_mcp_call_failed(struct km_mcp_call *call, const struct km_err *err);
void km_mcp_call_text(struct km_mcp_call *call, struct km_str text, bool is_error);

/* content: a JSON array of content blocks. */
void km_mcp_call_content(struct km_mcp_call *call, struct km_str content, bool is_error);

/* Of what is no tool: the members of the result, without braces. */
void km_mcp_call_members(struct km_mcp_call *call, struct km_str members);

/* --- while it runs (ask.c) --- */

/* notifications/progress, where the client gave a token; total 0: not known. */
void km_mcp_call_progress(struct km_mcp_call *call, int64_t done, int64_t total);
/* notifications/message, where the client wants to hear of that level ("info"). */
void km_mcp_call_log(struct km_mcp_call *call, const char *level, struct km_str text);
/* What the record of the call is to say besides: members of JSON without braces, of at most 1 KiB,
 * in the call's arena.  The last word counts; none of it may be a value of the caller's. */
void km_mcp_call_note(struct km_mcp_call *call, struct km_str members);
bool km_mcp_call_can(const struct km_mcp_call *call, const char *capability);

/* Asks whatever of it has no answer yet that fits.  true: the function returns 0 at once, and runs
 * again when the answers are there (or it has failed, and does not).  false: all are there. */
bool km_mcp_call_ask(struct km_mcp_call *call, const struct km_mcp_call_question *questions,
                     size_t n) KM_MUST_USE;
/* The result the client gave: {"action":"accept",...}; NULL: none. */
const struct km_json *km_mcp_call_answer(const struct km_mcp_call *call, struct km_str key);

/* --- for transports: what came back --- */

/* A response of the client: false when it is not to a question of this call.  *ret_ready: nothing
 * is open any more, so km_mcp_call_again() is due, from the loop. */
bool km_mcp_call_answered(struct km_mcp_call *call, const struct km_rpc_message *response,
                          bool *ret_ready);
void km_mcp_call_again(struct km_mcp_call *call);
/* Waits for the client alone: nothing else will end it. */
bool km_mcp_call_asking(const struct km_mcp_call *call);

/* The record was written (err NULL), or was not: then the result is withheld. */
void km_mcp_audited(struct km_mcp_call *call, const struct km_err *err);

#endif
