# SPDX-License-Identifier: Apache-2.0
"""Tool search: three tools in the place of many, and calls that are checked as direct ones."""

import json
import pathlib
import re
import sys

import pytest
from gateway import MASTER, wait_until

from conftest import McpGateway

MANY = pathlib.Path(__file__).resolve().parent / "many.py"
META = ["search_tools", "describe_tool", "call_tool"]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    folder = tmp_path_factory.mktemp("search")

    def server(n, **more):
        return {"transport": "stdio", "command": sys.executable, "args": [str(MANY), str(n)],
                **more}

    text = json.dumps({
        "general_settings": {"master_key": MASTER},
        "mcp_servers": {
            "big": server(500, access_groups=["many"]),
            "risky": server(1, risks={"tool_0": "destructive"}, approve="write"),
            "small": server(3, tool_search=True, tool_search_visible=["tool_1"],
                            allowed_params={"tool_2": ["x"]})},
        "kanmon_settings": {
            "state_dir": str(folder / "state"), "workers": 2,
            "mcp_tool_search": {"whole": True, "groups": ["many"], "visible": ["big-tool_7"],
                                "results": 3},
            "mcp_virtual_servers": {"part": {"tool_search": True,
                                             "servers": {"big": {"tools": ["tool_1*"]}}}}}})
    with McpGateway(folder, text) as started:
        wait_until(lambda: len(listed(started, "/mcp/big")) == 500, 30)
        yield started


def listed(gateway, path, **more):
    return [one["name"] for one in gateway.rpc("tools/list", {}, path, **more)["result"]["tools"]]


def call(gateway, name, arguments, path="/mcp", **more):
    return gateway.rpc("tools/call", {"name": name, "arguments": arguments}, path, **more)


def search(gateway, query, path="/mcp", **more):
    found = call(gateway, "search_tools", {"query": query, **more.pop("arguments", {})}, path,
                 **more)["result"]
    assert json.loads(found["content"][0]["text"]) == found["structuredContent"]
    return [one["name"] for one in found["structuredContent"]["tools"]]


def test_each_endpoint_says_for_itself_whether_it_searches(gateway):
    assert listed(gateway, "/mcp") == META + ["big-tool_7"]
    assert listed(gateway, "/many/mcp") == META + ["big-tool_7"]
    assert listed(gateway, "/mcp/small") == META + ["tool_1"]
    assert listed(gateway, "/mcp/part") == META
    assert len(listed(gateway, "/mcp/big")) == 500
    assert "search_tools" not in listed(gateway, "/mcp/kanmon")
    assert "Unknown tool" in call(gateway, "search_tools", {"query": "x"},
                                  "/mcp/big")["error"]["message"]


def test_words_find_tools_and_a_description_tells_how_to_call_them(gateway):
    assert search(gateway, "colour of number 42")[0] == "big-tool_42"
    assert len(search(gateway, "number")) == 3  # `results`
    assert len(search(gateway, "number", arguments={"limit": 40})) == 40
    tool = call(gateway, "describe_tool", {"name": "big-tool_42"})["result"]["structuredContent"]
    assert tool["name"] == "big-tool_42" and "colour_42" in tool["inputSchema"]["properties"]
    assert call(gateway, "describe_tool", {"name": "none"})["result"]["isError"] is True
    assert call(gateway, "search_tools", {})["result"]["isError"] is True


@pytest.mark.parametrize("name", ["big-tool_42", "tool_42"])
def test_call_tool_is_the_call_itself_in_both_eras(gateway, name):
    inner = {"name": name, "arguments": {"x": "there"}}
    assert call(gateway, "call_tool", inner)["result"]["content"][0]["text"] == "tool_42 there"
    direct = call(gateway, name, {"x": "direct"})
    assert ("result" in direct) and "direct" in direct["result"]["content"][0]["text"]
    answer = gateway.stateless("tools/call", {"name": "call_tool", "arguments": inner},
                               path="/mcp").json()
    assert answer["result"]["content"][0]["text"] == "tool_42 there"


def test_its_record_names_the_tool(gateway):
    call(gateway, "call_tool", {"name": "big-tool_77", "arguments": {"x": "y"}})
    detail = wait_until(lambda: [json.loads(d) for _, target, d in gateway.audit()
                                 if target == "big-tool_77"])[0]
    assert (detail["server"], detail["tool"], detail["outcome"]) == ("big", "tool_77", "ok")
    search(gateway, "anything")
    assert wait_until(lambda: [d for _, target, d in gateway.audit() if target == "search_tools"])


def test_only_what_the_key_may_use_is_found_and_called(gateway):
    key = gateway.new_key(object_permission={
        "mcp_servers": ["big"], "mcp_tool_permissions": {"big": ["tool_1", "tool_2"]}})
    assert set(search(gateway, "colour number", key=key,
                      arguments={"limit": 50})) == {"big-tool_1", "big-tool_2"}
    refused = call(gateway, "call_tool", {"name": "big-tool_3", "arguments": {}}, key=key)
    assert "Unknown tool" in refused["error"]["message"]
    said = call(gateway, "describe_tool", {"name": "big-tool_3"}, key=key)["result"]
    assert said["isError"] is True
    refused = call(gateway, "call_tool", {"name": "tool_2", "arguments": {"y": 1}}, "/mcp/small")
    assert "Parameter 'y'" in refused["error"]["message"]


def test_an_approval_is_asked_for_and_counts_for_the_direct_call(gateway):
    inner = {"name": "risky-tool_0", "arguments": {"x": "z"}}
    said = call(gateway, "call_tool", inner)["result"]["content"][0]["text"]
    assert said.startswith("approval required: "), said
    approval = re.search(r": (\S+)", said).group(1)
    assert gateway.call("POST", f"/kanmon/approvals/{approval}", {"approve": True}).status == 200
    answer = call(gateway, "risky-tool_0", {"x": "z"})["result"]
    assert answer["content"][0]["text"] == "tool_0 z"


def test_a_list_that_changes_is_searched_anew(gateway):
    assert search(gateway, "brandnew") == []
    call(gateway, "tool_1", {"x": "grow"}, "/mcp/small")
    wait_until(lambda: search(gateway, "brandnew") == ["small-brandnew"], 30)


def test_arguments_that_are_none_are_refused(gateway):
    for wrong in ({}, {"name": 3}, {"name": "tool_42", "arguments": [1]}, {"name": ""}):
        assert call(gateway, "call_tool", wrong)["result"]["isError"] is True
