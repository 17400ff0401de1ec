# SPDX-License-Identifier: Apache-2.0
"""Realtime sessions: passed on byte for byte, authenticated, limited, on the books to the
nano-USD, and ended with a word whoever ends them."""

import hashlib
import json
import signal
import socket

import pytest
from websockets.exceptions import InvalidStatus

from gateway import MASTER, Gateway, patient, raw, wait_until
from realtime import CONFIG, RealtimeUpstream, Session

# gpt-realtime, nano-USD a token: text 4000 (cached 400), 16000; audio 32000 (cached 400), 64000.
COST = (59 * 4000 + 60 * 400 + 9 * 32000 + 4 * 400 + 30 * 16000 + 91 * 64000)
ROOM = 0.1639  # what one answer needs to begin with, about: 1024 tokens in, a slice of 2048 out


@pytest.fixture(scope="module")
def fake():
    upstream = RealtimeUpstream().start()
    yield upstream
    upstream.stop()


@pytest.fixture(scope="module")
def gw(fake, tmp_path_factory):
    folder = tmp_path_factory.mktemp("realtime")
    config = CONFIG.format(up=fake.url, state=folder / "state", more="")
    with Gateway(folder, config) as gateway:
        yield gateway


def rows(gateway, session=None, type=None):
    found = [r for r in gateway.spend_logs() if r["call_type"].startswith("_arealtime")]
    if session:
        found = [r for r in found if session in json.dumps(r)]
    return [r for r in found if not type or r["call_type"] == type]


def nano(row):
    return round(row["spend"] * 1e9)


def answers(gateway, session, n=1):
    """The rows of its answers, when there are n."""
    wait_until(lambda: len(rows(gateway, session, "_arealtime")) >= n, what=f"{n} rows of answers")
    found = rows(gateway, session, "_arealtime")
    assert len(found) == n, found
    return found


def refused(gateway, **kwargs):
    with pytest.raises(InvalidStatus) as caught:
        Session(gateway, **kwargs)
    response = caught.value.response
    return response.status_code, json.loads(response.body)["error"], response.headers


def test_an_answer_is_a_row_exact_to_the_nano_usd(gw):
    key = gw.new_key()
    with Session(gw, key=key) as s:
        assert s.created["session"]["model"] == "voice"
        done = s.answer()
        assert done["response"]["usage"]["total_tokens"] == 253
        s.answer({"input_tokens": 10, "output_tokens": 5, "total_tokens": 15})
        first, second = sorted(answers(gw, s.call_id, 2), key=lambda r: -r["spend"])
        assert (nano(first), nano(second)) == (COST, 10 * 4000 + 5 * 16000)
        assert (first["prompt_tokens"], first["completion_tokens"]) == (132, 121)
    wait_until(lambda: rows(gw, s.call_id, "_arealtime_session"), what="the session's row")
    (session,) = [r for r in rows(gw, type="_arealtime_session") if r["request_id"] == s.call_id]
    assert nano(session) == 0
    assert round(gw.key_info(key)["spend"] * 1e9) == COST + 120000


@pytest.mark.parametrize("usage", [
    "null", "{}", "[]", '"many"', '{"input_tokens":5}', '{"input_tokens":5,"output_tokens":null}',
    '{"input_tokens":-5,"output_tokens":2}', '{"input_tokens":5,"output_tokens":1e300}'])
def test_an_answer_without_a_count_is_an_estimate(gw, usage):
    with Session(gw) as s:
        s.send("conversation.item.create", item={
            "type": "message", "role": "user",
            "content": [{"type": "input_text", "text": "hello there " * 40}]})
        s.send("response.create", response={"metadata": {"usage": usage}})
        s.until("response.done")
        (row,) = answers(gw, s.call_id)
        assert row["estimated"] is True and 0 < row["spend"] < ROOM, row
        assert row["prompt_tokens"] >= 100 and row["completion_tokens"] > 0, row


def test_a_thousand_messages_go_both_ways_byte_for_byte(gw, fake):
    sent, got = hashlib.sha256(), hashlib.sha256()
    with Session(gw, "gpt-realtime") as s:
        for i in range(1000):
            text = "\u65e5\u672c \U0001f30a \\\" \u0000" + "x" * (i * 37 % 3000)
            item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
            dump = json.dumps({"type": "conversation.item.create", "event_id": f"e{i}", "item": item},
                              ensure_ascii=i % 2 == 0)
            sent.update(dump.encode())
            s.ws.send(dump if i % 3 else [dump[:i % 50 + 1], dump[i % 50 + 1:]])  # in fragments
        for _ in range(1000):
            assert s.next()["type"] == "conversation.item.added"
        for text in s.raw[1:]:
            got.update(text.encode())
        (log,) = [l for l in fake.sessions() if l["in"] == 1000]
    assert log["heard"] == sent.hexdigest()
    assert log["said"] == got.hexdigest()


@pytest.mark.parametrize("how", ["bearer", "api-key", "subprotocol", "query"])
def test_a_key_comes_in_four_ways(gw, fake, how):
    key = gw.new_key()
    more = {"api-key": {"headers": {"api-key": key}},
            "subprotocol": {"subprotocols": ["realtime", f"openai-insecure-api-key.{key}",
                                             "openai-beta.realtime-v1"]},
            "query": {"path": "/openai/realtime?api-version=2025-04-01-preview&deployment={}&api-key=" + key},
            "bearer": {}}[how]
    with Session(gw, key=key if how == "bearer" else None, **more) as s:
        if how == "subprotocol":
            assert s.ws.subprotocol == "realtime"
            assert s.created["session"]["object"] == "realtime.session"
            assert fake.sessions()[-1]["headers"]["openai-beta"] == "realtime=v1"
        s.answer()
        answers(gw, s.call_id)
    seen = json.dumps(fake.sessions()[-1])
    assert key not in seen and key not in gw.log.read_text()
    assert gw.key_info(key)["spend"] > 0


def test_who_may_not_come_in_is_told_by_http(gw):
    key = gw.new_key(models=["classic"])
    assert refused(gw, key=None)[0] == 401
    assert refused(gw, key="sk-unknown")[0] == 401
    assert refused(gw, headers={"api-key": "sk-two"})[0] == 401
    assert refused(gw, key=key)[0] == 403
    assert refused(gw, model="nothing")[0] == 400
    assert refused(gw, path="/v1/realtime")[0] == 400
    assert refused(gw, model="other")[0] == 400
    status, error, _ = refused(gw, model="refused/401")
    assert status == 502, error  # the gateway's key was refused, not the caller's
    status, error, headers = refused(gw, model="refused/429")
    assert status == 429 and headers["retry-after"] == "7"
    assert refused(gw, model="refused/500")[0] == 500
    assert refused(gw, model="refused/wrong")[0] == 502
    assert gw.call("GET", "/v1/realtime?model=voice").status == 426
    old = raw(gw.port, b"GET /v1/realtime?model=voice HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: "
              b"Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\n"
              b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
    assert old.startswith(b"HTTP/1.1 426 ") and b"Sec-WebSocket-Version: 13" in old


@pytest.mark.parametrize("path", ["/v1/realtime/client_secrets", "/v1/realtime/sessions"])
def test_ephemeral_keys_are_refused_clearly(gw, path):
    answer = gw.call("POST", path, {"session": {"type": "realtime", "model": "voice"}})
    assert answer.status == 501 and "budget" in answer.json()["error"]["message"]


def test_another_deployment_is_tried_before_the_upgrade(gw):
    with Session(gw, "either") as s:
        s.answer()


def test_azure_is_reached_by_both_its_paths(gw, fake):
    with Session(gw, "classic", headers={"openai-beta": "realtime=v1"}) as s:
        s.send("session.update", session={"model": "classic", "modalities": ["text"]})
        assert s.until("session.updated")["session"]["model"] == "classic"
        s.answer()
        (row,) = answers(gw, s.call_id)
        assert nano(row) == 132 * 4000 + 121 * 16000  # prices of text are all it has
        assert fake.sessions()[-1]["path"] == \
            "/openai/realtime?api-version=2025-04-01-preview&deployment=rt-classic"
    with Session(gw, "v1") as s:
        assert fake.sessions()[-1]["path"] == "/openai/v1/realtime?model=rt-v1"
        assert fake.sessions()[-1]["headers"]["api-key"] == "az-upstream"


def test_the_model_is_bound_to_the_address(gw, fake):
    with Session(gw) as s:
        s.send("session.update", event_id="mine", session={"type": "realtime", "model": "classic"})
        error = s.next()
        assert error["type"] == "error" and error["error"]["param"] == "session.model"
        assert error["error"]["event_id"] == "mine"
        s.send("session.update", session={"type": "realtime", "model": "voice"})
        assert s.until("session.updated")["session"]["model"] == "voice"
        for bad in ("no json", "[]", '{"no":"type"}', '{"type":"a","type":"response.create"}'):
            s.ws.send(bad)
            assert s.next()["error"]["type"] == "invalid_request_error"
        s.send("session.update", session={"type": "realtime", "wrong": 1})
        assert s.next()["error"]["code"] == "unknown_parameter"  # the upstream's own word
        assert fake.sessions()[-1]["events"] == ["session.update", "session.update"]
        s.answer()


def test_what_is_no_event_ends_the_session(gw):
    with Session(gw) as s:
        s.ws.send(b"\x00\x01")
        events, code, _ = s.end()
        assert events[-1]["type"] == "error" and code == 1003
    with Session(gw) as s:
        s.send("input_audio_buffer.append", audio="A" * (5 << 20))
        assert s.end()[1] == 1009


def test_transcriptions_are_charged_by_their_own_model(gw):
    with Session(gw) as s:
        s.send("session.update", session={"type": "realtime", "audio": {
            "input": {"transcription": {"model": "gpt-4o-mini-transcribe"}}}})
        s.until("session.updated")
        s.send("input_audio_buffer.append", audio="AAAA")
        s.send("input_audio_buffer.commit")
        s.until("conversation.item.input_audio_transcription.completed")
        found = wait_until(lambda: rows(gw, s.call_id, "_arealtime_transcription"), what="its row")
        assert [nano(r) for r in found] == [3 * 1250 + 14 * 3000 + 9 * 5000]


def test_the_model_that_transcribes_is_one_the_key_may_use(gw):
    for models, good in ((["voice"], False), (["voice", "gpt-4o-mini-transcribe"], True),
                         (["voice", "openai/*"], True)):
        with Session(gw, key=gw.new_key(models=models)) as s:
            s.send("session.update", session={"type": "realtime", "audio": {
                "input": {"transcription": {"model": "gpt-4o-mini-transcribe"}}}})
            if good:
                s.until("session.updated")
                continue
            error = s.until("error")["error"]
            assert "gpt-4o-mini-transcribe" in error["message"], error
            assert error["param"] == "session.audio.input.transcription.model"


def test_tools_that_the_provider_runs_are_the_keys_to_have(gw):
    tools = [{"type": "mcp", "server_label": "s", "server_url": "https://example.com"}]
    for hosted, good in ((False, False), ([], False), (["web_search"], False), (["mcp"], True)):
        with Session(gw, key=gw.new_key(hosted_tools=hosted)) as s:
            s.send("session.update", session={"type": "realtime", "tools": tools})
            if good:
                s.until("session.updated")
                continue
            error = s.until("error")["error"]
            assert "hosted_tools" in error["message"] and error["param"] == "tools", error
            s.send("session.update", session={"type": "realtime", "tools": [
                {"type": "function", "name": "f"}]})
            s.until("session.updated")


def test_a_budget_ends_the_session_before_it_is_overspent(gw):
    key = gw.new_key(max_budget=ROOM + 0.005)
    with Session(gw, key=key) as s:
        s.answer()
        s.answer({"input_tokens": 10, "output_tokens": 500, "total_tokens": 510,
                  "output_token_details": {"text_tokens": 0, "audio_tokens": 500}})
        s.respond()
        events, code, reason = s.end()
    assert code == 1008 and reason.startswith("Budget has been exceeded!")
    types = [e["type"] for e in events]
    assert types.count("error") == 1 and "response.created" not in types
    assert events[types.index("error")]["error"]["type"] == "budget_exceeded"
    second = 10 * 4000 + 500 * 64000
    assert sorted(nano(r) for r in answers(gw, s.call_id, 2)) == [COST, second]
    info = gw.key_info(key)
    assert round(info["spend"] * 1e9) == COST + second and info["spend"] <= info["max_budget"]


def test_a_small_budget_is_enough_for_small_answers(gw):
    key = gw.new_key(max_budget=0.1)  # less than the longest answer
    with Session(gw, key=key) as s:
        s.send("session.update", session={"type": "realtime", "max_output_tokens": 500})
        s.until("session.updated")
        s.answer()
    assert [nano(r) for r in answers(gw, s.call_id)] == [COST]
    with Session(gw, key=key) as s:
        s.respond()
        assert s.end()[1] == 1008
    spent = gw.new_key(max_budget=0.000001)
    with Session(gw, key=spent) as s:  # a voice may begin an answer, so audio needs room for one
        s.send("input_audio_buffer.append", audio="AAAA")
        assert s.end()[1] == 1008


WORDS = {"input_tokens": 10, "input_token_details": {"text_tokens": 10},
         "output_token_details": {"audio_tokens": 0}}


def wrote(tokens):
    return {**WORDS, "output_tokens": tokens, "total_tokens": tokens + 10,
            "output_token_details": {"text_tokens": tokens, "audio_tokens": 0}}


def test_the_bound_of_an_answer_is_what_it_needs(gw):
    """Of the session's it hears nothing, and the session's stays as it is."""
    key = gw.new_key(max_budget=0.05)  # 1024 tokens in, and some 260 out
    with Session(gw, key=key) as s:
        for _ in range(2):
            s.respond(wrote(100), max_output_tokens=100)
            s.until("response.done")
        s.respond()
        assert s.end()[1] == 1008
    assert [nano(r) for r in answers(gw, s.call_id, 2)] == [10 * 4000 + 100 * 16000] * 2


def test_what_is_written_is_reserved_as_it_comes(gw):
    """All 4096 tokens at the price of speech would be more than the key has: they are text."""
    key = gw.new_key(max_budget=ROOM + 0.14)
    with Session(gw, key=key) as s:
        s.respond(wrote(4000), behave="write", words=3000)
        s.until("response.done")
        (row,) = answers(gw, s.call_id)
    assert nano(row) == 10 * 4000 + 4000 * 16000 and not row["over_reserved"]


def test_an_answer_that_needs_more_than_is_left_ends_the_session(gw, fake):
    """A slice of 2048 tokens, at 0.000064 each, and the 312 that are left after that.  Words are told
    by estimate, as they happen to be read: a quarter off at most."""
    key = gw.new_key(max_budget=ROOM + 0.02)
    with Session(gw, key=key) as s:
        s.respond(wrote(2400), behave="write", words=4000)
        events, code, reason = s.end()
    heard = [e["type"] for e in events].count("response.output_text.delta")
    assert code == 1008 and reason.startswith("Budget has been exceeded!")
    assert 2048 / 1.25 <= heard <= (2048 + 312) * 1.25, heard
    assert fake.sessions()[-1]["events"][-1] == "response.cancel"
    (row,) = answers(gw, s.call_id)
    assert nano(row) == 10 * 4000 + 2400 * 16000
    assert gw.key_info(key)["spend"] <= ROOM + 0.02


def test_an_answer_of_a_model_of_unknown_length_is_bounded_by_the_money_alone(gw):
    key = gw.new_key(max_budget=1)
    with Session(gw, model="endless", key=key) as s:
        s.respond(wrote(9000), behave="write", words=7000)  # more than once was guessed
        s.until("response.done")
        (row,) = answers(gw, s.call_id)
    assert nano(row) == 10 * 4000 + 9000 * 64000 and not row["estimated"]


def test_an_answer_that_nobody_counted_is_what_was_heard_of_it(gw):
    key = gw.new_key(max_budget=1)
    with Session(gw, model="endless", key=key) as s:
        s.respond({"input_tokens": -1}, behave="write", words=1000)
        s.until("response.done")
        (row,) = answers(gw, s.call_id)
    assert row["estimated"] and 1000 <= row["completion_tokens"] <= 1250, row


def test_transcripts_are_reserved_before_they_are_made(gw, fake):
    key = gw.new_key(max_budget=0.001)
    with Session(gw, key=key, path="/v1/realtime?model={}&intent=transcription") as s:
        s.send("session.update", session={"type": "realtime", "audio": {
            "input": {"transcription": {"model": "gpt-4o-mini-transcribe"}}}})
        s.until("session.updated")
        for _ in range(3):  # what was transcribed is not reserved any more
            s.send("input_audio_buffer.append", audio="A" * 40000)
            s.send("input_audio_buffer.commit")
            s.until("conversation.item.input_audio_transcription.completed")
        s.send("input_audio_buffer.append", audio="A" * 400000)
        events, code, _ = s.end()
    assert code == 1008 and events[-1]["error"]["type"] == "budget_exceeded"
    assert fake.sessions()[-1]["events"].count("input_audio_buffer.append") == 3
    wait_until(lambda: round(gw.key_info(key)["spend"] * 1e9) == 3 * 90750, what="three transcripts")


# --- silence ---

@pytest.fixture
def quiet(fake, tmp_path):
    config = CONFIG.format(up=fake.url, state=tmp_path / "state", more="realtime_ping: 1s")
    with Gateway(tmp_path, config) as gateway:
        yield gateway


def test_a_silent_session_is_kept_alive_by_pings_both_ways(quiet, fake):
    with Session(quiet) as s:
        pings = []
        parse = s.ws.protocol.receive_data
        s.ws.protocol.receive_data = lambda data: (pings.append(data[0] & 15), parse(data))[1]
        wait_until(lambda: fake.sessions()[-1]["pings"] >= 4, what="four pings of the upstream")
        wait_until(lambda: pings.count(9) >= 4, what="four pings of the client")
        s.answer()
    assert [nano(r) for r in answers(quiet, s.call_id)] == [COST]


def test_a_client_that_answers_no_pings_is_dead(quiet, fake):
    request = (f"GET /v1/realtime?model=voice HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\n"
               f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nAuthorization: Bearer {MASTER}\r\n"
               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n").encode()
    got = raw(quiet.port, request, timeout=15)
    assert got.startswith(b"HTTP/1.1 101") and b"\x89\x00" in got  # a ping
    assert b"The client does not answer pings." in got
    assert (3008).to_bytes(2, "big") in got[-125:]
    wait_until(lambda: fake.sessions()[-1]["closed"], what="the upstream's session to be closed")


def test_an_upstream_that_answers_no_pings_is_dead(quiet):
    with Session(quiet, model="refused/mute") as s:
        events, code, _ = s.end()
    assert code == 1014 and "does not answer pings" in events[-1]["error"]["message"]


def test_a_revoked_key_ends_the_session(gw):
    key = gw.new_key()
    with Session(gw, key=key) as s:
        s.answer()
        assert gw.call("POST", "/key/delete", {"keys": [key]}).status == 200
        events, code, reason = s.end()
    assert code == 3000 and "revoked" in reason
    assert events[-1]["type"] == "error" and events[-1]["error"]["type"] == "auth_error"


def test_an_expired_key_ends_the_session(gw):
    key = gw.new_key()
    with Session(gw, key=key) as s:
        assert gw.call("POST", "/key/update", {"key": key, "duration": "1s"}).status == 200
        events, code, _ = s.end()
    assert code == 3000 and events[-1]["type"] == "error"


def test_answers_count_as_requests(gw):
    with Session(gw, key=gw.new_key(rpm_limit=2)) as s:
        s.answer()  # the one that opening counted
        s.answer()
        s.respond()
        refusal = s.next()
        while refusal["type"] == "rate_limits.updated":
            refusal = s.next()
        assert refusal["type"] == "error", refusal
        assert refusal["error"]["code"] == "rate_limit_exceeded"
        s.send("input_audio_buffer.clear")  # it lives on
        s.until("input_audio_buffer.cleared")
        s.send("input_audio_buffer.append", audio="VkFE")  # nobody asks for what a voice begins
        while True:
            event = s.next()
            if event["type"] == "response.done":
                break
        assert len(answers(gw, s.call_id, 3)) == 3


def test_sessions_count_as_parallel_requests(gw):
    key = gw.new_key(max_parallel_requests=1)
    with Session(gw, key=key):
        assert refused(gw, key=key)[0] == 429
    wait_until(lambda: try_open(gw, key), what="the permit to be given back")


def try_open(gateway, key):
    try:
        with Session(gateway, key=key):
            return True
    except InvalidStatus:
        return False


def test_an_upstream_that_dies_is_told_and_estimated(gw):
    with Session(gw) as s:
        sent = s.respond(behave="hang")
        s.until("response.output_audio.delta")
        sent += s.send("conversation.item.delete", item_id="die")
        events, code, _ = s.end()
    assert events[-1]["type"] == "error" and code == 1014
    (row,) = answers(gw, s.call_id)
    assert row["estimated"] and row["status"] == "failure"
    heard = 1024 + (len(sent) + 3) // 4
    assert nano(row) == heard * 4000 + audio_tokens_of_the_delta() * 64000


def audio_tokens_of_the_delta():
    """The fake's first delta: base64 of 24 kHz PCM16 makes a token each 3200 characters."""
    return 2


def test_an_upstream_that_closes_has_its_word_passed_on(gw):
    with Session(gw) as s:
        s.respond(behave="close")
        _, code, reason = s.end()
    assert (code, reason) == (4321, "upstream says so")


def test_a_client_that_dies_is_charged_what_its_answer_used(gw, fake):
    s = Session(gw)
    s.respond(behave="hang")
    s.until("response.created")
    s.ws.socket.shutdown(socket.SHUT_RDWR)
    assert [nano(r) for r in answers(gw, s.call_id)] == [COST]
    log = fake.sessions()[-1]
    assert log["events"] == ["response.create", "response.cancel"]
    wait_until(lambda: fake.sessions()[-1]["closed"], what="the upstream's session to be closed")


def test_a_client_that_closes_is_answered_with_its_code(gw, fake):
    s = Session(gw)
    s.ws.close(4001, "mine")
    assert s.ws.protocol.close_rcvd.code == 4001
    wait_until(lambda: fake.sessions()[-1]["closed"], what="the upstream's session to be closed")


def test_a_slow_client_gets_everything(gw, fake):
    with Session(gw, max_queue=1) as s:
        s.respond(behave="burst")
        wait_until(lambda: fake.sessions()[-1]["out"] > 4, what="the answer to have begun")
        n = 0
        while s.next()["type"] != "response.done":
            n += 1
        assert n == 402
        s.until("rate_limits.updated")
        got = hashlib.sha256("".join(s.raw[1:]).encode())
        assert got.hexdigest() == fake.sessions()[-1]["said"]


def test_a_reload_keeps_sessions(gw, fake):
    with Session(gw) as s:
        s.answer()
        before = gw.log.read_text().count("reload")
        gw.reload()
        wait_until(lambda: gw.log.read_text().count("reload") > before, what="the reload")
        s.answer()
        answers(gw, s.call_id, 2)
    assert gw.call("GET", "/health/readiness", key=None).status == 200


def test_a_stop_ends_sessions_with_their_answers(fake, tmp_path):
    config = CONFIG.format(up=fake.url, state=tmp_path / "state", more="")
    with Gateway(tmp_path, config) as gateway:
        idle, busy = Session(gateway), Session(gateway)
        busy.respond(behave="hang")
        busy.until("response.created")
        gateway.process.send_signal(signal.SIGTERM)
        assert idle.end()[1] == 1001
        busy.send("response.cancel")  # nothing is passed on: it is asked for an end
        busy.ws.close()
        gateway.process.wait(patient(20))


def test_a_crash_charges_what_was_under_way_and_nothing_else(fake, tmp_path):
    config = CONFIG.format(up=fake.url, state=tmp_path / "state", more="accounting: strict")
    gateway = Gateway(tmp_path, config).start()
    key = gateway.new_key(max_budget=5)
    idle, busy = Session(gateway, key=key), Session(gateway, key=key)
    for s in (idle, busy):
        s.answer()
    busy.respond(behave="hang")
    busy.until("response.created")
    gateway.kill()
    gateway.start()
    found = [r for r in rows(gateway) if r["call_type"] == "_arealtime"]
    costs = [nano(r) for r in found if not r["incomplete"]]
    left, = [nano(r) for r in found if r["incomplete"]]
    assert costs == [COST, COST] and 0 < left < COST  # what it was asked, and what was heard of it
    held, = gateway.call("GET", "/kanmon/spend/holds").json()["holds"]
    assert 2048 * 64000 < left + float(held["amount"]) * 1e9 < ROOM * 1e9  # what one answer began with
    costs.append(left)
    assert all(nano(r) == 0 for r in rows(gateway, type="_arealtime_session"))
    assert round(gateway.key_info(key)["spend"] * 1e9) == sum(costs)
    gateway.stop()


@pytest.mark.parametrize("accounting", ["eventual", "strict"])
def test_what_is_said_while_an_answer_is_written_down_arrives(fake, tmp_path, accounting):
    """The next answer's intent is committed while the last word of the one before comes: it stood in
    line, and nothing came behind it that would have moved it."""
    config = CONFIG.format(up=fake.url, state=tmp_path / "state", more=f"accounting: {accounting}")
    with Gateway(tmp_path, config) as gateway:
        for _ in range(16):
            with Session(gateway, key=gateway.new_key(max_budget=9)) as s:
                for _ in range(6):
                    s.respond(behave="hang")
                    s.until("response.created")


@pytest.mark.parametrize("accounting", ["eventual", "strict"])
def test_a_restart_ends_sessions_with_their_answers(fake, tmp_path, accounting):
    """The new process has the counters and the books; what was under way is charged there."""
    config = CONFIG.format(up=fake.url, state=tmp_path / "state", more=f"accounting: {accounting}")
    gateway = Gateway(tmp_path, config)
    words = ("--config", gateway.config)
    ran = gateway.command("start", *words, "--port", gateway.port)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    try:
        wait_until(gateway.is_ready, what="the gateway")
        key = gateway.new_key(max_parallel_requests=2, max_budget=5)
        idle, busy = Session(gateway, key=key), Session(gateway, key=key)
        idle.answer()
        busy.respond(behave="hang")
        busy.until("response.created")
        ran = gateway.command("restart", *words)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert idle.end()[1] == 1012
        busy.send("input_audio_buffer.clear")  # it goes on until its answer has ended
        busy.until("input_audio_buffer.cleared")
        busy.send("response.cancel")
        busy.until("response.done")
        assert busy.end()[1] == 1012
        for s in (idle, busy):
            assert [nano(r) for r in answers(gateway, s.call_id)] == [COST]
        wait_until(lambda: len(rows(gateway, type="_arealtime_session")) == 2,
                   what="the rows of both sessions")
        assert round(gateway.key_info(key)["spend"] * 1e9) == 2 * COST
        with Session(gateway, key=key), Session(gateway, key=key) as again:  # both permits are back
            again.answer()
            assert refused(gateway, key=key)[0] == 429
    finally:
        ran = gateway.command("stop", *words)
        assert ran.returncode == 0, ran.stdout + ran.stderr
