/* SPDX-License-Identifier: Apache-2.0 */
/* model_vendor.c - who serves what is asked for below a vendor's prefix (vendor.h).
 *
 * The deployments of that vendor of the group that is named; else those whose name at the vendor it
 * is; else one that lends its credentials, the environment's own last.
 */
#include "llm/model_inside.h"
#include "llm/vendor.h"

static bool is_of(const struct km_deployment *d, const struct km_vendor *v)
{
    return d->provider && km_str_starts(km_str_c(d->provider->name), km_str_c(v->provider)) &&
           (strlen(d->provider->name) == strlen(v->provider) ||
            km_str_ends(km_str_c(d->provider->name), KM_STR("_beta")));
}

/* It calls nobody. */
static bool mocks(const struct km_deployment *d)
{
    return d->mock_response.n > 0;
}

static void put(struct km_vendor_match *ret, struct km_candidate *v, struct km_deployment *d)
{
    v[ret->match.n++] = (struct km_candidate){ .weight = 1,
                                               .order = d->order,
                                               .breaker = &d->breaker,
                                               .settings = d->breaking,
                                               .group = d->group_of,
                                               .place = d->place,
                                               .gate = d->gate,
                                               .gate_rules = &d->gate_rules,
                                               .deployment = d };
}

/* Those of the group of that name. */
static void by_group(const struct km_models *m, const struct km_vendor *v, struct km_str model,
                     struct km_candidate *room, struct km_vendor_match *ret)
{
    struct km_model_match found;

    if (km_models_find(m, model, &found, NULL) < 0)
        return;
    ret->known = true;
    ret->group = found.alias_of.n ? found.alias_of : found.group;
    ret->match.star = found.star;
    for (size_t i = 0; i < found.n; i++)
        if (is_of(found.v[i].deployment, v) && !mocks(found.v[i].deployment))
            put(ret, room, found.v[i].deployment);
}

/* Those whose name at the vendor it is. */
static void by_model(const struct km_models *m, const struct km_vendor *v, struct km_str model,
                     struct km_candidate *room, struct km_vendor_match *ret)
{
    for (size_t i = 0; i < m->ndeployments; i++) {
        struct km_deployment *d = &m->deployments[i];

        if (!is_of(d, v) || mocks(d) || !km_str_eq(d->upstream_model, model))
            continue;
        ret->group = !ret->match.n || km_str_eq(ret->group, d->group) ? d->group : KM_STR_NONE;
        put(ret, room, d);
    }
}

static void lenders(const struct km_models *m, const struct km_vendor *v, bool any,
                    struct km_candidate *room, struct km_vendor_match *ret)
{
    struct km_deployment *own = &m->deployments[m->ndeployments + (size_t)(v - km_vendors)];

    ret->lent = true;
    for (size_t i = 0; i < m->ndeployments; i++)
        if (is_of(&m->deployments[i], v) && m->deployments[i].lends && !mocks(&m->deployments[i]) &&
            !m->deployments[i].unavailable.n)
            put(ret, room, &m->deployments[i]);
    if (ret->match.n)
        return;
    for (size_t i = 0; own->unavailable.n && any && i < m->ndeployments; i++)
        if (is_of(&m->deployments[i], v) && !mocks(&m->deployments[i]) &&
            !m->deployments[i].unavailable.n) {
            put(ret, room, &m->deployments[i]);
            return;
        }
    put(ret, room, own);
}

int km_models_vendor(const struct km_models *m, const struct km_vendor *v, struct km_str model,
                     struct km_arena *arena, struct km_vendor_match *ret, struct km_err *err)
{
    struct km_candidate *room = km_arena_zalloc(arena, (m->ndeployments + 1) * sizeof *room);
    const struct km_deployment *d;

    *ret = (struct km_vendor_match){ .match.group = model };
    if (!room)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    if (model.n)
        by_group(m, v, model, room, ret);
    if (model.n && !ret->match.n && !ret->known)
        by_model(m, v, model, room, ret);
    if (!ret->match.n)
        lenders(m, v, model.n == 0, room, ret);
    ret->match.v = room;
    d = room[0].deployment;
    if (ret->match.n > 1 || !d->unavailable.n)
        return 0;
    return km_fail(
        err, KM_E_NOT_FOUND,
        "Nothing is configured for %.*s%s%.*s: %.*s. Add the model to model_list, or set "
        "the provider's own variables.",
        KM_STR_ARG(v->prefix), model.n ? " and model " : "", KM_STR_ARG(km_str_sub(model, 0, 100)),
        KM_STR_ARG(d->unavailable));
}
