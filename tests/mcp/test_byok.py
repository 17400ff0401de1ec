# SPDX-License-Identifier: Apache-2.0
"""Every caller brings a credential of their own for a server (LiteLLM's is_byok)."""

import asyncio
import base64
import concurrent.futures
import html
import json
import os
import pathlib
import re
import sqlite3
import subprocess
import urllib.parse

import httpx2
import pytest
from accounts import fetch, inputs
from conftest import META, NEW, McpGateway
from gateway import MASTER, patient, wait_until
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from sessions import Session
from test_openapi import Rest

HERE = pathlib.Path(__file__).resolve().parent
CONFIG = """
model_list: []
mcp_servers:
  mine: {{url: "{mcp}", transport: http, auth_type: bearer_token, is_byok: true,
         byok_description: ["Reads <b>your</b> issues"], extra_headers: [authorization, x-api-key],
         byok_api_key_help_url: "https://keys.example/new"}}
  keyed: {{url: "{mcp}", auth_type: api_key, is_byok: true}}
  basic: {{url: "{mcp}", auth_type: basic, is_byok: true}}
  raw: {{url: "{mcp}", auth_type: authorization, is_byok: true}}
  token: {{url: "{mcp}", auth_type: token, is_byok: true}}{more}
  plain: {{url: "{mcp}", auth_type: bearer_token, auth_value: for-all}}
general_settings: {{master_key: {master}}}
kanmon_settings: {{state_dir: "{state}", workers: 2}}
"""
GONE = """
  gone: {{url: "{mcp}", auth_type: bearer_token, is_byok: true}}"""
URL = {"elicitation": {"url": {}}}


class Keyed:
    """keyed.mjs, to the end of the block."""

    def __enter__(self):
        self.process = subprocess.Popen([os.environ["KM_NODE"], str(HERE / "keyed.mjs")],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.mcp = json.loads(self.process.stdout.readline())["mcp"]
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(patient(20))
        self.process.stdout.close()

    def say(self, path):
        return json.loads(fetch("GET", self.mcp.replace("/mcp", path))[2])


@pytest.fixture(scope="module")
def keyed():
    with Keyed() as started:
        yield started


def config(keyed, folder, gone=True):
    return CONFIG.format(mcp=keyed.mcp, master=MASTER, state=folder / "state",
                         more=GONE.format(mcp=keyed.mcp) if gone else "")


@pytest.fixture(scope="module")
def gateway(keyed, tmp_path_factory):
    folder = tmp_path_factory.mktemp("byok")
    with McpGateway(folder, config(keyed, folder)) as started:
        yield started


def credential(gateway, key, method="GET", server="mine", **body):
    return gateway.call(method, f"/v1/mcp/server/{server}/user-credential", body or None, key=key)


def give(gateway, key, value, server="mine"):
    answer = credential(gateway, key, "POST", server, credential=value)
    assert answer.status == 200 and answer.json()["has_credential"] is True, answer
    assert value not in json.dumps(answer.json())
    return answer.json()


def tools(gateway, key, server="mine"):
    answer = gateway.rpc("tools/list", {}, f"/mcp/{server}", key=key)
    return [tool["name"] for tool in answer["result"]["tools"]]


def call(gateway, key, server="mine", tool="whoami", **kwargs):
    answer = gateway.rpc("tools/call", {"name": tool, "arguments": {}}, f"/mcp/{server}", key=key,
                         **kwargs)
    return answer["result"]["content"][0]["text"] if "result" in answer else answer["error"]["message"]


def whoami(gateway, key, server="mine"):
    said = call(gateway, key, server)
    assert re.search(r" [0-9a-f-]{36}$", said), said
    return said.rsplit(" ", 1)[0]


def test_each_caller_has_their_own(gateway):
    ada, bob, nobody = (gateway.new_key() for _ in range(3))
    since = give(gateway, ada, "ada-secret")["updated_at"]
    give(gateway, bob, "bob-secret")
    for _ in range(3):
        assert whoami(gateway, ada) == "Bearer ada-secret"
        assert whoami(gateway, bob) == "Bearer bob-secret"
        assert tools(gateway, nobody) == ["login"]
    assert credential(gateway, ada).json()["updated_at"] == since
    assert credential(gateway, nobody).json()["has_credential"] is False
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        said = list(pool.map(lambda key: (key, whoami(gateway, key)), [ada, bob] * 12))
    assert all(who == f"Bearer {'ada' if key == ada else 'bob'}-secret" for key, who in said)
    listed = {s["server_name"]: s for s in gateway.call("GET", "/v1/mcp/server", key=ada).json()}
    assert listed["mine"]["is_byok"] and not listed["plain"]["is_byok"]
    assert listed["mine"]["has_user_credential"] and not listed["raw"]["has_user_credential"]
    assert gateway.call("GET", "/kanmon/mcp/servers/mine").json()["logins"] == 2


@pytest.mark.parametrize("server, given, sent", [
    ("keyed", "k-1", "k-1"), ("raw", "Custom x", "Custom x"), ("token", "t-1", "token t-1"),
    ("basic", "me:pass", "Basic " + base64.b64encode(b"me:pass").decode())])
def test_it_stands_where_auth_type_says(gateway, keyed, server, given, sent):
    key = gateway.new_key()
    give(gateway, key, given, server)
    assert whoami(gateway, key, server) == sent
    api_key, authorization, _ = keyed.say("/seen")[-1]
    assert (api_key, authorization) == ((sent, "") if server == "keyed" else ("", sent))


def test_the_official_sdk(gateway):
    async def talk(key):
        async with httpx2.AsyncClient(headers={"authorization": f"Bearer {key}"},
                                      timeout=patient(30)) as http:
            async with Client(streamable_http_client(f"{gateway.url}/mcp/mine", http_client=http),
                              mode="auto") as client:
                names = [tool.name for tool in (await client.list_tools()).tools]
                said = await client.call_tool(names[0], {})
                return names, said.content[0].text, said.is_error

    ada, nobody = gateway.new_key(), gateway.new_key()
    give(gateway, ada, "sdk-secret")
    names, text, wrong = asyncio.run(talk(ada))
    assert names == ["whoami"] and text.startswith("Bearer sdk-secret ") and not wrong
    names, text, wrong = asyncio.run(talk(nobody))
    assert names == ["login"] and "user-credential" in text and wrong


def ok(answer):
    assert "result" in answer, answer
    return answer["result"]


def test_another_one_ends_the_sessions_of_the_first(gateway, keyed):
    key, bob = gateway.new_key(), gateway.new_key()
    give(gateway, key, "first-key")
    give(gateway, bob, "bobs-key")
    with Session(gateway, "/mcp/mine", key) as client, Session(gateway, "/mcp/mine", bob) as other:
        before = ok(client.tool("whoami"))["content"][0]["text"]
        his = ok(other.tool("whoami"))["content"][0]["text"]
        assert before.startswith("Bearer first-key ")
        give(gateway, key, "second-key")
        after = ok(client.tool("whoami"))["content"][0]["text"]
        assert after.startswith("Bearer second-key ") and after.split()[-1] != before.split()[-1]
        assert ok(other.tool("whoami"))["content"][0]["text"] == his
        credential(gateway, key, "DELETE")
        said = client.tool("whoami")["error"]["message"]
        assert "wants a credential of your own: POST /v1/mcp/server/mine" in said
        assert ok(other.tool("whoami"))["content"][0]["text"] == his
    assert credential(gateway, key).json()["has_credential"] is False


def test_a_credential_that_is_refused_is_asked_for_anew(gateway, keyed):
    key, bob = gateway.new_key(), gateway.new_key()
    give(gateway, key, "will-be-revoked")
    give(gateway, bob, "bob-stays")
    assert whoami(gateway, key) == "Bearer will-be-revoked"
    keyed.say("/refuse/will-be-revoked")
    said = call(gateway, key)
    assert "wants a credential of your own" in said and "will-be-revoked" not in said
    assert whoami(gateway, bob) == "Bearer bob-stays"
    give(gateway, key, "a-better-one")
    assert whoami(gateway, key) == "Bearer a-better-one"
    assert gateway.call("GET", "/kanmon/mcp/servers/mine").json()["state"] == "ready"


def form(gateway, address, **fields):
    """Opens the page and sends its form back: (status, page)."""
    cookies = {}
    status, _, page = fetch("GET", address, cookies=cookies)
    assert status == 200, page
    target = urllib.parse.urljoin(address, re.search(r'action="([^"]+)"', page)[1])
    return page, *fetch("POST", target, {**inputs(page), "decision": "allow", **fields},
                        cookies)[::2]


def test_a_call_asks_for_it_by_a_page(gateway):
    key, bob = gateway.new_key(), gateway.new_key()
    address = gateway.call("POST", "/v1/mcp/server/mine/login", key=key).json()["url"]
    said = call(gateway, key, tool="login")
    assert "/oauth/mcp/login?ticket=" in said and "user-credential" in said
    page, status, body = form(gateway, address, key=bob, credential="page-secret")
    assert "Reads &lt;b&gt;your" in page and "https://keys.example/new" in page
    assert status == 403 and "page-secret" not in body
    _, status, body = form(gateway, address, key=key, credential="")
    assert status == 400
    assert tools(gateway, key) == ["login"]
    _, status, body = form(gateway, address, key=key, credential="page-secret")
    assert status == 200 and "is kept" in html.unescape(body) and "page-secret" not in body
    assert whoami(gateway, key) == "Bearer page-secret"
    assert tools(gateway, bob) == ["login"]
    # A form that the browser was not shown is refused.
    status, _, _ = fetch("POST", address.split("?")[0], {
        "ticket": address.split("ticket=")[1], "check": "0" * 32, "key": key, "decision": "allow",
        "credential": "forged"}, {})
    assert status == 403 and whoami(gateway, key) == "Bearer page-secret"


def ask_with_url(gateway, key, tool, **more):
    """The result, for a stateless client that can open addresses."""
    meta = {**META, "io.modelcontextprotocol/clientCapabilities": URL}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": tool, "arguments": {}, "_meta": meta, **more}}
    return gateway.post(message, "/mcp/mine", {
        "mcp-protocol-version": NEW, "mcp-method": "tools/call", "mcp-name": tool},
        key=key).json()["result"]


def test_a_client_that_can_open_it_is_asked_and_its_call_goes_on(gateway, keyed):
    key = gateway.new_key()
    give(gateway, key, "soon-revoked")
    assert tools(gateway, key) == ["whoami"]

    def ask(**more):
        return ask_with_url(gateway, key, "whoami", **more)

    assert ask()["content"][0]["text"].startswith("Bearer soon-revoked ")
    keyed.say("/refuse/soon-revoked")
    first = ask()
    assert first["resultType"] == "input_required", first
    ((name, asked),) = first["inputRequests"].items()
    assert asked["params"]["mode"] == "url" and "your credential" in asked["params"]["message"]
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ask, requestState=first["requestState"],
                              inputResponses={name: {"action": "accept"}})
        form(gateway, asked["params"]["url"], key=key, credential="fresh-one")
        assert waiting.result(60)["content"][0]["text"].startswith("Bearer fresh-one ")


def test_only_for_servers_the_key_may_use(gateway):
    other = gateway.new_key(object_permission={"mcp_servers": ["plain"]})
    for method, body in (("GET", {}), ("POST", {"credential": "x"}), ("DELETE", {})):
        assert credential(gateway, other, method, **body).status == 404
        assert credential(gateway, MASTER, method, "plain", **body).status == 404
        assert credential(gateway, None, method, **body).status == 401
    key = gateway.new_key()
    for wrong in ({"credential": ""}, {"credential": 7}, {"other": "x"}, {"credential": "a\r\nb: c"},
                  {"credential": "x" * 9000}):
        assert credential(gateway, key, "POST", **wrong).status == 400, wrong
    assert credential(gateway, key, "POST", credential="x", save=False).json()["has_credential"] is False
    assert tools(gateway, key) == ["login"]


def test_what_the_client_brings_itself_comes_first(gateway, keyed):
    key = gateway.new_key()
    give(gateway, key, "kept-here", "keyed")
    assert tools(gateway, key, "keyed") == ["whoami"]
    said = call(gateway, key, "keyed", headers={"x-mcp-keyed-x-api-key": "brought-along"})
    assert said.startswith("brought-along ") and whoami(gateway, key, "keyed") == "kept-here"


def test_an_interface_by_its_openapi_document(tmp_path):
    rest = Rest()
    try:
        text = f"""
mcp_servers: {{pets: {{spec_path: "{rest.url}/openapi.json", url: "{rest.url}", is_byok: true,
                     auth_type: api_key}}}}
general_settings: {{master_key: {MASTER}}}
kanmon_settings: {{state_dir: "{tmp_path}/state", workers: 2}}
"""
        with McpGateway(tmp_path, text) as gateway:
            people = {gateway.new_key(): name for name in ("ada", "bob")}
            for key, name in people.items():
                give(gateway, key, f"{name}-rest", "pets")
                assert "getpet" in tools(gateway, key, "pets")
            assert tools(gateway, gateway.new_key(), "pets") == ["login"]

            def get(key):
                gateway.rpc("tools/call", {"name": "getpet", "arguments": {"pet_id": 1}},
                            "/mcp/pets", key=key)

            with concurrent.futures.ThreadPoolExecutor(6) as pool:
                list(pool.map(get, list(people) * 6))
            calls = wait_until(lambda: len(rest.calls()) == 12 and rest.calls(), 20, "they came")
            came = [one["headers"]["x-api-key"] for one in calls]
            assert sorted(came) == ["ada-rest"] * 6 + ["bob-rest"] * 6
    finally:
        rest.stop()


def test_an_interface_that_refuses_the_credential_asks_for_another(tmp_path):
    rest = Rest()
    try:
        (tmp_path / "g.json").write_text(json.dumps({
            "openapi": "3.0.0", "paths": {"/guarded": {"get": {"operationId": "guarded"}}}}))
        text = f"""
mcp_servers: {{mine: {{spec_path: g.json, url: "{rest.url}", is_byok: true,
                     auth_type: bearer_token}}}}
general_settings: {{master_key: {MASTER}}}
kanmon_settings: {{state_dir: "{tmp_path}/state", workers: 2}}
"""
        good = [httpx2.post(f"{rest.url}/token", timeout=patient(30)).json()["access_token"]
                for _ in range(2)][1]
        with McpGateway(tmp_path, text) as gateway:
            ada, bob = gateway.new_key(), gateway.new_key()
            give(gateway, ada, "refused-1")
            assert tools(gateway, ada) == ["guarded"]
            said = call(gateway, ada, tool="guarded")
            assert "wants a credential of your own" in said and "/oauth/mcp/login?ticket=" in said
            assert "refused-1" not in said
            give(gateway, ada, good)
            assert json.loads(call(gateway, ada, tool="guarded")) == {"with": f"Bearer {good}"}

            give(gateway, bob, "refused-2")  # whose client can open the page
            first = ask_with_url(gateway, bob, "guarded")
            assert first["resultType"] == "input_required", first
            ((name, asked),) = first["inputRequests"].items()
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                waiting = pool.submit(ask_with_url, gateway, bob, "guarded",
                                      requestState=first["requestState"],
                                      inputResponses={name: {"action": "accept"}})
                form(gateway, asked["params"]["url"], key=bob, credential=good)
                done = waiting.result(60)
            assert done["structuredContent"] == {"with": f"Bearer {good}"}
            assert gateway.call("GET", "/kanmon/mcp/servers/mine").json()["state"] == "ready"
    finally:
        rest.stop()


def test_a_server_that_is_added_as_litellm_adds_it(gateway, keyed):
    added = gateway.call("POST", "/v1/mcp/server", {
        "server_name": "late", "url": keyed.mcp, "transport": "http", "auth_type": "bearer_token",
        "is_byok": True, "byok_description": ["All"], "byok_api_key_help_url": "https://k.example"})
    assert added.status in (200, 201), added
    key = gateway.new_key()
    before = rows(gateway)
    give(gateway, key, "late-secret", added.json()["server_id"])
    assert whoami(gateway, key, "late") == "Bearer late-secret"
    wait_until(lambda: rows(gateway) == before + 1, 20, "it is kept")
    assert gateway.call("DELETE", f"/v1/mcp/server/{added.json()['server_id']}").status in (200, 202)
    wait_until(lambda: rows(gateway) == before, 20, "it went with its server")
    assert credential(gateway, key, server="late").status == 404


def test_the_command_gives_the_address(gateway):
    said = gateway.command("mcp", "login", "mine", "--config", gateway.config)
    assert said.returncode == 0, said
    assert said.stdout.startswith(gateway.url + "/")  # a browser on this machine reaches it
    page = fetch("GET", said.stdout.strip(), cookies={})[2]
    assert 'name="credential"' in page and "your own credential" in page


def rows(gateway):
    with sqlite3.connect(next((gateway.folder / "state").glob("*.db"))) as store:
        return store.execute("SELECT count(*) FROM mcp_tokens WHERE issuer = 'byok'").fetchone()[0]


def test_it_is_kept_sealed_and_goes_with_its_key_and_its_server(keyed, tmp_path):
    with McpGateway(tmp_path, config(keyed, tmp_path)) as gateway:
        ada, bob = gateway.new_key(), gateway.new_key()
        give(gateway, ada, "at-rest-ada")
        give(gateway, bob, "at-rest-bob")
        give(gateway, bob, "at-rest-gone", "gone")
        assert whoami(gateway, bob) == "Bearer at-rest-bob"
        wait_until(lambda: rows(gateway) == 3, 20, "they are kept")
        gateway.stop()
        gateway.start()
        assert whoami(gateway, ada) == "Bearer at-rest-ada"
        assert whoami(gateway, bob, "gone") == "Bearer at-rest-gone"
        written = b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
        assert b"mine is ready" in written and b"at-rest" not in written
        gateway.call("POST", "/key/delete", {"keys": [ada]})
        wait_until(lambda: rows(gateway) == 2, 20, "hers went with her key")
        gateway.config.write_text(config(keyed, tmp_path, gone=False))
        assert gateway.command("reload", "--config", gateway.config).returncode == 0
        wait_until(lambda: rows(gateway) == 1, 20, "his went with the server")
        assert whoami(gateway, bob) == "Bearer at-rest-bob"
