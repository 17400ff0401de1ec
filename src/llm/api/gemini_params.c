/* SPDX-License-Identifier: Apache-2.0 */
/* gemini_params.c - what stands beside a generateContent request's contents: tools, toolConfig
 * and generationConfig.
 *
 * Google's own tools (googleSearch and the like) are a member each and stay whole, for an upstream
 * that knows them.  Members that change no other model's answer are left out (is_known's list),
 * members that would are kept by their place as nobody's: nobody is to wonder why audio did not
 * come.
 */
#include "http/json_take.h"
#include "llm/api/gemini.h"

#define OTHERS_MOST 128

struct reading {
    struct km_reading rd;
    struct km_chat *chat;
};

/* --- tools --- */

static int read_declaration(const struct reading *s, const struct km_place *at,
                            const struct km_json *v)
{
    struct km_tool *t = km_chat_tool(s->chat, s->rd.arena);
    const struct km_json *json = km_gemini_get(v, "parametersJsonSchema");
    int r;

    if (!t)
        return km_read_nomem(&s->rd);
    r = km_read_needed(&s->rd, KM_AT(at, "name"), km_json_take(v, "name"), &t->name);
    if (r == 0)
        r = km_read_string(&s->rd, KM_AT(at, "description"), km_json_take(v, "description"),
                           &t->description);
    if (r == 0 && km_given(json))
        return km_read_object(&s->rd, KM_AT(at, "parametersJsonSchema"), json, &t->schema_json);
    return r == 0 ? km_gemini_schema(&s->rd, KM_AT(at, "parameters"), km_json_take(v, "parameters"),
                                     &t->schema_json)
                  : r;
}

/* {"googleSearch":{}}: one tool a member. */
static int read_hosted(const struct reading *s, struct km_str name, const struct km_json *v)
{
    struct km_tool *t = km_chat_tool(s->chat, s->rd.arena);
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1024 * 1024);

    if (!t)
        return km_read_nomem(&s->rd);
    km_buf_byte(&b, '{');
    km_buf_json(&b, name);
    km_buf_byte(&b, ':');
    km_json_take_write(v, &b);
    km_buf_byte(&b, '}');
    t->hosted_type = name;
    t->hosted_json = km_arena_str(s->rd.arena, km_buf_view(&b));
    return 0;
}

static int read_tool(const struct reading *s, const struct km_place *at, const struct km_json *v)
{
    const struct km_json *list, *item;
    struct km_json_iter it;
    struct km_str key;
    int r;

    if (km_json_kind(v) != KM_JSON_OBJECT)
        return km_read_bad(&s->rd, at, "must be an object");
    list = km_gemini_get(v, "functionDeclarations");
    if (!list) {
        km_json_iter(v, &it);
        for (r = 0; r == 0 && km_json_next(&it, &key, &item);) {
            km_json_take_this(item);
            r = read_hosted(s, key, item);
        }
        return r;
    }
    at = KM_AT(at, "functionDeclarations");
    r = km_read_array(&s->rd, at, list);
    km_json_iter(r == 0 ? list : NULL, &it);
    for (size_t i = 0; r == 0 && km_json_next(&it, &key, &item); i++)
        r = read_declaration(s, KM_ITEM(at, i), item);
    return r;
}

static int read_tools(const struct reading *s, const struct km_json *v)
{
    const struct km_place *at = KM_AT(NULL, "tools");
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key;
    int r = km_read_array(&s->rd, at, v);

    km_json_iter(r == 0 && km_given(v) ? v : NULL, &it);
    for (size_t i = 0; r == 0 && km_json_next(&it, &key, &item); i++)
        r = read_tool(s, KM_ITEM(at, i), item);
    if (s->chat->tools)
        s->chat->set |= KM_P_BIT(KM_P_TOOLS);
    return r;
}

static bool is_allowed(const struct km_json *names, struct km_str name)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key, text;

    km_json_iter(names, &it);
    while (km_json_next(&it, &key, &item))
        if (km_json_string(item, &text) && km_str_eq(text, name))
            return true;
    return false;
}

/* The tools that may be called: the others are not shown to a model that must call one. */
static void keep_allowed(struct km_chat *chat, const struct km_json *names)
{
    struct km_tool **at = &chat->tools;

    chat->last_tool = NULL;
    while (*at) {
        if ((*at)->hosted_json.n || is_allowed(names, (*at)->name)) {
            chat->last_tool = *at;
            at = &(*at)->next;
        } else {
            *at = (*at)->next;
        }
    }
}

static int read_tool_config(const struct reading *s, const struct km_json *v)
{
    const struct km_json *config = km_gemini_get(v, "functionCallingConfig"), *names;
    const struct km_place *at = KM_AT(KM_AT(NULL, "toolConfig"), "functionCallingConfig");
    struct km_str mode = KM_STR("AUTO"), key;
    const struct km_json *item;
    struct km_json_iter it;
    struct km_chat *chat = s->chat;

    if (!km_given(config))
        return 0;
    (void)km_json_string(km_json_take(config, "mode"), &mode);
    names = km_gemini_get(config, "allowedFunctionNames");
    chat->set |= KM_P_BIT(KM_P_TOOL_CHOICE);
    if (km_str_ieq(mode, KM_STR("NONE"))) {
        chat->tool_choice = KM_CHOICE_NONE;
    } else if (km_str_ieq(mode, KM_STR("ANY"))) {
        chat->tool_choice = km_json_count(names) == 1 ? KM_CHOICE_NAMED : KM_CHOICE_REQUIRED;
        km_json_iter(names, &it);
        if (chat->tool_choice == KM_CHOICE_NAMED && km_json_next(&it, &key, &item))
            return km_read_needed(&s->rd, KM_AT(at, "allowedFunctionNames"), item,
                                  &chat->tool_name);
        if (km_json_count(names) > 1)
            keep_allowed(chat, names);
    } else if (km_str_ieq(mode, KM_STR("VALIDATED"))) {
        chat->calls_validated = true;
    } else if (!km_str_ieq(mode, KM_STR("AUTO")) && !km_str_ieq(mode, KM_STR("MODE_UNSPECIFIED"))) {
        return km_read_bad(&s->rd, KM_AT(at, "mode"), "must be AUTO, ANY, NONE or VALIDATED");
    }
    return 0;
}

/* --- generationConfig --- */

static int read_stops(const struct reading *s, const struct km_place *at, const struct km_json *v)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key, *stops;
    size_t n = km_json_count(v);
    int r = km_read_array(&s->rd, at, v);

    if (r < 0 || n == 0)
        return r;
    stops = km_arena_zalloc(s->rd.arena, n * sizeof *stops);
    if (!stops)
        return km_read_nomem(&s->rd);
    km_json_iter(v, &it);
    for (size_t i = 0; r == 0 && i < n && km_json_next(&it, &key, &item); i++)
        r = km_read_string(&s->rd, KM_ITEM(at, i), item, &stops[i]);
    s->chat->stop = stops;
    s->chat->nstop = n;
    s->chat->set |= KM_P_BIT(KM_P_STOP);
    return r;
}

static int read_level(const struct reading *s, const struct km_place *at, struct km_str level)
{
    char lower[16];

    if (level.n >= sizeof lower)
        return km_read_bad(&s->rd, at, "must be MINIMAL, LOW, MEDIUM or HIGH");
    for (size_t i = 0; i < level.n; i++)
        lower[i] = (char)(level.p[i] | 0x20);
    if (km_effort_parse(km_str(lower, level.n), &s->chat->effort) < 0)
        return km_read_bad(&s->rd, at, "must be MINIMAL, LOW, MEDIUM or HIGH");
    s->chat->set |= KM_P_BIT(KM_P_EFFORT);
    return 0;
}

static int read_thinking(const struct reading *s, const struct km_place *at,
                         const struct km_json *v)
{
    const struct km_json *budget = km_gemini_get(v, "thinkingBudget");
    struct km_str level = KM_STR_NONE;
    bool thoughts = true;
    int64_t tokens = 0;
    int r = km_read_string(&s->rd, KM_AT(at, "thinkingLevel"), km_gemini_get(v, "thinkingLevel"),
                           &level);

    if (r == 0)
        r = km_read_i64(&s->rd, KM_AT(at, "thinkingBudget"), budget, -1, 1000000, &tokens);
    if (r == 0)
        r = km_read_bool(&s->rd, KM_AT(at, "includeThoughts"), km_gemini_get(v, "includeThoughts"),
                         &thoughts);
    if (r < 0)
        return r;
    if (!thoughts)
        s->chat->thinking_display = KM_STR("omitted");
    if (level.n && !km_str_ieq(level, KM_STR("THINKING_LEVEL_UNSPECIFIED")))
        return read_level(s, KM_AT(at, "thinkingLevel"), level);
    if (!km_given(budget))
        return 0;
    s->chat->set |= KM_P_BIT(KM_P_THINKING);
    s->chat->thinking = tokens == 0    ? KM_THINKING_OFF
                        : tokens == -1 ? KM_THINKING_ADAPTIVE
                                       : KM_THINKING_BUDGET;
    s->chat->thinking_budget = tokens;
    return 0;
}

static int read_format(const struct reading *s, const struct km_place *at, const struct km_json *v)
{
    const struct km_json *json = km_gemini_get(v, "responseJsonSchema");
    const struct km_json *schema = km_gemini_get(v, "responseSchema");
    struct km_chat *c = s->chat;
    struct km_str type = KM_STR_NONE;
    int r = km_read_string(&s->rd, KM_AT(at, "responseMimeType"),
                           km_gemini_get(v, "responseMimeType"), &type);

    if (r == 0 && km_given(json))
        r = km_read_object(&s->rd, KM_AT(at, "responseJsonSchema"), json, &c->schema_json);
    else if (r == 0)
        r = km_gemini_schema(&s->rd, KM_AT(at, "responseSchema"), schema, &c->schema_json);
    if (r < 0 || !(type.n || c->schema_json.n) || km_str_eq(type, KM_STR("text/plain")))
        return r;
    if (!km_str_eq(type, KM_STR("application/json")) && !c->schema_json.n)
        return km_read_refuse(&s->rd, KM_AT(at, "responseMimeType"),
                              "is not known to this model's provider");
    c->set |= KM_P_BIT(KM_P_FORMAT);
    c->format = c->schema_json.n ? KM_FORMAT_SCHEMA : KM_FORMAT_JSON;
    c->schema_name = KM_STR("answer");
    return 0;
}

static int read_numbers(const struct reading *s, const struct km_place *at, const struct km_json *v)
{
    struct km_chat *c = s->chat;
    const struct {
        const char *name;
        enum km_chat_param p;
        struct km_str *to;
    } rows[] = {
        { "temperature", KM_P_TEMPERATURE, &c->temperature },
        { "topP", KM_P_TOP_P, &c->top_p },
        { "topK", KM_P_TOP_K, &c->top_k },
        { "seed", KM_P_SEED, &c->seed },
        { "frequencyPenalty", KM_P_FREQUENCY_PENALTY, &c->frequency_penalty },
        { "presencePenalty", KM_P_PRESENCE_PENALTY, &c->presence_penalty },
    };
    int r = 0;

    for (size_t i = 0; r == 0 && i < sizeof rows / sizeof rows[0]; i++) {
        r = km_read_number(&s->rd, KM_AT(at, rows[i].name), km_gemini_get(v, rows[i].name),
                           rows[i].to);
        if (rows[i].to->n)
            c->set |= KM_P_BIT(rows[i].p);
    }
    c->hints |= KM_P_BIT(KM_P_TOP_K); /* Gemini CLI says it always */
    return r;
}

/* Members that say nothing to other models, and those read elsewhere. */
static bool is_known(struct km_str name, const char *const *names)
{
    for (size_t i = 0; names[i]; i++) {
        struct km_str known = km_str_c(names[i]);
        size_t k = 0;

        for (size_t j = 0; j < name.n && k <= known.n; j++) {
            char b = name.p[j];

            if (b == '_')
                continue;
            if (k == known.n || (known.p[k] | 0x20) != (b | 0x20)) {
                k = SIZE_MAX;
                break;
            }
            k++;
        }
        if (k == known.n)
            return true;
    }
    return false;
}

static int foreign(const struct km_reading *rd, struct km_chat *chat, const struct km_place *at,
                   struct km_str name)
{
    struct km_chat_extra *extra = km_chat_extra(
        chat, rd->arena, km_place_of(KM_AT(at, km_arena_cstr(rd->arena, name)), rd->arena),
        KM_STR("null"));

    if (!extra)
        return km_read_nomem(rd);
    extra->kind = KM_EXTRA_FOREIGN;
    return 0;
}

int km_gemini_keep_others(const struct km_reading *rd, struct km_chat *chat,
                          const struct km_place *at, const struct km_json *v,
                          const char *const *names)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key;
    size_t n = 0;
    int r = 0;

    km_json_iter(v, &it);
    while (r == 0 && km_json_next(&it, &key, &item)) {
        if (!km_given(item) || is_known(key, names) ||
            (km_json_kind(item) == KM_JSON_ARRAY && km_json_count(item) == 0))
            continue;
        r = ++n > OTHERS_MOST
                ? km_fail(rd->err, KM_E_LIMIT, "More than %d unknown members.", OTHERS_MOST)
                : foreign(rd, chat, at, key);
        km_json_take_this(item);
        km_json_take_all(item);
    }
    return r;
}

/* TEXT is what everybody answers with. */
static int read_modalities(const struct reading *s, const struct km_place *at,
                           const struct km_json *v)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key, text;
    int r = km_read_array(&s->rd, KM_AT(at, "responseModalities"), v);

    km_json_iter(r == 0 && km_given(v) ? v : NULL, &it);
    while (r == 0 && km_json_next(&it, &key, &item))
        if (!km_json_string(item, &text) || !km_str_ieq(text, KM_STR("TEXT")))
            return foreign(&s->rd, s->chat, at, KM_STR("responseModalities"));
    return r;
}

static int read_config(const struct reading *s, const struct km_llm_request *q,
                       const struct km_json *v)
{
    static const char *const known[] = {
        "temperature", "topP", "topK", "seed", "frequencyPenalty", "presencePenalty",
        "maxOutputTokens", "candidateCount", "stopSequences",
        "responseMimeType", "responseSchema", "responseJsonSchema", "thinkingConfig",
        "responseModalities", "mediaResolution", "audioTimestamp", "enableEnhancedCivicAnswers",
        NULL,
    };
    const struct km_place *at = KM_AT(NULL, "generationConfig");
    struct km_chat *c = s->chat;
    int r;

    if (!km_given(v))
        return 0;
    r = km_gemini_keep_others(&s->rd, c, at, v, known);
    c->max_tokens = q->max_tokens;
    c->n = q->choices;
    (void)km_gemini_get(v, "maxOutputTokens"); /* both were read before all else */
    (void)km_gemini_get(v, "candidateCount");
    c->set |= (q->max_tokens >= 0 ? KM_P_BIT(KM_P_MAX_TOKENS) : 0) |
              (q->choices_said ? KM_P_BIT(KM_P_N) : 0);
    if (r == 0)
        r = read_numbers(s, at, v);
    if (r == 0)
        r = read_stops(s, KM_AT(at, "stopSequences"), km_gemini_get(v, "stopSequences"));
    if (r == 0)
        r = read_format(s, at, v);
    if (r == 0)
        r = read_modalities(s, at, km_gemini_get(v, "responseModalities"));
    return r == 0
               ? read_thinking(s, KM_AT(at, "thinkingConfig"), km_gemini_get(v, "thinkingConfig"))
               : r;
}

int km_gemini_read_tools(const struct km_reading *rd, const struct km_json *root,
                         struct km_chat *chat)
{
    struct reading s = { *rd, chat };
    int r = read_tools(&s, km_json_take(root, "tools"));

    return r == 0 ? read_tool_config(&s, km_gemini_get(root, "toolConfig")) : r;
}

int km_gemini_read_config(const struct km_reading *rd, const struct km_llm_request *q,
                          const struct km_json *root, struct km_chat *chat)
{
    struct reading s = { *rd, chat };

    return read_config(&s, q, km_gemini_get(root, "generationConfig"));
}
