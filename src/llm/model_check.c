/* SPDX-License-Identifier: Apache-2.0 */
/* model_check.c - what only the built deployments show to be wrong (model_build.h).
 *
 *     model_group_retry_policy  for a name that is no group
 *     model_group_alias to a name that is no group, no pattern's and no deployment's id
 *     model_info.id     of two entries: the second can be asked for by another id only
 *     prices            that nobody knows: their calls are booked as unpriced
 *
 * None of them stops the start, for LiteLLM starts too; each is one entry, however many groups or
 * entries it is about, so that a file with forty models stays readable.
 */
#include "base/map.h"
#include "llm/model_build.h"

#define IDS_MOST 10000
#define NAMED_MOST 12

/* A policy for a group that is none protects nothing. */
static void check_retry_policies(const struct km_models *m, const struct km_model_build *b,
                                 const struct km_node *policies)
{
    for (size_t i = 0; policies && policies->type == KM_NODE_MAP && i < policies->n; i++) {
        struct km_str name = policies->k[i]->text;
        bool found = false;

        for (size_t k = 0; !found && k < km_models_count(m); k++)
            found = km_str_eq(km_models_at(m, k)->group, name);
        if (!found)
            km_diag_add(b->diags, KM_DIAG_WARNING, "W0311", policies->k[i],
                        "name a model_name of model_list",
                        "model_group_retry_policy is for '%.*s', and there is no such model group",
                        KM_STR_ARG(name));
    }
}

static void check_aliases(const struct km_models *m, const struct km_model_build *b,
                          const struct km_node *aliases)
{
    for (size_t i = 0; aliases && aliases->type == KM_NODE_MAP && i < aliases->n; i++) {
        const struct km_node *target = aliases->v[i];
        struct km_model_match found;

        if (target->type == KM_NODE_MAP)
            target = km_node_get(target, KM_STR("model"));
        if (target && target->text.n && km_models_find(m, target->text, &found, NULL) == 0)
            continue;
        km_diag_add(
            b->diags, KM_DIAG_WARNING, "W0305", aliases->k[i], "name a model_name of model_list",
            "alias '%.*s' leads nowhere: there is no model '%.*s'", KM_STR_ARG(aliases->k[i]->text),
            KM_STR_ARG(target ? target->text : KM_STR_NONE));
    }
}

static int check_ids(const struct km_model_build *b, const struct km_table_list *list,
                     struct km_err *err)
{
    const struct km_model_entry *entries = list->v;
    struct km_map *seen = km_map_new_borrowed(IDS_MOST);

    if (!seen)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    for (size_t i = 0; i < list->n; i++) {
        const struct km_model_info *info = &entries[i].info;
        const struct km_node *at = km_node_get(info->all, KM_STR("id"));
        const struct km_node *first = info->id.n ? km_map_get(seen, info->id) : NULL;

        if (first && km_model_entry_stored(&entries[i]))
            continue; /* it is left out, and that was said */
        if (first)
            km_diag_add(b->diags, KM_DIAG_WARNING, "W0306", at, "give each deployment an own id",
                        "model_info.id '%.*s' is that of another deployment too (line %u)",
                        KM_STR_ARG(info->id), first->line);
        else if (info->id.n && at && km_map_set(seen, info->id, (void *)(uintptr_t)at, NULL) < 0)
            break;
    }
    km_map_free(seen, NULL);
    return 0;
}

static bool is_unpriced(const struct km_deployment *d)
{
    return !d->mock_response.n && !d->unavailable.n && !km_price_known(&d->price) &&
           !km_deployment_has_star(d);
}

static bool named_before(const struct km_models *m, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (is_unpriced(km_models_at(m, k)) &&
            km_str_eq(km_models_at(m, k)->group, km_models_at(m, i)->group))
            return true;
    return false;
}

static void check_prices(const struct km_models *m, const struct km_model_build *b,
                         const struct km_node *at)
{
    struct km_buf names KM_CLEANUP(km_buf_done) = KM_BUF((size_t)1024 * 1024);
    size_t n = 0, shown = 0, more = 0;

    for (size_t i = 0; i < km_models_count(m); i++) {
        if (!is_unpriced(km_models_at(m, i)))
            continue;
        n++;
        if (shown == NAMED_MOST) {
            more++;
        } else if (!named_before(m, i)) {
            km_buf_printf(&names, "%s%.*s", shown++ ? ", " : "",
                          KM_STR_ARG(km_models_at(m, i)->group));
        }
    }
    if (!n || km_buf_failed(&names))
        return;
    if (more)
        km_buf_printf(&names, " and %zu more", more);
    km_diag_add(
        b->diags, KM_DIAG_WARNING, "W0310", at,
        b->args->offline
            ? "set input_cost_per_token and output_cost_per_token (0: it costs nothing), or "
              "run `kanmon prices import`; prices that a gateway has imported are not seen "
              "from here"
            : "set input_cost_per_token and output_cost_per_token (0: it costs nothing), or "
              "run `kanmon prices import`",
        "%zu of %zu models have no price: %.*s; their spend is unknown", n, km_models_count(m),
        KM_STR_ARG(km_buf_view(&names)));
}

int km_models_check(const struct km_models *m, const struct km_model_build *b, struct km_err *err)
{
    const struct km_config *config = b->args->config;
    const struct km_model_settings *s = km_config_get(config, &km_model_settings_table);
    const struct km_llm_defaults *llm = km_config_get(config, &km_llm_defaults_table);
    const struct km_router_settings *router = km_config_get(config, &km_router_settings_table);

    check_retry_policies(
        m, b, km_node_path(km_config_root(config), "router_settings.model_group_retry_policy"));
    check_aliases(m, b, router->model_group_alias);
    check_aliases(m, b, llm->model_group_alias);
    check_prices(m, b, km_node_path(km_config_root(config), "model_list"));
    return check_ids(b, &s->models, err);
}
