/* SPDX-License-Identifier: Apache-2.0 */
/* supervisor.h - the process that `kanmon start` leaves behind: it owns the listening sockets
 * and keeps a gateway running on them. */
#ifndef KM_APP_SUPERVISOR_H
#define KM_APP_SUPERVISOR_H

#include "app/listen.h"

struct km_supervisor_args {
    const struct km_cli *cli; /* --config, --host, --port: for the gateway, and read again */
    struct km_config *config; /* for the beginning; its reference is taken over */
    const char *state_dir;
    const char *log_path; /* standard output and standard error are open on it */
    struct km_sockets *sockets; /* taken over */
    int64_t drain_ms;
    int start_fd; /* a pipe to `start`: "ready\n" or "failed CODE\n", then closed */
};

/* Runs until TERM, or until the first gateway failed to start.  Returns an exit code. */
int km_supervisor_run(const struct km_supervisor_args *args);

#endif
