# SPDX-License-Identifier: Apache-2.0
"""The PostgreSQL servers for MCP that we compare with, installed from lock files.

    postgres-mcp   bench/peers/postgres-mcp   speaks stdio and SSE: measured over SSE
    MCP Toolbox    bench/peers/toolbox        measured over Streamable HTTP, as kanmon is
    reference      bench/peers/reference      npm's archived server, speaks stdio: over stdio

What speaks no Streamable HTTP is driven by `Outstanding`: one session with 8 calls under way, which
is less work for the server than an HTTP request a call; `Streamable` is what the others share.
"""
import glob
import http.client
import json
import os
import shutil
import subprocess
import threading
import time
import urllib.parse

from harness.mcp import OLD, hello, post
from harness.peers import locked_packages, locked_wheels
from harness.servers import SERVER_CORE, Server, Unavailable, output, write

CONNECTIONS = 8
HELLO = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
    "protocolVersion": OLD, "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}}
QUERY = "SELECT abalance FROM pgbench_accounts WHERE aid = 4711"


class Streamable:
    """The query over Streamable HTTP: a request a call, by the load generator."""

    endpoint, tool = "/mcp", "execute_sql"

    def call(self, number):
        return {"jsonrpc": "2.0", "id": number, "method": "tools/call",
                "params": {"name": self.tool, "arguments": {"sql": QUERY}}}

    def once(self):
        """One call, and that its answer is one."""
        session = hello(self.port, self.endpoint, self.headers)
        _, _, answer = post(self.port, self.endpoint, self.call(1), session)
        result = answer.get("result", {}) if isinstance(answer, dict) else {}
        if result.get("isError") or "abalance" not in json.dumps(result):
            raise Unavailable(f"the query was answered with {str(answer)[:200]}")

    def rate(self, seconds):
        session = hello(self.port, self.endpoint, self.headers)
        r = self.measure.load("closed", self, session, self.endpoint, self.call("#NUMBER#"), 60,
                              connections=CONNECTIONS, seconds=seconds, warmup=0.5)
        if r.get("failed") or r.get("wrong") or r.get("broken") or not r.get("completed"):
            raise Unavailable(f"under load: {json.dumps(r)[:200]}")
        return r["completed"] / r["watch"]["seconds"]


class Outstanding(Server):
    """send(message) and receive() of a subclass; always 8 calls under way."""

    tool = ""

    def shake(self):
        self.number = 0
        self.send(HELLO)
        self.answer()
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        self.ask()
        said = json.dumps(self.answer())
        if "abalance" not in said or '"isError": true' in said:
            raise Unavailable(f"the query was answered with {said[:200]}")

    def ask(self):
        self.number += 1
        self.send({"jsonrpc": "2.0", "id": self.number, "method": "tools/call",
                   "params": {"name": self.tool, "arguments": {"sql": QUERY}}})

    def answer(self):
        while True:
            message = self.receive()
            if "id" in message and "method" not in message:
                if "error" in message or message.get("result", {}).get("isError"):
                    raise Unavailable(f"it answered {json.dumps(message)[:200]}")
                return message

    def rate(self, seconds):
        for _ in range(CONNECTIONS):
            self.ask()
        begin, n = time.monotonic(), 0
        while time.monotonic() - begin < seconds:
            self.answer()
            self.ask()
            n += 1
        took = time.monotonic() - begin
        for _ in range(CONNECTIONS):
            self.answer()
        return n / took


def newest_python():
    """A Python of at least 3.12, of the path or of pyenv."""
    found = [shutil.which(f"python3.{n}") for n in (12, 13, 14)] + \
        sorted(glob.glob(os.path.expanduser("~/.pyenv/versions/3.1[2-9]*/bin/python3")))
    for python in filter(None, found):
        if output(python, "-c", "import sys; print(sys.version_info >= (3, 12))") == "True":
            return python
    raise Unavailable("it needs Python 3.12, which is not here")


class PostgresMcp(Outstanding):
    name, title, tool = "postgres-mcp", "postgres-mcp", "execute_sql"
    note = ("over SSE, restricted mode; the pglast that it pins is no longer published, the newest "
            "of the same series stands in")

    def prepare(self):
        python = newest_python()
        self.venv = os.path.join(self.bench.cache, self.name)
        lock = os.path.join(self.bench.root, "bench/peers/postgres-mcp/requirements.lock")
        locked_wheels(lock, self.venv, python, more=["--no-deps"])

    def version(self):
        return "0.3.0"

    def command(self):
        return [f"{self.venv}/bin/postgres-mcp", "--access-mode=restricted", "--transport=sse",
                "--sse-host=127.0.0.1", f"--sse-port={self.port}", self.bench.database.dsn]

    def is_ready(self):
        try:
            link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
            link.request("GET", "/none")
            link.getresponse()
            link.close()
            return True
        except (OSError, http.client.HTTPException):
            return False

    def begin(self, _database, _measure):
        self.prepare()
        self.start()
        self.events = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        self.events.request("GET", "/sse", headers={"Accept": "text/event-stream"})
        self.stream = self.events.getresponse()
        self.path = self.data()
        self.posts = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        self.shake()

    def data(self):
        while True:
            line = self.stream.readline()
            if not line:
                raise Unavailable("its event stream ended")
            if line.startswith(b"data:"):
                return line[5:].strip().decode()

    def rate(self, seconds):
        self.posts.close()  # it was idle too long while the others ran; opened again as needed
        return super().rate(seconds)

    def send(self, message):
        self.posts.request("POST", self.path, json.dumps(message),
                           {"Content-Type": "application/json"})
        self.posts.getresponse().read()

    def receive(self):
        return json.loads(self.data())


class Reference(Outstanding):
    name, title, tool = "reference", "the archived reference server", "query"
    note = "over stdio, as it speaks nothing else"

    def prepare(self):
        folder = os.path.join(self.bench.cache, self.name)
        self.script = f"{folder}/node_modules/@modelcontextprotocol/server-postgres/dist/index.js"
        locked_packages(os.path.join(self.bench.root, "bench/peers/reference"), folder)

    def version(self):
        return "0.6.2"

    def begin(self, database, _measure):
        self.prepare()
        self.log = open(os.path.join(self.dir, "output.log"), "ab")
        self.process = subprocess.Popen(
            ["node", self.script, database.dsn], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self.log, start_new_session=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {SERVER_CORE}))
        # A server that hangs must not hang the run: its end closes the pipe we read.
        guard = threading.Timer(1200, self.process.kill)
        guard.daemon = True
        guard.start()
        self.shake()

    def send(self, message):
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def receive(self):
        line = self.process.stdout.readline()
        if not line:
            raise Unavailable("it ended")
        return json.loads(line)


class Toolbox(Streamable, Server):
    name, title, tool = "toolbox", "MCP Toolbox", "query"
    note = ("`postgres-execute-sql` over Streamable HTTP, its pool as it is when nothing is said; it "
            "runs what it is given")
    ready_path = "/"

    def prepare(self):
        folder = os.path.join(self.bench.cache, self.name)
        locked_packages(os.path.join(self.bench.root, "bench/peers/toolbox"), folder)
        self.binary = f"{folder}/node_modules/@toolbox-sdk/server-linux-x64/bin/toolbox"

    def version(self):
        return "1.12.0"

    def config(self, dsn):
        """The file of one source and one tool."""
        at = urllib.parse.urlsplit(dsn)
        return write(f"{self.dir}/tools.yaml", f"""\
kind: source
name: db
type: postgres
host: {at.hostname}
port: {at.port}
database: {at.path[1:]}
user: {at.username}
password: "{at.password or 'none'}"
---
kind: tool
name: {self.tool}
type: postgres-execute-sql
source: db
description: Runs a statement.
""")

    def command(self):
        return [self.binary, "--config", self.config(self.bench.database.dsn), "--port", str(self.port),
                "--disable-version-check", "--disable-reload", "--log-level", "ERROR"]

    def begin(self, _database, measure):
        self.measure, self.headers = measure, {}
        self.prepare()
        self.start()
        self.once()
