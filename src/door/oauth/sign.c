/* SPDX-License-Identifier: Apache-2.0 */
/* sign.c - texts that leave and come back and are ours: registrations, forms, tickets.
 *
 * They are signed by a key that is derived from the one in the state folder and the purpose, so
 * that they outlive a restart and a hand-over without a row of their own, and what was signed for
 * one purpose is nothing for another.
 */
#include "base/crypto.h"
#include "base/encode.h"
#include "door/oauth/oauth.h"

#define MAC_LEN 16

void km_oauth_mac(const struct km_oauth *o, const char *purpose, struct km_str text,
                  uint8_t ret_mac[KM_SHA256_LEN])
{
    uint8_t key[KM_SHA256_LEN];

    km_hmac_sha256(km_str((const char *)o->key, sizeof o->key), km_str_c(purpose), key);
    km_hmac_sha256(km_str((const char *)key, sizeof key), text, ret_mac);
    km_wipe(key, sizeof key);
}

void km_oauth_sign(const struct km_oauth *o, const char *purpose, struct km_str payload,
                   struct km_buf *out)
{
    uint8_t mac[KM_SHA256_LEN];

    km_oauth_mac(o, purpose, payload, mac);
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
    km_oauth_mac(o, purpose, km_buf_view(&payload), mac);
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
