/* SPDX-License-Identifier: Apache-2.0 */
/* key.c - what a person proves itself with on kanmon's pages (access.h): a key that is typed in,
 * or a token of an issuer that is trusted.
 *
 * Wrong keys are counted by address, so that a page is no place to try keys at.  Tokens are not:
 * nobody finds one by trying.
 */
#include "base/crypto.h"
#include "door/jwt/auth.h"
#include "door/oauth/oauth.h"

/* NULL with 0: it is the master key. */
static int usable_key(struct km_visit *v, struct km_str text, struct km_key **ret,
                      struct km_err *err)
{
    struct km_key *key;
    uint8_t hash[32];
    int r;

    km_sha256(text, hash);
    *ret = NULL;
    if (v->view->snap->has_master && km_secret_eq(hash, v->view->snap->master_hash, sizeof hash))
        return 0;
    key = km_keys_find(v->w->gw->keys, hash);
    if (!key)
        return km_fail(err, KM_E_UNAUTHENTICATED, "This key is not known here.");
    r = km_right_code(km_key_grants_use(key, v->came_us, err), err);
    *ret = r < 0 ? km_key_unref(key) : key;
    return r;
}

int km_oauth_key(struct km_visit *v, struct km_str text, struct km_key **ret, struct km_err *err)
{
    struct km_throttle *attempts = km_oauth_of(v->w->gw)->attempts;
    uint64_t now = km_loop_now_ms(v->w->loop);
    char peer[KM_ADDR_TEXT];
    int r;

    *ret = NULL;
    km_addr_host_text(km_exchange_peer(v->x), peer);
    r = km_throttle_look(attempts, km_str_c(peer), now, err);
    if (r < 0)
        return r;
    r = usable_key(v, km_str_trim(text), ret, err);
    /* The look was a moment ago: that it is one too many now changes nothing. */
    if (r < 0 && km_throttle_take(attempts, km_str_c(peer), now, NULL) < 0)
        return r;
    return r;
}

int km_oauth_prove_begin(struct km_visit *v, struct km_str text, km_visit_fn *go_on)
{
    v->hold = NULL; /* what a header of the request said is not what was typed in */
    return km_jwt_prepare(v, text, go_on);
}

int km_oauth_prove(struct km_visit *v, struct km_str text, struct km_oauth_proof *ret,
                   struct km_err *err)
{
    int r;

    *ret = (struct km_oauth_proof){ .token = v->hold != NULL };
    if (!ret->token)
        return km_oauth_key(v, text, &ret->key, err);
    r = km_jwt_authenticate(v, text, err);
    return r == KM_E_AGAIN ? km_fail(err, KM_E_UNAUTHENTICATED, "This is no token.") : r;
}
