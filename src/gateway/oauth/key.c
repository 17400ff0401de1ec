/* SPDX-License-Identifier: Apache-2.0 */
/* key.c - what a browser proves itself with on kanmon's pages (oauth.h): a key that is typed
 * in, and a cookie that says it is still the same browser.
 *
 * Wrong keys are counted by address, so that a page is no place to try keys at.
 */
#include "base/crypto.h"
#include "gateway/oauth/oauth.h"

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

struct km_str km_oauth_cookie(const struct km_visit *v, struct km_str name)
{
    const struct km_headers *h = &km_exchange_request(v->x)->headers;

    for (size_t i = 0; i < h->n; i++) {
        struct km_str rest = h->v[i].value, part;

        if (!km_str_ieq(h->v[i].name, KM_STR("cookie")))
            continue;
        while (km_str_split(&rest, ';', &part)) {
            part = km_str_trim(part);
            if (km_str_starts(part, name) && part.n > name.n && part.p[name.n] == '=')
                return km_str_skip(part, name.n + 1);
        }
    }
    return KM_STR_NONE;
}
