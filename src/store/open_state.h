/* SPDX-License-Identifier: Apache-2.0 */
/* open_state.h - what there is to charge of an open call, as the column `state` has it.
 *
 * Each column and each byte of such a row costs a call instructions, for a row that comes and goes:
 * so these are a few numbers of a few bytes, and the call's texts are one column behind them.
 */
#ifndef KM_STORE_OPEN_STATE_H
#define KM_STORE_OPEN_STATE_H

#include "store/record.h"

#define KM_OPEN_STATE_BYTES 47

struct km_open_state {
    int64_t flags, attempt;
    int64_t deadline_us; /* wall; 0: not known */
    int64_t prompt_tokens, completion_tokens, cost;
    int64_t user_n, metadata_n, client_ip_n; /* bytes of the column `texts`, in this order */
};

/* Returns how many bytes. */
size_t km_open_state_pack(const struct km_record *rec, uint8_t out[KM_OPEN_STATE_BYTES]);
/* false: it is none. */
bool km_open_state_read(struct km_str bytes, int64_t start_us, struct km_open_state *ret);

/* The column `texts`: a view into the record. */
struct km_str km_open_texts(const struct km_record *rec);

#endif
