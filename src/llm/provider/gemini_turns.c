/* SPDX-License-Identifier: Apache-2.0 */
/* gemini_turns.c - what was said, as Gemini's contents.
 *
 * Messages of one role that follow each other become one content: the results of parallel calls
 * must stand together, as many as there were calls.  A call may carry a signature of the
 * reasoning that led to it; Gemini 3 refuses a history whose calls have none, so a call that
 * comes from elsewhere gets the one that Google defines for that.  Reasoning itself is not sent
 * back: Gemini reads nothing from it, and another model's signature would be refused.
 */
#include "llm/provider/gemini_inside.h"

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

/* Whose a file is is asked by the members that name one, not of every address. */
static int put_media(const struct km_gemini_writer *w, const struct km_part *p)
{
    struct km_str uri = p->media.url.n ? p->media.url : p->media.file_id;
    struct km_str type = p->media.type.n ? p->media.type : type_of_url(uri);

    if (!p->media.data.n && p->media.url.n && !km_media_is_place(p->media.url))
        return km_fail_param(w->err, KM_E_INVALID, "messages",
                             "A file of Gemini's file store is named by `file_id` (OpenAI's API, "
                             "Messages) or `fileUri` (Google's), not as any address.");
    if (!p->media.data.n && km_media_in_bucket(uri) && !w->args->buckets)
        return km_media_refuse_bucket(uri, w->err);
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
    return 0;
}

static void put_text(const struct km_gemini_writer *w, struct km_str text)
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

static void put_call(const struct km_gemini_writer *w, const struct km_part *p, bool first)
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

static struct km_str name_of(const struct km_gemini_writer *w, const struct km_part *result)
{
    if (result->name.n)
        return result->name;
    for (const struct km_message *m = w->chat->messages; m; m = m->next)
        for (const struct km_part *p = m->parts; p; p = p->next)
            if (p->kind == KM_PART_TOOL_USE && km_str_eq(p->id, result->id))
                return p->name;
    return KM_STR_NONE;
}

static struct km_str text_of(const struct km_gemini_writer *w, const struct km_part *result)
{
    struct km_str text = KM_STR_NONE;

    for (const struct km_part *p = result->content; p; p = p->next)
        if (p->kind == KM_PART_TEXT)
            text = text.n ? km_arena_cat(w->args->arena,
                                         (struct km_str[]){ text, KM_STR("\n"), p->text }, 3)
                          : p->text;
    return text;
}

static bool is_object(const struct km_gemini_writer *w, struct km_str text)
{
    const struct km_json *root;
    struct km_str s = km_str_trim(text);

    return s.n && s.p[0] == '{' && km_json_parse_answer(w->args->arena, s, &root, NULL) == 0;
}

static void put_response(const struct km_gemini_writer *w, const struct km_part *p)
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

static int put_result_media(const struct km_gemini_writer *w, const struct km_part *result)
{
    int r = 0;

    for (const struct km_part *p = result->content; r == 0 && p; p = p->next)
        if (is_media(p))
            r = put_media(w, p);
    return r;
}

static int put_result(const struct km_gemini_writer *w, const struct km_part *p)
{
    struct km_str none = KM_STR_NONE, id = split_id(p->id, &none), name = name_of(w, p);
    int r = 0;

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
        r = put_result_media(w, p);
        km_out_close(w->out, ']');
    }
    km_out_close(w->out, '}');
    km_out_close(w->out, '}');
    return r;
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

static int put_part(const struct km_gemini_writer *w, const struct km_part *p, bool *calls)
{
    if (!is_sent(p))
        return 0;
    if (p->kind == KM_PART_TOOL_RESULT)
        return put_result(w, p);
    if (p->kind == KM_PART_TOOL_USE) {
        put_call(w, p, !*calls);
        *calls = true;
    } else if (is_media(p)) {
        return put_media(w, p);
    } else {
        put_text(w, p->text);
    }
    return 0;
}

static int put_parts(const struct km_gemini_writer *w, const struct km_message *m, bool *calls)
{
    int r = 0;

    for (const struct km_part *p = m->parts; r == 0 && p; p = p->next)
        r = put_part(w, p, calls);
    /* Older models have no place for it in a result: it follows them. */
    for (const struct km_part *p = m->parts; r == 0 && !w->newer && p; p = p->next)
        if (p->kind == KM_PART_TOOL_RESULT)
            r = put_result_media(w, p);
    return r;
}

/* Messages of one role in a row, from *at on: one content.  *at is what follows. */
static int put_content(const struct km_gemini_writer *w, const struct km_message **at)
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
void km_gemini_put_system(const struct km_gemini_writer *w)
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

int km_gemini_put_contents(const struct km_gemini_writer *w)
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
