/* SPDX-License-Identifier: Apache-2.0 */
/* payers.c - see payers.h.
 *
 * A text is made by whoever reserves, read by the writer, by the next process and after a crash: so
 * it is flat bytes that need no parser but the split at three separators, none of which a name may
 * have (km_account_id_is_good()).  What does not read ends it: what stood before is whole.
 */
#include "store/payers.h"

#define RECORD '\x1e'
#define GROUP '\x1d'

void km_paying_write(const struct km_paying *p, struct km_buf *out)
{
    km_buf_str(out, p->name);
    km_buf_byte(out, RECORD);
    km_buf_i64(out, p->length_s);
    km_buf_byte(out, RECORD);
    km_buf_i64(out, p->end_us);
    km_buf_byte(out, GROUP);
}

bool km_paying_next(struct km_str *text, struct km_paying *ret)
{
    struct km_str one, length, end;

    if (!km_str_split(text, GROUP, &one) || !km_str_split(&one, RECORD, &ret->name) ||
        !km_str_split(&one, RECORD, &length) || !km_str_split(&one, RECORD, &end))
        return false;
    return ret->name.n > 0 && km_str_i64(length, &ret->length_s) == 0 &&
           km_str_i64(end, &ret->end_us) == 0 && ret->length_s >= 0;
}
