/* SPDX-License-Identifier: Apache-2.0 */
/* audit.h - routes that read the audit trail. */
#ifndef KM_ADMIN_AUDIT_H
#define KM_ADMIN_AUDIT_H

#include "http/server.h"

extern const struct km_route_rows km_audit_routes;

#endif
