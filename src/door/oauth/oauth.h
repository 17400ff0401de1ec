/* SPDX-License-Identifier: Apache-2.0 */
/* oauth.h - the built-in authorization server: for clients that can do OAuth and nothing else.
 *
 *     client   401 -> metadata -> registers (or has a document at its id) -> opens a browser
 *     browser  GET /oauth/authorize: which virtual key?  POST: redirect with a code
 *     client   POST /oauth/token: code and PKCE verifier -> access and refresh token
 *
 * A token stands for the virtual key that was shown: its rights, limits and budget, and it ends
 * with it.  It is good for the resource it was asked for and what lies below, for an hour.
 *
 * The state of all workers is struct km_oauth; everything in it is locked inside or immutable.
 * What others use of it is in access.h.
 * Sources: OAuth 2.1 draft, RFC 7591, 7636, 7009, 7662, 8252, 8414, 8707, 9207, 9700, 9728; MCP
 * specification 2025-11-25 and 2026-07-28, authorization.
 */
#ifndef KM_DOOR_OAUTH_H
#define KM_DOOR_OAUTH_H

#include "door/oauth/access.h"
#include "mcp/oauth/settings.h"
#include "policy/grant.h"
#include "policy/throttle.h"

#define KM_OAUTH_CLIENT_ID_BYTES 2048
#define KM_OAUTH_REDIRECTS 8 /* of one client */
#define KM_OAUTH_REDIRECT_BYTES 512
#define KM_OAUTH_STATE_BYTES 2048
#define KM_OAUTH_BODY_BYTES (16 * 1024) /* of a form or a registration */
#define KM_OAUTH_SCOPE "mcp"
#define KM_OAUTH_TOKEN_PREFIX "kmat_" /* of access tokens; refresh: kmrt_, code: kmac_ */

struct km_cimd; /* documents of clients: cimd.c */

struct km_oauth {
    uint8_t key[32]; /* signs registrations and forms; from the state folder */
    struct km_grants *grants;
    struct km_throttle *registrations, *attempts;
    struct km_cimd *documents;
};

/* Is the built-in server the one clients are sent to? */
bool km_oauth_serves(const struct km_snapshot *snap);

/* --- sign.c --- */

/* "payload.mac", both base64url, for text that comes back to us: what was signed for one purpose
 * does not open for another. */
void km_oauth_sign(const struct km_oauth *o, const char *purpose, struct km_str payload,
                   struct km_buf *out);
bool km_oauth_open(const struct km_oauth *o, const char *purpose, struct km_str text,
                   struct km_arena *arena, struct km_str *ret_payload);

/* --- authenticator.c --- */

/* Access tokens; the challenge of a refused MCP request says where to log in. */
extern const struct km_authenticator km_oauth_authenticator;

/* --- meta.c --- */

/* Here, or at an issuer that is trusted? */
bool km_oauth_can_log_in(const struct km_snapshot *snap);

/* --- client.c --- */

struct km_oauth_client {
    struct km_str id;
    struct km_str name; /* for people; "" */
    struct km_str redirects[KM_OAUTH_REDIRECTS];
    size_t nredirects;
};

/* From registration metadata (RFC 7591) or a client's document (document: its address, which it
 * must name as client_id). */
int km_oauth_client_read(struct km_arena *arena, struct km_str json, struct km_str document,
                         struct km_oauth_client *ret, struct km_err *err) KM_MUST_USE;
/* An id that holds all of a registration, signed: nothing is kept here of who registers. */
int km_oauth_client_sign(const struct km_oauth *o, const struct km_oauth_client *client,
                         struct km_arena *arena, struct km_str *ret_id,
                         struct km_err *err) KM_MUST_USE;
/* From such an id. */
int km_oauth_client_open(const struct km_oauth *o, struct km_arena *arena, struct km_str id,
                         struct km_oauth_client *ret, struct km_err *err) KM_MUST_USE;
/* Is the id the address of a document? */
bool km_oauth_client_is_url(struct km_str id);
/* Exactly one of the registered ones; a loopback address may have any port (RFC 8252, 7.3). */
bool km_oauth_redirect_fits(const struct km_oauth_client *client, struct km_str redirect);
/* May a browser be sent there at all? */
bool km_oauth_redirect_usable(struct km_str redirect);

/* --- cimd.c --- */

struct km_cimd_ask;
/* client NULL: err says why.  Once, on the loop, never synchronously. */
typedef void km_cimd_fn(void *ctx, const struct km_oauth_client *client, const struct km_err *err);

struct km_cimd *km_cimd_new(void);
struct km_cimd *km_cimd_free(struct km_cimd *c);
/* The document at a client's id, from memory or the network.  NULL with err: not asked. */
struct km_cimd_ask *km_cimd_ask(struct km_visit *v, struct km_str id, km_cimd_fn *fn, void *ctx,
                                struct km_err *err);
void km_cimd_cancel(struct km_cimd_ask *ask); /* no callback follows; NULL is fine */

/* --- key.c --- */

/* A key somebody typed in, referenced, if it may be used now; NULL with 0: the master key.  Wrong
 * ones are counted by address. */
int km_oauth_key(struct km_visit *v, struct km_str text, struct km_key **ret,
                 struct km_err *err) KM_MUST_USE;

/* --- authorize.c, page.c, form.c, token.c, meta.c, routes.c --- */

/* What a browser brought, checked so far that the redirect may be used. */
struct km_oauth_request {
    struct km_oauth_client client; /* its redirects are not filled after the form */
    struct km_str redirect, state, challenge, resource, scope;
    struct km_str base;
};

km_route_fn km_oauth_authorize_get, km_oauth_authorize_post;
km_route_fn km_oauth_token, km_oauth_revoke, km_oauth_introspect, km_oauth_register;
km_route_fn km_oauth_resource_metadata, km_oauth_server_metadata;

/* The page that asks for a key.  signed_request goes into the form; said: why it is shown again. */
void km_oauth_page(struct km_visit *v, const struct km_oauth_request *q,
                   struct km_str signed_request, struct km_str cookie, int status,
                   const char *said);

/* {"error", "error_description"} with the headers of a token endpoint. */
void km_oauth_refuse(struct km_visit *v, const struct km_err *err);
/* km_oauth_page_form() for an endpoint of the built-in server, where that serves. */
void km_oauth_form(struct km_visit *v, struct km_str type,
                   void (*fn)(struct km_visit *v, struct km_str body));

extern const struct km_route_rows km_oauth_routes;

#endif
