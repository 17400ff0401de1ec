# SPDX-License-Identifier: Apache-2.0
"""Tokens at servers behind kanmon are made anew: by one request at a time, each refresh token once.

The provider (oidc-provider) turns refresh tokens, and ends the whole log-in of one that comes twice:
so a call that still works after many turns is the proof, and the provider's own list the reason."""

import concurrent.futures
import json
import sqlite3

import accounts
import pytest
from accounts import Protected, fetch, person
from conftest import McpGateway
from gateway import MASTER, wait_until
from long_form import LONG

PATH = "/mcp/each"


def config(folder, protected, **entry):
    return json.dumps({
        "general_settings": {"master_key": MASTER},
        "mcp_servers": {"each": {"url": protected.mcp, "transport": "http", "auth_type": "oauth2",
                                 **entry}},
        "kanmon_settings": {"state_dir": str(folder / "state"), "workers": 2, "oauth": {
            "trusted_hosts": [protected.issuer.removeprefix("http://")]}}})


def address(gateway, key):
    return gateway.call("POST", "/v1/mcp/server/each/login", key=key).json()["url"]


def whoami(gateway, key):
    answer = gateway.rpc("tools/call", {"name": "whoami", "arguments": {}}, PATH, key=key)
    return answer["result"]["content"][0]["text"] if "result" in answer else answer["error"]


def reload(gateway, text):
    gateway.config.write_text(text)
    assert gateway.command("reload", "--config", gateway.config).returncode == 0


def kept(gateway):
    """How many rows of tokens the store has."""
    with sqlite3.connect(next((gateway.folder / "state").glob("*.db"))) as store:
        return store.execute("SELECT count(*) FROM mcp_tokens").fetchone()[0]


@pytest.fixture(scope="module")
def provider():
    with Protected() as started:
        yield started


@pytest.fixture
def protected(provider):
    provider.say("/afresh")
    return provider


@pytest.fixture
def gateway(protected, tmp_path):
    with McpGateway(tmp_path, config(tmp_path, protected)) as started:
        started.key = started.new_key()
        accounts.log_in(address(started, started.key), "ada", started.key)
        assert whoami(started, started.key) == "ada tools"
        yield started


def once_each(protected):
    """Refresh tokens that were used; all of them taken, none twice."""
    used = protected.say("/renewals")
    assert not [one for one in used if one.get("error")], used
    assert len({one["token"] for one in used}) == len(used), used
    return used


def test_many_calls_refresh_once(gateway, protected):
    for turn in range(1, 4):
        protected.say("/end-access")
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            said = list(pool.map(lambda _: whoami(gateway, gateway.key), range(32)))
        assert said == ["ada tools"] * 32
        assert len(once_each(protected)) == turn
    tokens = {one["token"] for one in protected.seen() if one["token"]}
    assert len(tokens) == 4


def test_http_with_sse_renews_and_asks_again(protected, tmp_path):
    """A post and the stream itself are refused with 401 and asked once more with another token."""
    text = json.loads(config(tmp_path, protected, url=protected.mcp + "/sse", transport="sse"))
    text["kanmon_settings"]["workers"] = 1  # another worker has a session, and a stream, of its own
    with McpGateway(tmp_path, json.dumps(text)) as gateway:
        key = gateway.new_key()
        accounts.log_in(address(gateway, key), "ada", key)
        assert whoami(gateway, key) == "ada tools"
        protected.say("/end-access")
        assert whoami(gateway, key) == "ada tools"  # its post
        assert len(once_each(protected)) == 1
        gateway.stop()
        protected.say("/end-access")
        gateway.start()
        assert whoami(gateway, key) == "ada tools"  # its stream
        assert len(once_each(protected)) == 2
        refused = [one["method"] for one in protected.seen()
                   if one.get("authorization") and not one["token"]]
        assert refused == ["POST", "GET"]


def test_an_access_token_that_ends_is_renewed_before(tmp_path):
    with Protected(lifetime=4) as protected:
        with McpGateway(tmp_path, config(tmp_path, protected)) as gateway:
            key = gateway.new_key()
            accounts.log_in(address(gateway, key), "ada", key)
            refused = len([one for one in protected.seen() if not one["token"]])

            def go_on():
                assert whoami(gateway, key) == "ada tools"
                return len(once_each(protected)) >= 2

            wait_until(go_on, 30, "two renewals", 0.05)
            # Nobody was sent away with a token that had ended: the next one is made in time.
            assert len([one for one in protected.seen() if not one["token"]]) == refused


def test_a_new_refresh_token_outlives_the_process(gateway, protected):
    protected.say("/end-access")
    assert whoami(gateway, gateway.key) == "ada tools"
    once_each(protected)
    for turn in (2, 3):
        gateway.stop()
        gateway.start()
        protected.say("/end-access")
        assert whoami(gateway, gateway.key) == "ada tools"
        assert len(once_each(protected)) == turn
    # Killed: what it had a moment before is in the store.
    protected.say("/end-access")
    assert whoami(gateway, gateway.key) == "ada tools"
    last = once_each(protected)[-1]["token"]
    wait_until(lambda: gateway.call("POST", "/key/generate", {}).status == 200, 20)
    gateway.process.kill()
    gateway.process.wait()
    gateway.start()
    protected.say("/end-access")
    assert whoami(gateway, gateway.key) == "ada tools"
    assert once_each(protected)[-1]["token"] != last


def test_a_restart_costs_no_refresh(gateway, protected):
    protected.say("/end-access")
    assert whoami(gateway, gateway.key) == "ada tools"
    gateway.stop()
    gateway.start()
    assert whoami(gateway, gateway.key) == "ada tools"
    assert len(once_each(protected)) == 1


@pytest.mark.parametrize("change", [{"timeout": 77}, {"scopes": ["tools"]}, {"client_id": "other"}])
def test_a_reload_uses_no_refresh_token_twice(gateway, protected, tmp_path, change):
    """Another time-out makes another upstream with the same log-ins; another scope or client makes
    other log-ins, which begin with what there is."""
    protected.say("/slow/300")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for turn in range(3):
            protected.say("/end-access")
            calls = [pool.submit(whoami, gateway, gateway.key) for _ in range(4)]
            wait_until(lambda n=turn: len(protected.say("/renewals")) >= n or calls[0].done(), 20)
            reload(gateway, config(tmp_path, protected, **(change if turn % 2 == 0 else {})))
            calls += [pool.submit(whoami, gateway, gateway.key) for _ in range(4)]
            said = [call.result(60) for call in calls]
            # Calls that met the change may have to come again; nobody has to log in again.
            assert {s if isinstance(s, str) else s["message"].split(": ", 2)[-1] for s in said} <= {
                "ada tools", "its settings have changed: try again"}, said
            once_each(protected)
    assert wait_until(lambda: whoami(gateway, gateway.key) == "ada tools", 20)
    once_each(protected)


def test_another_address_under_the_name_gets_no_token(gateway, protected, tmp_path):
    with Protected() as other:
        moved = json.loads(config(tmp_path, protected))
        moved["mcp_servers"]["each"]["url"] = other.mcp
        reload(gateway, json.dumps(moved))
        assert "Unknown tool" in whoami(gateway, gateway.key)["message"]
        for _ in range(2):
            seen = other.seen()
            assert not [one for one in seen if one["authorization"]], seen
            gateway.stop()
            gateway.start()
            assert "Unknown tool" in whoami(gateway, gateway.key)["message"]
        # Back at its own, the log-in is as it was.
        reload(gateway, config(tmp_path, protected))
        assert wait_until(lambda: whoami(gateway, gateway.key) == "ada tools", 20)


def test_the_way_back_meets_any_worker(gateway, protected):
    """A dozen, each on a connection of its own: none depends on who sent it away."""
    answers = []
    for n in range(12):
        key = gateway.new_key()
        cookies = {}
        back = person(address(gateway, key), f"p{n}", key, cookies)
        answers.append(fetch("GET", back, cookies=cookies)[0])
        assert whoami(gateway, key) == f"p{n} tools"
    assert answers == [200] * 12


@pytest.mark.parametrize("how", ["reload", "kill", pytest.param("other settings", marks=LONG),
                                 pytest.param("restart", marks=LONG)])
def test_a_log_in_goes_on_after(gateway, protected, tmp_path, how):
    key = gateway.new_key()
    cookies = {}
    ticket = address(gateway, key)  # this far before
    second = gateway.new_key()
    other = {}
    back = person(address(gateway, second), "bea", second, other)  # and this far
    if how == "kill":
        wait_until(lambda: kept(gateway) >= 2, 20)
        gateway.process.kill()
        gateway.process.wait()
        gateway.start()
    elif how == "restart":
        gateway.stop()
        gateway.start()
    else:
        change = {"timeout": 66} if how == "reload" else {"scopes": ["tools"]}
        reload(gateway, config(tmp_path, protected, **change))
    status, _, page = fetch("GET", back, cookies=other)
    assert status == 200 and "logged in" in page
    assert fetch("GET", back, cookies=other)[0] == 400
    assert whoami(gateway, second) == "bea tools"
    fetch("GET", person(ticket, "cid", key, cookies), cookies=cookies)
    assert whoami(gateway, key) == "cid tools"


def test_who_begins_many_pushes_out_their_own(gateway):
    bea, mallory = gateway.new_key(), gateway.new_key()
    cookies, theirs = {}, {}
    back = person(address(gateway, bea), "bea", bea, cookies)
    first = person(address(gateway, mallory), "mallory", mallory, theirs)
    for _ in range(9):
        status, onward = accounts.agree(address(gateway, mallory), mallory, dict(theirs))
        assert status == 200 and "code_challenge=" in onward
    assert kept(gateway) <= 2 + 1 + 8 + 1
    assert fetch("GET", first, cookies=theirs)[0] == 400
    assert fetch("GET", back, cookies=cookies)[0] == 200
    assert whoami(gateway, bea) == "bea tools"
