# SPDX-License-Identifier: Apache-2.0
"""An upstream that speaks Anthropic Messages, with nothing but the standard library.

What it answers is chosen by the model's name: ok..., err-STATUS..., stream-cut..., stream-error...
(after two pieces), stream-refuse... (200 and an error as its first event), whole... (a whole
answer to a request for a stream), forever... (a piece each 10 ms until the gateway leaves).
"""

import http.server
import json
import threading
import time

PIECES = ["Hel", "lo \u2603", " there"]
USAGE_IN, USAGE_OUT = 10, 5


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        model = body.get("model", "")
        self.server.seen.append({"path": self.path, "body": body,
                                 "headers": {k.lower(): v for k, v in self.headers.items()}})
        if self.path.endswith("/rerank"):
            self.send(200, {"id": "r", "model": model, "results": [
                {"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}],
                "usage": {"total_tokens": 12}})
        elif model.startswith("err-"):
            self.refuse(int(model.split("-")[1]))
        elif body.get("stream") and not model.startswith("whole"):
            self.stream(model)
        else:
            self.whole()

    def send(self, status, body, headers=()):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def refuse(self, status):
        kind = {400: "invalid_request_error", 401: "authentication_error",
                429: "rate_limit_error", 529: "overloaded_error"}.get(status, "api_error")
        text = "prompt is too long: 9 tokens > 8 maximum" if status == 400 else "no"
        self.send(status, {"type": "error", "error": {"type": kind, "message": text}},
                  [("retry-after", "7")] if status == 429 else [])

    def whole(self):
        self.send(200, {"id": "msg_1", "type": "message", "role": "assistant", "model": "x",
                        "content": [{"type": "text", "text": "".join(PIECES)}],
                        "stop_reason": "end_turn", "stop_sequence": None,
                        "usage": {"input_tokens": USAGE_IN, "output_tokens": USAGE_OUT}})

    def event(self, kind, **members):
        data = json.dumps({"type": kind, **members}, ensure_ascii=False)
        self.chunk(f"event: {kind}\ndata: {data}\n\n".encode())

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def piece(self, text):
        self.event("content_block_delta", index=0, delta={"type": "text_delta", "text": text})

    def error(self):
        self.event("error", error={"type": "overloaded_error", "message": "too busy"})

    def stream(self, model):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        try:
            self.events(model)
            if model.startswith("stream-cut"):
                self.close_connection = True
            else:
                self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.close_connection = True
            self.server.left.set()

    def events(self, model):
        if model.startswith("stream-refuse"):
            return self.error()
        self.event("message_start", message={
            "id": "msg_1", "type": "message", "role": "assistant", "model": "x", "content": [],
            "stop_reason": None, "stop_sequence": None,
            "usage": {"input_tokens": USAGE_IN, "output_tokens": 1}})
        self.event("content_block_start", index=0, content_block={"type": "text", "text": ""})
        if model.startswith("forever"):
            while True:
                self.piece("again ")
                time.sleep(0.01)
        for text in PIECES[:2]:
            self.piece(text)
        if model.startswith("stream-cut"):
            return None
        if model.startswith("stream-error"):
            return self.error()
        self.piece(PIECES[2])
        if model.startswith("rich"):
            self.event("content_block_delta", index=0, delta={"type": "citations_delta", "citation": {
                "type": "char_location", "cited_text": "x"}})
        self.event("content_block_stop", index=0)
        self.event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None},
                   usage={"output_tokens": USAGE_OUT})
        return self.event("message_stop")


class MessagesUpstream:
    def __init__(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.server.daemon_threads = True
        self.server.seen = []
        self.server.left = threading.Event()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def seen(self):
        return self.server.seen

    @property
    def left(self):
        """Set when a stream's reader went away."""
        return self.server.left

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
