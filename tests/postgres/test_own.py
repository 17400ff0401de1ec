# SPDX-License-Identifier: Apache-2.0
"""Tools, resources, prompts and processors from a file; the worked examples of the documentation."""

import pathlib
import subprocess

import pytest
from gateway import binary, patient

from conftest import Server, lines_of

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples" / "postgres"


def served(postgres, tmp_path, text, *words, user="mcp_ro", env=None):
    path = tmp_path / "definitions.yaml"
    path.write_text(text)
    return Server(postgres.dsn(user), "--definitions", path, *words, env=env)


def refused(postgres, tmp_path, text):
    """What the program says when it does not start."""
    path = tmp_path / "definitions.yaml"
    path.write_text(text)
    ran = subprocess.run([str(binary()), "mcp", "postgres", "--definitions", str(path), "--dsn",
                          postgres.dsn()], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                         timeout=patient(60))
    assert ran.returncode != 0
    return ran.stderr


def test_the_example_gives_tools_resources_and_prompts(postgres, tmp_path):
    with served(postgres, tmp_path, (EXAMPLES / "definitions.yaml").read_text()) as server:
        tools = {t["name"]: t for t in server.request("tools/list")["result"]["tools"]}
        tool = tools["orders_of_account"]
        assert tool["inputSchema"]["required"] == ["account"]
        assert tool["inputSchema"]["properties"]["account"]["type"] == "integer"
        assert tool["annotations"]["readOnlyHint"] is True
        got = server.ok("orders_of_account", account=3, max_rows=4)
        assert got["row_count"] == 4 and got["truncated"]
        more = server.ok("orders_of_account", account=3, cursor=got["next_cursor"])
        assert not {row[0] for row in more["rows"]} & {row[0] for row in got["rows"]}
        evil = "1 OR 1=1; DROP TABLE t_ord"
        assert "integer" in server.error("orders_of_account", account=evil)
        assert "extra" in server.error("orders_of_account", account=1, extra=2)
        uris = [r["uri"] for r in server.request("resources/list")["result"]["resources"]]
        assert "postgres://postgres/-/totals" in uris
        read = server.request("resources/read", {"uri": "postgres://postgres/-/totals"})["result"]
        assert '"rows":[[' in read["contents"][0]["text"]
        prompts = [p["name"] for p in server.request("prompts/list")["result"]["prompts"]]
        assert "review_account" in prompts
        text = server.request("prompts/get", {"name": "review_account", "arguments": {
            "account": "7"}})["result"]["messages"][0]["content"]["text"]
        assert "account 7" in text
        without = server.request("prompts/get", {"name": "review_account"})["error"]
        assert without["message"] == "review_account needs the argument account"


@pytest.mark.parametrize("text, why", [
    ("tools: [{name: a, description: d, sql: DROP TABLE t_ord}]", "refused"),
    ("tools: [{name: a, description: d, sql: SELECT pg_sleep(1)}]", "pg_sleep"),
    ("tools: [{name: a, description: d, sql: 'SELECT $1'}]", "fewer parameters"),
    ("tools: [{name: execute_sql, description: d, sql: SELECT 1}]", "of that name"),
    ("tools: [{name: 'a b', description: d, sql: SELECT 1}]", "letters"),
    ("tools: [{name: a, description: d, sql: SELECT 1, parameters: [{name: cursor}]}]", "cursor"),
    ("prompts: [{name: explain_plan, text: x}]", "prompts: explain_plan: there is a prompt"),
    ("prompts: [{name: mine}]", "a name and a text"),
    ("prompts: [{name: mine, text: x, arguments: [{required: true}]}]", "an argument needs a name"),
    ("tool: []", "unknown key"), ("processors: [{relaton: a.b}]", "unknown key"),
    ("processors: [{relation: t_ord}]", "schema.name"),
    ("processors: [{relation: a.b, where: {tenant: {nothing: x}}}]", "{key: name}"),
    ("processors: [{relation: a.b, where: {}}]", "no column"),
    ("processors: [{plugin: {file: /nowhere.so}}]", "plug-in"), ("tools: [", "definitions.yaml"),
])
def test_what_cannot_be_right_stops_the_start(postgres, tmp_path, text, why):
    assert why in refused(postgres, tmp_path, text)


def test_tools_that_write_say_so_and_keep_the_cap(postgres, tmp_path):
    text = """
tools:
  - {name: lower_price, description: d, sql: "UPDATE t_ord SET price = price * $1",
     parameters: [{name: factor, type: number, pg_type: numeric}]}
"""
    with served(postgres, tmp_path, text, "--mode", "dml", "--max-affected", 5,
                user="postgres") as server:
        tools = {t["name"]: t for t in server.request("tools/list")["result"]["tools"]}
        assert tools["lower_price"]["annotations"]["destructiveHint"] is True
        assert "200 rows" in server.error("lower_price", factor=0.5)


NARROW = """
processors:
  - relation: public.t_acct
    columns: [id, name, bal, parent]
    mask: {name: "***"}
    where: {parent: {env: TENANT}}
  - relation: public.t_ord
    instead: public.mine
"""


@pytest.fixture
def tenants(postgres):
    postgres.psql("CREATE VIEW mine AS SELECT id, qty FROM t_ord WHERE qty <= 3;"
                  "GRANT SELECT ON mine TO mcp_ro; UPDATE t_acct SET parent = 1 + id % 2")
    yield postgres
    postgres.psql("UPDATE t_acct SET parent = NULL; DROP VIEW mine")


def test_a_table_is_narrowed_wherever_it_stands(tenants, tmp_path):
    with served(tenants, tmp_path, NARROW, env={"TENANT": "1"}) as server:
        def rows(sql, **more):
            return server.ok("execute_sql", sql=sql, **more)["rows"]

        assert {r[1] for r in rows("SELECT id, name FROM t_acct")} == {"***"}
        assert len(rows("SELECT * FROM public.t_acct a")) == 10
        assert {r[0] for r in rows('SELECT t_acct.parent FROM "t_acct"')} == {1}
        for sql in ("SELECT count(*) FROM t_acct", 'SELECT count(*) FROM"public"."t_acct"',
                    "SELECT count(*) FROM t_acct AS x(a, b, c, d)",
                    "WITH q AS (SELECT * FROM t_acct) SELECT count(*) FROM q",
                    "SELECT (SELECT count(*) FROM t_acct)",
                    "SELECT count(*) FROM (SELECT 1 FROM t_acct UNION ALL SELECT 1 FROM t_acct WHERE false) u",
                    "SELECT count(*) FROM t_ord o RIGHT JOIN t_acct a ON false"):
            got = rows(sql)
            assert len(got) == 1 and got[0][0] in (10, 20, 18, 19), (sql, got)
        assert rows("SELECT max(qty), count(*) FROM t_ord") == [[3, 3]]
        assert server.ok("count_rows", table="t_acct")["count"] == 10
        assert server.ok("select_rows", table="t_acct", columns=["name"], max_rows=1)["rows"] == [["***"]]
        assert "tags" in str(server.error("execute_sql", sql="SELECT tags FROM t_acct"))
        plan = str(server.ok("explain_query", sql="SELECT * FROM t_acct")["plan"])
        assert "parent" in plan


@pytest.mark.parametrize("sql", [
    "SELECT * FROM ONLY t_acct", "TABLE/**/t_acct", 'SELECT * FROM U&"t\\005facct"', "SELECT * FROM postgres.public.t_acct",
    "SELECT * FROM public . t_acct", "SELECT * FROM public/**/.t_acct", "SELECT * FROM t_acct *",
    "SELECT * FROM public.t_acct TABLESAMPLE SYSTEM (100)",
    "SELECT most_common_vals FROM pg_stats WHERE tablename = 't_acct'",
    "SELECT * FROM t_acct FOR UPDATE", "SELECT f_row(t_acct) FROM t_acct",
])
def test_what_cannot_be_narrowed_for_sure_is_refused(tenants, tmp_path, sql):
    with served(tenants, tmp_path, NARROW, env={"TENANT": "1"}) as server:
        result = server.call("execute_sql", sql=sql)
        assert result["isError"], result
        if "FOR UPDATE" not in sql and "f_row" not in sql:  # these are the guard's
            assert "is narrowed" in result["content"][0]["text"]


# statement, and its rows where the table has 20 rows and 10 of them are shown
SCOPES = [
    ("WITH t_acct AS (SELECT 99 AS id, 'x' AS name) SELECT id, name FROM t_acct", [[99, "x"]]),
    ("WITH t_acct AS (SELECT * FROM t_acct WHERE id < 5) SELECT count(*) FROM t_acct", [[2]]),
    ("WITH t_acct AS (SELECT * FROM public.t_acct) SELECT count(*) FROM t_acct", [[10]]),
    ("WITH t_acct AS (SELECT 1) SELECT (SELECT count(*) FROM public.t_acct), count(*) FROM t_acct",
     [[10, 1]]),
    ("WITH q AS (SELECT count(*) AS n FROM t_acct), t_acct AS (SELECT 1) "
     "SELECT n, (SELECT count(*) FROM t_acct) FROM q", [[10, 1]]),
    ("WITH RECURSIVE t_acct(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t_acct WHERE n < 30) "
     "SELECT count(*) FROM t_acct", [[30]]),
    ("WITH RECURSIVE q AS (SELECT count(*) AS n FROM t_acct), t_acct AS (SELECT 1) "
     "SELECT n FROM q", [[1]]),
    ("SELECT (WITH t_acct AS (SELECT 1) SELECT count(*) FROM t_acct), count(*) FROM t_acct",
     [[1, 10]]),
    ("SELECT count(*) FROM t_acct UNION ALL (WITH t_acct AS (SELECT 1) SELECT count(*) FROM t_acct) "
     "ORDER BY 1", [[1], [10]]),
    ("WITH t_acct AS (SELECT 1) SELECT 1 UNION ALL SELECT count(*) FROM t_acct", [[1], [1]]),
    ("WITH a AS (WITH t_acct AS (SELECT 1) SELECT count(*) AS n FROM t_acct) "
     "SELECT n, (SELECT count(*) FROM t_acct) FROM a", [[1, 10]]),
    ("SELECT count(*) FROM (TABLE t_acct) q", [[10]]),
    ("table public.t_acct ORDER BY id LIMIT 0", []),
    ("SELECT count(*) FROM (SELECT 1 AS \"table\") x, t_acct", [[10]]),
]


@pytest.mark.parametrize("sql, rows", SCOPES)
def test_names_of_with_are_what_they_name(tenants, tmp_path, sql, rows):
    with served(tenants, tmp_path, NARROW, env={"TENANT": "1"}) as server:
        assert server.ok("execute_sql", sql=sql)["rows"] == rows


HIDDEN = """
processors:
  - relation: people.staff
    columns: [id, name]
  - relation: people.pay
    instead: people.pay_shown
"""


def test_columns_that_are_not_shown_are_told_nowhere(postgres, tmp_path):
    postgres.psql("""
        CREATE SCHEMA people; SET search_path = people;
        CREATE TABLE staff (id int PRIMARY KEY, name text, wage_cat int UNIQUE,
            wage_sum int GENERATED ALWAYS AS (wage_cat * 2) STORED, CHECK (wage_cat > 0));
        CREATE INDEX ON staff (wage_cat, id); CREATE INDEX ON staff (lower(name)) WHERE wage_cat > 3;
        CREATE INDEX staff_name ON staff (name);
        CREATE TABLE pay (id int, wage_raw int REFERENCES staff (wage_cat));
        CREATE VIEW pay_shown AS SELECT id FROM pay;
        CREATE VIEW other AS SELECT s.id, s.wage_cat AS x FROM staff s;
        CREATE VIEW fine AS SELECT s.id FROM staff s;
        CREATE FUNCTION seen() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER a BEFORE UPDATE OF wage_cat ON staff FOR EACH ROW EXECUTE FUNCTION seen();
        ALTER TABLE staff ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON staff USING (wage_cat < 9);
        COMMENT ON COLUMN staff.wage_sum IS 'what she earns';
        GRANT USAGE ON SCHEMA people TO mcp_ro;
        GRANT SELECT ON ALL TABLES IN SCHEMA people TO mcp_ro;
        SELECT public.pg_stat_statements_reset(); SELECT * FROM staff WHERE wage_cat = 5;
        GRANT pg_read_all_stats TO mcp_ro""")
    try:
        with served(postgres, tmp_path, HIDDEN) as server:
            said = [server.hello["instructions"], server.ok("search_objects", query="wage"),
                    server.ok("search_objects", query="earns")]
            for table in ("staff", "pay", "other", "fine"):
                said.append(server.ok("describe_table", schema="people", table=table))
                said.append(server.request("resources/read", {
                    "uri": f"postgres://postgres/people/{table}"}))
            said.append(server.error("select_rows", schema="people", table="staff",
                                     columns=["nope"]))
            said.append(server.error("select_rows", schema="people", table="pay", columns=["nope"]))
            assert [s for s in said if "wage" in str(s) or "earns" in str(s)] == []
            assert "people.staff: id PK, name" in said[0] and "people.pay: id" in said[0]
            indexes = {i["name"] for i in said[3]["indexes"]}
            assert indexes == {"people.staff_pkey", "people.staff_name"}
            said = [server.call(name, **words) for name, words in [
                ("top_queries", {"limit": 100}), ("advise_indexes", {}), ("list_activity", {}),
                ("database_overview", {}), ("list_objects", {"schema": "people"}),
                ("execute_sql", {"sql": "SELECT wag FROM people.staff"}),
                ("execute_sql", {"sql": "SELECT s.wag_cat FROM people.staff s"}),
                ("execute_sql", {"sql": "SELECT * FROM people.staff s"}),
                ("select_rows", {"schema": "people", "table": "pay"})]]
            assert [s for s in said if "wage" in str(s)] == []
            fine = server.ok("describe_table", schema="people", table="fine")
            assert "SELECT" in fine["view_definition"]
    finally:
        postgres.psql("DROP SCHEMA people CASCADE; REVOKE pg_read_all_stats FROM mcp_ro")


WHOLE = """
processors:
  - relation: public.t_acct
    columns: [id, name, bal, parent, tags, doc, created, d]
  - relation: public.t_ord
    columns: [id, acct_id, qty, price, at]
"""
MOVES = ("now(", "random", "clock", "timeofday", "current_", "localtime", "pg_stat", "uuid", "EXPLAIN",
         "statement_timestamp", "transaction_timestamp", "TABLESAMPLE", "pg_settings", "backend_pid",
         "pg_locks", "age(", "snapshot", "xact", "wal", "now'", "pg_ls", "txid", "xmin", "sslinfo",
         "pg_postmaster", "pg_conf", "pg_control", "gen_", "normal_rand", "today", "shared_blks")


def test_a_processor_that_narrows_nothing_changes_nothing(postgres, reader, tmp_path):
    statements = [s for name in ("legit.tsv", "legit-more.tsv") for s, _ in lines_of(name)
                  if not any(m.lower() in s.lower() for m in MOVES)]
    statements += [sql for sql, _ in SCOPES]
    compared, refused = 0, []
    with served(postgres, tmp_path, WHOLE) as server:
        for sql in statements:
            words = {"sql": sql, "params": ["n1"] if "$1" in sql else []}
            without = reader.call("execute_sql", **words)
            result = server.call("execute_sql", **words)
            if result["isError"] and "is narrowed" in result["content"][0]["text"]:
                refused.append(sql)
                continue
            assert result["isError"] == without["isError"], (sql, result["content"][0]["text"])
            if not result["isError"]:
                a, b = (r["structuredContent"] for r in (result, without))
                assert (a["rows"], [c["name"] for c in a["columns"]]) == (
                    b["rows"], [c["name"] for c in b["columns"]]), sql
                compared += 1
    assert compared > 300 and len(refused) < 12, refused


def test_without_the_variable_there_are_no_rows(tenants, tmp_path):
    with served(tenants, tmp_path, NARROW) as server:
        assert server.ok("execute_sql", sql="SELECT * FROM t_acct")["rows"] == []


def test_a_value_of_a_variable_is_never_sql(tenants, tmp_path):
    with served(tenants, tmp_path, NARROW.replace("parent: {env", "name: {env"),
                env={"TENANT": "x' OR 'a' = 'a"}) as server:
        assert server.ok("execute_sql", sql="SELECT * FROM t_acct")["rows"] == []


def test_what_is_narrowed_cannot_be_changed(tenants, tmp_path):
    with served(tenants, tmp_path, NARROW, "--mode", "dml", user="postgres",
                env={"TENANT": "1"}) as server:
        for sql in ("DELETE FROM t_acct WHERE id = 1", "UPDATE t_ord SET qty = 1 WHERE id = 1",
                    "INSERT INTO t_acct (id) VALUES (999)",
                    "WITH x AS (DELETE FROM t_acct WHERE id = 1 RETURNING 1) SELECT * FROM x",
                    "WITH t_acct AS (SELECT 1), x AS (DELETE FROM t_acct WHERE id = 1 RETURNING 1) "
                    "SELECT * FROM x"):
            assert server.call("execute_sql", sql=sql)["isError"], sql


def test_the_example_plug_in_refuses_rewrites_and_formats(postgres, tmp_path):
    made = tmp_path / "no_stars.so"
    source = EXAMPLES.parents[1] / "src"
    subprocess.run(["cc", "-std=c17", "-Wall", "-Werror", "-shared", "-fPIC", "-I", str(source), "-o",
                    str(made), str(EXAMPLES / "no_stars.c")], check=True)
    text = f"processors: [{{plugin: {{file: {made}, config: 'SECRET'}}}}]"
    with served(postgres, tmp_path, text) as server:
        assert "no_stars" in server.error("execute_sql", sql="SELECT * FROM t_ord")
        assert server.ok("execute_sql", sql="SELECT CURRENT_TENANT AS t")["rows"] == [["SECRET"]]
        assert server.ok("execute_sql", sql="SELECT 1")["checked_by"] == "no_stars"
        assert server.error("execute_sql", sql="SELECT pg_sleep(1)")["code"] == "GUARD_FUNCTION"
    assert "no_stars" in refused(postgres, tmp_path, text.replace("SECRET", ""))
