/* SPDX-License-Identifier: Apache-2.0 */
/* table.c - see table.h.
 *
 * Values come as PostgreSQL's text.  Whether that text is a JSON number is decided by its type and
 * by its digits: up to 15 of them survive a double, whoever reads it.  A type nobody listed is a
 * string, and its name is the database's to say (typenames.c).
 *
 * A row goes in whole or not at all: its JSON is written, and taken back when the bound was passed.
 */
#include "servers/postgres/table.h"

#include "base/encode.h"

#define COLUMNS_BYTES ((size_t)512 * 1024)
#define EXACT_DIGITS 15 /* any decimal of so many survives a double */

enum form { STRING, NUMBER, BOOL, JSON, BYTES };

static const struct type {
    const char *name;
    unsigned oid;
    enum form form;
} types[] = {
    { "bool", 16, BOOL },        { "bytea", 17, BYTES },      { "char", 18, STRING },
    { "name", 19, STRING },      { "int8", 20, NUMBER },      { "int2", 21, NUMBER },
    { "int4", 23, NUMBER },      { "regproc", 24, STRING },   { "text", 25, STRING },
    { "oid", 26, NUMBER },       { "xid", 28, STRING },       { "json", 114, JSON },
    { "xml", 142, STRING },      { "pg_node_tree", 194, STRING }, { "json[]", 199, STRING },
    { "point", 600, STRING },    { "cidr", 650, STRING },     { "float4", 700, NUMBER },
    { "float8", 701, NUMBER },   { "money", 790, STRING },    { "macaddr", 829, STRING },
    { "inet", 869, STRING },     { "bool[]", 1000, STRING },  { "name[]", 1003, STRING },
    { "int2[]", 1005, STRING },  { "int4[]", 1007, STRING },  { "text[]", 1009, STRING },
    { "varchar[]", 1015, STRING }, { "int8[]", 1016, STRING }, { "float4[]", 1021, STRING },
    { "float8[]", 1022, STRING }, { "oid[]", 1028, STRING },  { "bpchar", 1042, STRING },
    { "varchar", 1043, STRING }, { "date", 1082, STRING },    { "time", 1083, STRING },
    { "timestamp", 1114, STRING }, { "timestamptz", 1184, STRING },
    { "timestamptz[]", 1185, STRING },
    { "interval", 1186, STRING }, { "numeric[]", 1231, STRING }, { "timetz", 1266, STRING },
    { "bit", 1560, STRING },     { "varbit", 1562, STRING },  { "numeric", 1700, NUMBER },
    { "regclass", 2205, STRING }, { "regtype", 2206, STRING }, { "record", 2249, STRING },
    { "bytea[]", 1001, STRING }, { "bpchar[]", 1014, STRING }, { "timestamp[]", 1115, STRING },
    { "date[]", 1182, STRING },  { "time[]", 1183, STRING },  { "interval[]", 1187, STRING },
    { "inet[]", 1041, STRING },  { "pg_lsn", 3220, STRING },  { "tsrange", 3908, STRING },
    { "jsonpath", 4072, STRING }, { "macaddr8", 774, STRING }, { "xid8", 5069, STRING },
    { "anyarray", 2277, STRING }, { "void", 2278, STRING },   { "uuid", 2950, STRING },
    { "uuid[]", 2951, STRING },  { "tsvector", 3614, STRING }, { "tsquery", 3615, STRING },
    { "jsonb", 3802, JSON },     { "jsonb[]", 3807, STRING }, { "int4range", 3904, STRING },
    { "numrange", 3906, STRING }, { "tstzrange", 3910, STRING }, { "daterange", 3912, STRING },
    { "int8range", 3926, STRING }, { "regnamespace", 4089, STRING }, { "regrole", 4096, STRING },
};

static const struct type *type_of(unsigned oid)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (types[i].oid == oid)
            return &types[i];
    return NULL;
}

unsigned km_pg_type_oid(struct km_str name)
{
    static const struct {
        struct km_str word, name;
    } other[] = {
        { { "integer", 7 }, { "int4", 4 } },
        { { "int", 3 }, { "int4", 4 } },
        { { "bigint", 6 }, { "int8", 4 } },
        { { "smallint", 8 }, { "int2", 4 } },
        { { "boolean", 7 }, { "bool", 4 } },
        { { "real", 4 }, { "float4", 6 } },
        { { "double precision", 16 }, { "float8", 6 } },
        { { "decimal", 7 }, { "numeric", 7 } },
        { { "character varying", 17 }, { "varchar", 7 } },
        { { "character", 9 }, { "bpchar", 6 } },
        { { "timestamp with time zone", 24 }, { "timestamptz", 11 } },
        { { "timestamp without time zone", 27 }, { "timestamp", 9 } },
        { { "time without time zone", 22 }, { "time", 4 } },
        { { "time with time zone", 19 }, { "timetz", 6 } },
    };
    struct km_str brackets = km_str_ends(name, KM_STR("[]")) ? KM_STR("[]") : KM_STR_NONE;
    struct km_str one = km_str_sub(name, 0, name.n - brackets.n);

    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++)
        if (km_str_ieq(other[i].word, one))
            one = other[i].name;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct km_str known = km_str_c(types[i].name);

        if (known.n == one.n + brackets.n && km_str_ends(known, brackets) &&
            km_str_ieq(km_str_sub(known, 0, one.n), one))
            return types[i].oid;
    }
    return 0;
}

void km_pg_table_init(struct km_pg_table *t, int64_t rows, int64_t bytes)
{
    *t = (struct km_pg_table){ .most = rows };
    km_buf_init(&t->columns, COLUMNS_BYTES);
    km_buf_init(&t->rows, (size_t)bytes);
}

void km_pg_table_reset(struct km_pg_table *t)
{
    km_buf_reset(&t->columns);
    km_buf_reset(&t->rows);
    t->nrows = 0;
    t->nothers = 0;
    t->truncated = t->started = false;
}

void km_pg_table_done(struct km_pg_table *t)
{
    km_buf_done(&t->columns);
    km_buf_done(&t->rows);
}

static void note_other(struct km_pg_table *t, unsigned oid)
{
    for (size_t i = 0; i < t->nothers; i++)
        if (t->others[i] == oid)
            return;
    if (t->nothers < KM_PG_TABLE_OTHERS)
        t->others[t->nothers++] = oid;
}

static void put_columns(struct km_pg_table *t, const struct km_pg_result *r)
{
    size_t n = km_pg_columns(r);

    for (size_t i = 0; i < n; i++) {
        unsigned oid = km_pg_column_type(r, i);
        const struct type *type = type_of(oid);

        km_buf_str(&t->columns, i ? KM_STR(",{\"name\":") : KM_STR("{\"name\":"));
        km_buf_json(&t->columns, km_str_c(km_pg_column_name(r, i)));
        km_buf_str(&t->columns, type ? KM_STR(",\"type\":\"") : KM_STR(",\"type\":\"oid "));
        if (type)
            km_buf_str(&t->columns, km_str_c(type->name));
        else
            km_buf_u64(&t->columns, oid);
        km_buf_str(&t->columns, KM_STR("\",\"oid\":"));
        km_buf_u64(&t->columns, oid);
        km_buf_byte(&t->columns, '}');
        if (!type)
            note_other(t, oid);
    }
    t->started = true;
}

/* Is this text a JSON number that a double holds? */
static bool is_number(struct km_str s)
{
    size_t i = s.n && s.p[0] == '-', digits = 0, dots = 0;
    bool fine = i < s.n && s.p[i] >= '0' && s.p[i] <= '9';

    if (fine && s.p[i] == '0' && i + 1 < s.n && s.p[i + 1] != '.')
        fine = false;
    for (; fine && i < s.n; i++) {
        if (s.p[i] == '.')
            fine = dots++ == 0 && i + 1 < s.n;
        else if (s.p[i] >= '0' && s.p[i] <= '9')
            digits++;
        else
            fine = false; /* exponents, NaN and Infinity */
    }
    return fine && digits <= EXACT_DIGITS;
}

/* A double that was written with an exponent or more digits is still one: 1e+20, 0.1 + 0.2. */
static bool is_double(struct km_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((s.p[i] < '0' || s.p[i] > '9') && !memchr("+-.e", s.p[i], 4))
            return false;
    return s.n > 0;
}

/* bytea comes as \x and hexadecimal digits. */
static void put_bytes(struct km_buf *out, struct km_str s)
{
    struct km_buf raw KM_CLEANUP(km_buf_done) = KM_BUF(s.n / 2 + 1);

    for (size_t i = 2; i + 1 < s.n; i += 2) {
        static const char hex[] = "0123456789abcdef";
        const char *high = memchr(hex, s.p[i], 16), *low = memchr(hex, s.p[i + 1], 16);

        if (high && low)
            km_buf_byte(&raw, (char)((high - hex) << 4 | (low - hex)));
    }
    km_buf_byte(out, '"');
    km_buf_base64(out, km_buf_view(&raw));
    km_buf_byte(out, '"');
}

/* As it is, in one line: a message of stdio is one.  Inside a string no control byte stands. */
static void put_json(struct km_buf *out, struct km_str s)
{
    size_t from = out->n;

    km_buf_str(out, s);
    for (size_t i = from; i < out->n; i++)
        if ((unsigned char)out->p[i] < ' ')
            out->p[i] = ' ';
}

static void put_value(struct km_buf *out, const struct km_pg_result *r, size_t row, size_t column)
{
    unsigned oid = km_pg_column_type(r, column);
    const struct type *type = type_of(oid);
    struct km_str s = km_pg_value(r, row, column);
    enum form form = type ? type->form : STRING;

    if (km_pg_is_null(r, row, column))
        km_buf_str(out, KM_STR("null"));
    else if (form == BOOL)
        km_buf_str(out, km_str_eq(s, KM_STR("t")) ? KM_STR("true") : KM_STR("false"));
    else if (form == JSON)
        put_json(out, s);
    else if (form == BYTES)
        put_bytes(out, s);
    else if (form == NUMBER && (is_number(s) || ((oid == 700 || oid == 701) && is_double(s))))
        km_buf_str(out, s);
    else
        km_buf_json(out, s);
}

bool km_pg_table_take(struct km_pg_table *t, const struct km_pg_result *r)
{
    size_t n = km_pg_rows(r), columns = km_pg_columns(r);

    if (!t->started)
        put_columns(t, r);
    for (size_t row = 0; row < n && !t->truncated; row++) {
        size_t before = t->rows.n;

        if (t->nrows == t->most) {
            t->truncated = true;
            break;
        }
        km_buf_str(&t->rows, t->nrows ? KM_STR(",[") : KM_STR("["));
        for (size_t i = 0; i < columns; i++) {
            if (i)
                km_buf_byte(&t->rows, ',');
            put_value(&t->rows, r, row, i);
        }
        km_buf_byte(&t->rows, ']');
        if (km_buf_failed(&t->rows)) {
            t->rows.n = before;
            km_buf_forgive(&t->rows);
            t->truncated = true;
        } else {
            t->nrows++;
        }
    }
    return !t->truncated;
}

void km_pg_table_put(const struct km_pg_table *t, struct km_buf *out)
{
    km_buf_str(out, KM_STR("\"columns\":["));
    km_buf_str(out, km_buf_view(&t->columns));
    km_buf_str(out, KM_STR("],\"rows\":["));
    km_buf_str(out, km_buf_view(&t->rows));
    km_buf_str(out, KM_STR("],\"row_count\":"));
    km_buf_i64(out, t->nrows);
    km_buf_str(out, t->truncated ? KM_STR(",\"truncated\":true") : KM_STR(",\"truncated\":false"));
}
