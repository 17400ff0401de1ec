# SPDX-License-Identifier: Apache-2.0
"""What breaks gateways for MCP, point by point: the fifteen that their users report again and again.

Each test is named after its point; README.md has the table of points and all tests that show one.
"""

import concurrent.futures
import json
import os
import pathlib
import re
import signal
import sys
import time

import pytest
from gateway import wait_until
from long_form import LONG

from faulty_http import FaultyHttp
from served import EVERYTHING, FAULTY, HERE, alive, children, config, descendants, faulty
from served import over_http, served, status, until
from sessions import Session, text

TAKES_S = 37
FIXTURE = HERE.parent / "conformance" / "fixture" / "server.mjs"


def wrapped():
    """Servers under npx and uv: each is a tree of processes."""
    return {"by-npx": {"transport": "stdio", "command": "npx", "cwd": str(EVERYTHING),
                       "args": ["--no-install", "@modelcontextprotocol/server-everything"]},
            "by-uv": {"transport": "stdio", "command": os.environ["KM_UV"],
                      "args": ["run", "--no-project", "--offline", "--no-config", "--python",
                               sys.executable, str(FAULTY), "--grandchild", "--ignore-term"]}}


@pytest.mark.parametrize("how", ["kill", "stop", pytest.param("by hand", marks=LONG)])
def test_01_nothing_is_left_of_what_npx_and_uvx_start(tmp_path, how):
    with served(tmp_path, wrapped()) as gateway:
        for name in wrapped():
            until(gateway, name, "ready")
        tree = descendants(gateway.process.pid)
        assert len(tree) >= 7  # two shims, npx and its node, uv, python and its child
        if how == "kill":
            gateway.process.send_signal(signal.SIGKILL)
            gateway.process.wait()
        elif how == "by hand":
            for name in wrapped():
                gateway.call("POST", f"/kanmon/mcp/servers/{name}/stop", {})
        else:
            gateway.stop()
        wait_until(lambda: not any(map(alive, tree)), 30, f"the end of {tree}")


def test_01_a_child_is_shared_and_has_no_descriptor_of_ours(tmp_path):
    with served(tmp_path, {"one": faulty("--pids", tmp_path / "pids")}) as gateway:
        for _ in range(3):
            with Session(gateway, "/mcp/one") as session:
                session.tool("pid")
        pids = (tmp_path / "pids").read_text().split()
        assert len(pids) == 1
        assert sorted(map(int, os.listdir(f"/proc/{pids[0]}/fd"))) == [0, 1, 2]


def test_02_an_answer_does_not_wait_for_the_end_of_a_child(tmp_path):
    with served(tmp_path, {"stays": faulty("--ignore-term", "--tools", 3000)}) as gateway:
        with Session(gateway, "/mcp/stays") as session:
            tools = session.tools()
            assert len(tools) >= 3000 or "nextCursor" in session.ask("tools/list")["result"]
            assert int(text(session.tool("pid"))) > 0
        stopped = gateway.call("POST", "/kanmon/mcp/servers/stays/stop", {})
        assert stopped.status == 200  # although its process takes two seconds to be killed
        assert status(gateway, "stays")["state"] == "stopped"


def test_03_many_first_callers_start_one_process(tmp_path):
    with served(tmp_path, {"one": faulty("--pids", tmp_path / "pids", "--slow", 1)}) as gateway:
        def one(_):
            with Session(gateway, "/mcp/one") as session:
                return text(session.tool("pid"))
        with concurrent.futures.ThreadPoolExecutor(24) as pool:
            answers = set(pool.map(one, range(24)))
        assert len(answers) == 1
        assert (tmp_path / "pids").read_text().split() == list(answers)


def test_03_a_server_that_ends_at_once_rests_longer_each_time(tmp_path):
    starts = tmp_path / "starts"
    dies = {"transport": "stdio", "command": "sh", "args": ["-c", f"echo >>{starts}; exit 1"]}
    with served(tmp_path, {"dies": dies}) as gateway:
        seen = []
        def tried():
            if (one := status(gateway, "dies"))["restarts"]:
                seen.append((one["state"], one["since"], one["why"]))
            return one["restarts"] >= 3
        wait_until(tried, 30, "three tries", 0.02)
        assert len(set(seen)) == 1, "down since the first, for the same reason, while it is tried"
        assert seen[0][0] == "down"
        answer = gateway.rpc("tools/call", {"name": "any"}, path="/mcp/dies")
        assert "error" in answer or answer["result"]["isError"]
        # Failures are counted, and so are starts: no request made one more.
        count = status(gateway, "dies")["restarts"]
        assert len(starts.read_text().splitlines()) <= count + 1


def test_03_no_more_than_64_children_and_not_all_in_a_moment(tmp_path):
    servers = {f"s{i}": faulty("--pids", tmp_path / "pids") for i in range(70)}
    with served(tmp_path, servers) as gateway:
        def running():
            # The gateway's own: a shim's child has the shim's words until it becomes the server.
            return [child for child in children().get(gateway.process.pid, [])
                    if b"--shim" in _words(child)]
        most = 0
        def all_heard():
            nonlocal most
            most = max(most, len(running()))
            return sum(status_of["known"] for status_of in json.loads(
                gateway.call("GET", "/kanmon/mcp/servers").body)["servers"]) >= 60
        wait_until(all_heard, 60, "the lists", 0.1)
        assert most <= 64


def _words(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_04_bad_servers_do_not_keep_the_others_lists_back(tmp_path):
    servers = {"good": faulty(), "hangs": faulty("--slow", 1000),
               "dies": {"transport": "stdio", "command": "false"},
               "gone": {"transport": "http", "url": "http://127.0.0.1:1/mcp"},
               "silent": {"transport": "stdio", "command": "sleep", "args": ["1000"]}}
    with served(tmp_path, servers, mcp_sessions={"first_list": "1s"}) as gateway, \
            Session(gateway, "/mcp") as session:
        until(gateway, "good", "ready")
        assert "good-pid" in session.tools()  # waited for the others once, a second at most
        took = []
        for _ in range(40):
            began = time.monotonic()
            assert "good-pid" in session.tools()
            took.append(time.monotonic() - began)
        assert sorted(took)[20] < 1  # and then for none of them any more
        assert text(session.tool("good-pid"))
        failed = session.tool("dies-anything")
        assert "error" in failed or failed["result"]["isError"]


def test_04_the_last_good_list_stays(tmp_path):
    with served(tmp_path, {"one": faulty("--pids", tmp_path / "pids")}) as gateway, \
            Session(gateway, "/mcp") as session:
        assert "one-pid" in session.tools()
        until(gateway, "one", "ready")
        answer = session.tool("one-die")
        assert "error" in answer or answer["result"]["isError"]
        assert "one-pid" in session.tools()
        wait_until(lambda: len((tmp_path / "pids").read_text().split()) >= 2, 30, "its restart")
        until(gateway, "one", "ready")


@pytest.mark.parametrize("odd", ["both", "neither", "deep", "nan", "cut"])
def test_an_answer_that_is_none_ends_its_call_at_once(tmp_path, odd):
    """With a result and an error, or with neither, or no JSON, as long as it says whose it is: the
    call does not wait for its time-out, and others at the same server do not hear of it."""
    with served(tmp_path, {"one": faulty()}) as gateway, Session(gateway, "/mcp/one") as session:
        pid = session.tool("pid")
        answer = session.ask("tools/call", {"name": "pid", "arguments": {"answer": odd}})
        assert "cannot be read" in json.dumps(answer) and "no JSON-RPC message" in json.dumps(answer)
        assert text(session.tool("pid")) == text(pid)  # it goes on


def test_words_that_are_no_message_end_no_call(tmp_path):
    """Not even the only one: they may be anything, and its answer may be on the next line."""
    with served(tmp_path, {"one": faulty()}) as gateway, Session(gateway, "/mcp/one") as session:
        assert text(session.ask("tools/call", {"name": "pid", "arguments": {"answer": "late"}}))


def test_05_no_get_stream_is_no_reason_to_begin_anew(tmp_path):
    with FaultyHttp(get=405) as server, served(tmp_path, {"one": over_http(server)}) as gateway:
        until(gateway, "one", "ready")
        gateway.stop()
        gateway.start()  # all lists are what they were
        with Session(gateway, "/mcp/one") as session:
            session.listen()
            for _ in range(30):
                assert text(session.tool("work")) == "done"
            assert [n for n in session.notices if "list_changed" in n.get("method", "")] == []
        sessions = server.counts["initialize"]
        assert server.counts["GET"] <= sessions  # each asked once
        assert server.counts["tools/list"] <= 2 * sessions


def test_05_a_list_that_did_not_change_is_not_announced(tmp_path):
    (tmp_path / "text").write_text("first")
    with served(tmp_path, {"one": faulty("--spam", "--changing", tmp_path / "text")}) as gateway:
        until(gateway, "one", "ready")
        gateway.stop()
        gateway.start()  # all lists are what they were
        with Session(gateway, "/mcp/one") as session:
            session.tools()
            session.listen()
            for _ in range(20):
                session.tool("pid")  # each says that the list has changed, and it has not
            (tmp_path / "text").write_text("second")
            session.tool("pid")
            session.heard("notifications/tools/list_changed")
            assert len([n for n in session.notices if "list_changed" in n["method"]]) == 1


@pytest.mark.parametrize("unknown", [404, 400])
def test_06_a_session_the_server_lost_is_begun_again_once(tmp_path, unknown):
    with FaultyHttp(unknown=unknown) as server, \
            served(tmp_path, {"one": over_http(server)}) as gateway, \
            Session(gateway, "/mcp/one") as session:
        assert text(session.tool("work")) == "done"
        before = server.counts["initialize"]
        server.forget()
        assert text(session.tool("work")) == "done"
        assert server.counts["run work"] == 2
        assert server.counts["initialize"] == before + 1


def test_06_what_may_have_been_executed_is_not_repeated(tmp_path):
    with FaultyHttp(hang="break") as server, \
            served(tmp_path, {"one": over_http(server)}) as gateway, \
            Session(gateway, "/mcp/one") as session:
        answer = session.tool("break")
        assert "error" in answer or answer["result"]["isError"]
        assert server.counts["run break"] == 1
        assert text(session.tool("work")) == "done"


def test_06_a_stdio_server_that_died_is_back_for_the_next_call(tmp_path):
    with served(tmp_path, {"one": faulty()}) as gateway, Session(gateway, "/mcp/one") as session:
        first = text(session.tool("pid"))
        os.kill(int(first), signal.SIGKILL)

        def again():
            answer = session.tool("pid")
            return "result" in answer and not answer["result"].get("isError") and text(answer)
        assert wait_until(again, 30, "the next process") != first


def test_07_a_sessions_messages_reach_it_on_every_connection(tmp_path):
    """Two workers take connections as the kernel gives them; a question and its answer may come by
    different ones, and a session that nobody has is 404 at once."""
    with served(tmp_path, {"one": faulty()}) as gateway, Session(gateway, "/mcp/one") as session:
        pids = {text(session.tool("pid")) for _ in range(24)}
        assert len(pids) == 1
        lost = gateway.post({"jsonrpc": "2.0", "id": 1, "method": "ping"}, "/mcp/one",
                            {"mcp-session-id": "1-" + "0" * 32, "mcp-protocol-version": "2025-11-25"})
        assert lost.status == 404


def test_08_what_a_server_says_comes_on_the_stream_of_its_call(tmp_path):
    fixture = {"transport": "stdio", "command": os.environ["KM_NODE"],
               "args": [str(FIXTURE), "v1", "stdio"]}
    with served(tmp_path, {"one": fixture}) as gateway:
        def one(token):
            with Session(gateway, "/mcp/one") as session:
                answer = session.ask("tools/call", {"name": "test_tool_with_progress",
                                                    "arguments": {},
                                                    "_meta": {"progressToken": token}})
                assert "result" in answer
                return token, [n["params"] for n in session.notices
                               if n["method"] == "notifications/progress"]
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            # The same token from two clients is two tokens.
            for token, heard in pool.map(one, ["p", "p", 7, "other", "p", 0]):
                assert [n["progress"] for n in heard] == [0, 50, 100]
                assert {json.dumps(n["progressToken"]) for n in heard} == {json.dumps(token)}


def test_09_a_changed_list_is_asked_for_and_announced(tmp_path):
    (tmp_path / "text").write_text("before")
    with served(tmp_path, {"one": faulty("--spam", "--changing", tmp_path / "text")}) as gateway, \
            Session(gateway, "/mcp/one") as session, Session(gateway, "/mcp") as other:
        assert session.tools()["pid"]["description"] == "before"
        assert other.tools()["one-pid"]["description"] == "before"
        session.listen()
        other.listen()
        (tmp_path / "text").write_text("after")
        session.tool("pid")
        for each, name in ((session, "pid"), (other, "one-pid")):
            each.heard("notifications/tools/list_changed")
            wait_until(lambda e=each, n=name: e.tools()[n]["description"] == "after", 20)


@pytest.mark.parametrize("seconds, early", [(0.3, False), (4, True)])
def test_09_a_list_is_asked_for_when_the_server_knows_that_the_handshake_is_over(tmp_path, seconds, early):
    """Only then it shows all of its tools.  One that takes very long over that is asked before."""
    with FaultyHttp(introduced=seconds) as server, served(tmp_path, {"one": over_http(server)}) as gateway:
        with Session(gateway, "/mcp/one") as session:
            assert "work" in session.tools()
        assert (server.counts["early"] > 0) == early


def test_10_names_are_such_as_models_take(tmp_path):
    servers = {"one": faulty("--long-names"),
               "a-server-with-quite-a-long-name-itself": faulty("--long-names")}
    with served(tmp_path, servers) as gateway, Session(gateway, "/mcp") as session:
        tools = session.tools()
        names = [name for name in tools if not name.startswith("kanmon-")]
        assert len(names) == len(set(names)) == 16
        assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) for name in names)
        long = [name for name in names if re.search(r"_[0-9a-f]{8}$", name)]
        assert len(long) >= 6
        for name in long:
            assert text(session.tool(name)).isdigit()
    with served(tmp_path / "alone", {"one": faulty()}) as gateway, Session(gateway, "/mcp") as one:
        assert "one-pid" in one.tools()  # the prefix does not come and go with the others


def test_11_schemas_arrive_as_they_were_sent(tmp_path):
    with served(tmp_path, {"one": faulty("--schemas")}) as gateway, \
            Session(gateway, "/mcp/one") as session:
        tools = session.tools()
        listed = gateway.post({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, "/mcp/one", {
            name: session.headers[name] for name in ("mcp-session-id", "mcp-protocol-version")})
        for piece in (b'"definitions": {"a": {"type": "string"}}', b'{"$ref": "#/definitions/a"}',
                      b'"x-vendor": {"deep": [1, 2.5]}',
                      b'"outputSchema": {"type": "object", "properties": {"n": {"type": "integer"}}}'):
            assert piece in listed.body, piece
        # A schema that is none takes no other tool with it.
        assert {"pid", "big", "hang"} <= set(tools)


def test_12_connections_are_kept_and_used_again(tmp_path):
    with FaultyHttp() as server, served(tmp_path, {"one": over_http(server)}) as gateway, \
            Session(gateway, "/mcp/one") as session:
        for _ in range(60):
            assert text(session.tool("work")) == "done"
        assert server.counts["run work"] == 60
        assert server.counts["connection"] <= 12
        assert server.counts["initialize"] <= 3  # a worker's own; not one a call


def test_13_a_line_without_an_end_ends_its_server_alone(tmp_path):
    servers = {"one": faulty(), "other": faulty()}
    with served(tmp_path, servers) as gateway, Session(gateway, "/mcp") as session:
        answer = session.tool("one-big", bytes=11 << 20)
        assert "error" in answer or answer["result"]["isError"]
        assert "10485760" in json.dumps(answer)  # and why
        assert text(session.tool("other-pid")).isdigit()
        rss = int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(
            f"/proc/{gateway.process.pid}/status").read_text())[1])
        assert rss < 300 * 1024


def test_13_a_result_over_4_mib_is_cut_and_kept_as_a_resource(tmp_path):
    with served(tmp_path, {"one": faulty()}) as gateway, Session(gateway, "/mcp/one") as session:
        content = session.tool("big", bytes=5 << 20)["result"]["content"]
        link = next(part for part in content if part["type"] == "resource_link")
        assert len(json.dumps(content)) < 4 << 20
        whole = session.ask("resources/read", {"uri": link["uri"]})["result"]["contents"][0]
        assert whole["text"].count("x") >= 5 << 20


def test_14_initialize_does_not_wait_and_lists_wait_once(tmp_path):
    servers = {"good": faulty(), "late": faulty("--until", tmp_path / "now")}
    with served(tmp_path, servers, mcp_sessions={"first_list": "1s"}) as gateway, \
            Session(gateway, "/mcp") as session:
        assert status(gateway, "late")["state"] != "ready"  # it was answered before
        session.listen()
        until(gateway, "good", "ready")
        tools = session.tools()
        assert "good-pid" in tools and "late-pid" not in tools
        (tmp_path / "now").touch()
        session.heard("notifications/tools/list_changed")
        wait_until(lambda: "late-pid" in session.tools(), 30, "the late one's tools")


def test_14_a_slow_server_of_the_stateless_era_is_known_as_one(tmp_path):
    """It finds server/discover and, sent when it had said nothing for four seconds, initialize; and
    refuses the second before it answers the first."""
    starts = tmp_path / "starts"
    slow = {"transport": "stdio", "command": "sh", "args": [
        "-c", f'echo >>{starts}; sleep 5; exec "$0" "$@"', os.environ["KM_NODE"], str(FIXTURE), "v2", "stdio"]}
    with served(tmp_path, {"one": slow}) as gateway, Session(gateway, "/mcp/one") as session:
        until(gateway, "one", "ready", "down")
        assert status(gateway, "one")["state"] == "ready"
        assert "simple text" in text(session.tool("test_simple_text"))
        assert len(starts.read_text().splitlines()) == 1


def test_14_after_a_restart_lists_are_there_before_the_servers(tmp_path):
    with served(tmp_path, {"one": faulty("--slow", 0)}) as gateway:
        until(gateway, "one", "ready")
        gateway.stop()
        gateway.config.write_text(config(tmp_path, {"one": faulty("--slow", 0)}))
        gateway.start()
        with Session(gateway, "/mcp/one") as session:
            assert "pid" in session.tools()
            assert text(session.tool("pid")).isdigit()

