# SPDX-License-Identifier: Apache-2.0
"""A stream that breaks goes on at another deployment: the vendors' SDKs have one stream with one
text, whatever the upstream broke after, and by what; what cannot be gone on with ends as it did."""

import json

import anthropic as anthropic_sdk
import openai
import pytest

from bedrock_upstream import AKID, SECRET, TOKEN
from breaking_upstream import CREATED, MODES, TEXT, BreakingUpstream
from gateway import MASTER, Gateway, request

PRICE = "input_cost_per_token: 0.000001, output_cost_per_token: 0.000002"
CONFIG = """
model_list:
  - model_name: chat/*
    litellm_params: &chat {{model: openai/*, api_base: "{up}/v1", api_key: k, order: 1, {price}}}
  - {{model_name: chat/*, litellm_params: {{<<: *chat, model: openai/whole, order: 2}}}}
  - model_name: claude/*
    litellm_params: &claude {{model: anthropic/*, api_base: "{up}", api_key: k, order: 1, {price}}}
    model_info: &opus {{base_model: claude-haiku-4-5}}
  - model_name: claude/*
    litellm_params: {{<<: *claude, model: anthropic/whole, order: 2}}
    model_info: *opus
  - model_name: converse/*
    litellm_params: &converse
      {{model: bedrock/converse/*, aws_region_name: us-east-1, aws_bedrock_runtime_endpoint: "{up}",
        aws_access_key_id: {akid}, aws_secret_access_key: {secret}, aws_session_token: {token},
        order: 1, {price}}}
  - {{model_name: converse/*, litellm_params: {{<<: *converse, model: bedrock/converse/whole, order: 2}}}}
  - model_name: gemini/*
    litellm_params: &gemini {{model: gemini/*, api_base: "{up}/v1beta", api_key: k, order: 1, {price}}}
  - {{model_name: gemini/*, litellm_params: {{<<: *gemini, model: gemini/whole, order: 2}}}}
  - {{model_name: alone/*, litellm_params: {{<<: *chat}}}}
  - {{model_name: to-claude/*, litellm_params: {{<<: *chat}}}}
  - model_name: to-claude/*
    litellm_params: {{<<: *claude, model: anthropic/whole, order: 2}}
    model_info: *opus
  - {{model_name: thrice/*, litellm_params: {{<<: *chat}}}}
  - {{model_name: thrice/*, litellm_params: {{<<: *chat, model: openai/reset-4-then, order: 2}}}}
  - {{model_name: thrice/*, litellm_params: {{<<: *chat, model: openai/whole, order: 3}}}}
  - {{model_name: both/*, litellm_params: {{<<: *chat}}}}
  - {{model_name: both/*, litellm_params: {{<<: *chat, model: openai/reset-4-both, order: 2}}}}
router_settings: {{num_retries: 0, fallbacks: [{{alone/*: [chat/whole]}}]}}
general_settings: {{master_key: {master}}}
kanmon_settings:
  state_dir: "{state}"
  workers: 1
  stream_idle: 300ms
  performance: {{circuit_breaker_failures: 1000000}}
"""
ON = {"kanmon": {"resumeStream": True}}
TARGETS = ("chat", "claude", "converse", "gemini")


@pytest.fixture(scope="module")
def up():
    with BreakingUpstream() as made:
        yield made


@pytest.fixture(scope="module")
def made(up, tmp_path_factory):
    folder = tmp_path_factory.mktemp("resume")
    text = CONFIG.format(up=up.url, akid=AKID, secret=SECRET, token=TOKEN, price=PRICE,
                         master=MASTER, state=folder / "state")
    with Gateway(folder, text) as gateway:
        yield gateway


@pytest.fixture
def gw(made, up):
    up.seen.clear()
    return made


def chat_stream(gateway, model, key=MASTER, on=True, **more):
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=0)
    return list(client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "why?"}], stream=True,
        stream_options={"include_usage": True}, extra_body=ON if on else None, **more))


def text_of_chat(chunks):
    """Of a stream that is in order."""
    assert len({c.id for c in chunks}) == 1 and len({c.created for c in chunks}) == 1
    assert len({c.model for c in chunks}) == 1
    choices = [choice for c in chunks for choice in c.choices]
    assert [choice.delta.role for choice in choices if choice.delta.role] == ["assistant"]
    assert choices[0].delta.role
    assert [c.finish_reason for c in choices if c.finish_reason] == ["stop"]
    assert choices[-1].finish_reason and [c for c in chunks if c.usage] == chunks[-1:]
    return "".join(choice.delta.content or "" for choice in choices)


def claude(gateway):
    return anthropic_sdk.Anthropic(base_url=gateway.url, api_key=MASTER, max_retries=0)


def messages_stream(gateway, model, **more):
    """The events as they came, and the message that the SDK puts together of the same."""
    with claude(gateway).messages.stream(
            model=model, max_tokens=1000, messages=[{"role": "user", "content": "why?"}],
            extra_body=ON, **more) as stream:
        raw = [event for event in stream if event.type in (
            "message_start", "content_block_start", "content_block_delta", "content_block_stop",
            "message_delta", "message_stop")]
        return raw, stream.get_final_message()


def text_of_messages(raw, message):
    """Of a stream that is in order."""
    kinds = [event.type for event in raw]
    assert kinds[0] == "message_start" and kinds[-2:] == ["message_delta", "message_stop"]
    assert kinds.count("message_start") == kinds.count("message_delta") == 1
    open_block, blocks = None, 0
    for event in raw:
        if event.type == "content_block_start":
            assert open_block is None and event.index == blocks
            open_block, blocks = event.index, blocks + 1
        elif event.type == "content_block_delta":
            assert event.index == open_block
        elif event.type == "content_block_stop":
            assert event.index == open_block
            open_block = None
    assert open_block is None and message.stop_reason == "end_turn"
    return "".join(block.text for block in message.content)


def responses_stream(gateway, model, **more):
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=MASTER, max_retries=0)
    return list(client.responses.create(model=model, input="why?", stream=True, extra_body=ON,
                                        **more))


def text_of_responses(events):
    """Of a stream that is in order."""
    assert [e.sequence_number for e in events] == list(range(len(events)))
    kinds = [e.type for e in events]
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] == "response.completed" and kinds.count("response.created") == 1
    assert kinds.count("response.output_item.added") == kinds.count("response.output_item.done") == 1
    assert kinds.count("response.content_part.added") == kinds.count("response.content_part.done") == 1
    assert len({e.response.id for e in events if hasattr(e, "response")}) == 1
    assert len({e.item_id for e in events if hasattr(e, "item_id")}) == 1
    last = events[-1].response
    assert last.output[0].id == next(e.item_id for e in events if hasattr(e, "item_id"))
    said = "".join(e.delta for e in events if e.type == "response.output_text.delta")
    assert said == last.output_text == next(
        e.text for e in events if e.type == "response.output_text.done")
    return said


def steps(mode, most):
    """After how many events it breaks: each; a silence costs its time-out."""
    return range(1, most + 1) if mode != "silence" else (1, 4)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("target", TARGETS)
def test_chat_goes_on(gw, up, target, mode):
    for k in steps(mode, 10 if target != "gemini" else 8):
        up.seen.clear()
        chunks = chat_stream(gw, f"{target}/{mode}-{k}")
        assert text_of_chat(chunks) == TEXT, k
        assert chunks[0].model == f"{target}/{mode}-{k}"
        assert [record["model"].split("/")[-1] for record in up.seen] == [f"{mode}-{k}", "whole"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("target", TARGETS)
def test_messages_go_on(gw, up, target, mode):
    for k in steps(mode, {"claude": 13, "converse": 11, "gemini": 8}.get(target, 10)):
        up.seen.clear()
        raw, message = messages_stream(gw, f"{target}/{mode}-{k}")
        assert text_of_messages(raw, message) == TEXT, k
        assert [record["model"].split("/")[-1] for record in up.seen] == [f"{mode}-{k}", "whole"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("target", TARGETS)
def test_responses_go_on(gw, up, target, mode):
    for k in steps(mode, {"chat": 13, "gemini": 8}.get(target, 10)):
        up.seen.clear()
        events = responses_stream(gw, f"{target}/{mode}-{k}")
        assert text_of_responses(events) == TEXT, k
        assert [record["model"].split("/")[-1] for record in up.seen] == [f"{mode}-{k}", "whole"]
