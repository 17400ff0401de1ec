#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lint.patience: no test of the suites depends on how fast the machine is.

A client's own time limit is the easiest to forget: httpx gives up after 5 s without a byte, and
what was written as `timeout=20` was long enough where it was written.  So each call of a client in
a Python suite names its limit, and the limit is multiplied with what the machine takes:
`timeout=patient(20)` (tests/e2e/lib/gateway.py).  A limit of ten minutes or more is for a
test that hangs and may stand as it is.  Nobody sleeps but between two looks at what is waited for.
"""
import ast

from lintlib import Lint, read

SUITES = ("tests/e2e/", "tests/mcp/", "tests/postgres/", "tests/everything/", "tests/examples/",
          "tests/clients/", "tests/money/", "tests/real/")
HANG_S = 600
LOOK_S = 0.2  # between two looks
# Who gives up by itself when no limit is named.
IMPATIENT = {f"httpx{two}.{what}" for two in ("", "2")
             for what in ("AsyncClient", "Client", "get", "post", "put", "delete", "request", "stream")}
# Whose limit is the machine's to keep; functions of our own scale what they are given.
CLIENTS = IMPATIENT | {
    "http.client.HTTPConnection", "http.client.HTTPSConnection", "urllib.request.urlopen",
    "socket.create_connection", "openai.OpenAI", "openai.AsyncOpenAI", "openai.AzureOpenAI",
    "anthropic.Anthropic", "anthropic.AsyncAnthropic", "subprocess.run", "subprocess.check_output"}
METHODS = {"wait", "communicate", "recv", "get", "join", "settimeout"}  # of a process, socket, queue
# Servers of the suites sleep because they are told to: path, why.
SLEEPERS = {
    "tests/mcp/faulty.py": "a server whose fault it is to be slow",
    "tests/mcp/faulty_http.py": "a server whose fault it is to be slow",
}


def name_of(node):
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        parts.append(node.id)
    return ".".join(reversed(parts))


def seconds(node):
    """A limit that is a number; None: it is computed."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) else None


def look_at(lint, name, call):
    called = name_of(call.func)
    limit = next((k.value for k in call.keywords if k.arg == "timeout"), None)
    if called.endswith("sleep") and call.args and name not in SLEEPERS:
        pause = seconds(call.args[0])
        if pause is not None and pause > LOOK_S:
            lint.report(name, call.lineno, f"{called}({pause}): wait for what the sleep is for")
    if called in IMPATIENT and limit is None:
        lint.report(name, call.lineno, f"{called}() gives up after 5 s: timeout=patient(30)")
    elif called in CLIENTS or called.rpartition(".")[2] in METHODS:
        if called.endswith((".settimeout", ".wait")) and call.args:
            limit = call.args[0]
        fixed = seconds(limit) if limit is not None else None
        if fixed is not None and LOOK_S < fixed < HANG_S:
            lint.report(name, call.lineno, f"{called}() gives up after {fixed} s on a slow machine, "
                        "too: patient({fixed})")


def main():
    lint = Lint("patience")
    for name in lint.tracked():
        if not name.endswith(".py") or not name.startswith(SUITES):
            continue
        lint.looked_at += 1
        for node in ast.walk(ast.parse(read(lint.path(name)))):
            if isinstance(node, ast.Call):
                look_at(lint, name, node)
    lint.finish()


main()
