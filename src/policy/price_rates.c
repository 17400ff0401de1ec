/* SPDX-License-Identifier: Apache-2.0 */
/* price_rates.c - which prices of tokens hold for a call, and how prices are put together.
 *
 *     plain rates
 *     + the service's steps of any length        what a step leaves unset stays as it was
 *     + of each step that the prompt is over, shortest first: the plain one, the service's
 *
 * So a service without prices of its own costs what the plain one does, and one that has no price
 * for long prompts costs what long prompts do.  That is what LiteLLM's calculator makes of its
 * columns.  A batch begins with half of what its call would cost, and its own steps alone are laid
 * over that.
 *
 * What thinking costs is what a service says of it; where a service only says what output costs,
 * thinking is output.
 */
#include "policy/price_inside.h"

#include <string.h>

static void overlay(struct km_rates *r, const struct km_rates *over)
{
    int64_t *to = &r->input;
    const int64_t *from = &over->input;

    for (size_t i = 0; i < KM_RATES_COUNT; i++)
        if (from[i] >= 0)
            to[i] = from[i];
}

/* The steps of one service that a prompt is over; with_any: those of any length too. */
static void climb(const struct km_price *p, enum km_service service, int64_t prompt,
                  struct km_rates *r)
{
    for (unsigned i = 0; i < p->nsteps; i++) {
        const struct km_price_step *s = &p->steps[i];

        if (s->above > 0 && prompt <= s->above)
            break;
        if (s->service != service &&
            (s->service != KM_SERVICE_STANDARD || s->above == 0 || service == KM_SERVICE_BATCH))
            continue;
        if (s->above == 0 && s->rates.output >= 0 && s->rates.reasoning < 0)
            r->reasoning = -1;
        overlay(r, &s->rates);
    }
}

static void halve(struct km_rates *r)
{
    int64_t *v = &r->input;

    for (size_t i = 0; i < KM_RATES_COUNT; i++)
        if (v[i] >= 0)
            v[i] = v[i] / 2 + v[i] % 2;
}

const struct km_rates *km_price_rates(const struct km_price *p, enum km_service service,
                                      int64_t prompt, struct km_rates *room)
{
    if (!p->nsteps && service != KM_SERVICE_BATCH)
        return &p->rates;
    *room = p->rates;
    if (service == KM_SERVICE_BATCH) {
        climb(p, KM_SERVICE_STANDARD, prompt, room);
        halve(room);
    }
    climb(p, service, prompt, room);
    return room;
}

/* --- putting prices together --- */

static void over_wins(int64_t *base, int64_t over)
{
    if (over >= 0)
        *base = over;
}

static void merge_media(struct km_media_price *base, const struct km_media_price *over)
{
    over_wins(&base->character, over->character);
    over_wins(&base->output_second, over->output_second);
    over_wins(&base->input_image, over->input_image);
    over_wins(&base->output_image, over->output_image);
    over_wins(&base->input_pixel, over->input_pixel);
    over_wins(&base->output_pixel, over->output_pixel);
}

static void merge_plain(struct km_price *base, const struct km_price *over)
{
    overlay(&base->rates, &over->rates);
    over_wins(&base->request, over->request);
    over_wins(&base->max_input_tokens, over->max_input_tokens);
    over_wins(&base->max_output_tokens, over->max_output_tokens);
    over_wins(&base->second, over->second);
    merge_media(&base->media, &over->media);
    for (size_t i = 0; i < KM_SEARCH_SIZES; i++)
        over_wins(&base->search[i], over->search[i]);
    over_wins(&base->session, over->session);
    over_wins(&base->file_search, over->file_search);
    over_wins(&base->page, over->page);
    over_wins(&base->annotated_page, over->annotated_page);
    over_wins(&base->fast, over->fast);
    over_wins(&base->in_us, over->in_us);
    for (size_t i = 0; i < KM_UPLIFTS; i++)
        over_wins(&base->uplifts[i], over->uplifts[i]);
    if (over->uplift != KM_UPLIFT_NONE)
        base->uplift = over->uplift;
    over_wins(&base->search_by_query, over->search_by_query);
    over_wins(&base->search_always, over->search_always);
    over_wins(&base->citation, over->citation);
    if (over->service != KM_SERVICE_STANDARD)
        base->service = over->service;
}

/* Is any of n prices that follow each other set? */
static bool any_set(const int64_t *v, size_t n)
{
    while (n && *v < 0)
        v++, n--;
    return n > 0;
}

static void forget_uplifts(struct km_price *p)
{
    for (size_t i = 0; i < KM_UPLIFTS; i++)
        p->uplifts[i] = -1;
}

struct km_price km_price_merge(struct km_price base, struct km_price over)
{
    static const struct km_rates none = KM_RATES_NONE;

    /* Whoever sets a price of tokens means it for every length of prompt, and every service. */
    if (over.nsteps || over.input >= 0 || over.output >= 0) {
        base.steps = over.steps;
        base.nsteps = over.nsteps;
    }
    /* Whoever says what an image or a second costs, and nothing of tokens, counts no tokens. */
    if ((over.second >= 0 || any_set(&over.media.character, KM_MEDIA_PRICES)) &&
        !any_set(&over.input, KM_RATES_COUNT)) {
        base.rates = none;
        base.nsteps = 0;
    }
    /* And for all that a request costs. */
    if (over.input >= 0 || over.output >= 0) {
        base.request = -1;
        forget_uplifts(&base); /* and wherever its calls go */
    }
    /* What a listed model's thinking costs is no part of another's output. */
    if (over.output >= 0 && over.reasoning < 0)
        base.reasoning = -1;
    merge_plain(&base, &over);
    return base;
}

struct km_price_step *km_price_step_at(struct km_price_step *v, unsigned *n, int64_t above,
                                       enum km_service service)
{
    unsigned i = 0;

    while (i < *n && (v[i].above < above || (v[i].above == above && v[i].service < service)))
        i++;
    if (i < *n && v[i].above == above && v[i].service == service)
        return &v[i];
    if (*n == KM_PRICE_STEPS_MOST)
        return NULL;
    memmove(v + i + 1, v + i, (*n - i) * sizeof *v);
    v[i] = (struct km_price_step){ above, service, KM_RATES_NONE };
    ++*n;
    return &v[i];
}

struct km_price km_price_join(struct km_arena *arena, struct km_price base, struct km_price over)
{
    struct km_price_step *v;
    bool adds = over.nsteps && base.nsteps && over.input < 0 && over.output < 0;
    struct km_price joined = km_price_merge(base, over);
    unsigned n = 0;

    if (!joined.nsteps)
        return joined;
    v = km_arena_alloc(arena, (size_t)(base.nsteps + over.nsteps) * sizeof *v);
    joined.nsteps = 0;
    joined.steps = v;
    for (unsigned i = 0; v && adds && i < base.nsteps; i++)
        *km_price_step_at(v, &n, base.steps[i].above, base.steps[i].service) = base.steps[i];
    for (unsigned i = 0; v && i < (over.nsteps ? over.nsteps : base.nsteps); i++) {
        const struct km_price_step *from = over.nsteps ? &over.steps[i] : &base.steps[i];
        struct km_price_step *to = km_price_step_at(v, &n, from->above, from->service);

        if (to) /* a price has room for more than any has */
            overlay(&to->rates, &from->rates);
    }
    joined.nsteps = n;
    return joined;
}
