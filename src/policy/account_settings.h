/* SPDX-License-Identifier: Apache-2.0 */
/* account_settings.h - accounts that the configuration file declares. */
#ifndef KM_POLICY_ACCOUNT_SETTINGS_H
#define KM_POLICY_ACCOUNT_SETTINGS_H

#include "base/setting.h"
#include "policy/account.h"

struct km_node;

/* Lists of mappings, with LiteLLM's members of each kind; NULL: none. */
struct km_account_settings {
    const struct km_node *lists[KM_ACCOUNT_KINDS];
};
extern const struct km_settings_table km_account_settings_table; /* kanmon_settings */

/* Puts all of them, in the place of what the store has under the same id: at start, behind the
 * store's rows.  KM_E_CONFIG says what is wrong, and where. */
int km_accounts_declare(struct km_accounts *t, const struct km_account_settings *s,
                        struct km_err *err) KM_MUST_USE;

#endif
