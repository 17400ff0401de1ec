# SPDX-License-Identifier: Apache-2.0
"""Realtime sessions while another process holds the counters: what they say waits for its answer,
and what they took there is given back there."""

import json
import os
import socket
import struct
import threading

import pytest

from gateway import Gateway, patient, wait_until
from realtime import CONFIG, RealtimeUpstream, Session
from test_realtime import COST, ROOM, answers, nano, rows

HELLO, RELEASED, GO, SYNC, SYNCED, ASK, ANSWER = 1, 2, 4, 7, 8, 9, 10
VERSION = b"kanmon hand-over 4"
MORE, AGAIN = 3, 4  # enum km_permit_part
ANSWER_BYTES = 632
LONG = "x" * 4000  # counts as many tokens at most, which a slice's room has not


@pytest.fixture(scope="module")
def fake():
    upstream = RealtimeUpstream().start()
    yield upstream
    upstream.stop()


@pytest.fixture(params=["eventual", "strict"])
def daemon(request, fake, tmp_path):
    config = CONFIG.format(up=fake.url, state=tmp_path / "state",
                           more=f"accounting: {request.param}")
    gateway = Gateway(tmp_path, config)
    words = ("--config", gateway.config)
    ran = gateway.command("start", *words, "--port", gateway.port)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    wait_until(gateway.is_ready, what="the gateway")
    gateway.restart = lambda: gateway.command("restart", *words).check_returncode()
    yield gateway
    ran = gateway.command("stop", *words)
    assert ran.returncode == 0, ran.stdout + ran.stderr


class Successor:
    """A gateway that asks for everything, and may take it."""

    def __init__(self, gateway):
        self.link = socket.socket(socket.AF_UNIX)
        self.link.settimeout(patient(20))
        self.link.connect(str(gateway.folder / "state" / "handover.sock"))
        self.send(HELLO, VERSION)
        kind, _ = self.receive()
        assert kind == RELEASED
        self.asked = []  # parts and amounts

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.link.close()

    def send(self, kind, body=b""):
        self.link.sendall(struct.pack("=IIQ", 0x72664d4b, kind, len(body)) + body)

    def receive(self):
        head, fds, _, _ = socket.recv_fds(self.link, 16, 4)
        for fd in fds:
            os.close(fd)
        if len(head) < 16:
            return None, b""
        kind, length = struct.unpack("=IIQ", head)[1:]
        body = b""
        while len(body) < length:
            body += self.link.recv(length - len(body))
        return kind, body

    def go(self, understands):
        """From here on it grants whatever it is asked for."""
        self.send(GO, understands)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        try:
            while True:
                kind, body = self.receive()
                if kind is None:
                    return
                if kind == SYNC:
                    self.send(SYNCED)
                if kind == ASK:
                    (number,) = struct.unpack_from("=Q", body)
                    reserve, _, _, _, part = struct.unpack_from("=qqqii", body, 40)
                    self.asked.append((part, reserve))
                    self.send(ANSWER, struct.pack("=Q", number).ljust(ANSWER_BYTES, b"\0"))
        except OSError:
            pass


def item(s, text, name=None):
    more = {"event_id": name} if name else {}
    s.send("conversation.item.create", **more, item={
        "type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]})


def heard(fake, s):
    (log,) = [l for l in fake.sessions() if l["path"].endswith("gpt-realtime") and not l["closed"]]
    return log["events"]


def nothing_came(s):
    with pytest.raises(TimeoutError):
        s.ws.recv(patient(0.5))


def test_what_is_said_before_the_hand_over_is_decided_waits(daemon, fake):
    key = daemon.new_key(max_budget=5, rpm_limit=100)
    with Session(daemon, key=key) as s:
        s.answer()
        s.until("rate_limits.updated")
        with Successor(daemon):
            s.respond()
            item(s, "behind it")
            s.send("input_audio_buffer.clear")
            nothing_came(s)
            assert heard(fake, s) == ["response.create"]
        s.until("response.done")
        s.until("conversation.item.added")
        s.until("input_audio_buffer.cleared")
        assert heard(fake, s) == ["response.create", "response.create",
                                  "conversation.item.create", "input_audio_buffer.clear"]
        s.answer()
        assert [nano(r) for r in answers(daemon, s.call_id, 3)] == [COST] * 3
    wait_until(lambda: round(daemon.key_info(key)["spend"] * 1e9) == 3 * COST, what="the spend")


def test_a_client_that_leaves_while_it_waits_leaves_nothing(daemon, fake):
    key = daemon.new_key(max_budget=ROOM + 0.01, max_parallel_requests=1)
    s = Session(daemon, key=key, close_timeout=0.5)
    with Successor(daemon):
        s.respond()
        nothing_came(s)
        s.ws.close()
    wait_until(lambda: rows(daemon, type="_arealtime_session"), what="the session's row")
    with Session(daemon, key=key) as again:  # its place and its money are there again
        again.answer()


@pytest.mark.parametrize("understands", [b"more", b""])
def test_the_next_process_is_asked_if_it_understands(daemon, fake, understands):
    with Session(daemon, key=daemon.new_key(max_budget=5)) as s:
        s.answer()
        s.until("rate_limits.updated")
        with Successor(daemon) as successor:
            s.respond()
            nothing_came(s)
            successor.go(understands)
            s.until("response.done")
            assert s.end()[1] == 1012  # its answers have ended
            parts = [part for part, _ in successor.asked]
            assert parts == ([AGAIN, MORE] if understands else [])
            assert all((reserve > 0) == (part == MORE) for part, reserve in successor.asked)
    wait_until(daemon.is_ready, 30, what="another one")


def test_what_an_answer_needs_more_is_asked_for_and_given_back(daemon, fake):
    key = daemon.new_key(max_budget=1)
    with Session(daemon, key=key) as s:
        s.respond(behave="hang")
        s.until("response.created")
        daemon.restart()
        for _ in range(3):
            item(s, LONG)
            s.until("conversation.item.added")
        s.send("response.cancel")
        s.until("response.done")
        assert s.end()[1] == 1012
    wait_until(lambda: rows(daemon, type="_arealtime_session"), what="the session's row")
    assert [nano(r) for r in answers(daemon, s.call_id)] == [COST]
    assert round(daemon.key_info(key)["spend"] * 1e9) == COST
    with Session(daemon, key=key) as s:  # all the rest can be held
        for _ in range(5):
            s.respond(behave="hang")
            s.until("response.created")
        s.respond()
        assert s.end()[1] == 1008


def test_what_does_not_fit_a_budget_over_there_ends_the_session(daemon, fake):
    key = daemon.new_key(max_budget=ROOM + 0.02)
    with Session(daemon, key=key) as s:
        s.respond(behave="hang")
        s.until("response.created")
        daemon.restart()
        s.send("input_audio_buffer.clear")
        s.until("input_audio_buffer.cleared")
        item(s, LONG)
        events, code, reason = s.end()
    assert code == 1008 and reason.startswith("Budget has been exceeded!"), (code, reason)
    assert "conversation.item.added" not in [e["type"] for e in events]
    assert [nano(r) for r in answers(daemon, s.call_id)] == [COST]
    wait_until(lambda: round(daemon.key_info(key)["spend"] * 1e9) == COST, what="the spend")


@pytest.mark.parametrize("limit", [1, 100])
def test_what_a_voice_begins_meanwhile_is_counted_before_it_is_heard(daemon, limit):
    key = daemon.new_key(max_budget=5, rpm_limit=limit)
    with Session(daemon, key=key) as s:
        s.answer()  # the one that opening counted
        s.until("rate_limits.updated")
        s.send("input_audio_buffer.append", audio="AAAA")  # room for one answer is held from here
        s.send("input_audio_buffer.clear")
        s.until("input_audio_buffer.cleared")
        with Successor(daemon):
            s.send("input_audio_buffer.append", audio="VkFE")
            nothing_came(s)
        seen = []
        while not seen or seen[-1]["type"] != "response.done":
            seen.append(s.next())
        refusals = [e["error"]["code"] for e in seen if e["type"] == "error"]
        s.send("input_audio_buffer.clear")  # it lives on
        while s.next()["type"] != "input_audio_buffer.cleared":
            pass
    assert "response.created" in [e["type"] for e in seen]
    if limit > 1:
        assert not refusals
    assert [nano(r) for r in answers(daemon, s.call_id, 2)] == [COST] * 2
    if limit == 1:
        assert "rate_limit_exceeded" in [e["error"]["code"] for e in events_of(s, "error")]


def events_of(s, type):
    return [e for e in map(json.loads, s.raw) if e["type"] == type]
