# SPDX-License-Identifier: Apache-2.0
"""A log-in for each caller: who has none is told so, and takes nothing from who has one."""

import concurrent.futures
import contextlib
import http.client
import json
import sqlite3
import urllib.parse

import accounts
import pytest
from accounts import Protected, agree, fetch, person
from conftest import NEW, OLD, McpGateway
from gateway import MASTER, patient, wait_until
from sessions import Listening, Session

CONFIG = """
model_list: []
mcp_servers:
  each: {{url: "{mcp}", transport: http, auth_type: oauth2,
         extra_headers: [authorization, x-litellm-api-key, x-api-key, cookie, x-trace]}}
general_settings: {{master_key: {master}}}
kanmon_settings: {{state_dir: "{state}", workers: 2, oauth: {{trusted_hosts: ["{issuer}"]}}}}
"""
PATH = "/mcp/each"


@pytest.fixture(scope="module")
def protected():
    with Protected() as started:
        yield started


def config(protected, folder):
    return CONFIG.format(mcp=protected.mcp, master=MASTER, state=folder / "state",
                         issuer=protected.issuer.removeprefix("http://"))


@pytest.fixture(scope="module")
def served(protected, tmp_path_factory):
    folder = tmp_path_factory.mktemp("oauth-each")
    with McpGateway(folder, config(protected, folder)) as gateway:
        yield gateway


def address(gateway, key):
    return gateway.call("POST", "/v1/mcp/server/each/login", key=key).json()["url"]


def log_in(gateway, key, name):
    accounts.log_in(address(gateway, key), name, key)


def tools(gateway, key, path=PATH):
    answer = gateway.rpc("tools/list", {}, path, key=key)
    return sorted(tool["name"] for tool in answer["result"]["tools"])


def whoami(gateway, key):
    answer = gateway.rpc("tools/call", {"name": "whoami", "arguments": {}}, PATH, key=key)
    return answer["result"]["content"][0]["text"] if "result" in answer else answer["error"]


def row(gateway):
    return gateway.call("GET", "/kanmon/mcp/servers/each").json()


def test_nobody_takes_the_server_from_another(served):
    ada, bob, nobody = (served.new_key() for _ in range(3))
    assert tools(served, nobody) == ["login"]
    assert "each-login" in tools(served, nobody, "/mcp")
    log_in(served, ada, "ada")
    assert tools(served, ada) == ["admin", "whoami"]
    assert whoami(served, ada) == "ada tools"
    # Who has none asks and asks: nothing of that is told of the server.
    for _ in range(5):
        assert tools(served, nobody) == ["login"]
        answer = served.rpc("tools/call", {"name": "whoami"}, PATH, key=nobody)
        assert "Unknown tool" in answer["error"]["message"]
        assert whoami(served, ada) == "ada tools"
    assert (row(served)["state"], row(served)["logins"]) == ("ready", 1)
    log_in(served, bob, "bob")
    assert whoami(served, bob) == "bob tools"
    assert whoami(served, ada) == "ada tools"
    assert row(served)["logins"] == 2


def test_a_log_in_that_was_ended_elsewhere_is_one_callers_alone(served, protected):
    eve, bob = served.new_key(), served.new_key()
    log_in(served, eve, "eve")
    log_in(served, bob, "bob")
    assert whoami(served, eve) == "eve tools"
    assert whoami(served, bob) == "bob tools"
    protected.forget("eve")
    assert "Log in at 'each' first" in whoami(served, eve)
    assert whoami(served, bob) == "bob tools"
    assert row(served)["state"] == "ready"
    assert tools(served, eve) == ["admin", "whoami"]  # as the server said when it still knew her
    log_in(served, eve, "eve")
    assert whoami(served, eve) == "eve tools"


def test_log_ins_are_kept_by_caller_and_issuer(served, protected):
    ada = served.new_key()
    log_in(served, ada, "ada")
    assert whoami(served, ada) == "ada tools"

    def kept():
        with sqlite3.connect(next((served.folder / "state").glob("*.db"))) as store:
            return store.execute("SELECT DISTINCT issuer FROM mcp_tokens").fetchall()

    wait_until(lambda: kept() == [(protected.issuer,)], 30, "the log-ins to be kept")
    other = served.new_key()
    served.stop()
    served.start()
    assert whoami(served, ada) == "ada tools"
    assert tools(served, other) == ["login"]


def test_a_log_in_goes_with_its_key(served):
    def kept():
        with sqlite3.connect(next((served.folder / "state").glob("*.db"))) as store:
            return store.execute("SELECT count(*) FROM mcp_tokens").fetchone()[0]

    key, before = served.new_key(), kept()
    log_in(served, key, "gus")
    assert whoami(served, key) == "gus tools"
    wait_until(lambda: kept() == before + 1, 30, "it is kept")
    served.call("POST", "/key/delete", {"keys": [key]})
    wait_until(lambda: kept() == before, 30, "it went")


def test_a_callers_own_token_is_never_handed_on(served, protected):
    """Whatever extra_headers says: what proves a caller to kanmon stays here."""
    key = served.new_key()
    log_in(served, key, "ada")
    before = len(protected.seen())
    sent = {"authorization": f"Bearer {key}", "x-api-key": key, "cookie": f"key={key}",
            "x-trace": "7"}
    answer = served.rpc("tools/call", {"name": "whoami"}, PATH, key=None, headers=sent)
    assert answer["result"]["content"][0]["text"] == "ada tools"
    new = protected.seen()[before:]
    assert new and all(one["client"] for one in new)  # each token is one the provider gave
    assert any("x-trace" in one["headers"] for one in new)
    for one in new:
        assert not {"x-litellm-api-key", "x-api-key", "cookie"} & set(one["headers"])
        assert key not in one["authorization"]


def test_lists_change_for_whom_logged_in_alone(protected, tmp_path):
    changed = "notifications/tools/list_changed"
    with McpGateway(tmp_path, config(protected, tmp_path)) as gateway, \
            contextlib.ExitStack() as open_:
        ada, bob, nobody = (gateway.new_key() for _ in range(3))
        log_in(gateway, bob, "bob")
        assert tools(gateway, bob) == ["admin", "whoami"]
        # Four of each: both workers have some, whoever opens them.
        hers, others = [], []
        for those, key in ((hers, ada), (others, bob), (others, nobody)) * 4:
            session = open_.enter_context(Session(gateway, PATH, key))
            session.listen()
            those += [session, open_.enter_context(Listening(gateway, PATH, key))]
        log_in(gateway, ada, "ada")
        for client in hers:
            client.heard(changed)
        assert tools(gateway, ada) == tools(gateway, bob) == ["admin", "whoami"]
        assert tools(gateway, nobody) == ["login"]
        for client in hers:
            client.heard(changed, 2)  # the server has said what they are
        gateway.stop()
        for client in others:
            said = [m.get("method", "") for m in client.to_the_end()]
            assert not [method for method in said if method.endswith("list_changed")]


# --- whose browser, whose account ---


def test_an_address_is_good_for_the_callers_own_key(served):
    mallory, bob = served.new_key(), served.new_key()
    url = address(served, mallory)  # which Mallory sends to Bob
    status, page = agree(url, bob)
    assert status == 403 and "made for another key" in page
    status, page = agree(url, "sk-nobody")
    assert status == 401 and "not known" in page
    status, page = agree(url, MASTER)
    assert status == 403
    assert tools(served, bob) == tools(served, mallory) == ["login"]
    # And a changed address is none.
    ticket = url.split("ticket=")[1]
    for changed in (ticket[:-2] + "xx", "." + ticket, ticket.split(".")[0], "", "a.b"):
        assert fetch("GET", url.split("ticket=")[0] + "ticket=" + changed)[0] == 400


def test_the_way_back_is_open_to_the_browser_that_went(served):
    mallory, bob = served.new_key(), served.new_key()
    # Mallory went up to the last step with an account of hers, and has Bob open that.
    back = person(address(served, mallory), "mallory", mallory)
    bobs = {}
    agree(address(served, bob), bob, bobs)
    for cookies in ({}, bobs, {"kanmon-login": "x" * 43}):
        status, _, page = fetch("GET", back, cookies=cookies)
        assert status in (400, 403) and "logged in" not in page
    assert tools(served, bob) == tools(served, mallory) == ["login"]


def test_a_form_of_another_browser_is_refused(served):
    key = served.new_key()
    url = address(served, key)
    _, headers, body = fetch("GET", url)
    cookie = headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Path=/" in cookie
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    form = {**accounts.inputs(body), "decision": "allow", "key": key}
    for cookies in (None, {"kanmon-login": "y" * 43}):
        status, _, page = fetch("POST", url.split("?")[0], form, cookies)
        assert status == 403 and "this browser" in page
    own = {"kanmon-login": cookie.split("=", 1)[1].split(";")[0]}
    status, _, page = fetch("POST", url.split("?")[0], {**form, "decision": "deny"}, own)
    assert status == 200 and "Nothing was connected" in page


def test_behind_https_the_cookie_is_this_hosts_alone(protected, tmp_path):
    text = config(protected, tmp_path)
    text = text.replace("kanmon_settings: {", "kanmon_settings: {public_url: 'https://ai.example', ")
    with McpGateway(tmp_path, text) as gateway:
        url = address(gateway, gateway.new_key())
        assert url.startswith("https://ai.example/oauth/mcp/login?ticket=")
        _, headers, _ = fetch("GET", url.replace("https://ai.example", gateway.url))
        cookie = headers["set-cookie"]
        assert cookie.startswith("__Host-kanmon-login=") and "; Secure" in cookie
        assert "Domain" not in cookie


# --- a call that needs it ---


def needs_login(served, key, capabilities):
    send = {"mcp-protocol-version": NEW, "mcp-method": "tools/call", "mcp-name": "login"}
    meta = {"io.modelcontextprotocol/protocolVersion": NEW,
            "io.modelcontextprotocol/clientCapabilities": capabilities}

    def call(**more):
        params = {"name": "login", "arguments": {}, "_meta": meta, **more}
        return served.post({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params},
                           PATH, send, key=key).json()["result"]

    return call


def test_a_client_that_can_open_nothing_is_told_the_address(served):
    key = served.new_key()
    result = served.rpc("tools/call", {"name": "login"}, PATH, key=key)["result"]
    assert result["isError"]
    accounts.log_in(result["content"][0]["text"].split(": ")[1], "ada", key)
    assert whoami(served, key) == "ada tools"
    result = needs_login(served, served.new_key(), {"elicitation": {}})()
    assert result["isError"] and "/oauth/mcp/login?ticket=" in result["content"][0]["text"]


def test_a_stateless_client_opens_it_and_the_call_goes_on(served):
    key = served.new_key()
    call = needs_login(served, key, {"elicitation": {"url": {}}})
    first = call()
    assert first["resultType"] == "input_required"
    ((name, asked),) = first["inputRequests"].items()
    assert asked["method"] == "elicitation/create" and asked["params"]["mode"] == "url"
    assert "elicitationId" not in asked["params"]
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(call, requestState=first["requestState"],
                              inputResponses={name: {"action": "accept"}})
        accounts.log_in(asked["params"]["url"], "ada", key)
        assert "Logged in" in waiting.result(60)["content"][0]["text"]
    assert whoami(served, key) == "ada tools"


def test_a_stateless_client_that_declines(served):
    call = needs_login(served, served.new_key(), {"elicitation": {"url": {}}})
    first = call()
    (name,) = first["inputRequests"]
    result = call(requestState=first["requestState"], inputResponses={name: {"action": "decline"}})
    assert result["isError"] and "was not opened" in result["content"][0]["text"]


def test_a_client_with_a_session_is_asked_on_the_stream_of_its_call(served):
    key = served.new_key()
    message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": OLD, "capabilities": {"elicitation": {"url": {}}},
        "clientInfo": {"name": "t", "version": "1"}}}
    opened = served.post(message, PATH, key=key)
    session = {"mcp-session-id": opened.headers["mcp-session-id"], "mcp-protocol-version": OLD}
    # With one it is asked on the call's own stream, and told when it is done.
    call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "login"}}
    link = http.client.HTTPConnection("127.0.0.1", served.port, timeout=patient(60))
    link.request("POST", PATH, json.dumps(call), {
        **session, "content-type": "application/json", "authorization": f"Bearer {key}",
        "accept": "application/json, text/event-stream"})
    answer = link.getresponse()
    asked = event(answer)
    assert asked["params"]["mode"] == "url" and asked["params"]["elicitationId"]
    reply = {"jsonrpc": "2.0", "id": asked["id"], "result": {"action": "accept"}}
    assert served.post(reply, PATH, session, key=key).status == 202
    accounts.log_in(asked["params"]["url"], "ada", key)
    done = event(answer)
    assert done["method"] == "notifications/elicitation/complete"
    assert done["params"]["elicitationId"] == asked["params"]["elicitationId"]
    assert "Logged in" in event(answer)["result"]["content"][0]["text"]
    link.close()


def event(answer):
    """The next message of a stream."""
    while line := answer.readline():
        if line.startswith(b"data: {"):
            return json.loads(line[6:])
    raise AssertionError("the stream ended")


def test_more_is_asked_for_when_the_server_wants_more(served, protected):
    key = served.new_key()
    log_in(served, key, "ada")
    assert whoami(served, key) == "ada tools"
    call = {"name": "admin", "arguments": {}}
    result = served.rpc("tools/call", call, PATH, key=key)["result"]
    assert result["isError"]
    url = result["content"][0]["text"].split(": ")[1]
    _, onward = agree(url, key)
    asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(onward).query))
    assert asked["scope"].split() == ["tools", "admin"]  # what it had, and what is wanted
    accounts.log_in(url, "ada", key)
    result = served.rpc("tools/call", call, PATH, key=key)["result"]
    assert result["content"][0]["text"] == "ada tools admin"
