/* SPDX-License-Identifier: Apache-2.0 */
/* find.h - from the address of an MCP server to the endpoints of its authorization server.
 *
 * A few small requests one after the other.  The server's own host was configured and is dialled
 * as it is, as are hosts that the operator trusts; what documents name is another's word and goes
 * through the guard.  No redirect is followed, every document has its bound.
 */
#ifndef KM_MCP_OAUTH_FIND_H
#define KM_MCP_OAUTH_FIND_H

#include "base/setting.h"
#include "llm/fetch.h"
#include "mcp/oauth/meta.h"

struct km_oauth_find;

struct km_oauth_net { /* with what to ask; copied */
    struct km_loop *loop;
    struct km_http_client *client;
    struct km_tls_client *tls;
    const struct km_proxy_env *proxies;
    const struct km_str_list *trusted_hosts;
    struct km_str server_url; /* the configured server: its host is trusted */
    struct km_str own_urls[4]; /* endpoints that are configured: theirs are too; empty: none */
    enum km_guard guard; /* of what is trusted: by who configured it */
};

struct km_oauth_found {
    struct km_str scope; /* of the server's challenge; empty: it did not say */
    struct km_oauth_resource resource;
    struct km_oauth_server server;
};

/* One request of the kind that is needed here; the views must stay until it is answered. */
struct km_fetch *km_oauth_fetch(const struct km_oauth_net *net, struct km_str method,
                                struct km_str url, struct km_str head, struct km_str body,
                                km_fetch_fn *fn, void *ctx, struct km_err *err);

/* Once; maybe before km_oauth_find() returns, which is NULL then.  found dies with the arena. */
typedef void km_oauth_find_fn(void *ctx, const struct km_oauth_found *found,
                              const struct km_err *err);

/* metadata_url: of a challenge, or empty.  Everything lives in the arena, which must stay. */
struct km_oauth_find *km_oauth_find(struct km_arena *arena, const struct km_oauth_net *net,
                                    struct km_str metadata_url, km_oauth_find_fn *fn, void *ctx);
/* The same when its client is gone already. */
void km_oauth_find_abandon(struct km_oauth_find *f); /* no callback follows; NULL is fine */

#endif
