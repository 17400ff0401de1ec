/* SPDX-License-Identifier: Apache-2.0 */
/* tool_settings.c - rows of mcp_servers.NAME.tool_settings.TOOL.
 *
 * A tool is called by its own name, as its server has it.  What is not said of it is as its
 * server's entry has it.
 */
#include "mcp/upstream/upstream.h"
#include "policy/repeat.h"

#define AT(member) offsetof(struct km_mcp_tool_settings, member)

#define MS(key, member, text)                                                                      \
    { .name = key, .type = KM_SET_MS, .offset = AT(member), .min = 0, .max = 86400000,             \
      .help = text }

static const struct km_setting rows[] = {
    { .name = "retry", .type = KM_SET_ENUM, .offset = AT(retry), .def = "default",
      .choices = km_repeat_words, .help = "May its calls be repeated when they fail?" },
    MS("timeout", timeout_ms, "How long a call may take without a word; 0: as the server's."),
    MS("first_event_timeout", first_ms, "The same until the first word; 0: as the server's."),
    MS("call_timeout", call_ms, "How long it may take all in all; 0: as the server's."),
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

static uint64_t either(int64_t own, int64_t all)
{
    return (uint64_t)(own ? own : all);
}

struct km_mcp_times km_mcp_times_of(const struct km_mcp_entry *e, struct km_str tool)
{
    static const struct km_mcp_tool_settings none;
    const struct km_mcp_tool_settings *own = tool.n ? km_mcp_tool_said(e, tool) : NULL;

    if (!own)
        own = &none;
    return (struct km_mcp_times){ .silent_ms = either(own->timeout_ms, e->timeout_ms),
                                  .first_ms = either(own->first_ms, e->first_ms),
                                  .call_ms = either(own->call_ms, e->call_ms) };
}
