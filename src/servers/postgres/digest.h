/* SPDX-License-Identifier: Apache-2.0 */
/* digest.h - private to the server: what it knows of the schema without being asked. */
#ifndef KM_SERVERS_POSTGRES_DIGEST_H
#define KM_SERVERS_POSTGRES_DIGEST_H

#include "servers/postgres/server.h"

/* km_mcp_server.prepare: the server's instructions get a digest of the schema as it is. */
int km_pg_digest_prepare(struct km_mcp_call *call, void (*then)(struct km_mcp_call *call));

/* The text of the instructions: tables is the answer of the digest's query, NULL: unknown. */
void km_pg_digest_write(struct km_pg_server *s, const struct km_json *tables);

#endif
