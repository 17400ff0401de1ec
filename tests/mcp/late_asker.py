# SPDX-License-Identifier: Apache-2.0
"""A stdio MCP server of the handshake era that asks for its client's roots when no call runs: the
tool `later` answers first and asks then.  `roots` says what it was told; it completes anything.
"""

import json
import sys

told = []


def send(message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def call(number, name):
    text = json.dumps(told) if name == "roots" else "later"
    send({"id": number, "result": {"content": [{"type": "text", "text": text}]}})
    if name == "later":
        send({"id": "roots", "method": "roots/list"})


def tool(name):
    return {"name": name, "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": True}}


RESULTS = {
    "initialize": {"protocolVersion": "2025-11-25", "serverInfo": {"name": "late", "version": "1"},
                   "capabilities": {"tools": {}, "prompts": {}, "completions": {}}},
    "tools/list": {"tools": [tool("later"), tool("roots")]},
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
        call(request["id"], request["params"]["name"])
    elif method in RESULTS:
        send({"id": request["id"], "result": RESULTS[method]})
    elif "id" in request:
        send({"id": request["id"], "error": {"code": -32601, "message": "Method not found"}})
