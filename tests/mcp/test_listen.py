# SPDX-License-Identifier: Apache-2.0
"""What is acknowledged to a stateless client that listens, and when, with servers on the official SDKs."""

import concurrent.futures
import json
import os

import pytest
from gateway import wait_until

from conftest import HERE
from sessions import Listening, Session
from test_lab import Lab, listed

CHANGING = HERE.parent / "conformance" / "fixture" / "changing.mjs"
ACKNOWLEDGED = "notifications/subscriptions/acknowledged"
LISTS = {"toolsListChanged": True, "promptsListChanged": True, "resourcesListChanged": True}
TOOLS, UPDATED = "notifications/tools/list_changed", "notifications/resources/updated"


def tools(*names):
    return json.dumps([{"name": name, "inputSchema": {"type": "object"}} for name in names])


def started(folder, acknowledge):
    path = folder / "tools.json"
    path.write_text(tools("one"))
    return Lab(folder, settings={"mcp_sessions": {"acknowledge": acknowledge}},
               changing={"command": os.environ["KM_NODE"], "args": [str(CHANGING), "v1", str(path)]})


def wait_for_all(lab):
    wait_until(lambda: {"old-hang", "new-hang", "changing-one"} <= set(listed(lab)), 30, "the tools")


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Whoever waits for the bound here waits longer than any test."""
    with started(tmp_path_factory.mktemp("listen"), "1m") as lab:
        wait_for_all(lab)
        yield lab


def test_what_a_server_refuses_is_not_acknowledged(lab):
    uris = ["memo://secret", "memo://note", "memo://fixed", "memo://nobodys"]
    for _ in range(8):  # at either worker: beside the server, and by way of the other one
        with Listening(lab, uris=uris) as client:
            assert client.accepted == {**LISTS, "resourceSubscriptions": ["memo://note"]}
    with Listening(lab, uris=["memo://fixed"]) as client:
        assert client.accepted == {**LISTS, "resourceSubscriptions": []}


def test_a_hundred_resources_are_looked_up_for_a_listen(lab):
    nobodys = [f"memo://nobodys{i}" for i in range(100)]
    for uris, accepted in ((nobodys[1:], ["memo://note"]), (nobodys, [])):
        with Listening(lab, uris=[*uris, "memo://note"]) as client:
            assert client.accepted["resourceSubscriptions"] == accepted


def test_a_server_that_starts_is_waited_for_before_it_is_said_that_nobody_has_it(tmp_path):
    with Lab(tmp_path, new={"enabled": False}) as lab, Session(lab) as session:
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            asked = pool.submit(session.ask, "resources/subscribe", {"uri": "memo://note"})
            with Listening(lab, uris=["memo://note"]) as client:
                assert client.accepted["resourceSubscriptions"] == ["memo://note"]
            assert asked.result()["result"] == {}


def test_what_comes_before_the_acknowledgement_is_told_after_it(lab):
    uris = ["memo://note", "memo://late"]
    with Session(lab) as other, concurrent.futures.ThreadPoolExecutor(1) as pool:
        other.listen()
        assert other.ask("resources/subscribe", {"uri": uris[0]})["result"] == {}
        client = Listening(lab, uris=uris)
        begun = pool.submit(client.hello)
        wait_until(lambda: "subscribe memo://late" in lab.saw(), 20, "the question to the server")
        (lab.folder / "old.log.touch").write_text("1")
        (lab.folder / "tools.json").write_text(tools("one", "two"))
        other.heard(UPDATED)
        other.heard(TOOLS)
        assert client.notices == []
        (lab.folder / "old.log.late").write_text("")
        begun.result()
        assert client.accepted["resourceSubscriptions"] == uris
        client.heard(UPDATED)
        client.heard(TOOLS)
        said = [(m["method"], m["params"].get("uri")) for m in client.notices]
        assert said[0][0] == ACKNOWLEDGED and len(said) == len(set(said)), said  # and each once
        client.__exit__()


def test_a_server_that_does_not_answer_is_not_waited_for(tmp_path):
    uris = ["memo://note", "memo://late"]
    with started(tmp_path, "2s") as lab:
        wait_for_all(lab)
        with Listening(lab, uris=uris) as client:
            assert client.accepted["resourceSubscriptions"] == uris[:1]
            wait_until(lambda: "unsubscribe memo://late" in lab.saw(), 20, "its end")
            (tmp_path / "old.log.late").write_text("")  # too late
            for times in (1, 2):  # what it tells of the other one comes between the two
                (tmp_path / "old.log.touch").write_text("x" * times)
                client.heard(UPDATED, times)
            assert {m["params"]["uri"] for m in client.heard(UPDATED)} == {"memo://note"}
