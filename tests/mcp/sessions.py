# SPDX-License-Identifier: Apache-2.0
"""An MCP client of the handshake era over HTTP that sees every byte: sessions, streams."""

import contextlib
import http.client
import json
import socket
import threading

from gateway import MASTER, patient, slow_factor, wait_until

from conftest import ACCEPT, NEW, OLD


def events(text):
    """The messages of an event stream."""
    return [json.loads(line[5:]) for line in text.splitlines()
            if line.startswith("data:") and line[5:].strip()]


class Session:
    """`with Session(gateway, "/mcp/name") as s: s.tool("echo", message="x")`."""

    def __init__(self, gateway, path="/mcp", key=MASTER, capabilities=None, version=OLD):
        self.gateway, self.path, self.version = gateway, path, version
        self.headers = {**ACCEPT, "content-type": "application/json",
                        **({"authorization": f"Bearer {key}"} if key else {})}
        self.capabilities = capabilities or {}
        self.number = 0
        self.notices = []
        self.stream = None

    def send(self, message, timeout=60):
        """(status, messages) of one POST on a connection of its own."""
        link = http.client.HTTPConnection("127.0.0.1", self.gateway.port,
                                          timeout=patient(timeout))
        try:
            link.request("POST", self.path, json.dumps(message), self.headers)
            answer = link.getresponse()
            text = answer.read().decode()
        finally:
            link.close()
        self.status, self.answered = answer.status, answer
        if "event-stream" in (answer.getheader("content-type") or ""):
            return answer.status, events(text)
        return answer.status, [json.loads(text)] if text.strip().startswith(("{", "[")) else []

    def ask(self, method, params=None, timeout=60):
        """The response to a request; other messages of its stream go to `notices`."""
        self.number += 1
        message = {"jsonrpc": "2.0", "id": self.number, "method": method, "params": params or {}}
        status, messages = self.send(message, timeout)
        found = [m for m in messages if m.get("id") == self.number or ("error" in m and m.get("id") is None)]
        self.notices += [m for m in messages if m not in found]
        assert found, f"{method}: {status} {messages}"
        return found[0]

    def tool(self, tool, timeout=60, **arguments):
        return self.ask("tools/call", {"name": tool, "arguments": arguments}, timeout)

    def tools(self):
        return {t["name"]: t for t in self.ask("tools/list")["result"]["tools"]}

    def hello(self):
        answer = self.ask("initialize", {
            "protocolVersion": self.version, "capabilities": self.capabilities,
            "clientInfo": {"name": "t", "version": "1"}})
        assert "result" in answer, answer
        self.headers["mcp-protocol-version"] = answer["result"]["protocolVersion"]
        if self.answered.getheader("mcp-session-id"):
            self.headers["mcp-session-id"] = self.answered.getheader("mcp-session-id")
        taken = self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        assert taken[0] == 202, taken
        return answer["result"]

    def listen(self):
        """Holds the GET stream open; what comes goes to `notices`."""
        self.link = http.client.HTTPConnection("127.0.0.1", self.gateway.port, timeout=patient(120))
        self.link.request("GET", self.path, headers=self.headers)
        self.socket = self.link.sock
        self.stream = self.link.getresponse()
        assert self.stream.status == 200, self.stream.status
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        try:
            for line in self.stream:
                if line.startswith(b"data:") and line[5:].strip():
                    self.notices.append(json.loads(line[5:]))
        except (OSError, ValueError, http.client.HTTPException, AttributeError):
            pass

    def to_the_end(self):
        """All that came, once the other side has closed the stream."""
        self.reader.join(30 * slow_factor())
        assert not self.reader.is_alive()
        return self.notices

    def heard(self, method, count=1):
        def found():
            those = [m for m in self.notices if m.get("method") == method]
            return those if len(those) >= count else None
        return wait_until(found, 30, f"{count} of {method}")

    def __enter__(self):
        self.begun = self.hello()
        return self

    def __exit__(self, *_):
        if self.stream:  # whoever reads there holds a lock until something comes
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)
            self.link.close()
        if "mcp-session-id" in self.headers:
            link = http.client.HTTPConnection("127.0.0.1", self.gateway.port, timeout=patient(30))
            with contextlib.suppress(ConnectionError):  # the gateway has ended
                link.request("DELETE", self.path, headers=self.headers)
                link.getresponse().read()
            link.close()


class Listening(Session):
    """A stateless client that has subscriptions/listen open: what comes goes to `notices`."""

    def __init__(self, *args, uris=(), **kwargs):
        super().__init__(*args, **kwargs)
        self.uris = list(uris)

    def hello(self):
        """Until it is acknowledged; `accepted` is what."""
        meta = {"io.modelcontextprotocol/protocolVersion": NEW,
                "io.modelcontextprotocol/clientCapabilities": self.capabilities}
        wanted = {"toolsListChanged": True, "promptsListChanged": True, "resourcesListChanged": True,
                  "resourceSubscriptions": self.uris}
        message = {"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen",
                   "params": {"notifications": wanted, "_meta": meta}}
        self.headers |= {"mcp-protocol-version": NEW, "mcp-method": message["method"]}
        self.link = http.client.HTTPConnection("127.0.0.1", self.gateway.port, timeout=patient(120))
        self.link.request("POST", self.path, json.dumps(message), self.headers)
        self.socket = self.link.sock
        self.stream = self.link.getresponse()
        assert self.stream.status == 200, self.stream.status
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        said = self.heard("notifications/subscriptions/acknowledged")[0]
        self.accepted = said["params"]["notifications"]


def text(answer):
    assert "result" in answer, answer
    return answer["result"]["content"][0]["text"]
