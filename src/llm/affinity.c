/* SPDX-License-Identifier: Apache-2.0 */
/* affinity.c - see affinity.h for the contract.
 *
 *     optional_pre_call_checks: [session_affinity]              for every group
 *     model_group_affinity_config: {chat: [prompt_caching]}     for one, instead
 *
 * The names are LiteLLM's.  responses_api_deployment_check needs nothing here: the gateway keeps
 * conversations itself, so any deployment goes on with one.  What router_budget_limiting and
 * enforce_model_rate_limits would hold is refused by the setting's row.
 */
#include "llm/affinity.h"

#include "config/tree.h"

static const struct {
    const char *name;
    enum km_affinity means;
} names[] = {
    { "session_affinity", KM_AFFINITY_SESSION },
    { "deployment_affinity", KM_AFFINITY_KEY },
    { "prompt_caching", KM_AFFINITY_PROMPT },
};

static unsigned meaning(const struct km_node *name)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (km_str_eq(name->text, km_str_c(names[i].name)))
            return names[i].means;
    return 0;
}

/* A single name counts as a list of one. */
static unsigned meanings(const struct km_node *list)
{
    unsigned all = 0;

    if (list->type != KM_NODE_SEQ)
        return meaning(list);
    for (size_t i = 0; i < list->n; i++)
        all |= meaning(list->v[i]);
    return all;
}

unsigned km_affinity_of(const struct km_config *config, struct km_str group)
{
    const struct km_node *router = km_node_path(km_config_root(config), "router_settings");
    const struct km_node *list =
        km_node_get(km_node_get(router, KM_STR("model_group_affinity_config")), group);

    if (!list)
        list = km_node_get(router, KM_STR("optional_pre_call_checks"));
    return list ? meanings(list) : 0;
}
