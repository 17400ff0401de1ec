/* SPDX-License-Identifier: Apache-2.0 */
/* gemini_encode.c - the canonical chat as a generateContent body.
 *
 *     {"systemInstruction": {"parts": [...]},          all system texts, in order
 *      "contents": [{"role": "user"|"model", "parts": [...]}, ...],
 *      "tools": [{"functionDeclarations": [...]}], "toolConfig": {...},
 *      "generationConfig": {...}, "safetySettings": ..., "cachedContent": ...}
 *
 * Messages of one role that follow each other become one content: the results of parallel calls
 * must stand together, as many as there were calls.  A call may carry a signature of the
 * reasoning that led to it; Gemini 3 refuses a history whose calls have none, so a call that
 * comes from elsewhere gets the one that Google defines for that.  Reasoning itself is not sent
 * back: Gemini reads nothing from it, and another model's signature would be refused.
 */
#include "llm/provider/gemini.h"

#include "llm/provider/codecs.h"

#define STOPS_MOST 5

struct writer {
    const struct km_encode_args *args;
    const struct km_chat *chat;
    struct km_json_out *out;
    struct km_err *err;
    bool newer; /* Gemini 3 and later */
    bool vertex;
};

static int unsupported(const struct writer *w, const char *param, const char *why)
{
    return km_fail_param(w->err, KM_E_UNSUPPORTED, param,
                         "'%s': %s (%.*s, %.*s). Leave it out, or set litellm_settings."
                         "drop_params: true to have it dropped.",
                         param, why, KM_STR_ARG(w->args->d->provider_name),
                         KM_STR_ARG(w->args->model));
}

/* --- parts --- */

static const struct {
    const char *ends, *type;
} types[] = {
    { ".png", "image/png" },   { ".jpg", "image/jpeg" }, { ".jpeg", "image/jpeg" },
    { ".webp", "image/webp" }, { ".gif", "image/gif" },  { ".heic", "image/heic" },
    { ".pdf", "application/pdf" }, { ".txt", "text/plain" }, { ".mp3", "audio/mp3" },
    { ".wav", "audio/wav" },   { ".mp4", "video/mp4" },
};

static struct km_str type_of_url(struct km_str url)
{
    struct km_str path = km_str_sub(url, 0, km_str_chr(url, '?'));

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct km_str ends = km_str_c(types[i].ends);

        if (path.n > ends.n && km_str_ieq(km_str_skip(path, path.n - ends.n), ends))
            return km_str_c(types[i].type);
    }
    return KM_STR_NONE;
}

/* "image/png" where nothing was said: the service looks at the bytes itself. */
static struct km_str type_of_data(const struct km_part *p)
{
    if (p->media.type.n)
        return p->media.type;
    return p->kind == KM_PART_DOCUMENT ? KM_STR("application/pdf")
           : p->kind == KM_PART_AUDIO  ? KM_STR("audio/wav")
                                       : KM_STR("image/png");
}

static void put_media(const struct writer *w, const struct km_part *p)
{
    struct km_str uri = p->media.url.n ? p->media.url : p->media.file_id;
    struct km_str type = p->media.type.n ? p->media.type : type_of_url(uri);

    km_out_open(w->out, '{');
    if (p->media.data.n) {
        km_out_key(w->out, "inlineData");
        km_out_open(w->out, '{');
        km_out_member(w->out, "mimeType", type_of_data(p));
        km_out_member(w->out, "data", p->media.data);
    } else {
        km_out_key(w->out, "fileData");
        km_out_open(w->out, '{');
        if (type.n)
            km_out_member(w->out, "mimeType", type);
        km_out_member(w->out, "fileUri", uri);
    }
    km_out_close(w->out, '}');
    km_out_close(w->out, '}');
}

static void put_text(const struct writer *w, struct km_str text)
{
    km_out_open(w->out, '{');
    km_out_member(w->out, "text", text);
    km_out_close(w->out, '}');
}

/* The part of an id before what was hidden in it; the rest is its signature. */
static struct km_str split_id(struct km_str id, struct km_str *signature)
{
    size_t at = km_str_find(id, KM_STR(KM_GEMINI_IN_ID));

    if (at < id.n && !signature->n)
        *signature = km_str_skip(id, at + sizeof KM_GEMINI_IN_ID - 1);
    return km_str_sub(id, 0, at);
}

static void put_call(const struct writer *w, const struct km_part *p, bool first)
{
    struct km_str signature = p->signature;
    struct km_str id = split_id(p->id, &signature);

    km_out_open(w->out, '{');
    km_out_key(w->out, "functionCall");
    km_out_open(w->out, '{');
    if (w->newer && !w->vertex && id.n)
        km_out_member(w->out, "id", id);
    km_out_member(w->out, "name", p->name);
    km_out_member_raw(w->out, "args", p->input_json.n ? p->input_json : KM_STR("{}"));
    km_out_close(w->out, '}');
    if (signature.n)
        km_out_member(w->out, "thoughtSignature", signature);
    else if (first && w->newer)
        km_out_member(w->out, "thoughtSignature", KM_STR(KM_GEMINI_NO_SIGNATURE));
    km_out_close(w->out, '}');
}

/* --- results of tools --- */

static struct km_str name_of(const struct writer *w, const struct km_part *result)
{
    if (result->name.n)
        return result->name;
    for (const struct km_message *m = w->chat->messages; m; m = m->next)
        for (const struct km_part *p = m->parts; p; p = p->next)
            if (p->kind == KM_PART_TOOL_USE && km_str_eq(p->id, result->id))
                return p->name;
    return KM_STR_NONE;
}

static struct km_str text_of(const struct writer *w, const struct km_part *result)
{
    struct km_str text = KM_STR_NONE;

    for (const struct km_part *p = result->content; p; p = p->next)
        if (p->kind == KM_PART_TEXT)
            text = text.n ? km_arena_cat(w->args->arena,
                                         (struct km_str[]){ text, KM_STR("\n"), p->text }, 3)
                          : p->text;
    return text;
}

static bool is_object(const struct writer *w, struct km_str text)
{
    const struct km_json *root;
    struct km_str s = km_str_trim(text);

    return s.n && s.p[0] == '{' && km_json_parse(w->args->arena, s, &root, NULL) == 0;
}

static void put_response(const struct writer *w, const struct km_part *p)
{
    struct km_str text = text_of(w, p);

    km_out_key(w->out, "response");
    if (!p->is_error && is_object(w, text)) {
        km_out_raw(w->out, km_str_trim(text));
        return;
    }
    km_out_open(w->out, '{');
    km_out_member(w->out, p->is_error ? "error" : "result", text);
    km_out_close(w->out, '}');
}

static bool is_media(const struct km_part *p)
{
    return p->kind == KM_PART_IMAGE || p->kind == KM_PART_DOCUMENT || p->kind == KM_PART_AUDIO;
}

static bool has_media(const struct km_part *result)
{
    for (const struct km_part *p = result->content; p; p = p->next)
        if (is_media(p))
            return true;
    return false;
}

static void put_result_media(const struct writer *w, const struct km_part *result)
{
    for (const struct km_part *p = result->content; p; p = p->next)
        if (is_media(p))
            put_media(w, p);
}

static int put_result(const struct writer *w, const struct km_part *p)
{
    struct km_str none = KM_STR_NONE, id = split_id(p->id, &none), name = name_of(w, p);

    if (!name.n)
        return km_fail_param(w->err, KM_E_INVALID, "messages",
                             "A tool's result answers call '%.*s', which is not in the "
                             "conversation; Gemini must be told the tool's name.",
                             KM_STR_ARG(km_str_sub(id, 0, 64)));
    km_out_open(w->out, '{');
    km_out_key(w->out, "functionResponse");
    km_out_open(w->out, '{');
    if (w->newer && !w->vertex && id.n)
        km_out_member(w->out, "id", id);
    km_out_member(w->out, "name", name);
    put_response(w, p);
    if (w->newer && has_media(p)) {
        km_out_key(w->out, "parts");
        km_out_open(w->out, '[');
        put_result_media(w, p);
        km_out_close(w->out, ']');
    }
    km_out_close(w->out, '}');
    km_out_close(w->out, '}');
    return 0;
}

/* --- contents --- */

static bool is_sent(const struct km_part *p)
{
    switch (p->kind) {
    case KM_PART_TEXT:
    case KM_PART_REFUSAL:
        return p->text.n > 0;
    case KM_PART_REASONING:
    case KM_PART_REDACTED:
        return false;
    default:
        return true;
    }
}

static bool has_parts(const struct km_message *m)
{
    for (const struct km_part *p = m->parts; p; p = p->next)
        if (is_sent(p))
            return true;
    return false;
}

static int put_part(const struct writer *w, const struct km_part *p, bool *calls)
{
    if (!is_sent(p))
        return 0;
    if (p->kind == KM_PART_TOOL_RESULT)
        return put_result(w, p);
    if (p->kind == KM_PART_TOOL_USE) {
        put_call(w, p, !*calls);
        *calls = true;
    } else if (is_media(p)) {
        put_media(w, p);
    } else {
        put_text(w, p->text);
    }
    return 0;
}

static int put_parts(const struct writer *w, const struct km_message *m, bool *calls)
{
    int r = 0;

    for (const struct km_part *p = m->parts; r == 0 && p; p = p->next)
        r = put_part(w, p, calls);
    /* Older models have no place for it in a result: it follows them. */
    for (const struct km_part *p = m->parts; r == 0 && !w->newer && p; p = p->next)
        if (p->kind == KM_PART_TOOL_RESULT)
            put_result_media(w, p);
    return r;
}

/* Messages of one role in a row, from *at on: one content.  *at is what follows. */
static int put_content(const struct writer *w, const struct km_message **at)
{
    const struct km_message *m = *at;
    enum km_role role = m->role;
    bool calls = false;
    int r = 0;

    km_out_open(w->out, '{');
    km_out_member(w->out, "role", role == KM_ROLE_ASSISTANT ? KM_STR("model") : KM_STR("user"));
    km_out_key(w->out, "parts");
    km_out_open(w->out, '[');
    for (; r == 0 && m && (m->role == role || m->role == KM_ROLE_SYSTEM || !has_parts(m));
         m = m->next)
        if (m->role == role)
            r = put_parts(w, m, &calls);
    km_out_close(w->out, ']');
    km_out_close(w->out, '}');
    *at = m;
    return r;
}

static bool is_turn(const struct km_message *m)
{
    return m->role != KM_ROLE_SYSTEM && has_parts(m);
}

/* The texts of the system; without any turn they are what the user says. */
static void put_system(const struct writer *w)
{
    bool any = false;

    for (const struct km_message *m = w->chat->messages; m; m = m->next)
        any = any || (m->role == KM_ROLE_SYSTEM && has_parts(m));
    if (!any)
        return;
    km_out_key(w->out, "systemInstruction");
    km_out_open(w->out, '{');
    km_out_key(w->out, "parts");
    km_out_open(w->out, '[');
    for (const struct km_message *m = w->chat->messages; m; m = m->next)
        for (const struct km_part *p = m->role == KM_ROLE_SYSTEM ? m->parts : NULL; p; p = p->next)
            if (p->kind == KM_PART_TEXT && p->text.n)
                put_text(w, p->text);
    km_out_close(w->out, ']');
    km_out_close(w->out, '}');
}

static int put_contents(const struct writer *w)
{
    const struct km_message *m = w->chat->messages;
    bool any = false;
    int r = 0;

    km_out_key(w->out, "contents");
    km_out_open(w->out, '[');
    while (r == 0 && m) {
        if (!is_turn(m)) {
            m = m->next;
            continue;
        }
        r = put_content(w, &m);
        any = true;
    }
    if (r == 0 && !any) { /* instructions alone: somebody has to speak */
        km_out_open(w->out, '{');
        km_out_member(w->out, "role", KM_STR("user"));
        km_out_key(w->out, "parts");
        km_out_open(w->out, '[');
        put_text(w, KM_STR(" "));
        km_out_close(w->out, ']');
        km_out_close(w->out, '}');
    }
    km_out_close(w->out, ']');
    return r;
}

/* --- tools --- */

static bool own_tool(struct km_str json)
{
    static const char *const names[] = { "googleSearch", "google_search", "codeExecution",
                                         "code_execution", "urlContext", "url_context",
                                         "googleSearchRetrieval", "googleMaps", "computerUse",
                                         "fileSearch" };
    struct km_str inner = km_str_trim(km_str_skip(km_str_trim(json), 1));

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct km_str name = km_str_c(names[i]);

        if (inner.n > name.n + 1 && inner.p[0] == '"' && inner.p[name.n + 1] == '"' &&
            km_str_starts(km_str_skip(inner, 1), name))
            return true;
    }
    return false;
}

static void put_declaration(const struct writer *w, const struct km_tool *t)
{
    km_out_open(w->out, '{');
    km_out_member(w->out, "name", t->name);
    if (t->description.n)
        km_out_member(w->out, "description", t->description);
    if (t->schema_json.n)
        km_out_member_raw(w->out, "parametersJsonSchema", t->schema_json);
    km_out_close(w->out, '}');
}

static int put_tools(const struct writer *w, bool *ret_functions)
{
    const struct km_chat *chat = w->chat;

    *ret_functions = false;
    for (const struct km_tool *t = chat->tools; t; t = t->next) {
        if (t->hosted_json.n && !own_tool(t->hosted_json) &&
            km_tool_refuse(w->args->d, t, w->err) < 0)
            return KM_E_UNSUPPORTED;
        *ret_functions = *ret_functions || !t->hosted_json.n;
    }
    if (!chat->tools)
        return 0;
    km_out_key(w->out, "tools");
    km_out_open(w->out, '[');
    if (*ret_functions) {
        km_out_open(w->out, '{');
        km_out_key(w->out, "functionDeclarations");
        km_out_open(w->out, '[');
        for (const struct km_tool *t = chat->tools; t; t = t->next)
            if (!t->hosted_json.n)
                put_declaration(w, t);
        km_out_close(w->out, ']');
        km_out_close(w->out, '}');
    }
    for (const struct km_tool *t = chat->tools; t; t = t->next)
        if (t->hosted_json.n && own_tool(t->hosted_json))
            km_out_raw(w->out, t->hosted_json);
    km_out_close(w->out, ']');
    return 0;
}

static void put_tool_config(const struct writer *w)
{
    static const char *const modes[] = { [KM_CHOICE_AUTO] = "AUTO",
                                         [KM_CHOICE_NONE] = "NONE",
                                         [KM_CHOICE_REQUIRED] = "ANY",
                                         [KM_CHOICE_NAMED] = "ANY" };

    km_out_key(w->out, "toolConfig");
    km_out_open(w->out, '{');
    km_out_key(w->out, "functionCallingConfig");
    km_out_open(w->out, '{');
    km_out_member(w->out, "mode", km_str_c(modes[w->chat->tool_choice]));
    if (w->chat->tool_choice == KM_CHOICE_NAMED) {
        km_out_key(w->out, "allowedFunctionNames");
        km_out_open(w->out, '[');
        km_out_str(w->out, w->chat->tool_name);
        km_out_close(w->out, ']');
    }
    km_out_close(w->out, '}');
    km_out_close(w->out, '}');
}

/* --- generationConfig --- */

static void open_thinking(const struct writer *w)
{
    km_out_key(w->out, "thinkingConfig");
    km_out_open(w->out, '{');
}

static void close_thinking(const struct writer *w, bool thoughts)
{
    if (km_str_eq(w->chat->thinking_display, KM_STR("omitted")))
        thoughts = false;
    km_out_key(w->out, "includeThoughts");
    km_out_bool(w->out, thoughts);
    km_out_close(w->out, '}');
}

/* Gemini 3: a level.  Not every model has all of them; the next one up stands in. */
static void put_level(const struct writer *w, enum km_effort e)
{
    unsigned can = w->args->can->can;
    const char *level = e <= KM_EFFORT_MINIMAL && (can & KM_CAN_LEVEL_MINIMAL) ? "MINIMAL"
                        : e <= KM_EFFORT_LOW                                   ? "LOW"
                        : e == KM_EFFORT_MEDIUM && (can & KM_CAN_LEVEL_MEDIUM) ? "MEDIUM"
                                                                               : "HIGH";

    open_thinking(w);
    km_out_member(w->out, "thinkingLevel", km_str_c(level));
    close_thinking(w, e != KM_EFFORT_NONE);
}

#define LEAST_BUDGET 128 /* of a model that cannot but think */

static void put_budget(const struct writer *w, int64_t tokens)
{
    bool off = tokens == 0;

    if (off && !(w->args->can->can & KM_CAN_THINK_OFF))
        tokens = LEAST_BUDGET;
    open_thinking(w);
    km_out_member_i64(w->out, "thinkingBudget", tokens);
    close_thinking(w, !off);
}

static int put_thinking(const struct writer *w)
{
    const struct km_chat *chat = w->chat;
    bool effort = km_chat_has(chat, KM_P_EFFORT), thinking = km_chat_has(chat, KM_P_THINKING);
    bool off = thinking ? chat->thinking == KM_THINKING_OFF : chat->effort == KM_EFFORT_NONE;
    int64_t budget = !thinking                                ? km_effort_budget(chat->effort)
                     : chat->thinking == KM_THINKING_OFF      ? 0
                     : chat->thinking == KM_THINKING_ADAPTIVE ? -1
                                                              : chat->thinking_budget;

    if (!effort && !thinking)
        return 0;
    if (w->args->can->can & KM_CAN_EFFORT) {
        if (effort && (!thinking || chat->thinking == KM_THINKING_ADAPTIVE))
            put_level(w, chat->effort);
        else if (chat->thinking == KM_THINKING_ADAPTIVE) {
            open_thinking(w);
            close_thinking(w, true);
        } else {
            put_level(w, km_budget_effort(budget));
        }
        return 0;
    }
    if (w->args->can->can & KM_CAN_THINK_BUDGET) {
        if (thinking && chat->thinking == KM_THINKING_ADAPTIVE && effort)
            budget = km_effort_budget(chat->effort);
        put_budget(w, budget);
        return 0;
    }
    if (off || w->args->d->drop_params)
        return 0;
    return unsupported(w, thinking ? "thinking" : "reasoning_effort", "this model does not think");
}

static void put_format(const struct writer *w)
{
    if (!km_chat_has(w->chat, KM_P_FORMAT) || w->chat->format == KM_FORMAT_TEXT)
        return;
    km_out_member(w->out, "responseMimeType", KM_STR("application/json"));
    if (w->chat->format == KM_FORMAT_SCHEMA && w->chat->schema_json.n)
        km_out_member_raw(w->out, "responseJsonSchema", w->chat->schema_json);
}

static int put_stops(const struct writer *w)
{
    if (!w->chat->nstop)
        return 0;
    if (w->chat->nstop > STOPS_MOST)
        return km_fail_param(w->err, KM_E_INVALID, "stop",
                             "'stop': Gemini takes at most %d sequences.", STOPS_MOST);
    km_out_key(w->out, "stopSequences");
    km_out_open(w->out, '[');
    for (size_t i = 0; i < w->chat->nstop; i++)
        km_out_str(w->out, w->chat->stop[i]);
    km_out_close(w->out, ']');
    return 0;
}

static void put_number(const struct writer *w, const char *name, struct km_str text)
{
    if (text.n)
        km_out_member_raw(w->out, name, text);
}

static int put_config(const struct writer *w)
{
    const struct km_chat *c = w->chat;
    int64_t most = c->max_tokens;
    int r;

    if (w->args->max_tokens >= 0 && (most < 0 || w->args->max_tokens < most))
        most = w->args->max_tokens;
    km_out_key(w->out, "generationConfig");
    km_out_open(w->out, '{');
    if (most >= 0)
        km_out_member_i64(w->out, "maxOutputTokens", most);
    r = put_stops(w);
    put_number(w, "temperature", c->temperature);
    put_number(w, "topP", c->top_p);
    put_number(w, "topK", c->top_k);
    put_number(w, "seed", c->seed);
    put_number(w, "frequencyPenalty", c->frequency_penalty);
    put_number(w, "presencePenalty", c->presence_penalty);
    if (c->n > 1)
        km_out_member_i64(w->out, "candidateCount", c->n);
    if (c->logprobs) {
        km_out_key(w->out, "responseLogprobs");
        km_out_bool(w->out, true);
        put_number(w, "logprobs", c->top_logprobs);
    }
    put_format(w);
    if (r == 0)
        r = put_thinking(w);
    km_out_close(w->out, '}');
    return r;
}

static void put_extras(const struct writer *w)
{
    static const char *const names[][2] = {
        { "safetySettings", "safetySettings" }, { "safety_settings", "safetySettings" },
        { "cachedContent", "cachedContent" },   { "cached_content", "cachedContent" },
        { "labels", "labels" },
    };

    for (const struct km_chat_extra *x = w->chat->extras; x; x = x->next)
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
            if (km_str_eq(x->name, km_str_c(names[i][0])))
                km_out_member_raw(w->out, names[i][1], x->json);
}

int km_gemini_encode(const struct km_encode_args *args, const struct km_chat *chat,
                     struct km_json_out *out, struct km_err *err)
{
    struct writer w = { .args = args, .chat = chat, .out = out, .err = err };
    bool functions = false;
    int r;

    w.newer = args->can->generation >= 30;
    w.vertex = args->d->codec == &km_codec_gemini_vertex;
    km_out_open(out, '{');
    put_system(&w);
    r = put_contents(&w);
    if (r == 0)
        r = put_tools(&w, &functions);
    if (r == 0 && functions && km_chat_has(chat, KM_P_TOOL_CHOICE))
        put_tool_config(&w);
    if (r == 0)
        r = put_config(&w);
    put_extras(&w);
    km_out_close(out, '}');
    return r;
}
