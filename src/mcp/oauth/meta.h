/* SPDX-License-Identifier: Apache-2.0 */
/* meta.h - what a protected MCP server and its authorization server say of themselves: read,
 * never asked for.  Pure: documents in, addresses out; fuzzed as what comes from strangers.
 *
 * Sources: RFC 9728 (protected resource), RFC 8414 and OpenID Connect Discovery (authorization
 * server), RFC 6750 and 9110 (the challenge); MCP specification 2025-11-25 and 2026-07-28.
 */
#ifndef KM_MCP_OAUTH_META_H
#define KM_MCP_OAUTH_META_H

#include "base/arena.h"

#define KM_OAUTH_DOCUMENT_BYTES ((size_t)64 * 1024)
#define KM_OAUTH_URLS 3 /* places where a document may lie */

/* The Bearer challenge of a WWW-Authenticate field; empty where it does not say. */
struct km_oauth_challenge_parts {
    struct km_str resource_metadata, scope, error;
};
/* false: there is no Bearer challenge.  Unquoted into the arena. */
bool km_oauth_challenge_read(struct km_arena *arena, struct km_str field,
                             struct km_oauth_challenge_parts *ret);

struct km_oauth_resource {
    struct km_str resource; /* to be named in requests for tokens */
    struct km_str issuer; /* the first authorization server */
    struct km_str scopes; /* of scopes_supported, between spaces */
};
/* server_url: of the MCP server; it must lie at the resource or below. */
/* Is the server at the resource, or below it? */
bool km_oauth_resource_covers(struct km_str resource, struct km_str server_url);
int km_oauth_resource_read(struct km_arena *arena, struct km_str json, struct km_str server_url,
                           struct km_oauth_resource *ret, struct km_err *err) KM_MUST_USE;

struct km_oauth_server {
    struct km_str issuer, authorization, token, registration;
    bool s256; /* PKCE by S256 is said to be supported */
    bool documents; /* client_id_metadata_document_supported */
    bool says_iss; /* authorization_response_iss_parameter_supported */
    bool secret_post; /* client_secret_post, and not client_secret_basic */
};
int km_oauth_server_read(struct km_arena *arena, struct km_str json, struct km_str issuer,
                         struct km_oauth_server *ret, struct km_err *err) KM_MUST_USE;

/* Where to look, in order: for the resource of a server, for the metadata of an issuer. */
size_t km_oauth_resource_urls(struct km_arena *arena, struct km_str server_url,
                              struct km_str ret[KM_OAUTH_URLS]);
size_t km_oauth_server_urls(struct km_arena *arena, struct km_str issuer,
                            struct km_str ret[KM_OAUTH_URLS]);

/* "https://host:port" of a URL. */
struct km_str km_oauth_origin(struct km_str url);

/* The answer of a token endpoint.  KM_E_UNAUTHENTICATED: it says why not (ret->error). */
struct km_oauth_tokens {
    struct km_str access, refresh, scope, error, issued; /* issued_token_type, or empty */
    int64_t lifetime_s;
};
int km_oauth_tokens_read(struct km_arena *arena, int status, struct km_str json,
                         struct km_oauth_tokens *ret, struct km_err *err) KM_MUST_USE;

#endif
