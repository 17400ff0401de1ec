/* SPDX-License-Identifier: Apache-2.0 */
/* auth.h - who is asking: authenticators are rows of one table, used by every route. */
#ifndef KM_GATEWAY_AUTH_H
#define KM_GATEWAY_AUTH_H

#include "host/gateway.h"
#include "llm/api.h"
#include "mcp/oauth/subject.h"

#define KM_WHO_LEN 48

struct km_jwt_hold;

struct km_principal {
    struct km_key *key; /* a reference; NULL: the administrator, or nobody asked */
    bool admin;
    char who[KM_WHO_LEN]; /* for the audit log: "local:0", "master", "key:1a2b3c4d" */
    /* Of a token of another issuer: who its holder is there; empty: the key is all that is known.
     * In the exchange's arena. */
    struct km_str issuer, subject;
    struct km_mcp_subject *token; /* that token, where a server exchanges it; NULL: not kept.  A
                                     reference of the arena's */
};

/* One request on its way to a handler.  Lives in the exchange's arena and dies with it. */
struct km_visit {
    struct km_worker *w;
    struct km_view *view;
    struct km_exchange *x; /* NULL: a copy (km_visit_copy) */
    struct km_route_match match;
    struct km_principal who;
    int64_t came_us; /* wall */
    struct km_uuid id;
    char id_text[KM_UUID_LEN + 1];
    struct km_str allow; /* the methods of the path, when the request has another */
    enum km_dialect dialect; /* of its errors */
    struct km_str path_model; /* still encoded: what a handler found in the path, where the
                                 pattern alone does not say it ("{model}:generateContent") */
    struct km_jwt_hold *jwt; /* a token on its way through jwt/auth.h; NULL: none */
    void *own; /* its handler's, over a wait for jwt */
    bool had_credential; /* something was shown, be it good or not */
    union km_addr peer; /* of a copy, which has no exchange */
    bool local; /* by the control socket, and not passed on */
    unsigned uid; /* of the peer, when local */
};

/* The one credential of the request, empty when there is none; two different ones are refused. */
int km_credential(const struct km_visit *v, struct km_str *ret, struct km_err *err) KM_MUST_USE;

/* Fills v->who for the level its route asks, or fails with UNAUTHENTICATED or FORBIDDEN in
 * LiteLLM's words.  The reference goes with the exchange. */
int km_authenticate(struct km_visit *v, enum km_auth_level level, struct km_err *err) KM_MUST_USE;

/* A visit that outlives its exchange (x is NULL), in the arena, which gives its key back.  It has
 * no view until it is seated at a worker, on that worker's loop.  NULL: no memory. */
struct km_visit *km_visit_copy(const struct km_visit *v, struct km_arena *arena);
int km_visit_seat(struct km_visit *v, struct km_arena *arena, struct km_worker *w) KM_MUST_USE;

/* The hash whose books the visitor's calls go to: that of the key or its successor, that of the
 * master key; zeros where nobody was asked. */
void km_visit_hash(const struct km_visit *v, uint8_t ret_hash[32]);
/* The hash of the virtual key by whose right it came, a token's too; all zero: none. */
void km_visit_key(const struct km_visit *v, uint8_t ret_hash[32]);
/* What the ledger wants of a caller: id, key_hash and, unless ip is NULL, client_ip, which may
 * point into ip[KM_ADDR_TEXT].  Leaves the rest of the entry alone. */
void km_visit_books(const struct km_visit *v, char *ip, struct km_ledger_entry *e);

/* The field by which a proxy says that it passed the request on; empty: none does.  Such a request
 * is nobody's of this machine: rights that come from where it was made end with it. */
struct km_str km_forwarded_by(const struct km_headers *h);
/* By the control socket, or from this machine's own address, and nobody passed it on.  The one
 * place that says what is local.  Not of a copy. */
bool km_visit_is_local(const struct km_visit *v);

/* Host, and Origin, as the configuration allows them (DNS rebinding, foreign pages). */
int km_check_host(const struct km_visit *v, struct km_err *err) KM_MUST_USE;
int km_check_origin(const struct km_visit *v, struct km_err *err) KM_MUST_USE;
/* Is it a page of another origin that the configuration names? */
bool km_origin_listed(const struct km_visit *v);

#endif
