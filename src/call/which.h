/* SPDX-License-Identifier: Apache-2.0 */
/* which.h - which deployments may serve a call, and which one would: the router's data of a call,
 * and what it is told by (policy/filter.h, policy/router.h).
 */
#ifndef KM_CALL_WHICH_H
#define KM_CALL_WHICH_H

#include "call/call.h"

/* The filters of its model group have looked at its deployments: call->route.left_out.  Once a
 * group; again is harmless.  None is left: KM_E_INVALID where its prompt is too long for all of
 * them, else KM_E_NO_DEPLOYMENT; another model group may be asked then. */
int km_call_filter(struct km_call *call, struct km_err *err) KM_MUST_USE;
/* What the filters are asked by: tags, the region, what it needs; views of the call's. */
int km_call_filter_ask(struct km_call *call, struct km_filter_ask *ret,
                       struct km_err *err) KM_MUST_USE;

/* --- what would happen --- */

/* Where a call would go, as of now. */
struct km_call_route {
    struct km_str asked; /* the model, in its caller's words */
    struct km_str group; /* that is asked first */
    const struct km_route_word *words; /* of its deployments, in order of the file */
    size_t nwords;
    struct km_str economy; /* what cost decided; empty: nothing */
    struct km_str rule; /* the conditional route that led there; empty: none */
    struct km_fallback_list followers; /* groups asked after any failure; n 0: none */
    struct km_err none; /* code 0, or why no deployment of the group would get it */
};

/* Explains the route of a call that its kind has prepared, and of which the price is known
 * (km_call_price_anew or admission): runs the filters, asks the router, sends nothing, reserves
 * nothing.  In the call's arena.  Only KM_E_NOMEM, and what is wrong with the call itself, is an
 * error. */
int km_call_explain_route(struct km_call *call, struct km_call_route *ret,
                          struct km_err *err) KM_MUST_USE;

/* For the answer's head and the log line of a call that filters have looked at; both leave out what
 * there is nothing to say of. */
void km_call_which_lines(const struct km_call *call, struct km_buf *head);
void km_call_which_log(const struct km_call *call, struct km_line *line);

#endif
