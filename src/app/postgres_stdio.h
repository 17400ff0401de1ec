/* SPDX-License-Identifier: Apache-2.0 */
/* postgres_stdio.h - an MCP server of our own on standard input and output, without a gateway. */
#ifndef KM_APP_POSTGRES_STDIO_H
#define KM_APP_POSTGRES_STDIO_H

#include "servers/postgres/builtin.h"

/* Serves until standard input ends and everything is answered.  Blocks.  settings outlive it. */
int km_postgres_stdio(const struct km_pg_settings *settings, struct km_err *err) KM_MUST_USE;

#endif
