/* SPDX-License-Identifier: Apache-2.0 */
/* bill.c - see bill.h for the table of endings.
 *
 * A live ending is one about which the provider knows more than we do: it has the request, has read
 * it, and wrote until it noticed that nobody listens.  So it is charged what was heard or what a
 * deployment writes in that time, whichever is more: breaking off is neither free nor dear.
 * Whoever sends requests and leaves spends what the provider bills, and no key dies of a doubt.
 *
 *     tokens:  output = max(heard, rate x seconds [, median of whole answers])   <= reserved
 *     money:   km_price_cost(tokens), <= reserved
 */
#include "policy/bill.h"

#define MS_MOST UINT64_C(100000000) /* over a day */
#define RATE_MOST INT64_C(10000000000)

enum km_bill_end km_bill_end_of(int status, bool output, bool whole)
{
    if (status >= 200 && status < 300)
        return whole ? KM_BILL_ANSWERED : KM_BILL_LIVE;
    if (output)
        return KM_BILL_LIVE;
    if (status >= 400 && status < 500)
        return status == 408 || status == 499 ? KM_BILL_LIVE : KM_BILL_REFUSED;
    return status == 503 || status == 529 ? KM_BILL_REFUSED : KM_BILL_LIVE;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* most -1: not bounded. */
static int64_t at_most(int64_t v, int64_t most)
{
    return most >= 0 && v > most ? most : v;
}

/* Milli-tokens a second times milliseconds: both far from where the product would overflow. */
static int64_t written_in(uint64_t ms, int64_t rate)
{
    if (rate <= 0)
        return 0;
    if (ms > MS_MOST)
        ms = MS_MOST;
    return (int64_t)ms * (rate < RATE_MOST ? rate : RATE_MOST) / 1000000;
}

static void estimate(const struct km_bill_facts *f, int64_t output, struct km_usage *u)
{
    u->known = false;
    if (u->prompt_tokens < 1 && f->reserved_input > 0)
        u->prompt_tokens = 1; /* no request is without a prompt */
    u->prompt_tokens = at_most(u->prompt_tokens, f->reserved_input);
    u->completion_tokens = at_most(output, f->reserved_output);
}

static void price_it(const struct km_bill_facts *f, const struct km_price *p, struct km_bill *b)
{
    b->estimated = !b->usage.known;
    b->over_reserved = false;
    b->unpriced = !km_price_cost(p, &b->usage, &b->cost);
    if (b->unpriced)
        b->cost = 0;
    else if (b->cost == 0 && f->works && f->reserved != 0 && !km_price_is_free(p))
        b->cost = 1; /* it reported that it used nothing: what was sent is not free */
    else if (b->estimated)
        b->cost = at_most(b->cost, f->reserved);
    else
        b->over_reserved = f->reserved >= 0 && b->cost > f->reserved;
}

void km_bill_make(const struct km_bill_facts *f, const struct km_price *p, struct km_bill *ret)
{
    int64_t output = f->usage.completion_tokens;

    if (f->end == KM_BILL_UNSENT || f->end == KM_BILL_REFUSED) {
        *ret = (struct km_bill){ .usage.known = true };
        return;
    }
    ret->usage = f->usage;
    if (!f->usage.known) {
        if (f->end == KM_BILL_LIVE && f->writes)
            output = larger(output, written_in(f->upstream_ms, f->rate));
        if (f->end == KM_BILL_LIVE && f->writes && !f->streamed)
            output = larger(output, f->median_output);
        estimate(f, output, &ret->usage);
    }
    price_it(f, p, ret);
}

void km_bill_so_far(const struct km_bill_facts *f, const struct km_price *p, struct km_bill *ret)
{
    ret->usage = f->usage;
    estimate(f, f->usage.completion_tokens, &ret->usage);
    price_it(f, p, ret);
}
