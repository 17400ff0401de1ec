# SPDX-License-Identifier: Apache-2.0
"""A stream that breaks goes on at another deployment: the vendors' SDKs have one stream with one
text, whatever the upstream broke after, and by what; what cannot be gone on with ends as it did."""

import json
import os
import pathlib
import re
import subprocess

import anthropic as anthropic_sdk
import openai
import pytest

from bedrock_upstream import AKID, SECRET, TOKEN
from breaking_upstream import CREATED, MODES, TEXT, BreakingUpstream
from gateway import MASTER, Gateway, guarded, request, slow_factor, wait_until

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
  - {{model_name: thrice/*, litellm_params: {{<<: *chat, model: openai/close-4-then, order: 2}}}}
  - {{model_name: thrice/*, litellm_params: {{<<: *chat, model: openai/whole, order: 3}}}}
  - {{model_name: both/*, litellm_params: {{<<: *chat}}}}
  - {{model_name: both/*, litellm_params: {{<<: *chat, model: openai/close-4-both, order: 2}}}}
  - {{model_name: refuses/*, litellm_params: {{<<: *chat}}}}
  - {{model_name: refuses/*, litellm_params: {{<<: *chat, model: openai/status-503, order: 2}}}}
  - {{model_name: refuses/*, litellm_params: {{<<: *chat, model: openai/whole, order: 3}}}}
  - {{model_name: hangs/*, litellm_params: {{<<: *chat}}}}
  - {{model_name: hangs/*, litellm_params: {{<<: *chat, model: openai/silence-2, order: 2}}}}
  - {{model_name: mixed/*, litellm_params: {{<<: *claude}}, model_info: *opus}}
  - {{model_name: mixed/*, litellm_params: {{<<: *chat, model: openai/close-3-mixed, order: 2}}}}
  - {{model_name: mixed/*, litellm_params: {{<<: *chat, model: openai/whole, order: 3}}}}
  - {{model_name: always/*, litellm_params: {{<<: *chat, resume: true}}}}
  - {{model_name: always/*, litellm_params: {{<<: *chat, model: openai/whole, order: 2}}}}
  - {{model_name: lonely-chat/*, litellm_params: {{<<: *chat}}}}
  - {{model_name: lonely-claude/*, litellm_params: {{<<: *claude}}, model_info: *opus}}
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


def config(up, folder):
    return CONFIG.format(up=up.url, akid=AKID, secret=SECRET, token=TOKEN, price=PRICE,
                         master=MASTER, state=folder / "state")


@pytest.fixture(scope="module")
def made(up, tmp_path_factory):
    folder = tmp_path_factory.mktemp("resume")
    with Gateway(folder, config(up, folder)) as gateway:
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


def test_white_space_at_the_cut_is_said_once(gw, up):
    """Claude takes no beginning that ends with white space: it is left out, and said but once."""
    for k in (2, 5, 6):
        up.seen.clear()
        assert text_of_chat(chat_stream(gw, f"to-claude/close-{k}")) == TEXT
        assert up.seen[-1]["how"] == "prefill"
        last = up.seen[-1]["body"]["messages"][-1]["content"]
        assert json.dumps(last).count("sky") == (k > 2)


def test_other_models_are_asked_to_go_on(gw, up):
    assert text_of_chat(chat_stream(gw, "chat/close-3")) == TEXT
    assert up.seen[-1]["how"] == "asked"
    assert [m["role"] for m in up.seen[-1]["body"]["messages"]] == ["user", "assistant", "user"]


def test_what_had_no_words_yet_is_asked_as_it_was(gw, up):
    assert text_of_chat(chat_stream(gw, "chat/close-1")) == TEXT
    assert up.seen[-1]["body"]["messages"] == up.seen[0]["body"]["messages"]


@pytest.mark.parametrize("model", ["alone/close-4", "thrice/close-2"])
def test_fallbacks_and_further_orders_go_on(gw, up, model):
    assert text_of_chat(chat_stream(gw, model)) == TEXT
    assert up.seen[-1]["model"] == "whole"


def test_who_goes_on_may_break_at_once(gw, up):
    """What broke before its first word is one attempt more."""
    assert text_of_chat(chat_stream(gw, "refuses/close-3")) == TEXT
    assert [record["model"] for record in up.seen] == ["close-3", "status-503", "whole"]


def test_nothing_holds_of_an_answer_that_never_began(gw, up):
    """The first upstream, in another protocol, breaks before its first word."""
    assert text_of_chat(chat_stream(gw, "mixed/close-1")) == TEXT
    assert [record["model"] for record in up.seen] == ["close-1", "close-3-mixed", "whole"]


def test_both_break(gw, up):
    with pytest.raises(openai.APIError):
        chat_stream(gw, "both/close-3")
    assert [record["model"] for record in up.seen] == ["close-3", "close-4-both"]
    wait_until(lambda: "not_resumed=no_deployment" in gw.log.read_text(), what="its log line")


def broken(gateway, model, **more):
    """The text until it broke, and the error's."""
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=MASTER, max_retries=0)
    stream = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "why?"}], stream=True,
        extra_body=ON, **more)
    text = ""
    with pytest.raises(openai.APIError) as error:
        for chunk in stream:
            text += "".join(choice.delta.content or "" for choice in chunk.choices)
    return text, error.value


@pytest.mark.parametrize("model, more, why", [
    ("chat/close-4-tool", {}, "tool_call"),
    ("chat/close-4-think", {}, "reasoning"),
    ("claude/close-3-think", {}, "reasoning"),
    ("chat/close-4-refuse", {}, "refusal"),
    ("chat/close-4", {"n": 2}, "choices"),
    ("chat/close-4", {"response_format": {"type": "json_object"}}, "structured_output"),
    ("chat/close-4", {"logprobs": True}, "logprobs"),
    ("chat/close-11", {}, "end"),
])
def test_what_cannot_be_gone_on_with_ends_with_its_error(gw, up, model, more, why):
    before = len(gw.log.read_text())
    broken(gw, model, **more)
    assert [record["model"].split("/")[-1] for record in up.seen] == [model.split("/")[1]]
    wait_until(lambda: f"not_resumed={why}" in gw.log.read_text()[before:], what="its log line")


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "reset"])
@pytest.mark.parametrize("target", TARGETS)
def test_who_does_not_ask_has_the_error(gw, up, target, mode):
    """A reset may throw away all that was sent: then nothing has begun."""
    with pytest.raises(openai.APIError):
        chat_stream(gw, f"{target}/{mode}-5", on=False)
    assert len(up.seen) == 1


def raw_stream(gateway, path, body, key=MASTER):
    return request(gateway.port, "POST", path, body, key=key).body


@pytest.mark.parametrize("path, model, more", [
    ("/v1/chat/completions", "chat", {"messages": [{"role": "user", "content": "why?"}]}),
    ("/v1/messages", "claude", {"messages": [{"role": "user", "content": "why?"}], "max_tokens": 9}),
    ("/v1/responses", "chat", {"input": "why?"})])
def test_a_stream_that_does_not_break_is_the_same(gw, path, model, more):
    """To the byte: what is noted changes nothing."""
    body = {"model": f"{model}/x", "stream": True, **more}
    assert raw_stream(gw, path, {**body, **ON}) == raw_stream(gw, path, body)


@pytest.mark.parametrize("path, model, more", [
    ("/v1/chat/completions", "chat", {"messages": [{"role": "user", "content": "why?"}]}),
    ("/v1/messages", "claude", {"messages": [{"role": "user", "content": "why?"}], "max_tokens": 900}),
    ("/v1/responses", "chat", {"input": "why?"})])
def test_an_error_that_ends_it_is_the_upstreams(gw, path, model, more):
    """Where nobody can go on (nobody is left): to the byte what it would have been."""
    body = {"model": f"lonely-{model}/error-5", "stream": True, **more}
    assert raw_stream(gw, path, {**body, **ON}) == raw_stream(gw, path, body)


def test_the_deployment_may_ask_for_it(gw, up):
    assert text_of_chat(chat_stream(gw, "always/close-3", on=False)) == TEXT
    with pytest.raises(openai.APIError):
        list(openai.OpenAI(base_url=f"{gw.url}/v1", api_key=MASTER, max_retries=0).chat.completions
             .create(model="always/close-3", messages=[{"role": "user", "content": "why?"}],
                     stream=True, extra_body={"kanmon": {"resumeStream": False}}))


def test_each_attempt_is_billed_and_the_client_is_told_the_sum(gw, up):
    key = gw.new_key()
    chunks = chat_stream(gw, "chat/close-5", key=key)
    wait_until(lambda: gw.spend_logs(api_key=key), what="its row")
    row, = gw.spend_logs(api_key=key)
    told = chunks[-1].usage
    assert (told.prompt_tokens, told.completion_tokens) == (
        row["prompt_tokens"], row["completion_tokens"])
    first, second = row["attempts"]
    assert second["completion_tokens"] == 5 and first["estimated"] and not second["estimated"]
    assert first["completion_tokens"] + second["completion_tokens"] == told.completion_tokens
    assert first["prompt_tokens"] + second["prompt_tokens"] == told.prompt_tokens
    cost = sum(a["prompt_tokens"] * 1000 + a["completion_tokens"] * 2000 for a in row["attempts"])
    assert cost == sum(a["cost_nanousd"] for a in row["attempts"])
    assert round(row["spend"] * 1e9) == cost


def test_a_key_without_money_for_another_has_the_error(gw, up):
    """Its budget has room for one attempt: what broke is paid, and nobody else is asked."""
    key = gw.new_key(max_budget=0.00045)
    chunks = []
    client = openai.OpenAI(base_url=f"{gw.url}/v1", api_key=key, max_retries=0)
    before = len(gw.log.read_text())
    with pytest.raises(openai.APIError):
        for chunk in client.chat.completions.create(
                model="chat/close-5", messages=[{"role": "user", "content": "why?"}], stream=True,
                max_tokens=120, extra_body=ON):
            chunks.append(chunk)
    assert chunks and len(up.seen) == 1
    wait_until(lambda: "not_resumed=budget" in gw.log.read_text()[before:], what="its log line")
    wait_until(lambda: gw.spend_logs(api_key=key), what="its row")
    assert gw.key_info(key)["spend"] <= 0.00045


def test_the_callers_bound_is_of_all_of_it(gw, up):
    text_of_chat(chat_stream(gw, "chat/close-6", max_tokens=50))
    said = up.seen[-1]["body"]
    assert 0 < (said.get("max_tokens") or said["max_completion_tokens"]) < 50


@pytest.fixture(scope="module")
def watched(up, tmp_path_factory):
    """kanmon with units on the way of what is said: one of them waits at a word."""
    folder = tmp_path_factory.mktemp("watched")
    with Gateway(folder, config(up, folder), program=guarded()) as gateway:
        yield gateway


@pytest.mark.parametrize("mode", ["reset", "error", "half"])
def test_units_see_one_stream(watched, up, mode):
    for target in TARGETS:
        for k in (1, 2, 5, 8):
            assert text_of_chat(chat_stream(watched, f"{target}/{mode}-{k}")) == TEXT
            assert text_of_messages(*messages_stream(watched, f"{target}/{mode}-{k}")) == TEXT
            assert text_of_responses(responses_stream(watched, f"{target}/{mode}-{k}")) == TEXT


def test_a_client_that_leaves_while_it_goes_on_ends_it(gw, up):
    key = gw.new_key()
    client = openai.OpenAI(base_url=f"{gw.url}/v1", api_key=key, max_retries=0)
    stream = client.chat.completions.create(
        model="hangs/close-3", messages=[{"role": "user", "content": "why?"}], stream=True,
        extra_body=ON)
    next(iter(stream))
    wait_until(lambda: len(up.seen) == 2, what="the second upstream")
    stream.close()
    wait_until(lambda: gw.spend_logs(api_key=key), what="its row")
    row, = gw.spend_logs(api_key=key)
    assert len(row["attempts"]) == 2


def test_the_node_sdks_have_one_answer(gw):
    node = os.environ.get("KM_NODE")
    if not node:
        pytest.fail("KM_NODE is not set: run this by tests/e2e/run")
    script = pathlib.Path(__file__).with_name("sdk") / "resume.test.mjs"
    ran = subprocess.run(
        [node, "--test", "--test-reporter=tap", str(script)],
        env={**os.environ, "KANMON_URL": gw.url, "KANMON_KEY": MASTER, "KANMON_TEXT": TEXT},
        capture_output=True, text=True, timeout=120 * slow_factor())
    failed = re.findall(r"^\s*not ok .*", ran.stdout, re.M)
    assert ran.returncode == 0, "\n".join(failed[:20]) + "\n" + ran.stdout[-3000:] + ran.stderr
    assert int(re.search(r"^# pass (\d+)", ran.stdout, re.M)[1]) >= 130
