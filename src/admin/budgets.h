/* SPDX-License-Identifier: Apache-2.0 */
/* budgets.h - routes that show what budgets of targets have left. */
#ifndef KM_ADMIN_BUDGETS_H
#define KM_ADMIN_BUDGETS_H

#include "host/snapshot.h"

extern const struct km_route_rows km_budget_routes;

#endif
