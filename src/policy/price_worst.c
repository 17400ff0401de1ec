/* SPDX-License-Identifier: Apache-2.0 */
/* price_worst.c - what is priced at all, and the most that it can be: for admission.
 *
 * A reservation knows how many tokens a call may have, not of which kind they will be, nor how long
 * the prompt turns out.  So it takes the dearest: over every step a prompt can get over, over every
 * kind of token that the request can make.  Kinds that cost many times what text does (audio, an
 * hour in a cache) count only where the request has them, or every call would have to be able to
 * pay for them.
 */
#include "policy/price_inside.h"

static bool is_free(const struct km_price *p)
{
    return p->input == 0 && p->output == 0;
}

bool km_price_has_service(const struct km_price *p, enum km_service service)
{
    if (service == KM_SERVICE_STANDARD || service == KM_SERVICE_FLEX ||
        service == KM_SERVICE_BATCH || is_free(p))
        return true;
    for (unsigned i = 0; i < p->nsteps; i++)
        if (p->steps[i].service == service &&
            (p->steps[i].rates.input >= 0 || p->steps[i].rates.output >= 0))
            return true;
    return false;
}

bool km_price_has_hosted(const struct km_price *p, enum km_hosted hosted)
{
    switch (hosted) {
    case KM_HOSTED_WEB_SEARCH:
        return p->search[KM_SEARCH_MEDIUM] >= 0;
    case KM_HOSTED_CODE_INTERPRETER:
        return p->session >= 0;
    case KM_HOSTED_FILE_SEARCH:
        return p->file_search >= 0;
    case KM_HOSTED_KINDS:
        break;
    }
    return false;
}

bool km_price_has_fast(const struct km_price *p)
{
    return p->fast >= 0 || is_free(p);
}

bool km_price_has_us(const struct km_price *p)
{
    return p->in_us >= 0 || is_free(p);
}

static void at_least(int64_t *most, int64_t price)
{
    if (price > *most)
        *most = price;
}

static void look_at(const struct km_rates *r, const struct km_usage *asked,
                    struct km_price_worst *w)
{
    at_least(&w->input, r->input);
    at_least(&w->input, r->cache_read);
    at_least(&w->input, r->cache_write);
    if (asked->cache_write_1h_tokens > 0)
        at_least(&w->input, r->cache_write_1h);
    if (asked->audio_tokens > 0) {
        at_least(&w->input, r->audio_input);
        at_least(&w->input, r->audio_cache_read);
    }
    if (asked->image_tokens > 0) {
        at_least(&w->input, r->image_input);
        at_least(&w->input, r->image_cache_read);
    }
    at_least(&w->output, r->output);
    at_least(&w->output, r->reasoning);
    if (asked->audio_completion_tokens > 0)
        at_least(&w->output, r->audio_output);
    if (asked->media.image_tokens > 0)
        at_least(&w->output, r->image_output);
}

/* Rounded up: two tokens may each have a rest. */
static int64_t scaled_up(int64_t price, int64_t thousandths)
{
    km_wide v;

    if (price < 0 || thousandths < 0)
        return price;
    v = km_price_scaled((km_wide)price * 1000, thousandths);
    v = (v + 999) / 1000;
    return v > INT64_MAX ? INT64_MAX : (int64_t)v;
}

static void scale_up(struct km_price_worst *w, int64_t thousandths)
{
    w->input = scaled_up(w->input, thousandths);
    w->output = scaled_up(w->output, thousandths);
}

struct km_price_worst km_price_worst(const struct km_price *p, const struct km_usage *asked)
{
    struct km_price_worst w = { -1, -1, p->request };
    enum km_service service = p->service ? p->service : asked->service;
    km_wide beside = km_price_beside(p, asked);
    struct km_rates room;

    look_at(km_price_rates(p, service, 0, &room), asked, &w);
    for (unsigned i = 0; i < p->nsteps; i++)
        if (p->steps[i].above > 0 && p->steps[i].above < INT64_MAX &&
            !(asked->prompt_tokens > 0 && asked->prompt_tokens <= p->steps[i].above))
            look_at(km_price_rates(p, service, p->steps[i].above + 1, &room), asked, &w);
    if (asked->fast)
        scale_up(&w, p->fast);
    if (asked->in_us)
        scale_up(&w, p->in_us);
    if (p->uplift != KM_UPLIFT_NONE)
        scale_up(&w, p->uplifts[p->uplift]);
    if (beside > 0 || asked->queries > 1) {
        beside += km_price_requests(p, asked);
        w.request = beside > INT64_MAX ? INT64_MAX : (int64_t)beside;
    }
    return w;
}

static km_wide times(int64_t tokens, int64_t price)
{
    return tokens > 0 && price > 0 ? (km_wide)tokens * price : 0;
}

int64_t km_price_worst_cost(const struct km_price_worst *w, int64_t input, int64_t output)
{
    km_wide pico = times(input, w->input) + times(output, w->output) + times(1, w->request);

    return km_price_rounded(pico);
}

void km_price_worst_of(struct km_price_worst *w, const struct km_price_worst *other)
{
    at_least(&w->input, other->input);
    at_least(&w->output, other->output);
    at_least(&w->request, other->request);
}
