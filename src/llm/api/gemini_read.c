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
 * other model's answer (labels) is left out; other members mean nothing elsewhere, and are refused
 * or dropped as the deployment says.
 */
#include "http/json_take.h"
#include "llm/dropped.h"
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
    const struct km_json *v = km_json_take(object, name);
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
    return km_json_take(object, snake);
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
        r = km_read_needed(&s->rd, KM_AT(at, "data"), km_json_take(v, "data"), &p->media.data);
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
    if (km_media_is_place(uri))
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
    const struct km_json *args = km_json_take(v, "args");
    int r = km_read_needed(&s->rd, KM_AT(at, "name"), km_json_take(v, "name"), &p->name);

    if (r == 0)
        r = km_read_string(&s->rd, KM_AT(at, "id"), km_json_take(v, "id"), &p->id);
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
    const struct km_json *response = km_json_take(v, "response");

    at = KM_AT(at, "response");
    if (!text)
        return km_read_nomem(&s->rd);
    for (size_t i = 0; i < 3 && km_json_count(response) == 1; i++)
        if (km_json_string(km_json_take(response, names[i]), &text->text)) {
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
    int r = km_read_needed(&s->rd, KM_AT(at, "name"), km_json_take(v, "name"), &p->name);

    if (r == 0)
        r = km_read_string(&s->rd, KM_AT(at, "id"), km_json_take(v, "id"), &p->id);
    if (r == 0)
        r = read_response(s, at, v, p);
    if (r == 0)
        r = read_media_parts(s, KM_AT(at, "parts"), km_json_take(v, "parts"), p);
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
    int r = km_read_string(&s->rd, KM_AT(at, "text"), km_json_take(v, "text"), &text);

    if (r == 0)
        r = km_read_bool(&s->rd, KM_AT(at, "thought"), km_json_take(v, "thought"), &thought);
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
    if (km_given(km_json_take(v, "text")))
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
    r = km_read_string(&s->rd, KM_AT(at, "role"), km_json_take(v, "role"), &role);
    if (r < 0)
        return r;
    if (!km_str_eq(role, KM_STR("user")) && !km_str_eq(role, KM_STR("model")) &&
        !km_str_eq(role, KM_STR("function")) && role.n)
        return km_read_bad(&s->rd, KM_AT(at, "role"), "must be 'user' or 'model'");
    s->end = place_of(s, km_str_eq(role, KM_STR("model")) ? KM_ROLE_ASSISTANT : KM_ROLE_USER);
    if (!s->end)
        return km_read_nomem(&s->rd);
    r = read_parts(s, KM_AT(at, "parts"), km_json_take(v, "parts"), s->end);
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
    int r;

    if (!km_given(v))
        return 0;
    if (km_json_kind(v) != KM_JSON_OBJECT)
        return km_read_bad(&s->rd, at, "must be an object with parts");
    m = km_chat_message(s->chat, s->rd.arena, KM_ROLE_SYSTEM);
    if (!m)
        return km_read_nomem(&s->rd);
    r = read_parts(s, KM_AT(at, "parts"), km_json_take(v, "parts"), &m->parts);
    for (const struct km_part *p = m->parts; r == 0 && p; p = p->next)
        if (p->kind == KM_PART_TOOL_USE)
            r = km_read_bad(&s->rd, KM_AT(at, "parts"),
                            "hold a functionCall, which no "
                            "instruction is");
    return r;
}

const struct km_str km_gemini_idle_asked[] = {
    KM_IDLE("systemInstruction.role"),
    KM_IDLE("system_instruction.role"),
    KM_IDLE(""),
};

int km_gemini_read(const struct km_llm_request *q, const struct km_json *root,
                   struct km_arena *arena, struct km_chat *ret_chat, struct km_err *err)
{
    static const char *const known[] = {
        "contents", "systemInstruction", "tools", "toolConfig", "model", "generationConfig",
        "labels",   NULL,
    };
    struct reading s = { .rd = { arena, err }, .chat = ret_chat };
    int r;

    s.last_call = &s.calls;
    if (km_given(km_gemini_get(root, "cachedContent"))) /* half of the conversation */
        return km_read_refuse(&s.rd, KM_AT(NULL, "cachedContent"),
                              "is known to the account at Google that made it only");
    r = km_gemini_keep_others(&s.rd, ret_chat, NULL, root, known);
    if (r == 0)
        r = read_system(&s, km_gemini_get(root, "systemInstruction"));
    if (r == 0)
        r = read_contents(&s, km_json_take(root, "contents"));
    for (struct km_message *m = ret_chat->messages; r == 0 && m; m = m->next)
        r = m->role == KM_ROLE_ASSISTANT ? join_pieces(&s, m->parts) : 0;
    if (r == 0)
        r = km_gemini_read_tools(&s.rd, root, ret_chat);
    if (r == 0)
        r = km_gemini_read_config(&s.rd, q, root, ret_chat);
    return r == 0 && km_arena_overflowed(arena) ? km_read_nomem(&s.rd) : r;
}
