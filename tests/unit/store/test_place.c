/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/inotify.h>

#include "store/sqlite/migrate.h"
#include "store/place.h"
#include "support.h"

static int mode_of(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return (int)(st.st_mode & 0777);
}

static void write_file(const char *path, const char *text, size_t n)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void a_new_store_is_private_and_complete(void **state)
{
    struct place p;
    char dir[80];

    (void)state;
    place_init(&p);
    (void)snprintf(dir, sizeof dir, "%s/state", p.dir);
    {
        const struct km_store_args args = { .settings = &p.settings, .state_dir = dir };

        assert_int_equal(km_store_open(&args, &p.store, NULL), 0);
    }
    assert_int_equal(mode_of(dir), 0700);
    (void)snprintf(p.db, sizeof p.db, "%s/kanmon.db", dir);
    assert_int_equal(mode_of(p.db), 0600);
    assert_int_equal(number(p.db, "PRAGMA auto_vacuum"), 2);
    assert_int_equal(number(p.db, "PRAGMA application_id"), KM_PLACE_APPLICATION_ID);
    assert_int_equal(number(p.db, "SELECT count(*) FROM migrations"), km_migrations_n);
    assert_int_equal(number(p.db, "SELECT value FROM meta WHERE name = 'min_reader'"), 1);
    assert_true(km_store_healthy(p.store));
    assert_true(km_store_size_bytes(p.store) > 4096);
    place_close(&p);
    place_remove(dir);
    place_done(&p);
}

static void opening_again_migrates_nothing_and_keeps_all(void **state)
{
    struct place p;
    struct km_key_row row = key_row(1);

    (void)state;
    place_init(&p);
    place_open(&p);
    put_key(&p, &row, true);
    assert_int_equal(answer(&p), 0);
    for (int i = 0; i < 3; i++) {
        place_close(&p);
        place_open(&p);
    }
    assert_int_equal(number(p.db, "SELECT count(*) FROM keys"), 1);
    assert_int_equal(number(p.db, "SELECT count(*) FROM migrations"), km_migrations_n);
    place_done(&p);
}

static void a_second_process_is_told_who_writes(void **state)
{
    struct place p;
    struct km_store *second = NULL;
    struct km_err err;
    char pid[32];

    (void)state;
    place_init(&p);
    place_open(&p);
    {
        const struct km_store_args args = { .settings = &p.settings, .state_dir = p.dir };

        assert_int_equal(km_store_open(&args, &second, &err), KM_E_EXISTS);
    }
    (void)snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    assert_non_null(strstr(err.text, pid));
    assert_non_null(strstr(err.text, p.db));
    place_done(&p);
}

/* Returns when there is a file of that name; `events` hears of every new one in its folder. */
static void wait_for_file(int events, const char *path)
{
    char heard[4096];

    while (access(path, F_OK) != 0)
        assert_true(read(events, heard, sizeof heard) > 0);
}

/* Its lock's name may be deleted; the store's own byte keeps the second one out. */
static void a_second_process_is_kept_out_when_the_lock_was_deleted(void **state)
{
    struct km_store *second = NULL;
    struct place p;
    struct km_err err;
    char lock[128];
    int events;

    (void)state;
    place_init(&p);
    place_open(&p);
    (void)snprintf(lock, sizeof lock, "%s.lock", p.db);
    events = inotify_init1(IN_CLOEXEC);
    assert_true(inotify_add_watch(events, p.dir, IN_CREATE | IN_MOVED_TO) >= 0);
    assert_int_equal(unlink(lock), 0);
    {
        const struct km_store_args args = { .settings = &p.settings, .state_dir = p.dir };

        assert_int_equal(km_store_open(&args, &second, &err), KM_E_EXISTS);
    }
    assert_non_null(strstr(err.text, "in use by"));
    wait_for_file(events, lock); /* it is made again */
    (void)close(events);
    place_close(&p);
    place_open(&p);
    place_done(&p);
}

/* What must be refused stays as it is, byte for byte. */
static void refuses(struct place *p, const char *content, size_t n, const char *words)
{
    struct km_err err = { 0 };
    char back[256];
    FILE *f;

    write_file(p->db, content, n);
    assert_true(place_try_open(p, false, &err) < 0);
    if (!strstr(err.text, p->db) || !strstr(err.text, words))
        fail_msg("the text does not help: %s", err.text);
    f = fopen(p->db, "rb");
    assert_non_null(f);
    assert_int_equal(fread(back, 1, sizeof back, f), n < sizeof back ? n : sizeof back);
    assert_memory_equal(back, content, n < sizeof back ? n : sizeof back);
    (void)fclose(f);
}

static void a_file_that_is_no_store_is_named_and_kept(void **state)
{
    static char noise[8192];
    struct place p;

    (void)state;
    place_init(&p);
    memset(noise, 0x5a, sizeof noise);
    refuses(&p, "", 0, "empty");
    refuses(&p, "hello, this is my diary", 23, "not a database");
    refuses(&p, noise, sizeof noise, "not a database");
    place_done(&p);
}

static void a_database_of_another_program_is_named_and_kept(void **state)
{
    struct place p;
    struct km_err err;
    sqlite3 *db;

    (void)state;
    place_init(&p);
    assert_int_equal(sqlite3_open(p.db, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE diary (t)", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(place_try_open(&p, false, &err), KM_E_STORE);
    assert_non_null(strstr(err.text, "another program"));
    assert_int_equal(number(p.db, "SELECT count(*) FROM sqlite_schema"), 1);
    place_done(&p);
}

static void a_truncated_store_is_named_and_kept(void **state)
{
    struct place p;
    struct km_err err;

    (void)state;
    place_init(&p);
    place_open(&p);
    place_close(&p);
    assert_int_equal(truncate(p.db, 4096), 0);
    assert_int_equal(place_try_open(&p, false, &err), KM_E_STORE);
    assert_non_null(strstr(err.text, p.db));
    assert_non_null(strstr(err.text, "restore"));
    place_done(&p);
}

static size_t read_whole(const char *path, char *out, size_t most)
{
    FILE *f = fopen(path, "rb");
    size_t n;

    assert_non_null(f);
    n = fread(out, 1, most, f);
    assert_int_equal(fclose(f), 0);
    assert_in_range(n, 4096, most - 1);
    return n;
}

static void on_any_key(void *ctx, const struct km_key_row *row)
{
    *(size_t *)ctx += row->name.n;
}

/* Whatever byte is wrong: the store opens and answers, or an error names the file.  Never a
 * crash, never another file in its place. */
static void a_flipped_byte_anywhere_never_crashes(void **state)
{
    static char whole[1 << 20];
    struct place p;
    int refused = 0;
    size_t n;

    (void)state;
    place_init(&p);
    place_open(&p);
    for (uint8_t i = 0; i < 40; i++) {
        struct km_ledger_entry e = entry(&p, i, 1);
        struct km_key_row row = key_row(i);

        put_key(&p, &row, true);
        assert_int_equal(answer(&p), 0);
        settle(&p, &e);
        e = entry(&p, i, 1);
        intend(&p, &e);
    }
    place_close(&p);
    n = read_whole(p.db, whole, sizeof whole);
    for (size_t at = 0; at < n; at += at < 100 ? 1 : 1021) {
        struct km_err err = { 0 };
        struct km_spend_query q = { 0 };
        size_t seen = 0;

        whole[at] ^= (char)0xff;
        write_file(p.db, whole, n);
        whole[at] ^= (char)0xff;
        if (place_try_open(&p, true, &err) < 0) {
            refused++;
            if (!strstr(err.text, p.db))
                fail_msg("byte %zu: the text does not name the file: %s", at, err.text);
        } else {
            (void)!km_store_keys(p.store, on_any_key, &seen, NULL);
            km_store_spend_logs(p.store, p.reply, &q, on_json, &p);
            answer(&p);
            km_store_audit(p.store, p.reply, &(struct km_audit){ 0 }, on_done, &p);
            answer(&p);
            p.store = km_store_close(p.store);
        }
        assert_int_equal(access(p.db, F_OK), 0);
    }
    assert_true(refused > 10);
    place_done(&p);
}

static void a_store_gone_from_beside_its_log_is_not_made_anew(void **state)
{
    struct place p;
    struct km_err err;
    char wal[128];

    (void)state;
    place_init(&p);
    (void)snprintf(wal, sizeof wal, "%s-wal", p.db);
    write_file(wal, "something", 9);
    assert_int_equal(place_try_open(&p, false, &err), KM_E_STORE);
    assert_non_null(strstr(err.text, "is missing but its '-wal' is there"));
    assert_int_equal(access(p.db, F_OK), -1);
    place_done(&p);
}

static void a_newer_store_is_refused_untouched_and_one_that_only_grew_is_not(void **state)
{
    struct place p;
    struct km_err err;

    (void)state;
    place_init(&p);
    place_open(&p);
    place_close(&p);
    change(p.db, "INSERT INTO migrations VALUES ('29991231000000_future', 1);"
                 "ALTER TABLE keys ADD COLUMN future TEXT");
    place_open(&p); /* expand-only: an older program runs on it */
    place_close(&p);
    change(p.db, "UPDATE meta SET value = 99 WHERE name = 'min_reader'");
    assert_int_equal(place_try_open(&p, false, &err), KM_E_STORE);
    assert_non_null(strstr(err.text, "newer kanmon"));
    assert_non_null(strstr(err.text, "needs reader 99"));
    assert_int_equal(number(p.db, "SELECT value FROM meta WHERE name = 'min_reader'"), 99);
    place_done(&p);
}

static void a_half_made_store_of_a_crash_is_cleared_away(void **state)
{
    struct place p;
    char fresh[128];

    (void)state;
    place_init(&p);
    (void)snprintf(fresh, sizeof fresh, "%s.new", p.db);
    write_file(fresh, "half", 4);
    place_open(&p);
    assert_int_equal(access(fresh, F_OK), -1);
    place_done(&p);
}

static void other_schemes_and_folders_that_are_not_there_are_said(void **state)
{
    struct place p;
    struct km_err err;

    (void)state;
    place_init(&p);
    p.settings.store = KM_STR("postgresql://user:secret@db/kanmon");
    assert_int_equal(place_try_open(&p, false, &err), KM_E_UNSUPPORTED);
    assert_null(strstr(err.text, "secret"));
    p.settings.store = KM_STR("sqlite:/no/such/folder/x.db");
    assert_true(place_try_open(&p, false, &err) < 0);
    assert_non_null(strstr(err.text, "/no/such/folder/x.db"));
    p.settings.store = KM_STR("sqlite:");
    assert_int_equal(place_try_open(&p, false, &err), KM_E_INVALID);
    place_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_store_is_private_and_complete),
        cmocka_unit_test(opening_again_migrates_nothing_and_keeps_all),
        cmocka_unit_test(a_second_process_is_told_who_writes),
        cmocka_unit_test(a_second_process_is_kept_out_when_the_lock_was_deleted),
        cmocka_unit_test(a_file_that_is_no_store_is_named_and_kept),
        cmocka_unit_test(a_database_of_another_program_is_named_and_kept),
        cmocka_unit_test(a_truncated_store_is_named_and_kept),
        cmocka_unit_test(a_flipped_byte_anywhere_never_crashes),
        cmocka_unit_test(a_store_gone_from_beside_its_log_is_not_made_anew),
        cmocka_unit_test(a_newer_store_is_refused_untouched_and_one_that_only_grew_is_not),
        cmocka_unit_test(a_half_made_store_of_a_crash_is_cleared_away),
        cmocka_unit_test(other_schemes_and_folders_that_are_not_there_are_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
