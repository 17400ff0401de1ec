/* SPDX-License-Identifier: Apache-2.0 */
/* cost.h - max_cost: what the planner expects of a statement, asked before it runs. */
#ifndef KM_SERVERS_POSTGRES_COST_H
#define KM_SERVERS_POSTGRES_COST_H

#include "servers/postgres/guard.h"
#include "pg/conn.h"

/* There is a plan, and the statement runs it: EXPLAIN does with ANALYZE only. */
bool km_pg_cost_asks(const struct km_pg_verdict *v);

/* The text to send in place of v->sql, NUL-terminated, in the arena; it takes the same values.
 * *ret_shift: so many characters later a place of v->sql is in it.  NULL with err. */
const char *km_pg_cost_sql(struct km_arena *arena, const struct km_pg_verdict *v, int *ret_shift,
                           struct km_err *err);

/* Its answer: turns the verdict into a refusal, or leaves it.  Negative: it cannot be read, and
 * nothing may run. */
int km_pg_cost_take(struct km_arena *arena, const struct km_pg_result *r, int64_t most,
                    struct km_pg_verdict *v, struct km_err *err) KM_MUST_USE;

#endif
