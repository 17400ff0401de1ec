/* SPDX-License-Identifier: Apache-2.0 */
/* oauth.c - the state of the built-in authorization server; see oauth.h.
 *
 * Grants are read from the store once, before loops run; one whose virtual key is gone is passed
 * over, for its tokens would be refused all the same.  The key that signs is the state folder's:
 * what was signed before a restart is good after it (sign.c).
 */
#include "door/oauth/oauth.h"

#include <stdlib.h>

#include "base/crypto.h"
#include "door/jwt/auth.h"
#include "store/answers.h"

#define GRANTS_MOST 20000
#define COUNTERS 1024
#define REGISTRATIONS_A_MINUTE 60
#define ATTEMPTS_A_MINUTE 20 /* keys shown at the page, of one address */

static void each_grant(void *ctx, const struct km_grant *grant)
{
    struct km_err ignored;

    /* Over the bound the oldest log-ins are the ones that are missing: nobody is let in. */
    if (km_grants_add(ctx, grant, km_wall_us(), &ignored) < 0)
        return;
}

static void oauth_free(void *state)
{
    struct km_oauth *o = state;

    km_grants_free(o->grants);
    km_throttle_free(o->registrations);
    km_throttle_free(o->attempts);
    km_cimd_free(o->documents);
    km_wipe(o->key, sizeof o->key);
    free(o);
}

/* Reads the key of the state folder (or makes it) and the grants of the store.  Blocking. */
static int oauth_init(struct km_gateway *gw, void **ret_state, struct km_err *err)
{
    struct km_oauth *o = calloc(1, sizeof *o);
    int r = o ? 0 : km_fail(err, KM_E_NOMEM, "out of memory");

    if (r < 0)
        return r;
    o->grants = km_grants_new(GRANTS_MOST);
    o->registrations = km_throttle_new(COUNTERS, REGISTRATIONS_A_MINUTE);
    o->attempts = km_throttle_new(COUNTERS, ATTEMPTS_A_MINUTE);
    o->documents = km_cimd_new();
    if (!o->grants || !o->registrations || !o->attempts || !o->documents)
        r = km_fail(err, KM_E_NOMEM, "out of memory");
    if (r == 0)
        r = km_answers_key_for(gw->state_dir, true, KM_STR("oauth"), o->key, err);
    if (r == 0)
        r = km_store_grants(gw->store, each_grant, o->grants, err);
    if (r < 0)
        oauth_free(o);
    else
        *ret_state = o;
    return r;
}

static const char place KM_MODULE_PLACE;

const struct km_module km_oauth_module = {
    .name = "authorization server",
    .place = &place,
    .gateway_init = oauth_init,
    .gateway_free = oauth_free,
};

bool km_oauth_serves(const struct km_snapshot *snap)
{
    int64_t server = snap->oauth->oauth.server;

    if (snap->auth_off || server == KM_OAUTH_OFF)
        return false;
    return server == KM_OAUTH_ON || !km_jwt_issuers(snap);
}
