/* SPDX-License-Identifier: Apache-2.0 */
/* calls.c - what a worker's calls have to do with its life, as a module of it.
 *
 *     a key or an account changed
 *                      calls by one that may not be used any more end, each told why
 *     drain            sessions end soon (km_calls_leave)
 *     end              the worker waits until the last has settled, and what one of them asked of
 *                      another process is answered
 *
 * A call that is ended for its key is one that failed: its client gets an error of its dialect, a
 * stream is broken off with such an event, and what was heard is settled.  A key that was
 * regenerated lives on in its successor, and so do its calls.
 */
#include "call/call.h"
#include "host/module.h"

static bool may_go_on(struct km_call *call, struct km_err *err)
{
    uint8_t hash[32];

    if (!call->visit)
        return true;
    if (!call->visit->who.key)
        return !call->hold.payers || km_call_payers_go_on(call, err);
    km_key_books(call->visit->who.key, hash);
    return km_revoke_check(call->w, hash, err) == 0 && km_call_payers_go_on(call, err);
}

/* An end of one may be the end of others (a chat and the calls it makes), so the walk begins
 * again after each; those that only wait for their books stay in the list. */
static bool end_one(struct km_worker *w)
{
    KM_LIST_EACH(node, &w->calls)
    {
        struct km_call *call = KM_CONTAINER(node, struct km_call, link);
        struct km_err err = { 0 };

        if (call->revoked || may_go_on(call, &err))
            continue;
        call->revoked = true;
        km_call_revoke(call, &err);
        return true;
    }
    return false;
}

static void calls_revoke(struct km_worker *w, void *state)
{
    (void)state;
    while (end_one(w)) {
    }
}

static void calls_drain(struct km_worker *w, void *state)
{
    (void)state;
    km_calls_leave(w);
}

static bool calls_quiet(struct km_worker *w, void *state)
{
    (void)state;
    return w->ncalls == 0 && w->nasks == 0;
}

static const char place KM_MODULE_PLACE;

const struct km_module km_calls_module = {
    .name = "calls",
    .place = &place,
    .worker_revoke = calls_revoke,
    .worker_drain = calls_drain,
    .worker_quiet = calls_quiet,
};
