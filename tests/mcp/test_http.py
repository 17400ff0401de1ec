# SPDX-License-Identifier: Apache-2.0
"""The wire rules of Streamable HTTP, in both eras."""

import base64
import contextlib
import http.client
import json
import sqlite3

import pytest
from gateway import request, wait_until

from conftest import ACCEPT, META, NEW, OLD

LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}


def names(answer):
    return [tool["name"] for tool in answer["result"]["tools"]]


def structured(answer):
    result = answer["result"]
    assert result["isError"] is False, answer
    assert json.loads(result["content"][0]["text"]) == result["structuredContent"]
    return result["structuredContent"]


def test_nobody_reaches_it_without_a_key(gateway):
    for key in (None, "sk-wrong-0123456789abcd"):
        for path in ("/mcp", "/mcp/kanmon"):
            assert gateway.post(LIST, path, key=key).status == 401


def test_a_foreign_origin_is_refused(gateway):
    assert gateway.post(LIST, headers={"origin": "https://evil.example"}).status == 403


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
@pytest.mark.parametrize("path", ["/mcp", "/mcp/kanmon"])
def test_without_a_session_there_is_only_post(gateway, method, path):
    answer = gateway.call(method, path)
    assert answer.status == 405
    assert "POST" in answer.header("allow")


def test_a_session_is_offered_and_not_asked_for(gateway):
    hello = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": OLD, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}}
    answer = gateway.post(hello)
    assert answer.status == 200
    assert len(answer.header("mcp-session-id")) == 42
    assert answer.json()["result"]["protocolVersion"] == OLD
    note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    answer = gateway.post(note, headers={"mcp-protocol-version": OLD})
    assert (answer.status, answer.body) == (202, b"")
    answer = gateway.post(note, headers={"mcp-protocol-version": OLD, "mcp-session-id": "old"})
    assert answer.status == 404


def test_the_shared_endpoint_prefixes_names(gateway, key):
    assert names(gateway.rpc("tools/list", path="/mcp", key=key)) == [
        "kanmon-list_models", "kanmon-key_info"]
    assert names(gateway.rpc("tools/list", key=key)) == ["list_models", "key_info"]
    for path in ("/mcp", "/mcp/kanmon"):
        for name in ("list_models", "kanmon-list_models"):
            answer = gateway.rpc("tools/call", {"name": name}, path=path, key=key)
            assert structured(answer)["models"] == ["small"]


def test_a_key_sees_what_is_its_own(gateway, key):
    info = structured(gateway.rpc("tools/call", {"name": "key_info"}, key=key))
    assert info["admin"] is False
    assert info["key"]["alias"] == "mcp-tests"
    assert info["key"]["models"] == ["small"]
    assert info["key"]["max_budget_usd"] == 2.5
    assert info["key"]["budget_left_usd"] == 2.5
    assert info["key"]["rpm_limit"] == 600
    assert info["key"]["tpm_limit"] is None
    assert key not in json.dumps(info)
    admin = structured(gateway.rpc("tools/call", {"name": "key_info"}))
    assert (admin["admin"], admin["key"]) == (True, None)
    models = structured(gateway.rpc("tools/call", {"name": "list_models"}))["models"]
    assert models == ["small", "large"]
    models = structured(gateway.rpc("tools/call", {
        "name": "list_models", "arguments": {"contains": "lar", "limit": 1}}))
    assert models == {"models": ["large"], "more": False}
    models = structured(gateway.rpc("tools/call", {
        "name": "list_models", "arguments": {"limit": 1}}))
    assert models == {"models": ["small"], "more": True}


def test_the_status_is_for_the_administrator(gateway, key):
    assert "gateway_status" in names(gateway.rpc("tools/list"))
    assert structured(gateway.rpc("tools/call", {"name": "gateway_status"}))["store"] == "healthy"
    answer = gateway.rpc("tools/call", {"name": "gateway_status"}, key=key)
    assert answer["error"] == {"code": -32602, "message": "Unknown tool: gateway_status"}


def test_every_call_is_in_the_audit_log(gateway, key):
    # Answered when its own record is written, and with it those of all calls before it.
    gateway.rpc("tools/call", {"name": "list_models"}, key=key)
    before = len(gateway.audit())
    gateway.rpc("tools/call", {"name": "list_models", "arguments": {"contains": "secret words"}},
                key=key)
    gateway.rpc("tools/call", {"name": "list_models", "arguments": {"limit": "many"}}, key=key)
    gateway.rpc("tools/call", {"name": "gateway_status"}, key=key)
    # That of a tool nobody has is written with the next commit; its answer does not wait.
    wait_until(lambda: len(gateway.audit()) >= before + 3, 20, "three records")
    rows = gateway.audit()[before:]
    assert [json.loads(d)["outcome"] for _, _, d in rows] == [
        "ok", "invalid_arguments", "unknown_tool"]
    assert [t for _, t, _ in rows] == ["list_models", "list_models", "gateway_status"]
    assert all(actor.startswith("key:") for actor, _, _ in rows)
    assert len({json.loads(d)["arguments_sha256"] for _, _, d in rows}) == 3
    assert "secret words" not in str(rows)


def test_bad_arguments_are_an_answer_of_the_tool_since_2025_11_25(gateway):
    call = {"name": "list_models", "arguments": {"limit": 0}}
    answer = gateway.rpc("tools/call", call)
    assert answer["result"]["isError"] is True
    assert answer["result"]["content"][0]["text"] == "arguments.limit must be at least 1"
    assert gateway.rpc("tools/call", call, version="2025-06-18")["error"]["code"] == -32602
    call = {"name": "list_models", "arguments": {"surprise": 1}}
    assert gateway.rpc("tools/call", call)["result"]["isError"] is True


def test_messages_that_are_none(gateway):
    for body, status, code in [
            ("{", 400, -32700), ("", 400, -32700), ("[]", 400, -32600),
            (json.dumps([LIST] * 101), 400, -32600),
            ('{"jsonrpc":"2.0","id":null,"method":"ping"}', 400, -32600),
            ('{"jsonrpc":"2.0","id":1,"method":"no/such"}', 200, -32601),
            ('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"none"}}', 200,
             -32602)]:
        answer = gateway.post(body)
        assert (answer.status, answer.json()["error"]["code"]) == (status, code), body


def test_media_types(gateway):
    def post(content_type, accept):
        headers = {"content-type": content_type, "accept": accept, "authorization":
                   "Bearer sk-e2e-master"}
        return request(gateway.port, "POST", "/mcp", json.dumps(LIST), None, headers).status

    assert post("application/json; charset=utf-8", "text/event-stream;q=0.5, application/json") == 200
    assert post("application/json", "*/*") == 200
    assert post("text/plain", "application/json") == 415
    assert post("application/json", "text/event-stream") == 406


def test_the_version_header(gateway):
    assert gateway.post(LIST).status == 200
    for version in ("2024-11-05", "2025-03-26", "2025-06-18", OLD):
        assert gateway.post(LIST, headers={"mcp-protocol-version": version}).status == 200
    answer = gateway.post(LIST, headers={"mcp-protocol-version": "2020-01-01"})
    assert (answer.status, answer.json()["error"]["code"]) == (400, -32000)
    answer = gateway.post(LIST, headers={"mcp-protocol-version": "2031-01-01"})
    assert (answer.status, answer.json()["error"]["code"]) == (400, -32022)
    answer = gateway.post(LIST, headers={"mcp-protocol-version": "junk \xe9" + "!" * 100})
    error = answer.json()["error"]
    assert (answer.status, error["code"]) == (400, -32022)
    assert error["data"] == {"supported": [NEW], "requested": "junk ?" + "!" * 58}
    assert error["message"].endswith(error["data"]["requested"])


def test_stateless_requests(gateway, key):
    found = gateway.stateless("server/discover", key=key).json()["result"]
    assert found["supportedVersions"] == [NEW]
    assert (found["resultType"], found["cacheScope"]) == ("complete", "public")
    assert found["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "kanmon"
    listed = gateway.stateless("tools/list", key=key).json()["result"]
    assert (listed["resultType"], listed["cacheScope"]) == ("complete", "private")
    assert listed["ttlMs"] > 0
    called = gateway.stateless("tools/call", {"name": "list_models"}, key=key).json()["result"]
    assert called["resultType"] == "complete"
    assert called["structuredContent"]["models"] == ["small"]
    for gone in ("initialize", "ping", "logging/setLevel"):
        answer = gateway.stateless(gone)
        assert (answer.status, answer.json()["error"]["code"]) == (404, -32601)


def test_only_one_era_has_a_list_of_tasks(gateway):
    answer = gateway.stateless("tasks/list")
    assert (answer.status, answer.json()["error"]["code"]) == (404, -32601)
    assert gateway.rpc("tasks/list")["result"] == {"tasks": []}


def test_stateless_headers_must_say_what_the_body_says(gateway):
    call = ("tools/call", {"name": "list_models"})
    encoded = "=?base64?" + base64.b64encode(b"list_models").decode() + "?="
    assert gateway.stateless(*call, headers={"mcp-name": encoded}).status == 200
    for wrong in ({"mcp-method": None}, {"mcp-method": "tools/list"}, {"mcp-method": "Tools/Call"},
                  {"mcp-name": None}, {"mcp-name": "key_info"}, {"mcp-name": "=?base64?%%?="},
                  {"mcp-protocol-version": None}, {"mcp-protocol-version": OLD}):
        answer = gateway.stateless(*call, headers=wrong)
        assert (answer.status, answer.json()["error"]["code"]) == (400, -32020), wrong


def test_stateless_requests_say_all_about_themselves(gateway):
    def post(params):
        return gateway.post({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": params},
                            headers={"mcp-protocol-version": NEW, "mcp-method": "tools/list"})

    for meta in ({}, {k: v for k, v in META.items() if "Capabilities" not in k}):
        answer = post({"_meta": meta})
        assert (answer.status, answer.json()["error"]["code"]) == (400, -32602)
    assert post({"_meta": META}).status == 200


def test_a_message_over_16_mib_is_refused(gateway):
    body = json.dumps({**LIST, "params": {"x": "y" * (16 << 20)}})
    assert gateway.post(body).status == 413


def test_approvals_are_the_administrators(gateway, key):
    assert gateway.call("GET", "/kanmon/approvals").json() == {"approvals": []}
    assert gateway.call("GET", "/kanmon/approvals", key=key).status == 403
    assert gateway.call("POST", "/kanmon/approvals/none", {"approve": True}, key=key).status == 403
    assert gateway.call("POST", "/kanmon/approvals/none", {"approve": True}).status == 404
    assert gateway.call("POST", "/kanmon/approvals/none", {"approve": "yes"}).status == 400
    # Read-only tools wait for nobody.
    structured(gateway.rpc("tools/call", {"name": "list_models"}, key=key))
    assert gateway.call("GET", "/kanmon/approvals").json() == {"approvals": []}


def test_a_tool_of_the_gateways_own_outlives_who_asked(gateway, key):
    """Its answer waits for the record; whoever asked is gone when the store has written it."""
    before, links = len(gateway.audit()), []
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                       "params": {"name": "key_info", "_meta": META}})
    headers = {**ACCEPT, "content-type": "application/json", "authorization": f"Bearer {key}",
               "mcp-protocol-version": NEW, "mcp-method": "tools/call", "mcp-name": "key_info"}
    with contextlib.closing(sqlite3.connect(gateway.folder / "state" / "kanmon.db",
                                            isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        for _ in range(8):
            links.append(http.client.HTTPConnection("127.0.0.1", gateway.port))
            links[-1].request("POST", "/mcp/kanmon", body, headers)
        for _ in range(8):
            assert gateway.call("GET", "/health/liveliness").status == 200
        for link in links:
            link.close()
        for _ in range(8):
            assert gateway.call("GET", "/health/liveliness").status == 200
        db.execute("ROLLBACK")
    wait_until(lambda: len(gateway.audit()) == before + 8, 20, "the records")
    assert structured(gateway.rpc("tools/call", {"name": "key_info"}, key=key))["admin"] is False
