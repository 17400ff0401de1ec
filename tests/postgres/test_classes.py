# SPDX-License-Identifier: Apache-2.0
"""What runs without being written: by type, cast, operator class, policy, index and notation.

Each line would take an advisory lock by somebody's function if it ran; and what looks like it, but
runs nothing of anybody's, must pass.  Both for the role that may only SELECT.
"""

import pytest

from conftest import Server

WAY = """
CREATE SCHEMA way;
CREATE FUNCTION way.lock_it(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM
    pg_advisory_lock($1); RETURN $1; END';
CREATE FUNCTION way.check_it(int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM
    pg_advisory_lock(100); RETURN true; END';
CREATE DOMAIN way.dom AS int CHECK (way.check_it(VALUE));
CREATE DOMAIN way.lockdom AS int CHECK (pg_try_advisory_lock(VALUE));
CREATE DOMAIN way.posint AS int CHECK (VALUE > 0);
CREATE DOMAIN way.email AS text CHECK (VALUE ~ '@' AND length(VALUE) < 200);
CREATE DOMAIN way.posint2 AS way.posint NOT NULL DEFAULT 5;
CREATE TYPE way.comp AS (a way.dom[], b int);
CREATE TYPE way.colour AS ENUM ('red','green');
CREATE FUNCTION way.to_int(way.colour) RETURNS int LANGUAGE plpgsql AS 'BEGIN PERFORM
    pg_advisory_lock(101); RETURN 1; END';
CREATE CAST (way.colour AS int) WITH FUNCTION way.to_int(way.colour);
CREATE FUNCTION way.to_json(way.colour) RETURNS json LANGUAGE plpgsql AS $$BEGIN PERFORM
    pg_advisory_lock(102); RETURN '1'; END$$;
CREATE CAST (way.colour AS json) WITH FUNCTION way.to_json(way.colour);
CREATE TYPE way.boxed AS (c way.colour, n int);
CREATE TABLE way.fleet (id int, paints way.colour[], box way.boxed);
INSERT INTO way.fleet VALUES (1, '{red,green}', '(red,1)');
CREATE TABLE way.withdom (id int, d way.dom, ds way.dom[], p way.posint, e way.email);
INSERT INTO way.withdom VALUES (1, 1, '{1}', 1, 'a@b');
CREATE VIEW way.v_dom AS SELECT 5::way.dom AS d;
CREATE VIEW way.v_fn AS SELECT t.f_row FROM t_acct t;
CREATE FUNCTION way.i2ts(int) RETURNS timestamp LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM
    pg_advisory_lock(103); RETURN now(); END';
CREATE FUNCTION public.f_var(VARIADIC t_acct[]) RETURNS int LANGUAGE plpgsql AS $$BEGIN
    PERFORM pg_advisory_lock(104); RETURN 1; END$$;
CREATE FUNCTION public.f_dflt(t_acct, int DEFAULT 1) RETURNS int LANGUAGE plpgsql AS $$BEGIN
    PERFORM pg_advisory_lock(105); RETURN 1; END$$;
CREATE TABLE way.rls (id int, t text); INSERT INTO way.rls VALUES (1,'x'); ALTER TABLE
    way.rls ENABLE ROW LEVEL SECURITY;
CREATE POLICY pol ON way.rls USING (way.check_it(id));
CREATE TABLE way.rls2 (id int, t text); INSERT INTO way.rls2 VALUES (1,'x'); ALTER TABLE
    way.rls2 ENABLE ROW LEVEL SECURITY;
CREATE POLICY pol ON way.rls2 USING (t = coalesce(current_setting('app.t', true), 'x'));
CREATE TABLE way.rls3 (id int, t text); INSERT INTO way.rls3 VALUES (1,'x'); ALTER TABLE
    way.rls3 ENABLE ROW LEVEL SECURITY;
CREATE POLICY pol ON way.rls3 USING (pg_try_advisory_lock(id));
CREATE TABLE way.idx (id int, t text); INSERT INTO way.idx VALUES (1,'x'); CREATE INDEX ON
    way.idx ((way.lock_it(106)));
CREATE TABLE way.idx2 (id int, t text); INSERT INTO way.idx2 VALUES (1,'x'); CREATE FUNCTION
    way.norm(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower($1)'; CREATE INDEX
    ON way.idx2 (way.norm(t));
CREATE TABLE way.chk (id int CHECK (way.lock_it(107) > 0 OR id > 0)); INSERT INTO way.chk
    VALUES (1);
CREATE TYPE way.fr AS RANGE (subtype = float8);
CREATE FUNCTION way.diff(float8, float8) RETURNS float8 LANGUAGE plpgsql IMMUTABLE AS 'BEGIN
    PERFORM pg_advisory_lock(108); RETURN $1 - $2; END';
CREATE TYPE way.er AS RANGE (subtype = float8, subtype_diff = way.diff);
CREATE TABLE way.ranges (r way.er, f way.fr); INSERT INTO way.ranges SELECT way.er(g, g+1),
    way.fr(g, g+1) FROM generate_series(1, 2000) g; ANALYZE way.ranges;
CREATE FUNCTION way.json_cmp(json, json) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN
    PERFORM pg_advisory_lock(109); RETURN 0; END';
CREATE FUNCTION way.json_lt(json, json) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS 'BEGIN
    PERFORM pg_advisory_lock(109); RETURN false; END';
CREATE OPERATOR way.< (LEFTARG = json, RIGHTARG = json, FUNCTION = way.json_lt); CREATE
    OPERATOR way.<= (LEFTARG = json, RIGHTARG = json, FUNCTION = way.json_lt);
CREATE OPERATOR way.= (LEFTARG = json, RIGHTARG = json, FUNCTION = way.json_lt); CREATE
    OPERATOR way.> (LEFTARG = json, RIGHTARG = json, FUNCTION = way.json_lt); CREATE
    OPERATOR way.>= (LEFTARG = json, RIGHTARG = json, FUNCTION = way.json_lt);
CREATE VIEW way.v_lock AS SELECT pg_try_advisory_lock(110) AS ok;
CREATE TABLE way.rls4 (id int); INSERT INTO way.rls4 VALUES (1); ALTER TABLE way.rls4 ENABLE ROW
    LEVEL SECURITY;
CREATE POLICY pol ON way.rls4 USING (EXISTS (SELECT 1 FROM way.v_lock));
CREATE TABLE way.rls5 (id int); INSERT INTO way.rls5 VALUES (1); ALTER TABLE way.rls5 ENABLE ROW
    LEVEL SECURITY;
CREATE POLICY pol ON way.rls5 USING (id IN (SELECT id FROM t_acct));
CREATE FUNCTION way.int_cmp(int, int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM
    pg_advisory_lock(111); RETURN $1 - $2; END';
CREATE OPERATOR CLASS way.int_ops FOR TYPE int USING btree AS OPERATOR 1 <, OPERATOR 2 <=,
    OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 way.int_cmp(int, int);
CREATE TABLE way.idx3 (id int); CREATE INDEX ON way.idx3 (id way.int_ops);
CREATE FUNCTION way.int_hash(int, int8) RETURNS int8 LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM
    pg_advisory_lock(112); RETURN $1; END';
CREATE OPERATOR CLASS way.hash_ops FOR TYPE int USING hash AS OPERATOR 1 =,
    FUNCTION 2 way.int_hash(int, int8);
CREATE TABLE way.parts (id int) PARTITION BY HASH (id way.hash_ops);
CREATE TABLE way.parts_0 PARTITION OF way.parts FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE way.plain (p way.posint, e way.email, f way.fr);
INSERT INTO way.plain VALUES (1, 'a@b', '[1,2]');
GRANT USAGE ON SCHEMA way TO PUBLIC; GRANT SELECT ON ALL TABLES IN SCHEMA way TO mcp_ro;
"""

# In a schema of its own, which can be the path's.
FAR = """
CREATE SCHEMA far;
CREATE TYPE far.apart AS ENUM ('x', 'y');
CREATE FUNCTION far.same(far.apart, far.apart) RETURNS bool LANGUAGE plpgsql AS 'BEGIN PERFORM
    pg_advisory_lock(113); RETURN true; END';
CREATE OPERATOR far.= (LEFTARG = far.apart, RIGHTARG = far.apart, FUNCTION = far.same);
CREATE OPERATOR far.=%= (LEFTARG = far.apart, RIGHTARG = far.apart, FUNCTION = far.same);
CREATE TABLE far.aparts (a far.apart, n int); INSERT INTO far.aparts VALUES ('x', 1);
GRANT USAGE ON SCHEMA far TO PUBLIC; GRANT SELECT ON ALL TABLES IN SCHEMA far TO mcp_ro;
"""

# On its own: with it the comparison of any json would be somebody's.
CLASS = """
CREATE OPERATOR CLASS way.json_ops DEFAULT FOR TYPE json USING btree AS OPERATOR 1 way.<,
    OPERATOR 2 way.<=, OPERATOR 3 way.=, OPERATOR 4 way.>=, OPERATOR 5 way.>,
    FUNCTION 1 way.json_cmp(json, json);
"""

HOSTILE = [
    # casts: of what is in an array, in a row, in a range; to json, which nobody writes
    ("SELECT (paints[1])::int FROM way.fleet", "GUARD_TYPE"),
    ("SELECT unnest(paints)::int FROM way.fleet", "GUARD_TYPE"),
    ("SELECT paints::int[] FROM way.fleet", "GUARD_TYPE"),
    ("SELECT ((box).c)::int FROM way.fleet", "GUARD_TYPE"),
    ("SELECT to_json(paints) FROM way.fleet", "GUARD_TYPE"),
    ("SELECT row_to_json(f) FROM way.fleet f", "GUARD_TYPE"),
    ("SELECT json_agg(box) FROM way.fleet", "GUARD_TYPE"),
    ("SELECT 5::timestamp", "GUARD_TYPE"),
    ("SELECT x::timestamp FROM generate_series(1, 3) AS x", "GUARD_TYPE"),
    # domains: nested, in views, by a JSON text
    ("SELECT '({5},1)'::way.comp", "GUARD_TYPE"),
    ("SELECT ROW(ARRAY[5], 1)::way.comp", "GUARD_TYPE"),
    ("SELECT '{5}'::way._dom", "GUARD_TYPE"),
    ("SELECT json_populate_record(NULL::way.comp, '{\"a\":[7]}')", "GUARD_TYPE"),
    ("SELECT json_populate_record(w, '{\"d\":7}') FROM way.withdom w", "GUARD_TYPE"),
    ("SELECT json_populate_record(q, '{\"x\":7}') FROM (SELECT d AS x FROM way.withdom) q",
     "GUARD_TYPE"),
    ("SELECT * FROM json_to_record('{\"a\":5}') AS x(a way.dom)", "GUARD_TYPE"),
    ("SELECT * FROM way.v_dom", "GUARD_TYPE"),
    ("SELECT 5::way.lockdom", "GUARD_RELATION"),
    # functional notation through VARIADIC and defaults
    ("SELECT t.f_var FROM t_acct t", "GUARD_FUNCTION"),
    ("SELECT (t).f_var FROM t_acct t", "GUARD_FUNCTION"),
    ("SELECT t.f_dflt FROM t_acct t", "GUARD_FUNCTION"),
    ("SELECT * FROM way.v_fn", "GUARD_VIEW"),
    # policies of rows, and what the planner computes
    ("SELECT * FROM way.rls", "GUARD_RELATION"),
    ("SELECT count(*) FROM t_acct WHERE EXISTS (SELECT FROM way.rls)", "GUARD_RELATION"),
    ("SELECT * FROM way.rls3", "GUARD_RELATION"),
    ("SELECT * FROM way.idx", "GUARD_RELATION"),
    ("SELECT * FROM way.chk WHERE id = 5", "GUARD_RELATION"),
    ("SELECT * FROM way.rls4", "GUARD_VIEW"),
    # an index and a partition key compare with somebody's function
    ("SELECT * FROM way.idx3 WHERE id = 5", "GUARD_OPERATOR"),
    ("SELECT * FROM way.parts WHERE id = 5", "GUARD_OPERATOR"),
    # ranges whose bounds somebody's function subtracts
    ("SELECT count(*) FROM way.ranges WHERE r @> 100.5::float8", "GUARD_OPERATOR"),
    ("SELECT way.ranges FROM way.ranges", "GUARD_OPERATOR"),
]

RUNS = [
    "SELECT 5::way.posint, 'a@b'::way.email, 6::way.posint2, '{1,2}'::way.posint[]",
    "SELECT p + 1, lower(e) FROM way.plain WHERE e = 'a@b'",
    "SELECT jsonb_populate_record(w, '{\"p\": 5}') FROM way.plain w",
    "SELECT json_agg(w), count(f && '[1,5]') FROM way.plain w GROUP BY f ORDER BY f",
    "SELECT * FROM way.rls2",
    "SELECT * FROM way.idx2 WHERE id = 1",
    "SELECT qty::text, bal::int, tags::varchar[], at::date::timestamp FROM t_acct, t_ord LIMIT 1",
    "SELECT 'red'::way.colour",
    "SELECT * FROM way.rls5",
]

# With the schema on the path: an operator counts where one of its types is at hand, or where it
# alone has its name.
APART = [
    ("SELECT * FROM aparts WHERE a = 'x'", "GUARD_OPERATOR"),
    ("SELECT count(*) FROM aparts WHERE n = 1", None),
    ("SELECT 'x'::apart = 'y'", "GUARD_OPERATOR"),
    ("SELECT ARRAY['x']::apart[] = '{y}'", "GUARD_OPERATOR"),
    ("SELECT CASE a WHEN 'x' THEN 1 END FROM (SELECT a FROM aparts) q", "GUARD_OPERATOR"),
    ("SELECT 'x' =%= 'y'", "GUARD_OPERATOR"),
    ("SELECT 1 = 1, 'x' = 'y', NULL = 'x', id = ANY (ARRAY[1]) FROM t_acct LIMIT 1", None),
    ("SELECT count(*) FROM t_acct JOIN t_ord USING (id) WHERE name = 'n1'", None),
]


@pytest.fixture(scope="module")
def way(postgres):
    postgres.psql(WAY + FAR)
    yield postgres
    postgres.psql("DROP SCHEMA way, far CASCADE; DROP FUNCTION f_var(VARIADIC t_acct[]); "
                  "DROP FUNCTION f_dflt(t_acct, int)")


def test_what_runs_unwritten_is_refused(way):
    with Server(way.dsn()) as server:
        passed = [sql for sql in RUNS if server.call("execute_sql", sql=sql)["isError"]]
        assert passed == []
        way.psql("CREATE CAST (int AS timestamp) WITH FUNCTION way.i2ts(int)")
        for sql, code in HOSTILE:
            error = server.error("execute_sql", sql=sql)
            assert error["code"] == code, (sql, error)
            assert error["hint"], sql
    assert way.psql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == "0"


def test_an_operator_of_types_that_are_not_at_hand_is_nobodys_concern(way):
    path = "?options=-c%20search_path%3Dfar,public"
    with Server(way.dsn(more=path)) as server:
        for sql, code in APART:
            result = server.call("execute_sql", sql=sql)
            if code:
                assert code in result["content"][0]["text"], (sql, result)
            else:
                assert not result["isError"], (sql, result)
    with Server(way.dsn(more=path), "--allow-functions", "way.lock_it") as server:
        # What a vouched function gives may be of any type.
        assert "GUARD_OPERATOR" in server.call(
            "execute_sql", sql="SELECT way.lock_it(1) = 'x'")["content"][0]["text"]


def test_a_class_of_somebody_for_a_builtin_type(way):
    sorts = ["SELECT json_build_object('a', id) FROM t_acct ORDER BY 1",
             "SELECT 1 FROM t_acct GROUP BY json_build_object('a', id)",
             "SELECT DISTINCT '{}'::json"]
    with Server(way.dsn()) as server:
        for sql in sorts:
            assert server.error("execute_sql", sql=sql)["code"] == "42883", sql
        way.psql(CLASS)
        for sql in sorts:
            assert server.error("execute_sql", sql=sql)["code"] == "GUARD_OPERATOR", sql
        way.psql("DROP OPERATOR CLASS way.json_ops USING btree")


def test_what_an_operator_vouches_for_runs(way):
    with Server(way.dsn(), "--allow-functions", "way.check_it") as server:
        assert server.ok("execute_sql", sql="SELECT * FROM way.rls")["rows"] == [[1, "x"]]
