/* SPDX-License-Identifier: Apache-2.0 */
/* retry_settings.h - rows of numbers by kind of failure, for whoever has them in its settings. */
#ifndef KM_POLICY_RETRY_SETTINGS_H
#define KM_POLICY_RETRY_SETTINGS_H

#include "base/setting.h"
#include "policy/retry.h"

/* Fills a struct km_failure_counts. */
extern const struct km_settings_table km_retry_policy_table;
extern const struct km_settings_table km_allowed_fails_policy_table;

#endif
