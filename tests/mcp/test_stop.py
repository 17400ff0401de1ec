# SPDX-License-Identifier: Apache-2.0
"""What servers hear when the gateway stops while their tools are being called."""

import contextlib
import http.client
import json
import zlib

from gateway import MASTER, slow_factor, wait_until

from conftest import ACCEPT, OLD
from test_lab import Lab, lab_over, listed, stateless, waits

WORKERS, CALLS = 2, 20


def session_at(gateway, worker):
    """A connection and its headers, with a session of this worker, which has the connection as well."""
    link = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60 * slow_factor())
    headers = {**ACCEPT, "content-type": "application/json", "authorization": f"Bearer {MASTER}"}
    for message in ({"id": 1, "method": "initialize", "params": {
            "protocolVersion": OLD, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}},
            {"method": "notifications/initialized"}):
        link.request("POST", "/mcp", json.dumps({"jsonrpc": "2.0", **message}), headers)
        answer = link.getresponse()
        answer.read()
        headers.setdefault("mcp-session-id", answer.getheader("mcp-session-id"))
        headers["mcp-protocol-version"] = OLD
    if int(headers["mcp-session-id"][8:10], 16) == worker:  # behind the replica, before the random part
        return link, headers
    link.close()
    return None


def test_a_stop_is_told_to_servers_over_http(tmp_path):
    """Both workers have sessions there: their calls are cancelled, and they end."""
    with lab_over("http", tmp_path, settings={"drain": 0}) as lab, contextlib.ExitStack() as stack:
        wait_until(lambda: "old-ask" in listed(lab), 30, "the tools")
        calls = []
        for worker in range(WORKERS):
            while len(calls) < 3 * (worker + 1):
                if at := session_at(lab, worker):
                    calls.append(stack.enter_context(contextlib.closing(at[0])))
                    at[0].request("POST", "/mcp", json.dumps({
                        "jsonrpc": "2.0", "id": 2, "method": "tools/call",
                        "params": {"name": "old-hang", "arguments": {"mark": len(calls)}}}), at[1])
        marks = range(1, len(calls) + 1)
        wait_until(lambda: {f"hang {n}" for n in marks} <= set(lab.saw()), 30, "the calls")
        lab.stop()
        wait_until(lambda: {f"cancelled {n}" for n in marks} <= set(lab.saw()), 10, "word of each")
        wait_until(lambda: lab.saw().count("DELETE") == lab.saw().count("session") > 1, 10, "their ends")


def test_a_stop_cancels_the_calls_of_both_workers_at_their_server(tmp_path):
    """At once, with no time for running calls: a process on stdio is one worker's, and calls that
    are at the other one are cancelled by a message to it, which that worker has to wait for."""
    with Lab(tmp_path, workers=WORKERS, settings={"drain": 0}) as lab, contextlib.ExitStack() as stack:
        wait_until(lambda: "old-ask" in listed(lab), 30, "the tools")
        key = lab.new_key()
        parked = [stateless(lab, "old-ask", n, key) for n in range(3)]  # at either; a process each
        assert all(waits(p) for p in parked), parked
        away = 1 - zlib.crc32(b"old") % WORKERS  # where the process is not
        calls = []
        while len(calls) < CALLS:
            if at := session_at(lab, away):
                calls.append(stack.enter_context(contextlib.closing(at[0])))
                at[0].request("POST", "/mcp", json.dumps({
                    "jsonrpc": "2.0", "id": 2, "method": "tools/call",
                    "params": {"name": "old-hang", "arguments": {"mark": len(calls)}}}), at[1])
        marks = range(1, CALLS + 1)
        wait_until(lambda: {f"hang {n}" for n in marks} <= set(lab.saw()), 30, "the calls")
        lab.stop()
        told = {f"cancelled {n}" for n in marks} | {f"ask cancelled m{n}" for n in range(3)}
        wait_until(lambda: told <= set(lab.saw()), 20, "word of each")
