/* SPDX-License-Identifier: Apache-2.0 */
/* router.h - which deployment of a model group serves the next attempt.
 *
 * One of those that the strategy takes for the best (strategy.h) among the healthy deployments of
 * the lowest `order`, by weight; an attempt excludes those already tried, until all were and they
 * begin again (km_route_again).  Deployments whose breaker is open, and those that rest because
 * they are full, are passed over unless nothing else is left; one that has just come back gets its
 * share by and by.  Those that a filter has left out (filter.h) are never picked.
 */
#ifndef KM_POLICY_ROUTER_H
#define KM_POLICY_ROUTER_H

#include "policy/breaker_group.h"
#include "policy/filter.h"
#include "policy/gate.h"
#include "policy/strategy.h"

#define KM_ROUTE_TRIED 16 /* most attempts of one group: the first, KM_RETRIES_MOST, hedges */

struct km_candidate {
    int64_t weight; /* 0: serves only where no other can that has one */
    int64_t order; /* lower first */
    struct km_breaker *breaker; /* never NULL */
    const struct km_breaker_settings *settings; /* of the breaker; NULL: the defaults */
    struct km_breaker_group *group; /* of its provider; NULL: it is the only one there */
    unsigned place; /* in that */
    struct km_gate *gate; /* where calls wait for it; NULL: they do not */
    const struct km_gate_rules *gate_rules; /* with it */
    struct km_strategy_facts facts;
    const struct km_candidate_facts *about; /* for filters; NULL: nothing is known */
    void *deployment; /* the caller's */
};

struct km_route_state {
    const struct km_candidate *tried[KM_ROUTE_TRIED]; /* since the group, or a round, began */
    size_t ntried;
    size_t attempts; /* of the group */
    uint64_t rng; /* seeded by the caller */
    const struct km_strategy_settings *strategy; /* NULL: by chance */
    bool stream; /* its answer comes as one */
    int64_t tokens; /* it needs, by estimate */
    bool leveled; /* those of order_done and lower have had their turn (km_route_next_order) */
    int64_t order_done;
    bool probes; /* the last pick tests one whose breaker, or its provider's, was open */
    bool strict; /* another group is asked rather than one whose breaker is open, or that rests */
    uint64_t sticky; /* whoever has the same is served by the same (sticky.h); 0: nobody */
    const uint64_t *scores; /* of each, lower is better, before its strategy; NULL: that decides */
    const uint8_t *left_out; /* of each candidate, enum km_left_out; NULL: no filter looked */
};

/* NULL: none left.  Counts as an attempt. */
const struct km_candidate *km_route_pick(struct km_route_state *state, const struct km_candidate *v,
                                         size_t n, uint64_t now_ms);

/* Are all of them at their limits, as the strategy counts? */
bool km_route_is_full(const struct km_route_state *state, const struct km_candidate *v, size_t n,
                      uint64_t now_ms);
/* Is there one that was not tried, and that may be sent to now? */
bool km_route_has_other(const struct km_route_state *state, const struct km_candidate *v, size_t n,
                        uint64_t now_ms);
/* Is there one that was not tried, whatever is known of it? */
bool km_route_has_untried(const struct km_route_state *state, const struct km_candidate *v,
                          size_t n);
/* No more attempts are made at those of the lowest order: true: from now on it is the turn of those
 * of a higher one, and attempts are counted anew.  false: there are none. */
bool km_route_next_order(struct km_route_state *state, const struct km_candidate *v, size_t n);
/* All may be picked once more. */
void km_route_again(struct km_route_state *state);

/* It was picked and then not heard: it may be picked again, and counts as no attempt. */
void km_route_unpick(struct km_route_state *state, const struct km_candidate *c);

/* --- what would be picked, without picking --- */

enum km_route_place {
    KM_ROUTE_MAY, /* one of those among which chance decides, or the only one */
    KM_ROUTE_LATER, /* where those fail: by its order, or as the strategy has it */
    KM_ROUTE_LEFT_OUT, /* by a filter: why */
    KM_ROUTE_TRIED_ALREADY,
    KM_ROUTE_FULL, /* at its rpm or tpm of this minute */
    KM_ROUTE_OPEN, /* its breaker is */
    KM_ROUTE_RESTS, /* it asked for a pause */
};
struct km_route_word {
    const struct km_candidate *candidate;
    enum km_route_place place;
    enum km_left_out why;
    unsigned permille; /* of MAY: how likely it is */
    uint64_t score; /* the strategy's, lower is better; 0: it has none */
};
/* Says of each of the n candidates, in their order, what the next km_route_pick() would do with it.
 * Changes nothing; a breaker or a count may be another by the time one is picked. */
void km_route_explain(const struct km_route_state *state, const struct km_candidate *v, size_t n,
                      uint64_t now_ms, struct km_route_word *ret_words);
const char *km_route_place_word(enum km_route_place place);

/* What an attempt ended with. */
enum km_outcome {
    KM_OUTCOME_OK,
    KM_OUTCOME_FAILED,
    KM_OUTCOME_RATE_LIMITED,
    KM_OUTCOME_CALLER, /* the upstream answered; what was wrong was the caller's, or he left */
    KM_OUTCOME_OVERTAKEN, /* another was faster: nobody knows how it is */
};
struct km_report {
    enum km_outcome outcome;
    enum km_failure failure; /* of FAILED, RATE_LIMITED */
    /* Of RATE_LIMITED: how long its upstream asks to be left alone; 0: not said; -1: what is full
     * is not all that it serves, and it is not left alone. */
    int64_t rest_ms;
};
/* What a report changed. */
enum km_route_change {
    KM_ROUTE_OPENED = 1, /* its breaker */
    KM_ROUTE_CLOSED = 2,
    KM_ROUTE_GROUP_OPENED = 4, /* its provider's */
    KM_ROUTE_GROUP_CLOSED = 8,
};
/* Those that it caused. */
unsigned km_route_report(const struct km_candidate *c, const struct km_report *report,
                         uint64_t now_ms);

#endif
