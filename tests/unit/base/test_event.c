/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include "base/event.h"

static void events_come_back_in_order_after_a_number(void **state)
{
    struct km_events *events = km_events_new(10);
    struct km_event got[10];

    (void)state;
    assert_int_equal(km_events_since(events, 0, got, 10), 0);
    km_event_add(events, KM_LOG_INFO, "config.reloaded", "%d keys", 3);
    km_event_add(events, KM_LOG_WARN, "breaker.opened", "gpt-4o");
    assert_int_equal(km_events_since(events, 0, got, 10), 2);
    assert_int_equal(got[0].seq, 1);
    assert_string_equal(got[0].name, "config.reloaded");
    assert_string_equal(got[0].text, "3 keys");
    assert_true(got[0].wall_us > 0 && got[0].wall_us <= got[1].wall_us);
    assert_int_equal(got[1].level, KM_LOG_WARN);
    assert_int_equal(km_events_since(events, 1, got, 10), 1);
    assert_int_equal(got[0].seq, 2);
    assert_int_equal(km_events_since(events, 2, got, 10), 0);
    assert_int_equal(km_events_since(events, UINT64_MAX - 1, got, 10), 0);
    assert_int_equal(km_events_since(events, 0, got, 1), 1);
    assert_int_equal(got[0].seq, 1);
    assert_null(km_events_free(events));
    assert_null(km_events_free(NULL));
}

static void the_newest_stay_when_the_ring_is_full(void **state)
{
    (void)state;
    for (size_t capacity = 1; capacity < 8; capacity++) {
        struct km_events *events = km_events_new(capacity);
        struct km_event got[30];

        for (uint64_t n = 1; n <= 20; n++) {
            size_t expected = n < capacity ? (size_t)n : capacity;

            km_event_add(events, KM_LOG_INFO, "n", "%d", (int)n);
            assert_int_equal(km_events_since(events, 0, got, 30), expected);
            for (size_t i = 0; i < expected; i++)
                assert_int_equal(got[i].seq, n - expected + 1 + i);
        }
        km_events_free(events);
    }
}

static void a_long_text_ends_in_three_dots(void **state)
{
    struct km_events *events = km_events_new(1);
    struct km_event got;

    (void)state;
    km_event_add(events, KM_LOG_INFO, "a.name.that.is.longer.than.the.field.for.it", "%0500d", 1);
    assert_int_equal(km_events_since(events, 0, &got, 1), 1);
    assert_int_equal(strlen(got.text), sizeof got.text - 1);
    assert_string_equal(got.text + sizeof got.text - 4, "...");
    assert_int_equal(strlen(got.name), sizeof got.name - 1);
    km_events_free(events);
}

static void *add_many(void *events)
{
    for (int i = 0; i < 1000; i++)
        km_event_add(events, KM_LOG_INFO, "thread", "%d", i);
    return NULL;
}

static void threads_number_events_without_gaps(void **state)
{
    struct km_events *events = km_events_new(4000);
    static struct km_event got[5000];
    pthread_t threads[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_many, events), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(km_events_since(events, 0, got, 5000), 4000);
    for (size_t i = 0; i < 4000; i++)
        assert_int_equal(got[i].seq, i + 1);
    km_events_free(events);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_come_back_in_order_after_a_number),
        cmocka_unit_test(the_newest_stay_when_the_ring_is_full),
        cmocka_unit_test(a_long_text_ends_in_three_dots),
        cmocka_unit_test(threads_number_events_without_gaps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
