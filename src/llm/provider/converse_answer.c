/* SPDX-License-Identifier: Apache-2.0 */
/* converse_answer.c - Converse's answers, whole and streamed, as the events of a chat.
 *
 *     messageStart           START
 *     contentBlockStart      TOOL (other blocks begin with their first delta)
 *     contentBlockDelta      TEXT, REASONING, SIGNATURE, REDACTED, TOOL_INPUT
 *     contentBlockStop
 *     messageStop            kept
 *     metadata               USAGE, FINISH
 *
 * Usage comes last there and the reason to stop before it; it is held back so that encoders hear
 * of usage first.  The stream's end is the end of the HTTP body: without messageStop before it,
 * it was cut.
 *
 * An exception may stand in a stream that began with 200: throttling, most often, as its first
 * message.  It becomes an error with the status it would have had, and while nothing has reached
 * the client the call goes to another deployment.
 *
 * Where a tool stood for the answer's schema (converse_tools.c), its input is the answer's text.
 */
#include "http/json_take.h"
#include "llm/dropped.h"
#include "llm/provider/citations.h"
#include "llm/provider/converse.h"
#include "llm/usage.h"

#define INPUT_MOST (64 * 1024 * 1024) /* bytes of a call's input in a whole answer */

enum block_kind { BLOCK_NONE, BLOCK_TEXT, BLOCK_REASONING, BLOCK_TOOL, BLOCK_JSON };

struct state {
    const struct km_tool_alias *aliases; /* by encode() */
    struct km_citation *citations; /* of the block under way */
    int64_t index; /* the upstream's number of the block under way */
    enum block_kind kind;
    unsigned blocks; /* given out so far: the next one's number */
    bool begun; /* the block under way has had an event */
    bool json_tool; /* a tool stands for the answer's schema */
    bool json, tools; /* there was a call that is text; a call that is one */
    bool started, stopped, finished;
    enum km_finish finish; /* of messageStop, until metadata */
    struct km_str sequence; /* that was met */
};

_Static_assert(sizeof(struct state) <= KM_CONVERSE_STATE, "the header says how much");

static int broken(struct km_err *err, const char *what)
{
    return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "The upstream broke Converse's protocol: %s.",
                   what);
}

static struct km_str text_of(const struct km_json *object, const char *name)
{
    struct km_str s = KM_STR_NONE;

    (void)km_json_string(km_json_take(object, name), &s);
    return s;
}

void km_converse_note(void *state, const struct km_chat *chat, bool json_tool,
                      struct km_arena *keep)
{
    struct state *s = state;

    s->json_tool = json_tool;
    s->aliases = km_tool_aliases(chat, KM_CONVERSE_NAME_MOST, keep);
}

/* --- pieces --- */

static void end_block(struct state *s)
{
    s->blocks += s->begun;
    s->begun = false;
    s->kind = BLOCK_NONE;
}

/* The block under way is complete. */
static int close_block(struct km_decode *d, struct km_err *err)
{
    struct state *s = d->state;
    int r = km_cite_block(d, s->blocks, s->citations, err);

    s->citations = NULL;
    end_block(s);
    return r;
}

static void note_citation(struct km_decode *d, const struct km_json *v)
{
    struct state *s = d->state;
    struct km_citation c;

    if (km_converse_citation(v, d->scratch, &c))
        km_citation_append(d->arena, &s->citations, &c);
}

static int put_piece(struct km_decode *d, enum km_chat_event_kind kind, struct km_str text,
                     struct km_err *err)
{
    struct state *s = d->state;
    struct km_chat_event e = { .kind = kind, .block = s->blocks, .text = text };

    if (!text.n)
        return 0;
    s->begun = true;
    return km_answer_put(d->answer, &e, err);
}

/* Text, reasoning: a block that begins with its first piece. */
static int put_in(struct km_decode *d, enum block_kind block, enum km_chat_event_kind kind,
                  struct km_str text, struct km_err *err)
{
    struct state *s = d->state;

    if (s->kind != block)
        end_block(s);
    s->kind = block;
    return put_piece(d, kind, text, err);
}

static int put_tool(struct km_decode *d, const struct km_json *use, struct km_err *err)
{
    struct state *s = d->state;
    struct km_chat_event e = { .kind = KM_CHAT_TOOL };

    end_block(s);
    e.block = s->blocks;
    e.id = text_of(use, "toolUseId");
    e.name = text_of(use, "name");
    if (!e.id.n || !e.name.n)
        return broken(err, "a tool's call without id or name");
    if (s->json_tool && km_str_eq(e.name, KM_STR(KM_JSON_TOOL))) {
        s->kind = BLOCK_JSON;
        s->json = true;
        return 0;
    }
    s->kind = BLOCK_TOOL;
    s->begun = true;
    s->tools = true;
    e.name = km_tool_said(s->aliases, e.name);
    return km_answer_put(d->answer, &e, err);
}

static int put_input(struct km_decode *d, struct km_str json, struct km_err *err)
{
    const struct state *s = d->state;

    if (s->kind != BLOCK_TOOL && s->kind != BLOCK_JSON)
        return broken(err, "a call's input outside of a call");
    return put_piece(d, s->kind == BLOCK_JSON ? KM_CHAT_TEXT : KM_CHAT_TOOL_INPUT, json, err);
}

static int put_redacted(struct km_decode *d, struct km_str base64, struct km_err *err)
{
    int r;

    end_block(d->state);
    r = put_piece(d, KM_CHAT_REDACTED, base64, err);
    end_block(d->state);
    return r;
}

/* --- usage and the end --- */

bool km_converse_usage(const struct km_json *usage, struct km_usage *ret)
{
    int64_t hosted[KM_HOSTED_KINDS];
    bool bad = false;

    if (km_json_kind(usage) != KM_JSON_OBJECT)
        return false;
    km_json_take_all(usage);
    memcpy(hosted, ret->hosted, sizeof hosted);
    *ret = (struct km_usage){
        .cached_tokens = km_usage_count(usage, "cacheReadInputTokens", &bad),
        .cache_write_tokens = km_usage_count(usage, "cacheWriteInputTokens", &bad),
        .completion_tokens = km_usage_due(usage, "outputTokens", &bad),
    };
    ret->prompt_tokens =
        km_usage_due(usage, "inputTokens", &bad) + ret->cached_tokens + ret->cache_write_tokens;
    km_usage_extras(usage, ret, &bad);
    km_usage_judge(ret, bad || ret->cache_write_1h_tokens > ret->cache_write_tokens);
    memcpy(ret->hosted, hosted, sizeof hosted); /* uses of tools stand in the content */
    return true;
}

/* root: what has `usage` and says how the call was served. */
static int put_usage(struct km_decode *d, const struct km_json *root, struct km_err *err)
{
    struct km_chat_event e = { .kind = KM_CHAT_USAGE };

    if (!km_converse_usage(km_json_take(root, "usage"), &e.usage))
        return 0;
    km_usage_served_by(&e.usage, root, "serviceTier");
    return km_answer_put(d->answer, &e, err);
}

static int note_stop(struct km_decode *d, const struct km_json *root, struct km_err *err)
{
    static const struct {
        const char *reason;
        enum km_finish finish;
    } known[] = {
        { "end_turn", KM_FINISH_STOP },
        { "stop_sequence", KM_FINISH_STOP_SEQUENCE },
        { "max_tokens", KM_FINISH_LENGTH },
        { "model_context_window_exceeded", KM_FINISH_LENGTH },
        { "tool_use", KM_FINISH_TOOLS },
        { "guardrail_intervened", KM_FINISH_FILTER },
        { "content_filtered", KM_FINISH_FILTER },
        { "refusal", KM_FINISH_FILTER },
        { "pause_turn", KM_FINISH_PAUSE },
    };
    struct state *s = d->state;
    struct km_str reason = text_of(root, "stopReason");
    int r;

    if (km_str_starts(reason, KM_STR("malformed_")) && d->answer->events == 0)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL,
                       "The model's output could not be read by Bedrock (%.*s).",
                       KM_STR_ARG(km_str_sub(reason, 0, 64)));
    r = close_block(d, err);
    s->stopped = true;
    s->finish = KM_FINISH_STOP;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (km_str_eq(reason, km_str_c(known[i].reason)))
            s->finish = known[i].finish;
    if (s->finish == KM_FINISH_TOOLS && s->json && !s->tools)
        s->finish = KM_FINISH_STOP;
    if (s->finish == KM_FINISH_STOP_SEQUENCE)
        s->sequence =
            km_arena_str(d->arena, text_of(km_json_take(root, "additionalModelResponseFields"),
                                           "stop_sequence"));
    return r;
}

static int put_finish(struct km_decode *d, struct km_err *err)
{
    struct state *s = d->state;
    struct km_chat_event e = { .kind = KM_CHAT_FINISH, .finish = s->finish, .text = s->sequence };

    s->finished = true;
    return km_answer_put(d->answer, &e, err);
}

static int start(struct km_decode *d, struct km_err *err)
{
    struct state *s = d->state;
    struct km_chat_event e = { .kind = KM_CHAT_START };

    if (s->started)
        return broken(err, "messageStart comes twice");
    s->started = true;
    s->index = -1;
    return km_answer_put(d->answer, &e, err);
}

/* --- whole answers --- */

static int whole_tool(struct km_decode *d, const struct km_json *use, struct km_err *err)
{
    const struct state *s = d->state;
    const struct km_json *input = km_json_take(use, "input");
    struct km_buf json KM_CLEANUP(km_buf_done) = KM_BUF(INPUT_MOST);
    int r = put_tool(d, use, err);

    if (r < 0 || km_json_kind(input) != KM_JSON_OBJECT ||
        (km_json_count(input) == 0 && s->kind == BLOCK_TOOL))
        return r;
    km_json_take_write(input, &json);
    return km_buf_failed(&json) ? km_fail(err, KM_E_NOMEM, "out of memory")
                                : put_input(d, km_buf_view(&json), err);
}

static int whole_reasoning(struct km_decode *d, const struct km_json *v, struct km_err *err)
{
    const struct km_json *text = km_json_take(v, "reasoningText");
    int r;

    if (!text)
        return put_redacted(d, text_of(v, "redactedContent"), err);
    r = put_in(d, BLOCK_REASONING, KM_CHAT_REASONING, text_of(text, "text"), err);
    return r == 0 ? put_in(d, BLOCK_REASONING, KM_CHAT_SIGNATURE, text_of(text, "signature"), err)
                  : r;
}

/* Text and what it rests on. */
static int whole_cited(struct km_decode *d, const struct km_json *v, struct km_err *err)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key;
    int r = 0;

    km_json_iter(km_json_take(v, "content"), &it);
    while (r == 0 && km_json_next(&it, &key, &item))
        r = put_in(d, BLOCK_TEXT, KM_CHAT_TEXT, text_of(item, "text"), err);
    km_json_iter(km_json_take(v, "citations"), &it);
    while (r == 0 && km_json_next(&it, &key, &item))
        note_citation(d, item);
    return r;
}

static int whole_block(struct km_decode *d, const struct km_json *block, struct km_err *err)
{
    const struct km_json *v;
    int r = 0;

    if (km_json_take(block, "text"))
        r = put_in(d, BLOCK_TEXT, KM_CHAT_TEXT, text_of(block, "text"), err);
    else if ((v = km_json_take(block, "toolUse")) != NULL)
        r = whole_tool(d, v, err);
    else if ((v = km_json_take(block, "reasoningContent")) != NULL)
        r = whole_reasoning(d, v, err);
    else if ((v = km_json_take(block, "citationsContent")) != NULL)
        r = whole_cited(d, v, err);
    return r == 0 ? close_block(d, err) : r;
}

int km_converse_decode(struct km_decode *d, struct km_str body, struct km_err *err)
{
    const struct km_json *root, *content, *block;
    struct km_json_iter it;
    struct km_str key;
    int r;

    if (km_decode_json(d, d->arena, body, &root, err) < 0)
        return KM_E_UPSTREAM_PROTOCOL;
    content = km_json_take(km_json_take(km_json_take(root, "output"), "message"), "content");
    if (km_json_kind(content) != KM_JSON_ARRAY)
        return broken(err, "an answer without output.message.content");
    r = start(d, err);
    for (km_json_iter(content, &it); r == 0 && km_json_next(&it, &key, &block);)
        r = whole_block(d, block, err);
    if (r == 0)
        r = note_stop(d, root, err);
    if (r == 0)
        r = put_usage(d, root, err);
    return r == 0 ? put_finish(d, err) : r;
}

/* --- streams --- */

/* The block an event is of becomes the one under way. */
static int on_index(struct km_decode *d, const struct km_json *root, struct km_err *err)
{
    struct state *s = d->state;
    int64_t index;
    int r = 0;

    if (!s->started)
        return broken(err, "content before messageStart");
    if (s->stopped)
        return broken(err, "content behind messageStop");
    if (!km_json_i64(km_json_take(root, "contentBlockIndex"), &index))
        return broken(err, "a block without contentBlockIndex");
    if (index < s->index)
        return broken(err, "a block goes on that was over");
    if (index > s->index)
        r = close_block(d, err);
    s->index = index;
    return r;
}

static int on_block_start(struct km_decode *d, const struct km_json *root, struct km_err *err)
{
    const struct km_json *use = km_json_take(km_json_take(root, "start"), "toolUse");
    int r = on_index(d, root, err);

    return r == 0 && use ? put_tool(d, use, err) : r;
}

static int on_delta(struct km_decode *d, const struct km_json *root, struct km_err *err)
{
    const struct km_json *delta = km_json_take(root, "delta"), *v;
    int r = on_index(d, root, err);

    if (r < 0)
        return r;
    if (km_json_take(delta, "text"))
        return put_in(d, BLOCK_TEXT, KM_CHAT_TEXT, text_of(delta, "text"), err);
    if ((v = km_json_take(delta, "toolUse")) != NULL)
        return put_input(d, text_of(v, "input"), err);
    if ((v = km_json_take(delta, "citation")) != NULL) {
        note_citation(d, v);
        return 0;
    }
    v = km_json_take(delta, "reasoningContent");
    if (km_json_take(v, "redactedContent"))
        return put_redacted(d, text_of(v, "redactedContent"), err);
    if (!v)
        return 0; /* a kind of content from later */
    r = put_in(d, BLOCK_REASONING, KM_CHAT_REASONING, text_of(v, "text"), err);
    return r == 0 ? put_in(d, BLOCK_REASONING, KM_CHAT_SIGNATURE, text_of(v, "signature"), err) : r;
}

static int on_metadata(struct km_decode *d, const struct km_json *root, struct km_err *err)
{
    const struct state *s = d->state;
    int r = put_usage(d, root, err);

    return r == 0 && s->stopped && !s->finished ? put_finish(d, err) : r;
}

int km_converse_event(struct km_decode *d, const struct km_frame_event *e, struct km_err *err)
{
    struct state *s = d->state;
    const struct km_json *root;

    if (e->exception.n)
        return km_bedrock_exception(e, d->scratch, err);
    if (km_decode_json(d, d->scratch, e->data, &root, NULL) < 0)
        return broken(err, "an event that is not JSON");
    if (km_str_eq(e->type, KM_STR("contentBlockDelta")))
        return on_delta(d, root, err);
    if (km_str_eq(e->type, KM_STR("contentBlockStart")))
        return on_block_start(d, root, err);
    if (km_str_eq(e->type, KM_STR("contentBlockStop"))) {
        int r = on_index(d, root, err);

        return r == 0 ? close_block(d, err) : r;
    }
    if (km_str_eq(e->type, KM_STR("messageStart")))
        return start(d, err);
    if (km_str_eq(e->type, KM_STR("messageStop")))
        return s->started && !s->stopped ? note_stop(d, root, err)
                                         : broken(err, "messageStop out of place");
    return km_str_eq(e->type, KM_STR("metadata")) && s->started ? on_metadata(d, root, err) : 0;
}

/* What is of its own form, padding, and how long it took. */
const struct km_str km_converse_idle[] = {
    KM_IDLE("role"),
    KM_IDLE("p"),
    KM_IDLE("metrics"),
    KM_IDLE("output.message.role"),
    KM_IDLE(""),
};

int km_converse_end(struct km_decode *d, struct km_err *err)
{
    const struct state *s = d->state;

    if (s->finished)
        return 0;
    if (s->stopped) /* it said why it stopped; what it cost, nobody knows */
        return put_finish(d, err);
    return km_fail(err, KM_E_UPSTREAM_PROTOCOL,
                   "The upstream's stream ended before it was complete.");
}
