# SPDX-License-Identifier: Apache-2.0
"""Which requests a question of a server may come by: in the newest era a client can be told that
input is required in answer to a call, a prompt or a resource, and to nothing else.
"""

import asyncio
import json
import sys

import httpx2
import pytest
from gateway import MASTER, patient, roomy_ms, wait_until
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ListRootsResult, PromptReference, Root

from conftest import ACCEPT, NEW
from served import HERE, served, status, until


def detail(gateway):
    return gateway.call("GET", "/kanmon/mcp/servers/one").json()


SERVER = {"transport": "stdio", "command": sys.executable, "args": [str(HERE / "late_asker.py")]}


async def completed_and_rooted(gateway, mode):
    """What a completion says while a question for roots is open, and what the server is told then."""
    asked = []

    async def roots(context):
        asked.append("roots")
        return ListRootsResult(roots=[Root(uri="file:///rooted")])

    async with httpx2.AsyncClient(headers={"authorization": f"Bearer {MASTER}"},
                                  timeout=patient(60)) as http:
        transport = streamable_http_client(f"{gateway.url}/mcp/one", http_client=http)
        async with Client(transport, mode=mode, cache=None, list_roots_callback=roots) as client:
            await client.call_tool("later", {})
            wait_until(lambda: detail(gateway)["declared"]["questions"] == 1, 20, "the question")
            found = await client.complete(PromptReference(type="ref/prompt", name="p"),
                                          {"name": "a", "value": "d"})
            for _ in range(200):  # it reads what it was told when it likes
                said = await client.call_tool("roots", {})
                if json.loads(said.content[0].text):
                    break
            return found.completion.values, json.loads(said.content[0].text), asked


@pytest.mark.parametrize("mode", ["legacy", NEW])
def test_a_completion_is_answered_and_roots_are_asked_with_the_next_call(tmp_path, mode):
    with served(tmp_path, {"one": SERVER}) as gateway:
        until(gateway, "one", "ready")
        values, told, asked = asyncio.run(completed_and_rooted(gateway, mode))
        assert values == ["done"]
        assert [one["roots"][0]["uri"] for one in told] == ["file:///rooted"]
        assert asked == ["roots"]


def call(gateway, tool, arguments, **more):
    """The answer to a call of a client of the newest era that has roots."""
    meta = {"io.modelcontextprotocol/protocolVersion": NEW,
            "io.modelcontextprotocol/clientCapabilities": {"roots": {}}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": tool, "arguments": arguments, "_meta": meta, **more}}
    return gateway.post(message, "/mcp/one", {
        **ACCEPT, "mcp-protocol-version": NEW, "mcp-method": "tools/call", "mcp-name": tool}).json()["result"]


@pytest.mark.parametrize("answers", [True, False], ids=["answers", "none"])
def test_what_a_server_says_that_did_not_wait_for_its_client_is_had_by_the_retry(tmp_path, answers):
    go = tmp_path / "go"
    with served(tmp_path, {"one": SERVER}) as gateway:
        until(gateway, "one", "ready")
        parked = call(gateway, "beside", {"go": str(go)})
        assert parked["resultType"] == "input_required"
        go.touch()
        wait_until(lambda: status(gateway, "one")["asks"] == 0, 20, "the server's answer")
        told = {name: {"roots": []} for name in parked["inputRequests"]} if answers else {}
        result = call(gateway, "beside", {"go": str(go)}, requestState=parked["requestState"], inputResponses=told)
        assert result["content"][0]["text"] == "beside"


def test_it_is_in_the_books_as_it_ended_though_nobody_comes_for_it(tmp_path):
    go = tmp_path / "go"
    with served(tmp_path, {"one": SERVER}, mcp_sessions={"parked": f"{roomy_ms(1500)}ms"}) as gateway:
        until(gateway, "one", "ready")
        assert call(gateway, "beside", {"go": str(go)})["resultType"] == "input_required"
        go.touch()
        wait_until(lambda: 'tool="beside",outcome="ok"' in gateway.call("GET", "/metrics").body.decode(),
                   30, "its end")
