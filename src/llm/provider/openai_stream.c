/* SPDX-License-Identifier: Apache-2.0 */
/* openai_stream.c - OpenAI's chunks as events.
 *
 * Texts pass as they come.  Calls are the difficulty: their pieces name them by index, and
 * nothing forbids a server to send pieces of several in turn, while the events of one call must
 * stand together.  So one call is live at a time:
 *
 *     live call    its pieces pass at once
 *     other calls  wait, gathered, until the live one's arguments are a complete JSON value, or
 *                  the choice ends; then the next in line becomes the live one
 *
 * Servers that send one call after another, which is nearly all, never make a call wait.  A
 * server that leaves the index out, or says 0 for all, is told apart by the ids.
 */
#include "http/json_take.h"
#include "llm/dropped.h"
#include "llm/provider/citations.h"
#include "llm/provider/openai_inside.h"

#define CALLS_MOST 1024

/* Are these bytes a complete JSON object yet?  Strings and depth are all it takes. */
struct balance {
    unsigned depth;
    bool begun, quoted, escaped;
};

struct call {
    struct call *next;
    int64_t index;
    struct km_str id, name, signature;
    struct balance balance;
    char *input; /* what came while it waited */
    size_t n, cap;
    bool live, over;
};

struct stream_choice {
    struct km_openai_choice c;
    struct call *calls; /* in the order they came */
    size_t ncalls;
};

struct state {
    struct stream_choice **choices; /* KM_CHOICES_MOST, in the call's arena */
    bool done; /* [DONE] came */
    bool cited; /* what was found beside the choices */
    bool used_early; /* the usage that was said last stands before the last choice's end */
};

_Static_assert(sizeof(struct state) <= KM_OPENAI_STATE, "the row says how much");

static void weigh(struct balance *b, struct km_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char ch = s.p[i];

        if (b->escaped)
            b->escaped = false;
        else if (b->quoted && ch == '\\')
            b->escaped = true;
        else if (ch == '"')
            b->quoted = !b->quoted;
        else if (!b->quoted && (ch == '{' || ch == '['))
            b->depth++;
        else if (!b->quoted && (ch == '}' || ch == ']') && b->depth > 0)
            b->depth--;
        b->begun = b->begun || ch == '{';
    }
}

static bool complete(const struct call *call)
{
    return call->balance.begun && call->balance.depth == 0 && !call->balance.quoted;
}

/* --- calls --- */

static struct call *live_call(const struct stream_choice *s)
{
    for (struct call *call = s->calls; call; call = call->next)
        if (call->live)
            return call;
    return NULL;
}

static int nomem(struct km_err *err)
{
    return km_fail(err, KM_E_NOMEM, "out of memory");
}

static int keep(struct km_decode *d, struct call *call, struct km_str piece, struct km_err *err)
{
    if (piece.n > call->cap - call->n) {
        size_t cap = call->cap ? call->cap * 2 : 256;
        char *p;

        while (cap < call->n + piece.n)
            cap *= 2;
        p = km_arena_alloc(d->arena, cap);
        if (!p)
            return nomem(err);
        if (call->n)
            memcpy(p, call->input, call->n);
        call->input = p;
        call->cap = cap;
    }
    if (piece.n)
        memcpy(call->input + call->n, piece.p, piece.n);
    call->n += piece.n;
    return 0;
}

static int go_live(struct km_decode *d, struct stream_choice *s, struct call *call,
                   struct km_err *err)
{
    struct km_str waiting = km_str(call->input, call->n);
    int r;

    if (!call->name.n)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "The upstream's answer calls a nameless tool.");
    r = km_openai_tool_event(d, &s->c, call->id, call->name, call->signature, err);
    call->live = true;
    call->n = 0;
    return r == 0 && waiting.n ? km_openai_put(d, &s->c, KM_CHAT_TOOL_INPUT, waiting, err) : r;
}

static void end_live(const struct stream_choice *s)
{
    struct call *call = live_call(s);

    if (call) {
        call->live = false;
        call->over = true;
    }
}

/* Makes the next in line live while the live one has all it needs. */
static int advance(struct km_decode *d, struct stream_choice *s, bool all, struct km_err *err)
{
    int r = 0;

    for (struct call *call = s->calls; r == 0 && call; call = call->next) {
        const struct call *live = live_call(s);

        if (call->over || call->live || (!all && !call->name.n))
            continue;
        if (live && !all && !complete(live))
            return 0;
        end_live(s);
        r = go_live(d, s, call, err);
    }
    return r;
}

static struct call *find_call(const struct stream_choice *s, bool has_index, int64_t index,
                              struct km_str id)
{
    struct call *last = NULL, *same = NULL;

    for (struct call *call = s->calls; call; call = call->next) {
        last = call;
        if (id.n && km_str_eq(call->id, id))
            return call;
        if (has_index && call->index == index)
            same = call;
    }
    if (same) /* an id that is another's: the server counts none of its calls */
        return id.n && same->id.n ? NULL : same;
    return has_index || id.n ? NULL : last;
}

static struct call *new_call(struct km_decode *d, struct stream_choice *s, int64_t index,
                             struct km_err *err)
{
    struct call *call, **at = &s->calls;

    if (s->ncalls >= CALLS_MOST) {
        (void)km_fail(err, KM_E_UPSTREAM_PROTOCOL, "The upstream's answer calls too many tools.");
        return NULL;
    }
    call = km_arena_zalloc(d->arena, sizeof *call);
    if (!call) {
        (void)nomem(err);
        return NULL;
    }
    call->index = index;
    s->ncalls++;
    while (*at && (*at)->index <= index)
        at = &(*at)->next;
    call->next = *at;
    *at = call;
    return call;
}

static int code_of(const struct km_err *err)
{
    return err && err->code ? err->code : KM_E_UPSTREAM_PROTOCOL;
}

static int call_delta(struct km_decode *d, struct stream_choice *s, const struct km_json *v,
                      const struct km_json *function, struct km_err *err)
{
    struct km_str id = KM_STR_NONE, name = KM_STR_NONE, input;
    int64_t index = 0;
    bool has_index = km_json_i64(km_json_take(v, "index"), &index);
    struct km_err why = { 0 };
    struct call *call;
    int r = 0;

    (void)km_json_string(km_json_take(v, "id"), &id);
    (void)km_json_string(km_json_take(function, "name"), &name);
    call = find_call(s, has_index, index, id);
    if (!call) {
        call = new_call(d, s, index, &why);
        if (!call) {
            if (err)
                *err = why;
            return code_of(&why);
        }
    }
    if (!call->id.n)
        call->id = km_arena_str(d->arena, id);
    if (!call->name.n)
        call->name = km_arena_str(d->arena, name);
    if (!call->signature.n)
        call->signature = km_arena_str(d->arena, km_openai_signature(v));
    input = km_openai_arguments(function, d->scratch);
    if (call->over && input.n)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL,
                       "The upstream's answer goes on with a call that was complete.");
    weigh(&call->balance, input);
    if (!call->live)
        r = keep(d, call, input, err);
    else if (input.n)
        r = km_openai_put(d, &s->c, KM_CHAT_TOOL_INPUT, input, err);
    return r == 0 ? advance(d, s, false, err) : r;
}

static int call_deltas(struct km_decode *d, struct stream_choice *s, const struct km_json *delta,
                       struct km_err *err)
{
    const struct km_json *calls = km_json_take(delta, "tool_calls"), *v;
    const struct km_json *function = km_json_take(delta, "function_call");
    struct km_json_iter it;
    struct km_str key;
    int r = 0;

    if (km_json_kind(calls) == KM_JSON_ARRAY)
        for (km_json_iter(calls, &it); r == 0 && km_json_next(&it, &key, &v);)
            r = call_delta(d, s, v, km_json_take(v, "function"), err);
    if (r == 0 && km_json_kind(function) == KM_JSON_OBJECT)
        r = call_delta(d, s, NULL, function, err);
    return r;
}

/* --- chunks --- */

static struct stream_choice *choice_at(struct km_decode *d, const struct km_json *v,
                                       struct km_err *err)
{
    struct state *st = d->state;
    int64_t index = 0;

    (void)km_json_i64(km_json_take(v, "index"), &index);
    if (index < 0 || index >= KM_CHOICES_MOST) {
        (void)km_fail(err, KM_E_UPSTREAM_PROTOCOL, "The upstream's answer has too many choices.");
        return NULL;
    }
    if (!st->choices)
        st->choices = km_arena_zalloc(d->arena, KM_CHOICES_MOST * sizeof(void *));
    if (st->choices && !st->choices[index]) {
        st->choices[index] = km_arena_zalloc(d->arena, sizeof **st->choices);
        if (st->choices[index])
            st->choices[index]->c.index = (unsigned)index;
    }
    if (!st->choices || !st->choices[index]) {
        (void)nomem(err);
        return NULL;
    }
    return st->choices[index];
}

/* The end of a choice: what was found is told with the first of them, however often it was said. */
static int choice_end(struct km_decode *d, struct stream_choice *s, const struct km_json *root,
                      const struct km_json *v, struct km_err *err)
{
    struct state *st = d->state;
    int r = advance(d, s, true, err);

    if (r == 0 && !st->cited) {
        st->cited = true;
        r = km_openai_cite_found(d, s->c.index, s->c.block, root, err);
    }
    return r == 0 ? km_openai_read_end_of(d, &s->c, v, err) : r;
}

static int choice_delta(struct km_decode *d, const struct km_json *root, const struct km_json *v,
                        struct km_err *err)
{
    const struct km_json *delta = km_json_take(v, "delta");
    struct km_err why = { 0 };
    struct stream_choice *s = choice_at(d, v, &why);
    unsigned before;
    int r;

    if (!s) {
        if (err)
            *err = why;
        return code_of(&why);
    }
    if (s->c.finished)
        return 0; /* what comes behind the end is for nobody */
    before = s->c.blocks;
    r = km_openai_read_text(d, &s->c, delta, err);
    if (s->c.blocks != before)
        end_live(s);
    if (r == 0)
        r = call_deltas(d, s, delta, err);
    if (r == 0)
        r = km_openai_read_logprobs(d, &s->c, v, err);
    if (r == 0 && km_json_kind(km_json_take(v, "finish_reason")) == KM_JSON_STRING)
        r = choice_end(d, s, root, v, err);
    return r;
}

/* Have all choices finished that were heard of, and was there one? */
static bool all_finished(const struct state *st)
{
    bool any = false;

    for (size_t i = 0; st->choices && i < KM_CHOICES_MOST; i++) {
        if (st->choices[i] && !st->choices[i]->c.finished)
            return false;
        any = any || st->choices[i];
    }
    return any;
}

/* Some say with each chunk what was used so far: that is final behind the last of them only. */
static int read_used(struct km_decode *d, const struct km_json *root, struct km_err *err)
{
    struct state *st = d->state;
    struct km_usage usage;

    if (!km_openai_read_usage(km_json_take(root, "usage"), &usage))
        return 0;
    st->used_early = usage.known && !all_finished(st);
    return km_openai_read_used(d, root, !st->used_early, err);
}

int km_openai_read_event(struct km_decode *d, const struct km_frame_event *e, struct km_err *err)
{
    struct state *st = d->state;
    const struct km_json *root, *v, *choices;
    struct km_json_iter it;
    struct km_str key;
    int r = 0;

    if (st->done || !km_str_trim(e->data).n)
        return 0;
    if (km_str_eq(km_str_trim(e->data), KM_STR("[DONE]"))) {
        st->done = true;
        return 0;
    }
    if (km_decode_json(d, d->scratch, e->data, &root, err) < 0)
        return KM_E_UPSTREAM_PROTOCOL;
    v = km_json_take(root, "error");
    if (km_json_kind(v) == KM_JSON_OBJECT || km_json_kind(v) == KM_JSON_STRING)
        return km_openai_read_error(v, err);
    if (km_str_eq(e->type, KM_STR("error")))
        return km_openai_read_error(root, err);
    if (!d->answer->started)
        r = km_openai_read_start(d, root, err);
    choices = km_json_take(root, "choices");
    if (km_json_kind(choices) == KM_JSON_ARRAY)
        for (km_json_iter(choices, &it); r == 0 && km_json_next(&it, &key, &v);)
            r = choice_delta(d, root, v, err);
    return r == 0 ? read_used(d, root, err) : r;
}

/* What each of its documents repeats of its own form, and which build answered. */
const struct km_str km_openai_idle[] = {
    KM_IDLE("id"),
    KM_IDLE("object"),
    KM_IDLE("created"),
    KM_IDLE("model"),
    KM_IDLE("system_fingerprint"),
    KM_IDLE("service_tier"), /* it is read with the usage */
    KM_IDLE("citations"), /* they are read with a choice's end, however often they are said */
    KM_IDLE("search_results"),
    KM_IDLE("choices.index"),
    KM_IDLE("choices.message.role"),
    KM_IDLE("choices.message.tool_calls.type"),
    KM_IDLE("choices.message.tool_calls.index"),
    KM_IDLE("choices.delta.role"),
    KM_IDLE("choices.delta.tool_calls.type"),
    KM_IDLE(""),
};

/* [DONE] ends a choice too, for servers that never say why it ended. */
int km_openai_read_end(struct km_decode *d, struct km_err *err)
{
    struct km_chat_event used = { .kind = KM_CHAT_USAGE, .usage = d->answer->usage };
    const struct state *st = d->state;
    size_t finished = 0;
    int r = 0;

    for (size_t i = 0; r == 0 && st->choices && i < KM_CHOICES_MOST; i++) {
        struct stream_choice *s = st->choices[i];

        if (!s)
            continue;
        if (!s->c.finished && !st->done)
            finished = SIZE_MAX;
        if (!s->c.finished && st->done) {
            r = advance(d, s, true, err);
            if (r == 0)
                r = km_openai_finish_event(d, &s->c, KM_FINISH_STOP, KM_STR_NONE, err);
        }
        finished += finished < SIZE_MAX;
    }
    if (r == 0 && (finished == 0 || finished == SIZE_MAX))
        r = km_fail(err, KM_E_UPSTREAM_PROTOCOL,
                    "The upstream's stream ended before it was complete.");
    if (r == 0 && st->used_early) {
        used.usage.known = true;
        r = km_answer_put(d->answer, &used, err);
    }
    return r;
}
