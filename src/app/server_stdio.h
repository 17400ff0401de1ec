/* SPDX-License-Identifier: Apache-2.0 */
/* server_stdio.h - an MCP server of our own on standard input and output, without a gateway. */
#ifndef KM_APP_SERVER_STDIO_H
#define KM_APP_SERVER_STDIO_H

#include "mcp/builtin.h"

struct km_server_stdio_args {
    /* args as of a kind's open, without an upstream.  NULL with err. */
    struct km_mcp_server *(*open)(void *ctx, const struct km_mcp_builtin_args *args,
                                  struct km_err *err);
    void (*close)(struct km_mcp_server *server); /* no call of it is under way */
    void *ctx;
};

/* Serves until standard input ends, or TERM or INT comes, and what is quick is answered; the rest
 * is cancelled.  Blocks. */
int km_server_stdio(const struct km_server_stdio_args *args, struct km_err *err) KM_MUST_USE;

#endif
