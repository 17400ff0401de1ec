/* SPDX-License-Identifier: Apache-2.0 */
/* key_fields.h - a virtual key between LiteLLM's JSON and its row. */
#ifndef KM_ADMIN_KEY_FIELDS_H
#define KM_ADMIN_KEY_FIELDS_H

#include "admin/admin.h"

/* A row without limits; strings empty. */
void km_key_row_init(struct km_key_row *row);

/* Takes over the members that are present in the body.  Members that would restrict and cannot
 * be honoured are refused by name; others without a column are kept in row->extra.  now_us is
 * the base of durations.  Strings live in the arena. */
int km_key_fields_read(struct km_admin *a, int64_t now_us, struct km_key_row *row,
                       struct km_err *err) KM_MUST_USE;

/* The row as LiteLLM shows it; spend_nanousd is the live one; key is the secret for the one time
 * it is shown, else empty. */
void km_key_fields_write(const struct km_key_row *row, int64_t spend_nanousd, struct km_str key,
                         struct km_buf *out);

#endif
