# SPDX-License-Identifier: Apache-2.0
"""The MCP gateways we compare with, installed below build/bench from locked wheels.

    mcp-proxy      bench/peers/mcp-proxy/requirements.lock      stdio servers over HTTP
    ContextForge   bench/peers/contextforge/requirements.lock   a gateway with a database

mcp-proxy checks no key; ContextForge checks a token, as it does when nothing else is said.
agentgateway is in no registry that this builds from, so that the page can only say so.
"""
import os
import subprocess

from harness.mcp import OLD, hello, post
from harness.peers import locked_wheels
from harness.servers import Server, Unavailable, ask, output

SECRET = "a-secret-of-the-benchmark-and-no-other-use"


class Wheels(Server):
    """A Python program from a lock file."""

    package = ""
    lists, rates, slow = True, (1000,), True
    headers = {}

    def prepare(self):
        lock = os.path.join(self.bench.root, "bench/peers", self.name, "requirements.lock")
        self.venv = os.path.join(self.bench.cache, self.name)
        locked_wheels(lock, self.venv)

    def version(self):
        shown = output(f"{self.venv}/bin/pip", "--disable-pip-version-check", "show", self.package)
        return next((line.split()[1] for line in shown.splitlines()
                     if line.startswith("Version:")), "?")

    def begin(self):
        self.prepare()
        self.start()
        self.headers = {}


class McpProxy(Wheels):
    name, title, package = "mcp-proxy", "mcp-proxy", "mcp-proxy"
    note = "the echo server over stdio, which it starts; no checks, no records"
    ready_path, ready_limit_s = "/status", 60

    def command(self):
        echo = os.path.join(self.bench.build, "bench/bench_mcp_stdio")
        return [f"{self.venv}/bin/mcp-proxy", "--host", "127.0.0.1", "--port", str(self.port),
                "--named-server", "many", f"{echo} 500", echo, "10"]

    def target(self, tools=10):
        return ("/mcp" if tools == 10 else "/servers/many/mcp"), "echo1"


class ContextForge(Wheels):
    name, title, package = "contextforge", "ContextForge", "mcp-contextforge-gateway"
    note = ("the echo server over HTTP; SQLite, a token is checked, no plugins, no limit of "
            "calls")
    ready_path, ready_limit_s = "/health", 120

    def environment(self):
        return {"DATABASE_URL": f"sqlite:///{self.dir}/mcp.db", "MCPGATEWAY_UI_ENABLED": "false",
                "PLUGINS_ENABLED": "false", "LOG_LEVEL": "ERROR", "SSRF_ALLOW_LOCALHOST": "true",
                "SSRF_ALLOW_PRIVATE_NETWORKS": "true", "JWT_SECRET_KEY": SECRET,
                "AUTH_ENCRYPTION_SECRET": SECRET, "ENVIRONMENT": "development",
                "PLATFORM_ADMIN_EMAIL": "admin@example.com",
                # 100 calls a minute otherwise, and then the account is locked
                "RATE_LIMITING_ENABLED": "false", "TOOL_RATE_LIMIT": "100000000"}

    def command(self):
        return [f"{self.venv}/bin/mcpgateway", "mcpgateway.main:app", "--host", "127.0.0.1",
                "--port", str(self.port), "--workers", "1", "--no-access-log"]

    def begin(self):
        super().begin()
        # It reads its settings before its arguments, and ends when they name no secret.
        made = subprocess.run([f"{self.venv}/bin/python", "-m", "mcpgateway.utils.create_jwt_token",
                               "--username", "admin@example.com", "--exp", "600", "--admin",
                               "--secret", SECRET], cwd=self.dir, capture_output=True, text=True,
                              env={**os.environ, **self.environment()}, check=False)
        token = (made.stdout.strip().splitlines() or [""])[-1]
        self.headers = {"Authorization": f"Bearer {token}"}
        status, answer = ask(self.port, "POST", "/gateways", {
            "name": "ten", "url": f"http://127.0.0.1:{self.bench.mock}/mcp/10",
            "transport": "STREAMABLEHTTP"}, token, timeout=60)
        if status >= 300:
            raise Unavailable(f"it did not take the server: {status} {str(answer)[:150]}")
        session = hello(self.port, "/mcp/", self.headers)
        _, _, listed = post(self.port, "/mcp/", {"jsonrpc": "2.0", "id": 1, "method": "tools/list"},
                            session)
        names = [tool["name"] for tool in listed.get("result", {}).get("tools", [])]
        self.tool = next((name for name in names if name.endswith("echo1")), None)
        if not self.tool:
            raise Unavailable(f"it does not list the tools (revision {OLD}): {str(listed)[:150]}")

    lists = False  # all servers are one list there

    def target(self, tools=10):
        return "/mcp/", self.tool


class AgentGateway(Server):
    name, title, note = "agentgateway", "agentgateway", ""
    lists, rates = False, ()

    def begin(self):
        raise Unavailable("its makers publish no crate, no npm package and no Go module, and PyPI's "
                          "package of that name is another program; it is built from its "
                          "repository only")
