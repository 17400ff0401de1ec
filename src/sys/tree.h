/* SPDX-License-Identifier: Apache-2.0 */
/* tree.h - the descendants of this process, as /proc shows them at one moment.
 *
 * For the shim (shim.h), which ends a whole tree and looks at what it uses.  Nothing keeps the
 * tree as it is meanwhile: a process may fork or end between being seen and being used.
 */
#ifndef KM_SYS_TREE_H
#define KM_SYS_TREE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct km_tree {
    pid_t *pids; /* descendants, zombies too; not this process itself */
    size_t n; /* 0 also where /proc cannot be read */
    uint64_t pages; /* resident, of all of them; shared ones count for each */
};

/* Any thread; blocks for the reads.  Out of memory it has those seen so far. */
void km_tree_read(struct km_tree *ret);
void km_tree_done(struct km_tree *tree);

#endif
