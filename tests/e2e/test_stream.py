# SPDX-License-Identifier: Apache-2.0
"""Streams: what is cut, what is kept, and how they end."""

import http.client
import json
import socket
import threading

import pytest

from gateway import MASTER, slow_factor, wait_until


def parsed(answer):
    return [json.loads(e) for e in answer.events() if e != "[DONE]"]


def text(chunks):
    return "".join(c["delta"].get("content") or "" for chunk in chunks for c in chunk["choices"])


@pytest.mark.parametrize("model", [
    "any/ok", "any/stream-byte", "any/stream-crlf", "any/stream-comments",
    "any/stream-usage-always", "any/stream-usage-last", "any/stream-slow-100",
    "refuses/stream-refuses-400", "refuses/stream-refuses-422"])
def test_a_stream_arrives_whole_without_usage_when_none_was_asked(gateway, upstream, model):
    answer = gateway.chat(model, stream=True)
    assert answer.status == 200, answer
    assert answer.header("content-type").startswith("text/event-stream")
    assert answer.events()[-1] == "[DONE]"
    chunks = parsed(answer)
    assert text(chunks) == "Hello from the mock"
    assert all("usage" not in c for c in chunks), chunks
    assert all(c["choices"] for c in chunks), "a chunk with empty choices was let through"
    assert {c["model"] for c in chunks} == {model}
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize("model", ["any/ok", "any/stream-byte", "any/stream-usage-last"])
def test_usage_that_was_asked_for_arrives_once(gateway, model):
    answer = gateway.chat(model, stream=True, stream_options={"include_usage": True})
    given = [c["usage"] for c in parsed(answer) if c.get("usage")]
    assert given == [{"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}]
    assert answer.events()[-1] == "[DONE]"


def test_a_refusal_of_stream_options_is_remembered(gateway, upstream):
    for _ in range(3):
        assert gateway.chat("refuses/stream-refuses-400-again", stream=True).status == 200
    offered = ["stream_options" in r.json() for r in upstream.seen()]
    assert offered.count(False) == 3
    assert offered.count(True) <= 2, f"asked again and again: {offered}"


def test_a_refusal_is_the_clients_own_when_it_sent_stream_options(gateway):
    answer = gateway.chat("refuses/stream-refuses-400-mine", stream=True,
                          stream_options={"include_usage": True})
    assert answer.status == 400, answer


def test_a_stream_without_done_ends_whole(gateway):
    answer = gateway.chat("any/stream-nodone", stream=True)
    assert answer.status == 200
    assert text(parsed(answer)) == "Hello from the mock"


def test_an_error_before_the_first_event_has_its_status(gateway):
    answer = gateway.chat("any/err-429-retry", stream=True, num_retries=0)
    assert answer.status == 429, answer
    assert answer.header("content-type").startswith("application/json")
    assert answer.header("retry-after") == "7"


def test_an_error_event_in_mid_stream_reaches_the_client(gateway):
    body = gateway.chat("any/stream-error", stream=True).body
    assert b"The mock broke in mid-stream." in body
    assert b"[DONE]" not in body


@pytest.mark.parametrize("model", ["any/stream-cut", "any/stream-reset"])
def test_an_upstream_that_dies_gives_an_error_event_as_the_last(gateway, model):
    """The body ends well, or clients would tell of a torn connection and not what the event says."""
    got = gateway.chat(model, stream=True).body
    assert b"[DONE]" not in got
    last = [line for line in got.split(b"\n") if line.startswith(b"data:")][-1]
    assert "error" in json.loads(last[5:]), got[-400:]


def test_events_arrive_as_they_come(gateway, upstream):
    """The client holds a first event while the upstream has not finished."""
    link = open_stream(gateway.port, "any/stream-forever-early")
    answer = link.getresponse()
    first = answer.readline()
    assert first.startswith(b"data:"), first
    assert upstream.seen()[0].ended is None
    abandon(link)
    upstream.wait_for(lambda rs: all(r.ended for r in rs), what="the upstream's end")


def open_stream(port, model, key=MASTER):
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=20 * slow_factor())
    link.request("POST", "/v1/chat/completions", json.dumps({
        "model": model, "stream": True, "messages": [{"role": "user", "content": "hi"}]}),
        {"authorization": f"Bearer {key}", "content-type": "application/json"})
    return link


def abandon(link):
    link.sock.shutdown(socket.SHUT_RDWR)
    link.close()


def test_a_client_that_leaves_a_stream_ends_the_upstream_call_at_once(gateway, upstream):
    link = open_stream(gateway.port, "any/stream-forever-left")
    link.getresponse().readline()
    before = upstream.seen()[0].events
    abandon(link)
    upstream.wait_for(lambda rs: rs and rs[0].ended, what="the upstream connection to close")
    assert upstream.seen()[0].outcome == "gone"
    assert upstream.seen()[0].events - before < 100  # which take it a second


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_before_the_first_byte_ends_the_upstream_call(
        gateway, upstream, stream):
    link = http.client.HTTPConnection("127.0.0.1", gateway.port)
    link.request("POST", "/v1/chat/completions", json.dumps({
        "model": "any/hang", "stream": stream, "messages": [{"role": "user", "content": "hi"}]}),
        {"authorization": f"Bearer {MASTER}", "content-type": "application/json"})
    upstream.wait_for(lambda rs: rs, 5, "the call")
    abandon(link)
    upstream.wait_for(lambda rs: rs[0].ended, 5, "the upstream connection to close")
    assert upstream.seen()[0].outcome == "gone"


def test_an_abandoned_stream_is_charged(gateway, upstream):
    key = gateway.new_key(models=[])
    link = open_stream(gateway.port, "any/stream-forever-charged", key)
    answer = link.getresponse()
    for _ in range(40):
        answer.readline()
    abandon(link)
    upstream.wait_for(lambda rs: rs[0].ended, 5, "the upstream connection to close")
    spend = wait_until(lambda: gateway.key_info(key)["spend"], 5, "the abandoned call's spend")
    assert 0 < spend < 0.01


def test_a_slow_client_pauses_its_upstream_and_not_the_worker(gateway, upstream):
    """A client that does not read holds a bounded amount, and others are served meanwhile."""
    link = socket.socket()
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    link.connect(("127.0.0.1", gateway.port))
    body = json.dumps({"model": "any/stream-wide-4000", "stream": True,
                       "messages": [{"role": "user", "content": "hi"}]}).encode()
    link.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
                 + MASTER.encode() + b"\r\nContent-Type: application/json\r\nContent-Length: "
                 + str(len(body)).encode() + b"\r\n\r\n" + body)
    upstream.wait_for(lambda rs: rs and rs[0].events > 20, what="the stream to begin")

    def stalled():
        before = upstream.seen()[0].events
        for _ in range(5):
            assert gateway.chat("chat").status == 200
        return upstream.seen()[0].events == before
    wait_until(stalled, 20, "back-pressure to reach the upstream")
    record = upstream.seen()[0]
    assert record.ended is None, (record.outcome, record.events)
    assert record.events < 3000, "64 MB did not fill what lies between"
    link.close()
    upstream.wait_for(lambda rs: rs[0].ended, 10, "the upstream's end")


def test_two_hundred_streams_at_once_each_get_their_own_events(gateway, upstream):
    wrong = []

    def one(i):
        try:
            answer = gateway.chat(f"any/stream-many-20-{i}", stream=True, timeout=60)
            chunks = parsed(answer)
            if {c["model"] for c in chunks} != {f"any/stream-many-20-{i}"} or (
                    text(chunks) != "w " * 20) or answer.events()[-1] != "[DONE]":
                wrong.append(i)
        except (OSError, http.client.HTTPException, AssertionError, ValueError) as error:
            wrong.append((i, repr(error)))
    threads = [threading.Thread(target=one, args=(i,)) for i in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[:5]
