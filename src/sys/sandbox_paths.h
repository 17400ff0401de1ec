/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox_paths.h - which files a sandboxed command may use; for sandbox.c.
 *
 * Worked out from the command line, the environment and the working directory of the process that
 * is about to become the command.
 */
#ifndef KM_SYS_SANDBOX_PATHS_H
#define KM_SYS_SANDBOX_PATHS_H

#include "sys/sandbox.h"

#define KM_SANDBOX_ALL 512 /* paths, all together */

struct km_sandbox_path {
    char *name; /* absolute; perhaps not there */
    bool write; /* it and what is below may be changed */
    bool device;
};

struct km_sandbox_paths {
    struct km_sandbox_path v[KM_SANDBOX_ALL];
    size_t n;
};

/* In storage of the caller's, who calls _done. */
void km_sandbox_paths(struct km_sandbox_paths *ret, const struct km_sandbox *box,
                      char *const *command);
void km_sandbox_paths_done(struct km_sandbox_paths *paths);

#endif
