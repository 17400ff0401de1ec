/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "servers/postgres/advise_inside.h"

#include "parser_fixture.h"

/* What on_tables would get: a table of a gigabyte and more that lies in the order of `at`. */
static const char facts[] =
    "[{\"asked_schema\": \"\", \"asked\": \"orders\", \"schema\": \"shop\", \"name\": \"orders\","
    " \"rows\": 10000000, \"pages\": 200000, \"visible\": 200000, \"writes\": 1000, \"columns\": ["
    "{\"name\": \"id\", \"btree\": true, \"distinct\": 10000000, \"width\": 4, \"correlation\": 1},"
    "{\"name\": \"customer\", \"btree\": true, \"distinct\": 2000, \"width\": 4},"
    "{\"name\": \"region\", \"btree\": true, \"distinct\": 10, \"width\": 4},"
    "{\"name\": \"at\", \"btree\": true, \"brin\": true, \"distinct\": 9000000, \"width\": 8,"
    " \"correlation\": 0.999},"
    "{\"name\": \"code\", \"btree\": true, \"text\": true, \"like\": \"plain\", \"width\": 9},"
    "{\"name\": \"note\", \"btree\": true, \"text\": true, \"like\": \"pattern\", \"width\": 9},"
    "{\"name\": \"status\", \"btree\": true, \"text\": true, \"distinct\": 3, \"width\": 5,"
    " \"nulls\": 0, \"common\": {\"done\": 0.97, \"o'pen\": 0.02}},"
    "{\"name\": \"body\", \"type\": \"jsonb\", \"btree\": true, \"gin\": true, \"width\": 90},"
    "{\"name\": \"tags\", \"array\": true, \"btree\": true, \"gin\": true, \"width\": 40}],"
    "\"documents\": [\"to_tsvector('simple'::regconfig, note)\"],"
    "\"indexes\": [{\"name\": \"orders_region\", \"method\": \"btree\", \"columns\": [\"region\","
    " \"note\"], \"down\": [false, false], \"patterns\": [false, true]},"
    "{\"name\": \"orders_pkey\", \"unique\": true, \"method\": \"btree\","
    " \"columns\": [\"id\"], \"down\": [false]}]}]";

struct made {
    struct km_arena arena;
    struct km_pg_advice *a;
};

static void make(struct made *m, const char *sql, bool hypopg)
{
    const struct km_json *tables;
    struct km_err err = { 0 };

    km_arena_init(&m->arena, (size_t)16 * 1024 * 1024, NULL);
    m->a = km_arena_zalloc(&m->arena, sizeof *m->a);
    assert_non_null(m->a);
    m->a->hypopg = hypopg ? KM_STR("public") : KM_STR_NONE;
    m->a->nstatements = 1;
    m->a->most = KM_PG_CHOSEN;
    m->a->statements[0].sql = km_str_c(sql);
    m->a->statements[0].weight = 1;
    assert_int_equal(
        km_pg_uses_find(parser, &m->arena, km_str_c(sql), &m->a->statements[0].uses, &err), 0);
    assert_int_equal(km_json_parse(&m->arena, km_str_c(facts), &tables, &err), 0);
    km_pg_advice_facts(m->a, tables, &m->arena);
    km_pg_advice_candidates(m->a, &m->arena);
}

static const struct km_pg_candidate *find(const struct made *m, const char *part)
{
    for (size_t i = 0; i < m->a->ncandidates; i++)
        if (km_str_find(m->a->candidates[i].ddl, km_str_c(part)) < m->a->candidates[i].ddl.n)
            return &m->a->candidates[i];
    return NULL;
}

static void has(const char *sql, const char *part, bool wanted)
{
    struct made m;

    make(&m, sql, true);
    if ((find(&m, part) != NULL) != wanted)
        for (size_t i = 0; i < m.a->ncandidates; i++)
            print_message("%.*s\n", KM_STR_ARG(m.a->candidates[i].ddl));
    assert_int_equal(find(&m, part) != NULL, wanted);
    km_arena_done(&m.arena);
}

static void a_use_is_what_its_operator_can_be_served_by(void **state)
{
    static const struct {
        const char *sql;
        enum km_pg_use_kind kind;
    } cases[] = {
        { "SELECT 1 FROM t WHERE x = 5", KM_PG_USE_EQUAL },
        { "SELECT 1 FROM t WHERE 5 = x", KM_PG_USE_EQUAL },
        { "SELECT 1 FROM t WHERE x IN (1, 2)", KM_PG_USE_EQUAL },
        { "SELECT 1 FROM t WHERE x BETWEEN 1 AND 2", KM_PG_USE_RANGE },
        { "SELECT 1 FROM t WHERE x >= $1", KM_PG_USE_RANGE },
        { "SELECT 1 FROM t ORDER BY x", KM_PG_USE_ORDER },
        { "SELECT 1 FROM t GROUP BY x", KM_PG_USE_ORDER },
        { "SELECT 1 FROM t WHERE x @> '{}'", KM_PG_USE_HOLDS },
        { "SELECT 1 FROM t WHERE x ?| ARRAY['a']", KM_PG_USE_HOLDS },
        { "SELECT 1 FROM t WHERE x LIKE '%a'", KM_PG_USE_PATTERN },
        { "SELECT 1 FROM t WHERE x ILIKE 'a%'", KM_PG_USE_PATTERN },
        { "SELECT 1 FROM t WHERE x LIKE $1", KM_PG_USE_PATTERN },
        { "SELECT 1 FROM t WHERE x LIKE 'a%'", KM_PG_USE_PREFIX },
        { "SELECT 1 FROM t WHERE x NOT LIKE 'a%'", KM_PG_USE_READ },
        { "SELECT 1 FROM t WHERE to_tsvector('english', x) @@ $1", KM_PG_USE_HOLDS },
        { "SELECT 1 FROM t WHERE to_tsvector(x) @@ $1", KM_PG_USE_READ },
        { "SELECT 1 FROM t WHERE to_tsvector('o''dd', x) @@ $1", KM_PG_USE_READ },
        { "SELECT 1 FROM t WHERE lower(x) = 'a'", KM_PG_USE_MADE },
        { "SELECT 1 FROM t WHERE x->>'k' > 'a'", KM_PG_USE_MADE },
        { "SELECT 1 FROM t WHERE x->>'k''s' > 'a'", KM_PG_USE_READ },
        { "SELECT 1 FROM t WHERE f(x) = 'a'", KM_PG_USE_READ },
        { "SELECT x FROM t", KM_PG_USE_READ },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct km_pg_uses u;
        struct km_err err;

        assert_int_equal(km_pg_uses_find(parser, &arena, km_str_c(cases[i].sql), &u, &err), 0);
        assert_int_equal(u.n, 1);
        assert_int_equal(u.v[0].kind, cases[i].kind);
    }
}

static void a_constant_is_fixed_only_where_every_row_has_it(void **state)
{
    static const struct {
        const char *where;
        size_t n;
    } cases[] = {
        { "x = 5", 1 },          { "x = 5 AND y IS NULL AND NOT z AND w", 4 },
        { "x = 5 OR y = 6", 0 }, { "NOT (x = 5)", 0 },
        { "x = $1", 0 },         { "x = NULL", 0 },
        { "x = 'a\\b'", 0 },     { "x > 5", 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct km_pg_uses u;
        struct km_err err;
        struct km_str sql;

        sql = km_arena_printf(&arena, "SELECT 1 FROM t WHERE %s", cases[i].where);
        assert_int_equal(km_pg_uses_find(parser, &arena, sql, &u, &err), 0);
        assert_int_equal(u.nfixed, cases[i].n);
    }
}

static void equality_comes_first_and_the_most_telling_of_it(void **state)
{
    (void)state;
    has("SELECT * FROM orders WHERE at > now() AND region = 1 AND customer = 2",
        "(\"customer\", \"region\", \"at\")", true);
    has("SELECT * FROM orders WHERE region = 1 ORDER BY customer, at DESC",
        "(\"region\", \"customer\", \"at\" DESC)", true);
    has("SELECT * FROM orders WHERE region = 1 ORDER BY at DESC", "DESC", false);
}

static void narrow_columns_are_carried_and_whole_rows_are_not(void **state)
{
    (void)state;
    has("SELECT region FROM orders WHERE customer = 1", "(\"customer\") INCLUDE (\"region\")",
        true);
    has("SELECT * FROM orders WHERE customer = 1", "INCLUDE", false);
    has("SELECT body FROM orders WHERE customer = 1", "INCLUDE", false);
}

static void a_rare_constant_makes_a_partial_index(void **state)
{
    (void)state;
    has("SELECT * FROM orders WHERE status = 'o''pen' AND customer = 1",
        "(\"customer\") WHERE \"status\" = 'o''pen'", true);
    has("SELECT * FROM orders WHERE status = 'done' AND customer = 1", "WHERE", false);
    has("SELECT * FROM orders WHERE status = 'unheard-of' AND customer = 1", "WHERE", false);
    has("SELECT * FROM orders WHERE customer = 7", "WHERE", false);
}

static void what_looks_into_a_value_gets_an_inverted_index(void **state)
{
    struct made m;

    (void)state;
    has("SELECT * FROM orders WHERE body @> '{}'", "gin (\"body\" jsonb_path_ops)", true);
    has("SELECT * FROM orders WHERE body ? 'k'", "gin (\"body\")", true);
    has("SELECT * FROM orders WHERE tags && ARRAY['a']", "gin (\"tags\")", true);
    has("SELECT * FROM orders WHERE tags ? 'a'", "gin", false);
    has("SELECT * FROM orders WHERE to_tsvector('english', note) @@ to_tsquery('a')",
        "gin (to_tsvector('english', \"note\"))", true);
    has("SELECT * FROM orders WHERE to_tsvector('simple', note) @@ to_tsquery('a')", "gin",
        false); /* there is one */
    has("SELECT * FROM orders WHERE to_tsvector('english', body) @@ to_tsquery('a')", "gin", false);
    has("SELECT * FROM orders WHERE status LIKE '%a%'", "gin", false); /* no pg_trgm */
    make(&m, "SELECT * FROM orders WHERE status LIKE '%a%' OR status ILIKE 'b'", true);
    assert_int_equal(m.a->nhints, 1);
    assert_true(km_str_starts(m.a->hints[0], KM_STR("shop.orders, column status: LIKE")));
    km_arena_done(&m.arena);
    make(&m, "SELECT * FROM orders WHERE body @> '{}'", true);
    assert_true(find(&m, "gin")->estimated); /* HypoPG or not */
    km_arena_done(&m.arena);
}

static void a_beginning_is_a_range_of_bytes(void **state)
{
    (void)state;
    has("SELECT * FROM orders WHERE customer = 1 AND note LIKE 'abc%'",
        "(\"customer\", \"note\" text_pattern_ops)", true);
    has("SELECT * FROM orders WHERE code LIKE 'abc%'", "(\"code\")", true);
    has("SELECT * FROM orders WHERE code LIKE 'abc%'", "pattern", false);
    has("SELECT * FROM orders WHERE status LIKE 'abc%'", "status", false); /* it cannot be said */
    has("SELECT * FROM orders WHERE region = 1 AND note LIKE 'abc%'", "pattern", false);
    has("SELECT * FROM orders WHERE region = 1 AND note > 'abc'", "(\"region\", \"note\")", true);
}

static void what_is_changed_is_read_as_a_select(void **state)
{
    static const struct {
        const char *sql, *reading;
    } cases[] = {
        { "UPDATE t SET a = $1, b = $2 WHERE c = $3 AND d = $2",
          "SELECT * FROM t WHERE c = $1 AND d = $2" },
        { "/* x */ UPDATE ONLY s.t AS x SET a = (SELECT 1 FROM v WHERE e) FROM u, w WHERE x.id = "
          "u.id RETURNING x.*",
          "SELECT * FROM ONLY s.t AS x ,  u, w WHERE x.id = u.id" },
        { "update t set a = b is distinct from c where d is distinct from $4",
          "SELECT * FROM t where d is distinct from $1" },
        { "DELETE FROM t WHERE a IN (SELECT b FROM u WHERE c)",
          "SELECT * FROM t WHERE a IN (SELECT b FROM u WHERE c)" },
        { "DELETE FROM t USING u JOIN v USING (k) WHERE t.a = $1",
          "SELECT * FROM t ,  u JOIN v USING (k) WHERE t.a = $1" },
        { "UPDATE t SET a = (SELECT 1 WHERE true)", "" },
        { "DELETE FROM t", "" },
        { "SELECT 1 FROM t WHERE a", "" },
        { "WITH x AS (SELECT 1) DELETE FROM t WHERE a", "" },
        { "UPDATE t SET a = 'b", "" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct km_str reading;

        reading = km_pg_reading(parser, &arena, km_str_c(cases[i].sql));
        if (!km_str_eq(reading, km_str_c(cases[i].reading)))
            print_message("%s: %.*s\n", cases[i].sql, KM_STR_ARG(reading));
        assert_true(km_str_eq(reading, km_str_c(cases[i].reading)));
    }
}

static void what_is_there_is_left_out(void **state)
{
    (void)state;
    has("SELECT * FROM orders WHERE id = 1", "(\"id\")", false);
    has("SELECT * FROM orders WHERE id = 1 AND at > now()", "(\"id\", \"at\")", true);
    has("SELECT * FROM orders WHERE customer > 1", "brin", false); /* it lies anyhow */
    has("SELECT * FROM orders WHERE at > now()", "brin (\"at\")", true);
}

static void plan(struct made *m, const char *json)
{
    const struct km_json *tree;
    struct km_err err;

    assert_int_equal(km_json_parse(&m->arena, km_str_c(json), &tree, &err), 0);
    m->a->statements[0].before = m->a->statements[0].now = 325000;
    km_pg_advice_scans(&m->a->statements[0], tree);
}

static void the_estimate_puts_a_scan_by_the_index_in_the_scans_place(void **state)
{
    struct made m;

    (void)state;
    make(&m, "SELECT * FROM orders WHERE customer = 1", false);
    plan(&m, "[{\"Plan\": {\"Node Type\": \"Aggregate\", \"Total Cost\": 325000, \"Plans\": ["
             "{\"Node Type\": \"Seq Scan\", \"Relation Name\": \"orders\", \"Alias\": \"orders\","
             " \"Total Cost\": 320000, \"Plan Rows\": 5000}]}}]");
    for (size_t i = 0; i < m.a->ncandidates; i++)
        km_pg_advice_estimate(m.a, &m.a->candidates[i]);
    assert_true(km_pg_advice_choose(m.a));
    assert_true(km_str_ends(m.a->candidates[m.a->chosen[0]].ddl, KM_STR("(\"customer\")")));
    /* 5000 rows, each on a page of its own, and what stood above the scan */
    assert_in_range((uint64_t)m.a->statements[0].now, 5000 + 20000, 5000 + 20000 + 1000);
    for (size_t i = 0; i < m.a->ncandidates; i++)
        km_pg_advice_estimate(m.a, &m.a->candidates[i]);
    assert_false(km_pg_advice_choose(m.a));
    km_arena_done(&m.arena);
}

static void a_much_smaller_index_wins_and_what_is_written_counts(void **state)
{
    static const char scan[] =
        "[{\"Plan\": {\"Node Type\": \"Seq Scan\", \"Relation Name\": \"orders\", \"Alias\": "
        "\"orders\", \"Total Cost\": 325000, \"Plan Rows\": 1000000}}]";
    struct made m;

    (void)state;
    make(&m, "SELECT * FROM orders WHERE at > now()", false);
    plan(&m, scan);
    for (size_t i = 0; i < m.a->ncandidates; i++)
        km_pg_advice_estimate(m.a, &m.a->candidates[i]);
    assert_true(km_pg_advice_choose(m.a));
    assert_int_equal(m.a->candidates[m.a->chosen[0]].method, KM_PG_BRIN);
    km_arena_done(&m.arena);

    make(&m, "SELECT * FROM orders WHERE customer = 1", false);
    plan(&m, scan);
    m.a->workload = true;
    m.a->window = 1;
    for (size_t i = 0; i < m.a->ncandidates; i++) {
        m.a->candidates[i].writes = 1e7;
        km_pg_advice_estimate(m.a, &m.a->candidates[i]);
    }
    assert_false(km_pg_advice_choose(m.a));
    km_arena_done(&m.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ARENA_TEST(a_use_is_what_its_operator_can_be_served_by),
        ARENA_TEST(a_constant_is_fixed_only_where_every_row_has_it),
        ARENA_TEST(equality_comes_first_and_the_most_telling_of_it),
        ARENA_TEST(narrow_columns_are_carried_and_whole_rows_are_not),
        ARENA_TEST(a_rare_constant_makes_a_partial_index),
        ARENA_TEST(what_looks_into_a_value_gets_an_inverted_index),
        ARENA_TEST(a_beginning_is_a_range_of_bytes),
        ARENA_TEST(what_is_changed_is_read_as_a_select),
        ARENA_TEST(what_is_there_is_left_out),
        ARENA_TEST(the_estimate_puts_a_scan_by_the_index_in_the_scans_place),
        ARENA_TEST(a_much_smaller_index_wins_and_what_is_written_counts),
    };

    return cmocka_run_group_tests(tests, parser_setup, parser_teardown);
}
