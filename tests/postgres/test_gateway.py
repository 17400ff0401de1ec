# SPDX-License-Identifier: Apache-2.0
"""`builtin: postgres` in the gateway: catalogue, keys, approvals, audit and commands as of any
server, and the database on the workers' own loops."""

import asyncio
import json
import sqlite3

import httpx2
import pytest
from gateway import MASTER, Gateway, patient, wait_until
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client

CONFIG = """
model_list: []
general_settings:
  master_key: sk-e2e-master
kanmon_settings:
  state_dir: "{state}"
  workers: 2
  mcp_servers:
    shop:
      builtin: postgres
      postgres: {{dsn: os.environ/SHOP_URL, max_rows: 3}}
    till:
      builtin: postgres
      risks: {{execute_sql: write}}
      postgres: {{dsn: "{writer}", mode: dml, max_affected: 2, pool_max: 2}}
    shelf:
      builtin: postgres
      approve: deny
      risks: {{execute_sql: read_only}}
      postgres: {{dsn: "{writer}", max_mode: dml}}
    rented:
      builtin: postgres
      postgres: {{dsn: os.environ/SHOP_URL, definitions: "{definitions}"}}
    desk:
      builtin: postgres
      approve: never
      postgres: {{dsn: "{writer}", mode: dml, pool_max: 2}}
    vault:
      builtin: postgres
      approve: destructive
      postgres: {{dsn: "{writer}", mode: dml}}
"""


class Served(Gateway):
    def command_ok(self, *words, **kwargs):
        ran = self.command(*words, "--config", self.config, **kwargs)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    def state(self, name):
        servers = json.loads(self.command_ok("mcp", "list", "--json"))["servers"]
        return next(s for s in servers if s["name"] == name)

    def audit(self):
        with sqlite3.connect(next((self.folder / "state").glob("*.db"))) as store:
            return [json.loads(d) for (d,) in store.execute(
                "SELECT detail FROM audit WHERE action = 'mcp.call' ORDER BY seq")]


@pytest.fixture(scope="module")
def served(postgres, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    postgres.psql("CREATE TABLE till (id int PRIMARY KEY, n int);"
                  "INSERT INTO till SELECT g, 0 FROM generate_series(1, 5) g")
    (folder / "rented.yaml").write_text(
        "processors: [{relation: public.flats, where: {tenant: {key: tenant}}}]")
    postgres.psql("CREATE TABLE flats (id int, tenant text); INSERT INTO flats SELECT g, "
                  "'t' || g % 3 FROM generate_series(1, 30) g; GRANT SELECT ON flats TO mcp_ro")
    text = CONFIG.format(state=folder / "state", writer=postgres.dsn("postgres"),
                         definitions=folder / "rented.yaml")
    with Served(folder, text, env={"SHOP_URL": postgres.dsn()}) as gateway:
        for name in ("shop", "till", "vault"):
            wait_until(lambda n=name: gateway.state(n)["state"] == "ready", 20, f"{name} to be ready")
        yield gateway


def with_sdk(served, key, talk, path="/mcp", mode="auto"):
    async def run():
        headers = {"authorization": f"Bearer {key}"}
        async with httpx2.AsyncClient(headers=headers, timeout=patient(30)) as http:
            link = streamable_http_client(f"{served.url}{path}", http_client=http)
            async with Client(link, mode=mode) as client:
                await talk(client)
    asyncio.run(run())


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_the_official_sdk_finds_and_calls_it(served, mode):
    async def talk(client):
        tools = {t.name: t for t in (await client.list_tools()).tools}
        assert {"shop-execute_sql", "till-execute_sql", "shop-describe_table"} <= set(tools)
        assert tools["shop-execute_sql"].annotations.read_only_hint
        assert tools["till-execute_sql"].annotations.destructive_hint
        assert "mode read-only" in client.instructions
        got = await client.call_tool("shop-execute_sql", {"sql": "SELECT id FROM t_acct ORDER BY 1"})
        assert got.structured_content["rows"] == [[1], [2], [3]]
        assert got.structured_content["truncated"] is True
        got = await client.call_tool("shop-execute_sql", {"sql": "DELETE FROM t_acct"})
        assert got.is_error and "GUARD_STATEMENT" in got.content[0].text
        got = await client.call_tool("till-execute_sql",
                                     {"sql": "UPDATE till SET n = n + 1 WHERE id = 1"})
        assert not got.is_error and got.structured_content["command"] == "UPDATE 1"
        got = await client.call_tool("till-execute_sql", {"sql": "UPDATE till SET n = 100"})
        assert got.is_error and "at most 2" in got.content[0].text
    with_sdk(served, MASTER, talk, mode=mode)


def test_both_workers_serve_it_at_once(served):
    async def talk(client):
        results = await asyncio.gather(*[
            client.call_tool("shop-execute_sql", {"sql": f"SELECT {n} AS n"}) for n in range(40)])
        assert [r.structured_content["rows"][0][0] for r in results] == list(range(40))
    with_sdk(served, MASTER, talk)


def test_a_key_sees_what_it_may_use(served):
    key = served.new_key(object_permission={"mcp_servers": ["shop"]})

    async def talk(client):
        names = [t.name for t in (await client.list_tools()).tools]
        assert "shop-execute_sql" in names and "till-execute_sql" not in names
        with pytest.raises(MCPError):
            await client.call_tool("till-execute_sql", {"sql": "SELECT 1"})
    with_sdk(served, key, talk)


@pytest.mark.parametrize("granted, server, changes", [
    (None, "shelf", False), ("dml", "shelf", True), ("ddl", "shelf", True), ("odd", "till", False),
    ("read-only", "till", False), ("dml", "till", True)])
def test_a_key_has_a_mode_of_its_own(served, granted, server, changes):
    modes = {} if granted is None else {"mcp_modes": {server: granted}}
    key = served.new_key(object_permission={"mcp_servers": [server], **modes})

    async def talk(client):
        tools = {t.name: t for t in (await client.list_tools()).tools}
        assert bool(tools[f"{server}-execute_sql"].annotations.destructive_hint) == changes
        got = await client.call_tool(f"{server}-execute_sql",
                                     {"sql": "UPDATE till SET n = n WHERE id = 1"})
        assert got.is_error != changes, got.content[0].text
        got = await client.call_tool(f"{server}-execute_sql", {"sql": "CREATE TABLE t_new (a int)"})
        assert got.is_error and "GUARD_STATEMENT" in got.content[0].text
    with_sdk(served, key, talk)


def test_each_key_is_its_own_tenant(served):
    """Keys that differ in nothing else, at once and over both workers."""
    keys = {f"t{n}": served.new_key(object_permission={
        "mcp_servers": ["rented"], "mcp_values": {"rented": {"tenant": f"t{n}"}}}) for n in range(3)}

    def talk_as(tenant):
        async def talk(client):
            results = await asyncio.gather(*[client.call_tool("rented-execute_sql", {
                "sql": "SELECT DISTINCT tenant FROM flats"}) for _ in range(10)])
            assert {json.dumps(r.structured_content["rows"]) for r in results} == {f'[["{tenant}"]]'}
            count = await client.call_tool("rented-count_rows", {"table": "flats"})
            assert count.structured_content["count"] == 10
        return talk

    for _ in range(3):
        for tenant, key in keys.items():
            with_sdk(served, key, talk_as(tenant))


@pytest.mark.parametrize("values", [None, {}, {"rented": {}}, {"shop": {"tenant": "t1"}},
                                    {"rented": {"tenant": None}}, {"rented": {"tenant": ["t1"]}},
                                    {"rented": "t1"}])
def test_a_key_without_a_tenant_is_refused(served, values):
    more = {} if values is None else {"mcp_values": values}
    key = served.new_key(object_permission={"mcp_servers": ["rented"], **more})

    async def talk(client):
        for tool, arguments in (("execute_sql", {"sql": "SELECT * FROM flats"}),
                                ("explain_query", {"sql": "SELECT * FROM flats"}),
                                ("select_rows", {"table": "flats"})):
            got = await client.call_tool(f"rented-{tool}", arguments)
            assert got.is_error and "mcp_values" in got.content[0].text, got.content[0].text
        got = await client.call_tool("rented-execute_sql", {"sql": "SELECT 1 AS one"})
        assert not got.is_error, "what is not narrowed is as ever"
    with_sdk(served, key, talk)


def test_a_tenant_is_a_value_and_never_sql(served):
    key = served.new_key(object_permission={"mcp_servers": ["rented"], "mcp_values": {
        "rented": {"tenant": "x' OR 'a' = 'a"}}})

    async def talk(client):
        got = await client.call_tool("rented-execute_sql", {"sql": "SELECT * FROM flats"})
        assert got.structured_content["rows"] == []
    with_sdk(served, key, talk)


def test_a_confirmation_holds_at_every_worker_for_its_caller_once(served):
    """Twenty pairs, each call on a connection of its own: both workers serve some."""
    keys = [served.new_key(object_permission={"mcp_servers": ["desk"]}) for _ in range(2)]
    change = {"table": "till", "set": {"n": 3}, "filter": {"column": "id", "op": "eq", "value": 2}}

    def once(key, tool="desk-update_rows", **more):
        kept = []

        async def talk(client):
            kept.append(await client.call_tool(tool, {**change, **more}))
        with_sdk(served, key, talk)
        return kept[0]

    for _ in range(20):
        word = once(keys[0], preview=True).structured_content["confirmation"]
        got = once(keys[0], confirmation=word)
        assert not got.is_error and got.structured_content["affected"] == 1, got.content[0].text
        again = once(keys[0], confirmation=word)
        assert again.is_error and "used" in again.content[0].text
    word = once(keys[0], preview=True).structured_content["confirmation"]
    other = once(keys[1], confirmation=word)
    assert other.is_error and "another change" in other.content[0].text


def test_commands_know_it(served):
    rows = {line.split()[0]: line for line in served.command_ok("mcp", "list").splitlines()[1:]}
    assert "builtin" in rows["shop"] and "ready" in rows["shop"]
    assert "builtin    postgres" in served.command_ok("mcp", "status", "shop")
    assert "execute_sql" in served.command_ok("mcp", "tools", "shop")
    called = served.command_ok("mcp", "call", "shop-execute_sql", 'sql=SELECT 42 AS answer')
    assert "42" in called


def test_a_change_waits_for_approval_where_that_is_configured(served):
    async def talk(client):
        got = await client.call_tool("vault-execute_sql", {"sql": "UPDATE till SET n = 7"})
        assert got.is_error and "approval required" in got.content[0].text
        got = await client.call_tool("vault-list_schemas", {})
        assert not got.is_error
    with_sdk(served, MASTER, talk)


def test_calls_are_recorded_without_their_values(served):
    async def talk(client):
        await client.call_tool("shop-execute_sql", {"sql": "SELECT 'very secret'"})
    before = len(served.audit())
    with_sdk(served, MASTER, talk)
    wait_until(lambda: len(served.audit()) > before, 20, "the record")
    record = served.audit()[-1]
    assert (record["server"], record["tool"], record["outcome"]) == ("shop", "execute_sql", "ok")
    assert "very secret" not in json.dumps(record)


@pytest.mark.parametrize("line, what", [
    ("postgres: {dsn: 'host=x', mod: dml}", "mod"),
    ("postgres: {dsn: 'host=x', mode: writes}", "mode"),
    ("postgres: {}", "dsn"),
    ("postgres: {dsn: 'nonsense here'}", "dsn cannot be read"),
    ("postgres: {dsn: 'host=x', allow_functions: [nodot]}", "schema.name"),
    ("postgres: {dsn: 'host=x', mode: ddl, max_mode: dml}", "max_mode"),
    ("url: 'http://127.0.0.1:1/'", "no url"),
])
def test_what_cannot_be_meant_refuses_to_load(tmp_path, line, what):
    config = tmp_path / "config.yaml"
    config.write_text("kanmon_settings:\n  mcp_servers:\n    shop:\n      builtin: postgres\n"
                      f"      {line}\n")
    checked = Served(tmp_path / "g", "").command("config", "check", config)
    assert checked.returncode == 5, checked.stdout + checked.stderr
    assert what in checked.stdout + checked.stderr
    assert "nonsense" not in checked.stderr.replace(line, "")
