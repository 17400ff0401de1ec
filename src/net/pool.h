/* SPDX-License-Identifier: Apache-2.0 */
/* pool.h - keep-alive connections of one loop, by origin.
 *
 * An idle connection keeps reading: FIN, RST or a stray byte removes it at once, and it is
 * looked at once more before it is lent.  The most recently used is lent first.  At most
 * max_per_origin connections are open to an origin; further requests wait in order, bounded.
 */
#ifndef KM_NET_POOL_H
#define KM_NET_POOL_H

#include "base/setting.h"
#include "net/dial.h"

struct km_pool_settings {
    int64_t max_per_origin; /* open connections to one origin and worker */
    int64_t max_idle; /* of these, kept idle */
    int64_t idle_ms; /* an idle connection is closed after */
    int64_t max_waiting; /* requests waiting for a connection to one origin */
    int64_t connect_ms; /* DNS, connect, proxy, TLS together */
};
extern const struct km_settings_table km_pool_settings_table; /* kanmon_settings.upstream */

struct km_pool;
struct km_pool_get;

/* *settings is copied. */
struct km_pool *km_pool_new(struct km_loop *loop, struct km_dialer *dialer,
                            const struct km_pool_settings *settings);
struct km_pool *km_pool_free(struct km_pool *pool);
void km_pool_configure(struct km_pool *pool, const struct km_pool_settings *settings);

/* An idle connection now, or NULL.  *ret stream is lent until put or dropped. */
struct km_stream *km_pool_take(struct km_pool *pool, struct km_origin *origin);

/* stream (lent; fresh: just dialled) or err.  Exactly once, never synchronous. */
typedef void km_pool_fn(void *ctx, struct km_stream *stream, const struct km_err *err);
/* When take() gave nothing: dials, or waits for the limit.  NULL: over max_waiting or memory. */
struct km_pool_get *km_pool_get(struct km_pool *pool, struct km_origin *origin, km_pool_fn *fn,
                                void *ctx);
void km_pool_cancel(struct km_pool_get *get);

/* Gives a lent stream back for reuse, or (drop) closes it.  The stream is the pool's after. */
void km_pool_put(struct km_pool *pool, struct km_origin *origin, struct km_stream *stream);
void km_pool_drop(struct km_pool *pool, struct km_origin *origin, struct km_stream *stream);

size_t km_pool_open(const struct km_pool *pool); /* lent and idle */
size_t km_pool_idle(const struct km_pool *pool);

#endif
