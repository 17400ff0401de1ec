# SPDX-License-Identifier: Apache-2.0
"""A stdio MCP server with as many tools as it is told:   many.py N

Each says its name and its argument x. An x of "grow" adds a tool and says that the list changed.
"""
import json
import sys

names = [f"tool_{i}" for i in range(int(sys.argv[1]))]


def tool(name):
    number = name.rpartition("_")[2]
    return {"name": name, "description": f"Says the colour of number {number}, and what else is "
            "known of it: where it was seen first, by whom, and what became of it afterwards.",
            "inputSchema": {"type": "object", "properties": {
                "x": {"type": "string", "description": "What to say."},
                f"colour_{number}": {"type": "string", "enum": ["red", "green", "blue"]}}},
            "annotations": {"readOnlyHint": True}}


def send(**message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def answer(method, params):
    if method == "initialize":
        return {"protocolVersion": params["protocolVersion"], "serverInfo": {
            "name": "many", "version": "1"}, "capabilities": {"tools": {"listChanged": True}}}
    if method == "tools/list":
        return {"tools": [tool(name) for name in names]}
    if method == "tools/call":
        x = str(params.get("arguments", {}).get("x"))
        if x == "grow":
            names.append("brandnew")
            send(method="notifications/tools/list_changed")
        return {"content": [{"type": "text", "text": f"{params['name']} {x}"}]}
    return {} if method == "ping" else None


for line in sys.stdin:
    request = json.loads(line)
    if "id" in request and "method" in request:
        result = answer(request["method"], request.get("params") or {})
        if result is None:
            send(id=request["id"], error={"code": -32601, "message": "Method not found"})
        else:
            send(id=request["id"], result=result)
