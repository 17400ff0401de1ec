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
#include "policy/sticky.h"

#define WEIGHT_MOST (INT64_C(1) << 40) /* times both shares, of hundreds: a sum in 64 bits */

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
    bool evenly; /* none that is left has a weight */
    bool gated; /* some may have no place now: who has one comes first */
};

static uint64_t score_of(const struct km_route_state *state, const struct pass *p, size_t i)
{
    if (state->scores)
        return state->scores[i];
    return km_strategy_score(state->strategy, &p->v[i].facts, state->stream, state->tokens,
                             p->now_ms);
}

/* Is it at its limit?  Only a strategy that counts knows. */
static bool is_full(const struct km_route_state *state, const struct pass *p, size_t i)
{
    return state->strategy && state->strategy->strategy == KM_STRATEGY_USAGE &&
           km_strategy_score(state->strategy, &p->v[i].facts, state->stream, state->tokens,
                             p->now_ms) == KM_SCORE_FULL;
}

static bool is_out(const struct km_route_state *state, const struct km_candidate *c, size_t i)
{
    return (state->left_out && state->left_out[i]) ||
           (state->leveled && c->order <= state->order_done);
}

static bool is_group_open(const struct km_candidate *c, uint64_t now_ms)
{
    return c->group && km_breaker_state(&c->group->breaker, now_ms) == KM_BREAKER_OPEN;
}

static bool has_no_place(const struct km_candidate *c, uint64_t now_ms)
{
    return c->gate && !km_gate_is_open(c->gate, c->gate_rules) &&
           km_gate_is_full(c->gate, c->gate_rules, now_ms);
}

static bool eligible(const struct km_route_state *state, const struct pass *p, size_t i)
{
    if (is_out(state, &p->v[i], i) || was_tried(state, &p->v[i]) ||
        (i < 64 && (p->taken >> i & 1)) || is_full(state, p, i) ||
        (p->gated && has_no_place(&p->v[i], p->now_ms)))
        return false;
    return p->last_resort ||
           (km_breaker_state(p->v[i].breaker, p->now_ms) != KM_BREAKER_OPEN &&
            !is_group_open(&p->v[i], p->now_ms) && !km_breaker_rests(p->v[i].breaker, p->now_ms));
}

static uint64_t weight_of(const struct pass *p, size_t i)
{
    const struct km_candidate *c = &p->v[i];
    uint64_t weight = p->evenly ? 1 : (uint64_t)(c->weight < WEIGHT_MOST ? c->weight : WEIGHT_MOST);

    weight *= c->group ? km_breaker_share(&c->group->breaker, p->now_ms) : 100;
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
    return state->scores ? best : km_strategy_good(state->strategy, best);
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
                        .scored = state->scores || (state->strategy && !state->sticky &&
                                                    state->strategy->strategy) };

    if (c.scored)
        c.good = good_score(state, p, c.order);
    return c;
}

/* Whoever comes back is served by the same one, whatever the strategy says of it; index, or n. */
static size_t choose_same(const struct km_route_state *state, const struct pass *p,
                          const struct choice *c)
{
    uint64_t best = UINT64_MAX;
    size_t found = p->n;

    for (size_t i = 0; i < p->n; i++) {
        const struct km_candidate_facts *about = p->v[i].about;
        uint64_t score;

        if (!is_chosen(state, p, c, i) || !weight_of(p, i))
            continue;
        score = km_sticky_score(state->sticky, about ? about->hash : i, weight_of(p, i));
        if (score < best)
            found = i;
        best = score < best ? score : best;
    }
    return found;
}

static uint64_t total_of(const struct km_route_state *state, const struct pass *p,
                         const struct choice *c)
{
    uint64_t total = 0;

    for (size_t i = 0; i < p->n; i++)
        if (is_chosen(state, p, c, i))
            total += weight_of(p, i);
    return total;
}

/* The sum of their weights; where none has one they count alike. */
static uint64_t weigh_all(const struct km_route_state *state, struct pass *p,
                          const struct choice *c)
{
    uint64_t total;

    p->evenly = false;
    total = total_of(state, p, c);
    p->evenly = total == 0;
    return total ? total : total_of(state, p, c);
}

/* Index of the pick, or n. */
static size_t choose(struct km_route_state *state, struct pass *p)
{
    const struct choice c = choice_of(state, p);
    uint64_t total, at;

    total = weigh_all(state, p, &c);
    if (total == 0)
        return p->n;
    if (state->sticky)
        return choose_same(state, p, &c);
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

/* A probe of its provider is one of its own as well.  Who gets but one of them gives it back. */
static bool may_go(struct km_route_state *state, const struct km_candidate *c, uint64_t now_ms)
{
    const bool group_probes =
        c->group && km_breaker_state(&c->group->breaker, now_ms) == KM_BREAKER_HALF_OPEN;
    const bool probes = km_breaker_state(c->breaker, now_ms) == KM_BREAKER_HALF_OPEN;

    if (group_probes && !km_breaker_allow(&c->group->breaker, &c->group->settings, now_ms))
        return false;
    state->probes = probes || group_probes;
    if (km_breaker_allow(c->breaker, c->settings, now_ms))
        return true;
    if (group_probes)
        km_breaker_release(&c->group->breaker);
    return false;
}

/* One that may be sent to; NULL: there is none. */
static const struct km_candidate *pick_open(struct km_route_state *state, struct pass *p)
{
    size_t i;

    for (size_t tries = 0; tries <= p->n; tries++) {
        i = choose(state, p);
        if (i == p->n)
            return NULL;
        if (may_go(state, &p->v[i], p->now_ms))
            return take(state, &p->v[i]);
        if (i < 64)
            p->taken |= (uint64_t)1 << i;
    }
    return NULL;
}

static bool is_gated(const struct km_candidate *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (v[i].gate && !km_gate_is_open(v[i].gate, v[i].gate_rules))
            return true;
    return false;
}

const struct km_candidate *km_route_pick(struct km_route_state *state, const struct km_candidate *v,
                                         size_t n, uint64_t now_ms)
{
    struct pass p = { .v = v, .n = n, .now_ms = now_ms, .gated = is_gated(v, n) };
    const struct km_candidate *picked;
    size_t i;

    state->probes = false;
    if (state->ntried >= KM_ROUTE_TRIED)
        return NULL;
    picked = pick_open(state, &p);
    if (!picked && p.gated) { /* it waits in line */
        p.gated = false;
        p.taken = 0;
        picked = pick_open(state, &p);
    }
    if (picked || state->strict)
        return picked;
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
        if (!is_out(state, &v[i], i) && !is_full(state, &p, i))
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
        if (!is_out(state, &v[i], i) && !was_tried(state, &v[i]))
            return true;
    return false;
}

bool km_route_next_order(struct km_route_state *state, const struct km_candidate *v, size_t n)
{
    int64_t done = INT64_MIN;
    bool more = false;

    for (size_t i = 0; i < state->ntried; i++)
        if (state->tried[i]->order > done)
            done = state->tried[i]->order;
    for (size_t i = 0; i < n; i++)
        more = more || (v[i].order > done && !is_out(state, &v[i], i));
    if (!more || !state->ntried)
        return false;
    state->leveled = true;
    state->order_done = done;
    state->ntried = state->attempts = 0;
    return true;
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

/* Of those that may serve, one alone does. */
static void say_same(size_t same, size_t n, struct km_route_word *words)
{
    for (size_t i = 0; i < n; i++) {
        if (words[i].place == KM_ROUTE_MAY && i != same)
            words[i].place = KM_ROUTE_LATER;
        words[i].permille = i == same ? 1000 : 0;
    }
}

void km_route_explain(const struct km_route_state *state, const struct km_candidate *v, size_t n,
                      uint64_t now_ms, struct km_route_word *ret_words)
{
    struct pass p = { .v = v, .n = n, .now_ms = now_ms };
    struct choice c = choice_of(state, &p);
    uint64_t total;

    if (c.order == INT64_MAX && !state->strict) {
        p.last_resort = true;
        c = choice_of(state, &p);
    }
    for (size_t i = 0; i < n; i++)
        ret_words[i] = (struct km_route_word){
            .candidate = &v[i],
            .place = place_of(state, &p, &c, i),
            .why = state->left_out ? (enum km_left_out)state->left_out[i] : KM_LEFT_NOT,
            .score = c.scored ? score_of(state, &p, i) : 0,
        };
    total = weigh_all(state, &p, &c);
    for (size_t i = 0; i < n; i++)
        if (ret_words[i].place == KM_ROUTE_MAY && total)
            ret_words[i].permille = (unsigned)(weight_of(&p, i) * 1000 / total);
    if (state->sticky)
        say_same(choose_same(state, &p, &c), n, ret_words);
}

/* An upstream that says it is full works: it is left alone for a while, and nothing is held against
 * it but where LiteLLM's allowed_fails_policy says so. */
static void report_full(const struct km_candidate *c, const struct km_report *r, uint64_t now_ms)
{
    const struct km_breaker_settings *s = c->settings;
    const bool counts = s && s->allowed_of && s->allowed_of->of[KM_FAILURE_RATE_LIMIT] >= 0;

    if (r->rest_ms >= 0 && (!s || !s->never))
        km_breaker_rest(c->breaker, r->rest_ms > 0 ? (uint64_t)r->rest_ms : KM_BREAKER_REST_MS,
                        now_ms);
    if (km_breaker_state(c->breaker, now_ms) == KM_BREAKER_HALF_OPEN && !counts)
        km_breaker_report(c->breaker, s, true, now_ms);
    if (counts)
        (void)km_breaker_fail(c->breaker, s, KM_FAILURE_RATE_LIMIT, now_ms);
}

static void report_own(const struct km_candidate *c, const struct km_report *r, uint64_t now_ms)
{
    switch (r->outcome) {
    case KM_OUTCOME_OK:
        km_breaker_report(c->breaker, c->settings, true, now_ms);
        break;
    case KM_OUTCOME_FAILED:
        (void)km_breaker_fail(c->breaker, c->settings, r->failure, now_ms);
        break;
    case KM_OUTCOME_RATE_LIMITED:
        report_full(c, r, now_ms);
        break;
    case KM_OUTCOME_CALLER:
        /* The caller's own fault or departure: the upstream answered, which frees a probe. */
        if (km_breaker_state(c->breaker, now_ms) == KM_BREAKER_HALF_OPEN)
            km_breaker_report(c->breaker, c->settings, true, now_ms);
        break;
    case KM_OUTCOME_OVERTAKEN:
        km_breaker_release(c->breaker);
        break;
    }
}

/* What is its deployment's own says nothing of the provider, but that a probe is over. */
static void report_group(const struct km_candidate *c, const struct km_report *r, uint64_t now_ms)
{
    const bool probing = km_breaker_state(&c->group->breaker, now_ms) == KM_BREAKER_HALF_OPEN;

    if (r->outcome == KM_OUTCOME_OK ||
        (probing && (r->outcome == KM_OUTCOME_CALLER || r->outcome == KM_OUTCOME_RATE_LIMITED)))
        km_breaker_group_ok(c->group, now_ms);
    else if (r->outcome == KM_OUTCOME_FAILED && km_breaker_group_counts(r->failure) &&
             (probing || km_breaker_state(c->breaker, now_ms) == KM_BREAKER_OPEN))
        km_breaker_group_fail(c->group, c->place, now_ms);
    else if (probing)
        km_breaker_release(&c->group->breaker);
}

static unsigned change_of(enum km_breaker_state before, enum km_breaker_state after,
                          unsigned opened, unsigned closed)
{
    if (before == after)
        return 0;
    return after == KM_BREAKER_OPEN ? opened : after == KM_BREAKER_CLOSED ? closed : 0;
}

unsigned km_route_report(const struct km_candidate *c, const struct km_report *r, uint64_t now_ms)
{
    struct km_breaker *above = c->group ? &c->group->breaker : NULL;
    const enum km_breaker_state own = km_breaker_state(c->breaker, now_ms);
    const enum km_breaker_state group = above ? km_breaker_state(above, now_ms) : KM_BREAKER_CLOSED;
    unsigned changes;

    report_own(c, r, now_ms);
    changes =
        change_of(own, km_breaker_state(c->breaker, now_ms), KM_ROUTE_OPENED, KM_ROUTE_CLOSED);
    if (!above)
        return changes;
    report_group(c, r, now_ms);
    return changes | change_of(group, km_breaker_state(above, now_ms), KM_ROUTE_GROUP_OPENED,
                               KM_ROUTE_GROUP_CLOSED);
}
