/* SPDX-License-Identifier: Apache-2.0 */
/* cgroup.h - memory limits of whole process trees, where cgroup v2 lets us set them.
 *
 * A tree gets a leaf of its own below a base:
 *
 *     base           the cgroup that was delegated to this service (Delegate=yes)
 *       kanmon       the gateway, its supervisor, the shims
 *       mcp-4711     one server's tree: memory.max, ended as a whole when it is over it
 *
 * Processes may not stand beside a controller that is handed down, so the gateway moves itself and
 * what it was started by into `kanmon` first.  It never touches a cgroup that was not delegated,
 * nor moves a process of another program.
 */
#ifndef KM_SYS_CGROUP_H
#define KM_SYS_CGROUP_H

#include "base/str.h"

#define KM_CGROUP_PATH 512

struct km_cgroup_have {
    char base[KM_CGROUP_PATH]; /* where leaves can be made; empty: nowhere */
    char why[KM_CGROUP_PATH + 128]; /* then: why not */
};

/* What a gateway started from here would have.  Only looks; blocking. */
void km_cgroup_have(struct km_cgroup_have *ret);
/* The same of this folder as the own cgroup. */
void km_cgroup_look(const char *own, struct km_cgroup_have *ret);
/* The folder of the own cgroup, from /proc/self/cgroup and /proc/self/mountinfo; false: this
 * machine has no cgroup v2 with it in reach. */
bool km_cgroup_own(struct km_str cgroup, struct km_str mountinfo, char out[KM_CGROUP_PATH]);

/* Takes the base into use: moves this program's processes, hands the memory controller down,
 * removes leaves that were left behind.  Once, before any child is started; blocking. */
void km_cgroup_claim(struct km_cgroup_have *ret);

/* --- one tree; for the shim --- */

/* Makes leaf with its limit; KM_E_SYSTEM: sampling is left. */
int km_cgroup_leaf(const char *base, uint64_t memory_bytes, char leaf[KM_CGROUP_PATH],
                   struct km_err *err) KM_MUST_USE;
/* The calling process goes into it. */
int km_cgroup_enter(const char *leaf, struct km_err *err) KM_MUST_USE;
/* Did the kernel end something of it for want of memory? */
bool km_cgroup_was_over(const char *leaf);
/* All of it has ended. */
void km_cgroup_remove(const char *leaf);

#endif
