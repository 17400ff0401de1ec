# SPDX-License-Identifier: Apache-2.0
"""How a tool's call is carried out, as its client says it in `_meta["io.kanmon/execution"]` by the
official SDK: it goes to no server, and what was not done so stands in the result."""

import asyncio
import json
import sys

import httpx2
import jsonschema
import pytest
from gateway import MASTER, patient
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client

from conftest import NEW
from served import DUAL, HERE, served, until

EXECUTION = "io.kanmon/execution"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    folder = tmp_path_factory.mktemp("execution")
    entry = {"transport": "stdio", "command": sys.executable,
             "args": [str(HERE / "noting.py"), str(folder / "noted"), "0", str(DUAL), "stdio"]}
    with served(folder, {"one": entry}, accounting="strict") as made:  # a record is there before its answer
        until(made, "one", "ready")
        made.noted = folder / "noted"
        yield made


def call(gateway, meta, mode="legacy", headers=None, tool="large"):
    async def run():
        head = {"authorization": f"Bearer {MASTER}", **(headers or {})}
        async with httpx2.AsyncClient(headers=head, timeout=patient(30)) as http:
            transport = streamable_http_client(f"{gateway.url}/mcp/one", http_client=http)
            async with Client(transport, mode=mode) as client:
                try:
                    return await client.call_tool(tool, {"count": 1}, meta=meta)
                except MCPError as refused:  # out of it by itself, not in a group
                    return refused
    return asyncio.run(run())


def last_sent(gateway):
    lines = [json.loads(line) for line in gateway.noted.read_text().splitlines() if line.strip()]
    return [line for line in lines if line.get("method") == "tools/call"][-1]["params"]


def records(gateway):
    listed = gateway.call("GET", "/kanmon/audit?limit=10").json()["records"]
    return [json.loads(one["detail"]) if isinstance(one["detail"], str) else one["detail"]
            for one in listed if one["action"] == "mcp.call"]


@pytest.mark.parametrize("mode", ["legacy", NEW])
def test_it_is_for_the_gateway_alone(gateway, mode):
    result = call(gateway, {EXECUTION: {"timeout": 30, "requestedBy": "ann", "enableCaching": False},
                            "example.com/mine": 1}, mode)
    assert not result.is_error
    sent = last_sent(gateway)["_meta"]
    assert sent["example.com/mine"] == 1
    assert not [name for name in sent if "kanmon" in name]
    assert records(gateway)[0]["requestedBy"] == "ann"
    assert EXECUTION not in (result.meta or {})


@pytest.mark.parametrize("mode", ["legacy", NEW])
def test_what_is_not_done_so_is_told(gateway, mode):
    result = call(gateway, {EXECUTION: {"enableCaching": True, "maxRetries": 100,
                                        "fallbackProvider": "two"}}, mode)
    assert result.meta[EXECUTION] == {"adjusted": {"enableCaching": "not active", "maxRetries": 10,
                                                   "fallbackProvider": "not active"}}


def test_the_older_name_and_the_header_count_less(gateway):
    both = {EXECUTION: {"requestedBy": "new"}, "kanmon/requestedBy": "old"}
    call(gateway, both, headers={"x-kanmon-requested-by": "head"})
    call(gateway, {"kanmon/requestedBy": "old"}, headers={"x-kanmon-requested-by": "head"})
    sent = last_sent(gateway)
    call(gateway, None, headers={"x-kanmon-requested-by": "head"})
    assert [one["requestedBy"] for one in records(gateway)[:3]] == ["head", "old", "new"]
    assert not [name for name in sent.get("_meta", {}) if "kanmon" in name]


def test_it_is_in_the_books(gateway):
    call(gateway, {EXECUTION: {"requestedBy": "the books"}})
    assert {"requestedBy": "the books"} in [row["metadata"] for row in gateway.spend_logs()]


@pytest.mark.parametrize("said, words", [({"dryrun": True}, "Did you mean 'dryRun'"), ([], "must be an object"),
                                         ({"maxRetries": "two"}, "integer")])
@pytest.mark.parametrize("mode", ["legacy", NEW])
def test_what_is_said_wrong_is_refused(gateway, said, words, mode):
    before = gateway.noted.read_text().count("tools/call")
    refused = call(gateway, {EXECUTION: said}, mode)
    assert isinstance(refused, MCPError) and refused.error.code == -32602 and words in refused.error.message
    assert gateway.noted.read_text().count("tools/call") == before


def test_without_mcp_it_is_the_bodys(gateway):
    body = {"server_id": "one", "name": "large", "arguments": {"count": 1}}
    answer = gateway.call("POST", "/mcp-rest/tools/call", {**body, "kanmon": {"requestedBy": "rest"}})
    assert answer.status == 200
    assert records(gateway)[0]["requestedBy"] == "rest"
    answer = gateway.call("POST", "/mcp-rest/tools/call", {**body, "kanmon": {"requestBy": "rest"}})
    assert answer.status == 400 and "Did you mean 'requestedBy'" in answer.json()["detail"]["message"]


@pytest.mark.parametrize("tool", ["large", "plain"])
def test_a_dry_run_says_what_would_happen(gateway, tool):
    schema = json.loads((HERE.parents[1] / "docs/dry-run.schema.json").read_text())
    before = gateway.noted.read_text().count("tools/call")
    rows = len(gateway.spend_logs())
    for mode in ("legacy", NEW):
        result = call(gateway, {EXECUTION: {"dryRun": True, "priority": "high"}}, mode, tool=tool)
        said = result.meta[EXECUTION]["dryRun"]
        jsonschema.validate(said, schema)
        assert json.loads(result.content[0].text) == said
        assert result.structured_content == (None if tool == "large" else said)
        assert result.is_error == (tool == "large")  # the SDK holds any other to its outputSchema
        assert said["server"] == "one" and said["tool"] == tool and said["verdict"] == {"allowed": True}
        assert said["server_state"] == "ready" and said["queue"] == {"priority": "high"}
        assert records(gateway)[0]["outcome"] == "dry_run"
    assert gateway.noted.read_text().count("tools/call") == before
    assert len(gateway.spend_logs()) == rows


def test_a_dry_run_of_anything_else_is_refused(gateway):
    answer = gateway.rpc("resources/read", {"uri": "dual://one", "_meta": {EXECUTION: {"dryRun": True}}},
                         path="/mcp/one")
    assert "tools/call alone" in answer["error"]["message"]
