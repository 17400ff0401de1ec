/* SPDX-License-Identifier: Apache-2.0 */
/* litellm_settings.c - keys of litellm_settings that no module owns (see litellm.h).
 *
 * `callbacks` is the awkward one: it lists exporters, whose absence costs only a dashboard, and
 * hooks that check or refuse requests, whose absence opens a door.  The exporters are known by
 * name; anything else in the list, a module of one's own above all, may be a check.
 */
#include "config/litellm.h"

#define IGNORED KM_LITELLM_IGNORED
#define REFUSED KM_LITELLM_REFUSED

static const char exporters[] =
    "langfuse|langfuse_otel|otel|prometheus|datadog|datadog_llm_observability|datadog_metrics|"
    "datadog_cost_management|s3|s3_v2|gcs_bucket|gcs_pubsub|sentry|langsmith|helicone|lunary|"
    "arize|arize_phoenix|opik|braintrust|mlflow|slack|sqs|aws_sqs|generic_api|generic|"
    "dynamodb|logfire|literalai|athina|traceloop|weave_otel|weave|wandb|galileo|argilla|lago|"
    "openmeter|posthog|pagerduty|greenscale|supabase|promptlayer|agentops|levo|deepeval|"
    "humanloop|focus|cloudzero|vantage|email|smtp_email|resend_email|sendgrid_email|"
    "azure_storage|azure_sentinel|newrelic|elasticsearch|prompt_layer|bitbucket|gitlab|"
    "dotprompt|arize_ax|anthropic_cache_control_hook|responses_id_security|sumologic|qualifire_eval|"
    "splunk|rubrik_logging|signoz|honeycomb";

static const struct km_setting rows[] = {
    REFUSED("callbacks", KM_SET_STR_LIST, exporters,
            "Hooks around every call.  Exporters are without effect here; any other may check or "
            "refuse requests, which kanmon would not do."),
    REFUSED("guardrails", KM_SET_NODE, NULL,
            "LiteLLM's older form of guardrails; kanmon runs no guardrails yet."),
    REFUSED("max_budget", KM_SET_MONEY, "0|0.0",
            "Caps what the whole proxy may spend; kanmon holds budgets by key only, for now."),
    REFUSED("max_end_user_budget", KM_SET_MONEY, "0|0.0",
            "Caps what each end user may spend; kanmon does not count by end user yet."),
    REFUSED("max_end_user_budget_id", KM_SET_STR, NULL,
            "The budget every end user gets; kanmon does not count by end user yet."),
    REFUSED("max_internal_user_budget", KM_SET_MONEY, "0|0.0",
            "Caps what each internal user may spend; kanmon holds budgets by key only, for now."),
    REFUSED("default_max_internal_user_budget", KM_SET_MONEY, "0|0.0",
            "The cap of users without another; kanmon holds budgets by key only, for now."),
    REFUSED("tag_budget_config", KM_SET_NODE, NULL,
            "Caps spend by request tag; kanmon does not count by tag yet."),
    REFUSED("cost_margin_config", KM_SET_NODE, NULL,
            "Adds a margin to every cost; without it spend is counted lower and budgets last "
            "longer than meant."),
    REFUSED("upperbound_key_generate_params", KM_SET_NODE, NULL,
            "Bounds what /key/generate may grant; ignored, a key could be made with more."),
    REFUSED("default_key_generate_params", KM_SET_NODE, NULL,
            "Limits that new keys get when none are asked for; ignored, such keys would be "
            "unlimited."),
    REFUSED("key_generation_settings", KM_SET_NODE, NULL,
            "Restricts who may make keys and with what; kanmon lets admins make any key."),
    REFUSED("default_internal_user_params", KM_SET_NODE, NULL,
            "Limits that new users get; kanmon has no users yet, so their keys would not have "
            "them."),
    REFUSED("default_team_params", KM_SET_NODE, NULL,
            "Limits that new teams get; kanmon has no teams yet, so their keys would not have "
            "them."),
    REFUSED("redact_user_api_key_info", KM_SET_BOOL, "false",
            "Keeps key, user and team out of logs; kanmon's call log names the key alias."),
    REFUSED("overwrite_user_with_key_hash", KM_SET_BOOL, "false",
            "Replaces the client's user field by the key's hash; ignored, a client could name "
            "someone else to the provider."),
    REFUSED("output_parse_pii", KM_SET_BOOL, "false",
            "Masks personal data before it is sent; kanmon does not mask yet."),
    REFUSED("banned_keywords_list", KM_SET_NODE, NULL,
            "Refuses requests with these words; kanmon does not look for them yet."),
    REFUSED("blocked_user_list", KM_SET_NODE, NULL,
            "Refuses requests of these end users; kanmon does not look at end users yet."),
    REFUSED("prompt_injection_params", KM_SET_NODE, NULL,
            "Detects prompt injection; kanmon does not look for it yet."),
    IGNORED("success_callback", KM_SET_STR_LIST,
            "Exporters told of successful calls; kanmon exports metrics and logs itself."),
    IGNORED("failure_callback", KM_SET_STR_LIST,
            "Exporters told of failed calls; kanmon exports metrics and logs itself."),
    IGNORED("service_callback", KM_SET_STR_LIST,
            "Exporters told of Redis and PostgreSQL failures; kanmon's metrics have the store."),
    IGNORED("service_callbacks", KM_SET_STR_LIST,
            "Exporters told of Redis and PostgreSQL failures; kanmon's metrics have the store."),
    IGNORED("audit_log_callbacks", KM_SET_STR_LIST,
            "Exporters of audit records; kanmon keeps them in its store."),
    IGNORED("turn_off_message_logging", KM_SET_BOOL,
            "Keeps messages out of callbacks; kanmon has none, and logs prompts only when its "
            "own setting says so."),
    IGNORED("langfuse_default_tags", KM_SET_STR_LIST, "Tags for Langfuse."),
    IGNORED("langfuse_enable_update_trace_keys", KM_SET_BOOL, "Trace updates in Langfuse."),
    IGNORED("request_correlation_in_logs", KM_SET_BOOL,
            "Stamps log lines with trace ids; kanmon's lines always have the call id."),
    IGNORED("modify_params", KM_SET_BOOL,
            "Lets LiteLLM repair requests for a provider; kanmon passes them on as they are."),
    IGNORED("drop_params", KM_SET_BOOL,
            "Drops parameters a provider does not know; to OpenAI-compatible providers kanmon "
            "passes the body on unchanged."),
    IGNORED("add_function_to_prompt", KM_SET_BOOL,
            "Writes tools into the prompt for providers without tools."),
    IGNORED("allowed_fails", KM_SET_INT, "Failures a minute before a deployment rests; kanmon "
                                         "does not rest deployments yet."),
    IGNORED("cooldown_time", KM_SET_INT, "How long a failing deployment rests; kanmon does not "
                                         "rest deployments yet."),
    IGNORED("fallbacks", KM_SET_NODE, "Other model groups to try after a failure; kanmon does "
                                      "not fall back yet."),
    IGNORED("default_fallbacks", KM_SET_NODE, "Model groups to try when a group is unusable; "
                                              "kanmon does not fall back yet."),
    IGNORED("context_window_fallbacks", KM_SET_NODE,
            "Larger models to try when a prompt is too long; kanmon does not fall back yet."),
    IGNORED("content_policy_fallbacks", KM_SET_NODE,
            "Models to try after a content policy refusal; kanmon does not fall back yet."),
    IGNORED("cache", KM_SET_BOOL, "Caches responses; kanmon does not cache yet."),
    IGNORED("cache_params", KM_SET_NODE, "Settings of the response cache; kanmon does not cache "
                                         "yet."),
    IGNORED("enable_redis_auth_cache", KM_SET_BOOL,
            "Shares looked-up keys in Redis; kanmon's workers share memory."),
    IGNORED("default_redis_ttl", KM_SET_INT, "How long Redis keeps a cached response."),
    IGNORED("budget_duration", KM_SET_STR, "The period of max_budget."),
    IGNORED("internal_user_budget_duration", KM_SET_STR,
            "The period of max_internal_user_budget."),
    IGNORED("budget_reset_time", KM_SET_STR, "The time of day budgets start anew."),
    IGNORED("timezone", KM_SET_STR, "The time zone in which budget periods begin; kanmon uses "
                                    "UTC."),
    IGNORED("max_ui_session_budget", KM_SET_MONEY,
            "Caps a session of LiteLLM's admin page; kanmon has no such page yet."),
    IGNORED("cost_discount_config", KM_SET_NODE,
            "Lowers costs by provider; without it spend is counted higher, never lower."),
    IGNORED("default_team_settings", KM_SET_NODE, "Callbacks by team; kanmon runs no callbacks."),
    IGNORED("priority_reservation", KM_SET_NODE,
            "Shares of a model's capacity by priority; kanmon has no priorities yet."),
    IGNORED("priority_reservation_settings", KM_SET_NODE, "Tuning of priority_reservation."),
    IGNORED("custom_prometheus_metadata_labels", KM_SET_STR_LIST,
            "Extra metric labels; kanmon's metrics have a fixed, bounded set."),
    IGNORED("custom_prometheus_tags", KM_SET_STR_LIST,
            "Extra metric labels; kanmon's metrics have a fixed, bounded set."),
    IGNORED("prometheus_metrics_config", KM_SET_NODE,
            "Which metrics and labels LiteLLM exports; kanmon exports its own set."),
    IGNORED("prometheus_initialize_budget_metrics", KM_SET_BOOL,
            "Starts budget metrics at once, as kanmon does."),
    IGNORED("disable_end_user_cost_tracking", KM_SET_BOOL,
            "Does not count by end user; kanmon does not either."),
    IGNORED("disable_end_user_cost_tracking_prometheus_only", KM_SET_BOOL,
            "Leaves end users out of metrics, as kanmon does."),
    IGNORED("enable_end_user_cost_tracking_prometheus_only", KM_SET_BOOL,
            "Puts end users into metrics; kanmon has no unbounded labels."),
    IGNORED("enable_json_schema_validation", KM_SET_BOOL,
            "Checks answers against the request's JSON schema; kanmon passes them on."),
    IGNORED("enable_key_alias_format_validation", KM_SET_BOOL, "Restricts the form of key aliases."),
    IGNORED("enable_preview_features", KM_SET_BOOL, "LiteLLM's preview features."),
    IGNORED("disable_stop_sequence_limit", KM_SET_BOOL,
            "Passes more than four stop sequences; kanmon never cuts them."),
    IGNORED("require_managed_files", KM_SET_BOOL,
            "Refuses plain file uploads; kanmon has no file routes."),
    IGNORED("user_url_validation", KM_SET_BOOL,
            "Checks URLs that clients give; kanmon always does before it connects."),
    IGNORED("user_url_allowed_hosts", KM_SET_STR_LIST,
            "Private hosts that client URLs may reach; kanmon's dialer allows none."),
    IGNORED("skip_system_message_in_guardrail", KM_SET_BOOL, "What guardrails look at."),
    IGNORED("skip_tool_message_in_guardrail", KM_SET_BOOL, "What guardrails look at."),
    IGNORED("mcp_aliases", KM_SET_NODE, "Short names of MCP servers; kanmon serves none yet."),
    IGNORED("public_mcp_servers", KM_SET_STR_LIST,
            "MCP servers everyone may see; kanmon serves none yet."),
    IGNORED("store_audit_logs", KM_SET_BOOL, "Keeps audit records; kanmon always does."),
    IGNORED("force_ipv4", KM_SET_BOOL, "Connects by IPv4 only; kanmon tries both and keeps the "
                                       "first that answers."),
    IGNORED("disable_aiohttp_transport", KM_SET_BOOL, "Chooses LiteLLM's HTTP client."),
    IGNORED("http2", KM_SET_BOOL, "HTTP/2 to providers; kanmon uses HTTP/1.1."),
    IGNORED("ssl_verify", KM_SET_STR,
            "Switches off certificate checks or names a CA file; kanmon always checks, against "
            "the system's CAs and its own setting."),
    IGNORED("ssl_certificate", KM_SET_STR, "A client certificate for providers; set kanmon's own."),
    IGNORED("cache_control_injection", KM_SET_NODE, "Adds prompt caching marks to requests."),
    IGNORED("forward_traceparent_to_llm_provider", KM_SET_BOOL,
            "Passes the client's trace id to the provider."),
    IGNORED("return_response_headers", KM_SET_BOOL,
            "Returns the provider's headers; kanmon does, as llm_provider-NAME."),
    IGNORED("telemetry", KM_SET_BOOL, "LiteLLM's usage telemetry; kanmon sends none."),
    IGNORED("disable_add_transform_inline_image_block", KM_SET_BOOL, "An image option of one "
                                                                     "provider."),
    IGNORED("use_chat_completions_url_for_anthropic_messages", KM_SET_BOOL,
            "How /v1/messages reaches OpenAI models."),
    IGNORED("route_all_chat_openai_to_responses", KM_SET_BOOL,
            "Sends chat by the Responses API; kanmon sends it as it came."),
    IGNORED("disable_hf_tokenizer_download", KM_SET_BOOL, "Which tokenizer LiteLLM counts with."),
    IGNORED("disable_copilot_system_to_assistant", KM_SET_BOOL, "An option LiteLLM withdrew."),
    IGNORED("global_disable_no_log_param", KM_SET_BOOL,
            "Ignores a client's no-log; kanmon records every call."),
    IGNORED("presidio_ad_hoc_recognizers", KM_SET_STR, "Patterns of a guardrail."),
    IGNORED("suppress_debug_info", KM_SET_BOOL, "Less output of LiteLLM."),
    { 0 },
};

const struct km_settings_table km_litellm_settings_table = { .section = "litellm_settings",
                                                             .rows = rows, .extra = SIZE_MAX };
