/* SPDX-License-Identifier: Apache-2.0 */
/* hypo.h - private to the server: indexes that are only supposed, by the extension HypoPG.
 *
 * They live in one backend's memory.  The steps run before the statement, in its transaction, on a
 * connection that is closed afterwards (km_pg_request.alone), so that no other statement ever sees
 * them.
 */
#ifndef KM_SERVERS_POSTGRES_HYPO_H
#define KM_SERVERS_POSTGRES_HYPO_H

#include "base/arena.h"
#include "http/json.h"
#include "servers/postgres/lease.h"

#define KM_PG_HYPO_MOST 16 /* indexes of one plan */

/* Asks for HypoPG's schema, quoted; null where it is not installed. */
extern const char *const km_pg_hypo_sql[];

/* One {schema, table, columns, using} as CREATE INDEX; every name is quoted.  KM_E_INVALID. */
int km_pg_hypo_ddl(const struct km_json *index, struct km_buf *out, struct km_err *err) KM_MUST_USE;

/* request->before and alone for n texts of CREATE INDEX; schema: what km_pg_hypo_sql said. */
int km_pg_hypo_before(struct km_pg_request *request, struct km_arena *arena, struct km_str schema,
                      const struct km_str *ddl, size_t n, struct km_err *err) KM_MUST_USE;

#endif
