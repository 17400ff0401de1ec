/* SPDX-License-Identifier: Apache-2.0 */
/* litellm.c - what LiteLLM's other sections say of MCP servers.
 *
 *     general_settings    who may use them without being named, the header of clients' credentials
 *     litellm_settings    short names
 *
 * Rows alone; config.c reads them when the servers are made, gateway/mcp/access.c for each request.
 */
#include "mcp/upstream/upstream.h"

static const struct km_setting general_rows[] = {
    { .name = "require_key_mcp_access_defined",
      .type = KM_SET_BOOL,
      .offset = offsetof(struct km_mcp_general, keys_need_grant),
      .flags = KM_SET_SAFETY,
      .help = "A key without object_permission may use no MCP server but those with "
              "allow_all_keys; else it may use all." },
    { .name = "mcp_client_side_auth_header_name",
      .type = KM_SET_STR,
      .offset = offsetof(struct km_mcp_general, client_auth),
      .def = "x-mcp-auth",
      .help = "The header with a client's own credential for every MCP server that has an "
              "auth_type of a fixed credential. x-mcp-{alias}-authorization is for one server, and "
              "better." },
    { 0 },
};

const struct km_settings_table km_mcp_general_table = { .section = "general_settings",
                                                        .rows = general_rows,
                                                        .size = sizeof(struct km_mcp_general),
                                                        .extra = SIZE_MAX };

static const struct km_setting alias_rows[] = {
    { .name = "mcp_aliases",
      .type = KM_SET_STR_MAP,
      .offset = offsetof(struct km_mcp_aliases, aliases),
      .help = "{alias: server}: the alias of a server whose own entry has none; the first one "
              "counts." },
    { 0 },
};

const struct km_settings_table km_mcp_alias_table = { .section = "litellm_settings",
                                                      .rows = alias_rows,
                                                      .size = sizeof(struct km_mcp_aliases),
                                                      .extra = SIZE_MAX };
