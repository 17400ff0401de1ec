# SPDX-License-Identifier: Apache-2.0
"""The built-in authorization server, as it looks on the wire."""

import base64
import hashlib
import json
import secrets
import sqlite3
import urllib.parse

import pytest
from browser import Browser
from conftest import McpGateway
from gateway import request

LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
CALLBACK = "http://127.0.0.1:41999/callback"
VERIFIER = "v" * 43


def s256(verifier):
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def form(gateway, path, fields, key=None, headers=None):
    return request(gateway.port, "POST", path, urllib.parse.urlencode(fields), key,
                   {"content-type": "application/x-www-form-urlencoded", **(headers or {})})


def register(gateway, **more):
    answer = gateway.call("POST", "/oauth/register",
                          {"client_name": "Tester", "redirect_uris": [CALLBACK], **more}, key=None)
    assert answer.status == 201, answer
    return answer.json()["client_id"]


def question(gateway, client, path="/mcp", **more):
    """The address a client opens in the browser."""
    fields = {"response_type": "code", "client_id": client, "redirect_uri": CALLBACK,
              "state": "a state", "code_challenge": s256(VERIFIER), "code_challenge_method": "S256",
              "resource": gateway.url + path, **more}
    return gateway.url + "/oauth/authorize?" + urllib.parse.urlencode(
        {k: v for k, v in fields.items() if v is not None})


def redeem(gateway, client, code, **more):
    return form(gateway, "/oauth/token", {
        "grant_type": "authorization_code", "client_id": client, "code": code,
        "redirect_uri": CALLBACK, "code_verifier": VERIFIER, **more})


def refresh(gateway, client, token, **more):
    return form(gateway, "/oauth/token", {
        "grant_type": "refresh_token", "client_id": client, "refresh_token": token, **more})


def log_in(gateway, key, path="/mcp", client=None):
    """(client, tokens)"""
    client = client or register(gateway)
    back = Browser(gateway).log_in(question(gateway, client, path), key)
    answer = redeem(gateway, client, back.query["code"])
    assert answer.status == 200, answer
    return client, answer.json()


def status(gateway, token, path="/mcp"):
    return gateway.post(LIST, path, key=token).status


@pytest.fixture
def own_key(gateway):
    return gateway.new_key()


def test_the_challenge_leads_to_the_metadata(gateway):
    answer = gateway.post(LIST, "/mcp/kanmon", key=None)
    url = f"{gateway.url}/.well-known/oauth-protected-resource/mcp/kanmon"
    assert answer.status == 401
    assert answer.header("www-authenticate") == f'Bearer resource_metadata="{url}", scope="mcp"'
    said = gateway.post(LIST, key="sk-wrong-0123456789abcd").header("www-authenticate")
    assert said.startswith('Bearer error="invalid_token", resource_metadata=')
    found = gateway.call("GET", "/.well-known/oauth-protected-resource/mcp/kanmon", key=None).json()
    assert found["resource"] == gateway.url + "/mcp/kanmon"
    assert found["authorization_servers"] == [gateway.url]
    root = gateway.call("GET", "/.well-known/oauth-protected-resource", key=None).json()
    assert root["resource"] == gateway.url
    for path in ("no/such", "health/liveness", "oauth/token"):
        assert gateway.call("GET", f"/.well-known/oauth-protected-resource/{path}",
                            key=None).status == 404
    meta = gateway.call("GET", "/.well-known/oauth-authorization-server", key=None).json()
    assert meta["issuer"] == gateway.url
    assert meta["code_challenge_methods_supported"] == ["S256"]
    assert meta["client_id_metadata_document_supported"] is True
    assert meta["authorization_response_iss_parameter_supported"] is True


def test_a_whole_log_in(gateway, own_key):
    client = register(gateway)
    browser = Browser(gateway)
    page = browser.get(question(gateway, client))
    assert page.status == 200
    assert "Tester" in page.form.text and "127.0.0.1:41999" in page.form.text
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none';")
    assert "script" not in policy and "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self' http://127.0.0.1:41999" in policy
    assert page.headers["x-frame-options"] == "DENY"
    assert page.headers["cache-control"] == "no-store"
    assert "HttpOnly" in page.headers["set-cookie"] and "SameSite" in page.headers["set-cookie"]
    back = browser.submit(page, own_key)
    assert back.status == 303
    assert back.location.startswith(CALLBACK + "?code=")
    assert back.query["state"] == "a state" and back.query["iss"] == gateway.url
    answer = redeem(gateway, client, back.query["code"])
    assert answer.header("cache-control") == "no-store"
    tokens = answer.json()
    assert tokens["token_type"] == "Bearer" and tokens["expires_in"] == 3600
    token = tokens["access_token"]
    assert status(gateway, token) == 200
    assert status(gateway, token, "/mcp/kanmon") == 200
    # It is the key's: its name, its rights, its books.
    info = gateway.rpc("tools/call", {"name": "key_info"}, key=token)["result"]["structuredContent"]
    assert info["admin"] is False
    # It stands for MCP, and for nothing beside.
    assert gateway.call("GET", "/v1/models", key=token).status == 401
    assert gateway.call("GET", "/key/list", key=token).status == 401


def test_a_token_for_the_whole_gateway_calls_models_too(gateway, own_key):
    _, tokens = log_in(gateway, own_key, "")
    token = tokens["access_token"]
    assert status(gateway, token) == 200
    chat = gateway.call("POST", "/v1/chat/completions", {
        "model": "small", "messages": [{"role": "user", "content": "hi"}]}, key=token)
    assert chat.status == 200, chat
    assert gateway.call("GET", "/key/list", key=token).status == 403


def test_a_token_of_one_server_is_not_for_the_others(gateway, own_key):
    _, tokens = log_in(gateway, own_key, "/mcp/kanmon")
    assert status(gateway, tokens["access_token"], "/mcp/kanmon") == 200
    answer = gateway.post(LIST, "/mcp", key=tokens["access_token"])
    assert answer.status == 401 and "another resource" in answer.json()["error"]["message"]


def test_refresh_turns_both_tokens(gateway, own_key):
    client, first = log_in(gateway, own_key)
    second = refresh(gateway, client, first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]
    # Calls under way with the older one go on.
    assert status(gateway, first["access_token"]) == status(gateway, second["access_token"]) == 200
    # An answer that got lost: the same once more, within half a minute.
    third = refresh(gateway, client, first["refresh_token"])
    assert third.status == 200, third
    # By then the first is two back: nobody's.
    refused = refresh(gateway, client, first["refresh_token"])
    assert (refused.status, refused.json()["error"]) == (400, "invalid_grant")
    other = refresh(gateway, register(gateway, client_name="Other"), third.json()["refresh_token"])
    assert other.json()["error"] == "invalid_grant"
    wrong = refresh(gateway, client, third.json()["refresh_token"],
                    resource=gateway.url + "/mcp/kanmon")
    assert wrong.json()["error"] == "invalid_target"


def test_a_code_is_good_once(gateway, own_key):
    client = register(gateway)
    back = Browser(gateway).log_in(question(gateway, client), own_key)
    token = redeem(gateway, client, back.query["code"]).json()["access_token"]
    assert status(gateway, token) == 200
    again = redeem(gateway, client, back.query["code"])
    assert (again.status, again.json()["error"]) == (400, "invalid_grant")
    assert status(gateway, token) == 401  # whoever has it: the log-in is over


@pytest.mark.parametrize("change", [
    {"code_verifier": "w" * 43}, {"code_verifier": "short"}, {"code_verifier": ""},
    {"redirect_uri": CALLBACK + "2"}, {"client_id": "another"}, {"code": "kmac_none"},
    {"resource": "https://elsewhere.example/mcp"}])
def test_a_code_is_its_clients(gateway, own_key, change):
    client = register(gateway)
    back = Browser(gateway).log_in(question(gateway, client), own_key)
    answer = redeem(gateway, **{"client": client, "code": back.query["code"], **change}) \
        if "code" in change else redeem(gateway, client, back.query["code"], **change)
    assert answer.status == 400
    assert answer.json()["error"] in ("invalid_grant", "invalid_target", "invalid_request")


def test_tokens_end_with_their_key(gateway):
    key = gateway.new_key()
    client, tokens = log_in(gateway, key)
    hashed = hashlib.sha256(key.encode()).hexdigest()
    gateway.call("POST", "/key/block", {"key": hashed})
    assert status(gateway, tokens["access_token"]) == 401
    gateway.call("POST", "/key/unblock", {"key": hashed})
    assert status(gateway, tokens["access_token"]) == 200
    gateway.call("POST", "/key/delete", {"keys": [hashed]})
    assert status(gateway, tokens["access_token"]) == 401
    refused = refresh(gateway, client, tokens["refresh_token"])
    assert (refused.status, refused.json()["error"]) == (400, "invalid_grant")


def test_revocation_and_introspection(gateway, own_key):
    _, tokens = log_in(gateway, own_key)
    ask = lambda key: form(gateway, "/oauth/introspect", {"token": tokens["access_token"]}, key)
    assert ask(None).status == 401
    for key in ("sk-e2e-master", own_key):
        found = ask(key).json()
        assert found["active"] is True and found["aud"] == gateway.url + "/mcp"
    assert ask(gateway.new_key()).json() == {"active": False}
    assert form(gateway, "/oauth/revoke", {"token": tokens["refresh_token"]}).status == 200
    assert status(gateway, tokens["access_token"]) == 401
    assert ask("sk-e2e-master").json() == {"active": False}
    assert form(gateway, "/oauth/revoke", {"token": "no such"}).status == 200


def test_wrong_keys_get_the_page_again(gateway, own_key):
    browser = Browser(gateway)
    page = browser.get(question(gateway, register(gateway)))
    for wrong, words in (("", "not known"), ("sk-none-0123456789", "not known"),
                         ("sk-e2e-master", "master key")):
        page = browser.submit(page, wrong)
        assert page.status in (401, 403) and words in page.form.text
        assert "location" not in page.headers
    assert browser.submit(page, own_key).status == 303


def test_a_user_may_refuse(gateway):
    browser = Browser(gateway)
    back = browser.submit(browser.get(question(gateway, register(gateway))), "", "deny")
    assert back.query["error"] == "access_denied" and back.query["state"] == "a state"


def test_a_form_is_one_browsers(gateway, own_key):
    page = Browser(gateway).get(question(gateway, register(gateway)))
    stranger = Browser(gateway)
    assert stranger.submit(page, own_key).status == 403
    stranger.get(question(gateway, register(gateway)))  # has a cookie now, of its own
    assert stranger.submit(page, own_key).status == 403
    browser = Browser(gateway)
    page = browser.get(question(gateway, register(gateway)))
    for origin in ("https://evil.example", "null"):
        assert browser.submit(page, own_key, headers={"origin": origin}).status == 403
    page.form.fields["request"] = page.form.fields["request"][:-4] + "AAAA"
    assert browser.submit(page, own_key).status == 403


@pytest.mark.parametrize("change", [
    {"client_id": "made-up"}, {"client_id": None}, {"redirect_uri": "https://evil.example/"},
    {"redirect_uri": CALLBACK + "/more"}, {"redirect_uri": "javascript:alert(1)"},
    {"client_id": "https://127.0.0.1:1/document"}])
def test_nobody_is_sent_to_a_stranger(gateway, change):
    url = question(gateway, register(gateway))
    parts = urllib.parse.urlsplit(url)
    fields = {**dict(urllib.parse.parse_qsl(parts.query)), **change}
    page = Browser(gateway).get(parts._replace(query=urllib.parse.urlencode(
        {k: v for k, v in fields.items() if v is not None})).geturl())
    assert page.status >= 400 and page.location is None


@pytest.mark.parametrize("change, error", [
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"code_challenge": None}, "invalid_request"),
    ({"code_challenge_method": "plain"}, "invalid_request"),
    ({"code_challenge_method": None}, "invalid_request"),
    ({"resource": "https://elsewhere.example/mcp"}, "invalid_target")])
def test_the_client_is_told_what_is_wrong(gateway, change, error):
    page = Browser(gateway).get(question(gateway, register(gateway), **change))
    assert page.status == 303 and page.location.startswith(CALLBACK + "?")
    assert page.query["error"] == error and page.query["iss"] == gateway.url


def test_loopback_redirects_have_any_port(gateway, own_key):
    client = register(gateway)
    for other in ("http://127.0.0.1:5/callback", "http://127.0.0.1/callback"):
        url = question(gateway, client, redirect_uri=other)
        back = Browser(gateway).log_in(url, own_key)
        assert back.location.startswith(other + "?code=")
    assert Browser(gateway).get(question(
        gateway, client, redirect_uri="http://localhost:5/callback")).status == 400


@pytest.mark.parametrize("redirects", [
    [], "no list", ["http://evil.example/cb"], ["javascript://x/%0aalert(1)"], ["data:text/html,x"],
    ["https://user@x.example/"], ["https://x.example/#part"], ["https://x.example/\r\nX: y"],
    ["https://x.example/"] * 9, ["https://x.example/" + "a" * 600]])
def test_what_cannot_be_registered(gateway, redirects):
    answer = gateway.call("POST", "/oauth/register", {"redirect_uris": redirects}, key=None)
    assert (answer.status, answer.json()["error"]) == (400, "invalid_redirect_uri")


def test_names_of_clients_are_text(gateway):
    client = register(gateway, client_name="<script>alert('x')</script>")
    page = Browser(gateway).get(question(gateway, client))  # the parser refuses a script
    assert "alert('x')" in page.form.text


def test_an_application_with_a_scheme_of_its_own(gateway, own_key):
    uri = "cursor://anysphere.cursor-retrieval/oauth/callback"
    client = register(gateway, redirect_uris=[uri])
    browser = Browser(gateway)
    page = browser.get(question(gateway, client, redirect_uri=uri))
    assert "form-action 'self' cursor:" in page.headers["content-security-policy"]
    assert browser.submit(page, own_key).location.startswith(uri + "?code=")


def test_pages_may_use_what_programs_use(gateway):
    page = {"origin": "https://inspector.example"}
    for path in ("/.well-known/oauth-authorization-server",
                 "/.well-known/oauth-protected-resource/mcp"):
        answer = gateway.call("GET", path, key=None, headers=page)
        assert (answer.status, answer.header("access-control-allow-origin")) == (200, "*")
    answer = gateway.call("OPTIONS", "/oauth/token", key=None, headers={
        **page, "access-control-request-method": "POST",
        "access-control-request-headers": "mcp-protocol-version"})
    assert answer.status == 204
    assert answer.header("access-control-allow-headers") == "mcp-protocol-version"
    assert form(gateway, "/oauth/token", {"grant_type": "x"}, headers=page).status == 400
    # Nothing else, of origins that are not listed.
    assert gateway.post(LIST, headers=page).status == 403
    answer = gateway.call("OPTIONS", "/mcp", key=None, headers={
        **page, "access-control-request-method": "POST"})
    assert answer.header("access-control-allow-origin") is None


def test_bodies_that_are_none(gateway):
    for body, kind in (("", "application/x-www-form-urlencoded"), ("{}", "application/json"),
                       ("a=%00", "application/x-www-form-urlencoded"),
                       ("grant_type=refresh_token&grant_type=x",
                        "application/x-www-form-urlencoded"),
                       ("x=" + "y" * 20000, "application/x-www-form-urlencoded")):
        answer = request(gateway.port, "POST", "/oauth/token", body, None, {"content-type": kind})
        assert answer.status in (400, 413, 415) and "error" in answer.json(), body
    for body in ("", "[]", "{", '"x"'):
        answer = request(gateway.port, "POST", "/oauth/register", body, None,
                         {"content-type": "application/json"})
        assert answer.status == 400


def test_no_secret_is_kept(gateway, own_key):
    _, tokens = log_in(gateway, own_key)
    state = gateway.folder / "state"
    for path in [*state.glob("*.db*"), gateway.log]:
        data = path.read_bytes()
        for secret in (tokens["access_token"], tokens["refresh_token"], own_key):
            assert secret.encode() not in data, path
    with sqlite3.connect(next(state.glob("*.db"))) as store:
        actions = [row[0] for row in store.execute(
            "SELECT action FROM audit WHERE action LIKE 'oauth.%'")]
    assert "oauth.grant" in actions


CONFIG = """
model_list: [{{model_name: small, litellm_params: {{model: openai/none, mock_response: Hi.}}}}]
general_settings: {{{master}}}
kanmon_settings: {{state_dir: "{state}", workers: 2{more}}}
"""


def make(tmp_path, more="", master="master_key: sk-e2e-master"):
    return McpGateway(tmp_path, CONFIG.format(state=tmp_path / "state", more=more, master=master))


def test_a_log_in_survives_a_restart(tmp_path):
    with make(tmp_path) as gateway:
        key = gateway.new_key()
        client, tokens = log_in(gateway, key)
        other = register(gateway)
    with gateway.start():
        assert status(gateway, tokens["access_token"]) == 200
        second = refresh(gateway, client, tokens["refresh_token"])
        assert second.status == 200, second
        log_in(gateway, key, client=other)  # a registration is still good


def test_off_and_elsewhere(tmp_path):
    origin = secrets.token_hex(4)
    more = (f", public_url: 'https://ai.example/', oauth: {{server: off}}, "
            f"allowed_origins: ['https://{origin}.example']")
    with make(tmp_path, more) as gateway:
        assert gateway.call("GET", "/.well-known/oauth-authorization-server",
                            key=None).status == 404
        assert gateway.post(LIST, key=None).header("www-authenticate") == "Bearer"
        assert gateway.call("POST", "/oauth/register", {"redirect_uris": [CALLBACK]},
                            key=None).status == 404
        assert gateway.call("GET", "/oauth/authorize", key=None).status == 404
        page = {"origin": f"https://{origin}.example"}
        answer = gateway.post(LIST, headers=page)
        assert answer.status == 200
        assert answer.header("access-control-allow-origin") == page["origin"]
        answer = gateway.call("OPTIONS", "/mcp", key=None, headers={
            **page, "access-control-request-method": "POST",
            "access-control-request-headers": "authorization,mcp-session-id"})
        assert answer.status == 204
        assert answer.header("access-control-allow-headers") == "authorization,mcp-session-id"
        text = gateway.config.read_text().replace("server: off", "server: on")
        gateway.config.write_text(text)
        assert gateway.command("reload", "--config", gateway.config).returncode == 0
        found = gateway.call("GET", "/.well-known/oauth-authorization-server", key=None).json()
        assert found["issuer"] == "https://ai.example"
        assert found["token_endpoint"] == "https://ai.example/oauth/token"


def test_a_path_that_asks_nobody_is_no_protected_resource(tmp_path):
    passes = ("master_key: sk-e2e-master, pass_through_endpoints: ["
              "{path: /asks, target: 'http://127.0.0.1:9/', auth: true}, "
              "{path: /open, target: 'http://127.0.0.1:9/', auth: false}]")
    with make(tmp_path, master=passes) as gateway:
        for path, status_is in (("asks", 200), ("open", 404)):
            assert gateway.call("GET", f"/.well-known/oauth-protected-resource/{path}",
                                key=None).status == status_is


def test_where_nobody_is_asked_nobody_logs_in(tmp_path):
    with make(tmp_path, master="") as gateway:
        assert gateway.post(LIST, key=None).status == 200
        assert gateway.call("GET", "/.well-known/oauth-protected-resource/mcp",
                            key=None).status == 404
        assert json.loads(gateway.call("POST", "/oauth/register", {"redirect_uris": [CALLBACK]},
                                       key=None).body)["error"]
