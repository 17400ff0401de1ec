/* SPDX-License-Identifier: Apache-2.0 */
/* conn.h - one connection to PostgreSQL on a loop: libpq in pipeline mode, never blocking.
 *
 * libpq enters here, opened when the first pool is made.  Statements go by the extended protocol
 * only, with their values beside them: one text is one statement.  A batch is sent in one flight;
 * each step with `sync` ends a group, whose failure leaves the next group alone.
 *
 * Thread: its loop's.
 */
#ifndef KM_PG_CONN_H
#define KM_PG_CONN_H

#include "base/arena.h"
#include "sys/loop.h"

struct km_dns;
struct km_pg_lib; /* libpq, opened */
struct km_pg_silent; /* hosts that did not answer */
struct km_pg_conn;
struct km_pg_result; /* a libpq result; valid inside the callback */

/* KM_E_UNSUPPORTED when libpq is not there, with the package to install. */
int km_pg_lib_open(struct km_pg_lib **ret_lib, struct km_err *err) KM_MUST_USE;
struct km_pg_lib *km_pg_lib_close(struct km_pg_lib *lib);

/* 0: it can be read.  The error does not repeat it. */
int km_pg_dsn_check(const char *dsn, struct km_err *err) KM_MUST_USE;

/* What to connect with.  Strings must outlive the connection. */
struct km_pg_target {
    const char *dsn; /* a URL or key=value words; never shown */
    const char *password; /* where the dsn has none; NULL: none */
    const char *password_file; /* holds it alone, read for each connection; NULL: none */
    const char *options; /* "-c name=value ...": pinned for the session, over the DSN's own */
    const char *session_attrs; /* instead of the dsn's target_session_attrs; NULL: the dsn's */
    struct km_dns *dns; /* resolves what names the dsn has */
    struct km_pg_silent *silent; /* of all connections to it */
    uint64_t connect_ms;
    size_t row_bytes; /* of one row, before the connection is cut */
};

struct km_pg_step {
    const char *sql; /* one statement; with a name: made ready under it.  NULL: the one so named */
    const char *name; /* of a prepared statement; NULL: none */
    unsigned nparams;
    const unsigned *types; /* oids; NULL: all are inferred */
    const char *const *values; /* text; NULL: null */
    bool rows; /* tell row by row */
    bool sync; /* ends a group */
};

enum km_pg_told {
    KM_PG_ROW, /* one row; more follow */
    KM_PG_END, /* the step succeeded; may hold rows when `rows` was not asked for */
    KM_PG_ERROR, /* the step failed */
    KM_PG_SKIPPED, /* an earlier one of its group failed */
};

struct km_pg_conn_events {
    /* In order; END, ERROR or SKIPPED comes last and once for a step. */
    void (*on_result)(void *ctx, unsigned step, enum km_pg_told told,
                      const struct km_pg_result *result);
    /* Once.  err NULL: all was told and the connection takes the next batch; otherwise it is dead.
     * Not from inside km_pg_conn_send(). */
    void (*on_done)(void *ctx, const struct km_err *err);
    /* Beside what the step returns, in the fields of an error (km_pg_error_field()).  NULL: nobody
     * wants it. */
    void (*on_notice)(void *ctx, unsigned step, const struct km_pg_result *result);
};

/* fn once, not from inside: err NULL: connected.  NULL: out of memory. */
typedef void km_pg_connect_fn(void *ctx, struct km_pg_conn *conn, const struct km_err *err);
struct km_pg_conn *km_pg_conn_new(struct km_loop *loop, const struct km_pg_lib *lib,
                                  const struct km_pg_target *target, km_pg_connect_fn *fn,
                                  void *ctx);
/* Drops what runs, without a word. */
struct km_pg_conn *km_pg_conn_free(struct km_pg_conn *c);

/* Steps and what they point to stay until on_done.  KM_E_UPSTREAM_CONNECT: it is dead. */
int km_pg_conn_send(struct km_pg_conn *c, const struct km_pg_step *steps, unsigned nsteps,
                    const struct km_pg_conn_events *events, void *ctx,
                    struct km_err *err) KM_MUST_USE;

/* Asks the server to end what runs, by a connection of its own; on_done comes as ever.  Nothing
 * when nothing runs. */
void km_pg_conn_cancel(struct km_pg_conn *c);
/* Nobody wants what runs, and something does: its steps may go, it is cancelled, and its end alone
 * is told to these events. */
void km_pg_conn_abandon(struct km_pg_conn *c, const struct km_pg_conn_events *events, void *ctx);
/* A cancel request is still on its way: it would hit whatever runs next. */
bool km_pg_conn_cancelling(const struct km_pg_conn *c);
bool km_pg_conn_alive(const struct km_pg_conn *c);
/* A sign of the borrowers': what they have made ready on it.  Not set at first. */
void km_pg_conn_mark(struct km_pg_conn *c, unsigned marks);
unsigned km_pg_conn_marks(const struct km_pg_conn *c);
/* Told once when the server closes it while nothing runs. */
void km_pg_conn_on_lost(struct km_pg_conn *c, void (*fn)(void *ctx, struct km_pg_conn *conn),
                        void *ctx);
/* Reported by the server at start ("server_version", "standard_conforming_strings"); or "". */
const char *km_pg_conn_parameter(const struct km_pg_conn *c, const char *name);
int km_pg_conn_version(const struct km_pg_conn *c); /* 150018 */
unsigned km_pg_conn_pid(const struct km_pg_conn *c);

/* --- results --- */

size_t km_pg_rows(const struct km_pg_result *r);
size_t km_pg_columns(const struct km_pg_result *r);
const char *km_pg_column_name(const struct km_pg_result *r, size_t column);
unsigned km_pg_column_type(const struct km_pg_result *r, size_t column); /* oid */
bool km_pg_is_null(const struct km_pg_result *r, size_t row, size_t column);
struct km_str km_pg_value(const struct km_pg_result *r, size_t row, size_t column);
struct km_str km_pg_tag(const struct km_pg_result *r); /* "INSERT 0 1" */
int64_t km_pg_affected(const struct km_pg_result *r); /* rows; 0: none, or not that kind */

/* One field of an error or a notice: 'C' SQLSTATE, 'M' message, 'D' detail, 'H' hint, 'P' position,
 * 'V' severity. */
struct km_str km_pg_error_field(const struct km_pg_result *r, char field);

#endif
