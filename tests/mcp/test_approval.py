# SPDX-License-Identifier: Apache-2.0
"""Calls a person has to approve: asked of the client's user, else of an administrator; once."""

import asyncio
import concurrent.futures
import json
import re

import httpx2
import pytest
from gateway import patient, wait_until
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import ElicitResult

from conftest import NEW
from sessions import Session, text
from test_safety import Changing, tool

WIPE = tool("wipe", "Empties it.", annotations={"destructiveHint": True})
LOOK = tool("look", "Looks at it.", annotations={"readOnlyHint": True})
PLAIN = tool("plain", "Does something.")
ID = re.compile(r"^approval required: ([0-9a-f]{24})$")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    folder = tmp_path_factory.mktemp("approval")
    made = Changing(folder, {"two": {"risks": {"plain": "destructive"}, "approve_unknown": "always"}})
    for server in ("one", "two"):
        made.offer(server, WIPE, LOOK, PLAIN)
    with made:
        wait_until(lambda: len(made.names()) == 6, 30, "the tools")
        yield made


def outcomes(gateway, target):
    return [json.loads(d) for _, t, d in gateway.audit() if t == target]


def required(answer):
    """The id of an answer that says an approval is required."""
    assert answer.get("result", {}).get("isError") is True, answer
    found = ID.match(text(answer))
    assert found, answer
    return found.group(1)


@pytest.mark.parametrize("era", ["old", "new"])
@pytest.mark.parametrize("server", ["one", "two"])
def test_an_approval_is_for_one_call_with_these_arguments(gateway, era, server):
    name, mark = f"{server}-wipe", f"{era}-{server}"
    waits = required(gateway.run(name, era, what=mark))
    assert required(gateway.run(name, era, what=mark)) == waits  # the same question
    assert waits in gateway.words("approve")
    gateway.words("approve", waits)
    assert required(gateway.run(name, era, what=mark, more=1)) != waits  # other arguments
    other = gateway.new_key()
    params = {"name": name, "arguments": {"what": mark}}
    assert required(gateway.rpc("tools/call", params, path="/mcp", key=other)) != waits
    elsewhere = "two" if server == "one" else "one"
    assert required(gateway.run(f"{elsewhere}-wipe", era, what=mark)) != waits
    assert not [line for line in gateway.ran(server) if mark in line]
    assert text(gateway.run(name, era, what=mark)) == "ran wipe"
    assert required(gateway.run(name, era, what=mark)) != waits  # it is used up
    assert len([line for line in gateway.ran(server) if mark in line]) == 1
    found = wait_until(lambda: [o for o in outcomes(gateway, name) if o.get("approvedBy")], 20,
                       "the record")
    assert found[-1]["outcome"] == "ok" and found[-1]["approvedBy"] == "administrator"


def test_calls_at_once_share_no_approval(gateway):
    gateway.words("approve", required(gateway.run("one-wipe", what="at once")))
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: gateway.run("one-wipe", what="at once"), range(12)))
    assert sorted(a["result"].get("isError", False) for a in answers) == [False] + [True] * 11
    assert len([line for line in gateway.ran("one") if "at once" in line]) == 1


def test_a_refusal_is_no_approval(gateway):
    waits = required(gateway.run("one-wipe", what="refused"))
    gateway.words("approve", waits, "--refuse")
    answer = gateway.run("one-wipe", what="refused")
    assert answer["result"]["isError"] is True and "refused" in text(answer)


HIDING = {"a_note": "harmless " * 400, "b_more": {"pad": ["x" * 90000, 1], "really": "drop it"},
          "command": "rm -rf /srv", "hidden": "a\u202eb\U000e0041"}


def test_an_administrator_sees_what_is_approved(gateway):
    """Every member, wherever the caller put it: in the list, as JSON, by HTTP."""
    waits = required(gateway.run("one-wipe", **HIDING))
    shown = gateway.words("approve")
    raw = gateway.words("approve", "--json")
    for text_of_it in (shown, raw):
        assert "\u202e" not in text_of_it and "\U000e0041" not in text_of_it
        assert '"command":"rm -rf /srv"' in text_of_it and "drop it" in text_of_it
        assert "(90000 bytes in all)" in text_of_it
        assert "a\\u202eb\\udb40\\udc41" in text_of_it
    one = next(a for a in json.loads(raw)["approvals"] if a["id"] == waits)
    assert one["arguments"]["a_note"] == HIDING["a_note"]  # it fits beside what does not
    assert one["arguments"]["hidden"] == HIDING["hidden"] and one["arguments_cut"] == 1
    by_http = gateway.call("GET", "/kanmon/approvals")
    assert one["arguments"] == next(a for a in by_http.json()["approvals"] if a["id"] == waits)["arguments"]
    denied = gateway.call("GET", "/kanmon/approvals", key=gateway.new_key())
    assert denied.status in (401, 403) and b"rm -rf" not in denied.body
    # What fits is not cut at all, and what runs is what was shown.
    plain = {"what": "shown whole", "list": [1, 2.5, {"deep": None}], "text": "z" * 6000}
    waits = required(gateway.run("one-wipe", **plain))
    one = next(a for a in json.loads(gateway.words("approve", "--json"))["approvals"] if a["id"] == waits)
    assert one["arguments"] == plain and one["arguments_cut"] == 0
    gateway.words("approve", waits)
    assert text(gateway.run("one-wipe", **plain)) == "ran wipe"
    assert waits not in gateway.words("approve", "--json")  # dropped with the approval


def test_an_administrator_sees_who_asks_and_until_when(gateway):
    key = gateway.new_key(key_alias="team-\u202ea", user_id="ann")
    secret = "sk-ant-api03-" + "a1B2c3D4" * 6
    params = {"name": "one-wipe", "arguments": {"what": "who", "token": secret,
                                                "auth": "Bearer abcdefghijklmnopqrstuvwxyz"}}
    waits = required(gateway.rpc("tools/call", params, path="/mcp", key=key))
    one = gateway.call("GET", f"/kanmon/approvals/{waits}").json()
    assert (one["key_alias"], one["user_id"], one["server"], one["tool"], one["risk"]) == (
        "team-\u202ea", "ann", "one", "one-wipe", "destructive")
    assert one["asked_at"] < one["expires_at"] and 0 < one["expires_in_s"] <= 600
    assert one["arguments"] == {"what": "who", "token": "[redacted]", "auth": "Bearer [redacted]"}
    shown = gateway.words("approve", waits, "--show")
    for word in (waits, "one-wipe", "server     one", "risk destructive", "team-\\u202ea (user ann)",
                 one["asked_at"][:19], one["expires_at"][11:19], '"what":"who"'):
        assert word in shown, (word, shown)
    for text_of_it in (shown, gateway.words("approve"), gateway.words("approve", "--json")):
        assert secret not in text_of_it and "abcdefghij" not in text_of_it
        assert "\u202e" not in text_of_it
    assert waits in gateway.words("approve")  # to be shown is not to be decided
    gateway.words("approve", waits)
    assert text(gateway.rpc("tools/call", params, path="/mcp", key=key)) == "ran wipe"
    for path in ("/kanmon/approvals/0123456789abcdef01234567", "/kanmon/approvals/x"):
        assert gateway.call("GET", path).status == 404
    assert gateway.call("GET", f"/kanmon/approvals/{waits}", key=key).status in (401, 403)


def test_more_arguments_than_a_person_can_be_shown_are_refused(gateway):
    answer = gateway.run("one-wipe", **{f"n{i}": i for i in range(500)})
    assert answer["result"]["isError"] is True and "500" in text(answer)
    assert "approval required" not in text(answer)


def test_the_clients_user_sees_every_argument(gateway):
    asked = ask(gateway, HIDING)["result"]["inputRequests"]["approval"]["params"]["message"]
    assert '"command":"rm -rf /srv"' in asked and "drop it" in asked
    assert "(90000 bytes in all)" in asked and "\u202e" not in asked
    asked = ask(gateway, {"what": "w" * 8000, "last": "seen"})["result"]["inputRequests"]["approval"]
    assert "w" * 8000 in asked["params"]["message"] and '"last":"seen"' in asked["params"]["message"]


def test_what_is_asked_for_is_what_is_risky(gateway):
    assert text(gateway.run("one-look")) == "ran look"
    assert text(gateway.run("one-plain")) == "ran plain"  # says nothing: as configured, never
    required(gateway.run("two-plain"))  # configured as destructive
    assert text(gateway.run("two-look")) == "ran look"


ANSWERS = [("accept", "ran wipe", "ok"), ("decline", "did not approve", "refused"),
           ("cancel", "did not approve", "refused")]


@pytest.mark.parametrize("action, says, outcome", ANSWERS)
@pytest.mark.parametrize("mode", ["legacy", NEW])
@pytest.mark.parametrize("server", ["one", "two"])
def test_the_clients_user_is_asked_where_it_can_be(gateway, server, mode, action, says, outcome):
    asked, mark = [], f"{mode} {action} {server}"
    before = len(outcomes(gateway, f"{server}-wipe"))

    async def answer(context, params):
        asked.append(params)
        return ElicitResult(action=action, content={})

    async def run():
        headers = {"authorization": "Bearer sk-e2e-master"}
        async with httpx2.AsyncClient(headers=headers, timeout=patient(60)) as http:
            transport = streamable_http_client(f"{gateway.url}/mcp", http_client=http)
            async with Client(transport, mode=mode, elicitation_callback=answer) as client:
                result = await client.call_tool(f"{server}-wipe", {"what": mark + "\u202e"})
                assert says in result.content[0].text
                # Each call is asked about: one answer is good for one call.
                await client.call_tool(f"{server}-wipe", {"what": mark + "\u202e"})
                assert (await client.call_tool(f"{server}-look", {})).content[0].text == "ran look"
    asyncio.run(run())
    assert len(asked) == 2
    assert "Run wipe" in asked[0].message and mark in asked[0].message
    assert "\u202e" not in asked[0].message and "\\u202e" in asked[0].message
    ran = [line for line in gateway.ran(server) if mark in line]
    assert len(ran) == (2 if action == "accept" else 0)
    wait_until(lambda: len(outcomes(gateway, f"{server}-wipe")) == before + 2, 20, "the records")
    assert outcomes(gateway, f"{server}-wipe")[-1]["outcome"] == outcome
    if action == "accept":
        assert outcomes(gateway, f"{server}-wipe")[-1]["approvedBy"] == "client"


STATELESS = {"io.modelcontextprotocol/protocolVersion": NEW,
             "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}}}


def ask(gateway, arguments, key="sk-e2e-master", **more):
    """tools/call of a stateless client that can be asked; its answer."""
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": "one-wipe", "arguments": arguments, "_meta": STATELESS, **more}}
    answer = gateway.post(message, "/mcp", {"mcp-protocol-version": NEW, "mcp-method": "tools/call",
                                            "mcp-name": "one-wipe"}, key=key)
    found = [json.loads(e) for e in answer.events()] if answer.body.startswith((b"id", b"event", b":")) \
        else [answer.json()]
    return found[-1]


def test_a_stateless_answer_cannot_be_used_again_or_for_another_call(gateway):
    first = ask(gateway, {"what": "replay"})["result"]
    assert first["resultType"] == "input_required"
    assert first["inputRequests"]["approval"]["method"] == "elicitation/create"
    yes = {"inputResponses": {"approval": {"action": "accept", "content": {}}},
           "requestState": first["requestState"]}
    for arguments, key in (({"what": "other"}, "sk-e2e-master"), ({"what": "replay"}, gateway.new_key())):
        refused = ask(gateway, arguments, key, **yes)
        assert "requestState" in refused["error"]["message"], refused
    assert not [line for line in gateway.ran("one") if "replay" in line]
    assert ask(gateway, {"what": "replay"}, **yes)["result"]["content"][0]["text"] == "ran wipe"
    assert "requestState" in ask(gateway, {"what": "replay"}, **yes)["error"]["message"]
    # An answer that nobody asked for is none.
    invented = ask(gateway, {"what": "replay"}, inputResponses=yes["inputResponses"])["result"]
    assert invented["resultType"] == "input_required"
    assert len([line for line in gateway.ran("one") if "replay" in line]) == 1


def test_a_client_that_cannot_be_asked_in_forms_is_not(gateway):
    key = gateway.new_key()  # each principal may have only so many questions open
    with Session(gateway, key=key, capabilities={"elicitation": {"url": {}}}) as session:
        required(session.tool("one-wipe", what="url"))
    with Session(gateway, key=key) as session:
        required(session.tool("one-wipe", what="none"))


def test_nobody_fills_the_list_of_questions_alone(gateway):
    key = gateway.new_key()
    call = lambda n, key: gateway.rpc("tools/call", {"name": "one-wipe", "arguments": {"n": n}},
                                      path="/mcp", key=key)
    for n in range(16):
        required(call(n, key))
    assert "too many calls wait" in text(call(16, key))
    required(call(16, gateway.new_key()))


def test_only_an_administrator_is_asked_where_it_says_so(tmp_path):
    made = Changing(tmp_path, mcp_safety={"approve_by": "administrator", "approve": "write"})
    made.offer("one", WIPE, tool("write", annotations={"destructiveHint": False}))
    with made:
        with Session(made, capabilities={"elicitation": {}}) as session:
            wait_until(lambda: {"one-wipe", "one-write"} <= set(session.tools()), 30, "the tools")
            required(session.tool("one-wipe"))
            required(session.tool("one-write"))


def test_who_asked_is_recorded_and_the_record_is_waited_for(tmp_path):
    made = Changing(tmp_path, accounting="strict")
    with made:
        wait_until(lambda: len(made.names()) == 4, 30, "the tools")
        for n in range(5):
            params = {"name": "one-hello", "arguments": {"n": n}, "_meta": {"kanmon/requestedBy": f"ann {n}"}}
            assert text(made.rpc("tools/call", params, path="/mcp")) == "ran hello"
            last = outcomes(made, "one-hello")  # it is there before its answer is
            assert len(last) == n + 1
            assert last[-1]["requestedBy"] == f"ann {n}"
            assert last[-1].keys() >= {"server", "tool", "arguments_sha256", "outcome", "duration_us", "cost"}
        made.post({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                   "params": {"name": "one-hello"}}, "/mcp", {"x-kanmon-requested-by": "bob"})
        assert outcomes(made, "one-hello")[-1]["requestedBy"] == "bob"


def test_a_misspelt_risk_is_refused(tmp_path):
    made = Changing(tmp_path, {"one": {"risks": {"hello": "destructve"}}})
    checked = made.command("config", "check", made.config)
    assert checked.returncode == 5
    assert "not unknown, read_only, write or destructive" in checked.stdout + checked.stderr
