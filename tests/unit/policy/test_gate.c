/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>

#include "base/prng.h"
#include "policy/gate.h"

#define THREADS 4
#define EACH 20000
#define LIMIT 3

static int woken;

static void count(struct km_gate_item *it)
{
    (void)it;
    woken++;
}

static const struct km_gate_rules two = { .limit = 2, .most_waiting = 3, .wait_ms = 10000,
                                          .paces = true };
static const struct km_gate_rules free_way = { .most_waiting = 3, .wait_ms = 10000,
                                               .paces = true };

static struct km_gate_item item(const struct km_gate_rules *r, enum km_priority p)
{
    return (struct km_gate_item){ .item = { .priority = p }, .rules = r, .wake = count };
}

static int enter(struct km_gate *g, struct km_gate_item *it, uint64_t now_ms)
{
    struct km_err err = { 0 };

    return km_gate_enter(g, it, now_ms, &err);
}

static struct km_gates *gates;

static int set_up(void **state)
{
    (void)state;
    woken = 0;
    gates = km_gates_new();
    return gates ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    gates = km_gates_free(gates);
    return 0;
}

static void a_name_has_one_gate(void **state)
{
    (void)state;
    assert_ptr_equal(km_gates_of(gates, KM_STR("a")), km_gates_of(gates, KM_STR("a")));
    assert_ptr_not_equal(km_gates_of(gates, KM_STR("a")), km_gates_of(gates, KM_STR("b")));
}

static void the_best_gets_the_place_that_is_given_back(void **state)
{
    struct km_gate *g = km_gates_of(gates, KM_STR("a"));
    struct km_gate_item v[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        v[i] = item(&two, i == 3 ? KM_PRIORITY_HIGH : KM_PRIORITY_LOW);
    assert_int_equal(enter(g, &v[0], 0), 0);
    assert_int_equal(enter(g, &v[1], 0), 0);
    assert_int_equal(enter(g, &v[2], 0), KM_E_AGAIN);
    assert_int_equal(enter(g, &v[3], 0), KM_E_AGAIN);
    assert_int_equal(woken, 0);
    km_gate_give(g, 0, 10);
    assert_int_equal(woken, 1);
    assert_int_equal(v[3].outcome, KM_GATE_HAS_PLACE);
    assert_int_equal(v[2].outcome, KM_GATE_WAITS);
    km_gate_give(g, 0, 20);
    assert_int_equal(v[2].outcome, KM_GATE_HAS_PLACE);
}

static void a_full_line_sheds_the_lowest_and_never_a_critical_call_for_a_low_one(void **state)
{
    struct km_gate *g = km_gates_of(gates, KM_STR("a"));
    struct km_gate_facts facts;
    struct km_gate_item v[7];
    struct km_err err = { 0 };

    (void)state;
    for (int i = 0; i < 7; i++)
        v[i] = item(&two, i < 4 ? KM_PRIORITY_LOW : KM_PRIORITY_CRITICAL);
    for (int i = 0; i < 5; i++)
        (void)enter(g, &v[i], 0);
    assert_int_equal(enter(g, &v[5], 0), KM_E_AGAIN);
    assert_int_equal(v[3].outcome, KM_GATE_SHED);
    assert_in_range(v[3].retry_ms, 1000, 60000);
    assert_int_equal(enter(g, &v[6], 0), KM_E_AGAIN);
    assert_int_equal(v[2].outcome, KM_GATE_SHED);
    v[2] = item(&two, KM_PRIORITY_LOW);
    assert_int_equal(km_gate_enter(g, &v[2], 0, &err), KM_E_RATE_LIMITED);
    assert_in_range(err.retry_after_ms, 1000, 60000);
    v[3] = item(&two, KM_PRIORITY_CRITICAL); /* of its own class none goes for it */
    assert_int_equal(enter(g, &v[3], 0), KM_E_RATE_LIMITED);
    km_gate_look(g, 0, &facts);
    assert_int_equal(facts.running, 2);
    assert_int_equal(facts.waiting[KM_PRIORITY_CRITICAL], 3);
    assert_int_equal(facts.shed[KM_PRIORITY_LOW], 3);
}

static void who_withdraws_is_not_woken_and_who_was_woken_has_a_place(void **state)
{
    struct km_gate *g = km_gates_of(gates, KM_STR("a"));
    struct km_gate_item v[4];
    struct km_gate_facts facts;

    (void)state;
    for (int i = 0; i < 4; i++) {
        v[i] = item(&two, KM_PRIORITY_MEDIUM);
        (void)enter(g, &v[i], 0);
    }
    assert_true(km_gate_withdraw(g, &v[2], 5));
    km_gate_give(g, 0, 10);
    assert_int_equal(v[3].outcome, KM_GATE_HAS_PLACE);
    assert_false(km_gate_withdraw(g, &v[3], 11));
    km_gate_give(g, 0, 12);
    km_gate_give(g, 0, 12);
    km_gate_look(g, 12, &facts);
    assert_int_equal(facts.running, 0);
}

static const struct km_shares shares = { .v = { { { "prod", 4 }, 700 } },
                                         .n = 1,
                                         .default_milli = 200,
                                         .threshold_milli = 500 };
static const struct km_gate_rules ten = { .limit = 10, .most_waiting = 100, .wait_ms = 10000,
                                          .shares = &shares };

static void beyond_the_threshold_everybody_has_his_share(void **state)
{
    struct km_gate *g = km_gates_of(gates, KM_STR("a"));
    struct km_gate_item others[8], prod[8];
    int in = 0;

    (void)state;
    for (int i = 0; i < 8; i++) {
        others[i] = item(&ten, KM_PRIORITY_HIGH);
        others[i].item.share = 1;
        in += enter(g, &others[i], 0) == 0;
    }
    assert_int_equal(in, 5); /* up to the threshold: whoever comes */
    for (int i = 0; i < 8; i++) {
        prod[i] = item(&ten, KM_PRIORITY_LOW);
        in += enter(g, &prod[i], 0) == 0;
    }
    assert_int_equal(in, 10); /* the rest is kept for prod, though of a lower class */
    km_gate_give(g, 1, 10);
    assert_int_equal(prod[5].outcome, KM_GATE_HAS_PLACE);
}

static void a_429_holds_up_what_has_no_limit_and_time_lets_it_go(void **state)
{
    struct km_gate *g = km_gates_of(gates, KM_STR("a"));
    const struct km_quota_mark nobody = { .counted = false };
    struct km_gate_item it = item(&free_way, KM_PRIORITY_MEDIUM);
    struct km_err err = { 0 };

    (void)state;
    assert_true(km_gate_is_open(g, &free_way));
    km_gate_refused(g, 3000, &nobody, 1000);
    assert_false(km_gate_is_open(g, &free_way));
    assert_true(km_gate_is_full(g, &free_way, 1000));
    assert_int_equal(enter(g, &it, 1000), KM_E_AGAIN);
    assert_int_equal(km_gate_poll(g, 2000), 4000);
    assert_int_equal(km_gate_poll(g, 4000), 0);
    assert_int_equal(it.outcome, KM_GATE_HAS_PLACE);
    assert_int_equal(woken, 1);
    km_gate_give(g, 0, 4100);
    km_gate_refused(g, 20000, &nobody, 5000); /* longer than anybody may wait: no use */
    it = item(&free_way, KM_PRIORITY_MEDIUM);
    assert_int_equal(km_gate_enter(g, &it, 5000, &err), KM_E_RATE_LIMITED);
    assert_int_equal(err.retry_after_ms, 20000);
}

static void an_answer_that_tells_of_room_lets_the_next_one_in(void **state)
{
    struct km_gate *g = km_gates_of(gates, KM_STR("a"));
    const struct km_quota_mark nobody = { .counted = false };
    struct km_quota_said said = { .limit = { 100, -1 },
                                  .left = { 1, -1 },
                                  .reset_ms = { 60000, -1 } };
    struct km_gate_item v[2] = { item(&free_way, KM_PRIORITY_LOW),
                                 item(&free_way, KM_PRIORITY_LOW) };

    (void)state;
    km_gate_learn(g, &said, &nobody, 0);
    assert_int_equal(enter(g, &v[0], 0), 0);
    assert_int_equal(enter(g, &v[1], 0), KM_E_AGAIN);
    said.left[0] = 50;
    km_gate_learn(g, &said, &v[0].mark, 100);
    assert_int_equal(v[1].outcome, KM_GATE_HAS_PLACE);
}

static void what_a_call_would_wait_is_known(void **state)
{
    struct km_gate *g = km_gates_of(gates, KM_STR("a"));
    struct km_gate_item v[5];
    size_t ahead;

    (void)state;
    assert_int_equal(km_gate_forecast(g, &two, KM_PRIORITY_LOW, 0, &ahead), 0);
    for (int i = 0; i < 5; i++) {
        v[i] = item(&two, KM_PRIORITY_MEDIUM);
        (void)enter(g, &v[i], 0);
    }
    km_gate_give(g, 0, 1000);
    km_gate_give(g, 0, 1400);
    assert_int_equal(km_gate_forecast(g, &two, KM_PRIORITY_MEDIUM, 1400, &ahead), 800);
    assert_int_equal(ahead, 1);
    assert_int_equal(km_gate_forecast(g, &two, KM_PRIORITY_HIGH, 1400, &ahead), 400);
    assert_int_equal(ahead, 0);
}

/* --- many threads: no place is lost, none is given twice, nobody is forgotten --- */

enum { OVER, IN_LINE, TOLD };

struct caller {
    pthread_mutex_t lock; /* of the states */
    pthread_cond_t told;
    struct waiter {
        struct km_gate_item it;
        struct caller *of;
        int state;
    } v[3];
};

static struct {
    struct km_gate *gate;
    _Atomic int inside, served, shed, withdrawn;
} many;

static void tell(struct km_gate_item *it)
{
    struct waiter *w = KM_CONTAINER(it, struct waiter, it);
    struct caller *c = w->of;

    pthread_mutex_lock(&c->lock);
    w->state = TOLD;
    pthread_cond_signal(&c->told);
    pthread_mutex_unlock(&c->lock);
}

static void use_place(struct waiter *w)
{
    w->state = OVER;
    if (w->it.outcome == KM_GATE_SHED) {
        many.shed++;
        return;
    }
    if (++many.inside > LIMIT)
        abort();
    many.served++;
    many.inside--;
    km_gate_give(many.gate, 0, 0);
}

static void begin(struct waiter *w, struct caller *c, enum km_priority p)
{
    static const struct km_gate_rules rules = { .limit = LIMIT,
                                                .most_waiting = 4,
                                                .wait_ms = 1000 };
    int r;

    *w = (struct waiter){ .of = c, .state = IN_LINE };
    w->it = (struct km_gate_item){ .item = { .priority = p }, .rules = &rules, .wake = tell };
    r = enter(many.gate, &w->it, 0);
    if (r == KM_E_AGAIN)
        return;
    if (r < 0)
        w->it.outcome = KM_GATE_SHED;
    use_place(w);
}

static bool in_line(struct waiter *w)
{
    bool is;

    pthread_mutex_lock(&w->of->lock);
    is = w->state != OVER; /* it may be told just now: the gate knows */
    pthread_mutex_unlock(&w->of->lock);
    return is;
}

/* The one that was told, or NULL: all are over. */
static struct waiter *next_told(struct caller *c)
{
    struct waiter *w = NULL;
    int open;

    pthread_mutex_lock(&c->lock);
    do {
        open = 0;
        for (int i = 0; i < 3; i++) {
            open += c->v[i].state != OVER;
            w = c->v[i].state == TOLD ? &c->v[i] : w;
        }
        if (open && !w)
            pthread_cond_wait(&c->told, &c->lock);
    } while (open && !w);
    pthread_mutex_unlock(&c->lock);
    return w;
}

static void *call_many(void *arg)
{
    struct caller c = { .lock = PTHREAD_MUTEX_INITIALIZER, .told = PTHREAD_COND_INITIALIZER };
    uint64_t rng = (uint64_t)(uintptr_t)arg;
    struct waiter *w;

    for (int i = 0; i < EACH; i++) {
        const uint64_t r = km_prng_next(&rng);

        for (unsigned k = 0; k < 3; k++)
            begin(&c.v[k], &c, KM_PRIORITY_LOW + (r >> (k * 2) & 3));
        w = &c.v[r >> 20 & 1];
        if (in_line(w) && km_gate_withdraw(many.gate, &w->it, 0)) {
            w->state = OVER;
            many.withdrawn++;
        }
        while ((w = next_told(&c)))
            use_place(w);
    }
    return NULL;
}

static void many_threads_lose_no_place(void **state)
{
    pthread_t threads[THREADS];
    struct km_gate_facts facts;

    (void)state;
    many.gate = km_gates_of(gates, KM_STR("many"));
    many.served = many.shed = many.withdrawn = many.inside = 0;
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_many, (void *)(i + 1)), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    km_gate_look(many.gate, 0, &facts);
    assert_int_equal(facts.running, 0);
    assert_int_equal(many.served + many.shed + many.withdrawn, THREADS * EACH * 3);
    for (unsigned p = 0; p < KM_PRIORITIES; p++)
        assert_int_equal(facts.waiting[p], 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_name_has_one_gate),
        TEST(the_best_gets_the_place_that_is_given_back),
        TEST(a_full_line_sheds_the_lowest_and_never_a_critical_call_for_a_low_one),
        TEST(who_withdraws_is_not_woken_and_who_was_woken_has_a_place),
        TEST(beyond_the_threshold_everybody_has_his_share),
        TEST(a_429_holds_up_what_has_no_limit_and_time_lets_it_go),
        TEST(an_answer_that_tells_of_room_lets_the_next_one_in),
        TEST(what_a_call_would_wait_is_known),
        TEST(many_threads_lose_no_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
