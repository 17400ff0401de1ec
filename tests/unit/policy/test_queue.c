/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/prng.h"
#include "policy/queue.h"

#define MOST 400
/* Calls of the other classes that may go before a low one at most: each moves its class on by
 * UNIT / (weight * 16) at least, and one of each may go at the very end. */
#define STARVED (16 * (8 + 4 + 2) + 3)

static struct km_queue_item *next(struct km_queue *q, uint64_t now_ms)
{
    struct km_queue_item *item = km_queue_best(q, NULL, NULL, now_ms);

    if (item)
        km_queue_take(q, item, now_ms);
    return item;
}

static void fill(struct km_queue *q, struct km_queue_item *v, size_t n, enum km_priority p)
{
    for (size_t i = 0; i < n; i++) {
        v[i] = (struct km_queue_item){ .priority = p };
        km_queue_put(q, &v[i], 0);
    }
}

static void classes_share_by_weight(void **state)
{
    static struct km_queue_item low[MOST], medium[MOST], high[MOST], critical[MOST];
    int served[KM_PRIORITIES] = { 0 };
    struct km_queue q;

    (void)state;
    km_queue_init(&q);
    fill(&q, low, MOST, KM_PRIORITY_LOW);
    fill(&q, medium, MOST, KM_PRIORITY_MEDIUM);
    fill(&q, high, MOST, KM_PRIORITY_HIGH);
    fill(&q, critical, MOST, KM_PRIORITY_CRITICAL);
    for (int i = 0; i < 300; i++)
        served[next(&q, 0)->priority]++;
    assert_int_equal(served[KM_PRIORITY_LOW], 20);
    assert_int_equal(served[KM_PRIORITY_MEDIUM], 40);
    assert_int_equal(served[KM_PRIORITY_HIGH], 80);
    assert_int_equal(served[KM_PRIORITY_CRITICAL], 160);
}

static void a_class_alone_is_first_come_first_served(void **state)
{
    struct km_queue_item v[20];
    struct km_queue q;

    (void)state;
    km_queue_init(&q);
    fill(&q, v, 20, KM_PRIORITY_LOW);
    for (int i = 0; i < 20; i++)
        assert_ptr_equal(next(&q, (uint64_t)i * 100), &v[i]);
    assert_null(next(&q, 0));
    assert_int_equal(q.total, 0);
}

static void a_critical_call_does_not_wait_behind_a_line_of_low_ones(void **state)
{
    struct km_queue_item low[50], critical = { .priority = KM_PRIORITY_CRITICAL };
    struct km_queue q;

    (void)state;
    km_queue_init(&q);
    fill(&q, low, 50, KM_PRIORITY_LOW);
    for (int i = 0; i < 10; i++)
        (void)next(&q, 0);
    km_queue_put(&q, &critical, 0);
    assert_int_equal(km_queue_ahead(&q, KM_PRIORITY_LOW), 41);
    assert_int_equal(km_queue_ahead(&q, KM_PRIORITY_HIGH), 1);
    assert_ptr_equal(next(&q, 0), &critical);
}

static void who_has_waited_long_weighs_more(void **state)
{
    struct km_queue_item low = { .priority = KM_PRIORITY_LOW }, high[64];
    struct km_queue q;
    int before = 0;

    (void)state;
    km_queue_init(&q);
    km_queue_put(&q, &low, 0);
    for (int i = 0; i < 64; i++) {
        high[i] = (struct km_queue_item){ .priority = KM_PRIORITY_HIGH };
        km_queue_put(&q, &high[i], 10 * KM_QUEUE_AGE_MS); /* they have just come */
    }
    while (next(&q, 10 * KM_QUEUE_AGE_MS) != &low)
        before++;
    assert_int_equal(before, 0); /* eleven times its weight is more than four */
}

static void an_empty_class_saves_nothing_up(void **state)
{
    struct km_queue_item low[200], high[200];
    struct km_queue q;
    int served[KM_PRIORITIES] = { 0 };

    (void)state;
    km_queue_init(&q);
    fill(&q, low, 200, KM_PRIORITY_LOW);
    for (int i = 0; i < 100; i++)
        (void)next(&q, 0);
    fill(&q, high, 200, KM_PRIORITY_HIGH);
    for (int i = 0; i < 50; i++)
        served[next(&q, 0)->priority]++;
    assert_int_equal(served[KM_PRIORITY_LOW], 10);
}

static void the_last_of_the_lowest_goes_and_never_an_equal(void **state)
{
    struct km_queue_item low[3], high[3];
    struct km_queue q;

    (void)state;
    km_queue_init(&q);
    fill(&q, high, 3, KM_PRIORITY_HIGH);
    assert_null(km_queue_victim(&q, KM_PRIORITY_LOW));
    assert_null(km_queue_victim(&q, KM_PRIORITY_HIGH));
    fill(&q, low, 3, KM_PRIORITY_LOW);
    assert_null(km_queue_victim(&q, KM_PRIORITY_LOW));
    assert_ptr_equal(km_queue_victim(&q, KM_PRIORITY_MEDIUM), &low[2]);
    km_queue_remove(&q, &low[2]);
    km_queue_remove(&q, &low[2]);
    assert_ptr_equal(km_queue_victim(&q, KM_PRIORITY_CRITICAL), &low[1]);
    assert_int_equal(q.total, 5);
}

static bool is_even(const void *ctx, const struct km_queue_item *item)
{
    (void)ctx;
    return item->share % 2 == 0;
}

static void who_may_not_go_is_passed_over(void **state)
{
    struct km_queue_item v[4];
    struct km_queue q;

    (void)state;
    km_queue_init(&q);
    fill(&q, v, 4, KM_PRIORITY_HIGH);
    v[0].share = v[1].share = v[3].share = 1;
    assert_ptr_equal(km_queue_best(&q, is_even, NULL, 0), &v[2]);
    km_queue_take(&q, &v[2], 0);
    assert_null(km_queue_best(&q, is_even, NULL, 0));
}

/* However calls come, the first of a class is served before too many others were. */
static void nothing_starves(void **state)
{
    static struct km_queue_item v[MOST];
    uint64_t rng = 20261125, now = 0;
    unsigned passed_over[KM_PRIORITIES] = { 0 };
    struct km_queue q;

    (void)state;
    km_queue_init(&q);
    for (size_t i = 0; i < MOST; i++)
        v[i] = (struct km_queue_item){ .priority = KM_PRIORITY_LOW };
    for (int round = 0; round < 200000; round++) {
        const uint64_t r = km_prng_next(&rng);
        struct km_queue_item *item = &v[r % MOST], *best;

        now += r >> 8 & 0x7f;
        if (!item->waits) {
            /* mostly critical ones, so that the others have it hard */
            item->priority =
                r >> 20 & 7 ? KM_PRIORITY_CRITICAL : KM_PRIORITY_LOW + (unsigned)(r >> 24 & 3);
            km_queue_put(&q, item, now);
        } else if ((r >> 30 & 15) == 0) { /* it goes by itself */
            if (q.waiting[item->priority].next == &item->link)
                passed_over[item->priority] = 0;
            km_queue_remove(&q, item);
        }
        if (r >> 40 & 1)
            continue;
        best = next(&q, now);
        for (unsigned p = KM_PRIORITY_LOW; p < KM_PRIORITIES; p++) {
            passed_over[p] = best && best->priority != p && q.n[p] ? passed_over[p] + 1 : 0;
            assert_in_range(passed_over[p], 0, STARVED);
        }
    }
}

static void priorities_are_read_as_words_and_as_litellm_has_them(void **state)
{
    enum km_priority p = KM_PRIORITY_UNSAID;

    (void)state;
    assert_true(km_priority_read(KM_STR("High"), &p));
    assert_int_equal(p, KM_PRIORITY_HIGH);
    assert_true(km_priority_read(KM_STR("0"), &p));
    assert_int_equal(p, KM_PRIORITY_CRITICAL);
    assert_true(km_priority_read(KM_STR("1"), &p));
    assert_int_equal(p, KM_PRIORITY_HIGH);
    assert_true(km_priority_read(KM_STR("2"), &p));
    assert_int_equal(p, KM_PRIORITY_MEDIUM);
    assert_true(km_priority_read(KM_STR("255"), &p));
    assert_int_equal(p, KM_PRIORITY_LOW);
    assert_false(km_priority_read(KM_STR("-1"), &p));
    assert_false(km_priority_read(KM_STR("default"), &p));
    assert_false(km_priority_read(KM_STR("urgent"), &p));
    assert_false(km_priority_read(KM_STR_NONE, &p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_share_by_weight),
        cmocka_unit_test(a_class_alone_is_first_come_first_served),
        cmocka_unit_test(a_critical_call_does_not_wait_behind_a_line_of_low_ones),
        cmocka_unit_test(who_has_waited_long_weighs_more),
        cmocka_unit_test(an_empty_class_saves_nothing_up),
        cmocka_unit_test(the_last_of_the_lowest_goes_and_never_an_equal),
        cmocka_unit_test(who_may_not_go_is_passed_over),
        cmocka_unit_test(nothing_starves),
        cmocka_unit_test(priorities_are_read_as_words_and_as_litellm_has_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
