# SPDX-License-Identifier: Apache-2.0
"""The look-up is left out where the catalogue is what it was, and only there: whatever is put in the
place of something after its verdict was kept is seen by the next call."""

import subprocess
import time

import pytest
from gateway import slow_factor

from conftest import Server

LOOKUP = "query LIKE 'WITH RECURSIVE refs AS MATERIALIZED%'"


def lookups(postgres):
    """How many times it ran since the last time it was asked."""
    n = postgres.psql(f"SELECT coalesce(sum(calls), 0) FROM pg_stat_statements WHERE {LOOKUP}")
    postgres.psql("SELECT pg_stat_statements_reset()")
    return int(n)


def at_once(postgres):
    """How many statements went along with their anchor since lookups() was asked."""
    return int(postgres.psql("SELECT coalesce(sum(calls), 0) FROM pg_stat_statements "
                             "WHERE query LIKE 'SELECT a.*, CASE WHEN%'"))


@pytest.fixture(scope="module")
def counted(postgres):
    postgres.psql("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    return postgres


@pytest.fixture
def server(counted):
    with Server(counted.dsn(), "--pool-max", 1) as server:
        yield server


def settle(postgres, server, sql):
    """Calls until the look-up is left out: then the verdict stands as long as the catalogue does."""
    for _ in range(4):
        server.ok("execute_sql", sql=sql)
    lookups(postgres)
    server.ok("execute_sql", sql=sql)
    server.ok("execute_sql", sql=sql)
    return lookups(postgres)


def settle_more(postgres, server, sql):
    """Calls until the statement goes along with the anchor."""
    assert settle(postgres, server, sql) == 0
    began = time.monotonic()
    while not at_once(postgres):
        assert time.monotonic() - began < 10 * slow_factor()
        server.ok("execute_sql", sql=sql)


def test_it_is_left_out_where_nothing_changed(counted, server):
    assert settle(counted, server, "SELECT count(*) FROM t_acct WHERE id > 3") == 0
    # lookups() resets statistics, which is no transaction with an id; a write is.
    counted.psql("UPDATE t_ord SET qty = qty WHERE id = 1")
    for _ in range(4):
        server.ok("execute_sql", sql="SELECT count(*) FROM t_acct WHERE id > 3")
    assert 1 <= lookups(counted) <= 2


def test_all_is_sent_at_once_where_nothing_changes_for_a_while(counted, server):
    sql = "SELECT count(*) FROM t_acct WHERE id > 3"
    settle_more(counted, server, sql)
    counted.psql("UPDATE t_ord SET qty = qty WHERE id = 1")  # a miss: asked again, nobody sees it
    want = counted.psql(sql)
    assert str(server.ok("execute_sql", sql=sql)["rows"][0][0]) == want
    # What fails there fails as ever, and leaves nothing open behind.
    fails = "SELECT 1 / (1 - id) FROM t_acct WHERE id = 1"
    for _ in range(3):
        assert server.error("execute_sql", sql=fails)["code"] == "22012"
    settle_more(counted, server, sql)
    lookups(counted)
    for _ in range(3):
        assert server.error("execute_sql", sql=fails)["code"] == "22012"
        assert str(server.ok("execute_sql", sql=sql)["rows"][0][0]) == want
    assert at_once(counted) == 6
    assert lookups(counted) == 0


CHANGES = {
    "view with a volatile function": (
        "CREATE VIEW u_view AS SELECT id FROM t_acct", "SELECT id FROM u_view LIMIT 1",
        "CREATE FUNCTION u_writes() RETURNS int VOLATILE LANGUAGE sql AS 'SELECT 1';"
        "CREATE OR REPLACE VIEW u_view AS SELECT u_writes() AS id FROM t_acct",
        "DROP VIEW u_view; DROP FUNCTION u_writes()"),
    "view with a refused built-in": (
        "CREATE VIEW u_view AS SELECT id, 'x' AS f FROM t_acct", "SELECT f FROM u_view LIMIT 1",
        "CREATE OR REPLACE VIEW u_view AS SELECT id, pg_read_file('PG_VERSION') AS f FROM t_acct",
        "DROP VIEW u_view"),
    "view within a view": (
        "CREATE VIEW u_inner AS SELECT id FROM t_acct; CREATE VIEW u_view AS SELECT id FROM u_inner",
        "SELECT id FROM u_view LIMIT 1",
        "CREATE OR REPLACE VIEW u_inner AS SELECT id FROM t_acct WHERE pg_sleep(0) IS NULL",
        "DROP VIEW u_view, u_inner"),
    "view in a table's place": (
        "CREATE TABLE u_table (id int)", "SELECT id FROM u_table",
        "DROP TABLE u_table; CREATE VIEW u_table AS SELECT lo_create(0)::int AS id",
        "DROP VIEW u_table"),
    "view of a schema that comes before": (
        "CREATE SCHEMA u_first; GRANT USAGE ON SCHEMA u_first TO mcp_ro;"
        "CREATE TABLE u_table (id int)", "SELECT id FROM u_table",
        "CREATE FUNCTION u_writes() RETURNS int LANGUAGE sql AS 'SELECT 1';"
        "ALTER TABLE u_table RENAME TO u_other; CREATE VIEW u_table AS SELECT u_writes() AS id",
        "DROP VIEW u_table; DROP TABLE u_other; DROP FUNCTION u_writes(); DROP SCHEMA u_first"),
    "function beside an extension's": (
        "SELECT 1", "SELECT similarity('a', 'b')",
        "CREATE FUNCTION similarity(unknown, unknown) RETURNS real LANGUAGE internal IMMUTABLE AS "
        "'float4in'",
        "DROP FUNCTION similarity(unknown, unknown)"),
    "operator": (
        "SELECT 1", "SELECT id FROM t_acct WHERE id = coalesce(parent, 1)",
        "CREATE FUNCTION u_writes(int, text) RETURNS bool LANGUAGE sql AS 'SELECT true';"
        "CREATE OPERATOR public.= (LEFTARG = int, RIGHTARG = text, FUNCTION = u_writes)",
        "DROP OPERATOR public.= (int, text); DROP FUNCTION u_writes(int, text)"),
    "column that is a function now": (
        "CREATE TABLE u_table (id int, name text)", "SELECT u_table.name FROM u_table",
        "ALTER TABLE u_table DROP COLUMN name;"
        "CREATE FUNCTION name(u_table) RETURNS text LANGUAGE sql AS 'SELECT 1::text'",
        "DROP TABLE u_table CASCADE"),
    "cast": (
        "CREATE TYPE u_kind AS ENUM ('a')", "SELECT 'a'::u_kind",
        "CREATE FUNCTION u_cast(text) RETURNS u_kind LANGUAGE sql AS 'SELECT NULL::u_kind';"
        "CREATE CAST (text AS u_kind) WITH FUNCTION u_cast(text)",
        "DROP CAST (text AS u_kind); DROP TYPE u_kind CASCADE"),
    "domain with a check": (
        "CREATE DOMAIN u_kind AS int", "SELECT 1::u_kind",
        "CREATE FUNCTION u_writes(int) RETURNS bool LANGUAGE sql AS 'SELECT true';"
        "ALTER DOMAIN u_kind ADD CHECK (u_writes(VALUE))",
        "DROP DOMAIN u_kind; DROP FUNCTION u_writes(int)"),
}


SOME = ["view with a volatile function", "view in a table's place", "cast"]


@pytest.mark.parametrize("case, settled", [(c, settle_more) for c in CHANGES]
                         + [(c, settle) for c in SOME])
def test_what_takes_its_place_is_seen_by_the_next_call(counted, server, case, settled):
    before, sql, change, after = CHANGES[case]
    counted.psql(before + "; GRANT SELECT ON ALL TABLES IN SCHEMA public TO mcp_ro")
    try:
        assert not settled(counted, server, sql)
        counted.psql(change)
        for _ in range(3):
            assert server.error("execute_sql", sql=sql)["code"].startswith("GUARD_"), case
    finally:
        counted.psql(after)


def test_a_change_that_is_not_committed_is_not_there_and_then_is(counted, server):
    """An id that ends takes no new one: the snapshot's list of those that have not changes."""
    sql = "SELECT id FROM u_view LIMIT 1"
    counted.psql("CREATE VIEW u_view AS SELECT id FROM t_acct; GRANT SELECT ON u_view TO mcp_ro")
    link = subprocess.Popen(
        [str(counted.bin / "psql"), "-X", "-q", "-A", "-t", "-h", "127.0.0.1", "-p",
         str(counted.port), "-U", "postgres", "postgres"], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True)

    def say(text):
        link.stdin.write(text + ";\n\\echo done\n")
        link.stdin.flush()
        while link.stdout.readline().strip() != "done":
            pass
    try:
        say("BEGIN; CREATE FUNCTION u_writes() RETURNS int LANGUAGE sql AS 'SELECT 1'")
        counted.psql("UPDATE t_ord SET qty = qty WHERE id = 1")  # a later id has ended
        assert settle(counted, server, sql) == 0
        say("CREATE OR REPLACE VIEW u_view AS SELECT u_writes() AS id FROM t_acct")
        say("COMMIT")
        assert server.error("execute_sql", sql=sql)["code"] == "GUARD_VIEW"
    finally:
        link.stdin.close()
        link.wait()
        counted.psql("DROP VIEW u_view; DROP FUNCTION u_writes()")


def test_a_path_that_leads_elsewhere_is_another_state(counted):
    """A new connection has the new path, and nothing else has changed since the look-up."""
    sql = "SELECT id FROM u_table"
    counted.psql("CREATE SCHEMA u_other; GRANT USAGE ON SCHEMA u_other TO mcp_ro;"
                 "CREATE TABLE u_table (id int); CREATE FUNCTION u_other.w() RETURNS int LANGUAGE sql "
                 "AS 'SELECT 1'; CREATE VIEW u_other.u_table AS SELECT u_other.w() AS id;"
                 "GRANT SELECT ON u_table, u_other.u_table TO mcp_ro")
    try:
        with Server(counted.dsn(), "--pool-max", 1) as server:
            server.ok("execute_sql", sql=sql)
            counted.psql("ALTER ROLE mcp_ro SET search_path = u_other, public")
            assert settle(counted, server, sql) == 0  # the session is as it was
            counted.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                         "WHERE usename = 'mcp_ro'")
            answers = [server.call("execute_sql", sql=sql) for _ in range(3)]
            assert all(a["isError"] for a in answers)
            assert "GUARD_VIEW" in answers[-1]["content"][0]["text"]
    finally:
        counted.psql("ALTER ROLE mcp_ro RESET search_path; DROP SCHEMA u_other CASCADE;"
                     "DROP TABLE u_table")


def test_behind_a_pooler_it_is_always_asked(counted):
    with Server(counted.dsn(), "--pooler", "transaction", "--pool-max", 1) as server:
        assert settle(counted, server, "SELECT count(*) FROM t_acct") == 2


MANY = 300


@pytest.fixture
def many(counted):
    """So many tables that the planner expects the look-up to be worth compiling, by default."""
    counted.psql("CREATE SCHEMA many; " + "".join(
        f"CREATE TABLE many.t{n} (id int PRIMARY KEY, a int, b text);" for n in range(MANY)) + """
        CREATE ROLE many_reader LOGIN; GRANT USAGE ON SCHEMA many TO many_reader;
        GRANT SELECT ON ALL TABLES IN SCHEMA many TO many_reader; ANALYZE;
        ALTER ROLE many_reader SET jit_above_cost = 0; SELECT pg_stat_statements_reset()""")
    yield counted
    counted.psql("DROP SCHEMA many CASCADE; DROP ROLE many_reader")


@pytest.mark.parametrize("words", [(), ("--pooler", "transaction")])
def test_nothing_of_ours_is_compiled(many, words):
    """What a caller asks is compiled as the role has it; what kanmon asks of the catalogue never."""
    assert many.psql("SELECT pg_jit_available()") == "t"
    compiled = ("SELECT query FROM pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid "
                "WHERE rolname = 'many_reader' AND jit_functions > 0")
    with Server(many.dsn("many_reader"), "--pool-max", 1, *words) as server:
        for n in range(5):
            server.ok("execute_sql", sql=f"SELECT count(*) FROM many.t{n} WHERE a = {n}")
        assert server.ok("execute_sql", sql="SHOW jit")["rows"] == [["on"]]
        server.ok("count_rows", schema="many", table="t9")
        server.ok("describe_table", schema="many", table="t9")
        server.ok("search_objects", query="t9")
        server.ok("list_objects", schema="many")
        server.ok("analyze_health")
    texts = [t for t in many.psql(compiled).splitlines() if t]
    assert any(t.startswith("SELECT pg_catalog.count(*) FROM many.t") for t in texts), texts
    assert not [t for t in texts if "pg_class" in t or "recordset" in t or "pg_depend" in t], texts
