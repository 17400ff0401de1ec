/* SPDX-License-Identifier: Apache-2.0 */
/* retry_settings.h - the rows of a retry policy, for whoever has one in its settings. */
#ifndef KM_POLICY_RETRY_SETTINGS_H
#define KM_POLICY_RETRY_SETTINGS_H

#include "base/setting.h"
#include "policy/retry.h"

/* Fills a struct km_failure_counts. */
extern const struct km_settings_table km_retry_policy_table;

#endif
