/* SPDX-License-Identifier: Apache-2.0 */
/* pool.h - a loop's connections to one database.
 *
 * Who wants one waits in a bounded queue for a bounded time.  A connection is given to one at a
 * time and given back; what runs on it between is the borrower's.  After a failed attempt none is
 * made for a while (100 ms, doubling to 30 s), and those who ask meanwhile are told why at once.
 * Where nobody had asked, the pause is for those kept ready alone: who asks has another try.
 *
 * Thread: its loop's.
 */
#ifndef KM_PG_POOL_H
#define KM_PG_POOL_H

#include "pg/conn.h"

struct km_pg_pool;

struct km_pg_pool_args {
    struct km_pg_target target; /* its strings are copied; dns and silent are the pool's own */
    bool read_only; /* the target's options make every session read-only */
    unsigned most; /* connections */
    unsigned least; /* of them kept ready, whether anybody asks or not; at most `most` */
    unsigned queue; /* who may wait */
    uint64_t queue_ms; /* how long */
    uint64_t idle_ms; /* an unused connection is closed after */
    uint64_t lifetime_ms; /* any is, when it is given back after */
};

/* A wait; the caller's, until fn is called. */
struct km_pg_wait {
    struct km_list link;
    struct km_deferred told;
    struct km_timer timer;
    struct km_pg_pool *pool;
    struct km_pg_conn *conn;
    struct km_err err;
    /* Once, not from inside km_pg_pool_take(). */
    void (*fn)(struct km_pg_wait *wait, struct km_pg_conn *conn, const struct km_err *err);
};

struct km_pg_pool_stats {
    unsigned connecting, idle, lent, most; /* connections */
    unsigned waiting; /* who asked, and has none yet */
    uint64_t refused, overdue, failed; /* since it was made: no room to wait, waited too long,
                                          connections that could not be made */
};

struct km_pg_pool *km_pg_pool_new(struct km_loop *loop, const struct km_pg_lib *lib,
                                  const struct km_pg_pool_args *args, struct km_err *err);
/* Nobody waits and nothing is lent. */
struct km_pg_pool *km_pg_pool_free(struct km_pg_pool *pool);

void km_pg_pool_take(struct km_pg_pool *pool, struct km_pg_wait *wait,
                     void (*fn)(struct km_pg_wait *wait, struct km_pg_conn *conn,
                                const struct km_err *err));
void km_pg_pool_forget(struct km_pg_wait *wait); /* fn is not called any more */

/* clean: the session is as it was; otherwise the connection is closed. */
void km_pg_pool_give(struct km_pg_pool *pool, struct km_pg_conn *conn, bool clean);

/* Instead of giving it back, while something runs on it that nobody wants any more: that is
 * cancelled, and the connection closed when it has ended, or after within_ms.  It keeps its place
 * so long: what a server still works at counts. */
void km_pg_pool_abandon(struct km_pg_pool *pool, struct km_pg_conn *conn, uint64_t within_ms);

/* Connections made since it was: as long as it stands still, each is one that was there. */
uint64_t km_pg_pool_made(const struct km_pg_pool *pool);
struct km_pg_pool_stats km_pg_pool_stats(const struct km_pg_pool *pool);

#endif
