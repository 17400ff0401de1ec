/* SPDX-License-Identifier: Apache-2.0 */
/* caller.h - for whom a call is, as its caller says. */
#ifndef KM_CALL_CALLER_H
#define KM_CALL_CALLER_H

#include "base/err.h"

struct km_call;

/* The end user that the call is for, by a header or its body's `user`; empty: none is named.  Its
 * text is in the call's arena or body. */
struct km_str km_call_end_user(struct km_call *call);

/* The user that its head names, for a key that has none; empty: none is named. */
struct km_str km_call_named_user(struct km_call *call);

/* Refuses a call of a model that names no end user, where the file wants each to. */
int km_call_check_end_user(struct km_call *call, struct km_err *err) KM_MUST_USE;

#endif
