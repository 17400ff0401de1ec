/* SPDX-License-Identifier: Apache-2.0 */
/* fields.c - members of structs as parameters and columns of SQLite (driver.h).
 *
 * Texts are bound without a copy, and read as views: SQLite's until the next step.  Bytes of a
 * known number are copied into the struct; a column that has another number of them tears its row,
 * and the others of it are read all the same, for a message.
 */
#include "store/sqlite/driver.h"

static struct km_str str_at(const void *at)
{
    return *(const struct km_str *)at;
}

static void bind_one(sqlite3_stmt *s, int to, const struct km_field *f, const void *at)
{
    switch (f->type) {
    case KM_FIELD_I64_NULL:
        if (*(const int64_t *)at == KM_FIELD_NO_NUMBER) {
            sqlite3_bind_null(s, to);
            break;
        }
        sqlite3_bind_int64(s, to, *(const int64_t *)at);
        break;
    case KM_FIELD_I64:
        sqlite3_bind_int64(s, to, *(const int64_t *)at);
        break;
    case KM_FIELD_INT:
        sqlite3_bind_int64(s, to, *(const int *)at);
        break;
    case KM_FIELD_U32:
        sqlite3_bind_int64(s, to, *(const unsigned *)at);
        break;
    case KM_FIELD_BOOL:
        sqlite3_bind_int64(s, to, *(const bool *)at);
        break;
    case KM_FIELD_TEXT:
        km_sqlite_bind_text(s, to, str_at(at));
        break;
    case KM_FIELD_TEXT_NULL:
        km_sqlite_bind_text_null(s, to, str_at(at));
        break;
    case KM_FIELD_BLOB:
        km_sqlite_bind_blob(s, to, str_at(at).p, str_at(at).n);
        break;
    case KM_FIELD_BLOB_NULL:
        if (str_at(at).n)
            km_sqlite_bind_blob(s, to, str_at(at).p, str_at(at).n);
        else
            sqlite3_bind_null(s, to);
        break;
    case KM_FIELD_BYTES:
        km_sqlite_bind_blob(s, to, at, f->n);
        break;
    case KM_FIELD_CHARS:
        km_sqlite_bind_text(s, to, km_str_c(at));
        break;
    }
}

void km_sqlite_bind(sqlite3_stmt *s, struct km_fields fields, const void *in)
{
    for (unsigned i = 0; i < fields.n; i++)
        bind_one(s, (int)i + 1, &fields.v[i], (const char *)in + fields.v[i].at);
}

static bool take_bytes(struct km_str v, void *at, size_t n)
{
    if (v.n != n)
        return false;
    memcpy(at, v.p, n);
    return true;
}

static bool take_chars(struct km_str v, char *at, size_t n)
{
    if (v.n >= n)
        return false;
    if (v.n)
        memcpy(at, v.p, v.n);
    at[v.n] = 0;
    return true;
}

static bool take_one(sqlite3_stmt *s, int from, const struct km_field *f, void *at)
{
    switch (f->type) {
    case KM_FIELD_I64_NULL:
        *(int64_t *)at = sqlite3_column_type(s, from) == SQLITE_NULL
                             ? KM_FIELD_NO_NUMBER
                             : sqlite3_column_int64(s, from);
        break;
    case KM_FIELD_I64:
        *(int64_t *)at = sqlite3_column_int64(s, from);
        break;
    case KM_FIELD_INT:
        *(int *)at = sqlite3_column_int(s, from);
        break;
    case KM_FIELD_U32:
        *(unsigned *)at = (unsigned)sqlite3_column_int64(s, from);
        break;
    case KM_FIELD_BOOL:
        *(bool *)at = sqlite3_column_int(s, from) != 0;
        break;
    case KM_FIELD_TEXT:
    case KM_FIELD_TEXT_NULL:
        *(struct km_str *)at = km_sqlite_text(s, from);
        break;
    case KM_FIELD_BLOB:
    case KM_FIELD_BLOB_NULL:
        *(struct km_str *)at = km_sqlite_blob(s, from);
        break;
    case KM_FIELD_BYTES:
        return take_bytes(km_sqlite_blob(s, from), at, f->n);
    case KM_FIELD_CHARS:
        return take_chars(km_sqlite_text(s, from), at, f->n);
    }
    return true;
}

bool km_sqlite_take(sqlite3_stmt *s, struct km_fields fields, void *out)
{
    bool whole = true;

    for (unsigned i = 0; i < fields.n; i++)
        whole = take_one(s, (int)i, &fields.v[i], (char *)out + fields.v[i].at) && whole;
    return whole;
}
