/* SPDX-License-Identifier: Apache-2.0 */
/* call.h - a request for an MCP server as a call: through the one table of steps, so that
 * rate limits, budgets and books hold for it as for a model.
 *
 *     turn ── km_mcp_call_begin ── admit ── route ── send: may it run? ask the server (flow.h)
 *                                                                 │ notices, questions
 *     answer <── finish <── account <── relay <── what this client is given of the result
 *
 * The call outlives its request where the era says so: its exchange is not its own.
 */
#ifndef KM_GATEWAY_MCP_CALL_H
#define KM_GATEWAY_MCP_CALL_H

#include "call/call.h"
#include "gateway/mcp/flow.h"
#include "gateway/mcp/job.h"
#include "gateway/mcp/turn.h"
#include "mcp/ask.h"
#include "mcp/upstream/calls.h"

#define KM_MCP_ROUNDS 8 /* input_required of a stateless server for one handshake-era call */
#define KM_MCP_META_INPUT_KEY "kanmon/inputKey" /* of a question: its key for stateless clients */
#define KM_MCP_INPUTS 16 /* questions of one input_required */

/* A server that may be asked in the place of the first. */
struct km_mcp_follower {
    struct km_mcp_view *view; /* referenced: member and item are its */
    const struct km_mcp_member *member;
    const struct km_mcp_item *item;
};

enum km_mcp_outcome { KM_MCP_OUT_NONE, KM_MCP_OUT_RESULT, KM_MCP_OUT_ERROR };

/* What a call of this kind has beside the call; in its arena. */
struct km_mcp_work {
    struct km_port port; /* client.c: what the client gets goes by it, as the job's */
    struct km_mcp_job job; /* on the client's stream */
    struct km_call *call;
    struct km_mcp_hub *hub;
    struct km_mcp_view *view; /* referenced: member and item are its */
    const struct km_mcp_member *member;
    const struct km_mcp_item *item; /* the tool or prompt; NULL: named by uri or task */
    const struct km_mcp_revision *revision; /* the client's */
    struct km_str method, params; /* for the server; what has passed the units of the request */
    struct km_str shown; /* the name the client used, or the uri */
    struct km_str group, own_name; /* in the books; made when first asked for */
    struct km_str text; /* the client's message, for kanmon's own servers */
    struct km_str principal, capabilities, log_level, session;
    struct km_err *wrong; /* with what it says of how it is to be carried out; NULL: nothing is */
    struct km_str requested_by; /* the client's own word, for the audit log */
    struct km_str base; /* "https://host" as the client sees kanmon; of a server with log-ins */
    struct km_headers headers;
    const struct km_json *args; /* of a tool call, until it was judged; later params count */
    uint8_t digest[32]; /* of the arguments */
    int64_t cost; /* nano-USD, of a call that ran */

    /* while it runs */
    struct km_mcp_flow flow;
    struct km_mcp_ask *ask;
    void (*own_over)(struct km_mcp_work *w); /* own_tool.c: its answer is here */
    struct km_list questions; /* struct km_mcp_question: put to the client, not answered */
    struct km_mcp_login_ask *login; /* its caller is to log in: login_ask.c */
    struct km_str required; /* the input_required that inputs.c is to answer */
    struct km_mcp_inputs *inputs; /* of the round under way: inputs.c */
    uint32_t questions_made;
    bool kept; /* it was parked when its server answered: what was said waits for the retry */
    unsigned rounds; /* of input_required answered for a handshake-era client */

    /* a stateless client is to answer: the call goes on without a stream */
    struct km_mcp_parked park; /* of hub->parks */
    struct km_timer park_timer; /* to gather questions, then to wait for their answers */

    /* a person is to say whether it may run: approve.c */
    struct km_mcp_question *approval; /* the question that was put; NULL: none is */
    struct km_str approved_by; /* "client" or "administrator"; empty: nobody was asked */
    bool asks; /* the client's user is asked, where it can be */

    /* the last attempt: again.c */
    bool failed_there; /* its server failed, or could not be asked */
    bool sent; /* it may have read something of it */
    bool entered; /* its server's breaker is to hear how it ends: fuse.c */
    unsigned repeats; /* further attempts at this server */
    struct km_mcp_follower *followers; /* NULL: none */
    size_t nfollowers, following; /* so many were asked, or passed over */
    struct km_str instead_of; /* the server that was asked first; empty: it is still */

    const struct km_mcp_revision *answered; /* what the server's answer is said in; NULL: none */
    struct km_str json; /* result or error object */
    struct km_buf said; /* what units made of it */
    const char *word; /* for the audit log */
    struct km_str noted; /* what a server of kanmon's own adds there: members; empty: nothing */
    enum km_mcp_outcome outcome;
    int http;

    bool tool, logs; /* it is tools/call; the client wants log messages */
    bool approved; /* a person said yes */
    bool fresh; /* args are the turn's, which lives */
    bool recorded;
    bool in_run; /* it was counted among the calls of its run: loop.c */
};

extern const char km_mcp_work_name[]; /* kind->work_name */

static inline struct km_mcp_work *km_mcp_work_of(const struct km_call *call)
{
    return km_call_work(call, km_mcp_work_name);
}

/* Whose flow it is. */
static inline struct km_mcp_work *km_mcp_work_of_flow(struct km_mcp_flow *f)
{
    return KM_CONTAINER(f, struct km_mcp_work, flow);
}

struct km_mcp_call_args {
    struct km_mcp_view *view; /* a reference is taken */
    const struct km_mcp_member *member;
    const struct km_mcp_item *item;
    struct km_str method, params, shown;
};

/* record.c: the kind's row `record`; in strict accounting the answer of a tool waits for it. */
bool km_mcp_record(struct km_call *call);
/* How it ended, in the audit log and in /metrics. */
const char *km_mcp_outcome(const struct km_mcp_work *w);
/* The record of a call that no server hears of: of a tool that is not there, not for this caller
 * or withheld, and of search_tools.  outcome: a word; server: empty where it is not known. */
void km_mcp_record_refused(struct km_mcp_turn *t, struct km_str server, struct km_str name,
                           const char *outcome);
/* Begins it for the turn's request; the answer comes on the turn's stream. */
void km_mcp_call_begin(struct km_mcp_turn *t, const struct km_mcp_call_args *args);

#define KM_MCP_ANSWER_MS ((uint64_t)600 * 1000) /* where no configuration says otherwise */

/* One question to the client.  answered: once, json is the result or error object (empty: the
 * client cannot answer any more); in ask.c it goes to the server that asked. */
struct km_mcp_question {
    struct km_list of_work, of_session;
    struct km_mcp_work *w;
    uint32_t number; /* in its session, or in its work where there is none */
    uint64_t server_question;
    struct km_str method, params, key; /* key: under which a stateless client answers */
    struct km_str json; /* of inputs: what was answered */
    struct km_str token; /* the server's progress token, its JSON; empty: none */
    void (*answered)(struct km_mcp_question *q, bool is_error, struct km_str json);
    bool of_server; /* it has `mcp_sessions.answer` long; what kanmon asks has its own time */
    bool late; /* nobody answered it in that time */
    struct km_timer timer;
};

/* ask.c */
void km_mcp_call_response(struct km_mcp_turn *t); /* the client's answer to a question */
void km_mcp_call_forget_questions(struct km_mcp_session *s); /* the session ends */
/* Puts it to the client of the call; KM_E_UNSUPPORTED: it cannot be asked that. */
int km_mcp_question_put(struct km_mcp_work *w, const struct km_mcp_question *like,
                        struct km_mcp_question **ret, struct km_err *err) KM_MUST_USE;
void km_mcp_question_free(struct km_mcp_question *q); /* off its lists; it is the call's memory */
/* All that its step put: nobody is told. */
void km_mcp_questions_free(struct km_mcp_work *w);
void km_mcp_question_withdraw(struct km_mcp_question *q); /* told, and freed */
bool km_mcp_client_can(const struct km_mcp_work *w, struct km_str method);

/* own_tool.c: a tool of the endpoint's own, in place of a server; it answers later.  It gets the
 * call's visit, which no link carries: that is why it is no kind of mcp/builtin.h.  It keeps
 * nothing, so it needs no session, catalogue or settings either. */
int km_mcp_run_own(struct km_mcp_work *w, void (*over)(struct km_mcp_work *w),
                   struct km_err *err) KM_MUST_USE;

/* approve.c */
/* A server's tool: what the rules of approval and the prices are for. */
bool km_mcp_is_judged(const struct km_mcp_work *w);
/* Is it a person who decides whether it runs? */
bool km_mcp_needs_approval(const struct km_mcp_work *w) KM_MUST_USE;
/* An approved call goes on as another request (a retry of a stateless client): that is approved. */
void km_mcp_approval_pass_on(struct km_mcp_work *w);

/* loop.c: false: it was called with the same arguments too many times in a row.  count: it is made
 * now; once each. */
bool km_mcp_may_go_round(struct km_mcp_work *w, bool count) KM_MUST_USE;
/* It is: the model is told so, as a result.  A step. */
int km_mcp_end_loop(struct km_mcp_work *w);

/* login_ask.c: did it fail because its caller has not logged in, or not for enough?  true: what
 * the step login asks for is noted. */
bool km_mcp_login_wanted(struct km_mcp_work *w, const struct km_err *err);

/* park.c: the row `parked` answers the client with all questions that are open, and lets the call
 * wait; a moment later, for a server that asks several things at once. */
/* The message belongs to a call that is parked at another worker: it was passed there. */
bool km_mcp_park_elsewhere(struct km_mcp_turn *t);
/* A retry with requestState: true when it was dealt with (answered, or taken up). *ret_inner and
 * *ret_server: the server's own state, where that is what was wrapped. */
bool km_mcp_unpark(struct km_mcp_turn *t, struct km_str state, struct km_str *ret_inner,
                   struct km_str *ret_server);
/* No retry will find them here: their servers are told that they are cancelled. */
void km_mcp_parks_end(struct km_mcp_hub *hub, const char *why);
/* A stateless server's input_required for a stateless client: its requestState is wrapped. */
void km_mcp_park_wrap(struct km_mcp_work *w, struct km_str json);

/* follow.c */
/* Finds who may be asked instead, as this caller sees them. */
int km_mcp_follow_find(struct km_mcp_work *w, struct km_mcp_turn *t) KM_MUST_USE;
/* true: the call is the next one's from now on; what it costs there is in call->each. */
bool km_mcp_follow(struct km_mcp_work *w);

/* fuse.c */
/* May its server have it?  KM_E_OVERLOADED: it is left alone. */
int km_mcp_fuse_enter(struct km_mcp_work *w, struct km_err *err) KM_MUST_USE;
enum km_mcp_call_end km_mcp_fuse_end(const struct km_mcp_answer *answer);
/* How it ended; harmless where it was not let in.  why: of BAD; or NULL. */
void km_mcp_fuse_report(struct km_mcp_work *w, enum km_mcp_call_end end, const struct km_err *why);

/* again.c: the kind's row `again`. */
enum km_call_retry km_mcp_again(struct km_call *call);
/* May it be sent once more, as far as that hangs on what it may have done? */
bool km_mcp_may_repeat(const struct km_mcp_work *w) KM_MUST_USE;
unsigned km_mcp_repeats_most(const struct km_mcp_work *w);
/* execution.c: call->execution and w->requested_by, of what the client says; what it says in _meta
 * is taken out of w->params. */
int km_mcp_read_execution(struct km_mcp_work *w, const struct km_mcp_turn *t,
                          struct km_err *err) KM_MUST_USE;
/* What a tool's call within a chat takes over of it, as JSON; or empty. */
struct km_str km_mcp_execution_within(const struct km_call *outer, struct km_arena *arena);
/* A result that says what of it was not done. */
struct km_str km_mcp_tell_execution(struct km_mcp_work *w, struct km_str json);

/* client.c: the stream of whoever waits, as the call's port. */
extern const struct km_port_ops km_mcp_client_ops;

/* oversize.c: a result that is over the limit, text and structured copy of it counted once; and
 * what is given in its place, in the call's arena. */
bool km_mcp_result_over(struct km_str json);
struct km_str km_mcp_result_cut(struct km_mcp_work *w, struct km_str json);

/* result.c: what this client is given of an answer. */
void km_mcp_work_result(struct km_mcp_work *w, struct km_str json);
void km_mcp_work_error(struct km_mcp_work *w, struct km_str json);
void km_mcp_work_text(struct km_mcp_work *w, const char *word, const char *text); /* isError */
void km_mcp_work_fault(struct km_mcp_work *w, enum km_rpc_fault fault, const char *text);
void km_mcp_work_raw(struct km_mcp_work *w, struct km_str json); /* a result that is as it is */

/* place.c: has its server a bound on calls at once? */
bool km_mcp_has_line(const struct km_mcp_work *w);
/* The class that the head of its message asks for, which the call does not keep. */
void km_mcp_hear_priority(struct km_mcp_work *w, const struct km_headers *h);
/* KM_E_AGAIN: resume follows, and it is asked again. */
int km_mcp_take_place(struct km_mcp_work *w, void (*resume)(struct km_attempt *at),
                      struct km_err *err) KM_MUST_USE;

#endif
