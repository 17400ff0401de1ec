/* SPDX-License-Identifier: Apache-2.0 */
/* quota_head.c - what header fields of an answer say of its upstream's limits.
 *
 *     x-ratelimit-{limit,remaining,reset}-{requests,tokens}             OpenAI, Azure, Groq
 *         reset: a duration as Go writes it ("6m0s", "20ms"), or seconds; behind proxies also the
 *         moment, in seconds or milliseconds since 1970
 *     anthropic-ratelimit-{requests,tokens}-{limit,remaining,reset}     Anthropic
 *         reset: a moment, RFC 3339
 *     anthropic-ratelimit-input-tokens-...                              the same, where nothing is
 *                                                                       said of all tokens
 */
#include "base/time.h"
#include "http/message.h"
#include "policy/quota.h"

#define TEXT(literal) { "" literal "", sizeof(literal) - 1 }

#define EPOCH_LEAST_S INT64_C(1000000000) /* so many seconds are a moment, and no wait */

enum what { LIMIT, LEFT, RESET };

static const struct {
    struct km_str name;
    enum km_quota_of of;
    enum what what;
    bool second; /* counts where the first of its kind says nothing */
} rows[] = {
#define OPENAI(word, what)                                                                         \
    { TEXT("x-ratelimit-" word "-requests"), KM_QUOTA_REQUESTS, what, false },              \
        { TEXT("x-ratelimit-" word "-tokens"), KM_QUOTA_TOKENS, what, false },
#define ANTHROPIC(word, what)                                                                      \
    { TEXT("anthropic-ratelimit-requests-" word), KM_QUOTA_REQUESTS, what, false },         \
        { TEXT("anthropic-ratelimit-tokens-" word), KM_QUOTA_TOKENS, what, false },         \
        { TEXT("anthropic-ratelimit-input-tokens-" word), KM_QUOTA_TOKENS, what, true },
    OPENAI("limit", LIMIT) OPENAI("remaining", LEFT) OPENAI("reset", RESET)
        ANTHROPIC("limit", LIMIT) ANTHROPIC("remaining", LEFT) ANTHROPIC("reset", RESET)
};

bool km_quota_is_field(struct km_str name)
{
    return km_str_istarts(name, KM_STR("x-ratelimit-")) ||
           km_str_istarts(name, KM_STR("anthropic-ratelimit-"));
}

/* "1h2m3.5s", "20ms": the sum in milliseconds. */
static int64_t read_go_duration(struct km_str s)
{
    static const struct {
        struct km_str name;
        int64_t us;
    } units[] = { { TEXT("ms"), 1000 },    { TEXT("us"), 1 },
                  { TEXT("ns"), 0 },       { TEXT("h"), INT64_C(3600000000) },
                  { TEXT("m"), 60000000 }, { TEXT("s"), 1000000 } };
    int64_t sum_us = 0, milli;

    if (!s.n)
        return -1;
    while (s.n) {
        size_t digits = 0, k = 0;

        while (digits < s.n && ((s.p[digits] >= '0' && s.p[digits] <= '9') || s.p[digits] == '.'))
            digits++;
        if (!digits || digits > 12 || km_str_decimal(km_str_sub(s, 0, digits), 3, &milli) < 0)
            return -1;
        s = km_str_sub(s, digits, s.n - digits);
        while (k < sizeof units / sizeof units[0] && !km_str_starts(s, units[k].name))
            k++;
        if (k == sizeof units / sizeof units[0] || milli > KM_QUOTA_RESET_MOST_MS * INT64_C(1000))
            return -1;
        sum_us += milli * (units[k].us / 1000) + milli * (units[k].us % 1000) / 1000;
        s = km_str_sub(s, units[k].name.n, s.n - units[k].name.n);
    }
    return sum_us / 1000;
}

static int64_t read_reset(struct km_str s, int64_t wall_ms)
{
    int64_t v, us;

    if (km_time_parse_iso(s, &us) == 0)
        return us / 1000 > wall_ms ? us / 1000 - wall_ms : 0;
    if (km_str_decimal(s, 3, &v) == 0) { /* seconds, as milliseconds; or since 1970, of either */
        v = v / 1000 >= EPOCH_LEAST_S * 1000 ? v / 1000 : v;
        return v < EPOCH_LEAST_S * 1000 ? v : v > wall_ms ? v - wall_ms : 0;
    }
    return read_go_duration(s);
}

static void read_field(const struct km_header *h, size_t row, int64_t wall_ms,
                       struct km_quota_said *ret)
{
    const struct km_str value = km_str_trim(h->value);
    int64_t *at = rows[row].what == LIMIT  ? &ret->limit[rows[row].of]
                  : rows[row].what == LEFT ? &ret->left[rows[row].of]
                                           : &ret->reset_ms[rows[row].of];
    int64_t v;

    if (rows[row].second && *at >= 0)
        return;
    if (rows[row].what == RESET)
        v = read_reset(value, wall_ms);
    else if (km_str_i64(value, &v) < 0)
        return;
    *at = v >= 0 ? v : -1;
}

bool km_quota_read(const struct km_headers *h, int64_t wall_ms, struct km_quota_said *ret)
{
    *ret = (struct km_quota_said){ { -1, -1 }, { -1, -1 }, { -1, -1 } };
    for (size_t row = 0; row < sizeof rows / sizeof rows[0]; row++)
        for (size_t i = 0; i < h->n; i++)
            if (km_str_ieq(h->v[i].name, rows[row].name))
                read_field(&h->v[i], row, wall_ms, ret);
    return ret->left[KM_QUOTA_REQUESTS] >= 0 || ret->left[KM_QUOTA_TOKENS] >= 0;
}
