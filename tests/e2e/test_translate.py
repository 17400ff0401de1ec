# SPDX-License-Identifier: Apache-2.0
"""A caller and an upstream that speak different protocols: OpenAI's on one side, Anthropic's on
the other."""

import http.client
import json

import pytest

from gateway import MASTER, Gateway, request, slow_factor, wait_until
from messages_upstream import PIECES, USAGE_IN, USAGE_OUT, MessagesUpstream

TEXT = "".join(PIECES)
CONFIG = """
model_list:
  - model_name: any/*
    litellm_params: &claude
      model: anthropic/*
      api_base: "{url}"
      api_key: sk-upstream
      input_cost_per_token: 0.000001
      output_cost_per_token: 0.000002
  - model_name: own
    litellm_params: {{<<: *claude, model: anthropic/claude-opus-4-6, temperature: 0.5, max_tokens: 77}}
  - model_name: strict
    litellm_params: {{<<: *claude, model: anthropic/ok}}
  - model_name: lenient
    litellm_params: {{<<: *claude, model: anthropic/ok, drop_params: true}}
  - model_name: pair
    litellm_params: {{<<: *claude, model: anthropic/stream-refuse, order: 1}}
  - model_name: pair
    litellm_params: {{<<: *claude, model: anthropic/ok, order: 2}}
  - model_name: local
    litellm_params: {{model: ollama/llama3, api_base: "{url}"}}
  - model_name: sorter
    litellm_params: {{model: cohere/rerank-v3.5, api_base: "{url}/v2/rerank", api_key: sk-upstream,
                      input_cost_per_token: 0.000001}}
  - model_name: jina
    litellm_params: {{model: jina_ai/jina-reranker, api_base: "{url}/v1", api_key: sk-upstream}}
  - model_name: mock
    litellm_params: {{model: anthropic/none, mock_response: The mock says hello.}}
general_settings: {{master_key: {master}}}
kanmon_settings: {{state_dir: "{state}", fetch_remote_media: {fetch}}}
"""


@pytest.fixture(scope="module")
def claude():
    upstream = MessagesUpstream()
    yield upstream
    upstream.stop()


@pytest.fixture(scope="module")
def gate(claude, tmp_path_factory):
    folder = tmp_path_factory.mktemp("translate")
    config = CONFIG.format(url=claude.url, master=MASTER, state=folder / "state", fetch="true")
    with Gateway(folder, config) as gateway:
        yield gateway


def ask(gate, model, **more):
    body = {"model": model, "messages": [{"role": "system", "content": "Be brief."},
                                         {"role": "user", "content": "Say hello."}], **more}
    return request(gate.port, "POST", "/v1/chat/completions", body)


def chunks_of(answer):
    return [json.loads(e) for e in answer.events() if e != "[DONE]"]


def text_of(chunks):
    return "".join(c["delta"].get("content") or "" for chunk in chunks for c in chunk["choices"])


def test_a_whole_answer_comes_as_openais(gate, claude):
    answer = ask(gate, "any/ok", max_tokens=50)
    assert answer.status == 200, answer
    got = answer.json()
    assert got["object"] == "chat.completion"
    assert got["model"] == "any/ok"
    assert got["choices"][0]["message"]["content"] == TEXT
    assert got["choices"][0]["finish_reason"] == "stop"
    assert got["usage"]["prompt_tokens"] == USAGE_IN
    assert got["usage"]["completion_tokens"] == USAGE_OUT
    assert float(answer.header("x-litellm-response-cost")) == pytest.approx(
        USAGE_IN * 0.000001 + USAGE_OUT * 0.000002)
    sent = claude.seen[-1]
    assert sent["path"] == "/v1/messages"
    assert sent["headers"]["x-api-key"] == "sk-upstream"
    assert "authorization" not in sent["headers"]
    assert sent["body"]["max_tokens"] == 50
    assert "Say hello." in json.dumps(sent["body"]["messages"])
    assert "Be brief." in json.dumps(sent["body"]["system"])


@pytest.mark.parametrize("model", ["any/ok", "any/whole"])
def test_a_stream_comes_as_openais(gate, model):
    answer = ask(gate, model, stream=True, stream_options={"include_usage": True})
    assert answer.status == 200, answer
    assert answer.header("content-type").startswith("text/event-stream")
    assert answer.events()[-1] == "[DONE]"
    chunks = chunks_of(answer)
    assert text_of(chunks) == TEXT
    assert {c["model"] for c in chunks} == {model}
    assert [c["finish_reason"] for chunk in chunks for c in chunk["choices"]][-1] == "stop"
    assert chunks[-1]["usage"]["completion_tokens"] == USAGE_OUT


@pytest.mark.parametrize("model", ["any/stream-cut", "any/stream-error"])
def test_a_stream_that_breaks_says_so_as_its_last_event(gate, model):
    link = http.client.HTTPConnection("127.0.0.1", gate.port, timeout=20 * slow_factor())
    link.request("POST", "/v1/chat/completions", json.dumps(
        {"model": model, "stream": True, "messages": [{"role": "user", "content": "x"}]}),
        {"authorization": f"Bearer {MASTER}", "content-type": "application/json"})
    answer = link.getresponse()
    assert answer.status == 200
    events = [json.loads(line[5:]) for line in answer.read().decode().splitlines()
              if line.startswith("data:")]
    assert text_of([e for e in events if "choices" in e]) == "".join(PIECES[:2])
    assert events[-1]["error"]["message"]
    link.close()


def test_an_error_before_the_first_piece_is_tried_elsewhere(gate, claude):
    before = len(claude.seen)
    answer = ask(gate, "pair", stream=True)
    assert answer.status == 200, answer
    assert text_of(chunks_of(answer)) == TEXT
    assert [s["body"]["model"] for s in claude.seen[before:]] == ["stream-refuse", "ok"]
    assert answer.header("x-litellm-attempted-retries") == "1"


def test_an_error_before_the_first_piece_has_its_status(gate):
    answer = ask(gate, "any/stream-refuse", stream=True, num_retries=0)
    assert answer.status == 529, answer
    assert "too busy" in answer.json()["error"]["message"]


@pytest.mark.parametrize("model, status, code", [
    ("any/err-400", 400, "context_length_exceeded"), ("any/err-401", 502, "upstream_auth_error"),
    ("any/err-429", 429, "rate_limit_exceeded"), ("any/err-529", 529, "529")])
def test_a_refusal_has_openais_words(gate, model, status, code):
    answer = ask(gate, model, num_retries=0)
    assert answer.status == status, answer
    assert answer.json()["error"]["code"] == code
    if status == 429:
        assert answer.header("retry-after") == "7"
        assert answer.header("x-should-retry") is None
    if status in (400, 502):
        assert answer.header("x-should-retry") == "false"


def test_a_deployments_own_parameters_are_translated_too(gate, claude):
    assert ask(gate, "own").status == 200
    assert claude.seen[-1]["body"]["temperature"] == 0.5
    assert claude.seen[-1]["body"]["max_tokens"] == 77
    assert ask(gate, "own", temperature=0.25, max_completion_tokens=5).status == 200
    assert claude.seen[-1]["body"]["temperature"] == 0.25
    assert claude.seen[-1]["body"]["max_tokens"] == 5


def test_what_an_upstream_does_not_know_is_refused_or_dropped(gate, claude):
    answer = ask(gate, "strict", logit_bias={"1": 2})
    assert answer.status == 400, answer
    error = answer.json()["error"]
    assert error["param"] == "logit_bias"
    assert "anthropic" in error["message"] and "drop_params" in error["message"]
    assert ask(gate, "lenient", logit_bias={"1": 2}).status == 200
    assert "logit_bias" not in claude.seen[-1]["body"]


def test_a_client_that_leaves_pays_for_what_was_written(gate, claude):
    claude.left.clear()
    key = request(gate.port, "POST", "/key/generate", {"max_budget": 1}).json()["key"]
    link = http.client.HTTPConnection("127.0.0.1", gate.port, timeout=20 * slow_factor())
    link.request("POST", "/v1/chat/completions", json.dumps(
        {"model": "any/forever", "stream": True, "max_tokens": 500,
         "messages": [{"role": "user", "content": "x"}]}),
        {"authorization": f"Bearer {key}", "content-type": "application/json"})
    answer = link.getresponse()
    assert answer.status == 200
    assert answer.read(100)
    answer.close()
    link.close()
    assert claude.left.wait(20 * slow_factor())

    def spent():
        return request(gate.port, "GET", f"/key/info?key={key}").json()["info"]["spend"] > 0

    wait_until(spent, what="the call in the books")


def see(port, url):
    return request(port, "POST", "/v1/chat/completions", {"model": "local", "messages": [
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]})


@pytest.mark.parametrize("url, why", [
    ("http://example.com/a.png", "only https"),
    ("https://127.0.0.1/a.png", "127.0.0.1"),
    ("https://169.254.169.254/latest/meta-data", "169.254.169.254"),
    ("https://[::1]/a.png", "::1"),
    ("https://localhost/a.png", "localhost")])
def test_no_caller_makes_the_gateway_reach_what_is_not_public(gate, claude, url, why):
    before = len(claude.seen)
    answer = see(gate.port, url)
    assert answer.status == 400, answer
    assert why in answer.json()["error"]["message"]
    assert answer.json()["error"]["param"] == "messages"
    assert len(claude.seen) == before


def test_images_by_address_are_fetched_only_when_the_configuration_says_so(claude, tmp_path):
    config = CONFIG.format(url=claude.url, master=MASTER, state=tmp_path / "state", fetch="false")
    with Gateway(tmp_path, config) as gateway:
        answer = see(gateway.port, "https://example.com/a.png")
        assert answer.status == 400, answer
        assert "fetch_remote_media" in answer.json()["error"]["message"]


MOCKED = "The mock says hello."


@pytest.mark.parametrize("path, body, text", [
    ("/v1/messages", {"max_tokens": 9, "messages": [{"role": "user", "content": "x"}]},
     lambda a: a["content"][0]["text"]),
    ("/v1/responses", {"input": "x"}, lambda a: a["output"][0]["content"][0]["text"]),
    ("/v1beta/models/mock:generateContent", {"contents": [{"parts": [{"text": "x"}]}]},
     lambda a: a["candidates"][0]["content"]["parts"][0]["text"])])
def test_a_mock_answers_in_every_protocol(gate, path, body, text):
    if "models" not in path:
        body = {"model": "mock", **body}
    answer = request(gate.port, "POST", path, body)
    assert answer.status == 200, answer
    assert text(answer.json()) == MOCKED


@pytest.mark.parametrize("path, body, last", [
    ("/v1/messages", {"max_tokens": 9, "messages": [{"role": "user", "content": "x"}],
                      "stream": True}, "message_stop"),
    ("/v1/responses", {"input": "x", "stream": True}, "response.completed"),
    ("/v1beta/models/mock:streamGenerateContent?alt=sse",
     {"contents": [{"parts": [{"text": "x"}]}]}, None)])
def test_a_mock_streams_in_every_protocol(gate, path, body, last):
    if "models" not in path:
        body = {"model": "mock", **body}
    answer = request(gate.port, "POST", path, body)
    assert answer.status == 200, answer
    assert answer.header("content-type").startswith("text/event-stream")
    events = [json.loads(e) for e in answer.events()]
    assert events[-1].get("type") == last
    assert "mock" in answer.body.decode()
    assert b"[DONE]" not in answer.body


@pytest.mark.parametrize("path", ["/v1beta/models/any%2Fok:generateContent?key=",
                                  "/v1beta/models/any/ok:generateContent?key="])
def test_googles_callers_may_name_their_key_in_the_query(gate, path):
    body = {"contents": [{"role": "user", "parts": [{"text": "x"}]}]}
    answer = request(gate.port, "POST", path + MASTER, body, key=None)
    assert answer.status == 200, answer
    assert answer.json()["candidates"][0]["content"]["parts"][0]["text"] == TEXT
    assert MASTER not in gate.log.read_text()
    answer = request(gate.port, "POST", path + "sk-wrong", body, key=None)
    assert answer.status == 401
    assert answer.json()["error"]["status"] == "UNAUTHENTICATED"


@pytest.mark.parametrize("path, model, at, name", [
    ("/v1/rerank", "sorter", "/v2/rerank", "rerank-v3.5"),
    ("/rerank", "jina", "/v1/rerank", "jina-reranker"),
    ("/v2/rerank", "sorter", "/v2/rerank", "rerank-v3.5")])
def test_documents_are_sorted_by_whoever_can(gate, claude, path, model, at, name):
    body = {"model": model, "query": "q", "documents": ["a", "b"], "top_n": 2}
    answer = request(gate.port, "POST", path, body)
    assert answer.status == 200, answer
    assert [r["index"] for r in answer.json()["results"]] == [1, 0]
    assert answer.json()["model"] == model
    assert claude.seen[-1]["path"] == at
    assert claude.seen[-1]["body"] == {**body, "model": name}
    assert claude.seen[-1]["headers"]["authorization"] == "Bearer sk-upstream"
    if model == "sorter":
        assert float(answer.header("x-litellm-response-cost")) == pytest.approx(12 * 0.000001)


def test_who_cannot_sort_says_so(gate):
    answer = request(gate.port, "POST", "/v1/rerank",
                     {"model": "own", "query": "q", "documents": ["a"]})
    assert answer.status == 400, answer
    assert "anthropic" in answer.json()["error"]["message"]
    answer = request(gate.port, "POST", "/v1/rerank", {"model": "sorter", "query": "q"})
    assert answer.status == 400
    assert answer.json()["error"]["param"] == "documents"


def test_errors_come_in_the_dialect_of_the_path(gate):
    answer = request(gate.port, "POST", "/v1/messages/none", {}, key=None)
    assert answer.status == 404
    assert answer.json()["type"] == "error"
    assert answer.json()["error"]["type"] == "not_found_error"
    assert answer.header("request-id") == answer.json()["request_id"]
    answer = request(gate.port, "POST", "/v1beta/none", {}, key=None)
    assert answer.status == 404
    assert answer.json()["error"]["status"] == "NOT_FOUND"
    answer = request(gate.port, "POST", "/v1/none", {}, key=None)
    assert answer.json()["error"]["type"] == "not_found_error"


@pytest.mark.parametrize("path, status, word", [
    ("/v1/chat/completions", 400, "invalid_request_error"), ("/v1/messages", 404, "not_found_error"),
    ("/v1beta/models/nobody:generateContent", 404, "NOT_FOUND")])
def test_an_unknown_model_is_what_the_api_calls_it(gate, path, status, word):
    body = {"model": "nobody", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}
    if path.startswith("/v1beta"):
        body = {"contents": [{"parts": [{"text": "hi"}]}]}
    answer = gate.call("POST", path, body)
    assert answer.status == status and word in answer.body.decode(), answer


def test_a_spent_budget_is_told_as_openai_tells_a_spent_quota(gate):
    key = request(gate.port, "POST", "/key/generate", {"max_budget": 0}).json()["key"]
    answer = request(gate.port, "POST", "/v1/chat/completions", {
        "model": "any/ok", "messages": [{"role": "user", "content": "hi"}]}, key=key)
    error = answer.json()["error"]
    assert (answer.status, error["type"], error["code"]) == (429, "budget_exceeded",
                                                             "insufficient_quota")
    assert answer.header("x-should-retry") == "false"


def test_what_a_translation_leaves_out_is_named(gate, claude):
    body = {"model": "any/ok", "messages": [{"role": "user", "name": "ann", "content": [
        {"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {
            "url": "data:image/png;base64,AAAA", "detail": "high"}}]}],
        "user": "u", "prompt_cache_key": "k"}
    answer = request(gate.port, "POST", "/v1/chat/completions", body)
    dropped = answer.header("x-kanmon-dropped").split(", ")
    assert {"prompt_cache_key", "detail", "messages.name"} <= set(dropped), dropped
    plain = ask(gate, "any/ok")
    assert plain.status == 200 and plain.header("x-kanmon-dropped") is None


def test_what_a_streams_events_had_besides_is_in_the_log(gate, claude):
    """A chat has no place for what is cited of a document."""
    answer = ask(gate, "any/rich", stream=True)
    assert answer.status == 200 and answer.header("x-kanmon-dropped") is None
    metrics = gate.call("GET", "/metrics").body.decode()
    assert 'kanmon_translation_dropped_total{model="any/*",side="answer"}' in metrics
    wait_until(lambda: "members=citations" in (gate.folder / "kanmon.log").read_text(),
               what="the line of the log")


def test_a_name_that_is_left_out_adds_no_header(gate):
    answer = ask(gate, "lenient", **{"x\r\nset-cookie: a=b": 1})
    assert answer.status == 200 and answer.header("set-cookie") is None
    assert "x??set-cookie:?a=b" in answer.header("x-kanmon-dropped")
