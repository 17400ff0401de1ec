# SPDX-License-Identifier: Apache-2.0
"""One gateway replaces another: connections, counters and books pass over whole."""

import contextlib
import http.client
import json
import os
import pwd
import re
import shutil
import signal
import socket
import sqlite3
import ssl
import struct
import subprocess
import sys
import tempfile
import threading

import pytest

from gateway import MASTER, binary, config_text, patient, request, slow_factor, wait_until
from load import Load
from ports import free_port
from test_http import make_certificate

TAKES_S = 23


class Daemon:
    """A gateway under `kanmon start`."""

    def __init__(self, gateway, port=True):
        self.gateway = gateway
        self.words = ("--config", gateway.config)
        more = ("--port", gateway.port) if port else ()
        ran = gateway.command("start", *self.words, *more)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        wait_until(gateway.is_ready, 15, "the gateway")

    def restart(self):
        ran = self.gateway.command("restart", *self.words)
        assert ran.returncode == 0, ran.stdout + ran.stderr

    def status(self):
        return json.loads(self.gateway.command("status", *self.words, "--json").stdout)

    def pid(self):
        return self.status()["pid"]

    def stop(self):
        ran = self.gateway.command("stop", *self.words)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        for log in self.gateway.config.parent.rglob("*.log*"):
            found = re.search(r"^.*(Sanitizer|runtime error|assert)[^\0]{0,4000}",
                              log.read_text(), re.M)
            assert not found, found[0]


@pytest.fixture(params=["eventual", "strict"])
def daemon(request, new_gateway, upstream):
    gateway = new_gateway(start=False)
    gateway.config.write_text(config_text(upstream, gateway.folder / "state",
                                          f"  accounting: {request.param}"))
    it = Daemon(gateway)
    yield it
    upstream.open_gate()
    it.stop()


class Call(threading.Thread):
    """A call of its own that is told to end later by the upstream's gate."""

    def __init__(self, gateway, model, key=MASTER, **more):
        super().__init__(daemon=True)
        self.answer, self.error = None, None
        self.ask = lambda: gateway.chat(model, key=key, **more)
        self.start()

    def run(self):
        try:
            self.answer = self.ask()
        except (OSError, http.client.HTTPException) as error:
            self.error = error

    def result(self):
        self.join(30 * slow_factor())
        assert not self.is_alive(), "the call hangs"
        return self.answer


def running(upstream, name):
    upstream.wait_for(lambda rs: any(name in (r.model or "") for r in rs), what=f"the call {name}")


def rows_of(gateway, name):
    return [r for r in gateway.spend_logs() if name in json.dumps(r)]


def settled_once(gateway, name):
    wait_until(lambda: rows_of(gateway, name), 10, f"the row of {name}")
    assert len(rows_of(gateway, name)) == 1


def test_restarts_and_other_numbers_of_workers_under_load(daemon, upstream, long):
    gateway = daemon.gateway
    text = gateway.config.read_text()
    workers = [1, 3, 2, 4, 1] if long else [1, 3]
    plan = [workers[n // 4] if n % 4 == 0 and n // 4 < len(workers) else None
            for n in range(20 if long else 6)]
    with Load(gateway.port, "keep", clients=3) as kept, \
            Load(gateway.port, "fresh", clients=3, keep_alive=False) as fresh, \
            Load(gateway.port, "many", clients=2, model="any/stream-many-40") as streams:
        for change in plan:
            if change:
                gateway.config.write_text(text.replace("workers: 2", f"workers: {change}"))
            daemon.restart()
            fresh.wait_for(10)
            kept.wait_for(10)
    for load in (kept, fresh, streams):
        failed = load.failed()
        assert not failed, (len(failed), failed[0].error or failed[0].status)
    names = [c.name for load in (kept, fresh) for c in load.finished()]
    rows = daemon.gateway.call("GET", "/spend/logs?limit=10000").json()
    seen = json.dumps(rows)
    assert not any(row.get("incomplete") for row in rows)
    assert len(names) > 100
    if len(names) < 8000:
        missing = [n for n in names if seen.count(f'"{n}"') < 1]
        assert not missing, (len(missing), missing[:3])


def test_a_stream_runs_on_and_is_paid_once(daemon, upstream):
    gateway = daemon.gateway
    key = gateway.new_key(max_budget=1)
    call = Call(gateway, "any/gate-stream", key=key, stream=True)
    running(upstream, "gate-stream")
    daemon.restart()
    daemon.restart()
    upstream.open_gate()
    answer = call.result()
    assert answer.status == 200 and answer.events()[-1] == "[DONE]"
    settled_once(gateway, "gate-stream")
    wait_until(lambda: gateway.key_info(key)["spend"] > 0, 5, "the spend")


def test_what_runs_before_counts_for_the_limits_after(daemon, upstream):
    gateway = daemon.gateway
    alone = gateway.new_key(max_parallel_requests=1)
    rated = gateway.new_key(rpm_limit=3)
    for _ in range(2):
        assert gateway.chat("any/ok", key=rated).status == 200
    call = Call(gateway, "any/gate-limit", key=alone)
    running(upstream, "gate-limit")
    daemon.restart()
    assert gateway.chat("any/ok", key=alone).status == 429
    assert gateway.chat("any/ok", key=rated).status == 200
    assert gateway.chat("any/ok", key=rated).status == 429
    upstream.open_gate()
    assert call.result().status == 200
    wait_until(lambda: gateway.chat("any/ok", key=alone).status == 200, 5, "the permit")


def head_of(gateway, key, body):
    return (f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode()


def answer_on(link):
    answer = http.client.HTTPResponse(link)
    answer.begin()
    return answer.status, answer.read(), answer.will_close


def test_a_body_that_is_on_its_way_is_admitted_by_the_new_one(daemon, upstream):
    gateway = daemon.gateway
    key = gateway.new_key(max_budget=0.01, rpm_limit=2)
    body = json.dumps({"model": "any/ok-late", "max_tokens": 5,
                       "messages": [{"role": "user", "content": "hi"}]}).encode()
    links = [socket.create_connection(("127.0.0.1", gateway.port), 20) for _ in range(3)]
    for link in links:
        link.sendall(head_of(gateway, key, body) + body[:10])
    # The head is read for certain when a later connection has been answered.
    assert gateway.is_ready()
    daemon.restart()
    got = []
    for link in links:
        link.sendall(body[10:])
        got.append(answer_on(link)[0])
    assert got == [200, 200, 429], got  # the limit is one, whoever asks
    for link in links:  # and the connections went over afterwards
        link.sendall(b"GET /health/readiness HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer_on(link)[0] == 200
        link.close()
    wait_until(lambda: len(rows_of(gateway, "ok-late")) == 2, 10, "two rows")


@pytest.mark.parametrize("rounds", [1, 3])
def test_a_budget_is_never_overspent(daemon, upstream, rounds):
    gateway = daemon.gateway
    key = gateway.new_key(max_budget=1)
    with Load(gateway.port, "kept", clients=12, model="costly/ok", key=key) as kept, \
            Load(gateway.port, "once", clients=12, keep_alive=False, model="costly/ok",
                 key=key) as once:
        for _ in range(rounds):
            once.wait_for(10)
            daemon.restart()
        wait_until(lambda: any(c.status == 429 for c in list(once.calls)), 60, "the end of it")
    bad = [c for c in kept.calls + once.calls if c.error or c.status not in (200, 429)]
    assert not bad, (len(bad), bad[0].error or bad[0].status)
    served = [r for r in upstream.seen() if r.status == 200]
    assert 50 < len(served) <= 166  # as many as the reservations of 24 calls at once let by
    wait_until(lambda: abs(gateway.key_info(key)["spend"] - len(served) * 0.006) < 1e-9, 10,
               "the spend to be what was served")


def test_when_the_old_one_dies_its_calls_are_charged_and_the_rest_is_held(daemon, upstream):
    gateway = daemon.gateway
    key = gateway.new_key(max_budget=1, max_parallel_requests=1)
    before = daemon.pid()
    call = Call(gateway, "any/gate-old", key=key, max_tokens=100)
    running(upstream, "gate-old")
    daemon.restart()
    assert gateway.chat("any/ok", key=key).status == 429
    os.kill(before, signal.SIGKILL)
    call.result()
    assert call.error is not None
    wait_until(lambda: gateway.chat("any/ok", key=key).status == 200, 10, "the permit")
    charged_and_held(gateway, key)
    settled_once(gateway, "gate-old")


def test_when_the_new_one_dies_nothing_is_counted_twice(daemon, upstream):
    gateway = daemon.gateway
    key = gateway.new_key(max_budget=1)
    call = Call(gateway, "any/gate-new", key=key, max_tokens=100)
    running(upstream, "gate-new")
    daemon.restart()
    second = daemon.pid()
    os.kill(second, signal.SIGKILL)
    wait_until(lambda: gateway.is_ready() and daemon.pid() != second, 20, "a third one")
    upstream.open_gate()
    assert call.result().status == 200  # its client is not to suffer
    daemon.restart()
    settled_once(gateway, "gate-new")


# -- a successor that fails -------------------------------------------------------------

HELLO, RELEASED, GO = 1, 2, 4
VERSION = b"kanmon hand-over 4"


def send_frame(link, kind, body=b""):
    link.sendall(struct.pack("=IIQ", 0x72664d4b, kind, len(body)) + body)


def ask_for_everything(gateway):
    link = socket.socket(socket.AF_UNIX)
    link.settimeout(patient(20))
    link.connect(str(gateway.folder / "state" / "handover.sock"))
    send_frame(link, HELLO, VERSION)
    head, fds, _, _ = socket.recv_fds(link, 16, 4)
    kind, length = struct.unpack("=IIQ", head)[1:]
    assert kind == RELEASED and len(fds) == 2
    while length:
        length -= len(link.recv(length))
    for fd in fds:
        os.close(fd)
    return link


def test_a_successor_that_dies_half_way_changes_nothing(daemon, upstream):
    gateway = daemon.gateway
    key = gateway.new_key(max_budget=1)
    before = daemon.pid()
    with Load(gateway.port, "calm", clients=3) as kept, \
            Load(gateway.port, "storm", clients=3, keep_alive=False, key=key) as fresh:
        for _ in range(5):
            link = ask_for_everything(gateway)
            link.close()
            kept.wait_for(5)
            fresh.wait_for(5)
    assert not kept.failed() and not fresh.failed()
    assert daemon.pid() == before
    done = len(fresh.finished())
    wait_until(lambda: abs(gateway.key_info(key)["spend"] - done * 0.00002) < 1e-9, 10,
               "the spend of every call")
    daemon.restart()
    assert gateway.chat("any/ok").status == 200


def logged(gateway, event):
    return sum(log.read_text().count(event) for log in gateway.folder.rglob("*.log*"))


def left_behind(daemon, upstream, name):
    """A call of a gateway that has been replaced: the process, the call and its key."""
    gateway = daemon.gateway
    key = gateway.new_key(max_budget=1, max_parallel_requests=1)
    before = daemon.pid()
    call = Call(gateway, f"any/{name}", key=key, max_tokens=100)
    running(upstream, name)
    daemon.restart()
    assert gateway.chat("any/ok", key=key).status == 429
    return before, call, key


def charged_and_held(gateway, key):
    """What went in is spent, and what could have come out (100 tokens at least) is held."""
    wait_until(lambda: gateway.key_info(key)["spend"] > 0, 10, "the charge")
    wait_until(lambda: any(hold["amount"] + gateway.key_info(key)["spend"] >= 100 * 0.000002
                           for hold in gateway.call("GET", "/kanmon/spend/holds").json()["holds"]),
               10, "the rest to be held")


def charged_by_what_is_known(gateway, key, name):
    wait_until(lambda: gateway.chat("any/ok", key=key).status == 200, 10, "the permit")
    charged_and_held(gateway, key)
    wait_until(lambda: any(row.get("incomplete") for row in rows_of(gateway, name)), 10,
               "the row that says so")
    settled_once(gateway, name)


def test_who_dies_while_its_successor_is_asked_for_everything_is_charged_afterwards(daemon,
                                                                                    upstream):
    gateway = daemon.gateway
    before, call, key = left_behind(daemon, upstream, "gate-frozen")
    link = ask_for_everything(gateway)
    ended = logged(gateway, "handover.ended")
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: logged(gateway, "handover.ended") > ended, 10, "word of its end")
    link.close()
    call.result()
    charged_by_what_is_known(gateway, key, "gate-frozen")


def test_who_dies_while_the_store_cannot_be_written_is_charged_when_it_can(daemon, upstream):
    gateway = daemon.gateway
    before, call, key = left_behind(daemon, upstream, "gate-locked")
    with contextlib.closing(sqlite3.connect(gateway.folder / "state" / "kanmon.db",
                                            isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        os.kill(before, signal.SIGKILL)
        wait_until(lambda: logged(gateway, "handover.ended"), 10, "word of its end")
        wait_until(lambda: not gateway.is_ready(), 30, "the store to fail")
        db.execute("ROLLBACK")
    call.result()
    charged_by_what_is_known(gateway, key, "gate-locked")


def test_a_stranger_who_talks_nonsense_is_refused(daemon):
    for said in (b"GET / HTTP/1.1\r\n\r\n", b"\0" * 64):
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(patient(20))
            link.connect(str(daemon.gateway.folder / "state" / "handover.sock"))
            try:
                link.sendall(said)
                while link.recv(4096):
                    pass
            except (BrokenPipeError, ConnectionResetError):
                pass  # it would not hear it at all, or left some of it unread
    assert daemon.gateway.chat("any/ok").status == 200
    daemon.restart()


def test_a_restart_into_an_invalid_file_leaves_the_old_one(daemon):
    gateway = daemon.gateway
    good, before = gateway.config.read_text(), daemon.pid()
    gateway.config.write_text(good.replace("model_name: chat", "model_nam: chat", 1))
    ran = gateway.command("restart", *daemon.words)
    assert ran.returncode == 5 and "model_nam" in ran.stderr
    gateway.config.write_text(good.replace("  workers: 2", f"""  workers: 4
  listen:
    - {{host: 127.0.0.1, port: {gateway.port}, tls: {{cert: /nowhere.pem, key: /nowhere.pem}}}}"""))
    ran = gateway.command("restart", *daemon.words)
    assert ran.returncode != 0 and "nowhere.pem" in ran.stderr, ran.stderr
    for _ in range(20):  # a socket without an acceptor would leave some of them hanging
        assert request(gateway.port, "GET", "/health/readiness", key=None, timeout=5).status == 200
    gateway.config.write_text(good)
    assert daemon.pid() == before
    daemon.restart()


# -- start and stop ---------------------------------------------------------------------

def test_start_says_who_holds_the_port(new_gateway):
    first = new_gateway()
    other = new_gateway(start=False)
    ran = other.command("start", "--config", other.config, "--port", first.port)
    assert ran.returncode == 1
    assert str(first.process.pid) in ran.stderr and str(first.port) in ran.stderr
    assert other.command("stop", "--config", other.config).returncode == 3
    assert other.command("restart", "--config", other.config).returncode == 3


def test_start_shows_why_the_gateway_did_not_come_up(new_gateway):
    gateway = new_gateway(start=False)
    (gateway.folder / "state").mkdir()
    (gateway.folder / "state" / "kanmon.db").write_bytes(b"no database at all, but a long text")
    ran = gateway.command("start", "--config", gateway.config, "--port", gateway.port)
    assert ran.returncode not in (0, 3)
    assert "kanmon.db" in ran.stderr, ran.stderr
    assert not gateway.is_ready()


def test_starting_twice_is_no_error(daemon):
    gateway = daemon.gateway
    before = daemon.pid()
    ran = gateway.command("start", *daemon.words, "--port", gateway.port)
    assert ran.returncode == 0 and "already" in ran.stdout
    assert daemon.pid() == before
    status = gateway.command("status", *daemon.words).stdout
    assert str(daemon.status()["supervisor"]) in status


def test_stop_ends_a_gateway_in_the_foreground(new_gateway):
    gateway = new_gateway()
    ran = gateway.command("restart", "--config", gateway.config)
    assert ran.returncode == 1 and "foreground" in ran.stderr
    assert gateway.command("stop", "--config", gateway.config).returncode == 0
    assert gateway.process.wait(patient(20)) == 0


# -- other places to listen -------------------------------------------------------------

def test_tls_connections_get_their_answer_from_the_old_one(new_gateway, upstream, tmp_path):
    cert, secret = make_certificate(tmp_path)
    gateway = new_gateway(start=False)
    secure = free_port()
    gateway.config.write_text(config_text(upstream, gateway.folder / "state", f"""
  listen:
    - {{host: 127.0.0.1, port: {gateway.port}}}
    - {{host: 127.0.0.1, port: {secure}, tls: {{cert: "{cert}", key: "{secret}"}}}}
"""))
    daemon = Daemon(gateway, port=False)
    trust = ssl.create_default_context(cafile=str(cert))
    try:
        key = gateway.new_key(rpm_limit=2)
        body = json.dumps({"model": "any/ok-tls",
                           "messages": [{"role": "user", "content": "hi"}]}).encode()

        def ask(link):
            link.sendall(head_of(gateway, key, body) + body)
            return answer_on(link)

        def connect():
            return trust.wrap_socket(socket.create_connection(("127.0.0.1", secure), 20),
                                     server_hostname="localhost")
        kept = connect()
        status, _, closes = ask(kept)
        assert (status, closes) == (200, False)
        daemon.restart()
        status, _, closes = ask(kept)
        assert (status, closes) == (200, True)
        kept.close()
        assert ask(connect())[0] == 429  # the old one's calls were counted by the new one
    finally:
        daemon.stop()


def test_an_address_is_added_and_given_up_at_a_restart(new_gateway, upstream):
    gateway = new_gateway(start=False)
    second = free_port()
    one = f"  listen:\n    - {{host: 127.0.0.1, port: {gateway.port}}}\n"
    gateway.config.write_text(config_text(upstream, gateway.folder / "state", one))
    daemon = Daemon(gateway, port=False)
    try:
        gateway.config.write_text(config_text(
            upstream, gateway.folder / "state",
            one + f"    - {{host: 127.0.0.1, port: {second}}}\n"))
        daemon.restart()
        assert request(second, "GET", "/health/readiness", key=None).status == 200
        gateway.config.write_text(config_text(upstream, gateway.folder / "state", one))
        daemon.restart()

        def refused():
            try:
                socket.create_connection(("127.0.0.1", second), 5).close()
                return False
            except ConnectionRefusedError:
                return True
        wait_until(refused, 10, "the end of the address")
        assert gateway.is_ready()
    finally:
        daemon.stop()


def test_sockets_are_inherited_as_systemd_passes_them(new_gateway):
    gateway = new_gateway(start=False)
    code = ("import os, socket, sys\n"
            "s = socket.create_server(('127.0.0.1', int(sys.argv[1])), reuse_port=False)\n"
            "s.fileno() == 3 or os.dup2(s.fileno(), 3)\n"
            "os.set_inheritable(3, True)\n"
            "os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))\n"
            "os.execv(sys.argv[2], [sys.argv[2], 'serve', '--config', sys.argv[3]])\n")
    with gateway.log.open("a") as log:
        gateway.process = subprocess.Popen(
            [sys.executable, "-c", code, str(gateway.port), str(binary()), str(gateway.config)],
            env=gateway.env, stdout=log, stderr=subprocess.STDOUT)
    gateway.wait_ready()
    assert gateway.chat("any/ok").status == 200


# -- privileges -------------------------------------------------------------------------

@pytest.mark.skipif(os.geteuid() != 0, reason="only root has something to drop")
def test_root_is_dropped_after_binding(new_gateway, upstream):
    nobody = pwd.getpwnam("nobody")
    folder = tempfile.mkdtemp(dir="/tmp")  # the test's own is not for others to enter
    os.chmod(folder, 0o755)
    gateway = new_gateway(start=False)
    gateway.config = type(gateway.config)(folder) / "config.yaml"
    state = gateway.config.parent / "state"
    gateway.config.write_text(config_text(upstream, state, "  user: nobody"))
    daemon = Daemon(gateway)
    try:
        for _ in range(2):
            pid = daemon.pid()
            with open(f"/proc/{pid}/status") as f:
                ids = [line.split()[1:] for line in f if line.startswith(("Uid:", "Gid:"))]
            assert ids == [[str(nobody.pw_uid)] * 4, [str(nobody.pw_gid)] * 4]
            assert state.stat().st_uid == nobody.pw_uid
            assert gateway.chat("any/ok").status == 200
            daemon.restart()
            assert daemon.pid() != pid
    finally:
        daemon.stop()
        shutil.rmtree(folder)
