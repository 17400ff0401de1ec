/* SPDX-License-Identifier: Apache-2.0 */
/* tool_settings.c - rows of mcp_servers.NAME.tool_settings.TOOL.
 *
 * A tool is called by its own name, as its server has it.  What is not said of it is as its
 * server's entry has it.
 */
#include "mcp/upstream/upstream.h"
#include "policy/repeat.h"

#define AT(member) offsetof(struct km_mcp_tool_settings, member)

static const struct km_setting rows[] = {
    { .name = "retry", .type = KM_SET_ENUM, .offset = AT(retry), .def = "default",
      .choices = km_repeat_words, .help = "May its calls be repeated when they fail?" },
    { 0 },
};

const struct km_settings_table km_mcp_tool_table = { .rows = rows,
                                                     .size = sizeof(struct km_mcp_tool_settings),
                                                     .extra = SIZE_MAX };

const struct km_mcp_tool_settings *km_mcp_tool_said(const struct km_mcp_entry *e,
                                                    struct km_str tool)
{
    const struct km_mcp_tool_settings *v = e->tools.v;

    for (size_t i = 0; i < e->tools.n; i++)
        if (km_str_eq(e->tools.names[i], tool))
            return &v[i];
    return NULL;
}
