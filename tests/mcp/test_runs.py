# SPDX-License-Identifier: Apache-2.0
"""A tool that is called again and again with the same arguments, by the official SDK: the model is
told in the place of a result, and no server hears of it."""

import asyncio
import json
import sys

import httpx2
import pytest
from gateway import MASTER, patient
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from conftest import NEW
from served import DUAL, HERE, served, until


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    entry = {"transport": "stdio", "command": sys.executable,
             "args": [str(HERE / "noting.py"), str(folder / "noted"), "0", str(DUAL), "stdio"]}
    runs = {"max_identical_tool_calls": 3, "repeatable_tools": ["*plain"]}
    with served(folder, {"one": entry}, runs=runs, accounting="strict") as made:
        until(made, "one", "ready")
        made.noted = folder / "noted"
        yield made


def sent(gateway):
    return gateway.noted.read_text().count('"tools/call"')


def calls(gateway, *asked, mode="legacy", session=None, key=MASTER):
    """Of each, in one session: is it the text that ends a loop?"""
    async def run():
        head = {"authorization": f"Bearer {key}", **({"x-litellm-session-id": session} if session else {})}
        ended = []
        async with httpx2.AsyncClient(headers=head, timeout=patient(30)) as http:
            transport = streamable_http_client(f"{gateway.url}/mcp/one", http_client=http)
            async with Client(transport, mode=mode) as client:
                for tool, arguments in asked:
                    result = await client.call_tool(tool, arguments)
                    ended.append(result.is_error and "times in a row" in result.content[0].text)
        return ended
    return asyncio.run(run())


SAME = ("large", {"count": 1})
OTHER = ("large", {"count": 2})


def test_a_session_is_a_run(gateway):
    before = sent(gateway)
    assert calls(gateway, *[SAME] * 5) == [False] * 3 + [True] * 2
    assert sent(gateway) == before + 3
    assert calls(gateway, *[SAME] * 3) == [False] * 3  # another session


@pytest.mark.parametrize("mode", ["legacy", NEW])
def test_who_names_it_is_in_it_from_any_session(gateway, mode):
    name = f"named-{mode}"
    assert calls(gateway, SAME, SAME, session=name, mode=mode) == [False] * 2
    assert calls(gateway, SAME, SAME, session=name, mode=mode) == [False, True]
    assert calls(gateway, OTHER, SAME, session=name, mode=mode) == [False] * 2
    other = gateway.new_key(object_permission={"mcp_servers": ["one"]})
    assert calls(gateway, *[SAME] * 3, session=name, mode=mode, key=other) == [False] * 3


def test_a_stateless_client_that_names_none_is_in_none(gateway):
    assert calls(gateway, *[SAME] * 5, mode=NEW) == [False] * 5


def test_some_tools_may_be_asked_for_ever(gateway):
    assert calls(gateway, *[("plain", {"count": 1})] * 6) == [False] * 6
    between = [SAME, SAME, ("plain", {"count": 1})]
    assert calls(gateway, *between, *between) == [False] * 6


def test_it_is_counted_and_in_the_audit_log(gateway):
    calls(gateway, *[SAME] * 4, session="told")
    metrics = gateway.call("GET", "/metrics").body.decode()
    assert 'kanmon_run_refusals_total{reason="max_identical_tool_calls"}' in metrics
    listed = gateway.call("GET", "/kanmon/audit?limit=5").json()["records"]
    details = [json.loads(r["detail"]) if isinstance(r["detail"], str) else r["detail"] for r in listed]
    assert "repeated" in [d.get("outcome") for d in details]


def test_without_mcp_it_is_told_so_too(gateway):
    body = {"server_id": "one", "name": "large", "arguments": {"count": 1}}
    texts = [gateway.call("POST", "/mcp-rest/tools/call", body,
                          headers={"x-litellm-trace-id": "rest"}).body.decode() for _ in range(4)]
    assert ["times in a row" in text for text in texts] == [False] * 3 + [True]
