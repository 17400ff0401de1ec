/* SPDX-License-Identifier: Apache-2.0 */
/* chat_settings.c - the row of kanmon_settings for chats with tools. */
#include "gateway/mcp/chat_settings.h"

#define AT(member) offsetof(struct km_mcp_chat_settings, member)

static const struct km_setting chat_rows[] = {
    { .name = "mcp_chat_rounds",
      .type = KM_SET_INT,
      .offset = AT(rounds),
      .def = "10",
      .min = 1,
      .max = 100,
      .flags = KM_SET_SAFETY,
      .help = "How often a model is asked at most for one chat with MCP tools that are run here." },
    { 0 },
};

const struct km_settings_table km_mcp_chat_settings_table = {
    .section = "kanmon_settings",
    .rows = chat_rows,
    .size = sizeof(struct km_mcp_chat_settings),
    .extra = SIZE_MAX,
};
