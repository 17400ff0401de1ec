/* SPDX-License-Identifier: Apache-2.0 */
/* budgets.h - the gateway's own budget as operators see it: a member of its status, and metrics. */
#ifndef KM_OPS_BUDGETS_H
#define KM_OPS_BUDGETS_H

#include "http/json_out.h"

struct km_gateway_budget;

/* {"action", "windows":[{"window","limit","spent","percent",...}], "projected_month"} or null. */
void km_budgets_json(struct km_gateway_budget *b, int64_t now_us, struct km_json_out *o);
/* kanmon_budget_*; nothing without a budget. */
void km_budgets_metrics(struct km_gateway_budget *b, int64_t now_us, struct km_buf *out);

#endif
