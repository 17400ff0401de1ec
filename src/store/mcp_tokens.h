/* SPDX-License-Identifier: Apache-2.0 */
/* mcp_tokens.h - what a principal has at an MCP server behind kanmon, kept over a restart.
 *
 * A record is sealed by the key of the state folder, bound to its server, principal and issuer: a
 * copy of the database alone opens nothing, and a row that is moved opens for nobody.
 *
 * Thread and answers as in store.h.
 */
#ifndef KM_STORE_MCP_TOKENS_H
#define KM_STORE_MCP_TOKENS_H

#include "store/store.h"

#define KM_MCP_TOKENS_BYTES ((size_t)64 * 1024) /* a record; a longer one is not kept */

struct km_mcp_token_row {
    struct km_str server, principal, issuer; /* principal: empty where all share it */
    struct km_str record; /* empty: the row goes */
};

/* Keeps, replaces or forgets.  Copied before return; nobody is told.  Any thread. */
void km_store_mcp_token_put(struct km_store *store, const struct km_mcp_token_row *row);

typedef void km_mcp_token_fn(void *ctx, struct km_str record);
/* The records of a server that open; each dies with the callback.  Blocking: before loops run, or
 * the main thread. */
int km_store_mcp_tokens(struct km_store *store, struct km_str server, km_mcp_token_fn *each,
                        void *ctx, struct km_err *err) KM_MUST_USE;

#endif
