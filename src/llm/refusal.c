/* SPDX-License-Identifier: Apache-2.0 */
/* refusal.c - see refusal.h.
 *
 * Only OpenAI and what copies it well has a word for machines for a prompt that is too long; all
 * others have a sentence, and the engines that people run at home changed theirs several times.
 * They are a table, each row with samples in tests/data/refusals/contexts.tsv.  Whether the numbers
 * are there matters to the caller: programs that compact a conversation compute from them how much
 * has to go.
 *
 * What a sentence says may repeat words of the caller's own.  That a caller can so have its refusal
 * told as another does no harm: it is refused either way, and nothing is learnt from it.
 */
#include "llm/refusal.h"

#include "llm/sentence.h"

/* Those with numbers stand before those that begin alike and have none. */
static const char *const contexts[] = {
    /* OpenAI; vLLM, SGLang, DeepSeek, OpenRouter and others who copy it */
    "maximum context length is W tokens. however, you requested A output tokens and your prompt "
    "contains at least I input tokens",
    "maximum context length is W tokens. however, you requested T tokens (I in the messages, A in",
    "maximum context length is W tokens, however you requested T tokens (I in your prompt; A for",
    "maximum context length is W tokens, however you requested T tokens (I in your prompt, A for",
    "maximum context length is W tokens. however, you requested about T tokens (I of text input",
    "maximum context length is W tokens. however, your messages resulted in I tokens",
    "maximum context length is W tokens and your request has I input tokens",
    "maximum context length is W tokens",
    "context_length_exceeded",
    "your input exceeds the context window of this model",
    /* vLLM */
    "you passed I input tokens and requested A output tokens. however, the model's context length "
    "is only W",
    "prompt (length I) is longer than the maximum model length of W",
    /* SGLang; Together */
    "requested token count exceeds the model's maximum context length of W tokens. you requested a "
    "total of T tokens: I tokens from the input messages and A tokens",
    "requested token count exceeds the model's maximum context length",
    "input (I tokens) is longer than the model's context length (W tokens)",
    /* llama.cpp */
    "request (I tokens) exceeds the available context size (W tokens)",
    "exceeds the available context size",
    "context size has been exceeded",
    /* Ollama */
    "input length exceeds the context length",
    "prompt too long; exceeded max context length",
    /* LM Studio */
    "trying to keep the first I tokens when context^ overflows. however, the model is loaded with "
    "context length of only W tokens",
    "the number of tokens to keep from the initial prompt is greater than the context length "
    "(n_keep: I >= n_ctx: W)",
    "the number of tokens to keep from the initial prompt is greater than the context length",
    "cannot truncate prompt with n_keep (I) >= n_ctx (W)",
    /* Text Generation Inference */
    "`inputs` tokens + `P` must be <= W. given: I `inputs` tokens and A",
    "`inputs` tokens + `P` must be <= W",
    "`inputs` must have less than W tokens. given: I",
    /* Anthropic, also at Bedrock and Vertex */
    "prompt is too long: I tokens > W maximum",
    "prompt is too long",
    "input length and `P` exceed context limit: I + A > W",
    /* Bedrock's others */
    "input is too long",
    "too many input tokens",
    /* Google */
    "the input token count (I) exceeds the maximum number of tokens allowed (W)",
    "the input token count exceeds the maximum number of tokens allowed `W",
    "exceeds the maximum number of tokens",
    /* Mistral, xAI, Moonshot, MiniMax, Z.ai, Cohere, Groq, Alibaba */
    "prompt contains I tokens and N draft tokens, too large for model with W maximum context "
    "length",
    "prompt contains I tokens, too large for model with W maximum context length",
    "maximum prompt length is W but the request contains I tokens",
    "exceeded model token limit: W (requested: I)",
    "context window exceeds limit",
    "prompt exceeds max length",
    "total number of tokens in the prompt cannot exceed W - received I",
    "please reduce the length of the messages or completion",
    "range of input length should be [N, W]",
};

/* A number that no model has says nothing. */
static int64_t counted(int64_t n)
{
    return n > 0 && n <= KM_SENTENCE_MOST ? n : 0;
}

static void take(const struct km_sentence_read *r, struct km_err_tokens *ret)
{
    int64_t total = counted(r->v[KM_NAMED_TOTAL]);

    *ret = (struct km_err_tokens){ .input = counted(r->v[KM_NAMED_INPUT]),
                                   .output = counted(r->v[KM_NAMED_ASKED]),
                                   .most = counted(r->v[KM_NAMED_WINDOW]) };
    if (total > ret->input && ret->input && !ret->output)
        ret->output = total - ret->input;
}

bool km_refusal_is_context(struct km_str text, struct km_err_tokens *ret)
{
    for (size_t i = 0; i < sizeof contexts / sizeof contexts[0]; i++) {
        struct km_sentence_read r;
        size_t at = 0;

        if (!km_sentence_find(contexts[i], text, &at, &r))
            continue;
        take(&r, ret);
        return true;
    }
    return false;
}

void km_refusal_judge(struct km_err *err, struct km_str text)
{
    int status = km_err_http(err);

    if (err->kind)
        return;
    if ((status == 502 || km_refusal_may_be_context(status)) &&
        km_refusal_is_context(text, &err->tokens)) {
        err->kind = KM_REFUSED_CONTEXT;
        err->http = 400;
    } else if (status == 429) {
        err->kind = KM_REFUSED_RATE;
    } else if (status == 529 || status == 503) {
        err->kind = KM_REFUSED_OVERLOADED;
    }
}

int km_refusal_status(struct km_str word)
{
    static const struct {
        struct km_str word;
        int status;
    } rows[] = {
        /* Anthropic's types: platform.claude.com/docs/en/api/errors */
        { { "invalid_request_error", 21 }, 400 },
        { { "not_found_error", 15 }, 404 },
        { { "request_too_large", 17 }, 413 },
        { { "rate_limit_error", 16 }, 429 },
        { { "timeout_error", 13 }, 504 },
        { { "overloaded_error", 16 }, 529 },
        /* OpenAI's codes */
        { { "context_length_exceeded", 23 }, 400 },
        { { "invalid_prompt", 14 }, 400 },
        { { "model_not_found", 15 }, 404 },
        { { "insufficient_quota", 18 }, 429 },
        { { "rate_limit_exceeded", 19 }, 429 },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (km_str_eq(word, rows[i].word))
            return rows[i].status;
    return 0;
}
