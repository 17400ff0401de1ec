/* SPDX-License-Identifier: Apache-2.0 */
/* cooldown.c - see cooldown.h for the contract.
 *
 * What a provider is, hosts decide: Bedrock in two regions are two, and so are two resources of
 * Azure, which fail by themselves.  Of a deployment's own settings only what is said takes the
 * place of the general ones; a time of 0 means that it is never left alone, as in LiteLLM.
 */
#include "llm/cooldown.h"

#include "net/dial.h"

#define UNSAID (-1)

/* -1: the entry says nothing of it. */
static int64_t time_of(const struct km_model_entry *entry)
{
    static const struct km_str name = { "cooldown_time", 13 };

    if (entry->info.all && km_node_get(entry->info.all, name))
        return entry->info.cooldown.time_ms;
    return entry->params.all && km_node_get(entry->params.all, name) ? entry->params.cooldown_ms
                                                                     : UNSAID;
}

const struct km_breaker_settings *km_cooldown_of_entry(const struct km_model_entry *entry,
                                                       struct km_arena *arena)
{
    const struct km_model_info *info = &entry->info;
    const int64_t time_ms = time_of(entry);
    struct km_breaker_settings *own;
    bool kinds = false;

    for (size_t i = 0; i < KM_FAILURES_COUNTED; i++)
        kinds = kinds || info->allowed_fails_policy.of[i] >= 0;
    if (!entry->node || (time_ms < 0 && info->cooldown.allowed_fails < 0 && !kinds))
        return NULL;
    own = km_arena_zalloc(arena, sizeof *own);
    if (!own)
        return NULL;
    own->open_ms = time_ms;
    own->a_minute = info->cooldown.allowed_fails >= 0 ? info->cooldown.allowed_fails + 1 : UNSAID;
    own->allowed_of = kinds ? &info->allowed_fails_policy : NULL;
    return own;
}

static int settle_own(struct km_deployment *d, const struct km_breaker_settings *general,
                      struct km_arena *arena, struct km_err *err)
{
    const struct km_breaker_settings *own = d->breaking;
    struct km_breaker_settings *s;

    d->breaking = general;
    if (!own)
        return 0;
    s = km_arena_alloc(arena, sizeof *s);
    if (!s)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    *s = *general;
    if (own->open_ms > 0)
        s->open_ms = own->open_ms;
    s->never = s->never || own->open_ms == 0;
    if (own->a_minute > 0)
        s->a_minute = own->a_minute;
    if (own->allowed_of)
        s->allowed_of = own->allowed_of;
    d->breaking = s;
    return 0;
}

static struct km_cooldown_group *group_at(const struct km_cooldown_groups *groups,
                                          const struct km_deployment *d)
{
    for (size_t i = 0; i < groups->n; i++)
        if (km_str_eq(groups->v[i].name, d->provider_name) &&
            km_str_eq(groups->v[i].host, d->origin->host_header))
            return &groups->v[i];
    return NULL;
}

/* Who calls nobody fails by itself. */
static bool has_upstream(const struct km_deployment *d)
{
    return d->origin && !d->unavailable.n && !d->mock_response.n;
}

int km_cooldowns_init(struct km_deployment *v, size_t n, const struct km_breaker_settings *general,
                      struct km_arena *arena, struct km_cooldown_groups *ret, struct km_err *err)
{
    struct km_cooldown_groups groups = { .v = km_arena_zalloc(arena, (n + 1) * sizeof *groups.v) };
    struct km_cooldown_group *g;
    int r = 0;

    if (!groups.v)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    for (size_t i = 0; r == 0 && i < n; i++) {
        r = settle_own(&v[i], general, arena, err);
        if (!has_upstream(&v[i]))
            continue;
        g = group_at(&groups, &v[i]);
        if (!g) {
            g = &groups.v[groups.n++];
            g->name = v[i].provider_name;
            g->host = v[i].origin->host_header;
            g->label =
                km_arena_printf(arena, "%.*s at %.*s", KM_STR_ARG(g->name), KM_STR_ARG(g->host));
            km_breaker_group_init(&g->breakers, general);
        }
        v[i].place = g->n++;
        v[i].group_of = &g->breakers;
    }
    for (size_t i = 0; i < n; i++) /* its own breaker says the same */
        if (v[i].group_of && group_at(&groups, &v[i])->n < 2)
            v[i].group_of = NULL;
    *ret = groups;
    return r;
}
