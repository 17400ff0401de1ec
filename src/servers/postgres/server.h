/* SPDX-License-Identifier: Apache-2.0 */
/* server.h - the built-in MCP server `postgres`: rows of tools over one database.
 *
 * A server is made for a database and a mode; its tools find the database by call->server->data.
 * Thread: the database's loop.
 */
#ifndef KM_SERVERS_POSTGRES_SERVER_H
#define KM_SERVERS_POSTGRES_SERVER_H

#include "mcp/server/server.h"
#include "servers/postgres/lease.h"

#define KM_PG_INSTRUCTIONS 4096 /* bytes */
#define KM_PG_TOOLS 96 /* of a server, those of the configuration counted */
#define KM_PG_PROMPTS 64 /* the same */

struct km_pg_digest;
struct km_pg_meter;
struct km_pg_own;
struct km_pg_processors;
struct km_pg_watch;

struct km_pg_server {
    struct km_mcp_server mcp;
    struct km_mcp_tool tools[KM_PG_TOOLS];
    struct km_mcp_prompt prompts[KM_PG_PROMPTS];
    struct km_pg_db *db;
    char sizes[16384]; /* of the largest tables at the last analyze_health, as JSON; empty: none */
    uint64_t sizes_ms;
    char instructions[KM_PG_INSTRUCTIONS + 1];
    struct km_pg_own *own; /* of the definitions; NULL: there are none */
    const struct km_pg_processors *processors; /* of them; own's; NULL: there are none */
    struct km_pg_digest *digest; /* NULL: instructions stay as they are */
    struct km_pg_watch *watch; /* NULL: nobody listens */
    struct km_pg_meter *meter;
};

/* db outlives it.  What else it has is made by builtin.c. */
void km_pg_server_init(struct km_pg_server *s, struct km_pg_db *db);

#endif
