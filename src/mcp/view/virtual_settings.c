/* SPDX-License-Identifier: Apache-2.0 */
/* virtual_settings.c - rows of kanmon_settings.mcp_virtual_servers.
 *
 * What a virtual server takes of each server is a tree of its own (`servers`), read by virtual.c:
 * names there are tools' and resources', not settings.  An unknown key refuses to load, since the
 * section says who may reach what.
 */
#include "mcp/view/virtual.h"

#define ROW(key, kind, member, text)                                                               \
    { .name = key, .type = kind, .offset = offsetof(struct km_mcp_virtual_entry, member),          \
      .help = text }

static const struct km_setting entry_rows[] = {
    ROW("description", KM_SET_STR, description, "What it is for, for people."),
    ROW("instructions", KM_SET_STR, instructions,
        "Shown to the model in place of the instructions of the servers below it."),
    ROW("servers", KM_SET_NODE, servers,
        "{server: {tools, resources, prompts}}: each a list of names, `*` for all, or a map of "
        "names to `{name, title, description}` shown instead. A name may end in `*`. `server: *` "
        "takes all it has."),
    ROW("prefix", KM_SET_BOOL, prefix,
        "Names have their server's alias in front, `github-list_issues`."),
    ROW("access_groups", KM_SET_STR_LIST, access_groups,
        "Groups it belongs to, for keys and for x-mcp-access-groups."),
    ROW("allow_all_keys", KM_SET_BOOL, allow_all_keys,
        "Every key may use it, whatever its object_permission says."),
    ROW("tool_search", KM_SET_BOOL, tool_search,
        "Lists search_tools, describe_tool and call_tool in place of the tools themselves."),
    ROW("tool_search_visible", KM_SET_STR_LIST, visible,
        "With tool_search: tools that are listed all the same."),
    { 0 },
};

static const struct km_settings_table entry_table = {
    .rows = entry_rows, .size = sizeof(struct km_mcp_virtual_entry), .extra = SIZE_MAX
};

static const struct km_setting rows[] = {
    { .name = "mcp_virtual_servers", .type = KM_SET_TABLE_MAP, .table = &entry_table,
      .flags = KM_SET_SAFETY,
      .help = "Named subsets of what the MCP servers offer, reached as a server is." },
    { 0 },
};

const struct km_settings_table km_mcp_virtual_table = { .section = "kanmon_settings",
                                                        .rows = rows,
                                                        .size = sizeof(struct km_table_list),
                                                        .extra = SIZE_MAX };
