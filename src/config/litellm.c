/* SPDX-License-Identifier: Apache-2.0 */
/* litellm.c - keys at the top of LiteLLM's file and in router_settings (see litellm.h).
 *
 * The question each row answers: if this key is ignored, can anyone do, spend or see more than
 * the file's author allowed?  If so it is restrictive and stops the start; if the file merely
 * does less or goes slower, it is harmless and said once.  Where LiteLLM's key loosens a
 * check, ignoring it is the strict reading and harmless.
 */
#include "config/litellm.h"

#define IGNORED KM_LITELLM_IGNORED
#define MET KM_LITELLM_MET
#define PROTECTS KM_LITELLM_PROTECTS
#define REFUSED KM_LITELLM_REFUSED

static const struct km_setting guardrail_param_rows[] = {
    REFUSED("default_on", KM_SET_BOOL, "false",
            "In LiteLLM this guardrail runs on every request; kanmon runs no guardrails yet, so "
            "requests would pass unchecked."),
    { 0 },
};

static const struct km_settings_table guardrail_params = { .rows = guardrail_param_rows,
                                                           .extra = SIZE_MAX };

static const struct km_setting guardrail_rows[] = {
    { .name = "litellm_params",
      .type = KM_SET_TABLE,
      .table = &guardrail_params,
      .help = "How the guardrail runs.",
      .class = KM_HARMLESS },
    { 0 },
};

static const struct km_settings_table guardrail = { .rows = guardrail_rows, .extra = SIZE_MAX };

static const struct km_setting top_rows[] = {
    { .name = "guardrails",
      .type = KM_SET_TABLE_LIST,
      .table = &guardrail,
      .class = KM_HARMLESS,
      .flags = KM_SET_SAFETY,
      .help = "Checks of requests and answers that a request asks for by name; kanmon runs none "
              "yet.  One with default_on stops the start." },
    REFUSED("policies", KM_SET_NODE, NULL,
            "Attaches guardrails to teams, keys and models; kanmon runs no guardrails yet."),
    REFUSED("policy_attachments", KM_SET_NODE, NULL,
            "Says where policies apply; kanmon runs no guardrails yet."),
    IGNORED("mcp_tools", KM_SET_NODE,
            "Python functions that LiteLLM serves as tools; kanmon runs no Python."),
    IGNORED("callback_settings", KM_SET_NODE,
            "Settings of logging callbacks, which kanmon does not run."),
    IGNORED("vector_store_registry", KM_SET_NODE,
            "Vector stores for retrieval; kanmon has no vector store routes."),
    IGNORED("search_tools", KM_SET_NODE, "Web search tools; kanmon has no search routes."),
    IGNORED("files_settings", KM_SET_NODE, "Providers for /files; kanmon has no file routes."),
    IGNORED("finetune_settings", KM_SET_NODE,
            "Providers for /fine_tuning; kanmon has no such routes."),
    IGNORED("assistant_settings", KM_SET_NODE,
            "Providers for /assistants; kanmon has no such routes."),
    IGNORED("prompts", KM_SET_NODE, "Prompt templates by id; kanmon does not expand prompt_id."),
    IGNORED("agent_list", KM_SET_NODE, "A2A agents; kanmon has no agent routes."),
    IGNORED("worker_registry", KM_SET_NODE,
            "Instances that LiteLLM's control plane shows; kanmon has no such page."),
    { 0 },
};

const struct km_settings_table km_litellm_top_table = { .section = "",
                                                        .rows = top_rows,
                                                        .extra = SIZE_MAX };

static const struct km_setting router_rows[] = {
    REFUSED("optional_pre_call_checks", KM_SET_STR_LIST,
            "prompt_caching|responses_api_deployment_check|deployment_affinity|"
            "session_affinity|forward_client_headers_by_model_group|encrypted_content_affinity|"
            "router_budget_limiting",
            "session_affinity, deployment_affinity and prompt_caching send a session, a key or "
            "prompts that begin alike to the same deployment again; the other names have nothing "
            "to do here, but enforce_model_rate_limits, which holds limits that kanmon does not "
            "hold yet. Budgets of providers and deployments are held with or without "
            "router_budget_limiting."),
    IGNORED("redis_url", KM_SET_SECRET,
            "Shares router state in Redis; kanmon's workers share memory."),
    IGNORED("redis_host", KM_SET_STR,
            "Shares router state in Redis; kanmon's workers share memory."),
    IGNORED("redis_port", KM_SET_INT,
            "Shares router state in Redis; kanmon's workers share memory."),
    IGNORED("redis_password", KM_SET_SECRET,
            "Shares router state in Redis; kanmon's workers share memory."),
    IGNORED("redis_db", KM_SET_INT, "Shares router state in Redis; kanmon's workers share memory."),
    IGNORED("cache_kwargs", KM_SET_NODE,
            "Arguments of LiteLLM's Redis client; kanmon's workers share memory."),
    PROTECTS("cache_responses", KM_SET_BOOL,
            "Caches responses: without it every call is made and paid for."),
    IGNORED("caching_groups", KM_SET_NODE, "Groups that share a cache; kanmon does not cache yet."),
    MET("client_ttl", KM_SET_INT, "How long LiteLLM keeps a client object; kanmon has none."),
    IGNORED("default_litellm_params", KM_SET_NODE,
            "Request defaults for every deployment; put them in each deployment's "
            "litellm_params."),
    IGNORED("default_priority", KM_SET_INT,
            "Priority in LiteLLM's queue of calls that say none; here that is "
            "kanmon_settings.performance.default_priority."),
    MET("polling_interval", KM_SET_INT,
            "How often LiteLLM's queue is polled; kanmon's wakes the next call at once."),
    IGNORED("routing_groups", KM_SET_NODE,
            "Strategies for parts of the models; kanmon has one for all."),
    IGNORED("weights", KM_SET_NODE,
            "Weights by deployment; kanmon reads weight in litellm_params."),
    IGNORED("ignore_invalid_deployments", KM_SET_BOOL,
            "Starts without deployments that are invalid; kanmon names them and stops."),
    IGNORED("health_check_staleness_threshold", KM_SET_INT,
            "How long a health check counts; here until the next one."),
    IGNORED("health_check_ignore_transient_errors", KM_SET_BOOL,
            "Whether 429 and 408 count in health checks; here 429 never does."),
    IGNORED("deployment_affinity_ttl_seconds", KM_SET_INT,
            "How long LiteLLM keeps in mind who is served where; kanmon computes it, and keeps "
            "nothing."),
    IGNORED("debug_level", KM_SET_STR, "LiteLLM's router log level; use kanmon's own."),
    IGNORED("alerting_config", KM_SET_NODE, "Slack alerts of the router; kanmon sends none yet."),
    IGNORED("assistants_config", KM_SET_NODE, "Assistants; kanmon has no such routes."),
    IGNORED("model_list", KM_SET_NODE, "The models; write model_list at the top of the file."),
    IGNORED("router_general_settings", KM_SET_NODE,
            "How LiteLLM's router serves models without an entry; kanmon serves those of "
            "model_list."),
    IGNORED("plugins", KM_SET_NODE, "Python classes of LiteLLM's router; kanmon runs no Python."),
    IGNORED("background_health_check_model_groups", KM_SET_STR_LIST,
            "Stands in general_settings."),
    MET("enable_weighted_failover", KM_SET_BOOL,
            "Tries the other deployments of a group by weight; kanmon always does."),
    REFUSED("fallback_access_check", KM_SET_NODE, NULL,
            "A Python function that judges a fallback; kanmon cannot run it."),
    REFUSED("fallback_budget_check", KM_SET_NODE, NULL,
            "A Python function that judges a fallback; kanmon cannot run it."),
    REFUSED("auto_router_capability_limit", KM_SET_NODE, NULL,
            "A Python function that bounds LiteLLM's automatic router; kanmon cannot run it."),
    IGNORED("search_tools", KM_SET_NODE, "Web search tools; kanmon has no search routes."),
    IGNORED("guardrail_list", KM_SET_NODE,
            "Deployments of guardrails to balance over; a guardrail that must run is listed in "
            "guardrails."),
    { 0 },
};

const struct km_settings_table km_litellm_router_table = { .section = "router_settings",
                                                           .rows = router_rows,
                                                           .extra = SIZE_MAX,
                                                           .flags = KM_SET_WARY };
