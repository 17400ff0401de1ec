/* SPDX-License-Identifier: Apache-2.0 */
/* model_settings.h - what a configuration says of models, before it is made into deployments. */
#ifndef KM_LLM_MODEL_SETTINGS_H
#define KM_LLM_MODEL_SETTINGS_H

#include "base/setting.h"
#include "policy/price_columns.h"
#include "policy/retry.h"

struct km_aws_params { /* of litellm_params; empty: not said */
    struct km_str akid, secret, token, region, session_name, profile, role, web_identity;
    struct km_str sts_endpoint, external_id, runtime_endpoint;
    struct km_str model_id; /* an ARN that stands for the model */
};

struct km_litellm_params {
    struct km_str model, base_model;
    struct km_str api_key, api_base, base_url, organization, custom_llm_provider;
    int64_t rpm, tpm, weight, order;
    int64_t max_parallel; /* 0: not said */
    int64_t timeout_ms, stream_timeout_ms;
    int64_t num_retries;
    int64_t prices[KM_PRICE_COLUMN_COUNT]; /* those without tier and service; the rest is in all */
    struct km_str mock_response;
    struct km_str_map extra_headers;
    const struct km_node *extra_body;
    bool drop_params;
    bool chat_only; /* its upstream has no Responses */
    struct km_str_list additional_drop_params, allowed_openai_params;
    bool ssl_verify;
    struct km_str_list silent_model;
    int64_t silent_percent;
    int64_t resume; /* enum km_resume_said */
    int64_t cooldown_ms; /* 0: not said, or never: cooldown.c looks */
    bool use_in_pass_through;
    struct km_str vertex_project, vertex_location, vertex_credentials;
    struct km_aws_params aws;
    struct km_str region_name; /* of a cloud provider, where it has no parameter of its own */
    struct km_str_list tags; /* of calls that it serves (policy/filter.h) */
    const struct km_node *max_budget, *budget_duration; /* budgets.c */
    const struct km_node *unused; /* accepted for others; kept nowhere else */
    const struct km_node *all; /* the whole mapping: keys without a row are default parameters */
};

/* Do streams of a deployment that break go on at another one? */
enum km_resume_said { KM_RESUME_UNSAID, KM_RESUME_YES, KM_RESUME_NO };

/* When a deployment that fails is left alone (policy/breaker.h). */
struct km_cooldown_settings {
    int64_t allowed_fails; /* of a minute; -1: not said */
    int64_t time_ms; /* 0: not said; of a deployment it may have been */
};

struct km_model_info {
    struct km_str id, mode, base_model;
    int64_t prices[KM_PRICE_COLUMN_COUNT]; /* likewise */
    int64_t max_tokens, max_input_tokens, max_output_tokens;
    struct km_str check_model;
    int64_t check_timeout_ms, check_max_tokens;
    bool check_off;
    struct km_cooldown_settings cooldown;
    struct km_failure_counts allowed_fails_policy;
    const struct km_node *unused; /* read from all */
    const struct km_node *all;
};

/* What the models that the store has are called as a place in the configuration. */
#define KM_MODEL_STORED_NAME "(stored models)"

struct km_model_entry {
    struct km_str model_name;
    struct km_litellm_params params;
    struct km_model_info info;
    const struct km_node *node; /* where it stands, for messages */
};

struct km_model_settings {
    struct km_table_list models; /* of struct km_model_entry */
};

/* Who follows a model group that failed (fallback.h). */
struct km_fallback_nodes {
    const struct km_node *any, *context, *content; /* by what it failed of */
    const struct km_node *budget; /* instead of one that the budget has not enough for */
    const struct km_node *rest; /* who follows the groups that no list names */
};

/* How priority_reservation is used; numbers, or NULL. */
struct km_reservation_nodes {
    const struct km_node *default_priority, *saturation_threshold;
    int64_t unused; /* accepted, without effect */
};

struct km_llm_defaults { /* litellm_settings */
    int64_t request_timeout_ms;
    int64_t num_retries;
    bool drop_params;
    const struct km_node *ssl_verify; /* false, or a file of CAs; NULL: not said */
    struct km_cooldown_settings cooldown;
    struct km_fallback_nodes fallbacks;
    const struct km_node *model_group_alias;
    const struct km_node *priority_reservation;
    const struct km_node *tag_budgets; /* budgets.c */
    struct km_reservation_nodes reservation;
};

/* Which deployments of a group may serve a call at all (policy/filter.h). */
struct km_filter_settings {
    bool fits; /* enable_pre_call_checks */
    bool tags; /* enable_tag_filtering */
    bool tags_match_any;
    struct km_str tag_prefix; /* empty: none */
};

struct km_strategy_args {
    int64_t ttl_ms;
    const struct km_node *buffer; /* a number */
    int64_t unused; /* accepted, without effect */
};

struct km_router_settings { /* router_settings */
    int64_t num_retries; /* -1 unset */
    int64_t timeout_ms, stream_timeout_ms; /* 0 unset */
    int64_t max_parallel; /* of each deployment; 0: not said */
    int64_t strategy; /* index of its name */
    struct km_strategy_args strategy_args;
    int64_t retry_after_ms; /* the shortest wait before a retry at the same deployment */
    struct km_failure_counts retry_policy;
    struct km_fallback_nodes fallbacks;
    int64_t max_fallbacks;
    struct km_cooldown_settings cooldown;
    bool no_cooldowns;
    struct km_failure_counts allowed_fails_policy; /* of a minute, by kind */
    struct km_table_list group_retry_policies; /* of struct km_failure_counts, by model group */
    const struct km_node *model_group_alias;
    struct km_filter_settings filters;
    const struct km_node *provider_budgets; /* budgets.c */
    const struct km_node *group_affinity; /* read by affinity.c */
};

/* Was it stored by the management API, and is none of the file? */
bool km_model_entry_stored(const struct km_model_entry *entry);
/* A stored entry that names an address: nothing that the machine has of its own, a variable or a
 * file of credentials, is sent there, for who may store a model may not read those. */
bool km_model_entry_alone(const struct km_model_entry *entry);

extern const struct km_settings_table km_model_settings_table; /* "" */
extern const struct km_settings_table km_llm_defaults_table; /* litellm_settings */
extern const struct km_settings_table km_router_settings_table; /* router_settings */

/* Is it read, as a row or as a price?  param.h says what the others are. */
bool km_litellm_param_known(struct km_str name);
/* The rows in turn; NULL behind the last.  *ret_guarded: it is a credential, an address, a price
 * or a limit, which a misspelled name would leave unset. */
const char *km_litellm_param_at(size_t i, bool *ret_guarded);
bool km_model_info_known(struct km_str name); /* likewise, of model_info */
/* The row of model_info that a price is set by and that the name is a near miss of, or empty. */
struct km_str km_model_info_price(struct km_str name);

#endif
