/* SPDX-License-Identifier: Apache-2.0 */
/* responses_tail.c - what a passed-through stream of Responses must be ended with, gathered as its
 * events pass.
 *
 *     response.created         the response: kept once
 *     output_item.added        an item is open
 *       content_part.added     ... and a part of it; or reasoning_summary_part's
 *       X.delta                its text grows (nearly all events: a copy of a few bytes)
 *       X.done                 it is said
 *       content_part.done      kept in the item
 *     output_item.done         kept whole, in place of what was kept of it
 *
 * The last event of a stream holds the whole output again, and clients take it from there and from
 * output_item.done, so that a stream can only be ended well by who has it all.  Texts stay as JSON
 * has them and are never decoded.  Items may be open side by side: then each event is asked for
 * which of them it is about.  More than KM_RESPONSES_KEPT_BYTES is not kept: such a stream ends
 * with an empty output.
 */
#include "llm/api/responses_tail.h"

static const struct km_responses_text texts[] = {
    { { "response.output_text", 20 }, "text", "content_index", "output_text" },
    { { "response.refusal", 16 }, "refusal", "content_index", "refusal" },
    { { "response.function_call_arguments", 32 }, "arguments", NULL, NULL },
    { { "response.custom_tool_call_input", 31 }, "input", NULL, NULL },
    { { "response.mcp_call_arguments", 27 }, "arguments", NULL, NULL },
    { { "response.code_interpreter_call_code", 35 }, "code", NULL, NULL },
    { { "response.reasoning_summary_text", 31 }, "text", "summary_index", "summary_text" },
    { { "response.reasoning_text", 23 }, "text", "content_index", "reasoning_text" },
};

#define TEXTS (sizeof texts / sizeof *texts)

enum { I_ITEM, I_PART, I_OUTPUT, I_CONTENT, I_SUMMARY, I_COUNT };

static const struct km_str members[I_COUNT] = {
    { "item", 4 },           { "part", 4 },           { "output_index", 12 },
    { "content_index", 13 }, { "summary_index", 13 },
};

const struct km_responses_text *km_responses_text(struct km_str type)
{
    for (size_t i = 0; i < TEXTS; i++)
        if (km_str_starts(type, texts[i].stem) && type.n > texts[i].stem.n &&
            type.p[texts[i].stem.n] == '.')
            return &texts[i];
    return NULL;
}

const struct km_responses_text *km_responses_part_text(struct km_str part_type)
{
    for (size_t i = 0; i < TEXTS; i++)
        if (texts[i].part && km_str_eq(part_type, km_str_c(texts[i].part)))
            return &texts[i];
    return NULL;
}

/* --- what is kept --- */

static void give_up(struct km_responses_tail *t)
{
    t->over = true;
    t->items = NULL;
    t->open = NULL;
    t->nopen = 0;
}

/* Room for n more bytes of an item; false, and the tail given up: it is too much. */
static bool take(struct km_responses_tail *t, struct km_responses_item *item, size_t n)
{
    if (n > KM_RESPONSES_KEPT_BYTES - t->kept) {
        give_up(t);
        return false;
    }
    t->kept += n;
    item->kept += n;
    return true;
}

/* A copy; empty: the tail was given up. */
static struct km_str hold(struct km_llm_stream *s, struct km_responses_tail *t,
                          struct km_responses_item *item, struct km_str text)
{
    struct km_str copy = take(t, item, text.n) ? km_arena_str(s->arena, text) : KM_STR_NONE;

    if (!copy.n)
        give_up(t);
    return copy;
}

struct km_responses_tail *km_responses_tail(struct km_llm_stream *s)
{
    struct km_responses_tail *t = s->tail;

    if (t || !s->keeps)
        return t;
    t = s->tail = km_arena_zalloc(s->arena, sizeof *t);
    s->keeps = t != NULL;
    if (t) {
        t->sequence = -1;
        t->end = &t->items;
    }
    return t;
}

void km_responses_keep_object(struct km_llm_stream *s, struct km_str object)
{
    struct km_responses_tail *t = km_responses_tail(s);

    if (t && !t->object.n && object.n <= KM_RESPONSES_KEPT_BYTES)
        t->object = km_arena_str(s->arena, object);
}

/* --- items --- */

static int64_t number(struct km_str data, const struct km_json_span *span)
{
    int64_t n = 0;

    return span->type == KM_JSON_NUMBER && km_str_i64(km_json_value(data, span), &n) == 0 ? n : 0;
}

static void begin_item(struct km_llm_stream *s, struct km_responses_tail *t, struct km_str json,
                       int64_t index)
{
    struct km_responses_item *item = km_arena_zalloc(s->arena, sizeof *item);

    if (!item) {
        give_up(t);
        return;
    }
    item->json = hold(s, t, item, json);
    item->index = index;
    if (t->over)
        return;
    *t->end = item;
    t->end = &item->next;
    t->open = t->nopen++ ? NULL : item;
}

static struct km_responses_item *find(const struct km_responses_tail *t, int64_t index)
{
    for (struct km_responses_item *item = t->items; item; item = item->next)
        if (item->index == index && !item->done)
            return item;
    return NULL;
}

static void end_item(struct km_llm_stream *s, struct km_responses_tail *t,
                     struct km_responses_item *item, struct km_str json)
{
    t->kept -= item->kept; /* in the arena it stays */
    item->kept = 0;
    item->json = hold(s, t, item, json);
    if (t->over)
        return;
    item->done = true;
    t->nopen--;
    t->open = NULL;
    for (struct km_responses_item *i = t->items; i && t->nopen == 1; i = i->next)
        if (!i->done)
            t->open = i;
}

/* --- parts and texts --- */

static void begin_text(struct km_responses_item *item, const struct km_responses_text *text,
                       int64_t at, struct km_str part)
{
    item->text = text;
    item->at = at;
    item->part = part;
    item->said = false;
    item->n = 0;
}

static void begin_part(struct km_llm_stream *s, struct km_responses_tail *t,
                       struct km_responses_item *item, struct km_str part, int64_t at)
{
    static const struct km_str name = { "type", 4 };
    const struct km_responses_text *text = NULL;
    struct km_json_span span;

    if (km_json_spans(part, &name, 1, &span, NULL, NULL) == 0 && span.type == KM_JSON_STRING)
        text = km_responses_part_text(km_json_text(s->scratch, part, &span));
    begin_text(item, text, at, text ? hold(s, t, item, part) : KM_STR_NONE);
}

static void end_part(struct km_llm_stream *s, struct km_responses_tail *t,
                     struct km_responses_item *item, struct km_str part)
{
    item->text = NULL;
    if (take(t, item, part.n))
        item->parts = km_arena_cat(
            s->arena,
            (struct km_str[]){ item->parts, item->parts.n ? KM_STR(",") : KM_STR_NONE, part }, 3);
}

static void grow(struct km_llm_stream *s, struct km_responses_tail *t,
                 struct km_responses_item *item, struct km_str piece)
{
    if (piece.n > item->cap - item->n) {
        size_t cap = item->cap ? item->cap * 2 : 1024;
        char *p;

        while (cap < item->n + piece.n)
            cap *= 2;
        p = take(t, item, cap - item->cap) ? km_arena_alloc(s->arena, cap) : NULL;
        if (!p) {
            give_up(t);
            return;
        }
        if (item->n)
            memcpy(p, item->p, item->n);
        item->p = p;
        item->cap = cap;
    }
    memcpy(item->p + item->n, piece.p, piece.n);
    item->n += piece.n;
}

static bool is_of(struct km_str type, const struct km_responses_text *text)
{
    return text && km_str_starts(type, text->stem) && type.n > text->stem.n &&
           type.p[text->stem.n] == '.';
}

/* --- events --- */

/* The item it is about; spans: NULL, or room for the event's members, which are read. */
static struct km_responses_item *item_of(const struct km_responses_tail *t, struct km_str data,
                                         struct km_json_span *spans)
{
    struct km_json_span own[I_COUNT];

    if (t->open && !spans)
        return t->open;
    if (km_json_spans(data, members, I_COUNT, spans ? spans : own, NULL, NULL) < 0)
        return NULL;
    return t->open ? t->open : find(t, number(data, spans ? &spans[I_OUTPUT] : &own[I_OUTPUT]));
}

static int64_t place_of(const struct km_responses_text *text, struct km_str data,
                        const struct km_json_span *spans)
{
    if (!text || !text->index)
        return 0;
    return number(data, &spans[text->index[0] == 's' ? I_SUMMARY : I_CONTENT]);
}

static void keep_delta(struct km_llm_stream *s, struct km_responses_tail *t, struct km_str type,
                       struct km_str delta, struct km_str data)
{
    struct km_responses_item *item = item_of(t, data, NULL);
    struct km_json_span spans[I_COUNT];

    if (!item)
        return;
    if (!is_of(type, item->text)) { /* it has no part, or none was told */
        const struct km_responses_text *text = km_responses_text(type);

        if (!text || !item_of(t, data, spans))
            return;
        begin_text(item, text, place_of(text, data, spans), KM_STR_NONE);
    }
    grow(s, t, item, km_str_sub(delta, 1, delta.n - 2));
}

static void keep_item(struct km_llm_stream *s, struct km_responses_tail *t, bool done,
                      struct km_str data)
{
    struct km_responses_item *item;
    struct km_json_span spans[I_COUNT];
    struct km_str json;

    if (km_json_spans(data, members, I_COUNT, spans, NULL, NULL) < 0 ||
        spans[I_ITEM].type != KM_JSON_OBJECT)
        return;
    json = km_json_value(data, &spans[I_ITEM]);
    item = done ? find(t, number(data, &spans[I_OUTPUT])) : NULL;
    if (item || done) {
        if (item)
            end_item(s, t, item, json);
        return;
    }
    begin_item(s, t, json, number(data, &spans[I_OUTPUT]));
}

static void keep_part(struct km_llm_stream *s, struct km_responses_tail *t, bool done,
                      struct km_str data)
{
    struct km_json_span spans[I_COUNT];
    struct km_responses_item *item = item_of(t, data, spans);
    struct km_str part;

    if (!item || spans[I_PART].type != KM_JSON_OBJECT)
        return;
    part = km_json_value(data, &spans[I_PART]);
    if (done)
        end_part(s, t, item, part);
    else
        begin_part(
            s, t, item, part,
            number(data, &spans[spans[I_SUMMARY].type == KM_JSON_NUMBER ? I_SUMMARY : I_CONTENT]));
}

/* The text is whole: of one that had no part it was all. */
static void keep_said(const struct km_responses_tail *t, struct km_str type, struct km_str data)
{
    struct km_responses_item *item = item_of(t, data, NULL);

    if (item && is_of(type, item->text))
        item->said = true;
}

static void keep_other(struct km_llm_stream *s, struct km_responses_tail *t, struct km_str type,
                       struct km_str data)
{
    bool done = km_str_ends(type, KM_STR(".done")), added = km_str_ends(type, KM_STR(".added"));

    if (!done && !added)
        return;
    if (km_str_starts(type, KM_STR("response.output_item.")))
        keep_item(s, t, done, data);
    else if (km_str_starts(type, KM_STR("response.content_part.")) ||
             km_str_starts(type, KM_STR("response.reasoning_summary_part.")))
        keep_part(s, t, done, data);
    else if (done)
        keep_said(t, type, data);
}

void km_responses_keep(struct km_llm_stream *s, struct km_str type, struct km_str sequence,
                       struct km_str delta, struct km_str data)
{
    struct km_responses_tail *t = km_responses_tail(s);
    int64_t n;

    if (!t)
        return;
    t->sequence = sequence.n && km_str_i64(sequence, &n) == 0 && n >= 0 && n < INT32_MAX
                      ? n
                      : t->sequence + 1;
    if (t->over)
        return;
    if (km_str_ends(type, KM_STR(".delta"))) {
        if (delta.n > 2 && delta.p[0] == '"')
            keep_delta(s, t, type, delta, data);
    } else {
        keep_other(s, t, type, data);
    }
}
