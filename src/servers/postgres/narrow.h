/* SPDX-License-Identifier: Apache-2.0 */
/* narrow.h - private to the processors: relations of which a caller sees less.
 *
 * Wherever a statement reads a relation that a processor is about, it reads a subselect instead,
 * which is a barrier: nothing the caller wrote meets a row that it does not show.
 */
#ifndef KM_SERVERS_POSTGRES_NARROW_H
#define KM_SERVERS_POSTGRES_NARROW_H

#include "http/json.h"
#include "servers/postgres/parse.h"

/* list: processors, those of plug-ins are passed over.  values: an object of the caller's key, for
 * `where: {column: {key: name}}`; NULL: it has none.  *sql becomes what is to run; in the arena.
 * KM_E_FORBIDDEN with the reason. */
int km_pg_narrow(const struct km_json *list, const struct km_json *values,
                 const struct km_pg_parser *parser, struct km_arena *arena, struct km_str *sql,
                 struct km_err *err) KM_MUST_USE;

/* Appends what stands in the place of a relation that `by` is about. */
int km_pg_narrow_put(struct km_buf *b, const struct km_json *by, struct km_str alias,
                     const struct km_json *values, struct km_err *err) KM_MUST_USE;

/* What is narrowed, for queries of the catalogue: [{"k": "narrow", "s": schema, "n": name, "c":
 * columns that are shown, "v": what stands instead}, {"k": "shown", ...: stands instead of one}].
 * free() it; NULL with err. */
char *km_pg_narrow_names(const struct km_json *list, struct km_err *err);

#endif
