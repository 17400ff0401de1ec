# SPDX-License-Identifier: Apache-2.0
"""kanmon logs in to servers behind it: an MCP server on the official SDK, and oidc-provider."""

import json
import urllib.parse

import pytest
from accounts import Protected, agree, at_provider, fetch, log_in, person
from conftest import McpGateway
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from gateway import MASTER, wait_until
from jwt.algorithms import ECAlgorithm
from served import status, until

CONFIG = """
model_list: []
mcp_servers:
  by-secret: {{url: "{mcp}", transport: http, auth_type: oauth2, oauth2_flow: client_credentials,
               client_id: robot, client_secret: correct-horse}}
  by-key: {{url: "{mcp}", transport: http, auth_type: oauth2, oauth2_flow: client_credentials,
            client_id: signer, client_private_key: os.environ/SIGNER_KEY}}
  wrong: {{url: "{mcp}", transport: http, auth_type: oauth2, oauth2_flow: client_credentials,
           client_id: robot, client_secret: wrong-horse}}
  shared: {{url: "{mcp}", transport: http, auth_type: oauth2, oauth_shared: true}}
  each: {{url: "{mcp}", transport: http, auth_type: oauth2}}
general_settings: {{master_key: {master}}}
kanmon_settings: {{state_dir: "{state}", workers: 2, oauth: {{trusted_hosts: ["{issuer}"]}}}}
"""


@pytest.fixture(scope="module")
def protected():
    private = ec.generate_private_key(ec.SECP256R1())
    jwk = json.loads(ECAlgorithm.to_jwk(private.public_key()))
    with Protected(secret="correct-horse", jwks={"keys": [{**jwk, "kid": "1"}]}) as started:
        started.pem = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption()).decode()
        yield started


@pytest.fixture(scope="module")
def served(protected, tmp_path_factory):
    folder = tmp_path_factory.mktemp("oauth-servers")
    text = CONFIG.format(mcp=protected.mcp, master=MASTER, state=folder / "state",
                         issuer=protected.issuer.removeprefix("http://"))
    with McpGateway(folder, text, {"SIGNER_KEY": protected.pem}) as gateway:
        yield gateway


@pytest.mark.parametrize("name, client", [("by-secret", "robot"), ("by-key", "signer")])
def test_an_account_of_kanmons_own(served, protected, name, client):
    assert until(served, name, "ready")["tools"] == 2
    mine = [one for one in protected.seen() if one["client"] == client]
    assert mine and {one["scope"] for one in mine} == {"tools"}  # what the resource asks for
    assert len({one["token"] for one in mine}) == 1  # one token serves all workers


def test_a_secret_that_is_wrong(served):
    why = until(served, "wrong", "down")["why"]
    assert "invalid_client" in why and "wrong-horse" not in why
    assert "wrong-horse" not in served.log.read_text()


def test_a_person_logs_in_for_all(served, protected):
    assert "/v1/mcp/server/shared/login" in until(served, "shared", "down")["why"]
    path = "/v1/mcp/server/shared/login"
    assert served.call("POST", path, key=None).status == 401
    assert served.call("POST", path, key=served.new_key()).status == 403
    assert served.call("POST", "/v1/mcp/server/none/login").status == 404
    assert served.call("POST", "/v1/mcp/server/by-secret/login").status == 400
    cookies = {}
    url = served.call("POST", path).json()["url"]
    back = person(url, key=MASTER, cookies=cookies)
    parts = urllib.parse.urlsplit(back)
    said = dict(urllib.parse.parse_qsl(parts.query))
    assert said["iss"] == protected.issuer
    # Another issuer's answer, or nobody's, is no answer; and it uses the login up.
    assert fetch("GET", served.url + parts.path + "?state=x&code=y", cookies=cookies)[0] == 400
    mixed = urllib.parse.urlencode({**said, "iss": "https://evil.example"})
    assert fetch("GET", f"{served.url}{parts.path}?{mixed}", cookies=cookies)[0] == 403
    assert fetch("GET", back, cookies=cookies)[0] == 400
    # The whole once more, as it should be.
    asked = [agree(served.call("POST", path).json()["url"], MASTER)[1] for _ in range(2)]
    query, second = (dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(one).query))
                     for one in asked)
    assert query["resource"] == protected.mcp and query["code_challenge_method"] == "S256"
    assert query["redirect_uri"] == served.url + "/oauth/mcp/callback"
    assert second["client_id"] == query["client_id"]  # registered once
    assert second["state"] != query["state"]
    log_in(served.call("POST", path).json()["url"], key=MASTER)
    served.call("POST", "/kanmon/mcp/servers/shared/restart")
    assert until(served, "shared", "ready")["tools"] == 2
    mine = [one for one in protected.seen() if one["client"] == query["client_id"]]
    assert {one["scope"] for one in mine} == {"tools"}


def test_a_login_outlives_a_restart_and_is_sealed(served, protected):
    log_in(served.call("POST", "/v1/mcp/server/shared/login").json()["url"], key=MASTER)
    before = len(protected.seen())
    served.stop()
    for path in (served.folder / "state").glob("*.db*"):
        data = path.read_bytes()
        for one in protected.seen():
            assert not one["token"] or one["token"].encode() not in data
    served.start()
    assert until(served, "shared", "ready")["tools"] == 2
    wait_until(lambda: any(one["client"] not in (None, "robot", "signer")
                           for one in protected.seen()[before:]), 30, "the server to be asked")


def test_the_log_holds_no_token(served, protected):
    text = served.log.read_text()
    for one in protected.seen():
        assert not one["token"] or one["token"] not in text
    assert "correct-horse" not in text


def test_its_document_comes_before_a_registration_and_an_account_before_both(tmp_path):
    """The provider would register kanmon, and reads documents: it is never asked to register."""
    outside = "https://ai.example"
    with Protected(documents=True) as there:
        text = json.dumps({
            "general_settings": {"master_key": MASTER},
            "mcp_servers": {name: {"url": there.mcp, "transport": "http", "auth_type": "oauth2", **more}
                            for name, more in (("each", {}), ("known", {"client_id": "robot"}))},
            "kanmon_settings": {"state_dir": str(tmp_path / "state"), "workers": 2,
                                "public_url": outside, "oauth": {
                                    "trusted_hosts": [there.issuer.removeprefix("http://")]}}})
        with McpGateway(tmp_path, text) as gateway:
            there.say("/at/" + urllib.parse.quote(gateway.url, safe=""))
            key, cookies, client = gateway.new_key(), {}, outside + "/oauth/mcp/client.json"

            def onward(name):
                url = gateway.call("POST", f"/v1/mcp/server/{name}/login", key=key).json()["url"]
                status, url = agree(url.replace(outside, gateway.url), key, cookies)
                assert status == 200, url
                return url, dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))

            assert onward("known")[1]["client_id"] == "robot"
            url, asked = onward("each")
            assert asked["client_id"] == client
            assert asked["redirect_uri"] == outside + "/oauth/mcp/callback"
            back = at_provider(url, "ada", "/oauth/mcp/callback")
            assert back.startswith(outside)
            status, _, page = fetch("GET", back.replace(outside, gateway.url), cookies=cookies)
            assert status == 200 and "logged in" in page, page
            answer = gateway.rpc("tools/call", {"name": "whoami", "arguments": {}}, "/mcp/each", key=key)
            assert answer["result"]["content"][0]["text"] == "ada tools"
            assert {one["client"] for one in there.seen() if one["token"]} == {client}


def test_endpoints_that_are_configured_are_asked_wherever_they_are(tmp_path):
    """Nothing is looked for: what the server names would not be trusted here."""
    with Protected(secret="correct-horse") as there:
        ends = {"token_url": there.issuer + "/token", "authorization_url": there.issuer + "/auth",
                "registration_url": there.issuer + "/reg"}
        servers = {"robot": {"oauth2_flow": "client_credentials", "client_id": "robot",
                             "client_secret": "correct-horse", "scopes": ["tools"],
                             "token_url": ends["token_url"]},
                   "each": {**ends, "scopes": ["tools"]}, "found": {}}
        text = json.dumps({
            "general_settings": {"master_key": MASTER},
            "mcp_servers": {name: {"url": there.mcp, "transport": "http", "auth_type": "oauth2", **more}
                            for name, more in servers.items()},
            "kanmon_settings": {"state_dir": str(tmp_path / "state"), "workers": 2}})
        with McpGateway(tmp_path, text) as gateway:
            there.say("/at/" + urllib.parse.quote(gateway.url, safe=""))
            assert until(gateway, "robot", "ready")["tools"] == 2
            key = gateway.new_key()
            log_in(gateway.call("POST", "/v1/mcp/server/each/login", key=key).json()["url"], key=key)
            answer = gateway.rpc("tools/call", {"name": "whoami", "arguments": {}}, "/mcp/each", key=key)
            assert answer["result"]["content"][0]["text"] == "ada tools"
            status, page = agree(gateway.call("POST", "/v1/mcp/server/found/login", key=key).json()["url"], key)
            assert status != 200 and "public" in page, page
            other = gateway.new_key(object_permission={"mcp_servers": ["robot"]})
            assert gateway.call("POST", "/v1/mcp/server/each/login", key=other).status == 404


def test_who_kanmon_is(served):
    found = served.call("GET", "/oauth/mcp/client.json", key=None).json()
    assert found["client_id"] == served.url + "/oauth/mcp/client.json"
    assert found["redirect_uris"] == [served.url + "/oauth/mcp/callback"]
