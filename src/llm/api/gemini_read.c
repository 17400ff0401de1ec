/* SPDX-License-Identifier: Apache-2.0 */
/* gemini_read.c - a generateContent request, read into the canonical chat.
 *
 *     systemInstruction           ->  SYSTEM
 *     role "user", "function"     ->  USER: results of tools first, then the rest
 *     role "model"                ->  ASSISTANT
 *     generationConfig            ->  parameters
 *
 * Google's calls and results may have no ids: a result then answers the first call of its name
 * that has none yet, and both get an id made here.  Members are read in JSON's spelling and in
 * protobuf's (fileData, file_data), as Google does.  What only Google knows and what changes no
 * other model's answer (safetySettings, labels) is left out; other members that are not known
 * are refused, as Google refuses them.
 */
#include "llm/api/gemini.h"

/* A call that was read, for the results that follow. */
struct heard {
    struct heard *next;
    struct km_part *part;
    bool answered;
};

struct reading {
    struct km_reading rd;
    struct km_chat *chat;
    struct heard *calls, **last_call;
    unsigned ncalls;
    struct km_part **end; /* of the last message's parts */
};

const struct km_json *km_gemini_get(const struct km_json *object, const char *name)
{
    const struct km_json *v = km_json_get(object, name);
    char snake[64];
    size_t n = 0;

    if (v)
        return v;
    for (const char *p = name; *p && n + 3 < sizeof snake; p++) {
        if (*p >= 'A' && *p <= 'Z')
            snake[n++] = '_';
        snake[n++] = (char)(*p >= 'A' && *p <= 'Z' ? *p | 0x20 : *p);
    }
    snake[n] = '\0';
    return km_json_get(object, snake);
}

static struct km_part *new_part(const struct reading *s, struct km_part **list,
                                enum km_part_kind kind)
{
    return km_chat_part(s->rd.arena, list, kind);
}

/* --- media --- */

static enum km_part_kind kind_of_type(struct km_str type)
{
    return km_str_istarts(type, KM_STR("image/"))   ? KM_PART_IMAGE
           : km_str_istarts(type, KM_STR("audio/")) ? KM_PART_AUDIO
                                                    : KM_PART_DOCUMENT;
}

/* Google takes base64 of both alphabets, padded or not. */
static struct km_str standard_base64(struct km_arena *arena, struct km_str s)
{
    size_t pad = (4 - s.n % 4) % 4;
    char *p;

    if (pad == 0 && km_str_chr(s, '-') == s.n && km_str_chr(s, '_') == s.n)
        return s;
    p = km_arena_alloc(arena, s.n + pad);
    if (!p)
        return KM_STR_NONE;
    for (size_t i = 0; i < s.n; i++)
        p[i] = (char)(s.p[i] == '-' ? '+' : s.p[i] == '_' ? '/' : s.p[i]);
    memset(p + s.n, '=', pad);
    return km_str(p, s.n + pad);
}

static int read_inline(const struct reading *s, const struct km_place *at, const struct km_json *v,
                       struct km_part *p)
{
    int r =
        km_read_needed(&s->rd, KM_AT(at, "mimeType"), km_gemini_get(v, "mimeType"), &p->media.type);

    if (r == 0)
        r = km_read_needed(&s->rd, KM_AT(at, "data"), km_json_get(v, "data"), &p->media.data);
    if (r < 0)
        return r;
    p->media.data = standard_base64(s->rd.arena, p->media.data);
    if (!km_base64_ok(p->media.data))
        return km_read_bad(&s->rd, KM_AT(at, "data"), "is not base64");
    p->kind = kind_of_type(p->media.type);
    return km_read_string(&s->rd, KM_AT(at, "displayName"), km_gemini_get(v, "displayName"),
                          &p->media.name);
}

static int read_file(const struct reading *s, const struct km_place *at, const struct km_json *v,
                     struct km_part *p)
{
    struct km_str uri = KM_STR_NONE;
    int r = km_read_needed(&s->rd, KM_AT(at, "fileUri"), km_gemini_get(v, "fileUri"), &uri);

    if (r == 0)
        r = km_read_string(&s->rd, KM_AT(at, "mimeType"), km_gemini_get(v, "mimeType"),
                           &p->media.type);
    if (km_str_find(uri, KM_STR("://")) < uri.n)
        p->media.url = uri;
    else
        p->media.file_id = uri;
    p->kind = kind_of_type(p->media.type);
    return r;
}

/* --- calls and results --- */

static int read_call(struct reading *s, const struct km_place *at, const struct km_json *v,
                     struct km_part *p)
{
    struct heard *h = km_arena_zalloc(s->rd.arena, sizeof *h);
    const struct km_json *args = km_json_get(v, "args");
    int r = km_read_needed(&s->rd, KM_AT(at, "name"), km_json_get(v, "name"), &p->name);

    if (r == 0)
        r = km_read_string(&s->rd, KM_AT(at, "id"), km_json_get(v, "id"), &p->id);
    if (r == 0)
        r = km_read_object(&s->rd, KM_AT(at, "args"), args, &p->input_json);
    if (r < 0)
        return r;
    if (!p->input_json.n)
        p->input_json = KM_STR("{}");
    if (!h)
        return km_read_nomem(&s->rd);
    if (!p->id.n)
        p->id = km_arena_printf(s->rd.arena, "call_%u", s->ncalls);
    s->ncalls++;
    h->part = p;
    *s->last_call = h;
    s->last_call = &h->next;
    return 0;
}

static struct heard *call_of(const struct reading *s, struct km_str id, struct km_str name)
{
    for (struct heard *h = s->calls; h; h = h->next)
        if (!h->answered && (id.n ? km_str_eq(h->part->id, id) : km_str_eq(h->part->name, name)))
            return h;
    return NULL;
}

/* {"result":"..."}, {"output":"..."} and {"error":"..."} are text; anything else is its JSON. */
static int read_response(const struct reading *s, const struct km_place *at,
                         const struct km_json *v, struct km_part *p)
{
    static const char *const names[] = { "result", "output", "error" };
    struct km_part *text = new_part(s, &p->content, KM_PART_TEXT);
    const struct km_json *response = km_json_get(v, "response");

    at = KM_AT(at, "response");
    if (!text)
        return km_read_nomem(&s->rd);
    for (size_t i = 0; i < 3 && km_json_count(response) == 1; i++)
        if (km_json_string(km_json_get(response, names[i]), &text->text)) {
            p->is_error = i == 2;
            return 0;
        }
    return km_read_object(&s->rd, at, response, &text->text);
}

static int read_media_parts(const struct reading *s, const struct km_place *at,
                            const struct km_json *parts, struct km_part *result)
{
    const struct km_json *item, *data;
    struct km_json_iter it;
    struct km_str key;
    int r = km_read_array(&s->rd, at, parts);

    km_json_iter(r == 0 && km_given(parts) ? parts : NULL, &it);
    for (size_t i = 0; r == 0 && km_json_next(&it, &key, &item); i++) {
        const struct km_place *here = KM_ITEM(at, i);
        struct km_part *p;

        data = km_gemini_get(item, "inlineData");
        if (!data)
            continue; /* a reference to what this side cannot see */
        p = new_part(s, &result->content, KM_PART_IMAGE);
        r = p ? read_inline(s, KM_AT(here, "inlineData"), data, p) : km_read_nomem(&s->rd);
    }
    return r;
}

static int read_result(struct reading *s, const struct km_place *at, const struct km_json *v,
                       struct km_part *p)
{
    struct heard *h;
    int r = km_read_needed(&s->rd, KM_AT(at, "name"), km_json_get(v, "name"), &p->name);

    if (r == 0)
        r = km_read_string(&s->rd, KM_AT(at, "id"), km_json_get(v, "id"), &p->id);
    if (r == 0)
        r = read_response(s, at, v, p);
    if (r == 0)
        r = read_media_parts(s, KM_AT(at, "parts"), km_json_get(v, "parts"), p);
    if (r < 0)
        return r;
    h = call_of(s, p->id, p->name);
    if (h) {
        h->answered = true;
        p->id = h->part->id;
    } else if (!p->id.n) {
        return km_read_bad(&s->rd, at, "answers no functionCall before it");
    }
    return 0;
}

/* --- parts --- */

struct lists {
    struct km_part *results, *others;
};

/* Streams tell a thought in pieces, the last of which is signed: what clients send back so is one
 * thought again.  false: there is none to go on with. */
static bool go_on_thinking(const struct reading *s, struct lists *to, struct km_str text,
                           struct km_str signature)
{
    struct km_part *last = to->others;

    while (last && last->next)
        last = last->next;
    if (!last || last->kind != KM_PART_REASONING || last->signature.n)
        return false;
    if (text.n)
        last->text = km_arena_cat(s->rd.arena, (struct km_str[]){ last->text, text }, 2);
    last->signature = signature;
    return true;
}

static int read_text(const struct reading *s, const struct km_place *at, const struct km_json *v,
                     struct lists *to)
{
    struct km_str text = KM_STR_NONE, signature = KM_STR_NONE;
    bool thought = false;
    struct km_part *p;
    int r = km_read_string(&s->rd, KM_AT(at, "text"), km_json_get(v, "text"), &text);

    if (r == 0)
        r = km_read_bool(&s->rd, KM_AT(at, "thought"), km_json_get(v, "thought"), &thought);
    if (r == 0)
        r = km_read_string(&s->rd, KM_AT(at, "thoughtSignature"),
                           km_gemini_get(v, "thoughtSignature"), &signature);
    if (r < 0 || (!text.n && !(thought && signature.n)))
        return r;
    if (thought && go_on_thinking(s, to, text, signature))
        return 0;
    p = new_part(s, &to->others, thought ? KM_PART_REASONING : KM_PART_TEXT);
    if (!p)
        return km_read_nomem(&s->rd);
    p->text = text;
    if (thought)
        p->signature = signature;
    return 0;
}

static int read_part(struct reading *s, const struct km_place *at, const struct km_json *v,
                     struct lists *to)
{
    const struct km_json *data = km_gemini_get(v, "inlineData"), *file, *call, *result;
    struct km_part *p;
    int r;

    if (km_json_kind(v) != KM_JSON_OBJECT)
        return km_read_bad(&s->rd, at, "must be an object");
    file = km_gemini_get(v, "fileData");
    call = km_gemini_get(v, "functionCall");
    result = km_gemini_get(v, "functionResponse");
    if (km_given(km_json_get(v, "text")))
        return read_text(s, at, v, to);
    if (!data && !file && !call && !result)
        return km_gemini_get(v, "executableCode") || km_gemini_get(v, "codeExecutionResult") ||
                       km_gemini_get(v, "thoughtSignature")
                   ? 0 /* of Google's own tools: said to no other model */
                   : km_read_bad(&s->rd, at, "is no kind of part known here");
    p = new_part(s, result ? &to->results : &to->others,
                 call     ? KM_PART_TOOL_USE
                 : result ? KM_PART_TOOL_RESULT
                          : KM_PART_IMAGE);
    if (!p)
        return km_read_nomem(&s->rd);
    if (data)
        return read_inline(s, KM_AT(at, "inlineData"), data, p);
    if (file)
        return read_file(s, KM_AT(at, "fileData"), file, p);
    if (result)
        return read_result(s, KM_AT(at, "functionResponse"), result, p);
    r = read_call(s, KM_AT(at, "functionCall"), call, p);
    return r == 0 ? km_read_string(&s->rd, KM_AT(at, "thoughtSignature"),
                                   km_gemini_get(v, "thoughtSignature"), &p->signature)
                  : r;
}

/* parts: an array, one part, or a string (as the client library lets people write). */
static int read_parts(struct reading *s, const struct km_place *at, const struct km_json *parts,
                      struct km_part **ret)
{
    struct lists to = { 0 };
    struct km_part **end = &to.results;
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key;
    int r = 0;

    if (km_json_kind(parts) == KM_JSON_OBJECT) {
        r = read_part(s, at, parts, &to);
    } else {
        r = km_read_array(&s->rd, at, parts);
        km_json_iter(r == 0 && km_given(parts) ? parts : NULL, &it);
        for (size_t i = 0; r == 0 && km_json_next(&it, &key, &item); i++)
            r = read_part(s, KM_ITEM(at, i), item, &to);
    }
    while (*end)
        end = &(*end)->next;
    *end = to.others;
    *ret = to.results;
    return r;
}

/* Streams bring a text in pieces, and a thought's signature with the last: sent back they are one
 * again. */
static int join_pieces(const struct reading *s, struct km_part *parts)
{
    for (struct km_part *p = parts; p; p = p->next) {
        struct km_part *last = p;
        size_t n = p->text.n, at = 0;
        char *text;

        if (p->kind != KM_PART_REASONING && p->kind != KM_PART_TEXT)
            continue;
        for (; !last->signature.n && last->next && last->next->kind == p->kind; n += last->text.n)
            last = last->next;
        if (last == p)
            continue;
        text = km_arena_alloc(s->rd.arena, n);
        if (!text)
            return km_read_nomem(&s->rd);
        for (const struct km_part *one = p; one != last->next; at += one->text.n, one = one->next)
            if (one->text.n)
                memcpy(text + at, one->text.p, one->text.n);
        p->text = km_str(text, n);
        p->signature = last->signature;
        p->next = last->next;
    }
    return 0;
}

/* The client library's chats keep each piece of a streamed answer as a content of its own: they
 * are one message again. */
static struct km_part **place_of(struct reading *s, enum km_role role)
{
    struct km_message *m = s->chat->last_message;

    if (m && m->role == role && role == KM_ROLE_ASSISTANT)
        return s->end;
    m = km_chat_message(s->chat, s->rd.arena, role);
    return m ? &m->parts : NULL;
}

static int read_content(struct reading *s, const struct km_place *at, const struct km_json *v)
{
    struct km_str role = KM_STR("user"), text;
    int r;

    if (km_json_kind(v) != KM_JSON_OBJECT && !km_json_string(v, &text))
        return km_read_bad(&s->rd, at, "must be an object");
    r = km_read_string(&s->rd, KM_AT(at, "role"), km_json_get(v, "role"), &role);
    if (r < 0)
        return r;
    if (!km_str_eq(role, KM_STR("user")) && !km_str_eq(role, KM_STR("model")) &&
        !km_str_eq(role, KM_STR("function")) && role.n)
        return km_read_bad(&s->rd, KM_AT(at, "role"), "must be 'user' or 'model'");
    s->end = place_of(s, km_str_eq(role, KM_STR("model")) ? KM_ROLE_ASSISTANT : KM_ROLE_USER);
    if (!s->end)
        return km_read_nomem(&s->rd);
    r = read_parts(s, KM_AT(at, "parts"), km_json_get(v, "parts"), s->end);
    while (*s->end)
        s->end = &(*s->end)->next;
    return r;
}

static int read_contents(struct reading *s, const struct km_json *v)
{
    const struct km_place *at = KM_AT(NULL, "contents");
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key;
    int r = 0;

    if (km_json_kind(v) == KM_JSON_OBJECT)
        return read_content(s, at, v);
    if (km_json_kind(v) != KM_JSON_ARRAY || km_json_count(v) == 0)
        return km_read_bad(&s->rd, at, "must be an array of contents");
    km_json_iter(v, &it);
    for (size_t i = 0; r == 0 && km_json_next(&it, &key, &item); i++)
        r = read_content(s, KM_ITEM(at, i), item);
    return r;
}

static int read_system(struct reading *s, const struct km_json *v)
{
    const struct km_place *at = KM_AT(NULL, "systemInstruction");
    struct km_message *m;

    if (!km_given(v))
        return 0;
    if (km_json_kind(v) != KM_JSON_OBJECT)
        return km_read_bad(&s->rd, at, "must be an object with parts");
    m = km_chat_message(s->chat, s->rd.arena, KM_ROLE_SYSTEM);
    if (!m)
        return km_read_nomem(&s->rd);
    return read_parts(s, KM_AT(at, "parts"), km_json_get(v, "parts"), &m->parts);
}

/* --- tools --- */

static int read_declaration(const struct reading *s, const struct km_place *at,
                            const struct km_json *v)
{
    struct km_tool *t = km_chat_tool(s->chat, s->rd.arena);
    const struct km_json *json = km_gemini_get(v, "parametersJsonSchema");
    int r;

    if (!t)
        return km_read_nomem(&s->rd);
    r = km_read_needed(&s->rd, KM_AT(at, "name"), km_json_get(v, "name"), &t->name);
    if (r == 0)
        r = km_read_string(&s->rd, KM_AT(at, "description"), km_json_get(v, "description"),
                           &t->description);
    if (r == 0 && km_given(json))
        return km_read_object(&s->rd, KM_AT(at, "parametersJsonSchema"), json, &t->schema_json);
    return r == 0 ? km_gemini_schema(&s->rd, KM_AT(at, "parameters"), km_json_get(v, "parameters"),
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
    km_json_write(v, &b);
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
        for (r = 0; r == 0 && km_json_next(&it, &key, &item);)
            r = read_hosted(s, key, item);
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
    (void)km_json_string(km_json_get(config, "mode"), &mode);
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
    } else if (!km_str_ieq(mode, KM_STR("AUTO")) && !km_str_ieq(mode, KM_STR("VALIDATED")) &&
               !km_str_ieq(mode, KM_STR("MODE_UNSPECIFIED"))) {
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
        { "logprobs", KM_P_TOP_LOGPROBS, &c->top_logprobs },
    };
    int r = 0;

    for (size_t i = 0; r == 0 && i < sizeof rows / sizeof rows[0]; i++) {
        r = km_read_number(&s->rd, KM_AT(at, rows[i].name), km_gemini_get(v, rows[i].name),
                           rows[i].to);
        if (rows[i].to->n)
            c->set |= KM_P_BIT(rows[i].p);
    }
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

static int refuse_others(const struct reading *s, const struct km_place *at,
                         const struct km_json *v, const char *const *names)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key;

    km_json_iter(v, &it);
    while (km_json_next(&it, &key, &item))
        if (km_given(item) && !is_known(key, names))
            return km_read_refuse(&s->rd, KM_AT(at, km_arena_cstr(s->rd.arena, key)),
                                  "is not known to this model's provider");
    return 0;
}

/* TEXT is what everybody answers with. */
static int read_modalities(const struct reading *s, const struct km_place *at,
                           const struct km_json *v)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key, text;
    int r = km_read_array(&s->rd, at, v);

    km_json_iter(r == 0 && km_given(v) ? v : NULL, &it);
    while (r == 0 && km_json_next(&it, &key, &item))
        if (!km_json_string(item, &text) || !km_str_ieq(text, KM_STR("TEXT")))
            r = km_read_refuse(&s->rd, at, "other than TEXT is not known to this model's provider");
    return r;
}

static int read_config(const struct reading *s, const struct km_llm_request *q,
                       const struct km_json *v)
{
    static const char *const known[] = {
        "temperature", "topP", "topK", "seed", "frequencyPenalty", "presencePenalty", "logprobs",
        "responseLogprobs", "maxOutputTokens", "candidateCount", "stopSequences",
        "responseMimeType", "responseSchema", "responseJsonSchema", "thinkingConfig",
        "responseModalities", "mediaResolution", "audioTimestamp", "enableEnhancedCivicAnswers",
        NULL,
    };
    const struct km_place *at = KM_AT(NULL, "generationConfig");
    struct km_chat *c = s->chat;
    int r;

    if (!km_given(v))
        return 0;
    r = refuse_others(s, at, v, known);
    c->max_tokens = q->max_tokens;
    c->n = q->choices;
    c->set |= (q->max_tokens >= 0 ? KM_P_BIT(KM_P_MAX_TOKENS) : 0) |
              (q->choices_said ? KM_P_BIT(KM_P_N) : 0);
    if (r == 0)
        r = read_numbers(s, at, v);
    if (r == 0)
        r = read_stops(s, KM_AT(at, "stopSequences"), km_gemini_get(v, "stopSequences"));
    if (r == 0)
        r = km_read_bool(&s->rd, KM_AT(at, "responseLogprobs"),
                         km_gemini_get(v, "responseLogprobs"), &c->logprobs);
    if (c->logprobs)
        c->set |= KM_P_BIT(KM_P_LOGPROBS);
    if (r == 0)
        r = read_format(s, at, v);
    if (r == 0)
        r = read_modalities(s, KM_AT(at, "responseModalities"),
                            km_gemini_get(v, "responseModalities"));
    return r == 0
               ? read_thinking(s, KM_AT(at, "thinkingConfig"), km_gemini_get(v, "thinkingConfig"))
               : r;
}

int km_gemini_read(const struct km_llm_request *q, const struct km_json *root,
                   struct km_arena *arena, struct km_chat *ret_chat, struct km_err *err)
{
    static const char *const known[] = { "contents", "systemInstruction", "tools",  "toolConfig",
                                         "model",    "generationConfig",  "labels", "safetySettings",
                                         NULL };
    struct reading s = { .rd = { arena, err }, .chat = ret_chat };
    int r;

    s.last_call = &s.calls;
    r = refuse_others(&s, NULL, root, known);
    if (r == 0)
        r = read_system(&s, km_gemini_get(root, "systemInstruction"));
    if (r == 0)
        r = read_contents(&s, km_json_get(root, "contents"));
    for (struct km_message *m = ret_chat->messages; r == 0 && m; m = m->next)
        r = m->role == KM_ROLE_ASSISTANT ? join_pieces(&s, m->parts) : 0;
    if (r == 0)
        r = read_tools(&s, km_json_get(root, "tools"));
    if (r == 0)
        r = read_tool_config(&s, km_gemini_get(root, "toolConfig"));
    if (r == 0)
        r = read_config(&s, q, km_gemini_get(root, "generationConfig"));
    return r == 0 && km_arena_overflowed(arena) ? km_read_nomem(&s.rd) : r;
}
