/* SPDX-License-Identifier: Apache-2.0 */
/* reach.h - private to pg/conn.c: from a dsn to a session, on the loop. */
#ifndef KM_PG_REACH_H
#define KM_PG_REACH_H

#include "pg/lib.h"

struct km_pg_reach;

/* Once, never from inside km_pg_reach_new().  pq: the receiver's to finish; NULL: err says why.
 * It may free the attempt. */
typedef void km_pg_reach_fn(void *ctx, PGconn *pq, const struct km_err *err);

/* target outlives it.  NULL: out of memory. */
struct km_pg_reach *km_pg_reach_new(struct km_loop *loop, const struct km_pg_lib *lib,
                                    const struct km_pg_target *target, km_pg_reach_fn *fn,
                                    void *ctx);
/* fn does not come any more.  NULL is fine. */
struct km_pg_reach *km_pg_reach_free(struct km_pg_reach *r);

/* An error in libpq's words, without where the database is: how it is reached is nobody's business
 * who only asks it. */
void km_pg_fail(struct km_err *err, int code, const char *what, const char *why);

#endif
