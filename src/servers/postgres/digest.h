/* SPDX-License-Identifier: Apache-2.0 */
/* digest.h - private to the server: what it knows of the schema without being asked. */
#ifndef KM_SERVERS_POSTGRES_DIGEST_H
#define KM_SERVERS_POSTGRES_DIGEST_H

#include "servers/postgres/server.h"
#include "servers/postgres/watch.h"

struct km_pg_digest;

/* tell says that lists may be asked for again, when what was told of the schema is more now; never
 * from inside a call.  NULL: nobody listens.  Result NULL: out of memory.  Freed before the
 * database is, when no call is under way. */
struct km_pg_digest *km_pg_digest_new(struct km_pg_server *s, struct km_loop *loop,
                                      km_pg_tell_fn *tell, void *ctx);
struct km_pg_digest *km_pg_digest_free(struct km_pg_digest *d);

/* km_mcp_server.prepare: the server's instructions get a digest of the schema as it is.  A call
 * waits for it a second at most, and not at all where the database was too slow before. */
int km_pg_digest_prepare(struct km_mcp_call *call, void (*then)(struct km_mcp_call *call));

/* The database has answered something: a digest that is not known yet is asked for. */
void km_pg_digest_answers(struct km_pg_server *s);

/* The text of the instructions: tables is the answer of the digest's query, NULL: unknown. */
void km_pg_digest_write(struct km_pg_server *s, const struct km_json *tables);

#endif
