# SPDX-License-Identifier: Apache-2.0
"""Every hostile line is stopped and every legitimate line runs, through the real tool against a
real server; and nothing of the database changes."""

import pytest

from conftest import Server, lines_of


def run_hostile(server, name, role):
    """The lines that ran, or were stopped by another layer than they say."""
    wrong = []
    for sql, why in lines_of(name):
        if why.startswith("[L6") and role == "postgres":
            continue  # time and size ask for no privilege: once is enough
        slow = {"timeout_ms": 300} if why.startswith("[L6") else {}
        result = server.call("execute_sql", sql=sql, **slow)
        text = result["content"][0]["text"]
        if why.startswith(("[L1", "[L2")) and not result["isError"]:
            wrong.append(("ran", sql, text[:200]))
        elif why.startswith("[L1") and '"code":"GUARD_' not in text:
            wrong.append(("not by the guard", sql, text[:200]))
        elif why.startswith("[DB") and not result["isError"]:
            wrong.append(("ran", sql, text[:200]))
        elif why.startswith("[L6") and len(text) > 3_000_000:
            wrong.append(("too much", sql, len(text)))
    return wrong


@pytest.mark.parametrize("name", ["hostile.tsv", "hostile-more.tsv"])
@pytest.mark.parametrize("role", ["mcp_ro", "postgres"])
def test_hostile_lines_are_stopped(postgres, role, name):
    before = postgres.state()
    with Server(postgres.dsn(role), "--statement-timeout", "10s") as server:
        assert run_hostile(server, name, role) == []
        # The pool is healthy after all of it, and its sessions are as they were.
        for _ in range(3):
            rows = server.ok("execute_sql", sql="SELECT current_setting('transaction_read_only'), "
                             "current_setting('standard_conforming_strings'), "
                             "current_setting('statement_timeout')")["rows"]
            assert rows == [["on", "on", "10s"]]
    assert postgres.state() == before


@pytest.mark.parametrize("name", ["legit.tsv", "legit-more.tsv"])
def test_legitimate_lines_run(postgres, reader, name):
    before = postgres.state()
    wrong = []
    for sql, _ in lines_of(name):
        result = reader.call("execute_sql", sql=sql, params=["n1"] if "$1" in sql else [])
        if result["isError"]:
            wrong.append((sql, result["content"][0]["text"]))
    assert not wrong, "\n".join(map(str, wrong))
    assert postgres.state() == before


def test_objects_in_the_way_of_names_are_seen(postgres):
    """What only a catalogue knows: operators, casts, types and views of somebody."""
    postgres.psql("""
        CREATE SCHEMA IF NOT EXISTS way;
        CREATE FUNCTION way.bad(text, int) RETURNS int LANGUAGE plpgsql AS
            'BEGIN PERFORM pg_advisory_lock(77); RETURN 1; END';
        CREATE OPERATOR way.+ (LEFTARG = text, RIGHTARG = int, FUNCTION = way.bad);
        CREATE FUNCTION way.check_it(int) RETURNS bool LANGUAGE plpgsql AS
            'BEGIN PERFORM pg_advisory_lock(78); RETURN true; END';
        CREATE DOMAIN way.dom AS int CHECK (way.check_it(VALUE));
        CREATE TYPE way.colour AS ENUM ('red', 'green');
        CREATE FUNCTION way.to_int(way.colour) RETURNS int LANGUAGE plpgsql AS
            'BEGIN PERFORM pg_advisory_lock(79); RETURN 1; END';
        CREATE CAST (way.colour AS int) WITH FUNCTION way.to_int(way.colour);
        CREATE TABLE way.cars (id int, paint way.colour, plain text);
        INSERT INTO way.cars VALUES (1, 'red', 'x');
        CREATE TYPE way.holds AS (d way.dom);
        CREATE TABLE way.checked (id int, d way.dom);
        CREATE TABLE way.deep (id int, c way.holds, a way.dom[]);
        INSERT INTO way.checked VALUES (1, NULL); INSERT INTO way.deep VALUES (1, NULL, NULL);
        CREATE DOMAIN way.word AS text CHECK (VALUE ~ '^[a-z]+$');
        CREATE TABLE way.words (w way.word); INSERT INTO way.words VALUES ('abc');
        CREATE VIEW way.outer_view AS SELECT * FROM v_evil;
        CREATE VIEW way.with_op AS SELECT plain OPERATOR(way.+) id AS n FROM way.cars;
        CREATE VIEW way.fine AS SELECT id, lower(plain) AS plain FROM way.cars;
        CREATE VIEW way.shadow AS SELECT usename, passwd FROM pg_shadow;
        GRANT USAGE ON SCHEMA way TO PUBLIC;
        GRANT SELECT ON ALL TABLES IN SCHEMA way TO mcp_ro;
        GRANT SELECT ON v_evil TO mcp_ro;
    """)
    try:
        path = "?options=-c%20search_path%3Dway,public"
        with Server(postgres.dsn()) as server:
            for sql, code in [
                    ("SELECT 'x'::text OPERATOR(way.+) 1", "GUARD_OPERATOR"),
                    ("SELECT 5::way.dom", "GUARD_TYPE"),
                    ("SELECT 'red'::way.colour::int", "GUARD_TYPE"),
                    ("SELECT paint::int FROM way.cars", "GUARD_TYPE"),
                    # A constant becomes a column's type without a cast, and its CHECK runs.
                    ("SELECT jsonb_populate_record(t, '{\"d\": 5}') FROM way.checked t", "GUARD_TYPE"),
                    ("SELECT lag(d, 1, '5') OVER () FROM way.checked", "GUARD_TYPE"),
                    ("SELECT a || '{5}' FROM way.deep", "GUARD_TYPE"),
                    ("SELECT jsonb_populate_record(c, '{\"d\": 5}') FROM way.deep", "GUARD_TYPE"),
                    ("SELECT * FROM way.outer_view", "GUARD_VIEW"),
                    ("SELECT * FROM way.with_op", "GUARD_VIEW"),
                    ("SELECT * FROM way.shadow", "GUARD_VIEW"),
                    ("SELECT x.n FROM (SELECT 1) q, LATERAL (SELECT * FROM way.with_op) x",
                     "GUARD_VIEW")]:
                assert server.error("execute_sql", sql=sql)["code"] == code, sql
            assert server.ok("execute_sql", sql="SELECT * FROM way.fine")["rows"] == [[1, "x"]]
            assert server.ok("execute_sql", sql="SELECT * FROM way.words")["rows"] == [["abc"]]
        postgres.psql("DROP CAST (way.colour AS int)")
        with Server(postgres.dsn(more=path)) as server:
            # On the path an operator is met by its bare name; our names still mean ours.
            assert server.error("execute_sql", sql="SELECT plain + 1 FROM cars")["code"] == \
                "GUARD_OPERATOR"
            assert server.ok("execute_sql", sql="SELECT paint FROM cars")["rows"] == [["red"]]
        assert postgres.psql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == "0"
    finally:
        postgres.psql("DROP SCHEMA way CASCADE")


COMPAT = """
    CREATE SCHEMA compat; SET search_path = compat, public;
    CREATE FUNCTION optext(int, text) RETURNS bool LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_advisory_lock(81); RETURN $1::text = $2; END';
    CREATE OPERATOR = (LEFTARG = int, RIGHTARG = text, FUNCTION = optext);
    CREATE FUNCTION plus(text, text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1 || $2';
    CREATE OPERATOR + (LEFTARG = text, RIGHTARG = text, FUNCTION = plus);
    CREATE TYPE ctype AS (a int, b text);
    CREATE FUNCTION castpoke(ctype) RETURNS int LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_advisory_lock(82); RETURN 1; END';
    CREATE CAST (ctype AS int) WITH FUNCTION castpoke(ctype) AS IMPLICIT;
    CREATE TABLE poked (id int, c ctype, cs ctype[]); INSERT INTO poked VALUES (1, ROW(1, 'x'), NULL);
    CREATE VIEW poked_view AS SELECT id, c FROM poked;
    GRANT USAGE ON SCHEMA compat TO mcp_ro; GRANT SELECT ON ALL TABLES IN SCHEMA compat TO mcp_ro"""


def test_what_a_statement_cannot_reach_does_not_refuse_it(postgres):
    """An operator and a cast that somebody made stand in the way of who may run them, not of all."""
    postgres.psql(COMPAT)
    path = "?options=-c%20search_path%3Dcompat,public"
    try:
        with Server(postgres.dsn(more=path)) as server:
            for sql in ["SELECT 1", "SELECT 1 + 1, now() + interval '1 day', current_date + 1",
                        "SELECT id FROM t_acct WHERE id OPERATOR(pg_catalog.=) 1",
                        "SELECT count(*) FROM t_acct WHERE id > 3 AND name LIKE 'n%'",
                        "SELECT '5'::int, count(*)::int FROM t_acct",
                        "SELECT (doc->>'k')::int, extract(year FROM created)::int FROM t_acct",
                        "SELECT count(*) FROM t_acct WHERE 1 = 1 AND '2' = 2"]:
                server.ok("execute_sql", sql=sql)
            assert server.ok("count_rows", table="t_acct",
                             filter={"column": "id", "op": "eq", "value": 1})["count"] == 1
            assert server.ok("select_rows", table="t_acct", max_rows=1)["row_count"] == 1
            for sql, code in [("SELECT id FROM t_acct WHERE id = name", "GUARD_OPERATOR"),
                              ("SELECT id FROM t_acct WHERE id = coalesce(name)", "GUARD_OPERATOR"),
                              ("SELECT CASE id WHEN name THEN 1 END FROM t_acct", "GUARD_OPERATOR"),
                              ("SELECT id IN (SELECT name FROM t_acct) FROM t_acct", "GUARD_OPERATOR"),
                              ("SELECT 'a' + 'b'", "GUARD_OPERATOR"),
                              ("SELECT c::int FROM poked", "GUARD_TYPE"),
                              ("SELECT abs(c) FROM poked", "GUARD_TYPE"),
                              ("SELECT abs(cs[1]) FROM poked", "GUARD_TYPE"),
                              ("SELECT abs(c) FROM poked_view", "GUARD_TYPE"),
                              ("SELECT abs(ROW(1, 'x')::ctype)", "GUARD_TYPE"),
                              ("SELECT abs(max(c)) FROM (SELECT poked.c FROM poked) q", "GUARD_TYPE")]:
                error = server.error("execute_sql", sql=sql)
                assert error["code"] == code, (sql, error)
                assert "nobody vouches" in error["message"]
        with Server(postgres.dsn(more=path), "--allow-functions",
                    "compat.optext,compat.plus") as server:
            assert server.ok("execute_sql", sql="SELECT 'a' + 'b'")["rows"] == [["ab"]]
            assert server.ok("execute_sql", sql="SELECT count(*) FROM t_acct WHERE id = 1")["rows"] \
                == [[1]]
            assert server.error("execute_sql", sql="SELECT abs(c) FROM poked")["code"] == "GUARD_TYPE"
        assert postgres.psql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == "0"
    finally:
        postgres.psql("DROP SCHEMA compat CASCADE")


def test_settings_are_those_of_show(postgres):
    """As the superuser, who sees all of pg_settings, with a setting that an application keeps."""
    asked = "'app.secret', 'data_directory', 'primary_conninfo', 'TimeZone', 'work_mem'"
    shown = [["TimeZone"], ["work_mem"]]
    with Server(postgres.dsn("postgres", "?options=-c%20app.secret%3Dx")) as server:
        for sql in [f"SELECT name FROM pg_settings WHERE name IN ({asked}) ORDER BY name",
                    f"SELECT s.name FROM pg_catalog.pg_settings AS s WHERE s.name IN ({asked}) ORDER BY 1",
                    f"SELECT pg_settings.name FROM t_acct JOIN \"pg_settings\" ON id = 1 "
                    f"WHERE name IN ({asked}) ORDER BY 1".replace("name IN", "pg_settings.name IN"),
                    f"WITH s(a) AS (SELECT name FROM pg_settings) SELECT * FROM s WHERE a IN ({asked}) "
                    "ORDER BY 1"]:
            assert server.ok("execute_sql", sql=sql)["rows"] == shown, sql
        assert server.error("execute_sql", sql="SELECT name FROM pg_settings WHERE nope")[
            "position"] == 36
        assert server.ok("execute_sql", sql="SELECT name FROM pg_settings ORDER BY name",
                         max_rows=5)["truncated"]


MADE = ["CREATE TABLE made (id int PRIMARY KEY, a text)", "CREATE TABLE made_like (LIKE made INCLUDING ALL)",
        "CREATE TABLE made_apart (r int4range, EXCLUDE USING gist (r WITH &&))",
        "CREATE TYPE made_row AS (a int)", "ALTER TYPE made_row ADD ATTRIBUTE b int",
        "CREATE DOMAIN made_text AS text CHECK (length(VALUE) < 9)",
        "ALTER DOMAIN made_text ADD CONSTRAINT c CHECK (length(VALUE) > 0)",
        "CREATE STATISTICS made_stats ON id, a FROM made", "CREATE VIEW made_view AS SELECT a FROM made",
        "ALTER TABLE made_like REPLICA IDENTITY FULL, SET UNLOGGED", "CREATE SCHEMA made_schema",
        "ALTER TABLE made_like SET SCHEMA made_schema", "INSERT INTO made VALUES (1, 'x')"]


def test_what_is_made_goes_where_the_path_says(postgres, reader):
    assert reader.ok("execute_sql", sql="SELECT current_schema()")["rows"] == [["public"]]
    catalogue = ("SELECT count(*) FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace UNION "
                 "ALL SELECT count(*) FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace")
    before = postgres.psql(catalogue)
    for path in ["", "?options=-c%20search_path%3D", "?options=-c%20search_path%3Dpublic,PG_CATALOG"]:
        with Server(postgres.dsn("postgres", path), "--mode", "ddl") as server:
            if path.endswith("D"):
                assert server.error("execute_sql", sql="CREATE TABLE made (id int)")
            elif path:
                assert "42501" in str(server.error("execute_sql", sql="CREATE TABLE made (id int)"))
            else:
                for sql in MADE:
                    server.ok("execute_sql", sql=sql)
            assert server.ok("execute_sql", sql="SELECT length('ab'), 1 = 1")["rows"] == [[2, True]]
    assert postgres.psql(catalogue) == before
    assert postgres.psql("SELECT 'public.made'::regclass, 'public.made_text'::regtype, "
                         "'made_schema.made_like'::regclass") == "made|made_text|made_schema.made_like"
    postgres.psql("DROP TABLE made, made_apart CASCADE; DROP SCHEMA made_schema CASCADE; "
                  "DROP TYPE made_row; DROP DOMAIN made_text")
