# SPDX-License-Identifier: Apache-2.0
"""Somebody's operators refuse what may run them, by the types that stand beside them, and nothing
else: whatever gives a column's name another type counts as reaching."""

import pytest

from conftest import Server

MADE = """
    CREATE SCHEMA ops; SET search_path = ops, public;
    CREATE DOMAIN num AS int; CREATE DOMAIN word AS text;
    CREATE FUNCTION it(int, text) RETURNS bool LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_advisory_lock(81); RETURN true; END';
    CREATE FUNCTION nw(num, word) RETURNS bool LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_advisory_lock(82); RETURN true; END';
    CREATE FUNCTION el(anyelement, text[]) RETURNS bool LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_advisory_lock(83); RETURN true; END';
    CREATE FUNCTION before(text) RETURNS bool LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_advisory_lock(84); RETURN true; END';
    CREATE OPERATOR = (LEFTARG = int, RIGHTARG = text, FUNCTION = it);
    CREATE OPERATOR < (LEFTARG = int, RIGHTARG = text, FUNCTION = it);
    CREATE OPERATOR > (LEFTARG = int, RIGHTARG = text, FUNCTION = it);
    CREATE OPERATOR <= (LEFTARG = int, RIGHTARG = text, FUNCTION = it);
    CREATE OPERATOR >= (LEFTARG = int, RIGHTARG = text, FUNCTION = it);
    CREATE OPERATOR === (LEFTARG = num, RIGHTARG = word, FUNCTION = nw);
    CREATE OPERATOR && (LEFTARG = anyelement, RIGHTARG = text[], FUNCTION = el);
    CREATE OPERATOR - (RIGHTARG = text, FUNCTION = before);
    CREATE FUNCTION tt(text[], text[]) RETURNS bool LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_advisory_lock(85); RETURN true; END';
    CREATE FUNCTION rr(int4range, int4range) RETURNS bool LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_advisory_lock(86); RETURN true; END';
    CREATE OPERATOR = (LEFTARG = text[], RIGHTARG = text[], FUNCTION = tt);
    CREATE OPERATOR = (LEFTARG = int4range, RIGHTARG = int4range, FUNCTION = rr);
    CREATE DOMAIN "int4[]" AS text;
    CREATE TABLE odd ("?column?" int, text int, concat int);
    INSERT INTO odd VALUES (1, 1, 1);
    CREATE TABLE nums (id num, w word, ws word[]);
    INSERT INTO nums VALUES (1, 'x', '{x}');
    GRANT USAGE ON SCHEMA ops TO mcp_ro; GRANT SELECT ON ALL TABLES IN SCHEMA ops TO mcp_ro"""

PASSES = [
    "SELECT 1, -1, - id FROM t_acct",
    "SELECT id FROM t_acct WHERE id = 1 OR id = '1' OR name = 'n1' OR 2 = id",
    "SELECT id FROM t_acct WHERE 'a' = 'b' OR 1 = 1 OR 1 = 1.5 OR 10000000000 = id OR bal > 3",
    "SELECT a.id FROM t_acct a JOIN t_ord o ON a.id = o.acct_id WHERE o.id BETWEEN 1 AND 5",
    "SELECT id FROM t_acct WHERE id NOT BETWEEN SYMMETRIC 5 AND 1 AND d > '2020-01-01'",
    "SELECT id FROM t_acct WHERE id IN (1, 2) AND name NOT IN ('a', 'b')",
    "SELECT id FROM t_acct WHERE id = ANY (ARRAY[1, 2]) OR id = ANY ('{1,2}') OR 'a' = ANY (tags)",
    "SELECT id FROM t_acct WHERE id = ANY ('{1,2}'::int[])",
    "SELECT CASE id WHEN 1 THEN 2 END, CASE name WHEN 'n1' THEN 2 END FROM t_acct",
    "SELECT id FROM t_acct WHERE id = (SELECT id FROM t_ord LIMIT 1) AND id IN (SELECT id FROM t_ord)",
    "SELECT name FROM t_acct GROUP BY name HAVING count(*) = 1",
    "SELECT relname FROM pg_catalog.pg_class c WHERE c.oid = 5 AND relkind = 'r'",
    "WITH n AS (SELECT id, count(*) AS n FROM t_acct GROUP BY id) SELECT * FROM n WHERE id = 1",
    "SELECT a.id FROM t_acct a LEFT JOIN t_ord o USING (id)",
    "SELECT id IS DISTINCT FROM 1, NULLIF(id, 2) FROM t_acct",
    "SELECT id FROM t_acct WHERE created > now() - interval '1 day' AND doc->>'k' = '1'",
    "SELECT id FROM t_acct WHERE created = $1 OR id = $2",
    "SELECT id FROM nums WHERE id = 1",
]

REACHES = [
    "SELECT id = name FROM t_acct",
    "SELECT id BETWEEN name AND name FROM t_acct",
    "SELECT id NOT BETWEEN name AND name FROM t_acct",
    "SELECT id NOT BETWEEN SYMMETRIC name AND name FROM t_acct",
    "SELECT id IN (1, name) FROM t_acct",
    "SELECT id IN (SELECT name FROM t_acct) FROM t_acct",
    "SELECT id = ANY (tags) FROM t_acct",
    "SELECT id = ANY (ARRAY['1']) FROM t_acct",
    "SELECT id = ANY (ws) FROM nums",
    "SELECT CASE id WHEN name THEN 1 END FROM t_acct",
    "SELECT id = (SELECT '1') FROM t_acct",
    "SELECT id IS DISTINCT FROM name, NULLIF(id, name) FROM t_acct",
    "SELECT (id, 1) = (name, 1) FROM t_acct",
    "SELECT id = coalesce(name) FROM t_acct",
    "SELECT 1 = lower(name) FROM t_acct",
    "SELECT 1 = name || 'x' FROM t_acct",
    "SELECT id = w FROM nums",
    "SELECT id === w FROM nums",
    "SELECT 1 === 'x'::text",
    "SELECT - 'x'::text, - name FROM t_acct",
    "SELECT 1 && '{x}'",
    "SELECT - 'x'",
    # names that the statement gives to something else
    "SELECT * FROM (SELECT name AS id FROM t_acct) q WHERE 1 = id",
    "SELECT * FROM (SELECT name FROM t_acct) q(id) WHERE 1 = q.id",
    "WITH q(id) AS (SELECT name FROM t_acct) SELECT * FROM q WHERE 1 = id",
    "WITH q AS (SELECT name AS id FROM t_acct) SELECT * FROM q, t_acct a WHERE 1 = q.id",
    "SELECT * FROM (SELECT id::text FROM t_acct) q WHERE 1 = id",
    "SELECT * FROM (SELECT id COLLATE \"C\" FROM (SELECT name AS id FROM t_acct) p) q WHERE 1 = id",
    "SELECT * FROM (SELECT CASE WHEN true THEN name ELSE doc->>'k' END AS d FROM t_acct) q WHERE 1 = d",
    "SELECT * FROM (SELECT id FROM t_acct UNION ALL SELECT 3) q, t_acct a WHERE q.id = a.name",
    "SELECT * FROM (VALUES (1, 'a')) v(id, name) WHERE id = name",
    "SELECT * FROM (VALUES (1, 'a')) v WHERE column1 = column2",
    "SELECT * FROM json_to_record('{}') AS x(id int, d text) WHERE 1 = d",
    "SELECT * FROM unnest(ARRAY['a']) AS id WHERE 1 = id",
    "SELECT * FROM unnest(ARRAY[1], ARRAY['a']) AS t(i, id) WHERE i = id",
    "SELECT * FROM jsonb_each_text('{\"a\":1}') WHERE 1 = value",
    "SELECT * FROM XMLTABLE('/a' PASSING '<a/>' COLUMNS id text) x, t_acct t WHERE 1 = x.id",
    "SELECT * FROM t_acct a JOIN (SELECT name AS id FROM t_acct) b USING (id)",
    "SELECT * FROM t_acct a NATURAL JOIN (SELECT name AS id FROM t_acct) b",
    "SELECT * FROM (SELECT lower(name) FROM t_acct) q WHERE 1 = lower",
    # names that PostgreSQL gives, or calls, and a table has too
    "SELECT 1 = q.\"?column?\" FROM (SELECT 'x' || 'y') q, odd",
    "SELECT 1 = g.text FROM generate_series(1, 1) g, odd",
    "SELECT 1 = concat FROM (SELECT a.concat FROM t_acct a) q, (SELECT id FROM nums, odd) r",
    "SELECT 1 = 'x'::\"int4[]\"",
    "SELECT NULL = ANY (ARRAY[string_to_array(name, ',')]) FROM t_acct",
    # what is polymorphic becomes a type for which somebody's operator is made
    "SELECT array_agg(name) = array_agg(name) FROM t_acct",
    "SELECT array_agg(name) && array_agg(name) FROM t_acct",
    "SELECT range_merge('[1,2)'::int4range, '[1,2)') = range_merge('[1,2)'::int4range, '[1,2)')",
]

# The type of a parameter is told by what it stands beside first.
PARAMS = [
    ("SELECT id = $1 OR name = $1 FROM t_acct", [1]),
    ("SELECT $1 IN (id, name) FROM t_acct", [1]),
    ("SELECT $1 BETWEEN SYMMETRIC id AND name FROM t_acct", [1]),
    ("SELECT CASE $1 WHEN 'x' THEN 1 END, id = $1 FROM t_acct", ["x"]),
    ("SELECT id FROM t_acct WHERE id = $1", [{"value": "1", "type": "text"}]),
]


@pytest.fixture(scope="module")
def ops(postgres):
    postgres.psql(MADE)
    with Server(postgres.dsn(more="?options=-c%20search_path%3Dops,public")) as server:
        yield server
    postgres.psql("DROP SCHEMA ops CASCADE")


def test_what_cannot_reach_an_operator_runs(ops):
    for sql in PASSES:
        ops.ok("execute_sql", sql=sql, params=["2026-01-01", 1] if "$2" in sql else [])


def test_what_may_reach_one_is_refused_with_its_name(ops, postgres):
    for sql in REACHES:
        error = ops.error("execute_sql", sql=sql)
        assert error["code"] == "GUARD_OPERATOR", (sql, error)
        assert "nobody vouches" in error["message"]
    error = ops.error("execute_sql", sql="SELECT 1 === 'x'::text")
    assert "OPERATOR(pg_catalog.===)" in error["hint"] and "nw under allow_functions" in error["hint"]
    assert postgres.psql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == "0"


def test_a_parameter_with_a_type_is_not_what_it_stands_beside(ops):
    plain = "SELECT id FROM t_acct WHERE id = $1"
    for _ in range(2):  # what was said of the text before holds for untyped values alone
        assert ops.ok("execute_sql", sql=plain, params=[1])["row_count"] == 1
        for sql, params in PARAMS:
            assert ops.error("execute_sql", sql=sql, params=params)["code"] == "GUARD_OPERATOR", sql


def test_what_the_owner_vouches_for_runs(ops, postgres):
    path = "?options=-c%20search_path%3Dops,public"
    with Server(postgres.dsn(more=path), "--allow-functions", "ops.nw") as server:
        assert server.ok("execute_sql", sql="SELECT 1 === 'x'::text")["rows"] == [[True]]
        assert server.error("execute_sql", sql="SELECT id = name FROM t_acct")["code"] == \
            "GUARD_OPERATOR"


# Pairs of types that a text of the server's own may compare by one of PostgreSQL's operators after
# one of them became something else: somebody's, made for just the two, would be taken instead.
OWN = """oid,int4 name,text text,name int8,int4 int4,int8 "char",text int2,int4 float4,int4
    float4,numeric float8,numeric int8,numeric numeric,int4 float8,int4 int4,numeric regclass,oid
    oid,regclass oid,regproc xid,int4 regclass,regclass regtype,oid oid,regtype float8,int8
    int8,float8 oid,int8 int8,oid numeric,int8 numeric,float8 name,varchar oid,regnamespace
    text,int8"""


@pytest.fixture
def everywhere(postgres):
    made = "CREATE SCHEMA own; GRANT USAGE ON SCHEMA own TO mcp_ro;"
    for pair in OWN.split():
        left, right = pair.split(",")
        made += f"""CREATE FUNCTION own.hit({left}, {right}) RETURNS bool LANGUAGE plpgsql AS
            'BEGIN RAISE EXCEPTION ''hit''; END';"""
        for name in ("=", "<>", "<", ">", "<=", ">=", "+", "-", "*", "/", "%", "||"):
            made += f"""CREATE OPERATOR own.{name}
                (LEFTARG = {left}, RIGHTARG = {right}, FUNCTION = own.hit);"""
    postgres.psql(made)
    yield "?options=-c%20search_path%3Down,public"
    postgres.psql("DROP SCHEMA own CASCADE")


def test_what_the_server_asks_itself_runs_nobodys_operators(postgres, everywhere):
    calls = {
        "execute_sql": {"sql": "SELECT 1"}, "describe_table": {"table": "t_acct"},
        "explain_query": {"sql": "SELECT 1"}, "select_rows": {"table": "t_acct"},
        "count_rows": {"table": "t_acct"}, "search_objects": {"query": "id"},
        "advise_indexes": {"queries": ["SELECT id FROM t_ord WHERE qty = 5"]}}
    for user in ("mcp_ro", "postgres"):
        with Server(postgres.dsn(user, everywhere)) as server:
            tools = server.request("tools/list")["result"]["tools"]
            assert len(tools) >= 14
            for tool in tools:
                text = str(server.ok(tool["name"], **calls.get(tool["name"], {})))
                assert "'hit'" not in text and "error" not in text[:40], (tool["name"], text)


def test_what_counts_the_rows_of_truncate_runs_nobodys_operators(postgres, everywhere):
    with Server(postgres.dsn("postgres", everywhere), "--mode", "ddl") as server:
        server.ok("execute_sql", sql="CREATE TABLE t_gone (id int)")
        text = str(server.call("execute_sql", sql="TRUNCATE t_gone"))
        server.ok("execute_sql", sql="DROP TABLE t_gone")
        assert "hit" not in text, text


# What runs a cast that nobody wrote: WHERE and LIMIT take what can be assigned, || casts to text.
CASTS = [
    ("bool", "AS ASSIGNMENT", "SELECT 1 FROM moods WHERE m"),
    ("bool", "AS ASSIGNMENT", "SELECT CASE WHEN m THEN 1 END FROM moods"),
    ("int8", "AS ASSIGNMENT", "SELECT 1 LIMIT (SELECT m FROM moods)"),
    ("text", "", "SELECT m || 'x' FROM moods"),
    ("text", "", "SELECT quote_literal(m) FROM moods"),
]


@pytest.mark.parametrize("target,how,sql", CASTS)
def test_a_cast_that_is_not_written_is_refused(postgres, target, how, sql):
    postgres.psql(f"""
        CREATE SCHEMA casts; SET search_path = casts; CREATE TYPE mood AS ENUM ('a', 'b');
        CREATE TABLE moods (m mood); INSERT INTO moods VALUES ('a');
        CREATE FUNCTION hit(mood) RETURNS {target} LANGUAGE plpgsql AS
            'BEGIN RAISE EXCEPTION ''hit''; END';
        CREATE CAST (mood AS {target}) WITH FUNCTION hit(mood) {how};
        GRANT USAGE ON SCHEMA casts TO mcp_ro; GRANT SELECT ON moods TO mcp_ro""")
    try:
        with Server(postgres.dsn(more="?options=-c%20search_path%3Dcasts,public")) as server:
            error = server.error("execute_sql", sql=sql)
            assert error["code"] == "GUARD_TYPE" and "casts.hit" in error["message"], error
            server.ok("execute_sql", sql="SELECT name || 'x' FROM t_acct WHERE id = 1 LIMIT 1")
    finally:
        postgres.psql("DROP SCHEMA casts CASCADE")


def test_a_function_added_to_a_family_of_postgresqls_is_refused(postgres):
    postgres.psql("""
        CREATE FUNCTION within(int, int, numeric, bool, bool) RETURNS bool LANGUAGE plpgsql AS
            'BEGIN RAISE EXCEPTION ''hit''; END';
        ALTER OPERATOR FAMILY integer_ops USING btree
            ADD FUNCTION 3 (int4, numeric) within(int, int, numeric, bool, bool)""")
    try:
        with Server(postgres.dsn()) as server:
            error = server.error("execute_sql", sql="SELECT sum(id) OVER (ORDER BY id RANGE "
                                 "BETWEEN 1.5 PRECEDING AND CURRENT ROW) FROM t_acct")
            assert error["code"] == "GUARD_OPERATOR" and "within" in error["message"], error
    finally:
        postgres.psql("""ALTER OPERATOR FAMILY integer_ops USING btree
            DROP FUNCTION 3 (int4, numeric); DROP FUNCTION within""")
