# SPDX-License-Identifier: Apache-2.0
"""What a lease promises: a cap that counts every changed row, a statement that ends when nobody
wants it, a role that is looked at, a session that is as it was."""

import json
import socket

import pytest
from gateway import MASTER, wait_until

from conftest import Server
from test_gateway import Served


@pytest.fixture(scope="module")
def writer(postgres):
    postgres.psql("""
        CREATE TABLE parent (id int PRIMARY KEY);
        CREATE TABLE child (id int PRIMARY KEY, of int REFERENCES parent ON DELETE CASCADE);
        INSERT INTO parent SELECT g FROM generate_series(1, 30) g;
        INSERT INTO child SELECT g, 1 FROM generate_series(1, 30) g;
    """)
    with Server(postgres.dsn("postgres"), "--mode", "dml", "--max-affected", 5) as server:
        yield server
    postgres.psql("DROP TABLE child, parent")


@pytest.mark.parametrize("sql", [
    "DELETE FROM parent WHERE id > 20",
    "WITH gone AS (DELETE FROM parent WHERE id > 20 RETURNING 1) SELECT 1",
    "WITH gone AS (DELETE FROM parent WHERE id > 20) UPDATE parent SET id = id WHERE id = 2",
    "DELETE FROM parent WHERE id = 1",  # and what refers to it
])
def test_the_cap_counts_every_changed_row(postgres, writer, sql):
    for _ in range(2):  # a session's counts go on from one transaction to the next
        assert "rolled back" in writer.error("execute_sql", sql=sql)
        assert postgres.psql("SELECT count(*) FROM parent") == "30"
        assert postgres.psql("SELECT count(*) FROM child") == "30"
        writer.ok("execute_sql", sql="UPDATE parent SET id = id WHERE id < 4")


def running(postgres, mark):
    return int(postgres.psql("SELECT count(*) FROM pg_stat_activity WHERE state = 'active' "
                             f"AND pid <> pg_backend_pid() AND query LIKE '%{mark}%'"))


SLOW = ("SELECT count(*) AS {mark} FROM generate_series(1, 100000000) a, "
        "generate_series(1, 100000000) b")


def test_a_cancelled_call_ends_in_the_database(postgres, tmp_path):
    config = ("general_settings: {master_key: sk-e2e-master}\nkanmon_settings:\n"
              f"  state_dir: '{tmp_path}/state'\n  workers: 1\n  mcp_servers:\n    shop:\n"
              "      builtin: postgres\n"
              f"      postgres: {{dsn: '{postgres.dsn()}', pool_max: 1, statement_timeout: 120s}}\n")
    with Served(tmp_path, config) as served:
        wait_until(lambda: served.state("shop")["state"] == "ready", 20, "it to be ready")
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
            "name": "execute_sql", "arguments": {"sql": SLOW.format(mark="m_cancel")},
            "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
                      "io.modelcontextprotocol/clientCapabilities": {}}}})
        link = socket.create_connection(("127.0.0.1", served.port))
        link.sendall((f"POST /mcp/shop HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n"
                      f"Authorization: Bearer {MASTER}\r\nContent-Type: application/json\r\n"
                      "Accept: application/json, text/event-stream\r\n"
                      "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\n"
                      f"Mcp-Name: execute_sql\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode())
        wait_until(lambda: running(postgres, "m_cancel"), 20, "the statement to run")
        link.close()  # a stateless client that goes away wants no answer
        wait_until(lambda: not running(postgres, "m_cancel"), 20, "the statement to end")
        # Its connection, the only one, is lent again.
        assert "42" in served.command_ok("mcp", "call", "shop-execute_sql", "sql=SELECT 42 AS a")


@pytest.mark.parametrize("host, more, refused", [
    ("127.0.0.1", "CREATEDB", False), ("0.0.0.0", "CREATEDB", True), ("0.0.0.0", "NOCREATEDB", False)])
def test_a_role_that_can_write_is_refused_where_others_can_reach_it(postgres, tmp_path, host, more,
                                                                    refused):
    """Also where it could not when the gateway began, which would not have begun."""
    postgres.psql("CREATE ROLE later LOGIN; GRANT SELECT ON t_acct TO later")
    config = ("general_settings: {master_key: sk-e2e-master}\nkanmon_settings:\n"
              f"  state_dir: '{tmp_path}/state'\n  workers: 1\n  mcp_servers:\n    shop:\n"
              "      builtin: postgres\n"
              f"      postgres: {{dsn: '{postgres.dsn('later')}'}}\n")
    served = Served(tmp_path, config)
    try:
        served.start(words=["--port", served.port, "--host", host])
        wait_until(lambda: served.state("shop")["state"] == "ready", 20, "it to be ready")
        postgres.psql(f"ALTER ROLE later {more}")
        answer = served.command("mcp", "call", "shop-execute_sql", "sql=SELECT 42 AS a",
                                "--config", served.config)
        said = answer.stdout + answer.stderr
        assert ("it may create databases" in said) == refused, said
        assert ("42" in said) != refused, said
        if more == "CREATEDB":
            wait_until(lambda: "postgres.role" in served.log.read_text(), 20, "the word of the log")
    finally:
        served.stop()
        postgres.psql("DROP OWNED BY later; DROP ROLE later")


def test_what_took_long_is_logged_without_its_values(postgres):
    env = {"KANMON_PG_SLOW_QUERY": "1ms"}
    with Server(postgres.dsn(), env=env) as server:
        server.ok("execute_sql", sql="SELECT count(*), 'hush' FROM generate_series(1, 200000)")
        wait_until(lambda: "postgres.slow" in "".join(server.log), 20, "the line of the log")
        line = next(line for line in server.log if "postgres.slow" in line)
        assert 'statement="SELECT count(*), ? FROM generate_series(?, ?)"' in line
        assert "tool=execute_sql fingerprint=" in line and "hush" not in line


def test_nothing_is_prepared_twice_and_a_reset_is_survived(postgres):
    """The look-up is made ready once a connection; DISCARD ALL takes it away."""
    with Server(postgres.dsn(), "--pool-max", 1) as server:
        for _ in range(3):
            assert server.ok("execute_sql", sql="SELECT count(*) FROM t_acct")["rows"] == [[20]]
            # not pure: a function of an extension is followed by DISCARD ALL
            server.ok("execute_sql", sql="SELECT similarity('a', 'b')")
        left = server.ok("execute_sql", sql="SELECT count(*) FROM pg_prepared_statements")["rows"]
        assert left == [[1]]


def test_behind_a_pooler_nothing_is_left_to_the_session(postgres):
    with Server(postgres.dsn(), "--pooler", "transaction", "--pool-max", 1) as server:
        for _ in range(2):
            got = server.ok("execute_sql", sql="SELECT current_setting('DateStyle'), "
                            "(SELECT count(*) FROM pg_prepared_statements)")["rows"][0]
            assert got[0].startswith("ISO") and got[1] == 0
            assert server.error("execute_sql", sql="SELECT lo_create(1)")["code"]
        assert server.ok("execute_sql", sql="SELECT similarity('a', 'b')")["rows"]
