# SPDX-License-Identifier: Apache-2.0
"""Running it: configuration checks, taken ports, reload, start, restart, signals."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading

import pytest

from gateway import Gateway, config_text, patient, slow_factor, wait_until
from load import Load
from ports import free_port


def marked(upstream, gateway, n):
    """The same configuration with one more model, to see which file is in force."""
    return config_text(upstream, gateway.folder / "state").replace(
        "model_list:", f"model_list:\n  - model_name: marker-{n}\n"
        "    litellm_params: {model: openai/none, mock_response: x}", 1)


def has_model(gateway, name):
    return gateway.call("GET", f"/v1/models/{name}").status == 200


def test_reload_under_load_fails_no_request(new_gateway, upstream, long):
    gateway = new_gateway()
    rounds = 600 if long else 30
    with Load(gateway.port, "reload", clients=3) as load:
        for n in range(rounds // 2):
            size = gateway.log.stat().st_size
            gateway.reload(f"model_list: [{{model_nam: broken-{n}\n")

            def refused():
                with gateway.log.open() as log:
                    log.seek(size)
                    return re.search(r"config\.yaml|reload", log.read())
            wait_until(refused, 10, "word of the invalid file")
            assert has_model(gateway, "chat"), "an invalid file was taken"
            gateway.reload(marked(upstream, gateway, n))
            wait_until(lambda: has_model(gateway, f"marker-{n}"), 10, "the new file")
        load.wait_for(5)
    assert not load.failed(), load.failed()[0].error or load.failed()[0].status
    assert len(load.finished()) > rounds


def test_a_stream_in_flight_outlives_a_reload(new_gateway, upstream):
    from test_stream import abandon, open_stream
    gateway = new_gateway()
    link = open_stream(gateway.port, "any/stream-forever-reload")
    answer = link.getresponse()
    answer.readline()
    gateway.reload(marked(upstream, gateway, 1))
    wait_until(lambda: has_model(gateway, "marker-1"), 10, "the new file")
    for _ in range(200):
        line = answer.readline()
        assert line == b"\n" or line.startswith(b"data:"), line
    abandon(link)


def test_reload_by_command_says_why_it_refused(new_gateway, upstream):
    gateway = new_gateway()
    gateway.config.write_text("model_list: [{model_nam: 1\n")
    ran = gateway.command("reload", "--config", gateway.config)
    assert ran.returncode != 0
    assert has_model(gateway, "chat")
    gateway.config.write_text(marked(upstream, gateway, 7))
    ran = gateway.command("reload", "--config", gateway.config)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    wait_until(lambda: has_model(gateway, "marker-7"), 5, "the new file")


def test_a_reload_waits_for_nobody_who_writes_a_pipe(new_gateway, upstream):
    gateway = new_gateway()
    gateway.config.unlink()
    os.mkfifo(gateway.config)
    gateway.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "no regular file" in gateway.log.read_text(), 20, "the pipe to be refused")
    gateway.config.unlink()
    gateway.config.write_text(marked(upstream, gateway, 7))
    gateway.process.send_signal(signal.SIGHUP)
    wait_until(lambda: has_model(gateway, "marker-7"), 20, "the new file")


HOLDER = """
import fcntl, os, signal, sys
file = os.open(sys.argv[1], os.O_RDWR)
signal.signal(signal.SIGIO, lambda *_: print("wanted", flush=True))
fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print("held", flush=True)
sys.stdin.readline()
fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
"""


@contextlib.contextmanager
def held(path):
    """Whoever opens the file stands still until the end (fcntl(2), "Leases").  Gives a function
    that waits until somebody does."""
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def wait_for(word):
        assert holder.stdout.readline().strip() == word
    try:
        wait_for("held")
        yield lambda: wait_for("wanted")
    finally:
        holder.communicate("\n")


def test_reloads_asked_for_during_one_are_one_more(new_gateway, upstream):
    gateway = new_gateway(start=False)
    gateway.config.write_text(gateway.config.read_text().replace("workers: 2", "workers: 1"))
    gateway.start()
    text = [marked(upstream, gateway, n) for n in range(3)]
    gateway.config.write_text(text[0])
    answers = []

    def ask():
        answers.append(gateway.call("POST", "/kanmon/reload", {}).json())
    askers = [threading.Thread(target=ask, daemon=True) for _ in range(4)]
    with held(gateway.config) as wait_until_read:
        gateway.reload()
        wait_until_read()
        for asker in askers:
            asker.start()
        for _ in range(50):
            gateway.process.send_signal(signal.SIGHUP)
        wait_until(lambda: re.search(rb"kanmon_connections 5\b",
                                     gateway.call("GET", "/metrics").body), 10, "all who ask")
        assert gateway.is_ready()
        later = gateway.config.with_suffix(".later")  # who reads the other one has it open
        later.write_text(text[1])
        later.rename(gateway.config)
    for asker in askers:
        asker.join(20 * slow_factor())
    assert [(a["reloaded"], a["version"]) for a in answers] == [(True, 3)] * 4
    assert has_model(gateway, "marker-1") and not has_model(gateway, "marker-0")
    gateway.config.unlink()  # with another reload under way this would be one of no file
    gateway.config.write_text(text[2])
    assert gateway.call("POST", "/kanmon/reload", {}).json()["version"] == 4


def test_models_that_are_gone_leave_the_metrics(new_gateway, upstream):
    gateway = new_gateway()

    def series():
        lines = gateway.call("GET", "/metrics").body.decode().splitlines()
        return [line for line in lines if not line.startswith("#")]
    for n in range(10):
        gateway.reload(marked(upstream, gateway, n))
        wait_until(lambda: has_model(gateway, f"marker-{n}"), 10, "the new file")
        assert gateway.chat(f"marker-{n}").status == 200
    wait_until(lambda: not any("marker-8" in line for line in series()), 10, "the old ones to go")
    named = {m for line in series() for m in re.findall(r"marker-\d", line)}
    assert named == {"marker-9"}
    counted = {line.split(" ")[0]: line.split(" ")[1] for line in series()}
    name = "litellm_deployment_total_requests_total"
    assert counted[name + '{model="other",model_id="other",api_provider="other"}'] == "9"


def test_a_taken_port_is_named_and_the_exit_is_1(new_gateway, upstream, tmp_path):
    first = new_gateway()
    other = Gateway(tmp_path / "other", config_text(upstream, tmp_path / "other" / "state"),
                    port=first.port)
    other.start(wait=False)
    assert other.process.wait(patient(20)) == 1
    said = other.log.read_text()
    assert str(first.port) in said
    assert str(first.process.pid) in said and "kanmon" in said, said


def test_a_missing_file_is_named(new_gateway):
    gateway = new_gateway(start=False)
    ran = gateway.command("serve", "--config", gateway.folder / "absent.yaml", "--port", 0)
    assert ran.returncode != 0
    assert "absent.yaml" in ran.stderr + ran.stdout


def test_sigterm_ends_with_status_0_and_lets_calls_finish(new_gateway, upstream):
    import threading
    gateway = new_gateway()
    answers = []
    thread = threading.Thread(target=lambda: answers.append(gateway.chat("any/gate-term")))
    thread.start()
    upstream.wait_for(lambda rs: rs, what="the call")
    gateway.process.send_signal(signal.SIGTERM)
    wait_until(lambda: not gateway.is_ready(), 10, "the end of admission")
    upstream.open_gate()
    thread.join()
    assert answers[0].status == 200
    assert gateway.process.wait(patient(20)) == 0


BROKEN = """\
model_list:
  - model_name: chat
    litellm_params:
      model: openai/gpt-4o
      api_key: os.environ/KANMON_TEST_UNSET
  - model_nam: other
    litellm_params: {model: openai/x}
kanmon_settings:
  wrokers: 2
general_settings:
  master_key: sk-1
  custom_auth: my.module
"""


def test_config_check_names_every_problem_with_its_place(new_gateway):
    gateway = new_gateway(start=False, config=BROKEN)
    ran = gateway.command("config", "check", gateway.config)
    said = ran.stdout + ran.stderr
    assert ran.returncode == 5, said
    for what, line in (("model_nam", 6), ("wrokers", 9), ("custom_auth", 12)):
        assert what in said, said
        assert re.search(rf"config\.yaml:{line}:\d+", said), said
    assert "^" in said and "workers" in said and "model_name" in said
    assert "\x1b[" not in said, "colour without a terminal"


def test_config_check_in_json(new_gateway):
    gateway = new_gateway(start=False, config=BROKEN)
    ran = gateway.command("config", "check", gateway.config, "--json")
    assert ran.returncode == 5
    assert {9, 12} <= {int(n) for n in re.findall(r'"line":\s*(\d+)', ran.stdout)}
    json.loads(ran.stdout)


def test_config_check_of_a_good_file_is_0(new_gateway):
    gateway = new_gateway(start=False)
    ran = gateway.command("config", "check", gateway.config)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_configurations_of_the_examples_are_valid():
    from gateway import TOP, binary
    import os
    examples = sorted((TOP / "examples").glob("*.y*ml"))
    assert examples
    for path in examples:
        ran = subprocess.run([str(binary()), "config", "check", str(path)], text=True,
                             capture_output=True, env={**os.environ, "LITELLM_MASTER_KEY": "sk-1"})
        assert ran.returncode == 0, f"{path.name}: {ran.stdout}{ran.stderr}"


@pytest.fixture
def daemon(new_gateway):
    """A gateway under `kanmon start`; its folder's `stop` ends it."""
    gateway = new_gateway(start=False)
    words = ("--config", gateway.config)
    ran = gateway.command("start", *words, "--port", gateway.port)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    wait_until(gateway.is_ready, 15, "the gateway")
    yield gateway, words
    gateway.command("stop", *words)
    for log in gateway.folder.rglob("*.log*"):
        found = re.search(r"^.*(Sanitizer|runtime error)[^\0]{0,4000}", log.read_text(), re.M)
        assert not found, found[0]


def test_start_status_stop(daemon):
    gateway, words = daemon
    ran = gateway.command("status", *words)
    assert ran.returncode == 0 and str(gateway.port) in ran.stdout, ran
    ran = gateway.command("status", *words, "--json")
    assert ran.returncode == 0
    json.loads(ran.stdout)
    assert gateway.command("stop", *words).returncode == 0
    wait_until(lambda: not gateway.is_ready(), 20, "the end")
    assert gateway.command("status", *words).returncode == 3


def test_restarts_under_load_fail_no_connection(daemon, upstream, long):
    gateway, words = daemon
    with Load(gateway.port, "keep", clients=2) as kept, \
            Load(gateway.port, "fresh", clients=2, keep_alive=False) as fresh:
        for _ in range(20 if long else 3):
            kept.wait_for(20)
            ran = gateway.command("restart", *words)
            assert ran.returncode == 0, ran.stdout + ran.stderr
            fresh.wait_for(20)
    failed = kept.failed() + fresh.failed()
    assert not failed, (len(failed), failed[0].error or failed[0].status)
    served = [r for r in upstream.seen() if r.status == 200]
    assert len(served) == len(kept.finished()) + len(fresh.finished())


def test_changes_of_workers_under_load_fail_no_connection(daemon, upstream, long):
    gateway, words = daemon
    text = gateway.config.read_text()
    with Load(gateway.port, "keep", clients=2) as kept, \
            Load(gateway.port, "fresh", clients=2, keep_alive=False) as fresh:
        for workers in (1, 3, 2, 4, 1) if long else (1, 3):
            gateway.config.write_text(text.replace("workers: 2", f"workers: {workers}"))
            ran = gateway.command("restart", *words)
            assert ran.returncode == 0, ran.stdout + ran.stderr
            fresh.wait_for(20)
            kept.wait_for(20)
    failed = kept.failed() + fresh.failed()
    assert not failed, (len(failed), failed[0].error or failed[0].status)


def test_a_budget_holds_over_a_restart(daemon, upstream):
    gateway, words = daemon
    key = gateway.new_key(max_budget=1)
    with Load(gateway.port, "budget", clients=8, keep_alive=False, model="costly/ok",
              key=key) as load:
        load.wait_for(30)
        ran = gateway.command("restart", *words)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        wait_until(lambda: any(c.status == 429 for c in load.calls), 30, "the budget's end")
    served = [r for r in upstream.seen() if r.status == 200]
    assert len(served) <= 166
    wait_until(lambda: abs(gateway.key_info(key)["spend"] - len(served) * 0.006) < 1e-9, 5,
               "the spend to be what was served")


def test_a_daemon_that_dies_is_started_again(daemon):
    gateway, words = daemon
    status = json.loads(gateway.command("status", *words, "--json").stdout)
    pid = next(int(v) for k, v in status.items() if k == "pid")
    import os
    os.kill(pid, signal.SIGKILL)
    wait_until(gateway.is_ready, 20, "the next one")


def test_version_and_help(new_gateway):
    gateway = new_gateway(start=False)
    assert re.search(r"\d+\.\d+", gateway.command("version").stdout)
    ran = gateway.command("--help")
    assert ran.returncode == 0 and "serve" in ran.stdout
    ran = gateway.command("srve")
    assert ran.returncode == 2 and "serve" in ran.stderr, ran


def test_litellms_own_flags_start_it(new_gateway):
    gateway = new_gateway(start=False)
    from gateway import binary
    with gateway.log.open("a") as log:
        gateway.process = subprocess.Popen(
            [str(binary()), "--config", str(gateway.config), "--port", str(gateway.port)],
            env=gateway.env, stdout=log, stderr=subprocess.STDOUT)
    gateway.wait_ready()


def test_without_a_master_key_it_serves_loopback_only_and_says_so(new_gateway, upstream):
    gateway = new_gateway(start=False)
    gateway.config.write_text(gateway.config.read_text().replace(
        "  master_key: sk-e2e-master\n", ""))
    gateway.start()
    assert gateway.chat(key=None).status == 200
    wait_until(lambda: re.search("master.key", gateway.log.read_text()), 5, "a word of it")
    gateway.stop()
    other = Gateway(gateway.folder / "open", gateway.config.read_text())
    other.start(wait=False, words=["--host", "0.0.0.0", "--port", free_port()])
    assert other.process.wait(patient(20)) != 0
