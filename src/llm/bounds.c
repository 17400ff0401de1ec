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
 * To lower a bound is to lower all of them.  To add one where none is said needs more: the member
 * that this model reads, by its name (own_rows); of a model that has no row none is added.
 *
 * Sources: Amazon Bedrock's API reference (Converse, InferenceConfiguration) and its inference
 * parameters for Claude, Nova, Titan, Llama, Mistral, Cohere, AI21, DeepSeek and gpt-oss; Vertex
 * AI's reference of predict and rawPredict.
 */
#include "llm/bounds.h"

#include "llm/spellings.h"

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

/* --- lowering --- */

const struct km_llm_api km_api_bounded_body = { .path = "", .wire = KM_WIRE_CHAT };

/* What models read in a body of their own, by a part of their names. */
static const struct {
    const char *model, *in, *member;
} own_rows[] = {
    { "claude", NULL, "max_tokens" },
    { "amazon.nova", "inferenceConfig", "maxTokens" },
    { "amazon.titan-text", "textGenerationConfig", "maxTokenCount" },
    { "amazon.titan-tg1", "textGenerationConfig", "maxTokenCount" },
    { "meta.llama", NULL, "max_gen_len" },
    { "mistral", NULL, "max_tokens" },
    { "cohere.command", NULL, "max_tokens" },
    { "ai21.jamba", NULL, "max_tokens" },
    { "deepseek.", NULL, "max_tokens" },
    { "qwen.", NULL, "max_tokens" },
    { "openai.gpt-oss", NULL, "max_completion_tokens" },
};

static bool own_member(const struct km_bounds *b, struct km_str model, struct km_str *ret_in,
                       struct km_str *ret_name)
{
    if (b == &km_bounds_converse) {
        *ret_in = KM_STR("inferenceConfig");
        *ret_name = KM_STR("maxTokens");
        return true;
    }
    for (size_t i = 0; i < sizeof own_rows / sizeof own_rows[0]; i++)
        if (km_str_find(model, km_str_c(own_rows[i].model)) < model.n) {
            *ret_in = own_rows[i].in ? km_str_c(own_rows[i].in) : KM_STR_NONE;
            *ret_name = km_str_c(own_rows[i].member);
            return true;
        }
    return false;
}

bool km_bounds_can_lower(const struct km_bounds *b, const struct km_llm_request *r,
                         struct km_str model)
{
    struct km_str ignored;

    return r->max_tokens >= 0 || own_member(b, model, &ignored, &ignored);
}

/* An object of the body, and where in that it is: edits are of the whole. */
struct place {
    struct km_str object;
    uint32_t at;
};

struct lowering {
    const struct km_llm_request *r;
    int64_t most;
    struct km_json_edits *e;
    struct km_arena *arena;
};

static bool says_more(struct km_str object, const struct km_json_span *span, int64_t most)
{
    int64_t v;

    return span->type == KM_JSON_NUMBER &&
           (km_str_i64(km_json_value(object, span), &v) < 0 || v > most);
}

static int lower_names(const struct lowering *l, const struct km_bounds_in *row, struct place p,
                       struct km_err *err)
{
    struct km_str names[NAMES_MOST];
    struct km_json_span spans[NAMES_MOST];
    size_t n = add_names(row->tokens, sizeof row->tokens / sizeof row->tokens[0], names, 0);
    int r = n ? km_json_spans(p.object, names, n, spans, NULL, err) : 0;

    for (size_t i = 0; r == 0 && i < n; i++)
        if (says_more(p.object, &spans[i], l->most)) {
            spans[i].value += p.at;
            km_json_replace(l->e, &spans[i], km_arena_i64(l->arena, l->most));
        }
    return r;
}

static int lower_all(const struct lowering *l, const struct km_bounds *b, struct place p,
                     struct km_err *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < b->n; i++) {
        const struct km_bounds_in *row = &b->rows[i];
        struct km_json_span span = { .type = KM_JSON_OBJECT };
        struct km_str name = row->in ? km_str_c(row->in) : KM_STR_NONE;
        struct place in = p;

        if (row->in)
            r = km_json_spans(p.object, &name, 1, &span, NULL, err);
        if (r < 0 || span.type != KM_JSON_OBJECT)
            continue;
        if (row->in)
            in = (struct place){ km_json_value(p.object, &span), p.at + span.value };
        r = row->model ? lower_all(l, &km_bounds_model, in, err) : lower_names(l, row, in, err);
        if (row->model || !row->in)
            km_spellings_bound_thinking(in.object, in.at, l->r->max_tokens, l->e, l->arena,
                                        l->most);
    }
    return r;
}

/* Under any name that it has in this object: it was lowered there. */
static bool has_own(const struct km_bounds *b, struct km_str in, struct km_str object)
{
    struct km_str names[NAMES_MOST];
    struct km_json_span spans[NAMES_MOST];
    bool has = false;
    size_t n = 0;

    for (size_t i = 0; i < b->n; i++)
        if (b->rows[i].in && km_str_eq(km_str_c(b->rows[i].in), in))
            n = add_names(b->rows[i].tokens, sizeof b->rows[i].tokens / sizeof b->rows[i].tokens[0],
                          names, n);
    if (km_json_spans(object, names, n, spans, NULL, NULL) < 0)
        return false;
    for (size_t i = 0; i < n; i++)
        has = has || spans[i].type == KM_JSON_NUMBER;
    return has;
}

static int add_own(const struct lowering *l, const struct km_bounds *b, struct km_str in,
                   struct km_str name, struct km_err *err)
{
    struct km_str value = km_arena_i64(l->arena, l->most), body = l->r->body;
    struct km_json_span top;
    int r = km_json_spans(body, in.n ? &in : &name, 1, &top, NULL, err);

    if (r < 0 || (!in.n && top.type == KM_JSON_NUMBER) ||
        (in.n && top.type == KM_JSON_OBJECT && has_own(b, in, km_json_value(body, &top))))
        return r;
    if (in.n)
        return km_llm_set_inner(l->e, l->arena, &top, in, name, value, err);
    if (top.type == KM_JSON_ABSENT)
        km_json_add(l->e, l->arena, name, value);
    else
        km_json_replace(l->e, &top, value);
    return 0;
}

int km_bounds_lower(const struct km_bounds *b, const struct km_llm_request *r, struct km_str model,
                    int64_t most, struct km_json_edits *e, struct km_arena *arena,
                    struct km_err *err)
{
    const struct lowering l = { r, most, e, arena };
    struct km_str in, name;
    int rc = lower_all(&l, b, (struct place){ r->body, 0 }, err);

    if (rc == 0 && own_member(b, model, &in, &name))
        rc = add_own(&l, b, in, name, err);
    return rc;
}
