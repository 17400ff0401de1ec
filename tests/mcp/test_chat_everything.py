# SPDX-License-Identifier: Apache-2.0
"""The reference server's tools in a chat: listed for the model, called over rounds, gone on with."""

import json
import os
import pathlib

import pytest

from gateway import MASTER, Gateway, wait_until
from scripted import Scripted

SERVER = (pathlib.Path(__file__).resolve().parent.parent / "everything" / "node_modules"
          / "@modelcontextprotocol" / "server-everything" / "dist" / "index.js")
ROUNDS = [[["every-echo", {"message": "one"}], ["every-get-sum", {"a": 2, "b": 3}]],
          [["every-get-structured-content", {"location": "Chicago"}]],
          [["every-get-sum", {"a": "x"}]], "all done"]


@pytest.fixture(scope="module")
def model():
    with Scripted() as started:
        yield started


@pytest.fixture(scope="module")
def chat(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("chat-everything")
    text = json.dumps({
        "model_list": [{"model_name": "m", "litellm_params": {
            "model": "openai/m", "api_base": model.url, "api_key": "sk-up"}}],
        "general_settings": {"master_key": MASTER},
        "mcp_servers": {"every": {"transport": "stdio", "command": os.environ["KM_NODE"],
                                  "args": [str(SERVER), "stdio"]}},
        "kanmon_settings": {"state_dir": str(folder / "state"), "workers": 2}})
    with Gateway(folder, text) as started:
        wait_until(lambda: "every-echo" in {
            t["name"] for t in started.call("GET", "/mcp-rest/tools/list").json()["tools"]}, 60)
        yield started


def test_its_tools_are_called_over_rounds(chat, model):
    del model.asked[:]
    answer = chat.call("POST", "/v1/chat/completions", {
        "model": "m", "messages": [{"role": "user", "content": json.dumps(ROUNDS)}],
        "tools": [{"type": "mcp", "server_label": "every", "require_approval": "never",
                   "server_url": "litellm_proxy/mcp/every"}]}).json()
    message = answer["choices"][0]["message"]
    assert message["content"] == "all done"
    assert len(model.asked) == 4  # a round for each turn
    shown = {tool["function"]["name"] for tool in model.asked[0]["tools"]}
    assert {"every-echo", "every-get-sum", "every-get-tiny-image"} <= shown
    results = [r["result"] for r in message["provider_specific_fields"]["mcp_call_results"]]
    assert results[0] == "Echo: one"
    assert "2 and 3 is 5" in results[1]
    assert "temperature" in results[2]
    assert "Invalid" in results[3] or "invalid" in results[3]  # the model is told of its mistake
    told = [m["content"] for m in model.asked[-1]["messages"] if m["role"] == "tool"]
    assert told == results
