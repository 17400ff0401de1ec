/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "servers/postgres/functions.h"
#include "servers/postgres/guard.h"

#define LESS "pg_catalog.jsonb_populate_record(s, " /* what stands in the place of a relation */

static struct km_pg_guard *guard;
static const struct km_pg_guard_options read_only = { .mode = KM_PG_READ_ONLY };

struct judged {
    struct km_arena arena;
    struct km_pg_verdict v;
};

static void judge(struct judged *j, struct km_str sql, const struct km_pg_guard_options *options)
{
    struct km_err err = { 0 };

    km_arena_init(&j->arena, (size_t)100 << 20, NULL);
    assert_int_equal(km_pg_guard_judge(guard, &j->arena, sql, options, &j->v, &err), 0);
    if (!j->v.allowed) {
        assert_non_null(j->v.code);
        assert_true(j->v.message.n > 0 && j->v.hint.n > 0);
        assert_true(j->v.at >= -1 && j->v.at <= (int)sql.n);
    }
}

static bool allowed(const char *sql, enum km_pg_mode mode)
{
    const struct km_pg_guard_options options = { .mode = mode };
    struct judged j;
    bool is;

    judge(&j, km_str_c(sql), &options);
    is = j.v.allowed;
    km_arena_done(&j.arena);
    return is;
}

/* --- the lines of tests/data/postgres --- */

/* "\n", "\0" and "\uFEFF" stand for what a line cannot hold. */
static void expand(struct km_str line, struct km_buf *out)
{
    while (line.n) {
        if (km_str_starts(line, KM_STR("\\uFEFF"))) {
            km_buf_str(out, KM_STR("\xef\xbb\xbf"));
            line = km_str_skip(line, 6);
        } else if (km_str_starts(line, KM_STR("\\n")) || km_str_starts(line, KM_STR("\\0"))) {
            km_buf_byte(out, line.p[1] == 'n' ? '\n' : '\0');
            line = km_str_skip(line, 2);
        } else {
            km_buf_byte(out, line.p[0]);
            line = km_str_skip(line, 1);
        }
    }
}

typedef void line_fn(struct km_str sql, struct km_str why);

static size_t each_line(const char *name, bool escapes, line_fn *fn)
{
    char path[512], line[4096];
    size_t n = 0;
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", KM_TEST_POSTGRES, name);
    f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(65536);
        struct km_str rest = km_str_sub(km_str_c(line), 0, strcspn(line, "\n"));
        size_t tab = km_str_chr(rest, '\t');
        struct km_str sql = km_str_sub(rest, 0, tab);

        if (escapes)
            expand(sql, &b);
        fn(escapes ? km_buf_view(&b) : sql, km_str_skip(rest, tab + 1));
        n++;
    }
    fclose(f);
    return n;
}

static size_t wrong;

static void must_be_refused(struct km_str sql, struct km_str why)
{
    struct judged j;

    judge(&j, sql, &read_only);
    if (km_str_starts(why, KM_STR("[L1")) && j.v.allowed) {
        print_message("allowed: %.*s    %.*s\n", KM_STR_ARG(sql), KM_STR_ARG(why));
        wrong++;
    }
    km_arena_done(&j.arena);
}

/* Judged once more as it is sent, it must stay as it is: every function has its schema.  (What
 * stands in the place of a relation reads that relation, and would be replaced again.) */
static void must_be_allowed(struct km_str sql, struct km_str why)
{
    struct judged j, again;

    (void)why;
    judge(&j, sql, &read_only);
    if (!j.v.allowed) {
        print_message("refused: %.*s    %s %s at %d: %.*s\n", KM_STR_ARG(sql), j.v.code,
                      j.v.node ? j.v.node : "", j.v.at, KM_STR_ARG(j.v.message));
        wrong++;
    } else {
        judge(&again, j.v.sql, &read_only);
        assert_true(again.v.allowed);
        assert_true(km_str_eq(again.v.sql, j.v.sql) ||
                    km_str_find(j.v.sql, KM_STR(LESS)) < j.v.sql.n);
        assert_false(j.v.writes);
        km_arena_done(&again.arena);
    }
    km_arena_done(&j.arena);
}

static void every_hostile_line_for_the_guard_is_refused(void **state)
{
    (void)state;
    wrong = 0;
    assert_true(each_line("hostile.tsv", true, must_be_refused) >= 150);
    assert_true(each_line("hostile-more.tsv", true, must_be_refused) >= 100);
    assert_true(each_line("hostile-17.tsv", true, must_be_refused) >= 30);
    assert_int_equal(wrong, 0);
}

static void every_legitimate_line_is_allowed(void **state)
{
    (void)state;
    wrong = 0;
    assert_true(each_line("legit.tsv", false, must_be_allowed) >= 60);
    assert_true(each_line("legit-more.tsv", false, must_be_allowed) >= 100);
    assert_true(each_line("legit-17.tsv", false, must_be_allowed) >= 20);
    assert_int_equal(wrong, 0);
}

/* --- what a refusal says --- */

static void a_refusal_names_the_node_the_place_and_what_would_pass(void **state)
{
    static const struct {
        const char *sql, *code, *node, *hint;
        int at;
    } cases[] = {
        { "SELECT 1, pg_sleep(1)", "GUARD_FUNCTION", "FuncCall", "leave the call out", 10 },
        { "SELECT 1 AS a INTO b", "GUARD_NODE", "SelectStmt", "leave out INTO", 0 },
        { "SELECT 1 FROM t FOR UPDATE", "GUARD_NODE", "SelectStmt", "leave out FOR UPDATE", 14 },
        { "DELETE FROM t", "GUARD_STATEMENT", "DeleteStmt", "send a SELECT", 0 },
        { "SELECT 1; SELECT 2", "GUARD_COUNT", "ParseResult", "one statement", 9 },
        { "SELECT * FROM pg_shadow", "GUARD_RELATION", "RangeVar", "leave it out", 14 },
        { "SELECT 'h\xc3\xa9' FROM FROM", "GUARD_SYNTAX", NULL, "at this position", 18 },
        { "SELECT ifnull(a, b) FROM t", "GUARD_FUNCTION", "FuncCall", "coalesce", 7 },
        { "SELECT date_format(a, '%Y') FROM t", "GUARD_FUNCTION", "FuncCall", "to_char", 7 },
        { "SELECT repeat('x', 1000000000)", "GUARD_LIMIT", "FuncCall", "10 million", 7 },
        { "SELECT length(repeat('abc', 5000000))", "GUARD_LIMIT", "FuncCall", "10 million", 14 },
        { "SELECT format('%1000000000s', 'a')", "GUARD_LIMIT", "FuncCall", "10 million", 7 },
        { "SELECT array_fill(0, ARRAY[13000, 10000])", "GUARD_LIMIT", "FuncCall", "10 million", 7 },
        { "BEGIN", "GUARD_STATEMENT", "TransactionStmt", "of its own", 0 },
        { "SET work_mem = '1GB'", "GUARD_STATEMENT", "VariableSetStmt", "this call alone", 0 },
        { "SELECT TOP 5 * FROM t", "GUARD_SYNTAX", NULL, "LIMIT", 11 },
        { "SELECT a FROM t LIMIT 5,10", "GUARD_SYNTAX", NULL, "OFFSET", 16 },
        { "SELECT `a` FROM t", "GUARD_SYNTAX", NULL, "double quotes", 11 },
        { "SELECT [a] FROM t", "GUARD_SYNTAX", NULL, "double quotes", 7 },
        { "DESCRIBE orders", "GUARD_SYNTAX", NULL, "describe_table", 0 },
        { "\\d orders", "GUARD_SYNTAX", NULL, "list_objects", 0 },
        { "USE shop", "GUARD_SYNTAX", NULL, "list_schemas", 0 },
        { "SHOW CREATE TABLE t", "GUARD_SYNTAX", NULL, "describe_table", 5 },
        { "SHOW TABLES", "GUARD_SETTING", "VariableShowStmt", "list_objects", 0 },
        { "SELECT now() - INTERVAL 1 DAY", "GUARD_SYNTAX", NULL, "INTERVAL '1 day'", 24 },
        { "SELECT 1 FROM x HAVING", "GUARD_SYNTAX", NULL, "ends too early", 22 },
        { "SELECT 'a", "GUARD_SYNTAX", NULL, "end the quote", 7 },
        { "CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a) VIRTUAL)", "GUARD_SYNTAX", NULL,
          "PostgreSQL 18", 53 },
        { "SHOW hba_file", "GUARD_SETTING", "VariableShowStmt", "SHOW one setting", 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct judged j;

        judge(&j, km_str_c(cases[i].sql), &read_only);
        assert_false(j.v.allowed);
        assert_string_equal(j.v.code, cases[i].code);
        if (cases[i].node)
            assert_string_equal(j.v.node, cases[i].node);
        else
            assert_null(j.v.node);
        if (km_str_find(j.v.hint, km_str_c(cases[i].hint)) == j.v.hint.n)
            fail_msg("%s: %.*s", cases[i].sql, KM_STR_ARG(j.v.hint));
        assert_int_equal(j.v.at, cases[i].at);
        km_arena_done(&j.arena);
    }
}

/* --- what is sent, and what is left to the catalogue --- */

static void a_refusal_speaks_sql(void **state)
{
    static const struct {
        const char *sql, *message;
        enum km_pg_mode mode;
    } cases[] = {
        { "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "CREATE FUNCTION is not",
          KM_PG_DDL },
        { "DELETE FROM t", "DELETE is not allowed in mode read-only", KM_PG_READ_ONLY },
        { "SELECT 1 INTO t", "SELECT with INTO", KM_PG_READ_ONLY },
        { "COPY t TO STDOUT", "COPY is not", KM_PG_ADMIN },
        { "SELECT len('x')", "len() is a function of another database", KM_PG_READ_ONLY },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct km_pg_guard_options options = { .mode = cases[i].mode };
        struct judged j;

        judge(&j, km_str_c(cases[i].sql), &options);
        assert_false(j.v.allowed);
        if (km_str_find(j.v.message, km_str_c(cases[i].message)) == j.v.message.n)
            fail_msg("%s: %.*s", cases[i].sql, KM_STR_ARG(j.v.message));
        km_arena_done(&j.arena);
    }
}

static void functions_get_their_schema_and_places_are_found_again(void **state)
{
    struct judged j;

    (void)state;
    judge(&j, KM_STR("SELECT lower(name), \"upper\"(x), count(*) FROM t"), &read_only);
    assert_true(j.v.allowed);
    assert_true(km_str_eq(j.v.sql, KM_STR("SELECT pg_catalog.lower(name), "
                                          "pg_catalog.\"upper\"(x), pg_catalog.count(*) FROM t")));
    assert_int_equal(km_pg_verdict_place(&j.v, 1), 1);
    assert_int_equal(km_pg_verdict_place(&j.v, 8), 8); /* the first, where it began */
    assert_int_equal(km_pg_verdict_place(&j.v, 12), 8);
    assert_int_equal(km_pg_verdict_place(&j.v, 8 + 11 + 6), 8 + 6); /* name */
    assert_int_equal(km_pg_verdict_place(&j.v, (int)j.v.sql.n), (int)j.v.sql.n - 33);
    km_arena_done(&j.arena);
}

static void settings_are_those_of_show(void **state)
{
    struct judged j;

    (void)state;
    judge(&j, KM_STR("SELECT lower(name) FROM pg_settings WHERE x"), &read_only);
    assert_true(j.v.allowed);
    assert_true(km_str_starts(j.v.sql, KM_STR("SELECT pg_catalog.lower(name) FROM (SELECT x.* FROM "
                                              "pg_settings AS s CROSS JOIN LATERAL " LESS)));
    assert_true(km_str_ends(j.v.sql, KM_STR(")) AS pg_settings WHERE x")));
    assert_int_equal(km_str_find(j.v.sql, KM_STR("primary_conninfo")), j.v.sql.n);
    assert_int_equal(km_pg_verdict_place(&j.v, (int)j.v.sql.n), 43); /* x */
    km_arena_done(&j.arena);
    judge(&j, KM_STR("SELECT 1 FROM t JOIN pg_catalog.\"pg_settings\" s ON true"), &read_only);
    assert_true(j.v.allowed);
    assert_true(km_str_ends(j.v.sql, KM_STR("::pg_catalog.text[])) s ON true")));
    km_arena_done(&j.arena);
    assert_false(allowed("TABLE pg_settings", KM_PG_READ_ONLY));
    assert_false(allowed("SELECT 1 FROM ONLY pg_settings", KM_PG_READ_ONLY));
    assert_false(allowed("SELECT 1 FROM pg_settings *", KM_PG_READ_ONLY));
    assert_false(allowed("SELECT 1 FROM U&\"pg_settin\\0067s\"", KM_PG_READ_ONLY));
    assert_false(allowed("SELECT 1 FROM pg_catalog . pg_settings", KM_PG_READ_ONLY));
}

/* --- columns of the catalogue --- */

static void must_be_as_judged(struct km_str line, struct km_str rest)
{
    struct km_str relation = line, column = line,
                  word = km_str_sub(rest, 0, km_str_chr(rest, '\t'));
    struct km_buf sql KM_CLEANUP(km_buf_done) = KM_BUF(1000);
    struct judged j;
    bool less;

    while (km_str_chr(column, '.') < column.n)
        column = km_str_skip(column, km_str_chr(column, '.') + 1);
    relation.n -= column.n + 1;
    km_buf_printf(&sql, "SELECT %.*s FROM %.*s", KM_STR_ARG(column), KM_STR_ARG(relation));
    judge(&j, km_buf_view(&sql), &read_only);
    less = j.v.allowed && km_str_find(j.v.sql, KM_STR(LESS)) < j.v.sql.n;
    if (km_str_eq(word, KM_STR("refused"))  ? j.v.allowed
        : km_str_eq(word, KM_STR("masked")) ? !less
                                            : !j.v.allowed || !km_str_eq(word, KM_STR("told"))) {
        print_message("not %.*s: %.*s\n", KM_STR_ARG(word), KM_STR_ARG(line));
        wrong++;
    }
    km_arena_done(&j.arena);
}

static void every_column_of_the_catalogue_is_as_it_was_judged(void **state)
{
    (void)state;
    wrong = 0;
    assert_true(each_line("columns.tsv", false, must_be_as_judged) >= 300);
    assert_int_equal(wrong, 0);
}

/* Under no name, and not as a part of a row. */
static void a_hidden_column_is_hidden_in_every_form(void **state)
{
    static const char *const refused[] = {
        "SELECT * FROM pg_attribute",
        "SELECT a FROM pg_attribute a",
        "SELECT row_to_json(a) FROM pg_attribute a",
        "SELECT a.* FROM pg_catalog.pg_attribute AS a",
        "SELECT pg_catalog.pg_attribute.* FROM pg_catalog.pg_attribute",
        "SELECT x FROM pg_attribute AS a(x)",
        "TABLE pg_attribute",
        "SELECT (b).attfdwoptions FROM (SELECT a AS b FROM pg_attribute a) q",
        "SELECT j.* FROM (pg_class JOIN pg_attribute ON true) AS j",
        "SELECT 1 FROM pg_class c JOIN pg_attribute USING (attmissingval)",
        "WITH q AS (SELECT * FROM pg_attribute) SELECT 1 FROM q",
        "TABLE pg_roles",
        "SELECT 1 FROM ONLY pg_user",
        "SELECT 1 FROM public . pg_stat_statements",
        "SELECT option_value FROM information_schema.column_options",
    };
    static const char *const fine[] = {
        "SELECT c.*, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid",
        "SELECT count(*) FROM pg_attribute",
        "SELECT * FROM pg_roles",
        "SELECT r FROM pg_catalog.\"pg_roles\" AS r(a, b)",
        "SELECT query FROM extensions.pg_stat_statements",
        "SELECT attfdwoptions FROM app.pg_attribute",
    };

    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (allowed(refused[i], KM_PG_ADMIN))
            fail_msg("allowed: %s", refused[i]);
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++)
        if (!allowed(fine[i], KM_PG_READ_ONLY))
            fail_msg("refused: %s", fine[i]);
}

static bool refers(const struct km_pg_verdict *v, enum km_pg_ref_kind kind, const char *schema,
                   const char *name)
{
    for (const struct km_pg_ref *r = v->refs; r; r = r->next)
        if (r->kind == kind && km_str_eq(r->schema, km_str_c(schema)) &&
            km_str_eq(r->name, km_str_c(name)))
            return true;
    return false;
}

static void what_only_the_catalogue_knows_is_kept(void **state)
{
    struct judged j;

    (void)state;
    judge(&j,
          KM_STR("SELECT a.f, (b).g, similarity(x, 'y'), 1 OPERATOR(public.+) 2, 'x'::evil "
                 "FROM s.a, b ORDER BY c USING <!"),
          &read_only);
    assert_true(j.v.allowed);
    assert_true(refers(&j.v, KM_PG_REF_ATTRIBUTE, "", "f"));
    assert_true(refers(&j.v, KM_PG_REF_SCALAR, "", "g"));
    assert_false(refers(&j.v, KM_PG_REF_SCALAR, "", "f"));
    assert_true(refers(&j.v, KM_PG_REF_FUNCTION, "", "similarity"));
    assert_true(refers(&j.v, KM_PG_REF_OPERATOR, "public", "+"));
    assert_true(refers(&j.v, KM_PG_REF_OPERATOR, "", "<!"));
    assert_false(refers(&j.v, KM_PG_REF_OPERATOR, "", "="));
    assert_true(refers(&j.v, KM_PG_REF_TYPE, "", "evil"));
    assert_true(refers(&j.v, KM_PG_REF_RELATION, "s", "a"));
    assert_true(refers(&j.v, KM_PG_REF_RELATION, "", "b"));
    assert_false(j.v.pure); /* an extension's function */
    km_arena_done(&j.arena);
    judge(&j, KM_STR("SELECT count(*) FROM pg_catalog.pg_class WHERE oid = $3"), &read_only);
    assert_true(j.v.pure && !j.v.writes);
    assert_int_equal(j.v.params, 3);
    km_arena_done(&j.arena);
    judge(&j, KM_STR("SELECT x.f, y.g, abs.h FROM abs(1) AS x, y, abs(2)"), &read_only);
    assert_true(refers(&j.v, KM_PG_REF_SCALAR, "", "f"));
    assert_false(refers(&j.v, KM_PG_REF_SCALAR, "", "g"));
    assert_true(refers(&j.v, KM_PG_REF_SCALAR, "", "h"));
    km_arena_done(&j.arena);
}

static void what_compares_without_writing_it_refers_to_it(void **state)
{
    static const struct {
        const char *sql;
        bool refers;
    } cases[] = {
        { "SELECT CASE a WHEN 1 THEN 2 END FROM t", true },
        { "SELECT a IN (SELECT b FROM u) FROM t", true },
        { "SELECT a IN (1, 2) FROM t", true },
        { "SELECT 1 FROM t JOIN u USING (a)", true },
        { "SELECT 1 FROM t NATURAL JOIN u", true },
        { "SELECT a IS DISTINCT FROM b, NULLIF(a, b) FROM t", true },
        { "SELECT a = ANY (b) FROM t", true },
        { "SELECT (a, b) = (SELECT c, d FROM u) FROM t", true },
        { "SELECT CASE WHEN a THEN 1 END FROM t JOIN u ON true WHERE EXISTS (SELECT 1)", false },
        { "SELECT a OPERATOR(pg_catalog.=) b FROM t", false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct judged j;

        judge(&j, km_str_c(cases[i].sql), &read_only);
        assert_true(j.v.allowed);
        if (refers(&j.v, KM_PG_REF_OPERATOR, "", "=") != cases[i].refers)
            fail_msg("%s", cases[i].sql);
        km_arena_done(&j.arena);
    }
}

/* To a server before 17 these are calls, which the search path resolves. */
static void what_an_older_server_would_call_is_looked_up(void **state)
{
    static const struct {
        const char *sql, *function;
    } cases[] = {
        { "SELECT JSON_SCALAR(1)", "json_scalar" },
        { "SELECT JSON('{}')", "json" },
        { "SELECT JSON_ARRAY(1, 2)", "json_array" },
        { "SELECT JSON_VALUE(a, '$') FROM t", "json_value" },
        { "SELECT JSON_ARRAYAGG(a) FROM t", "json_arrayagg" },
        { "MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE RETURNING merge_action()",
          "merge_action" },
    };
    const struct km_pg_guard_options options = { .mode = KM_PG_DML };
    struct judged j;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        judge(&j, km_str_c(cases[i].sql), &options);
        assert_true(j.v.allowed);
        assert_true(refers(&j.v, KM_PG_REF_FUNCTION, "", cases[i].function));
        assert_true(refers(&j.v, KM_PG_REF_TYPE, "pg_catalog", "jsonb"));
        km_arena_done(&j.arena);
    }
    judge(&j, KM_STR("SELECT json_object('{a,1}')"), &read_only);
    assert_true(km_str_eq(j.v.sql, KM_STR("SELECT pg_catalog.json_object('{a,1}')")));
    km_arena_done(&j.arena);
}

static void vouched_functions_pass_and_are_not_pure(void **state)
{
    const struct km_pg_named names[] = { { KM_STR("app"), KM_STR("score") } };
    const struct km_pg_guard_options options = { .functions = names, .nfunctions = 1 };
    struct judged j;

    (void)state;
    judge(&j, KM_STR("SELECT app.score(1), score(2)"), &options);
    assert_true(j.v.allowed && !j.v.pure);
    km_arena_done(&j.arena);
    judge(&j, KM_STR("SELECT other.score(1)"), &options);
    assert_false(j.v.allowed);
    km_arena_done(&j.arena);
}

/* --- modes --- */

static void each_mode_allows_what_it_is_for(void **state)
{
    static const struct {
        const char *sql;
        int least; /* the first mode that allows it; 4: none */
    } cases[] = {
        { "SELECT 1", KM_PG_READ_ONLY },
        { "INSERT INTO t(a) VALUES (1) ON CONFLICT (a) DO UPDATE SET a = excluded.a", KM_PG_DML },
        { "WITH d AS (DELETE FROM t RETURNING 1) SELECT * FROM d", KM_PG_DML },
        { "UPDATE t SET (a, b) = (1, DEFAULT) WHERE id = 1 RETURNING a", KM_PG_DML },
        { "MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE", KM_PG_DML },
        { "SELECT 1 FROM t FOR UPDATE SKIP LOCKED", KM_PG_DML },
        { "SELECT nextval('s')", KM_PG_DML },
        { "EXPLAIN DELETE FROM t", KM_PG_DML },
        { "CREATE TABLE t (id serial PRIMARY KEY, a text NOT NULL DEFAULT 'x' CHECK (a <> ''), "
          "b int REFERENCES u (id) ON DELETE CASCADE)",
          KM_PG_DDL },
        { "CREATE UNIQUE INDEX i ON t (lower(a)) INCLUDE (b) WHERE b > 1", KM_PG_DDL },
        { "ALTER TABLE t ADD COLUMN c int, DROP COLUMN d, ALTER COLUMN e TYPE text", KM_PG_DDL },
        { "DROP TABLE IF EXISTS t CASCADE", KM_PG_DDL },
        { "TRUNCATE t", KM_PG_DDL },
        { "CREATE OR REPLACE VIEW v AS SELECT 1 AS a", KM_PG_DDL },
        { "CREATE TABLE t AS SELECT 1 AS a", KM_PG_DDL },
        { "COMMENT ON COLUMN t.a IS 'x'", KM_PG_DDL },
        { "ALTER TABLE t RENAME COLUMN a TO b", KM_PG_DDL },
        { "CREATE TABLE t (LIKE u INCLUDING ALL, EXCLUDE USING gist (r WITH &&) WHERE (a > 1))",
          KM_PG_DDL },
        { "ALTER TABLE t ADD PRIMARY KEY USING INDEX i, SET LOGGED, REPLICA IDENTITY FULL",
          KM_PG_DDL },
        { "ALTER TABLE t SET SCHEMA s", KM_PG_DDL },
        { "CREATE TYPE x AS (a int, b text)", KM_PG_DDL },
        { "CREATE DOMAIN d AS text CHECK (VALUE ~ '@') NOT NULL", KM_PG_DDL },
        { "ALTER DOMAIN d ADD CONSTRAINT c CHECK (length(VALUE) < 9)", KM_PG_DDL },
        { "DROP DOMAIN d", KM_PG_DDL },
        { "CREATE STATISTICS s (ndistinct) ON a, lower(b) FROM t", KM_PG_DDL },
        { "SELECT pg_cancel_backend(1)", KM_PG_ADMIN },
        { "UPDATE pg_class SET relname = 'x'", 4 },
        { "ALTER TABLE t OWNER TO x", 4 },
        { "ALTER TABLE t DISABLE TRIGGER ALL", 4 },
        { "ALTER TABLE t DISABLE ROW LEVEL SECURITY", 4 },
        { "DROP FUNCTION f()", 4 },
        { "DROP SCHEMA s CASCADE", 4 },
        { "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", 4 },
        { "DO 'BEGIN END'", 4 },
        { "COPY t TO PROGRAM 'id'", 4 },
        { "SET ROLE x", 4 },
        { "COMMIT", 4 },
        { "GRANT ALL ON t TO PUBLIC", 4 },
        { "INSERT INTO t VALUES (pg_read_file('x'))", 4 },
        { "CREATE TABLE t (a int DEFAULT f_write())", 4 },
        { "CREATE TABLE t (a int) TABLESPACE x", 4 },
        { "CREATE INDEX ON t (a) TABLESPACE x", 4 },
        { "CREATE DOMAIN d AS int CHECK (f_write() = 1)", 4 },
        { "ALTER DOMAIN d ADD CHECK (pg_advisory_lock(1) IS NULL)", 4 },
        { "CREATE STATISTICS s ON (f_write()), a FROM t", 4 },
        { "CREATE TABLE t (EXCLUDE USING gist (f_write() WITH &&))", 4 },
        { "ALTER FUNCTION f() SET SCHEMA s", 4 },
        { "ALTER EXTENSION e SET SCHEMA s", 4 },
        { "CREATE TYPE x AS RANGE (subtype = float8, subtype_diff = f_write)", 4 },
        { "CREATE TABLE t OF x", 4 },
        { "INSERT INTO t SELECT 1 FROM pg_authid", 4 },
        { "MERGE INTO t USING u ON true WHEN MATCHED AND pg_sleep(1) IS NULL THEN DELETE", 4 },
        { "DELETE FROM t WHERE CURRENT OF c", 4 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int mode = KM_PG_READ_ONLY; mode <= KM_PG_ADMIN; mode++)
            if (allowed(cases[i].sql, (enum km_pg_mode)mode) != (mode >= cases[i].least))
                fail_msg("%s in mode %d", cases[i].sql, mode);
}

/* --- size --- */

static void what_would_run_the_parser_over_is_refused_before(void **state)
{
    static const struct {
        const char *head, *again, *tail;
    } cases[] = {
        { "SELECT ", "(", "1" },
        { "SELECT ", "1+", "1" },
        { "SELECT ", "NOT ", "true" },
        { "SELECT ", "- ", "1" },
        { "SELECT 1", "::int", "" },
        { "SELECT 1", " IS NULL", "" },
        { "SELECT 1", " BETWEEN 1 AND 2 IS NULL", "" },
        { "SELECT 1,2", " UNION SELECT 1,2", "" },
        { "SELECT 1 FROM t", " JOIN t ON a = 1 AND b = 2", "" },
        { "SELECT ", "CASE WHEN a AND b THEN ", "1" },
        { "SELECT ", "abs(", "1" },
        { "SELECT ", "1 + CASE WHEN t.end THEN 1 END + ", "1" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF((size_t)1 << 20);

        km_buf_str(&b, km_str_c(cases[i].head));
        while (b.n < 200000)
            km_buf_str(&b, km_str_c(cases[i].again));
        km_buf_str(&b, km_str_c(cases[i].tail));
        if (allowed(km_buf_cstr(&b), KM_PG_ADMIN))
            fail_msg("case %zu", i);
    }
}

static void long_statements_that_are_flat_pass(void **state)
{
    static const char *const items[] = { "1,", "id = 1 OR ", "(a = 1 AND b = 2) OR ",
                                         "CASE WHEN a THEN b END, ", "'x' || 'y', " };

    (void)state;
    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
        struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF((size_t)1 << 20);

        km_buf_str(&b, KM_STR("SELECT "));
        while (b.n < 20000)
            km_buf_str(&b, km_str_c(items[i]));
        km_buf_str(&b, KM_STR("true"));
        if (!allowed(km_buf_cstr(&b), KM_PG_READ_ONLY))
            fail_msg("case %zu", i);
    }
}

static void names_on_lists_are_found(void **state)
{
    const char *more;

    (void)state;
    assert_int_equal(km_pg_function_find(KM_STR("abbrev"), &more), KM_PG_FUNCTION_BUILTIN);
    assert_int_equal(km_pg_function_find(KM_STR("xpath_exists"), &more), KM_PG_FUNCTION_BUILTIN);
    assert_int_equal(km_pg_function_find(KM_STR("similarity"), &more), KM_PG_FUNCTION_EXTENSION);
    assert_string_equal(more, "pg_trgm");
    assert_int_equal(km_pg_function_find(KM_STR("ts_stat"), &more), KM_PG_FUNCTION_DANGEROUS);
    assert_int_equal(km_pg_function_find(KM_STR("nothing"), &more), KM_PG_FUNCTION_UNKNOWN);
    assert_non_null(km_pg_relation_denied(KM_STR("pg_catalog"), KM_STR("pg_shadow")));
    assert_null(km_pg_relation_denied(KM_STR("app"), KM_STR("pg_shadow")));
    assert_true(km_pg_setting_shown(KM_STR("TimeZone")));
    assert_true(km_pg_extension_known(KM_STR("vector")));
    assert_false(km_pg_extension_known(KM_STR("dblink")));
}

static int setup(void **state)
{
    struct km_err err = { 0 };

    (void)state;
    if (km_pg_guard_new(&guard, &err) == 0)
        return 0;
    print_message("%s\n", err.text);
    return -1;
}

static int teardown(void **state)
{
    (void)state;
    guard = km_pg_guard_free(guard);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_hostile_line_for_the_guard_is_refused),
        cmocka_unit_test(every_legitimate_line_is_allowed),
        cmocka_unit_test(a_refusal_names_the_node_the_place_and_what_would_pass),
        cmocka_unit_test(a_refusal_speaks_sql),
        cmocka_unit_test(functions_get_their_schema_and_places_are_found_again),
        cmocka_unit_test(settings_are_those_of_show),
        cmocka_unit_test(every_column_of_the_catalogue_is_as_it_was_judged),
        cmocka_unit_test(a_hidden_column_is_hidden_in_every_form),
        cmocka_unit_test(what_only_the_catalogue_knows_is_kept),
        cmocka_unit_test(what_compares_without_writing_it_refers_to_it),
        cmocka_unit_test(what_an_older_server_would_call_is_looked_up),
        cmocka_unit_test(vouched_functions_pass_and_are_not_pure),
        cmocka_unit_test(each_mode_allows_what_it_is_for),
        cmocka_unit_test(what_would_run_the_parser_over_is_refused_before),
        cmocka_unit_test(long_statements_that_are_flat_pass),
        cmocka_unit_test(names_on_lists_are_found),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
