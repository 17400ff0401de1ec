/* SPDX-License-Identifier: Apache-2.0 */
/* watch.h - private to the server: says when the catalogue is another. */
#ifndef KM_SERVERS_POSTGRES_WATCH_H
#define KM_SERVERS_POSTGRES_WATCH_H

#include "servers/postgres/server.h"

#define KM_PG_WATCHED 64 /* addresses somebody subscribed to */

struct km_pg_watch;

/* As km_mcp_builtin_args.tell; never from inside a call. */
typedef void km_pg_tell_fn(void *ctx, struct km_str method, struct km_str params);

/* Begins to look when the first address is subscribed to or a client asks for the list.  NULL: out
 * of memory.  done before the database is. */
struct km_pg_watch *km_pg_watch_new(struct km_pg_server *server, struct km_loop *loop,
                                    uint64_t every_ms, km_pg_tell_fn *tell, void *ctx);
struct km_pg_watch *km_pg_watch_free(struct km_pg_watch *w);

/* A watch of NULL takes all and says nothing.  KM_E_LIMIT. */
int km_pg_watch_add(struct km_pg_watch *w, struct km_str uri, struct km_err *err) KM_MUST_USE;
void km_pg_watch_remove(struct km_pg_watch *w, struct km_str uri);
void km_pg_watch_begin(struct km_pg_watch *w);

#endif
