# SPDX-License-Identifier: Apache-2.0
"""Servers that are asked in the place of one that fails: the official SDK behind what breaks calls."""
import contextlib
import json

import pytest
from breaking import Breaking
from gateway import wait_until
from served import config, served, until
from test_repeats import Server, call, entry, went_well

TAKES_S = 19


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """one -> two -> four, then three; each counts what it runs."""
    folder = tmp_path_factory.mktemp("followers")
    with contextlib.ExitStack() as stack:
        servers = {}
        for name in ("one", "two", "three", "four"):
            (folder / name).mkdir()
            servers[name] = stack.enter_context(Server(folder / name))
            servers[name].between = stack.enter_context(Breaking(servers[name].url))
        more = {"trust_annotations": True, "num_retries": 0}
        entries = {name: entry(s.between.url, **more) for name, s in servers.items()}
        entries["one"].update(fallback=["two", "three"], mcp_info={
            "mcp_server_cost_info": {"default_cost_per_query": 0.5}})
        entries["two"].update(fallback=["four"], mcp_info={
            "mcp_server_cost_info": {"tool_name_to_cost_per_query": {"look": 0.25}}})
        entries["four"].update(disallowed_tools=["put"])
        gateway = stack.enter_context(served(folder, entries, performance={
            "circuit_breaker_failures": 1000}))
        for name in servers:
            until(gateway, name, "ready")
        yield gateway, servers


@pytest.fixture
def ran(world):
    """What each ran since; none of them rests."""
    gateway, servers = world
    for name, server in servers.items():
        server.between.fault(None)
        until(gateway, name, "ready")
        server.ran_file.unlink(missing_ok=True)
    return lambda: {name: s.ran() for name, s in servers.items() if s.ran()}


def last_record(gateway, tool):
    records = [d for _, target, d in gateway.audit() if target == tool]
    return json.loads(records[-1]) if records else {"server": None}


def test_the_next_is_asked_in_order(world, ran):
    gateway, servers = world
    for names, answers in (("one", "two"), ("one two", "four"), ("one two four", "three")):
        for name in servers:
            until(gateway, name, "ready")
            servers[name].between.fault("unread" if name in names.split() else None, None)
        assert went_well(call(gateway, "look"))
        assert ran()[answers] == ["look"] and len(ran()) == 1
        servers[answers].ran_file.unlink()
        wait_until(lambda: last_record(gateway, "look")["server"] == answers, 20, "its record")
        assert last_record(gateway, "look")["instead_of"] == "one"
    for name, server in servers.items():
        until(gateway, name, "ready")
        server.between.fault("unread", None)
    assert not went_well(call(gateway, "look"))
    assert [s.between.calls for s in servers.values()] == [1, 1, 1, 1] and ran() == {}


@pytest.mark.parametrize("how", ["reset", "cut", "502", "503-error", "429"])
@pytest.mark.parametrize("tool", ["delete_file", "make", "liar"])
def test_what_may_have_run_is_not_run_elsewhere(world, ran, tool, how):
    gateway, servers = world
    servers["one"].between.fault(how, None)
    assert not went_well(call(gateway, tool))
    assert ran() == {"one": [tool]}


@pytest.mark.parametrize("how", ["reset", "cut", "502", "503-error", "429"])
def test_what_may_be_repeated_is_run_elsewhere(world, ran, how):
    gateway, servers = world
    servers["one"].between.fault(how, None)
    assert went_well(call(gateway, "look"))
    assert ran() == {"one": ["look"], "two": ["look"]}


def test_a_server_that_is_gone_is_replaced_whatever_the_tool(tmp_path):
    """No byte of it was sent there."""
    with Server(tmp_path) as gone, contextlib.ExitStack() as stack:
        (tmp_path / "next").mkdir()
        there = stack.enter_context(Server(tmp_path / "next"))
        gateway = stack.enter_context(served(tmp_path, {
            "one": entry(gone.url, fallback=["two"], num_retries=0), "two": entry(there.url)}))
        until(gateway, "one", "ready")
        until(gateway, "two", "ready")
        gone.process.kill()
        gone.process.wait()

        def deleted():
            return went_well(call(gateway, "delete_file"))
        # A connection that is kept may take the call and break: that one is not repeated.
        wait_until(deleted, 20, "the next server has it")
        assert there.ran() == ["delete_file"]


def test_rights_are_asked_for_anew(world, ran):
    gateway, servers = world
    servers["one"].between.fault("unread", None)
    for permission, goes in (
            ({"mcp_servers": ["one"]}, []), ({"mcp_servers": ["one", "three"]}, ["three"]),
            ({"mcp_servers": ["one", "two", "three"],
              "mcp_tool_permissions": {"two": ["put"]}}, ["three"]),
            ({"mcp_servers": ["one", "two", "three"],
              "mcp_param_permissions": {"two": {"look": ["progress"]}}}, ["three"])):
        key = gateway.new_key(object_permission=permission)
        answer = gateway.stateless("tools/call", {"name": "look", "arguments": {"name": "a"}},
                                   path="/mcp/one", key=key).json()
        assert went_well(answer) == bool(goes), (permission, answer)
        assert list(ran()) == goes
        for name, server in servers.items():
            until(gateway, name, "ready")
            server.ran_file.unlink(missing_ok=True)


def test_a_follower_without_the_tool_is_passed_over(world, ran):
    gateway, servers = world
    for name in ("one", "two"):
        servers[name].between.fault("unread", None)
    assert went_well(call(gateway, "put"))
    assert ran() == {"three": ["put"]}


def test_each_costs_what_it_costs_and_a_budget_bounds_all(world, ran):
    gateway, servers = world
    key = gateway.new_key(max_budget=0.7)

    def look():
        return gateway.stateless("tools/call", {"name": "look", "arguments": {}},
                                 path="/mcp/one", key=key).json()

    def spent():
        return float(gateway.call("GET", f"/key/info?key={key}").json()["info"]["spend"])
    servers["one"].between.fault("502", None)  # it ran there, and may be billed
    answer = look()
    assert not went_well(answer) and ran() == {"one": ["look"]}  # 0.5 + 0.25 is more than there is
    wait_until(lambda: spent() == 0.5, 20, "it is booked")
    key = gateway.new_key(max_budget=0.75)
    assert went_well(look())
    wait_until(lambda: spent() == 0.75, 20, "both are booked")


@pytest.mark.parametrize("fallback, words", [
    ({"one": ["two"], "two": ["three"], "three": ["one"]}, "goes round in a circle"),
    ({"one": ["one"]}, "goes round in a circle"),
    ({"one": ["nobody"]}, "there is no such server")])
def test_lists_that_lead_nowhere_do_not_load(tmp_path, fallback, words):
    from conftest import McpGateway
    gateway = McpGateway(tmp_path, config(tmp_path, {
        name: entry("http://127.0.0.1:9/", fallback=fallback.get(name, []))
        for name in ("one", "two", "three")}))
    said = gateway.command("config", "check", gateway.config)
    assert said.returncode != 0 and words in said.stdout + said.stderr
