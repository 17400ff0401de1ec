/* SPDX-License-Identifier: Apache-2.0 */
/* hedge.h - a second deployment is asked while the first is slow to begin (policy/hedge.h): the
 * hooks that do it. */
#ifndef KM_CALL_HEDGE_H
#define KM_CALL_HEDGE_H

#include "call/hooks.h"

extern const struct km_call_hook km_hedge_hook; /* at `routed`: the time begins */
extern const struct km_call_hook km_hedge_learn_hook; /* at `settled`: how long it took */

#endif
