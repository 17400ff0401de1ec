/* SPDX-License-Identifier: Apache-2.0 */
/* token.h - upstreams that want an OAuth 2 access token: asked for, kept, made anew in time.
 *
 * One way for all who issue them (Entra ID, Google's token endpoint and its metadata server): a
 * request, most often a form, is answered by {"access_token", "expires_in"}.  What the request
 * is, its issuer's file says; here it is sent, and the token becomes the line
 * "Authorization: Bearer ..." of every request (auth.h) until shortly before it expires.
 */
#ifndef KM_LLM_TOKEN_H
#define KM_LLM_TOKEN_H

#include "llm/refresh.h"
#include "net/tls.h"

struct km_token_request {
    const char *method; /* NULL: "POST" with form as the body, else a request without one */
    struct km_str url;
    struct km_str head; /* more header lines, ready */
    struct km_str form; /* application/x-www-form-urlencoded */
    bool straight; /* by no proxy: a metadata service */
};

struct km_token_args {
    const char *issuer; /* for messages: "Entra ID" */
    struct km_tls_client *tls; /* referenced */
    const struct km_proxy_env *proxies; /* copied */
    void *owner; /* taken over, also when it fails */
    /* The request for a token, in the arena; on the loop that asks, and so never to wait.  What
     * it reads of owner is constant. */
    int (*ask)(void *owner, struct km_arena *arena, struct km_token_request *ret,
               struct km_err *err);
    void (*free)(void *owner); /* any thread; NULL: nothing to free */
};

/* For d->auth.  NULL when out of memory. */
struct km_auth *km_token_auth_new(const struct km_token_args *args, struct km_err *err);

/* "name=value&..." with both escaped; an empty value is left out. */
void km_token_field(struct km_buf *form, const char *name, struct km_str value);

#endif
