/* SPDX-License-Identifier: Apache-2.0 */
/* outage.c - see outage.h for the contract.
 *
 * What is refused, by kanmon_settings.store_unavailable:
 *
 *                  commits fail                        the file is lost or damaged
 *     strict       each call by its own commit         all, unless `serve`
 *     refuse       budgeted after 1 s, all after       all
 *                  1,000 calls
 *     auto         the same                            budgeted after 1 s, all after 1,000 calls
 *     serve        none until ledger_queue is full     none
 *
 * and all of them, but under `serve`, once the spill file cannot be written either, and each that
 * has no room reserved in it (room.h): an answer would be given that a crash makes unpaid.
 */
#include "store/outage.h"

#include <stdio.h>

#include "base/time.h"

void km_outage_init(struct km_outage *o, bool strict, enum km_store_unavailable policy)
{
    atomic_init(&o->kind, KM_OUTAGE_NONE);
    o->strict = strict;
    o->policy = policy;
    if (strict && policy == KM_STORE_UNAVAILABLE_AUTO)
        o->policy = KM_STORE_UNAVAILABLE_REFUSE;
    pthread_mutex_init(&o->lock, NULL);
}

void km_outage_done(struct km_outage *o)
{
    pthread_mutex_destroy(&o->lock);
}

bool km_outage_begin(struct km_outage *o, enum km_outage_kind kind, const char *reason,
                     const char *text)
{
    bool news;

    pthread_mutex_lock(&o->lock);
    news = (int)kind > atomic_load(&o->kind);
    if (news) {
        if (atomic_load(&o->kind) == KM_OUTAGE_NONE) {
            atomic_store(&o->since_ms, km_mono_ms());
            atomic_store(&o->admitted, 0);
            o->since_us = km_wall_us();
        }
        (void)snprintf(o->reason, sizeof o->reason, "%s", reason);
        (void)snprintf(o->text, sizeof o->text, "%s", text);
        atomic_store(&o->kind, (int)kind);
    }
    pthread_mutex_unlock(&o->lock);
    return news;
}

void km_outage_add(struct km_outage *o, const char *text)
{
    size_t n;

    pthread_mutex_lock(&o->lock);
    n = strlen(o->text);
    (void)snprintf(o->text + n, sizeof o->text - n, " %s", text);
    pthread_mutex_unlock(&o->lock);
}

bool km_outage_end(struct km_outage *o)
{
    bool news;

    if (km_outage_kind(o) == KM_OUTAGE_NONE)
        return false;
    pthread_mutex_lock(&o->lock);
    news = atomic_load(&o->kind) == KM_OUTAGE_UNWRITABLE;
    if (news)
        atomic_store(&o->kind, KM_OUTAGE_NONE);
    pthread_mutex_unlock(&o->lock);
    return news;
}

static bool is_refused(struct km_outage *o, enum km_outage_kind kind, bool budgeted)
{
    if (kind == KM_OUTAGE_NONE || o->policy == KM_STORE_UNAVAILABLE_SERVE)
        return false;
    if (kind >= KM_OUTAGE_LOST && o->policy == KM_STORE_UNAVAILABLE_REFUSE)
        return true;
    if (o->strict)
        return false; /* its intent's own commit decides */
    return atomic_load(&o->unspilled) ||
           (budgeted && km_mono_ms() - atomic_load(&o->since_ms) >= KM_OUTAGE_BUDGETED_MS) ||
           atomic_load(&o->admitted) >= KM_OUTAGE_CALLS;
}

int km_outage_admit(struct km_outage *o, bool budgeted, struct km_err *err)
{
    enum km_outage_kind kind = km_outage_kind(o);

    if (!is_refused(o, kind, budgeted)) {
        atomic_fetch_add(&o->admitted, 1);
        return 0;
    }
    atomic_fetch_add(&o->refused, 1);
    pthread_mutex_lock(&o->lock);
    km_fail(err, KM_E_STORE, "This call was not made, because it could not be booked: %s.",
            o->reason);
    pthread_mutex_unlock(&o->lock);
    if (err)
        err->retry_after_ms = kind == KM_OUTAGE_UNWRITABLE ? 1000 : 10000;
    return KM_E_STORE;
}

int km_outage_fail(struct km_outage *o, struct km_err *err)
{
    pthread_mutex_lock(&o->lock);
    km_fail(err, KM_E_STORE, "%s", o->text);
    pthread_mutex_unlock(&o->lock);
    return KM_E_STORE;
}

void km_outage_tell(struct km_outage *o, struct km_store_health *ret)
{
    static const char *const names[] = { "healthy", "unwritable", "lost", "damaged" };
    enum km_outage_kind kind;

    pthread_mutex_lock(&o->lock);
    kind = km_outage_kind(o);
    *ret = (struct km_store_health){ .healthy = kind == KM_OUTAGE_NONE,
                                     .name = names[kind],
                                     .unspilled = atomic_load(&o->unspilled),
                                     .refusing = is_refused(o, kind, false),
                                     .refusing_budgeted = is_refused(o, kind, true),
                                     .refused = atomic_load(&o->refused) };
    if (!ret->healthy) {
        ret->since_us = o->since_us;
        (void)snprintf(ret->reason, sizeof ret->reason, "%s", o->reason);
        (void)snprintf(ret->text, sizeof ret->text, "%s", o->text);
    }
    pthread_mutex_unlock(&o->lock);
}
