/* SPDX-License-Identifier: Apache-2.0 */
/* filter.c - see filter.h for the contract.
 *
 * A filter looks at all candidates at once, for some leave one out only because another is there (a
 * tag's default). It sees those that the filters before it have left. What is not known of a model
 * leaves nothing out: a refusal of its provider is better than one of ours that is wrong.
 */
#include "policy/filter.h"

#include "policy/router.h"

static const char *const words[KM_LEFT_OUT_COUNT] = {
#define WORD(id, word) [KM_LEFT_##id] = word,
    KM_LEFT_OUT(WORD)
#undef WORD
};

const char *km_left_out_word(enum km_left_out why)
{
    return words[why];
}

/* --- does it fit: LiteLLM's pre-call checks --- */

static enum km_left_out fits(const struct km_filter_ask *ask, const struct km_candidate_facts *c)
{
    static const struct {
        enum km_need need;
        enum km_left_out why;
    } needs[] = {
        { KM_NEED_VISION, KM_LEFT_VISION },
        { KM_NEED_TOOLS, KM_LEFT_TOOLS },
        { KM_NEED_SCHEMA, KM_LEFT_SCHEMA },
    };

    if (c->max_input >= 0 && ask->tokens > c->max_input)
        return KM_LEFT_CONTEXT;
    if (ask->region.n && !km_str_eq(ask->region, c->region))
        return KM_LEFT_REGION; /* one whose region nobody knows, too, as LiteLLM has it */
    for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++)
        if (ask->needs & c->cannot & needs[i].need)
            return needs[i].why;
    return KM_LEFT_NOT;
}

static void filter_fits(const struct km_filter_ask *ask, const struct km_candidate *v, size_t n,
                        uint8_t *why)
{
    for (size_t i = 0; i < n; i++)
        if (!why[i] && v[i].about)
            why[i] = (uint8_t)fits(ask, v[i].about);
}

/* --- the table --- */

static const struct {
    enum km_filter_on on;
    void (*run)(const struct km_filter_ask *ask, const struct km_candidate *v, size_t n,
                uint8_t *why);
} filters[] = {
    { KM_FILTER_FITS, filter_fits },
    { KM_FILTER_TAGS, km_filter_tags },
};

size_t km_filters_run(const struct km_filter_ask *ask, const struct km_candidate *v, size_t n,
                      uint8_t *why)
{
    size_t left = 0;

    for (size_t f = 0; f < sizeof filters / sizeof filters[0]; f++)
        if (ask->on & filters[f].on)
            filters[f].run(ask, v, n, why);
    for (size_t i = 0; i < n; i++)
        left += !why[i];
    return left;
}

enum km_left_out km_filters_reason(const uint8_t *why, size_t n)
{
    enum km_left_out least = KM_LEFT_OUT_COUNT;

    for (size_t i = 0; i < n; i++)
        if (why[i] && (enum km_left_out)why[i] < least)
            least = (enum km_left_out)why[i];
    return least == KM_LEFT_OUT_COUNT ? KM_LEFT_NOT : least;
}
