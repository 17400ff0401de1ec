/* SPDX-License-Identifier: Apache-2.0 */
/* issuer.h - the issuers of a snapshot, their keys and what was judged by them; private to
 * door/jwt. */
#ifndef KM_DOOR_JWT_ISSUER_H
#define KM_DOOR_JWT_ISSUER_H

#include <pthread.h>

#include "door/jwt/auth.h"
#include "door/jwt/keys.h"
#include "door/jwt/verdict.h"

struct km_jwt_issuer {
    const struct km_jwt_entry *entry; /* the configuration's, or own */
    struct km_jwt_entry own; /* LiteLLM's keys as an entry */
    bool any_issuer; /* LiteLLM's without JWT_ISSUER */
    struct km_refresh *refresh;
    pthread_mutex_t lock;
    struct km_jwt_keys *last; /* guarded by lock; referenced */
};

struct km_jwt_auth {
    struct km_str audience[1]; /* of LiteLLM's */
    struct km_jwt_verdicts *verdicts;
    size_t n;
    struct km_jwt_issuer v[];
};

/* NULL: its tokens are nobody's. */
struct km_jwt_issuer *km_jwt_issuer_of(struct km_jwt_auth *a, struct km_str iss);

#endif
