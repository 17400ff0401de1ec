/* SPDX-License-Identifier: Apache-2.0 */
/* dict.h - the writer's memory of which bytes have which number in a table of the store.
 *
 * A cache, no more: what is not in it is asked of the table.  After a transaction that was
 * rolled back it must be cleared, for it may hold numbers that were never given.
 */
#ifndef KM_STORE_DICT_H
#define KM_STORE_DICT_H

#include "base/str.h"

struct km_dict;

/* Cleared when it would pass max_entries.  NULL when out of memory. */
struct km_dict *km_dict_new(size_t max_entries);
struct km_dict *km_dict_free(struct km_dict *d);
void km_dict_clear(struct km_dict *d);

struct km_dict_value {
    int64_t id;
    /* Of a key: when what it spends began to count, and of its budget's windows, if it has any, the
     * length and the end of the current one. */
    int64_t window_us, length_s, end_us;
};

/* The key is the bytes of head and body.  NULL: not there.  Valid until the next add or clear. */
const struct km_dict_value *km_dict_find(struct km_dict *d, struct km_str head, struct km_str body);
/* Out of memory is not an error: it is not remembered. */
void km_dict_add(struct km_dict *d, struct km_str head, struct km_str body,
                 struct km_dict_value value);

#endif
