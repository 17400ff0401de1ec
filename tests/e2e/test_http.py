# SPDX-License-Identifier: Apache-2.0
"""Hostile HTTP, as it is, byte by byte, and over TLS; and the gateway lives on."""

import pathlib
import socket
import subprocess
import sys

import pytest

from gateway import MASTER, config_text, patient, raw
from ports import free_port

TAKES_S = 16
HTTP = pathlib.Path(__file__).resolve().parent / "http"


def replay(port, *options):
    ran = subprocess.run(
        [sys.executable, str(HTTP / "http_replay.py"), "127.0.0.1", str(port), MASTER,
         str(HTTP / "http-hostile.jsonl"), "--parallel", "16", *options],
        capture_output=True, text=True, timeout=patient(240))
    bad = [line for line in ran.stdout.splitlines() if line.startswith("FAIL")]
    assert ran.returncode == 0, "\n".join(bad) + ran.stderr
    return ran.stdout


def test_hostile_requests_get_the_expected_answer(gateway):
    replay(gateway.port)
    assert gateway.chat().status == 200


def test_hostile_requests_cut_at_every_byte_get_the_same_answer(gateway):
    replay(gateway.port, "--one-byte")
    assert gateway.chat().status == 200


def make_certificate(folder):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(folder / "key.pem"),
         "-out", str(folder / "cert.pem")], check=True, capture_output=True)
    return folder / "cert.pem", folder / "key.pem"


def test_hostile_requests_over_tls_get_the_same_answer(upstream, new_gateway, tmp_path):
    cert, key = make_certificate(tmp_path)
    plain, secure = free_port(), free_port()
    gateway = new_gateway(start=False, config=config_text(upstream, tmp_path / "state", f"""
  listen:
    - {{host: 127.0.0.1, port: {plain}}}
    - {{host: 127.0.0.1, port: {secure}, tls: {{cert: "{cert}", key: "{key}"}}}}
"""))
    gateway.port = plain
    gateway.start_without_port()
    replay(secure, "--tls", str(cert))


def test_pipelined_requests_are_answered_in_order(gateway):
    one = ("GET /v1/models/{} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + MASTER
           + "\r\n{}\r\n")
    got = raw(gateway.port, (one.format("chat", "") + one.format("embed", "")
                             + one.format("text", "Connection: close\r\n")).encode())
    places = [got.find(b'"id":"%s"' % name) if b'"id":"%s"' % name in got
              else got.find(b'"id": "%s"' % name) for name in (b"chat", b"embed", b"text")]
    assert -1 not in places and places == sorted(places), got[-2000:]


def test_a_pipelined_chat_and_get_are_answered_in_order(gateway, upstream):
    body = b'{"model":"any/slow-200","messages":[{"role":"user","content":"hi"}]}'
    head = b"Host: x\r\nAuthorization: Bearer " + MASTER.encode() + b"\r\n"
    got = raw(gateway.port, b"POST /v1/chat/completions HTTP/1.1\r\n" + head
              + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
              + b"GET /health/liveliness HTTP/1.1\r\n" + head + b"Connection: close\r\n\r\n")
    assert got.count(b"HTTP/1.1 200") == 2, got
    assert got.find(b"chat.completion") < got.find(b"I'm alive!")


def test_expect_100_continue_is_answered_before_the_body(gateway):
    body = b'{"model":"chat","messages":[{"role":"user","content":"hi"}]}'
    with socket.create_connection(("127.0.0.1", gateway.port)) as link:
        link.settimeout(patient(10))
        link.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
                     + MASTER.encode() + b"\r\nExpect: 100-continue\r\nConnection: close\r\n"
                     b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
        assert link.recv(4096).startswith(b"HTTP/1.1 100")
        link.sendall(body)
        assert link.recv(4096).startswith(b"HTTP/1.1 200")


def test_head_has_the_headers_of_get_and_no_body(gateway):
    got = raw(gateway.port, b"HEAD /health/readiness HTTP/1.1\r\nHost: x\r\n"
              b"Connection: close\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 200")
    assert got.endswith(b"\r\n\r\n")


def test_a_chunked_request_body_is_read(gateway, upstream):
    pieces = [b'{"model":"ch', b'at","messages":[{"role":"user",', b'"content":"chunked"}]}']
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    got = raw(gateway.port, b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
              b"Authorization: Bearer " + MASTER.encode() + b"\r\nConnection: close\r\n"
              b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
              + body + b"0\r\n\r\n")
    assert b"HTTP/1.1 200" in got, got
    assert upstream.seen()[-1].json()["messages"][0]["content"] == "chunked"


@pytest.mark.parametrize("path", ["/nothing/here", "/v1/nothing"])
def test_an_unknown_route_is_404(gateway, path):
    answer = gateway.call("GET", path)
    assert answer.status == 404 and "application/json" in answer.header("content-type")


def test_a_wrong_method_is_405_with_allow(gateway):
    answer = gateway.call("GET", "/v1/chat/completions")
    assert answer.status == 405 and "POST" in answer.header("allow", "")


def test_a_body_over_the_limit_is_413(gateway):
    got = raw(gateway.port, b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
              b"Authorization: Bearer " + MASTER.encode() + b"\r\n"
              b"Content-Type: application/json\r\nContent-Length: 104857600\r\n\r\n{")
    assert got.startswith(b"HTTP/1.1 413"), got[:200]


def test_the_pass_through_carries_body_query_and_status(gateway, upstream):
    answer = gateway.call("POST", "/echo?x=1&y=%20", b'{"a": [1,2]}')
    assert answer.status == 200 and answer.body == b'{"a": [1,2]}'
    assert upstream.seen()[-1].target == "/echo?x=1&y=%20"
    assert gateway.call("POST", "/echo", b"{}", key=None).status == 401
    assert MASTER not in str(upstream.seen()[-1].headers), "the client's key went upstream"
