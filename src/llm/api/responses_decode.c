/* SPDX-License-Identifier: Apache-2.0 */
/* responses_decode.c - a Responses request, read into the canonical chat.
 *
 *     instructions                    ->  SYSTEM, first
 *     input "text"                    ->  USER
 *     message items                   ->  SYSTEM, USER, ASSISTANT
 *     reasoning, function_call        ->  parts of the ASSISTANT's message under way
 *     function_call_output            ->  results, in one USER message
 *     custom tools and their calls    ->  functions whose input is {"input": "..."}
 *     groups of tools, their calls    ->  functions with the group's name in theirs
 *                                         (both: responses_tools.c)
 *     text.format, reasoning.effort   ->  response_format, reasoning_effort
 *
 * Items that follow one another and belong to one side are one message, as in a chat.  Reasoning
 * sealed by another provider is left out: its own words are not ours to read, and a provider
 * refuses what it did not seal.  Ours is marked, so that it finds its way back.
 *
 * Tools that OpenAI itself runs, and conversations it stores, have no meaning elsewhere.
 */
#include "http/json_take.h"
#include "llm/dropped.h"
#include "llm/api/openai.h"
#include "llm/api/read.h"
#include "llm/api/responses.h"

#define EXTRAS_MOST 128

struct items {
    struct km_reading rd;
    struct km_chat *chat;
    struct km_message *assistant; /* under way */
    struct km_message *results; /* under way */
};

static struct km_part *add(const struct items *d, struct km_message *m, enum km_part_kind kind)
{
    return m ? km_chat_part(d->rd.arena, &m->parts, kind) : NULL;
}

static struct km_message *assistant(struct items *d)
{
    d->results = NULL;
    if (!d->assistant)
        d->assistant = km_chat_message(d->chat, d->rd.arena, KM_ROLE_ASSISTANT);
    return d->assistant;
}

/* --- parts of a message --- */

static int file(const struct items *d, const struct km_place *at, const struct km_json *v,
                struct km_media *m)
{
    struct km_str data = KM_STR_NONE;
    int r = km_read_string(&d->rd, KM_AT(at, "filename"), km_json_take(v, "filename"), &m->name);

    if (r == 0)
        r = km_read_string(&d->rd, KM_AT(at, "file_id"), km_json_take(v, "file_id"), &m->file_id);
    if (r == 0)
        r = km_read_string(&d->rd, KM_AT(at, "file_url"), km_json_take(v, "file_url"), &m->url);
    if (r == 0)
        r = km_read_string(&d->rd, KM_AT(at, "file_data"), km_json_take(v, "file_data"), &data);
    if (r < 0)
        return r;
    if (data.n && km_base64_ok(data)) {
        m->data = data;
        m->type = KM_STR("application/pdf");
    } else if (data.n) {
        return km_read_url(&d->rd, KM_AT(at, "file_data"), data, m);
    }
    return m->data.n || m->file_id.n || m->url.n
               ? 0
               : km_read_bad(&d->rd, at, "must have file_data, file_url or file_id");
}

static int image(const struct items *d, const struct km_place *at, const struct km_json *v,
                 struct km_media *m)
{
    const struct km_json *url = km_json_take(v, "image_url");
    struct km_str address = KM_STR_NONE;
    int r = km_read_string(&d->rd, KM_AT(at, "file_id"), km_json_take(v, "file_id"), &m->file_id);

    if (r == 0)
        r = km_read_string(&d->rd, KM_AT(at, "detail"), km_json_take(v, "detail"), &m->detail);
    if (r < 0 || (m->file_id.n && !km_given(url)))
        return r;
    at = KM_AT(at, "image_url");
    r = km_read_needed(&d->rd, at, url, &address);
    return r == 0 ? km_read_url(&d->rd, at, address, m) : r;
}

static int read_part(const struct items *d, const struct km_place *at, const struct km_json *v,
                     struct km_part **list)
{
    static const struct {
        const char *type;
        enum km_part_kind kind;
    } rows[] = {
        { "input_text", KM_PART_TEXT },   { "output_text", KM_PART_TEXT },
        { "text", KM_PART_TEXT },         { "refusal", KM_PART_REFUSAL },
        { "input_image", KM_PART_IMAGE }, { "input_file", KM_PART_DOCUMENT },
    };
    struct km_str type = KM_STR_NONE;
    struct km_part *part;
    size_t i = 0;
    int r = km_read_needed(&d->rd, KM_AT(at, "type"), km_json_take(v, "type"), &type);

    if (r < 0)
        return r;
    while (i < sizeof rows / sizeof rows[0] && !km_str_eq(type, km_str_c(rows[i].type)))
        i++;
    if (i == sizeof rows / sizeof rows[0])
        return km_read_refuse(&d->rd, KM_AT(at, "type"),
                              "is a kind of part that this model's provider does not know");
    part = km_chat_part(d->rd.arena, list, rows[i].kind);
    if (!part)
        return km_read_nomem(&d->rd);
    part->cache_ttl_s = km_read_cache(km_json_take(v, "cache_control"));
    if (part->kind == KM_PART_IMAGE)
        return image(d, at, v, &part->media);
    if (part->kind == KM_PART_DOCUMENT)
        return file(d, at, v, &part->media);
    if (part->kind == KM_PART_REFUSAL)
        return km_read_needed(&d->rd, KM_AT(at, "refusal"), km_json_take(v, "refusal"),
                              &part->text);
    return km_given(km_json_take(v, "text"))
               ? km_read_string(&d->rd, KM_AT(at, "text"), km_json_take(v, "text"), &part->text)
               : km_read_bad(&d->rd, KM_AT(at, "text"), "must be a string");
}

static int read_content(const struct items *d, const struct km_place *at, const struct km_json *v,
                        struct km_part **list)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str text, key;
    int r = 0;

    while (*list)
        list = &(*list)->next;
    if (km_json_string(v, &text)) {
        struct km_part *part = text.n ? km_chat_part(d->rd.arena, list, KM_PART_TEXT) : NULL;

        if (part)
            part->text = text;
        return part || !text.n ? 0 : km_read_nomem(&d->rd);
    }
    if (km_json_kind(v) != KM_JSON_ARRAY)
        return km_read_bad(&d->rd, at, "must be a string or an array of parts");
    km_json_iter(v, &it);
    for (size_t i = 0; r == 0 && km_json_next(&it, &key, &item); i++) {
        while (*list)
            list = &(*list)->next;
        r = read_part(d, KM_ITEM(at, i), item, list);
    }
    return r;
}

/* --- items --- */

typedef int item_fn(struct items *d, const struct km_place *at, const struct km_json *v);

static int item_message(struct items *d, const struct km_place *at, const struct km_json *v)
{
    struct km_str role = KM_STR_NONE;
    struct km_message *m;
    int r = km_read_needed(&d->rd, KM_AT(at, "role"), km_json_take(v, "role"), &role);

    if (r < 0)
        return r;
    if (km_str_eq(role, KM_STR("assistant"))) {
        m = assistant(d);
    } else {
        d->assistant = d->results = NULL;
        if (km_str_eq(role, KM_STR("user")))
            m = km_chat_message(d->chat, d->rd.arena, KM_ROLE_USER);
        else if (km_str_eq(role, KM_STR("system")) || km_str_eq(role, KM_STR("developer")))
            m = km_chat_message(d->chat, d->rd.arena, KM_ROLE_SYSTEM);
        else
            return km_read_bad(&d->rd, KM_AT(at, "role"),
                               "must be system, developer, user or assistant");
    }
    if (!m)
        return km_read_nomem(&d->rd);
    return read_content(d, KM_AT(at, "content"), km_json_take(v, "content"), &m->parts);
}

/* "call_1__thought__<signature>" into both; most have none. */
static void split_signature(struct km_str *id, struct km_str *signature)
{
    const struct km_str mark = KM_STR(KM_RESPONSES_SIGNED);
    size_t at = km_str_find(*id, mark);

    if (at == id->n)
        return;
    if (signature)
        *signature = km_str_skip(*id, at + mark.n);
    *id = km_str_sub(*id, 0, at);
}

static int call_of(struct items *d, const struct km_place *at, const struct km_json *v,
                   struct km_part **ret)
{
    struct km_part *part = add(d, assistant(d), KM_PART_TOOL_USE);
    struct km_str group = KM_STR_NONE;
    int r;

    if (!part)
        return km_read_nomem(&d->rd);
    r = km_read_needed(&d->rd, KM_AT(at, "call_id"), km_json_take(v, "call_id"), &part->id);
    if (r == 0)
        r = km_read_needed(&d->rd, KM_AT(at, "name"), km_json_take(v, "name"), &part->name);
    if (r == 0)
        r = km_read_string(&d->rd, KM_AT(at, "namespace"), km_json_take(v, "namespace"), &group);
    if (r == 0 && group.n)
        part->name = km_responses_flat(group, part->name, d->rd.arena);
    if (r == 0)
        split_signature(&part->id, &part->signature);
    *ret = part;
    return r;
}

static int item_call(struct items *d, const struct km_place *at, const struct km_json *v)
{
    struct km_part *part = NULL;
    struct km_str arguments = KM_STR_NONE;
    int r = call_of(d, at, v, &part);

    at = KM_AT(at, "arguments");
    if (r == 0)
        r = km_read_string(&d->rd, at, km_json_take(v, "arguments"), &arguments);
    return r == 0 ? km_read_object_text(&d->rd, at, arguments, &part->input_json) : r;
}

static int item_custom_call(struct items *d, const struct km_place *at, const struct km_json *v)
{
    struct km_part *part = NULL;
    struct km_str input = KM_STR_NONE;
    int r = call_of(d, at, v, &part);

    if (r == 0)
        r = km_read_string(&d->rd, KM_AT(at, "input"), km_json_take(v, "input"), &input);
    if (r == 0 && part)
        part->input_json =
            km_arena_cat(d->rd.arena,
                         (struct km_str[]){ KM_STR("{\"input\":"),
                                            km_llm_json_string(d->rd.arena, input), KM_STR("}") },
                         3);
    return r;
}

static int item_output(struct items *d, const struct km_place *at, const struct km_json *v)
{
    const struct km_json *output = km_json_take(v, "output");
    struct km_part *part;
    int r;

    d->assistant = NULL;
    if (!d->results)
        d->results = km_chat_message(d->chat, d->rd.arena, KM_ROLE_USER);
    part = add(d, d->results, KM_PART_TOOL_RESULT);
    if (!part)
        return km_read_nomem(&d->rd);
    r = km_read_needed(&d->rd, KM_AT(at, "call_id"), km_json_take(v, "call_id"), &part->id);
    if (r < 0)
        return r;
    split_signature(&part->id, NULL);
    if (km_json_kind(output) == KM_JSON_OBJECT) { /* what some clients write */
        struct km_part *text = km_chat_part(d->rd.arena, &part->content, KM_PART_TEXT);

        if (text)
            text->text = km_json_take_compact(output, d->rd.arena);
        return text ? 0 : km_read_nomem(&d->rd);
    }
    return read_content(d, KM_AT(at, "output"), output, &part->content);
}

/* The texts of a summary, or of a content, one after another. */
static struct km_str texts_of(const struct km_json *list, struct km_arena *arena)
{
    struct km_buf all KM_CLEANUP(km_buf_done) = KM_BUF(arena->cap);
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key, text;

    if (km_json_kind(list) != KM_JSON_ARRAY)
        return KM_STR_NONE;
    for (km_json_iter(list, &it); km_json_next(&it, &key, &item);)
        if (km_json_string(km_json_take(item, "text"), &text))
            km_buf_str(&all, text);
    return km_arena_str(arena, km_buf_view(&all));
}

static int item_reasoning(struct items *d, const struct km_place *at, const struct km_json *v)
{
    const struct km_str thinking = KM_STR(KM_RESPONSES_THINKING);
    const struct km_str redacted = KM_STR(KM_RESPONSES_REDACTED);
    struct km_str sealed = KM_STR_NONE, text;
    struct km_part *part;
    bool secret;
    int r = km_read_string(&d->rd, KM_AT(at, "encrypted_content"),
                           km_json_get(v, "encrypted_content"), &sealed);

    if (r < 0)
        return r;
    secret = km_str_starts(sealed, redacted);
    if (secret || km_str_starts(sealed, thinking)) /* else it stays unread: it is another's */
        (void)km_json_take(v, "encrypted_content");
    km_json_take_all(km_json_take(v, "summary")); /* the content says the same, in full */
    text = texts_of(km_json_take(v, "content"), d->rd.arena);
    if (!text.n)
        text = texts_of(km_json_take(v, "summary"), d->rd.arena);
    if (!text.n && !secret && !km_str_starts(sealed, thinking))
        return 0; /* thinking that is not shown has its signature alone */
    part = add(d, assistant(d), secret ? KM_PART_REDACTED : KM_PART_REASONING);
    if (!part)
        return km_read_nomem(&d->rd);
    part->text = secret ? km_str_skip(sealed, redacted.n) : text;
    if (km_str_starts(sealed, thinking))
        part->signature = km_str_skip(sealed, thinking.n);
    return 0;
}

static int read_item(struct items *d, const struct km_place *at, const struct km_json *v)
{
    static const struct {
        const char *type;
        item_fn *fn;
    } rows[] = {
        { "message", item_message },
        { "function_call", item_call },
        { "function_call_output", item_output },
        { "custom_tool_call", item_custom_call },
        { "custom_tool_call_output", item_output },
        { "reasoning", item_reasoning },
    };
    struct km_str type = KM_STR("message");

    if (km_json_kind(v) != KM_JSON_OBJECT)
        return km_read_bad(&d->rd, at, "must be an object");
    (void)km_json_string(km_json_take(v, "type"), &type);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (km_str_eq(type, km_str_c(rows[i].type)))
            return rows[i].fn(d, at, v);
    return km_read_refuse(&d->rd, KM_AT(at, "type"),
                          "is a kind of item that only OpenAI itself understands");
}

static int read_input(struct items *d, const struct km_json *root)
{
    const struct km_json *input = km_json_take(root, "input"), *item;
    const struct km_place *at = KM_AT(NULL, "input");
    struct km_str text, key;
    struct km_json_iter it;
    struct km_message *m;
    int r = 0;

    if (km_json_string(km_json_take(root, "instructions"), &text) && text.n) {
        m = km_chat_message(d->chat, d->rd.arena, KM_ROLE_SYSTEM);
        if (!m || !add(d, m, KM_PART_TEXT))
            return km_read_nomem(&d->rd);
        m->parts->text = text;
    }
    if (km_json_string(input, &text)) {
        m = km_chat_message(d->chat, d->rd.arena, KM_ROLE_USER);
        return m ? read_content(d, at, input, &m->parts) : km_read_nomem(&d->rd);
    }
    if (km_json_count(input) == 0)
        return km_read_bad(&d->rd, at, "must be a string or an array of items");
    km_json_iter(input, &it);
    for (size_t i = 0; r == 0 && km_json_next(&it, &key, &item); i++)
        r = read_item(d, KM_ITEM(at, i), item);
    return r;
}

/* --- parameters --- */

enum place { P_SAME, P_INNER, P_READ, P_REFUSED, P_FOREIGN, P_IGNORED };

/* Where a member of the request goes. */
static const struct param_row {
    const char *name, *inner; /* inner: what is read of it */
    const char *as; /* OpenAI's chat name for it */
    enum place place;
} param_rows[] = {
    { "model", NULL, NULL, P_READ },
    { "input", NULL, NULL, P_READ },
    { "instructions", NULL, NULL, P_READ },
    { "stream", NULL, NULL, P_READ },
    { "store", NULL, NULL, P_READ },
    { "tools", NULL, NULL, P_READ },
    { "previous_response_id", NULL, NULL, P_REFUSED },
    { "conversation", NULL, NULL, P_REFUSED },
    { "prompt", NULL, NULL, P_REFUSED },
    { "background", NULL, NULL, P_FOREIGN },
    { "max_tool_calls", NULL, NULL, P_FOREIGN },
    { "top_logprobs", NULL, NULL, P_FOREIGN }, /* no answer brings them here */
    { "stream_options", NULL, NULL, P_IGNORED },
    { "include", NULL, NULL, P_IGNORED },
    { "truncation", NULL, NULL, P_IGNORED },
    { "client_metadata", NULL, NULL, P_IGNORED },
    { "max_output_tokens", NULL, "max_completion_tokens", P_SAME },
    { "reasoning", "effort", "reasoning_effort", P_INNER },
    { "text", "format", "response_format", P_INNER },
    { "text", "verbosity", "verbosity", P_INNER },
};

static bool says_nothing(const struct km_json *v)
{
    struct km_str number;

    return !km_given(v) || km_json_kind(v) == KM_JSON_FALSE ||
           (km_json_number(v, &number) && km_str_eq(number, KM_STR("0")));
}

/* Known to OpenAI's own models only, and no part of the conversation: it may be dropped. */
static int foreign(struct items *d, const char *name, const struct km_json *v)
{
    struct km_chat_extra *extra;

    if (says_nothing(v))
        return 0;
    extra = km_chat_extra(d->chat, d->rd.arena, km_str_c(name), KM_STR("null"));
    if (!extra)
        return km_read_nomem(&d->rd);
    extra->kind = KM_EXTRA_FOREIGN;
    return 0;
}

static int set_row(struct items *d, const struct param_row *row, const struct km_json *v)
{
    const struct km_place *at = KM_AT(NULL, row->name);

    switch (row->place) {
    case P_SAME:
        return km_openai_param_at(&d->rd, d->chat, km_str_c(row->as), at, v);
    case P_INNER:
        if (km_json_kind(v) != KM_JSON_OBJECT)
            return km_read_bad(&d->rd, at, "must be an object");
        return km_openai_param_at(&d->rd, d->chat, km_str_c(row->as), KM_AT(at, row->inner),
                                  km_json_take(v, row->inner));
    case P_REFUSED:
        return says_nothing(v) ? 0
                               : km_read_refuse(&d->rd, at, "is known to OpenAI's own models only");
    case P_FOREIGN:
        return foreign(d, row->name, v);
    default:
        return 0;
    }
}

static int set_member(struct items *d, struct km_str name, const struct km_json *v, size_t *extras)
{
    const size_t n = sizeof param_rows / sizeof param_rows[0];
    bool found = false;
    int r = 0;

    for (size_t i = 0; r == 0 && i < n; i++)
        if (km_str_eq(name, km_str_c(param_rows[i].name))) {
            if (param_rows[i].place != P_IGNORED)
                km_json_take_this(v);
            r = set_row(d, &param_rows[i], v);
            found = true;
        }
    if (found)
        return r;
    km_json_take_this(v);
    if (km_openai_member(name) && !km_str_eq(name, KM_STR("metadata"))) {
        km_json_take_all(v);
        return r;
    }
    r = km_openai_param(d->chat, d->rd.arena, name, v, d->rd.err);
    if (r != KM_E_NOT_FOUND)
        return r;
    if (++*extras > EXTRAS_MOST)
        return km_fail(d->rd.err, KM_E_LIMIT, "More than %d unknown members.", EXTRAS_MOST);
    km_chat_extra(d->chat, d->rd.arena, name, km_json_take_compact(v, d->rd.arena));
    return 0;
}

const struct km_str km_responses_idle[] = {
    KM_IDLE("input.id"),
    KM_IDLE("input.status"),
    KM_IDLE("input.content.type"),
    KM_IDLE(""),
};

int km_responses_decode(const struct km_llm_request *r, const struct km_json *root,
                        struct km_arena *arena, struct km_chat *ret_chat, struct km_err *err)
{
    struct items d = { .rd = { arena, err }, .chat = ret_chat };
    struct km_json_iter it;
    const struct km_json *v;
    struct km_str name;
    size_t extras = 0;
    int rc;

    (void)r;
    km_chat_init(ret_chat);
    rc = km_responses_tools(&d.rd, ret_chat, root);
    for (km_json_iter(root, &it); rc == 0 && km_json_next(&it, &name, &v);)
        if (km_given(v))
            rc = set_member(&d, name, v, &extras);
    if (rc == 0)
        rc = read_input(&d, root);
    if (rc < 0)
        return rc;
    km_chat_name_results(ret_chat);
    return km_arena_overflowed(arena) ? km_read_nomem(&d.rd) : 0;
}
