/* SPDX-License-Identifier: Apache-2.0 */
/* test_ask.c - what is asked within a call: whose it is, what it takes, and that nothing is left of
 * it, however it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "fake_call.h"
#include "call/ask.h"
#include "torture.h"

static struct asked {
    struct km_asker asker;
    struct km_question *question;
    unsigned heads, dones;
    int status;
    struct km_err err; /* of done; code 0: whole */
} a;

static void on_head(void *ctx, int status, struct km_str lines)
{
    (void)ctx;
    (void)lines;
    a.heads++;
    a.status = status;
}

static void on_done(void *ctx, const struct km_err *err)
{
    (void)ctx;
    a.dones++;
    a.question = NULL;
    if (err)
        a.err = *err;
}

static const struct km_answer_events events = { .on_head = on_head, .on_done = on_done };
static const struct km_header caller[] = { { { "X-Mcp-Servers", 13 }, { "one", 3 } },
                                           { { "Authorization", 13 }, { "Bearer sk-1", 11 } },
                                           { { "Content-Length", 14 }, { "7", 1 } },
                                           { { "X-Mine", 6 }, { "old", 3 } } };

static int ask(struct km_err *err)
{
    static const struct km_question_args args = { .path = { "/v1/fake", 8 },
                                                  .head = { "X-Mine: new\r\n", 13 },
                                                  .body = { "{}", 2 } };

    return km_ask_call(&a.asker, &fake_kind, NULL, &args, &events, NULL, &a.question, err);
}

static bool begin_world(void)
{
    if (!make_world())
        return false;
    memset(&a, 0, sizeof a);
    f.gateway.inner_calls = 2;
    f.place = PLACES; /* nothing happens */
    a.asker = (struct km_asker){ .visit = &f.visit,
                                 .headers = { .v = caller, .n = sizeof caller / sizeof *caller } };
    memcpy(f.visit.id_text, "outer", 6);
    return true;
}

/* One place and all of its budget are there again. */
static void check_nothing_is_left(void)
{
    struct km_admission whole = { .reserve = BUDGET / 2, .default_max_parallel = -1 };
    struct km_permit probe = { 0 };

    assert_true(is_over());
    assert_int_equal(f.of_intents, f.intents);
    assert_int_equal(a.asker.open, 0);
    assert_int_equal(km_key_reserved(f.key), 0);
    assert_int_equal(km_permit_take(f.key, &whole, &probe, NULL, NULL, NULL), 0);
    km_permit_settle(&probe, 0, 0, 0);
    assert_int_equal(f.view.refs, 1);
}

static void a_question_is_a_call_in_the_askers_name(void **state)
{
    (void)state;
    assert_true(begin_world());
    f.place = AT_SEND;
    f.event = WAITS;
    assert_int_equal(ask(NULL), 0);
    assert_int_equal(a.asker.open, 1);
    assert_int_equal(f.visits[AT_TAKE], 0); /* never from within */
    turn();
    assert_true(f.waiting);
    assert_ptr_equal(f.call->visit->who.key->live, f.key->live);
    assert_int_equal(f.call->visit->depth, 1);
    assert_true(km_str_eq(f.call->visit->within, KM_STR("outer")));
    assert_string_not_equal(f.call->visit->id_text, "outer");
    assert_true(km_str_eq(f.call->request->path, KM_STR("/v1/fake")));
    assert_true(
        km_str_eq(km_header_get(&f.call->request->headers, KM_STR("x-mine")), KM_STR("new")));
    assert_int_equal(km_header_count(&f.call->request->headers, KM_STR("x-mine")), 1);
    assert_int_equal(km_header_count(&f.call->request->headers, KM_STR("authorization")), 1);
    assert_int_equal(km_header_count(&f.call->request->headers, KM_STR("content-length")), 0);
    assert_int_equal(km_header_count(&f.call->request->headers, KM_STR("x-mcp-servers")), 0);
    resume(AT_SEND, NULL);
    assert_int_equal(a.dones, 0); /* nor here */
    turn();
    assert_int_equal(a.heads, 1);
    assert_int_equal(a.dones, 1);
    assert_int_equal(a.status, 200);
    assert_int_equal(a.err.code, 0);
    assert_int_equal(f.last.flags & KM_CALL_WITHIN, 0);
    check_nothing_is_left();
    unmake_world();
}

static void its_refusal_is_an_answer(void **state)
{
    (void)state;
    assert_true(begin_world());
    f.place = AT_PREPARE;
    f.event = FAILS;
    assert_int_equal(ask(NULL), 0);
    turn();
    assert_int_equal(a.dones, 1);
    assert_int_equal(a.status, 400);
    assert_int_equal(a.err.code, 0);
    check_nothing_is_left();
    unmake_world();
}

static void cancelled_anywhere_it_says_nothing_and_leaves_nothing(void **state)
{
    (void)state;
    for (unsigned p = 0; p < PLACES; p++) {
        if (!may_wait((enum place)p))
            continue;
        assert_true(begin_world());
        f.place = (enum place)p;
        f.event = WAITS;
        assert_int_equal(ask(NULL), 0);
        turn();
        if (!f.waiting)
            fail_msg("%s: it does not wait", place_names[p]);
        km_question_cancel(a.question);
        assert_int_equal(a.asker.open, 0);
        turn();
        if (!is_over())
            resume((enum place)p, NULL);
        turn();
        assert_int_equal(a.heads + a.dones, 0);
        check_nothing_is_left();
        unmake_world();
    }
}

static void cancelled_before_it_began_no_call_comes_of_it(void **state)
{
    (void)state;
    assert_true(begin_world());
    assert_int_equal(ask(NULL), 0);
    km_question_cancel(a.question);
    turn();
    assert_int_equal(f.visits[AT_TAKE], 0);
    assert_int_equal(a.heads + a.dones, 0);
    check_nothing_is_left();
    km_question_cancel(NULL);
    unmake_world();
}

static void it_has_no_longer_than_its_asker(void **state)
{
    (void)state;
    assert_true(begin_world());
    f.place = AT_SEND;
    f.event = WAITS;
    a.asker.deadline_ms = km_loop_now_ms(f.loop) + 1;
    assert_int_equal(ask(NULL), 0);
    turn();
    while (!a.dones)
        turn();
    assert_int_equal(a.status, 408);
    check_nothing_is_left();
    unmake_world();
}

static void bounds_are_kept(void **state)
{
    struct km_err err = { 0 };

    (void)state;
    assert_true(begin_world());
    f.visit.depth = KM_ASK_DEPTH - 1;
    assert_int_equal(ask(&err), 0);
    assert_int_equal(ask(&err), 0);
    assert_int_equal(ask(&err), KM_E_LIMIT);
    assert_non_null(strstr(err.text, "inner_calls"));
    f.visit.depth = KM_ASK_DEPTH;
    a.asker.open = 0;
    assert_int_equal(ask(&err), KM_E_LIMIT);
    assert_non_null(strstr(err.text, "8 deep"));
    a.asker.open = 2;
    turn();
    assert_int_equal(a.dones, 2);
    check_nothing_is_left();
    unmake_world();
}

static void the_key_is_the_one_of_now(void **state)
{
    struct km_key_row row;
    struct km_err err = { 0 };

    (void)state;
    assert_true(begin_world());
    row = f.key->row;
    row.blocked = true;
    assert_int_equal(km_keys_put(f.gw.keys, &row, NULL), 0);
    assert_int_equal(ask(&err), KM_E_UNAUTHENTICATED);
    assert_true(km_keys_del(f.gw.keys, f.key->row.hash));
    assert_int_equal(ask(&err), KM_E_UNAUTHENTICATED);
    assert_non_null(strstr(err.text, "deleted"));
    assert_int_equal(a.asker.open, 0);
    turn();
    assert_int_equal(f.visits[AT_TAKE], 0);
    unmake_world();
}

static void a_token_for_one_resource_asks_no_other(void **state)
{
    struct km_err err = { 0 };

    (void)state;
    assert_true(begin_world());
    f.visit.who.resource = KM_STR("https://gateway.example/mcp");
    assert_int_equal(ask(&err), KM_E_FORBIDDEN);
    f.visit.who.resource = KM_STR("https://gateway.example/v1");
    assert_int_equal(ask(&err), 0);
    turn();
    assert_int_equal(a.status, 200);
    check_nothing_is_left();
    unmake_world();
}

/* The key has one place, and the call around it has it. */
static void it_takes_no_second_place(void **state)
{
    struct km_admission place = { .part = KM_PERMIT_PLACE, .default_max_parallel = -1 };
    struct km_permit outer = { 0 };

    (void)state;
    assert_true(begin_world());
    assert_int_equal(km_permit_take(f.key, &place, &outer, NULL, NULL, NULL), 0);
    assert_int_equal(ask(NULL), 0);
    turn();
    assert_int_equal(a.status, 429);
    a.asker.has_place = true;
    assert_int_equal(ask(NULL), 0);
    turn();
    assert_int_equal(a.status, 200);
    assert_true(f.last.flags & KM_CALL_WITHIN);
    assert_int_equal(f.last.cost, BUDGET / 4);
    assert_int_equal(km_key_spend(f.key), BUDGET / 4);
    km_permit_settle(&outer, 0, 0, 0);
    check_nothing_is_left();
    unmake_world();
}

static void life(void)
{
    if (begin_world() && ask(NULL) == 0) {
        turn();
        assert_int_equal(a.dones, 1);
    }
    assert_true(f.w.ncalls == 0);
    unmake_world();
}

static void every_allocation_fails_once(void **state)
{
    (void)state;
    assert_true(km_torture(life) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_is_a_call_in_the_askers_name),
        cmocka_unit_test(its_refusal_is_an_answer),
        cmocka_unit_test(cancelled_anywhere_it_says_nothing_and_leaves_nothing),
        cmocka_unit_test(cancelled_before_it_began_no_call_comes_of_it),
        cmocka_unit_test(it_has_no_longer_than_its_asker),
        cmocka_unit_test(bounds_are_kept),
        cmocka_unit_test(the_key_is_the_one_of_now),
        cmocka_unit_test(a_token_for_one_resource_asks_no_other),
        cmocka_unit_test(it_takes_no_second_place),
        cmocka_unit_test(every_allocation_fails_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
