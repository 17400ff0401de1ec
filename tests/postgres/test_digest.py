# SPDX-License-Identifier: Apache-2.0
"""What the server says of the schema when the database is slow, silent or away: at once what is
known, a moment later at most where nothing is, and the rest when there is an answer."""

import os
import signal
import socket

import pytest
from gateway import wait_until

from conftest import Server
from proxy import Proxy
from test_faults import backends, postmaster, role, until_it_works, works
from test_gateway import Served

HELLO = {"protocolVersion": "2025-11-25", "capabilities": {},
         "clientInfo": {"name": "tests", "version": "1"}}
STATELESS = {"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
                       "io.modelcontextprotocol/clientCapabilities": {}}}
TABLE = "public.t_ord (about 200 rows)"
UNKNOWN = "not known yet"


def instructions(server):
    return server.request("initialize", HELLO)["result"]["instructions"]


def told_at_once(server):
    """The instructions, given before a ping that was sent after them is."""
    number = server.send("initialize", HELLO)
    server.request("ping")
    assert number in server.answers, "it waits for the database"
    return server.wait(number)["result"]["instructions"]


def told_in_the_end(server):
    wait_until(lambda: TABLE in instructions(server), 60, "the schema to be known", 0.1)


@pytest.fixture
def silent():
    """The address of one that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield f"postgresql://nobody@127.0.0.1:{listener.getsockname()[1]}/none"


def test_a_database_that_is_stopped_is_waited_for_once_and_followed_up(postgres, role):
    os.kill(postmaster(postgres), signal.SIGSTOP)
    try:
        with Server(postgres.dsn(role)) as server:
            assert UNKNOWN in server.hello["instructions"] and "mode read-only" in str(server.hello)
            assert UNKNOWN in told_at_once(server)
            found = server.request("server/discover", STATELESS)["result"]
            assert UNKNOWN in found["instructions"] and found["ttlMs"] < 60_000
            os.kill(postmaster(postgres), signal.SIGCONT)
            told_in_the_end(server)
            changed = "notifications/resources/list_changed"
            assert {told["method"] for told in server.told} == {changed}
            found = server.request("server/discover", STATELESS)["result"]
            assert TABLE in found["instructions"] and found["ttlMs"] > 60_000
    finally:
        os.kill(postmaster(postgres), signal.SIGCONT)


def test_what_is_known_is_told_while_the_database_is_stopped(postgres, role):
    with Server(postgres.dsn(role), "--pool-max", 1) as server:
        assert TABLE in server.hello["instructions"]
        (pid,) = backends(postgres, role)
        os.kill(pid, signal.SIGSTOP)
        try:
            assert TABLE in instructions(server)  # after a moment: it could have been another now
            assert TABLE in told_at_once(server) and TABLE in told_at_once(server)
        finally:
            os.kill(pid, signal.SIGCONT)
        until_it_works(server)
        wait_until(lambda: TABLE in instructions(server), 20, "a look in time", 0.1)
        postgres.psql("CREATE TABLE just_now (id int); GRANT SELECT ON just_now TO PUBLIC")
        try:  # one that answers again is waited for again
            wait_until(lambda: "just_now" in instructions(server), 20, "the new table", 0.1)
            postgres.psql("DROP TABLE just_now")
            assert "just_now" not in instructions(server)
        finally:
            postgres.psql("DROP TABLE IF EXISTS just_now")


def test_a_server_that_never_answers_holds_up_one_greeting_for_a_moment(silent):
    with Server(silent, greet=False) as server:
        assert server.request("ping")["result"] == {}
        assert server.hello not in server.answers  # it might be just about to
        assert UNKNOWN in server.wait(server.hello)["result"]["instructions"]
        for _ in range(3):
            assert UNKNOWN in told_at_once(server)


def test_what_was_away_is_known_once_a_call_is_served(postgres, role):
    with Proxy(None) as wire, Server(wire.dsn(role)) as server:
        assert UNKNOWN in server.hello["instructions"]
        wire.target = postgres.port
        until_it_works(server)
        wait_until(lambda: server.request("ping") and server.told, 20, "a notice", 0.05)
        assert TABLE in instructions(server)


def test_a_client_that_leaves_while_it_waits_leaves_nothing_behind(silent):
    with Server(silent, greet=False) as server:
        assert server.request("ping")["result"] == {}
        server.send("initialize", HELLO)  # it ends with both under way


def test_the_gateway_tells_what_it_has_and_asks_again(postgres, role, tmp_path):
    config = ("general_settings: {master_key: sk-e2e-master}\nkanmon_settings:\n"
              f"  state_dir: '{tmp_path}/state'\n  workers: 1\n  mcp_servers:\n    shop:\n"
              "      builtin: postgres\n"
              f"      postgres: {{dsn: '{postgres.dsn(role)}', connect_timeout: 1500ms}}\n")

    def said(served):
        answer = served.call("POST", "/mcp/shop", {
            "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO},
            headers={"Accept": "application/json, text/event-stream"})
        return answer.json()["result"].get("instructions", "")  # none: it has not been heard

    os.kill(postmaster(postgres), signal.SIGSTOP)
    try:
        with Served(tmp_path, config) as served:
            wait_until(lambda: UNKNOWN in said(served), 20, "its instructions")
            os.kill(postmaster(postgres), signal.SIGCONT)
            wait_until(lambda: TABLE in said(served), 30, "the schema to be known", 0.2)
    finally:
        os.kill(postmaster(postgres), signal.SIGCONT)
