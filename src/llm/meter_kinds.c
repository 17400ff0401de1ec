/* SPDX-License-Identifier: Apache-2.0 */
/* meter_kinds.c - the kinds of answers a meter can read, and the requests that lead to them.
 *
 * Bodies of InvokeModel, rawPredict and predict are the model's own affair: they are read by
 * what they are known to hold (bounds.h).  Usage is looked for under every name it has.
 */
#include "base/encode.h"
#include "llm/api/gemini.h"
#include "llm/api/messages.h"
#include "llm/api/openai.h"
#include "llm/api/priced.h"
#include "llm/api/responses.h"
#include "llm/bounds.h"
#include "llm/meter.h"
#include "llm/meter_frames.h"
#include "llm/provider/converse.h"
#include "llm/provider/gemini.h"
#include "llm/usage.h"

/* --- requests --- */

int km_meter_request(const struct km_meter_kind *kind, struct km_llm_request *r,
                     struct km_arena *arena, struct km_err *err)
{
    static const struct km_str stream = { "stream", 6 };
    struct km_arena scratch KM_CLEANUP(km_arena_done);
    const struct km_json *root = NULL;
    int e = km_llm_read_members(r, arena, &stream, 1, err);

    km_arena_init(&scratch, arena->cap, arena->pool);
    if (e == 0)
        e = km_llm_parse_body(&scratch, r->body, &root, err);
    if (e == 0)
        e = km_bounds_read(kind->bounds, r, root, err);
    if (e < 0)
        return e;
    if (km_llm_present(r, 0) && !km_json_bool(km_json_get(root, "stream"), &r->stream))
        return km_llm_bad(err, "stream", "must be true or false");
    r->prompt = r->body;
    return km_llm_priced_read(
        r, kind->bounds == &km_bounds_converse ? KM_PRICED_CONVERSE : KM_PRICED_MODEL, NULL, arena,
        err);
}

/* --- usage under its many names --- */

static int64_t first_count(const struct km_json *v, const char *const *names, bool *bad)
{
    int64_t n = 0;

    for (; n == 0 && *names; names++)
        n = km_usage_count(v, *names, bad);
    return n;
}

/* What a `usage` says replaces what was there; what it leaves out stays.  Of names this many none
 * is due: what is nonsense makes all of it so. */
static void read_usage(struct km_meter *m, const struct km_json *v)
{
    static const char *const input[] = { "input_tokens", "inputTokens", NULL };
    static const char *const all[] = { "prompt_tokens", "promptTokens", NULL };
    static const char *const output[] = { "output_tokens", "outputTokens", "completion_tokens",
                                          NULL };
    static const char *const cached[] = { "cache_read_input_tokens", "cacheReadInputTokens",
                                          "cacheReadInputTokenCount", NULL };
    static const char *const written[] = { "cache_creation_input_tokens", "cacheWriteInputTokens",
                                           "cacheWriteInputTokenCount", NULL };
    struct km_usage *u = &m->stream.usage, now = { 0 };
    bool *bad = &m->stream.nonsense;

    if (km_json_kind(v) != KM_JSON_OBJECT)
        return;
    now.cached_tokens = first_count(v, cached, bad);
    now.cache_write_tokens = first_count(v, written, bad);
    now.completion_tokens = first_count(v, output, bad);
    now.prompt_tokens = first_count(v, all, bad);
    for (size_t i = 0; output[i]; i++)
        *bad = *bad || km_json_kind(km_json_get(v, output[i])) == KM_JSON_NULL;
    if (!now.prompt_tokens)
        now.prompt_tokens = first_count(v, input, bad) + now.cached_tokens + now.cache_write_tokens;
    if (!now.cached_tokens)
        now.cached_tokens =
            km_usage_count(km_json_get(v, "prompt_tokens_details"), "cached_tokens", bad);
    if (now.prompt_tokens) {
        u->prompt_tokens = now.prompt_tokens;
        u->cached_tokens = now.cached_tokens;
        u->cache_write_tokens = now.cache_write_tokens;
    }
    if (now.completion_tokens)
        u->completion_tokens = now.completion_tokens;
    km_usage_replace(km_json_get(v, "output_tokens_details"), "thinking_tokens",
                     &u->reasoning_tokens, bad);
    km_usage_replace(km_json_get(v, "completion_tokens_details"), "reasoning_tokens",
                     &u->reasoning_tokens, bad);
    km_usage_extras(v, u, bad);
    *bad = *bad || u->cache_write_1h_tokens > u->cache_write_tokens;
}

static int64_t header_count(const struct km_headers *h, struct km_str name, bool *bad)
{
    struct km_str value = km_header_get(h, name);

    return value.n ? km_usage_text(value, bad) : 0;
}

/* Bedrock counts in the answer's head, whatever the model. */
static bool by_headers(const struct km_headers *h, struct km_usage *u)
{
    struct km_str input = KM_STR("x-amzn-bedrock-input-token-count");
    bool bad = false;

    if (!h || !km_header_get(h, input).n)
        return false;
    u->cached_tokens = header_count(h, KM_STR("x-amzn-bedrock-cache-read-input-token-count"), &bad);
    u->cache_write_tokens =
        header_count(h, KM_STR("x-amzn-bedrock-cache-write-input-token-count"), &bad);
    u->prompt_tokens = header_count(h, input, &bad) + u->cached_tokens + u->cache_write_tokens;
    u->completion_tokens = header_count(h, KM_STR("x-amzn-bedrock-output-token-count"), &bad);
    km_usage_served(u, km_header_get(h, KM_STR("x-amzn-bedrock-service-tier")));
    return !bad;
}

static void read_raw(struct km_meter *m, const struct km_headers *headers,
                     const struct km_json *root)
{
    struct km_usage *u = &m->stream.usage;

    read_usage(m, km_json_get(root, "usage"));
    u->known = (u->prompt_tokens > 0 && !m->stream.nonsense) || by_headers(headers, u);
    if (u->known || m->stream.nonsense)
        return;
    u->prompt_tokens =
        km_usage_count(root, "inputTextTokenCount", &m->stream.nonsense); /* Titan's */
    u->known = u->prompt_tokens > 0 && !m->stream.nonsense;
}

static void note_text(struct km_meter *m, const struct km_json *v, const char *name)
{
    struct km_str text;

    if (km_json_string(km_json_get(v, name), &text))
        km_meter_note(m, text);
}

static void note_delta(struct km_meter *m, const struct km_json *root)
{
    static const char *const names[] = { "text", "thinking", "partial_json" };
    const struct km_json *delta = km_json_get(root, "delta");

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        note_text(m, delta, names[i]);
    note_text(m, root, "outputText"); /* Titan's */
    note_text(m, root, "generation"); /* Llama's */
}

/* One event of whatever the model says: Claude's come in pieces, the last has what came out. */
static void read_event(struct km_meter *m, const struct km_json *root)
{
    const struct km_json *metrics = km_json_get(root, "amazon-bedrock-invocationMetrics");
    const struct km_json *usage = km_json_get(root, "usage");
    struct km_usage *u = &m->stream.usage;

    read_usage(m, km_json_get(km_json_get(root, "message"), "usage"));
    read_usage(m, usage);
    if (usage && u->prompt_tokens)
        u->known = m->stream.ended = !m->stream.nonsense;
    note_delta(m, root);
    if (!metrics || u->known)
        return;
    m->stream.nonsense = false; /* Bedrock's own count stands beside the model's */
    read_usage(m, metrics);
    u->prompt_tokens = km_usage_due(metrics, "inputTokenCount", &m->stream.nonsense) +
                       u->cached_tokens + u->cache_write_tokens;
    u->completion_tokens = km_usage_due(metrics, "outputTokenCount", &m->stream.nonsense);
    km_usage_judge(u, m->stream.nonsense);
    m->stream.ended = true;
}

static void raw_event(struct km_meter *m, const struct km_frame_event *e)
{
    const struct km_json *root;

    if (km_json_parse_answer(m->stream.scratch, e->data, &root, NULL) == 0)
        read_event(m, root);
}

/* {"bytes":"<base64 of the model's own event>"} */
static void invoke_event(struct km_meter *m, const struct km_frame_event *e)
{
    struct km_buf bytes KM_CLEANUP(km_buf_done) = KM_BUF(16 * 1024 * 1024);
    const struct km_json *root;
    struct km_str base64;

    if (km_json_parse_answer(m->stream.scratch, e->data, &root, NULL) == 0 &&
        km_json_string(km_json_get(root, "bytes"), &base64) &&
        km_buf_unbase64(&bytes, base64) == 0 &&
        km_json_parse_answer(m->stream.scratch, km_buf_view(&bytes), &root, NULL) == 0) {
        km_invoke_keep(m, root, km_buf_view(&bytes));
        read_event(m, root);
    }
}

/* --- Converse --- */

/* What Bedrock runs itself is a use of a tool that it answers itself. */
static void note_system_tool(struct km_meter *m, const struct km_json *use)
{
    struct km_str type, name = KM_STR_NONE;

    if (!km_json_string(km_json_get(use, "type"), &type) ||
        !km_str_eq(type, KM_STR("server_tool_use")))
        return;
    (void)km_json_string(km_json_get(use, "name"), &name);
    if (km_str_eq(name, KM_STR("nova_grounding")))
        m->stream.usage.hosted[KM_HOSTED_WEB_SEARCH]++;
    else if (km_str_eq(name, KM_STR("nova_code_interpreter")))
        m->stream.usage.hosted[KM_HOSTED_CODE_INTERPRETER]++;
}

static void read_converse(struct km_meter *m, const struct km_headers *headers,
                          const struct km_json *root)
{
    const struct km_json *message = km_json_get(km_json_get(root, "output"), "message");
    struct km_json_iter it;
    const struct km_json *block;
    struct km_str key;

    (void)headers;
    if (km_converse_usage(km_json_get(root, "usage"), &m->stream.usage))
        km_usage_served_by(&m->stream.usage, root, "serviceTier");
    for (km_json_iter(km_json_get(message, "content"), &it); km_json_next(&it, &key, &block);)
        note_system_tool(m, km_json_get(block, "toolUse"));
}

static void converse_event(struct km_meter *m, const struct km_frame_event *e)
{
    const struct km_json *root, *delta;

    if (km_json_parse_answer(m->stream.scratch, e->data, &root, NULL) < 0)
        return;
    km_converse_keep(m, e->type, root);
    if (km_converse_usage(km_json_get(root, "usage"), &m->stream.usage)) {
        km_usage_served_by(&m->stream.usage, root, "serviceTier");
        m->stream.ended = true;
    }
    note_system_tool(m, km_json_get(km_json_get(root, "start"), "toolUse"));
    delta = km_json_get(root, "delta");
    note_text(m, delta, "text");
    note_text(m, km_json_get(delta, "reasoningContent"), "text");
    note_text(m, km_json_get(delta, "toolUse"), "input");
}

/* --- Google's other answers --- */

/* Vertex AI: {"predictions":[{"embeddings":{"statistics":{"token_count":4}}}]} */
static void read_predict(struct km_meter *m, const struct km_headers *headers,
                         const struct km_json *root)
{
    struct km_usage *u = &m->stream.usage;
    struct km_json_iter it;
    const struct km_json *one;
    struct km_str key;

    (void)headers;
    for (km_json_iter(km_json_get(root, "predictions"), &it); km_json_next(&it, &key, &one);)
        u->prompt_tokens +=
            km_usage_count(km_json_get(km_json_get(one, "embeddings"), "statistics"), "token_count",
                           &m->stream.nonsense);
    u->known = u->prompt_tokens > 0 && !m->stream.nonsense;
}

/* Vectors, and of late what they took. */
static void read_vectors(struct km_meter *m, const struct km_headers *headers,
                         const struct km_json *root)
{
    (void)headers;
    (void)km_gemini_usage(km_json_get(root, "usageMetadata"), &m->stream.usage);
}

/* A stream that was not asked for as SSE: one array of all its chunks, the last of which counts. */
static void read_chunks(struct km_meter *m, const struct km_headers *headers,
                        const struct km_json *root)
{
    int64_t *searches = &m->stream.usage.hosted[KM_HOSTED_WEB_SEARCH];
    struct km_json_iter it;
    const struct km_json *one;
    struct km_str key;

    (void)headers;
    for (km_json_iter(root, &it); km_json_next(&it, &key, &one);) {
        int64_t n = km_gemini_searches(km_json_get(one, "candidates"));

        if (n > *searches)
            *searches = n;
        (void)km_gemini_usage(km_json_get(one, "usageMetadata"), &m->stream.usage);
    }
}

/* --- rows --- */

const struct km_meter_kind km_meter_chat = { .name = "chat", .api = &km_api_chat,
                                             .asks_usage = true,
                                             .bound = "max_completion_tokens" };
const struct km_meter_kind km_meter_completion = { .name = "completion",
                                                   .api = &km_api_completion,
                                                   .asks_usage = true,
                                                   .bound = "max_tokens" };
const struct km_meter_kind km_meter_embedding = { .name = "embedding", .api = &km_api_embedding };
const struct km_meter_kind km_meter_responses = { .name = "responses", .api = &km_api_responses,
                                                  .bound = "max_output_tokens" };
const struct km_meter_kind km_meter_messages = { .name = "messages", .api = &km_api_messages,
                                                 .bound = "max_tokens" };
const struct km_meter_kind km_meter_gemini = { .name = "generateContent", .api = &km_api_gemini,
                                               .bound_in = "generationConfig",
                                               .bound = "maxOutputTokens" };
const struct km_meter_kind km_meter_gemini_stream = { .name = "streamGenerateContent",
                                                      .api = &km_api_gemini_stream,
                                                      .read = read_chunks,
                                                      .bound_in = "generationConfig",
                                                      .bound = "maxOutputTokens" };
const struct km_meter_kind km_meter_gemini_embed = { .name = "embedContent",
                                                     .bounds = &km_bounds_model,
                                                     .read = read_vectors,
                                                     .event = raw_event };
const struct km_meter_kind km_meter_predict = { .name = "predict", .bounds = &km_bounds_model,
                                                .read = read_predict, .event = raw_event };
const struct km_meter_kind km_meter_raw = { .name = "rawPredict", .bounds = &km_bounds_model,
                                            .read = read_raw, .event = raw_event };
const struct km_meter_kind km_meter_converse = { .name = "Converse", .framing = KM_FRAMING_AWS,
                                                 .bounds = &km_bounds_converse,
                                                 .read = read_converse,
                                                 .event = converse_event,
                                                 .cut = km_converse_cut };
const struct km_meter_kind km_meter_invoke = { .name = "InvokeModel", .framing = KM_FRAMING_AWS,
                                               .bounds = &km_bounds_model, .read = read_raw,
                                               .event = invoke_event, .cut = km_invoke_cut };
