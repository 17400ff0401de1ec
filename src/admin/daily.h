/* SPDX-License-Identifier: Apache-2.0 */
/* daily.h - LiteLLM's daily activity: what its dashboards read. */
#ifndef KM_ADMIN_DAILY_H
#define KM_ADMIN_DAILY_H

struct km_route_rows;

extern const struct km_route_rows km_daily_routes;

#endif
