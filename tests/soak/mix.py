# SPDX-License-Identifier: Apache-2.0
"""The mix: actors, each with one thing it does again and again at its own pace, which
knows what must come of it.  What does not is a failure, and is told.

An actor's `step` makes one or more calls; those that kanmon admits are counted under
their model name, which is what the books are compared by.
"""

import collections
import http.client
import json
import random
import socket
import struct
import threading
import time

from gateway import MASTER

PATIENCE = 60       # seconds, of anything that should take milliseconds
PRICE = 0.00002     # of a call with 10 tokens in and 5 out
HI = [{"role": "user", "content": "hi"}]


class Unexpected(Exception):
    pass


def expect(condition, what):
    if not condition:
        raise Unexpected(what)


class Site:
    """What all actors share."""

    def __init__(self, gateway, upstream):
        self.gateway, self.upstream = gateway, upstream
        self.stop = threading.Event()
        self.lock = threading.Lock()
        self.admitted = collections.Counter()   # calls kanmon let in, by the model asked for
        self.failures = []

    def admit(self, model):
        with self.lock:
            self.admitted[model] += 1

    def fail(self, actor, error):
        with self.lock:
            self.failures.append(f"{actor.name}: {type(error).__name__}: {str(error)[:300]}")


class Actor(threading.Thread):
    def __init__(self, site, name, rate):
        super().__init__(daemon=True, name=name)
        self.site, self.pause = site, 1 / rate
        self.steps = self.failed = 0
        self.slowest = 0.0
        self.link = None
        self.rng = random.Random(name)

    def run(self):
        due = time.monotonic() + self.rng.random() * self.pause
        while not self.site.stop.wait(max(0, due - time.monotonic())):
            self.once()
            # A step that took too long is not made up for: the rate never goes over its own.
            due = max(due + self.pause, time.monotonic())
        self.hang_up()

    def once(self):
        began = time.monotonic()
        self.steps += 1
        try:
            self.step()
        except Exception as error:  # whatever it is, it was not expected
            self.failed += 1
            self.site.fail(self, error)
            self.hang_up()
        self.slowest = max(self.slowest, time.monotonic() - began)

    def hang_up(self):
        if self.link is not None:
            self.link.close()
            self.link = None

    def send(self, path, body, key=MASTER):
        """On the connection it has; returns what http.client makes of the answer's head."""
        if self.link is None:
            self.link = http.client.HTTPConnection("127.0.0.1", self.site.gateway.port,
                                                   timeout=PATIENCE)
            self.link.connect()
            self.link.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        headers = {"content-type": "application/json"}
        if key:
            headers["authorization"] = f"Bearer {key}"
        self.link.request("POST", path, json.dumps(body), headers)

    def post(self, path, body, key=MASTER):
        self.send(path, body, key)
        answer = self.link.getresponse()
        data = answer.read()
        if answer.will_close:
            self.hang_up()
        return answer.status, data

    def chat(self, model, stream=False, key=MASTER, **more):
        return self.post("/v1/chat/completions",
                         {"model": model, "stream": stream, "messages": HI, **more}, key)

    def api(self, method, path, body=None, want=200):
        """The management API, on a connection of its own."""
        answer = self.site.gateway.call(method, path, body, timeout=PATIENCE)
        expect(answer.status == want, f"{method} {path}: {answer}")
        return answer


class Unary(Actor):
    """Whole answers; `fresh`: each on a new connection, `pad`: bytes more in the prompt."""

    def __init__(self, site, name, rate, model, fresh=False, pad=0):
        super().__init__(site, name, rate)
        self.model, self.fresh, self.pad = model, fresh, pad

    def step(self):
        content = "hi" + " word" * (self.pad // 5)
        self.site.admit(self.model)
        status, data = self.chat(self.model, messages=[{"role": "user", "content": content}])
        expect(status == 200, f"{status} {data[:200]}")
        answer = json.loads(data)
        expect(answer["model"] == self.model and answer["usage"]["total_tokens"] == 15, data[:200])
        if self.fresh:
            self.hang_up()


class Filler(Actor):
    """Calls with as much metadata as a row of the ledger takes."""

    def step(self):
        self.site.admit("any/ok-filler")
        status, data = self.chat("any/ok-filler", metadata={"spend_logs_metadata": "x" * 3500})
        expect(status == 200, f"{status} {data[:200]}")


class Embed(Actor):
    def step(self):
        self.site.admit("any/ok-embed")
        status, data = self.post("/v1/embeddings", {"model": "any/ok-embed", "input": "x"})
        expect(status == 200 and b'"embedding"' in data, f"{status} {data[:200]}")


class Stream(Actor):
    """Streams that arrive whole, `words` of them with text."""

    def __init__(self, site, name, rate, model, words):
        super().__init__(site, name, rate)
        self.model, self.words = model, words

    def step(self):
        self.site.admit(self.model)
        status, data = self.chat(self.model, stream=True)
        expect(status == 200, f"{status} {data[:200]}")
        events = [line for line in data.split(b"\n") if line.startswith(b"data:")]
        # role, words, finish and [DONE]; the usage nobody asked for is not there
        expect(len(events) == self.words + 3 and events[-1] == b"data: [DONE]",
               f"{len(events)} events, the last {events[-1:]}")


class Refused(Actor):
    """The upstream says no, or says nothing: an answer with one of these statuses."""

    def __init__(self, site, name, rate, model, *statuses):
        super().__init__(site, name, rate)
        self.model, self.statuses = model, statuses

    def step(self):
        self.site.admit(self.model)
        status, data = self.chat(self.model)
        expect(status in self.statuses and json.loads(data)["error"]["message"],
               f"{status} {data[:200]}")


class Broken(Actor):
    """The upstream dies in the middle of a stream: an error event, and no [DONE]."""

    def __init__(self, site, name, rate, model):
        super().__init__(site, name, rate)
        self.model = model

    def step(self):
        self.site.admit(self.model)
        self.send("/v1/chat/completions", {"model": self.model, "stream": True, "messages": HI})
        answer = self.link.getresponse()
        data = answer.read()
        self.hang_up()
        expect(b'"error"' in data and b"[DONE]" not in data, f"it ended like a whole one: {data}")


class Leaver(Actor):
    """A client that goes away, by FIN or by RST: the upstream hears of it soon."""

    def __init__(self, site, name, rate, model, stream):
        super().__init__(site, name, rate)
        self.model, self.stream = model, stream
        self.mark = f'"{model.split("/")[1]}"'.encode()

    def open(self, records):
        return any(r.ended is None and self.mark in r.body for r in records)

    def step(self):
        self.site.admit(self.model)
        self.send("/v1/chat/completions",
                  {"model": self.model, "stream": self.stream, "messages": HI})
        if self.stream:
            answer = self.link.getresponse()
            for _ in range(self.rng.randrange(1, 60)):
                expect(answer.readline(), "an endless stream ended")
        else:
            self.site.upstream.wait_for(self.open, PATIENCE, "the call to reach the upstream")
        sock = self.link.sock
        if self.steps % 2:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            sock.shutdown(socket.SHUT_RDWR)
        if self.stream:
            answer.close()  # it shares the socket, which closes with the last of the two
        self.hang_up()
        self.site.upstream.wait_for(lambda rs: not self.open(rs), PATIENCE,
                                    "the upstream to hear that the client left")


class Keyless(Actor):
    """No key, a wrong one, one that may not use the model: refused before any upstream."""

    limited = None

    def step(self):
        if self.limited is None:
            self.limited = self.site.gateway.new_key(models=["nothing"])
        key, want = ((None, 401), ("sk-" + "x" * 22, 401), (self.limited, 403))[self.steps % 3]
        status, data = self.chat("any/ok-refused", key=key)
        expect(status == want, f"{status} instead of {want}: {data[:200]}")


class Budget(Actor):
    """A key is used up and given away: never a call over its budget, never one lost."""

    key, calls, most = None, 0, 25 * PRICE

    def step(self):
        if self.key is None:
            self.key, self.calls = self.site.gateway.new_key(max_budget=self.most), 0
        status, data = self.chat("any/ok-budget", key=self.key, max_tokens=5)
        if status == 200:
            self.calls += 1
            self.site.admit("any/ok-budget")
            return
        expect(status in (400, 429) and b"budget" in data.lower(), f"{status} {data[:200]}")
        spend = self.site.gateway.key_info(self.key)["spend"]
        expect(abs(spend - self.calls * PRICE) < 1e-12 and spend <= self.most + 1e-12,
               f"{self.calls} calls, a spend of {spend}, a budget of {self.most}")
        expect(self.calls > 10, f"refused after {self.calls} calls")
        self.api("POST", "/key/delete", {"keys": [self.key]})
        self.key = None


class Churn(Actor):
    """The life of a key, from generate to delete."""

    def step(self):
        key = self.site.gateway.new_key(metadata={"n": self.steps}, rpm_limit=100)
        for name, want in ((None, 200), ("block", 401), ("unblock", 200)):
            if name:
                self.api("POST", f"/key/{name}", {"key": key})
            status, data = self.chat("any/ok-churn", key=key)
            if status == 200:
                self.site.admit("any/ok-churn")
            expect(status == want, f"{name}: {status} {data[:200]}")
        self.api("POST", "/key/update", {"key": key, "models": ["any/ok-churn"]})
        self.api("GET", f"/key/info?key={key}")
        self.api("POST", "/key/delete", {"keys": [key]})
        status, data = self.chat("any/ok-churn", key=key)
        expect(status == 401, f"a deleted key: {status} {data[:200]}")


class Looker(Actor):
    """Scrapes and lists."""

    paths = ("/metrics", "/health", "/key/list?size=20", "/metrics", "/v1/models",
             "/spend/logs?limit=20")

    def step(self):
        path = self.paths[self.steps % len(self.paths)]
        expect(self.api("GET", path).body, f"{path} is empty")


class Reloader(Actor):
    """A good file and a bad one in turn, by signal and by command in turn."""

    def __init__(self, site, name, rate, text):
        super().__init__(site, name, rate)
        self.text = text                # of a marker
        self.marker = "a"
        self.taken = self.rejected = self.logged = 0
        self.seen = 0                   # bytes of the log that were looked at

    def has(self, marker):
        path = f"/v1/models/marker-{marker}"
        return self.site.gateway.call("GET", path, timeout=PATIENCE).status == 200

    def until(self, condition, what):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            expect(time.monotonic() < deadline, f"no {what}")
            time.sleep(0.02)  # between two looks, not instead of one

    def rejection_logged(self):
        with self.site.gateway.log.open("rb") as log:
            log.seek(self.seen)
            return b'"event":"config.rejected"' in log.read()

    def step(self):
        gateway, command = self.site.gateway, (self.steps - 1) // 2 % 2 == 1
        bad = self.steps % 2 == 0
        other = "b" if self.marker == "a" else "a"
        self.seen = gateway.log.stat().st_size
        fresh = gateway.config.with_suffix(".new")
        fresh.write_text("model_list: [{model_nam: 1\n" if bad else self.text(other))
        fresh.rename(gateway.config)
        if command:
            ran = gateway.command("reload", "--config", gateway.config)
            expect((ran.returncode == 0) != bad, f"kanmon reload: {ran}")
        else:
            gateway.reload()
        if bad:
            self.until(self.rejection_logged, "word of the invalid file")
            self.logged += 1
            expect(self.has(self.marker), "an invalid file was taken")
            self.rejected += 1
        else:
            self.until(lambda: self.has(other) and not self.has(self.marker), "new file in force")
            self.marker = other
            self.taken += 1


def actors(site, text, seconds):
    """About fifty calls a second, of every kind there is."""
    bad = (500, 502, 503, 504)
    return [
        Unary(site, "unary", 8, "any/ok-unary"),
        Unary(site, "unary, another client", 8, "any/ok-unary"),
        Unary(site, "unary, new connections", 5, "any/ok-fresh", fresh=True),
        Unary(site, "unary, 100 KB prompts", 1, "any/ok-long", pad=100000),
        Unary(site, "unary, 100 KB answers", 1, "any/big-100000"),
        Unary(site, "unary, slow upstream", 1, "any/slow-200"),
        Unary(site, "second deployment after 500", 1, "pair"),
        Embed(site, "embeddings", 2),
        Stream(site, "stream of 5", 5, "any/ok-stream", 5),
        Stream(site, "stream of 20", 2, "any/stream-many-20", 20),
        Stream(site, "stream of 200", 0.5, "any/stream-many-200", 200),
        Stream(site, "stream of 10 times 16 KB", 0.5, "any/stream-wide-10", 10),
        Stream(site, "stream, slow upstream", 1, "any/stream-slow-200", 5),
        Refused(site, "upstream says 500", 1, "fails/err-500", 500),
        Refused(site, "upstream says 429", 1, "fails/err-429-retry", 429),
        Refused(site, "upstream says 400", 1, "fails/err-400", 400),
        Refused(site, "upstream answers HTML", 0.5, "fails/err-html", 502),
        Refused(site, "upstream resets", 1, "fails/reset", *bad),
        Refused(site, "upstream closes", 1, "fails/close", *bad),
        Refused(site, "upstream cuts its JSON", 0.5, "fails/cut-json", *bad),
        Broken(site, "upstream closes in mid-stream", 1, "fails/stream-cut"),
        Broken(site, "upstream resets in mid-stream", 1, "fails/stream-reset"),
        Broken(site, "error event in mid-stream", 0.5, "fails/stream-error"),
        Leaver(site, "client leaves a stream", 1, "any/stream-forever", True),
        Leaver(site, "client leaves before the answer", 0.5, "any/hang", False),
        Keyless(site, "refused keys", 3),
        Budget(site, "budgeted keys", 5),
        Churn(site, "keys made and deleted", 0.5),
        Looker(site, "scrapes and lists", 2),
        Reloader(site, "reloads", 0.5 if seconds < 120 else 0.2, text),
    ]
