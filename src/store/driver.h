/* SPDX-License-Identifier: Apache-2.0 */
/* driver.h - what the store asks of a database, and what a database must be able to do for it.
 *
 *     operations: rows of statements ──> km_db_run, km_db_ask, km_ready_next ──> struct km_driver
 *                                                                     sqlite/ ──────┘
 *
 * A statement is a row: its name, its SQL in each dialect, which members of which structs are
 * bound to it and which are read from it.  The driver binds and reads them all by one function, so
 * no operation copies a column by hand.  A database that joins is a driver in the table of
 * drivers.c, a dialect in the rows, and nothing else.
 *
 * A connection and all that is made ready on it belong to one thread.  An error is KM_E_STORE with
 * the database's own words.
 */
#ifndef KM_STORE_DRIVER_H
#define KM_STORE_DRIVER_H

#include <stddef.h>

#include "store/store.h"

/* --- statements as rows --- */

enum km_sql_dialect { KM_SQL_SQLITE, KM_SQL_DIALECTS };

enum km_field_type {
    KM_FIELD_I64, /* int64_t */
    KM_FIELD_I64_NULL, /* the same; KM_FIELD_NO_NUMBER is NULL */
    KM_FIELD_INT, /* int */
    KM_FIELD_U32, /* unsigned, and enums */
    KM_FIELD_BOOL,
    KM_FIELD_TEXT, /* struct km_str; "" when empty */
    KM_FIELD_BLOB, /* struct km_str of any bytes */
    KM_FIELD_BLOB_NULL, /* the same; NULL when empty */
    KM_FIELD_TEXT_NULL,
    KM_FIELD_BYTES, /* an array of so many: no more and no fewer */
    KM_FIELD_CHARS, /* an array that ends with NUL */
};

#define KM_FIELD_NO_NUMBER INT64_MIN

/* A member of a struct that a column has a value for. */
struct km_field {
    enum km_field_type type;
    unsigned at, n; /* offset and size */
};

/* The member of a struct, by its own type; KM_FIELD_AS where that does not tell. */
#define KM_FIELD_AS(T, member, as)                                                                 \
    { as, offsetof(T, member), sizeof((T *)0)->member }
#define KM_FIELD(T, member)                                                                        \
    KM_FIELD_AS(T, member,                                                                         \
                _Generic(((T *)0)->member, int64_t                                                 \
                         : KM_FIELD_I64, int                                                       \
                         : KM_FIELD_INT, unsigned                                                  \
                         : KM_FIELD_U32, bool                                                      \
                         : KM_FIELD_BOOL, struct km_str                                            \
                         : KM_FIELD_TEXT, uint8_t *                                                \
                         : KM_FIELD_BYTES, char *                                                  \
                         : KM_FIELD_CHARS))

/* What is bound, or read, in the order of the SQL's parameters or columns. */
struct km_fields {
    const struct km_field *v;
    unsigned n;
};
#define KM_FIELDS(...)                                                                             \
    {                                                                                              \
        (const struct km_field[]){ __VA_ARGS__ },                                                  \
            sizeof((const struct km_field[]){ __VA_ARGS__ }) / sizeof(struct km_field)             \
    }

struct km_statement {
    const char *name; /* "grants.put" */
    const char *sql[KM_SQL_DIALECTS];
    struct km_fields in, out;
};

/* The rows of one module; statements.c lists them all. */
struct km_statements {
    const struct km_statement *v;
    size_t n;
};
#define KM_STATEMENTS(rows)                                                                        \
    {                                                                                              \
        (rows), sizeof(rows) / sizeof((rows)[0])                                                   \
    }

/* Every table of rows there is. */
extern const struct km_statements *const km_store_statements[];
extern const size_t km_store_statements_n;

/* --- rows in memory that one statement takes all of --- */

enum km_value_type { KM_VALUE_NULL, KM_VALUE_I64, KM_VALUE_TEXT, KM_VALUE_BLOB };

struct km_value {
    union {
        int64_t i64;
        const void *p; /* stays while the statement runs */
    } u;
    uint32_t type; /* enum km_value_type */
    uint32_t n; /* bytes at p */
};

static inline struct km_value km_value_i64(int64_t v)
{
    return (struct km_value){ .u.i64 = v, .type = KM_VALUE_I64 };
}

static inline struct km_value km_value_text(struct km_str s)
{
    return (struct km_value){ .u.p = s.p, .type = KM_VALUE_TEXT, .n = (uint32_t)s.n };
}

static inline struct km_value km_value_blob(const void *p, size_t n)
{
    return (struct km_value){ .u.p = p, .type = KM_VALUE_BLOB, .n = (uint32_t)n };
}

static inline struct km_value km_value_null(void)
{
    return (struct km_value){ .type = KM_VALUE_NULL };
}

/* A table of a connection's own that has no rows but these. */
struct km_rowset {
    const char *name; /* as statements call it */
    const char *columns; /* "id, key, route" */
    const void *(*row)(const void *from, size_t i); /* NULL: there are no more */
    struct km_value (*value)(const void *row, unsigned column);
};

/* --- a connection --- */

struct km_driver;

/* A driver's own begins with it. */
struct km_db {
    const struct km_driver *driver;
};

/* A statement that was made ready on a connection. */
struct km_ready {
    struct km_db *db;
    const struct km_statement *statement;
};

enum km_db_mode { KM_DB_READ, KM_DB_WRITE, KM_DB_CREATE };

enum km_row {
    KM_ROW_END,
    KM_ROW,
    KM_ROW_TORN, /* there is one, and a column of it is not what it must be: as long, as short */
};

#define KM_DB_WORDS 128

/* What the last error of a connection was about. */
struct km_db_trouble {
    bool damaged; /* what lies there is no store, or none any more */
    char words[KM_DB_WORDS]; /* the database's, for anybody */
};

struct km_db *km_db_close(struct km_db *db); /* NULL is fine */
void km_db_done(struct km_db **db); /* for KM_CLEANUP */

/* Makes a statement ready; it is to be freed before its connection. */
int km_db_ready(struct km_db *db, const struct km_statement *s, struct km_ready **ret_ready,
                struct km_err *err) KM_MUST_USE;
void km_ready_done(struct km_ready **r); /* for KM_CLEANUP; NULL is fine */

/* Runs one that gives no rows, with what is bound from `in`.  *ret_changes (may be NULL): rows. */
int km_ready_run(struct km_ready *r, const void *in, int64_t *ret_changes,
                 struct km_err *err) KM_MUST_USE;
/* Begins one that gives rows; texts of `in` stay until its end.  Then row after row, into `out`,
 * whose texts are valid until the next.  Ended before its time by km_ready_rest(). */
void km_ready_ask(struct km_ready *r, const void *in);
int km_ready_next(struct km_ready *r, void *out, enum km_row *ret_row,
                  struct km_err *err) KM_MUST_USE;
void km_ready_rest(struct km_ready *r);

/* The same of one that is not kept ready. */
int km_db_run(struct km_db *db, const struct km_statement *s, const void *in, int64_t *ret_changes,
              struct km_err *err) KM_MUST_USE;
int km_db_ask(struct km_db *db, const struct km_statement *s, const void *in,
              struct km_ready **ret_ready, struct km_err *err) KM_MUST_USE;
/* Its first row; `out` may have no texts. */
int km_db_first(struct km_db *db, const struct km_statement *s, const void *in, void *out,
                enum km_row *ret_row, struct km_err *err) KM_MUST_USE;
/* A number that it gives, without anything bound; 0 when it gives none. */
int km_db_number(struct km_db *db, const struct km_statement *s, int64_t *ret_v,
                 struct km_err *err) KM_MUST_USE;
#define KM_NUMBER KM_FIELDS({ KM_FIELD_I64, 0, sizeof(int64_t) }) /* what such a one reads */

/* --- a driver --- */

/* What this program can read.  A migration whose first line asks for more raises the store's. */
#define KM_STORE_READER 1

struct km_place;
struct km_check;
struct km_lookout;

/* What a look at the files found wrong. */
struct km_lookout_found {
    char reason[KM_STORE_REASON]; /* for anybody: without a path */
    char text[KM_STORE_TEXT]; /* for an operator */
};

/* What more there is to do for one that lies in a file: made whole, watched, copied when its name
 * is gone.  Thread: as said; each function is fine with NULL for what it made. */
struct km_driver_file {
    /* Makes a store under this name, which nothing has. */
    int (*build)(const char *path, struct km_err *err);
    /* Is it one?  Changes nothing; write: it could. */
    int (*look_at)(const char *path, bool write, struct km_err *err);
    /* A copy of all that was committed; ret_file has KM_PLACE_PATH bytes. */
    int (*rescue)(struct km_db *db, const struct km_place *place, char *ret_file,
                  struct km_err *err);

    /* The writer's: pages in the log since the last checkpoint, one now, one that is on the disk
     * when it returns, and that none follows, for the file is not ours any more. */
    int (*log_pages)(const struct km_db *db);
    void (*checkpoint)(struct km_db *db);
    int (*sync)(struct km_db *db, struct km_err *err);
    void (*leave)(struct km_db *db);

    /* Are the files those that were opened?  One thread at a time (sqlite/lookout.h). */
    int (*lookout_new)(struct km_store *store, struct km_lookout **ret_lookout, struct km_err *err);
    struct km_lookout *(*lookout_free)(struct km_lookout *w);
    bool (*look)(struct km_lookout *w, struct km_lookout_found *ret_found);
    bool (*was_written)(struct km_lookout *w);
    void (*rest)(struct km_lookout *w);

    /* Reads all of it, a slice at a time (sqlite/check.h). */
    struct km_check *(*check_new)(const char *path);
    struct km_check *(*check_free)(struct km_check *c);
    int (*check_step)(struct km_check *c, bool *ret_done, bool *ret_damaged, struct km_err *err);
};

struct km_driver {
    const char *scheme; /* of kanmon_settings.store: "sqlite" of "sqlite:<where>" */
    enum km_sql_dialect dialect;
    bool passing; /* what it holds goes with its last connection: no folder is told of it */
    const struct km_driver_file *file; /* NULL: it lies in no file of ours */

    int (*open)(const char *where, enum km_db_mode mode, struct km_db **ret_db, struct km_err *err);
    void (*close)(struct km_db *db);
    /* It will be the one that writes.  strict: a commit is on the disk when it returns. */
    int (*to_writer)(struct km_db *db, bool strict, struct km_err *err);
    /* Brings the tables to what this program knows; where: for messages. */
    int (*migrate)(struct km_db *db, const char *where, struct km_err *err);

    int (*begin)(struct km_db *db, struct km_err *err);
    int (*commit)(struct km_db *db, struct km_err *err);
    void (*rollback)(struct km_db *db); /* also when nothing is begun any more */
    bool (*is_begun)(const struct km_db *db); /* false: an error ended the transaction */
    /* Begins one that is never committed, and that a full disk does not keep from being written. */
    int (*rehearse)(struct km_db *db, struct km_err *err);
    void (*trouble)(struct km_db *db, struct km_db_trouble *ret);

    int (*ready)(struct km_db *db, const struct km_statement *s, struct km_ready **ret_ready,
                 struct km_err *err);
    void (*free)(struct km_ready *r);
    int (*run)(struct km_ready *r, const void *in, int64_t *ret_changes, struct km_err *err);
    void (*ask)(struct km_ready *r, const void *in);
    int (*next)(struct km_ready *r, void *out, enum km_row *ret_row, struct km_err *err);
    void (*rest)(struct km_ready *r);
    /* The rows of `from` are a table of this connection from now on; both outlive it. */
    int (*show)(struct km_db *db, const struct km_rowset *set, const void *from,
                struct km_err *err);

    /* Tables with their rows and bytes, as members of an array of JSON. */
    int (*tables)(struct km_db *db, struct km_buf *out, struct km_err *err);
    const char *(*last_migration)(void); /* that this program knows */
};

/* The driver of a setting "<scheme>:<where>"; where: what follows.  NULL: there is none. */
const struct km_driver *km_driver_find(struct km_str setting, struct km_str *ret_where);

#endif
