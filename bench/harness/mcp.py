# SPDX-License-Identifier: Apache-2.0
"""The benchmark of MCP: calls of a tool through a gateway, beside the way without one.

The upstream is our C echo server, over HTTP and over stdio.  It runs on the load generator's core,
except behind stdio, where the gateway starts it: then it is moved there.  A gateway has the other
core for itself.  Rounds are interleaved: the direct way and every server, again and again, the
others frozen.  Added latency is the difference to the direct way within a round; added CPU is what
all threads and processes of the gateway used, the echo server not among them.
"""
import http.client
import json
import os
import signal
import socket
import subprocess

from harness import procs
from harness.servers import (LOAD_CORE, SERVER_CORE, Kanmon, Nginx, Server, Unavailable, ask,
                             write)

OLD = "2025-11-25"
RATES = (1000, 5000)
MESSAGE = "The quick brown fox jumps over the lazy dog, and does it again and again. " * 3
ACCEPT = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}


class Echo:
    """The echo server over HTTP."""

    def __init__(self, folder, log):
        self.process = procs.start([os.path.join(folder, "bench/bench_mcp_http")], LOAD_CORE, log,
                                   stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline().split()[1])

    def calls(self):
        return ask(self.port, "GET", "/__stats")[1]["requests"]

    def stop(self):
        procs.stop(self.process)


def post(port, path, message, headers, timeout=10):
    """(status, headers, the JSON-RPC answer) of one message; an event stream is read to its end."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        link.request("POST", path, json.dumps(message), {**ACCEPT, **headers})
        answer = link.getresponse()
        text = answer.read().decode()
    finally:
        link.close()
    if "event-stream" in answer.getheader("content-type", ""):
        text = [line[5:] for line in text.splitlines() if line.startswith("data:") and line[5:].strip()][-1]
    try:
        return answer.status, answer, json.loads(text)
    except ValueError:
        return answer.status, answer, text


def hello(port, path, headers):
    """Shakes hands; the headers of the session."""
    message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": OLD, "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}}
    status, answer, body = post(port, path, message, headers)
    if status != 200 or "result" not in body:
        raise Unavailable(f"initialize answered {status}: {str(body)[:150]}")
    session = {**headers, "MCP-Protocol-Version": OLD}
    if answer.getheader("mcp-session-id"):
        session["Mcp-Session-Id"] = answer.getheader("mcp-session-id")
    post(port, path, {"jsonrpc": "2.0", "method": "notifications/initialized"}, session)
    return session


class Direct:
    """No gateway: what the echo server and the load generator cost themselves."""

    name, title, note = "direct", "direct", "the load generator and the echo server alone"
    lists, rates, slow = True, RATES, False

    def __init__(self, bench):
        self.bench, self.port, self.process = bench, bench.mock, None
        self.headers = {}

    def target(self, tools=10):
        return f"/mcp/{tools}", "echo1"

    def begin(self):
        pass

    def pids(self):
        return []

    def stop(self):
        pass


class Relay(Server):
    """What standing in between costs at the least: see bench/relay.c."""

    name, title = "relay", "bare relay"
    lists, rates = True, RATES
    note = "one recv and one send a direction and nothing else: the kernel's part of every other column"

    def begin(self):
        self.log = open(os.path.join(self.dir, "output.log"), "ab")
        binary = os.path.join(self.bench.build, "bench/bench_relay")
        self.process = procs.start([binary, "--target", f"127.0.0.1:{self.bench.mock}"],
                                   SERVER_CORE, self.log, stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline().split()[1])
        self.headers = {}

    def version(self):
        return ""

    def target(self, tools=10):
        return f"/mcp/{tools}", "echo1"


class McpNginx(Nginx):
    lists, rates = True, RATES
    note = "`proxy_pass`, one worker: it knows nothing of MCP"
    headers = {}

    def target(self, tools=10):
        return f"/mcp/{tools}", "echo1"

    def begin(self):
        self.prepare()
        self.start()
        self.headers = {}


class McpKanmon(Kanmon):
    lists, rates = True, RATES
    note = ("one worker; a master key is checked, every call audited, arguments and result looked "
            "at; all its threads counted")
    transport = "http"
    more = ""               # settings a run adds

    def upstream(self, tools):
        return f'{{url: "http://127.0.0.1:{self.bench.mock}/mcp/{tools}", transport: http}}'

    def command(self):
        config = write(f"{self.dir}/config.yaml", f"""\
mcp_servers:
  ten: {self.upstream(10)}
  many: {self.upstream(500)}
general_settings:
  master_key: sk-bench-master
kanmon_settings:
  state_dir: {self.dir}/state
  workers: 1{self.more}
  limits: {{connections: 30000}}
""")
        return [self.binary, "serve", "--config", config, "--host", "127.0.0.1", "--port",
                str(self.port)]

    def target(self, tools=10):
        return ("/mcp/ten" if tools == 10 else "/mcp/many"), "echo1"

    def when_ready(self):
        pass

    def begin(self):
        self.prepare()
        self.start()
        self.headers = {"Authorization": f"Bearer {self.bearer}"}

    def pids(self):
        """All but the echo servers it started."""
        return [p for p in procs.tree(self.process.pid) if not is_echo(p)]


class McpKanmonTrained(McpKanmon):
    name, title = "kanmon-trained", "kanmon, trained"
    note = "the same, built by `scripts/train`"

    def program(self):
        return os.path.join(self.bench.root, "build/trained/kanmon")


class McpKanmonStdio(McpKanmon):
    name, title = "kanmon-stdio", "kanmon, stdio"
    note = "the same in front of the echo server over stdio; the child is not counted"

    def upstream(self, tools):
        binary = os.path.join(self.bench.build, "bench/bench_mcp_stdio")
        return f'{{transport: stdio, command: "{binary}", args: ["{tools}"]}}'

    def begin(self):
        super().begin()
        path, tool = self.target()
        session = hello(self.port, path, self.headers)
        post(self.port, path, call(1, tool), session)
        for pid in procs.tree(self.process.pid):
            if is_echo(pid):
                os.sched_setaffinity(pid, {LOAD_CORE})


def is_echo(pid):
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8") as f:
            return f.read().startswith("bench_mcp")
    except OSError:
        return False


def call(number, tool):
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call",
            "params": {"name": tool, "arguments": {"message": MESSAGE}}}


class McpMeasure:
    def __init__(self, binary, seconds, rounds):
        self.binary, self.seconds, self.rounds = binary, seconds, rounds
        self.common = 0 # a rate that all sustain; 0: not asked for

    def load(self, mode, server, session, path, body, min_answer, **options):
        text = json.dumps(body, separators=(",", ":")).replace('"#NUMBER#"', "#NUMBER#")
        command = ["taskset", "-c", str(LOAD_CORE), self.binary, mode, "--target",
                   f"127.0.0.1:{server.port}", "--path", path, "--body", text,
                   "--min-answer", str(min_answer), "--core", str(SERVER_CORE),
                   "--pids", ",".join(map(str, server.pids())) or str(os.getpid())]
        for name, value in session.items():
            if name == "Authorization":
                command += ["--bearer", value.removeprefix("Bearer ")]
            else:
                command += ["--header", f"{name}: {value}"]
        for name, value in options.items():
            command += ["--" + name, str(value)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        lines = done.stdout.strip().splitlines()
        if not lines:
            return {"failed": (done.stderr.strip().splitlines() or ["no output"])[-1]}
        return json.loads(lines[-1])

    def call_load(self, mode, server, **options):
        path, tool = server.target()
        session = hello(server.port, path, server.headers)
        return self.load(mode, server, session, path, call("#NUMBER#", tool), len(MESSAGE), **options)

    def list_load(self, server, tools):
        path, _ = server.target(tools)
        session = hello(server.port, path, server.headers)
        body = {"jsonrpc": "2.0", "id": "#NUMBER#", "method": "tools/list"}
        return self.load("closed", server, session, path, body, tools * 100, connections=32,
                         seconds=self.window(server), warmup=0.3)

    def window(self, server):
        """A slow server answers 32 connections in waves: its window must hold some."""
        return max(self.seconds, 10) if server.slow else self.seconds

    def common_rate(self, servers):
        """What all of them sustain with room to spare, in two digits; and who answered nothing."""
        rates, silent = [], []
        for server in servers:
            freeze(servers, server)
            r = self.call_load("closed", server, connections=32,
                               seconds=max(self.window(server), 3), warmup=0.5)
            if r.get("completed"):
                rates.append(r["completed"] / r["watch"]["seconds"])
            else:
                silent.append(server)
        least = int(min(rates, default=10) * 0.6)
        digits = 10 ** max(len(str(least)) - 2, 0)
        return max(least // digits * digits, 1), silent

    def round(self, server):
        out = {}
        if self.common:
            out["common"] = self.call_load("open", server, rate=self.common, connections=32,
                                           seconds=self.window(server), warmup=0.3)
        for rate in server.rates:
            out[f"calls{rate}"] = self.call_load("open", server, rate=rate, connections=32,
                                                 seconds=self.seconds, warmup=0.3)
        out["closed"] = self.call_load("closed", server, connections=32,
                                       seconds=self.window(server), warmup=0.3)
        if server.lists:
            for tools in (10, 500):
                out[f"list{tools}"] = self.list_load(server, tools)
        return out


class Sessions:
    """Idle sessions of which every second holds a GET stream open."""

    def __init__(self, server, count):
        self.server, self.count, self.held = server, count, []

    def open(self):
        path, _ = self.server.target()
        self.refused = 0
        for i in range(self.count):
            session = hello(self.server.port, path, self.server.headers)
            if i % 2 == 0:
                self.stream(path, session)

    def stream(self, path, session):
        link = socket.create_connection(("127.0.0.1", self.server.port))
        lines = "".join(f"{k}: {v}\r\n" for k, v in session.items())
        link.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n{lines}\r\n"
                     .encode())
        if not link.recv(4096).startswith(b"HTTP/1.1 200"):
            self.refused += 1
        self.held.append(link)

    def measure(self):
        before = procs.memory(self.server.process.pid)
        self.open()
        after = procs.memory(self.server.process.pid)
        for link in self.held:
            link.close()
        return {"sessions": self.count, "streams": len(self.held) - self.refused,
                "before": before, "after": after}


def freeze(servers, but):
    for server in servers:
        if server is not but and server.process:
            procs.send(procs.tree(server.process.pid), signal.SIGSTOP)
    if but.process:
        procs.send(procs.tree(but.process.pid), signal.SIGCONT)


def measure(servers, one, sessions, echo, say):
    """{"servers": {name: {"rounds": [...], "sessions": ...} or {"failed": why}}, ...}"""
    results, live = {}, []
    for server in servers:
        try:
            server.begin()
            live.append(server)
            results[server.name] = {"title": server.title, "note": server.note, "rounds": []}
            if not isinstance(server, Direct):
                results[server.name]["version"] = server.version()
        except (Unavailable, OSError) as why:
            say(f"{server.title}: {why}")
            server.stop()
            results[server.name] = {"title": server.title, "failed": str(why)}
    if any(not isinstance(server, (Direct, Relay, McpNginx, McpKanmon)) for server in live):
        one.common, silent = one.common_rate(live)
        say(f"all sustain {one.common} calls a second")
        for server in silent:
            say(f"{server.title}: no call was answered")
            results[server.name]["failed"] = "it answered no call on 32 connections in " \
                                             f"{max(one.window(server), 3):.0f} s"
            server.stop()
        live = [server for server in live if server not in silent]
    for number in range(one.rounds):
        for server in live:
            freeze(live, server)
            say(f"round {number + 1}: {server.title}")
            before = echo.calls()
            try:
                r = one.round(server)
            except (Unavailable, OSError) as why:
                say(f"{server.title}: {why}")
                results[server.name]["failed"] = f"in round {number + 1}: {why}"
                server.stop()
                continue
            r["seen"] = echo.calls() - before
            results[server.name]["rounds"].append(r)
        live = [server for server in live if "failed" not in results[server.name]]
    for server in live:
        if sessions and isinstance(server, McpKanmon) and server.name == "kanmon":
            freeze(live, server)
            say(f"{sessions} sessions: {server.title}")
            try:
                results[server.name]["sessions"] = Sessions(server, sessions).measure()
            except (Unavailable, OSError) as why: # the rounds were measured all the same
                results[server.name]["sessions_failed"] = str(why)
    for server in live:
        if server.process:
            procs.send(procs.tree(server.process.pid), signal.SIGCONT)
        server.stop()
    return {"servers": results, "rounds": one.rounds, "common": one.common}


__all__ = ["Direct", "Echo", "McpKanmon", "McpKanmonStdio", "McpKanmonTrained", "McpMeasure",
           "McpNginx", "Relay", "Sessions", "measure"]
