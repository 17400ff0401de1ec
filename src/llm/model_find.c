/* SPDX-License-Identifier: Apache-2.0 */
/* model_find.c - a requested name finds its group.
 *
 * A name is looked up as: exact group, alias, deployment id, wildcard (most literal bytes first).
 * That order is LiteLLM's.
 */
#include "llm/model_inside.h"
#include "llm/refusal.h"

static void matched(const struct km_models *m, struct km_model_match *ret,
                    const struct km_model_group *g)
{
    ret->v = g->v;
    ret->n = g->n;
    ret->group = g->name;
    ret->retry = g->retry;
    ret->falls_back = g->falls_back;
    ret->hedge = g->hedge;
    ret->filters = g->filters;
    ret->affinity = g->affinity;
    ret->strategy = &m->strategy;
}

static bool find_exact(const struct km_models *m, struct km_str name, struct km_model_match *ret)
{
    const struct km_model_group *g = km_map_get(m->by_name, name);

    if (g)
        matched(m, ret, g);
    return g != NULL;
}

static bool find_pattern(const struct km_models *m, struct km_str name, struct km_model_match *ret)
{
    for (size_t i = 0; i < m->npatterns; i++)
        if (km_str_glob(m->patterns[i]->name, name, &ret->star)) {
            matched(m, ret, m->patterns[i]);
            return true;
        }
    return false;
}

int km_models_find(const struct km_models *m, struct km_str name, struct km_model_match *ret_match,
                   struct km_err *err)
{
    const struct km_model_alias *alias;
    const struct km_model_group *g;

    *ret_match = (struct km_model_match){ 0 };
    if (find_exact(m, name, ret_match))
        return 0;
    alias = km_map_get(m->by_alias, name);
    if (alias) {
        ret_match->alias_of = alias->group;
        if (find_exact(m, alias->group, ret_match) || find_pattern(m, alias->group, ret_match))
            return 0;
    }
    g = km_map_get(m->by_id, name);
    if (g) {
        matched(m, ret_match, g);
        return 0;
    }
    if (find_pattern(m, name, ret_match))
        return 0;
    km_fail_param(err, KM_E_INVALID, NULL,
                  "There is no model '%.*s' here. GET /v1/models lists those your key may use.",
                  KM_STR_ARG(km_str_sub(name, 0, 200)));
    if (err)
        err->kind = KM_REFUSED_MODEL;
    return KM_E_INVALID;
}
