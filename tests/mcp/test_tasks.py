# SPDX-License-Identifier: Apache-2.0
"""tasks/list: the caller's own tasks of all servers, the reference server's among them."""

import os

import pytest

from gateway import wait_until
from served import faulty, served, until
from sessions import Session
from test_chat_everything import SERVER

TASK = "simulate-research-query"


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """The reference server twice, one process for all callers each."""
    every = {"transport": "stdio", "command": os.environ["KM_NODE"], "args": [str(SERVER), "stdio"]}
    with served(tmp_path_factory.mktemp("tasks"), {"one": every, "two": every}) as started:
        wait_until(lambda: {"one-echo", "two-echo"} <= {
            t["name"] for t in started.call("GET", "/mcp-rest/tools/list").json()["tools"]}, 60)
        yield started


def made(session, server):
    answer = session.ask("tools/call", {"name": f"{server}-{TASK}", "task": {"ttl": 60000},
                                        "arguments": {"topic": "tides"}})
    return answer["result"]["task"]["taskId"]


def listed(session):
    """All pages."""
    tasks, cursor = {}, {}
    while True:
        page = session.ask("tasks/list", cursor)["result"]
        tasks |= {task["taskId"]: task["status"] for task in page["tasks"]}
        if "nextCursor" not in page:
            return tasks
        cursor = {"cursor": page["nextCursor"]}


def test_each_caller_sees_its_own_tasks_of_all_servers(two):
    other = two.call("POST", "/key/generate", {"object_permission": {"mcp_servers": ["two"]}}).json()
    with Session(two) as ours, Session(two, key=other["key"]) as theirs:
        assert listed(ours) == listed(theirs) == {}
        tasks = {made(ours, "one"), made(ours, "two")}
        foreign = made(theirs, "two")
        assert set(listed(ours)) == tasks
        assert set(listed(theirs)) == {foreign}
        with Session(two, path="/mcp/one") as narrow:  # what this endpoint is about
            assert len(listed(narrow)) == 1
        gone = sorted(tasks)[0]
        assert ours.ask("tasks/cancel", {"taskId": gone})["result"]["status"] == "cancelled"
        assert listed(ours)[gone] == "cancelled"
        assert ours.ask("tasks/list", {"cursor": 7})["error"]["code"] == -32602


def test_many_tasks_come_in_pages(two):
    with Session(two) as session:
        before = set(listed(session))
        tasks = {made(session, "one") for _ in range(51)}
        first = session.ask("tasks/list")["result"]
        assert len(first["tasks"]) == 50 and first["nextCursor"]
        assert set(listed(session)) == before | tasks


def test_the_list_is_announced(two):
    with Session(two) as session:
        assert session.begun["capabilities"]["tasks"] == {
            "list": {}, "cancel": {}, "requests": {"tools": {"call": {}}}}


def test_extensions_are_announced_that_a_gateway_can_keep(tmp_path):
    tasks, ui = "io.modelcontextprotocol/tasks", "io.modelcontextprotocol/ui"
    server = faulty("--extensions", f"{tasks},{ui},com.example/with-methods-of-its-own")
    with served(tmp_path, {"one": server}) as gateway:
        until(gateway, "one", "ready")
        with Session(gateway) as session:
            assert session.begun["capabilities"]["extensions"] == {ui: {}}
        found = gateway.stateless("server/discover", path="/mcp").json()["result"]
        assert found["capabilities"]["extensions"] == {tasks: {}, ui: {}}
