# SPDX-License-Identifier: Apache-2.0
"""A gateway in front of servers that misbehave, what it says of them, and their processes."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys

from gateway import MASTER, wait_until

from conftest import McpGateway

HERE = pathlib.Path(__file__).resolve().parent
FAULTY = HERE / "faulty.py"
DUAL = HERE / "dual_server.py"
EVERYTHING = HERE.parent / "everything"


def faulty(*words, **more):
    return {"transport": "stdio", "command": sys.executable, "args": [str(FAULTY), *map(str, words)],
            **more}


@contextlib.contextmanager
def dual_over_http():
    """The address of a dual_server.py."""
    with subprocess.Popen([sys.executable, DUAL, "http"], stdout=subprocess.PIPE, text=True) as server:
        try:
            yield server.stdout.readline().strip()
        finally:
            server.kill()


def over_http(server, **more):
    return {"transport": "http", "url": server.url, **more}


def config(folder, servers, **settings):
    return json.dumps({"mcp_servers": servers, "general_settings": {"master_key": MASTER},
                       "kanmon_settings": {"state_dir": str(folder / "state"), "workers": 2,
                                           **settings}})


def served(folder, servers, **settings):
    return McpGateway(folder, config(folder, servers, **settings))


def status(gateway, name):
    listed = json.loads(gateway.call("GET", "/kanmon/mcp/servers").body)["servers"]
    return next(one for one in listed if one["name"] == name)


def until(gateway, name, *states):
    """Its row, once it is so; a ready one is so once what it offers is known too, a moment later."""
    def look():
        one = status(gateway, name)
        return one["state"] in states and (one["state"] != "ready" or one["known"]) and one

    return wait_until(look, 30, f"{name} to be {' or '.join(states)}", 0.02)


def alive(pid):
    return pathlib.Path(f"/proc/{pid}").exists()


def children():
    """{parent: [children]} of all processes there are."""
    parents = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            stat = pathlib.Path("/proc", name, "stat").read_text()
        except OSError:
            continue
        parents.setdefault(int(stat.rsplit(")", 1)[1].split()[1]), []).append(int(name))
    return parents


def descendants(pid):
    """All processes below this one, by their parents."""
    parents = children()
    found, todo = set(), [pid]
    while todo:
        for child in parents.get(todo.pop(), []):
            found.add(child)
            todo.append(child)
    return found
