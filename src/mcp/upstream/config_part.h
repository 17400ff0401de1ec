/* SPDX-License-Identifier: Apache-2.0 */
/* config_part.h - what config.c is made of, and private to it: from mcp_servers to upstreams.
 *
 *     merge.c   two entries of one name      address.c   how it is reached
 *     digest.c  is it configured as it was  check.c    what nobody would keep
 *     fit.c     keys of another kind of server
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

/* "", or what is wrong with the entry; *ret_at is then where, NULL: it is the whole of it. */
const char *km_mcp_entry_wrong(const struct km_mcp_entry *e, const struct km_node **ret_at);
/* Its keys that do nothing for a server of its kind, each with its place: one that was to limit it
 * is an error, as is a spec_version that nobody speaks; any other is a warning.  low and high: the
 * two entries it was merged of, high counts; either may be NULL.  False: there was an error. */
bool km_mcp_entry_fits(const struct km_mcp_entry *e, struct km_str name, const struct km_node *low,
                       const struct km_node *high, struct km_diags *diags);
/* Warns of headers of clients' that the entry asks for and is not given; key_header: as
 * km_asker_kept_back() has it. */
void km_mcp_check_headers(const struct km_mcp_entry *e, const struct km_node *at,
                          struct km_str key_header, struct km_diags *diags);
/* Sets transport.  "", or what is wrong with the entry. */
const char *km_mcp_pick_transport(const struct km_mcp_set_args *args, struct km_mcp_upstream *u);
/* Sets origin, target and head; signer; oauth.  err is for a person. */
int km_mcp_make_address(const struct km_mcp_set_args *args, struct km_mcp_upstream *u,
                        struct km_err *err) KM_MUST_USE;
int km_mcp_make_signer(const struct km_mcp_set_args *args, struct km_mcp_upstream *u,
                       struct km_err *err) KM_MUST_USE;
int km_mcp_make_oauth(const struct km_mcp_set_args *args, struct km_mcp_upstream *u,
                      struct km_err *err) KM_MUST_USE;

/* follow.c: false: a `fallback` names nobody, or leads back to where it began; diags say so. */
bool km_mcp_followers_check(const struct km_mcp_set *set, const struct km_config *config,
                            struct km_diags *diags);

/* Sets digest and shape. */
int km_mcp_upstream_digest(struct km_mcp_upstream *u, struct km_err *err) KM_MUST_USE;

#endif
