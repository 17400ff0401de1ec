# SPDX-License-Identifier: Apache-2.0
"""A company's OpenID provider (oidc-provider) in place of the built-in authorization server."""

import asyncio
import base64
import concurrent.futures
import json
import os
import pathlib
import subprocess
import urllib.parse

import httpx2
import pytest
from accounts import at_provider, fetch
from conftest import McpGateway
from gateway import patient, request, wait_until
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata
from ports import free_port
from test_oauth_sdk import Storage

HERE = pathlib.Path(__file__).resolve().parent
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
CONFIG = """
model_list: [{{model_name: small, litellm_params: {{model: openai/none, mock_response: Hi.}}}}]
general_settings: {{master_key: sk-e2e-master}}
kanmon_settings: {{state_dir: "{state}", workers: 2, jwt: [{{issuer: "{issuer}",
                  audience: "urn:kanmon", default_key: all, admin_scope: boss{more}}}]}}
"""


class Staff:
    """staff.mjs, to the end of the block."""

    def __enter__(self):
        self.process = subprocess.Popen([os.environ["KM_NODE"], str(HERE / "staff.mjs")],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        stderr=subprocess.DEVNULL)
        self.issuer = json.loads(self.process.stdout.readline())["issuer"]
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(patient(20))
        self.process.stdout.close()

    def say(self, path):
        return json.loads(fetch("POST", self.issuer + path)[2])

    def token(self, resource="urn:kanmon", alg="RS256", lifetime=3600, scope="mcp"):
        basic = base64.b64encode(b"robot:horse").decode()
        port = urllib.parse.urlsplit(self.issuer).port
        answer = request(port, "POST", "/token", urllib.parse.urlencode({
            "grant_type": "client_credentials", "resource": resource, "scope": scope}), None,
            {"content-type": "application/x-www-form-urlencoded",
             "authorization": f"Basic {basic}", "x-alg": alg, "x-lifetime": str(lifetime)})
        assert answer.status == 200, answer
        return answer.json()["access_token"]


@pytest.fixture(scope="module")
def staff():
    with Staff() as started:
        yield started


def serve(folder, staff, more=""):
    return McpGateway(folder, CONFIG.format(state=folder / "state", issuer=staff.issuer, more=more))


@pytest.fixture(scope="module")
def gateway(staff, tmp_path_factory):
    with serve(tmp_path_factory.mktemp("provider"), staff) as started:
        started.new_key(key_alias="all", models=["small"])
        yield started


def status(gateway, token):
    return gateway.post(LIST, key=token).status


@pytest.mark.parametrize("alg", ["RS256", "ES256"])
def test_its_tokens_are_keys(gateway, staff, alg):
    token = staff.token(alg=alg)
    for _ in range(3):  # judged, then remembered, on either worker
        assert status(gateway, token) == 200
    assert gateway.call("GET", "/v1/models", key=token).status == 200
    assert gateway.call("GET", "/key/list", key=token).status == 403
    assert gateway.call("GET", "/key/list", key=staff.token(scope="boss")).status == 200


def test_clients_are_sent_there_and_not_to_the_built_in_server(gateway, staff):
    answer = gateway.post(LIST, key=None)
    url = f"{gateway.url}/.well-known/oauth-protected-resource/mcp"
    assert answer.status == 401 and url in answer.header("www-authenticate")
    found = gateway.call("GET", "/.well-known/oauth-protected-resource/mcp", key=None).json()
    assert found["authorization_servers"] == [staff.issuer]
    for path in ("/.well-known/oauth-authorization-server", "/oauth/authorize"):
        assert gateway.call("GET", path, key=None).status == 404
    said = gateway.post(LIST, key=staff.token("urn:other")).header("www-authenticate")
    assert 'error="invalid_token"' in said


@pytest.mark.parametrize("how, words", [
    ("none", "algorithm"), ("hs", "algorithm"), ("hs-jwk", "algorithm"), ("stranger", "signature"),
    ("jwk", "does not hold|does not publish"), ("jku", "signature"), ("issuer", "not trusted"),
    ("expired", "expired"), ("audience", "audience"), ("kid", "not publish|signature")])
def test_what_others_forge(gateway, staff, how, words):
    assert status(gateway, staff.say("/forge?how=good")) == 200
    token = staff.say(f"/forge?how={how}")
    for _ in range(2):  # nothing is learnt from the first time
        answer = gateway.post(LIST, key=token)
        message = answer.json()["error"]["message"]
        assert answer.status == 401 and any(w in message for w in words.split("|")), message
        assert token not in message and token.split(".")[2][:20] not in message or how == "none"


def test_a_token_that_is_remembered_ends_all_the_same(tmp_path, staff):
    with serve(tmp_path, staff, ", skew: 0s") as gateway:
        gateway.new_key(key_alias="all")
        token = staff.token(lifetime=2)
        assert status(gateway, token) == status(gateway, token) == 200
        answer = wait_until(lambda: (a := gateway.post(LIST, key=token)).status != 200 and a, 20)
        assert "expired" in answer.json()["error"]["message"]


def test_what_is_remembered_ends_with_its_key(tmp_path, staff):
    with serve(tmp_path, staff) as gateway:
        token = staff.token()
        assert status(gateway, token) == 403  # leads nowhere yet
        key = gateway.new_key(key_alias="all")
        assert status(gateway, token) == status(gateway, token) == 200
        gateway.call("POST", "/key/block", {"key": key})
        assert status(gateway, token) == 401
        gateway.call("POST", "/key/unblock", {"key": key})
        assert status(gateway, token) == 200
        # A key that fits better is taken at once: its alias is the subject.
        other = gateway.new_key(key_alias="robot", blocked=True)
        assert status(gateway, token) == 401
        gateway.call("POST", "/key/delete", {"keys": [other]})
        assert status(gateway, token) == 200
        gateway.call("POST", "/key/delete", {"keys": [key]})
        assert status(gateway, token) == 403
        gateway.new_key(key_alias="all")
        assert status(gateway, token) == 200


def test_what_is_remembered_ends_with_a_reload(tmp_path, staff):
    with serve(tmp_path, staff) as gateway:
        gateway.new_key(key_alias="all")
        token = staff.token()
        assert status(gateway, token) == status(gateway, token) == 200
        before = gateway.config.read_text()
        gateway.config.write_text(before.replace("urn:kanmon", "urn:renamed"))
        assert gateway.command("reload", "--config", gateway.config).returncode == 0
        assert status(gateway, token) == 401
        gateway.config.write_text(before)
        assert gateway.command("reload", "--config", gateway.config).returncode == 0
        assert status(gateway, token) == 200


def test_keys_that_turn(tmp_path):
    with Staff() as staff, serve(tmp_path, staff) as gateway:
        gateway.new_key(key_alias="all")
        first = staff.token()
        assert status(gateway, first) == status(gateway, first) == 200
        assert fetch("GET", staff.issuer + "/asked")[2] == "1"
        staff.say("/turn?keep=yes")
        second = staff.token()
        assert status(gateway, second) == status(gateway, first) == 200
        assert fetch("GET", staff.issuer + "/asked")[2] == "2"
        # The provider withdraws its old keys: what they signed is over once the new set is here.
        staff.say("/turn?keep=no")
        assert status(gateway, staff.token()) == 200
        assert status(gateway, first) == status(gateway, second) == 401
        # While it does not answer, tokens of keys that are known go on being good.
        third = staff.token()
        staff.say("/status?is=503")
        assert status(gateway, third) == status(gateway, third) == 200
        assert status(gateway, first) == 401
        assert status(gateway, third) == 200


def test_many_callers_ask_for_the_keys_once(tmp_path):
    with Staff() as staff, serve(tmp_path, staff) as gateway:
        gateway.new_key(key_alias="all")
        tokens = [staff.token() for _ in range(12)]
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            assert set(pool.map(lambda t: status(gateway, t), tokens * 4)) == {200}
        assert fetch("GET", staff.issuer + "/asked")[2] == "1"


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_the_official_sdk_logs_in_there_and_comes_back(tmp_path, staff, mode):
    """All by itself: 401, metadata, registration, PKCE, the person's log-in at the provider, a JWT."""
    port = free_port()
    callback, browsed, storage = "http://127.0.0.1:41996/callback", [], Storage()
    config = CONFIG.format(state=tmp_path / "state", issuer=staff.issuer, more="").replace(
        '"urn:kanmon"', f'"http://127.0.0.1:{port}/mcp"')

    async def redirect(url):
        said = urllib.parse.urlsplit(at_provider(url, "ada", callback)).query
        browsed.append(dict(urllib.parse.parse_qsl(said)))

    async def back():
        return AuthorizationCodeResult(code=browsed[-1]["code"], state=browsed[-1]["state"],
                                       iss=browsed[-1]["iss"])

    async def talk():
        auth = OAuthClientProvider(
            server_url=f"http://127.0.0.1:{port}/mcp", storage=storage, redirect_handler=redirect,
            callback_handler=back, client_metadata=OAuthClientMetadata(
                client_name="Python", redirect_uris=[callback]))
        async with httpx2.AsyncClient(auth=auth, timeout=patient(30)) as http:
            async with Client(streamable_http_client(f"http://127.0.0.1:{port}/mcp",
                                                     http_client=http), mode=mode) as client:
                return [tool.name for tool in (await client.list_tools()).tools]

    with McpGateway(tmp_path, config, port=port) as gateway:
        gateway.new_key(key_alias="all")
        assert "kanmon-key_info" in asyncio.run(talk())
        assert len(browsed) == 1
        token = storage.tokens.access_token
        claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        assert (claims["iss"], claims["sub"], claims["aud"]) == (
            staff.issuer, "ada", f"{gateway.url}/mcp")
        assert "kanmon-key_info" in asyncio.run(talk())  # the same token
        assert len(browsed) == 1
