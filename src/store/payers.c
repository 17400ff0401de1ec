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
#define PARTS '\x1c'

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

void km_paying_write_part(const struct km_paying_part *p, struct km_buf *out)
{
    if (km_str_chr(km_buf_view(out), PARTS) == out->n)
        km_buf_byte(out, PARTS);
    km_buf_i64(out, (int64_t)p->at);
    km_buf_byte(out, RECORD);
    km_buf_i64(out, p->paid);
    km_buf_byte(out, RECORD);
    km_buf_i64(out, p->reserved);
    km_buf_byte(out, GROUP);
}

bool km_paying_next_part(struct km_str *parts, struct km_paying_part *ret)
{
    struct km_str one, at, paid, reserved;
    int64_t place;

    if (!km_str_split(parts, GROUP, &one) || !km_str_split(&one, RECORD, &at) ||
        !km_str_split(&one, RECORD, &paid) || !km_str_split(&one, RECORD, &reserved) ||
        km_str_i64(at, &place) < 0 || place < 0 || km_str_i64(paid, &ret->paid) < 0 ||
        km_str_i64(reserved, &ret->reserved) < 0 || ret->paid < 0 || ret->reserved < 0)
        return false;
    ret->at = (size_t)place;
    return true;
}

struct km_str km_paying_whole(struct km_str text)
{
    return km_str_sub(text, 0, km_str_chr(text, PARTS));
}

struct km_str km_paying_parts(struct km_str text)
{
    return km_str_skip(text, km_str_chr(text, PARTS) + 1);
}
