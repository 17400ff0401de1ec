/* SPDX-License-Identifier: Apache-2.0 */
/* spawn.h - fork and exec with everything explicit; for supervise.c.
 *
 * The child is the leader of a session of its own, has default signal handling, exactly the
 * descriptors named, and no others.  Blocks for the moment until exec succeeded or failed.
 */
#ifndef KM_SYS_SPAWN_H
#define KM_SYS_SPAWN_H

#include <sys/types.h>

#include "base/err.h"

struct km_child_spec;

int km_spawn(const struct km_child_spec *spec, pid_t *ret_pid, struct km_err *err) KM_MUST_USE;

/* fork(): the child is a copy of this process, which has one thread, and the leader of a session of
 * its own.  For a program that goes on in the background as itself. */
pid_t km_fork_session(void);

/* Closes every descriptor from `first` on.  Async-signal-safe. */
void km_close_from(int first);

#endif
