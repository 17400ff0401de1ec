/* SPDX-License-Identifier: Apache-2.0 */
/* meter.h - what calls of the server's tools came to: counted, logged, and noted in their records.
 *
 * A meter belongs to one instance of the server on one loop; the series it counts in are those of
 * the entry of mcp_servers, whatever number of instances serve it.  Labels are the entry's name,
 * the tools' names and words of a fixed list: nothing a caller says becomes one.
 *
 * No value of a statement is in anything of this: statements are known by their fingerprint, and
 * the log of slow ones has their text without literals (normal.h).
 */
#ifndef KM_SERVERS_POSTGRES_METER_H
#define KM_SERVERS_POSTGRES_METER_H

#include "base/metric.h"
#include "mcp/server/server.h"
#include "servers/postgres/lease.h"

struct km_pg_meter;
struct km_pg_task;

struct km_pg_meter_args {
    struct km_loop *loop;
    const struct km_pg_db *db; /* outlives it */
    struct km_metrics *metrics; /* NULL: nothing is counted, and each call is a line of the log */
    size_t worker; /* whose cell of them is this loop's */
};

/* NULL: out of memory. */
struct km_pg_meter *km_pg_meter_new(const struct km_pg_meter_args *args);
struct km_pg_meter *km_pg_meter_free(struct km_pg_meter *m); /* NULL is fine; returns NULL */

/* A task's statement is on its way: its fingerprint goes into the record of the call. */
void km_pg_meter_begun(struct km_pg_task *task);
/* Its lease has ended; a slow one is logged. */
void km_pg_meter_lease(struct km_pg_task *task, const struct km_pg_outcome *o);
/* The answer to it failed for a reason of our own. */
void km_pg_meter_failed(struct km_pg_task *task, const struct km_err *err);
/* Of the server: see `ended` in mcp/server/server.h. */
void km_pg_meter_ended(struct km_mcp_call *call, const char *outcome);

#endif
