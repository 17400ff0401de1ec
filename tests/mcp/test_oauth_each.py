# SPDX-License-Identifier: Apache-2.0
"""A log-in for each caller: who has none is told so, and takes nothing from who has one."""

import sqlite3

import pytest
from accounts import Protected, fetch, person
from conftest import McpGateway
from gateway import MASTER, wait_until

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


@pytest.fixture(scope="module")
def served(protected, tmp_path_factory):
    folder = tmp_path_factory.mktemp("oauth-each")
    text = CONFIG.format(mcp=protected.mcp, master=MASTER, state=folder / "state",
                         issuer=protected.issuer.removeprefix("http://"))
    with McpGateway(folder, text) as gateway:
        yield gateway


def log_in(gateway, key, name):
    url = gateway.call("POST", "/v1/mcp/server/each/login", key=key).json()["url"]
    status, _, page = fetch("GET", person(url, name))
    assert status == 200 and "logged in" in page


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
    assert "login is needed" in str(whoami(served, eve))
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
