/* SPDX-License-Identifier: Apache-2.0 */
/* openai.c - requests: read a few members by place, cut the gateway's own, pass on the rest.
 *
 *     client   {"model":"fast","messages":[...],"metadata":{...},"stream":true}
 *     upstream {"model":"gpt-4o","messages":[...],"stream":true,"stream_options":{...}}
 *
 * Everything outside those spans is the client's own bytes: unknown members, key order, number
 * spelling and white space survive, so nothing a provider adds tomorrow needs a change here.
 *
 * A member we read that occurs twice is refused (json_span.h says why): the upstream may take
 * the last one where we took the first, and the model allow-list would be a suggestion.
 */
#include "llm/api/openai.h"

#include <stdio.h>

#include "llm/api/priced.h"
#include "llm/spellings.h"

#define KM_PROMPTS_MOST 2048 /* of one completion: as inputs of an embedding */

/* Members of a request that are read, changed or taken out: places in km_llm_request.spans. */
enum member {
    KM_M_MODEL,
    KM_M_STREAM,
    KM_M_STREAM_OPTIONS,
    KM_M_MAX_TOKENS,
    KM_M_MAX_COMPLETION_TOKENS,
    KM_M_N,
    KM_M_BEST_OF,
    KM_M_TOOLS,
    KM_M_MESSAGES,
    KM_M_PROMPT,
    KM_M_INPUT,
    KM_M_DOCUMENTS,
    KM_M_USER,
    KM_M_API_BASE,
    KM_M_BASE_URL,
    KM_M_FIRST_CUT, /* from here on: the gateway's own, never sent upstream */
    KM_M_METADATA = KM_M_FIRST_CUT,
    KM_M_OWN,
    KM_M_COUNT = KM_M_OWN + KM_LLM_OWN_COUNT,
};

/* In the order of enum member. */
static const struct km_str members[KM_M_COUNT] = {
    { "model", 5 },
    { "stream", 6 },
    { "stream_options", 14 },
    { "max_tokens", 10 },
    { "max_completion_tokens", 21 },
    { "n", 1 },
    { "best_of", 7 },
    { "tools", 5 },
    { "messages", 8 },
    { "prompt", 6 },
    { "input", 5 },
    { "documents", 9 },
    { "user", 4 },
    { "api_base", 8 },
    { "base_url", 8 },
    { "metadata", 8 },
    KM_LLM_OWN_NAMES,
};

/* For decoding: what every call has, and what is the gateway's own. */
bool km_openai_member(struct km_str name)
{
    for (size_t m = 0; m < KM_M_COUNT; m++)
        if (km_str_eq(name, members[m]))
            return m <= KM_M_STREAM_OPTIONS || (m >= KM_M_MESSAGES && m != KM_M_USER);
    return false;
}

static int read_count(const struct km_llm_request *r, enum member m, int64_t low, int64_t high,
                      int64_t *value, struct km_err *err)
{
    return km_llm_read_count(r, &r->spans[m], members[m].p, low, high, value, err);
}

static int read_stream(struct km_llm_request *r, struct km_err *err)
{
    struct km_json_span inner;
    struct km_str name = KM_STR("include_usage");

    if (km_llm_present(r, KM_M_STREAM) && r->spans[KM_M_STREAM].type != KM_JSON_TRUE &&
        r->spans[KM_M_STREAM].type != KM_JSON_FALSE)
        return km_llm_bad(err, "stream", "must be true or false");
    r->stream = r->api->streams && r->spans[KM_M_STREAM].type == KM_JSON_TRUE;
    if (!km_llm_present(r, KM_M_STREAM_OPTIONS))
        return 0;
    if (r->spans[KM_M_STREAM_OPTIONS].type != KM_JSON_OBJECT)
        return km_llm_bad(err, "stream_options", "must be an object");
    if (km_json_spans(km_llm_value(r, KM_M_STREAM_OPTIONS), &name, 1, &inner, NULL, err) < 0)
        return KM_E_INVALID;
    r->usage_asked = inner.type == KM_JSON_TRUE;
    return 0;
}

/* What rerankers bill by: a query with up to a hundred documents is one (cohere.com/pricing), and a
 * document that is longer than 510 tokens counts as several.  So many at most. */
static int64_t count_units(struct km_str documents)
{
    enum { A_UNIT = 100, BYTES = 1500 };
    struct km_json_span item;
    size_t at = 0;
    int64_t n = 0;

    while (km_json_next_item(documents, &at, &item))
        n += 1 + (int64_t)(item.value_n / BYTES);
    return (n + A_UNIT - 1) / A_UNIT;
}

/* What the endpoint cannot do without. */
static int read_required(struct km_llm_request *r, struct km_err *err)
{
    enum member m = r->api == &km_api_chat         ? KM_M_MESSAGES
                    : r->api == &km_api_completion ? KM_M_PROMPT
                    : r->api == &km_api_rerank     ? KM_M_DOCUMENTS
                                                   : KM_M_INPUT;

    if (r->spans[m].type == KM_JSON_ABSENT)
        return km_fail_param(err, KM_E_INVALID, r->api->required,
                             "%s: Missing required parameter: '%s'.", r->api->path,
                             r->api->required);
    if (m == KM_M_MESSAGES && r->spans[m].type != KM_JSON_ARRAY)
        return km_llm_bad(err, "messages", "must be an array");
    r->prompt = km_llm_present(r, m) ? km_llm_value(r, m) : KM_STR_NONE;
    if (m == KM_M_INPUT)
        r->names |= KM_NAMES_VECTORS;
    if (m == KM_M_DOCUMENTS && r->spans[m].type == KM_JSON_ARRAY)
        r->priced.queries = count_units(r->prompt);
    return 0;
}

/* The gateway's own members; a wrong type is nobody's loss but is said all the same. */
static int read_own(struct km_llm_request *r, struct km_arena *arena, struct km_err *err)
{
    for (enum member m = KM_M_API_BASE; m <= KM_M_BASE_URL; m++)
        if (km_llm_present(r, m))
            return km_llm_bad(
                err, members[m].p,
                "is not allowed in a request: the configuration chooses the upstream");
    if (r->spans[KM_M_METADATA].type == KM_JSON_OBJECT)
        r->metadata = km_llm_value(r, KM_M_METADATA);
    if (r->spans[KM_M_USER].type == KM_JSON_STRING)
        r->user = km_json_text(arena, r->body, &r->spans[KM_M_USER]);
    return km_llm_read_own(r, &r->spans[KM_M_OWN], err);
}

/* ["a",[1,2]] are two, [1,2] is one of tokens; where llama.cpp mixes numbers and text
 * in one prompt, it is taken for several. */
static int64_t count_list(const struct km_json *v)
{
    struct km_json_iter it;
    const struct km_json *one;
    struct km_str key;
    int64_t n = 0, tokens = 0;

    for (km_json_iter(v, &it); km_json_next(&it, &key, &one);)
        if (km_json_kind(one) == KM_JSON_NUMBER)
            tokens = 1;
        else
            n++;
    return n + tokens;
}

/* vLLM takes vectors beside the text, each of them a prompt too (its CompletionRequest). */
int km_openai_count_prompts(struct km_llm_request *r, const struct km_arena *arena,
                            struct km_err *err)
{
    static const struct km_str lists[] = { { "prompt", 6 }, { "prompt_embeds", 13 } };
    struct km_arena scratch KM_CLEANUP(km_arena_done);
    struct km_json_span spans[2];
    const struct km_json *v;
    int e;

    km_arena_init(&scratch, arena->cap, arena->pool);
    e = km_json_spans(r->body, lists, 2, spans, NULL, err);
    for (size_t i = 0; e == 0 && i < 2; i++) {
        if (spans[i].type != KM_JSON_ARRAY) {
            r->prompts += spans[i].type == KM_JSON_STRING;
            continue;
        }
        e = km_json_parse(&scratch, km_json_value(r->body, &spans[i]), &v, err);
        r->prompts += e == 0 ? count_list(v) : 0;
    }
    return e == 0 && r->prompts > KM_PROMPTS_MOST
               ? km_fail_param(err, KM_E_INVALID, "prompt", "It holds more than %d prompts.",
                               KM_PROMPTS_MOST)
               : e;
}

/* Which of several bounds an upstream heeds is its own affair: the largest counts, and of n and
 * best_of the one that has it generate, and bill, more. */
static int read_bounds(struct km_llm_request *r, struct km_arena *arena, struct km_err *err)
{
    static const uint32_t own = KM_SPELLED(MAX_TOKENS) | KM_SPELLED(MAX_COMPLETION_TOKENS) |
                                KM_SPELLED(N) | KM_SPELLED(BEST_OF);
    int64_t best_of = 1, older = -1;
    int e = read_count(r, KM_M_MAX_TOKENS, 0, KM_LLM_TOKENS_MOST, &older, err);

    if (e == 0)
        e = read_count(r, KM_M_MAX_COMPLETION_TOKENS, 0, KM_LLM_TOKENS_MOST, &r->max_tokens, err);
    if (older > r->max_tokens)
        r->max_tokens = older;
    if (e == 0)
        e = read_count(r, KM_M_N, 1, KM_CHOICES_MOST, &r->choices, err);
    r->choices_said = r->spans[KM_M_N].type != KM_JSON_ABSENT;
    if (!(r->api->wire & KM_WIRES_WRITE)) {
        r->spelled = 0;
        return e;
    }
    if (e == 0)
        e = read_count(r, KM_M_BEST_OF, 1, KM_CHOICES_MOST, &best_of, err);
    if (best_of > r->choices)
        r->choices = best_of;
    if (e == 0 && r->api == &km_api_completion)
        e = km_openai_count_prompts(r, arena, err);
    return e == 0 ? km_spellings_read(r, arena, own, err) : e;
}

static int parse(struct km_llm_request *r, struct km_arena *arena, struct km_str path_model,
                 struct km_err *err)
{
    int e = km_llm_read_members(r, arena, members, KM_M_COUNT, err);

    if (e == 0)
        e = km_llm_read_model(r, arena, path_model, KM_M_MODEL, NULL, err);
    if (e == 0)
        e = read_required(r, err);
    if (e == 0)
        e = read_stream(r, err);
    if (e == 0)
        e = read_bounds(r, arena, err);
    if (e == 0)
        e = km_llm_priced_read(r, KM_PRICED_OPENAI, &r->spans[KM_M_TOOLS], arena, err);
    return e == 0 ? read_own(r, arena, err) : e;
}

static int bound_output(const struct km_llm_request *r, const struct km_llm_body_args *args,
                        struct km_json_edits *e, struct km_arena *arena, struct km_err *err)
{
    struct km_str value = km_arena_i64(arena, args->max_tokens);
    bool there = false;

    for (enum member m = KM_M_MAX_TOKENS; m <= KM_M_MAX_COMPLETION_TOKENS; m++)
        if (r->spans[m].type != KM_JSON_ABSENT) { /* a null bounds nothing */
            km_json_replace(e, &r->spans[m], value);
            there = true;
        }
    if (!there)
        km_json_add(e, arena,
                    r->api->chat ? km_str_c(args->deployment->provider->max_tokens)
                                 : KM_STR("max_tokens"),
                    value);
    return km_spellings_bound(r, e, arena, args->max_tokens, err);
}

static int body(const struct km_llm_request *r, const struct km_llm_body_args *args,
                struct km_arena *arena, struct km_str **ret_parts, size_t *ret_n,
                struct km_err *err)
{
    struct km_str model = km_llm_upstream_model(args->deployment, args->star, arena);
    const struct km_json_span *span = &r->spans[KM_M_MODEL];
    struct km_json_edits e;
    int rc = 0;

    km_json_edits_init(&e, r->body, &r->object);
    if (span->type == KM_JSON_ABSENT)
        km_json_add(&e, arena, KM_STR("model"), km_llm_json_string(arena, model));
    else if (span->type != KM_JSON_STRING || !km_str_eq(model, km_json_text(arena, r->body, span)))
        km_json_replace(&e, span, km_llm_json_string(arena, model));
    km_llm_cut_from(r, KM_M_FIRST_CUT, &e);
    if (r->stream && args->with_usage)
        rc = km_llm_set_inner(&e, arena, &r->spans[KM_M_STREAM_OPTIONS],
                              members[KM_M_STREAM_OPTIONS], KM_STR("include_usage"), KM_STR("true"),
                              err);
    else if (r->spans[KM_M_STREAM_OPTIONS].type != KM_JSON_ABSENT)
        km_json_cut(&e, &r->spans[KM_M_STREAM_OPTIONS]);
    if (rc == 0 && args->max_tokens >= 0)
        rc = bound_output(r, args, &e, arena, err);
    if (rc == 0)
        rc = km_llm_add_defaults(r, args, &e, arena, err);
    return rc == 0 ? km_json_parts(&e, arena, ret_parts, ret_n, err) : rc;
}

#define OPENAI .dialect = KM_DIALECT_OPENAI, .parse = parse, .body = body, \
    .last = "data: [DONE]\n\n", .answer = km_openai_answer, .event = km_openai_event,            \
    .cut = km_openai_cut

const struct km_llm_api km_api_chat = {
    .path = "/chat/completions", .call_type = "acompletion", .required = "messages",
    .streams = true, .chat = true, .wire = KM_WIRE_CHAT, .decode = km_openai_decode,
    .encoder = &km_encoder_chat, .note_told = km_told_note_chat, OPENAI
};
const struct km_llm_api km_api_completion = {
    .path = "/completions", .call_type = "atext_completion", .required = "prompt",
    .streams = true, .wire = KM_WIRE_COMPLETION, .decode = km_openai_decode_prompt,
    .encoder = &km_encoder_completion, OPENAI
};
const struct km_llm_api km_api_rerank = {
    .path = "/rerank", .call_type = "arerank", .required = "documents",
    .wire = KM_WIRE_RERANK, OPENAI
};
const struct km_llm_api km_api_embedding = {
    .path = "/embeddings", .call_type = "aembedding", .required = "input",
    .wire = KM_WIRE_EMBEDDING, OPENAI
};
