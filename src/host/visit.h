/* SPDX-License-Identifier: Apache-2.0 */
/* visit.h - one request as far as the door knows it: who sent it, by which route, under which id.
 *
 *     door ── makes it, finds out who ──> visit <── asks it ── handlers, calls
 *
 * Whoever handles a request learns of its sender here and nowhere else.  A call takes its principal
 * from it and never looks at a credential: whether the door vouches for somebody stands in it.
 */
#ifndef KM_HOST_VISIT_H
#define KM_HOST_VISIT_H

#include "host/gateway.h"
#include "llm/dialect.h"
#include "mcp/oauth/subject.h"

#define KM_WHO_LEN 48

struct km_principal {
    struct km_key *key; /* a reference; NULL: the administrator, or nobody asked */
    bool admin;
    char who[KM_WHO_LEN]; /* for the audit log: "local:0", "master", "key:1a2b3c4d" */
    /* Of a token of another issuer: who its holder is there; empty: the key is all that is known.
     * In the exchange's arena. */
    struct km_str issuer, subject;
    /* Of an access token of our own: what it was issued for; empty: everything.  In the exchange's
     * arena. */
    struct km_str resource;
    bool delegated; /* by an access token of our own: a program acts for the key's holder */
    struct km_mcp_subject *token; /* that token, where a server exchanges it; NULL: not kept.  A
                                     reference of the arena's */
};

/* What the door says of its sender.  Nothing runs for a visit that nobody looked at. */
enum km_standing {
    KM_STANDING_UNASKED, /* nobody looked */
    KM_STANDING_KNOWN, /* who says whose it is; or the gateway's own */
    KM_STANDING_OPEN, /* its route asks nobody */
    KM_STANDING_REFUSED, /* refusal says why */
};

/* One request on its way to a handler.  Lives in the exchange's arena and dies with it. */
struct km_visit {
    struct km_worker *w;
    struct km_view *view;
    struct km_exchange *x; /* NULL: a copy (km_visit_copy) */
    struct km_route_match match;
    struct km_principal who;
    enum km_standing standing;
    const struct km_err *refusal; /* of REFUSED */
    int64_t came_us; /* wall */
    struct km_uuid id;
    char id_text[KM_UUID_LEN + 1];
    struct km_str allow; /* the methods of the path, when the request has another */
    enum km_dialect dialect; /* of its errors */
    struct km_str path_model; /* still encoded: what a handler found in the path, where the
                                 pattern alone does not say it ("{model}:generateContent") */
    void *hold; /* what an authenticator keeps over its wait (door/auth.h); NULL: none */
    void *own; /* its handler's, over such a wait */
    bool had_credential; /* something was shown, be it good or not */
    union km_addr peer; /* of a copy, which has no exchange */
    bool secure; /* of a copy: it came by TLS */
    /* Of what another call asks for (ask.h): */
    unsigned depth; /* calls around it */
    uint64_t deadline_ms; /* km_loop_now_ms(); 0: its own time only */
    struct km_str within; /* the id of the call around it, in its arena */
    bool has_place; /* a call around it has the place among those that run at once */
    bool local; /* by the control socket, and not passed on */
    unsigned uid; /* of the peer, when local */
};

/* May anything be done for it?  Else why not: UNAUTHENTICATED or FORBIDDEN as the door said it. */
int km_visit_authorise(const struct km_visit *v, struct km_err *err) KM_MUST_USE;

/* The visitor is who has this key, if that may be used now.  Takes the reference over, which goes
 * with the exchange, and sets v->who also where it fails: the books name who was refused. */
int km_visit_become_key(struct km_visit *v, struct km_key *key, struct km_err *err) KM_MUST_USE;

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

/* Under which names its id goes to the client: header lines. */
void km_id_lines(const struct km_visit *v, struct km_buf *head);

#endif
