/* SPDX-License-Identifier: Apache-2.0 */
/* revoke.c - see revoke.h.
 *
 *     admin ── new version of a key or an account, or none ──> their table's generation + 1
 *     each worker, four times a second ── another generation? ──> modules: calls, sessions, listens
 *
 * Nothing is asked for each event of a stream; a worker whose keys did not change reads one number.
 */
#include "host/revoke.h"

#include "host/gateway.h"
#include "host/module.h"

#define EXPIRY_LOOKS 20 /* 5 s */

int km_revoke_check(struct km_worker *w, const uint8_t hash[32], struct km_err *err)
{
    struct km_key *key = km_keys_find(w->gw->keys, hash);
    int r = key ? km_right_code(km_key_grants_use(key, km_wall_us(), err), err)
                : km_fail(err, KM_E_UNAUTHENTICATED,
                          "Authentication Error, the key was revoked: it was deleted.");

    km_key_unref(key);
    return r;
}

void km_revoke_look(struct km_worker *w)
{
    uint64_t generation = km_keys_generation(w->gw->keys) + km_accounts_generation(w->gw->accounts);

    if (generation == w->revoke.generation && ++w->revoke.looks < EXPIRY_LOOKS)
        return;
    w->revoke = (struct km_revoke){ .generation = generation };
    km_modules_worker_revoke(w);
}
