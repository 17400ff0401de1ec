/* SPDX-License-Identifier: Apache-2.0 */
/* targets.h - what budgets of targets have left, for /metrics. */
#ifndef KM_OPS_TARGETS_H
#define KM_OPS_TARGETS_H

#include "base/buf.h"

struct km_accounts;

/* Nothing where no provider and no deployment has a budget. */
void km_targets_metrics(struct km_accounts *accounts, struct km_buf *out);

#endif
