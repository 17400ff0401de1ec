/* SPDX-License-Identifier: Apache-2.0 */
/* chat_settings.h - what is set of chats with tools. */
#ifndef KM_GATEWAY_MCP_CHAT_SETTINGS_H
#define KM_GATEWAY_MCP_CHAT_SETTINGS_H

#include "base/setting.h"

struct km_mcp_chat_settings { /* kanmon_settings */
    int64_t rounds; /* mcp_chat_rounds */
};

extern const struct km_settings_table km_mcp_chat_settings_table;

#endif
