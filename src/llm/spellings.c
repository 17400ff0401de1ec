/* SPDX-License-Identifier: Apache-2.0 */
/* spellings.c - see spellings.h.
 *
 * Sources: llama.cpp tools/server (n_predict), Ollama api/types.go (options.num_predict), vLLM and
 * SGLang protocol.py (min_tokens, best_of), TabbyAPI common_sampling (max_length, min_length),
 * Cerebras (min_completion_tokens), TGI GenerateParameters and LMDeploy (max_new_tokens).  A least
 * is a bound as well: an engine that heeds it over the most writes that many.
 */
#include "llm/spellings.h"

#define NAME(id, name) { name, sizeof(name) - 1 },
static const struct km_str names[KM_SPELLING_COUNT] = { KM_SPELLINGS(NAME) };
#undef NAME

#define ENDLESS (-2) /* Ollama knows two of them: without an end, and until the context is full */

static const struct km_str inner = { "num_predict", 11 }; /* of options */

static bool is_choices(size_t i)
{
    return i == KM_SPELLING_N || i == KM_SPELLING_BEST_OF;
}

/* Those of which a negative number means as many as there is room for. */
static bool may_be_endless(size_t i)
{
    return i == KM_SPELLING_N_PREDICT || i == KM_SPELLING_NUM_PREDICT || i == KM_SPELLING_OPTIONS;
}

/* Of an engine's options, an object: of what is none it reads nothing. */
static int read_options(struct km_llm_request *r, struct km_arena *arena, int64_t *value,
                        struct km_err *err)
{
    struct km_json_span found;
    struct km_llm_request in = *r;
    int e;

    if (r->spellings[KM_SPELLING_OPTIONS].type != KM_JSON_OBJECT)
        return 0;
    in.body = km_json_value(r->body, &r->spellings[KM_SPELLING_OPTIONS]);
    e = km_llm_read_inside(arena, in.body, &inner, 1, &found, err);
    return e == 0 ? km_llm_read_count(&in, &found, "options.num_predict", ENDLESS,
                                      KM_LLM_TOKENS_MOST, value, err)
                  : e;
}

static int read_one(struct km_llm_request *r, struct km_arena *arena, size_t i, bool *endless,
                    struct km_err *err)
{
    bool choices = is_choices(i);
    int64_t value = INT64_MIN, least = choices ? 1 : may_be_endless(i) ? ENDLESS : 0;
    int e;

    if (i == KM_SPELLING_OPTIONS)
        e = read_options(r, arena, &value, err);
    else
        e = km_llm_read_count(r, &r->spellings[i], names[i].p, least,
                              choices ? KM_CHOICES_MOST : KM_LLM_TOKENS_MOST, &value, err);
    if (e < 0 || value == INT64_MIN)
        return e;
    if (value < 0) {
        *endless = true;
    } else if (choices) {
        r->choices_said = true;
        r->choices = value > r->choices ? value : r->choices;
    } else if (value > r->max_tokens) {
        r->max_tokens = value;
    }
    return 0;
}

int km_spellings_read(struct km_llm_request *r, struct km_arena *arena, uint32_t own,
                      struct km_err *err)
{
    bool endless = false;
    int e;

    r->spelled &= ~own;
    if (!r->spelled)
        return 0;
    r->spellings = km_arena_alloc(arena, KM_SPELLING_COUNT * sizeof *r->spellings);
    if (!r->spellings)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    e = km_json_spans(r->body, names, KM_SPELLING_COUNT, r->spellings, NULL, err);
    for (size_t i = 0; e == 0 && i < KM_SPELLING_COUNT; i++)
        if (r->spelled >> i & 1)
            e = read_one(r, arena, i, &endless, err);
    if (endless)
        r->max_tokens = -1; /* more than any other name says */
    return e;
}

static bool says_more(struct km_str body, const struct km_json_span *span, size_t i, int64_t most)
{
    int64_t v;

    return span->type == KM_JSON_NUMBER && (km_str_i64(km_json_value(body, span), &v) < 0 ||
                                            v > most || (v < 0 && may_be_endless(i)));
}

/* Of the spellings in `which`, and of an engine's options. */
static int lower(struct km_str body, const struct km_json_span *spans, uint32_t which,
                 struct km_json_edits *e, struct km_arena *arena, int64_t most, struct km_err *err)
{
    const struct km_json_span *options = &spans[KM_SPELLING_OPTIONS];
    struct km_str value = km_arena_i64(arena, most);
    struct km_json_span found;
    int rc;

    for (size_t i = 0; i < KM_SPELLING_OPTIONS; i++)
        if ((which >> i & 1) && !is_choices(i) && says_more(body, &spans[i], i, most))
            km_json_replace(e, &spans[i], value);
    if (options->type != KM_JSON_OBJECT)
        return 0;
    rc = km_json_spans(km_json_value(body, options), &inner, 1, &found, NULL, err);
    if (rc < 0 || !says_more(km_json_value(body, options), &found, KM_SPELLING_OPTIONS, most))
        return rc;
    return km_llm_set_inner(e, arena, options, names[KM_SPELLING_OPTIONS], inner, value, err);
}

/* What is thought is a part of the output, and Anthropic refuses a budget of it that is not below
 * the bound.  One that was becomes half of what is left, or the least that there is; where not even
 * that is left, nothing is thought. */
void km_spellings_bound_thinking(struct km_str object, uint32_t at, int64_t said,
                                 struct km_json_edits *e, struct km_arena *arena, int64_t most)
{
    static const struct km_str top = { "thinking", 8 }, budget = { "budget_tokens", 13 };
    struct km_json_span span, found;
    struct km_str thinking;
    int64_t tokens;

    if (km_json_spans(object, &top, 1, &span, NULL, NULL) < 0 || span.type != KM_JSON_OBJECT)
        return;
    thinking = km_json_value(object, &span);
    span.value += at;
    if (km_json_spans(thinking, &budget, 1, &found, NULL, NULL) < 0 ||
        found.type != KM_JSON_NUMBER || km_str_i64(km_json_value(thinking, &found), &tokens) < 0)
        return;
    if (tokens < most || (said >= 0 && tokens >= said)) /* it was above the caller's own: may be */
        return;
    found.value += span.value;
    if (most > KM_THINKING_LEAST)
        km_json_replace(
            e, &found,
            km_arena_i64(arena, most / 2 > KM_THINKING_LEAST ? most / 2 : KM_THINKING_LEAST));
    else
        km_json_replace(e, &span, KM_STR("{\"type\":\"disabled\"}"));
}

static void lower_thinking(struct km_str body, struct km_json_edits *e, struct km_arena *arena,
                           int64_t most)
{
    static const struct km_str bound = { "max_tokens", 10 };
    struct km_json_span span;
    int64_t said = -1;

    if (km_json_spans(body, &bound, 1, &span, NULL, NULL) < 0 ||
        (span.type == KM_JSON_NUMBER && km_str_i64(km_json_value(body, &span), &said) < 0))
        return;
    km_spellings_bound_thinking(body, 0, said, e, arena, most);
}

int km_spellings_bound(const struct km_llm_request *r, struct km_json_edits *e,
                       struct km_arena *arena, int64_t most, struct km_err *err)
{
    lower_thinking(r->body, e, arena, most);
    return r->spelled ? lower(r->body, r->spellings, r->spelled, e, arena, most, err) : 0;
}

int km_spellings_bound_but(struct km_str body, struct km_str set, struct km_json_edits *e,
                           struct km_arena *arena, int64_t most, struct km_err *err)
{
    struct km_json_span spans[KM_SPELLING_COUNT];
    uint32_t which = 0;
    int rc = km_json_spans(body, names, KM_SPELLING_COUNT, spans, NULL, err);

    for (size_t i = 0; i < KM_SPELLING_COUNT; i++)
        which |= km_str_eq(names[i], set) ? 0 : UINT32_C(1) << i;
    lower_thinking(body, e, arena, most);
    return rc == 0 ? lower(body, spans, which, e, arena, most, err) : rc;
}

bool km_spelling_bounds(struct km_str name)
{
    for (size_t i = 0; i <= KM_SPELLING_NUM_PREDICT; i++)
        if (km_str_eq(name, names[i]))
            return true;
    return false;
}
