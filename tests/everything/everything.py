# SPDX-License-Identifier: Apache-2.0
"""Every feature of the reference server, reached directly and through kanmon: the same.

The reference server runs over stdio, Streamable HTTP and SSE; official clients (TypeScript v1 and
v2, Python 1.x and 2.x, Inspector with `--load`) go through its features both ways, and what they
saw is compared.  There is no list of differences to expect.

    Way: client x transport --> observe.mjs  features.mjs      TypeScript
                            --> observe.py   features.py       Python
                            --> Inspector    INSPECTED below
"""

import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e" / "lib"))

from difference import first_difference  # noqa: E402
from gateway import Gateway, patient, wait_until  # noqa: E402
from ports import free_port  # noqa: E402

NODE = os.environ.get("KM_NODE", "node")
SERVER = HERE / "node_modules" / "@modelcontextprotocol" / "server-everything" / "dist" / "index.js"
INSPECTOR = HERE / "node_modules" / "@modelcontextprotocol" / "inspector" / "clients" / "launcher" / "build" / "index.js"
TRANSPORTS = ("stdio", "http", "sse")
CLIENTS = ("v1", "v2-legacy", "v2-auto", "py1", "py2-legacy", "py2-auto")
SHORT = ("v1 http", "v2-legacy stdio", "v2-auto sse", "py1 sse", "py2-auto http", "inspector http",
         "v1 stdio through kanmon mcp stdio")

# What Inspector is told, and compared.  Tools that are listed only to clients that can be asked come
# with the first call.
INSPECTED = {
    "tools/call": ["--method", "tools/call", "--tool-name", "get-sum", "--tool-arg", "a=2", "--tool-arg", "b=3"],
    "resources/list": ["--method", "resources/list"],
    "resources/read": ["--method", "resources/read", "--uri", "demo://resource/static/document/features.md"],
    "prompts/list": ["--method", "prompts/list"],
    "prompts/get": ["--method", "prompts/get", "--prompt-name", "args-prompt", "--prompt-args", "city=Oslo"],
    "tools/call, many at once": ["--method", "tools/call", "--tool-name", "echo", "--tool-arg", "message=hi",
                                 "--load", "--load-requests", "400", "--load-concurrency", "16"],
    "tools/list": ["--method", "tools/list"],
}
# How long it took is no feature.
INSPECTED_PART = {"tools/call, many at once": lambda said: {
    key: said["result"][key] for key in ("requests", "ok", "toolErrors", "errors", "errorMessages")}}


class Reference:
    """The reference server over HTTP or SSE."""

    def __init__(self, kind):
        self.kind, self.port = kind, free_port()
        self.process = subprocess.Popen(
            [NODE, str(SERVER), {"http": "streamableHttp", "sse": "sse"}[kind]], cwd=HERE,
            env={**os.environ, "PORT": str(self.port)}, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.url = f"http://127.0.0.1:{self.port}/{'sse' if kind == 'sse' else 'mcp'}"

    def wait(self):
        import socket

        def listens():
            assert self.process.poll() is None, f"the reference server ({self.kind}) ended"
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return True
            except OSError:
                return False
        wait_until(listens, 60, "the reference server")

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(patient(10))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def observe(spec):
    """What a client of features.mjs or features.py saw."""
    python = os.environ.get({"py1": "KM_PYTHON_V1"}.get(spec["client"], "KM_PYTHON_V2"))
    words = [python, "observe.py"] if spec["client"].startswith("py") else [NODE, "observe.mjs"]
    ran = subprocess.run([*words, json.dumps(spec)], cwd=HERE, text=True, capture_output=True,
                         timeout=patient(120), stdin=subprocess.DEVNULL)
    if not ran.stdout:
        return {"features": {"(connect)": {"threw": (ran.stderr or ran.stdout)[-400:]}}}
    return json.loads(ran.stdout)


def inspect(spec):
    """What Inspector prints of each method."""
    if spec["transport"] == "stdio":
        target = [spec["command"], *spec["args"]]
    else:
        target = [spec["url"], "--transport", spec["transport"]]
    out = {}
    for name, words in INSPECTED.items():
        ran = subprocess.run([NODE, str(INSPECTOR), "--cli", *target, *words, "--format", "json", "-q"],
                             cwd=HERE, text=True, capture_output=True, stdin=subprocess.DEVNULL,
                             timeout=patient(120))
        try:
            out[name] = INSPECTED_PART.get(name, lambda said: said)(json.loads(ran.stdout))
        except (ValueError, KeyError):
            out[name] = {"threw": (ran.stderr + ran.stdout)[-400:]}
    return {"features": out}


class Way:
    """One client over one transport of the reference server, directly and through kanmon."""

    def __init__(self, client, transport, bridged=False):
        self.client, self.transport, self.bridged = client, transport, bridged
        self.name = f"{client} {transport}" + (" through kanmon mcp stdio" if bridged else "")
        # A server of its own: others of the same capabilities would share its sessions, and what
        # one switches on there another switches off.
        self.server = re.sub(r"\W", "_", f"{client}_{transport}_{'b' if bridged else 'h'}")

    def entry(self, references):
        if self.transport == "stdio":
            return f'{{transport: stdio, command: {json.dumps(NODE)}, args: ["{SERVER}", "stdio"]}}'
        return f'{{transport: {self.transport}, url: "{references[self.transport].url}"}}'

    def see(self, target):
        return (inspect if self.client == "inspector" else observe)({"client": self.client, **target})

    def directly(self, references):
        if self.transport == "stdio":
            return self.see({"transport": "stdio", "command": NODE, "args": [str(SERVER), "stdio"]})
        return self.see({"transport": self.transport, "url": references[self.transport].url})

    def through(self, gateway):
        if self.bridged:
            words = ["mcp", "stdio", "--config", str(gateway.config), "--server", self.server]
            return self.see({"transport": "stdio", "command": os.environ["KANMON_BINARY"],
                             "args": words})
        return self.see({"transport": "http", "url": f"{gateway.url}/mcp/{self.server}"})


WAYS = [Way(client, transport) for transport in TRANSPORTS for client in (*CLIENTS, "inspector")]
WAYS += [Way(client, "stdio", True) for client in CLIENTS]


def config(references, ways, state):
    # One worker: each has its own session with a server, and what a stateless client's call made in
    # one is not in another.  Several workers are for tests/mcp.
    servers = "".join(f"  {way.server}: {way.entry(references)}\n" for way in ways)
    return f"mcp_servers:\n{servers}kanmon_settings: {{state_dir: \"{state}\", workers: 1}}\n"


def differences(direct, through):
    """[(feature, how directly, how through)]; a feature that only one way has is one."""
    one, two = direct["features"], through["features"]
    # A server of the handshake era shows a client of both more than the same client sees of kanmon
    # in the stateless era, which has no such methods.
    missing = [name for name in one if name not in two and through.get("negotiated") != "2026-07-28"]
    yield from ((name, one[name], "missing") for name in missing)
    for name in two:
        if name in one and one[name] != two[name]:
            yield name, one[name], two[name]
        elif name not in one:
            yield name, "missing", two[name]
    for name, value in (direct.get("capabilities") or {}).items():
        if name not in (through.get("capabilities") or {}) and name not in ("tasks", "logging"):
            yield f"capability {name}", value, "missing"


def ways_of(words):
    if "--short" in words:
        return [way for way in WAYS if way.name in SHORT]
    return [way for way in WAYS if not words or any(word in way.name for word in words)]


def compare(ways, references, gateway):
    """(passed, failed), said way by way."""
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        ran = [(way, pool.submit(way.directly, references), pool.submit(way.through, gateway))
               for way in ways]
    for way, one, two in ran:
        direct, through = one.result(), two.result()
        found = list(differences(direct, through))
        if found:  # beside others, on a busy machine: once more, alone
            print(f"       {way.name}: once more, alone: "
                  + "; ".join(f"{n}{first_difference(a, b)}"[:300] for n, a, b in found), flush=True)
            direct, through = way.directly(references), way.through(gateway)
            found = list(differences(direct, through))
        passed += len(direct["features"]) - len(found)
        failed += len(found) + (len(direct["features"]) == 0)
        print(f"{'FAILED' if found else 'ok    '} {way.name}: {len(direct['features'])} features, "
              f"{len(found)} differ", flush=True)
        for name, a, b in found:
            print(f"    {name}: {first_difference(a, b)}")
    return passed, failed


def main(words):
    references = {kind: Reference(kind) for kind in ("http", "sse")}
    ways = ways_of(words)
    with tempfile.TemporaryDirectory() as folder:
        gateway = Gateway(folder, config(references, ways, f"{folder}/state"))
        gateway.env["PATH"] = os.environ["PATH"]
        try:
            for reference in references.values():
                reference.wait()
            with gateway:
                passed, failed = compare(ways, references, gateway)
        finally:
            for reference in references.values():
                reference.stop()
    print(f"everything: {passed} passed, {failed} failed")
    if os.environ.get("KM_COUNTS"):
        with open(os.environ["KM_COUNTS"], "a", encoding="utf-8") as counts:
            counts.write(f"{passed} {failed}\n")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
