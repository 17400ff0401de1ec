# SPDX-License-Identifier: Apache-2.0
"""LiteLLM's /mcp-rest: lists and calls without MCP, with the checks of every other call."""

import json
import pathlib
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from gateway import MASTER, wait_until

from conftest import McpGateway
from served import faulty, served, until

SERVER = pathlib.Path(__file__).resolve().parent / "upstream_server.py"
SUM = {"a": 1, "b": 2}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rest")
    text = json.dumps({
        "general_settings": {"master_key": MASTER},
        "mcp_servers": {
            "adder": {"transport": "stdio", "command": sys.executable,
                      "args": [str(SERVER), "stdio"], "server_id": "id-of-adder",
                      "mcp_info": {"logo_url": "http://logo", "server_name": "not this"},
                      "allowed_params": {"add": ["a", "b"]}, "access_groups": ["sums"]},
            "gone": {"transport": "http", "url": "http://127.0.0.1:1/mcp?secret=x"}},
        "kanmon_settings": {"state_dir": str(folder / "state"), "workers": 2}})
    with McpGateway(folder, text) as started:
        wait_until(lambda: listed(started, "?server_id=adder")["tools"], 60)
        yield started


def listed(gateway, query="", **more):
    answer = gateway.call("GET", "/mcp-rest/tools/list" + query, **more)
    assert answer.status == 200
    return answer.json()


def call(gateway, body, **more):
    answer = gateway.call("POST", "/mcp-rest/tools/call", body, **more)
    return answer.status, answer.json()


@pytest.mark.parametrize("name", ["id-of-adder", "adder"])
def test_the_tools_of_a_server_have_its_own_names(gateway, name):
    said = listed(gateway, f"?server_id={name}")
    assert said["error"] is None and said["message"] == "Successfully retrieved tools"
    tool, = said["tools"]
    assert tool["name"] == "add" and tool["description"] == "Adds two numbers."
    assert tool["inputSchema"]["required"] == ["a", "b"]
    assert tool["mcp_info"] == {"server_name": "adder", "server_id": "id-of-adder",
                                "logo_url": "http://logo"}


def test_all_tools_have_their_server_in_front(gateway):
    names = [one["name"] for one in listed(gateway)["tools"]]
    assert "adder-add" in names and "kanmon-list_models" in names
    assert names == [one["name"] for one in gateway.call("GET", "/v1/mcp/tools").json()["tools"]]


def test_what_cannot_be_listed_is_said_in_the_answer(gateway):
    assert listed(gateway, "?server_id=nobody") == {
        "tools": [], "error": "server_not_found", "message": "Server with id nobody not found"}
    gone = listed(gateway, "?server_id=gone")
    assert gone["error"] == "server_error" and "refused" in gone["message"]
    assert "secret" not in gone["message"]


@pytest.mark.parametrize("body", [
    {"name": "adder-add", "arguments": SUM}, {"name": "add", "arguments": SUM},
    {"server_id": "id-of-adder", "name": "add", "arguments": SUM},
    {"server_id": "adder", "name": "adder-add", "arguments": SUM}])
def test_a_tool_is_called_by_each_of_its_names(gateway, body):
    status, result = call(gateway, body)
    assert status == 200 and result["content"][0]["text"] == "3" and result["isError"] is False


@pytest.mark.parametrize("body, status, error", [
    ({"name": "nope"}, 404, "tool_not_found"),
    ({"server_id": "nobody", "name": "add"}, 404, "server_not_found"),
    ({"name": "add", "arguments": {"c": 1}}, 403, "forbidden"),
    ({}, 400, "invalid_request"), ([1], 400, "invalid_request")])
def test_a_refused_call_says_why(gateway, body, status, error):
    said, answer = call(gateway, body)
    assert said == status and answer["detail"]["error"] == error and answer["detail"]["message"]


def test_a_key_is_asked_for_and_holds(gateway):
    assert gateway.call("GET", "/mcp-rest/tools/list", key="sk-none").status == 401
    assert gateway.call("POST", "/mcp-rest/tools/call", {"name": "add"}, key="sk-none").status == 401
    key = gateway.new_key(object_permission={"mcp_servers": ["gone"]})
    assert listed(gateway, "?server_id=adder", key=key)["error"] == "server_not_found"
    assert call(gateway, {"name": "add", "arguments": SUM}, key=key)[0] == 404
    limited = gateway.new_key(rpm_limit=1)
    assert call(gateway, {"name": "add", "arguments": SUM}, key=limited)[0] == 200
    refused = refusal(gateway, 429, "rate_limited", limited)
    assert 1 <= int(refused.header("retry-after")) <= 60
    assert refused.header("x-should-retry") is None


def refusal(gateway, status, error, key, body=None):
    """A call that is refused: the answer, whose status and word are these."""
    answer = gateway.call("POST", "/mcp-rest/tools/call",
                          body or {"name": "add", "arguments": SUM}, key=key)
    assert answer.status == status, answer.body
    detail = answer.json()["detail"]
    assert detail["error"] == error and detail["message"]
    return answer


def test_what_a_key_has_used_up_is_said_as_what_it_is(tmp_path):
    costs = {"mcp_server_cost_info": {"tool_name_to_cost_per_query": {"big": 0.25}}}
    with served(tmp_path, {"one": faulty("--blocks", mcp_info=costs)}) as started:
        until(started, "one", "ready")
        big = {"name": "one-big", "arguments": {"bytes": 10}}
        spent = started.new_key(max_budget=0.3)
        assert call(started, big, key=spent)[0] == 200
        refused = refusal(started, 429, "budget_exceeded", spent, big)
        assert refused.header("x-should-retry") == "false"
        assert call(started, {"name": "one-pid"}, key=spent)[0] == 200

        busy = started.new_key(max_parallel_requests=1)
        began, until_there = tmp_path / "began", tmp_path / "over"
        block = {"name": "one-block", "arguments": {"began": str(began), "until": str(until_there)}}
        with ThreadPoolExecutor(1) as other:
            blocked = other.submit(call, started, block, key=busy)
            wait_until(began.exists)
            refusal(started, 429, "rate_limited", busy, {"name": "one-pid"})
            until_there.touch()
            assert blocked.result()[0] == 200


def test_a_call_is_in_the_books_as_any_other(gateway):
    key = gateway.new_key(key_alias="by-rest") # committed, and with it all records before it
    before = len([1 for _, target, _ in gateway.audit() if target == "adder-add"])
    assert call(gateway, {"name": "adder-add", "arguments": SUM}, key=key)[0] == 200
    records = wait_until(lambda: (found := [
        (actor, json.loads(detail)) for actor, target, detail in gateway.audit()
        if target == "adder-add"]) and len(found) > before and found)
    actor, detail = records[-1]
    assert actor.startswith("key:") and detail["tool"] == "add" and detail["outcome"] == "ok"


def test_servers_are_listed_as_litellm_lists_them(gateway):
    adder = next(one for one in gateway.call("GET", "/v1/mcp/server").json()
                 if one["server_name"] == "adder")
    assert adder["server_id"] == "id-of-adder" and adder["status"] == "healthy"
    assert adder["mcp_access_groups"] == ["sums"] and adder["command"] == sys.executable
    assert gateway.call("GET", "/v1/mcp/server/adder").json() == adder
    health = gateway.call("GET", "/v1/mcp/server/health?server_ids=id-of-adder").json()
    assert health == [{"server_id": "id-of-adder", "status": "healthy"}]
    groups = gateway.call("GET", "/v1/mcp/access_groups")
    assert groups.json() == {"access_groups": ["sums"]}
    assert "secret" not in gateway.call("GET", "/v1/mcp/server").body.decode()


def test_a_key_sees_its_servers_and_no_more_of_them(gateway):
    key = gateway.new_key(object_permission={"mcp_servers": ["adder"]})
    only, = gateway.call("GET", "/v1/mcp/server", key=key).json()
    assert only["server_name"] == "adder" and "command" not in only and "url" not in only
    assert gateway.call("GET", "/v1/mcp/server/gone", key=key).status == 404
    assert gateway.call("GET", "/v1/mcp/access_groups", key=key).status == 403


def test_a_login_is_asked_for_by_command(gateway):
    ran = gateway.command("mcp", "login", "adder", "--config", gateway.config)
    assert ran.returncode not in (0, 2) and ran.stderr
    assert gateway.command("mcp", "login", "--config", gateway.config).returncode == 2
