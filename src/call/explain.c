/* SPDX-License-Identifier: Apache-2.0 */
/* explain.c - where a call would go, without going there (which.h).
 *
 *     a call that is read and priced ──> filters ──> router's words ──> followers
 *
 * The same filters and the same router are asked as by the step that picks: what is told is what
 * would happen, as far as chance, breakers and counts stay as they are.  No call is needed for it
 * but one that its kind has prepared.
 */
#include "call/which.h"

#include "call/economy.h"

int km_call_explain_route(struct km_call *call, struct km_call_route *ret, struct km_err *err)
{
    struct km_route_word *words =
        km_arena_zalloc(&call->arena, (call->match.n + 1) * sizeof *words);
    struct km_route_state state;

    if (!words)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    *ret = (struct km_call_route){ .asked = call->req.model,
                                   .group = call->match.group,
                                   .words = words,
                                   .nwords = call->match.n };
    if (km_call_filter(call, &ret->none) == KM_E_NOMEM)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    km_call_route_facts(call);
    ret->economy = km_call_economy(call);
    ret->rule = call->rule ? call->rule->name : KM_STR_NONE;
    state = call->route;
    km_route_explain(&state, call->match.v, call->match.n, km_loop_now_ms(call->w->loop), words);
    if (km_call_may_fall_back(call))
        ret->followers = km_call_followers(call, KM_FAILURE_OTHER);
    return 0;
}
