/* SPDX-License-Identifier: Apache-2.0 */
/* payers.h - who pays for a call beside its key, as the ledger has it: a text, and numbers for it.
 *
 *     text:   name RS length_s RS end_us GS  name ...     RS, GS: the bytes 0x1e, 0x1d
 *
 * A name is that of a purse (policy/purse.h); to the store it is a name.  Its windows are said
 * beside it, because the store does not know who limits what: that is the configuration's, too.
 *
 *     key_ids        number of (key, text) ── the number that stands for the key in every table
 *     payers         that number, the key's own, the text
 *     purses         name -> number, windows        payer_purses   which number has which
 *     purse_spend    purse, end of a window -> spent
 *
 * So a row of the ledger says by its one number who paid, and whatever is summed by that number is
 * summed by everybody who pays.
 */
#ifndef KM_STORE_PAYERS_H
#define KM_STORE_PAYERS_H

#include "store/driver.h"

#define KM_PAYERS_BYTES 4096 /* of a text at most */
#define KM_PAYERS_MOST 32 /* purses */

/* One of a text. */
struct km_paying {
    struct km_str name;
    int64_t length_s; /* of its windows; 0: one for ever */
    int64_t end_us; /* an end of one */
};

void km_paying_write(const struct km_paying *p, struct km_buf *out);
/* The next of what is left of it; false: it is over, or what is left is none. */
bool km_paying_next(struct km_str *text, struct km_paying *ret);

#endif
