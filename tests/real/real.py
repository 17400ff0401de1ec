# SPDX-License-Identifier: Apache-2.0
"""Servers people run, reached by clients people run: directly and through kanmon the same.

    servers.py ──> one configuration ──> kanmon ──┬── /mcp/NAME ──┐
        │                                         └── /mcp ───────┤ look.py, look.mjs: rows
        └──────────────────── directly ───────────────────────────┘ compare.py

What a server does not do when it is reached directly is its own failure and stands in README.md, as
does what differs and why; the suite fails where such a line is missing, and where it is out of date.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e" / "lib"))

from gateway import Gateway, patient, request, wait_until  # noqa: E402
from ports import free_port  # noqa: E402

from compare import NONE, aggregated, differences, failures  # noqa: E402
from servers import NODE, Listening, entry, lay, npm, servers  # noqa: E402

CLIENTS = {"py1": "V1", "py2-legacy": "V2", "py2-auto": "V2", "ts1": None, "ts2-legacy": None, "ts2-auto": None,
           "fastmcp2": "V1", "fastmcp4-auto": "V2", "langchain": "V1", "agents": "V1"}
UNASKED = ("langchain", "agents")  # clients that cannot be asked anything
BLOCKED = ("fast2", "fast4")  # whose calls may block a process; they are left after a second
SHORT = ("py1", "py2-auto", "ts1", "ts2-auto")
ASKING = {"sampling": {}, "elicitation": {"form": {}}, "roots": {"listChanged": True}}


def look(client, targets):
    """What a client saw of each target: look.py, look.mjs."""
    line = CLIENTS[client]
    words = [os.environ[f"KM_PYTHON_{line}"], "look.py"] if line else [NODE, "look.mjs"]
    ran = subprocess.run([*words, client], cwd=HERE, text=True, capture_output=True, check=False,
                         input=json.dumps(targets), timeout=patient(400))
    if not ran.stdout.strip():
        return {t["name"]: {"connect": {"threw": ran.stderr[-600:]}} for t in targets}
    return json.loads(ran.stdout.strip().splitlines()[-1])


class World:
    """The servers, the gateway before all of them, and what is asked of each."""

    def __init__(self, folder, short):
        self.folder = pathlib.Path(folder).resolve()
        lay(self.folder)
        self.servers = [s for s in servers(self.folder) if s.short or not short]
        self.env = {"HOME": str(self.folder), "PATH": os.environ["PATH"]}
        self.log = (self.folder / "servers.log").open("w")
        self.listening = [Listening(s, free_port(), self.log) for s in self.servers if s.over != "stdio"]
        self.urls = {one.name: one.url for one in self.listening}
        entries = {s.name: entry(s, self.urls, self.env) for s in self.servers}
        for name in BLOCKED:
            entries.get(name, {})["silence_timeout"] = "1s"
        # What is compared is what passes, not who is asked first.
        text = json.dumps({"mcp_servers": entries, "kanmon_settings": {
            "state_dir": str(self.folder / "state"), "workers": 2, "mcp_safety": {"approve": "never"}}})
        (self.folder / "entries.json").write_text(json.dumps(entries))
        self.gateway = Gateway(self.folder / "gateway", text)

    def __enter__(self):
        try:
            for one in self.listening:
                self.wait_for(one)
            self.gateway.start()
            wait_until(self.all_ready, 120, "all servers to be ready", 0.1)
        except BaseException as error:
            self.__exit__()
            said = (self.folder / "servers.log").read_text()[-1500:]
            raise AssertionError(f"{error}\n{self.states()}\n{said}") from error
        return self

    def wait_for(self, one):
        def listens():
            assert one.process.poll() is None, f"{one.name} ended"
            try:
                socket.create_connection(("127.0.0.1", one.port), 1).close()
                return True
            except OSError:
                return False
        wait_until(listens, 60, one.name)

    def states(self):
        return getattr(self, "seen", "")

    def all_ready(self):
        listed = request(self.gateway.port, "GET", "/kanmon/mcp/servers").json()["servers"]
        self.seen = "\n".join(f"{s['name']}: {s['state']} {s['why']}" for s in listed if s["state"] != "ready")
        return not self.seen

    def __exit__(self, *_):
        self.gateway.stop()
        for one in self.listening:
            one.process.terminate()
        for one in self.listening:
            one.process.wait(patient(20))
        self.log.close()

    def asked(self, server, client):
        questions = server.questions if client not in UNASKED else []
        return {"name": server.name, "calls": server.calls + questions, "errors": server.errors,
                "completions": server.completions, "prompts": server.prompts, "none": "no-such-tool"}

    def directly(self, client):
        return [{**entry(s, self.urls, self.env), **self.asked(s, client)} for s in self.servers]

    def through(self, client):
        url = f"http://127.0.0.1:{self.gateway.port}"
        each = [{"transport": "http", "url": f"{url}/mcp/{s.name}", **self.asked(s, client)} for s in self.servers]
        return [*each, {"transport": "http", "url": f"{url}/mcp", **self.all_at_once(client)}]

    def all_at_once(self, client):
        def named(what):
            return [[prefix(s) + name, arguments] for s in self.servers
                    for name, arguments in self.asked(s, client)[what]]
        return {"name": "*", "calls": named("calls"), "errors": named("errors"), "completions": [],
                "prompts": {}, "none": "no-such-tool"}

    def bridged(self, client):
        """By mcp-remote before kanmon."""
        words = npm("mcp-remote/dist/proxy.js")
        return [{"transport": "stdio", "command": words[0],
                 "args": [*words[1:], f"http://127.0.0.1:{self.gateway.port}/mcp/{s.name}", "--allow-http"],
                 "env": {**self.env, "MCP_REMOTE_CONFIG_DIR": str(self.folder / "bridged")}, **self.asked(s, client)}
                for s in self.servers if s.short]


def prefix(server):
    return server.name.replace("-", "_") + "-"


class Known:
    """The table of README.md: | server | clients | row | reason |"""

    def __init__(self, heading):
        text = (HERE / "README.md").read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
        rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines()
                if line.startswith("| `")]
        self.rows = [tuple(cell.strip("`") for cell in row[:3]) for row in rows]
        self.used = set()

    def has(self, server, client, row):
        for known in self.rows:
            if known[0] == server and re.fullmatch(known[1].replace("*", ".*"), client) and row.startswith(known[2]):
                self.used.add(known)
                return True
        return False

    def idle(self, names, clients):
        """Lines that nothing was seen of, though what they are about was looked at."""
        return [known for known in self.rows if known not in self.used and known[0] in names
                and any(re.fullmatch(known[1].replace("*", ".*"), client) for client in clients)]


class Result:
    def __init__(self):
        self.passed = self.failed = 0
        self.own, self.unequal = Known("Failures of servers themselves"), Known("What differs")

    def say(self, holds, what):
        self.passed += bool(holds)
        self.failed += not holds
        if not holds:
            print(f"FAILED {what}"[:900], flush=True)

    def compare(self, way, server, direct, through, rows=None):
        era = way.rpartition("-")[2]
        found = {row: said for row, said in differences(direct, through, era) if rows is None or row in rows}
        for row in direct if rows is None else rows:
            if row not in found:
                self.passed += 1
        for row, said in found.items():
            self.say(self.unequal.has(server, way, row), f"{way}: {server}: {row}: {said}")

    def judge_direct(self, client, server, direct):
        for row, said in failures(direct):
            self.say(self.own.has(server, client, row), f"{client}: {server} itself: {row}: {said}")


def look_both_ways(world, result, clients):
    """Each client: every server directly, and by its own path and that of all through kanmon."""
    for client in clients:
        began = time.monotonic()
        direct, through = look(client, world.directly(client)), look(client, world.through(client))
        for server in world.servers:
            mine = direct[server.name]
            result.judge_direct(client, server.name, mine)
            result.compare(client, server.name, mine, through[server.name])
            all_of_them = aggregated(through["*"], prefix(server))
            result.compare(f"all:{client}", server.name, mine, all_of_them,
                           [row for row in mine if row == "tools" or row.startswith(("call ", "error "))
                            and row not in NONE])
        if client == "py1" and len(clients) > len(SHORT):
            seen = look(client, world.bridged(client))
            for name, rows in seen.items():
                result.compare("remote:py1", name, direct[name], rows)
        print(f"       {client}: {time.monotonic() - began:.0f} s", flush=True)


def descendants(pid):
    found = set()
    for child in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        for one in map(int, child.read_text().split()):
            found |= {one, *descendants(one)}
    return found


def first_list(port, path, kind):
    """(names of the tools, milliseconds) that a new client has at its first look."""
    def rpc(number, method, params, headers):
        return request(port, "POST", path, {"jsonrpc": "2.0", "id": number, "method": method, "params": params},
                       headers={"accept": "application/json, text/event-stream", **headers})

    begun = rpc(1, "initialize", {"protocolVersion": "2025-11-25", "capabilities": kind,
                                  "clientInfo": {"name": "new", "version": "1"}}, {})
    headers = {"mcp-session-id": begun.header("mcp-session-id"), "mcp-protocol-version": "2025-11-25"}
    at = time.monotonic()
    answer = rpc(2, "tools/list", {}, headers).json()["result"]
    return {tool["name"] for tool in answer["tools"]}, (time.monotonic() - at) * 1000


def reach(world, result):
    """A client of a new kind has all tools at its first look, and nothing is started for it."""
    port = world.gateway.port
    before = descendants(world.gateway.process.pid)
    looks = [first_list(port, "/mcp", kind) for kind in ({}, {"elicitation": {}}, {"roots": {}}, ASKING)]
    result.say(descendants(world.gateway.process.pid) == before, "a list started a process")
    listed = looks[0][0]
    missing = [s.name for s in world.servers if not any(name.startswith(prefix(s)) for name in listed)]
    result.say(all(names == listed for names, _ in looks) and not missing, f"a first list lacks {missing}")
    one = next(one for one in world.listening if one.name == "everything-http")
    few, direct = first_list(one.port, "/mcp", ASKING)
    print(f"       reach: {len(listed)} tools of {len(world.servers)} servers, first lists of four kinds of client in "
          f"{', '.join(f'{ms:.1f}' for _, ms in looks)} ms, {len(before)} processes before and after; "
          f"{len(few)} tools of one of them, directly: {direct:.1f} ms", flush=True)


def call(port, name, tool, arguments):
    """The text that a call without a session gives, or what it failed with."""
    answer = request(port, "POST", f"/mcp/{name}", {
        "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}},
        headers={"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25"}, timeout=60).json()
    return answer["result"]["content"][0]["text"] if "result" in answer else str(answer)


def hang(world, result):
    """A call that blocks its server's process holds nobody else."""
    for name in [s.name for s in world.servers if s.name in BLOCKED]:
        began, until = (world.folder / f"{name}.{word}" for word in ("began", "until"))
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            blocked = pool.submit(call, world.gateway.port, name, "blocks", {"began": str(began), "until": str(until)})
            wait_until(began.exists, 60, "the call to run")
            other = call(world.gateway.port, name, "add", {"a": 2})
            result.say(other == "3.5" and not blocked.done(), f"{name}: beside one that hangs: {other}")
            until.touch()
            result.say(blocked.result() == "over", f"{name}: the one that hung: {blocked.result()}")


def programs(world):
    """Claude Code and Codex with the world's servers: the rows "mcp" of tests/clients."""
    return subprocess.run(["tests/clients/run", "--binary", os.environ["KANMON_BINARY"], "--servers",
                           str(world.folder / "entries.json"), "mcp"], cwd=HERE.parent.parent, check=False,
                          timeout=patient(600)).returncode


def check(world, clients, every_line):
    result = Result()
    reach(world, result)
    hang(world, result)
    look_both_ways(world, result, clients)
    names = {s.name for s in world.servers}
    if every_line:
        for known in [*result.own.idle(names, clients),
                      *result.unequal.idle(names, [*clients, *(f"all:{c}" for c in clients)])]:
            result.say(False, f"README.md lists what was not seen: {known}")
    print(f"real: {result.passed} passed, {result.failed} failed")
    if os.environ.get("KM_COUNTS"):
        with open(os.environ["KM_COUNTS"], "a", encoding="utf-8") as counts:
            counts.write(f"{result.passed} {result.failed}\n")
    return 1 if result.failed or not result.passed else 0


def main():
    words = argparse.ArgumentParser()
    words.add_argument("--long", action="store_true", help="all servers and clients")
    words.add_argument("--programs", action="store_true", help="Claude Code and Codex, in place of the others")
    words.add_argument("clients", nargs="*")
    options = words.parse_args()
    clients = options.clients or (list(CLIENTS) if options.long else SHORT)
    with tempfile.TemporaryDirectory() as folder, World(folder, not options.long) as world:
        return programs(world) if options.programs else check(world, clients, not options.clients)


if __name__ == "__main__":
    sys.exit(main())
