# SPDX-License-Identifier: Apache-2.0
"""A stdio MCP server that misbehaves as it is told, for tests of what a gateway must survive.

    python3 faulty.py [--pids FILE] [--word ...]

    --pids FILE        writes the number of every process of it, a line each
    --grandchild       starts a child that ignores TERM and outlives it
    --ignore-term      ignores TERM, and that its input ended
    --flood            writes a megabyte to standard error before each answer
    --garbage          writes lines that are no messages between the others
    --slow SECONDS     takes that long to answer initialize
    --long-names       its tools' names are longer than any client takes
    --changing FILE    the description of its tool is what the file says

Tools: `pid` (its process), `big` {bytes} (a text of that size), `die` (it ends at once), `sleep`
{seconds}, `hang` (never answers).
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

words = sys.argv[1:]


def option(name):
    return words[words.index(name) + 1] if name in words else None


def note(pid):
    if option("--pids"):
        with open(option("--pids"), "a", encoding="ascii") as f:
            f.write(f"{pid}\n")


def tools():
    schema = {"type": "object"}
    hints = {"readOnlyHint": True}
    described = pathlib.Path(option("--changing")).read_text() if option("--changing") else "A tool"
    names = ["pid", "big", "die", "sleep", "hang"]
    if "--long-names" in words:
        names += ["a_name_that_no_model_accepts_" * 3 + str(i) for i in range(3)]
    return [{"name": name, "description": described, "inputSchema": schema, "annotations": hints}
            for name in names]


def run(name, arguments):
    if name == "die":
        os._exit(3)
    if name == "sleep":
        time.sleep(arguments["seconds"])
    if name == "big":
        return "x" * arguments["bytes"]
    return str(os.getpid())


def send(message):
    if "--garbage" in words:
        sys.stdout.write('this is no message\n\n{"jsonrpc": "2.0"\n[]\n{"jsonrpc":"2.0","id":"no","result":{}}\n')
    if "--flood" in words:
        sys.stderr.write(("noise " * 170 + "\n") * 1024)
        sys.stderr.flush()
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def answer(request):
    method, params = request["method"], request.get("params") or {}
    if method == "initialize":
        time.sleep(float(option("--slow") or 0))
        return {"protocolVersion": params["protocolVersion"],
                "capabilities": {"tools": {"listChanged": True}},
                "serverInfo": {"name": "faulty", "version": "1"}}
    if method == "tools/list":
        return {"tools": tools()}
    if method == "tools/call":
        return {"content": [{"type": "text", "text": run(params["name"], params.get("arguments") or {})}]}
    if method == "ping":
        return {}
    return None


def main():
    note(os.getpid())
    if "--ignore-term" in words:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "--grandchild" in words:
        stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: time.sleep(60)"
        note(subprocess.Popen([sys.executable, "-c", stubborn], stdin=subprocess.DEVNULL).pid)
    for line in sys.stdin:
        request = json.loads(line)
        if "id" not in request or "method" not in request:
            continue
        if request["method"] == "tools/call" and request["params"]["name"] == "hang":
            continue
        result = answer(request)
        if result is None:
            send({"id": request["id"], "error": {"code": -32601, "message": "Method not found"}})
        else:
            send({"id": request["id"], "result": result})
    while "--ignore-term" in words:
        time.sleep(60)


main()
