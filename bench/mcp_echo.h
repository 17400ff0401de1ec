/* SPDX-License-Identifier: Apache-2.0 */
/* mcp_echo.h - an MCP server that costs almost nothing: one message in, its answer out.
 *
 * Handshake era.  tools/call of any tool gives arguments.message back; tools/list has as many
 * tools as were asked for.  No state but a count, no allocation.
 */
#ifndef BENCH_MCP_ECHO_H
#define BENCH_MCP_ECHO_H

#include <stddef.h>
#include <stdint.h>

enum { MCP_ECHO_MAX = 1 << 19 }; /* of an answer: 1,000 tools fit */

struct mcp_echo {
    int tools;
    uint64_t calls;
};

/* The answer's length; 0: none is due (a notification, or no message at all). */
size_t mcp_echo(struct mcp_echo *echo, const char *message, size_t len, char *out, size_t cap);

#endif
