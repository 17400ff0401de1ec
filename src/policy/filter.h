/* SPDX-License-Identifier: Apache-2.0 */
/* filter.h - which deployments of a model group may serve a call at all, before the strategy
 * chooses one of them.
 *
 *     candidates ──> fits ──> tags ──> those that are left ──> strategy (router.h)
 *                     └── of each that is left out: why, for the log, the header, a dry run
 *
 * Filters are rows of a table (filter.c): data in, a reason for each that is left out. Where none
 * is configured the router compares one pointer.
 */
#ifndef KM_POLICY_FILTER_H
#define KM_POLICY_FILTER_H

#include <stdbool.h>

#include "base/str.h"

struct km_candidate; /* router.h */

/* Why one was left out, and its word. */
#define KM_LEFT_OUT(X)                                                                             \
    X(NOT, "")                                                                                     \
    X(CONTEXT, "context_window") /* its model takes fewer tokens */                                \
    X(REGION, "region")                                                                            \
    X(VISION, "vision") /* it reads no images */                                                   \
    X(TOOLS, "tools")                                                                              \
    X(SCHEMA, "response_schema")                                                                   \
    X(TAGS, "tags")                                                                                \
    X(LIMITS, "limits") /* of a route: its latency, its failures */                            \
    X(BUDGET, "budget") /* its own, or its provider's, is spent */                              \
    X(COST, "cost") /* another is cheaper */
#define KM_LEFT_OUT_ENUM(id, word) KM_LEFT_##id,
enum km_left_out { KM_LEFT_OUT(KM_LEFT_OUT_ENUM) KM_LEFT_OUT_COUNT };
#undef KM_LEFT_OUT_ENUM

const char *km_left_out_word(enum km_left_out why);

/* What a call may need of a model. */
enum km_need {
    KM_NEED_VISION = 1 << 0,
    KM_NEED_TOOLS = 1 << 1,
    KM_NEED_SCHEMA = 1 << 2,
};

struct km_tags {
    const struct km_str *v;
    size_t n;
};

/* What filters know of a deployment; immutable. */
struct km_candidate_facts {
    struct km_str id; /* of the deployment */
    struct km_str model; /* as configured */
    struct km_str region; /* empty: not said */
    int64_t max_input; /* tokens; -1: not known */
    unsigned cannot; /* enum km_need: these it is known not to do */
    struct km_tags tags;
    uint64_t hash; /* of its id: for who is to come back to it */
};

/* Which filters a group has: bits. */
enum km_filter_on {
    KM_FILTER_FITS = 1 << 0, /* enable_pre_call_checks */
    KM_FILTER_TAGS = 1 << 1, /* enable_tag_filtering */
    KM_FILTER_COSTS = 1 << 2, /* none of the table: the cheapest of the rest is taken (economy.h) */
    KM_FILTER_BUDGET = 1 << 3, /* likewise: what is left of one changes by the call (call/move.c) */
};

/* What they judge by. */
struct km_filter_ask {
    unsigned on; /* enum km_filter_on */
    int64_t tokens; /* of the prompt, by estimate; 0: none is known */
    unsigned needs; /* enum km_need */
    struct km_str region; /* it must be served there; empty: anywhere */
    struct km_tags tags; /* its caller's and its key's */
    bool tags_declared; /* one of them is said to be for routing, whether anybody has it or not */
    bool tags_match_any; /* one in common is enough; else all of them */
};

/* why[n] is zeroed before, and says of each candidate, by its place, why it is left out.  How many
 * are left. */
size_t km_filters_run(const struct km_filter_ask *ask, const struct km_candidate *v, size_t n,
                      uint8_t *why);

/* The reason to tell where none is left: the first of the table's that left one out. */
enum km_left_out km_filters_reason(const uint8_t *why, size_t n);

/* filter_tags.c */
void km_filter_tags(const struct km_filter_ask *ask, const struct km_candidate *v, size_t n,
                    uint8_t *why);

#endif
