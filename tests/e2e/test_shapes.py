# SPDX-License-Identifier: Apache-2.0
"""Endpoints in other vendors' shapes: Google's embeddings, lists and facts of models, counters of
tokens, a conversation made shorter; and what Google's clients send to models of others."""

import pytest


def test_google_embeds_with_a_model_of_openais(gateway, upstream):
    """And is told what those have no word for."""
    body = {"content": {"parts": [{"text": "a"}, {"text": "b"}]}, "taskType": "RETRIEVAL_QUERY",
            "outputDimensionality": 3, "title": "t"}
    answer = gateway.call("POST", "/v1beta/models/embed:embedContent", body)
    assert answer.status == 200, answer
    assert all(isinstance(n, float) for n in answer.json()["embedding"]["values"])
    sent = upstream.seen()[-1].json()
    assert sent["input"] == ["ab"] and sent["dimensions"] == 3 and "task_type" not in sent
    assert answer.header("x-kanmon-dropped") == "title, taskType"


def test_google_embeds_many(gateway, upstream):
    body = {"requests": [{"model": "models/embed", "content": {"parts": [{"text": t}]}}
                         for t in ("a", "b")]}
    answer = gateway.call("POST", "/v1beta/models/embed:batchEmbedContents", body)
    assert answer.status == 200, answer
    assert len(answer.json()["embeddings"]) == 2 and answer.header("x-kanmon-dropped") is None
    assert upstream.seen()[-1].json()["input"] == ["a", "b"]


@pytest.mark.parametrize("body, where", [
    ({}, "content.parts"), ({"content": {"parts": [{"inlineData": {}}]}}, "content.parts[0].text"),
    ({"content": {"parts": [{"text": "a"}]}, "outputDimensionality": 0}, "outputDimensionality")])
def test_what_cannot_be_embedded_is_named(gateway, body, where):
    answer = gateway.call("POST", "/v1beta/models/embed:embedContent", body)
    assert answer.status == 400 and where in answer.json()["error"]["message"], answer
    assert answer.json()["error"]["status"] == "INVALID_ARGUMENT"


def test_requests_that_differ_are_refused(gateway):
    one = {"content": {"parts": [{"text": "a"}]}}
    answer = gateway.call("POST", "/v1beta/models/embed:batchEmbedContents",
                       {"requests": [one, {**one, "outputDimensionality": 3}]})
    assert answer.status == 400 and "requests[1]" in answer.json()["error"]["message"]


def test_anthropics_library_lists_models_in_its_own_shape(gateway):
    version = {"anthropic-version": "2023-06-01"}
    listed = gateway.call("GET", "/v1/models", headers=version).json()
    first = listed["data"][0]
    assert first["type"] == "model" and first["display_name"] == first["id"] and first["created_at"]
    assert listed["has_more"] is False and listed["first_id"] == first["id"]
    assert listed["last_id"] == listed["data"][-1]["id"]
    one = gateway.call("GET", "/v1/models/chat", headers=version).json()
    assert one["type"] == "model" and one["id"] == "chat"
    assert gateway.call("GET", "/v1/models").json()["object"] == "list"


def test_facts_of_models_are_told_without_credentials(gateway):
    for path in ("/model/info", "/v1/model/info"):
        answer = gateway.call("GET", path)
        rows = {r["model_name"]: r for r in answer.json()["data"]}
        assert rows["chat"]["litellm_params"] == {"model": "openai/ok"}
        assert rows["chat"]["model_info"]["id"] == "chat-1"
        assert rows["chat"]["model_info"]["input_cost_per_token"] == pytest.approx(1e-6)
        assert rows["chat"]["model_info"]["mode"] == "chat"
        assert "sk-" not in answer.body.decode()
    groups = {r["model_group"]: r for r in gateway.call("GET", "/model_group/info").json()["data"]}
    assert groups["chat"]["providers"] == ["openai"]
    assert groups["chat"]["output_cost_per_token"] == pytest.approx(2e-6)


def test_a_key_learns_of_the_models_it_may_use(gateway):
    key = gateway.new_key(models=["embed"])
    for path, name in (("/model/info", "model_name"), ("/model_group/info", "model_group")):
        assert {r[name] for r in gateway.call("GET", path, key=key).json()["data"]} == {"embed"}


@pytest.mark.parametrize("body", [
    {"messages": [{"role": "user", "content": "hello there, how are you?"}]},
    {"prompt": "hello there, how are you?"},
    {"contents": [{"parts": [{"text": "hello there, how are you?"}]}]}])
def test_tokens_are_counted(gateway, upstream, body):
    asked = len(upstream.seen())
    answer = gateway.call("POST", "/utils/token_counter", {"model": "chat", **body}).json()
    assert 4 <= answer["total_tokens"] <= 20 and answer["model_used"] == "chat"
    assert len(upstream.seen()) == asked
    assert gateway.call("POST", "/utils/token_counter", {"model": "chat"}).status == 400


def test_input_tokens_of_responses_are_counted(gateway):
    answer = gateway.call("POST", "/v1/responses/input_tokens", {
        "model": "chat", "input": "hello there, how are you?", "instructions": "Be brief."}).json()
    assert answer["object"] == "response.input_tokens" and 4 <= answer["input_tokens"] <= 30


def test_a_conversation_is_made_shorter_where_openai_does_it(gateway, upstream):
    body = {"model": "chat", "input": [{"role": "user", "content": "hi"}]}
    assert gateway.call("POST", "/v1/responses/compact", body).status in (200, 404)
    assert upstream.seen()[-1].path == "/v1/responses/compact"
    assert upstream.seen()[-1].json()["model"] == "ok"


def test_googles_top_k_is_left_out_where_nobody_knows_it(gateway, upstream):
    """Gemini CLI always sends it."""
    body = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}],
            "generationConfig": {"temperature": 0, "topP": 1, "topK": 64}}
    answer = gateway.call("POST", "/v1beta/models/chat:generateContent", body)
    assert answer.status == 200, answer
    assert "generationConfig.topK" in answer.header("x-kanmon-dropped").split(", ")
    assert "top_k" not in upstream.seen()[-1].json()
