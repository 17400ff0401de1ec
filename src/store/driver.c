/* SPDX-License-Identifier: Apache-2.0 */
/* driver.c - see driver.h: the little that lies between an operation and a driver.
 *
 *     km_db_run ──> ready ──> run ──> free        once
 *     km_db_ask ──> ready ──> ask                 rows, which the caller takes one by one
 *
 * What is asked often is kept ready by who asks it.
 */
#include "store/driver.h"

struct km_db *km_db_close(struct km_db *db)
{
    if (db)
        db->driver->close(db);
    return NULL;
}

void km_db_done(struct km_db **db)
{
    *db = km_db_close(*db);
}

int km_db_ready(struct km_db *db, const struct km_statement *s, struct km_ready **ret_ready,
                struct km_err *err)
{
    return db->driver->ready(db, s, ret_ready, err);
}

void km_ready_done(struct km_ready **r)
{
    if (*r)
        (*r)->db->driver->free(*r);
    *r = NULL;
}

int km_ready_run(struct km_ready *r, const void *in, int64_t *ret_changes, struct km_err *err)
{
    return r->db->driver->run(r, in, ret_changes, err);
}

void km_ready_ask(struct km_ready *r, const void *in)
{
    r->db->driver->ask(r, in);
}

int km_ready_next(struct km_ready *r, void *out, enum km_row *ret_row, struct km_err *err)
{
    return r->db->driver->next(r, out, ret_row, err);
}

void km_ready_rest(struct km_ready *r)
{
    r->db->driver->rest(r);
}

int km_db_run(struct km_db *db, const struct km_statement *s, const void *in, int64_t *ret_changes,
              struct km_err *err)
{
    struct km_ready *ready KM_CLEANUP(km_ready_done) = NULL;
    int r = km_db_ready(db, s, &ready, err);

    return r == 0 ? km_ready_run(ready, in, ret_changes, err) : r;
}

int km_db_ask(struct km_db *db, const struct km_statement *s, const void *in,
              struct km_ready **ret_ready, struct km_err *err)
{
    int r = km_db_ready(db, s, ret_ready, err);

    if (r == 0)
        km_ready_ask(*ret_ready, in);
    return r;
}

int km_db_first(struct km_db *db, const struct km_statement *s, const void *in, void *out,
                enum km_row *ret_row, struct km_err *err)
{
    struct km_ready *ready KM_CLEANUP(km_ready_done) = NULL;
    int r = km_db_ask(db, s, in, &ready, err);

    return r == 0 ? km_ready_next(ready, out, ret_row, err) : r;
}

int km_db_number(struct km_db *db, const struct km_statement *s, int64_t *ret_v, struct km_err *err)
{
    enum km_row row = KM_ROW_END;
    int64_t v = 0;
    int r = km_db_first(db, s, NULL, &v, &row, err);

    if (r == 0)
        *ret_v = row == KM_ROW ? v : 0;
    return r;
}
