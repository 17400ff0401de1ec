/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store/answers.h"
#include "support.h"

#define HOUR INT64_C(3600000000)

static const uint8_t mine[32] = { 1 }, other[32] = { 2 };

static int put(struct place *p, const char *id, const uint8_t owner[32], const char *record,
               int64_t expires_us)
{
    struct km_answer_row row = { .id = km_str_c(id),
                                 .record = km_str_c(record),
                                 .expires_us = expires_us };

    memcpy(row.owner, owner, 32);
    km_store_answer_put(p->store, p->reply, &row, on_done, p);
    return answer(p);
}

static int get(struct place *p, const char *id, const uint8_t owner[32])
{
    km_store_answer_get(p->store, p->reply, km_str_c(id), owner, on_json, p);
    return answer(p);
}

static int forget(struct place *p, const char *id, const uint8_t owner[32])
{
    km_store_answer_delete(p->store, p->reply, km_str_c(id), owner, on_done, p);
    return answer(p);
}

static void end(struct place *p)
{
    char path[128];

    (void)snprintf(path, sizeof path, "%s/answers.key", p->dir);
    (void)unlink(path);
    place_done(p);
}

static void an_answer_is_found_by_its_owner_only(void **state)
{
    struct place p;

    (void)state;
    place_begin(&p);
    assert_int_equal(get(&p, "a", mine), KM_E_NOT_FOUND);
    assert_int_equal(put(&p, "a", mine, "{\"x\":1}", km_wall_us() + HOUR), 0);
    assert_int_equal(put(&p, "a", other, "{\"x\":2}", km_wall_us() + HOUR), 0);
    assert_int_equal(get(&p, "a", mine), 0);
    assert_string_equal(km_buf_cstr(&p.json), "{\"x\":1}");
    assert_int_equal(forget(&p, "a", mine), 0);
    assert_int_equal(forget(&p, "a", mine), KM_E_NOT_FOUND);
    assert_int_equal(get(&p, "a", mine), KM_E_NOT_FOUND);
    assert_int_equal(get(&p, "a", other), 0);
    assert_int_equal(get(&p, "", other), KM_E_NOT_FOUND);
    end(&p);
}

static void what_was_put_before_is_found_without_waiting(void **state)
{
    struct km_answer_row row = { .id = KM_STR("a"), .record = KM_STR("r") };
    struct place p;

    (void)state;
    place_begin(&p);
    row.expires_us = km_wall_us() + HOUR;
    km_store_answer_put(p.store, NULL, &row, NULL, NULL);
    assert_int_equal(get(&p, "a", row.owner), 0);
    end(&p);
}

static void an_answer_ends_when_its_time_is_over(void **state)
{
    struct place p;
    sqlite3 *db;
    sqlite3_stmt *s;

    (void)state;
    place_begin(&p);
    assert_int_equal(put(&p, "a", mine, "r", km_wall_us() - 1), 0);
    assert_int_equal(get(&p, "a", mine), KM_E_NOT_FOUND);
    assert_int_equal(forget(&p, "a", mine), KM_E_NOT_FOUND);
    assert_int_equal(put(&p, "b", mine, "r", km_wall_us() + HOUR), 0); /* and takes it along */
    db = sqlite_open(p.db);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM answers", -1, &s, NULL), 0);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(s, 0), 1);
    sqlite3_finalize(s);
    sqlite3_close(db);
    end(&p);
}

static void the_file_says_nothing_and_a_moved_row_does_not_open(void **state)
{
    static const char secret[] = "the quick brown fox";
    struct place p;
    sqlite3 *db;
    sqlite3_stmt *s;

    (void)state;
    place_begin(&p);
    assert_int_equal(put(&p, "a", mine, secret, km_wall_us() + HOUR), 0);
    db = sqlite_open(p.db);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT sealed FROM answers", -1, &s, NULL), 0);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    assert_null(memmem(sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0), secret,
                       sizeof secret - 1));
    sqlite3_finalize(s);
    assert_int_equal(sqlite3_exec(db, "UPDATE answers SET id = 'b'", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(get(&p, "b", mine), KM_E_NOT_FOUND);
    end(&p);
}

static void a_new_secret_keeps_the_answers_of_the_old_one(void **state)
{
    struct place p;
    sqlite3 *db;

    (void)state;
    place_begin(&p);
    assert_int_equal(put(&p, "a", mine, "r", km_wall_us() + HOUR), 0);
    db = sqlite_open(p.db);
    assert_int_equal(sqlite3_exec(db,
                                  "INSERT INTO key_heirs SELECT owner, x'02"
                                  "00000000000000000000000000000000000000000000000000000000000000"
                                  "' FROM answers",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(get(&p, "a", other), 0);
    assert_int_equal(forget(&p, "a", other), 0);
    end(&p);
}

static void a_key_is_made_once_and_for_its_owner_only(void **state)
{
    uint8_t one[32], two[32];
    struct stat st;
    struct place p;
    char path[128];

    (void)state;
    place_begin(&p);
    (void)snprintf(path, sizeof path, "%s/answers.key", p.dir);
    assert_int_equal(km_answers_key(p.dir, false, one, NULL), KM_E_NOT_FOUND);
    assert_int_equal(km_answers_key(p.dir, true, one, NULL), 0);
    assert_int_equal(km_answers_key(p.dir, true, two, NULL), 0);
    assert_memory_equal(one, two, sizeof one);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(truncate(path, 5), 0);
    assert_int_equal(km_answers_key(p.dir, true, two, NULL), KM_E_STORE);
    end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_found_by_its_owner_only),
        cmocka_unit_test(what_was_put_before_is_found_without_waiting),
        cmocka_unit_test(an_answer_ends_when_its_time_is_over),
        cmocka_unit_test(the_file_says_nothing_and_a_moved_row_does_not_open),
        cmocka_unit_test(a_new_secret_keeps_the_answers_of_the_old_one),
        cmocka_unit_test(a_key_is_made_once_and_for_its_owner_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
