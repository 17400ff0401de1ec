/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "policy/key_table.h"
#include "policy/payers.h"
#include "store/payers.h"

/* Calls go from target to target at random: attempts begin, grow, fail and cost something or
 * nothing, side by side.  A model beside them knows of each what it reserves and what it cost,
 * attempt by attempt.  After each step what every purse has reserved is the sum of what the model
 * says, nothing is over its budget, and who was refused was so because one of those asked had not
 * as much; at the end nothing is reserved, and each has spent what was spent there. */

#define USD INT64_C(1000000000)
#define NOW INT64_C(1700000000000000)
#define TARGETS 4 /* deployments; two of a provider */
#define PROVIDERS 2
#define CALLS 6 /* at once */
#define ATTEMPTS 5 /* of a call */
#define STEPS 20000
#define THREADS 8

enum { KEY, TEAM, PROVIDER, TARGET = PROVIDER + PROVIDERS, PURSES = TARGET + TARGETS };

static const char *const providers[] = { "p0", "p1" };
static const char *const targets[] = { "d0", "d1", "d2", "d3" };

struct attempt {
    int target;
    int64_t reserved, cost;
    bool over;
};

struct call {
    bool on;
    struct km_permit permit;
    struct km_payers *payers;
    struct km_payers *old[64]; /* as the arena of a call keeps them */
    size_t nold;
    struct attempt v[ATTEMPTS];
    size_t n;
};

struct world {
    struct km_accounts *accounts;
    struct km_keys *keys;
    struct km_key *key;
    struct km_purse *purses[PURSES];
    int64_t max[PURSES], spent[PURSES];
    struct call calls[CALLS];
    uint64_t rng;
    int refused, moved, left;
};

static uint64_t next(uint64_t *rng)
{
    *rng = *rng * 6364136223846793005u + 1442695040888963407u;
    return *rng >> 33;
}

static int64_t upto(struct world *w, int64_t n)
{
    return (int64_t)(next(&w->rng) % (uint64_t)n);
}

static struct km_purse *put(struct world *w, enum km_account_kind kind, const char *id, int64_t max)
{
    struct km_account_row row = km_account_row_none(kind, km_str_c(id), KM_STR_NONE);
    struct km_account *a;
    struct km_purse *p;

    row.max_budget = max;
    assert_int_equal(km_accounts_put(w->accounts, &row, NULL), 0);
    a = km_accounts_find(w->accounts, kind, row.id, KM_STR_NONE);
    p = a->purses[0];
    km_account_unref(a);
    return p;
}

static void world_init(struct world *w, uint64_t seed, int64_t scale)
{
    const struct km_key_row row = { .hash = { 1 },
                                    .team_id = KM_STR("t"),
                                    .max_budget = 40 * scale,
                                    .rpm = -1,
                                    .tpm = -1,
                                    .max_parallel = -1 };

    *w = (struct world){ .rng = seed, .accounts = km_accounts_new(100), .keys = km_keys_new(100) };
    km_keys_use_accounts(w->keys, w->accounts);
    assert_int_equal(km_keys_put(w->keys, &row, NULL), 0);
    w->key = km_keys_find(w->keys, row.hash);
    w->max[KEY] = row.max_budget;
    w->max[TEAM] = 35 * scale;
    w->purses[KEY] = w->key->live;
    w->purses[TEAM] = put(w, KM_ACCOUNT_TEAM, "t", w->max[TEAM]);
    for (int i = 0; i < PROVIDERS; i++) {
        w->max[PROVIDER + i] = (12 + i) * scale;
        w->purses[PROVIDER + i] = put(w, KM_ACCOUNT_PROVIDER, providers[i], w->max[PROVIDER + i]);
    }
    for (int i = 0; i < TARGETS; i++) {
        w->max[TARGET + i] = (6 + i) * scale;
        w->purses[TARGET + i] = put(w, KM_ACCOUNT_DEPLOYMENT, targets[i], w->max[TARGET + i]);
    }
}

static void world_done(struct world *w)
{
    km_key_unref(w->key);
    km_keys_free(w->keys);
    km_accounts_free(w->accounts);
}

/* Does that purse pay for that attempt? */
static bool pays(int purse, const struct attempt *at)
{
    return purse < PROVIDER || purse == PROVIDER + at->target / 2 || purse == TARGET + at->target;
}

/* --- the model --- */

static int64_t holds(const struct call *c, int purse)
{
    int64_t sum = 0;

    for (size_t i = 0; i < c->n; i++)
        if (pays(purse, &c->v[i]))
            sum += c->v[i].over ? c->v[i].cost : c->v[i].reserved;
    return sum;
}

/* What all calls hold there; whole purses keep what an attempt had reserved until they are told. */
static void check(const struct world *w)
{
    for (int p = 0; p < PURSES; p++) {
        int64_t reserved = 0;

        for (size_t i = 0; i < CALLS; i++)
            if (w->calls[i].on)
                reserved += p < PROVIDER ? w->calls[i].permit.reserved : 0;
        for (size_t i = 0; i < CALLS && p >= PROVIDER; i++)
            for (size_t k = 0; w->calls[i].payers && k < w->calls[i].payers->n; k++)
                if (w->calls[i].on && w->calls[i].payers->v[k].purse == w->purses[p])
                    reserved += w->calls[i].payers->v[k].reserved;
        assert_int_equal(km_purse_reserved(w->purses[p]), reserved);
        assert_int_equal(km_purse_spend(w->purses[p]), w->spent[p]);
        assert_true(w->spent[p] + reserved <= w->max[p]);
    }
}

/* --- the calls --- */

static struct km_admission admission(const struct call *c, int64_t reserve)
{
    return (struct km_admission){
        .reserve = reserve, .output_bound = 1, .payers = c->payers, .now_ms = 1000, .now_us = NOW
    };
}

static bool has_room(const struct world *w, int purse, int64_t more)
{
    return more <= 0 ||
           w->spent[purse] + km_purse_reserved(w->purses[purse]) + more <= w->max[purse];
}

static void use(struct call *c, struct km_payers *to)
{
    c->old[c->nold++] = c->payers;
    c->payers = to;
}

/* The set of an attempt at a target: as call/move.c draws it. */
static void draw(const struct world *w, const struct call *c, struct km_payers_draft *d)
{
    const int target = c->v[c->n - 1].target;
    const int mine[] = { PROVIDER + target / 2, TARGET + target };

    km_payers_draft(d, c->payers);
    for (size_t i = 0; i < d->n;) {
        int p = PROVIDER;

        while (p < PURSES && w->purses[p] != d->v[i].purse)
            p++;
        if (d->v[i].of == KM_SHARE_TARGET && holds(c, p) == 0) {
            km_payers_drop(d, i);
            continue;
        }
        if (d->v[i].of == KM_SHARE_TARGET) {
            d->v[i].on = p == mine[0] || p == mine[1];
            d->v[i].reserved = holds(c, p);
        }
        i++;
    }
    for (size_t i = 0; i < 2; i++) {
        const struct km_share fresh = { .purse = w->purses[mine[i]],
                                        .of = KM_SHARE_TARGET,
                                        .on = true,
                                        .reserved = holds(c, mine[i]),
                                        .paid = -1 };

        if (!km_payers_share(d, fresh.purse))
            assert_int_equal(km_payers_add(d, &fresh, NULL), 0);
    }
}

/* An attempt more, at a target; refused: it never was. */
static void go_to(struct world *w, struct call *c, int target, int64_t each)
{
    struct km_payers_draft draft;
    struct km_payers *to = NULL;
    int64_t total;
    struct km_admission a;
    bool room = true;
    int r;

    c->v[c->n++] = (struct attempt){ .target = target, .reserved = each };
    draw(w, c, &draft);
    assert_int_equal(km_payers_drawn(&draft, &to, NULL), 0);
    total = holds(c, KEY);
    if (total < c->permit.reserved)
        total = c->permit.reserved;
    a = admission(c, total);
    a.payers = to;
    for (int p = 0; p < PURSES; p++) {
        int64_t more = p < PROVIDER ? total - c->permit.reserved : 0;

        for (size_t k = 0; p >= PROVIDER && k < to->n; k++)
            if (to->v[k].purse == w->purses[p])
                more = to->v[k].reserved;
        for (size_t k = 0; p >= PROVIDER && k < c->payers->n; k++)
            if (c->payers->v[k].purse == w->purses[p])
                more -= c->payers->v[k].reserved;
        room = room && has_room(w, p, more);
    }
    r = km_permit_move(&c->permit, &a, NULL);
    assert_int_equal(r, room ? 0 : KM_E_BUDGET);
    if (r < 0) {
        c->n--;
        km_payers_free(to);
        w->refused++;
        return;
    }
    w->left += to->n < c->payers->n;
    w->moved++;
    use(c, to);
}

static void begin(struct world *w, struct call *c)
{
    const struct km_payers_ask ask = { .team_id = KM_STR("t") };
    const int64_t each = upto(w, USD) + 1;
    struct km_admission a;
    bool room;

    *c = (struct call){ .on = true };
    assert_int_equal(km_payers_make(w->accounts, &ask, &c->payers, NULL), 0);
    a = admission(c, each);
    room = has_room(w, KEY, each) && has_room(w, TEAM, each);
    if (km_permit_take(w->key, &a, &c->permit, NULL, NULL, NULL) < 0) {
        assert_false(room);
        w->refused++;
        km_payers_free(c->payers);
        *c = (struct call){ 0 };
        return;
    }
    assert_true(room);
    go_to(w, c, (int)upto(w, TARGETS), each);
}

/* The last attempt writes on. */
static void grow(struct world *w, struct call *c)
{
    const int64_t more = upto(w, USD / 2) + 1;
    struct attempt *at = &c->v[c->n - 1];
    struct km_admission a = admission(c, c->permit.reserved + more);
    bool rolled, room = true;
    int r;

    for (int p = 0; p < PURSES; p++)
        room = room && (!pays(p, at) || has_room(w, p, more));
    r = km_permit_reserve(&c->permit, &a, &rolled, NULL);
    assert_int_equal(r, room ? 0 : KM_E_BUDGET);
    if (r == 0)
        at->reserved += more;
    w->refused += r < 0;
}

static void fail_one(struct world *w, struct call *c)
{
    struct attempt *at = &c->v[upto(w, (int64_t)c->n)];

    if (at->over)
        return;
    at->over = true;
    at->cost = upto(w, 2) ? upto(w, at->reserved + 1) : 0;
}

static void settle(struct world *w, struct call *c)
{
    int64_t cost;

    for (size_t i = 0; i < c->n; i++)
        if (!c->v[i].over) {
            c->v[i].over = true;
            c->v[i].cost = upto(w, c->v[i].reserved + 1) / 4;
        }
    cost = holds(c, KEY);
    for (int p = 0; p < PURSES; p++)
        w->spent[p] += holds(c, p);
    for (size_t k = 0; k < c->payers->n; k++)
        for (int p = PROVIDER; p < PURSES; p++)
            if (c->payers->v[k].purse == w->purses[p])
                c->payers->v[k].paid = holds(c, p);
    km_permit_settle(&c->permit, cost, 10, 1000);
    for (size_t i = 0; i < c->nold; i++)
        km_payers_free(c->old[i]);
    km_payers_free(c->payers);
    *c = (struct call){ 0 };
}

static void step(struct world *w)
{
    struct call *c = &w->calls[upto(w, CALLS)];

    if (!c->on) {
        begin(w, c);
        return;
    }
    if (c->n == 0) { /* where it went had no more: it is over, or goes elsewhere */
        if (upto(w, 3) == 0)
            settle(w, c);
        else if (c->nold < 60)
            go_to(w, c, (int)upto(w, TARGETS), c->permit.reserved);
        return;
    }
    switch (upto(w, 6)) {
    case 0:
        settle(w, c);
        break;
    case 1:
        if (!c->v[c->n - 1].over)
            grow(w, c);
        break;
    case 2:
    case 3:
        fail_one(w, c);
        break;
    default: /* beside those under way, or after the last */
        if (c->n < ATTEMPTS)
            go_to(w, c, (int)upto(w, TARGETS), upto(w, USD) + 1);
    }
}

static void random_moves_keep_every_purse_exact(void **state)
{
    static struct world w;
    int refused = 0, moved = 0, left = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        world_init(&w, seed, USD);
        for (int i = 0; i < STEPS / 20; i++) {
            step(&w);
            check(&w);
        }
        for (size_t i = 0; i < CALLS; i++)
            if (w.calls[i].on)
                settle(&w, &w.calls[i]);
        check(&w);
        for (int p = 0; p < PURSES; p++)
            assert_int_equal(km_purse_reserved(w.purses[p]), 0);
        refused += w.refused;
        moved += w.moved;
        left += w.left;
        world_done(&w);
    }
    assert_true(refused > 100 && moved > 1000 && left > 100);
}

/* --- threads --- */

struct runner {
    struct world *shared;
    struct world own; /* its calls and its sums; the purses are the shared ones */
    pthread_t thread;
};

/* As go_to(), without a model that knows the others. */
static void move_blindly(struct world *w, struct call *c, int target, int64_t each)
{
    struct km_payers_draft draft;
    struct km_payers *to = NULL;
    struct km_admission a;
    int64_t total;

    c->v[c->n++] = (struct attempt){ .target = target, .reserved = each };
    draw(w, c, &draft);
    assert_int_equal(km_payers_drawn(&draft, &to, NULL), 0);
    total = holds(c, KEY);
    a = admission(c, total > c->permit.reserved ? total : c->permit.reserved);
    a.payers = to;
    if (km_permit_move(&c->permit, &a, NULL) == 0) {
        use(c, to);
        return;
    }
    c->n--;
    km_payers_free(to);
}

static void *run(void *arg)
{
    struct runner *r = arg;
    struct world *w = &r->own;

    for (int i = 0; i < STEPS / THREADS; i++) {
        const struct km_payers_ask ask = { .team_id = KM_STR("t") };
        struct call *c = &w->calls[0];
        struct km_admission a;

        *c = (struct call){ .on = true };
        assert_int_equal(km_payers_make(w->accounts, &ask, &c->payers, NULL), 0);
        a = admission(c, upto(w, USD) + 1);
        if (km_permit_take(w->key, &a, &c->permit, NULL, NULL, NULL) < 0) {
            km_payers_free(c->payers);
            continue;
        }
        for (int64_t k = upto(w, ATTEMPTS) + 1; k > 0; k--) {
            move_blindly(w, c, (int)upto(w, TARGETS), upto(w, USD) + 1);
            if (c->n && upto(w, 2))
                fail_one(w, c);
            for (int p = 0; p < PURSES; p++) {
                pthread_mutex_lock(&w->purses[p]->lock);
                assert_true(w->purses[p]->budget.spent + w->purses[p]->budget.reserved <=
                            w->max[p]);
                pthread_mutex_unlock(&w->purses[p]->lock);
            }
        }
        settle(w, c);
    }
    return NULL;
}

static void calls_on_threads_overspend_nothing_and_leave_nothing(void **state)
{
    static struct world shared;
    static struct runner runners[THREADS];

    (void)state;
    world_init(&shared, 1, 100 * USD);
    for (size_t i = 0; i < THREADS; i++) {
        runners[i] = (struct runner){ .shared = &shared, .own = shared };
        runners[i].own.rng = i + 7;
        assert_int_equal(pthread_create(&runners[i].thread, NULL, run, &runners[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(runners[i].thread, NULL);
        for (int p = 0; p < PURSES; p++)
            shared.spent[p] += runners[i].own.spent[p];
    }
    check(&shared);
    for (int p = 0; p < PURSES; p++)
        assert_true(shared.spent[p] > 0);
    world_done(&shared);
}

/* --- as the ledger has it --- */

static void a_text_says_what_each_pays_that_pays_for_a_part(void **state)
{
    static struct world w;
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(8192);
    struct km_payers_draft d;
    struct km_payers *p, *read;

    (void)state;
    world_init(&w, 1, USD);
    km_payers_draft(&d, NULL);
    for (int i = TEAM; i <= TARGET; i++) {
        const struct km_share s = { .purse = w.purses[i],
                                    .of = i == TEAM ? KM_SHARE_CALL : KM_SHARE_TARGET,
                                    .unwritten = i == PROVIDER,
                                    .paid = i == TARGET ? 3 : 10,
                                    .reserved = i == TARGET ? 5 : 20 };

        assert_int_equal(km_payers_add(&d, &s, NULL), 0);
    }
    assert_int_equal(km_payers_drawn(&d, &p, NULL), 0);
    km_payers_write(p, 10, 20, &text);
    read = km_payers_of_text(w.accounts, km_buf_view(&text));
    assert_int_equal(read->n, 3); /* what is unwritten is in no text */
    assert_int_equal(read->v[0].paid, -1); /* all of it */
    assert_int_equal(read->v[1].paid, -1);
    assert_ptr_equal(read->v[2].purse, w.purses[TARGET]);
    assert_int_equal(read->v[2].paid, 3);
    assert_int_equal(read->v[2].reserved, 5);
    assert_true(km_str_eq(km_paying_whole(km_buf_view(&text)), p->text));
    km_payers_free(read);
    km_payers_free(p);
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_moves_keep_every_purse_exact),
        cmocka_unit_test(calls_on_threads_overspend_nothing_and_leave_nothing),
        cmocka_unit_test(a_text_says_what_each_pays_that_pays_for_a_part),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
