# SPDX-License-Identifier: Apache-2.0
"""Servers behind the gateway, by hand: `kanmon mcp list|status|start|stop|restart|logs`."""

import json
import pathlib
import signal
import sys

import pytest
from gateway import MASTER, wait_until

from conftest import McpGateway
from served import until
from sessions import Session, text

FAULTY = pathlib.Path(__file__).resolve().parent / "faulty.py"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    command = json.dumps(sys.executable)
    text = f"""
mcp_servers:
  good-one: {{transport: stdio, command: {command}, args: ["{FAULTY}", "--pids", "{folder}/pids"]}}
  saying: {{transport: stdio, command: {command}, args: ["{FAULTY}", "--say"]}}
  noisy: {{transport: stdio, command: {command}, args: ["{FAULTY}", "--flood"]}}
  gone: {{transport: http, url: "http://127.0.0.1:1/mcp?token=secret"}}
general_settings: {{master_key: {MASTER}}}
kanmon_settings: {{state_dir: "{folder}/state", workers: 2}}
"""
    with McpGateway(folder, text) as gateway:
        yield gateway


def kanmon(gateway, *words, code=0):
    ran = gateway.command(*words, "--config", gateway.config)
    assert ran.returncode == code, ran.stderr
    return ran.stdout


def servers(gateway):
    listed = json.loads(kanmon(gateway, "mcp", "list", "--json"))["servers"]
    return {one["name"]: one for one in listed}


def pids(gateway):
    return (gateway.folder / "pids").read_text().split()


def test_the_list_says_how_each_server_is(served):
    until(served, "good-one", "ready")
    good = servers(served)["good-one"]
    assert (good["transport"], good["tools"], good["state"]) == ("stdio", 5, "ready")
    assert good["alias"] == "good_one"  # the separator is not in an alias
    gone = until(served, "gone", "down")
    assert "refused" in gone["why"]
    assert gone["url"] == "http://127.0.0.1:1/mcp" and gone["known"] is False
    rows = {line.split()[0]: line for line in kanmon(served, "mcp", "list").splitlines()[1:]}
    assert rows["good-one"].split()[1:5] == ["good_one-", "stdio", "ready", "5"]
    assert "refused" in rows["gone"]
    shown = kanmon(served, "mcp", "status", "good_one")  # by its alias, too
    assert "name       good-one" in shown and "revision   20" in shown


def test_a_server_is_stopped_started_and_restarted(served):
    until(served, "good-one", "ready")
    before = pids(served)
    kanmon(served, "stop", "good-one")
    assert until(served, "good-one", "stopped")["why"]
    wait_until(lambda: not pathlib.Path(f"/proc/{before[-1]}").exists(), 30, "its process to end")
    assert "stopped" not in kanmon(served, "mcp", "start", "good-one")
    until(served, "good-one", "ready")
    wait_until(lambda: len(pids(served)) == len(before) + 1)
    kanmon(served, "restart", "good-one")
    wait_until(lambda: len(pids(served)) == len(before) + 2)
    until(served, "good-one", "ready")


def test_its_log_is_shown(served):
    until(served, "noisy", "ready")
    log = served.folder / "state" / "mcp" / "noisy.log"
    wait_until(lambda: log.exists() and log.stat().st_size > 5000, 10, "what it said")
    shown = kanmon(served, "logs", "noisy", "--bytes", "5000")
    assert 3000 < len(shown) <= 5000
    assert "noise noise" in shown
    lines = [json.loads(line) for line in kanmon(served, "mcp", "logs", "noisy", "--json").splitlines()]
    assert lines and all(line["server"] == "noisy" for line in lines)
    assert "address" in served.command("logs", "gone", "--config", served.config).stderr


@pytest.mark.parametrize("how", ["HUP", "reload"])
def test_its_log_is_followed_when_it_was_renamed(served, how):
    log = served.folder / "state" / "mcp" / "saying.log"
    old = log.with_suffix(f".{how}")
    with Session(served, "/mcp/saying") as session:
        assert text(session.tool("pid"))
        wait_until(lambda: log.exists() and "a word" in log.read_text(), 10, "what it said")
        log.rename(old)
        if how == "HUP":
            served.process.send_signal(signal.SIGHUP)
        else:
            kanmon(served, "reload")

        def follows():
            assert text(session.tool("pid"))
            return log.exists() and "a word" in log.read_text()
        wait_until(follows, 10, "the new log", interval=0.1)


def test_what_is_not_there_is_said(served):
    for words in (["mcp", "status", "nobody"], ["restart", "nobody"], ["logs", "nobody"]):
        ran = served.command(*words, "--config", served.config)
        assert ran.returncode not in (0, 2), words
        assert "nobody" in ran.stderr and "kanmon mcp list" in ran.stderr
    assert served.command("mcp", "stop", "--config", served.config).returncode == 2
    ran = served.command("mcp", "call", "nobodys-tool", "--config", served.config)
    assert ran.returncode == 1 and ran.stderr == "error: Unknown tool: nobodys-tool\n"
    ran = served.command("mcp", "list", "good-one", "--config", served.config)
    assert ran.returncode == 2 and "takes no argument 'good-one'" in ran.stderr
    for words in (["a", "b"], ["a", "--server", "a"]):
        ran = served.command("mcp", "tools", *words, "--config", served.config)
        assert (ran.returncode, ran.stderr.splitlines()[0]) == (2, "error: name one server")
    ran = served.command("mcp", "tools", "--server", "nobody", "--json", "--config", served.config)
    assert ran.returncode == 1 and not ran.stdout


def test_it_is_the_administrators(served):
    key = served.new_key()
    assert served.call("GET", "/kanmon/mcp/servers", key=key).status == 403
    assert served.call("POST", "/kanmon/mcp/servers/good-one/restart", {}, key=key).status == 403
    assert served.call("POST", "/kanmon/mcp/servers/good-one/explode", {}).status == 404
    assert served.call("GET", "/kanmon/mcp/servers/good-one/log?bytes=x").status == 400
