# SPDX-License-Identifier: Apache-2.0
"""Tokens of another issuer as credentials, on every route."""

import base64
import hmac
import http.client
import json
import time

import pytest
from conftest import McpGateway
from gateway import patient, wait_until
from issuer import Issuer

LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
              "EdDSA"]
CONFIG = """
model_list: [{{model_name: small, litellm_params: {{model: openai/none, mock_response: Hi.}}}}]
general_settings: {{master_key: sk-e2e-master{general}}}
kanmon_settings: {{state_dir: "{state}", workers: 2{more}}}
"""


@pytest.fixture(scope="module")
def issuer():
    with Issuer() as issuer:
        issuer.add_key("first", "RS256")
        for alg in ALGORITHMS:
            issuer.add_key("of " + alg, alg)
        # What sets hold beside: keys for encryption, symmetric ones, what nobody knows yet.
        issuer.more = [{"kty": "oct", "k": "AAAA", "kid": "first"}, {"kty": "AKP", "kid": "new"},
                       {"kty": "RSA", "use": "enc", "kid": "first", "n": "AQAB", "e": "AQAB"}, 7]
        yield issuer


@pytest.fixture(scope="module")
def jwt_gateway(issuer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("jwt")
    more = (f", jwt: [{{issuer: '{issuer.url}', audience: kanmon, admin_scope: gateway-admin, "
            "key_claim: groups.names, team_claim: team, keys: {engineers: team-a}}]")
    with McpGateway(folder, CONFIG.format(state=folder / "state", more=more,
                                          general="")) as gateway:
        gateway.new_key(key_alias="team-a", models=["small"])
        gateway.new_key(key_alias="alice")
        gateway.new_key(team_id="t-7")
        yield gateway


def status(gateway, token, method="GET", path="/v1/models"):
    return gateway.call(method, path, key=token).status


def groups(*names):
    return {"groups": {"names": list(names)}}


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_every_algorithm_with_public_keys(jwt_gateway, issuer, alg):
    token = issuer.token("of " + alg, **groups("alice"))
    assert status(jwt_gateway, token) == 200
    head, claims, sig = token.split(".")
    bad = bytearray(base64.urlsafe_b64decode(sig + "=="))
    bad[7] ^= 1
    forged = f"{head}.{claims}.{base64.urlsafe_b64encode(bytes(bad)).decode().rstrip('=')}"
    assert status(jwt_gateway, forged) == 401


def test_a_token_is_good_on_every_route(jwt_gateway, issuer):
    token = issuer.token(**groups("nobody", "engineers"))
    assert status(jwt_gateway, token) == 200
    chat = jwt_gateway.call("POST", "/v1/chat/completions", {
        "model": "small", "messages": [{"role": "user", "content": "hi"}]}, key=token)
    assert chat.status == 200
    assert jwt_gateway.post(LIST, "/mcp", key=token).status == 200
    info = jwt_gateway.rpc("tools/call", {"name": "key_info"}, key=token)["result"]
    assert info["structuredContent"]["key"]["alias"] == "team-a"
    assert jwt_gateway.call("GET", "/key/list", key=token).status == 403


def test_claims_lead_to_keys(jwt_gateway, issuer):
    assert status(jwt_gateway, issuer.token(**groups("alice"))) == 200
    assert status(jwt_gateway, issuer.token(team="t-7")) == 200
    assert status(jwt_gateway, issuer.token(team="t-8")) == 403
    answer = jwt_gateway.call("GET", "/v1/models", key=issuer.token(**groups("mallory")))
    assert answer.status == 403 and "'mallory'" in answer.json()["error"]["message"]
    admin = issuer.token(scope="openid gateway-admin")
    assert status(jwt_gateway, admin, path="/key/list") == 200
    assert status(jwt_gateway, issuer.token(scope="gateway-administrator"), path="/key/list") == 403


@pytest.mark.parametrize("claims, words", [
    ({"aud": "other"}, "audience"), ({"aud": None}, "audience"), ({"aud": ["x", 7]}, "audience"),
    ({"exp": 1}, "expired"), ({"exp": None}, "no end"), ({"exp": 1e30}, "no end"),
    ({"nbf": time.time() + 4000}, "not valid yet"), ({"nbf": True}, "not valid yet"),
    ({"iat": time.time() + 4000}, "in the future"),
    ({"iss": "http://other.example"}, "issuer"), ({"iss": None}, "issuer"), ({"iss": 5}, "issuer")])
def test_claims_that_do_not_hold(jwt_gateway, issuer, claims, words):
    def sign():
        # PyJWT refuses some of these itself: the parts are put together by hand.
        encode = lambda v: base64.urlsafe_b64encode(v).decode().rstrip("=")
        now = int(time.time())
        said = {"iss": issuer.url, "aud": "kanmon", "exp": now + 300, **groups("alice"), **claims}
        text = encode(b'{"alg":"ES256","kid":"of ES256"}') + "." + encode(json.dumps(
            {k: v for k, v in said.items() if v is not None}).encode())
        from jwt.algorithms import ECAlgorithm
        signed = ECAlgorithm(ECAlgorithm.SHA256).sign(text.encode(), issuer.keys["of ES256"][0])
        return f"{text}.{encode(signed)}"

    answer = jwt_gateway.call("GET", "/v1/models", key=sign())
    assert answer.status == 401 and words in answer.json()["error"]["message"], answer


def test_clocks_may_differ_a_little(jwt_gateway, issuer):
    now = time.time()
    assert status(jwt_gateway, issuer.token(exp=now - 20, **groups("alice"))) == 200
    assert status(jwt_gateway, issuer.token(nbf=now + 20, **groups("alice"))) == 200
    assert status(jwt_gateway, issuer.token(aud=["x", "kanmon"], **groups("alice"))) == 200


def raw(header, claims, signature=b""):
    encode = lambda v: base64.urlsafe_b64encode(v).decode().rstrip("=")
    return ".".join((encode(json.dumps(header).encode()), encode(json.dumps(claims).encode()),
                     encode(signature)))


def test_confusions_of_algorithms(jwt_gateway, issuer):
    claims = {"iss": issuer.url, "aud": "kanmon", "exp": time.time() + 300, **groups("alice")}
    for alg in ("none", "None", "NONE", "", None, 7, "HS256"):
        assert status(jwt_gateway, raw({"alg": alg, "kid": "first"}, claims, b"x")) == 401
    # The public key as a shared secret.
    header = {"alg": "HS256", "kid": "first"}
    text = raw(header, claims).rsplit(".", 1)[0]
    mac = hmac.digest(issuer.public_pem("first"), text.encode(), "sha256")
    assert status(jwt_gateway, raw(header, claims, mac)) == 401
    # A key of one algorithm for another.
    private = issuer.keys["first"][0]
    assert status(jwt_gateway, issuer.token("first", alg="PS256", **groups("alice"))) == 401
    assert status(jwt_gateway, issuer.token("of ES256", key=private, alg="RS256",
                                            **groups("alice"))) == 401
    assert status(jwt_gateway, issuer.token("first", headers={"crit": ["b64"], "b64": False},
                                            **groups("alice"))) == 401
    assert status(jwt_gateway, issuer.token("first", headers={"typ": "logout+jwt"},
                                            **groups("alice"))) == 401
    for text in ("eyJ.eyJ.eyJ", "ey..", "eyJhbGciOiJSUzI1NiJ9..", "eyJ" + "a" * 17000 + ".e.e"):
        assert jwt_gateway.call("GET", "/v1/models", key=text).status in (401, 431)


def test_keys_are_fetched_once_and_again_when_they_turn(tmp_path):
    with Issuer() as issuer:
        issuer.add_key("first", "ES256")
        more = f", jwt: [{{issuer: '{issuer.url}', audience: kanmon, default_key: all}}]"
        config = CONFIG.format(state=tmp_path / "state", more=more, general="")
        with McpGateway(tmp_path, config) as gateway:
            gateway.new_key(key_alias="all")
            assert issuer.asked == []
            for _ in range(20):
                assert status(gateway, issuer.token()) == 200
            assert issuer.asked_for_keys() == 1
            issuer.add_key("second", "ES256")
            assert status(gateway, issuer.token("second")) == 200
            assert issuer.asked_for_keys() == 2
            # Tokens of strangers, one after the other, do not make the issuer be asked each time.
            stranger = issuer.add_key("third", "ES256")
            del issuer.keys["third"]
            for n in range(20):
                token = issuer.token(key=stranger, alg="ES256", headers={"kid": f"stranger-{n}"})
                assert status(gateway, token) == 401
            assert issuer.asked_for_keys() <= 4
            assert status(gateway, issuer.token("first")) == 200
            # The metadata say who is asked: the built-in server is not.
            found = gateway.call("GET", "/.well-known/oauth-protected-resource/mcp",
                                 key=None).json()
            assert found["authorization_servers"] == [issuer.url]
            assert gateway.call("GET", "/.well-known/oauth-authorization-server",
                                key=None).status == 404


def test_an_issuer_that_is_down(tmp_path):
    with Issuer() as issuer:
        issuer.add_key("first", "RS256")
        issuer.status = 500
        more = f", jwt: [{{issuer: '{issuer.url}', audience: kanmon, default_key: all}}]"
        config = CONFIG.format(state=tmp_path / "state", more=more, general="")
        with McpGateway(tmp_path, config) as gateway:
            gateway.new_key(key_alias="all")
            answer = gateway.call("GET", "/v1/models", key=issuer.token())
            assert answer.status == 503 and "keys of the issuer" in answer.json()["error"]["message"]
            assert status(gateway, "sk-e2e-master") == 200
            issuer.status = 200
            wait_until(lambda: status(gateway, issuer.token()) == 200, 30)


def test_litellms_settings(tmp_path):
    with Issuer() as issuer:
        issuer.add_key("first", "RS256")
        general = (", enable_jwt_auth: true, litellm_jwtauth: {admin_jwt_scope: litellm_proxy_admin,"
                   " virtual_key_claim_field: sub, team_id_jwt_field: team}")
        config = CONFIG.format(state=tmp_path / "state", more="", general=general)
        gateway = McpGateway(tmp_path, config, {
            "JWT_PUBLIC_KEY_URL": issuer.url + "/keys", "JWT_AUDIENCE": "kanmon"})
        with gateway:
            gateway.new_key(key_alias="alice")
            assert status(gateway, issuer.token(sub="alice")) == 200
            assert status(gateway, issuer.token(sub="alice", aud="other")) == 401
            assert status(gateway, issuer.token(sub="bob")) == 403
            admin = issuer.token(scope="litellm_proxy_admin")
            assert status(gateway, admin, path="/key/list") == 200


@pytest.mark.parametrize("how", ["block", "delete"])
def test_sessions_of_tokens_end_with_the_key_they_stand_for(jwt_gateway, issuer, how):
    alias = f"revoked-{how}"
    key = jwt_gateway.new_key(key_alias=alias)
    token = issuer.token(**groups(alias))
    head = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25",
            "authorization": f"Bearer {token}", "content-type": "application/json"}
    hello = jwt_gateway.call("POST", "/mcp", {
        "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": {"name": "t", "version": "1"}}}, key=None, headers=head)
    link = http.client.HTTPConnection("127.0.0.1", jwt_gateway.port, timeout=patient(30))
    link.request("GET", "/mcp", headers={**head, "mcp-session-id": hello.header("mcp-session-id")})
    answer = link.getresponse()
    assert answer.status == 200
    body = {"keys": [key]} if how == "delete" else {"key": key}
    assert jwt_gateway.call("POST", f"/key/{how}", body).status == 200
    ends = time.monotonic() + 30
    while answer.read1(65536):  # signs of life
        assert time.monotonic() < ends, "the stream goes on"
    link.close()
