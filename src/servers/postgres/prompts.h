/* SPDX-License-Identifier: Apache-2.0 */
/* prompts.h - private to the server: texts a person picks to begin with. */
#ifndef KM_SERVERS_POSTGRES_PROMPTS_H
#define KM_SERVERS_POSTGRES_PROMPTS_H

#include "mcp/server/server.h"

km_mcp_tool_fn km_pg_prompts_list, km_pg_prompts_get;

#endif
