/* SPDX-License-Identifier: Apache-2.0 */
/* provider.c - from a configured model string to its provider.
 *
 * "openai/gpt-4o" names it; a bare name is inferred from its beginning, as LiteLLM infers it
 * from its cost map.  Only prefixes somebody knows are taken off: "meta/llama-3" with no such
 * provider stays whole.
 */
#include "llm/provider/rows.h"

/* Providers with protocols of their own, a row each; NULL ends. */
static const struct km_provider *const natives[] = {
    &km_provider_azure,
    &km_provider_anthropic,
    &km_provider_ollama,
    &km_provider_ollama_chat,
    &km_provider_gemini,
    &km_provider_vertex_ai,
    &km_provider_vertex_ai_beta,
    &km_provider_bedrock,
    &km_provider_bedrock_mantle,
    NULL,
};

/* LiteLLM's prefixes with protocols of their own. */
static const char *const elsewhere[] = {
    "azure_ai", "azure_text", "huggingface", "sagemaker", "sagemaker_chat", "vllm",
    "replicate", "databricks", "watsonx", "triton", "github_copilot",
    "github", "infinity", "deepgram", "elevenlabs", "assemblyai", "minimax",
    "zai", "volcengine", "snowflake", "cloudflare", "auto_router", "a2a", "petals", "predibase",
    "oobabooga", "clarifai", "aleph_alpha", "ai21", "nlp_cloud", NULL,
};

static const struct {
    const char *begins, *provider;
} inferred[] = {
    { "gpt-", "openai" },         { "o1", "openai" },          { "o3", "openai" },
    { "o4-", "openai" },          { "chatgpt-", "openai" },    { "text-embedding-", "openai" },
    { "omni-moderation", "openai" },                           { "davinci-002", "openai" },
    { "babbage-002", "openai" },  { "claude-", "anthropic" },  { "gemini-", "vertex_ai" },
    { "anthropic.", "bedrock" },  { "amazon.", "bedrock" },    { "us.anthropic.", "bedrock" },
    { "dall-e-", "openai" },      { "whisper-", "openai" },    { "tts-", "openai" },
    { "sora-", "openai" },        { "computer-use-preview", "openai" },
    { "codex-mini", "openai" },   { "ft:", "openai" },         { "text-moderation-", "openai" },
    { "embed-", "cohere" },       { "rerank-", "cohere" },
    { "command-", "cohere" },     { "mistral-", "mistral" },   { "deepseek-", "deepseek" },
};

const struct km_provider *km_provider_at(size_t i)
{
    return i < km_providers_openai_count ? &km_providers_openai[i]
           : i - km_providers_openai_count < sizeof natives / sizeof natives[0]
               ? natives[i - km_providers_openai_count]
               : NULL;
}

const struct km_provider *km_provider_find(struct km_str name)
{
    const struct km_provider *p;

    for (size_t i = 0; (p = km_provider_at(i)) != NULL; i++)
        if (km_str_eq(km_str_c(p->name), name))
            return p;
    return NULL;
}

bool km_provider_known_elsewhere(struct km_str name)
{
    for (size_t i = 0; elsewhere[i]; i++)
        if (km_str_eq(km_str_c(elsewhere[i]), name))
            return true;
    return false;
}

void km_provider_split(struct km_str model, struct km_str *ret_provider, struct km_str *ret_model)
{
    size_t slash = km_str_chr(model, '/');
    struct km_str prefix = km_str_sub(model, 0, slash);

    *ret_model = model;
    *ret_provider = KM_STR_NONE;
    if (slash < model.n && (km_provider_find(prefix) || km_provider_known_elsewhere(prefix))) {
        *ret_provider = prefix;
        *ret_model = km_str_skip(model, slash + 1);
        return;
    }
    for (size_t i = 0; i < sizeof inferred / sizeof inferred[0]; i++) {
        if (!km_str_starts(model, km_str_c(inferred[i].begins)))
            continue;
        *ret_provider = km_str_c(inferred[i].provider);
        return;
    }
}
