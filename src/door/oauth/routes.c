/* SPDX-License-Identifier: Apache-2.0 */
/* routes.c - where the built-in authorization server is reached; see oauth.h.
 *
 * Metadata and what programs post to are open to pages of any origin (KM_AUTH_WEB): nothing there
 * depends on who the browser's user is.  The page that asks for a key is not: another page must not
 * be able to fill it in.
 */
#include "door/oauth/oauth.h"

static const struct km_route rows[] = {
    { "GET", "/.well-known/oauth-protected-resource", km_oauth_resource_metadata, KM_AUTH_WEB,
      NULL },
    { "GET", "/.well-known/oauth-protected-resource/{path:path}", km_oauth_resource_metadata,
      KM_AUTH_WEB, NULL },
    { "GET", "/.well-known/oauth-authorization-server", km_oauth_server_metadata, KM_AUTH_WEB,
      NULL },
    { "GET", "/.well-known/oauth-authorization-server/{path:path}", km_oauth_server_metadata,
      KM_AUTH_WEB, NULL },
    { "GET", "/oauth/authorize", km_oauth_authorize_get, KM_AUTH_PUBLIC, NULL },
    { "POST", "/oauth/authorize", km_oauth_authorize_post, KM_AUTH_PUBLIC, NULL },
    { "POST", "/oauth/token", km_oauth_token, KM_AUTH_WEB, NULL },
    { "POST", "/oauth/register", km_oauth_register, KM_AUTH_WEB, NULL },
    { "POST", "/oauth/revoke", km_oauth_revoke, KM_AUTH_WEB, NULL },
    { "POST", "/oauth/introspect", km_oauth_introspect, KM_AUTH_KEY, NULL },
};

const struct km_route_rows km_oauth_routes = { rows, sizeof rows / sizeof rows[0] };
