/* SPDX-License-Identifier: Apache-2.0 */
/* statements.h - the rows of each module of the store, for the table of all (statements.c). */
#ifndef KM_STORE_STATEMENTS_H
#define KM_STORE_STATEMENTS_H

#include "store/driver.h"

extern const struct km_statements km_accounts_statements;
extern const struct km_statements km_answers_statements;
extern const struct km_statements km_apply_statements;
extern const struct km_statements km_audit_statements;
extern const struct km_statements km_catalogues_statements;
extern const struct km_statements km_commit_statements;
extern const struct km_statements km_correct_statements;
extern const struct km_statements km_due_statements;
extern const struct km_statements km_grants_statements;
extern const struct km_statements km_holds_statements;
extern const struct km_statements km_identity_statements;
extern const struct km_statements km_incomplete_statements;
extern const struct km_statements km_ops_statements;
extern const struct km_statements km_mcp_servers_statements;
extern const struct km_statements km_models_statements;
extern const struct km_statements km_query_daily_statements;
extern const struct km_statements km_mcp_tokens_statements;
extern const struct km_statements km_objects_statements;
extern const struct km_statements km_payers_statements;
extern const struct km_statements km_pins_statements;
extern const struct km_statements km_load_statements;
extern const struct km_statements km_query_audit_statements;
extern const struct km_statements km_query_spend_statements;
extern const struct km_statements km_query_stats_statements;
extern const struct km_statements km_spent_statements;
extern const struct km_statements km_spill_statements;
extern const struct km_statements km_windows_statements;

#endif
