# SPDX-License-Identifier: Apache-2.0
"""Which era is spoken with a server: asked once and patiently, by either order of its answers, as
`spec_version` says; and what a server of both eras asks reaches clients of either as it does
without kanmon.  The server is made with the official Python SDK, as are the clients.
"""

import asyncio
import json
import os
import pathlib
import shlex
import signal
import sys

import httpx2
import pytest
from gateway import MASTER, patient, wait_until
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CreateMessageResult, ElicitResult, ListRootsResult, Root, TextContent

from conftest import NEW, OLD
from served import DUAL, FAULTY, HERE, descendants, dual_over_http, served, status, until

TAKES_S = 80
ASKING = ["elicits", "samples", "lists_roots", "resolves"]


# --- what is asked, and how often ---

def overheard(folder, server, late=0, front=""):
    """An entry whose process notes each line that it reads, which it does `late` seconds after it
    was started; front: what reads before it, as wrappers do."""
    words = [sys.executable, HERE / "noting.py", folder / "sent", late, *server]
    return {"transport": "stdio", "command": "/bin/sh",
            "args": ["-c", front + shlex.join(map(str, words))], "silence_timeout": "1s"}


def sent(folder):
    """The methods that its server got until it was ready: all of its processes'."""
    lines = (folder / "sent").read_text().splitlines()
    methods = [json.loads(line)["method"] for line in lines]
    return [m for m in methods if m in ("server/discover", "initialize", "notifications/initialized")]


@pytest.mark.parametrize("server", [[DUAL, "stdio"], [FAULTY]], ids=["both", "old"])
def test_a_slow_start_is_asked_once(tmp_path, server):
    """It is many times `silence_timeout` late, and has not read what it was asked."""
    with served(tmp_path, {"one": overheard(tmp_path, server, late=4)}) as gateway:
        one = until(gateway, "one", "ready", "down")
        assert one["state"] == "ready" and one["restarts"] == 0, one
        openings = sent(tmp_path)
        assert openings[0] == "server/discover"
        if server[0] == DUAL:
            assert "initialize" not in openings
        else:
            assert openings[1:] == ["initialize", "notifications/initialized"]


@pytest.mark.parametrize("front", ["cat |", "while read -r line; do sleep 2; echo \"$line\"; done |"],
                         ids=["one_read", "two_reads"])
def test_a_server_that_was_asked_both_is_what_it_answers(tmp_path, front):
    """Its answers come late, at one time or one after the other: it is not begun anew for that."""
    entry = overheard(tmp_path, [DUAL, "stdio"], late=3 if front == "cat |" else 0, front=front)
    with served(tmp_path, {"one": entry}) as gateway:
        one = until(gateway, "one", "ready", "down")
        assert one["state"] == "ready" and one["restarts"] == 0, one
        assert {t["name"] for t in gateway.rpc("tools/list", path="/mcp/one")["result"]["tools"]} \
            >= set(ASKING)
        assert sent(tmp_path)[:2] == ["server/discover", "initialize"]
        assert sent(tmp_path).count("initialize") == 1  # of all processes


@pytest.mark.parametrize("version", ["", "2024-11-05", "2025-03-26", "2025-06-18", OLD, NEW])
def test_each_spec_version_is_spoken(tmp_path, version):
    more = {"spec_version": version} if version else {}
    with dual_over_http() as url:
        servers = {"one": {**overheard(tmp_path, [DUAL, "stdio"]), **more},
                   "two": {"transport": "http", "url": url, **more}}
        with served(tmp_path, servers) as gateway:
            for name in servers:
                one = until(gateway, name, "ready", "down")
                assert one["state"] == "ready", one
                tools = gateway.rpc("tools/list", path=f"/mcp/{name}")["result"]["tools"]
                assert {t["name"] for t in tools} >= set(ASKING)
        stateless = version in ("", NEW)
        assert sent(tmp_path)[0] == ("server/discover" if stateless else "initialize")
        assert ("initialize" in sent(tmp_path)) != stateless


def test_a_spec_version_that_it_does_not_speak_is_no_demand(tmp_path):
    """It is the newest that is spoken."""
    with served(tmp_path, {"one": {**overheard(tmp_path, [FAULTY]), "spec_version": NEW}}) as gateway:
        assert until(gateway, "one", "ready", "down")["state"] == "ready"
        assert sent(tmp_path)[:2] == ["server/discover", "initialize"]


def test_a_server_that_is_of_another_era_when_it_starts_anew_is_asked_anew(tmp_path):
    words = tmp_path / "words"
    words.write_text("--new")
    line = f"exec {shlex.quote(sys.executable)} {HERE / 'odd_server.py'} $(cat {shlex.quote(str(words))})"
    with served(tmp_path, {"one": {"transport": "stdio", "command": "/bin/sh", "args": ["-c", line]}}) as gateway:
        for revision, said in ((NEW, ""), (OLD, "--new"), (NEW, "")):
            wait_until(lambda: status(gateway, "one").get("revision") == revision, 30, revision)
            call = {"name": "plain", "arguments": {}}
            assert gateway.rpc("tools/call", call, path="/mcp/one")["result"]["content"]
            words.write_text(said)
            for pid in descendants(gateway.process.pid):
                if "odd_server" in pathlib.Path(f"/proc/{pid}/cmdline").read_text():
                    os.kill(pid, signal.SIGKILL)


# --- what it asks ---

async def elicited(context, params):
    return ElicitResult(action="accept", content={"word": "elicited"})


async def sampled(context, params):
    return CreateMessageResult(role="assistant", model="m", content=TextContent(type="text", text="sampled"))


async def rooted(context):
    return ListRootsResult(roots=[Root(uri="file:///rooted")])


async def answers(transport, mode):
    """{tool: what it says}"""
    async with Client(transport, mode=mode, elicitation_callback=elicited, sampling_callback=sampled,
                      list_roots_callback=rooted) as client:
        said = {}
        for tool in ASKING:
            try:
                result = await client.call_tool(tool, {})
                said[tool] = "failed" if result.is_error else result.content[0].text
            except Exception as error:
                said[tool] = "failed"
                assert "Cannot send" in str(error) or "no back-channel" in str(error), error
        return said


async def through(gateway, name, mode):
    async with httpx2.AsyncClient(headers={"authorization": f"Bearer {MASTER}"},
                                  timeout=patient(60)) as http:
        return await answers(streamable_http_client(f"{gateway.url}/mcp/{name}", http_client=http), mode)


@pytest.mark.parametrize("transport", ["stdio", "http"])
def test_a_server_of_both_eras_asks_clients_of_either(tmp_path, transport):
    stdio = StdioServerParameters(command=sys.executable, args=[str(DUAL), "stdio"])
    all_of_them = {"elicits": "elicited", "samples": "sampled", "lists_roots": "file:///rooted",
                   "resolves": "elicited"}
    with dual_over_http() as url:
        entry = {"stdio": {"transport": "stdio", "command": sys.executable, "args": [str(DUAL), "stdio"]},
                 "http": {"transport": "http", "url": url}}[transport]
        with served(tmp_path, {"one": entry}) as gateway:
            until(gateway, "one", "ready")
            direct = {mode: asyncio.run(answers(
                stdio_client(stdio) if transport == "stdio" else streamable_http_client(url), mode))
                for mode in ("legacy", NEW)}
            for mode in ("legacy", NEW, "legacy"):  # the one does not change it for the other
                assert asyncio.run(through(gateway, "one", mode)) == direct[mode], mode
    assert direct["legacy"] == all_of_them
    assert direct[NEW]["resolves"] == "elicited"


@pytest.mark.parametrize("transport", ["stdio", "http"])
def test_held_to_a_handshake_it_asks_clients_of_the_newest_era_too(tmp_path, transport):
    """What its tools ask by requests of their own, they ask nobody over the newest era; with
    `spec_version` that of the handshake, such a client is asked by input_required."""
    with dual_over_http() as url:
        entry = {"stdio": {"transport": "stdio", "command": sys.executable, "args": [str(DUAL), "stdio"]},
                 "http": {"transport": "http", "url": url}}[transport]
        with served(tmp_path, {"one": {**entry, "spec_version": OLD}}) as gateway:
            until(gateway, "one", "ready")
            for mode in (NEW, "legacy"):
                assert asyncio.run(through(gateway, "one", mode)) == {
                    "elicits": "elicited", "samples": "sampled", "lists_roots": "file:///rooted",
                    "resolves": "elicited"}, mode
