/* SPDX-License-Identifier: Apache-2.0 */
/* spend.h - routes that show the books. */
#ifndef KM_ADMIN_SPEND_H
#define KM_ADMIN_SPEND_H

#include "host/snapshot.h"

extern const struct km_route_rows km_spend_routes;

#endif
