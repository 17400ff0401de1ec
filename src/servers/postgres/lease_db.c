/* SPDX-License-Identifier: Apache-2.0 */
/* lease_db.c - what all leases of one database share: see lease.h.
 *
 *     database ──┬── pool of connections, each pinned when it starts (PINS)
 *                ├── guard, and its verdicts by text
 *                └── look-up: the text that resolves names, written once
 *
 * A pin is a start-up option: what the session begins with is what RESET and DISCARD ALL go back
 * to.  Behind a transaction pooler there are none; the anchor sets them for the transaction.
 */
#include "servers/postgres/lease_inside.h"

#include <stdio.h>
#include <stdlib.h>

#include "servers/postgres/resolve.h"
#include "servers/postgres/typenames.h"

#define LOOKUP_BYTES 32768
#define ROW_BYTES_LEAST ((size_t)4 * 1024 * 1024)

#define PINS                                                                                       \
    "-c default_transaction_read_only=%s -c standard_conforming_strings=on -c row_security=on "    \
    "-c idle_in_transaction_session_timeout=%llu -c DateStyle=ISO -c IntervalStyle=postgres "      \
    "-c extra_float_digits=1 -c bytea_output=hex -c " KM_PG_PINNED "=on"

static int make_pool(struct km_pg_db *db, struct km_err *err)
{
    const struct km_pg_db_args *a = &db->args;
    char pins[512];
    struct km_pg_pool_args args = {
        .target = { .dsn = db->dsn,
                    .password = a->password,
                    .password_file = a->password_file,
                    .options = pins,
                    .connect_ms = a->connect_ms },
        .read_only = a->mode == KM_PG_READ_ONLY && !a->without_read_only && !a->pooled,
        .most = a->connections,
        .least = a->ready,
        .queue = a->queue,
        .queue_ms = a->queue_ms,
        .idle_ms = a->idle_ms,
        .lifetime_ms = a->lifetime_ms,
    };

    args.target.row_bytes = (size_t)a->limits.bytes * 2;
    if (args.target.row_bytes < ROW_BYTES_LEAST)
        args.target.row_bytes = ROW_BYTES_LEAST;
    snprintf(pins, sizeof pins, PINS, args.read_only ? "on" : "off",
             (unsigned long long)(a->idle_tx_ms ? a->idle_tx_ms : 60000));
    if (a->pooled)
        pins[0] = '\0'; /* a session's options would be somebody else's: see km_pg_anchor_pooled */
    db->pool = km_pg_pool_new(db->loop, db->lib, &args, err);
    return db->pool ? 0 : KM_E_NOMEM;
}

int km_pg_db_new(struct km_loop *loop, const struct km_pg_db_args *args, struct km_pg_db **ret_db,
                 struct km_err *err)
{
    struct km_pg_db *db = calloc(1, sizeof *db);
    int r;

    if (!db)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    db->loop = loop;
    db->args = *args;
    db->options = (struct km_pg_guard_options){ .mode = args->mode,
                                                .functions = args->functions,
                                                .nfunctions = args->nfunctions };
    km_buf_init(&db->lookup, LOOKUP_BYTES);
    km_pg_resolve_sql(&db->lookup);
    (void)km_buf_cstr(&db->lookup);
    db->dsn = strdup(args->dsn);
    db->args.dsn = NULL; /* it may hold a password: in one place only */
    r = db->dsn && !km_buf_failed(&db->lookup) ? km_pg_guard_new(&db->guard, err)
                                               : km_fail(err, KM_E_NOMEM, "out of memory");
    if (r == 0) {
        db->verdicts = km_pg_verdicts_new();
        db->typenames = km_pg_typenames_new();
        r = db->verdicts && db->typenames ? km_pg_lib_open(&db->lib, err)
                                          : km_fail(err, KM_E_NOMEM, "out of memory");
    }
    if (r == 0)
        r = make_pool(db, err);
    if (r < 0)
        km_pg_db_free(db);
    else
        *ret_db = db;
    return r;
}

struct km_pg_db *km_pg_db_free(struct km_pg_db *db)
{
    if (!db)
        return NULL;
    km_pg_pool_free(db->pool);
    km_pg_lib_close(db->lib);
    km_pg_guard_free(db->guard);
    km_pg_verdicts_free(db->verdicts);
    km_pg_typenames_free(db->typenames);
    km_buf_done(&db->lookup);
    if (db->dsn)
        explicit_bzero(db->dsn, strlen(db->dsn));
    free(db->dsn);
    free(db);
    return NULL;
}

const struct km_pg_db_args *km_pg_db_args_of(const struct km_pg_db *db)
{
    return &db->args;
}

int km_pg_db_judge(const struct km_pg_db *db, struct km_arena *arena, struct km_str sql,
                   struct km_pg_verdict *ret, struct km_err *err)
{
    return km_pg_guard_judge(db->guard, arena, sql, &db->options, ret, err);
}

const struct km_pg_parser *km_pg_db_parser(const struct km_pg_db *db)
{
    return km_pg_guard_parser(db->guard);
}

struct km_pg_typenames *km_pg_db_typenames(const struct km_pg_db *db)
{
    return db->typenames;
}

struct km_pg_pool_stats km_pg_db_pool(const struct km_pg_db *db)
{
    return km_pg_pool_stats(db->pool);
}
