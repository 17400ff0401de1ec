/* SPDX-License-Identifier: Apache-2.0 */
/* background.c - see background.h for the contract.
 *
 * A lower priority (nice) would give the thread a smaller share, and on a core that is always
 * busy it would fall behind without end.  What is wanted concerns waking only:
 *
 *   SCHED_BATCH    when it wakes, it does not push the running thread from the core
 *   a long slice   its deadlines lie further off than an ordinary thread's, and since Linux 6.12
 *                  a waking thread with a shorter slice takes the core from it at once
 *
 * No longer than that takes: where more threads want a core than it can serve, one with a longer
 * slice comes later to its turn.  Older kernels ignore it.  libc has no wrapper for the call nor,
 * here, its struct.
 */
#include "sys/background.h"

#include <sched.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SLICE_NS UINT64_C(5000000) /* ordinary are 0.7 to some 3 ms */

/* As sched_setattr(2) has it: its first version, which every kernel takes. */
struct attr {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

void km_thread_to_background(void)
{
    struct attr attr = { .size = sizeof attr,
                         .policy = SCHED_BATCH,
                         .nice = getpriority(PRIO_PROCESS, 0),
                         .runtime = SLICE_NS };

    (void)syscall(SYS_sched_setattr, 0, &attr, 0);
}
