/* SPDX-License-Identifier: Apache-2.0 */
/* cooldown.h - when which deployments are left alone: what the configuration says of it in general
 * and of single ones, and the breakers that those of a provider have together.
 *
 * Built with the models; immutable but for the breakers; any thread.
 */
#ifndef KM_LLM_COOLDOWN_H
#define KM_LLM_COOLDOWN_H

#include "llm/model.h"

struct km_model_entry;

/* A provider at one place, with more than one deployment. */
struct km_cooldown_group {
    struct km_str name; /* "openai" */
    struct km_str host; /* with the port, where that is not the usual one */
    struct km_str label; /* "openai at api.openai.com": for people */
    unsigned n; /* its deployments; of one that has but one nothing is counted here */
    struct km_breaker_group breakers;
};

struct km_cooldown_groups {
    struct km_cooldown_group *v;
    size_t n;
};

/* What an entry says of its own deployment: model_info's word, then litellm_params'.  NULL:
 * nothing, or no memory. */
const struct km_breaker_settings *km_cooldown_of_entry(const struct km_model_entry *entry,
                                                       struct km_arena *arena);

/* d->breaking and d->group_of of each; the groups, in the arena. */
int km_cooldowns_init(struct km_deployment *v, size_t n, const struct km_breaker_settings *general,
                      struct km_arena *arena, struct km_cooldown_groups *ret,
                      struct km_err *err) KM_MUST_USE;

#endif
