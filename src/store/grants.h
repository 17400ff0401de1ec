/* SPDX-License-Identifier: Apache-2.0 */
/* grants.h - what the built-in authorization server has granted, as rows that survive a restart.
 *
 * A grant is one log-in of one client with one virtual key: its code, its access tokens, its
 * refresh tokens.  Only digests of secrets are here.  A row is a plain value without pointers, so
 * that a table of them can be copied out under a lock.
 *
 * Thread and answers as in store.h.
 */
#ifndef KM_STORE_GRANTS_H
#define KM_STORE_GRANTS_H

#include "store/store.h"

#define KM_GRANT_ID_LEN 16
#define KM_GRANT_RESOURCE_BYTES 256
#define KM_GRANT_NAME_BYTES 64
#define KM_GRANT_SCOPE_BYTES 64
#define KM_GRANT_CHALLENGE_LEN 43 /* base64url of a SHA-256 */

/* Texts end with NUL.  Times are wall microseconds.  A digest of zeros is that of no secret. */
struct km_grant {
    uint8_t id[KM_GRANT_ID_LEN];
    uint8_t key_hash[32];
    uint8_t client[32], redirect[32]; /* SHA-256 of the client id and the redirect URI */
    char client_name[KM_GRANT_NAME_BYTES + 1];
    char resource[KM_GRANT_RESOURCE_BYTES + 1]; /* audience; "": the whole gateway */
    char scope[KM_GRANT_SCOPE_BYTES + 1];
    char challenge[KM_GRANT_CHALLENGE_LEN + 1];
    uint8_t code[32];
    int64_t code_expires_us;
    bool code_used;
    uint8_t access[2][32]; /* the newest, the one before */
    int64_t access_expires_us[2];
    uint8_t refresh[2][32];
    int64_t rotated_us, created_us;
    int64_t expires_us; /* nothing of it is good after */
};

/* Inserts or replaces by id, and forgets some that are over.  Copied before return. */
void km_store_grant_put(struct km_store *store, struct km_mailbox *reply,
                        const struct km_grant *grant, const struct km_audit *audit,
                        km_store_done_fn *done, void *ctx);
/* No error when there is none. */
void km_store_grant_delete(struct km_store *store, struct km_mailbox *reply,
                           const uint8_t id[KM_GRANT_ID_LEN], const struct km_audit *audit,
                           km_store_done_fn *done, void *ctx);

typedef void km_grant_fn(void *ctx, const struct km_grant *grant);
/* Every grant that is not over; blocking, before loops run. */
int km_store_grants(struct km_store *store, km_grant_fn *each, void *ctx,
                    struct km_err *err) KM_MUST_USE;

#endif
