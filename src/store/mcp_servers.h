/* SPDX-License-Identifier: Apache-2.0 */
/* mcp_servers.h - MCP servers added by the management API, kept beside those of the file.
 *
 * An entry is sealed by the key of the state folder, bound to its name: credentials are in it.
 *
 * Thread and answers as in store.h.
 */
#ifndef KM_STORE_MCP_SERVERS_H
#define KM_STORE_MCP_SERVERS_H

#include "store/store.h"

#define KM_MCP_SERVER_BYTES ((size_t)256 * 1024) /* an entry */

struct km_mcp_server_row {
    struct km_str name;
    struct km_str json; /* the entry, an object; empty: it goes, and what it was logged in with */
    struct km_str id; /* its server_id, for that */
};

/* Keeps, replaces or forgets, with its audit record.  Copied before return. */
void km_store_mcp_server_put(struct km_store *store, struct km_mailbox *reply,
                             const struct km_mcp_server_row *row, const struct km_audit *audit,
                             km_store_done_fn *done, void *ctx);

typedef int km_mcp_server_fn(void *ctx, const struct km_mcp_server_row *row, struct km_err *err);
/* Every one that opens, by name; blocking: before loops run.  *ret_lost: so many do not open. */
int km_store_mcp_servers(struct km_store *store, km_mcp_server_fn *each, void *ctx,
                         size_t *ret_lost, struct km_err *err) KM_MUST_USE;

#endif
