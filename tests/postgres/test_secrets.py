# SPDX-License-Identifier: Apache-2.0
"""A secret stands wherever PostgreSQL keeps one, and no answer of any tool, resource or statement
has it; and each column of the catalogue that could hold one was judged."""

import subprocess

import pytest
from gateway import patient

from conftest import Server, bin_folder, lines_of

SECRET = "kanary"
# A statement that looks for it does not have it itself.
LOOKS = "ILIKE '%kan' || 'ary%'"

# Text of the catalogue, but for words of a fixed list: what any session may write there.
COLUMNS = """
    SELECT n.nspname || '.' || c.relname || '.' || a.attname FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_type t ON t.oid = a.atttypid
    WHERE (n.nspname IN ('pg_catalog', 'information_schema') OR c.relname ~ '^pg_stat_statements')
    AND c.relkind IN ('r', 'v', 'f') AND a.attnum > 0
    AND ((t.typcategory = 'S' AND t.typname NOT IN ('name', 'char', 'sql_identifier', 'yes_or_no'))
         OR t.typname IN ('_text', 'bytea', 'anyarray', 'json', 'jsonb', 'xml', 'pg_node_tree',
                          '_pg_node_tree'))"""


def check_columns(postgres):
    judged = {name for name, _ in lines_of("columns.tsv")}
    columns = postgres.psql(COLUMNS).splitlines()
    assert len(columns) > 200
    assert not set(columns) - judged


def test_every_column_was_judged(postgres):
    check_columns(postgres)


@pytest.fixture(scope="module")
def planted(postgres):
    postgres.psql("""
        CREATE EXTENSION IF NOT EXISTS pg_stat_statements; SELECT pg_stat_statements_reset();
        CREATE ROLE can_1 PASSWORD 'kanary-password'; ALTER ROLE can_1 PASSWORD 'kanary-again';
        ALTER ROLE can_1 SET app.key = 'kanary-role'; ALTER ROLE mcp_ro SET app.key = 'kanary-own';
        ALTER DATABASE postgres SET app.key = 'kanary-database';
        ALTER SYSTEM SET primary_conninfo = 'host=x password=kanary-conninfo';
        ALTER SYSTEM SET archive_command = 'kanary-command'; SELECT pg_reload_conf();
        CREATE FOREIGN DATA WRAPPER can_w OPTIONS (token 'kanary-wrapper');
        CREATE SERVER can_s FOREIGN DATA WRAPPER can_w OPTIONS (token 'kanary-server');
        CREATE USER MAPPING FOR PUBLIC SERVER can_s OPTIONS (password 'kanary-mapping');
        CREATE FOREIGN TABLE can_t (a text OPTIONS (token 'kanary-column')) SERVER can_s
            OPTIONS (token 'kanary-table');
        CREATE SUBSCRIPTION can_n CONNECTION 'host=x password=kanary-subscription' PUBLICATION p
            WITH (connect = false, slot_name = NONE);
        CREATE TABLE can_v (id int PRIMARY KEY, a text, b text);
        INSERT INTO can_v SELECT g, 'kanary-value', 'kanary-' || g % 9 FROM generate_series(1, 500) g;
        ALTER TABLE can_v ADD COLUMN c text DEFAULT 'kanary-missing';
        ALTER TABLE can_v ALTER COLUMN c DROP DEFAULT;
        CREATE STATISTICS can_e (mcv) ON a, b FROM can_v; ANALYZE can_v;
        SELECT lo_from_bytea(77077, 'kanary-object');
        CREATE TABLE can_o (id int PRIMARY KEY, a int); INSERT INTO can_o VALUES (1, 1);
        GRANT SELECT ON can_o TO mcp_ro; SELECT a INTO can_i FROM can_v WHERE a = 'kanary-into';
        GRANT pg_monitor TO mcp_ro""")
    other = subprocess.Popen(
        [str(bin_folder() / "psql"), "-X", "-q", "-h", "127.0.0.1", "-p", str(postgres.port), "-U",
         "postgres", "postgres"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    other.stdin.write("SET application_name = 'other';\\echo ready\nBEGIN; SELECT 'kanary-activity';\n")
    other.stdin.flush()
    assert other.stdout.readline() == "ready\n"
    yield postgres
    other.stdin.close()
    other.wait(timeout=patient(60))
    postgres.psql("""
        REVOKE pg_monitor FROM mcp_ro; DROP SUBSCRIPTION can_n; DROP TABLE can_v, can_o, can_i;
        DROP FOREIGN DATA WRAPPER can_w CASCADE; DROP ROLE can_1; SELECT lo_unlink(77077);
        ALTER ROLE mcp_ro RESET app.key; ALTER DATABASE postgres RESET app.key;
        SELECT pg_stat_statements_reset()""")
    postgres.psql("ALTER SYSTEM RESET primary_conninfo")
    postgres.psql("ALTER SYSTEM RESET archive_command; SELECT pg_reload_conf()")


def test_it_stands_there(planted):
    """What follows would pass on a database without it."""
    for sql in ["SELECT rolconfig FROM pg_roles", "SELECT query FROM pg_stat_statements",
                "SELECT query FROM pg_stat_activity", "SELECT umoptions FROM pg_user_mapping",
                "SELECT attfdwoptions FROM pg_attribute", "SELECT attmissingval FROM pg_attribute",
                "SELECT subconninfo FROM pg_subscription", "SELECT setting FROM pg_settings",
                "SELECT option_value FROM information_schema.column_options"]:
        assert SECRET in planted.psql(sql + ";"), sql


def test_what_is_no_secret_is_told(planted):
    """The views stay of use: rows, counters, and the texts of what is planned."""
    planted.psql("CREATE VIEW can_w AS SELECT query FROM pg_stat_statements; "
                 "CREATE VIEW can_x AS SELECT calls FROM pg_stat_statements; "
                 "CREATE VIEW can_y AS SELECT * FROM pg_roles; GRANT SELECT ON can_w, can_x, can_y TO mcp_ro")
    try:
        with Server(planted.dsn()) as server:
            server.ok("execute_sql", sql="SELECT count(*) FROM can_o WHERE a = 5")
            rows = server.ok("execute_sql", sql="SELECT query, calls FROM pg_stat_statements s "
                             "ORDER BY calls DESC")["rows"]
            texts = [r[0] for r in rows]
            assert any("FROM can_o WHERE a = $1" in t for t in texts)
            assert sum("not shown" in t for t in texts) >= 5
            assert not [t for t in texts if t.upper().startswith(("CREATE", "ALTER"))]
            roles = server.ok("execute_sql", sql="SELECT * FROM pg_roles r JOIN pg_user u "
                              "ON u.usesysid = r.oid WHERE rolname = 'mcp_ro'")
            row = dict(zip([c["name"] for c in roles["columns"]], roles["rows"][0]))
            assert row["rolcanlogin"] is True and row["rolconfig"] is None is row["useconfig"]
            for view, code in (("can_w", "GUARD_VIEW"), ("can_y", "GUARD_VIEW")):
                assert server.error("execute_sql", sql=f"SELECT * FROM {view}")["code"] == code
            server.ok("execute_sql", sql="SELECT * FROM can_x")
    finally:
        planted.psql("DROP VIEW can_w, can_x, can_y")


def relations(postgres):
    """Each relation with what of it is text."""
    for line in postgres.psql(f"""
            SELECT n.nspname || '.' || c.relname || '|' || coalesce(string_agg(a.attname, '|')
                FILTER (WHERE n.nspname || '.' || c.relname || '.' || a.attname IN ({COLUMNS})), '')
            FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
            JOIN pg_namespace n ON n.oid = c.relnamespace WHERE a.attnum > 0
            AND (n.nspname IN ('pg_catalog', 'information_schema') OR c.relname ~ '^pg_stat_stat')
            AND c.relkind IN ('r', 'v') AND c.relname <> 'element_types' -- a view of minutes
            GROUP BY n.nspname, c.relname""").splitlines():
        name, *columns = line.split("|")
        yield name, [c for c in columns if c]


@pytest.mark.parametrize("role", ["mcp_ro", "postgres"])
def test_no_statement_reads_it(planted, role):
    found, ran = [], 0
    with Server(planted.dsn(role), "--statement-timeout", "20s") as server:
        for name, columns in relations(planted):
            forms = [f"SELECT to_json(t)::text FROM {name} AS t WHERE t::text {LOOKS}",
                     f"SELECT * FROM {name} LIMIT 300",
                     *(f"SELECT {c}::text FROM {name} WHERE {c}::text {LOOKS}" for c in columns)]
            for sql in forms:
                result = server.call("execute_sql", sql=sql)
                ran += not result["isError"]
                if SECRET in str(result) or str(planted.folder) in str(result):
                    found.append(sql)
    assert not found
    assert ran > 400


# What each tool is asked; a tool that has no line here fails the test.
ASKED = {
    "execute_sql": [{"sql": "SHOW ALL"}, {"sql": "SHOW archive_command"},
                    {"sql": "SELECT current_setting('app.key', true)"},
                    {"sql": "SELECT lo_get(77077)"}, {"sql": "SELECT loread(lo_open(77077, 262144), 99)"},
                    {"sql": "SELECT pg_get_userbyid(10), pg_describe_object('pg_class'::regclass, 1259, 0)"}],
    "explain_query": [{"sql": "SELECT * FROM can_o", "settings": True, "analyze": True}],
    "list_schemas": [{}],
    "database_overview": [{}] + [{"settings": group} for group in (
        "memory", "autovacuum", "planner", "wal", "timeouts")],
    "list_objects": [{}, {"schema": "pg_catalog"}, {"kind": "foreign table"}, {"kind": "extension"}],
    "search_objects": [{"query": "can_"}, {"query": SECRET[:3]}],
    "describe_table": [{"table": t, "schema": "public"} for t in ("can_v", "can_t", "can_o")] +
                      [{"table": t, "schema": "pg_catalog"}
                       for t in ("pg_roles", "pg_subscription", "pg_user_mappings")],
    "select_rows": [{"table": t, "schema": "pg_catalog"}
                    for t in ("pg_roles", "pg_user", "pg_shadow", "pg_settings", "pg_stat_activity",
                              "pg_db_role_setting", "pg_subscription", "pg_foreign_server")] +
                   [{"table": "pg_stat_statements"}, {"table": "can_t"}],
    "count_rows": [{"table": "pg_roles", "schema": "pg_catalog"}],
    "top_queries": [{"limit": 100}],
    "analyze_health": [{}],
    "advise_indexes": [{}, {"queries": ["SELECT * FROM can_o WHERE a = 1"]}],
    "list_activity": [{}, {"limit": 100}],
    "list_locks": [{}],
    "insert_rows": [{"table": "can_o", "rows": [{"id": 2}], "preview": True}],
    "update_rows": [{"table": "can_o", "set": {"a": 2}, "preview": True,
                     "filter": {"column": "id", "op": "eq", "value": 1}}],
    "delete_rows": [{"table": "can_o", "preview": True,
                     "filter": {"column": "id", "op": "eq", "value": 1}}],
    "upsert_rows": [{"table": "can_o", "rows": [{"id": 1, "a": 3}], "preview": True}],
    "cancel_query": [{"pid": 1}],
    "terminate_backend": [{"pid": 1}],
}


@pytest.mark.parametrize("role", ["mcp_ro", "postgres"])
def test_no_answer_has_it(planted, role):
    mode = "admin" if role == "postgres" else "read-only"
    with Server(planted.dsn(role), "--mode", mode) as server:
        answers = [("instructions", server.hello["instructions"])]
        tools = [t["name"] for t in server.request("tools/list")["result"]["tools"]]
        assert len(tools) == (20 if mode == "admin" else 14)
        for tool in tools:
            answers += [(tool, server.call(tool, **words)) for words in ASKED[tool]]
        listed = server.request("resources/list")["result"]
        answers.append(("resources", listed))
        for uri in [r["uri"] for r in listed["resources"]] + ["postgres://postgres/-/metrics"] + [
                f"postgres://postgres/pg_catalog/{t}" for t in ("pg_roles", "pg_subscription")]:
            answers.append((uri, server.request("resources/read", {"uri": uri})))
        answers += [(p, server.request("prompts/get", {"name": p, "arguments": {}}))
                    for p in ("explore_database", "explain_plan", "design_index")]
        answers.append(("completion", server.request("completion/complete", {
            "ref": {"type": "ref/resource", "uri": "postgres://{db}/{schema}/{table}"},
            "argument": {"name": "table", "value": "can"}})))
    assert not [what for what, answer in answers if SECRET in str(answer)]
