# SPDX-License-Identifier: Apache-2.0
"""An Ollama that records: /api/chat whole and as JSON lines, /api/embed; anything else is 404,
as OpenAI's surface of it would not read what these tests are about."""

import http.server
import json
import threading

TOOL = {"function": {"name": "look", "arguments": {"q": "a"}}}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, kind, body):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.seen.append((self.path, asked))
        if self.path == "/api/embed":
            body = {"model": "m", "embeddings": [[1, 2] for _ in asked["input"]],
                    "prompt_eval_count": 3}
            return self.answer(200, "application/json", json.dumps(body).encode())
        if self.path != "/api/chat":
            return self.answer(404, "application/json", b'{"error":"not found"}')
        message = {"role": "assistant", "content": "Hello"}
        if asked.get("think"):
            message["thinking"] = "Hm."
        if asked.get("tools"):
            message.update(content="", tool_calls=[TOOL])
        end = {"done": True, "done_reason": "stop", "prompt_eval_count": 11, "eval_count": 7}
        if not asked["stream"]:
            return self.answer(200, "application/json",
                               json.dumps({"model": "m", "message": message, **end}).encode())
        lines = [{"model": "m", "message": message, "done": False},
                 {"model": "m", "message": {"role": "assistant", "content": ""}, **end}]
        return self.answer(200, "application/x-ndjson",
                           b"".join(json.dumps(line).encode() + b"\n" for line in lines))


class OllamaUpstream:
    def start(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.seen = self.seen = []
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        return self

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
