# SPDX-License-Identifier: Apache-2.0
"""An MCP client that speaks lines to a process and looks at every message; and fixture servers."""

import json
import os
import pathlib
import queue
import subprocess
import threading

from gateway import slow_factor, wait_until

from conftest import META, NEW, OLD

FIXTURE = pathlib.Path(__file__).resolve().parent.parent / "conformance" / "fixture" / "server.mjs"
CAPABILITIES = {"sampling": {}, "elicitation": {}, "roots": {"listChanged": True}}
ANSWERS = {
    "sampling/createMessage": {"role": "assistant", "model": "m", "stopReason": "endTurn",
                               "content": {"type": "text", "text": "Paris"}},
    "elicitation/create": {"action": "accept", "content": {"username": "u", "email": "e@x.org",
                                                           "name": "Ann", "ok": True}},
    "roots/list": {"roots": [{"uri": "file:///here", "name": "here"}]},
}


class Fixture:
    """A fixture server over HTTP; v1 is the handshake era, v2 the stateless one."""

    def __init__(self, line, port=0):
        self.line, self.port = line, port

    def __enter__(self):
        self.process = subprocess.Popen(
            [os.environ.get("KM_NODE", "node"), str(FIXTURE), self.line, "http", str(self.port)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip().removesuffix("/mcp")
        self.port = int(self.url.rpartition(":")[2])
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(20 * slow_factor())


class Lines:
    """Use as a context manager.  `questions` and `notices` are what the other side said."""

    def __init__(self, command, env):
        self.command, self.env = command, env
        self.next_id = 0
        self.questions, self.notices = [], []
        self.answers = queue.Queue()
        self.kept = {}

    def __enter__(self):
        self.process = subprocess.Popen(list(map(str, self.command)), env=self.env,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.lock = threading.Lock()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.stdin.close()
            self.status = self.process.wait(30 * slow_factor())
        self.reader.join(20)
        self.process.stdout.close()

    def _read(self):
        for line in self.process.stdout:
            message = json.loads(line)
            if "method" in message and "id" in message:
                self.questions.append(message)
                if message["method"] in ANSWERS:
                    self.send({"jsonrpc": "2.0", "id": message["id"],
                               "result": ANSWERS[message["method"]]})
            elif "method" in message:
                self.notices.append(message)
            else:
                self.answers.put(message)

    def send(self, message):
        with self.lock:
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()

    def notify(self, method, params=None):
        self.send({"jsonrpc": "2.0", "method": method, **({"params": params} if params else {})})

    def begin(self, method, params=None):
        self.next_id += 1
        self.send({"jsonrpc": "2.0", "id": self.next_id, "method": method, "params": params or {}})
        return self.next_id

    def wait(self, number):
        while number not in self.kept:
            answer = self.answers.get(timeout=30 * slow_factor())
            self.kept[answer["id"]] = answer
        return self.kept.pop(number)

    def ask(self, method, params=None):
        return self.wait(self.begin(method, params))

    def hello(self, version=OLD):
        answer = self.ask("initialize", {"protocolVersion": version, "capabilities": CAPABILITIES,
                                         "clientInfo": {"name": "lines", "version": "1"}})
        self.notify("notifications/initialized")
        return answer["result"]

    def tool(self, tool, arguments=None, **more):
        answer = self.ask("tools/call", {"name": tool, "arguments": arguments or {}, **more})
        return answer["result"] if "result" in answer else answer

    def stateless(self, method, params=None):
        meta = {**META, "io.modelcontextprotocol/clientCapabilities": CAPABILITIES,
                **((params or {}).pop("_meta", {}))}
        return {**(params or {}), "_meta": meta}

    def heard(self, method, count=1):
        """Waits for notifications of a method; all of them so far."""
        def found():
            those = [m["params"] for m in self.notices if m["method"] == method]
            return those if len(those) >= count else None
        return wait_until(found, 30, f"{count} of {method}")


def text(result):
    return result["content"][0]["text"]


__all__ = ["Fixture", "Lines", "NEW", "OLD", "text"]
