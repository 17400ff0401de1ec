/* SPDX-License-Identifier: Apache-2.0 */
/* veil.c - see veil.h.  Streams and answers of status 200 have veil_stream.c.
 *
 * What is known comes from two sides: the configuration, all of it when it is loaded, and the head
 * of a request that was sent, once its upstream has refused it.  A refusal is gathered whole before
 * anybody reads it, so that the reader and the client see the same text, without the credentials.
 */
#include "call/veil.h"

#include "base/veil.h"
#include "call/call.h"

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

bool km_veil_is_clear(const struct km_veil *veil, const struct km_headers *h)
{
    return !h->n || !veil || (h->text.n && !km_veil_may_hold(veil, h->text));
}

bool km_veil_field(struct km_veil *veil, struct km_arena *arena, const struct km_header *field,
                   bool refused, struct km_str *ret_value)
{
    *ret_value = field->value;
    if (cut_by(km_veil_cut_known, veil, arena, field->name).p != field->name.p)
        return false;
    *ret_value = cut_by(refused ? km_veil_cut : km_veil_cut_known, veil, arena, field->value);
    return true;
}

void km_veil_answer(struct km_call *call)
{
    struct km_buf cut KM_CLEANUP(km_buf_done) = KM_BUF(4 * call->at->answer.n + 4096);
    struct km_veil *veil = call->w->gw->veil;
    struct km_header *h = (struct km_header *)(uintptr_t)call->at->refusal.v; /* our own copy */
    struct km_str value;
    size_t n = 0;

    /* What was made for this one request: a token that was fetched, a caller's own key. */
    km_veil_add_head(veil, call->at->out.head, true);
    for (size_t i = 0; i < call->at->refusal.n; i++)
        if (km_veil_field(veil, &call->arena, &h[i], true, &value))
            h[n++] = (struct km_header){ h[i].name, value };
    call->at->refusal.n = n;
    if (!km_veil_cut(veil, km_buf_view(&call->at->answer), &cut))
        return;
    km_buf_reset(&call->at->answer);
    if (!km_buf_failed(&cut))
        km_buf_str(&call->at->answer, km_buf_view(&cut));
}

void km_veil_failure(struct km_call *call)
{
    km_veil_text(call->w->gw->veil, call->err.text, sizeof call->err.text);
}
