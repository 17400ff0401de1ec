/* SPDX-License-Identifier: Apache-2.0 */
/* runs.c - see runs.h for the contract.
 *
 *     names: SHA-256(key, name) ──> run ── held by calls, or in `idle`, oldest first
 *
 * Whoever enters first looks at the head of `idle`: runs whose time is over go, a few a time, so
 * that nobody pays for all of them.  Where there is no room the oldest idle one goes, whoever's it
 * is; one with a call under way stays, or its counts would begin anew in its middle.
 *
 * The lock is one: what is done under it is a look-up and a few words.
 */
#include "policy/runs.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/crypto.h"
#include "base/list.h"
#include "base/map.h"
#include "policy/purse.h"

#define RUNS_MOST ((size_t)10 * 1000 * 1000) /* whatever the settings say */
#define SWEPT_AT_ONCE 4

struct km_run {
    uint8_t name[32]; /* the map's key */
    struct km_list link; /* of `idle`, while nobody holds it */
    unsigned held;
    uint64_t last_ms; /* it was left then */
    int64_t iterations;
    uint64_t call; /* of the last tool */
    int64_t same; /* so many like it in a row */
    struct km_purse *purse; /* NULL: it has had no budget yet */
};

struct km_runs {
    pthread_mutex_t lock;
    struct km_hash_seed seed; /* stays */
    struct km_map *names;
    struct km_list idle;
    size_t running;
};

void km_run_limits_tighten(struct km_run_limits *l, const struct km_run_limits *other)
{
    const int64_t v[] = { other->iterations, other->budget, other->same_calls };
    int64_t *const own[] = { &l->iterations, &l->budget, &l->same_calls };

    for (size_t i = 0; i < sizeof v / sizeof v[0]; i++)
        if (v[i] >= 0 && (*own[i] < 0 || v[i] < *own[i]))
            *own[i] = v[i];
}

bool km_run_is_repeatable(const struct km_runs_settings *s, struct km_str tool)
{
    for (size_t i = 0; i < s->repeatable.n; i++)
        if (km_str_glob(s->repeatable.v[i], tool, NULL))
            return true;
    return false;
}

struct km_runs *km_runs_new(void)
{
    struct km_runs *t = calloc(1, sizeof *t);

    if (!t)
        return NULL;
    km_list_init(&t->idle);
    km_hash_seed_random(&t->seed);
    t->names = km_map_new_borrowed(RUNS_MOST);
    if (!t->names || pthread_mutex_init(&t->lock, NULL) != 0) {
        km_map_free(t->names, NULL);
        free(t);
        return NULL;
    }
    return t;
}

static void run_free(void *run)
{
    struct km_run *r = run;

    km_purse_unref(r->purse);
    free(r);
}

struct km_runs *km_runs_free(struct km_runs *t)
{
    if (!t)
        return NULL;
    km_map_free(t->names, run_free);
    pthread_mutex_destroy(&t->lock);
    free(t);
    return NULL;
}

const struct km_hash_seed *km_runs_seed(const struct km_runs *t)
{
    return &t->seed;
}

/* --- the table --- */

static void hash_name(const uint8_t key[32], struct km_str name, uint8_t out[32])
{
    char both[32 + KM_RUN_NAME_BYTES];
    const size_t n = name.n < KM_RUN_NAME_BYTES ? name.n : KM_RUN_NAME_BYTES;

    memcpy(both, key, 32);
    if (n)
        memcpy(both + 32, name.p, n);
    km_sha256(km_str(both, 32 + n), out);
}

static bool is_over(const struct km_run *run, uint64_t remember_ms, uint64_t now_ms)
{
    return !run->held && now_ms > run->last_ms && now_ms - run->last_ms >= remember_ms;
}

static struct km_run *oldest(const struct km_runs *t)
{
    return km_list_empty(&t->idle) ? NULL : KM_CONTAINER(t->idle.next, struct km_run, link);
}

static void drop(struct km_runs *t, struct km_run *run)
{
    km_list_remove(&run->link);
    (void)km_map_del(t->names, km_str((const char *)run->name, sizeof run->name));
    run_free(run);
}

static void sweep(struct km_runs *t, uint64_t remember_ms, uint64_t now_ms)
{
    struct km_run *run;

    for (int i = 0; i < SWEPT_AT_ONCE && (run = oldest(t)) && is_over(run, remember_ms, now_ms);
         i++)
        drop(t, run);
}

static struct km_run *begin(struct km_runs *t, const uint8_t name[32], size_t most)
{
    struct km_run *run;

    while (km_map_count(t->names) >= most && (run = oldest(t)))
        drop(t, run);
    run = km_map_count(t->names) < most ? calloc(1, sizeof *run) : NULL;
    if (!run)
        return NULL;
    memcpy(run->name, name, sizeof run->name);
    km_list_init(&run->link);
    if (km_map_set(t->names, km_str((const char *)run->name, sizeof run->name), run, NULL) < 0) {
        free(run);
        return NULL;
    }
    return run;
}

static struct km_run *enter(struct km_runs *t, const uint8_t name[32],
                            const struct km_runs_settings *s, uint64_t now_ms)
{
    const uint64_t remember_ms = (uint64_t)s->remember_ms;
    struct km_run *run;

    sweep(t, remember_ms, now_ms);
    run = km_map_get(t->names, km_str((const char *)name, 32));
    if (run && is_over(run, remember_ms, now_ms)) {
        drop(t, run);
        run = NULL;
    }
    if (!run)
        run = begin(t, name, (size_t)s->most);
    if (run && run->held++ == 0) {
        km_list_remove(&run->link);
        t->running++;
    }
    return run;
}

int km_runs_enter(struct km_runs *t, const uint8_t key[32], struct km_str name,
                  const struct km_runs_settings *s, uint64_t now_ms, struct km_run **ret,
                  struct km_err *err)
{
    uint8_t hash[32];
    struct km_run *run;

    hash_name(key, name, hash);
    pthread_mutex_lock(&t->lock);
    run = enter(t, hash, s, now_ms);
    pthread_mutex_unlock(&t->lock);
    if (!run)
        return km_fail(err, KM_E_OVERLOADED,
                       "As many runs as are remembered (%lld, kanmon_settings.runs.max_runs) have "
                       "calls under way, so this one could not be held to its limits: try again in "
                       "a moment.",
                       (long long)s->most);
    *ret = run;
    return 0;
}

void km_runs_leave(struct km_runs *t, struct km_run *run, uint64_t now_ms)
{
    pthread_mutex_lock(&t->lock);
    run->last_ms = now_ms;
    if (--run->held == 0) {
        km_list_push(&t->idle, &run->link);
        t->running--;
    }
    pthread_mutex_unlock(&t->lock);
}

void km_runs_tell(struct km_runs *t, struct km_runs_told *ret)
{
    pthread_mutex_lock(&t->lock);
    ret->remembered = km_map_count(t->names);
    ret->running = t->running;
    pthread_mutex_unlock(&t->lock);
}

/* --- a run --- */

static bool look_or_count(struct km_runs *t, struct km_run *run, int64_t most, int64_t *ret_before,
                          bool count)
{
    bool may;

    pthread_mutex_lock(&t->lock);
    *ret_before = run->iterations;
    may = most < 0 || run->iterations < most;
    run->iterations += may && count;
    pthread_mutex_unlock(&t->lock);
    return may;
}

bool km_run_count(struct km_runs *t, struct km_run *run, int64_t most, int64_t *ret_before)
{
    return look_or_count(t, run, most, ret_before, true);
}

bool km_run_may_count(struct km_runs *t, struct km_run *run, int64_t most, int64_t *ret_before)
{
    return look_or_count(t, run, most, ret_before, false);
}

void km_run_uncount(struct km_runs *t, struct km_run *run)
{
    pthread_mutex_lock(&t->lock);
    run->iterations--;
    pthread_mutex_unlock(&t->lock);
}

bool km_run_tool(struct km_runs *t, struct km_run *run, uint64_t call, int64_t most, bool count)
{
    bool may;

    pthread_mutex_lock(&t->lock);
    may = most < 0 || run->call != call || run->same < most;
    if (may && count) {
        run->same = run->call == call ? run->same + 1 : 1;
        run->call = call;
    }
    pthread_mutex_unlock(&t->lock);
    return may;
}

void km_run_other_tool(struct km_runs *t, struct km_run *run)
{
    pthread_mutex_lock(&t->lock);
    run->same = 0;
    pthread_mutex_unlock(&t->lock);
}

const char km_run_budget_reason[] = "max_budget_per_session_exceeded";

struct km_purse *km_run_purse(struct km_runs *t, struct km_run *run, struct km_str shown,
                              int64_t max)
{
    const struct km_purse_words words = { .kind = KM_ACCOUNT_SESSION, .id = shown };
    struct km_purse *purse;

    pthread_mutex_lock(&t->lock);
    if (!run->purse)
        run->purse = km_purse_new_named(&words);
    purse = run->purse;
    pthread_mutex_unlock(&t->lock);
    if (!purse)
        return NULL;
    pthread_mutex_lock(&purse->lock);
    purse->budget.max = max;
    pthread_mutex_unlock(&purse->lock);
    return purse;
}
