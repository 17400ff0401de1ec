# SPDX-License-Identifier: Apache-2.0
"""What a call costs in counts: instructions and allocations from valgrind, syscalls from strace.

    server under callgrind   warm calls, counting on, CALLS calls one after another, counting off
    server under strace      the same without valgrind: what each call asks of the kernel

Counts do not depend on who else uses the machine, so this is what is run before and after a
change; times are measured by the other runs.  Calls go over one connection, one at a time: nothing
is shared between calls, so the counts are the most that a call can cost.  Instructions are those of
user space, of all threads; the kernel's part is told by the syscalls.  Allocations are calls of
malloc, calloc and realloc.
"""
import json
import os
import re
import shutil
import signal
import socket
import subprocess

from harness import mcp, measure, translation
from harness.servers import MASTER_KEY, Kanmon, Nginx, Unavailable, ask

CALLS, WARM, START_S = 1000, 200, 120
BODY = 1000 # bytes of a chat's request
ALLOCATORS = ("malloc", "calloc", "realloc")
BEGIN, END = "<!-- counts: begin -->", "<!-- counts: end -->"


class Link:
    """One connection, one request after another; reads answers by length or by chunks."""

    def __init__(self, server, path, body, headers):
        lines = "".join(f"{k}: {v}\r\n" for k, v in {**mcp.ACCEPT, **headers}.items())
        text = json.dumps(body, separators=(",", ":"))
        self.request = (f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{lines}"
                        f"Content-Length: {len(text)}\r\n\r\n{text}").encode()
        self.socket = socket.create_connection(("127.0.0.1", server.port))
        self.socket.settimeout(60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def one(self):
        self.socket.sendall(self.request)
        got = b""
        while not complete(got):
            more = self.socket.recv(262144)
            if not more:
                raise Unavailable("the connection was closed: " + got[:200].decode(errors="replace"))
            got += more
        if not got.startswith(b"HTTP/1.1 200"):
            raise Unavailable(got[:300].decode(errors="replace"))

    def many(self, count):
        for _ in range(count):
            self.one()


def complete(got):
    head, found, body = got.partition(b"\r\n\r\n")
    if not found:
        return False
    length = re.search(rb"\ncontent-length: *(\d+)", head, re.I)
    return len(body) >= int(length.group(1)) if length else body.endswith(b"0\r\n\r\n")


def chat(server, stream, model=None):
    """A request of 1 KB, as the load generator's (bench/client.c); the answer is the mock's own, or
    sixteen events of it (bench/script.h)."""
    user = {"role": "user", "content": "[[mock events=16]] " if stream else ""}
    body = {"model": model or server.model,
            "messages": [{"role": "system", "content": "You are a careful assistant."}, user],
            "temperature": 0.7, "max_tokens": 256}
    if stream:
        body["stream"] = True
    left = BODY - len(json.dumps(body, separators=(",", ":")))
    user["content"] += (mcp.MESSAGE * (1 + left // len(mcp.MESSAGE)))[:left]
    return Link(server, "/v1/chat/completions", body, {"Authorization": f"Bearer {server.bearer}"})


def tool(server, method):
    path, name = server.target()
    session = mcp.hello(server.port, path, server.headers)
    body = mcp.call(7, name) if method == "tools/call" else \
        {"jsonrpc": "2.0", "id": 7, "method": method}
    return Link(server, path, body, session)


PASSED_ON, TRANSLATED, OF_MCP = (Nginx, Kanmon), (translation.Translating,), \
    (mcp.McpNginx, mcp.McpKanmon)
SCENARIOS = (
    ("chat pass-through", PASSED_ON, lambda s: chat(s, False)),
    ("chat stream of 16 events", PASSED_ON, lambda s: chat(s, True)),
    ("chat to Anthropic", TRANSLATED, lambda s: chat(s, False, "anthropic")),
    ("its stream of 16 events", TRANSLATED, lambda s: chat(s, True, "anthropic")),
    ("chat to Bedrock, signed", TRANSLATED, lambda s: chat(s, False, "bedrock")),
    ("its stream of 16 events, framed", TRANSLATED, lambda s: chat(s, True, "bedrock")),
    ("tools/call", OF_MCP, lambda s: tool(s, "tools/call")),
    ("tools/list, ten tools", OF_MCP, lambda s: tool(s, "tools/list")),
)
# What a call spends where, inclusive of what is called: rows of the page's second table.
PHASES = (
    ("reading heads", "km_head_feed"), ("whose key", "km_authenticate"),
    ("reading the message", "km_rpc_parse"), ("digest of the arguments", "km_json_digest"),
    ("all SHA-256", "km_sha256_parts"), ("a new call", "km_call_new"),
    ("asking upstream", "km_http_send"), ("the log's line", "km_call_log"),
    ("the answer looked at", "km_mcp_work_result"), ("allocating", "malloc"),
)


def under(base, wrap):
    """The class of a server that runs below another program.  Valgrind is slow: a commit in ten
    seconds stands for the many calls that share one at full speed."""
    class Under(base):
        ready_limit_s = START_S
        more = "\n  commit_time: 10s" if issubclass(base, Kanmon) else "\nmaster_process off;"
        settings = {"commit_time": "10s"}

        def command(self):
            return wrap(self) + super().command()

    return Under


def callgrind(server):
    return ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--separate-threads=yes",
            f"--callgrind-out-file={server.dir}/callgrind.out.%p"]


def control(pid, *words):
    subprocess.run(["callgrind_control", *words, str(pid)], check=True, capture_output=True,
                   timeout=60)


def commit(server):
    """Has kanmon write its books now: what is counted between two of these is that of whole calls.
    A new key is an operation that does not wait, and takes all that waits with it."""
    if isinstance(server, Kanmon):
        status, answer = ask(server.port, "POST", "/key/generate", {}, MASTER_KEY, START_S)
        if status != 200:
            raise Unavailable(f"/key/generate answered {status}: {str(answer)[:150]}")


def profile(server, make, keep):
    """{"instructions", "writer", "allocations": a call, "phases": {...}}; the profiles of the
    threads stay in `keep` for callgrind_annotate."""
    link = make(server)
    link.many(WARM)
    commit(server)
    pid = server.pids()[-1]
    control(pid, "-i", "on")
    link.many(CALLS)
    commit(server)
    control(pid, "-i", "off")
    control(pid, "-d")
    shutil.rmtree(keep, ignore_errors=True)
    os.makedirs(keep)
    sums = {"instructions": 0, "writer": 0, "allocations": 0, "phases": {}}
    for name in os.listdir(server.dir):
        if name.startswith("callgrind.out."):
            shutil.copy(os.path.join(server.dir, name), keep)
            add_profile(os.path.join(keep, name), sums)
    if not sums["instructions"]:
        raise Unavailable(f"callgrind counted nothing of process {pid}")
    return sums


def add_profile(path, sums):
    """Adds one thread's: its total, its calls of allocators, the phases found in it."""
    names, callee, counted, total = {}, "", 0, 0
    with open(path, encoding="utf-8", errors="replace") as f:
        for line in f:
            named = re.match(r"c?fn=\((\d+)\)(?: (.+))?", line)
            if named:
                callee = names.setdefault(named[1], (named[2] or "").partition(".")[0])
            elif line.startswith("calls="):
                counted = int(line[6:].split()[0])
                if callee in ALLOCATORS:
                    sums["allocations"] += counted / CALLS
            elif counted:
                phases = sums["phases"]
                phases[callee] = phases.get(callee, 0) + int(line.split()[1]) / CALLS
                counted = 0
            elif line.startswith("totals:"):
                total = int(line.split()[1]) / CALLS
    sums["instructions"] += total
    if "sqlite3_step" in names.values() and "uv_run" not in names.values():
        sums["writer"] += total


def traced(server, make):
    """{name: syscalls a call}"""
    link = make(server)
    link.many(WARM)
    path = os.path.join(server.dir, "strace.out")
    with subprocess.Popen(["strace", "-f", "-c", "-U", "name,calls", "-o", path]
                          + [w for p in server.pids() for w in ("-p", str(p))],
                          stderr=subprocess.PIPE) as tracer:
        tracer.stderr.readline() # attached
        link.many(CALLS)
        tracer.send_signal(signal.SIGINT)
        tracer.stderr.read()
    with open(path, encoding="utf-8") as f:
        rows = [line.split() for line in f]
    return {r[0]: int(r[1]) / CALLS for r in rows
            if len(r) == 2 and r[1].isdigit() and r[0] != "total"}


def begun(cls, place):
    server = cls(place)
    server.begin() if hasattr(server, "begin") else (server.prepare(), server.start())
    return server


def one(place, name, make, base):
    """A scenario at a server: both countings, each in a process of its own."""
    out = {}
    for step in ("profile", "traced"):
        server = begun(under(base, callgrind) if step == "profile" else base, place)
        try:
            if step == "profile":
                out = profile(server, make, os.path.join(
                    place.cache, "counts", re.sub(r"\W+", "-", f"{name} {base.name}")))
            else:
                out["syscalls"] = traced(server, make)
        finally:
            server.stop()
    return {"scenario": name, "server": base.title, **out}


def main(place, say):
    """The rows, with upstreams of their own."""
    rows = []
    for program in ("valgrind", "strace"):
        if not shutil.which(program):
            raise Unavailable(f"--counts needs {program}")
    with open(os.path.join(place.work, "upstream.log"), "ab") as log:
        for name, servers, make in SCENARIOS:
            up = mcp.Echo(place.build, log) if servers is OF_MCP else \
                measure.Mock(os.path.join(place.build, "bench/bench_mock"), log)
            place.mock = up.port
            try:
                for base in servers:
                    say(f"{name}: {base.title}")
                    rows.append(one(place, name, make, base))
            finally:
                up.stop()
    return rows


def markdown(rows, facts):
    lines = [BEGIN, "", "## What a call costs, in counts", "",
             f"`{facts['command']}`, commit {facts['commit']}, {facts['date']}: calls one after "
             "another over one connection. nginx passes all of them on; kanmon answers a list "
             "itself. "
             "Instructions of user space, of all threads, by callgrind; SHA-256 and copies look "
             "dearer there than they are, because it has no SHA extension and counts a repeated "
             "instruction each time. The writer's are those of one commit of all counted calls. "
             "Syscalls by strace: of the threads that serve, and of the writer of the books, which "
             "makes one commit for all calls of 20 ms, so that its share falls as calls come "
             "faster. strace makes them slow: a kept connection that nobody has looked at for 2 ms "
             "is looked at before it is lent, which is a part of a `recv` more here than it is "
             "without.", "",
             "| | server | instructions | of these the writer | allocations | recv, send, wait | "
             "other syscalls |", "|---|---|---:|---:|---:|---:|---:|"]
    for r in rows:
        calls = r["syscalls"]
        served = [v for k, v in calls.items() if k.startswith(("recv", "send", "epoll", "writev",
                                                               "readv"))]
        lines.append(f"| {r['scenario']} | {r['server']} | {r['instructions']:,.0f} | "
                     f"{r['writer']:,.0f} | {r['allocations']:.1f} | {sum(served):.2f} | "
                     f"{sum(calls.values()) - sum(served):.2f} |")
    lines += ["", "Where a `tools/call` spends its instructions, what is called counted with it "
                  "(rows overlap):", "", "| | instructions |", "|---|---:|"]
    found = next((r["phases"] for r in rows if r["scenario"] == "tools/call" and
                  r["server"] == "kanmon"), {})
    lines += [f"| {what} (`{name}`) | {found[name]:,.0f} |" for what, name in PHASES
              if name in found]
    return "\n".join(lines + ["", END]) + "\n"


def kept(page):
    """The section as it stands on a page, or nothing."""
    found = re.search(re.escape(BEGIN) + ".*?" + re.escape(END) + "\n", page, re.S)
    return found[0] if found else ""


def put(page, section):
    old = kept(page)
    return page.replace(old, section) if old else page.rstrip("\n") + "\n\n" + section
