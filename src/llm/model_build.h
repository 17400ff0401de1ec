/* SPDX-License-Identifier: Apache-2.0 */
/* model_build.h - private to llm/: one configured entry becomes a deployment. */
#ifndef KM_LLM_MODEL_BUILD_H
#define KM_LLM_MODEL_BUILD_H

#include "llm/model.h"

struct km_model_said; /* what need not be said again: deployment_params.c */

struct km_model_build {
    const struct km_models_args *args;
    struct km_arena *arena; /* of the models: all strings end up in it */
    struct km_diags *diags;
    struct km_model_said **said; /* NULL: nothing is remembered */
};

/* By which its upstream is verified, or not. */
struct km_tls_client *km_deployment_tls(const struct km_model_build *b,
                                        const struct km_model_entry *entry);
/* Fills *d.  What is wrong with the entry becomes d->unavailable and a warning; an error is
 * returned only when memory runs out.  provider NULL: as the entry says. */
int km_deployment_init(struct km_deployment *d, const struct km_model_build *b,
                       const struct km_model_entry *entry, const struct km_provider *provider,
                       struct km_err *err) KM_MUST_USE;
void km_deployment_done(struct km_deployment *d);
/* Names of litellm_params that no provider should see, and those that are probably mistakes: an
 * error in b->diags for each that must be mended.  Once an entry. */
void km_deployment_params_check(const struct km_model_build *b, const struct km_model_entry *entry);
/* Keys of litellm_params without a row, and extra_body's members: d->defaults.  d->codec and the
 * rules are known. */
void km_deployment_defaults(struct km_deployment *d, const struct km_model_build *b,
                            const struct km_model_entry *entry);
/* What filters know of it, but for its id, which may be another yet: deployment_facts.c. */
void km_deployment_facts(struct km_deployment *d, const struct km_model_build *b,
                         const struct km_model_entry *entry);
/* Its id is found: whoever comes back to it finds it by that. */
void km_deployment_name_facts(struct km_deployment *d);
/* What is left out, let through, and known of the model: deployment_rules.c. */
void km_deployment_rules(struct km_deployment *d, const struct km_model_build *b,
                         const struct km_model_entry *entry);
/* d->capability, when its provider has had its last word on what the model is called. */
void km_deployment_know_model(struct km_deployment *d);
/* Says which defaults of a deployment its model, which is known, would not take. */
void km_deployment_check_sampling(const struct km_deployment *d, const struct km_model_build *b,
                                  const struct km_model_entry *entry);

/* Says what only the whole shows: policies and aliases for what is not there, an id that two
 * entries have. */
int km_models_check(const struct km_models *m, const struct km_model_build *b,
                    struct km_err *err) KM_MUST_USE;

/* A stored entry whose id one of the file has: it is left out, with a warning (model_stored.c). */
bool km_model_entry_hidden(const struct km_model_build *b, const struct km_table_list *list,
                           size_t at);

/* --- for the build hooks of providers (provider.h) --- */

/* The entry stays listed and says why it cannot be called: a warning, once. */
void km_deployment_unavailable(struct km_deployment *d, const struct km_model_build *b,
                               const struct km_model_entry *entry, const char *help,
                               struct km_str why);
/* Would it send the machine's own credentials to an address that a stored entry names?  Then it
 * becomes unavailable, and true. */
bool km_deployment_lends_none(struct km_deployment *d, const struct km_model_build *b,
                              const struct km_model_entry *entry, bool has_own);
/* Where its upstream is: origin, base_path and api_base of that URL, in place of what was there.
 * A URL that is none makes it unavailable. */
int km_deployment_base(struct km_deployment *d, const struct km_model_build *b,
                       const struct km_model_entry *entry, struct km_str base,
                       struct km_err *err) KM_MUST_USE;
/* Its key: litellm_params.api_key, or the provider's variable; empty when there is none. */
struct km_str km_deployment_key(const struct km_deployment *d, const struct km_model_build *b,
                                const struct km_model_entry *entry);
/* The header lines of its every request: Content-Type, the row's own, the key in field (NULL:
 * "Authorization: Bearer"; no key: none), extra_headers. */
void km_deployment_head(struct km_deployment *d, const struct km_model_build *b,
                        const struct km_model_entry *entry, const char *field, struct km_str key);
/* Its price by d->provider_name and d->upstream_model, for a hook that changes the latter. */
struct km_price km_deployment_price(const struct km_deployment *d, const struct km_model_build *b,
                                    const struct km_model_entry *entry);
/* Is the value of a price, whose name km_price_counts(), one that a price can have? */
bool km_deployment_price_member(const struct km_model_build *b, const struct km_node *key,
                                const struct km_node *value, struct km_err *err);
/* Likewise, its base_model split: "<provider>/<model>". */
struct km_priced_as {
    struct km_str base, provider, model; /* base empty: none is named */
};
struct km_price km_deployment_price_as(const struct km_deployment *d,
                                       const struct km_model_build *b,
                                       const struct km_model_entry *entry,
                                       const struct km_priced_as *as);
/* What the entry's own mapping says: its rows, and all (NULL: nothing). */
struct km_price km_deployment_prices_said(struct km_arena *arena, struct km_str provider,
                                          const int64_t *prices, const struct km_node *all);
/* A variable of the environment or .env; empty when it is not set. */
struct km_str km_deployment_env(const struct km_model_build *b, const char *name);

#endif
