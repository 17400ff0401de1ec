# SPDX-License-Identifier: Apache-2.0
"""What clients hear of servers' logs: by the level they set, also of servers that come later."""

from faulty_http import FaultyHttp
from served import over_http, served, until
from sessions import Session, text


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
