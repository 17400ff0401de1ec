/* SPDX-License-Identifier: Apache-2.0 */
/* breakers.h - which deployments and providers are left alone right now, for /metrics, `status`
 * and /health.
 */
#ifndef KM_OPS_BREAKERS_H
#define KM_OPS_BREAKERS_H

#include "http/json_out.h"
#include "llm/cooldown.h"

const char *km_breaker_state_name(enum km_breaker_state state);
/* Gauges of all; text of Prometheus. */
/* name="value", as Prometheus quotes it. */
void km_label_write(const char *name, struct km_str value, struct km_buf *out);
void km_breakers_metrics(const struct km_models *models, uint64_t now_ms, struct km_buf *out);
/* An array of those that are not closed, or rest: at most KM_BREAKERS_SHOWN. */
void km_breakers_json(const struct km_models *models, uint64_t now_ms, struct km_json_out *o);

#define KM_BREAKERS_SHOWN 1000

#endif
