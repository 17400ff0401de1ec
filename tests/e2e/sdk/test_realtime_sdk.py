# SPDX-License-Identifier: Apache-2.0
"""OpenAI's own clients of the Realtime API, Node's (which insist on TLS) and Python's."""

import os
import pathlib
import re
import subprocess

import openai
import pytest

from gateway import MASTER, Gateway, slow_factor
from ports import free_port
from realtime import CONFIG, RealtimeUpstream

HERE = pathlib.Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("realtime-sdk")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                    "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    plain, secure = free_port(), free_port()
    upstream = RealtimeUpstream().start()
    config = CONFIG.format(up=upstream.url, state=folder / "state", more=f"""listen:
    - {{host: 127.0.0.1, port: {plain}}}
    - {{host: 127.0.0.1, port: {secure}, tls: {{cert: "{cert}", key: "{key}"}}}}""")
    gateway = Gateway(folder, config, port=plain)
    gateway.start_without_port()
    yield gateway, secure, cert
    gateway.stop()
    upstream.stop()


def test_the_node_clients(served):
    _, secure, cert = served
    ran = subprocess.run(
        [os.environ["KM_NODE"], "--test", "--test-reporter=tap", str(HERE / "realtime.test.mjs")],
        env={**os.environ, "KANMON_URL": f"https://localhost:{secure}", "KANMON_KEY": MASTER,
             "NODE_EXTRA_CA_CERTS": str(cert)},
        capture_output=True, text=True, timeout=120 * slow_factor())
    failed = re.findall(r"^\s*not ok .*", ran.stdout, re.M)
    assert ran.returncode == 0, "\n".join(failed[:20]) + "\n" + ran.stdout[-3000:] + ran.stderr
    assert int(re.search(r"^# pass (\d+)", ran.stdout, re.M)[1]) == 6


@pytest.mark.parametrize("beta", [False, True])
def test_pythons_client(served, beta):
    gateway = served[0]
    client = openai.OpenAI(api_key=MASTER, base_url=gateway.url + "/v1",
                           websocket_base_url=f"ws://127.0.0.1:{gateway.port}/v1")
    realtime = client.beta.realtime if beta else client.realtime
    with realtime.connect(model="voice") as connection:
        assert connection.recv().type == "session.created"
        connection.session.update(session={"instructions": "Be brief."} if beta else {
            "type": "realtime", "instructions": "Be brief."})
        assert connection.recv().type == "session.updated"
        connection.response.create()
        seen = []
        while not seen or seen[-1].type != "response.done":
            seen.append(connection.recv())
        assert seen[-1].response.usage.total_tokens == 253
        assert any("audio" in event.type for event in seen)


def test_pythons_azure_client(served):
    gateway = served[0]
    client = openai.AzureOpenAI(api_key=MASTER, azure_endpoint=gateway.url,
                                api_version="2025-04-01-preview",
                                websocket_base_url=f"ws://127.0.0.1:{gateway.port}/openai")
    with client.realtime.connect(model="classic") as connection:
        assert connection.recv().type == "session.created"
        connection.response.create()
        while connection.recv().type != "response.done":
            pass
