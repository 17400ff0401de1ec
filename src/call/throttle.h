/* SPDX-License-Identifier: Apache-2.0 */
/* throttle.h - calls are held back while the gateway's budget is nearly spent (cost_budget_action:
 * throttle). */
#ifndef KM_CALL_THROTTLE_H
#define KM_CALL_THROTTLE_H

#include "call/hooks.h"

extern const struct km_call_hook km_throttle_hook; /* at `guarded` */

#endif
