/* SPDX-License-Identifier: Apache-2.0 */
/* refresh.h - a thing that expires: made anew by one, waited for by many, on many loops.
 *
 * A token or a set of credentials is made by one run at a time, on the loop of whoever asked
 * first, with that loop's client.  The others, on whatever loop, wait and are told through
 * their mailboxes.  Some time before a value expires the next one is made while the old one
 * goes on being used; a failure is heard only when no valid value is left.
 *
 *     km_refresh_get()  valid ────────────────> a reference, now
 *                       valid, but not for long > a reference, now; a run begins
 *                       none ─────────────────> KM_E_AGAIN; a run begins, wait->ready() follows
 *
 * Any thread, but for what is said of runs.
 */
#ifndef KM_LLM_REFRESH_H
#define KM_LLM_REFRESH_H

#include <stdatomic.h>

#include "llm/auth.h"

/* First member of what is made.  Immutable once it is given away. */
struct km_refreshed {
    _Atomic unsigned refs; /* its maker's: 1 */
    int64_t expires_us; /* wall; INT64_MAX: never */
    uint64_t serial; /* among those of its refresh, from 1; set when it comes */
    void (*free)(struct km_refreshed *value); /* any thread; wipes what is secret */
    /* Tells the veil what of it is a credential, before it is used; NULL: nothing is. */
    void (*tell)(const struct km_refreshed *value, struct km_veil *veil);
};

void km_refreshed_unref(struct km_refreshed *value); /* NULL is fine */

struct km_refresh;

/* One making under way.  Lives on the thread of its loop, to km_refresh_done() or abandon(). */
struct km_refresh_run {
    struct km_loop *loop;
    struct km_http_client *client;
    void *owner; /* km_refresh_new()'s: shared by threads, so what start() reads is constant */
    void *state; /* the maker's own */
    struct km_refresh *refresh; /* private, as the rest */
    struct km_deferred end;
};

struct km_refresh_ops {
    /* Begins to make a value.  It ends in km_refresh_done(), once, maybe before start() returns,
     * and within a bounded time: waiters have no other. */
    void (*start)(struct km_refresh_run *run);
    /* Its loop ends, its client and all calls of that are gone: free run->state, no more. */
    void (*abandon)(struct km_refresh_run *run);
    void (*free)(void *owner); /* with the last reference; any thread */
};

/* Takes owner over, also when it fails (NULL: out of memory).  early_ms: how long before a value
 * expires the next is made; at most half of what it had to live. */
struct km_refresh *km_refresh_new(const struct km_refresh_ops *ops, void *owner, int64_t early_ms);
/* A run that is under way keeps it alive. */
struct km_refresh *km_refresh_unref(struct km_refresh *r); /* NULL */

/* 0: *ret_value is a reference, to be given back.  KM_E_AGAIN: wait->ready() follows, through
 * args->mailbox.  Else why there is none: what the last run said, for a second after it. */
int km_refresh_get(struct km_refresh *r, const struct km_auth_args *args, struct km_auth_wait *wait,
                   struct km_refreshed **ret_value, struct km_err *err) KM_MUST_USE;
/* No ready() follows.  On the loop that waits; harmless when ready() was called. */
void km_refresh_cancel(struct km_refresh *r, struct km_auth_wait *wait);
/* The value of this serial was not accepted: the next get() waits for another, unless there is one
 * already (many were refused at once, and the first to say so had it made).  false: that has
 * happened so often of late (three times, then once in ten seconds) that another would be no
 * better. */
bool km_refresh_distrust(struct km_refresh *r, uint64_t serial);
/* The value is of no use, however new it is (another is at hand, or more is asked for): the next
 * get() waits for another, and does not hear what the last run said.  true. */
bool km_refresh_renew(struct km_refresh *r);

/* Ends a run, on its loop: value (its reference is taken over) or err. */
void km_refresh_done(struct km_refresh_run *run, struct km_refreshed *value,
                     const struct km_err *err);

#endif
