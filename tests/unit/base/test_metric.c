/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>

#include "base/metric.h"

static const struct km_metric_row requests = {
    .name = "kanmon_requests_total",
    .type = KM_COUNTER,
    .help = "Requests by model.",
    .labels = { "model", "status" },
};

static const struct km_metric_row open_streams = {
    .name = "kanmon_open_streams",
    .type = KM_GAUGE,
    .help = "Streams open now.",
};

static const struct km_metric_row latency = {
    .name = "kanmon_latency_seconds",
    .type = KM_HISTOGRAM,
    .help = "Time to the last byte.\nUpstream included.",
    .labels = { "model" },
    .scale = 6,
    .bounds = { 5000, 100000, 2500000 },
};

static struct km_series *of(struct km_metrics *m, const char *model, const char *status)
{
    return km_metric_series(m, &requests, (struct km_str[]){ km_str_c(model), km_str_c(status) });
}

static void text_is(struct km_metrics *m, const char *expected)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);

    km_metrics_text(m, &out);
    assert_string_equal(km_buf_cstr(&out), expected);
}

static void the_same_labels_are_the_same_series(void **state)
{
    struct km_metrics *m = km_metrics_new(2, 10);
    struct km_series *s = of(m, "a", "200");

    (void)state;
    assert_ptr_equal(of(m, "a", "200"), s);
    assert_ptr_not_equal(of(m, "a", "429"), s);
    assert_ptr_not_equal(of(m, "a2", "00"), s);
    assert_null(km_metrics_free(m));
    assert_null(km_metrics_free(NULL));
}

static void workers_add_up(void **state)
{
    struct km_metrics *m = km_metrics_new(3, 10);
    struct km_series *c = of(m, "a", "200"), *g = km_metric_series(m, &open_streams, NULL);

    (void)state;
    for (size_t w = 0; w < 3; w++) {
        km_metric_add(c, w, (int64_t)w + 1);
        km_metric_set(g, w, 10);
        km_metric_add(g, w, -1);
    }
    assert_int_equal(km_metric_value(c), 6);
    assert_int_equal(km_metric_value(g), 27);
    km_metric_add(NULL, 0, 1);
    km_metric_set(NULL, 0, 1);
    km_metric_observe(NULL, 0, 1);
    assert_int_equal(km_metric_value(NULL), 0);
    text_is(m, "# HELP kanmon_requests_total Requests by model.\n"
               "# TYPE kanmon_requests_total counter\n"
               "kanmon_requests_total{model=\"a\",status=\"200\"} 6\n"
               "# HELP kanmon_open_streams Streams open now.\n"
               "# TYPE kanmon_open_streams gauge\n"
               "kanmon_open_streams 27\n");
    km_metrics_free(m);
}

static void a_histogram_counts_up_to_each_bound(void **state)
{
    struct km_metrics *m = km_metrics_new(2, 10);
    struct km_series *s = km_metric_series(m, &latency, &KM_STR("a"));

    (void)state;
    km_metric_observe(s, 0, 5000); /* a bound belongs to its own bucket */
    km_metric_observe(s, 1, 5001);
    km_metric_observe(s, 0, 2500000);
    km_metric_observe(s, 1, 9000000);
    assert_int_equal(km_metric_value(s), 4);
    text_is(m, "# HELP kanmon_latency_seconds Time to the last byte.\\nUpstream included.\n"
               "# TYPE kanmon_latency_seconds histogram\n"
               "kanmon_latency_seconds_bucket{model=\"a\",le=\"0.005\"} 1\n"
               "kanmon_latency_seconds_bucket{model=\"a\",le=\"0.1\"} 2\n"
               "kanmon_latency_seconds_bucket{model=\"a\",le=\"2.5\"} 3\n"
               "kanmon_latency_seconds_bucket{model=\"a\",le=\"+Inf\"} 4\n"
               "kanmon_latency_seconds_sum{model=\"a\"} 11.510001\n"
               "kanmon_latency_seconds_count{model=\"a\"} 4\n");
    km_metrics_free(m);
}

static void past_the_bound_labels_share_other(void **state)
{
    struct km_metrics *m = km_metrics_new(1, 2);
    struct km_series *a = of(m, "a", "1"), *b = of(m, "b", "1"), *c = of(m, "c", "1");

    (void)state;
    assert_non_null(c);
    assert_ptr_not_equal(a, b);
    assert_ptr_not_equal(b, c);
    assert_ptr_equal(of(m, "d", "2"), c);
    assert_ptr_equal(of(m, "other", "other"), c);
    assert_ptr_equal(of(m, "a", "1"), a);
    assert_non_null(km_metric_series(m, &open_streams, NULL));
    km_metric_add(c, 0, 5);
    text_is(m, "# HELP kanmon_requests_total Requests by model.\n"
               "# TYPE kanmon_requests_total counter\n"
               "kanmon_requests_total{model=\"a\",status=\"1\"} 0\n"
               "kanmon_requests_total{model=\"b\",status=\"1\"} 0\n"
               "kanmon_requests_total{model=\"other\",status=\"other\"} 5\n"
               "# HELP kanmon_open_streams Streams open now.\n"
               "# TYPE kanmon_open_streams gauge\n"
               "kanmon_open_streams 0\n");
    km_metrics_free(m);
}

/* A row's own bound: the others have room all the same. */
static void a_row_may_have_a_bound_of_its_own(void **state)
{
    static const struct km_metric_row few = { .name = "kanmon_few_total",
                                              .type = KM_COUNTER,
                                              .help = "Few.",
                                              .labels = { "tool" },
                                              .most = 2 };
    struct km_metrics *m = km_metrics_new(1, 10);
    struct km_str a = KM_STR("a"), b = KM_STR("b"), c = KM_STR("c");
    struct km_series *kept = km_metric_series(m, &few, &a), *other;

    (void)state;
    of(m, "x", "1");
    km_metric_count(m, &few, &b, 0, 3);
    km_metric_count(m, &few, &c, 0, 5); /* b is the oldest that nobody keeps */
    assert_ptr_equal(km_metric_series(m, &few, &a), kept);
    assert_false(km_metric_is_other(kept));
    (void)km_metric_series(m, &few, &c);
    other = km_metric_series(m, &few, &b);
    assert_true(km_metric_is_other(other));
    assert_int_equal(km_metric_value(other), 3);
    assert_false(km_metric_is_other(of(m, "y", "1")));
    km_metrics_free(m);
}

static void what_is_released_goes_to_other_and_makes_room(void **state)
{
    struct km_metrics *m = km_metrics_new(2, 2);
    struct km_series *a = of(m, "a", "1"), *b = of(m, "b", "1");
    struct km_series *s = km_metric_series(m, &latency, &KM_STR("a"));

    (void)state;
    assert_ptr_equal(s, km_metric_series(m, &latency, &KM_STR("other"))); /* it is full */
    km_metric_add(a, 0, 1);
    km_metric_add(a, 1, 2);
    assert_ptr_equal(of(m, "a", "1"), a); /* kept twice */
    km_metric_release(m, a);
    assert_int_equal(km_metric_value(a), 3);
    km_metric_release(m, a);
    km_metric_release(m, NULL);
    s = km_metric_series(m, &latency, &KM_STR("a")); /* there is room again */
    km_metric_observe(s, 1, 6000);
    km_metric_add(b, 0, 7);
    km_metric_release(m, s);
    s = of(m, "a", "1"); /* a new one, from nothing */
    assert_int_equal(km_metric_value(s), 0);
    text_is(m, "# HELP kanmon_requests_total Requests by model.\n"
               "# TYPE kanmon_requests_total counter\n"
               "kanmon_requests_total{model=\"b\",status=\"1\"} 7\n"
               "kanmon_requests_total{model=\"a\",status=\"1\"} 0\n"
               "kanmon_requests_total{model=\"other\",status=\"other\"} 3\n"
               "# HELP kanmon_latency_seconds Time to the last byte.\\nUpstream included.\n"
               "# TYPE kanmon_latency_seconds histogram\n"
               "kanmon_latency_seconds_bucket{model=\"other\",le=\"0.005\"} 0\n"
               "kanmon_latency_seconds_bucket{model=\"other\",le=\"0.1\"} 1\n"
               "kanmon_latency_seconds_bucket{model=\"other\",le=\"2.5\"} 1\n"
               "kanmon_latency_seconds_bucket{model=\"other\",le=\"+Inf\"} 1\n"
               "kanmon_latency_seconds_sum{model=\"other\"} 0.006\n"
               "kanmon_latency_seconds_count{model=\"other\"} 1\n");
    km_metrics_free(m);
}

static void what_nobody_keeps_makes_room_the_oldest_first(void **state)
{
    struct km_metrics *m = km_metrics_new(1, 3);
    struct km_str labels[2] = { KM_STR("x"), { 0 } };
    char text[8];
    int64_t all = 0;

    (void)state;
    of(m, "kept", "200");
    for (int i = 0; i < 100; i++) {
        labels[1] = km_str(text, (size_t)snprintf(text, sizeof text, "%d", i));
        km_metric_count(m, &requests, labels, 0, i);
        all += i;
    }
    text_is(m, "# HELP kanmon_requests_total Requests by model.\n"
               "# TYPE kanmon_requests_total counter\n"
               "kanmon_requests_total{model=\"kept\",status=\"200\"} 0\n"
               "kanmon_requests_total{model=\"x\",status=\"98\"} 98\n"
               "kanmon_requests_total{model=\"x\",status=\"99\"} 99\n"
               "kanmon_requests_total{model=\"other\",status=\"other\"} 4753\n");
    assert_int_equal(all, 98 + 99 + 4753);
    km_metrics_free(m);
}

/* Whoever comes back finds it; only when room is needed is it gone. */
static void what_is_left_stays_until_room_is_needed(void **state)
{
    struct km_metrics *m = km_metrics_new(1, 2);
    struct km_series *a = of(m, "a", "1");

    (void)state;
    km_metric_add(a, 0, 5);
    km_metric_leave(m, a);
    km_metric_leave(m, NULL);
    assert_ptr_equal(of(m, "a", "1"), a);
    assert_int_equal(km_metric_value(a), 5);
    of(m, "b", "1");
    km_metric_add(of(m, "c", "1"), 0, 1); /* a is kept: it shares */
    km_metric_leave(m, a);
    km_metric_add(of(m, "d", "1"), 0, 2);
    text_is(m, "# HELP kanmon_requests_total Requests by model.\n"
               "# TYPE kanmon_requests_total counter\n"
               "kanmon_requests_total{model=\"b\",status=\"1\"} 0\n"
               "kanmon_requests_total{model=\"d\",status=\"1\"} 2\n"
               "kanmon_requests_total{model=\"other\",status=\"other\"} 6\n");
    km_metrics_free(m);
}

static void label_values_are_escaped_and_cut(void **state)
{
    struct km_metrics *m = km_metrics_new(1, 10);
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);
    char value[300];

    (void)state;
    of(m, "a\"b\\c\nd\xff", "\xe3\x81\x82");
    memset(value, 'v', sizeof value);
    value[299] = '\0';
    of(m, value, "1");
    value[200] = 'w'; /* past the cut: the same series, not a second line */
    of(m, value, "1");
    km_metrics_text(m, &out);
    assert_non_null(strstr(km_buf_cstr(&out), "{model=\"a\\\"b\\\\c\\nd\xef\xbf\xbd\",status=\""
                                              "\xe3\x81\x82\"} 0\n"));
    value[128] = '\0';
    assert_non_null(strstr(km_buf_cstr(&out), value));
    assert_null(strstr(strstr(km_buf_cstr(&out), value) + 128, value));
    km_metrics_free(m);
}

struct work {
    struct km_metrics *m;
    size_t worker;
};

static void *count(void *data)
{
    const struct work *w = data;
    struct km_series *s = of(w->m, "shared", "200");

    for (int i = 0; i < 100000; i++)
        km_metric_add(s, w->worker, 1);
    return NULL;
}

static void a_reader_sees_whole_numbers_while_workers_count(void **state)
{
    struct km_metrics *m = km_metrics_new(2, 10);
    struct work work[2] = { { m, 0 }, { m, 1 } };
    pthread_t threads[2];
    int64_t last = 0;

    (void)state;
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count, &work[i]), 0);
    for (int i = 0; i < 100; i++) {
        struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);
        int64_t now = km_metric_value(of(m, "shared", "200"));

        assert_true(now >= last && now <= 200000);
        last = now;
        km_metrics_text(m, &out);
    }
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(km_metric_value(of(m, "shared", "200")), 200000);
    km_metrics_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_labels_are_the_same_series),
        cmocka_unit_test(workers_add_up),
        cmocka_unit_test(a_histogram_counts_up_to_each_bound),
        cmocka_unit_test(past_the_bound_labels_share_other),
        cmocka_unit_test(a_row_may_have_a_bound_of_its_own),
        cmocka_unit_test(what_is_released_goes_to_other_and_makes_room),
        cmocka_unit_test(what_nobody_keeps_makes_room_the_oldest_first),
        cmocka_unit_test(what_is_left_stays_until_room_is_needed),
        cmocka_unit_test(label_values_are_escaped_and_cut),
        cmocka_unit_test(a_reader_sees_whole_numbers_while_workers_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
