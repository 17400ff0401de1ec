/* SPDX-License-Identifier: Apache-2.0 */
/* typenames.c - see typenames.h.
 *
 *     {"name":"feeling","type":"oid 16756","oid":16756}
 *                       "type":"hr.mood"    <── the place of 16756 in the table below
 *
 * The columns are JSON already when the names come.  A name in them has its quotes escaped, so the
 * mark of a type without a name stands nowhere else.
 */
#include "servers/postgres/typenames.h"

#include <stdlib.h>

#include "base/encode.h"

#define MARK "\"type\":\"oid "

struct km_pg_typenames {
    struct {
        unsigned oid;
        uint64_t until_ms; /* 0: free */
        char name[KM_PG_TYPENAME_BYTES];
    } v[KM_PG_TYPENAMES];
};

const char km_pg_typenames_sql[] =
    "SELECT t.oid::int8, format_type(t.oid, NULL) FROM pg_type t WHERE t.oid = ANY ($1::oid[])";

struct km_pg_typenames *km_pg_typenames_new(void)
{
    return calloc(1, sizeof(struct km_pg_typenames));
}

struct km_pg_typenames *km_pg_typenames_free(struct km_pg_typenames *names)
{
    free(names);
    return NULL;
}

static size_t place_of(unsigned oid)
{
    return oid % KM_PG_TYPENAMES;
}

bool km_pg_typenames_missing(const struct km_pg_typenames *names, const struct km_pg_table *t,
                             uint64_t now_ms, struct km_buf *oids)
{
    size_t n = 0;

    for (size_t i = 0; i < t->nothers; i++) {
        unsigned oid = t->others[i];
        size_t at = place_of(oid);

        if (names->v[at].oid != oid || names->v[at].until_ms <= now_ms)
            km_buf_printf(oids, n++ ? ",%u" : "{%u", oid);
    }
    if (n)
        km_buf_byte(oids, '}');
    return n && !km_buf_failed(oids);
}

void km_pg_typenames_take(struct km_pg_typenames *names, const struct km_pg_result *r,
                          uint64_t now_ms)
{
    for (size_t row = 0; row < km_pg_rows(r); row++) {
        struct km_str name = km_pg_value(r, row, 1);
        int64_t oid;
        size_t at;

        if (km_str_i64(km_pg_value(r, row, 0), &oid) < 0 || name.n >= KM_PG_TYPENAME_BYTES)
            continue;
        at = place_of((unsigned)oid);
        names->v[at].oid = (unsigned)oid;
        names->v[at].until_ms = now_ms + KM_PG_TYPENAMES_MS;
        memcpy(names->v[at].name, name.p, name.n);
        names->v[at].name[name.n] = '\0';
    }
}

void km_pg_typenames_put(const struct km_pg_typenames *names, struct km_pg_table *t)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(t->columns.max);
    struct km_str rest = km_buf_view(&t->columns), mark = KM_STR(MARK);

    for (size_t at; t->nothers && (at = km_str_find(rest, mark)) < rest.n;) {
        struct km_str digits = km_str_skip(rest, at + mark.n);
        int64_t oid = 0;
        size_t n = km_str_chr(digits, '"');

        if (km_str_i64(km_str_sub(digits, 0, n), &oid) < 0)
            return;
        km_buf_str(&b, km_str_sub(rest, 0, at + sizeof "\"type\":" - 1));
        if (names->v[place_of((unsigned)oid)].oid == (unsigned)oid)
            km_buf_json(&b, km_str_c(names->v[place_of((unsigned)oid)].name));
        else
            km_buf_printf(&b, "\"oid %lld\"", (long long)oid);
        rest = km_str_skip(digits, n + 1);
    }
    km_buf_str(&b, rest);
    if (!t->nothers || km_buf_failed(&b))
        return;
    km_buf_reset(&t->columns);
    km_buf_str(&t->columns, km_buf_view(&b));
}
