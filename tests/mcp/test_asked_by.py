# SPDX-License-Identifier: Apache-2.0
"""Which requests a question of a server may come by: in the newest era a client can be told that
input is required in answer to a call, a prompt or a resource, and to nothing else.
"""

import asyncio
import json
import sys

import httpx2
import pytest
from gateway import MASTER, patient, wait_until
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ListRootsResult, PromptReference, Root

from conftest import NEW
from served import HERE, served, until


def detail(gateway):
    return gateway.call("GET", "/kanmon/mcp/servers/one").json()


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
    entry = {"transport": "stdio", "command": sys.executable, "args": [str(HERE / "late_asker.py")]}
    with served(tmp_path, {"one": entry}) as gateway:
        until(gateway, "one", "ready")
        values, told, asked = asyncio.run(completed_and_rooted(gateway, mode))
        assert values == ["done"]
        assert [one["roots"][0]["uri"] for one in told] == ["file:///rooted"]
        assert asked == ["roots"]
