/* SPDX-License-Identifier: Apache-2.0 */
/* watch.h - a descriptor that a library reads and writes by itself: tells when it may.
 *
 * Level-triggered: it tells again for as long as the descriptor is ready and wanted.
 */
#ifndef KM_SYS_WATCH_H
#define KM_SYS_WATCH_H

#include "sys/loop.h"

struct km_watch;

/* readable is also told when the other end closed.  The watch may be freed from inside. */
typedef void km_watch_fn(void *ctx, bool readable, bool writable);

/* fd stays the caller's and must stay open until the watch is freed.  It tells nothing yet. */
struct km_watch *km_watch_new(struct km_loop *loop, int fd, km_watch_fn *fn, void *ctx,
                              struct km_err *err);
void km_watch_want(struct km_watch *w, bool read, bool write);
struct km_watch *km_watch_free(struct km_watch *w);

#endif
