/* SPDX-License-Identifier: Apache-2.0 */
/* ahead.c - see ahead.h for the contract.
 *
 *     BEGIN  frames of the spill file -> rows  open calls -> charged  | keys, windows, holds | 
 * ROLLBACK
 *
 * The driver sees to it that nothing of it touches the disk (rehearse).  The transaction's lock
 * keeps the writer from bringing the real store there while the keys are read, which would count
 * the same twice or not at all.
 */
#include "store/ahead.h"

#include <stdlib.h>

#include "store/incomplete.h"
#include "store/inside.h"
#include "store/spill_ledger.h"

struct km_ahead {
    struct km_db *db;
    struct km_apply *apply;
};

static int rehearse(struct km_ahead *a, struct km_spill *spill, int64_t hold_us, struct km_err *err)
{
    struct km_incomplete done = { 0 };
    int r = a->db->driver->rehearse(a->db, err);

    if (r == 0)
        r = km_apply_new(a->db, &a->apply, err);
    if (r == 0 && spill)
        r = km_spill_rehearse(spill, a->db, a->apply, err);
    if (r == 0)
        r = km_incomplete_charge(a->db, a->apply, 0, hold_us, &done, err);
    km_incomplete_done(&done);
    return r == 0 ? km_apply_finish(a->apply, err) : r;
}

int km_ahead_open(struct km_store *store, struct km_spill *spill, struct km_err *err)
{
    struct km_ahead *a = calloc(1, sizeof *a);
    int r;

    if (!a)
        return km_fail(err, KM_E_NOMEM, "store: out of memory");
    store->ahead = a;
    r = store->driver->open(store->place.path, KM_DB_WRITE, &a->db, err);
    if (r == 0)
        r = rehearse(a, spill, store->hold_us, err);
    if (r < 0)
        km_ahead_close(store);
    return r;
}

void km_ahead_close(struct km_store *store)
{
    struct km_ahead *a = store->ahead;

    if (!a)
        return;
    store->ahead = NULL;
    a->apply = km_apply_free(a->apply);
    if (a->db)
        a->db->driver->rollback(a->db);
    a->db = km_db_close(a->db);
    free(a);
}

int km_ahead_ask_for(struct km_store *store, const struct km_statement *s, const void *in,
                     struct km_db **ret_db, struct km_ready **ret_ready, struct km_err *err)
{
    if (store->ahead)
        return km_db_ask(store->ahead->db, s, in, ret_ready, err);
    return km_store_ask(store, s, in, ret_db, ret_ready, err);
}

int km_ahead_ask(struct km_store *store, const struct km_statement *s, struct km_db **ret_db,
                 struct km_ready **ret_ready, struct km_err *err)
{
    return km_ahead_ask_for(store, s, NULL, ret_db, ret_ready, err);
}
