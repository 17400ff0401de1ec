# SPDX-License-Identifier: Apache-2.0
"""The real binary, started with a state folder and a port of its own."""

import functools
import http.client
import json
import math
import os
import pathlib
import re
import signal
import socket
import subprocess
import time
import urllib.parse

from ports import free_port

TOP = pathlib.Path(__file__).resolve().parent.parent.parent.parent
MASTER = "sk-e2e-master"


def binary():
    """The binary under test: KANMON_BINARY, else the newest build."""
    named = os.environ.get("KANMON_BINARY")
    if named:
        return pathlib.Path(named).resolve()
    built = [TOP / "build" / p / "kanmon" for p in ("dev", "release", "asan", "tsan")]
    built = [b for b in built if b.exists()]
    if not built:
        raise SystemExit("no kanmon: build it (cmake --build --preset dev) or name it with --binary")
    return max(built, key=lambda b: b.stat().st_mtime)


def config_text(upstream, state, more=""):
    """tests/e2e/config.yaml for this upstream; `more` are lines of kanmon_settings."""
    text = (TOP / "tests" / "e2e" / "config.yaml").read_text()
    return text.format(upstream=upstream.url, state=state, more=more)


@functools.cache
def machine_factor():
    """How many times slower than a desk's processor this one is now, throttled or beside others'
    work: by a loop that takes 60 ms on the former."""
    def once():
        began, n = time.perf_counter(), 0
        for i in range(1_000_000):
            n += i
        return time.perf_counter() - began
    return min(max(1.0, max(once(), once()) / 0.06), 20.0)


@functools.cache
def slow_factor():
    """What time limits are multiplied with: no test may depend on how fast the machine is, and
    sanitizers and emulators make everything slower.  A limit that is too long costs nothing but
    to a test that fails."""
    if "KANMON_SLOW" in os.environ:
        return int(os.environ["KANMON_SLOW"])
    build = 4 if re.search(r"/(asan|tsan)/", str(binary())) else 1
    return math.ceil(2 * build * machine_factor())


def roomy_ms(ms):
    """A time limit that is a setting of what is tested, and that its work must be done within."""
    return ms * slow_factor()


def patient(seconds):
    """How long a client waits, for one that is the test's own and not what is tested."""
    return seconds * slow_factor()


def wait_until(condition, timeout=20, what="the condition", interval=0.01):
    """Tries `condition` until it is true; its last value is returned."""
    deadline = time.monotonic() + timeout * slow_factor()
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout} s for {what}")
        time.sleep(interval)  # between two looks, not instead of one


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        """The body; of a stream, which a slow answer becomes, its last event."""
        stream = "event-stream" in self.header("content-type", "")
        return json.loads(self.events()[-1] if stream else self.body)

    def header(self, name, default=None):
        return self.headers.get(name.lower(), default)

    def events(self):
        """The data lines of an SSE body."""
        return [line[5:].strip() for line in self.body.decode().splitlines()
                if line.startswith("data:")]

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


def request(port, method, path, body=None, key=MASTER, headers=None, timeout=30, host="127.0.0.1"):
    """One request on a connection of its own."""
    link = http.client.HTTPConnection(host, port, timeout=patient(timeout))
    send = {}
    if key:
        send["authorization"] = f"Bearer {key}"
    if body is not None and not isinstance(body, (bytes, str)):
        body = json.dumps(body)
    if body is not None:
        send["content-type"] = "application/json"
    send.update(headers or {})
    try:
        link.request(method, path, body, send)
        answer = link.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        link.close()


def guarded():
    """The program of tests/guarded, beside the binary: kanmon with units that mask and refuse."""
    program = binary().with_name("kanmon_guarded")
    if not program.exists():
        raise SystemExit(f"no {program}: build it beside kanmon (cmake --build)")
    return program


class Gateway:
    """`kanmon serve` in the foreground.  Use as a context manager, or start() and stop()."""

    def __init__(self, folder, config, env=None, port=None, program=None):
        self.program = program or binary()
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config = self.folder / "config.yaml"
        self.config.write_text(config)
        self.port = port or free_port()
        self.log = self.folder / "kanmon.log"
        self.env = {k: v for k, v in os.environ.items()
                    if k in ("PATH", "HOME", "LANG", "TMPDIR", "ASAN_OPTIONS", "UBSAN_OPTIONS",
                             "TSAN_OPTIONS", "LSAN_OPTIONS")}
        self.env.update(env or {})
        self.process = None

    def command(self, *words, **kwargs):
        """Runs a kanmon command to its end."""
        return subprocess.run([str(self.program), *map(str, words)], env=self.env, text=True,
                              capture_output=True, timeout=patient(60), **kwargs)

    def start(self, wait=True, words=None):
        if words is None:
            words = ["--port", self.port]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [str(self.program), "serve", "--config", str(self.config), *map(str, words)],
                env=self.env, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        if wait:
            self.wait_ready()
        return self

    def start_without_port(self):
        """Listens where the file says; self.port must be one of its ports, without TLS."""
        return self.start(words=[])

    def wait_ready(self, timeout=60):
        def ready():
            if self.process is not None and self.process.poll() is not None:
                raise AssertionError(
                    f"kanmon ended with {self.process.returncode}:\n{self.log.read_text()[-4000:]}")
            return self.is_ready()
        wait_until(ready, timeout, "kanmon to be ready", 0.005)

    def is_ready(self):
        try:
            return request(self.port, "GET", "/health/readiness", key=None, timeout=2).status == 200
        except (OSError, http.client.HTTPException):
            return False

    def stop(self, timeout=20):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(patient(timeout))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("kanmon did not end on SIGTERM")
        self.check_end()

    def check_end(self):
        """It ended well: status 0, and no sanitizer had a word."""
        said = self.log.read_text()
        found = re.search(r"^.*(Sanitizer|runtime error).*$", said, re.M)
        report = [line for line in said[found.start():].splitlines()
                  if not line.startswith("20")] if found else []  # less the log's own lines
        assert not found, "\n".join(report[:60])
        assert self.process.returncode == 0, (
            f"kanmon ended with {self.process.returncode}:\n{said[-4000:]}")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def reload(self, text=None):
        if text is not None:
            fresh = self.config.with_suffix(".new")
            fresh.write_text(text)
            fresh.rename(self.config)
        self.process.send_signal(signal.SIGHUP)

    def __enter__(self):
        return self.start() if self.process is None else self

    def __exit__(self, *_):
        self.stop()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    # -- the API, as tests use it most ------------------------------------------

    def call(self, method, path, body=None, **kwargs):
        return request(self.port, method, path, body, **kwargs)

    def chat(self, model="chat", key=MASTER, headers=None, timeout=30, **more):
        more.setdefault("messages", [{"role": "user", "content": "hi"}])
        return self.call("POST", "/v1/chat/completions", {"model": model, **more},
                         key=key, headers=headers, timeout=timeout)

    def new_key(self, **settings):
        answer = self.call("POST", "/key/generate", settings)
        assert answer.status == 200, answer
        return answer.json()["key"]

    def key_info(self, key):
        answer = self.call("GET", f"/key/info?key={key}")
        assert answer.status == 200, answer
        return answer.json()["info"]

    def spend_logs(self, **query):
        """All rows, page by page."""
        rows, size = [], 5000
        while True:
            text = urllib.parse.urlencode({**query, "limit": size, "offset": len(rows)})
            answer = self.call("GET", f"/spend/logs?{text}")
            assert answer.status == 200, answer
            page = answer.json()
            rows += page
            if len(page) < size:
                return rows


def raw(port, data, timeout=5, half_close=False):
    """Sends bytes as they are; returns all that comes until the end or the time-out."""
    with socket.create_connection(("127.0.0.1", port), timeout * slow_factor()) as link:
        link.sendall(data)
        if half_close:
            link.shutdown(socket.SHUT_WR)
        got = b""
        try:
            while True:
                piece = link.recv(65536)
                if not piece:
                    break
                got += piece
        except (socket.timeout, ConnectionResetError):
            pass
        return got
