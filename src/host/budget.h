/* SPDX-License-Identifier: Apache-2.0 */
/* budget.h - what all calls together may cost: made and filled at the start, and heard. */
#ifndef KM_HOST_BUDGET_H
#define KM_HOST_BUDGET_H

#include "base/err.h"

struct km_config;
struct km_gateway;

/* gw->budget; NULL where the configuration has none.  Behind the keys, before holds are loaded. */
int km_gateway_open_budget(struct km_gateway *gw, const struct km_config *config,
                           struct km_err *err) KM_MUST_USE;

#endif
