/* SPDX-License-Identifier: Apache-2.0 */
/* windows.h - the budget windows of a key in the store: one is current, the others are kept.
 *
 *     keys            spend, budget_reset_us       of the current window
 *     budget_windows  spend, end_us                of others that something was spent in
 *
 * Which window a moment is in follows from the moment, the length and any window's end
 * (km_time_budget_end()).  All of this runs inside the writer's transaction.
 */
#ifndef KM_STORE_WINDOWS_H
#define KM_STORE_WINDOWS_H

#include "store/driver.h"
#include "store/store.h"

#define KM_WINDOWS_KEPT 32 /* of a key, as in memory; the earliest go first */

/* SQL: the hash whose row a call of this one pays into. */
#define KM_KEY_HEIR(hash) "coalesce((SELECT hash FROM key_heirs WHERE old = " hash "), " hash ")"

/* Which of a key's windows what was paid at this moment counts in.  ended: the moment is the end of
 * a call, and not the start of one that was never heard to end. */
enum km_window_place {
    KM_WINDOW_CURRENT,
    KM_WINDOW_OTHER, /* which ends at *ret_end_us */
    KM_WINDOW_NONE, /* before what is spent began to count */
};
struct km_window_now { /* of the key */
    int64_t window_us, length_s, end_us; /* dict.h */
};
enum km_window_place km_windows_place(const struct km_window_now *now, int64_t at_us, bool ended,
                                      int64_t *ret_end_us);

/* The window with this end becomes the current one.  KM_E_NOT_FOUND: no such key. */
int km_windows_turn(struct km_db *db, const uint8_t hash[32], int64_t end_us, int64_t now_us,
                    struct km_err *err) KM_MUST_USE;

/* Before the row of the key `hash` is changed to this one: *ret_end_us is what its
 * budget_reset_us must be.  An end that tells the windows it has is an old copy, or the same;
 * another brings other windows, and those kept mean nothing any more. */
int km_windows_keep(struct km_db *db, const uint8_t hash[32], const struct km_key_row *row,
                    int64_t *ret_end_us, struct km_err *err) KM_MUST_USE;

/* The key goes, and what was kept of its windows. */
int km_windows_clear(struct km_db *db, const uint8_t hash[32], struct km_err *err) KM_MUST_USE;

#endif
