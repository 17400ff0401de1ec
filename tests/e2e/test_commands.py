# SPDX-License-Identifier: Apache-2.0
"""Commands find the gateway that runs and say which one it is: with a file that is broken, gone or
another's, from another environment, as another user, in a deep folder.  And what the start
refuses the check and the reload refuse, too."""

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess

import pytest

from gateway import binary, request, slow_factor, wait_until
from long_form import LONG
from ports import free_port
from test_http import make_certificate

TAKES_S = 21
SECRET = "sk-only-the-gateway-knows"
CONFIG = """\
model_list:
  - model_name: m
    litellm_params: {{model: openai/none, mock_response: x, api_key: os.environ/KANMON_E2E_UPSTREAM}}
general_settings: {{master_key: os.environ/KANMON_E2E_MASTER}}
kanmon_settings:
  workers: 1
{more}
"""
ENV = {"KANMON_E2E_UPSTREAM": "sk-upstream", "KANMON_E2E_MASTER": SECRET}


class Running:
    """A gateway under `kanmon start` whose secrets are set in its environment alone."""

    def __init__(self, folder, state, more=""):
        self.folder = folder
        folder.mkdir(parents=True)
        self.port = free_port()
        self.config = folder / "config.yaml"
        self.text = CONFIG.format(more=f"  listen: [{{host: 127.0.0.1, port: {self.port}}}]\n"
                                  + (f"  state_dir: {state}\n" if state else "") + more)
        self.config.write_text(self.text)
        self.env = {k: os.environ[k] for k in ("PATH", "HOME", "ASAN_OPTIONS", "TMPDIR")
                    if k in os.environ}
        self.state = folder / (state or ".kanmon")

    def run(self, *words, env=None, cwd=None, **more):
        return subprocess.run([str(binary()), *map(str, words)], env={**self.env, **(env or {})},
                              text=True, capture_output=True, timeout=60 * slow_factor(),
                              cwd=cwd or self.folder, **more)

    def command(self, *words, **more):
        return self.run(*words, "--config", self.config, **more)

    def start(self, env=None):
        ran = self.command("start", env={**ENV, **(env or {})})
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return self

    def status(self, **more):
        ran = self.command("status", "--json", **more)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return json.loads(ran.stdout)

    def alive(self):
        try:
            return request(self.port, "GET", "/health/liveliness", key=None, timeout=5).status == 200
        except OSError:
            return False

    def stop(self):
        self.config.write_text(self.text)
        self.run("stop", "--config", self.config)


@pytest.fixture
def new_running(tmp_path):
    made = []

    def make(state="state", folder="gateway", env=None, **more):
        made.append(Running(tmp_path / folder, state, **more))
        return made[-1].start(env)

    yield make
    for running in made:
        running.stop()


def broken(running):
    running.config.write_text("model_list: [{model_nam: 1\n" + running.text)


def half_saved(running):
    running.config.write_text(running.text[:40])


def gone(running):
    running.config.unlink()


def empty(running):
    running.config.write_text("")


def moved_state(running):
    running.config.write_text(running.text.replace("kanmon_settings:",
                                                   "kanmon_settings: {state_dir: elsewhere}\nx:"))


def unchanged(_running):
    pass


@pytest.mark.parametrize("spoil,state", [
    pytest.param(spoil, state, id=f"{spoil.__name__}-{state or 'default'}",
                 marks=LONG if state is None and spoil not in (gone, unchanged) else ())
    for spoil in (broken, half_saved, gone, empty, moved_state, unchanged)
    for state in ("state", None)])
def test_a_gateway_is_found_whatever_became_of_its_file(new_running, spoil, state):
    running = new_running(state=state)
    pid = running.status()["pid"]
    spoil(running)
    assert running.status()["pid"] == pid
    ran = running.command("key", "generate", "--alias", "a", "--json")
    assert ran.returncode == 0, ran.stderr
    token = json.loads(ran.stdout)["token"]
    ran = running.command("key", "block", token)
    assert ran.returncode == 0, ran.stderr
    ran = running.command("reload")
    assert ran.returncode == (0 if spoil in (unchanged, moved_state) else 5), ran.stderr
    ran = running.command("restart")
    if spoil is not unchanged:
        assert ran.returncode == 5 and "goes on" in ran.stderr, ran.stdout + ran.stderr
        assert running.status()["pid"] == pid
    else:
        assert ran.returncode == 0, ran.stderr
        assert running.status()["pid"] != pid
    ran = running.command("stop", "--json")
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["config"] == str(running.config)
    assert not running.alive()
    assert running.command("status").returncode == 3


def test_a_state_folder_of_the_gateways_environment_is_found(new_running, tmp_path):
    running = new_running(state=None, env={"KANMON_STATE_DIR": str(tmp_path / "by-variable")})
    assert running.status()["state_dir"] == str(tmp_path / "by-variable")
    assert running.command("reload").returncode == 0
    assert running.run("status", "--state-dir", tmp_path / "by-variable").returncode == 0
    assert running.run("status", "--state-dir", "../by-variable").returncode == 0
    assert running.command("stop").returncode == 0


def test_a_relative_state_folder_by_variable_is_the_same_for_all(tmp_path):
    """Wherever a command is called from: it is beside the file."""
    by = {**ENV, "KANMON_STATE_DIR": "beside-the-file"}
    running = Running(tmp_path / "g", None)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    ran = running.command("start", env=by, cwd=elsewhere)
    try:
        assert ran.returncode == 0, ran.stderr
        for _ in range(2):
            for cwd in (running.folder, elsewhere, "/"):
                status = running.status(env=by, cwd=cwd)
                assert status["state_dir"] == str(running.folder / "beside-the-file")
            assert running.command("restart", env=by, cwd="/").returncode == 0
        assert not list(elsewhere.iterdir())
    finally:
        running.run("stop", "-c", running.config, env=by)


def test_state_dir_as_a_flag_of_the_start(tmp_path):
    running = Running(tmp_path / "g", None)
    ran = running.command("start", "--state-dir", "flagged", env=ENV)
    try:
        assert ran.returncode == 0, ran.stderr
        assert running.status()["state_dir"] == str(running.folder / "flagged")
        assert running.command("restart").returncode == 0
        assert running.status()["state_dir"] == str(running.folder / "flagged")
    finally:
        running.stop()


def test_the_folders_of_the_state_folder_are_made(new_running):
    running = new_running(state="a/b/c")
    assert running.status()["state_dir"] == str(running.folder / "a/b/c")
    assert (running.folder / "a").stat().st_mode & 0o777 == 0o700


def test_a_second_file_is_refused_naming_both(new_running):
    running = new_running(state=None)
    second = running.folder / "second.yaml"
    second.write_text(running.text.replace(str(running.port), str(free_port())))
    before = running.status()
    for words in (["start"], ["reload"], ["restart"], ["stop"], ["status"], ["key", "list"]):
        ran = running.run(*words, "-c", second, env=ENV)
        assert ran.returncode not in (0, 3), words
        assert str(second) in ran.stderr and str(running.config) in ran.stderr, ran.stderr
    ran = running.run("serve", "-c", second, env=ENV)
    assert ran.returncode != 0
    assert str(second) in ran.stderr and str(running.config) in ran.stderr, ran.stderr
    after = running.status()
    assert (after["pid"], after["config_version"]) == (before["pid"], before["config_version"])
    # Two names of one file are one configuration.
    link = running.folder / "linked.yaml"
    link.symlink_to(running.config)
    assert running.run("reload", "-c", link).returncode == 0


def test_every_control_answer_says_which_gateway_it_is(new_running):
    running = new_running()
    for words in (["status"], ["reload"], ["start"], ["restart"], ["stop"]):
        pid = running.status()["pid"]
        ran = running.command(*words, env=ENV)
        assert ran.returncode == 0, ran.stderr
        for what in (str(running.config), f"127.0.0.1:{running.port}"):
            assert what in ran.stdout, (words, ran.stdout)
        if words != ["restart"]:
            assert str(pid) in ran.stdout, (words, ran.stdout)
    for words in (["start"], ["status"], ["reload"], ["start"], ["restart"], ["stop"]):
        ran = running.command(*words, "--json", env=ENV)
        answer = json.loads(ran.stdout)
        assert answer["config"] == str(running.config), (words, answer)
        assert answer["listen"] == [f"127.0.0.1:{running.port}"]
        assert answer["pid"] > 0 and answer["waits_for_restart"] == []


def test_what_waits_for_a_restart_is_said_each_time(new_running):
    running = new_running()
    other = free_port()
    text = running.text.replace(str(running.port), str(other)).replace("workers: 1", "workers: 2")
    running.config.write_text(text)
    waits = {"kanmon_settings.listen[0].port", "kanmon_settings.workers"}
    for _ in range(3):
        ran = running.command("reload", "--json")
        assert set(json.loads(ran.stdout)["waits_for_restart"]) == waits
        assert set(running.status()["waits_for_restart"]) == waits
        ran = running.command("reload")
        assert all(name in ran.stdout for name in waits), ran.stdout
    log = (running.state / "kanmon.log").read_text()
    assert "listen[0].port" in log
    # Written in another way, or as what is the default, it is the same.
    running.config.write_text(running.text.replace("127.0.0.1", "localhost")
                              + "  commit_time: 0.02s\n  log_level: info\n")
    assert running.command("reload").returncode == 0
    assert running.status()["waits_for_restart"] == []
    running.config.write_text(text)
    assert running.command("restart").returncode == 0
    assert running.status()["waits_for_restart"] == []
    assert running.status()["listen"] == [f"127.0.0.1:{other}"]


def test_a_port_by_flag_does_not_wait(tmp_path):
    running = Running(tmp_path / "g", None)
    flagged = free_port()
    ran = running.command("start", "--port", flagged, env=ENV)
    try:
        assert ran.returncode == 0, ran.stderr
        running.config.write_text(running.text.replace(str(running.port), str(free_port())))
        assert running.command("reload").returncode == 0
        assert running.status()["waits_for_restart"] == []
    finally:
        running.stop()


def test_a_deep_folder_is_no_reason_not_to_start(tmp_path):
    """The path of the socket is longer than what an address of one holds."""
    running = Running(tmp_path / ("d" * 100) / ("e" * 100), None)
    assert len(str(running.state / "kanmon.sock")) > 107
    assert running.command("config", "check", env=ENV).returncode == 0
    running.start()
    try:
        assert running.alive()
        assert running.command("restart").returncode == 0
        assert running.status()["listen"] == [f"127.0.0.1:{running.port}"]
        assert running.command("mcp", "tools").returncode == 0
    finally:
        running.stop()


def test_another_user_is_denied(new_running):
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("needs root, to be somebody else")
    running = new_running()
    for folder in (running.folder, *running.folder.parents):
        if str(folder).startswith(str(running.folder.parent.parent)):
            folder.chmod(folder.stat().st_mode | 0o055)
    for words in (["stop"], ["status"], ["reload"], ["restart"], ["key", "list"]):
        ran = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                              str(binary()), *words, "-c", str(running.config)], text=True,
                             capture_output=True, env=running.env, cwd="/")
        if ran.returncode in (126, 127) or "cannot execute" in ran.stderr:
            pytest.skip("the binary lies where only root may run it")
        assert ran.returncode == 4 and "Permission denied" in ran.stderr, (words, ran.stderr)
    assert running.alive()


# -- one judge ------------------------------------------------------------------------------

UNUSABLE = {
    "exposed": ("  listen: [{host: 0.0.0.0, port: PORT}]\n", "0.0.0.0"),
    "exposed in IPv6": ("  listen: [{host: '::', port: PORT}]\n", "loopback"),
    "no address": ("  listen: [{host: my.host.example, port: PORT}]\n", "my.host.example"),
    "no port": ("  listen: [{port: 70000}]\n", "port"),
    "twice": ("  listen: [{port: PORT}, {port: PORT}]\n", "both want"),
    "workers": ("  workers: many\n", "workers"),
    "certificate": ("  listen: [{port: PORT, tls: {cert: /no/cert, key: /no/key}}]\n", "/no/cert"),
    "log file": ("  log_file: /no/such/folder/log\n", "/no/such/folder"),
    "state folder": (f"  state_dir: /tmp/{'x' * 120}/{'y' * 120}/{'z' * 120}/{'a' * 120}\n",
                     "state"),
    "state folder a file": ("  state_dir: AFILE\n", "is no folder"),
    "state folder below a file": ("  state_dir: AFILE/state\n", "is no folder"),
    "log a folder": ("  log_file: AFOLDER\n", "is a folder"),
    "log the store": ("  store: sqlite:AFOLDER/x\n  log_file: AFOLDER/x\n",
                      "kanmon_settings.store, too"),
    "store elsewhere": ("  store: postgres://u@h/d\n", "only sqlite"),
    "store of a scheme nobody knows": ("  store: nonsense\n", "only sqlite"),
    "store nowhere": ("  store: 'sqlite:'\n", "empty"),
    "store in memory": ("  store: 'sqlite::memory:'\n", "in memory"),
    "store a folder": ("  store: sqlite:AFOLDER\n", "is a folder"),
    "store a device": ("  store: sqlite:/dev/null\n", "is no regular file"),
    "store in no folder": ("  store: sqlite:/no/such/db\n", "/no/such"),
    "spill the store": ("  store: sqlite:AFOLDER/x\n  store_spill: AFOLDER/../AFOLDER_NAME/x\n",
                        "kanmon_settings.store, too"),
    "spill a folder": ("  store_spill: AFOLDER\n", "is a folder"),
    "spill a device": ("  store_spill: /dev/null\n", "is no regular file"),
    "spill in no folder": ("  store_spill: /no/such/spill\n", "/no/such"),
}


# What another row shows too: the same check of another kind of file, or another spelling.
SHOWN_TWICE = {"exposed in IPv6", "state folder below a file", "store of a scheme nobody knows",
               "store a device", "spill a device", "spill in no folder", "store nowhere", "spill a folder"}


@pytest.mark.parametrize("case", [pytest.param(case, marks=LONG if case in SHOWN_TWICE else ())
                                  for case in UNUSABLE])
def test_check_start_and_reload_agree(tmp_path, case):
    running = Running(tmp_path / "g", None)
    running.text = running.text.replace("general_settings", "ignored: 1 #")
    running.config.write_text(running.text)
    lines, named = UNUSABLE[case]
    folder = tmp_path / "a-folder"
    folder.mkdir()
    for word, path in (("AFOLDER_NAME", folder.name), ("AFOLDER", folder),
                       ("AFILE", __file__)):
        lines = lines.replace(word, str(path))
    bad = CONFIG.replace("general_settings", "ignored: 1 #").replace("  workers: 1\n", "").format(
        more=lines.replace("PORT", str(free_port())))
    file = running.folder / "bad.yaml"
    file.write_text(bad)
    for words in (["config", "check", file], ["start", "-c", file], ["serve", "-c", file]):
        ran = running.run(*words, env=ENV)
        assert ran.returncode == 5, (words, ran.stdout + ran.stderr)
        assert named in ran.stdout + ran.stderr, (words, ran.stdout + ran.stderr)
    assert not (running.folder / ".kanmon").exists() and not list(folder.iterdir())
    running.start()
    try:
        pid = running.status()["pid"]
        running.config.write_text(bad)
        ran = running.command("reload")
        assert ran.returncode == 5 and named in ran.stderr, ran.stdout + ran.stderr
        answer = json.loads(running.command("reload", "--json").stdout)
        assert answer["reloaded"] is False and answer["version"] == 1
        ran = running.command("restart")
        assert ran.returncode == 5 and named in ran.stderr, ran.stdout + ran.stderr
        assert running.status()["pid"] == pid and running.alive()
    finally:
        running.stop()


def test_a_reload_does_not_open_what_other_machines_reach(tmp_path):
    """The key goes, and so does the address; but until a restart it listens there."""
    running = Running(tmp_path / "g", None)
    running.text = running.text.replace("host: 127.0.0.1", "host: 0.0.0.0")
    running.config.write_text(running.text)
    running.start()
    try:
        running.config.write_text(running.text.replace("general_settings", "ignored: 1 #")
                                  .replace("0.0.0.0", "127.0.0.1"))
        ran = running.command("reload")
        assert ran.returncode == 5 and "0.0.0.0" in ran.stderr, ran.stderr
        assert request(running.port, "GET", "/key/list", key=None).status == 401
        assert request(running.port, "GET", "/key/list", key=SECRET).status == 200
    finally:
        running.stop()


@pytest.mark.parametrize("text", ["{}", "model_list: [", "general_settings: {master_key: }\n",
                                  "general_settings: {master_key: k}\nkanmon_settings: "
                                  "{auth: none}\n"])
def test_a_reload_never_turns_authentication_off(tmp_path, text):
    running = Running(tmp_path / "g", None)
    running.start()
    try:
        running.config.write_text(text)
        ran = running.command("reload")
        assert ran.returncode == 5, ran.stderr
        if "[" not in text:
            assert "restart" in ran.stderr and "E0114" in ran.stderr, ran.stderr
        assert request(running.port, "GET", "/key/list", key=None).status == 401
        assert request(running.port, "GET", "/key/list", key=SECRET).status == 200
    finally:
        running.stop()


def test_a_reload_never_serves_every_host_again(tmp_path):
    running = Running(tmp_path / "g", None, more="  allowed_hosts: [127.0.0.1]\n")
    running.start()
    try:
        running.config.write_text(running.text.replace("allowed_hosts: [127.0.0.1]",
                                                       "allowed_hosts: []"))
        ran = running.command("reload")
        assert ran.returncode == 5 and "E0114" in ran.stderr, ran.stderr
        answer = request(running.port, "GET", "/v1/models", key=SECRET, headers={"Host": "x.test"})
        assert answer.status == 403, answer
        assert running.command("restart", env=ENV).returncode == 0
    finally:
        running.stop()


@pytest.mark.parametrize("words", [["config", "check"], ["serve", "-c"], ["start", "-c"]])
def test_a_pipe_is_no_configuration_file_and_is_not_waited_for(tmp_path, words):
    running = Running(tmp_path / "g", None)
    running.config.unlink()
    os.mkfifo(running.config)
    ran = running.run(*words, running.config, env=ENV)
    assert ran.returncode == 5 and "no regular file" in ran.stdout + ran.stderr


def test_a_pipe_of_the_shells_is_read(tmp_path):
    running = Running(tmp_path / "g", tmp_path / "state")
    script = f"exec {binary()} config check <(cat {running.config})"
    ran = subprocess.run(["bash", "-c", script], env={**running.env, **ENV}, text=True,
                         capture_output=True, timeout=60 * slow_factor(), cwd=running.folder)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("words", [["config", "check"], ["serve", "-c"], ["start", "-c"]])
def test_no_state_is_kept_beside_no_file(tmp_path, words):
    running = Running(tmp_path / "g", None)
    ran = running.run(*words, "/dev/null", env=ENV)
    assert ran.returncode == 5 and "--state-dir" in ran.stdout + ran.stderr
    assert not os.path.exists("/dev/.kanmon")


# -- variables ------------------------------------------------------------------------------

def test_what_kubernetes_sets_for_a_service_is_no_port(tmp_path):
    running = Running(tmp_path / "g", None)
    by = {"KANMON_PORT": "tcp://10.96.0.1:4000", "KANMON_SERVICE_HOST": "10.96.0.1",
          "KANMON_PORT_4000_TCP": "tcp://10.96.0.1:4000"}
    ran = running.command("start", env={**ENV, **by})
    try:
        assert ran.returncode == 0 and "KANMON_PORT" in ran.stderr, ran.stdout + ran.stderr
        assert running.alive()
        assert running.command("restart", env=by).returncode == 0
        assert running.alive()
    finally:
        running.stop()


@pytest.mark.parametrize("name, value", [
    ("KANMON_PORT", "http"), ("KANMON_PORT", "70000"), ("KANMON_PORT", "-1"),
    ("KANMON_HOST", "nowhere.example"), ("KANMON_WORKERS", "many"), ("KANMON_WORKERS", "0"),
    ("KANMON_NUM_WORKERS", "x"), ("KANMON_DEBUG", "perhaps"), ("KANMON_JSON", "2"),
    ("KANMON_DRAIN", "soon"), ("KANMON_METRICS_PUBLIC", "maybe"), ("KANMON_AUTH", "never"),
    ("KANMON_LIMITS_HEADER_BYTES", "much"), ("KANMON_LISTEN", "[{port: none}]")])
def test_a_variable_that_is_wrong_is_named(tmp_path, name, value):
    running = Running(tmp_path / "g", None)
    for words in (["config", "check"], ["start"], ["serve"]):
        ran = running.command(*words, env={**ENV, name: value})
        assert ran.returncode == 5, (words, ran.stdout + ran.stderr)
        assert name in ran.stdout + ran.stderr, (words, ran.stdout + ran.stderr)


def test_a_flag_that_is_wrong_is_a_matter_of_usage(tmp_path):
    running = Running(tmp_path / "g", None)
    for words in (["start", "--port", "x"], ["serve", "--workers", "0"],
                  ["config", "check", "--port", "65536"]):
        ran = running.command(*words, env=ENV)
        assert ran.returncode == 2 and words[-2] in ran.stderr, ran.stderr


@pytest.mark.parametrize("value, on", [("true", True), ("1", True), ("YES", True), ("on", True),
                                       ("false", False), ("0", False), ("No", False),
                                       ("off", False), ("", False)])
def test_a_switch_by_variable_is_what_it_says(tmp_path, value, on):
    running = Running(tmp_path / "g", None)
    ran = running.run("version", env={"KANMON_JSON": value})
    assert ran.returncode == 0
    assert ran.stdout.startswith("{") == on, ran.stdout
    ran = running.command("key", "delete", "1a2b", env={"KANMON_YES": value})
    assert ran.returncode == (3 if on else 2), ran.stderr


def test_a_port_of_the_env_file_counts(tmp_path):
    running = Running(tmp_path / "g", None)
    port = free_port()
    (running.folder / ".env").write_text(f"KANMON_PORT={port}\n")
    running.start()
    try:
        assert running.status()["listen"] == [f"127.0.0.1:{port}"]
    finally:
        running.stop()


def test_a_key_is_named_by_alias_hash_or_itself(new_running):
    running = new_running()
    made = json.loads(running.command("key", "generate", "--alias", "team a/1", "--json").stdout)

    def blocked():
        ran = running.command("key", "info", made["token"], "--json")
        return bool(json.loads(ran.stdout)["info"]["blocked"])
    for name, typed in (("team a/1", None), (made["token"], None), ("-", made["key"] + "\n")):
        assert running.command("key", "block", name, input=typed).returncode == 0
        assert blocked(), name
        assert running.command("key", "unblock", name, input=typed).returncode == 0
        assert not blocked(), name
        ran = running.command("key", "info", name, input=typed)
        assert ran.returncode == 0 and "team a/1" in ran.stdout
    for name in ("nobody", "f" * 64, "0" * 63):
        ran = running.command("key", "block", name)
        assert ran.returncode == 1, (name, ran)
    ran = running.command("key", "block", made["key"])
    assert ran.returncode == 2 and made["key"] not in ran.stderr
    assert running.command("key", "delete", "--yes", "team a/1").returncode == 0
    assert running.command("key", "info", made["token"]).returncode == 1


def test_errors_are_json_where_json_was_asked_for(new_running):
    running = new_running()
    for words, code in ((["key", "info", "nobody"], 1), (["status", "--url", "x"], 1),
                        (["key", "info"], 2), (["mcp", "status", "nobody"], 1)):
        ran = running.command(*words, "--json")
        error = json.loads(ran.stderr)["error"]
        assert ran.returncode == error["exit_code"], ran
        assert error["message"] and not ran.stdout
    running.command("stop")
    ran = running.command("status", "--json")
    assert ran.returncode == 3 and json.loads(ran.stderr)["error"]["code"] == "not_running"


# -- the command line -----------------------------------------------------------------------

def test_output_that_cannot_be_written_is_an_error(tmp_path):
    running = Running(tmp_path / "g", None)
    for words in (["version"], ["--help"], ["config", "schema"]):
        with open("/dev/full", "w") as full:
            ran = subprocess.run([str(binary()), *words], stdout=full, stderr=subprocess.PIPE,
                                 text=True, env=running.env)
        assert ran.returncode == 1 and "output" in ran.stderr, (words, ran)


def test_words_that_mean_nothing_are_refused(tmp_path):
    running = Running(tmp_path / "g", None)
    for words in (["status", "extra"], ["key", "list", "foo"], ["reload", "x"], ["version", "x"],
                  ["stop", "a", "b"], ["key", "info", "a", "b"], ["config", "check", "a", "b"],
                  ["mcp", "tools", "a", "b"], ["mcp", "approve", "a", "b", "c"]):
        ran = running.run(*words)
        assert ran.returncode == 2, (words, ran.stdout + ran.stderr)


def test_a_stuck_gateway_is_found_and_named(new_running):
    running = new_running()
    pid = running.status()["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        second = running.folder / "second.yaml"
        second.write_text(running.text)
        ran = running.run("stop", "-c", second)
        assert str(pid) in ran.stderr and str(running.config) in ran.stderr, ran.stderr
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_until(running.alive, 20, "the gateway")


def speaks(port, trust):
    """What listens on the port: tls, plain or nothing."""
    try:
        link = socket.create_connection(("127.0.0.1", port), 10)
    except ConnectionRefusedError:
        return "nothing"
    try:
        with trust.wrap_socket(link, server_hostname="localhost"):
            return "tls"
    except (ssl.SSLError, ConnectionResetError):
        return "plain"


def test_a_socket_keeps_its_tls_until_the_restart_that_ends_it(tmp_path):
    cert, secret = make_certificate(tmp_path)
    trust = ssl.create_default_context(cafile=str(cert))
    running = Running(tmp_path / "g", None)
    secure = free_port()
    plain = f"{{host: 127.0.0.1, port: {running.port}}}"
    tls = f"{{host: 127.0.0.1, port: {secure}, tls: {{cert: {cert}, key: {secret}}}}}"
    one = running.text
    running.text = one.replace(plain, f"{plain}, {tls}")
    running.config.write_text(running.text)
    running.start()

    def both():
        return speaks(running.port, trust), speaks(secure, trust)
    try:
        assert both() == ("plain", "tls")
        for text in (one.replace(plain, f"{tls}, {plain}"), one):
            running.config.write_text(text)
            assert running.command("reload").returncode == 0
            for _ in range(10):
                assert both() == ("plain", "tls"), text
        assert running.status()["waits_for_restart"] == ["kanmon_settings.listen[1]"]
        assert running.command("restart").returncode == 0
        assert speaks(running.port, trust) == "plain"
        wait_until(lambda: speaks(secure, trust) == "nothing", 20, "the end of the other address")
    finally:
        running.stop()
