/* SPDX-License-Identifier: Apache-2.0 */
/* test_flight.c - an answer that several take, alone: who is told what, whatever each of them does
 * while it is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "call/flight.h"
#include "fake_http.h"
#include "sys/loop.h"
#include "torture.h"

#define TAKERS 3

enum act { TAKES, LEAVES, ALL_LEAVE, PAUSES, ACTS }; /* what a taker does when it is told */

static struct party {
    struct km_arena arena; /* a call's: gone when it leaves */
    struct km_taker *t; /* NULL: it has left, or the arena is gone */
    unsigned heads, dones;
    char said[64];
    struct km_err why;
    bool request_sent;
} parties[TAKERS];

static struct {
    struct km_loop *loop;
    struct km_body_budget bodies;
    struct km_flight *flight; /* open */
    unsigned opens, closes, frees;
    unsigned actor, at; /* does it when told the at-th thing */
    enum act act;
    unsigned told;
} w;

static void leave(struct party *p)
{
    if (!p->t)
        return;
    km_taker_leave(p->t);
    assert_false(km_taker_is_out(p->t));
    p->t = NULL;
    km_arena_done(&p->arena);
}

static void act(struct party *p)
{
    if (p != &parties[w.actor] || w.told++ != w.at)
        return;
    if (w.act == LEAVES)
        leave(p);
    for (unsigned i = 0; w.act == ALL_LEAVE && i < TAKERS; i++)
        leave(&parties[i]);
    if (w.act == PAUSES && p->t)
        km_taker_pause(p->t);
}

static void on_head(void *ctx, const struct km_response *response)
{
    struct party *p = ctx;

    assert_non_null(p->t);
    assert_int_equal(response->status, 200);
    p->heads++;
    act(p);
}

static void on_body(void *ctx, const char *bytes, size_t n)
{
    struct party *p = ctx;

    assert_non_null(p->t);
    assert_int_equal(p->dones, 0);
    strncat(p->said, bytes, n < sizeof p->said - strlen(p->said) ? n : 0);
    act(p);
}

static void on_done(void *ctx, const struct km_http_result *result)
{
    struct party *p = ctx;

    assert_non_null(p->t);
    p->dones++;
    p->request_sent = result->request_sent;
    if (result->err)
        p->why = *result->err;
    act(p);
}

static const struct km_http_events events = { .on_head = on_head,
                                              .on_body = on_body,
                                              .on_done = on_done };

static void opened(void *ctx, struct km_flight *flight)
{
    (void)ctx;
    w.opens++;
    w.flight = flight;
}

static void closed(void *ctx)
{
    (void)ctx;
    w.closes++;
    w.flight = NULL;
}

static void done(void *ctx)
{
    (void)ctx;
    w.frees++;
}

/* "a,b,c": to each its own, and to the second nothing. */
static int part(void *ctx, unsigned index, struct km_str whole, struct km_buf *out,
                struct km_err *err)
{
    (void)ctx;
    if (index == 1)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "There is none for this one.");
    km_buf_str(out, km_str_sub(whole, 2 * (size_t)index, 1));
    return 0;
}

static const struct km_flight_split split = { 1000, part };

/* The first sends, the others join. */
static bool begin(const struct km_flight_split *how)
{
    static const struct km_str body[] = { { "a ", 2 }, { "body", 4 } };
    const struct km_http_request request = { .method = KM_STR("POST"),
                                             .target = KM_STR("/v1"),
                                             .head = KM_STR("x: y\r\n"),
                                             .body = body,
                                             .nbody = 2,
                                             .has_body = true };
    const struct km_flight_args args = { 1, how, opened, closed, done, NULL };
    struct km_err err = { 0 };

    memset(&w, 0, sizeof w);
    memset(parties, 0, sizeof parties);
    w.actor = TAKERS;
    w.bodies.limit = 1 << 30;
    http_forget();
    w.loop = km_loop_new(&err);
    if (!w.loop)
        return false;
    for (unsigned i = 0; i < TAKERS; i++) {
        struct party *p = &parties[i];

        km_arena_init(&p->arena, 1 << 16, NULL);
        if (i == 0)
            p->t = km_flight_send(NULL, w.loop, &w.bodies, &request, &args, &p->arena, &events, p);
        else if (w.flight)
            p->t = km_flight_join(w.flight, (int64_t)i + 1, &p->arena, &events, p);
        if (!p->t)
            km_arena_done(&p->arena);
    }
    return true;
}

static void on_stop(void *ctx)
{
    km_loop_stop(ctx);
}

/* What was put off comes. */
static void turn(void)
{
    struct km_deferred stop;

    km_deferred_init(&stop, w.loop, on_stop, w.loop);
    km_deferred_queue(&stop);
    km_loop_run(w.loop);
}

static void end(void)
{
    for (unsigned i = 0; i < TAKERS; i++)
        leave(&parties[i]);
    assert_int_equal(http_live(), 0);
    if (w.loop)
        w.loop = km_loop_free(w.loop);
    assert_int_equal(w.opens, w.closes);
    assert_int_equal(w.opens, w.frees);
    assert_int_equal(w.bodies.used, 0);
}

static void tell(bool breaks)
{
    if (http[0].live)
        http_head(0, 200);
    if (http[0].live)
        http_body(0, "one,");
    if (http[0].live)
        http_body(0, "two");
    if (http[0].live && breaks)
        http_break(0, KM_E_UPSTREAM_PROTOCOL);
    else if (http[0].live)
        http_end(0);
}

static void what_is_sent_is_a_copy(void **state)
{
    const struct km_http_request *r = &http[0].request;

    (void)state;
    assert_true(begin(NULL));
    assert_int_equal(nhttp, 1);
    assert_int_equal(r->nbody, 1);
    assert_true(km_str_eq(r->body[0], KM_STR("a body")));
    leave(&parties[0]); /* whoever sent it is gone, and its memory */
    assert_true(http[0].live);
    assert_true(km_str_eq(r->body[0], KM_STR("a body")));
    assert_true(km_str_eq(r->head, KM_STR("x: y\r\n")));
    tell(false);
    assert_string_equal(parties[1].said, "one,two");
    assert_string_equal(parties[2].said, "one,two");
    end();
}

/* Whatever one does at whichever moment: the others get it all, and one end. */
static void whatever_one_does_while_it_is_told(void **state)
{
    (void)state;
    for (unsigned breaks = 0; breaks < 2; breaks++)
        for (enum act a = 0; a < ACTS; a++)
            for (unsigned who = 0; who < TAKERS; who++)
                for (unsigned at = 0; at < 4; at++) {
                    assert_true(begin(NULL));
                    w.actor = who;
                    w.act = a;
                    w.at = at;
                    tell(breaks);
                    for (unsigned i = 0; i < TAKERS && a != ALL_LEAVE; i++) {
                        if (i == who && a != TAKES)
                            continue;
                        assert_int_equal(parties[i].heads, 1);
                        assert_string_equal(parties[i].said, "one,two");
                        assert_int_equal(parties[i].dones, 1);
                        assert_int_equal(parties[i].why.code, breaks ? KM_E_UPSTREAM_PROTOCOL : 0);
                        assert_true(parties[i].request_sent);
                    }
                    if (a == PAUSES && at < 3) { /* what came meanwhile comes now, in order */
                        assert_int_equal(parties[who].dones, 0);
                        turn();
                        assert_int_equal(parties[who].dones, 0);
                        km_taker_resume(parties[who].t);
                        turn();
                        assert_string_equal(parties[who].said, "one,two");
                        assert_int_equal(parties[who].dones, 1);
                    }
                    end();
                }
}

/* One that reads slowly holds nobody up; when nobody reads, the upstream waits. */
static void the_upstream_waits_when_nobody_reads(void **state)
{
    (void)state;
    assert_true(begin(NULL));
    http_head(0, 200);
    km_taker_pause(parties[0].t);
    km_taker_pause(parties[1].t);
    assert_false(http[0].paused);
    km_taker_pause(parties[2].t);
    assert_true(http[0].paused);
    km_taker_resume(parties[1].t);
    assert_false(http[0].paused);
    leave(&parties[1]);
    assert_true(http[0].paused);
    end();
}

static void a_line_that_grows_too_long_is_cut(void **state)
{
    static char much[1 << 20];

    (void)state;
    memset(much, 'x', sizeof much - 1);
    assert_true(begin(NULL));
    http_head(0, 200);
    km_taker_pause(parties[1].t);
    leave(&parties[0]);
    w.actor = 2;
    w.act = TAKES;
    for (unsigned i = 0; i < 17; i++)
        http[0].events->on_body(http[0].ctx, much, sizeof much - 1);
    assert_int_equal(parties[1].dones, 1);
    assert_int_equal(parties[1].why.code, KM_E_OVERLOADED);
    assert_int_equal(parties[2].dones, 0);
    http_end(0);
    assert_int_equal(parties[2].dones, 1);
    end();
}

static void each_gets_its_part(void **state)
{
    (void)state;
    assert_true(begin(&split));
    http_head(0, 200);
    http_body(0, "a,");
    http_body(0, "b,c");
    assert_string_equal(parties[0].said, "");
    http_end(0);
    assert_string_equal(parties[0].said, "a");
    assert_int_equal(parties[0].why.code, 0);
    assert_string_equal(parties[1].said, "");
    assert_int_equal(parties[1].why.code, KM_E_UPSTREAM_PROTOCOL);
    assert_string_equal(parties[2].said, "c");
    end();
}

/* Of those that hear the end at once, whoever left before. */
static int64_t paid_together(int64_t sum, unsigned gone)
{
    int64_t all = 0;

    for (unsigned k = 0; k < TAKERS; k++)
        if (!(gone >> k & 1)) {
            int64_t share = km_taker_share(parties[k].t, sum);

            assert_true(share >= 0 && share <= sum);
            all += share;
        }
    return all;
}

static void the_shares_add_up(void **state)
{
    static const int64_t sums[] = { 0, 1, 2, 5, 6, 7, 100, 999999999, INT64_MAX / 3, INT64_MAX };

    (void)state;
    for (unsigned gone = 0; gone < 7; gone++)
        for (unsigned headed = 0; headed < 2; headed++) {
            assert_true(begin(NULL)); /* weights 1, 2, 3 */
            if (headed)
                http_head(0, 200);
            for (unsigned k = 0; k < TAKERS; k++)
                if (gone >> k & 1)
                    leave(&parties[k]);
            if (!headed)
                http_head(0, 200);
            http_end(0);
            for (size_t i = 0; i < sizeof sums / sizeof *sums; i++)
                assert_int_equal(paid_together(sums[i], gone), sums[i]);
            if (!gone)
                assert_int_equal(km_taker_share(parties[2].t, 600), 300);
            end();
        }
}

/* Slow readers pay no less, and those that were told pay all of it without them. */
static void whoever_hears_it_late_makes_it_no_cheaper(void **state)
{
    (void)state;
    for (unsigned slow = 1; slow < 8; slow++) {
        int64_t all = 0;

        assert_true(begin(NULL));
        http_head(0, 200);
        for (unsigned k = 0; k < TAKERS; k++)
            if (slow >> k & 1)
                km_taker_pause(parties[k].t);
        http_end(0);
        if (slow < 7)
            assert_int_equal(paid_together(600, slow), 600);
        for (unsigned k = 0; k < TAKERS; k++) {
            if (!(slow >> k & 1))
                continue;
            km_taker_resume(parties[k].t);
            turn();
            assert_int_equal(parties[k].dones, 1);
        }
        for (unsigned k = 0; k < TAKERS; k++)
            all += km_taker_share(parties[k].t, 600);
        assert_true(all >= 600);
        end();
    }
}

/* One request that failed is one failure. */
static void one_of_them_speaks(void **state)
{
    (void)state;
    for (unsigned who = 0; who <= TAKERS; who++) {
        unsigned n = 0;

        assert_true(begin(NULL));
        w.actor = who;
        w.act = LEAVES;
        tell(true);
        for (unsigned k = 0; k < TAKERS; k++)
            n += parties[k].t && km_taker_speaks(parties[k].t);
        assert_int_equal(n, 1);
        end();
    }
}

static void life(void)
{
    if (begin(NULL)) {
        w.actor = 1;
        w.act = PAUSES;
        if (nhttp)
            tell(false);
    }
    end();
}

static void every_allocation_fails_once(void **state)
{
    (void)state;
    assert_true(km_torture(life) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sent_is_a_copy),
        cmocka_unit_test(whatever_one_does_while_it_is_told),
        cmocka_unit_test(the_upstream_waits_when_nobody_reads),
        cmocka_unit_test(a_line_that_grows_too_long_is_cut),
        cmocka_unit_test(each_gets_its_part),
        cmocka_unit_test(the_shares_add_up),
        cmocka_unit_test(whoever_hears_it_late_makes_it_no_cheaper),
        cmocka_unit_test(one_of_them_speaks),
        cmocka_unit_test(every_allocation_fails_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
