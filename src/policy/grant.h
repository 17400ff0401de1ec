/* SPDX-License-Identifier: Apache-2.0 */
/* grant.h - the grants of the built-in authorization server, and the one place where their
 * secrets change hands: a code becomes tokens once, a refresh token becomes the next once.
 *
 * Shared by all workers; locked inside.  Secrets are known here by their SHA-256 only.  What a
 * change leaves is copied out, to be written to the store by whoever asked.
 */
#ifndef KM_POLICY_GRANT_H
#define KM_POLICY_GRANT_H

#include "store/grants.h"

#define KM_GRANT_CODE_US (INT64_C(60) * 1000000) /* to redeem a code */
#define KM_GRANT_ACCESS_US (INT64_C(3600) * 1000000)
#define KM_GRANT_IDLE_US (INT64_C(30) * 86400 * 1000000) /* since the last refresh */
#define KM_GRANT_GRACE_US (INT64_C(30) * 1000000) /* a refresh whose answer was lost, again */

struct km_grants;

struct km_grants *km_grants_new(size_t most);
struct km_grants *km_grants_free(struct km_grants *g);
size_t km_grants_count(struct km_grants *g);

/* Adds one (from the store, or fresh with its code).  KM_E_LIMIT when full of those that are not
 * over at now_us. */
int km_grants_add(struct km_grants *g, const struct km_grant *grant, int64_t now_us,
                  struct km_err *err) KM_MUST_USE;
/* false: there was none. */
bool km_grants_remove(struct km_grants *g, const uint8_t id[KM_GRANT_ID_LEN]);

/* By an access token that is good at now_us. */
bool km_grants_access(struct km_grants *g, const uint8_t token[32], int64_t now_us,
                      struct km_grant *ret, int64_t *ret_expires_us);
/* By any access or refresh token of it, good or not. */
bool km_grants_find(struct km_grants *g, const uint8_t token[32], struct km_grant *ret);

/* What a client shows at the token endpoint, and the digests of what it is to get. */
struct km_grant_ask {
    uint8_t secret[32]; /* of the code or the refresh token */
    uint8_t client[32], redirect[32]; /* redirect: of a code */
    struct km_str verifier; /* PKCE, of a code */
    struct km_str resource; /* empty: not said */
    uint8_t access[32], refresh[32]; /* fresh ones */
    int64_t now_us;
};

/* On failure *ret_revoked tells whether the grant is gone now, because a secret came twice
 * (*ret then holds it): KM_E_FORBIDDEN with a text for the client, "invalid_grant" or
 * "invalid_target" as its reason. */
int km_grants_redeem(struct km_grants *g, const struct km_grant_ask *ask, struct km_grant *ret,
                     bool *ret_revoked, struct km_err *err) KM_MUST_USE;
int km_grants_refresh(struct km_grants *g, const struct km_grant_ask *ask, struct km_grant *ret,
                      bool *ret_revoked, struct km_err *err) KM_MUST_USE;

/* Is what lies at `path` inside the resource (a URL; "": everything)?  "/mcp" holds "/mcp" and
 * what is below it, not "/mcp2". */
bool km_grant_covers(struct km_str resource, struct km_str path);
/* S256: base64url(SHA-256(verifier)) == challenge, for a verifier of 43 to 128 unreserved bytes. */
bool km_pkce_holds(struct km_str verifier, struct km_str challenge);

#endif
