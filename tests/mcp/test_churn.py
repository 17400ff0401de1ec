# SPDX-License-Identifier: Apache-2.0
"""Sessions that come, are used and go at random, with their servers killed under them: afterwards no
process, descriptor or byte is left behind.

KM_CHURN says how many there are: two dozen in every run, a thousand in the long form.  A seed that
failed is in the assertion; KM_CHURN_SEED repeats its choices (not the order of threads).
"""

import collections
import concurrent.futures
import contextlib
import http.client
import json
import math
import os
import pathlib
import random
import re
import signal
import threading

from gateway import machine_factor, patient, slow_factor, wait_until

from faulty_http import FaultyHttp
from served import alive, descendants, faulty, served
from sessions import Session

TAKES_S = 14
MANY = int(os.environ.get("KM_CHURN", "24"))
SEED = int(os.environ.get("KM_CHURN_SEED", random.randrange(1 << 30)))
AT_ONCE = 12
# A session may live between two messages of its client, however slow both are.
IDLE = {"mcp_sessions": {"idle": f"{math.ceil(machine_factor())}s"}}


def descriptors(pid):
    """Names of what it has open, without numbers that change."""
    found = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            found.append(re.sub(r"\d+", "N", os.readlink(f"/proc/{pid}/fd/{name}")))
    return sorted(found)


def left_behind(gateway, before):
    """All that tells who holds what is left."""
    pid = gateway.process.pid
    now, was = collections.Counter(descriptors(pid)), collections.Counter(before)
    processes = {one: said(f"/proc/{one}/cmdline").replace("\0", " ")[:200] + " "
                 + " ".join(re.findall(r"State:.*|PPid:.*", said(f"/proc/{one}/status")))
                 for one in descendants(pid)}
    links = [line for line in said(f"/proc/{pid}/net/tcp").splitlines() if f":{gateway.port:04X} " in line]
    servers = json.loads(gateway.call("GET", "/kanmon/mcp/servers").body)["servers"]
    return "\n".join(["left behind:", f"seed {SEED}", f"processes {processes}", f"more {now - was}",
                      f"less {was - now}", f"links {links}", f"servers {servers}",
                      gateway.log.read_text()[-6000:]])


def said(path):
    with contextlib.suppress(OSError):
        return pathlib.Path(path).read_text()
    return ""


def resident(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) * 1024


def abandon(session, message):
    """Sends it and hangs up without reading the answer."""
    link = http.client.HTTPConnection("127.0.0.1", session.gateway.port, timeout=patient(30))
    link.request("POST", session.path, json.dumps(message), session.headers)
    link.close()


def one(gateway, number):
    """The life of one session.  What the servers' end does to a call may be an error, never silence."""
    dice = random.Random(SEED + number)
    session = Session(gateway, dice.choice(["/mcp", "/mcp/shared", "/mcp/own", "/mcp/remote"]),
                      capabilities=dice.choice([{}, {"roots": {}}, {"elicitation": {}}]))
    session.hello()
    if dice.random() < 0.3:
        session.listen()
    prefix = {"/mcp": "shared-"}.get(session.path, "")
    for _ in range(dice.randrange(5)):
        what = dice.random()
        if session.path == "/mcp/remote":
            session.tool(dice.choice(["work", "break"]))
        elif what < 0.2:
            session.tool(f"{prefix}die")
        elif what < 0.3:
            abandon(session, {"jsonrpc": "2.0", "id": "left", "method": "tools/call",
                              "params": {"name": f"{prefix}sleep", "arguments": {"seconds": 0.2}}})
        elif what < 0.5:
            session.ask("tools/list")
        elif what < 0.6:
            session.tool(f"{prefix}big", bytes=dice.randrange(1 << 20))
        else:
            session.tool(f"{prefix}pid")
    if dice.random() < 0.5:
        session.__exit__()  # takes its leave; the others just go
    elif session.stream:
        session.link.sock.shutdown(2)
        session.link.close()


def killer(folder, server, stop):
    dice = random.Random(SEED)
    while not stop.wait(0.05):
        with contextlib.suppress(OSError, IndexError, ValueError):
            pid = int(dice.choice((folder / "pids").read_text().split()[-6:]))
            if alive(pid):
                os.kill(pid, dice.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP]))
                if dice.random() < 0.7:
                    os.kill(pid, signal.SIGKILL)
        if dice.random() < 0.1:
            server.forget()


def churn(gateway, server, first, many):
    stop = threading.Event()
    killing = threading.Thread(target=killer, args=(gateway.folder, server, stop))
    killing.start()
    try:
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            for done in concurrent.futures.as_completed(
                    [pool.submit(one, gateway, first + i) for i in range(many)]):
                done.result()
    finally:
        stop.set()
        killing.join()


def test_nothing_is_left_of_sessions_and_killed_servers(tmp_path):
    pids = tmp_path / "pids"
    with FaultyHttp(hang="break") as server, served(tmp_path, {
            "shared": faulty("--pids", pids), "own": faulty("--pids", pids, stateful=True),
            "remote": {"transport": "http", "url": server.url}}, **IDLE,
            mcp_servers={name: {"idle_timeout": "1s", "timeout": "2s", "health_interval": "1s"}
                         for name in ("shared", "own", "remote")}) as gateway:
        pid = gateway.process.pid

        def at_rest(least=None):
            """No child; and no more open than `least`."""
            now = descriptors(pid)
            return not descendants(pid) and (least is None or len(now) <= len(least)) and now
        wait_until(lambda: servers_known(gateway) == 3 and at_rest(), 60, "the lists, and rest")
        before = descriptors(pid)
        churn(gateway, server, 0, min(MANY, 40))  # what is made once is made now

        def rest():
            try:  # as long as the last try of a server that was down may take, and its idle time
                wait_until(lambda: at_rest(before), 20)
            except AssertionError:
                raise AssertionError(left_behind(gateway, before)) from None
        rest()
        memory = resident(pid)
        churn(gateway, server, 1000, MANY)
        rest()
        assert not [one_of for one_of in map(int, pids.read_text().split()) if alive(one_of)]
        if slow_factor() == 1:  # a sanitizer keeps what was freed, and finds leaks by itself
            assert resident(pid) - memory < (8 << 20), f"seed {SEED}"
    assert gateway.process.returncode == 0  # a sanitizer's last word


def servers_known(gateway):
    listed = json.loads(gateway.call("GET", "/kanmon/mcp/servers").body)["servers"]
    return sum(one["known"] for one in listed)
