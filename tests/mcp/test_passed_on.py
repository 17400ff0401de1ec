# SPDX-License-Identifier: Apache-2.0
"""What clients are given of a server's answers: nothing of another era than their own, a URI of one
server alone, and a large result in a form that is still valid.
"""

import asyncio
import json

import httpx2
import pytest
from gateway import MASTER, patient
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from conftest import NEW
from served import dual_over_http, faulty, served, until

MIB = 1 << 20
NEWER = {"resultType", "ttlMs", "cacheScope"}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with dual_over_http() as url:
        entry = {"transport": "http", "url": url}
        with served(tmp_path_factory.mktemp("dual"), {"one": entry}) as started:
            until(started, "one", "ready")
            yield started


@pytest.mark.parametrize("method, params", [
    ("tools/call", {"name": "large", "arguments": {"count": 1}}), ("resources/read", {"uri": "dual://one"}),
    ("prompts/get", {"name": "greet", "arguments": {"name": "Ann"}}),
    ("completion/complete", {"ref": {"type": "ref/prompt", "name": "greet"},
                             "argument": {"name": "name", "value": "A"}}),
    ("tools/list", {}), ("resources/list", {}), ("prompts/list", {}), ("resources/templates/list", {})])
def test_members_of_the_stateless_era_stay_in_it(gateway, method, params):
    """The server speaks that era with kanmon."""
    names = {"mcp-name": params["uri"]} if "uri" in params else {}
    new = gateway.stateless(method, params, names, path="/mcp/one").json()
    old = gateway.rpc(method, params, path="/mcp/one")
    if "error" in new:
        assert old["error"]["code"] == new["error"]["code"]
        return
    assert new["result"]["resultType"] == "complete"
    assert not NEWER & old["result"].keys()
    assert "io.modelcontextprotocol/serverInfo" not in old["result"].get("_meta", {})
    assert old["result"] == {k: v for k, v in new["result"].items() if k not in NEWER | {"_meta"}}


def test_a_uri_of_two_servers_is_listed_once(tmp_path):
    offer = {"resources": [{"uri": "demo://same", "name": "same"}, {"uri": "demo://same", "name": "again"}],
             "resourceTemplates": [{"uriTemplate": "demo://{x}", "name": "same"}]}
    (tmp_path / "offers").write_text(json.dumps(offer))
    servers = {name: faulty("--offers", tmp_path / "offers") for name in ("one", "two")}
    with served(tmp_path, servers) as gateway:
        for name in servers:
            until(gateway, name, "ready")
        for path in ("/mcp", "/mcp/one", "/mcp/two"):
            listed = gateway.rpc("resources/list", path=path)["result"]["resources"]
            assert listed == offer["resources"][:1]
            listed = gateway.rpc("resources/templates/list", path=path)["result"]["resourceTemplates"]
            assert listed == offer["resourceTemplates"]


def call(gateway, name, **arguments):
    return gateway.rpc("tools/call", {"name": name, "arguments": arguments}, path="/mcp/one")["result"]


def test_text_and_its_structured_copy_count_once(gateway):
    whole = call(gateway, "large", count=3 * MIB)  # 6 MiB of JSON
    assert whole["structuredContent"]["result"] == whole["content"][0]["text"] == "x" * (3 * MIB)


@pytest.mark.parametrize("mode", ["legacy", NEW])
@pytest.mark.parametrize("tool, arguments", [
    ("large", {"count": 5 * MIB}), ("rows", {"count": 60_000, "size": 50}), ("rows", {"count": 20, "size": MIB // 4})])
def test_what_is_too_large_is_still_valid(gateway, mode, tool, arguments):
    """The SDK holds it against the tool's outputSchema, and raises where it does not fit."""
    async def run():
        async with httpx2.AsyncClient(headers={"authorization": f"Bearer {MASTER}"},
                                      timeout=patient(60)) as http:
            transport = streamable_http_client(f"{gateway.url}/mcp/one", http_client=http)
            async with Client(transport, mode=mode) as client:
                await client.list_tools()
                result = await client.call_tool(tool, arguments)
                link = next(part for part in result.content if part.type == "resource_link")
                whole = await client.read_resource(link.uri)
                return result, json.loads(whole.contents[0].text)["structuredContent"]["result"]
    result, whole = asyncio.run(run())
    shown = result.structured_content["result"]
    assert not result.is_error and "over the limit" in result.content[0].text
    assert len(result.model_dump_json()) < MIB
    assert result.meta["kanmon/shortened"]["bytes"] > 4 * MIB
    if tool == "large":
        assert whole == "x" * (5 * MIB) and shown == "x" * (len(shown) - 3) + "..."
    else:
        assert len(whole) == arguments["count"] > len(shown) - 1
        assert [row["number"] for row in shown] == list(range(len(shown)))
