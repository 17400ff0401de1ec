/* SPDX-License-Identifier: Apache-2.0 */
/* retry.c - see retry.h for the contract.
 *
 *     failed ── too many already? ────────────────────────────────> no
 *                another deployment is left, and may do better ───> now
 *                  (also one that is left alone, where no other model may be asked)
 *                the same may do better in a while ── in time? ───> later
 *
 * A policy that names a kind of failure says that it is to be tried again whatever we think of it,
 * as LiteLLM reads it.  Its number takes the place of num_retries.
 */
#include "policy/retry.h"

#include "base/backoff.h"
#include "base/prng.h"

#define ASKED_MOST 1000000 /* more is no more */

bool km_retries_read(struct km_str text, int64_t *ret)
{
    int64_t n = 0;

    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
        n = n < ASKED_MOST ? n * 10 + (text.p[i] - '0') : ASKED_MOST;
    }
    *ret = n < ASKED_MOST ? n : ASKED_MOST;
    return text.n > 0;
}

const char *km_failure_word(enum km_failure failure)
{
    static const char *const names[] = {
#define XX(NAME, text) [KM_FAILURE_##NAME] = text,
        KM_FAILURES_LIST(XX)
#undef XX
    };

    return names[failure];
}

enum km_failure km_failure_of_status(int status)
{
    switch (status) {
    case 400:
    case 413:
    case 422:
        return KM_FAILURE_BAD_REQUEST;
    case 401:
    case 403:
        return KM_FAILURE_AUTHENTICATION;
    case 404:
        return KM_FAILURE_NOT_FOUND;
    case 408:
        return KM_FAILURE_TIMEOUT;
    case 429:
        return KM_FAILURE_RATE_LIMIT;
    case 502:
        return KM_FAILURE_BAD_GATEWAY;
    case 503:
    case 529:
        return KM_FAILURE_UNAVAILABLE;
    default:
        return status >= 500 ? KM_FAILURE_SERVER : KM_FAILURE_OTHER;
    }
}

int64_t km_failure_count(const struct km_failure_counts *counts, enum km_failure failure)
{
    int64_t n = failure < KM_FAILURES_COUNTED ? counts->of[failure] : -1;

    /* As LiteLLM's classes have it, both are bad requests too. */
    if (n < 0 && (failure == KM_FAILURE_CONTENT_POLICY || failure == KM_FAILURE_CONTEXT_WINDOW))
        n = counts->of[KM_FAILURE_BAD_REQUEST];
    return n >= 0 ? n : counts->rest;
}

static uint64_t draw_wait(const struct km_retry_facts *f, uint64_t *rng)
{
    uint64_t bound = km_backoff(KM_RETRY_FIRST_MS, KM_RETRY_LONGEST_MS, (uint64_t)f->done);
    uint64_t wait = km_prng_next(rng) % (bound + 1);
    uint64_t least = f->least_ms > 0 ? (uint64_t)f->least_ms : 0;

    if (f->asked_ms > 0 && (uint64_t)f->asked_ms > least)
        least = (uint64_t)f->asked_ms;
    return wait > least ? wait : least;
}

enum km_retry km_retry_judge(const struct km_retry_facts *f, uint64_t *rng, uint64_t *ret_wait_ms)
{
    int64_t said = f->policy ? km_failure_count(f->policy, f->failure) : -1;
    int64_t most = said >= 0 ? said : f->most;
    bool told_to = said > 0;

    if (f->limit > 0 && most > f->limit)
        most = f->limit;
    if (f->done >= most)
        return KM_RETRY_NO;
    /* One that is probably down is better than a certain refusal, and worse than another model. */
    if ((f->others || (f->left_alone && !f->instead)) && (f->elsewhere || f->passing || told_to))
        return KM_RETRY_NOW;
    if ((!f->passing && !told_to) || f->asked_ms > KM_RETRY_AFTER_MOST_MS)
        return KM_RETRY_NO;
    if (f->instead && f->failure == KM_FAILURE_RATE_LIMIT && !told_to)
        return KM_RETRY_NO; /* it is full: whoever may be asked instead is not waited for */
    *ret_wait_ms = draw_wait(f, rng);
    return *ret_wait_ms < f->left_ms ? KM_RETRY_LATER : KM_RETRY_NO;
}
