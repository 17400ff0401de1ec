/* SPDX-License-Identifier: Apache-2.0 */
/* model_settings.c - rows of model_list, and of the LLM keys in litellm_settings and
 * router_settings.
 *
 * litellm_params is an open table: what has no row here may be a default request parameter, as in
 * LiteLLM; param.h judges it.  Keys of providers that are not served yet have rows all the same,
 * so that their values are kept secret and a misspelled one is found.
 */
#include "llm/model_settings.h"

#include "base/near.h"
#include "llm/fallback.h"
#include "policy/retry_settings.h"

#define AT(member) offsetof(struct km_litellm_params, member)
#define ROW(key, kind, member, text)                                                               \
    { .name = key, .type = kind, .offset = AT(member), .help = text }
#define PRICE(key, member, text)                                                                   \
    { .name = key, .type = KM_SET_PRICE, .offset = AT(member), .def = "-1", .help = text }
#define COUNT(key, member, text)                                                                   \
    { .name = key, .type = KM_SET_INT, .offset = AT(member), .def = "-1", .min = -1,               \
      .max = INT64_MAX, .help = text }

/* For litellm_params and for model_info: every price there is, by the one list of them. */
#define PRICE_ROW(id, key, place, forms, text)                                                     \
    PRICE(key, prices[KM_PRICE_##id], text),
#define PRICE_OTHER(key, text)                                                                     \
    { .name = key, .type = KM_SET_NODE, .offset = AT(unused), .help = text },
#define PRICES KM_PRICE_COLUMNS(PRICE_ROW) KM_PRICE_OTHERS(PRICE_OTHER)

#define SECRET(key, member, text)                                                                  \
    { .name = key, .type = KM_SET_SECRET, .offset = AT(member), .help = text }

/* Accepted and kept for a provider that is not served yet, or without effect here. */
#define ELSEWHERE(key, text)                                                                       \
    { .name = key, .type = KM_SET_NODE, .offset = AT(unused), .class = KM_HARMLESS, .help = text }

/* Read by the provider that knows it, from the whole mapping. */
#define BY_NAME(key, text)                                                                         \
    { .name = key, .type = KM_SET_NODE, .offset = AT(unused), .help = text }

static const char *const resumes[] = { "default", "true", "false", NULL };

static const struct km_setting params_rows[] = {
    { .name = "model", .type = KM_SET_STR, .offset = AT(model), .flags = KM_SET_REQUIRED,
      .help = "`<provider>/<model>`; without a prefix the provider is inferred from the name." },
    { .name = "api_key", .type = KM_SET_SECRET, .offset = AT(api_key),
      .help = "The provider's key. Without it the provider's own variable is used." },
    ROW("api_base", KM_SET_STR, api_base, "Base URL of the upstream, its version included."),
    ROW("base_url", KM_SET_STR, base_url, "Another name of api_base."),
    ROW("organization", KM_SET_STR, organization, "Sent as OpenAI-Organization."),
    ROW("custom_llm_provider", KM_SET_STR, custom_llm_provider,
        "The provider, when the model's prefix does not say it."),
    COUNT("rpm", rpm, "Its weight in the shuffle, as requests a minute. It limits nothing: no call "
                      "is refused or goes elsewhere for it; limits are those of keys."),
    COUNT("tpm", tpm, "Its weight in the shuffle, as tokens a minute. It limits nothing: no call "
                      "is refused or goes elsewhere for it; limits are those of keys."),
    { .name = "weight", .type = KM_SET_WEIGHT, .offset = AT(weight), .def = "-1",
      .help = "Share of the group's requests. One without a weight, or with 0, serves only where "
              "no other of its group with one can." },
    { .name = "order", .type = KM_SET_INT, .offset = AT(order), .def = "0", .min = 0,
      .max = 1000000, .help = "Lower is tried first." },
    { .name = "timeout", .type = KM_SET_MS, .offset = AT(timeout_ms), .def = "0", .min = 0,
      .max = 86400000, .help = "Seconds an attempt may take; 0: request_timeout." },
    { .name = "stream_timeout", .type = KM_SET_MS, .offset = AT(stream_timeout_ms), .def = "0",
      .min = 0, .max = 86400000, .help = "Seconds to the first chunk of a stream; 0: timeout." },
    { .name = "num_retries", .type = KM_SET_INT, .offset = AT(num_retries), .def = "-1", .min = -1,
      .max = 10, .help = "Further attempts for this deployment's group." },
    /* No default: it would take the place of what num_retries says. */
    { .name = "max_retries", .type = KM_SET_INT, .offset = AT(num_retries), .min = -1,
      .max = 10, .help = "Another name of num_retries." },
    ROW("base_model", KM_SET_STR, base_model, "Another place of model_info.base_model."),
    PRICES
    ROW("mock_response", KM_SET_STR, mock_response,
        "Answers with this text and calls no upstream; LiteLLM's error names give that error."),
    ROW("extra_headers", KM_SET_STR_MAP, extra_headers, "Header fields added to each request."),
    ROW("extra_body", KM_SET_NODE, extra_body,
        "Members added to each request body as they are, whether anything knows them or not."),
    { .name = "drop_params", .type = KM_SET_BOOL, .offset = AT(drop_params),
      .instead = "drop_params is true or false; a list of names goes into additional_drop_params",
      .help = "Leave out what the provider does not know, instead of refusing the call. "
              "OpenAI-compatible providers get all of an OpenAI request. Parameters that are never "
              "to be sent are listed in additional_drop_params." },
    ROW("additional_drop_params", KM_SET_STR_LIST, additional_drop_params,
        "Parameters never sent to this provider; a path leads into them: "
        "`tools[*].function.strict`."),
    ROW("allowed_openai_params", KM_SET_STR_LIST, allowed_openai_params,
        "Members of a request that are sent to this provider though kanmon does not know them "
        "there."),
    { .name = "ssl_verify", .type = KM_SET_BOOL, .offset = AT(ssl_verify), .def = "true",
      .help = "false: the upstream's certificate is not verified." },
    BY_NAME("api_version", "Azure OpenAI: the API's version; else AZURE_API_VERSION."),
    ROW("region_name", KM_SET_STR, region_name,
        "Region of a cloud provider: another name of aws_region_name."),
    ELSEWHERE("litellm_credential_name", "Replaced by the entry of credential_list it names."),
    ELSEWHERE("itpm", "Input tokens a minute, a weight in LiteLLM."),
    ELSEWHERE("otpm", "Output tokens a minute, a weight in LiteLLM."),
    { .name = "max_parallel_requests", .type = KM_SET_INT, .offset = AT(max_parallel), .def = "0",
      .min = 0, .max = 1000000,
      .help = "Calls at once to this deployment; more wait in line for a place, where no other "
              "deployment of the group has one. 0: router_settings."
              "default_max_parallel_requests." },
    { .name = "cooldown_time", .type = KM_SET_MS, .offset = AT(cooldown_ms), .def = "0",
      .min = 0, .max = 86400000,
      .help = "Seconds for which it is left alone when it fails; 0 in the file: never." },
    { .name = "silent_model", .type = KM_SET_STR_LIST, .offset = AT(silent_model),
      .help = "Models that get this deployment's calls as well: nobody hears their answers, and "
              "kanmon_settings.mirror.budget pays for them." },
    { .name = "silent_model_percent", .type = KM_SET_INT, .offset = AT(silent_percent),
      .def = "100", .min = 0, .max = 100, .help = "How many of the calls silent_model gets." },
    { .name = "resume", .type = KM_SET_ENUM, .offset = AT(resume), .def = "default",
      .choices = resumes,
      .help = "Whether a stream of this deployment that breaks goes on at another one; `default` "
              "is what kanmon_settings.resume says." },
    ELSEWHERE("merge_reasoning_content_in_choices", "Reasoning is passed on as it comes."),
    { .name = "use_in_pass_through", .type = KM_SET_BOOL, .offset = AT(use_in_pass_through),
      .help = "Below its provider's prefix (/anthropic/...) this deployment's credentials serve "
              "any of the provider's models, not its own only." },
    ROW("use_chat_completions_api", KM_SET_BOOL, chat_only,
        "Answer `/v1/responses` by way of chat completions: for a server behind `openai/` or "
        "`azure/` that has no Responses of its own (llama.cpp, older vLLM)."),
    ELSEWHERE("keepalive_seconds", "Connections are kept as kanmon_settings.upstream says."),
    ROW("tags", KM_SET_STR_LIST, tags,
        "Under router_settings.enable_tag_filtering: calls with one of these tags go there, and "
        "with `default` those without tags."),
    { .name = "tag_regex", .type = KM_SET_NODE, .offset = AT(unused), .class = KM_RESTRICTIVE,
      .help = "Deployments by patterns of the caller's User-Agent; kanmon routes by tags, and by "
              "header in kanmon_settings.routes." },
    ELSEWHERE("default_api_key_tpm_limit", "Default limit of keys on this deployment."),
    ELSEWHERE("default_api_key_rpm_limit", "Default limit of keys on this deployment."),
    ELSEWHERE("model_info", "Belongs beside litellm_params."),
    SECRET("aws_access_key_id", aws.akid, "Amazon Bedrock: an access key's id. Without it and a "
           "profile, credentials come from where AWS's own tools look for them."),
    SECRET("aws_secret_access_key", aws.secret, "Amazon Bedrock: the access key itself."),
    SECRET("aws_session_token", aws.token, "Amazon Bedrock: the token of a temporary key."),
    ROW("aws_region_name", KM_SET_STR, aws.region,
        "Amazon Bedrock: the region. Else AWS_REGION_NAME, AWS_REGION, AWS_DEFAULT_REGION, or the "
        "profile's."),
    ROW("aws_session_name", KM_SET_STR, aws.session_name,
        "Amazon Bedrock: names the session of aws_role_name in AWS's logs."),
    ROW("aws_profile_name", KM_SET_STR, aws.profile,
        "Amazon Bedrock: the profile of AWS's shared files whose credentials are used."),
    ROW("aws_role_name", KM_SET_STR, aws.role,
        "Amazon Bedrock: the ARN of a role that is assumed first."),
    SECRET("aws_web_identity_token", aws.web_identity,
           "Amazon Bedrock: an OIDC token, or a path to it, that aws_role_name is assumed with."),
    ROW("aws_sts_endpoint", KM_SET_STR, aws.sts_endpoint,
        "Amazon Bedrock: where roles are assumed, when not at the region's own STS."),
    ROW("aws_external_id", KM_SET_STR, aws.external_id,
        "Amazon Bedrock: the external id that aws_role_name asks for."),
    ROW("aws_bedrock_runtime_endpoint", KM_SET_STR, aws.runtime_endpoint,
        "Amazon Bedrock: another address than the region's, of a VPC endpoint for example."),
    ROW("model_id", KM_SET_STR, aws.model_id,
        "Amazon Bedrock: the ARN of a provisioned model or of an inference profile that is called "
        "in place of the model."),
    ROW("vertex_project", KM_SET_STR, vertex_project,
        "Google Cloud project; else VERTEXAI_PROJECT, or what the credentials name."),
    ROW("vertex_location", KM_SET_STR, vertex_location,
        "Region, `global`, `us` or `eu`; else VERTEXAI_LOCATION; else us-central1."),
    ROW("vertex_credentials", KM_SET_SECRET, vertex_credentials,
        "A service account's or user's JSON, or the path of its file; else VERTEXAI_CREDENTIALS, "
        "GOOGLE_APPLICATION_CREDENTIALS, gcloud's file, the metadata server."),
    BY_NAME("azure_ad_token", "Azure OpenAI: a token of Entra ID; else AZURE_AD_TOKEN."),
    BY_NAME("tenant_id", "Azure OpenAI: the tenant of client_id; else AZURE_TENANT_ID."),
    BY_NAME("client_id",
            "Azure OpenAI: the application that asks Entra ID for tokens; else AZURE_CLIENT_ID."),
    BY_NAME("client_secret", "Azure OpenAI: its secret; else AZURE_CLIENT_SECRET."),
    BY_NAME("azure_scope", "Azure OpenAI: what its tokens are for; else AZURE_SCOPE."),
    ELSEWHERE("azure_username", "Azure OpenAI."),
    ELSEWHERE("azure_password", "Azure OpenAI."),
    ELSEWHERE("auto_router_config", "LiteLLM's automatic router."),
    ELSEWHERE("auto_router_default_model", "LiteLLM's automatic router."),
    ELSEWHERE("complexity_router_config", "LiteLLM's automatic router."),
    ELSEWHERE("adaptive_router_config", "LiteLLM's automatic router."),
    ELSEWHERE("quality_router_config", "LiteLLM's automatic router."),
    { .name = "configurable_clientside_auth_params", .type = KM_SET_NODE, .offset = AT(unused),
      .class = KM_HARMLESS, .help = "A caller never picks the upstream here." },
    { .name = "max_budget", .type = KM_SET_NODE, .offset = AT(max_budget),
      .help = "What calls may spend at this deployment, in USD: spent, it is passed over. Give it "
              "a model_info.id, by which its spend is kept when the entry changes." },
    { .name = "budget_duration", .type = KM_SET_NODE, .offset = AT(budget_duration),
      .help = "How long a window of max_budget is, as 1d or 1mo. Without it there is one for "
              "ever." },
    { 0 },
};

static const struct km_settings_table params_table = {
    .rows = params_rows,
    .size = sizeof(struct km_litellm_params),
    .extra = AT(all),
};

#undef AT
#undef PRICE
#define AT(member) offsetof(struct km_model_info, member)
#define PRICE(key, member, text)                                                                   \
    { .name = key, .type = KM_SET_PRICE, .offset = AT(member), .def = "-1", .help = text }

static const struct km_setting info_rows[] = {
    { .name = "id", .type = KM_SET_STR, .offset = AT(id),
      .help = "The deployment's id, shown as x-litellm-model-id." },
    { .name = "mode", .type = KM_SET_STR, .offset = AT(mode), .help = "chat, embedding, ..." },
    { .name = "base_model", .type = KM_SET_STR, .offset = AT(base_model),
      .help = "The model whose price applies, as this provider's or, where no price of it is "
              "known, as any `<provider>/<model>`." },
    PRICES
    { .name = "health_check_model", .type = KM_SET_STR, .offset = AT(check_model),
      .help = "What a wildcard's health check asks for: a name that it serves. Without one it has "
              "none." },
    { .name = "health_check_timeout", .type = KM_SET_MS, .offset = AT(check_timeout_ms),
      .def = "60s", .min = 10, .max = 3600000, .help = "Seconds a health check may take." },
    { .name = "health_check_max_tokens", .type = KM_SET_INT, .offset = AT(check_max_tokens),
      .def = "1", .min = 1, .max = 100000, .help = "The most a health check's answer may have." },
    { .name = "disable_background_health_check", .type = KM_SET_BOOL, .offset = AT(check_off),
      .help = "It is not asked in the background." },
    { .name = "cooldown_time", .type = KM_SET_MS, .offset = AT(cooldown.time_ms), .def = "0",
      .min = 0, .max = 86400000,
      .help = "Seconds for which it is left alone when it fails; 0 in the file: never. Counts "
              "before litellm_params.cooldown_time." },
    { .name = "allowed_fails", .type = KM_SET_INT, .offset = AT(cooldown.allowed_fails),
      .def = "-1", .min = -1, .max = 1000000,
      .help = "Failures of a minute after which one more has it left alone." },
    { .name = "allowed_fails_policy", .type = KM_SET_TABLE, .offset = AT(allowed_fails_policy),
      .table = &km_allowed_fails_policy_table,
      .help = "The same by kind of failure." },
    { .name = "max_tokens", .type = KM_SET_INT, .offset = AT(max_tokens), .def = "-1", .min = -1,
      .max = INT64_MAX, .help = "Most output tokens, when max_output_tokens is not given." },
    { .name = "max_input_tokens", .type = KM_SET_INT, .offset = AT(max_input_tokens), .def = "-1",
      .min = -1, .max = INT64_MAX, .help = "Most input tokens." },
    { .name = "max_output_tokens", .type = KM_SET_INT, .offset = AT(max_output_tokens),
      .def = "-1", .min = -1, .max = INT64_MAX,
      .help = "Most output tokens; bounds the reservation of a budget." },
    { .name = "supports_reasoning", .type = KM_SET_NODE, .offset = AT(unused),
      .help = "Whether it thinks when asked to. "
              "Overrides what kanmon knows of the model." },
    { .name = "supports_response_schema", .type = KM_SET_NODE, .offset = AT(unused),
      .help = "Whether it takes a schema for its output. "
              "Overrides what kanmon knows of the model." },
    { .name = "supports_assistant_prefill", .type = KM_SET_NODE, .offset = AT(unused),
      .help = "Whether a conversation may end with the assistant. "
              "Overrides what kanmon knows of the model." },
    { .name = "supports_tool_choice", .type = KM_SET_NODE, .offset = AT(unused),
      .help = "Whether a tool can be forced. "
              "Overrides what kanmon knows of the model." },
    { .name = "supports_vision", .type = KM_SET_NODE, .offset = AT(unused),
      .help = "false: under enable_pre_call_checks it gets no images." },
    { .name = "supports_function_calling", .type = KM_SET_NODE, .offset = AT(unused),
      .help = "false: under enable_pre_call_checks it gets no tools." },
    { .name = "enable_tag_filtering", .type = KM_SET_NODE, .offset = AT(unused),
      .help = "For its model group, instead of router_settings.enable_tag_filtering." },
    { .name = "supports_temperature", .type = KM_SET_NODE, .offset = AT(unused),
      .help = "Whether temperature, top_p and top_k may be set. "
              "Overrides what kanmon knows of the model." },
    { 0 },
};

static const struct km_settings_table info_table = {
    .rows = info_rows,
    .size = sizeof(struct km_model_info),
    .extra = offsetof(struct km_model_info, all),
};

static const struct km_setting entry_rows[] = {
    { .name = "model_name", .type = KM_SET_STR, .flags = KM_SET_REQUIRED,
      .offset = offsetof(struct km_model_entry, model_name),
      .help = "The public name; entries with one name form a model group. `*` is a wildcard." },
    { .name = "litellm_params", .type = KM_SET_TABLE, .table = &params_table,
      .offset = offsetof(struct km_model_entry, params), .flags = KM_SET_OPEN | KM_SET_REQUIRED,
      .help = "How to call it. Parameters of requests may stand here too, as defaults." },
    { .name = "model_info", .type = KM_SET_TABLE, .table = &info_table,
      .offset = offsetof(struct km_model_entry, info), .flags = KM_SET_OPEN,
      .help = "What is known of it." },
    { 0 },
};

static const struct km_settings_table entry_table = {
    .rows = entry_rows,
    .size = sizeof(struct km_model_entry),
    .extra = offsetof(struct km_model_entry, node),
};

static const struct km_setting model_rows[] = {
    { .name = "model_list", .type = KM_SET_TABLE_LIST, .table = &entry_table,
      .offset = offsetof(struct km_model_settings, models),
      .help = "The models, LiteLLM's list." },
    { 0 },
};

const struct km_settings_table km_model_settings_table = {
    .section = "", .rows = model_rows, .size = sizeof(struct km_model_settings), .extra = SIZE_MAX,
};

#undef AT
#define AT(member) offsetof(struct km_reservation_nodes, member)

static const struct km_setting reservation_rows[] = {
    { .name = "default_priority", .type = KM_SET_NODE, .offset = AT(default_priority),
      .help = "The part that all keys without such a name have together; 0.25." },
    { .name = "saturation_threshold", .type = KM_SET_NODE, .offset = AT(saturation_threshold),
      .help = "Below this part of the places anybody may have one; 0.5." },
    { .name = "saturation_check_cache_ttl", .type = KM_SET_INT, .offset = AT(unused),
      .class = KM_HARMLESS, .help = "Without effect: places are counted as they are." },
    { 0 },
};

static const struct km_settings_table reservation_table = {
    .rows = reservation_rows, .size = sizeof(struct km_reservation_nodes), .extra = SIZE_MAX,
};

#undef AT
#define AT(member) offsetof(struct km_llm_defaults, member)

/* For litellm_settings and for router_settings. */
#define FALLBACKS                                                                                  \
    { .name = "fallbacks", .type = KM_SET_NODE, .offset = AT(fallbacks.any),                       \
      .help = "Model groups that are asked when all attempts at a group have failed: "             \
              "`[{group: [followers]}]`." },                                                       \
    { .name = "context_window_fallbacks", .type = KM_SET_NODE, .offset = AT(fallbacks.context),    \
      .help = "The same, for prompts that are too long for a group's models; else fallbacks." },   \
    { .name = "content_policy_fallbacks", .type = KM_SET_NODE, .offset = AT(fallbacks.content),    \
      .help = "The same, for what a provider's content filter stopped; else fallbacks." },         \
    { .name = "budget_fallbacks", .type = KM_SET_NODE, .offset = AT(fallbacks.budget),             \
      .help = "Model groups that are asked instead of one that the budget has not enough for: "    \
              "`[{group: [others]}]`; a key's own list counts before." },                          \
    { .name = "default_fallbacks", .type = KM_SET_NODE, .offset = AT(fallbacks.rest),              \
      .help = "Model groups that follow each group that fallbacks does not name." },

#define COOLDOWN                                                                                   \
    { .name = "allowed_fails", .type = KM_SET_INT, .offset = AT(cooldown.allowed_fails),           \
      .def = "-1", .min = -1, .max = 1000000,                                                      \
      .help = "Failures of a minute after which one more has a deployment left alone, instead of " \
              "kanmon_settings.performance.circuit_breaker_failures in a row." },                  \
    { .name = "cooldown_time", .type = KM_SET_MS, .offset = AT(cooldown.time_ms), .def = "0",      \
      .min = 0, .max = 86400000,                                                                   \
      .help = "Seconds for which it is left alone; 0: circuit_breaker_open_time." },

static const struct km_setting default_rows[] = {
    { .name = "request_timeout", .type = KM_SET_MS, .offset = AT(request_timeout_ms),
      .def = "6000s", .min = 1, .max = 86400000,
      .help = "Seconds an attempt may take to begin its stream, or for its whole answer; a call "
              "may take as many times that as it has attempts. Where router_settings.timeout is "
              "set, that holds." },
    { .name = "num_retries", .type = KM_SET_INT, .offset = AT(num_retries), .def = "-1", .min = -1,
      .max = 10, .help = "Further attempts after a failure; router_settings wins." },
    { .name = "drop_params", .type = KM_SET_BOOL, .offset = AT(drop_params),
      .help = "Leave out what a provider does not know, instead of refusing the call." },
    { .name = "ssl_verify", .type = KM_SET_NODE, .offset = AT(ssl_verify),
      .help = "false: certificates of upstreams of models are not verified, unless a deployment's "
              "ssl_verify is true. A path: a file of the CAs that are trusted, in the place of the "
              "system's, for MCP servers too." },
    { .name = "model_group_alias", .type = KM_SET_NODE, .offset = AT(model_group_alias),
      .help = "Other names of model groups: `alias: group`." },
    { .name = "tag_budget_config", .type = KM_SET_NODE, .offset = AT(tag_budgets),
      .flags = KM_SET_RESTART,
      .help = "What may be spent by calls with a tag: `{tag: {max_budget: 10, budget_duration: "
              "1d}}`." },
    { .name = "priority_reservation", .type = KM_SET_NODE, .offset = AT(priority_reservation),
      .help = "Parts of a deployment's max_parallel_requests by name, `{prod: 0.7}`: of keys whose "
              "metadata has that name as `priority`." },
    { .name = "priority_reservation_settings", .type = KM_SET_TABLE, .offset = AT(reservation),
      .table = &reservation_table, .help = "How these parts are used." },
    FALLBACKS
    COOLDOWN
    { 0 },
};

const struct km_settings_table km_llm_defaults_table = {
    .section = "litellm_settings", .rows = default_rows,
    .size = sizeof(struct km_llm_defaults), .extra = SIZE_MAX,
};

#undef AT
#define AT(member) offsetof(struct km_router_settings, member)

/* model.c says what each is served as. */
static const char *const strategies[] = {
    "simple-shuffle", "least-busy", "usage-based-routing", "usage-based-routing-v2",
    "latency-based-routing", "cost-based-routing", "provider-budget-routing", NULL,
};

#undef ARG
#define ARG(member) offsetof(struct km_strategy_args, member)

static const struct km_setting strategy_rows[] = {
    { .name = "ttl", .type = KM_SET_MS, .offset = ARG(ttl_ms), .def = "3600", .min = 1,
      .max = 86400000000,
      .help = "Seconds: latencies that were seen longer ago do not count." },
    { .name = "lowest_latency_buffer", .type = KM_SET_NODE, .offset = ARG(buffer),
      .help = "A deployment that is slower than the fastest by this share of its latency counts as "
              "as fast: 0.5 is half as slow again." },
    { .name = "max_latency_list_size", .type = KM_SET_INT, .offset = ARG(unused),
      .class = KM_HARMLESS,
      .help = "How many latencies LiteLLM keeps; kanmon keeps their moving average." },
    { .name = "rpm", .type = KM_SET_INT, .offset = ARG(unused), .class = KM_HARMLESS,
      .help = "Without effect; a deployment's rpm stands in its litellm_params." },
    { 0 },
};

static const struct km_settings_table strategy_table = { .rows = strategy_rows,
                                                         .size = sizeof(struct km_strategy_args),
                                                         .extra = SIZE_MAX };

static const struct km_setting router_rows[] = {
    { .name = "num_retries", .type = KM_SET_INT, .offset = AT(num_retries), .def = "-1", .min = -1,
      .max = 10,
      .help = "Further attempts after a failure, at another deployment of the group or, after a "
              "wait, at the same; two when nothing says otherwise." },
    FALLBACKS
    COOLDOWN
    { .name = "disable_cooldowns", .type = KM_SET_BOOL, .offset = AT(no_cooldowns),
      .help = "No deployment is left alone, however often it fails." },
    { .name = "allowed_fails_policy", .type = KM_SET_TABLE, .offset = AT(allowed_fails_policy),
      .table = &km_allowed_fails_policy_table,
      .help = "allowed_fails by kind of failure. What is the caller's fault never counts." },
    { .name = "max_fallbacks", .type = KM_SET_INT, .offset = AT(max_fallbacks), .def = "5",
      .min = 0, .max = KM_FALLBACKS_MOST,
      .help = "The most model groups that one call may fall back to." },
    { .name = "retry_after", .type = KM_SET_MS, .offset = AT(retry_after_ms), .def = "0", .min = 0,
      .max = KM_RETRY_AFTER_MOST_MS,
      .help = "Seconds: the shortest wait before a deployment that failed is tried again." },
    { .name = "retry_policy", .type = KM_SET_TABLE, .offset = AT(retry_policy),
      .table = &km_retry_policy_table,
      .help = "Further attempts by kind of failure, instead of num_retries." },
    { .name = "model_group_retry_policy", .type = KM_SET_TABLE_MAP,
      .offset = AT(group_retry_policies), .table = &km_retry_policy_table,
      .help = "The same by model group, instead of retry_policy." },
    { .name = "timeout", .type = KM_SET_MS, .offset = AT(timeout_ms), .def = "0", .min = 0,
      .max = 86400000,
      .help = "Seconds a call may take in all; 0: litellm_settings.request_timeout." },
    { .name = "stream_timeout", .type = KM_SET_MS, .offset = AT(stream_timeout_ms), .def = "0",
      .min = 0, .max = 86400000, .help = "Seconds to the first chunk of a stream; 0: timeout." },
    { .name = "default_max_parallel_requests", .type = KM_SET_INT, .offset = AT(max_parallel),
      .def = "0", .min = 0, .max = 1000000,
      .help = "Calls at once to each deployment that has no max_parallel_requests; 0: no limit." },
    { .name = "routing_strategy", .type = KM_SET_ENUM, .offset = AT(strategy),
      .choices = strategies, .def = "simple-shuffle",
      .help = "Which deployment of a group is taken: by chance and weight, the one with the fewest "
              "calls, the fewest tokens of this minute (and none at its rpm or tpm), the shortest "
              "latency, or the lowest price." },
    { .name = "routing_strategy_args", .type = KM_SET_TABLE, .offset = AT(strategy_args),
      .table = &strategy_table, .help = "How latency-based-routing measures." },
    { .name = "model_group_alias", .type = KM_SET_NODE, .offset = AT(model_group_alias),
      .help = "Other names of model groups: `alias: group` or `alias: {model, hidden}`." },
    { .name = "provider_budget_config", .type = KM_SET_NODE, .offset = AT(provider_budgets),
      .help = "What may be spent at each provider: `{openai: {budget_limit: 100, time_period: "
              "1d}}`. The deployments of one that is spent are passed over." },
    { .name = "model_group_affinity_config", .type = KM_SET_NODE,
      .offset = AT(group_affinity),
      .help = "optional_pre_call_checks by model group: `{group: [session_affinity]}`." },
    { .name = "enable_pre_call_checks", .type = KM_SET_BOOL, .offset = AT(filters.fits),
      .help = "No call goes to a deployment whose model takes fewer tokens than its prompt has, is "
              "in another region than its key may use, or cannot do what it asks for." },
    { .name = "enable_tag_filtering", .type = KM_SET_BOOL, .offset = AT(filters.tags),
      .help = "A call with tags goes to the deployments with these tags only." },
    { .name = "tag_routing_prefix", .type = KM_SET_STR, .offset = AT(filters.tag_prefix),
      .help = "A tag that begins so counts without it, and is never taken for one of other uses: a "
              "call with it goes to no deployment that only has `default`." },
    { .name = "tag_filtering_match_any", .type = KM_SET_BOOL, .offset = AT(filters.tags_match_any),
      .def = "true",
      .help = "One of the call's tags is enough; false: a deployment must have all of them." },
    { 0 },
};

const struct km_settings_table km_router_settings_table = {
    .section = "router_settings", .rows = router_rows,
    .size = sizeof(struct km_router_settings), .extra = SIZE_MAX,
};

static bool has_row(const struct km_setting *row, struct km_str name)
{
    while (row->name && !km_str_eq(km_str_c(row->name), name))
        row++;
    return row->name != NULL;
}

bool km_litellm_param_known(struct km_str name)
{
    return has_row(params_rows, name) || km_price_counts(name);
}

bool km_model_info_known(struct km_str name)
{
    return has_row(info_rows, name) || km_price_counts(name);
}

/* Beside those whose type says it: secrets and prices. */
static bool is_guarded(const struct km_setting *row)
{
    static const struct km_str names[] = {
        /* credentials, and whose they are */
        { "organization", 12 }, { "litellm_credential_name", 23 }, { "azure_ad_token", 14 },
        { "tenant_id", 9 }, { "client_id", 9 }, { "client_secret", 13 }, { "azure_scope", 11 },
        { "azure_username", 14 }, { "azure_password", 14 }, { "aws_profile_name", 16 },
        { "aws_role_name", 13 }, { "aws_session_name", 16 }, { "aws_external_id", 15 },
        /* where requests go */
        { "api_base", 8 }, { "base_url", 8 }, { "custom_llm_provider", 19 },
        { "region_name", 11 }, { "aws_region_name", 15 }, { "aws_sts_endpoint", 16 },
        { "aws_bedrock_runtime_endpoint", 28 }, { "vertex_project", 14 },
        { "vertex_location", 15 },
        /* limits */
        { "rpm", 3 }, { "tpm", 3 }, { "itpm", 4 }, { "otpm", 4 },
        { "max_parallel_requests", 21 }, { "max_budget", 10 }, { "budget_duration", 15 },
        { "default_api_key_tpm_limit", 25 }, { "default_api_key_rpm_limit", 25 },
    };

    return row->type == KM_SET_SECRET || row->type == KM_SET_PRICE ||
           km_price_counts(km_str_c(row->name)) ||
           km_str_iamong(km_str_c(row->name), names, sizeof names / sizeof names[0]);
}

const char *km_litellm_param_at(size_t i, bool *ret_guarded)
{
    const struct km_setting *row = &params_rows[i];

    if (row->name)
        *ret_guarded = is_guarded(row);
    return row->name;
}

struct km_str km_model_info_price(struct km_str name)
{
    for (const struct km_setting *row = info_rows; row->name; row++)
        if ((km_price_counts(km_str_c(row->name)) ||
             km_str_eq(km_str_c(row->name), KM_STR("base_model"))) &&
            km_near_miss(name, km_str_c(row->name)))
            return km_str_c(row->name);
    return KM_STR_NONE;
}
