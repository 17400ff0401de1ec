/* SPDX-License-Identifier: Apache-2.0 */
/* fallback.h - which model groups are asked in the place of one that failed.
 *
 * Four lists, each of groups and those that follow them: for any failure, for prompts that are too
 * long, for what a filter stopped, and for a budget that is spent.  Built with the models,
 * immutable; any thread.
 */
#ifndef KM_LLM_FALLBACK_H
#define KM_LLM_FALLBACK_H

#include "config/config.h"
#include "policy/retry.h"

struct km_models;

#define KM_FALLBACKS_DEFAULT 5 /* model groups that one call may fall back to; LiteLLM's number */
#define KM_FALLBACKS_MOST 20

struct km_fallback_list {
    const struct km_str *v; /* names of models, as a caller would ask for them */
    size_t n;
};

struct km_fallbacks;

/* Reads router_settings and litellm_settings, the former first.  What is wrong with them goes to
 * diags.  NULL: no memory. */
const struct km_fallbacks *km_fallbacks_new(const struct km_config *config, struct km_arena *arena,
                                            struct km_diags *diags);
/* Once the models are known: says which names of the lists no model has, and that a cycle of
 * groups, by whatever names, is an error, unless accept_unsupported names its list. */
void km_fallbacks_check(const struct km_fallbacks *f, const struct km_models *models,
                        const struct km_config *config, struct km_arena *arena,
                        struct km_diags *diags);

/* Who follows the model that was asked for, a group or an alias of it; n 0: nobody.  The lists for
 * long prompts and for filters take the place of the general one where they are configured. */
struct km_fallback_list km_fallbacks_find(const struct km_fallbacks *f, enum km_failure failure,
                                          struct km_str model, struct km_str group);
/* Who is asked when the budget does not have what it may cost. */
struct km_fallback_list km_fallbacks_of_budget(const struct km_fallbacks *f, struct km_str model,
                                               struct km_str group);
/* Does any other list say who follows this group? */
bool km_fallbacks_has(const struct km_fallbacks *f, struct km_str group);
/* The most groups that one call may fall back to. */
int64_t km_fallbacks_most(const struct km_fallbacks *f);

#endif
