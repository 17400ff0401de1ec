/* SPDX-License-Identifier: Apache-2.0 */
/* test_broker.c - what a call has of its key, asked for here and in another process, in the world
 * of fake_call.h.
 *
 * The other process is its table of keys, real ones: it is asked when the test says so, gets what
 * is given back and the settlement's record, and in the end nobody may hold anything there.  Each
 * answer comes before and after each thing that can happen to the call. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "fake_call.h"
#include "host/handover/handover.h"
#include "torture.h"

#define HALF (BUDGET / 2)
#define MORE (BUDGET / 4 * 3)

enum answer { GRANTED, REFUSED, LOST, HERE, ANSWERS };

static const uint8_t hash[32] = { 1 };

static struct {
    struct km_keys *keys; /* of the other process */
    struct km_key *key;
    struct km_ask *asked[8]; /* not answered yet, in order */
    size_t nasked;
    unsigned asks, given_back;
    enum km_handover_state state;
    unsigned told;
    int why[8];
} o;

/* --- the other process --- */

void __wrap_km_handover_ask(struct km_handover *h, struct km_ask *ask);
void __wrap_km_handover_give_back(struct km_handover *h, const uint8_t key[32],
                                  struct km_str payers, const struct km_admission *granted);
enum km_handover_state __wrap_km_handover_state(struct km_handover *h);

void __wrap_km_handover_ask(struct km_handover *h, struct km_ask *ask)
{
    (void)h;
    assert_memory_equal(ask->hash, hash, sizeof hash);
    o.asks++;
    o.asked[o.nasked++] = ask;
}

void __wrap_km_handover_give_back(struct km_handover *h, const uint8_t key[32],
                                  struct km_str payers, const struct km_admission *granted)
{
    const struct km_permit held = { .part = granted->part, .reserved = granted->reserve };

    (void)payers;
    (void)h;
    o.given_back++;
    km_keys_settle_imported(o.keys, key, &held, 0, 0, 0);
}

enum km_handover_state __wrap_km_handover_state(struct km_handover *h)
{
    (void)h;
    return o.state;
}

static void answer_next(enum answer how)
{
    struct km_ask *ask = o.asked[0];

    memmove(o.asked, o.asked + 1, --o.nasked * sizeof *o.asked);
    ask->here = how == HERE;
    ask->err.code = 0;
    if (how == GRANTED)
        assert_int_equal(
            km_keys_admit_imported(o.keys, ask->hash, &ask->admission, &ask->room, NULL, &ask->err),
            0);
    if (how == REFUSED)
        km_fail(&ask->err, KM_E_BUDGET, "It is spent.");
    if (how == LOST)
        km_fail(&ask->err, KM_E_OVERLOADED, "Nobody is there.");
    if (how == HERE)
        f.w.frozen = false;
    ask->done(ask);
}

static bool make_both(void)
{
    const struct km_key_row row = { .hash = { 1 },
                                    .max_budget = BUDGET,
                                    .soft_budget = -1,
                                    .rpm = -1,
                                    .tpm = -1,
                                    .max_parallel = 1 };
    struct km_err err;

    memset(&o, 0, sizeof o);
    if (!make_world())
        return false;
    o.keys = km_keys_new(10);
    if (!o.keys || km_keys_put(o.keys, &row, &err) < 0)
        return false;
    o.key = km_keys_find(o.keys, hash);
    return true;
}

static void unmake_both(void)
{
    km_key_unref(o.key);
    o.keys = o.keys ? km_keys_free(o.keys) : NULL;
    o.key = NULL;
    unmake_world();
}

static void freeze(void)
{
    struct km_buf live = KM_BUF(4096);
    struct km_err err;

    km_keys_export(f.gw.keys, &live);
    assert_int_equal(km_keys_import(o.keys, km_buf_view(&live), &err), 0);
    km_buf_done(&live);
    f.w.frozen = true;
}

/* The record comes there, and then nobody holds anything, neither here nor there. */
static void check_exact(bool here)
{
    struct km_admission a = { .reserve = 1, .default_max_parallel = -1 };
    struct km_permit held = { .reserved = f.last.reserved }, probe = { 0 };

    check_settled();
    assert_int_equal(o.nasked, 0);
    assert_int_equal(f.w.nasks, 0);
    if (f.settlements && !here)
        km_keys_settle_imported(o.keys, hash, &held, f.last.cost, 0, 0);
    assert_int_equal(km_key_reserved(o.key), 0);
    assert_int_equal(km_key_spend(o.key), here ? 0 : f.last.cost);
    assert_int_equal(km_permit_take(o.key, &a, &probe, NULL, NULL, NULL), 0);
    km_permit_settle(&probe, 0, 0, 0);
}

/* --- calls --- */

static void start(enum place p, enum event event)
{
    f.place = p;
    f.event = event;
    f.call = km_call_new(&f.w, &fake_kind, ARENA_BYTES);
    assert_non_null(f.call);
    km_call_take_port(f.call, &f.visit, &f.port);
    km_call_start(f.call);
}

static void strike(enum event event)
{
    struct km_err why;

    if (event == IS_CANCELLED) {
        km_call_cancel(f.call, "It is not wanted any more.");
    } else if (event == RUNS_OUT_OF_TIME) {
        km_timer_start(&f.call->deadline, 0);
        turn();
    } else if (event == CLIENT_GOES) {
        f.port.events->on_gone(f.port.ctx);
    } else if (event == KEY_IS_REVOKED) {
        km_fail(&why, KM_E_UNAUTHENTICATED, "The key was revoked.");
        km_call_revoke(f.call, &why);
    }
}

static const enum event strikes[] = { GOES_WELL, IS_CANCELLED, RUNS_OUT_OF_TIME, CLIENT_GOES,
                                      KEY_IS_REVOKED };

#define STRIKES (sizeof strikes / sizeof strikes[0])

static void admission_waits_for_its_answer(void **state)
{
    (void)state;
    for (size_t e = 0; e < STRIKES; e++)
        for (unsigned how = 0; how < ANSWERS; how++) {
            assert_true(make_both());
            freeze();
            start(AT_SEND, GOES_WELL);
            assert_int_equal(o.nasked, 1);
            assert_int_equal(o.asked[0]->admission.part, KM_PERMIT_WHOLE);
            strike(strikes[e]); /* nothing moves before */
            assert_false(is_over());
            assert_int_equal(f.responds + f.aborts, 0);
            answer_next((enum answer)how);
            assert_true(is_over());
            assert_int_equal(f.settlements, how == GRANTED || how == HERE);
            assert_int_equal(o.given_back, 0);
            check_exact(how == HERE);
            unmake_both();
        }
}

static void what_has_no_record_is_given_back_by_itself(void **state)
{
    (void)state;
    assert_true(make_both());
    freeze();
    start(AT_INTENT, FAILS);
    answer_next(GRANTED);
    assert_int_equal(f.settlements, 0);
    assert_int_equal(o.given_back, 1);
    check_exact(false);
    unmake_both();
}

static void a_hand_over_that_began_anew_is_asked_anew(void **state)
{
    (void)state;
    assert_true(make_both());
    freeze();
    start(AT_SEND, GOES_WELL);
    o.state = KM_HANDOVER_FROZEN;
    answer_next(HERE);
    f.w.frozen = true;
    assert_int_equal(o.nasked, 1);
    assert_false(is_over());
    answer_next(GRANTED);
    assert_int_equal(o.asks, 2);
    check_exact(false);
    unmake_both();
}

/* --- more of what it has --- */

static void on_answer(void *ctx, const struct km_err *err)
{
    assert_ptr_equal(ctx, f.call);
    o.why[o.told++] = err ? err->code : 0;
}

/* A call that is being sent; away: admitted over there. */
static void send_one(bool away)
{
    assert_true(make_both());
    if (away)
        freeze();
    start(AT_SEND, WAITS);
    if (away)
        answer_next(GRANTED);
    else
        freeze();
    assert_true(f.waiting);
    assert_int_equal(km_key_reserved(o.key), HALF);
}

static void finish(bool granted)
{
    assert_int_equal(f.call->reserve, granted ? MORE : HALF);
    resume(AT_SEND, NULL);
    assert_true(is_over());
    assert_int_equal(f.last.reserved, granted ? MORE : HALF);
}

static void one_top_up(bool away, enum event event, enum answer how, bool first)
{
    struct km_err err;

    send_one(away);
    assert_int_equal(km_broker_top_up(f.call, MORE, on_answer, f.call, &err), KM_E_AGAIN);
    assert_int_equal(o.asked[0]->admission.part, KM_PERMIT_MORE);
    assert_int_equal(o.asked[0]->admission.reserve, MORE - HALF);
    if (first)
        answer_next(how);
    strike(event);
    if (!first && is_over()) { /* nobody is told, and it is given back once */
        assert_int_equal(f.last.reserved, HALF);
        assert_int_equal(f.w.nasks, 1);
        answer_next(how);
        assert_int_equal(o.told, 0);
        assert_int_equal(o.given_back, how == GRANTED);
    } else {
        if (!first)
            answer_next(how);
        assert_int_equal(o.told, 1);
        assert_int_equal(o.why[0], how == REFUSED ? KM_E_BUDGET
                                   : how == LOST  ? KM_E_OVERLOADED
                                                  : 0);
        assert_int_equal(o.given_back, 0);
    }
    if (!is_over())
        finish(how == GRANTED || how == HERE);
    check_exact(false);
    unmake_both();
}

static void a_top_up_and_whatever_comes_between(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++)
        for (size_t e = 0; e < STRIKES; e++)
            for (unsigned how = 0; how < HERE; how++)
                one_top_up(i & 1, strikes[e], (enum answer)how, i & 2);
}

/* Taken back: what it has is here, and so is what it gets. */
static void what_was_not_handed_over_is_topped_up_here(void **state)
{
    struct km_err err;

    (void)state;
    assert_true(make_both());
    start(AT_SEND, WAITS);
    f.w.frozen = true;
    assert_int_equal(km_broker_top_up(f.call, MORE, on_answer, f.call, &err), KM_E_AGAIN);
    answer_next(HERE);
    assert_int_equal(o.told, 1);
    assert_int_equal(o.why[0], 0);
    assert_int_equal(km_key_reserved(f.key), MORE);
    assert_int_equal(km_broker_top_up(f.call, 2 * (int64_t)BUDGET, on_answer, f.call, &err),
                     KM_E_BUDGET);
    assert_int_equal(km_broker_top_up(f.call, HALF, on_answer, f.call, &err), 0);
    assert_int_equal(km_key_reserved(f.key), HALF);
    assert_int_equal(km_broker_again(f.call, on_answer, f.call, &err), 0);
    finish(false);
    check_exact(true);
    unmake_both();
}

static void less_is_given_back_with_the_record(void **state)
{
    struct km_err err;

    (void)state;
    send_one(true);
    assert_int_equal(km_broker_top_up(f.call, 1, on_answer, f.call, &err), 0);
    assert_int_equal(o.asks, 1);
    finish(false);
    check_exact(false);
    unmake_both();
}

/* One after the other, in their order; `ends`: the call does after so many answers. */
static void several(unsigned ends)
{
    struct km_err err;

    send_one(false);
    assert_int_equal(km_broker_top_up(f.call, HALF + 1, on_answer, f.call, &err), KM_E_AGAIN);
    assert_int_equal(km_broker_again(f.call, on_answer, f.call, &err), KM_E_AGAIN);
    assert_int_equal(km_broker_top_up(f.call, MORE, on_answer, f.call, &err), KM_E_AGAIN);
    assert_int_equal(km_broker_top_up(f.call, HALF + 2, on_answer, f.call, &err), KM_E_AGAIN);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(o.nasked, 1);
        if (i == ends) {
            km_call_cancel(f.call, "It is not wanted any more.");
            assert_true(is_over());
        }
        if (i < ends)
            assert_int_equal(o.asked[0]->admission.part, i == 1 ? KM_PERMIT_AGAIN : KM_PERMIT_MORE);
        answer_next(i == 1 ? REFUSED : GRANTED);
        turn();
        if (i >= ends)
            break;
        assert_int_equal(o.told, i == 2 ? 4 : i + 1); /* the last needs no more than it has */
    }
    if (ends >= 3) {
        assert_int_equal(o.why[1], KM_E_BUDGET);
        finish(true);
    }
    assert_int_equal(o.told, ends >= 3 ? 4 : ends);
    assert_int_equal(o.given_back, ends == 0 || ends == 2);
    check_exact(false);
    unmake_both();
}

static void several_are_asked_one_after_the_other(void **state)
{
    (void)state;
    for (unsigned ends = 0; ends < 4; ends++)
        several(ends);
}

/* --- a stream that is topped up --- */

static int64_t written; /* tokens */

static void say_written(struct km_call *call, struct km_usage *u)
{
    (void)call;
    u->completion_tokens = written;
}

/* While nobody has said yet whether there is more, an upstream writes what is reserved and no more;
 * where a slice is not there, half of it may be. */
static void a_stream_waits_for_what_is_asked_over_there(void **state)
{
    struct km_call_kind streams = fake_kind;
    struct km_deployment d = { .price = KM_PRICE_NONE };
    struct km_attempt_money *m;

    (void)state;
    send_one(false);
    streams.usage = say_written;
    f.call->kind = &streams;
    f.call->at->d = &d;
    f.call->at->relaying = f.call->slices = f.call->unbound = true;
    f.call->worst = (struct km_price_worst){ 0, 1000, 0 }; /* a token is a nano-USD */
    m = &f.call->at->money;
    m->reserved = HALF;
    m->reserved_output = KM_CALL_SLICE;
    m->tell_ms = UINT64_MAX;
    for (written = KM_CALL_SLICE / 2; written <= KM_CALL_SLICE; written += KM_CALL_SLICE / 2) {
        m->look_at = 0;
        assert_true(km_call_heard(f.call, 1));
        assert_int_equal(o.nasked, 1);
        assert_int_equal(m->starved, written == KM_CALL_SLICE);
    }
    written = KM_CALL_SLICE;
    answer_next(REFUSED);
    assert_int_equal(o.nasked, 1);
    assert_int_equal(o.asked[0]->admission.reserve, KM_CALL_SLICE / 2);
    assert_true(m->starved);
    answer_next(GRANTED);
    assert_false(m->starved);
    assert_int_equal(m->reserved_output, KM_CALL_SLICE / 2 * 3);
    assert_int_equal(f.call->reserve, HALF + KM_CALL_SLICE / 2);
    f.call->kind = &fake_kind;
    f.call->at->d = NULL;
    km_call_cancel(f.call, "It is not wanted any more.");
    check_exact(false);
    unmake_both();
}

static void life(void)
{
    struct km_err err;
    int r;

    if (make_both()) {
        f.place = AT_SEND;
        f.event = WAITS;
        f.w.frozen = true;
        f.call = km_call_new(&f.w, &fake_kind, ARENA_BYTES);
        if (f.call) {
            km_call_take_port(f.call, &f.visit, &f.port);
            km_call_start(f.call);
        }
        if (o.nasked)
            answer_next(GRANTED);
        if (f.waiting) {
            r = km_broker_top_up(f.call, MORE, on_answer, f.call, &err);
            assert_true(r == KM_E_AGAIN || r == KM_E_NOMEM);
            r = km_broker_again(f.call, on_answer, f.call, &err);
            assert_true(r == KM_E_AGAIN || r == KM_E_NOMEM);
            km_call_cancel(f.call, "It is not wanted any more.");
        }
        while (o.nasked)
            answer_next(GRANTED);
        check_exact(false);
    }
    unmake_both();
}

static void every_allocation_fails_once(void **state)
{
    (void)state;
    assert_true(km_torture(life) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(admission_waits_for_its_answer),
        cmocka_unit_test(what_has_no_record_is_given_back_by_itself),
        cmocka_unit_test(a_hand_over_that_began_anew_is_asked_anew),
        cmocka_unit_test(a_top_up_and_whatever_comes_between),
        cmocka_unit_test(what_was_not_handed_over_is_topped_up_here),
        cmocka_unit_test(less_is_given_back_with_the_record),
        cmocka_unit_test(several_are_asked_one_after_the_other),
        cmocka_unit_test(a_stream_waits_for_what_is_asked_over_there),
        cmocka_unit_test(every_allocation_fails_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
