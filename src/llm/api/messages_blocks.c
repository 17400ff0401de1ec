/* SPDX-License-Identifier: Apache-2.0 */
/* messages_blocks.c - the content blocks of Messages, read into parts.
 *
 * A row a type says in which role it may stand and who reads it.  What only Anthropic's own
 * servers understand (calls they made themselves, containers) has no part to become and is
 * refused with its place; such conversations are for models served by Messages.
 */
#include "http/json_take.h"
#include "base/encode.h"
#include "llm/api/messages.h"

#define TEXT_MOST ((size_t)64 * 1024 * 1024)

typedef int block_fn(const struct km_reading *rd, const struct km_place *at,
                     const struct km_json *v, struct km_part *part);

static int read_text(const struct km_reading *rd, const struct km_place *at,
                     const struct km_json *v, struct km_part *part)
{
    const struct km_json *text = km_json_take(v, "text");

    if (!km_given(text))
        return km_read_bad(rd, KM_AT(at, "text"), "must be a string");
    return km_read_string(rd, KM_AT(at, "text"), text, &part->text);
}

/* --- media --- */

static int read_base64(const struct km_reading *rd, const struct km_place *at,
                       const struct km_json *source, struct km_media *m)
{
    int r =
        km_read_needed(rd, KM_AT(at, "media_type"), km_json_take(source, "media_type"), &m->type);

    if (r == 0)
        r = km_read_needed(rd, KM_AT(at, "data"), km_json_take(source, "data"), &m->data);
    if (r == 0 && !km_base64_ok(m->data))
        r = km_read_bad(rd, KM_AT(at, "data"), "is not base64");
    return r;
}

static int as_base64(const struct km_reading *rd, struct km_str text, struct km_media *m)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(TEXT_MOST);

    km_buf_base64(&b, text);
    m->type = KM_STR("text/plain");
    m->data = km_arena_str(rd->arena, km_buf_view(&b));
    return km_buf_failed(&b) || (text.n && !m->data.n) ? km_read_nomem(rd) : 0;
}

static int read_text_source(const struct km_reading *rd, const struct km_place *at,
                            const struct km_json *source, struct km_media *m)
{
    struct km_str text = KM_STR_NONE;
    int r = km_read_needed(rd, KM_AT(at, "data"), km_json_take(source, "data"), &text);

    (void)km_json_take(source, "media_type"); /* there is one */
    return r == 0 ? as_base64(rd, text, m) : r;
}

/* Blocks that become one with what they stand in: it is cached where one of them was to be. */
static void keep_cache(struct km_part *part, const struct km_part *inside)
{
    for (; inside; inside = inside->next)
        if (inside->cache_ttl_s > part->cache_ttl_s)
            part->cache_ttl_s = inside->cache_ttl_s;
}

/* {"type":"content","content": text or text blocks}: a document made of blocks. */
static int read_content_source(const struct km_reading *rd, const struct km_place *at,
                               const struct km_json *source, struct km_part *part)
{
    struct km_buf all KM_CLEANUP(km_buf_done) = KM_BUF(TEXT_MOST);
    struct km_part *parts = NULL;
    int r = km_messages_read_blocks(rd, KM_AT(at, "content"), km_json_take(source, "content"),
                                    KM_ROLE_SYSTEM, &parts);

    if (r < 0)
        return r;
    for (const struct km_part *p = parts; p; p = p->next) {
        if (all.n)
            km_buf_byte(&all, '\n');
        km_buf_str(&all, p->text);
    }
    if (km_buf_failed(&all))
        return km_read_nomem(rd);
    keep_cache(part, parts);
    return as_base64(rd, km_buf_view(&all), &part->media);
}

static int read_source(const struct km_reading *rd, const struct km_place *at,
                       const struct km_json *v, struct km_part *part)
{
    const struct km_json *source = km_json_take(v, "source");
    struct km_media *m = &part->media;
    struct km_str type = KM_STR_NONE;
    int r;

    at = KM_AT(at, "source");
    if (km_json_kind(source) != KM_JSON_OBJECT)
        return km_read_bad(rd, at, "must be an object");
    r = km_read_needed(rd, KM_AT(at, "type"), km_json_take(source, "type"), &type);
    if (r < 0)
        return r;
    if (km_str_eq(type, KM_STR("base64")))
        return read_base64(rd, at, source, m);
    if (km_str_eq(type, KM_STR("url")))
        return km_read_needed(rd, KM_AT(at, "url"), km_json_take(source, "url"), &m->url);
    if (km_str_eq(type, KM_STR("file")))
        return km_read_needed(rd, KM_AT(at, "file_id"), km_json_take(source, "file_id"),
                              &m->file_id);
    if (part->kind == KM_PART_DOCUMENT && km_str_eq(type, KM_STR("text")))
        return read_text_source(rd, at, source, m);
    if (part->kind == KM_PART_DOCUMENT && km_str_eq(type, KM_STR("content")))
        return read_content_source(rd, at, source, part);
    return km_read_bad(rd, KM_AT(at, "type"), "is no kind of source known here");
}

static int read_document(const struct km_reading *rd, const struct km_place *at,
                         const struct km_json *v, struct km_part *part)
{
    int r = km_read_string(rd, KM_AT(at, "title"), km_json_take(v, "title"), &part->media.name);

    if (r == 0)
        r = km_read_string(rd, KM_AT(at, "context"), km_json_take(v, "context"), &part->context);
    if (r == 0)
        r = km_read_bool(rd, KM_AT(at, "citations.enabled"),
                         km_json_take(km_json_take(v, "citations"), "enabled"), &part->cite);
    return r == 0 ? read_source(rd, at, v, part) : r;
}

/* What was found elsewhere and is given as a source: title, address and text in one. */
static int read_search(const struct km_reading *rd, const struct km_place *at,
                       const struct km_json *v, struct km_part *part)
{
    struct km_buf all KM_CLEANUP(km_buf_done) = KM_BUF(TEXT_MOST);
    struct km_str title = KM_STR_NONE, source = KM_STR_NONE;
    struct km_part *parts = NULL;
    int r = km_read_string(rd, KM_AT(at, "title"), km_json_take(v, "title"), &title);

    if (r == 0)
        r = km_read_string(rd, KM_AT(at, "source"), km_json_take(v, "source"), &source);
    if (r == 0)
        r = km_messages_read_blocks(rd, KM_AT(at, "content"), km_json_take(v, "content"),
                                    KM_ROLE_SYSTEM, &parts);
    if (r < 0)
        return r;
    km_buf_str(&all, title);
    km_buf_byte(&all, '\n');
    km_buf_str(&all, source);
    for (const struct km_part *p = parts; p; p = p->next) {
        km_buf_byte(&all, '\n');
        km_buf_str(&all, p->text);
    }
    keep_cache(part, parts);
    part->text = km_arena_str(rd->arena, km_buf_view(&all));
    return km_buf_failed(&all) ? km_read_nomem(rd) : 0;
}

/* --- tools --- */

/* An id that carries a signature (see messages.h) is taken apart again. */
static void take_signature(struct km_part *part)
{
    size_t at = km_str_find(part->id, KM_STR(KM_MESSAGES_SIGNED));

    if (at == part->id.n)
        return;
    part->signature = km_str_skip(part->id, at + sizeof KM_MESSAGES_SIGNED - 1);
    part->id = km_str_sub(part->id, 0, at);
}

static int read_use(const struct km_reading *rd, const struct km_place *at, const struct km_json *v,
                    struct km_part *part)
{
    int r = km_read_needed(rd, KM_AT(at, "id"), km_json_take(v, "id"), &part->id);

    if (r == 0)
        r = km_read_needed(rd, KM_AT(at, "name"), km_json_take(v, "name"), &part->name);
    part->input_json = KM_STR("{}");
    take_signature(part);
    return r == 0
               ? km_read_object(rd, KM_AT(at, "input"), km_json_take(v, "input"), &part->input_json)
               : r;
}

static int read_result(const struct km_reading *rd, const struct km_place *at,
                       const struct km_json *v, struct km_part *part)
{
    int r = km_read_needed(rd, KM_AT(at, "tool_use_id"), km_json_take(v, "tool_use_id"), &part->id);

    take_signature(part);
    part->signature = KM_STR_NONE;
    if (r == 0)
        r = km_read_bool(rd, KM_AT(at, "is_error"), km_json_take(v, "is_error"), &part->is_error);
    at = KM_AT(at, "content");
    if (r == 0)
        r = km_messages_read_blocks(rd, at, km_json_take(v, "content"), KM_ROLE_USER,
                                    &part->content);
    if (r == 0 && part->content && part->content->kind == KM_PART_TOOL_RESULT)
        r = km_read_bad(rd, at, "must not hold results itself");
    return r;
}

/* --- thinking --- */

static int read_thinking(const struct km_reading *rd, const struct km_place *at,
                         const struct km_json *v, struct km_part *part)
{
    int r = km_read_string(rd, KM_AT(at, "thinking"), km_json_take(v, "thinking"), &part->text);

    return r == 0 ? km_read_string(rd, KM_AT(at, "signature"), km_json_take(v, "signature"),
                                   &part->signature)
                  : r;
}

static int read_redacted(const struct km_reading *rd, const struct km_place *at,
                         const struct km_json *v, struct km_part *part)
{
    return km_read_needed(rd, KM_AT(at, "data"), km_json_take(v, "data"), &part->text);
}

#define IN(role) (1U << KM_ROLE_##role)

static const struct block_row {
    const char *type;
    enum km_part_kind kind;
    unsigned roles;
    block_fn *read;
} rows[] = {
    { "text", KM_PART_TEXT, IN(SYSTEM) | IN(USER) | IN(ASSISTANT), read_text },
    { "image", KM_PART_IMAGE, IN(USER) | IN(ASSISTANT), read_source },
    { "document", KM_PART_DOCUMENT, IN(USER) | IN(ASSISTANT), read_document },
    { "search_result", KM_PART_TEXT, IN(USER), read_search },
    { "tool_use", KM_PART_TOOL_USE, IN(ASSISTANT), read_use },
    { "tool_result", KM_PART_TOOL_RESULT, IN(USER), read_result },
    { "thinking", KM_PART_REASONING, IN(ASSISTANT), read_thinking },
    { "redacted_thinking", KM_PART_REDACTED, IN(ASSISTANT), read_redacted },
};

static int row_of(const struct km_reading *rd, const struct km_place *at, const struct km_json *v,
                  enum km_role role, const struct block_row **ret)
{
    struct km_str type = KM_STR_NONE;
    int r;

    if (km_json_kind(v) != KM_JSON_OBJECT)
        return km_read_bad(rd, at, "must be a content block");
    r = km_read_needed(rd, KM_AT(at, "type"), km_json_take(v, "type"), &type);
    if (r < 0)
        return r;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (km_str_eq(type, km_str_c(rows[i].type)) && (rows[i].roles >> role & 1)) {
            *ret = &rows[i];
            return 0;
        }
    return km_read_refuse(rd, KM_AT(at, "type"),
                          "is a kind of block that this model's provider cannot be given here");
}

static struct km_part *new_part(const struct km_reading *rd, enum km_part_kind kind)
{
    struct km_part *part = km_arena_zalloc(rd->arena, sizeof *part);

    if (part)
        part->kind = kind;
    return part;
}

/* One text, unless it is empty. */
static int one_text(const struct km_reading *rd, struct km_str text, struct km_part **ret)
{
    if (!text.n)
        return 0;
    *ret = new_part(rd, KM_PART_TEXT);
    if (!*ret)
        return km_read_nomem(rd);
    (*ret)->text = text;
    return 0;
}

int km_messages_read_blocks(const struct km_reading *rd, const struct km_place *at,
                            const struct km_json *content, enum km_role role,
                            struct km_part **ret_parts)
{
    struct km_part *results = NULL, *others = NULL, **result = &results, **other = &others;
    const struct block_row *row = &rows[0];
    const struct km_json *v;
    struct km_json_iter it;
    struct km_str text;
    int r = 0;

    if (!km_given(content))
        return 0;
    if (km_json_string(content, &text))
        return one_text(rd, text, ret_parts);
    if (km_json_kind(content) != KM_JSON_ARRAY)
        return km_read_bad(rd, at, "must be a string or an array of content blocks");
    km_json_iter(content, &it);
    for (size_t i = 0; r == 0 && km_json_next(&it, &text, &v); i++) {
        struct km_part *part;

        r = row_of(rd, KM_ITEM(at, i), v, role, &row);
        if (r < 0)
            return r;
        part = new_part(rd, row->kind);
        if (!part)
            return km_read_nomem(rd);
        part->cache_ttl_s = km_read_cache(km_json_take(v, "cache_control"));
        r = row->read(rd, KM_ITEM(at, i), v, part);
        if (part->kind == KM_PART_TOOL_RESULT) {
            *result = part;
            result = &part->next;
        } else {
            *other = part;
            other = &part->next;
        }
    }
    *result = others;
    *ret_parts = results;
    return r;
}
