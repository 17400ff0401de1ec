# SPDX-License-Identifier: Apache-2.0
"""Load: clients that keep calling, and remember exactly what they got."""

import http.client
import json
import socket
import threading
import time

from gateway import MASTER, slow_factor


class Call:
    """One call: its unique model name, when it began, and what came of it."""

    def __init__(self, name):
        self.name = name
        self.began = time.monotonic()
        self.done = None        # when the last byte was here
        self.status = None
        self.error = None


class Load:
    """`clients` threads that call until stop().  Every call has a model name of its own
    (any/ok-PREFIX-N), so that a row of the spend log or a record of the upstream can be
    told to be this one.  Half of the calls stream.  With keep_alive a client uses its
    connection for as long as the gateway lets it."""

    def __init__(self, port, prefix, clients=4, keep_alive=True, model="any/ok", key=MASTER,
                 stop_on_error=False):
        self.port, self.prefix, self.model, self.key = port, prefix, model, key
        self.keep_alive, self.stop_on_error = keep_alive, stop_on_error
        self.calls = []
        self._stop = threading.Event()
        self._lock = threading.Condition()
        self._threads = [threading.Thread(target=self._client, args=(i,), daemon=True)
                         for i in range(clients)]

    def start(self):
        for thread in self._threads:
            thread.start()
        return self

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join(60 * slow_factor())
            assert not thread.is_alive(), "a client hangs"
        return self.calls

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def finished(self):
        return [c for c in self.calls if c.done is not None]

    def failed(self):
        return [c for c in self.calls if c.error or (c.done and c.status != 200)]

    def wait_for(self, count, timeout=30):
        """Until `count` more calls have finished than when this was called."""
        with self._lock:
            goal = len(self.finished()) + count
            if not self._lock.wait_for(lambda: len(self.finished()) >= goal or self._idle(),
                                       timeout * slow_factor()):
                raise AssertionError(f"{count} calls did not finish in {timeout} s")

    def _idle(self):
        return not any(t.is_alive() for t in self._threads)

    def _connect(self):
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30 * slow_factor())
        link.connect()
        link.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return link

    def _client(self, me):
        link, n = None, 0
        while not self._stop.is_set():
            call = Call(f"{self.model}-{self.prefix}-{me}-{n}")
            n += 1
            with self._lock:
                self.calls.append(call)
            try:
                if link is None:
                    link = self._connect()
                link.request("POST", "/v1/chat/completions", json.dumps({
                    "model": call.name, "stream": n % 2 == 0, "max_tokens": 5,
                    "messages": [{"role": "user", "content": "hi"}]}),
                    {"authorization": f"Bearer {self.key}", "content-type": "application/json"})
                answer = link.getresponse()
                body = answer.read()
                call.status = answer.status
                if answer.status == 200 and n % 2 == 0 and b"[DONE]" not in body:
                    raise http.client.IncompleteRead(body)
                call.done = time.monotonic()
                if not self.keep_alive or answer.will_close:
                    link.close()
                    link = None
            except (OSError, http.client.HTTPException) as error:
                call.error = error
                if link is not None:
                    link.close()
                link = None
                if self.stop_on_error:
                    self._stop.set()
            with self._lock:
                self._lock.notify_all()
        if link is not None:
            link.close()
