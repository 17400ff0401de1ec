/* SPDX-License-Identifier: Apache-2.0 */
/* test_driver.c - fields of structs through a driver and back, and drivers by their names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store/driver.h"

struct all {
    int64_t i64, maybe;
    int number;
    unsigned u32;
    bool flag;
    struct km_str text, text_null, blob, blob_null;
    uint8_t bytes[4];
    char chars[8];
};

#define F(member) KM_FIELD(struct all, member)
#define AS(member, as) KM_FIELD_AS(struct all, member, as)
#define EVERY                                                                                      \
    KM_FIELDS(F(i64), AS(maybe, KM_FIELD_I64_NULL), F(number), F(u32), F(flag), F(text),           \
              AS(text_null, KM_FIELD_TEXT_NULL), AS(blob, KM_FIELD_BLOB),                          \
              AS(blob_null, KM_FIELD_BLOB_NULL), F(bytes), F(chars))

enum { CREATE, PUT, GET, NULLS, TORN, COUNT };

static const struct km_statement rows[] = {
    [CREATE] = { .name = "create",
                 .sql = { "CREATE TABLE t (a INTEGER, b INTEGER, c INTEGER, d INTEGER, e INTEGER,"
                          " f TEXT, g TEXT, h BLOB, i BLOB, j BLOB, k TEXT) STRICT" } },
    [PUT] = { "put", { "INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" }, .in = EVERY },
    [GET] = { "get", { "SELECT * FROM t" }, .out = EVERY },
    [NULLS] = { "nulls",
                { "SELECT (b IS NULL) + (g IS NULL) + (i IS NULL) FROM t" },
                .out = KM_NUMBER },
    [TORN] = { .name = "torn", .sql = { "UPDATE t SET j = x'0102', a = 9" } },
    [COUNT] = { "count", { "SELECT count(*) FROM t" }, .out = KM_NUMBER },
};

static struct km_db *begin(void)
{
    struct km_str where;
    const struct km_driver *driver = km_driver_find(KM_STR("memory:driver"), &where);
    struct km_db *db = NULL;

    assert_non_null(driver);
    assert_true(km_str_eq(where, KM_STR("driver")));
    assert_int_equal(driver->open("driver", KM_DB_WRITE, &db, NULL), 0);
    assert_int_equal(km_db_run(db, &rows[CREATE], NULL, NULL, NULL), 0);
    return db;
}

static struct all some(void)
{
    return (struct all){ .i64 = INT64_MIN + 1,
                         .maybe = KM_FIELD_NO_NUMBER,
                         .number = -7,
                         .u32 = UINT32_MAX,
                         .flag = true,
                         .text = KM_STR("text"),
                         .blob = { "a\0b", 3 },
                         .bytes = { 1, 0, 2, 3 },
                         .chars = "seven77" };
}

static void what_is_bound_is_read_again(void **state)
{
    struct km_db *db = begin();
    const struct all in = some();
    struct all out = { .i64 = 0 };
    int64_t changed = 0, nulls = 0;
    enum km_row got = KM_ROW_END;

    (void)state;
    assert_int_equal(km_db_run(db, &rows[PUT], &in, &changed, NULL), 0);
    assert_int_equal(changed, 1);
    assert_int_equal(km_db_first(db, &rows[GET], NULL, &out, &got, NULL), 0);
    assert_int_equal(got, KM_ROW);
    assert_int_equal(out.i64, in.i64);
    assert_int_equal(out.maybe, KM_FIELD_NO_NUMBER);
    assert_int_equal(out.number, -7);
    assert_int_equal(out.u32, UINT32_MAX);
    assert_true(out.flag);
    assert_memory_equal(out.bytes, in.bytes, sizeof in.bytes);
    assert_string_equal(out.chars, "seven77");
    assert_int_equal(km_db_number(db, &rows[NULLS], &nulls, NULL), 0);
    assert_int_equal(nulls, 3);
    km_db_close(db);
}

static void texts_are_views_until_the_next_row(void **state)
{
    struct km_ready *get = NULL;
    struct km_db *db = begin();
    struct all row = some();
    enum km_row got = KM_ROW_END;

    (void)state;
    row.blob_null = KM_STR("x");
    assert_int_equal(km_db_run(db, &rows[PUT], &row, NULL, NULL), 0);
    assert_int_equal(km_db_ask(db, &rows[GET], NULL, &get, NULL), 0);
    assert_int_equal(km_ready_next(get, &row, &got, NULL), 0);
    assert_true(got == KM_ROW && km_str_eq(row.text, KM_STR("text")));
    assert_true(row.blob.n == 3 && memcmp(row.blob.p, "a\0b", 3) == 0);
    assert_true(km_str_eq(row.blob_null, KM_STR("x")) && row.text_null.n == 0);
    assert_int_equal(km_ready_next(get, &row, &got, NULL), 0);
    assert_int_equal(got, KM_ROW_END);
    km_ready_done(&get);
    km_db_close(db);
}

static void a_row_that_is_not_what_it_must_be_is_torn_and_read(void **state)
{
    struct km_db *db = begin();
    struct all row = some();
    enum km_row got = KM_ROW_END;

    (void)state;
    assert_int_equal(km_db_run(db, &rows[PUT], &row, NULL, NULL), 0);
    assert_int_equal(km_db_run(db, &rows[TORN], NULL, NULL, NULL), 0);
    assert_int_equal(km_db_first(db, &rows[GET], NULL, &row, &got, NULL), 0);
    assert_int_equal(got, KM_ROW_TORN);
    assert_int_equal(row.i64, 9); /* for a message */
    km_db_close(db);
}

static void what_is_rolled_back_never_was(void **state)
{
    struct km_db *db = begin();
    const struct km_driver *driver = db->driver;
    const struct all row = some();
    int64_t n = 0;

    (void)state;
    assert_int_equal(driver->begin(db, NULL), 0);
    assert_true(driver->is_begun(db));
    assert_int_equal(km_db_run(db, &rows[PUT], &row, NULL, NULL), 0);
    driver->rollback(db);
    driver->rollback(db); /* nothing is begun any more */
    assert_false(driver->is_begun(db));
    assert_int_equal(km_db_number(db, &rows[COUNT], &n, NULL), 0);
    assert_int_equal(n, 0);
    assert_int_equal(driver->begin(db, NULL), 0);
    assert_int_equal(km_db_run(db, &rows[PUT], &row, NULL, NULL), 0);
    assert_int_equal(driver->commit(db, NULL), 0);
    assert_int_equal(km_db_number(db, &rows[COUNT], &n, NULL), 0);
    assert_int_equal(n, 1);
    km_db_close(db);
}

static void an_error_has_the_databases_words(void **state)
{
    static const struct km_statement wrong = { .name = "wrong", .sql = { "SELECT FROM WHERE" } };
    struct km_db_trouble trouble = { .damaged = true };
    struct km_db *db = begin();
    struct km_err err = { 0 };

    (void)state;
    assert_int_equal(km_db_run(db, &wrong, NULL, NULL, &err), KM_E_STORE);
    assert_non_null(strstr(err.text, "syntax error"));
    db->driver->trouble(db, &trouble);
    assert_false(trouble.damaged);
    assert_true(trouble.words[0] != 0);
    km_db_close(db);
}

static void a_driver_is_found_by_its_scheme(void **state)
{
    struct km_str where;

    (void)state;
    assert_string_equal(km_driver_find(KM_STR("sqlite:/a:b"), &where)->scheme, "sqlite");
    assert_true(km_str_eq(where, KM_STR("/a:b")));
    assert_null(km_driver_find(KM_STR("postgres://db"), &where));
    assert_null(km_driver_find(KM_STR("sqlite"), &where));
    assert_null(km_driver_find(KM_STR(""), &where));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_bound_is_read_again),
        cmocka_unit_test(texts_are_views_until_the_next_row),
        cmocka_unit_test(a_row_that_is_not_what_it_must_be_is_torn_and_read),
        cmocka_unit_test(what_is_rolled_back_never_was),
        cmocka_unit_test(an_error_has_the_databases_words),
        cmocka_unit_test(a_driver_is_found_by_its_scheme),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
