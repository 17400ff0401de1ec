/* SPDX-License-Identifier: Apache-2.0 */
/* spill.h - where the ledger's entries are kept while the store cannot take them.
 *
 * One file beside the store, or on another disk.  What is in it and not in the store is written
 * there at the next start, or was before by the process that spilled it.  Every frame has a
 * number, which rises for ever; the store remembers the last it took (meta 'spill_seq'), in the
 * transaction that took it: so each is taken once, whatever dies when.
 *
 * Room is reserved behind the last frame: blocks that the file has, so that they can be written
 * though the disk is full.  Writer's thread, but for what says otherwise.
 */
#ifndef KM_STORE_SPILL_H
#define KM_STORE_SPILL_H

#include "base/id.h"
#include "store/place.h"

#define KM_SPILL_FRAME (128 * 1024) /* most bytes of one */
#define KM_SPILL_FRAME_HEAD 48 /* bytes of the file that a frame takes besides its own */
#define KM_SPILL_RESERVE ((uint64_t)2 << 20) /* at first, where the disk has it */

struct km_spill;

/* Opens or makes it, and looks at what is in it.  KM_E_EXISTS: another process uses it.  A file of
 * another store is moved aside, and this one's put back if it was before: ret_aside (KM_PLACE_PATH
 * bytes) says where to, empty otherwise.
 * above: the frames of one that is made are numbered from there. */
int km_spill_open(const char *path, const struct km_uuid *store_id, uint64_t max_bytes,
                  int64_t above, struct km_spill **ret_spill, char *ret_aside,
                  struct km_err *err) KM_MUST_USE;
struct km_spill *km_spill_close(struct km_spill *s); /* NULL is fine */

/* bytes: at most KM_SPILL_FRAME, in parts.  Durable only after km_spill_sync().  KM_E_LIMIT: the
 * file is as large as it may be. */
int km_spill_append(struct km_spill *s, const struct km_str *parts, size_t n,
                    struct km_err *err) KM_MUST_USE;
int km_spill_sync(struct km_spill *s, struct km_err *err) KM_MUST_USE;
int64_t km_spill_last(const struct km_spill *s); /* number of the last frame, 0: none */

/* The whole frames in their order.  each: negative stops, and is returned. */
typedef int km_spill_frame_fn(void *ctx, int64_t seq, struct km_str bytes, struct km_err *err);
int km_spill_read(struct km_spill *s, km_spill_frame_fn *each, void *ctx,
                  struct km_err *err) KM_MUST_USE;

/* The store has all of it, and later frames are numbered from above last_seq. */
int km_spill_reset(struct km_spill *s, int64_t last_seq, struct km_err *err) KM_MUST_USE;

/* Makes the reserved room `want` bytes, but takes at most an eighth of what is free on the disk and
 * lets the file grow to max_bytes.  Fails when `least` were not to be had.  Any thread, one at a
 * time; may block as an allocation on the disk does. */
int km_spill_reserve(struct km_spill *s, uint64_t least, uint64_t want,
                     struct km_err *err) KM_MUST_USE;
uint64_t km_spill_room(const struct km_spill *s); /* reserved and not written; any thread */

uint64_t km_spill_bytes(const struct km_spill *s); /* in frames */
int64_t km_spill_first(const struct km_spill *s); /* number that the first frame has or had */
int64_t km_spill_missing(const struct km_spill *s); /* frames that are damaged: not read, lost */

enum km_spill_state {
    KM_SPILL_THERE,
    KM_SPILL_GONE, /* its name is no file's, or another's */
    KM_SPILL_CUT, /* and what was reserved is not */
};
enum km_spill_state km_spill_look(const struct km_spill *s); /* any thread */

/* Gives the file another name (aside.h).  It stays open. */
int km_spill_set_aside(struct km_spill *s, const char *kind, char ret_name[KM_PLACE_PATH],
                       struct km_err *err) KM_MUST_USE;
/* Is there one of this store that was moved aside, with frames above this number? */
bool km_spill_find_aside(const struct km_spill *s, int64_t above, char ret_name[KM_PLACE_PATH]);
/* What `to` does not have of the frames that can be read, under their numbers; durable.  *ret_lost:
 * how many cannot. */
int km_spill_copy(struct km_spill *from, struct km_spill *to, int64_t *ret_lost,
                  struct km_err *err) KM_MUST_USE;

#endif
