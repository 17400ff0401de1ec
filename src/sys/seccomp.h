/* SPDX-License-Identifier: Apache-2.0 */
/* seccomp.h - system calls a sandboxed process is refused (sandbox.h), as a kernel filter.
 *
 * A deny list, not an allow list: what servers are written in (Node, Python, Go, browsers) uses
 * nearly everything, and each release something new.  What is refused is what such a server has no
 * business with: looking into other processes, mounts, namespaces, kernel keys, tracing, BPF,
 * io_uring, clocks, modules, sockets other than TCP and UDP.
 */
#ifndef KM_SYS_SECCOMP_H
#define KM_SYS_SECCOMP_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>

#define KM_SECCOMP_MOST 256 /* instructions of a filter */

/* Writes the filter into program and returns its length; 0: not known for this processor.
 * network: sockets of the internet may be made. */
size_t km_seccomp_program(struct sock_filter program[KM_SECCOMP_MOST], bool network);
/* From now on, for this thread and all it starts; 0, or -1 with errno.  Needs no privilege. */
int km_seccomp_enter(const struct sock_filter *program, size_t n);
/* Has the kernel such filters? */
bool km_seccomp_here(void);

#endif
