/* SPDX-License-Identifier: Apache-2.0 */
/* gemini.c - requests: the model stands in the path, everything else in the body.
 *
 *     POST /v1beta/models/{model}:generateContent
 *     POST /v1beta/models/{model}:streamGenerateContent[?alt=sse]
 *     POST /v1beta/models/{model}:countTokens
 *
 * A body is passed on as it came.  Only a budget's rest changes it (maxOutputTokens), and what
 * the deployment's own parameters add where the caller said nothing.
 */
#include "llm/api/gemini.h"

#include "http/json_fill.h"
#include "llm/api/priced.h"
#include "llm/provider/codecs.h"

/* Google's readers take a field in lowerCamelCase and as its definition spells it, and of both the
 * later one, or the one of their own choice (protobuf's JSON mapping).  So a pair of them is
 * refused, and what is set or added here looks for both.  Pairs stand side by side. */
#define PAIR(camel, snake) { camel, sizeof(camel) - 1 }, { snake, sizeof(snake) - 1 }

enum member {
    M_CONTENTS,
    M_TOOLS,
    M_CONFIG,
    M_CONFIG_SNAKE,
    M_REST,
    M_COUNT = M_REST + 10,
};

static const struct km_str members[M_COUNT] = {
    { "contents", 8 },
    { "tools", 5 },
    PAIR("generationConfig", "generation_config"),
    PAIR("safetySettings", "safety_settings"),
    PAIR("cachedContent", "cached_content"),
    PAIR("systemInstruction", "system_instruction"),
    PAIR("toolConfig", "tool_config"),
    PAIR("serviceTier", "service_tier"),
};

enum inner { I_MAX, I_MAX_SNAKE, I_N, I_N_SNAKE, I_REST, I_COUNT = I_REST + 26 };

static const struct km_str inners[I_COUNT] = {
    PAIR("maxOutputTokens", "max_output_tokens"),
    PAIR("candidateCount", "candidate_count"),
    PAIR("stopSequences", "stop_sequences"),
    PAIR("topP", "top_p"),
    PAIR("topK", "top_k"),
    PAIR("presencePenalty", "presence_penalty"),
    PAIR("frequencyPenalty", "frequency_penalty"),
    PAIR("responseMimeType", "response_mime_type"),
    PAIR("responseSchema", "response_schema"),
    PAIR("responseJsonSchema", "response_json_schema"),
    PAIR("responseModalities", "response_modalities"),
    PAIR("responseLogprobs", "response_logprobs"),
    PAIR("speechConfig", "speech_config"),
    PAIR("thinkingConfig", "thinking_config"),
    PAIR("imageConfig", "image_config"),
};

/* names and spans of pairs alone. */
static int check_pairs(const struct km_str *names, const struct km_json_span *spans, size_t n,
                       struct km_err *err)
{
    for (size_t i = 0; i + 1 < n; i += 2)
        if (spans[i].type != KM_JSON_ABSENT && spans[i + 1].type != KM_JSON_ABSENT)
            return km_fail_param(err, KM_E_INVALID, names[i].p,
                                 "'%s' and '%s' are one parameter: send it once.", names[i].p,
                                 names[i + 1].p);
    return 0;
}

static const struct km_json_span *config_of(const struct km_llm_request *r)
{
    const struct km_json_span *a = &r->spans[M_CONFIG], *b = &r->spans[M_CONFIG_SNAKE];

    return a->type != KM_JSON_ABSENT ? a : b;
}

/* What generationConfig bounds; places are those of the body. */
static int read_config(const struct km_llm_request *r, struct km_arena *arena,
                       struct km_json_span *spans, struct km_err *err)
{
    const struct km_json_span *config = config_of(r);
    int e;

    for (size_t i = 0; i < I_COUNT; i++)
        spans[i] = (struct km_json_span){ .type = KM_JSON_ABSENT };
    if (config->type == KM_JSON_ABSENT || config->type == KM_JSON_NULL)
        return 0;
    if (config->type != KM_JSON_OBJECT)
        return km_fail_param(err, KM_E_INVALID, "generationConfig",
                             "'generationConfig' must be an object.");
    e = km_llm_read_inside(arena, km_json_value(r->body, config), inners, I_COUNT, spans, err);
    if (e == 0)
        e = check_pairs(inners, spans, I_COUNT, err);
    for (size_t i = 0; e == 0 && i < I_COUNT; i++) {
        spans[i].member += config->value;
        spans[i].value += config->value;
    }
    return e;
}

static int read_bounds(struct km_llm_request *r, struct km_arena *arena, struct km_err *err)
{
    struct km_json_span spans[I_COUNT];
    int e = read_config(r, arena, spans, err);

    for (size_t i = I_MAX; e == 0 && i <= I_MAX_SNAKE; i++)
        e = km_llm_read_count(r, &spans[i], "generationConfig.maxOutputTokens", 0,
                              KM_LLM_TOKENS_MOST, &r->max_tokens, err);
    for (size_t i = I_N; e == 0 && i <= I_N_SNAKE; i++) {
        e = km_llm_read_count(r, &spans[i], "generationConfig.candidateCount", 1, 8, &r->choices,
                              err);
        r->choices_said = r->choices_said || spans[i].type != KM_JSON_ABSENT;
    }
    return e;
}

static int parse(struct km_llm_request *r, struct km_arena *arena, struct km_str path_model,
                 struct km_err *err)
{
    bool counts = r->api->wire == KM_WIRE_COUNT_GEMINI;
    int e = km_llm_read_members(r, arena, members, M_COUNT, err);

    if (e == 0)
        e = check_pairs(members + M_CONFIG, r->spans + M_CONFIG, M_COUNT - M_CONFIG, err);
    if (e < 0)
        return e;
    if (!path_model.n)
        return km_fail_param(err, KM_E_INVALID, "model", "The path names no model.");
    r->model = path_model;
    r->model_from_path = true;
    r->usage_asked = true; /* every answer says it */
    if (r->spans[M_CONTENTS].type == KM_JSON_ABSENT && !counts)
        return km_fail_param(err, KM_E_INVALID, "contents", "contents is not specified");
    r->stream = r->api->streams;
    r->prompt = counts || r->spans[M_CONTENTS].type == KM_JSON_ABSENT
                    ? r->body
                    : km_json_value(r->body, &r->spans[M_CONTENTS]);
    if (counts)
        return 0;
    e = read_bounds(r, arena, err);
    return e == 0 ? km_llm_priced_read(r, KM_PRICED_GEMINI, &r->spans[M_TOOLS], arena, err) : e;
}

/* --- the body of an attempt --- */

/* litellm_params' names of what stands in generationConfig or beside it. */
static const struct {
    const char *name, *google;
    bool beside;
} defaults[] = {
    { "temperature", "temperature", false },
    { "top_p", "topP", false },
    { "top_k", "topK", false },
    { "seed", "seed", false },
    { "max_tokens", "maxOutputTokens", false },
    { "max_completion_tokens", "maxOutputTokens", false },
    { "frequency_penalty", "frequencyPenalty", false },
    { "presence_penalty", "presencePenalty", false },
    { "safety_settings", "safetySettings", true },
    { "safetySettings", "safetySettings", true },
    { "cached_content", "cachedContent", true },
    { "cachedContent", "cachedContent", true },
};
#define DEFAULTS (sizeof defaults / sizeof defaults[0])

struct change {
    const struct km_llm_request *r;
    const struct km_llm_body_args *args;
    struct km_arena *arena;
    struct km_json_edits edits;
    struct km_buf config; /* members to put at the front of generationConfig */
};

static void front(struct change *c, const char *name, struct km_str json)
{
    if (c->config.n)
        km_buf_byte(&c->config, ',');
    km_buf_printf(&c->config, "\"%s\":", name);
    km_buf_str(&c->config, json);
}

/* In either spelling; v: pairs.  A name that has one spelling is no part of them. */
static bool has_member(struct km_str object, const struct km_str *v, size_t n, struct km_str name)
{
    struct km_str wanted[2] = { name, name };
    struct km_json_span spans[2];
    size_t found = 1;

    for (size_t i = 0; i + 1 < n; i += 2)
        if (km_str_eq(v[i], wanted[0]))
            wanted[1] = v[i + 1], found = 2;
    return km_json_spans(object, wanted, found, spans, NULL, NULL) < 0 ||
           spans[0].type != KM_JSON_ABSENT || (found > 1 && spans[1].type != KM_JSON_ABSENT);
}

static void add_default(struct change *c, struct km_str config, const struct km_default_param *p)
{
    if (p->use == KM_DEFAULT_AS_IS && !km_codec_own_member(c->args->deployment->codec, p->name).n &&
        !has_member(c->r->body, members, 0, p->name))
        km_json_add(&c->edits, c->arena, p->name, p->json);
    for (size_t i = 0; i < DEFAULTS; i++) {
        const char *name = defaults[i].google;

        if (!km_str_eq(p->name, km_str_c(defaults[i].name)))
            continue;
        if (defaults[i].beside) {
            if (!has_member(c->r->body, members + M_CONFIG, M_COUNT - M_CONFIG, km_str_c(name)))
                km_json_add(&c->edits, c->arena, km_str_c(name), p->json);
        } else if (!(config.n && has_member(config, inners, I_COUNT, km_str_c(name))) &&
                   !(km_str_eq(km_str_c(name), inners[I_MAX]) &&
                     (c->r->max_tokens >= 0 || c->args->max_tokens >= 0))) {
            front(c, name, p->json);
        }
    }
}

/* A budget's rest, in place of what the caller said. */
static int bound(struct change *c, struct km_err *err)
{
    struct km_json_span spans[I_COUNT];
    struct km_str value = km_arena_i64(c->arena, c->args->max_tokens);
    int e = read_config(c->r, c->arena, spans, err); /* places are not kept */

    if (e < 0)
        return e;
    for (size_t i = I_MAX; i <= I_MAX_SNAKE; i++)
        if (spans[i].type != KM_JSON_ABSENT) {
            km_json_replace(&c->edits, &spans[i], value);
            return 0;
        }
    front(c, "maxOutputTokens", value);
    return 0;
}

static void put_config(struct change *c)
{
    const struct km_json_span *config = config_of(c->r);
    struct km_str add = km_buf_view(&c->config);

    if (!add.n)
        return;
    if (config->type != KM_JSON_OBJECT) {
        struct km_str value = km_arena_printf(c->arena, "{%.*s}", KM_STR_ARG(add));

        if (config->type == KM_JSON_ABSENT)
            km_json_add(&c->edits, c->arena, KM_STR("generationConfig"), value);
        else
            km_json_replace(&c->edits, config, value);
        return;
    }
    /* "{" is replaced by "{" and the new members, and a comma where others follow. */
    for (size_t i = 1; i < config->value_n; i++) {
        char b = c->r->body.p[config->value + i];
        struct km_json_span brace = { .type = KM_JSON_OBJECT,
                                      .value = config->value,
                                      .value_n = 1 };

        if (b == ' ' || b == '\t' || b == '\n' || b == '\r')
            continue;
        km_json_replace(&c->edits, &brace,
                        km_arena_printf(c->arena, "{%.*s%s", KM_STR_ARG(add), b == '}' ? "" : ","));
        return;
    }
}

/* Behind the value that begins at `at`: a string, or an object or array with its strings. */
static size_t value_end(struct km_str s, size_t at)
{
    size_t depth = 0;
    bool quoted = false;

    for (; at < s.n; at++) {
        char b = s.p[at];

        if (quoted) {
            at += b == '\\';
            quoted = b != '"';
        } else if (b == '"') {
            quoted = true;
        } else if (b == '{' || b == '[') {
            depth++;
        } else if (b == '}' || b == ']') {
            depth--;
        }
        if (!quoted && depth == 0)
            return at + 1;
    }
    return s.n;
}

static size_t skip_space(struct km_str s, size_t at)
{
    while (at < s.n && (s.p[at] == ' ' || s.p[at] == '\t' || s.p[at] == '\n' || s.p[at] == '\r'))
        at++;
    return at;
}

/* A call or a result without its `id`. */
static void put_without_id(struct km_arena *arena, struct km_str object, struct km_buf *out)
{
    static const struct km_str name = { "id", 2 };
    struct km_json_object places;
    struct km_json_edits e;
    struct km_json_span id;
    struct km_str *parts;
    size_t n = 0;

    if (km_json_spans(object, &name, 1, &id, &places, NULL) < 0) {
        km_buf_str(out, object);
        return;
    }
    km_json_edits_init(&e, object, &places);
    if (id.type != KM_JSON_ABSENT)
        km_json_cut(&e, &id);
    if (km_json_parts(&e, arena, &parts, &n, NULL) < 0)
        km_buf_str(out, object);
    for (size_t i = 0; i < n; i++)
        km_buf_str(out, parts[i]);
}

/* Vertex AI knows no ids of calls and refuses them, and Google's own client sends back what it
 * was given: they are taken out of `contents`. */
static void strip_ids(struct change *c)
{
    static const char *const names[] = { "functionCall", "functionResponse", "function_call",
                                         "function_response" };
    const struct km_json_span *span = &c->r->spans[M_CONTENTS];
    struct km_str s = km_json_value(c->r->body, span);
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(s.n + 1);
    size_t from = 0, at = 0;

    while (at < s.n) {
        size_t end = s.p[at] == '"' ? value_end(s, at) : at + 1, value = end;
        bool named = false;

        for (size_t i = 0; s.p[at] == '"' && i < 4; i++)
            named = named || km_str_eq(km_str_sub(s, at + 1, end - at - 2), km_str_c(names[i]));
        if (named) {
            value = skip_space(s, end);
            value = value < s.n && s.p[value] == ':' ? skip_space(s, value + 1) : s.n;
        }
        if (named && value < s.n && s.p[value] == '{') {
            end = value_end(s, value);
            km_buf_str(&out, km_str_sub(s, from, value - from));
            put_without_id(c->arena, km_str_sub(s, value, end - value), &out);
            from = end;
        }
        at = end;
    }
    if (from == 0)
        return;
    km_buf_str(&out, km_str_skip(s, from));
    km_json_replace(&c->edits, span, km_arena_str(c->arena, km_buf_view(&out)));
}

/* Members of extra_body whose place the caller or another default may have: they hold. */
static int fill_own(const struct km_deployment *d, struct km_arena *arena, struct km_str **parts,
                    size_t *n, struct km_err *err)
{
    int e = 0;

    for (size_t i = 0; e == 0 && i < d->ndefaults; i++) {
        const struct km_default_param *p = &d->defaults[i];
        struct km_str own = KM_STR_NONE, whole;

        if (p->use == KM_DEFAULT_AS_IS)
            own = km_codec_own_member(d->codec, p->name);
        if (!own.n)
            continue;
        whole = km_arena_cat(arena, *parts, *n);
        for (size_t m = M_CONFIG; m + 1 < M_COUNT; m += 2) /* in the spelling that is there */
            if (km_str_eq(own, members[m]) && has_member(whole, members, 0, members[m + 1]))
                own = members[m + 1];
        e = km_json_fill(arena, whole, own, p->json, &whole, err);
        *n = 1;
        *parts = km_arena_alloc(arena, sizeof **parts);
        if (!*parts)
            return km_fail(err, KM_E_NOMEM, "out of memory");
        (*parts)[0] = whole;
    }
    return e;
}

static int body(const struct km_llm_request *r, const struct km_llm_body_args *args,
                struct km_arena *arena, struct km_str **ret_parts, size_t *ret_n,
                struct km_err *err)
{
    struct change c = { .r = r, .args = args, .arena = arena, .config = KM_BUF(1024 * 1024) };
    const struct km_deployment *d = args->deployment;
    struct km_str config = KM_STR_NONE;
    int e = 0;

    km_json_edits_init(&c.edits, r->body, &r->object);
    if (d->codec == &km_codec_gemini_vertex && r->spans[M_CONTENTS].type == KM_JSON_ARRAY)
        strip_ids(&c);
    if (r->api->wire == KM_WIRE_GEMINI) {
        if (config_of(r)->type == KM_JSON_OBJECT)
            config = km_json_value(r->body, config_of(r));
        if (args->max_tokens >= 0)
            e = bound(&c, err);
        for (size_t i = 0; e == 0 && i < d->ndefaults; i++)
            add_default(&c, config, &d->defaults[i]);
        put_config(&c);
    }
    if (e == 0 && km_buf_failed(&c.config))
        e = km_fail(err, KM_E_NOMEM, "out of memory");
    km_buf_done(&c.config);
    if (e == 0)
        e = km_json_parts(&c.edits, arena, ret_parts, ret_n, err);
    return e == 0 && r->api->wire == KM_WIRE_GEMINI ? fill_own(d, arena, ret_parts, ret_n, err) : e;
}

/* --- countTokens --- */

static int count_answer(const struct km_llm_request *r, struct km_arena *arena, struct km_str body_,
                        struct km_str **ret_parts, size_t *ret_n, struct km_usage *ret_usage,
                        struct km_err *err)
{
    (void)r;
    *ret_usage = (struct km_usage){ .known = true }; /* counting costs nothing */
    *ret_parts = km_arena_alloc(arena, sizeof **ret_parts);
    if (!*ret_parts)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    (*ret_parts)[0] = body_;
    *ret_n = 1;
    return 0;
}

static void write_count(const struct km_llm_request *r, int64_t tokens, struct km_buf *out)
{
    (void)r;
    km_buf_printf(out, "{\"totalTokens\":%lld}", (long long)tokens);
}

/* --- rows --- */

static const char *param_name(enum km_chat_param p)
{
    static const char *const names[KM_P_COUNT] = {
        [KM_P_MAX_TOKENS] = "generationConfig.maxOutputTokens",
        [KM_P_TEMPERATURE] = "generationConfig.temperature",
        [KM_P_TOP_P] = "generationConfig.topP",
        [KM_P_TOP_K] = "generationConfig.topK",
        [KM_P_STOP] = "generationConfig.stopSequences",
        [KM_P_N] = "generationConfig.candidateCount",
        [KM_P_SEED] = "generationConfig.seed",
        [KM_P_FREQUENCY_PENALTY] = "generationConfig.frequencyPenalty",
        [KM_P_PRESENCE_PENALTY] = "generationConfig.presencePenalty",
        [KM_P_LOGPROBS] = "generationConfig.responseLogprobs",
        [KM_P_TOP_LOGPROBS] = "generationConfig.logprobs",
        [KM_P_FORMAT] = "generationConfig.responseMimeType",
        [KM_P_TOOL_CHOICE] = "toolConfig",
        [KM_P_EFFORT] = "generationConfig.thinkingConfig.thinkingLevel",
        [KM_P_THINKING] = "generationConfig.thinkingConfig",
        [KM_P_MODALITIES] = "generationConfig.responseModalities",
    };

    return names[p];
}

#define GEMINI                                                                                     \
    .call_type = "agenerate_content", .required = "contents", .chat = true,                        \
    .wire = KM_WIRE_GEMINI, .dialect = KM_DIALECT_GOOGLE, .parse = parse, .body = body,            \
    .answer = km_gemini_answer, .event = km_gemini_relay, .idle = km_gemini_idle_asked,            \
    .decode = km_gemini_read,                                                                      \
    .encoder = &km_gemini_encoder, .param_name = param_name, .cut = km_gemini_cut

const struct km_llm_api km_api_gemini = { .path = ":generateContent", GEMINI };
const struct km_llm_api km_api_gemini_stream = { .path = ":streamGenerateContent",
                                                 .streams = true,
                                                 GEMINI };
const struct km_llm_api km_api_gemini_array = { .path = ":streamGenerateContent",
                                                .streams = true,
                                                .last = "]",
                                                .stream_type = "application/json",
                                                GEMINI };
const struct km_llm_api km_api_gemini_count = {
    .path = ":countTokens",
    .call_type = "acount_tokens",
    .required = "contents",
    .wire = KM_WIRE_COUNT_GEMINI,
    .dialect = KM_DIALECT_GOOGLE,
    .parse = parse,
    .body = body,
    .answer = count_answer,
    .count = write_count,
};

const struct km_llm_api *km_gemini_action(struct km_str rest, bool sse, struct km_str *ret_model)
{
    size_t at = km_str_rchr(rest, ':');
    struct km_str action = km_str_skip(rest, at + 1);

    *ret_model = km_str_sub(rest, 0, at);
    if (km_str_eq(action, KM_STR("generateContent")))
        return &km_api_gemini;
    if (km_str_eq(action, KM_STR("streamGenerateContent")))
        return sse ? &km_api_gemini_stream : &km_api_gemini_array;
    if (km_str_eq(action, KM_STR("embedContent")))
        return &km_api_gemini_embed;
    if (km_str_eq(action, KM_STR("batchEmbedContents")))
        return &km_api_gemini_embed_batch;
    return km_str_eq(action, KM_STR("countTokens")) ? &km_api_gemini_count : NULL;
}
