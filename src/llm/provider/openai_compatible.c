/* SPDX-License-Identifier: Apache-2.0 */
/* openai_compatible.c - the providers that speak OpenAI's API, a row each.
 *
 * Base URLs and key variables are those LiteLLM documents for the same prefix, so that an
 * existing configuration needs no change.  `usage` is what the provider does with
 * stream_options.include_usage: most know it; where it is refused on a base of the user's own,
 * the gateway notices, tries once without and remembers.
 */
#include "llm/model_build.h"
#include "llm/provider/codecs.h"
#include "llm/provider/rows.h"

/* LiteLLM takes the whole address of Cohere's endpoints; what follows the host is the codec's. */
static int cohere(struct km_deployment *d, const struct km_model_build *b,
                  const struct km_model_entry *entry, struct km_err *err)
{
    static const char *const tails[] = { "/compatibility/v1", "/v1/chat",   "/v2/chat",
                                         "/v1/embed",         "/v2/embed",  "/v1/rerank",
                                         "/v2/rerank",        "/v1",        "/v2" };

    (void)b;
    (void)entry;
    (void)err;
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++)
        if (km_str_ends(d->base_path, km_str_c(tails[i]))) {
            d->base_path.n -= strlen(tails[i]);
            break;
        }
    return 0;
}

static const struct km_provider providers[] = {
    { .name = "openai", .base = "https://api.openai.com/v1", .key_env = { "OPENAI_API_KEY" },
      .base_env = "OPENAI_API_BASE", .key_needed = true, .max_tokens = "max_completion_tokens",
      .codec = &km_codec_openai },
    { .name = "text-completion-openai", .base = "https://api.openai.com/v1",
      .key_env = { "OPENAI_API_KEY" }, .base_env = "OPENAI_API_BASE", .key_needed = true,
      .max_tokens = "max_tokens" },
    { .name = "custom_openai", .key_env = { "OPENAI_API_KEY" }, .base_env = "OPENAI_API_BASE",
      .max_tokens = "max_tokens" },
    { .name = "openai_like", .key_env = { "OPENAI_LIKE_API_KEY" },
      .base_env = "OPENAI_LIKE_API_BASE", .max_tokens = "max_tokens", .top_k = true },
    { .name = "hosted_vllm", .key_env = { "HOSTED_VLLM_API_KEY" },
      .base_env = "HOSTED_VLLM_API_BASE", .max_tokens = "max_tokens",
      .codec = &km_codec_vllm, .reasoning = "reasoning_content", .top_k = true },
    { .name = "litellm_proxy", .key_env = { "LITELLM_PROXY_API_KEY" },
      .base_env = "LITELLM_PROXY_API_BASE", .max_tokens = "max_tokens",
      .codec = &km_codec_openai_rerank,
      .reasoning = "reasoning_content", .top_k = true, .cache_control = true },
    { .name = "lm_studio", .key_env = { "LM_STUDIO_API_KEY" }, .base_env = "LM_STUDIO_API_BASE",
      .max_tokens = "max_tokens", .top_k = true },
    { .name = "llamafile", .base = "http://127.0.0.1:8080/v1", .key_env = { "LLAMAFILE_API_KEY" },
      .base_env = "LLAMAFILE_API_BASE", .max_tokens = "max_tokens", .top_k = true },
    { .name = "xinference", .key_env = { "XINFERENCE_API_KEY" }, .base_env = "XINFERENCE_API_BASE",
      .max_tokens = "max_tokens", .top_k = true },
    { .name = "groq", .base = "https://api.groq.com/openai/v1", .key_env = { "GROQ_API_KEY" },
      .base_env = "GROQ_API_BASE", .key_needed = true, .max_tokens = "max_tokens" },
    { .name = "mistral", .base = "https://api.mistral.ai/v1", .key_env = { "MISTRAL_API_KEY" },
      .base_env = "MISTRAL_API_BASE", .key_needed = true, .usage = KM_USAGE_ALWAYS,
      .max_tokens = "max_tokens" },
    { .name = "codestral", .base = "https://codestral.mistral.ai/v1",
      .key_env = { "CODESTRAL_API_KEY" }, .key_needed = true, .usage = KM_USAGE_ALWAYS,
      .max_tokens = "max_tokens" },
    { .name = "deepseek", .base = "https://api.deepseek.com/beta",
      .key_env = { "DEEPSEEK_API_KEY" }, .base_env = "DEEPSEEK_API_BASE", .key_needed = true,
      .max_tokens = "max_tokens", .reasoning = "reasoning_content" },
    { .name = "openrouter", .base = "https://openrouter.ai/api/v1",
      .key_env = { "OPENROUTER_API_KEY", "OR_API_KEY" }, .base_env = "OPENROUTER_API_BASE",
      .key_needed = true, .max_tokens = "max_tokens",
      .reasoning = "reasoning", .top_k = true, .cache_control = true },
    { .name = "together_ai", .base = "https://api.together.xyz/v1",
      .key_env = { "TOGETHER_API_KEY", "TOGETHERAI_API_KEY", "TOGETHER_AI_API_KEY" },
      .base_env = "TOGETHERAI_API_BASE", .key_needed = true, .max_tokens = "max_tokens",
      .top_k = true,
      .codec = &km_codec_openai_rerank },
    { .name = "fireworks_ai", .base = "https://api.fireworks.ai/inference/v1",
      .key_env = { "FIREWORKS_API_KEY", "FIREWORKS_AI_API_KEY", "FIREWORKSAI_API_KEY" },
      .base_env = "FIREWORKS_API_BASE", .key_needed = true, .max_tokens = "max_tokens",
      .reasoning = "reasoning_content", .top_k = true },
    { .name = "xai", .base = "https://api.x.ai/v1", .key_env = { "XAI_API_KEY" },
      .base_env = "XAI_API_BASE", .key_needed = true, .max_tokens = "max_tokens" },
    { .name = "perplexity", .base = "https://api.perplexity.ai",
      .key_env = { "PERPLEXITYAI_API_KEY", "PERPLEXITY_API_KEY" },
      .base_env = "PERPLEXITY_API_BASE", .key_needed = true, .usage = KM_USAGE_ALWAYS,
      .max_tokens = "max_tokens" },
    { .name = "nvidia_nim", .base = "https://integrate.api.nvidia.com/v1",
      .key_env = { "NVIDIA_NIM_API_KEY" }, .base_env = "NVIDIA_NIM_API_BASE", .key_needed = true,
      .max_tokens = "max_tokens" },
    { .name = "cerebras", .base = "https://api.cerebras.ai/v1", .key_env = { "CEREBRAS_API_KEY" },
      .base_env = "CEREBRAS_API_BASE", .key_needed = true, .max_tokens = "max_tokens" },
    { .name = "sambanova", .base = "https://api.sambanova.ai/v1",
      .key_env = { "SAMBANOVA_API_KEY" }, .base_env = "SAMBANOVA_API_BASE", .key_needed = true,
      .max_tokens = "max_tokens", .top_k = true },
    { .name = "deepinfra", .base = "https://api.deepinfra.com/v1/openai",
      .key_env = { "DEEPINFRA_API_KEY" }, .base_env = "DEEPINFRA_API_BASE", .key_needed = true,
      .max_tokens = "max_tokens", .top_k = true },
    { .name = "moonshot", .base = "https://api.moonshot.ai/v1", .key_env = { "MOONSHOT_API_KEY" },
      .base_env = "MOONSHOT_API_BASE", .key_needed = true, .max_tokens = "max_tokens",
      .reasoning = "reasoning_content" },
    { .name = "dashscope", .base = "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
      .key_env = { "DASHSCOPE_API_KEY" }, .base_env = "DASHSCOPE_API_BASE", .key_needed = true,
      .max_tokens = "max_tokens",
      .reasoning = "reasoning_content", .top_k = true },
    { .name = "novita", .base = "https://api.novita.ai/v3/openai", .key_env = { "NOVITA_API_KEY" },
      .base_env = "NOVITA_API_BASE", .key_needed = true, .max_tokens = "max_tokens",
      .top_k = true },
    { .name = "nebius", .base = "https://api.studio.nebius.ai/v1", .key_env = { "NEBIUS_API_KEY" },
      .base_env = "NEBIUS_API_BASE", .key_needed = true, .max_tokens = "max_tokens",
      .top_k = true },
    { .name = "cohere", .base = "https://api.cohere.ai",
      .key_env = { "COHERE_API_KEY", "CO_API_KEY" }, .base_env = "COHERE_API_BASE",
      .key_needed = true, .max_tokens = "max_tokens", .codec = &km_codec_cohere, .build = cohere },
    { .name = "cohere_chat", .base = "https://api.cohere.ai",
      .key_env = { "COHERE_API_KEY", "CO_API_KEY" }, .base_env = "COHERE_API_BASE",
      .key_needed = true, .max_tokens = "max_tokens", .codec = &km_codec_cohere, .build = cohere },
    { .name = "jina_ai", .base = "https://api.jina.ai/v1", .key_env = { "JINA_AI_API_KEY" },
      .base_env = "JINA_AI_API_BASE", .key_needed = true, .max_tokens = "max_tokens",
      .codec = &km_codec_jina },
    { .name = "voyage", .base = "https://api.voyageai.com/v1", .key_env = { "VOYAGE_API_KEY" },
      .base_env = "VOYAGE_API_BASE", .key_needed = true, .max_tokens = "max_tokens",
      .codec = &km_codec_voyage },
};

const struct km_provider *const km_providers_openai = providers;
const size_t km_providers_openai_count = sizeof providers / sizeof providers[0];
