/* SPDX-License-Identifier: Apache-2.0 */
/* key_params.h - what new keys get that say nothing of it, and what keys may get at most: LiteLLM's
 * default_key_generate_params and upperbound_key_generate_params. */
#ifndef KM_POLICY_KEY_PARAMS_H
#define KM_POLICY_KEY_PARAMS_H

#include "base/err.h"
#include "base/setting.h"
#include "base/str.h"

struct km_key_params {
    int64_t max_budget; /* nano-USD; -1 none, as the next */
    int64_t rpm, tpm, max_parallel;
    struct km_str budget_duration, duration; /* "30d"; empty: none */
    struct km_str user_id, team_id; /* of the defaults alone, as the next */
    struct km_str_list models;
};

extern const struct km_settings_table km_key_default_table; /* struct km_key_params */
extern const struct km_settings_table km_key_most_table; /* the same */

/* Beside them: what LiteLLM gives to new teams, and kanmon does not. */
extern const struct km_settings_table km_team_default_table;

struct km_config;
/* At start: do their lengths of time read, and does nothing say a limit that nobody would keep? */
int km_key_params_check(const struct km_config *config, struct km_err *err) KM_MUST_USE;

#endif
