/* SPDX-License-Identifier: Apache-2.0 */
/* param.h - what a name in litellm_params is: kanmon's, LiteLLM's, a request's, or a mistake.
 *
 * LiteLLM sends on what it does not know, so a misspelled credential travels in the body of every
 * call and a misspelled address sends prompts elsewhere.  Here a name is judged once, when the
 * configuration is loaded; deployment_params.c acts on it.
 */
#ifndef KM_LLM_PARAM_H
#define KM_LLM_PARAM_H

#include "base/str.h"

/* In the order in which they are asked. */
enum km_param_kind {
    KM_PARAM_ROW, /* kanmon reads it: model_settings.c */
    KM_PARAM_CALL, /* each call says it: `stream`, `messages` ... */
    KM_PARAM_OWN, /* LiteLLM's, for itself: never sent */
    KM_PARAM_PRICE, /* likewise, a price */
    KM_PARAM_LIMIT, /* likewise, and restricts something */
    KM_PARAM_REQUEST, /* a parameter of requests: a default */
    KM_PARAM_MISSPELT, /* nearly a row that is a credential, an address, a price or a limit */
    KM_PARAM_SECRET, /* sounds like a credential */
    KM_PARAM_OTHER,
};

/* Whose requests have a parameter. */
enum km_param_api {
    KM_API_OPENAI = 1 << 0,
    KM_API_RESPONSES = 1 << 1,
    KM_API_EMBEDDINGS = 1 << 2,
    KM_API_MEDIA = 1 << 3,
    KM_API_ANTHROPIC = 1 << 4,
    KM_API_GEMINI = 1 << 5,
    KM_API_BEDROCK = 1 << 6,
    KM_API_COHERE = 1 << 7,
    KM_API_MISTRAL = 1 << 8,
    KM_API_GROQ = 1 << 9,
    KM_API_XAI = 1 << 10,
    KM_API_DEEPSEEK = 1 << 11,
    KM_API_OPENROUTER = 1 << 12,
    KM_API_PERPLEXITY = 1 << 13,
    KM_API_TOGETHER = 1 << 14,
    KM_API_FIREWORKS = 1 << 15,
    KM_API_CEREBRAS = 1 << 16,
    KM_API_DASHSCOPE = 1 << 17,
    KM_API_VLLM = 1 << 18,
    KM_API_SGLANG = 1 << 19,
    KM_API_LLAMACPP = 1 << 20,
    KM_API_OLLAMA_OPTIONS = 1 << 21, /* in `options` of /api/chat and /api/embed */
    KM_API_OLLAMA_CHAT = 1 << 22, /* beside them */
    KM_API_OLLAMA_GENERATE = 1 << 23, /* of /api/generate, which is not asked here */
    KM_API_TGI = 1 << 24,
    KM_API_JINA = 1 << 25,
    KM_API_VOYAGE = 1 << 26,
    KM_API_VECTORS = 1 << 27, /* of embeddings or ranking, whoever's */
};
#define KM_API_ANY (~0u)

struct km_param_litellm {
    const char *name;
    enum km_param_kind kind; /* OWN, PRICE or LIMIT */
};
struct km_param_request {
    const char *name;
    unsigned apis; /* KM_API_ bits */
};

extern const struct km_param_litellm km_params_litellm[];
extern const size_t km_params_litellm_count;
extern const struct km_param_request km_params_request[];
extern const size_t km_params_request_count;

struct km_param {
    enum km_param_kind kind;
    struct km_str meant; /* MISSPELT: the row; OTHER: what it may have been; or empty */
};

/* text: its value is one that a credential could be. */
void km_param_judge(struct km_str name, bool text, struct km_param *ret);

/* KM_API_ bits of a parameter of requests; 0: it is none. */
unsigned km_param_apis(struct km_str name);

#endif
