# SPDX-License-Identifier: Apache-2.0
"""One gateway for all tests, its master key and a virtual key, and a way to post messages."""

import pathlib
import sqlite3
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e" / "lib"))

from gateway import Gateway, binary
from long_form import *  # noqa: F403

OLD = "2025-11-25"
NEW = "2026-07-28"
META = {"io.modelcontextprotocol/protocolVersion": NEW,
        "io.modelcontextprotocol/clientCapabilities": {}}
ACCEPT = {"accept": "application/json, text/event-stream"}


class McpGateway(Gateway):
    def post(self, message, path="/mcp/kanmon", headers=None, **kwargs):
        """One message as it is; returns the HTTP answer."""
        return self.call("POST", path, message, headers={**ACCEPT, **(headers or {})}, **kwargs)

    def rpc(self, method, params=None, path="/mcp/kanmon", version=OLD, headers=None, **kwargs):
        """A request of the handshake era; returns the JSON-RPC answer."""
        message = {"jsonrpc": "2.0", "id": 1, "method": method}
        if params is not None:
            message["params"] = params
        send = {"mcp-protocol-version": version, **(headers or {})}
        return self.post(message, path, send, **kwargs).json()

    def stateless(self, method, params=None, headers=None, path="/mcp/kanmon", **kwargs):
        """A request of the stateless era; `headers` replace those it needs, None leaves one out."""
        params = {**(params or {}), "_meta": META}
        send = {"mcp-protocol-version": NEW, "mcp-method": method}
        if "name" in params:
            send["mcp-name"] = params["name"]
        send.update(headers or {})
        send = {k: v for k, v in send.items() if v is not None}
        return self.post({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}, path,
                         send, **kwargs)

    def audit(self):
        """The records of tool calls: (actor, target, detail)."""
        with sqlite3.connect(next((self.folder / "state").glob("*.db"))) as store:
            return store.execute("SELECT actor, target, detail FROM audit WHERE action='mcp.call' "
                                 "ORDER BY seq").fetchall()

    def bridge_words(self, *more):
        return ["mcp", "stdio", "--config", str(self.config), *map(str, more)]


@pytest.fixture(scope="session")
def gateway(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gateway")
    text = (HERE / "config.yaml").read_text().format(state=folder / "state")
    with McpGateway(folder, text) as started:
        yield started


@pytest.fixture(scope="session")
def key(gateway):
    """A virtual key that may use one of the two models."""
    return gateway.new_key(key_alias="mcp-tests", models=["small"], max_budget=2.5, rpm_limit=600)


@pytest.fixture(scope="session")
def kanmon():
    return str(binary())
