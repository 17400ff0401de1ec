/* SPDX-License-Identifier: Apache-2.0 */
/* oauth.h - tokens for one MCP server behind kanmon (auth_type: oauth2, oauth2_token_exchange).
 *
 *     client_credentials   kanmon itself has an account there: nobody is asked
 *     authorization_code   a person logs in once, in a browser: km_mcp_oauth_login() gives the
 *                          address, km_mcp_oauth_callback() takes what comes back
 *     token exchange       the token of an issuer that a caller came with is exchanged, at the
 *                          endpoint that is configured, for one for the server (exchange.c)
 *     is_byok              no token at all: each principal gives a credential (byok.c)
 *
 * A token belongs to a principal, or to all of them (oauth_shared, client_credentials).  Each has
 * a struct km_auth that a link asks for header lines: there is a token, or one is on its way, or
 * KM_E_UNAUTHENTICATED says what to do (POST /v1/mcp/server/<server>/login).  A caller's own
 * token is never handed on to a server.
 *
 * Shared by all workers, locked inside; counted, since a request for a token may outlive the
 * configuration it came from.
 */
#ifndef KM_MCP_OAUTH_H
#define KM_MCP_OAUTH_H

#include "llm/refresh.h"
#include "mcp/oauth/find.h"
#include "mcp/oauth/subject.h"
#include "mcp/upstream/upstream.h"

#define KM_MCP_OAUTH_PRINCIPALS 10000 /* of one server; one more has no token */
#define KM_MCP_OAUTH_LOGINS 100 /* under way at one server; the oldest goes */
#define KM_MCP_OAUTH_LOGINS_OWN 8 /* of one principal; its oldest goes */
#define KM_MCP_OAUTH_LOGIN_US (INT64_C(600) * 1000000)

struct km_mcp_oauth;

struct km_mcp_oauth_args { /* copied */
    struct km_str name; /* of the server, for people */
    struct km_str server_url;
    const struct km_mcp_oauth_settings *settings;
    struct km_tls_client *tls;
    const struct km_proxy_env *proxies;
    const struct km_str_list *trusted_hosts;
    struct km_str document; /* of kanmon as a client; empty: below its own address */
    bool exchange; /* tokens of callers are exchanged: settings has an endpoint and a client */
    int64_t scheme; /* enum km_mcp_auth: callers bring what stands there themselves; NONE: no */
    struct km_str help; /* the same: where they have it from; or empty */
    enum km_guard guard; /* of the server and the endpoints that are configured */
};

struct km_mcp_oauth *km_mcp_oauth_new(const struct km_mcp_oauth_args *args, struct km_err *err);
/* Its upstream is gone, and with the last of them all links: no new token is asked for. */
void km_mcp_oauth_close(struct km_mcp_oauth *o); /* NULL is fine */

/* After a change of the configuration a server is another upstream, with the same log-ins.  Where
 * nothing of these was changed both have one object, so that a refresh token is used once; */
bool km_mcp_oauth_same(const struct km_mcp_oauth *a, const struct km_mcp_oauth *b);
struct km_mcp_oauth *km_mcp_oauth_share(struct km_mcp_oauth *o); /* to be closed as often */
/* else the new one begins with what the old one has now, and gets what that still waits for.  The
 * old one refreshes nothing from here on.  Main thread, before attach. */
void km_mcp_oauth_follow(struct km_mcp_oauth *o, struct km_mcp_oauth *old);

/* Reads what is kept of logins at `server` (its server_id), and keeps what comes.  Main thread,
 * blocking; once, before a link uses it. */
void km_mcp_oauth_attach(struct km_mcp_oauth *o, struct km_store *store, struct km_str server);

/* Header lines for this principal, a reference.  subject: the token it came with, of use where
 * tokens are exchanged; NULL: none.  NULL with err: there are too many, or it needs one. */
struct km_auth *km_mcp_oauth_auth(struct km_mcp_oauth *o, struct km_str principal,
                                  struct km_mcp_subject *subject, struct km_err *err);
/* Of any authenticator: those that live as long as the upstream count nothing.  NULL is fine. */
struct km_auth *km_mcp_auth_ref(struct km_auth *auth);
void km_mcp_auth_unref(struct km_auth *auth);
/* The token it exchanges, with it; NULL: it exchanges none. */
struct km_mcp_subject *km_mcp_auth_subject(struct km_auth *auth);

/* Where tokens are exchanged: nobody logs in here, and who has none is told so. */
bool km_mcp_oauth_exchanges(const struct km_mcp_oauth *o);
int km_mcp_exchange_told(const struct km_mcp_oauth *o, struct km_err *err);
/* Why this one has no token for the server, by its last try (ret may be NULL); false: it has one,
 * or nobody has tried. */
bool km_mcp_exchange_failed(struct km_mcp_oauth *o, struct km_str principal,
                            const struct km_mcp_subject *subject, struct km_err *ret);
static inline struct km_str km_mcp_exchange_url(const struct km_mcp_oauth_settings *s)
{
    return s->exchange_url.n ? s->exchange_url : s->token_url;
}

/* Where callers bring their own credential: logging in is giving it. */
#define KM_MCP_BYOK_BYTES ((size_t)8192) /* a credential */
bool km_mcp_oauth_by_key(const struct km_mcp_oauth *o);
struct km_str km_mcp_byok_help(const struct km_mcp_oauth *o);
/* Keeps it, in place of one that is there; empty: none is kept any more.  Sessions begun with the
 * old one are ended by km_mcp_upstream_logged_in().  Any thread. */
int km_mcp_byok_set(struct km_mcp_oauth *o, struct km_str principal, struct km_str credential,
                    struct km_err *err) KM_MUST_USE;
/* Says to who has none how to leave one. */
int km_mcp_byok_told(const struct km_mcp_oauth *o, struct km_err *err);
/* Appends what tells it from another one, of another account maybe; nothing: there is none. */
void km_mcp_byok_mark(struct km_mcp_oauth *o, struct km_str principal, struct km_buf *out);
/* Since when there is one (wall); 0: there is none. */
int64_t km_mcp_byok_since(struct km_mcp_oauth *o, struct km_str principal);
/* What this principal has there goes, here and in the store: it is not to come back. */
void km_mcp_oauth_forget(struct km_mcp_oauth *o, struct km_str principal);
/* The same of all principals. */
void km_mcp_oauth_forget_all(struct km_mcp_oauth *o);

enum km_mcp_login {
    KM_MCP_LOGIN_DONE, /* or none is needed: kanmon has an account of its own */
    KM_MCP_LOGIN_NEEDED, /* nobody did for this principal, or it is over */
    KM_MCP_LOGIN_MORE, /* it did, but the server wants more than was agreed to, or another key */
};
/* How it is for this principal; any thread. */
enum km_mcp_login km_mcp_oauth_state(struct km_mcp_oauth *o, struct km_str principal);
/* kanmon has an account of its own: nobody logs in. */
bool km_mcp_oauth_by_client(const struct km_mcp_oauth *o);
/* How many have logged in. */
size_t km_mcp_oauth_count(struct km_mcp_oauth *o);
/* What the server is shown as to those who have not: one tool, "login".  Lives with o. */
struct km_mcp_catalogue *km_mcp_oauth_offer(const struct km_mcp_oauth *o);

/* A worker's means. */
struct km_mcp_oauth_on {
    struct km_loop *loop;
    struct km_http_client *client;
};

/* url or err; once, on the loop, maybe before the call returns. */
typedef void km_mcp_oauth_url_fn(void *ctx, struct km_str url, const struct km_err *err);
struct km_mcp_oauth_login_args { /* copied */
    struct km_str principal;
    struct km_str redirect; /* of kanmon's callback */
    struct km_str browser; /* what only the browser knows that agreed to it: a cookie */
};
/* Begins a log-in: the address to go on to. */
void km_mcp_oauth_login(struct km_mcp_oauth *o, const struct km_mcp_oauth_on *on,
                        const struct km_mcp_oauth_login_args *args, km_mcp_oauth_url_fn *fn,
                        void *ctx);

struct km_mcp_callback {
    struct km_str state, code, iss, error; /* what the browser brought */
    struct km_str browser; /* and its cookie */
};
/* principal: who has logged in; empty where all share it. */
typedef void km_mcp_callback_fn(void *ctx, struct km_str principal, const struct km_err *err);
/* false: the state is not of a log-in here.  Else fn follows as above. */
bool km_mcp_oauth_callback(struct km_mcp_oauth *o, const struct km_mcp_oauth_on *on,
                           const struct km_mcp_callback *back, km_mcp_callback_fn *fn, void *ctx);

#endif
