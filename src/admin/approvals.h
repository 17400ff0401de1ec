/* SPDX-License-Identifier: Apache-2.0 */
/* approvals.h - the management API of tool calls that wait for a person. */
#ifndef KM_ADMIN_APPROVALS_H
#define KM_ADMIN_APPROVALS_H

#include "host/snapshot.h"

extern const struct km_route_rows km_approval_routes;

#endif
