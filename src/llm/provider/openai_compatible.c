/* SPDX-License-Identifier: Apache-2.0 */
/* openai_compatible.c - the providers that speak OpenAI's API, a row each.
 *
 * Base URLs and key variables are those LiteLLM documents for the same prefix, so that an
 * existing configuration needs no change.  `usage` is what the provider does with
 * stream_options.include_usage: most know it; where it is refused on a base of the user's own,
 * the gateway notices, tries once without and remembers.
 */
#include "llm/provider.h"

static const struct km_provider providers[] = {
    { "openai", "https://api.openai.com/v1", KM_BASE_PLAIN, { "OPENAI_API_KEY" },
      "OPENAI_API_BASE", true, KM_USAGE_OPTION, "max_completion_tokens" },
    { "text-completion-openai", "https://api.openai.com/v1", KM_BASE_PLAIN, { "OPENAI_API_KEY" },
      "OPENAI_API_BASE", true, KM_USAGE_OPTION, "max_tokens" },
    { "custom_openai", NULL, KM_BASE_PLAIN, { "OPENAI_API_KEY" }, "OPENAI_API_BASE", false,
      KM_USAGE_OPTION, "max_tokens" },
    { "openai_like", NULL, KM_BASE_PLAIN, { "OPENAI_LIKE_API_KEY" }, "OPENAI_LIKE_API_BASE", false,
      KM_USAGE_OPTION, "max_tokens" },
    { "hosted_vllm", NULL, KM_BASE_PLAIN, { "HOSTED_VLLM_API_KEY" }, "HOSTED_VLLM_API_BASE", false,
      KM_USAGE_OPTION, "max_tokens" },
    { "litellm_proxy", NULL, KM_BASE_PLAIN, { "LITELLM_PROXY_API_KEY" }, "LITELLM_PROXY_API_BASE",
      false, KM_USAGE_OPTION, "max_tokens" },
    { "ollama_chat", "http://localhost:11434", KM_BASE_ADD_V1, { "OLLAMA_API_KEY" },
      "OLLAMA_API_BASE", false, KM_USAGE_OPTION, "max_tokens" },
    { "lm_studio", NULL, KM_BASE_PLAIN, { "LM_STUDIO_API_KEY" }, "LM_STUDIO_API_BASE", false,
      KM_USAGE_OPTION, "max_tokens" },
    { "llamafile", "http://127.0.0.1:8080/v1", KM_BASE_PLAIN, { "LLAMAFILE_API_KEY" },
      "LLAMAFILE_API_BASE", false, KM_USAGE_OPTION, "max_tokens" },
    { "xinference", NULL, KM_BASE_PLAIN, { "XINFERENCE_API_KEY" }, "XINFERENCE_API_BASE", false,
      KM_USAGE_OPTION, "max_tokens" },
    { "groq", "https://api.groq.com/openai/v1", KM_BASE_PLAIN, { "GROQ_API_KEY" },
      "GROQ_API_BASE", true, KM_USAGE_OPTION, "max_tokens" },
    { "mistral", "https://api.mistral.ai/v1", KM_BASE_PLAIN, { "MISTRAL_API_KEY" },
      "MISTRAL_API_BASE", true, KM_USAGE_ALWAYS, "max_tokens" },
    { "codestral", "https://codestral.mistral.ai/v1", KM_BASE_PLAIN, { "CODESTRAL_API_KEY" }, NULL,
      true, KM_USAGE_ALWAYS, "max_tokens" },
    { "deepseek", "https://api.deepseek.com/beta", KM_BASE_PLAIN, { "DEEPSEEK_API_KEY" },
      "DEEPSEEK_API_BASE", true, KM_USAGE_OPTION, "max_tokens" },
    { "openrouter", "https://openrouter.ai/api/v1", KM_BASE_PLAIN,
      { "OPENROUTER_API_KEY", "OR_API_KEY" }, "OPENROUTER_API_BASE", true, KM_USAGE_OPTION,
      "max_tokens" },
    { "together_ai", "https://api.together.xyz/v1", KM_BASE_PLAIN,
      { "TOGETHER_API_KEY", "TOGETHERAI_API_KEY", "TOGETHER_AI_API_KEY" }, "TOGETHERAI_API_BASE",
      true, KM_USAGE_OPTION, "max_tokens" },
    { "fireworks_ai", "https://api.fireworks.ai/inference/v1", KM_BASE_PLAIN,
      { "FIREWORKS_API_KEY", "FIREWORKS_AI_API_KEY", "FIREWORKSAI_API_KEY" }, "FIREWORKS_API_BASE",
      true, KM_USAGE_OPTION, "max_tokens" },
    { "xai", "https://api.x.ai/v1", KM_BASE_PLAIN, { "XAI_API_KEY" }, "XAI_API_BASE", true,
      KM_USAGE_OPTION, "max_tokens" },
    { "perplexity", "https://api.perplexity.ai", KM_BASE_PLAIN,
      { "PERPLEXITYAI_API_KEY", "PERPLEXITY_API_KEY" }, "PERPLEXITY_API_BASE", true,
      KM_USAGE_ALWAYS, "max_tokens" },
    { "nvidia_nim", "https://integrate.api.nvidia.com/v1", KM_BASE_PLAIN, { "NVIDIA_NIM_API_KEY" },
      "NVIDIA_NIM_API_BASE", true, KM_USAGE_OPTION, "max_tokens" },
    { "cerebras", "https://api.cerebras.ai/v1", KM_BASE_PLAIN, { "CEREBRAS_API_KEY" },
      "CEREBRAS_API_BASE", true, KM_USAGE_OPTION, "max_tokens" },
    { "sambanova", "https://api.sambanova.ai/v1", KM_BASE_PLAIN, { "SAMBANOVA_API_KEY" },
      "SAMBANOVA_API_BASE", true, KM_USAGE_OPTION, "max_tokens" },
    { "deepinfra", "https://api.deepinfra.com/v1/openai", KM_BASE_PLAIN, { "DEEPINFRA_API_KEY" },
      "DEEPINFRA_API_BASE", true, KM_USAGE_OPTION, "max_tokens" },
    { "moonshot", "https://api.moonshot.ai/v1", KM_BASE_PLAIN, { "MOONSHOT_API_KEY" },
      "MOONSHOT_API_BASE", true, KM_USAGE_OPTION, "max_tokens" },
    { "dashscope", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", KM_BASE_PLAIN,
      { "DASHSCOPE_API_KEY" }, "DASHSCOPE_API_BASE", true, KM_USAGE_OPTION, "max_tokens" },
    { "novita", "https://api.novita.ai/v3/openai", KM_BASE_PLAIN, { "NOVITA_API_KEY" },
      "NOVITA_API_BASE", true, KM_USAGE_OPTION, "max_tokens" },
    { "nebius", "https://api.studio.nebius.ai/v1", KM_BASE_PLAIN, { "NEBIUS_API_KEY" },
      "NEBIUS_API_BASE", true, KM_USAGE_OPTION, "max_tokens" },
    { 0 },
};

const struct km_provider *km_providers(void)
{
    return providers;
}

const struct km_provider *km_provider_find(struct km_str name)
{
    for (const struct km_provider *p = providers; p->name; p++)
        if (km_str_eq(km_str_c(p->name), name))
            return p;
    return NULL;
}
