# SPDX-License-Identifier: Apache-2.0
"""The token a caller came with is exchanged for one for the server (RFC 8693)."""

import concurrent.futures
import itertools
import json
import os
import pathlib
import socket
import subprocess
import time

import pytest
from accounts import fetch
from conftest import NEW, McpGateway
from gateway import MASTER, slow_factor, wait_until
from issuer import Issuer
from sessions import Session
from test_openapi import Rest

HERE = pathlib.Path(__file__).resolve().parent
CONFIG = """
model_list: []
mcp_servers:
  tools: {{url: "{mcp}", transport: http, auth_type: oauth2_token_exchange,
          token_exchange_endpoint: "{endpoint}", client_id: poster, client_secret: horse,
          scopes: [tools], extra_headers: [authorization, x-api-key]{more}}}
  spread: {{url: "{mcp}", auth_type: oauth2_token_exchange, token_url: "{endpoint}",
           client_id: basic, client_secret: horse, audience: "urn:tools",
           token_endpoint_auth_method: client_secret_basic}}
  entra: {{url: "{mcp}", auth_type: oauth2_token_exchange, token_exchange_profile: entra_obo,
          token_exchange_endpoint: "{endpoint}", client_id: poster, client_secret: horse,
          scopes: ["api://tools/.default"]}}
  older: {{url: "{mcp}/sse", transport: sse, auth_type: oauth2_token_exchange, client_id: poster,
          token_exchange_endpoint: "{endpoint}", client_secret: horse, audience: "urn:tools"}}
  elsewhere: {{url: "{mcp}", auth_type: oauth2_token_exchange, audience: "urn:other",
              token_exchange_endpoint: "{endpoint}", client_id: poster, client_secret: horse}}
  wrong: {{url: "{mcp}", auth_type: oauth2_token_exchange, client_id: poster,
          token_exchange_endpoint: "{endpoint}", client_secret: cow}}
  nowhere: {{url: "{mcp}", auth_type: oauth2_token_exchange, client_id: poster,
            token_exchange_endpoint: "http://127.0.0.1:{closed}/token", client_secret: cow}}
general_settings: {{master_key: {master}}}
kanmon_settings: {{state_dir: "{state}", workers: 2, log: {{level: debug}},
                  jwt: [{{issuer: "{issuer}", audience: kanmon, default_key: all}}]}}
"""
GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
numbers = itertools.count()


class Exchanging:
    """exchanging.mjs, to the end of the block."""

    def __init__(self, issuer):
        self.process = subprocess.Popen(
            [os.environ["KM_NODE"], str(HERE / "exchanging.mjs"),
             json.dumps({"jwks": issuer.url + "/keys", "issuer": issuer.url})],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.__dict__.update(json.loads(self.process.stdout.readline()))

    def end(self):
        self.process.stdin.close()
        self.process.wait(20 * slow_factor())
        self.process.stdout.close()

    def say(self, path, at="issuer"):
        return json.loads(fetch("GET", getattr(self, at) + path)[2])

    def set(self, how="", subject=""):
        return self.say(f"/set?how={how}&for={subject}")

    def asked(self):
        return self.say("/asked")

    def seen(self):
        return {line for (line,) in self.say("/seen", "mcp")}


@pytest.fixture(scope="module")
def company():
    with Issuer() as issuer:
        issuer.add_key("first", "RS256")
        yield issuer


@pytest.fixture(scope="module")
def exchanging(company):
    there = Exchanging(company)
    yield there
    there.end()


@pytest.fixture(scope="module")
def gateway(company, exchanging, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exchange")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens there
        with McpGateway(folder, CONFIG.format(
                mcp=exchanging.mcp, endpoint=exchanging.endpoint, issuer=company.url,
                master=MASTER, state=folder / "state", closed=taken.getsockname()[1],
                more="")) as started:
            started.new_key(key_alias="all")
            yield started


@pytest.fixture
def there(exchanging):
    exchanging.set()
    return exchanging


@pytest.fixture
def token(company):
    """Tokens of the issuer; each test has people of its own."""
    run = next(numbers)
    return lambda name="ada", **claims: company.token(
        sub=f"{name}-{run}", jti=f"{name}-{next(numbers)}", **claims)


def claims(token):
    import jwt
    return jwt.decode(token, options={"verify_signature": False})


def call(gateway, token, server="tools", tool="whoami"):
    answer = gateway.rpc("tools/call", {"name": tool, "arguments": {}}, f"/mcp/{server}", key=token)
    return answer.get("result") or answer


def whoami(gateway, token, server="tools"):
    result = call(gateway, token, server)
    assert not result.get("isError") and "content" in result, result
    return json.loads(result["content"][0]["text"])


def refused(gateway, token, server="tools"):
    result = call(gateway, token, server)
    assert result["isError"], result
    return result["content"][0]["text"]


def came(there, *people):
    """Who of them the server heard from, or somebody without a token ("").  Others' lists may still
    be asked for in the background."""
    subjects = {claims(token).get("sub") for token in people}
    seen = {line and claims(line.removeprefix("Bearer ")).get("sub") for line in there.seen()}
    return seen & {"", *subjects}


def everything(folder):
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_the_server_sees_who_calls_and_never_their_own_token(gateway, there, token):
    ada = token()
    who = whoami(gateway, ada)
    assert (who["sub"], who["via"], who["scope"]) == (
        claims(ada)["sub"], claims(ada)["jti"], "tools")
    (asked,) = there.asked()  # once, for the handshake and the call
    assert (asked["grant_type"], asked["subject_token"], asked["resource"]) == (
        GRANT, ada, there.mcp)
    assert asked["scope"] == "tools" and "audience" not in asked
    assert asked["auth"] == "poster" and "authorization" not in asked["headers"]
    seen = there.seen()
    assert seen and not any(ada in line for line in seen)
    assert whoami(gateway, ada)["jti"] == who["jti"] and len(there.asked()) == 1
    names = [t["name"] for t in gateway.rpc("tools/list", {}, "/mcp/tools", key=ada)["result"]["tools"]]
    assert names == ["whoami"]


def test_the_client_proves_itself_as_it_is_told_to(gateway, there, token):
    ada = token()
    assert whoami(gateway, ada, "spread")["sub"] == claims(ada)["sub"]
    (asked,) = there.asked()
    assert asked["auth"] == "basic" and "authorization" in asked["headers"]
    assert (asked["audience"], asked["resource"]) == ("urn:tools", there.mcp)
    assert "scope" not in asked


def test_entra_has_a_dialect_of_its_own(gateway, there, token):
    ada = token()
    assert whoami(gateway, ada, "entra")["sub"] == claims(ada)["sub"]
    (asked,) = there.asked()
    assert (asked["assertion"], asked["scope"]) == (ada, "api://tools/.default")
    assert asked["requested_token_use"] == "on_behalf_of" and "subject_token" not in asked


def test_two_callers_at_once_never_have_each_others(gateway, there, token):
    people = {name: token(name) for name in ("ada", "bob", "cyd", "dan")}
    there.set("slow-150")
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        jobs = [(t, pool.submit(whoami, gateway, t)) for t in list(people.values()) * 8]
        for sent, job in jobs:
            who = job.result()
            assert (who["sub"], who["via"]) == (claims(sent)["sub"], claims(sent)["jti"])
    assert sorted(a["subject_token"] for a in there.asked()) == sorted(people.values())  # once each


def test_two_tokens_of_one_person_are_two(gateway, there, token):
    """Each call goes with what its own token became, in one session with the server."""
    first, second = token(), token()
    for _ in range(2):
        for sent in (first, second):
            assert whoami(gateway, sent)["via"] == claims(sent)["jti"]
    there.set("slow-150")
    third, fourth = token(), token()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        jobs = [(t, pool.submit(whoami, gateway, t)) for t in [third, fourth] * 4]
        assert all(job.result()["via"] == claims(sent)["jti"] for sent, job in jobs)


def test_a_session_goes_on_with_a_newer_token(gateway, there, token):
    old, new = token(), token()
    with Session(gateway, "/mcp/tools", old) as client:
        said = json.loads(client.tool("whoami")["result"]["content"][0]["text"])
        client.headers["authorization"] = f"Bearer {new}"
        now = json.loads(client.tool("whoami")["result"]["content"][0]["text"])
    assert (said["via"], now["via"]) == (claims(old)["jti"], claims(new)["jti"])
    assert said["session"] == now["session"] and said["sub"] == now["sub"]


def test_a_session_over_http_with_sse(gateway, there, token):
    """One stream, opened with the first token; each message goes with its own."""
    first, second, bob = token(), token(), token("bob")
    there.set("slow-100")
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        jobs = [(t, pool.submit(whoami, gateway, t, "older")) for t in [first, second, bob] * 4]
        assert all(job.result()["via"] == claims(sent)["jti"] for sent, job in jobs)
    there.say("/revoke", "mcp")
    assert whoami(gateway, second, "older")["via"] == claims(second)["jti"]


def test_the_stateless_era(gateway, there, token):
    ada = token()
    answer = gateway.stateless("tools/call", {"name": "whoami", "arguments": {}},
                               path="/mcp/tools", key=ada)
    said = json.loads(answer.json()["result"]["content"][0]["text"])
    assert answer.status == 200 and said["via"] == claims(ada)["jti"]


def test_a_caller_without_a_token_is_told_what_is_wanted(gateway, there, company):
    key = gateway.new_key()
    callers = (key, MASTER, company.token(sub=None))  # the last stands for its key
    for caller in callers:
        tools = gateway.rpc("tools/list", {}, "/mcp/tools", key=caller)["result"]["tools"]
        assert [t["name"] for t in tools] == ["login"] and "OIDC" in tools[0]["description"]
        answer = call(gateway, caller, tool="login")
        assert answer["isError"] and "needs an OIDC login" in answer["content"][0]["text"]
        words = call(gateway, caller)["error"]["message"]
        assert "Unknown tool" in words and "needs an OIDC login" in words
    said = gateway.call("POST", "/v1/mcp/server/tools/login", key=key)
    assert said.status >= 400 and "OIDC login" in said.json()["error"]["message"]
    assert came(there) == set()
    assert not {a["subject_token"] for a in there.asked()} & set(callers)


@pytest.mark.parametrize("how, words", [
    ("denied", "log in again (invalid_grant)"), ("target", "see `audience` (invalid_target)"),
    ("echo", "gave the caller's own token back"), ("refresh", "another kind of token"),
    ("garbage", "answered without one, status 200"), ("down", "answered without one, status 503")])
def test_what_the_issuer_may_answer_instead(gateway, there, token, how, words):
    eve, bob = token("eve"), token("bob")
    there.set(how, claims(eve)["sub"])
    said = call(gateway, eve)
    text = json.dumps(said)
    assert words in text and "no token for 'tools'" in text
    assert eve not in text and eve.split(".")[2] not in text
    assert came(there, eve) == set()
    assert whoami(gateway, bob)["via"] == claims(bob)["jti"]  # her affair alone
    if how == "denied":
        there.set()
        wait_until(lambda: "sub" in json.dumps(call(gateway, eve)), 20, "the next try")
    assert gateway.call("GET", "/kanmon/mcp/servers/tools").json()["state"] == "ready"


@pytest.mark.parametrize("server", ["tools", "older"])
def test_one_who_gets_no_token_says_nothing_of_the_server(
        company, there, token, tmp_path, server):
    """Not by a call, nor by lists that are asked for in the background, over either transport."""
    with McpGateway(tmp_path, CONFIG.format(
            mcp=there.mcp, endpoint=there.endpoint, issuer=company.url, master=MASTER,
            state=tmp_path / "state", closed=1, more="")) as gateway:
        gateway.new_key(key_alias="all")
        bob = token("bob")
        whoami(gateway, bob, server)
        path = f"/mcp/{server}"
        assert "whoami" in json.dumps(gateway.rpc("tools/list", {}, path, key=bob))
        for how in ("denied", "target", "echo", "refresh", "garbage", "down"):
            eve = token("eve-" + how)
            there.set(how, claims(eve)["sub"])
            assert gateway.rpc("tools/list", {}, path, key=eve)["result"]  # when it is known
            assert f"no token for '{server}'" in json.dumps(call(gateway, eve, server))
            assert came(there, eve) == set()
        assert whoami(gateway, bob, server)["via"] == claims(bob)["jti"]
    said = everything(tmp_path)  # the whole log, now that it has ended
    assert f"{server} is ready".encode() in said
    assert f"{server} is degraded".encode() not in said
    assert f"{server} is down".encode() not in said


def test_an_endpoint_that_is_wrong(gateway, there, token):
    assert "see `audience`" in call(gateway, token(), "elsewhere")["error"]["message"]
    assert "does not know kanmon" in call(gateway, token(), "wrong")["error"]["message"]
    said = call(gateway, token(), "nowhere")["error"]["message"]
    assert "no token for 'nowhere': the issuer's token endpoint" in said
    assert "cow" not in said and came(there) == set()


def test_a_token_that_the_server_takes_no_more_is_asked_for_once_more(gateway, there, token):
    ada = token()
    before = whoami(gateway, ada)
    there.say("/revoke", "mcp")
    after = whoami(gateway, ada)
    assert after["via"] == before["via"] and after["jti"] != before["jti"]
    assert len(there.asked()) == 2
    # The person is gone at the issuer as well: said so, and no token that was kept is used.
    there.say("/revoke", "mcp")
    there.set("denied", claims(ada)["sub"])
    assert "log in again" in refused(gateway, ada)


def test_a_token_is_kept_as_long_as_it_is_good(gateway, there, token):
    forever, brief = token("forever"), token("brief")
    there.set("forever", claims(forever)["sub"])
    there.set("brief", claims(brief)["sub"])
    kept, first = whoami(gateway, forever)["jti"], whoami(gateway, brief)["jti"]
    wait_until(lambda: whoami(gateway, brief)["jti"] != first, 20, "another one")
    assert whoami(gateway, forever)["jti"] == kept
    assert [a["subject_token"] for a in there.asked()].count(forever) == 1


def test_a_slow_endpoint_holds_up_nobody_else(gateway, there, token):
    slow, quick = token("slow"), token("quick")
    there.set("slow-1500", claims(slow)["sub"])
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        job = pool.submit(whoami, gateway, slow)
        wait_until(lambda: there.asked(), 20, "it is asked")
        assert whoami(gateway, quick)["via"] == claims(quick)["jti"]
        assert not job.done()
        assert job.result()["via"] == claims(slow)["jti"]


def test_a_token_that_is_forged_or_over_reaches_nobody(gateway, there, token):
    sent = {token(exp=int(time.time()) - 400), token(aud="other"), token()[:-4] + "AAAA"}
    for bad in sent:
        assert gateway.post({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, "/mcp/tools",
                            key=bad).status == 401
    assert came(there, *sent) == set()
    assert not {a["subject_token"] for a in there.asked()} & sent


def test_tokens_outlive_a_reload_and_are_written_nowhere(gateway, there, token):
    ada = token()
    before = whoami(gateway, ada)["jti"]
    assert gateway.command("reload", "--config", gateway.config).returncode == 0
    assert whoami(gateway, ada)["jti"] == before
    written = everything(gateway.folder)
    assert b"tools is ready" in written  # the log
    assert ada.encode() not in written and ada.split(".")[2].encode() not in written
    assert b"horse" not in written.replace(gateway.config.read_bytes(), b"")
    kept = {line.removeprefix("Bearer ") for line in there.seen()}
    assert kept and not any(t.encode() in written for t in kept if t)


def test_an_interface_by_its_openapi_document(exchanging, company, there, token, tmp_path):
    rest = Rest()
    try:
        text = f"""
mcp_servers: {{pets: {{spec_path: "{rest.url}/openapi.json", url: "{rest.url}", audience: "urn:tools",
                     auth_type: oauth2_token_exchange, token_url: "{exchanging.endpoint}",
                     client_id: poster, client_secret: horse}}}}
general_settings: {{master_key: {MASTER}}}
kanmon_settings: {{state_dir: "{tmp_path}/state", workers: 1,
                  jwt: [{{issuer: "{company.url}", audience: kanmon, default_key: all}}]}}
"""
        with McpGateway(tmp_path, text) as gateway:
            gateway.new_key(key_alias="all")
            sent = [token(), token(), token("bob")]
            tools = gateway.rpc("tools/list", {}, "/mcp/pets", key=sent[0])["result"]["tools"]
            assert "getpet" in [t["name"] for t in tools]
            with concurrent.futures.ThreadPoolExecutor(6) as pool:
                list(pool.map(lambda key: gateway.rpc(
                    "tools/call", {"name": "getpet", "arguments": {"pet_id": 1}}, "/mcp/pets",
                    key=key), sent * 4))
            calls = wait_until(lambda: len(rest.calls()) == 12 and rest.calls(), 20, "they came")
            came = [claims(one["headers"]["authorization"].split()[1])["via"] for one in calls]
            assert sorted(came) == sorted(claims(t)["jti"] for t in sent * 4)
    finally:
        rest.stop()


def test_the_rest_routes(gateway, there, token):
    ada = token()
    listed = gateway.call("GET", "/mcp-rest/tools/list?server_id=tools", key=ada).json()
    assert any("whoami" in t["name"] for t in listed["tools"]), listed
    said = gateway.call("POST", "/mcp-rest/tools/call", {
        "server_id": "tools", "name": "whoami", "arguments": {}}, key=ada).json()
    assert claims(ada)["jti"] in json.dumps(said)
