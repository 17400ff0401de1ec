/* SPDX-License-Identifier: Apache-2.0 */
/* litellm.h - LiteLLM's keys that no module of ours owns, each with what ignoring it means.
 *
 * A module that starts to honour a key moves the row to its own table and deletes it here.
 */
#ifndef KM_CONFIG_LITELLM_H
#define KM_CONFIG_LITELLM_H

#include "base/setting.h"

/* A key without effect here that allows nothing more when ignored. */
#define KM_LITELLM_IGNORED(key, kind, text)                                                        \
    {                                                                                              \
        .name = key, .type = kind, .help = text, .class = KM_HARMLESS                              \
    }

/* A key that asks for what kanmon does in any case, or tunes what it has no need of: no value of
 * it is lost, so none is worth a word. */
#define KM_LITELLM_MET(key, kind, text)                                                            \
    {                                                                                              \
        .name = key, .type = kind, .help = text, .class = KM_HARMLESS, .inert = "*"                \
    }

/* As IGNORED where somebody counts on it: an outage, an overload or a cost that it was to hold off
 * is not held off.  The text says what follows. */
#define KM_LITELLM_PROTECTS(key, kind, text)                                                       \
    {                                                                                              \
        .name = key, .type = kind, .help = text, .class = KM_PROTECTIVE                            \
    }

/* A key that limits access, spend or exposure; inert_values ("false|x") limit nothing. */
#define KM_LITELLM_REFUSED(key, kind, inert_values, text)                                          \
    {                                                                                              \
        .name = key, .type = kind, .help = text, .class = KM_RESTRICTIVE, .inert = inert_values    \
    }

/* Names of callbacks that report calls and never judge them. */
#define KM_LITELLM_EXPORTERS                                                                       \
    "langfuse|langfuse_otel|otel|prometheus|datadog|datadog_llm_observability|datadog_metrics|"    \
    "datadog_cost_management|s3|s3_v2|gcs_bucket|gcs_pubsub|sentry|langsmith|helicone|lunary|"     \
    "arize|arize_phoenix|opik|braintrust|mlflow|slack|sqs|aws_sqs|generic_api|generic|dynamodb|"   \
    "logfire|literalai|athina|traceloop|weave_otel|weave|wandb|galileo|argilla|lago|openmeter|"    \
    "posthog|pagerduty|greenscale|supabase|promptlayer|agentops|levo|deepeval|humanloop|focus|"    \
    "cloudzero|vantage|email|smtp_email|resend_email|sendgrid_email|azure_storage|"                \
    "azure_sentinel|newrelic|elasticsearch|prompt_layer|bitbucket|gitlab|dotprompt|arize_ax|"      \
    "anthropic_cache_control_hook|sumologic|qualifire_eval|splunk|rubrik_logging|signoz|"          \
    "honeycomb|langtrace|clickhouse|pointfive|zerobus|mavvrik|litellm_agent|"                      \
    "vector_store_pre_call_hook|compression_interception"

extern const struct km_settings_table km_litellm_top_table; /* the top of the file */
extern const struct km_settings_table km_litellm_settings_table; /* litellm_settings */
extern const struct km_settings_table km_litellm_general_table; /* general_settings */
extern const struct km_settings_table km_litellm_newer_table; /* general_settings */
extern const struct km_settings_table km_litellm_module_table; /* litellm_settings */
extern const struct km_settings_table km_litellm_router_table; /* router_settings */

#endif
