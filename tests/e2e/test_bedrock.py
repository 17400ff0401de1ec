# SPDX-License-Identifier: Apache-2.0
"""One model in two regions of Amazon Bedrock: when the first fails, the call goes to the other,
signed anew for it; what has begun to reach the client is never repeated."""

import http.client
import json

import boto3
import botocore.config
import pytest

from bedrock_upstream import AKID, SECRET, TOKEN, BedrockUpstream
from gateway import Gateway
from ports import free_port

EAST, TOKYO = "us-east-1", "ap-northeast-1"
GOOD = f"Hello \u2603 from {TOKYO}"

CONFIG = """
model_list:
  - model_name: two/*
    litellm_params: &east
      model: bedrock/*
      aws_region_name: us-east-1
      aws_bedrock_runtime_endpoint: "{east}"
      aws_access_key_id: {akid}
      aws_secret_access_key: {secret}
      aws_session_token: {token}
      timeout: 1
      order: 1
  - model_name: two/*
    litellm_params: &tokyo
      <<: *east
      aws_region_name: ap-northeast-1
      aws_bedrock_runtime_endpoint: "{tokyo}"
      timeout: 20
      order: 2
  - model_name: claude/*
    litellm_params: {{<<: *east, model: "bedrock/invoke/*"}}
    model_info: &claude {{base_model: claude-haiku-4-5}}
  - model_name: claude/*
    litellm_params: {{<<: *tokyo, model: "bedrock/invoke/*"}}
    model_info: *claude
  - model_name: unbound/*
    litellm_params: {{<<: *east, timeout: 0}}
  - model_name: unbound/*
    litellm_params: {{<<: *tokyo, timeout: 0}}
  - model_name: gone
    litellm_params: {{<<: *east, model: bedrock/x, aws_bedrock_runtime_endpoint: "{nobody}"}}
  - model_name: gone
    litellm_params: {{<<: *tokyo, model: bedrock/x}}
  - model_name: wrong-key
    litellm_params: {{<<: *tokyo, model: bedrock/x, aws_secret_access_key: other}}
litellm_settings: {{request_timeout: 2}}
general_settings: {{master_key: sk-e2e-master}}
kanmon_settings:
  state_dir: "{state}"
  workers: 2
  performance: {{circuit_breaker_failures: 1000000}}
"""


@pytest.fixture(scope="module")
def regions():
    made = BedrockUpstream(EAST, True), BedrockUpstream(TOKYO, False)
    yield made
    for one in made:
        one.stop()


@pytest.fixture(scope="module")
def bedrock_gateway(regions, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bedrock")
    config = CONFIG.format(east=regions[0].url, tokyo=regions[1].url, state=folder / "state",
                           nobody=f"http://127.0.0.1:{free_port()}", akid=AKID, secret=SECRET,
                           token=TOKEN)
    with Gateway(folder, config) as gateway:
        yield gateway


@pytest.fixture
def seen(regions):
    for region in regions:
        region.seen.clear()
    return [region.seen for region in regions]


def ask(gateway, model, stream):
    answer = gateway.chat(model, stream=stream, timeout=15)
    if answer.status != 200:
        return answer, None
    if not stream:
        return answer, answer.json()["choices"][0]["message"]["content"]
    chunks = [json.loads(e) for e in answer.events() if e != "[DONE]"]
    return answer, "".join(c["choices"][0]["delta"].get("content") or ""
                           for c in chunks if c.get("choices"))


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", [
    "err-429-ThrottlingException", "err-429-ModelNotReadyException",
    "err-500-InternalServerException", "err-503-ServiceUnavailableException",
    "err-408-ModelTimeoutException", "err-424-ModelErrorException",
    "err-400-ServiceQuotaExceededException", "err-403-AccessDeniedException",
    "err-404-ResourceNotFoundException", "hang", "reset"])
def test_a_region_that_fails_is_left_for_the_other(bedrock_gateway, seen, fault, stream):
    answer, text = ask(bedrock_gateway, f"two/{fault}", stream)
    assert answer.status == 200, answer
    assert text == GOOD
    assert [len(s) for s in seen] == [1, 1]
    assert [s[0]["denied"] for s in seen] == [None, None]
    assert seen[0][0]["body"] == seen[1][0]["body"]


@pytest.mark.parametrize("stream", [False, True])
def test_request_timeout_alone_moves_a_call_on(bedrock_gateway, seen, stream):
    """As in LiteLLM it bounds an attempt, not the call: the other region has as long again."""
    answer, text = ask(bedrock_gateway, "unbound/hang", stream)
    assert (answer.status, text) == (200, GOOD), answer
    assert [len(s) for s in seen] == [1, 1]


@pytest.mark.parametrize("fault", ["frame-throttlingException", "frame-serviceUnavailableException",
                                   "frame-modelStreamErrorException"])
def test_an_exception_before_any_text_is_a_failure_like_any_other(bedrock_gateway, seen, fault):
    answer, text = ask(bedrock_gateway, f"two/{fault}", True)
    assert (answer.status, text) == (200, GOOD), answer
    assert [len(s) for s in seen] == [1, 1]


def test_an_exception_in_the_first_frame_of_messages_passed_on_is_one(bedrock_gateway, seen):
    answer = bedrock_gateway.call(
        "POST", "/v1/messages", {"model": "claude/frame-throttlingException", "max_tokens": 9,
                                 "stream": True, "messages": [{"role": "user", "content": "hi"}]})
    assert answer.status == 200, answer
    events = [json.loads(e) for e in answer.events()]
    assert "".join(e["delta"]["text"] for e in events
                   if e["type"] == "content_block_delta") == GOOD
    assert [s[0]["action"] for s in seen] == ["invoke-with-response-stream"] * 2
    assert "max_tokens" in seen[1][0]["body"], "the caller's own body"


@pytest.mark.parametrize("stream", [False, True])
def test_what_the_request_is_at_fault_for_is_not_tried_elsewhere(bedrock_gateway, seen, stream):
    answer, _ = ask(bedrock_gateway, "two/err-400-ValidationException", stream)
    assert answer.status == 400, answer
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert [len(s) for s in seen] == [1, 0]


@pytest.mark.parametrize("fault", ["late-throttlingException", "cut"])
def test_a_stream_that_breaks_is_an_error_not_an_end(bedrock_gateway, seen, fault):
    answer = bedrock_gateway.chat(f"two/{fault}", stream=True, timeout=15)
    events = [json.loads(event) for event in answer.events()]
    assert events[-1]["error"]["message"]
    assert not any(c["finish_reason"] for e in events for c in e.get("choices", []))
    assert [len(s) for s in seen] == [1, 0]


@pytest.mark.parametrize("stream", [False, True])
def test_a_region_that_is_not_there(bedrock_gateway, seen, stream):
    answer, text = ask(bedrock_gateway, "gone", stream)
    assert (answer.status, text) == (200, GOOD), answer


def test_a_refused_signature_is_the_gateways_fault_not_the_callers(bedrock_gateway, seen):
    answer, _ = ask(bedrock_gateway, "wrong-key", False)
    assert answer.status == 502, answer
    assert answer.json()["error"]["code"] == "upstream_auth_error"
    assert SECRET not in answer.body.decode()


# --- bodies of the models' own, by boto3 ---

SAID = [{"role": "user", "content": [{"text": "hello"}]}]
# Model, USD for a token of its output; a body, and where it has its bound, under its own name.
OWN = {
    "anthropic.claude-3-haiku-20240307-v1:0": (1.25e-6, {"anthropic_version": "bedrock-2023-05-31",
                                                         "messages": [{"role": "user", "content": "hello"}]},
                                               None, "max_tokens"),
    "amazon.nova-pro-v1:0": (3.2e-6, {"messages": SAID}, "inferenceConfig", "maxTokens"),
    "amazon.titan-text-express-v1": (1.7e-6, {"inputText": "hello"}, "textGenerationConfig", "maxTokenCount"),
    "meta.llama3-8b-instruct-v1:0": (6e-7, {"prompt": "hello"}, None, "max_gen_len"),
    "mistral.mistral-large-2402-v1:0": (2.4e-5, {"prompt": "hello"}, None, "max_tokens"),
    "cohere.command-text-v14": (2e-6, {"prompt": "hello"}, None, "max_tokens"),
}


@pytest.mark.parametrize("said", [True, False], ids=["bounded", "unbounded"])
@pytest.mark.parametrize("model", OWN)
def test_a_models_own_bound_is_lowered_and_signed_anew(bedrock_gateway, regions, model, said):
    """What is left of the budget covers a part of it: that is sent, under the model's own name."""
    price, body, inside, name = OWN[model]
    if said:
        body = {**body, **({inside: {name: 100000, "topP": 1}} if inside else {name: 100000})}
    client = boto3.client("bedrock-runtime", endpoint_url=f"{bedrock_gateway.url}/bedrock",
                          aws_access_key_id=bedrock_gateway.new_key(max_budget=1000 * price),
                          aws_secret_access_key="any", region_name="us-east-1",
                          config=botocore.config.Config(retries={"total_max_attempts": 1}))
    for one in regions:
        one.seen.clear()
    answer = client.invoke_model(modelId=f"two/{model}", body=json.dumps(body))
    (seen,) = regions[0].seen + regions[1].seen
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200 and seen["denied"] is None
    bound = int(answer["ResponseMetadata"]["HTTPHeaders"]["x-kanmon-max-tokens"])
    sent = seen["body"][inside] if inside else seen["body"]
    assert sent[name] == bound < 100000, seen
    assert {**seen["body"], name: 0, inside: 0} == {**body, name: 0, inside: 0}
