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


def events_of(up_target):
    return {"chat": 13, "claude": 15, "converse": 14, "gemini": 9}[up_target]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("target", TARGETS)
def test_chat_goes_on(gw, up, target, mode):
    ks = range(1, 11) if mode != "silence" else (1, 4)
    for k in ks:
        up.seen.clear()
        try:
            chunks = chat_stream(gw, f"{target}/{mode}-{k}")
        except openai.APIError as error:
            raise AssertionError((k, error, gw.log.read_text()[-800:]))
        assert text_of_chat(chunks) == TEXT, k
        assert chunks[0].model == f"{target}/{mode}-{k}"
