/* SPDX-License-Identifier: Apache-2.0 */
/* inside.h - what the files of the OAuth client share; private to mcp/oauth*.c. */
#ifndef KM_MCP_OAUTH_INSIDE_H
#define KM_MCP_OAUTH_INSIDE_H

#include <pthread.h>

#include "base/crypto.h"
#include "base/map.h"
#include "mcp/oauth/oauth.h"

#define KM_MCP_OAUTH_RUN_BYTES (24 * KM_OAUTH_DOCUMENT_BYTES)

/* Who kanmon is at an issuer: configured, or registered there. */
struct km_mcp_client {
    struct km_str id, secret;
};

/* What a principal has. */
struct km_mcp_holder {
    struct km_auth base; /* first: what a link is given */
    struct km_mcp_oauth *o; /* referenced */
    struct km_refresh *refresh; /* owned by o's table; owns this */
    pthread_mutex_t lock; /* of all below */
    struct km_secret access; /* the newest; empty: none */
    bool fresh; /* `refresh` does not have it yet */
    int64_t access_expires_us;
    struct km_secret refresh_token; /* empty: none */
    /* Where the refresh token is good, and for whom. */
    struct km_secret token_url, client_id, client_secret, resource, issuer;
    bool secret_post;
    struct km_secret granted; /* the scopes its token is for */
    struct km_secret scope; /* to be asked for: of the last challenge, or what it grew to */
    struct km_secret metadata_url; /* of the last challenge */
    unsigned steps; /* times the scope grew */
    bool logged_in; /* a person has, and nobody has said since that it is over */
    bool step_up; /* the scope has grown: only another log-in brings such a token; or a key is
                     refused */
    int64_t since_us; /* a key: when it came */
    struct km_secret principal; /* constant */
};

/* A log-in under way: pending.c. */
struct km_mcp_pending {
    struct km_list link; /* of o->logins, the newest last */
    uint8_t state[KM_SHA256_LEN], browser[KM_SHA256_LEN]; /* of the texts */
    int64_t until_us;
    struct km_mcp_holder *h; /* as long as o's table */
    struct km_secret verifier, redirect, token_url, client_id, client_secret, resource, issuer;
    struct km_secret scope; /* asked for */
    bool says_iss, secret_post;
};

struct km_mcp_oauth {
    _Atomic unsigned refs;
    _Atomic unsigned users; /* upstreams that have it, of one configuration after the other */
    struct km_arena arena; /* holds it and its texts */
    uint8_t digest[KM_SHA256_LEN]; /* of all it was made from */
    struct km_str name, server_url, document;
    struct km_mcp_oauth_settings settings;
    struct km_tls_client *tls;
    struct km_proxy_env proxies;
    struct km_str_list trusted_hosts;
    bool by_client; /* client_credentials */
    bool by_exchange; /* oauth2_token_exchange: no holders, but tokens in `exchanged` */
    struct km_mcp_catalogue *offer; /* to whom has not logged in; constant */
    struct km_store *store; /* set once, by attach; NULL: nothing is kept */
    struct km_secret server; /* server_id; constant after attach */
    pthread_mutex_t lock; /* of all below */
    struct km_mcp_oauth *next; /* takes what still comes: the settings have changed; referenced */
    struct km_map *holders; /* principal to holder */
    int64_t scheme; /* is_byok: `access` of a holder is what stands there; constant */
    struct km_str help;
    enum km_guard guard;
    struct km_map *exchanged; /* by principal and its token; exchange.c */
    int64_t swept_us;
    struct km_list logins;
    size_t nlogins;
    struct km_secret registered_id, registered_secret; /* by registration */
    struct km_secret registered_at, registered_for; /* issuer, redirect */
};

struct km_mcp_oauth *km_mcp_oauth_ref(struct km_mcp_oauth *o);
void km_mcp_oauth_unref(struct km_mcp_oauth *o);
struct km_mcp_holder *km_mcp_oauth_holder(struct km_mcp_oauth *o, struct km_str principal);
void km_mcp_oauth_holder_free(void *owner);

/* token.c: what a holder is as an authenticator, and as an owner of a refresh. */
extern const struct km_auth_ops km_mcp_oauth_auth_ops;
extern const struct km_refresh_ops km_mcp_oauth_refresh_ops;

/* exchange.c: as km_mcp_oauth_auth(); drops the table's reference to one. */
struct km_auth *km_mcp_exchange_auth(struct km_mcp_oauth *o, struct km_str principal,
                                     struct km_mcp_subject *subject, struct km_err *err);
void km_mcp_exchanged_drop(void *value);

/* offer.c: a catalogue of one tool, to log in.  NULL when out of memory. */
struct km_mcp_catalogue *km_mcp_oauth_offer_new(const struct km_mcp_oauth *o);

/* byok.c: a holder of a key as an authenticator; whose record it is. */
extern const struct km_auth_ops km_mcp_byok_auth_ops;
#define KM_MCP_BYOK_ISSUER "byok" /* no URL, so no issuer has that name */

/* Replaces an owned text; out of memory leaves it empty. */
void km_mcp_keep(struct km_secret *at, struct km_str text);

/* With what to ask, from a loop. */
struct km_oauth_net km_mcp_oauth_net(const struct km_mcp_oauth *o, struct km_loop *loop,
                                     struct km_http_client *client);
/* The server's endpoints as configured, where a token_url is; false: they are to be found. */
bool km_mcp_oauth_configured(const struct km_mcp_oauth *o, struct km_oauth_found *ret);
/* The words of both, each once; what is over 4 KiB is left out. */
struct km_str km_mcp_oauth_join(struct km_arena *arena, struct km_str a, struct km_str b);
/* Scopes to ask for: configured, else of the challenge, else what the resource says. */
struct km_str km_mcp_oauth_scope(const struct km_mcp_oauth *o, struct km_arena *arena,
                                 struct km_str challenged, struct km_str supported);

/* The head of a token request, and in the form what proves the client: its secret either way, a
 * signed assertion where it has a private key, or its id alone. */
int km_mcp_oauth_prove(const struct km_mcp_oauth *o, struct km_arena *arena,
                       const struct km_mcp_client *client, bool secret_post, struct km_str issuer,
                       struct km_buf *form, struct km_str *ret_head, struct km_err *err);

/* keep.c: what the holder has now goes into the store, or out of it, and on to whoever has taken
 * over.  Not under h->lock. */
void km_mcp_oauth_save(struct km_mcp_holder *h);
/* A log-in under way, into the store or out of it. */
void km_mcp_pending_save(struct km_mcp_oauth *o, const struct km_mcp_pending *p, bool over);

/* pending.c */
void km_mcp_pending_free(struct km_mcp_pending *p);
void km_mcp_pending_free_all(struct km_mcp_oauth *o);
/* Takes it over; what is too old, and the oldest of too many, of all or of its own, goes. */
void km_mcp_pending_add(struct km_mcp_oauth *o, struct km_mcp_pending *p);
bool km_mcp_pending_has(struct km_mcp_oauth *o, const uint8_t state[KM_SHA256_LEN]);
/* The one of this state, which is used up; NULL: there is none, or it is over. */
struct km_mcp_pending *km_mcp_pending_take(struct km_mcp_oauth *o, struct km_str state);
/* All of them, to whoever has taken over. */
void km_mcp_pending_move(struct km_mcp_oauth *from, struct km_mcp_oauth *to);

#endif
