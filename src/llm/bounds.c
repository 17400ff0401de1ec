/* SPDX-License-Identifier: Apache-2.0 */
/* bounds.c - see bounds.h for the contract.
 *
 *     Converse      {"inferenceConfig":{"maxTokens":..},
 *                    "additionalModelRequestFields":{ <members of the model's own body> }}
 *     InvokeModel   the model's own body: {"max_tokens":..}, {"textGenerationConfig":{..}} ...
 *
 * A body does not say which model's names it uses, and an upstream ignores those of others: so all
 * of them count, and the largest is what can come.  A name in another case is refused, for some
 * of these readers are not exact about it, and so is a number in a form that only some read.
 *
 * Sources: Amazon Bedrock's API reference (Converse, InferenceConfiguration) and its inference
 * parameters for Claude, Nova, Titan, Llama, Mistral, Cohere, AI21, DeepSeek and gpt-oss; Vertex
 * AI's reference of predict and rawPredict.
 */
#include "llm/bounds.h"

#define NAMES_MOST 16

static const struct km_bounds_in model_rows[] = {
    { .tokens = { "max_tokens", "max_completion_tokens", "max_tokens_to_sample",
                  "max_output_tokens", "max_new_tokens", "max_gen_len", "maxTokens", "max_length",
                  "n_predict", "min_tokens" },
      .answers = { "n", "num_generations", "numResults", "best_of" } },
    { .in = "inferenceConfig", .tokens = { "maxTokens", "max_new_tokens" }, .one = true },
    { .in = "textGenerationConfig", .tokens = { "maxTokenCount" } },
    { .in = "generationConfig", .tokens = { "maxOutputTokens", "max_output_tokens" },
      .answers = { "candidateCount", "candidate_count" }, .one = true },
    { .in = "generation_config", .tokens = { "maxOutputTokens", "max_output_tokens" },
      .answers = { "candidateCount", "candidate_count" }, .one = true },
    { .in = "parameters", .tokens = { "maxOutputTokens", "max_output_tokens", "maxTokens",
                                      "max_tokens", "max_new_tokens", "max_length" },
      .answers = { "candidateCount", "sampleCount", "best_of" } },
};

static const struct km_bounds_in converse_rows[] = {
    { .in = "inferenceConfig", .tokens = { "maxTokens", "max_new_tokens" }, .one = true },
    { .in = "additionalModelRequestFields", .model = true },
};

#define ROWS(v) { (v), sizeof(v) / sizeof((v)[0]) }
const struct km_bounds km_bounds_model = ROWS(model_rows);
const struct km_bounds km_bounds_converse = ROWS(converse_rows);

static int fail_at(const struct km_bounds_in *row, const char *name, const char *why,
                   struct km_err *err)
{
    return km_fail_param(err, KM_E_INVALID, name, "'%s%s%s' %s.", row->in ? row->in : "",
                         row->in ? "." : "", name, why);
}

/* The largest of those members; *ret_n: how many are there. */
static int take_largest(const struct km_bounds_in *row, const char *const *names, size_t most,
                        const struct km_json *object, int64_t *value, size_t *ret_n,
                        struct km_err *err)
{
    *ret_n = 0;
    for (size_t i = 0; i < most && names[i]; i++) {
        const struct km_json *v = km_json_get(object, names[i]);
        int64_t n;

        if (!v || km_json_kind(v) == KM_JSON_NULL)
            continue;
        if (!km_json_i64(v, &n) || n < 0)
            return fail_at(row, names[i], "must be an integer from 0 on", err);
        if (n > KM_LLM_TOKENS_MOST)
            n = KM_LLM_TOKENS_MOST;
        if (n > *value)
            *value = n;
        if (++*ret_n > 1 && row->one)
            return fail_at(row, names[i], "is another name of one that is there too: send one",
                           err);
    }
    return 0;
}

static size_t add_names(const char *const *names, size_t most, struct km_str *v, size_t n)
{
    for (size_t i = 0; i < most && names[i] && n < NAMES_MOST; i++)
        v[n++] = km_str_c(names[i]);
    return n;
}

static int read_row(const struct km_bounds_in *row, struct km_llm_request *r,
                    const struct km_json *object, struct km_err *err)
{
    const size_t tokens = sizeof row->tokens / sizeof row->tokens[0];
    const size_t answers = sizeof row->answers / sizeof row->answers[0];
    struct km_str names[NAMES_MOST], member;
    const struct km_str *meant;
    size_t n = add_names(row->tokens, tokens, names, 0), found;
    int e;

    n = add_names(row->answers, answers, names, n);
    meant = km_json_other_case(object, names, n, &member);
    if (meant)
        return km_fail_param(err, KM_E_INVALID, "request_body", "'%.*s' is to be spelled '%.*s'.",
                             KM_STR_ARG(km_str_sub(member, 0, 80)), KM_STR_ARG(*meant));
    e = take_largest(row, row->tokens, tokens, object, &r->max_tokens, &found, err);
    if (e == 0)
        e = take_largest(row, row->answers, answers, object, &r->choices, &found, err);
    r->choices_said = r->choices_said || (e == 0 && found > 0);
    return e;
}

/* Objects of the rows, each in its own spelling: "InferenceConfig" is none of them. */
static int check_objects(const struct km_bounds *b, const struct km_json *root, struct km_err *err)
{
    struct km_str names[NAMES_MOST], member;
    const struct km_str *meant;
    size_t n = 0;

    for (size_t i = 0; i < b->n; i++)
        if (b->rows[i].in)
            names[n++] = km_str_c(b->rows[i].in);
    meant = km_json_other_case(root, names, n, &member);
    return meant
               ? km_fail_param(err, KM_E_INVALID, "request_body", "'%.*s' is to be spelled '%.*s'.",
                               KM_STR_ARG(km_str_sub(member, 0, 80)), KM_STR_ARG(*meant))
               : 0;
}

int km_bounds_read(const struct km_bounds *b, struct km_llm_request *r, const struct km_json *root,
                   struct km_err *err)
{
    int e = check_objects(b, root, err);

    for (size_t i = 0; e == 0 && i < b->n; i++) {
        const struct km_bounds_in *row = &b->rows[i];
        const struct km_json *object = row->in ? km_json_get(root, row->in) : root;

        if (!object || km_json_kind(object) == KM_JSON_NULL)
            continue;
        if (km_json_kind(object) != KM_JSON_OBJECT)
            e = fail_at(&(struct km_bounds_in){ 0 }, row->in, "must be an object", err);
        else
            e = row->model ? km_bounds_read(&km_bounds_model, r, object, err)
                           : read_row(row, r, object, err);
    }
    return e;
}
