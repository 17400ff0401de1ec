/* SPDX-License-Identifier: Apache-2.0 */
/* login.h - a person logs in at a server behind kanmon, and is the one for whom that is kept.
 *
 *     ticket   an address of kanmon's, signed: this server, for this caller, for ten minutes
 *     page     shown to whoever opens it; goes on only with the caller's own key, which a person
 *              who was sent the address does not have, nor has whoever sent it theirs
 *     cookie   of the browser that went on: the way back is open to no other
 *
 * Source: MCP's security best practices (confused deputy, consent, state bound to the browser) and
 * the rules of URL elicitation (who opens the address must be who was asked).
 */
#ifndef KM_GATEWAY_MCP_LOGIN_H
#define KM_GATEWAY_MCP_LOGIN_H

#include "host/visit.h"
#include "mcp/upstream/upstream.h"

#define KM_MCP_CALLBACK "/oauth/mcp/callback"
#define KM_MCP_LOGIN_PAGE "/oauth/mcp/login"

/* The address to open, below base ("https://host"), for the caller of this visit. */
struct km_str km_mcp_login_url(const struct km_visit *v, struct km_str base,
                               const struct km_mcp_upstream *u, struct km_arena *arena);
/* What the browser that went on was given; empty: nothing. */
struct km_str km_mcp_login_cookie(const struct km_visit *v);

km_route_fn km_mcp_login_get, km_mcp_login_post;

#endif
