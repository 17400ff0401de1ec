# SPDX-License-Identifier: Apache-2.0
"""The tools: what goes in, what comes out, what an error says."""

import asyncio
import os

import pytest
from gateway import binary
from mcp import Client, StdioServerParameters

from conftest import Server, sanitizers


def test_a_name_that_is_nearly_right_is_told(postgres, reader):
    postgres.psql('CREATE SCHEMA "Shop"; CREATE TABLE "Shop"."customers" (id int); '
                  'CREATE TABLE public.customer_hidden (id int); GRANT USAGE ON SCHEMA "Shop" TO '
                  'mcp_ro; GRANT SELECT ON "Shop".customers TO mcp_ro')
    try:
        for sql in ("SELECT * FROM custmers", "SELECT * FROM customer", "SELECT * FROM customers",
                    'SELECT 1 FROM "Shop".custommers'):
            error = reader.error("execute_sql", sql=sql)
            assert error["code"] == "42P01" and '"Shop".customers' in error["hint"], (sql, error)
            assert "hidden" not in error["hint"]
        assert "near" not in reader.error("execute_sql", sql="SELECT * FROM zzyzx")["hint"]
        error = reader.error("execute_sql", sql="SELECT nmae FROM t_acct")
        assert "Perhaps you meant" in error["hint"] and "t_acct.name" in error["hint"]
    finally:
        postgres.psql('DROP SCHEMA "Shop" CASCADE; DROP TABLE public.customer_hidden')


def test_the_official_sdk_lists_and_calls(postgres):
    async def run():
        server = StdioServerParameters(
            command=str(binary()), args=["mcp", "postgres"],
            env={"DATABASE_URL": postgres.dsn(), "PATH": os.environ["PATH"], **sanitizers()})
        async with Client(server, mode="legacy") as client:
            assert "mode read-only" in client.instructions
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            assert {"execute_sql", "explain_query", "list_schemas", "list_objects",
                    "describe_table", "search_objects"} <= set(tools)
            assert all(tool.annotations.read_only_hint for tool in tools.values())
            result = await client.call_tool("execute_sql", {"sql": "SELECT 1 AS one"})
            assert result.structured_content["rows"] == [[1]]
            assert result.structured_content["columns"] == [{"name": "one", "type": "int4", "oid": 23}]
            result = await client.call_tool("describe_table", {"name": "t_ord"})
            assert result.structured_content["schema"] == "public"
            result = await client.call_tool("execute_sql", {"sql": "DELETE FROM t_ord"})
            assert result.is_error and "GUARD_STATEMENT" in result.content[0].text
    asyncio.run(run())


def test_values_are_not_lost(reader):
    got = reader.ok("execute_sql", sql="""
        SELECT 1 AS a, 2 AS a, 9007199254740993::int8, 9007199254740::int8, 1.5::numeric,
               123456789012345678.5::numeric, 'NaN'::float8, 1e300::float8, 0.1::float4, true,
               NULL::int, '\\x00ff'::bytea, '{"k": [1, null]}'::jsonb, 'é"\n'::text,
               '2024-01-02 03:04:05+00'::timestamptz AT TIME ZONE 'UTC', ARRAY[1,2]""")
    assert got["rows"] == [[1, 2, "9007199254740993", 9007199254740, 1.5, "123456789012345678.5",
                            "NaN", 1e300, 0.1, True, None, "AP8=", {"k": [1, None]}, 'é"\n',
                            "2024-01-02 03:04:05", "{1,2}"]]
    assert [c["name"] for c in got["columns"]][:2] == ["a", "a"]
    assert (got["row_count"], got["truncated"], got["command"]) == (1, False, "SELECT 1")
    assert reader.ok("execute_sql", sql="SELECT 1 WHERE false")["rows"] == []


def test_values_are_bound(reader):
    got = reader.ok("execute_sql", sql="SELECT $1::text, $2::int + 1, $3::bool, $4::jsonb, $5, $6",
                    params=["'; DROP TABLE t_acct; --", 41, True, {"a": [1]}, None,
                            {"value": "7", "type": "int4"}])
    assert got["rows"] == [["'; DROP TABLE t_acct; --", 42, True, {"a": [1]}, None, 7]]
    assert "$2, but 1 values" in reader.error("execute_sql", sql="SELECT $2::int", params=[1])
    assert "no type" in reader.error("execute_sql", sql="SELECT $1",
                                     params=[{"value": 1, "type": "evil"}])
    assert reader.error("execute_sql", sql="SELECT $1::int", params=["x"])["code"] == "22P02"


def test_results_have_bounds(reader):
    got = reader.ok("execute_sql", sql="SELECT g FROM generate_series(1, 1000000) g")
    assert (got["row_count"], got["truncated"], got["rows"][-1]) == (1000, True, [1000])
    got = reader.ok("execute_sql", sql="SELECT g FROM generate_series(1, 100) g", max_rows=3)
    assert (got["rows"], got["truncated"]) == ([[1], [2], [3]], True)
    got = reader.ok("execute_sql", sql="SELECT repeat('x', 1000) FROM generate_series(1, 2000)")
    assert got["truncated"] and 900 < got["row_count"] < 1100  # a mebibyte
    assert "row is larger" in reader.error("execute_sql", sql="SELECT repeat('x', 9000000)")
    assert reader.ok("execute_sql", sql="SELECT 1")["rows"] == [[1]]


def pages(server, sql, most, **more):
    """All rows of a statement, page by page, and how many pages it took."""
    rows, cursor, n = [], {}, 0
    while True:
        got = server.ok("execute_sql", sql=sql, max_rows=most, **more, **cursor)
        rows += got["rows"]
        n += 1
        assert got["truncated"] == ("next_cursor" in got)
        if not got["truncated"]:
            return rows, n
        cursor = {"cursor": got["next_cursor"]}


@pytest.mark.parametrize("sql", [
    "SELECT id, qty FROM t_ord ORDER BY id",
    "SELECT id, acct_id FROM t_ord ORDER BY acct_id DESC, id;  -- ties, and a comment",
    "SELECT acct_id FROM t_ord ORDER BY 1",  # nothing but ties
    "SELECT nullif(g % 5, 0) AS k, g AS \"We\"\"ird\" FROM generate_series(1, 50) g ORDER BY k, 2 DESC",
    "SELECT nullif(g % 5, 0) AS k, g FROM generate_series(1, 50) g ORDER BY k DESC, g",
    "SELECT id, id, qty FROM t_ord ORDER BY id",  # the name is no one's: counted
    "SELECT id FROM t_ord ORDER BY qty LIMIT 60",  # not in the result: counted
    "SELECT g::text || 'x' AS t FROM generate_series(1, 40) g ORDER BY t",
    "VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12), (13), (14)",
])
def test_a_cut_result_goes_on_where_it_ended(reader, sql):
    whole = reader.ok("execute_sql", sql=sql)["rows"]
    rows, n = pages(reader, sql, 7)
    assert rows == whole and n == -(-len(whole) // 7)


def test_a_page_begins_at_keys_not_at_a_count(postgres, reader):
    postgres.psql("CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p SELECT generate_series(1, 20);"
                  "GRANT SELECT ON p TO mcp_ro")
    try:
        sql = "SELECT id FROM p WHERE id > $1 ORDER BY id"
        first = reader.ok("execute_sql", sql=sql, params=[0], max_rows=10)
        postgres.psql("DELETE FROM p WHERE id <= 5")
        second = reader.ok("execute_sql", sql=sql, params=[0], cursor=first["next_cursor"])
        assert second["rows"] == [[n] for n in range(11, 21)] and not second["truncated"]
        assert "another statement" in reader.error("execute_sql", sql=sql, params=[1],
                                                   cursor=first["next_cursor"])
        assert "not one" in reader.error("execute_sql", sql=sql, params=[0], cursor="e30")
        error = reader.error("execute_sql", sql="SELECT id, pg_sleep(1) FROM p", cursor="e30")
        assert "not one" in error
    finally:
        postgres.psql("DROP TABLE p")


def test_data_stands_in_a_fence_that_nobody_knows(reader):
    one = reader.ok("execute_sql", sql="SELECT 1")
    two = reader.ok("execute_sql", sql="SELECT 1")
    assert list(one)[0] == "data_begins" and list(one)[-1] == "data_ends"
    assert one["data_begins"] == one["data_ends"] != two["data_begins"]
    assert "data_begins" in reader.hello["instructions"]


def test_bytes_have_a_bound_of_the_call(reader):
    got = reader.ok("execute_sql", sql="SELECT repeat('x', 100) FROM generate_series(1, 50)",
                    max_bytes=1000)
    assert got["truncated"] and 5 <= got["row_count"] < 10


def test_time_has_a_bound(reader):
    slow = "SELECT count(*) FROM generate_series(1, 100000000000) a"
    assert reader.error("execute_sql", sql=slow, timeout_ms=200)["code"] == "57014"
    assert reader.ok("execute_sql", sql="SELECT 1")["rows"] == [[1]]


def test_errors_say_where_in_the_text_that_came(reader):
    error = reader.error("execute_sql", sql="SELECT lower(name), 'é', nope FROM t_acct")
    assert (error["code"], error["position"]) == ("42703", 26)
    error = reader.error("execute_sql", sql="SELECT 'é', pg_sleep(1)")
    assert (error["code"], error["node"], error["position"]) == ("GUARD_FUNCTION", "FuncCall", 13)
    assert error["hint"]
    error = reader.error("explain_query", sql="SELECT nope FROM t_acct")
    assert (error["code"], error["position"]) == ("42703", 8)


def test_plans(reader):
    plan = reader.ok("explain_query", sql="SELECT * FROM t_ord WHERE qty > $1", params=[5],
                     analyze=True, buffers=True)["plan"]
    assert plan[0]["Plan"]["Actual Rows"] > 0
    got = reader.ok("explain_query", sql="SELECT * FROM generate_series(1, 20000) g WHERE g = 7",
                    analyze=True)
    assert {f["kind"] for f in got["findings"]} >= {"hot_node", "misestimate"}
    assert reader.error("explain_query", sql="DELETE FROM t_ord")["code"] == "GUARD_STATEMENT"
    assert reader.error("explain_query", sql="SELECT 1; DROP TABLE t_ord")["code"] == "GUARD_COUNT"


G = "SELECT * FROM generate_series(1, 20000) g"


@pytest.mark.parametrize("sql, told", [
    (f"{G} LIMIT 3", False),  # it was left, not wrong
    (f"{G} ORDER BY g DESC LIMIT 3", False),
    (f"SELECT 1 WHERE EXISTS ({G})", False),
    (f"{G} WHERE g % 7000 = 1 LIMIT 9", False),
    (f"{G} WHERE g = 7 ORDER BY g LIMIT 90", True),  # the sort read all there is
    (f"SELECT count(*) FROM ({G} WHERE g = 7) s LIMIT 1", True),
    ("SELECT * FROM generate_series(1, (SELECT 90000)) g LIMIT 80000", True)],  # more than expected
    ids=["limit", "top", "exists", "few", "sorted", "counted", "more"])
def test_what_was_left_early_is_no_misestimate(reader, sql, told):
    kinds = [f["kind"] for f in reader.ok("explain_query", sql=sql, analyze=True)["findings"]]
    assert ("misestimate" in kinds) is told


def test_indexes_that_are_only_supposed(postgres, reader):
    big = "SELECT * FROM big WHERE k = 77"
    index = {"table": "big", "columns": ["k"]}
    postgres.psql("CREATE TABLE big AS SELECT g AS id, g % 5000 AS k, 'x'::text AS v "
                  "FROM generate_series(1, 50000) g; ANALYZE big; GRANT SELECT ON big TO mcp_ro")
    try:
        got = reader.ok("explain_query", sql=big)
        assert got["plan"][0]["Plan"]["Node Type"] == "Seq Scan"
        assert "missing_index" in {f["kind"] for f in got["findings"]}
        assert "HypoPG" in reader.error("explain_query", sql=big, hypothetical_indexes=[index])
        postgres.psql("CREATE SCHEMA \"Hy po\"; CREATE EXTENSION hypopg SCHEMA \"Hy po\";"
                      "GRANT USAGE ON SCHEMA \"Hy po\" TO mcp_ro")
        got = reader.ok("explain_query", sql=big, hypothetical_indexes=[index])
        assert "hypothetical_index" in {f["kind"] for f in got["findings"]}
        assert got["hypothetical_indexes"] == ['CREATE INDEX ON "big" USING btree ("k")']
        for _ in range(6):  # no connection of the pool has kept it
            plan = reader.ok("explain_query", sql=big)["plan"]
            assert plan[0]["Plan"]["Node Type"] == "Seq Scan"
        evil = {"table": 'big" (k); DROP TABLE big; --', "columns": ["k"]}
        assert reader.error("explain_query", sql=big, hypothetical_indexes=[evil])["code"] == "42P01"
        assert "leave out" in reader.error("explain_query", sql=big, analyze=True,
                                           hypothetical_indexes=[index])
        assert postgres.psql("SELECT count(*) FROM big") == "50000"
    finally:
        postgres.psql("DROP TABLE big; DROP EXTENSION IF EXISTS hypopg CASCADE; "
                      "DROP SCHEMA IF EXISTS \"Hy po\"")


def test_structure(postgres, reader):
    postgres.psql("""
        CREATE SCHEMA "Mixed Case";
        CREATE TABLE "Mixed Case"."Order Lines" (
            "Id" int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, acct int REFERENCES public.t_acct (id),
            net numeric NOT NULL DEFAULT 0 CHECK (net >= 0),
            gross numeric GENERATED ALWAYS AS (net * 1.19) STORED);
        COMMENT ON COLUMN "Mixed Case"."Order Lines".net IS 'without the tax';
        GRANT USAGE ON SCHEMA "Mixed Case" TO mcp_ro;
    """)
    try:
        names = [s["name"] for s in reader.ok("list_schemas")["schemas"]]
        assert "Mixed Case" in names and "public" in names and "pg_toast" not in names
        objects = reader.ok("list_objects", schema="Mixed Case", kind="table")["objects"]
        assert [o["name"] for o in objects] == ["Order Lines"]
        listed = reader.ok("list_objects", limit=2)
        assert (len(listed["objects"]), listed["more"]) == (2, True)
        table = reader.ok("describe_table", schema="Mixed Case", name="Order Lines")
        columns = {c["name"]: c for c in table["columns"]}
        assert columns["Id"]["identity"] == "always"
        assert table["constraints"][-1]["kind"] == "primary key"
        key = [c for c in table["constraints"] if c["kind"] == "foreign key"][0]
        assert key["columns"] == ["acct"] and key["references"]["table"] == "t_acct"
        assert table["sizes"]["indexes"] > 0 and "live_rows" in table["statistics"]
        assert columns["net"]["comment"] == "without the tax"
        assert columns["net"]["nullable"] is False and columns["net"]["default"] == "0"
        assert "1.19" in columns["gross"]["generated"]
        assert {c["kind"] for c in table["constraints"]} == {"primary key", "foreign key", "check"}
        acct = reader.ok("describe_table", name="t_acct")
        assert not [c for c in acct["columns"] if None in c.values()] and None not in acct.values()
        said = {c["name"]: c["statistics"] for c in acct["columns"]}
        assert said["id"] == "no nulls, all values differ, 4 bytes on average, stored in its order"
        assert "about 1 value, " in said["tags"] and "100.0% nulls" in said["parent"]
        text = reader.call("describe_table", name="t_acct")["content"][0]["text"]
        assert '": ' not in text and '" : ' not in text and ":null" not in text
        assert '"Mixed Case"."Order Lines"' in {r["table"] for r in acct["referenced_by"]}
        assert reader.ok("describe_table", name="Order Lines")["schema"] == "Mixed Case"
        found = reader.ok("search_objects", query="TAX")["matches"]
        assert [(m["name"], m["column"]) for m in found] == [("Order Lines", "net")]
        assert "no such table" in reader.error("describe_table", name="order lines")
        functions = reader.ok("list_objects", kind="function", contains="F_WRITE")["objects"]
        assert [f["name"] for f in functions] == ["f_write()", "f_write(t_acct)"]
        assert "hypopg" not in [e["name"] for e in reader.ok("list_objects", kind="extension")["objects"]]
    finally:
        postgres.psql('DROP SCHEMA "Mixed Case" CASCADE')


def test_many_calls_at_once(reader):
    ids = [reader.send("tools/call", {"name": "execute_sql", "arguments": {
        "sql": "SELECT $1::int", "params": [n]}}) for n in range(60)]
    for n, number in enumerate(ids):
        assert reader.wait(number)["result"]["structuredContent"]["rows"] == [[n]]


def test_a_database_that_is_not_there():
    with Server("postgresql://nobody:secret-word@127.0.0.1:1/none") as server:
        for _ in range(2):
            error = server.error("execute_sql", sql="SELECT 1")
            assert "refused" in error
            assert "127.0.0.1" not in error and "secret-word" not in error
        assert "secret-word" not in "".join(server.log)


def test_connections_that_break_are_replaced(postgres):
    with Server(postgres.dsn()) as server:
        assert server.ok("execute_sql", sql="SELECT 1")["rows"] == [[1]]
        postgres.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                      "WHERE usename = 'mcp_ro'")
        answers = [server.call("execute_sql", sql="SELECT 1")["isError"] for _ in range(3)]
        assert answers[-1] is False


# --- modes that write ---

@pytest.fixture
def written(postgres):
    postgres.psql("CREATE TABLE w (id int PRIMARY KEY, v text); "
                  "INSERT INTO w SELECT g, 'a' FROM generate_series(1, 20) g")
    yield postgres
    postgres.psql("DROP TABLE w")


def test_a_change_is_committed_within_the_cap(written):
    with Server(written.dsn("postgres"), "--mode", "dml", "--max-affected", 5) as server:
        assert "mode dml" in server.hello["instructions"]
        done = server.ok("execute_sql", sql="UPDATE w SET v = $1 WHERE id <= 5 RETURNING id",
                         params=["b"])
        assert (done["row_count"], done["command"]) == (5, "UPDATE 5")
        assert written.psql("SELECT count(*) FROM w WHERE v = 'b'") == "5"
        error = server.error("execute_sql", sql="DELETE FROM w")
        assert "rolled back" in error and "20 rows" in error
        error = server.error("execute_sql", sql="INSERT INTO w VALUES (1, 'x')")
        assert error["code"] == "23505"
        assert server.error("execute_sql", sql="DROP TABLE w")["code"] == "GUARD_STATEMENT"
        server.ok("explain_query", sql="DELETE FROM w", analyze=True)
        assert written.psql("SELECT count(*) FROM w") == "20"
        # Reading goes on in a transaction that cannot write.
        rows = server.ok("execute_sql", sql="SHOW transaction_read_only")["rows"]
        assert rows == [["on"]]


def test_the_database_at_a_glance(postgres, reader):
    got = reader.ok("database_overview")
    assert got["database"] == "postgres" and got["role"] == "mcp_ro" and "settings" not in str(got)
    assert got["schemas"]["public"] >= 2 and "pg_trgm" in got["extensions"]
    assert got["connections"]["most"] == 40 and got["standby"] is False
    for group, name, never in [("memory", "work_mem", "data_directory"),
                               ("autovacuum", "autovacuum_naptime", "log_directory"),
                               ("planner", "random_page_cost", "jit_provider"),
                               ("wal", "max_wal_size", "archive_command"),
                               ("timeouts", "statement_timeout", "primary_conninfo")]:
        settings = {s["name"]: s for s in reader.ok("database_overview", settings=group)["settings"]}
        assert name in settings and never not in settings and settings[name]["does"], group
    told = {s["name"]: s for s in reader.ok("database_overview", settings="autovacuum")["settings"]}
    assert told["autovacuum"]["value"] == "off" and told["autovacuum"]["default"] == "on"
