# SPDX-License-Identifier: Apache-2.0
"""Forms on their way through: how much of one is ever in memory, what is refused and when, and
what becomes of streams that carry audio and images."""

import contextlib
import http.client
import json
import os
import pathlib
import socket
import threading

import pytest

from gateway import MASTER, slow_factor, wait_until

PATH = "/v1/audio/transcriptions"
B = "----kanmon"
MIB = 1 << 20


def part(name, value, more=""):
    return f'--{B}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n{value}\r\n'.encode()


def opened(filename="tape.wav"):
    return (f'--{B}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n'
            "Content-Type: audio/wav\r\n\r\n").encode()


END = f"\r\n--{B}--\r\n".encode()
SMALL = opened() + b"RIFFtape" + END


def post(gateway, body, path=PATH, key=MASTER, kind=None, **headers):
    return gateway.call("POST", path, body, key=key, headers={
        "content-type": kind or f"multipart/form-data; boundary={B}", **headers})


def message(answer):
    return answer.json()["error"]["message"]


def rss(gateway):
    status = open(f"/proc/{gateway.process.pid}/status", encoding="ascii").read()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


def chunks(size, piece=256 * 1024):
    block = bytes(range(256)) * (piece // 256)
    while size > 0:
        yield block[:min(size, piece)]
        size -= piece


class Upload:
    """A form sent piece by piece on a socket of its own."""

    def __init__(self, gateway, size, model, chunked=False, path=PATH):
        head, self.size = part("model", model) + opened(), size
        length = len(head) + size + len(END)
        framing = "transfer-encoding: chunked" if chunked else f"content-length: {length}"
        self.link = socket.create_connection(("127.0.0.1", gateway.port), 60 * slow_factor())
        self.chunked, self.first = chunked, head
        self.link.sendall(f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {MASTER}\r\n"
                          f"content-type: multipart/form-data; boundary={B}\r\n{framing}\r\n\r\n"
                          .encode())

    def put(self, data):
        if self.chunked:
            data = f"{len(data):x}\r\n".encode() + data + b"\r\n"
        self.link.sendall(data)

    def send(self):
        self.put(self.first)
        for piece in chunks(self.size):
            self.put(piece)
        self.put(END)
        if self.chunked:
            self.link.sendall(b"0\r\n\r\n")
        return self

    def answer(self):
        response = http.client.HTTPResponse(self.link)
        response.begin()
        body = response.read()
        self.link.close()
        return response.status, json.loads(body)


def growth(gateway, upload):
    """Sends it; the most memory that the gateway took meanwhile."""
    def send():
        with contextlib.suppress(OSError):  # it may be answered, and closed, before
            upload.send()
    before, most = rss(gateway), 0
    sent = threading.Thread(target=send)
    sent.start()
    while sent.is_alive():
        most = max(most, rss(gateway))
        sent.join(0.01)
    return most - before


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_upload_is_never_in_memory(media_gateway, media, chunked):
    Upload(media_gateway, MIB, "scribe").send().answer()  # what is made once is made
    upload = Upload(media_gateway, 60 * MIB, "scribe", chunked)
    grown = growth(media_gateway, upload)
    status, answer = upload.answer()
    assert (status, answer["text"]) == (200, "Hello from the tape")
    seen = media.seen()[-1]
    assert seen["files"][0]["bytes"] == 60 * MIB and seen["fields"] == {"model": "gpt-4o-transcribe"}
    assert ("transfer-encoding" in seen["headers"]) == chunked
    if slow_factor() == 1:  # a sanitizer's memory is its own
        assert grown < 8 * MIB


def test_a_stalled_upstream_stalls_its_client(media_gateway, media):
    """Nothing is read that cannot be passed on; what waits is the kernel's."""
    upload = Upload(media_gateway, 60 * MIB, "stall")
    grown = growth(media_gateway, upload)  # until the gateway gives the upstream up
    assert media.seen()[-1]["temper"] == "stall"
    status, answer = upload.answer()
    assert status == 408 and "did not take the request" in answer["error"]["message"]
    if slow_factor() == 1:
        assert grown < 8 * MIB


def test_the_model_may_come_behind_the_file(media_gateway, media):
    body = opened() + b"x" * MIB + b"\r\n" + part("model", "scribe") + END[2:]
    assert post(media_gateway, body).json()["text"] == "Hello from the tape"
    assert media.seen()[-1]["order"] == ["file", "model"]
    refused = post(media_gateway, opened() + b"x" * (65 * MIB) + END)
    assert refused.status == 400 and refused.json()["error"]["param"] == "model"
    assert "upload_spool_bytes" in message(refused)
    named = post(media_gateway, opened() + b"x" * (5 * MIB) + END, f"{PATH}?model=scribe")
    assert named.status == 200 and media.seen()[-1]["fields"] == {"model": "gpt-4o-transcribe"}


def test_a_model_behind_a_long_file_is_found_on_disk(media_gateway, media):
    """The form goes to a file without a name: the process's own memory stays as it was."""
    def own():
        status = open(f"/proc/{media_gateway.process.pid}/status", encoding="ascii").read()
        return int(status.split("RssAnon:")[1].split()[0]) * 1024

    body = opened() + b"x" * (40 * MIB) + b"\r\n" + part("model", "scribe") + END[2:]
    before = own()
    assert post(media_gateway, body).json()["text"] == "Hello from the tape"
    seen = media.seen()[-1]
    assert seen["order"] == ["file", "model"] and seen["files"][0]["bytes"] == 40 * MIB
    assert seen["fields"] == {"model": "gpt-4o-transcribe"}
    if slow_factor() == 1:
        assert own() - before < 12 * MIB
    descriptors = pathlib.Path(f"/proc/{media_gateway.process.pid}/fd")

    def spooled(descriptor):
        try:
            name = os.readlink(descriptor)
        except FileNotFoundError: # closed since it was listed
            return False
        return "(deleted)" in name and "/state" in name

    wait_until(lambda: not any(spooled(d) for d in descriptors.iterdir()))


def test_a_field_of_the_deployments_behind_a_large_file_breaks_it_off(media_gateway, media):
    """It went out with a value of its own, or without the field."""
    for name in ("temperature", "language", "include[]"):
        body = (part("model", "tuned") + opened() + b"x" * (9 * MIB) + b"\r\n"
                + part(name, "1") + END[2:])
        refused = post(media_gateway, body)
        assert refused.status == 400 and f"'{name}' comes too late" in message(refused)
    body = (part("model", "tuned") + part("language", "en") + opened() + b"x" * (9 * MIB) + b"\r\n"
            + part("prompt", "names") + END[2:])
    assert post(media_gateway, body).status == 200
    assert media.seen()[-1]["fields"] == {
        "model": "whisper-1", "temperature": "0.2", "response_format": "verbose_json",
        "timestamp_granularities[]": ["word", "segment"], "prompt": "names"}


def test_a_second_model_behind_a_large_file_breaks_it_off(media_gateway, media):
    body = (part("model", "scribe") + opened() + b"x" * (9 * MIB) + b"\r\n"
            + part("model", "painter") + END[2:])
    refused = post(media_gateway, body)
    assert refused.status == 400 and "more than once" in message(refused)
    refused = post(media_gateway, body[len(part("model", "scribe")):], f"{PATH}?model=scribe")
    assert refused.status == 400 and "'model' comes too late" in message(refused)
    aborted(media, 2)


def aborted(media, n):
    """The upstream saw that many begin, and none of them whole."""
    wait_until(lambda: [s.get("aborted") for s in media.seen()] == [True] * n,
               what="the upstream to see it broken off")
    assert all("files" not in s for s in media.seen())


HOSTILE = {
    "two models": (part("model", "scribe") + part("model", "voice") + SMALL, "more than once"),
    "model as a file": (part("model", "scribe", '; filename="x"') + SMALL, "must not be a file"),
    "no model": (SMALL, "Missing required parameter: 'model'"),
    "api_base": (part("model", "scribe") + part("api_base", "http://x") + SMALL, "not allowed"),
    "truncated": (part("model", "scribe") + opened() + b"RIFF", "ends before its last boundary"),
    "empty": (b"", "needs a body"),
    "no parts": (f"--{B}--\r\n".encode(), "boundary is followed"),
    "preamble": (b"hello\r\n" + part("model", "scribe") + SMALL, "does not begin"),
    "epilogue": (part("model", "scribe") + SMALL + b"more", "follow its last boundary"),
    "no name": (f"--{B}\r\nContent-Type: text/plain\r\n\r\nx\r\n".encode() + SMALL, "no name"),
    "two names": (part("x", "y", '; name="model"') + SMALL, "two names"),
    "encoded name": (part("x", "y", "; name*=utf-8''model") + SMALL, "encoded"),
    "escaped name": (part('mo\\"del', "y") + SMALL, "escaped"),
    "transfer encoding": (f'--{B}\r\nContent-Disposition: form-data; name="model"\r\n'
                          "Content-Transfer-Encoding: base64\r\n\r\neA==\r\n".encode() + SMALL,
                          "Content-Transfer-Encoding"),
    "huge header": (part("model", "scribe", "; x=" + "y" * 9000) + SMALL, "header is over"),
    "bare line ends": (part("model", "scribe").replace(b"\r\n\r\n", b"\n\n") + SMALL, "CRLF"),
    "many parts": (b"".join(part(f"x{i}", "") for i in range(300)) + SMALL, "parts"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_form_is_refused(media_gateway, media, name):
    body, why = HOSTILE[name]
    answer = post(media_gateway, body)
    assert answer.status in (400, 411, 431), answer
    assert why in message(answer), answer
    assert not media.seen()


def test_types_and_boundaries(media_gateway, media):
    for kind, status, why in (("multipart/form-data", 400, "boundary"),
                              ("multipart/form-data; boundary=" + "x" * 71, 400, "70 bytes"),
                              ("multipart/form-data; boundary=a; boundary=b", 400, "two"),
                              ("multipart/mixed; boundary=a", 415, "multipart/form-data"),
                              ("application/json", 415, "multipart/form-data")):
        answer = post(media_gateway, SMALL, kind=kind)
        assert answer.status == status and why in message(answer), (kind, answer)
    assert post(media_gateway, SMALL, "/v1/audio/speech").status == 415
    assert not media.seen()


def test_the_gateways_own_fields_stay_here(media_gateway, media):
    body = part("tags", "a") + part("model", "scribe") + part("metadata", "{}") + SMALL
    assert post(media_gateway, body).status == 200
    assert media.seen()[-1]["order"] == ["model", "file"]
    assert media.seen()[-1]["headers"]["content-length"] != str(len(body))


def test_a_client_that_leaves_takes_its_upload_along(media_gateway, media):
    upload = Upload(media_gateway, 9 * MIB, "scribe")
    upload.put(upload.first)
    for piece in chunks(5 * MIB):
        upload.put(piece)
    upload.link.close()
    aborted(media, 1)


def test_no_key_no_body(media_gateway, media):
    answer = post(media_gateway, part("model", "scribe") + SMALL, key="sk-nobody")
    assert answer.status == 401 and not media.seen()


def test_an_upstream_that_refuses_early_is_heard(media_gateway):
    answer = post(media_gateway, part("model", "early") + SMALL)
    assert answer.status in (401, 502) and "check the deployment's credentials" in message(answer)


def stream_of(gateway, body, path=PATH, json_body=None):
    answer = (gateway.call("POST", path, json_body) if json_body
              else post(gateway, body, path))
    return answer, [json.loads(e) for e in answer.events() if e != "[DONE]"]


def spend_of(gateway, answer):
    call = answer.header("x-litellm-call-id")
    return wait_until(lambda: gateway.spend_logs(request_id=call), what="the books")[0]


def test_transcripts_stream_with_their_usage(media_gateway):
    body = part("model", "scribe") + part("stream", "true") + SMALL
    answer, events = stream_of(media_gateway, body)
    assert [e["type"] for e in events] == ["transcript.text.delta"] * 2 + ["transcript.text.done"]
    row = spend_of(media_gateway, answer)
    assert round(row["spend"] * 1e9) == 4 * 2500 + 96 * 6000 + 6 * 10000


def test_images_stream_with_their_usage(media_gateway):
    answer, events = stream_of(media_gateway, None, "/v1/images/generations", {
        "model": "painter", "prompt": "x", "stream": True, "partial_images": 1})
    assert [e["type"].split(".")[1] for e in events] == ["partial_image", "completed"]
    assert len(events[0]["b64_json"]) == 200000
    row = spend_of(media_gateway, answer)
    assert round(row["spend"] * 1e9) == 10 * 5000 + 40 * 10000 + 1056 * 40000


def test_speech_streams_with_its_usage(media_gateway):
    answer, events = stream_of(media_gateway, None, "/v1/audio/speech", {
        "model": "mini-voice", "voice": "alloy", "input": "hi", "stream_format": "sse"})
    assert events[-1]["type"] == "speech.audio.done"
    assert round(spend_of(media_gateway, answer)["spend"] * 1e9) == 14 * 2500 + 101 * 12000


def test_what_breaks_never_ends_well(media_gateway):
    with pytest.raises((http.client.IncompleteRead, ConnectionError, http.client.HTTPException)):
        media_gateway.call("POST", "/v1/audio/speech",
                           {"model": "cut", "voice": "alloy", "input": "hi"})
    events = post(media_gateway, part("model", "cut") + part("stream", "true") + SMALL).events()
    assert json.loads(events[-1])["error"]["message"]
    assert not any('"transcript.text.done"' in event for event in events)
