# SPDX-License-Identifier: Apache-2.0
"""A stdio MCP server whose lists fail as it is told, for tests of what is known of a server.

    python3 listing.py SAYS [--pids FILE]

SAYS is a file of JSON, read anew at each request:

    tools        names of its tools, beside `tell` and `pid`
    more         names of those it shows only to a client that can be asked (elicitation)
    at_list      what it does at tools/list: answers; `error` -32603, `no method` -32601, `crash`,
                 `hang` (reads nothing more), `silent` (no answer), `torn` (an error at the second
                 page)
    because      what it says where it answers `error`
    at_start     the same at initialize: `silent`
    prompts      names of its prompts; null: it declares none, and knows no such method

`tell` says notifications/tools/list_changed and `pid` which process answers, with the methods it
was asked so far; any other tool answers with its name.
"""

import json
import os
import pathlib
import signal
import sys

words = sys.argv[1:]
asked, client = [], {}


def says():
    return json.loads(pathlib.Path(words[0]).read_text())


def send(message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def tool(name):
    return {"name": name, "description": f"The tool {name}", "inputSchema": {"type": "object"},
            "annotations": {"readOnlyHint": True}}


def tools(said):
    names = [*said.get("tools", []), *(said.get("more", []) if "elicitation" in client else [])]
    return [tool(name) for name in ["tell", "pid", *names]]


def fail(number, code, message):
    send({"id": number, "error": {"code": code, "message": message}})


def list_tools(number, params, said):
    how = said.get("at_list", "")
    if how == "crash":
        os._exit(1)
    if how == "hang":
        signal.pause()
    if how == "silent":
        return
    if how == "torn" and "cursor" not in params:
        send({"id": number, "result": {"tools": [tool("half")], "nextCursor": "rest"}})
    elif how == "no method":
        fail(number, -32601, "Method not found")
    elif how:
        fail(number, -32603, said.get("because", "database is locked"))
    else:
        send({"id": number, "result": {"tools": tools(said)}})


def call(number, name):
    if name == "tell":
        send({"method": "notifications/tools/list_changed"})
    text = json.dumps([os.getpid(), asked]) if name == "pid" else name
    send({"id": number, "result": {"content": [{"type": "text", "text": text}]}})


def initialize(number, params, said):
    client.update(params.get("capabilities") or {})
    if said.get("at_start") == "silent":
        return
    send({"id": number, "result": {
        "protocolVersion": params["protocolVersion"], "serverInfo": {"name": "listing", "version": "1"},
        "capabilities": {"tools": {"listChanged": True},
                         **({"prompts": {}} if said.get("prompts") is not None else {})}}})


def main():
    if "--pids" in words:
        with open(words[words.index("--pids") + 1], "a", encoding="ascii") as f:
            f.write(f"{os.getpid()}\n")
    for line in sys.stdin:
        request = json.loads(line)
        if "id" not in request or "method" not in request:
            continue
        method, number, params, said = request["method"], request["id"], request.get("params") or {}, says()
        asked.append(method)
        if method == "initialize":
            initialize(number, params, said)
        elif method == "tools/list":
            list_tools(number, params, said)
        elif method == "tools/call":
            call(number, params["name"])
        elif method == "prompts/list" and said.get("prompts") is not None:
            send({"id": number, "result": {"prompts": [{"name": name} for name in said["prompts"]]}})
        elif method == "ping":
            send({"id": number, "result": {}})
        else:
            fail(number, -32601, "Method not found")


main()
