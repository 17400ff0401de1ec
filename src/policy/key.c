/* SPDX-License-Identifier: Apache-2.0 */
/* key.c - see key.h for the contract.  The table of keys, and what a key may do.
 *
 *     map: hash -> km_key v2 (immutable, counted) -> live (counted, one mutex)
 *                  km_key v1 ------------------------^
 *                    ^ held by calls that began before the update
 *
 * Finding takes the read lock for one look-up and one increment.  An update puts a new version
 * into the map; calls that run keep the old one, and both count in the same live part, so an
 * update neither forgets spend nor opens a second window.  Deleting removes the map's reference
 * and no more: running calls settle against the live part until the last of them ends.
 *
 * A new version brings its row's budget to the live part, with one exception: the end of the
 * running window, when it tells the same windows.  The row may be a copy made before the window
 * turned, and the old end would bring the old window back.
 */
#include "policy/key_table.h"

#include <stdlib.h>

#include "base/encode.h"
#include "policy/account_purses.h"
#include "policy/account_table.h"
#include "policy/key_limits.h"
#include "policy/key_routes.h"
#include "policy/payers.h"
#include "policy/runs.h"
#include "store/key_row.h"

static struct km_key_object *object_of(struct km_key *k)
{
    return (struct km_key_object *)(void *)k;
}

static struct km_str hash_view(const uint8_t hash[32])
{
    return km_str((const char *)hash, 32);
}

static void live_update(struct km_purse *live, const struct km_key_row *row)
{
    struct km_budget *b = &live->budget;

    pthread_mutex_lock(&live->lock);
    km_purse_allow(live, &(struct km_purse_plan){ .max = row->max_budget,
                                                  .soft = row->soft_budget,
                                                  .raised = row->temp_budget_increase,
                                                  .raised_until_us = row->temp_budget_expiry_us });
    km_budget_set_length(b, row->budget_duration_s, row->budget_reset_us);
    if (!km_str_eq(hash_view(live->hash), hash_view(row->hash))) {
        memcpy(live->hash, row->hash, sizeof live->hash);
        atomic_store_explicit(&live->moved, true, memory_order_release);
    }
    pthread_mutex_unlock(&live->lock);
}

/* Every call asks twice, and hardly a key ever has a successor: the lock is for those that do. */
void km_key_books(struct km_key *k, uint8_t ret_hash[32])
{
    if (!atomic_load_explicit(&k->live->moved, memory_order_acquire)) {
        memcpy(ret_hash, k->row.hash, sizeof k->row.hash);
        return;
    }
    pthread_mutex_lock(&k->live->lock);
    memcpy(ret_hash, k->live->hash, sizeof k->live->hash);
    pthread_mutex_unlock(&k->live->lock);
}

struct km_key *km_key_ref(struct km_key *k)
{
    atomic_fetch_add_explicit(&object_of(k)->refs, 1, memory_order_relaxed);
    return k;
}

struct km_key *km_key_unref(struct km_key *k)
{
    struct km_key_object *o;

    if (!k)
        return NULL;
    o = object_of(k);
    if (atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) == 1) {
        km_purse_unref(k->live);
        km_key_row_free(o->row);
        free(o);
    }
    return NULL;
}

static void unref_value(void *value)
{
    km_key_unref(value);
}

int km_keys_make_room(struct km_keys *keys, size_t more, struct km_err *err)
{
    size_t n;

    pthread_rwlock_rdlock(&keys->lock);
    n = km_map_count(keys->map);
    pthread_rwlock_unlock(&keys->lock);
    return n + more <= keys->max
               ? 0
               : km_fail(err, KM_E_LIMIT,
                         "There are %zu keys already, and kanmon_settings.max_keys allows %zu.", n,
                         keys->max);
}

struct km_key *km_keys_find(struct km_keys *keys, const uint8_t hash[32])
{
    struct km_key *k;

    pthread_rwlock_rdlock(&keys->lock);
    k = km_map_get(keys->map, hash_view(hash));
    if (!k)
        k = km_keys_at_retired(keys, hash);
    if (k)
        km_key_ref(k);
    pthread_rwlock_unlock(&keys->lock);
    return k;
}

void km_keys_use_accounts(struct km_keys *keys, struct km_accounts *accounts)
{
    keys->accounts = accounts;
}

void km_keys_use_gateway_budget(struct km_keys *keys, struct km_gateway_budget *budget)
{
    keys->gateway = budget;
}

static struct km_str label_of(const struct km_key_row *row)
{
    if (row->alias.n)
        return row->alias;
    return row->name.n ? row->name : KM_STR("default");
}

/* An object with one reference, its live part not set yet. */
static struct km_key_object *object_new(const struct km_key_row *row)
{
    struct km_key_object *o = calloc(1, sizeof *o);

    if (!o)
        return NULL;
    atomic_init(&o->refs, 1);
    o->row = km_key_row_new(row);
    if (!o->row) {
        free(o);
        return NULL;
    }
    o->key.row = *o->row;
    o->key.alias_label = label_of(&o->key.row);
    o->key.routes = km_key_row_routes(&o->key.row);
    o->key.runs = km_run_limits_in(o->key.row.metadata);
    if (km_key_has_account(&o->key.row))
        o->key.payer = o->key.row.limits_id;
    return o;
}

/* --- the table --- */

static struct km_key *nobody_new(void)
{
    const struct km_key_row row = {
        .max_budget = -1, .rpm = -1, .tpm = -1, .max_parallel = -1, .name = KM_STR("nobody")
    };
    struct km_key_object *o = object_new(&row);

    if (!o)
        return NULL;
    o->key.live = km_purse_new(row.hash, 0);
    return o->key.live ? &o->key : km_key_unref(&o->key);
}

struct km_keys *km_keys_new(size_t max_keys)
{
    struct km_keys *keys = calloc(1, sizeof *keys);

    if (!keys)
        return NULL;
    keys->max = max_keys;
    keys->map = km_map_new_borrowed(max_keys);
    keys->retired = km_map_new(SIZE_MAX / 2);
    keys->nobody = nobody_new();
    if (!keys->map || !keys->retired || !keys->nobody ||
        pthread_rwlock_init(&keys->lock, NULL) != 0) {
        if (keys->map)
            km_map_free(keys->map, NULL);
        if (keys->retired)
            km_map_free(keys->retired, NULL);
        km_key_unref(keys->nobody);
        free(keys);
        return NULL;
    }
    return keys;
}

struct km_keys *km_keys_free(struct km_keys *keys)
{
    if (!keys)
        return NULL;
    km_map_free(keys->retired, NULL);
    km_map_free(keys->map, unref_value);
    km_key_unref(keys->nobody);
    pthread_rwlock_destroy(&keys->lock);
    free(keys);
    return NULL;
}

struct km_key *km_keys_nobody(struct km_keys *keys)
{
    return keys->nobody;
}

int km_keys_put(struct km_keys *keys, const struct km_key_row *row, struct km_err *err)
{
    return km_keys_succeed(keys, row, NULL, err);
}

/* Its account is there before it is. */
static int put_account(struct km_keys *keys, const struct km_key *k, struct km_err *err)
{
    const struct km_account_row account = km_key_account(&k->row);

    if (!k->payer.n)
        return 0;
    km_assert(keys->accounts != NULL);
    return km_accounts_put(keys->accounts, &account, err);
}

/* A key that is gone, or has another version by now. */
static void drop_account(struct km_keys *keys, const struct km_key *gone)
{
    if (gone->payer.n)
        km_accounts_del(keys->accounts, KM_ACCOUNT_KEY, gone->payer, KM_STR_NONE);
}

int km_keys_succeed(struct km_keys *keys, const struct km_key_row *row, const uint8_t before[32],
                    struct km_err *err)
{
    struct km_key_object *o = object_new(row), *old, *kin;
    void *replaced = NULL;
    int r;

    if (!o)
        return km_fail(err, KM_E_NOMEM, "keys: out of memory");
    r = put_account(keys, &o->key, err);
    if (r < 0) {
        km_key_unref(&o->key);
        return r;
    }
    o->key.accounts = keys->accounts;
    pthread_rwlock_wrlock(&keys->lock);
    old = km_map_get(keys->map, hash_view(row->hash));
    kin = old || !before ? old : km_map_get(keys->map, hash_view(before));
    if (kin) {
        o->key.live = km_purse_ref(kin->key.live);
    } else {
        o->key.live = km_purse_new(row->hash, row->spend);
        if (o->key.live && keys->accounts)
            o->key.live->soft_passed = &keys->accounts->soft_passed;
    }
    if (!o->key.live) {
        r = KM_E_NOMEM;
    } else {
        live_update(o->key.live, row);
        if (!kin)
            km_purse_know_soft(o->key.live);
        /* A borrowed name lives in its object: the old pair must go before the new one comes. */
        if (kin)
            km_map_del(keys->map, hash_view(kin->key.row.hash));
        km_keys_retire(keys, kin, NULL);
        r = km_map_set(keys->map, hash_view(o->key.row.hash), o, &replaced);
        if (r == 0)
            km_keys_retire(keys, NULL, o);
    }
    atomic_fetch_add_explicit(&keys->generation, 1, memory_order_release);
    pthread_rwlock_unlock(&keys->lock);
    if (r == 0 && kin && !km_str_eq(kin->key.payer, o->key.payer))
        drop_account(keys, &kin->key);
    if (r == 0 || (kin && o->key.live))
        km_key_unref(kin ? &kin->key : NULL);
    if (r < 0) {
        km_key_unref(&o->key);
        return km_fail(err, r, r == KM_E_NOMEM ? "keys: out of memory" : "keys: the table is full");
    }
    return 0;
}

void km_keys_add_window(struct km_keys *keys, const uint8_t hash[32], int64_t end_us, int64_t spent)
{
    struct km_key *k = km_keys_find(keys, hash);

    if (!k)
        return;
    pthread_mutex_lock(&k->live->lock);
    /* Its last moment is in it, and in no other. */
    km_budget_charge(&k->live->budget, spent, end_us - 1);
    pthread_mutex_unlock(&k->live->lock);
    km_key_unref(k);
}

uint64_t km_keys_generation(struct km_keys *keys)
{
    return atomic_load_explicit(&keys->generation, memory_order_acquire);
}

bool km_keys_del(struct km_keys *keys, const uint8_t hash[32])
{
    struct km_key *k;

    pthread_rwlock_wrlock(&keys->lock);
    k = km_map_del(keys->map, hash_view(hash));
    km_keys_retire(keys, (struct km_key_object *)(void *)k, NULL);
    atomic_fetch_add_explicit(&keys->generation, 1, memory_order_release);
    pthread_rwlock_unlock(&keys->lock);
    if (k)
        drop_account(keys, k);
    km_key_unref(k);
    return k != NULL;
}

/* The key whose text at `offset` of its row is the one asked for. */
static struct km_key *by_text(struct km_keys *keys, size_t offset, struct km_str text)
{
    struct km_key *found = NULL;
    struct km_str name;
    void *value;

    if (!text.n)
        return NULL;
    pthread_rwlock_rdlock(&keys->lock);
    for (size_t it = 0; !found && km_map_next(keys->map, &it, &name, &value);) {
        struct km_key *k = value;

        if (km_str_eq(*(const struct km_str *)(const void *)((const char *)&k->row + offset), text))
            found = km_key_ref(k);
    }
    pthread_rwlock_unlock(&keys->lock);
    return found;
}

struct km_key *km_keys_by_alias(struct km_keys *keys, struct km_str alias)
{
    return by_text(keys, offsetof(struct km_key_row, alias), alias);
}

struct km_key *km_keys_by_team(struct km_keys *keys, struct km_str team_id)
{
    return by_text(keys, offsetof(struct km_key_row, team_id), team_id);
}

struct km_key **km_keys_all(struct km_keys *keys, size_t *ret_n)
{
    struct km_key **all = NULL;
    struct km_str name;
    void *value;
    size_t n = 0;

    pthread_rwlock_rdlock(&keys->lock);
    if (km_map_count(keys->map))
        all = malloc(km_map_count(keys->map) * sizeof *all);
    for (size_t it = 0; all && km_map_next(keys->map, &it, &name, &value);)
        all[n++] = km_key_ref(value);
    pthread_rwlock_unlock(&keys->lock);
    *ret_n = n;
    return all;
}

bool km_model_name_fits(struct km_str allowed, struct km_str model)
{
    return model.n && (km_str_eq(allowed, model) ||
                       (km_str_chr(allowed, '*') < allowed.n && km_str_glob(allowed, model, NULL)));
}

KM_MUST_USE static enum km_right own_list_grants(const struct km_key *k, struct km_str model,
                                                 struct km_str alias_of, struct km_err *err)
{
    const struct km_str_list *list = &k->row.models;
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(1024);

    if (list->n == 0)
        return KM_GRANTED;
    for (size_t i = 0; i < list->n; i++) {
        struct km_str allowed = list->v[i];

        if (km_str_eq(allowed, KM_STR("all-proxy-models")) ||
            km_str_eq(allowed, KM_STR("all-team-models")) || km_model_name_fits(allowed, model) ||
            km_model_name_fits(allowed, alias_of))
            return KM_GRANTED;
    }
    for (size_t i = 0; i < list->n; i++)
        km_buf_printf(&text, "%s'%.*s'", i ? ", " : "", KM_STR_ARG(list->v[i]));
    km_fail_param(err, KM_E_MODEL_DENIED, "model",
                  "key not allowed to access model. This key can only access models=[%.*s]. "
                  "Tried to access %.*s",
                  KM_STR_ARG(km_buf_view(&text)), KM_STR_ARG(model));
    return KM_DENIED;
}

enum km_right km_key_grants_model(const struct km_key *k, struct km_str model,
                                  struct km_str alias_of, struct km_err *err)
{
    const struct km_payers_ask ask = km_payers_ask_of(k);

    if (k->master)
        return KM_GRANTED;
    if (own_list_grants(k, model, alias_of, err) != KM_GRANTED)
        return KM_DENIED;
    if (!k->accounts || (!ask.team_id.n && !ask.user_id.n && !ask.organization_id.n && !ask.key.n))
        return KM_GRANTED;
    return km_payers_grant_model(k->accounts, &ask, model, alias_of, err);
}

enum km_right km_key_grants_use(const struct km_key *k, int64_t now_us, struct km_err *err)
{
    char expiry[KM_TIME_ISO_LEN + 1], now[KM_TIME_ISO_LEN + 1];

    if (k->row.blocked) {
        km_fail(err, KM_E_UNAUTHENTICATED,
                "Authentication Error, Key is blocked. Update via `/key/unblock` if you're an "
                "admin.");
        return KM_DENIED;
    }
    if (k->row.expires_us == 0 || now_us < k->row.expires_us) {
        const struct km_payers_ask ask = km_payers_ask_of(k);

        return km_payers_grant_use(k->accounts, &ask, NULL, err);
    }
    km_time_iso(k->row.expires_us, expiry);
    km_time_iso(now_us, now);
    km_fail(err, KM_E_UNAUTHENTICATED,
            "Authentication Error - Expired Key. Key Expiry time %s and current time %s", expiry,
            now);
    if (err)
        err->type = "expired_key";
    return KM_DENIED;
}
