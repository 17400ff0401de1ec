/* SPDX-License-Identifier: Apache-2.0 */
/* deployment_rules.c - what a configuration says of translating for a deployment.
 *
 * Three lists decide on parameters (drop_params, additional_drop_params, allowed_openai_params:
 * codec.c asks them), and model_info may contradict the table of capabilities: a proxy's alias,
 * an ARN or a model newer than this program is then called as its owner knows it.
 */
#include "llm/model_build.h"
#include "llm/param.h"
#include "llm/spellings.h"

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

static bool is_path(struct km_str name)
{
    return km_str_chr(name, '.') < name.n || km_str_chr(name, '[') < name.n;
}

/* Without these it would be another request, or none; `stream_options` is the gateway's to ask. */
static bool is_needed(struct km_str name)
{
    struct km_param p;

    km_param_judge(name, false, &p);
    return !km_str_eq(name, KM_STR("stream_options")) &&
           (p.kind == KM_PARAM_CALL || km_str_eq(name, KM_STR("model")));
}

static bool bounds_output(struct km_str name)
{
    static const struct km_str names[] = {
        { "generationConfig.maxOutputTokens", 32 }, { "generationConfig", 16 },
        { "options.num_predict", 19 }, { "options", 7 },
    };

    return km_spelling_bounds(name) || km_str_iamong(name, names, sizeof names / sizeof names[0]);
}

/* Names first, then paths. */
static void sort_dropped(struct km_deployment *d, const struct km_model_build *b,
                         const struct km_model_entry *entry)
{
    const struct km_str_list *list = &entry->params.additional_drop_params;
    struct km_str *v = km_arena_alloc(b->arena, (list->n + 1) * sizeof *v);

    d->also_drop = v;
    for (int paths = 0; v && paths < 2; paths++)
        for (size_t i = 0; i < list->n; i++) {
            struct km_str name = list->v[i];

            if (is_path(name) != (paths == 1) || is_needed(name))
                continue;
            if (km_str_eq(name, KM_STR("stream_options")))
                d->no_stream_options = true;
            d->drops_bound = d->drops_bound || bounds_output(name);
            v[d->nalso_drop++] = km_arena_str(b->arena, name);
            d->npaths += (size_t)paths;
        }
    for (size_t i = 0; i < list->n; i++)
        if (is_needed(list->v[i]))
            km_diag_add(b->diags, KM_DIAG_WARNING, "W0307",
                        km_node_get(entry->params.all, KM_STR("additional_drop_params")),
                        "take it out of the list",
                        "litellm_params.additional_drop_params: '%.*s' is sent all the same: no "
                        "call works without it",
                        KM_STR_ARG(list->v[i]));
}

void km_deployment_rules(struct km_deployment *d, const struct km_model_build *b,
                         const struct km_model_entry *entry)
{
    const struct km_llm_defaults *llm = km_config_get(b->args->config, &km_llm_defaults_table);

    d->chat_only = entry->params.chat_only;
    d->drop_params = entry->params.drop_params || llm->drop_params;
    sort_dropped(d, b, entry);
    d->allowed = names(b->arena, &entry->params.allowed_openai_params, &d->nallowed);
    d->base_model = km_arena_str(b->arena, entry->info.base_model.n ? entry->info.base_model
                                                                    : entry->params.base_model);
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

void km_deployment_know_model(struct km_deployment *d)
{
    if (d->base_model.n)
        d->capability = km_capability_find(d->base_model);
    else if (!km_deployment_has_star(d))
        d->capability = km_capability_find(d->upstream_model);
    d->plain = !km_deployment_has_star(d) && km_str_chr(d->model, '*') == d->model.n;
}

static bool says_number(const struct km_model_entry *entry, const char *name)
{
    const struct km_node *value = km_node_get(entry->params.all, km_str_c(name));

    return value && value->type != KM_NODE_NULL;
}

static void say_unsampled(const struct km_model_build *b, const struct km_model_entry *entry,
                          const struct km_deployment *d, const char *name, const char *why)
{
    if (says_number(entry, name))
        km_diag_add_each(
            b->diags, KM_DIAG_WARNING, "W0306", km_node_get(entry->params.all, km_str_c(name)),
            "take it out; where the model does take it, set supports_temperature in model_info",
            km_arena_printf(b->arena, "litellm_params.%s", name),
            km_arena_printf(b->arena, " is left out for '%.*s', which takes no %s",
                            KM_STR_ARG(d->upstream_model), why),
            km_arena_printf(b->arena, "defaults are left out for models that take no %s", why));
}

void km_deployment_check_sampling(const struct km_deployment *d, const struct km_model_build *b,
                                  const struct km_model_entry *entry)
{
    static const char *const names[] = { "temperature", "top_p", "top_k" };
    struct km_capability can;

    if (!d->codec || km_deployment_compatible(d) || !d->capability)
        return;
    km_deployment_can(d, d->upstream_model, &can);
    if (can.family != KM_FAMILY_CLAUDE)
        return;
    for (size_t i = 0; !(can.can & KM_CAN_SAMPLE) && i < sizeof names / sizeof names[0]; i++)
        say_unsampled(b, entry, d, names[i], "sampling parameters");
    if ((can.can & KM_CAN_SAMPLE) && !(can.can & KM_CAN_SAMPLE_BOTH) &&
        says_number(entry, "temperature"))
        say_unsampled(b, entry, d, "top_p", "top_p beside a temperature");
}

void km_deployment_can(const struct km_deployment *d, struct km_str upstream_model,
                       struct km_capability *ret)
{
    unsigned thinks = KM_CAN_THINK_BUDGET | KM_CAN_THINK_ADAPTIVE | KM_CAN_EFFORT;
    unsigned set = d->can_set;

    *ret = *(d->capability ? d->capability : km_capability_find(upstream_model));
    if (ret->can & thinks) /* how it thinks is known better here */
        set &= ~(unsigned)KM_CAN_THINK_BUDGET;
    ret->can = (ret->can | set) & ~d->can_clear;
    if (d->price.max_output_tokens > 0)
        ret->max_output = d->price.max_output_tokens;
}
