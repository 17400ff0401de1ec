# SPDX-License-Identifier: Apache-2.0
"""What is counted, logged and recorded of calls: exact figures, and never a value."""

import asyncio
import json
import re
import socket
import time

import httpx2
import pytest
from gateway import MASTER, patient, roomy_ms, slow_factor, wait_until

from conftest import Server
from test_gateway import Served, with_sdk

SECRET = "hunter2zzq"

CONFIG = """
general_settings: {{master_key: sk-e2e-master}}
kanmon_settings:
  state_dir: "{state}"
  workers: 2
  log_level: debug
  mcp_servers:
    shop:
      builtin: postgres
      postgres: {{dsn: "{dsn}", max_rows: 7, pool_max: 2, queue: 1, slow_query: 10ms}}
    till:
      builtin: postgres
      approve: never
      postgres: {{dsn: "{writer}", mode: dml, max_affected: 2, pool_max: 2}}
"""


class Metered(Served):
    def series(self, name):
        """{labels: value} of one metric, where labels are in the row's order."""
        found = re.findall(rf"^{name}\{{(.*?)\}} (\S+)$", self.text(), re.M)
        return {tuple(re.findall(r'="([^"]*)"', labels)): float(value) for labels, value in found}

    def text(self):
        return httpx2.get(f"{self.url}/metrics", headers={"authorization": f"Bearer {MASTER}"},
                          timeout=patient(30)).text


@pytest.fixture(scope="module")
def metered(postgres, tmp_path_factory):
    folder = tmp_path_factory.mktemp("metered")
    postgres.psql("CREATE TABLE metered (id int PRIMARY KEY, n int);"
                  "INSERT INTO metered SELECT g, 0 FROM generate_series(1, 9) g;"
                  "GRANT SELECT ON metered TO mcp_ro")
    text = CONFIG.format(state=folder / "state", dsn=postgres.dsn(),
                         writer=postgres.dsn("postgres"))
    with Metered(folder, text) as gateway:
        for name in ("shop", "till"):
            wait_until(lambda n=name: gateway.state(n)["state"] == "ready", 20, f"{name} to be ready")
        yield gateway


def talk_to(served, *calls):
    """The results of calls, one after the other: (tool, arguments)."""
    kept = []

    async def talk(client):
        for tool, arguments in calls:
            kept.append(await client.call_tool(tool, arguments))
    with_sdk(served, MASTER, talk)
    return kept


def test_calls_are_counted_by_tool_and_class(metered):
    talk_to(metered,
            ("shop-execute_sql", {"sql": "SELECT id FROM metered WHERE id < 4"}),
            ("shop-execute_sql", {"sql": "SELECT id FROM metered"}),  # cut at 7
            ("shop-execute_sql", {"sql": "DELETE FROM metered"}),
            ("shop-execute_sql", {"sql": f"SELECT nothing('{SECRET}')"}),
            ("shop-execute_sql", {"sql": f"SELECT * FROM nowhere WHERE a = '{SECRET}'"}),
            ("shop-execute_sql", {"sql": "SELECT 1 / id FROM (VALUES (0)) v(id)"}),
            ("shop-execute_sql", {"sql": "SELECT $1::int", "params": []}),
            ("shop-execute_sql", {}),
            ("shop-list_schemas", {}),
            ("till-update_rows", {"table": "metered", "set": {"n": 1},
                                  "filter": {"column": "id", "op": "lte", "value": 2}}),
            ("till-execute_sql", {"sql": "UPDATE metered SET n = 5"}),
            ("till-execute_sql", {"sql": "UPDATE metered SET n = 5 WHERE id = 1"}))
    assert metered.series("kanmon_pg_calls_total") == {
        ("shop", "execute_sql", "ok"): 2, ("shop", "execute_sql", "guard"): 2,
        ("shop", "execute_sql", "sql_42"): 1, ("shop", "execute_sql", "sql_22"): 1,
        ("shop", "execute_sql", "INVALID"): 1, ("shop", "execute_sql", "request"): 1,
        ("shop", "list_schemas", "ok"): 1, ("till", "update_rows", "ok"): 1,
        ("till", "execute_sql", "cap"): 1, ("till", "execute_sql", "ok"): 1}
    rows = metered.series("kanmon_pg_rows_total")
    assert rows == {("shop", "execute_sql"): 10, ("shop", "list_schemas"): 0,
                    ("till", "update_rows"): 2, ("till", "execute_sql"): 1}
    assert metered.series("kanmon_pg_result_bytes_total")[("shop", "execute_sql")] > 500
    times = metered.series("kanmon_pg_phase_seconds_count")
    # In the database were two that ran, and those it refused itself.
    assert times[("shop", "execute_sql", "database")] == 4
    assert times[("shop", "execute_sql", "guard")] == 7
    assert times[("till", "update_rows", "database")] == 1
    sums = metered.series("kanmon_pg_phase_seconds_sum")
    assert 0 < sums[("shop", "execute_sql", "guard")] < sums[("shop", "execute_sql", "database")]


def test_the_pool_is_in_sight_and_moves(metered, postgres):
    long = "SELECT count(*) AS m_held FROM generate_series(1, 100000000) a, generate_series(1, 999) b"

    most_ms = min(roomy_ms(1500), 12000)  # two of these follow each other

    def pool():
        found = {labels[1]: n for labels, n in metered.series("kanmon_pg_connections").items()
                 if labels[0] == "shop"}
        return found | {"waiting": metered.series("kanmon_pg_waiting")[("shop",)]}

    async def hold(client):
        wants = [asyncio.create_task(client.call_tool("shop-execute_sql", {
            "sql": long, "timeout_ms": most_ms})) for _ in range(5)]
        # One connection and one place to wait for each of two workers: the fifth finds no room.
        deadline = time.monotonic() + 20 * slow_factor()
        while time.monotonic() < deadline:
            await asyncio.sleep(0.2)
            seen.append(await asyncio.to_thread(pool))
            if seen[-1]["in_use"] >= 1 and seen[-1]["waiting"] >= 1:
                break
        await asyncio.gather(*wants)
    seen = []
    with_sdk(metered, MASTER, hold)
    assert seen[-1]["in_use"] >= 1 and seen[-1]["waiting"] >= 1, seen
    wait_until(lambda: pool()["in_use"] == 0 and pool()["waiting"] == 0, 20, "it to be free")
    # Given up by its own limit a statement's connection is kept, by ours it is closed: which of the
    # two came first is the machine's affair.  One that ended is kept.
    talk_to(metered, ("shop-execute_sql", {"sql": "SELECT 1"}))
    wait_until(lambda: pool()["idle"] >= 1, 20, "a connection to be idle")
    assert metered.series("kanmon_pg_connections_most")[("shop",)] >= 1
    away = metered.series("kanmon_pg_turned_away_total")
    assert away[("shop", "connect_failed")] == 0
    overloaded = metered.series("kanmon_pg_calls_total").get(("shop", "execute_sql", "OVERLOADED"), 0)
    # The watch for changes asks for a connection, too, and is no call.
    assert 0 < overloaded <= away[("shop", "queue_full")] + away[("shop", "queue_timeout")]


def test_records_have_the_fingerprint_and_no_value(metered):
    before = len(metered.audit())
    talk_to(metered, *[("shop-execute_sql", {"sql": f"SELECT id /* {SECRET} */ FROM metered "
                                                    f"WHERE id::text = '{SECRET}{n}' AND id < {n}"})
                       for n in (41957331, 2)],
            ("shop-execute_sql", {"sql": f"UPDATE metered SET n = '{SECRET}'"}),
            ("shop-execute_sql", {"sql": "SELECT n FROM metered"}),
            ("shop-list_schemas", {}))
    wait_until(lambda: len(metered.audit()) >= before + 5, 20, "the records")
    same, again, refused, other, own = metered.audit()[-5:]
    assert re.fullmatch("[0-9a-f]{16}", same["fingerprint"])
    assert same["fingerprint"] == again["fingerprint"] != other["fingerprint"]
    assert (same["class"], same["rows"]) == ("ok", 0)
    assert refused["class"] == "guard" and refused["fingerprint"]
    assert (other["rows"], own["class"]) == (7, "ok") and "fingerprint" not in own
    assert SECRET not in json.dumps(metered.audit()) and "41957331" not in json.dumps(metered.audit())


def test_a_slow_statement_is_logged_by_shape(metered):
    (got,) = talk_to(metered, ("shop-execute_sql", {"sql": f"""
        SELECT count(*) AS m_shape, '{SECRET}', U&'{SECRET}', E'{SECRET}', ${SECRET}$x{SECRET}${SECRET}$, 41957331.5
        FROM generate_series(1, $1) a -- {SECRET}
        """, "params": [1500000]}))
    assert not got.is_error, got.content[0].text

    def line():
        return next((line for line in metered.log.read_text().splitlines()
                     if "postgres.slow" in line and "m_shape" in line), None)
    wait_until(line, 20, "the line")
    found = line()
    assert "SELECT count(*) AS m_shape, ?, ?, ?, ?, ? FROM generate_series(?, $1) a" in found, found
    assert "tool=execute_sql" in found or '"tool":"execute_sql"' in found
    assert SECRET not in metered.log.read_text() and "41957331" not in metered.log.read_text()


def test_no_value_is_in_the_metrics(metered):
    assert SECRET not in metered.text() and "nowhere" not in metered.text()


def test_a_cancelled_call_is_recorded_with_its_fingerprint(metered, postgres):
    before = len(metered.audit())

    def cancelled():
        return metered.series("kanmon_pg_calls_total").get(("shop", "execute_sql", "CANCELED"), 0)
    counted = cancelled()
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": "execute_sql", "arguments": {"sql": "SELECT count(*) AS m_gone FROM generate_series("
                                             "1, 100000000) a, generate_series(1, 100000000) b"},
        "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
                  "io.modelcontextprotocol/clientCapabilities": {}}}})
    link = socket.create_connection(("127.0.0.1", metered.port))
    link.sendall((f"POST /mcp/shop HTTP/1.1\r\nHost: 127.0.0.1:{metered.port}\r\n"
                  f"Authorization: Bearer {MASTER}\r\nContent-Type: application/json\r\n"
                  "Accept: application/json, text/event-stream\r\n"
                  "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\n"
                  f"Mcp-Name: execute_sql\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode())
    running = ("SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND "
               "pid <> pg_backend_pid() AND query LIKE '%m_gone%'")
    wait_until(lambda: postgres.psql(running) == "1", 20, "the statement to run")
    link.close()

    def record():
        return next((r for r in metered.audit()[before:] if r["outcome"] == "cancelled"), None)
    wait_until(record, 20, "the record")
    assert re.fullmatch("[0-9a-f]{16}", record()["fingerprint"])
    wait_until(lambda: cancelled() == counted + 1, 20, "it to be counted")


def test_by_itself_each_call_is_a_line(postgres):
    with Server(postgres.dsn()) as server:
        server.ok("execute_sql", sql=f"SELECT id FROM t_acct WHERE '{SECRET}' <> '' LIMIT 3")
        server.error("execute_sql", sql=f"DELETE FROM t_acct WHERE id::text = '{SECRET}'")
        wait_until(lambda: len(lines(server)) == 2, 20, "the lines")
        ok, refused = lines(server)
        assert "tool=execute_sql class=ok fingerprint=" in ok and "rows=3 " in ok
        assert re.search(r"guard_ms=\d+\.?\d* pool_ms=\d+\.?\d* database_ms=0?\.?\d", ok), ok
        assert "class=guard" in refused and "database_ms=0" in refused
        record = next(line for line in server.log if "mcp.call" in line).replace('\\"', '"')
        assert '"fingerprint":"' in record and '"rows":3' in record
        assert SECRET not in "".join(server.log)


def lines(server):
    return [line for line in server.log if "postgres.call" in line]
