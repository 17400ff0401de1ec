/* SPDX-License-Identifier: Apache-2.0 */
/* own.h - private to the server: tools, resources, prompts and processors from a file.
 *
 * The file is YAML (JSON is YAML too); docs/postgres.md has an example of each part.  All of its
 * SQL goes through the guard in the server's mode: once when it is read, so that a mistake stops
 * the start, and again whenever it runs.
 */
#ifndef KM_SERVERS_POSTGRES_OWN_H
#define KM_SERVERS_POSTGRES_OWN_H

#include "servers/postgres/server.h"

#define KM_PG_OWN_BYTES ((size_t)1024 * 1024) /* of the file */

struct km_pg_own; /* what the file says; of one server */

/* Reads the file and adds its tools to the server.  KM_E_CONFIG with the place and the reason. */
int km_pg_own_load(struct km_pg_server *s, const char *path, struct km_err *err) KM_MUST_USE;
struct km_pg_own *km_pg_own_free(struct km_pg_own *own);

/* The list `tools` or `resources` of the file; NULL: none, or no file. */
const struct km_json *km_pg_own_list(const struct km_pg_own *own, const char *name);
/* One of them by its name; NULL. */
const struct km_json *km_pg_own_find(const struct km_pg_own *own, const char *list,
                                     struct km_str name);

#endif
