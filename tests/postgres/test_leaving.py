# SPDX-License-Identifier: Apache-2.0
"""A client that leaves, however it does, takes what it asked with it."""

import signal
import subprocess
import time

import pytest
from gateway import binary, patient, slow_factor, wait_until

from conftest import Server, sanitizers
from test_lease import SLOW, running


def start(postgres, mark):
    server = Server(postgres.dsn(), "--statement-timeout", "10min")
    server.send("tools/call", {"name": "execute_sql", "arguments": {"sql": SLOW.format(mark=mark)}})
    wait_until(lambda: running(postgres, mark), 20, "the statement to run", 0.02)
    return server


def gone(postgres, mark):
    wait_until(lambda: not running(postgres, mark), 20, "the statement to end", 0.05)


def test_the_end_of_the_input_cancels_what_runs(postgres):
    server = start(postgres, "leave_eof")
    server.process.stdin.close()
    assert server.process.wait(timeout=patient(30)) == 0
    gone(postgres, "leave_eof")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_cancels_what_runs(postgres, number):
    server = start(postgres, f"leave_{number.name.lower()}")
    server.process.send_signal(number)
    assert server.process.wait(timeout=patient(30)) == 0
    gone(postgres, f"leave_{number.name.lower()}")


def test_what_a_killed_client_asked_ends_as_well(postgres):
    server = start(postgres, "leave_kill")
    server.process.kill()
    server.process.wait()
    gone(postgres, "leave_kill")


def test_what_is_quick_is_answered_after_the_input_ended(postgres):
    lines = ('{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25",'
             '"capabilities":{},"clientInfo":{"name":"t","version":"1"}}}\n'
             '{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"execute_sql",'
             '"arguments":{"sql":"SELECT 41 + 1 AS answer"}}}\n')
    ran = subprocess.run([str(binary()), "mcp", "postgres"], input=lines, capture_output=True,
                         text=True, timeout=patient(60),
                         env={"DATABASE_URL": postgres.dsn(), **sanitizers()})
    assert ran.returncode == 0 and "[[42]]" in ran.stdout


def test_an_idle_server_ends_at_once(postgres):
    server = Server(postgres.dsn())
    server.ok("execute_sql", sql="SELECT 1")
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=patient(30)) == 0
    assert time.monotonic() - began < 2 * slow_factor()
