# SPDX-License-Identifier: Apache-2.0
"""What clients asked to hear of a server goes on when a reload puts another one in its place."""

import concurrent.futures
import contextlib
import json
import os
import pathlib

import pytest
from gateway import wait_until

from served import descendants
from sessions import Listening, Session
from test_lab import Lab, lab_over, listed, said
from test_listen import CHANGING

TAKES_S = 11
NOTE = {"uri": "memo://note"}
LATE = {"uri": "memo://late"}
UPDATED = "notifications/resources/updated"
CHANGED = {"stdio": {"env": {"CHANGED": "yes"}}, "http": {"static_headers": {"x-changed": "yes"}}}


def reload(lab, **servers):
    """Other members for these servers; None: without it.  What was there before is returned."""
    config = json.loads(lab.config.read_text())
    before = dict(config["mcp_servers"])
    for name, more in servers.items():
        if more is None:
            del config["mcp_servers"][name]
        else:
            config["mcp_servers"][name] = {**before.get(name, {}), **more}
    lab.config.write_text(json.dumps(config))
    assert lab.command("reload", "--config", lab.config).returncode == 0
    return before


@pytest.mark.parametrize("transport", ["stdio", "http"])
def test_what_a_client_wants_to_hear_it_hears_of_the_server_that_follows(tmp_path, transport):
    with lab_over(transport, tmp_path) as lab, contextlib.ExitStack() as stack:
        wait_until(lambda: "old-ask" in listed(lab), 30, "the tools")
        levels = ["info", None, "error"] * 2  # at either worker
        sessions = [stack.enter_context(Session(lab)) for _ in levels]
        for session, level in zip(sessions, levels):
            session.listen()
            assert session.ask("resources/subscribe", NOTE)["result"] == {}
            assert not level or session.ask("logging/setLevel", {"level": level})["result"] == {}
        every = [*sessions, stack.enter_context(Listening(lab, uris=[NOTE["uri"]]))]

        def touch(times):
            (lab.folder / "old.log.touch").write_text("now" * times)
            for one in every:
                assert len(one.heard(UPDATED, times)) == times

        touch(1)
        asked = lab.saw().count("subscribe memo://note")
        reload(lab, old=CHANGED[transport])
        wait_until(lambda: lab.saw().count("subscribe memo://note") >= asked + len(every), 30,
                   "all to be asked for once more")
        touch(2)
        (lab.folder / "old.log.say").write_text("now")
        expected = {"info": ["info said", "error said"], "error": ["error said"], None: []}
        wait_until(lambda: [said(one) for one in sessions] == [expected[level] for level in levels], 30,
                   "what is said there")
        touch(3)

        before = reload(lab, old=None)
        for session in sessions:  # workers take up a configuration one by one
            wait_until(lambda: "error" in session.ask("resources/subscribe", NOTE), 30, "its end")
            assert session.ask("ping")["result"] == {}
        reload(lab, old=before["old"])
        every.pop()  # a listen cannot ask for more
        for session in sessions:
            wait_until(lambda: session.ask("resources/subscribe", NOTE).get("result") == {}, 30, "its return")
        touch(4)
        assert [said(one) for one in sessions] == [expected[level] for level in levels]


def test_a_subscription_that_is_not_answered_yet_is_the_new_servers_to_answer(tmp_path):
    with Lab(tmp_path) as lab, contextlib.ExitStack() as stack:
        wait_until(lambda: "old-ask" in listed(lab), 30, "the tools")
        pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(6))
        sessions = [stack.enter_context(Session(lab)) for _ in range(6)]

        def asked(times):
            # At least: a worker that takes up the configuration late asks the old server first.
            wait_until(lambda: lab.saw().count("subscribe memo://late") >= times, 30, "all to be asked")

        waiting = [pool.submit(one.ask, "resources/subscribe", LATE) for one in sessions[:3]]
        asked(3)
        reload(lab, old=CHANGED["stdio"])
        asked(6)
        (lab.folder / "old.log.late").write_text("now")
        assert [one.result()["result"] for one in waiting] == [{}] * 3
        (lab.folder / "old.log.late").unlink()
        waiting = [pool.submit(one.ask, "resources/subscribe", LATE) for one in sessions[3:]]
        asked(9)
        reload(lab, old=None)
        for one in waiting:
            assert "not configured any more" in one.result()["error"]["message"]


def test_a_stateless_server_is_listened_to_when_it_follows_another(tmp_path):
    """Its lists change where nobody but its listen could tell."""
    path = tmp_path / "tools.json"
    path.write_text(json.dumps([{"name": "one", "inputSchema": {"type": "object"}}]))
    changing = {"command": os.environ["KM_NODE"], "args": [str(CHANGING), "v2", str(path)]}
    with Lab(tmp_path, changing=changing) as lab, Session(lab) as session:
        wait_until(lambda: "changing-one" in listed(lab), 30, "the tools")
        session.listen()
        reload(lab, changing={"env": {"CHANGED": "yes"}, "alias": "next"})
        wait_until(lambda: "next-one" in listed(lab), 30, "the one that follows")
        path.write_text(json.dumps([{"name": "two", "inputSchema": {"type": "object"}}]))
        wait_until(lambda: "next-two" in listed(lab), 30, "its other tools")
        session.heard("notifications/tools/list_changed", 2)


def test_a_server_that_listens_ends_when_it_is_taken_out(tmp_path):
    """A stateless one: its listen is a request that nobody answers."""
    with Lab(tmp_path) as lab:
        wait_until(lambda: {"old-ask", "new-big"} <= set(listed(lab)), 30, "the tools")

        def processes(line):
            return [pid for pid in descendants(lab.process.pid)
                    if (at := pathlib.Path(f"/proc/{pid}/cmdline")).exists()
                    and at.read_bytes().split(b"\0")[2:3] == [line]]

        assert len(processes(b"v2")) == len(processes(b"v1")) == 1
        reload(lab, new=None)
        wait_until(lambda: not processes(b"v2"), 30, "its end")
        assert len(processes(b"v1")) == 1
