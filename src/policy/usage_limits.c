/* SPDX-License-Identifier: Apache-2.0 */
/* usage_limits.c - see usage_limits.h.
 *
 *     output   2 x the bound sent, else 2 x the known maximum, else 262,144; of each answer
 *     input    bytes sent + 4,096, for no tokenizer makes more tokens than there are bytes;
 *              where it may read more: the window, else 10,000,000
 *     tools    a thousand uses of each, and of a reranker's units; of each answer
 *
 * Twice, because providers round bounds up, count what a model thought beside what it said, and
 * know what a bound is in their own ways.  Parts are not compared with their wholes: not all who
 * say how much was thought count it as part of what came out.  A window that is smaller than what
 * was sent is somebody's old table: what was sent is possible in any case.
 */
#include "policy/usage_limits.h"

static int64_t times(int64_t a, int64_t b)
{
    int64_t v;

    return __builtin_mul_overflow(a, b, &v) ? INT64_MAX : v;
}

static int64_t output_most(const struct km_usage_limits *l)
{
    int64_t one = l->bound_sent >= 0  ? times(l->bound_sent, 2)
                  : l->known_max >= 0 ? times(l->known_max, 2)
                                      : KM_OUTPUT_MOST;

    return times(one, l->answers > 1 ? l->answers : 1);
}

static int64_t input_most(const struct km_usage_limits *l)
{
    int64_t sent =
        l->bytes_sent < INT64_MAX - KM_INPUT_SLACK ? l->bytes_sent + KM_INPUT_SLACK : INT64_MAX;
    int64_t open = l->window >= 0 ? l->window : KM_INPUT_MOST;

    return l->opens_input && open > sent ? open : sent;
}

bool km_usage_is_possible(const struct km_usage *u, const struct km_usage_limits *l)
{
    /* Is one below zero?  Then so is what has the bits of all. */
    int64_t all = u->prompt_tokens | u->completion_tokens | u->cached_tokens |
                  u->cache_write_tokens | u->reasoning_tokens | u->cache_write_1h_tokens |
                  u->audio_tokens | u->image_tokens | u->audio_cached_tokens |
                  u->image_cached_tokens | u->audio_ms | u->audio_completion_tokens |
                  u->media.image_tokens | u->media.characters | u->media.images | u->media.pixels |
                  u->pages | u->annotated_pages;

    int64_t uses = times(KM_HOSTED_MOST, l->answers > 1 ? l->answers : 1);

    if (u->citation_tokens < 0 || u->citation_tokens > KM_INPUT_MOST)
        return false;
    for (size_t i = 0; i < KM_HOSTED_KINDS; i++) {
        all |= u->hosted[i];
        if (u->hosted[i] > uses)
            return false;
    }
    return all >= 0 && u->pages <= KM_PAGES_MOST && u->annotated_pages <= KM_PAGES_MOST &&
           u->queries >= 0 && u->queries <= uses && u->prompt_tokens <= input_most(l) &&
           u->completion_tokens <= output_most(l);
}
