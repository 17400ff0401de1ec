/* SPDX-License-Identifier: Apache-2.0 */
/* dump.h - a store as text, step by step: its schema, what each operation changed, what each
 * reader answered.
 *
 *     == <what was done>
 *     -> <what it answered>
 *     <table>                    each table that changed since the step before
 *     - <row, as SQL values>     that went
 *     + <row>                    that came
 *
 * The clock stands still unless it is told, and what is random is the same byte over and over: the
 * text is the same in every run, and is compared with one that is kept (KM_TEST_DUMP).  It is
 * written anew by running the test with KANMON_DUMP_WRITE=1; what changed in it is to be looked at.
 *
 * Each operation of the store, each row of its statements and what else was made ready must have
 * been used by then.
 */
#ifndef KM_TEST_STORE_DUMP_H
#define KM_TEST_STORE_DUMP_H

#include <glob.h>
#include <pthread.h>

#include "store/driver.h"
#include "support.h"

#define DUMP_START_US INT64_C(1700000000000000) /* 2023-11-14: before any file of the test */
#define DUMP_NAMES 256
#define DUMP_TABLES 64

/* --- the clock and the dice: the linker puts these in front of the real ones --- */

static _Atomic int64_t dump_clock_us = DUMP_START_US;

int64_t __wrap_km_wall_us(void);
int64_t __wrap_km_wall_us(void)
{
    return dump_clock_us;
}

int __wrap_RAND_bytes(unsigned char *out, int n);
int __wrap_RAND_bytes(unsigned char *out, int n)
{
    memset(out, 0xa5, (size_t)n);
    return 1;
}

/* --- what was used --- */

struct dump_names {
    char *v[DUMP_NAMES];
    size_t n;
};

static inline void names_add(struct dump_names *names, const char *text, size_t n)
{
    for (size_t i = 0; i < names->n; i++)
        if (strlen(names->v[i]) == n && memcmp(names->v[i], text, n) == 0)
            return;
    assert_true(names->n < DUMP_NAMES);
    names->v[names->n++] = strndup(text, n);
}

static inline bool names_have(const struct dump_names *names, const char *text)
{
    for (size_t i = 0; i < names->n; i++)
        if (strcmp(names->v[i], text) == 0)
            return true;
    return false;
}

static inline void names_done(struct dump_names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->v[i]);
    names->n = 0;
}

/* How many of `all` are not in `used`; each is said. */
static inline int names_missing(const struct dump_names *all, const struct dump_names *used)
{
    int missing = 0;

    for (size_t i = 0; i < all->n; i++)
        if (!names_have(used, all->v[i])) {
            print_error("not exercised: %s\n", all->v[i]);
            missing++;
        }
    return missing;
}

/* Statements, from every thread of the store. */
static struct {
    pthread_mutex_t lock;
    struct dump_names prepared, stepped;
} dump_sql = { .lock = PTHREAD_MUTEX_INITIALIZER };

int __real_sqlite3_prepare_v3(sqlite3 *db, const char *sql, int n, unsigned flags,
                              sqlite3_stmt **ret, const char **tail);
int __wrap_sqlite3_prepare_v3(sqlite3 *db, const char *sql, int n, unsigned flags,
                              sqlite3_stmt **ret, const char **tail);
int __wrap_sqlite3_prepare_v3(sqlite3 *db, const char *sql, int n, unsigned flags,
                              sqlite3_stmt **ret, const char **tail)
{
    pthread_mutex_lock(&dump_sql.lock);
    names_add(&dump_sql.prepared, sql, strlen(sql));
    pthread_mutex_unlock(&dump_sql.lock);
    return __real_sqlite3_prepare_v3(db, sql, n, flags, ret, tail);
}

int __real_sqlite3_step(sqlite3_stmt *s);
int __wrap_sqlite3_step(sqlite3_stmt *s);
int __wrap_sqlite3_step(sqlite3_stmt *s)
{
    pthread_mutex_lock(&dump_sql.lock);
    names_add(&dump_sql.stepped, sqlite3_sql(s), strlen(sqlite3_sql(s)));
    pthread_mutex_unlock(&dump_sql.lock);
    return __real_sqlite3_step(s);
}

/* What the headers of the store declare that asks something of its file: km_store_x(), and the
 * ledger's entries. */
static inline void names_of_operations(struct dump_names *names)
{
    static const char *const quiet[] = {
        "km_store_is_strict", "km_store_healthy",   "km_store_health",   "km_store_size_bytes",
        "km_store_queued",    "km_store_lose",      "km_ledger_new",     "km_ledger_free",
        "km_ledger_flush",    "km_store_open_reader", "km_store_ask", "km_store_look",
    };
    glob_t found = { 0 };

    assert_int_equal(glob(KM_TEST_STORE_HEADERS, 0, NULL, &found), 0);
    for (size_t f = 0; f < found.gl_pathc; f++) {
        bool ledger = strstr(found.gl_pathv[f], "/ledger.h") != NULL;
        FILE *in = fopen(found.gl_pathv[f], "r");
        char line[256];

        assert_non_null(in);
        while (fgets(line, sizeof line, in)) {
            char *at = strstr(line, "km_store_");
            size_t n;
            bool asks;

            if (!at && ledger)
                at = strstr(line, "km_ledger_");
            if (!at || line[0] == ' ' || strncmp(line, "typedef", 7) == 0)
                continue;
            n = strspn(at, "abcdefghijklmnopqrstuvwxyz_");
            asks = at[n] == '(';
            at[n] = 0;
            for (size_t q = 0; q < sizeof quiet / sizeof quiet[0]; q++)
                asks = asks && strcmp(at, quiet[q]) != 0;
            if (asks)
                names_add(names, at, n);
        }
        (void)fclose(in);
    }
    globfree(&found);
}

/* --- the text --- */

struct dump {
    struct place p;
    struct km_buf text;
    struct dump_names used; /* operations */
    struct km_msg forwarded; /* from the writer: something was */
    char *tables[DUMP_TABLES]; /* as they were, each with its name first */
    size_t ntables;
};

static inline void dump_value(struct km_buf *out, sqlite3_stmt *s, int column)
{
    const char *p = sqlite3_column_blob(s, column);
    int n = sqlite3_column_bytes(s, column);

    switch (sqlite3_column_type(s, column)) {
    case SQLITE_NULL:
        km_buf_str(out, KM_STR(" NULL"));
        break;
    case SQLITE_INTEGER:
        km_buf_printf(out, " %lld", (long long)sqlite3_column_int64(s, column));
        break;
    case SQLITE_TEXT:
        km_buf_byte(out, ' ');
        km_buf_json(out, km_str(p, (size_t)n));
        break;
    case SQLITE_BLOB:
        km_buf_str(out, KM_STR(" x"));
        for (int i = 0; i < n; i++)
            km_buf_printf(out, "%02x", (unsigned char)p[i]);
        break;
    default:
        fail_msg("a floating-point number is in the store");
    }
}

static inline sqlite3_stmt *dump_ask(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *s = NULL;

    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    return s;
}

/* In the order of the first columns, which are the key of every table. */
static inline char *dump_table(sqlite3 *db, const char *name)
{
    struct km_buf out = KM_BUF(1 << 24);
    char sql[160], *text;
    sqlite3_stmt *s;

    (void)snprintf(sql, sizeof sql, "SELECT * FROM \"%s\" ORDER BY 1, 2", name);
    s = dump_ask(db, sql);
    km_buf_printf(&out, "%s\n", name);
    while (__real_sqlite3_step(s) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(s); i++)
            dump_value(&out, s, i);
        km_buf_byte(&out, '\n');
    }
    sqlite3_finalize(s);
    text = strdup(km_buf_cstr(&out));
    km_buf_done(&out);
    return text;
}

static inline bool dump_has_line(const char *text, const char *line, size_t n)
{
    for (; *text; text += strcspn(text, "\n") + 1)
        if (strcspn(text, "\n") == n && memcmp(text, line, n) == 0)
            return true;
    return false;
}

/* Lines of one that are not in the other, but for the first, which is the table's name. */
static inline void dump_lines(struct dump *d, char sign, const char *of, const char *but)
{
    for (of = strchr(of, '\n') + 1; *of; of += strcspn(of, "\n") + 1) {
        size_t n = strcspn(of, "\n");

        if (!dump_has_line(but, of, n))
            km_buf_printf(&d->text, "%c%.*s\n", sign, (int)n, of);
    }
}

/* Tables that are not as they were. */
static inline void dump_changes(struct dump *d)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *s;
    size_t at = 0;

    assert_int_equal(sqlite3_open_v2(d->p.db, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    s = dump_ask(db, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name");
    for (; __real_sqlite3_step(s) == SQLITE_ROW; at++) {
        char *now = dump_table(db, (const char *)sqlite3_column_text(s, 0));
        const char *was = d->tables[at] ? d->tables[at] : "\n";

        assert_true(at < DUMP_TABLES); /* none comes or goes but at the start */
        if (strcmp(was, now) != 0) {
            km_buf_printf(&d->text, "%s\n", (const char *)sqlite3_column_text(s, 0));
            dump_lines(d, '-', was, now);
            dump_lines(d, '+', now, was);
        }
        free(d->tables[at]);
        d->tables[at] = now;
    }
    d->ntables = at;
    sqlite3_finalize(s);
    sqlite3_close(db);
}

static inline void dump_schema(struct dump *d)
{
    static const char *const pragmas[] = { "application_id", "user_version", "encoding",
                                           "page_size",      "auto_vacuum",  "journal_mode" };
    sqlite3 *db = NULL;
    sqlite3_stmt *s;

    assert_int_equal(sqlite3_open_v2(d->p.db, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    km_buf_str(&d->text, KM_STR("== schema\n"));
    for (size_t i = 0; i < sizeof pragmas / sizeof pragmas[0]; i++) {
        char sql[64];

        (void)snprintf(sql, sizeof sql, "PRAGMA %s", pragmas[i]);
        s = dump_ask(db, sql);
        assert_int_equal(__real_sqlite3_step(s), SQLITE_ROW);
        km_buf_printf(&d->text, "%s %s\n", pragmas[i], (const char *)sqlite3_column_text(s, 0));
        sqlite3_finalize(s);
    }
    s = dump_ask(db, "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name");
    while (__real_sqlite3_step(s) == SQLITE_ROW)
        km_buf_printf(&d->text, "%s;\n", (const char *)sqlite3_column_text(s, 0));
    sqlite3_finalize(s);
    sqlite3_close(db);
}

/* --- steps --- */

/* Before each: an operation's name is kept, and the clock goes on by a second. */
static inline void dump_begin(struct dump *d, const char *operation, const char *what)
{
    names_add(&d->used, operation, strlen(operation));
    dump_clock_us += 1000000;
    km_buf_printf(&d->text, "== %s: %s\n", operation, what);
}
#define BEGIN(d, operation, what) ((void)sizeof &operation, dump_begin(d, #operation, what))

/* After one that answers: its answer, and what is new in the file. */
static inline void dump_answer(struct dump *d, bool json)
{
    int code = answer(&d->p);

    if (code < 0)
        km_buf_printf(&d->text, "-> %d %s\n", code, d->p.err.text);
    else if (json)
        km_buf_printf(&d->text, "-> %s\n", km_buf_cstr(&d->p.json));
    dump_changes(d);
}

/* After one that nobody hears of: all is committed that was asked before. */
static inline void dump_sync(struct dump *d)
{
    names_add(&d->used, "km_store_sync", strlen("km_store_sync"));
    km_store_sync(d->p.store, d->p.reply, on_done, &d->p);
    dump_answer(d, false);
}

/* A line of what a blocking reader gave. */
static inline void dump_field(struct dump *d, struct km_str s)
{
    km_buf_byte(&d->text, ' ');
    km_buf_json(&d->text, s);
}

/* --- the end --- */

static inline void dump_compare(struct dump *d)
{
    struct km_buf kept = KM_BUF(1 << 24);
    const char *now = km_buf_cstr(&d->text), *was, *line;
    FILE *f;

    if (getenv("KANMON_DUMP_WRITE")) {
        f = fopen(KM_TEST_DUMP, "w");
        assert_non_null(f);
        assert_int_equal(fwrite(now, 1, d->text.n, f), d->text.n);
        assert_int_equal(fclose(f), 0);
    }
    f = fopen(KM_TEST_DUMP, "r");
    assert_non_null(f);
    for (int c; (c = fgetc(f)) != EOF;)
        km_buf_byte(&kept, (char)c);
    (void)fclose(f);
    was = km_buf_cstr(&kept);
    line = now;
    while (*now && *now == *was) {
        if (*now == '\n')
            line = now + 1;
        now++;
        was++;
    }
    if (*now || *was)
        fail_msg("the store is not as it was: '%.*s' where the kept dump goes on '%.*s'",
                 (int)strcspn(line, "\n"), line, (int)strcspn(was, "\n"), was);
    km_buf_done(&kept);
}

static inline void dump_done(struct dump *d)
{
    struct dump_names operations = { 0 };
    int missing;

    names_of_operations(&operations);
    for (size_t i = 0; i < km_store_statements_n; i++)
        for (size_t k = 0; k < km_store_statements[i]->n; k++) {
            const char *sql = km_store_statements[i]->v[k].sql[KM_SQL_SQLITE];

            names_add(&dump_sql.prepared, sql, strlen(sql));
        }
    missing = names_missing(&operations, &d->used);
    missing += names_missing(&dump_sql.prepared, &dump_sql.stepped);
    for (size_t i = 0; i < d->ntables; i++)
        free(d->tables[i]);
    km_buf_done(&d->text);
    names_done(&operations);
    names_done(&d->used);
    names_done(&dump_sql.prepared);
    names_done(&dump_sql.stepped);
    assert_int_equal(missing, 0);
}

#endif
