# SPDX-License-Identifier: Apache-2.0
"""A stdio MCP server whose calls last until a file appears:   holding.py FOLDER

`hold {name}` notes its name in FOLDER/log and answers once FOLDER/name is there; any number at once.
"""
import json
import pathlib
import sys
import threading
import time

folder = pathlib.Path(sys.argv[1])
lock = threading.Lock()


def send(**message):
    with lock:
        print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def hold(number, name):
    with lock, (folder / "log").open("a") as log:
        log.write(name + "\n")
    while not (folder / name).exists():
        time.sleep(0.005)
    send(id=number, result={"content": [{"type": "text", "text": name}]})


for line in sys.stdin:
    request = json.loads(line)
    if "id" not in request or "method" not in request:
        continue
    number, method, params = request["id"], request["method"], request.get("params", {})
    if method == "initialize":
        send(id=number, result={"protocolVersion": params["protocolVersion"],
                                "serverInfo": {"name": "holding", "version": "1"},
                                "capabilities": {"tools": {}}})
    elif method == "tools/list":
        send(id=number, result={"tools": [{"name": "hold", "inputSchema": {
            "type": "object", "properties": {"name": {"type": "string"}}},
            "annotations": {"readOnlyHint": True}}]})
    elif method == "tools/call":
        threading.Thread(target=hold, args=(number, params["arguments"]["name"]),
                         daemon=True).start()
    elif method == "ping":
        send(id=number, result={})
    else:
        send(id=number, error={"code": -32601, "message": "no such method"})
