# SPDX-License-Identifier: Apache-2.0
"""Units and hooks stand on the way of MCP calls as on that of models: tests/guarded.

What a unit made of a request is what is judged, recorded and sent; what it made of an answer is
what the client has, under the id of its request.
"""

import asyncio
import json
import pathlib
import sys

import httpx2
import pytest
from gateway import MASTER, guarded, patient, wait_until
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client

from conftest import NEW, McpGateway
from served import config
from sessions import Session

SERVER = pathlib.Path(__file__).resolve().parent / "guarded_server.py"
MODES = ["legacy", "auto", NEW]
WORD = "swordfish"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    folder = tmp_path_factory.mktemp("guarded")
    servers = {"fish": {"transport": "stdio", "command": sys.executable, "args": [str(SERVER)]}}
    with McpGateway(folder, config(folder, servers), program=guarded()) as started:
        wait_until(lambda: any(t["name"].endswith("length") for t in started.call(
            "GET", "/mcp-rest/tools/list").json()["tools"]), 60)
        yield started


def with_client(gateway, mode, path, run):
    async def talk():
        headers = {"authorization": f"Bearer {MASTER}"}
        async with httpx2.AsyncClient(headers=headers, timeout=patient(60)) as http:
            url = f"{gateway.url}{path}"
            async with Client(streamable_http_client(url, http_client=http), mode=mode) as client:
                await run(client)
    asyncio.run(talk())


@pytest.mark.parametrize("mode", MODES)
def test_a_tool_hears_the_mark_and_its_client_the_word(gateway, mode):
    async def run(client):
        heard = await client.call_tool("length", {"text": WORD})
        assert heard.structured_content == {"result": len("[[1]]")}
        said = await client.call_tool("say", {"text": f"a {WORD}"})
        assert said.content[0].text == f"a {WORD}"
        assert said.structured_content == {"result": f"a {WORD}"}
    with_client(gateway, mode, "/mcp/fish", run)


@pytest.mark.parametrize("mode", MODES)
def test_a_unit_may_wait_on_both_ways(gateway, mode):
    async def run(client):
        for text in ("slowly", "patience", f"slowly, with patience, a {WORD}"):
            said = await client.call_tool("say", {"text": text})
            assert said.content[0].text == text
        many = await asyncio.gather(*(client.call_tool("say", {"text": f"slowly {n} patience"})
                                      for n in range(20)))
        assert [one.content[0].text for one in many] == [f"slowly {n} patience" for n in range(20)]
    with_client(gateway, mode, "/mcp/fish", run)


@pytest.mark.parametrize("mode", MODES)
def test_what_is_refused_is_an_error_and_the_session_goes_on(gateway, mode):
    async def run(client):
        for text in ("forbidden", "slowly forbidden", "doubted"):
            with pytest.raises(MCPError, match="The guard does not let this pass"):
                await client.call_tool("say", {"text": text})
        with pytest.raises(MCPError, match="The guard does not let this pass"):
            await client.call_tool("fail", {"text": "forbidden"})  # an isError result, too
        with pytest.raises(MCPError, match="The guard does not let this pass"):
            await client.read_resource("memo://secret")
        assert not (await client.call_tool("say", {"text": "well"})).is_error
    with_client(gateway, mode, "/mcp/fish", run)


@pytest.mark.parametrize("mode", MODES)
def test_no_answer_goes_round_a_unit_that_fails(gateway, mode):
    async def run(client):
        for text, why in (("unjoinable", "cannot stand here"),
                          ("hold the end", "end was held back"),
                          ("garbled", "no JSON object")):
            with pytest.raises(MCPError, match=why):
                await client.call_tool("say", {"text": text})
        assert not (await client.call_tool("say", {"text": "well"})).is_error
    with_client(gateway, mode, "/mcp/fish", run)


@pytest.mark.parametrize("mode", MODES)
def test_resources_and_prompts_pass_them_too(gateway, mode):
    async def run(client):
        assert (await client.read_resource("memo://today")).contents[0].text == \
            f"{WORD} is in the pond"
        prompt = await client.get_prompt("greet", {"name": WORD})
        assert prompt.messages[0].content.text == f"Say hello to {WORD}, of 5 letters."
    with_client(gateway, mode, "/mcp/fish", run)


@pytest.mark.parametrize("mode", MODES)
def test_a_hook_answers_under_the_request_s_own_id(gateway, mode):
    async def run(client):
        many = await asyncio.gather(*(client.call_tool("say", {"text": f"by heart {n}"})
                                      for n in range(5)))
        assert {one.content[0].text for one in many} == {f"{WORD}, by heart"}
    with_client(gateway, mode, "/mcp/fish", run)
    wait_until(lambda: any(json.loads(detail)["outcome"] == "answered"
                           for _, _, detail in gateway.audit()), 30, "a record of it")


def test_servers_of_its_own_get_what_has_passed(gateway):
    """The tool's arguments are read from the message, which is made anew."""
    answer = gateway.rpc("tools/call", {"name": "kanmon-list_models",
                                        "arguments": {"limit": WORD}})
    assert answer["result"]["isError"]
    assert "arguments.limit must be of type integer" in answer["result"]["content"][0]["text"]
    answer = gateway.rpc("tools/call", {"name": "kanmon-list_models", "arguments": {"limit": 5},
                                        "_meta": {"why": "slowly"}})
    assert answer["result"]["structuredContent"] == {"models": [], "more": False}


def test_what_is_recorded_is_what_was_sent(gateway):
    def digest(text):
        before = len(gateway.audit())
        gateway.rpc("tools/call", {"name": "length", "arguments": {"text": text}}, "/mcp/fish")
        return json.loads(wait_until(lambda: gateway.audit()[before:], 30)[0][2])

    masked, word, other = digest("[[1]]"), digest(WORD), digest("carp")
    assert masked["arguments_sha256"] == word["arguments_sha256"] != other["arguments_sha256"]


def test_questions_within_pass_them(gateway):
    """/mcp-rest asks as its caller, and so it is guarded as its caller."""
    answer = gateway.call("POST", "/mcp-rest/tools/call",
                          {"name": "say", "server_id": "fish", "arguments": {"text": WORD}})
    assert answer.status == 200 and answer.json()["content"][0]["text"] == WORD, answer.body
    answer = gateway.call("POST", "/mcp-rest/tools/call",
                          {"name": "say", "server_id": "fish", "arguments": {"text": "forbidden"}})
    assert answer.status == 403 and b"The guard does not let this pass" in answer.body, answer.body


def test_no_unit_changes_which_tool_is_called(gateway):
    answer = gateway.rpc("prompts/get", {"name": "greet", "arguments": {"name": "x"},
                                         "_meta": {"a": WORD}}, "/mcp/fish")
    assert "result" in answer
    answer = gateway.rpc("resources/read", {"uri": f"memo://{WORD}"}, "/mcp/fish")
    assert "'uri' of a request may not become another on its way" in answer["error"]["message"]


def test_progress_comes_before_the_answer(gateway):
    with Session(gateway, "/mcp/fish") as s:
        answer = s.ask("tools/call", {"name": "work", "arguments": {"text": f"{WORD} slowly patience"},
                                      "_meta": {"progressToken": "p"}})
        assert answer["result"]["content"][0]["text"] == f"{WORD} slowly patience"
        told = s.heard("notifications/progress")
        assert told[0]["params"]["message"] == "half of it"
