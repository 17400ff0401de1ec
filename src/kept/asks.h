/* SPDX-License-Identifier: Apache-2.0 */
/* asks.h - what a part of a call asks beside tokens: a line of a batch, a session's tools. */
#ifndef KM_KEPT_ASKS_H
#define KM_KEPT_ASKS_H

#include "call/call.h"

/* May the call's key have that, and is its price known?  KM_E_FORBIDDEN names the tool,
 * KM_E_UNPRICED the member and what to do; param: where it stands, static. */
int km_asks_judge(const struct km_call *call, const struct km_llm_priced *p, const char *param,
                  struct km_err *err) KM_MUST_USE;

#endif
