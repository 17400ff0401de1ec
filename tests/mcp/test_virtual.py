# SPDX-License-Identifier: Apache-2.0
"""Virtual servers: named subsets of what servers offer, in both eras, by key, and reloaded."""

import json
import pathlib
import re
import subprocess
import sys

import pytest
from gateway import MASTER, patient, wait_until

from conftest import McpGateway
from served import until
from test_upstreams import listening

SERVER = pathlib.Path(__file__).resolve().parent / "upstream_server.py"
TRIAGE = {
    "description": "Sums and news.",
    "instructions": "Use sum for sums.",
    "access_groups": ["desk"],
    "servers": {
        "adder": {"tools": {"add": {"name": "sum", "title": "Sum", "description": "Sums."}},
                  "resources": ["memo://*"]},
        "other": {"tools": ["add"], "prompts": {"greet": "hello"}},
    },
}


def settings(folder, url, virtuals):
    command = {"transport": "stdio", "command": sys.executable, "args": [str(SERVER), "stdio"]}
    return json.dumps({
        "general_settings": {"master_key": MASTER},
        "mcp_servers": {"adder": {"transport": "http", "url": url, "risks": {"add": "write"},
                                  "allowed_params": {"add": ["a", "b"]}},
                        "other": command},
        "kanmon_settings": {"state_dir": str(folder / "state"), "workers": 2,
                            "mcp_virtual_servers": virtuals}})


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    folder = tmp_path_factory.mktemp("virtual")
    virtuals = {"triage": TRIAGE,
                "long": {"prefix": True, "servers": {"adder": "*", "other": {"tools": ["add"]}}},
                "empty": {"servers": {"adder": {"prompts": ["greet"]}}}}
    with listening("http") as url, McpGateway(folder, settings(folder, url, virtuals)) as started:
        started.url_of_adder = url
        for name in ("adder", "other"):
            until(started, name, "ready")
        yield started


def names(gateway, kind="tools", path="/mcp/triage", member="name", **more):
    listed = gateway.rpc(f"{kind}/list", {}, path, **more)["result"]
    return [one[member] for one in listed[kind]]


def called(gateway, name, path="/mcp/triage", **more):
    answer = gateway.rpc("tools/call", {"name": name, "arguments": {"a": 1, "b": 2}}, path, **more)
    if "error" in answer:
        return answer["error"]["message"]
    return answer["result"]["content"][0]["text"]


def test_it_lists_its_part_under_the_names_it_gives(gateway):
    first, second = gateway.rpc("tools/list", {}, "/mcp/triage")["result"]["tools"]
    assert (first["name"], first["title"], first["description"]) == ("sum", "Sum", "Sums.")
    assert first["inputSchema"]["required"] == ["a", "b"]
    assert second["name"] == "add" and second["description"] == "Adds two numbers."
    assert names(gateway, "resources", member="uri") == ["memo://today"]
    assert names(gateway, "prompts") == ["hello"]
    for path in ("/triage/mcp", "/mcp/triage"):
        assert names(gateway, path=path) == ["sum", "add"]
    chosen = gateway.post({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, "/mcp",
                          {"x-mcp-servers": "triage"}).json()["result"]["tools"]
    assert [one["name"] for one in chosen] == ["sum", "add"]
    assert names(gateway, path="/mcp/long") == ["adder-add", "other-add"]
    assert not {"sum", "adder-sum"} & set(names(gateway, path="/mcp"))  # the servers have theirs


def test_both_eras_reach_the_servers_tool(gateway):
    assert called(gateway, "sum") == "3" == called(gateway, "adder-sum")
    answer = gateway.stateless("tools/call", {"name": "sum", "arguments": {"a": 2, "b": 3}},
                               path="/mcp/triage")
    assert answer.status == 200 and answer.json()["result"]["content"][0]["text"] == "5"
    wrong = gateway.stateless("tools/call", {"name": "sum", "arguments": {"a": 2, "b": 3}},
                              {"mcp-name": "add"}, "/mcp/triage")
    assert wrong.json()["error"]["code"] == -32020  # the name the client was shown counts
    shown = gateway.rpc("prompts/get", {"name": "hello", "arguments": {"name": "you"}},
                        "/mcp/triage")
    assert "Say hello to you" in json.dumps(shown)
    read = gateway.rpc("resources/read", {"uri": "memo://today"}, "/mcp/triage")
    assert read["result"]["contents"][0]["text"] == "Friday"
    kept = wait_until(lambda: [d for _, target, d in gateway.audit() if target == "sum"])
    assert json.loads(kept[0])["server"] == "adder" and json.loads(kept[0])["tool"] == "add"


def test_what_it_does_not_name_is_not_there(gateway):
    assert "Unknown tool" in called(gateway, "add", "/mcp/empty")
    refused = gateway.rpc("resources/read", {"uri": "memo://today"}, "/mcp/empty")
    assert refused["error"]["message"] == "Resource not found"
    hello = gateway.rpc("initialize", {"protocolVersion": "2025-11-25", "capabilities": {},
                                       "clientInfo": {"name": "t", "version": "1"}}, "/mcp/empty")
    assert "resources" not in hello["result"]["capabilities"]
    assert hello["result"]["instructions"] == "Adds numbers."


def test_its_own_instructions_take_the_place(gateway):
    found = gateway.stateless("server/discover", path="/mcp/triage").json()["result"]
    assert found["instructions"] == "Use sum for sums."


def test_a_key_for_it_opens_it_and_nothing_beside(gateway):
    only = gateway.new_key(object_permission={"mcp_servers": ["triage"]})
    assert called(gateway, "sum", key=only) == "3"
    assert gateway.post({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, "/mcp/adder",
                        key=only).status == 404
    whole = [name for name in names(gateway, path="/mcp", key=only) if "kanmon" not in name]
    assert whole == ["adder-sum", "other-add"]
    group = gateway.new_key(object_permission={"mcp_access_groups": ["desk"]})
    assert called(gateway, "sum", key=group) == "3"
    other = gateway.new_key(object_permission={"mcp_servers": ["other"]})
    assert gateway.post({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, "/mcp/triage",
                        key=other).status == 404
    # what is said of the server below holds too, and what is said of the virtual one
    less = gateway.new_key(object_permission={
        "mcp_servers": ["triage"], "mcp_tool_permissions": {"adder": ["none"]}})
    assert names(gateway, key=less) == ["add"] and "Unknown tool" in called(gateway, "sum",
                                                                            key=less)
    shown = gateway.new_key(object_permission={"mcp_tool_permissions": {"triage": ["sum"]}})
    assert names(gateway, key=shown) == ["sum"]
    narrow = gateway.new_key(object_permission={
        "mcp_servers": ["triage"], "mcp_param_permissions": {"triage": {"add": ["a"]}}})
    assert "may not be given" in called(gateway, "sum", key=narrow)


def test_what_is_configured_for_the_tool_holds(gateway):
    answer = gateway.rpc("tools/call", {"name": "sum", "arguments": {"a": 1, "b": 2, "c": 3}},
                         "/mcp/triage")
    assert "Parameter 'c'" in answer["error"]["message"]


def test_a_reload_changes_it_and_approvals_hold(gateway):
    text = settings(gateway.folder, gateway.url_of_adder,
                    {"triage": {**TRIAGE, "servers": {"adder": {"tools": {"add": "plus"}}}}})
    changed = json.loads(text)
    changed["mcp_servers"]["adder"]["approve"] = "write"
    gateway.config.write_text(json.dumps(changed))
    ran = gateway.command("reload", "--config", gateway.config)
    assert ran.returncode == 0, ran.stderr
    wait_until(lambda: names(gateway) == ["plus"])
    said = called(gateway, "plus")
    assert said.startswith("approval required: "), said
    approval = re.search(r": (\S+)", said).group(1)
    assert gateway.call("POST", f"/kanmon/approvals/{approval}", {"approve": True}).status == 200
    assert called(gateway, "plus") == "3"


@pytest.mark.parametrize("virtuals, why", [
    ({"x": {"servers": {"adder": {"tools": ["add"]}, "other": {"tools": ["add"]}}}},
     "mcp_servers.adder and of mcp_servers.other are both called 'add'"),
    ({"x": {"servers": {"adder": {"tools": {"add": "a", "b": "a"}}}}}, "both called 'a'"),
    ({"adder": {"servers": {"other": "*"}}}, "it is called like mcp_servers. 'adder'"),
    ({"x": {"servers": {"nobody": "*"}}}, "there is no server 'nobody'"),
    ({"x": {"servers": {"adder": {"tool": ["add"]}}}}, "has nothing called 'tool'"),
    ({"x": {"servers": {"adder": {"tools": {"add": {"nme": "x"}}}}}}, "cannot have 'nme'"),
    ({"x": {"servers": {"adder": {"tools": {"*": "x"}}}}}, "one new name for all of '*'"),
    ({"x": {"prefx": True, "servers": {"adder": "*"}}}, "prefx"),
    ({"x": {"prefix": True}}, "nothing is below 'x'"),
])
def test_what_cannot_be_is_said_at_load_time(kanmon, tmp_path, virtuals, why):
    file = tmp_path / "config.json"
    file.write_text(settings(tmp_path, "http://127.0.0.1:1/mcp", virtuals))
    ran = subprocess.run([kanmon, "config", "check", str(file)], capture_output=True, text=True,
                         timeout=patient(60))
    assert ran.returncode == 5, ran.stdout
    assert why in ran.stdout + ran.stderr
