/* SPDX-License-Identifier: Apache-2.0 */
/* openai_messages.c - the messages of a chat completions body.
 *
 *     USER [result, result, text, image]  ->  tool, tool, user [text, image]
 *     ASSISTANT [reasoning, text, call]   ->  assistant {content, tool_calls}
 *
 * A content of one text is a string, for not every provider takes lists.  A tool's message holds
 * text only here: pictures among its results follow as the user's.  Reasoning goes back under the
 * name its provider has for it, if it has one; signatures are of other providers and stay behind.
 */
#include "base/encode.h"
#include "llm/provider/openai.h"

struct writing {
    const struct km_encode_args *args;
    struct km_json_out *o;
    struct km_err *err;
    size_t message; /* of the canonical chat, for errors */
};

static int refuse(const struct writing *w, const char *what)
{
    const char *where = km_arena_cstr(
        w->args->arena, km_arena_printf(w->args->arena, "messages[%zu].content", w->message));

    return km_fail_param(w->err, KM_E_UNSUPPORTED, where,
                         "'%s' holds %s, which %.*s does not take.", where, what,
                         KM_STR_ARG(w->args->d->provider_name));
}

static void cache_point(const struct writing *w, const struct km_part *part)
{
    if (!part->cache_ttl_s || !w->args->d->provider->cache_control)
        return;
    km_out_member_raw(w->o, "cache_control",
                      part->cache_ttl_s > 300 ? KM_STR("{\"type\":\"ephemeral\",\"ttl\":\"1h\"}")
                                              : KM_STR("{\"type\":\"ephemeral\"}"));
}

static void text_part(const struct writing *w, const struct km_part *part, struct km_str s)
{
    km_out_open(w->o, '{');
    km_out_member(w->o, "type", KM_STR("text"));
    km_out_member(w->o, "text", s);
    cache_point(w, part);
    km_out_close(w->o, '}');
}

static void data_url(const struct writing *w, const char *key, struct km_str type,
                     struct km_str data)
{
    struct km_str head = km_arena_cat(
        w->args->arena, (struct km_str[]){ KM_STR("data:"), type, KM_STR(";base64,") }, 3);

    km_out_key(w->o, key);
    km_out_joined(w->o, head, data);
}

static int image(const struct writing *w, const struct km_part *part)
{
    const struct km_media *m = &part->media;

    if (m->file_id.n)
        return refuse(w, "an image in a provider's file store");
    km_out_open(w->o, '{');
    km_out_member(w->o, "type", KM_STR("image_url"));
    km_out_key(w->o, "image_url");
    km_out_open(w->o, '{');
    if (m->data.n)
        data_url(w, "url", m->type.n ? m->type : KM_STR("image/png"), m->data);
    else
        km_out_member(w->o, "url", m->url);
    if (m->detail.n)
        km_out_member(w->o, "detail", m->detail);
    km_out_close(w->o, '}');
    cache_point(w, part);
    km_out_close(w->o, '}');
    return 0;
}

/* Texts are no files here: they are read in place. */
static int text_document(const struct writing *w, const struct km_part *part)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(w->args->arena->cap);
    struct km_str s;

    if (km_buf_unbase64(&b, part->media.data) < 0 || km_buf_failed(&b) ||
        !km_utf8_valid(km_buf_view(&b)))
        return refuse(w, "a text document that is not UTF-8");
    s = km_arena_str(w->args->arena, km_buf_view(&b));
    if (s.n)
        text_part(w, part, s);
    return 0;
}

static int document(const struct writing *w, const struct km_part *part)
{
    const struct km_media *m = &part->media;

    if (m->data.n && km_str_istarts(m->type, KM_STR("text/")))
        return text_document(w, part);
    if (!m->data.n && !m->file_id.n)
        return refuse(w, "a document by its address");
    km_out_open(w->o, '{');
    km_out_member(w->o, "type", KM_STR("file"));
    km_out_key(w->o, "file");
    km_out_open(w->o, '{');
    if (m->file_id.n) {
        km_out_member(w->o, "file_id", m->file_id);
    } else {
        km_out_member(w->o, "filename", m->name.n ? m->name : KM_STR("document.pdf"));
        data_url(w, "file_data", m->type.n ? m->type : KM_STR("application/pdf"), m->data);
    }
    km_out_close(w->o, '}');
    km_out_close(w->o, '}');
    return 0;
}

static int audio(const struct writing *w, const struct km_part *part)
{
    const struct km_media *m = &part->media;
    struct km_str format = km_str_skip(m->type, km_str_chr(m->type, '/') + 1);

    if (!m->data.n)
        return refuse(w, "a sound that is not in the message itself");
    if (km_str_eq(format, KM_STR("mpeg")))
        format = KM_STR("mp3");
    else if (km_str_eq(format, KM_STR("x-wav")) || km_str_eq(format, KM_STR("wave")))
        format = KM_STR("wav");
    km_out_open(w->o, '{');
    km_out_member(w->o, "type", KM_STR("input_audio"));
    km_out_key(w->o, "input_audio");
    km_out_open(w->o, '{');
    km_out_member(w->o, "data", m->data);
    km_out_member(w->o, "format", format);
    km_out_close(w->o, '}');
    km_out_close(w->o, '}');
    return 0;
}

static int content_part(const struct writing *w, const struct km_part *part)
{
    switch (part->kind) {
    case KM_PART_TEXT:
        if (part->text.n)
            text_part(w, part, part->text);
        return 0;
    case KM_PART_IMAGE:
        return image(w, part);
    case KM_PART_DOCUMENT:
        return document(w, part);
    case KM_PART_AUDIO:
        return audio(w, part);
    default:
        return 0;
    }
}

static bool is_media(const struct km_part *part)
{
    return part->kind == KM_PART_IMAGE || part->kind == KM_PART_DOCUMENT ||
           part->kind == KM_PART_AUDIO;
}

/* One text and nothing else: a string. */
static bool plain(const struct writing *w, const struct km_part *parts, struct km_str *ret)
{
    const struct km_part *only = NULL;

    *ret = KM_STR("");
    for (; parts; parts = parts->next) {
        if (parts->kind == KM_PART_TOOL_RESULT || (parts->kind == KM_PART_TEXT && !parts->text.n))
            continue;
        if (only || parts->kind != KM_PART_TEXT)
            return false;
        only = parts;
    }
    if (only)
        *ret = only->text;
    return !only || !only->cache_ttl_s || !w->args->d->provider->cache_control;
}

static int content(const struct writing *w, const struct km_part *parts)
{
    struct km_str s;
    int r = 0;

    km_out_key(w->o, "content");
    if (plain(w, parts, &s)) {
        km_out_str(w->o, s);
        return 0;
    }
    km_out_open(w->o, '[');
    for (; r == 0 && parts; parts = parts->next)
        r = content_part(w, parts);
    if (r == 0)
        km_out_close(w->o, ']');
    return r;
}

static void begin(const struct writing *w, const char *role, struct km_str name)
{
    km_out_open(w->o, '{');
    km_out_member(w->o, "role", km_str_c(role));
    if (name.n)
        km_out_member(w->o, "name", name);
}

/* --- users --- */

/* A result's texts, one after another; other parts are sent with the user's. */
static void result(const struct writing *w, const struct km_part *part)
{
    struct km_buf all KM_CLEANUP(km_buf_done) = KM_BUF(w->args->arena->cap);
    const struct km_part *first = part->content;
    struct km_str s = first && first->kind == KM_PART_TEXT ? first->text : KM_STR("");

    if (first && first->next) {
        for (const struct km_part *p = first; p; p = p->next)
            if (p->kind == KM_PART_TEXT) {
                if (all.n)
                    km_buf_byte(&all, '\n');
                km_buf_str(&all, p->text);
            }
        s = km_arena_str(w->args->arena, km_buf_view(&all));
    }
    begin(w, "tool", KM_STR_NONE);
    km_out_member(w->o, "tool_call_id", part->id);
    km_out_member(w->o, "content", s);
    km_out_close(w->o, '}');
}

static int user(const struct writing *w, const struct km_message *m)
{
    bool others = false, media = false;
    int r = 0;

    for (const struct km_part *part = m->parts; part; part = part->next) {
        if (part->kind != KM_PART_TOOL_RESULT) {
            others = true;
            continue;
        }
        result(w, part);
        for (const struct km_part *p = part->content; p; p = p->next)
            media = media || is_media(p);
    }
    if (media) {
        begin(w, "user", KM_STR_NONE);
        km_out_key(w->o, "content");
        km_out_open(w->o, '[');
        for (const struct km_part *part = m->parts; part; part = part->next)
            for (const struct km_part *p = part->content; r == 0 && p; p = p->next)
                if (is_media(p))
                    r = content_part(w, p);
        if (r < 0)
            return r;
        km_out_close(w->o, ']');
        km_out_close(w->o, '}');
    }
    if (!others && m->parts)
        return 0;
    begin(w, "user", m->name);
    r = content(w, m->parts);
    if (r == 0)
        km_out_close(w->o, '}');
    return r;
}

/* --- assistants --- */

static struct km_str joined(const struct writing *w, const struct km_part *parts,
                            enum km_part_kind kind)
{
    struct km_buf all KM_CLEANUP(km_buf_done) = KM_BUF(w->args->arena->cap);
    const struct km_part *only = NULL;
    size_t n = 0;

    for (const struct km_part *p = parts; p; p = p->next)
        if (p->kind == kind && p->text.n) {
            only = p;
            n++;
        }
    if (n <= 1)
        return only ? only->text : KM_STR_NONE;
    for (const struct km_part *p = parts; p; p = p->next)
        if (p->kind == kind)
            km_buf_str(&all, p->text);
    return km_arena_str(w->args->arena, km_buf_view(&all));
}

static void calls(const struct writing *w, const struct km_part *parts)
{
    bool any = false;

    for (; parts; parts = parts->next) {
        if (parts->kind != KM_PART_TOOL_USE)
            continue;
        if (!any) {
            km_out_key(w->o, "tool_calls");
            km_out_open(w->o, '[');
            any = true;
        }
        km_out_open(w->o, '{');
        km_out_member(w->o, "id", parts->id);
        km_out_member(w->o, "type", KM_STR("function"));
        km_out_key(w->o, "function");
        km_out_open(w->o, '{');
        km_out_member(w->o, "name", parts->name);
        km_out_member(w->o, "arguments", parts->input_json.n ? parts->input_json : KM_STR("{}"));
        km_out_close(w->o, '}');
        km_out_close(w->o, '}');
    }
    if (any)
        km_out_close(w->o, ']');
}

static bool has_calls(const struct km_part *parts)
{
    for (; parts; parts = parts->next)
        if (parts->kind == KM_PART_TOOL_USE)
            return true;
    return false;
}

static void assistant(const struct writing *w, const struct km_message *m)
{
    struct km_str s = joined(w, m->parts, KM_PART_TEXT);
    struct km_str refusal = joined(w, m->parts, KM_PART_REFUSAL);
    struct km_str reasoning = joined(w, m->parts, KM_PART_REASONING);
    const char *back = w->args->d->provider->reasoning;

    begin(w, "assistant", m->name);
    km_out_key(w->o, "content");
    if (s.n || (!has_calls(m->parts) && !refusal.n))
        km_out_str(w->o, s);
    else
        km_out_null(w->o);
    if (refusal.n)
        km_out_member(w->o, "refusal", refusal);
    if (back && reasoning.n)
        km_out_member(w->o, back, reasoning);
    for (const struct km_part *p = m->parts; p; p = p->next)
        if (p->kind == KM_PART_AUDIO && p->media.file_id.n) {
            km_out_key(w->o, "audio");
            km_out_open(w->o, '{');
            km_out_member(w->o, "id", p->media.file_id);
            km_out_close(w->o, '}');
            break;
        }
    calls(w, m->parts);
    km_out_close(w->o, '}');
}

int km_openai_messages(const struct km_encode_args *args, const struct km_chat *chat,
                       struct km_json_out *out, struct km_err *err)
{
    struct writing w = { .args = args, .o = out, .err = err };
    int r = 0;

    km_out_open(out, '[');
    for (const struct km_message *m = chat->messages; m; m = m->next, w.message++) {
        if (m->role == KM_ROLE_ASSISTANT) {
            assistant(&w, m);
            continue;
        }
        if (m->role == KM_ROLE_USER) {
            r = user(&w, m);
        } else if (m->parts) {
            begin(&w, "system", m->name);
            r = content(&w, m->parts);
            if (r == 0)
                km_out_close(out, '}');
        }
        if (r < 0)
            return r;
    }
    km_out_close(out, ']');
    return 0;
}
