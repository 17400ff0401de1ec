/* SPDX-License-Identifier: Apache-2.0 */
/* openai_param.c - one parameter by its OpenAI or LiteLLM name: a table.
 *
 * Most are one value put into one field.  The others have a function: what may be said in several
 * ways (stop, tools, response_format; tool_choice is in openai_choice.c), what has an older name
 * (functions, max_tokens), what is neither kept nor refused because it says nothing (modalities:
 * ["text"]).
 *
 * The same table reads a request's members and a deployment's defaults, so both understand the
 * same forms.
 */
#include <stddef.h>

#include "http/json_take.h"
#include "llm/api/openai.h"
#include "llm/api/read.h"

struct setting {
    const struct km_reading *rd;
    struct km_chat *chat;
    const struct km_place *at;
    const struct km_json *v;
};

typedef int set_fn(const struct setting *s);

enum form { F_NUMBER, F_STRING, F_OBJECT, F_FUNCTION };

/* --- tools --- */

int km_openai_tool(const struct km_reading *rd, const struct km_place *at, const struct km_json *v,
                   struct km_tool *tool)
{
    bool strict = false;
    const struct km_json *parameters = km_json_take(v, "parameters");
    int r;

    if (km_json_kind(v) != KM_JSON_OBJECT)
        return km_read_bad(rd, at, "must be an object");
    r = km_read_needed(rd, KM_AT(at, "name"), km_json_take(v, "name"), &tool->name);
    if (r == 0)
        r = km_read_string(rd, KM_AT(at, "description"), km_json_take(v, "description"),
                           &tool->description);
    if (r == 0)
        r = km_read_object(rd, KM_AT(at, "parameters"), parameters, &tool->schema_json);
    if (r == 0)
        r = km_read_bool(rd, KM_AT(at, "strict"), km_json_take(v, "strict"), &strict);
    if (r == 0 && km_given(km_json_take(v, "strict")))
        tool->strict = strict;
    if (!tool->cache_ttl_s)
        tool->cache_ttl_s = km_read_cache(km_json_take(v, "cache_control"));
    return r;
}

static int read_tool(const struct setting *s, const struct km_place *at, const struct km_json *v)
{
    struct km_tool *tool = km_chat_tool(s->chat, s->rd->arena);
    const struct km_json *function = km_json_take(v, "function");
    struct km_str type = KM_STR_NONE;
    int r;

    if (!tool)
        return km_read_nomem(s->rd);
    if (km_json_kind(v) != KM_JSON_OBJECT)
        return km_read_bad(s->rd, at, "must be an object");
    r = km_read_needed(s->rd, KM_AT(at, "type"), km_json_take(v, "type"), &type);
    if (r < 0)
        return r;
    tool->cache_ttl_s = km_read_cache(km_json_take(v, "cache_control"));
    if (!km_str_eq(type, KM_STR("function"))) {
        tool->hosted_type = type;
        (void)km_json_string(km_json_take(v, "name"), &tool->name);
        return km_read_object(s->rd, at, v, &tool->hosted_json);
    }
    return function ? km_openai_tool(s->rd, KM_AT(at, "function"), function, tool)
                    : km_openai_tool(s->rd, at, v, tool); /* flat, as Responses has it */
}

static int set_tools(const struct setting *s)
{
    struct km_json_iter it;
    const struct km_json *v;
    struct km_str key;
    int r = km_read_array(s->rd, s->at, s->v);

    km_json_iter(r == 0 ? s->v : NULL, &it);
    for (size_t i = 0; r == 0 && km_json_next(&it, &key, &v); i++)
        r = read_tool(s, KM_ITEM(s->at, i), v);
    if (r == 0 && s->chat->tools)
        s->chat->set |= KM_P_BIT(KM_P_TOOLS);
    return r;
}

/* The older form: the functions themselves. */
static int set_functions(const struct setting *s)
{
    struct km_json_iter it;
    const struct km_json *v;
    struct km_str key;
    int r = km_read_array(s->rd, s->at, s->v);

    km_json_iter(r == 0 ? s->v : NULL, &it);
    for (size_t i = 0; r == 0 && km_json_next(&it, &key, &v); i++) {
        struct km_tool *tool = km_chat_tool(s->chat, s->rd->arena);

        r = tool ? km_openai_tool(s->rd, KM_ITEM(s->at, i), v, tool) : km_read_nomem(s->rd);
    }
    if (r < 0 || !s->chat->tools)
        return r;
    /* Its answer has room for one call. */
    s->chat->legacy_calls = true;
    s->chat->parallel_tools = false;
    s->chat->set |= KM_P_BIT(KM_P_TOOLS) | KM_P_BIT(KM_P_PARALLEL_TOOLS);
    s->chat->hints |= KM_P_BIT(KM_P_PARALLEL_TOOLS);
    return 0;
}

static int set_tool_choice(const struct setting *s)
{
    return km_openai_choice(s->rd, s->chat, s->at, s->v);
}

static int set_function_call(const struct setting *s)
{
    return km_openai_function_call(s->rd, s->chat, s->at, s->v);
}

static int set_parallel(const struct setting *s)
{
    int r = km_read_bool(s->rd, s->at, s->v, &s->chat->parallel_tools);

    if (r == 0 && !s->chat->parallel_tools) /* true is how it is everywhere */
        s->chat->set |= KM_P_BIT(KM_P_PARALLEL_TOOLS);
    return r;
}

/* --- the answer's bounds and form --- */

static int set_max_tokens(const struct setting *s)
{
    int64_t n = -1;
    int r = km_read_i64(s->rd, s->at, s->v, 0, KM_LLM_TOKENS_MOST, &n);

    if (r == 0 && n >= s->chat->max_tokens) { /* both names at once: the larger, as elsewhere */
        s->chat->max_tokens = n;
        s->chat->set |= KM_P_BIT(KM_P_MAX_TOKENS);
    }
    return r;
}

static int set_n(const struct setting *s)
{
    s->chat->set |= KM_P_BIT(KM_P_N);
    return km_read_i64(s->rd, s->at, s->v, 1, KM_CHOICES_MOST, &s->chat->n);
}

#define STOPS_MOST 64

static int set_stop(const struct setting *s)
{
    size_t n = km_json_kind(s->v) == KM_JSON_ARRAY ? km_json_count(s->v) : 1;
    struct km_str *stop, key;
    struct km_json_iter it;
    const struct km_json *v;
    int r = 0;

    if (n > STOPS_MOST)
        return km_read_bad(s->rd, s->at, "has too many texts");
    stop = km_arena_alloc(s->rd->arena, (n + 1) * sizeof *stop);
    if (!stop)
        return km_read_nomem(s->rd);
    if (km_json_kind(s->v) != KM_JSON_ARRAY) {
        r = km_read_needed(s->rd, s->at, s->v, &stop[0]);
    } else {
        km_json_iter(s->v, &it);
        for (size_t i = 0; r == 0 && km_json_next(&it, &key, &v); i++)
            r = km_read_needed(s->rd, KM_ITEM(s->at, i), v, &stop[i]);
    }
    s->chat->stop = stop;
    s->chat->nstop = n;
    s->chat->set |= KM_P_BIT(KM_P_STOP);
    return r;
}

/* true or false; a number where completions are asked for. */
static int set_logprobs(const struct setting *s)
{
    if (km_json_number(s->v, &s->chat->top_logprobs)) {
        s->chat->logprobs = true;
        s->chat->set |= KM_P_BIT(KM_P_TOP_LOGPROBS);
    }
    s->chat->set |= KM_P_BIT(KM_P_LOGPROBS);
    return s->chat->logprobs ? 0 : km_read_bool(s->rd, s->at, s->v, &s->chat->logprobs);
}

int km_openai_schema(const struct km_reading *rd, const struct km_place *at,
                     const struct km_json *v, struct km_chat *chat)
{
    const struct km_json *strict = km_json_take(v, "strict");
    bool yes = false;
    int r;

    if (km_json_kind(km_json_take(v, "schema")) != KM_JSON_OBJECT)
        return km_read_bad(rd, KM_AT(at, "schema"), "must be an object");
    chat->format = KM_FORMAT_SCHEMA;
    r = km_read_object(rd, KM_AT(at, "schema"), km_json_take(v, "schema"), &chat->schema_json);
    if (r == 0)
        r = km_read_string(rd, KM_AT(at, "name"), km_json_take(v, "name"), &chat->schema_name);
    if (r == 0)
        r = km_read_string(rd, KM_AT(at, "description"), km_json_take(v, "description"),
                           &chat->schema_description);
    if (r == 0)
        r = km_read_bool(rd, KM_AT(at, "strict"), strict, &yes);
    if (r == 0 && km_given(strict))
        chat->schema_strict = yes;
    return r;
}

static int set_format(const struct setting *s)
{
    const struct km_json *schema = km_json_take(s->v, "json_schema");
    const struct km_json *older = km_json_take(s->v, "response_schema"); /* LiteLLM's */
    struct km_str type = KM_STR_NONE;
    int r = km_read_needed(s->rd, KM_AT(s->at, "type"), km_json_take(s->v, "type"), &type);

    if (r < 0)
        return r;
    s->chat->set |= KM_P_BIT(KM_P_FORMAT);
    if (km_str_eq(type, KM_STR("text"))) {
        s->chat->format = KM_FORMAT_TEXT;
        s->chat->set &= ~KM_P_BIT(KM_P_FORMAT);
    } else if (km_str_eq(type, KM_STR("json_object")) && km_given(older)) {
        s->chat->format = KM_FORMAT_SCHEMA;
        r = km_read_object(s->rd, KM_AT(s->at, "response_schema"), older, &s->chat->schema_json);
    } else if (km_str_eq(type, KM_STR("json_object"))) {
        s->chat->format = KM_FORMAT_JSON;
    } else if (km_str_eq(type, KM_STR("json_schema"))) {
        r = schema ? km_openai_schema(s->rd, KM_AT(s->at, "json_schema"), schema, s->chat)
                   : km_openai_schema(s->rd, s->at, s->v, s->chat); /* flat, as in Responses */
    } else {
        r = km_read_bad(s->rd, KM_AT(s->at, "type"), "must be text, json_object or json_schema");
    }
    return r;
}

/* --- reasoning --- */

/* "high", or LiteLLM's {"effort":"high","summary":...}. */
static int set_effort(const struct setting *s)
{
    const struct km_json *v =
        km_json_kind(s->v) == KM_JSON_OBJECT ? km_json_take(s->v, "effort") : s->v;
    struct km_str name = KM_STR_NONE;
    int r = km_read_string(s->rd, s->at, v, &name);

    if (r < 0 || !name.n)
        return r;
    if (km_effort_parse(name, &s->chat->effort) < 0)
        return km_read_bad(s->rd, s->at, "must be none, minimal, low, medium, high, xhigh or max");
    s->chat->set |= KM_P_BIT(KM_P_EFFORT);
    return 0;
}

/* Anthropic's own, as LiteLLM takes it. */
static int set_thinking(const struct setting *s)
{
    struct km_str type = KM_STR_NONE;
    int r = km_read_needed(s->rd, KM_AT(s->at, "type"), km_json_take(s->v, "type"), &type);

    if (r < 0)
        return r;
    if (km_str_eq(type, KM_STR("enabled"))) {
        s->chat->thinking = KM_THINKING_BUDGET;
        s->chat->thinking_budget = 1024;
        r = km_read_i64(s->rd, KM_AT(s->at, "budget_tokens"), km_json_take(s->v, "budget_tokens"),
                        0, KM_LLM_TOKENS_MOST, &s->chat->thinking_budget);
    } else if (km_str_eq(type, KM_STR("adaptive"))) {
        s->chat->thinking = KM_THINKING_ADAPTIVE;
    } else if (km_str_eq(type, KM_STR("disabled"))) {
        s->chat->thinking = KM_THINKING_OFF;
    } else {
        return km_read_bad(s->rd, KM_AT(s->at, "type"), "must be enabled, adaptive or disabled");
    }
    s->chat->set |= KM_P_BIT(KM_P_THINKING);
    if (r == 0)
        r = km_read_string(s->rd, KM_AT(s->at, "display"), km_json_take(s->v, "display"),
                           &s->chat->thinking_display);
    return r;
}

/* --- others --- */

static int set_store(const struct setting *s)
{
    int r = km_read_bool(s->rd, s->at, s->v, &s->chat->store);

    if (r == 0 && s->chat->store)
        s->chat->set |= KM_P_BIT(KM_P_STORE);
    return r;
}

static int set_modalities(const struct setting *s)
{
    struct km_str json = KM_STR_NONE;
    int r = km_read_array(s->rd, s->at, s->v);

    if (r == 0)
        json = km_json_take_compact(s->v, s->rd->arena);
    if (r == 0 && !km_str_eq(json, KM_STR("[\"text\"]"))) {
        s->chat->modalities_json = json;
        s->chat->set |= KM_P_BIT(KM_P_MODALITIES);
    }
    return r;
}

static int set_safety_identifier(const struct setting *s)
{
    int r =
        km_chat_has(s->chat, KM_P_USER) ? 0 : km_read_string(s->rd, s->at, s->v, &s->chat->user);

    s->chat->set |= KM_P_BIT(KM_P_USER);
    return r;
}

static int set_service_tier(const struct setting *s)
{
    struct km_str tier = KM_STR_NONE;
    int r = km_read_string(s->rd, s->at, s->v, &tier);

    if (r == 0 && tier.n && !km_str_eq(tier, KM_STR("auto"))) {
        s->chat->service_tier = tier;
        s->chat->set |= KM_P_BIT(KM_P_SERVICE_TIER);
    }
    return r;
}

static int set_cache(const struct setting *s)
{
    s->chat->cache_ttl_s = km_read_cache(s->v);
    return 0;
}

/* How long a cache is kept: a wish that changes no answer, so who cannot grant it is not asked.
 * The caller's own stands before a default, which comes after it. */
static int set_cache_retention(const struct setting *s)
{
    if (s->chat->cache_retention.n)
        return 0;
    return km_read_string(s->rd, s->at, s->v, &s->chat->cache_retention);
}

#define NUMBER(text, p, field) { text, KM_P_##p, F_NUMBER, offsetof(struct km_chat, field), NULL }
#define STRING(text, p, field) { text, KM_P_##p, F_STRING, offsetof(struct km_chat, field), NULL }
#define OBJECT(text, p, field) { text, KM_P_##p, F_OBJECT, offsetof(struct km_chat, field), NULL }
#define FUNCTION(text, fn) { text, KM_P_COUNT, F_FUNCTION, 0, fn }

static const struct param_row {
    const char *name;
    enum km_chat_param p;
    enum form form;
    size_t offset; /* of a struct km_str in the chat */
    set_fn *fn;
} param_rows[] = {
    FUNCTION("max_tokens", set_max_tokens),
    FUNCTION("max_completion_tokens", set_max_tokens),
    NUMBER("temperature", TEMPERATURE, temperature),
    NUMBER("top_p", TOP_P, top_p),
    NUMBER("top_k", TOP_K, top_k),
    NUMBER("seed", SEED, seed),
    NUMBER("frequency_penalty", FREQUENCY_PENALTY, frequency_penalty),
    NUMBER("presence_penalty", PRESENCE_PENALTY, presence_penalty),
    NUMBER("top_logprobs", TOP_LOGPROBS, top_logprobs),
    OBJECT("logit_bias", LOGIT_BIAS, logit_bias_json),
    FUNCTION("logprobs", set_logprobs),
    FUNCTION("stop", set_stop),
    FUNCTION("n", set_n),
    FUNCTION("response_format", set_format),
    FUNCTION("tools", set_tools),
    FUNCTION("functions", set_functions),
    FUNCTION("tool_choice", set_tool_choice),
    FUNCTION("function_call", set_function_call),
    FUNCTION("parallel_tool_calls", set_parallel),
    FUNCTION("reasoning_effort", set_effort),
    FUNCTION("thinking", set_thinking),
    STRING("verbosity", VERBOSITY, verbosity),
    STRING("user", USER, user),
    FUNCTION("safety_identifier", set_safety_identifier),
    OBJECT("metadata", METADATA, metadata_json),
    FUNCTION("service_tier", set_service_tier),
    FUNCTION("store", set_store),
    OBJECT("prediction", PREDICTION, prediction_json),
    FUNCTION("modalities", set_modalities),
    OBJECT("audio", AUDIO, audio_json),
    OBJECT("web_search_options", WEB_SEARCH, web_search_json),
    STRING("prompt_cache_key", CACHE_KEY, cache_key),
    FUNCTION("prompt_cache_retention", set_cache_retention),
    FUNCTION("cache_control", set_cache),
};

static int set(const struct param_row *row, const struct setting *s)
{
    struct km_str *field = (struct km_str *)(void *)((char *)s->chat + row->offset);
    int r;

    switch (row->form) {
    case F_NUMBER:
        r = km_read_number(s->rd, s->at, s->v, field);
        break;
    case F_STRING:
        r = km_read_string(s->rd, s->at, s->v, field);
        break;
    case F_OBJECT:
        r = km_read_object(s->rd, s->at, s->v, field);
        break;
    default:
        return row->fn(s);
    }
    s->chat->set |= KM_P_BIT(row->p);
    return r;
}

int km_openai_param_at(const struct km_reading *rd, struct km_chat *chat, struct km_str name,
                       const struct km_place *at, const struct km_json *value)
{
    for (size_t i = 0; i < sizeof param_rows / sizeof param_rows[0]; i++) {
        const struct param_row *row = &param_rows[i];
        const struct setting s = { rd, chat, at ? at : KM_AT(NULL, row->name), value };

        if (km_str_eq(name, km_str_c(row->name)))
            return km_given(value) ? set(row, &s) : 0;
    }
    return KM_E_NOT_FOUND;
}

int km_openai_param(struct km_chat *chat, struct km_arena *arena, struct km_str name,
                    const struct km_json *value, struct km_err *err)
{
    const struct km_reading rd = { arena, err };

    return km_openai_param_at(&rd, chat, name, NULL, value);
}
