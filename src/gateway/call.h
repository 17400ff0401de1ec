/* SPDX-License-Identifier: Apache-2.0 */
/* call.h - one call through the gateway: an LLM request or a pass-through, later a tools/call.
 *
 * call.c holds the table of steps; the kinds of call differ only in struct km_call_kind.  A call
 * lives in its own arena, belongs to one worker, and is gone after its finish step.
 */
#ifndef KM_GATEWAY_CALL_H
#define KM_GATEWAY_CALL_H

#include "gateway/auth.h"
#include "llm/api/openai.h"
#include "llm/auth.h"

#define KM_CALL_MAGIC 0x4b43414cU /* "KCAL" */

enum km_next {
    KM_MORE, /* call->step names the next step; run it now */
    KM_WAIT, /* something asynchronous is under way; km_call_resume() follows */
    KM_DONE, /* the call is over and gone */
};

enum km_step_id {
    KM_STEP_auth,
    KM_STEP_admit,
    KM_STEP_guard,
    KM_STEP_cache,
    KM_STEP_route,
    KM_STEP_send,
    KM_STEP_relay,
    KM_STEP_recover,
    KM_STEP_account,
    KM_STEP_finish,
};

struct km_call;
struct km_translation; /* translate.h */
struct km_prefix_call; /* prefix/prefix.h */
struct km_upload; /* objects/upload.h */
struct km_media_work; /* media_call.c */
struct km_object_work; /* objects/call.c */
struct km_file_refs; /* objects/file_refs.c */
struct km_rt_session; /* realtime/realtime.h */
struct km_mcp_work; /* gateway/mcp/call.h */

/* What the kinds of call do differently. */
struct km_call_kind {
    const char *name;
    bool needs_body;
    /* Instead of the body whole: reads what the kind needs of it.  KM_E_AGAIN: km_call_resume()
     * follows, and then it is asked again.  NULL: the body. */
    int (*take)(struct km_call *call, struct km_err *err);
    bool session; /* its answer is a connection (101), its parts have rows of their own */
    bool own; /* the gateway asks for its own ends: no limit of the key's holds, but it pays */
    /* The request is here: read it, find who may serve it, say the worst it can cost. */
    int (*prepare)(struct km_call *call, struct km_err *err);
    /* call->reserve: the most it can cost.  NULL: of an LLM call by its tokens, else prepare's. */
    int (*reserve)(struct km_call *call, struct km_err *err);
    /* A deployment was picked: fill call->out, or answer at once (call->answered).  KM_E_AGAIN:
     * something must be had first; km_call_resume() follows, and then it is asked again. */
    int (*attempt)(struct km_call *call, struct km_err *err);
    /* A good head came from the upstream: start the answer, or gather it. */
    void (*on_head)(struct km_call *call, const struct km_response *response);
    /* Bytes of a good answer that is relayed as it comes (call->relaying). */
    int (*on_body)(struct km_call *call, const char *bytes, size_t n, struct km_err *err);
    /* The upstream ended as it should.  KM_E_AGAIN: call->out is the next request of the same
     * attempt; or, with call->ledger_waits, km_call_resume() follows and it is asked again. */
    int (*complete)(struct km_call *call, struct km_err *err);
    /* All that km_http_write() took has left; after a 101. */
    void (*on_drain)(struct km_call *call);
    /* What was used so far. */
    void (*usage)(struct km_call *call, struct km_usage *ret);
    /* Ends the exchange in a way of its own; false: as every call does.  NULL: never. */
    bool (*reply)(struct km_call *call);
    /* A record of its own, after the settlement and before the answer: true: km_call_resume()
     * comes when it is written, and it is asked again.  NULL: none. */
    bool (*record)(struct km_call *call);
    void (*leave)(struct km_call *call); /* the worker drains: sessions end soon */
    /* --- of kinds that are not HTTP to HTTP; NULL otherwise --- */
    /* Instead of an HTTP request upstream: WAIT, or the next step. */
    enum km_next (*send)(struct km_call *call);
    /* Stops what send began; harmless when nothing is under way. */
    void (*abandon)(struct km_call *call);
    /* Says in the books what was called. */
    void (*books)(struct km_call *call, struct km_ledger_entry *e);
};

struct km_call {
    uint32_t magic;
    enum km_step_id step;
    int status; /* what the last wait ended with */
    struct km_arena arena; /* holds the call itself */
    struct km_list link; /* of worker->calls */
    struct km_worker *w;
    struct km_visit *visit;
    struct km_exchange *x; /* NULL: an MCP call, whose client may come and go; or kind->own */
    const struct km_call_kind *kind;

    /* the request */
    const struct km_llm_api *api; /* LLM calls */
    const struct km_passthrough *pass; /* pass-through calls */
    struct km_prefix_call *prefix; /* those to a vendor's own API */
    struct km_mcp_work *mcp; /* MCP calls */
    int64_t mcp_cost; /* nano-USD, of a call that ran */
    uint64_t began_ns; /* monotonic */
    struct km_str body;
    bool have_body;
    bool body_waits; /* km_exchange_body() said AGAIN */
    bool kept; /* the answer was given to the store */
    struct km_upload *upload; /* the body is a form */
    struct km_object_work *object; /* calls for files and batches */
    struct km_file_refs *files; /* that the body names */
    struct km_media_work *media; /* media calls: what is asked for, what was said of it */
    struct km_llm_request req;
    struct km_rt_session *rt;
    struct km_str audio; /* the id of what was spoken, as soon as it is kept */
    struct km_str previous; /* an earlier answer was put in front: its id, as JSON */
    size_t said_before; /* items of `input` that came with it */
    struct km_model_match match;

    /* admission */
    struct km_permit permit;
    struct km_headroom room;
    int64_t reserve; /* worst case, nano-USD */
    int64_t reserve_input; /* tokens of it that go in; 0: not counted so */
    int64_t reserve_output; /* tokens of it that come out; 0: not counted so */
    int64_t bound_tokens; /* output bound sent because of a budget; -1 none */
    bool priced; /* what it uses has a price: reserved before, settled after */
    bool bounded; /* its output cannot be bounded for the caller */
    bool prepared; /* what it asks for and may cost is known */
    bool asked; /* the permit: of the process that holds the counters (handover/handover.h) */
    bool permit_away; /* it was given there: the settlement's record gives it back */
    bool admitted; /* permit taken: account must settle */
    bool intent; /* written: account must settle it */
    bool settled; /* account did its work */
    struct km_veil_gate *gate; /* of a stream that is passed on as it comes; NULL: none */
    bool revoked; /* its key was: it was told to end */
    bool ledger_waits; /* its callback will come: nothing may move before */

    /* attempts */
    struct km_route_state route;
    const struct km_candidate *candidate;
    struct km_deployment *d;
    unsigned retries; /* most further attempts */
    bool same_again; /* once more on the same deployment: options or credentials were refused */
    bool resigned; /* with new credentials: once a deployment */
    bool auth_waits; /* d->auth will call back */
    bool timed_out;
    struct km_translation *tr; /* the attempt's, when its upstream speaks another protocol */
    struct km_auth_wait auth_wait;
    struct km_headers refusal; /* of an answer whose body is read whole, an error's mostly */
    struct km_http_request out;
    struct km_http_call *up; /* the attempt under way */
    bool sent; /* it is over, and the upstream may have read all of its request */
    bool owed; /* an attempt before it was sent, and never answered */
    struct km_timer deadline;

    /* the answer */
    int up_status;
    enum km_again again; /* what its error means for the next attempt */
    struct km_str up_head; /* upstream fields for the client, ready lines */
    struct km_str up_type; /* its Content-Type, where it is passed on */
    struct km_str up_coding; /* the answer is compressed, though nobody asked: how */
    struct km_buf answer; /* a whole answer, or the body of an error */
    int64_t answer_taken; /* of the budget of bodies */
    struct km_str *parts; /* what the client gets */
    size_t nparts;
    bool answered; /* parts are ready without an upstream (mock) */
    bool relaying; /* the answer is a stream, and goes on as it comes */
    bool streaming; /* the client's head was sent */
    bool opaque; /* what streams is no event stream: nothing of ours may come in between */
    bool client_gone;
    bool cut; /* the stream broke: end it so that the client knows */
    bool failed; /* err says why */
    struct km_llm_stream stream;
    struct km_sse *sse;
    struct km_framer *framer; /* instead, where what is passed on comes in other frames */
    struct km_err err;

    /* books */
    struct km_usage usage;
    const struct km_price *price; /* what its kind found to be the price; NULL: the deployment's */
    int64_t cost;
    unsigned flags; /* enum km_call_flag */
    int client_status;
    int64_t start_us, first_us; /* wall */
    uint64_t attempt_ns, upstream_ns; /* monotonic: start of the attempt, total upstream time */
    uint64_t total_ns; /* the call's, when it was settled */
    uint64_t first_ns; /* first byte for the client, since the start */
};

/* Begins a call for the visit.  Takes it over: the exchange is answered by the call. */
void km_call_begin(struct km_visit *v, const struct km_call_kind *kind,
                   const struct km_llm_api *api, const struct km_passthrough *pass);

/* The worker drains. */
void km_calls_leave(struct km_worker *w);
/* The same in steps, for a kind that fills it in between.  NULL: no memory. */
struct km_call *km_call_new(struct km_worker *w, const struct km_call_kind *kind, size_t bytes);
void km_call_start(struct km_call *call);
void km_call_drop(struct km_call *call); /* it was never started */
/* From outside the steps: nobody wants it any more.  Moves nothing while books are written. */
void km_call_cancel(struct km_call *call, const char *why);
/* Its key may not be used any more: it ends with why. */
void km_call_revoke(struct km_call *call, const struct km_err *why);

/* A wait is over: status 0 or negative.  From callbacks of the loop only, never from a step. */
void km_call_resume(struct km_call *call, int status);
/* As resume, with the reason. */
void km_call_fail(struct km_call *call, const struct km_err *err);

/* --- the steps' parts, by file --- */

/* call_admit.c */
enum km_next km_step_admit(struct km_call *call);
/* What it costs at a deployment: where that serves models it was not configured for, by the
 * model's own name. */
struct km_price km_call_price(const struct km_call *call, const struct km_deployment *d);
/* The dearest of those that may serve it. */
struct km_price km_call_worst_price(const struct km_call *call, bool *ret_known);
/* call_send.c */
void km_call_keep_head(struct km_call *call, const struct km_headers *h); /* into ->refusal */
enum km_next km_step_route(struct km_call *call);
enum km_next km_step_send(struct km_call *call);
void km_call_abandon(struct km_call *call); /* stops the attempt under way */
/* call_recover.c */
enum km_next km_step_recover(struct km_call *call);
void km_call_forget_answer(struct km_call *call); /* what the last request brought */
void km_call_refused(struct km_call *call); /* an error's body is here: call->err from it */
/* call_account.c */
enum km_next km_step_account(struct km_call *call);
void km_call_log(struct km_call *call); /* its one line */
/* What the books say of it in any row: who, where, which model.  ip[KM_ADDR_TEXT]. */
void km_call_entry(struct km_call *call, struct km_ledger_entry *e, char *ip);
/* call_reply.c */
void km_call_reply(struct km_call *call); /* ends the exchange, whatever the outcome */
void km_call_head(struct km_call *call, struct km_buf *head);
/* The client's head of a stream: from now on no other upstream can be asked. */
void km_call_stream_start(struct km_call *call);

/* The only place where call->step is written. */
enum km_next km_call_go(struct km_call *call, enum km_step_id to);

/* call_admit.c */
int km_call_take_body(struct km_call *call);
/* No price is known: refused where the key has a budget, as the settings have it. */
int km_call_unpriced(struct km_call *call, struct km_err *err) KM_MUST_USE;

/* llm_call.c: what kinds with a model share */
int km_call_path_model(struct km_call *call, struct km_str *ret, struct km_err *err) KM_MUST_USE;
int km_call_check_type(const struct km_call *call, struct km_err *err) KM_MUST_USE;
void km_call_read_head(struct km_call *call);
int km_call_find_model(struct km_call *call, struct km_err *err) KM_MUST_USE;
struct km_str km_call_target(struct km_call *call);
int km_call_pass_on(struct km_call *call, struct km_err *err) KM_MUST_USE;
void km_call_answer_head(struct km_call *call, const struct km_response *response);
int km_call_compressed(const struct km_call *call, struct km_err *err) KM_MUST_USE;
void km_call_one_part(struct km_call *call, struct km_str body);
/* call->out to the deployment, but for its target. */
void km_call_request(struct km_call *call, const struct km_str *parts, size_t n);

/* llm_call.c, media_call.c, pass_call.c, and call.c of mcp/ and objects/ */
extern const struct km_call_kind km_kind_llm, km_kind_media, km_kind_object, km_kind_pass,
    km_kind_mcp, km_kind_batch_look;
/* Is it of a pass-through, whose query is its upstream's alone? */
bool km_pass_is_route(const struct km_route *route);

#endif
