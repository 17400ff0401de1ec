# SPDX-License-Identifier: Apache-2.0
"""An upstream that speaks Anthropic's Messages, with nothing but the standard library.

It keeps every request as it came (path, header fields, body bytes) and the bytes it
answered.  What it answers is chosen by what stands behind `--` in the model of the body:

    text        "Hello", with cached tokens in its usage
    tools       two calls at once
    think       thinking with a signature, sealed thinking, text
    run         code run in a container, the one asked for or a new one, and a file it wrote
    error-TYPE  the error of that type, with its status
    mid-TYPE    a stream that ends in an error event of that type
    cut         a stream that ends before message_stop
    spelled     an answer spelled oddly: spaces, escapes, unknown members
"""

import http.server
import itertools
import json
import socketserver
import threading

STATUS = {"invalid_request_error": 400, "authentication_error": 401, "permission_error": 403,
          "not_found_error": 404, "request_too_large": 413, "rate_limit_error": 429,
          "api_error": 500, "timeout_error": 504, "overloaded_error": 529}
USAGE = {"input_tokens": 10, "cache_creation_input_tokens": 3, "cache_read_input_tokens": 4,
         "output_tokens": 15}
CONTENT = {
    "text": [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo é😀"}],
    "tools": [{"type": "text", "text": "I look."},
              {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"q": "a"}},
              {"type": "tool_use", "id": "toolu_2", "name": "look", "input": {"q": "b"}}],
    "think": [{"type": "thinking", "thinking": "Let me see.", "signature": "c2ln"},
              {"type": "redacted_thinking", "data": "UkVE"},
              {"type": "text", "text": "Seen."}],
    "run": [{"type": "server_tool_use", "id": "srvtoolu_1", "name": "bash_code_execution",
             "input": {"command": "ls"}}],
}
made = itertools.count(1)
SPELLED = (b'{ "id":"msg_1","type":"message","role":"assistant","model" : "%s","content":[{"type":'
           b'"text","text":"\\u0041\\/"}],"new":1.10,"stop_reason":"end_turn","stop_sequence":null'
           b',"usage":{"input_tokens":1e0,"output_tokens":2} }')


def error(kind):
    return {"type": "error", "error": {"type": kind, "message": f"This is a {kind}."},
            "request_id": "req_1"}


def message(model, kind, asked=None):
    if kind == "run":
        return run(model, asked)
    return {"id": "msg_up", "type": "message", "role": "assistant", "model": f"{model}-20260101",
            "content": CONTENT[kind], "stop_reason": "tool_use" if kind == "tools" else "end_turn",
            "stop_sequence": None, "usage": USAGE}


def run(model, asked):
    """The shapes of Anthropic's guides to code execution and its containers."""
    container = asked.get("container") or {}
    container = container if isinstance(container, str) else container.get("id")
    output = {"type": "bash_code_execution_output", "file_id": f"file_made{next(made)}"}
    result = {"type": "bash_code_execution_tool_result", "tool_use_id": "srvtoolu_1", "content": {
        "type": "bash_code_execution_result", "stdout": "", "stderr": "", "return_code": 0,
        "content": [output]}}
    return {**message(model, "text"), "content": [*CONTENT["run"], result], "container": {
        "id": container or f"container_{next(made)}", "expires_at": "2026-12-01T00:00:00Z"}}


def event(kind, **fields):
    data = json.dumps({"type": kind, **fields}, ensure_ascii=False)
    return f"event: {kind}\ndata: {data}\n\n".encode()


def pieces(block):
    """A block's beginning, and its deltas."""
    if block["type"] == "text":
        text = block["text"]
        return ({"type": "text", "text": ""},
                [{"type": "text_delta", "text": t} for t in (text[:2], text[2:]) if t])
    if block["type"] == "thinking":
        return ({"type": "thinking", "thinking": "", "signature": ""},
                [{"type": "thinking_delta", "thinking": block["thinking"]},
                 {"type": "signature_delta", "signature": block["signature"]}])
    if block["type"] == "tool_use":
        text = json.dumps(block["input"])
        return ({**block, "input": {}},
                [{"type": "input_json_delta", "partial_json": t}
                 for t in ("", text[:3], text[3:])])
    return block, []


def stream(model, kind, end=True, asked=None):
    whole = message(model, kind, asked)
    container = whole.pop("container", None)
    yield event("message_start", message={**whole, "content": [], "stop_reason": None,
                                          "usage": {**USAGE, "output_tokens": 1}})
    yield event("ping")
    for i, block in enumerate(whole["content"]):
        start, deltas = pieces(block)
        yield event("content_block_start", index=i, content_block=start)
        for delta in deltas:
            yield event("content_block_delta", index=i, delta=delta)
        yield event("content_block_stop", index=i)
    if end:
        yield event("message_delta", delta={"stop_reason": whole["stop_reason"],
                                            "stop_sequence": None,
                                            **({"container": container} if container else {})},
                    usage={"output_tokens": 15})
        yield event("message_stop")


class Request:
    def __init__(self, path, headers, body):
        self.path, self.headers, self.body = path, headers, body
        self.sent = b""

    def json(self):
        return json.loads(self.body)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, data, kind="application/json"):
        self.request_kept.sent = data
        head = (f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\nrequest-id: req_up\r\n"
                "anthropic-ratelimit-requests-remaining: 9\r\n"
                f"content-length: {len(data)}\r\n\r\n")
        self.wfile.write(head.encode() + data)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        kept = self.request_kept = Request(self.path, {k.lower(): v for k, v in self.headers.items()},
                                           body)
        self.server.owner.requests.append(kept)
        asked = json.loads(body)
        if self.path.split("?")[0].endswith("/count_tokens"):
            self.answer(200, b'{"input_tokens":42}')
        elif not isinstance(asked.get("max_tokens"), int):
            self.answer(400, json.dumps(error("invalid_request_error")).encode())
        else:
            self.message(asked["model"], asked.get("stream") is True, asked)

    def message(self, model, streams, asked):
        name, _, rest = model.rpartition("--")[2].partition("-")
        if name == "error":
            self.answer(STATUS[rest], json.dumps(error(rest)).encode())
        elif name == "spelled":
            self.answer(200, SPELLED % model.encode())
        elif name == "mid":
            events = [*list(stream(model, "text", end=False))[:5], event("error", **{
                k: v for k, v in error(rest).items() if k != "type"})]
            self.answer(200, b"".join(events), "text/event-stream; charset=utf-8")
        elif streams:
            self.answer(200, b"".join(stream(model, "text" if name == "cut" else name,
                                             end=name != "cut", asked=asked)),
                        "text/event-stream; charset=utf-8")
        else:
            self.answer(200, json.dumps(message(model, name, asked), ensure_ascii=False).encode())


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 128


class AnthropicUpstream:
    def start(self):
        self.requests = []
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.owner = self
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def seen(self):
        return self.requests
