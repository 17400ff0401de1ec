# SPDX-License-Identifier: Apache-2.0
"""A Streamable HTTP MCP server that misbehaves as it is told, and counts what it is asked.

    with FaultyHttp(unknown=400) as server: ... server.url, server.counts["initialize"]

`counts` has each method, "GET" and "connection"; `forget()` makes it know no session any more, which
it answers with the status `unknown`; `get` is its answer to GET; `hang` names a tool whose answer
breaks off in the middle; `introduced` are the seconds it takes over notifications/initialized, and
"early" counts lists that were asked for before it was done with that.  `leveled` are those it takes
over logging/setLevel, None: it never answers that.  `fails_for` has values of the header field x-me
for which tools/list is an error, `refuses` those that are answered 401 whatever they ask, and
`breaks_for` those whose session cannot begin.
"""

import collections
import http.server
import json
import socket
import threading
import time
import uuid


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 2  # of a connection nobody uses

    def setup(self):
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.owner.count("connection")

    def log_message(self, *_):
        pass

    @property
    def owner(self):
        return self.server.owner

    def give(self, status, message=None, headers=None):
        body = json.dumps(message).encode() if message is not None else b""
        self.send_response(status)
        for name, value in {"content-type": "application/json", **(headers or {}),
                            "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.owner.count("GET")
        self.give(self.owner.get, {"error": "no stream"}, {"allow": "POST"})

    def do_DELETE(self):
        self.owner.count("DELETE")
        self.give(200)

    def do_POST(self):
        message = json.loads(self.rfile.read(int(self.headers["content-length"])))
        method = message.get("method", "")
        self.owner.count(method)
        self.owner.credentials.add(self.headers.get("authorization"))
        self.owner.seen.append({**{name.lower(): value for name, value in self.headers.items()},
                                "lines": [(n.lower(), v) for n, v in self.headers.items()],
                                "params": message.get("params") or {}, "method": method,
                                "path": self.path, "level": self.owner.level})
        if self.headers.get("x-me") in self.owner.refuses:
            self.give(401, {"error": "who is that?"})
            return
        if method == "initialize" and self.headers.get("x-me") in self.owner.breaks_for:
            self.give(500, {"error": "no home directory"})
            return
        if method == "server/discover":
            self.give(400, {"jsonrpc": "2.0", "id": message["id"], "error": {
                "code": -32600, "message": "Bad Request: Server not initialized"}})
            return
        if method == "initialize":
            session = self.owner.begin()
            self.answer(message, {"protocolVersion": message["params"]["protocolVersion"],
                                  "capabilities": {"tools": {"listChanged": True}, "logging": {}},
                                  "serverInfo": {"name": "faulty", "version": "1"}},
                        {"mcp-session-id": session})
            return
        if self.headers.get("mcp-session-id") not in self.owner.sessions:
            self.give(self.owner.unknown, {"jsonrpc": "2.0", "id": None, "error": {
                "code": -32000, "message": "Bad Request: No valid session ID provided"}})
        elif method == "notifications/initialized":
            time.sleep(self.owner.introduced)
            self.owner.introduced_to.add(self.headers["mcp-session-id"])
            self.give(202)
        elif "id" not in message:
            self.give(202)
        elif method == "tools/list":
            if self.headers["mcp-session-id"] not in self.owner.introduced_to:
                self.owner.count("early")
            if self.headers.get("x-me") in self.owner.fails_for:
                self.give(200, {"jsonrpc": "2.0", "id": message["id"], "error": {
                    "code": -32603, "message": "database is locked"}})
                return
            self.answer(message, {"tools": self.owner.tools})
        elif method == "logging/setLevel":
            if self.owner.leveled is not None:
                time.sleep(self.owner.leveled)
                self.owner.level = message["params"]["level"]
                self.answer(message, {})
        elif method == "tools/call":
            self.run(message)
        else:
            self.answer(message, {})

    def run(self, message):
        name = message["params"]["name"]
        self.owner.count(f"run {name}")
        self.owner.used.add(self.headers["mcp-session-id"])
        if name == self.owner.hang:
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            self.wfile.write(b": it begins\n\n")
            self.close_connection = True
            return
        self.answer(message, {"content": [{"type": "text", "text": "done"}]})

    def answer(self, message, result, headers=None):
        self.give(200, {"jsonrpc": "2.0", "id": message["id"], "result": result}, headers)


class FaultyHttp:
    def __init__(self, unknown=404, get=405, hang=None, introduced=0, leveled=0):
        self.unknown, self.get, self.hang, self.introduced = unknown, get, hang, introduced
        self.leveled, self.level = leveled, None
        self.fails_for = set()  # values of x-me whose tools/list is an error
        self.refuses, self.breaks_for = set(), set()  # values of x-me
        self.introduced_to = set()  # sessions
        self.sessions, self.counts, self.credentials = set(), collections.Counter(), set()
        self.used = set()  # sessions by which tools were called
        self.seen = []  # of each message its header fields, method, params, path, and the level then
        self.lock = threading.Lock()
        self.tools = [{"name": name, "description": "A tool", "inputSchema": {"type": "object"},
                       "annotations": {"readOnlyHint": True}} for name in ("work", "break")]

    def count(self, what):
        with self.lock:
            self.counts[what] += 1

    def begin(self):
        session = uuid.uuid4().hex
        with self.lock:
            self.sessions.add(session)
        return session

    def forget(self):
        with self.lock:
            self.sessions.clear()

    def __enter__(self):
        handler = type("Bound", (Handler,), {})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.handle_error = lambda *_: None  # clients hang up, as they are to
        self.server.daemon_threads = True
        self.server.owner = self
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/mcp"
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
