/* SPDX-License-Identifier: Apache-2.0 */
/* posture.c - see posture.h.
 *
 * Each branch of the query is a reason and looks up one kind of power; what a role has through
 * membership counts, what it merely owns nothing of does not.  A schema of one's own temporary
 * tables and the system's are left out: what is written there is gone, or cannot be.
 *
 * Names of tables are told to whoever runs the server, in the log and in the refusal: one example
 * a reason, so that a REVOKE can be written.
 */
#include "servers/postgres/posture.h"

#include <stdio.h>

#define MINE                                                                                       \
    "n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_toast%' "  \
    "AND n.nspname NOT LIKE 'pg\\_temp%'"

const char *const km_pg_posture_sql =
    "SELECT why FROM ("
    "SELECT 1 AS i, 'it is a superuser' AS why FROM pg_catalog.pg_roles r "
    "WHERE r.rolname = current_user AND r.rolsuper "
    "UNION ALL SELECT 2, 'it may create roles' FROM pg_catalog.pg_roles r "
    "WHERE r.rolname = current_user AND r.rolcreaterole "
    "UNION ALL SELECT 3, 'it may create databases' FROM pg_catalog.pg_roles r "
    "WHERE r.rolname = current_user AND r.rolcreatedb "
    "UNION ALL SELECT 4, 'it may replicate' FROM pg_catalog.pg_roles r "
    "WHERE r.rolname = current_user AND r.rolreplication "
    "UNION ALL SELECT 5, 'it is a member of ' || r.rolname FROM pg_catalog.pg_roles r "
    "WHERE r.rolname IN ('pg_read_server_files', 'pg_write_server_files', "
    "'pg_execute_server_program', 'pg_signal_backend', 'pg_write_all_data', 'pg_maintain', "
    "'pg_checkpoint', 'pg_create_subscription') "
    "AND pg_catalog.pg_has_role(current_user, r.oid, 'MEMBER') "
    "UNION ALL (SELECT 6, 'it may change table ' || c.oid::pg_catalog.regclass::text "
    "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind IN ('r', 'p', 'v', 'f') AND " MINE " "
    "AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') "
    "AND (pg_catalog.has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE') "
    "OR pg_catalog.has_any_column_privilege(c.oid, 'INSERT, UPDATE')) "
    "ORDER BY c.oid LIMIT 1) "
    "UNION ALL (SELECT 7, 'it may advance sequence ' || c.oid::pg_catalog.regclass::text "
    "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind = 'S' AND " MINE " "
    "AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') "
    "AND CASE WHEN c.relkind = 'S' "
    "THEN pg_catalog.has_sequence_privilege(c.oid, 'USAGE, UPDATE') END "
    "ORDER BY c.oid LIMIT 1) "
    "UNION ALL (SELECT 8, 'it may create in schema ' || pg_catalog.quote_ident(n.nspname) "
    "FROM pg_catalog.pg_namespace n WHERE " MINE " "
    "AND pg_catalog.has_schema_privilege(n.oid, 'CREATE') ORDER BY n.oid LIMIT 1) "
    "UNION ALL SELECT 9, 'it may create schemas' "
    "WHERE pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')"
    ") AS reasons ORDER BY i";

void km_pg_posture_take(const struct km_pg_result *rows, struct km_pg_posture *ret)
{
    size_t n = km_pg_rows(rows), at = 0;

    *ret = (struct km_pg_posture){ .known = true, .writes = n > 0 };
    for (size_t i = 0; i < n && at < sizeof ret->why; i++) {
        struct km_str why = km_pg_value(rows, i, 0);

        at += (size_t)snprintf(ret->why + at, sizeof ret->why - at, "%s%.*s", i ? ", " : "",
                               KM_STR_ARG(why));
    }
}
