/* SPDX-License-Identifier: Apache-2.0 */
/* worker.h - private to host/: one worker's making, running and ending. */
#ifndef KM_HOST_WORKER_H
#define KM_HOST_WORKER_H

#include "host/gateway.h"

/* Main thread, before the worker's own thread runs. */
int km_worker_init(struct km_worker *w, struct km_gateway *gw, size_t index,
                   struct km_err *err) KM_MUST_USE;
/* Can the certificates of this snapshot be used? */
int km_worker_check_tls(const struct km_snapshot *snap, struct km_err *err) KM_MUST_USE;
int km_worker_listen(struct km_worker *w, int fd, size_t entry, struct km_err *err) KM_MUST_USE;
int km_worker_start(struct km_worker *w, struct km_err *err) KM_MUST_USE;
/* Joins the thread (it must be ending) and frees. */
void km_worker_done(struct km_worker *w);

/* Any thread: by message. The snapshot's reference goes along. */
void km_worker_swap(struct km_worker *w, struct km_snapshot *snap);
void km_worker_drain(struct km_worker *w, void (*pass_on)(void *ctx, int fd), void *ctx);
void km_worker_freeze(struct km_worker *w); /* waits at the gateway's gate */
void km_worker_thaw(struct km_worker *w);
void km_worker_adopt(struct km_worker *w, int fd, const union km_addr *peer);
/* Any thread: cuts what still runs; the worker counts itself out of workers_busy once nothing of it
 * is under way, and its loop goes on for those that are not there yet. */
void km_worker_kill(struct km_worker *w);
/* Main thread, when workers_busy is 0: ends the loop after what the others have sent to it. */
void km_worker_stop(struct km_worker *w);

/* --- accept.c: on the worker's thread, or before it runs --- */

/* The certificates of a snapshot by entry of listen; swap: those of a newer one, or, where they
 * cannot be used, a line in the log and the old ones. */
int km_worker_tls_init(struct km_worker *w, const struct km_snapshot *snap,
                       struct km_err *err) KM_MUST_USE;
void km_worker_tls_swap(struct km_worker *w, const struct km_snapshot *snap);
void km_worker_tls_done(struct km_worker *w);
/* All its sockets, the control socket too. */
void km_worker_pause(struct km_worker *w);
void km_worker_resume(struct km_worker *w);
/* For good; not the control socket, which may answer to the end. */
void km_worker_close(struct km_worker *w);

#endif
