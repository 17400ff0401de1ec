# SPDX-License-Identifier: Apache-2.0
"""A client's roots reach the reference server of files, which asks for them by itself when it has
started, and reach nobody else's calls.
"""

import asyncio
import json
import os
import subprocess

import httpx2
import pytest
from gateway import MASTER, patient
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ListRootsResult, Root

from conftest import NEW
from served import EVERYTHING, HERE, served, until
from sessions import Session

TAKES_S = 14
FILES = EVERYTHING / "node_modules/@modelcontextprotocol/server-filesystem/dist/index.js"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    top = tmp_path_factory.mktemp("files").resolve()
    for name in ("default", "a", "b"):
        (top / name).mkdir()
    return top


@pytest.fixture(scope="module")
def gateway(folders):
    entry = {"transport": "stdio", "command": os.environ["KM_NODE"],
             "args": [str(FILES), str(folders / "default")]}
    with served(folders, {"files": entry}) as started:
        until(started, "files", "ready")
        yield started
        said = next((folders / "state").rglob("files.log")).read_text()
        assert "Failed to request" not in said


async def allowed(gateway, folder, mode, calls=2, key=MASTER):
    """What the server may reach in each of some calls of one client."""
    async def roots(context):
        return ListRootsResult(roots=[Root(uri=folder.as_uri())])

    async with httpx2.AsyncClient(headers={"authorization": f"Bearer {key}"},
                                  timeout=patient(60)) as http:
        transport = streamable_http_client(f"{gateway.url}/mcp/files", http_client=http)
        async with Client(transport, mode=mode, list_roots_callback=roots) as client:
            said = [await client.call_tool("list_allowed_directories", {}) for _ in range(calls)]
            return [result.content[0].text.split("\n")[1:] for result in said]


@pytest.mark.parametrize("mode", ["legacy", NEW])
def test_each_clients_calls_reach_its_own_roots(gateway, folders, mode):
    """Without a session clients are told apart by their keys."""
    keys = {name: gateway.new_key() if mode == NEW else MASTER for name in ("a", "b")}
    for name in ("a", "b", "a"):
        folder = folders / name
        assert asyncio.run(allowed(gateway, folder, mode, key=keys[name])) == [[str(folder)]] * 2


def test_clients_at_the_same_time_reach_their_own(gateway, folders):
    async def run():
        return await asyncio.gather(*(allowed(gateway, folders / name, "legacy") for name in "abab"))
    assert asyncio.run(run()) == [[[str(folders / name)]] * 2 for name in "abab"]


def test_roots_that_change_reach_the_server(gateway, folders):
    async def run():
        now = folders / "a"

        async def roots(context):
            return ListRootsResult(roots=[Root(uri=now.as_uri())])

        async with httpx2.AsyncClient(headers={"authorization": f"Bearer {MASTER}"},
                                      timeout=patient(60)) as http:
            transport = streamable_http_client(f"{gateway.url}/mcp/files", http_client=http)
            async with Client(transport, mode="legacy", list_roots_callback=roots) as client:
                async def reached():
                    result = await client.call_tool("list_allowed_directories", {})
                    return result.content[0].text.split("\n")[1:]

                assert await reached() == [str(now)]
                now = folders / "b"
                await client.session.send_roots_list_changed()
                for _ in range(200):  # the server asks when it likes
                    if await reached() == [str(now)]:
                        return True
    assert asyncio.run(run())


@pytest.mark.parametrize("mode", ["v1", "legacy", NEW])
def test_the_typescript_sdks_roots_reach_it_too(gateway, folders, mode):
    """And those they have later, where the era can say that they changed."""
    roots = [str(folders / name) for name in ("a", "b")]
    ran = subprocess.run([os.environ["KM_NODE"], str(HERE / "roots.mjs"), f"{gateway.url}/mcp/files",
                          gateway.new_key(), mode, *roots], capture_output=True, text=True,
                         timeout=patient(60))
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == [[root] for root in (roots if mode != NEW else roots[:1])]


def test_a_client_that_has_none_is_served_as_ever(gateway, folders):
    with Session(gateway, "/mcp/files") as session:
        result = session.tool("list_allowed_directories")["result"]
        assert result["content"][0]["text"].split("\n")[1:] == [str(folders / "default")]
