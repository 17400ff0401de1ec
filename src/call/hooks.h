/* SPDX-License-Identifier: Apache-2.0 */
/* hooks.h - places on a call's way where others than its kind stand.
 *
 *     prepared   the request was read; nothing is reserved yet     may make the body another
 *     guarded    admitted; nothing has left                        may refuse what was asked
 *     routed     a deployment was picked, call->at->out is its request may change where it goes
 *     settled    the books are closed, the client has no end yet   may only look
 *
 * Where a hook stands once, a unit stands in the stream of pieces (chain.h):
 *
 *     request  what the client gives as its body                 before its kind reads any of it
 *     fetch    what an attempt brings, as its upstream said it   before it is read and counted
 *     deliver  what the call's answer says                       before it is in the client's words
 *     shown    the same as the client gets it                    after
 *
 * Rows are given by app/hooks.c and run in their order.  A place without rows costs a comparison.
 */
#ifndef KM_CALL_HOOKS_H
#define KM_CALL_HOOKS_H

#include "base/err.h"

struct km_call;
struct km_call_kind;
struct km_chain;

enum km_hook_place {
    KM_HOOK_PREPARED,
    KM_HOOK_GUARDED,
    KM_HOOK_ROUTED,
    KM_HOOK_SETTLED,
    KM_HOOK_PLACES,
};

/* What a hook may return beside an error (negative: the call fails with *err). */
enum km_hook_verdict {
    KM_HOOK_PASS, /* go on; at `prepared` the call may be of another kind now (km_call_become) */
    KM_HOOK_ANSWERED, /* call->parts are the answer: no upstream is asked */
    KM_HOOK_JOINED, /* at `routed`: the attempt takes the answer of a request that is out */
};

/* run: KM_E_AGAIN: it waits, and km_call_resume() follows; then the place's hooks run again from
 * the first, and at `prepared` the request is read again before, for it may be another.  So a hook
 * keeps in a note what it has done, and says by km_call_when_over() how what it waits for is called
 * off.  Loop thread. */
struct km_call_hook {
    const char *name;
    unsigned names; /* asked only of a request that may name one of these; 0: of every call */
    int (*run)(struct km_call *call, struct km_err *err);
    /* At `prepared`: it but says yes or no to what is asked of the deployments that may serve it,
     * and waits for nothing: it is asked again when others are to (km_call_judge_again). */
    bool judges;
};

enum km_unit_place {
    KM_UNITS_REQUEST,
    KM_UNITS_FETCH,
    KM_UNITS_DELIVER,
    KM_UNITS_SHOWN,
    KM_UNIT_PLACES,
};

/* join: puts its unit at the end of chain (km_chain_put), where the call has use for it; asked
 * when the body is here, or its first piece is asked for (request: call->request is its line and
 * head), when a good head came (fetch), and before the answer's head leaves (deliver, shown). */
struct km_call_unit {
    const char *name;
    unsigned wires; /* asked only of calls of these APIs (enum km_wire); 0: of every call */
    int (*join)(struct km_call *call, struct km_chain *chain, struct km_err *err);
};

/* The rows of the program by place, each list ended by NULL; a NULL list has none. */
struct km_call_hooks {
    const struct km_call_hook *const *at[KM_HOOK_PLACES];
    const struct km_call_unit *const *units[KM_UNIT_PLACES];
    /* Of a call of an API with a model, for whoever comes upon one and is not its kind. */
    const struct km_call_kind *of_models;
};

const struct km_call_kind *km_call_kind_of_models(const struct km_call *call);
/* hooks.c: the place's verdict: the first that is not PASS. */
int km_call_run_hooks(struct km_call *call, enum km_hook_place place,
                      struct km_err *err) KM_MUST_USE;
/* hooks.c: other deployments are to serve the call: may they get what it asks for? */
int km_call_judge_again(struct km_call *call, struct km_err *err) KM_MUST_USE;
/* hooks.c: has the place a row for such a call?  Never for a session: it has frames both ways,
 * holds its upstream up by itself, and no piece comes of it. */
bool km_call_has_units(const struct km_call *call, enum km_unit_place place);
/* hooks.c: all of the place's rows join. */
int km_call_join_units(struct km_call *call, enum km_unit_place place, struct km_chain *chain,
                       struct km_err *err) KM_MUST_USE;

#endif
