# SPDX-License-Identifier: Apache-2.0
"""A failed call is tried again within its model group: at another deployment at once, at the same
one after a wait.  Counted by the upstream, which fails on schedule."""

import concurrent.futures
import json
import time
import uuid

import openai
import pytest

from gateway import MASTER, Gateway, wait_until
from test_faults import Scripted, response

TAKES_S = 20
OK = json.dumps({"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [
    {"index": 0, "message": {"role": "assistant", "content": "well"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}}).encode()
CONFIG = """
model_list:
  - model_name: any/*
    litellm_params: {{model: openai/*, api_base: "{url}/v1", api_key: sk-u,
                      input_cost_per_token: 0.000001, output_cost_per_token: 0.000002}}
  - model_name: strict/*
    litellm_params: {{model: openai/*, api_base: "{url}/v1", api_key: sk-u, num_retries: 0}}
  - model_name: two
    litellm_params: {{model: openai/err-503-two, api_base: "{url}/v1", api_key: sk-u}}
  - model_name: two
    litellm_params: {{model: openai/err-503-two, api_base: "{url}/v1", api_key: sk-u}}
router_settings: {{{router}}}
litellm_settings: {{request_timeout: 30}}
general_settings: {{master_key: {master}}}
kanmon_settings: {{state_dir: "{state}", workers: 1}}
"""


@pytest.fixture
def route(tmp_path, upstream):
    """route("num_retries: 3"): an OpenAI client of a gateway with these router_settings."""
    made = []

    def make(router="", url=None):
        folder = tmp_path / str(len(made))
        folder.mkdir()
        gateway = Gateway(folder, CONFIG.format(url=url or upstream.url, router=router,
                                                master=MASTER, state=folder / "state"))
        made.append(gateway.start())
        client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=MASTER, max_retries=0)
        client.gateway = gateway
        return client

    yield make
    for gateway in made:
        gateway.stop()


def ask(client, model, **more):
    return client.chat.completions.with_raw_response.create(
        model=model, messages=[{"role": "user", "content": "hi"}], **more)


def flaky(times, status=503, of="any"):
    """A model that fails so often, of this test alone."""
    return f"{of}/flaky-{times}-{status}-{uuid.uuid4().hex[:8]}"


def sent(upstream, model):
    return [r for r in upstream.records if r.model == model.split("/", 1)[1]]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 529])
def test_the_only_deployment_is_tried_again_after_a_failure_that_passes(route, upstream, status):
    client, model = route("num_retries: 3"), flaky(2, status)
    answer = ask(client, model)
    assert answer.parse().choices[0].message.content
    assert answer.headers["x-litellm-attempted-retries"] == "2"
    assert [r.status for r in sent(upstream, model)] == [status, status, 200]


def test_two_further_attempts_where_nothing_is_said(route, upstream):
    client, model = route(), flaky(9)
    with pytest.raises(openai.InternalServerError):
        ask(client, model)
    assert len(sent(upstream, model)) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_what_does_not_pass_is_asked_once(route, upstream, status):
    client, model = route("num_retries: 3"), flaky(1, status)
    with pytest.raises(openai.APIStatusError):
        ask(client, model)
    assert len(sent(upstream, model)) == 1


def test_a_connection_that_breaks_is_tried_again(route):
    def serve(link, _head):
        if upstream.served > 1:
            link.sendall(response(200, OK))

    with Scripted(serve) as upstream:
        assert ask(route("num_retries: 1", upstream.url), "any/x").parse().id == "x"
        assert upstream.served == 2


def test_the_callers_word_counts_most(route, upstream):
    client = route("num_retries: 0")
    model = flaky(2)
    assert ask(client, model, extra_body={"num_retries": 2}).parse().id
    assert len(sent(upstream, model)) == 3
    model = flaky(2)
    with pytest.raises(openai.InternalServerError):
        ask(client, model, extra_headers={"x-litellm-num-retries": "1"})
    assert len(sent(upstream, model)) == 2


def test_a_deployments_word_counts_before_the_routers(route, upstream):
    client, model = route("num_retries: 3"), flaky(1, of="strict")
    with pytest.raises(openai.InternalServerError):
        ask(client, model)
    assert len(sent(upstream, model)) == 1


def test_a_file_is_not_made_twice(route):
    """Its answer may have been lost, and it not: that is for its caller to find out."""
    def serve(link, _head):
        link.sendall(response(503, b"{}"))

    with Scripted(serve) as upstream:
        client = route("num_retries: 3", upstream.url)
        with pytest.raises(openai.InternalServerError):
            client.files.create(file=("a.jsonl", b"{}"), purpose="batch",
                                extra_body={"model": "any/m"})
        assert upstream.served == 1


def test_each_deployment_once_and_then_again(route, upstream):
    client = route("num_retries: 3")
    before = len(upstream.records)
    with pytest.raises(openai.InternalServerError):
        ask(client, "two")
    assert len(upstream.records) - before == 4


def test_streams_are_tried_again_until_they_begin(route, upstream):
    client, model = route("num_retries: 2"), flaky(2)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "hi"}], stream=True) if chunk.choices)
    assert text == "Hello from the mock"
    assert len(sent(upstream, model)) == 3


def asked_to_wait(seconds):
    """Fails once and says when to come back; when each request came is in .came."""
    came = []

    def serve(link, _head):
        came.append(time.monotonic())
        fields = [f"retry-after: {seconds}"] if len(came) == 1 else []
        link.sendall(response(429 if len(came) == 1 else 200, OK, *fields))

    upstream = Scripted(serve)
    upstream.came = came
    return upstream


def test_retry_after_is_waited_for(route):
    with asked_to_wait(1) as upstream:
        assert ask(route("num_retries: 1", upstream.url), "any/x").parse().id == "x"
        assert upstream.came[1] - upstream.came[0] >= 1


def test_a_long_retry_after_is_told_and_not_waited_for(route):
    with asked_to_wait(600) as upstream:
        with pytest.raises(openai.RateLimitError) as told:
            ask(route("num_retries: 1", upstream.url), "any/x")
        assert told.value.response.headers["retry-after"] == "600"
        assert len(upstream.came) == 1


@pytest.mark.parametrize("said", ["9" * 12, "9" * 30, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_no_wait_is_so_long_that_it_counts_for_nothing(route, said):
    with asked_to_wait(said) as upstream:
        with pytest.raises(openai.RateLimitError) as told:
            ask(route("num_retries: 1", upstream.url), "any/x")
        assert told.value.response.headers["retry-after"] == "3600"
        assert len(upstream.came) == 1


@pytest.mark.parametrize("said", ["-5", "soon", "1, 2", "0x10", "nan", "",
                                  "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_what_is_no_wait_is_none(route, said):
    with asked_to_wait(said) as upstream:
        assert ask(route("num_retries: 1", upstream.url), "any/x").parse().id == "x"
        assert len(upstream.came) == 2


def test_the_wait_that_is_configured_is_the_shortest(route):
    with asked_to_wait(0) as upstream:
        assert ask(route("num_retries: 1, retry_after: 1", upstream.url), "any/x").parse().id == "x"
        assert upstream.came[1] - upstream.came[0] >= 1


def test_a_policy_counts_by_kind_of_failure(route, upstream):
    client = route("num_retries: 1, retry_policy: {RateLimitErrorRetries: 3, "
                   "InternalServerErrorRetries: 0, BadRequestErrorRetries: 2}")
    for status, times in ((429, 4), (500, 1), (503, 2), (400, 3)):
        model = flaky(9, status)
        with pytest.raises(openai.APIStatusError):
            ask(client, model)
        assert len(sent(upstream, model)) == times, status


def test_a_client_that_leaves_during_the_wait_is_gone(route, upstream):
    client, model = route("num_retries: 1, retry_after: 20"), flaky(9)
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.5).chat.completions.create(
            model=model, messages=[{"role": "user", "content": "hi"}])
    wait_until(lambda: len(client.gateway.spend_logs()) == 1, what="the row of the call")
    assert len(sent(upstream, model)) == 1


def test_the_retry_budget_bounds_an_outage(route, upstream):
    """Forty calls at once that all fail: ten may be repeated, for a fifth of forty is less."""
    client, model = route("num_retries: 1"), f"any/err-503-{uuid.uuid4().hex[:8]}"

    def fail(_):
        with pytest.raises(openai.InternalServerError):
            ask(client, model)

    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        list(pool.map(fail, range(40)))
    repeated = len(sent(upstream, model)) - 40
    metrics = client.gateway.call("GET", "/metrics").body.decode()
    denied = sum(float(line.split()[-1]) for line in metrics.splitlines()
                 if line.startswith("kanmon_retries_denied_total{"))
    assert repeated + denied == 40 and denied >= 1


@pytest.mark.parametrize("path, event", [
    ("chat/completions", {"error": {"message": "no capacity", "code": 529}}),
    ("responses", {"error": {"message": "no capacity", "code": 529}}),
    ("responses", {"type": "error", "code": "server_error", "message": "no capacity"}),
])
def test_a_stream_that_begins_with_an_error_is_tried_again(route, path, event):
    """The head was a 200; the client has seen nothing of it."""
    asked = []

    def serve(link, head):
        asked.append(head)
        said = (f"data: {json.dumps(event)}\n\n" if len(asked) < 3 else
                'data: {"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":'
                '[{"index":0,"delta":{"content":"well"},"finish_reason":"stop"}]}\n\n'
                'data: {"type":"response.completed","response":{"id":"r","object":"response","model":"m"}}'
                "\n\ndata: [DONE]\n\n").encode()
        link.sendall(response(200, said).replace(b"application/json", b"text/event-stream"))

    with Scripted(serve) as upstream:
        client = route("num_retries: 2, retry_after: 0", url=upstream.url)
        answer = client.gateway.call("POST", f"/v1/{path}", {
            "model": "any/m", "stream": True, "input": "hi",
            "messages": [{"role": "user", "content": "hi"}]})
    assert answer.status == 200 and b"well" in answer.body and b"capacity" not in answer.body, answer
    assert len(asked) == 3


def test_a_stream_that_is_nothing_but_an_error_is_an_error(route):
    with Scripted(lambda link, head: link.sendall(response(
            200, b'data: {"error": {"message": "no capacity", "code": 529}}\n\n').replace(
                b"application/json", b"text/event-stream"))) as upstream:
        client = route("num_retries: 0", url=upstream.url)
        with pytest.raises(openai.APIStatusError, match="no capacity") as caught:
            ask(client, "any/m", stream=True)
    assert caught.value.status_code == 529


@pytest.mark.parametrize("status", [408, 504])
def test_a_time_that_is_over_at_the_upstream_is_one_in_every_protocol(route, upstream, status):
    client, model = route("num_retries: 0"), f"any/err-{status}-x"
    messages = [{"role": "user", "content": "hi"}]

    def said(path, body):
        answer = client.gateway.call("POST", path, body)
        assert answer.status == status, answer
        return answer.json()["error"]

    for stream in (False, True):
        for path, body in (("/v1/chat/completions", {"messages": messages}),
                           ("/v1/completions", {"prompt": "hi"}),
                           ("/v1/responses", {"input": "hi"})):
            assert said(path, {"model": model, "stream": stream, **body})["type"] == "timeout_error"
        assert said("/v1/messages", {"model": model, "stream": stream, "max_tokens": 5,
                                     "messages": messages})["type"] == "timeout_error"
    assert said("/v1/embeddings", {"model": model, "input": "hi"})["type"] == "timeout_error"
    assert said("/v1/images/generations", {"model": model, "prompt": "hi"})["type"] == "timeout_error"
    assert said(f"/v1beta/models/{model.replace('/', '%2F')}:generateContent", {
        "contents": [{"parts": [{"text": "hi"}]}]})["status"] == "DEADLINE_EXCEEDED"


def test_a_time_that_is_over_within_a_stream_is_one_too(route):
    event = {"error": {"message": "gateway timeout", "type": "server_error", "code": 504}}
    with Scripted(lambda link, head: link.sendall(response(
            200, f"data: {json.dumps(event)}\n\n".encode()).replace(
                b"application/json", b"text/event-stream"))) as upstream:
        client = route("num_retries: 0", url=upstream.url)
        with pytest.raises(openai.APIStatusError) as caught:
            ask(client, "any/m", stream=True)
    assert (caught.value.status_code, caught.value.type) == (504, "timeout_error")
