/* SPDX-License-Identifier: Apache-2.0 */
/* model.h - deployments and model groups, built once per configuration snapshot.
 *
 * A deployment is one entry of model_list made ready to call: origin, paths, header lines,
 * prices.  Entries with one model_name form a model group.  Everything is immutable but the
 * breakers and the few atomics named so, and shared by all workers.
 */
#ifndef KM_LLM_MODEL_H
#define KM_LLM_MODEL_H

#include "config/config.h"
#include "llm/capability.h"
#include "llm/model_settings.h"
#include "llm/provider.h"
#include "net/dial.h"
#include "policy/hedge.h"
#include "policy/pace.h"
#include "policy/price.h"
#include "policy/probing.h"
#include "policy/retry.h"
#include "policy/retry_budget.h"
#include "policy/router.h"

/* No model writes more in one answer; keeps the arithmetic far from its end. */
#define KM_LLM_TOKENS_MOST 100000000

struct km_auth;
struct km_gate_settings;
struct km_fallbacks; /* fallback.h */
struct km_route_rules; /* policy/route_rule.h */

enum km_default_use {
    KM_DEFAULT_SENT, /* wherever requests go */
    KM_DEFAULT_VECTORS, /* with embeddings and rankings only: no chat takes it there */
    KM_DEFAULT_AS_IS, /* of extra_body: beside what a request is translated to */
};

#define KM_DEFAULTS_MOST 64

/* A default request parameter: added where the caller did not set it. */
struct km_default_param {
    struct km_str name; /* plain ASCII, no escapes */
    struct km_str json;
    enum km_default_use use;
    bool not_messages; /* Anthropic's API has no such parameter: never in a body of its own */
};

/* Its health checks, as model_info has them. */
struct km_deployment_check {
    struct km_str mode; /* empty: chat */
    struct km_str model; /* asked for instead: of a wildcard */
    int64_t timeout_ms, max_tokens;
    bool off;
};

struct km_deployment {
    struct km_str id; /* model_info.id, or made from the entry */
    struct km_str group; /* model_name */
    struct km_str model; /* "openai/gpt-4o": as configured, star included */
    struct km_str upstream_model; /* "gpt-4o"; may hold one '*' for a wildcard's rest */
    struct km_str provider_name;
    const struct km_provider *provider;
    struct km_origin *origin; /* NULL: cannot be called, see unavailable */
    struct km_str base_path; /* "/v1" */
    struct km_str api_version; /* of the upstream's API, where its targets name one */
    struct km_str api_base; /* for headers and logs; no query, no userinfo */
    struct km_str head; /* ready header lines: a secret */
    struct km_str reply_head; /* ready lines that tell the client who answered */
    struct km_price price;
    int64_t timeout_ms, stream_timeout_ms;
    int64_t num_retries; /* -1: the group's */
    struct km_str mock_response;
    const struct km_default_param *defaults;
    size_t ndefaults;
    int64_t default_output; /* what the defaults bound the output to, tokens; -1: nothing */
    int64_t default_choices; /* how many answers the defaults ask for; at least 1 */
    const struct km_llm_priced *priced; /* what the defaults change of a price; NULL: nothing */
    /* additional_drop_params: leave these out in any case.  Names, and paths into them. */
    const struct km_str *also_drop;
    size_t nalso_drop;
    size_t npaths; /* the last of them, which are paths */
    const struct km_str *allowed; /* allowed_openai_params: these go through */
    size_t nallowed;
    struct km_str base_model; /* model_info.base_model: what it is, when the name does not say */
    const struct km_capability *capability; /* of base_model or upstream_model; NULL: a wildcard */
    const struct km_codec *codec; /* what its upstream speaks */
    struct km_auth *auth; /* header lines made for each request (auth.h); NULL: head has all */
    struct km_str unavailable; /* why it cannot be called; empty: it can */
    struct km_breaker breaker;
    const struct km_breaker_settings
        *breaking; /* of that; while it is built: what its entry says */
    struct km_breaker_group *group_of; /* its provider's; NULL: it is the only one there */
    struct km_retry_budget retries;
    const struct km_str_list *silent; /* who gets its calls as well, unheard; NULL: nobody */
    int64_t silent_percent; /* of them */
    enum km_resume_said resume; /* its streams that break */
    struct km_deployment_check check;
    struct km_probe_state checked; /* what the last one said */
    struct km_hedge_times begins; /* how long answers take to; learnt where its group is hedged */
    struct km_gate *gate; /* where calls wait for it; NULL: they do not */
    struct km_gate_rules gate_rules;
    struct km_load load; /* counted where the strategy asks for it */
    struct km_pace *pace; /* what is learnt of it; NULL: nothing is */
    _Atomic int64_t learnt_max_output; /* tokens, as a refusal named it; -1: none did */
    int64_t order; /* lower first */
    int64_t weight, rpm, tpm; /* -1: not said; of each the shuffle makes a share */
    int64_t max_parallel; /* calls at once; 0: not said */
    size_t index; /* place in km_models_at(): for metrics */
    struct km_candidate_facts facts; /* what filters know of it */
    const struct km_node *at; /* its entry, lives with the configuration; NULL: it has none */
    /* As its entry says them, NULL: it does not; and under which id: a star's deployments share. */
    const struct km_node *max_budget, *budget_duration;
    struct km_str budget_id;
    /* The small ones. */
    unsigned place; /* in group_of */
    unsigned can_set, can_clear; /* model_info's word against the table's (enum km_can) */
    int tag_filtering; /* model_info.enable_tag_filtering; -1: not said */
    /* Neither name has a star, as nearly all: nothing is to be filled in.  false: look. */
    bool plain;
    bool stored; /* by the management API; not the file's */
    bool lends; /* use_in_pass_through, or the vendor's own variables (vendor.h) */
    bool has_budget; /* of its own, or its provider's (budgets.h) */
    bool chat_only; /* no Responses there, whatever its codec says */
    bool drop_params; /* leave out what the upstream does not know, else refuse the call */
    bool drops_bound; /* the caller's bound of the output is among also_drop */
    _Atomic bool no_stream_options; /* this base refused stream_options once */
};

/* Does it serve any model, or any of a form, under the name that is asked for? */
static inline bool km_deployment_has_star(const struct km_deployment *d)
{
    return !d->plain && km_str_chr(d->upstream_model, '*') < d->upstream_model.n;
}

/* Its upstream takes OpenAI's chats as they are: nothing is translated for them. */
bool km_deployment_compatible(const struct km_deployment *d);

/* The most its answers have, by what is known of its model: tokens, or -1. */
int64_t km_deployment_max_output(const struct km_deployment *d, const struct km_price *price);
/* Its upstream named the most output tokens it takes (llm/refusal_maximum.h): from now on it is
 * asked for no more.  The last one named holds, for what is behind a name may change. */
void km_deployment_learn_maximum(struct km_deployment *d, int64_t tokens);
/* -1: none was named. */
int64_t km_deployment_learnt_maximum(const struct km_deployment *d);

/* What the model can do: the table's row, and what model_info says otherwise. */
void km_deployment_can(const struct km_deployment *d, struct km_str upstream_model,
                       struct km_capability *ret);

struct km_model_group {
    struct km_str name; /* or the pattern */
    const struct km_candidate *v;
    size_t n;
    const struct km_failure_counts *retry; /* retries by kind of failure; NULL: none is said */
    bool falls_back; /* another group follows it */
    const struct km_hedge_settings *hedge; /* NULL: its calls are not hedged */
    unsigned filters; /* enum km_filter_on: which of them look at its deployments */
    unsigned affinity; /* enum km_affinity: whose calls come back to one of them */
};

struct km_models;
struct km_cooldown_groups; /* cooldown.h */

/* The environment and TLS choices a build needs. */
struct km_models_args {
    const struct km_config *config;
    const struct km_prices *prices;
    bool offline; /* without those that a gateway's store has */
    struct km_tls_client *tls, *tls_insecure;
    bool unverified; /* deployments that do not say otherwise use the latter */
    const struct km_proxy_env *proxies;
    const struct km_breaker_settings *breaker; /* lives with config; NULL: the defaults */
    const struct km_hedge_settings *hedge; /* lives with config; NULL: nothing is hedged */
    struct km_paces *paces; /* lives longer than the models; NULL: nothing is learnt */
    struct km_gates *gates; /* likewise; NULL: no call waits */
    const struct km_gate_settings *waiting; /* lives with config; NULL with gates */
};

/* What litellm_settings.ssl_verify says: are deployments to be verified?  ret_ca_file: that file's
 * CAs are trusted; NULL: the system's. */
struct km_llm_defaults;
bool km_llm_verifies(const struct km_llm_defaults *llm, struct km_arena *arena,
                     const char **ret_ca_file);

/* Problems of entries are added to diags (an unusable entry is a warning and stays listed). */
int km_models_new(const struct km_models_args *args, struct km_diags *diags,
                  struct km_models **ret_models, struct km_err *err) KM_MUST_USE;
struct km_models *km_models_free(struct km_models *m);

struct km_model_match {
    const struct km_candidate *v; /* of the group, or the one deployment asked by id */
    size_t n;
    struct km_str group; /* model_name, or the pattern that matched */
    struct km_str star; /* what a wildcard stood for */
    struct km_str alias_of; /* the group an alias led to; empty: no alias */
    const struct km_failure_counts *retry; /* of the group */
    bool falls_back; /* likewise */
    const struct km_hedge_settings *hedge; /* likewise */
    unsigned filters, affinity; /* likewise */
    const struct km_strategy_settings *strategy; /* by which one is chosen; NULL: by chance */
};

/* Exact, alias, deployment id, wildcard most specific first.  KM_E_INVALID with LiteLLM's
 * text when there is none. */
int km_models_find(const struct km_models *m, struct km_str name, struct km_model_match *ret_match,
                   struct km_err *err) KM_MUST_USE;

/* The one whose id this is; NULL: none. */
const struct km_deployment *km_models_by_id(const struct km_models *m, struct km_str id);
size_t km_models_count(const struct km_models *m); /* of model_list */
/* These, and behind them those made of the environment's credentials (vendor.h). */
size_t km_models_all(const struct km_models *m);
struct km_deployment *km_models_at(const struct km_models *m, size_t i);
/* The breakers of providers; those with one deployment have none of their own. */
const struct km_cooldown_groups *km_models_cooldown_groups(const struct km_models *m);
/* Conditional routes; n 0: there are none. */
const struct km_route_rules *km_models_rules(const struct km_models *m);
const struct km_fallbacks *km_models_fallbacks(const struct km_models *m);
/* Names for /v1/models: groups and visible aliases, in order of the file. */
size_t km_models_names(const struct km_models *m, const struct km_str **ret_names);

#endif
