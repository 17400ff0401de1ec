/* SPDX-License-Identifier: Apache-2.0 */
/* supervised.h - the few words that supervisor, gateway and commands say to each other, over
 * <state_dir>/supervisor.sock: one line each way, then the end.
 *
 *     gateway    ready                   serves
 *                failed CODE TEXT        will exit with CODE
 *                log PATH                has opened its log there
 *     command    restart            ->   ok PID | failed CODE TEXT
 */
#ifndef KM_APP_SUPERVISED_H
#define KM_APP_SUPERVISED_H

#include <sys/types.h>

#include "base/err.h"

#define KM_SUPERVISOR_ENV "KANMON_SUPERVISOR" /* the socket's path, for the gateway */
#define KM_SUPERVISOR_LINE 1200

/* Sends a line; reads the answer into reply (may be NULL: none is waited for).  Blocking.
 * KM_E_NOT_RUNNING when nobody listens. ret_pid (may be NULL): the supervisor's. */
int km_supervisor_say(const char *path, const char *line, char reply[KM_SUPERVISOR_LINE],
                      pid_t *ret_pid, struct km_err *err) KM_MUST_USE;
/* One line from a connection, at most 2 s; without its end. */
int km_supervisor_hear(int fd, char line[KM_SUPERVISOR_LINE], struct km_err *err) KM_MUST_USE;

#endif
