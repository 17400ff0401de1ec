/* SPDX-License-Identifier: Apache-2.0 */
/* keys.h - the key set of one issuer: fetched by one, waited for by many. */
#ifndef KM_DOOR_JWT_KEYS_H
#define KM_DOOR_JWT_KEYS_H

#include "base/crypto.h"
#include "llm/refresh.h"
#include "policy/jwt.h"

struct km_jwt_keys { /* what a refresh makes */
    struct km_refreshed base;
    struct km_jwks *set;
    uint8_t digest[KM_SHA256_LEN]; /* of their text */
};

struct km_jwt_keys_args {
    struct km_str issuer;
    struct km_str jwks_url; /* empty: as the issuer's metadata say */
    const struct km_str_list *trusted_hosts;
    struct km_tls_client *tls;
    const struct km_proxy_env *proxies;
};

/* Everything is copied; NULL when out of memory. */
struct km_refresh *km_jwt_keys_new(const struct km_jwt_keys_args *args);

#endif
