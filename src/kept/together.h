/* SPDX-License-Identifier: Apache-2.0 */
/* together.h - light requests of one key that are sent as one: embeddings.
 *
 * Off, unless kanmon_settings.performance.batching or a request's enableBatching says so.
 */
#ifndef KM_KEPT_TOGETHER_H
#define KM_KEPT_TOGETHER_H

#include "call/hooks.h"
#include "host/module.h"

#define KM_TOGETHER_WAIT_MS 1000 /* the longest that one waits for others */
#define KM_TOGETHER_TOKENS 300000 /* of one request, by estimate: as OpenAI takes them */
#define KM_TOGETHER_BYTES ((size_t)1 << 20)
#define KM_TOGETHER_LANES 256 /* of a worker; over it requests go as they come */

/* At `routed`. */
extern const struct km_call_hook km_together_hook;
extern const struct km_module km_together_module; /* of the worker: what waits, and is out */

#endif
