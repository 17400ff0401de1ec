# SPDX-License-Identifier: Apache-2.0
"""What is known of a server's lists, and whose process they come from."""

import asyncio
import json
import os
import pathlib
import signal
import sys

import httpx2
import mcp.types as types
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from faulty_http import FaultyHttp
from gateway import MASTER, patient, wait_until
from served import EVERYTHING, alive, descendants, served, status, until
from sessions import Session, text

TAKES_S = 38
LISTING = pathlib.Path(__file__).resolve().parent / "listing.py"
ASKED = {"elicitation": {}}
CHANGED = "notifications/tools/list_changed"


class Listing:
    """One server of listing.py in a folder of its own, and what it is told to say."""

    def __init__(self, folder, name="one", **said):
        self.folder, self.name = folder, name
        self.says(**said)

    def says(self, **said):
        new = self.folder / f"{self.name}.new"
        new.write_text(json.dumps(said))
        new.rename(self.folder / f"{self.name}.says")

    def entry(self, **more):
        return {"transport": "stdio", "command": sys.executable, "args": [
            str(LISTING), str(self.folder / f"{self.name}.says"),
            "--pids", str(self.folder / f"{self.name}.pids")], **more}

    def pids(self):
        file = self.folder / f"{self.name}.pids"
        return [int(pid) for pid in file.read_text().split()] if file.exists() else []

    def living(self):
        return [pid for pid in self.pids() if alive(pid)]


def why(gateway, name="one"):
    return status(gateway, name)["why"]


def row(gateway, name="one"):
    """Its line of `kanmon mcp list`."""
    said = gateway.command("mcp", "list", "--config", gateway.config)
    assert said.returncode == 0, said.stderr
    return next(line for line in said.stdout.splitlines() if line.startswith(name))


def names(session):
    return set(session.tools()) - {"tell", "pid"}


# --- known, failed and empty are three things ---

@pytest.mark.parametrize("how", ["error", "no method", "torn"])
def test_a_list_that_fails_leaves_what_was_known(tmp_path, how):
    server = Listing(tmp_path, tools=["a"])
    with served(tmp_path, {"one": server.entry()}) as gateway, \
            Session(gateway, "/mcp/one") as session:
        until(gateway, "one", "ready")
        session.listen()
        server.says(tools=["a", "b"])
        session.tool("tell")
        session.heard(CHANGED)
        wait_until(lambda: names(session) == {"a", "b"}, 30, "its second tool")
        server.says(tools=["a", "b"], at_list=how)
        session.tool("tell")
        bad = until(gateway, "one", "degraded")
        assert bad["tools"] == 4 and bad["lists"]["tools"]["state"] == "stale"
        said = "Method not found (-32601)" if how == "no method" else "database is locked (-32603)"
        assert f"tools/list: {said}" in bad["why"] and bad["lists"]["tools"]["why"] == said
        assert names(session) == {"a", "b"} and text(session.tool("a")) == "a"
        assert said in row(gateway) and " 4 " in row(gateway)
        doctor = gateway.command("doctor", "--config", gateway.config).stdout
        assert f"one is degraded: tools/list: {said}" in doctor
        server.says(tools=["a", "b", "c"])  # it is asked again by itself
        good = until(gateway, "one", "ready")
        assert good["tools"] == 5 and not good["why"]
        session.heard(CHANGED)
        assert names(session) == {"a", "b", "c"}
        server.says(tools=[])  # an empty list is a word
        session.tool("tell")
        wait_until(lambda: names(session) == set(), 30, "the end of its tools")
        assert status(gateway, "one")["state"] == "ready"


def test_a_servers_reason_is_told_once_and_on_one_line(tmp_path):
    because = "the\x1b[2J base\nis locked " + "\u00e9" * 200
    server = Listing(tmp_path, tools=["a"], at_list="error", because=because)
    with served(tmp_path, {"one": server.entry()}) as gateway:
        bad = until(gateway, "one", "degraded")
        said = "tools/list: the [2J base is locked " + "\u00e9" * 67
        assert bad["why"].startswith(said) and bad["why"].count("is locked") == 1
        assert bad["why"].endswith("(-32603)") and "\ufffd" not in bad["why"]
        assert row(gateway).count("is locked") == 1


def test_a_first_list_that_fails_is_unknown_and_no_server_is_ready_without(tmp_path):
    server = Listing(tmp_path, tools=["a"], prompts=["p"], at_list="error")
    with served(tmp_path, {"one": server.entry()}) as gateway:
        bad = until(gateway, "one", "degraded")
        assert bad["tools"] is None and bad["lists"]["tools"]["state"] == "unknown"
        assert bad["prompts"] == 1 and bad["lists"]["prompts"]["state"] == "known"
        assert bad["resources"] == 0 and bad["lists"]["resources"]["state"] == "undeclared"
        assert bad["why"] == "tools/list: database is locked (-32603)" and bad["known"] is False
        assert " ? " in row(gateway)
        with Session(gateway, "/mcp/one") as session:
            listed = session.ask("prompts/list")["result"]["prompts"]
            assert [p["name"] for p in listed] == ["p"]
            server.says(tools=["a"], prompts=["p"])
            until(gateway, "one", "ready")
            assert names(session) == {"a"}


def test_a_server_that_crashes_at_its_list_is_down_and_rests_longer(tmp_path):
    server = Listing(tmp_path, at_list="crash")
    with served(tmp_path, {"one": server.entry()}) as gateway:
        bad = wait_until(lambda: (s := status(gateway, "one"))["restarts"] >= 3 and s, 60, "three ends")
        assert bad["state"] == "down" and "status 1" in bad["why"] and bad["tools"] is None
        assert "status 1" in row(gateway) and " down " in row(gateway)
        assert len(server.pids()) <= 6  # half a second, one, two ...
        server.says(tools=["a"])
        good = until(gateway, "one", "ready")
        assert good["restarts"] == 0 and good["tools"] == 3


@pytest.mark.parametrize("how", ["silent", "hang"])
def test_what_was_listed_stays_while_no_answer_comes(tmp_path, how):
    """The one still works, the other is begun anew in the end; neither loses a tool meanwhile."""
    server = Listing(tmp_path, tools=["a"])
    with served(tmp_path, {"one": server.entry(timeout="1s")}) as gateway, \
            Session(gateway, "/mcp/one") as session:
        until(gateway, "one", "ready")
        server.says(tools=["a"], at_list=how)
        session.tool("tell")
        bad = until(gateway, "one", "degraded")
        assert "said nothing for 1000 ms" in bad["why"] and bad["tools"] == 3
        assert names(session) == {"a"}
        if how == "silent":
            assert text(session.tool("a")) == "a"
            server.says(tools=["a", "b"])
            until(gateway, "one", "ready")
            assert names(session) == {"a", "b"}


def test_what_was_listed_before_a_crash_stays(tmp_path):
    server = Listing(tmp_path, tools=["a"])
    with served(tmp_path, {"one": server.entry()}) as gateway:
        until(gateway, "one", "ready")
        server.says(tools=["a"], at_list="crash")
        gateway.call("POST", "/kanmon/mcp/servers/one/restart", {})
        bad = until(gateway, "one", "down")
        assert bad["tools"] == 3 and bad["known"]
        with Session(gateway, "/mcp/one") as session:
            assert names(session) == {"a"}


@pytest.mark.parametrize("command,word", [("server", "starting"), ("npx", "installing")])
def test_a_server_that_never_answers_says_what_it_is_at(tmp_path, command, word):
    """Only what a command like npx runs may be downloaded first."""
    server = Listing(tmp_path, at_start="silent")
    entry = server.entry()
    (tmp_path / command).write_text(f'#!/bin/sh\nexec {entry["command"]} "$@"\n')
    (tmp_path / command).chmod(0o755)
    with served(tmp_path, {"one": {**entry, "command": str(tmp_path / command)}},
                mcp_servers={"one": {"install_timeout": "2s"}}) as gateway:
        seen = []

        def look():
            seen.append(status(gateway, "one")["state"])
            return seen[-1] == "down"
        wait_until(look, 30, "it to be given up", 0.05)
        assert set(seen) <= {"stopped", word, "down"} and word in seen
        assert "within 2 s" in why(gateway)


def test_an_empty_list_is_not_an_unknown_one_after_a_restart_of_the_gateway(tmp_path):
    """Nothing is known of the one, the other has nothing."""
    fails = Listing(tmp_path, "fails", at_list="error")
    empty = Listing(tmp_path, "empty", prompts=[])
    servers = {"fails": fails.entry(), "empty": empty.entry()}
    with served(tmp_path, servers) as gateway:
        until(gateway, "fails", "degraded")
        until(gateway, "empty", "ready")
    fails.says(at_list="silent")
    with served(tmp_path, servers) as gateway:
        assert status(gateway, "fails")["tools"] is None
        assert status(gateway, "empty")["prompts"] == 0 and status(gateway, "empty")["tools"] == 2


# --- whose process ---

def test_a_new_kind_of_client_has_all_lists_and_starts_nothing(tmp_path):
    servers = [Listing(tmp_path, f"s{i}", tools=["a", "b"]) for i in range(14)]
    with served(tmp_path, {s.name: s.entry() for s in servers}) as gateway:
        for s in servers:
            until(gateway, s.name, "ready")
        kinds = [{}, ASKED, {"sampling": {}}, {"roots": {"listChanged": True}, **ASKED}]
        for capabilities in kinds:
            with Session(gateway, "/mcp", capabilities=capabilities) as session:
                listed = session.tools()
            assert sum(name.startswith("s") for name in listed) == 14 * 4
        assert all(len(s.pids()) == 1 for s in servers)
        with Session(gateway, "/mcp", capabilities=ASKED) as session:
            assert text(session.tool("s3-a")) == "a"
            # Its process, and no other's, begins with the call.
            assert [len(s.pids()) for s in servers] == [2 if s.name == "s3" else 1 for s in servers]


def test_what_a_server_shows_to_a_client_that_can_be_asked_comes_with_its_first_call(tmp_path):
    server = Listing(tmp_path, tools=["a"], more=["b"])
    with served(tmp_path, {"one": server.entry()}) as gateway:
        until(gateway, "one", "ready")
    with served(tmp_path, {"one": server.entry()}) as gateway:  # its lists are no news any more
        until(gateway, "one", "ready")
        with Session(gateway, "/mcp/one") as plain, \
                Session(gateway, "/mcp/one", capabilities=ASKED) as asked:
            asked.listen()
            assert names(plain) == names(asked) == {"a"} and len(server.pids()) == 2
            assert text(asked.tool("a")) == "a"
            asked.heard(CHANGED)
            assert names(asked) == {"a", "b"} and names(plain) == {"a"}
            assert text(asked.tool("b")) == "b"
            assert "Unknown tool" in plain.tool("b")["error"]["message"]
        with Session(gateway, "/mcp/one", capabilities=ASKED) as next_one:
            assert names(next_one) == {"a", "b"}  # it is remembered
        assert len(server.pids()) == 3


@pytest.mark.parametrize("path,name", [("/mcp/one", "b"), ("/mcp", "one-b")])
def test_a_tool_that_is_not_listed_yet_can_be_called(tmp_path, path, name):
    server = Listing(tmp_path, tools=["a"], more=["b"])
    other = Listing(tmp_path, "other")
    with served(tmp_path, {"one": server.entry(), "other": other.entry()}) as gateway:
        until(gateway, "one", "ready")
        until(gateway, "other", "ready")
        with Session(gateway, path, capabilities=ASKED) as session:
            assert text(session.tool(name)) == "b"
            assert "Unknown tool" in session.tool(name + "x")["error"]["message"]
        assert len(server.pids()) == 2 and len(other.pids()) == 1


def test_a_server_that_asks_nobody_has_one_process_for_all_clients(tmp_path):
    server = Listing(tmp_path, tools=["a"])
    with served(tmp_path, {"one": server.entry()}, mcp_servers={"one": {"asks_clients": False}}) as gateway:
        until(gateway, "one", "ready")
        for capabilities in ({}, ASKED, {"sampling": {}}):
            with Session(gateway, "/mcp/one", capabilities=capabilities) as session:
                assert names(session) == {"a"} and text(session.tool("a")) == "a"
        assert len(server.pids()) == 1


@pytest.mark.parametrize("how", ["by hand", "by a crash"])
def test_after_a_restart_that_changed_tools_every_client_hears_of_it(tmp_path, how):
    server = Listing(tmp_path, tools=["a", "b"], more=["c"])
    with served(tmp_path, {"one": server.entry()}) as gateway:
        until(gateway, "one", "ready")
        with Session(gateway, "/mcp/one") as plain, \
                Session(gateway, "/mcp/one", capabilities=ASKED) as asked:
            asked.tool("a")
            wait_until(lambda: names(asked) == {"a", "b", "c"}, 30, "its own list")
            plain.listen()
            asked.listen()
            server.says(tools=["d"])
            if how == "by hand":
                gateway.call("POST", "/kanmon/mcp/servers/one/restart", {})
            else:
                for pid in server.living():
                    os.kill(pid, signal.SIGKILL)
            for session in (plain, asked):
                session.heard(CHANGED)
            for session in (plain, asked):
                wait_until(lambda: names(session) == {"d"}, 30, "the new tools")  # noqa: B023


def test_a_failure_of_its_own_process_takes_no_tool_from_a_client(tmp_path):
    server = Listing(tmp_path, tools=["a"])
    with served(tmp_path, {"one": server.entry()}) as gateway:
        until(gateway, "one", "ready")
        server.says(tools=["a"], at_list="error")
        with Session(gateway, "/mcp/one", capabilities=ASKED) as session:
            asked = json.loads(text(session.tool("pid")))
            wait_until(lambda: "tools/list" in json.loads(text(session.tool("pid")))[1], 30, "its list")
            assert names(session) == {"a"} and asked[0] == server.pids()[1]
        now = status(gateway, "one")
        assert now["state"] == "ready" and now["tools"] == 3


def test_a_tool_that_only_some_clients_are_shown_is_neither_new_nor_gone(tmp_path):
    server = Listing(tmp_path, tools=["a"], more=["b"])

    def alerts(gateway):
        return {t["tool"]: t for t in json.loads(gateway.call("GET", "/kanmon/mcp/pins").body)["tools"]}

    with served(tmp_path, {"one": server.entry()},
                mcp_servers={"one": {"pin": "strict", "idle_timeout": "1s"}}) as gateway, \
            Session(gateway, "/mcp/one", capabilities=ASKED) as session:
        until(gateway, "one", "ready")
        assert text(session.tool("b")) == "b"
        assert names(session) == {"a", "b"} and not alerts(gateway)
        server.says(tools=["a"], more=["b", "c"])
        session.tool("tell")
        wait_until(lambda: "c" in alerts(gateway), 30, "the third to be told")
        assert names(session) == {"a", "b"}  # it is withheld
        assert alerts(gateway)["c"]["state"] == "new" and alerts(gateway)["c"]["description"] == "The tool c"
        shown = gateway.command("mcp", "approve", "--config", gateway.config).stdout
        assert "tool 'c' is new" in shown and "The tool c" in shown
        until(gateway, "one", "stopped")
        gateway.call("POST", "/kanmon/mcp/servers/one/restart", {})
        until(gateway, "one", "ready")
        counted = gateway.call("GET", "/metrics").body.decode()
        assert 'server="one",what="new"' in counted and 'what="gone"' not in counted


def test_lists_of_an_asker_with_credentials_are_its_own_affair(tmp_path):
    """One caller's list fails: nobody else hears of it, and it is asked for again for that caller."""
    with FaultyHttp() as server, served(tmp_path, {
            "one": {"transport": "http", "url": server.url, "extra_headers": ["x-me"]}}) as gateway:
        until(gateway, "one", "ready")
        server.fails_for = {"ann"}
        with Session(gateway, "/mcp/one") as ann, Session(gateway, "/mcp/one") as bob:
            ann.headers["x-me"], bob.headers["x-me"] = "ann", "bob"
            assert set(bob.tools()) == {"work", "break"} and not ann.tools()
            assert status(gateway, "one")["state"] == "ready"
            server.fails_for = set()
            wait_until(lambda: set(ann.tools()) == {"work", "break"}, 30, "her list")


@pytest.mark.parametrize("how", ["refuses", "breaks_for"])
def test_one_whose_header_a_server_does_not_take_says_nothing_of_the_server(tmp_path, how):
    """Not by its lists, not by a call: the state is of what all ask for."""
    with FaultyHttp() as server, served(tmp_path, {
            "one": {"transport": "http", "url": server.url, "extra_headers": ["x-me"]}}) as gateway:
        until(gateway, "one", "ready")
        setattr(server, how, {"eve"})
        with Session(gateway, "/mcp/one") as eve, Session(gateway, "/mcp/one") as bob:
            eve.headers["x-me"], bob.headers["x-me"] = "eve", "bob"
            assert set(bob.tools()) == {"work", "break"}
            for _ in range(6):  # more than open a breaker
                eve.tools()
                assert '"done"' not in json.dumps(eve.tool("work"))
            assert set(bob.tools()) == {"work", "break"}
            assert text(bob.tool("work")) == "done"
        assert status(gateway, "one")["state"] == "ready"
        said = gateway.log.read_text()
    assert "one is ready" in said and "one is down" not in said and "one is degraded" not in said


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_the_reference_server_and_the_official_sdk(tmp_path, mode):
    """The tools that need an elicitation come with the first call, and the client is told."""
    everything = {"transport": "stdio", "command": os.environ["KM_NODE"], "args": [
        str(EVERYTHING / "node_modules/@modelcontextprotocol/server-everything/dist/index.js"), "stdio"]}
    with served(tmp_path, {"one": everything}) as gateway:
        until(gateway, "one", "ready")
        before = descendants(gateway.process.pid)
        seen = asyncio.run(visit(f"{gateway.url}/mcp/one", mode, before, gateway.process.pid))
        declared = status(gateway, "one")["declared"]
        shown = gateway.command("mcp", "status", "one", "--config", gateway.config).stdout
    asks = "trigger-elicitation-request"
    assert asks not in seen["first"] and "echo" in seen["first"]
    assert not seen["started"]
    assert asks in seen["then"] and seen["asked"] == 1
    assert declared == {"calls": 2, "questions": 1, "lists_differ": True}
    assert "2 calls of clients that can be asked, 1 questions, lists of their own" in shown


async def visit(url, mode, before, pid):
    told, asked, seen = asyncio.Event(), [], {}

    async def on_message(message):
        if getattr(getattr(message, "root", message), "method", "") == CHANGED:
            told.set()

    async def on_question(_context, params):
        asked.append(params)
        return types.ElicitResult(action="decline")

    http = httpx2.AsyncClient(headers={"authorization": f"Bearer {MASTER}"}, timeout=patient(60))
    async with http, Client(streamable_http_client(url, http_client=http), mode=mode, cache=None,
                            elicitation_callback=on_question, message_handler=on_message) as client:
        async def listed():
            return [tool.name for tool in (await client.list_tools()).tools]
        seen["first"] = await listed()
        seen["started"] = descendants(pid) - before
        await client.call_tool("echo", {"message": "hi"})
        async with asyncio.timeout(patient(30)):
            if mode == "legacy":  # a stateless client has no stream it did not ask for
                await told.wait()
            while "trigger-elicitation-request" not in await listed():
                await asyncio.sleep(0.05)
        seen["then"] = await listed()
        await client.call_tool("trigger-elicitation-request", {})
    return {**seen, "asked": len(asked)}


# --- words ---

def test_words_of_commands_say_what_is(tmp_path):
    server = Listing(tmp_path, tools=["a"])
    with served(tmp_path, {"every-one": server.entry()},
                mcp_servers={"every-one": {"idle_timeout": "1s"}}) as gateway:
        until(gateway, "every-one", "ready")
        assert "every_one-" in row(gateway, "every-one")
        shown = gateway.command("mcp", "status", "every-one", "--config", gateway.config).stdout
        assert "prefix     every_one-" in shown
        until(gateway, "every-one", "stopped")
        started = gateway.command("mcp", "start", "every-one", "--config", gateway.config)
        assert started.stdout.strip() in ("every-one: starting", "every-one: ready")
        until(gateway, "every-one", "ready")
        gateway.command("mcp", "stop", "every-one", "--config", gateway.config)
        started = gateway.command("mcp", "start", "every-one", "--config", gateway.config)
        assert started.stdout.strip() in ("every-one: starting", "every-one: ready")
        refused = gateway.command("mcp", "call", "nope", "--config", gateway.config)
        assert refused.returncode != 0 and "Unknown tool: nope" in refused.stderr
        assert "answered 200" not in refused.stderr
        for words in (("tools", "evry-one"), ("call", "nope"), ("status", "evry-one")):
            refused = gateway.command("mcp", *words, "--config", gateway.config)
            assert refused.returncode == 1 and "answered" not in refused.stderr, refused
        assert "did you mean 'every-one'?" in refused.stderr


def test_a_server_that_somebody_uses_is_not_stopped(tmp_path):
    server = Listing(tmp_path, tools=["a"])
    with served(tmp_path, {"each": server.entry(env={"ME": "${X-ME}"}),
                           "off": server.entry(enabled=False)}) as gateway:
        before = status(gateway, "each")
        assert (before["state"], before["why"]) == ("stopped", "it begins for each caller who asks, as that caller")
        assert (status(gateway, "off")["state"], status(gateway, "off")["why"]) == ("stopped", "not enabled")
        with Session(gateway, "/mcp/each") as session:
            session.headers["x-me"] = "ann"
            assert names(session) == {"a"} and text(session.tool("a")) == "a"
            used = status(gateway, "each")
            assert (used["state"], used["why"]) == ("ready", "") and used["sessions"]
            gateway.call("POST", "/kanmon/mcp/servers/each/stop", {})
            assert status(gateway, "each")["why"] == "stopped by hand"
            gateway.call("POST", "/kanmon/mcp/servers/each/start", {})
            assert text(session.tool("a")) == "a" and status(gateway, "each")["state"] == "ready"
