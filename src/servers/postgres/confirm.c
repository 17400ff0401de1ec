/* SPDX-License-Identifier: Apache-2.0 */
/* confirm.c - see confirm.h.
 *
 *     preview ── word, digest of who, statement and values, rows shown ──> a place of the table
 *     the same call with the word ──> the place is emptied ── same digest, in time? ──> rows
 *
 * A table that is walked whole: it is asked when somebody previews or confirms, which is seldom,
 * and comparing is in constant time, so that nothing is learnt of a word by trying.  A word that
 * was tried for another statement is used up: whoever guesses has one try.  One principal can fill
 * only its share, and pushes out its own words first.
 */
#include "servers/postgres/confirm.h"

#include <pthread.h>
#include <string.h>

#include "base/crypto.h"
#include "base/encode.h"

struct place {
    char word[KM_PG_CONFIRM_WORD + 1]; /* empty: free */
    uint8_t digest[KM_SHA256_LEN], who[KM_SHA256_LEN];
    int64_t rows;
    uint64_t until_ms;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct place places[KM_PG_CONFIRM_MOST]; /* under the lock */

static struct place *older(struct place *a, struct place *b)
{
    return !a || b->until_ms < a->until_ms ? b : a;
}

static struct place *place_for(const uint8_t who[KM_SHA256_LEN])
{
    struct place *oldest = NULL, *own = NULL, *unused = NULL;
    size_t nown = 0;

    for (size_t i = 0; i < KM_PG_CONFIRM_MOST; i++) {
        struct place *p = &places[i];

        if (!p->word[0]) {
            unused = p;
            continue;
        }
        oldest = older(oldest, p);
        if (memcmp(p->who, who, sizeof p->who) == 0) {
            own = older(own, p);
            nown++;
        }
    }
    if (nown >= KM_PG_CONFIRM_EACH)
        return own;
    return unused ? unused : oldest;
}

int km_pg_confirm_give(const uint8_t digest[32], struct km_str principal, int64_t rows,
                       uint64_t now_ms, char *ret_word, struct km_err *err)
{
    uint8_t random[KM_PG_CONFIRM_WORD / 2], who[KM_SHA256_LEN];
    struct place *p;

    if (km_random(random, sizeof random, err) < 0)
        return KM_E_SYSTEM;
    km_sha256(principal, who);
    pthread_mutex_lock(&lock);
    p = place_for(who);
    km_hex(p->word, random, sizeof random);
    memcpy(p->digest, digest, sizeof p->digest);
    memcpy(p->who, who, sizeof p->who);
    p->rows = rows;
    p->until_ms = now_ms + KM_PG_CONFIRM_MS;
    memcpy(ret_word, p->word, KM_PG_CONFIRM_WORD + 1);
    pthread_mutex_unlock(&lock);
    return 0;
}

/* Takes it out of the table; false: there is none of that word. */
static bool take(struct km_str word, struct place *ret)
{
    bool found = false;

    pthread_mutex_lock(&lock);
    for (size_t i = 0; !found && i < KM_PG_CONFIRM_MOST; i++) {
        struct place *p = &places[i];

        found = p->word[0] && km_secret_str_eq(word, km_str(p->word, KM_PG_CONFIRM_WORD));
        if (found) {
            *ret = *p;
            p->word[0] = '\0';
        }
    }
    pthread_mutex_unlock(&lock);
    return found;
}

int km_pg_confirm_take(struct km_str word, const uint8_t digest[32], uint64_t now_ms,
                       int64_t *ret_rows, struct km_err *err)
{
    struct place p;

    if (!take(word, &p) || now_ms > p.until_ms)
        return km_fail(
            err, KM_E_FORBIDDEN,
            "confirmation: unknown, used or older than ten minutes: preview the change again");
    if (!km_secret_eq(digest, p.digest, sizeof p.digest))
        return km_fail(err, KM_E_FORBIDDEN,
                       "confirmation: it was given for another change, and is used up: preview "
                       "this one");
    *ret_rows = p.rows;
    return 0;
}
