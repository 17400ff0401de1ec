/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.h - what the gateway counts of its calls: a module of the snapshot. */
#ifndef KM_CALL_METRICS_H
#define KM_CALL_METRICS_H

#include "call/call.h"
#include "host/module.h"

/* A call ended: requests, tokens, spend, latency. */
void km_count_call(struct km_call *call);
/* A part of a session ended, with a row of its own. */
void km_count_part(struct km_call *call, const struct km_usage *used, int64_t cost);
/* It never was admitted. */
void km_count_refused(struct km_call *call);
/* Its upstream reported more than was reserved. */
void km_count_over_reserved(struct km_call *call);
/* One attempt failed (the call may go on). */
void km_count_attempt_failed(struct km_call *call);
/* The model group that was asked in the place of another has answered, or failed. */
void km_count_fallback(struct km_call *call, bool good);
/* The attempt's failure opened its deployment's breaker. */
void km_count_cooled_down(struct km_call *call);
/* It gets another one; failure: why, in a word. */
void km_count_retry(struct km_call *call, const char *failure);
/* It would, and its deployment's retry budget is spent. */
void km_count_retry_denied(struct km_call *call);
/* What became of asking a second deployment while the first is slow: sent, won, denied, ... */
void km_count_hedge(struct km_call *call, const char *outcome);

extern const struct km_module km_call_metrics_module;

#endif
