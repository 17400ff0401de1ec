/* SPDX-License-Identifier: Apache-2.0 */
/* shim.h - the small process between the gateway and a stdio server it runs.
 *
 * `kanmon` re-executed as `kanmon --shim FD -- command args...`: single-threaded, session
 * leader and subreaper.  It applies resource limits, starts the command and holds the
 * read end of a liveness pipe (descriptor FD).  When the pipe closes (the gateway is gone,
 * even by kill -9) the command's stdin has ended, too, and it gets a moment to end by itself, as
 * MCP's shutdown of a stdio server has it.  Then, or when the command ends, the shim TERMs every
 * descendant, KILLs what is left after a moment, reaps all, and exits with the command's status
 * (128 + signal when it was killed).
 */
#ifndef KM_SYS_SHIM_H
#define KM_SYS_SHIM_H

#define KM_SHIM_BOX 123 /* its sandbox cannot be had on this machine */
#define KM_SHIM_OVER 124 /* over its memory, or too many processes */

/* Options between FD and "--": --limit NAME=VALUE (as, core, cpu, fsize, nofile, nproc, stack:
 * setrlimit's, soft and hard), --leave-ms N (from the pipe's end to TERM, 1000), --term-ms N (from
 * TERM to KILL, 2000), --memory BYTES and --processes N of the whole tree, looked at twice a
 * second: over it the tree is ended, and the status is KM_SHIM_OVER; --cgroup DIR (cgroup.h): the
 * memory is kept by the kernel, in a cgroup below DIR, where one can be made; --sandbox MODE with
 * --read PATH, --write PATH and --network 0|1 (sandbox.h): without it the status is KM_SHIM_BOX.
 * A shim that cannot do its work exits with 125; a command that cannot be run gives 126, one not
 * found 127.
 *
 * The whole life of the shim process; argv as given to main.  Returns the exit status. */
int km_shim_main(int argc, char **argv);

#endif
