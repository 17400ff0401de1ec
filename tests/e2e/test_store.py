# SPDX-License-Identifier: Apache-2.0
"""What is outside the gateway happens to its store while it runs: the disk fills up, the
file is deleted, replaced, cut, overwritten, copied.  It is seen, said everywhere, and
nothing that was acknowledged is lost or counted twice."""

import concurrent.futures
import glob
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import sqlite3
import subprocess

import pytest

from gateway import MASTER, config_text, wait_until
from long_form import LONG

TAKES_S = 44
DISK = 16 << 20


@pytest.fixture
def disk(tmp_path, request):
    """A small disk of its own; indirectly parametrized, of that size."""
    folder = tmp_path / "disk"
    folder.mkdir()
    size = getattr(request, "param", DISK)
    if os.geteuid() != 0 or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder],
            capture_output=True).returncode != 0:
        pytest.skip("needs to mount a tmpfs")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(disk):
    """Takes all that is left; the name of the file that has it."""
    name = disk / f"filler-{len(list(disk.iterdir()))}"
    with name.open("wb", buffering=0) as f:
        for size in (65536, 4096, 512, 1):
            try:
                while True:
                    f.write(b"x" * size)
            except OSError:
                pass
    return name


def readiness(gateway):
    return gateway.call("GET", "/health/readiness", key=None)


def unready(gateway, ask=False):
    """Waits until it says so; what it says.  ask: something is to be written, or it need not know."""
    def failing():
        if ask:
            assert gateway.call("POST", "/key/generate", {}).status in (200, 503)
        answer = readiness(gateway)
        return answer if answer.status == 503 else None
    return wait_until(failing, what="readiness to fail").json()


def booked(gateway):
    return len([row for row in gateway.spend_logs() if row["call_type"] == "acompletion"])


def fails_to_start(gateway, *words):
    end = gateway.command("serve", "--config", gateway.config, "--port", gateway.port, *words)
    assert end.returncode == 6, end.stderr
    return end.stderr


def settled(gateway):
    """All calls so far are in the store: a query waits for the commit of what came before."""
    return gateway.spend_logs()


def metric(gateway, name):
    text = gateway.call("GET", "/metrics").body.decode()
    value, = [line.split()[1] for line in text.splitlines() if line.startswith(name + " ")]
    return int(value)


def spill_last(gateway, spill):
    """One call more, and all until then are in the spill file: within 20 ms of its answer an
    eventual one need not be."""
    assert gateway.chat("any/ok-the-last").status == 200

    def there():  # what is spilled together is counted when all of it is
        at = spill.read_bytes().find(b"ok-the-last")
        return 0 < at < metric(gateway, "kanmon_store_spilled_bytes")
    wait_until(there, what="the spill file to have it")


@pytest.mark.parametrize("end", ["kill", "room"])
def test_a_full_disk_loses_no_acknowledged_call(new_gateway, disk, upstream, end):
    gateway = new_gateway(start=False, config=config_text(upstream, disk / "state"))
    gateway.start()
    key = gateway.new_key(max_budget=1000)
    assert gateway.chat(key=key).status == 200
    settled(gateway)
    filler = fill(disk)
    answered = 1
    refused = False
    while not refused:  # no key with a budget goes on for long
        answer = gateway.chat(key=key)
        refused = answer.status == 503
        answered += answer.status == 200
        assert answer.status in (200, 503), answer
    assert "could not be booked" in answer.json()["error"]["message"], answer
    assert "full" in unready(gateway)["detail"]
    statuses = [gateway.chat().status for _ in range(1100)]  # the master key has none
    first = statuses.index(503) if 503 in statuses else len(statuses)
    assert set(statuses[:first]) <= {200} and set(statuses[first:]) == {503}, first
    assert first <= 1000 and (first or answered > 1000)  # a fast client used them up
    answered += first
    said = gateway.command("status", "--config", gateway.config).stdout
    assert "full" in said and "all calls" in said, said
    metrics = gateway.call("GET", "/metrics").body.decode()
    assert 'kanmon_store_fault{fault="unwritable"} 1' in metrics
    if end == "kill":
        gateway.kill()
        filler.unlink()
        gateway.start()
    else:
        filler.unlink()
        wait_until(lambda: readiness(gateway).status == 200, what="readiness")
        assert gateway.chat(key=key).status == 200
        answered += 1
        assert metric(gateway, "kanmon_store_spilled_bytes") == 0
    assert booked(gateway) == answered
    gateway.kill()  # and once more: what was spilled is not read twice
    gateway.start()
    assert booked(gateway) == answered


def test_strict_refuses_at_once_on_a_full_disk(new_gateway, disk, upstream):
    gateway = new_gateway(config=config_text(upstream, disk / "state", "  accounting: strict"))
    assert gateway.chat().status == 200
    filler = fill(disk)
    statuses = [gateway.chat().status for _ in range(40)]
    assert statuses[-1] == 503
    assert "full" in unready(gateway)["detail"]
    filler.unlink()
    wait_until(lambda: readiness(gateway).status == 200, what="readiness")
    rows = [row for row in gateway.spend_logs() if row["call_type"] == "acompletion"]
    assert len([row for row in rows if row["spend"] > 0]) == 1 + statuses.count(200)


def test_serve_goes_on_on_a_full_disk(new_gateway, disk, upstream):
    gateway = new_gateway(config=config_text(upstream, disk / "state",
                                             "  store_unavailable: serve"))
    key = gateway.new_key(max_budget=1000)
    filler = fill(disk)
    answered = 0
    while readiness(gateway).status == 200:
        answered += gateway.chat(key=key).status == 200
    for _ in range(1200):
        assert gateway.chat(key=key).status == 200
    spill_last(gateway, disk / "state" / "store.spill")
    gateway.kill()
    filler.unlink()
    gateway.start()
    assert booked(gateway) == answered + 1201


def test_a_spill_file_on_another_disk_takes_over_where_there_is_no_room(new_gateway, disk, tmp_path,
                                                                       upstream):
    other = tmp_path / "other.spill"
    gateway = new_gateway(config=config_text(
        upstream, disk / "state", f"  store_spill: {other}\n  store_unavailable: serve"))
    filler = fill(disk)
    answered = 0
    while readiness(gateway).status == 200:
        answered += gateway.chat().status == 200
    spill_last(gateway, other)
    gateway.kill()
    filler.unlink()
    gateway.start()
    assert booked(gateway) == answered + 1


class Load:
    """Calls of many clients at a time; which of them were answered."""

    def __init__(self, gateway, key):
        self.gateway, self.key, self.ids, self.refused = gateway, key, [], 0

    def one(self):
        answer = self.gateway.chat(key=self.key)
        assert answer.status in (200, 503), answer
        if answer.status == 200:
            self.ids.append(answer.header("x-litellm-call-id"))
        else:
            assert "could not be booked" in answer.body.decode(), answer
            self.refused += 1

    def until_refused(self, clients, most):
        """As many as it takes until some are refused."""
        begun = 0
        while self.refused < 2 * clients and begun < most:
            self.run(clients, 50)
            begun += 50

    def run(self, clients, calls):
        with concurrent.futures.ThreadPoolExecutor(clients) as pool:
            for done in [pool.submit(self.one) for _ in range(calls)]:
                done.result()


def all_spilled(gateway):
    """Waits until nothing more comes to the spill file: commits are tried four times a second."""
    seen = []

    def quiet():
        seen.append(metric(gateway, "kanmon_store_spilled_bytes"))
        return len(seen) > 8 and len(set(seen[-8:])) == 1
    wait_until(quiet, what="the spill file to have it all", interval=0.1)


def answers(gateway):
    try:
        return readiness(gateway)
    except (OSError, http.client.HTTPException):
        return None


@pytest.mark.parametrize("clients,disk", [
    (24, 3 << 20), (1, 6 << 20), pytest.param(1, 3 << 20, marks=LONG),
    pytest.param(24, 6 << 20, marks=LONG)], indirect=["disk"])
def test_a_crash_and_a_start_on_a_full_disk_lose_no_answered_call(new_gateway, disk, upstream,
                                                                  clients):
    """The room of a call is there before it is admitted, and what a start cannot write waits."""
    gateway = new_gateway(start=False, config=config_text(upstream, disk / "state"))
    words = ("--config", gateway.config)
    assert gateway.command("start", *words, "--port", gateway.port).returncode == 0
    try:
        wait_until(gateway.is_ready, what="the gateway")
        key, rich = gateway.new_key(), gateway.new_key(max_budget=1000)
        load = Load(gateway, key)
        load.run(clients, 5)
        settled(gateway)
        fill(disk)
        paid = [gateway.chat(key=rich) for _ in range(3)]  # no second has passed
        load.ids += [a.header("x-litellm-call-id") for a in paid if a.status == 200]
        load.until_refused(clients, 1200)
        assert load.refused and load.ids
        all_spilled(gateway)
        spent = gateway.key_info(rich)["spend"]
        for _ in range(2):  # the second crash is of a gateway that began on the full disk
            pid = json.loads(gateway.command("status", *words, "--json").stdout)["pid"]
            os.kill(pid, signal.SIGKILL)
            fill(disk)  # what the crash gave back, unless the next one was faster and wrote by it
            wait_until(lambda: answers(gateway), what="an answer")
            assert "full" in unready(gateway, ask=True)["detail"]
            said = gateway.command("status", *words).stdout
            assert "disk is full" in said and "refuses" in said, said
            assert gateway.key_info(rich)["spend"] == spent
            load.run(clients, 30)
            all_spilled(gateway)
        os.kill(json.loads(gateway.command("status", *words, "--json").stdout)["pid"],
                signal.SIGKILL)
        for name in disk.glob("filler*"):
            name.unlink()
        wait_until(gateway.is_ready, what="readiness")
        rows = [row["request_id"] for row in gateway.spend_logs()]
        assert len(rows) == len(set(rows))
        assert not set(load.ids) - set(rows), len(set(load.ids) - set(rows))
        assert gateway.key_info(rich)["spend"] == spent
        assert gateway.chat(key=rich).status == 200
    finally:
        gateway.command("stop", *words)


def test_a_start_on_a_full_disk_goes_on_when_there_is_room(new_gateway, disk, upstream):
    gateway = new_gateway(config=config_text(upstream, disk / "state"))
    key = gateway.new_key(max_budget=1000)
    load = Load(gateway, key)
    settled(gateway)
    filler = fill(disk)
    load.run(4, 200)
    all_spilled(gateway)
    gateway.kill()
    more = fill(disk)
    gateway.start(wait=False)
    wait_until(lambda: answers(gateway), what="an answer")
    assert readiness(gateway).status == 503
    load.key = MASTER
    load.run(4, 40)
    filler.unlink()
    more.unlink()
    wait_until(gateway.is_ready, what="readiness")
    assert metric(gateway, "kanmon_store_spilled_bytes") == 0
    rows = [row["request_id"] for row in gateway.spend_logs()]
    assert sorted(rows) == sorted(load.ids)
    gateway.stop()


def replace(db):
    fresh = db.with_suffix(".fresh")
    fresh.write_bytes(db.read_bytes())
    fresh.rename(db)


def truncate(db):
    os.truncate(db, 4096)


def overwrite(db):
    size = db.stat().st_size
    with db.open("r+b") as f:
        f.write(os.urandom(size))


def unlink_all(db):
    for name in glob.glob(f"{db}*"):
        if not name.endswith(".lock"):
            os.unlink(name)


def log_of(db):
    return pathlib.Path(f"{db}-wal")


def halve_log(db):
    os.truncate(log_of(db), log_of(db).stat().st_size // 2)


HARM = {"unlink": (lambda db: db.unlink(), "deleted"), "unlink-all": (unlink_all, "deleted"),
        "log": (lambda db: log_of(db).unlink(), "deleted"),
        "log-empty": (lambda db: os.truncate(log_of(db), 0), "cut short"),
        "log-half": (halve_log, "cut short"),
        "log-overwrite": (lambda db: overwrite(log_of(db)), "overwritten"),
        "replace": (replace, "replaced"), "truncate": (truncate, "cut short"),
        "empty": (lambda db: os.truncate(db, 0), "cut short"), "overwrite": (overwrite, "damaged")}


@pytest.mark.parametrize("harm,policy", [
    *(pytest.param(harm, "auto", marks=LONG if harm in ("log-half", "empty") else ()) for harm in HARM),
    ("unlink", "refuse"), ("overwrite", "serve"), pytest.param("unlink", "serve", marks=LONG),
    pytest.param("overwrite", "refuse", marks=LONG)])
def test_a_store_that_is_lost_is_seen_and_said(new_gateway, harm, policy):
    do_harm, word = HARM[harm]
    gateway = new_gateway(f"  store_unavailable: {policy}")
    db = gateway.folder / "state" / "kanmon.db"
    key = gateway.new_key()
    assert gateway.chat(key=key).status == 200
    settled(gateway)
    do_harm(db)
    assert word in unready(gateway)["detail"]
    log = lambda: gateway.log.read_text()
    wait_until(lambda: "store.lost" in log(), 20, "the log's line")
    made = gateway.call("POST", "/key/generate", {})
    assert made.status == 503 and word in made.json()["error"]["message"], made
    statuses = {gateway.chat(key=key).status for _ in range(5)}
    assert statuses == ({503} if policy == "refuse" else {200})
    if policy == "refuse":
        assert word in gateway.chat(key=key).json()["error"]["message"]
        answer = gateway.call("POST", "/v1/messages", {
            "model": "chat", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]})
        assert answer.status == 503 and answer.json()["type"] == "error", answer

    def told():  # what to do, once it was tried to make a copy
        said = gateway.command("status", "--config", gateway.config).stdout
        return word in said and "backup" in said or "move the copy" in said
    wait_until(told, what="what to do")
    doctor = gateway.command("doctor", "--config", gateway.config, "--no-network").stdout
    assert word in doctor, doctor
    kind = "damaged" if word == "damaged" else "lost"
    assert f'kanmon_store_fault{{fault="{kind}"}} 1' in gateway.call("GET", "/metrics").body.decode()
    gateway.stop()


def test_damage_without_a_trace_is_found_by_the_check(new_gateway):
    """The file is as long and as old as before: only who reads it can tell."""
    gateway = new_gateway("  store_check_time: 1s")
    db = gateway.folder / "state" / "kanmon.db"
    assert gateway.chat().status == 200
    settled(gateway)
    before = db.stat()
    overwrite(db)
    os.utime(db, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert unready(gateway)["detail"] == "the store is damaged"
    gateway.kill()


@pytest.mark.parametrize("harm", ["log-empty", "log-half"])
def test_a_log_that_grows_back_over_the_cut_is_seen(new_gateway, harm):
    """SQLite goes on writing where it was: a moment later the file is as long as before."""
    gateway = new_gateway()
    db = gateway.folder / "state" / "kanmon.db"
    key = gateway.new_key(max_budget=1000)
    for _ in range(20):
        assert gateway.chat(key=key).status == 200
    settled(gateway)
    before = log_of(db).stat().st_size
    HARM[harm][0](db)
    answered = 20
    while log_of(db).stat().st_size < before and readiness(gateway).status == 200:
        answered += gateway.chat(key=key).status == 200
    assert "the store's write-ahead log was cut short" in unready(gateway)["detail"]
    for _ in range(3):
        assert gateway.chat().status == 200
        answered += 1
    gateway.stop()
    # The pages that SQLite still had in memory make a copy; else there is the last checkpoint.
    copies = glob.glob(f"{db}.rescued-*")
    for name in glob.glob(f"{db}-*"):
        os.unlink(name)
    if copies:
        os.rename(copies[0], db)
    gateway.start(words=["--port", gateway.port, *([] if copies else ["--new-store"])])
    assert readiness(gateway).status == 200
    if copies:
        assert booked(gateway) == answered


def test_an_end_right_after_the_log_was_cut_is_not_silent(new_gateway):
    gateway = new_gateway()
    db = gateway.folder / "state" / "kanmon.db"
    for _ in range(3):
        assert gateway.chat().status == 200
    settled(gateway)
    os.truncate(log_of(db), 0)
    gateway.stop()
    assert "store.lost" in gateway.log.read_text()
    check = sqlite3.connect(db)
    assert check.execute("PRAGMA quick_check").fetchall() == [("ok",)]
    check.close()


def test_a_second_gateway_is_kept_out_without_the_lock_s_file(new_gateway):
    gateway = new_gateway()
    db = gateway.folder / "state" / "kanmon.db"
    lock = pathlib.Path(f"{db}.lock")
    other = new_gateway(f"  store: 'sqlite:{db}'", start=False)
    lock.unlink()
    words = "serve", "--config", other.config, "--port", other.port
    end = other.command(*words)
    assert end.returncode and "in use by" in end.stderr, end  # a byte, or the lock made again
    lock.unlink(missing_ok=True)
    wait_until(lambda: lock.exists() and lock.read_text().strip() == str(gateway.process.pid),
               what="the lock to be made again")
    end = other.command(*words)
    assert end.returncode and "in use by process" in end.stderr, end
    assert gateway.chat().status == 200


def said_of_spill(gateway, word):
    wait_until(lambda: re.search(f"store.spill.*{word}", gateway.log.read_text()),
               what=f"the log to say '{word}'")


@pytest.mark.parametrize("harm", ["unlink", "cut"])
def test_a_spill_file_that_is_gone_is_made_again_at_once(new_gateway, harm):
    gateway = new_gateway()
    spill = gateway.folder / "state" / "store.spill"
    size = spill.stat().st_size
    if harm == "unlink":
        spill.unlink()
    else:
        os.truncate(spill, 0)
    said_of_spill(gateway, "made again")  # nobody calls
    assert spill.stat().st_size == size and spill.stat().st_blocks * 512 >= size
    assert readiness(gateway).status == 200
    assert gateway.chat().status == 200


def test_a_spill_file_deleted_while_it_has_all_there_is_loses_nothing(new_gateway):
    gateway = new_gateway("  store_unavailable: serve")
    db = gateway.folder / "state" / "kanmon.db"
    spill = db.with_name("store.spill")
    assert gateway.chat().status == 200
    settled(gateway)
    db.unlink()
    unready(gateway)
    answered = [gateway.chat().header("x-litellm-call-id") for _ in range(20)]
    spill_last(gateway, spill)
    spill.unlink()
    said_of_spill(gateway, "made again")
    copy, = wait_until(lambda: glob.glob(f"{db}.rescued-*"), what="the copy")
    gateway.kill()
    for name in glob.glob(f"{db}-*"):
        os.unlink(name)
    os.rename(copy, db)
    gateway.start()
    assert not set(answered) - {row["request_id"] for row in gateway.spend_logs()}
    assert booked(gateway) == 22


def test_one_wrong_bit_of_the_spill_file_costs_one_frame(new_gateway, disk, upstream):
    gateway = new_gateway(config=config_text(upstream, disk / "state",
                                             "  store_unavailable: serve"))
    spill = disk / "state" / "store.spill"
    filler = fill(disk)
    answered = 0
    while readiness(gateway).status == 200:
        answered += gateway.chat().status == 200
    for _ in range(50):
        assert gateway.chat().status == 200
    spill_last(gateway, spill)
    gateway.kill()
    filler.unlink()
    whole = spill.read_bytes()
    frames = [m.start() for m in re.finditer(b"FSMK", whole)]
    ends = [*frames[1:], len(whole)]
    least = min(range(1, len(frames) - 1), key=lambda i: ends[i] - frames[i])
    with spill.open("r+b") as f:
        f.seek(frames[least] + 60)
        byte = f.read(1)[0] ^ 1
        f.seek(-1, os.SEEK_CUR)
        f.write(bytes([byte]))
    gateway.start()
    said_of_spill(gateway, f"1 of its [0-9]+ frames cannot be read")
    records = (ends[least] - frames[least]) // 200  # or fewer: each is longer
    assert booked(gateway) >= answered + 51 - records
    assert glob.glob(f"{spill}.damaged-*")
    said = gateway.command("doctor", "--config", gateway.config, "--no-network").stdout
    assert "1 of its" in said and "damaged" in said, said
    assert "1 of its" in gateway.command("status", "--config", gateway.config).stdout
    metrics = gateway.call("GET", "/metrics").body.decode()
    assert 'kanmon_store_fault{fault="spill_damaged"} 1' in metrics
    assert readiness(gateway).status == 200
    assert gateway.chat().status == 200


def test_two_gateways_do_not_share_a_spill_file(new_gateway, tmp_path):
    spill = tmp_path / "both.spill"
    first = new_gateway(f"  store_spill: {spill}")
    second = new_gateway(f"  store_spill: {spill}", start=False)
    second.start(wait=False)
    wait_until(lambda: answers(second), what="an answer")
    assert "spill file" in unready(second)["detail"]
    said_of_spill(second, "in use by another gateway")
    assert readiness(first).status == 200
    assert first.chat().status == 200 and second.chat().status == 503
    assert not glob.glob(f"{spill}.*")
    second.stop()


@pytest.mark.parametrize("harm", ["unlink", "unlink-all", "replace"])
@pytest.mark.parametrize("end", ["stop", "kill"])
def test_what_a_lost_store_held_comes_back_from_its_copy_and_the_spill(new_gateway, harm, end):
    gateway = new_gateway()
    db = gateway.folder / "state" / "kanmon.db"
    key = gateway.new_key(max_budget=100)
    for _ in range(3):
        assert gateway.chat(key=key).status == 200
    settled(gateway)
    HARM[harm][0](db)
    answered = 3
    while readiness(gateway).status == 200:
        answered += gateway.chat(key=key).status == 200
    answered += sum(gateway.chat().status == 200 for _ in range(5)) + 1
    spill_last(gateway, db.with_name("store.spill"))
    wait_until(lambda: glob.glob(f"{db}.rescued-*"), what="the copy")
    getattr(gateway, end)()
    if harm != "replace":
        said = fails_to_start(gateway)
        assert str(db) in said and "store.id" in said and "--new-store" in said, said
        assert ".rescued-" in said, said
    copy, = glob.glob(f"{db}.rescued-*")
    for name in glob.glob(f"{db}-*"):
        os.unlink(name)
    os.rename(copy, db)
    gateway.start()
    assert booked(gateway) == answered
    assert gateway.chat(key=key).status == 200


@pytest.mark.parametrize("harm", ["unlink", "replace"])
def test_a_store_that_is_lost_is_not_handed_over(new_gateway, harm):
    """Also right before the restart: the running gateway has all that was in it, and goes on."""
    gateway = new_gateway(start=False)
    words = ("--config", gateway.config)
    ran = gateway.command("start", *words, "--port", gateway.port)
    assert ran.returncode == 0, ran.stderr
    try:
        wait_until(gateway.is_ready, what="the gateway")
        assert gateway.chat("mock").status == 200
        pid = gateway.command("status", *words, "--json").stdout
        settled(gateway)
        name = gateway.folder / "state" / "kanmon.db"
        if harm == "unlink":
            name.unlink()
        else:
            other = name.with_suffix(".other")
            other.write_bytes(name.read_bytes())
            other.rename(name)
        ran = gateway.command("restart", *words)
        # The writer or the watch over the file says it, whichever looks first.
        said = ran.stdout + ran.stderr
        assert ran.returncode and re.search("store.* was (deleted|replaced)", said), ran
        assert json.loads(gateway.command("status", *words, "--json").stdout)["pid"] == (
            json.loads(pid)["pid"])
        unready(gateway)
        copy = wait_until(lambda: glob.glob(f"{name}.rescued-*"), what="the copy")[0]
        with sqlite3.connect(copy) as held:
            assert held.execute("SELECT count(*) FROM spend").fetchone() == (1,)
    finally:
        gateway.command("stop", *words)


def test_a_restart_on_a_full_disk_leaves_the_running_gateway_as_it_was(new_gateway, disk, upstream):
    """It does not hand over what it cannot write, and goes on at once."""
    gateway = new_gateway(start=False, config=config_text(upstream, disk / "state"))
    words = ("--config", gateway.config)
    assert gateway.command("start", *words, "--port", gateway.port).returncode == 0
    try:
        wait_until(gateway.is_ready, what="the gateway")
        pid = json.loads(gateway.command("status", *words, "--json").stdout)["pid"]
        filler = fill(disk)
        for _ in range(5):
            gateway.chat("mock")
        unready(gateway)
        ran = gateway.command("restart", *words)
        assert ran.returncode, ran.stdout
        assert readiness(gateway).status == 503
        filler.unlink()
        wait_until(gateway.is_ready, what="room to be used")
        assert gateway.chat("mock").status == 200
        assert json.loads(gateway.command("status", *words, "--json").stdout)["pid"] == pid
        ran = gateway.command("restart", *words)
        assert ran.returncode == 0, ran.stderr
        assert gateway.chat("mock").status == 200
    finally:
        gateway.command("stop", *words)


def test_an_empty_store_is_begun_only_when_it_is_asked_for(new_gateway):
    gateway = new_gateway()
    state = gateway.folder / "state"
    key = gateway.new_key()
    gateway.stop()
    kept = state / "kept.db"
    (state / "kanmon.db").rename(kept)
    assert "--new-store" in fails_to_start(gateway)
    assert not (state / "kanmon.db").exists()
    gateway.start(words=["--port", gateway.port, "--new-store"])
    assert gateway.chat(key=key).status == 401
    gateway.stop()
    gateway.start()  # from now on this one is its store
    gateway.stop()
    shutil.copy(kept, state / "kanmon.db")  # another store than the folder knows
    said = fails_to_start(gateway)
    assert "belongs there" in said and "store.id" in said, said
    gateway.start(words=["--port", gateway.port, "--new-store"])
    assert gateway.chat(key=key).status == 200


def test_a_store_of_before_is_adopted_with_a_word(new_gateway):
    gateway = new_gateway()
    key = gateway.new_key()
    gateway.stop()
    state = gateway.folder / "state"
    (state / "store.id").unlink()
    with sqlite3.connect(state / "kanmon.db") as db:
        db.execute("DELETE FROM store_identity")
    db.close()
    before = gateway.log.read_text().count("store.adopted")
    gateway.start()
    assert gateway.log.read_text().count("store.adopted") == before + 1
    assert gateway.chat(key=key).status == 200


def test_a_copy_of_an_idle_store_has_everything(new_gateway, tmp_path):
    gateway = new_gateway()
    db = gateway.folder / "state" / "kanmon.db"
    gateway.new_key()
    for _ in range(3):
        assert gateway.chat().status == 200
    settled(gateway)
    copy = tmp_path / "copy.db"

    def rows():
        shutil.copy(db, copy)
        link = sqlite3.connect(copy)
        try:
            return [link.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                    for table in ("keys", "spend")]
        finally:
            link.close()
    wait_until(lambda: rows() == [1, 3], what="a copy with one key and three calls", interval=0.2)
