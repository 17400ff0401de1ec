# SPDX-License-Identifier: Apache-2.0
"""Anthropic's own Python SDK; run with its oldest and its newest supported major."""

import anthropic
import pytest

from gateway import MASTER, patient

HI = [{"role": "user", "content": "hi"}]
TOOLS = [{"name": "look", "input_schema": {"type": "object", "properties": {}}}]


@pytest.fixture
def client(messages_gateway):
    return anthropic.Anthropic(base_url=messages_gateway.url, api_key=MASTER, max_retries=0,
                               timeout=patient(20))


def whole(client, model, **more):
    return client.messages.create(model=model, max_tokens=50, messages=HI, **more)


def streamed(client, model, **more):
    with client.messages.stream(model=model, max_tokens=50, messages=HI, **more) as stream:
        return stream.get_final_message()


@pytest.mark.parametrize("get", [whole, streamed])
@pytest.mark.parametrize("model, text", [("claude/text", "Hello é😀"),
                                         ("open/ok", "Hello from the mock")])
def test_text(client, get, model, text):
    answer = get(client, model)
    assert "".join(b.text for b in answer.content) == text
    assert answer.stop_reason == "end_turn" and answer.model == model
    assert answer.usage.output_tokens > 0


@pytest.mark.parametrize("get", [whole, streamed])
def test_tools_in_parallel(client, get):
    answer = get(client, "claude/tools", tools=TOOLS)
    assert [b.input for b in answer.content if b.type == "tool_use"] == [{"q": "a"}, {"q": "b"}]
    assert answer.stop_reason == "tool_use"


@pytest.mark.parametrize("get", [whole, streamed])
def test_thinking_keeps_its_signature(client, get):
    thinking, sealed, text = get(client, "claude/think").content
    assert (thinking.thinking, thinking.signature) == ("Let me see.", "c2ln")
    assert sealed.data == "UkVE" and text.text == "Seen."


@pytest.mark.parametrize("get", [whole, streamed])
@pytest.mark.parametrize("model, error", [
    ("nothing", anthropic.NotFoundError),
    ("claude/error-not_found_error", anthropic.NotFoundError),
    ("claude/error-rate_limit_error", anthropic.RateLimitError),
    ("claude/error-overloaded_error", anthropic.APIStatusError),  # 529: of no class in the oldest
    ("open/err-429", anthropic.RateLimitError)])
def test_errors_are_the_sdks_own(client, get, model, error):
    with pytest.raises(error) as caught:
        get(client, model)
    assert caught.value.body["error"]["message"]


@pytest.mark.parametrize("model", ["claude/mid-overloaded_error", "claude/cut", "open/stream-cut"])
def test_a_stream_that_breaks_raises(client, model):
    with pytest.raises(Exception) as caught:
        streamed(client, model)
    assert not isinstance(caught.value, AssertionError)


def test_tokens_are_counted(client):
    count = client.messages.count_tokens
    assert count(model="claude/text", messages=HI).input_tokens == 42
    assert count(model="open/ok", messages=HI, tools=TOOLS).input_tokens > 5
