/* SPDX-License-Identifier: Apache-2.0 */
/* config_part.h - what config.c is made of, and private to it: from mcp_servers to upstreams.
 *
 *     merge.c   two entries of one name      address.c   how it is reached
 *     digest.c  is it configured as it was
 */
#ifndef KM_MCP_UPSTREAM_CONFIG_PART_H
#define KM_MCP_UPSTREAM_CONFIG_PART_H

#include "mcp/upstream/upstream.h"

/* What `node` says goes from `over` into `out`, both structs of the table's rows. */
void km_mcp_merge(const struct km_settings_table *table, const struct km_node *node,
                  const void *over, void *out);
/* Of its kind: what the two entries (either may be NULL) say of it, or all of the kind's own
 * section.  In u's arena, or the configuration's; NULL: no memory. */
const void *km_mcp_kind_settings(const struct km_config *config, struct km_mcp_upstream *u,
                                 const struct km_mcp_entry *base, const struct km_mcp_entry *over);

/* Sets origin, target and head; signer; oauth.  err is for a person. */
int km_mcp_make_address(const struct km_mcp_set_args *args, struct km_mcp_upstream *u,
                        struct km_err *err) KM_MUST_USE;
int km_mcp_make_signer(const struct km_mcp_set_args *args, struct km_mcp_upstream *u,
                       struct km_err *err) KM_MUST_USE;
int km_mcp_make_oauth(const struct km_mcp_set_args *args, struct km_mcp_upstream *u,
                      struct km_err *err) KM_MUST_USE;

/* Sets digest and shape. */
int km_mcp_upstream_digest(struct km_mcp_upstream *u, struct km_err *err) KM_MUST_USE;

#endif
