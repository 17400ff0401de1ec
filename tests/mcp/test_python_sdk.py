# SPDX-License-Identifier: Apache-2.0
"""The official Python SDK in both eras, over HTTP and through `kanmon mcp stdio`."""

import asyncio

import httpx2
import pytest
from gateway import patient
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from conftest import NEW, OLD

ERAS = [("legacy", OLD), ("auto", NEW), (NEW, NEW)]


async def talk(server, mode, version, models):
    async with Client(server, mode=mode) as client:
        assert client.protocol_version == version
        if mode != NEW:  # a client that pins the revision asks nothing first
            assert client.server_info.name == "kanmon"
            assert "LLM gateway" in client.instructions
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        tool = tools["kanmon-list_models"]
        assert tool.title == "List models"
        assert tool.annotations.read_only_hint is True
        result = await client.call_tool("kanmon-list_models", {"limit": 5})
        assert result.structured_content == {"models": models, "more": False}
        assert not result.is_error
        assert (await client.call_tool("kanmon-key_info")).structured_content["caller"]
        result = await client.call_tool("kanmon-list_models", {"limit": "many"})
        assert result.is_error
        assert "arguments.limit must be of type integer" in result.content[0].text
        with pytest.raises(MCPError, match="Unknown tool"):
            await client.call_tool("kanmon-none")


@pytest.mark.parametrize("mode, version", ERAS)
def test_over_http(gateway, key, mode, version):
    async def run():
        headers = {"authorization": f"Bearer {key}"}
        async with httpx2.AsyncClient(headers=headers, timeout=patient(30)) as http:
            await talk(streamable_http_client(f"{gateway.url}/mcp", http_client=http), mode,
                       version, ["small"])
    asyncio.run(run())


@pytest.mark.parametrize("mode, version", ERAS)
def test_through_stdio(gateway, kanmon, mode, version):
    server = StdioServerParameters(command=kanmon, args=gateway.bridge_words())
    asyncio.run(talk(server, mode, version, ["small", "large"]))


def test_a_wrong_key_is_an_error(gateway):
    async def run():
        headers = {"authorization": "Bearer sk-wrong-0123456789abcd"}
        async with httpx2.AsyncClient(headers=headers, timeout=patient(30)) as http:
            async with Client(streamable_http_client(f"{gateway.url}/mcp", http_client=http)):
                pass
    with pytest.raises(Exception):
        asyncio.run(run())
