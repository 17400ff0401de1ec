/* SPDX-License-Identifier: Apache-2.0 */
/* anthropic_answer.c - Messages' answers, whole and streamed, as the events of a chat.
 *
 *     message_start           START
 *     content_block_start     TOOL, REDACTED (whole)
 *     content_block_delta     TEXT, REASONING, SIGNATURE, TOOL_INPUT
 *     message_delta           USAGE, FINISH
 *     message_stop            (the stream is complete)
 *
 * Usage is cumulative: what a later event says replaces what an earlier one said, and what it
 * leaves out stays.  Blocks come one behind the other; those we do not know (a tool run by the
 * server, its results) are passed over, for they mean nothing outside of Messages.
 *
 * Where a tool stood for the answer's schema (anthropic_tools.c), its input is the answer's text.
 */
#include "http/json_take.h"
#include "llm/dropped.h"
#include "llm/provider/anthropic.h"
#include "llm/provider/citations.h"
#include "llm/usage.h"

enum block_kind { BLOCK_NONE, BLOCK_OTHER, BLOCK_TEXT, BLOCK_THINKING, BLOCK_TOOL, BLOCK_JSON };

struct state {
    const struct km_tool_alias *aliases; /* by encode(): see km_messages_note() */
    bool json_tool; /* a tool stands for the answer's schema */
    int64_t input, cache_read, cache_write, output, thinking; /* tokens, as last said */
    struct km_usage beside; /* what else of it counts: tools, the cache's hour, the service */
    struct km_citation *citations; /* of the block under way */
    int64_t index; /* the upstream's number of the block under way */
    enum block_kind kind;
    unsigned blocks; /* given out so far: the next one's number */
    bool begun; /* the block under way has had an event */
    bool json, tools; /* there was a call that is text; a call that is one */
    bool started, finished, stopped;
    bool bad; /* a count was none */
};

_Static_assert(sizeof(struct state) <= KM_MESSAGES_STATE, "the header says how much");

static int broken(struct km_err *err, const char *what)
{
    return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "The upstream broke Messages' protocol: %s.", what);
}

static struct km_str text_of(const struct km_json *object, const char *name)
{
    struct km_str s = KM_STR_NONE;

    (void)km_json_string(km_json_take(object, name), &s);
    return s;
}

static int put(struct km_decode *d, enum km_chat_event_kind kind, struct km_str text,
               struct km_err *err)
{
    const struct state *s = d->state;
    struct km_chat_event e = { .kind = kind, .block = s->blocks, .text = text };

    return km_answer_put(d->answer, &e, err);
}

/* --- usage --- */

static void read_usage(struct state *s, const struct km_json *usage)
{
    const struct km_json *out = km_json_take(usage, "output_tokens_details");

    if (km_json_kind(usage) != KM_JSON_OBJECT)
        return;
    km_json_take_all(usage);
    km_usage_replace(usage, "input_tokens", &s->input, &s->bad);
    km_usage_replace(usage, "cache_read_input_tokens", &s->cache_read, &s->bad);
    km_usage_replace(usage, "cache_creation_input_tokens", &s->cache_write, &s->bad);
    s->output = km_usage_due(usage, "output_tokens", &s->bad);
    km_usage_replace(out, "thinking_tokens", &s->thinking, &s->bad);
    if (km_json_kind(km_json_take(out, "thinking_tokens")) == KM_JSON_NUMBER)
        s->beside.said |= KM_SAID_REASONING;
    km_usage_extras(usage, &s->beside, &s->bad);
}

/* What was said so far. */
static struct km_usage used(const struct state *s)
{
    struct km_usage u = s->beside;

    u.prompt_tokens = s->input + s->cache_read + s->cache_write;
    u.cached_tokens = s->cache_read;
    u.cache_write_tokens = s->cache_write;
    u.completion_tokens = s->output;
    u.reasoning_tokens = s->thinking;
    km_usage_judge(&u, s->bad || u.cache_write_1h_tokens > u.cache_write_tokens);
    u.known = u.known && u.prompt_tokens > 0; /* no message is without one */
    return u;
}

static int put_usage(struct km_decode *d, struct km_err *err)
{
    const struct km_chat_event e = { .kind = KM_CHAT_USAGE, .usage = used(d->state) };

    return km_answer_put(d->answer, &e, err);
}

/* --- blocks --- */

void km_messages_note(void *state, const struct km_chat *chat, bool json_tool,
                      struct km_arena *keep)
{
    struct state *s = state;

    s->json_tool = json_tool;
    s->aliases = km_tool_aliases(chat, KM_MESSAGES_NAME_MOST, keep);
}

static int begin_tool(struct km_decode *d, const struct km_json *block, struct km_err *err)
{
    struct state *s = d->state;
    struct km_chat_event e = { .kind = KM_CHAT_TOOL, .block = s->blocks };

    e.id = text_of(block, "id");
    e.name = text_of(block, "name");
    if (!e.id.n || !e.name.n)
        return broken(err, "a tool's call without id or name");
    s->begun = true;
    if (s->json_tool && km_str_eq(e.name, KM_STR(KM_JSON_TOOL))) {
        s->kind = BLOCK_JSON;
        s->json = true;
        s->begun = false;
        return 0;
    }
    s->kind = BLOCK_TOOL;
    s->tools = true;
    e.name = km_tool_said(s->aliases, e.name);
    return km_answer_put(d->answer, &e, err);
}

static int put_piece(struct km_decode *d, enum km_chat_event_kind kind, struct km_str text,
                     struct km_err *err)
{
    struct state *s = d->state;

    if (!text.n)
        return 0;
    s->begun = true;
    return put(d, kind, text, err);
}

/* An input that is there at once: of a whole answer, and of some proxies' streams. */
static int put_input(struct km_decode *d, const struct km_json *input, struct km_err *err)
{
    const struct state *s = d->state;
    struct km_buf json KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024 * 1024);

    if (km_json_kind(input) != KM_JSON_OBJECT ||
        (km_json_count(input) == 0 && s->kind == BLOCK_TOOL))
        return 0;
    km_json_take_write(input, &json);
    if (km_buf_failed(&json))
        return km_fail(err, KM_E_NOMEM, "out of memory");
    return put_piece(d, s->kind == BLOCK_JSON ? KM_CHAT_TEXT : KM_CHAT_TOOL_INPUT,
                     km_buf_view(&json), err);
}

static void note_citation(struct km_decode *d, const struct km_json *v)
{
    struct state *s = d->state;
    struct km_citation c;

    if (km_messages_citation(v, &c))
        km_citation_append(d->arena, &s->citations, &c);
}

static void note_citations(struct km_decode *d, const struct km_json *list)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key;

    if (km_json_kind(list) != KM_JSON_ARRAY)
        return;
    for (km_json_iter(list, &it); km_json_next(&it, &key, &item);)
        note_citation(d, item);
}

/* whole: the block is complete; in a stream an empty input is only its beginning. */
static int begin_block(struct km_decode *d, const struct km_json *block, bool whole,
                       struct km_err *err)
{
    struct state *s = d->state;
    struct km_str type = text_of(block, "type");
    int r = 0;

    s->begun = false;
    s->kind = BLOCK_OTHER;
    if (km_str_eq(type, KM_STR("text"))) {
        s->kind = BLOCK_TEXT;
        note_citations(d, km_json_take(block, "citations"));
        return put_piece(d, KM_CHAT_TEXT, text_of(block, "text"), err);
    }
    if (km_str_eq(type, KM_STR("thinking"))) {
        s->kind = BLOCK_THINKING;
        r = put_piece(d, KM_CHAT_REASONING, text_of(block, "thinking"), err);
        return r < 0 ? r : put_piece(d, KM_CHAT_SIGNATURE, text_of(block, "signature"), err);
    }
    if (km_str_eq(type, KM_STR("redacted_thinking")))
        return put_piece(d, KM_CHAT_REDACTED, text_of(block, "data"), err);
    if (!km_str_eq(type, KM_STR("tool_use")))
        return 0;
    r = begin_tool(d, block, err);
    if (r == 0 && (whole || km_json_count(km_json_take(block, "input")) > 0))
        r = put_input(d, km_json_take(block, "input"), err);
    return r;
}

static int end_block(struct km_decode *d, struct km_err *err)
{
    struct state *s = d->state;
    int r = km_cite_block(d, s->blocks, s->citations, err);

    s->blocks += s->begun;
    s->begun = false;
    s->kind = BLOCK_NONE;
    s->citations = NULL;
    return r;
}

static int on_delta(struct km_decode *d, const struct km_json *delta, struct km_err *err)
{
    const struct state *s = d->state;
    struct km_str type = text_of(delta, "type");

    if (s->kind == BLOCK_TEXT && km_str_eq(type, KM_STR("citations_delta"))) {
        note_citation(d, km_json_take(delta, "citation"));
        return 0;
    }
    if (s->kind == BLOCK_TEXT && km_str_eq(type, KM_STR("text_delta")))
        return put_piece(d, KM_CHAT_TEXT, text_of(delta, "text"), err);
    if (s->kind == BLOCK_THINKING && km_str_eq(type, KM_STR("thinking_delta")))
        return put_piece(d, KM_CHAT_REASONING, text_of(delta, "thinking"), err);
    if (s->kind == BLOCK_THINKING && km_str_eq(type, KM_STR("signature_delta")))
        return put_piece(d, KM_CHAT_SIGNATURE, text_of(delta, "signature"), err);
    if (!km_str_eq(type, KM_STR("input_json_delta")) ||
        (s->kind != BLOCK_TOOL && s->kind != BLOCK_JSON))
        return 0;
    return put_piece(d, s->kind == BLOCK_JSON ? KM_CHAT_TEXT : KM_CHAT_TOOL_INPUT,
                     text_of(delta, "partial_json"), err);
}

/* --- the end --- */

static enum km_finish finish_of(const struct state *s, struct km_str reason)
{
    static const struct {
        const char *reason;
        enum km_finish finish;
    } known[] = {
        { "stop_sequence", KM_FINISH_STOP_SEQUENCE },
        { "max_tokens", KM_FINISH_LENGTH },
        { "model_context_window_exceeded", KM_FINISH_LENGTH },
        { "pause_turn", KM_FINISH_PAUSE },
        { "refusal", KM_FINISH_FILTER },
    };

    if (km_str_eq(reason, KM_STR("tool_use")))
        return s->json && !s->tools ? KM_FINISH_STOP : KM_FINISH_TOOLS;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (km_str_eq(reason, km_str_c(known[i].reason)))
            return known[i].finish;
    return KM_FINISH_STOP;
}

/* root: a whole message, or a message_delta's delta. */
static int put_finish(struct km_decode *d, const struct km_json *root, struct km_err *err)
{
    struct state *s = d->state;
    struct km_str why = text_of(km_json_take(root, "stop_details"), "explanation");
    struct km_chat_event e = { .kind = KM_CHAT_FINISH };
    int r = 0;

    e.finish = finish_of(s, text_of(root, "stop_reason"));
    if (e.finish == KM_FINISH_STOP_SEQUENCE)
        e.text = text_of(root, "stop_sequence");
    if (e.finish == KM_FINISH_FILTER) {
        e.text = why;
        r = put_piece(d, KM_CHAT_REFUSAL, why, err);
        if (r == 0)
            r = end_block(d, err);
    }
    s->finished = true;
    return r == 0 ? km_answer_put(d->answer, &e, err) : r;
}

/* {"type":"error","error":{"type","message"}} in a stream that began well: the same no that would
 * have had a status of its own before, so it is as worth another attempt, and costs as much. */
static int fail_by(const struct km_json *root, struct km_err *err)
{
    const struct km_json *error = km_json_take(root, "error");
    struct km_str type = text_of(error, "type"), text = text_of(error, "message");

    (void)km_fail(err, KM_E_UPSTREAM_STATUS, "The upstream ended its answer with an error: %.*s",
                  KM_STR_ARG(text.n ? km_str_sub(text, 0, 400) : type));
    if (!err)
        return KM_E_UPSTREAM_STATUS;
    err->http = km_refusal_status(type);
    if (err->http == 504)
        err->type = "timeout_error";
    else if (err->http == 400)
        err->type = "invalid_request_error";
    km_refusal_judge(err, text);
    return KM_E_UPSTREAM_STATUS;
}

/* --- whole answers --- */

static int start(struct km_decode *d, const struct km_json *message, struct km_err *err)
{
    struct state *s = d->state;
    struct km_chat_event e = { .kind = KM_CHAT_START, .id = text_of(message, "id") };

    if (s->started)
        return broken(err, "message_start comes twice");
    s->started = true;
    s->index = -1;
    read_usage(s, km_json_take(message, "usage"));
    /* Should the stream be left in its middle: what went in is known, what came out is not. */
    d->answer->usage = used(s);
    d->answer->usage.known = false;
    if (!s->bad && s->input + s->cache_read + s->cache_write > 0)
        d->answer->prompt_estimate = s->input + s->cache_read + s->cache_write;
    return km_answer_put(d->answer, &e, err);
}

int km_messages_decode(struct km_decode *d, struct km_str body, struct km_err *err)
{
    const struct km_json *root, *block;
    struct km_json_iter it;
    struct km_str ignored;
    int r;

    if (km_decode_json(d, d->arena, body, &root, err) < 0)
        return KM_E_UPSTREAM_PROTOCOL;
    if (km_json_take(root, "error"))
        return fail_by(root, err);
    if (km_json_kind(km_json_take(root, "content")) != KM_JSON_ARRAY)
        return broken(err, "an answer without content");
    r = start(d, root, err);
    for (km_json_iter(km_json_take(root, "content"), &it);
         r == 0 && km_json_next(&it, &ignored, &block);) {
        r = begin_block(d, block, true, err);
        if (r == 0)
            r = end_block(d, err);
    }
    if (r == 0 && km_json_kind(km_json_take(root, "usage")) == KM_JSON_OBJECT)
        r = put_usage(d, err);
    return r == 0 ? put_finish(d, root, err) : r;
}

/* --- streams --- */

static int on_block_start(struct km_decode *d, const struct km_json *root, struct km_err *err)
{
    struct state *s = d->state;
    int r = 0;

    if (!s->started)
        return broken(err, "content before message_start");
    if (s->kind != BLOCK_NONE)
        r = end_block(d, err);
    if (r < 0)
        return r;
    if (!km_json_i64(km_json_take(root, "index"), &s->index))
        return broken(err, "a block without index");
    return begin_block(d, km_json_take(root, "content_block"), false, err);
}

static int on_block_delta(struct km_decode *d, const struct km_json *root, struct km_err *err)
{
    const struct state *s = d->state;
    int64_t index;

    if (s->kind == BLOCK_NONE)
        return broken(err, "a delta outside of blocks");
    if (!km_json_i64(km_json_take(root, "index"), &index) || index != s->index)
        return broken(err, "a delta of another block than the one under way");
    return on_delta(d, km_json_take(root, "delta"), err);
}

static int on_message_delta(struct km_decode *d, const struct km_json *root, struct km_err *err)
{
    struct state *s = d->state;
    const struct km_json *delta = km_json_take(root, "delta"), *usage = km_json_take(root, "usage");
    int r = 0;

    if (!s->started)
        return broken(err, "message_delta before message_start");
    r = end_block(d, err);
    if (r == 0 && km_json_kind(usage) == KM_JSON_OBJECT) {
        read_usage(s, usage);
        r = put_usage(d, err);
    }
    if (r == 0 && !s->finished && text_of(delta, "stop_reason").n)
        r = put_finish(d, delta, err);
    return r;
}

static int on_message_stop(struct km_decode *d, struct km_err *err)
{
    struct state *s = d->state;

    if (!s->started || !s->finished)
        return broken(err, "message_stop without a reason to stop");
    s->stopped = true;
    return 0;
}

int km_messages_event(struct km_decode *d, const struct km_frame_event *e, struct km_err *err)
{
    struct state *s = d->state;
    const struct km_json *root;
    struct km_str type;

    if (s->stopped || !e->data.n || km_str_eq(e->type, KM_STR("ping")))
        return 0;
    if (km_decode_json(d, d->scratch, e->data, &root, NULL) < 0)
        return broken(err, "an event that is not JSON");
    type = text_of(root, "type");
    if (km_str_eq(type, KM_STR("content_block_delta")))
        return on_block_delta(d, root, err);
    if (km_str_eq(type, KM_STR("content_block_start")))
        return on_block_start(d, root, err);
    if (km_str_eq(type, KM_STR("content_block_stop")))
        return end_block(d, err);
    if (km_str_eq(type, KM_STR("message_start")))
        return start(d, km_json_take(root, "message"), err);
    if (km_str_eq(type, KM_STR("message_delta")))
        return on_message_delta(d, root, err);
    if (km_str_eq(type, KM_STR("message_stop")))
        return on_message_stop(d, err);
    if (km_str_eq(type, KM_STR("error")) || km_str_eq(e->type, KM_STR("error")))
        return fail_by(root, err);
    return 0;
}

/* What each of its documents repeats of its own form. */
const struct km_str km_messages_idle[] = {
    KM_IDLE("type"),
    KM_IDLE("role"),
    KM_IDLE("model"),
    KM_IDLE("index"),
    KM_IDLE("stop_details.type"),
    KM_IDLE("message.type"),
    KM_IDLE("message.role"),
    KM_IDLE("message.model"),
    KM_IDLE("message.id"),
    KM_IDLE(""),
};

int km_messages_end(struct km_decode *d, struct km_err *err)
{
    const struct state *s = d->state;

    if (s->stopped)
        return 0;
    return km_fail(err, KM_E_UPSTREAM_PROTOCOL,
                   "The upstream's stream ended before it was complete.");
}
