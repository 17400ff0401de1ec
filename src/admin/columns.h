/* SPDX-License-Identifier: Apache-2.0 */
/* columns.h - a column of a row between JSON and memory, whatever row it is of.
 *
 * A key and an account have other columns, and say and show each kind of column alike.
 */
#ifndef KM_ADMIN_COLUMNS_H
#define KM_ADMIN_COLUMNS_H

#include "admin/admin.h"
#include "store/key_columns.h"

#define KM_COLUMN_TEXT_BYTES 1024 /* of a text, and of one in a list */

/* KM_E_INVALID: a text in it has control characters (but for those that divide lines). */
int km_column_check_value(const char *said, const struct km_json *v,
                          struct km_err *err) KM_MUST_USE;
/* null, false, {} and []: asks for nothing. */
bool km_column_inert(const struct km_json *v);
/* KM_E_INVALID: "'name' must be what." */
int km_column_wrong(struct km_err *err, const char *name, const char *what);

/* Reads a member into the column's place in the row; `said` is the member's name.  Strings live in
 * the arena.  Not for columns that are said as a time from now on. */
int km_column_read(const struct km_key_column *c, const char *said, const struct km_json *v,
                   struct km_arena *arena, void *row, struct km_err *err) KM_MUST_USE;
/* "30d": its text and its seconds; empty and 0 for null. */
int km_column_duration(const char *said, const struct km_json *v, struct km_str *ret_text,
                       int64_t *ret_seconds, struct km_err *err) KM_MUST_USE;

/* `,"name":` and what the row has. */
void km_column_write(struct km_buf *out, const char *name, const struct km_key_column *c,
                     const void *row);
void km_column_write_money(struct km_buf *out, const char *name, int64_t nanousd);
void km_column_write_text(struct km_buf *out, const char *name, struct km_str s);
void km_column_write_time(struct km_buf *out, const char *name, int64_t us);

/* Members that have no column: `extra` becomes the object of them. */
void km_extra_keep(struct km_buf *extra, struct km_str name, const struct km_json *v);
/* What was kept before and the body does not name stays. */
void km_extra_keep_old(struct km_admin *a, struct km_str old, struct km_buf *extra);
/* Its text in the arena, empty if it has no member; KM_E_LIMIT. */
int km_extra_end(struct km_admin *a, struct km_buf *extra, struct km_str *ret,
                 struct km_err *err) KM_MUST_USE;

/* Is it one of these names?  NULL ends the list. */
bool km_column_listed(const char *const *list, struct km_str name);

#endif
