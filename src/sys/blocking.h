/* SPDX-License-Identifier: Apache-2.0 */
/* blocking.h - blocking waits, for commands and for starts: never on a loop's thread that serves.
 *
 * Each is interrupted by nothing but what it waits for: a signal in between is no end.
 */
#ifndef KM_SYS_BLOCKING_H
#define KM_SYS_BLOCKING_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

struct km_child_spec;

/* Until the child has ended; *ret_status is waitpid's.  KM_E_SYSTEM: it is no child of this
 * process, or somebody else has heard of its end. */
int km_wait_child(pid_t pid, int *ret_status, struct km_err *err) KM_MUST_USE;

/* Runs a program to its end; of the spec (supervise.h) only what it is started with counts. */
int km_run(const struct km_child_spec *spec, int *ret_status, struct km_err *err) KM_MUST_USE;

/* Until no process has that number any more; false: it still had one after most_ms. */
bool km_wait_gone(pid_t pid, int64_t most_ms);

void km_wait_ms(unsigned ms);

/* Reads what there is, at least a byte, into room.  Bytes read; 0: the end; -1: it failed (errno);
 * KM_READ_WOKEN: `wake` can be read, which nobody does here. */
#define KM_READ_WOKEN (-2)
ssize_t km_read_or_wake(int fd, int wake, void *room, size_t n);

/* Waits ms, or less: `wake` can be read, or nobody reads any more what is written to `out`. */
enum km_waited { KM_WAITED_ALL, KM_WAITED_WOKEN, KM_WAITED_CLOSED };
enum km_waited km_wait_while_read(int out, int wake, unsigned ms);

#endif
