/* SPDX-License-Identifier: Apache-2.0 */
/* retry.h - does a failed attempt get another one within its model group, and when?
 *
 *     the failure, what is configured, who is left, how much time is left
 *         ──> no, now (at another deployment), or after a wait (at any of the group)
 *
 * Nothing is kept and nothing waits here; call/recover.c acts on the verdict.  Thread: any.
 */
#ifndef KM_POLICY_RETRY_H
#define KM_POLICY_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define KM_RETRIES_MOST 10 /* further attempts that anything may ask for */
#define KM_RETRIES_DEFAULT 2 /* as LiteLLM's router, where nothing is said */
#define KM_RETRY_FIRST_MS 500 /* the longest first wait; each further one may be twice as long */
#define KM_RETRY_LONGEST_MS 8000
#define KM_RETRY_AFTER_MOST_MS 60000 /* an upstream that asks for a longer wait is not retried */

/* How many a caller asks for, in digits; any number is one, the ceiling lowers it.  false: it is
 * none. */
bool km_retries_read(struct km_str text, int64_t *ret);

/* What an attempt failed of.  For the first KM_FAILURES_COUNTED LiteLLM's policies have a name. */
#define KM_FAILURES_LIST(XX)                                                                       \
    XX(BAD_REQUEST, "bad_request")                                                                 \
    XX(AUTHENTICATION, "authentication")                                                           \
    XX(TIMEOUT, "timeout")                                                                         \
    XX(RATE_LIMIT, "rate_limit")                                                                   \
    XX(CONTENT_POLICY, "content_policy")                                                           \
    XX(SERVER, "server")                                                                           \
    XX(BAD_GATEWAY, "bad_gateway")                                                                 \
    XX(UNAVAILABLE, "unavailable")                                                                 \
    XX(NOT_FOUND, "not_found")                                                                     \
    XX(CONTEXT_WINDOW, "context_window")                                                           \
    XX(CONNECTION, "connection")                                                                   \
    XX(OTHER, "other")

enum km_failure {
#define XX(NAME, text) KM_FAILURE_##NAME,
    KM_FAILURES_LIST(XX)
#undef XX
        KM_FAILURES,
    KM_FAILURES_COUNTED = KM_FAILURE_NOT_FOUND + 1,
};

const char *km_failure_word(enum km_failure failure); /* "rate_limit" */
/* Of an upstream's status that says nothing more precise. */
enum km_failure km_failure_of_status(int status);

/* A number for each kind of failure that has a name; -1: not said.  LiteLLM's retry_policy. */
struct km_failure_counts {
    int64_t of[KM_FAILURES_COUNTED];
    int64_t rest; /* of the kinds that are not said */
};

#define KM_FAILURE_COUNTS_NONE                                                                     \
    (struct km_failure_counts)                                                                     \
    {                                                                                              \
        .of = { -1, -1, -1, -1, -1, -1, -1, -1, -1 }, .rest = -1                                   \
    }

/* What is said for this kind of failure, or for the rest; -1: nothing. */
int64_t km_failure_count(const struct km_failure_counts *counts, enum km_failure failure);

struct km_retry_facts {
    enum km_failure failure;
    bool passing; /* the same deployment may do better in a while */
    bool elsewhere; /* another deployment may do better */
    bool instead; /* another model may be asked in the place of this one */
    bool others; /* one that was not tried yet is left, and its breaker is not open */
    bool left_alone; /* one that was not tried yet is left, but it is open, or rests */
    int64_t done; /* further attempts that were made in this group */
    int64_t most; /* that may be made, where no policy says otherwise */
    int64_t limit; /* that may be made whatever a policy says; 0: there is none */
    const struct km_failure_counts *policy; /* NULL: there is none */
    int64_t asked_ms; /* the wait that the upstream asks for; 0: it asks for none */
    int64_t least_ms; /* the shortest wait that is configured */
    uint64_t left_ms; /* of the call's time */
};

enum km_retry {
    KM_RETRY_NO,
    KM_RETRY_NOW, /* at a deployment that was not tried */
    KM_RETRY_LATER, /* at any of the group, after *ret_wait_ms */
};

/* *rng: the call's own random state, moved on where a wait is drawn from it.  The wait is drawn
 * evenly from nothing to a bound that doubles with each attempt ("full jitter"), so that callers
 * that failed together do not come back together; it is never shorter than what the upstream or the
 * configuration asks for. */
enum km_retry km_retry_judge(const struct km_retry_facts *facts, uint64_t *rng,
                             uint64_t *ret_wait_ms);

#endif
