# SPDX-License-Identifier: Apache-2.0
"""Every feature of the reference server, reached directly and through kanmon: the same.

The reference server runs over stdio, Streamable HTTP and SSE; official clients (TypeScript v1 and
v2, Python, Inspector) go through its features both ways, and what they saw is compared.  There is
no list of differences to expect.
"""

import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e" / "lib"))

from gateway import Gateway, slow_factor, wait_until  # noqa: E402
from ports import free_port  # noqa: E402

NODE = os.environ.get("KM_NODE", "node")
SERVER = HERE / "node_modules" / "@modelcontextprotocol" / "server-everything" / "dist" / "index.js"
INSPECTOR = HERE / "node_modules" / "@modelcontextprotocol" / "inspector" / "clients" / "launcher" / "build" / "index.js"
TRANSPORTS = ("stdio", "http", "sse")
CLIENTS = ("v1", "v2-legacy", "v2-auto")
SHORT = ("v1 http", "v2-legacy stdio", "v2-auto sse", "inspector http", "v1 stdio through kanmon mcp stdio")

# What Inspector is told, and compared.
INSPECTED = {
    "tools/list": ["--method", "tools/list"],
    "tools/call": ["--method", "tools/call", "--tool-name", "get-sum", "--tool-arg", "a=2", "--tool-arg", "b=3"],
    "resources/list": ["--method", "resources/list"],
    "resources/read": ["--method", "resources/read", "--uri", "demo://resource/static/document/features.md"],
    "prompts/list": ["--method", "prompts/list"],
    "prompts/get": ["--method", "prompts/get", "--prompt-name", "args-prompt", "--prompt-args", "city=Oslo"],
}


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
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def observe(spec):
    """What a client of features.mjs saw."""
    ran = subprocess.run([NODE, "observe.mjs", json.dumps(spec)], cwd=HERE, text=True,
                         capture_output=True, timeout=120 * slow_factor(), stdin=subprocess.DEVNULL)
    if ran.returncode or not ran.stdout:
        return {"features": {"(connect)": {"threw": (ran.stderr or ran.stdout)[-400:]}}}
    return json.loads(ran.stdout)


def inspect(target):
    """What Inspector prints of each method."""
    out = {}
    for name, words in INSPECTED.items():
        ran = subprocess.run([NODE, str(INSPECTOR), "--cli", *target, *words, "--format", "json", "-q"],
                             cwd=HERE, text=True, capture_output=True, stdin=subprocess.DEVNULL,
                             timeout=120 * slow_factor())
        try:
            out[name] = json.loads(ran.stdout)
        except ValueError:
            out[name] = {"threw": (ran.stderr + ran.stdout)[-400:]}
    return {"features": out}


def config(references, state):
    # One worker: each has its own session with a server, and what a stateless client's call made in
    # one is not in another.  Several workers are for tests/mcp.
    node = json.dumps(NODE)
    return f"""
mcp_servers:
  everything_stdio: {{transport: stdio, command: {node}, args: ["{SERVER}", "stdio"]}}
  everything_http: {{transport: http, url: "{references['http'].url}"}}
  everything_sse: {{transport: sse, url: "{references['sse'].url}"}}
kanmon_settings: {{state_dir: "{state}", workers: 1}}
"""


def direct_spec(client, transport, references):
    if transport == "stdio":
        return {"client": client, "transport": "stdio", "command": NODE, "args": [str(SERVER), "stdio"]}
    return {"client": client, "transport": transport, "url": references[transport].url}


def jobs(references, gateway, bridge):
    """[(what, how directly, how through kanmon)], each a function."""
    for transport in TRANSPORTS:
        url = f"{gateway.url}/mcp/everything_{transport}"
        for client in CLIENTS:
            yield (f"{client} {transport}", lambda c=client, t=transport: observe(direct_spec(c, t, references)),
                   lambda c=client, u=url: observe({"client": c, "transport": "http", "url": u}))
        yield (f"inspector {transport}",
               lambda t=transport: inspect([NODE, str(SERVER), "stdio"] if t == "stdio" else
                                           [references[t].url, "--transport", t]),
               lambda u=url: inspect([u, "--transport", "http"]))
    for client in CLIENTS:
        yield (f"{client} stdio through kanmon mcp stdio",
               lambda c=client: observe(direct_spec(c, "stdio", references)),
               lambda c=client: observe({"client": c, "transport": "stdio", "command": bridge[0],
                                         "args": [*bridge[1:], "--server", "everything_stdio"]}))


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


def first_difference(a, b, path=""):
    if isinstance(a, dict) and isinstance(b, dict):
        for key in sorted(set(a) | set(b)):
            if a.get(key) != b.get(key):
                return first_difference(a.get(key), b.get(key), f"{path}.{key}")
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for i, (x, y) in enumerate(zip(a, b)):
            if x != y:
                return first_difference(x, y, f"{path}[{i}]")
    return f"{path or '(all)'}: {json.dumps(a)[:200]} != {json.dumps(b)[:200]}"


def main(words):
    passed = failed = 0
    references = {kind: Reference(kind) for kind in ("http", "sse")}
    with tempfile.TemporaryDirectory() as folder:
        gateway = Gateway(folder, config(references, f"{folder}/state"))
        gateway.env["PATH"] = os.environ["PATH"]
        try:
            for reference in references.values():
                reference.wait()
            with gateway:
                bridge = [os.environ["KANMON_BINARY"], "mcp", "stdio", "--config", str(gateway.config)]
                short = "--short" in words
                wanted = [job for job in jobs(references, gateway, bridge)
                          if (job[0] in SHORT if short else
                              not words or any(word in job[0] for word in words))]
                with concurrent.futures.ThreadPoolExecutor(4) as pool:
                    ran = [(job, pool.submit(job[1]), pool.submit(job[2])) for job in wanted]
                    ran = [(job, one.result(), two.result()) for job, one, two in ran]
                for (what, one, two), direct, through in ran:
                    found = list(differences(direct, through))
                    if found:  # beside others, on a busy machine: once more, alone
                        print(f"       {what}: once more, alone", flush=True)
                        direct, through = one(), two()
                        found = list(differences(direct, through))
                    passed += len(direct["features"]) - len(found)
                    failed += len(found) + (len(direct["features"]) == 0)
                    print(f"{'FAILED' if found else 'ok    '} {what}: {len(direct['features'])} features, "
                          f"{len(found)} differ", flush=True)
                    for name, a, b in found:
                        print(f"    {name}: {first_difference(a, b)}")
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
