/* SPDX-License-Identifier: Apache-2.0 */
/* import.h - MCP servers as other programs write them down, turned into mcp_servers of our file.
 *
 * Read are `mcpServers` (Claude Desktop, Claude Code, Cursor, Windsurf), `servers` (VS Code's
 * mcp.json) and `mcp.servers` (VS Code's settings.json), with comments and trailing commas.
 * Nothing secret goes into the result: what looks like a secret becomes os.environ/NAME, and the
 * notes say what to put where.
 */
#ifndef KM_MCP_IMPORT_H
#define KM_MCP_IMPORT_H

#include "base/buf.h"

#define KM_MCP_IMPORT_BYTES ((size_t)4 * 1024 * 1024) /* of a file */

/* Comments become blanks, and so do commas before a bracket that closes; strings stay.  In place:
 * places in the text stay what they were. */
void km_jsonc_strip(char *text, size_t n);

/* yaml: "mcp_servers:" and what is below it.  notes: a line each, for people; never a secret.
 * KM_E_INVALID says what is wrong with the text, which is changed. */
int km_mcp_import(char *text, size_t n, struct km_buf *yaml, struct km_buf *notes,
                  struct km_err *err) KM_MUST_USE;

#endif
