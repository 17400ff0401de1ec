/* SPDX-License-Identifier: Apache-2.0 */
/* deployment_facts.c - what filters know of a deployment (policy/filter.h), from its entry and from
 * what is known of its model.
 *
 * What nobody says of a model is not known, and leaves it in: the table of capabilities speaks of
 * schemas alone, model_info of everything.
 */
#include "base/hash.h"
#include "llm/model_build.h"

static bool says(const struct km_model_entry *entry, const char *name, bool *ret)
{
    const struct km_node *node = km_node_get(entry->info.all, km_str_c(name));

    if (!node || node->type != KM_NODE_BOOL)
        return false;
    *ret = node->b;
    return true;
}

/* By the table: of a family that it knows, and whose protocol has another way to ask for it. */
static bool lacks_schema(const struct km_deployment *d)
{
    struct km_capability can;

    if (!d->capability || d->capability->family == KM_FAMILY_OTHER || !d->codec ||
        km_deployment_compatible(d))
        return false;
    km_deployment_can(d, d->upstream_model, &can);
    return !(can.can & (KM_CAN_SCHEMA | KM_CAN_FORCE_TOOL));
}

static unsigned cannot(const struct km_deployment *d, const struct km_model_entry *entry)
{
    static const struct {
        const char *name;
        enum km_need need;
    } flags[] = {
        { "supports_vision", KM_NEED_VISION },
        { "supports_function_calling", KM_NEED_TOOLS },
        { "supports_response_schema", KM_NEED_SCHEMA },
    };
    unsigned v = lacks_schema(d) ? KM_NEED_SCHEMA : 0;
    bool can;

    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        if (says(entry, flags[i].name, &can))
            v = can ? v & ~(unsigned)flags[i].need : v | (unsigned)flags[i].need;
    return v;
}

static struct km_str region_of(const struct km_litellm_params *p)
{
    return p->region_name.n ? p->region_name : p->aws.region.n ? p->aws.region : p->vertex_location;
}

static struct km_tags tags_of(struct km_arena *arena, const struct km_str_list *list)
{
    struct km_str *v = km_arena_alloc(arena, (list->n + 1) * sizeof *v);

    for (size_t i = 0; v && i < list->n; i++)
        v[i] = km_arena_str(arena, list->v[i]);
    return (struct km_tags){ .v = v, .n = v ? list->n : 0 };
}

void km_deployment_facts(struct km_deployment *d, const struct km_model_build *b,
                         const struct km_model_entry *entry)
{
    bool filters = false;

    d->facts = (struct km_candidate_facts){
        .model = d->model,
        .region = km_arena_str(b->arena, region_of(&entry->params)),
        .max_input = d->price.max_input_tokens > 0 ? d->price.max_input_tokens : -1,
        .cannot = cannot(d, entry),
        .tags = tags_of(b->arena, &entry->params.tags),
    };
    d->tag_filtering = says(entry, "enable_tag_filtering", &filters) ? filters : -1;
}

void km_deployment_name_facts(struct km_deployment *d)
{
    static const struct km_hash_seed everywhere = { 0, 0 }; /* the same in every process */

    d->facts.id = d->id;
    d->facts.hash = km_hash(&everywhere, d->id);
}
