/* SPDX-License-Identifier: Apache-2.0 */
/* search_settings.c - rows of kanmon_settings.mcp_tool_search.
 *
 * Whether tools are searched instead of listed is a matter of the endpoint a client uses: a server
 * and a virtual server say so in their own entries (`tool_search`), groups and the endpoint of all
 * servers here.
 */
#include "mcp/view/search.h"

#define AT(member) offsetof(struct km_mcp_search_settings, member)

static const struct km_setting inner[] = {
    { .name = "whole", .type = KM_SET_BOOL, .offset = AT(whole),
      .help = "On /mcp, and where several servers are chosen: search_tools, describe_tool and "
              "call_tool are listed in place of the tools." },
    { .name = "groups", .type = KM_SET_STR_LIST, .offset = AT(groups),
      .help = "Access groups whose endpoints do the same." },
    { .name = "visible", .type = KM_SET_STR_LIST, .offset = AT(visible),
      .help = "Tools that are listed all the same there, by the name they have there or by their "
              "own." },
    { .name = "results", .type = KM_SET_INT, .offset = AT(results), .def = "8", .min = 1,
      .max = KM_MCP_SEARCH_RESULTS,
      .help = "How many tools search_tools answers with when it is not said." },
    { 0 },
};

static const struct km_settings_table table = { .rows = inner,
                                                .size = sizeof(struct km_mcp_search_settings),
                                                .extra = SIZE_MAX };

static const struct km_setting rows[] = {
    { .name = "mcp_tool_search", .type = KM_SET_TABLE, .table = &table,
      .help = "Tools that are found by words instead of listed." },
    { 0 },
};

const struct km_settings_table km_mcp_search_table = { .section = "kanmon_settings",
                                                       .rows = rows,
                                                       .size =
                                                           sizeof(struct km_mcp_search_settings),
                                                       .extra = SIZE_MAX };
