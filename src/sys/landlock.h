/* SPDX-License-Identifier: Apache-2.0 */
/* landlock.h - files a sandboxed process may use (sandbox.h), held by the kernel.
 *
 * Landlock takes rights away from the process that asks and from all it starts, for ever, and needs
 * no privilege.  What it can take depends on the kernel, which is asked: version 1 (Linux 5.13)
 * knows files, 2 moving them between folders, 3 cutting them, 5 devices' ioctl, 6 signals to
 * others.
 * It also keeps a process from looking into one outside (its memory, its environment).
 */
#ifndef KM_SYS_LANDLOCK_H
#define KM_SYS_LANDLOCK_H

#include <stdbool.h>

#define KM_LANDLOCK_SIGNALS 6 /* the first version that keeps signals to others (Linux 6.12) */

/* The version of the interface; 0: the kernel has none, or it is not switched on. */
int km_landlock_version(void);

/* A set of rules being made: a descriptor, or -1 with errno. */
int km_landlock_new(int version);
/* What is there and below may be read and run, with `write` also changed.  A path that is not there
 * is passed over.  0, or -1 with errno. */
int km_landlock_allow(int rules, int version, const char *path, bool write);
/* From now on nothing else is allowed; closes `rules`.  0, or -1 with errno. */
int km_landlock_enter(int rules);

#endif
