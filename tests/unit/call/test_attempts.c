/* SPDX-License-Identifier: Apache-2.0 */
/* test_attempts.c - several attempts of a call at a time, in the world of fake_call.h.
 *
 * Every order in which upstreams can answer, refuse, break and end, in which a further attempt can
 * be made beside, and in which the call can be struck from outside, is played to its end.  Whatever
 * came: one settlement, one end for the client, one answer at most and whole, no request left with
 * an upstream, nothing left of the key's reservation, and every upstream that got the request and
 * was overtaken is paid for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake_models.h"
#include "host/handover/handover.h"
#include "torture.h"

/* --- every order --- */

enum move {
    HEAD, /* of the request that is named: a good one */
    REFUSAL, /* its upstream says that it is overloaded */
    BREAK,
    END, /* of what it began to say */
    BESIDE, /* one more attempt */
    BESIDE_THAT_WAITS,
    GO_ON, /* what waits */
    PAUSE_OVER, /* the wait before the same deployment is asked again */
    STRIKES, /* from here on: from outside */
    CANCEL = STRIKES,
    DEADLINE,
    GONE,
    REVOKE,
    MOVES,
};

static const char *const move_names[MOVES] = { "head",   "refusal",  "break",
                                               "end",    "beside",   "beside that waits",
                                               "go on",  "pause over", "cancel",
                                               "deadline", "gone", "revoke" };

#define LONGEST 6

struct play {
    enum move what[LONGEST];
    unsigned who[LONGEST];
    unsigned n;
};

static bool of_a_request(enum move m)
{
    return m <= END;
}

static bool may_move(enum move m, unsigned i)
{
    if (is_over())
        return false;
    if (of_a_request(m) && (i >= nhttp || !http[i].live))
        return false;
    if (m == HEAD || m == REFUSAL)
        return !http[i].headed;
    if (m == END)
        return http[i].headed;
    if (m == BESIDE || m == BESIDE_THAT_WAITS)
        return nhttp < DEPLOYMENTS;
    if (m == PAUSE_OVER)
        return f.call->pause != NULL;
    return m != GO_ON || t.waiting;
}

static void move(enum move m, unsigned i)
{
    struct km_err err = { 0 };

    switch (m) {
    case HEAD:
        http_head(i, 200);
        break;
    case REFUSAL:
        http_head(i, 503);
        break;
    case BREAK:
        t.left_behind += http[i].status != 503; /* that one refused it */
        http_break(i, KM_E_UPSTREAM_CONNECT);
        break;
    case END:
        http_body(i, "an answer");
        http_end(i);
        break;
    case BESIDE:
    case BESIDE_THAT_WAITS:
        t.waits = m == BESIDE_THAT_WAITS;
        (void)!km_attempt_beside(f.call, &err);
        t.waits = false;
        break;
    case GO_ON:
        t.waiting = false;
        km_call_resume(f.call, 0);
        break;
    case PAUSE_OVER:
        km_timer_stop(f.call->pause);
        f.call->pause->fn(f.call->pause->ctx);
        break;
    case CANCEL:
        km_call_cancel(f.call, "It is not wanted any more.");
        break;
    case DEADLINE:
        km_timer_stop(&f.call->deadline);
        f.call->deadline.fn(f.call->deadline.ctx);
        break;
    case GONE:
        f.port.events->on_gone(f.port.ctx);
        break;
    default:
        km_fail(&err, KM_E_UNAUTHENTICATED, "The key was revoked.");
        km_call_revoke(f.call, &err);
        break;
    }
}

static const char *told(const struct play *p)
{
    static char text[256];
    size_t n = 0;

    text[0] = 0;
    for (unsigned i = 0; i < p->n; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s %u", i ? ", " : "",
                              move_names[p->what[i]], p->who[i]);
    return text;
}

static size_t deployments = DEPLOYMENTS; /* of the group */

/* Plays it in a new world. */
static void play(const struct play *p)
{
    assert_true(begin_world());
    t.deployments = deployments;
    f.call = begin_call(&f.port);
    for (unsigned i = 0; i < p->n; i++)
        move(p->what[i], p->who[i]);
}

static int64_t paid_for(unsigned lost)
{
    return (t.served ? INPUT + OUTPUT : 0) + (int64_t)lost * INPUT;
}

/* Requests whose upstreams had said no word when another's had, and those that broke. */
static unsigned overtaken(void)
{
    unsigned n = t.left_behind;

    for (unsigned i = 0; i < nhttp; i++)
        n += http[i].cancelled && !http[i].headed;
    return n;
}

static void check_over(const struct play *p)
{
    if (http_live() || t.waiting)
        fail_msg("%s: %u requests are left", told(p), http_live());
    if (f.settlements != 1 || f.intents != 1)
        fail_msg("%s: %u settlements", told(p), f.settlements);
    if (f.responds + f.ends + f.aborts != 1)
        fail_msg("%s: %u responses, %u ends, %u aborts", told(p), f.responds, f.ends, f.aborts);
    if (t.served > 1 || (t.served && f.nsaid != strlen("an answer")))
        fail_msg("%s: %u answers, the client has '%s'", told(p), t.served, f.said);
    if (km_key_reserved(f.key) || f.gw.bodies.used)
        fail_msg("%s: something is left", told(p));
    if (t.served && f.last.cost != paid_for(overtaken()))
        fail_msg("%s: it cost %lld, %u were overtaken", told(p), (long long)f.last.cost,
                 overtaken());
    if (f.last.cost > f.last.reserved || f.last.cost != km_key_spend(f.key))
        fail_msg("%s: it cost %lld of %lld", told(p), (long long)f.last.cost,
                 (long long)f.last.reserved);
}

/* However far it was played, it can be brought to its end by its upstreams alone. */
static void finish(const struct play *p)
{
    for (unsigned turns = 0; !is_over(); turns++) {
        unsigned i = 0;

        if (turns > 20)
            fail_msg("%s: it does not end", told(p));
        if (t.waiting || f.call->pause) {
            move(t.waiting ? GO_ON : PAUSE_OVER, 0);
            continue;
        }
        while (i < nhttp && !http[i].live)
            i++;
        if (i == nhttp)
            fail_msg("%s: it waits for nothing", told(p));
        move(http[i].headed ? END : HEAD, i);
    }
    check_over(p);
}

static unsigned played;

static void every_order_from(struct play *p);

/* The play with one move more, if it can be made, and all that go on from there. */
static void play_on(struct play *p, enum move m, unsigned i)
{
    bool goes_on;

    play(p);
    if (!may_move(m, i)) {
        finish(p);
        unmake_world();
        return;
    }
    p->what[p->n] = m;
    p->who[p->n++] = i;
    move(m, i);
    goes_on = !is_over() && p->n < LONGEST;
    finish(p);
    unmake_world();
    played++;
    if (goes_on)
        every_order_from(p);
    p->n--;
}

static void every_order_from(struct play *p)
{
    for (enum move m = 0; m < MOVES; m++)
        for (unsigned i = 0; i < (of_a_request(m) ? DEPLOYMENTS : 1); i++)
            play_on(p, m, i);
}

static void every_order(void **state)
{
    struct play p = { .n = 0 };

    (void)state;
    every_order_from(&p);
    assert_true(played > 1000);
}

/* The same where a retry has to wait, for there is no other deployment, or one. */
static void every_order_with_fewer_deployments(void **state)
{
    (void)state;
    for (deployments = 1; deployments < DEPLOYMENTS; deployments++) {
        struct play p = { .n = 0 };

        played = 0;
        every_order_from(&p);
        assert_true(played > 500);
    }
    deployments = DEPLOYMENTS;
}

/* --- what each of them may not do --- */

static void no_more_than_the_key_has(void **state)
{
    struct km_err err = { 0 };

    (void)state;
    assert_true(begin_world());
    f.call = begin_call(&f.port);
    km_permit_charge(&(struct km_permit){ .key = f.key }, BUDGET - EACH, 0, 0);
    assert_int_equal(km_attempt_beside(f.call, &err), KM_E_BUDGET);
    assert_int_equal(nhttp, 1);
    assert_int_equal(km_key_reserved(f.key), EACH);
    http_head(0, 200);
    assert_int_equal(km_attempt_beside(f.call, &err), KM_E_CLOSED); /* too late */
    http_body(0, "an answer");
    http_end(0);
    assert_true(is_over());
    assert_int_equal(f.last.cost, INPUT + OUTPUT);
    unmake_world();
}

/* Nobody else is there: nothing is reserved for an attempt that cannot be. */
static void none_without_another_deployment(void **state)
{
    struct km_err err = { 0 };

    (void)state;
    assert_true(begin_world());
    t.deployments = 1;
    f.call = begin_call(&f.port);
    assert_int_equal(km_attempt_beside(f.call, &err), KM_E_CLOSED);
    assert_int_equal(km_key_reserved(f.key), EACH);
    http_head(0, 200);
    http_body(0, "an answer");
    http_end(0);
    assert_true(is_over());
    unmake_world();
}

/* What is estimated is bounded by what one attempt was to cost, whoever asks. */
static void an_estimate_is_not_cut_by_a_second_attempt(void **state)
{
    struct km_err err = { 0 };

    (void)state;
    assert_true(begin_world());
    f.visit.who.key = NULL;
    t.each = INPUT + 10;
    f.call = begin_call(&f.port);
    assert_int_equal(km_attempt_beside(f.call, &err), 0);
    assert_int_equal(nhttp, 2);
    http_head(1, 200);
    http_break(1, KM_E_UPSTREAM_CONNECT); /* and once more, at the one that was overtaken */
    assert_int_equal(nhttp, 3);
    http_head(2, 200);
    http_body(2, "an answer");
    http_end(2);
    assert_true(is_over());
    assert_int_equal(f.last.cost, 3 * INPUT + OUTPUT);
    f.visit.who.key = f.key;
    unmake_world();
}

/* How one is that was overtaken nobody knows: a probe of it is given to the next. */
static void an_overtaken_probe_closes_no_breaker(void **state)
{
    const struct km_breaker_settings soon = { .failures = 1, .open_ms = 1 };
    struct km_err err = { 0 };
    uint64_t now;

    (void)state;
    assert_true(begin_world());
    now = km_loop_now_ms(f.loop);
    km_breaker_report(&t.d[0].breaker, &soon, false, now - 10);
    assert_int_equal(km_breaker_state(&t.d[0].breaker, now), KM_BREAKER_HALF_OPEN);
    f.call = begin_call(&f.port);
    assert_ptr_equal(f.call->at->d, &t.d[0]);
    assert_int_equal(km_attempt_beside(f.call, &err), 0);
    http_head(1, 200);
    http_body(1, "an answer");
    http_end(1);
    assert_true(is_over());
    assert_int_equal(km_breaker_state(&t.d[0].breaker, now), KM_BREAKER_HALF_OPEN);
    assert_true(km_breaker_allow(&t.d[0].breaker, &soon, now));
    unmake_world();
}

/* --- while another process holds the counters --- */

static struct {
    struct km_ask *asked;
    unsigned given_back;
} o;

void __wrap_km_handover_ask(struct km_handover *h, struct km_ask *ask);
void __wrap_km_handover_give_back(struct km_handover *h, const uint8_t hash[32],
                                  struct km_str payers, const struct km_admission *granted);

void __wrap_km_handover_ask(struct km_handover *h, struct km_ask *ask)
{
    (void)h;
    assert_null(o.asked);
    o.asked = ask;
}

void __wrap_km_handover_give_back(struct km_handover *h, const uint8_t hash[32],
                                  struct km_str payers, const struct km_admission *granted)
{
    (void)payers;
    (void)h;
    (void)hash;
    assert_int_equal(granted->reserve, EACH);
    o.given_back++;
}

static void answer(bool granted)
{
    struct km_ask *ask = o.asked;

    o.asked = NULL;
    if (!granted)
        km_fail(&ask->err, KM_E_BUDGET, "There is no more.");
    ask->done(ask);
}

/* The answer comes later, or when it is not needed any more. */
static void a_reservation_may_be_topped_up_later(void **state)
{
    enum { GRANTED, REFUSED, HEADED, OVER, CASES };
    struct km_err err = { 0 };

    (void)state;
    for (unsigned c = 0; c < CASES; c++) {
        assert_true(begin_world());
        memset(&o, 0, sizeof o);
        f.call = begin_call(&f.port);
        f.w.frozen = true;
        assert_int_equal(km_attempt_beside(f.call, &err), 0);
        assert_non_null(o.asked);
        assert_int_equal(nhttp, 1);
        assert_int_equal(km_attempt_beside(f.call, &err), KM_E_CLOSED); /* one at a time */
        if (c == OVER)
            km_call_cancel(f.call, "It is not wanted any more.");
        if (c == HEADED)
            http_head(0, 200);
        answer(c != REFUSED);
        assert_int_equal(nhttp, c == GRANTED ? 2 : 1);
        assert_int_equal(o.given_back, c == OVER);
        if (c == GRANTED)
            http_head(1, 200);
        else if (c == REFUSED)
            http_head(0, 200);
        if (c != OVER) {
            http_body(c == GRANTED, "an answer");
            http_end(c == GRANTED);
            assert_int_equal(f.last.reserved, c == REFUSED ? EACH : 2 * EACH);
        }
        assert_true(is_over());
        assert_int_equal(http_live(), 0);
        f.w.frozen = false;
        unmake_world();
    }
}

/* --- allocations --- */

static void life(void)
{
    struct km_err err = { 0 };

    if (begin_world() && (f.call = begin_call(&f.port)) != NULL && !is_over() &&
        km_attempt_beside(f.call, &err) == 0 && !is_over()) {
        unsigned i = nhttp - 1;

        if (http[i].live)
            http_head(i, 200);
        if (http[i].live)
            http_body(i, "an answer");
        if (http[i].live)
            http_end(i);
    }
    if (!is_over())
        km_call_cancel(f.call, "It is not wanted any more.");
    assert_int_equal(http_live(), 0);
    assert_true(!f.loop || is_over());
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
        cmocka_unit_test(every_order),
        cmocka_unit_test(every_order_with_fewer_deployments),
        cmocka_unit_test(no_more_than_the_key_has),
        cmocka_unit_test(none_without_another_deployment),
        cmocka_unit_test(an_estimate_is_not_cut_by_a_second_attempt),
        cmocka_unit_test(an_overtaken_probe_closes_no_breaker),
        cmocka_unit_test(a_reservation_may_be_topped_up_later),
        cmocka_unit_test(every_allocation_fails_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
