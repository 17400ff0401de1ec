/* SPDX-License-Identifier: Apache-2.0 */
/* statements.c - every row of SQL of the store, as a table of the modules' tables (driver.h).
 *
 * Nothing of the store asks it: each module has its own rows.  It is for what must hold of all:
 * that each has the SQL of each dialect, that a test uses each, that a driver can make each ready.
 */
#include "store/statements.h"

const struct km_statements *const km_store_statements[] = {
    &km_accounts_statements,
    &km_correct_statements, &km_holds_statements, &km_incomplete_statements,
    &km_answers_statements,    &km_apply_statements,       &km_audit_statements,
    &km_catalogues_statements, &km_commit_statements,      &km_due_statements,
    &km_grants_statements,     &km_identity_statements,    &km_ops_statements,
    &km_mcp_tokens_statements, &km_mcp_servers_statements, &km_models_statements,
    &km_objects_statements,
    &km_payers_statements,
    &km_pins_statements,       &km_load_statements,      &km_query_audit_statements,
    &km_query_spend_statements, &km_query_daily_statements,
    &km_query_stats_statements, &km_spent_statements,    &km_spill_statements,
    &km_windows_statements,
};
const size_t km_store_statements_n = sizeof km_store_statements / sizeof km_store_statements[0];
