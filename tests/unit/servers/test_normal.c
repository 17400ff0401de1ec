/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "servers/postgres/normal.h"

#include "parser_fixture.h"

static void becomes(const char *sql, const char *expected, size_t max)
{
    struct km_str text;

    text = km_pg_normal(parser, &arena, km_str_c(sql), max);
    if (!km_str_eq(text, km_str_c(expected)))
        print_message("%s\nbecame   %.*s\nand not  %s\n", sql, KM_STR_ARG(text), expected);
    assert_true(km_str_eq(text, km_str_c(expected)));
}

static void every_literal_is_a_question_mark(void **state)
{
    static const char *const cases[][2] = {
        { "SELECT 'a', E'b\\'c', U&'\\0041', U&'d!0041' UESCAPE '!', $$e$$, $t$f $$ g$t$",
          "SELECT ?, ?, ?, ? UESCAPE ?, ?, ?" },
        { "SELECT 1, -2.5e3, 0.1, .5, B'01', X'ff', N'h', 'i' 'j'",
          "SELECT ?, -?, ?, ?, ?, ?, N?, ? ?" }, /* the last is a mistake of whoever wrote it */
        { "SELECT 'one'\n'and the same'", "SELECT ?" },
        { "SELECT a FROM t WHERE b=$1 AND c>$2::int", "SELECT a FROM t WHERE b=$1 AND c>$2::int" },
        { "SELECT a1, \"b 2\", \"c'3'\" FROM t4", "SELECT a1, \"b 2\", \"c'3'\" FROM t4" },
        { "SELECT interval '1 day', date '2020-01-01', TRUE, NULL",
          "SELECT interval ?, date ?, TRUE, NULL" },
        { "VALUES (1,'x'),(2,'y')", "VALUES (?,?),(?,?)" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        becomes(cases[i][0], cases[i][1], 1000);
}

/* Where the tree has no constant, but a text. */
static void so_it_is_wherever_the_grammar_takes_one(void **state)
{
    static const char *const cases[][2] = {
        { "CREATE ROLE u LOGIN PASSWORD 'p' VALID UNTIL 'v'",
          "CREATE ROLE u LOGIN PASSWORD ? VALID UNTIL ?" },
        { "ALTER USER u ENCRYPTED PASSWORD $x$p$x$", "ALTER USER u ENCRYPTED PASSWORD ?" },
        { "CREATE SUBSCRIPTION s CONNECTION 'password=p' PUBLICATION q",
          "CREATE SUBSCRIPTION s CONNECTION ? PUBLICATION q" },
        { "CREATE USER MAPPING FOR u SERVER s OPTIONS (password 'p')",
          "CREATE USER MAPPING FOR u SERVER s OPTIONS (password ?)" },
        { "COMMENT ON TABLE t IS 'c'", "COMMENT ON TABLE t IS ?" },
        { "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
          "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS ?" },
        { "DO $$ BEGIN PERFORM 'p'; END $$", "DO ?" },
        { "COPY t FROM PROGRAM 'curl p'", "COPY t FROM PROGRAM ?" },
        { "SET x.y TO 'p'", "SET x.y TO ?" },
        { "NOTIFY c, 'p'", "NOTIFY c, ?" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        becomes(cases[i][0], cases[i][1], 1000);
}

static void comments_and_blanks_are_one_blank(void **state)
{
    (void)state;
    becomes("  SELECT /* p /* q */ */ a,\n\t b -- r\nFROM t -- s", "SELECT a, b FROM t", 1000);
    becomes("SELECT/**/1", "SELECT ?", 1000);
    becomes("-- nothing", "", 1000);
}

static void what_is_too_long_is_cut_between_words(void **state)
{
    (void)state;
    becomes("SELECT abc, def", "SELECT abc...", 11);
    becomes("SELECT abc, def", "SELECT abc, def", 15);
    becomes("SELECT abc, def", "...", 3);
}

static void what_has_no_words_is_not_shown(void **state)
{
    (void)state;
    becomes("SELECT 'a", "", 1000);
    becomes("SELECT $$a", "", 1000);
    becomes("SELECT \"a", "", 1000);
    becomes("SELECT 1 /* a", "", 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ARENA_TEST(every_literal_is_a_question_mark),
        ARENA_TEST(so_it_is_wherever_the_grammar_takes_one),
        ARENA_TEST(comments_and_blanks_are_one_blank),
        ARENA_TEST(what_is_too_long_is_cut_between_words),
        ARENA_TEST(what_has_no_words_is_not_shown),
    };

    return cmocka_run_group_tests(tests, parser_setup, parser_teardown);
}
