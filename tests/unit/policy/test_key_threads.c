/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "policy/key.h"

/* Eight threads call with one key of 1 USD at once, each call holding up to 3 cents and costing
 * anything up to that, while another thread renames the key and a third looks on.  At no moment
 * may what is spent and what is reserved pass 1 USD together, and at the end what was spent is
 * exactly the sum of what the calls cost. */

#define USD 1000000000LL
#define THREADS 8
#define CALLS 4000

struct shared {
    struct km_keys *keys;
    struct km_key_row row;
    _Atomic int64_t cost;
    _Atomic int admitted, refused, running;
    _Atomic bool stop;
};

struct caller {
    struct shared *shared;
    uint64_t rng;
    pthread_t thread;
};

static uint64_t next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

static void *call_many(void *arg)
{
    struct caller *c = arg;
    struct shared *s = c->shared;

    for (int i = 0; i < CALLS; i++) {
        struct km_key *k = km_keys_find(s->keys, s->row.hash);
        struct km_admission a = { .reserve = (int64_t)(next(&c->rng) % (3 * USD / 100)) + 1,
                                  .now_ms = 1000,
                                  .now_us = 1 };
        struct km_permit permit = { 0 };
        /* Small at first, so that many calls fit and the end is reached late. */
        int64_t cost = (int64_t)(next(&c->rng) % (uint64_t)(a.reserve / 64 + 1));

        if (km_permit_take(k, &a, &permit, NULL, NULL, NULL) == 0) {
            atomic_fetch_add(&s->admitted, 1);
            atomic_fetch_add(&s->cost, cost);
            km_permit_settle(&permit, cost, 1, 1000);
        } else {
            atomic_fetch_add(&s->refused, 1);
        }
        km_key_unref(k);
    }
    return NULL;
}

static void *rename_often(void *arg)
{
    struct shared *s = arg;
    struct km_key_row row = s->row;

    while (!atomic_load(&s->stop)) {
        row.alias = row.alias.n == 1 ? KM_STR("bb") : KM_STR("a");
        if (km_keys_put(s->keys, &row, NULL) < 0)
            return s;
    }
    return NULL;
}

static void *look_on(void *arg)
{
    struct shared *s = arg;

    while (!atomic_load(&s->stop)) {
        struct km_key *k = km_keys_find(s->keys, s->row.hash);
        /* Read spent first: what moves from reserved to spent between the two is then counted
         * in neither or once, never twice. */
        int64_t spent = km_key_spend(k), reserved = km_key_reserved(k);

        km_key_unref(k);
        if (spent > USD || reserved > USD || spent < 0 || reserved < 0)
            return s;
    }
    return NULL;
}

static void a_dollar_is_never_spent_twice(void **state)
{
    struct shared s = { .keys = km_keys_new(10) };
    struct caller callers[THREADS];
    pthread_t renamer, onlooker;
    void *broken = NULL;
    struct km_key *k;

    (void)state;
    s.row = (struct km_key_row){ .max_budget = USD, .rpm = -1, .tpm = -1, .max_parallel = -1 };
    assert_int_equal(km_keys_put(s.keys, &s.row, NULL), 0);
    assert_int_equal(pthread_create(&renamer, NULL, rename_often, &s), 0);
    assert_int_equal(pthread_create(&onlooker, NULL, look_on, &s), 0);
    for (int i = 0; i < THREADS; i++) {
        callers[i] = (struct caller){ .shared = &s, .rng = (uint64_t)i + 1 };
        assert_int_equal(pthread_create(&callers[i].thread, NULL, call_many, &callers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(callers[i].thread, NULL);
    atomic_store(&s.stop, true);
    pthread_join(renamer, &broken);
    assert_null(broken);
    pthread_join(onlooker, &broken);
    assert_null(broken);
    k = km_keys_find(s.keys, s.row.hash);
    assert_int_equal(km_key_reserved(k), 0);
    assert_int_equal(km_key_spend(k), atomic_load(&s.cost));
    assert_in_range(km_key_spend(k), 1, USD);
    assert_int_equal(atomic_load(&s.admitted) + atomic_load(&s.refused), THREADS * CALLS);
    assert_true(atomic_load(&s.refused) > 0);
    km_key_unref(k);
    km_keys_free(s.keys);
}

static void *run_one_at_a_time(void *arg)
{
    struct caller *c = arg;
    struct shared *s = c->shared;

    for (int i = 0; i < CALLS; i++) {
        struct km_key *k = km_keys_find(s->keys, s->row.hash);
        const struct km_admission a = { .now_ms = 1000, .now_us = 1 };
        struct km_permit permit = { 0 };

        if (km_permit_take(k, &a, &permit, NULL, NULL, NULL) == 0) {
            if (atomic_fetch_add(&s->running, 1) >= 3)
                atomic_store(&s->stop, true);
            atomic_fetch_sub(&s->running, 1);
            km_permit_settle(&permit, 0, 0, 1000);
        }
        km_key_unref(k);
    }
    return NULL;
}

static void no_more_calls_run_at_once_than_allowed(void **state)
{
    struct shared s = { .keys = km_keys_new(10) };
    struct caller callers[THREADS];

    (void)state;
    s.row = (struct km_key_row){ .max_budget = -1, .rpm = -1, .tpm = -1, .max_parallel = 3 };
    assert_int_equal(km_keys_put(s.keys, &s.row, NULL), 0);
    for (int i = 0; i < THREADS; i++) {
        callers[i] = (struct caller){ .shared = &s };
        assert_int_equal(pthread_create(&callers[i].thread, NULL, run_one_at_a_time, &callers[i]),
                         0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(callers[i].thread, NULL);
    assert_false(atomic_load(&s.stop));
    km_keys_free(s.keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dollar_is_never_spent_twice),
        cmocka_unit_test(no_more_calls_run_at_once_than_allowed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
