/* SPDX-License-Identifier: Apache-2.0 */
/* process.h - private to the server: what is done to a caller's statement before the guard sees it,
 * and to its result before the caller does.
 *
 *     validate ── rewrite ── the guard, the database ── format
 *
 * Built-in processors put a narrower relation in a table's place: some of its rows, some of its
 * columns, constants instead of values, or another view altogether.  A plug-in (plugin.h) may
 * refuse, rewrite and format as it likes; what it rewrites goes through the guard all the same.
 */
#ifndef KM_SERVERS_POSTGRES_PROCESS_H
#define KM_SERVERS_POSTGRES_PROCESS_H

#include "base/arena.h"
#include "http/json.h"
#include "servers/postgres/parse.h"

struct km_pg_processors;

/* The list `processors` of the definitions; *ret is NULL where there is none.  It must outlive
 * them.  KM_E_CONFIG. */
int km_pg_processors_new(const struct km_json *list, struct km_pg_processors **ret,
                         struct km_err *err) KM_MUST_USE;
struct km_pg_processors *km_pg_processors_free(struct km_pg_processors *p);

/* What is narrowed, as narrow.h says; "[]": nothing is. */
struct km_str km_pg_processors_names(const struct km_pg_processors *p);

/* *sql becomes what is to run; in the arena.  values: an object of the caller's key; NULL: none.
 * KM_E_FORBIDDEN with the reason. */
int km_pg_process_statement(const struct km_pg_processors *p, const struct km_pg_parser *parser,
                            const struct km_json *values, struct km_arena *arena,
                            struct km_str *sql, struct km_err *err) KM_MUST_USE;
/* *json, the result, becomes what is shown. */
int km_pg_process_result(const struct km_pg_processors *p, struct km_arena *arena,
                         struct km_str *json, struct km_err *err) KM_MUST_USE;

#endif
