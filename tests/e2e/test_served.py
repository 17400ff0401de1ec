# SPDX-License-Identifier: Apache-2.0
"""A client that leaves after the last event of its stream was served: Codex closes the connection
with response.completed, and what the upstream may still do is for nobody."""

import http.client
import json
import socket
import threading

import pytest

from gateway import MASTER, Gateway, slow_factor, wait_until

USAGE = {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10,
         "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
RESPONSE = {"id": "resp_1", "object": "response", "created_at": 1, "status": "completed",
            "model": "m", "output": [], "usage": USAGE}


def event(data, name=None):
    return ((f"event: {name}\n" if name else "") + f"data: {json.dumps(data)}\n\n").encode()


def chunk(delta, finish=None):
    return event({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m",
                  "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


STREAMS = {
    "/v1/responses": [
        event({"type": "response.created", "sequence_number": 0, "response": {
            **RESPONSE, "status": "in_progress", "usage": None}}, "response.created"),
        event({"type": "response.completed", "sequence_number": 1, "response": RESPONSE},
              "response.completed")],
    "/v1/chat/completions": [chunk({"role": "assistant", "content": "Hi"}), chunk({}, "stop")],
    "/v1/messages": [
        event({"type": "message_start", "message": {
            "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [],
            "stop_reason": None, "stop_sequence": None,
            "usage": {"input_tokens": 7, "output_tokens": 1}}}, "message_start"),
        event({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None},
               "usage": {"output_tokens": 3}}, "message_delta"),
        event({"type": "message_stop"}, "message_stop")],
}
CONFIG = """
model_list:
  - model_name: open
    litellm_params: {{model: openai/m, api_base: "{url}/v1", api_key: sk-u,
                      input_cost_per_token: 0.000001, output_cost_per_token: 0.000002}}
  - model_name: claude
    litellm_params: {{model: anthropic/claude-haiku-4-5, api_base: "{url}", api_key: sk-u}}
general_settings: {{master_key: {master}}}
kanmon_settings: {{state_dir: "{state}", performance: {{circuit_breaker_failures: 1}}}}
"""


class Lingering:
    """Says its stream whole but for the end of the connection, which is the client's to make."""

    def __init__(self):
        self.left = 0
        self.last = True  # say the last event too
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                link, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(link,), daemon=True).start()

    def serve(self, link):
        data = link.makefile("rb")
        path, length = data.readline().split()[1].decode(), 0
        for line in iter(data.readline, b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        data.read(length)
        events = STREAMS[path]
        link.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" +
                     b"".join(events if self.last else events[:-1]))
        data.read(1)  # until it is left
        self.left += 1
        link.close()


@pytest.fixture(scope="module")
def upstream():
    server = Lingering()
    yield server
    server.listener.close()


@pytest.fixture(scope="module")
def gate(upstream, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    with Gateway(folder, CONFIG.format(url=upstream.url, master=MASTER,
                                       state=folder / "state")) as gateway:
        yield gateway


def leave_after(gate, path, model, what):
    """Reads until `what` has come, and leaves."""
    link = http.client.HTTPConnection("127.0.0.1", gate.port, timeout=20 * slow_factor())
    body = {"model": model, "stream": True, "max_tokens": 9, "messages": [
        {"role": "user", "content": "hi"}]}
    if path == "/v1/responses":
        body = {"model": model, "stream": True, "input": "hi"}
    link.request("POST", path, json.dumps(body), {"authorization": f"Bearer {MASTER}",
                                                  "content-type": "application/json"})
    answer = link.getresponse()
    assert answer.status == 200
    while what not in answer.readline():
        pass
    answer.readline()
    link.sock.shutdown(socket.SHUT_RDWR)
    link.close()
    return answer.getheader("x-litellm-call-id")


def row_of(gate, call):
    return next((r for r in gate.spend_logs() if r["request_id"] == call), None)


@pytest.mark.parametrize("path, model, what", [
    ("/v1/responses", "open", b'"response.completed"'), ("/v1/messages", "claude", b'"message_stop"'),
    ("/v1/chat/completions", "open", b'"finish_reason":"stop"')])
def test_whoever_leaves_after_the_last_event_was_served(gate, upstream, path, model, what):
    if path.endswith("completions"):
        what = b'"finish_reason": "stop"'
    left = upstream.left
    upstream.last = True
    call = leave_after(gate, path, model, what)
    wait_until(lambda: upstream.left > left, what="the upstream to be left")
    wait_until(lambda: row_of(gate, call), what="the row")
    row = row_of(gate, call)
    assert row["status"] == "success", row
    assert "client_gone" not in json.dumps(row.get("metadata", {}).get("flags", [])), row
    if path != "/v1/chat/completions":  # whose usage would have followed
        assert (row["prompt_tokens"], row["completion_tokens"]) == (7, 3)
    metrics = gate.call("GET", "/metrics").body.decode()
    assert not [line for line in metrics.splitlines()
                if line.startswith("litellm_proxy_failed_requests") and not line.endswith(" 0")]


def test_whoever_leaves_before_it_was_not(gate, upstream):
    upstream.last = False
    call = leave_after(gate, "/v1/responses", "open", b'"response.created"')
    wait_until(lambda: row_of(gate, call), what="the row")
    assert row_of(gate, call)["status"] != "success"
