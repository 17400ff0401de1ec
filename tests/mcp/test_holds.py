# SPDX-License-Identifier: Apache-2.0
"""Calls of a stdio server beside one that hangs, and after a crash: they wait before they are sent,
go to another process, or are tried again; what was sent is never sent twice."""

import concurrent.futures
import contextlib
import itertools
import os
import signal

import pytest
from gateway import wait_until

from served import faulty, served, until
from sessions import Session, text

TAKES_S = 24


@pytest.fixture
def pool():
    with concurrent.futures.ThreadPoolExecutor(16) as made:
        yield made


NUMBERS = itertools.count(1000)


def call(session, tool, **arguments):
    """As session.tool, for several threads at a time."""
    number = next(NUMBERS)
    _, messages = session.send({"jsonrpc": "2.0", "id": number, "method": "tools/call",
                                "params": {"name": tool, "arguments": arguments}})
    return next(m for m in messages if m.get("id") == number)


class Blocked:
    """A call that blocks its process until leaving."""

    def __init__(self, folder, session, pool):
        self.began, self.until = folder / "began", folder / "until"
        self.call = pool.submit(call, session, "block", began=str(self.began), until=str(self.until))
        wait_until(lambda: self.began.exists() and self.began.read_text(), 30, "the call to run")
        self.pid = self.began.read_text()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.until.write_text("")


def pid_of(answer):
    assert "result" in answer, answer
    return text(answer)


def failed(answer):
    return "error" in answer or answer["result"].get("isError", False)


@pytest.mark.parametrize("who", ["the same session", "another session", "another key"])
def test_a_call_that_hangs_does_not_hold_others(tmp_path, pool, who):
    """At once, and when it was silent for too long already; also many at a time."""
    with served(tmp_path, {"one": faulty("--blocks", silence_timeout="300ms")}) as gateway, \
            contextlib.ExitStack() as stack:
        first = stack.enter_context(Session(gateway, "/mcp/one"))
        other = first
        if who != "the same session":
            key = {"key": gateway.new_key()} if who == "another key" else {}
            other = stack.enter_context(Session(gateway, "/mcp/one", **key))
        with Blocked(tmp_path, first, pool) as blocked:
            assert pid_of(call(other, "pid")) != blocked.pid
            assert pid_of(call(other, "pid")) != blocked.pid
            many = [pool.submit(call, other, "pid") for _ in range(8)]
            assert blocked.pid not in [pid_of(call.result()) for call in many]
            assert not blocked.call.done()
        assert pid_of(blocked.call.result()) == blocked.pid


def test_a_process_that_answers_is_not_left(tmp_path, pool):
    """A call nobody hears of, in a server that goes on reading."""
    with served(tmp_path, {"one": faulty(timeout="10s")}) as gateway, \
            Session(gateway, "/mcp/one") as session:
        until(gateway, "one", "ready")
        first = pid_of(call(session, "pid"))
        hangs = pool.submit(call, session, "hang")
        calls = [pool.submit(call, session, "pid") for _ in range(8)]
        assert {pid_of(call.result()) for call in calls} == {first}
        assert failed(hangs.result())
        assert pid_of(call(session, "pid")) == first  # it may be at work on it still, and reads


@pytest.mark.parametrize("how", [{"max_processes": 1}, {"silence_timeout": 0}, {"stateful": True}],
                         ids=["no room", "off", "stateful"])
def test_where_no_other_process_may_be_started_they_wait(tmp_path, pool, how):
    settings = {"silence_timeout": "100ms", **how}
    with served(tmp_path, {"one": faulty("--blocks", **settings)}) as gateway, \
            Session(gateway, "/mcp/one") as session:
        with Blocked(tmp_path, session, pool) as blocked:
            waits = pool.submit(call, session, "pid")
            with pytest.raises(concurrent.futures.TimeoutError):
                waits.result(1)  # longer than silence_timeout, as long as one likes
        assert pid_of(waits.result()) == blocked.pid


def test_a_server_that_was_left_ends_when_its_call_is_over(tmp_path, pool):
    with served(tmp_path, {"one": faulty("--blocks", silence_timeout="100ms", timeout="2s", health_interval=0)}) as gateway, \
            Session(gateway, "/mcp/one") as session:
        with Blocked(tmp_path, session, pool) as blocked:
            assert pid_of(call(session, "pid")) != blocked.pid
            assert failed(blocked.call.result())
            wait_until(lambda: not os.path.exists(f"/proc/{blocked.pid}"), 30, "its process to end")
        assert pid_of(call(session, "pid")) != blocked.pid


def test_after_a_crash_a_call_waits_for_the_next_start(tmp_path, pool):
    with served(tmp_path, {"one": faulty("--dead", str(tmp_path / "dead"))}) as gateway, \
            Session(gateway, "/mcp/one") as session:
        until(gateway, "one", "ready")
        seen = {pid_of(call(session, "pid"))}
        for _ in range(3):
            assert failed(call(session, "die"))  # it was sent, and may have been executed
            calls = [pool.submit(call, session, "pid") for _ in range(6)]
            found = {pid_of(call.result()) for call in calls}
            assert len(found) == 1 and not found & seen, (found, seen)
            seen |= found
        # The first try after a crash may fail too.
        until(gateway, "one", "ready")
        (tmp_path / "dead").write_text("")
        os.kill(int(found.pop()), signal.SIGKILL)
        until(gateway, "one", "down")  # else it would be sent to what is dying
        waits = pool.submit(call, session, "pid")
        (tmp_path / "dead").unlink()
        assert pid_of(waits.result()) not in seen


@pytest.mark.parametrize("how", [{"restart_timeout": "1200ms"}, {"restart_timeout": 0},
                                 {"timeout": "1s"}], ids=["bounded", "off", "deadline"])
def test_it_does_not_wait_for_ever(tmp_path, how):
    with served(tmp_path, {"one": faulty("--dead", str(tmp_path / "dead"), **how)}) as gateway, \
            Session(gateway, "/mcp/one") as session:
        until(gateway, "one", "ready")
        first = pid_of(call(session, "pid"))
        (tmp_path / "dead").write_text("")
        os.kill(int(first), signal.SIGKILL)

        def refused():
            answer = call(session, "pid")
            return failed(answer) and "status 4" in str(answer)
        wait_until(refused, 30, "the reason")


def test_a_server_that_never_worked_says_why_at_once(tmp_path):
    (tmp_path / "dead").write_text("")
    with served(tmp_path, {"one": faulty("--dead", str(tmp_path / "dead"), restart_timeout="5m")}) as gateway, \
            Session(gateway, "/mcp/one") as session:
        answer = call(session, "pid")
        assert failed(answer)
