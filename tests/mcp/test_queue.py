# SPDX-License-Identifier: Apache-2.0
"""Calls of a server with max_concurrency: more than that wait in line, by priority."""

import concurrent.futures
import pathlib
import sys

import anyio
import httpx2
import pytest
from gateway import MASTER, wait_until
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from served import served, until
from test_counts import sample

HOLDING = pathlib.Path(__file__).resolve().parent / "holding.py"


@pytest.fixture
def holding(tmp_path):
    folder = tmp_path / "held"
    folder.mkdir()
    return folder


def server(folder, **more):
    return {"transport": "stdio", "command": sys.executable, "args": [str(HOLDING), str(folder)],
            **more}


def began(folder):
    log = folder / "log"
    return log.read_text().split() if log.exists() else []


def hold(gateway, pool, name, priority="medium"):
    return pool.submit(gateway.rpc, "tools/call", {"name": "one-hold", "arguments": {"name": name}},
                       path="/mcp", headers={"x-kanmon-priority": priority})


def in_line(gateway, n):
    wait_until(lambda: sample(gateway, "kanmon_queue_depth", resource="mcp/one") == n,
               what=f"{n} calls in line")


def test_more_than_its_concurrency_wait_by_priority(tmp_path, holding):
    with served(tmp_path, {"one": server(holding, max_concurrency=2)}) as gateway, \
            concurrent.futures.ThreadPoolExecutor(8) as pool:
        until(gateway, "one", "ready")
        begun = [hold(gateway, pool, name) for name in ("a", "b")]
        wait_until(lambda: sorted(began(holding)) == ["a", "b"], what="two at once")
        for n, (name, priority) in enumerate([("low", "low"), ("critical", "critical")]):
            begun.append(hold(gateway, pool, name, priority))
            in_line(gateway, n + 1)
        (holding / "a").touch()
        wait_until(lambda: began(holding)[2:] == ["critical"], what="the critical call")
        in_line(gateway, 1)
        for name in ("b", "critical", "low"):
            (holding / name).touch()
        texts = [call.result()["result"]["content"][0]["text"] for call in begun]
        assert texts == ["a", "b", "low", "critical"]
        in_line(gateway, 0)


def test_an_official_client_hears_of_a_full_line_and_a_cancelled_call_leaves_it(tmp_path, holding):
    performance = {"queue_length": 1}
    with served(tmp_path, {"one": server(holding, max_concurrency=1)},
                performance=performance) as gateway, \
            concurrent.futures.ThreadPoolExecutor(8) as pool:
        until(gateway, "one", "ready")
        running = hold(gateway, pool, "a")
        wait_until(lambda: began(holding) == ["a"], what="the first")

        async def ask(name, seconds):
            http = httpx2.AsyncClient(headers={"authorization": f"Bearer {MASTER}"}, timeout=None)
            async with Client(streamable_http_client(f"{gateway.url}/mcp", http_client=http)) as client:
                with anyio.move_on_after(seconds):
                    try:
                        return await client.call_tool("one-hold", {"name": name})
                    except MCPError as error:
                        return error

        waiting = hold(gateway, pool, "b")
        in_line(gateway, 1)
        refused = anyio.run(ask, "c", 20)
        assert "no more calls may wait" in str(refused)
        assert refused.error.data["retry_after_ms"] >= 1000
        (holding / "a").touch()
        (holding / "b").touch()
        assert "result" in running.result() and "result" in waiting.result()
        again = hold(gateway, pool, "d")
        wait_until(lambda: "d" in began(holding), what="the next")
        assert anyio.run(ask, "e", 0.3) is None  # it left, and told the gateway so
        in_line(gateway, 0)
        (holding / "d").touch()
        assert "result" in again.result()
        assert began(holding) == ["a", "b", "d"]
