# SPDX-License-Identifier: Apache-2.0
"""Addresses that commands print are reachable from this machine, whatever the gateway listens on."""

import json
import ssl
import subprocess
import urllib.request

import pytest
from gateway import MASTER, patient
from ports import free_port

from conftest import McpGateway

ENTRY = {"url": "http://127.0.0.1:1/mcp", "auth_type": "bearer_token", "is_byok": True}


def make_certificate(folder):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", str(folder / "key.pem"),
         "-out", str(folder / "cert.pem")], check=True, capture_output=True)
    return folder / "cert.pem", folder / "key.pem"


def fetched(url):
    trust = ssl.create_default_context()
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    with urllib.request.urlopen(url, context=trust, timeout=patient(30)) as answer:
        return answer.read().decode()


@pytest.mark.parametrize("host, tls", [("0.0.0.0", False), ("::", False), ("::1", False),
                                       ("127.0.0.1", True), ("0.0.0.0", True)])
def test_a_login_and_the_start_say_where_it_is(tmp_path, host, tls):
    port = free_port()
    listen = {"host": host, "port": port}
    if tls:
        cert, key = make_certificate(tmp_path)
        listen["tls"] = {"cert": str(cert), "key": str(key)}
    gateway = McpGateway(tmp_path, json.dumps({
        "mcp_servers": {"mine": ENTRY}, "general_settings": {"master_key": MASTER},
        "kanmon_settings": {"state_dir": str(tmp_path / "state"), "workers": 1, "listen": [listen]}}))
    started = gateway.command("start", "--config", gateway.config)
    try:
        assert started.returncode == 0, started
        at = f"http{'s' if tls else ''}://" + ("[::1]" if ":" in host else "127.0.0.1") + f":{port}"
        assert at in started.stdout + started.stderr
        said = gateway.command("mcp", "login", "mine", "--config", gateway.config)
        assert said.returncode == 0 and said.stdout.startswith(at + "/"), said
        assert 'name="credential"' in fetched(said.stdout.strip())
    finally:
        gateway.command("stop", "--config", gateway.config)


def test_a_public_address_goes_before(tmp_path):
    with McpGateway(tmp_path, json.dumps({
            "mcp_servers": {"mine": ENTRY}, "general_settings": {"master_key": MASTER},
            "kanmon_settings": {"state_dir": str(tmp_path / "state"),
                                "public_url": "https://ai.example.com/"}})) as gateway:
        said = gateway.command("mcp", "login", "mine", "--config", gateway.config)
        assert said.stdout.startswith("https://ai.example.com/"), said
