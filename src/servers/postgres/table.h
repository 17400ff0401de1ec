/* SPDX-License-Identifier: Apache-2.0 */
/* table.h - rows of a result as JSON: columns with their types, rows as arrays.
 *
 *     {"columns":[{"name":"id","type":"int4","oid":23}],"rows":[[1],[2]],"row_count":2,
 *      "truncated":false}
 *
 * Nothing is lost on the way: columns of one name stay apart, numbers that do not fit a double are
 * strings, bytea is base64, JSON stays JSON.
 */
#ifndef KM_SERVERS_POSTGRES_TABLE_H
#define KM_SERVERS_POSTGRES_TABLE_H

#include "base/buf.h"
#include "pg/conn.h"

#define KM_PG_TABLE_OTHERS 64 /* types of a result that are not PostgreSQL's own */

struct km_pg_table {
    struct km_buf columns, rows;
    int64_t nrows, most;
    unsigned others[KM_PG_TABLE_OTHERS]; /* their oids, which typenames.h puts names to */
    size_t nothers;
    bool truncated, started;
};

/* At most so many rows, and so many bytes of their JSON. */
void km_pg_table_init(struct km_pg_table *t, int64_t rows, int64_t bytes);
void km_pg_table_reset(struct km_pg_table *t); /* empty, with the same bounds */
void km_pg_table_done(struct km_pg_table *t);

/* false: no room for what r holds; the table is as it was, and truncated. */
bool km_pg_table_take(struct km_pg_table *t, const struct km_pg_result *r);

/* "columns":...,"rows":...,"row_count":...,"truncated":... without braces. */
void km_pg_table_put(const struct km_pg_table *t, struct km_buf *out);

/* The oid of a type a parameter may name, 0: unknown ("int4", "text[]", "character varying"). */
unsigned km_pg_type_oid(struct km_str name);

#endif
