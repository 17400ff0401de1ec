/* SPDX-License-Identifier: Apache-2.0 */
/* support.h - a store in a folder of its own, a loop to hear its answers, entries to write.
 *
 * KM_TEST_DRIVER names the driver: "sqlite" (or unset), whose file is in the folder, or "memory",
 * which has none; a connection of ours keeps that one for as long as a file would be there. */
#ifndef KM_TEST_STORE_SUPPORT_H
#define KM_TEST_STORE_SUPPORT_H

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/time.h"
#include "store/ledger.h"

#define USD ((int64_t)1000000000)

struct place {
    char dir[64];
    char db[96]; /* as SQLite opens it beside the store */
    char where[96]; /* kanmon_settings.store; "": a file */
    sqlite3 *keeper; /* of a store without a file */
    struct km_store_settings settings;
    struct km_loop *loop;
    struct km_mailbox *reply;
    struct km_store *store;
    struct km_ledger *ledger;
    struct km_idgen ids;
    int answers; /* done callbacks so far */
    int codes[16]; /* of the first sixteen; 0: success */
    struct km_err err; /* of the last; code 0: success */
    struct km_buf json;
};

static inline sqlite3 *sqlite_open(const char *db_path)
{
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open_v2(db_path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI, NULL),
                     SQLITE_OK);
    sqlite3_busy_timeout(db, 2000);
    return db;
}

static inline void place_init(struct place *p)
{
    const char *driver = getenv("KM_TEST_DRIVER");

    memset(p, 0, sizeof *p);
    (void)snprintf(p->dir, sizeof p->dir, "/tmp/kanmon-test-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    (void)snprintf(p->db, sizeof p->db, "%s/kanmon.db", p->dir);
    p->settings = (struct km_store_settings){
        .commit_ms = 20, .queue_bytes = 1 << 20, .spill_bytes = 1 << 24, .check_ms = 3600000
    };
    if (driver && strcmp(driver, "memory") == 0) {
        (void)snprintf(p->db, sizeof p->db, "file:/%s?vfs=memdb", strrchr(p->dir, '/') + 1);
        (void)snprintf(p->where, sizeof p->where, "memory:%s", strrchr(p->dir, '/') + 1);
        p->settings.store = km_str_c(p->where);
        p->keeper = sqlite_open(p->db);
    }
    p->loop = km_loop_new(NULL);
    assert_non_null(p->loop);
    p->reply = km_mailbox_new(p->loop, p, NULL);
    assert_non_null(p->reply);
    km_idgen_init(&p->ids);
    km_buf_init(&p->json, 16 << 20);
}

static inline int place_try_open(struct place *p, bool handed_over, struct km_err *err)
{
    const struct km_store_args args = { .settings = &p->settings,
                                        .state_dir = p->dir,
                                        .handed_over = handed_over };

    return km_store_open(&args, &p->store, err);
}

static inline void place_open(struct place *p)
{
    struct km_err err = { 0 };

    if (place_try_open(p, false, &err) < 0)
        fail_msg("%s", err.text);
    p->ledger = km_ledger_new(p->store, p->loop, p->reply, 0, &err);
    assert_non_null(p->ledger);
}

/* With the usual settings. */
static inline void place_begin(struct place *p)
{
    place_init(p);
    place_open(p);
}

static inline void place_close(struct place *p)
{
    p->ledger = km_ledger_free(p->ledger);
    p->store = km_store_close(p->store);
}

static inline void place_remove(const char *dir)
{
    static const char *const names[] = { "kanmon.db",      "kanmon.db-wal", "kanmon.db-shm",
                                         "kanmon.db.lock", "kanmon.db.new", "store.id",
                                         "store.spill",    "acks" };
    char path[128];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(dir), 0);
}

static inline void place_done(struct place *p)
{
    place_close(p);
    sqlite3_close(p->keeper);
    km_mailbox_free(p->reply);
    km_loop_free(p->loop);
    km_buf_done(&p->json);
    place_remove(p->dir);
}

/* --- answers --- */

static inline void on_done(void *ctx, const struct km_err *err)
{
    struct place *p = ctx;

    p->err = err ? *err : (struct km_err){ 0 };
    if (p->answers < 16)
        p->codes[p->answers] = p->err.code;
    p->answers++;
    km_loop_stop(p->loop);
}

static inline void on_json(void *ctx, struct km_str json, const struct km_err *err)
{
    struct place *p = ctx;

    km_buf_reset(&p->json);
    km_buf_str(&p->json, json);
    on_done(ctx, err);
}

/* Runs the loop until one more answer has come; its code. */
static inline int answer(struct place *p)
{
    int before = p->answers;

    while (p->answers == before)
        km_loop_run(p->loop);
    return p->err.code;
}

/* Everything appended so far is committed when this returns: an operation is a commit. */
static inline void sync_store(struct place *p)
{
    const struct km_audit nothing = { .actor = KM_STR("test"), .action = KM_STR("sync") };

    km_store_audit(p->store, p->reply, &nothing, on_done, p);
    assert_int_equal(answer(p), 0);
}

/* --- entries --- */

static inline struct km_ledger_entry entry(struct place *p, uint8_t key, int64_t cost)
{
    struct km_ledger_entry e = {
        .id = km_uuid7(&p->ids),
        .call_type = KM_STR("acompletion"),
        .model_group = KM_STR("gpt"),
        .model = KM_STR("openai/gpt-4o"),
        .deployment = KM_STR("d1"),
        .provider = KM_STR("openai"),
        .api_base = KM_STR("https://api.example.com/v1"),
        .client_ip = KM_STR("192.0.2.1"),
        .start_us = km_wall_us(),
        .reserved = 2 * cost,
        .status = 200,
    };

    memset(e.key_hash, key, sizeof e.key_hash);
    e.cost = cost;
    e.prompt_tokens = 10;
    e.completion_tokens = 5;
    e.end_us = e.start_us + 1000;
    return e;
}

static inline void intend(struct place *p, const struct km_ledger_entry *e)
{
    bool wait;

    assert_int_equal(km_ledger_intent(p->ledger, e, NULL, NULL, &wait, NULL), 0);
    assert_false(wait);
}

static inline void settle(struct place *p, const struct km_ledger_entry *e)
{
    bool wait;

    km_ledger_settle(p->ledger, e, NULL, NULL, &wait);
    assert_false(wait);
}

/* --- the file, read by another connection --- */

static inline int64_t number(const char *db_path, const char *sql)
{
    sqlite3 *db = sqlite_open(db_path);
    sqlite3_stmt *s = NULL;
    int64_t v;

    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    v = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int64(s, 0) : -12345;
    sqlite3_finalize(s);
    sqlite3_close(db);
    return v;
}

static inline void change(const char *db_path, const char *sql)
{
    sqlite3 *db = sqlite_open(db_path);

    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    sqlite3_close(db);
}

static inline struct km_key_row key_row(uint8_t id)
{
    struct km_key_row row = { .name = KM_STR("sk-...wxyz"),
                              .max_budget = -1,
                              .soft_budget = -1,
                              .rpm = -1,
                              .tpm = -1,
                              .max_parallel = -1 };

    memset(row.hash, id, sizeof row.hash);
    return row;
}

static inline void put_key(struct place *p, const struct km_key_row *row, bool insert)
{
    const struct km_audit audit = { .actor = KM_STR("local:0"),
                                    .action = KM_STR("key.put"),
                                    .target = row->name,
                                    .detail = KM_STR("{\"n\":1}") };

    km_store_key_put(p->store, p->reply, row, insert, &audit, on_done, p);
}

/* A key that is there when this returns. */
static inline struct km_key_row add_key(struct place *p, uint8_t id)
{
    struct km_key_row row = key_row(id);

    put_key(p, &row, true);
    assert_int_equal(answer(p), 0);
    return row;
}

#endif
