# SPDX-License-Identifier: Apache-2.0
"""The log: readers that stall, rotation, order."""

import fcntl
import json
import os
import re
import signal
import subprocess
import threading

import pytest

from gateway import Gateway, binary, config_text, patient, wait_until


def metric(gateway, name):
    text = gateway.call("GET", "/metrics").body.decode()
    return int(re.search(rf"^{name} (\d+)$", text, re.M)[1])


class Stalled(Gateway):
    """Its standard output and standard error are a pipe that nobody reads."""

    def start(self, wait=True, words=None):
        self.reader, writer = os.pipe()
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        self.process = subprocess.Popen(
            [str(binary()), "serve", "--config", str(self.config), "--port", str(self.port)],
            env=self.env, stdout=writer, stderr=writer, stdin=subprocess.DEVNULL)
        os.close(writer)
        if wait:
            self.wait_ready()
        return self

    def check_end(self):
        assert self.process.returncode == 0

    def read(self, got):
        """Appends all that comes until the gateway has ended."""
        with os.fdopen(self.reader, "rb", buffering=0) as file:
            while piece := file.read(65536):
                got.append(piece)


@pytest.fixture
def stalled(upstream, tmp_path):
    made = Stalled(tmp_path / "stalled", config_text(
        upstream, tmp_path / "stalled" / "state", "  log_prompts: true"))
    made.start()
    made.log.write_text("")
    yield made
    made.stop()


def fill_log(gateway):
    """More than waits for any reader: 16 KB of what is logged are bytes of six characters each."""
    while metric(gateway, "kanmon_log_dropped_total") < 20:
        assert gateway.chat("mock", messages=[{"role": "user", "content": "\x7f" * 16384}]).status == 200


def test_a_reader_of_the_log_that_stalls_stops_nothing(stalled):
    fill_log(stalled)
    assert stalled.chat().status == 200
    assert stalled.call("GET", "/health/liveliness", key=None).status == 200
    assert stalled.call("GET", "/health/readiness", key=None).status == 200
    assert stalled.command("status", "--config", stalled.config).returncode == 0
    assert stalled.command("reload", "--config", stalled.config).returncode == 0
    stalled.process.send_signal(signal.SIGTERM)
    assert stalled.process.wait(patient(30)) == 0
    os.close(stalled.reader)


def test_what_a_stalled_reader_missed_is_said_when_it_is_back(stalled):
    fill_log(stalled)
    dropped = metric(stalled, "kanmon_log_dropped_total")
    got = []
    reading = threading.Thread(target=stalled.read, args=(got,))
    reading.start()
    assert stalled.chat().status == 200
    wait_until(lambda: b" log.lost lines=" in b"".join(got), what="what it missed to be said")
    stalled.stop()
    reading.join()
    text = b"".join(got).decode()
    lines = text.splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z (DEBUG|INFO |WARN |ERROR) \S", one)
               for one in lines), "a line that is not whole"
    lost = sum(int(n) for n in re.findall(r" log\.lost lines=(\d+)$", text, re.M))
    assert lost >= dropped > 0
    times = [one.split(" ")[0] for one in lines]
    assert times == sorted(times)


def test_lines_of_all_workers_are_in_order_of_time(new_gateway):
    gateway = new_gateway()

    def call():
        for _ in range(50):
            assert gateway.chat("mock").status == 200
    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gateway.stop()
    times = [one.split(" ")[0] for one in gateway.log.read_text().splitlines()]
    assert len(times) >= 200 and times == sorted(times)


# --- rotation ---

def call_noted(gateway, path):
    """Calls until the line of one is in that file: who opens it may be on the way."""
    ids = []

    def noted():
        ids.append(gateway.chat("mock").header("x-litellm-call-id"))
        said = path.read_text() if path.exists() else ""
        return any(one in said for one in ids)
    wait_until(noted, 10, f"a call in {path}", interval=0.1)


class Started:
    """A gateway under `kanmon start`."""

    def __init__(self, gateway, state):
        self.gateway, self.words, self.state = gateway, ("--config", gateway.config), state
        ran = gateway.command("start", *self.words, "--port", gateway.port)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        self.said = ran.stdout
        wait_until(gateway.is_ready, 15, "the gateway")

    @property
    def supervisor(self):
        return int((self.state / "supervisor.pid").read_text().split()[0])

    @property
    def pid(self):
        return json.loads(self.gateway.command("status", *self.words, "--json").stdout)["pid"]

    def files(self, pid):
        """What a process has open."""
        folder = f"/proc/{pid}/fd"
        found = []
        for fd in os.listdir(folder):
            try:
                found.append(os.readlink(f"{folder}/{fd}"))
            except OSError:
                pass
        return found

    def stop(self):
        self.gateway.command("stop", *self.words)


@pytest.fixture
def start(new_gateway, upstream):
    made = []

    def make(more=""):
        gateway = new_gateway(more=more, start=False)
        made.append(Started(gateway, gateway.folder / "state"))
        return made[-1]
    yield make
    for one in made:
        one.stop()


@pytest.mark.parametrize("log_file", [None, "calls.log"])
@pytest.mark.parametrize("whom", ["supervisor", "pid", "reload"])
def test_a_renamed_log_is_followed_by_all_who_write_it(start, log_file, whom):
    started = start(f"  log_file: {log_file}" if log_file else "")
    gateway = started.gateway
    log = gateway.folder / log_file if log_file else started.state / "kanmon.log"
    assert re.search(rf"^  log +{re.escape(str(log))}$", started.said, re.M), started.said
    assert not log_file or not (started.state / "kanmon.log").exists(), "two logs"
    call_noted(gateway, log)
    wait_until(lambda: "supervisor" in log.read_text(), 10, "the supervisor's word")
    old = log.with_suffix(".1")
    log.rename(old)
    if whom == "reload":
        assert gateway.command("reload", *started.words).returncode == 0
    else:
        os.kill(getattr(started, whom), signal.SIGHUP)
    wait_until(log.exists, 10, "the new log")
    call_noted(gateway, log)
    for pid in (started.supervisor, started.pid):
        wait_until(lambda: str(old) not in started.files(pid), 10, "the old one to be let go")
        assert str(log) in started.files(pid)
    size = old.stat().st_size
    started.stop()
    assert old.stat().st_size == size
    assert re.search(r"supervisor.*stops", log.read_text())


def test_a_log_is_followed_when_the_new_configuration_is_refused(start):
    started = start()
    gateway, log = started.gateway, started.state / "kanmon.log"
    call_noted(gateway, log)
    log.rename(log.with_suffix(".1"))
    gateway.config.write_text("model_list: [{model_nam: 1\n")
    os.kill(started.supervisor, signal.SIGHUP)
    wait_until(lambda: log.exists() and "config.rejected" in log.read_text(), 10, "the refusal")
    call_noted(gateway, log)


def test_a_log_may_move_with_the_configuration(start):
    started = start("  log_file: one.log")
    gateway = started.gateway
    one, two = gateway.folder / "one.log", gateway.folder / "two.log"
    call_noted(gateway, one)
    gateway.config.write_text(gateway.config.read_text().replace("one.log", "two.log"))
    assert gateway.command("reload", *started.words).returncode == 0
    call_noted(gateway, two)
    wait_until(lambda: str(two) in started.files(started.supervisor), 10, "the supervisor's")
    gateway.config.write_text(gateway.config.read_text().replace("  log_file: two.log", ""))
    assert gateway.command("reload", *started.words).returncode == 0
    call_noted(gateway, started.state / "kanmon.log")


def test_a_log_that_is_cut_where_it_is_has_no_gap(start):
    started = start()
    log = started.state / "kanmon.log"
    call_noted(started.gateway, log)
    os.truncate(log, 0)
    call_noted(started.gateway, log)
    started.stop()
    said = log.read_bytes()
    assert b"\0" not in said and b"stops" in said


def test_standard_error_that_is_cut_where_it_is_has_no_gap(new_gateway):
    gateway = new_gateway(start=False)
    with gateway.log.open("w") as log:  # as a shell's `>`: without O_APPEND
        gateway.process = subprocess.Popen(
            [str(binary()), "serve", "--config", str(gateway.config), "--port", str(gateway.port)],
            env=gateway.env, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    gateway.wait_ready()
    call_noted(gateway, gateway.log)
    os.truncate(gateway.log, 0)
    call_noted(gateway, gateway.log)
    assert b"\0" not in gateway.log.read_bytes()


def test_a_restart_keeps_to_the_one_log(start):
    started = start()
    log = started.state / "kanmon.log"
    call_noted(started.gateway, log)
    log.rename(log.with_suffix(".1"))
    os.kill(started.supervisor, signal.SIGHUP)
    wait_until(log.exists, 10, "the new log")
    assert started.gateway.command("restart", *started.words).returncode == 0
    call_noted(started.gateway, log)
    wait_until(lambda: str(log) in started.files(started.pid), 10, "its log")
    assert str(log.with_suffix(".1")) not in started.files(started.pid)


def test_a_pipe_without_a_reader_stops_no_start_and_no_restart(start, tmp_path):
    pipe = tmp_path / "pipe.log"
    os.mkfifo(pipe)
    started = start(f"  log_file: {pipe}")
    gateway = started.gateway
    assert gateway.command("restart", *started.words).returncode == 0
    os.kill(started.pid, signal.SIGKILL)
    wait_until(gateway.is_ready, 30, "the gateway to come back")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert gateway.chat().status == 200
    got = b""

    def heard():
        nonlocal got
        try:
            got += os.read(reader, 65536)
        except BlockingIOError:
            pass
        return b" call " in got or b'"call"' in got
    wait_until(heard, 20, "the line of the call")
    os.close(reader)
    assert gateway.chat().status == 200


def test_what_a_start_that_fails_said_into_a_pipe_is_not_waited_for(new_gateway, tmp_path):
    """It would be waited for until somebody writes into it."""
    pipe = tmp_path / "pipe.log"
    os.mkfifo(pipe)
    gateway = new_gateway(more=f"  log_file: {pipe}", start=False)
    (gateway.folder / "state").mkdir()
    (gateway.folder / "state" / "kanmon.db").write_text("no store " * 1000)
    ran = gateway.command("start", "--config", gateway.config, "--port", gateway.port)
    assert ran.returncode == 6, ran.stdout + ran.stderr


def test_the_supervisors_file_names_the_process_and_nothing_else(start):
    """It stands in people's logrotate files: kill -HUP "$(cat supervisor.pid)"."""
    started = start("")
    name = started.state / "supervisor.pid"
    pid = subprocess.run(["sh", "-c", f'kill -HUP "$(cat {name})" && cat {name}'], text=True,
                         capture_output=True, check=True).stdout
    assert pid.strip().isdigit()
    refused = started.gateway.folder / "other.yaml"
    refused.write_text(started.gateway.config.read_text())
    ran = started.gateway.command("start", "--config", refused, "--port", started.gateway.port)
    assert ran.returncode and str(started.gateway.config) in ran.stderr, ran.stderr


@pytest.mark.parametrize("section, said", [
    ("litellm_settings", True), ("router_settings", True), ("custom", False)])
def test_set_verbose_logs_more_than_log_level_says(new_gateway, tmp_path, section, said):
    gateway = new_gateway(config=f"""
model_list: []
general_settings: {{master_key: sk-e2e-master}}
{section}: {{set_verbose: true}}
kanmon_settings: {{state_dir: "{tmp_path / "state"}", log_level: error}}
""")
    gateway.stop()
    assert ("INFO  stopping" in gateway.log.read_text()) is said
