/* SPDX-License-Identifier: Apache-2.0 */
/* virtual.h - virtual servers: named subsets of what the servers behind kanmon offer.
 *
 *     kanmon_settings:
 *       mcp_virtual_servers:
 *         triage:
 *           servers:
 *             github: {tools: {list_issues: {name: issues, description: "Open issues."}}}
 *             docs: {tools: [search, read], resources: ["docs://guide"], prompts: "*"}
 *
 * A virtual server is reached by its name like any other.  It has no process and no session: its
 * tools are those of the servers below it, under other names where it says so, and a call goes to
 * the server that has the tool, with all that is configured and permitted for that tool there.
 * What it does not name cannot be reached through it.
 *
 * Immutable and counted: a view that shows one outlives the configuration it came from.
 */
#ifndef KM_MCP_VIRTUAL_H
#define KM_MCP_VIRTUAL_H

#include "mcp/upstream/upstream.h"

/* One entry of `mcp_virtual_servers`; rows in virtual_settings.c. */
struct km_mcp_virtual_entry {
    struct km_str description, instructions;
    struct km_str_list access_groups, visible;
    const struct km_node *servers;
    bool prefix, allow_all_keys, tool_search;
};

/* What stands in the place of an item's own words; empty: its own. */
struct km_mcp_dress {
    struct km_str name, title, description;
};

/* One line of a subset: a name, or its beginning and '*'. */
struct km_mcp_pick {
    struct km_str name;
    struct km_mcp_dress dress;
};

/* What a virtual server has of one server. */
struct km_mcp_part {
    struct km_mcp_upstream *upstream; /* referenced */
    struct {
        const struct km_mcp_pick *v;
        size_t n;
    } lists[KM_MCP_LISTS];
};

struct km_mcp_virtual {
    _Atomic unsigned refs;
    struct km_arena arena; /* holds all below */
    struct km_str name;
    struct km_mcp_virtual_entry entry; /* its strings are in the arena; servers: NULL */
    struct km_mcp_part *parts;
    size_t nparts;
};

/* The virtual servers of a configuration, after its servers are in the set: set->virtuals.
 * KM_E_CONFIG with diagnostics: an unknown server, two entries with one name, a name that is a
 * server's or a group's. */
int km_mcp_virtuals_new(const struct km_config *config, struct km_mcp_set *set,
                        struct km_diags *diags, struct km_err *err) KM_MUST_USE;
struct km_mcp_virtual *km_mcp_virtual_ref(struct km_mcp_virtual *v); /* any thread */
struct km_mcp_virtual *km_mcp_virtual_unref(struct km_mcp_virtual *v);

/* By name; NULL: there is none. */
struct km_mcp_virtual *km_mcp_virtual_find(const struct km_mcp_set *set, struct km_str name);
/* The line that takes the item in; NULL: it is not part of it. */
const struct km_mcp_pick *km_mcp_part_pick(const struct km_mcp_part *part, enum km_mcp_list list,
                                           struct km_str name);

extern const struct km_settings_table km_mcp_virtual_table; /* kanmon_settings */

#endif
