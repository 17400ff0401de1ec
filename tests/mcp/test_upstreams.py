# SPDX-License-Identifier: Apache-2.0
"""Servers behind kanmon: real ones on every transport, and children that do not behave."""

import contextlib
import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys

import pytest

from gateway import Gateway, wait_until

TAKES_S = 13
HERE = pathlib.Path(__file__).resolve().parent
SERVER = HERE / "upstream_server.py"
# A child that ignores TERM, floods standard error, has a grandchild in a session of its own that
# ignores TERM too, and never reads.  {mark} is in the arguments of all of them.
STUBBORN = """
trap '' TERM HUP INT
setsid sh -c "trap '' TERM HUP; while :; do sleep 1000; done" {mark} &
( while :; do echo flood flood flood flood flood flood flood >&2; done ) &
while :; do sleep 1000; done
"""


def processes(mark):
    """Pids whose command line has the mark."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                if mark.encode() in pathlib.Path("/proc", name, "cmdline").read_bytes():
                    found.append(int(name))
    return found


def catalogue(gateway, server):
    """What the store has of a server, or None."""
    for file in (gateway.folder / "state").glob("*.db"):
        with contextlib.closing(sqlite3.connect(file)) as store:
            row = store.execute("SELECT json FROM mcp_catalogues WHERE server = ?",
                                (server,)).fetchone()
            return json.loads(row[0]) if row else None
    return None


def config(folder, servers, **settings):
    return json.dumps({"general_settings": {"master_key": "sk-e2e-master"},
                       "mcp_servers": servers,
                       "kanmon_settings": {"state_dir": str(folder / "state"), "workers": 2,
                                           **settings}})


@contextlib.contextmanager
def listening(transport):
    """A server over HTTP, by its address."""
    with subprocess.Popen([sys.executable, SERVER, transport], stdout=subprocess.PIPE,
                          text=True) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    folder = tmp_path_factory.mktemp("upstreams")
    with listening("http") as http, listening("sse") as sse:
        servers = {
            "lines": {"command": sys.executable, "args": [str(SERVER), "stdio"]},
            "streams": {"url": http, "transport": "http"},
            "events": {"url": sse, "transport": "sse"},
            "found_out": {"url": sse},
            "gone": {"url": "http://127.0.0.1:1/mcp"},
            "missing": {"command": "/nonexistent/program"},
            "garbage": {"command": "sh", "args": ["-c", "while echo garbage; do sleep 0.001; done"]},
        }
        with Gateway(folder, config(folder, servers)) as started:
            yield started


@pytest.mark.parametrize("server", ["lines", "streams", "events", "found_out"])
def test_what_a_server_offers_is_found_out_on_every_transport(gateway, server):
    found = wait_until(lambda: catalogue(gateway, server), 30, f"the lists of {server}")
    assert [tool["name"] for tool in found["tools"]] == ["add"]
    assert [resource["uri"] for resource in found["resources"]] == ["memo://today"]
    assert [prompt["name"] for prompt in found["prompts"]] == ["greet"]
    assert found["hello"]["instructions"] == "Adds numbers."
    assert found["hello"]["serverInfo"]["name"] == "python-fixture"


def test_a_bad_server_is_said_to_be_down_and_why(gateway):
    for server, why in [("gone", "Connection refused"), ("missing", "no program"),
                        ("garbage", "no JSON-RPC message")]:
        wait_until(lambda: any(f"{server} is down" in line and why in line
                               for line in gateway.log.read_text().splitlines()), 30,
                   f"word of {server}")


def test_nothing_of_a_server_outlives_a_gateway_that_is_killed(tmp_path):
    mark = f"kanmon-mark-{os.getpid()}-{tmp_path.name}"
    servers = {"stubborn": {"command": "sh", "args": ["-c", STUBBORN.format(mark=mark), mark]}}
    with Gateway(tmp_path, config(tmp_path, servers)) as gateway:
        wait_until(lambda: len(processes(mark)) >= 4, 20, "the tree of processes")
        gateway.process.send_signal(signal.SIGKILL)
        gateway.process.wait()
        wait_until(lambda: not processes(mark), 30, f"the end of {processes(mark)}")
    log = tmp_path / "state" / "mcp" / "stubborn.log"
    # bounded, however much it says; what was not written by then is gone with the gateway
    assert not log.exists() or log.stat().st_size <= 2 * 1024 * 1024


def test_nothing_of_a_server_outlives_a_gateway_that_stops(tmp_path):
    mark = f"kanmon-mark-{os.getpid()}-{tmp_path.name}"
    servers = {"stubborn": {"command": "sh", "args": ["-c", STUBBORN.format(mark=mark), mark]}}
    with Gateway(tmp_path, config(tmp_path, servers)):
        wait_until(lambda: len(processes(mark)) >= 4, 20, "the tree of processes")
    wait_until(lambda: not processes(mark), 30, "the end of all")


def test_a_server_over_its_memory_is_ended_and_said_so(tmp_path):
    eater = "import sys; hog = bytearray(300 << 20); hog[::4096] = b'x' * len(hog[::4096]); " \
            "sys.stdin.read()"
    servers = {"eater": {"command": sys.executable, "args": ["-c", eater]}}
    text = config(tmp_path, servers,
                  mcp_servers={"eater": {"limits": {"memory": "100MiB"}}})
    with Gateway(tmp_path, text) as gateway:
        wait_until(lambda: "took more memory or processes" in gateway.log.read_text(), 30, "its end")
