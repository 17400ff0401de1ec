/* SPDX-License-Identifier: Apache-2.0 */
/* veil_stream.c - what an answer that went well says of a failure all the same; see veil.h.
 *
 * A server that fails when its stream is under way says so in an event, and some say so in a whole
 * answer of status 200, in words of their own.  So three things are told apart:
 *
 *     content                a piece of an answer, by the members that hold one: never touched
 *     a failure              by a name, a word or a status: passes the whole veil
 *     neither                comments, ids, what no reader knows: cut by value alone
 *
 * A stream that is passed on as it comes is no list of events to us, so a gate stands in its way:
 *
 *     bytes ──> held: the event under way ──> whole events, each as it came, or cut ──> out
 *
 * The gate remembers up to where it has looked, so that a slow trickle costs no more than a flood.
 */
#include "call/veil.h"

#include "base/veil.h"
#include "call/call.h"
#include "http/json_span.h"

#define READ_MOST ((size_t)64 * 1024 * 1024) /* of a meter's output for one read */

static bool is_named_failure(struct km_str line)
{
    static const struct km_str ends[] = { { "error", 5 },   { "errors", 6 },  { "failed", 6 },
                                          { "failure", 7 }, { "fail", 4 },    { "exception", 9 } };

    line = km_str_trim(line);
    if (!km_str_starts(line, KM_STR("event:")))
        return false;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (line.n > ends[i].n && km_str_ieq(km_str_skip(line, line.n - ends[i].n), ends[i]))
            return true;
    return false;
}

/* Behind white space and the colon stands what it is about. */
static bool is_null(struct km_str text, size_t at)
{
    while (at < text.n && (text.p[at] == ' ' || text.p[at] == ':' || text.p[at] == '\t'))
        at++;
    return km_str_starts(km_str_skip(text, at), KM_STR("null"));
}

/* Where the next such word stands as a value, or as a member that is not null; text.n: nowhere.
 * Within a text that a model wrote its quotes are escaped. */
static size_t find_word(struct km_str text, size_t from, struct km_str word)
{
    for (size_t at = from;; at += word.n) {
        at += km_str_find(km_str_skip(text, at), word);
        if (at >= text.n || !is_null(text, at + word.n))
            return at < text.n ? at : text.n;
    }
}

/* The next of the words by which servers say that something failed. */
static size_t find_error(struct km_str text, size_t from)
{
    static const struct km_str words[] = {
        { "\"error\"", 7 },  { "\"Error\"", 7 }, { "\"errors\"", 8 },
        { "\"detail\"", 8 }, { "\"fail\"", 6 },  { "\"exception\"", 11 },
    };
    size_t first = text.n;

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t at = find_word(text, from, words[i]);

        first = at < first ? at : first;
    }
    return first;
}

/* No encoder escapes an ASCII letter: who does hides a name. */
static bool hides_letters(struct km_str text)
{
    static const struct km_str escape = { "\\u00", 4 };

    if (km_str_chr(text, '\\') == text.n)
        return false;
    for (size_t at = 0; (at += km_str_find(km_str_skip(text, at), escape)) + 6 <= text.n;
         at += escape.n) {
        char high = text.p[at + 4], low = text.p[at + 5];

        if (high >= '4' && high <= '7' && !(low == '0' && (high == '4' || high == '6')) &&
            !(high == '7' && (low | 32) == 'f'))
            return true;
    }
    return false;
}

/* Does an object say "error" outside of the members that hold what was asked for or made?  There it
 * is a name that a client or a model chose: an argument of a function, a property of a schema. */
static bool is_failure(struct km_str json, bool outermost)
{
    static const struct km_str names[] = {
        { "response", 8 },      { "item", 4 },   { "candidates", 10 }, { "content_block", 13 },
        { "message", 7 },       { "delta", 5 },  { "part", 4 },        { "content", 7 },
        { "instructions", 12 }, { "input", 5 },  { "output", 6 },      { "arguments", 9 },
        { "tools", 5 },         { "text", 4 },   { "metadata", 8 },    { "prompt", 6 },
        { "tool_choice", 11 },  { "action", 6 }, { "results", 7 },
    };
    enum {
        NESTED = 2,
        COUNT = sizeof names / sizeof names[0]
    }; /* those before hold some of both */
    struct km_json_span spans[COUNT];

    if (!km_json_judged_spans(json, names, COUNT, spans, NULL, NULL))
        return true; /* it cannot be told */
    for (size_t at = 0; (at = find_error(json, at)) < json.n; at++) {
        size_t i = 0;

        while (i < COUNT && (spans[i].type == KM_JSON_ABSENT || at < spans[i].value ||
                             at >= spans[i].value + spans[i].value_n))
            i++;
        if (i == COUNT || (i < NESTED && spans[i].type != KM_JSON_OBJECT))
            return true;
        if (i < NESTED && outermost && is_failure(km_json_value(json, &spans[i]), false))
            return true;
        at = spans[i].value + spans[i].value_n - 1;
    }
    return false;
}

static bool line_tells(struct km_str line)
{
    line = km_str_trim(line);
    if (is_named_failure(line))
        return true;
    if (find_error(line, 0) == line.n)
        return false;
    return is_failure(
        km_str_starts(line, KM_STR("data:")) ? km_str_trim(km_str_skip(line, 5)) : line, true);
}

/* A piece of an answer in OpenAI's words, which has one name for what failed and, on the gateway's
 * own routes, a reader that knows it however it is spelled. */
static bool is_chunk(struct km_str event)
{
    const struct km_str head = km_str_sub(event, 0, 256),
                        mark = KM_STR("\"chat.completion.chunk\"");

    return km_str_starts(event, KM_STR("data:")) && km_str_find(head, mark) < head.n;
}

bool km_veil_tells_failure(struct km_str event)
{
    struct km_str line;

    if (is_chunk(event)) {
        if (find_word(event, 0, KM_STR("\"error\"")) == event.n)
            return false;
    } else if (hides_letters(event)) {
        return true;
    } else if (find_error(event, 0) == event.n) {
        return is_named_failure(km_str_sub(event, 0, km_str_chr(event, '\n')));
    }
    while (km_str_split(&event, '\n', &line))
        if (line_tells(line))
            return true;
    return false;
}

/* A number from 400 on, or a string of one, under a name of a status. */
static bool is_status(struct km_str json, const struct km_json_span *span)
{
    struct km_str v = km_json_value(json, span);
    int64_t n;

    if (span->type == KM_JSON_STRING)
        v = km_str_sub(v, 1, v.n - 2);
    else if (span->type != KM_JSON_NUMBER)
        return false;
    return km_str_i64(v, &n) == 0 && n >= 400 && n <= 599;
}

/* Is an event's data a piece of an answer?  By the members in which the clients' protocols have
 * one; a failure by its status is none, nor is what is no object. */
static bool is_content(struct km_str json)
{
    enum { STATUS = 3, COUNT = 24 };
    static const struct km_str names[COUNT] = {
        { "status", 6 },     { "code", 4 },      { "status_code", 11 }, { "choices", 7 },
        { "candidates", 10 }, { "delta", 5 },     { "content_block", 13 }, { "message", 7 },
        { "item", 4 },       { "part", 4 },      { "response", 8 },     { "arguments", 9 },
        { "text", 4 },       { "transcript", 10 }, { "content", 7 },    { "output", 6 },
        { "results", 7 },    { "data", 4 },      { "audio", 5 },        { "b64_json", 8 },
        { "partial_image_b64", 17 }, { "code_interpreter_call", 21 }, { "annotation", 10 },
        { "images", 6 },
    };
    struct km_json_span spans[COUNT];

    if (!km_json_judged_spans(json, names, COUNT, spans, NULL, NULL))
        return false;
    for (size_t i = 0; i < STATUS; i++)
        if (is_status(json, &spans[i]))
            return false;
    for (size_t i = STATUS; i < COUNT; i++)
        if (spans[i].type != KM_JSON_ABSENT &&
            (spans[i].type != KM_JSON_STRING || !km_str_eq(names[i], KM_STR("message"))))
            return true;
    return false;
}

/* One line of an event that tells of no failure, without what the gateway knows.  Data is one
 * line but where somebody has spread it, and is no content then. */
static bool cut_line(struct km_veil *veil, struct km_str line, struct km_buf *out)
{
    if (km_str_starts(line, KM_STR("data:")) && is_content(km_str_trim(km_str_skip(line, 5))))
        return false;
    return km_veil_cut_known(veil, line, out);
}

bool km_veil_event(struct km_veil *veil, struct km_str event, struct km_buf *out)
{
    struct km_str rest = event, line;
    size_t before = out->n;
    bool cut = false;

    if (km_veil_tells_failure(event))
        return km_veil_cut(veil, event, out);
    if (!veil || !km_veil_may_hold(veil, event))
        return false;
    for (size_t n; rest.n; rest = km_str_skip(rest, n)) {
        n = km_str_chr(rest, '\n');
        n += n < rest.n;
        line = km_str_sub(rest, 0, n);
        if (cut_line(veil, line, out))
            cut = true;
        else
            km_buf_str(out, line);
    }
    if (!cut)
        out->n = before;
    return cut;
}

/* false: it leaves as it is. */
static bool cut_whole(struct km_veil *veil, struct km_str type, struct km_str body,
                      struct km_buf *out)
{
    if (km_str_istarts(type, KM_STR("text/event-stream")))
        return km_veil_event(veil, body, out);
    if (type.n ? !km_str_istarts(type, KM_STR("application/json"))
               : !km_str_starts(km_str_trim(body), KM_STR("{")))
        return false;
    return veil && km_veil_may_hold(veil, body) && is_failure(body, true) &&
           km_veil_cut_known(veil, body, out);
}

void km_veil_whole(struct km_call *call, struct km_str type)
{
    struct km_buf cut KM_CLEANUP(km_buf_done) = KM_BUF(4 * call->at->answer.n + 4096);

    km_veil_add_head(call->w->gw->veil, call->at->out.head, true);
    if (!cut_whole(call->w->gw->veil, type, km_buf_view(&call->at->answer), &cut))
        return;
    km_buf_reset(&call->at->answer);
    if (!km_buf_failed(&cut))
        km_buf_str(&call->at->answer, km_buf_view(&cut));
}

/* --- a stream that is passed on as it comes --- */

struct gate {
    struct km_veil *veil;
    struct km_buf held; /* since the last event's end */
    size_t seen; /* of it: no end is in there */
    struct km_buf out;
};

static void gate_done(struct km_link *link)
{
    struct gate *g = link->state;

    km_buf_done(&g->held);
    km_buf_done(&g->out);
}

/* Behind the first event's end at or after `from`, or 0: none ends there. */
static size_t event_end(struct km_str s, size_t from)
{
    for (size_t i = from > 1 ? from : 1; i < s.n; i++)
        if (s.p[i] == '\n' &&
            (s.p[i - 1] == '\n' || (s.p[i - 1] == '\r' && i > 1 && s.p[i - 2] == '\n')))
            return i + 1;
    return 0;
}

static void pass(struct gate *g, struct km_str event)
{
    if (!km_veil_event(g->veil, event, &g->out))
        km_buf_str(&g->out, event);
}

static struct km_str feed(struct gate *g, struct km_str bytes, bool last)
{
    size_t from = g->seen, n;
    struct km_str rest;

    km_buf_reset(&g->out);
    km_buf_str(&g->held, bytes);
    rest = km_buf_view(&g->held);
    for (; (n = event_end(rest, from)) > 0; rest = km_str_skip(rest, n), from = 0)
        pass(g, km_str_sub(rest, 0, n));
    if (last || rest.n > KM_VEIL_EVENT_BYTES) {
        pass(g, rest);
        rest.n = 0;
    }
    if (rest.n)
        memmove(g->held.p, rest.p, rest.n);
    g->held.n = g->seen = rest.n;
    return km_buf_view(&g->out);
}

static int take(struct km_link *link, struct km_piece *piece, struct km_err *err)
{
    struct km_piece rest = { .what = KM_PIECE_BYTES };
    int r = 0;

    switch (piece->what) {
    case KM_PIECE_HEAD:
        piece->length = UINT64_MAX; /* a mark may be longer than what it stands for */
        break;
    case KM_PIECE_BYTES:
        piece->bytes = feed(link->state, piece->bytes, false);
        return piece->bytes.n ? KM_UNIT_PASS : KM_UNIT_HOLD;
    case KM_PIECE_END:
    case KM_PIECE_ERROR:
        rest.bytes = feed(link->state, KM_STR_NONE, true);
        if (rest.bytes.n)
            r = km_link_emit(link, &rest, err);
        break;
    default:
        break;
    }
    return r < 0 ? r : KM_UNIT_PASS;
}

static const struct km_unit gate = { "veil", sizeof(struct gate), take, gate_done };

void km_veil_stream(struct km_call *call)
{
    struct km_link *link = km_chain_put(km_call_deliver(call), &gate, NULL);
    struct km_err err = { 0 };
    struct gate *g = link ? link->state : NULL;

    if (!g) {
        km_fail(&err, KM_E_NOMEM, "out of memory");
        km_call_refuse(call, &err);
        return;
    }
    g->veil = call->w->gw->veil;
    km_buf_init(&g->held, KM_VEIL_EVENT_BYTES + READ_MOST);
    km_buf_init(&g->out, 4 * (KM_VEIL_EVENT_BYTES + READ_MOST)); /* a mark may be longer */
}
