/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_key_mcp.h - what a key may use of MCP servers, by options and for people. */
#ifndef KM_APP_CMD_KEY_MCP_H
#define KM_APP_CMD_KEY_MCP_H

#include "app/client.h"

/* Options of `key generate` and `key update`. */
#define KM_KEY_MCP_OPTIONS                                                                         \
    { "mcp-servers", "A,B|none", "MCP servers it may use (default: all)", 0 },                     \
        { "mcp-groups", "A,B", "access groups of servers it may use", 0 },                         \
        { "mcp-tools", "S:T,...|all", "of server S tool T alone: git:log,git:show", 0 },           \
        { "mcp-params", "S:T:P,...|all", "of a tool these parameters alone", 0 },                  \
        { "mcp-modes", "S:MODE,...", "a lower mode of a server: shop:read-only", 0 },              \
        { "mcp-values", "S:NAME=V,...", "values a server takes of the key: shop:tenant=acme", 0 }, \
    {                                                                                              \
        "unchecked", NULL, "take names of servers, groups and tools that are not there now", 0     \
    }

/* Appends `"object_permission":{...}` for the options that were given; nothing where none was.
 * before: the permission the key has, whose other parts stay; NULL: none.  0 or an exit code. */
int km_key_mcp_put(struct km_cli *cli, const struct km_json *before, struct km_buf *out);
bool km_key_mcp_given(const struct km_cli *cli);

/* The lines of `kanmon key info`; and one word for a list: "all", "none", or names. */
void km_key_mcp_print(const struct km_json *permission);
void km_key_mcp_word(const struct km_json *permission, struct km_buf *out);

#endif
