/* SPDX-License-Identifier: Apache-2.0 */
/* budgets.h - budgets that LiteLLM's settings give to providers, deployments and tags.
 *
 *     router_settings.provider_budget_config    {openai: {budget_limit: 100, time_period: 1d}}
 *     litellm_params.max_budget, budget_duration
 *     litellm_settings.tag_budget_config        {tag: {max_budget: 10, budget_duration: 1d}}
 *
 * Each is an account (policy/account.h) of its kind; who declares them is host/targets.c.
 */
#ifndef KM_LLM_BUDGETS_H
#define KM_LLM_BUDGETS_H

#include "config/diag.h"
#include "store/accounts.h"

struct km_models;
struct km_model_entry;

/* A budget that was read. */
struct km_said_budget {
    enum km_account_kind kind;
    struct km_str id; /* of the provider, the deployment, the tag */
    int64_t max; /* nano-USD */
    struct km_str duration; /* "1d"; empty: one window for ever */
    int64_t duration_s;
};

/* All that the models' configuration says; they live as long as the models. */
const struct km_said_budget *km_models_budgets(const struct km_models *m, size_t *ret_n);

/* For model.c: reads them, and notes in each deployment whether it has one (has_budget). What does
 * not read is an error in diags. */
int km_budgets_read(struct km_models *m, struct km_diags *diags, struct km_err *err) KM_MUST_USE;

#endif
