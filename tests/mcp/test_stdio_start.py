# SPDX-License-Identifier: Apache-2.0
"""`kanmon mcp stdio` where no gateway runs: it starts one, whatever its parent left it: signals that
are ignored or blocked, and each documented variable, with paths from here and from the root."""

import json
import os
import pathlib
import re
import signal
import subprocess

import pytest
from gateway import TOP, binary, slow_factor, wait_until
from long_form import LONG
from ports import free_port

CONFIG = """\
model_list: [{model_name: small, litellm_params: {model: openai/s, api_base: "http://127.0.0.1:9/v1", api_key: k}}]
kanmon_settings: {workers: 1}
"""
ASK = [{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}},
       {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}]


class Place:
    """A folder with a configuration, one beside it to work from, and the end of what was started."""

    def __init__(self, folder):
        self.folder, self.beside = folder / "conf", folder / "work"
        self.folder.mkdir()
        self.beside.mkdir()
        (self.folder / "config.yaml").write_text(CONFIG)
        self.env = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "ASAN_OPTIONS",
                                                                  "UBSAN_OPTIONS", "TSAN_OPTIONS")}
        self.env["KANMON_PORT"] = str(free_port())

    def run(self, words, cwd, env=None, **kwargs):
        return subprocess.run([str(binary()), *words], cwd=cwd, env={**self.env, **(env or {})},
                              capture_output=True, timeout=90 * slow_factor(), check=False, **kwargs)

    def ask(self, words=(), cwd=None, env=None, **kwargs):
        """Talks to `mcp stdio`, stops what it started, and says where that kept its state."""
        lines = b"".join(json.dumps(m).encode() + b"\n" for m in ASK)
        cwd = cwd or self.folder
        try:
            ran = self.run(["mcp", "stdio", *words], cwd, env, input=lines, **kwargs)
            status = self.run(["status", "--json", *words], cwd, env)
        finally:
            stopped = self.run(["stop", *words], cwd, env)
        out = {m["id"]: m for m in map(json.loads, ran.stdout.splitlines()) if "id" in m}
        assert ran.returncode == 0 and set(out) == {1, 2}, (ran.stdout, ran.stderr)
        assert "result" in out[1] and "result" in out[2], (out, ran.stderr)
        assert status.returncode == 0, status.stderr  # the same words find what it started
        assert stopped.returncode == 0, stopped.stderr


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def ignoring(*numbers):
    def prepare():
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
    return prepare


def blocking():
    signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))


@pytest.mark.parametrize("prepare", [ignoring(signal.SIGCHLD), ignoring(signal.SIGCHLD, signal.SIGPIPE,
                                     signal.SIGHUP), blocking], ids=["child", "several", "blocked"])
def test_signals_of_the_parent_do_not_matter(place, prepare):
    place.ask(["--config", "config.yaml"], preexec_fn=prepare)


@pytest.mark.parametrize("prepare", [ignoring(signal.SIGCHLD), blocking], ids=["child", "blocked"])
@pytest.mark.parametrize("words", [["serve"], ["start"]])
def test_the_gateway_itself_serves_and_ends_under_such_a_parent(place, prepare, words):
    if words == ["start"]:
        ran = place.run([*words, "--config", "config.yaml"], place.folder, preexec_fn=prepare)
        assert ran.returncode == 0, ran.stderr
        stopped = place.run(["stop", "--config", "config.yaml"], place.folder)
        assert stopped.returncode == 0, stopped.stderr
        return
    with (place.folder / "log").open("wb") as log:
        serving = subprocess.Popen([str(binary()), "serve", "--config", "config.yaml"], stdout=log,
                                   stderr=log, cwd=place.folder, env=place.env, preexec_fn=prepare)
    try:
        place_ready(place, serving)
    finally:
        serving.send_signal(signal.SIGTERM)
        assert serving.wait(60 * slow_factor()) == 0


def place_ready(place, serving):
    def ready():
        assert serving.poll() is None, (place.folder / "log").read_text()
        return place.run(["status", "--config", "config.yaml"], place.folder).returncode == 0
    wait_until(ready, 60, "the gateway", 0.05)


def documented():
    text = (TOP / ".env.example").read_text()
    return set(re.findall(r"^#((?:KANMON|CONFIG)_[A-Z_]+)=", text, re.M))


# Each variable: values of it, {here}: the folder of the file, and where it is run.  A relative
# state folder counts from the folder of the file, wherever one stands.
HEX = "00" * 32
CASES = [
    ("KANMON_CONFIG", "config.yaml", "conf"), ("KANMON_CONFIG", "../conf/config.yaml", "work"),
    ("KANMON_CONFIG", "{here}/config.yaml", "work"),
    ("CONFIG_FILE_PATH", "config.yaml", "conf"), ("CONFIG_FILE_PATH", "{here}/config.yaml", "work"),
    ("KANMON_STATE_DIR", "state", "conf"), ("KANMON_STATE_DIR", "state", "work"),
    ("KANMON_STATE_DIR", "../conf/state", "work"), ("KANMON_STATE_DIR", "{here}/state", "work"),
    ("KANMON_HOST", "127.0.0.1", "conf"), ("KANMON_PORT", None, "conf"),
    ("KANMON_ENV", "development", "conf"), ("KANMON_ENV", "staging", "work"),
    ("KANMON_LOG_LEVEL", "debug", "conf"), ("KANMON_KEY", "sk-of-something-else", "conf"),
    ("KANMON_SECRET_KEY", HEX, "conf"), ("KANMON_PG_DSN", "postgresql://reader@127.0.0.1/shop", "conf"),
    ("KANMON_MCP_SERVERS", "{{}}", "conf"),
]


def test_each_documented_variable_has_its_case():
    assert documented() <= {name for name, _, _ in CASES}


# An absolute path, and a second value, are for the long form.
@pytest.mark.parametrize("name, value, where", [
    pytest.param(*case, marks=LONG if "{here}" in str(case[1]) or case[2] == "work" and case[0] == "KANMON_ENV"
                 else ()) for case in CASES])
def test_a_documented_variable(place, name, value, where):
    cwd = {"conf": place.folder, "work": place.beside}[where]
    env = {name: value.format(here=place.folder)} if value else {}
    named = name in ("KANMON_CONFIG", "CONFIG_FILE_PATH")
    words = [] if named else ["--config", os.path.relpath(place.folder / "config.yaml", cwd)]
    place.ask(words, cwd, env)
    state = "state" if name == "KANMON_STATE_DIR" else ".kanmon"
    assert (place.folder / state / "kanmon.log").exists(), list(map(str, pathlib.Path(place.folder).rglob("*")))
    assert not list(place.beside.iterdir())
