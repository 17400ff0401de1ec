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

void km_veil_learn(struct km_veil *veil, const struct km_snapshot *snap)
{
    if (!veil)
        return;
    km_config_veil(snap->config, veil);
    for (size_t i = 0; i < km_models_all(snap->models); i++)
        km_veil_add_head(veil, km_models_at(snap->models, i)->head, false);
}

struct km_str km_veil_str(struct km_veil *veil, struct km_arena *arena, struct km_str text)
{
    struct km_buf cut KM_CLEANUP(km_buf_done) = KM_BUF(4 * text.n + 4096);

    if (!km_veil_cut(veil, text, &cut))
        return text;
    return km_buf_failed(&cut) ? KM_STR_NONE : km_arena_str(arena, km_buf_view(&cut));
}

void km_veil_answer(struct km_call *call)
{
    struct km_buf cut KM_CLEANUP(km_buf_done) = KM_BUF(4 * call->answer.n + 4096);
    struct km_veil *veil = call->w->gw->veil;
    struct km_header *h = (struct km_header *)(uintptr_t)call->refusal.v; /* our own copy */

    /* What was made for this one request: a token that was fetched, a caller's own key. */
    km_veil_add_head(veil, call->out.head, true);
    for (size_t i = 0; i < call->refusal.n; i++)
        h[i].value = km_veil_str(veil, &call->arena, h[i].value);
    if (!km_veil_cut(veil, km_buf_view(&call->answer), &cut))
        return;
    km_buf_reset(&call->answer);
    if (!km_buf_failed(&cut))
        km_buf_str(&call->answer, km_buf_view(&cut));
}

/* --- streams --- */

#define READ_MOST ((size_t)64 * 1024 * 1024) /* of a meter's output for one read */

static bool is_named_failure(struct km_str event)
{
    struct km_str line = km_str_sub(event, 0, km_str_chr(event, '\n'));

    if (!km_str_starts(line, KM_STR("event:")))
        return false;
    line = km_str_trim(km_str_sub(line, 0, km_str_chr(line, '\r')));
    return km_str_ends(line, KM_STR("error")) || km_str_ends(line, KM_STR("failed"));
}

bool km_veil_tells_failure(struct km_str event)
{
    static const struct km_str name = { "\"error\"", 7 };

    if (is_named_failure(event))
        return true;
    for (;;) {
        size_t at = km_str_find(event, name);

        if (at == event.n)
            return false;
        event = km_str_skip(event, at + name.n);
        while (event.n && (event.p[0] == ' ' || event.p[0] == ':' || event.p[0] == '\t'))
            event = km_str_skip(event, 1);
        if (!km_str_starts(event, KM_STR("null")))
            return true;
    }
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
