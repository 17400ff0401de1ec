/* SPDX-License-Identifier: Apache-2.0 */
/* cancel.h - private to pg/: a CancelRequest on its way. */
#ifndef KM_PG_CANCEL_H
#define KM_PG_CANCEL_H

#include "pg/lib.h"

struct km_pg_cancel;

/* Sends it to where pq is connected to.  fn once, when the server closed the socket, or nothing
 * came of it for five seconds; not from inside.  NULL: it could not be sent. */
struct km_pg_cancel *km_pg_cancel_new(struct km_loop *loop, const struct km_pg_lib *lib, PGconn *pq,
                                      void (*fn)(void *ctx), void *ctx);
struct km_pg_cancel *km_pg_cancel_free(struct km_pg_cancel *k); /* without a word */

#endif
