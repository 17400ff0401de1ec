/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/encode.h"
#include "servers/postgres/page.h"

#include "parser_fixture.h"

#define DIGEST KM_STR("0123456789abcdef")

static struct km_pg_page page_of(const char *sql)
{
    struct km_pg_page page;

    km_pg_page_find(parser, &arena, km_str_c(sql), &page);
    return page;
}

static const struct km_json *json(const char *text)
{
    const struct km_json *v = NULL;

    assert_int_equal(km_json_parse(&arena, km_str_c(text), &v, NULL), 0);
    return v;
}

static void assert_text(struct km_str got, const char *expected)
{
    if (!km_str_eq(got, km_str_c(expected)))
        print_message("got      %.*s\nand not  %s\n", KM_STR_ARG(got), expected);
    assert_true(km_str_eq(got, km_str_c(expected)));
}

/* --- what a statement is ordered by --- */

static void a_statement_has_the_keys_it_is_ordered_by(void **state)
{
    struct km_pg_page page = page_of(" SELECT id, n FROM t ORDER BY n DESC, 1, \"A b\" ASC ; ");

    (void)state;
    assert_text(km_str_trim(page.sql), "SELECT id, n FROM t ORDER BY n DESC, 1, \"A b\" ASC");
    assert_int_equal(page.nkeys, 3);
    assert_text(page.keys[0].name, "n");
    assert_true(page.keys[0].descending);
    assert_int_equal(page.keys[1].place, 1);
    assert_false(page.keys[1].descending);
    assert_text(page.keys[2].name, "A b");
}

static void what_no_condition_could_continue_is_counted(void **state)
{
    static const char *const counted[] = {
        "SELECT id FROM t",
        "VALUES (1), (2)",
        "SELECT id FROM t ORDER BY t.id", /* the result has no such name */
        "SELECT id FROM t ORDER BY id + 1",
        "SELECT id FROM t ORDER BY id NULLS FIRST",
        "SELECT id FROM t ORDER BY id DESC NULLS LAST",
        "SELECT id FROM t ORDER BY id USING >",
        "SELECT id FROM t ORDER BY id, -1",
        "SELECT id FROM t ORDER BY 'id'",
        "SELECT a FROM t ORDER BY a, b, c, d, e, f, g, h, i", /* one more than KM_PG_PAGE_KEYS */
        "SELECT id FROM t UNION ALL SELECT id FROM u",
    };

    (void)state;
    for (size_t i = 0; i < sizeof counted / sizeof counted[0]; i++) {
        struct km_pg_page page = page_of(counted[i]);

        assert_text(page.sql, counted[i]);
        assert_int_equal(page.nkeys, 0);
    }
    assert_int_equal(page_of("SELECT a FROM t ORDER BY a, b, c, d, e, f, g, h").nkeys, 8);
}

static void what_is_no_query_has_no_pages(void **state)
{
    static const char *const none[] = {
        "", "SELECT", "SELECT 1; SELECT 2", "DELETE FROM t RETURNING id", "SELECT 1 INTO t",
        "SELECT id FROM t FOR UPDATE", "EXPLAIN SELECT 1", "SHOW all", "SELECT 'a",
    };

    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        if (i != 1) /* a SELECT of nothing is one */
            assert_int_equal(page_of(none[i]).sql.n, 0);
    assert_text(page_of(none[1]).sql, "SELECT");
}

/* --- a cursor --- */

#define COLUMNS "[{\"name\":\"id\",\"type\":\"int4\"},{\"name\":\"name\",\"type\":\"text\"}]"

/* The cursor's content after a page of these rows; before: a cursor's content, or NULL. */
static struct km_str after(const char *sql, const char *columns, const char *rows,
                           const char *before)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(65536);
    struct km_pg_page page = page_of(sql);
    struct km_str cursor = km_pg_page_cursor(&page, json(columns), json(rows),
                                             before ? json(before) : NULL, DIGEST, &arena);

    assert_int_equal(km_buf_unbase64(&b, cursor), 0);
    return km_arena_str(&arena, km_buf_view(&b));
}

static void a_cursor_has_the_last_row_s_keys_and_how_many_rows_share_them(void **state)
{
    const char *sql = "SELECT id, name FROM t ORDER BY name DESC, id";

    (void)state;
    assert_text(after(sql, COLUMNS, "[[7,\"x\"],[8,\"x\"]]", NULL),
                "{\"s\":\"0123456789abcdef\",\"n\":1,\"k\":[[\"name\",1,\"x\"],[\"id\",0,\"8\"]]}");
    sql = "SELECT id, name FROM t ORDER BY 2";
    assert_text(after(sql, COLUMNS, "[[1,\"w\"],[7,\"x\"],[8,\"x\"]]", NULL),
                "{\"s\":\"0123456789abcdef\",\"n\":2,\"k\":[[\"name\",0,\"x\"]]}");
    assert_text(after(sql, COLUMNS, "[[1,null],[7,\"\"],[8,null],[9,null]]", NULL),
                "{\"s\":\"0123456789abcdef\",\"n\":2,\"k\":[[\"name\",0,null]]}");
    assert_text(after(sql, COLUMNS, "[[1,true]]", NULL),
                "{\"s\":\"0123456789abcdef\",\"n\":1,\"k\":[[\"name\",0,\"true\"]]}");
}

/* Where a whole page is equal in its keys, what was passed over before it is passed over too. */
static void ties_that_fill_pages_add_up(void **state)
{
    static const char before[] = "{\"s\":\"x\",\"n\":2,\"k\":[[\"name\",0,\"x\"]]}";
    const char *sql = "SELECT id, name FROM t ORDER BY name";

    (void)state;
    assert_text(after(sql, COLUMNS, "[[3,\"x\"],[4,\"x\"],[5,\"x\"]]", before),
                "{\"s\":\"0123456789abcdef\",\"n\":5,\"k\":[[\"name\",0,\"x\"]]}");
    assert_text(after(sql, COLUMNS, "[[3,\"x\"],[4,\"y\"]]", before),
                "{\"s\":\"0123456789abcdef\",\"n\":1,\"k\":[[\"name\",0,\"y\"]]}");
    /* All are equal, but to each other and not to what came before. */
    assert_text(after(sql, COLUMNS, "[[3,\"y\"],[4,\"y\"]]", before),
                "{\"s\":\"0123456789abcdef\",\"n\":2,\"k\":[[\"name\",0,\"y\"]]}");
}

static void rows_are_counted_where_keys_are_not_in_the_result(void **state)
{
    static const char twice[] = "[{\"name\":\"id\",\"type\":\"int4\"},"
                                "{\"name\":\"id\",\"type\":\"int4\"}]";
    static const char bytes[] = "[{\"name\":\"id\",\"type\":\"bytea\"}]";
    static const char counted[] = "{\"s\":\"0123456789abcdef\",\"n\":2}";
    const char *sql = "SELECT id, name FROM t ORDER BY id";

    (void)state;
    assert_text(after(sql, twice, "[[1,2],[3,4]]", NULL), counted);
    assert_text(after(sql, bytes, "[[\"AA==\"],[\"AQ==\"]]", NULL), counted);
    assert_text(after(sql, COLUMNS, "[[[1],\"x\"],[[2],\"x\"]]", NULL),
                counted); /* no plain value */
    assert_text(after("SELECT id, name FROM t ORDER BY 3", COLUMNS, "[[1,2],[3,4]]", NULL),
                counted);
    assert_text(after("SELECT id FROM t ORDER BY other", COLUMNS, "[[1,2],[3,4]]", NULL), counted);
    assert_text(after("SELECT id FROM t", COLUMNS, "[[1,2],[3,4]]", NULL), counted);
    /* And go on being counted, from what was given before. */
    assert_text(after("SELECT id FROM t", COLUMNS, "[[1,2],[3,4]]", "{\"s\":\"x\",\"n\":5}"),
                "{\"s\":\"0123456789abcdef\",\"n\":7}");
    assert_text(after("SELECT id FROM t", COLUMNS, "[]", "{\"s\":\"x\",\"n\":5}"),
                "{\"s\":\"0123456789abcdef\",\"n\":5}");
}

/* A page that came by keys and has none to go on by: better the end than rows twice. */
static void keys_that_stop_being_plain_end_the_pages(void **state)
{
    struct km_pg_page page = page_of("SELECT id, name FROM t ORDER BY id");
    const struct km_json *before = json("{\"s\":\"x\",\"n\":2,\"k\":[[\"id\",0,\"4\"]]}");

    (void)state;
    assert_int_equal(
        km_pg_page_cursor(&page, json(COLUMNS), json("[[[1],\"x\"]]"), before, DIGEST, &arena).n,
        0);
}

static struct km_str packed(const char *content)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(65536);

    km_buf_base64url(&b, km_str_c(content));
    return km_arena_str(&arena, km_buf_view(&b));
}

static void a_cursor_that_is_none_is_refused(void **state)
{
    static const char *const wrong[] = {
        "", "x", "[]", "{}", "null", "{\"s\":\"0123456789abcdef\"}",
        "{\"s\":\"0123456789abcdef\",\"n\":-1}", "{\"s\":\"0123456789abcdef\",\"n\":\"1\"}",
        "{\"s\":\"0123456789abcdef\",\"n\":1.5}", "{\"s\":7,\"n\":1}", "{\"n\":1}",
    };
    const struct km_json *ret;
    struct km_err err = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(km_pg_page_open(packed(wrong[i]), DIGEST, &arena, &ret, &err),
                         KM_E_INVALID);
        assert_non_null(strstr(err.text, "not one that was given here"));
    }
    assert_int_equal(km_pg_page_open(KM_STR("!!"), DIGEST, &arena, &ret, &err), KM_E_INVALID);
    assert_int_equal(
        km_pg_page_open(packed("{\"s\":\"0123456789abcdeF\",\"n\":0}"), DIGEST, &arena, &ret, &err),
        KM_E_INVALID);
    assert_non_null(strstr(err.text, "another statement"));
    assert_int_equal(
        km_pg_page_open(packed("{\"s\":\"0123456789abcdef\",\"n\":0}"), DIGEST, &arena, &ret, &err),
        0);
}

/* --- the next page --- */

struct next {
    struct km_str sql;
    const char *values[KM_PG_PAGE_KEYS];
    unsigned nvalues;
    size_t prefix;
};

static int next_of(const char *sql, const char *cursor, unsigned nparams, struct next *n)
{
    struct km_pg_page page = page_of(sql);
    struct km_err err = { 0 };

    *n = (struct next){ 0 };
    return km_pg_page_sql(&page, json(cursor), nparams, &arena, &n->sql, n->values, &n->nvalues,
                          &n->prefix, &err);
}

static void the_next_page_begins_behind_the_last_row(void **state)
{
    struct next n;

    (void)state;
    assert_int_equal(next_of("SELECT id, name FROM t ORDER BY name DESC, id",
                             "{\"n\":1,\"k\":[[\"name\",1,\"x\"],[\"id\",0,\"7\"]]}", 0, &n),
                     0);
    assert_text(n.sql, "SELECT * FROM (\nSELECT id, name FROM t ORDER BY name DESC, id\n) AS page "
                       "WHERE (page.\"name\" < $1 OR (page.\"name\" = $1 AND (page.\"id\" > $2 OR "
                       "page.\"id\" IS NULL OR (page.\"id\" = $2)))) ORDER BY page.\"name\" DESC, "
                       "page.\"id\" OFFSET 1");
    assert_int_equal(n.nvalues, 2);
    assert_string_equal(n.values[0], "x");
    assert_string_equal(n.values[1], "7");
    assert_int_equal(n.prefix, strlen("SELECT * FROM (\n"));
}

static void nulls_come_last_and_first_where_it_descends(void **state)
{
    struct next n;

    (void)state;
    assert_int_equal(next_of("SELECT a, b FROM t ORDER BY a, b",
                             "{\"n\":3,\"k\":[[\"a\",0,null],[\"b\",0,\"2\"]]}", 4, &n),
                     0);
    assert_text(n.sql,
                "SELECT * FROM (\nSELECT a, b FROM t ORDER BY a, b\n) AS page WHERE "
                "(page.\"a\" IS NULL AND false OR (page.\"a\" IS NULL AND (page.\"b\" > $5 OR "
                "page.\"b\" IS NULL OR (page.\"b\" = $5)))) ORDER BY page.\"a\", page.\"b\" "
                "OFFSET 3");
    assert_int_equal(n.nvalues, 1); /* behind the four the statement has */
    assert_string_equal(n.values[0], "2");
    assert_int_equal(
        next_of("SELECT a FROM t ORDER BY a DESC", "{\"n\":1,\"k\":[[\"a\",1,null]]}", 0, &n), 0);
    assert_text(n.sql, "SELECT * FROM (\nSELECT a FROM t ORDER BY a DESC\n) AS page WHERE "
                       "(page.\"a\" IS NOT NULL OR (page.\"a\" IS NULL)) ORDER BY page.\"a\" DESC "
                       "OFFSET 1");
    assert_int_equal(n.nvalues, 0);
}

static void without_keys_rows_are_passed_over(void **state)
{
    struct next n;

    (void)state;
    assert_int_equal(next_of("SELECT 1 -- one", "{\"n\":12}", 2, &n), 0);
    assert_text(n.sql, "SELECT * FROM (\nSELECT 1 -- one\n) AS page OFFSET 12");
    assert_int_equal(n.nvalues, 0);
}

/* It comes from the client: what it names is an identifier, what it holds a value. */
static void a_forged_cursor_gets_nowhere(void **state)
{
    static const char *const wrong[] = {
        "{\"n\":1,\"k\":[[\"a\",0,7]]}", "{\"n\":1,\"k\":[[\"a\",0,{}]]}",
        "{\"n\":1,\"k\":[[\"a\",0,\"b\\u0000c\"]]}", "{\"n\":1,\"k\":[[\"a\",0]]}",
        "{\"n\":1,\"k\":[7]}",
        "{\"n\":1,\"k\":[[],[],[],[],[],[],[],[],[]]}", /* nine */
    };
    struct next n;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(next_of("SELECT a FROM t ORDER BY a", wrong[i], 0, &n), KM_E_INVALID);
    assert_int_equal(next_of("DELETE FROM t", "{\"n\":1}", 0, &n), KM_E_INVALID);
    assert_int_equal(next_of("SELECT a FROM t ORDER BY a",
                             "{\"n\":1,\"k\":[[\"a\\\" OR true; --\",0,\"' OR true\"]]}", 0, &n),
                     0);
    assert_text(n.sql, "SELECT * FROM (\nSELECT a FROM t ORDER BY a\n) AS page WHERE "
                       "(page.\"a\"\" OR true; --\" > $1 OR page.\"a\"\" OR true; --\" IS NULL OR "
                       "(page.\"a\"\" OR true; --\" = $1)) ORDER BY page.\"a\"\" OR true; --\" "
                       "OFFSET 1");
    assert_string_equal(n.values[0], "' OR true");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ARENA_TEST(a_statement_has_the_keys_it_is_ordered_by),
        ARENA_TEST(what_no_condition_could_continue_is_counted),
        ARENA_TEST(what_is_no_query_has_no_pages),
        ARENA_TEST(a_cursor_has_the_last_row_s_keys_and_how_many_rows_share_them),
        ARENA_TEST(ties_that_fill_pages_add_up),
        ARENA_TEST(rows_are_counted_where_keys_are_not_in_the_result),
        ARENA_TEST(keys_that_stop_being_plain_end_the_pages),
        ARENA_TEST(a_cursor_that_is_none_is_refused),
        ARENA_TEST(the_next_page_begins_behind_the_last_row),
        ARENA_TEST(nulls_come_last_and_first_where_it_descends),
        ARENA_TEST(without_keys_rows_are_passed_over),
        ARENA_TEST(a_forged_cursor_gets_nowhere),
    };

    return cmocka_run_group_tests(tests, parser_setup, parser_teardown);
}
