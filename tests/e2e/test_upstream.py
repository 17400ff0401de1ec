# SPDX-License-Identifier: Apache-2.0
"""Upstreams as they are: connections that end between calls, answers no server should
give, TLS.  Whatever comes, the client gets an answer, and the next call works."""

import ssl
import subprocess
import threading

import pytest

from gateway import config_text
from ports import free_port
from upstream import RAW, Upstream

TAKES_S = 13


def all_closed(upstream):
    """The connections of all calls so far.  A call that meets the end of one it was given is a 502:
    the upstream may have begun with it, and it is no test's business which of them is faster."""
    upstream.wait_for(lambda records: all(r.closed for r in records), what="the connections' end")


@pytest.mark.parametrize("name", sorted(RAW))
@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_is_not_as_it_should_be(gateway, upstream, name, stream):
    good = RAW[name][0]
    answer = gateway.chat(f"any/raw-{name}", stream=stream)
    assert answer.status != 408, "it was waited for until the call's time was over"
    if good and not stream:
        assert answer.status == 200, answer
        assert answer.json()["choices"][0]["message"]["content"] == "raw"
    elif not good and not (name in ("array", "deep-json") and answer.status == 200):
        assert answer.status in (500, 502, 503), answer
        assert answer.json()["error"]["message"]
    all_closed(upstream)
    assert gateway.chat("chat").status == 200


def test_a_connection_closed_between_calls_is_never_noticed(gateway, upstream):
    for i in range(200):
        answer = gateway.chat(f"any/closing-{i}")
        assert answer.status == 200, (i, answer)
        all_closed(upstream)
    assert len(upstream.seen()) == 200, "a call was sent twice"


def test_connections_are_kept_and_used_again(new_gateway, upstream):
    gateway = new_gateway()
    before = upstream.connections
    for _ in range(50):
        assert gateway.chat("chat").status == 200
    assert upstream.connections - before <= 4


def test_nothing_is_compressed_that_cannot_be_read(gateway, upstream):
    gateway.chat("chat")
    assert upstream.seen()[0].header("accept-encoding", "identity") == "identity"
    assert upstream.seen()[0].header("host") == f"127.0.0.1:{upstream.port}"


def test_an_upstream_that_is_not_there_is_502_at_once(new_gateway, upstream):
    gateway = new_gateway(start=False)
    nobody = f"http://127.0.0.1:{free_port()}"
    gateway.config.write_text(gateway.config.read_text().replace(upstream.url, nobody))
    gateway.start()
    answer = gateway.chat("chat")
    assert answer.status == 502, answer
    assert "127.0.0.1" in answer.json()["error"]["message"]


def certificate(folder):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost", "-keyout", str(folder / "key.pem"), "-out",
         str(folder / "cert.pem")], check=True, capture_output=True)
    return folder / "cert.pem", folder / "key.pem"


class TlsUpstream(Upstream):
    """The same over TLS, as https://localhost."""

    def __init__(self, cert, key):
        super().__init__()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(cert, key)

    @property
    def url(self):
        return f"https://localhost:{self.port}"


@pytest.fixture
def tls_upstream(tmp_path):
    cert, key = certificate(tmp_path)
    upstream = TlsUpstream(cert, key).start()
    yield upstream, cert
    upstream.stop()


def test_an_upstream_over_tls_is_verified_by_the_system_or_a_given_ca(tls_upstream, new_gateway,
                                                                     tmp_path):
    upstream, cert = tls_upstream
    gateway = new_gateway(config=config_text(upstream, tmp_path / "state"),
                          env={"SSL_CERT_FILE": str(cert)})
    assert gateway.chat("chat").status == 200
    answer = gateway.chat("any/ok-tls", stream=True)
    assert answer.events()[-1] == "[DONE]"


def test_an_upstream_with_a_certificate_nobody_signed_is_refused(tls_upstream, new_gateway,
                                                                tmp_path):
    upstream, _ = tls_upstream
    gateway = new_gateway(config=config_text(upstream, tmp_path / "state"))
    answer = gateway.chat("chat")
    assert answer.status == 502, answer
    assert "certificate" in answer.json()["error"]["message"].lower(), answer
    assert not upstream.seen()


@pytest.mark.parametrize("of_all, own, status", [
    ("false", "", 200), ("'false'", "", 200), ("CERT", "", 200), ("true", "", 502),
    ("false", ", ssl_verify: true", 502), ("true", ", ssl_verify: false", 200)])
def test_ssl_verify_of_the_file_holds_for_deployments_that_say_nothing(
        tls_upstream, new_gateway, tmp_path, of_all, own, status):
    upstream, cert = tls_upstream
    gateway = new_gateway(config=f"""
model_list:
  - {{model_name: chat, litellm_params: {{model: openai/ok, api_base: "{upstream.url}/v1", api_key: k{own}}}}}
litellm_settings: {{ssl_verify: {of_all.replace("CERT", str(cert))}}}
router_settings: {{num_retries: 0}}
general_settings: {{master_key: sk-e2e-master}}
kanmon_settings: {{state_dir: "{tmp_path / "state"}"}}
""")
    assert gateway.chat("chat").status == status


def test_a_certificate_for_another_name_is_refused(tls_upstream, new_gateway, tmp_path):
    upstream, cert = tls_upstream
    text = config_text(upstream, tmp_path / "state").replace("//localhost:", "//127.0.0.1:")
    gateway = new_gateway(config=text, env={"SSL_CERT_FILE": str(cert)})
    answer = gateway.chat("chat")
    assert answer.status == 502, answer
    assert not upstream.seen()


def test_calls_at_once_to_many_upstream_models_do_not_mix(gateway):
    wrong = []

    def one(i):
        answer = gateway.chat(f"any/ok-mix-{i}")
        if answer.status != 200 or answer.json()["model"] != f"any/ok-mix-{i}":
            wrong.append((i, answer))
    threads = [threading.Thread(target=one, args=(i,)) for i in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[:3]
