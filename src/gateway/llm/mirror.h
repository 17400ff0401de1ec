/* SPDX-License-Identifier: Apache-2.0 */
/* mirror.h - shadows of calls: another model is asked the same, and nobody hears its answer.
 *
 *     litellm_params.silent_model: [candidate]      of the deployment whose calls are mirrored
 *     litellm_params.silent_model_percent: 10       how many of them
 *     kanmon_settings.mirror.budget: 5              what may be spent on it, USD; required
 *
 * A key of its own pays ("mirror", which nobody can use), so a shadow is a row of its own in the
 * ledger, and ends with the budget.  It begins when the call's books are closed; what is more than
 * a few at a time is dropped, and counted.
 */
#ifndef KM_GATEWAY_LLM_MIRROR_H
#define KM_GATEWAY_LLM_MIRROR_H

#include "base/setting.h"
#include "call/hooks.h"
#include "host/module.h"

struct km_mirror_settings { /* kanmon_settings.mirror */
    int64_t budget; /* nano-USD; -1: not said, and nothing may be mirrored */
    int64_t duration_s; /* of the budget; 0: it is never renewed */
    int64_t concurrency; /* of a worker */
};

extern const struct km_settings_table km_mirror_settings_table;
extern const struct km_call_hook km_mirror_hook; /* at `settled` */
extern const struct km_module km_mirror_module;

#endif
