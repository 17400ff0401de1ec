/* SPDX-License-Identifier: Apache-2.0 */
/* quota.h - how much an upstream lets through, as it has said itself: so that a call waits for its
 * turn here rather than run into a 429 there.
 *
 *     x-ratelimit-*, anthropic-ratelimit-*   so many are left, so many come back a second
 *     429 with Retry-After                   nothing until then
 *     429                                    so many at once: half as many as before, and one more
 *                                            each time as many went well
 *
 * Nothing of it lasts: whatever was said, one call a minute is let through and asks.
 *
 * Data in, verdict out: no lock, no clock but the caller's.  Nothing is kept of an upstream that
 * says nothing, and what it has said is forgotten in time.
 */
#ifndef KM_POLICY_QUOTA_H
#define KM_POLICY_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct km_headers;

enum km_quota_of { KM_QUOTA_REQUESTS, KM_QUOTA_TOKENS, KM_QUOTAS };

#define KM_QUOTA_CLOSED_MOST_MS 60000 /* no Retry-After closes it for longer */
#define KM_QUOTA_RESET_MOST_MS 86400000
#define KM_QUOTA_ASKS_MS 60000 /* nothing was sent for so long: one call asks, whatever was said */
#define KM_QUOTA_MOST INT64_C(10000000000) /* requests, tokens: more is not believed */

/* What an answer says; -1: nothing. */
struct km_quota_said {
    int64_t limit[KM_QUOTAS], left[KM_QUOTAS], reset_ms[KM_QUOTAS];
};

/* Where in the order of what was sent a request was. */
struct km_quota_mark {
    int64_t sent[KM_QUOTAS]; /* before it, and by it */
    uint64_t at_ms;
    bool counted; /* false: nobody counted when it left */
};

struct km_quota {
    struct {
        bool known;
        int64_t limit, left; /* as it was said */
        uint64_t said_ms, full_ms; /* when, and when all of it has come back */
        int64_t after; /* sent[] of the request whose answer said it */
    } of[KM_QUOTAS];
    int64_t sent[KM_QUOTAS]; /* while it was counted */
    uint64_t sent_ms; /* the last of them */
    uint64_t closed_until; /* ms; 0: it is not closed */
    int64_t window; /* calls at once; 0: as many as come */
    int64_t steep; /* below so many the window doubles by each round */
    int64_t good; /* calls since it grew last */
    uint64_t slowed_ms; /* when it was made smaller last */
};

/* Would one more with so many tokens be let through, with so many running?  When not, *ret_opens_ms
 * says from when on time alone will have it let through; 0: it hangs on those that run. */
bool km_quota_lets(const struct km_quota *q, int64_t running, int64_t tokens, uint64_t now_ms,
                   uint64_t *ret_opens_ms);
/* What is left of it now; -1: it is not known. */
int64_t km_quota_left(const struct km_quota *q, enum km_quota_of of, uint64_t now_ms);
/* Does anything have to be counted: could one more be too many soon? */
bool km_quota_is_tight(const struct km_quota *q, uint64_t now_ms);
/* One more leaves. */
struct km_quota_mark km_quota_send(struct km_quota *q, int64_t tokens, uint64_t now_ms);
/* The answer of that request says so; what one that left earlier says later is old. */
void km_quota_learn(struct km_quota *q, const struct km_quota_said *said,
                    const struct km_quota_mark *mark, uint64_t now_ms);
/* It was a 429; closed_ms: its Retry-After, 0: none.  Those that were under way when it was made
 * slower say nothing new. */
void km_quota_refuse(struct km_quota *q, int64_t closed_ms, const struct km_quota_mark *mark,
                     uint64_t now_ms);
/* quota_head.c: may a field of that name say something of it?  And what do all of an answer say?
 * wall_ms: now, for moments.  false: nothing is said of what is left. */
bool km_quota_is_field(struct km_str name);
bool km_quota_read(const struct km_headers *h, int64_t wall_ms, struct km_quota_said *ret);
/* It was answered. */
void km_quota_answer(struct km_quota *q, int64_t running, uint64_t now_ms);

#endif
