/* SPDX-License-Identifier: Apache-2.0 */
/* messages_answer.c - Messages passed on: whole answers, and streams event by event.
 *
 * The upstream's bytes go to the client as they are, only `model` is set back to the name that
 * was asked for: in a whole answer, and in the message_start of a stream.  Most events of a
 * stream are pieces of content: those are counted and passed on without being read.
 *
 * Usage is cumulative.  Until message_delta says what came out, only what went in is known.
 */
#include "llm/api/messages.h"
#include "llm/usage.h"

enum { A_MODEL, A_USAGE, A_COUNT };

static const struct km_str answer_members[A_COUNT] = { { "model", 5 }, { "usage", 5 } };

/* What it says replaces what was there; what it leaves out stays.  false: a count was none. */
static bool read_usage(const struct km_arena *arena, struct km_str text, struct km_usage *u)
{
    struct km_arena scratch KM_CLEANUP(km_arena_done);
    const struct km_json *usage;
    int64_t input = u->prompt_tokens - u->cached_tokens - u->cache_write_tokens;
    bool bad = false;

    km_arena_init(&scratch, arena->cap, arena->pool);
    if (km_json_parse_answer(&scratch, text, &usage, NULL) < 0 ||
        km_json_kind(usage) != KM_JSON_OBJECT)
        return false;
    km_usage_replace(usage, "input_tokens", &input, &bad);
    km_usage_replace(usage, "cache_read_input_tokens", &u->cached_tokens, &bad);
    km_usage_replace(usage, "cache_creation_input_tokens", &u->cache_write_tokens, &bad);
    u->completion_tokens = km_usage_due(usage, "output_tokens", &bad);
    km_usage_replace(km_json_get(usage, "output_tokens_details"), "thinking_tokens",
                     &u->reasoning_tokens, &bad);
    u->prompt_tokens = input + u->cached_tokens + u->cache_write_tokens;
    km_usage_extras(usage, u, &bad);
    bad = bad || u->cache_write_1h_tokens > u->cache_write_tokens;
    if (bad)
        *u = (struct km_usage){ 0 };
    return !bad;
}

static void read_whole_usage(const struct km_arena *like, struct km_str text, struct km_usage *u)
{
    u->known = read_usage(like, text, u) && u->prompt_tokens > 0;
}

int km_messages_answer(const struct km_llm_request *r, struct km_arena *arena, struct km_str body,
                       struct km_str **ret_parts, size_t *ret_n, struct km_usage *ret_usage,
                       struct km_err *err)
{
    static const struct km_llm_whole names = {
        { "model", 5 }, { "usage", 5 }, { NULL, 0 }, read_whole_usage
    };

    return km_llm_relay_whole(&names, r, arena, body, ret_parts, ret_n, ret_usage, err);
}

/* Counting costs nothing. */
int km_messages_count_answer(const struct km_llm_request *r, struct km_arena *arena,
                             struct km_str body, struct km_str **ret_parts, size_t *ret_n,
                             struct km_usage *ret_usage, struct km_err *err)
{
    int e = km_messages_answer(r, arena, body, ret_parts, ret_n, ret_usage, err);

    *ret_usage = (struct km_usage){ .known = true };
    return e;
}

/* --- streams --- */

/* The string behind `key`, as it is written: a base for estimates. */
static void hear(struct km_llm_stream *s, struct km_str data, struct km_str key)
{
    size_t at = km_str_find(data, key);
    const char *ignored;

    if (at < data.n)
        km_text_hear(&s->heard, km_llm_string_raw(data.p + at + key.n, data.p + data.n, &ignored));
}

static void note_delta(struct km_llm_stream *s, struct km_str data)
{
    s->events++;
    hear(s, data, KM_STR("\"text\":\""));
    hear(s, data, KM_STR("\"thinking\":\""));
    hear(s, data, KM_STR("\"partial_json\":\""));
}

/* An event whose data changed: its own framing, with other data. */
static void emit(const struct km_sse_event *event, const struct km_str *parts, size_t n,
                 struct km_buf *out)
{
    const char *raw = event->raw.p;
    const char *at = km_sse_data_in_raw(event) ? event->data.p : NULL;
    size_t before = at ? (size_t)(at - raw) : 0;
    struct km_buf whole KM_CLEANUP(km_buf_done) = KM_BUF(32 * 1024 * 1024);

    if (at)
        km_buf_bytes(out, raw, before);
    for (size_t i = 0; i < n; i++)
        km_buf_str(at ? out : &whole, parts[i]);
    if (at)
        km_buf_bytes(out, at + event->data.n, event->raw.n - before - event->data.n);
    else
        km_sse_write(out, event->type, km_buf_view(&whole)); /* several data lines */
}

/* The message of a message_start with its model set back; empty: it stays as it is. */
static struct km_str renamed(struct km_llm_stream *s, struct km_str message)
{
    struct km_json_span spans[A_COUNT];
    struct km_json_object object;
    struct km_json_edits e;
    struct km_str *parts;
    size_t n;

    if (km_json_spans(message, answer_members, A_COUNT, spans, &object, NULL) < 0)
        return KM_STR_NONE;
    if (spans[A_USAGE].type == KM_JSON_OBJECT)
        s->nonsense = !read_usage(s->scratch, km_json_value(message, &spans[A_USAGE]), &s->usage);
    if (spans[A_MODEL].type != KM_JSON_STRING ||
        km_str_eq(km_json_value(message, &spans[A_MODEL]), s->model_json))
        return KM_STR_NONE;
    km_json_edits_init(&e, message, &object);
    km_json_replace(&e, &spans[A_MODEL], s->model_json);
    return km_json_parts(&e, s->scratch, &parts, &n, NULL) == 0 ? km_arena_cat(s->scratch, parts, n)
                                                                : KM_STR_NONE;
}

/* {"type":"message_start","message":{"model":...,"usage":{...}}} */
static int relay_start(struct km_llm_stream *s, const struct km_sse_event *event,
                       struct km_buf *out, struct km_err *err)
{
    static const struct km_str name = { "message", 7 };
    struct km_str message = KM_STR_NONE, *parts;
    struct km_json_object object;
    struct km_json_span span;
    struct km_json_edits e;
    size_t n;
    int r;

    km_messages_keep(s, event->type, event->data);
    if (km_json_spans(event->data, &name, 1, &span, &object, NULL) == 0 &&
        span.type == KM_JSON_OBJECT)
        message = renamed(s, km_json_value(event->data, &span));
    if (!message.n) {
        km_buf_str(out, event->raw);
        return 0;
    }
    km_json_edits_init(&e, event->data, &object);
    km_json_replace(&e, &span, message);
    r = km_json_parts(&e, s->scratch, &parts, &n, err);
    if (r == 0)
        emit(event, parts, n, out);
    return r;
}

static void note_end(struct km_llm_stream *s, struct km_str data)
{
    struct km_json_span spans[A_COUNT];

    km_messages_keep(s, KM_STR("message_delta"), data);
    if (km_json_spans(data, answer_members, A_COUNT, spans, NULL, NULL) < 0 ||
        spans[A_USAGE].type != KM_JSON_OBJECT)
        return;
    km_usage_judge(&s->usage,
                   !read_usage(s->scratch, km_json_value(data, &spans[A_USAGE]), &s->usage) ||
                       s->nonsense);
    s->usage.known = s->usage.known && s->usage.prompt_tokens > 0;
    s->ended = true;
}

int km_messages_relay(struct km_llm_stream *s, const struct km_sse_event *event, struct km_buf *out,
                      struct km_err *err)
{
    if (km_str_eq(event->type, KM_STR("content_block_delta")))
        note_delta(s, event->data);
    else if (km_str_eq(event->type, KM_STR("message_start")))
        return relay_start(s, event, out, err);
    else if (km_str_starts(event->type, KM_STR("content_block_st"))) /* start, stop */
        km_messages_keep(s, event->type, event->data);
    else if (km_str_eq(event->type, KM_STR("message_delta")))
        note_end(s, event->data);
    else if (km_str_eq(event->type, KM_STR("message_stop")))
        s->done = s->ended = true;
    else if (km_str_eq(event->type, KM_STR("error")))
        s->error = true;
    km_buf_str(out, event->raw);
    return 0;
}
