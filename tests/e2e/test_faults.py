# SPDX-License-Identifier: Apache-2.0
"""Faults on purpose: clients that drip, stall, flood and vanish; upstreams that answer too
early, too oddly or not at all.  After each the next call works and nothing is left held."""

import gzip
import json
import os
import random
import resource
import select
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest

from gateway import Gateway, MASTER, binary, config_text, slow_factor, wait_until
from upstream import Upstream

TAKES_S = 16
OK = json.dumps({"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [
    {"index": 0, "message": {"role": "assistant", "content": "raw"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}).encode()


class Scripted:
    """An upstream that is one function of an accepted socket and the bytes of its head."""

    def __init__(self, serve):
        self.serve, self.socket = serve, socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.served = 0
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                link, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(link,), daemon=True).start()

    def _one(self, link):
        head = b""
        with link:
            link.settimeout(20 * slow_factor())
            while b"\r\n\r\n" not in head:
                piece = link.recv(1)
                if not piece:
                    return
                head += piece
            self.served += 1
            self.serve(link, head)
            self._leave(link)

    def _leave(self, link):
        """Close in order: bytes left unread would turn the close into a reset that eats the answer."""
        try:
            link.shutdown(socket.SHUT_WR)
            while link.recv(65536):
                pass
        except OSError:  # the gateway, or serve itself, was faster
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def response(status, body, *fields):
    """A whole answer; Scripted serves one request a connection, and says so."""
    lines = [f"HTTP/1.1 {status} X", "content-type: application/json", "connection: close",
             f"content-length: {len(body)}", *fields]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def gateway_to(new_gateway, upstream, scripted, more=""):
    gateway = new_gateway(more, start=False)
    text = gateway.config.read_text().replace(upstream.url, scripted.url)
    gateway.config.write_text(text)
    return gateway.start()


def chat_bytes(model="any/ok", key=MASTER, **more):
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "hi"}],
                       **more}).encode()
    return (b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
            + key.encode() + b"\r\nContent-Type: application/json\r\nContent-Length: "
            + str(len(body)).encode() + b"\r\n\r\n" + body)


def connect(gateway):
    return socket.create_connection(("127.0.0.1", gateway.port), 20 * slow_factor())


def descriptors(gateway):
    return len(os.listdir(f"/proc/{gateway.process.pid}/fd"))


def cpu_seconds(gateway):
    fields = open(f"/proc/{gateway.process.pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# -- clients ------------------------------------------------------------------------


def test_a_body_that_drips_is_408(new_gateway):
    gateway = new_gateway("\n  limits: {header_timeout: 500ms}\n")
    with connect(gateway) as link:
        link.sendall(chat_bytes()[:-30])
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link.settimeout(0.1)
        got, began = b"", time.monotonic()
        while not got and time.monotonic() - began < 15 * slow_factor():
            try:
                got += link.recv(4096)
                break
            except socket.timeout:
                continue
    assert got.startswith(b"HTTP/1.1 408"), got


def test_more_connections_than_the_limit_are_told_so_and_the_rest_works(new_gateway):
    gateway = new_gateway("\n  limits: {connections: 20}\n")
    links = [connect(gateway) for _ in range(60)]
    silent, refused = list(links), 0

    def hear():
        nonlocal refused
        for link in select.select(silent, [], [], 0)[0]:
            silent.remove(link)
            refused += 1
            try:
                got = link.recv(4096)
            except OSError:
                got = b""
            assert not got or (got.startswith(b"HTTP/1.1 503") and
                               b"retry-after" in got.lower()), got
        return refused >= 40
    wait_until(hear, 20, "40 to be refused")
    for link in links:
        link.close()
    wait_until(gateway.is_ready, 10, "room for connections")
    assert gateway.chat().status == 200


def test_without_descriptors_it_neither_spins_nor_floods_its_log(new_gateway):
    gateway = new_gateway(start=False)
    with gateway.log.open("a") as log:
        gateway.process = subprocess.Popen(
            [str(binary()), "serve", "--config", str(gateway.config), "--port",
             str(gateway.port)], env=gateway.env, stdout=log, stderr=subprocess.STDOUT,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)))
    gateway.wait_ready()
    links = []
    for _ in range(200):
        try:
            links.append(socket.create_connection(("127.0.0.1", gateway.port), 1))
        except OSError:
            break
    full = lambda: gateway.log.read_text().count("accept.full")
    wait_until(lambda: full() > 0, 20, "the gateway to say that it has no descriptors left")
    said = full()
    used, began = cpu_seconds(gateway), time.monotonic()
    # A time to look at, not a wait for something: does it burn while nothing can be done?
    with pytest.raises(AssertionError):
        wait_until(lambda: cpu_seconds(gateway) - used > 0.3, 1 / slow_factor(), "a busy loop")
    seconds = time.monotonic() - began
    assert full() - said <= seconds + 1
    for link in links:
        link.close()
    wait_until(gateway.is_ready, 20, "the gateway to serve again")
    assert gateway.chat().status == 200


def test_a_client_that_does_not_read_is_dropped_and_holds_nothing(new_gateway, upstream):
    gateway = new_gateway("\n  limits: {write_timeout: 1s}\n")
    key = gateway.new_key(max_parallel_requests=1)
    with socket.socket() as link:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        link.connect(("127.0.0.1", gateway.port))
        link.sendall(chat_bytes("any/stream-wide-2000", key, stream=True))
        upstream.wait_for(lambda records: any(r.outcome != "open" for r in records),
                          20 * slow_factor(), "the gateway to give up its client")
        assert upstream.seen()[0].outcome == "gone"
    wait_until(lambda: gateway.chat("any/ok", key).status == 200, 10, "the permit")


def vanish(gateway, key, model, rng):
    """One call that ends at a random point, by FIN or RST."""
    request = chat_bytes(model, key, stream=rng.random() < 0.5, max_tokens=5)
    with connect(gateway) as link:
        if rng.random() < 0.3:
            request = request[:rng.randrange(len(request))]
        link.sendall(request)
        link.settimeout(rng.random() * 0.03)
        try:
            for _ in range(rng.randrange(4)):
                link.recv(rng.choice((1, 100, 65536)))
        except OSError:
            pass
        if rng.random() < 0.5:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize("accounting", ["eventual", "strict"])
def test_a_thousand_clients_that_vanish_at_random_hold_nothing(new_gateway, upstream, accounting):
    gateway = new_gateway(f"\n  accounting: {accounting}\n")
    key = gateway.new_key(max_parallel_requests=64, max_budget=1.0)
    models = ["any/ok", "any/slow-20", "any/hang", "any/stream-forever", "any/stream-slow-20",
              "any/err-500", "any/err-429", "any/reset", "any/close", "any/cut-json",
              "any/stream-cut", "any/stream-many-50", "any/big-200000", "pair", "mock", "nobody"]
    assert gateway.chat("any/ok", key).status == 200
    before = descriptors(gateway)

    def client(seed):
        rng = random.Random(seed)
        for _ in range(63):
            vanish(gateway, key, rng.choice(models), rng)

    threads = [threading.Thread(target=client, args=(seed,)) for seed in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_until(lambda: descriptors(gateway) <= before + 40, 20, "the descriptors")

    # Every permit is there: as many calls at once as the key may have, and not one more.
    statuses = []

    def patient():
        """The last of those that vanished may still be on its way out."""
        def call():
            status = gateway.chat("any/gate-1", key, max_tokens=5, timeout=60).status
            return status if status != 429 else None
        statuses.append(wait_until(call, 30, "a permit"))

    waiting = [threading.Thread(target=patient) for _ in range(64)]
    upstream.reset()
    upstream.close_gate()
    for thread in waiting:
        thread.start()
    upstream.wait_for(lambda records: sum(r.model == "gate-1" for r in records) == 64,
                      30 * slow_factor(), "64 calls at once")
    assert gateway.chat("any/ok", key, max_tokens=5).status == 429
    upstream.open_gate()
    for thread in waiting:
        thread.join()
    assert statuses == [200] * 64

    # Nothing is reserved: a call that takes nearly all that is left passes.
    left = 1.0 - gateway.key_info(key)["spend"]
    assert 0 < left < 1
    tokens = int((left - 0.001) / 0.000002)
    answer = gateway.chat("any/ok", key, max_tokens=tokens)
    assert answer.status == 200 and not answer.header("x-kanmon-max-tokens")
    answer = gateway.chat("any/ok", key, max_tokens=tokens + 1000)  # more than that is bounded
    assert answer.status == 200
    assert tokens - 1000 < int(answer.header("x-kanmon-max-tokens")) < tokens + 1000

    # And the books agree with the key.
    rows = gateway.spend_logs(api_key=key)
    info = gateway.key_info(key)["spend"]
    assert abs(sum(row["spend"] for row in rows) - info) < 1e-9


def test_clients_that_vanish_in_a_management_body_hold_no_connection(gateway):
    def open_connections():
        return gateway.call("GET", "/kanmon/status").json()["connections"]

    before = open_connections()
    for path in ("/key/generate", "/key/delete", "/kanmon/prices", "/mcp"):
        for _ in range(20):
            with connect(gateway) as link:
                link.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
                             f"{MASTER}\r\nContent-Length: 100\r\n\r\n{{".encode())
                link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wait_until(lambda: open_connections() <= before + 2, 10, "the connections to be given back")


@pytest.mark.parametrize("accounting", ["eventual", "strict"])
@pytest.mark.parametrize("model", ["any/hang", "any/stream-forever"])
def test_a_second_signal_ends_it_in_order_with_calls_running(new_gateway, upstream, accounting,
                                                             model):
    gateway = new_gateway(f"\n  accounting: {accounting}\n")
    key = gateway.new_key(max_budget=10.0)  # room for eight answers of any length
    links = [connect(gateway) for _ in range(8)]
    for link in links:
        link.sendall(chat_bytes(model, key, stream=True))
    upstream.wait_for(lambda records: len(records) == len(links))
    gateway.process.send_signal(signal.SIGTERM)
    wait_until(lambda: "stopping" in gateway.log.read_text(), 20, "the first signal")
    gateway.process.send_signal(signal.SIGTERM)
    gateway.process.wait(20 * slow_factor())
    gateway.check_end()
    for link in links:
        link.close()
    gateway.start()
    rows = gateway.spend_logs(api_key=key)
    assert len(rows) == len(links), rows


def test_signals_do_not_cut_the_closing_of_the_books(new_gateway):
    gateway = new_gateway("\n  commit_time: 10s\n")  # nothing is on disk before the end
    for _ in range(20):
        assert gateway.chat("any/ok").status == 200
    while gateway.process.poll() is None:
        gateway.process.send_signal(signal.SIGTERM)
    gateway.check_end()
    gateway.start()
    rows = gateway.spend_logs()
    assert len(rows) == 20 and not any(row["incomplete"] for row in rows), rows


def test_a_call_that_outlives_its_secret_is_paid_by_the_new_one(new_gateway, upstream):
    gateway = new_gateway()
    key = gateway.new_key(max_budget=1.0, max_parallel_requests=1)
    assert gateway.chat("any/ok", key, max_tokens=5).status == 200
    upstream.reset()
    statuses = []
    running = threading.Thread(target=lambda: statuses.append(
        gateway.chat("any/gate-old", key, max_tokens=5).status))
    running.start()
    upstream.wait_for(lambda records: len(records) == 1)
    fresh = gateway.call("POST", "/key/regenerate", {"key": key}).json()["key"]
    assert gateway.chat("any/ok", fresh, max_tokens=5).status == 429, "the permit was forgotten"
    upstream.open_gate()
    running.join()
    assert statuses == [200]
    assert gateway.chat("any/ok", fresh, max_tokens=5).status == 200
    assert abs(gateway.key_info(fresh)["spend"] - 0.00006) < 1e-9
    gateway.stop()
    gateway.start()
    assert abs(gateway.key_info(fresh)["spend"] - 0.00006) < 1e-9


# -- upstreams ----------------------------------------------------------------------


def test_an_answer_before_the_request_was_read_reaches_the_client(new_gateway, upstream):
    def early(link, head):
        link.sendall(response(429, b'{"error":{"message":"not now"}}', "retry-after: 9"))
        link.close()  # with the request unread: a reset follows the answer

    with Scripted(early) as scripted:
        gateway = gateway_to(new_gateway, upstream, scripted)
        for _ in range(5):
            answer = gateway.chat("any/ok", num_retries=0,
                                  messages=[{"role": "user", "content": "x" * 4000000}])
            assert answer.status == 429, answer
            assert "not now" in answer.json()["error"]["message"]


@pytest.mark.parametrize("value, seconds", [
    ("7", 7), ("0", None), ("-5", None), ("soon", None), ("1000000000", 3600), ("1e3", None),
    ("99999999999999999999999", 3600), ("Wed, 21 Oct 2037 07:28:00 GMT", 3600),
    ("Wed, 21 Oct 2015 07:28:00 GMT", None), ("1.5", 2), ("", None)])
def test_a_retry_after_of_any_kind_is_clamped(new_gateway, upstream, value, seconds):
    with Scripted(lambda link, head: link.sendall(
            response(503, b"{}", f"retry-after: {value}"))) as scripted:
        gateway = gateway_to(new_gateway, upstream, scripted)
        answer = gateway.chat("any/ok", num_retries=0)
    assert answer.status == 503
    assert answer.header("retry-after") == (None if seconds is None else str(seconds))


@pytest.mark.parametrize("stream", [False, True])
def test_a_compressed_answer_nobody_asked_for_is_502_and_not_garbage(new_gateway, upstream,
                                                                     stream):
    def squeezed(link, head):
        assert b"gzip" not in head
        body = gzip.compress(OK)
        link.sendall(response(200, body, "content-encoding: gzip"))

    with Scripted(squeezed) as scripted:
        gateway = gateway_to(new_gateway, upstream, scripted)
        answer = gateway.chat("any/ok", stream=stream)
    assert answer.status == 502, answer
    assert "compress" in answer.json()["error"]["message"] or \
        "encoding" in answer.json()["error"]["message"]


def test_a_host_that_does_not_exist_is_502_and_named(new_gateway, upstream):
    gateway = new_gateway(start=False)
    gateway.config.write_text(gateway.config.read_text().replace(
        upstream.url, "http://no-such-host.invalid"))
    gateway.start()
    answer = gateway.chat("any/ok")
    assert answer.status == 502, answer
    assert "no-such-host.invalid" in answer.json()["error"]["message"], answer


def test_a_silent_upstream_is_given_up_at_the_calls_own_time(gateway, upstream):
    began = time.monotonic()
    answer = gateway.chat("any/hang", headers={"x-litellm-timeout": "0.3"})
    assert answer.status == 408, answer
    assert 0.25 < time.monotonic() - began < 15  # and not the 20 s of the configuration
    upstream.wait_for(lambda records: records and records[0].outcome == "gone")


def test_a_stream_that_stalls_in_its_middle_breaks_off(new_gateway, upstream):
    stalled = threading.Event()

    def stall(link, head):
        event = b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
        link.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                     b"transfer-encoding: chunked\r\n\r\n%x\r\n" % len(event) + event + b"\r\n")
        try:
            while link.recv(65536):
                pass
        finally:
            stalled.set()

    with Scripted(stall) as scripted:
        gateway = gateway_to(new_gateway, upstream, scripted,
                             "\n  stream_idle: 500ms\n")
        with connect(gateway) as link:
            link.sendall(chat_bytes(stream=True))
            got = b""
            while not got.endswith(b"0\r\n\r\n") and (piece := link.recv(65536)):
                got += piece
        assert stalled.wait(10 * slow_factor()), "the upstream was left open"
    assert b'"error"' in got and b"[DONE]" not in got, got


def test_a_stream_request_answered_with_json_is_not_called_a_stream(new_gateway, upstream):
    with Scripted(lambda link, head: link.sendall(response(200, OK))) as scripted:
        gateway = gateway_to(new_gateway, upstream, scripted)
        answer = gateway.chat("any/ok", stream=True)
    assert answer.status == 200
    assert answer.header("content-type").startswith("application/json"), answer.headers
    assert answer.json()["choices"][0]["message"]["content"] == "raw"


CA = """
[ca]
default_ca = d
[d]
database = {0}/index
new_certs_dir = {0}
default_md = sha256
policy = p
x509_extensions = e
rand_serial = yes
[p]
commonName = supplied
[e]
basicConstraints = CA:TRUE
subjectAltName = DNS:localhost
"""


def test_an_upstream_with_an_expired_certificate_is_refused_and_the_reason_told(
        upstream, new_gateway, tmp_path):
    key, request, cert = tmp_path / "key.pem", tmp_path / "request", tmp_path / "cert.pem"
    (tmp_path / "index").touch()
    (tmp_path / "ca").write_text(CA.format(tmp_path))
    subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost",
                    "-keyout", str(key), "-out", str(request)], check=True, capture_output=True)
    subprocess.run(["openssl", "ca", "-batch", "-selfsign", "-notext", "-config",
                    str(tmp_path / "ca"), "-keyfile", str(key), "-in", str(request), "-startdate",
                    "20200101000000Z", "-enddate", "20200102000000Z", "-out", str(cert)],
                   check=True, capture_output=True)
    expired = Upstream()
    expired.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    expired.context.load_cert_chain(cert, key)
    expired.start()
    try:
        text = config_text(expired, tmp_path / "state").replace(
            expired.url, f"https://localhost:{expired.port}")
        gateway = new_gateway(config=text, env={"SSL_CERT_FILE": str(cert)})
        answer = gateway.chat("chat")
    finally:
        expired.stop()
    assert answer.status == 502, answer
    message = answer.json()["error"]["message"]
    assert "expired" in message and "localhost" in message, message


# -- what is said --------------------------------------------------------------------


def test_a_refused_call_has_its_line_in_the_log_and_forges_none(new_gateway):
    gateway = new_gateway()
    key = gateway.new_key(key_alias="narrow", models=["chat"])
    forged = "x\n2026-01-01 ERROR call id=forged\u2028\x1b[31m"
    assert gateway.chat("chat", "sk-nobody").status == 401
    assert gateway.chat(forged, key).status == 403

    def calls():
        return [line for line in gateway.log.read_text().splitlines() if " call " in line
                or '"call"' in line]
    wait_until(lambda: len(calls()) >= 2, 10, "both lines")
    lines = calls()
    assert len(lines) == 2, lines
    assert "status=401" in lines[0] and "sk-nobody" not in lines[0], lines
    assert "status=403" in lines[1] and "key=narrow" in lines[1], lines
    assert not any(line.startswith("2026-01-01") for line in lines)
    assert "\x1b" not in lines[1] and "\u2028" not in lines[1]


@pytest.mark.parametrize("words, code, said", [
    (["key"], 2, "key generate"), (["key", "--help"], 0, "key generate"),
    (["help", "prices"], 0, "prices import"), (["help", "key", "list"], 0, "--json"),
    (["key", "lst"], 2, "Did you mean 'key list'?"), (["nonsense"], 2, "no command 'nonsense'")])
def test_half_a_command_lists_the_other_halves(gateway, words, code, said):
    ran = gateway.command(*words)
    assert ran.returncode == code, ran
    assert said in (ran.stdout if code == 0 else ran.stderr), ran


# -- who may ask, and what goes on ---------------------------------------------------


@pytest.mark.parametrize("host, status", [
    ("127.0.0.1:4000", 200), ("localhost", 200), ("[::1]:4000", 200), ("127.8.9.1", 200),
    ("127.evil.example", 403), ("127.0.0.1.evil.example", 403), ("localhost.evil.example", 403),
    ("evil.example", 403)])
def test_without_a_key_only_loopback_names_are_served(keyless, host, status):
    answer = keyless.call("GET", "/v1/models", key=None, headers={"Host": host})
    assert answer.status == status, answer


@pytest.fixture(scope="module")
def keyless(session_upstream, tmp_path_factory):
    folder = tmp_path_factory.mktemp("keyless")
    text = config_text(session_upstream, folder / "state").replace(
        "master_key: sk-e2e-master", "litellm_key_header_name: x-unused")
    with Gateway(folder, text) as gateway:
        yield gateway


def test_a_pass_through_target_gets_neither_the_key_nor_a_second_of_a_set_field(new_gateway,
                                                                              upstream):
    gateway = new_gateway(start=False)
    gateway.config.write_text(gateway.config.read_text().replace(
        "  pass_through_endpoints:", "  litellm_key_header_name: X-Team-Key\n"
        "  pass_through_endpoints:\n"
        f'    - {{path: /on, target: "{upstream.url}/echo", forward_headers: true, '
        "headers: {X-Secret: ours}}"))
    gateway.start()
    answer = gateway.call("POST", "/on", {"a": 1}, key=None, headers={
        "x-team-key": MASTER, "x-secret": "theirs", "X-Hop": "1", "X-Kept": "1",
        "Connection": "close, x-hop", "Cookie": "a=b", "Authorization": f"Bearer {MASTER}"})
    assert answer.status == 200, answer
    got = {}
    for name, value in upstream.seen()[-1].headers:
        assert MASTER not in value
        assert name.lower() not in got, name
        got[name.lower()] = value
    assert got["x-secret"] == "ours" and got["x-kept"] == "1"
    assert not {"x-hop", "cookie", "authorization", "x-team-key"} & set(got)


def test_a_cookie_of_a_pass_through_target_reaches_only_who_asked_for_it(new_gateway, upstream):
    def serve(link, head):
        link.sendall(response(200, OK, "Set-Cookie: a=1; Path=/", "x-kept: 1",
                              "connection: x-hop", "x-hop: 1"))

    with Scripted(serve) as scripted:
        gateway = new_gateway(start=False)
        gateway.config.write_text(gateway.config.read_text().replace(
            "  pass_through_endpoints:", "  pass_through_endpoints:\n"
            f'    - {{path: /plain, target: "{scripted.url}/x"}}\n'
            f'    - {{path: /cookies, target: "{scripted.url}/x", set_cookie: true}}'))
        gateway.start()
        for path, cookie in (("/plain", None), ("/cookies", "a=1; Path=/")):
            answer = gateway.call("POST", path, {"a": 1})
            assert answer.status == 200 and answer.header("x-kept") == "1", answer
            assert answer.header("x-hop") is None
            assert answer.header("set-cookie") == cookie


def test_a_redirect_of_an_upstream_is_an_error_and_not_followed(new_gateway, upstream):
    with Scripted(lambda link, head: link.sendall(
            response(307, OK, f"location: {upstream.url}/v1/chat/completions"))) as scripted:
        gateway = gateway_to(new_gateway, upstream, scripted)
        answer = gateway.chat("any/ok")
    assert answer.status == 502, answer
    assert "307" in answer.json()["error"]["message"] and not upstream.seen()


def test_a_kind_of_key_that_would_be_narrower_is_refused_and_notes_survive_changes(gateway):
    assert gateway.call("POST", "/key/generate", {"key_type": "read_only"}).status == 400
    key = gateway.new_key(key_type="llm_api", note="first")
    assert gateway.call("POST", "/key/update", {"key": key, "other": "second"}).status == 200
    assert gateway.call("POST", "/key/update", {"key": key, "rpm_limit": 7}).status == 200
    info = gateway.key_info(key)
    assert (info["note"], info["other"], info["rpm_limit"]) == ("first", "second", 7)
    assert gateway.call("POST", "/key/update", {"key": key, "note": None}).status == 200
    assert "note" not in gateway.key_info(key) and gateway.key_info(key)["other"] == "second"
