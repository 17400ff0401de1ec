/* SPDX-License-Identifier: Apache-2.0 */
/* answers.h - answers kept for callers that go on from them by id.
 *
 * An answer belongs to the key it was given to (or what that key's secret became); for everybody
 * else it does not exist.  Its record is sealed by a key that lies in the state folder, not in
 * the store: a copy of the database alone says nothing of what was talked about.
 *
 * Thread and answers as in store.h.
 */
#ifndef KM_STORE_ANSWERS_H
#define KM_STORE_ANSWERS_H

#include "store/store.h"

#define KM_ANSWERS_ID_BYTES 256 /* a longer id is nobody's */

struct km_answer_row {
    struct km_str id;
    uint8_t owner[32];
    struct km_str record; /* any bytes; at most 32 MiB */
    int64_t expires_us; /* wall */
};

/* Keeps or replaces it, and forgets some that are over.  The row is copied before return.
 * done may be NULL. */
void km_store_answer_put(struct km_store *store, struct km_mailbox *reply,
                         const struct km_answer_row *row, km_store_done_fn *done, void *ctx);
/* The record; KM_E_NOT_FOUND where there is none for this owner.  What was put before it is
 * asked is found. */
void km_store_answer_get(struct km_store *store, struct km_mailbox *reply, struct km_str id,
                         const uint8_t owner[32], km_store_json_fn *fn, void *ctx);
/* KM_E_NOT_FOUND where there is none for this owner. */
void km_store_answer_delete(struct km_store *store, struct km_mailbox *reply, struct km_str id,
                            const uint8_t owner[32], km_store_done_fn *done, void *ctx);

/* Reads the sealing key of a state folder, or makes it.  Blocking; the store's own threads. */
int km_answers_key(const char *state_dir, bool make, uint8_t ret_key[32],
                   struct km_err *err) KM_MUST_USE;
/* A key of its own for another purpose, made from that one. */
int km_answers_key_for(const char *state_dir, bool make, struct km_str purpose, uint8_t ret_key[32],
                       struct km_err *err) KM_MUST_USE;

#endif
