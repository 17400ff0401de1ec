/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>

#include "base/log_writer.h"
#include "base/time.h"

#define LONG_MS 50000 /* for what ends much sooner */
#define QUEUE 4096
#define BLOCK 256

/* An outlet that keeps what it is given, and can be made to hang or to fail. */
struct place {
    struct km_log_outlet outlet;
    char text[8192];
    size_t n;
    size_t most; /* fails past so many bytes */
    bool hangs;
    sem_t hung, go_on;
    _Atomic int freed;
};

static size_t place_write(struct km_log_outlet *o, struct km_str bytes)
{
    struct place *p = (struct place *)o;
    const size_t n = p->n + bytes.n > p->most ? p->most - p->n : bytes.n;

    if (p->hangs) {
        p->hangs = false;
        sem_post(&p->hung);
        sem_wait(&p->go_on);
    }
    memcpy(p->text + p->n, bytes.p, n);
    p->n += n;
    p->text[p->n] = '\0';
    return n;
}

static size_t place_report(struct km_log_outlet *o, const struct km_log_lost *lost, char *text,
                           size_t cap)
{
    (void)o;
    assert_true(lost->when_us > 0);
    return (size_t)snprintf(text, cap, "(%llu lines, %llu bytes)\n",
                            (unsigned long long)lost->lines, (unsigned long long)lost->bytes);
}

static void place_free(struct km_log_outlet *o)
{
    struct place *p = (struct place *)o;

    p->freed++;
}

static const struct km_log_outlet_ops ops = { place_write, place_report, place_free };

static void place_init(struct place *p)
{
    *p = (struct place){ .most = sizeof p->text - 1 };
    km_log_outlet_init(&p->outlet, &ops);
    sem_init(&p->hung, 0, 0);
    sem_init(&p->go_on, 0, 0);
}

static void put(struct km_log_writer *w, struct place *p, const char *line)
{
    km_log_writer_put(w, &p->outlet, km_str_c(line), SIZE_MAX, true);
}

static void each_outlet_gets_its_own_in_order(void **state)
{
    struct km_log_writer *w = km_log_writer_new(QUEUE, BLOCK);
    struct place a, b;

    (void)state;
    place_init(&a);
    place_init(&b);
    put(w, &a, "a1\n");
    put(w, &b, "b1\n");
    put(w, &a, "a2\n");
    put(w, &a, "a3\n");
    assert_true(km_log_writer_flush(w, LONG_MS));
    assert_string_equal(a.text, "a1\na2\na3\n");
    assert_string_equal(b.text, "b1\n");
    km_log_outlet_release(w, &a.outlet);
    km_log_outlet_release(w, &b.outlet);
    km_log_writer_free(w, LONG_MS);
    assert_int_equal(a.freed + b.freed, 2);
}

static void a_writer_that_never_wrote_has_an_end_too(void **state)
{
    struct km_log_writer *w = km_log_writer_new(QUEUE, BLOCK);

    (void)state;
    assert_true(km_log_writer_flush(w, LONG_MS));
    km_log_writer_free(w, LONG_MS);
    km_log_writer_free(NULL, 0);
}

static void the_time_is_put_where_it_belongs(void **state)
{
    struct km_log_writer *w = km_log_writer_new(QUEUE, BLOCK);
    char line[] = "t=...........................;\n", time[KM_TIME_ISO_LEN + 1];
    struct place p;

    (void)state;
    place_init(&p);
    km_time_iso(km_wall_us(), time);
    km_log_writer_put(w, &p.outlet, km_str_c(line), 2, false);
    assert_true(km_log_writer_flush(w, LONG_MS));
    assert_memory_equal(p.text, "t=2", 3);
    assert_string_equal(p.text + 2 + KM_TIME_ISO_LEN, ";\n");
    assert_true(memcmp(p.text + 2, time, KM_TIME_ISO_LEN) >= 0);
    km_log_outlet_release(w, &p.outlet);
    km_log_writer_free(w, LONG_MS);
}

/* What was put before its owner let go is written; then it is freed, once. */
static void an_outlet_lives_until_its_last_line_is_written(void **state)
{
    struct km_log_writer *w = km_log_writer_new(QUEUE, BLOCK);
    struct place p;

    (void)state;
    place_init(&p);
    p.hangs = true;
    put(w, &p, "one\n");
    sem_wait(&p.hung);
    put(w, &p, "two\n");
    km_log_outlet_release(w, &p.outlet);
    assert_int_equal(p.freed, 0);
    sem_post(&p.go_on);
    assert_true(km_log_writer_flush(w, LONG_MS));
    km_log_writer_free(w, LONG_MS);
    assert_string_equal(p.text, "one\ntwo\n");
    assert_int_equal(p.freed, 1);
}

static void what_cannot_be_written_is_reported_before_what_can(void **state)
{
    struct km_log_writer *w = km_log_writer_new(QUEUE, BLOCK);
    struct place p;

    (void)state;
    place_init(&p);
    p.most = 6;
    put(w, &p, "one\ntwo\nthree\n");
    assert_true(km_log_writer_flush(w, LONG_MS));
    put(w, &p, "four\n"); /* nor can the report */
    assert_true(km_log_writer_flush(w, LONG_MS));
    assert_string_equal(p.text, "one\ntw");
    assert_int_equal(km_log_writer_dropped(w), 3);
    p.most = sizeof p.text - 1;
    put(w, &p, "five\n");
    assert_true(km_log_writer_flush(w, LONG_MS));
    assert_string_equal(p.text, "one\ntw(3 lines, 13 bytes)\nfive\n");
    km_log_outlet_release(w, &p.outlet);
    km_log_writer_free(w, LONG_MS);
}

/* As a write that never returns: the program ends, and the thread keeps what it uses. */
static void a_thread_that_hangs_is_left_behind(void **state)
{
    static struct km_log_writer *w; /* reachable: never freed, on purpose */
    static struct place p;

    (void)state;
    w = km_log_writer_new(QUEUE, BLOCK);
    place_init(&p);
    p.hangs = true;
    put(w, &p, "one\n");
    sem_wait(&p.hung);
    for (int i = 0; i < 2 * QUEUE; i++)
        put(w, &p, "x\n");
    assert_true(km_log_writer_dropped(w) >= QUEUE);
    assert_false(km_log_writer_flush(w, 0));
    km_log_outlet_release(w, &p.outlet);
    km_log_writer_free(w, 0);
    assert_int_equal(p.freed, 0);
    sem_post(&p.go_on);
    while (!p.freed)
        sched_yield();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_outlet_gets_its_own_in_order),
        cmocka_unit_test(a_writer_that_never_wrote_has_an_end_too),
        cmocka_unit_test(the_time_is_put_where_it_belongs),
        cmocka_unit_test(an_outlet_lives_until_its_last_line_is_written),
        cmocka_unit_test(what_cannot_be_written_is_reported_before_what_can),
        cmocka_unit_test(a_thread_that_hangs_is_left_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
