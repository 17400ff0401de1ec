# SPDX-License-Identifier: Apache-2.0
"""What kanmon's stdio servers get, and how they are kept: environment, limits, states, pools."""

import concurrent.futures
import json
import os
import signal
import sys

from gateway import binary, wait_until

from faulty_http import FaultyHttp
from lines import Lines, text as line_text
from served import EVERYTHING, alive, descendants, faulty, served, status, until
from sessions import Session, text

TAKES_S = 25


def pids(folder):
    file = folder / "pids"
    return [int(pid) for pid in file.read_text().split()] if file.exists() else []


def living(folder):
    return [pid for pid in pids(folder) if alive(pid)]


def test_the_environment_is_clean(tmp_path):
    servers = {"one": faulty("--env", env={"MINE": "yes", "LANG": "C.UTF-8"}),
               "everything": {"transport": "stdio", "command": os.environ["KM_NODE"],
                              "args": [str(EVERYTHING / "node_modules/@modelcontextprotocol/"
                                                        "server-everything/dist/index.js")]}}
    gateway = served(tmp_path, servers)
    gateway.env.update({"OPENAI_API_KEY": "sk-leak", "AWS_SECRET_ACCESS_KEY": "leak",
                        "LD_PRELOAD": "", "NODE_OPTIONS": "", "SHELL": "() { :; }"})
    with gateway:
        with Session(gateway, "/mcp/one") as session:
            seen = json.loads(text(session.tool("env")))
            assert seen["MINE"] == "yes" and seen["LANG"] == "C.UTF-8" and seen["PATH"]
            allowed = {"HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER", "LANG", "LC_ALL", "TZ",
                       "LC_CTYPE", "TMPDIR", "MINE"}
            assert set(seen) <= allowed and "SHELL" not in seen  # a function is no shell's path
        with Session(gateway, "/mcp/everything") as session:
            seen = text(session.tool("get-env"))
            assert "leak" not in seen and '"PATH"' in seen


def test_limits_hold_for_each_process(tmp_path):
    limits = {"nofile": 64, "file_size": "1MiB", "cpu_seconds": 2}
    with served(tmp_path, {"one": faulty("--env")},
                mcp_servers={"one": {"limits": limits}}) as gateway, \
            Session(gateway, "/mcp/one") as session:
        found = json.loads(text(session.tool("limits")))
        assert found == {"NOFILE": 64, "CORE": 0, "FSIZE": 1 << 20, "CPU": 2}
        assert text(session.tool("open")) == "Too many open files"
        assert text(session.tool("write", bytes=2 << 20)) == "File too large"
        assert text(session.tool("write", bytes=1000)) == session_pid(session)
        answer = session.tool("spin")  # two seconds of processor time, then it is killed
        assert "error" in answer or answer["result"]["isError"]
        assert "signal" in json.dumps(answer)


def session_pid(session):
    return text(session.tool("pid"))


def test_too_many_processes_end_a_server(tmp_path):
    many = "import subprocess, sys, time\n" \
           "kept = [subprocess.Popen(['sleep', '1000']) for _ in range(20)]\nsys.stdin.read()"
    with served(tmp_path, {"one": {"transport": "stdio", "command": sys.executable,
                                   "args": ["-c", many]}},
                mcp_servers={"one": {"limits": {"processes": 10}}}) as gateway:
        down = until(gateway, "one", "down")
        assert "memory or processes" in down["why"]
        wait_until(lambda: len(descendants(gateway.process.pid)) <= 25, 20)


def test_a_server_that_stops_reading_is_ended(tmp_path):
    """What it is sent is held, up to 32 MiB."""
    with served(tmp_path, {"one": faulty("--stops-reading", max_processes=1), "other": faulty()}) as gateway:
        until(gateway, "one", "ready")

        def ask(_):
            with Session(gateway, "/mcp/one") as session:
                return json.dumps(session.tool("pid", more="x" * (9 << 20)))
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            assert any("does not read" in answer for answer in pool.map(ask, range(4)))
        with Session(gateway, "/mcp/other") as session:
            assert text(session.tool("pid")).isdigit()


def test_warm_processes_are_there_before_anybody_asks(tmp_path):
    with served(tmp_path, {"one": faulty("--pids", tmp_path / "pids")},
                mcp_servers={"one": {"warm": 3}}) as gateway:
        wait_until(lambda: len(living(tmp_path)) == 3, 30, "three processes")
        os.kill(living(tmp_path)[0], signal.SIGKILL)
        wait_until(lambda: len(pids(tmp_path)) >= 4 and len(living(tmp_path)) == 3, 30,
                   "another in its place")
        gateway.call("POST", "/kanmon/mcp/servers/one/stop", {})
        wait_until(lambda: not living(tmp_path), 30, "the end of all")


def test_a_server_nobody_asks_is_stopped_and_started_again(tmp_path):
    with served(tmp_path, {"one": faulty("--pids", tmp_path / "pids")},
                mcp_servers={"one": {"idle_timeout": "1s"}}) as gateway:
        until(gateway, "one", "ready")
        stopped = until(gateway, "one", "stopped")
        assert "nobody asked" in stopped["why"]
        wait_until(lambda: not living(tmp_path), 30, "its end")
        with Session(gateway, "/mcp/one") as session:
            assert "pid" in session.tools()  # from what is known
            assert int(text(session.tool("pid"))) == living(tmp_path)[0]


def test_states_say_since_when_and_why(tmp_path):
    with served(tmp_path, {"one": faulty("--deaf", tmp_path / "deaf")},
                mcp_servers={"one": {"health_interval": "1s"}}) as gateway:
        ready = until(gateway, "one", "ready")
        assert ready["since"] and not ready["why"]
        (tmp_path / "deaf").touch()
        bad = until(gateway, "one", "degraded")
        assert "said nothing" in bad["why"] and bad["since"] > ready["since"]
        with Session(gateway, "/mcp/one") as session:
            assert "pid" in session.tools()  # its last good list stays
        (tmp_path / "deaf").unlink()
        again = until(gateway, "one", "ready")
        assert again["since"] > bad["since"] and not again["why"]


def test_a_server_that_hangs_is_begun_anew(tmp_path):
    with served(tmp_path, {"one": faulty("--pids", tmp_path / "pids")},
                mcp_servers={"one": {"health_interval": "1s"}}) as gateway:
        until(gateway, "one", "ready")
        os.kill(pids(tmp_path)[0], signal.SIGSTOP)
        wait_until(lambda: len(pids(tmp_path)) == 2, 30, "another process")
        until(gateway, "one", "ready")
        wait_until(lambda: living(tmp_path) == pids(tmp_path)[1:], 30, "the end of the first")


def test_being_asked_whether_it_lives_does_not_keep_a_server(tmp_path):
    with served(tmp_path, {"one": faulty("--pids", tmp_path / "pids")},
                mcp_servers={"one": {"health_interval": "300ms", "idle_timeout": "2s"}}) as gateway:
        until(gateway, "one", "ready")
        until(gateway, "one", "stopped")
        wait_until(lambda: not living(tmp_path), 30, "its end")


def test_a_first_start_may_take_longer_than_others(tmp_path):
    with served(tmp_path, {"one": faulty("--slow", 2)},
                mcp_servers={"one": {"start_timeout": "500ms", "install_timeout": "60s"}}) as gateway:
        assert until(gateway, "one", "starting", "ready")
        until(gateway, "one", "ready")
        gateway.call("POST", "/kanmon/mcp/servers/one/restart", {})
        down = until(gateway, "one", "down")  # known now: half a second has to do
        assert "did not answer the handshake" in down["why"]


def test_an_install_that_never_ends_is_given_up(tmp_path):
    with served(tmp_path, {"one": faulty("--slow", 1000)},
                mcp_servers={"one": {"install_timeout": "1s"}}) as gateway:
        until(gateway, "one", "starting")
        down = until(gateway, "one", "down")
        assert "within 1 s" in down["why"] and down["restarts"] >= 1


def test_a_reload_keeps_the_processes_of_what_stays_the_same(tmp_path):
    servers = {"stays": faulty("--pids", tmp_path / "pids"), "goes": faulty()}
    with served(tmp_path, servers) as gateway, Session(gateway, "/mcp/stays") as session:
        first = text(session.tool("pid"))
        until(gateway, "goes", "ready")
        text_of = json.loads(gateway.config.read_text())
        del text_of["mcp_servers"]["goes"]
        gateway.config.write_text(json.dumps(text_of))
        assert gateway.command("reload", "--config", gateway.config).returncode == 0
        wait_until(lambda: not any(one["name"] == "goes" for one in json.loads(gateway.call(
            "GET", "/kanmon/mcp/servers").body)["servers"]), 20)
        assert text(session.tool("pid")) == first and len(pids(tmp_path)) == 1
        wait_until(lambda: len(descendants(gateway.process.pid)) == 2, 20, "the other's end")


def stdio(gateway, *words):
    return Lines([binary(), *gateway.bridge_words(*words)], gateway.env)


def call(lines, name):
    return line_text(lines.ask("tools/call", lines.stateless("tools/call", {
        "name": name, "arguments": {}}))["result"])


def test_a_stateless_client_on_stdio_has_one_session_with_each_server(tmp_path):
    """Its requests come on many connections, to any worker; they are one client's all the same."""
    with FaultyHttp() as server, served(tmp_path, {
            "own": faulty(stateful=True), "remote": {"transport": "http", "url": server.url}},
            workers=4) as gateway:
        with stdio(gateway) as lines, stdio(gateway) as other:
            mine = {call(lines, "own-pid") for _ in range(12)}
            assert len(mine) == 1
            assert {call(other, "own-pid") for _ in range(6)}.isdisjoint(mine)
            numbers = [lines.begin("tools/call", lines.stateless("tools/call", {
                "name": "remote-work", "arguments": {}})) for _ in range(20)]
            for number in numbers:
                assert line_text(lines.wait(number)["result"]) == "done"
            assert len(server.used) == 1


def test_what_a_call_that_was_given_up_asks_is_asked_of_nobody_else(tmp_path):
    """Its server does not stop for being told, and asks while another client's call is the only one.
    That client is asked by another process, which does not ask for the one that is gone."""
    one = faulty("--asks", max_processes=1, health_interval=0)
    with served(tmp_path, {"one": one}) as gateway, stdio(gateway) as gone, stdio(gateway) as other:
        def asks(count):
            wait_until(lambda: status(gateway, "one")["asks"] == count, 20, f"{count} calls", 0.02)

        def haunted(**arguments):
            """The process, and what it heard when it asked in place of the call that is gone."""
            process = line_text(gone.tool("one-pid"))
            hangs = gone.begin("tools/call", {"name": "one-hang", "arguments": {}})
            asks(1)
            call = other.begin("tools/call", {"name": "one-haunts", "arguments": arguments})
            asks(2)
            gone.notify("notifications/cancelled", {"requestId": hangs})
            pid, said = json.loads(line_text(other.wait(call)["result"]))
            assert str(pid) == process
            return pid, said

        until(gateway, "one", "ready")
        gone.hello()
        other.hello()
        first, said = haunted()
        assert "cannot be told" in said["error"]["message"] and not other.questions
        second, said = json.loads(line_text(other.tool("one-asks")))
        assert second != first and said["result"]["action"] == "accept"
        third, said = haunted(regrets=True)  # and so can ask nothing more for it
        assert third == second and said["result"]["action"] == "accept"
        assert [q["params"]["message"] for q in other.questions] == ["who asks?", "who haunts?"]
        assert not gone.questions


def test_changed_roots_are_told_to_the_servers_of_that_session_alone(tmp_path):
    """Also where each session has a child of its own, which is not who another asks."""
    changed = "notifications/roots/list_changed"

    def heard(session):
        return json.loads(text(session.tool("heard"))).count(changed)

    with served(tmp_path, {"own": faulty("--hears", stateful=True)}) as gateway:
        roots = {"roots": {"listChanged": True}}
        with Session(gateway, "/mcp/own", capabilities=roots) as one, \
                Session(gateway, "/mcp/own", capabilities=roots) as two:
            assert text(one.tool("pid")) != text(two.tool("pid"))
            one.send({"jsonrpc": "2.0", "method": changed})
            wait_until(lambda: heard(one) == 1, 20, "the news")
            assert heard(two) == 0


def test_headers_that_stdio_does_not_have_are_not_asked_for(tmp_path):
    """A tool may mark arguments that HTTP clients repeat in a header."""
    with FaultyHttp() as server, served(tmp_path, {
            "remote": {"transport": "http", "url": server.url}}) as gateway:
        server.tools[0]["inputSchema"] = {"type": "object", "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"}}}
        arguments = {"name": "remote-work", "arguments": {"region": "eu"}}
        with stdio(gateway) as lines:
            answer = lines.ask("tools/call", lines.stateless("tools/call", dict(arguments)))
            assert line_text(answer["result"]) == "done"
        refused = gateway.stateless("tools/call", dict(arguments), path="/mcp")
        assert refused.status == 400 and refused.json()["error"]["code"] == -32020
