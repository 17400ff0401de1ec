# SPDX-License-Identifier: Apache-2.0
"""A stdio MCP server that misbehaves as it is told, for tests of what a gateway must survive.

    python3 faulty.py [--pids FILE] [--word ...]

    --pids FILE        writes the number of every process of it, a line each
    --grandchild       starts a child that ignores TERM and outlives it
    --ignore-term      ignores TERM, and that its input ended
    --flood            writes a megabyte to standard error before each answer
    --say              writes a word there before each answer
    --garbage          writes lines that are no messages between the others
    --slow SECONDS     takes that long to answer initialize
    --until FILE       does not answer initialize before the file is there
    --long-names       its tools' names are longer than any client takes
    --changing FILE    the description of its tool is what the file says
    --spam             says after each call that its list of tools has changed, true or not
    --tools N          has that many tools more
    --schemas          its tools have schemas that nobody may touch, and one that is none
    --env              has tools that show and try its limits
    --stops-reading    reads nothing more after it gave its list
    --deaf FILE        does not answer a ping while the file is there
    --dead FILE        ends as it starts while the file is there
    --extensions LIST  says that it has them
    --offers FILE      has what this JSON says: instructions, prompts, resources, resourceTemplates
    --hears            has a tool that tells which notifications it got
    --asks             has tools that ask their client: `asks`; `haunts`, once another call is
                       cancelled, which is answered only with {regrets}

Tools: `pid` (its process), `big` {bytes} (a text of that size), `die` (it ends at once), `sleep`
{seconds}, `hang` (never answers); with --hears also `heard` (the notifications so far); with
--blocks `block` {began, until} (reads nothing until that file is there); with --env also `env`, `limits`, `write` {bytes}, `open`, `spin`.  Those that ask tell what they heard.
"""

import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
import time

words = sys.argv[1:]
heard = []
kept = []  # lines that came while a tool waited for another


def option(name):
    return words[words.index(name) + 1] if name in words else None


def note(pid):
    if option("--pids"):
        with open(option("--pids"), "a", encoding="ascii") as f:
            f.write(f"{pid}\n")


def offers():
    return json.loads(pathlib.Path(option("--offers")).read_text()) if option("--offers") else {}


def tools():
    schema = {"type": "object"}
    hints = {"readOnlyHint": True}
    described = pathlib.Path(option("--changing")).read_text() if option("--changing") else "A tool"
    names = ["pid", "big", "die", "sleep", "hang"] + [f"more{i}" for i in range(int(option("--tools") or 0))]
    if "--hears" in words:
        names.append("heard")
    if "--blocks" in words:
        names.append("block")
    if "--asks" in words:
        names += ["asks", "haunts"]
    if "--env" in words:
        names += ["env", "limits", "write", "spin", "open"]
    if "--long-names" in words:
        names += ["a_name_that_no_model_accepts_" * 3 + str(i) for i in range(3)]
    listed = [{"name": name, "description": described, "inputSchema": schema, "annotations": hints}
              for name in names]
    if "--schemas" in words:
        listed[1]["inputSchema"] = {"$schema": "http://json-schema.org/draft-07/schema#",
                                    "type": "object", "definitions": {"a": {"type": "string"}},
                                    "properties": {"v": {"$ref": "#/definitions/a"}},
                                    "x-vendor": {"deep": [1, 2.5]}}
        listed[1]["outputSchema"] = {"type": "object", "properties": {"n": {"type": "integer"}}}
        listed[2]["inputSchema"] = "none"
    return listed


def wait_for(wanted):
    """The first message that is wanted; the others, like a list that is asked for, have their turn."""
    for line in iter(sys.stdin.readline, ""):
        if wanted(said := json.loads(line)):
            return said
        kept.append(line)
    sys.exit()


def lines():
    """What it was sent, in order."""
    while line := kept.pop(0) if kept else sys.stdin.readline():
        yield line


def run(name, arguments):
    if name == "die":
        os._exit(3)
    if name == "sleep":
        time.sleep(arguments["seconds"])
    if name == "block":  # reads nothing until the file is there
        pathlib.Path(arguments["began"]).write_text(str(os.getpid()))
        while not os.path.exists(arguments["until"]):
            time.sleep(0.01)
    if name == "heard":
        return json.dumps(heard)
    if name == "haunts":
        said = wait_for(lambda m: m.get("method") == "notifications/cancelled")
        if arguments.get("regrets"):
            send({"id": said["params"]["requestId"], "error": {"code": 0, "message": "cancelled"}})
    if name in ("asks", "haunts"):
        send({"id": "q", "method": "elicitation/create",
              "params": {"message": f"who {name}?", "requestedSchema": {"type": "object", "properties": {}}}})
        said = wait_for(lambda m: m.get("id") == "q")
        return json.dumps([os.getpid(), said])
    if name == "big":
        return "x" * arguments["bytes"]
    if name == "env":
        return json.dumps(dict(os.environ))
    if name == "limits":
        return json.dumps({word: resource.getrlimit(getattr(resource, "RLIMIT_" + word))[0]
                           for word in ("NOFILE", "CORE", "FSIZE", "CPU")})
    if name == "open":
        opened = []
        try:
            while True:
                opened.append(open(os.devnull, "rb"))
        except OSError as error:
            return error.strerror
    if name == "write":
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        try:
            pathlib.Path("large").write_bytes(bytes(arguments["bytes"]))
        except OSError as error:
            return error.strerror
    if name == "spin":
        while True:
            pass
    return str(os.getpid())


def send(message):
    if "--garbage" in words:
        sys.stdout.write('this is no message\n\n{"jsonrpc": "2.0"\n[]\n{"jsonrpc":"2.0","id":"no","result":{}}\n')
    if "--flood" in words:
        sys.stderr.write(("noise " * 170 + "\n") * 1024)
        sys.stderr.flush()
    if "--say" in words:
        print("a word", file=sys.stderr, flush=True)
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def send_odd(odd, number):
    """An answer that is none."""
    if odd == "both":
        send({"id": number, "result": {}, "error": {}})
    elif odd == "neither":
        send({"id": number})
    elif odd == "deep":
        deep = "[" * 100 + "]" * 100
        print(f'{{"result": {{"structuredContent": {{"a": {deep}}}}}, "jsonrpc": "2.0", "id": {number}}}',
              flush=True)
    elif odd == "nan":
        send({"id": number, "result": {"content": [], "structuredContent": {"mean": float("nan")}}})
    elif odd == "cut":
        print(f'{{"jsonrpc": "2.0", "id": {number}, "result": {{"content": [{{"text": "one\nline"}}]}}}}',
              flush=True)


def answer(request):
    method, params = request["method"], request.get("params") or {}
    if method == "initialize":
        time.sleep(float(option("--slow") or 0))
        while option("--until") and not os.path.exists(option("--until")):
            time.sleep(0.01)
        return {"protocolVersion": params["protocolVersion"],
                **{name: text for name, text in offers().items() if name == "instructions"},
                "capabilities": {"tools": {"listChanged": True},
                                 **({"prompts": {}, "resources": {}} if offers() else {}), "extensions": {
                    name: {} for name in (option("--extensions") or "").split(",") if name}},
                "serverInfo": {"name": "faulty", "version": "1"}}
    if method == "tools/list":
        return {"tools": tools()}
    for listed, name in (("prompts/list", "prompts"), ("resources/list", "resources"),
                         ("resources/templates/list", "resourceTemplates")):
        if method == listed:
            return {name: offers().get(name, [])}
    if method == "tools/call":
        return {"content": [{"type": "text", "text": run(params["name"], params.get("arguments") or {})}]}
    if method == "ping":
        return {}
    return None


def main():
    note(os.getpid())
    if option("--dead") and os.path.exists(option("--dead")):
        os._exit(4)
    if "--ignore-term" in words:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "--grandchild" in words:
        stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: time.sleep(60)"
        note(subprocess.Popen([sys.executable, "-c", stubborn], stdin=subprocess.DEVNULL).pid)
    for line in lines():
        request = json.loads(line)
        if "id" not in request and "method" in request:
            heard.append(request["method"])
        if "id" not in request or "method" not in request:
            continue
        if request["method"] == "tools/call" and request["params"]["name"] == "hang":
            continue
        if request["method"] == "ping" and option("--deaf") and os.path.exists(option("--deaf")):
            continue
        odd = ((request.get("params") or {}).get("arguments") or {}).get("answer")
        if odd == "late":
            print('loading\n{"progress": NaN}\n{"jsonrpc": "2.0", "method": "notifications/')
        elif odd:
            send_odd(odd, request["id"])
            continue
        result = answer(request)
        if result is None:
            send({"id": request["id"], "error": {"code": -32601, "message": "Method not found"}})
        else:
            send({"id": request["id"], "result": result})
        if "--stops-reading" in words and request["method"] == "tools/list":
            time.sleep(1000)
        if "--spam" in words and request["method"] == "tools/call":
            send({"method": "notifications/tools/list_changed"})
    while "--ignore-term" in words:
        time.sleep(60)


main()
