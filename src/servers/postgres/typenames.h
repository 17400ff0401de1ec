/* SPDX-License-Identifier: Apache-2.0 */
/* typenames.h - private to the server: names of types that the database has of its own.
 *
 *     column of oid 16756 ── known for a minute ──> "hr.mood"
 *                        └── not ──> asked once, with the others of the result (tools.c)
 *
 * Enums, composite types and those of extensions have other numbers in every database.  A domain is
 * told as what it is made of: that is what PostgreSQL says of a column.  Thread: its loop's.
 */
#ifndef KM_SERVERS_POSTGRES_TYPENAMES_H
#define KM_SERVERS_POSTGRES_TYPENAMES_H

#include "servers/postgres/table.h"

#define KM_PG_TYPENAMES 256 /* known at a time; a new one takes the place of another */
#define KM_PG_TYPENAME_BYTES 288 /* of one: schema and name, quoted */
#define KM_PG_TYPENAMES_MS 60000 /* a type may be renamed */

struct km_pg_typenames;

struct km_pg_typenames *km_pg_typenames_new(void); /* NULL: out of memory */
struct km_pg_typenames *km_pg_typenames_free(struct km_pg_typenames *names);

/* $1: an array of oids.  A row each: its number and its name. */
extern const char km_pg_typenames_sql[];

/* The table's types that are not known, as PostgreSQL's literal of an array; false: all are. */
bool km_pg_typenames_missing(const struct km_pg_typenames *names, const struct km_pg_table *t,
                             uint64_t now_ms, struct km_buf *oids);
void km_pg_typenames_take(struct km_pg_typenames *names, const struct km_pg_result *r,
                          uint64_t now_ms);
/* Puts those that are known into the table's columns. */
void km_pg_typenames_put(const struct km_pg_typenames *names, struct km_pg_table *t);

#endif
