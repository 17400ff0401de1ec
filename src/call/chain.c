/* SPDX-License-Identifier: Apache-2.0 */
/* chain.c - see chain.h for the contract.
 *
 * One function brings a piece on (run_from).  A piece that comes to a link that waits is copied
 * into its line, so the order holds however many links wait, and a link further on works off what
 * it has while one before it waits.
 */
#include "call/chain.h"

#include <stdlib.h>
#include <string.h>

#include "llm/answer.h"

struct km_waiting_piece {
    struct km_waiting_piece *next;
    struct km_piece piece; /* its views are of the bytes behind */
    struct km_chat_event delta;
    struct km_err err;
    size_t n;
    char bytes[];
};

void km_chain_init(struct km_chain *chain, struct km_arena *arena, const struct km_chain_ops *ops,
                   void *ctx)
{
    *chain = (struct km_chain){ .arena = arena, .ops = ops, .ctx = ctx };
}

/* The first leaves the line; it is the caller's to free. */
static struct km_waiting_piece *leave_line(struct km_link *link)
{
    struct km_waiting_piece *w = link->line;

    link->line = w->next;
    if (!link->line)
        link->line_end = &link->line;
    link->chain->line_bytes -= w->n;
    return w;
}

static void end_unit(struct km_link *link)
{
    if (link->unit->done && !link->done)
        link->unit->done(link);
    link->done = true;
}

void km_chain_done(struct km_chain *chain)
{
    for (struct km_link *link = chain->first; link; link = link->next) {
        end_unit(link);
        while (link->line)
            free(leave_line(link));
    }
    chain->first = NULL;
    chain->end = NULL;
    chain->nwaiting = 0;
}

struct km_link *km_chain_put(struct km_chain *chain, const struct km_unit *unit, void *state)
{
    struct km_link *link = km_arena_zalloc(chain->arena, sizeof *link);

    if (!link)
        return NULL;
    *link = (struct km_link){ .unit = unit, .state = state, .chain = chain };
    link->line_end = &link->line;
    if (unit->size) {
        link->state = km_arena_zalloc(chain->arena, unit->size);
        if (!link->state)
            return NULL;
    }
    *(chain->end ? chain->end : &chain->first) = link;
    chain->end = &link->next;
    return link;
}

/* --- in line --- */

static struct km_str copy(struct km_waiting_piece *w, struct km_str s)
{
    struct km_str own = { w->bytes + w->n, s.n };

    if (s.n)
        memcpy(w->bytes + w->n, s.p, s.n);
    w->n += s.n;
    return own;
}

static struct km_waiting_piece *copy_of(struct km_link *link, const struct km_piece *piece,
                                        struct km_err *err)
{
    const struct km_chat_event none = { 0 }, *delta = piece->delta ? piece->delta : &none;
    size_t n = (piece->lasts ? 0 : piece->bytes.n) + piece->type.n + piece->data.n + delta->text.n +
               delta->id.n + delta->name.n;
    size_t most = link->chain->line_most ? link->chain->line_most : KM_CHAIN_LINE_BYTES;
    struct km_waiting_piece *w;

    if (n > most - link->chain->line_bytes) {
        km_fail(err, KM_E_OVERLOADED, "More came than can wait for '%s'.", link->unit->name);
        return NULL;
    }
    w = malloc(sizeof *w + n);
    if (!w) {
        km_fail(err, KM_E_NOMEM, "out of memory");
        return NULL;
    }
    *w = (struct km_waiting_piece){ .piece = *piece, .delta = *delta };
    if (!piece->lasts)
        w->piece.bytes = copy(w, piece->bytes);
    w->piece.type = copy(w, piece->type);
    w->piece.data = copy(w, piece->data);
    w->delta.text = copy(w, delta->text);
    w->delta.id = copy(w, delta->id);
    w->delta.name = copy(w, delta->name);
    w->piece.delta = piece->delta ? &w->delta : NULL;
    if (piece->err)
        w->err = *piece->err;
    w->piece.err = piece->err ? &w->err : NULL;
    link->chain->line_bytes += w->n;
    return w;
}

static int stand_in_line(struct km_link *link, const struct km_piece *piece, struct km_err *err)
{
    struct km_waiting_piece *w = copy_of(link, piece, err);

    if (!w)
        return err->code;
    *link->line_end = w;
    link->line_end = &w->next;
    return KM_UNIT_HOLD;
}

/* --- on the way --- */

static bool is_content(const struct km_piece *piece)
{
    return piece->what == KM_PIECE_EVENT || piece->what == KM_PIECE_BYTES;
}

/* It comes first: behind it stands what is being worked off. */
static int begin_wait(struct km_link *link, const struct km_piece *piece, struct km_err *err)
{
    struct km_waiting_piece *w = copy_of(link, piece, err);

    if (!w) {
        end_unit(link); /* what it waits for may not come to a link that has nothing */
        return err->code;
    }
    w->next = link->line;
    link->line = w;
    if (!w->next)
        link->line_end = &w->next;
    link->waits = true;
    link->chain->nwaiting++;
    return KM_UNIT_WAIT;
}

/* A head, or the end itself, goes on all the same. */
static enum km_unit_verdict end_content(struct km_link *link, const struct km_piece *piece)
{
    link->over = true;
    link->chain->over = true;
    return is_content(piece) ? KM_UNIT_HOLD : KM_UNIT_PASS;
}

/* What one link makes of it. */
static int pass_link(struct km_link *link, struct km_piece *piece, struct km_err *err)
{
    int verdict;

    if (link->waits)
        return stand_in_line(link, piece, err);
    if (link->over)
        return is_content(piece) ? KM_UNIT_HOLD : KM_UNIT_PASS;
    verdict = link->unit->take(link, piece, err);
    if (verdict == KM_UNIT_WAIT)
        return begin_wait(link, piece, err);
    return verdict == KM_UNIT_END ? (int)end_content(link, piece) : verdict;
}

static int run_from(struct km_chain *chain, struct km_link *link, struct km_piece *piece,
                    struct km_err *err)
{
    for (; link; link = link->next) {
        int verdict = pass_link(link, piece, err);

        if (verdict != KM_UNIT_PASS)
            return verdict < 0 ? verdict : 0;
    }
    return chain->ops->sink(chain->ctx, piece, err);
}

int km_chain_take(struct km_chain *chain, struct km_piece *piece, struct km_err *err)
{
    return run_from(chain, chain->first, piece, err);
}

int km_link_emit(struct km_link *link, struct km_piece *piece, struct km_err *err)
{
    return run_from(link->chain, link->next, piece, err);
}

/* --- a wait is over --- */

const struct km_piece *km_link_waiting(const struct km_link *link)
{
    km_assert(link->waits);
    return &link->line->piece;
}

/* Those behind the first, until it waits again. */
static int work_off(struct km_link *link, struct km_err *err)
{
    int r = 0;

    while (r == 0 && link->line && !link->waits) {
        struct km_waiting_piece *w = leave_line(link);

        r = run_from(link->chain, link, &w->piece, err);
        free(w);
    }
    return r;
}

void km_link_go_on(struct km_link *link, enum km_unit_verdict verdict, const struct km_err *why)
{
    struct km_chain *chain = link->chain;
    struct km_waiting_piece *w;
    struct km_err err = { 0 };
    int r = 0;

    km_assert(link->waits && verdict != KM_UNIT_WAIT);
    w = leave_line(link);
    link->waits = false;
    chain->nwaiting--;
    if (verdict == KM_UNIT_END)
        verdict = end_content(link, &w->piece);
    if (why) {
        err = *why;
        r = err.code;
    } else if (verdict == KM_UNIT_PASS) {
        r = run_from(chain, link->next, &w->piece, &err);
    }
    free(w);
    if (r == 0)
        r = work_off(link, &err);
    if (r < 0 || chain->nwaiting == 0)
        chain->ops->on_more(chain->ctx, r < 0 ? &err : NULL);
}
