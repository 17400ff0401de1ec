# SPDX-License-Identifier: Apache-2.0
"""What the database has of its own is told by its name, what a caller writes is taken as it is
meant, and an error says what to do about it."""

import json

import jsonschema
import pytest

from conftest import Server


@pytest.fixture(scope="module")
def house(postgres):
    postgres.psql("""
        CREATE SCHEMA "House"; SET search_path = "House";
        CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE "My ""Poi""nt" AS (x int, y int);
        CREATE DOMAIN mail AS text CHECK (VALUE ~ '@'); CREATE DOMAIN work_mail AS mail;
        CREATE TABLE "My People" (id int PRIMARY KEY, feels mood, at "My ""Poi""nt", mail work_mail,
            moods mood[], tags text[]);
        INSERT INTO "My People" VALUES (1, 'ok', '(1,2)', 'a@x', '{ok,sad}', '{a,"b,c"}'),
            (2, NULL, NULL, 'b@y', NULL, NULL);
        CREATE TABLE bare (); CREATE TABLE base (a int); CREATE TABLE child (b int) INHERITS (base);
        CREATE TABLE "a.b" (c int);
        GRANT USAGE ON SCHEMA "House" TO mcp_ro;
        GRANT SELECT ON ALL TABLES IN SCHEMA "House" TO mcp_ro""")
    yield postgres
    postgres.psql('DROP SCHEMA "House" CASCADE')


TYPES = ["int4", '"House".mood', '"House"."My ""Poi""nt"', "text", '"House".mood[]', "text[]"]


def types_of(got):
    return [c["type"] for c in got["columns"]]


def test_types_of_the_database_have_their_names(house, reader):
    """Once asked they are known: the second time no statement more is sent."""
    sql = 'SELECT * FROM "House"."My People" ORDER BY id'
    for _ in range(2):
        got = reader.ok("execute_sql", sql=sql)
        assert types_of(got) == TYPES and got["row_count"] == 2
    oid = int(house.psql("""SELECT '"House".mood'::regtype::oid"""))
    assert got["columns"][1] == {"name": "feels", "type": TYPES[1], "oid": oid}
    assert types_of(reader.ok("select_rows", schema="House", table="My People")) == TYPES
    house.psql('ALTER TYPE "House".mood RENAME TO temper')
    try:
        with Server(house.dsn()) as server:
            assert types_of(server.ok("execute_sql", sql=sql))[1] == '"House".temper'
            part = server.ok("execute_sql", sql=sql, max_rows=1)  # its pages go on all the same
            rest = server.ok("execute_sql", sql=sql, max_rows=1, cursor=part["next_cursor"])
            assert types_of(rest)[1] == '"House".temper' and rest["rows"][0][0] == 2
    finally:
        house.psql('ALTER TYPE "House".temper RENAME TO mood')


LISTS = {
    "ANY": ("SELECT id FROM t_acct WHERE id = ANY ($1) ORDER BY id", [[1, 2, 3]], [[1], [2], [3]]),
    "ALL": ("SELECT id FROM t_acct WHERE id < ALL ($1)", [[2, 3]], [[1]]),
    "cast": ("SELECT ($1::text[])[2], $2::int", [["a", 'b,"c', None], 7], [['b,"c', 7]]),
    "unnest": ("SELECT * FROM unnest($1::int[])", [[3, None]], [[3], [None]]),
    "said": ("SELECT $1", [{"value": [[1, 2], [3, 4]], "type": "integer[]"}], [["{{1,2},{3,4}}"]]),
    "words": ("SELECT array_length($1::text[], 1), pg_typeof($2)::text",
              [[], {"value": ["x"], "type": "character varying[]"}],
              [[None, "character varying[]"]]),
    "json": ("SELECT $1::jsonb -> 1, $2 = ANY (ARRAY['[1]'])", [[1, [2]], [1]], [[[2], True]]),
}


@pytest.mark.parametrize("where", LISTS)
def test_a_list_is_an_array_where_one_is_wanted(reader, where):
    sql, params, rows = LISTS[where]
    assert reader.ok("execute_sql", sql=sql, params=params)["rows"] == rows
    assert reader.ok("explain_query", sql=sql, params=params)["plan"]


HINTS = [("SELECT nosuch FROM t_acct", [], "42703", "describe_table"),
         ("SELECT 1 FROM v_eivl", [], "42P01", "near names: public.v_evil"),
         ("SELECT 1 FROM public.t_acttc", [], "42P01", "near names: public.t_acct"),
         ("SELECT 1 FROM T_ACCTS", [], "42P01", "search_objects"),
         ("SELECT $1 IS NULL", [None], "42P18", '"type": "int4"'),
         ("SELECT tags && $1 FROM t_acct", [["a"]], "22P02", '"type": "text[]"'),
         ("SELECT 1 / 0", [], "22012", "NULLIF"),
         ("SELECT id FROM t_acct a JOIN t_ord o ON o.acct_id = a.id", [], "42702", "name.column"),
         ("SELECT * FROM once_only", [], "42501", "privilege")]


@pytest.mark.parametrize("sql, params, code, hint", HINTS, ids=[h[2] for h in HINTS])
def test_an_error_says_what_to_do(postgres, reader, sql, params, code, hint):
    postgres.psql("CREATE TABLE once_only (a int)")
    try:
        error = reader.error("execute_sql", sql=sql, params=params)
        assert error["code"] == code and hint in error["hint"], error
    finally:
        postgres.psql("DROP TABLE once_only")


def test_errors_of_our_own_have_the_same_form(reader):
    for tool, arguments, code, text in [
            ("execute_sql", {"sql": "SELECT 1", "max_rows": 0}, "INVALID", "at least 1"),
            ("execute_sql", {"sql": "SELECT 1", "cursor": "x"}, "INVALID", "cursor"),
            ("describe_table", {"name": "nowhere"}, "NOT_FOUND", "no such table"),
            ("select_rows", {"table": "t_acct", "filter": {"column": "x"}}, "INVALID", "column"),
            ("explain_query", {"sql": " explain SELECT 1"}, "INVALID", "without EXPLAIN")]:
        result = reader.call(tool, **arguments)
        error = json.loads(result["content"][0]["text"])["error"]
        assert result["isError"] and error["code"] == code and text in error["message"], error
        assert set(error) == {"code", "message"}


def test_a_place_in_a_text_that_was_not_sent_is_not_told(reader):
    error = reader.error("select_rows", table="t_acct",
                         filter={"column": "id", "op": "like", "value": "1"})
    assert error["code"] == "42883" and "position" not in error


def test_what_the_server_says_beside_a_result_is_told(reader):
    """Of the statement alone, and a bounded number of it."""
    assert reader.ok("execute_sql", sql="SELECT 1")["notices"] == []
    said = reader.ok("execute_sql", sql="SELECT to_tsquery('english', 'the')")["notices"]
    assert [n["severity"] for n in said] == ["NOTICE"] and "stop words" in said[0]["message"]
    many = "SELECT to_tsquery('english', left('the', 3 + 0 * n)) FROM generate_series(1, 30) n"
    assert len(reader.ok("execute_sql", sql=many)["notices"]) == 20


def test_what_a_trigger_says_is_told(postgres):
    postgres.psql("""CREATE TABLE told (a int);
        CREATE FUNCTION say() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            RAISE WARNING 'row %', NEW.a USING HINT = repeat('é', 700); RETURN NEW; END $$;
        CREATE TRIGGER say BEFORE INSERT ON told FOR EACH ROW EXECUTE FUNCTION say()""")
    try:
        with Server(postgres.dsn("postgres"), "--mode", "dml") as server:
            got = server.ok("insert_rows", table="told", rows=[{"a": 7}])
            assert [(n["severity"], n["message"]) for n in got["notices"]] == [("WARNING", "row 7")]
            assert got["notices"][0]["hint"] == "é" * 500
    finally:
        postgres.psql("DROP TABLE told; DROP FUNCTION say")


def test_a_row_larger_than_a_page_ends_the_pages(reader):
    """A cursor would come back to it for ever."""
    sql = "SELECT repeat('x', n) FROM (VALUES (1, 5), (2, 9000)) v(i, n) ORDER BY i"
    first = reader.ok("execute_sql", sql=sql, max_bytes=300)
    assert first["row_count"] == 1 and "hint" not in first
    second = reader.ok("execute_sql", sql=sql, max_bytes=300, cursor=first["next_cursor"])
    assert (second["rows"], second["truncated"]) == ([], True)
    assert "next_cursor" not in second and "max_bytes" in second["hint"]


def test_a_table_may_be_named_as_sql_names_it(house, reader):
    for name in ('"House"."My People"', "public.t_acct", "PUBLIC.T_Acct", "t_acct"):
        assert reader.ok("describe_table", name=name)["columns"]
        assert reader.ok("count_rows", table=name)["count"] > 0
    for name in ("House.My People", '"House".my people', "postgres.public.t_acct", "a.b.", '"'):
        assert "no such table" in reader.error("describe_table", name=name)
        assert "no such table" in reader.error("count_rows", table=name)
    house.psql('ALTER ROLE mcp_ro SET search_path = "House", public')
    try:
        with Server(house.dsn()) as server:  # a name with a dot comes before a schema's
            house.psql('CREATE SCHEMA a; CREATE TABLE a.b (d int); GRANT USAGE ON SCHEMA a TO mcp_ro')
            assert server.ok("describe_table", schema="House", name="a.b")["schema"] == "House"
            assert server.ok("describe_table", name='a."b"')["schema"] == "a"
    finally:
        house.psql("ALTER ROLE mcp_ro RESET search_path; DROP SCHEMA a CASCADE")


def test_what_describes_columns(house, reader):
    tools = {t["name"]: t for t in reader.request("tools/list")["result"]["tools"]}
    bare = reader.ok("describe_table", schema="House", name="bare")
    jsonschema.validate(bare, tools["describe_table"]["outputSchema"])
    assert bare["columns"] == []
    columns = {c["name"]: c for c in reader.ok("describe_table", name="My People")["columns"]}
    assert columns["mail"]["domain"] == {"type": '"House".mail', "checks": []}
    assert "domain" not in columns["feels"] and columns["feels"]["values"] == ["sad", "ok"]
    assert reader.ok("describe_table", name="child")["inherits"] == ['"House".base']


def test_a_pattern_need_not_fit_the_domain(house, reader):
    got = reader.ok("select_rows", schema="House", table="My People", columns=["id"],
                    filter={"column": "mail", "op": "like", "value": "b%"})
    assert got["rows"] == [[2]]
