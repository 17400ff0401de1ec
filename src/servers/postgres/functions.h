/* SPDX-License-Identifier: Apache-2.0 */
/* functions.h - the functions, relations and settings the guard knows, as data.
 *
 * What is not on a list is refused: a function that a later PostgreSQL adds is unknown until
 * somebody has read what it does.
 */
#ifndef KM_SERVERS_POSTGRES_FUNCTIONS_H
#define KM_SERVERS_POSTGRES_FUNCTIONS_H

#include "base/buf.h"
#include "base/str.h"
#include "servers/postgres/guard.h"

enum km_pg_function {
    KM_PG_FUNCTION_UNKNOWN,
    KM_PG_FUNCTION_BUILTIN, /* of pg_catalog: computes, looks, and changes nothing */
    KM_PG_FUNCTION_EXTENSION, /* the same, when the catalogue says it is that extension's */
    KM_PG_FUNCTION_WRITES, /* of pg_catalog, from mode dml on */
    KM_PG_FUNCTION_ADMIN, /* of pg_catalog, in mode admin */
    KM_PG_FUNCTION_DANGEROUS, /* never; *ret_why says what it does */
};

/* name as the parser gives it: decoded and folded.  *ret_more is the extension's name, or why it
 * is dangerous; static. */
enum km_pg_function km_pg_function_find(struct km_str name, const char **ret_more);

/* What PostgreSQL has instead of a function of another database; NULL: it is none of those. */
const char *km_pg_function_instead(struct km_str name);

/* NULL, or why a relation of pg_catalog or information_schema may not be read; static. */
const char *km_pg_relation_denied(struct km_str schema, struct km_str name);

/* May SHOW and current_setting() tell it? */
bool km_pg_setting_shown(struct km_str name);
/* Appends the names of all that they may, in lower case, with commas between. */
void km_pg_settings_list(struct km_buf *out);

/* Is it an extension whose functions, operators, casts and types do no more than compute? */
bool km_pg_extension_known(struct km_str name);

/* A builtin that some of those extensions have for their own types: avg() of a vector. */
bool km_pg_extension_overloads(struct km_str function);

/* The names of those extensions, separated by commas, for a look into the catalogue. */
extern const char km_pg_extensions[];

#endif
