# SPDX-License-Identifier: Apache-2.0
"""Anthropic's Messages: byte for byte to an upstream that speaks them, and by way of the
canonical chat to and from one that speaks OpenAI's."""

import http.client
import json

import pytest

from gateway import TOP

MESSAGES = "/v1/messages"
COUNT = "/v1/messages/count_tokens"
HI = [{"role": "user", "content": "hi"}]
CLAUDE_CODE = (TOP / "tests/data/messages/claude-code.json").read_bytes()

CLAUDE = "claude-opus-4-6--"

# Spelled so that any parse and print would show.
ODD = (b'{ "temperature" : 1.10 ,\t"messages":[{"role":"user","content":'
       b'[{"text":"\\u0041\\/\\ud83d\\ude00","type":"text"}]} ],\r\n "model" : "claude/spelled" , '
       b'"max_tokens":5, "tomorrow":{"x":[ ],"n":12345678901234567890123}, "metadata": '
       b'{"user_id":"u"} }')


def ask(gateway, model, stream=False, path=MESSAGES, **more):
    body = {"model": model, "max_tokens": 50, "messages": HI, "stream": stream, **more}
    return gateway.call("POST", path, body)


def events(answer):
    """(event field, data) of each event of a stream."""
    found = []
    for block in answer.body.decode().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line[1:])
        if "data" in lines:
            found.append((lines.get("event"), json.loads(lines["data"])))
    return found


def test_a_body_differs_in_the_model_only(messages_gateway, anthropic):
    answer = messages_gateway.call("POST", MESSAGES + "?beta=true", ODD)
    assert answer.status == 200
    seen = anthropic.requests[-1]
    assert seen.body == ODD.replace(b"claude/", CLAUDE.encode())
    assert seen.path == MESSAGES
    assert answer.body == seen.sent.replace(CLAUDE.encode(), b"claude/")


def test_claude_codes_request_is_passed_on_as_it_is(messages_gateway, anthropic):
    answer = messages_gateway.call("POST", MESSAGES + "?beta=true", CLAUDE_CODE, headers={
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14"})
    seen = anthropic.requests[-1]
    assert answer.status == 200
    assert seen.body == CLAUDE_CODE.replace(b'"fast"', f'"{CLAUDE}text"'.encode())
    assert seen.headers["anthropic-beta"] == "claude-code-20250219,interleaved-thinking-2025-05-14"
    assert answer.body == seen.sent.replace(f'"{CLAUDE}text-20260101"'.encode(), b'"fast"')


@pytest.mark.parametrize("kind", ["text", "tools", "think"])
def test_a_stream_differs_in_the_model_only(messages_gateway, anthropic, kind):
    answer = ask(messages_gateway, f"claude/{kind}", stream=True)
    sent = anthropic.requests[-1].sent
    assert answer.body == sent.replace(f"{CLAUDE}{kind}-20260101".encode(), f"claude/{kind}".encode())
    assert answer.header("content-type").startswith("text/event-stream")


def test_the_upstreams_head_is_the_deployments_and_the_callers(messages_gateway, anthropic):
    messages_gateway.call("POST", MESSAGES, {"model": "claude/text", "max_tokens": 5,
                                             "messages": HI},
                          headers={"anthropic-version": "2026-10-21", "anthropic-beta": "a,b"})
    head = anthropic.requests[-1].headers
    assert head["x-api-key"] == "sk-ant-e2e" and "authorization" not in head
    assert head["anthropic-version"] == "2026-10-21" and head["anthropic-beta"] == "a,b"
    ask(messages_gateway, "claude/text")
    assert anthropic.requests[-1].headers["anthropic-version"] == "2023-06-01"
    ask(messages_gateway, "pinned")
    assert anthropic.requests[-1].headers["anthropic-version"] == "2026-10-21"


def test_the_upstreams_limits_are_told(messages_gateway):
    answer = ask(messages_gateway, "claude/text")
    assert answer.header("anthropic-ratelimit-requests-remaining") == "9"
    assert answer.header("llm_provider-request-id") == "req_up"


@pytest.mark.parametrize("field", ["x-api-key", "authorization"])
def test_a_key_may_come_in_either_field(messages_gateway, field):
    value = "sk-e2e-master" if field == "x-api-key" else "Bearer sk-e2e-master"
    answer = messages_gateway.call("POST", MESSAGES, {"model": "claude/text", "max_tokens": 5,
                                                      "messages": HI},
                                   key=None, headers={field: value})
    assert answer.status == 200


def test_errors_are_said_in_anthropics_words(messages_gateway):
    for kind, status, said in [
            ("invalid_request_error", 400, "invalid_request_error"),
            ("authentication_error", 502, "api_error"), ("not_found_error", 404, "not_found_error"),
            ("request_too_large", 413, "request_too_large"),
            ("rate_limit_error", 429, "rate_limit_error"), ("api_error", 500, "api_error"),
            ("overloaded_error", 529, "overloaded_error")]:
        answer = ask(messages_gateway, f"claude/error-{kind}")
        assert (answer.status, answer.json()["error"]["type"]) == (status, said)
        assert answer.json()["request_id"] == answer.header("request-id")
    answer = messages_gateway.call("POST", MESSAGES, {"model": "claude/text", "messages": "hi"})
    assert answer.status == 400 and answer.json()["type"] == "error"


@pytest.mark.parametrize("model", ["claude/mid-overloaded_error", "claude/cut"])
@pytest.mark.parametrize("path", [MESSAGES, "/v1/chat/completions"])
def test_a_stream_that_breaks_does_not_end_well(messages_gateway, model, path):
    body = ask(messages_gateway, model, stream=True, path=path).body
    assert b"error" in body.rpartition(b"data:")[2]
    assert b"message_stop" not in body
    assert b"[DONE]" not in body


def test_tokens_are_counted_by_who_can(messages_gateway, anthropic):
    body = {"model": "claude/text", "messages": HI, "system": "x"}
    assert messages_gateway.call("POST", COUNT, body).json() == {"input_tokens": 42}
    assert anthropic.requests[-1].path == COUNT
    answer = messages_gateway.call("POST", COUNT, {**json.loads(CLAUDE_CODE), "model": "open/ok"})
    assert answer.status == 200 and 2000 < answer.json()["input_tokens"] < 6000
    assert float(answer.header("x-litellm-response-cost")) == 0


def test_openais_callers_reach_claude(messages_gateway, anthropic):
    answer = ask(messages_gateway, "claude/tools", path="/v1/chat/completions",
                 tools=[{"type": "function", "function": {"name": "look"}}])
    message = answer.json()["choices"][0]["message"]
    assert [c["function"]["arguments"] for c in message["tool_calls"]] == ['{"q":"a"}', '{"q":"b"}']
    assert answer.json()["usage"]["prompt_tokens"] == 17
    sent = anthropic.requests[-1].json()
    assert sent == {"model": CLAUDE + "tools", "max_tokens": 50,
                    "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
                    "tools": [{"name": "look",
                               "input_schema": {"type": "object", "properties": {}}}]}


def test_messages_callers_reach_openai(messages_gateway, messages_mock):
    answer = ask(messages_gateway, "open/ok")
    assert answer.json()["content"] == [{"type": "text", "text": "Hello from the mock"}]
    assert answer.json()["stop_reason"] == "end_turn" and answer.json()["model"] == "open/ok"
    assert answer.json()["usage"]["input_tokens"] == 10
    answer = ask(messages_gateway, "open/ok", stream=True)
    kinds = [kind for kind, _ in events(answer)]
    assert kinds[0] == "message_start" and kinds[-2:] == ["message_delta", "message_stop"]
    assert all(kind == data["type"] for kind, data in events(answer))
    assert events(answer)[-2][1]["usage"]["output_tokens"] == 5


def test_claude_codes_request_reaches_openai(messages_gateway, messages_mock):
    body = {**json.loads(CLAUDE_CODE), "model": "open/ok-claude-code"}
    answer = messages_gateway.call("POST", MESSAGES + "?beta=true", body)
    assert answer.status == 200, answer
    sent = messages_mock.seen()[-1].json()
    roles = [m["role"] for m in sent["messages"]]
    assert roles[:2] == ["system", "user"] and roles.count("tool") == 2
    assert [t["function"]["name"] for t in sent["tools"]] == ["Bash", "Read", "TodoWrite"]
    assert "context_management" not in sent and "thinking" not in sent
    assert len(sent["user"]) == 64
    calls = sent["messages"][roles.index("assistant")]["tool_calls"]
    assert json.loads(calls[0]["function"]["arguments"]) == {"file_path": "/srv/code/notes.txt"}
