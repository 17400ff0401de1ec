# SPDX-License-Identifier: Apache-2.0
"""A stdio MCP server of the handshake era that asks for its client's roots beside its calls: the
tool `later` answers first and asks then; `beside` asks and answers, without an answer of the client's,
when there is a file `go`.  `roots` says what it was told; it completes anything.
"""

import json
import pathlib
import sys
import time

told = []


def send(message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def call(number, name, arguments):
    text = json.dumps(told) if name == "roots" else name
    if name == "beside":
        send({"id": "roots", "method": "roots/list"})
        while not pathlib.Path(arguments["go"]).exists():
            time.sleep(0.02)
    send({"id": number, "result": {"content": [{"type": "text", "text": text}]}})
    if name == "later":
        send({"id": "roots", "method": "roots/list"})


def tool(name):
    return {"name": name, "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": True}}


RESULTS = {
    "initialize": {"protocolVersion": "2025-11-25", "serverInfo": {"name": "late", "version": "1"},
                   "capabilities": {"tools": {}, "prompts": {}, "completions": {}}},
    "tools/list": {"tools": [tool("later"), tool("beside"), tool("roots")]},
    "prompts/list": {"prompts": [{"name": "p", "arguments": [{"name": "a"}]}]},
    "completion/complete": {"completion": {"values": ["done"]}},
    "ping": {},
}
for line in sys.stdin:
    request = json.loads(line)
    method = request.get("method")
    if request.get("id") == "roots" and not method:
        told.append(request.get("result", request.get("error")))
    elif method == "tools/call":
        call(request["id"], request["params"]["name"], request["params"].get("arguments"))
    elif method in RESULTS:
        send({"id": request["id"], "result": RESULTS[method]})
    elif "id" in request:
        send({"id": request["id"], "error": {"code": -32601, "message": "Method not found"}})
