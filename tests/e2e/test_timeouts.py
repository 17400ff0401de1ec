# SPDX-License-Identifier: Apache-2.0
"""Each time that a call may take has its own end: connect, a stream's first event, the silence
inside it, a whole answer, the call.  The upstreams here stop at a point and wait until the gateway
hangs up."""

import contextlib
import json
import socket

import openai
import pytest

from gateway import MASTER, Gateway
from test_faults import OK, Scripted, response
from test_retries import ask

HEAD = (b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
CHUNK = b"data: " + json.dumps({"id": "c", "object": "chat.completion.chunk", "created": 1,
                                "model": "m", "choices": [{"index": 0, "delta": {
                                    "content": "well"}, "finish_reason": None}]}).encode() + b"\n\n"
END = (b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":'
       b'[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n')
CONFIG = """
model_list:
{models}
router_settings: {{{router}}}
litellm_settings: {{request_timeout: 60, num_retries: 2}}
general_settings: {{master_key: {master}}}
kanmon_settings: {{state_dir: "{state}", workers: 1, {more}}}
"""


def stops_after(*pieces):
    def serve(link, _head):
        for piece in pieces:
            link.sendall(piece)
        with contextlib.suppress(OSError):
            while link.recv(65536):  # until the gateway hangs up
                pass
    return serve


def says(*pieces):
    def serve(link, _head):
        for piece in pieces:
            link.sendall(piece)
    return serve


@pytest.fixture
def route(tmp_path):
    """route([urls], router, more): an OpenAI client; the deployments of `m` in this order."""
    stack = contextlib.ExitStack()

    def make(serves, router="", more="", params="", others=""):
        urls = [one if isinstance(one, str) else stack.enter_context(Scripted(one)).url
                for one in serves]
        models = "\n".join(
            f'  - {{model_name: m, litellm_params: {{model: openai/m, api_base: "{url}/v1", '
            f'api_key: sk-u, order: {i}{params}}}}}' for i, url in enumerate(urls)) + "\n" + others
        gateway = stack.enter_context(Gateway(tmp_path, CONFIG.format(
            models=models, router=router, more=more, master=MASTER, state=tmp_path / "state")))
        client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=MASTER, max_retries=0)
        client.gateway = gateway
        return client

    with stack:
        yield make


def text_of(stream):
    return "".join(c.choices[0].delta.content or "" for c in stream if c.choices)


def chat(client, **more):
    return client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "hi"}], **more)


def late(client, **more):
    """The code and the text of the time-out that this call ends with."""
    with pytest.raises((openai.APITimeoutError, openai.APIError)) as caught:
        answer = chat(client, **more)
        if more.get("stream"):
            text_of(answer)
    return caught.value.body["code"], caught.value.body["message"]


@contextlib.contextmanager
def full():
    """An address that takes no further connection: its queue is full, and nobody accepts."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_connection_that_does_not_come(route):
    with full() as url:
        code, text = late(route([url], "num_retries: 0", "upstream: {connect_ms: 300ms}"))
    assert code == "connect_timeout" and "no connection to 127.0.0.1" in text


def test_a_connection_that_does_not_come_is_another_deployments_turn(route):
    """Nothing was sent: also the only deployment is asked once more."""
    with full() as url:
        client = route([url, says(response(200, OK))], "", "upstream: {connect_ms: 300ms}")
        assert chat(client).choices[0].message.content == "raw"
        text = client.gateway.call("GET", "/metrics").body.decode()
        assert 'kanmon_retries_total{model="m"' in text and 'failure="connection"' in text


@pytest.mark.parametrize("pieces", [(), (HEAD,), (HEAD, b": waiting\n\n")],
                         ids=["silent", "head", "comment"])
def test_a_stream_that_does_not_begin(route, pieces):
    code, text = late(route([stops_after(*pieces)], "stream_timeout: 0.3"), stream=True)
    assert code == "first_event_timeout" and "did not begin within 300 ms" in text


@pytest.mark.parametrize("pieces", [(), (HEAD,), (HEAD, b": waiting\n\n")],
                         ids=["silent", "head", "comment"])
def test_a_stream_that_does_not_begin_is_another_deployments_turn(route, pieces):
    client = route([stops_after(*pieces), says(HEAD, CHUNK, END)], "stream_timeout: 0.3")
    assert text_of(chat(client, stream=True)) == "well"


@pytest.mark.parametrize("pieces", [
    (b": waiting\n\n",), (b"data: [DONE]\n\n",), (b": waiting\n\n", b"data: [DONE]\n\n"),
    (b": waiting\n\n", b'data: {"error": {"message": "full", "code": 503}}\n\n')],
    ids=["comment", "end", "both", "error"])
def test_a_stream_that_says_nothing_is_another_deployments_turn(route, pieces):
    """A comment is heard by no client's program: OpenRouter sends them while a request waits."""
    client = route([says(HEAD, *pieces), says(HEAD, CHUNK, END)])
    assert text_of(chat(client, stream=True)) == "well"


def test_the_callers_word_counts_for_the_first_event(route):
    client = route([stops_after(HEAD)], "stream_timeout: 50")
    code, text = late(client, stream=True, extra_body={"stream_timeout": 0.3})
    assert code == "first_event_timeout" and "300 ms" in text
    code, text = late(client, stream=True, extra_headers={"x-litellm-stream-timeout": "0.2"})
    assert code == "first_event_timeout" and "200 ms" in text


def test_silence_inside_a_stream(route):
    client = route([stops_after(HEAD, CHUNK)], "stream_timeout: 50", "stream_idle: 300ms")
    code, text = late(client, stream=True)
    assert code == "stream_idle_timeout" and "silent in its response for 300 ms" in text


def test_a_whole_answer_has_no_silence_of_its_own(route):
    """It may be thought about for longer than a stream may be silent; its own time ends it."""
    part = response(200, OK)[:-10]
    client = route([stops_after(part), says(response(200, OK))], "", "stream_idle: 1ms",
                   ", timeout: 0.4")
    assert chat(client).choices[0].message.content == "raw"


def test_a_whole_answer_that_is_not_whole_in_time(route):
    code, text = late(route([stops_after(response(200, OK)[:-10])] * 2, "num_retries: 0"),
                      extra_body={"timeout": 0.4})
    assert code == "call_timeout" and "longer than its time-out" in text


@pytest.mark.parametrize("stream", [False, True])
def test_the_first_of_two_leaves_time_for_the_second(route, stream):
    client = route([stops_after(), says(HEAD, CHUNK, END) if stream else says(response(200, OK))])
    answer = chat(client, stream=stream, extra_body={"timeout": 2})
    assert text_of(answer) == "well" if stream else answer.choices[0].message.content == "raw"


def test_the_first_of_two_groups_leaves_time_for_the_second(route):
    with Scripted(says(response(200, OK))) as other:
        client = route([stops_after()], "fallbacks: [{m: [n]}]", others=(
            f'  - {{model_name: n, litellm_params: {{model: openai/n, api_base: "{other.url}/v1",'
            " api_key: sk-u}}"))
        assert chat(client, extra_body={"timeout": 2}).model == "n"
