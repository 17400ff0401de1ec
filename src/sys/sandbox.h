/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox.h - what a child is kept from: files, system calls, privileges; and what of that this
 * machine can do.
 *
 *     system calls   a kernel filter (seccomp.h)
 *     files          Landlock (landlock.h); or mounts of its own, by bubblewrap
 *     privileges     all capabilities dropped, none gained by any program it runs
 *
 * What it may read without being told: programs and libraries, the few files of /etc that every
 * program needs, its own and other processes' public parts of /proc, the folders of PATH, the
 * settings of npm, pip and uv, and what its arguments name.  What it may write: the folders it is
 * given.  Nothing of it needs root.
 */
#ifndef KM_SYS_SANDBOX_H
#define KM_SYS_SANDBOX_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

#define KM_SANDBOX_PATHS 128 /* of each list */

enum km_sandbox_mode {
    KM_SANDBOX_OFF,
    KM_SANDBOX_ON, /* what the machine can do; the rest is told */
    KM_SANDBOX_REQUIRED, /* Landlock and seccomp, or it does not start */
    KM_SANDBOX_BUBBLEWRAP, /* mounts and seccomp, or it does not start */
};
extern const char *const km_sandbox_modes[]; /* their names, in that order; NULL ends */

struct km_sandbox {
    enum km_sandbox_mode mode;
    const char *read[KM_SANDBOX_PATHS], *write[KM_SANDBOX_PATHS]; /* beside what is above */
    size_t nread, nwrite;
    bool network; /* it may make internet sockets */
};

/* What this machine can do, asked of the kernel now. */
struct km_sandbox_have {
    int landlock; /* version; 0: not there */
    bool seccomp;
    bool bubblewrap; /* installed */
};

/* Any thread; some system calls, none that waits. */
void km_sandbox_have(struct km_sandbox_have *ret);
/* What a child in this mode is kept by here, in words: "Landlock 7, seccomp, no capabilities"; or
 * "nothing".  For `kanmon doctor` and `kanmon mcp status`. */
void km_sandbox_say(const struct km_sandbox_have *have, enum km_sandbox_mode mode,
                    struct km_buf *out);
/* Can it be honoured here?  KM_E_UNSUPPORTED with what is missing; `on` always can. */
int km_sandbox_may(const struct km_sandbox_have *have, enum km_sandbox_mode mode,
                   struct km_err *err) KM_MUST_USE;
/* Runs the command in it in place of this process, whose descriptors from 3 on are closed.
 * Returns only on failure, with errno's text in err: KM_E_NOT_FOUND when there is no such program.
 * For a process of one thread, after fork. */
int km_sandbox_run(const struct km_sandbox *box, char *const *command, struct km_err *err);

#endif
