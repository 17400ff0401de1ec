/* SPDX-License-Identifier: Apache-2.0 */
/* test_shared.c - one request of several calls: what each gets and pays, and who calls it off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake_models.h"
#include "torture.h"

#define CALLS 3

static struct asker {
    struct km_port port;
    struct km_call *call; /* NULL: it is over, or has not begun */
    unsigned ends;
    int status;
    char said[32];
} askers[CALLS];

static struct asker *asker_of(struct km_port *port)
{
    return KM_CONTAINER(port, struct asker, port);
}

static void start_answer(struct km_port *port, int status, struct km_str head, uint64_t length)
{
    (void)head;
    (void)length;
    asker_of(port)->status = status;
}

static bool write_answer(struct km_port *port, const struct km_str *parts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        strncat(asker_of(port)->said, parts[i].p, parts[i].n);
    return true;
}

static void end_answer(struct km_port *port)
{
    asker_of(port)->ends++;
    asker_of(port)->call = NULL;
}

static void respond(struct km_port *port, int status, struct km_str head, struct km_str body)
{
    start_answer(port, status, head, body.n);
    end_answer(port);
}

static bool take_back(struct km_port *port)
{
    (void)port;
    return false;
}

static const struct km_port_ops asker_ops = { .name = "asker",
                                              .start = start_answer,
                                              .write = write_answer,
                                              .end = end_answer,
                                              .abort = end_answer,
                                              .respond = respond,
                                              .take_back = take_back };

/* Three calls, whose weights are 1, 2 and 4, ask the same. */
static bool begin_askers(unsigned n)
{
    if (!begin_world())
        return false;
    f.visit.who.key = NULL;
    t.shares = true;
    for (unsigned i = 0; i < n; i++) {
        struct asker *a = &askers[i];

        *a = (struct asker){ .port.ops = &asker_ops };
        t.weight = 1 << i;
        a->call = begin_call(&a->port);
        if (a->ends || !a->call)
            a->call = NULL;
    }
    return true;
}

static void unmake_askers(void)
{
    f.visit.who.key = f.key;
    unmake_world();
}

static void all_get_the_answer_and_pay_for_it_once(void **state)
{
    (void)state;
    assert_true(begin_askers(CALLS));
    assert_int_equal(nhttp, 1);
    http_head(0, 200);
    assert_null(t.flight);
    http_body(0, "an ");
    http_body(0, "answer");
    http_end(0);
    assert_true(is_over());
    for (unsigned i = 0; i < CALLS; i++) {
        assert_string_equal(askers[i].said, "an answer");
        assert_int_equal(askers[i].status, 200);
    }
    assert_int_equal(f.settlements, CALLS);
    assert_int_equal(f.costs, INPUT + OUTPUT);
    assert_int_equal(f.last.prompt_tokens, INPUT - INPUT * 3 / 7);
    assert_int_equal(t.flights_done, 1);
    unmake_askers();
}

/* Of whoever is left the upstream is heard; the last one that leaves calls it off. */
static void only_the_last_that_leaves_calls_it_off(void **state)
{
    (void)state;
    for (unsigned stays = 0; stays <= CALLS; stays++)
        for (unsigned headed = 0; headed < 2; headed++) {
            assert_true(begin_askers(CALLS));
            if (headed)
                http_head(0, 200);
            for (unsigned i = 0; i < CALLS; i++) {
                assert_true(http[0].live);
                if (i != stays)
                    km_call_cancel(askers[i].call, "It is not wanted any more.");
            }
            assert_int_equal(http[0].live, stays < CALLS);
            if (stays < CALLS) {
                if (!headed)
                    http_head(0, 200);
                http_body(0, "an answer");
                http_end(0);
                assert_string_equal(askers[stays].said, "an answer");
            }
            assert_true(is_over());
            assert_int_equal(f.settlements, CALLS);
            if (stays < CALLS) /* who stays pays for the answer, who left on top of it */
                assert_true(f.costs >= INPUT + OUTPUT);
            assert_int_equal(t.flights_done, 1);
            for (unsigned i = 0; i < CALLS; i++)
                assert_int_equal(askers[i].ends, 1);
            unmake_askers();
        }
}

/* What all of them heard each recovers from; and the next request is one again. */
static void they_go_on_together(void **state)
{
    (void)state;
    assert_true(begin_askers(CALLS));
    http_head(0, 503);
    http_body(0, "{}");
    http_end(0);
    assert_int_equal(nhttp, 2);
    assert_int_equal(t.flights_done, 1);
    http_break(1, KM_E_UPSTREAM_CONNECT);
    assert_int_equal(nhttp, 3);
    http_head(2, 200);
    http_body(2, "an answer");
    http_end(2);
    assert_true(is_over());
    for (unsigned i = 0; i < CALLS; i++)
        assert_string_equal(askers[i].said, "an answer");
    assert_int_equal(f.costs, INPUT + INPUT + OUTPUT); /* the one that broke had the request */
    assert_int_equal(t.flights_done, 3);
    unmake_askers();
}

static void share(void)
{
    if (begin_askers(2)) {
        for (unsigned i = 0; i < nhttp; i++) {
            if (http[i].live)
                http_head(i, 200);
            if (http[i].live)
                http_body(i, "an answer");
            if (http[i].live)
                http_end(i);
        }
        assert_int_equal(http_live(), 0);
        assert_true(is_over());
    }
    unmake_askers();
}

static void every_allocation_fails_once(void **state)
{
    (void)state;
    assert_true(km_torture(share) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_get_the_answer_and_pay_for_it_once),
        cmocka_unit_test(only_the_last_that_leaves_calls_it_off),
        cmocka_unit_test(they_go_on_together),
        cmocka_unit_test(every_allocation_fails_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
