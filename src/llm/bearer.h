/* SPDX-License-Identifier: Apache-2.0 */
/* bearer.h - an access token as the header line it becomes, made by a refresh (refresh.h): for
 * whoever answers km_auth_ops.head with tokens (token.h, mcp/oauth/oauth.h).
 *
 * Source: RFC 6750, 2.1.  Any thread; a token is immutable and wiped with its last reference.
 */
#ifndef KM_LLM_BEARER_H
#define KM_LLM_BEARER_H

#include "llm/refresh.h"

/* "Authorization: Bearer {access}", good until expires_us (wall).  NULL with err: it is too long,
 * or no header value. */
struct km_refreshed *km_bearer_new(struct km_str access, int64_t expires_us, struct km_err *err);

/* As km_auth_ops.head: appends the line of the token that `tokens` (whose values are bearers) has
 * now, or KM_E_AGAIN. */
int km_bearer_head(struct km_refresh *tokens, const struct km_auth_args *args,
                   struct km_auth_wait *wait, struct km_buf *out, struct km_err *err) KM_MUST_USE;

#endif
