/* SPDX-License-Identifier: Apache-2.0 */
/* deployment_rules.c - what a configuration says of translating for a deployment.
 *
 * Three lists decide on parameters (drop_params, additional_drop_params, allowed_openai_params:
 * codec.c asks them), and model_info may contradict the table of capabilities: a proxy's alias,
 * an ARN or a model newer than this program is then called as its owner knows it.
 */
#include "llm/model_build.h"

/* LiteLLM's flags, and what they mean here: all of these bits come or go. */
static const struct {
    const char *name;
    unsigned set, clear;
} flags[] = {
    { "supports_reasoning", KM_CAN_THINK_BUDGET,
      KM_CAN_THINK_BUDGET | KM_CAN_THINK_ADAPTIVE | KM_CAN_EFFORT | KM_CAN_THINK_ALWAYS },
    { "supports_response_schema", KM_CAN_SCHEMA, KM_CAN_SCHEMA },
    { "supports_assistant_prefill", KM_CAN_PREFILL, KM_CAN_PREFILL },
    { "supports_tool_choice", KM_CAN_FORCE_TOOL, KM_CAN_FORCE_TOOL | KM_CAN_FORCE_TOOL_THINKING },
    { "supports_temperature", KM_CAN_SAMPLE, KM_CAN_SAMPLE | KM_CAN_SAMPLE_BOTH },
};

static const struct km_str *names(struct km_arena *arena, const struct km_str_list *list,
                                  size_t *ret_n)
{
    struct km_str *v = km_arena_alloc(arena, (list->n + 1) * sizeof *v);

    for (size_t i = 0; v && i < list->n; i++)
        v[i] = km_arena_str(arena, list->v[i]);
    *ret_n = v ? list->n : 0;
    return v;
}

void km_deployment_rules(struct km_deployment *d, const struct km_model_build *b,
                         const struct km_model_entry *entry)
{
    const struct km_llm_defaults *llm = km_config_get(b->args->config, &km_llm_defaults_table);

    d->chat_only = entry->params.chat_only;
    d->drop_params = entry->params.drop_params || llm->drop_params;
    d->also_drop = names(b->arena, &entry->params.additional_drop_params, &d->nalso_drop);
    d->allowed = names(b->arena, &entry->params.allowed_openai_params, &d->nallowed);
    d->base_model = km_arena_str(b->arena, entry->info.base_model);
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        const struct km_node *node = km_node_get(entry->info.all, km_str_c(flags[i].name));

        if (!node || node->type != KM_NODE_BOOL)
            continue;
        if (node->b)
            d->can_set |= flags[i].set;
        else
            d->can_clear |= flags[i].clear;
    }
}

void km_deployment_can(const struct km_deployment *d, struct km_str upstream_model,
                       struct km_capability *ret)
{
    unsigned thinks = KM_CAN_THINK_BUDGET | KM_CAN_THINK_ADAPTIVE | KM_CAN_EFFORT;
    unsigned set = d->can_set;

    *ret = *km_capability_find(d->base_model.n ? d->base_model : upstream_model);
    if (ret->can & thinks) /* how it thinks is known better here */
        set &= ~(unsigned)KM_CAN_THINK_BUDGET;
    ret->can = (ret->can | set) & ~d->can_clear;
    if (d->price.max_output_tokens > 0)
        ret->max_output = d->price.max_output_tokens;
}
