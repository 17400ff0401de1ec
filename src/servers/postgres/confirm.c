/* SPDX-License-Identifier: Apache-2.0 */
/* confirm.c - see confirm.h.
 *
 *     preview ── word, digest of who, statement and values, rows shown ──> a place of the table
 *     the same call with the word ──> the place is emptied ── same digest, in time? ──> rows
 *
 * A small table that is walked whole: there are few, and comparing is in constant time, so that
 * nothing is learnt of a word by trying.  A word that was tried for another statement is used up:
 * whoever guesses has one try.
 */
#include "servers/postgres/confirm.h"

#include "base/crypto.h"
#include "base/encode.h"

int km_pg_confirm_give(struct km_pg_confirms *c, const uint8_t digest[32], int64_t rows,
                       uint64_t now_ms, char *ret_word, struct km_err *err)
{
    uint8_t random[KM_PG_CONFIRM_WORD / 2];
    size_t at = 0;

    if (km_random(random, sizeof random, err) < 0)
        return KM_E_SYSTEM;
    for (size_t i = 0; i < KM_PG_CONFIRM_MOST; i++)
        if (!c->v[i].word[0] || c->v[i].until_ms < c->v[at].until_ms) {
            at = i;
            if (!c->v[i].word[0])
                break;
        }
    km_hex(c->v[at].word, random, sizeof random);
    memcpy(c->v[at].digest, digest, sizeof c->v[at].digest);
    c->v[at].rows = rows;
    c->v[at].until_ms = now_ms + KM_PG_CONFIRM_MS;
    memcpy(ret_word, c->v[at].word, KM_PG_CONFIRM_WORD + 1);
    return 0;
}

int km_pg_confirm_take(struct km_pg_confirms *c, struct km_str word, const uint8_t digest[32],
                       uint64_t now_ms, int64_t *ret_rows, struct km_err *err)
{
    for (size_t i = 0; i < KM_PG_CONFIRM_MOST; i++) {
        if (!c->v[i].word[0] || !km_secret_str_eq(word, km_str(c->v[i].word, KM_PG_CONFIRM_WORD)))
            continue;
        c->v[i].word[0] = '\0';
        if (now_ms > c->v[i].until_ms)
            break;
        if (!km_secret_eq(digest, c->v[i].digest, sizeof c->v[i].digest))
            return km_fail(err, KM_E_FORBIDDEN,
                           "confirmation: it was given for another change, and is used up: preview "
                           "this one");
        *ret_rows = c->v[i].rows;
        return 0;
    }
    return km_fail(
        err, KM_E_FORBIDDEN,
        "confirmation: unknown, used or older than ten minutes: preview the change again");
}
