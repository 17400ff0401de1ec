# SPDX-License-Identifier: Apache-2.0
"""A provider that holds each answer until it is told to give it: so a test says which calls run at
once, and nothing has to sleep.

Written with http.server, so that it shares no code with the gateway it judges.
"""

import http.server
import json
import threading

from gateway import patient

OK = {"id": "x", "object": "chat.completion", "created": 1, "model": "m",
      "choices": [{"index": 0, "message": {"role": "assistant", "content": "ok"},
                   "finish_reason": "stop"}],
      "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}


class Held:
    """One request, which waits for answer()."""

    def __init__(self, model, text):
        self.model, self.text = model, text
        self._told = threading.Event()
        self._said = None

    def answer(self, status=200, **headers):
        self._said = (status, headers)
        self._told.set()

    def wait(self):
        assert self._told.wait(patient(60)), "nobody said what to answer"
        return self._said


class HoldingUpstream:
    def __init__(self):
        self.came = []          # Held, in their order
        self.running = 0
        self.most = 0           # that ran at once
        self.automatic = None   # (status, headers): answered at once
        self._lock = threading.Lock()

    def start(self):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                outer._serve(self)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 512

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def stop(self):
        for held in list(self.came):
            held.answer()
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, handler):
        body = json.loads(handler.rfile.read(int(handler.headers["content-length"])))
        held = Held(body["model"], body["messages"][-1]["content"])
        with self._lock:
            if self.automatic:
                held.answer(self.automatic[0], **self.automatic[1])
            self.came.append(held)
            self.running += 1
            self.most = max(self.most, self.running)
        status, headers = held.wait()
        with self._lock:
            self.running -= 1
        text = json.dumps(OK if status == 200 else {"error": {"message": "no", "type": "x"}})
        try:
            handler.send_response(status)
            for name, value in headers.items():
                handler.send_header(name.replace("_", "-"), str(value))
            handler.send_header("content-type", "application/json")
            handler.send_header("content-length", str(len(text)))
            handler.end_headers()
            handler.wfile.write(text.encode())
        except OSError:
            handler.close_connection = True
