/* SPDX-License-Identifier: Apache-2.0 */
/* account.c - see account.h for the contract.
 *
 *     map: kind, id, of -> km_account v2 (immutable, counted) -> purses (counted, one mutex each)
 *                          km_account v1 --------------------------^
 *     purses: SHA-256 of a name -> purse, which all versions share
 *
 * A purse is there as long as its account has that limit, and as long as a call pays from it.  One
 * that an update takes away and another brings back begins anew; what was spent in its windows is
 * in the store.
 *
 * A budget's row is an account that nobody pays from: its limits stand in for what the rows that
 * name it do not say.  There are few budgets and they change seldom, so a change looks at all rows.
 */
#include "policy/account_table.h"

#include <stdlib.h>

#include "base/crypto.h"
#include "policy/account_purses.h"

/* A version.  `account` first: the public pointer is the object's. */
struct object {
    struct km_account account;
    _Atomic int refs;
    struct km_account_row *row, *limits; /* own the strings of those of the account */
};

static struct object *object_of(struct km_account *a)
{
    return (struct object *)(void *)a;
}

struct km_account *km_account_ref(struct km_account *a)
{
    atomic_fetch_add_explicit(&object_of(a)->refs, 1, memory_order_relaxed);
    return a;
}

static void object_free(struct object *o)
{
    for (size_t i = 0; i < o->account.npurses; i++)
        km_purse_unref(o->account.purses[i]);
    free(o->account.purses);
    free(o->row);
    free(o->limits);
    free(o);
}

struct km_account *km_account_unref(struct km_account *a)
{
    if (a && atomic_fetch_sub_explicit(&object_of(a)->refs, 1, memory_order_acq_rel) == 1)
        object_free(object_of(a));
    return NULL;
}

static void unref_account(void *value)
{
    km_account_unref(value);
}

static void unref_purse(void *value)
{
    km_purse_unref(value);
}

struct km_accounts *km_accounts_new(size_t max_accounts)
{
    struct km_accounts *t = calloc(1, sizeof *t);

    if (!t)
        return NULL;
    t->map = km_map_new_borrowed(max_accounts);
    t->purses = km_map_new_borrowed(SIZE_MAX / 2);
    if (!t->map || !t->purses || pthread_rwlock_init(&t->lock, NULL) != 0) {
        if (t->map)
            km_map_free(t->map, NULL);
        if (t->purses)
            km_map_free(t->purses, NULL);
        free(t);
        return NULL;
    }
    return t;
}

struct km_accounts *km_accounts_free(struct km_accounts *t)
{
    if (!t)
        return NULL;
    km_map_free(t->map, unref_account);
    km_map_free(t->purses, unref_purse);
    pthread_rwlock_destroy(&t->lock);
    free(t);
    return NULL;
}

struct km_account *km_accounts_at(const struct km_accounts *t, enum km_account_kind kind,
                                  struct km_str id, struct km_str of)
{
    const struct km_purse_words words = { .kind = kind, .id = id, .of = of };
    char name[KM_PURSE_NAME];
    size_t n;

    if (atomic_load_explicit(&t->of_kind[kind], memory_order_relaxed) == 0)
        return NULL;
    n = km_purse_name(&words, name);
    return n ? km_map_get(t->map, km_str(name, n)) : NULL;
}

struct km_account *km_accounts_find(struct km_accounts *t, enum km_account_kind kind,
                                    struct km_str id, struct km_str of)
{
    struct km_account *a;

    pthread_rwlock_rdlock(&t->lock);
    a = km_accounts_at(t, kind, id, of);
    if (a)
        km_account_ref(a);
    pthread_rwlock_unlock(&t->lock);
    return a;
}

struct km_purse *km_accounts_purse(const struct km_accounts *t, struct km_str name)
{
    uint8_t hash[KM_SHA256_LEN];

    km_sha256(name, hash);
    return km_map_get(t->purses, km_str((const char *)hash, sizeof hash));
}

bool km_accounts_is_empty(const struct km_accounts *t)
{
    return !t || atomic_load_explicit(&t->paying, memory_order_relaxed) == 0;
}

uint64_t km_accounts_generation(struct km_accounts *t)
{
    return atomic_load_explicit(&t->generation, memory_order_acquire);
}

/* --- versions --- */

static void stand_in(int64_t *own, int64_t budgets)
{
    if (*own < 0)
        *own = budgets;
}

static void stand_in_text(struct km_str *own, struct km_str budgets)
{
    if (!own->n)
        *own = budgets;
}

/* What the row does not say its budget does. */
static struct km_account_row with_budget(const struct km_account_row *row,
                                         const struct km_account_row *budget)
{
    struct km_account_row both = *row;

    if (!budget)
        return both;
    stand_in(&both.max_budget, budget->max_budget);
    stand_in(&both.soft_budget, budget->soft_budget);
    stand_in(&both.rpm, budget->rpm);
    stand_in(&both.tpm, budget->tpm);
    stand_in(&both.max_parallel, budget->max_parallel);
    stand_in_text(&both.budget_limits, budget->budget_limits);
    stand_in_text(&both.model_max_budget, budget->model_max_budget);
    stand_in_text(&both.model_rpm_limit, budget->model_rpm_limit);
    stand_in_text(&both.model_tpm_limit, budget->model_tpm_limit);
    if (both.temp_budget_increase < 0) {
        both.temp_budget_increase = budget->temp_budget_increase;
        both.temp_budget_expiry_us = budget->temp_budget_expiry_us;
    }
    if (both.budget_duration_s == 0) {
        both.budget_duration_s = budget->budget_duration_s;
        both.budget_duration = budget->budget_duration;
        both.budget_reset_us = budget->budget_reset_us;
    }
    if (!both.models.n)
        both.models = budget->models;
    return both;
}

static struct object *object_new(const struct km_account_row *row,
                                 const struct km_account_row *limits, size_t npurses)
{
    struct object *o = calloc(1, sizeof *o);

    if (!o)
        return NULL;
    atomic_init(&o->refs, 1);
    o->row = km_account_row_new(row);
    o->limits = km_account_row_new(limits);
    o->account.purses = calloc(npurses, sizeof(struct km_purse *));
    if (!o->row || !o->limits || !o->account.purses) {
        object_free(o);
        return NULL;
    }
    o->account.row = *o->row;
    o->account.limits = *o->limits;
    return o;
}

static struct km_str hash_view(const struct km_purse *p)
{
    return km_str((const char *)p->hash, sizeof p->hash);
}

/* The purse of that name, a reference taken; made where there is none. */
static struct km_purse *purse_for(struct km_accounts *t, const struct km_purse_plan *plan,
                                  bool *ret_fresh)
{
    struct km_purse *fresh = km_purse_new_named(&plan->words), *p;

    if (!fresh)
        return NULL;
    p = km_map_get(t->purses, hash_view(fresh));
    *ret_fresh = !p;
    if (p) {
        km_purse_unref(fresh);
        return km_purse_ref(p);
    }
    if (km_map_set(t->purses, hash_view(fresh), fresh, NULL) < 0)
        return km_purse_unref(fresh);
    return km_purse_ref(fresh);
}

static bool has_purse(const struct km_account *a, const struct km_purse *p)
{
    for (size_t i = 0; a && i < a->npurses; i++)
        if (a->purses[i] == p)
            return true;
    return false;
}

/* Those of the old version that the new one (NULL: none) has not are found no more. */
static void drop_purses(struct km_accounts *t, const struct km_account *old,
                        const struct km_account *fresh)
{
    for (size_t i = 0; i < old->npurses; i++)
        if (!has_purse(fresh, old->purses[i]))
            km_purse_unref(km_map_del(t->purses, hash_view(old->purses[i])));
}

static void tell(const struct km_accounts *t, struct km_purse *p, bool fresh)
{
    struct km_paying paying;

    if (!t->define)
        return;
    paying = km_purse_paying(p);
    paying.fresh = fresh;
    t->define(t->define_ctx, &paying, 1);
}

void km_accounts_tell(struct km_accounts *t, km_accounts_define_fn *fn, void *ctx)
{
    struct km_str name;
    void *value;

    pthread_rwlock_wrlock(&t->lock);
    t->define = fn;
    t->define_ctx = ctx;
    for (size_t it = 0; km_map_next(t->purses, &it, &name, &value);)
        if (((const struct km_purse *)value)->stored_otherwise)
            tell(t, value, false);
    pthread_rwlock_unlock(&t->lock);
}

/* What was spent under windows of another length goes along while its window runs, as the store has
 * it when it hears of the other length. */
static void add_window(struct km_purse *p, const struct km_paying *kept, int64_t end_us,
                       int64_t spend)
{
    const int64_t now_us = km_wall_us();
    struct km_budget *b = &p->budget;
    bool same;

    pthread_mutex_lock(&p->lock);
    same = kept->length_s == b->duration_s &&
           (kept->length_s == 0 || km_time_budget_same(kept->length_s, kept->end_us, b->reset_us));
    p->stored_otherwise = p->stored_otherwise || !same;
    if (same)
        km_budget_charge(b, spend, end_us > 0 ? end_us - 1 : now_us);
    else if (kept->length_s == 0 ||
             end_us == km_time_budget_end(now_us, kept->length_s, kept->end_us))
        km_budget_charge(b, spend, now_us);
    pthread_mutex_unlock(&p->lock);
}

void km_accounts_add_window(struct km_accounts *t, const struct km_paying *purse, int64_t end_us,
                            int64_t spend)
{
    struct km_purse *p;

    pthread_rwlock_rdlock(&t->lock);
    p = km_accounts_purse(t, purse->name);
    if (p)
        add_window(p, purse, end_us, spend);
    pthread_rwlock_unlock(&t->lock);
}

void km_accounts_release(struct km_accounts *t, const struct km_uuid *id)
{
    struct km_str name;
    void *value;

    pthread_rwlock_rdlock(&t->lock);
    for (size_t it = 0; km_map_next(t->purses, &it, &name, &value);) {
        struct km_purse *p = value;

        pthread_mutex_lock(&p->lock);
        km_budget_release(&p->budget, id);
        pthread_mutex_unlock(&p->lock);
    }
    pthread_rwlock_unlock(&t->lock);
}

/* A version with its purses; under the lock. */
static int make(struct km_accounts *t, const struct km_account_row *row, struct km_arena *arena,
                struct object **ret, struct km_err *err)
{
    const struct km_account *budget =
        row->budget_id.n ? km_accounts_at(t, KM_ACCOUNT_BUDGET, row->budget_id, KM_STR_NONE) : NULL;
    const struct km_account_row limits = with_budget(row, budget ? &budget->row : NULL);
    struct km_purse_plan *plans = km_arena_alloc(arena, KM_ACCOUNT_PURSES * sizeof *plans);
    struct object *o;
    size_t n = 0;
    int r = plans ? km_account_plans(&limits, arena, plans, &n, err) : KM_E_NOMEM;

    if (r < 0)
        return r == KM_E_NOMEM ? km_fail(err, r, "accounts: out of memory") : r;
    o = object_new(row, &limits, n);
    for (size_t i = 0; o && i < n; i++) {
        bool fresh = false;
        struct km_purse *p = purse_for(t, &plans[i], &fresh);

        if (!p) {
            object_free(o);
            o = NULL;
            break;
        }
        km_purse_follow(p, &plans[i]);
        tell(t, p, fresh);
        o->account.purses[o->account.npurses++] = p;
    }
    if (o)
        o->account.declared = t->declaring;
    *ret = o;
    return o ? 0 : km_fail(err, KM_E_NOMEM, "accounts: out of memory");
}

static void count(struct km_accounts *t, enum km_account_kind kind, int by)
{
    atomic_fetch_add_explicit(&t->of_kind[kind], (size_t)by, memory_order_relaxed);
    if (kind != KM_ACCOUNT_BUDGET && kind != KM_ACCOUNT_PROVIDER && kind != KM_ACCOUNT_DEPLOYMENT)
        atomic_fetch_add_explicit(&t->paying, (size_t)by, memory_order_relaxed);
}

static void count_blocked(struct km_accounts *t, const struct km_account *a, int by)
{
    if (a && a->row.blocked)
        atomic_fetch_add_explicit(&t->blocked, (size_t)by, memory_order_relaxed);
}

/* In the place of the version that is there, if one is; under the lock. */
static int replace(struct km_accounts *t, const struct km_account_row *row, struct km_err *err)
{
    struct km_arena arena KM_CLEANUP(km_arena_done);
    struct km_account *old;
    struct object *fresh = NULL;
    void *ignored = NULL;
    int r;

    km_arena_init(&arena, 1u << 20, NULL);
    old = km_accounts_at(t, row->kind, row->id, row->of);
    r = make(t, row, &arena, &fresh, err);
    if (r < 0)
        return r;
    r = km_map_set(t->map, fresh->account.purses[0]->name, &fresh->account, &ignored);
    if (r < 0) {
        drop_purses(t, &fresh->account, old);
        object_free(fresh);
        return km_fail(err, r,
                       r == KM_E_LIMIT ? "accounts: the table is full (max_accounts)"
                                       : "accounts: out of memory");
    }
    if (old)
        drop_purses(t, old, &fresh->account);
    else
        count(t, row->kind, 1);
    count_blocked(t, &fresh->account, 1);
    count_blocked(t, old, -1);
    km_account_unref(old);
    return 0;
}

/* All that use this budget; under the lock. */
static void renew_users(struct km_accounts *t, struct km_str budget_id)
{
    struct km_account **all;
    struct km_str name;
    void *value;
    size_t n = 0;

    all = malloc((km_map_count(t->map) + 1) * sizeof *all);
    for (size_t it = 0; all && km_map_next(t->map, &it, &name, &value);)
        if (km_str_eq(((struct km_account *)value)->row.budget_id, budget_id))
            all[n++] = km_account_ref(value);
    for (size_t i = 0; i < n; i++) {
        struct km_err ignored = { 0 };

        /* Each was good by itself, and the budget is: without memory it stays as it was. */
        if (replace(t, &all[i]->row, &ignored) < 0)
            (void)0;
        km_account_unref(all[i]);
    }
    free(all);
}

int km_accounts_put(struct km_accounts *t, const struct km_account_row *row, struct km_err *err)
{
    int r;

    pthread_rwlock_wrlock(&t->lock);
    r = replace(t, row, err);
    if (r == 0 && row->kind == KM_ACCOUNT_BUDGET)
        renew_users(t, row->id);
    atomic_fetch_add_explicit(&t->generation, 1, memory_order_release);
    pthread_rwlock_unlock(&t->lock);
    return r;
}

int km_accounts_check(const struct km_account_row *row, struct km_err *err)
{
    struct km_arena arena KM_CLEANUP(km_arena_done);
    struct km_purse_plan *plans;
    size_t n;

    km_arena_init(&arena, 1u << 20, NULL);
    if (!km_account_id_is_good(row->id) || (row->of.n && !km_account_id_is_good(row->of)))
        return km_fail_param(err, KM_E_INVALID, "id",
                             "an id of a %s has 1 to %d bytes, and no control characters",
                             km_account_words[row->kind].kind, KM_ACCOUNT_ID_BYTES);
    plans = km_arena_alloc(&arena, KM_ACCOUNT_PURSES * sizeof *plans);
    if (!plans)
        return km_fail(err, KM_E_NOMEM, "accounts: out of memory");
    return km_account_plans(row, &arena, plans, &n, err);
}

/* One goes; under the lock. */
static void drop(struct km_accounts *t, struct km_account *a)
{
    km_map_del(t->map, a->purses[0]->name);
    count(t, a->row.kind, -1);
    count_blocked(t, a, -1);
    drop_purses(t, a, NULL);
    km_account_unref(a);
}

/* Is it nothing without the one that went? */
static bool goes_along(const struct km_account_row *row, enum km_account_kind kind,
                       struct km_str id)
{
    switch (kind) {
    case KM_ACCOUNT_TEAM:
        return row->kind == KM_ACCOUNT_MEMBER && km_str_eq(row->of, id);
    case KM_ACCOUNT_ORGANIZATION:
        return row->kind == KM_ACCOUNT_ORG_MEMBER && km_str_eq(row->of, id);
    case KM_ACCOUNT_USER:
        return (row->kind == KM_ACCOUNT_MEMBER || row->kind == KM_ACCOUNT_ORG_MEMBER) &&
               km_str_eq(row->id, id);
    default:
        return false;
    }
}

static void drop_along(struct km_accounts *t, enum km_account_kind kind, struct km_str id)
{
    struct km_account **all = malloc((km_map_count(t->map) + 1) * sizeof *all);
    struct km_str name;
    void *value;
    size_t n = 0;

    for (size_t it = 0; all && km_map_next(t->map, &it, &name, &value);)
        if (goes_along(&((struct km_account *)value)->row, kind, id))
            all[n++] = value;
    for (size_t i = 0; i < n; i++)
        drop(t, all[i]);
    free(all);
}

bool km_accounts_del(struct km_accounts *t, enum km_account_kind kind, struct km_str id,
                     struct km_str of)
{
    struct km_account *a;

    pthread_rwlock_wrlock(&t->lock);
    a = km_accounts_at(t, kind, id, of);
    if (a) {
        drop_along(t, kind, id);
        drop(t, a);
        if (kind == KM_ACCOUNT_BUDGET)
            renew_users(t, id);
    }
    atomic_fetch_add_explicit(&t->generation, 1, memory_order_release);
    pthread_rwlock_unlock(&t->lock);
    return a != NULL;
}

/* --- all of them --- */

static bool is_asked(const struct km_account_row *row, const struct km_accounts_which *w)
{
    return (w->kind == KM_ACCOUNT_NONE || row->kind == w->kind) &&
           (!w->id.n || km_str_eq(row->id, w->id)) && (!w->of.n || km_str_eq(row->of, w->of)) &&
           (!w->organization_id.n || km_str_eq(row->organization_id, w->organization_id)) &&
           (!w->budget_id.n || km_str_eq(row->budget_id, w->budget_id));
}

static int order(const void *a, const void *b)
{
    const struct km_account_row *x = &(*(struct km_account *const *)a)->row;
    const struct km_account_row *y = &(*(struct km_account *const *)b)->row;
    int r;

    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    r = km_str_cmp(x->id, y->id);
    return r ? r : km_str_cmp(x->of, y->of);
}

struct km_account **km_accounts_all(struct km_accounts *t, const struct km_accounts_which *which,
                                    size_t *ret_n)
{
    struct km_account **all;
    struct km_str name;
    void *value;
    size_t n = 0;

    pthread_rwlock_rdlock(&t->lock);
    all = malloc((km_map_count(t->map) + 1) * sizeof *all);
    for (size_t it = 0; all && km_map_next(t->map, &it, &name, &value);)
        if (is_asked(&((struct km_account *)value)->row, which))
            all[n++] = km_account_ref(value);
    pthread_rwlock_unlock(&t->lock);
    if (n)
        qsort(all, n, sizeof(struct km_account *), order);
    *ret_n = n;
    return all;
}
