/* SPDX-License-Identifier: Apache-2.0 */
/* supervise.h - one child-process state machine for everything kanmon keeps running: the
 * gateway under `kanmon start`, later stdio MCP servers.
 *
 *     stopped -> starting -> ready -> stopping -> stopped
 *                   |          |
 *                   +-> backoff <-+        (restart after 100 ms, doubling to 30 s;
 *                                           60 s of health reset it)
 *
 * The child gets an explicit argv, environment and descriptors and nothing else; no shell.
 * Stopping sends TERM, and KILL after stop_ms.  Callbacks run on the loop thread.
 */
#ifndef KM_SYS_SUPERVISE_H
#define KM_SYS_SUPERVISE_H

#include <sys/types.h>

#include "sys/loop.h"

enum km_child_state {
    KM_CHILD_STOPPED,
    KM_CHILD_STARTING,
    KM_CHILD_READY,
    KM_CHILD_STOPPING,
    KM_CHILD_BACKOFF,
};

const char *km_child_state_name(enum km_child_state state);

struct km_child_spec {
    const char *file; /* executable; absolute path or looked up in PATH */
    const char *const *argv; /* NULL ends */
    const char *const *envp; /* NULL ends; the whole environment of the child */
    const char *cwd; /* NULL: inherited */
    const int *fds; /* inherited as 3, 4, ... in the child */
    size_t nfds;
    int stdin_fd, stdout_fd, stderr_fd; /* -1: /dev/null */
    bool listen_fds; /* sets LISTEN_FDS=nfds and LISTEN_PID to the child's pid */
    bool restart; /* after an exit that was not asked for */
    uint64_t stop_ms; /* TERM to KILL */
    uint64_t ready_ms; /* STARTING longer than this is a failure; 0: ready at once */
    /* Processes that share a bound, those on their way out among them: km_child_start() is refused
     * with KM_E_AGAIN while `most` of them exist.  Outlives the loop; NULL: not counted. */
    _Atomic unsigned *living;
    unsigned most;
};

struct km_child;

/* Told after every change; exit_status is waitpid's when the change came from an exit, else -1. */
typedef void km_child_fn(void *ctx, struct km_child *child, enum km_child_state state,
                         int exit_status);

/* The spec and what it points to are copied. */
struct km_child *km_child_new(struct km_loop *loop, const struct km_child_spec *spec,
                              km_child_fn *on_state, void *ctx, struct km_err *err);
int km_child_start(struct km_child *c, struct km_err *err) KM_MUST_USE;
void km_child_ready(struct km_child *c); /* its owner saw it become ready */
void km_child_stop(struct km_child *c); /* ends in STOPPED, no restart */
void km_child_signal(struct km_child *c, int signum);
pid_t km_child_pid(const struct km_child *c);
enum km_child_state km_child_state(const struct km_child *c);
/* As free, but it ends by itself (what it waits for was closed): it is killed only when it has not
 * ended after grace_ms.  Returns NULL. */
struct km_child *km_child_leave(struct km_child *c, uint64_t grace_ms);
/* Only when STOPPED or BACKOFF; otherwise kills at once and does not wait.  Returns NULL. */
struct km_child *km_child_free(struct km_child *c);

#endif
