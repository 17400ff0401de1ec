/* SPDX-License-Identifier: Apache-2.0 */
/* told_native.c - streams that are passed on, as far as another upstream has to know them (told.h).
 *
 *     chat       {"id","created","choices":[{"index":0,"delta":{"role","content"}}]}
 *     Messages   message_start, content_block_start, content_block_delta, content_block_stop
 *     Responses  response.created, output_item.added, content_part.added, output_text.delta
 *
 * Only what is known to be plain text is: any other member that says something, and any other
 * event, makes the stream unfit.  Events are copied apart by the JSON reader, for text has escapes;
 * this runs only for calls that ask for it.
 */
#include "llm/told.h"

#include "http/json.h"

static bool says_something(const struct km_json *v)
{
    struct km_str text;
    bool truth;

    switch (km_json_kind(v)) {
    case KM_JSON_ABSENT:
    case KM_JSON_NULL:
        return false;
    case KM_JSON_STRING:
        return km_json_string(v, &text) && text.n > 0;
    case KM_JSON_ARRAY:
    case KM_JSON_OBJECT:
        return km_json_count(v) > 0;
    default:
        return !km_json_bool(v, &truth) || truth;
    }
}

static struct km_str text_of(const struct km_json *object, const char *name)
{
    struct km_str text = KM_STR_NONE;

    (void)km_json_string(km_json_get(object, name), &text);
    return text;
}

/* Not what was read is to be sent once more, and what cannot be read might be anything. */
static const struct km_json *read(struct km_told *t, struct km_str data, struct km_arena *scratch)
{
    const struct km_json *root;

    if (km_json_parse_answer(scratch, data, &root, NULL) == 0 &&
        km_json_kind(root) == KM_JSON_OBJECT)
        return root;
    km_told_spoil(t, "unknown_event");
    return NULL;
}

/* --- chat completions --- */

struct word {
    const char *name, *why;
};

/* Members of a delta that are no plain text. */
static const struct word deltas[] = {
    { "tool_calls", "tool_call" },        { "function_call", "tool_call" },
    { "refusal", "refusal" },             { "audio", "audio" },
    { "reasoning_content", "reasoning" }, { "reasoning", "reasoning" },
    { "reasoning_details", "reasoning" }, { "thinking_blocks", "reasoning" },
    { "annotations", "citation" },        { "images", "image" },
};

static void note_delta(struct km_told *t, const struct km_json *delta)
{
    const struct km_json *content = km_json_get(delta, "content");
    struct km_str text;

    for (size_t i = 0; i < sizeof deltas / sizeof *deltas; i++)
        if (says_something(km_json_get(delta, deltas[i].name)))
            km_told_spoil(t, deltas[i].why);
    if (km_json_string(content, &text))
        km_told_add(t, text);
    else if (says_something(content))
        km_told_spoil(t, "unknown_event");
}

static void note_choice(struct km_told *t, const struct km_json *choice)
{
    int64_t index = 0;

    (void)km_json_i64(km_json_get(choice, "index"), &index);
    if (index != 0)
        km_told_spoil(t, "choices");
    t->begun = true;
    t->index = 0;
    t->open = true;
    note_delta(t, km_json_get(choice, "delta"));
    if (says_something(km_json_get(choice, "logprobs")))
        km_told_spoil(t, "logprobs");
    if (says_something(km_json_get(choice, "finish_reason")))
        km_told_spoil(t, "end");
}

void km_told_note_chat(struct km_told *t, struct km_str type, struct km_str data,
                       struct km_arena *scratch)
{
    const struct km_json *root, *choice;
    struct km_json_iter it;
    struct km_str key;

    (void)type;
    if (km_str_eq(km_str_trim(data), KM_STR("[DONE]"))) {
        km_told_spoil(t, "end");
        return;
    }
    root = read(t, data, scratch);
    if (!root)
        return;
    if (!t->id.n)
        t->id = km_arena_str(t->arena, text_of(root, "id"));
    if (t->created_s < 0)
        (void)km_json_i64(km_json_get(root, "created"), &t->created_s);
    if (says_something(km_json_get(root, "citations")))
        km_told_spoil(t, "citation");
    if (km_json_kind(km_json_get(root, "choices")) != KM_JSON_ARRAY)
        return;
    for (km_json_iter(km_json_get(root, "choices"), &it); km_json_next(&it, &key, &choice);)
        note_choice(t, choice);
}

/* --- Messages --- */

static void note_block(struct km_told *t, const struct km_json *root)
{
    const struct km_json *block = km_json_get(root, "content_block");
    struct km_str type = text_of(block, "type");

    t->index = t->index + 1;
    (void)km_json_i64(km_json_get(root, "index"), &t->index);
    t->open = true;
    if (!km_str_eq(type, KM_STR("text")))
        km_told_spoil(t, km_str_ends(type, KM_STR("thinking")) ? "reasoning" : "tool_call");
    if (says_something(km_json_get(block, "citations")))
        km_told_spoil(t, "citation");
    km_told_add(t, text_of(block, "text"));
}

static void note_piece(struct km_told *t, const struct km_json *delta)
{
    struct km_str type = text_of(delta, "type");

    if (km_str_eq(type, KM_STR("text_delta")))
        km_told_add(t, text_of(delta, "text"));
    else
        km_told_spoil(t, km_str_eq(type, KM_STR("citations_delta")) ? "citation" : "unknown_event");
}

void km_told_note_messages(struct km_told *t, struct km_str type, struct km_str data,
                           struct km_arena *scratch)
{
    const struct km_json *root = read(t, data, scratch);

    if (!root)
        return;
    type = text_of(root, "type");
    if (km_str_eq(type, KM_STR("message_start"))) {
        t->begun = true;
        t->id = km_arena_str(t->arena, text_of(km_json_get(root, "message"), "id"));
    } else if (km_str_eq(type, KM_STR("content_block_start"))) {
        note_block(t, root);
    } else if (km_str_eq(type, KM_STR("content_block_delta"))) {
        note_piece(t, km_json_get(root, "delta"));
    } else if (km_str_eq(type, KM_STR("content_block_stop"))) {
        t->open = false;
    } else if (!km_str_eq(type, KM_STR("ping"))) {
        km_told_spoil(t, "end");
    }
}

/* --- Responses --- */

static void note_response(struct km_told *t, const struct km_json *response)
{
    t->begun = true;
    if (!t->id.n)
        t->id = km_arena_str(t->arena, text_of(response, "id"));
    if (t->created_s < 0)
        (void)km_json_i64(km_json_get(response, "created_at"), &t->created_s);
}

static void note_item(struct km_told *t, const struct km_json *item)
{
    struct km_str type = text_of(item, "type");

    if (!km_str_eq(type, KM_STR("message")))
        km_told_spoil(t, km_str_eq(type, KM_STR("reasoning")) ? "reasoning" : "tool_call");
    if (says_something(km_json_get(item, "content")))
        km_told_spoil(t, "unknown_event");
    t->index++;
    t->open = true;
    t->item = km_arena_str(t->arena, text_of(item, "id"));
    if (t->index > 0)
        km_told_spoil(t, "items");
}

static void note_part(struct km_told *t, const struct km_json *part)
{
    struct km_str type = text_of(part, "type");

    if (!km_str_eq(type, KM_STR("output_text")) || t->part)
        km_told_spoil(t, km_str_eq(type, KM_STR("refusal")) ? "refusal" : "unknown_event");
    t->part = true;
    km_told_add(t, text_of(part, "text"));
}

static void note_words(struct km_told *t, const struct km_json *root)
{
    if (says_something(km_json_get(root, "logprobs")))
        km_told_spoil(t, "logprobs");
    if (t->index < 0 || !t->part)
        km_told_spoil(t, "unknown_event");
    km_told_add(t, text_of(root, "delta"));
}

void km_told_note_responses(struct km_told *t, struct km_str type, struct km_str data,
                            struct km_arena *scratch)
{
    const struct km_json *root = read(t, data, scratch);
    int64_t n = t->sequence + 1;

    if (!root)
        return;
    type = text_of(root, "type");
    (void)km_json_i64(km_json_get(root, "sequence_number"), &n);
    t->sequence = n;
    t->progress = t->progress || !km_str_eq(type, KM_STR("response.created"));
    if (km_str_eq(type, KM_STR("response.created")) ||
        km_str_eq(type, KM_STR("response.in_progress")) ||
        km_str_eq(type, KM_STR("response.queued")))
        note_response(t, km_json_get(root, "response"));
    else if (km_str_eq(type, KM_STR("response.output_item.added")))
        note_item(t, km_json_get(root, "item"));
    else if (km_str_eq(type, KM_STR("response.content_part.added")))
        note_part(t, km_json_get(root, "part"));
    else if (km_str_eq(type, KM_STR("response.output_text.delta")))
        note_words(t, root);
    else
        km_told_spoil(t, km_str_starts(type, KM_STR("response.output_text.annotation")) ? "citation"
                         : km_str_ends(type, KM_STR(".done"))                           ? "end"
                         : km_str_starts(type, KM_STR("response.re")) ? "reasoning"
                                                                      : "unknown_event");
}
