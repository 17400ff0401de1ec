/* SPDX-License-Identifier: Apache-2.0 */
/* accounts.h - routes of organisations, teams, users, end users, tags and budgets, in LiteLLM's
 * shapes. */
#ifndef KM_ADMIN_ACCOUNTS_H
#define KM_ADMIN_ACCOUNTS_H

#include "host/snapshot.h"

extern const struct km_route_rows km_account_routes;

#endif
