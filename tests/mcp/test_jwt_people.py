# SPDX-License-Identifier: Apache-2.0
"""People who come by tokens that lead to one virtual key: what is theirs is not the others'."""

import contextlib
import json
import sqlite3

import accounts
import pytest
from accounts import Protected, agree
from conftest import META, NEW, OLD
from gateway import MASTER, wait_until
from issuer import Issuer
from sessions import Session, text
from test_approval import ID, PLAIN, WIPE
from test_safety import Changing

EACH = "/mcp/each"


@pytest.fixture(scope="module")
def issuers():
    with Issuer() as one, Issuer() as two:
        one.add_key("first", "ES256")
        two.add_key("first", "ES256")
        yield one, two


@pytest.fixture(scope="module")
def protected():
    with Protected() as started:
        yield started


class Shared(Changing):
    """`one` and `two` as ever, and `each`, where everybody logs in."""

    def __init__(self, folder, issuers, protected):
        jwt = [{"issuer": i.url, "audience": "kanmon", "default_key": "everybody",
                "admin_scope": "boss", "key_claim": "group"} for i in issuers]
        super().__init__(folder, jwt=jwt,
                         oauth={"trusted_hosts": [protected.issuer.removeprefix("http://")]})
        config = json.loads(self.config.read_text())
        config["mcp_servers"]["each"] = {"url": protected.mcp, "transport": "http",
                                         "auth_type": "oauth2"}
        self.config.write_text(json.dumps(config))


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, issuers, protected):
    made = Shared(tmp_path_factory.mktemp("people"), issuers, protected)
    for server in ("one", "two"):
        made.offer(server, WIPE, PLAIN)
    with made:
        made.everybody = made.new_key(key_alias="everybody")
        made.new_key(key_alias="team")
        wait_until(lambda: len(made.names() & {"one-wipe", "two-wipe"}) == 2, 30, "the tools")
        yield made


def address(gateway, token):
    answer = gateway.call("POST", "/v1/mcp/server/each/login", key=token)
    return answer.json()["url"]


def tools(gateway, token):
    listed = gateway.rpc("tools/list", {}, EACH, key=token)["result"]["tools"]
    return sorted(tool["name"] for tool in listed)


def whoami(gateway, token):
    answer = gateway.rpc("tools/call", {"name": "whoami", "arguments": {}}, EACH, key=token)
    return text(answer) if "result" in answer else answer["error"]["message"]


def wipe(gateway, token, **arguments):
    params = {"name": "one-wipe", "arguments": arguments}
    return gateway.rpc("tools/call", params, "/mcp", key=token)


def test_a_log_in_is_one_persons(gateway, issuers):
    one, two = issuers
    ann, bob = one.token(sub="ann"), one.token(sub="bob")
    assert tools(gateway, ann) == tools(gateway, bob) == ["login"]
    accounts.log_in(address(gateway, ann), "ann-there", ann)
    assert whoami(gateway, ann) == "ann-there tools"
    assert tools(gateway, bob) == ["login"]
    assert "Unknown tool" in whoami(gateway, bob)
    accounts.log_in(address(gateway, bob), "bob-there", bob)
    assert whoami(gateway, bob) == "bob-there tools"
    assert whoami(gateway, ann) == "ann-there tools"
    # It is hers by whatever token, and whatever key that leads to.
    assert whoami(gateway, one.token(sub="ann", jti="another")) == "ann-there tools"
    assert whoami(gateway, one.token(sub="ann", group="team")) == "ann-there tools"
    # Whoever has the key itself, or her name at another issuer, is somebody else.
    assert tools(gateway, gateway.everybody) == ["login"]
    assert tools(gateway, two.token(sub="ann")) == ["login"]
    assert tools(gateway, one.token(sub="annn")) == tools(gateway, one.token(sub=None)) == ["login"]


def test_an_address_is_for_the_person_who_asked(gateway, issuers):
    one, two = issuers
    cleo = one.token(sub="cleo")
    url = address(gateway, cleo)
    for other in (one.token(sub="dan"), two.token(sub="cleo"), gateway.everybody,
                  one.token(sub=None), MASTER):
        status, page = agree(url, other)
        assert status == 403 and "another person" in page, other
    for none in (one.token(sub="cleo", exp=1), one.token(sub="cleo", aud="other"),
                 cleo[:-8] + "AAAAAAAA"):
        status, page = agree(url, none)
        assert status == 401 and "Location" not in page, page
        assert none not in page
    assert tools(gateway, cleo) == ["login"]
    # Another token of hers will do: the first may be over by then.
    accounts.log_in(url, "cleo", one.token(sub="cleo", jti="2"))
    assert whoami(gateway, cleo) == "cleo tools"


def test_tokens_without_a_subject_are_the_keys(gateway, issuers):
    nobody = issuers[0].token(sub=None)
    accounts.log_in(address(gateway, nobody), "all", gateway.everybody)
    assert whoami(gateway, nobody) == whoami(gateway, gateway.everybody) == "all tools"
    assert tools(gateway, issuers[0].token(sub="erin")) == ["login"]


def test_log_ins_of_people_outlive_a_restart(gateway, issuers):
    fay = issuers[0].token(sub="fay")
    accounts.log_in(address(gateway, fay), "fay", fay)
    assert whoami(gateway, fay) == "fay tools"
    gateway.stop()
    gateway.start()
    assert whoami(gateway, issuers[0].token(sub="fay", jti="2")) == "fay tools"
    assert tools(gateway, issuers[0].token(sub="guy")) == ["login"]


def test_a_session_is_one_persons(gateway, issuers):
    ann, bob = issuers[0].token(sub="ann"), issuers[0].token(sub="bob")
    with Session(gateway, "/mcp", ann) as session:
        head = {"mcp-session-id": session.headers["mcp-session-id"], "mcp-protocol-version": OLD}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        assert gateway.post(message, headers=head, key=ann).status == 200
        for other in (bob, gateway.everybody, issuers[1].token(sub="ann")):
            assert gateway.post(message, headers=head, key=other).status == 404
            assert gateway.call("DELETE", "/mcp", headers=head, key=other).status == 404
        fresh = issuers[0].token(sub="ann", jti="refreshed")
        assert gateway.post(message, headers=head, key=fresh).status == 200


def test_an_approval_is_one_persons(gateway, issuers):
    ann, bob = issuers[0].token(sub="ann"), issuers[0].token(sub="bob")
    waits = ID.match(text(wipe(gateway, ann, n=1))).group(1)
    # Whoever is asked sees who asks, and nothing a terminal would act upon.
    listed = gateway.words("approve")
    assert waits in listed and f"ann at {issuers[0].url}" in listed
    odd = issuers[0].token(sub="eve\x1b[2J\u202e")
    assert ID.match(text(wipe(gateway, odd, n=1)))
    assert ID.match(text(wipe(gateway, issuers[0].token(sub="x" + "é" * 60), n=1)))
    waiting = gateway.call("GET", "/kanmon/approvals").json()["approvals"]
    assert any(one.get("subject", "").startswith("xéé") for one in waiting), waiting
    assert "\x1b" not in gateway.words("approve") and "\u202e" not in gateway.words("approve")
    gateway.words("approve", waits)
    assert ID.match(text(wipe(gateway, bob, n=1))).group(1) != waits
    assert ID.match(text(wipe(gateway, gateway.everybody, n=1))).group(1) != waits
    assert text(wipe(gateway, ann, n=1)) == "ran wipe"


def test_a_parked_call_is_one_persons(gateway, issuers):
    ann, bob = issuers[0].token(sub="ann"), issuers[0].token(sub="bob")
    meta = {**META, "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}}}

    def call(key, **more):
        params = {"name": "one-wipe", "arguments": {"n": 2}, "_meta": meta, **more}
        head = {"mcp-protocol-version": NEW, "mcp-method": "tools/call", "mcp-name": "one-wipe"}
        answer = gateway.post({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                               "params": params}, "/mcp", head, key=key)
        return json.loads(answer.events()[-1]) if answer.header("content-type").startswith(
            "text/event-stream") else answer.json()

    first = call(ann)["result"]
    (name,) = first["inputRequests"]
    more = {"requestState": first["requestState"],
            "inputResponses": {name: {"action": "accept", "content": {}}}}
    for other in (bob, gateway.everybody):
        assert "requestState" in call(other, **more)["error"]["message"]
    assert text(call(ann, **more)) == "ran wipe"


def test_the_records_name_the_person(gateway, issuers):
    ann = issuers[0].token(sub="ann@example.com")
    call = {"name": "one-plain", "arguments": {"mark": "audit"}}

    def last(n):
        found = [d for d in gateway.audited("mcp.call") if d.get("subject") == "ann@example.com"]
        return found[-1] if len(found) == n else None

    assert text(gateway.rpc("tools/call", call, "/mcp", key=ann)) == "ran plain"
    made = wait_until(lambda: last(1), 20, "the record")
    assert made["issuer"] == issuers[0].url and made["requestedBy"] == "ann@example.com"
    # The client's word is told apart from the issuer's.
    head = {"x-kanmon-requested-by": "her agent"}
    gateway.rpc("tools/call", call, "/mcp", headers=head, key=ann)
    made = wait_until(lambda: last(2), 20, "the record")
    assert (made["requestedBy"], made["subject"]) == ("her agent", "ann@example.com")
    gateway.rpc("tools/call", call, "/mcp", key=gateway.everybody)
    made = wait_until(lambda: [d for d in gateway.audited("mcp.call")
                               if d["tool"] == "plain"][2:], 20, "the record")
    assert "subject" not in made[0] and "requestedBy" not in made[0]


def actors(gateway, action):
    file = next((gateway.folder / "state").glob("*.db"))
    with contextlib.closing(sqlite3.connect(file)) as store:
        return {row[0] for row in store.execute("SELECT actor FROM audit WHERE action=?", (action,))}


def test_administrators_are_people_too(gateway, issuers):
    ann, bob = (issuers[0].token(sub=name, scope="boss") for name in ("ann", "bob"))
    accounts.log_in(address(gateway, bob), "bob-boss", bob)
    assert whoami(gateway, bob) == "bob-boss tools"
    assert whoami(gateway, ann) != "bob-boss tools"
    assert agree(address(gateway, ann), bob)[0] == 403
    assert gateway.call("POST", "/key/generate", {"key_alias": "of-ann"}, key=ann).status == 200
    wait_until(lambda: "token:ann" in actors(gateway, "key.generate"), 20, "the record")
