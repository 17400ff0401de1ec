# SPDX-License-Identifier: Apache-2.0
"""An upstream that keeps each request as it came, and answers any API's with a short text."""

import http.server
import json
import threading

ANSWERS = {
    "converse": {"output": {"message": {"role": "assistant", "content": [{"text": "ok"}]}},
                 "stopReason": "end_turn",
                 "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}},
    "invoke": {"content": [{"type": "text", "text": "ok"}],
               "usage": {"input_tokens": 1, "output_tokens": 1}},
    "generateContent": {"candidates": [{"content": {"parts": [{"text": "ok"}], "role": "model"},
                                        "finishReason": "STOP"}],
                        "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1,
                                          "totalTokenCount": 2}},
    "responses": {"id": "resp_1", "object": "response", "status": "completed", "model": "m",
                  "output": [], "usage": {"input_tokens": 1, "output_tokens": 1,
                                          "total_tokens": 2}},
    "messages": {"id": "msg_1", "type": "message", "role": "assistant", "model": "m",
                 "content": [{"type": "text", "text": "ok"}], "stop_reason": "end_turn",
                 "usage": {"input_tokens": 1, "output_tokens": 1}},
    "completions": {"id": "c", "object": "chat.completion", "model": "m", "created": 1,
                    "choices": [{"index": 0, "finish_reason": "stop",
                                 "message": {"role": "assistant", "content": "ok"}}],
                    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}},
}


class Recorder:
    def __init__(self):
        self.lock = threading.Lock()
        self.seen = []  # (path, body)
        self.own = {}  # answers instead of ANSWERS: JSON, or the text of a stream
        recorder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                with recorder.lock:
                    recorder.seen.append((self.path, body))
                path = self.path.split("?")[0]
                word = path.replace(":", "/").rsplit("/", 1)[-1]
                answer = {**ANSWERS, **recorder.own}.get(word, ANSWERS["completions"])
                stream = isinstance(answer, str)
                answer = answer.encode() if stream else json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("content-type",
                                 "text/event-stream" if stream else "application/json")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *words):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self):
        """What came since the last time."""
        with self.lock:
            seen, self.seen = self.seen, []
        return seen

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
