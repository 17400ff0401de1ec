/* SPDX-License-Identifier: Apache-2.0 */
/* attempt.h - one try to have a call served by a deployment.
 *
 * A call has one after the other (retry, fallback: km_attempt_next), or several at a time until one
 * of them has a good head (hedge: km_attempt_beside); and the answer of a request may be that of
 * several calls' attempts (km_attempt_join, call/flight.h).  Loop thread of the call's worker.
 */
#ifndef KM_CALL_ATTEMPT_H
#define KM_CALL_ATTEMPT_H

#include "call/chain.h"
#include "http/client.h"
#include "llm/api/openai.h"
#include "llm/auth.h"
#include "policy/bill.h"
#include "policy/payers.h"
#include "policy/router.h"

struct km_call;
struct km_flight; /* flight.h */
struct km_flight_args;
struct km_taker;
struct km_turn; /* place.c */
struct km_translation; /* translate.h */

enum km_next {
    KM_MORE, /* call->step names the next step; run it now */
    KM_WAIT, /* something asynchronous is under way; km_call_resume() follows */
    KM_DONE, /* the call is over and gone */
};

enum km_step_id {
    KM_STEP_auth,
    KM_STEP_admit,
    KM_STEP_guard,
    KM_STEP_route,
    KM_STEP_send,
    KM_STEP_relay,
    KM_STEP_recover,
    KM_STEP_account,
    KM_STEP_finish,
};

/* What an attempt costs while it runs, and when it is over: money.h. */
struct km_attempt_money {
    unsigned number; /* of those that were sent, from 1; 0: the ledger knows nothing of it */
    bool waits; /* for the ledger to have its intent (strict accounting) */
    bool billed; /* it is over: bill says what it costs */
    bool cut; /* by the gateway: its stream was ended before its upstream's end */
    bool last; /* the key had no more: what is reserved is the last */
    bool starved; /* all that is reserved was written, and whether there is more is being asked */
    bool told; /* the ledger knows of more than its intent */
    int64_t reserved; /* for it, of call->reserve: nano-USD */
    int64_t reserved_output; /* tokens of that which come out */
    int64_t asked, asked_output; /* what these are to become */
    int64_t bound; /* tokens sent as the bound, where it is above the caller's; 0: it is not */
    int64_t bytes_sent; /* of its request's body */
    uint64_t bytes; /* of its answer, so far */
    uint64_t look_at; /* so many of them may mean that more is to be reserved, or told */
    uint64_t told_bytes; /* when the ledger was told last */
    uint64_t tell_ms; /* km_loop_now_ms() of when it is told next */
    const char *error; /* what it failed with: a name, static; NULL: it did not */
    struct km_bill bill;
};

/* What a refusal said of its deployment.  It is heeded in the next try, and believed once that is
 * answered: a refusal may repeat words of the caller's, who must not say what holds for others. */
struct km_lesson {
    struct km_deployment *of; /* NULL: there was none */
    bool no_stream_options;
    int64_t maximum; /* tokens of output; 0: not named */
};

void km_lesson_holds(struct km_lesson *lesson, const struct km_deployment *answered);

/* What it holds beside memory goes when it is over, or with the call. */
struct km_attempt {
    struct km_call *call;
    struct km_attempt *before; /* in the call's arena too; NULL: it is the first */
    struct km_attempt *next; /* of call->beside */
    const struct km_candidate *candidate;
    struct km_deployment *d; /* NULL: none was picked, or its kind goes elsewhere */
    enum km_step_id step; /* where it waits, while it stands beside */
    bool same; /* its deployment stays: it is that of the one before, or its hooks waited */
    bool weighs; /* it counts as its deployment's load */
    bool merged; /* its request is that of several calls put together: each has a part of it */
    bool resigned; /* with new credentials: once a deployment */
    /* The budgets of its provider and its deployment, which pay for it; NULL: there are none.  The
     * call's payers have them. */
    struct km_purse *pays[KM_PAYERS_TARGETS];
    bool moved; /* they were asked, and said yes */
    bool moves; /* they are being asked, in another process */
    const struct km_err *unpaid; /* it said no, and why; NULL: it has not */
    struct km_turn *turn; /* its place at the deployment, or in line; NULL: it needs none */

    /* the request */
    struct km_http_request out;
    struct km_http_call *up; /* under way */
    struct km_taker *taker; /* instead: the request is one that several ask for; NULL: it is not */
    const struct km_flight_args *opens; /* set at `routed`: its request becomes one (flight.h) */
    struct km_arena *request_arena; /* what lives until the upstream has it; NULL: the call's */
    struct km_auth_wait auth_wait;
    uint64_t began_ns; /* monotonic */
    struct km_attempt_money money;

    /* the answer */
    struct km_chain fetch; /* what comes of it: fetch.c */
    struct km_translation *convert; /* its kind's, where the upstream speaks another protocol */
    int status;
    enum km_again again; /* what its error means for the next attempt */
    bool auth_waits; /* d->auth will call back */
    bool ready; /* it has all that is made for each request, and may leave */
    bool sent; /* it is over, and the upstream may have read all of its request */
    bool fetched; /* the chain has its end */
    bool relaying; /* it is a stream, and goes on as it comes */
    bool silent; /* no event of it has come yet, and the time for that runs */
    bool unconnected; /* there was no connection for it */
    struct km_headers refusal; /* of one whose body is read whole, an error's mostly */
    struct km_str head; /* its fields for the client, ready lines */
    struct km_str type; /* its Content-Type, where it is passed on */
    struct km_str coding; /* it is compressed, though nobody asked: how */
    struct km_buf answer; /* a whole answer, or the body of an error */
    int64_t answer_taken; /* of the budget of bodies */
    struct km_llm_stream stream;
    struct km_sse *sse;
    struct km_framer *framer; /* instead, where what is passed on comes in other frames */
};

void km_call_abandon(struct km_call *call); /* stops the attempts under way */
void km_call_forget_answer(struct km_call *call); /* what the last request brought */
/* Gives back what the attempt holds beside memory. */
void km_attempt_release(struct km_call *call);
/* Begins the next one; same: at the deployment of this.  KM_E_NOMEM: it stays. */
int km_attempt_next(struct km_call *call, bool same, struct km_err *err) KM_MUST_USE;
/* One more beside those under way, at another deployment.  The first that has a good head serves
 * the call: the others are cancelled, and what they may cost counts.  One that fails is gone, and
 * recovery begins when the last has.  0: it begins, at once or when the broker has said that the
 * key has as much left, and may be over already.  KM_E_CLOSED:
 * there can be none now (a request has to be out, and unanswered); KM_E_BUDGET: the key has no more
 * for it; in both cases nothing changed.  From a callback of the loop: the call may be over when it
 * returns. */
int km_attempt_beside(struct km_call *call, struct km_err *err);
/* An event is about this one: call->at is what its callbacks and its kind work with. */
void km_attempt_look(struct km_attempt *at);
void km_attempt_drop(struct km_call *call); /* it failed, and others are under way */
void km_attempt_wins(struct km_call *call); /* it has a good head: the others end */
void km_call_abandon_one(struct km_call *call); /* stops the attempt that is looked at */
bool km_attempt_is_out(const struct km_attempt *at); /* its request is with an upstream */
/* Looks at the attempt that is being made, if there is one. */
void km_attempt_look_at_waiting(struct km_call *call);
/* This attempt takes the answer of a request that is out, in place of one of its own.  For a hook
 * at `routed`, whose verdict it is: KM_HOOK_JOINED, or KM_E_NOMEM: it does not. */
int km_attempt_join(struct km_call *call, struct km_flight *flight, int64_t weight,
                    struct km_err *err) KM_MUST_USE;

#endif
