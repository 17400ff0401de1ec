/* SPDX-License-Identifier: Apache-2.0 */
/* pipe.h - one end of a pipe on a loop: reading as it comes, writing with a bounded queue.
 *
 * For the standard streams of child processes.  Thread: the loop's.
 */
#ifndef KM_SYS_PIPE_H
#define KM_SYS_PIPE_H

#include "sys/loop.h"

struct km_pipe;

struct km_pipe_events {
    /* Bytes lie in the loop's read buffer and die with the callback. */
    void (*on_read)(void *ctx, const char *bytes, size_t n);
    /* The other end is closed, or broken: nothing more is read, or can be written.  Once. */
    void (*on_end)(void *ctx);
};

/* fd is the callee's, also when this fails (NULL).  Reading begins at once where there is an
 * on_read. */
struct km_pipe *km_pipe_new(struct km_loop *loop, int fd, const struct km_pipe_events *events,
                            void *ctx, struct km_err *err);
/* Copies what the kernel does not take now.  KM_E_OVERLOADED: over max bytes would wait; then
 * nothing of it is written. */
int km_pipe_write(struct km_pipe *p, struct km_str bytes, size_t max,
                  struct km_err *err) KM_MUST_USE;
size_t km_pipe_queued(const struct km_pipe *p);
/* Bytes that the other end has not read: queued, or in the kernel's pipe. */
size_t km_pipe_unread(const struct km_pipe *p);
/* Closes at once; what is queued is lost.  May be called from inside its events.  NULL is fine. */
struct km_pipe *km_pipe_free(struct km_pipe *p);

#endif
