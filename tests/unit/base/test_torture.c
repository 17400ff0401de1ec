/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/crypto.h"
#include "base/event.h"
#include "base/log.h"
#include "base/map.h"
#include "base/metric.h"
#include "torture.h"

/* What could be set is there, what could not is not, and the count says so. */
static void a_map(void)
{
    struct km_map *map = km_map_new(100);
    static int value;
    bool set[40];
    char key[16];
    size_t count = 0;

    if (!map)
        return;
    for (int i = 0; i < 40; i++) {
        int r =
            km_map_set(map, km_str(key, (size_t)snprintf(key, sizeof key, "%d", i)), &value, NULL);

        assert_true(r == 0 || r == KM_E_NOMEM);
        set[i] = r == 0;
        count += set[i];
    }
    assert_int_equal(km_map_count(map), count);
    for (int i = 0; i < 40; i++) {
        snprintf(key, sizeof key, "%d", i);
        assert_int_equal(km_map_get(map, km_str_c(key)) != NULL, set[i]);
    }
    km_map_free(map, NULL);
}

static void a_buffer(void)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);

    for (int i = 0; i < 2000; i++)
        km_buf_printf(&b, "%d ", i);
    km_buf_json(&b, KM_STR("a\"b"));
    if (km_buf_failed(&b))
        assert_string_equal(km_buf_cstr(&b), "");
    else
        assert_string_equal(km_buf_cstr(&b) + b.n - 11, "1999 \"a\\\"b\"");
    /* What is there is the beginning of what should be there. */
    assert_memory_equal(b.n ? b.p : "0", "0", 1);
}

static void count_up(void *n)
{
    ++*(int *)n;
}

static void an_arena(void)
{
    struct km_arena_pool *pool = km_arena_pool_new(4);
    struct km_arena a;
    int ran = 0;

    km_arena_init(&a, 1 << 20, pool);
    for (int i = 0; i < 20; i++) {
        int r = km_arena_defer(&a, count_up, &ran);

        assert_int_equal(r, km_arena_overflowed(&a) ? KM_E_NOMEM : 0);
        km_arena_alloc(&a, 900);
        km_arena_alloc(&a, 9000);
    }
    km_arena_done(&a);
    assert_int_equal(ran, 20);
    km_arena_pool_free(pool);
}

/* Lines may be missing, which is said, but none is half there. */
static void a_log(void)
{
    char text[20000];
    FILE *file = tmpfile();
    struct km_log *log = km_log_new(fileno(file), KM_LOG_INFO, KM_LOG_TEXT);
    ssize_t n;

    if (log) {
        (void)!km_log_thread_init(log, NULL);
        for (int i = 0; i < 20; i++)
            km_log_msg(log, KM_LOG_INFO, "line", "%0300d|", i);
        km_log_free(log);
        n = pread(fileno(file), text, sizeof text - 1, 0);
        assert_true(n > 0);
        text[n] = '\0';
        for (char *p = text, *end; *p; p = end + 1) {
            end = strchr(p, '\n');
            assert_non_null(end);
            if (strncmp(p + 27, " WARN  log.lost lines=", 22) == 0)
                continue;
            assert_memory_equal(end - 2, "|\"", 2);
            assert_int_equal(end - p, 27 + 7 + 4 + 5 + 303);
        }
    }
    fclose(file);
}

static void metrics(void)
{
    static const struct km_metric_row row = { .name = "x_total", .help = "X.", .labels = { "l" } };
    static const struct km_metric_row plain = { .name = "y", .type = KM_GAUGE, .help = "Y." };
    struct km_metrics *m = km_metrics_new(2, 10);

    if (!m)
        return;
    for (int i = 0; i < 12; i++) {
        char value[16];
        struct km_str label = km_str(value, (size_t)snprintf(value, sizeof value, "%d", i));

        km_metric_add(km_metric_series(m, &row, &label), 0, 1);
        km_metric_set(km_metric_series(m, &plain, NULL), 1, i);
    }
    km_metrics_free(m);
}

static void the_rest(void)
{
    struct km_events *events = km_events_new(4);
    struct km_secret secret;
    struct km_buf sealed KM_CLEANUP(km_buf_done) = KM_BUF(1000);
    const uint8_t key[KM_AEAD_KEY_LEN] = { 0 };
    bool sealed_it;

    km_event_add(events, KM_LOG_INFO, "a", "b");
    km_events_free(events);
    if (km_secret_init(&secret, KM_STR("s")) == 0)
        km_secret_done(&secret);
    sealed_it = km_aead_seal(key, KM_STR("text"), KM_STR_NONE, &sealed, NULL) == 0;
    assert_int_equal(sealed_it, sealed.n > 0);
}

static void each_allocation_may_fail(void **state)
{
    const uint8_t key[KM_AEAD_KEY_LEN] = { 0 };
    struct km_buf sealed = KM_BUF(100);

    (void)state; /* the thread's own cipher: once, and not optional */
    assert_int_equal(km_aead_seal(key, KM_STR("x"), KM_STR_NONE, &sealed, NULL), 0);
    km_buf_done(&sealed);
    assert_true(km_torture(a_map) >= 45);
    assert_true(km_torture(a_buffer) >= 6);
    assert_true(km_torture(an_arena) >= 25);
    assert_true(km_torture(a_log) >= 4);
    assert_true(km_torture(metrics) >= 30);
    assert_true(km_torture(the_rest) >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
