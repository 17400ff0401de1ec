/* SPDX-License-Identifier: Apache-2.0 */
/* refusal_maximum.c - see refusal_maximum.h.
 *
 * No API has a member for it: what a model writes at most stands in the sentence that refuses
 * more, and each vendor has its own sentence.  They are a table.  A row is the sentence as
 * sentence.h writes them.
 *
 * A sentence that only says that input and output together are too much for a model's window
 * names no maximum of the output, and has no row, unless it says what is left: that holds for the
 * one request (`passing`).  What is named must make sense, too: a number below what was asked, of
 * a size that models have.  Every row has samples in tests/data/refusals.
 */
#include "llm/refusal_maximum.h"

#include "llm/sentence.h"

/* Nobody offers a model that writes less at most, and what was read would end every answer. */
#define LEAST 16

static const struct row {
    const char *sentence;
    bool asked_too; /* names no parameter: its A must be what was sent */
} rows[] = {
    /* OpenAI, Azure, and what copies them */
    { "P` is too large: A. this model supports at most M completion tokens", false },
    { "P~ integer above maximum value^ expected a value <= M, but got A instead", false },
    /* Anthropic, also at Bedrock and Vertex */
    { "P: A > M, which is the maximum allowed number of output tokens", false },
    { "input length and `P` exceed context limit: I + A > W", false },
    /* Bedrock */
    { "maximum tokens you requested exceeds the model limit of M", false },
    { "A is not less or equal to M", true },
    /* Google */
    { "P value of A but the supported range is from N (inclusive) to E (exclusive)", false },
    /* DeepSeek; Alibaba */
    { "the valid range of P is [N, M]", false },
    { "range of P should be [N, M]", false },
    /* Groq; Cohere; pydantic, as Mistral, NVIDIA and others have it */
    { "P~ must be less than or equal to `M", false },
    { "P^ input should be less than or equal to M", false },
    /* Ollama's cloud */
    { "P (A) exceeds model's maximum output tokens (M)", false },
    /* Text Generation Inference */
    { "error: `P` must be <= M. given: A", false },
    /* vLLM */
    { "P` is too large: A. this model's maximum context length is W tokens and your request has I "
      "input tokens",
      false },
};

/* -1: it makes no sense. */
static int64_t judge(const struct row *row, const struct km_sentence_read *r, int64_t asked,
                     bool *passing)
{
    int64_t said = r->v[KM_NAMED_ASKED], max = r->v[KM_NAMED_MAXIMUM];

    *passing = r->v[KM_NAMED_WINDOW] >= 0;
    if (*passing)
        max = r->v[KM_NAMED_WINDOW] - r->v[KM_NAMED_INPUT];
    else if (r->v[KM_NAMED_BEYOND] >= 0)
        max = r->v[KM_NAMED_BEYOND] - 1;
    if (row->asked_too && said != asked)
        return -1;
    if (max < LEAST || max > KM_SENTENCE_MOST || (said >= 0 && said <= max) ||
        (asked >= 0 && asked <= max))
        return -1;
    return max;
}

int64_t km_refusal_names_maximum(struct km_str text, int64_t asked, bool *ret_passing)
{
    *ret_passing = false;
    for (const struct row *row = rows; row < rows + sizeof rows / sizeof *rows; row++) {
        struct km_sentence_read r;

        for (size_t at = 0; km_sentence_find(row->sentence, text, &at, &r); at++) {
            bool passing = false;
            int64_t max = judge(row, &r, asked, &passing);

            if (max < 0)
                continue;
            *ret_passing = passing;
            return max;
        }
    }
    return -1;
}
