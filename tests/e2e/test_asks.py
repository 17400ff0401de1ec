# SPDX-License-Identifier: Apache-2.0
"""What a request asks of a provider beside tokens: tools that it runs, answers made later.

Whatever API a call comes by, a key that may have no such tool gets none, and is told which; and an
answer that nobody would follow to its end is not begun.
"""

import json

import pytest

from gateway import Gateway
from recorder import Recorder

CONFIG = """
model_list:
  - model_name: chat
    litellm_params: {{model: openai/m, api_base: "{up}/v1", api_key: k}}
  - model_name: claude
    litellm_params: {{model: anthropic/m, api_base: "{up}", api_key: k}}
  - model_name: gem
    litellm_params: {{model: gemini/m, api_base: "{up}/v1beta", api_key: k}}
  - model_name: rock
    litellm_params: {{model: bedrock/m, aws_bedrock_runtime_endpoint: "{up}",
                      aws_access_key_id: a, aws_secret_access_key: b, aws_region_name: us-east-1}}
general_settings: {{master_key: sk-e2e-master}}
kanmon_settings: {{state_dir: "{state}", workers: 1, prefix_models: any}}
"""
SAID = [{"role": "user", "content": "a"}]
SEARCH = [{"type": "web_search"}]
CLAUDES = [{"type": "web_search_20250305", "name": "web_search", "max_uses": 100}]
GOOGLE = {"contents": [{"role": "user", "parts": [{"text": "a"}]}], "tools": [{"googleSearch": {}}]}
CONVERSE = {"messages": [{"role": "user", "content": [{"text": "a"}]}],
            "toolConfig": {"tools": [{"systemTool": {"name": "nova_grounding"}}]}}
CALLS = [
    ("/v1/chat/completions", {"model": "chat", "messages": SAID, "web_search_options": {}}),
    ("/v1/responses", {"model": "chat", "input": "a", "tools": SEARCH}),
    ("/v1/messages", {"model": "claude", "max_tokens": 9, "messages": SAID, "tools": CLAUDES}),
    ("/v1beta/models/gem:generateContent", GOOGLE),
    ("/openai/v1/responses", {"model": "m", "input": "a", "tools": SEARCH}),
    ("/openai/v1/chat/completions", {"model": "m", "messages": SAID, "web_search_options": {}}),
    ("/anthropic/v1/messages", {"model": "m", "max_tokens": 9, "messages": SAID, "tools": CLAUDES}),
    ("/gemini/v1beta/models/m:generateContent", GOOGLE),
    ("/bedrock/model/m/converse", CONVERSE),
    ("/bedrock/model/m/converse",
     {"messages": CONVERSE["messages"], "additionalModelRequestFields": {"tools": CLAUDES}}),
    ("/bedrock/model/m/invoke", {"max_tokens": 9, "messages": SAID, "tools": CLAUDES}),
]


@pytest.fixture(scope="module")
def recorder():
    recorder = Recorder()
    yield recorder
    recorder.stop()


@pytest.fixture(scope="module")
def asking(recorder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("asks")
    with Gateway(folder, CONFIG.format(up=recorder.url, state=folder / "state")) as gateway:
        yield gateway


def key_of(gateway, **fields):
    return gateway.call("POST", "/key/generate", fields).json()["key"]


@pytest.mark.parametrize("path,body", CALLS)
def test_a_key_may_be_kept_from_hosted_tools(asking, recorder, path, body):
    for hosted in (False, [], ["mcp", "code_interpreter"]):
        recorder.take()
        answer = asking.call("POST", path, body, key=key_of(asking, hosted_tools=hosted))
        assert answer.status == 403, answer
        assert "web_search" in answer.body.decode() and "hosted_tools" in answer.body.decode()
        assert not recorder.take()
    for fields in ({}, {"hosted_tools": True}, {"hosted_tools": ["web_search"]}):
        answer = asking.call("POST", path, body, key=key_of(asking, **fields))
        assert answer.status == 200, answer
        assert recorder.take()


def test_a_callers_own_tools_are_nobodys_business(asking, recorder):
    tools = [{"type": "function", "function": {"name": "web_search", "parameters": {}}}]
    body = {"model": "chat", "messages": SAID, "tools": tools}
    key = key_of(asking, hosted_tools=False)
    assert asking.call("POST", "/v1/chat/completions", body, key=key).status == 200


def test_hosted_tools_are_shown_changed_and_lifted(asking):
    key = key_of(asking, hosted_tools=["mcp"])
    shown = asking.call("GET", f"/key/info?key={key}").json()["info"]
    assert shown["hosted_tools"] == ["mcp"]
    path, body = CALLS[1]
    assert asking.call("POST", path, body, key=key).status == 403
    asking.call("POST", "/key/update", {"key": key, "hosted_tools": ["web_search"]})
    assert asking.call("POST", path, body, key=key).status == 200
    asking.call("POST", "/key/update", {"key": key, "hosted_tools": False})
    assert asking.call("POST", path, body, key=key).status == 403
    asking.call("POST", "/key/update", {"key": key, "max_budget": 5})  # stays
    assert asking.call("POST", path, body, key=key).status == 403
    asking.call("POST", "/key/update", {"key": key, "hosted_tools": None, "max_budget": None})
    assert asking.call("POST", path, body, key=key).status == 200


@pytest.mark.parametrize("value", ["web_search", ["websearch"], {"web_search": True}, 1])
def test_a_list_that_names_no_tool_is_refused(asking, value):
    answer = asking.call("POST", "/key/generate", {"hosted_tools": value})
    assert answer.status == 400 and "hosted_tools" in answer.body.decode(), answer


@pytest.mark.parametrize("path", ["/v1/responses", "/responses", "/openai/v1/responses"])
@pytest.mark.parametrize("key", [None, "virtual"])
def test_background_is_refused_by_name(asking, recorder, path, key):
    body = {"model": "m" if path.startswith("/openai") else "chat", "input": "a"}
    given = {"key": key_of(asking)} if key else {}
    recorder.take()
    answer = asking.call("POST", path, {**body, "background": True}, **given)
    assert answer.status == 400, answer
    assert json.loads(answer.body)["error"]["param"] == "background"
    assert not recorder.take()
    for off in (False, None):
        answer = asking.call("POST", path, {**body, "background": off}, **given)
        assert answer.status == 200, answer
