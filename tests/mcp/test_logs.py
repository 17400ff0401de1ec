# SPDX-License-Identifier: Apache-2.0
"""What clients hear of servers' logs: by the level they set, also of servers that come later."""

import contextlib
import os

from gateway import MASTER, wait_until

from faulty_http import FaultyHttp
from served import over_http, served, until
from sessions import Session, text
from test_lab import LAB, Lab, listed, said
from test_reload import NOTE, UPDATED, reload


def test_a_call_does_not_overtake_the_level_its_client_has_set(tmp_path):
    """Which the client was told is set; a server that never says so is not waited for again."""
    with FaultyHttp(leveled=0.3) as slow, FaultyHttp(leveled=None) as silent, served(
            tmp_path, {"slow": over_http(slow), "silent": over_http(silent)}, workers=1) as gateway:
        until(gateway, "slow", "ready")
        for level in ("error", "debug"):
            with Session(gateway) as session:
                assert session.ask("logging/setLevel", {"level": level})["result"] == {}
                assert text(session.tool("slow-work")) == "done"
                called = [one for one in slow.seen if one["method"] == "tools/call"]
                assert called[-1]["level"] == level
        with Session(gateway) as session:
            session.ask("logging/setLevel", {"level": "debug"})
            assert text(session.tool("silent-work")) == text(session.tool("silent-work")) == "done"


def say(lab, name, times=1):
    (lab.folder / f"{name}.log.say").write_text("now" * times)


def sessions_of(lab, keys, stack, level):
    """Three for each key, so that either worker has some, that listen and have set a level."""
    every = [stack.enter_context(Session(lab, key=key)) for key in keys * 3]
    for session in every:
        session.listen()
        assert session.ask("logging/setLevel", {"level": level})["result"] == {}
    return every


def test_a_server_that_is_added_is_heard_by_those_who_set_a_level(tmp_path):
    extra = {"command": os.environ["KM_NODE"], "args": [str(LAB), "v1", str(tmp_path / "extra.log")]}
    with Lab(tmp_path) as lab, contextlib.ExitStack() as stack:
        wait_until(lambda: "old-ask" in listed(lab), 30, "the tools")
        key = lab.new_key(object_permission={"mcp_servers": ["old"]})
        every = sessions_of(lab, [MASTER, key], stack, "info")
        reload(lab, extra=extra)
        wait_until(lambda: "extra-ask" in listed(lab), 30, "its tools")
        say(lab, "extra")
        for session in every[::2]:
            wait_until(lambda: said(session) == ["info said", "error said"], 30, "its word")
        say(lab, "old")  # the others may not use the new one, and hear this alone
        for session in every:
            wait_until(lambda: said(session)[-2:] == ["info said", "error said"] and
                       len(said(session)) == (4 if session in every[::2] else 2), 30, "the other's word")


def test_what_was_heard_by_a_right_that_is_gone_is_over(tmp_path):
    """A reload puts the server into another group, which the one key is not for."""
    with Lab(tmp_path, old={"access_groups": ["ours"]}) as lab, contextlib.ExitStack() as stack:
        wait_until(lambda: "old-ask" in listed(lab), 30, "the tools")
        key = lab.new_key(object_permission={"mcp_access_groups": ["ours"]})
        every = sessions_of(lab, [MASTER, key], stack, "error")
        for session in every:
            assert session.ask("resources/subscribe", NOTE)["result"] == {}
        asked = lab.saw().count("subscribe memo://note")
        reload(lab, old={"access_groups": ["theirs"]})
        for session in every[1::2]:
            wait_until(lambda: "error" in session.ask("resources/subscribe", NOTE), 30, "its end")
        for session in every[::2]:  # over for them as well, but they may begin anew
            assert session.ask("resources/subscribe", NOTE)["result"] == {}
        assert lab.saw().count("subscribe memo://note") == asked + 3
        (tmp_path / "old.log.touch").write_text("now")
        say(lab, "old")
        for session in every[::2]:
            assert len(session.heard(UPDATED)) == 1
            wait_until(lambda: said(session) == ["error said"], 30, "its word")
        for session in every[1::2]:
            assert session.ask("ping")["result"] == {}
            assert not said(session) and not any(m["method"] == UPDATED for m in session.notices)
