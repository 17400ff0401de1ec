# SPDX-License-Identifier: Apache-2.0
"""Reading and changing rows without SQL: filters, caps, previews, and names that are no names."""

import asyncio
import os

import pytest
from gateway import binary
from mcp import Client, StdioServerParameters

from conftest import Server, sanitizers


@pytest.fixture
def items(postgres):
    postgres.psql("""
        CREATE SCHEMA "We ird";
        CREATE TABLE "We ird"."It""ems" (
            "Id" int PRIMARY KEY, "Na me" text, qty int DEFAULT 5, tags text[], doc jsonb, raw bytea,
            big int8, twice int GENERATED ALWAYS AS (qty * 2) STORED);
        INSERT INTO "We ird"."It""ems" SELECT g, 'n' || g, g, ARRAY['a', 't' || g],
            jsonb_build_object('k', g), '\\x00ff', 9007199254740993 FROM generate_series(1, 20) g;
        UPDATE "We ird"."It""ems" SET "Na me" = NULL WHERE "Id" = 20;
        GRANT USAGE ON SCHEMA "We ird" TO mcp_ro; GRANT SELECT ON "We ird"."It""ems" TO mcp_ro;
        """)
    yield postgres
    postgres.psql('DROP SCHEMA "We ird" CASCADE')


T = {"schema": "We ird", "table": 'It"ems'}


@pytest.fixture
def writer(items):
    with Server(items.dsn("postgres"), "--mode", "dml", "--max-affected", 5) as server:
        yield server


def ids(server, **filter):
    got = server.ok("select_rows", **T, columns=["Id"], filter=filter)
    return [row[0] for row in got["rows"]]


def test_rows_are_read_by_filters(items, reader):
    def where(column, op, *value):
        return ids(reader, column=column, op=op, **({"value": value[0]} if value else {}))

    assert where("Id", "eq", 3) == where("Id", "=", "3") == [3]
    assert where("Id", "ne", 3) == [n for n in range(1, 21) if n != 3]
    assert where("Id", "<", 3) == [1, 2] and where("Id", "gte", 19) == [19, 20]
    assert where("Na me", "like", "n1_") == list(range(10, 20))
    assert where("Na me", "ilike", "N1") == [1]
    assert where("Na me", "is_null") == [20] and len(where("Na me", "is_not_null")) == 19
    assert where("Id", "in", [1, 5, 99]) == [1, 5] and where("Id", "between", [4, 6]) == [4, 5, 6]
    assert where("tags", "contains", ["t7"]) == [7] and where("doc", "contains", {"k": 8}) == [8]
    assert len(where("raw", "eq", "AP8=")) == 20 and len(where("big", "eq", "9007199254740993")) == 20
    assert ids(reader, **{"and": [{"column": "Id", "op": "gt", "value": 2},
                                  {"not": {"column": "Id", "op": "gt", "value": 4}}]}) == [3, 4]
    assert ids(reader, **{"or": [{"column": "Id", "op": "eq", "value": 1},
                                 {"column": "qty", "op": "eq", "value": 2}]}) == [1, 2]
    assert reader.ok("count_rows", **T)["count"] == 20
    assert reader.ok("count_rows", **T, filter={"column": "Id", "op": "lt", "value": 6})["count"] == 5


def test_rows_come_in_pages_and_in_order(items, reader):
    rows, cursor = [], {}
    while True:
        got = reader.ok("select_rows", **T, columns=["qty", "Na me"], max_rows=6, **cursor,
                        order_by=[{"column": "Na me", "descending": True}, {"column": "qty"}])
        rows += got["rows"]
        if not got["truncated"]:
            break
        cursor = {"cursor": got["next_cursor"]}
    assert rows == reader.ok("select_rows", **T, columns=["qty", "Na me"], order_by=[
        {"column": "Na me", "descending": True}, {"column": "qty"}])["rows"]
    assert rows[0] == [20, None] and len(rows) == 20


EVIL = ['Id" = 1; DROP TABLE t_acct; --', "Id\" OR 1=1 --", "1) OR (1=1", "*", "", "id", "ctid",
        "Id\x00", "t_acct.f_row", "pg_sleep(9)", "\U0001f600", "a" * 5000]


@pytest.mark.parametrize("word", EVIL)
def test_a_name_or_operator_is_never_sql(items, reader, word):
    before = items.state()
    for arguments in (
            dict(T, filter={"column": word, "op": "eq", "value": 1}),
            dict(T, filter={"column": "Id", "op": word, "value": 1}),
            dict(T, columns=[word]), dict(T, order_by=[{"column": word}]),
            dict(T, table=word), dict(T, schema=word),
            dict(T, filter={word: [{"column": "Id", "op": "eq", "value": 1}]})):
        result = reader.call("select_rows", **arguments)
        assert result["isError"], (arguments, result)
        assert "42601" not in result["content"][0]["text"]  # no syntax of it ever reached the server
    found = ids(reader, column="Na me", op="eq", value=word) if "\x00" not in word else []
    assert found == []
    assert items.state() == before


@pytest.mark.parametrize("filter", [
    {}, {"and": []}, {"or": []}, {"not": {}}, {"and": [{}]}, {"not": {"or": []}}, [], None, "1=1",
    {"column": "Id", "op": "eq"}, {"column": "Id", "op": "eq", "value": None},
    {"column": "Id", "op": "in", "value": []}, {"column": "Id", "op": "between", "value": [1]},
    {"column": "Id", "op": "eq", "value": 1, "or": []},
    {"column": "Id", "op": "eq", "value": 1, "more": 1}, {"column": "Id", "op": "is_null", "x": 1},
    {"and": [{"column": "Id", "op": "eq", "value": 1}], "or": []},
])
def test_without_a_condition_nothing_changes(writer, items, filter):
    for name, more in (("delete_rows", {}), ("update_rows", {"set": {"qty": 0}})):
        arguments = dict(T, **more) if filter is None else dict(T, filter=filter, **more)
        assert writer.call(name, **arguments)["isError"]
    assert items.psql('SELECT count(*), sum(qty) FROM "We ird"."It""ems"') == "20|210"


def test_a_filter_that_nests_without_end(reader, items):
    deep = {"column": "Id", "op": "eq", "value": 1}
    for _ in range(20):
        deep = {"not": deep}
    assert "deep" in reader.error("select_rows", **T, filter=deep)
    wide = {"or": [{"column": "Id", "op": "eq", "value": 1}] * 300}
    assert "conditions" in reader.error("select_rows", **T, filter=wide)


def test_rows_are_added_changed_and_taken_away(writer, items):
    evil = "'); DROP TABLE t_acct; --"
    done = writer.ok("insert_rows", **T, returning=["Id", "qty", "twice"], rows=[
        {"Id": 100, "Na me": evil, "tags": ["x\"y", "a,b", None], "doc": {"a": [1, "é"]}, "raw": "AP8="},
        {"Id": 101, "qty": 7}])
    assert done["affected"] == 2 and done["rows"] == [[100, 5, 10], [101, 7, 14]]
    got = writer.ok("select_rows", **T, filter={"column": "Id", "op": "eq", "value": 100},
                    columns=["Na me", "tags", "doc", "raw"])
    assert got["rows"] == [[evil, '{"x\\"y","a,b",NULL}', {"a": [1, "é"]}, "AP8="]]
    done = writer.ok("update_rows", **T, set={"qty": 9, "Na me": None},
                     filter={"column": "Id", "op": "gte", "value": 100})
    assert done["affected"] == 2
    done = writer.ok("upsert_rows", **T, rows=[{"Id": 101, "qty": 1}, {"Id": 102, "qty": 2}])
    assert done["affected"] == 2
    assert ids(writer, column="qty", op="in", value=[9]) == [9, 100]
    done = writer.ok("delete_rows", **T, filter={"column": "Id", "op": "gte", "value": 100})
    assert done["affected"] == 3
    assert items.psql("SELECT count(*) FROM t_acct") == "20"
    assert "generated" in writer.error("insert_rows", **T, rows=[{"twice": 1}])
    assert writer.error("insert_rows", **T, rows=[{"Id": 1}])["code"] == "23505"
    assert writer.error("insert_rows", **T, rows=[{"Id": "x"}])["code"] == "22P02"
    assert "it has" in writer.error("insert_rows", **T, rows=[{'Id") VALUES (1); --': 1}])


def test_more_rows_than_the_cap_are_rolled_back(writer, items):
    condition = {"column": "Id", "op": "lte", "value": 6}
    assert "6 rows" in writer.error("delete_rows", **T, filter=condition)
    assert "6 rows" in writer.error("update_rows", **T, filter=condition, set={"qty": 0},
                                    returning=["Id"])
    assert items.psql('SELECT count(*), sum(qty) FROM "We ird"."It""ems"') == "20|210"


def test_a_preview_shows_and_its_word_confirms_once(writer, items):
    call = dict(T, filter={"column": "Id", "op": "lte", "value": 3})
    shown = writer.ok("delete_rows", **call, preview=True)
    assert shown["preview"] is True and shown["would_affect"] == 3 and len(shown["rows"]) == 3
    assert shown["plan"][0]["Plan"]["Operation"] == "Delete"
    assert items.psql('SELECT count(*) FROM "We ird"."It""ems"') == "20"
    other = dict(T, filter={"column": "Id", "op": "lte", "value": 4})
    assert "another change" in writer.error("delete_rows", **other,
                                            confirmation=shown["confirmation"])
    assert "used" in writer.error("delete_rows", **call, confirmation=shown["confirmation"])
    shown = writer.ok("delete_rows", **call, preview=True)
    items.psql('INSERT INTO "We ird"."It""ems" ("Id") VALUES (0)')  # now it would be four
    assert "4 rows, and its preview showed 3" in writer.error(
        "delete_rows", **call, confirmation=shown["confirmation"])
    shown = writer.ok("delete_rows", **call, preview=True)
    assert writer.ok("delete_rows", **call, confirmation=shown["confirmation"])["affected"] == 4
    assert "unknown" in writer.error("delete_rows", **call, confirmation="0" * 32)


def test_the_official_sdk_sees_them_where_the_mode_allows(items):
    async def run(*words):
        server = StdioServerParameters(
            command=str(binary()), args=["mcp", "postgres", *words],
            env={"DATABASE_URL": items.dsn("postgres"), "PATH": os.environ["PATH"], **sanitizers()})
        async with Client(server, mode="legacy") as client:
            tools = {tool.name: tool.annotations for tool in (await client.list_tools()).tools}
            result = await client.call_tool("insert_rows", dict(T, rows=[{"Id": 50}]))
            return tools, result

    tools, result = asyncio.run(run("--mode", "dml"))
    assert result.structured_content["affected"] == 1
    assert tools["insert_rows"].destructive_hint is False
    assert tools["delete_rows"].destructive_hint and not tools["delete_rows"].read_only_hint
    assert tools["select_rows"].read_only_hint


def test_reading_has_no_tools_that_write(reader):
    names = {t["name"] for t in reader.request("tools/list")["result"]["tools"]}
    assert {"select_rows", "count_rows"} <= names
    assert not names & {"insert_rows", "update_rows", "delete_rows", "upsert_rows"}
    answer = reader.request("tools/call", {"name": "delete_rows", "arguments": {"table": "t_ord"}})
    assert "Unknown tool" in answer["error"]["message"]
