/* SPDX-License-Identifier: Apache-2.0 */
/* model_inside.h - private to llm/: what the models are made of (model.h), for the files that build
 * them, look among them, and say by which rules one of a group is taken. */
#ifndef KM_LLM_MODEL_INSIDE_H
#define KM_LLM_MODEL_INSIDE_H

#include "base/map.h"
#include "llm/budgets.h"
#include "llm/cooldown.h"
#include "llm/fallback.h"
#include "llm/model_build.h"
#include "llm/routes.h"
#include "policy/economy.h"

struct km_model_alias {
    struct km_str name, group;
    bool hidden;
};

struct km_models {
    struct km_arena arena;
    struct km_deployment *deployments;
    size_t ndeployments;
    size_t nlenders; /* behind the deployments: the environment's credentials, by vendor */
    struct km_model_group *groups; /* exact ones and patterns, in order of the file */
    size_t ngroups;
    const struct km_model_group **patterns; /* most literal bytes first */
    size_t npatterns;
    struct km_model_alias *aliases;
    size_t naliases;
    struct km_map *by_name; /* exact groups */
    struct km_map *by_alias;
    struct km_map *by_id; /* one-candidate groups */
    struct km_str *names;
    size_t nnames;
    struct km_breaker_settings breaker;
    struct km_cooldown_groups providers;
    const struct km_hedge_settings *hedge; /* of the configuration; NULL: nothing is hedged */
    const struct km_config *config; /* lives as long */
    const struct km_router_settings *router; /* of it */
    const struct km_economy_settings *economy; /* likewise */
    const struct km_fallbacks *fallbacks;
    struct km_strategy_settings strategy;
    struct km_route_rules rules;
    struct km_said_budget *budgets; /* of providers, deployments, tags (budgets.h) */
    size_t nbudgets;
};

/* --- model_rules.c: what the configuration says of routing --- */

/* The further attempts by kind of failure that are configured for a group; NULL: none are. */
const struct km_failure_counts *km_models_retry_policy(const struct km_models *m,
                                                       struct km_str group);
/* What the strategy knows of a deployment beforehand. */
struct km_strategy_facts km_models_facts(const struct km_models *m, struct km_deployment *d);
/* Which filters look at the deployments of a group: enum km_filter_on. */
unsigned km_models_filters(const struct km_models *m, const struct km_candidate *v, size_t n);
struct km_strategy_settings km_models_strategy(const struct km_router_settings *router);
/* What LiteLLM's settings say of cool-downs takes the place of our own. */
struct km_breaker_settings km_models_breaker(const struct km_models_args *args,
                                             const struct km_router_settings *router);

#endif
