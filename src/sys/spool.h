/* SPDX-License-Identifier: Apache-2.0 */
/* spool.h - bytes in a file without a name, seen as memory.
 *
 * For what is too long to be held and must be read to its end before it is known where it goes.
 * The pages are the file's: the kernel takes them back when memory is short, which it cannot do
 * with memory of the process.  The file has no name at any time, so nothing is left behind
 * whatever ends the process.
 *
 * Room is taken on the disk before it is written to: a full disk is an error here and no signal.
 */
#ifndef KM_SYS_SPOOL_H
#define KM_SYS_SPOOL_H

#include <stddef.h>

#include "base/err.h"

struct km_spool;

/* dir: where its file system has room; at most `most` bytes.  KM_E_SYSTEM says what failed. */
int km_spool_new(const char *dir, size_t most, struct km_spool **ret,
                 struct km_err *err) KM_MUST_USE;
/* Unmaps and forgets; NULL. */
struct km_spool *km_spool_free(struct km_spool *s);

/* Its bytes, at the same place as long as it lives. */
char *km_spool_bytes(struct km_spool *s);

/* Makes sure that the first n bytes can be written.  KM_E_LIMIT over `most`; KM_E_SYSTEM: no
 * room. */
int km_spool_room(struct km_spool *s, size_t n, struct km_err *err) KM_MUST_USE;

#endif
