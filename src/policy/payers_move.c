/* SPDX-License-Identifier: Apache-2.0 */
/* payers_move.c - who pays for a call is another set from now on (payers.h).
 *
 *     admission          key, accounts, model A
 *     first target       key, accounts, model A, provider 1, deployment 1
 *     next target        key, accounts, model A, provider 2, deployment 2      (1: nothing spent)
 *     another group      key, accounts, model B, provider 2, deployment 3, model A: what it cost
 *
 * A draft is the set as it is; whoever moves the call adds to it and takes from it, and says of
 * each share what it is to have reserved then.  km_permit_move() asks the purses for that, all or
 * none.  What left with nothing spent is in the draft no more, and gets all back; what paid for
 * something stays with that as its reservation until the call settles, so nothing is lost and
 * nothing is booked twice.
 *
 * In the ledger a call has one cost and one text.  Where all of a text paid that cost, as nearly
 * always, that is all; else what each of the others pays stands behind it (store/payers.h).
 */
#include "policy/payers_inside.h"

#include <stdlib.h>

#include "policy/account_table.h"
#include "store/payers.h"

/* The windows are read under each purse's lock. */
static void write_text(const struct km_share *v, size_t n, struct km_buf *out)
{
    for (size_t i = 0; i < n; i++) {
        struct km_paying paying;

        if (v[i].unwritten)
            continue;
        paying = km_purse_paying(v[i].purse);
        km_paying_write(&paying, out);
    }
}

static struct km_payers *payers_new(const struct km_share *v, size_t n, struct km_str text)
{
    struct km_payers *p = calloc(1, sizeof *p + n * sizeof p->v[0] + text.n);
    char *at;

    if (!p)
        return NULL;
    at = (char *)(p->v + n);
    p->n = n;
    for (size_t i = 0; i < n; i++) {
        p->v[i] = v[i];
        p->parts = p->parts || v[i].of != KM_SHARE_CALL;
    }
    if (text.n)
        memcpy(at, text.p, text.n);
    p->text = km_str(at, text.n);
    return p;
}

int km_payers_of(const struct km_share *v, size_t n, struct km_payers **ret, struct km_err *err)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(KM_PAYERS_BYTES);

    write_text(v, n, &text);
    if (km_buf_failed(&text))
        return km_fail(err, KM_E_INVALID,
                       "the accounts of this call have names of more than %d bytes together",
                       KM_PAYERS_BYTES);
    *ret = payers_new(v, n, km_buf_view(&text));
    return *ret ? 0 : km_fail(err, KM_E_NOMEM, "out of memory");
}

/* --- drafts --- */

void km_payers_draft(struct km_payers_draft *d, const struct km_payers *p)
{
    d->n = p ? p->n : 0;
    for (size_t i = 0; i < d->n; i++)
        d->v[i] = p->v[i];
}

struct km_share *km_payers_share(struct km_payers_draft *d, const struct km_purse *purse)
{
    for (size_t i = 0; i < d->n; i++)
        if (d->v[i].purse == purse)
            return &d->v[i];
    return NULL;
}

int km_payers_add(struct km_payers_draft *d, const struct km_share *share, struct km_err *err)
{
    if (d->n == KM_PURSES_MOST)
        return km_fail(err, KM_E_INVALID,
                       "the accounts and targets of this call have more than %d budgets and limits "
                       "together",
                       KM_PURSES_MOST);
    d->v[d->n++] = *share;
    return 0;
}

void km_payers_drop(struct km_payers_draft *d, size_t i)
{
    for (d->n--; i < d->n; i++)
        d->v[i] = d->v[i + 1];
}

int km_payers_drawn(const struct km_payers_draft *d, struct km_payers **ret, struct km_err *err)
{
    const int r = km_payers_of(d->v, d->n, ret, err);

    for (size_t i = 0; r == 0 && i < d->n; i++)
        km_purse_ref(d->v[i].purse);
    return r;
}

/* --- targets --- */

static size_t find_target(const struct km_accounts *t, enum km_account_kind kind, struct km_str id,
                          struct km_purse **ret)
{
    const struct km_account *a = id.n ? km_accounts_at(t, kind, id, KM_STR_NONE) : NULL;

    if (!a)
        return 0;
    *ret = km_purse_ref(a->purses[0]);
    return 1;
}

size_t km_payers_targets(struct km_accounts *t, struct km_str provider, struct km_str deployment,
                         struct km_purse *ret[KM_PAYERS_TARGETS])
{
    size_t n;

    pthread_rwlock_rdlock(&t->lock);
    n = find_target(t, KM_ACCOUNT_PROVIDER, provider, ret);
    n += find_target(t, KM_ACCOUNT_DEPLOYMENT, deployment, ret + n);
    pthread_rwlock_unlock(&t->lock);
    return n;
}

/* --- as the ledger has them --- */

void km_payers_write(const struct km_payers *p, int64_t cost, int64_t reserved, struct km_buf *out)
{
    size_t at = 0;

    km_buf_str(out, p->text);
    for (size_t i = 0; p->parts && i < p->n; i++) {
        const struct km_share *s = &p->v[i];
        const struct km_paying_part part = { .at = at, .paid = s->paid, .reserved = s->reserved };

        if (s->unwritten)
            continue;
        if (s->of != KM_SHARE_CALL && s->paid >= 0 && (s->paid != cost || s->reserved != reserved))
            km_paying_write_part(&part, out);
        at++;
    }
}

/* What it says of parts, of those of the text that are there: place[] says where each stood. */
static void read_parts(struct km_str text, struct km_share *v, const size_t *place, size_t n)
{
    struct km_paying_part part;

    while (km_paying_next_part(&text, &part))
        for (size_t i = 0; i < n; i++)
            if (place[i] == part.at) {
                v[i].of = KM_SHARE_TARGET;
                v[i].paid = part.paid;
                v[i].reserved = part.reserved;
            }
}

struct km_payers *km_payers_of_text(struct km_accounts *t, struct km_str text)
{
    struct km_share v[KM_PURSES_MOST];
    size_t place[KM_PURSES_MOST];
    struct km_str rest = km_paying_whole(text);
    struct km_paying paying;
    struct km_payers *p = NULL;
    size_t n = 0;

    if (!text.n)
        return NULL;
    pthread_rwlock_rdlock(&t->lock);
    for (size_t at = 0; n < KM_PURSES_MOST && km_paying_next(&rest, &paying); at++) {
        struct km_purse *purse = km_accounts_purse(t, paying.name);

        if (!purse)
            continue;
        place[n] = at;
        v[n++] = (struct km_share){ .purse = km_purse_ref(purse), .paid = -1 };
    }
    pthread_rwlock_unlock(&t->lock);
    read_parts(km_paying_parts(text), v, place, n);
    if (n && !(p = payers_new(v, n, text)))
        for (size_t i = 0; i < n; i++)
            km_purse_unref(v[i].purse);
    return p;
}
