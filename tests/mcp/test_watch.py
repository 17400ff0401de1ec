# SPDX-License-Identifier: Apache-2.0
"""`mcp logs --follow --since --grep`, `mcp list --watch`: what comes is shown, over restarts, to the
end that a person or a pipe makes."""

import json
import os
import pty
import queue
import re
import signal
import subprocess
import sys
import threading

import pytest
from gateway import patient, wait_until

from served import served, until

TAKES_S = 20
SPEAKER = """
import json, pathlib, sys
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    result = {}
    if asked["method"] == "initialize":
        result = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
                  "serverInfo": {"name": "speaker", "version": "1"}}
    elif asked["method"] == "tools/list":
        result = {"tools": [{"name": "say", "inputSchema": {"type": "object"}}]}
    elif asked["method"] == "tools/call":
        print(asked["params"]["arguments"]["text"], file=sys.stderr, flush=True)
        result = {"content": []}
    else:
        print(json.dumps({"jsonrpc": "2.0", "id": asked["id"],
                          "error": {"code": -32601, "message": "no"}}), flush=True)
        continue
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}), flush=True)
"""


class Follower:
    """A command that goes on: its lines as they come."""

    def __init__(self, gateway, *words, **more):
        self.process = subprocess.Popen(
            [str(gateway.program), "mcp", *words, "--config", str(gateway.config)], env=gateway.env,
            text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)
        self.lines, self.said = [], []
        for stream, to in ((self.process.stdout, self.lines), (self.process.stderr, self.said)):
            threading.Thread(target=self.read, args=(stream, to), daemon=True).start()

    @staticmethod
    def read(stream, to):
        for line in stream:
            to.append(line)

    def has(self, word, n=1):
        wait_until(lambda: sum(word in line for line in list(self.lines)) >= n, 30, f"{word} in {self.lines}")

    def end(self, by=signal.SIGINT):
        self.process.send_signal(by)
        return self.process.wait(timeout=patient(20))


@pytest.fixture
def gateway(tmp_path):
    program = tmp_path / "speaker.py"
    program.write_text(SPEAKER)
    entry = {"transport": "stdio", "command": sys.executable, "args": [str(program)]}
    with served(tmp_path, {"git": {**entry, "log_size": 65536}, "docs": entry}) as made:
        for name in ("git", "docs"):
            until(made, name, "ready")
        yield made


def say(gateway, server, text):
    answer = gateway.rpc("tools/call", {"name": f"{server}-say", "arguments": {"text": text}}, path="/mcp")
    assert "result" in answer, answer


def logs(gateway, *words):
    done = gateway.command("mcp", "logs", *words, "--config", gateway.config)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_lines_come_as_they_are_written_of_one_server_or_all(gateway):
    say(gateway, "git", "before")
    wait_until(lambda: "before" in logs(gateway, "git"), 20, "its line")
    one, every = Follower(gateway, "logs", "git", "--follow"), Follower(gateway, "logs", "-f")
    one.has("before"), every.has("before")
    for i in range(3):
        say(gateway, "git", f"line {i}\x1b[2J\u202e")
        say(gateway, "docs", f"other {i}")
    one.has("line 2"), every.has("line 2"), every.has("other 2")
    assert not [x for x in one.lines if "other" in x]
    assert [re.sub(r".*(line \d).*", r"\1", x).strip() for x in one.lines if "line " in x] == [
        "line 0", "line 1", "line 2"]
    assert all(re.match(r"(git |docs) \| 20", x) for x in every.lines), every.lines
    assert not {"\x1b", "\u202e"} & set("".join(one.lines + every.lines))
    assert one.end() == 0 and every.end(signal.SIGTERM) == 0
    assert len([x for x in one.lines if "line 1" in x]) == 1


def test_nothing_is_missed_when_a_log_begins_anew(gateway):
    follower = Follower(gateway, "logs", "git", "--follow", "--grep", "^2.* n[0-9]+ ")
    say(gateway, "git", "n0 x")
    follower.has("n0 ")
    for i in range(1, 60):
        say(gateway, "git", f"n{i} " + "x" * 3000)
        if i % 10 == 0:  # less than a log between two looks
            follower.has(f" n{i} ")
    follower.has("n59 ")
    assert list(gateway.folder.rglob("*.log.1")) and not follower.said
    seen = [int(re.search(r" n(\d+) ", x).group(1)) for x in follower.lines]
    assert seen == list(range(60))
    assert follower.end() == 0


def test_what_is_missed_is_said(gateway):
    follower = Follower(gateway, "logs", "git", "--follow", "--grep", "here")
    say(gateway, "git", "n0 here")
    follower.has("n0 ")
    follower.process.send_signal(signal.SIGSTOP)
    for _ in range(60):
        say(gateway, "git", "x" * 3000)
    say(gateway, "git", "n1 here")
    follower.process.send_signal(signal.SIGCONT)
    follower.has("n1 ")
    wait_until(lambda: any("lines are missing" in x for x in follower.said), 20, "its word")
    assert follower.end() == 0


def test_since_and_grep_leave_out_what_is_not_asked_for(gateway):
    for text in ("an Error", "a warning", "denied"):
        say(gateway, "git", text)
    wait_until(lambda: "denied" in logs(gateway, "git"), 20, "its lines")
    assert len(logs(gateway, "git", "--grep", "Error|denied").splitlines()) == 2
    assert len(logs(gateway, "git", "--since", "1h", "--grep", "a ").splitlines()) == 1
    say(gateway, "git", "long " + "x" * 20000 + " its end")
    wait_until(lambda: len(logs(gateway, "git", "--grep", "its end$").splitlines()) == 1, 20, "a long line")
    assert logs(gateway, "git", "--since", "2999-01-01") == ""
    lines = [json.loads(x) for x in logs(gateway, "git", "docs", "--json", "--grep", "denied").splitlines()]
    assert [x["server"] for x in lines] == ["git"] and "denied" in lines[0]["line"]
    for words, said in ((("git", "--grep", "("), "no regular expression"),
                        (("git", "--since", "soon"), "1h or 7d (ago)"),
                        (("gti",), "did you mean 'git'?")):
        done = gateway.command("mcp", "logs", *words, "--config", gateway.config)
        assert done.returncode in (1, 2) and said in done.stderr, done


def test_a_restart_is_said_and_followed_through(gateway):
    follower, watcher = Follower(gateway, "logs", "git", "-f"), Follower(gateway, "list", "--watch")
    say(gateway, "git", "first")
    follower.has("first"), watcher.has("ready", 2)
    gateway.stop()
    for one in (follower, watcher):
        wait_until(lambda: any("went away" in x for x in one.said), 20, "its word")
    gateway.start()
    for one in (follower, watcher):
        wait_until(lambda: any("is back" in x for x in one.said), 20, "its word")
        assert len([x for x in one.said if "went away" in x]) == 1
    until(gateway, "git", "ready")
    say(gateway, "git", "second")
    follower.has("second")
    assert len([x for x in follower.lines if "first" in x]) == 1
    assert follower.end() == 0 and watcher.end() == 0


def test_a_list_that_is_watched_adds_a_line_where_something_changed(gateway):
    watcher, machine = Follower(gateway, "list", "--watch"), Follower(gateway, "list", "--watch", "--json")
    watcher.has("ready", 2), machine.has('"ready"', 2)
    done = gateway.command("mcp", "stop", "git", "--config", gateway.config)
    assert done.returncode == 0, done.stderr
    watcher.has("stopped"), machine.has('"stopped"')
    assert len([x for x in watcher.lines if "docs" in x]) == 1  # it did not change
    assert all(re.match(r"20\d\d-\d\d-\d\dT\S+Z \S", x) for x in watcher.lines)
    assert {json.loads(x)["name"] for x in machine.lines} == {"git", "docs"}
    assert "\x1b" not in "".join(watcher.lines)
    assert watcher.end() == 0 and machine.end() == 0


def test_on_a_terminal_the_list_is_drawn_again(gateway):
    ours, theirs = pty.openpty()
    process = subprocess.Popen([str(gateway.program), "mcp", "list", "--watch", "--config",
                                str(gateway.config)], env=gateway.env, stdout=theirs, stdin=theirs,
                               stderr=subprocess.DEVNULL)
    os.close(theirs)
    seen = queue.Queue()

    def read():
        try:
            while data := os.read(ours, 65536):
                seen.put(data)
        except OSError:
            pass

    threading.Thread(target=read, daemon=True).start()
    drawn = b""

    def twice():
        nonlocal drawn
        while not seen.empty():
            drawn += seen.get()
        return drawn.count(b"\x1b[H\x1b[2J") >= 2 and drawn.count(b"NAME") >= 2

    wait_until(twice, 30, "two pictures")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=patient(20)) == 0
    os.close(ours)


@pytest.mark.parametrize("words", [("logs", "git", "-f"), ("list", "--watch")])
def test_a_pipe_that_nobody_reads_ends_it(gateway, words):
    process = subprocess.Popen([str(gateway.program), "mcp", *words, "--config", str(gateway.config)],
                               env=gateway.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert process.wait(timeout=patient(20)) == 0
    assert process.stderr.read() in (b"",) or b"rror" not in process.stderr.read()
    process.stderr.close()


@pytest.mark.parametrize("words", [("logs", "git", "-f"), ("list", "--watch"), ("logs",)])
def test_where_no_gateway_runs_it_says_so(gateway, words):
    gateway.stop()
    done = gateway.command("mcp", *words, "--config", gateway.config)
    assert done.returncode == 3 and "no gateway is running here" in done.stderr
    assert "went away" not in done.stderr
