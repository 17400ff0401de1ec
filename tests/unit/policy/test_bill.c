/* SPDX-License-Identifier: Apache-2.0 */
/* test_bill.c - what an attempt costs, for every way it can end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "policy/bill.h"

#define INPUT 1000 /* pico-USD a token: a nano-USD */
#define OUTPUT 5000

static struct km_price price(void)
{
    struct km_price p = KM_PRICE_NONE;

    p.input = INPUT;
    p.output = OUTPUT;
    return p;
}

/* 100 tokens in, and 40 heard of at most 200. */
static struct km_bill_facts facts(enum km_bill_end end)
{
    return (struct km_bill_facts){ .end = end,
                                   .usage = { .prompt_tokens = 100, .completion_tokens = 40 },
                                   .works = true,
                                   .writes = true,
                                   .streamed = true,
                                   .rate = 50000,
                                   .reserved_input = 381,
                                   .reserved_output = 200,
                                   .reserved = 381 + 200 * 5 };
}

static struct km_bill bill(const struct km_bill_facts *f)
{
    struct km_price p = price();
    struct km_bill b;

    km_bill_make(f, &p, &b);
    return b;
}

static void a_status_says_how_it_ended(void **state)
{
    (void)state;
    for (int status = 0; status < 600; status++)
        for (int output = 0; output < 2; output++) {
            enum km_bill_end end = km_bill_end_of(status, output, true);

            if (status >= 200 && status < 300)
                assert_int_equal(end, KM_BILL_ANSWERED);
            else if (!output &&
                     ((status >= 400 && status < 500 && status != 408 && status != 499) ||
                      status == 503 || status == 529))
                assert_int_equal(end, KM_BILL_REFUSED);
            else
                assert_int_equal(end, KM_BILL_LIVE);
        }
    assert_int_equal(km_bill_end_of(200, true, false), KM_BILL_LIVE);
    assert_int_equal(km_bill_end_of(0, false, false), KM_BILL_LIVE);
}

static void what_no_upstream_has_and_what_it_refused_costs_nothing(void **state)
{
    struct km_bill_facts f = facts(KM_BILL_UNSENT);
    struct km_bill b = bill(&f);

    (void)state;
    assert_int_equal(b.cost, 0);
    assert_int_equal(b.usage.prompt_tokens, 0);
    assert_false(b.estimated);
    f = facts(KM_BILL_REFUSED);
    f.upstream_ms = 60000;
    b = bill(&f);
    assert_int_equal(b.cost, 0);
    assert_false(b.estimated);
}

static void what_was_reported_is_booked_also_above_what_was_reserved(void **state)
{
    struct km_bill_facts f = facts(KM_BILL_ANSWERED);
    struct km_bill b;

    (void)state;
    f.usage = (struct km_usage){ .prompt_tokens = 5000, .completion_tokens = 900, .known = true };
    b = bill(&f);
    assert_int_equal(b.cost, 5000 + 4500);
    assert_true(b.over_reserved);
    assert_false(b.estimated);
    f.usage.prompt_tokens = 10;
    f.usage.completion_tokens = 20;
    b = bill(&f);
    assert_int_equal(b.cost, 110);
    assert_false(b.over_reserved);
    f.end = KM_BILL_LIVE; /* its report came, and its client left before the last byte */
    assert_int_equal(bill(&f).cost, 110);
}

static void an_answer_that_nobody_counted_is_what_was_heard(void **state)
{
    struct km_bill_facts f = facts(KM_BILL_ANSWERED);
    struct km_bill b;

    (void)state;
    f.upstream_ms = 60000; /* all of it came: its time says nothing */
    b = bill(&f);
    assert_int_equal(b.cost, 100 + 40 * 5);
    assert_true(b.estimated);
}

static void one_that_was_broken_off_is_what_was_heard_or_what_its_time_was_good_for(void **state)
{
    struct km_bill_facts f = facts(KM_BILL_LIVE);

    (void)state;
    f.upstream_ms = 100;
    assert_int_equal(bill(&f).usage.completion_tokens, 40);
    f.upstream_ms = 2000;
    assert_int_equal(bill(&f).usage.completion_tokens, 100);
    f.upstream_ms = 3600000;
    assert_int_equal(bill(&f).usage.completion_tokens, 200); /* no more than was reserved */
    assert_int_equal(bill(&f).cost, 100 + 200 * 5);
    f.upstream_ms = UINT64_MAX;
    f.rate = INT64_MAX;
    assert_int_equal(bill(&f).usage.completion_tokens, 200);
    f.writes = false; /* an embedding has no output, however long it takes */
    f.usage.completion_tokens = 0;
    assert_int_equal(bill(&f).cost, 100);
}

static void a_whole_answer_that_never_came_is_as_long_as_they_mostly_are(void **state)
{
    struct km_bill_facts f = facts(KM_BILL_LIVE);

    (void)state;
    f.usage.completion_tokens = 0;
    f.median_output = 150;
    assert_int_equal(bill(&f).usage.completion_tokens, 0); /* of a stream all of it was heard */
    f.streamed = false;
    assert_int_equal(bill(&f).usage.completion_tokens, 150);
    f.median_output = 5000;
    assert_int_equal(bill(&f).usage.completion_tokens, 200);
}

/* Whatever the facts are. */
static void no_estimate_is_above_what_was_reserved_and_none_is_free(void **state)
{
    static const int64_t tokens[] = { 0, 1, 39, 1000, 100000000 };
    static const int64_t reserved[] = { 6, 100, 1000, 1000000 };
    static const uint64_t times[] = { 0, 1, 1000, 100000000 };
    enum {
        T = sizeof tokens / sizeof *tokens,
        R = sizeof reserved / sizeof *reserved,
        M = sizeof times / sizeof *times
    };

    (void)state;
    for (unsigned i = 0; i < T * T * R * M * 16; i++) {
        unsigned n = i;
        struct km_bill_facts f = facts(n % 2 ? KM_BILL_LIVE : KM_BILL_ANSWERED);
        struct km_bill b;

        f.usage.prompt_tokens = tokens[(n /= 2) % T];
        f.usage.completion_tokens = tokens[(n /= T) % T];
        f.reserved = reserved[(n /= T) % R];
        f.upstream_ms = times[(n /= R) % M];
        f.streamed = (n /= M) % 2;
        f.writes = (n /= 2) % 2;
        f.median_output = (n / 2) % 2 ? 70 : 0;
        b = bill(&f);
        assert_true(b.cost > 0 && b.cost <= f.reserved);
        assert_true(b.usage.prompt_tokens <= f.reserved_input);
        assert_true(b.usage.completion_tokens <= f.reserved_output);
        assert_true(b.estimated && !b.over_reserved);
    }
}

/* Prices from the dearest down to a thousandth of a nano-USD a token, 0 and none; usages reported
 * and not, down to none.  What has a price is not booked as 0, and what has none is not more. */
static void what_was_sent_is_never_free_where_anything_of_it_has_a_price(void **state)
{
    static const int64_t prices[] = { -1, 0, 1, 7, 250, 499, 500, 75000000 };
    static const int64_t tokens[] = { 0, 1, 2, 63, 1000000 };
    enum { P = sizeof prices / sizeof *prices, T = sizeof tokens / sizeof *tokens };
    unsigned free_ones = 0, small = 0;

    (void)state;
    for (unsigned i = 0; i < P * P * P * T * T * 4; i++) {
        unsigned n = i;
        struct km_bill_facts f = facts(n % 2 ? KM_BILL_LIVE : KM_BILL_ANSWERED);
        struct km_price p = KM_PRICE_NONE;
        struct km_usage none = { 0 };
        struct km_price_worst w;
        struct km_bill b, so_far;

        p.input = prices[(n /= 2) % P];
        p.output = prices[(n /= P) % P];
        p.cache_read = prices[(n /= P) % P];
        f.usage.prompt_tokens = f.usage.cached_tokens = tokens[(n /= P) % T];
        f.usage.completion_tokens = tokens[(n /= T) % T];
        f.usage.known = (n / T) % 2;
        f.rate = f.median_output = 0;
        w = km_price_worst(&p, &none);
        f.reserved = km_price_worst_cost(&w, f.reserved_input, f.reserved_output);
        f.reserved = f.reserved > 0 ? f.reserved : -1;
        km_bill_make(&f, &p, &b);
        km_bill_so_far(&f, &p, &so_far);
        if (b.unpriced)
            assert_true(p.input < 0 && p.output < 0);
        if (b.unpriced || km_price_is_free(&p)) {
            assert_int_equal(b.cost + so_far.cost, 0);
            free_ones++;
            continue;
        }
        assert_true(b.cost > 0 && so_far.cost > 0);
        small += b.cost == 1;
        if (b.estimated)
            assert_true(b.cost <= f.reserved);
    }
    assert_true(free_ones > 100 && small > 100);
}

static void without_a_price_it_is_unpriced_and_not_free(void **state)
{
    const struct km_price none = KM_PRICE_NONE;
    struct km_bill_facts f = facts(KM_BILL_ANSWERED);
    struct km_bill b;

    (void)state;
    km_bill_make(&f, &none, &b);
    assert_true(b.unpriced);
    assert_int_equal(b.cost, 0);
    f.end = KM_BILL_REFUSED;
    km_bill_make(&f, &none, &b);
    assert_false(b.unpriced);
}

/* What a crash charges does not grow with the time in which nothing was heard. */
static void so_far_it_is_what_was_heard(void **state)
{
    struct km_bill_facts f = facts(KM_BILL_LIVE);
    struct km_price p = price();
    struct km_bill b;

    (void)state;
    f.upstream_ms = 60000;
    km_bill_so_far(&f, &p, &b);
    assert_int_equal(b.cost, 100 + 40 * 5);
    assert_true(b.estimated);
    f.usage = (struct km_usage){ .prompt_tokens = 100 };
    km_bill_so_far(&f, &p, &b);
    assert_int_equal(b.cost, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_status_says_how_it_ended),
        cmocka_unit_test(what_no_upstream_has_and_what_it_refused_costs_nothing),
        cmocka_unit_test(what_was_reported_is_booked_also_above_what_was_reserved),
        cmocka_unit_test(an_answer_that_nobody_counted_is_what_was_heard),
        cmocka_unit_test(one_that_was_broken_off_is_what_was_heard_or_what_its_time_was_good_for),
        cmocka_unit_test(a_whole_answer_that_never_came_is_as_long_as_they_mostly_are),
        cmocka_unit_test(no_estimate_is_above_what_was_reserved_and_none_is_free),
        cmocka_unit_test(what_was_sent_is_never_free_where_anything_of_it_has_a_price),
        cmocka_unit_test(without_a_price_it_is_unpriced_and_not_free),
        cmocka_unit_test(so_far_it_is_what_was_heard),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
