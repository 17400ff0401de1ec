/* SPDX-License-Identifier: Apache-2.0 */
/* oauth.c - the state of the built-in authorization server, and its routes; see oauth.h.
 *
 * What is signed here is signed by a key that is derived from the one in the state folder, so that
 * registrations and forms outlive a restart and a hand-over without a row of their own.  Grants
 * are read from the store once, before loops run; one whose virtual key is gone is passed over,
 * for its tokens would be refused all the same.
 */
#include "gateway/oauth/oauth.h"

#include <stdlib.h>

#include "base/crypto.h"
#include "base/encode.h"
#include "gateway/jwt/auth.h"
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

/* --- what is signed --- */

#define MAC_LEN 16

static void mac_of(const struct km_oauth *o, const char *purpose, struct km_str payload,
                   uint8_t mac[KM_SHA256_LEN])
{
    uint8_t key[KM_SHA256_LEN];

    km_hmac_sha256(km_str((const char *)o->key, sizeof o->key), km_str_c(purpose), key);
    km_hmac_sha256(km_str((const char *)key, sizeof key), payload, mac);
    km_wipe(key, sizeof key);
}

void km_oauth_sign(const struct km_oauth *o, const char *purpose, struct km_str payload,
                   struct km_buf *out)
{
    uint8_t mac[KM_SHA256_LEN];

    mac_of(o, purpose, payload, mac);
    km_buf_str(out, KM_STR(KM_SIGNED_MARK));
    km_buf_base64url(out, payload);
    km_buf_byte(out, '.');
    km_buf_base64url(out, km_str((const char *)mac, MAC_LEN));
}

bool km_oauth_open(const struct km_oauth *o, const char *purpose, struct km_str text,
                   struct km_arena *arena, struct km_str *ret_payload)
{
    struct km_buf payload KM_CLEANUP(km_buf_done) = KM_BUF(KM_OAUTH_BODY_BYTES);
    struct km_buf said KM_CLEANUP(km_buf_done) = KM_BUF(64);
    uint8_t mac[KM_SHA256_LEN];
    size_t dot;

    text = km_signed_text(text);
    dot = km_str_chr(text, '.');
    if (dot >= text.n || km_buf_unbase64(&payload, km_str_sub(text, 0, dot)) < 0 ||
        km_buf_unbase64(&said, km_str_skip(text, dot + 1)) < 0 || said.n != MAC_LEN)
        return false;
    mac_of(o, purpose, km_buf_view(&payload), mac);
    if (!km_secret_eq(mac, said.p, MAC_LEN))
        return false;
    *ret_payload = km_arena_str(arena, km_buf_view(&payload));
    return ret_payload->p != NULL;
}

int km_oauth_secret(const char *prefix, struct km_arena *arena, struct km_str *ret,
                    uint8_t ret_hash[32], struct km_err *err)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(128);
    uint8_t random[32];
    int r = km_random(random, sizeof random, err);

    if (r < 0)
        return r;
    km_buf_str(&text, km_str_c(prefix));
    km_buf_base64url(&text, km_str((const char *)random, sizeof random));
    km_wipe(random, sizeof random);
    *ret = km_arena_str(arena, km_buf_view(&text));
    km_wipe(text.p, text.n);
    if (!ret->p)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    km_sha256(*ret, ret_hash);
    return 0;
}

/* --- routes --- */

static const struct km_route rows[] = {
    { "GET", "/.well-known/oauth-protected-resource", km_oauth_resource_metadata, KM_AUTH_WEB,
      NULL },
    { "GET", "/.well-known/oauth-protected-resource/{path:path}", km_oauth_resource_metadata,
      KM_AUTH_WEB, NULL },
    { "GET", "/.well-known/oauth-authorization-server", km_oauth_server_metadata, KM_AUTH_WEB,
      NULL },
    { "GET", "/.well-known/oauth-authorization-server/{path:path}", km_oauth_server_metadata,
      KM_AUTH_WEB, NULL },
    { "GET", "/oauth/authorize", km_oauth_authorize_get, KM_AUTH_PUBLIC, NULL },
    { "POST", "/oauth/authorize", km_oauth_authorize_post, KM_AUTH_PUBLIC, NULL },
    { "POST", "/oauth/token", km_oauth_token, KM_AUTH_WEB, NULL },
    { "POST", "/oauth/register", km_oauth_register, KM_AUTH_WEB, NULL },
    { "POST", "/oauth/revoke", km_oauth_revoke, KM_AUTH_WEB, NULL },
    { "POST", "/oauth/introspect", km_oauth_introspect, KM_AUTH_KEY, NULL },
};

const struct km_route_rows km_oauth_routes = { rows, sizeof rows / sizeof rows[0] };
