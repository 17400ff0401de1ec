/* SPDX-License-Identifier: Apache-2.0 */
/* auth.h - who is asking: authenticators are rows of one table, used by every route.
 *
 *     credential ── prepare: what must be had first ──> check: mine and good, mine and bad,
 *                                                              not mine
 *
 * The rows are given by app/tables.c.  The first that does not say "not mine" decides, so their
 * order is the policy; a table without rows lets nobody in.
 */
#ifndef KM_DOOR_AUTH_H
#define KM_DOOR_AUTH_H

#include "base/crypto.h"
#include "host/visit.h"

/* What the request carries: the text, and its digest (made once). */
struct km_shown {
    struct km_str text; /* empty: nothing */
    uint8_t hash[KM_SHA256_LEN];
};

typedef void km_visit_fn(struct km_visit *v);

/* All of it on the visit's loop. */
struct km_authenticator {
    const char *name; /* "key" */
    bool needs_credential; /* not asked where the request carries none */
    /* Is there anything it could know?  NULL: always. */
    bool (*applies)(const struct km_visit *v);
    /* Before the request is looked at: has the text to be waited for?  KM_E_AGAIN: go_on follows on
     * the loop, once, or the exchange was ended; it listens to the exchange until then and keeps
     * what it needs in v->hold.  0: go on, also where check will refuse.  NULL: never. */
    int (*prepare)(struct km_visit *v, struct km_str text, km_visit_fn *go_on);
    /* Whose it is goes into v->who.  KM_E_AGAIN: not mine. */
    int (*check)(struct km_visit *v, const struct km_shown *shown, struct km_err *err);
    /* The WWW-Authenticate line of a refusal; false: it has nothing to say of this one.  NULL:
     * never. */
    bool (*challenge)(const struct km_visit *v, const struct km_err *err, struct km_buf *head);
};

/* Must the visit wait for what its credential is judged by?  true: go_on(v) follows on the loop,
 * once, or the exchange was ended. */
bool km_auth_waits(struct km_visit *v, km_visit_fn *go_on);

/* Fills v->who for the level its route asks, or fails with UNAUTHENTICATED or FORBIDDEN in
 * LiteLLM's words.  The reference goes with the exchange. */
int km_authenticate(struct km_visit *v, enum km_auth_level level, struct km_err *err) KM_MUST_USE;

/* The same for a call, which tells a refusal itself, so that it is counted and logged as one: says
 * in the visit where it stands. */
void km_auth_vouch(struct km_visit *v, enum km_auth_level level);

/* How to log in, as a header line: of the first row that has one for this refusal. */
void km_auth_challenge(const struct km_visit *v, const struct km_err *err, struct km_buf *head);

/* authenticators.c: the door's own rows. */
extern const struct km_authenticator km_auth_local, km_auth_open, km_auth_master, km_auth_key;

#endif
