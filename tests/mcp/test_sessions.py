# SPDX-License-Identifier: Apache-2.0
"""Sessions of the handshake era over HTTP, and what a key may use of the servers behind."""

import http.client
import json

import pytest
from gateway import slow_factor

from conftest import ACCEPT, HERE, OLD, McpGateway

FIXTURE = HERE.parent / "conformance" / "fixture" / "server.mjs"
KEY = "sk-e2e-master"


def hello(version=OLD, capabilities=None):
    return {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": version, "capabilities": capabilities or {},
        "clientInfo": {"name": "t", "version": "1"}}}


def begin(gateway, version=OLD, key=KEY, path="/mcp"):
    answer = gateway.post(hello(version), path, key=key)
    assert answer.status == 200, answer.body
    return {"mcp-session-id": answer.header("mcp-session-id"), "mcp-protocol-version": version}


def stream(gateway, session, path="/mcp", **headers):
    """An open GET; the caller closes the connection."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port,
                                            timeout=20 * slow_factor())
    connection.request("GET", path, headers={"authorization": f"Bearer {KEY}",
                                             "accept": "text/event-stream", **session, **headers})
    return connection, connection.getresponse()


def test_a_session_ends_with_delete(gateway):
    session = begin(gateway)
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    assert gateway.post(ping, "/mcp", session).status == 200
    assert gateway.call("DELETE", "/mcp", headers=session).status == 200
    answer = gateway.post(ping, "/mcp", session)
    assert (answer.status, answer.json()["error"]["code"]) == (404, -32001)
    assert gateway.call("DELETE", "/mcp", headers=session).status == 404


def test_a_session_is_its_principals(gateway, key):
    session = begin(gateway, key=key)
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    assert gateway.post(ping, "/mcp", session, key=key).status == 200
    assert gateway.post(ping, "/mcp", session).status == 404


def test_any_worker_takes_a_sessions_messages(gateway):
    session = begin(gateway)
    for n in range(16):  # each on a connection of its own: two workers take them
        call = {"jsonrpc": "2.0", "id": n, "method": "tools/call",
                "params": {"name": "kanmon-list_models"}}
        answer = gateway.post(call, "/mcp", session)
        assert answer.json()["id"] == n
        assert answer.json()["result"]["isError"] is False


def test_one_stream_a_session(gateway):
    session = begin(gateway)
    first, answer = stream(gateway, session)
    try:
        assert answer.status == 200
        assert answer.readline().startswith(b"id: 0-")
        second, refused = stream(gateway, session)
        assert refused.status == 409
        second.close()
        assert gateway.call("GET", "/mcp", headers={**session, "accept": "application/json"}).status == 406
    finally:
        first.close()


def test_a_batch_belongs_to_one_revision(gateway):
    session = begin(gateway, "2025-03-26")
    batch = [{"jsonrpc": "2.0", "id": 1, "method": "ping"},
             {"jsonrpc": "2.0", "method": "notifications/initialized"},
             {"jsonrpc": "2.0", "id": "b", "method": "tools/list"}]
    answers = {one["id"]: one for one in gateway.post(batch, "/mcp", session).json()}
    assert answers[1]["result"] == {}
    assert answers["b"]["result"]["tools"]
    assert gateway.post(batch[1:2], "/mcp", session).status == 202
    assert gateway.post([hello()], "/mcp", session).status == 400
    assert gateway.post(batch, "/mcp", begin(gateway)).status == 400


def test_last_event_id_is_one_of_ours(gateway):
    session = begin(gateway)
    for wrong in ("x", "1-", "-1", "99-1", "0-0-0"):
        connection, answer = stream(gateway, session, **{"last-event-id": wrong})
        assert answer.status == 400, wrong
        connection.close()


def test_legacy_sse(gateway):
    connection, answer = stream(gateway, {}, "/sse")
    try:
        assert answer.readline() == b"event: endpoint\n"
        where = answer.readline().decode().removeprefix("data: ").strip()
        sent = gateway.call("POST", where, hello("2024-11-05"), headers=ACCEPT)
        assert sent.status == 202
        while not (line := answer.readline()).startswith(b"data: {"):
            pass
        assert json.loads(line[6:])["result"]["protocolVersion"] == "2024-11-05"
    finally:
        connection.close()


@pytest.fixture(scope="module")
def behind(tmp_path_factory):
    """A gateway in front of two of the conformance suite's fixture servers."""
    import os
    node = os.environ.get("KM_NODE")
    if not node:
        pytest.fail("KM_NODE is not set: run this by tests/mcp/run")
    folder = tmp_path_factory.mktemp("behind")
    text = (HERE / "config.yaml").read_text().format(state=folder / "state")
    server = "{{transport: stdio, command: {node}, args: [{file}, v1, stdio]{more}}}"
    text += "mcp_servers:\n"
    for name, more in (("one", ", access_groups: [dev]"), ("two", "")):
        text += f"  {name}: " + server.format(
            node=json.dumps(node), file=json.dumps(str(FIXTURE)), more=more) + "\n"
    with McpGateway(folder, text) as started:
        yield started


def tools(gateway, key, path="/mcp", **headers):
    answer = gateway.post({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, path, headers,
                          key=key).json()
    return {tool["name"] for tool in answer["result"]["tools"]} if "result" in answer else answer


@pytest.mark.skipif(not (HERE.parent / "conformance" / "node_modules").exists(),
                    reason="the fixture servers are installed by tests/conformance/run")
def test_a_key_sees_what_it_may(behind):
    servers = lambda names: {n.split("-")[0] for n in names}
    assert servers(tools(behind, KEY)) == {"kanmon", "one", "two"}
    assert servers(tools(behind, KEY, **{"x-mcp-servers": "two"})) == {"two"}
    assert servers(tools(behind, KEY, **{"x-mcp-access-groups": "dev"})) == {"one"}
    assert "test_simple_text" in tools(behind, KEY, "/two/mcp")
    key = behind.new_key(object_permission={
        "mcp_access_groups": ["dev"], "mcp_tool_permissions": {"one": ["test_simple_text"]}})
    assert tools(behind, key) == {"kanmon-list_models", "kanmon-key_info", "one-test_simple_text"}
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "two-test_simple_text"}}
    assert behind.post(call, "/mcp", key=key).json()["error"]["code"] == -32602
    assert behind.post(call, "/mcp").json()["result"]["content"]
    assert behind.post(call, "/two/mcp", key=key).status == 404
