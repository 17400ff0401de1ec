/* SPDX-License-Identifier: Apache-2.0 */
/* router.c - see router.h for the contract.
 *
 * A pick is at most a few passes over the candidates, which are few; nothing is allocated and
 * nothing but the breakers is shared:
 *
 *     1. lowest `order` among those neither tried nor open
 *     2. one of these, by weight
 *     3. half-open: only if the breaker gives us its probe; if another call has it, back to 1
 *        without this one
 *     4. none left but open ones: lowest order, by weight, breaker or not - an answer from an
 *        upstream that is probably down beats a certain refusal
 *
 * The random number is the call's own (prng.h): no lock, and a test that sets the seed sees the
 * same picks.
 */
#include "policy/router.h"

#include <string.h>

#include "base/prng.h"

static bool was_tried(const struct km_route_state *state, const struct km_candidate *c)
{
    for (size_t i = 0; i < state->ntried; i++)
        if (state->tried[i] == c)
            return true;
    return false;
}

struct pass {
    const struct km_candidate *v;
    size_t n;
    uint64_t now_ms;
    uint64_t taken; /* bit i: candidate i lost the race for its probe (first 64) */
    bool last_resort;
};

static uint64_t score_of(const struct km_route_state *state, const struct pass *p, size_t i)
{
    return km_strategy_score(state->strategy, &p->v[i].facts, state->stream, state->tokens,
                             p->now_ms);
}

/* Is it at its limit?  Only a strategy that counts knows. */
static bool is_full(const struct km_route_state *state, const struct pass *p, size_t i)
{
    return state->strategy && state->strategy->strategy == KM_STRATEGY_USAGE &&
           score_of(state, p, i) == KM_SCORE_FULL;
}

static bool eligible(const struct km_route_state *state, const struct pass *p, size_t i)
{
    if ((state->left_out && state->left_out[i]) || was_tried(state, &p->v[i]) ||
        (i < 64 && (p->taken >> i & 1)) || is_full(state, p, i))
        return false;
    return p->last_resort || (km_breaker_state(p->v[i].breaker, p->now_ms) != KM_BREAKER_OPEN &&
                              !km_breaker_rests(p->v[i].breaker, p->now_ms));
}

static uint64_t weight_of(const struct pass *p, size_t i)
{
    const struct km_candidate *c = &p->v[i];
    const uint64_t weight = c->weight > 0 ? (uint64_t)c->weight : 1;

    return weight * km_breaker_share(c->breaker, p->now_ms);
}

/* The lowest order among those that may serve; INT64_MAX: none may. */
static int64_t lowest_order(const struct km_route_state *state, const struct pass *p)
{
    int64_t order = INT64_MAX;

    for (size_t i = 0; i < p->n; i++)
        if (p->v[i].order < order && eligible(state, p, i))
            order = p->v[i].order;
    return order;
}

/* The highest score that is good enough. */
static uint64_t good_score(const struct km_route_state *state, const struct pass *p, int64_t order)
{
    uint64_t best = KM_SCORE_FULL, score;

    for (size_t i = 0; i < p->n; i++) {
        if (p->v[i].order != order || !eligible(state, p, i))
            continue;
        score = score_of(state, p, i);
        best = score < best ? score : best;
    }
    return km_strategy_good(state->strategy, best);
}

struct choice {
    int64_t order;
    bool scored;
    uint64_t good;
};

static bool is_chosen(const struct km_route_state *state, const struct pass *p,
                      const struct choice *c, size_t i)
{
    return p->v[i].order == c->order && eligible(state, p, i) &&
           (!c->scored || score_of(state, p, i) <= c->good);
}

static struct choice choice_of(const struct km_route_state *state, const struct pass *p)
{
    struct choice c = { .order = lowest_order(state, p),
                        .scored = state->strategy && state->strategy->strategy };

    if (c.scored)
        c.good = good_score(state, p, c.order);
    return c;
}

/* Index of the pick, or n. */
static size_t choose(struct km_route_state *state, const struct pass *p)
{
    const struct choice c = choice_of(state, p);
    uint64_t total = 0, at;

    for (size_t i = 0; i < p->n; i++)
        if (is_chosen(state, p, &c, i))
            total += weight_of(p, i);
    if (total == 0)
        return p->n;
    at = km_prng_next(&state->rng) % total;
    for (size_t i = 0; i < p->n; i++) {
        if (!is_chosen(state, p, &c, i))
            continue;
        if (at < weight_of(p, i))
            return i;
        at -= weight_of(p, i);
    }
    return p->n; /* a breaker or a count changed between the two passes */
}

static const struct km_candidate *take(struct km_route_state *state, const struct km_candidate *c)
{
    state->tried[state->ntried++] = c;
    state->attempts++;
    return c;
}

const struct km_candidate *km_route_pick(struct km_route_state *state, const struct km_candidate *v,
                                         size_t n, uint64_t now_ms)
{
    struct pass p = { .v = v, .n = n, .now_ms = now_ms };
    size_t i;

    if (state->ntried >= KM_ROUTE_TRIED)
        return NULL;
    for (size_t tries = 0; tries <= n; tries++) {
        i = choose(state, &p);
        if (i == n)
            break;
        if (km_breaker_allow(v[i].breaker, v[i].settings, now_ms))
            return take(state, &v[i]);
        if (i < 64)
            p.taken |= (uint64_t)1 << i;
    }
    if (state->strict)
        return NULL;
    p.last_resort = true;
    p.taken = 0;
    i = choose(state, &p);
    return i < n ? take(state, &v[i]) : NULL;
}

bool km_route_is_full(const struct km_route_state *state, const struct km_candidate *v, size_t n,
                      uint64_t now_ms)
{
    const struct pass p = { .v = v, .n = n, .now_ms = now_ms };

    for (size_t i = 0; i < n; i++)
        if (!(state->left_out && state->left_out[i]) && !is_full(state, &p, i))
            return false;
    return n > 0;
}

void km_route_unpick(struct km_route_state *state, const struct km_candidate *c)
{
    size_t i = 0;

    while (i < state->ntried && state->tried[i] != c)
        i++;
    if (i == state->ntried)
        return;
    memmove(&state->tried[i], &state->tried[i + 1],
            (state->ntried - i - 1) * sizeof state->tried[0]);
    state->ntried--;
    state->attempts--;
}

bool km_route_has_other(const struct km_route_state *state, const struct km_candidate *v, size_t n,
                        uint64_t now_ms)
{
    const struct pass p = { .v = v, .n = n, .now_ms = now_ms };

    for (size_t i = 0; i < n; i++)
        if (eligible(state, &p, i))
            return true;
    return false;
}

bool km_route_has_untried(const struct km_route_state *state, const struct km_candidate *v,
                          size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!(state->left_out && state->left_out[i]) && !was_tried(state, &v[i]))
            return true;
    return false;
}

void km_route_again(struct km_route_state *state)
{
    state->ntried = 0;
}

/* --- what would be picked --- */

const char *km_route_place_word(enum km_route_place place)
{
    static const char *const words[] = {
        [KM_ROUTE_MAY] = "may_serve",      [KM_ROUTE_LATER] = "later",
        [KM_ROUTE_LEFT_OUT] = "left_out",  [KM_ROUTE_TRIED_ALREADY] = "tried",
        [KM_ROUTE_FULL] = "full",          [KM_ROUTE_OPEN] = "open",
        [KM_ROUTE_RESTS] = "rests",
    };

    return words[place];
}

static enum km_route_place place_of(const struct km_route_state *state, const struct pass *p,
                                    const struct choice *c, size_t i)
{
    if (state->left_out && state->left_out[i])
        return KM_ROUTE_LEFT_OUT;
    if (was_tried(state, &p->v[i]))
        return KM_ROUTE_TRIED_ALREADY;
    if (is_full(state, p, i))
        return KM_ROUTE_FULL;
    if (is_chosen(state, p, c, i))
        return KM_ROUTE_MAY;
    if (km_breaker_state(p->v[i].breaker, p->now_ms) == KM_BREAKER_OPEN)
        return KM_ROUTE_OPEN;
    return km_breaker_rests(p->v[i].breaker, p->now_ms) ? KM_ROUTE_RESTS : KM_ROUTE_LATER;
}

void km_route_explain(const struct km_route_state *state, const struct km_candidate *v, size_t n,
                      uint64_t now_ms, struct km_route_word *ret_words)
{
    struct pass p = { .v = v, .n = n, .now_ms = now_ms };
    struct choice c = choice_of(state, &p);
    uint64_t total = 0;

    if (c.order == INT64_MAX && !state->strict) {
        p.last_resort = true;
        c = choice_of(state, &p);
    }
    for (size_t i = 0; i < n; i++) {
        ret_words[i] = (struct km_route_word){
            .candidate = &v[i],
            .place = place_of(state, &p, &c, i),
            .why = state->left_out ? (enum km_left_out)state->left_out[i] : KM_LEFT_NOT,
            .score = c.scored ? score_of(state, &p, i) : 0,
        };
        if (ret_words[i].place == KM_ROUTE_MAY)
            total += weight_of(&p, i);
    }
    for (size_t i = 0; i < n; i++)
        if (ret_words[i].place == KM_ROUTE_MAY && total)
            ret_words[i].permille = (unsigned)(weight_of(&p, i) * 1000 / total);
}

/* An upstream that says it is full works: it is left alone for a while, and nothing is held against
 * it but where LiteLLM's allowed_fails_policy says so. */
static bool report_full(const struct km_candidate *c, const struct km_report *r, uint64_t now_ms)
{
    const struct km_breaker_settings *s = c->settings;
    const bool counts = s && s->allowed_of && s->allowed_of->of[KM_FAILURE_RATE_LIMIT] >= 0;

    if (r->rest_ms >= 0 && (!s || !s->never))
        km_breaker_rest(c->breaker, r->rest_ms > 0 ? (uint64_t)r->rest_ms : KM_BREAKER_REST_MS,
                        now_ms);
    if (km_breaker_state(c->breaker, now_ms) == KM_BREAKER_HALF_OPEN && !counts)
        km_breaker_report(c->breaker, s, true, now_ms);
    return counts && km_breaker_fail(c->breaker, s, KM_FAILURE_RATE_LIMIT, now_ms);
}

bool km_route_report(const struct km_candidate *c, const struct km_report *r, uint64_t now_ms)
{
    switch (r->outcome) {
    case KM_OUTCOME_OK:
        km_breaker_report(c->breaker, c->settings, true, now_ms);
        break;
    case KM_OUTCOME_FAILED:
        return km_breaker_fail(c->breaker, c->settings, r->failure, now_ms);
    case KM_OUTCOME_RATE_LIMITED:
        return report_full(c, r, now_ms);
    case KM_OUTCOME_CALLER:
        /* The caller's own fault or departure: the upstream answered, which frees a probe. */
        if (km_breaker_state(c->breaker, now_ms) == KM_BREAKER_HALF_OPEN)
            km_breaker_report(c->breaker, c->settings, true, now_ms);
        break;
    case KM_OUTCOME_OVERTAKEN:
        km_breaker_release(c->breaker);
        break;
    }
    return false;
}
