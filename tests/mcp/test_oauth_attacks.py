# SPDX-License-Identifier: Apache-2.0
"""The built-in authorization server under attack; what it does for honest clients is test_oauth.py."""

import base64
import concurrent.futures
import contextlib
import hashlib
import http.client
import json
import socket
import threading
import urllib.parse

import pytest
from browser import Browser
from conftest import McpGateway
from gateway import patient, request
from test_oauth import (CALLBACK, LIST, VERIFIER, form, make, question, redeem, refresh, register,
                        status)
from test_oauth import log_in as log_in_as


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with make(tmp_path_factory.mktemp("attacks")) as started:
        yield started


@pytest.fixture(scope="module")
def client(gateway):
    """One for all: an address may register sixty a minute."""
    return register(gateway)


@pytest.fixture
def own_key(gateway):
    return gateway.new_key()


@pytest.fixture
def log_in(gateway, client):
    return lambda key, path="/mcp": log_in_as(gateway, key, path, client)


@pytest.fixture
def code(gateway, client, own_key):
    """(client, code) of a log-in that waits to be redeemed."""
    return client, Browser(gateway).log_in(question(gateway, client), own_key).query["code"]


def at_once(n, what):
    with concurrent.futures.ThreadPoolExecutor(n) as pool:
        return list(pool.map(lambda _: what(), range(n)))


# --- codes ---


def test_a_code_that_many_redeem_at_once_is_nobodys_in_the_end(gateway, code):
    answers = at_once(12, lambda: redeem(gateway, *code))
    good = [a.json()["access_token"] for a in answers if a.status == 200]
    assert len(good) <= 1 and {a.status for a in answers} <= {200, 400}
    assert all(status(gateway, token) == 401 for token in good)  # it came twice: it was stolen


@pytest.mark.parametrize("leave_out", ["code_verifier", "redirect_uri", "client_id"])
def test_nothing_that_binds_a_code_may_be_left_out(gateway, code, leave_out):
    client, secret = code
    fields = {"grant_type": "authorization_code", "client_id": client, "code": secret,
              "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    del fields[leave_out]
    answer = form(gateway, "/oauth/token", fields)
    assert answer.status == 400 and "access_token" not in answer.json()


def test_the_challenge_itself_is_no_verifier(gateway, code):
    """A server that falls back to `plain` would take what everybody could see in the address."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode()
    answer = redeem(gateway, *code, code_verifier=challenge.rstrip("="), code_challenge_method="plain")
    assert answer.json()["error"] == "invalid_grant"


def test_a_code_is_for_the_redirect_it_was_sent_to(gateway, client, own_key, log_in):
    """A loopback port is free to choose, but not between the question and the code."""
    other = CALLBACK.replace("41999", "41998")
    back = Browser(gateway).log_in(question(gateway, client, redirect_uri=other), own_key)
    assert back.location.startswith(other)
    answer = redeem(gateway, client, back.query["code"])
    assert answer.json()["error"] == "invalid_grant"


def test_what_is_one_thing_is_no_other(gateway, own_key, code, log_in):
    """A code is no token, an access token refreshes nothing, a refresh token opens nothing."""
    client, tokens = log_in(own_key)
    assert status(gateway, code[1]) == 401
    assert status(gateway, tokens["refresh_token"]) == 401
    for wrong in (code[1], tokens["access_token"]):
        assert refresh(gateway, client, wrong).json()["error"] == "invalid_grant"
    assert redeem(gateway, client, tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert status(gateway, tokens["access_token"]) == 200


# --- where a browser is sent ---


@pytest.mark.parametrize("redirect", [
    "http://127.0.0.1.evil.example/callback", "http://localhost.evil.example/callback",
    "http://127.0.0.1:41999@evil.example/callback", "http://evil.example#127.0.0.1/callback",
    "http://127.0.0.1:41999\\@evil.example/callback", "//evil.example/callback", "/callback",
    "http://[::ffff:10.0.0.1]/callback", "http://10.0.0.1/callback", "https:evil.example",
    "HTTP://evil.example/callback", "http://127.0.0.1:41999/callback\r\nLocation: https://evil",
    "file:///etc/passwd", "intent\t://x", "view-source:http://127.0.0.1/", "http://"])
def test_redirects_that_only_look_harmless(gateway, client, redirect):
    answer = gateway.call("POST", "/oauth/register", {"redirect_uris": [redirect]}, key=None)
    assert (answer.status, answer.json()["error"]) == (400, "invalid_redirect_uri")
    page = Browser(gateway).get(question(gateway, client, redirect_uri=redirect))
    assert page.status >= 400 and page.location is None


@pytest.mark.parametrize("other", [
    CALLBACK + "/", CALLBACK + "?next=https://evil.example", CALLBACK + "/../callback",
    CALLBACK.replace("callback", "Callback"), CALLBACK.replace("callback", "%63allback"),
    CALLBACK.replace("127.0.0.1", "127.0.0.2"), CALLBACK.replace("http:", "https:"),
    CALLBACK.replace("127.0.0.1", "localhost")])
def test_a_redirect_that_is_nearly_the_registered_one(gateway, client, other):
    page = Browser(gateway).get(question(gateway, client, redirect_uri=other))
    assert page.status >= 400 and page.location is None


def test_a_field_that_comes_twice_is_no_choice(gateway, client):
    """Two readers could take different ones: nobody is sent anywhere."""
    url = question(gateway, client)
    for name in ("redirect_uri", "client_id", "state", "code_challenge"):
        page = Browser(gateway).get(f"{url}&{name}=https%3A%2F%2Fevil.example%2F")
        assert not (page.location or "").startswith("https://evil"), name
        assert page.status >= 400 or page.query.get("error") == "invalid_request", name


def test_what_a_client_says_stays_in_its_place(gateway, client, own_key):
    """A state with line ends or markup changes neither the head nor the page."""
    state = "x\r\nSet-Cookie: a=b\r\n\r\n<script>alert(1)</script>\"'&iss=https://evil.example"
    browser = Browser(gateway)
    page = browser.get(question(gateway, client, state=state))
    assert page.status == 200 and "<script>" not in page.body
    back = browser.submit(page, own_key)
    assert "a" not in browser.cookies and back.query["state"] == state
    assert back.query["iss"] == gateway.url


# --- forms ---


def test_a_form_is_not_sent_from_elsewhere(gateway, client, own_key):
    """A page of another origin has the victim's browser post a form, with its cookie."""
    browser = Browser(gateway)
    page = browser.get(question(gateway, client))
    for origin in ("https://evil.example", "null", gateway.url + ".evil.example",
                   gateway.url.replace("http:", "https:") + ":1"):
        assert browser.submit(page, own_key, headers={"origin": origin}).status == 403
    for kind in ("text/plain", "multipart/form-data; boundary=x", "application/json"):
        answer = request(gateway.port, "POST", "/oauth/authorize", urllib.parse.urlencode(
            {**page.form.fields, "key": own_key, "decision": "allow"}), None,
            {"content-type": kind, "cookie": f"km_login={browser.cookies['km_login']}"})
        assert answer.status == 415
    assert browser.get(page.form.action + "?" + urllib.parse.urlencode(
        {**page.form.fields, "key": own_key, "decision": "allow"})).location is None


def test_a_form_for_one_client_grants_no_other(gateway, client, own_key):
    """What was asked is signed: changed fields beside it are not read."""
    browser = Browser(gateway)
    page = browser.get(question(gateway, client))
    page.form.fields |= {"client_id": "evil", "redirect_uri": "https://evil.example/",
                         "resource": gateway.url}
    back = browser.submit(page, own_key)
    assert back.location.startswith(CALLBACK)
    # Nor does what is signed for one purpose open for another.
    signed = page.form.fields["request"]
    for field in ("client_id", "ticket"):
        url = f"{gateway.url}/oauth/authorize?" + urllib.parse.urlencode(
            {"client_id": "kmoc_" + signed, "redirect_uri": CALLBACK, "response_type": "code"})
        assert browser.get(url).status >= 400, field


def test_behind_https_no_other_host_sets_the_cookie(tmp_path):
    with make(tmp_path, ", public_url: 'https://ai.example'") as gateway:
        client = register(gateway)
        url = question(gateway, client, resource=None).replace("https://ai.example", gateway.url)
        page = Browser(gateway).get(url)
        cookie = page.headers["set-cookie"]
        assert cookie.startswith("__Host-km_login=") and "; Secure" in cookie and "Domain" not in cookie
        # One that plain http could set is not taken for it.
        value = cookie.split("=", 1)[1].split(";")[0]
        answer = form(gateway, "/oauth/authorize", {**page.form.fields, "key": "x", "decision": "deny"},
                      headers={"cookie": f"km_login={value}"})
        assert answer.status == 403
        answer = form(gateway, "/oauth/authorize", {**page.form.fields, "key": "x", "decision": "deny"},
                      headers={"cookie": f"__Host-km_login={value}"})
        assert answer.status == 303


# --- floods ---


def from_address(gateway, address, method, path, body, headers):
    link = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=patient(30),
                                      source_address=(address, 0))
    try:
        link.request(method, path, body, headers)
        answer = link.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        link.close()


def test_a_flood_of_registrations_is_one_addresss(tmp_path):
    with make(tmp_path) as gateway:
        body = json.dumps({"redirect_uris": [CALLBACK]})
        head = {"content-type": "application/json"}
        said = [from_address(gateway, "127.0.0.9", "POST", "/oauth/register", body, head)
                for _ in range(80)]
        assert [s[0] for s in said].count(201) == 60
        status_, headers, _ = said[-1]
        assert status_ == 429 and 0 < int(headers["retry-after"]) <= 60
        assert from_address(gateway, "127.0.0.8", "POST", "/oauth/register", body, head)[0] == 201
        log_in_as(gateway, gateway.new_key())  # others log in meanwhile
        # Nothing is kept of who registers.
        size = sum(p.stat().st_size for p in (tmp_path / "state").glob("*.db"))
        assert size < 4_000_000


def test_keys_cannot_be_tried_at_the_page(tmp_path):
    with make(tmp_path) as gateway:
        key = gateway.new_key()
        browser = Browser(gateway)
        page = browser.get(question(gateway, register(gateway)))
        head = {"content-type": "application/x-www-form-urlencoded", "origin": gateway.url,
                "cookie": f"km_login={browser.cookies['km_login']}"}

        def attempt(address, secret):
            return from_address(gateway, address, "POST", "/oauth/authorize", urllib.parse.urlencode(
                {**page.form.fields, "key": secret, "decision": "allow"}), head)[0]

        said = [attempt("127.0.0.7", f"sk-guess-{n:012}") for n in range(24)]
        assert said[:20] == [401] * 20 and set(said[20:]) == {429}
        assert attempt("127.0.0.7", key) == 429  # also when it is right
        assert attempt("127.0.0.6", key) == 303


# --- documents of clients ---


@contextlib.contextmanager
def listener(family=socket.AF_INET, host="127.0.0.1"):
    """(port, connections): whoever connects is counted and hung up on."""
    with socket.socket(family) as server:
        server.bind((host, 0))
        server.listen(64)
        came = []

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    link, peer = server.accept()
                    came.append(peer)
                    link.close()

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1], came


@pytest.mark.parametrize("host", [
    "127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0.0.0.0",
    "127.255.255.254", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:0:0:1]",
    "localhost.", "LOCALHOST", "user@127.0.0.1", "[::]", "[fe80::1%25lo]"])
def test_a_clients_document_leads_to_no_private_address(gateway, client, host):
    with listener() as (port, came), listener(socket.AF_INET6, "::1") as (six, came6):
        for at in (port, six):
            url = question(gateway, f"https://{host}:{at}/client.json")
            page = Browser(gateway).get(url)
            assert page.status >= 400 and page.location is None
        assert not came and not came6


@pytest.mark.parametrize("client", [
    "http://example.com/client.json", "https://example.com", "https://example.com/",
    "https://example.com/a/../client.json", "ftp://example.com/x", "https://example.com:0/x",
    "https://169.254.169.254/latest/meta-data", "https://10.0.0.1/x", "https://[fd00::1]/x",
    "https://100.64.0.1/x", "https://192.168.0.1/x", "https://metadata.google.internal/x"])
def test_addresses_that_are_no_clients(gateway, client):
    page = Browser(gateway).get(question(gateway, client))
    assert page.status >= 400 and page.location is None
    assert redeem(gateway, client, "kmac_x").status == 400


# --- what a token opens ---


@pytest.mark.parametrize("path", [
    "/mcp", "/mcp/", "/mcp/kanmonx", "/mcp/kanmon,other", "/mcp/other", "/kanmon/mcp", "/sse",
    "/sse/kanmon", "/MCP/kanmon", "/mcp/KANMON", "//mcp/kanmon", "/mcp//kanmon",
    "/mcp/kanmon/../kanmonx", "/mcp/kanmon/..", "/mcp/kanmon/%2e%2e/other", "/mcp/%6banmon/../x",
    "/mcp-rest/tools/call", "/v1/mcp/server", "/v1/models", "/v1/chat/completions", "/key/info"])
def test_a_token_for_one_server_opens_nothing_beside_it(gateway, own_key, path, log_in):
    _, tokens = log_in(own_key, "/mcp/kanmon")
    token = tokens["access_token"]
    assert status(gateway, token, "/mcp/kanmon") == 200
    for method in ("POST", "GET"):
        answer = gateway.call(method, path, LIST if method == "POST" else None, key=token,
                              headers={"accept": "application/json, text/event-stream"})
        # Where a path is none, it may be told so; never is there an answer of a server.
        assert answer.status in (400, 401, 404, 405), (method, answer)
        assert b'"result"' not in answer.body and b'"data"' not in answer.body


def test_a_header_does_not_widen_it(gateway, own_key, log_in):
    _, tokens = log_in(own_key, "/mcp/kanmon")
    for name in ("x-mcp-servers", "x-mcp-access-groups"):
        answer = gateway.post(LIST, "/mcp/kanmon", {name: "other,everything"},
                              key=tokens["access_token"])
        names = [tool["name"] for tool in answer.json()["result"]["tools"]]
        assert names and not [n for n in names if n.startswith(("other", "everything"))]


@pytest.mark.parametrize("more", [
    {"scope": "mcp admin openid"}, {"scope": "gateway-admin"}, {"scope": "*"}])
def test_refreshing_widens_no_scope(gateway, own_key, more, log_in):
    client, first = log_in(own_key)
    assert first["scope"] == "mcp"
    answer = refresh(gateway, client, first["refresh_token"], **more)
    token = answer.json().get("access_token")
    if token:
        assert answer.json()["scope"] == "mcp"
        assert gateway.call("GET", "/key/list", key=token).status == 401
        assert gateway.call("GET", "/v1/models", key=token).status == 401
    else:
        assert answer.json()["error"] == "invalid_scope"


@pytest.mark.parametrize("resource", ["", "/v1", "/mcp/kanmon", "/key/list"])
def test_refreshing_leads_to_no_other_resource(gateway, own_key, resource, log_in):
    client, first = log_in(own_key)
    answer = refresh(gateway, client, first["refresh_token"],
                     resource=gateway.url + resource)
    assert answer.json()["error"] == "invalid_target"
    # A wrong request used nothing up.
    assert refresh(gateway, client, first["refresh_token"]).status == 200


def test_a_refresh_token_that_many_use_at_once_makes_no_second_family(gateway, own_key, log_in):
    client, first = log_in(own_key)
    answers = at_once(8, lambda: refresh(gateway, client, first["refresh_token"]))
    good = [a.json() for a in answers if a.status == 200]
    # The newest counts, and the one before it, whose answer may have got lost: no third.
    assert 1 <= len(good) <= 2 and {a.status for a in answers} <= {200, 400}
    assert refresh(gateway, client, first["refresh_token"]).status == 400
    assert refresh(gateway, client, good[-1]["refresh_token"]).status == 200
    assert refresh(gateway, client, first["refresh_token"]).status == 400


def test_a_token_has_the_rights_its_key_has_now(gateway, log_in):
    key = gateway.new_key(models=["small", "large"])
    _, tokens = log_in(key, "")
    models = lambda: {m["id"] for m in gateway.call("GET", "/v1/models",
                                                    key=tokens["access_token"]).json()["data"]}
    assert "small" in models()
    hashed = hashlib.sha256(key.encode()).hexdigest()
    gateway.call("POST", "/key/update", {"key": hashed, "models": ["none-of-these"]})
    assert "small" not in models()
    gateway.call("POST", "/key/update", {"key": hashed, "duration": "1s"})


def test_a_new_secret_ends_the_log_ins_of_the_old_one(gateway, log_in):
    key = gateway.new_key()
    client, tokens = log_in(key)
    assert status(gateway, tokens["access_token"]) == 200
    answer = gateway.call("POST", "/key/regenerate", {"key": key})
    assert answer.status == 200, answer
    assert status(gateway, tokens["access_token"]) == 401
    assert refresh(gateway, client, tokens["refresh_token"]).json()["error"] == "invalid_grant"


def test_a_token_of_one_gateway_is_not_anothers(gateway, own_key, tmp_path, log_in):
    client, tokens = log_in(own_key)
    with make(tmp_path) as other:
        assert isinstance(other, McpGateway)
        assert status(other, tokens["access_token"]) == 401
        assert refresh(other, client, tokens["refresh_token"]).status == 400
        assert Browser(other).get(question(other, client)).status == 400  # nor is a registration
