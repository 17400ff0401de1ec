# SPDX-License-Identifier: Apache-2.0
"""Chat, text completions, embeddings and models, without streams."""

import json
import re

import pytest

from gateway import wait_until

PATHS = ["/v1/chat/completions", "/chat/completions",
         "/openai/deployments/chat/chat/completions",
         "/openai/deployments/chat/chat/completions?api-version=2024-02-01"]


@pytest.mark.parametrize("path", PATHS)
def test_every_chat_path_answers(gateway, upstream, path):
    answer = gateway.call("POST", path, {"model": "chat", "messages": [
        {"role": "user", "content": "hi"}]})
    assert answer.status == 200, answer
    assert answer.json()["model"] == "chat"
    assert answer.json()["choices"][0]["message"]["content"] == "Hello from the mock"
    seen = upstream.seen()
    assert [r.target for r in seen] == ["/v1/chat/completions"]
    assert seen[0].header("authorization") == "Bearer sk-upstream"
    assert seen[0].model == "ok"


def test_the_model_may_stand_in_the_azure_path_only(gateway, upstream):
    answer = gateway.call("POST", PATHS[2], {"messages": [{"role": "user", "content": "hi"}]})
    assert answer.status == 200, answer
    assert upstream.seen()[0].model == "ok"


@pytest.mark.parametrize("asked, reached", [
    ("chat", "ok"), ("nickname", "ok"), ("chat-1", "ok"), ("any/ok-x", "ok-x"),
    ("special/foo", "ok-general"), ("special/exact-foo", "ok-specific")])
def test_names_aliases_ids_and_wildcards_lead_to_the_right_model(gateway, upstream, asked, reached):
    answer = gateway.chat(asked)
    assert answer.status == 200, answer
    assert upstream.seen()[0].model == reached
    assert answer.json()["model"] == asked


def test_a_group_retries_on_its_other_deployment(gateway, upstream):
    calls = 0
    while "err-500-pair" not in (reached := [r.model for r in upstream.seen()]):
        assert calls < 100, "a hundred draws never took one of two"
        answer = gateway.chat("pair")
        assert answer.status == 200, answer
        calls += 1
    assert reached.count("ok-pair") == calls


def test_an_unknown_model_is_refused_without_asking_the_upstream(gateway, upstream):
    answer = gateway.chat("nothing")
    assert answer.status == 400, answer
    assert "nothing" in answer.json()["error"]["message"]
    assert answer.json()["error"]["code"] == "400"
    assert not upstream.seen()


@pytest.mark.parametrize("body, param", [
    ({"model": "chat"}, "messages"),
    (b'{"model": "chat", "messages": [', None),
    (b"", None), (b"[]", None), (b'"x"', None), (b"nul", None),
    (b'{"model": 5, "messages": []}', None),
    (b'{"model": "chat", "model": "any/ok", "messages": []}', None),
    (b'{"model": "chat", "mo\\u0064el": "any/ok", "messages": []}', None),
    (b"\xff\xfe{}", None), (b'{"model": "chat", "messages": []} x', None),
    (b'{"model": "ch\x01at", "messages": []}', None)])
def test_a_malformed_body_is_400_in_openais_shape(gateway, upstream, body, param):
    answer = gateway.call("POST", PATHS[0], body)
    assert answer.status == 400, answer
    error = answer.json()["error"]
    assert isinstance(error["message"], str) and error["message"]
    assert error["code"] == "400" and "type" in error and "param" in error
    if param:
        assert error["param"] == param
    assert not upstream.seen()


def test_a_body_too_deep_is_refused(gateway, upstream):
    body = b'{"model":"chat","messages":[],"x":' + b"[" * 100 + b"]" * 100 + b"}"
    assert gateway.call("POST", PATHS[0], body).status == 400
    assert not upstream.seen()


def test_embeddings_pass_through(gateway, upstream):
    answer = gateway.call("POST", "/v1/embeddings", {"model": "embed", "input": ["a", "b"]})
    assert answer.status == 200, answer
    assert [d["embedding"] for d in answer.json()["data"]] == [[0.5, -0.25, 0.125]] * 2
    assert answer.json()["model"] == "embed"
    assert upstream.seen()[0].target == "/v1/embeddings"
    assert upstream.seen()[0].model == "ok-embed"


def test_text_completions_pass_through(gateway, upstream):
    answer = gateway.call("POST", "/v1/completions", {"model": "text", "prompt": "hi"})
    assert answer.status == 200, answer
    assert answer.json()["choices"][0]["text"] == "Hello from the mock"
    assert answer.json()["model"] == "text"
    assert upstream.seen()[0].target == "/v1/completions"


def test_models_lists_what_is_configured(gateway):
    answer = gateway.call("GET", "/v1/models")
    assert answer.status == 200
    ids = [m["id"] for m in answer.json()["data"]]
    assert {"chat", "embed", "text", "pair", "mock"} <= set(ids)
    assert ids.count("pair") == 1
    one = gateway.call("GET", "/v1/models/chat").json()
    assert one["id"] == "chat" and one["object"] == "model"
    assert gateway.call("GET", "/v1/models/none").status == 404


def test_answers_carry_litellms_headers(gateway):
    answer = gateway.chat("chat")
    for name in ("x-litellm-call-id", "x-litellm-model-id", "x-litellm-model-group",
                 "x-litellm-version", "x-litellm-response-cost", "x-request-id"):
        assert answer.header(name), name
    assert answer.header("x-litellm-model-id") == "chat-1"
    assert float(answer.header("x-litellm-response-cost")) == pytest.approx(2e-5)


@pytest.mark.parametrize("status, kind", [
    (400, "invalid_request_error"), (404, "invalid_request_error"),
    (408, None), (422, None), (429, "throttling_error"), (500, "internal_server_error"),
    (502, "internal_server_error"), (503, "internal_server_error")])
def test_an_upstream_error_keeps_its_status_and_names_itself(gateway, upstream, status, kind):
    answer = gateway.chat(f"any/err-{status}")
    assert answer.status == status, answer
    error = answer.json()["error"]
    assert error["code"] == ("rate_limit_exceeded" if status == 429 else str(status))
    assert f"refuses err-{status}" in error["message"]
    if kind:
        assert error["type"] == kind


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", [401, 403])
def test_who_is_refused_as_the_gateway_is_not_told_that_its_own_key_is_wrong(
        gateway, status, stream):
    answer = gateway.chat(f"any/err-{status}", stream=stream)
    assert answer.status == 502, answer
    assert answer.json()["error"]["code"] == "upstream_auth_error"
    assert answer.header("x-should-retry") == "false"


def test_retry_after_of_the_upstream_reaches_the_client(gateway):
    answer = gateway.chat("any/err-429-retry")
    assert answer.status == 429 and answer.header("retry-after") == "7"


@pytest.mark.parametrize("model", ["any/reset", "any/close", "any/cut-json"])
def test_an_upstream_that_breaks_is_an_error_not_a_hang(gateway, model):
    answer = gateway.chat(model)
    assert answer.status in (500, 502, 503), answer
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize("model", ["any/err-html", "any/err-text", "any/err-empty"])
def test_an_upstream_error_that_is_not_json_becomes_one(gateway, model):
    answer = gateway.chat(model)
    assert answer.status in (500, 502)
    assert answer.json()["error"]["code"] == str(answer.status)


def test_a_timeout_in_the_request_is_408(gateway):
    answer = gateway.call("POST", PATHS[0], {
        "model": "any/hang", "timeout": 0.3, "messages": [{"role": "user", "content": "hi"}]})
    assert answer.status == 408, answer


def test_a_timeout_in_the_head_is_408(gateway):
    answer = gateway.chat("any/hang", headers={"x-litellm-timeout": "0.3"})
    assert answer.status == 408, answer


def test_mock_response_answers_without_an_upstream(gateway, upstream):
    answer = gateway.chat("mock")
    assert answer.status == 200, answer
    body = answer.json()
    assert body["choices"][0]["message"]["content"] == "The mock says hello."
    assert body["choices"][0]["finish_reason"] == "stop"
    assert body["usage"]["total_tokens"] > 0
    assert not upstream.seen()


@pytest.mark.parametrize("model, status", [
    ("mock-rate", 429), ("mock-context", 400), ("mock-server", 500)])
def test_mock_response_plays_litellms_errors(gateway, model, status):
    answer = gateway.chat(model)
    assert answer.status == status, answer
    assert "litellm." in answer.json()["error"]["message"]


def test_mock_response_streams(gateway):
    answer = gateway.chat("mock", stream=True)
    events = answer.events()
    assert events[-1] == "[DONE]"
    text = "".join(c["delta"].get("content") or "" for e in events[:-1]
                   for c in json.loads(e)["choices"])
    assert text == "The mock says hello."


def test_a_large_answer_arrives_whole(gateway):
    answer = gateway.chat("any/big-3000000")
    assert len(answer.json()["choices"][0]["message"]["content"]) == 3000000


def test_a_large_request_arrives_whole(gateway, upstream):
    content = "y" * 3000000
    answer = gateway.chat("any/ok-large", messages=[{"role": "user", "content": content}])
    assert answer.status == 200, answer
    assert upstream.seen()[0].json()["messages"][0]["content"] == content


@pytest.mark.parametrize("path, body", [
    ("/health/liveliness", "I'm alive!"), ("/health/liveness", "I'm alive!")])
def test_liveliness_says_it_is_alive_without_a_key(gateway, path, body):
    answer = gateway.call("GET", path, key=None)
    assert answer.status == 200 and answer.json() == body


def test_readiness_needs_no_key(gateway):
    answer = gateway.call("GET", "/health/readiness", key=None)
    assert answer.status == 200 and answer.json()["status"] in ("healthy", "connected")


@pytest.mark.parametrize("header", [
    {"authorization": "Bearer sk-e2e-master"}, {"authorization": "bearer sk-e2e-master"},
    {"api-key": "sk-e2e-master"}, {"x-api-key": "sk-e2e-master"},
    {"x-litellm-api-key": "sk-e2e-master"}, {"x-litellm-api-key": "Bearer sk-e2e-master"},
    {"x-goog-api-key": "sk-e2e-master"}, {"ocp-apim-subscription-key": "sk-e2e-master"}])
def test_every_key_header_of_litellm_works(gateway, header):
    assert gateway.chat("chat", key=None, headers=header).status == 200


@pytest.mark.parametrize("key", [None, "sk-wrong-0123456789abcdef", "x", "sk-e2e-maste",
                                 "sk-e2e-masterr"])
def test_a_wrong_key_is_401(gateway, upstream, key):
    answer = gateway.chat("chat", key=key)
    assert answer.status == 401, answer
    assert answer.json()["error"]["code"] == "401"
    assert "sk-wrong-0123456789abcdef" not in answer.body.decode()
    assert not upstream.seen()


def test_metrics_count_requests(gateway):
    gateway.chat("chat")
    answer = gateway.call("GET", "/metrics")
    assert answer.status == 200
    assert b"litellm_proxy_total_requests_metric" in answer.body


def test_metrics_show_the_connections_that_are_kept_to_upstreams(gateway):
    gateway.chat("chat")
    wait_until(lambda: re.search(rb'kanmon_upstream_connections\{state="idle"\} [1-9]',
                                 gateway.call("GET", "/metrics").body),
               what="an idle connection in /metrics")
