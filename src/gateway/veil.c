/* SPDX-License-Identifier: Apache-2.0 */
/* veil.c - see veil.h.
 *
 * A stream that is passed on as it comes is no list of events to us, so a gate stands in its way:
 *
 *     bytes ──> held: the event under way ──> whole events, each as it came, or cut ──> out
 *
 * An event is cut only where it says that something failed; text that a model wrote never is.  The
 * gate remembers up to where it has looked, so that a slow trickle costs no more than a flood.
 */
#include "gateway/veil.h"

#include "base/veil.h"
#include "gateway/call.h"
#include "http/json_span.h"

void km_veil_learn(struct km_veil *veil, const struct km_snapshot *snap)
{
    if (!veil)
        return;
    km_config_veil(snap->config, veil);
    for (size_t i = 0; i < km_models_all(snap->models); i++)
        km_veil_add_head(veil, km_models_at(snap->models, i)->head, false);
}

typedef bool veil_fn(struct km_veil *veil, struct km_str text, struct km_buf *out);

static struct km_str cut_by(veil_fn *fn, struct km_veil *veil, struct km_arena *arena,
                            struct km_str text)
{
    struct km_buf cut KM_CLEANUP(km_buf_done) = KM_BUF(4 * text.n + 4096);

    if (!fn(veil, text, &cut))
        return text;
    return km_buf_failed(&cut) ? KM_STR_NONE : km_arena_str(arena, km_buf_view(&cut));
}

struct km_str km_veil_str(struct km_veil *veil, struct km_arena *arena, struct km_str text)
{
    return cut_by(km_veil_cut, veil, arena, text);
}

/* The field as it came, where name and value still stand side by side. */
static struct km_str line_of(const struct km_header *field)
{
    size_t n = (size_t)((uintptr_t)field->value.p - (uintptr_t)field->name.p);

    return field->value.n && n >= field->name.n && n <= field->name.n + 8
               ? km_str(field->name.p, n + field->value.n)
               : KM_STR_NONE;
}

bool km_veil_field(struct km_veil *veil, struct km_arena *arena, const struct km_header *field,
                   bool refused, struct km_str *ret_value)
{
    struct km_str line = line_of(field);

    *ret_value = field->value;
    if (!refused && line.n && !(veil && km_veil_may_hold(veil, line)))
        return true;
    if (cut_by(km_veil_cut_known, veil, arena, field->name).p != field->name.p)
        return false;
    *ret_value = cut_by(refused ? km_veil_cut : km_veil_cut_known, veil, arena, field->value);
    return true;
}

void km_veil_answer(struct km_call *call)
{
    struct km_buf cut KM_CLEANUP(km_buf_done) = KM_BUF(4 * call->answer.n + 4096);
    struct km_veil *veil = call->w->gw->veil;
    struct km_header *h = (struct km_header *)(uintptr_t)call->refusal.v; /* our own copy */
    struct km_str value;
    size_t n = 0;

    /* What was made for this one request: a token that was fetched, a caller's own key. */
    km_veil_add_head(veil, call->out.head, true);
    for (size_t i = 0; i < call->refusal.n; i++)
        if (km_veil_field(veil, &call->arena, &h[i], true, &value))
            h[n++] = (struct km_header){ h[i].name, value };
    call->refusal.n = n;
    if (!km_veil_cut(veil, km_buf_view(&call->answer), &cut))
        return;
    km_buf_reset(&call->answer);
    if (!km_buf_failed(&cut))
        km_buf_str(&call->answer, km_buf_view(&cut));
}

/* --- streams --- */

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

#define WORDS 6

/* Where the next of the first nwords words by which servers say that something failed stands as a
 * value, or as a member that is not null; text.n: nowhere.  Within a text that a model wrote its
 * quotes are escaped. */
static size_t find_error(struct km_str text, size_t from, size_t nwords)
{
    static const struct km_str words[WORDS] = {
        { "\"error\"", 7 },  { "\"Error\"", 7 }, { "\"errors\"", 8 },
        { "\"detail\"", 8 }, { "\"fail\"", 6 },  { "\"exception\"", 11 },
    };
    size_t first = text.n;

    for (size_t i = 0; i < nwords; i++)
        for (size_t at = from; at < first; at += words[i].n) {
            at += km_str_find(km_str_skip(text, at), words[i]);
            if (at < first && !is_null(text, at + words[i].n))
                first = at;
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
    for (size_t at = 0; (at = find_error(json, at, WORDS)) < json.n; at++) {
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
    if (find_error(line, 0, WORDS) == line.n)
        return false;
    return is_failure(
        km_str_starts(line, KM_STR("data:")) ? km_str_trim(km_str_skip(line, 5)) : line, true);
}

/* A piece of an answer in OpenAI's words, which has one name for what failed. */
static bool is_chunk(struct km_str event)
{
    const struct km_str head = km_str_sub(event, 0, 256),
                        mark = KM_STR("\"chat.completion.chunk\"");

    return km_str_find(head, mark) < head.n;
}

bool km_veil_tells_failure(struct km_str event)
{
    struct km_str line;

    if (hides_letters(event))
        return true;
    if (find_error(event, 0, is_chunk(event) ? 1 : WORDS) == event.n)
        return is_named_failure(km_str_sub(event, 0, km_str_chr(event, '\n')));
    while (km_str_split(&event, '\n', &line))
        if (line_tells(line))
            return true;
    return false;
}

struct km_veil_gate {
    struct km_buf held; /* since the last event's end */
    size_t seen; /* of it: no end is in there */
    struct km_buf out;
};

static void gate_done(void *gate)
{
    struct km_veil_gate *g = gate;

    km_buf_done(&g->held);
    km_buf_done(&g->out);
}

struct km_veil_gate *km_veil_gate_new(struct km_arena *arena)
{
    struct km_veil_gate *g = km_arena_zalloc(arena, sizeof *g);

    if (!g)
        return NULL;
    km_buf_init(&g->held, KM_VEIL_EVENT_BYTES + READ_MOST);
    km_buf_init(&g->out, 4 * (KM_VEIL_EVENT_BYTES + READ_MOST)); /* a mark may be longer */
    return km_arena_defer(arena, gate_done, g) < 0 ? NULL : g;
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

static void pass(struct km_veil_gate *g, struct km_veil *veil, struct km_str event)
{
    if (!km_veil_tells_failure(event) || !km_veil_cut(veil, event, &g->out))
        km_buf_str(&g->out, event);
}

struct km_str km_veil_gate_feed(struct km_veil_gate *g, struct km_veil *veil, struct km_str bytes,
                                bool last)
{
    size_t from = g->seen, n;
    struct km_str rest;

    km_buf_reset(&g->out);
    km_buf_str(&g->held, bytes);
    rest = km_buf_view(&g->held);
    for (; (n = event_end(rest, from)) > 0; rest = km_str_skip(rest, n), from = 0)
        pass(g, veil, km_str_sub(rest, 0, n));
    if (last || rest.n > KM_VEIL_EVENT_BYTES) {
        pass(g, veil, rest);
        rest.n = 0;
    }
    if (rest.n)
        memmove(g->held.p, rest.p, rest.n);
    g->held.n = g->seen = rest.n;
    return km_buf_view(&g->out);
}

void km_veil_failure(struct km_call *call)
{
    km_veil_text(call->w->gw->veil, call->err.text, sizeof call->err.text);
}
