/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/prng.h"
#include "http/message.h"
#include "policy/quota.h"

static const struct km_quota_mark nobody = { .counted = false };

static struct km_quota_said requests(int64_t limit, int64_t left, int64_t reset_ms)
{
    return (struct km_quota_said){ .limit = { limit, -1 },
                                   .left = { left, -1 },
                                   .reset_ms = { reset_ms, -1 } };
}

static bool lets(const struct km_quota *q, int64_t running, uint64_t now_ms)
{
    uint64_t opens;

    return km_quota_lets(q, running, 1000, now_ms, &opens);
}

static uint64_t opens_at(const struct km_quota *q, int64_t running, int64_t tokens, uint64_t now_ms)
{
    uint64_t opens = 0;

    assert_false(km_quota_lets(q, running, tokens, now_ms, &opens));
    return opens;
}

static void who_says_nothing_is_not_counted(void **state)
{
    struct km_quota q = { 0 };
    const struct km_quota_said said = requests(-1, -1, -1);

    (void)state;
    km_quota_learn(&q, &said, &nobody, 1000);
    assert_false(km_quota_is_tight(&q, 1000));
    assert_true(lets(&q, 100000, 1000));
    assert_int_equal(km_quota_left(&q, KM_QUOTA_REQUESTS, 1000), -1);
}

static void no_more_leave_than_are_left(void **state)
{
    struct km_quota q = { 0 };
    const struct km_quota_said said = requests(600, 3, 60000);
    int sent = 0;

    (void)state;
    km_quota_learn(&q, &said, &nobody, 1000);
    assert_true(km_quota_is_tight(&q, 1000));
    while (lets(&q, sent, 1000)) {
        (void)km_quota_send(&q, 10, 1000);
        sent++;
    }
    assert_int_equal(sent, 3);
    /* 597 come back in a minute: one in about 101 ms */
    assert_int_equal(opens_at(&q, sent, 10, 1000), 1101);
    assert_false(lets(&q, sent, 1100));
    assert_true(lets(&q, sent, 1101));
}

static void tokens_are_counted_as_well(void **state)
{
    struct km_quota q = { 0 };
    const struct km_quota_said said = { .limit = { -1, 10000 },
                                        .left = { -1, 2000 },
                                        .reset_ms = { -1, 8000 } };
    uint64_t opens;

    (void)state;
    km_quota_learn(&q, &said, &nobody, 0);
    assert_true(km_quota_lets(&q, 0, 2000, 0, &opens));
    assert_int_equal(opens_at(&q, 0, 3000, 0), 1000);
    assert_int_equal(opens_at(&q, 0, 50000, 0), 8000); /* more than there ever is: all of it */
    (void)km_quota_send(&q, 1500, 0);
    assert_int_equal(km_quota_left(&q, KM_QUOTA_TOKENS, 0), 500);
}

/* Answers come in any order: what was said to an earlier request is older. */
static void an_answer_to_an_earlier_request_says_nothing_new(void **state)
{
    struct km_quota q = { 0 };
    struct km_quota_said said = requests(100, 10, 60000);
    struct km_quota_mark first, second;

    (void)state;
    km_quota_learn(&q, &said, &nobody, 0);
    first = km_quota_send(&q, 0, 0);
    second = km_quota_send(&q, 0, 0);
    assert_int_equal(km_quota_left(&q, KM_QUOTA_REQUESTS, 0), 8);
    said = requests(100, 5, 60000);
    km_quota_learn(&q, &said, &second, 0); /* others ask there, too */
    said = requests(100, 9, 60000);
    km_quota_learn(&q, &said, &first, 0);
    assert_int_equal(km_quota_left(&q, KM_QUOTA_REQUESTS, 0), 5);
    (void)km_quota_send(&q, 0, 0);
    assert_int_equal(km_quota_left(&q, KM_QUOTA_REQUESTS, 0), 4);
}

/* A day until all is back, and nothing left: one call a minute asks whether that still holds. */
static void however_far_a_reset_is_one_call_a_minute_asks(void **state)
{
    const struct km_quota_said said = requests(100, 0, 86400000);
    struct km_quota q = { 0 };
    struct km_quota_mark mark;
    uint64_t now = 1000;

    (void)state;
    km_quota_learn(&q, &said, &nobody, now);
    for (int minute = 0; minute < 5; minute++) {
        assert_int_equal(opens_at(&q, 0, 10, now), now + KM_QUOTA_ASKS_MS);
        assert_false(lets(&q, 0, now + KM_QUOTA_ASKS_MS - 1));
        now += KM_QUOTA_ASKS_MS;
        assert_true(lets(&q, 0, now));
        mark = km_quota_send(&q, 10, now);
        assert_int_equal(opens_at(&q, 1, 10, now + 10), now + KM_QUOTA_ASKS_MS);
        now += 10;
        km_quota_learn(&q, &said, &mark, now);
    }
    now += KM_QUOTA_ASKS_MS;
    mark = km_quota_send(&q, 10, now);
    km_quota_learn(&q, &(struct km_quota_said){ { 100, -1 }, { 90, -1 }, { 60000, -1 } }, &mark,
                   now);
    assert_true(lets(&q, 0, now)); /* it has more again, and that counts at once */
}

/* The same of tokens, of which a call needs more than come back in a minute. */
static void a_call_that_waits_for_tokens_asks_as_well(void **state)
{
    struct km_quota q = { 0 };
    const struct km_quota_said said = { .limit = { -1, 10000 },
                                        .left = { -1, 100 },
                                        .reset_ms = { -1, 3600000 } };

    (void)state;
    km_quota_learn(&q, &said, &nobody, 0);
    assert_int_equal(opens_at(&q, 0, 5000, 0), KM_QUOTA_ASKS_MS);
    assert_true(opens_at(&q, 0, 120, 0) < KM_QUOTA_ASKS_MS); /* so many are back before */
}

static void it_closes_for_as_long_as_is_asked_and_a_minute_at_most(void **state)
{
    struct km_quota q = { 0 };

    (void)state;
    km_quota_refuse(&q, 2000, &nobody, 1000);
    assert_int_equal(opens_at(&q, 0, 1, 1500), 3000);
    assert_true(lets(&q, 0, 3000));
    km_quota_refuse(&q, INT64_MAX / 2, &nobody, 4000);
    assert_int_equal(opens_at(&q, 0, 1, 4000), 4000 + KM_QUOTA_CLOSED_MOST_MS);
}

static void after_a_refusal_it_begins_with_one_and_doubles(void **state)
{
    struct km_quota q = { 0 };

    (void)state;
    km_quota_refuse(&q, 0, &nobody, 0);
    assert_true(lets(&q, 0, 0));
    assert_int_equal(opens_at(&q, 1, 1, 0), 0); /* it hangs on the one that runs */
    for (int round = 1; round <= 4; round++) {
        const int64_t calls = q.window;

        for (int64_t i = 0; i < calls; i++)
            km_quota_answer(&q, calls, 100);
        assert_int_equal(q.window, 1 << round);
    }
}

static void a_second_refusal_halves_it_once_a_round_and_then_it_grows_by_one(void **state)
{
    struct km_quota q = { 0 };
    struct km_quota_mark marks[16];

    (void)state;
    km_quota_refuse(&q, 0, &nobody, 0);
    for (int i = 0; i < 15; i++)
        km_quota_answer(&q, 1, 100);
    assert_int_equal(q.window, 16);
    for (int i = 0; i < 16; i++)
        marks[i] = km_quota_send(&q, 0, 200);
    for (int i = 0; i < 16; i++)
        km_quota_refuse(&q, 0, &marks[i], 300);
    assert_int_equal(q.window, 8);
    for (int i = 0; i < 8; i++)
        km_quota_answer(&q, 8, 400);
    assert_int_equal(q.window, 9);
}

static void it_is_forgotten_when_it_holds_nobody_up(void **state)
{
    struct km_quota q = { 0 };

    (void)state;
    km_quota_refuse(&q, 0, &nobody, 1);
    for (int i = 0; i < 20; i++)
        km_quota_answer(&q, 1, 1000);
    assert_true(km_quota_is_tight(&q, 1000));
    km_quota_answer(&q, 1, 130000);
    assert_false(km_quota_is_tight(&q, 130000));
}

/* Sums of what was sent and of what upstreams say stay in their bounds, whatever those say. */
static void no_number_breaks_it(void **state)
{
    static const int64_t odd[] = { -1, 0, 1, 7, 60000, INT64_MAX, INT64_MIN, 1000000000000 };
    struct km_quota q = { 0 };
    uint64_t rng = 7, now = 0, opens;

    (void)state;
    for (int i = 0; i < 200000; i++) {
        const uint64_t r = km_prng_next(&rng);
        struct km_quota_mark mark = { 0 };
        struct km_quota_said said;

        now += r & 0xfff;
        for (unsigned k = 0; k < KM_QUOTAS; k++) {
            said.limit[k] = odd[r >> (12 + k * 3) & 7];
            said.left[k] = odd[r >> (20 + k * 3) & 7];
            said.reset_ms[k] = odd[r >> (28 + k * 3) & 7];
        }
        if (km_quota_lets(&q, (int64_t)(r >> 40 & 15), odd[r >> 44 & 7], now, &opens))
            mark = km_quota_send(&q, (int64_t)(r >> 50), now);
        else
            assert_true(opens == 0 || opens > now);
        if (r >> 60 & 1)
            km_quota_learn(&q, &said, &mark, now);
        else if (r >> 61 & 1)
            km_quota_refuse(&q, said.reset_ms[0], &mark, now);
        else
            km_quota_answer(&q, 1, now);
        assert_in_range(q.window, 0, 4096);
    }
}

/* An upstream that takes so many a second and says no number: after the first refusals nearly all
 * that is sent is taken, and nearly all that it can take is sent. */
static void an_upstream_that_only_refuses_is_found(void **state)
{
    enum { BEARS = 20, ROUNDS = 400 };
    struct km_quota q = { 0 };
    long sent = 0, refused = 0;

    (void)state;
    km_quota_refuse(&q, 0, &nobody, 1);
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        struct km_quota_mark marks[4096];
        int64_t n = 0;

        for (; n < 4096 && lets(&q, n, round * 100); n++)
            marks[n] = km_quota_send(&q, 0, round * 100);
        for (int64_t i = 0; i < n; i++) {
            if (i < BEARS)
                km_quota_answer(&q, n, round * 100 + 50);
            else
                km_quota_refuse(&q, 0, &marks[i], round * 100 + 50);
            refused += i >= BEARS;
        }
        sent += n;
    }
    assert_in_range(refused * 100, 0, sent * 5);
    assert_in_range(sent - refused, (long)BEARS * ROUNDS * 65 / 100, (long)BEARS * ROUNDS);
}

#define FIELD(name, value) { KM_STR(name), KM_STR(value) }
#define WALL_MS INT64_C(1764000000000) /* 2025-11-24T16:00:00Z */

static bool read(const struct km_header *v, size_t n, struct km_quota_said *said)
{
    const struct km_headers h = { .v = v, .n = n };

    return km_quota_read(&h, WALL_MS, said);
}

static void what_openai_says_is_read(void **state)
{
    const struct km_header v[] = {
        FIELD("content-type", "application/json"),
        FIELD("x-ratelimit-limit-requests", "60"),
        FIELD("X-RateLimit-Remaining-Requests", "59"),
        FIELD("x-ratelimit-reset-requests", "1s"),
        FIELD("x-ratelimit-limit-tokens", "150000"),
        FIELD("x-ratelimit-remaining-tokens", "149984"),
        FIELD("x-ratelimit-reset-tokens", "1h6m0.5s20ms"),
    };
    struct km_quota_said said;

    (void)state;
    assert_true(read(v, sizeof v / sizeof v[0], &said));
    assert_int_equal(said.limit[KM_QUOTA_REQUESTS], 60);
    assert_int_equal(said.left[KM_QUOTA_REQUESTS], 59);
    assert_int_equal(said.reset_ms[KM_QUOTA_REQUESTS], 1000);
    assert_int_equal(said.limit[KM_QUOTA_TOKENS], 150000);
    assert_int_equal(said.left[KM_QUOTA_TOKENS], 149984);
    assert_int_equal(said.reset_ms[KM_QUOTA_TOKENS], 3600000 + 360000 + 520);
}

static void what_anthropic_says_is_read(void **state)
{
    const struct km_header v[] = {
        FIELD("anthropic-ratelimit-requests-limit", "50"),
        FIELD("anthropic-ratelimit-requests-remaining", "0"),
        FIELD("anthropic-ratelimit-requests-reset", "2025-11-24T16:00:30Z"),
        FIELD("anthropic-ratelimit-input-tokens-remaining", "7000"),
        FIELD("anthropic-ratelimit-input-tokens-reset", "2025-11-24T15:00:00Z"),
    };
    struct km_quota_said said;

    (void)state;
    assert_true(read(v, sizeof v / sizeof v[0], &said));
    assert_int_equal(said.left[KM_QUOTA_REQUESTS], 0);
    assert_int_equal(said.reset_ms[KM_QUOTA_REQUESTS], 30000);
    assert_int_equal(said.left[KM_QUOTA_TOKENS], 7000);
    assert_int_equal(said.reset_ms[KM_QUOTA_TOKENS], 0); /* it was before now */
}

static void seconds_are_read_and_what_is_none_of_it_says_nothing(void **state)
{
    static const char *const odd[] = { "", "soon", "1x", "-5", "5m5", "9999999999999999s", "m" };
    static const char *const since[] = { "1764000030", "1764000030000", "1763999999",
                                         "1000000001" };
    struct km_header v[] = { FIELD("x-ratelimit-remaining-requests", "3"),
                             FIELD("x-ratelimit-reset-requests", "1.5") };
    struct km_quota_said said;

    (void)state;
    assert_true(read(v, 2, &said));
    assert_int_equal(said.reset_ms[KM_QUOTA_REQUESTS], 1500);
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        v[1].value = km_str_c(odd[i]);
        assert_true(read(v, 2, &said));
        if (said.reset_ms[KM_QUOTA_REQUESTS] >= 0)
            fail_msg("'%s' is a time?", odd[i]);
    }
    for (size_t i = 0; i < sizeof since / sizeof since[0]; i++) {
        v[1].value = km_str_c(since[i]);
        assert_true(read(v, 2, &said));
        assert_int_equal(said.reset_ms[KM_QUOTA_REQUESTS], i < 2 ? 30000 : 0);
    }
    v[0].value = KM_STR("many");
    assert_false(read(v, 1, &said));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_says_nothing_is_not_counted),
        cmocka_unit_test(no_more_leave_than_are_left),
        cmocka_unit_test(tokens_are_counted_as_well),
        cmocka_unit_test(an_answer_to_an_earlier_request_says_nothing_new),
        cmocka_unit_test(however_far_a_reset_is_one_call_a_minute_asks),
        cmocka_unit_test(a_call_that_waits_for_tokens_asks_as_well),
        cmocka_unit_test(it_closes_for_as_long_as_is_asked_and_a_minute_at_most),
        cmocka_unit_test(after_a_refusal_it_begins_with_one_and_doubles),
        cmocka_unit_test(a_second_refusal_halves_it_once_a_round_and_then_it_grows_by_one),
        cmocka_unit_test(it_is_forgotten_when_it_holds_nobody_up),
        cmocka_unit_test(no_number_breaks_it),
        cmocka_unit_test(an_upstream_that_only_refuses_is_found),
        cmocka_unit_test(what_openai_says_is_read),
        cmocka_unit_test(what_anthropic_says_is_read),
        cmocka_unit_test(seconds_are_read_and_what_is_none_of_it_says_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
