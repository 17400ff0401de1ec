/* SPDX-License-Identifier: Apache-2.0 */
/* postgres_serve.h - `kanmon mcp postgres`, serving. */
#ifndef KM_APP_POSTGRES_SERVE_H
#define KM_APP_POSTGRES_SERVE_H

struct km_cli;

/* On standard input and output, or with --listen over HTTP.  Blocks; returns an exit code. */
int km_postgres_serve(struct km_cli *cli);

#endif
