/* SPDX-License-Identifier: Apache-2.0 */
/* plan.h - private to the server: what a plan of EXPLAIN (FORMAT JSON) says, in words. */
#ifndef KM_SERVERS_POSTGRES_PLAN_H
#define KM_SERVERS_POSTGRES_PLAN_H

#include "http/json.h"

/* Appends an array of {"kind", "node", "text"}; plan is what EXPLAIN gave: [{"Plan": {...}}].
 * Kinds: hot_node, misestimate, missing_index, spill, filtered_after_index, hypothetical_index. */
void km_pg_plan_findings(const struct km_json *plan, struct km_buf *out);

/* Its nodes in one line, "Limit > Sort > Seq Scan on orders", cut where it is long, in the arena */
struct km_str km_pg_plan_shape(struct km_arena *arena, const struct km_json *plan);

/* The whole plan's cost as EXPLAIN says it; -1: none. */
double km_pg_plan_cost(const struct km_json *plan);

#endif
