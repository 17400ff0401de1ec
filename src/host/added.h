/* SPDX-License-Identifier: Apache-2.0 */
/* added.h - the MCP servers that were added at run time, as text for the configuration.
 *
 *     file ──────────────────────┐
 *                                ├─ km_config_load ──> snapshot, as for any reload
 *     store ──> struct km_mcp_added ── {"mcp_servers": {...}}, below the file: its names win
 *
 * So an added server is checked, merged, digested and started by the very code that does it for
 * one of the file.
 *
 * Thread: main.
 */
#ifndef KM_HOST_ADDED_H
#define KM_HOST_ADDED_H

#include "base/buf.h"
#include "base/err.h"

struct km_gateway;
struct km_mcp_added;
struct km_store;

#define KM_MCP_ADDED_MOST 500
#define KM_MCP_ADDED_BYTES ((size_t)6 << 20) /* all of them */

struct km_mcp_added *km_mcp_added_new(void);
struct km_mcp_added *km_mcp_added_free(struct km_mcp_added *a);
/* What the store has; blocking, before loops run. */
int km_mcp_added_load(struct km_mcp_added *a, struct km_store *store, size_t *ret_lost,
                      struct km_err *err) KM_MUST_USE;

size_t km_mcp_added_count(const struct km_mcp_added *a);
/* Its entry, until the next change; NULL-pointer text: there is none. */
struct km_str km_mcp_added_get(const struct km_mcp_added *a, struct km_str name);
/* json empty: removes it. */
int km_mcp_added_set(struct km_mcp_added *a, struct km_str name, struct km_str json,
                     struct km_err *err) KM_MUST_USE;
/* {"mcp_servers": {name: entry, ...}} */
void km_mcp_added_text(const struct km_mcp_added *a, struct km_buf *out);

#endif
