/* SPDX-License-Identifier: Apache-2.0 */
/* openai_chat.c - a chat completions request, read into the canonical chat.
 *
 *     system, developer   ->  SYSTEM, where it stands
 *     user                ->  USER
 *     assistant           ->  ASSISTANT: reasoning, text, refusal, calls, in this order
 *     tool, function      ->  results in one USER message for all that follow one another
 *
 * Besides OpenAI's own forms those of LiteLLM's clients are understood: cache_control on parts,
 * messages and tools, reasoning_content and thinking_blocks of earlier answers, and the signature
 * of a call (`extra_content.google.thought_signature`), so that what our encoder gave out can be
 * sent back.
 *
 * Members that are no parameter anybody here knows become extras of the chat; the codec of the
 * upstream says which of those it takes.
 */
#include "http/json_take.h"
#include "llm/api/openai.h"
#include "llm/api/read.h"

#define EXTRAS_MOST 128 /* their list is searched in order */

struct decoding {
    struct km_reading rd;
    struct km_chat *chat;
    struct km_message *results; /* of the tools' messages that follow one another */
    struct km_str function_id; /* of the last function_call, which had none */
    size_t nfunctions;
};

static struct km_part *new_part(const struct decoding *d, struct km_part **list,
                                enum km_part_kind kind, struct km_str text)
{
    struct km_part *part = km_chat_part(d->rd.arena, list, kind);

    if (part)
        part->text = text;
    return part;
}

/* --- parts of a content --- */

typedef int part_fn(const struct decoding *d, const struct km_place *at, const struct km_json *v,
                    struct km_part *part);

static int part_text(const struct decoding *d, const struct km_place *at, const struct km_json *v,
                     struct km_part *part)
{
    const struct km_json *text = km_json_take(v, "text");

    if (!km_given(text))
        return km_read_bad(&d->rd, KM_AT(at, "text"), "must be a string");
    return km_read_string(&d->rd, KM_AT(at, "text"), text, &part->text);
}

static int part_refusal(const struct decoding *d, const struct km_place *at,
                        const struct km_json *v, struct km_part *part)
{
    return km_read_needed(&d->rd, KM_AT(at, "refusal"), km_json_take(v, "refusal"), &part->text);
}

/* {"image_url":{"url","detail","format"}}, or the address itself. */
static int part_image(const struct decoding *d, const struct km_place *at, const struct km_json *v,
                      struct km_part *part)
{
    const struct km_json *image = km_json_take(v, "image_url"), *url = image;
    struct km_str address, format = KM_STR_NONE;
    int r;

    at = KM_AT(at, "image_url");
    if (km_json_kind(image) == KM_JSON_OBJECT)
        url = km_json_take(image, "url");
    if (!km_json_string(url, &address) || !address.n)
        return km_read_bad(&d->rd, at, "must be an object with a 'url'");
    r = km_read_url(&d->rd, at, address, &part->media);
    if (r == 0)
        r = km_read_string(&d->rd, KM_AT(at, "detail"), km_json_take(image, "detail"),
                           &part->media.detail);
    if (r == 0 && km_json_string(km_json_take(image, "format"), &format) && !part->media.type.n)
        part->media.type = format;
    return r;
}

static int part_audio(const struct decoding *d, const struct km_place *at, const struct km_json *v,
                      struct km_part *part)
{
    const struct km_json *audio = km_json_take(v, "input_audio");
    struct km_str format = KM_STR_NONE;
    int r;

    at = KM_AT(at, "input_audio");
    r = km_read_needed(&d->rd, KM_AT(at, "data"), km_json_take(audio, "data"), &part->media.data);
    if (r == 0 && !km_base64_ok(part->media.data))
        r = km_read_bad(&d->rd, KM_AT(at, "data"), "is not base64");
    if (r == 0)
        r = km_read_needed(&d->rd, KM_AT(at, "format"), km_json_take(audio, "format"), &format);
    if (r == 0)
        part->media.type =
            km_arena_cat(d->rd.arena, (struct km_str[]){ KM_STR("audio/"), format }, 2);
    return r;
}

/* What a file is, its type says. */
static void kind_of_file(struct km_part *part)
{
    if (km_str_istarts(part->media.type, KM_STR("image/")))
        part->kind = KM_PART_IMAGE;
    else if (km_str_istarts(part->media.type, KM_STR("audio/")))
        part->kind = KM_PART_AUDIO;
}

/* {"file":{"file_data" | "file_id","filename","format"}}; LiteLLM's file_id may be an address. */
static int part_file(const struct decoding *d, const struct km_place *at, const struct km_json *v,
                     struct km_part *part)
{
    const struct km_json *file = km_json_take(v, "file");
    struct km_media *m = &part->media;
    struct km_str data = KM_STR_NONE, id = KM_STR_NONE, format = KM_STR_NONE;
    int r;

    at = KM_AT(at, "file");
    r = km_read_string(&d->rd, KM_AT(at, "file_data"), km_json_take(file, "file_data"), &data);
    if (r == 0)
        r = km_read_string(&d->rd, KM_AT(at, "file_id"), km_json_take(file, "file_id"), &id);
    if (r == 0)
        r = km_read_string(&d->rd, KM_AT(at, "filename"), km_json_take(file, "filename"), &m->name);
    if (r == 0)
        r = km_read_string(&d->rd, KM_AT(at, "format"), km_json_take(file, "format"), &format);
    if (r < 0)
        return r;
    if (data.n && km_base64_ok(data))
        m->data = data;
    else if (data.n)
        r = km_read_url(&d->rd, KM_AT(at, "file_data"), data, m);
    else if (km_media_is_place(id))
        m->url = id;
    else if (id.n)
        m->file_id = id;
    else
        return km_read_bad(&d->rd, at, "must have a 'file_data' or a 'file_id'");
    if (!m->type.n)
        m->type = format;
    if (!m->type.n && m->data.n && km_str_starts(m->data, KM_STR("JVBERi0")))
        m->type = KM_STR("application/pdf"); /* "%PDF-" */
    kind_of_file(part);
    return r;
}

static int part_thinking(const struct decoding *d, const struct km_place *at,
                         const struct km_json *v, struct km_part *part)
{
    int r = km_read_string(&d->rd, KM_AT(at, "thinking"), km_json_take(v, "thinking"), &part->text);

    if (r == 0)
        r = km_read_string(&d->rd, KM_AT(at, "signature"), km_json_take(v, "signature"),
                           &part->signature);
    return r;
}

static int part_redacted(const struct decoding *d, const struct km_place *at,
                         const struct km_json *v, struct km_part *part)
{
    return km_read_needed(&d->rd, KM_AT(at, "data"), km_json_take(v, "data"), &part->text);
}

#define IN(role) (1U << KM_ROLE_##role)

static const struct part_row {
    const char *type;
    enum km_part_kind kind;
    unsigned roles;
    part_fn *fn;
} part_rows[] = {
    { "text", KM_PART_TEXT, IN(SYSTEM) | IN(USER) | IN(ASSISTANT), part_text },
    { "image_url", KM_PART_IMAGE, IN(USER), part_image },
    { "input_audio", KM_PART_AUDIO, IN(USER), part_audio },
    { "file", KM_PART_DOCUMENT, IN(USER), part_file },
    { "refusal", KM_PART_REFUSAL, IN(ASSISTANT), part_refusal },
    { "thinking", KM_PART_REASONING, IN(ASSISTANT), part_thinking },
    { "redacted_thinking", KM_PART_REDACTED, IN(ASSISTANT), part_redacted },
};

static int read_part(const struct decoding *d, const struct km_place *at, const struct km_json *v,
                     enum km_role role, struct km_part **list)
{
    const struct part_row *row = NULL;
    struct km_str type = KM_STR_NONE;
    struct km_part *part;
    int r = km_read_needed(&d->rd, KM_AT(at, "type"), km_json_take(v, "type"), &type);

    if (r < 0)
        return r;
    for (size_t i = 0; i < sizeof part_rows / sizeof part_rows[0]; i++)
        if (km_str_eq(type, km_str_c(part_rows[i].type)))
            row = &part_rows[i];
    if (!row || !(row->roles >> role & 1))
        return km_read_bad(&d->rd, KM_AT(at, "type"), "is no kind of part known in this role");
    part = new_part(d, list, row->kind, KM_STR_NONE);
    if (!part)
        return km_read_nomem(&d->rd);
    part->cache_ttl_s = km_read_cache(km_json_take(v, "cache_control"));
    if (!part->cache_ttl_s)
        part->cache_ttl_s = km_read_cache(km_json_take(v, "prompt_cache_breakpoint"));
    return row->fn(d, at, v, part);
}

/* A string, an array of parts, or null; an empty text is no part. */
static int read_content(const struct decoding *d, const struct km_place *at,
                        const struct km_json *v, enum km_role role, struct km_part **list)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str text, key;
    int r = 0;

    if (!km_given(v))
        return 0;
    if (km_json_string(v, &text))
        return !text.n || new_part(d, list, KM_PART_TEXT, text) ? 0 : km_read_nomem(&d->rd);
    if (km_json_kind(v) != KM_JSON_ARRAY)
        return km_read_bad(&d->rd, at, "must be a string or an array of parts");
    km_json_iter(v, &it);
    for (size_t i = 0; r == 0 && km_json_next(&it, &key, &item); i++) {
        while (*list)
            list = &(*list)->next;
        if (km_json_string(item, &text))
            r = new_part(d, list, KM_PART_TEXT, text) ? 0 : km_read_nomem(&d->rd);
        else
            r = read_part(d, KM_ITEM(at, i), item, role, list);
    }
    return r;
}

/* --- what an assistant said before --- */

static int read_thinking(const struct decoding *d, const struct km_place *at,
                         const struct km_json *v, struct km_part **list)
{
    const struct km_json *blocks = km_json_take(v, "thinking_blocks"), *item;
    struct km_str text = KM_STR_NONE, key;
    struct km_json_iter it;
    int r = km_read_array(&d->rd, KM_AT(at, "thinking_blocks"), blocks);

    if (r == 0 && km_json_count(blocks) > 0) {
        km_json_iter(blocks, &it);
        for (size_t i = 0; r == 0 && km_json_next(&it, &key, &item); i++)
            r = read_part(d, KM_ITEM(KM_AT(at, "thinking_blocks"), i), item, KM_ROLE_ASSISTANT,
                          list);
        return r;
    }
    if (r == 0)
        r = km_read_string(&d->rd, KM_AT(at, "reasoning_content"),
                           km_json_take(v, "reasoning_content"), &text);
    if (r == 0 && text.n && !new_part(d, list, KM_PART_REASONING, text))
        r = km_read_nomem(&d->rd);
    return r;
}

/* The signature of a call, as Google's OpenAI surface writes it or as LiteLLM does. */
static struct km_str signature_of(const struct km_json *call)
{
    const struct km_json *google = km_json_take(km_json_take(call, "extra_content"), "google");
    const struct km_json *own = km_json_take(call, "provider_specific_fields");
    struct km_str s = KM_STR_NONE;

    if (!km_json_string(km_json_take(google, "thought_signature"), &s))
        (void)km_json_string(km_json_take(own, "thought_signature"), &s);
    return s;
}

static int read_function(const struct decoding *d, const struct km_place *at,
                         const struct km_json *v, struct km_part *part)
{
    const struct km_json *arguments = km_json_take(v, "arguments");
    struct km_str text = KM_STR_NONE;
    int r;

    if (km_json_kind(v) != KM_JSON_OBJECT)
        return km_read_bad(&d->rd, at, "must be an object");
    r = km_read_needed(&d->rd, KM_AT(at, "name"), km_json_take(v, "name"), &part->name);
    at = KM_AT(at, "arguments");
    if (r == 0 && km_json_kind(arguments) == KM_JSON_OBJECT)
        return km_read_object(&d->rd, at, arguments, &part->input_json);
    if (r == 0)
        r = km_read_string(&d->rd, at, arguments, &text);
    return r == 0 ? km_read_object_text(&d->rd, at, text, &part->input_json) : r;
}

static int read_call(const struct decoding *d, const struct km_place *at, const struct km_json *v,
                     struct km_part **list)
{
    struct km_part *part = new_part(d, list, KM_PART_TOOL_USE, KM_STR_NONE);
    struct km_str type = KM_STR("function");
    int r;

    if (!part)
        return km_read_nomem(&d->rd);
    r = km_read_string(&d->rd, KM_AT(at, "type"), km_json_take(v, "type"), &type);
    if (r == 0 && !km_str_eq(type, KM_STR("function")))
        r = km_read_refuse(&d->rd, KM_AT(at, "type"),
                           "is a kind of call that this model's provider does not know");
    if (r == 0)
        r = km_read_needed(&d->rd, KM_AT(at, "id"), km_json_take(v, "id"), &part->id);
    part->signature = signature_of(v);
    part->cache_ttl_s = km_read_cache(km_json_take(v, "cache_control"));
    return r == 0 ? read_function(d, KM_AT(at, "function"), km_json_take(v, "function"), part) : r;
}

static int read_calls(struct decoding *d, const struct km_place *at, const struct km_json *v,
                      struct km_part **list)
{
    const struct km_json *calls = km_json_take(v, "tool_calls"), *item;
    const struct km_json *function = km_json_take(v, "function_call");
    struct km_json_iter it;
    struct km_part *part;
    struct km_str key;
    int r = km_read_array(&d->rd, KM_AT(at, "tool_calls"), calls);

    km_json_iter(r == 0 && km_given(calls) ? calls : NULL, &it);
    for (size_t i = 0; r == 0 && km_json_next(&it, &key, &item); i++) {
        while (*list)
            list = &(*list)->next;
        r = read_call(d, KM_ITEM(KM_AT(at, "tool_calls"), i), item, list);
    }
    if (r < 0 || !km_given(function))
        return r;
    part = new_part(d, list, KM_PART_TOOL_USE, KM_STR_NONE);
    if (!part)
        return km_read_nomem(&d->rd);
    part->id = d->function_id = km_arena_printf(d->rd.arena, "call_function_%zu", d->nfunctions++);
    return read_function(d, KM_AT(at, "function_call"), function, part);
}

static int read_assistant(struct decoding *d, const struct km_place *at, const struct km_json *v,
                          struct km_message *m)
{
    struct km_str refusal = KM_STR_NONE, audio = KM_STR_NONE;
    struct km_part *part;
    int r = read_thinking(d, at, v, &m->parts);

    if (r == 0)
        r = read_content(d, KM_AT(at, "content"), km_json_take(v, "content"), KM_ROLE_ASSISTANT,
                         &m->parts);
    if (r == 0)
        r = km_read_string(&d->rd, KM_AT(at, "refusal"), km_json_take(v, "refusal"), &refusal);
    if (r == 0 && refusal.n && !new_part(d, &m->parts, KM_PART_REFUSAL, refusal))
        return km_read_nomem(&d->rd);
    if (r == 0 && km_json_string(km_json_take(km_json_take(v, "audio"), "id"), &audio)) {
        part = new_part(d, &m->parts, KM_PART_AUDIO, KM_STR_NONE);
        if (!part)
            return km_read_nomem(&d->rd);
        part->media.file_id = audio;
    }
    return r == 0 ? read_calls(d, at, v, &m->parts) : r;
}

/* --- messages --- */

static int read_result(struct decoding *d, const struct km_place *at, const struct km_json *v,
                       bool function)
{
    struct km_part *part;
    int r;

    if (!d->results)
        d->results = km_chat_message(d->chat, d->rd.arena, KM_ROLE_USER);
    part = d->results ? new_part(d, &d->results->parts, KM_PART_TOOL_RESULT, KM_STR_NONE) : NULL;
    if (!part)
        return km_read_nomem(&d->rd);
    part->cache_ttl_s = km_read_cache(km_json_take(v, "cache_control"));
    r = km_read_string(&d->rd, KM_AT(at, "name"), km_json_take(v, "name"), &part->name);
    if (r == 0 && function)
        part->id = d->function_id;
    else if (r == 0)
        r = km_read_needed(&d->rd, KM_AT(at, "tool_call_id"), km_json_take(v, "tool_call_id"),
                           &part->id);
    if (r == 0 && !part->id.n)
        r = km_read_bad(&d->rd, KM_AT(at, "role"), "answers a function_call that is not there");
    return r == 0 ? read_content(d, KM_AT(at, "content"), km_json_take(v, "content"), KM_ROLE_USER,
                                 &part->content)
                  : r;
}

/* A message's own cache_control stands for one on its last part. */
static void cache_message(struct km_message *m, const struct km_json *v)
{
    struct km_part *last = m->parts;
    int ttl_s = km_read_cache(km_json_take(v, "cache_control"));

    while (last && last->next)
        last = last->next;
    if (last && ttl_s)
        last->cache_ttl_s = ttl_s;
}

static bool role_of(struct km_str name, enum km_role *ret)
{
    if (km_str_eq(name, KM_STR("system")) || km_str_eq(name, KM_STR("developer")))
        *ret = KM_ROLE_SYSTEM;
    else if (km_str_eq(name, KM_STR("user")))
        *ret = KM_ROLE_USER;
    else if (km_str_eq(name, KM_STR("assistant")))
        *ret = KM_ROLE_ASSISTANT;
    else
        return false;
    return true;
}

static int read_message(struct decoding *d, const struct km_place *at, const struct km_json *v)
{
    const struct km_json *content = km_json_take(v, "content");
    struct km_str name = KM_STR_NONE;
    struct km_message *m;
    enum km_role role;
    int r;

    if (km_json_kind(v) != KM_JSON_OBJECT)
        return km_read_bad(&d->rd, at, "must be an object");
    r = km_read_needed(&d->rd, KM_AT(at, "role"), km_json_take(v, "role"), &name);
    if (r < 0)
        return r;
    if (km_str_eq(name, KM_STR("tool")) || km_str_eq(name, KM_STR("function")))
        return read_result(d, at, v, name.n == 8);
    d->results = NULL;
    if (!role_of(name, &role))
        return km_read_bad(&d->rd, KM_AT(at, "role"),
                           "must be system, developer, user, assistant, tool or function");
    if (role != KM_ROLE_ASSISTANT && !km_given(content))
        return km_read_bad(&d->rd, KM_AT(at, "content"), "must be a string or an array of parts");
    m = km_chat_message(d->chat, d->rd.arena, role);
    if (!m)
        return km_read_nomem(&d->rd);
    r = km_read_string(&d->rd, KM_AT(at, "name"), km_json_take(v, "name"), &m->name);
    if (r == 0 && role == KM_ROLE_ASSISTANT)
        r = read_assistant(d, at, v, m);
    else if (r == 0)
        r = read_content(d, KM_AT(at, "content"), content, role, &m->parts);
    cache_message(m, v);
    return r;
}

/* --- the rest of the body --- */

int km_openai_params(struct km_chat *chat, struct km_arena *arena, const struct km_json *root,
                     struct km_err *err)
{
    static const char *const first[] = { "tools", "functions" }; /* choices look at them */
    struct km_json_iter it;
    const struct km_json *v;
    struct km_str name;
    size_t extras = 0;
    int r = 0;

    for (size_t i = 0; r == 0 && i < sizeof first / sizeof first[0]; i++)
        if (km_json_take(root, first[i]))
            r = km_openai_param(chat, arena, km_str_c(first[i]), km_json_take(root, first[i]), err);
    for (km_json_iter(root, &it); r == 0 && km_json_next(&it, &name, &v);) {
        km_json_take_this(v);
        if (km_openai_member(name) && !km_str_eq(name, KM_STR("messages")))
            km_json_take_all(v);
        if (!km_given(v) || km_openai_member(name) || km_str_eq(name, KM_STR("tools")) ||
            km_str_eq(name, KM_STR("functions")))
            continue;
        r = km_openai_param(chat, arena, name, v, err);
        if (r != KM_E_NOT_FOUND)
            continue;
        if (++extras > EXTRAS_MOST)
            return km_fail(err, KM_E_LIMIT, "More than %d unknown members.", EXTRAS_MOST);
        km_chat_extra(chat, arena, name, km_json_take_compact(v, arena));
        r = 0;
    }
    return r;
}

int km_openai_decode(const struct km_llm_request *req, const struct km_json *root,
                     struct km_arena *arena, struct km_chat *ret_chat, struct km_err *err)
{
    const struct km_json *messages = km_json_take(root, "messages"), *item;
    struct decoding d = { .rd = { arena, err }, .chat = ret_chat };
    struct km_json_iter it;
    struct km_str key;
    int r;

    (void)req;
    km_chat_init(ret_chat);
    if (km_json_count(messages) == 0)
        return km_read_bad(&d.rd, KM_AT(NULL, "messages"), "must be an array of messages");
    r = km_openai_params(ret_chat, arena, root, err);
    km_json_iter(messages, &it);
    for (size_t i = 0; r == 0 && km_json_next(&it, &key, &item); i++)
        r = read_message(&d, KM_ITEM(KM_AT(NULL, "messages"), i), item);
    if (r < 0)
        return r;
    km_chat_name_results(ret_chat);
    return km_arena_overflowed(arena) ? km_read_nomem(&d.rd) : 0;
}
