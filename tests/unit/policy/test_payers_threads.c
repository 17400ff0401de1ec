/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "policy/payers.h"

/* Eight threads call with random keys, end users and tags, so that each call is of another set of
 * accounts; each takes, tops up, gives back at random, while another thread changes rows.  A model
 * beside it adds up what each account's calls cost: at no moment may what is spent and reserved of
 * any account pass its budget, and at the end nothing is reserved or runs, and what is spent is the
 * model's sum to the nano-dollar. */

#define USD INT64_C(1000000000)
#define THREADS 8
#define CALLS 3000
#define EACH 3 /* teams, users, end users, tags */
#define KINDS 5
#define NOW INT64_C(1700000000000000)

static const enum km_account_kind kinds[KINDS] = { KM_ACCOUNT_TEAM, KM_ACCOUNT_MEMBER,
                                                   KM_ACCOUNT_USER, KM_ACCOUNT_END_USER,
                                                   KM_ACCOUNT_TAG };
static const char *const names[EACH] = { "a", "b", "c" };

struct shared {
    struct km_accounts *accounts;
    struct km_keys *keys;
    _Atomic int64_t cost[KINDS][EACH][EACH]; /* of members by team */
    _Atomic int64_t key_cost[EACH * EACH];
    _Atomic int admitted, refused;
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

/* So that each kind is now and then the one that refuses, when others before it have said yes. */
static int64_t max_of(size_t kind, size_t i, size_t j)
{
    return kinds[kind] == KM_ACCOUNT_MEMBER ? USD / 5 + (int64_t)(i + j) * USD / 10
                                            : USD - (int64_t)kind * USD / 10 + (int64_t)i * USD / 7;
}

static struct km_account_row row_of(size_t kind, size_t i, size_t j)
{
    struct km_account_row row =
        km_account_row_none(kinds[kind], km_str_c(names[i]),
                            kinds[kind] == KM_ACCOUNT_MEMBER ? km_str_c(names[j]) : KM_STR_NONE);

    row.max_budget = max_of(kind, i, j);
    row.max_parallel = 1000;
    row.created_us = NOW;
    return row;
}

static void put_all(struct shared *s)
{
    for (size_t kind = 0; kind < KINDS; kind++)
        for (size_t i = 0; i < EACH; i++)
            for (size_t j = 0; j < (kinds[kind] == KM_ACCOUNT_MEMBER ? EACH : 1); j++) {
                const struct km_account_row row = row_of(kind, i, j);

                if (km_accounts_put(s->accounts, &row, NULL) < 0)
                    fail();
            }
}

static void count_cost(struct shared *s, size_t team, size_t user, size_t end_user, size_t tag,
                       int64_t cost)
{
    atomic_fetch_add(&s->key_cost[team * EACH + user], cost);
    atomic_fetch_add(&s->cost[0][team][0], cost);
    atomic_fetch_add(&s->cost[1][user][team], cost);
    atomic_fetch_add(&s->cost[2][user][0], cost);
    if (end_user < EACH)
        atomic_fetch_add(&s->cost[3][end_user][0], cost);
    if (tag < EACH)
        atomic_fetch_add(&s->cost[4][tag][0], cost);
}

static void call_once(struct caller *c, struct km_key *k, struct km_payers *p, size_t team,
                      size_t user, size_t end_user, size_t tag)
{
    struct shared *s = c->shared;
    struct km_admission a = { .reserve = (int64_t)(next(&c->rng) % (USD / 50)) + 1,
                              .input_tokens = 5,
                              .output_bound = 5,
                              .payers = p,
                              .now_ms = 1000,
                              .now_us = NOW };
    struct km_permit permit = { 0 };
    int64_t cost;
    bool rolled;

    if (km_permit_take(k, &a, &permit, NULL, NULL, NULL) < 0) {
        atomic_fetch_add(&s->refused, 1);
        return;
    }
    for (size_t i = next(&c->rng) % 3; i > 0; i--) {
        a.reserve = permit.reserved + (int64_t)(next(&c->rng) % (USD / 100));
        if (km_permit_reserve(&permit, &a, &rolled, NULL) < 0)
            a.reserve = permit.reserved;
    }
    cost = (int64_t)(next(&c->rng) % (uint64_t)(permit.reserved / 16 + 1));
    atomic_fetch_add(&s->admitted, 1);
    count_cost(s, team, user, end_user, tag, cost);
    km_permit_settle(&permit, cost, 10, 1000);
}

static void *call_many(void *arg)
{
    struct caller *c = arg;
    struct shared *s = c->shared;

    for (int i = 0; i < CALLS; i++) {
        size_t team = next(&c->rng) % EACH, user = next(&c->rng) % EACH;
        size_t end_user = next(&c->rng) % (EACH + 1), tag = next(&c->rng) % (EACH + 1);
        const struct km_str tags[] = { tag < EACH ? km_str_c(names[tag]) : KM_STR_NONE };
        const uint8_t hash[32] = { (uint8_t)(team * EACH + user + 1) };
        struct km_key *k = km_keys_find(s->keys, hash);
        const struct km_payers_ask ask = { .team_id = k->row.team_id,
                                           .user_id = k->row.user_id,
                                           .end_user = end_user < EACH ? km_str_c(names[end_user])
                                                                       : KM_STR("nobody"),
                                           .tags = { tags, tag < EACH },
                                           .user_of_team_key_pays = true };
        struct km_payers *p = NULL;

        if (km_payers_make(s->accounts, &ask, &p, NULL) < 0)
            return c;
        call_once(c, k, p, team, user, end_user, tag);
        km_payers_free(p);
        km_key_unref(k);
    }
    return NULL;
}

static void *change_rows(void *arg)
{
    struct shared *s = arg;

    while (!atomic_load(&s->stop))
        put_all(s);
    return NULL;
}

/* Of one account, at one moment. */
static bool holds(struct km_purse *p)
{
    bool good;

    pthread_mutex_lock(&p->lock);
    good = p->budget.spent + p->budget.reserved <= p->budget.max && p->budget.reserved >= 0;
    pthread_mutex_unlock(&p->lock);
    return good;
}

static bool all_hold(struct shared *s)
{
    size_t n = 0;
    struct km_account **all = km_accounts_all(s->accounts, &(struct km_accounts_which){ 0 }, &n);
    bool good = true;

    for (size_t i = 0; i < n; i++) {
        good = good && holds(all[i]->purses[0]);
        km_account_unref(all[i]);
    }
    free(all);
    return good;
}

static void *look_on(void *arg)
{
    struct shared *s = arg;

    while (!atomic_load(&s->stop))
        if (!all_hold(s))
            return s;
    return NULL;
}

static void assert_sums(struct shared *s)
{
    for (size_t kind = 0; kind < KINDS; kind++)
        for (size_t i = 0; i < EACH; i++)
            for (size_t j = 0; j < (kinds[kind] == KM_ACCOUNT_MEMBER ? EACH : 1); j++) {
                const struct km_account_row row = row_of(kind, i, j);
                struct km_account *a = km_accounts_find(s->accounts, row.kind, row.id, row.of);
                struct km_purse *p = a->purses[0];

                assert_int_equal(p->budget.spent, atomic_load(&s->cost[kind][i][j]));
                assert_int_equal(p->budget.reserved, 0);
                assert_int_equal(p->limit.running, 0);
                assert_int_equal(p->limit.holders, 0);
                assert_int_equal(p->limit.reserved, 0);
                km_account_unref(a);
            }
}

static void nothing_is_overspent_and_no_permit_leaks(void **state)
{
    struct shared s = { .accounts = km_accounts_new(100), .keys = km_keys_new(100) };
    struct caller callers[THREADS];
    pthread_t changer, looker;
    void *failed;

    (void)state;
    km_keys_use_accounts(s.keys, s.accounts);
    put_all(&s);
    for (size_t i = 0; i < EACH * EACH; i++) {
        struct km_key_row row = { .hash = { (uint8_t)(i + 1) },
                                  .team_id = km_str_c(names[i / EACH]),
                                  .user_id = km_str_c(names[i % EACH]),
                                  .max_budget = 2 * USD,
                                  .rpm = -1,
                                  .tpm = -1,
                                  .max_parallel = -1 };

        assert_int_equal(km_keys_put(s.keys, &row, NULL), 0);
    }
    assert_int_equal(pthread_create(&changer, NULL, change_rows, &s), 0);
    assert_int_equal(pthread_create(&looker, NULL, look_on, &s), 0);
    for (size_t i = 0; i < THREADS; i++) {
        callers[i] = (struct caller){ .shared = &s, .rng = i * 77 + 5 };
        assert_int_equal(pthread_create(&callers[i].thread, NULL, call_many, &callers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(callers[i].thread, &failed), 0);
        assert_null(failed);
    }
    atomic_store(&s.stop, true);
    assert_int_equal(pthread_join(changer, &failed), 0);
    assert_int_equal(pthread_join(looker, &failed), 0);
    assert_null(failed);
    assert_true(all_hold(&s));
    assert_sums(&s);
    for (size_t i = 0; i < EACH * EACH; i++) {
        const uint8_t hash[32] = { (uint8_t)(i + 1) };
        struct km_key *k = km_keys_find(s.keys, hash);

        assert_int_equal(km_key_spend(k), atomic_load(&s.key_cost[i]));
        assert_int_equal(km_key_reserved(k), 0);
        km_key_unref(k);
    }
    assert_true(atomic_load(&s.admitted) > 100);
    assert_true(atomic_load(&s.refused) > 100);
    km_keys_free(s.keys);
    km_accounts_free(s.accounts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_overspent_and_no_permit_leaks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
